/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/number.h"
#include "base/text.h"

static struct fake_array *current;

struct fake_array *fake_array_new(void)
{
    current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (current == MAP_FAILED)
        abort();
    current->holder = -1;
    current->has_reservations = true;
    current->fenced_by_join = -1;
    (void)text_copy(current->naa, sizeof(current->naa), "60014050000000000000000000000001");
    return current;
}

static uint64_t get_64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void put(uint8_t *bytes, uint64_t value, int count)
{
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
}

static int fail_with(struct scsi_command *command, uint8_t key, uint8_t code, uint8_t qualifier)
{
    command->status = SCSI_CHECK_CONDITION;
    command->sense = (struct scsi_sense_data){ true, key, code, qualifier };
    return 0;
}

static int conflict(struct scsi_command *command)
{
    command->status = SCSI_RESERVATION_CONFLICT;
    return 0;
}

static int answer(struct fake_array *array, struct scsi_command *command, const uint8_t *bytes, size_t length)
{
    length = length > array->cut ? length - array->cut : 0;
    command->received = length < command->data_length ? length : command->data_length;
    memcpy(command->data, bytes, command->received);
    return 0;
}

static int read_keys(struct fake_array *array, struct scsi_command *command)
{
    uint8_t bytes[8 + 8 * FAKE_NEXUSES] = { 0 };
    size_t length = 8;

    put(bytes, array->generation, 4);
    for (int i = 0; i < FAKE_NEXUSES; i++) {
        if (array->keys[i] == 0)
            continue;
        put(bytes + length, array->keys[i], 8);
        length += 8;
    }
    put(bytes + 4, length - 8, 4);
    return answer(array, command, bytes, length);
}

static int read_reservation(struct fake_array *array, struct scsi_command *command)
{
    uint8_t bytes[24] = { 0 };

    put(bytes, array->generation, 4);
    if (array->holder < 0)
        return answer(array, command, bytes, 8);
    put(bytes + 4, 16, 4);
    put(bytes + 8, array->keys[array->holder], 8);
    bytes[21] = array->type;
    return answer(array, command, bytes, 24);
}

static int reserve_in(struct fake_array *array, struct scsi_command *command)
{
    const uint8_t capabilities[8] = { 0, 8, 0x11, array->aptpl ? 0x81 : 0x80, 0xea, 0x01, 0, 0 };

    switch (command->cdb[1]) {
    case 0:
        return read_keys(array, command);
    case 1:
        return read_reservation(array, command);
    case 2:
        return answer(array, command, capabilities, sizeof(capabilities));
    default:
        return fail_with(command, 5, 0x24, 0);
    }
}

static void remove_nexus(struct fake_array *array, int nexus)
{
    array->keys[nexus] = 0;
    if (array->holder == nexus)
        array->holder = -1;
}

static void remove_key(struct fake_array *array, uint64_t key, int kept)
{
    for (int i = 0; i < FAKE_NEXUSES; i++) {
        if (array->keys[i] == key && i != kept)
            remove_nexus(array, i);
    }
}

static int register_nexus(struct fake_array *array, int nexus, struct scsi_command *command, bool ignore)
{
    uint64_t key = get_64(command->data), new_key = get_64(command->data + 8);

    if (array->refuses_aptpl && command->data[20] & 1)
        return fail_with(command, 5, 0x26, 0);
    if (array->fenced_by_join == nexus) {
        remove_key(array, new_key, -1);
        array->generation++;
        array->fenced_by_join = -1;
    }
    if (!ignore && key != array->keys[nexus])
        return conflict(command);
    if (array->full && array->keys[nexus] == 0)
        return fail_with(command, 5, 0x55, 4);
    array->generation++;
    array->aptpl = command->data[20] & 1;
    if (new_key == 0)
        remove_nexus(array, nexus);
    array->keys[nexus] = new_key;
    return 0;
}

static int preempt(struct fake_array *array, int nexus, struct scsi_command *command)
{
    uint64_t victim = get_64(command->data + 8);
    bool known = false;

    array->preempts++;
    for (int i = 0; i < FAKE_NEXUSES; i++)
        known |= array->keys[i] == victim;
    if (!known)
        return conflict(command);
    array->generation++;
    if (array->holder >= 0 && array->keys[array->holder] == victim) {
        array->holder = nexus;
        array->type = command->cdb[2] & 0xf;
    }
    remove_key(array, victim, nexus);
    return 0;
}

static int reserve_out(struct fake_array *array, int nexus, struct scsi_command *command)
{
    uint8_t action = command->cdb[1], type = command->cdb[2] & 0xf;

    if (action == 0 || action == 6)
        return register_nexus(array, nexus, command, action == 6);
    if (array->keys[nexus] == 0 || array->keys[nexus] != get_64(command->data))
        return conflict(command);
    if (action == 4 || action == 5)
        return preempt(array, nexus, command);
    if (action == 1 && array->holder >= 0 && (array->holder != nexus || array->type != type))
        return conflict(command);
    if (action == 1) {
        array->holder = nexus;
        array->type = type;
    } else if (action == 2 && array->holder == nexus) {
        array->holder = -1;
    }
    return 0;
}

static int inquiry(struct fake_array *array, int nexus, struct scsi_command *command)
{
    uint8_t bytes[24] = { 0, 0x83, 0, 20, 1, 3, 0, 16 };
    const char *naa = array->naa_of[nexus][0] ? array->naa_of[nexus] : array->naa;

    for (int i = 0; i < 16; i++) {
        char digits[3] = { naa[2 * i], naa[2 * i + 1], '\0' };
        uint64_t byte = 0;

        (void)number_parse_hex(digits, &byte);
        bytes[8 + i] = (uint8_t)byte;
    }
    return answer(array, command, bytes, sizeof(bytes));
}

static int fake_execute(void *context, struct scsi_command *command, struct deadline deadline)
{
    int nexus = *(int *)context;

    (void)deadline;
    current->commands++;
    while (current->hangs[nexus])
        (void)usleep(10000);
    if (current->dead[nexus])
        return -RESERVATION_TRANSPORT;
    if (current->attentions[nexus] > 0) {
        current->attentions[nexus]--;
        return fail_with(command, 6, 0x29, 0);
    }
    if (command->cdb[0] == 0x12)
        return inquiry(current, nexus, command);
    if (!current->has_reservations)
        return fail_with(command, 5, 0x20, 0);
    return command->cdb[0] == 0x5e ? reserve_in(current, command) : reserve_out(current, nexus, command);
}

int fake_array_open(const char *path, struct scsi_transport *ret)
{
    const char *digits = text_after(path, "/dev/fake");
    int64_t number;
    int *nexus;

    if (!digits || number_parse(digits, 0, FAKE_NEXUSES - 1, &number) < 0)
        return -ENODEV;
    nexus = malloc(sizeof(*nexus));
    if (!nexus)
        return -ENOMEM;
    *nexus = (int)number;
    *ret = (struct scsi_transport){ fake_execute, free, nexus };
    return 0;
}
