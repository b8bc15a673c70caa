/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud-lb: this instance as a target of a cloud's balancer, and a port for the balancer's health checks that answers on the active node only.
 *
 * Running means: the balancer says that this instance is registered in every group, and not draining; and the health responder answers, where one is configured. A
 * monitor takes a word that is younger than api_age; with OCF_CHECK_LEVEL 10 the balancer is asked, and must find the instance healthy.
 *
 * Stop has succeeded when the responder has ended, and the balancer says for every group, twice, that this instance is not registered, or that it drains and the drain
 * time has passed: no new connection comes then. A balancer that can't be asked fails a stop; a group that the cloud does not know is none to be taken out of.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/number.h"
#include "cloud/cloud_params.h"
#include "net/background.h"
#include "net/health_responder.h"

#define READ_AGAIN_MS 1000
#define GROUPS_MAX 32
#define GROUP_SIZE 512
#define SEPARATORS " ,"
#define RESPONDER_LOOK_MS 2000
/* What a stop keeps of its time for what comes after the draining. */
#define AFTER_DRAIN_MS 10000

enum target_by { TARGET_INSTANCE, TARGET_ADDRESS };
static const char *const target_kinds[] = { "instance", "address", NULL };

struct lb_config {
    struct cloud_params cloud;
    const char *groups, *address, *responder_address;
    int target, port, weight, responder_port;
    uint64_t healthy_wait_ms, drain_ms, api_age_ms;
    bool drain;
};

static int check_groups(const char *text, struct text_buffer *why)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:/.";
    const char *word;
    size_t length, count = 0;

    while (text_next_word(&text, SEPARATORS, &word, &length)) {
        if (++count > GROUPS_MAX || length >= GROUP_SIZE || strspn(word, allowed) < length) {
            text_buffer_printf(why, "at most %d names of groups as the cloud writes them, separated by blanks, are wanted", GROUPS_MAX);
            return -EINVAL;
        }
    }
    if (count > 0)
        return 0;
    text_buffer_printf(why, "the name of at least one group is wanted");
    return -EINVAL;
}

static int check_address(const char *text, struct text_buffer *why)
{
    unsigned char binary[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1)
        return 0;
    text_buffer_printf(why, "an address such as 192.0.2.10 is wanted");
    return -EINVAL;
}

static const struct param params[] = {
    { "groups", PARAM_TEXT(struct lb_config, groups), .unique_group = "target", .aliases = NAMES("target_group_arn", "group"), .check = check_groups,
      .shortdesc = "Groups of the balancer that this instance is registered in, separated by blanks",
      .longdesc = "AWS (ALB, NLB): the target group's ARN. Aliyun: clb:lb-... (its default group), clb:rsp-... (VServer group), alb:sgp-..., nlb:sgp-.... Tencent Cloud: "
                  "lb-.../lbl-... or lb-.../lbl-.../loc-.... Huawei Cloud: the pool's id. May be left out where only a health responder is wanted." },
    { "port", PARAM_INTEGER(struct lb_config, port), .unique_group = "target", .minimum = 0, .maximum = 65535, .default_value = "0",
      .shortdesc = "Port that connections are sent to", .longdesc = "0: the group's own, where the balancer has one." },
    { "weight", PARAM_INTEGER(struct lb_config, weight), .minimum = 0, .maximum = 256, .default_value = "0", .shortdesc = "Weight among the targets",
      .longdesc = "0: the cloud's default. Without effect where targets have no weight (AWS)." },
    { "target", PARAM_CHOICE(struct lb_config, target), .choices = target_kinds, .default_value = "instance", .shortdesc = "How this instance is registered",
      .longdesc = "instance: by its id. address: by a private address, for groups of type ip." },
    { "address", PARAM_TEXT(struct lb_config, address), .check = check_address, .shortdesc = "target=address: the private address",
      .longdesc = "Differs from node to node; set it only for a resource that is kept to one node, or for an address that moves with the service." },
    { "healthy_wait", PARAM_DURATION(struct lb_config, healthy_wait_ms), .default_value = "0", .minimum = 0, .maximum = 3600000,
      .shortdesc = "How long a start waits for the balancer to find this instance healthy",
      .longdesc = "0: a start ends when the instance is seen registered. Otherwise it fails when the instance is not healthy in this time." },
    { "drain", PARAM_BOOLEAN(struct lb_config, drain), .default_value = "true", .shortdesc = "Let open connections end before the instance is taken out" },
    { "drain_time", PARAM_DURATION(struct lb_config, drain_ms), .minimum = 0, .maximum = 3600000,
      .shortdesc = "How long a stop waits for open connections to end",
      .longdesc = "When not set (or 0): the group's own drain time, as far as the stop's timeout allows." },
    { "api_age", PARAM_DURATION(struct lb_config, api_age_ms), .default_value = "60", .minimum = 0, .maximum = 86400000, .reloadable = true,
      .shortdesc = "How old the balancer's word may be for a monitor",
      .longdesc = "A monitor asks the balancer only when its last word is older. With OCF_CHECK_LEVEL 10 it always asks." },
    { "responder_port", PARAM_INTEGER(struct lb_config, responder_port), .unique_group = "responder", .minimum = 0, .maximum = 65535, .default_value = "0",
      .shortdesc = "Port of the health responder",
      .longdesc = "A small process that answers the balancer's TCP or HTTP health checks on this port while the resource is active here, so that the balancer sends "
                  "connections to the active node with no call to the cloud's API. 0: none." },
    { "responder_address", PARAM_TEXT(struct lb_config, responder_address), .check = check_address, .shortdesc = "Address that the health responder listens on",
      .longdesc = "When not set: every address of the node." },
    CLOUD_PARAMS(struct lb_config, cloud),
    {}
};

