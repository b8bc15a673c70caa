/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of a process and of its workers: each writes into the file, and nothing of it comes where a worker has opened something else under the file's number. */
#include "unit.h"

#include <dlfcn.h>
#include <poll.h>
#include <qb/qblog.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/log.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/file.h"
#include "base/text.h"

#define ANSWER "the worker's answer"
#define WAIT_MS 60000

static char *log_path;

static bool log_holds(const char *text)
{
    _cleanup_free_ char *content = NULL;
    size_t length = 0;

    assert_int_equal(file_read(log_path, 65536, &content, &length), 0);
    return strstr(content, text) != NULL;
}

static int own_log(void **state)
{
    char *folder = unit_make_folder();

    *state = folder;
    log_path = text_printf("%s/log", folder);
    return log_path && setenv("PCMK_logfile", log_path, 1) == 0 ? 0 : -1;
}

static int remove_log(void **state)
{
    unit_remove_folder(*state);
    free(log_path);
    return 0;
}

/* As Pacemaker 3.0's library does while it is set up: through the libqb that is there, before it has set it up anew. */
static void library_says(const char *text)
{
    void *library = dlopen("libqb.so.100", RTLD_NOW | RTLD_NOLOAD);
    __typeof__(qb_log_from_external_source) *line;

    if (!library)
        _exit(3);
    *(void **)&line = dlsym(library, "qb_log_from_external_source");
    if (!line)
        _exit(4);
    line(__func__, __FILE__, "%s", LOG_ERR, __LINE__, 0, text);
}

static int worker(int fd, void *argument)
{
    library_says("a library's line");
    if (argument)
        log_error("%s", (const char *)argument);
    return send(fd, ANSWER, sizeof(ANSWER), MSG_NOSIGNAL) == (ssize_t)sizeof(ANSWER) ? 0 : 1;
}

/* The first thing that a worker sends is its answer. */
static void assert_worker_answers(void *argument)
{
    char answer[4096] = "";
    _cleanup_close_ int fd = -1;
    pid_t pid;
    int status;

    assert_int_equal(child_worker(worker, argument, &fd, &pid), 0);
    assert_int_equal(deadline_wait_fd(deadline_in(WAIT_MS), fd, POLLIN) & POLLIN, POLLIN);
    assert_int_equal(recv(fd, answer, sizeof(answer) - 1, 0), sizeof(ANSWER));
    assert_string_equal(answer, ANSWER);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_worker_says_nothing_into_its_socket(void **state)
{
    (void)state;
    log_error("before");
    assert_true(log_holds("error: before"));
    assert_worker_answers(NULL);
    assert_false(log_holds("a library's line"));
}

static void test_worker_logs_into_the_file(void **state)
{
    char line[] = "a line of the worker";

    (void)state;
    log_error("before it");
    assert_worker_answers(line);
    assert_true(log_holds("error: a line of the worker"));
    log_error("after it");
    assert_true(log_holds("error: after it"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_says_nothing_into_its_socket),
        cmocka_unit_test(test_worker_logs_into_the_file),
    };

    return cmocka_run_group_tests(tests, own_log, remove_log);
}
