/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Aliyun (Alibaba Cloud): ECS 2014-05-26, VPC 2016-04-28, SLB 2014-05-15, ALB 2020-06-16, NLB 2022-04-30 by the RPC protocol; signature V3
 * (ACS3-HMAC-SHA256), or V1 (HMAC-SHA1). API references at help.aliyun.com.
 */
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cloud/cloud_provider.h"
#include "cloud/digest.h"
#include "cloud/error_rules.h"
#include "cloud/signing.h"

#define TOKEN_HEADER "X-aliyun-ecs-metadata-token"

static const struct cloud_service services[] = {
    { "ecs", "ecs", "2014-05-26" }, { "vpc", "vpc", "2016-04-28" }, { "slb", "slb", "2014-05-15" },
    { "alb", "alb", "2020-06-16" }, { "nlb", "nlb", "2022-04-30" }, {},
};

static const struct credential_format formats[] = {
    { .json = true, .section = "default", .profiles = "profiles", .current = "current", .access = "access_key_id",
      .secret = "access_key_secret", .token = "sts_token" },
    { .section = "default", .access = "access_key_id", .secret = "access_key_secret", .token = "security_token" },
    {},
};

/* By the code, whatever the status: the products do not agree about that (ECS client error codes; the lists of retryable codes in the vendor's tools). */
static const struct error_rule rules[] = {
    { "Throttling*", NULL, CLOUD_THROTTLED },
    { "*.Throttling", NULL, CLOUD_THROTTLED },
    { "QpsLimitExceeded", NULL, CLOUD_THROTTLED },
    { "InvalidTimeStamp*", NULL, CLOUD_CLOCK },
    { "IllegalTimestamp", NULL, CLOUD_CLOCK },
    { "SignatureNonceUsed", NULL, CLOUD_CONFLICT }, /* made anew for the next attempt */
    { "InvalidAccessKeyId*", NULL, CLOUD_AUTH },
    { "InvalidAccessKeySecret*", NULL, CLOUD_AUTH },
    { "InvalidSecurityToken*", NULL, CLOUD_AUTH },
    { "SignatureDoesNotMatch", NULL, CLOUD_AUTH },
    { "IncompleteSignature", NULL, CLOUD_AUTH },
    { "InvalidCredentials*", NULL, CLOUD_AUTH },
    { "Inactive", NULL, CLOUD_AUTH },
    { "LastTokenProcessing", NULL, CLOUD_CONFLICT },
    { "OperationConflict", NULL, CLOUD_CONFLICT },
    { "Operation.Conflict", NULL, CLOUD_CONFLICT },
    { "TaskConflict", NULL, CLOUD_CONFLICT },
    { "SystemBusy", NULL, CLOUD_CONFLICT },
    { "ResourceInConfiguring*", NULL, CLOUD_CONFLICT },
    { "IncorrectStatus.*", NULL, CLOUD_CONFLICT },
    { "BackendServer.configuring", NULL, CLOUD_CONFLICT },
    { "ServiceIsConfiguring", NULL, CLOUD_CONFLICT },
    { "InvalidDisk.AlreadyDetached", NULL, CLOUD_ALREADY },
    { "DependencyViolation.InstanceNotAttached", NULL, CLOUD_ALREADY },
    { "InvalidOperation.InvalidDiskStatus*", NULL, CLOUD_WRONG_STATE },
    { "IncorrectDiskStatus*", NULL, CLOUD_WRONG_STATE },
    { "InvalidDiskStatus*", NULL, CLOUD_WRONG_STATE },
    { "DiskId.StatusNotSupported", NULL, CLOUD_WRONG_STATE },
    { "DiskError", NULL, CLOUD_WRONG_STATE },
    { "IncorrectInstanceStatus*", NULL, CLOUD_WRONG_STATE },
    { "InvalidInstance.NotRunning", NULL, CLOUD_WRONG_STATE },
    { "IncorrectEipStatus", NULL, CLOUD_WRONG_STATE },
    { "IncorrectHaVipStatus", NULL, CLOUD_WRONG_STATE },
    { "InvalidStatus.*", NULL, CLOUD_WRONG_STATE },
    { "InvalidDisk.InUse", NULL, CLOUD_IN_USE },
    { "InvalidIp.IpAssigned", NULL, CLOUD_IN_USE },
    { "InvalidIp.IpUnassigned", NULL, CLOUD_ALREADY },
    { "InvalidDevice.InUse", NULL, CLOUD_DEVICE_NAME },
    { "ResourcesNotInSameZone", NULL, CLOUD_WRONG_ZONE },
    { "*ZoneMismatch", NULL, CLOUD_WRONG_ZONE },
    { "InstanceDiskLimitExceeded", NULL, CLOUD_QUOTA },
    { "*LimitExceeded", NULL, CLOUD_QUOTA },
    { "QuotaExceeded*", NULL, CLOUD_QUOTA },
    { "OperationDenied.NoStock", NULL, CLOUD_QUOTA },
    { "Forbidden*", NULL, CLOUD_PERMISSION },
    { "NoPermission", NULL, CLOUD_PERMISSION },
    { "UserNotInTheWhiteList", NULL, CLOUD_PERMISSION },
    { "InstanceExpiredOrInArrears", NULL, CLOUD_PERMISSION },
    { "InstanceLockedForSecurity", NULL, CLOUD_PERMISSION },
    { "InvalidRegion*", NULL, CLOUD_INVALID },
    { "InvalidAction*", NULL, CLOUD_INVALID },
    { "InvalidApi*", NULL, CLOUD_INVALID }, /* the gateway's word on the call, not on the thing: "Specified api is not found" */
    { "*.NotFound", NULL, CLOUD_NOT_FOUND },
    { "ResourceNotFound*", NULL, CLOUD_NOT_FOUND },
    { "ServiceUnavailable*", NULL, CLOUD_TRANSIENT },
    { "InternalError*", NULL, CLOUD_TRANSIENT },
    { "UnknownError", NULL, CLOUD_TRANSIENT },
    { "Invalid*", NULL, CLOUD_INVALID },
    { "Missing*", NULL, CLOUD_INVALID },
    { "UnsupportedParameter", NULL, CLOUD_INVALID },
    {},
};

static int aliyun_host(const struct cloud *cloud, const struct cloud_service *service, char *buffer, size_t size)
{
    return text_format(buffer, size, "%s.%s.aliyuncs.com", service->host, cloud->region);
}

