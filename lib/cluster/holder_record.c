/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/holder_record.h"

#include <inttypes.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "cluster/fence_history.h"

#define ATTRIBUTE_PREFIX "vigil-holder-"
/* cibadmin's code for an XPath that nothing matches (Pacemaker's CRM_EX_NOSUCH). */
#define EXIT_NO_SUCH 105
#define SECTION "/cib/configuration/crm_config"
/* The set of the cluster's own options, which the controller makes with its first election (Pacemaker's CIB_OPTIONS_FIRST). */
#define OWN_SET "cib-bootstrap-options"
#define RETRY_MS 250

/* ---- the record ------------------------------------------------------------------------------------------------------------------------ */

static int parse_word(const char **cursor, char *buffer, size_t size)
{
    const char *word;
    size_t length;

    if (!text_next_word(cursor, " ", &word, &length))
        return -ENODATA;
    if (length >= size)
        return -EBADMSG;
    memcpy(buffer, word, length);
    buffer[length] = '\0';
    return 0;
}

/* The count of the holds, which an older text lacks. */
static int parse_hold(const char **cursor, int64_t *ret)
{
    char hold[24], rest[2];

    if (**cursor == '\0')
        return 0;
    if (parse_word(cursor, hold, sizeof(hold)) < 0 || number_parse(hold, 0, INT64_MAX - 1, ret) < 0)
        return -EBADMSG;
    return parse_word(cursor, rest, sizeof(rest)) == -ENODATA ? 0 : -EBADMSG;
}

int holder_record_parse(const char *text, size_t length, struct holder_record *ret)
{
    struct holder_record record = { .held = false };
    char copy[HOLDER_TEXT_SIZE], state[16], seconds[24];
    const char *cursor = copy;

    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';
    cursor = text_trim(copy);
    if (parse_word(&cursor, state, sizeof(state)) < 0 || parse_word(&cursor, record.node, sizeof(record.node)) < 0 ||
        parse_word(&cursor, seconds, sizeof(seconds)) < 0 || number_parse(seconds, 0, INT64_MAX, &record.fenced_s) < 0 || parse_hold(&cursor, &record.hold) < 0)
        return -EBADMSG;
    record.held = text_equal(state, "held");
    if (!record.held && !text_equal(state, "released"))
        return -EBADMSG;
    *ret = record;
    return 0;
}

/* Steps over one NAME="VALUE". Returns 1, 0 at the element's end, -EBADMSG: also for a value with references, which no record of ours has. */
static int next_attribute(char **cursor, const char **ret_name, const char **ret_value)
{
    char *name = *cursor + strspn(*cursor, " \t\n"), *equals = strstr(name, "=\""), *end = equals ? strchr(equals + 2, '"') : NULL;

    if (text_equal(name, "/>"))
        return 0;
    if (!end)
        return -EBADMSG;
    *equals = *end = '\0';
    *ret_name = name;
    *ret_value = equals + 2;
    *cursor = end + 1;
    /* A second element begins like an attribute with an odd name. */
    return strpbrk(name, " \t\n/<>'\"") || strpbrk(*ret_value, "&<>'") ? -EBADMSG : 1;
}

int holder_record_parse_element(const char *text, size_t length, struct holder_record *ret)
{
    char copy[2 * CLUSTER_NAME_MAX + HOLDER_TEXT_SIZE + HOLDER_ELEMENT_SIZE], value[HOLDER_TEXT_SIZE] = "", element[HOLDER_ELEMENT_SIZE] = "";
    struct holder_record record = { .held = false };
    const char *name, *content;
    bool valued = false;
    char *cursor;
    int r;

    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';
    cursor = text_trim(copy);
    if (!text_after(cursor, "<nvpair "))
        return -EBADMSG;
    cursor += strlen("<nvpair ");
    while ((r = next_attribute(&cursor, &name, &content)) == 1) {
        if ((text_equal(name, "id") && text_copy(element, sizeof(element), content) < 0) ||
            (text_equal(name, "value") && text_copy(value, sizeof(value), content) < 0))
            return -EBADMSG;
        valued |= text_equal(name, "value");
    }
    if (r < 0 || !valued || element[0] == '\0' || (value[0] != '\0' && holder_record_parse(value, strlen(value), &record) < 0))
        return -EBADMSG;
    *ret = record;
    (void)text_copy(ret->text, sizeof(ret->text), value);
    (void)text_copy(ret->element, sizeof(ret->element), element);
    return value[0] != '\0';
}

