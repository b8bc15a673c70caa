/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML into the tree, through libxml2's SAX2 interface: no tree of its own, no network, no entities beside the five that XML has.
 */
#include <errno.h>
#include <libxml/parser.h>
#include <string.h>

#include "base/library.h"
#include "base/text.h"
#include "cloud/document_build.h"

static struct {
    __typeof__(&xmlCreatePushParserCtxt) create;
    __typeof__(&xmlCtxtUseOptions) options;
    __typeof__(&xmlParseChunk) parse;
    __typeof__(&xmlStopParser) stop;
    __typeof__(&xmlFreeParserCtxt) free;
} xml;

static int load_libxml(void)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(xml.create, "xmlCreatePushParserCtxt"), LIBRARY_SYMBOL(xml.options, "xmlCtxtUseOptions"),
        LIBRARY_SYMBOL(xml.parse, "xmlParseChunk"),            LIBRARY_SYMBOL(xml.stop, "xmlStopParser"),
        LIBRARY_SYMBOL(xml.free, "xmlFreeParserCtxt"),
    };

    if (xml.free)
        return 0;
    return library_load("libxml2.so.2", "libxml2", symbols, ARRAY_SIZE(symbols), NULL);
}

struct builder {
    struct document document;
    struct document_node *open[DOCUMENT_DEPTH];      /* from the root to where we are */
    struct document_node *last_child[DOCUMENT_DEPTH];
    size_t depth;
    struct text_buffer text; /* of the innermost open element */
    xmlParserCtxtPtr context;
    bool bad;
};

static void give_up(struct builder *builder)
{
    builder->bad = true;
    xml.stop(builder->context);
}

static void start_element(void *argument, const xmlChar *name, const xmlChar *prefix _unused_, const xmlChar *uri _unused_,
                          int namespaces _unused_, const xmlChar **namespace_list _unused_, int attributes _unused_,
                          int defaulted _unused_, const xmlChar **attribute_list _unused_)
{
    struct builder *builder = argument;
    const char *text = (const char *)name;
    struct document_node *node;

    if (builder->bad)
        return;
    node = builder->depth < DOCUMENT_DEPTH ? document_add(&builder->document, text, strlen(text)) : NULL;
    if (!node) {
        give_up(builder);
        return;
    }
    if (builder->depth == 0)
        builder->document.root = node;
    else if (builder->last_child[builder->depth - 1])
        builder->last_child[builder->depth - 1]->next = node;
    else
        builder->open[builder->depth - 1]->child = node;
    if (builder->depth > 0)
        builder->last_child[builder->depth - 1] = node;
    builder->open[builder->depth] = node;
    builder->last_child[builder->depth] = NULL;
    builder->depth++;
    builder->text.length = 0;
}

static void end_element(void *argument, const xmlChar *name _unused_, const xmlChar *prefix _unused_,
                        const xmlChar *uri _unused_)
{
    struct builder *builder = argument;
    struct document_node *node;

    if (builder->bad || builder->depth == 0)
        return;
    node = builder->open[--builder->depth];
    if (node->child)
        return;
    node->text = document_keep(&builder->document, builder->text.length > 0 ? builder->text.text : "",
                               builder->text.length);
    builder->text.length = 0;
    if (!node->text)
        give_up(builder);
}

static void take_characters(void *argument, const xmlChar *characters, int length)
{
    struct builder *builder = argument;

    if (builder->bad || length <= 0)
        return;
    text_buffer_append(&builder->text, (const char *)characters, (size_t)length);
    if (builder->text.failed)
        give_up(builder);
}

/* A document type brings entities, and entities bring bombs. No cloud sends one. */
static void refuse_document_type(void *argument, const xmlChar *name _unused_, const xmlChar *external _unused_,
                                 const xmlChar *system _unused_)
{
    give_up(argument);
}

/* Without a function of ours libxml2 writes to standard error. */
static void ignore_error(void *argument _unused_, xmlErrorPtr error _unused_)
{
}

int document_parse_xml(const char *bytes, size_t length, struct document *ret)
{
    xmlSAXHandler handler = { .initialized = XML_SAX2_MAGIC,
                              .startElementNs = start_element,
                              .endElementNs = end_element,
                              .characters = take_characters,
                              .cdataBlock = take_characters,
                              .internalSubset = refuse_document_type,
                              .serror = ignore_error };
    struct builder builder = { .bad = false };
    bool good;
    int r = load_libxml();

    if (r < 0)
        return r;
    if (length == 0 || length > DOCUMENT_BYTES)
        return -EBADMSG;
    builder.context = xml.create(&handler, &builder, NULL, 0, NULL);
    if (!builder.context)
        return -ENOMEM;
    (void)xml.options(builder.context, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    r = xml.parse(builder.context, bytes, (int)length, 1);
    good = r == 0 && !builder.bad && builder.context->wellFormed && builder.document.root && builder.depth == 0;
    xml.free(builder.context);
    text_buffer_free(&builder.text);
    if (!good) {
        document_free(&builder.document);
        return -EBADMSG;
    }
    *ret = builder.document;
    return 0;
}
