/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/text.h"

static void test_equal(void **state)
{
    (void)state;
    assert_true(text_equal("a", "a"));
    assert_false(text_equal("a", "A"));
    assert_false(text_equal("a", "ab"));
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_false(text_equal("", NULL));
}

static void test_name_equal_takes_dash_and_underscore_alike(void **state)
{
    (void)state;
    assert_true(text_name_equal("power_timeout", "power-timeout"));
    assert_true(text_name_equal("a-b_c", "a_b-c"));
    assert_false(text_name_equal("powertimeout", "power-timeout"));
    assert_false(text_name_equal("power", "power-timeout"));
    assert_false(text_name_equal("power-timeout", "power"));
    assert_false(text_name_equal("Power", "power"));
    assert_true(text_name_equal(NULL, NULL));
    assert_false(text_name_equal(NULL, ""));
}

static void test_empty_after_and_ends(void **state)
{
    (void)state;
    assert_true(text_empty(NULL));
    assert_true(text_empty(""));
    assert_false(text_empty(" "));
    assert_string_equal(text_after("tcp://host", "tcp://"), "host");
    assert_string_equal(text_after("tcp://", "tcp://"), "");
    assert_null(text_after("tcp:/", "tcp://"));
    assert_null(text_after("", "x"));
    assert_true(text_ends_with("lock.new", ".new"));
    assert_true(text_ends_with(".new", ".new"));
    assert_false(text_ends_with("new", ".new"));
    assert_true(text_ends_with("x", ""));
}

/* RFC 3629, and the table of well-formed sequences of the Unicode standard (3-7). */
static void test_utf8(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool good;
    } cases[] = {
        { "", 0, true },
        { "plain\ttext", 10, true },
        { "\xc3\xbc", 2, true },             /* U+00FC */
        { "\xe2\x82\xac", 3, true },         /* U+20AC */
        { "\xf0\x9f\x98\x80", 4, true },     /* U+1F600 */
        { "\xf4\x8f\xbf\xbf", 4, true },     /* U+10FFFF, the last */
        { "\xef\xbf\xbd", 3, true },         /* U+FFFD */
        { "\xef\xbf\xbe", 3, false },        /* U+FFFE and U+FFFF are no characters of XML 1.0 */
        { "\xef\xbf\xbf", 3, false },
        { "\xc2\x9b", 2, false },            /* U+009B, a terminal's CSI */
        { "\xc2\xa0", 2, true },
        { "\xed\x9f\xbf", 3, true },         /* U+D7FF, the last before the surrogates */
        { "a\nb", 3, false },
        { "a\rb", 3, false },
        { "\x1b[0m", 4, false },
        { "a\0b", 3, false },
        { "\x7f", 1, false },
        { "\x80", 1, false },                /* a continuation alone */
        { "\xc3", 1, false },                /* cut short */
        { "\xe2\x82", 2, false },
        { "\xf0\x9f\x98", 3, false },
        { "\xc3(", 2, false },
        { "\xc0\xaf", 2, false },            /* overlong '/' */
        { "\xc1\xbf", 2, false },
        { "\xe0\x80\xaf", 3, false },
        { "\xe0\x9f\xbf", 3, false },
        { "\xf0\x80\x80\xaf", 4, false },
        { "\xf0\x8f\xbf\xbf", 4, false },
        { "\xed\xa0\x80", 3, false },        /* a surrogate */
        { "\xed\xbf\xbf", 3, false },
        { "\xf4\x90\x80\x80", 4, false },    /* above U+10FFFF */
        { "\xf8\x88\x80\x80\x80", 5, false },
        { "\xff", 1, false },
        { "\xfe", 1, false },
        { "\xe4\xf6\xfc", 3, false },        /* Latin-1 */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (text_is_printable_utf8(cases[i].bytes, cases[i].length) != cases[i].good)
            fail_msg("case %zu is taken for %s", i, cases[i].good ? "bad" : "good");
    }
}

static void test_trim(void **state)
{
    char both[] = " \t a b\r\n", none[] = "ab", blank[] = " \n ", empty[] = "";

    (void)state;
    assert_string_equal(text_trim(both), "a b");
    assert_string_equal(text_trim(none), "ab");
    assert_string_equal(text_trim(blank), "");
    assert_string_equal(text_trim(empty), "");
}

static void test_format_is_bounded(void **state)
{
    char buffer[6] = "xxxxx";

    (void)state;
    assert_int_equal(text_format(buffer, sizeof(buffer), "%d", 12345), 5);
    assert_string_equal(buffer, "12345");
    assert_int_equal(text_format(buffer, sizeof(buffer), "%d", 123456), -ENAMETOOLONG);
    assert_string_equal(buffer, "12345");
    assert_int_equal(text_format(buffer, 0, "x"), -ENAMETOOLONG);
}

static void test_copy_is_bounded(void **state)
{
    char buffer[4] = "xxx";

    (void)state;
    assert_int_equal(text_copy(buffer, sizeof(buffer), "abc"), 3);
    assert_string_equal(buffer, "abc");
    assert_int_equal(text_copy(buffer, sizeof(buffer), "abcd"), -ENAMETOOLONG);
    assert_string_equal(buffer, "");
    assert_int_equal(text_copy(buffer, 0, ""), -ENAMETOOLONG);
    assert_int_equal(text_copy(buffer, 1, ""), 0);
}

