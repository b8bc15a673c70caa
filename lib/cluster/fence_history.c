/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/fence_history.h"

#include <errno.h>
#include <libxml/parser.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"
#include "base/number.h"

enum { HISTORY_MAX_BYTES = 1024 * 1024 }; /* the fencer keeps 500 events (MAX_STONITH_HISTORY) of some 200 bytes */

/* The functions of libxml2 that are used, by its own types. What a tree holds is read from its public structures. */
struct libxml2 {
    __typeof__(xmlReadMemory) *read;
    __typeof__(xmlDocGetRootElement) *root;
    __typeof__(xmlFreeDoc) *free_document;
};

static int open_library(struct libxml2 *ret)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(ret->read, "xmlReadMemory"),
        LIBRARY_SYMBOL(ret->root, "xmlDocGetRootElement"),
        LIBRARY_SYMBOL(ret->free_document, "xmlFreeDoc"),
    };

    return library_load("libxml2.so.2", "libxml2", symbols, ARRAY_SIZE(symbols), NULL);
}

/* The value of an attribute, "" where there is none. Borrows from the tree. */
static const char *attribute(const xmlNode *element, const char *name)
{
    for (const xmlAttr *each = element->properties; each; each = each->next)
        if (text_equal((const char *)each->name, name))
            return each->children && each->children->content ? (const char *)each->children->content : "";
    return "";
}

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && text_equal((const char *)node->name, name);
}

/* Reads "+05:30" or "-0800" as seconds east of UTC. */
static int parse_zone(const char *text, int64_t *ret_s)
{
    unsigned hours, minutes;
    char sign;
    int end = 0;

    if (text_equal(text, "Z")) {
        *ret_s = 0;
        return 0;
    }
    if ((sscanf(text, "%c%2u:%2u%n", &sign, &hours, &minutes, &end) != 3 && sscanf(text, "%c%2u%2u%n", &sign, &hours, &minutes, &end) != 3) ||
        text[end] != '\0' || (sign != '+' && sign != '-') || hours > 14 || minutes > 59)
        return -EBADMSG;
    *ret_s = (int64_t)(hours * 3600 + minutes * 60) * (sign == '+' ? 1 : -1);
    return 0;
}

/* Reads "2026-11-22 18:59:13Z", "2026-11-23 00:29:13 +05:30", with or without a fraction of the second, which is dropped. */
static int parse_time(const char *text, int64_t *ret_s)
{
    struct tm tm = { 0 };
    const char *rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    int64_t zone = 0;
    int r;

    if (!rest)
        return -EBADMSG;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    while (*rest == ' ')
        rest++;
    r = parse_zone(rest, &zone);
    if (r < 0)
        return r;
    *ret_s = (int64_t)timegm(&tm) - zone;
    return 0;
}

/* Whether that action takes a node's power away. */
static bool is_fencing(const char *action)
{
    return text_equal(action, "off") || text_equal(action, "reboot");
}

static int take_event(const xmlNode *event, const char *node, struct fencing *ret)
{
    const char *status = attribute(event, "status");
    int64_t completed;
    int r;

    if (!text_equal(attribute(event, "target"), node) || !is_fencing(attribute(event, "action")))
        return 0;
    if (text_equal(status, "pending"))
        ret->pending = true;
    if (!text_equal(status, "success"))
        return 0;
    r = parse_time(attribute(event, "completed"), &completed);
    if (r < 0 || (ret->action[0] != '\0' && completed <= ret->completed_s))
        return r;
    ret->completed_s = completed;
    (void)text_copy(ret->action, sizeof(ret->action), attribute(event, "action"));
    (void)text_copy(ret->delegate, sizeof(ret->delegate), attribute(event, "delegate"));
    return 0;
}

/* <list name="fencing history"> among the root's children holds the events; a node that was never fenced has an empty list or none. */
static int take_list(const xmlNode *root, const char *node, struct fencing *ret)
{
    bool succeeded = false;
    int r = 0;

    for (const xmlNode *child = root->children; child; child = child->next) {
        if (is_element(child, "status"))
            succeeded = text_equal(attribute(child, "code"), "0");
        if (!is_element(child, "list"))
            continue;
        for (const xmlNode *event = child->children; r == 0 && event; event = event->next)
            if (is_element(event, "fence_event"))
                r = take_event(event, node, ret);
    }
    if (r < 0 || !succeeded)
        return -EBADMSG;
    return ret->action[0] != '\0';
}

int fence_history_parse(const char *text, size_t length, const char *node, struct fencing *ret)
{
    /* What a library has warned of on the error stream may stand before it. */
    const char *begin = length > 0 ? memmem(text, length, "<pacemaker-result", strlen("<pacemaker-result")) : NULL;
    struct libxml2 library = { 0 };
    const xmlNode *root;
    xmlDoc *document;
    int r;

    *ret = (struct fencing){ 0 };
    if (!begin || length > HISTORY_MAX_BYTES)
        return -EBADMSG;
    r = open_library(&library);
    if (r < 0)
        return r;
    document = library.read(begin, (int)(length - (size_t)(begin - text)), NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    root = document ? library.root(document) : NULL;
    r = root ? take_list(root, node, ret) : -EBADMSG;
    if (document)
        library.free_document(document);
    if (r < 0)
        *ret = (struct fencing){ 0 };
    return r;
}

int fence_history_last(const char *node, struct deadline deadline, struct fencing *ret)
{
    _cleanup_free_ char *option = text_printf("--history=%s", node);
    /* Without --verbose the fencer's events are merged, and one of unfencing ("on") may hide the fencing behind it (seen with 2.1.5). */
    const char *const argv[] = { "stonith_admin", option, "--verbose", "--output-as=xml", NULL };
    const char *const environment[] = { "TZ=UTC", "LC_ALL=C", NULL };
    const struct child_spec spec = { .argv = argv, .environment = environment, .output_limit = HISTORY_MAX_BYTES };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r;

    *ret = (struct fencing){ 0 };
    if (!option)
        return -ENOMEM;
    if (text_empty(node) || text_equal(node, "*"))
        return -EINVAL;
    r = child_run(&spec, deadline, &result);
    if (r < 0)
        return r;
    if (result.exit_code != 0 || result.output.failed || !result.output.text)
        return -ENOTCONN;
    return fence_history_parse(result.output.text, result.output.length, node, ret);
}

const char *fence_history_error_text(int error)
{
    switch (error) {
    case -ENOENT:
        return "stonith_admin is not there: install pacemaker-cli-utils";
    case -ENOTCONN:
        return "Pacemaker's fencer does not answer here";
    case -ELIBACC:
        return "libxml2 cannot be loaded: install libxml2";
    case -ETIMEDOUT:
        return "Pacemaker's fencer has not answered in time";
    case -EBADMSG:
        return "stonith_admin's answer cannot be read";
    default:
        return strerror(-error);
    }
}
