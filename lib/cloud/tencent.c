/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tencent Cloud: API 3.0 (JSON), CVM, CBS and VPC 2017-03-12, CLB 2018-03-17; TC3-HMAC-SHA256. API references at cloud.tencent.com. Errors come
 * with HTTP 200, in Response.Error.
 */
#include <inttypes.h>
#include <string.h>

#include "cloud/cloud_provider.h"
#include "cloud/error_rules.h"
#include "cloud/signing.h"

static const struct cloud_service services[] = {
    { "cvm", "cvm", "2017-03-12" }, { "cbs", "cbs", "2017-03-12" }, { "vpc", "vpc", "2017-03-12" }, { "clb", "clb", "2018-03-17" }, {},
};

static const struct credential_format formats[] = {
    { .json = true, .section = "default", .access = "secretId", .secret = "secretKey", .token = "token" },
    { .section = "default", .access = "secret_id", .secret = "secret_key", .token = "token" },
    {},
};

/* "Common error codes" of API 3.0, and those of the products. */
static const struct error_rule rules[] = {
    { "RequestLimitExceeded*", NULL, CLOUD_THROTTLED },
    { "LimitExceeded.Frequency*", NULL, CLOUD_THROTTLED },
    { "AuthFailure.SignatureExpire", NULL, CLOUD_CLOCK },
    { "AuthFailure.UnauthorizedOperation", NULL, CLOUD_PERMISSION },
    { "AuthFailure*", NULL, CLOUD_AUTH },
    { "UnauthorizedOperation*", NULL, CLOUD_PERMISSION },
    { "ResourceBusy*", NULL, CLOUD_CONFLICT },
    { "InvalidDisk.Busy", NULL, CLOUD_CONFLICT },
    { "MutexOperation*", NULL, CLOUD_CONFLICT },
    { "OperationDenied.InstanceOperationInProgress", NULL, CLOUD_CONFLICT },
    { "OperationDenied.MutexTaskRunning", NULL, CLOUD_CONFLICT },
    { "FailedOperation.ResourceInOperating", NULL, CLOUD_CONFLICT },
    { "FailedOperation.InvalidLBStatus", NULL, CLOUD_WRONG_STATE },
    { "InvalidDisk.Attached", NULL, CLOUD_ALREADY },
    { "ResourceUnavailable.Attached", NULL, CLOUD_IN_USE },
    { "ResourceUnavailable.ZoneNotMatch", NULL, CLOUD_WRONG_ZONE },
    { "*ZoneNotMatch", NULL, CLOUD_WRONG_ZONE },
    { "UnsupportedOperation.StateError", NULL, CLOUD_WRONG_STATE },
    { "UnsupportedOperation.InstanceState*", NULL, CLOUD_WRONG_STATE },
    { "UnsupportedOperation.InstanceNotStopped", NULL, CLOUD_WRONG_STATE },
    { "InvalidInstanceState*", NULL, CLOUD_WRONG_STATE },
    { "InvalidAddressIdState*", NULL, CLOUD_WRONG_STATE },
    { "InvalidAddressIdStatus*", NULL, CLOUD_WRONG_STATE },
    { "InvalidInstance.NotRunning", NULL, CLOUD_WRONG_STATE },
    { "InvalidInstanceIdAlreadyBindEip", NULL, CLOUD_IN_USE },
    { "InvalidParameterValue", "not attached", CLOUD_ALREADY },
    { "ResourceInUse*", NULL, CLOUD_IN_USE },
    { "LimitExceeded*", NULL, CLOUD_QUOTA },
    { "AddressQuotaLimitExceeded*", NULL, CLOUD_QUOTA },
    { "ResourceInsufficient*", NULL, CLOUD_QUOTA },
    { "ResourcesSoldOut*", NULL, CLOUD_QUOTA },
    { "ResourceNotFound*", NULL, CLOUD_NOT_FOUND },
    { "*.NotFound", NULL, CLOUD_NOT_FOUND },
    { "*NotFound", NULL, CLOUD_NOT_FOUND },
    { "Internal*", NULL, CLOUD_TRANSIENT },
    { "ServiceUnavailable*", NULL, CLOUD_TRANSIENT },
    { "ResourceUnavailable", NULL, CLOUD_TRANSIENT },
    { "Invalid*", NULL, CLOUD_INVALID },
    { "Missing*", NULL, CLOUD_INVALID },
    { "Unknown*", NULL, CLOUD_INVALID },
    { "UnsupportedRegion", NULL, CLOUD_INVALID },
    { "UnsupportedProtocol", NULL, CLOUD_INVALID },
    { "NoSuchVersion", NULL, CLOUD_INVALID },
    {},
};

static int tencent_host(const struct cloud *cloud _unused_, const struct cloud_service *service, char *buffer, size_t size)
{
    return text_format(buffer, size, "%s.tencentcloudapi.com", service->host);
}

static int tencent_sign(struct cloud *cloud, const struct api_call *call, const struct credentials *keys,
                        struct api_message *message)
{
    _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
    struct signing_request request = { .method = call->method, .query = "" };
    int r;

    parameters_add(&message->headers, "Content-Type", "application/json; charset=utf-8");
    parameters_add(&message->headers, "X-TC-Action", "%s", call->action);
    parameters_add(&message->headers, "X-TC-Version", "%s", message->service->version);
    parameters_add(&message->headers, "X-TC-Region", "%s", cloud->region);
    parameters_add(&message->headers, "X-TC-Timestamp", "%" PRId64, message->now);
    if (keys->token[0])
        parameters_add(&message->headers, "X-TC-Token", "%s", keys->token);
    if (message->headers.failed || message->body.failed || message->path.failed)
        return -ENOMEM;
    request.path = message->path.text;
    request.body = message->body.text ? message->body.text : "";
    request.body_length = message->body.length;
    request.headers = &message->headers;
    r = sign_tencent_v3(&request, &(struct signing_keys){ keys->access, keys->secret }, message->now, message->service->host,
                        "content-type;host;x-tc-action", &authorization);
    if (r == 0)
        parameters_add(&message->headers, "Authorization", "%s", authorization.text);
    return r;
}

