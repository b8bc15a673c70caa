/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs commands on a machine of the VM lab: a remote shell for a network that nobody else is on.
 *
 *   guest_shell --serve PORT                           on the guest: runs what it is sent, with bash
 *   guest_shell ADDRESS PORT SECONDS [--stdin] CMD...  on the host: the words of CMD are joined with spaces
 *
 * The exit code is the command's; 124 when it has not ended within SECONDS (it goes on there), 125 when the guest can't be reached
 * or the connection is lost. Standard output and error come back as one stream. Any number of commands may run at once.
 *
 * One TCP connection a command. The host sends a frame with the command, and then the command's standard input. The guest sends
 * frames: a kind, a length, and that many bytes. All numbers are 32 bits in network order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_MAX = 1 << 20, CHUNK = 65536, EXIT_TIMEOUT = 124, EXIT_LOST = 125 };
enum frame_kind { FRAME_OUTPUT = 1, FRAME_EXIT = 2 };

struct frame {
    uint32_t kind;
    uint32_t value; /* FRAME_OUTPUT: the length of what follows; FRAME_EXIT: the exit code */
};

static bool read_all(int fd, void *buffer, size_t length)
{
    char *position = buffer;

    while (length > 0) {
        ssize_t count = read(fd, position, length);

        if (count <= 0 && !(count < 0 && errno == EINTR))
            return false;
        if (count > 0) {
            position += count;
            length -= (size_t)count;
        }
    }
    return true;
}

static bool write_all(int fd, const void *buffer, size_t length)
{
    const char *position = buffer;

    while (length > 0) {
        ssize_t count = write(fd, position, length);

        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            position += count;
            length -= (size_t)count;
        }
    }
    return true;
}

static bool send_frame(int connection, enum frame_kind kind, uint32_t value, const void *data)
{
    struct frame frame = {htonl(kind), htonl(value)};

    return write_all(connection, &frame, sizeof(frame)) && (kind != FRAME_OUTPUT || write_all(connection, data, value));
}

/* --- the guest --- */