/* ---- cibadmin -------------------------------------------------------------------------------------------------------------------------- */

/* What goes into an XPath and into XML without an escape. */
static bool is_plain(const char *text)
{
    return !strpbrk(text, "\"'&<>\n\t");
}

/* Only what stands on standard output counts as an answer. Returns 1, 0 (nothing matches), -errno. */
static int run_cibadmin(const char *const *argv, struct deadline deadline, struct child_result *result)
{
    const struct child_spec spec = { .argv = argv, .error_path = "/dev/null" };
    int r = child_run(&spec, deadline, result);

    if (r < 0)
        return r;
    if (result->exit_code == EXIT_NO_SUCH)
        return 0;
    return result->exit_code == 0 ? 1 : -ENOTCONN;
}

static int read_once(const char *resource, struct deadline deadline, struct holder_record *ret)
{
    _cleanup_free_ char *xpath = text_printf(SECTION "/cluster_property_set/nvpair[@name='" ATTRIBUTE_PREFIX "%s']", resource);
    const char *const argv[] = { "cibadmin", "--query", "--xpath", xpath, NULL };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r;

    if (!xpath)
        return -ENOMEM;
    r = run_cibadmin(argv, deadline, &result);
    if (r == 0)
        *ret = (struct holder_record){ .held = false };
    if (r <= 0)
        return r;
    return result.output.text ? holder_record_parse_element(result.output.text, strlen(result.output.text), ret) : -EBADMSG;
}

/* The last try may be cut off by the end of the time: what the cluster has answered before tells more. */
static int said_before(bool refused, int result)
{
    return refused && result == -ETIMEDOUT ? -ENOTCONN : result;
}

int holder_record_read(const char *resource, struct deadline deadline, struct holder_record *ret)
{
    bool refused = false;

    if (!is_plain(resource))
        return -EINVAL;
    for (;;) {
        int r = said_before(refused, read_once(resource, deadline, ret));

        /* The CIB is not reached for a moment while a node joins. */
        if (r != -ENOTCONN || deadline_sleep(deadline, RETRY_MS) < 0)
            return r;
        refused = true;
    }
}

/* The attribute that is there, with the text that was seen. */
static int change_text(const char *resource, const struct holder_record *seen, const char *text, struct deadline deadline)
{
    _cleanup_free_ char *xpath = text_printf(SECTION "/cluster_property_set/nvpair[@id='%s' and @value='%s']", seen->element, seen->text);
    _cleanup_free_ char *xml = text_printf("<nvpair id=\"%s\" name=\"" ATTRIBUTE_PREFIX "%s\" value=\"%s\"/>", seen->element, resource, text);
    const char *const argv[] = { "cibadmin", "--modify", "--xpath", xpath, "--xml-text", xml, NULL };
    _cleanup_child_result_ struct child_result result = { 0 };

    return xpath && xml ? run_cibadmin(argv, deadline, &result) : -ENOMEM;
}

/* As crm_attribute would name it. An id has no colon (XML's NCName). */
static char *new_element(const char *resource)
{
    char *id = text_printf(OWN_SET "-" ATTRIBUTE_PREFIX "%s", resource);

    for (char *each = id; each && *each; each++)
        if (*each == ':')
            *each = '.';
    return id;
}

