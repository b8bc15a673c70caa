/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/role_keys.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cloud/digest.h"

/* Keys of a role are fetched anew when they last for less than this: the services give new ones at least five minutes before the end
 * of the old (AWS: IAM roles for EC2; Aliyun and Tencent: the same). */
#define MARGIN_S 240

int role_keys_path(const struct cloud *cloud, const char *kind, const char *account, char *buffer, size_t size)
{
    const char *folder = cloud->config.run_folder ? cloud->config.run_folder : VIGIL_RUNDIR "/cloud";
    char hash[DIGEST_HEX_SIZE];
    int r = file_make_directory(folder, 0700);

    if (r == 0)
        r = digest_sha256_hex(account, strlen(account), hash);
    if (r < 0)
        return r;
    return text_format(buffer, size, "%s/%s-%s-%.16s", folder, kind, cloud->provider->name, hash) < 0 ? -ENAMETOOLONG : 0;
}

/* Another role or another metadata service is another account. */
static int keys_path(const struct cloud *cloud, char *buffer, size_t size)
{
    const char *metadata = cloud->config.metadata ? cloud->config.metadata : cloud->provider->metadata;
    _cleanup_free_ char *account = text_printf("%s %s", metadata, cloud->config.role ? cloud->config.role : "");

    return account ? role_keys_path(cloud, "keys", account, buffer, size) : -ENOMEM;
}

static int read_file(struct cloud *cloud)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r = credentials_read_file(cloud->config.credentials, cloud->provider->formats, cloud->config.profile, &cloud->keys,
                                  &why);

    if (r == 0)
        return 0;
    return cloud_fail(cloud, CLOUD_CREDENTIALS, "credentials file %s: %s", cloud->config.credentials,
                      why.text ? why.text : "not readable");
}

/* With the lock held: whoever waited for it finds the copy that the other one made. */
static int fetch_locked(struct cloud *cloud, const char *path, struct deadline deadline)
{
    int64_t now = (int64_t)time(NULL);
    int r;

    if (path && credentials_load(path, &cloud->keys) == 0 && credentials_usable(&cloud->keys, now, MARGIN_S))
        return 0;
    credentials_wipe(&cloud->keys);
    r = cloud->provider->role_keys(cloud, deadline, &cloud->keys);
    if (r < 0) {
        credentials_wipe(&cloud->keys);
        return r;
    }
    /* A role's keys always end: where the service does not say when in a form that is known, they are asked for again soon. */
    if (cloud->keys.expires == 0)
        cloud->keys.expires = now + MARGIN_S + 300;
    /* A copy that cannot be written costs the next agent a request, no more. */
    if (path)
        (void)credentials_save(path, &cloud->keys);
    return 0;
}

static int read_role(struct cloud *cloud, struct deadline deadline)
{
    char path[512], lock[520];
    _cleanup_close_ int fd = -1;
    bool kept = keys_path(cloud, path, sizeof(path)) == 0;

    if (kept && credentials_load(path, &cloud->keys) == 0 &&
        credentials_usable(&cloud->keys, (int64_t)time(NULL), MARGIN_S))
        return 0;
    if (kept && text_format(lock, sizeof(lock), "%s.lock", path) > 0)
        fd = file_lock(lock, deadline_within(deadline, 3000));
    return fetch_locked(cloud, kept ? path : NULL, deadline);
}

/* The bucket belongs to the account; the access key of a file names it, a role's changes by the hour, so that the role does. */
static void name_bucket(struct cloud *cloud)
{
    const char *account = cloud->config.credentials ? cloud->keys.access : "role";

    if (!cloud->bucket_path[0] &&
        role_keys_path(cloud, "bucket", account, cloud->bucket_path, sizeof(cloud->bucket_path)) < 0)
        (void)text_copy(cloud->bucket_path, sizeof(cloud->bucket_path), "/dev/null/bucket");
}

int role_keys_need(struct cloud *cloud, struct deadline deadline)
{
    int r = 0;

    if (!credentials_usable(&cloud->keys, (int64_t)time(NULL), MARGIN_S)) {
        credentials_wipe(&cloud->keys);
        r = cloud->config.credentials ? read_file(cloud) : read_role(cloud, deadline);
    }
    if (r == 0)
        name_bucket(cloud);
    return r;
}

void role_keys_forget(struct cloud *cloud)
{
    char path[512];

    credentials_wipe(&cloud->keys);
    if (keys_path(cloud, path, sizeof(path)) == 0)
        (void)unlink(path);
}
