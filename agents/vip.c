/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vip: an IPv4 or IPv6 address that moves between nodes.
 *
 * Running: the address is on its interface (with its label, where one is asked for), duplicate address detection has not failed, and the interface can carry
 * packets. Stopped: a look at the kernel's own table shows no entry of the address on the interface (on any, where none is named; loopback aside), and
 * nothing on this node announces it any more.
 *
 * Parameter names are those of ocf:heartbeat:IPaddr2, so that this agent can take its place in a configuration.
 */
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/note.h"
#include "base/file.h"
#include "base/number.h"
#include "net/address_announce.h"
#include "net/address_service.h"
#include "net/address_start.h"
#include "net/address_stop.h"
#include "net/network_namespace.h"
#include "watch/client.h"

#define DETACHED_COUNT_MAX 1000

struct vip_config {
    struct address_config address;
    const char *network_namespace, *mac, *send_arp_opts, *arp_mac;
    int arp_count, arp_sender, clusterip_hash;
    bool unique_clone_address, watch;
};

static int check_namespace(const char *text, struct text_buffer *why)
{
    if (!strchr(text, '/') && text[0] != '.')
        return 0;
    text_buffer_printf(why, "not the name of a network namespace as 'ip netns list' shows it");
    return -EINVAL;
}

static const struct param params[] = {
    { "ip", PARAM_TEXT(struct vip_config, address.ip), .required = true, .unique_group = "address", .check = address_check_ip,
      .shortdesc = "IPv4 or IPv6 address", .longdesc = "The address to move, such as 192.0.2.10 or 2001:db8::10." },
    { "nic", PARAM_TEXT(struct vip_config, address.nic), .check = address_check_nic, .shortdesc = "Network interface",
      .longdesc = "The interface that gets the address, by its name or one of its alternative names. Found from the routing table when not set. "
                  "The old form NIC:LABEL still works." },
    { "cidr_netmask", PARAM_TEXT(struct vip_config, address.cidr_netmask), .aliases = NAMES("netmask"), .shortdesc = "Prefix length",
      .longdesc = "The prefix length, such as 24 (a netmask such as 255.255.255.0 works too). Found from the routing table when not set." },
    { "broadcast", PARAM_TEXT(struct vip_config, address.broadcast), .check = address_check_broadcast, .shortdesc = "IPv4 broadcast address",
      .longdesc = "The broadcast address, or + or - for the one with all host bits set or clear. When not set: the same as other addresses of "
                  "this network have on the interface, or none." },
    { "iflabel", PARAM_TEXT(struct vip_config, address.iflabel), .check = address_check_label, .shortdesc = "IPv4 label",
      .longdesc = "A label for the address, shown as INTERFACE:LABEL, of at most 15 characters in all. An address without it is a failure." },
    { "table", PARAM_INTEGER(struct vip_config, address.table), .minimum = 1, .maximum = INT_MAX, .default_value = "254",
      .shortdesc = "Routing table", .longdesc = "The number of the routing table that is asked for interface and prefix first, and that gets the route to the "
                                               "address's network. 254 is the main table." },
    { "noprefixroute", PARAM_BOOLEAN(struct vip_config, address.noprefixroute), .default_value = "false",
      .shortdesc = "Add no route to the network", .longdesc = "The address is added without a route to its network (see ip-address(8))." },
    { "preferred_lft", PARAM_TEXT(struct vip_config, address.preferred_lft), .default_value = "forever", .check = address_check_lifetime,
      .reloadable = true, .shortdesc = "Preferred lifetime",
      .longdesc = "Seconds that the address is preferred as a source address, or forever. 0 keeps the node from using it for its own connections." },
    { "link_check", PARAM_BOOLEAN(struct vip_config, address.link_check), .aliases = NAMES("check_link_status"), .default_value = "true", .reloadable = true,
      .shortdesc = "Watch the interface's link", .longdesc = "An interface that is down or has no carrier makes start and monitor fail. Set it to false for a "
                                                            "bridge that may have no port." },
    { "monitor_retries", PARAM_INTEGER(struct vip_config, address.monitor_retries), .minimum = 1, .maximum = 60, .default_value = "1", .reloadable = true,
      .shortdesc = "Looks at a lost link", .longdesc = "How often, a second apart, a recurring monitor looks at an interface that is missing or has no carrier before it fails." },
    { "duplicate_detection", PARAM_BOOLEAN(struct vip_config, address.duplicate_detection), .aliases = NAMES("run_arping"),
      .default_value = "true", .reloadable = true, .shortdesc = "Ask the network before start",
      .longdesc = "Before the address is added, ask by ARP probe or neighbour solicitation whether another host has it, and refuse to start if one answers. "
                  "A network whose gateway answers for every address, as in some clouds, needs false." },
    { "duplicate_wait", PARAM_DURATION(struct vip_config, address.duplicate_wait_ms), .minimum = 3, .maximum = 10000, .default_value = "100ms",
      .reloadable = true, .shortdesc = "How long to await an answer", .longdesc = "Three probes are sent within this time." },
    { "nodad", PARAM_BOOLEAN(struct vip_config, address.nodad), .default_value = "false", .shortdesc = "No IPv6 DAD by the kernel",
      .longdesc = "IPv6: the kernel's own duplicate address detection, which delays the start by one to two seconds, is left out. "
                  "duplicate_detection still asks the network." },
    { "arp_count", PARAM_INTEGER(struct vip_config, arp_count), .minimum = 1, .maximum = DETACHED_COUNT_MAX, .default_value = "5", .reloadable = true,
      .shortdesc = "Announcements after start", .longdesc = "How often the address is announced after start: by ARP request and reply, or by unsolicited neighbour advertisement." },
    { "arp_interval", PARAM_INTEGER(struct vip_config, address.arp_interval), .minimum = 1, .maximum = 3600000, .default_value = "200", .reloadable = true,
      .shortdesc = "Milliseconds between announcements", .longdesc = "The time between two announcements, in milliseconds." },
    { "arp_bg", PARAM_BOOLEAN(struct vip_config, address.arp_bg), .default_value = "true", .reloadable = true,
      .shortdesc = "Repeat announcements in the background", .longdesc = "The first announcement is always sent before start returns. The others follow in the background, as long as the "
                                                                         "address is there; with false, start waits for them." },
    { "arp_count_refresh", PARAM_INTEGER(struct vip_config, address.arp_count_refresh), .minimum = 0, .maximum = DETACHED_COUNT_MAX, .default_value = "0", .reloadable = true,
      .shortdesc = "Announcements at each monitor", .longdesc = "How often each recurring monitor announces the address anew, for peers that hold an old entry." },
    { "announce_refresh", PARAM_DURATION(struct vip_config, address.announce_refresh_ms), .minimum = 0, .maximum = 86400000, .default_value = "0", .reloadable = true,
      .shortdesc = "Announce anew every so often", .longdesc = "A background process announces the address at this interval as long as it is there. 0: it does not." },
    { "reset_connections", PARAM_BOOLEAN(struct vip_config, address.reset_connections), .default_value = "true", .reloadable = true,
      .shortdesc = "Reset connections at stop", .longdesc = "Stop resets the TCP connections of the address, so that clients connect anew at once." },
    { "flush_routes", PARAM_BOOLEAN(struct vip_config, address.flush_routes), .default_value = "false", .reloadable = true,
      .shortdesc = "Flush cached routes at stop", .longdesc = "Stop flushes the kernel's cached routes." },
    { "network_namespace", PARAM_TEXT(struct vip_config, network_namespace), .check = check_namespace, .unique_group = "address",
      .shortdesc = "Network namespace", .longdesc = "The network namespace (ip-netns(8)) that holds the interface. It must exist." },
    { "lvs_support", PARAM_BOOLEAN(struct vip_config, address.lvs_support), .default_value = "false", .advanced = true,
      .shortdesc = "IPv4 address on a real server of LVS", .longdesc = "Start takes the address off the loopback interface; stop puts it back there, if it was there." },
    { "lvs_ipv6_addrlabel", PARAM_BOOLEAN(struct vip_config, address.lvs_ipv6_addrlabel), .default_value = "false", .advanced = true,
      .shortdesc = "IPv6 address selection label", .longdesc = "Gives the IPv6 address a label of RFC 6724, so that it is not chosen as a source address." },
    { "lvs_ipv6_addrlabel_value", PARAM_INTEGER(struct vip_config, address.lvs_ipv6_addrlabel_value), .minimum = 0, .maximum = INT_MAX,
      .default_value = "99", .advanced = true, .shortdesc = "Value of that label", .longdesc = "An unused label; 'ip addrlabel list' shows those in use." },
    { "unique_clone_address", PARAM_BOOLEAN(struct vip_config, unique_clone_address), .default_value = "false", .advanced = true,
      .shortdesc = "One address for each clone instance", .longdesc = "The instance number of a globally unique clone is added to the address." },
    { "watch", PARAM_BOOLEAN(struct vip_config, watch), .default_value = "true", .reloadable = true,
      .shortdesc = "Let vigild watch the address and its interface",
      .longdesc = "Where vigild runs, it tells the cluster at once when the address is gone or the interface can carry no packets, and notes when another host "
                  "claims the address. Without it, monitors find that." },
    { "arp_sender", PARAM_CHOICE(struct vip_config, arp_sender), .advanced = true,
      .choices = NAMES("send_arp", "iputils_arping", "libnet_arping", "ipoibarping"), .default_value = "send_arp",
      .shortdesc = "Without effect", .longdesc = "For compatibility: this agent sends requests and replies by itself, on InfiniBand too." },
    { "send_arp_opts", PARAM_TEXT(struct vip_config, send_arp_opts), .advanced = true, .shortdesc = "Without effect",
      .longdesc = "For compatibility: requests and replies are both sent in any case." },
    { "arp_mac", PARAM_TEXT(struct vip_config, arp_mac), .advanced = true, .shortdesc = "Without effect",
      .longdesc = "For compatibility: announcements go to all." },
    { "mac", PARAM_TEXT(struct vip_config, mac), .advanced = true, .shortdesc = "Not supported",
      .longdesc = "Belonged to load sharing by CLUSTERIP, which current kernels no longer have." },
    { "clusterip_hash", PARAM_CHOICE(struct vip_config, clusterip_hash), .advanced = true,
      .choices = NAMES("sourceip", "sourceip-sourceport", "sourceip-sourceport-destport"), .default_value = "sourceip-sourceport",
      .shortdesc = "Not supported", .longdesc = "Belonged to load sharing by CLUSTERIP, which current kernels no longer have: a clone that would use it is refused." },
    {}
};

