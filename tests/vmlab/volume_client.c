/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of the ledger test: asks the writer at one address for record after record, and notes what it acknowledged.
 *
 *   volume_client ADDRESS PORT NAME INTERVAL_MS FILE
 *
 * FILE gets a line for each answer: what the writer sent (SEQUENCE EPOCH NODE REQUEST), and the time in microseconds since the epoch. Requests are
 * NAME.1, NAME.2 ...; one that got no answer is not repeated. A connection is kept as long as it lives, so that a node that was
 * frozen can still send its late answer. Ends with a signal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_LIMIT_MS = 300, RETRY_PAUSE_MS = 50, SILENCE_LIMIT_S = 4 };

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

static int connect_writer(const char *address_text, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd item = {.fd = connection, .events = POLLOUT};
    int on = 1, one = 1, silence = SILENCE_LIMIT_S, error = -1;
    socklen_t size = sizeof(error);

    if (inet_pton(AF_INET, address_text, &address.sin_addr) != 1)
        exit(2);
    if (connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0 ||
        (errno == EINPROGRESS && poll(&item, 1, CONNECT_LIMIT_MS) > 0 &&
         getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)) {
        /* A node that was cut and is on again does not know the connection: it says so to a keepalive. */
        (void)setsockopt(connection, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        (void)setsockopt(connection, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof(one));
        (void)setsockopt(connection, IPPROTO_TCP, TCP_KEEPINTVL, &silence, sizeof(silence));
        (void)fcntl(connection, F_SETFL, 0);
        return connection;
    }
    (void)close(connection);
    return -1;
}

static bool ask(int connection, const char *request, int length, FILE *file)
{
    char answer[128];
    size_t used = 0;
    struct timespec now;

    if (write(connection, request, (size_t)length) != length)
        return false;
    do {
        ssize_t count = read(connection, answer + used, sizeof(answer) - 1 - used);

        if (count <= 0)
            return false;
        used += (size_t)count;
    } while (answer[used - 1] != '\n');
    answer[used - 1] = '\0';
    (void)clock_gettime(CLOCK_REALTIME, &now);
    fprintf(file, "%s %" PRIdMAX "\n", answer, (intmax_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return fflush(file) == 0;
}

int main(int argc, char *argv[])
{
    uint64_t number = 0;
    FILE *file;

    if (argc != 6) {
        fprintf(stderr, "usage: volume_client ADDRESS PORT NAME INTERVAL_MS FILE\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    file = fopen(argv[5], "a");
    if (!file) {
        fprintf(stderr, "volume_client: %s: %s\n", argv[5], strerror(errno));
        return 1;
    }
    for (;;) {
        int connection = connect_writer(argv[1], argv[2]);
        char request[64];
        int length;

        do {
            length = snprintf(request, sizeof(request), "%s.%" PRIu64 "\n", argv[3], ++number);
            pause_ms(connection < 0 ? RETRY_PAUSE_MS : strtol(argv[4], NULL, 10));
        } while (connection >= 0 && ask(connection, request, length, file));
        if (connection >= 0)
            (void)close(connection);
    }
}
