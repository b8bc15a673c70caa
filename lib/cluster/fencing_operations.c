/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/fencing_operations.h"

#include <string.h>

#include "base/text.h"

/* The ends of operations that were taken as one follow each other at once. */
#define SAME_END_NS UINT64_C(5000000000)

struct fencing_operation fencing_operation_of(const char *target, const char *origin, const char *client)
{
    struct fencing_operation operation = { 0 };

    (void)text_format(operation.target, sizeof(operation.target), "%s", target ? target : "");
    (void)text_format(operation.origin, sizeof(operation.origin), "%s", origin ? origin : "");
    (void)text_format(operation.client, sizeof(operation.client), "%s", client ? client : "");
    return operation;
}

/* Its index, or count where it is not known. */
static size_t find(const struct fencing_operations *operations, const struct fencing_operation *operation)
{
    size_t i = 0;

    for (; i < operations->count; i++) {
        const struct fencing_operation *known = &operations->under_way[i];

        if (text_equal(known->target, operation->target) && text_equal(known->origin, operation->origin) && text_equal(known->client, operation->client))
            break;
    }
    return i;
}

/* They stand in the order of their beginnings. */
static void forget(struct fencing_operations *operations, size_t index)
{
    operations->count--;
    memmove(&operations->under_way[index], &operations->under_way[index + 1], (operations->count - index) * sizeof(operations->under_way[0]));
}

bool fencing_operations_begin(struct fencing_operations *operations, const struct fencing_operation *operation, bool seen, uint64_t now_ns)
{
    if (find(operations, operation) < operations->count)
        return false;
    if (operations->count == FENCING_OPERATIONS_MAX)
        forget(operations, 0);
    operations->under_way[operations->count] = *operation;
    operations->under_way[operations->count++].begin_ns = seen ? now_ns : 0;
    return true;
}

bool fencing_operations_end(struct fencing_operations *operations, const struct fencing_operation *operation, uint64_t now_ns, uint64_t *ret_duration_ns)
{
    size_t index = find(operations, operation);
    bool known = index < operations->count;
    uint64_t begin_ns = known ? operations->under_way[index].begin_ns : 0;

    *ret_duration_ns = begin_ns > 0 && begin_ns < now_ns ? now_ns - begin_ns : 0;
    if (known)
        forget(operations, index);
    else if (operations->ended.begin_ns > 0 && now_ns - operations->ended.begin_ns < SAME_END_NS && text_equal(operations->ended.target, operation->target))
        return false;
    operations->ended = *operation;
    operations->ended.begin_ns = now_ns;
    return true;
}

static size_t count_of(const char *text, size_t length, const char *word)
{
    size_t count = 0, size = strlen(word);
    const char *end = text + length;

    for (const char *found = text; (found = memmem(found, (size_t)(end - found), word, size)); found += size)
        count++;
    return count;
}

/* A quotation mark within a value stands there as an entity (XML 1.0, 2.4), so that these are attributes. */
bool fencing_is_noted_by_agents(const char *text, size_t length)
{
    size_t devices = text && length > 0 ? count_of(text, length, " class=\"stonith\"") : 0;

    return devices > 0 && devices == count_of(text, length, " type=\"fence_vigil_");
}
