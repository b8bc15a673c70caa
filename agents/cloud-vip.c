/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud-vip: an address that the cloud's network leads to the active instance: a secondary private address, an elastic address, a HaVip, or a route.
 *
 * Running means: the cloud's word, confirmed by this instance's metadata service or by a second read, is that the address is with this instance. A monitor takes a
 * word that is younger than api_age, and asks otherwise. An API that can't be reached is a failure, never "not running".
 *
 * Stop has succeeded when two reads agree that the address is not with this instance, whoever has it then.
 *
 * The address on the interface is the part of ocf:vigil:vip. A HaVip belongs to who announces it; here it is running when this instance may announce it.
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

/* Between two reads that have to agree, and between two looks at a change. */
#define READ_AGAIN_MS 1000
/* How often a monitor looks before it says that the two sources do not agree. */
#define LOOKS_AT_A_CHANGE 5

enum vip_mode { MODE_AUTO, MODE_SECONDARY, MODE_ELASTIC, MODE_HAVIP, MODE_ROUTE };
static const char *const modes[] = { "auto", "secondary", "eip", "havip", "route", NULL };

struct vip_config {
    struct cloud_params cloud;
    int mode;
    const char *address, *interface, *tables, *private_address;
    uint64_t api_age_ms;
};

static int check_address(const char *text, struct text_buffer *why)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/";

    if (text[0] != '-' && strlen(text) < 64 && text[strspn(text, allowed)] == '\0')
        return 0;
    text_buffer_printf(why, "an address (192.0.2.10), an address with its prefix (route), or the cloud's id of it is wanted");
    return -EINVAL;
}

static int check_plain_address(const char *text, struct text_buffer *why)
{
    unsigned char binary[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1)
        return 0;
    text_buffer_printf(why, "an address such as 192.0.2.10 is wanted");
    return -EINVAL;
}

static int check_tables(const char *text, struct text_buffer *why)
{
    const char *word;
    size_t length;
    char id[CLOUD_ID_SIZE];

    if (text_count_words(text, " ,") == 0) {
        text_buffer_printf(why, "ids of route tables, separated by blanks, are wanted");
        return -EINVAL;
    }
    while (text_next_word(&text, " ,", &word, &length)) {
        if (text_format(id, sizeof(id), "%.*s", (int)length, word) < 0 || cloud_id_check(id, why) < 0)
            return -EINVAL;
    }
    return 0;
}

static const struct param params[] = {
    { "address", PARAM_TEXT(struct vip_config, address), .required = true, .unique_group = "address", .aliases = NAMES("ip", "elastic_ip", "allocation_id"),
      .check = check_address, .shortdesc = "The address, or the cloud's id of it",
      .longdesc = "secondary: the private address. eip: the public address or its id (eipalloc-..., eip-...). havip: its id or address. route: the destination, such "
                  "as 198.51.100.7/32." },
    { "mode", PARAM_CHOICE(struct vip_config, mode), .choices = modes, .default_value = "auto", .shortdesc = "What kind of address it is",
      .longdesc = "auto: route where tables are set; eip for an id that begins with eipalloc- or eip-, and where private_address is set; havip for an id that begins with "
                  "havip-, and for private addresses in Huawei Cloud, whose networks have no other kind; secondary for private addresses (RFC 1918, RFC 6598, RFC 4193); eip for others." },
    { "interface", PARAM_TEXT(struct vip_config, interface), .check = cloud_id_check, .aliases = NAMES("eni"), .shortdesc = "Id of the network interface in the cloud",
      .longdesc = "When not set: the instance's primary one. The id differs from node to node; set it only for a resource that is kept to one node." },
    { "tables", PARAM_TEXT(struct vip_config, tables), .check = check_tables, .aliases = NAMES("routing_table", "route_table_id"),
      .shortdesc = "route: ids of the route tables, separated by blanks" },
    { "private_address", PARAM_TEXT(struct vip_config, private_address), .check = check_plain_address, .aliases = NAMES("private_ip_address"),
      .shortdesc = "eip: the private address that it leads to",
      .longdesc = "When not set: the interface's primary one." },
    { "api_age", PARAM_DURATION(struct vip_config, api_age_ms), .default_value = "30", .minimum = 0, .maximum = 86400000, .reloadable = true,
      .shortdesc = "How old the cloud's word may be for a monitor",
      .longdesc = "A monitor asks the cloud only when its last word is older. With OCF_CHECK_LEVEL 10 it always asks." },
    CLOUD_PARAMS(struct vip_config, cloud),
    {}
};

