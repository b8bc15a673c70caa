/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

char *unit_make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;

    assert_true(asprintf(&path, "%s/vigil-unit-XXXXXX", base && *base ? base : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/* What is still at work in it (a recorder's writer goes on without the recorder) may put something there meanwhile. */

void unit_remove_folder(char *path)
{
    for (int tries = 0; nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT; tries++) {
        assert_in_range(tries, 0, 2000);
        (void)usleep(10000);
    }
    free(path);
}

size_t unit_count_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

static int cover(const char *path)
{
    char top[256];
    size_t length = strcspn(path + 1, "/") + 1;

    if (length >= sizeof(top))
        return -1;
    memcpy(top, path, length);
    top[length] = '\0';
    return mount("tmpfs", top, "tmpfs", 0, "mode=755");
}

int unit_private_folders(const char *path, const char *other)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    return cover(path) < 0 || (other && cover(other) < 0) ? -1 : 0;
}

/* A file in memory that holds text, read from its start. */
static int memory_file(const char *text)
{
    int fd = memfd_create("unit", 0);

    assert_true(fd >= 0);
    if (text)
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void read_back(int fd, char *buffer, size_t size)
{
    ssize_t length = pread(fd, buffer, size - 1, 0);

    assert_true(length >= 0);
    buffer[length] = '\0';
    (void)close(fd);
}

void unit_run(struct unit_run *run, int (*function)(void *context), void *context, const char *input)
{
    int input_fd = input ? memory_file(input) : open("/dev/null", O_RDONLY);
    int output_fd = memory_file(NULL), error_fd = memory_file(NULL), status = 0;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int code;

        (void)alarm(60);
        (void)dup2(input_fd, STDIN_FILENO);
        (void)dup2(output_fd, STDOUT_FILENO);
        (void)dup2(error_fd, STDERR_FILENO);
        code = function(context);
        (void)fflush(stdout);
        _exit(code);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(input_fd);
    run->code = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    read_back(output_fd, run->output, sizeof(run->output));
    read_back(error_fd, run->errors, sizeof(run->errors));
}
