/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigil-storage-guard: restarts this node when the array has thrown it out.
 *
 * A node that was fenced by its reservations keeps running without its disks, and believes that it is well. The guard looks at the devices on which this node
 * registered itself (VIGIL_RUNDIR/guard). Lost means: read, and this node's key is absent from any of them. A device that does not answer is not lost: an array
 * that is down must not take its nodes with it.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>

#include "agent/command.h"
#include "agent/log.h"
#include "agent/record.h"
#include "base/deadline.h"
#include "storage/reservation_guard.h"
#include "storage/reservation_join.h"

#define NAME "vigil-storage-guard"
/* A loss is looked at twice before a node is restarted for it. */
#define CONFIRM_MS 100
/* watchdog(8): a test that exits with -2 asks for a reset at once, without repair and without shutting down (include/watch_err.h, ERESET). */
#define WATCHDOG_RESET 254

struct guard_options {
    uint64_t interval_ms;
    uint64_t timeout_ms;
    int on_loss;
};
enum { ON_LOSS_EXIT, ON_LOSS_RESET };

/* ---- looking ------------------------------------------------------------------------------------------------------ */

struct guard_reply {
    struct reservation_state state;
    unsigned int joined; /* paths that came back and were registered again */
};

/* Reads who is registered, and lets paths that came back join. */
static int look_at_device(struct reservation_device *device, struct deadline deadline, void *argument, void *data)
{
    struct guard_reply *reply = data;
    const uint64_t *keys = argument;
    struct reservation_paths paths;
    unsigned int count = 0;
    int r = reservation_read(device, deadline, &reply->state);

    for (; r == 0 && *keys && count == 0; keys += count == 0)
        count = reservation_state_count(&reply->state, *keys);
    if (r < 0 || count == 0 || reservation_is_joined(device, *keys, &reply->state))
        return r;
    if (reservation_join(device, *keys, deadline, &paths) == 0)
        reply->joined = paths.joined;
    return reservation_read(device, deadline, &reply->state);
}

struct guard_round {
    struct reservation_guarded *list;
    int count;
    unsigned int damaged; /* files of the list that cannot be read: what they named is not guarded */
    uint64_t *keys; /* of the list, ending with 0: this node's own */
    const char **specs;
    struct reservation_answer *answers;
    struct guard_reply *replies;
    enum reservation_guard_verdict *verdicts;
};

static void round_free(struct guard_round *round)
{
    free(round->list);
    free(round->keys);
    free(round->specs);
    free(round->answers);
    free(round->replies);
    free(round->verdicts);
    *round = (struct guard_round){ 0 };
}

static int prepare_round(struct guard_round *round)
{
    size_t count;

    round->count = reservation_guarded_read(&round->list, &round->damaged);
    if (round->count < 0)
        return round->count;
    count = (size_t)round->count;
    round->keys = calloc(count + 1, sizeof(*round->keys));
    round->specs = calloc(count + 1, sizeof(*round->specs));
    round->answers = calloc(count + 1, sizeof(*round->answers));
    round->replies = calloc(count + 1, sizeof(*round->replies));
    round->verdicts = calloc(count + 1, sizeof(*round->verdicts));
    if (!round->keys || !round->specs || !round->answers || !round->replies || !round->verdicts)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        round->keys[i] = round->list[i].key;
        round->specs[i] = round->list[i].device;
    }
    return 0;
}

/* A kernel's name that was given anew: the disk that is meant is looked for by its worldwide name. Where it is not on this node, nothing is known of it. */
static void look_by_wwid(struct guard_round *round, int place, uint64_t timeout_ms)
{
    _cleanup_free_ char *spec = text_printf("WWN=%s", round->list[place].wwid);

    if (!spec)
        return;
    memset(&round->replies[place], 0, sizeof(round->replies[place]));
    (void)reservation_call(spec, look_at_device, round->keys, &round->replies[place], sizeof(round->replies[place]), deadline_in(timeout_ms),
                           &round->answers[place]);
    round->verdicts[place] = reservation_guard_judge(&round->list[place], &round->answers[place], &round->replies[place].state);
}

/* Looks at all guarded devices at once. Returns how many are lost, or -errno where the list cannot be read. */
static int look_round(struct guard_round *round, uint64_t timeout_ms)
{
    int r = prepare_round(round), lost = 0;

    if (r < 0)
        return r;
    (void)reservation_call_all(round->specs, (size_t)round->count, look_at_device, round->keys, round->replies, sizeof(*round->replies),
                               deadline_in(timeout_ms), round->answers);
    for (int i = 0; i < round->count; i++) {
        round->verdicts[i] = reservation_guard_judge(&round->list[i], &round->answers[i], &round->replies[i].state);
        if (round->verdicts[i] == GUARD_MOVED)
            look_by_wwid(round, i, timeout_ms);
        lost += round->verdicts[i] == GUARD_LOST;
        if (round->replies[i].joined > 0)
            log_notice("%s: %u paths that came back are registered again", round->specs[i], round->replies[i].joined);
    }
    return lost;
}

