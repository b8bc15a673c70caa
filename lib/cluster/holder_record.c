/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/holder_record.h"

#include <inttypes.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "cluster/fence_history.h"

#define ATTRIBUTE_PREFIX "vigil-holder-"
/* crm_attribute's code for an attribute that does not exist (Pacemaker's CRM_EX_NOSUCH). */
#define EXIT_NO_SUCH 105
#define RETRY_MS 250

/* ---- the record ------------------------------------------------------------------------------------------------------------------------ */

static int parse_word(const char **cursor, char *buffer, size_t size)
{
    const char *word;
    size_t length;

    if (!text_next_word(cursor, " ", &word, &length) || length >= size)
        return -EBADMSG;
    memcpy(buffer, word, length);
    buffer[length] = '\0';
    return 0;
}

int holder_record_parse(const char *text, size_t length, struct holder_record *ret)
{
    struct holder_record record = { .held = false };
    char copy[CLUSTER_NAME_MAX + 64], state[16], seconds[24], rest[2];
    const char *cursor = copy;

    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';
    cursor = text_trim(copy);
    if (parse_word(&cursor, state, sizeof(state)) < 0 || parse_word(&cursor, record.node, sizeof(record.node)) < 0 ||
        parse_word(&cursor, seconds, sizeof(seconds)) < 0 || number_parse(seconds, 0, INT64_MAX, &record.fenced_s) < 0)
        return -EBADMSG;
    if (parse_word(&cursor, rest, sizeof(rest)) == 0)
        return -EBADMSG;
    record.held = text_equal(state, "held");
    if (!record.held && !text_equal(state, "released"))
        return -EBADMSG;
    *ret = record;
    return 0;
}

/* ---- crm_attribute --------------------------------------------------------------------------------------------------------------------- */

/* Only what stands on standard output counts as a value. */
static int run_attribute(const char *const *argv, struct deadline deadline, struct child_result *result)
{
    const struct child_spec spec = { .argv = argv, .error_path = "/dev/null" };
    int r = child_run(&spec, deadline, result);

    if (r < 0)
        return r;
    if (result->exit_code == EXIT_NO_SUCH)
        return 0;
    return result->exit_code == 0 ? 1 : -ENOTCONN;
}

static int read_once(const char *name, struct deadline deadline, struct holder_record *ret)
{
    const char *const argv[] = { "crm_attribute", "--type", "crm_config", "--name", name, "--query", "--quiet", NULL };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r = run_attribute(argv, deadline, &result);

    if (r <= 0)
        return r;
    /* Deleted by setting it to nothing. */
    if (!result.output.text || *text_trim(result.output.text) == '\0')
        return 0;
    r = holder_record_parse(result.output.text, strlen(result.output.text), ret);
    return r < 0 ? r : 1;
}

/* The last try may be cut off by the end of the time: what the cluster has answered before tells more. */
static int said_before(bool refused, int result)
{
    return refused && result == -ETIMEDOUT ? -ENOTCONN : result;
}

int holder_record_read(const char *resource, struct deadline deadline, struct holder_record *ret)
{
    _cleanup_free_ char *name = text_printf(ATTRIBUTE_PREFIX "%s", resource);
    bool refused = false;

    if (!name)
        return -ENOMEM;
    for (;;) {
        int r = said_before(refused, read_once(name, deadline, ret));

        /* The CIB is not reached for a moment while a node joins. */
        if (r != -ENOTCONN || deadline_sleep(deadline, RETRY_MS) < 0)
            return r;
        refused = true;
    }
}

int holder_record_write(const char *resource, const struct holder_record *record, struct deadline deadline)
{
    _cleanup_free_ char *name = text_printf(ATTRIBUTE_PREFIX "%s", resource);
    _cleanup_free_ char *value = text_printf("%s %s %" PRId64, record->held ? "held" : "released", record->node, record->fenced_s);
    const char *const argv[] = { "crm_attribute", "--type", "crm_config", "--name", name, "--update", value, NULL };
    bool refused = false;

    if (!name || !value)
        return -ENOMEM;
    for (;;) {
        _cleanup_child_result_ struct child_result result = { 0 };
        int r = said_before(refused, run_attribute(argv, deadline, &result));

        if (r == 1)
            return 0;
        r = r == 0 ? -ENOTCONN : r;
        if (r != -ENOTCONN || deadline_sleep(deadline, RETRY_MS) < 0)
            return r;
        refused = true;
    }
}

int holder_record_take(const char *resource, const char *own_name, struct deadline deadline)
{
    struct holder_record record = { .held = true };
    struct fencing fencing;
    int r = fence_history_last(own_name, deadline, &fencing);

    if (r < 0)
        return r;
    record.fenced_s = r == 1 ? fencing.completed_s : 0;
    if (text_copy(record.node, sizeof(record.node), own_name) < 0)
        return -ENAMETOOLONG;
    return holder_record_write(resource, &record, deadline);
}

/* ---- the judgement --------------------------------------------------------------------------------------------------------------------- */

/* Fenced later than at this time? */
static int judge_by_history(const char *resource, const char *node, int64_t after_s, struct deadline deadline, struct text_buffer *why)
{
    struct fencing fencing;
    int r = fence_history_last(node, deadline, &fencing);

    if (r < 0)
        return r;
    if (r == 1 && !fencing.pending && fencing.completed_s > after_s)
        return HOLDER_FENCED;
    text_buffer_printf(why, "node %s had it last and has neither released it nor been fenced since; fence it (stonith_admin --reboot %s), or when it is sure not to use it: crm_attribute -t crm_config -n " ATTRIBUTE_PREFIX "%s -v 'released %s %" PRId64 "'",
                       node, node, resource, node, after_s);
    return HOLDER_IN_USE;
}

int holder_judge(const char *resource, const struct holder_record *record, const char *node, bool assume_released, struct deadline deadline,
                 struct text_buffer *why)
{
    if (record && record->held && text_equal(record->node, node))
        return judge_by_history(resource, node, record->fenced_s, deadline, why);
    if (record || assume_released)
        return HOLDER_RELEASED;
    return judge_by_history(resource, node, 0, deadline, why);
}

const char *holder_error_text(int error)
{
    switch (error) {
    case -ENOENT:
        return "crm_attribute or stonith_admin is not installed: install pacemaker-cli-utils";
    case -ENOTCONN:
        return "Pacemaker does not answer on this node";
    case -EBADMSG:
        return "what is recorded cannot be read: delete it with crm_attribute once it is sure that no node uses the volume";
    case -ETIMEDOUT:
        return "Pacemaker has not answered in time";
    default:
        return fence_history_error_text(error);
    }
}
