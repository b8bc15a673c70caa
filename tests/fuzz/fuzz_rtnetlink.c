/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's messages about links, addresses and routes, and the announcer's note. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "net/announcer.h"
#include "net/background.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/routing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_text(const uint8_t *data, size_t size)
{
    struct process_identity identity;
    struct ip_address ip;
    char *text = strndup((const char *)data, size);

    if (text) {
        (void)background_parse(text, &identity);
        (void)ip_address_parse(text, &ip);
        (void)ip_prefix_parse(text, AF_INET);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct interface_address address;
    struct link link;
    struct route route;
    char mac[HARDWARE_TEXT_SIZE];
    void *aligned;

    if (size == 0 || size > 8192)
        return 0;
    aligned = malloc(size);
    if (!aligned)
        return 0;
    memcpy(aligned, data, size);
    if (address_parse_message(aligned, size, &address) == 0)
        assert(address.prefix <= ip_address_bits(&address.ip) && strnlen(address.label, IFNAMSIZ) < IFNAMSIZ);
    if (link_parse(aligned, size, &link) == 0)
        assert(link.name[0] && strlen(hardware_address_format(&link.address, mac)) < sizeof(mac));
    if (route_parse(aligned, size, &route) == 0)
        assert(route.prefix <= ip_address_bits(&route.destination));
    free(aligned);
    parse_text(data, size);
    return 0;
}
