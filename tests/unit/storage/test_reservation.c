/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/sysmacros.h>

#include "base/deadline.h"
#include "fake_array.h"
#include "base/file.h"
#include "storage/reservation_backend.h"
#include "storage/reservation_fence.h"
#include "storage/reservation_guard.h"
#include "storage/reservation_join.h"
#include "storage/scsi_reservation.h"

#define OWN UINT64_C(0x5612345600000001)
#define VICTIM UINT64_C(0x5612345600000002)
#define WERO RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS
#define SOON deadline_in(60000)

/* A map with paths /dev/fakeN, from first on. */
static struct reservation_device *open_map(unsigned int first, unsigned int paths)
{
    struct reservation_device *device = calloc(1, sizeof(*device));

    assert_non_null(device);
    device->fd = -1;
    device->operations = &reservation_over_multipath;
    device->open_path = fake_array_open;
    device->identity.transport = RESERVATION_MULTIPATH;
    device->identity.paths = device->identity.paths_alive = paths;
    for (unsigned int i = 0; i < paths; i++) {
        (void)snprintf(device->paths[i].path, sizeof(device->paths[i].path), "/dev/fake%u", first + i);
        device->paths[i].number = makedev(240, first + i);
        device->paths[i].alive = device->paths[i].running = true;
        device->paths[i].sequence = 100 + first + i;
    }
    (void)snprintf(device->identity.wwid, sizeof(device->identity.wwid), "naa.60014050000000000000000000000001");
    return device;
}

/* A disk with one path. */
static struct reservation_device *open_disk(unsigned int nexus)
{
    struct reservation_device *device = open_map(nexus, 1);

    device->operations = &reservation_over_scsi;
    assert_int_equal(fake_array_open(device->paths[0].path, &device->transport), 0);
    return device;
}

static void register_all(struct reservation_device *device, uint64_t key)
{
    struct reservation_paths paths;

    assert_int_equal(reservation_register(device, key, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    assert_int_equal(paths.done + paths.dead, paths.total);
}

static unsigned int count_key(struct reservation_device *device, uint64_t key)
{
    struct reservation_state state;

    assert_int_equal(reservation_read(device, SOON, &state), 0);
    return reservation_state_count(&state, key);
}

/* ---- one path ----------------------------------------------------------------------------------------------------- */

static void test_life_cycle(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0), *victim = open_disk(1);
    struct reservation_state state;
    char text[256];

    (void)unused;
    assert_int_equal(reservation_reserve(own, OWN, WERO, SOON), -RESERVATION_CONFLICT); /* not registered */
    register_all(own, OWN);
    register_all(victim, VICTIM);
    assert_int_equal(reservation_reserve(victim, VICTIM, WERO, SOON), 0);
    assert_int_equal(reservation_reserve(own, OWN, WERO, SOON), -RESERVATION_CONFLICT); /* another's */
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_int_equal(state.key_count, 2);
    assert_true(state.holder == VICTIM && state.type == WERO);
    assert_int_equal(reservation_preempt(own, OWN, VICTIM, WERO, true, SOON), 0);
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_int_equal(reservation_state_count(&state, VICTIM), 0);
    assert_true(state.holder == OWN);
    assert_string_equal(reservation_state_format(&state, text, sizeof(text)),
                        "generation 3, holder 0x5612345600000001 (write-exclusive-registrants-only), keys 0x5612345600000001");
    assert_int_equal(reservation_preempt(own, OWN, VICTIM, WERO, true, SOON), 0); /* gone already */
    assert_int_equal(reservation_release(own, OWN, WERO, SOON), 0);
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_int_equal(array->keys[0], 0);
}

/* The type is the caller's: who fences keeps it, and another type is another reservation. */
static void test_exclusive_access(void **unused)
{
    const enum reservation_type type = RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS;
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2), *victim = open_map(4, 2);
    struct reservation_state state;

    (void)unused;
    register_all(own, OWN);
    register_all(victim, VICTIM);
    assert_int_equal(reservation_reserve(victim, VICTIM, type, SOON), 0);
    assert_int_equal(reservation_preempt(own, OWN, VICTIM, type, true, SOON), 0);
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_true(state.holder == OWN && state.type == type);
    assert_int_equal(array->type, 6); /* SPC-4, table "persistent reservation type codes" */
    assert_int_equal(reservation_state_count(&state, VICTIM), 0);
    assert_int_equal(reservation_state_count(&state, OWN), 2);
    assert_int_equal(reservation_reserve(own, OWN, WERO, SOON), -RESERVATION_CONFLICT);
    assert_int_equal(reservation_release(own, OWN, type, SOON), 0);
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_int_equal(state.type, RESERVATION_NONE);
}