static bool tencent_read_error(const struct document_node *root, struct api_error *error)
{
    const struct document_node *node = document_find(root, "Response/Error");

    document_words(root, "Response/RequestId", error->request_id, sizeof(error->request_id));
    if (!node)
        return false;
    document_words(node, "Code", error->code, sizeof(error->code));
    document_words(node, "Message", error->words, sizeof(error->words));
    return true;
}

static enum cloud_error tencent_classify(const struct api_error *error)
{
    return error_rules_apply(rules, error);
}

/* Sends an action with its JSON; *ret_response borrows Response from the document. */
static int send_action(struct cloud *cloud, const char *service, const char *action, struct text_buffer *body, bool changes,
                       struct deadline deadline, struct document *ret, const struct document_node **ret_response)
{
    const struct api_call call = { .service = service, .action = action, .method = "POST", .body = body->text, .changes = changes };
    int r;

    if (body->failed)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    r = api_call_send(cloud, &call, deadline, ret);
    if (r < 0)
        return r;
    *ret_response = ret->root ? document_find(ret->root, "Response") : NULL;
    if (*ret_response && *document_text(*ret_response, "RequestId"))
        return 0;
    r = cloud_malformed(cloud, action);
    cloud->failure.maybe_done = changes;
    return r;
}

/* task (may be NULL) gets TaskId, or the request's id where there is none. */
static int send_change(struct cloud *cloud, const char *service, const char *action, struct text_buffer *body,
                       struct deadline deadline, char *task, size_t task_size)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL;
    int r = send_action(cloud, service, action, body, true, deadline, &document, &response);

    if (r == 0 && task &&
        document_copy(response, *document_text(response, "TaskId") ? "TaskId" : "RequestId", task, task_size) < 0)
        r = cloud_malformed(cloud, "the task");
    return r;
}

static int find_list(struct cloud *cloud, const struct document_node *response, const char *name,
                     const struct document_node **ret)
{
    const struct document_node *list = document_find(response, name);

    if (!list || !list->list)
        return cloud_malformed(cloud, name);
    *ret = list->child;
    return 0;
}

/* ---- metadata service ------------------------------------------------------------------------------------------- */

static int tencent_self(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret)
{
    int r = metadata_get_word(cloud, "/latest/meta-data/instance-id", NULL, deadline, ret->instance, sizeof(ret->instance));

    if (r == 0 && strncmp(ret->instance, "ins-", 4) != 0)
        r = cloud_malformed(cloud, "a CVM instance id");
    if (r == 0)
        r = metadata_get_word(cloud, "/latest/meta-data/placement/region", NULL, deadline, ret->region, sizeof(ret->region));
    if (r == 0)
        r = metadata_get_word(cloud, "/latest/meta-data/placement/zone", NULL, deadline, ret->zone, sizeof(ret->zone));
    return r;
}

static int tencent_role_keys(struct cloud *cloud, struct deadline deadline, struct credentials *ret)
{
    _cleanup_document_ struct document document = { 0 };
    char role[CLOUD_ID_SIZE], path[256];
    uint64_t expires;
    int r = 0;

    if (cloud->config.role)
        r = text_copy(role, sizeof(role), cloud->config.role) < 0 ? cloud_malformed(cloud, "a role") : 0;
    else
        r = metadata_get_word(cloud, "/latest/meta-data/cam/security-credentials/", NULL, deadline, role, sizeof(role));
    if (r == 0 && text_format(path, sizeof(path), "/latest/meta-data/cam/security-credentials/%s", role) < 0)
        r = cloud_malformed(cloud, "the name of a role");
    if (r == 0)
        r = metadata_get_json(cloud, path, NULL, deadline, &document);
    if (r < 0 && cloud->failure.error == CLOUD_NOT_FOUND)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "this instance has no CAM role: bind one, or set credentials");
    if (r < 0)
        return r;
    expires = document_number(document.root, "ExpiredTime", 0);
    if (credentials_set(ret, document_text(document.root, "TmpSecretId"), document_text(document.root, "TmpSecretKey"),
                        document_text(document.root, "Token"), expires < INT64_MAX ? (int64_t)expires : 0) < 0)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "the metadata service gives no usable keys for role %s", role);
    return 0;
}

/* macs/MAC/local-ipv4s/ lists the addresses of an interface. */
static int interface_has(struct cloud *cloud, const char *mac, const char *address, struct deadline deadline)
{
    _cleanup_free_ char *list = NULL;
    const char *cursor, *word;
    char path[256];
    size_t length;
    int r;

    if (text_format(path, sizeof(path), "/latest/meta-data/network/interfaces/macs/%s/local-ipv4s/", mac) < 0)
        return cloud_malformed(cloud, "a MAC address");
    r = metadata_get(cloud, path, NULL, deadline, &list);
    if (r < 0)
        return cloud->failure.error == CLOUD_NOT_FOUND ? 0 : r;
    cursor = list;
    while (text_next_word(&cursor, "/\r\n", &word, &length))
        if (strlen(address) == length && memcmp(word, address, length) == 0)
            return 1;
    return 0;
}

