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
#include <inttypes.h>
#include <linux/if_addr.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/number.h"
#include "net/address_withdraw.h"
#include "net/announcer.h"
#include "net/connection_reset.h"
#include "net/neighbour_socket.h"
#include "net/network_namespace.h"
#include "net/routing.h"
#include "net/virtual_address.h"

#define LINK_WAIT_MS 5000      /* for the carrier of an interface that start brought up */
#define LINK_FLAP_MS 1000      /* for one that was up already */
#define LINK_RETRY_MS 1000
#define DETACHED_COUNT_MAX 1000

struct vip_config {
    const char *ip, *nic, *cidr_netmask, *broadcast, *iflabel, *preferred_lft, *network_namespace, *mac, *send_arp_opts,
        *arp_mac;
    int lvs_ipv6_addrlabel_value, arp_interval, arp_count, arp_count_refresh, monitor_retries, table, arp_sender, clusterip_hash;
    uint64_t duplicate_wait_ms, announce_refresh_ms;
    bool lvs_support, lvs_ipv6_addrlabel, unique_clone_address, arp_bg, flush_routes, duplicate_detection, nodad,
        noprefixroute, link_check, reset_connections;
};

/* One call: the address that the parameters name, and the kernel's ear. */
struct vip {
    const struct vip_config *config;
    struct virtual_address wanted;
    char ip[IP_TEXT_SIZE];
    char nic[INTERFACE_NAME_SIZE];
    struct netlink netlink;
    int neighbour_fd; /* what asks the network; kept to the end, since closing it takes its time */
};
#define VIP_CLOSED ((struct vip){ .neighbour_fd = -1 })
static void vip_close(struct vip *vip)
{
    netlink_close(&vip->netlink);
    cleanup_close(&vip->neighbour_fd);
}
#define _cleanup_vip_ _cleanup_(vip_close)

static int check_ip(const char *text, struct text_buffer *why)
{
    struct ip_address ip;

    if (ip_address_parse(text, &ip) == 0 && ip_address_is_assignable(&ip))
        return 0;
    text_buffer_printf(why, "not an IPv4 or IPv6 address of a host, such as 192.0.2.10 or 2001:db8::10");
    return -EINVAL;
}

static int check_broadcast(const char *text, struct text_buffer *why)
{
    struct ip_address ip;

    if (text_equal(text, "+") || text_equal(text, "-") || (ip_address_parse(text, &ip) == 0 && ip.family == AF_INET))
        return 0;
    text_buffer_printf(why, "not an IPv4 address, + or -");
    return -EINVAL;
}

static int check_nic(const char *text, struct text_buffer *why)
{
    size_t length = strcspn(text, ":");

    if (length > 0 && length < INTERFACE_NAME_SIZE && !text[strcspn(text, "/ \t")] && text[length ? length - 1 : 0] != '.')
        return 0;
    text_buffer_printf(why, "not the name of an interface");
    return -EINVAL;
}

static int check_label(const char *text, struct text_buffer *why)
{
    if (strlen(text) < IFNAMSIZ && !text[strcspn(text, "/ \t:")])
        return 0;
    text_buffer_printf(why, "not a label: at most 15 characters with the interface's name and a colon, no blank, slash or colon");
    return -EINVAL;
}

/* RFC 4862, 5.5.4: seconds, or forever. */
static int parse_lifetime(const char *text, uint32_t *ret)
{
    uint64_t seconds = LIFETIME_FOREVER;

    if (!text_equal(text, "forever") && !text_equal(text, "infinity") &&
        number_parse_unsigned(text, UINT32_MAX, &seconds) < 0)
        return -EINVAL;
    *ret = (uint32_t)seconds;
    return 0;
}

static int check_lifetime(const char *text, struct text_buffer *why)
{
    uint32_t seconds;

    if (parse_lifetime(text, &seconds) == 0)
        return 0;
    text_buffer_printf(why, "neither a number of seconds nor 'forever'");
    return -EINVAL;
}

static int check_namespace(const char *text, struct text_buffer *why)
{
    if (!strchr(text, '/') && text[0] != '.')
        return 0;
    text_buffer_printf(why, "not the name of a network namespace as 'ip netns list' shows it");
    return -EINVAL;
}

