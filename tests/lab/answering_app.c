/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answering_app: a small HTTP server for the tests, and the clock by which its failures are measured.
 *
 *     answering_app serve PORT START_MS    is ready after START_MS; answers every request with 200. SIGUSR1: accepts and reads, and never answers any more
 *     answering_app kill PORT PID          sends SIGKILL to PID, and asks until an answer comes: prints "EPOCH_US_OF_THE_KILL MICROSECONDS_TO_THE_ANSWER"
 *     answering_app ask PORT MS            asks until an answer comes, for MS milliseconds at most
 *
 * The kill ends with 1 when there was no answer within 60 s.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 60

static volatile sig_atomic_t hung;

static void hang(int signal_number)
{
    (void)signal_number;
    hung = 1;
}

static void sleep_us(long us)
{
    const struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    (void)nanosleep(&time, NULL);
}

static int64_t now_us(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static struct sockaddr_in loopback(const char *port, in_addr_t address)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(port, NULL, 10)), .sin_addr.s_addr = htonl(address) };
}

static void serve_one(struct pollfd *slot)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n";
    char request[2048];
    ssize_t length = recv(slot->fd, request, sizeof(request), 0);

    if (length > 0 && (hung || send(slot->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0))
        return;
    (void)close(slot->fd);
    slot->fd = -1;
}

static void accept_one(struct pollfd *slots)
{
    int fd = accept(slots[0].fd, NULL, NULL);

    for (int i = 1; fd >= 0 && i < CONNECTIONS; i++) {
        if (slots[i].fd >= 0)
            continue;
        slots[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
        return;
    }
    if (fd >= 0)
        (void)close(fd);
}

static int serve(const char *port, const char *start_ms)
{
    struct sockaddr_in address = loopback(port, INADDR_ANY);
    struct pollfd slots[CONNECTIONS];
    int on = 1;

    (void)signal(SIGUSR1, hang);
    sleep_us(strtol(start_ms, NULL, 10) * 1000);
    for (int i = 0; i < CONNECTIONS; i++)
        slots[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    slots[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(slots[0].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(slots[0].fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(slots[0].fd, 50) < 0) {
        perror("answering_app: cannot listen");
        return 1;
    }
    for (;;) {
        if (poll(slots, CONNECTIONS, -1) < 0 && errno != EINTR)
            return 1;
        if (slots[0].revents)
            accept_one(slots);
        for (int i = 1; i < CONNECTIONS; i++)
            if (slots[i].fd >= 0 && slots[i].revents)
                serve_one(&slots[i]);
    }
}

/* One question, with half a second for all of it. */
static int ask_once(const char *port)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct timeval limit = { .tv_usec = 500000 };
    struct sockaddr_in address = loopback(port, INADDR_LOOPBACK);
    char answer[64] = "";
    int good, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    good = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
           send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0 && recv(fd, answer, sizeof(answer) - 1, 0) > 12 &&
           strncmp(answer, "HTTP/1.1 200", 12) == 0;
    (void)close(fd);
    return good;
}

static int await_answer(const char *port, int64_t limit_us)
{
    int64_t end = now_us(CLOCK_MONOTONIC) + limit_us;

    while (!ask_once(port)) {
        if (now_us(CLOCK_MONOTONIC) > end)
            return 0;
        sleep_us(1000);
    }
    return 1;
}

static int kill_and_wait(const char *port, const char *pid)
{
    int64_t wall = now_us(CLOCK_REALTIME), begin = now_us(CLOCK_MONOTONIC);

    if (kill((pid_t)strtol(pid, NULL, 10), SIGKILL) < 0) {
        perror("answering_app: cannot kill");
        return 1;
    }
    sleep_us(1000); /* what is still in the listener's queue would be answered by nobody */
    if (!await_answer(port, 60000000))
        return 1;
    printf("%lld %lld\n", (long long)wall, (long long)(now_us(CLOCK_MONOTONIC) - begin));
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "kill") == 0)
        return kill_and_wait(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "ask") == 0)
        return !await_answer(argv[2], strtol(argv[3], NULL, 10) * 1000);
    fprintf(stderr, "usage: answering_app serve PORT START_MS | kill PORT PID | ask PORT MS\n");
    return 2;
}