static const unsigned int depths[] = { 0, 10, UINT_MAX };

/* ---- what an action works on ---------------------------------------------------------------------------------------------------- */

struct call {
    struct agent_run *run;
    const struct vip_config *config;
    struct cloud *cloud;
    struct cloud_self self;
    struct cloud_address_spec spec;
    struct cloud_address address; /* the cloud's last word */
    char note_path[PATH_MAX];
};

static void call_end(struct call *call)
{
    cloud_close(call->cloud);
}
#define _cleanup_call_ _cleanup_(call_end)

static bool is_private_ipv4(uint32_t address)
{
    return address >> 24 == 10 || address >> 20 == 0xac1 || address >> 16 == 0xc0a8 || address >> 22 == 0x191;
}

static bool is_private(const char *text)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;

    if (inet_pton(AF_INET, text, &ipv4) == 1)
        return is_private_ipv4(ntohl(ipv4.s_addr));
    return inet_pton(AF_INET6, text, &ipv6) == 1 && (ipv6.s6_addr[0] & 0xfe) == 0xfc;
}

static enum cloud_address_kind kind_of(const struct vip_config *config, const struct cloud *cloud)
{
    static const enum cloud_address_kind kinds[] = {
        [MODE_SECONDARY] = CLOUD_ADDRESS_SECONDARY, [MODE_ELASTIC] = CLOUD_ADDRESS_ELASTIC, [MODE_HAVIP] = CLOUD_ADDRESS_HAVIP, [MODE_ROUTE] = CLOUD_ADDRESS_ROUTE,
    };

    if (config->mode != MODE_AUTO)
        return kinds[config->mode];
    if (config->tables)
        return CLOUD_ADDRESS_ROUTE;
    if (text_after(config->address, "eipalloc-") || text_after(config->address, "eip-") || config->private_address)
        return CLOUD_ADDRESS_ELASTIC;
    if (text_after(config->address, "havip-"))
        return CLOUD_ADDRESS_HAVIP;
    if (!is_private(config->address))
        return CLOUD_ADDRESS_ELASTIC;
    return cloud_private_kind(cloud);
}

static const char *kind_name(enum cloud_address_kind kind)
{
    static const char *const names[] = {
        [CLOUD_ADDRESS_SECONDARY] = "secondary address", [CLOUD_ADDRESS_ELASTIC] = "elastic address", [CLOUD_ADDRESS_HAVIP] = "HaVip",
        [CLOUD_ADDRESS_ROUTE] = "route",
    };

    return names[kind];
}

static enum ocf_code fail_cloud(struct call *call, const char *doing)
{
    const struct cloud_failure *failure = cloud_failure(call->cloud);

    return agent_fail(call->run, OCF_ERR_GENERIC, "%s %s: %s: %s", kind_name(call->spec.kind), call->config->address, doing, failure->text);
}

/* A look that failed: by the cloud, or by the time between two reads. */
static enum ocf_code fail_look(struct call *call, int error)
{
    if (error == -ETIMEDOUT && cloud_failure(call->cloud)->error != CLOUD_TIMED_OUT)
        return agent_fail(call->run, OCF_ERR_GENERIC, "%s %s: timed out before two reads agreed on who has it", kind_name(call->spec.kind), call->config->address);
    return fail_cloud(call, "whether it is at this instance cannot be told");
}

