/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "net/neighbour_packet.h"

static const struct link ethernet = { .index = 2, .hardware_type = 1, .address = { 6, { 2, 0, 0, 0, 0, 0x11 } },
                                      .broadcast = { 6, { 255, 255, 255, 255, 255, 255 } } };

static struct ip_address address(const char *text)
{
    struct ip_address ip;

    assert_int_equal(ip_address_parse(text, &ip), 0);
    return ip;
}

/* The packets of RFC 826 and RFC 5227, byte by byte. */
static void test_arp_bytes(void **state)
{
    static const uint8_t announcement[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x11, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10 };
    static const uint8_t reply[] = { 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x11, 192, 0, 2, 10, 255, 255, 255, 255, 255, 255, 192, 0, 2, 10 };
    static const uint8_t probe[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10 };
    struct ip_address ip = address("192.0.2.10");
    uint8_t packet[NEIGHBOUR_PACKET_SIZE];

    (void)state;
    assert_int_equal(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REQUEST, &ip, &ethernet, packet), sizeof(announcement));
    assert_memory_equal(packet, announcement, sizeof(announcement));
    assert_int_equal(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REPLY, &ip, &ethernet, packet), sizeof(reply));
    assert_memory_equal(packet, reply, sizeof(reply));
    assert_int_equal(neighbour_packet_build(NEIGHBOUR_PROBE, &ip, &ethernet, packet), sizeof(probe));
    assert_memory_equal(packet, probe, sizeof(probe));
}

static void test_infiniband_has_long_addresses(void **state)
{
    struct link link = { .index = 3, .hardware_type = 32, .address = { 20, { 1 } }, .broadcast = { 20, { 0, 255 } } };
    struct ip_address ip = address("192.0.2.10"), ip6 = address("2001:db8::10");
    uint8_t packet[NEIGHBOUR_PACKET_SIZE];

    (void)state;
    assert_int_equal(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REQUEST, &ip, &link, packet), 8 + 2 * (20 + 4));
    assert_int_equal(packet[4], 20);
    assert_int_equal(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REPLY, &ip6, &link, packet), 40 + 24 + 24);
    link.address.length = link.broadcast.length = HARDWARE_ADDRESS_MAX;
    assert_true(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REPLY, &ip, &link, packet) <= sizeof(packet));
    assert_true(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REPLY, &ip6, &link, packet) <= sizeof(packet));
}

/* The receiver's sum over pseudo header and message, checksum included, is all ones (RFC 1071). */
static unsigned int received_sum(const uint8_t *packet, size_t length)
{
    uint32_t sum = (uint32_t)(length - 40) + 58;

    for (size_t i = 8; i < length; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void test_neighbour_discovery_bytes(void **state)
{
    static const uint8_t solicited_node[] = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x56, 0x78, 0x9a };
    struct ip_address ip = address("2001:db8::1256:789a");
    struct hardware_address target;
    uint8_t packet[NEIGHBOUR_PACKET_SIZE];
    size_t length = neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REPLY, &ip, &ethernet, packet);

    (void)state;
    assert_int_equal(length, 40 + 24 + 8);
    assert_int_equal(packet[7], 255);
    assert_memory_equal(packet + 8, ip.bytes, 16);
    assert_int_equal(packet[40], 136);
    assert_int_equal(packet[44], 0x20);
    assert_memory_equal(packet + 48, ip.bytes, 16);
    assert_int_equal(packet[64], 2);
    assert_memory_equal(packet + 66, ethernet.address.bytes, 6);
    assert_int_equal(received_sum(packet, length), 0xffff);
    length = neighbour_packet_build(NEIGHBOUR_PROBE, &ip, &ethernet, packet);
    assert_int_equal(length, 40 + 24);
    assert_int_equal(packet[40], 135);
    assert_memory_equal(packet + 24, solicited_node, 16);
    assert_int_equal(received_sum(packet, length), 0xffff);
    target = neighbour_packet_target(NEIGHBOUR_PROBE, &ip, &ethernet);
    assert_memory_equal(target.bytes, "\x33\x33\xff\x56\x78\x9a", 6);
    assert_int_equal(neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REQUEST, &ip, &ethernet, packet), 0);
}