static void test_not_registered_cannot_preempt(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0), *victim = open_disk(1);

    (void)unused;
    register_all(victim, VICTIM);
    assert_int_equal(reservation_preempt(own, OWN, VICTIM, WERO, true, SOON), -RESERVATION_CONFLICT);
    assert_true(array->keys[1] == VICTIM);
    assert_int_equal(reservation_preempt(own, OWN, OWN, WERO, true, SOON), -EINVAL);
    assert_int_equal(reservation_preempt(own, OWN, 0, WERO, true, SOON), -EINVAL);
}

static void test_unit_attentions(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0);
    struct reservation_state state;

    (void)unused;
    array->attentions[0] = 3;
    register_all(own, OWN);
    array->attentions[0] = 3;
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    array->attentions[0] = 1000;
    assert_int_equal(reservation_read(own, SOON, &state), -RESERVATION_UNIT_ATTENTION);
}

static void test_aptpl(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0);
    struct reservation_paths paths;

    (void)unused;
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    assert_true(paths.aptpl);
    array->refuses_aptpl = true;
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_DEMAND, SOON, &paths), -RESERVATION_APTPL_REFUSED);
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    assert_false(paths.aptpl);
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_OFF, SOON, &paths), 0);
}

/* Who leaves does not make the array forget the others at its next loss of power. */
static void test_leaving_keeps_aptpl(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0), *map = open_map(4, 2), *other = open_disk(1);
    struct reservation_paths paths;

    (void)unused;
    register_all(own, OWN);
    register_all(map, VICTIM + 1);
    register_all(other, VICTIM);
    assert_true(array->aptpl);
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_true(array->aptpl && array->keys[0] == 0);
    assert_int_equal(reservation_unregister(map, VICTIM + 1, SOON), 0);
    assert_true(array->aptpl && array->keys[4] == 0 && array->keys[5] == 0);
    /* Nor does it begin to, where it does not. */
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_OFF, SOON, &paths), 0);
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_false(array->aptpl);
}

/* What does not tell is never "absent". */
static void test_no_answer(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0);
    struct reservation_capabilities capabilities;
    struct reservation_paths paths;
    struct reservation_state state;

    (void)unused;
    register_all(own, OWN);
    for (array->cut = 1; array->cut <= 32; array->cut++)
        assert_int_equal(reservation_read(own, SOON, &state), -RESERVATION_MALFORMED);
    assert_int_equal(reservation_read_capabilities(own, SOON, &capabilities), -RESERVATION_MALFORMED);
    array->cut = 0;
    assert_int_equal(reservation_read_capabilities(own, SOON, &capabilities), 0);
    assert_true(capabilities.aptpl && capabilities.types & 1U << WERO);
    array->dead[0] = true;
    assert_int_equal(reservation_read(own, SOON, &state), -RESERVATION_TRANSPORT);
    array->dead[0] = false;
    array->has_reservations = false;
    assert_int_equal(reservation_read(own, SOON, &state), -RESERVATION_NOT_SUPPORTED);
    array->has_reservations = true;
    array->full = true;
    array->keys[0] = 0;
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_FULL);
    assert_int_equal(paths.first_error, -RESERVATION_FULL);
}

