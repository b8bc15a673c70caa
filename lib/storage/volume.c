/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/volume.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "storage/mount_table.h"

/* The layers, lowest first. */
static const struct volume_layer *const layers[] = {
    &volume_layer_iscsi,
    &volume_layer_multipath,
    &volume_layer_reservation,
    &volume_layer_lvm,
    &volume_layer_device,
    &volume_layer_filesystem,
    &volume_layer_network,
    &volume_layer_bind,
};

int volume_fail(struct volume *volume, int error, const char *format, ...)
{
    va_list arguments;
    _cleanup_free_ char *text = NULL;

    if (volume->why.length > 0)
        return error;
    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    text_buffer_printf(&volume->why, "%s", text ? text : "out of memory");
    return error;
}

void volume_note(struct volume *volume, const char *format, ...)
{
    va_list arguments;
    _cleanup_free_ char *text = NULL;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        text_buffer_printf(&volume->notes, "%s%s", volume->notes.length > 0 ? "\n" : "", text);
}

void volume_degrade(struct volume *volume, const char *format, ...)
{
    va_list arguments;
    _cleanup_free_ char *text = NULL;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        text_buffer_printf(&volume->degraded, "%s%s", volume->degraded.length > 0 ? "; " : "", text);
}

void volume_time(struct volume *volume, const char *what, uint64_t begin_ms)
{
    text_buffer_printf(&volume->times, "%s%s %" PRIu64 " ms", volume->times.length > 0 ? ", " : "", what, deadline_now_ms() - begin_ms);
}

bool volume_wants_write(const struct volume *volume)
{
    return !mount_option_present(volume->config->options, "ro");
}

/* The folder without double and trailing slashes; what a mount table never shows ("." and "..") is refused. */
static int normalise_directory(struct volume *volume)
{
    const char *cursor = volume->config->directory, *word;
    size_t length, used = 0;

    while (text_next_word(&cursor, "/", &word, &length)) {
        if ((length == 1 && word[0] == '.') || (length == 2 && word[0] == '.' && word[1] == '.'))
            return volume_fail(volume, -EINVAL, "directory %s holds a '.' or '..': give the mount point's plain path",
                               volume->config->directory);
        if (used + length + 2 > sizeof(volume->directory))
            return volume_fail(volume, -EINVAL, "directory is longer than %zu bytes", sizeof(volume->directory) - 1);
        volume->directory[used++] = '/';
        memcpy(volume->directory + used, word, length);
        used += length;
    }
    volume->directory[used] = '\0';
    if (used == 0)
        return volume_fail(volume, -EINVAL, "directory %s is the root folder: a volume is mounted below it",
                           volume->config->directory);
    return 0;
}

static bool is_network_type(const char *type)
{
    static const char *const types[] = { "nfs", "nfs4", "cifs", "smb3" };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (text_equal(type, types[i]))
            return true;
    }
    return false;
}

static int add_disk(struct volume *volume, const char *word, size_t length)
{
    char name[512];

    if (volume->disk_count == VOLUME_DISKS_MAX)
        return volume_fail(volume, -EINVAL, "more than %d disks are named", VOLUME_DISKS_MAX);
    if (length >= sizeof(name))
        return volume_fail(volume, -EINVAL, "the name of a disk is longer than %zu bytes", sizeof(name) - 1);
    memcpy(name, word, length);
    name[length] = '\0';
    if (device_name_parse(name, &volume->disks[volume->disk_count].name) < 0)
        return volume_fail(volume, -EINVAL, "disk '%s' is neither an absolute path nor WWN= with a value", name);
    volume->disk_count++;
    return 0;
}

/* The LUNs below: those that are named, else the device itself. */
static int open_disks(struct volume *volume)
{
    const char *cursor = volume->config->disks, *word;
    size_t length, count = cursor ? text_count_words(cursor, " ,\t") : 1;
    int r = 0;

    if (count == 0 || volume->bind || volume->network)
        return 0;
    volume->disks = calloc(count, sizeof(*volume->disks));
    if (!volume->disks)
        return volume_fail(volume, -ENOMEM, "out of memory");
    if (!cursor) {
        volume->disks[0].name = volume->name;
        volume->disk_count = 1;
        return 0;
    }
    while (r == 0 && text_next_word(&cursor, " ,\t", &word, &length))
        r = add_disk(volume, word, length);
    return r;
}

/* What a layer needs to know the LUNs for. */
static int check_disks(struct volume *volume)
{
    const struct volume_config *config = volume->config;
    bool network = volume->bind || volume->network;

    if (network && (config->reservation || config->volume_group || config->portals || config->multipath == MULTIPATH_REQUIRE))
        return volume_fail(volume, -EINVAL, "%s has no device of its own: reservation, volume_group, portals and multipath=require do not go with it",
                           config->device);
    if (network || config->disks)
        return 0;
    if (config->reservation && (config->volume_group || (volume->name.kind != DEVICE_WWN && volume->name.kind != DEVICE_PATH)))
        return volume_fail(volume, -EINVAL, "the reservation is held on LUNs, and '%s' does not name one: give them in disks, best as WWN=...",
                           config->device);
    return 0;
}