static int format_time(int64_t seconds, char date[24])
{
    time_t now = (time_t)seconds;
    struct tm utc;

    return gmtime_r(&now, &utc) && strftime(date, 24, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0 ? 0 : -EINVAL;
}

static int sign_v3(const struct api_call *call, const struct credentials *keys, const char *date, const char *nonce,
                   struct api_message *message)
{
    _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
    struct signing_request request = { .method = call->method, .body = "" };
    char hash[DIGEST_HEX_SIZE];
    int r = digest_sha256_hex("", 0, hash);

    if (r < 0)
        return r;
    if (call->parameters) {
        parameters_sort(call->parameters);
        parameters_encode(call->parameters, &message->query);
    }
    parameters_add(&message->headers, "x-acs-action", "%s", call->action);
    parameters_add(&message->headers, "x-acs-version", "%s", message->service->version);
    parameters_add(&message->headers, "x-acs-date", "%s", date);
    parameters_add(&message->headers, "x-acs-signature-nonce", "%s", nonce);
    parameters_add(&message->headers, "x-acs-content-sha256", "%s", hash);
    if (keys->token[0])
        parameters_add(&message->headers, "x-acs-security-token", "%s", keys->token);
    if (message->headers.failed || message->query.failed || message->path.failed)
        return -ENOMEM;
    request.path = message->path.text;
    request.query = message->query.length > 0 ? message->query.text : "";
    request.headers = &message->headers;
    r = sign_aliyun_v3(&request, &(struct signing_keys){ keys->access, keys->secret }, NULL, &authorization);
    if (r == 0)
        parameters_add(&message->headers, "Authorization", "%s", authorization.text);
    return r;
}

/* The older way, for products and private regions that do not know V3: all is in the query. */
static int sign_v1(const struct api_call *call, const struct credentials *keys, const char *date, const char *nonce,
                   struct api_message *message)
{
    _cleanup_parameters_ struct parameters all = { 0 };
    char signature[64];
    int r;

    for (size_t i = 0; call->parameters && i < call->parameters->count; i++)
        parameters_add(&all, call->parameters->items[i].name, "%s", call->parameters->items[i].value);
    parameters_add(&all, "Action", "%s", call->action);
    parameters_add(&all, "Version", "%s", message->service->version);
    parameters_add(&all, "Format", "JSON");
    parameters_add(&all, "AccessKeyId", "%s", keys->access);
    parameters_add(&all, "SignatureMethod", "HMAC-SHA1");
    parameters_add(&all, "SignatureVersion", "1.0");
    parameters_add(&all, "SignatureNonce", "%s", nonce);
    parameters_add(&all, "Timestamp", "%s", date);
    if (keys->token[0])
        parameters_add(&all, "SecurityToken", "%s", keys->token);
    if (all.failed)
        return -ENOMEM;
    r = sign_aliyun_v1(call->method, &all, &(struct signing_keys){ keys->access, keys->secret }, signature);
    parameters_add(&all, "Signature", "%s", signature);
    parameters_encode(&all, &message->query);
    return r == 0 && all.failed ? -ENOMEM : r;
}

static int aliyun_sign(struct cloud *cloud, const struct api_call *call, const struct credentials *keys,
                       struct api_message *message)
{
    char date[24], nonce[33];
    int r = format_time(message->now, date);

    if (r == 0)
        r = digest_nonce(nonce);
    if (r < 0)
        return r;
    return text_equal(cloud->config.signature, "v1") ? sign_v1(call, keys, date, nonce, message)
                                                     : sign_v3(call, keys, date, nonce, message);
}

static bool aliyun_read_error(const struct document_node *root, struct api_error *error)
{
    /* Successful answers have a RequestId and no Code; ALB answers {"Code":"Success"} to some. */
    if (!*document_text(root, "Code") || (error->status < 300 && strcasecmp(document_text(root, "Code"), "success") == 0))
        return false;
    document_words(root, "Code", error->code, sizeof(error->code));
    document_words(root, "Message", error->words, sizeof(error->words));
    document_words(root, "RequestId", error->request_id, sizeof(error->request_id));
    return true;
}

static enum cloud_error aliyun_classify(const struct api_error *error)
{
    return error_rules_apply(rules, error);
}

/* Adds the region, and sends. Every answer has a RequestId. */
static int send_action(struct cloud *cloud, const char *service, const char *action, struct parameters *parameters,
                       bool changes, struct deadline deadline, struct document *ret)
{
    const struct api_call call = { .service = service, .action = action, .method = "POST", .parameters = parameters, .changes = changes };
    int r;

    parameters_add(parameters, "RegionId", "%s", cloud->region);
    if (parameters->failed)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    r = api_call_send(cloud, &call, deadline, ret);
    if (r < 0 || (ret->root && *document_text(ret->root, "RequestId")))
        return r;
    r = cloud_malformed(cloud, action);
    cloud->failure.maybe_done = changes;
    return r;
}

static int send_change(struct cloud *cloud, const char *service, const char *action, struct parameters *parameters,
                       struct deadline deadline)
{
    _cleanup_document_ struct document document = { 0 };

    return send_action(cloud, service, action, parameters, true, deadline, &document);
}

/* The same request, sent again or delivered twice, does nothing more. */
static void add_client_token(struct parameters *parameters)
{
    char token[33];

    if (digest_nonce(token) == 0)
        parameters_add(parameters, "ClientToken", "%s", token);
}

/* The list at the path; -errno where the answer has none: then it does not say "there is none". */
static int find_list(struct cloud *cloud, const struct document *document, const char *path,
                     const struct document_node **ret)
{
    const struct document_node *list = document_find(document->root, path);

    if (!list || !list->list)
        return cloud_malformed(cloud, path);
    *ret = list->child;
    return 0;
}

/* ---- metadata service ------------------------------------------------------------------------------------------- */

static int get_token(struct cloud *cloud, struct deadline deadline)
{
    return metadata_token(cloud, "/latest/api/token", TOKEN_HEADER "-ttl-seconds", true, deadline);
}

static int aliyun_self(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret)
{
    _cleanup_document_ struct document document = { 0 };
    int r = get_token(cloud, deadline);

    if (r == 0)
        r = metadata_get_json(cloud, "/latest/dynamic/instance-identity/document", TOKEN_HEADER, deadline, &document);
    if (r < 0)
        return r;
    if (document_copy(document.root, "instance-id", ret->instance, sizeof(ret->instance)) < 0 ||
        strncmp(ret->instance, "i-", 2) != 0 || document_copy(document.root, "zone-id", ret->zone, sizeof(ret->zone)) < 0 ||
        !ret->zone[0] || document_copy(document.root, "region-id", ret->region, sizeof(ret->region)) < 0)
        return cloud_malformed(cloud, "the instance's identity");
    return 0;
}

static int find_role(struct cloud *cloud, struct deadline deadline, char *role, size_t size)
{
    if (cloud->config.role)
        return text_copy(role, size, cloud->config.role) < 0 ? cloud_malformed(cloud, "a role") : 0;
    return metadata_get_word(cloud, "/latest/meta-data/ram/security-credentials/", TOKEN_HEADER, deadline, role, size);
}

static int aliyun_role_keys(struct cloud *cloud, struct deadline deadline, struct credentials *ret)
{
    _cleanup_document_ struct document document = { 0 };
    char role[CLOUD_ID_SIZE], path[256];
    int r = get_token(cloud, deadline);

    if (r == 0)
        r = find_role(cloud, deadline, role, sizeof(role));
    if (r == 0 && text_format(path, sizeof(path), "/latest/meta-data/ram/security-credentials/%s", role) < 0)
        r = cloud_malformed(cloud, "the name of a role");
    if (r == 0)
        r = metadata_get_json(cloud, path, TOKEN_HEADER, deadline, &document);
    if (r < 0 && cloud->failure.error == CLOUD_NOT_FOUND)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "this instance has no RAM role: attach one, or set credentials");
    if (r < 0)
        return r;
    if (credentials_set(ret, document_text(document.root, "AccessKeyId"), document_text(document.root, "AccessKeySecret"),
                        document_text(document.root, "SecurityToken"),
                        document_parse_time(document_text(document.root, "Expiration"), 0)) < 0)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "the metadata service gives no usable keys for role %s", role);
    return 0;
}

