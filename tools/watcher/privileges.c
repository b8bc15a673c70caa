/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/watcher/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define ALWAYS (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_CHOWN) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) | BIT(CAP_KILL))
#define WORKER (BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_RAWIO))

struct capabilities {
    uint64_t permitted, effective;
};

static int capabilities_get(struct capabilities *ret)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
    return 0;
}

static int capabilities_set(const struct capabilities *wanted)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = {
        { .permitted = (uint32_t)wanted->permitted, .effective = (uint32_t)wanted->effective },
        { .permitted = (uint32_t)(wanted->permitted >> 32), .effective = (uint32_t)(wanted->effective >> 32) },
    };

    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* What the bounding set lacks, no program that is started later can have. */
int privileges_drop(void)
{
    struct capabilities own;
    int r = capabilities_get(&own);

    if (r < 0)
        return r;
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        if (!((ALWAYS | WORKER) & BIT(capability)))
            (void)prctl(PR_CAPBSET_DROP, capability);
    own.permitted &= ALWAYS | WORKER;
    own.effective = own.permitted & ALWAYS;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return capabilities_set(&own);
}

int privileges_raise(void)
{
    struct capabilities own;
    int r = capabilities_get(&own);

    if (r < 0)
        return r;
    own.effective = own.permitted & (ALWAYS | WORKER);
    return capabilities_set(&own);
}