static const unsigned int depths[] = { 0, 10, UINT_MAX };

/* ---- what an action works on ---------------------------------------------------------------------------------------------------- */

/* What the groups say, taken together. */
struct survey {
    unsigned int groups, registered, unhealthy;
    char text[256];
};

struct call {
    struct agent_run *run;
    const struct lb_config *config;
    struct cloud *cloud;
    struct cloud_self self;
    struct survey survey;
    uint64_t drain_began_ms;
    char unknown[GROUP_SIZE]; /* the last group that the cloud was found not to know */
    char responder_path[PATH_MAX], note_path[PATH_MAX];
};

static void call_end(struct call *call)
{
    cloud_close(call->cloud);
}
#define _cleanup_call_ _cleanup_(call_end)

static enum ocf_code call_begin(struct call *call, struct agent_run *run, const void *config)
{
    *call = (struct call){ .run = run, .config = config };
    if (agent_state_path(run, "responder", call->responder_path, sizeof(call->responder_path)) == 0 &&
        agent_state_path(run, NULL, call->note_path, sizeof(call->note_path)) == 0)
        return OCF_SUCCESS;
    return agent_fail(run, OCF_ERR_GENERIC, "%s: its folder below " VIGIL_RUNDIR " cannot be made: is it full or read-only?", run->instance);
}

static enum ocf_code reach_cloud(struct call *call, bool urgent)
{
    const char *hazard = cloud_params_hazard(&call->config->cloud);
    struct cloud_failure failure;

    if (call->cloud)
        return OCF_SUCCESS;
    if (hazard)
        log_warning("%s", hazard);
    if (cloud_params_open(&call->config->cloud, urgent, call->run->deadline, &call->cloud, &failure) < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "balancer of %s: the cloud cannot be asked: %s", call->run->instance, failure.text);
    if (cloud_self(call->cloud, call->run->deadline, &call->self) < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "balancer of %s: which instance this is could not be told: %s", call->run->instance,
                          cloud_failure(call->cloud)->text);
    return OCF_SUCCESS;
}

static enum ocf_code fail_group(struct call *call, const char *group, const char *doing)
{
    return agent_fail(call->run, OCF_ERR_GENERIC, "balancer group %s: %s: %s", group, doing, cloud_failure(call->cloud)->text);
}

/* ---- groups --------------------------------------------------------------------------------------------------------------------- */

typedef enum ocf_code (*group_function)(struct call *call, const struct cloud_target *target);

/* Does the same for every group; the first failure ends it. */
static enum ocf_code each_group(struct call *call, group_function function)
{
    const char *cursor = call->config->groups, *word;
    enum ocf_code code = OCF_SUCCESS;
    size_t length;

