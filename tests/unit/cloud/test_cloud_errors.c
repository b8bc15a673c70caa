/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/file.h"
#include "cloud/cloud_provider.h"

/* What each error of the fixtures is: by its code, and, where one code says several things, by a part of its message. */
struct row {
    const char *code;
    const char *words;
    enum cloud_error expected;
};

static const struct row aws_rows[] = {
    { "VolumeInUse", NULL, CLOUD_IN_USE },
    { "IncorrectState", "'available' state", CLOUD_ALREADY },
    { "IncorrectState", NULL, CLOUD_WRONG_STATE },
    { "IncorrectInstanceState", NULL, CLOUD_WRONG_STATE },
    { "InvalidVolume.NotFound", NULL, CLOUD_NOT_FOUND },
    { "InvalidInstanceID.NotFound", NULL, CLOUD_NOT_FOUND },
    { "InvalidInstanceID.Malformed", NULL, CLOUD_INVALID },
    { "UnauthorizedOperation", NULL, CLOUD_PERMISSION },
    { "AuthFailure", NULL, CLOUD_AUTH },
    { "RequestExpired", NULL, CLOUD_AUTH }, /* with no difference of the clocks: a token that has ended */
    { "RequestLimitExceeded", NULL, CLOUD_THROTTLED },
    { "DryRunOperation", NULL, CLOUD_REFUSED }, /* a permitted dry run: told apart by its code */
    { "Unavailable", NULL, CLOUD_TRANSIENT },
    { "InternalError", NULL, CLOUD_TRANSIENT },
    { "InvalidAttachment.NotFound", NULL, CLOUD_ALREADY },
    { "InvalidParameterValue", "already in use", CLOUD_DEVICE_NAME },
    {},
};

static const struct row aliyun_rows[] = {
    { "Throttling", NULL, CLOUD_THROTTLED },
    { "Throttling.User", NULL, CLOUD_THROTTLED },
    { "ServiceUnavailable", NULL, CLOUD_TRANSIENT },
    { "InternalError", NULL, CLOUD_TRANSIENT },
    { "IncorrectInstanceStatus", NULL, CLOUD_WRONG_STATE },
    { "InvalidInstanceId.NotFound", NULL, CLOUD_NOT_FOUND },
    { "InvalidAccessKeyId.NotFound", NULL, CLOUD_AUTH },
    { "SignatureDoesNotMatch", NULL, CLOUD_AUTH },
    { "InvalidTimeStamp.Expired", NULL, CLOUD_CLOCK },
    { "SignatureNonceUsed", NULL, CLOUD_CONFLICT },
    { "Forbidden.RAM", NULL, CLOUD_PERMISSION },
    { "LastTokenProcessing", NULL, CLOUD_CONFLICT },
    {},
};

static const struct row tencent_rows[] = {
    { "AuthFailure.SignatureFailure", NULL, CLOUD_AUTH },
    { "AuthFailure.SignatureExpire", NULL, CLOUD_CLOCK },
    { "AuthFailure.SecretIdNotFound", NULL, CLOUD_AUTH },
    { "AuthFailure.TokenFailure", NULL, CLOUD_AUTH },
    { "UnauthorizedOperation", NULL, CLOUD_PERMISSION },
    { "RequestLimitExceeded", NULL, CLOUD_THROTTLED },
    { "InternalError", NULL, CLOUD_TRANSIENT },
    { "InvalidInstanceState", NULL, CLOUD_WRONG_STATE },
    { "InvalidInstanceId.NotFound", NULL, CLOUD_NOT_FOUND },
    { "InvalidInstanceId.Malformed", NULL, CLOUD_INVALID },
    { "InvalidDiskId.NotFound", NULL, CLOUD_NOT_FOUND },
    { "InvalidDisk.Busy", NULL, CLOUD_CONFLICT },
    { "InvalidDisk.Attached", NULL, CLOUD_ALREADY },
    { "ResourceUnavailable.Attached", NULL, CLOUD_IN_USE },
    { "ResourceBusy", NULL, CLOUD_CONFLICT },
    { "UnsupportedOperation.StateError", NULL, CLOUD_WRONG_STATE },
    { "UnsupportedOperation.InstanceNotStopped", NULL, CLOUD_WRONG_STATE },
    { "LimitExceeded.InstanceAttachedDisk", NULL, CLOUD_QUOTA },
    { "FailedOperation.InvalidLBStatus", NULL, CLOUD_WRONG_STATE },
    { "InvalidParameter.LBIdNotFound", NULL, CLOUD_NOT_FOUND },
    {},
};

static const struct row huawei_rows[] = {
    { "APIGW.0301", "signature expired", CLOUD_CLOCK },
    { "APIGW.0301", NULL, CLOUD_AUTH },
    { "APIGW.0308", NULL, CLOUD_THROTTLED },
    { "Ecs.0100", NULL, CLOUD_WRONG_STATE },
    { "Ecs.0114", NULL, CLOUD_NOT_FOUND },
    { "Ecs.0003", NULL, CLOUD_PERMISSION },
    {},
};

