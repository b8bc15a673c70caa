/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Huawei Cloud: REST with JSON, ECS v1, EVS v2, VPC v1 and EIP v3, ELB v3; SDK-HMAC-SHA256. API references at support.huaweicloud.com. Attach, detach
 * and power are jobs: a job that fails is HTTP 200.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cloud/cloud_provider.h"
#include "cloud/error_rules.h"
#include "cloud/signing.h"

#define TOKEN_HEADER "X-Metadata-Token"

static const struct cloud_service services[] = {
    { "ecs", "ecs", "v1" }, { "evs", "evs", "v2" }, { "vpc", "vpc", "v1" }, { "elb", "elb", "v3" }, { "iam", "iam", "v3" }, {},
};

static const struct credential_format formats[] = {
    { .section = "basic", .access = "ak", .secret = "sk", .token = "security_token" },
    {},
};

/* ECS "Error codes", EVS "Error codes", API Gateway "Error codes"; "HTTP status codes may not be accurate", so that the code comes first. */
static const struct error_rule rules[] = {
    { "APIGW.0308", NULL, CLOUD_THROTTLED },
    { "APIG.0308", NULL, CLOUD_THROTTLED },
    { "APIGW.0301", "signature expired", CLOUD_CLOCK },
    { "APIG.0301", "signature expired", CLOUD_CLOCK },
    { "APIGW.030*", NULL, CLOUD_AUTH },
    { "APIG.030*", NULL, CLOUD_AUTH },
    { "APIGW.0802", NULL, CLOUD_PERMISSION },
    { "APIGW.010*", NULL, CLOUD_INVALID }, /* the gateway's word on the call, not on the thing: "The API does not exist" */
    { "APIG.010*", NULL, CLOUD_INVALID },
    { "APIC.010*", NULL, CLOUD_INVALID },
    { "Ecs.0003", NULL, CLOUD_PERMISSION },
    { "Ecs.0110", NULL, CLOUD_PERMISSION },
    { "Ecs.0111", NULL, CLOUD_ALREADY },
    { "Ecs.0057", NULL, CLOUD_ALREADY },
    { "Ecs.0017", NULL, CLOUD_WRONG_STATE },
    { "Ecs.0103", NULL, CLOUD_WRONG_STATE },
    { "Ecs.0100", NULL, CLOUD_WRONG_STATE },
    { "EVS.1031", NULL, CLOUD_WRONG_STATE },
    { "EVS.202*", NULL, CLOUD_WRONG_STATE },
    { "EVS.2068", NULL, CLOUD_CONFLICT },
    { "Ecs.0603", NULL, CLOUD_CONFLICT },
    { "Ecs.0219", "being operated", CLOUD_CONFLICT },
    { "Ecs.0121", NULL, CLOUD_WRONG_ZONE },
    { "Ecs.0104", NULL, CLOUD_QUOTA },
    { "Ecs.0042", NULL, CLOUD_QUOTA },
    { "Ecs.0809", NULL, CLOUD_QUOTA },
    { "*", "insufficient", CLOUD_QUOTA },
    { "*", "quota", CLOUD_QUOTA },
    { "Ecs.0005", "device", CLOUD_DEVICE_NAME },
    { "Ecs.0010", NULL, CLOUD_IN_USE },
    { "VPC.0510", NULL, CLOUD_IN_USE },
    { "VPC.0511", NULL, CLOUD_ALREADY },
    { "ELB.8907", NULL, CLOUD_ALREADY },
    { "Ecs.0114", NULL, CLOUD_NOT_FOUND },
    { "Ecs.0614", NULL, CLOUD_NOT_FOUND },
    { "EVS.5404", NULL, CLOUD_NOT_FOUND },
    { "ELB.8904", NULL, CLOUD_NOT_FOUND },
    { "*", "could not be found", CLOUD_NOT_FOUND },
    { "*", "does not exist", CLOUD_NOT_FOUND },
    { "*", "try again later", CLOUD_TRANSIENT },
    { "Ecs.0005", NULL, CLOUD_INVALID },
    { "Ecs.0006", NULL, CLOUD_INVALID },
    { "EVS.10*", NULL, CLOUD_INVALID },
    {},
};

static int huawei_host(const struct cloud *cloud, const struct cloud_service *service, char *buffer, size_t size)
{
    return text_format(buffer, size, "%s.%s.myhuaweicloud.com", service->host, cloud->region);
}

static int huawei_sign(struct cloud *cloud, const struct api_call *call, const struct credentials *keys,
                       struct api_message *message)
{
    _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
    struct signing_request request = { .method = call->method };
    time_t now = (time_t)message->now;
    struct tm utc;
    char date[20];
    int r;

    if (!gmtime_r(&now, &utc) || strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &utc) == 0)
        return -EINVAL;
    if (call->parameters) {
        parameters_sort(call->parameters);
        parameters_encode(call->parameters, &message->query);
    }
    if (call->body)
        parameters_add(&message->headers, "Content-Type", "application/json;charset=UTF-8");
    parameters_add(&message->headers, "X-Sdk-Date", "%s", date);
    if (cloud->project[0])
        parameters_add(&message->headers, "X-Project-Id", "%s", cloud->project);
    if (keys->token[0])
        parameters_add(&message->headers, "X-Security-Token", "%s", keys->token);
    if (message->headers.failed || message->body.failed || message->path.failed || message->query.failed)
        return -ENOMEM;
    request.path = message->path.text;
    request.query = message->query.length > 0 ? message->query.text : "";
    request.body = message->body.text ? message->body.text : "";
    request.body_length = message->body.length;
    request.headers = &message->headers;
    r = sign_huawei(&request, &(struct signing_keys){ keys->access, keys->secret }, NULL, &authorization);
    if (r == 0)
        parameters_add(&message->headers, "Authorization", "%s", authorization.text);
    return r;
}

