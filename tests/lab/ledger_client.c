/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user of the lab's database: commits the rows 1, 2, 3 ... through the cluster's address, one at a time, and notes each
 * one that the database acknowledged. After a takeover every noted row has to be there. A row that got no answer is sent
 * again under the same number: it may or may not have been committed, and only an answer counts.
 *
 *   ledger_client DIRECTORY INTERVAL_MS CONNINFO
 *
 *   DIRECTORY/acknowledged   "ROW MONOTONIC_US" for each acknowledged row
 *   DIRECTORY/events         "EVENT REALTIME_US ..." when the connection changes:
 *                            lost T TEXT           the connection, or an answer, failed
 *                            answered T ROW GAP_US first acknowledgement on a new connection, GAP_US after the one before it
 *
 * Ends with SIGTERM or SIGINT.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* An attempt is given up soon, since the next one finds the address at its new place at once; TCP's own retries back off. */
#define CONNECT_LIMIT_US 120000
#define ANSWER_LIMIT_US 1000000
#define RETRY_PAUSE_US 20000

struct ledger {
    const char *conninfo;
    int acknowledged_fd;
    int events_fd;
    int64_t interval_us;
    int64_t row;        /* the number that is sent now */
    int64_t last_ack_us; /* monotonic; 0 before the first */
};

static volatile sig_atomic_t stopping;

static void handle_stop(int signal_number) {
    (void)signal_number;
    stopping = 1;
}

static int64_t clock_us(clockid_t clock) {
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_us(int64_t us) {
    struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    if (us > 0)
        nanosleep(&pause, NULL);
}

/* One write a line: what a killed client has noted is complete up to its last line. */
static void write_line(int fd, const char *line, int length) {
    if (length > 0 && write(fd, line, (size_t)length) != length) {
        perror("ledger_client: cannot write");
        exit(1);
    }
}

static void note_lost(const struct ledger *ledger, const char *text) {
    char line[256];
    int length = (int)strcspn(text, "\n");

    length = snprintf(line, sizeof(line), "lost %" PRId64 " %.*s\n", clock_us(CLOCK_REALTIME), length > 150 ? 150 : length, text);
    write_line(ledger->events_fd, line, length);
}

static void note_acknowledged(struct ledger *ledger, bool first) {
    char line[128];
    int64_t now = clock_us(CLOCK_MONOTONIC);
    int64_t gap = ledger->last_ack_us ? now - ledger->last_ack_us : 0;

    write_line(ledger->acknowledged_fd, line, snprintf(line, sizeof(line), "%" PRId64 " %" PRId64 "\n", ledger->row, now));
    if (first)
        write_line(ledger->events_fd, line,
                   snprintf(line, sizeof(line), "answered %" PRId64 " %" PRId64 " %" PRId64 "\n", clock_us(CLOCK_REALTIME),
                            ledger->row, gap));
    ledger->last_ack_us = now;
    ledger->row++;
}

/* Waits for the connection's socket. Returns false when the time is over. */
static bool wait_socket(PGconn *connection, short events, int64_t end_us) {
    struct pollfd item = {.fd = PQsocket(connection), .events = events};
    int64_t left = end_us - clock_us(CLOCK_MONOTONIC);

    return left > 0 && !stopping && poll(&item, 1, (int)(left / 1000) + 1) > 0;
}

/* Returns a connection, or NULL when there was none within the limit. */
static PGconn *connect_database(const struct ledger *ledger) {
    PGconn *connection = PQconnectStart(ledger->conninfo);
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + CONNECT_LIMIT_US;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (connection && PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || !wait_socket(connection, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, end_us))
            break;
        state = PQconnectPoll(connection);
    }
    if (connection && PQstatus(connection) == CONNECTION_OK)
        return connection;
    PQfinish(connection);
    return NULL;
}

/* Reads the answer to the statement that was sent. Returns true when the row is committed. */
static bool read_answer(PGconn *connection) {
    int64_t end_us = clock_us(CLOCK_MONOTONIC) + ANSWER_LIMIT_US;
    bool committed = false;
    PGresult *result;

    for (;;) {
        while (PQisBusy(connection))
            if (!wait_socket(connection, POLLIN, end_us) || !PQconsumeInput(connection))
                return false;
        result = PQgetResult(connection);
        if (!result)
            return committed;
        committed = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
}

static bool commit_row(PGconn *connection, int64_t row) {
    char number[24];
    const char *const values[] = {number};

    snprintf(number, sizeof(number), "%" PRId64, row);
    return PQsendQueryParams(connection, "INSERT INTO ledger (id) VALUES ($1) ON CONFLICT DO NOTHING", 1, NULL, values, NULL,
                             NULL, 0) &&
           read_answer(connection);
}

/* Commits rows until the connection fails. */
static void use_connection(struct ledger *ledger, PGconn *connection) {
    bool first = true;

    while (!stopping) {
        if (!commit_row(connection, ledger->row)) {
            if (!stopping)
                note_lost(ledger, *PQerrorMessage(connection) ? PQerrorMessage(connection) : "no answer in time");
            return;
        }
        note_acknowledged(ledger, first);
        first = false;
        sleep_us(ledger->interval_us);
    }
}

static int open_log(const char *directory, const char *name) {
    char path[4096];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        fprintf(stderr, "ledger_client: cannot write %s: %s\n", path, strerror(errno));
        exit(1);
    }
    return fd;
}

int main(int argc, char *argv[]) {
    struct sigaction stop = {.sa_handler = handle_stop};
    struct ledger ledger = {.row = 1};

    if (argc != 4) {
        fprintf(stderr, "usage: ledger_client DIRECTORY INTERVAL_MS CONNINFO\n");
        return 2;
    }
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    ledger.acknowledged_fd = open_log(argv[1], "acknowledged");
    ledger.events_fd = open_log(argv[1], "events");
    ledger.interval_us = (int64_t)strtoul(argv[2], NULL, 10) * 1000;
    ledger.conninfo = argv[3];
    while (!stopping) {
        PGconn *connection = connect_database(&ledger);

        if (connection)
            use_connection(&ledger, connection);
        else
            sleep_us(RETRY_PAUSE_US);
        PQfinish(connection);
    }
    return 0;
}
