/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The persistent reservation of the LUNs: what keeps a node that has lost its registration from writing, whatever it believes. Passive: it stays when the
 * volume is stopped, since giving it back would let a node in that was fenced and frozen meanwhile; who has released the volume is told by the
 * cluster's record, not by the array.
 *
 * Up: nobody who may still use the volume holds it; this node's key is registered on every path; the key of a fenced holder is preempted and its commands
 * aborted; the reservation is there and was read back. Check: registration or reservation gone is a failure at once. A path that came back is registered only while
 * another one still is (reservation_join): where this node was fenced, registering again would undo that.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "storage/device_io.h"
#include "storage/multipath_map.h"
#include "storage/reservation_guard.h"
#include "storage/reservation_join.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

#define DESCRIPTION_SIZE 400

static bool applies(const struct volume *volume)
{
    return volume->config->reservation != RESERVATION_NONE && !volume->bind && !volume->network;
}

static enum reservation_type wanted_type(const struct volume *volume)
{
    return (enum reservation_type)volume->config->reservation;
}

static const char *disk_text(const struct volume *volume, size_t index)
{
    return volume->config->disks ? volume->disks[index].name.value : volume->config->device;
}

/* ---- all LUNs at once ------------------------------------------------------------------------------------------------------------- */

/* One question to all LUNs. The arrays are as long as there are LUNs; replies may be filled beforehand. */
struct round {
    const char **specs;
    struct reservation_answer *answers;
    void *replies;
};

static void round_free(struct round *round)
{
    free(round->specs);
    free(round->answers);
    free(round->replies);
}
#define _cleanup_round_ _cleanup_(round_free)

static int fail_out_of_memory(struct volume *volume)
{
    return volume_fail(volume, -ENOMEM, "out of memory");
}

/* Whether the LUN is the one that was meant: by its worldwide name, as it gives it now. */
static int judge_identity(struct volume *volume, size_t index, const struct reservation_answer *answer)
{
    const struct device_name *name = &volume->disks[index].name;

    if (name->kind != DEVICE_WWN || answer->identity.wwid[0] == '\0' || device_wwn_equal(answer->identity.wwid, name->value))
        return 0;
    return volume_fail(volume, -EMEDIUMTYPE, "behind %s stands LUN %s now, not %s: the array has changed its mapping; rescan, and correct it",
                       volume->disks[index].device.path, answer->identity.wwid, name->value);
}

static int fail_answer(struct volume *volume, size_t index, int error, const struct reservation_answer *answer, const char *what)
{
    char limit[40];

    if (error == -ETIMEDOUT)
        return volume_fail(volume, error, "LUN %s hangs: %s has had no answer for %s", disk_text(volume, index), what,
                           number_format_duration(volume->config->io_timeout_ms, limit, sizeof(limit)));
    if (error == -EBUSY)
        return volume_fail(volume, -ETIMEDOUT, "LUN %s hangs: an earlier call on it still has no answer", disk_text(volume, index));
    if (error == -RESERVATION_NOT_SUPPORTED)
        return volume_fail(volume, -ENOPKG, "LUN %s has no persistent reservations of this kind: choose a LUN that has, or reservation=none (and no protection by the array)",
                           disk_text(volume, index));
    return volume_fail(volume, error == -EINVAL ? -EIO : error, "LUN %s: %s failed: %s", disk_text(volume, index), what,
                       answer->why[0] ? answer->why : reservation_error_text(error));
}

/* Asks all LUNs; the first failure is told. Returns 0 or -errno with the reason given. */
static int ask_all(struct volume *volume, struct round *round, reservation_function function, void *argument, size_t reply_size,
                   struct deadline deadline, const char *what)
{
    size_t count = volume->disk_count;

