/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/instance_name.h"

#include <ctype.h>
#include <string.h>

#define SEPARATORS " \t\r\n,;"
#define NODE_NAME_MAX 255

/* ---- the list ------------------------------------------------------------------------------------------------------------------- */

static bool is_name(const char *text, size_t length, size_t maximum)
{
    if (length == 0 || length > maximum || text[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.:", text[i]))
            return false;
    }
    return true;
}

/* Splits "NODE=INSTANCE". */
static int split_pair(const char *pair, size_t length, size_t *ret_node_length, struct text_buffer *why)
{
    const char *equals = memchr(pair, '=', length);
    size_t node_length = equals ? (size_t)(equals - pair) : 0;

    if (equals && is_name(pair, node_length, NODE_NAME_MAX) && is_name(equals + 1, length - node_length - 1, CLOUD_ID_SIZE - 1)) {
        *ret_node_length = node_length;
        return 0;
    }
    if (why)
        text_buffer_printf(why, "NODE=INSTANCE, separated by blanks, is wanted: \"n1=i-0123 n2=i-4567\"");
    return -EINVAL;
}

/* A pair that some other part of the list contradicts: the same node or the same instance again. */
struct pair {
    const char *node, *id;
    size_t node_length, id_length;
};

static bool text_is(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

static int check_unique(const char *hosts, const struct pair *pair, struct text_buffer *why)
{
    const char *word;
    size_t length, node_length;
    unsigned int nodes = 0, ids = 0;

    while (text_next_word(&hosts, SEPARATORS, &word, &length)) {
        if (split_pair(word, length, &node_length, NULL) < 0)
            continue;
        nodes += text_is(word, node_length, pair->node, pair->node_length);
        ids += text_is(word + node_length + 1, length - node_length - 1, pair->id, pair->id_length);
    }
    if (nodes == 1 && ids == 1)
        return 0;
    if (why)
        text_buffer_printf(why, "each node and each instance may be named once; %s is named again", nodes > 1 ? "a node" : "an instance");
    return -EINVAL;
}

static int walk(const char *hosts, const char *all, instance_visit visit, void *context, struct text_buffer *why)
{
    const char *word;
    size_t length;
    int r = 0;

    while (r == 0 && text_next_word(&hosts, SEPARATORS, &word, &length)) {
        struct pair pair = { .node = word };

        r = split_pair(word, length, &pair.node_length, why);
        if (r < 0)
            return r;
        pair.id = word + pair.node_length + 1;
        pair.id_length = length - pair.node_length - 1;
        r = visit ? visit(context, pair.node, pair.node_length, pair.id, pair.id_length) : check_unique(all, &pair, why);
    }
    return r;
}

int instance_hosts_walk(const char *hosts, instance_visit visit, void *context, struct text_buffer *why)
{
    int r = text_count_words(hosts, SEPARATORS) > 0 ? walk(hosts, hosts, NULL, NULL, why) : -EINVAL;

    if (r < 0) {
        if (why && why->length == 0)
            text_buffer_printf(why, "NODE=INSTANCE, separated by blanks, is wanted");
        return r;
    }
    return visit ? walk(hosts, hosts, visit, context, why) : 0;
}

int instance_hosts_check(const char *text, struct text_buffer *why)
{
    return instance_hosts_walk(text, NULL, NULL, why);
}

struct search {
    const char *node, *id; /* the one that is known; the other is NULL */
    char *ret;
    size_t size;
};

static int visit_pair(void *context, const char *node, size_t node_length, const char *id, size_t id_length)
{
    struct search *search = context;
    bool found = search->node ? text_is(node, node_length, search->node, strlen(search->node))
                              : text_is(id, id_length, search->id, strlen(search->id));
    const char *value = search->node ? id : node;
    size_t length = search->node ? id_length : node_length;

    if (!found)
        return 0;
    return text_format(search->ret, search->size, "%.*s", (int)length, value) < 0 ? -ENAMETOOLONG : 1;
}

static int find_in_list(const char *hosts, struct search *search)
{
    int r = instance_hosts_walk(hosts, visit_pair, search, NULL);

    return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

int instance_hosts_find(const char *hosts, const char *node, char *ret_id, size_t size)
{
    return find_in_list(hosts, &(struct search){ .node = node, .ret = ret_id, .size = size });
}

int instance_hosts_find_node(const char *hosts, const char *id, char *ret_node, size_t size)
{
    return find_in_list(hosts, &(struct search){ .id = id, .ret = ret_node, .size = size });
}

/* ---- ids ------------------------------------------------------------------------------------------------------------------------ */

static bool is_uuid(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

/* AWS "i-" and 8 or 17 hexadecimal digits, Aliyun "i-" and 20 or so letters and digits, Tencent "ins-" and 8. A host may be called "i-3". */
static bool is_prefixed_id(const char *rest, size_t least)
{
    size_t length = rest ? strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;

    return length >= least && rest[length] == '\0';
}

bool instance_id_form(const char *text)
{
    return is_uuid(text) || is_prefixed_id(text_after(text, "i-"), 8) || is_prefixed_id(text_after(text, "ins-"), 8);
}

/* ---- by the cloud --------------------------------------------------------------------------------------------------------------- */

static int fail_cloud(struct cloud *cloud, int error, const char *what, struct text_buffer *why)
{
    text_buffer_printf(why, "%s: %s", what, cloud_failure(cloud)->text);
    return error;
}

static int describe(struct cloud *cloud, const struct instance_naming *naming, const char *id, struct deadline deadline,
                    struct cloud_instance *ret, struct text_buffer *why)
{
    char what[CLOUD_ID_SIZE + 16];
    int r = cloud_instance_get(cloud, id, naming->tag, deadline, ret);

    if (r == 0 && !text_equal(ret->id, id)) {
        text_buffer_printf(why, "instance %s: the cloud described another one, %s", id, ret->id);
        return -EBADMSG;
    }
    (void)text_format(what, sizeof(what), "instance %s", id);
    return r < 0 ? fail_cloud(cloud, r, what, why) : 0;
}

/* The one instance that bears the name and is not gone for good. */
static int choose(const struct cloud_instance_list *list, const struct instance_naming *naming, const char *node,
                  struct cloud_instance *ret, struct text_buffer *why)
{
    const struct cloud_instance *found = NULL;
    bool terminated = false;

    for (size_t i = 0; i < list->count; i++) {
        const struct cloud_instance *instance = &list->items[i];

        if (!text_equal(naming->tag ? instance->tag : instance->name, node))
            continue;
        if (instance->power == CLOUD_POWER_TERMINATED) {
            terminated = true;
            continue;
        }
        if (found) {
            text_buffer_printf(why, "several instances are called '%s' (%s, %s): name the right one by hosts", node, found->id, instance->id);
            return -EEXIST;
        }
        found = instance;
    }
    if (!found) {
        text_buffer_printf(why, "no instance %s '%s'%s: set hosts=\"%s=INSTANCE\"", naming->tag ? "has the tag value" : "is called", node,
                           terminated ? " but one that was terminated, whose name another may bear by now" : "", node);
        return -ENOENT;
    }
    *ret = *found;
    return 0;
}

int instance_find(struct cloud *cloud, const struct instance_naming *naming, const char *node, struct deadline deadline,
                  struct cloud_instance *ret, struct text_buffer *why)
{
    struct cloud_instance_filter filter = { .tag = naming->tag, .tag_value = naming->tag ? node : NULL, .name = naming->tag ? NULL : node };
    _cleanup_cloud_instance_list_ struct cloud_instance_list list = { 0 };
    char id[CLOUD_ID_SIZE];
    int r;

    if (naming->hosts) {
        r = instance_hosts_find(naming->hosts, node, id, sizeof(id));
        if (r == 0)
            return describe(cloud, naming, id, deadline, ret, why);
        /* An id is as good as the name that stands for it. */
        if (r == -ENOENT && instance_hosts_find_node(naming->hosts, node, id, sizeof(id)) == 0)
            return describe(cloud, naming, node, deadline, ret, why);
        text_buffer_printf(why, "hosts names no instance for node '%s': add it there", node);
        return r;
    }
    if (instance_id_form(node))
        return describe(cloud, naming, node, deadline, ret, why);
    r = cloud_instance_list(cloud, &filter, deadline, &list);
    return r < 0 ? fail_cloud(cloud, r, "list of instances", why) : choose(&list, naming, node, ret, why);
}

/* Anybody may give any instance any name: a copy of a node's machine bears it, too. The name must lead back to this instance and to no other, or the fencing of
 * one would be taken for that of the other. */
static int check_only_bearer(struct cloud *cloud, const struct instance_naming *naming, const char *id, const char *node,
                             struct deadline deadline, struct text_buffer *why)
{
    struct cloud_instance bearer;
    int r = instance_find(cloud, naming, node, deadline, &bearer, why);

    if (r < 0 || text_equal(bearer.id, id))
        return r;
    text_buffer_printf(why, "'%s' is the name of instance %s, too: set hosts=\"%s=INSTANCE\"", node, bearer.id, node);
    return -EEXIST;
}

int instance_find_node(struct cloud *cloud, const struct instance_naming *naming, const char *id, struct deadline deadline,
                       char *ret_node, size_t size, struct text_buffer *why)
{
    struct cloud_instance instance;
    char node[NODE_NAME_MAX + 1];
    const char *name;
    int r;

    if (naming->hosts) {
        r = instance_hosts_find_node(naming->hosts, id, ret_node, size);
        if (r < 0)
            text_buffer_printf(why, "hosts names no node for instance %s: add it there", id);
        return r;
    }
    r = describe(cloud, naming, id, deadline, &instance, why);
    if (r < 0)
        return r;
    name = naming->tag ? instance.tag : instance.name;
    if (text_empty(name) || text_copy(node, sizeof(node), name) < 0) {
        text_buffer_printf(why, "instance %s has no %s that says which node it is: set hosts=\"NODE=%s\"", id, naming->tag ? "such tag" : "name", id);
        return -ENOENT;
    }
    r = check_only_bearer(cloud, naming, id, node, deadline, why);
    return r < 0 ? r : text_copy(ret_node, size, node) < 0 ? -ENAMETOOLONG : 0;
}
