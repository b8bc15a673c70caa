/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fence_vigil_cloud: fences a node by switching off its instance through the cloud's API.
 *
 * "Off" means that the cloud said in two reads, some time apart, that this very instance (by its id) is stopped or gone for good. Stopping, pending, throttled, no
 * answer, not found, another instance of the same name: none of these is off. The instance is stopped hard, without asking its operating system.
 *
 * Stopping takes the cloud seconds, so that a node which is being fenced may still fence its peer: a node asks for its own state first, and does not switch another
 * one off while it is itself being switched off. With a delay on one of two nodes, only one of them goes down.
 */
#include <string.h>

#include "agent/fence.h"
#include "base/file.h"
#include "cloud/cloud_params.h"
#include "cloud/instance_name.h"

/* Between the two reads that have to agree. */
#define READ_AGAIN_MS 500
/* Between two tries of a command that the instance's present state does not allow. */
#define TRY_AGAIN_MS 1000
/* For the look at this node's own state: what is left of the command's time belongs to the command. */
#define OWN_STATE_MS 5000
/* What an id looks like, for the user. */
#define ID_FORMS "i-..., ins-..., or a UUID"

struct fence_cloud_config {
    struct cloud_params cloud;
    struct instance_naming naming;
    bool race_check;
};

static const struct param params[] = {
    { "hosts", PARAM_TEXT(struct fence_cloud_config, naming.hosts), .check = instance_hosts_check, .shortdesc = "Which instance is which node: NODE=INSTANCE pairs",
      .longdesc = "Such as \"n1=i-0123 n2=i-4567\"; blanks, commas or semicolons separate. It is the surest way, since names and tags can be given twice. Without it, a plug that "
                  "has the form of an id (" ID_FORMS ") is one, and any other is looked for as an instance's name or tag." },
    { "host_tag", PARAM_TEXT(struct fence_cloud_config, naming.tag), .aliases = NAMES("tag"), .shortdesc = "Tag of the instances that holds the node's name",
      .longdesc = "When not set: the instance's display name (AWS: its tag Name) is the node's name. Exactly one instance must bear the name." },
    { "race_check", PARAM_BOOLEAN(struct fence_cloud_config, race_check), .default_value = "true", .advanced = true,
      .shortdesc = "Do not switch another node off while this one is being switched off",
      .longdesc = "Asks the cloud for this instance's own state before an off. Two nodes that shoot each other then lose only one, where one of the devices has a delay of "
                  "a few seconds (delay, pcmk_delay_base)." },
    CLOUD_PARAMS(struct fence_cloud_config, cloud),
    {}
};

/* ---- the session ---------------------------------------------------------------------------------------------------------------- */

struct session {
    struct cloud *cloud;
    struct cloud_instance instance; /* of the plug; found once, then by its id alone */
};

static void session_free(struct session *session)
{
    if (!session)
        return;
    cloud_close(session->cloud);
    free(session);
}

static void cleanup_session(struct session **session)
{
    session_free(*session);
}

/* The error that the library is told: -ETIMEDOUT makes it look on for the effect of a command. */
static int fail_cloud(struct fence_run *run, const struct session *session, const char *what)
{
    const struct cloud_failure *failure = cloud_failure(session->cloud);
    int error = failure->maybe_done ? -ETIMEDOUT : cloud_error_errno(failure->error);

    return fence_fail(run, error, "%s: %s%s", what, failure->text, failure->error == CLOUD_TIMED_OUT ? " (timed out)" : "");
}

static int find_plug(struct fence_run *run, const struct fence_cloud_config *config, struct session *session)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    int r = instance_find(session->cloud, &config->naming, run->plug, run->deadline, &session->instance, &why);

    return r < 0 ? fence_fail(run, r, "node %s: %s", run->plug, why.text ? why.text : strerror(-r)) : 0;
}