    while (code == OCF_SUCCESS && cursor && text_next_word(&cursor, SEPARATORS, &word, &length)) {
        bool by_address = call->config->target == TARGET_ADDRESS;
        char group[GROUP_SIZE];
        struct cloud_target target = {
            .group = group, .instance = by_address ? NULL : call->self.instance, .address = by_address ? call->config->address : NULL,
            .port = (unsigned int)call->config->port, .weight = (unsigned int)call->config->weight,
        };

        (void)text_format(group, sizeof(group), "%.*s", (int)length, word);
        code = function(call, &target);
    }
    return code;
}

static bool is_registered(enum cloud_target_health health)
{
    return health != CLOUD_TARGET_ABSENT && health != CLOUD_TARGET_DRAINING;
}

static enum ocf_code await_registered(struct call *call, const struct cloud_target *target)
{
    bool want_healthy = call->config->healthy_wait_ms > 0;
    struct deadline until = want_healthy ? deadline_within(call->run->deadline, call->config->healthy_wait_ms) : call->run->deadline;
    struct cloud_target_state state = { 0 };

    for (;;) {
        if (cloud_target_get(call->cloud, target, call->run->deadline, &state) < 0)
            return fail_group(call, target->group, "this instance's registration cannot be looked at");
        if (state.health == CLOUD_TARGET_HEALTHY || (is_registered(state.health) && (!want_healthy || state.health == CLOUD_TARGET_UNCHECKED)))
            return OCF_SUCCESS;
        if (deadline_sleep(until, READ_AGAIN_MS) < 0)
            return agent_fail(call->run, OCF_ERR_GENERIC, "balancer group %s does not find this instance %s in time (%s): look at its health check and at the firewall",
                              target->group, want_healthy ? "healthy" : "registered", state.text);
    }
}

static enum ocf_code register_target(struct call *call, const struct cloud_target *target)
{
    struct cloud_target_state state;
    const struct cloud_failure *failure;

    if (cloud_target_get(call->cloud, target, call->run->deadline, &state) < 0)
        return fail_group(call, target->group, "it cannot be looked at");
    if (is_registered(state.health))
        return OCF_SUCCESS;
    if (cloud_target_register(call->cloud, target, call->run->deadline) == 0)
        return OCF_SUCCESS;
    failure = cloud_failure(call->cloud);
    if (failure->maybe_done || failure->error == CLOUD_ALREADY)
        return OCF_SUCCESS;
    return fail_group(call, target->group, "this instance cannot be registered");
}

/* A stop's look. A group of which the cloud, which knows this instance, says twice that there is none sends nothing here: it was deleted, or its name was never right, and
 * fencing this node for it would mend nothing. Returns as cloud_target_get. */
static int look_for_stop(struct call *call, const struct cloud_target *target, struct cloud_target_state *state)
{
    bool known_before = text_equal(call->unknown, target->group);

    for (int i = 0; i < 2 && !known_before; i++) {
        int r = i > 0 ? deadline_sleep(call->run->deadline, READ_AGAIN_MS) : 0;

        if (r < 0)
            return r;
        r = cloud_target_get(call->cloud, target, call->run->deadline, state);
        if (r == 0 || !cloud_lacks_thing(call->cloud, call->run->deadline))
            return r;
    }
    if (!known_before)
        log_warning("balancer group %s: the cloud knows no such group, so this instance is not in it", target->group);
    (void)text_copy(call->unknown, sizeof(call->unknown), target->group);
    *state = (struct cloud_target_state){ .health = CLOUD_TARGET_ABSENT, .text = "no such group" };
    return 0;
}

/* No new connections from now on. */
static enum ocf_code begin_drain(struct call *call, const struct cloud_target *target)
{
    struct cloud_target_state state;
    const struct cloud_failure *failure;

    if (look_for_stop(call, target, &state) < 0)
        return fail_group(call, target->group, "whether this instance is registered cannot be told");
    if (state.health == CLOUD_TARGET_ABSENT || state.health == CLOUD_TARGET_DRAINING || cloud_target_drain(call->cloud, target, call->run->deadline) == 0)
        return OCF_SUCCESS;
    failure = cloud_failure(call->cloud);
    if (failure->maybe_done || failure->error == CLOUD_ALREADY || failure->error == CLOUD_NOT_FOUND)
        return OCF_SUCCESS;
    return fail_group(call, target->group, "this instance cannot be drained");
}

/* Waits the group's drain time, or until the balancer has taken the instance out by itself. */
static enum ocf_code finish_drain(struct call *call, const struct cloud_target *target)
{
    struct cloud_target_state state = { 0 };

