/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON into the tree, through jansson: it checks the grammar (RFC 8259), the UTF-8, NUL bytes and names that are there twice.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/library.h"
#include "base/text.h"
#include "cloud/document_build.h"

static struct {
    __typeof__(&json_loadb) load;
    __typeof__(&json_delete) delete;
    __typeof__(&json_object_iter) first;
    __typeof__(&json_object_iter_next) next;
    __typeof__(&json_object_iter_key) key;
    __typeof__(&json_object_iter_value) value;
    __typeof__(&json_array_size) size;
    __typeof__(&json_array_get) get;
    __typeof__(&json_string_value) string;
    __typeof__(&json_string_length) string_length;
    __typeof__(&json_integer_value) integer;
    __typeof__(&json_real_value) real;
} json;

static int load_jansson(void)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(json.load, "json_loadb"),
        LIBRARY_SYMBOL(json.delete, "json_delete"),
        LIBRARY_SYMBOL(json.first, "json_object_iter"),
        LIBRARY_SYMBOL(json.next, "json_object_iter_next"),
        LIBRARY_SYMBOL(json.key, "json_object_iter_key"),
        LIBRARY_SYMBOL(json.value, "json_object_iter_value"),
        LIBRARY_SYMBOL(json.size, "json_array_size"),
        LIBRARY_SYMBOL(json.get, "json_array_get"),
        LIBRARY_SYMBOL(json.string, "json_string_value"),
        LIBRARY_SYMBOL(json.string_length, "json_string_length"),
        LIBRARY_SYMBOL(json.integer, "json_integer_value"),
        LIBRARY_SYMBOL(json.real, "json_real_value"),
    };

    if (json.real)
        return 0;
    return library_load("libjansson.so.4", "libjansson4", symbols, ARRAY_SIZE(symbols), NULL);
}

/* True when the text keeps within the bounds of depth and nodes. jansson itself goes 2,048 levels deep, and spends a hundred bytes on each
 * two-byte array: a hostile text is found out before it does. */
static bool is_bounded(const char *bytes, size_t length)
{
    size_t depth = 0, nodes = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
            continue;
        }
        if (c == '"')
            quoted = true;
        else if (c == '{' || c == '[')
            depth++, nodes++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        else if (c == ',')
            nodes++;
        if (depth > DOCUMENT_DEPTH || nodes > DOCUMENT_NODES)
            return false;
    }
    return true;
}

static struct document_node *add_value(struct document *document, const char *name, json_t *value);

static bool add_members(struct document *document, struct document_node *node, json_t *object)
{
    struct document_node **end = &node->child;

    for (void *iterator = json.first(object); iterator; iterator = json.next(object, iterator)) {
        *end = add_value(document, json.key(iterator), json.value(iterator));
        if (!*end)
            return false;
        end = &(*end)->next;
    }
    return true;
}

static bool add_items(struct document *document, struct document_node *node, json_t *array)
{
    struct document_node **end = &node->child;

    node->list = true;
    for (size_t i = 0; i < json.size(array); i++) {
        *end = add_value(document, "", json.get(array, i));
        if (!*end)
            return false;
        end = &(*end)->next;
    }
    return true;
}

static bool set_scalar(struct document *document, struct document_node *node, const json_t *value)
{
    char number[64];

    switch (json_typeof(value)) {
    case JSON_STRING:
        node->text = document_keep(document, json.string(value), json.string_length(value));
        return node->text != NULL;
    case JSON_INTEGER:
        (void)text_format(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json.integer(value));
        break;
    case JSON_REAL:
        (void)text_format(number, sizeof(number), "%.17g", json.real(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        node->text = json_typeof(value) == JSON_TRUE ? "true" : "false";
        return true;
    default:
        return true; /* null: no text */
    }
    node->text = document_keep(document, number, strlen(number));
    return node->text != NULL;
}

/* Goes as deep as is_bounded let the text be. */
static struct document_node *add_value(struct document *document, const char *name, json_t *value)
{
    struct document_node *node = document_add(document, name, strlen(name));
    bool good;

    if (!node)
        return NULL;
    if (json_typeof(value) == JSON_OBJECT)
        good = add_members(document, node, value);
    else if (json_typeof(value) == JSON_ARRAY)
        good = add_items(document, node, value);
    else
        good = set_scalar(document, node, value);
    return good ? node : NULL;
}

int document_parse_json(const char *bytes, size_t length, struct document *ret)
{
    struct document document = { 0 };
    json_t *value;
    int r = load_jansson();

    if (r < 0)
        return r;
    if (length > DOCUMENT_BYTES || !is_bounded(bytes, length))
        return -EBADMSG;
    value = json.load(bytes, length, JSON_REJECT_DUPLICATES, NULL);
    if (!value)
        return -EBADMSG;
    document.root = add_value(&document, "", value);
    json.delete(value);
    if (!document.root) {
        document_free(&document);
        return -EBADMSG;
    }
    *ret = document;
    return 0;
}
