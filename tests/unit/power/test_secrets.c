/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "power/secrets.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = unit_make_folder();
    return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

/* A file in the folder; its path is the caller's to free. */
static char *write_secret(const char *name, mode_t mode, const char *text)
{
    char *path = text_printf("%s/%s", folder, name);

    assert_non_null(path);
    assert_int_equal(file_write(path, mode, text, strlen(text)), 0);
    return path;
}

static void test_values(void **state)
{
    const struct secrets_source source = { .password = "geheim", .k_g = "0a0b" };
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct secrets secrets = {};

    (void)state;
    assert_int_equal(secrets_read(&source, &secrets, &why), 0);
    assert_string_equal(secrets.password, "geheim");
    assert_int_equal(secrets.k_g[1], 0x0b);
    secrets_wipe(&secrets);
    assert_null(secrets.password);
    assert_int_equal(secrets_read(&(struct secrets_source){ .password = NULL }, &secrets, &why), 0);
    assert_null(secrets.password);
    assert_null(secrets.k_g);
    secrets_wipe(&secrets);
}

static void test_files(void **state)
{
    _cleanup_free_ char *password = write_secret("password", 0600, "geheim\nsecond line\n");
    _cleanup_free_ char *key = write_secret("key", 0600, "0x0a0b\n");
    const struct secrets_source source = { .password_file = password, .k_g_file = key };
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct secrets secrets = {};

    (void)state;
    assert_int_equal(secrets_read(&source, &secrets, &why), 0);
    assert_string_equal(secrets.password, "geheim");
    assert_int_equal(secrets.k_g[0], 0x0a);
    secrets_wipe(&secrets);
}

static void check_refused(const struct secrets_source *source, int error, const char *word)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct secrets secrets = {};

    assert_int_equal(secrets_read(source, &secrets, &why), error);
    assert_non_null(why.text);
    if (!strstr(why.text, word) || strstr(why.text, "geheim"))
        fail_msg("the reason is: %s", why.text);
    secrets_wipe(&secrets);
}

static void test_refused(void **state)
{
    _cleanup_free_ char *open = write_secret("open", 0644, "geheim\n");
    _cleanup_free_ char *empty = write_secret("empty", 0600, "\n");
    _cleanup_free_ char *long_one = write_secret("long", 0600, "geheim78901234567890x\n");
    _cleanup_free_ char *no_key = write_secret("no-key", 0600, "geheim\n");

    (void)state;
    check_refused(&(struct secrets_source){ .password_file = open }, -EPERM, "mode 0600");
    check_refused(&(struct secrets_source){ .password_file = empty }, -ENODATA, "is empty");
    check_refused(&(struct secrets_source){ .password_file = long_one }, -EINVAL, "longer than 20 bytes");
    check_refused(&(struct secrets_source){ .password_file = "/nonexistent/file" }, -ENOENT, "cannot be read");
    check_refused(&(struct secrets_source){ .k_g_file = no_key }, -EINVAL, "hexadecimal");
    check_refused(&(struct secrets_source){ .k_g = "geheim" }, -EINVAL, "hexadecimal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