static const struct param params[] = {
    { "ip", PARAM_TEXT(struct vip_config, ip), .required = true, .unique_group = "address", .check = check_ip,
      .shortdesc = "IPv4 or IPv6 address", .longdesc = "The address to move, such as 192.0.2.10 or 2001:db8::10." },
    { "nic", PARAM_TEXT(struct vip_config, nic), .check = check_nic, .shortdesc = "Network interface",
      .longdesc = "The interface that gets the address, by its name or one of its alternative names. Found from the routing table when not set. "
                  "The old form NIC:LABEL still works." },
    { "cidr_netmask", PARAM_TEXT(struct vip_config, cidr_netmask), .aliases = NAMES("netmask"), .shortdesc = "Prefix length",
      .longdesc = "The prefix length, such as 24 (a netmask such as 255.255.255.0 works too). Found from the routing table when not set." },
    { "broadcast", PARAM_TEXT(struct vip_config, broadcast), .check = check_broadcast, .shortdesc = "IPv4 broadcast address",
      .longdesc = "The broadcast address, or + or - for the one with all host bits set or clear. When not set: the same as other addresses of "
                  "this network have on the interface, or none." },
    { "iflabel", PARAM_TEXT(struct vip_config, iflabel), .check = check_label, .shortdesc = "IPv4 label",
      .longdesc = "A label for the address, shown as INTERFACE:LABEL, of at most 15 characters in all. An address without it is a failure." },
    { "table", PARAM_INTEGER(struct vip_config, table), .minimum = 1, .maximum = INT_MAX, .default_value = "254",
      .shortdesc = "Routing table", .longdesc = "The number of the routing table that is asked for interface and prefix first, and that gets the route to the "
                                               "address's network. 254 is the main table." },
    { "noprefixroute", PARAM_BOOLEAN(struct vip_config, noprefixroute), .default_value = "false",
      .shortdesc = "Add no route to the network", .longdesc = "The address is added without a route to its network (see ip-address(8))." },
    { "preferred_lft", PARAM_TEXT(struct vip_config, preferred_lft), .default_value = "forever", .check = check_lifetime,
      .reloadable = true, .shortdesc = "Preferred lifetime",
      .longdesc = "Seconds that the address is preferred as a source address, or forever. 0 keeps the node from using it for its own connections." },
    { "link_check", PARAM_BOOLEAN(struct vip_config, link_check), .aliases = NAMES("check_link_status"), .default_value = "true", .reloadable = true,
      .shortdesc = "Watch the interface's link", .longdesc = "An interface that is down or has no carrier makes start and monitor fail. Set it to false for a "
                                                            "bridge that may have no port." },
    { "monitor_retries", PARAM_INTEGER(struct vip_config, monitor_retries), .minimum = 1, .maximum = 60, .default_value = "1", .reloadable = true,
      .shortdesc = "Looks at a lost link", .longdesc = "How often, a second apart, a recurring monitor looks at an interface that is missing or has no carrier before it fails." },
    { "duplicate_detection", PARAM_BOOLEAN(struct vip_config, duplicate_detection), .aliases = NAMES("run_arping"),
      .default_value = "true", .reloadable = true, .shortdesc = "Ask the network before start",
      .longdesc = "Before the address is added, ask by ARP probe or neighbour solicitation whether another host has it, and refuse to start if one answers. "
                  "A network whose gateway answers for every address, as in some clouds, needs false." },
    { "duplicate_wait", PARAM_DURATION(struct vip_config, duplicate_wait_ms), .minimum = 3, .maximum = 10000, .default_value = "100ms",
      .reloadable = true, .shortdesc = "How long to await an answer", .longdesc = "Three probes are sent within this time." },
    { "nodad", PARAM_BOOLEAN(struct vip_config, nodad), .default_value = "false", .shortdesc = "No IPv6 DAD by the kernel",
      .longdesc = "IPv6: the kernel's own duplicate address detection, which delays the start by one to two seconds, is left out. "
                  "duplicate_detection still asks the network." },
    { "arp_count", PARAM_INTEGER(struct vip_config, arp_count), .minimum = 1, .maximum = DETACHED_COUNT_MAX, .default_value = "5", .reloadable = true,
      .shortdesc = "Announcements after start", .longdesc = "How often the address is announced after start: by ARP request and reply, or by unsolicited neighbour advertisement." },
    { "arp_interval", PARAM_INTEGER(struct vip_config, arp_interval), .minimum = 1, .maximum = 3600000, .default_value = "200", .reloadable = true,
      .shortdesc = "Milliseconds between announcements", .longdesc = "The time between two announcements, in milliseconds." },
    { "arp_bg", PARAM_BOOLEAN(struct vip_config, arp_bg), .default_value = "true", .reloadable = true,
      .shortdesc = "Repeat announcements in the background", .longdesc = "The first announcement is always sent before start returns. The others follow in the background, as long as the "
                                                                         "address is there; with false, start waits for them." },
    { "arp_count_refresh", PARAM_INTEGER(struct vip_config, arp_count_refresh), .minimum = 0, .maximum = DETACHED_COUNT_MAX, .default_value = "0", .reloadable = true,
      .shortdesc = "Announcements at each monitor", .longdesc = "How often each recurring monitor announces the address anew, for peers that hold an old entry." },
    { "announce_refresh", PARAM_DURATION(struct vip_config, announce_refresh_ms), .minimum = 0, .maximum = 86400000, .default_value = "0", .reloadable = true,
      .shortdesc = "Announce anew every so often", .longdesc = "A background process announces the address at this interval as long as it is there. 0: it does not." },
    { "reset_connections", PARAM_BOOLEAN(struct vip_config, reset_connections), .default_value = "true", .reloadable = true,
      .shortdesc = "Reset connections at stop", .longdesc = "Stop resets the TCP connections of the address, so that clients connect anew at once." },
    { "flush_routes", PARAM_BOOLEAN(struct vip_config, flush_routes), .default_value = "false", .reloadable = true,
      .shortdesc = "Flush cached routes at stop", .longdesc = "Stop flushes the kernel's cached routes." },
    { "network_namespace", PARAM_TEXT(struct vip_config, network_namespace), .check = check_namespace, .unique_group = "address",
      .shortdesc = "Network namespace", .longdesc = "The network namespace (ip-netns(8)) that holds the interface. It must exist." },
    { "lvs_support", PARAM_BOOLEAN(struct vip_config, lvs_support), .default_value = "false", .advanced = true,
      .shortdesc = "IPv4 address on a real server of LVS", .longdesc = "Start takes the address off the loopback interface; stop puts it back there, if it was there." },
    { "lvs_ipv6_addrlabel", PARAM_BOOLEAN(struct vip_config, lvs_ipv6_addrlabel), .default_value = "false", .advanced = true,
      .shortdesc = "IPv6 address selection label", .longdesc = "Gives the IPv6 address a label of RFC 6724, so that it is not chosen as a source address." },
    { "lvs_ipv6_addrlabel_value", PARAM_INTEGER(struct vip_config, lvs_ipv6_addrlabel_value), .minimum = 0, .maximum = INT_MAX,
      .default_value = "99", .advanced = true, .shortdesc = "Value of that label", .longdesc = "An unused label; 'ip addrlabel list' shows those in use." },
    { "unique_clone_address", PARAM_BOOLEAN(struct vip_config, unique_clone_address), .default_value = "false", .advanced = true,
      .shortdesc = "One address for each clone instance", .longdesc = "The instance number of a globally unique clone is added to the address." },
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

/* The instance of a globally unique clone has an address of its own. */
static enum ocf_code add_clone_number(struct agent_run *run, struct vip *vip)
{
    const char *number = agent_meta("clone");
    uint64_t value = 0;

    if (number && number_parse_unsigned(number, UINT32_MAX, &value) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "meta attribute clone is '%s': not a number", number);
    if (ip_address_add(&vip->wanted.ip, (uint32_t)value) < 0 || !ip_address_is_assignable(&vip->wanted.ip))
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s has no room for clone instance %" PRIu64 ": choose another ip",
                          vip->config->ip, value);
    return OCF_SUCCESS;
}