    round->specs = calloc(count, sizeof(*round->specs));
    round->answers = calloc(count, sizeof(*round->answers));
    if (!round->replies)
        round->replies = calloc(count, reply_size);
    if (!round->specs || !round->answers || !round->replies)
        return fail_out_of_memory(volume);
    for (size_t i = 0; i < count; i++) {
        int r = volume_disk_find(volume, &volume->disks[i]);

        if (r < 0)
            return volume_fail(volume, r, "LUN %s: %s", disk_text(volume, i), r == -ENODEV ? "not on this node" : storage_error_text(r));
        round->specs[i] = volume->disks[i].device.path;
    }
    (void)reservation_call_all(round->specs, count, function, argument, round->replies, reply_size, deadline, round->answers);
    for (size_t i = 0; i < count; i++) {
        int r = round->answers[i].error;

        r = r < 0 ? fail_answer(volume, i, r, &round->answers[i], what) : judge_identity(volume, i, &round->answers[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- whose it is ------------------------------------------------------------------------------------------------------------------- */

static int own_key(struct volume *volume, uint64_t *ret)
{
    const char *text = volume->config->reservation_key;

    if (text) {
        if (reservation_key_parse(text, strlen(text), ret) < 0)
            return volume_fail(volume, -EINVAL, "reservation_key is not 1 to 16 hexadecimal digits other than zero");
        return 0;
    }
    if (volume->state_known && volume->state.key != 0) {
        *ret = volume->state.key;
        return 0;
    }
    if (!volume->authority)
        return volume_fail(volume, -ENOTCONN, "this node's reservation key is not known: set reservation_key");
    return volume->authority->own_key(volume, ret);
}

/* The keys that are to be preempted: of nodes that had the volume and were fenced. More nodes than any cluster has. */
struct victims {
    uint64_t keys[64];
    size_t count;
};

static bool is_victim(const struct victims *victims, uint64_t key)
{
    for (size_t i = 0; i < victims->count; i++) {
        if (victims->keys[i] == key)
            return true;
    }
    return false;
}

static void add_victim(struct victims *victims, uint64_t key)
{
    if (!is_victim(victims, key) && victims->count < ARRAY_SIZE(victims->keys))
        victims->keys[victims->count++] = key;
}

/* Who holds the reservation must have let go of the volume, or be fenced. */
static int judge_holder(struct volume *volume, size_t index, const struct reservation_state *state, struct victims *victims)
{
    const struct volume_owner owner = { .key = state->holder };
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    char text[RESERVATION_KEY_TEXT_SIZE];
    int claim = volume->authority ? volume->authority->judge_owner(volume, &owner, &why) : CLAIM_IN_USE;

    if (claim < 0)
        return claim;
    if (claim == CLAIM_FENCED) {
        add_victim(victims, state->holder);
        return 0;
    }
    if (claim == CLAIM_RELEASED && reservation_types_are_alike(state->type, wanted_type(volume)))
        return 0;
    return volume_fail(volume, -EBUSY, "LUN %s is reserved (%s) by key %s: %s", disk_text(volume, index), reservation_type_names[state->type],
                       reservation_key_format(state->holder, text),
                       why.length > 0 ? why.text : "not of the type that is wanted here; release it first");
}

/* Who is registered besides may write: a node that was fenced by other means than the array may not any more. */
static int judge_registrant(struct volume *volume, size_t index, uint64_t key, struct victims *victims)
{
    const struct volume_owner owner = { .key = key };
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    char text[RESERVATION_KEY_TEXT_SIZE];
    int claim = volume->authority ? volume->authority->judge_owner(volume, &owner, &why) : CLAIM_RELEASED;

    if (claim == CLAIM_FENCED)
        add_victim(victims, key);
    else if (claim == CLAIM_IN_USE)
        volume_note(volume, "LUN %s: key %s is registered, too, and may write: %s", disk_text(volume, index), reservation_key_format(key, text),
                    why.text ? why.text : "");
    return claim < 0 ? claim : 0;
}

static int judge_state(struct volume *volume, size_t index, const struct reservation_state *state, uint64_t own, struct victims *victims)
{
    uint64_t previous = 0;
    int r = 0;

    /* None, or held by all registrants alike: then no one of them is told by it. */
    if (state->type != RESERVATION_NONE && state->holder != 0 && state->holder != own && !is_victim(victims, state->holder))
        r = judge_holder(volume, index, state, victims);
    for (uint32_t i = 0; r == 0 && i < state->key_count; i++) {
        uint64_t key = state->keys[i];

        /* A node's key comes once for each of its paths. */
        if (key == own || key == state->holder || key == previous || is_victim(victims, key))
            continue;
        r = judge_registrant(volume, index, key, victims);
        previous = key;
    }
    return r;
}

static int judge_all(struct volume *volume, const struct reservation_state *states, uint64_t own, struct victims *victims)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < volume->disk_count; i++)
        r = judge_state(volume, i, &states[i], own, victims);
    return r;
}

static int read_state(struct reservation_device *device, struct deadline deadline, void *argument _unused_, void *reply)
{
    return reservation_read(device, deadline, reply);
}

/* ---- up ------------------------------------------------------------------------------------------------------------------------------ */

struct take_request {
    uint64_t key;
    enum reservation_type type;
    struct victims victims;
};

/* Goes to the child as well as back. */
struct take_reply {
    struct reservation_sight seen; /* what was judged */
    const char *step; /* a constant, at the same address in parent and child */
    struct reservation_paths paths;
    char before[DESCRIPTION_SIZE];
    char after[DESCRIPTION_SIZE];
};

/* A registrant holds it, of the wanted type, and this node is registered: nobody else may write. */
static int confirm(const struct take_request *request, const struct reservation_state *state)
{
    if (reservation_state_count(state, request->key) == 0)
        return -RESERVATION_CONFLICT;
    if (!reservation_types_are_alike(state->type, request->type))
        return -RESERVATION_CONFLICT;
    for (size_t i = 0; i < request->victims.count; i++) {
        if (reservation_state_count(state, request->victims.keys[i]) > 0)
            return -RESERVATION_CONFLICT;
    }
    return 0;
}

static int preempt_victims(struct reservation_device *device, const struct take_request *request, const struct reservation_state *state,
                           struct deadline deadline)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < request->victims.count; i++) {
        if (reservation_state_count(state, request->victims.keys[i]) > 0 || state->holder == request->victims.keys[i])
            r = reservation_preempt(device, request->key, request->victims.keys[i], request->type, true, deadline);
    }
    return r;
}

