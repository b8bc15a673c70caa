/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/mount_call.h"

#include <fcntl.h>
#include <libmount/libmount.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "base/text.h"
#include "storage/mount_users.h"
#include "storage/storage_call.h"

/* The functions of libmount that are used, by its own types. */
struct libmount {
    __typeof__(mnt_new_context) *new_context;
    __typeof__(mnt_free_context) *free_context;
    __typeof__(mnt_context_set_source) *set_source;
    __typeof__(mnt_context_set_target) *set_target;
    __typeof__(mnt_context_set_fstype) *set_fstype;
    __typeof__(mnt_context_set_options) *set_options;
    __typeof__(mnt_context_disable_helpers) *disable_helpers;
    __typeof__(mnt_context_mount) *mount;
    __typeof__(mnt_context_get_excode) *get_excode;
    __typeof__(mnt_context_get_syscall_errno) *get_syscall_errno;
    __typeof__(mnt_context_syscall_called) *syscall_called;
    __typeof__(mnt_new_update) *new_update;
    __typeof__(mnt_free_update) *free_update;
    __typeof__(mnt_update_set_fs) *update_set_fs;
    __typeof__(mnt_update_table) *update_table;
};

static int open_library(struct libmount *ret)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(ret->new_context, "mnt_new_context"),
        LIBRARY_SYMBOL(ret->free_context, "mnt_free_context"),
        LIBRARY_SYMBOL(ret->set_source, "mnt_context_set_source"),
        LIBRARY_SYMBOL(ret->set_target, "mnt_context_set_target"),
        LIBRARY_SYMBOL(ret->set_fstype, "mnt_context_set_fstype"),
        LIBRARY_SYMBOL(ret->set_options, "mnt_context_set_options"),
        LIBRARY_SYMBOL(ret->disable_helpers, "mnt_context_disable_helpers"),
        LIBRARY_SYMBOL(ret->mount, "mnt_context_mount"),
        LIBRARY_SYMBOL(ret->get_excode, "mnt_context_get_excode"),
        LIBRARY_SYMBOL(ret->get_syscall_errno, "mnt_context_get_syscall_errno"),
        LIBRARY_SYMBOL(ret->syscall_called, "mnt_context_syscall_called"),
        LIBRARY_SYMBOL(ret->new_update, "mnt_new_update"),
        LIBRARY_SYMBOL(ret->free_update, "mnt_free_update"),
        LIBRARY_SYMBOL(ret->update_set_fs, "mnt_update_set_fs"),
        LIBRARY_SYMBOL(ret->update_table, "mnt_update_table"),
    };

    return library_load("libmount.so.1", "libmount1", symbols, ARRAY_SIZE(symbols), NULL);
}

struct mount_reply {
    char message[256];
};

static int run_context(const struct libmount *library, struct libmnt_context *context, const struct mount_request *request,
                       struct mount_reply *reply)
{
    int r;

    (void)library->disable_helpers(context, 1);
    if (library->set_source(context, request->source) < 0 || library->set_target(context, request->target) < 0 ||
        (request->type && library->set_fstype(context, request->type) < 0) ||
        (!text_empty(request->options) && library->set_options(context, request->options) < 0))
        return -EINVAL;
    r = library->mount(context);
    if (r == 0)
        return 0;
    (void)library->get_excode(context, r, reply->message, sizeof(reply->message));
    if (library->syscall_called(context) && library->get_syscall_errno(context) != 0)
        return -library->get_syscall_errno(context);
    return r < 0 ? r : -EINVAL;
}

static int run_libmount(const struct mount_request *request, struct mount_reply *reply)
{
    struct libmount library = { 0 };
    struct libmnt_context *context;
    int r = open_library(&library);

    if (r < 0)
        return r;
    context = library.new_context();
    if (!context)
        return -ENOMEM;
    r = run_context(&library, context, request, reply);
    library.free_context(context);
    return r;
}

static int mount_in_child(void *argument, void *reply, size_t reply_size _unused_)
{
    int r = run_libmount(argument, reply);

    /* EBUSY is also storage_call's own answer. */
    return r == -EBUSY ? -EEXIST : r;
}

int mount_volume(const struct mount_request *request, const char *name, struct deadline deadline, char *message, size_t size)
{
    struct mount_request copy = *request;
    struct mount_reply reply = { "" };
    int r = storage_call(mount_in_child, &copy, &reply, sizeof(reply), name, deadline);

    (void)text_format(message, size, "%s", reply.message);
    return r;
}

/* Whether the mount that the path leads to is the one that was meant: by the number that the kernel shows for a descriptor, which asks nothing of
 * the storage. own_fdinfo is our /proc/self/fdinfo, since another mount namespace may have no /proc, or another's. */
static bool is_meant(const struct unmount_request *request, int own_fdinfo)
{
    _cleanup_close_ int fd = open(request->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int info_fd = -1;
    char name[16], text[1024];
    ssize_t length;
    uint64_t id;

    if (fd < 0 || text_format(name, sizeof(name), "%d", fd) < 0)
        return false;
    info_fd = openat(own_fdinfo, name, O_RDONLY | O_CLOEXEC);
    if (info_fd < 0)
        return false;
    length = read(info_fd, text, sizeof(text));
    return length > 0 && fdinfo_mount_id(text, (size_t)length, &id) == 0 && id == request->mount_id;
}

static int write_back(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    return syncfs(fd) < 0 ? -errno : 0;
}

/* The programs of util-linux keep user-space options of a mount in /run/mount/utab: takes ours out, where there is such a file at all. */
static void forget_in_utab(const char *path)
{
    struct libmount library = { 0 };
    struct libmnt_update *update;
    struct stat status;

    if (stat("/run/mount/utab", &status) < 0 || status.st_size == 0 || open_library(&library) < 0)
        return;
    update = library.new_update();
    if (update && library.update_set_fs(update, 0, path, NULL) == 0)
        (void)library.update_table(update, NULL);
    library.free_update(update);
}

static int enter_namespace(pid_t pid)
{
    char path[64];
    _cleanup_close_ int fd = -1;

    (void)text_format(path, sizeof(path), "/proc/%ld/ns/mnt", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
        return -errno;
    return 0;
}

static int unmount_in_child(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct unmount_request *request = argument;
    struct unmount_reply *answer = reply;
    _cleanup_close_ int own_fdinfo = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (own_fdinfo < 0)
        return -errno;
    if (request->namespace_of != 0) {
        answer->error = enter_namespace(request->namespace_of);
        if (answer->error < 0)
            return 0;
    }
    if (!is_meant(request, own_fdinfo)) {
        answer->error = -ESTALE;
        return 0;
    }
    if (request->sync)
        answer->sync_error = write_back(request->path);
    if (umount2(request->path, UMOUNT_NOFOLLOW | (request->kind == UNMOUNT_DETACH ? MNT_DETACH : 0)) < 0)
        answer->error = -errno;
    else if (request->namespace_of == 0)
        forget_in_utab(request->path);
    return 0;
}

int unmount_path(const struct unmount_request *request, const char *name, struct deadline deadline, struct unmount_reply *ret)
{
    struct unmount_request copy = *request;

    *ret = (struct unmount_reply){ 0 };
    return storage_call(unmount_in_child, &copy, ret, sizeof(*ret), name, deadline);
}