/* "[\"10.0.0.1\",\"10.0.0.2\"]". The JSON reader wants no bare list of ours to be special: an array is a root as well. */
static int interface_has(struct cloud *cloud, const char *mac, const char *address, struct deadline deadline)
{
    _cleanup_document_ struct document document = { 0 };
    char path[256];
    int r;

    if (text_format(path, sizeof(path), "/latest/meta-data/network/interfaces/macs/%s/private-ipv4s", mac) < 0)
        return cloud_malformed(cloud, "a MAC address");
    r = metadata_get_json(cloud, path, TOKEN_HEADER, deadline, &document);
    if (r < 0)
        return r;
    for (const struct document_node *item = document.root->child; item; item = item->next)
        if (text_equal(item->text, address))
            return 1;
    return 0;
}

static int is_interface(struct cloud *cloud, const char *mac, const char *interface, struct deadline deadline)
{
    char path[256], id[CLOUD_ID_SIZE];
    int r;

    if (text_format(path, sizeof(path), "/latest/meta-data/network/interfaces/macs/%s/network-interface-id", mac) < 0)
        return cloud_malformed(cloud, "a MAC address");
    r = metadata_get_word(cloud, path, TOKEN_HEADER, deadline, id, sizeof(id));
    return r < 0 ? r : strcmp(id, interface) == 0;
}