static const struct row *find_row(const struct row *rows, const struct api_error *error)
{
    for (; rows->code; rows++)
        if (strcmp(rows->code, error->code) == 0 && (!rows->words || strstr(error->words, rows->words)))
            return rows;
    return NULL;
}

static bool is_failed_job(const struct document_node *root)
{
    return document_find(root, "job_id") != NULL;
}

static void check_entry(const struct cloud_provider *provider, const struct row *rows, const struct document_node *entry)
{
    const char *body = document_text(entry, "body");
    struct api_error error = { .status = (unsigned int)document_number(entry, "http", 0) };
    _cleanup_document_ struct document document = { 0 };
    const struct row *row;

    assert_int_equal(provider->xml ? document_parse_xml(body, strlen(body), &document)
                                   : document_parse_json(body, strlen(body), &document), 0);
    if (is_failed_job(document.root)) {
        assert_false(provider->read_error(document.root, &error));
        return;
    }
    assert_true(provider->read_error(document.root, &error));
    if (*document_text(entry, "Code"))
        assert_string_equal(error.code, document_text(entry, "Code"));
    row = find_row(rows, &error);
    if (!row)
        fail_msg("%s: no row for %s", provider->name, error.code);
    else if (provider->classify(&error) != row->expected)
        fail_msg("%s: %s is %s, wanted %s", provider->name, error.code, cloud_error_name(provider->classify(&error)),
                 cloud_error_name(row->expected));
}

static void check_fixture(const struct cloud_provider *provider, const struct row *rows, size_t at_least)
{
    _cleanup_free_ char *path = text_printf(FIXTURES "/errors-%s.json", provider->name);
    _cleanup_document_ struct document document = { 0 };
    _cleanup_free_ char *text = NULL;
    size_t length, count = 0;

    assert_int_equal(file_read(path, 1 << 20, &text, &length), 0);
    assert_int_equal(document_parse_json(text, length, &document), 0);
    for (const struct document_node *entry = document.root->child; entry; entry = entry->next, count++)
        check_entry(provider, rows, entry);
    assert_true(count >= at_least);
}

static void test_aws(void **state)
{
    (void)state;
    check_fixture(&cloud_aws, aws_rows, 16);
}

static void test_aliyun(void **state)
{
    (void)state;
    check_fixture(&cloud_aliyun, aliyun_rows, 12);
}

static void test_tencent(void **state)
{
    (void)state;
    check_fixture(&cloud_tencent, tencent_rows, 20);
}

static void test_huawei(void **state)
{
    (void)state;
    check_fixture(&cloud_huawei, huawei_rows, 8);
}

