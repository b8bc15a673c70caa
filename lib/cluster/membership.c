/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/membership.h"

#include <arpa/inet.h>
#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"
#include "base/number.h"

/* The functions of libcmap that are used, by its own types. */
struct libcmap {
    __typeof__(cmap_initialize) *initialize;
    __typeof__(cmap_finalize) *finalize;
    __typeof__(cmap_get) *get;
    __typeof__(cmap_iter_init) *iter_init;
    __typeof__(cmap_iter_next) *iter_next;
    __typeof__(cmap_iter_finalize) *iter_finalize;
    cmap_handle_t handle;
};

static int open_library(struct libcmap *ret)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(ret->initialize, "cmap_initialize"), LIBRARY_SYMBOL(ret->finalize, "cmap_finalize"),
        LIBRARY_SYMBOL(ret->get, "cmap_get"),               LIBRARY_SYMBOL(ret->iter_init, "cmap_iter_init"),
        LIBRARY_SYMBOL(ret->iter_next, "cmap_iter_next"),   LIBRARY_SYMBOL(ret->iter_finalize, "cmap_iter_finalize"),
    };

    return library_load("libcmap.so.4", "libcmap4", symbols, ARRAY_SIZE(symbols), NULL);
}

static int error_of(cs_error_t error)
{
    switch (error) {
    case CS_OK:
        return 0;
    case CS_ERR_LIBRARY: /* libqb could not connect */
    case CS_ERR_TRY_AGAIN:
        return -ENOTCONN;
    case CS_ERR_NOT_EXIST:
        return -ENOENT;
    case CS_ERR_ACCESS:
        return -EACCES;
    case CS_ERR_NO_MEMORY:
        return -ENOMEM;
    case CS_ERR_INVALID_PARAM: /* the key has another type or does not fit */
        return -EBADMSG;
    default:
        return -EIO;
    }
}

/* The value of a key whose type is known. Returns 0, -ENOENT, -EBADMSG (another type, too long), -errno. */
static int read_value(const struct libcmap *map, const char *key, cmap_value_types_t wanted, void *value, size_t size)
{
    cmap_value_types_t type = wanted;
    size_t length = size;
    int r = error_of(map->get(map->handle, key, value, &length, &type));

    if (r == 0 && type != wanted)
        return -EBADMSG;
    return r;
}

/* A key that may be missing: leaves *value as it was. */
static int read_optional(const struct libcmap *map, const char *key, cmap_value_types_t type, void *value, size_t size)
{
    int r = read_value(map, key, type, value, size);

    return r == -ENOENT ? 0 : r;
}

