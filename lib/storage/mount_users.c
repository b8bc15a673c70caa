/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/mount_users.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"

#define FDINFO_LIMIT 65536
#define MAPS_LIMIT ((size_t)64 << 20)
#define UNIX_LIMIT ((size_t)64 << 20)
/* One process is looked at within this time, or given up: its memory map waits where it waits for storage with its memory locked. */
#define PROCESS_LIMIT_MS 1000
#define DESCRIBED_MAXIMUM 5

/* The sockets that are bound on the mounts; beyond the bound the rest shows once the first have gone. */
struct mount_sockets {
    size_t count;
    uint64_t inodes[64];
};

/* ---- texts of /proc ----------------------------------------------------------------------------------------------------------- */

int fdinfo_mount_id(const char *text, size_t length, uint64_t *ret)
{
    static const char key[] = "mnt_id:";
    const char *found = memmem(text, length, key, sizeof(key) - 1);
    const char *end = text + length;
    uint64_t number = 0;
    bool digit = false;

    if (!found || (found != text && found[-1] != '\n'))
        return -ENODATA;
    for (found += sizeof(key) - 1; found < end && (*found == ' ' || *found == '\t'); found++)
        ;
    for (; found < end && *found >= '0' && *found <= '9'; found++) {
        if (number > (UINT64_MAX - 9) / 10)
            return -ENODATA;
        number = number * 10 + (uint64_t)(*found - '0');
        digit = true;
    }
    if (!digit)
        return -ENODATA;
    *ret = number;
    return 0;
}

/* Whether the path of a map, in which the kernel writes a newline as \012 (fs/proc/task_mmu.c), begins with folder. */
static bool map_path_within(const char *path, size_t length, const char *folder)
{
    size_t i = 0;

    for (; *folder; folder++) {
        char byte;

        if (i >= length)
            return false;
        if (length - i >= 4 && memcmp(path + i, "\\012", 4) == 0 && *folder == '\n') {
            byte = '\n';
            i += 4;
        } else {
            byte = path[i++];
        }
        if (byte != *folder)
            return false;
    }
    return i == length || path[i] == '/';
}

/* "fd:01" in hexadecimal. */
static bool parse_map_device(const char *word, size_t length, dev_t *ret)
{
    char text[32];
    char *colon;
    uint64_t major_number, minor_number;

    if (length >= sizeof(text))
        return false;
    memcpy(text, word, length);
    text[length] = '\0';
    colon = strchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    if (number_parse_hex(text, &major_number) < 0 || number_parse_hex(colon + 1, &minor_number) < 0 ||
        major_number > UINT32_MAX || minor_number > UINT32_MAX)
        return false;
    *ret = makedev((unsigned int)major_number, (unsigned int)minor_number);
    return true;
}

bool map_line_matches(const char *line, size_t length, dev_t device, const char *folder)
{
    /* start-end perms offset MAJOR:MINOR inode   path: what stands before the path fits this. */
    char head[128];
    const char *cursor = head, *word = head;
    size_t used = length < sizeof(head) - 1 ? length : sizeof(head) - 1, word_length = 0;
    dev_t found = 0;

    memcpy(head, line, used);
    head[used] = '\0';
    for (int field = 1; field <= 5; field++) {
        if (!text_next_word(&cursor, " ", &word, &word_length))
            return false;
        if (field == 4 && !parse_map_device(word, word_length, &found))
            return false;
    }
    used = (size_t)(word - head) + word_length;
    while (used < length && line[used] == ' ')
        used++;
    return found == device && used < length && map_path_within(line + used, length - used, folder);
}

uint64_t unix_line_inode(const char *line, size_t length, const char *folder)
{
    /* Num: RefCount Protocol Flags Type St Inode Path */
    char text[256];
    const char *cursor = text, *word = text;
    size_t used = length < sizeof(text) - 1 ? length : sizeof(text) - 1, word_length = 0;
    char number[24];
    uint64_t inode = 0;

    memcpy(text, line, used);
    text[used] = '\0';
    for (int field = 1; field <= 7; field++) {
        if (!text_next_word(&cursor, " ", &word, &word_length))
            return 0;
    }
    if (word_length >= sizeof(number))
        return 0;
    memcpy(number, word, word_length);
    number[word_length] = '\0';
    used = (size_t)(word - text) + word_length + 1;
    if (number_parse_unsigned(number, UINT64_MAX, &inode) < 0 || used >= length || !map_path_within(line + used, length - used, folder))
        return 0;
    return inode;
}

/* ---- one process --------------------------------------------------------------------------------------------------------------- */

static bool set_has_id(const struct mount_set *set, uint64_t id)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->entries[i]->id == id)
            return true;
    }
    return false;
}

static bool fd_uses(const char *pid, const char *fd, const struct mount_set *set)
{
    char path[300];
    _cleanup_free_ char *text = NULL;
    size_t length;
    uint64_t id;

    if (text_format(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd) < 0 || file_read(path, FDINFO_LIMIT, &text, &length) < 0)
        return false;
    return fdinfo_mount_id(text, length, &id) == 0 && set_has_id(set, id);
}

