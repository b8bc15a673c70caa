/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ADDRESS_CONFIG_H
#define VIGIL_NET_ADDRESS_CONFIG_H
/*
 * What a user asks of an address that moves between nodes: the texts as given, how they are checked, and what they mean. All of it is pure. Names are those of
 * the parameters.
 */
#include "base/text.h"
#include "net/virtual_address.h"

struct address_config {
    const char *ip, *nic, *cidr_netmask, *broadcast, *iflabel, *preferred_lft;
    int table, lvs_ipv6_addrlabel_value, arp_interval, arp_count_refresh, monitor_retries; /* arp_interval in milliseconds */
    uint64_t duplicate_wait_ms, announce_refresh_ms;
    bool lvs_support, lvs_ipv6_addrlabel, arp_bg, flush_routes, duplicate_detection, nodad, noprefixroute, link_check, reset_connections;
};

/* Each checks the text of one parameter. Returns 0, or -EINVAL with what is wrong appended to *why. */
int address_check_ip(const char *text, struct text_buffer *why);
int address_check_broadcast(const char *text, struct text_buffer *why);
int address_check_nic(const char *text, struct text_buffer *why);
int address_check_label(const char *text, struct text_buffer *why);
int address_check_lifetime(const char *text, struct text_buffer *why);

/* Turns the texts into what is wanted. nic is a buffer of INTERFACE_NAME_SIZE bytes that gets the interface's name; it and config must outlive *ret. clone is
 * the instance number that is added to the address, or NULL. Returns 0, or -EINVAL with the reason appended to *why. */
int address_describe(const struct address_config *config, const char *clone, char *nic, struct virtual_address *ret,
                     struct text_buffer *why);

#endif
