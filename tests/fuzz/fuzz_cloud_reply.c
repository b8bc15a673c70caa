/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every operation of every cloud against a server that answers anything. This file stands in for the HTTP client: the input is
 * CLOUD OPERATION, then the answers one after the other, each a status byte and a body, separated by "\n--\n"; behind the last one there is no answer.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud_provider.h"
#include "cloud/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "fuzz-secret-0123456789"
#define TOKEN "fuzz-token-0123456789"

static const char *answers;
static size_t answers_length;

int http_client_open(struct http_client **ret)
{
    *ret = NULL;
    return 0;
}

void http_client_close(struct http_client *client)
{
    (void)client;
}

void http_reply_free(struct http_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

int64_t http_parse_date(const char *text, size_t length)
{
    (void)text;
    (void)length;
    return 0;
}

void http_take_header(struct http_reply *reply, const char *line, size_t length)
{
    (void)reply;
    (void)line;
    (void)length;
}

static unsigned int status_of(char byte)
{
    static const unsigned int statuses[] = { 200, 200, 200, 200, 400, 401, 403, 404, 409, 412, 429, 500, 503, 301, 202, 204 };

    return statuses[(unsigned char)byte % 16];
}

int http_client_send(struct http_client *client, const struct http_request *request, struct http_reply *reply)
{
    const char *end = memmem(answers, answers_length, "\n--\n", 4);
    size_t length = end ? (size_t)(end - answers) : answers_length;

    (void)client;
    assert(strncmp(request->url, "http", 4) == 0 && !strpbrk(request->url, " \r\n"));
    for (size_t i = 0; i < request->headers->count; i++)
        assert(!strpbrk(request->headers->items[i].value, "\r\n"));
    *reply = (struct http_reply){ .error = CLOUD_UNREACHABLE, .sent = true };
    if (length == 0)
        return -EHOSTUNREACH;
    *reply = (struct http_reply){ .status = status_of(answers[0]), .sent = true, .date = 1000000000, .length = length - 1 };
    reply->body = malloc(length);
    assert(reply->body);
    memcpy(reply->body, answers + 1, length - 1);
    reply->body[length - 1] = '\0';
    answers += end ? length + 4 : length;
    answers_length -= end ? length + 4 : length;
    return 0;
}

static int run_instance(struct cloud *cloud, unsigned int operation, struct deadline deadline)
{
    _cleanup_cloud_instance_list_ struct cloud_instance_list list = { 0 };
    struct cloud_instance instance;
    int r;

    switch (operation) {
    case 0:
        r = cloud_instance_get(cloud, "i-1", "tag", deadline, &instance);
        assert(r < 0 || strcmp(instance.id, "i-1") == 0);
        assert(r < 0 || (instance.power != CLOUD_POWER_STOPPED || instance.state[0]));
        return r;
    case 1:
        r = cloud_instance_list(cloud, &(struct cloud_instance_filter){ .tag = "tag", .name = "n" }, deadline, &list);
        assert(r == 0 || !list.items);
        return r;
    case 2:
        return cloud_instance_power(cloud, "i-1", CLOUD_POWER_OFF, deadline);
    default:
        return cloud_instance_power_check(cloud, "i-1", CLOUD_POWER_OFF, deadline);
    }
}

static int run_disk(struct cloud *cloud, unsigned int operation, struct deadline deadline)
{
    struct cloud_disk disk;
    int r;

    switch (operation) {
    case 4:
        r = cloud_disk_get(cloud, "vol-1", deadline, &disk);
        assert(r < 0 || (strcmp(disk.id, "vol-1") == 0 && disk.attachment_count <= CLOUD_ATTACHMENTS));
        return r;
    case 5:
        return cloud_disk_attach(cloud, "vol-1", "i-1", NULL, deadline);
    case 6:
        return cloud_disk_detach(cloud, "vol-1", "i-1", true, deadline);
    default:
        return cloud_disk_await(cloud, "vol-1", "i-1", false, deadline, &disk);
    }
}

static int run_address(struct cloud *cloud, unsigned int operation, struct deadline deadline)
{
    static const char *const addresses[] = { "192.0.2.7", "192.0.2.8", "havip-1", "192.0.2.0/24" };
    const enum cloud_address_kind kind = (enum cloud_address_kind)(operation % 4);
    const struct cloud_address_spec spec = { .kind = kind, .address = addresses[kind], .tables = "rtb-1 rtb-2" };
    struct cloud_address address;

    switch ((operation - 8) / 4) {
    case 0:
        return cloud_address_get(cloud, &spec, "i-1", deadline, &address);
    case 1:
        return cloud_address_assign(cloud, &spec, "i-1", deadline);
    case 2:
        return cloud_address_release(cloud, &spec, "i-1", deadline);
    default:
        return cloud_address_in_metadata(cloud, &spec, deadline);
    }
}

static int run_target(struct cloud *cloud, unsigned int operation, const char *group, struct deadline deadline)
{
    const struct cloud_target target = { .group = group, .instance = "i-1", .port = 80 };
    struct cloud_target_state state;

    switch (operation) {
    case 24:
        return cloud_target_get(cloud, &target, deadline, &state);
    case 25:
        return cloud_target_register(cloud, &target, deadline);
    case 26:
        return cloud_target_drain(cloud, &target, deadline);
    default:
        return cloud_target_deregister(cloud, &target, deadline);
    }
}

static int run_metadata(struct cloud *cloud, unsigned int operation, struct deadline deadline)
{
    struct credentials keys = { 0 };
    struct cloud_self self;
    int r;

    if (operation == 28)
        return cloud_check(cloud, deadline);
    if (operation == 29)
        return cloud_self(cloud, deadline, &self);
    r = cloud->provider->role_keys(cloud, deadline, &keys);
    assert(r < 0 || (keys.known && keys.access[0] && keys.secret[0]));
    return r;
}

static int run(struct cloud *cloud, unsigned int operation, unsigned int cloud_number, struct deadline deadline)
{
    static const char *const groups[] = { "arn:aws:x", "alb:sgp-1", "lb-1/lbl-1/loc-1", "pool-1", "x", "clb:rsp-1", "lb-1/lbl-1", "pool-2" };

    if (operation < 4)
        return run_instance(cloud, operation, deadline);
    if (operation < 8)
        return run_disk(cloud, operation, deadline);
    if (operation < 24)
        return run_address(cloud, operation, deadline);
    if (operation < 28)
        return run_target(cloud, operation, groups[cloud_number], deadline);
    return run_metadata(cloud, operation, deadline);
}

static void check_failure(const struct cloud_failure *failure, int r)
{
    assert(failure->error != CLOUD_OK && failure->text[0]);
    assert(r == cloud_error_errno(failure->error));
    assert(text_is_printable_utf8(failure->text, strlen(failure->text)));
    assert(!strstr(failure->text, "fuzz-secret-0") && !strstr(failure->text, "fuzz-token-01"));
    assert(!strstr(failure->code, "fuzz-secret-0") && !strstr(failure->request_id, "fuzz-token-01"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cloud_provider *const providers[] = { &cloud_aws, &cloud_aliyun, &cloud_tencent, &cloud_huawei };
    struct cloud *cloud;
    int r;

    if (size < 2 || size > 65536)
        return 0;
    cloud = calloc(1, sizeof(*cloud));
    if (!cloud)
        return 0;
    cloud->provider = providers[data[0] % 4];
    (void)text_copy(cloud->region, sizeof(cloud->region), "x-1");
    (void)text_copy(cloud->project, sizeof(cloud->project), "project");
    (void)text_copy(cloud->bucket_path, sizeof(cloud->bucket_path), "/dev/null/bucket");
    cloud->config.credentials = "/dev/null/keys";
    assert(credentials_set(&cloud->keys, "access", SECRET, TOKEN, 0) == 0);
    answers = (const char *)data + 2;
    answers_length = size - 2;
    r = run(cloud, data[1] % 31, data[0] % 8, deadline_in(60));
    if (r < 0)
        check_failure(&cloud->failure, r);
    explicit_bzero(&cloud->keys, sizeof(cloud->keys));
    free(cloud);
    return 0;
}