static int tencent_address_in_metadata(struct cloud *cloud, const struct cloud_address_spec *spec, struct deadline deadline)
{
    _cleanup_free_ char *macs = NULL;
    const char *cursor, *word;
    size_t length;
    int r;

    if (spec->kind != CLOUD_ADDRESS_SECONDARY || spec->interface || strchr(spec->address, ':'))
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "the metadata service does not tell of %s", spec->address);
    r = metadata_get(cloud, "/latest/meta-data/network/interfaces/macs/", NULL, deadline, &macs);
    if (r < 0)
        return r;
    cursor = macs;
    while (text_next_word(&cursor, "/\r\n", &word, &length)) {
        _cleanup_free_ char *mac = strndup(word, length);

        if (!cloud_id_valid(mac))
            return cloud_malformed(cloud, "a MAC address");
        r = interface_has(cloud, mac, spec->address, deadline);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- instances -------------------------------------------------------------------------------------------------- */

/* REBOOTING runs. SHUTDOWN is "stopped, to be released"; TERMINATING is on its way. */
static enum cloud_power parse_power(const char *state)
{
    static const struct {
        const char *state;
        enum cloud_power power;
    } states[] = {
        { "PENDING", CLOUD_POWER_STARTING },    { "LAUNCH_FAILED", CLOUD_POWER_UNKNOWN }, { "RUNNING", CLOUD_POWER_RUNNING },
        { "STOPPED", CLOUD_POWER_STOPPED },     { "STARTING", CLOUD_POWER_STARTING },     { "STOPPING", CLOUD_POWER_STOPPING },
        { "REBOOTING", CLOUD_POWER_RUNNING },   { "SHUTDOWN", CLOUD_POWER_STOPPED },      { "TERMINATING", CLOUD_POWER_STOPPING },
    };

    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (strcmp(states[i].state, state) == 0)
            return states[i].power;
    return CLOUD_POWER_UNKNOWN;
}

static int parse_instance(struct cloud *cloud, const struct document_node *node, const struct document_node *response,
                          const char *tag, struct cloud_instance *ret)
{
    const struct document_node *item;

    *ret = (struct cloud_instance){ 0 };
    if (document_copy(node, "InstanceId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(node, "Placement/Zone", ret->zone, sizeof(ret->zone)) < 0 ||
        document_copy(document_first(node, "PrivateIpAddresses"), "", ret->address, sizeof(ret->address)) < 0)
        return cloud_malformed(cloud, "an instance");
    document_words(node, "InstanceState", ret->state, sizeof(ret->state));
    ret->power = parse_power(ret->state);
    document_words(node, "InstanceName", ret->name, sizeof(ret->name));
    for (item = document_first(node, "Tags"); tag && item; item = item->next)
        if (strcmp(document_text(item, "Key"), tag) == 0)
            document_words(item, "Value", ret->tag, sizeof(ret->tag));
    (void)text_format(ret->evidence, sizeof(ret->evidence), "InstanceState=%s LatestOperation=%.24s/%.12s RequestId=%.40s", ret->state,
                      document_text(node, "LatestOperation"), document_text(node, "LatestOperationState"),
                      document_text(response, "RequestId"));
    (void)text_make_printable(ret->evidence);
    return 0;
}

static int tencent_instance_get(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                                struct cloud_instance *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *item = NULL;
    int r;

    text_buffer_printf(&body, "{\"InstanceIds\":[\"%s\"]}", id);
    r = send_action(cloud, "cvm", "DescribeInstances", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "InstanceSet", &item);
    if (r < 0)
        return r;
    return item ? parse_instance(cloud, item, response, tag, ret)
                : cloud_fail(cloud, CLOUD_NOT_FOUND, "instance %s is not known in region %s (request %.40s)", id, cloud->region,
                             document_text(response, "RequestId"));
}

static void put_filter(struct text_buffer *body, bool first, const char *prefix, const char *name, const char *value)
{
    _cleanup_free_ char *full = text_printf("%s%s", prefix, name);

    text_buffer_printf(body, "%s{\"Name\":", first ? "" : ",");
    json_quote(body, full ? full : "");
    text_buffer_printf(body, ",\"Values\":[");
    json_quote(body, value);
    text_buffer_printf(body, "]}");
    body->failed = body->failed || !full;
}

static void put_list_body(struct text_buffer *body, const struct cloud_instance_filter *filter, size_t offset)
{
    bool by_tag = filter->tag && filter->tag_value;

    text_buffer_printf(body, "{\"Limit\":100,\"Offset\":%zu", offset);
    if (filter->name || by_tag) {
        text_buffer_printf(body, ",\"Filters\":[");
        if (filter->name)
            put_filter(body, true, "", "instance-name", filter->name);
        if (by_tag)
            put_filter(body, !filter->name, "tag:", filter->tag, filter->tag_value);
        text_buffer_printf(body, "]");
    }
    text_buffer_printf(body, "}");
}

/* Pages by offset: an instance that goes meanwhile could hide another, so that the total must stay, or it is read again. */
static int tencent_instance_list(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                                 struct cloud_instance_list *ret)
{
    uint64_t total = 0;

    do {
        _cleanup_text_buffer_ struct text_buffer body = { 0 };
        _cleanup_document_ struct document document = { 0 };
        const struct document_node *response = NULL, *item = NULL;
        size_t before = ret->count;
        uint64_t told;
        int r;

        put_list_body(&body, filter, ret->count);
        r = send_action(cloud, "cvm", "DescribeInstances", &body, false, deadline, &document, &response);
        if (r == 0)
            r = find_list(cloud, response, "InstanceSet", &item);
        for (; r == 0 && item; item = item->next) {
            struct cloud_instance instance;

            r = parse_instance(cloud, item, response, filter->tag, &instance);
            if (r == 0)
                r = cloud_list_add(cloud, ret, &instance);
        }
        if (r < 0)
            return r;
        told = document_number(response, "TotalCount", UINT64_MAX);
        if (told == UINT64_MAX || (ret->count < told && ret->count == before))
            return cloud_malformed(cloud, "a page of the list of instances");
        if (before > 0 && told != total) {
            cloud_instance_list_free(ret);
            told = 1;
        }
        total = told;
    } while (ret->count < total);
    return 0;
}

/* There is no dry run for any of these. */
static int tencent_instance_power(struct cloud *cloud, const char *id, enum cloud_power_action action, bool dry_run,
                                  struct deadline deadline)
{
    static const char *const actions[] = { [CLOUD_POWER_OFF] = "StopInstances", [CLOUD_POWER_ON] = "StartInstances",
                                           [CLOUD_POWER_REBOOT] = "RebootInstances" };
    _cleanup_text_buffer_ struct text_buffer body = { 0 };

    if (dry_run)
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "Tencent Cloud has no dry run of %s: the permission shows when it is used", actions[action]);
    text_buffer_printf(&body, "{\"InstanceIds\":[\"%s\"]%s%s}", id, action != CLOUD_POWER_ON ? ",\"StopType\":\"HARD\"" : "",
                       action == CLOUD_POWER_OFF ? ",\"StoppedMode\":\"KEEP_CHARGING\"" : "");
    return send_change(cloud, "cvm", actions[action], &body, deadline, NULL, 0);
}

static int tencent_check(struct cloud *cloud, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL;

    text_buffer_printf(&body, "{\"Limit\":1,\"Offset\":0}");
    return send_action(cloud, "cvm", "DescribeInstances", &body, false, deadline, &document, &response);
}

/* ---- disks ------------------------------------------------------------------------------------------------------ */

static enum cloud_attachment_state parse_disk_state(const char *state, enum cloud_disk_state *ret)
{
    static const struct {
        const char *text;
        enum cloud_disk_state state;
        enum cloud_attachment_state attachment;
    } states[] = {
        { "UNATTACHED", CLOUD_DISK_AVAILABLE, CLOUD_ATTACHMENT_UNKNOWN }, { "ATTACHING", CLOUD_DISK_IN_USE, CLOUD_ATTACHING },
        { "ATTACHED", CLOUD_DISK_IN_USE, CLOUD_ATTACHED },                { "DETACHING", CLOUD_DISK_IN_USE, CLOUD_DETACHING },
        { "EXPANDING", CLOUD_DISK_IN_USE, CLOUD_ATTACHED },               { "ROLLBACKING", CLOUD_DISK_UNKNOWN, CLOUD_ATTACHMENT_UNKNOWN },
        { "TORECYCLE", CLOUD_DISK_DELETED, CLOUD_ATTACHMENT_UNKNOWN },    { "DUMPING", CLOUD_DISK_ERROR, CLOUD_ATTACHMENT_UNKNOWN },
        { "CREATING", CLOUD_DISK_CREATING, CLOUD_ATTACHMENT_UNKNOWN },
    };

    *ret = CLOUD_DISK_UNKNOWN;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (strcmp(states[i].text, state) == 0) {
            *ret = states[i].state;
            return states[i].attachment;
        }
    return CLOUD_ATTACHMENT_UNKNOWN;
}

/* The time of the attachment is nowhere told: `since` stays 0. */
static int add_attachment(struct cloud *cloud, const struct document_node *id, enum cloud_attachment_state state,
                          struct cloud_disk *ret)
{
    struct cloud_attachment *attachment = &ret->attachments[ret->attachment_count];

    if (ret->attachment_count >= CLOUD_ATTACHMENTS ||
        document_copy(id, "", attachment->instance, sizeof(attachment->instance)) < 0)
        return cloud_malformed(cloud, "an attachment");
    if (attachment->instance[0] && !cloud_disk_attachment(ret, attachment->instance)) {
        attachment->state = state;
        ret->attachment_count++;
    }
    return 0;
}

static int parse_disk(struct cloud *cloud, const struct document_node *disk, struct cloud_disk *ret)
{
    enum cloud_attachment_state state;
    const struct document_node *item;
    int r;

    if (document_copy(disk, "DiskId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(disk, "Placement/Zone", ret->zone, sizeof(ret->zone)) < 0)
        return cloud_malformed(cloud, "the disk that was asked for");
    document_words(disk, "DiskState", ret->state_text, sizeof(ret->state_text));
    state = parse_disk_state(ret->state_text, &ret->state);
    ret->size_gib = document_number(disk, "DiskSize", 0);
    ret->multi_attach = document_true(disk, "Shareable");
    ret->encrypted = document_true(disk, "Encrypt");
    if (strlen(ret->id) < sizeof(ret->serial))
        (void)text_copy(ret->serial, sizeof(ret->serial), ret->id);
    r = add_attachment(cloud, document_find(disk, "InstanceId"), state, ret);
    for (item = document_first(disk, "InstanceIdList"); r == 0 && item; item = item->next)
        r = add_attachment(cloud, item, state, ret);
    return r;
}

static int tencent_disk_get(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *item = NULL;
    int r;

    text_buffer_printf(&body, "{\"DiskIds\":[\"%s\"]}", id);
    r = send_action(cloud, "cbs", "DescribeDisks", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "DiskSet", &item);
    if (r < 0)
        return r;
    return item ? parse_disk(cloud, item, ret)
                : cloud_fail(cloud, CLOUD_NOT_FOUND, "disk %s is not known in region %s (request %.40s)", id, cloud->region,
                             document_text(response, "RequestId"));
}

static int change_disk(struct cloud *cloud, const char *action, const char *id, const char *instance, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };

    text_buffer_printf(&body, "{\"DiskIds\":[\"%s\"],\"InstanceId\":\"%s\"}", id, instance);
    return send_change(cloud, "cbs", action, &body, deadline, NULL, 0);
}

static int tencent_disk_attach(struct cloud *cloud, const char *id, const char *instance, const char *device _unused_,
                               struct deadline deadline)
{
    return change_disk(cloud, "AttachDisks", id, instance, deadline);
}

/* InstanceId makes the cloud check the owner. There is no force. */
static int tencent_disk_detach(struct cloud *cloud, const char *id, const char *instance, bool force _unused_,
                               struct deadline deadline)
{
    return change_disk(cloud, "DetachDisks", id, instance, deadline);
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

struct own_interface {
    char id[CLOUD_ID_SIZE];
    char vpc[CLOUD_ID_SIZE];
    char address[48]; /* primary private address: next hop of routes */
};

static const struct document_node *find_primary(const struct document_node *interface)
{
    const struct document_node *item = document_first(interface, "PrivateIpAddressSet");

    while (item && !document_true(item, "Primary"))
        item = item->next;
    return item;
}

static int describe_interfaces(struct cloud *cloud, const char *filter, const char *value, const char *vpc,
                               struct deadline deadline, struct document *document, const struct document_node **ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    const struct document_node *response = NULL;
    int r;

    text_buffer_printf(&body, "{\"Filters\":[");
    put_filter(&body, true, "", filter, value);
    if (vpc && *vpc)
        put_filter(&body, false, "", "vpc-id", vpc);
    text_buffer_printf(&body, "]}");
    r = send_action(cloud, "vpc", "DescribeNetworkInterfaces", &body, false, deadline, document, &response);
    return r < 0 ? r : find_list(cloud, response, "NetworkInterfaceSet", ret);
}

static int find_own_interface(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                              struct deadline deadline, struct own_interface *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r = describe_interfaces(cloud, "attachment.instance-id", self, NULL, deadline, &document, &item);

    if (r < 0)
        return r;
    while (item && (spec->interface ? strcmp(document_text(item, "NetworkInterfaceId"), spec->interface) != 0
                                    : !document_true(item, "Primary")))
        item = item->next;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "no network interface %s of instance %s", spec->interface ? spec->interface : "(primary)", self);
    if (document_copy(item, "NetworkInterfaceId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "VpcId", ret->vpc, sizeof(ret->vpc)) < 0 ||
        document_copy(find_primary(item), "PrivateIpAddress", ret->address, sizeof(ret->address)) < 0)
        return cloud_malformed(cloud, "a network interface");
    return 0;
}

/* The entry of that address among those of the interface, or NULL. */
static const struct document_node *find_address(const struct document_node *interface, const char *address)
{
    const struct document_node *item = document_first(interface, "PrivateIpAddressSet");

    while (item && strcmp(document_text(item, "PrivateIpAddress"), address) != 0)
        item = item->next;
    return item;
}

static int secondary_get(struct cloud *cloud, const char *address, const char *vpc, struct deadline deadline,
                         struct cloud_address *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    const char *state;
    int r;

    if (strchr(address, ':'))
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "IPv6 secondary addresses are not supported on Tencent Cloud");
    r = describe_interfaces(cloud, "address-ip", address, vpc, deadline, &document, &item);
    while (r == 0 && item && !find_address(item, address))
        item = item->next;
    if (r < 0 || !item)
        return r;
    if (document_copy(item, "NetworkInterfaceId", ret->interface, sizeof(ret->interface)) < 0 || !ret->interface[0] ||
        document_copy(item, "Attachment/InstanceId", ret->instance, sizeof(ret->instance)) < 0)
        return cloud_malformed(cloud, "a network interface");
    state = document_text(find_address(item, address), "State");
    ret->assigned = true;
    ret->moving = *state && strcmp(state, "AVAILABLE") != 0;
    return 0;
}

/* A task of VPC: until it has ended. -errno where it has failed, or the deadline came first. */
static int await_task(struct cloud *cloud, const char *task, struct deadline deadline)
{
    uint64_t pause = 0;

    for (;;) {
        _cleanup_text_buffer_ struct text_buffer body = { 0 };
        _cleanup_document_ struct document document = { 0 };
        const struct document_node *response = NULL;
        const char *status;
        int r;

        text_buffer_printf(&body, "{\"TaskId\":\"%s\"}", task);
        r = send_action(cloud, "vpc", "DescribeVpcTaskResult", &body, false, deadline, &document, &response);
        if (r < 0)
            return r;
        status = document_text(response, "Status");
        if (strcmp(status, "SUCCESS") == 0)
            return 0;
        if (strcmp(status, "FAILED") == 0)
            return cloud_fail(cloud, CLOUD_REFUSED, "task %s has failed: %.120s", task, document_text(response, "Output"));
        r = cloud_pause(cloud, deadline, &pause, "a task of the cloud");
        if (r < 0)
            return r;
    }
}

static int send_secondary(struct cloud *cloud, const char *action, const char *interface, const char *address,
                          struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };

    text_buffer_printf(&body, "{\"NetworkInterfaceId\":\"%s\",\"PrivateIpAddresses\":[{\"PrivateIpAddress\":\"%s\"}]}", interface, address);
    return send_change(cloud, "vpc", action, &body, deadline, NULL, 0);
}

/* From an interface to another one there is a move of its own; from nowhere it is an assignment. */
static int secondary_assign(struct cloud *cloud, const char *address, const struct own_interface *own, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    struct cloud_address now = { 0 };
    char task[CLOUD_ID_SIZE];
    int r = secondary_get(cloud, address, own->vpc, deadline, &now);

    if (r < 0 || (now.assigned && strcmp(now.interface, own->id) == 0))
        return r;
    if (!now.assigned)
        return send_secondary(cloud, "AssignPrivateIpAddresses", own->id, address, deadline);
    text_buffer_printf(&body, "{\"SourceNetworkInterfaceId\":\"%s\",\"DestinationNetworkInterfaceId\":\"%s\",\"PrivateIpAddress\":\"%s\"}",
                       now.interface, own->id, address);
    r = send_change(cloud, "vpc", "MigratePrivateIpAddress", &body, deadline, task, sizeof(task));
    return r < 0 ? r : await_task(cloud, task, deadline);
}

static int elastic_get(struct cloud *cloud, const char *address, struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *item = NULL;
    const char *status;
    int r;

    text_buffer_printf(&body, "{\"Filters\":[");
    put_filter(&body, true, "", strncmp(address, "eip-", 4) == 0 ? "address-id" : "address-ip", address);
    text_buffer_printf(&body, "]}");
    r = send_action(cloud, "vpc", "DescribeAddresses", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "AddressSet", &item);
    if (r == 0)
        r = cloud_pick(cloud, item, strncmp(address, "eip-", 4) == 0 ? "AddressId" : "AddressIp", address, &item);
    if (r < 0)
        return r;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "elastic address %s is not known in region %s", address, cloud->region);
    if (document_copy(item, "AddressId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "InstanceId", ret->instance, sizeof(ret->instance)) < 0 ||
        document_copy(item, "NetworkInterfaceId", ret->interface, sizeof(ret->interface)) < 0 ||
        document_copy(item, "PrivateAddressIp", ret->private_address, sizeof(ret->private_address)) < 0)
        return cloud_malformed(cloud, "the address that was asked for");
    status = document_text(item, "AddressStatus");
    ret->assigned = strcmp(status, "BIND") == 0 || strcmp(status, "BIND_ENI") == 0;
    ret->moving = !ret->assigned && strcmp(status, "UNBIND") != 0;
    return 0;
}

static int elastic_unbind(struct cloud *cloud, const char *id, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };

    text_buffer_printf(&body, "{\"AddressId\":\"%s\"}", id);
    return send_change(cloud, "vpc", "DisassociateAddress", &body, deadline, NULL, 0);
}

