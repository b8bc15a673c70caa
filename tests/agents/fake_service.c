/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An application that behaves as badly as a test wants. Modes:
 *
 *     sleep                    lives until SIGTERM
 *     stubborn                 lives, ignores every signal that can be ignored
 *     escape                   sleeps; a stubborn grandchild has left its session, its folder and its environment
 *     orphan                   ends at once with 0 and leaves a stubborn grandchild like that
 *     daemon [PIDFILE]         goes into the background, and notes its pid there
 *     respawn                  its children are forked anew as fast as they are killed
 *     serve PORT PROTOCOL      a server on the loopback: smtp imap pop3 redis; busy (an error of each); hang (accepts, says nothing);
 *                              deaf (listens, does not accept)
 *     late MS PORT PROTOCOL    the same after a while
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void sleep_forever(void)
{
    for (;;)
        (void)pause();
}

static void be_stubborn(void)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_IGN);
    sleep_forever();
}

/* Twice forked, its own session, no environment: nothing but its cgroup ties it to us. */
static void leave_grandchild(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        char *const arguments[] = { (char[]){ "fake_service" }, (char[]){ "stubborn" }, NULL };
        char *const environment[] = { NULL };

        (void)setsid();
        if (fork() != 0)
            _exit(0);
        (void)!chdir("/");
        (void)execve("/proc/self/exe", arguments, environment);
        _exit(1);
    }
    (void)waitpid(pid, NULL, 0);
}

static void become_daemon(const char *pidfile)
{
    if (fork() != 0)
        _exit(0);
    (void)setsid();
    if (fork() != 0)
        _exit(0);
    if (pidfile) {
        FILE *file = fopen(pidfile, "w");

        if (!file)
            _exit(1);
        (void)fprintf(file, "%ld\n", (long)getpid());
        (void)fclose(file);
    }
    sleep_forever();
}

static void respawn(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    for (;;) {
        pid_t pid = fork();

        if (pid == 0)
            sleep_forever();
        (void)usleep(1000);
        if (pid < 0 || waitpid(-1, NULL, WNOHANG) < 0)
            (void)usleep(20000);
    }
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((in_port_t)strtol(port, NULL, 10)),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0) {
        perror("fake_service");
        exit(2);
    }
    return fd;
}

static void say(int fd, const char *text)
{
    (void)!write(fd, text, strlen(text));
}

struct protocol {
    const char *name;
    const char *greeting;
    const char *answer;
};

static const struct protocol protocols[] = {
    { "smtp", "220-mail.example ESMTP\r\n220 ready\r\n", "250 OK\r\n" },
    { "imap", "* OK ready\r\n", "* 1 EXISTS\r\nv1 OK done\r\n" },
    { "pop3", "+OK ready\r\n", "+OK bye\r\n" },
    { "redis", "", "+PONG\r\n" },
    { "hang", "", "" },
    { "greet", "220 ready\r\n", "" },
    { "busy-smtp", "421 too busy\r\n", "" },
    { "busy-imap", "* BYE too busy\r\n", "" },
    { "busy-pop3", "-ERR too busy\r\n", "" },
    { "busy-redis", "", "-LOADING dataset\r\n" },
    { "close", NULL, NULL },
    { "http", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nal\r\n\r\n7\r\nl is we\r\n2\r\nll\r\n0\r\n\r\n" },
    { "http503", "", "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n" },
};

static void converse(int fd, const struct protocol *protocol)
{
    char bytes[1024];

    if (!protocol->greeting)
        return;
    say(fd, protocol->greeting);
    while (read(fd, bytes, sizeof(bytes)) > 0)
        say(fd, protocol->answer);
}

static void serve(const char *port, const char *name)
{
    int fd = listen_on(port);

    (void)signal(SIGPIPE, SIG_IGN);
    if (strcmp(name, "deaf") == 0)
        sleep_forever();
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        if (strcmp(name, protocols[i].name) != 0)
            continue;
        for (;;) {
            int connection = accept(fd, NULL, NULL);

            converse(connection, &protocols[i]);
            (void)close(connection);
        }
    }
}

int main(int argc, char *argv[])
{
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "sleep") == 0)
        sleep_forever();
    if (strcmp(mode, "stubborn") == 0)
        be_stubborn();
    if (strcmp(mode, "escape") == 0 || strcmp(mode, "orphan") == 0)
        leave_grandchild();
    if (strcmp(mode, "escape") == 0)
        sleep_forever();
    if (strcmp(mode, "orphan") == 0)
        return 0;
    if (strcmp(mode, "daemon") == 0)
        become_daemon(argc > 2 ? argv[2] : NULL);
    if (strcmp(mode, "respawn") == 0)
        respawn();
    if (strcmp(mode, "late") == 0 && argc == 5) {
        (void)usleep((useconds_t)strtol(argv[2], NULL, 10) * 1000);
        serve(argv[3], argv[4]);
    }
    if (strcmp(mode, "serve") == 0 && argc == 4)
        serve(argv[2], argv[3]);
    (void)fprintf(stderr, "fake_service: what shall I do?\n");
    return 2;
}