/* ---- from the library's words to OCF's ----------------------------------------------------------------------------------------- */

static void vip_close(struct address_service *vip)
{
    const char *cursor = vip->notes.text, *line;
    size_t length;

    while (cursor && text_next_word(&cursor, "\n", &line, &length))
        log_line(line[0] - '0', "%.*s", (int)length - 1, line + 1);
    address_service_close(vip);
}
#define _cleanup_vip_ _cleanup_(vip_close)

/* There is no such interface (or namespace) on this node: each action has its own answer. */
static enum ocf_code no_interface(struct agent_run *run, const struct address_service *vip, const char *kind, const char *name)
{
    const char *action = run->action->name;

    if (text_equal(action, "stop") || run->probe) {
        log_info("%s %s does not exist, so %s is not on it", kind, name, vip->ip);
        return text_equal(action, "stop") ? OCF_SUCCESS : OCF_NOT_RUNNING;
    }
    return agent_fail(run, text_equal(action, "start") ? OCF_ERR_INSTALLED : OCF_ERR_GENERIC,
                      "%s %s for %s does not exist on this node: create it or correct %s", kind, name, vip->ip,
                      text_equal(kind, "interface") ? "nic" : "network_namespace");
}

/* Says why the library failed. */
static enum ocf_code fail(struct agent_run *run, const struct address_service *vip, int error)
{
    enum ocf_code code = OCF_ERR_GENERIC;