/* {"error":{..}} (ECS, EVS), {"error_code":..} (gateway, ELB), {"code":..} (VPC), {"badRequest":{..}}, {"itemNotFound":{..}} (what lies beneath). */
static bool huawei_read_error(const struct document_node *root, struct api_error *error)
{
    static const struct {
        const char *where, *code, *words;
    } forms[] = {
        { "error", "code", "message" },          { "error", "error_code", "error_msg" }, { "", "error_code", "error_msg" },
        { "", "code", "message" },               { "badRequest", "code", "message" },   { "badrequest", "code", "message" },
        { "itemNotFound", "code", "message" },   { "forbidden", "code", "message" },    { "NeutronError", "type", "message" },
        { "computeFault", "code", "message" },   { "conflictingRequest", "code", "message" },
    };

    document_words(root, "request_id", error->request_id, sizeof(error->request_id));
    if (document_find(root, "job_id"))
        return false; /* a job's own error is its reader's part */
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct document_node *node = document_find(root, forms[i].where);

        if (!*document_text(node, forms[i].code))
            continue;
        document_words(node, forms[i].code, error->code, sizeof(error->code));
        document_words(node, forms[i].words, error->words, sizeof(error->words));
        return true;
    }
    return false;
}

static enum cloud_error huawei_classify(const struct api_error *error)
{
    enum cloud_error class = error_rules_apply(rules, error);

    if (class != CLOUD_REFUSED)
        return class;
    if (error->status == 404)
        return CLOUD_NOT_FOUND;
    if (error->status == 409)
        return CLOUD_WRONG_STATE;
    return error->status == 400 ? CLOUD_INVALID : class;
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static int need_project(struct cloud *cloud, struct deadline deadline);

/* What a call is for, in words; where; and what is in it. body and parameters may be NULL. */
struct rest {
    const char *service, *what, *method;
    struct text_buffer *body;
    struct parameters *parameters;
    bool changes;
};

/* path is a format with the version in front and without the project: "v1 cloudservers/%s" is sent as /v1/PROJECT/cloudservers/... */
static int send_rest(struct cloud *cloud, const struct rest *rest, struct deadline deadline, struct document *ret,
                     const char *format, ...) _printf_(5, 6);
static int send_rest(struct cloud *cloud, const struct rest *rest, struct deadline deadline, struct document *ret,
                     const char *format, ...)
{
    struct api_call call = { .service = rest->service, .action = rest->what, .method = rest->method, .parameters = rest->parameters,
                             .body = rest->body ? rest->body->text : NULL, .changes = rest->changes };
    _cleanup_free_ char *tail = NULL, *path = NULL;
    va_list arguments;
    int r = need_project(cloud, deadline);

    if (r < 0)
        return r;
    va_start(arguments, format);
    tail = text_vprintf(format, arguments);
    va_end(arguments);
    path = tail ? text_printf("/%.2s/%s/%s", tail, cloud->project, tail + 3) : NULL;
    if (!path || (rest->body && rest->body->failed) || (rest->parameters && rest->parameters->failed))
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    call.path = path;
    return api_call_send(cloud, &call, deadline, ret);
}

static int find_list(struct cloud *cloud, const struct document *document, const char *path,
                     const struct document_node **ret)
{
    const struct document_node *list = document_find(document->root, path);

    if (!list || !list->list)
        return cloud_malformed(cloud, path);
    *ret = list->child;
    return 0;
}

static int fail_by_job(struct cloud *cloud, const char *job, const struct document_node *root)
{
    struct api_error error = { .status = 200 };
    enum cloud_error class;

    document_words(root, "error_code", error.code, sizeof(error.code));
    document_words(root, "fail_reason", error.words, sizeof(error.words));
    class = huawei_classify(&error);
    (void)cloud_fail(cloud, class, "job %s has failed: %s: %.160s", job, error.code, error.words);
    (void)text_copy(cloud->failure.code, sizeof(cloud->failure.code), error.code);
    return cloud_error_errno(class);
}

/* Follows a job to its end. -errno where it has failed; past the deadline -ETIMEDOUT, the outcome being open. */
static int await_job(struct cloud *cloud, const char *job, struct deadline deadline)
{
    const struct rest rest = { .service = "ecs", .what = "show job", .method = "GET" };
    uint64_t pause = 0;

    for (;;) {
        _cleanup_document_ struct document document = { 0 };
        const char *status;
        int r = send_rest(cloud, &rest, deadline, &document, "v1 jobs/%s", job);

        status = r == 0 ? document_text(document.root, "status") : "";
        if (strcmp(status, "SUCCESS") == 0)
            return 0;
        if (strcmp(status, "FAIL") == 0)
            return fail_by_job(cloud, job, document.root);
        if (r == 0)
            r = cloud_pause(cloud, deadline, &pause, "a job of the cloud");
        if (r < 0) {
            cloud->failure.maybe_done = true;
            return r;
        }
    }
}

/* The job that a change has started. */
static int read_job(struct cloud *cloud, const struct document *document, char job[CLOUD_ID_SIZE])
{
    int r = document_copy(document->root, "job_id", job, CLOUD_ID_SIZE) < 0 || !cloud_id_valid(job) ? cloud_malformed(cloud, "the job") : 0;

    if (r < 0)
        cloud->failure.maybe_done = true;
    return r;
}

/* ---- metadata service ------------------------------------------------------------------------------------------- */

static int get_token(struct cloud *cloud, struct deadline deadline)
{
    return metadata_token(cloud, "/meta-data/latest/api/token", TOKEN_HEADER "-Ttl-Seconds", true, deadline);
}

static int huawei_self(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret)
{
    _cleanup_document_ struct document document = { 0 };
    char project[sizeof(cloud->project)];
    int r = get_token(cloud, deadline);

    if (r == 0)
        r = metadata_get_json(cloud, "/openstack/latest/meta_data.json", TOKEN_HEADER, deadline, &document);
    if (r < 0)
        return r;
    if (document_copy(document.root, "uuid", ret->instance, sizeof(ret->instance)) < 0 || strlen(ret->instance) != 36 ||
        document_copy(document.root, "availability_zone", ret->zone, sizeof(ret->zone)) < 0 || !ret->zone[0] ||
        document_copy(document.root, "region_id", ret->region, sizeof(ret->region)) < 0 || !ret->region[0] ||
        document_copy(document.root, "project_id", project, sizeof(project)) < 0)
        return cloud_malformed(cloud, "the instance's metadata");
    if (!cloud->project[0] && cloud_id_valid(project))
        (void)text_copy(cloud->project, sizeof(cloud->project), project);
    return 0;
}

static int huawei_role_keys(struct cloud *cloud, struct deadline deadline, struct credentials *ret)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *node;
    int r = get_token(cloud, deadline);