static void test_many_registrants(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0);
    struct reservation_state state;
    char text[64];

    (void)unused;
    for (int i = 0; i < 64; i++)
        array->keys[i] = UINT64_C(0x5612345600000001) + (uint64_t)i;
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_int_equal(state.key_count, 64);
    assert_int_equal(reservation_preempt(own, OWN, OWN + 63, WERO, true, SOON), 0);
    assert_int_equal(count_key(own, OWN + 63), 0);
    assert_int_equal(count_key(own, OWN + 62), 1);
    assert_string_equal(strrchr(reservation_state_format(&state, text, sizeof(text)), 'x') ? text + strlen(text) - 3 : "", "...");
}

/* ---- multipath ---------------------------------------------------------------------------------------------------- */

static void test_map_registers_every_path(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 4), *victim = open_map(4, 4);

    (void)unused;
    register_all(own, OWN);
    register_all(victim, VICTIM);
    assert_int_equal(count_key(own, OWN), 4);
    assert_int_equal(reservation_reserve(victim, VICTIM, WERO, SOON), 0);
    array->preempts = 0;
    assert_int_equal(reservation_preempt(own, OWN, VICTIM, WERO, true, SOON), 0);
    assert_int_equal(array->preempts, 1); /* once a map */
    assert_int_equal(count_key(own, VICTIM), 0);
    assert_int_equal(count_key(own, OWN), 4);
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_int_equal(count_key(victim, OWN), 0);
}

static void test_map_dead_path(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 3), *victim = open_map(4, 1);
    struct reservation_paths paths;

    (void)unused;
    register_all(victim, VICTIM);
    array->dead[0] = true;
    own->paths[1].alive = false;
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    assert_int_equal(paths.total, 3);
    assert_int_equal(paths.done, 1);
    assert_int_equal(paths.dead, 2);
    assert_int_equal(reservation_preempt(own, OWN, VICTIM, WERO, true, SOON), 0);
    assert_int_equal(count_key(own, VICTIM), 0);
    array->dead[2] = true;
    assert_int_equal(reservation_register(own, OWN, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_TRANSPORT);
}

static void test_map_hung_path(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2);
    struct reservation_state state;
    uint64_t began = deadline_now_ms();
    _cleanup_close_ int lock_fd = -1;

    (void)unused;
    register_all(own, OWN);
    array->hangs[0] = true;
    assert_int_equal(reservation_read(own, deadline_in(4000), &state), 0);
    assert_int_equal(reservation_state_count(&state, OWN), 2);
    assert_true(deadline_now_ms() - began < 40000);
    array->hangs[0] = false;
    /* The thread that hung ends by itself, and gives the path back: the next test would find it in use. */
    lock_fd = file_lock(VIGIL_RUNDIR "/child/reserve-path-240-0", SOON);
    assert_true(lock_fd >= 0);
}

static void test_map_identity(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 3);
    _cleanup_text_buffer_ struct text_buffer why = { 0 };

    (void)unused;
    array->dead[1] = true;
    assert_int_equal(reservation_identify_paths(own, SOON, &why), 0);
    assert_string_equal(own->identity.wwid, "naa.60014050000000000000000000000001");
    assert_int_equal(own->identity.paths_alive, 2);
    own->paths[1].alive = true;
    array->dead[1] = false;
    (void)snprintf(array->naa_of[2], sizeof(array->naa_of[2]), "60014050000000000000000000000002");
    assert_int_equal(reservation_identify_paths(own, SOON, &why), -RESERVATION_OTHER_DEVICE);
    assert_non_null(strstr(why.text, "60014050000000000000000000000002"));
}

static void test_map_joins_new_path(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2);
    struct reservation_paths paths;
    unsigned int commands;

    (void)unused;
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), -RESERVATION_CONFLICT); /* fenced: never joins again by itself */
    assert_int_equal(array->keys[0] | array->keys[1], 0);
    array->keys[0] = OWN;
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(paths.done, 2);
    assert_int_equal(count_key(own, OWN), 2);
    commands = array->commands;
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(array->commands - commands, 2);
    /* Something was registered or preempted: each path is asked, and nothing changes. */
    array->generation++;
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(paths.joined, 0);
    assert_int_equal(array->commands - commands, 6);
    assert_int_equal(count_key(own, OWN), 2);
}

