/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent reservations: what all ways to a device have in common. Opening is in reservation_open.c.
 */
#include "storage/reservation.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "storage/reservation_backend.h"
#include "storage/reservation_guard.h"

const char *const reservation_type_names[] = {
    [RESERVATION_NONE] = "none",
    [RESERVATION_WRITE_EXCLUSIVE] = "write-exclusive",
    [RESERVATION_EXCLUSIVE_ACCESS] = "exclusive-access",
    [RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS] = "write-exclusive-registrants-only",
    [RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS] = "exclusive-access-registrants-only",
    [RESERVATION_WRITE_EXCLUSIVE_ALL] = "write-exclusive-all-registrants",
    [RESERVATION_EXCLUSIVE_ACCESS_ALL] = "exclusive-access-all-registrants",
    [RESERVATION_TYPE_UNKNOWN] = "unknown",
    NULL,
};

/* Short names for parameters, in the order of enum reservation_type from RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS on. */
const char *const reservation_choice_names[] = { "WERO", "EARO", "WEAR", "EAAR", NULL };

const char *const reservation_transport_names[] = {
    [RESERVATION_SCSI] = "SCSI",
    [RESERVATION_NVME] = "NVMe",
    [RESERVATION_MULTIPATH] = "multipath",
    [RESERVATION_ISCSI] = "iSCSI",
};

enum reservation_type reservation_type_at(int index)
{
    return (enum reservation_type)(RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS + index);
}

bool reservation_type_excludes(enum reservation_type type)
{
    return type > RESERVATION_NONE && type < RESERVATION_TYPE_UNKNOWN;
}

enum reservation_type reservation_type_of_all(enum reservation_type type)
{
    switch (type) {
    case RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS:
    case RESERVATION_WRITE_EXCLUSIVE_ALL:
        return RESERVATION_WRITE_EXCLUSIVE_ALL;
    case RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS:
    case RESERVATION_EXCLUSIVE_ACCESS_ALL:
        return RESERVATION_EXCLUSIVE_ACCESS_ALL;
    default:
        return RESERVATION_NONE;
    }
}

bool reservation_types_are_alike(enum reservation_type a, enum reservation_type b)
{
    return a == b || (reservation_type_of_all(a) != RESERVATION_NONE && reservation_type_of_all(a) == reservation_type_of_all(b));
}

bool reservation_type_admits_registrants(enum reservation_type type)
{
    return type >= RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS && type < RESERVATION_TYPE_UNKNOWN;
}

const char *reservation_error_text(int error)
{
    switch (error < 0 ? -error : error) {
    case RESERVATION_CONFLICT:
        return "reservation conflict: this node is not registered there, or another holds it";
    case RESERVATION_UNIT_ATTENTION:
        return "it answers with unit attentions again and again";
    case RESERVATION_BUSY:
        return "busy: it, or an earlier call on it, has not come back";
    case RESERVATION_TRANSPORT:
        return "no path to it works";
    case RESERVATION_NOT_SUPPORTED:
        return "it has no persistent reservations; switch them on in the array, or fence by another agent";
    case RESERVATION_APTPL_REFUSED:
        return "it does not keep registrations over a power loss (APTPL)";
    case RESERVATION_FULL:
        return "it has no room for another registration; remove those of hosts that are gone";
    case RESERVATION_MALFORMED:
        return "its answer is malformed";
    case RESERVATION_OTHER_DEVICE:
        return "another device stands behind this name";
    case RESERVATION_TOO_MANY:
        return "more registrations than can be read";
    case RESERVATION_FENCED:
        return "this node's registration is gone: it was fenced; restart it";
    case RESERVATION_OTHER_KEY:
        return "a path of this node bears another key: do the fence agent and the volumes use the same keys, is the initiator name this node's alone? Unfence the node";
    case RESERVATION_CHANGED:
        return "another node registered meanwhile: see that none uses the volume, then start again";
    case RESERVATION_DEVICE_ERROR:
        return "it answered with an error";
    case ETIMEDOUT:
        return "timed out: it does not answer";
    default:
        return strerror(error < 0 ? -error : error);
    }
}