static int aliyun_address_in_metadata(struct cloud *cloud, const struct cloud_address_spec *spec, struct deadline deadline)
{
    _cleanup_free_ char *macs = NULL;
    const char *cursor, *word;
    size_t length;
    int r;

    if (spec->kind != CLOUD_ADDRESS_SECONDARY || strchr(spec->address, ':'))
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "the metadata service does not tell of %s", spec->address);
    r = get_token(cloud, deadline);
    if (r == 0)
        r = metadata_get(cloud, "/latest/meta-data/network/interfaces/macs/", TOKEN_HEADER, deadline, &macs);
    if (r < 0)
        return r;
    cursor = macs;
    while (text_next_word(&cursor, "/\r\n", &word, &length)) {
        _cleanup_free_ char *mac = strndup(word, length);

        if (!cloud_id_valid(mac))
            return cloud_malformed(cloud, "a MAC address");
        r = spec->interface ? is_interface(cloud, mac, spec->interface, deadline) : 1;
        if (r > 0)
            r = interface_has(cloud, mac, spec->address, deadline);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- instances -------------------------------------------------------------------------------------------------- */

static enum cloud_power parse_power(const char *state)
{
    if (strcmp(state, "Running") == 0)
        return CLOUD_POWER_RUNNING;
    if (strcmp(state, "Stopped") == 0)
        return CLOUD_POWER_STOPPED;
    if (strcmp(state, "Starting") == 0 || strcmp(state, "Pending") == 0)
        return CLOUD_POWER_STARTING;
    return strcmp(state, "Stopping") == 0 ? CLOUD_POWER_STOPPING : CLOUD_POWER_UNKNOWN;
}

static const struct document_node *primary_interface(const struct document_node *node)
{
    const struct document_node *item = document_first(node, "NetworkInterfaces/NetworkInterface");

    while (item && strcmp(document_text(item, "Type"), "Primary") != 0)
        item = item->next;
    return item;
}

static void find_tag(const struct document_node *node, const char *key, char *buffer, size_t size)
{
    const struct document_node *item = document_first(node, "Tags/Tag");

    for (; key && item; item = item->next)
        if (strcmp(document_text(item, "TagKey"), key) == 0)
            document_words(item, "TagValue", buffer, size);
}

static int parse_instance(struct cloud *cloud, const struct document_node *node, const struct document_node *root,
                          const char *tag, struct cloud_instance *ret)
{
    const struct document_node *address = document_first(node, "VpcAttributes/PrivateIpAddress/IpAddress");

    *ret = (struct cloud_instance){ 0 };
    if (document_copy(node, "InstanceId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(node, "ZoneId", ret->zone, sizeof(ret->zone)) < 0 ||
        document_copy(address, "", ret->address, sizeof(ret->address)) < 0 ||
        document_copy(primary_interface(node), "NetworkInterfaceId", ret->interface, sizeof(ret->interface)) < 0)
        return cloud_malformed(cloud, "an instance");
    document_words(node, "Status", ret->state, sizeof(ret->state));
    ret->power = parse_power(ret->state);
    document_words(node, "InstanceName", ret->name, sizeof(ret->name));
    find_tag(node, tag, ret->tag, sizeof(ret->tag));
    (void)text_format(ret->evidence, sizeof(ret->evidence), "Status=%s StoppedMode=%.20s RequestId=%.40s", ret->state,
                      document_text(node, "StoppedMode"), document_text(root, "RequestId"));
    (void)text_make_printable(ret->evidence);
    return 0;
}

static int aliyun_instance_get(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                               struct cloud_instance *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r;

    parameters_add(&parameters, "InstanceIds", "[\"%s\"]", id);
    r = send_action(cloud, "ecs", "DescribeInstances", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "Instances/Instance", &item);
    if (r < 0)
        return r;
    /* An unknown id is an empty list here, and no error. */
    return item ? parse_instance(cloud, item, document.root, tag, ret)
                : cloud_fail(cloud, CLOUD_NOT_FOUND, "instance %s is not known in region %s (request %.40s)", id, cloud->region,
                             document_text(document.root, "RequestId"));
}

static int list_page(struct cloud *cloud, const struct cloud_instance_filter *filter, const char *next,
                     struct deadline deadline, struct document *document, struct cloud_instance_list *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    const struct document_node *item = NULL;
    int r;

    parameters_add(&parameters, "MaxResults", "100");
    if (next)
        parameters_add(&parameters, "NextToken", "%s", next);
    if (filter->name)
        parameters_add(&parameters, "InstanceName", "%s", filter->name);
    if (filter->tag && filter->tag_value) {
        parameters_add(&parameters, "Tag.1.Key", "%s", filter->tag);
        parameters_add(&parameters, "Tag.1.Value", "%s", filter->tag_value);
    }
    r = send_action(cloud, "ecs", "DescribeInstances", &parameters, false, deadline, document);
    if (r == 0)
        r = find_list(cloud, document, "Instances/Instance", &item);
    for (; r == 0 && item; item = item->next) {
        struct cloud_instance instance;

        r = parse_instance(cloud, item, document->root, filter->tag, &instance);
        if (r == 0)
            r = cloud_list_add(cloud, ret, &instance);
    }
    return r;
}

static int aliyun_instance_list(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                                struct cloud_instance_list *ret)
{
    _cleanup_free_ char *next = NULL;

    do {
        _cleanup_document_ struct document document = { 0 };
        int r = list_page(cloud, filter, next, deadline, &document, ret);

        if (r < 0)
            return r;
        free(next);
        next = NULL;
        if (*document_text(document.root, "NextToken")) {
            next = strdup(document_text(document.root, "NextToken"));
            if (!next)
                return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
        }
    } while (next);
    return 0;
}

/* KeepCharging: the economical mode gives the machine's place away, and the start then finds none. */
static int aliyun_instance_power(struct cloud *cloud, const char *id, enum cloud_power_action action, bool dry_run,
                                 struct deadline deadline)
{
    static const char *const actions[] = { [CLOUD_POWER_OFF] = "StopInstance", [CLOUD_POWER_ON] = "StartInstance",
                                           [CLOUD_POWER_REBOOT] = "RebootInstance" };
    _cleanup_parameters_ struct parameters parameters = { 0 };
    int r;

    parameters_add(&parameters, "InstanceId", "%s", id);
    if (action != CLOUD_POWER_ON)
        parameters_add(&parameters, "ForceStop", "true");
    if (action == CLOUD_POWER_OFF) {
        parameters_add(&parameters, "ConfirmStop", "true");
        parameters_add(&parameters, "StoppedMode", "KeepCharging");
    }
    if (dry_run)
        parameters_add(&parameters, "DryRun", "true");
    r = send_change(cloud, "ecs", actions[action], &parameters, deadline);
    if (!dry_run)
        return r;
    if (r < 0)
        return strcmp(cloud->failure.code, "DryRunOperation") == 0 ? 0 : r;
    return cloud_malformed(cloud, "the answer to a dry run");
}

static int aliyun_check(struct cloud *cloud, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };

    parameters_add(&parameters, "PageSize", "1");
    return send_action(cloud, "ecs", "DescribeInstances", &parameters, false, deadline, &document);
}

/* ---- disks ------------------------------------------------------------------------------------------------------ */

static enum cloud_disk_state parse_disk_state(const char *state)
{
    if (strcmp(state, "In_use") == 0 || strcmp(state, "Attaching") == 0 || strcmp(state, "Detaching") == 0)
        return CLOUD_DISK_IN_USE;
    if (strcmp(state, "Available") == 0)
        return CLOUD_DISK_AVAILABLE;
    if (strcmp(state, "Creating") == 0 || strcmp(state, "ReIniting") == 0)
        return CLOUD_DISK_CREATING;
    return strcmp(state, "Error") == 0 ? CLOUD_DISK_ERROR : CLOUD_DISK_UNKNOWN;
}

static int add_attachment(struct cloud *cloud, const struct document_node *item, const char *state, struct cloud_disk *ret)
{
    struct cloud_attachment *attachment = &ret->attachments[ret->attachment_count];

    if (ret->attachment_count >= CLOUD_ATTACHMENTS ||
        document_copy(item, "InstanceId", attachment->instance, sizeof(attachment->instance)) < 0 ||
        !attachment->instance[0] || document_copy(item, "Device", attachment->device, sizeof(attachment->device)) < 0)
        return cloud_malformed(cloud, "an attachment");
    attachment->state = strcmp(state, "In_use") == 0     ? CLOUD_ATTACHED
                        : strcmp(state, "Attaching") == 0 ? CLOUD_ATTACHING
                        : strcmp(state, "Detaching") == 0 ? CLOUD_DETACHING
                                                          : CLOUD_ATTACHMENT_UNKNOWN;
    attachment->since = document_parse_time(document_text(item, "AttachedTime"), 0);
    ret->attachment_count++;
    return 0;
}

/* Attachments is the list of today, MountInstances that of multi-attach disks before it; older answers name one instance. */
static int parse_attachments(struct cloud *cloud, const struct document_node *disk, struct cloud_disk *ret)
{
    const char *state = document_text(disk, "Status");
    const struct document_node *item = document_first(disk, "Attachments/Attachment");
    int r = 0;

    if (!item)
        item = document_first(disk, "MountInstances/MountInstance");
    for (; item && r == 0; item = item->next)
        r = add_attachment(cloud, item, state, ret);
    if (r == 0 && ret->attachment_count == 0 && *document_text(disk, "InstanceId"))
        r = add_attachment(cloud, disk, state, ret);
    return r;
}

static int parse_disk(struct cloud *cloud, const struct document_node *disk, struct cloud_disk *ret)
{
    if (document_copy(disk, "DiskId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(disk, "ZoneId", ret->zone, sizeof(ret->zone)) < 0 ||
        document_copy(disk, "SerialNumber", ret->serial, sizeof(ret->serial)) < 0)
        return cloud_malformed(cloud, "the disk that was asked for");
    document_words(disk, "Status", ret->state_text, sizeof(ret->state_text));
    ret->state = parse_disk_state(ret->state_text);
    ret->size_gib = document_number(disk, "Size", 0);
    ret->multi_attach = strcmp(document_text(disk, "MultiAttach"), "Enabled") == 0;
    ret->encrypted = document_true(disk, "Encrypted");
    return parse_attachments(cloud, disk, ret);
}

static int aliyun_disk_get(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r;

    parameters_add(&parameters, "DiskIds", "[\"%s\"]", id);
    r = send_action(cloud, "ecs", "DescribeDisks", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "Disks/Disk", &item);
    if (r < 0)
        return r;
    return item ? parse_disk(cloud, item, ret)
                : cloud_fail(cloud, CLOUD_NOT_FOUND, "disk %s is not known in region %s (request %.40s)", id, cloud->region,
                             document_text(document.root, "RequestId"));
}

static int aliyun_disk_attach(struct cloud *cloud, const char *id, const char *instance, const char *device,
                              struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "DiskId", "%s", id);
    parameters_add(&parameters, "InstanceId", "%s", instance);
    parameters_add(&parameters, "DeleteWithInstance", "false");
    if (device)
        parameters_add(&parameters, "Device", "%s", device);
    return send_change(cloud, "ecs", "AttachDisk", &parameters, deadline);
}

/* There is no force: a disk of an instance that is off detaches as it is. */
static int aliyun_disk_detach(struct cloud *cloud, const char *id, const char *instance, bool force _unused_,
                              struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "DiskId", "%s", id);
    parameters_add(&parameters, "InstanceId", "%s", instance);
    return send_change(cloud, "ecs", "DetachDisk", &parameters, deadline);
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

struct own_interface {
    char id[CLOUD_ID_SIZE];
    char vpc[CLOUD_ID_SIZE];
};

/* The interface that is meant; its VPC says which of several equal private addresses is meant. */
static int find_own_interface(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                              struct deadline deadline, struct own_interface *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r;

    parameters_add(&parameters, "InstanceId", "%s", self);
    if (spec->interface)
        parameters_add(&parameters, "NetworkInterfaceId.1", "%s", spec->interface);
    r = send_action(cloud, "ecs", "DescribeNetworkInterfaces", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "NetworkInterfaceSets/NetworkInterfaceSet", &item);
    if (r < 0)
        return r;
    while (item && (spec->interface ? strcmp(document_text(item, "NetworkInterfaceId"), spec->interface) != 0
                                    : strcmp(document_text(item, "Type"), "Primary") != 0))
        item = item->next;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "no network interface %s of instance %s", spec->interface ? spec->interface : "(primary)", self);
    if (document_copy(item, "NetworkInterfaceId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "VpcId", ret->vpc, sizeof(ret->vpc)) < 0)
        return cloud_malformed(cloud, "a network interface");
    return 0;
}

static bool set_has(const struct document_node *interface, const char *address)
{
    const struct document_node *item = document_first(interface, "PrivateIpSets/PrivateIpSet");

    for (; item; item = item->next)
        if (strcmp(document_text(item, "PrivateIpAddress"), address) == 0)
            return true;
    return false;
}

static int secondary_get(struct cloud *cloud, const struct cloud_address_spec *spec, const struct own_interface *own,
                         struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r;

    if (strchr(spec->address, ':'))
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "IPv6 secondary addresses are not supported on Aliyun");
    parameters_add(&parameters, "PrivateIpAddress.1", "%s", spec->address);
    if (own->vpc[0])
        parameters_add(&parameters, "VpcId", "%s", own->vpc);
    r = send_action(cloud, "ecs", "DescribeNetworkInterfaces", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "NetworkInterfaceSets/NetworkInterfaceSet", &item);
    while (r == 0 && item && !set_has(item, spec->address))
        item = item->next;
    if (r < 0 || !item)
        return r;
    if (document_copy(item, "NetworkInterfaceId", ret->interface, sizeof(ret->interface)) < 0 || !ret->interface[0] ||
        document_copy(item, "InstanceId", ret->instance, sizeof(ret->instance)) < 0)
        return cloud_malformed(cloud, "a network interface");
    ret->assigned = true;
    return 0;
}

static int send_secondary(struct cloud *cloud, const char *action, const char *interface, const char *address,
                          struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "NetworkInterfaceId", "%s", interface);
    parameters_add(&parameters, "PrivateIpAddress.1", "%s", address);
    if (strncmp(action, "Assign", 6) == 0)
        add_client_token(&parameters);
    return send_change(cloud, "ecs", action, &parameters, deadline);
}