    if (r == 0)
        r = metadata_get_json(cloud, "/openstack/latest/securitykey", TOKEN_HEADER, deadline, &document);
    if (r < 0 && cloud->failure.error == CLOUD_NOT_FOUND)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "this instance has no agency: give it one, or set credentials");
    if (r < 0)
        return r;
    node = document_find(document.root, "credential");
    if (credentials_set(ret, document_text(node, "access"), document_text(node, "secret"), document_text(node, "securitytoken"),
                        document_parse_time(document_text(node, "expires_at"), 0)) < 0)
        return cloud_fail(cloud, CLOUD_CREDENTIALS, "the metadata service gives no usable keys for the instance's agency");
    return 0;
}

/* A key of a file does not say its project: IAM knows that of the region. */
static int ask_project(struct cloud *cloud, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct api_call call = { .service = "iam", .action = "list projects", .method = "GET", .path = "/v3/projects", .parameters = &parameters };
    const struct document_node *item = NULL;
    int r;

    parameters_add(&parameters, "name", "%s", cloud->region);
    r = parameters.failed ? cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory") : api_call_send(cloud, &call, deadline, &document);
    if (r == 0)
        r = find_list(cloud, &document, "projects", &item);
    while (r == 0 && item && strcmp(document_text(item, "name"), cloud->region) != 0)
        item = item->next;
    if (r < 0)
        return r;
    if (document_copy(item, "id", cloud->project, sizeof(cloud->project)) < 0 || !cloud_id_valid(cloud->project)) {
        cloud->project[0] = '\0';
        return cloud_fail(cloud, CLOUD_INVALID, "no project of region %s is known to this key: set project", cloud->region);
    }
    return 0;
}

static int need_project(struct cloud *cloud, struct deadline deadline)
{
    struct cloud_self self = { 0 };
    int r;

    if (cloud->project[0])
        return 0;
    if (cloud->config.credentials)
        return ask_project(cloud, deadline);
    r = huawei_self(cloud, deadline, &self);
    return r < 0 || cloud->project[0] ? r : ask_project(cloud, deadline);
}

/* ---- instances -------------------------------------------------------------------------------------------------- */

/* What the hypervisor says where the machine's memory lives on (nova/compute/power_state.py): running, paused, suspended. It goes on from there. */
static bool keeps_memory(const char *power)
{
    return strcmp(power, "1") == 0 || strcmp(power, "3") == 0 || strcmp(power, "7") == 0;
}

/* Off is SHUTOFF with no task under way, and a hypervisor that does not contradict. */
static enum cloud_power parse_power(const struct document_node *server)
{
    const char *status = document_text(server, "status"), *task = document_text(server, "OS-EXT-STS:task_state");
    const char *power = document_text(server, "OS-EXT-STS:power_state");

    if (strcmp(task, "powering-off") == 0)
        return CLOUD_POWER_STOPPING;
    if (strcmp(task, "powering-on") == 0 || strcmp(status, "BUILD") == 0)
        return CLOUD_POWER_STARTING;
    if (strcmp(status, "ACTIVE") == 0 || strcmp(status, "REBOOT") == 0 || strcmp(status, "HARD_REBOOT") == 0)
        return CLOUD_POWER_RUNNING;
    if (strcmp(status, "SHUTOFF") == 0)
        return *task || keeps_memory(power) ? CLOUD_POWER_UNKNOWN : CLOUD_POWER_STOPPED;
    return strcmp(status, "DELETED") == 0 ? CLOUD_POWER_TERMINATED : CLOUD_POWER_UNKNOWN;
}

/* The fixed address of the first network, preferring what is marked as primary. */
static const struct document_node *primary_address(const struct document_node *server)
{
    const struct document_node *network = document_first(server, "addresses"), *item, *first = NULL;

    for (; network; network = network->next)
        for (item = network->child; item; item = item->next) {
            if (strcmp(document_text(item, "OS-EXT-IPS:type"), "fixed") != 0)
                continue;
            first = first ? first : item;
            if (document_true(item, "primary"))
                return item;
        }
    return first;
}

/* Tags come as "key=value". */
static void find_tag(const struct document_node *server, const char *key, char *buffer, size_t size)
{
    const struct document_node *item = document_first(server, "tags");

    for (; key && item; item = item->next) {
        const char *rest = item->text ? text_after(item->text, key) : NULL;

        if (rest && *rest == '=') {
            (void)text_format(buffer, size, "%s", rest + 1);
            (void)text_make_printable(buffer);
        }
    }
}

