/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines, words, trimming, UTF-8. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes a word so that the splitter reads it back: every byte behind a backslash. */
static void append_quoted(struct text_buffer *line, const char *word)
{
    if (!*word)
        text_buffer_append(line, "''", 2);
    for (; *word; word++) {
        text_buffer_append(line, "\\", 1);
        text_buffer_append(line, word, 1);
    }
    text_buffer_append(line, " ", 1);
}

static void check_split(const char *text)
{
    _cleanup_text_buffer_ struct text_buffer line = { 0 };
    _cleanup_vector_ char **vector = NULL, **again = NULL;
    int r = text_split_command(text, &vector);

    assert(r == 0 || r == -EINVAL || r == -ENODATA || r == -ENOMEM);
    assert((r == 0) == (vector != NULL));
    if (r < 0)
        return;
    assert(vector[0]);
    for (char **word = vector; *word; word++)
        append_quoted(&line, *word);
    assert(!line.failed && text_split_command(line.text, &again) == 0);
    for (size_t i = 0; vector[i] || again[i]; i++)
        assert(text_equal(vector[i], again[i]));
}

static void check_words(const char *text)
{
    const char *cursor = text, *word;
    size_t length, count = 0;

    while (text_next_word(&cursor, " ,;", &word, &length)) {
        assert(length > 0 && strcspn(word, " ,;") == length);
        count++;
    }
    assert(count == text_count_words(text, " ,;"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = strndup((const char *)data, size);
    _cleanup_free_ char *printable = strndup((const char *)data, size);
    char *trimmed;

    (void)text_is_printable_utf8((const char *)data, size);
    if (!text || !printable)
        return 0;
    check_split(text);
    check_words(text);
    assert(text_name_equal(text, text));
    trimmed = text_make_printable(printable);
    assert(text_is_printable_utf8(trimmed, strlen(trimmed)));
    trimmed = text_trim(text);
    assert(trimmed >= text && strlen(trimmed) <= size);
    return 0;
}