/* The nic parameter, where it has the old form NIC:LABEL, names the label too. */
static enum ocf_code split_nic(struct agent_run *run, struct vip *vip)
{
    const struct vip_config *config = vip->config;
    char *colon;

    vip->wanted.label = config->iflabel;
    if (!config->nic)
        return OCF_SUCCESS;
    if (text_copy(vip->nic, sizeof(vip->nic), config->nic) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "nic is too long for the name of an interface");
    colon = strchr(vip->nic, ':');
    if (colon) {
        *colon = '\0';
        vip->wanted.label = config->nic + (colon - vip->nic) + 1;
    }
    vip->wanted.nic = vip->nic;
    return OCF_SUCCESS;
}

static void read_broadcast(const char *text, struct virtual_address *wanted)
{
    if (!text)
        wanted->broadcast_kind = BROADCAST_INHERIT;
    else if (text_equal(text, "+"))
        wanted->broadcast_kind = BROADCAST_ONES;
    else if (text_equal(text, "-"))
        wanted->broadcast_kind = BROADCAST_ZEROS;
    else if (ip_address_parse(text, &wanted->broadcast) == 0)
        wanted->broadcast_kind = BROADCAST_GIVEN;
}

/* Turns the parameters into what is wanted. Pure. */
static enum ocf_code describe_address(struct agent_run *run, const struct vip_config *config, struct vip *vip)
{
    struct virtual_address *wanted = &vip->wanted;
    enum ocf_code code;

    *vip = (struct vip){ .config = config, .neighbour_fd = -1, .wanted = { .prefix = -1 } };
    if (ip_address_parse(config->ip, &wanted->ip) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "parameter ip is '%s': not an address", config->ip);
    if (config->cidr_netmask) {
        wanted->prefix = ip_prefix_parse(config->cidr_netmask, wanted->ip.family);
        if (wanted->prefix < 1)
            return agent_fail(run, OCF_ERR_CONFIGURED, "parameter cidr_netmask is '%s': not a prefix length from 1 to %u",
                              config->cidr_netmask, ip_address_bits(&wanted->ip));
    }
    code = config->unique_clone_address ? add_clone_number(run, vip) : OCF_SUCCESS;
    if (code == OCF_SUCCESS)
        code = split_nic(run, vip);
    (void)ip_address_format(&wanted->ip, vip->ip);
    read_broadcast(config->broadcast, wanted);
    wanted->table = (uint32_t)config->table;
    wanted->flags = (config->nodad && wanted->ip.family == AF_INET6 ? IFA_F_NODAD : 0) |
                    (config->noprefixroute || config->table != ROUTE_TABLE_MAIN ? IFA_F_NOPREFIXROUTE : 0);
    (void)parse_lifetime(config->preferred_lft, &wanted->preferred_s);
    return code;
}

static bool meta_is_true(const char *name)
{
    const char *text = agent_meta(name);
    bool value = false;

    return text && number_parse_boolean(text, &value) == 0 && value;
}