    for (;;) {
        struct deadline until, latest = { call->run->deadline.at_ms - AFTER_DRAIN_MS };

        if (look_for_stop(call, target, &state) < 0)
            return fail_group(call, target->group, "the draining cannot be looked at");
        if (state.health == CLOUD_TARGET_ABSENT)
            return OCF_SUCCESS;
        until.at_ms = call->drain_began_ms + (call->config->drain_ms ? call->config->drain_ms : state.drain_ms);
        if (deadline_passed(latest) || deadline_sleep(until.at_ms < latest.at_ms ? until : latest, READ_AGAIN_MS) < 0)
            return OCF_SUCCESS;
    }
}

static enum ocf_code deregister(struct call *call, const struct cloud_target *target)
{
    struct cloud_target_state state;
    const struct cloud_failure *failure;

    if (look_for_stop(call, target, &state) < 0)
        return fail_group(call, target->group, "whether this instance is registered cannot be told");
    if (state.health == CLOUD_TARGET_ABSENT || cloud_target_deregister(call->cloud, target, call->run->deadline) == 0)
        return OCF_SUCCESS;
    failure = cloud_failure(call->cloud);
    if (failure->maybe_done || failure->error == CLOUD_ALREADY || failure->error == CLOUD_NOT_FOUND)
        return OCF_SUCCESS;
    return fail_group(call, target->group, "this instance cannot be taken out");
}

/* Twice the same: not registered, or draining by a balancer that goes on with that by itself (AWS). */
static enum ocf_code await_deregistered(struct call *call, const struct cloud_target *target)
{
    struct cloud_target_state state = { 0 };
    unsigned int seen = 0;

    for (;;) {
        if (look_for_stop(call, target, &state) < 0)
            return fail_group(call, target->group, "whether this instance is taken out cannot be told");
        seen = is_registered(state.health) ? 0 : seen + 1;
        if (seen == 2)
            return OCF_SUCCESS;
        if (deadline_sleep(call->run->deadline, READ_AGAIN_MS) < 0)
            return agent_fail(call->run, OCF_ERR_GENERIC, "balancer group %s: this instance was not seen taken out in time (%s): look at it in the cloud's console",
                              target->group, state.text);
    }
}

/* ---- the responder -------------------------------------------------------------------------------------------------------------- */

static struct health_responder responder_of(const struct call *call)
{
    return (struct health_responder){ .address = call->config->responder_address, .port = (uint16_t)call->config->responder_port };
}

static enum ocf_code start_responder(struct call *call)
{
    struct health_responder responder = responder_of(call);
    int r;

    if (!responder.port)
        return OCF_SUCCESS;
    if (background_alive(call->responder_path) == 1 && health_responder_look(&responder, deadline_within(call->run->deadline, RESPONDER_LOOK_MS)) == 1)
        return OCF_SUCCESS;
    r = background_stop(call->responder_path, call->run->deadline);
    if (r == 0)
        r = health_responder_start(&responder, call->responder_path, call->run->deadline);
    if (r == 0)
        return OCF_SUCCESS;
    return agent_fail(call->run, r == -EADDRNOTAVAIL ? OCF_ERR_INSTALLED : OCF_ERR_GENERIC, "the health responder cannot listen on %s port %u: %s; %s",
                      responder.address ? responder.address : "any address,", responder.port, strerror(-r),
                      r == -EADDRINUSE ? "another process has this port: end it, or set another responder_port" : "look at responder_address and responder_port");
}

/* 1 it runs and answers, or none is wanted; 0 it does not run; -errno: it does not answer as it should. */
static int look_at_responder(struct call *call)
{
    struct health_responder responder = responder_of(call);
    int r;

    if (!responder.port)
        return 1;
    r = background_alive(call->responder_path);
    if (r == 1)
        r = health_responder_look(&responder, deadline_within(call->run->deadline, RESPONDER_LOOK_MS));
    return r;
}

/* ---- the balancer's last word --------------------------------------------------------------------------------------------------- */

static void note_confirmed(const struct call *call)
{
    char text[32];
    int length = text_format(text, sizeof(text), "%" PRIu64 "\n", deadline_now_ms());

    if (length > 0)
        (void)file_write(call->note_path, 0600, text, (size_t)length);
}