static int parse_instance(struct cloud *cloud, const struct document_node *server, const char *tag, struct cloud_instance *ret)
{
    const struct document_node *address = primary_address(server);

    *ret = (struct cloud_instance){ 0 };
    if (document_copy(server, "id", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(server, "OS-EXT-AZ:availability_zone", ret->zone, sizeof(ret->zone)) < 0 ||
        document_copy(address, "addr", ret->address, sizeof(ret->address)) < 0 ||
        document_copy(address, "OS-EXT-IPS:port_id", ret->interface, sizeof(ret->interface)) < 0)
        return cloud_malformed(cloud, "a server");
    document_words(server, "status", ret->state, sizeof(ret->state));
    ret->power = parse_power(server);
    document_words(server, "name", ret->name, sizeof(ret->name));
    find_tag(server, tag, ret->tag, sizeof(ret->tag));
    (void)text_format(ret->evidence, sizeof(ret->evidence), "status=%s power_state=%.4s task_state=%.24s vm_state=%.24s", ret->state,
                      document_text(server, "OS-EXT-STS:power_state"), document_text(server, "OS-EXT-STS:task_state"),
                      document_text(server, "OS-EXT-STS:vm_state"));
    (void)text_make_printable(ret->evidence);
    return 0;
}

static int huawei_instance_get(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                               struct cloud_instance *ret)
{
    const struct rest rest = { .service = "ecs", .what = "show server", .method = "GET" };
    _cleanup_document_ struct document document = { 0 };
    int r = send_rest(cloud, &rest, deadline, &document, "v1 cloudservers/%s", id);

    return r < 0 ? r : parse_instance(cloud, document_find(document.root, "server"), tag, ret);
}

/* The name in a query is a part of names: those that are meant are sorted out here. */
static int add_server(struct cloud *cloud, const struct cloud_instance_filter *filter, const struct document_node *server,
                      struct cloud_instance_list *ret)
{
    struct cloud_instance instance;
    int r = parse_instance(cloud, server, filter->tag, &instance);

    if (r < 0 || (filter->name && strcmp(filter->name, instance.name) != 0) ||
        (filter->tag && filter->tag_value && strcmp(filter->tag_value, instance.tag) != 0))
        return r;
    return cloud_list_add(cloud, ret, &instance);
}

static int huawei_instance_list(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                                struct cloud_instance_list *ret)
{
    uint64_t seen = 0, total = 0;

    for (unsigned int page = 1; page == 1 || seen < total; page++) {
        _cleanup_parameters_ struct parameters parameters = { 0 };
        _cleanup_document_ struct document document = { 0 };
        const struct rest rest = { .service = "ecs", .what = "list servers", .method = "GET", .parameters = &parameters };
        const struct document_node *item = NULL;
        uint64_t before = seen, told;
        int r;

        parameters_add(&parameters, "limit", "100");
        parameters_add(&parameters, "offset", "%u", page);
        if (filter->name)
            parameters_add(&parameters, "name", "%s", filter->name);
        if (filter->tag && filter->tag_value)
            parameters_add(&parameters, "tags", "%s=%s", filter->tag, filter->tag_value);
        r = send_rest(cloud, &rest, deadline, &document, "v1 cloudservers/detail");
        if (r == 0)
            r = find_list(cloud, &document, "servers", &item);
        for (; r == 0 && item; item = item->next, seen++)
            r = add_server(cloud, filter, item, ret);
        if (r < 0)
            return r;
        told = document_number(document.root, "count", UINT64_MAX);
        if (told == UINT64_MAX || (seen < told && seen == before))
            return cloud_malformed(cloud, "a page of the list of servers");
        /* One that went meanwhile moves the pages and hides another. */
        if (before > 0 && told != total)
            return cloud_fail(cloud, CLOUD_TRANSIENT, "the list of servers changed while it was read: try again");
        total = told;
    }
    return 0;
}

/* A job that fails at once is told; one that takes its time is not waited for: the state is what counts. */
static int huawei_instance_power(struct cloud *cloud, const char *id, enum cloud_power_action action, bool dry_run,
                                 struct deadline deadline)
{
    static const char *const actions[] = { [CLOUD_POWER_OFF] = "os-stop", [CLOUD_POWER_ON] = "os-start", [CLOUD_POWER_REBOOT] = "reboot" };
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "ecs", .what = actions[action], .method = "POST", .body = &body, .changes = true };
    char job[CLOUD_ID_SIZE];
    int r;

    if (dry_run)
        return cloud_fail(cloud, CLOUD_UNSUPPORTED, "Huawei Cloud has no dry run of %s: the permission shows when it is used", actions[action]);
    text_buffer_printf(&body, "{\"%s\":{%s\"servers\":[{\"id\":\"%s\"}]}}", actions[action],
                       action != CLOUD_POWER_ON ? "\"type\":\"HARD\"," : "", id);
    r = send_rest(cloud, &rest, deadline, &document, "v1 cloudservers/action");
    if (r == 0)
        r = read_job(cloud, &document, job);
    if (r == 0)
        r = await_job(cloud, job, deadline_within(deadline, 3000));
    return r < 0 && cloud->failure.error == CLOUD_TIMED_OUT && cloud->failure.maybe_done && !deadline_passed(deadline) ? 0 : r;
}

static int huawei_check(struct cloud *cloud, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "ecs", .what = "list servers", .method = "GET", .parameters = &parameters };

    parameters_add(&parameters, "limit", "1");
    return send_rest(cloud, &rest, deadline, &document, "v1 cloudservers/detail");
}

/* ---- disks ------------------------------------------------------------------------------------------------------ */

static enum cloud_disk_state parse_disk_state(const char *state, bool attached)
{
    if (strcmp(state, "available") == 0)
        return CLOUD_DISK_AVAILABLE;
    if (strcmp(state, "creating") == 0 || strcmp(state, "downloading") == 0)
        return CLOUD_DISK_CREATING;
    if (strcmp(state, "deleting") == 0)
        return CLOUD_DISK_DELETED;
    if (strncmp(state, "error", 5) == 0)
        return CLOUD_DISK_ERROR;
    if (attached || strcmp(state, "in-use") == 0 || strcmp(state, "attaching") == 0 || strcmp(state, "detaching") == 0)
        return CLOUD_DISK_IN_USE;
    return CLOUD_DISK_UNKNOWN;
}

static int parse_attachments(struct cloud *cloud, const struct document_node *volume, struct cloud_disk *ret)
{
    const struct document_node *item = document_first(volume, "attachments");

    for (; item; item = item->next) {
        struct cloud_attachment *attachment = &ret->attachments[ret->attachment_count];

        if (ret->attachment_count >= CLOUD_ATTACHMENTS ||
            document_copy(item, "server_id", attachment->instance, sizeof(attachment->instance)) < 0 ||
            !attachment->instance[0] || document_copy(item, "device", attachment->device, sizeof(attachment->device)) < 0)
            return cloud_malformed(cloud, "an attachment");
        attachment->state = strcmp(ret->state_text, "attaching") == 0   ? CLOUD_ATTACHING
                            : strcmp(ret->state_text, "detaching") == 0 ? CLOUD_DETACHING
                                                                        : CLOUD_ATTACHED;
        attachment->since = document_parse_time(document_text(item, "attached_at"), 0);
        ret->attachment_count++;
    }
    return 0;
}