static int cloud_fence_open(struct fence_run *run, const void *data)
{
    _cleanup_(cleanup_session) struct session *session = calloc(1, sizeof(*session));
    const struct fence_cloud_config *config = data;
    const char *hazard = cloud_params_hazard(&config->cloud);
    struct cloud_failure failure;
    int r;

    if (!session)
        return -ENOMEM;
    if (hazard)
        log_warning("%s", hazard);
    r = cloud_params_open(&config->cloud, true, run->deadline, &session->cloud, &failure);
    if (r < 0)
        return fence_fail(run, r, "the cloud cannot be asked: %s", failure.text);
    r = run->plug && !text_after(run->action, "list") && !text_equal(run->action, "validate-all") ? find_plug(run, config, session) : 0;
    if (r == 0)
        run->session = TAKE_PTR(session);
    return r;
}

static void cloud_fence_close(struct fence_run *run, const void *data _unused_)
{
    session_free(run->session);
    run->session = NULL;
}

/* ---- power ---------------------------------------------------------------------------------------------------------------------- */

static enum power_state state_of(enum cloud_power power)
{
    switch (power) {
    case CLOUD_POWER_RUNNING:
        return POWER_ON;
    case CLOUD_POWER_STOPPED:
    case CLOUD_POWER_TERMINATED:
        return POWER_OFF;
    case CLOUD_POWER_STARTING: /* will run */
    case CLOUD_POWER_STOPPING: /* runs still */
    case CLOUD_POWER_UNKNOWN:
        break;
    }
    return POWER_UNKNOWN;
}

/* One read of the instance, by its id. */
static int read_once(struct fence_run *run, struct session *session, enum power_state *ret)
{
    struct cloud_instance seen;
    char what[CLOUD_ID_SIZE + 64];

    (void)text_format(what, sizeof(what), "instance %s of %s", session->instance.id, run->plug);
    if (cloud_instance_get(session->cloud, session->instance.id, NULL, run->deadline, &seen) < 0)
        return fail_cloud(run, session, what);
    if (!text_equal(seen.id, session->instance.id))
        return fence_fail(run, -EBADMSG, "%s: the cloud described another one, %s", what, seen.id);
    *ret = state_of(seen.power);
    (void)text_format(run->evidence, sizeof(run->evidence), "%s %s", seen.id, seen.evidence[0] ? seen.evidence : seen.state);
    return 0;
}

/* Off counts when a second read says so too: each describe may come from a replica that lags behind. */
static int cloud_power_get(struct fence_run *run, const void *data _unused_, enum power_state *ret)
{
    struct session *session = run->session;
    enum power_state first = POWER_UNKNOWN, second = POWER_UNKNOWN;
    char evidence[sizeof(run->evidence)];
    int r = read_once(run, session, &first);

    if (r < 0 || first != POWER_OFF) {
        if (r == 0)
            *ret = first;
        return r;
    }
    (void)text_copy(evidence, sizeof(evidence), run->evidence);
    r = deadline_sleep(run->deadline, READ_AGAIN_MS);
    if (r < 0)
        return fence_fail(run, r, "instance %s of %s: timed out before a second read could confirm that it is off", session->instance.id, run->plug);
    r = read_once(run, session, &second);
    if (r < 0)
        return r;
    *ret = second == POWER_OFF ? POWER_OFF : POWER_UNKNOWN;
    (void)text_format(run->evidence, sizeof(run->evidence), "twice: %s", evidence);
    return 0;
}

/* Whether the instance is by now where a command that was refused would bring it: it was on its way there already. */
static bool is_there_already(struct session *session, enum cloud_power_action action, struct deadline deadline)
{
    enum power_state wanted = action == CLOUD_POWER_OFF ? POWER_OFF : POWER_ON;
    struct cloud_instance seen;

    return cloud_instance_get(session->cloud, session->instance.id, NULL, deadline, &seen) == 0 && state_of(seen.power) == wanted;
}

/* This node may be the one that is being fenced. */
static int check_own_state(struct fence_run *run, const struct fence_cloud_config *config, struct session *session)
{
    struct cloud_self self;
    struct cloud_instance own;

    if (!config->race_check)
        return 0;
    if (cloud_self(session->cloud, deadline_within(run->deadline, 2000), &self) < 0) {
        log_info("whether this node is itself being switched off is not known: %s", cloud_failure(session->cloud)->text);
        return 0; /* not an instance, or no metadata service: then nothing can be told */
    }
    if (text_equal(self.instance, session->instance.id))
        return 0;
    if (cloud_instance_get(session->cloud, self.instance, NULL, deadline_within(run->deadline, OWN_STATE_MS), &own) < 0) {
        log_warning("whether this node is itself being switched off is not known: %s", cloud_failure(session->cloud)->text);
        return 0;
    }
    if (own.power != CLOUD_POWER_STOPPING && own.power != CLOUD_POWER_STOPPED && own.power != CLOUD_POWER_TERMINATED)
        return 0;
    return fence_fail(run, -ECANCELED, "this node's own instance %s is being switched off (%s): it does not take %s with it", self.instance, own.state, run->plug);
}

