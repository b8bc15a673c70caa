/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/document.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/number.h"
#include "base/text.h"
#include "cloud/document_build.h"

#define CHUNK_BYTES 16384

struct document_chunk {
    struct document_chunk *older;
    size_t size;
    char bytes[] __attribute__((aligned(16)));
};

static void *document_allocate(struct document *document, size_t size)
{
    struct document_chunk *chunk = document->chunks;
    void *memory;

    size = (size + 7) & ~(size_t)7;
    if (!chunk || chunk->size - document->used < size) {
        size_t wanted = size > CHUNK_BYTES ? size : CHUNK_BYTES;

        chunk = malloc(sizeof(*chunk) + wanted);
        if (!chunk)
            return NULL;
        chunk->older = document->chunks;
        chunk->size = wanted;
        document->chunks = chunk;
        document->used = 0;
    }
    memory = chunk->bytes + document->used;
    document->used += size;
    return memory;
}

char *document_keep(struct document *document, const char *bytes, size_t length)
{
    char *text = document_allocate(document, length + 1);

    if (text) {
        memcpy(text, bytes, length);
        text[length] = '\0';
    }
    return text;
}

struct document_node *document_add(struct document *document, const char *name, size_t name_length)
{
    struct document_node *node;

    if (document->nodes >= DOCUMENT_NODES)
        return NULL;
    node = document_allocate(document, sizeof(*node));
    if (!node)
        return NULL;
    *node = (struct document_node){ .name = document_keep(document, name, name_length) };
    if (!node->name)
        return NULL;
    document->nodes++;
    return node;
}

void document_free(struct document *document)
{
    struct document_chunk *chunk = document->chunks;

    while (chunk) {
        struct document_chunk *older = chunk->older;

        /* An answer of a metadata service holds keys. */
        explicit_bzero(chunk->bytes, chunk->size);
        free(chunk);
        chunk = older;
    }
    *document = (struct document){ 0 };
}

const struct document_node *document_find(const struct document_node *node, const char *path)
{
    const char *cursor = path, *word;
    size_t length;

    while (node && text_next_word(&cursor, "/", &word, &length)) {
        const struct document_node *child = node->child;

        while (child && (strlen(child->name) != length || memcmp(child->name, word, length) != 0))
            child = child->next;
        node = child;
    }
    return node;
}

const struct document_node *document_first(const struct document_node *node, const char *path)
{
    const struct document_node *found = document_find(node, path);

    return found ? found->child : NULL;
}

const char *document_text(const struct document_node *node, const char *path)
{
    const struct document_node *found = document_find(node, path);

    return found && found->text ? found->text : "";
}

int document_copy(const struct document_node *node, const char *path, char *buffer, size_t size)
{
    const char *text = document_text(node, path);

    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            return -EBADMSG;
    if (strlen(text) >= size)
        return -EBADMSG;
    return text_copy(buffer, size, text) < 0 ? -EBADMSG : 0;
}

void document_words(const struct document_node *node, const char *path, char *buffer, size_t size)
{
    (void)text_format(buffer, size, "%s", document_text(node, path));
    (void)text_make_printable(buffer);
}

uint64_t document_number(const struct document_node *node, const char *path, uint64_t fallback)
{
    uint64_t number;

    return number_parse_unsigned(document_text(node, path), UINT64_MAX, &number) == 0 ? number : fallback;
}

bool document_true(const struct document_node *node, const char *path)
{
    return strcasecmp(document_text(node, path), "true") == 0;
}

/* Digits of fixed count, or -1. */
static int take_digits(const char **text, int count)
{
    int number = 0;

    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return -1;
        number = 10 * number + (**text - '0');
    }
    return number;
}

static bool take_date(const char **text, struct tm *ret)
{
    ret->tm_year = take_digits(text, 4) - 1900;
    if (ret->tm_year < 70 || *(*text)++ != '-')
        return false;
    ret->tm_mon = take_digits(text, 2) - 1;
    if (ret->tm_mon < 0 || ret->tm_mon > 11 || *(*text)++ != '-')
        return false;
    ret->tm_mday = take_digits(text, 2);
    return ret->tm_mday >= 1 && ret->tm_mday <= 31;
}

int64_t document_parse_time(const char *text, int64_t offset_s)
{
    struct tm time = { 0 };
    int64_t seconds;

    if (!take_date(&text, &time) || (*text != 'T' && *text != ' '))
        return 0;
    text++;
    time.tm_hour = take_digits(&text, 2);
    if (time.tm_hour < 0 || time.tm_hour > 23 || *text++ != ':')
        return 0;
    time.tm_min = take_digits(&text, 2);
    if (time.tm_min < 0 || time.tm_min > 59)
        return 0;
    if (*text == ':') {
        text++;
        time.tm_sec = take_digits(&text, 2);
        if (time.tm_sec < 0 || time.tm_sec > 60)
            return 0;
    }
    if (*text == '.')
        text += 1 + strspn(text + 1, "0123456789");
    seconds = (int64_t)timegm(&time);
    if (*text == 'Z')
        return text[1] == '\0' ? seconds : 0;
    return *text == '\0' ? seconds - offset_s : 0;
}
