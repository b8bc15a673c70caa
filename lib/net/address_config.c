/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address_config.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_addr.h>
#include <string.h>

#include "base/number.h"
#include "net/routing.h"

int address_check_ip(const char *text, struct text_buffer *why)
{
    struct ip_address ip;

    if (ip_address_parse(text, &ip) == 0 && ip_address_is_assignable(&ip))
        return 0;
    text_buffer_printf(why, "not an IPv4 or IPv6 address of a host, such as 192.0.2.10 or 2001:db8::10");
    return -EINVAL;
}

int address_check_broadcast(const char *text, struct text_buffer *why)
{
    struct ip_address ip;

    if (text_equal(text, "+") || text_equal(text, "-") || (ip_address_parse(text, &ip) == 0 && ip.family == AF_INET))
        return 0;
    text_buffer_printf(why, "not an IPv4 address, + or -");
    return -EINVAL;
}

int address_check_nic(const char *text, struct text_buffer *why)
{
    size_t length = strcspn(text, ":");

    if (length > 0 && length < INTERFACE_NAME_SIZE && !text[strcspn(text, "/ \t")] && text[length ? length - 1 : 0] != '.')
        return 0;
    text_buffer_printf(why, "not the name of an interface");
    return -EINVAL;
}

int address_check_label(const char *text, struct text_buffer *why)
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

int address_check_lifetime(const char *text, struct text_buffer *why)
{
    uint32_t seconds;

    if (parse_lifetime(text, &seconds) == 0)
        return 0;
    text_buffer_printf(why, "neither a number of seconds nor 'forever'");
    return -EINVAL;
}

static int fail(struct text_buffer *why, const char *format, ...) _printf_(2, 3);
static int fail(struct text_buffer *why, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        text_buffer_printf(why, "%s", text);
    return -EINVAL;
}

/* The instance of a globally unique clone has an address of its own. */
static int add_clone_number(const struct address_config *config, const char *clone, struct virtual_address *wanted, struct text_buffer *why)
{
    uint64_t value = 0;

    if (number_parse_unsigned(clone, UINT32_MAX, &value) < 0)
        return fail(why, "meta attribute clone is '%s': not a number", clone);
    if (ip_address_add(&wanted->ip, (uint32_t)value) < 0 || !ip_address_is_assignable(&wanted->ip))
        return fail(why, "%s has no room for clone instance %" PRIu64 ": choose another ip", config->ip, value);
    return 0;
}

/* The nic parameter, where it has the old form NIC:LABEL, names the label too. */
static int split_nic(const struct address_config *config, char *nic, struct virtual_address *wanted, struct text_buffer *why)
{
    char *colon;

    wanted->label = config->iflabel;
    if (!config->nic)
        return 0;
    if (text_copy(nic, INTERFACE_NAME_SIZE, config->nic) < 0)
        return fail(why, "nic is too long for the name of an interface");
    colon = strchr(nic, ':');
    if (colon) {
        *colon = '\0';
        wanted->label = config->nic + (colon - nic) + 1;
    }
    wanted->nic = nic;
    return 0;
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

int address_describe(const struct address_config *config, const char *clone, char *nic, struct virtual_address *ret,
                     struct text_buffer *why)
{
    int error;

    *ret = (struct virtual_address){ .prefix = -1 };
    if (ip_address_parse(config->ip, &ret->ip) < 0)
        return fail(why, "parameter ip is '%s': not an address", config->ip);
    if (config->cidr_netmask) {
        ret->prefix = ip_prefix_parse(config->cidr_netmask, ret->ip.family);
        if (ret->prefix < 1)
            return fail(why, "parameter cidr_netmask is '%s': not a prefix length from 1 to %u", config->cidr_netmask,
                        ip_address_bits(&ret->ip));
    }
    error = clone ? add_clone_number(config, clone, ret, why) : 0;
    if (error == 0)
        error = split_nic(config, nic, ret, why);
    read_broadcast(config->broadcast, ret);
    ret->table = (uint32_t)config->table;
    ret->flags = (config->nodad && ret->ip.family == AF_INET6 ? IFA_F_NODAD : 0) |
                 (config->noprefixroute || config->table != ROUTE_TABLE_MAIN ? IFA_F_NOPREFIXROUTE : 0);
    (void)parse_lifetime(config->preferred_lft, &ret->preferred_s);
    return error;
}