/* Who holds it is who was judged: else another node took it meanwhile. */
static bool holder_is_judged(const struct take_request *request, const struct reservation_state *state, const struct reservation_sight *seen)
{
    return state->type == RESERVATION_NONE || state->holder == 0 || state->holder == request->key || state->holder == seen->holder ||
           is_victim(&request->victims, state->holder);
}

/* The wanted type is not held: takes it. One of another type of our own is given back first. */
static int reserve_again(struct reservation_device *device, const struct take_request *request, const struct reservation_state *state,
                         struct deadline deadline)
{
    int r = 0;

    if (reservation_types_are_alike(state->type, request->type))
        return 0;
    if (state->type != RESERVATION_NONE && state->holder == request->key)
        r = reservation_release(device, request->key, state->type, deadline);
    return r < 0 ? r : reservation_reserve(device, request->key, request->type, deadline);
}

static int take(struct reservation_device *device, struct deadline deadline, void *argument, void *answer)
{
    const struct take_request *request = argument;
    struct take_reply *reply = answer;
    _cleanup_free_ struct reservation_state *state = calloc(1, sizeof(*state));
    int r;

    reply->step = "reading the registrations";
    r = state ? reservation_read(device, deadline, state) : -ENOMEM;
    if (r < 0)
        return r;
    (void)reservation_state_format(state, reply->before, sizeof(reply->before));
    reply->step = "registering this node";
    r = reservation_enter(device, request->key, &reply->seen, RESERVATION_APTPL_TRY, deadline, &reply->paths);
    if (r == 0)
        r = reservation_read(device, deadline, state);
    if (r == 0 && !holder_is_judged(request, state, &reply->seen))
        r = -RESERVATION_CHANGED;
    if (r < 0)
        return r;
    reply->step = "preempting the fenced node";
    r = preempt_victims(device, request, state, deadline);
    if (r == 0)
        r = reservation_read(device, deadline, state);
    if (r < 0)
        return r;
    reply->step = "taking the reservation";
    r = reserve_again(device, request, state, deadline);
    if (r == 0)
        r = reservation_read(device, deadline, state);
    (void)reservation_state_format(state, reply->after, sizeof(reply->after));
    reply->step = "reading the reservation back";
    if (r == 0)
        r = confirm(request, state);
    if (r == 0)
        reservation_note_joined(device, request->key, state, &reply->paths);
    return r;
}