/* A session was lost and came back as another nexus, while the array keeps the registration of the old one. */
static void test_map_joins_behind_stale_nexus(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2);
    struct reservation_paths paths;
    struct reservation_state state;

    (void)unused;
    register_all(own, OWN);
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_true(reservation_is_joined(own, OWN, &state));
    (void)snprintf(own->paths[1].path, sizeof(own->paths[1].path), "/dev/fake7");
    own->paths[1].sequence = 107;
    assert_false(reservation_is_joined(own, OWN, &state));
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(paths.joined, 1);
    assert_int_equal(array->keys[7], OWN);
    assert_int_equal(count_key(own, OWN), 3);
}

/* The same for a disk that has one path. */
static void test_disk_joins_behind_stale_nexus(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *before = open_disk(0), *own = open_disk(5);
    struct reservation_paths paths;

    (void)unused;
    register_all(before, OWN);
    assert_int_equal(reservation_join(before, OWN, SOON, &paths), 0);
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(array->keys[5], OWN);
    assert_int_equal(count_key(own, OWN), 2);
}

/* A path that is running but does not answer is asked again each time; and a kernel that does not number its disks leaves no note. */
static void test_join_notes_only_what_was_seen(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2);
    struct reservation_paths paths;
    struct reservation_state state;

    (void)unused;
    register_all(own, OWN);
    array->generation = 1000; /* not that of an earlier test */
    own->paths[1].alive = false;
    own->identity.paths_alive = 1;
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_int_equal(reservation_read(own, SOON, &state), 0);
    assert_false(reservation_is_joined(own, OWN, &state));
    own->paths[1].alive = true;
    own->identity.paths_alive = 2;
    own->paths[0].sequence = own->paths[1].sequence = 0;
    assert_int_equal(reservation_join(own, OWN, SOON, &paths), 0);
    assert_false(reservation_is_joined(own, OWN, &state));
}

/* This host is fenced between the look and the registration. */
static void test_map_join_races_with_fencing(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2);
    struct reservation_paths paths;

    (void)unused;
    array->keys[0] = OWN;
    own->paths[0].alive = true;
    array->fenced_by_join = 1;
    (void)reservation_join(own, OWN, SOON, &paths);
    assert_int_equal(array->keys[1], 0);
}

static struct reservation_sight see(struct reservation_device *device)
{
    struct reservation_state state;

    assert_int_equal(reservation_read(device, SOON, &state), 0);
    return (struct reservation_sight){ reservation_state_count(&state, OWN) > 0, state.generation, state.holder };
}

static void test_enter(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 3), *other = open_disk(4);
    struct reservation_sight seen = see(own);
    struct reservation_paths paths;

    (void)unused;
    own->paths[2].alive = false;
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    assert_true(paths.done == 2 && paths.dead == 1 && paths.total == 3);
    register_all(other, VICTIM); /* who is registered stays so, whatever others do */
    own->paths[2].alive = true;
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    assert_true(paths.done == 3 && paths.dead == 0);
    assert_int_equal(count_key(own, OWN), 3);
    array->keys[1] = VICTIM + 1;
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_OTHER_KEY);
    assert_true(array->keys[1] == VICTIM + 1);
}

/* This host judged that it may have the volume, was stopped in its tracks for long, and goes on: meanwhile it was fenced. */
static void test_enter_after_fencing(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2), *fencer = open_disk(4);
    struct reservation_paths paths;
    struct reservation_sight seen;

    (void)unused;
    register_all(own, OWN);
    register_all(fencer, VICTIM);
    seen = see(own);
    assert_int_equal(reservation_preempt(fencer, VICTIM, OWN, WERO, true, SOON), 0);
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_FENCED);
    assert_int_equal(count_key(own, OWN), 0);
    /* An array that has lost its power has forgotten all: nobody was fenced by that. */
    memset(array->keys, 0, sizeof(array->keys));
    array->holder = -1;
    array->generation = 0;
    seen = see(own);
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), 0);
    /* In the very moment of registering. */
    register_all(own, OWN);
    array->keys[1] = 0;
    array->fenced_by_join = 1;
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_FENCED);
    assert_int_equal(array->keys[1], 0);
}

