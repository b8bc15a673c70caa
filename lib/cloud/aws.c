/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AWS: EC2 Query API 2016-11-15, Elastic Load Balancing 2015-12-01 (API references at docs.aws.amazon.com), Signature Version 4, IMDSv2.
 */
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cloud/cloud_provider.h"
#include "cloud/digest.h"
#include "cloud/error_rules.h"
#include "cloud/signing.h"

#define TOKEN_HEADER "X-aws-ec2-metadata-token"

static const struct cloud_service services[] = {
    { "ec2", "ec2", "2016-11-15" },
    { "elb", "elasticloadbalancing", "2015-12-01" },
    {},
};

static const struct credential_format formats[] = {
    { .section = "default", .access = "aws_access_key_id", .secret = "aws_secret_access_key", .token = "aws_session_token" },
    {},
};

/* "Error codes for the Amazon EC2 API", "Common errors" of Elastic Load Balancing; the first row that fits. */
static const struct error_rule rules[] = {
    { "RequestLimitExceeded", NULL, CLOUD_THROTTLED },
    { "Throttl*", NULL, CLOUD_THROTTLED },
    { "RequestThrottled*", NULL, CLOUD_THROTTLED },
    { "TooManyRequests*", NULL, CLOUD_THROTTLED },
    { "SlowDown", NULL, CLOUD_THROTTLED },
    { "BandwidthLimitExceeded", NULL, CLOUD_THROTTLED },
    { "EC2ThrottledException", NULL, CLOUD_THROTTLED },
    { "RequestExpired", NULL, CLOUD_CLOCK },
    { "RequestTimeTooSkewed", NULL, CLOUD_CLOCK },
    { "SignatureDoesNotMatch", "signature expired", CLOUD_CLOCK },
    { "SignatureDoesNotMatch", "not yet current", CLOUD_CLOCK },
    { "AuthFailure", NULL, CLOUD_AUTH },
    { "InvalidClientTokenId", NULL, CLOUD_AUTH },
    { "SignatureDoesNotMatch", NULL, CLOUD_AUTH },
    { "MissingAuthenticationToken", NULL, CLOUD_AUTH },
    { "IncompleteSignature", NULL, CLOUD_AUTH },
    { "ExpiredToken*", NULL, CLOUD_AUTH },
    { "UnrecognizedClientException", NULL, CLOUD_AUTH },
    { "InvalidAccessKeyId", NULL, CLOUD_AUTH },
    { "UnauthorizedOperation", NULL, CLOUD_PERMISSION },
    { "AccessDenied*", NULL, CLOUD_PERMISSION },
    { "OperationNotPermitted", NULL, CLOUD_PERMISSION },
    { "OptInRequired", NULL, CLOUD_PERMISSION },
    { "InvalidAttachment.NotFound", NULL, CLOUD_ALREADY },
    { "InvalidAssociationID.NotFound", NULL, CLOUD_ALREADY },
    { "IncorrectState", "'available' state", CLOUD_ALREADY },
    { "IncorrectState", NULL, CLOUD_WRONG_STATE },
    { "IncorrectInstanceState", NULL, CLOUD_WRONG_STATE },
    { "VolumeInUse", NULL, CLOUD_IN_USE },
    { "Resource.AlreadyAssociated", NULL, CLOUD_IN_USE },
    { "InvalidIPAddress.InUse", NULL, CLOUD_IN_USE },
    { "InvalidParameterValue", "move is not allowed", CLOUD_IN_USE },
    { "InvalidParameterValue", "attachment point", CLOUD_DEVICE_NAME },
    { "InvalidParameterValue", "unixdevice", CLOUD_DEVICE_NAME },
    { "InvalidDevice.InUse", NULL, CLOUD_DEVICE_NAME },
    { "InvalidVolume.ZoneMismatch", NULL, CLOUD_WRONG_ZONE },
    { "InvalidZone.Mismatch", NULL, CLOUD_WRONG_ZONE },
    { "*NotFound", NULL, CLOUD_NOT_FOUND },
    { "InsufficientInstanceCapacity", NULL, CLOUD_QUOTA },
    { "*LimitExceeded", NULL, CLOUD_QUOTA },
    { "TooMany*", NULL, CLOUD_QUOTA },
    { "Unavailable", NULL, CLOUD_TRANSIENT },
    { "ServiceUnavailable", NULL, CLOUD_TRANSIENT },
    { "Internal*", NULL, CLOUD_TRANSIENT },
    { "RequestTimeout*", NULL, CLOUD_TRANSIENT },
    { "Invalid*", NULL, CLOUD_INVALID },
    { "*.Malformed", NULL, CLOUD_INVALID },
    { "Missing*", NULL, CLOUD_INVALID },
    { "Validation*", NULL, CLOUD_INVALID },
    { "UnknownParameter", NULL, CLOUD_INVALID },
    {},
};

static int aws_host(const struct cloud *cloud, const struct cloud_service *service, char *buffer, size_t size)
{
    const char *suffix = strncmp(cloud->region, "cn-", 3) == 0 ? ".cn" : "";

    return text_format(buffer, size, "%s.%s.amazonaws.com%s", service->host, cloud->region, suffix);
}

/* Action, Version and the parameters go into a form. */
static int aws_sign(struct cloud *cloud, const struct api_call *call, const struct credentials *keys,
                    struct api_message *message)
{
    _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
    struct signing_request request = { .method = call->method, .query = "" };
    time_t now = (time_t)message->now;
    struct tm utc;
    char date[20];
    int r;