/* There is no reassignment: taken from whom has it, then given to this one as soon as it is free. */
static int secondary_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const struct own_interface *own,
                            struct deadline deadline)
{
    struct cloud_address now = { 0 };
    uint64_t pause = 0;
    int r = secondary_get(cloud, spec, own, deadline, &now);

    if (r < 0 || (now.assigned && strcmp(now.interface, own->id) == 0))
        return r;
    if (now.assigned)
        r = send_secondary(cloud, "UnassignPrivateIpAddresses", now.interface, spec->address, deadline);
    if (r < 0 && cloud->failure.error != CLOUD_ALREADY)
        return r;
    for (;;) {
        r = send_secondary(cloud, "AssignPrivateIpAddresses", own->id, spec->address, deadline);
        if (r == 0 || cloud->failure.error != CLOUD_IN_USE)
            return r;
        /* Still on its way from the other one, or, by a request that was lost, here already. */
        now = (struct cloud_address){ 0 };
        if (secondary_get(cloud, spec, own, deadline, &now) == 0 && now.assigned && strcmp(now.interface, own->id) == 0)
            return 0;
        r = cloud_pause(cloud, deadline, &pause, "the address to become free");
        if (r < 0)
            return r;
    }
}

/* An EIP that is bound to an interface names that, not the instance. */
static int find_instance_of(struct cloud *cloud, const char *interface, struct deadline deadline, char *instance, size_t size)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r;

    parameters_add(&parameters, "NetworkInterfaceId.1", "%s", interface);
    r = send_action(cloud, "ecs", "DescribeNetworkInterfaces", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "NetworkInterfaceSets/NetworkInterfaceSet", &item);
    if (r == 0)
        r = cloud_pick(cloud, item, "NetworkInterfaceId", interface, &item);
    if (r == 0 && (!item || document_copy(item, "InstanceId", instance, size) < 0))
        r = cloud_malformed(cloud, "the network interface that was asked for");
    return r;
}

static int elastic_get(struct cloud *cloud, const char *address, struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    const char *status;
    bool by_interface;
    int r;

    parameters_add(&parameters, strncmp(address, "eip-", 4) == 0 ? "AllocationId" : "EipAddress", "%s", address);
    r = send_action(cloud, "vpc", "DescribeEipAddresses", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "EipAddresses/EipAddress", &item);
    if (r == 0)
        r = cloud_pick(cloud, item, strncmp(address, "eip-", 4) == 0 ? "AllocationId" : "IpAddress", address, &item);
    if (r < 0)
        return r;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "elastic address %s is not known in region %s", address, cloud->region);
    status = document_text(item, "Status");
    by_interface = strcmp(document_text(item, "InstanceType"), "NetworkInterface") == 0;
    if (document_copy(item, "AllocationId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "InstanceId", by_interface ? ret->interface : ret->instance, CLOUD_ID_SIZE) < 0 ||
        document_copy(item, "PrivateIpAddress", ret->private_address, sizeof(ret->private_address)) < 0)
        return cloud_malformed(cloud, "the address that was asked for");
    ret->moving = strcmp(status, "Associating") == 0 || strcmp(status, "Unassociating") == 0;
    ret->assigned = ret->interface[0] || ret->instance[0];
    if (strcmp(status, "InUse") != 0 && strcmp(status, "Available") != 0 && !ret->moving)
        return cloud_fail(cloud, CLOUD_MALFORMED, "elastic address %s is in state '%.30s', which is not known", address, status);
    if (!by_interface || !ret->interface[0])
        return 0;
    return cloud_not_the_thing(cloud, find_instance_of(cloud, ret->interface, deadline, ret->instance, sizeof(ret->instance)));
}

static int elastic_unbind(struct cloud *cloud, const struct cloud_address *now, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "AllocationId", "%s", now->id);
    parameters_add(&parameters, "InstanceId", "%s", now->interface[0] ? now->interface : now->instance);
    parameters_add(&parameters, "InstanceType", now->interface[0] ? "NetworkInterface" : "EcsInstance");
    add_client_token(&parameters);
    return send_change(cloud, "vpc", "UnassociateEipAddress", &parameters, deadline);
}

static int elastic_bind(struct cloud *cloud, const struct cloud_address_spec *spec, const char *id, const char *self,
                        struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    struct own_interface own = { 0 };
    int r = spec->interface || spec->private_address ? find_own_interface(cloud, spec, self, deadline, &own) : 0;

    if (r < 0)
        return r;
    parameters_add(&parameters, "AllocationId", "%s", id);
    parameters_add(&parameters, "InstanceId", "%s", own.id[0] ? own.id : self);
    parameters_add(&parameters, "InstanceType", own.id[0] ? "NetworkInterface" : "EcsInstance");
    if (spec->private_address)
        parameters_add(&parameters, "PrivateIpAddress", "%s", spec->private_address);
    add_client_token(&parameters);
    return send_change(cloud, "vpc", "AssociateEipAddress", &parameters, deadline);
}