/* A virtio disk shows the first 20 characters of its id as its serial, a SCSI disk the whole. */
static int huawei_disk_get(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret)
{
    const struct rest rest = { .service = "evs", .what = "show volume", .method = "GET" };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *volume, *attachments;
    int r = send_rest(cloud, &rest, deadline, &document, "v2 cloudvolumes/%s", id);

    if (r < 0)
        return r;
    volume = document_find(document.root, "volume");
    attachments = document_find(volume, "attachments");
    if (document_copy(volume, "id", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] || !attachments || !attachments->list ||
        document_copy(volume, "availability_zone", ret->zone, sizeof(ret->zone)) < 0)
        return cloud_malformed(cloud, "the volume that was asked for");
    document_words(volume, "status", ret->state_text, sizeof(ret->state_text));
    ret->state = parse_disk_state(ret->state_text, attachments->child != NULL);
    ret->size_gib = document_number(volume, "size", 0);
    ret->multi_attach = document_true(volume, "multiattach");
    ret->encrypted = document_true(volume, "encrypted");
    if (strlen(ret->id) < sizeof(ret->serial))
        (void)text_copy(ret->serial, sizeof(ret->serial), ret->id);
    return parse_attachments(cloud, volume, ret);
}

static int huawei_disk_attach(struct cloud *cloud, const char *id, const char *instance, const char *device,
                              struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "ecs", .what = "attach volume", .method = "POST", .body = &body, .changes = true };
    char job[CLOUD_ID_SIZE];
    int r;

    text_buffer_printf(&body, "{\"volumeAttachment\":{\"volumeId\":\"%s\"", id);
    if (device) {
        text_buffer_printf(&body, ",\"device\":");
        json_quote(&body, device);
    }
    text_buffer_printf(&body, "}}");
    r = send_rest(cloud, &rest, deadline, &document, "v1 cloudservers/%s/attachvolume", instance);
    if (r == 0)
        r = read_job(cloud, &document, job);
    return r < 0 ? r : await_job(cloud, job, deadline);
}

static int huawei_disk_detach(struct cloud *cloud, const char *id, const char *instance, bool force, struct deadline deadline)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "ecs", .what = "detach volume", .method = "DELETE", .parameters = &parameters, .changes = true };
    char job[CLOUD_ID_SIZE];
    int r;

    if (force)
        parameters_add(&parameters, "delete_flag", "1");
    r = send_rest(cloud, &rest, deadline, &document, "v1 cloudservers/%s/detachvolume/%s", instance, id);
    if (r == 0)
        r = read_job(cloud, &document, job);
    return r < 0 ? r : await_job(cloud, job, deadline);
}

/* ---- addresses: ports ------------------------------------------------------------------------------------------- */

#define PAIRS 16

/* A port: of a server, or of a virtual address. pairs: the addresses it may use beside its own; of a virtual address's port, the addresses of the ports
 * that may use it. */
struct port {
    char id[CLOUD_ID_SIZE];
    char device[CLOUD_ID_SIZE];
    char address[48];
    char subnet[CLOUD_ID_SIZE];
    char pairs[PAIRS][48];
    size_t pair_count;
    bool virtual;
};

static int parse_port(struct cloud *cloud, const struct document_node *node, struct port *ret)
{
    const struct document_node *fixed = document_first(node, "fixed_ips"), *item;

    *ret = (struct port){ .virtual = strcmp(document_text(node, "device_owner"), "neutron:VIP_PORT") == 0 };
    if (document_copy(node, "id", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(node, "device_id", ret->device, sizeof(ret->device)) < 0 ||
        document_copy(fixed, "ip_address", ret->address, sizeof(ret->address)) < 0 ||
        document_copy(fixed, "subnet_id", ret->subnet, sizeof(ret->subnet)) < 0)
        return cloud_malformed(cloud, "a port");
    for (item = document_first(node, "allowed_address_pairs"); item; item = item->next) {
        if (ret->pair_count == PAIRS ||
            document_copy(item, "ip_address", ret->pairs[ret->pair_count], sizeof(ret->pairs[0])) < 0)
            return cloud_malformed(cloud, "a port's address pairs");
        ret->pair_count++;
    }
    return 0;
}

static bool port_has(const struct port *port, const char *address)
{
    for (size_t i = 0; i < port->pair_count; i++)
        if (strcmp(port->pairs[i], address) == 0)
            return true;
    return false;
}

static bool is_port(const struct port *port, const char *name, const char *value, const char *subnet)
{
    if (strcmp(name, "id") == 0)
        return strcmp(port->id, value) == 0;
    return strcmp(port->address, value) == 0 && (!subnet || strcmp(port->subnet, subnet) == 0);
}

/* The port by its id, or by its fixed address in that subnet (NULL: the only port of the project that has it): each VPC has a 192.168.0.0 of its own.
 * -ENOENT with the failure where there is none. */
static int find_port(struct cloud *cloud, const char *name, const char *value, const char *subnet, struct deadline deadline,
                     struct port *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "vpc", .what = "list ports", .method = "GET", .parameters = &parameters };
    const struct document_node *item = NULL;
    unsigned int found = 0;
    int r;

    parameters_add(&parameters, name, "%s%s", strcmp(name, "fixed_ips") == 0 ? "ip_address=" : "", value);
    r = send_rest(cloud, &rest, deadline, &document, "v1 ports");
    if (r == 0)
        r = find_list(cloud, &document, "ports", &item);
    for (; r == 0 && item; item = item->next) {
        struct port port;

        r = parse_port(cloud, item, &port);
        if (r < 0 || !is_port(&port, name, value, subnet))
            continue;
        if (found++ > 0)
            return cloud_fail(cloud, CLOUD_INVALID, "several ports of this project have the address %s: name the right one by its id", value);
        *ret = port;
    }
    if (r < 0)
        return r;
    return found == 1 ? 0 : cloud_fail(cloud, CLOUD_NOT_FOUND, "no port with %s %s", name, value);
}

static int find_own_port(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, struct deadline deadline,
                         struct port *ret)
{
    struct cloud_instance instance = { 0 };
    int r;

    if (spec->interface) {
        r = find_port(cloud, "id", spec->interface, NULL, deadline, ret);
        return r == 0 && strcmp(ret->device, self) != 0
                   ? cloud_fail(cloud, CLOUD_INVALID, "port %s does not belong to %s", spec->interface, self)
                   : r;
    }
    r = huawei_instance_get(cloud, self, NULL, deadline, &instance);
    if (r == 0 && !instance.interface[0])
        r = cloud_malformed(cloud, "the server's primary port");
    return r < 0 ? r : find_port(cloud, "id", instance.interface, NULL, deadline, ret);
}

