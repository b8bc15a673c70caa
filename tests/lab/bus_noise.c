/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bus_noise GROUP COUNT: joins a process group of Corosync's and sends COUNT messages of every length: rubbish, and rubbish that begins as a message of
 * vigild's does, of this version and of another. Prints how many were sent.
 */
#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static cs_error_t send_noise(cpg_handle_t handle, uint8_t *bytes, size_t length)
{
    struct iovec vector = { .iov_base = bytes, .iov_len = length };
    const struct timespec pause = { .tv_nsec = 1000000 };
    cs_error_t error;

    while ((error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &vector, 1)) == CS_ERR_TRY_AGAIN) {
        (void)cpg_dispatch(handle, CS_DISPATCH_ALL);
        (void)nanosleep(&pause, NULL);
    }
    return error;
}

/* Corosync asks for another attempt while its groups are being put in order. */
static int join(cpg_handle_t *handle, cpg_callbacks_t *callbacks, const struct cpg_name *name)
{
    const struct timespec pause = { .tv_nsec = 10000000 };

    for (int tries = 0; tries < 3000; tries++) {
        if (cpg_initialize(handle, callbacks) == CS_OK) {
            if (cpg_join(*handle, name) == CS_OK)
                return 1;
            (void)cpg_finalize(*handle);
        }
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    static uint8_t bytes[40000];
    cpg_callbacks_t callbacks = { 0 };
    struct cpg_name name = { 0 };
    cpg_handle_t handle;
    long count, sent = 0;

    if (argc != 3 || strlen(argv[1]) >= sizeof(name.value))
        return 2;
    count = strtol(argv[2], NULL, 10);
    name.length = (uint32_t)strlen(argv[1]);
    memcpy(name.value, argv[1], name.length);
    if (!join(&handle, &callbacks, &name))
        return 1;
    srandom(1);
    for (long i = 0; i < count; i++) {
        size_t length = 1 + (size_t)random() % (i % 50 == 0 ? sizeof(bytes) - 1 : 300);

        for (size_t j = 0; j < length; j++)
            bytes[j] = (uint8_t)random();
        if (i % 4 > 0 && length > 4) {
            memcpy(bytes, "VG\x01", 3);
            bytes[3] = (uint8_t)(1 + i % 6);
        }
        if (i % 16 == 1)
            bytes[2] = 2;
        if (send_noise(handle, bytes, length) == CS_OK)
            sent++;
        (void)cpg_dispatch(handle, CS_DISPATCH_ALL);
    }
    (void)cpg_leave(handle, &name);
    (void)cpg_finalize(handle);
    (void)printf("%ld\n", sent);
    return 0;
}