/* It was not registered when it judged: who came in between shows by the generation. */
static void test_enter_after_another(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2), *other = open_disk(4);
    struct reservation_sight seen;
    struct reservation_paths paths;

    (void)unused;
    register_all(other, VICTIM);
    seen = see(own);
    register_all(other, VICTIM); /* registers again, as each that starts does: the keys are the same as before */
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_CHANGED);
    assert_int_equal(count_key(own, OWN), 0);
    seen = see(own);
    array->keys[0] = VICTIM + 1; /* an initiator name that is used twice, or another key of this host */
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &paths), -RESERVATION_OTHER_KEY);
    assert_true(array->keys[0] == VICTIM + 1 && array->keys[1] == 0);
}

/* A path that died keeps its registration on the array; the one that lives removes it. */
static void test_unregister_with_dead_path(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2);

    (void)unused;
    register_all(own, OWN);
    assert_int_equal(reservation_reserve(own, OWN, WERO, SOON), 0);
    own->paths[0].alive = false;
    own->identity.paths_alive = 1;
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_int_equal(array->keys[0] | array->keys[1], 0);
}

static void test_types_alike(void **unused)
{
    (void)unused;
    assert_true(reservation_types_are_alike(WERO, RESERVATION_WRITE_EXCLUSIVE_ALL));
    assert_true(reservation_types_are_alike(RESERVATION_NONE, RESERVATION_NONE));
    assert_false(reservation_types_are_alike(WERO, RESERVATION_EXCLUSIVE_ACCESS_ALL));
    assert_false(reservation_types_are_alike(WERO, RESERVATION_WRITE_EXCLUSIVE));
    assert_false(reservation_types_are_alike(RESERVATION_WRITE_EXCLUSIVE, RESERVATION_EXCLUSIVE_ACCESS));
    assert_false(reservation_types_are_alike(RESERVATION_NONE, RESERVATION_TYPE_UNKNOWN));
}

/* ---- guard -------------------------------------------------------------------------------------------------------- */

static void test_guard_verdict(void **unused)
{
    const struct reservation_guarded guarded = { .key = OWN, .wwid = "naa.60014050000000000000000000000001", .device = "/dev/sdb" };
    struct reservation_answer answer = { .identity = { .wwid = "naa.60014050000000000000000000000001" } };
    struct reservation_state state = { .key_count = 1, .keys = { OWN } };

    (void)unused;
    assert_int_equal(reservation_guard_judge(&guarded, &answer, &state), GUARD_KEPT);
    state.keys[0] = VICTIM;
    assert_int_equal(reservation_guard_judge(&guarded, &answer, &state), GUARD_LOST);
    answer.error = -ETIMEDOUT;
    assert_int_equal(reservation_guard_judge(&guarded, &answer, &state), GUARD_UNKNOWN);
    answer.error = 0;
    state.keys[0] = OWN;
    (void)snprintf(answer.identity.wwid, sizeof(answer.identity.wwid), "naa.60014050000000000000000000000009");
    assert_int_equal(reservation_guard_judge(&guarded, &answer, &state), GUARD_MOVED); /* sdb is another disk by now: no fencing */
    answer.error = -RESERVATION_OTHER_DEVICE; /* the kernel still takes it for the first */
    assert_int_equal(reservation_guard_judge(&guarded, &answer, &state), GUARD_LOST);
}