    if (error == -ENODEV || error == -EXDEV)
        return no_interface(run, vip, "interface", vip->wanted.nic ? vip->wanted.nic : "?");
    if (error == -EPERM)
        code = OCF_ERR_PERM;
    else if (error == -EINVAL)
        code = OCF_ERR_CONFIGURED;
    else if (error == -EAFNOSUPPORT)
        code = OCF_ERR_INSTALLED;
    else if (error == -ENETDOWN)
        code = OCF_NOT_RUNNING;
    return agent_fail(run, code, "%s", vip->why.length > 0 ? vip->why.text : strerror(-error));
}

/* Turns the parameters into what is wanted. Pure. */
static enum ocf_code describe_address(struct agent_run *run, const struct vip_config *config, struct address_service *vip)
{
    int error;

    vip->config = &config->address;
    vip->run = run;
    error = address_describe(vip->config, config->unique_clone_address ? agent_meta("clone") : NULL, vip->nic, &vip->wanted, &vip->why);
    if (error < 0)
        return fail(run, vip, error);
    (void)ip_address_format(&vip->wanted.ip, vip->ip);
    return OCF_SUCCESS;
}

static bool meta_is_true(const char *name)
{
    const char *text = agent_meta(name);
    bool value = false;

    return text && number_parse_boolean(text, &value) == 0 && value;
}