static int set_pairs(struct cloud *cloud, const struct port *port, const char *without, const char *with, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "vpc", .what = "update port", .method = "PUT", .body = &body, .changes = true };
    bool first = true;

    text_buffer_printf(&body, "{\"port\":{\"allowed_address_pairs\":[");
    for (size_t i = 0; i < port->pair_count; i++) {
        if (without && strcmp(port->pairs[i], without) == 0)
            continue;
        text_buffer_printf(&body, "%s{\"ip_address\":\"%s\"}", first ? "" : ",", port->pairs[i]);
        first = false;
    }
    if (with)
        text_buffer_printf(&body, "%s{\"ip_address\":\"%s\"}", first ? "" : ",", with);
    text_buffer_printf(&body, "]}}");
    return send_rest(cloud, &rest, deadline, &document, "v1 ports/%s", port->id);
}

/* The virtual address's own port, in the subnet of this instance's. An id has no dot and no colon. */
static int find_virtual(struct cloud *cloud, const char *address, const struct port *own, struct deadline deadline,
                        struct port *ret)
{
    int r = find_port(cloud, strpbrk(address, ".:") ? "fixed_ips" : "id", address, own->subnet, deadline, ret);

    if (r < 0)
        return cloud->failure.error == CLOUD_NOT_FOUND
                   ? cloud_fail(cloud, CLOUD_NOT_FOUND, "virtual IP address %s does not exist: create it in the subnet", address)
                   : r;
    return ret->virtual ? 0 : cloud_fail(cloud, CLOUD_INVALID, "%s is the address of a server, no virtual IP address: create one in the subnet", address);
}

/* Who may use the virtual address. With several of them the cloud does not tell who announces it. */
static int virtual_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, struct deadline deadline,
                       struct cloud_address *ret)
{
    struct port virtual = { .id = "" }, own = { .id = "" }, holder = { .id = "" };
    int r = find_own_port(cloud, spec, self, deadline, &own);

    if (r == 0)
        r = find_virtual(cloud, spec->address, &own, deadline, &virtual);
    if (r < 0)
        return r;
    (void)text_copy(ret->id, sizeof(ret->id), virtual.id);
    ret->associated = port_has(&own, virtual.address);
    ret->shared = virtual.pair_count > 1;
    ret->assigned = virtual.pair_count > 0 || ret->associated;
    if (ret->associated && virtual.pair_count <= 1 && (virtual.pair_count == 0 || port_has(&virtual, own.address))) {
        (void)text_copy(ret->instance, sizeof(ret->instance), self);
        (void)text_copy(ret->interface, sizeof(ret->interface), own.id);
    } else if (!ret->associated && virtual.pair_count > 0) {
        r = find_port(cloud, "fixed_ips", virtual.pairs[0], virtual.subnet, deadline, &holder);
        (void)text_copy(ret->instance, sizeof(ret->instance), r == 0 ? holder.device : "");
        (void)text_copy(ret->interface, sizeof(ret->interface), r == 0 ? holder.id : "");
    }
    return r;
}

/* exclusive (mode secondary): the others lose it first. */
static int virtual_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, bool exclusive,
                          struct deadline deadline)
{
    struct port virtual = { .id = "" }, own = { .id = "" }, holder = { .id = "" };
    int r = find_own_port(cloud, spec, self, deadline, &own);

    if (r == 0)
        r = find_virtual(cloud, spec->address, &own, deadline, &virtual);
    for (size_t i = 0; r == 0 && exclusive && i < virtual.pair_count; i++) {
        if (strcmp(virtual.pairs[i], own.address) == 0)
            continue;
        r = find_port(cloud, "fixed_ips", virtual.pairs[i], virtual.subnet, deadline, &holder);
        if (r == 0 && port_has(&holder, virtual.address))
            r = set_pairs(cloud, &holder, virtual.address, NULL, deadline);
    }
    if (r < 0 || port_has(&own, virtual.address))
        return r;
    return set_pairs(cloud, &own, NULL, virtual.address, deadline);
}

static int virtual_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, struct deadline deadline)
{
    struct port virtual = { .id = "" }, own = { .id = "" };
    int r = find_own_port(cloud, spec, self, deadline, &own);

    if (r == 0)
        r = find_virtual(cloud, spec->address, &own, deadline, &virtual);
    return r < 0 || !port_has(&own, virtual.address) ? r : set_pairs(cloud, &own, virtual.address, NULL, deadline);
}

/* ---- elastic addresses ------------------------------------------------------------------------------------------- */

static int elastic_get(struct cloud *cloud, const char *address, struct deadline deadline, struct cloud_address *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "vpc", .what = "list elastic addresses", .method = "GET", .parameters = &parameters };
    const struct document_node *item = NULL;
    const char *status;
    int r;

    parameters_add(&parameters, strpbrk(address, ".:") ? "public_ip_address" : "id", "%s", address);
    r = send_rest(cloud, &rest, deadline, &document, "v3 eip/publicips");
    if (r == 0)
        r = find_list(cloud, &document, "publicips", &item);
    if (r == 0)
        r = cloud_pick(cloud, item, strpbrk(address, ".:") ? "public_ip_address" : "id", address, &item);
    if (r < 0)
        return r;
    if (!item)
        return cloud_fail(cloud, CLOUD_NOT_FOUND, "elastic address %s is not known in region %s", address, cloud->region);
    if (document_copy(item, "id", ret->id, sizeof(ret->id)) < 0 || !ret->id[0] ||
        document_copy(item, "vnic/device_id", ret->instance, sizeof(ret->instance)) < 0 ||
        document_copy(item, "vnic/port_id", ret->interface, sizeof(ret->interface)) < 0 ||
        document_copy(item, "vnic/private_ip_address", ret->private_address, sizeof(ret->private_address)) < 0)
        return cloud_malformed(cloud, "the address that was asked for");
    status = document_text(item, "status");
    ret->assigned = ret->interface[0] || *document_text(item, "associate_instance_id");
    ret->moving = strcmp(status, "ACTIVE") != 0 && strcmp(status, "DOWN") != 0 && strcmp(status, "ELB") != 0;
    return 0;
}