static pid_t start_command(int connection, int output, const char *command)
{
    pid_t child = fork();

    if (child != 0)
        return child;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setsid();
    if (dup2(connection, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        _exit(EXIT_LOST);
    execl("/bin/bash", "bash", "-c", command, (char *)NULL);
    _exit(127);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Ends at the end of the output, or when the shell is gone and nothing more comes: a daemon that it started keeps the pipe open. */
static int forward_output(int connection, int output, pid_t child)
{
    static char buffer[CHUNK];
    struct pollfd item = {.fd = output, .events = POLLIN};
    bool ended = false;
    int status = 0;

    for (;;) {
        if (poll(&item, 1, ended ? 20 : 50) > 0) {
            ssize_t count = read(output, buffer, sizeof(buffer));

            if (count <= 0)
                break;
            if (!send_frame(connection, FRAME_OUTPUT, (uint32_t)count, buffer))
                _exit(1);
        } else if (ended) {
            break;
        }
        ended = ended || waitpid(child, &status, WNOHANG) == child;
    }
    if (!ended)
        (void)waitpid(child, &status, 0);
    return exit_code(status);
}

static void serve_connection(int connection)
{
    static char command[COMMAND_MAX];
    uint32_t length;
    int output[2];
    pid_t child;

    if (!read_all(connection, &length, sizeof(length)) || ntohl(length) >= sizeof(command) ||
        !read_all(connection, command, ntohl(length)) || pipe2(output, O_CLOEXEC) != 0)
        _exit(1);
    child = start_command(connection, output[1], command);
    (void)close(output[1]);
    (void)send_frame(connection, FRAME_EXIT, child < 0 ? EXIT_LOST : (uint32_t)forward_output(connection, output[0], child), NULL);
    _exit(0);
}

static int serve(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0) {
        perror("guest_shell");
        return 1;
    }
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (connection >= 0 && fork() == 0) {
            (void)signal(SIGCHLD, SIG_DFL);
            serve_connection(connection);
        }
        if (connection >= 0)
            (void)close(connection);
    }
}

/* --- the host --- */

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for one of the events; false when the time is over. */
static bool wait_for(int fd, short events, int64_t end_ms)
{
    struct pollfd item = {.fd = fd, .events = events};
    int64_t left;

    while ((left = end_ms - now_ms()) > 0)
        if (poll(&item, 1, (int)left) > 0)
            return true;
    return false;
}

static int connect_guest(const char *address_text, const char *port, int64_t end_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t size = sizeof(error);

    if (inet_pton(AF_INET, address_text, &address.sin_addr) != 1)
        return -EINVAL;
    if (connect(connection, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno != EINPROGRESS)
            return -errno;
        if (!wait_for(connection, POLLOUT, end_ms))
            return -ETIMEDOUT;
        if (getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
            return -ECONNREFUSED;
    }
    (void)fcntl(connection, F_SETFL, 0);
    return connection;
}

static bool send_command(int connection, char *words[])
{
    static char command[COMMAND_MAX];
    uint32_t length;
    size_t used = 0;

    for (; *words; words++) {
        int count = snprintf(command + used, sizeof(command) - used, "%s%s", used ? " " : "", *words);

        if (count < 0 || used + (size_t)count >= sizeof(command) - 1)
            return false;
        used += (size_t)count;
    }
    length = htonl((uint32_t)used);
    return write_all(connection, &length, sizeof(length)) && write_all(connection, command, used);
}

static bool send_input(int connection)
{
    static char buffer[CHUNK];
    ssize_t count;

    while ((count = read(0, buffer, sizeof(buffer))) > 0)
        if (!write_all(connection, buffer, (size_t)count))
            return false;
    return count == 0;
}

/* Reads bytes of a frame within the time. Returns 0, or the exit code that tells what went wrong. */
static int receive(int connection, void *buffer, size_t length, int64_t end_ms)
{
    char *position = buffer;

    while (length > 0) {
        ssize_t count;

        if (!wait_for(connection, POLLIN, end_ms))
            return EXIT_TIMEOUT;
        count = read(connection, position, length);
        if (count <= 0)
            return EXIT_LOST;
        position += count;
        length -= (size_t)count;
    }
    return 0;
}

static int receive_result(int connection, int64_t end_ms)
{
    static char buffer[CHUNK];
    struct frame frame;
    int failed;

    for (;;) {
        failed = receive(connection, &frame, sizeof(frame), end_ms);
        if (failed)
            return failed;
        if (ntohl(frame.kind) == FRAME_EXIT)
            return (int)ntohl(frame.value);
        if (ntohl(frame.value) > sizeof(buffer))
            return EXIT_LOST;
        failed = receive(connection, buffer, ntohl(frame.value), end_ms);
        if (failed)
            return failed;
        if (!write_all(1, buffer, ntohl(frame.value)))
            return 1;
    }
}

static int run(char *argv[])
{
    int64_t end_ms = now_ms() + (int64_t)(strtod(argv[2], NULL) * 1000);
    bool input = strcmp(argv[3], "--stdin") == 0;
    int connection = connect_guest(argv[0], argv[1], end_ms);

    if (connection < 0)
        return connection == -ETIMEDOUT ? EXIT_TIMEOUT : EXIT_LOST;
    if (!send_command(connection, argv + 3 + input) || (input && !send_input(connection)))
        return EXIT_LOST;
    (void)shutdown(connection, SHUT_WR);
    return receive_result(connection, end_ms);
}

int main(int argc, char *argv[])
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        return serve((uint16_t)strtoul(argv[2], NULL, 10));
    if (argc < 5 || (argc == 5 && strcmp(argv[4], "--stdin") == 0)) {
        fprintf(stderr, "usage: guest_shell ADDRESS PORT SECONDS [--stdin] CMD...\n       guest_shell --serve PORT\n");
        return 2;
    }
    return run(argv + 1);
}
