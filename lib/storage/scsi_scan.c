/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/scsi_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/text.h"

/* A scan of a host takes some ten milliseconds; one that is not back by then goes on by itself. */
#define SCAN_LIMIT_MS 2000

static int scan_host(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    /* Every channel, every target, every LUN (Documentation/scsi/scsi_transport...: echo "- - -" >scan). */
    static const char wildcards[] = "- - -\n";
    _cleanup_close_ int fd = open(argument, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return write(fd, wildcards, strlen(wildcards)) < 0 ? -errno : 0;
}

static int scan_class(const char *sysfs, const char *class_name, struct deadline deadline)
{
    char path[512], lock[300];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;
    int scanned = 0;

    if (text_format(path, sizeof(path), "%s/class/%s", sysfs, class_name) < 0)
        return -ENAMETOOLONG;
    folder = opendir(path);
    while (folder && (entry = readdir(folder)) && !deadline_passed(deadline)) {
        if (entry->d_name[0] == '.' || text_format(path, sizeof(path), "%s/class/scsi_host/%s/scan", sysfs, entry->d_name) < 0 ||
            text_format(lock, sizeof(lock), "scan-%s", entry->d_name) < 0)
            continue;
        scanned += child_call(scan_host, path, NULL, 0, lock, deadline_within(deadline, SCAN_LIMIT_MS)) == 0;
    }
    return scanned;
}

int scsi_hosts_scan(const char *sysfs, struct deadline deadline)
{
    static const char *const classes[] = { "iscsi_host", "fc_host", "sas_host" };
    int scanned = 0;

    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        int r = scan_class(sysfs, classes[i], deadline);

        if (r < 0)
            return r;
        scanned += r;
    }
    return scanned;
}