static int change_elastic(struct cloud *cloud, const char *id, const char *port, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "vpc", .what = port ? "associate address" : "disassociate address", .method = "POST",
                               .body = port ? &body : NULL, .changes = true };

    if (port)
        text_buffer_printf(&body, "{\"publicip\":{\"associate_instance_type\":\"PORT\",\"associate_instance_id\":\"%s\"}}", port);
    return send_rest(cloud, &rest, deadline, &document, "v3 eip/publicips/%s/%s", id, port ? "associate-instance" : "disassociate-instance");
}

static int elastic_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                          struct deadline deadline)
{
    struct port own = { .id = "" };
    uint64_t pause = 0;
    int r = find_own_port(cloud, spec, self, deadline, &own);

    while (r == 0) {
        struct cloud_address now = { 0 };

        r = elastic_get(cloud, spec->address, deadline, &now);
        if (r < 0 || (!now.moving && now.assigned && strcmp(now.interface, own.id) == 0))
            return r;
        if (!now.moving) {
            r = change_elastic(cloud, now.id, now.assigned ? NULL : own.id, deadline);
            if (r == 0 && !now.assigned)
                return 0;
            if (r < 0 && cloud->failure.error != CLOUD_IN_USE && cloud->failure.error != CLOUD_ALREADY &&
                cloud->failure.error != CLOUD_WRONG_STATE)
                return r;
        }
        r = cloud_pause(cloud, deadline, &pause, "the elastic address to become free");
    }
    return r;
}

/* ---- routes ----------------------------------------------------------------------------------------------------- */

static int route_entry(struct cloud *cloud, const char *table, const char *destination, struct deadline deadline,
                       struct cloud_address *ret)
{
    const struct rest rest = { .service = "vpc", .what = "show route table", .method = "GET" };
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *item = NULL;
    struct port port = { .id = "" };
    int r = send_rest(cloud, &rest, deadline, &document, "v1 routetables/%s", table);

    if (r == 0)
        r = find_list(cloud, &document, "routetable/routes", &item);
    while (r == 0 && item && strcmp(document_text(item, "destination"), destination) != 0)
        item = item->next;
    if (r < 0 || !item)
        return r;
    ret->assigned = true;
    if (strcmp(document_text(item, "type"), "ecs") == 0)
        return document_copy(item, "nexthop", ret->instance, sizeof(ret->instance)) < 0 ? cloud_malformed(cloud, "a route") : 0;
    if (strcmp(document_text(item, "type"), "eni") != 0)
        return 0;
    if (document_copy(item, "nexthop", ret->interface, sizeof(ret->interface)) < 0)
        return cloud_malformed(cloud, "a route");
    r = find_port(cloud, "id", ret->interface, NULL, deadline, &port);
    if (r == 0)
        (void)text_copy(ret->instance, sizeof(ret->instance), port.device);
    return r;
}

/* what: "add", "mod" or "del" */
static int change_route(struct cloud *cloud, const char *what, const char *table, const char *destination, const char *self,
                        const char *interface, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "vpc", .what = "update route table", .method = "PUT", .body = &body, .changes = true };

    text_buffer_printf(&body, "{\"routetable\":{\"routes\":{\"%s\":[{\"destination\":\"%s\"", what, destination);
    if (strcmp(what, "del") != 0)
        text_buffer_printf(&body, ",\"type\":\"%s\",\"nexthop\":\"%s\"", interface ? "eni" : "ecs", interface ? interface : self);
    text_buffer_printf(&body, "}]}}}");
    return send_rest(cloud, &rest, deadline, &document, "v1 routetables/%s", table);
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
            r = change_route(cloud, one.assigned ? "mod" : "add", table, spec->address, self, spec->interface, deadline);
        else if (work == ROUTE_LEAVE && mine)
            r = change_route(cloud, "del", table, spec->address, self, spec->interface, deadline);
        first = false;
    }
    return r;
}

static int huawei_address_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                              struct deadline deadline, struct cloud_address *ret)
{
    if (spec->kind == CLOUD_ADDRESS_ELASTIC)
        return elastic_get(cloud, spec->address, deadline, ret);
    if (spec->kind == CLOUD_ADDRESS_ROUTE)
        return walk_routes(cloud, spec, self, ROUTE_LOOK, deadline, ret);
    return virtual_get(cloud, spec, self, deadline, ret);
}

static int huawei_address_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                                 struct deadline deadline)
{
    if (spec->kind == CLOUD_ADDRESS_ELASTIC)
        return elastic_assign(cloud, spec, self, deadline);
    if (spec->kind == CLOUD_ADDRESS_ROUTE)
        return walk_routes(cloud, spec, self, ROUTE_TAKE, deadline, NULL);
    return virtual_assign(cloud, spec, self, spec->kind == CLOUD_ADDRESS_SECONDARY, deadline);
}

static int huawei_address_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                                  struct deadline deadline)
{
    struct cloud_address now = { 0 };
    int r;

    if (spec->kind == CLOUD_ADDRESS_ROUTE)
        return walk_routes(cloud, spec, self, ROUTE_LEAVE, deadline, NULL);
    if (spec->kind != CLOUD_ADDRESS_ELASTIC)
        return virtual_release(cloud, spec, self, deadline);
    r = elastic_get(cloud, spec->address, deadline, &now);
    if (r < 0 || strcmp(now.instance, self) != 0)
        return r;
    r = change_elastic(cloud, now.id, NULL, deadline);
    return r < 0 && cloud->failure.error == CLOUD_ALREADY ? 0 : r;
}

/* ---- balancers: a pool's members are addresses with ports ------------------------------------------------------- */

struct member {
    char address[48];
    char id[CLOUD_ID_SIZE]; /* "" where it is none of the pool's */
    unsigned int weight;
    char status[48];
};

static int member_address(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline, char *buffer, size_t size)
{
    struct cloud_instance instance = { 0 };
    int r;

    if (target->port == 0)
        return cloud_fail(cloud, CLOUD_INVALID, "a member of pool %.60s needs a port", target->group);
    if (target->address)
        return text_copy(buffer, size, target->address) < 0 ? cloud_fail(cloud, CLOUD_INVALID, "address '%.60s' is malformed", target->address) : 0;
    r = huawei_instance_get(cloud, target->instance, NULL, deadline, &instance);
    if (r == 0 && !instance.address[0])
        r = cloud_malformed(cloud, "the server's private address");
    return r < 0 || text_copy(buffer, size, instance.address) > 0 ? r : cloud_malformed(cloud, "the server's private address");
}