/* A clone on several nodes would need load sharing, unless each instance has its own address or the address is not on the network. */
static enum ocf_code check_clone(struct agent_run *run, const struct vip_config *config, const struct address_service *vip)
{
    const char *maximum = agent_meta("clone_max");
    uint64_t instances = 1;

    if (config->unique_clone_address)
        return meta_is_true("globally_unique") || !run->clone ? OCF_SUCCESS :
               agent_fail(run, OCF_ERR_CONFIGURED, "unique_clone_address needs the clone's meta attribute globally-unique=true");
    if (maximum && (number_parse_unsigned(maximum, UINT32_MAX, &instances) < 0 || instances < 1))
        return agent_fail(run, OCF_ERR_CONFIGURED, "meta attribute clone-max is '%s': not a positive number", maximum);
    if (!run->clone || instances < 2 || text_equal(vip->wanted.nic, "lo"))
        return OCF_SUCCESS;
    return agent_fail(run, OCF_ERR_CONFIGURED, "%s would be on several nodes at once: load sharing by CLUSTERIP is not supported; "
                      "do not clone it, or set unique_clone_address=true and globally-unique=true", vip->ip);
}

static enum ocf_code vip_check(struct agent_run *run, const void *data)
{
    const struct vip_config *config = data;
    _cleanup_vip_ struct address_service vip = ADDRESS_SERVICE_CLOSED;
    enum ocf_code code = describe_address(run, config, &vip);
    bool ipv4 = vip.wanted.ip.family == AF_INET;

    if (code != OCF_SUCCESS)
        return code;
    if (!ipv4 && config->address.lvs_support)
        return agent_fail(run, OCF_ERR_CONFIGURED, "lvs_support is for IPv4 only: set lvs_ipv6_addrlabel for %s", vip.ip);
    if (ipv4 && config->address.lvs_ipv6_addrlabel)
        return agent_fail(run, OCF_ERR_CONFIGURED, "lvs_ipv6_addrlabel is for IPv6 only, and %s is not", vip.ip);
    if (ip_address_is_link_local(&vip.wanted.ip) && !vip.wanted.nic)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s is a link-local address: nic must name its interface", vip.ip);
    return check_clone(run, config, &vip);
}

/* Enters the namespace and opens the way to the kernel. Returns OCF_SUCCESS to go on; otherwise *ret_done says that the code is final. */
static enum ocf_code vip_open(struct agent_run *run, const struct vip_config *config, struct address_service *vip, bool *ret_done)
{
    enum ocf_code code = describe_address(run, config, vip);
    int error = 0;

