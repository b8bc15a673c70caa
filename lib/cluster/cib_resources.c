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

static void visit_attributes(const xmlNode *primitive, const struct search *search)
{
    for (const xmlNode *set = primitive->children; set; set = set->next) {
        if (!is_element(set, "instance_attributes"))
            continue;
        for (const xmlNode *pair = set->children; pair; pair = pair->next)
            if (is_element(pair, "nvpair"))
                search->visitor(search->context, attribute(primitive, "id"), attribute(pair, "name"), attribute(pair, "value"));
    }
}

static void visit_element(const xmlNode *element, unsigned int depth, struct search *search)
{
    if (is_element(element, "primitive")) {
        if (!text_equal(attribute(element, "provider"), search->provider) || !text_equal(attribute(element, "type"), search->type))
            return;
        search->found++;
        visit_attributes(element, search);
        return;
    }
    for (const xmlNode *child = element->children; child && depth < DEPTH_MAX; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            visit_element(child, depth + 1, search);
}

int cib_resources_parse(const char *text, size_t length, const char *provider, const char *type, cib_visitor visitor, void *context)
{
    struct search search = { provider, type, visitor, context, 0 };
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
    if (library.root(document))
        visit_element(library.root(document), 0, &search);
    library.free_document(document);
    return search.found;
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
    case -ETIMEDOUT:
        return "cibadmin timed out";
    default:
        return strerror(-error);
    }
}