/* A clone on several nodes would need load sharing, unless each instance has its own address or the address is not on the network. */
static enum ocf_code check_clone(struct agent_run *run, const struct vip_config *config, const struct vip *vip)
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
    struct vip vip;
    enum ocf_code code = describe_address(run, config, &vip);
    bool ipv4 = vip.wanted.ip.family == AF_INET;

    if (code != OCF_SUCCESS)
        return code;
    if (!ipv4 && config->lvs_support)
        return agent_fail(run, OCF_ERR_CONFIGURED, "lvs_support is for IPv4 only: set lvs_ipv6_addrlabel for %s", vip.ip);
    if (ipv4 && config->lvs_ipv6_addrlabel)
        return agent_fail(run, OCF_ERR_CONFIGURED, "lvs_ipv6_addrlabel is for IPv6 only, and %s is not", vip.ip);
    if (ip_address_is_link_local(&vip.wanted.ip) && !vip.wanted.nic)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s is a link-local address: nic must name its interface", vip.ip);
    return check_clone(run, config, &vip);
}

/* What could not be told or done by a call to the kernel. */
static enum ocf_code fail_errno(struct agent_run *run, const struct vip *vip, const char *what, int error)
{
    enum ocf_code code = error == -EPERM || error == -EACCES ? OCF_ERR_PERM : OCF_ERR_GENERIC;

    if (error == -EADDRNOTAVAIL)
        return agent_fail(run, code, "%s %s: another process took it away meanwhile", what, vip->ip);
    return agent_fail(run, code, "%s %s: %s", what, vip->ip, strerror(-error));
}

/* There is no such interface (or namespace) on this node: each action has its own answer. */
static enum ocf_code no_interface(struct agent_run *run, const struct vip *vip, const char *kind, const char *name)
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

/* Enters the namespace and opens the way to the kernel. Returns OCF_SUCCESS to go on; otherwise *ret_done says that the code is final. */
static enum ocf_code vip_open(struct agent_run *run, const struct vip_config *config, struct vip *vip, bool *ret_done)
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
        return fail_errno(run, vip, "cannot look for", error);
    *ret_done = false;
    return OCF_SUCCESS;
}

static void describe_announcer(const struct vip *vip, const struct link *link, int count, struct announcer *ret)
{
    *ret = (struct announcer){ .ip = vip->wanted.ip, .index = link->index, .count = (unsigned int)count,
                               .interval_ms = (unsigned int)vip->config->arp_interval,
                               .refresh_ms = vip->config->announce_refresh_ms };
    (void)virtual_address_label(&vip->wanted, link, ret->label);
}

/* Repeats in the background; where no process can be made for that, here. A peer that was not told is no reason to take the address away, so
 * failures are only logged. */
static void announce_repeatedly(struct agent_run *run, const struct vip *vip, const struct announcer *announcer)
{
    char path[512];
    int error = agent_state_path(run, "announcer", path, sizeof(path));

    if (error == 0)
        error = announcer_stop(path, run->deadline);
    if (error == 0 && vip->config->arp_bg)
        error = announcer_start(announcer, path);
    if (error == 0 && vip->config->arp_bg)
        return;
    if (error < 0)
        log_warning("%s is announced by this action itself, since the background announcer failed: %s", vip->ip, strerror(-error));
    error = announcer_run(announcer, deadline_share(run->deadline, 80));
    if (error < 0)
        log_warning("announcing %s failed: %s", vip->ip, strerror(-error));
}

/* Announces the address `count` times, the first time before this returns. */
static void announce(struct agent_run *run, const struct vip *vip, const struct link *link, int count)
{
    struct announcer announcer;
    int error;

    describe_announcer(vip, link, 1, &announcer);
    if (!link_has_neighbours(link))
        return;
    error = announcer_run(&announcer, run->deadline);
    if (error < 0)
        log_error("cannot announce %s on %s: %s", vip->ip, link->name, strerror(-error));
    announcer.count = (unsigned int)count - 1;
    if (announcer.count || announcer.refresh_ms)
        announce_repeatedly(run, vip, &announcer);
}

/* A periodic announcer that has died is started again. */
static void keep_announcing(struct agent_run *run, const struct vip *vip, const struct link *link)
{
    struct announcer announcer;
    char path[512];

    if (vip->config->arp_count_refresh > 0)
        announce(run, vip, link, vip->config->arp_count_refresh);
    else if (vip->config->announce_refresh_ms && link_has_neighbours(link) &&
             agent_state_path(run, "announcer", path, sizeof(path)) == 0 && announcer_alive(path) == 0) {
        describe_announcer(vip, link, 0, &announcer);
        announce_repeatedly(run, vip, &announcer);
    }
}

/* The interface is gone. An interface that was renamed has kept its addresses, so absence must be seen on all of them. */
static int find_elsewhere(struct agent_run *run, struct vip *vip, struct link *link, struct interface_address *found,
                          enum ocf_code *ret_code)
{
    const char *nic = vip->wanted.nic;
    int error;