    *ret_done = true;
    if (code != OCF_SUCCESS)
        return code;
    if (config->network_namespace)
        error = network_namespace_enter(config->network_namespace);
    if (error == -ENOENT)
        return no_interface(run, vip, "network namespace", config->network_namespace);
    if (error == 0)
        error = netlink_open(&vip->netlink, NETLINK_ROUTE, 0);
    if (error < 0)
        return fail(run, vip, address_fail_errno(vip, "cannot look for", error));
    *ret_done = false;
    return OCF_SUCCESS;
}

/* Finds the address on this node. Returns 1 with where and what, 0 when it was seen to be absent, -1 with a final code in *ret_code. */
static int find_address(struct agent_run *run, struct address_service *vip, enum ocf_code *ret_code)
{
    int seen = address_service_find(vip);

    if (seen >= 0)
        return seen;
    if (seen == -EXDEV && text_equal(run->action->name, "stop")) {
        vip->wanted.nic = NULL; /* wherever it is */
        return 1;
    }
    if (seen == -EXDEV && !text_equal(run->action->name, "start"))
        *ret_code = agent_fail(run, OCF_ERR_GENERIC, "%s is on %s, and interface %s does not exist: was it renamed? Correct nic",
                               vip->ip, vip->link.name, vip->wanted.nic);
    else
        *ret_code = fail(run, vip, seen);
    return -1;
}

/* An address of another network namespace is out of vigild's sight. */
static void keep_watched(struct agent_run *run, const struct vip_config *config, const struct address_service *vip)
{
    struct watch_registration registration;

    if (!config->watch)
        (void)watch_withdraw(run); /* of before a reload */
    if (!config->watch || config->network_namespace || vip->link.index == 0)
        return;
    watch_begin(run, &registration);
    watch_registration_add(&registration, WATCH_ADDRESS, vip->ip)->index = vip->link.index;
    if (!(vip->link.flags & IFF_LOOPBACK))
        watch_registration_add(&registration, WATCH_LINK, vip->link.name)->index = vip->link.index;
    (void)watch_keep(run, &registration);
}

/* ---- the actions ---------------------------------------------------------------------------------------------------------------- */

static enum ocf_code vip_monitor(struct agent_run *run, const void *config)
{
    _cleanup_vip_ struct address_service vip = ADDRESS_SERVICE_CLOSED;
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen, error;

    if (done)
        return code;
    if (!run->probe)
        address_service_await_link(&vip);
    seen = find_address(run, &vip, &code);
    if (seen < 0)
        return code;
    if (seen == 0 && run->probe)
        return OCF_NOT_RUNNING;
    if (seen == 0)
        return agent_fail(run, OCF_NOT_RUNNING, "%s is not on %s", vip.ip, vip.wanted.nic ? vip.wanted.nic : "any interface");
    error = address_service_check(&vip, !run->probe);
    if (error < 0)
        return fail(run, &vip, error);
    if (run->probe)
        return OCF_SUCCESS;
    address_keep_announcing(&vip);
    keep_watched(run, config, &vip);
    return OCF_SUCCESS;
}

/* Start and stop of one address never run at the same time. A lock file that can't be made (a full disk) is no reason to leave an address where it must not
 * be: only another action that goes on is. Returns the lock, -1 where there is none, or -ETIMEDOUT. */
static int lock_address(struct agent_run *run)
{
    char path[512];
    int lock = agent_state_path(run, "lock", path, sizeof(path));

    if (lock == 0)
        lock = file_lock(path, run->deadline);
    if (lock >= 0 || lock == -ETIMEDOUT)
        return lock;
    log_warning("goes on without its lock in %s: %s", VIGIL_RUNDIR, strerror(-lock));
    return -1;
}

static enum ocf_code fail_locked(struct agent_run *run, const struct address_service *vip)
{
    return agent_fail(run, OCF_ERR_GENERIC, "another start or stop of %s did not end in time: look for a hanging vip process", vip->ip);
}