/* Unbound from whom has it, awaited, bound: each step as the state that is seen asks for it. */
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
            r = now.assigned ? elastic_unbind(cloud, &now, deadline) : elastic_bind(cloud, spec, now.id, self, deadline);
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

static int havip_get(struct cloud *cloud, const char *address, const char *self, struct deadline deadline,
                     struct cloud_address *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL, *member;
    size_t members = 0;
    int r;

    parameters_add(&parameters, "Filter.1.Key", strncmp(address, "havip-", 6) == 0 ? "HaVipId" : "IpAddress");
    parameters_add(&parameters, "Filter.1.Value.1", "%s", address);
    r = send_action(cloud, "vpc", "DescribeHaVips", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "HaVips/HaVip", &item);
    if (r == 0)
        r = cloud_pick(cloud, item, strncmp(address, "havip-", 6) == 0 ? "HaVipId" : "IpAddress", address, &item);
    if (r < 0)
        return r;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "HaVip %s is not known in region %s", address, cloud->region);
    if (document_copy(item, "HaVipId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "MasterInstanceId", ret->instance, sizeof(ret->instance)) < 0)
        return cloud_malformed(cloud, "the HaVip that was asked for");
    for (member = document_first(item, "AssociatedInstances/associatedInstance"); member; member = member->next) {
        members++;
        ret->associated = ret->associated || text_equal(member->text, self);
    }
    ret->assigned = ret->instance[0] != '\0';
    ret->shared = members > 1;
    ret->moving = strcmp(document_text(item, "Status"), "Associating") == 0 ||
                  strcmp(document_text(item, "Status"), "Unassociating") == 0;
    return 0;
}

static int havip_change(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, bool associate,
                        struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    struct cloud_address now = { 0 };
    int r = havip_get(cloud, spec->address, self, deadline, &now);

    if (r < 0 || now.associated == associate)
        return r;
    parameters_add(&parameters, "HaVipId", "%s", now.id);
    parameters_add(&parameters, "InstanceId", "%s", self);
    add_client_token(&parameters);
    return send_change(cloud, "vpc", associate ? "AssociateHaVip" : "UnassociateHaVip", &parameters, deadline);
}

/* ---- routes ----------------------------------------------------------------------------------------------------- */

/* The entry of one table. ret->id is its id. */
static int route_entry(struct cloud *cloud, const char *table, const char *destination, struct deadline deadline,
                       struct cloud_address *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL, *hop;
    bool by_interface;
    int r;

    parameters_add(&parameters, "RouteTableId", "%s", table);
    parameters_add(&parameters, "DestinationCidrBlock", "%s", destination);
    r = send_action(cloud, "vpc", "DescribeRouteEntryList", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "RouteEntrys/RouteEntry", &item);
    while (r == 0 && item && strcmp(document_text(item, "DestinationCidrBlock"), destination) != 0)
        item = item->next;
    if (r < 0 || !item)
        return r;
    hop = document_first(item, "NextHops/NextHop");
    by_interface = strcmp(document_text(hop, "NextHopType"), "NetworkInterface") == 0;
    if (document_copy(item, "RouteEntryId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(hop, "NextHopId", by_interface ? ret->interface : ret->instance, CLOUD_ID_SIZE) < 0)
        return cloud_malformed(cloud, "a route entry");
    ret->assigned = true;
    ret->moving = *document_text(item, "Status") && strcmp(document_text(item, "Status"), "Available") != 0;
    return by_interface ? find_instance_of(cloud, ret->interface, deadline, ret->instance, sizeof(ret->instance)) : 0;
}

static int change_route(struct cloud *cloud, const char *action, const char *table, const struct cloud_address *entry,
                        const char *destination, const char *self, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    bool create = strncmp(action, "Create", 6) == 0;

    if (create) {
        parameters_add(&parameters, "RouteTableId", "%s", table);
        parameters_add(&parameters, "DestinationCidrBlock", "%s", destination);
        parameters_add(&parameters, "NextHopType", "Instance");
        parameters_add(&parameters, "NextHopId", "%s", self);
        add_client_token(&parameters);
        return send_change(cloud, "vpc", action, &parameters, deadline);
    }
    parameters_add(&parameters, "RouteEntryId", "%s", entry->id);
    if (strncmp(action, "Modify", 6) == 0) {
        parameters_add(&parameters, "NewNextHopType", "Instance");
        parameters_add(&parameters, "NewNextHopId", "%s", self);
    } else {
        parameters_add(&parameters, "RouteTableId", "%s", table);
        parameters_add(&parameters, "NextHopId", "%s", entry->interface[0] ? entry->interface : entry->instance);
    }
    return send_change(cloud, "vpc", action, &parameters, deadline);
}

enum route_work { ROUTE_LOOK, ROUTE_TAKE, ROUTE_LEAVE };

static int walk_routes(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, enum route_work work,
                       struct deadline deadline, struct cloud_address *ret)
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
            r = change_route(cloud, one.assigned ? "ModifyRouteEntry" : "CreateRouteEntry", table, &one, spec->address, self, deadline);
        else if (work == ROUTE_LEAVE && mine)
            r = change_route(cloud, "DeleteRouteEntry", table, &one, spec->address, self, deadline);
        first = false;
    }
    return r;
}

static int aliyun_address_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                              struct deadline deadline, struct cloud_address *ret)
{
    struct own_interface own = { 0 };
    int r;

    switch (spec->kind) {
    case CLOUD_ADDRESS_SECONDARY:
        r = find_own_interface(cloud, spec, self, deadline, &own);
        return r < 0 ? r : secondary_get(cloud, spec, &own, deadline, ret);
    case CLOUD_ADDRESS_ELASTIC:
        return elastic_get(cloud, spec->address, deadline, ret);
    case CLOUD_ADDRESS_HAVIP:
        return havip_get(cloud, spec->address, self, deadline, ret);
    default:
        return walk_routes(cloud, spec, self, ROUTE_LOOK, deadline, ret);
    }
}

static int aliyun_address_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                                 struct deadline deadline)
{
    struct own_interface own = { 0 };
    int r;

    switch (spec->kind) {
    case CLOUD_ADDRESS_SECONDARY:
        r = find_own_interface(cloud, spec, self, deadline, &own);
        return r < 0 ? r : secondary_assign(cloud, spec, &own, deadline);
    case CLOUD_ADDRESS_ELASTIC:
        return elastic_assign(cloud, spec, self, deadline);
    case CLOUD_ADDRESS_HAVIP:
        return havip_change(cloud, spec, self, true, deadline);
    default:
        return walk_routes(cloud, spec, self, ROUTE_TAKE, deadline, NULL);
    }
}