    if (!gmtime_r(&now, &utc) || strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &utc) == 0)
        return -EINVAL;
    text_buffer_printf(&message->body, "Action=%s&Version=%s", call->action, message->service->version);
    if (call->parameters && call->parameters->count > 0) {
        text_buffer_append(&message->body, "&", 1);
        parameters_encode(call->parameters, &message->body);
    }
    parameters_add(&message->headers, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    parameters_add(&message->headers, "X-Amz-Date", "%s", date);
    if (keys->token[0])
        parameters_add(&message->headers, "X-Amz-Security-Token", "%s", keys->token);
    if (message->body.failed || message->path.failed || message->headers.failed)
        return -ENOMEM;
    request.path = message->path.text;
    request.body = message->body.text;
    request.body_length = message->body.length;
    request.headers = &message->headers;
    r = sign_aws_v4(&request, &(struct signing_keys){ keys->access, keys->secret }, date, cloud->region,
                    message->service->host, NULL, &authorization);
    if (r == 0)
        parameters_add(&message->headers, "Authorization", "%s", authorization.text);
    return r;
}

/* EC2: <Response><Errors><Error>, RequestID. ELB, STS: <ErrorResponse><Error>, RequestId. */
static bool aws_read_error(const struct document_node *root, struct api_error *error)
{
    const struct document_node *node = NULL;

    if (text_equal(root->name, "Response"))
        node = document_find(root, "Errors/Error");
    else if (text_equal(root->name, "ErrorResponse"))
        node = document_find(root, "Error");
    if (!node)
        return false;
    document_words(node, "Code", error->code, sizeof(error->code));
    document_words(node, "Message", error->words, sizeof(error->words));
    document_words(root, document_find(root, "RequestID") ? "RequestID" : "RequestId", error->request_id,
                   sizeof(error->request_id));
    return true;
}

/* EC2 says RequestExpired of a clock that is off and of a session token that has ended: the answer's date tells them apart. */
static enum cloud_error aws_classify(const struct api_error *error)
{
    if (strcmp(error->code, "RequestExpired") == 0 && error->skew_s > -240 && error->skew_s < 240)
        return CLOUD_AUTH;
    return error_rules_apply(rules, error);
}

/* Sends an action; the answer's outermost element must be ACTIONResponse, or it is none. */
static int send_action(struct cloud *cloud, const char *service, const char *action, struct parameters *parameters,
                       bool changes, struct deadline deadline, struct document *ret)
{
    const struct api_call call = { .service = service, .action = action, .method = "POST", .parameters = parameters, .changes = changes };
    const char *rest;
    int r;

    if (parameters->failed)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    r = api_call_send(cloud, &call, deadline, ret);
    if (r < 0)
        return r;
    rest = ret->root ? text_after(ret->root->name, action) : NULL;
    if (text_equal(rest, "Response"))
        return 0;
    r = cloud_malformed(cloud, action);
    cloud->failure.maybe_done = changes;
    return r;
}

/* The first of a set, which must be in the answer, if empty: an answer without it does not say "there is none". */
static int find_set(struct cloud *cloud, const struct document *document, const char *name, const struct document_node **ret)
{
    const struct document_node *set = document_find(document->root, name);

    if (!set)
        return cloud_malformed(cloud, name);
    *ret = set->child;
    return 0;
}

/* A change of which only the success counts. */
static int send_change(struct cloud *cloud, const char *service, const char *action, struct parameters *parameters,
                       struct deadline deadline)
{
    _cleanup_document_ struct document document = { 0 };

    return send_action(cloud, service, action, parameters, true, deadline, &document);
}

/* ---- metadata service ------------------------------------------------------------------------------------------- */

/* Session tokens are what IMDSv2 is; a service without them (404) is the older one. */
static int get_token(struct cloud *cloud, struct deadline deadline)
{
    return metadata_token(cloud, "/latest/api/token", TOKEN_HEADER "-ttl-seconds", true, deadline);
}

static int aws_self(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret)
{
    int r = get_token(cloud, deadline);

    if (r == 0)
        r = metadata_get_word(cloud, "/latest/meta-data/instance-id", TOKEN_HEADER, deadline, ret->instance,
                              sizeof(ret->instance));
    if (r == 0 && strncmp(ret->instance, "i-", 2) != 0)
        r = cloud_malformed(cloud, "an EC2 instance id");
    if (r == 0)
        r = metadata_get_word(cloud, "/latest/meta-data/placement/region", TOKEN_HEADER, deadline, ret->region,
                              sizeof(ret->region));
    if (r == 0)
        r = metadata_get_word(cloud, "/latest/meta-data/placement/availability-zone", TOKEN_HEADER, deadline, ret->zone,
                              sizeof(ret->zone));
    return r;
}

static int find_role(struct cloud *cloud, struct deadline deadline, char *role, size_t size)
{
    char *text = NULL;
    int r;

    if (cloud->config.role)
        return text_copy(role, size, cloud->config.role) < 0 ? cloud_malformed(cloud, "a role") : 0;
    r = metadata_get(cloud, "/latest/meta-data/iam/security-credentials/", TOKEN_HEADER, deadline, &text);
    if (r < 0)
        return r;
    text[strcspn(text, "\r\n")] = '\0';
    if (!cloud_id_valid(text) || text_copy(role, size, text) < 0)
        r = cloud_malformed(cloud, "the name of a role");
    file_wipe_secret(text);
    return r;
}

static int aws_role_keys(struct cloud *cloud, struct deadline deadline, struct credentials *ret)
{
    _cleanup_document_ struct document document = { 0 };
    char role[CLOUD_ID_SIZE], path[256];
    int r = get_token(cloud, deadline);

    if (r == 0)
        r = find_role(cloud, deadline, role, sizeof(role));
    if (r == 0 && text_format(path, sizeof(path), "/latest/meta-data/iam/security-credentials/%s", role) < 0)
        r = cloud_malformed(cloud, "the name of a role");
    if (r == 0)
        r = metadata_get_json(cloud, path, TOKEN_HEADER, deadline, &document);
    if (r < 0 && cloud->failure.error == CLOUD_NOT_FOUND)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "this instance has no role: give it an instance profile, or set credentials");
    if (r < 0)
        return r;
    if (credentials_set(ret, document_text(document.root, "AccessKeyId"), document_text(document.root, "SecretAccessKey"),
                        document_text(document.root, "Token"), document_parse_time(document_text(document.root, "Expiration"), 0)) < 0)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "the metadata service gives no usable keys for role %s", role);
    return 0;
}