    vip->wanted.nic = NULL;
    error = nic ? virtual_address_find_link(&vip->netlink, &vip->wanted, link, run->deadline) : -ENOENT;
    if (error == 0)
        error = virtual_address_look(&vip->netlink, &vip->wanted, link, found, run->deadline);
    if (error < 0 && error != -ENOENT && error != -ENODEV)
        *ret_code = fail_errno(run, vip, "cannot tell the state of", error);
    else if (error <= 0 || text_equal(run->action->name, "start"))
        *ret_code = no_interface(run, vip, "interface", nic ? nic : "?");
    else if (text_equal(run->action->name, "stop"))
        return 1;
    else
        *ret_code = agent_fail(run, OCF_ERR_GENERIC, "%s is on %s, and interface %s does not exist: was it renamed? Correct nic",
                               vip->ip, link->name, nic);
    vip->wanted.nic = nic;
    return -1;
}

/* Finds the address on this node. Returns 1 with where and what, 0 when it was seen to be absent, -1 with a final code in *ret_code. */
static int find_address(struct agent_run *run, struct vip *vip, struct link *link, struct interface_address *found,
                        enum ocf_code *ret_code)
{
    int error = virtual_address_find_link(&vip->netlink, &vip->wanted, link, run->deadline);

    if (error == -ENOENT)
        return 0;
    if (error == -ENODEV)
        return find_elsewhere(run, vip, link, found, ret_code);
    if (error == 0)
        error = virtual_address_look(&vip->netlink, &vip->wanted, link, found, run->deadline);
    if (error < 0)
        *ret_code = fail_errno(run, vip, "cannot tell the state of", error);
    return error < 0 ? -1 : error;
}

static enum ocf_code check_found(struct agent_run *run, const struct vip *vip, const struct link *link,
                                 const struct interface_address *found)
{
    char label[IFNAMSIZ];

    if (virtual_address_label(&vip->wanted, link, label) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "label %s:%s is longer than 15 characters: shorten iflabel", link->name,
                          vip->wanted.label);
    if (vip->wanted.label && vip->wanted.ip.family == AF_INET && !text_equal(label, found->label))
        return agent_fail(run, OCF_ERR_GENERIC, "%s is on %s without its label %s (it has %s): a restart of the resource sets it",
                          vip->ip, link->name, label, found->label[0] ? found->label : "none");
    if (found->flags & IFA_F_DADFAILED)
        return agent_fail(run, OCF_ERR_GENERIC, "%s on %s is unusable: another host has it (duplicate address detection failed)",
                          vip->ip, link->name);
    if (vip->config->link_check && !run->probe && !link_is_running(link))
        return agent_fail(run, OCF_NOT_RUNNING, "interface %s of %s is %s: check cable, switch port and driver", link->name,
                          vip->ip, link_state_text(link));
    return OCF_SUCCESS;
}

/* An interface that comes and goes gets the looks that monitor_retries allows, a second apart. */
static void wait_for_link(struct agent_run *run, struct vip *vip)
{
    struct link link;

    for (int looks = 1; looks < vip->config->monitor_retries && !run->probe; looks++) {
        int error = virtual_address_find_link(&vip->netlink, &vip->wanted, &link, run->deadline);

        if (error == -ENOENT || (error == 0 && (!vip->config->link_check || link_is_running(&link))) ||
            deadline_sleep(run->deadline, LINK_RETRY_MS) < 0)
            return;
    }
}

static enum ocf_code vip_monitor(struct agent_run *run, const void *config)
{
    _cleanup_vip_ struct vip vip = VIP_CLOSED;
    struct interface_address found;
    struct link link;
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen;

    if (done)
        return code;
    wait_for_link(run, &vip);
    seen = find_address(run, &vip, &link, &found, &code);
    if (seen < 0)
        return code;
    if (seen == 0 && run->probe)
        return OCF_NOT_RUNNING;
    if (seen == 0)
        return agent_fail(run, OCF_NOT_RUNNING, "%s is not on %s", vip.ip, vip.wanted.nic ? vip.wanted.nic : "any interface");
    code = check_found(run, &vip, &link, &found);
    if (code == OCF_SUCCESS && !run->probe)
        keep_announcing(run, &vip, &link);
    return code;
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

static enum ocf_code fail_locked(struct agent_run *run, const struct vip *vip)
{
    return agent_fail(run, OCF_ERR_GENERIC, "another start or stop of %s did not end in time: look for a hanging vip process", vip->ip);
}

static enum ocf_code bring_link_up(struct agent_run *run, struct vip *vip, struct link *link)
{
    bool was_down = !(link->flags & IFF_UP);
    int error = was_down ? link_set_up(&vip->netlink, link->index, run->deadline) : 0;