/* Looks, and where something is lost looks once more: it could have been taken from the list in between. */
static int look_surely(struct guard_round *round, uint64_t timeout_ms)
{
    int lost = look_round(round, timeout_ms);

    if (lost <= 0)
        return lost;
    round_free(round);
    (void)deadline_sleep(DEADLINE_NEVER, CONFIRM_MS);
    return look_round(round, timeout_ms);
}

static const char *verdict_text(const struct guard_round *round, int place)
{
    const struct reservation_answer *answer = &round->answers[place];

    switch (round->verdicts[place]) {
    case GUARD_KEPT:
        return "registered";
    case GUARD_LOST:
        return answer->error == -RESERVATION_OTHER_DEVICE ? "lost: another disk stands there now" : "lost: this node's key is not registered";
    case GUARD_MOVED:
        return "not on this node: its name is that of another disk now";
    default:
        return answer->why[0] ? answer->why : reservation_error_text(answer->error);
    }
}

/* The reset waits for this: a disk of records that hangs is tried once, not once for each device. */
static void record_loss(const struct guard_round *round)
{
    bool hangs = false;
    char text[512];

    for (int i = 0; i < round->count; i++) {
        if (round->verdicts[i] != GUARD_LOST)
            continue;
        (void)reservation_state_format(&round->replies[i].state, text, sizeof(text));
        log_error("%s of %s: %s (%s)", round->specs[i], round->list[i].owner, verdict_text(round, i), text);
        if (!hangs)
            hangs = agent_record(NAME, round->list[i].owner, "lost-registration", "%s: %s; %s", round->specs[i], verdict_text(round, i), text) == -ETIMEDOUT;
    }
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

static int check_once(struct command_run *run, const struct guard_options *options, bool quiet, int lost_code)
{
    struct guard_round round = { 0 };
    int lost, code;

    log_open(NAME);
    lost = look_surely(&round, options->timeout_ms);
    code = lost > 0 ? lost_code : COMMAND_SUCCESS;
    if (lost < 0)
        code = command_fail(run, quiet ? COMMAND_SUCCESS : COMMAND_FAILURE, "the list of guarded devices (" RESERVATION_GUARD_FOLDER ") cannot be read: %s",
                            strerror(-lost));
    if (round.damaged > 0)
        (void)printf("%u files of the list of guarded devices are damaged: remove them from " RESERVATION_GUARD_FOLDER " and restart this node\n", round.damaged);
    for (int i = 0; lost >= 0 && i < round.count; i++) {
        if (!quiet || round.verdicts[i] != GUARD_KEPT)
            (void)printf("%s (%s): %s\n", round.specs[i], round.list[i].owner, verdict_text(&round, i));
    }
    if (lost > 0)
        record_loss(&round);
    if (lost == 0 && round.count == 0 && !quiet)
        (void)puts("no guarded devices");
    round_free(&round);
    return code;
}

static int run_check(struct command_run *run, const void *options)
{
    return check_once(run, options, false, COMMAND_FAILURE);
}

static int run_test(struct command_run *run, const void *options)
{
    return check_once(run, options, true, WATCHDOG_RESET);
}

/* watchdog(8) calls repair with the test's exit code. What is lost cannot be repaired: the same code again makes it restart the node. */
static int run_repair(struct command_run *run, const void *options)
{
    return check_once(run, options, true, WATCHDOG_RESET);
}

/* Restarts the machine without writing anything: what is in its caches belongs to nobody any more. */
static void reset_machine(int trigger_fd)
{
    if (trigger_fd >= 0)
        (void)!write(trigger_fd, "b", 1);
    (void)reboot(RB_AUTOBOOT);
    log_error("the machine could not be restarted: %s", strerror(errno));
}

/* What could not be read is told when it begins and when it ends, not each second. */
static void tell_changes(const struct guard_round *round, bool *told)
{
    int unknown = -1;

    for (int i = 0; i < round->count && unknown < 0; i++) {
        if (round->verdicts[i] == GUARD_UNKNOWN || round->verdicts[i] == GUARD_MOVED)
            unknown = i;
    }
    if (unknown >= 0 && !*told)
        log_warning("%s does not tell who is registered: %s", round->specs[unknown], verdict_text(round, unknown));
    if (unknown < 0 && *told)
        log_notice("all guarded devices answer again");
    *told = unknown >= 0;
}

static int run_guard(struct command_run *run, const void *data)
{
    const struct guard_options *options = data;
    /* Opened and locked in memory beforehand: when it is needed, this node may have no disk left to read a program from. */
    _cleanup_close_ int trigger_fd = options->on_loss == ON_LOSS_RESET ? open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC) : -1;
    bool told = false, list_told = false;

    log_open(NAME);
    if (options->on_loss == ON_LOSS_RESET && trigger_fd < 0)
        log_warning("/proc/sysrq-trigger cannot be opened (%s): reboot(2) will be used", strerror(errno));
    /* The first line brings in the library that it needs: not only when there may be no disk to read that from. */
    log_info("looks at the guarded devices every %llu ms", (unsigned long long)options->interval_ms);
    (void)mlockall(MCL_CURRENT | MCL_FUTURE);
    for (;;) {
        struct guard_round round = { 0 };
        int lost = look_surely(&round, options->timeout_ms);

        if (lost > 0) {
            record_loss(&round);
            if (options->on_loss == ON_LOSS_RESET)
                reset_machine(trigger_fd);
            round_free(&round);
            return command_fail(run, COMMAND_FAILURE, "this node's registration is lost: it was fenced");
        }
        if ((lost < 0 || round.damaged > 0) && !list_told)
            log_error("the list of guarded devices (" RESERVATION_GUARD_FOLDER ") cannot be read%s: %s", lost < 0 ? "" : " in part", strerror(lost < 0 ? -lost : EBADMSG));
        list_told = lost < 0 || round.damaged > 0;
        if (lost == 0)
            tell_changes(&round, &told);
        round_free(&round);
        (void)deadline_sleep(DEADLINE_NEVER, options->interval_ms);
    }
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

#define TIMEOUT_ROW                                                                                                            \
    { "timeout", PARAM_DURATION(struct guard_options, timeout_ms), .default_value = "5", .minimum = 100, .maximum = 600000, \
      .shortdesc = "how long the devices may take to answer" }

static const struct param look_options[] = { TIMEOUT_ROW, {} };

static const struct param run_options[] = {
    TIMEOUT_ROW,
    { "interval", PARAM_DURATION(struct guard_options, interval_ms), .default_value = "1", .minimum = 50, .maximum = 3600000,
      .shortdesc = "time between two looks" },
    { "on-loss", PARAM_CHOICE(struct guard_options, on_loss), .choices = NAMES("exit", "reset"), .default_value = "exit",
      .shortdesc = "what to do when a registration is lost",
      .longdesc = "reset restarts the machine at once, without writing what its caches hold. exit ends with code 1, for a service manager that acts on it." },
    {}
};

static const struct command check_command = {
    .name = "check",
    .shortdesc = "look once at every guarded device and say how it is",
    .longdesc = "Exit code 1: this node's registration is lost on at least one of them. A device that does not answer is shown, and is no loss.",
    .options = look_options,
    .options_size = sizeof(struct guard_options),
    .function = run_check,
};

static const struct command test_command = {
    .name = "test",
    .shortdesc = "for watchdog(8): ask for a reset when a registration is lost",
    .longdesc = "The test of a program in watchdog(8)'s test-directory: exit code 254 makes watchdog reset the machine at once. Link this program there: "
                "ln -s /usr/sbin/vigil-storage-guard /etc/watchdog.d/",
    .options = look_options,
    .options_size = sizeof(struct guard_options),
    .function = run_test,
};

static const struct command repair_command = {
    .name = "repair",
    .shortdesc = "for watchdog(8): a lost registration cannot be repaired",
    .operands = "CODE [NAME]",
    .operand_maximum = 2,
    .options = look_options,
    .options_size = sizeof(struct guard_options),
    .function = run_repair,
};

static const struct command run_command = {
    .name = "run",
    .shortdesc = "look again and again, and act on a loss",
    .longdesc = "For a service manager. Paths that came back are registered again as long as this node still is registered on another.",
    .options = run_options,
    .options_size = sizeof(struct guard_options),
    .function = run_guard,
};

static const struct command *const commands[] = { &check_command, &test_command, &repair_command, &run_command, NULL };

static const struct command_suite suite = {
    .name = NAME,
    .shortdesc = "restart this node when the array has thrown it out",
    .longdesc = "The guard looks at the shared disks on which this node has registered itself: fence_vigil_reservation's on and san-volume's start put them on its list, "
                "which a restart clears. When this node's key is read to be absent from any of them, it was fenced: it must not go on without its disks.",
    .commands = commands,
};

int main(int argc, char *argv[])
{
    return command_main(&suite, argc, argv);
}