static bool confirmed_lately(const struct call *call)
{
    char text[32];
    uint64_t then_ms, now_ms = deadline_now_ms();

    if (file_read_line(call->note_path, text, sizeof(text)) <= 0 || number_parse_unsigned(text, UINT64_MAX, &then_ms) < 0)
        return false;
    return then_ms <= now_ms && now_ms - then_ms < call->config->api_age_ms;
}

/* ---- the actions ---------------------------------------------------------------------------------------------------------------- */

static enum ocf_code lb_start(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    enum ocf_code code = call_begin(&call, run, config);

    /* The responder first: the balancer's checks find it as soon as the instance is registered. */
    if (code == OCF_SUCCESS)
        code = start_responder(&call);
    if (code != OCF_SUCCESS || !call.config->groups)
        return code;
    code = reach_cloud(&call, true);
    if (code == OCF_SUCCESS)
        code = each_group(&call, register_target);
    if (code == OCF_SUCCESS)
        code = each_group(&call, await_registered);
    if (code != OCF_SUCCESS)
        return code;
    note_confirmed(&call);
    (void)agent_record(run->agent->name, run->instance, "register", "%s in %s", call.self.instance, call.config->groups);
    return OCF_SUCCESS;
}

static enum ocf_code take_out(struct call *call)
{
    enum ocf_code code = reach_cloud(call, true);

    /* All of them begin together, so that several groups take no longer than one. */
    if (code == OCF_SUCCESS && call->config->drain)
        code = each_group(call, begin_drain);
    call->drain_began_ms = deadline_now_ms();
    if (code == OCF_SUCCESS && call->config->drain)
        code = each_group(call, finish_drain);
    if (code == OCF_SUCCESS)
        code = each_group(call, deregister);
    if (code == OCF_SUCCESS)
        code = each_group(call, await_deregistered);
    if (code == OCF_SUCCESS)
        (void)agent_record(call->run->agent->name, call->run->instance, "deregister", "%s from %s: seen taken out twice", call->self.instance, call->config->groups);
    return code;
}

static enum ocf_code lb_stop(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    enum ocf_code code = call_begin(&call, run, config);
    int r;

    if (code != OCF_SUCCESS)
        return code;
    (void)unlink(call.note_path);
    if (call.config->groups)
        code = take_out(&call);
    /* In any case: a responder that goes on would call connections to a node that is not active. */
    r = background_stop(call.responder_path, run->deadline);
    if (code == OCF_SUCCESS && r < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "the health responder did not end: %s", r == -ETIMEDOUT ? "timed out" : strerror(-r));
    return code;
}

static enum ocf_code survey_group(struct call *call, const struct cloud_target *target)
{
    struct survey *survey = &call->survey;
    struct cloud_target_state state;

    if (cloud_target_get(call->cloud, target, call->run->deadline, &state) < 0)
        return fail_group(call, target->group, "whether this instance is registered cannot be told");
    survey->groups++;
    if (is_registered(state.health))
        survey->registered++;
    if (state.health == CLOUD_TARGET_UNHEALTHY)
        survey->unhealthy++;
    if (state.health == CLOUD_TARGET_UNHEALTHY || !is_registered(state.health))
        (void)text_format(survey->text, sizeof(survey->text), "%s: %s", target->group, state.text);
    return OCF_SUCCESS;
}

/* What is not there has to be seen twice: a list may come from a replica that lags behind. */
static enum ocf_code survey_groups(struct call *call)
{
    enum ocf_code code = each_group(call, survey_group);

    if (code != OCF_SUCCESS || call->survey.registered == call->survey.groups)
        return code;
    call->survey = (struct survey){ 0 };
    if (deadline_sleep(call->run->deadline, READ_AGAIN_MS) < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "timed out before a second look at the balancer could tell whether this instance is registered");
    return each_group(call, survey_group);
}

/* OCF_SUCCESS, OCF_NOT_RUNNING, or a failure with its reason. */
static enum ocf_code ask_groups(struct call *call)
{
    const struct survey *survey = &call->survey;
    enum ocf_code code = reach_cloud(call, false);

    if (code == OCF_SUCCESS)
        code = survey_groups(call);
    if (code != OCF_SUCCESS)
        return code;
    if (survey->registered == 0)
        return OCF_NOT_RUNNING;
    if (survey->registered < survey->groups)
        return agent_fail(call->run, OCF_ERR_GENERIC, "this instance is registered in %u of %u balancer groups only (%s): a restart puts it right", survey->registered,
                          survey->groups, survey->text);
    if (call->run->depth >= 10 && survey->unhealthy > 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "the balancer finds this instance unhealthy (%s): look at the service and at the firewall", survey->text);
    note_confirmed(call);
    return OCF_SUCCESS;
}

