/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/fsck.h"

#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "storage/storage_call.h"

/* fsck(8): 1 errors corrected, 2 the system should be restarted (only for a mounted root), 4 errors left, 8 operational error, 16 usage, 32
 * cancelled, 128 shared library error; added up. */
#define FSCK_UNCORRECTED 4
#define FSCK_OUTPUT_LIMIT 4096

bool fsck_wanted(enum volume_fsck policy, const struct superblock *superblock)
{
    if (policy != FSCK_AUTO)
        return policy == FSCK_FORCE;
    if (!superblock->ext4_known)
        return false;
    return superblock->ext4.errors || (!superblock->ext4.has_journal && !superblock->ext4.clean);
}

/* The last line that the program wrote, for the reason: it usually says what to do. */
static const char *last_line(char *output)
{
    char *end;

    if (!output)
        return "no output";
    output = text_trim(output);
    end = strrchr(output, '\n');
    return *output ? text_trim(end ? end + 1 : output) : "no output";
}

static int judge(struct volume *volume, const char *program, int error, struct child_result *result)
{
    const char *device = volume->device.path;

    if (error == -ENOENT)
        return volume_fail(volume, -ENOPKG, "%s is not installed, so %s cannot be checked before the mount: install it, or set run_fsck=no",
                           program, device);
    if (error == -ETIMEDOUT)
        return volume_fail(volume, error, "%s on %s did not end within the start's time: raise the start timeout, or check by hand",
                           program, device);
    if (error < 0)
        return volume_fail(volume, error, "cannot run %s on %s: %s", program, device, storage_error_text(error));
    if (result->signal != 0)
        return volume_fail(volume, -EIO, "%s on %s was ended by signal %d", program, device, result->signal);
    if (result->exit_code >= FSCK_UNCORRECTED)
        return volume_fail(volume, -EUCLEAN, "%s could not repair %s (exit %d: %s): not mounted; check it by hand", program, device,
                           result->exit_code, last_line(result->output.text));
    if (result->exit_code != 0)
        volume_note(volume, "%s corrected errors on %s (exit %d)", program, device, result->exit_code);
    return 0;
}

int fsck_run(struct volume *volume)
{
    char program[64];
    bool force_ext = volume->superblock.ext4_known && volume->config->fsck == FSCK_FORCE;
    const char *argv[] = { program, volume->superblock.ext4_known ? "-p" : "-a", force_ext ? "-f" : volume->device.path,
                           force_ext ? volume->device.path : NULL, NULL };
    const struct child_spec spec = { .argv = argv, .output_limit = FSCK_OUTPUT_LIMIT };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r;

    if (text_format(program, sizeof(program), "fsck.%s", volume->superblock.type) < 0)
        return -ENAMETOOLONG;
    r = child_run(&spec, volume->deadline, &result);
    return judge(volume, program, r, &result);
}