/* The first of this resource, where there still is none: of two nodes that create it, the second finds no such section any more. */
static int create_text(const char *resource, const char *text, struct deadline deadline)
{
    _cleanup_free_ char *id = new_element(resource);
    _cleanup_free_ char *xpath = text_printf(SECTION "[not(cluster_property_set/nvpair[@name='" ATTRIBUTE_PREFIX "%s'])]/cluster_property_set[@id='" OWN_SET "']", resource);
    _cleanup_free_ char *xml = text_printf("<cluster_property_set id=\"" OWN_SET "\"><nvpair id=\"%s\" name=\"" ATTRIBUTE_PREFIX "%s\" value=\"%s\"/></cluster_property_set>",
                                           id ? id : "", resource, text);
    const char *const argv[] = { "cibadmin", "--modify", "--xpath", xpath, "--xml-text", xml, NULL };
    _cleanup_child_result_ struct child_result result = { 0 };

    return id && xpath && xml ? run_cibadmin(argv, deadline, &result) : -ENOMEM;
}

/* Nothing matched: because another was first, because an earlier try of this change was made though its answer was lost, or because the cluster is so young that it has no
 * set of options yet. Returns 1 (it was made), -ESTALE, -ENOTCONN (to be tried again), -errno. */
static int look_again(const char *resource, const struct holder_record *seen, const char *text, struct deadline deadline)
{
    struct holder_record now;
    int r = read_once(resource, deadline, &now);

    if (r < 0)
        return r;
    if (text_equal(now.text, text))
        return 1;
    return seen->element[0] == '\0' && now.element[0] == '\0' ? -ENOTCONN : -ESTALE;
}

static int record_change(const char *resource, const struct holder_record *seen, const struct holder_record *next, struct deadline deadline)
{
    _cleanup_free_ char *text = text_printf("%s %s %" PRId64 " %" PRId64, next->held ? "held" : "released", next->node, next->fenced_s, next->hold);
    bool refused = false;

    if (!text)
        return -ENOMEM;
    if (!is_plain(resource) || !is_plain(text) || !is_plain(seen->text) || !is_plain(seen->element))
        return -EINVAL;
    for (;;) {
        int r = seen->element[0] != '\0' ? change_text(resource, seen, text, deadline) : create_text(resource, text, deadline);

        if (r == 0)
            r = look_again(resource, seen, text, deadline);
        r = said_before(refused, r);
        if (r == 1)
            return 0;
        if (r != -ENOTCONN || deadline_sleep(deadline, RETRY_MS) < 0)
            return r;
        refused = true;
    }
}

int holder_record_take(const char *resource, const char *own_name, const struct holder_record *seen, struct deadline deadline)
{
    struct holder_record record = { .held = true, .hold = seen->hold + 1 };
    struct fencing fencing;
    int r = fence_history_last(own_name, deadline, &fencing);

    if (r < 0)
        return r;
    record.fenced_s = r == 1 ? fencing.completed_s : 0;
    if (text_copy(record.node, sizeof(record.node), own_name) < 0)
        return -ENAMETOOLONG;
    return record_change(resource, seen, &record, deadline);
}

int holder_record_release(const char *resource, const struct holder_record *seen, struct deadline deadline)
{
    struct holder_record record = *seen;

    record.held = false;
    return record_change(resource, seen, &record, deadline);
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
        return "cibadmin or stonith_admin is not installed: install pacemaker-cli-utils";
    case -ENOTCONN:
        return "Pacemaker does not answer on this node";
    case -EBADMSG:
        return "what is recorded cannot be read: delete it with crm_attribute once it is sure that no node uses the volume";
    case -ESTALE:
        return "another node has written it meanwhile";
    case -EINVAL:
        return "a name has quotes or one of & < >";
    case -ETIMEDOUT:
        return "Pacemaker has not answered in time";
    default:
        return fence_history_error_text(error);
    }
}
