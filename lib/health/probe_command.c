/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes of this node: a process of the application by name, and a command.
 */
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "health/probe_kinds.h"
#include "health/reply.h"

/* /proc/PID/comm holds at most 15 bytes of the name: proc(5). */
#define COMM_LENGTH 15

static bool is_named(pid_t pid, const char *name)
{
    char path[40], comm[64];

    (void)text_format(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    return file_read_line(path, comm, sizeof(comm)) > 0 && strncmp(comm, name, COMM_LENGTH) == 0;
}

int probe_ask_process(const struct probe_url *url, const struct probe_context *context,
                      struct deadline deadline _unused_, struct text_buffer *why)
{
    pid_t pids[1024];
    int count = context->set ? process_set_list(context->set, pids, ARRAY_SIZE(pids)) : 0;

    if (count < 0)
        return count;
    for (int i = 0; i < count && i < (int)ARRAY_SIZE(pids); i++)
        if (!url->path[0] || is_named(pids[i], url->path))
            return 0;
    text_buffer_printf(why, "the application has no such process");
    return -ESRCH;
}

static int judge_result(const struct probe_url *url, const struct child_result *result, struct text_buffer *why)
{
    char line[160];
    const char *output = result->output.text ? result->output.text : "";

    if (result->exit_code == 0 && (!url->text[0] || strstr(output, url->text)))
        return 0;
    if (result->exit_code == 0)
        text_buffer_printf(why, "the text '%s' is not in its output", url->text);
    else if (result->signal)
        text_buffer_printf(why, "ended by signal %d", result->signal);
    else
        text_buffer_printf(why, "exit code %d", result->exit_code);
    if (result->output.length > 0)
        text_buffer_printf(why, ", it said: %s",
                           reply_first_line(output, result->output.length, line, sizeof(line)));
    return -EPROTO;
}

int probe_ask_exec(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why)
{
    _cleanup_vector_ char **vector = NULL;
    _cleanup_child_result_ struct child_result result = { 0 };
    struct child_spec spec = { .user = context->user,
                               .group = context->group,
                               .directory = context->directory,
                               .environment = context->environment };
    int r = text_split_command(url->path, &vector);

    if (r < 0)
        return r;
    spec.argv = (const char *const *)vector;
    r = child_run(&spec, deadline, &result);
    if (r == 0)
        return judge_result(url, &result, why);
    if (r != -ETIMEDOUT)
        text_buffer_printf(why, "can't be run: %s", strerror(-r));
    return r;
}
