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
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>

#include "agent/command.h"
#include "agent/log.h"
#include "agent/record.h"
#include "base/deadline.h"
#include "storage/device_name.h"
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
    bool behind;         /* a path is not known to be registered: it may have come back */
    unsigned int joined; /* paths that came back and were registered again */
};

/* The first of this node's keys (the list ends with 0) that is registered; 0 for none. */
static uint64_t find_registered(const uint64_t *keys, const struct reservation_state *state)
{
    while (*keys && reservation_state_count(state, *keys) == 0)
        keys++;
    return *keys;
}

/* Reads who is registered, and registers nothing: it may be ended at any time. */
static int look_at_device(struct reservation_device *device, struct deadline deadline, void *argument, void *data)
{
    struct guard_reply *reply = data;
    int r = reservation_read(device, deadline, &reply->state);
    uint64_t key = r == 0 ? find_registered(argument, &reply->state) : 0;

    reply->behind = key != 0 && !reservation_is_joined(device, key, &reply->state);
    return r;
}

/* Lets paths that came back join. */
static int join_device(struct reservation_device *device, struct deadline deadline, void *argument, void *data)
{
    struct guard_reply *reply = data;
    struct reservation_paths paths;
    int r = reservation_read(device, deadline, &reply->state);
    uint64_t key = r == 0 ? find_registered(argument, &reply->state) : 0;

    if (key == 0)
        return r;
    if (reservation_join(device, key, deadline, &paths) == 0)
        reply->joined = paths.joined;
    return reservation_read(device, deadline, &reply->state);
}

/* A guarded device, with a worker and a deadline of its own: one that hangs holds up the verdict of no other. */
struct guard_slot {
    struct reservation_guarded guarded;
    struct reservation_pending *call; /* under way; NULL: none */
    bool by_wwid, joins;              /* what it does */
    bool awaited;                     /* or left alone, while losses are confirmed */
    struct reservation_answer answer; /* of the last call that came back, and what it comes to; GUARD_KEPT before the first */
    struct guard_reply reply;
    enum reservation_guard_verdict verdict;
};

struct guard_round {
    struct guard_slot *slots;
    int count;
    unsigned int damaged; /* files of the list that cannot be read: what they named is not guarded */
    uint64_t *keys;       /* of the list, ending with 0: this node's own */
    uint64_t timeout_ms;
};

/* Ends what is under way. Not in the middle of registering a path: that takes back what it added where this node was fenced meanwhile. */
static void slot_drop(struct guard_slot *slot)
{
    if (slot->call)
        (void)reservation_call_end(slot->call, slot->joins ? reservation_pending_deadline(slot->call) : deadline_in(0), &slot->reply, &slot->answer);
    slot->call = NULL;
}

static void drop_slots(struct guard_slot *slots, int count)
{
    for (int i = 0; i < count; i++)
        slot_drop(&slots[i]);
    free(slots);
}

static void round_free(struct guard_round *round)
{
    drop_slots(round->slots, round->count);
    free(round->keys);
    *round = (struct guard_round){ .timeout_ms = round->timeout_ms };
}

/* A kernel's name that was given anew: the disk that is meant is looked for by its worldwide name. Where it is not on this node, nothing is known of it. */
static void slot_begin(const struct guard_round *round, struct guard_slot *slot, bool by_wwid, bool joins)
{
    _cleanup_free_ char *spec = by_wwid ? text_printf("WWN=%s", slot->guarded.wwid) : strdup(slot->guarded.device);
    int r;

    memset(&slot->reply, 0, sizeof(slot->reply));
    slot->by_wwid = by_wwid;
    slot->joins = joins;
    slot->awaited = true;
    r = spec ? reservation_call_begin(spec, joins ? join_device : look_at_device, round->keys, &slot->reply, sizeof(slot->reply),
                                      deadline_in(round->timeout_ms), &slot->call) : -ENOMEM;
    if (r == 0)
        return;
    slot->answer = (struct reservation_answer){ .error = r };
    slot->verdict = GUARD_UNKNOWN;
}

