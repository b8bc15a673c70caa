/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/disk_note.h"

#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

#define NOTE_HEADER "vigil-disk-note=1\n"

static const char *const phases[] = {
    [DISK_PHASE_NONE] = "none", [DISK_PHASE_ATTACHING] = "attaching", [DISK_PHASE_ATTACHED] = "attached", [DISK_PHASE_DETACHING] = "detaching",
};

int disk_note_format(const struct disk_note *note, char *buffer, size_t size)
{
    return text_format(buffer, size,
                       NOTE_HEADER "phase=%s\nvolume=%s\ninstance=%s\ndevice=%s\nserial=%s\nmajor=%u\nminor=%u\nsequence=%" PRIu64 "\nsize=%" PRIu64
                               "\nconfirmed=%" PRIu64 "\nend=1\n",
                       phases[note->phase], note->volume, note->instance, note->device, note->serial, note->major, note->minor, note->sequence,
                       note->size_bytes, note->confirmed_ms);
}

/* The value of "name=value\n" at *cursor, which is moved behind it. */
static int take_text(const char **cursor, const char *name, char *ret, size_t size)
{
    const char *value = text_after(*cursor, name), *end;

    if (!value || *value != '=')
        return -EBADMSG;
    value++;
    end = strchr(value, '\n');
    if (!end || text_format(ret, size, "%.*s", (int)(end - value), value) < 0 || !text_is_printable_utf8(ret, strlen(ret)))
        return -EBADMSG;
    *cursor = end + 1;
    return 0;
}

static int take_number(const char **cursor, const char *name, uint64_t maximum, uint64_t *ret)
{
    char text[32];

    if (take_text(cursor, name, text, sizeof(text)) < 0 || number_parse_unsigned(text, maximum, ret) < 0)
        return -EBADMSG;
    return 0;
}

static int take_phase(const char **cursor, enum disk_phase *ret)
{
    char text[16];

    if (take_text(cursor, "phase", text, sizeof(text)) < 0)
        return -EBADMSG;
    for (size_t i = DISK_PHASE_ATTACHING; i < ARRAY_SIZE(phases); i++) {
        if (text_equal(text, phases[i])) {
            *ret = (enum disk_phase)i;
            return 0;
        }
    }
    return -EBADMSG;
}

static int take_all(const char *cursor, struct disk_note *note)
{
    uint64_t major = 0, minor = 0, end = 0;
    int r = take_phase(&cursor, &note->phase);

    if (r == 0)
        r = take_text(&cursor, "volume", note->volume, sizeof(note->volume));
    if (r == 0)
        r = take_text(&cursor, "instance", note->instance, sizeof(note->instance));
    if (r == 0)
        r = take_text(&cursor, "device", note->device, sizeof(note->device));
    if (r == 0)
        r = take_text(&cursor, "serial", note->serial, sizeof(note->serial));
    if (r == 0)
        r = take_number(&cursor, "major", UINT32_MAX, &major);
    if (r == 0)
        r = take_number(&cursor, "minor", UINT32_MAX, &minor);
    if (r == 0)
        r = take_number(&cursor, "sequence", UINT64_MAX, &note->sequence);
    if (r == 0)
        r = take_number(&cursor, "size", UINT64_MAX, &note->size_bytes);
    if (r == 0)
        r = take_number(&cursor, "confirmed", UINT64_MAX, &note->confirmed_ms);
    if (r == 0)
        r = take_number(&cursor, "end", 1, &end);
    note->major = (unsigned int)major;
    note->minor = (unsigned int)minor;
    return r == 0 && end == 1 && *cursor == '\0' ? 0 : -EBADMSG;
}

int disk_note_parse(const char *text, size_t length, struct disk_note *ret)
{
    char copy[DISK_NOTE_LIMIT];
    const char *rest;
    struct disk_note note = { 0 };

    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';
    rest = text_after(copy, NOTE_HEADER);
    if (!rest || take_all(rest, &note) < 0)
        return -EBADMSG;
    *ret = note;
    return 0;
}

void disk_serials_of_id(const char *id, struct disk_serials *ret)
{
    const char *dash = strchr(id, '-');
    size_t count = 0;

    *ret = (struct disk_serials){ 0 };
    (void)text_copy(ret->text[count++], CLOUD_ID_SIZE, id);
    /* A UUID has several dashes, and is its own serial. */
    if (dash && !strchr(dash + 1, '-')) {
        (void)text_format(ret->text[count++], CLOUD_ID_SIZE, "%.*s%s", (int)(dash - id), id, dash + 1);
        if (text_after(id, "d-"))
            (void)text_copy(ret->text[count++], CLOUD_ID_SIZE, dash + 1);
    }
    for (size_t i = 0; i < count; i++)
        ret->list[i] = ret->text[i];
}