static void test_guard_list(void **unused)
{
    _cleanup_free_ struct reservation_guarded *list = NULL, *none = NULL;
    unsigned int damaged;

    (void)unused;
    assert_int_equal(reservation_guarded_read(&none, NULL), 0);
    assert_int_equal(reservation_guard("data", "/dev/mapper/a", OWN, "naa.6"), 0);
    assert_int_equal(reservation_guard("data", "/dev/mapper/a", OWN, "naa.6"), 0);
    assert_int_equal(reservation_guard("other", "/dev/mapper/a", VICTIM, ""), 0);
    assert_int_equal(reservation_guard("bad\nowner", "/dev/mapper/a", VICTIM, ""), -EINVAL);
    assert_int_equal(reservation_guarded_read(&list, NULL), 2);
    assert_string_equal(list[0].device, "/dev/mapper/a");
    assert_int_equal(reservation_unguard("data", "/dev/mapper/a"), 0);
    assert_int_equal(reservation_unguard("data", "/dev/mapper/a"), 0);
    free(list);
    assert_int_equal(reservation_guarded_read(&list, NULL), 1);
    assert_string_equal(list[0].owner, "other");
    assert_true(list[0].key == VICTIM);
    assert_int_equal(reservation_guard("data", "/dev/sdb", OWN, "naa.6"), 0);
    assert_int_equal(reservation_guard("data", "/dev/sdc", OWN, "naa.7"), 0);
    /* One that is damaged hides no other. */
    assert_int_equal(file_write(RESERVATION_GUARD_FOLDER "/path-0123456789abcdef-path-0123456789abcdef", 0644, "?", 1), 0);
    free(list);
    assert_int_equal(reservation_guarded_read(&list, &damaged), 3);
    assert_int_equal(damaged, 1);
    assert_int_equal(reservation_unguard_owner("data"), 0);
    free(list);
    list = NULL;
    assert_int_equal(reservation_guarded_read(&list, NULL), -EBADMSG);
    assert_int_equal(unlink(RESERVATION_GUARD_FOLDER "/path-0123456789abcdef-path-0123456789abcdef"), 0);
    assert_int_equal(reservation_guarded_read(&list, NULL), 1);
    assert_string_equal(list[0].owner, "other");
}

/* ---- fencing on one device ---------------------------------------------------------------------------------------- */

static const uint64_t both_keys[] = { OWN, VICTIM };
static const struct reservation_cluster cluster = { .name = "", .keys = both_keys, .key_count = 2 };

static struct reservation_fence_order order_for(uint64_t own, uint64_t victim)
{
    return (struct reservation_fence_order){ .cluster = &cluster, .own = own, .victim = victim, .type = WERO, .abort_required = true };
}

static int do_fence(reservation_function function, struct reservation_device *device, uint64_t own, uint64_t victim,
                    struct reservation_fence_report *report)
{
    struct reservation_fence_order order = order_for(own, victim);

    *report = (struct reservation_fence_report){ .victim_count = 0 };
    return function(device, SOON, &order, report);
}

static void test_admit_then_exclude(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_map(0, 2), *victim = open_map(4, 2);
    struct reservation_fence_report report;

    (void)unused;
    assert_int_equal(do_fence(reservation_fence_look, own, OWN, VICTIM, &report), 0);
    assert_int_equal(report.access, ACCESS_OPEN);
    assert_int_equal(do_fence(reservation_fence_admit, victim, VICTIM, VICTIM, &report), 0);
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), 0);
    assert_int_equal(report.own_count, 2);
    array->preempts = 0;
    assert_int_equal(do_fence(reservation_fence_exclude, own, OWN, VICTIM, &report), 0);
    assert_int_equal(report.access, ACCESS_EXCLUDED);
    assert_int_equal(array->preempts, 1);
    assert_int_equal(array->keys[4] | array->keys[5], 0);
    assert_true(array->holder == 0 || array->holder == 1);
    assert_non_null(strstr(report.before, "0x5612345600000002"));
    assert_null(strstr(report.after, "0x5612345600000002"));
    assert_int_equal(do_fence(reservation_fence_exclude, own, OWN, OWN, &report), -EINVAL);
}

/* Who else is registered, each once; of more than can be named it is known that there are more. */
static void test_others(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0);
    struct reservation_fence_report report;

    (void)unused;
    array->keys[0] = OWN;
    array->keys[1] = VICTIM;
    for (int i = 2; i < FAKE_NEXUSES; i++)
        array->keys[i] = 0x7000 + (uint64_t)i / 2;
    assert_int_equal(do_fence(reservation_fence_look, own, OWN, VICTIM, &report), 0);
    assert_int_equal(report.other_count, (FAKE_NEXUSES - 2) / 2);
    assert_true(report.others[0] == 0x7001 && report.others[report.other_count - 1] == 0x7000 + (FAKE_NEXUSES - 1) / 2);
    assert_int_equal(do_fence(reservation_fence_look, own, VICTIM, VICTIM, &report), 0);
    assert_true(report.others[0] == OWN);
}

