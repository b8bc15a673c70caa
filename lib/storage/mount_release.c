/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/mount_release.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "storage/mount_call.h"
#include "storage/mount_users.h"
#include "storage/storage_call.h"

/* A process that got SIGKILL leaves within this time, unless it waits for storage. */
#define LOOK_AGAIN_MS 20
/* fast_stop: users get no more time than this in all. */
#define FAST_STOP_MS 6000
/* What stays of the time, in percent, to say why it failed. */
#define RELEASE_SHARE 90
/* So many rounds of SIGKILL with users still there mean that new ones come. */
#define KILL_ROUNDS 5

/* ---- what is to go, and in which order ----------------------------------------------------------------------------------------- */

struct release {
    struct volume *volume;
    mount_chooser chooser;
    struct mount_table table;
    const struct mount_entry **targets; /* deepest first */
    size_t count;
};

static void release_clear(struct release *release)
{
    mount_table_free(&release->table);
    free(release->targets);
    release->targets = NULL;
    release->count = 0;
}
#define _cleanup_release_ _cleanup_(release_clear)

static const struct mount_entry *parent_of(const struct mount_table *table, const struct mount_entry *entry)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].id == entry->parent_id && &table->entries[i] != entry)
            return &table->entries[i];
    }
    return NULL;
}

/* Chosen itself, or mounted somewhere beneath one that is. */
static bool is_target(const struct release *release, const struct mount_entry *entry)
{
    const struct mount_table *table = &release->table;

    for (size_t depth = 0; entry && depth <= table->count; depth++) {
        const struct mount_entry *parent = parent_of(table, entry);

        if (release->chooser(release->volume, table, entry))
            return true;
        /* Another device on the same mount point is another's. */
        if (parent && text_equal(parent->mount_point, entry->mount_point) && parent->device != entry->device)
            return false;
        entry = parent;
    }
    return false;
}

static size_t depth_of(const struct mount_table *table, const struct mount_entry *entry)
{
    size_t depth = 0;

    while (depth <= table->count && (entry = parent_of(table, entry)))
        depth++;
    return depth;
}

/* Keeps the targets in the order in which they can go: the deepest first, of two alike the one that was mounted later. */
static void insert_target(struct release *release, const struct mount_entry *entry)
{
    size_t depth = depth_of(&release->table, entry), i = release->count;

    while (i > 0 && depth_of(&release->table, release->targets[i - 1]) <= depth) {
        release->targets[i] = release->targets[i - 1];
        i--;
    }
    release->targets[i] = entry;
    release->count++;
}

static int find_targets(struct release *release)
{
    int r;

    release_clear(release);
    r = mount_table_read(0, release->volume->deadline, &release->table);
    if (r < 0)
        return volume_fail(release->volume, r, "cannot read the mount table: %s", storage_error_text(r));
    release->targets = calloc(release->table.count + 1, sizeof(*release->targets));
    if (!release->targets)
        return volume_fail(release->volume, -ENOMEM, "out of memory");
    for (size_t i = 0; i < release->table.count; i++) {
        if (is_target(release, &release->table.entries[i]))
            insert_target(release, &release->table.entries[i]);
    }
    return 0;
}

/* ---- unmounting ------------------------------------------------------------------------------------------------------------------ */

static int unmount_one(struct release *release, const struct mount_entry *entry, enum unmount_kind kind)
{
    struct volume *volume = release->volume;
    const struct unmount_request request = {
        .path = entry->mount_point, .mount_id = entry->id, .kind = kind, .sync = kind == UNMOUNT_PLAIN,
    };
    struct unmount_reply reply;
    char name[STORAGE_NAME_SIZE];
    int r = unmount_path(&request, storage_name_device(entry->device, name), volume->deadline, &reply);

    if (r < 0)
        return volume_fail(volume, r == -EBUSY ? -ETXTBSY : r, "cannot unmount %s: %s", entry->mount_point, storage_error_text(r));
    if (reply.sync_error < 0)
        volume_note(volume, "writing back %s before the unmount failed: %s", entry->mount_point, storage_error_text(reply.sync_error));
    /* EINVAL, ENOENT: not mounted there any more (another unmount, propagation): the next look at the table decides. */
    if (reply.error == -EINVAL || reply.error == -ENOENT)
        return 0;
    return reply.error;
}