static enum ocf_code reach_cloud(struct call *call, bool urgent)
{
    const struct vip_config *config = call->config;
    const char *hazard = cloud_params_hazard(&config->cloud);
    struct cloud_failure failure;

    if (call->cloud)
        return OCF_SUCCESS;
    if (hazard)
        log_warning("%s", hazard);
    if (cloud_params_open(&config->cloud, urgent, call->run->deadline, &call->cloud, &failure) < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "address %s: the cloud cannot be asked: %s", config->address, failure.text);
    call->spec = (struct cloud_address_spec){ .kind = kind_of(config, call->cloud), .address = config->address, .interface = config->interface,
                                              .tables = config->tables, .private_address = config->private_address };
    if (cloud_self(call->cloud, call->run->deadline, &call->self) < 0)
        return fail_cloud(call, "which instance this is could not be told");
    return OCF_SUCCESS;
}

static void call_begin(struct call *call, struct agent_run *run, const void *config)
{
    *call = (struct call){ .run = run, .config = config };
    if (agent_state_path(run, NULL, call->note_path, sizeof(call->note_path)) < 0)
        call->note_path[0] = '\0';
}

/* ---- the cloud's word, and how old it is ---------------------------------------------------------------------------------------- */

/* The note holds when the cloud last said that the address is here, on the monotonic clock; a restart of the node clears it. */
static void note_confirmed(const struct call *call)
{
    char text[64];
    int length = text_format(text, sizeof(text), "%" PRIu64 " %s\n", deadline_now_ms(), call->config->address);

    if (length > 0 && call->note_path[0])
        (void)file_write(call->note_path, 0600, text, (size_t)length);
}

static void forget(const struct call *call)
{
    if (call->note_path[0])
        (void)unlink(call->note_path);
}

static bool confirmed_lately(const struct call *call)
{
    char text[128], *blank;
    uint64_t then_ms, now_ms = deadline_now_ms();

    if (!call->note_path[0] || file_read_line(call->note_path, text, sizeof(text)) <= 0)
        return false;
    blank = strchr(text, ' ');
    if (!blank || !text_equal(blank + 1, call->config->address))
        return false;
    *blank = '\0';
    return number_parse_unsigned(text, UINT64_MAX, &then_ms) == 0 && then_ms <= now_ms && now_ms - then_ms < call->config->api_age_ms;
}

/* Where the cloud names only the network interface that has the address: 1 it is this instance's, 0, -errno. */
static int is_own_interface(struct call *call)
{
    struct cloud_instance own;

    if (call->spec.interface)
        return text_equal(call->address.interface, call->spec.interface);
    if (cloud_instance_get(call->cloud, call->self.instance, NULL, call->run->deadline, &own) < 0)
        return cloud_error_errno(cloud_failure(call->cloud)->error);
    return text_equal(call->address.interface, own.interface);
}

/* By one description: 1 it is with this instance, 0 it is not, -errno: that could not be told. */
static int is_here(struct call *call)
{
    const struct cloud_address *address = &call->address;
    int here;

    if (call->spec.kind == CLOUD_ADDRESS_HAVIP)
        return address->associated;
    if (!address->assigned)
        return 0;
    here = address->instance[0] || !address->interface[0] ? text_equal(address->instance, call->self.instance) : is_own_interface(call);
    /* In the midst of a change, or a part of the tables only: neither here nor gone. */
    if (here == 1 && (address->moving || address->partial))
        return -ESTALE;
    if (here != 1)
        return here;
    if (call->spec.kind == CLOUD_ADDRESS_ELASTIC && call->spec.private_address && !text_equal(address->private_address, call->spec.private_address))
        return 0;
    return 1;
}