static int aliyun_address_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                                  struct deadline deadline)
{
    struct own_interface own = { 0 };
    struct cloud_address now = { 0 };
    int r;

    if (spec->kind == CLOUD_ADDRESS_HAVIP)
        return havip_change(cloud, spec, self, false, deadline);
    if (spec->kind == CLOUD_ADDRESS_ROUTE)
        return walk_routes(cloud, spec, self, ROUTE_LEAVE, deadline, NULL);
    if (spec->kind == CLOUD_ADDRESS_ELASTIC) {
        r = elastic_get(cloud, spec->address, deadline, &now);
        return r < 0 || strcmp(now.instance, self) != 0 ? r : elastic_unbind(cloud, &now, deadline);
    }
    r = find_own_interface(cloud, spec, self, deadline, &own);
    if (r == 0)
        r = secondary_get(cloud, spec, &own, deadline, &now);
    if (r < 0 || !now.assigned || strcmp(now.instance, self) != 0)
        return r;
    return send_secondary(cloud, "UnassignPrivateIpAddresses", now.interface, spec->address, deadline);
}

/* ---- balancers -------------------------------------------------------------------------------------------------- */

enum group_kind { GROUP_DEFAULT, GROUP_VSERVER, GROUP_ALB, GROUP_NLB };

struct group {
    enum group_kind kind;
    const char *service;
    const char *id; /* borrowed from the target's group */
};

static int parse_group(struct cloud *cloud, const char *text, struct group *ret)
{
    const char *id = text_after(text, "alb:");

    *ret = (struct group){ .kind = GROUP_ALB, .service = "alb", .id = id };
    if (!id) {
        id = text_after(text, "nlb:");
        *ret = (struct group){ .kind = GROUP_NLB, .service = "nlb", .id = id };
    }
    if (!id) {
        id = text_after(text, "clb:");
        id = id ? id : text_after(text, "slb:");
        *ret = (struct group){ .kind = id && strncmp(id, "rsp-", 4) == 0 ? GROUP_VSERVER : GROUP_DEFAULT, .service = "slb", .id = id };
    }
    if (text_empty(id))
        return cloud_fail(cloud, CLOUD_INVALID, "group '%.60s' is none of clb:lb-..., clb:rsp-..., alb:sgp-..., nlb:sgp-...", text);
    return 0;
}

static void add_servers(struct parameters *parameters, const struct group *group, const struct cloud_target *target,
                        int64_t weight)
{
    const char *server = target->instance ? target->instance : target->address;
    const char *type = target->instance ? "ecs" : "eni";

    if (group->kind == GROUP_ALB || group->kind == GROUP_NLB) {
        parameters_add(parameters, "ServerGroupId", "%s", group->id);
        parameters_add(parameters, "Servers.1.ServerId", "%s", server);
        parameters_add(parameters, "Servers.1.ServerType", target->instance ? "Ecs" : "Ip");
        if (target->port > 0)
            parameters_add(parameters, "Servers.1.Port", "%u", target->port);
        if (weight >= 0)
            parameters_add(parameters, "Servers.1.Weight", "%lld", (long long)weight);
        return;
    }
    parameters_add(parameters, group->kind == GROUP_VSERVER ? "VServerGroupId" : "LoadBalancerId", "%s", group->id);
    if (group->kind == GROUP_VSERVER && weight >= 0)
        parameters_add(parameters, "BackendServers", "[{\"ServerId\":\"%s\",\"Port\":\"%u\",\"Weight\":\"%lld\",\"Type\":\"%s\"}]", server,
                       target->port, (long long)weight, type);
    else if (group->kind == GROUP_VSERVER)
        parameters_add(parameters, "BackendServers", "[{\"ServerId\":\"%s\",\"Port\":\"%u\",\"Type\":\"%s\"}]", server, target->port, type);
    else if (weight >= 0)
        parameters_add(parameters, "BackendServers", "[{\"ServerId\":\"%s\",\"Weight\":\"%lld\",\"Type\":\"%s\"}]", server, (long long)weight, type);
    else
        parameters_add(parameters, "BackendServers", "[{\"ServerId\":\"%s\",\"Type\":\"%s\"}]", server, type);
}

/* weight -1: none is sent. */
static int change_target(struct cloud *cloud, const struct cloud_target *target, const char *const actions[4], int64_t weight,
                         struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    struct group group;
    int r = parse_group(cloud, target->group, &group);

    if (r < 0)
        return r;
    add_servers(&parameters, &group, target, weight);
    if (group.kind == GROUP_ALB || group.kind == GROUP_NLB)
        add_client_token(&parameters);
    return send_change(cloud, group.service, actions[group.kind], &parameters, deadline);
}

/* Setting the weight of one that is there already: a register brings a drained one back, too. */
static const char *const set_actions[] = { "SetBackendServers", "SetVServerGroupAttribute", "UpdateServerGroupServersAttribute",
                                           "UpdateServerGroupServersAttribute" };

static bool is_server(const struct document_node *item, const struct cloud_target *target)
{
    const char *server = target->instance ? target->instance : target->address;

    return strcmp(document_text(item, "ServerId"), server) == 0 &&
           (target->port == 0 || !*document_text(item, "Port") || document_number(item, "Port", 0) == target->port);
}

/* The row of this server in the list at path, or NULL. -errno where there is no list. */
static int find_server(struct cloud *cloud, const struct document *document, const char *path, const struct cloud_target *target,
                       const struct document_node **ret)
{
    const struct document_node *item = NULL;
    int r = find_list(cloud, document, path, &item);

    while (r == 0 && item && !is_server(item, target))
        item = item->next;
    if (r == 0)
        *ret = item;
    return r;
}

/* Of all listeners of the balancer the worst is told. */
static int classic_health(struct cloud *cloud, const char *balancer, const struct cloud_target *target, struct deadline deadline,
                          struct cloud_target_state *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    bool healthy = false, unhealthy = false;
    int r;

    parameters_add(&parameters, "LoadBalancerId", "%s", balancer);
    r = send_action(cloud, "slb", "DescribeHealthStatus", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "BackendServers/BackendServer", &item);
    for (; r == 0 && item; item = item->next) {
        const char *status = document_text(item, "ServerHealthStatus");

        if (!is_server(item, target))
            continue;
        healthy = healthy || strcmp(status, "normal") == 0;
        unhealthy = unhealthy || strcmp(status, "abnormal") == 0;
        if (!unhealthy || !ret->text[0])
            document_words(item, "ServerHealthStatus", ret->text, sizeof(ret->text));
    }
    if (r == 0)
        ret->health = unhealthy ? CLOUD_TARGET_UNHEALTHY : healthy ? CLOUD_TARGET_HEALTHY : CLOUD_TARGET_UNCHECKED;
    return r;
}