int reservation_explain(struct text_buffer *why, int error, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    if (!why || why->length > 0)
        return error;
    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    text_buffer_printf(why, "%s", text ? text : "out of memory");
    return error;
}

bool reservation_path_failed(int error)
{
    return error == -RESERVATION_TRANSPORT || error == -ETIMEDOUT || error == -ENODEV || error == -ENXIO || error == -EBUSY ||
           error == -EPIPE || error == -ENOENT;
}

const struct reservation_identity *reservation_identity(const struct reservation_device *device)
{
    return &device->identity;
}

/* ---- state -------------------------------------------------------------------------------------------------------- */

unsigned int reservation_state_count(const struct reservation_state *state, uint64_t key)
{
    unsigned int count = 0;

    for (uint32_t i = 0; i < state->key_count; i++)
        count += state->keys[i] == key;
    return count;
}

/* Whether the key at this place came before already. */
static bool is_repeated(const struct reservation_state *state, uint32_t place)
{
    for (uint32_t i = 0; i < place; i++) {
        if (state->keys[i] == state->keys[place])
            return true;
    }
    return false;
}

static void append_keys(const struct reservation_state *state, struct text_buffer *text)
{
    char key[RESERVATION_KEY_TEXT_SIZE];

    text_buffer_printf(text, "%s", state->key_count == 0 ? ", no keys" : ", keys");
    for (uint32_t i = 0; i < state->key_count; i++) {
        unsigned int count = reservation_state_count(state, state->keys[i]);

        if (is_repeated(state, i))
            continue;
        text_buffer_printf(text, " %s", reservation_key_format(state->keys[i], key));
        if (count > 1)
            text_buffer_printf(text, " x%u", count);
    }
}

const char *reservation_state_format(const struct reservation_state *state, char *buffer, size_t size)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };
    char key[RESERVATION_KEY_TEXT_SIZE];

    text_buffer_printf(&text, "generation %u, ", state->generation);
    if (state->type == RESERVATION_NONE)
        text_buffer_printf(&text, "no reservation");
    else
        text_buffer_printf(&text, "holder %s (%s)", state->holder ? reservation_key_format(state->holder, key) : "all registrants",
                           reservation_type_names[state->type]);
    append_keys(state, &text);
    if (text_format(buffer, size, "%s", text.failed ? "out of memory" : text.text) < 0 && size > 4)
        (void)text_copy(buffer + size - 4, 4, "...");
    return buffer;
}

/* ---- operations --------------------------------------------------------------------------------------------------- */

int reservation_read_capabilities(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret)
{
    return device->operations->capabilities(device, deadline, ret);
}

int reservation_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret)
{
    return device->operations->read(device, deadline, ret);
}

int reservation_register(struct reservation_device *device, uint64_t key, enum reservation_aptpl aptpl, struct deadline deadline,
                         struct reservation_paths *ret)
{
    *ret = (struct reservation_paths){ 0 };
    return key == 0 ? -EINVAL : device->operations->add(device, key, true, aptpl, deadline, ret);
}

/* A fresh state that the caller frees, read now. */
static int read_fresh(struct reservation_device *device, struct deadline deadline, struct reservation_state **ret)
{
    struct reservation_state *state = calloc(1, sizeof(*state));
    int r = state ? reservation_read(device, deadline, state) : -ENOMEM;

    if (r < 0)
        free(state);
    else
        *ret = state;
    return r;
}

/* Judges what adding has come to. A generation counts every registration and every preemption (SPC-4 5.13.5); a device that counts less is believed. */
static int judge_entry(const struct reservation_state *state, uint64_t key, unsigned int before, const struct reservation_sight *seen,
                       const struct reservation_paths *paths)
{
    unsigned int count = reservation_state_count(state, key);

    if (before > 0 && count <= paths->done)
        return -RESERVATION_FENCED;
    if (before == 0 && paths->done > 0 && state->generation - seen->generation > paths->done)
        return -RESERVATION_CHANGED;
    return count < paths->total - paths->dead ? -RESERVATION_OTHER_KEY : 0;
}