/* Takes the answer, which is there or comes too late. */
static void slot_finish(const struct guard_round *round, struct guard_slot *slot)
{
    enum reservation_guard_verdict verdict;

    (void)reservation_call_end(slot->call, reservation_pending_deadline(slot->call), &slot->reply, &slot->answer);
    slot->call = NULL;
    verdict = reservation_guard_judge(&slot->guarded, &slot->answer, &slot->reply.state);
    if (slot->reply.joined > 0)
        log_notice("%s: %u paths that came back are registered again", slot->guarded.device, slot->reply.joined);
    if (verdict == GUARD_MOVED && !slot->by_wwid) {
        slot_begin(round, slot, true, false);
        return;
    }
    slot->verdict = verdict;
    if (verdict == GUARD_KEPT && slot->reply.behind)
        slot_begin(round, slot, slot->by_wwid, true);
}

static int count_lost(const struct guard_round *round)
{
    int lost = 0;

    for (int i = 0; i < round->count; i++)
        lost += round->slots[i].verdict == GUARD_LOST;
    return lost;
}

/* What is awaited: the places and descriptors, and when the first of them is late. Returns how many there are. */
static int collect_calls(const struct guard_round *round, struct pollfd *fds, int *places, struct deadline *next)
{
    int count = 0;

    for (int i = 0; i < round->count; i++) {
        const struct guard_slot *slot = &round->slots[i];
        struct deadline deadline;

        if (!slot->call || !slot->awaited)
            continue;
        fds[count] = (struct pollfd){ .fd = reservation_pending_fd(slot->call), .events = POLLIN };
        deadline = fds[count].fd < 0 ? deadline_in(0) : reservation_pending_deadline(slot->call);
        if (deadline.at_ms < next->at_ms)
            *next = deadline;
        places[count++] = i;
    }
    return count;
}

/* Takes answers as they come: until those that are awaited are there, until the deadline, or until a loss is seen, which needs no other answer. */
static void follow_calls(struct guard_round *round, struct deadline until, bool wants_all)
{
    struct pollfd fds[RESERVATION_GUARDED_MAXIMUM];
    int places[RESERVATION_GUARDED_MAXIMUM], count;

    do {
        struct deadline next = until;

        count = collect_calls(round, fds, places, &next);
        if (count > 0)
            (void)poll(fds, (nfds_t)count, deadline_poll_ms(next));
        for (int i = 0; i < count; i++) {
            struct guard_slot *slot = &round->slots[places[i]];

            if (fds[i].fd < 0 || fds[i].revents || deadline_passed(reservation_pending_deadline(slot->call)))
                slot_finish(round, slot);
        }
    } while (count > 0 && !deadline_passed(until) && (wants_all || count_lost(round) == 0));
}

static bool is_same(const struct reservation_guarded *a, const struct reservation_guarded *b)
{
    return a->key == b->key && text_equal(a->owner, b->owner) && text_equal(a->device, b->device) && text_equal(a->wwid, b->wwid);
}

/* What is known of a device, and its call, stay with it. */
static void keep_slot(struct guard_round *round, const struct reservation_guarded *guarded, struct guard_slot *ret)
{
    for (int i = 0; i < round->count; i++) {
        if (is_same(&round->slots[i].guarded, guarded)) {
            *ret = round->slots[i];
            round->slots[i].call = NULL;
            return;
        }
    }
    ret->guarded = *guarded;
    ret->verdict = GUARD_KEPT;
}

/* Reads the list anew. Returns 0 or -errno. */
static int read_list(struct guard_round *round)
{
    _cleanup_free_ struct reservation_guarded *list = NULL;
    int count = reservation_guarded_read(&list, &round->damaged);
    struct guard_slot *slots;
    uint64_t *keys;

    if (count < 0)
        return count;
    slots = calloc((size_t)count + 1, sizeof(*slots));
    keys = calloc((size_t)count + 1, sizeof(*keys));
    if (!slots || !keys) {
        free(slots);
        free(keys);
        return -ENOMEM;
    }
    for (int i = 0; i < count; i++) {
        keys[i] = list[i].key;
        keep_slot(round, &list[i], &slots[i]);
    }
    drop_slots(round->slots, round->count);
    free(round->keys);
    round->slots = slots;
    round->keys = keys;
    round->count = count;
    return 0;
}