static enum ocf_code monitor_groups(struct call *call)
{
    enum ocf_code code;

    if (!call->config->groups || (!call->run->probe && call->run->depth < 10 && confirmed_lately(call)))
        return OCF_SUCCESS;
    code = ask_groups(call);
    if (code == OCF_NOT_RUNNING && !call->run->probe)
        return agent_fail(call->run, OCF_NOT_RUNNING, "this instance is not registered with the balancer any more (%s): somebody took it out", call->survey.text);
    return code;
}

static enum ocf_code lb_monitor(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    enum ocf_code code = call_begin(&call, run, config);
    int responder;

    if (code != OCF_SUCCESS)
        return code;
    responder = look_at_responder(&call);
    if (responder < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "the health responder does not answer on port %d: %s", call.config->responder_port,
                          responder == -EBADMSG ? "something else answers there" : responder == -ETIMEDOUT ? "timed out" : strerror(-responder));
    code = monitor_groups(&call);
    if (responder == 1)
        return code;
    /* The responder has ended: with registered groups that is half a failure, without it is all. */
    if (code == OCF_NOT_RUNNING || !call.config->groups)
        return run->probe ? OCF_NOT_RUNNING : agent_fail(run, OCF_NOT_RUNNING, "the health responder has ended: something killed it; a restart starts it again");
    return code == OCF_SUCCESS ? agent_fail(run, OCF_ERR_GENERIC, "the health responder has ended: something killed it; a restart starts it again") : code;
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------ */

static enum ocf_code check_config(struct agent_run *run, const void *data)
{
    const struct lb_config *config = data;
    struct cloud_failure failure;

    if (!config->groups && !config->responder_port)
        return agent_fail(run, OCF_ERR_CONFIGURED, "neither groups nor responder_port is set: there is nothing to do");
    if (config->target == TARGET_ADDRESS && !config->address)
        return agent_fail(run, OCF_ERR_CONFIGURED, "target=address needs address: the private address to register");
    if (cloud_params_check(&config->cloud, &failure) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s", failure.text);
    return OCF_SUCCESS;
}

static enum ocf_code look_at_group(struct call *call, const struct cloud_target *target)
{
    struct cloud_target_state state;

    return cloud_target_get(call->cloud, target, call->run->deadline, &state) < 0 ? fail_group(call, target->group, "it cannot be looked at") : OCF_SUCCESS;
}

/* At depth 10 the cloud is asked: the key, the permission to look, the groups. */
static enum ocf_code lb_validate(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    enum ocf_code code;

    if (run->depth < 10)
        return OCF_SUCCESS;
    code = call_begin(&call, run, config);
    if (code == OCF_SUCCESS && call.config->groups)
        code = reach_cloud(&call, false);
    return code == OCF_SUCCESS && call.config->groups ? each_group(&call, look_at_group) : code;
}

static enum ocf_code lb_reload(struct agent_run *run _unused_, const void *config _unused_)
{
    return OCF_SUCCESS;
}

static const struct agent_action actions[] = {
    { "start", lb_start, .timeout_s = 180 },
    { "stop", lb_stop, .timeout_s = 420 },
    { "monitor", lb_monitor, .timeout_s = 60, .interval_s = 10 },
    { "monitor", lb_monitor, .timeout_s = 60, .interval_s = 120, .depth = 10 },
    { "reload-agent", lb_reload, .timeout_s = 10 },
    { "validate-all", lb_validate, .timeout_s = 60 },
    {}
};

static const struct agent agent = {
    .name = "cloud-lb",
    .shortdesc = "The active instance as a target of a cloud's balancer",
    .longdesc = "Registers this instance in groups of a balancer (AWS ALB and NLB, Aliyun CLB, ALB and NLB, Tencent CLB, Huawei ELB), drains and deregisters it when it is "
                "stopped, and, with responder_port, answers the balancer's health checks on the active node only.\n\n"
                "An API that cannot be reached is a failure, never \"not running\": a stop that cannot see fails.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct lb_config),
    .depths = depths,
    .check_config = check_config,
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
