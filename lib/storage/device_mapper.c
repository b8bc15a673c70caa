/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/device_mapper.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "storage/storage_call.h"

#define CONTROL_NODE "/dev/mapper/control"
/* A map of many paths has some kilobytes of status; a list grows with the devices. The kernel says when it does not fit. */
#define REPLY_SIZE 8192U
#define REPLY_LIMIT (1024U * 1024U)

/* ---- replies ----------------------------------------------------------------------------------------------------------------------- */

int dm_reply_parse(const void *reply, size_t length, struct dm_device *ret)
{
    struct dm_ioctl head;

    if (length < offsetof(struct dm_ioctl, data))
        return -EBADMSG;
    memset(&head, 0, sizeof(head));
    memcpy(&head, reply, offsetof(struct dm_ioctl, data));
    if (!memchr(head.name, '\0', sizeof(head.name)) || !memchr(head.uuid, '\0', sizeof(head.uuid)))
        return -EBADMSG;
    *ret = (struct dm_device){
        /* new_encode_dev of the kernel, which for every number of today is makedev's. */
        .number = makedev((head.dev & 0xfff00) >> 8, (head.dev & 0xff) | ((head.dev >> 12) & 0xfff00)),
        .active = head.flags & DM_ACTIVE_PRESENT_FLAG,
        .suspended = head.flags & DM_SUSPEND_FLAG,
        .read_only = head.flags & DM_READONLY_FLAG,
        .open_count = head.open_count,
        .event = head.event_nr,
    };
    memcpy(ret->name, head.name, sizeof(head.name));
    memcpy(ret->uuid, head.uuid, sizeof(head.uuid));
    return 0;
}

/* The part of a reply behind its head that the kernel filled. */
static int reply_data(const void *reply, size_t length, const char **ret_data, size_t *ret_size, uint32_t *ret_count)
{
    struct dm_ioctl head;

    if (length < offsetof(struct dm_ioctl, data))
        return -EBADMSG;
    memset(&head, 0, sizeof(head));
    memcpy(&head, reply, offsetof(struct dm_ioctl, data));
    if (head.data_start < offsetof(struct dm_ioctl, data) || head.data_size > length || head.data_start > head.data_size)
        return -EBADMSG;
    *ret_data = (const char *)reply + head.data_start;
    *ret_size = head.data_size - head.data_start;
    *ret_count = head.target_count;
    return 0;
}

/* The cursor counts the bytes in its lower half and the targets in its upper one. */
#define CURSOR_SHIFT 32

int dm_reply_next_target(const void *reply, size_t length, size_t *cursor, struct dm_target *ret)
{
    size_t offset = *cursor & UINT32_MAX, done = *cursor >> CURSOR_SHIFT, size;
    struct dm_target_spec spec;
    uint32_t count;
    const char *data;
    int r = reply_data(reply, length, &data, &size, &count);

    if (r < 0)
        return r;
    if (done >= count)
        return 0;
    if (offset > size || size - offset <= sizeof(spec))
        return -EBADMSG;
    memcpy(&spec, data + offset, sizeof(spec));
    ret->type = data + offset + offsetof(struct dm_target_spec, target_type);
    ret->text = data + offset + sizeof(spec);
    if (!memchr(ret->type, '\0', sizeof(spec.target_type)) || !memchr(ret->text, '\0', size - offset - sizeof(spec)))
        return -EBADMSG;
    /* next counts from the begin of the data. */
    if (done + 1 < count && (spec.next <= offset || spec.next > size))
        return -EBADMSG;
    *cursor = ((done + 1) << CURSOR_SHIFT) | (spec.next <= size ? spec.next : size);
    return 1;
}

