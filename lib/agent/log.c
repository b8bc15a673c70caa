/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/log.h"

#include <poll.h>
#include <pthread.h>
#include <qb/qblog.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "base/number.h"
#include "base/text.h"

/* The calls of libqb that a line needs, found when the first line is written. */
struct qb_calls {
    __typeof__(qb_log_init) *init;
    __typeof__(qb_log_ctl) *ctl;
    __typeof__(qb_log_filter_ctl) *filter_ctl;
    __typeof__(qb_log_format_set) *format_set;
    __typeof__(qb_log_file_open) *file_open;
    __typeof__(qb_log_file_close) *file_close;
    __typeof__(qb_log_from_external_source) *line;
};

static struct {
    const char *name;
    const char *extra_file;
    bool verbose;
    bool opened;
    bool have_qb;
    bool syslog_stuck;
    bool fork_known;
    int files[2]; /* libqb's targets */
    size_t file_count;
    struct qb_calls qb;
} log_state = { .name = "vigil" };

void log_open(const char *name)
{
    log_state.name = name;
}

void log_set_verbose(bool verbose)
{
    log_state.verbose = verbose;
}

int log_set_file(const char *path)
{
    FILE *file = fopen(path, "ae");

    if (!file)
        return -errno;
    (void)fclose(file);
    log_state.extra_file = path;
    return 0;
}

/* Pacemaker's daemons hand their settings to agents in the environment under the new and the old name. */
static const char *log_setting(const char *name, const char *old_name)
{
    const char *value = getenv(name);

    if (text_empty(value))
        value = getenv(old_name);
    return text_empty(value) || strcasecmp(value, "none") == 0 || text_equal(value, "/dev/null") ? NULL : value;
}

static bool debug_wanted(void)
{
    const char *setting = log_setting("PCMK_debug", "HA_debug");
    bool wanted = false;

    if (log_state.verbose)
        return true;
    return setting && number_parse_boolean(setting, &wanted) == 0 && wanted;
}

static int log_facility(void)
{
    static const struct {
        const char *name;
        int facility;
    } facilities[] = {
        { "daemon", LOG_DAEMON }, { "user", LOG_USER },     { "auth", LOG_AUTH },     { "local0", LOG_LOCAL0 },
        { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
        { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 },
    };
    const char *setting = log_setting("PCMK_logfacility", "HA_LOGFACILITY");

    for (size_t i = 0; setting && i < ARRAY_SIZE(facilities); i++) {
        if (strcasecmp(setting, facilities[i].name) == 0)
            return facilities[i].facility;
    }
    return LOG_DAEMON;
}

static bool load_qb(struct qb_calls *qb)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(qb->init, "qb_log_init"),
        LIBRARY_SYMBOL(qb->ctl, "qb_log_ctl"),
        LIBRARY_SYMBOL(qb->filter_ctl, "qb_log_filter_ctl"),
        LIBRARY_SYMBOL(qb->format_set, "qb_log_format_set"),
        LIBRARY_SYMBOL(qb->file_open, "qb_log_file_open"),
        LIBRARY_SYMBOL(qb->file_close, "qb_log_file_close"),
        LIBRARY_SYMBOL(qb->line, "qb_log_from_external_source"),
    };

    return library_load("libqb.so.100", "libqb100", symbols, ARRAY_SIZE(symbols), NULL) == 0;
}

static void add_target(const struct qb_calls *qb, int target, int level, const char *format)
{
    if (target < 0)
        return;
    (void)qb->filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", (uint8_t)level);
    qb->format_set(target, format);
    (void)qb->ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
}

/* syslog(3) waits as long as the journal does not read its socket (a journal whose disk hangs), however long that is. It is given this time. */
#define SYSLOG_WAIT_MS 100

static bool syslog_is_stuck(void)
{
    const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

    /* Where nobody listens syslog(3) drops the line by itself. */
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return false;
    return poll(&pollfd, 1, SYSLOG_WAIT_MS) == 0;
}

/* Lets the lines go to standard error, which Pacemaker keeps, in the place of a syslog that is stuck. */
static void leave_syslog(void)
{
    log_state.syslog_stuck = true;
    if (log_state.have_qb)
        (void)log_state.qb.ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
}

/* Pacemaker's own line in pacemaker.log reads "Mon DD HH:MM:SS HOST PROGRAM [PID] level: text". */
#define FILE_FORMAT "%t %H %N [%P] %p: %b"

static void add_file(const char *path, int level)
{
    int target = log_state.qb.file_open(path);

    if (target < 0)
        return;
    add_target(&log_state.qb, target, level, FILE_FORMAT);
    log_state.files[log_state.file_count++] = target;
}

/* A child that puts its descriptors in order would else write its lines, and those of each library that logs through libqb, into what it has opened under the numbers
 * of the files: it opens its own at its first line. */
static void leave_targets_to_parent(void)
{
    if (!log_state.opened)
        return;
    if (log_state.have_qb) {
        (void)log_state.qb.ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_FALSE);
        for (size_t i = 0; i < log_state.file_count; i++)
            log_state.qb.file_close(log_state.files[i]);
    } else {
        closelog();
    }
    log_state.file_count = 0;
    log_state.opened = false;
}

/* Once in a process and those that were forked of it: to begin anew would lose what libqb has allocated. */
static bool open_qb(int level)
{
    const struct qb_calls *qb = &log_state.qb;

    if (log_state.have_qb) {
        if (!log_state.syslog_stuck)
            (void)qb->ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, QB_TRUE);
        return true;
    }
    if (!load_qb(&log_state.qb))
        return false;
    qb->init(log_state.name, log_facility(), (uint8_t)level);
    (void)qb->ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_ENABLED, QB_FALSE);
    qb->format_set(QB_LOG_SYSLOG, "%p: %b");
    return true;
}

static void open_targets(void)
{
    const struct qb_calls *qb = &log_state.qb;
    int level = debug_wanted() ? LOG_DEBUG : LOG_INFO;
    const char *file = log_setting("PCMK_logfile", "HA_LOGFILE");

    log_state.opened = true;
    if (!log_state.fork_known)
        log_state.fork_known = pthread_atfork(NULL, NULL, leave_targets_to_parent) == 0;
    log_state.have_qb = open_qb(level);
    if (!log_state.have_qb) {
        openlog(log_state.name, LOG_PID, log_facility());
        return;
    }
    if (file)
        add_file(file, level);
    if (log_state.extra_file)
        add_file(log_state.extra_file, LOG_DEBUG);
    if (log_state.verbose)
        add_target(qb, QB_LOG_STDERR, LOG_DEBUG, "%p: %b");
}

void log_line(int level, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    if (level >= LOG_DEBUG && !debug_wanted() && !log_state.extra_file)
        return;
    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (!text)
        return;
    (void)text_make_printable(text);
    if (!log_state.opened)
        open_targets();
    if (!log_state.syslog_stuck && syslog_is_stuck())
        leave_syslog();
    if (log_state.syslog_stuck)
        (void)fprintf(stderr, "%s\n", text);
    if (log_state.have_qb)
        log_state.qb.line(__func__, __FILE__, "%s", (uint8_t)level, __LINE__, 0, text);
    else if (!log_state.syslog_stuck)
        syslog(level, "%s", text);
}