static void assert_claim(enum neighbour_packet_kind kind, const char *about, const char *asked, enum neighbour_claim claim)
{
    struct ip_address ip = address(about), other = address(asked);
    struct hardware_address owner;
    uint8_t packet[NEIGHBOUR_PACKET_SIZE];
    size_t length = neighbour_packet_build(kind, &ip, &ethernet, packet);

    assert_int_equal(neighbour_packet_parse(packet, length, &other, &owner), claim);
    if (claim == NEIGHBOUR_CLAIM_OWNS)
        assert_memory_equal(owner.bytes, ethernet.address.bytes, 6);
    /* A part of it says nothing, and reads nothing behind its end. */
    for (size_t part = 0; part < length; part++) {
        uint8_t *copy = malloc(part ? part : 1);

        assert_non_null(copy);
        memcpy(copy, packet, part);
        assert_int_equal(neighbour_packet_parse(copy, part, &other, &owner), NEIGHBOUR_CLAIM_NONE);
        free(copy);
    }
}

static void test_claims(void **state)
{
    (void)state;
    assert_claim(NEIGHBOUR_ANNOUNCE_REQUEST, "192.0.2.10", "192.0.2.10", NEIGHBOUR_CLAIM_OWNS);
    assert_claim(NEIGHBOUR_ANNOUNCE_REPLY, "192.0.2.10", "192.0.2.10", NEIGHBOUR_CLAIM_OWNS);
    assert_claim(NEIGHBOUR_PROBE, "192.0.2.10", "192.0.2.10", NEIGHBOUR_CLAIM_PROBES);
    assert_claim(NEIGHBOUR_ANNOUNCE_REPLY, "192.0.2.10", "192.0.2.11", NEIGHBOUR_CLAIM_NONE);
    assert_claim(NEIGHBOUR_PROBE, "192.0.2.10", "192.0.2.11", NEIGHBOUR_CLAIM_NONE);
    assert_claim(NEIGHBOUR_ANNOUNCE_REPLY, "2001:db8::10", "2001:db8::10", NEIGHBOUR_CLAIM_OWNS);
    assert_claim(NEIGHBOUR_PROBE, "2001:db8::10", "2001:db8::10", NEIGHBOUR_CLAIM_PROBES);
    assert_claim(NEIGHBOUR_ANNOUNCE_REPLY, "2001:db8::10", "2001:db8::11", NEIGHBOUR_CLAIM_NONE);
}

/* An ordinary resolution of the address by a third host is no claim; nor is what has crossed a router. */
static void test_no_claims(void **state)
{
    static const uint8_t question[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x22, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10 };
    struct ip_address ip = address("192.0.2.10"), ip6 = address("2001:db8::10");
    struct hardware_address owner;
    uint8_t packet[NEIGHBOUR_PACKET_SIZE];
    size_t length = neighbour_packet_build(NEIGHBOUR_ANNOUNCE_REPLY, &ip6, &ethernet, packet);

    (void)state;
    assert_int_equal(neighbour_packet_parse(question, sizeof(question), &ip, &owner), NEIGHBOUR_CLAIM_NONE);
    packet[7] = 254;
    assert_int_equal(neighbour_packet_parse(packet, length, &ip6, &owner), NEIGHBOUR_CLAIM_NONE);
    packet[7] = 255;
    packet[65] = 0; /* an option of no length */
    assert_int_equal(neighbour_packet_parse(packet, length, &ip6, &owner), NEIGHBOUR_CLAIM_OWNS);
    assert_int_equal(owner.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arp_bytes),
        cmocka_unit_test(test_infiniband_has_long_addresses),
        cmocka_unit_test(test_neighbour_discovery_bytes),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_no_claims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
