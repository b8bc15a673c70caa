/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The application of the ledger test: appends a record to a file on the shared volume for each request, makes it durable, and only
 * then answers.
 *
 *   volume_writer FILE PORT NODE ERRORS
 *
 * A request is a word and a newline; the answer is "SEQUENCE EPOCH NODE WORD\n". A record is 64 bytes, a line of text:
 * sequence (10 digits), epoch (6), node, request, CRC-32 of all before it. Each start begins a new epoch, one more than the last in the file.
 * A last record that is cut short or damaged was never answered (a power cut in its write) and is dropped; damage before it is an error.
 *
 * When a write or its flush fails, the time, the error's number and its text go to ERRORS (on the node's own memory) and the
 * program ends with code 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_SIZE = 64, CHECKED_SIZE = 54, REQUEST_MAX = 30, CONNECTIONS_MAX = 32 };

struct ledger {
    int file;
    const char *errors;
    char node[5];
    uint64_t sequence; /* of the last record */
    unsigned int epoch;
};

struct request {
    char text[REQUEST_MAX + 2]; /* what has come in, with its newline */
    size_t length;
};

/* IEEE 802.3, as zlib has it. */
static uint32_t checksum(const char *data, size_t length)
{
    uint32_t crc = UINT32_MAX;

    for (size_t index = 0; index < length; index++) {
        crc ^= (uint8_t)data[index];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static void note_error(const struct ledger *ledger, const char *what, int error)
{
    FILE *file = fopen(ledger->errors, "a");

    if (file) {
        fprintf(file, "%" PRIdMAX " %s %d %s\n", (intmax_t)time(NULL), what, error, strerror(error));
        (void)fclose(file);
    }
}

static bool record_is_whole(const char record[RECORD_SIZE])
{
    char crc[9] = "";

    memcpy(crc, record + CHECKED_SIZE, 8);
    return record[RECORD_SIZE - 2] == ' ' && record[RECORD_SIZE - 1] == '\n' &&
           strtoul(crc, NULL, 16) == checksum(record, CHECKED_SIZE);
}

static bool append(struct ledger *ledger, const char *request)
{
    char record[RECORD_SIZE + 1];
    int length = snprintf(record, sizeof(record), "%010" PRIu64 " %06u %-4s %-30s ", ledger->sequence + 1, ledger->epoch,
                          ledger->node, request);

    if (length != CHECKED_SIZE)
        return false;
    (void)snprintf(record + CHECKED_SIZE, sizeof(record) - CHECKED_SIZE, "%08" PRIx32 " \n", checksum(record, CHECKED_SIZE));
    if (pwrite(ledger->file, record, RECORD_SIZE, (off_t)(ledger->sequence * RECORD_SIZE)) != RECORD_SIZE) {
        note_error(ledger, "write", errno);
        return false;
    }
    if (fdatasync(ledger->file) != 0) {
        note_error(ledger, "flush", errno);
        return false;
    }
    ledger->sequence++;
    return true;
}

/* Reads what is there: the last sequence and epoch. Fails where a record before the last is damaged. */
static bool recover(struct ledger *ledger)
{
    char record[RECORD_SIZE];
    ssize_t count;

    while ((count = pread(ledger->file, record, RECORD_SIZE, (off_t)(ledger->sequence * RECORD_SIZE))) == RECORD_SIZE &&
           record_is_whole(record)) {
        ledger->epoch = (unsigned int)strtoul(record + 11, NULL, 10);
        ledger->sequence++;
    }
    if (count < 0 || lseek(ledger->file, 0, SEEK_END) > (off_t)((ledger->sequence + 1) * RECORD_SIZE)) {
        fprintf(stderr, "volume_writer: record %" PRIu64 " is damaged\n", ledger->sequence + 1);
        return false;
    }
    ledger->epoch++;
    return ftruncate(ledger->file, (off_t)(ledger->sequence * RECORD_SIZE)) == 0 && append(ledger, "start");
}

static int listen_port(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 16) != 0) {
        perror("volume_writer: cannot listen");
        exit(1);
    }
    return listener;
}

/* Reads more of a request, and answers it when it is whole. Returns false when the connection has ended. */
static bool serve(struct ledger *ledger, int connection, struct request *request)
{
    ssize_t count = read(connection, request->text + request->length, sizeof(request->text) - 1 - request->length);
    char answer[96];
    char *end;
    int length;

    if (count <= 0)
        return false;
    request->length += (size_t)count;
    request->text[request->length] = '\0';
    end = strchr(request->text, '\n');
    if (!end)
        return request->length < REQUEST_MAX;
    *end = '\0';
    if (!append(ledger, request->text))
        exit(1);
    request->length = 0;
    length = snprintf(answer, sizeof(answer), "%" PRIu64 " %06u %s %s\n", ledger->sequence, ledger->epoch, ledger->node, request->text);
    return write(connection, answer, (size_t)length) == length;
}

static void serve_all(struct ledger *ledger, int listener)
{
    struct pollfd items[1 + CONNECTIONS_MAX] = {{.fd = listener, .events = POLLIN}};
    static struct request requests[1 + CONNECTIONS_MAX];

    for (int index = 1; index <= CONNECTIONS_MAX; index++)
        items[index] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (poll(items, 1 + CONNECTIONS_MAX, -1) > 0 || errno == EINTR) {
        for (int index = 1; index <= CONNECTIONS_MAX; index++) {
            if (items[index].fd < 0 && items[0].revents) {
                items[index].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                requests[index].length = 0;
                items[0].revents = 0;
            } else if (items[index].fd >= 0 && items[index].revents && !serve(ledger, items[index].fd, &requests[index])) {
                (void)close(items[index].fd);
                items[index].fd = -1;
            }
        }
    }
}

int main(int argc, char *argv[])
{
    struct ledger ledger = {0};

    if (argc != 5) {
        fprintf(stderr, "usage: volume_writer FILE PORT NODE ERRORS\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    ledger.errors = argv[4];
    (void)snprintf(ledger.node, sizeof(ledger.node), "%s", argv[3]);
    ledger.file = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (ledger.file < 0) {
        fprintf(stderr, "volume_writer: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    if (!recover(&ledger))
        return 1;
    serve_all(&ledger, listen_port((uint16_t)strtoul(argv[2], NULL, 10)));
    return 1;
}