/* The step at which a LUN failed, for the reason. */
static const char *failed_step(const struct volume *volume, const struct round *round)
{
    const struct take_reply *replies = round->replies;

    for (size_t i = 0; round->answers && replies && i < volume->disk_count; i++) {
        if (round->answers[i].error < 0 && replies[i].step)
            return replies[i].step;
    }
    return "taking the reservation";
}

static void tell(struct volume *volume, const struct round *round, uint64_t key)
{
    const struct take_reply *replies = round->replies;
    int r;

    for (size_t i = 0; i < volume->disk_count; i++) {
        volume_note(volume, "LUN %s reserved: before: %s; after: %s; paths registered %u of %u", disk_text(volume, i), replies[i].before,
                    replies[i].after, replies[i].paths.done, replies[i].paths.total);
        r = reservation_guard(volume->instance, round->specs[i], key, round->answers[i].identity.wwid);
        if (r < 0)
            volume_note(volume, "LUN %s is not watched by vigil-storage-guard: the list of guarded devices (" VIGIL_RUNDIR "/guard) cannot be written: %s",
                        disk_text(volume, i), strerror(-r));
    }
}

static int take_all(struct volume *volume, struct take_request *request, const struct reservation_state *seen)
{
    struct take_reply *replies = calloc(volume->disk_count, sizeof(*replies));
    _cleanup_round_ struct round round = { .replies = replies };
    _cleanup_text_buffer_ struct text_buffer kept = { 0 };
    int r;

    for (size_t i = 0; replies && i < volume->disk_count; i++)
        replies[i].seen = (struct reservation_sight){ reservation_state_count(&seen[i], request->key) > 0, seen[i].generation, seen[i].holder };
    r = ask_all(volume, &round, take, request, sizeof(struct take_reply), volume->deadline, "taking the reservation");
    if (r < 0) {
        kept = volume->why;
        volume->why = (struct text_buffer){ 0 };
        return volume_fail(volume, r, "%s (while %s)", kept.text ? kept.text : strerror(-r), failed_step(volume, &round));
    }
    tell(volume, &round, request->key);
    return 0;
}

static int layer_up(struct volume *volume)
{
    _cleanup_round_ struct round round = { 0 };
    struct take_request request = { .type = wanted_type(volume) };
    int r = own_key(volume, &request.key);

    if (r == 0)
        r = ask_all(volume, &round, read_state, NULL, sizeof(struct reservation_state),
                    deadline_within(volume->deadline, volume->config->io_timeout_ms), "reading its registrations");
    if (r == 0)
        r = judge_all(volume, round.replies, request.key, &request.victims);
    if (r == 0)
        r = take_all(volume, &request, round.replies);
    if (r < 0)
        return r;
    volume->state.key = request.key;
    volume_write_note(volume);
    return 0;
}

/* ---- check --------------------------------------------------------------------------------------------------------------------------- */

struct look_request {
    uint64_t key;
};

struct look_reply {
    enum reservation_type type;
    uint64_t holder;
    uint32_t generation;
    unsigned int registered; /* paths of this node */
};

/* Registrations are the logical unit's: one path tells of all. */
static int look(struct reservation_device *device, struct deadline deadline, void *argument, void *answer)
{
    const struct look_request *request = argument;
    struct look_reply *reply = answer;
    struct reservation_state state;
    int r = reservation_read(device, deadline, &state);

    if (r < 0)
        return r;
    reply->registered = reservation_state_count(&state, request->key);
    reply->type = state.type;
    reply->holder = state.holder;
    reply->generation = state.generation;
    return 0;
}

/* A path that came back, or joined, is registered: only while another one is. */
static int join(struct reservation_device *device, struct deadline deadline, void *argument, void *answer)
{
    const struct look_request *request = argument;
    struct reservation_paths paths = { 0 };
    int r = reservation_join(device, request->key, deadline, &paths);

    return r < 0 ? r : look(device, deadline, argument, answer);
}

