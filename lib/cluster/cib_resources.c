/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/cib_resources.h"

#include <errno.h>
#include <libxml/parser.h>
#include <limits.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"

enum {
    CIB_MAX_BYTES = 8 * 1024 * 1024,
    DEPTH_MAX = 16, /* clones of groups of primitives are three deep */
};

struct libxml2 {
    __typeof__(xmlReadMemory) *read;
    __typeof__(xmlDocGetRootElement) *root;
    __typeof__(xmlFreeDoc) *free_document;
};

struct search {
    const char *provider;
    const char *type;
    cib_visitor visitor;
    void *context;
    const xmlNode *root; /* of the section */
    int found;
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

/* The element of that name and id, anywhere below. */
static const xmlNode *find_element(const xmlNode *element, const char *name, const char *id, unsigned int depth)
{
    const xmlNode *found = NULL;

    if (is_element(element, name) && text_equal(attribute(element, "id"), id))
        return element;
    for (const xmlNode *child = element->children; child && !found && depth < DEPTH_MAX; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            found = find_element(child, name, id, depth + 1);
    return found;
}

/* What an element stands for: itself, or the one that its id-ref names. NULL where that is not in this section. */
static const xmlNode *resolve(const struct search *search, const xmlNode *element)
{
    const char *reference = attribute(element, "id-ref");

    return *reference ? find_element(search->root, (const char *)element->name, reference, 0) : element;
}

static int visit_set(const xmlNode *set, const char *resource, const struct search *search)
{
    for (const xmlNode *child = set->children; child; child = child->next) {
        const xmlNode *pair = is_element(child, "nvpair") ? resolve(search, child) : NULL;

        /* Which of its values hold is not told by the text alone: they may differ from node to node, and from day to day. */
        if (is_element(child, "rule"))
            return -ENOTSUP;
        if (is_element(child, "nvpair") && !pair)
            return -ENOKEY;
        if (pair)
            search->visitor(search->context, resource, *attribute(child, "name") ? attribute(child, "name") : attribute(pair, "name"),
                            attribute(pair, "value"));
    }
    return 0;
}

/* The sets of a primitive, or of its template. Of several the order is by score, else as they stand (pacemaker's lib/pengine/rules.c). */
static int visit_sets(const xmlNode *owner, const char *resource, const struct search *search)
{
    unsigned int count = 0, scored = 0;
    int r = 0;

    for (const xmlNode *child = owner->children; r == 0 && child; child = child->next) {
        const xmlNode *set = is_element(child, "instance_attributes") ? resolve(search, child) : NULL;

        if (is_element(child, "instance_attributes"))
            r = set ? visit_set(set, resource, search) : -ENOKEY;
        count += set != NULL;
        scored += set && *attribute(set, "score");
    }
    return r == 0 && count > 1 && scored > 0 ? -ENOTSUP : r;
}

static int visit_primitive(const xmlNode *primitive, struct search *search)
{
    const char *template = attribute(primitive, "template"), *id = attribute(primitive, "id");
    const xmlNode *kind = *template ? find_element(search->root, "template", template, 0) : primitive;
    int r;

    if (!kind)
        return -ENOKEY;
    if (!text_equal(attribute(kind, "provider"), search->provider) || !text_equal(attribute(kind, "type"), search->type))
        return 0;
    search->found++;
    r = visit_sets(primitive, id, search);
    return r == 0 && kind != primitive ? visit_sets(kind, id, search) : r;
}

static int visit_element(const xmlNode *element, unsigned int depth, struct search *search)
{
    int r = 0;

    if (is_element(element, "primitive"))
        return visit_primitive(element, search);
    for (const xmlNode *child = element->children; r == 0 && child && depth < DEPTH_MAX; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            r = visit_element(child, depth + 1, search);
    return r;
}

int cib_resources_parse(const char *text, size_t length, const char *provider, const char *type, cib_visitor visitor, void *context)
{
    struct search search = { provider, type, visitor, context, NULL, 0 };
    /* What a library has warned of on the error stream may stand before it. */
    const char *begin = length > 0 ? memmem(text, length, "<resources", strlen("<resources")) : NULL;
    struct libxml2 library = { 0 };
    xmlDoc *document;
    int r;

    if (!begin || length > CIB_MAX_BYTES)
        return -EBADMSG;
    r = open_library(&library);
    if (r < 0)
        return r;
    document = library.read(begin, (int)(length - (size_t)(begin - text)), NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!document)
        return -EBADMSG;
    search.root = library.root(document);
    r = search.root ? visit_element(search.root, 0, &search) : 0;
    library.free_document(document);
    return r < 0 ? r : search.found;
}

int cib_resources_visit(const char *provider, const char *type, struct deadline deadline, cib_visitor visitor, void *context)
{
    const char *const argv[] = { "cibadmin", "--query", "--local", "--scope", "resources", NULL };
    const struct child_spec spec = { .argv = argv, .output_limit = CIB_MAX_BYTES };
    _cleanup_child_result_ struct child_result result = { .exit_code = -1 };
    int r = child_run(&spec, deadline, &result);

    if (r < 0)
        return r;
    if (result.exit_code != 0)
        return -ENOTCONN;
    if (result.output.failed)
        return -ENOMEM;
    return cib_resources_parse(result.output.text ? result.output.text : "", result.output.length, provider, type, visitor, context);
}

const char *cib_resources_error_text(int error)
{
    switch (error) {
    case -ENOENT:
        return "cibadmin is not here: install pacemaker-cli-utils";
    case -ENOTCONN:
        return "the cluster does not run here, or does not answer";
    case -ELIBACC:
        return "libxml2 cannot be loaded: install libxml2";
    case -EBADMSG:
        return "cibadmin's answer is no configuration";
    case -ENOTSUP:
        return "a parameter of one depends on a rule or a score";
    case -ENOKEY:
        return "one takes parameters from a template or a reference that is not there";
    case -ETIMEDOUT:
        return "cibadmin timed out";
    default:
        return strerror(-error);
    }
}
