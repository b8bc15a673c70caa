/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of vigild for the tests.
 *
 *     watch_client churn SECONDS PID     registers and withdraws watches of the process in turn; prints "+ NAME" for what was acknowledged, "- NAME" for what was
 *                                        withdrawn, "? NAME" where no answer came (vigild was killed), which is no failure: it goes on with the next
 *     watch_client flood COUNT           sends COUNT requests and reads no answer before vigild's queue is full; then reads them all: prints "SENT ANSWERED"
 *     watch_client rubbish COUNT         sends COUNT messages of random bytes
 *     watch_client silent SECONDS        subscribes to the events, and reads none
 */
#include <errno.h>
#include <qb/qbipcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "watch/client.h"

#define CHURN_NAMES 20

static int churn_one(int number, const struct process_identity *process)
{
    struct watch_connection *connection = NULL;
    struct watch_message_view answer;
    char name[32], path[256], text[256];
    int r, length;
    bool sent;

    (void)text_format(name, sizeof(name), "churn%d", number % CHURN_NAMES);
    if (number / CHURN_NAMES % 2 == 1) {
        r = watch_registration_path(name, path, sizeof(path));
        if (r == 0 && unlink(path) == 0)
            printf("- %s\n", name);
        return r;
    }
    length = text_format(text, sizeof(text), "vigil-watch 1\nresource %s\tagent=app\nprocess %s\tpid=%d\tstart=%llu\n", name, name,
                         (int)process->pid, (unsigned long long)process->start_ticks);
    r = watch_connect(&connection, deadline_in(5000));
    sent = r == 0;
    if (sent)
        r = watch_request(connection, WATCH_REGISTER, 0, text, (size_t)length, &answer, deadline_in(1000));
    if (sent)
        printf("%c %s\n", r == 0 && answer.error == 0 ? '+' : '?', name);
    watch_disconnect(connection);
    return r;
}

static int churn(const char *seconds, const char *pid)
{
    struct deadline end = deadline_in((uint64_t)strtol(seconds, NULL, 10) * 1000);
    struct process_identity process;

    if (process_identify((pid_t)strtol(pid, NULL, 10), &process) < 0)
        return 1;
    for (int number = 0; !deadline_passed(end); number++)
        if (churn_one(number, &process) < 0)
            (void)deadline_sleep(end, 1);
    return fflush(stdout) != 0;
}

static int flood(long count)
{
    char message[WATCH_MESSAGE_MAX] __attribute__((aligned(8)));
    qb_ipcc_connection_t *ipc = qb_ipcc_connect(WATCH_SERVICE, WATCH_MESSAGE_MAX);
    int size = watch_message_write(WATCH_DAEMON, 0, 0, NULL, 0, message, sizeof(message));
    long sent = 0, answered = 0;
    bool full = false;

    if (!ipc)
        return 1;
    while (answered < count) {
        if (!full && sent < count && qb_ipcc_send(ipc, message, (size_t)size) >= 0) {
            sent++;
            continue;
        }
        full = true;
        if (qb_ipcc_recv(ipc, message, sizeof(message), 2000) < 0) {
            if (sent == count)
                break;
        } else {
            answered++;
        }
        size = watch_message_write(WATCH_DAEMON, 0, 0, NULL, 0, message, sizeof(message));
        full = sent >= count || sent - answered > 50;
    }
    printf("%ld %ld\n", sent, answered);
    qb_ipcc_disconnect(ipc);
    return answered != count;
}

static int rubbish(long count)
{
    char message[WATCH_MESSAGE_MAX] __attribute__((aligned(8)));
    qb_ipcc_connection_t *ipc = qb_ipcc_connect(WATCH_SERVICE, WATCH_MESSAGE_MAX);

    for (long i = 0; i < count; i++) {
        struct watch_header header = { .id = WATCH_IPC_ID, .version = (uint32_t)(i % 5 != 0), .type = (uint32_t)(random() % 12), .cursor = (uint64_t)random() };
        size_t size = sizeof(header) + (size_t)random() % 1000;

        for (size_t at = 0; at < size; at++)
            message[at] = (char)random();
        header.size = (int32_t)size;
        if (i % 7 == 0)
            header.size = random() % 2000;
        memcpy(message, &header, i % 3 == 0 ? 16 : sizeof(header));
        if (!ipc || qb_ipcc_send(ipc, message, size) < 0 || qb_ipcc_recv(ipc, message, sizeof(message), 20) < 0) {
            if (ipc)
                qb_ipcc_disconnect(ipc);
            ipc = qb_ipcc_connect(WATCH_SERVICE, WATCH_MESSAGE_MAX);
        }
    }
    if (ipc)
        qb_ipcc_disconnect(ipc);
    return 0;
}

static int silent(const char *seconds)
{
    struct watch_connection *connection = NULL;
    struct watch_message_view answer;
    int r = watch_connect(&connection, deadline_in(5000));

    if (r == 0)
        r = watch_request(connection, WATCH_SUBSCRIBE, 0, NULL, 0, &answer, deadline_in(2000));
    (void)deadline_sleep(DEADLINE_NEVER, (uint64_t)strtol(seconds, NULL, 10) * 1000);
    watch_disconnect(connection);
    return r < 0;
}

int main(int argc, char *argv[])
{
    if (argc == 4 && strcmp(argv[1], "churn") == 0)
        return churn(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "flood") == 0)
        return flood(strtol(argv[2], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "rubbish") == 0)
        return rubbish(strtol(argv[2], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "silent") == 0)
        return silent(argv[2]);
    return 2;
}