/* True when the list (one a line) holds the word. */
static bool has_line(const char *list, const char *wanted)
{
    const char *cursor = list, *word;
    size_t length;

    while (text_next_word(&cursor, "\r\n", &word, &length))
        if (strlen(wanted) == length && memcmp(word, wanted, length) == 0)
            return true;
    return false;
}

/* 1 when the interface of this MAC has the address, 0 when not. A list that is not there (404) is an empty one. */
static int interface_has(struct cloud *cloud, const char *mac, const char *list, const char *address,
                         struct deadline deadline)
{
    _cleanup_free_ char *text = NULL;
    char path[256];
    int r;

    if (text_format(path, sizeof(path), "/latest/meta-data/network/interfaces/macs/%s/%s", mac, list) < 0)
        return cloud_malformed(cloud, "a MAC address");
    r = metadata_get(cloud, path, TOKEN_HEADER, deadline, &text);
    if (r < 0)
        return cloud->failure.error == CLOUD_NOT_FOUND ? 0 : r;
    return has_line(text, address);
}

static int aws_address_in_metadata(struct cloud *cloud, const struct cloud_address_spec *spec, struct deadline deadline)
{
    const char *list = spec->kind == CLOUD_ADDRESS_ELASTIC ? "public-ipv4s" : strchr(spec->address, ':') ? "ipv6s" : "local-ipv4s";
    _cleanup_free_ char *macs = NULL;
    const char *cursor, *word;
    size_t length;
    int r;

    if (spec->kind == CLOUD_ADDRESS_ROUTE || spec->kind == CLOUD_ADDRESS_HAVIP || strncmp(spec->address, "eipalloc-", 9) == 0)
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
        r = spec->interface ? interface_has(cloud, mac, "interface-id", spec->interface, deadline) : 1;
        if (r > 0)
            r = interface_has(cloud, mac, list, spec->address, deadline);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- instances -------------------------------------------------------------------------------------------------- */

static enum cloud_power parse_power(const char *state)
{
    static const struct {
        const char *state;
        enum cloud_power power;
    } states[] = {
        { "pending", CLOUD_POWER_STARTING },      { "running", CLOUD_POWER_RUNNING },
        { "shutting-down", CLOUD_POWER_STOPPING }, { "stopping", CLOUD_POWER_STOPPING },
        { "stopped", CLOUD_POWER_STOPPED },        { "terminated", CLOUD_POWER_TERMINATED },
    };

    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (strcmp(states[i].state, state) == 0)
            return states[i].power;
    return CLOUD_POWER_UNKNOWN;
}

static void find_tag(const struct document_node *instance, const char *key, char *buffer, size_t size)
{
    const struct document_node *item = document_first(instance, "tagSet");

    for (; key && item; item = item->next)
        if (strcmp(document_text(item, "key"), key) == 0)
            document_words(item, "value", buffer, size);
}

/* The interface with device index 0. */
static const struct document_node *primary_interface(const struct document_node *instance)
{
    const struct document_node *item = document_first(instance, "networkInterfaceSet");

    for (; item; item = item->next)
        if (strcmp(document_text(item, "attachment/deviceIndex"), "0") == 0)
            return item;
    return NULL;
}

static int parse_instance(struct cloud *cloud, const struct document_node *node, const struct document_node *root,
                          const char *tag, struct cloud_instance *ret)
{
    *ret = (struct cloud_instance){ 0 };
    if (document_copy(node, "instanceId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(node, "placement/availabilityZone", ret->zone, sizeof(ret->zone)) < 0 ||
        document_copy(node, "privateIpAddress", ret->address, sizeof(ret->address)) < 0 ||
        document_copy(primary_interface(node), "networkInterfaceId", ret->interface, sizeof(ret->interface)) < 0)
        return cloud_malformed(cloud, "an instance");
    document_words(node, "instanceState/name", ret->state, sizeof(ret->state));
    ret->power = parse_power(ret->state);
    /* Hibernated ("StateReason" of the API reference): its memory lives on, and a start goes on with all that it was about to write. */
    if (ret->power == CLOUD_POWER_STOPPED && strcmp(document_text(node, "stateReason/code"), "Client.UserInitiatedHibernate") == 0) {
        ret->power = CLOUD_POWER_UNKNOWN;
        (void)text_copy(ret->state, sizeof(ret->state), "stopped (hibernated)");
    }
    find_tag(node, "Name", ret->name, sizeof(ret->name));
    find_tag(node, tag, ret->tag, sizeof(ret->tag));
    (void)text_format(ret->evidence, sizeof(ret->evidence), "state=%s code=%.8s reason=%.48s request=%.40s", ret->state,
                      document_text(node, "instanceState/code"), document_text(node, "stateReason/code"),
                      document_text(root, "requestId"));
    (void)text_make_printable(ret->evidence);
    return 0;
}

/* The instance's own element in the answer, or NULL. */
static const struct document_node *find_instance(const struct document_node *root, const char *id)
{
    const struct document_node *reservation = document_first(root, "reservationSet"), *item;

    for (; reservation; reservation = reservation->next)
        for (item = document_first(reservation, "instancesSet"); item; item = item->next)
            if (strcmp(document_text(item, "instanceId"), id) == 0)
                return item;
    return NULL;
}

static int describe_instance(struct cloud *cloud, const char *id, struct deadline deadline, struct document *document,
                             const struct document_node **ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    int r;

    parameters_add(&parameters, "InstanceId.1", "%s", id);
    r = send_action(cloud, "ec2", "DescribeInstances", &parameters, false, deadline, document);
    if (r < 0)
        return r;
    *ret = find_instance(document->root, id);
    return *ret ? 0 : cloud_malformed(cloud, "the instance that was asked for");
}

static int aws_instance_get(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                            struct cloud_instance *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *node;
    int r = describe_instance(cloud, id, deadline, &document, &node);

    return r < 0 ? r : parse_instance(cloud, node, document.root, tag, ret);
}

static void add_filter(struct parameters *parameters, unsigned int *count, const char *prefix, const char *name,
                       const char *value)
{
    char key[40];

    (*count)++;
    (void)text_format(key, sizeof(key), "Filter.%u.Name", *count);
    parameters_add(parameters, key, "%s%s", prefix, name);
    (void)text_format(key, sizeof(key), "Filter.%u.Value.1", *count);
    parameters_add(parameters, key, "%s", value);
}

static int add_page(struct cloud *cloud, const struct document_node *root, const char *tag, struct cloud_instance_list *ret)
{
    const struct document_node *reservation = document_first(root, "reservationSet"), *item;

    for (; reservation; reservation = reservation->next) {
        for (item = document_first(reservation, "instancesSet"); item; item = item->next) {
            struct cloud_instance instance;
            int r = parse_instance(cloud, item, root, tag, &instance);

            if (r == 0)
                r = cloud_list_add(cloud, ret, &instance);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int aws_instance_list(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                             struct cloud_instance_list *ret)
{
    _cleanup_free_ char *next = NULL;

    do {
        _cleanup_parameters_ struct parameters parameters = { 0 };
        _cleanup_document_ struct document document = { 0 };
        unsigned int filters = 0;
        int r;

        parameters_add(&parameters, "MaxResults", "100");
        if (next)
            parameters_add(&parameters, "NextToken", "%s", next);
        if (filter->name)
            add_filter(&parameters, &filters, "tag:", "Name", filter->name);
        if (filter->tag && filter->tag_value)
            add_filter(&parameters, &filters, "tag:", filter->tag, filter->tag_value);
        r = send_action(cloud, "ec2", "DescribeInstances", &parameters, false, deadline, &document);
        if (r == 0)
            r = add_page(cloud, document.root, filter->tag, ret);
        if (r < 0)
            return r;
        free(next);
        next = NULL;
        if (*document_text(document.root, "nextToken")) {
            next = strdup(document_text(document.root, "nextToken"));
            if (!next)
                return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
        }
    } while (next);
    return 0;
}

static int send_power(struct cloud *cloud, const char *id, enum cloud_power_action action, bool dry_run, bool skip_shutdown,
                      struct deadline deadline)
{
    static const char *const actions[] = { [CLOUD_POWER_OFF] = "StopInstances", [CLOUD_POWER_ON] = "StartInstances",
                                           [CLOUD_POWER_REBOOT] = "RebootInstances" };
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "InstanceId.1", "%s", id);
    if (action == CLOUD_POWER_OFF)
        parameters_add(&parameters, "Force", "true");
    if (action == CLOUD_POWER_OFF && skip_shutdown)
        parameters_add(&parameters, "SkipOsShutdown", "true");
    if (dry_run)
        parameters_add(&parameters, "DryRun", "true");
    return send_change(cloud, "ec2", actions[action], &parameters, deadline);
}

/* Force alone asks the guest first since 2024; SkipOsShutdown is what pulls the plug. An endpoint that does not know it yet says so before it
 * does anything. A permitted dry run is an error: DryRunOperation. */
static int aws_instance_power(struct cloud *cloud, const char *id, enum cloud_power_action action, bool dry_run,
                              struct deadline deadline)
{
    int r = send_power(cloud, id, action, dry_run, true, deadline);

    if (r < 0 && action == CLOUD_POWER_OFF && strcmp(cloud->failure.code, "UnknownParameter") == 0)
        r = send_power(cloud, id, action, dry_run, false, deadline);
    if (!dry_run)
        return r;
    if (r < 0)
        return strcmp(cloud->failure.code, "DryRunOperation") == 0 ? 0 : r;
    /* It must not have been done: an endpoint that answers a dry run with success does not know what one is. */
    return cloud_malformed(cloud, "the answer to a dry run");
}

static int aws_check(struct cloud *cloud, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };

    parameters_add(&parameters, "MaxResults", "5");
    return send_action(cloud, "ec2", "DescribeInstances", &parameters, false, deadline, &document);
}

/* ---- disks ------------------------------------------------------------------------------------------------------ */

static enum cloud_disk_state parse_disk_state(const char *state)
{
    static const struct {
        const char *text;
        enum cloud_disk_state state;
    } states[] = {
        { "creating", CLOUD_DISK_CREATING }, { "available", CLOUD_DISK_AVAILABLE }, { "in-use", CLOUD_DISK_IN_USE },
        { "deleting", CLOUD_DISK_DELETED },  { "deleted", CLOUD_DISK_DELETED },     { "error", CLOUD_DISK_ERROR },
    };

    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (strcmp(states[i].text, state) == 0)
            return states[i].state;
    return CLOUD_DISK_UNKNOWN;
}

/* "busy" is a detach that the guest holds up: it still has the device open. */
static enum cloud_attachment_state parse_attachment_state(const char *state)
{
    if (strcmp(state, "attached") == 0)
        return CLOUD_ATTACHED;
    if (strcmp(state, "attaching") == 0)
        return CLOUD_ATTACHING;
    return strcmp(state, "detaching") == 0 || strcmp(state, "busy") == 0 ? CLOUD_DETACHING : CLOUD_ATTACHMENT_UNKNOWN;
}

static int parse_attachments(struct cloud *cloud, const struct document_node *volume, struct cloud_disk *ret)
{
    const struct document_node *item = document_first(volume, "attachmentSet");

    for (; item; item = item->next) {
        struct cloud_attachment *attachment = &ret->attachments[ret->attachment_count];

        if (strcmp(document_text(item, "status"), "detached") == 0)
            continue;
        if (ret->attachment_count >= CLOUD_ATTACHMENTS ||
            document_copy(item, "instanceId", attachment->instance, sizeof(attachment->instance)) < 0 ||
            !attachment->instance[0] || document_copy(item, "device", attachment->device, sizeof(attachment->device)) < 0)
            return cloud_malformed(cloud, "an attachment");
        attachment->state = parse_attachment_state(document_text(item, "status"));
        attachment->since = document_parse_time(document_text(item, "attachTime"), 0);
        ret->attachment_count++;
    }
    return 0;
}

/* NVMe shows the volume id without its hyphen as the serial ("Identify EBS volumes by NVMe", EBS user guide). */
static void name_device(struct cloud_disk *disk)
{
    const char *rest = text_after(disk->id, "vol-");

    if (rest)
        (void)text_format(disk->serial, sizeof(disk->serial), "vol%s", rest);
}

static int aws_disk_get(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *volume;
    int r;

    parameters_add(&parameters, "VolumeId.1", "%s", id);
    r = send_action(cloud, "ec2", "DescribeVolumes", &parameters, false, deadline, &document);
    if (r < 0)
        return r;
    volume = document_find(document.root, "volumeSet/item");
    if (document_copy(volume, "volumeId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(volume, "availabilityZone", ret->zone, sizeof(ret->zone)) < 0)
        return cloud_malformed(cloud, "the volume that was asked for");
    document_words(volume, "status", ret->state_text, sizeof(ret->state_text));
    ret->state = parse_disk_state(ret->state_text);
    ret->size_gib = document_number(volume, "size", 0);
    ret->multi_attach = document_true(volume, "multiAttachEnabled");
    ret->encrypted = document_true(volume, "encrypted");
    name_device(ret);
    return parse_attachments(cloud, volume, ret);
}

static bool is_mapped(const struct document_node *instance, const char *device)
{
    const struct document_node *item = document_first(instance, "blockDeviceMapping");

    for (; item; item = item->next) {
        const char *name = document_text(item, "deviceName");

        /* /dev/sdf and /dev/xvdf are one name ("Device names for volumes", EC2 user guide). */
        if (strcmp(name, device) == 0 || (strncmp(name, "/dev/xvd", 8) == 0 && strcmp(name + 8, device + 7) == 0) ||
            (strncmp(device, "/dev/xvd", 8) == 0 && strncmp(name, "/dev/sd", 7) == 0 && strcmp(name + 7, device + 8) == 0))
            return true;
    }
    return false;
}

#define DEVICE_NAMES (11 + 3 * 26)
#define DEVICE_TRIES 8

/* The free device name number `skip` of those that EC2 recommends for volumes: /dev/sd[f-p], then /dev/xvd[b-d][a-z]; the last one where there are less. */
static int choose_device(struct cloud *cloud, const char *instance, unsigned int skip, struct deadline deadline,
                         char *device, size_t size)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *node;
    int r = describe_instance(cloud, instance, deadline, &document, &node);
    bool found = false;

    for (unsigned int i = 0; r == 0 && i < DEVICE_NAMES; i++) {
        char name[16];

        if (i < 11)
            (void)text_format(name, sizeof(name), "/dev/sd%c", 'f' + (int)i);
        else
            (void)text_format(name, sizeof(name), "/dev/xvd%c%c", 'b' + (int)((i - 11) / 26), 'a' + (int)((i - 11) % 26));
        if (is_mapped(node, name))
            continue;
        (void)text_copy(device, size, name);
        found = true;
        if (skip-- == 0)
            break;
    }
    if (found)
        return 0;
    return r < 0 ? r : cloud_fail(cloud, CLOUD_DEVICE_NAME, "instance %s has no device name left", instance);
}

static int aws_disk_attach(struct cloud *cloud, const char *id, const char *instance, const char *device,
                           struct deadline deadline)
{
    /* A name that was free may be taken by a neighbour of ours in the meantime: another one is tried, by chance, since several that start at once would go on
     * to choose the same. */
    for (unsigned int attempt = 0;; attempt++) {
        _cleanup_parameters_ struct parameters parameters = { 0 };
        char chosen[64];
        int r = device ? 0 : choose_device(cloud, instance, digest_random(10 * attempt + 1), deadline, chosen, sizeof(chosen));

        if (r < 0)
            return r;
        parameters_add(&parameters, "VolumeId", "%s", id);
        parameters_add(&parameters, "InstanceId", "%s", instance);
        parameters_add(&parameters, "Device", "%s", device ? device : chosen);
        r = send_change(cloud, "ec2", "AttachVolume", &parameters, deadline);
        if (r == 0 || device || cloud->failure.error != CLOUD_DEVICE_NAME || attempt + 1 >= DEVICE_TRIES)
            return r;
    }
}

static int aws_disk_detach(struct cloud *cloud, const char *id, const char *instance, bool force, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "VolumeId", "%s", id);
    parameters_add(&parameters, "InstanceId", "%s", instance);
    if (force)
        parameters_add(&parameters, "Force", "true");
    return send_change(cloud, "ec2", "DetachVolume", &parameters, deadline);
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

/* The interface that is meant, and its VPC: the same private address may exist in several VPCs of one account. */
struct own_interface {
    char id[CLOUD_ID_SIZE];
    char vpc[CLOUD_ID_SIZE];
};

static int describe_interfaces(struct cloud *cloud, const char *filter, const char *value, const char *vpc,
                               struct deadline deadline, struct document *document)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    unsigned int filters = 0;

    add_filter(&parameters, &filters, "", filter, value);
    if (vpc)
        add_filter(&parameters, &filters, "", "vpc-id", vpc);
    return send_action(cloud, "ec2", "DescribeNetworkInterfaces", &parameters, false, deadline, document);
}

static int find_own_interface(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                              struct deadline deadline, struct own_interface *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item;
    int r = spec->interface
                ? describe_interfaces(cloud, "network-interface-id", spec->interface, NULL, deadline, &document)
                : describe_interfaces(cloud, "attachment.instance-id", self, NULL, deadline, &document);

    if (r < 0)
        return r;
    for (item = document_first(document.root, "networkInterfaceSet"); item; item = item->next) {
        if (!spec->interface && strcmp(document_text(item, "attachment/deviceIndex"), "0") != 0)
            continue;
        if (document_copy(item, "networkInterfaceId", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
            document_copy(item, "vpcId", ret->vpc, sizeof(ret->vpc)) < 0 || !ret->vpc[0])
            return cloud_malformed(cloud, "a network interface");
        if (spec->interface && strcmp(document_text(item, "attachment/instanceId"), self) != 0)
            return cloud_fail(cloud, CLOUD_INVALID, "interface %s does not belong to %s", spec->interface, self);
        return 0;
    }
    return cloud_fail(cloud, CLOUD_NOT_FOUND, "no network interface %s of instance %s", spec->interface ? spec->interface : "0", self);
}

static int secondary_get(struct cloud *cloud, const struct cloud_address_spec *spec, const struct own_interface *own,
                         struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    int r = describe_interfaces(cloud, strchr(spec->address, ':') ? "ipv6-addresses.ipv6-address" : "addresses.private-ip-address",
                                spec->address, own->vpc, deadline, &document);

    if (r == 0)
        r = find_set(cloud, &document, "networkInterfaceSet", &item);
    if (r < 0 || !item)
        return r;
    if (document_copy(item, "networkInterfaceId", ret->interface, sizeof(ret->interface)) < 0 || !ret->interface[0] ||
        document_copy(item, "attachment/instanceId", ret->instance, sizeof(ret->instance)) < 0)
        return cloud_malformed(cloud, "a network interface");
    ret->assigned = true;
    return 0;
}

static int send_secondary(struct cloud *cloud, const char *action4, const char *action6, const char *interface,
                          const char *address, bool reassign, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    bool six = strchr(address, ':') != NULL;

    parameters_add(&parameters, "NetworkInterfaceId", "%s", interface);
    parameters_add(&parameters, six ? "Ipv6Addresses.1" : "PrivateIpAddress.1", "%s", address);
    if (reassign && !six)
        parameters_add(&parameters, "AllowReassignment", "true");
    return send_change(cloud, "ec2", six ? action6 : action4, &parameters, deadline);
}

/* IPv6 addresses know no reassignment: taken away first. */
static int secondary_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const struct own_interface *own,
                            struct deadline deadline)
{
    if (strchr(spec->address, ':')) {
        struct cloud_address now = { 0 };
        int r = secondary_get(cloud, spec, own, deadline, &now);

        if (r == 0 && now.assigned && strcmp(now.interface, own->id) == 0)
            return 0;
        if (r == 0 && now.assigned)
            r = send_secondary(cloud, "", "UnassignIpv6Addresses", now.interface, spec->address, false, deadline);
        if (r < 0)
            return r;
    }
    return send_secondary(cloud, "AssignPrivateIpAddresses", "AssignIpv6Addresses", own->id, spec->address, true, deadline);
}

static int describe_elastic(struct cloud *cloud, const char *address, struct deadline deadline, struct document *document,
                            struct cloud_address *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    const struct document_node *item;
    int r;

    parameters_add(&parameters, strncmp(address, "eipalloc-", 9) == 0 ? "AllocationId.1" : "PublicIp.1", "%s", address);
    r = send_action(cloud, "ec2", "DescribeAddresses", &parameters, false, deadline, document);
    if (r < 0)
        return r;
    item = document_first(document->root, "addressesSet");
    if (!item || (strcmp(document_text(item, "publicIp"), address) != 0 && strcmp(document_text(item, "allocationId"), address) != 0) ||
        document_copy(item, "allocationId", ret->id, sizeof(ret->id)) < 0 ||
        document_copy(item, "instanceId", ret->instance, sizeof(ret->instance)) < 0 ||
        document_copy(item, "networkInterfaceId", ret->interface, sizeof(ret->interface)) < 0 ||
        document_copy(item, "privateIpAddress", ret->private_address, sizeof(ret->private_address)) < 0)
        return cloud_malformed(cloud, "the address that was asked for");
    ret->assigned = *document_text(item, "associationId") || ret->instance[0] || ret->interface[0];
    return 0;
}

static int elastic_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const struct own_interface *own,
                          struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    struct cloud_address now = { 0 };
    int r = describe_elastic(cloud, spec->address, deadline, &document, &now);

    if (r < 0)
        return r;
    if (!now.id[0])
        return cloud_malformed(cloud, "the address's allocation id");
    parameters_add(&parameters, "AllocationId", "%s", now.id);
    parameters_add(&parameters, "NetworkInterfaceId", "%s", own->id);
    if (spec->private_address)
        parameters_add(&parameters, "PrivateIpAddress", "%s", spec->private_address);
    parameters_add(&parameters, "AllowReassociation", "true");
    return send_change(cloud, "ec2", "AssociateAddress", &parameters, deadline);
}

static int elastic_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                           struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    struct cloud_address now = { 0 };
    const char *association;
    int r = describe_elastic(cloud, spec->address, deadline, &document, &now);

    if (r < 0)
        return r;
    association = document_text(document.root, "addressesSet/item/associationId");
    if (strcmp(now.instance, self) != 0 || !*association)
        return 0;
    parameters_add(&parameters, "AssociationId", "%s", association);
    r = send_change(cloud, "ec2", "DisassociateAddress", &parameters, deadline);
    return r < 0 && cloud->failure.error == CLOUD_ALREADY ? 0 : r;
}

/* ---- routes ----------------------------------------------------------------------------------------------------- */

static int describe_tables(struct cloud *cloud, const char *tables, struct deadline deadline, struct document *document)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    const char *cursor = tables, *word;
    size_t length;
    unsigned int count = 0;

    while (text_next_word(&cursor, " ,\t", &word, &length)) {
        char key[32];

        (void)text_format(key, sizeof(key), "RouteTableId.%u", ++count);
        parameters_add(&parameters, key, "%.*s", (int)length, word);
    }
    return send_action(cloud, "ec2", "DescribeRouteTables", &parameters, false, deadline, document);
}