static int elastic_bind(struct cloud *cloud, const struct cloud_address_spec *spec, const char *id, const char *self,
                        struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    struct own_interface own = { 0 };
    int r = spec->interface || spec->private_address ? find_own_interface(cloud, spec, self, deadline, &own) : 0;

    if (r < 0)
        return r;
    if (own.id[0])
        text_buffer_printf(&body, "{\"AddressId\":\"%s\",\"NetworkInterfaceId\":\"%s\",\"PrivateIpAddress\":\"%s\"}", id, own.id,
                           spec->private_address ? spec->private_address : own.address);
    else
        text_buffer_printf(&body, "{\"AddressId\":\"%s\",\"InstanceId\":\"%s\"}", id, self);
    return send_change(cloud, "vpc", "AssociateAddress", &body, deadline, NULL, 0);
}

/* It must be unbound before it can be bound again. */
static int elastic_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                          struct deadline deadline)
{
    uint64_t pause = 0;

    for (;;) {
        struct cloud_address now = { 0 };
        int r = elastic_get(cloud, spec->address, deadline, &now);

        if (r < 0 || (!now.moving && now.assigned && strcmp(now.instance, self) == 0))
            return r;
        if (!now.moving) {
            r = now.assigned ? elastic_unbind(cloud, now.id, deadline) : elastic_bind(cloud, spec, now.id, self, deadline);
            if (r == 0 && !now.assigned)
                return 0;
            if (r < 0 && cloud->failure.error != CLOUD_WRONG_STATE && cloud->failure.error != CLOUD_CONFLICT)
                return r;
        }
        r = cloud_pause(cloud, deadline, &pause, "the elastic address to become free");
        if (r < 0)
            return r;
    }
}