/* What is lost is looked at once more: it could have been taken from the list in between. Returns how many are, or -errno where the list cannot be read. */
static int confirm_losses(struct guard_round *round, bool wants_all)
{
    int r;

    (void)deadline_sleep(DEADLINE_NEVER, CONFIRM_MS);
    r = read_list(round);
    for (int i = 0; r == 0 && i < round->count; i++) {
        struct guard_slot *slot = &round->slots[i];

        slot->awaited = false;
        if (slot->verdict != GUARD_LOST)
            continue;
        slot_drop(slot);
        slot->verdict = GUARD_UNKNOWN;
        slot_begin(round, slot, slot->by_wwid, false);
    }
    if (r == 0)
        follow_calls(round, DEADLINE_NEVER, wants_all);
    return r < 0 ? r : count_lost(round);
}

/* Looks at all guarded devices at once, those apart that an earlier look still hangs on. Returns how many are lost, or -errno where the list cannot be read. */
static int look_surely(struct guard_round *round, struct deadline until, bool wants_all)
{
    int r = read_list(round);

    for (int i = 0; r == 0 && i < round->count; i++) {
        round->slots[i].awaited = true;
        if (!round->slots[i].call)
            slot_begin(round, &round->slots[i], false, false);
    }
    if (r == 0)
        follow_calls(round, until, wants_all);
    if (r == 0 && count_lost(round) > 0)
        r = confirm_losses(round, wants_all);
    return r;
}

static const char *verdict_text(const struct guard_round *round, int place)
{
    const struct reservation_answer *answer = &round->slots[place].answer;

    switch (round->slots[place].verdict) {
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
        if (round->slots[i].verdict != GUARD_LOST)
            continue;
        (void)reservation_state_format(&round->slots[i].reply.state, text, sizeof(text));
        log_error("%s of %s: %s (%s)", round->slots[i].guarded.device, round->slots[i].guarded.owner, verdict_text(round, i), text);
        if (!hangs)
            hangs = agent_record(NAME, round->slots[i].guarded.owner, "lost-registration", "%s: %s; %s", round->slots[i].guarded.device, verdict_text(round, i), text) == -ETIMEDOUT;
    }
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

static int check_once(struct command_run *run, const struct guard_options *options, bool quiet, int lost_code)
{
    struct guard_round round = { .timeout_ms = options->timeout_ms };
    int lost, code;

    log_open(NAME);
    lost = look_surely(&round, DEADLINE_NEVER, !quiet);
    code = lost > 0 ? lost_code : COMMAND_SUCCESS;
    if (lost < 0)
        code = command_fail(run, quiet ? COMMAND_SUCCESS : COMMAND_FAILURE, "the list of guarded devices (" RESERVATION_GUARD_FOLDER ") cannot be read: %s",
                            strerror(-lost));
    if (round.damaged > 0)
        (void)printf("%u files of the list of guarded devices are damaged: remove them from " RESERVATION_GUARD_FOLDER " and restart this node\n", round.damaged);
    for (int i = 0; lost >= 0 && i < round.count; i++) {
        if (!quiet || round.slots[i].verdict != GUARD_KEPT)
            (void)printf("%s (%s): %s\n", round.slots[i].guarded.device, round.slots[i].guarded.owner, verdict_text(&round, i));
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
        if (round->slots[i].verdict == GUARD_UNKNOWN || round->slots[i].verdict == GUARD_MOVED)
            unknown = i;
    }
    if (unknown >= 0 && !*told)
        log_warning("%s does not tell who is registered: %s", round->slots[unknown].guarded.device, verdict_text(round, unknown));
    if (unknown < 0 && *told)
        log_notice("all guarded devices answer again");
    *told = unknown >= 0;
}

static int run_guard(struct command_run *run, const void *data)
{
    const struct guard_options *options = data;
    /* Opened and locked in memory beforehand: when it is needed, this node may have no disk left to read a program from. */
    _cleanup_close_ int trigger_fd = options->on_loss == ON_LOSS_RESET ? open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC) : -1;
    struct guard_round round = { .timeout_ms = options->timeout_ms };
    bool told = false, list_told = false;

    log_open(NAME);
    if (options->on_loss == ON_LOSS_RESET && trigger_fd < 0)
        log_warning("/proc/sysrq-trigger cannot be opened (%s): reboot(2) will be used", strerror(errno));
    /* The first line brings in the library that it needs: not only when there may be no disk to read that from. */
    log_info("looks at the guarded devices every %llu ms", (unsigned long long)options->interval_ms);
    (void)mlockall(MCL_CURRENT | MCL_FUTURE);
    for (;;) {
        struct deadline next = deadline_in(options->interval_ms);
        int lost = look_surely(&round, next, false);

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
        (void)deadline_sleep(DEADLINE_NEVER, deadline_left_ms(next));
    }
}