/* The route in that table, or NULL where the table, which must be in the answer, has none. */
static int find_route(struct cloud *cloud, const struct document *document, const char *table, const char *destination,
                      const struct document_node **ret)
{
    const struct document_node *item = NULL, *route;
    int r = cloud_pick(cloud, document_first(document->root, "routeTableSet"), "routeTableId", table, &item);

    if (r < 0)
        return r;
    if (!document_find(item, "routeSet"))
        return cloud_malformed(cloud, "the route table that was asked for");
    route = document_first(item, "routeSet");
    while (route && strcmp(document_text(route, "destinationCidrBlock"), destination) != 0 &&
           strcmp(document_text(route, "destinationIpv6CidrBlock"), destination) != 0)
        route = route->next;
    *ret = route;
    return 0;
}

static int route_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                     struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const char *cursor = spec->tables, *word;
    size_t length;
    bool first = true;
    int r = describe_tables(cloud, spec->tables, deadline, &document);

    while (r == 0 && text_next_word(&cursor, " ,\t", &word, &length)) {
        _cleanup_free_ char *table = strndup(word, length);
        const struct document_node *route = NULL;
        struct cloud_address one = { 0 };

        if (!table)
            return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
        r = find_route(cloud, &document, table, spec->address, &route);
        if (r < 0)
            return r;
        one.assigned = route != NULL;
        if (document_copy(route, "instanceId", one.instance, sizeof(one.instance)) < 0 ||
            document_copy(route, "networkInterfaceId", one.interface, sizeof(one.interface)) < 0)
            return cloud_malformed(cloud, "a route");
        cloud_merge_route(&one, self, first, ret);
        first = false;
    }
    return r;
}