/* InstanceId is who announced it last, HaVipAssociationSet who may announce it; where that is empty, every instance of the subnet may. Being in the set is
 * what an assign and a release change, and what counts as having it: nobody's last announcement can be taken back. */
static int havip_get(struct cloud *cloud, const char *address, const char *self, struct deadline deadline,
                     struct cloud_address *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *item = NULL, *member;
    int r;

    text_buffer_printf(&body, "{\"Filters\":[");
    put_filter(&body, true, "", strncmp(address, "havip-", 6) == 0 ? "havip-id" : "vip", address);
    text_buffer_printf(&body, "]}");
    r = send_action(cloud, "vpc", "DescribeHaVips", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "HaVipSet", &item);
    if (r == 0)
        r = cloud_pick(cloud, item, strncmp(address, "havip-", 6) == 0 ? "HaVipId" : "Vip", address, &item);
    if (r < 0)
        return r;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "HaVip %s is not known in region %s", address, cloud->region);
    if (document_copy(item, "HaVipId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "InstanceId", ret->instance, sizeof(ret->instance)) < 0 ||
        document_copy(item, "NetworkInterfaceId", ret->interface, sizeof(ret->interface)) < 0)
        return cloud_malformed(cloud, "the HaVip that was asked for");
    ret->assigned = ret->instance[0] != '\0';
    ret->shared = true;
    for (member = document_first(item, "HaVipAssociationSet"); member; member = member->next)
        ret->associated = ret->associated || strcmp(document_text(member, "InstanceId"), self) == 0;
    return 0;
}