/* ---- a path that has just come ------------------------------------------------------------------------------------ */

struct guarded_list {
    struct reservation_guarded *list;
    int count;
};

/* The keys by which this node guards the disk, each over the path: while another path of it is registered. */
static int join_disk(struct reservation_device *device, struct deadline deadline, void *argument, void *reply _unused_)
{
    const struct reservation_identity *identity = reservation_identity(device);
    const struct guarded_list *known = argument;
    int result = 0;

    for (int i = 0; i < known->count; i++) {
        const struct reservation_guarded *guarded = &known->list[i];
        struct reservation_paths paths;
        int r;

        if (!guarded->wwid[0] || !device_wwn_equal(guarded->wwid, identity->wwid))
            continue;
        r = reservation_join(device, guarded->key, deadline, &paths);
        result = result < 0 ? result : r;
    }
    return result;
}

/* For udev: before multipathd hears of a path, which it uses at once. What a node that was fenced is not given back fails here, and the guard tells of it. */
static int run_join(struct command_run *run, const void *data)
{
    const struct guard_options *options = data;
    _cleanup_free_ struct reservation_guarded *list = NULL;
    struct guarded_list known;
    struct reservation_answer answer;
    const char *device = run->operand_count > 0 ? run->operands[0] : "";
    unsigned int damaged; /* the guard tells of it */
    int r = reservation_guarded_read(&list, &damaged);

    log_open(NAME);
    known = (struct guarded_list){ list, r };
    if (r > 0)
        r = reservation_call(device, join_disk, &known, NULL, 0, deadline_in(options->timeout_ms), &answer);
    if (r == 0 || r == -RESERVATION_NOT_SUPPORTED)
        return COMMAND_SUCCESS;
    return command_fail(run, COMMAND_FAILURE, "%s is not registered: %s", device, reservation_error_text(r));
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

static const struct command join_command = {
    .name = "join",
    .shortdesc = "for udev: register a path of a guarded disk that has just come",
    .longdesc = "A path that came back is another one to the array: it is registered before multipathd uses it, as long as this node still is registered on another. A disk that "
                "is not guarded is left alone.",
    .operands = "DEVICE",
    .operand_maximum = 1,
    .options = look_options,
    .options_size = sizeof(struct guard_options),
    .function = run_join,
};

static const struct command run_command = {
    .name = "run",
    .shortdesc = "look again and again, and act on a loss",
    .longdesc = "For a service manager. Paths that came back are registered again as long as this node still is registered on another.",
    .options = run_options,
    .options_size = sizeof(struct guard_options),
    .function = run_guard,
};

static const struct command *const commands[] = { &check_command, &test_command, &repair_command, &join_command, &run_command, NULL };

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