    if (error < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "cannot bring interface %s up for %s: %s", link->name, vip->ip, strerror(-error));
    if (!vip->config->link_check || link_is_running(link))
        return OCF_SUCCESS;
    error = link_wait_running(&vip->netlink, link, deadline_within(run->deadline, was_down ? LINK_WAIT_MS : LINK_FLAP_MS));
    if (error == -ENETDOWN || error == -ETIMEDOUT)
        return agent_fail(run, OCF_ERR_GENERIC, "interface %s for %s is %s: check cable, switch port and driver", link->name,
                          vip->ip, link_state_text(link));
    return error < 0 ? fail_errno(run, vip, "cannot tell the state of the interface for", error) : OCF_SUCCESS;
}

/* Returns 1 with the hardware address of another host that has the address, 0 when none answered, or -errno. */
static int find_owner(struct agent_run *run, struct vip *vip, const struct link *link, struct hardware_address *ret_owner)
{
    if (vip->neighbour_fd < 0)
        vip->neighbour_fd = neighbour_socket_open(link, &vip->wanted.ip, true);
    if (vip->neighbour_fd < 0)
        return vip->neighbour_fd;
    return neighbour_find_owner(vip->neighbour_fd, &vip->wanted.ip, link, (unsigned int)vip->config->duplicate_wait_ms,
                                ret_owner, run->deadline);
}

static enum ocf_code refuse_duplicate(struct agent_run *run, struct vip *vip, const struct link *link)
{
    struct hardware_address owner;
    char mac[HARDWARE_TEXT_SIZE];
    int found;

    if (!vip->config->duplicate_detection || !link_has_neighbours(link) || !link_is_running(link))
        return OCF_SUCCESS;
    found = find_owner(run, vip, link, &owner);
    if (found < 0)
        return fail_errno(run, vip, "cannot ask the network whether another host has", found);
    if (found == 0)
        return OCF_SUCCESS;
    return agent_fail(run, OCF_ERR_GENERIC, "%s is in use: %s answers for it on %s; take it away from that host first", vip->ip,
                      hardware_address_format(&owner, mac), link->name);
}

static const char *lvs_path(struct agent_run *run, char *buffer, size_t size)
{
    return agent_state_path(run, "loopback", buffer, size) == 0 ? buffer : NULL;
}

static struct interface_address loopback_entry(const struct vip *vip)
{
    return (struct interface_address){ .ip = vip->wanted.ip, .prefix = 32, .index = 1, .preferred_s = LIFETIME_FOREVER,
                                       .valid_s = LIFETIME_FOREVER, .label = "lo" };
}

/* LVS: the address moves from the loopback interface to the network; the note says that stop is to bring it back. */
static enum ocf_code take_from_loopback(struct agent_run *run, struct vip *vip)
{
    struct interface_address entry = loopback_entry(vip), found;
    char path[512];
    int seen;

    if (!vip->config->lvs_support)
        return OCF_SUCCESS;
    seen = address_look(&vip->netlink, &vip->wanted.ip, entry.index, "lo", &found, run->deadline);
    if (seen == 0)
        return OCF_SUCCESS;
    if (seen > 0 && lvs_path(run, path, sizeof(path)))
        seen = file_write(path, 0600, "1\n", 2);
    if (seen >= 0)
        seen = address_withdraw(&vip->netlink, &entry, run->deadline);
    return seen < 0 ? fail_errno(run, vip, "cannot take from the loopback interface", seen) : OCF_SUCCESS;
}

static void return_to_loopback(struct agent_run *run, struct vip *vip)
{
    struct interface_address entry = loopback_entry(vip);
    char path[512];
    int error;

    if (!vip->config->lvs_support || !lvs_path(run, path, sizeof(path)) || access(path, F_OK) < 0)
        return;
    error = address_add(&vip->netlink, &entry, run->deadline);
    if (error < 0 && error != -EEXIST)
        log_warning("cannot put %s back on the loopback interface: %s", vip->ip, strerror(-error));
    else
        (void)unlink(path);
}

/* Takes every entry away that a stop has to take away, and looks again. */
static enum ocf_code withdraw(struct agent_run *run, struct vip *vip, const struct link *link)
{
    _cleanup_address_list_ struct address_list before = {}, after = {};
    int error = virtual_address_list(&vip->netlink, &vip->wanted, link, &before, run->deadline);

    for (size_t i = 0; error == 0 && i < before.count; i++) {
        if (vip->config->table != ROUTE_TABLE_MAIN)
            (void)route_set_connected(&vip->netlink, &vip->wanted.ip, before.items[i].prefix, before.items[i].index,
                                      vip->wanted.table, false, run->deadline);
        error = address_withdraw(&vip->netlink, &before.items[i], run->deadline);
    }
    if (error < 0)
        return fail_errno(run, vip, "cannot remove", error);
    error = virtual_address_list(&vip->netlink, &vip->wanted, link, &after, run->deadline);
    if (error < 0)
        return fail_errno(run, vip, "cannot tell whether it is gone:", error);
    if (after.count)
        return agent_fail(run, OCF_ERR_GENERIC, "%s is still there after it was removed: something adds it again, such as a network manager",
                          vip->ip);
    return OCF_SUCCESS;
}

/* Removes what could not be brought up, so that a failed start leaves nothing behind. */
static enum ocf_code give_up(struct agent_run *run, struct vip *vip, const struct link *link, enum ocf_code code)
{
    (void)withdraw(run, vip, link);
    return code;
}

static enum ocf_code fail_duplicate(struct agent_run *run, struct vip *vip, const struct link *link)
{
    struct hardware_address owner = {};
    char mac[HARDWARE_TEXT_SIZE] = "another host";
    enum ocf_code code;