static int send_route(struct cloud *cloud, const char *action, const char *table, const char *destination,
                      const char *interface, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    parameters_add(&parameters, "RouteTableId", "%s", table);
    parameters_add(&parameters, strchr(destination, ':') ? "DestinationIpv6CidrBlock" : "DestinationCidrBlock", "%s", destination);
    if (interface)
        parameters_add(&parameters, "NetworkInterfaceId", "%s", interface);
    return send_change(cloud, "ec2", action, &parameters, deadline);
}

/* own: where the routes are to lead; NULL: those that lead to self are deleted. */
static int change_routes(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                         const struct own_interface *own, struct deadline deadline)
{
    _cleanup_document_ struct document document = { 0 };
    const char *cursor = spec->tables, *word;
    size_t length;
    int r = describe_tables(cloud, spec->tables, deadline, &document);

    while (r == 0 && text_next_word(&cursor, " ,\t", &word, &length)) {
        _cleanup_free_ char *table = strndup(word, length);
        const struct document_node *route = NULL;

        if (!table)
            return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
        r = find_route(cloud, &document, table, spec->address, &route);
        if (r < 0)
            return r;
        if (own && strcmp(document_text(route, "networkInterfaceId"), own->id) != 0)
            r = send_route(cloud, route ? "ReplaceRoute" : "CreateRoute", table, spec->address, own->id, deadline);
        else if (!own && route && strcmp(document_text(route, "instanceId"), self) == 0)
            r = send_route(cloud, "DeleteRoute", table, spec->address, NULL, deadline);
    }
    return r;
}