static int havip_change(struct cloud *cloud, const char *address, const char *self, bool associate, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    struct cloud_address now = { 0 };
    int r = havip_get(cloud, address, self, deadline, &now);

    if (r < 0 || now.associated == associate)
        return r;
    text_buffer_printf(&body, "{\"HaVipAssociationSet\":[{\"HaVipId\":\"%s\",\"InstanceId\":\"%s\",\"InstanceType\":\"CVM\"}]}", now.id, self);
    return send_change(cloud, "vpc", associate ? "AssociateHaVipInstance" : "DisassociateHaVipInstance", &body, deadline, NULL, 0);
}

/* ---- routes: the next hop is a private address ------------------------------------------------------------------- */

static const struct document_node *find_route(const struct document_node *table, const char *destination)
{
    const struct document_node *route = document_first(table, "RouteSet");

    while (route && strcmp(document_text(route, "DestinationCidrBlock"), destination) != 0)
        route = route->next;
    return route;
}

/* The route of one table: id is its RouteItemId, private_address its next hop, instance that which has this address. */
static int route_entry(struct cloud *cloud, const char *table, const char *destination, struct deadline deadline,
                       struct cloud_address *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *item = NULL, *route;
    struct cloud_address hop = { 0 };
    int r;

    text_buffer_printf(&body, "{\"RouteTableIds\":[\"%s\"]}", table);
    r = send_action(cloud, "vpc", "DescribeRouteTables", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "RouteTableSet", &item);
    if (r < 0)
        return r;
    if (!item || strcmp(document_text(item, "RouteTableId"), table) != 0)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "route table %s is not known in region %s", table, cloud->region);
    route = find_route(item, destination);
    if (!route)
        return 0;
    if (document_copy(route, "RouteItemId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(route, "GatewayId", ret->private_address, sizeof(ret->private_address)) < 0)
        return cloud_malformed(cloud, "a route");
    ret->assigned = true;
    if (strcmp(document_text(route, "GatewayType"), "NORMAL_CVM") != 0)
        return 0;
    r = secondary_get(cloud, ret->private_address, document_text(item, "VpcId"), deadline, &hop);
    (void)text_copy(ret->instance, sizeof(ret->instance), hop.instance);
    (void)text_copy(ret->interface, sizeof(ret->interface), hop.interface);
    return r;
}

static int change_route(struct cloud *cloud, const char *action, const char *table, const struct cloud_address *entry,
                        const char *destination, const char *hop, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };

    text_buffer_printf(&body, "{\"RouteTableId\":\"%s\",\"Routes\":[{", table);
    if (entry->id[0])
        text_buffer_printf(&body, "\"RouteItemId\":\"%s\"%s", entry->id, hop ? "," : "");
    if (hop)
        text_buffer_printf(&body, "\"DestinationCidrBlock\":\"%s\",\"GatewayType\":\"NORMAL_CVM\",\"GatewayId\":\"%s\"", destination, hop);
    text_buffer_printf(&body, "}]}");
    return send_change(cloud, "vpc", action, &body, deadline, NULL, 0);
}

enum route_work { ROUTE_LOOK, ROUTE_TAKE, ROUTE_LEAVE };

static int walk_routes(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, const struct own_interface *own,
                       enum route_work work, struct deadline deadline, struct cloud_address *ret)
{
    const char *cursor = spec->tables, *word;
    size_t length;
    bool first = true;
    int r = 0;

