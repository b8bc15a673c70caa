/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cloud/cloud_provider.h"

static const struct {
    const char *name;
    int error;
} classes[] = {
    [CLOUD_OK] = { "ok", 0 },
    [CLOUD_THROTTLED] = { "throttled", -EAGAIN },
    [CLOUD_TRANSIENT] = { "transient", -EIO },
    [CLOUD_CONFLICT] = { "conflict", -EAGAIN },
    [CLOUD_UNREACHABLE] = { "unreachable", -EHOSTUNREACH },
    [CLOUD_TIMED_OUT] = { "timed out", -ETIMEDOUT },
    [CLOUD_TLS] = { "tls", -EPROTO },
    [CLOUD_MALFORMED] = { "malformed", -EBADMSG },
    [CLOUD_CREDENTIALS] = { "credentials", -ENOKEY },
    [CLOUD_AUTH] = { "authentication", -EACCES },
    [CLOUD_CLOCK] = { "clock", -ETIME },
    [CLOUD_PERMISSION] = { "permission", -EPERM },
    [CLOUD_NOT_FOUND] = { "not found", -ENOENT },
    [CLOUD_ALREADY] = { "already", -EALREADY },
    [CLOUD_IN_USE] = { "in use", -EBUSY },
    [CLOUD_WRONG_STATE] = { "wrong state", -EINPROGRESS },
    [CLOUD_WRONG_ZONE] = { "wrong zone", -EXDEV },
    [CLOUD_QUOTA] = { "quota", -EDQUOT },
    [CLOUD_DEVICE_NAME] = { "device name", -EADDRINUSE },
    [CLOUD_INVALID] = { "invalid", -EINVAL },
    [CLOUD_UNSUPPORTED] = { "unsupported", -EOPNOTSUPP },
    [CLOUD_REFUSED] = { "refused", -EREMOTEIO },
    [CLOUD_NO_MEMORY] = { "no memory", -ENOMEM },
};

const char *cloud_error_name(enum cloud_error error)
{
    return (size_t)error < ARRAY_SIZE(classes) ? classes[error].name : "unknown";
}

int cloud_error_errno(enum cloud_error error)
{
    return (size_t)error < ARRAY_SIZE(classes) ? classes[error].error : -EREMOTEIO;
}

const struct cloud_failure *cloud_failure(const struct cloud *cloud)
{
    return &cloud->failure;
}

/* A server that repeats what was signed may repeat the token: nothing from its first characters on is kept. */
static void hide_secret(char *words, const char *secret)
{
    char head[17];
    char *place;

    if (strlen(secret) < 8)
        return;
    (void)text_format(head, sizeof(head), "%.12s", secret);
    place = strstr(words, head);
    if (place)
        (void)text_copy(place, strlen(place) + 1, strlen(place) >= 3 ? "..." : "");
}

void cloud_hide_secrets(const struct cloud *cloud, char *text)
{
    hide_secret(text, cloud->keys.secret);
    hide_secret(text, cloud->keys.token);
    hide_secret(text, cloud->metadata_token);
}

int cloud_fail(struct cloud *cloud, enum cloud_error error, const char *format, ...)
{
    va_list arguments;

    cloud->failure = (struct cloud_failure){ .error = error };
    va_start(arguments, format);
    (void)vsnprintf(cloud->failure.text, sizeof(cloud->failure.text), format, arguments);
    va_end(arguments);
    cloud_hide_secrets(cloud, cloud->failure.text);
    (void)text_make_printable(cloud->failure.text);
    return cloud_error_errno(error);
}

int cloud_malformed(struct cloud *cloud, const char *what)
{
    return cloud_fail(cloud, CLOUD_MALFORMED, "the cloud's answer lacks %s, or it is malformed", what);
}

int cloud_not_the_thing(struct cloud *cloud, int r)
{
    if (r >= 0 || cloud->failure.error != CLOUD_NOT_FOUND)
        return r;
    cloud->failure.error = CLOUD_TRANSIENT;
    return cloud_error_errno(CLOUD_TRANSIENT);
}

int cloud_pick(struct cloud *cloud, const struct document_node *items, const char *path, const char *value,
               const struct document_node **ret)
{
    *ret = NULL;
    for (; items; items = items->next) {
        if (strcmp(document_text(items, path), value) != 0)
            continue;
        if (*ret)
            return cloud_fail(cloud, CLOUD_INVALID, "several things of this region have %s %.60s: name the right one by its id", path, value);
        *ret = items;
    }
    return 0;
}

int cloud_pause(struct cloud *cloud, struct deadline deadline, uint64_t *pause_ms, const char *what)
{
    *pause_ms = *pause_ms == 0 ? 300 : *pause_ms < 2000 ? *pause_ms * 3 / 2 : 3000;
    if (deadline_left_ms(deadline) <= *pause_ms)
        return cloud_fail(cloud, CLOUD_TIMED_OUT, "timed out waiting for %s", what);
    (void)deadline_sleep(deadline, *pause_ms);
    return 0;
}

void cloud_merge_route(const struct cloud_address *one, const char *self, bool first, struct cloud_address *ret)
{
    bool partial = !first && (ret->partial || one->assigned != ret->assigned || strcmp(one->instance, ret->instance) != 0);

    if (first || !ret->assigned || strcmp(ret->instance, self) == 0)
        *ret = *one;
    ret->partial = partial;
}