static int classic_get(struct cloud *cloud, const struct group *group, const struct cloud_target *target,
                       struct deadline deadline, struct cloud_target_state *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *server = NULL;
    bool own_group = group->kind == GROUP_VSERVER;
    int r;

    parameters_add(&parameters, own_group ? "VServerGroupId" : "LoadBalancerId", "%s", group->id);
    r = send_action(cloud, "slb", own_group ? "DescribeVServerGroupAttribute" : "DescribeLoadBalancerAttribute", &parameters, false,
                    deadline, &document);
    if (r == 0)
        r = find_server(cloud, &document, "BackendServers/BackendServer", target, &server);
    if (r < 0)
        return r;
    ret->health = server ? CLOUD_TARGET_UNCHECKED : CLOUD_TARGET_ABSENT;
    if (!server)
        return 0;
    ret->weight = (unsigned int)document_number(server, "Weight", 0);
    if (ret->weight == 0) {
        ret->health = CLOUD_TARGET_DRAINING;
        return text_copy(ret->text, sizeof(ret->text), "weight 0") < 0 ? -EINVAL : 0;
    }
    if (own_group && !*document_text(document.root, "LoadBalancerId"))
        return 0;
    r = classic_health(cloud, own_group ? document_text(document.root, "LoadBalancerId") : group->id, target, deadline, ret);
    return cloud_not_the_thing(cloud, r);
}

/* What the listener's checks say: servers that are not well are listed, the others are. */
static int listener_health(struct cloud *cloud, const struct group *group, const char *listener, const struct cloud_target *target,
                           struct deadline deadline, struct cloud_target_state *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *status = NULL, *info, *item;
    int r;

    parameters_add(&parameters, "ListenerId", "%s", listener);
    r = send_action(cloud, group->service, "GetListenerHealthStatus", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "ListenerHealthStatus", &status);
    if (r < 0)
        return r;
    for (; status; status = status->next) {
        for (info = document_first(status, "ServerGroupInfos"); info; info = info->next) {
            if (strcmp(document_text(info, "ServerGroupId"), group->id) != 0)
                continue;
            ret->health = CLOUD_TARGET_HEALTHY;
            if (strcasecmp(document_text(info, "HealthCheckEnabled"), "off") == 0)
                ret->health = CLOUD_TARGET_UNCHECKED;
            for (item = document_first(info, "NonNormalServers"); item; item = item->next)
                if (is_server(item, target)) {
                    document_words(item, "Status", ret->text, sizeof(ret->text));
                    ret->health = strcasecmp(ret->text, "Initial") == 0 ? CLOUD_TARGET_INITIAL : CLOUD_TARGET_UNHEALTHY;
                    return 0;
                }
        }
    }
    return 0;
}

static int group_health(struct cloud *cloud, const struct group *group, const struct cloud_target *target,
                        struct deadline deadline, struct cloud_target_state *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL, *listener;
    int r;

    parameters_add(&parameters, "ServerGroupIds.1", "%s", group->id);
    r = send_action(cloud, group->service, "ListServerGroups", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "ServerGroups", &item);
    if (r < 0)
        return r;
    ret->drain_ms = 1000 * document_number(item, "ConnectionDrainConfig/ConnectionDrainTimeout", document_number(item, "ConnectionDrainTimeout", 0));
    listener = document_first(item, "RelatedListenerIds");
    if (ret->health != CLOUD_TARGET_UNKNOWN || !listener || !listener->text)
        return 0;
    return listener_health(cloud, group, listener->text, target, deadline, ret);
}

static int group_get(struct cloud *cloud, const struct group *group, const struct cloud_target *target,
                     struct deadline deadline, struct cloud_target_state *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *server = NULL;
    int r;

    parameters_add(&parameters, "ServerGroupId", "%s", group->id);
    parameters_add(&parameters, "ServerIds.1", "%s", target->instance ? target->instance : target->address);
    r = send_action(cloud, group->service, "ListServerGroupServers", &parameters, false, deadline, &document);
    if (r == 0)
        r = find_server(cloud, &document, "Servers", target, &server);
    if (r < 0)
        return r;
    ret->health = CLOUD_TARGET_ABSENT;
    if (!server)
        return 0;
    ret->weight = (unsigned int)document_number(server, "Weight", 0);
    document_words(server, "Status", ret->text, sizeof(ret->text));
    ret->health = CLOUD_TARGET_UNKNOWN;
    if (strcmp(ret->text, "Adding") == 0)
        ret->health = CLOUD_TARGET_INITIAL;
    else if (strcmp(ret->text, "Removing") == 0 || (ret->weight == 0 && *document_text(server, "Weight")))
        ret->health = CLOUD_TARGET_DRAINING;
    r = cloud_not_the_thing(cloud, group_health(cloud, group, target, deadline, ret));
    if (r == 0 && ret->health == CLOUD_TARGET_UNKNOWN)
        ret->health = CLOUD_TARGET_UNCHECKED;
    return r;
}

static int aliyun_target_get(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                             struct cloud_target_state *ret)
{
    struct group group;
    int r = parse_group(cloud, target->group, &group);

    if (r < 0)
        return r;
    return group.kind == GROUP_ALB || group.kind == GROUP_NLB ? group_get(cloud, &group, target, deadline, ret)
                                                              : classic_get(cloud, &group, target, deadline, ret);
}

static int aliyun_target_register(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    static const char *const actions[] = { "AddBackendServers", "AddVServerGroupBackendServers", "AddServersToServerGroup",
                                           "AddServersToServerGroup" };
    int64_t weight = target->weight > 0 ? target->weight : 100;
    struct cloud_target_state state = { 0 };
    int r = aliyun_target_get(cloud, target, deadline, &state);

    if (r < 0)
        return r;
    return change_target(cloud, target, state.health == CLOUD_TARGET_ABSENT ? actions : set_actions, weight, deadline);
}

static int aliyun_target_drain(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    return change_target(cloud, target, set_actions, 0, deadline);
}

static int aliyun_target_deregister(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    static const char *const actions[] = { "RemoveBackendServers", "RemoveVServerGroupBackendServers", "RemoveServersFromServerGroup",
                                           "RemoveServersFromServerGroup" };

    return change_target(cloud, target, actions, -1, deadline);
}

const struct cloud_provider cloud_aliyun = {
    .name = "aliyun",
    .metadata = "http://100.100.100.200",
    .dmi_words = (const char *const[]){ "alibaba", "aliyun", NULL },
    .services = services,
    .formats = formats,
    .host = aliyun_host,
    .sign = aliyun_sign,
    .read_error = aliyun_read_error,
    .classify = aliyun_classify,
    .self = aliyun_self,
    .role_keys = aliyun_role_keys,
    .address_in_metadata = aliyun_address_in_metadata,
    .check = aliyun_check,
    .instance_get = aliyun_instance_get,
    .instance_list = aliyun_instance_list,
    .instance_power = aliyun_instance_power,
    .disk_get = aliyun_disk_get,
    .disk_attach = aliyun_disk_attach,
    .disk_detach = aliyun_disk_detach,
    .address_get = aliyun_address_get,
    .address_assign = aliyun_address_assign,
    .address_release = aliyun_address_release,
    .target_get = aliyun_target_get,
    .target_register = aliyun_target_register,
    .target_drain = aliyun_target_drain,
    .target_deregister = aliyun_target_deregister,
};