    while (r == 0 && text_next_word(&cursor, " ,\t", &word, &length)) {
        _cleanup_free_ char *table = strndup(word, length);
        struct cloud_address one = { 0 };
        bool mine;

        if (!table)
            return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
        r = route_entry(cloud, table, spec->address, deadline, &one);
        if (r < 0)
            return r;
        mine = one.assigned && strcmp(one.instance, self) == 0;
        if (work == ROUTE_LOOK)
            cloud_merge_route(&one, self, first, ret);
        else if (work == ROUTE_TAKE && !mine)
            r = change_route(cloud, one.assigned ? "ReplaceRoutes" : "CreateRoutes", table, &one, spec->address, own->address, deadline);
        else if (work == ROUTE_LEAVE && mine)
            r = change_route(cloud, "DeleteRoutes", table, &one, spec->address, NULL, deadline);
        first = false;
    }
    return r;
}

static int tencent_address_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                               struct deadline deadline, struct cloud_address *ret)
{
    struct own_interface own = { 0 };
    int r;

    switch (spec->kind) {
    case CLOUD_ADDRESS_SECONDARY:
        r = find_own_interface(cloud, spec, self, deadline, &own);
        return r < 0 ? r : secondary_get(cloud, spec->address, own.vpc, deadline, ret);
    case CLOUD_ADDRESS_ELASTIC:
        return elastic_get(cloud, spec->address, deadline, ret);
    case CLOUD_ADDRESS_HAVIP:
        return havip_get(cloud, spec->address, self, deadline, ret);
    default:
        return walk_routes(cloud, spec, self, NULL, ROUTE_LOOK, deadline, ret);
    }
}

static int tencent_address_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                                  struct deadline deadline)
{
    struct own_interface own = { 0 };
    int r;

    if (spec->kind == CLOUD_ADDRESS_ELASTIC)
        return elastic_assign(cloud, spec, self, deadline);
    if (spec->kind == CLOUD_ADDRESS_HAVIP)
        return havip_change(cloud, spec->address, self, true, deadline);
    r = find_own_interface(cloud, spec, self, deadline, &own);
    if (r < 0)
        return r;
    return spec->kind == CLOUD_ADDRESS_SECONDARY ? secondary_assign(cloud, spec->address, &own, deadline)
                                                 : walk_routes(cloud, spec, self, &own, ROUTE_TAKE, deadline, NULL);
}

static int tencent_address_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                                   struct deadline deadline)
{
    struct own_interface own = { 0 };
    struct cloud_address now = { 0 };
    int r;

    if (spec->kind == CLOUD_ADDRESS_HAVIP)
        return havip_change(cloud, spec->address, self, false, deadline);
    if (spec->kind == CLOUD_ADDRESS_ROUTE)
        return walk_routes(cloud, spec, self, NULL, ROUTE_LEAVE, deadline, NULL);
    if (spec->kind == CLOUD_ADDRESS_ELASTIC) {
        r = elastic_get(cloud, spec->address, deadline, &now);
        return r < 0 || !now.assigned || strcmp(now.instance, self) != 0 ? r : elastic_unbind(cloud, now.id, deadline);
    }
    r = find_own_interface(cloud, spec, self, deadline, &own);
    if (r == 0)
        r = secondary_get(cloud, spec->address, own.vpc, deadline, &now);
    if (r < 0 || !now.assigned || strcmp(now.instance, self) != 0)
        return r;
    return send_secondary(cloud, "UnassignPrivateIpAddresses", now.interface, spec->address, deadline);
}

/* ---- balancers: one thing at a time, each a task ----------------------------------------------------------------- */

/* "lb-x/lbl-y" or "lb-x/lbl-y/loc-z" */
struct group {
    char balancer[64];
    char listener[64];
    char location[64];
};

static int parse_group(struct cloud *cloud, const char *text, struct group *ret)
{
    char *const parts[] = { ret->balancer, ret->listener, ret->location };
    const char *cursor = text, *word;
    size_t length, count = 0;

    *ret = (struct group){ .balancer = "" };
    while (text_next_word(&cursor, "/", &word, &length)) {
        if (count == ARRAY_SIZE(parts) || length >= sizeof(ret->balancer) ||
            text_format(parts[count], sizeof(ret->balancer), "%.*s", (int)length, word) < 0)
            count = ARRAY_SIZE(parts);
        count++;
    }
    if (count < 2 || count > ARRAY_SIZE(parts))
        return cloud_fail(cloud, CLOUD_INVALID, "group '%.60s' is none of lb-.../lbl-..., lb-.../lbl-.../loc-...", text);
    return 0;
}

static int await_balancer(struct cloud *cloud, const char *task, struct deadline deadline)
{
    uint64_t pause = 0;

    for (;;) {
        _cleanup_text_buffer_ struct text_buffer body = { 0 };
        _cleanup_document_ struct document document = { 0 };
        const struct document_node *response = NULL;
        uint64_t status;
        int r;

        text_buffer_printf(&body, "{\"TaskId\":\"%s\"}", task);
        r = send_action(cloud, "clb", "DescribeTaskStatus", &body, false, deadline, &document, &response);
        if (r < 0)
            return r;
        status = document_number(response, "Status", UINT64_MAX);
        if (status == 0)
            return 0;
        if (status == 1)
            return cloud_fail(cloud, CLOUD_REFUSED, "task %s of the balancer has failed", task);
        r = cloud_pause(cloud, deadline, &pause, "the balancer");
        if (r < 0)
            return r;
    }
}

/* weight -1: none is sent. */
static int change_target(struct cloud *cloud, const char *action, const struct cloud_target *target, int64_t weight,
                         struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    char task[CLOUD_ID_SIZE];
    struct group group;
    int r = parse_group(cloud, target->group, &group);

    if (r < 0)
        return r;
    text_buffer_printf(&body, "{\"LoadBalancerId\":\"%s\",\"ListenerId\":\"%s\",", group.balancer, group.listener);
    if (group.location[0])
        text_buffer_printf(&body, "\"LocationId\":\"%s\",", group.location);
    text_buffer_printf(&body, "\"Targets\":[{\"%s\":\"%s\",\"Port\":%u", target->instance ? "InstanceId" : "EniIp",
                       target->instance ? target->instance : target->address, target->port);
    if (weight >= 0)
        text_buffer_printf(&body, ",\"Weight\":%" PRId64, weight);
    text_buffer_printf(&body, "}]}");
    r = send_change(cloud, "clb", action, &body, deadline, task, sizeof(task));
    return r < 0 ? r : await_balancer(cloud, task, deadline);
}