static void test_words(void **state)
{
    const char *cursor = ", a,,bc ,", *word = NULL;
    size_t length = 0;

    (void)state;
    assert_true(text_next_word(&cursor, ", ", &word, &length));
    assert_int_equal(length, 1);
    assert_memory_equal(word, "a", 1);
    assert_true(text_next_word(&cursor, ", ", &word, &length));
    assert_int_equal(length, 2);
    assert_memory_equal(word, "bc", 2);
    assert_false(text_next_word(&cursor, ", ", &word, &length));
    assert_false(text_next_word(&cursor, ", ", &word, &length));
    assert_int_equal(text_count_words("a b  c", " "), 3);
    assert_int_equal(text_count_words("", " "), 0);
    assert_int_equal(text_count_words("  ", " "), 0);
}

static void check_split(const char *command, const char *const *words)
{
    _cleanup_vector_ char **vector = NULL;
    size_t i;

    assert_int_equal(text_split_command(command, &vector), 0);
    for (i = 0; words[i]; i++) {
        assert_non_null(vector[i]);
        assert_string_equal(vector[i], words[i]);
    }
    assert_null(vector[i]);
}
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_split_command(void **state)
{
    (void)state;
    check_split("a", WORDS("a"));
    check_split("  /bin/a  -b\t'c d'\n", WORDS("/bin/a", "-b", "c d"));
    check_split("a \"b 'c\" 'd \"e'", WORDS("a", "b 'c", "d \"e"));
    check_split("a\\ b c\\'d", WORDS("a b", "c'd"));
    check_split("\"\\\"\\\\\\n\"", WORDS("\"\\\\n"));
    check_split("'\\'", WORDS("\\"));
    check_split("'' \"\"", WORDS("", ""));
    check_split("a''b\"c\"'d'", WORDS("abcd"));
    /* No shell: these mean nothing. */
    check_split("a $HOME `id` *;|&>~ ${x} $(y)", WORDS("a", "$HOME", "`id`", "*;|&>~", "${x}", "$(y)"));
    check_split("a b c d e f g", WORDS("a", "b", "c", "d", "e", "f", "g"));
}

static void test_split_command_refuses(void **state)
{
    static const char *const open_ended[] = { "'", "\"", "a 'b", "a \"b", "a\\", "\\", "\"\\\"", "\"\\" };
    char *untouched[] = { NULL }, **vector = untouched;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(open_ended); i++) {
        assert_int_equal(text_split_command(open_ended[i], &vector), -EINVAL);
        assert_ptr_equal(vector, untouched);
    }
    assert_int_equal(text_split_command("", &vector), -ENODATA);
    assert_int_equal(text_split_command(" \t\n", &vector), -ENODATA);
    assert_ptr_equal(vector, untouched);
    text_free_vector(NULL);
}

static void test_buffer_grows(void **state)
{
    _cleanup_text_buffer_ struct text_buffer buffer = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        text_buffer_printf(&buffer, "%03d,", i);
    text_buffer_append(&buffer, "end\0x", 5);
    text_buffer_append(&buffer, NULL, 0);
    assert_false(buffer.failed);
    assert_int_equal(buffer.length, 4005);
    assert_memory_equal(buffer.text, "000,001,", 8);
    assert_memory_equal(buffer.text + 4000, "end\0x\0", 6);
    text_buffer_append(&buffer, "x", SIZE_MAX / 2);
    assert_true(buffer.failed);
    text_buffer_free(&buffer);
    assert_null(buffer.text);
    text_buffer_free(&buffer);
}

static void test_torture_allocations(void **state)
{
    (void)state;
    for (unsigned int turn = 1; fault_next(turn, ENOMEM); turn++) {
        _cleanup_text_buffer_ struct text_buffer buffer = { 0 };
        _cleanup_vector_ char **vector = NULL;
        _cleanup_free_ char *text = text_printf("%d", 1);
        int r = text_split_command("a b", &vector);
        bool missing = !text || r == -ENOMEM;

        text_buffer_printf(&buffer, "%0200d", 1);
        text_buffer_append(&buffer, "x", 1);
        fault_end();
        if (!fault_hit())
            break;
        if (!missing && !buffer.failed)
            fail_msg("%s failed at turn %u and nothing says so", fault_name(), turn);
        assert_true(r == -ENOMEM ? !vector : r == 0);
        /* A failed buffer stays failed: a row of appends needs one check at its end. */
        text_buffer_append(&buffer, "y", 1);
        assert_true(buffer.failed || missing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_name_equal_takes_dash_and_underscore_alike),
        cmocka_unit_test(test_empty_after_and_ends),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_format_is_bounded),
        cmocka_unit_test(test_copy_is_bounded),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_split_command),
        cmocka_unit_test(test_split_command_refuses),
        cmocka_unit_test(test_buffer_grows),
        cmocka_unit_test(test_torture_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