/* Tries all targets once. Returns 0 when all went, -EBUSY when one is in use, -ESTALE when another mount stands in the place of one, or another
 * -errno with the reason given. */
static int unmount_all(struct release *release, enum unmount_kind kind)
{
    int answer = 0;

    for (size_t i = 0; i < release->count; i++) {
        int r = unmount_one(release, release->targets[i], kind);

        if (r == -EBUSY || (r == -ESTALE && answer == 0))
            answer = r;
        else if (r == -ESTALE)
            continue;
        else if (r < 0)
            return volume_fail(release->volume, r, "cannot unmount %s: %s", release->targets[i]->mount_point, storage_error_text(r));
    }
    return answer;
}

/* One round: look, unmount, look. Returns 0 when none is left, -EBUSY, or -errno. */
static int try_round(struct release *release)
{
    int r = find_targets(release), tried;
    size_t before = release->count;

    if (r < 0 || release->count == 0)
        return r;
    tried = unmount_all(release, UNMOUNT_PLAIN);
    if (tried < 0 && tried != -EBUSY && tried != -ESTALE)
        return tried;
    r = find_targets(release);
    if (r < 0)
        return r;
    if (tried == -ESTALE && release->count == before)
        return volume_fail(release->volume, -EEXIST, "another device is mounted over %s, which is never unmounted from here: unmount it first",
                           release->targets[0]->mount_point);
    return release->count == 0 ? 0 : -EBUSY;
}

/* ---- users ----------------------------------------------------------------------------------------------------------------------- */

int signal_by_name(const char *name, size_t length)
{
    char text[16];
    int64_t number;

    if (length >= sizeof(text))
        return -EINVAL;
    memcpy(text, name, length);
    text[length] = '\0';
    if (number_parse(text, 1, SIGRTMAX, &number) == 0)
        return (int)number;
    name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < NSIG; i++) {
        const char *abbreviation = sigabbrev_np(i);

        if (abbreviation && strcasecmp(abbreviation, name) == 0)
            return i;
    }
    return -EINVAL;
}

/* Which signal the n-th round sends: the named ones in turn. */
static int signal_of_round(const char *names, size_t number, int fallback)
{
    size_t count = names ? text_count_words(names, " ,") : 0, length;
    const char *word;
    int chosen;

    if (count == 0)
        return fallback;
    for (number %= count; text_next_word(&names, " ,", &word, &length) && number > 0; number--)
        ;
    chosen = signal_by_name(word, length);
    return chosen < 0 ? fallback : chosen;
}

static int signal_users(struct release *release, int signal_number, struct mount_users *users)
{
    const struct mount_set set = { .entries = release->targets, .count = release->count };
    int r = mount_users_find(&set, release->volume->deadline, users);
    _cleanup_text_buffer_ struct text_buffer who = { 0 };

    if (r < 0)
        return volume_fail(release->volume, r, "cannot look for users of %s: %s", release->volume->directory, storage_error_text(r));
    if (users->count == 0)
        return 0;
    mount_users_describe(users, &who);
    volume_note(release->volume, "SIG%s to the users of %s: %s", sigabbrev_np(signal_number) ? sigabbrev_np(signal_number) : "?",
                release->volume->directory, who.text ? who.text : "");
    (void)mount_users_signal(&set, users, signal_number);
    return 0;
}

/* Waits a moment for the users to leave, trying to unmount meanwhile. Returns 0 when all mounts are gone, -EBUSY, or -errno. */
static int await_release(struct release *release, struct deadline deadline)
{
    int r;

    do {
        (void)deadline_sleep(deadline, LOOK_AGAIN_MS);
        r = try_round(release);
    } while (r == -EBUSY && !deadline_passed(deadline));
    return r;
}