static enum ocf_code vip_start(struct agent_run *run, const void *data)
{
    const struct vip_config *config = data;
    _cleanup_vip_ struct address_service vip = ADDRESS_SERVICE_CLOSED;
    _cleanup_close_ int lock = lock_address(run);
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen, error = 0;

    if (done)
        return code;
    if (lock == -ETIMEDOUT)
        return fail_locked(run, &vip);
    seen = find_address(run, &vip, &code);
    if (seen < 0)
        return code;
    if (seen > 0 && address_service_is_as_wanted(&vip)) {
        error = address_complete(&vip);
    } else {
        if (seen > 0)
            error = address_remove_all(&vip);
        if (error == 0)
            error = address_raise(&vip);
    }
    if (error < 0)
        return fail(run, &vip, error);
    address_announce(&vip, config->arp_count);
    (void)agent_note(&(struct note){ .kind = "address-announced", .resource = run->instance, .text = vip.ip });
    keep_watched(run, config, &vip);
    return OCF_SUCCESS;
}

static enum ocf_code take_down(struct agent_run *run, const void *config)
{
    _cleanup_vip_ struct address_service vip = ADDRESS_SERVICE_CLOSED;
    _cleanup_close_ int lock = lock_address(run);
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen, error;

    if (done)
        return code;
    if (lock == -ETIMEDOUT)
        return fail_locked(run, &vip);
    error = address_stop_announcing(&vip);
    if (error < 0)
        return fail(run, &vip, error);
    seen = find_address(run, &vip, &code);
    if (seen < 0)
        return code;
    error = seen > 0 ? address_bring_down(&vip) : 0;
    if (error < 0)
        return fail(run, &vip, error);
    address_tidy_up(&vip);
    return OCF_SUCCESS;
}

/* Nobody is to take what follows for a failure: that comes before the lock. */
static enum ocf_code vip_stop(struct agent_run *run, const void *config)
{
    (void)watch_withdraw(run);
    return take_down(run, config);
}

/* Applies what may change while the address is in use: lifetimes and announcements. The rest takes effect when it is next asked for. */
static enum ocf_code vip_reload(struct agent_run *run, const void *data)
{
    const struct vip_config *config = data;
    _cleanup_vip_ struct address_service vip = ADDRESS_SERVICE_CLOSED;
    struct interface_address entry;
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen, error;

    if (done)
        return code;
    seen = find_address(run, &vip, &code);
    if (seen < 0)
        return code;
    if (seen == 0)
        return agent_fail(run, OCF_NOT_RUNNING, "%s is not on this node, so nothing can be changed on it", vip.ip);
    entry = vip.found;
    entry.flags = vip.wanted.flags;
    entry.preferred_s = vip.wanted.preferred_s;
    entry.valid_s = LIFETIME_FOREVER;
    error = address_change(&vip.netlink, &entry, run->deadline);
    if (error < 0)
        return fail(run, &vip, address_fail_errno(&vip, "cannot change the lifetime of", error));
    address_announce(&vip, config->arp_count);
    return OCF_SUCCESS;
}

static const struct agent_action actions[] = {
    { "start", vip_start, .timeout_s = 20 },
    { "stop", vip_stop, .timeout_s = 20 },
    { "monitor", vip_monitor, .timeout_s = 20, .interval_s = 10 },
    { "status", vip_monitor, .timeout_s = 20 },
    { "reload-agent", vip_reload, .timeout_s = 20 },
    {}
};

static const struct agent agent = {
    .name = "vip",
    .shortdesc = "IPv4 or IPv6 address that moves between nodes",
    .longdesc = "Puts an address on an interface, announces it to the neighbours (ARP requests and replies, unsolicited neighbour advertisements), "
                "and takes it away again together with its connections.\n\n"
                "Before it is added, the network is asked whether another host has it; if one answers, the start fails and names that host's "
                "hardware address.\n\n"
                "Takes the parameters of ocf:heartbeat:IPaddr2. Not supported: load sharing by CLUSTERIP.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct vip_config),
    .check_config = vip_check,
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