    (void)withdraw(run, vip, link);
    if (find_owner(run, vip, link, &owner) > 0)
        (void)hardware_address_format(&owner, mac);
    code = agent_fail(run, OCF_ERR_GENERIC, "%s is in use: %s has it on %s (duplicate address detection failed); the address was removed again",
                      vip->ip, mac, link->name);
    return code;
}

/* IPv6: waits for duplicate address detection. Then what needs a usable address: its route in another table. */
static enum ocf_code make_usable(struct agent_run *run, struct vip *vip, const struct link *link,
                                 const struct interface_address *entry)
{
    int error = entry->ip.family == AF_INET6 ? address_wait_usable(&vip->netlink, entry, run->deadline) : 0;

    if (error == -EADDRINUSE)
        return fail_duplicate(run, vip, link);
    if (error == -ETIMEDOUT)
        return give_up(run, vip, link, agent_fail(run, OCF_ERR_GENERIC, "duplicate address detection of %s on %s did not end in time: "
                                                  "raise the start timeout, or set nodad=true", vip->ip, link->name));
    if (error == 0 && vip->config->table != ROUTE_TABLE_MAIN && !vip->config->noprefixroute)
        error = route_set_connected(&vip->netlink, &entry->ip, entry->prefix, entry->index, vip->wanted.table, true, run->deadline);
    return error < 0 ? give_up(run, vip, link, fail_errno(run, vip, "cannot bring up", error)) : OCF_SUCCESS;
}

/* Adds the planned entry and looks whether it is there. */
static enum ocf_code add_address(struct agent_run *run, struct vip *vip, const struct link *link,
                                 const struct interface_address *entry)
{
    struct interface_address found;
    int seen, error;

    if (vip->config->lvs_ipv6_addrlabel) {
        error = address_selection_label_set(&vip->netlink, &entry->ip, (uint32_t)vip->config->lvs_ipv6_addrlabel_value, true,
                                            run->deadline);
        if (error < 0 && error != -EEXIST)
            log_warning("cannot set the address selection label of %s: %s", vip->ip, strerror(-error));
    }
    error = address_add(&vip->netlink, entry, run->deadline);
    /* addrconf.c, inet6_addr_add: what disable_ipv6 forbids is EACCES, to root as well. */
    if (error == -EACCES && entry->ip.family == AF_INET6)
        return agent_fail(run, OCF_ERR_INSTALLED, "cannot add %s: IPv6 is disabled on %s; set net.ipv6.conf.%s.disable_ipv6 to 0",
                          vip->ip, link->name, link->name);
    if (error < 0 && error != -EEXIST)
        return fail_errno(run, vip, "cannot add", error);
    seen = virtual_address_look(&vip->netlink, &vip->wanted, link, &found, run->deadline);
    if (seen < 0)
        return fail_errno(run, vip, "cannot tell the state of", seen);
    if (seen == 0)
        return agent_fail(run, OCF_ERR_GENERIC, "%s is not on %s although it was just added: something removes it, such as a network manager",
                          vip->ip, link->name);
    return OCF_SUCCESS;
}

static enum ocf_code plan_failed(struct agent_run *run, struct vip *vip, const struct link *link, int error)
{
    if (error == -ENODEV)
        return no_interface(run, vip, "interface", vip->wanted.nic ? vip->wanted.nic : "?");
    if (error == -ENAMETOOLONG)
        return agent_fail(run, OCF_ERR_CONFIGURED, "label %s:%s is longer than 15 characters: shorten iflabel", link->name, vip->wanted.label);
    if (error == -ENOENT && link->index)
        return agent_fail(run, OCF_ERR_GENERIC, "%s has no network that holds %s: set cidr_netmask, or correct nic or ip", link->name, vip->ip);
    if (error == -ENOENT)
        return agent_fail(run, OCF_ERR_GENERIC, "no interface has a network that holds %s: set nic and cidr_netmask, or correct ip", vip->ip);
    return fail_errno(run, vip, "cannot find the interface for", error);
}

/* Puts the address on its interface. *ret_link is that interface. */
static enum ocf_code raise_address(struct agent_run *run, struct vip *vip, struct link *ret_link)
{
    struct interface_address entry;
    int error = virtual_address_plan(&vip->netlink, &vip->wanted, ret_link, &entry, run->deadline);
    enum ocf_code code = error < 0 ? plan_failed(run, vip, ret_link, error) : bring_link_up(run, vip, ret_link);