/* A LUN that is looked at, and by which path. */
struct look_target {
    char spec[256];
    unsigned int alive; /* paths that the kernel would use */
    struct reservation_mark mark;
    bool by_path;       /* spec is one path of the map, which costs less than asking the map */
};

static int choose_path(struct volume *volume, struct volume_disk *disk, struct look_target *ret)
{
    struct multipath_map map;
    struct block_device path;
    int r = volume_disk_find(volume, disk);

    *ret = (struct look_target){ .alive = 1 };
    if (r < 0)
        return r;
    (void)text_copy(ret->spec, sizeof(ret->spec), disk->device.path);
    (void)reservation_mark_read(disk->device.number, &ret->mark);
    if (multipath_map_read(disk->device.number, &map) != 1)
        return 0;
    ret->alive = (unsigned int)map.active;
    for (size_t i = 0; i < map.count && !ret->by_path; i++) {
        ret->by_path = map.paths[i].active && device_from_number(map.paths[i].number, &path) == 0 &&
                       text_copy(ret->spec, sizeof(ret->spec), path.path) >= 0;
    }
    return 0;
}

static int judge_look(struct volume *volume, size_t index, const struct look_reply *reply, unsigned int alive, uint64_t key)
{
    char text[RESERVATION_KEY_TEXT_SIZE];

    if (reply->registered == 0)
        return volume_fail(volume, -EKEYREVOKED, "LUN %s: this node's registration (key %s) is gone: it was fenced, and must not write any more",
                           disk_text(volume, index), reservation_key_format(key, text));
    if (reply->type == RESERVATION_NONE)
        return volume_fail(volume, -EKEYREVOKED, "LUN %s: the reservation is gone, so that any node can write: released by hand, or lost by the array",
                           disk_text(volume, index));
    if (!reservation_types_are_alike(reply->type, wanted_type(volume)))
        return volume_fail(volume, -EKEYREVOKED, "LUN %s: the reservation is of type %s now (holder %s), not %s: taken by somebody else",
                           disk_text(volume, index), reservation_type_names[reply->type], reservation_key_format(reply->holder, text),
                           reservation_type_names[wanted_type(volume)]);
    if (reply->registered < alive)
        volume_degrade(volume, "LUN %s: %u of %u working paths are registered", disk_text(volume, index), reply->registered, alive);
    return 0;
}

/* Paths may have come, or come back, that have no registration of their own. */
static bool may_have_to_join(const struct look_request *request, const struct reservation_answer *answer, const struct look_reply *reply,
                             const struct look_target *target)
{
    const struct reservation_identity *identity = &answer->identity;

    if (answer->error < 0 || reply->registered == 0 || identity->transport == RESERVATION_NVME)
        return false;
    return reply->registered < target->alive || !reservation_mark_is_noted(identity->wwid, request->key, reply->generation, &target->mark);
}

/* Registers paths that came back. The volume works without them: only that this node is registered no more, or that a path leads to another LUN, is its failure. */
static void join_paths(struct volume *volume, size_t index, struct look_request *request, struct reservation_answer *answer, struct look_reply *reply,
                       struct deadline deadline)
{
    struct reservation_answer joined;
    int r = reservation_call(volume->disks[index].device.path, join, request, reply, sizeof(*reply), deadline, &joined);

    if (r == 0 || r == -RESERVATION_CONFLICT || r == -RESERVATION_OTHER_DEVICE)
        *answer = joined;
    else
        volume_degrade(volume, "LUN %s: a path that came back cannot be registered: %s", disk_text(volume, index),
                       joined.why[0] ? joined.why : reservation_error_text(r));
}

/* What one path could not tell, the whole map is asked: by the next path, or to register one that came back. */
static int look_again(struct volume *volume, size_t index, struct look_request *request, struct reservation_answer *answer, struct look_reply *reply,
                      const struct look_target *target)
{
    struct deadline deadline = deadline_within(volume->deadline, volume->config->io_timeout_ms);

    if (answer->error < 0 && target->by_path && answer->error != -RESERVATION_OTHER_DEVICE)
        (void)reservation_call(volume->disks[index].device.path, look, request, reply, sizeof(*reply), deadline, answer);
    if (may_have_to_join(request, answer, reply, target))
        join_paths(volume, index, request, answer, reply, deadline);
    if (answer->error == -RESERVATION_CONFLICT) {
        reply->registered = 0;
        answer->error = 0;
    }
    return answer->error < 0 ? fail_answer(volume, index, answer->error, answer, "reading its reservation") : judge_identity(volume, index, answer);
}