static int aws_address_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                           struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_document_ struct document document = { 0 };
    struct own_interface own = { 0 };
    int r;

    switch (spec->kind) {
    case CLOUD_ADDRESS_SECONDARY:
        r = find_own_interface(cloud, spec, self, deadline, &own);
        return r < 0 ? r : secondary_get(cloud, spec, &own, deadline, ret);
    case CLOUD_ADDRESS_ELASTIC:
        return describe_elastic(cloud, spec->address, deadline, &document, ret);
    case CLOUD_ADDRESS_ROUTE:
        return route_get(cloud, spec, self, deadline, ret);
    default:
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "AWS has no HaVip: use mode secondary, eip or route");
    }
}

static int aws_address_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                              struct deadline deadline)
{
    struct own_interface own = { 0 };
    int r;

    if (spec->kind == CLOUD_ADDRESS_HAVIP)
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "AWS has no HaVip: use mode secondary, eip or route");
    r = find_own_interface(cloud, spec, self, deadline, &own);
    if (r < 0)
        return r;
    if (spec->kind == CLOUD_ADDRESS_SECONDARY)
        return secondary_assign(cloud, spec, &own, deadline);
    if (spec->kind == CLOUD_ADDRESS_ELASTIC)
        return elastic_assign(cloud, spec, &own, deadline);
    return change_routes(cloud, spec, self, &own, deadline);
}