static bool list_has(const struct document_node *list, const char *text)
{
    const struct document_node *item = list ? list->child : NULL;

    while (item && !text_equal(item->text, text))
        item = item->next;
    return item != NULL;
}

static bool is_target(const struct document_node *item, const struct cloud_target *target)
{
    const char *id = *document_text(item, "InstanceId") ? document_text(item, "InstanceId") : document_text(item, "TargetId");

    if (target->port > 0 && document_number(item, "Port", 0) != target->port)
        return false;
    if (target->instance)
        return strcmp(id, target->instance) == 0;
    return strcmp(document_text(item, "IP"), target->address) == 0 || strcmp(id, target->address) == 0 ||
           list_has(document_find(item, "PrivateIpAddresses"), target->address);
}

/* The target's row among a listener's own (layer 4) or those of the location, or NULL. */
static const struct document_node *find_target(const struct document_node *listener, const struct group *group,
                                               const struct cloud_target *target)
{
    const struct document_node *rule = document_first(listener, "Rules"), *item = document_first(listener, "Targets");

    while (item && !is_target(item, target))
        item = item->next;
    for (; !item && rule; rule = rule->next) {
        if (group->location[0] && strcmp(document_text(rule, "LocationId"), group->location) != 0)
            continue;
        item = document_first(rule, "Targets");
        while (item && !is_target(item, target))
            item = item->next;
    }
    return item;
}

static const struct document_node *find_listener(const struct document_node *listeners, const char *id)
{
    while (listeners && strcmp(document_text(listeners, "ListenerId"), id) != 0)
        listeners = listeners->next;
    return listeners;
}

static int read_health(struct cloud *cloud, const struct group *group, const struct cloud_target *target, struct deadline deadline,
                       struct cloud_target_state *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *balancer = NULL, *row;
    int r;

    text_buffer_printf(&body, "{\"LoadBalancerIds\":[\"%s\"]}", group->balancer);
    r = send_action(cloud, "clb", "DescribeTargetHealth", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "LoadBalancers", &balancer);
    if (r < 0)
        return r;
    row = find_target(find_listener(document_first(balancer, "Listeners"), group->listener), group, target);
    if (!row)
        return 0;
    document_words(row, "HealthStatusDetail", ret->text, sizeof(ret->text));
    if (document_true(row, "HealthStatus"))
        ret->health = CLOUD_TARGET_HEALTHY;
    else if (strcasecmp(ret->text, "Dead") == 0)
        ret->health = CLOUD_TARGET_UNHEALTHY;
    else
        ret->health = strcasecmp(ret->text, "Close") == 0 ? CLOUD_TARGET_UNCHECKED : CLOUD_TARGET_INITIAL;
    return 0;
}

static int tencent_target_get(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                              struct cloud_target_state *ret)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *response = NULL, *listener = NULL, *row;
    struct group group;
    int r = parse_group(cloud, target->group, &group);

    if (r < 0)
        return r;
    text_buffer_printf(&body, "{\"LoadBalancerId\":\"%s\",\"ListenerIds\":[\"%s\"]}", group.balancer, group.listener);
    r = send_action(cloud, "clb", "DescribeTargets", &body, false, deadline, &document, &response);
    if (r == 0)
        r = find_list(cloud, response, "Listeners", &listener);
    if (r < 0)
        return r;
    listener = find_listener(listener, group.listener);
    if (!listener)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "balancer %s has no listener %s", group.balancer, group.listener);
    row = find_target(listener, &group, target);
    ret->health = row ? CLOUD_TARGET_UNKNOWN : CLOUD_TARGET_ABSENT;
    if (!row)
        return 0;
    ret->weight = (unsigned int)document_number(row, "Weight", 10);
    if (ret->weight == 0) {
        ret->health = CLOUD_TARGET_DRAINING;
        return text_copy(ret->text, sizeof(ret->text), "weight 0") < 0 ? -EINVAL : 0;
    }
    return cloud_not_the_thing(cloud, read_health(cloud, &group, target, deadline, ret));
}

/* Registering one that is there sets its weight. */
static int tencent_target_register(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    struct cloud_target_state state = { 0 };
    int64_t weight = target->weight > 0 ? target->weight : 10;
    int r = tencent_target_get(cloud, target, deadline, &state);

    if (r < 0)
        return r;
    return change_target(cloud, state.health == CLOUD_TARGET_ABSENT ? "RegisterTargets" : "ModifyTargetWeight", target, weight, deadline);
}

static int tencent_target_drain(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    return change_target(cloud, "ModifyTargetWeight", target, 0, deadline);
}

static int tencent_target_deregister(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    struct cloud_target_state state = { 0 };
    int r = tencent_target_get(cloud, target, deadline, &state);

    /* One that is not there is an error here. */
    return r < 0 || state.health == CLOUD_TARGET_ABSENT ? r : change_target(cloud, "DeregisterTargets", target, -1, deadline);
}

const struct cloud_provider cloud_tencent = {
    .name = "tencent",
    .metadata = "http://metadata.tencentyun.com",
    .dmi_words = (const char *const[]){ "tencent", NULL },
    .services = services,
    .formats = formats,
    .host = tencent_host,
    .sign = tencent_sign,
    .read_error = tencent_read_error,
    .classify = tencent_classify,
    .self = tencent_self,
    .role_keys = tencent_role_keys,
    .address_in_metadata = tencent_address_in_metadata,
    .check = tencent_check,
    .instance_get = tencent_instance_get,
    .instance_list = tencent_instance_list,
    .instance_power = tencent_instance_power,
    .disk_get = tencent_disk_get,
    .disk_attach = tencent_disk_attach,
    .disk_detach = tencent_disk_detach,
    .address_get = tencent_address_get,
    .address_assign = tencent_address_assign,
    .address_release = tencent_address_release,
    .target_get = tencent_target_get,
    .target_register = tencent_target_register,
    .target_drain = tencent_target_drain,
    .target_deregister = tencent_target_deregister,
};