static int look_once(struct call *call, const struct cloud_address_spec *spec)
{
    int r = cloud_address_get(call->cloud, spec, call->self.instance, call->run->deadline, &call->address);

    return r < 0 ? r : is_here(call);
}

/* One look: 1, 0, -ESTALE where it is partly here, or -errno with the cloud's failure. Each route table for itself. */
static int look(struct call *call)
{
    const char *cursor = call->spec.tables, *word;
    unsigned int here = 0, tables = 0;
    size_t length;

    if (call->spec.kind != CLOUD_ADDRESS_ROUTE)
        return look_once(call, &call->spec);
    while (text_next_word(&cursor, " ,", &word, &length)) {
        struct cloud_address_spec one = call->spec;
        char table[CLOUD_ID_SIZE];
        int r;

        (void)text_format(table, sizeof(table), "%.*s", (int)length, word);
        one.tables = table;
        r = look_once(call, &one);
        if (r < 0)
            return r;
        tables++;
        here += (unsigned int)r;
    }
    return here == 0 ? 0 : here == tables ? 1 : -ESTALE;
}

/* The word of this instance's metadata service where it has one for this kind, else of a second read. The same values; -EOPNOTSUPP never. */
static int look_again(struct call *call)
{
    int r = cloud_address_in_metadata(call->cloud, &call->spec, call->run->deadline);

    if (r != -EOPNOTSUPP)
        return r;
    r = deadline_sleep(call->run->deadline, READ_AGAIN_MS);
    return r < 0 ? r : look(call);
}

/* Two sources that agree: 1, 0; -ESTALE where they do not (a change is under way); -errno. */
static int look_twice(struct call *call)
{
    int first = look(call), second;

    if (first < 0)
        return first;
    second = look_again(call);
    if (second < 0)
        return second;
    return first == second ? first : -ESTALE;
}

/* ---- the actions ---------------------------------------------------------------------------------------------------------------- */

/* Looks until the two sources agree on what is wanted. Returns 0, -ETIMEDOUT, or the -errno of the last look. */
static int await(struct call *call, int wanted)
{
    int last = -ESTALE;

    while (!deadline_passed(call->run->deadline)) {
        last = look_twice(call);
        if (last == wanted)
            return 0;
        if (deadline_sleep(call->run->deadline, READ_AGAIN_MS) < 0)
            break;
    }
    return last < 0 && last != -ESTALE ? last : -ETIMEDOUT;
}

static enum ocf_code fail_await(struct call *call, int error, const char *wanted)
{
    if (error != -ETIMEDOUT)
        return fail_look(call, error);
    return agent_fail(call->run, OCF_ERR_GENERIC, "%s %s: the change was sent, but it was not seen %s this instance in time (it is with %s): look at it in the cloud's "
                      "console", kind_name(call->spec.kind), call->config->address, wanted,
                      call->address.instance[0] ? call->address.instance : call->address.interface[0] ? call->address.interface : "nobody");
}

static enum ocf_code assign(struct call *call)
{
    const struct cloud_failure *failure;
    int r = cloud_address_assign(call->cloud, &call->spec, call->self.instance, call->run->deadline);

    failure = cloud_failure(call->cloud);
    if (r < 0 && !failure->maybe_done && failure->error != CLOUD_ALREADY)
        return fail_cloud(call, failure->error == CLOUD_QUOTA ? "this instance has no room for one more address" : "it cannot be moved to this instance");
    r = await(call, 1);
    return r == 0 ? OCF_SUCCESS : fail_await(call, r, "at");
}

static enum ocf_code vip_start(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    enum ocf_code code;
    char before[CLOUD_ID_SIZE];
    int r;

    call_begin(&call, run, config);
    code = reach_cloud(&call, true);
    if (code != OCF_SUCCESS)
        return code;
    r = look_twice(&call);
    if (r < 0 && r != -ESTALE)
        return fail_look(&call, r);
    (void)text_copy(before, sizeof(before), call.address.instance);
    if (r != 1)
        code = assign(&call);
    if (code != OCF_SUCCESS)
        return code;
    note_confirmed(&call);
    if (r != 1)
        (void)agent_record(run->agent->name, run->instance, "move-address", "%s %s to %s, from %s", kind_name(call.spec.kind), call.config->address,
                           call.self.instance, before[0] ? before : "nobody");
    return OCF_SUCCESS;
}