static int aws_address_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                               struct deadline deadline)
{
    struct own_interface own = { 0 };
    struct cloud_address now = { 0 };
    int r;

    if (spec->kind == CLOUD_ADDRESS_ELASTIC)
        return elastic_release(cloud, spec, self, deadline);
    if (spec->kind == CLOUD_ADDRESS_ROUTE)
        return change_routes(cloud, spec, self, NULL, deadline);
    if (spec->kind == CLOUD_ADDRESS_HAVIP)
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "AWS has no HaVip: use mode secondary, eip or route");
    r = find_own_interface(cloud, spec, self, deadline, &own);
    if (r == 0)
        r = secondary_get(cloud, spec, &own, deadline, &now);
    if (r < 0 || !now.assigned || strcmp(now.instance, self) != 0)
        return r;
    return send_secondary(cloud, "UnassignPrivateIpAddresses", "UnassignIpv6Addresses", now.interface, spec->address, false,
                          deadline);
}

/* ---- balancers -------------------------------------------------------------------------------------------------- */

static void add_target(struct parameters *parameters, const struct cloud_target *target)
{
    parameters_add(parameters, "TargetGroupArn", "%s", target->group);
    parameters_add(parameters, "Targets.member.1.Id", "%s", target->address ? target->address : target->instance);
    if (target->port > 0)
        parameters_add(parameters, "Targets.member.1.Port", "%u", target->port);
}