int dm_reply_next_name(const void *reply, size_t length, size_t *cursor, const char **ret_name, dev_t *ret_number)
{
    size_t offset = *cursor, size;
    struct dm_name_list entry;
    uint32_t count;
    const char *data;
    int r = reply_data(reply, length, &data, &size, &count);

    if (r < 0)
        return r;
    if (offset == SIZE_MAX)
        return 0;
    if (size < offsetof(struct dm_name_list, name) || offset > size - offsetof(struct dm_name_list, name))
        return offset == 0 && size == 0 ? 0 : -EBADMSG;
    memset(&entry, 0, sizeof(entry));
    memcpy(&entry, data + offset, offsetof(struct dm_name_list, name));
    /* A list of no device is one entry of number 0. */
    if (entry.dev == 0)
        return 0;
    *ret_name = data + offset + offsetof(struct dm_name_list, name);
    if (!memchr(*ret_name, '\0', size - offset - offsetof(struct dm_name_list, name)))
        return -EBADMSG;
    *ret_number = makedev((unsigned int)((entry.dev & 0xfff00) >> 8), (unsigned int)((entry.dev & 0xff) | ((entry.dev >> 12) & 0xfff00)));
    if (entry.next != 0 && entry.next > size - offset)
        return -EBADMSG;
    *cursor = entry.next == 0 ? SIZE_MAX : offset + entry.next;
    return 1;
}

/* ---- calls -------------------------------------------------------------------------------------------------------------------------- */

/* How a device is meant: by name where there is one, else by number. */
struct dm_question {
    const char *name;
    dev_t number;
    uint32_t flags;
};

/* The number as the kernel encodes it (new_encode_dev). */
static uint64_t encode_number(dev_t number)
{
    return (minor(number) & 0xff) | (major(number) << 8) | ((uint64_t)(minor(number) & ~0xffU) << 12);
}

static int set_head(struct dm_ioctl *head, const struct dm_question *question, size_t size)
{
    memset(head, 0, sizeof(*head));
    head->version[0] = DM_VERSION_MAJOR;
    head->data_size = (uint32_t)size;
    head->data_start = sizeof(*head);
    head->flags = question->flags;
    if (question->name)
        return text_copy(head->name, sizeof(head->name), question->name) < 0 ? -ENAMETOOLONG : 0;
    head->dev = encode_number(question->number);
    return 0;
}