/* The cloud, which knows this instance, says twice that there is no such elastic address or HaVip: one that was given back, or whose id was never right. Fencing this node
 * for it would mend nothing. Only where the thing itself says whose it is: of several route tables one that is missing says nothing of the others, and Huawei's ports may have a
 * virtual address whose own port is gone. */
static bool address_is_unknown(struct call *call)
{
    bool tells_holder = call->spec.kind == CLOUD_ADDRESS_ELASTIC || (call->spec.kind == CLOUD_ADDRESS_HAVIP && text_after(call->config->address, "havip-"));

    if (!tells_holder)
        return false;
    for (int i = 0; i < 2; i++) {
        if (i > 0 && deadline_sleep(call->run->deadline, READ_AGAIN_MS) < 0)
            return false;
        if (cloud_address_get(call->cloud, &call->spec, call->self.instance, call->run->deadline, &call->address) == 0 ||
            !cloud_lacks_thing(call->cloud, call->run->deadline))
            return false;
    }
    log_warning("%s %s: the cloud knows no such address, so it is not at this instance", kind_name(call->spec.kind), call->config->address);
    return true;
}

static enum ocf_code vip_stop(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    enum ocf_code code;
    int r;

    call_begin(&call, run, config);
    forget(&call);
    code = reach_cloud(&call, true);
    if (code != OCF_SUCCESS)
        return code;
    r = look_twice(&call);
    if (r == 0 || (r == -ENOENT && address_is_unknown(&call)))
        return OCF_SUCCESS;
    if (r < 0 && r != -ESTALE)
        return fail_look(&call, r);
    r = cloud_address_release(call.cloud, &call.spec, call.self.instance, run->deadline);
    if (r < 0 && !cloud_failure(call.cloud)->maybe_done && cloud_failure(call.cloud)->error != CLOUD_ALREADY)
        return fail_cloud(&call, "it cannot be taken from this instance");
    r = await(&call, 0);
    if (r < 0)
        return fail_await(&call, r, "away from");
    (void)agent_record(run->agent->name, run->instance, "release-address", "%s %s from %s", kind_name(call.spec.kind), call.config->address, call.self.instance);
    return OCF_SUCCESS;
}

/* As look_twice(). A look in the midst of a change finds the two sources apart: the metadata service learns of it later than the API tells it, and gets a few seconds.
 * Of routes the API alone speaks, for each table by itself: they are looked at once more. */
static int look_until_agreed(struct call *call)
{
    int looks = call->spec.kind == CLOUD_ADDRESS_ROUTE ? 2 : LOOKS_AT_A_CHANGE, r = look_twice(call);

    for (int i = 1; i < looks && r == -ESTALE && deadline_sleep(call->run->deadline, READ_AGAIN_MS) == 0; i++)
        r = look_twice(call);
    return r;
}

static enum ocf_code fail_disagreement(struct call *call)
{
    const char *why = call->spec.kind == CLOUD_ADDRESS_ROUTE ? "some of its route tables lead to this instance, others do not"
                                                             : "the cloud and this instance's metadata service do not agree on who has it";

    return agent_fail(call->run, OCF_ERR_GENERIC, "%s %s: %s", kind_name(call->spec.kind), call->config->address, why);
}

static enum ocf_code ask(struct call *call)
{
    enum ocf_code code = reach_cloud(call, false);
    int r;

