/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/text.h"
#include "cluster/cib_resources.h"

static void note(void *context, const char *resource, const char *name, const char *value)
{
    text_buffer_printf(context, "%s.%s=%s ", resource, name, value);
}

static int parse(const char *text, struct text_buffer *seen)
{
    return cib_resources_parse(text, strlen(text), "vigil", "san-volume", note, seen);
}

static void test_volumes_are_found_at_every_depth(void **state)
{
    static const char text[] =
        "a warning before it\n<resources><clone id=\"c\"><group id=\"g\"><primitive id=\"v1\" class=\"ocf\" provider=\"vigil\" type=\"san-volume\">"
        "<instance_attributes id=\"i\"><nvpair id=\"n\" name=\"device\" value=\"/dev/a&amp;b\"/></instance_attributes>"
        "<meta_attributes id=\"m\"><nvpair id=\"o\" name=\"device\" value=\"meta\"/></meta_attributes></primitive></group></clone>"
        "<primitive id=\"v2\" class=\"ocf\" provider=\"vigil\" type=\"san-volume\"/>"
        "<primitive id=\"v3\" class=\"ocf\" provider=\"other\" type=\"san-volume\"><instance_attributes id=\"j\">"
        "<nvpair id=\"p\" name=\"device\" value=\"/dev/c\"/></instance_attributes></primitive></resources>";
    _cleanup_text_buffer_ struct text_buffer seen = { 0 };

    (void)state;
    assert_int_equal(parse(text, &seen), 2);
    assert_string_equal(seen.text, "v1.device=/dev/a&b ");
}

#define VOLUME(content) "<resources><template id=\"t\" class=\"ocf\" provider=\"vigil\" type=\"san-volume\"><instance_attributes id=\"ti\">" \
    "<nvpair id=\"tn\" name=\"reservation\" value=\"WERO\"/><nvpair id=\"td\" name=\"device\" value=\"/dev/t\"/></instance_attributes></template>" content "</resources>"

/* A volume that is overlooked is a disk that a fenced node still writes to. */
static void test_templates_and_references(void **state)
{
    _cleanup_text_buffer_ struct text_buffer seen = { 0 };

    (void)state;
    assert_int_equal(parse(VOLUME("<primitive id=\"v\" template=\"t\"><instance_attributes id=\"i\"><nvpair id=\"n\" name=\"device\" value=\"/dev/v\"/>"
                                  "</instance_attributes></primitive>"), &seen), 1);
    assert_string_equal(seen.text, "v.device=/dev/v v.reservation=WERO v.device=/dev/t ");
    text_buffer_free(&seen);
    seen = (struct text_buffer){ 0 };
    assert_int_equal(parse(VOLUME("<primitive id=\"w\" provider=\"vigil\" type=\"san-volume\"><instance_attributes id-ref=\"ti\"/>"
                                  "<instance_attributes id=\"j\"><nvpair id-ref=\"td\" name=\"disks\"/></instance_attributes></primitive>"), &seen), 1);
    assert_string_equal(seen.text, "w.reservation=WERO w.device=/dev/t w.disks=/dev/t ");
}

static void test_what_cannot_be_told(void **state)
{
    _cleanup_text_buffer_ struct text_buffer seen = { 0 };

    (void)state;
    assert_int_equal(parse(VOLUME("<primitive id=\"v\" template=\"gone\"/>"), &seen), -ENOKEY);
    assert_int_equal(parse(VOLUME("<primitive id=\"v\" template=\"t\"><instance_attributes id-ref=\"gone\"/></primitive>"), &seen), -ENOKEY);
    assert_int_equal(parse(VOLUME("<primitive id=\"v\" template=\"t\"><instance_attributes id=\"i\"><nvpair id-ref=\"gone\"/></instance_attributes></primitive>"),
                           &seen), -ENOKEY);
    assert_int_equal(parse(VOLUME("<primitive id=\"v\" template=\"t\"><instance_attributes id=\"i\"><rule id=\"r\"/></instance_attributes></primitive>"), &seen),
                     -ENOTSUP);
    assert_int_equal(parse(VOLUME("<primitive id=\"v\" template=\"t\"><instance_attributes id=\"i\" score=\"1\"/><instance_attributes id=\"j\"/></primitive>"),
                           &seen), -ENOTSUP);
}

static void test_what_is_no_configuration(void **state)
{
    static const char *const texts[] = { "", "no", "<resources", "<resources><primitive", "<resources></other>" };
    _cleanup_text_buffer_ struct text_buffer seen = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(parse(texts[i], &seen), -EBADMSG);
    assert_int_equal(parse("<resources/>", &seen), 0);
    assert_null(seen.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_volumes_are_found_at_every_depth),
        cmocka_unit_test(test_templates_and_references),
        cmocka_unit_test(test_what_cannot_be_told),
        cmocka_unit_test(test_what_is_no_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
