/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's messages about links, addresses and routes, whole and damaged. */
#include "unit.h"

#include "base/process.h"
#include "net/announcer.h"
#include "net/background.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/routing.h"

/* Behind net/if.h, whose names linux/if.h then leaves alone. */
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

struct message {
    char bytes[512] __attribute__((aligned(4)));
    struct nlmsghdr *header;
};

static void *begin(struct message *message, uint16_t type, size_t size)
{
    memset(message->bytes, 0, sizeof(message->bytes));
    message->header = mnl_nlmsg_put_header(message->bytes);
    message->header->nlmsg_type = type;
    return mnl_nlmsg_put_extra_header(message->header, size);
}

static const unsigned char ip4[4] = { 192, 0, 2, 10 }, peer4[4] = { 192, 0, 2, 99 };

static void build_address(struct message *message)
{
    struct ifa_cacheinfo cache = { .ifa_prefered = 7, .ifa_valid = 9 };
    struct ifaddrmsg *info = begin(message, RTM_NEWADDR, sizeof(*info));

    info->ifa_family = AF_INET;
    info->ifa_prefixlen = 24;
    info->ifa_index = 5;
    mnl_attr_put(message->header, IFA_ADDRESS, 4, peer4);
    mnl_attr_put(message->header, IFA_LOCAL, 4, ip4);
    mnl_attr_put_strz(message->header, IFA_LABEL, "eth0:x");
    mnl_attr_put_u32(message->header, IFA_FLAGS, IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE);
    mnl_attr_put(message->header, IFA_CACHEINFO, sizeof(cache), &cache);
}

static void test_address(void **state)
{
    struct message message;
    struct interface_address address;

    (void)state;
    build_address(&message);
    assert_int_equal(address_parse_message(message.bytes, message.header->nlmsg_len, &address), 0);
    assert_memory_equal(address.ip.bytes, ip4, 4);
    assert_memory_equal(address.peer.bytes, peer4, 4);
    assert_int_equal(address.prefix, 24);
    assert_int_equal(address.index, 5);
    assert_string_equal(address.label, "eth0:x");
    assert_int_equal(address.flags, IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE);
    assert_int_equal(address.preferred_s, 7);
    assert_int_equal(address.broadcast.family, 0);
    ((struct ifaddrmsg *)mnl_nlmsg_get_payload(message.header))->ifa_prefixlen = 33;
    assert_int_equal(address_parse_message(message.bytes, message.header->nlmsg_len, &address), -EBADMSG);
    ((struct ifaddrmsg *)mnl_nlmsg_get_payload(message.header))->ifa_family = AF_UNIX;
    assert_int_equal(address_parse_message(message.bytes, message.header->nlmsg_len, &address), -EAFNOSUPPORT);
    message.header->nlmsg_type = RTM_NEWLINK;
    assert_int_equal(address_parse_message(message.bytes, message.header->nlmsg_len, &address), -EBADMSG);
}

static void build_link(struct message *message)
{
    struct ifinfomsg *info = begin(message, RTM_NEWLINK, sizeof(*info));

    info->ifi_index = 3;
    info->ifi_type = 1;
    info->ifi_flags = IFF_UP | IFF_LOWER_UP;
    mnl_attr_put_strz(message->header, IFLA_IFNAME, "eth0");
    mnl_attr_put(message->header, IFLA_ADDRESS, 6, "\x02\0\0\0\0\x11");
    mnl_attr_put(message->header, IFLA_BROADCAST, 6, "\xff\xff\xff\xff\xff\xff");
    mnl_attr_put_u8(message->header, IFLA_OPERSTATE, IF_OPER_UP);
}

static void test_link(void **state)
{
    struct message message;
    struct link link;
    char mac[HARDWARE_TEXT_SIZE];

    (void)state;
    build_link(&message);
    assert_int_equal(link_parse(message.bytes, message.header->nlmsg_len, &link), 0);
    assert_string_equal(link.name, "eth0");
    assert_string_equal(hardware_address_format(&link.address, mac), "02:00:00:00:00:11");
    assert_true(link_is_running(&link));
    assert_true(link_has_neighbours(&link));
    link.operstate = IF_OPER_LOWERLAYERDOWN;
    assert_false(link_is_running(&link));
    assert_non_null(strstr(link_state_text(&link), "lower layer"));
    link.operstate = IF_OPER_UNKNOWN;
    assert_true(link_is_running(&link));
    link.flags = IFF_UP;
    assert_false(link_is_running(&link));
    assert_string_equal(link_state_text(&link), "without carrier");
    link.flags = IFF_LOWER_UP;
    assert_string_equal(link_state_text(&link), "administratively down");
    link.flags = IFF_UP | IFF_NOARP;
    assert_false(link_has_neighbours(&link));
    mnl_attr_put_strz(message.header, IFLA_IFNAME, "a-name-that-is-too-long");
    assert_int_equal(link_parse(message.bytes, message.header->nlmsg_len, &link), -EBADMSG);
}

static void build_route(struct message *message)
{
    struct rtmsg *info = begin(message, RTM_NEWROUTE, sizeof(*info));

    info->rtm_family = AF_INET;
    info->rtm_dst_len = 24;
    info->rtm_table = RT_TABLE_COMPAT;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put(message->header, RTA_DST, 4, "\xc0\0\x02\0");
    mnl_attr_put_u32(message->header, RTA_TABLE, 777);
    mnl_attr_put_u32(message->header, RTA_OIF, 3);
}

static void test_route(void **state)
{
    struct message message;
    struct route route;

    (void)state;
    build_route(&message);
    assert_int_equal(route_parse(message.bytes, message.header->nlmsg_len, &route), 0);
    assert_int_equal(route.prefix, 24);
    assert_int_equal(route.table, 777);
    assert_int_equal(route.index, 3);
    assert_false(route.has_gateway);
    mnl_attr_put(message.header, RTA_GATEWAY, 4, ip4);
    assert_int_equal(route_parse(message.bytes, message.header->nlmsg_len, &route), 0);
    assert_true(route.has_gateway);
    mnl_attr_put(message.header, RTA_DST, 3, ip4);
    assert_int_equal(route_parse(message.bytes, message.header->nlmsg_len, &route), -EBADMSG);
}

/* Every part of a message, in memory of just that size: no read behind its end (ASan and valgrind look). */
static void test_parts(void **state)
{
    static void (*const builders[])(struct message *) = { build_address, build_link, build_route };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct message message;

        builders[i](&message);
        for (size_t part = 0; part <= message.header->nlmsg_len; part++) {
            char *copy = malloc(part ? part : 1);
            struct interface_address address;
            struct link link;
            struct route route;

            assert_non_null(copy);
            memcpy(copy, message.bytes, part);
            if (part >= sizeof(struct nlmsghdr))
                ((struct nlmsghdr *)(void *)copy)->nlmsg_len = (uint32_t)part;
            (void)address_parse_message(copy, part, &address);
            (void)link_parse(copy, part, &link);
            (void)route_parse(copy, part, &route);
            free(copy);
        }
    }
}

static void test_background_state(void **state)
{
    static const char *const bad[] = { "", " ", "12", "12 ", "x 1", "12 x", "1 5", "-5 5", "12 5 6", "99999999999 5" };
    struct process_identity identity;

    (void)state;
    assert_int_equal(background_parse("1234 567", &identity), 0);
    assert_int_equal(identity.pid, 1234);
    assert_int_equal(identity.start_ticks, 567);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(background_parse(bad[i], &identity), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address), cmocka_unit_test(test_link),  cmocka_unit_test(test_route),
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_background_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