static enum cloud_target_health parse_health(const char *state, const char *reason)
{
    if (strcmp(state, "healthy") == 0)
        return CLOUD_TARGET_HEALTHY;
    if (strcmp(state, "unhealthy") == 0)
        return CLOUD_TARGET_UNHEALTHY;
    if (strcmp(state, "initial") == 0)
        return CLOUD_TARGET_INITIAL;
    if (strcmp(state, "draining") == 0 || strcmp(state, "unhealthy.draining") == 0)
        return CLOUD_TARGET_DRAINING;
    if (strcmp(state, "unavailable") == 0)
        return CLOUD_TARGET_UNCHECKED;
    if (strcmp(state, "unused") != 0)
        return CLOUD_TARGET_UNKNOWN;
    if (strcmp(reason, "Target.NotRegistered") == 0)
        return CLOUD_TARGET_ABSENT;
    return strcmp(reason, "Target.InvalidState") == 0 ? CLOUD_TARGET_UNHEALTHY : CLOUD_TARGET_UNCHECKED;
}

/* Of several ports of one target the worst is told. */
static int badness(enum cloud_target_health health)
{
    static const enum cloud_target_health order[] = { CLOUD_TARGET_ABSENT,   CLOUD_TARGET_HEALTHY,  CLOUD_TARGET_UNCHECKED,
                                                      CLOUD_TARGET_INITIAL,  CLOUD_TARGET_DRAINING, CLOUD_TARGET_UNHEALTHY,
                                                      CLOUD_TARGET_UNKNOWN };
    int place = 0;

    while (place < (int)ARRAY_SIZE(order) && order[place] != health)
        place++;
    return place;
}

static void read_drain_time(struct cloud *cloud, const char *group, struct deadline deadline, uint64_t *ret_ms)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item;

    parameters_add(&parameters, "TargetGroupArn", "%s", group);
    if (send_action(cloud, "elb", "DescribeTargetGroupAttributes", &parameters, false, deadline, &document) < 0)
        return; /* only the wait gets shorter knowledge of its end */
    item = document_first(document.root, "DescribeTargetGroupAttributesResult/Attributes");
    for (; item; item = item->next)
        if (strcmp(document_text(item, "Key"), "deregistration_delay.timeout_seconds") == 0)
            *ret_ms = 1000 * document_number(item, "Value", 0);
}

static int aws_target_get(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                          struct cloud_target_state *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item;
    bool told = false;
    int r;

    add_target(&parameters, target);
    r = send_action(cloud, "elb", "DescribeTargetHealth", &parameters, false, deadline, &document);
    if (r < 0)
        return r;
    item = document_first(document.root, "DescribeTargetHealthResult/TargetHealthDescriptions");
    ret->health = CLOUD_TARGET_ABSENT;
    for (; item; item = item->next) {
        enum cloud_target_health health = parse_health(document_text(item, "TargetHealth/State"), document_text(item, "TargetHealth/Reason"));

        if (strcmp(document_text(item, "Target/Id"), target->address ? target->address : target->instance) != 0 ||
            badness(health) < badness(ret->health))
            continue;
        told = true;
        ret->health = health;
        (void)text_format(ret->text, sizeof(ret->text), "%.24s %.80s", document_text(item, "TargetHealth/State"),
                          document_text(item, "TargetHealth/Reason"));
        (void)text_make_printable(ret->text);
    }
    if (!told)
        return cloud_malformed(cloud, "the target's health");
    if (ret->health == CLOUD_TARGET_DRAINING)
        read_drain_time(cloud, target->group, deadline, &ret->drain_ms);
    return 0;
}

static int aws_target_register(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    add_target(&parameters, target);
    return send_change(cloud, "elb", "RegisterTargets", &parameters, deadline);
}

static int aws_target_deregister(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };

    add_target(&parameters, target);
    return send_change(cloud, "elb", "DeregisterTargets", &parameters, deadline);
}

const struct cloud_provider cloud_aws = {
    .name = "aws",
    .metadata = "http://169.254.169.254",
    .dmi_words = (const char *const[]){ "amazon", NULL },
    .services = services,
    .xml = true,
    .formats = formats,
    .host = aws_host,
    .sign = aws_sign,
    .read_error = aws_read_error,
    .classify = aws_classify,
    .self = aws_self,
    .role_keys = aws_role_keys,
    .address_in_metadata = aws_address_in_metadata,
    .check = aws_check,
    .instance_get = aws_instance_get,
    .instance_list = aws_instance_list,
    .instance_power = aws_instance_power,
    .disk_get = aws_disk_get,
    .disk_attach = aws_disk_attach,
    .disk_detach = aws_disk_detach,
    .address_get = aws_address_get,
    .address_assign = aws_address_assign,
    .address_release = aws_address_release,
    .target_get = aws_target_get,
    .target_register = aws_target_register,
    .target_drain = aws_target_deregister,
    .target_deregister = aws_target_deregister,
};