static int find_member(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline, struct member *ret)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest rest = { .service = "elb", .what = "list members", .method = "GET", .parameters = &parameters };
    const struct document_node *item = NULL;
    int r = member_address(cloud, target, deadline, ret->address, sizeof(ret->address));

    if (r < 0)
        return r;
    parameters_add(&parameters, "address", "%s", ret->address);
    parameters_add(&parameters, "protocol_port", "%u", target->port);
    r = send_rest(cloud, &rest, deadline, &document, "v3 elb/pools/%s/members", target->group);
    if (r == 0)
        r = find_list(cloud, &document, "members", &item);
    while (r == 0 && item && (strcmp(document_text(item, "address"), ret->address) != 0 ||
                              document_number(item, "protocol_port", 0) != target->port))
        item = item->next;
    if (r < 0 || !item)
        return r;
    if (document_copy(item, "id", ret->id, sizeof(ret->id)) < 0 || !cloud_id_valid(ret->id))
        return cloud_malformed(cloud, "a member");
    ret->weight = (unsigned int)document_number(item, "weight", 1);
    document_words(item, "operating_status", ret->status, sizeof(ret->status));
    return 0;
}

/* NO_MONITOR is said of a pool without health checks, and of a member that has not been checked yet. */
static int read_pool(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                     struct cloud_target_state *ret)
{
    const struct rest rest = { .service = "elb", .what = "show pool", .method = "GET" };
    _cleanup_document_ struct document document = { 0 };
    int r = send_rest(cloud, &rest, deadline, &document, "v3 elb/pools/%s", target->group);

    if (r < 0)
        return r;
    if (document_true(document.root, "pool/connection_drain/enable"))
        ret->drain_ms = 1000 * document_number(document.root, "pool/connection_drain/timeout", 0);
    if (ret->health == CLOUD_TARGET_UNKNOWN)
        ret->health = *document_text(document.root, "pool/healthmonitor_id") ? CLOUD_TARGET_INITIAL : CLOUD_TARGET_UNCHECKED;
    return 0;
}

static int huawei_target_get(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                             struct cloud_target_state *ret)
{
    struct member member = { 0 };
    int r = find_member(cloud, target, deadline, &member);

    if (r < 0)
        return r;
    (void)text_copy(ret->text, sizeof(ret->text), member.status);
    ret->weight = member.weight;
    if (!member.id[0])
        ret->health = CLOUD_TARGET_ABSENT;
    else if (member.weight == 0)
        ret->health = CLOUD_TARGET_DRAINING;
    else if (strcmp(member.status, "ONLINE") == 0)
        ret->health = CLOUD_TARGET_HEALTHY;
    else if (strcmp(member.status, "OFFLINE") == 0)
        ret->health = CLOUD_TARGET_UNHEALTHY;
    else if (strcmp(member.status, "NO_MONITOR") != 0)
        ret->health = CLOUD_TARGET_INITIAL;
    return ret->health == CLOUD_TARGET_UNKNOWN || ret->health == CLOUD_TARGET_DRAINING
               ? cloud_not_the_thing(cloud, read_pool(cloud, target, deadline, ret))
               : 0;
}

static int set_weight(struct cloud *cloud, const struct cloud_target *target, const struct member *member, unsigned int weight,
                      struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer body = { 0 };
    _cleanup_document_ struct document document = { 0 };
    const struct rest update = { .service = "elb", .what = "update member", .method = "PUT", .body = &body, .changes = true };
    const struct rest create = { .service = "elb", .what = "create member", .method = "POST", .body = &body, .changes = true };

    if (member->id[0]) {
        text_buffer_printf(&body, "{\"member\":{\"weight\":%u}}", weight);
        return send_rest(cloud, &update, deadline, &document, "v3 elb/pools/%s/members/%s", target->group, member->id);
    }
    text_buffer_printf(&body, "{\"member\":{\"address\":\"%s\",\"protocol_port\":%u,\"weight\":%u}}", member->address, target->port, weight);
    return send_rest(cloud, &create, deadline, &document, "v3 elb/pools/%s/members", target->group);
}

static int huawei_target_register(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    struct member member = { 0 };
    unsigned int weight = target->weight > 0 ? target->weight : 1;
    int r = find_member(cloud, target, deadline, &member);

    if (r < 0 || (member.id[0] && member.weight == weight))
        return r;
    return set_weight(cloud, target, &member, weight, deadline);
}

static int huawei_target_drain(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    struct member member = { 0 };
    int r = find_member(cloud, target, deadline, &member);

    return r < 0 || !member.id[0] || member.weight == 0 ? r : set_weight(cloud, target, &member, 0, deadline);
}

static int huawei_target_deregister(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    const struct rest rest = { .service = "elb", .what = "delete member", .method = "DELETE", .changes = true };
    _cleanup_document_ struct document document = { 0 };
    struct member member = { 0 };
    int r = find_member(cloud, target, deadline, &member);

    if (r < 0 || !member.id[0])
        return r;
    return send_rest(cloud, &rest, deadline, &document, "v3 elb/pools/%s/members/%s", target->group, member.id);
}

const struct cloud_provider cloud_huawei = {
    .name = "huawei",
    .private_kind = CLOUD_ADDRESS_HAVIP,
    .metadata = "http://169.254.169.254",
    .dmi_words = (const char *const[]){ "huawei", NULL },
    .services = services,
    .formats = formats,
    .host = huawei_host,
    .sign = huawei_sign,
    .read_error = huawei_read_error,
    .classify = huawei_classify,
    .self = huawei_self,
    .role_keys = huawei_role_keys,
    .check = huawei_check,
    .instance_get = huawei_instance_get,
    .instance_list = huawei_instance_list,
    .instance_power = huawei_instance_power,
    .disk_get = huawei_disk_get,
    .disk_attach = huawei_disk_attach,
    .disk_detach = huawei_disk_detach,
    .address_get = huawei_address_get,
    .address_assign = huawei_address_assign,
    .address_release = huawei_address_release,
    .target_get = huawei_target_get,
    .target_register = huawei_target_register,
    .target_drain = huawei_target_drain,
    .target_deregister = huawei_target_deregister,
};