/* Signals until the deadline, or until so many rounds (0: no bound). Returns 0, -EBUSY, or -errno. */
static int end_users(struct release *release, const char *signals, int fallback, struct deadline deadline, unsigned int rounds,
                     struct mount_users *users)
{
    uint64_t delay = release->volume->config->signal_delay_ms ? release->volume->config->signal_delay_ms : 1000;

    for (unsigned int round = 0; !deadline_passed(deadline) && (rounds == 0 || round < rounds); round++) {
        int r = signal_users(release, signal_of_round(signals, round, fallback), users);

        if (r == 0)
            r = await_release(release, deadline_within(deadline, delay));
        if (r != -EBUSY)
            return r;
    }
    return -EBUSY;
}

/* ---- the order of means ------------------------------------------------------------------------------------------------------------ */

static int fail_in_use(struct release *release)
{
    _cleanup_text_buffer_ struct text_buffer who = { 0 };
    _cleanup_free_ struct mount_users *users = calloc(1, sizeof(*users));
    const struct mount_set set = { .entries = release->targets, .count = release->count };

    if (users && mount_users_find(&set, deadline_in(1000), users) == 0)
        mount_users_describe(users, &who);
    return volume_fail(release->volume, -EBUSY, "%s cannot be unmounted: in use by %s",
                       release->count > 0 ? release->targets[0]->mount_point : release->volume->directory,
                       who.length > 0 ? who.text : "something that no process shows (a loop device, swap, an export)");
}

/* New users keep coming: takes the mounts out of the tree, ends those that are in, and leaves it to the device to say when the file
 * system is gone. The note is written first, so that a later look does not take an empty mount table for a stopped volume. */
static int detach_and_end(struct release *release, struct mount_users *users)
{
    struct volume *volume = release->volume;
    const struct mount_set set = { .entries = release->targets, .count = release->count, .detached = true };
    int r;

    volume->state.detached = true;
    r = volume_state_write(volume->state_path, &volume->state);
    if (r < 0)
        return fail_in_use(release);
    volume_note(volume, "new users keep coming to %s: taking it out of the folder tree", volume->directory);
    r = unmount_all(release, UNMOUNT_DETACH);
    if (r < 0)
        return fail_in_use(release);
    for (unsigned int round = 0; round < KILL_ROUNDS; round++) {
        if (mount_users_find(&set, volume->deadline, users) < 0 || users->count == 0)
            break;
        (void)mount_users_signal(&set, users, SIGKILL);
        if (deadline_sleep(volume->deadline, LOOK_AGAIN_MS) < 0)
            break;
    }
    return 0;
}

/* Users that can be ended and were, and yet there are some: taking the mount out of the tree helps against those only. A user that may not be ended,
 * or one that is no process, would go on writing to a volume that no table shows. */
static bool users_keep_coming(const struct mount_users *users)
{
    bool touchable = false;

    for (size_t i = 0; i < users->count; i++) {
        if (users->users[i].untouchable)
            return false;
        touchable = true;
    }
    return touchable;
}

int mounts_release(struct volume *volume, mount_chooser chooser)
{
    _cleanup_release_ struct release release = { .volume = volume, .chooser = chooser };
    _cleanup_free_ struct mount_users *users = NULL;
    struct deadline end = deadline_share(volume->deadline, RELEASE_SHARE);
    int r = try_round(&release);

    if (r != -EBUSY)
        return r;
    if (volume->config->fast_stop)
        end = deadline_within(end, FAST_STOP_MS);
    if (volume->config->force_unmount == FORCE_NO) {
        r = await_release(&release, end);
        return r == -EBUSY ? fail_in_use(&release) : r;
    }
    users = calloc(1, sizeof(*users));
    if (!users)
        return volume_fail(volume, -ENOMEM, "out of memory");
    r = end_users(&release, volume->config->term_signals, SIGTERM, deadline_share(end, 50), 0, users);
    if (r == -EBUSY)
        r = end_users(&release, volume->config->kill_signals, SIGKILL, deadline_share(end, 60), KILL_ROUNDS, users);
    if (r == -EBUSY && !volume->bind && users_keep_coming(users))
        r = detach_and_end(&release, users);
    return r == -EBUSY ? fail_in_use(&release) : r;
}