static bool fd_is_socket(const char *pid, const char *fd, const struct mount_sockets *sockets)
{
    char path[300], text[64], wanted[64];
    ssize_t length;

    if (text_format(path, sizeof(path), "/proc/%s/fd/%s", pid, fd) < 0)
        return false;
    length = readlink(path, text, sizeof(text) - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    for (size_t i = 0; i < sockets->count; i++) {
        (void)text_format(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", sockets->inodes[i]);
        if (text_equal(text, wanted))
            return true;
    }
    return false;
}

static bool sockets_use(const char *pid, const struct mount_sockets *sockets)
{
    char path[64];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;

    if (sockets->count == 0)
        return false;
    (void)text_format(path, sizeof(path), "/proc/%s/fd", pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && fd_is_socket(pid, entry->d_name, sockets))
            return true;
    }
    return false;
}

static bool files_use(const char *pid, const struct mount_set *set)
{
    char path[64];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;

    (void)text_format(path, sizeof(path), "/proc/%s/fdinfo", pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && fd_uses(pid, entry->d_name, set))
            return true;
    }
    return false;
}

static bool text_names_set(const char *text, const struct mount_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (path_is_within(text, set->entries[i]->mount_point))
            return true;
    }
    return false;
}

/* cwd, root, exe. The link's text is the kernel's own; only where it names our mount is the target asked which mount it is on, since asking one
 * on dead network storage would hang. A mount that was taken out of the tree has lost its mount point from the texts: then all are asked. */
static bool link_uses(const char *pid, const char *name, const struct mount_set *set)
{
    char path[64], text[4200];
    struct statx status;
    ssize_t length;

    (void)text_format(path, sizeof(path), "/proc/%s/%s", pid, name);
    length = readlink(path, text, sizeof(text) - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    if (!set->detached && !text_names_set(text, set))
        return false;
    if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) < 0 || !(status.stx_mask & STATX_MNT_ID))
        return false;
    return set_has_id(set, status.stx_mnt_id);
}

static bool maps_text_uses(const char *text, size_t length, const struct mount_set *set)
{
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line = newline ? (size_t)(newline - text) : (size_t)(end - text);

        for (size_t i = 0; i < set->count; i++) {
            if (map_line_matches(text, line, set->entries[i]->device, set->detached ? "" : set->entries[i]->mount_point))
                return true;
        }
        text += line + 1;
    }
    return false;
}

static bool maps_use(const char *pid, const struct mount_set *set)
{
    char path[64];
    _cleanup_free_ char *text = NULL;
    size_t length;

    (void)text_format(path, sizeof(path), "/proc/%s/maps", pid);
    return file_read(path, MAPS_LIMIT, &text, &length) == 0 && maps_text_uses(text, length, set);
}

/* Returns how the process uses the set: enum mount_use, 0 for not at all. */
static unsigned int process_use(const char *pid, const struct mount_set *set, const struct mount_sockets *sockets)
{
    unsigned int use = 0;

    if (files_use(pid, set))
        use |= MOUNT_USE_FILE;
    if (link_uses(pid, "cwd", set) || link_uses(pid, "root", set))
        use |= MOUNT_USE_FOLDER;
    if (link_uses(pid, "exe", set))
        use |= MOUNT_USE_PROGRAM;
    if (use == 0 && sockets_use(pid, sockets))
        use |= MOUNT_USE_SOCKET;
    /* The longest text last, and only where nothing else told. */
    if (use == 0 && maps_use(pid, set))
        use |= MOUNT_USE_MAP;
    return use;
}

/* ---- all processes --------------------------------------------------------------------------------------------------------------- */

/* Shared with the child that scans, so that what it found stays when it hangs at one process. */
struct scan {
    const struct mount_set *set;
    pid_t self;
    pid_t current;  /* the process that is being looked at */
    pid_t behind;   /* begin behind this one: /proc lists them in ascending order */
    struct mount_sockets sockets;
    struct mount_users found;
};

static void find_sockets(const struct mount_set *set, struct mount_sockets *sockets)
{
    _cleanup_free_ char *text = NULL;

    sockets->count = 0;
    if (file_read("/proc/self/net/unix", UNIX_LIMIT, &text, NULL) < 0)
        return;
    for (const char *line = text; *line && sockets->count < ARRAY_SIZE(sockets->inodes);) {
        size_t length = strcspn(line, "\n");
        uint64_t inode = 0;

        for (size_t i = 0; i < set->count && inode == 0; i++)
            inode = unix_line_inode(line, length, set->entries[i]->mount_point);
        if (inode != 0)
            sockets->inodes[sockets->count++] = inode;
        line += length + (line[length] == '\n');
    }
}

/* The parent of a process, 0 for none: the second word behind the command's name in /proc/PID/stat, see proc(5). */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512], number[16];
    const char *cursor, *word;
    size_t length = 0;
    int64_t parent;

    (void)text_format(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    if (file_read_line(path, text, sizeof(text)) < 0)
        return 0;
    cursor = strrchr(text, ')');
    if (!cursor)
        return 0;
    cursor++;
    if (!text_next_word(&cursor, " ", &word, &length) || !text_next_word(&cursor, " ", &word, &length) || length >= sizeof(number))
        return 0;
    memcpy(number, word, length);
    number[length] = '\0';
    return number_parse(number, 0, INT32_MAX, &parent) == 0 ? (pid_t)parent : 0;
}