    if (code != OCF_SUCCESS)
        return code;
    r = look_until_agreed(call);
    if (r == 1) {
        note_confirmed(call);
        return OCF_SUCCESS;
    }
    if (r == -ESTALE)
        return fail_disagreement(call);
    if (r < 0)
        return fail_look(call, r);
    if (call->run->probe)
        return OCF_NOT_RUNNING;
    return agent_fail(call->run, OCF_NOT_RUNNING, "%s %s is not at this instance any more, but with %s: somebody moved it", kind_name(call->spec.kind),
                      call->config->address, call->address.instance[0] ? call->address.instance : "nobody");
}

static enum ocf_code vip_monitor(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;

    call_begin(&call, run, config);
    if (!run->probe && run->depth < 10 && confirmed_lately(&call))
        return OCF_SUCCESS;
    return ask(&call);
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------ */

static enum ocf_code check_mode(struct agent_run *run, const struct vip_config *config)
{
    const char *address = config->address;
    struct text_buffer why = { 0 };
    bool plain = check_plain_address(address, &why) == 0;

    text_buffer_free(&why);
    if (config->mode == MODE_SECONDARY && !plain)
        return agent_fail(run, OCF_ERR_CONFIGURED, "address '%s' is no address, and mode=secondary needs one such as 192.0.2.10", address);
    if (config->mode == MODE_ROUTE && !config->tables)
        return agent_fail(run, OCF_ERR_CONFIGURED, "mode=route needs tables: the ids of the route tables that lead to %s", address);
    if (config->tables && config->mode != MODE_AUTO && config->mode != MODE_ROUTE)
        return agent_fail(run, OCF_ERR_CONFIGURED, "tables are for mode=route, and mode is %s", modes[config->mode]);
    if (config->private_address && config->mode != MODE_AUTO && config->mode != MODE_ELASTIC)
        return agent_fail(run, OCF_ERR_CONFIGURED, "private_address is for mode=eip, and mode is %s", modes[config->mode]);
    return OCF_SUCCESS;
}

static enum ocf_code check_config(struct agent_run *run, const void *data)
{
    const struct vip_config *config = data;
    struct cloud_failure failure;

    if (cloud_params_check(&config->cloud, &failure) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s", failure.text);
    return check_mode(run, config);
}

/* At depth 10 the cloud is asked: the key, the permission to look, the address. */
static enum ocf_code vip_validate(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    enum ocf_code code;

    if (run->depth < 10)
        return OCF_SUCCESS;
    call_begin(&call, run, config);
    code = reach_cloud(&call, false);
    return code == OCF_SUCCESS && look(&call) < 0 ? fail_cloud(&call, "it cannot be looked at") : code;
}

static enum ocf_code vip_reload(struct agent_run *run _unused_, const void *config _unused_)
{
    return OCF_SUCCESS;
}

static const struct agent_action actions[] = {
    { "start", vip_start, .timeout_s = 120 },
    { "stop", vip_stop, .timeout_s = 120 },
    { "monitor", vip_monitor, .timeout_s = 60, .interval_s = 10 },
    { "monitor", vip_monitor, .timeout_s = 60, .interval_s = 120, .depth = 10 },
    { "reload-agent", vip_reload, .timeout_s = 10 },
    { "validate-all", vip_validate, .timeout_s = 60 },
    {}
};

static const struct agent agent = {
    .name = "cloud-vip",
    .shortdesc = "An address that the cloud leads to the active instance",
    .longdesc = "Moves a secondary private address, an elastic (public) address, a HaVip or a route of AWS, Aliyun, Tencent Cloud or Huawei Cloud to the instance where it is to "
                "be used, and looks until the cloud and this instance's metadata service (or a second read) agree on it.\n\n"
                "The address on the interface is the part of ocf:vigil:vip: put both into one group, this one first.\n\n"
                "An API that cannot be reached is a failure, never \"not running\": a stop that cannot see fails.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct vip_config),
    .depths = depths,
    .check_config = check_config,
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
