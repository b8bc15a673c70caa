/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address_withdraw.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <unistd.h>

#include "base/text.h"
#include "net/link.h"

/* True where the kernel would take `other` away together with the primary address. */
static bool depends_on(const struct interface_address *other, const struct interface_address *primary)
{
    return (other->flags & IFA_F_SECONDARY) && other->index == primary->index && other->prefix == primary->prefix &&
           ip_address_in_prefix(&other->ip, &primary->ip, primary->prefix);
}

/* Sets promote_secondaries of the interface. Where that can't be written (a read-only /proc) the addresses are put back instead. */
static void promote_secondaries(struct netlink *netlink, unsigned int index, struct deadline deadline)
{
    _cleanup_close_ int fd = -1;
    char path[128];
    struct link link;

    if (link_find(netlink, NULL, index, &link, deadline) < 0 ||
        text_format(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries", link.name) < 0)
        return;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) < 0)
        return;
}

/* Puts back what went with the primary address. */
static int restore_missing(struct netlink *netlink, const struct address_list *before, const struct interface_address *primary,
                           struct deadline deadline)
{
    for (size_t i = 0; i < before->count; i++) {
        struct interface_address address = before->items[i];
        int error;

        if (!depends_on(&address, primary))
            continue;
        address.flags &= ~(uint32_t)(IFA_F_SECONDARY | IFA_F_PERMANENT | IFA_F_TENTATIVE);
        error = address_add(netlink, &address, deadline);
        if (error < 0 && error != -EEXIST)
            return error;
    }
    return 0;
}

int address_withdraw(struct netlink *netlink, const struct interface_address *address, struct deadline deadline)
{
    _cleanup_address_list_ struct address_list before = {};
    bool has_secondaries = false;
    int error;

    if (address->ip.family == AF_INET && !(address->flags & IFA_F_SECONDARY)) {
        error = address_list(netlink, AF_INET, address->index, &before, deadline);
        if (error < 0)
            return error;
    }
    for (size_t i = 0; i < before.count; i++)
        has_secondaries |= depends_on(&before.items[i], address);
    if (has_secondaries)
        promote_secondaries(netlink, address->index, deadline);
    error = address_remove(netlink, address, deadline);
    if (error < 0 && error != -EADDRNOTAVAIL && error != -ENODEV)
        return error;
    return has_secondaries ? restore_missing(netlink, &before, address, deadline) : 0;
}