static bool is_untouchable(pid_t pid, pid_t self)
{
    if (pid == 1)
        return true;
    for (pid_t ancestor = self; ancestor > 0; ancestor = parent_of(ancestor)) {
        if (ancestor == pid)
            return true;
    }
    return false;
}

static void read_command(pid_t pid, char *buffer, size_t size)
{
    char path[64], command[64] = "?";

    (void)text_format(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    (void)file_read_line(path, command, sizeof(command));
    (void)text_format(buffer, size, "%s", command);
}

static void add_user(struct scan *scan, pid_t pid, unsigned int use)
{
    struct mount_users *found = &scan->found;
    struct mount_user *user;

    if (found->count == MOUNT_USERS_MAXIMUM) {
        found->more = true;
        return;
    }
    user = &found->users[found->count];
    *user = (struct mount_user){ .pid = pid, .use = use, .untouchable = is_untouchable(pid, scan->self) };
    read_command(pid, user->command, sizeof(user->command));
    found->count++;
}

static int scan_processes(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    struct scan *scan = argument;
    _cleanup_closedir_ DIR *folder = opendir("/proc");
    const struct dirent *entry;

    if (!folder)
        return -errno;
    find_sockets(scan->set, &scan->sockets);
    while ((entry = readdir(folder))) {
        int64_t pid;
        unsigned int use;

        if (!isdigit((unsigned char)entry->d_name[0]) || number_parse(entry->d_name, 1, INT32_MAX, &pid) < 0)
            continue;
        if (pid <= scan->behind || pid == getpid())
            continue;
        scan->current = (pid_t)pid;
        use = process_use(entry->d_name, scan->set, &scan->sockets);
        if (use != 0)
            add_user(scan, (pid_t)pid, use);
    }
    return 0;
}

int mount_users_find(const struct mount_set *set, struct deadline deadline, struct mount_users *ret)
{
    struct scan *scan = mmap(NULL, sizeof(*scan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r;

    if (scan == MAP_FAILED)
        return -errno;
    scan->set = set;
    scan->self = getpid();
    for (;;) {
        pid_t behind = scan->behind;

        r = child_call(scan_processes, scan, NULL, 0, NULL, deadline_within(deadline, PROCESS_LIMIT_MS));
        /* A process that cannot be looked at is left out; one step further each time. */
        if (r != -ETIMEDOUT || deadline_passed(deadline) || scan->current <= behind)
            break;
        scan->behind = scan->current;
    }
    if (r == 0)
        *ret = scan->found;
    (void)munmap(scan, sizeof(*scan));
    return r;
}

/* Whether the process is still the user that was found. A map was read in the child, since that may hang, and
 * sockets were: there the command's name has to do. */
static bool is_still_user(const struct mount_set *set, const struct mount_user *user)
{
    char pid[24], command[sizeof(user->command)];

    (void)text_format(pid, sizeof(pid), "%ld", (long)user->pid);
    if (!(user->use & (MOUNT_USE_MAP | MOUNT_USE_SOCKET)))
        return files_use(pid, set) || link_uses(pid, "cwd", set) || link_uses(pid, "root", set) || link_uses(pid, "exe", set);
    read_command(user->pid, command, sizeof(command));
    return text_equal(command, user->command);
}

static bool signal_user(const struct mount_set *set, const struct mount_user *user, int signal_number)
{
    /* The pidfd holds the process: its number cannot become another's between the look and the signal. */
    _cleanup_close_ int pidfd = pidfd_open(user->pid, 0);

    return pidfd >= 0 && is_still_user(set, user) && pidfd_send_signal(pidfd, signal_number, NULL, 0) == 0;
}

size_t mount_users_signal(const struct mount_set *set, const struct mount_users *users, int signal_number)
{
    size_t count = 0;

    for (size_t i = 0; i < users->count; i++) {
        if (!users->users[i].untouchable)
            count += signal_user(set, &users->users[i], signal_number);
    }
    return count;
}

static const char *use_name(unsigned int use)
{
    if (use & MOUNT_USE_FILE)
        return "open file";
    if (use & MOUNT_USE_FOLDER)
        return "working folder";
    if (use & MOUNT_USE_SOCKET)
        return "bound socket";
    return use & MOUNT_USE_PROGRAM ? "program" : "mapped file";
}

void mount_users_describe(const struct mount_users *users, struct text_buffer *text)
{
    for (size_t i = 0; i < users->count && i < DESCRIBED_MAXIMUM; i++)
        text_buffer_printf(text, "%s%ld (%s: %s%s)", i > 0 ? ", " : "", (long)users->users[i].pid, users->users[i].command,
                           use_name(users->users[i].use), users->users[i].untouchable ? ", not to be ended" : "");
    if (users->count > DESCRIBED_MAXIMUM)
        text_buffer_printf(text, " and %zu more", users->count - DESCRIBED_MAXIMUM);
}