struct looks {
    struct look_target target[VOLUME_DISKS_MAX];
    const char *specs[VOLUME_DISKS_MAX];
    struct look_reply replies[VOLUME_DISKS_MAX];
    struct reservation_answer answers[VOLUME_DISKS_MAX];
};

static int look_at_all(struct volume *volume, struct looks *looks, struct look_request *request)
{
    int r = 0;

    for (size_t i = 0; i < volume->disk_count; i++) {
        r = choose_path(volume, &volume->disks[i], &looks->target[i]);
        if (r < 0)
            return volume_fail(volume, r, "LUN %s: %s", disk_text(volume, i), r == -ENODEV ? "gone from this node while it is in use" : storage_error_text(r));
        looks->specs[i] = looks->target[i].spec;
    }
    (void)reservation_call_all(looks->specs, volume->disk_count, look, request, looks->replies, sizeof(looks->replies[0]),
                               deadline_within(volume->deadline, volume->config->io_timeout_ms / 2), looks->answers);
    for (size_t i = 0; r == 0 && i < volume->disk_count; i++) {
        r = look_again(volume, i, request, &looks->answers[i], &looks->replies[i], &looks->target[i]);
        if (r == 0)
            r = judge_look(volume, i, &looks->replies[i], looks->target[i].alive, request->key);
    }
    return r;
}

static int layer_check(struct volume *volume, unsigned int depth _unused_)
{
    _cleanup_free_ struct looks *looks = NULL;
    struct look_request request;
    int r;

    if (!volume->mount.mounted)
        return VOLUME_PASSIVE;
    r = own_key(volume, &request.key);
    if (r < 0)
        return r;
    looks = calloc(1, sizeof(*looks));
    if (!looks)
        return fail_out_of_memory(volume);
    r = look_at_all(volume, looks, &request);
    return r < 0 ? r : VOLUME_PASSIVE;
}

/* ---- down ---------------------------------------------------------------------------------------------------------------------------- */

static int give_back(struct reservation_device *device, struct deadline deadline, void *argument, void *reply)
{
    const struct take_request *request = argument;
    struct reservation_state *state = reply;
    int r = reservation_release(device, request->key, request->type, deadline);

    if (r == 0)
        r = reservation_unregister(device, request->key, deadline);
    if (r == 0)
        r = reservation_read(device, deadline, state);
    if (r == 0 && reservation_state_count(state, request->key) > 0)
        r = -RESERVATION_DEVICE_ERROR;
    /* Not registered any more: there is nothing to be given back. */
    return r == -RESERVATION_CONFLICT ? 0 : r;
}

static int layer_down(struct volume *volume)
{
    _cleanup_round_ struct round round = { 0 };
    struct take_request request = { .type = wanted_type(volume) };
    int r;

    /* By the owner: a LUN that is gone, or has another name by now, must not be left on the list. */
    r = reservation_unguard_owner(volume->instance);
    if (r < 0)
        volume_note(volume, "the list of guarded devices (" VIGIL_RUNDIR "/guard) cannot be changed: %s", strerror(-r));
    if (!volume->config->release_reservation)
        return 0;
    /* A LUN that is not on this node is held through no path of it. */
    for (size_t i = 0; i < volume->disk_count; i++) {
        if (volume_disk_find(volume, &volume->disks[i]) < 0)
            return 0;
    }
    r = own_key(volume, &request.key);
    if (r == 0)
        r = ask_all(volume, &round, give_back, &request, sizeof(struct reservation_state),
                    deadline_within(volume->deadline, volume->config->io_timeout_ms), "giving the reservation back");
    return r;
}

const struct volume_layer volume_layer_reservation = {
    .name = "reservation",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