    if (code == OCF_SUCCESS)
        code = refuse_duplicate(run, vip, ret_link);
    if (code == OCF_SUCCESS)
        code = take_from_loopback(run, vip);
    if (code == OCF_SUCCESS)
        code = add_address(run, vip, ret_link, &entry);
    if (code == OCF_SUCCESS)
        code = make_usable(run, vip, ret_link, &entry);
    return code;
}

/* True where an address that is there already is just as wanted. */
static bool found_as_wanted(const struct vip *vip, const struct link *link, const struct interface_address *found)
{
    char label[IFNAMSIZ];

    if (found->flags & IFA_F_DADFAILED || (vip->wanted.prefix >= 0 && found->prefix != (unsigned int)vip->wanted.prefix))
        return false;
    return vip->wanted.ip.family == AF_INET6 || !vip->wanted.label ||
           (virtual_address_label(&vip->wanted, link, label) == 0 && text_equal(found->label, label));
}

static enum ocf_code vip_start(struct agent_run *run, const void *data)
{
    const struct vip_config *config = data;
    _cleanup_vip_ struct vip vip = VIP_CLOSED;
    _cleanup_close_ int lock = lock_address(run);
    struct interface_address found;
    struct link link;
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen;

    if (done)
        return code;
    if (lock == -ETIMEDOUT)
        return fail_locked(run, &vip);
    seen = find_address(run, &vip, &link, &found, &code);
    if (seen < 0)
        return code;
    if (seen > 0 && found_as_wanted(&vip, &link, &found)) {
        code = bring_link_up(run, &vip, &link);
        if (code == OCF_SUCCESS)
            code = make_usable(run, &vip, &link, &found);
    } else {
        if (seen > 0)
            code = withdraw(run, &vip, &link);
        if (code == OCF_SUCCESS)
            code = raise_address(run, &vip, &link);
    }
    if (code != OCF_SUCCESS)
        return code;
    announce(run, &vip, &link, config->arp_count);
    return OCF_SUCCESS;
}

/* Before the address goes, so that the peers are told; and after, for those that came in between. */
static void reset_connections(struct agent_run *run, const struct vip *vip)
{
    int ended;

    if (!vip->config->reset_connections)
        return;
    ended = connection_reset(&vip->wanted.ip, deadline_share(run->deadline, 30));
    if (ended < 0)
        log_warning("connections of %s could not be reset: %s", vip->ip, strerror(-ended));
    else if (ended > 0)
        log_info("%d connections of %s were reset", ended, vip->ip);
}

static void flush_routes(const struct vip *vip)
{
    int error = vip->config->flush_routes ? route_flush_cached(vip->wanted.ip.family) : 0;

    if (error < 0)
        log_warning("cached routes could not be flushed: %s", strerror(-error));
}

static enum ocf_code stop_announcer(struct agent_run *run, const struct vip *vip)
{
    char path[512];
    int error = agent_state_path(run, "announcer", path, sizeof(path));

    if (error == 0)
        error = announcer_stop(path, deadline_share(run->deadline, 50));
    if (error == -ETIMEDOUT)
        return agent_fail(run, OCF_ERR_GENERIC, "the process that announces %s did not end after SIGKILL", vip->ip);
    if (error < 0)
        log_warning("the process that announces %s was not looked for (it ends with the address): %s", vip->ip, strerror(-error));
    return OCF_SUCCESS;
}

static enum ocf_code vip_stop(struct agent_run *run, const void *config)
{
    _cleanup_vip_ struct vip vip = VIP_CLOSED;
    _cleanup_close_ int lock = lock_address(run);
    struct interface_address found;
    struct link link = {};
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen;

    if (done)
        return code;
    if (lock == -ETIMEDOUT)
        return fail_locked(run, &vip);
    code = stop_announcer(run, &vip);
    if (code != OCF_SUCCESS)
        return code;
    seen = find_address(run, &vip, &link, &found, &code);
    if (seen < 0)
        return code;
    if (seen > 0) {
        reset_connections(run, &vip);
        code = withdraw(run, &vip, &link);
        reset_connections(run, &vip);
    }
    if (code != OCF_SUCCESS)
        return code;
    if (vip.config->lvs_ipv6_addrlabel)
        (void)address_selection_label_set(&vip.netlink, &vip.wanted.ip, (uint32_t)vip.config->lvs_ipv6_addrlabel_value, false, run->deadline);
    return_to_loopback(run, &vip);
    flush_routes(&vip);
    return OCF_SUCCESS;
}

/* Applies what may change while the address is in use: lifetimes and announcements. The rest takes effect when it is next asked for. */
static enum ocf_code vip_reload(struct agent_run *run, const void *config)
{
    _cleanup_vip_ struct vip vip = VIP_CLOSED;
    struct interface_address found, entry;
    struct link link;
    bool done;
    enum ocf_code code = vip_open(run, config, &vip, &done);
    int seen, error;

    if (done)
        return code;
    seen = find_address(run, &vip, &link, &found, &code);
    if (seen < 0)
        return code;
    if (seen == 0)
        return agent_fail(run, OCF_NOT_RUNNING, "%s is not on this node, so nothing can be changed on it", vip.ip);
    entry = found;
    entry.flags = vip.wanted.flags;
    entry.preferred_s = vip.wanted.preferred_s;
    entry.valid_s = LIFETIME_FOREVER;
    error = address_change(&vip.netlink, &entry, run->deadline);
    if (error < 0)
        return fail_errno(run, &vip, "cannot change the lifetime of", error);
    announce(run, &vip, &link, vip.config->arp_count);
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