/* Gives a command, again and again where the instance's present state does not allow it yet (a stop of one that is starting). */
static int command(struct fence_run *run, struct session *session, enum cloud_power_action action)
{
    char what[CLOUD_ID_SIZE + 64];

    (void)text_format(what, sizeof(what), "instance %s of %s could not be switched", session->instance.id, run->plug);
    for (;;) {
        enum cloud_error error;

        if (cloud_instance_power(session->cloud, session->instance.id, action, run->deadline) == 0)
            return 0;
        error = cloud_failure(session->cloud)->error;
        if (error == CLOUD_ALREADY)
            return 0;
        if (error != CLOUD_WRONG_STATE && error != CLOUD_CONFLICT && error != CLOUD_TRANSIENT)
            return fail_cloud(run, session, what);
        /* What is under way may be this very change: the library looks on for its effect. */
        (void)fail_cloud(run, session, what);
        if (deadline_sleep(run->deadline, TRY_AGAIN_MS) < 0)
            return -ETIMEDOUT;
        if (is_there_already(session, action, run->deadline))
            return 0;
    }
}

static int cloud_power_set(struct fence_run *run, const void *data, enum power_state state)
{
    struct session *session = run->session;
    int r = state == POWER_OFF ? check_own_state(run, data, session) : 0;

    return r < 0 ? r : command(run, session, state == POWER_OFF ? CLOUD_POWER_OFF : CLOUD_POWER_ON);
}

/* ---- lists ---------------------------------------------------------------------------------------------------------------------- */

/* The nodes of a host map, with the state of each where that is wanted. */
struct round {
    struct fence_run *run;
    struct session *session;
    fence_emit emit;
    bool look;
    int error;
};

static int visit_host(void *context, const char *node, size_t node_length, const char *id, size_t id_length)
{
    struct round *round = context;
    struct cloud_instance seen;
    enum power_state state = POWER_UNKNOWN;
    char name[256], instance[CLOUD_ID_SIZE];

    (void)text_format(name, sizeof(name), "%.*s", (int)node_length, node);
    (void)text_format(instance, sizeof(instance), "%.*s", (int)id_length, id);
    if (round->look && cloud_instance_get(round->session->cloud, instance, NULL, round->run->deadline, &seen) == 0 && text_equal(seen.id, instance))
        state = state_of(seen.power);
    else if (round->look)
        round->error = fail_cloud(round->run, round->session, instance);
    round->emit(round->run, name, instance, state);
    return 0;
}

/* Every instance that has a name (or the tag) and could be fenced by it. */
static int list_named(struct fence_run *run, const struct fence_cloud_config *config, struct session *session, fence_emit emit)
{
    struct cloud_instance_filter filter = { .tag = config->naming.tag };
    _cleanup_cloud_instance_list_ struct cloud_instance_list list = { 0 };

    if (cloud_instance_list(session->cloud, &filter, run->deadline, &list) < 0)
        return fail_cloud(run, session, "list of instances");
    for (size_t i = 0; i < list.count; i++) {
        const struct cloud_instance *instance = &list.items[i];
        const char *name = config->naming.tag ? instance->tag : instance->name;

        if (!text_empty(name) && instance->power != CLOUD_POWER_TERMINATED && !strpbrk(name, ",\n"))
            emit(run, name, instance->id, state_of(instance->power));
    }
    return 0;
}

/* A monitor goes through here where no plug is named: it has to reach the API. */
static int cloud_list(struct fence_run *run, const void *data, fence_emit emit)
{
    const struct fence_cloud_config *config = data;
    struct round round = { .run = run, .session = run->session, .emit = emit, .look = !text_equal(run->action, "list") };

    if (!config->naming.hosts)
        return list_named(run, config, run->session, emit);
    (void)instance_hosts_walk(config->naming.hosts, visit_host, &round, NULL);
    return text_equal(run->action, "list-status") ? 0 : round.error;
}