static int parse_device(struct volume *volume)
{
    const struct volume_config *config = volume->config;
    int r;

    if (volume->network)
        return 0;
    r = device_name_parse(config->device, &volume->name);
    if (r < 0)
        return volume_fail(volume, -EINVAL,
                           "device '%s' is neither an absolute path nor UUID=, LABEL=, PARTUUID=, PARTLABEL= or WWN= with a value",
                           config->device);
    if (volume->bind && volume->name.kind != DEVICE_PATH)
        return volume_fail(volume, -EINVAL, "device '%s' of a bind mount must be the path of a folder", config->device);
    return 0;
}

int volume_open(struct volume *volume, const struct volume_config *config, struct deadline deadline)
{
    int r;

    *volume = (struct volume){ .config = config, .deadline = deadline, .state_path = "", .instance = "volume", .node = "node" };
    volume->bind = mount_option_present(config->options, "bind") || mount_option_present(config->options, "rbind");
    volume->network = is_network_type(config->type);
    r = normalise_directory(volume);
    if (r < 0)
        return r;
    r = parse_device(volume);
    if (r == 0)
        r = check_disks(volume);
    return r < 0 ? r : open_disks(volume);
}

void volume_read_state(struct volume *volume, const char *path)
{
    volume->state_path = path;
    volume->state_known = volume_state_read(path, &volume->state) == 0 && text_equal(volume->state.asked, volume->config->device);
}

void volume_close(struct volume *volume)
{
    free(volume->disks);
    volume->disks = NULL;
    volume->disk_count = 0;
    text_buffer_free(&volume->why);
    text_buffer_free(&volume->degraded);
    text_buffer_free(&volume->notes);
    text_buffer_free(&volume->times);
}

/* The lowest of the layers that let data be changed by what is mounted: before it, the cluster is told who has the volume. */
static const struct volume_layer *const first_of_mount = &volume_layer_device;

static int layer_bring_up(struct volume *volume, const struct volume_layer *layer)
{
    uint64_t begin = deadline_now_ms();
    int r;

    if (!layer->applies(volume))
        return 0;
    r = layer->up(volume);
    volume_time(volume, layer->name, begin);
    return r;
}

static int announce(struct volume *volume)
{
    uint64_t begin = deadline_now_ms();
    int r;

    if (!volume->authority)
        return 0;
    r = volume->authority->announce(volume);
    volume_time(volume, "record", begin);
    return r;
}

int volume_up(struct volume *volume)
{
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        int r = layers[i] == first_of_mount ? announce(volume) : 0;

        if (r == 0)
            r = layer_bring_up(volume, layers[i]);
        if (r < 0)
            return volume_fail(volume, r, "layer %s of %s: %s", layers[i]->name, volume->directory, strerror(-r));
    }
    return 0;
}

int volume_down(struct volume *volume)
{
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        if (layers[i]->prepare_down && layers[i]->applies(volume))
            layers[i]->prepare_down(volume);
    }
    for (size_t i = ARRAY_SIZE(layers); i > 0; i--) {
        int r = layers[i - 1]->applies(volume) ? layers[i - 1]->down(volume) : 0;

        if (r < 0)
            return volume_fail(volume, r, "layer %s of %s: %s", layers[i - 1]->name, volume->directory, strerror(-r));
    }
    if (!text_empty(volume->state_path))
        (void)unlink(volume->state_path);
    return 0;
}

/* The verdict of a layer joined to that of the layers above it: all up, or all down; a part of them is a failure. */
static int join_status(struct volume *volume, const struct volume_layer *layer, int above, int status)
{
    if (status == VOLUME_PASSIVE || above == VOLUME_PASSIVE)
        return above == VOLUME_PASSIVE ? status : above;
    if (status == above)
        return above;
    return volume_fail(volume, -EUCLEAN, "%s is up in part only: layer %s is %s, unlike what stands above; stop it and start it again",
                       volume->directory, layer->name, status == VOLUME_UP ? "up" : "down");
}

int volume_check(struct volume *volume, unsigned int depth)
{
    int verdict = VOLUME_PASSIVE;

    for (size_t i = ARRAY_SIZE(layers); i > 0; i--) {
        const struct volume_layer *layer = layers[i - 1];
        int status;

        if (!layer->applies(volume))
            continue;
        status = layer->check(volume, verdict == VOLUME_DOWN ? 0 : depth);
        if (status >= 0)
            status = join_status(volume, layer, verdict, status);
        if (status < 0)
            return volume_fail(volume, status, "layer %s of %s: %s", layer->name, volume->directory, strerror(-status));
        verdict = status;
    }
    return verdict == VOLUME_PASSIVE ? VOLUME_DOWN : verdict;
}