static bool is_address(const char *text)
{
    unsigned char binary[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

/* One member of the nodelist, by its position. */
static int read_node(const struct libcmap *map, unsigned position, uint32_t own_id, struct cluster_node *ret)
{
    char key[CMAP_KEYNAME_MAXLEN + 1];
    int r;

    (void)text_format(key, sizeof(key), "nodelist.node.%u.nodeid", position);
    r = read_optional(map, key, CMAP_VALUETYPE_UINT32, &ret->id, sizeof(ret->id));
    if (r < 0)
        return r;
    (void)text_format(key, sizeof(key), "nodelist.node.%u.name", position);
    r = read_optional(map, key, CMAP_VALUETYPE_STRING, ret->name, sizeof(ret->name));
    if (r < 0)
        return r;
    if (ret->name[0] == '\0') {
        (void)text_format(key, sizeof(key), "nodelist.node.%u.ring0_addr", position);
        r = read_optional(map, key, CMAP_VALUETYPE_STRING, ret->name, sizeof(ret->name));
        if (r < 0)
            return r;
        if (is_address(ret->name))
            ret->name[0] = '\0';
    }
    if (ret->name[0] == '\0' && ret->id == own_id && gethostname(ret->name, sizeof(ret->name) - 1) < 0)
        ret->name[0] = '\0';
    return 0;
}

static int read_joined(const struct libcmap *map, struct cluster_node *node)
{
    char key[CMAP_KEYNAME_MAXLEN + 1], status[64] = "";
    int r;

    (void)text_format(key, sizeof(key), "runtime.members.%u.status", node->id);
    r = read_optional(map, key, CMAP_VALUETYPE_STRING, status, sizeof(status));
    node->joined = text_equal(status, "joined");
    return r;
}

/* The position in "nodelist.node.POSITION.ring0_addr", the one key that each node of the list has; -1 for other keys. */
static int node_position(const char *key)
{
    const char *rest = text_after(key, "nodelist.node.");
    const char *dot = rest ? strchr(rest, '.') : NULL;
    char digits[16];
    int64_t position;

    if (!dot || !text_equal(dot, ".ring0_addr") || (size_t)(dot - rest) >= sizeof(digits))
        return -1;
    (void)memcpy(digits, rest, (size_t)(dot - rest));
    digits[dot - rest] = '\0';
    return number_parse(digits, 0, 1 << 20, &position) == 0 ? (int)position : -1;
}

static int read_nodes(const struct libcmap *map, struct cluster_view *view)
{
    char key[CMAP_KEYNAME_MAXLEN + 1] = "";
    cmap_iter_handle_t iterator;
    cmap_value_types_t type;
    size_t length;
    int r = error_of(map->iter_init(map->handle, "nodelist.node.", &iterator));

    if (r < 0)
        return r;
    while (r == 0 && map->iter_next(map->handle, iterator, key, &length, &type) == CS_OK) {
        int position = node_position(key);

        if (position < 0)
            continue;
        if (view->count == CLUSTER_NODES_MAX)
            r = -E2BIG;
        else
            r = read_node(map, (unsigned)position, view->own_id, &view->nodes[view->count]);
        if (r == 0)
            r = read_joined(map, &view->nodes[view->count++]);
    }
    (void)map->iter_finalize(map->handle, iterator);
    return r;
}

static int read_view(const struct libcmap *map, struct cluster_view *view)
{
    int r = read_optional(map, "totem.cluster_name", CMAP_VALUETYPE_STRING, view->name, sizeof(view->name));

    if (r == 0)
        r = read_optional(map, "runtime.votequorum.this_node_id", CMAP_VALUETYPE_UINT32, &view->own_id, sizeof(view->own_id));
    if (r == 0 && view->own_id == 0) /* without votequorum: the id that totem goes by */
        r = read_optional(map, "totem.nodeid", CMAP_VALUETYPE_UINT32, &view->own_id, sizeof(view->own_id));
    if (r == 0)
        r = read_optional(map, "runtime.config.totem.token", CMAP_VALUETYPE_UINT32, &view->token_ms, sizeof(view->token_ms));
    if (r == 0)
        r = read_optional(map, "runtime.config.totem.consensus", CMAP_VALUETYPE_UINT32, &view->consensus_ms, sizeof(view->consensus_ms));
    if (r == 0)
        r = read_nodes(map, view);
    return r < 0 ? r : view->own_id == 0 ? -EBADMSG : 0;
}

static int ask_corosync(void *argument _unused_, void *reply, size_t reply_size _unused_)
{
    struct libcmap map = { 0 };
    struct cluster_view *view = reply;
    int r = open_library(&map);

    if (r < 0)
        return r;
    r = error_of(map.initialize(&map.handle));
    if (r < 0)
        return r == -ENOENT ? -ENOTCONN : r;
    r = read_view(&map, view);
    (void)map.finalize(map.handle);
    return r;
}

int cluster_view_read(struct cluster_view *ret, struct deadline deadline)
{
    int r;

    *ret = (struct cluster_view){ 0 };
    r = child_call(ask_corosync, NULL, ret, sizeof(*ret), NULL, deadline);
    if (r < 0)
        *ret = (struct cluster_view){ 0 };
    return r;
}

const struct cluster_node *cluster_view_node_named(const struct cluster_view *view, const char *name)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (!text_empty(name) && text_equal(view->nodes[i].name, name))
            return &view->nodes[i];
    return NULL;
}

const struct cluster_node *cluster_view_node_of_id(const struct cluster_view *view, uint32_t id)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (id != 0 && view->nodes[i].id == id)
            return &view->nodes[i];
    return NULL;
}

const char *cluster_error_text(int error)
{
    switch (error) {
    case -ENOTCONN:
        return "Corosync does not run here, or does not answer";
    case -ELIBACC:
        return "libcmap cannot be loaded: install libcmap4";
    case -ETIMEDOUT:
        return "Corosync has not answered in time";
    case -E2BIG:
        return "corosync.conf names more nodes than 64";
    case -EBADMSG:
        return "Corosync does not tell this node's id";
    default:
        return strerror(-error);
    }
}
