/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/reservation_join.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/number.h"
#include "storage/reservation_backend.h"
#include "storage/storage_call.h"

#define NOTE_FOLDER VIGIL_RUNDIR "/joined"
#define NOTE_SIZE 128

/* ---- marks -------------------------------------------------------------------------------------------------------- */

/* A sum of mixed numbers (the finalizer of splitmix64): neighbours in one set do not come to the sum of another. */
void reservation_mark_add(struct reservation_mark *mark, uint64_t sequence)
{
    uint64_t value = sequence + UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    mark->sequences += value ^ value >> 31;
    mark->running++;
}

/* A disk whose session is lost or in recovery is blocked, then transport-offline (drivers/scsi/scsi_sysfs.c, sdev_states): a command would wait. */
bool reservation_read_path(dev_t number, uint64_t *ret_sequence)
{
    char state[32], text[32];
    int64_t sequence = 0;

    if (reservation_read_attribute(number, "diskseq", text, sizeof(text)) <= 0 || number_parse(text, 0, INT64_MAX, &sequence) < 0)
        sequence = 0;
    *ret_sequence = (uint64_t)sequence;
    return reservation_read_attribute(number, "device/state", state, sizeof(state)) > 0 && text_equal(state, "running");
}

static void add_disk(struct reservation_mark *mark, dev_t number)
{
    uint64_t sequence;

    if (reservation_read_path(number, &sequence))
        reservation_mark_add(mark, sequence);
}

static int add_slave(struct reservation_mark *mark, const char *folder, const char *name)
{
    _cleanup_free_ char *path = text_printf("%s/%s/dev", folder, name);
    dev_t number;
    int r = path ? reservation_read_number(path, &number) : -ENOMEM;

    if (r == 0)
        add_disk(mark, number);
    return r == -ENOENT ? 0 : r; /* gone since the folder was read */
}

int reservation_mark_read(dev_t number, struct reservation_mark *ret)
{
    _cleanup_closedir_ DIR *directory = NULL;
    struct reservation_mark mark = { 0 };
    const struct dirent *entry;
    unsigned int slaves = 0;
    char folder[80];
    int r = reservation_find_disk(number, &number);

    if (r < 0)
        return r;
    (void)text_format(folder, sizeof(folder), "/sys/dev/block/%u:%u/slaves", major(number), minor(number));
    directory = opendir(folder);
    if (!directory && errno != ENOENT)
        return -errno;
    while (r == 0 && directory && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        slaves++;
        r = add_slave(&mark, folder, entry->d_name);
    }
    if (r < 0)
        return r;
    if (slaves == 0)
        add_disk(&mark, number);
    *ret = mark;
    return 0;
}

static void mark_device(const struct reservation_device *device, struct reservation_mark *ret)
{
    *ret = (struct reservation_mark){ 0 };
    for (unsigned int i = 0; i < device->identity.paths; i++) {
        if (device->paths[i].running)
            reservation_mark_add(ret, device->paths[i].sequence);
    }
}

/* ---- the note ----------------------------------------------------------------------------------------------------- */

static void format_note(uint64_t key, uint32_t generation, const struct reservation_mark *mark, char *buffer, size_t size)
{
    (void)text_format(buffer, size, "%s key %016" PRIx64 " generation %" PRIu32 " paths %u %016" PRIx64 "\n", "vigil-joined 1", key, generation,
                      mark->running, mark->sequences);
}

static void format_note_path(const char *wwid, uint64_t key, char *buffer, size_t size)
{
    char name[STORAGE_NAME_SIZE];

    (void)text_format(buffer, size, NOTE_FOLDER "/%s-%016" PRIx64, storage_name_path(wwid, name), key);
}

/* A disk without a name, or a kernel that does not number its disks: what comes back looks as it did before. */
static bool is_told(const char *wwid, const struct reservation_mark *mark)
{
    struct reservation_mark nameless = { 0 };

    for (unsigned int i = 0; i < mark->running; i++)
        reservation_mark_add(&nameless, 0);
    return *wwid && mark->running > 0 && nameless.sequences != mark->sequences;
}