/* An array that has lost its power, and keeps nothing over that: who fences leaves a registration of its own, and a reservation. */
static bool is_blank(const struct reservation_state *state)
{
    return state->key_count == 0 && state->type == RESERVATION_NONE;
}

int reservation_enter(struct reservation_device *device, uint64_t key, const struct reservation_sight *seen, enum reservation_aptpl aptpl,
                      struct deadline deadline, struct reservation_paths *ret)
{
    _cleanup_free_ struct reservation_state *state = NULL, *after = NULL;
    unsigned int before;
    int r = read_fresh(device, deadline, &state);

    *ret = (struct reservation_paths){ .total = device->identity.paths };
    if (r < 0)
        return r;
    before = reservation_state_count(state, key);
    if (before == 0 && !is_blank(state) && (seen->registered || reservation_is_guarded(key, &device->identity)))
        return -RESERVATION_FENCED;
    /* A host of NVMe is registered as a whole; to register once more what is registered is no error there, and adds nothing (Base Specification 2.0, 7.3). */
    if (before > 0 && device->identity.transport == RESERVATION_NVME) {
        ret->done = ret->total;
        return 0;
    }
    r = device->operations->add(device, key, false, aptpl, deadline, ret);
    if (r == 0)
        r = read_fresh(device, deadline, &after);
    if (r == 0)
        r = judge_entry(after, key, before, seen, ret);
    if (r == -RESERVATION_FENCED || (r < 0 && before == 0))
        (void)device->operations->remove(device, key, deadline);
    if (r == 0)
        ret->done = ret->total - ret->dead;
    return r;
}

int reservation_reserve(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    _cleanup_free_ struct reservation_state *state = NULL;
    int r = device->operations->reserve(device, key, type, deadline);

    /* A reservation that another path of ours holds conflicts, too. */
    if (r != -RESERVATION_CONFLICT || read_fresh(device, deadline, &state) < 0)
        return r;
    if (state->type == type && reservation_state_count(state, key) > 0 && (state->holder == key || state->holder == 0))
        return 0;
    return r;
}

int reservation_release(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    return device->operations->release(device, key, type, deadline);
}

/* Registrations over paths that are dead now cannot be taken back over them: a path that lives preempts its own key, which removes the others (SPC-4
 * 5.13.11.2.6), before it takes back its own. */
int reservation_unregister(struct reservation_device *device, uint64_t key, struct deadline deadline)
{
    _cleanup_free_ struct reservation_state *state = NULL;
    int r = read_fresh(device, deadline, &state);

    if (r < 0)
        return r;
    /* First, or the guard would take what this node does itself for its fencing. */
    r = reservation_guard_forget(key, &device->identity);
    if (r < 0)
        return r;
    if (reservation_state_count(state, key) > device->identity.paths_alive && reservation_type_admits_registrants(state->type))
        (void)device->operations->preempt(device, key, key, state->type, false, deadline);
    return device->operations->remove(device, key, deadline);
}

int reservation_preempt(struct reservation_device *device, uint64_t key, uint64_t victim, enum reservation_type type, bool abort,
                        struct deadline deadline)
{
    _cleanup_free_ struct reservation_state *state = NULL;
    int r;

    if (key == 0 || victim == 0 || key == victim)
        return -EINVAL;
    r = device->operations->preempt(device, key, victim, type, abort, deadline);
    /* A conflict where the victim is gone already: there was nothing to preempt (SPC-4 5.13.11.2.4). */
    if (r != -RESERVATION_CONFLICT || read_fresh(device, deadline, &state) < 0)
        return r;
    return reservation_state_count(state, victim) == 0 && reservation_state_count(state, key) > 0 ? 0 : r;
}