static int open_control(void)
{
    int fd = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Whether an error of the control node says that this kernel has no device mapper at all. */
static bool means_absent(int error)
{
    return error == -ENOENT || error == -ENODEV || error == -ENXIO;
}

/* Asks, with a larger buffer where the reply did not fit. Returns 0 and fresh memory, or -errno. */
static int ask(unsigned long request, const struct dm_question *question, void **ret_reply, size_t *ret_length)
{
    _cleanup_close_ int fd = open_control();

    if (fd < 0)
        return fd;
    for (size_t size = REPLY_SIZE; size <= REPLY_LIMIT; size *= 4) {
        _cleanup_free_ struct dm_ioctl *head = calloc(1, size);
        int r;

        if (!head)
            return -ENOMEM;
        r = set_head(head, question, size);
        if (r < 0)
            return r;
        if (ioctl(fd, request, head) < 0)
            return -errno;
        if (head->flags & DM_BUFFER_FULL_FLAG)
            continue;
        *ret_reply = TAKE_PTR(head);
        *ret_length = size;
        return 0;
    }
    return -EMSGSIZE;
}

static int look(const struct dm_question *question, struct dm_device *ret)
{
    _cleanup_close_ int fd = open_control();
    struct dm_ioctl head;
    int r;

    if (fd < 0)
        return means_absent(fd) ? 0 : fd;
    r = set_head(&head, question, sizeof(head));
    if (r < 0)
        return r;
    if (ioctl(fd, DM_DEV_STATUS, &head) < 0)
        return errno == ENXIO ? 0 : -errno;
    r = dm_reply_parse(&head, sizeof(head), ret);
    return r < 0 ? r : 1;
}

int device_mapper_look(const char *name, struct dm_device *ret)
{
    return look(&(struct dm_question){ .name = name }, ret);
}

int device_mapper_look_number(dev_t number, struct dm_device *ret)
{
    return look(&(struct dm_question){ .number = number }, ret);
}

int device_mapper_target(dev_t number, enum dm_text kind, char *type, size_t type_size, char *text, size_t text_size)
{
    const struct dm_question question = {
        .number = number,
        /* Without NOFLUSH some targets write their metadata first, which may hang. */
        .flags = DM_NOFLUSH_FLAG | (kind == DM_TEXT_TABLE ? DM_STATUS_TABLE_FLAG : 0),
    };
    _cleanup_free_ void *reply = NULL;
    struct dm_target target;
    size_t length, cursor = 0;
    int r = ask(DM_TABLE_STATUS, &question, &reply, &length);

    if (r < 0)
        return means_absent(r) ? -ENXIO : r;
    r = dm_reply_next_target(reply, length, &cursor, &target);
    if (r <= 0)
        return r < 0 ? r : -ENODATA;
    if (text_copy(type, type_size, target.type) < 0 || text_copy(text, text_size, target.text) < 0)
        return -EMSGSIZE;
    return 0;
}

int device_mapper_visit(dm_visitor visitor, void *argument)
{
    _cleanup_free_ void *reply = NULL;
    size_t length, cursor = 0;
    const char *name;
    dev_t number;
    int r = ask(DM_LIST_DEVICES, &(struct dm_question){ .flags = 0 }, &reply, &length);

    if (r < 0)
        return means_absent(r) ? 0 : r;
    while ((r = dm_reply_next_name(reply, length, &cursor, &name, &number)) > 0) {
        struct dm_device device;

        r = device_mapper_look_number(number, &device);
        /* Gone since the list was made. */
        if (r == 0)
            continue;
        if (r > 0)
            r = visitor(argument, &device);
        if (r != 0)
            return r;
    }
    return r;
}

struct message_request {
    dev_t number;
    char message[64];
};

/* A message lies behind the head: the sector (0: the first target), then the text (struct dm_target_msg). */
static int send_message(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct message_request *request = argument;
    int *error = reply;
    _cleanup_close_ int fd = open_control();
    _Alignas(struct dm_ioctl) char call[sizeof(struct dm_ioctl) + sizeof(struct dm_target_msg) + sizeof(request->message)] = { 0 };

    if (fd < 0)
        return means_absent(fd) ? -ENXIO : fd;
    (void)set_head((struct dm_ioctl *)call, &(struct dm_question){ .number = request->number }, sizeof(call));
    memcpy(call + sizeof(struct dm_ioctl) + sizeof(struct dm_target_msg), request->message, sizeof(request->message));
    if (ioctl(fd, DM_TARGET_MSG, call) < 0)
        *error = -errno;
    return 0;
}

int device_mapper_message(dev_t number, const char *message, struct deadline deadline)
{
    struct message_request request = { .number = number };
    int error = 0;
    int r = text_copy(request.message, sizeof(request.message), message);

    /* Not one at a time with readers of the device: this is what sets them free. */
    r = r < 0 ? r : child_call(send_message, &request, &error, sizeof(error), NULL, deadline);
    return r < 0 ? r : error;
}

struct remove_request {
    char name[DM_NAME_LEN];
};

static int remove_device(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct remove_request *request = argument;
    int *error = reply;
    _cleanup_close_ int fd = open_control();
    struct dm_ioctl head;

    if (fd < 0)
        return means_absent(fd) ? -ENXIO : fd;
    (void)set_head(&head, &(struct dm_question){ .name = request->name }, sizeof(head));
    if (ioctl(fd, DM_DEV_REMOVE, &head) < 0)
        *error = errno == EBUSY ? -EEXIST : -errno;
    return 0;
}

int device_mapper_remove(const char *name, struct deadline deadline)
{
    struct remove_request request;
    char lock[STORAGE_NAME_SIZE];
    int error = 0;
    int r = text_copy(request.name, sizeof(request.name), name);

    r = r < 0 ? r : storage_call(remove_device, &request, &error, sizeof(error), storage_name_path(name, lock), deadline);
    return r < 0 ? r : error;
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------- */

static size_t append_escaped(char *buffer, size_t size, size_t used, const char *name)
{
    for (; *name; name++) {
        for (int copies = *name == '-' ? 2 : 1; copies > 0; copies--) {
            if (used + 1 < size)
                buffer[used] = *name;
            used++;
        }
    }
    return used;
}

int device_mapper_lvm_name(const char *volume_group, const char *logical_volume, char *buffer, size_t size)
{
    size_t used = append_escaped(buffer, size, 0, volume_group);

    if (used + 1 < size)
        buffer[used] = '-';
    used = append_escaped(buffer, size, used + 1, logical_volume);
    if (used >= size)
        return -ENAMETOOLONG;
    buffer[used] = '\0';
    return 0;
}