static void test_foreign_holder(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0);
    struct reservation_fence_order order = order_for(OWN, OWN);
    struct reservation_fence_report report;

    (void)unused;
    array->keys[7] = 0xdead;
    array->holder = 7;
    array->type = 5;
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), -RESERVATION_CONFLICT);
    assert_true(report.foreign_holder);
    assert_int_equal(array->keys[0], 0); /* nothing is left behind */
    order.preempt_foreign = true;
    report = (struct reservation_fence_report){ .victim_count = 0 };
    assert_int_equal(reservation_fence_admit(own, SOON, &order, &report), 0);
    assert_int_equal(array->keys[7], 0);
}

/* A node that was fenced neither fences nor is let in again before it is restarted; what it takes back itself is no fencing. */
static void test_self_fenced(void **unused)
{
    struct fake_array *array = fake_array_new();
    _cleanup_reservation_ struct reservation_device *own = open_disk(0), *victim = open_disk(4);
    struct reservation_fence_report report;
    struct reservation_sight seen;

    (void)unused;
    (void)text_copy(own->identity.wwid, sizeof(own->identity.wwid), "naa.60014050000000000000000000000001");
    assert_int_equal(do_fence(reservation_fence_admit, victim, VICTIM, VICTIM, &report), 0);
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), 0);
    assert_int_equal(reservation_guard("agent", "/dev/fake0", OWN, own->identity.wwid), 0);
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), 0); /* again */
    array->fenced_by_join = 0; /* between the look and the registration, which would undo it */
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), -EPERM);
    assert_true(report.self_fenced);
    assert_int_equal(array->keys[0], 0);
    seen = see(own);
    assert_int_equal(reservation_enter(own, OWN, &seen, RESERVATION_APTPL_TRY, SOON, &report.paths), -RESERVATION_FENCED);
    assert_int_equal(array->keys[0], 0);
    assert_int_equal(do_fence(reservation_fence_exclude, own, OWN, VICTIM, &report), -EPERM);
    assert_true(report.self_fenced);
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), -EPERM);
    assert_true(report.self_fenced);
    assert_int_equal(array->keys[0], 0);
    assert_true(array->keys[4] == VICTIM);
    assert_int_equal(reservation_unregister(own, OWN, SOON), 0);
    assert_int_equal(do_fence(reservation_fence_admit, own, OWN, OWN, &report), 0);
}

static int private_folders(void **state)
{
    (void)state;
    return unit_private_folders(VIGIL_RUNDIR, VIGIL_STATEDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_cycle),
        cmocka_unit_test(test_exclusive_access),
        cmocka_unit_test(test_not_registered_cannot_preempt),
        cmocka_unit_test(test_unit_attentions),
        cmocka_unit_test(test_aptpl),
        cmocka_unit_test(test_leaving_keeps_aptpl),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_enter),
        cmocka_unit_test(test_enter_after_fencing),
        cmocka_unit_test(test_enter_after_another),
        cmocka_unit_test(test_many_registrants),
        cmocka_unit_test(test_map_registers_every_path),
        cmocka_unit_test(test_map_dead_path),
        cmocka_unit_test(test_map_hung_path),
        cmocka_unit_test(test_map_identity),
        cmocka_unit_test(test_map_joins_new_path),
        cmocka_unit_test(test_map_joins_behind_stale_nexus),
        cmocka_unit_test(test_disk_joins_behind_stale_nexus),
        cmocka_unit_test(test_join_notes_only_what_was_seen),
        cmocka_unit_test(test_map_join_races_with_fencing),
        cmocka_unit_test(test_unregister_with_dead_path),
        cmocka_unit_test(test_admit_then_exclude),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_foreign_holder),
        cmocka_unit_test(test_self_fenced),
        cmocka_unit_test(test_types_alike),
        cmocka_unit_test(test_guard_verdict),
        cmocka_unit_test(test_guard_list),
    };

    return cmocka_run_group_tests(tests, private_folders, NULL);
}