bool reservation_mark_is_noted(const char *wwid, uint64_t key, uint32_t generation, const struct reservation_mark *mark)
{
    _cleanup_free_ char *text = NULL;
    char path[160], wanted[NOTE_SIZE];

    if (!is_told(wwid, mark))
        return false;
    format_note_path(wwid, key, path, sizeof(path));
    format_note(key, generation, mark, wanted, sizeof(wanted));
    return file_read(path, NOTE_SIZE, &text, NULL) == 0 && text_equal(text, wanted);
}

void reservation_mark_note(const char *wwid, uint64_t key, uint32_t generation, const struct reservation_mark *mark)
{
    char path[160], text[NOTE_SIZE];

    if (!is_told(wwid, mark) || file_make_directory(NOTE_FOLDER, 0755) < 0)
        return;
    format_note_path(wwid, key, path, sizeof(path));
    format_note(key, generation, mark, text, sizeof(text));
    (void)file_write(path, 0644, text, strlen(text));
}

/* ---- joining ------------------------------------------------------------------------------------------------------ */

bool reservation_is_joined(const struct reservation_device *device, uint64_t key, const struct reservation_state *state)
{
    const struct reservation_identity *identity = &device->identity;
    unsigned int count = reservation_state_count(state, key);
    struct reservation_mark mark;

    /* An NVMe registration is the host's, not the path's (Base Specification 2.0, 8.19); a session of our own is not what this host writes by. */
    if (identity->transport == RESERVATION_NVME || identity->transport == RESERVATION_ISCSI)
        return count > 0;
    mark_device(device, &mark);
    return count >= identity->paths_alive && reservation_mark_is_noted(identity->wwid, key, state->generation, &mark);
}

static int read_state(struct reservation_device *device, struct deadline deadline, struct reservation_state **ret)
{
    struct reservation_state *state = calloc(1, sizeof(*state));
    int r = state ? reservation_read(device, deadline, state) : -ENOMEM;

    if (r < 0)
        free(state);
    else
        *ret = state;
    return r;
}

/* What was added while this host was being fenced is withdrawn: then the only registrations with its key are those that were just made. */
static int confirm_join(struct reservation_device *device, uint64_t key, unsigned int added, struct deadline deadline, uint32_t *ret_generation)
{
    _cleanup_free_ struct reservation_state *state = NULL;
    int r = read_state(device, deadline, &state);

    if (r == 0 && reservation_state_count(state, key) > added) {
        *ret_generation = state->generation;
        return 0;
    }
    (void)device->operations->remove(device, key, deadline);
    return r < 0 ? r : -RESERVATION_CONFLICT;
}

static void note_paths(const struct reservation_device *device, uint64_t key, uint32_t generation, const struct reservation_paths *paths)
{
    struct reservation_mark mark;

    mark_device(device, &mark);
    if (paths->done >= mark.running)
        reservation_mark_note(device->identity.wwid, key, generation, &mark);
}

void reservation_note_joined(const struct reservation_device *device, uint64_t key, const struct reservation_state *state,
                             const struct reservation_paths *paths)
{
    if (reservation_state_count(state, key) >= paths->done)
        note_paths(device, key, state->generation, paths);
}

/* Asks every path: what is registered there is refused, and stays. */
static int join_paths(struct reservation_device *device, uint64_t key, struct deadline deadline, uint32_t generation, struct reservation_paths *ret)
{
    int r = device->operations->add(device, key, false, RESERVATION_APTPL_TRY, deadline, ret);

    if (r == 0 && ret->done > 0)
        r = confirm_join(device, key, ret->done, deadline, &generation);
    if (r < 0)
        return r;
    ret->joined = ret->done;
    ret->done = ret->total - ret->dead;
    note_paths(device, key, generation, ret);
    return 0;
}

int reservation_join(struct reservation_device *device, uint64_t key, struct deadline deadline, struct reservation_paths *ret)
{
    _cleanup_free_ struct reservation_state *state = NULL;
    int r = read_state(device, deadline, &state);

    *ret = (struct reservation_paths){ .total = device->identity.paths };
    if (r < 0)
        return r;
    if (reservation_state_count(state, key) == 0)
        return -RESERVATION_CONFLICT;
    if (!reservation_is_joined(device, key, state))
        return join_paths(device, key, deadline, state->generation, ret);
    ret->done = device->identity.paths_alive;
    ret->dead = ret->total - ret->done;
    return 0;
}