/* ---- configuration -------------------------------------------------------------------------------------------------------------- */

/* Tries the permissions without using them, where the cloud can do that. 1: it can't. */
static int try_permissions(struct fence_run *run, struct session *session, const char *id)
{
    static const enum cloud_power_action actions[] = { CLOUD_POWER_OFF, CLOUD_POWER_ON, CLOUD_POWER_REBOOT };
    char what[CLOUD_ID_SIZE + 64];

    (void)text_format(what, sizeof(what), "instance %s may not be switched by this account", id);
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        enum cloud_error error = CLOUD_OK;

        if (cloud_instance_power_check(session->cloud, id, actions[i], run->deadline) < 0)
            error = cloud_failure(session->cloud)->error;
        /* The permission is looked at first: what a running instance refuses beyond that (a start) is no matter here. */
        if (error == CLOUD_OK || error == CLOUD_WRONG_STATE || error == CLOUD_CONFLICT || error == CLOUD_ALREADY)
            continue;
        if (error != CLOUD_UNSUPPORTED)
            return fail_cloud(run, session, what);
        log_info("this cloud has no dry run: whether an instance may be switched off shows when it is done");
        return 1;
    }
    return 0;
}

static int validate_host(void *context, const char *node _unused_, size_t node_length _unused_, const char *id, size_t id_length)
{
    struct fence_run *run = context;
    char instance[CLOUD_ID_SIZE];

    (void)text_format(instance, sizeof(instance), "%.*s", (int)id_length, id);
    return try_permissions(run, run->session, instance);
}

static int cloud_validate(struct fence_run *run, const void *data)
{
    const struct fence_cloud_config *config = data;
    struct session *session = run->session;
    struct cloud_self self;
    int r;

    if (cloud_check(session->cloud, run->deadline) < 0)
        return fail_cloud(run, session, "the API cannot be used");
    if (config->naming.hosts)
        r = instance_hosts_walk(config->naming.hosts, validate_host, run, NULL);
    else if (cloud_self(session->cloud, deadline_within(run->deadline, 2000), &self) == 0)
        r = try_permissions(run, session, self.instance);
    else
        r = 0;
    return r < 0 ? r : 0;
}

static int cloud_check_config(struct fence_run *run, const void *data)
{
    const struct fence_cloud_config *config = data;
    struct cloud_failure failure;

    if (cloud_params_check(&config->cloud, &failure) < 0)
        return fence_fail(run, -EINVAL, "%s", failure.text);
    return 0;
}

static const struct fence_operations operations = {
    .open = cloud_fence_open,
    .close = cloud_fence_close,
    .power_get = cloud_power_get,
    .power_set = cloud_power_set,
    .list = cloud_list,
    .validate = cloud_validate,
    .check_config = cloud_check_config,
};

/* An instance stops within seconds to minutes, and each look is a call to the API. */
static const struct fence_default defaults[] = {
    { "login_timeout", "20" }, { "shell_timeout", "20" }, { "power_timeout", "120" }, { "status_interval", "2" }, { "retry_on", "2" }, {},
};

static const struct fence_agent agent = {
    .name = "fence_vigil_cloud",
    .shortdesc = "Fences instances of AWS, Aliyun, Tencent Cloud and Huawei Cloud",
    .longdesc = "fence_vigil_cloud switches instances off and on through the cloud's API. An instance is stopped hard, and counts as off only when the cloud said in two "
                "reads that this very instance is stopped or gone. One device serves all nodes: by hosts, or by the instances' names or tags.\n\n"
                "The key best comes from the instance's role. validate-all tries the permissions by the cloud's dry run, where it has one (AWS, Aliyun).\n\n"
                "Two nodes that fence each other at the same time: give the device of one of them a delay of at least five seconds.",
    .vendor_url = "https://clusterlabs.org",
    .params = params,
    .defaults = defaults,
    .config_size = sizeof(struct fence_cloud_config),
    .plug_required = true,
    .operations = &operations,
};

int main(int argc, char *argv[])
{
    return fence_main(&agent, argc, argv);
}