/* Codes that the fixtures lack, and that an agent tells apart. */
static void test_more_codes(void **state)
{
    static const struct {
        const struct cloud_provider *provider;
        unsigned int status;
        const char *code, *words;
        enum cloud_error expected;
    } rows[] = {
        { &cloud_aws, 400, "InvalidVolume.ZoneMismatch", "", CLOUD_WRONG_ZONE },
        { &cloud_aws, 400, "AttachmentLimitExceeded", "", CLOUD_QUOTA },
        { &cloud_aws, 403, "SignatureDoesNotMatch", "Signature expired: 20200101T000000Z is now earlier", CLOUD_CLOCK },
        { &cloud_aws, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match", CLOUD_AUTH },
        { &cloud_aws, 400, "ExpiredTokenException", "", CLOUD_AUTH },
        { &cloud_aws, 500, "Whatever", "", CLOUD_TRANSIENT },
        { &cloud_aws, 418, "Whatever", "", CLOUD_REFUSED },
        { &cloud_aliyun, 400, "IncorrectDiskStatus.Detaching", "", CLOUD_WRONG_STATE },
        { &cloud_aliyun, 403, "InvalidDisk.AlreadyDetached", "", CLOUD_ALREADY },
        { &cloud_aliyun, 400, "ResourcesNotInSameZone", "", CLOUD_WRONG_ZONE },
        { &cloud_aliyun, 403, "InstanceDiskLimitExceeded", "", CLOUD_QUOTA },
        { &cloud_aliyun, 403, "InvalidDevice.InUse", "", CLOUD_DEVICE_NAME },
        { &cloud_aliyun, 400, "OperationConflict", "", CLOUD_CONFLICT },
        /* The gateway knows no such call: that says nothing of the thing that was asked for. */
        { &cloud_aliyun, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.", CLOUD_INVALID },
        { &cloud_aliyun, 404, "InvalidApi.NotFound", "Specified api is not found, please check your url and method.", CLOUD_INVALID },
        { &cloud_huawei, 404, "APIGW.0101", "The API does not exist or has not been published in the environment", CLOUD_INVALID },
        { &cloud_huawei, 404, "APIG.0101", "The API does not exist or has not been published in the environment.", CLOUD_INVALID },
        { &cloud_tencent, 200, "MutexOperation.TaskRunning", "", CLOUD_CONFLICT },
        { &cloud_tencent, 200, "OperationDenied.InstanceOperationInProgress", "", CLOUD_CONFLICT },
        { &cloud_huawei, 400, "Ecs.0111", "The EVS disk has been detached from the ECS.", CLOUD_ALREADY },
        { &cloud_huawei, 404, "Ecs.0111", "The EVS disk has been detached from the ECS.", CLOUD_ALREADY },
        { &cloud_huawei, 400, "Ecs.0121", "different failure domains", CLOUD_WRONG_ZONE },
        { &cloud_huawei, 400, "Ecs.0001", "Insufficient ECS quota.", CLOUD_QUOTA },
        { &cloud_huawei, 400, "Ecs.0002", "A system exception occurred. Try again later", CLOUD_TRANSIENT },
        { &cloud_huawei, 404, "SomeNew.0001", "", CLOUD_NOT_FOUND },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct api_error error = { .status = rows[i].status };

        assert_true(text_copy(error.code, sizeof(error.code), rows[i].code) > 0);
        (void)text_copy(error.words, sizeof(error.words), rows[i].words);
        if (rows[i].provider->classify(&error) != rows[i].expected)
            fail_msg("%s %s: %s, wanted %s", rows[i].provider->name, rows[i].code,
                     cloud_error_name(rows[i].provider->classify(&error)), cloud_error_name(rows[i].expected));
    }
}

static void test_expired_by_the_clock(void **state)
{
    (void)state;
    assert_int_equal(cloud_aws.classify(&(struct api_error){ .status = 400, .code = "RequestExpired", .skew_s = 3600 }), CLOUD_CLOCK);
    assert_int_equal(cloud_aws.classify(&(struct api_error){ .status = 400, .code = "RequestExpired", .skew_s = -900 }), CLOUD_CLOCK);
    assert_int_equal(cloud_aws.classify(&(struct api_error){ .status = 400, .code = "RequestExpired", .skew_s = 5 }), CLOUD_AUTH);
}

/* A state change is never sent again where the server may have got it, but for what says that nothing was done. */
static void test_repeat_rule(void **state)
{
    (void)state;
    for (int error = CLOUD_OK; error <= CLOUD_NO_MEMORY; error++) {
        bool refused_untouched = error == CLOUD_THROTTLED || error == CLOUD_CONFLICT;

        assert_int_equal(api_error_may_repeat((enum cloud_error)error, true, true), refused_untouched);
    }
    assert_true(api_error_may_repeat(CLOUD_UNREACHABLE, true, false));
    assert_true(api_error_may_repeat(CLOUD_TIMED_OUT, true, false));
    assert_true(api_error_may_repeat(CLOUD_TRANSIENT, false, true));
    assert_true(api_error_may_repeat(CLOUD_MALFORMED, false, true));
    assert_false(api_error_may_repeat(CLOUD_PERMISSION, false, true));
    assert_false(api_error_may_repeat(CLOUD_NOT_FOUND, false, true));
    assert_false(api_error_may_repeat(CLOUD_TLS, false, false));
    assert_false(api_error_may_repeat(CLOUD_CLOCK, false, true));
}

/* Jitter: between half and the whole of 200 ms, 400 ms ... at most 5 s; throttled 1 s ... at most 20 s. */
static void test_backoff(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 200; i++) {
        uint64_t first = api_backoff_ms(CLOUD_TRANSIENT, 0), last = api_backoff_ms(CLOUD_TRANSIENT, 40);
        uint64_t throttled = api_backoff_ms(CLOUD_THROTTLED, 40);

        assert_in_range(first, 100, 200);
        assert_in_range(last, 2500, 5000);
        assert_in_range(throttled, 10000, 20000);
    }
}

static void test_every_class_has_a_name(void **state)
{
    (void)state;
    for (int error = CLOUD_OK; error <= CLOUD_NO_MEMORY; error++) {
        assert_non_null(cloud_error_name((enum cloud_error)error));
        assert_true(error == CLOUD_OK ? cloud_error_errno((enum cloud_error)error) == 0
                                      : cloud_error_errno((enum cloud_error)error) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws),         cmocka_unit_test(test_aliyun),      cmocka_unit_test(test_tencent),
        cmocka_unit_test(test_huawei),      cmocka_unit_test(test_more_codes),  cmocka_unit_test(test_repeat_rule), cmocka_unit_test(test_expired_by_the_clock),
        cmocka_unit_test(test_backoff),     cmocka_unit_test(test_every_class_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
