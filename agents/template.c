/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * template: a marker file, to copy when a new agent is written; see doc/HACKING.md.
 *
 * Running means: the file is there and holds the text. Stopped means: the file was looked for and is not there. A file that holds another
 * text is neither, but a failure. A stop has succeeded when the file is seen to be gone, whatever it held: the path is the resource's own.
 *
 * The file is on a local filesystem. A path that may be on a dead network mount is to be looked at through child_call.
 */
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/file.h"

#define TEXT_LIMIT 4096

struct template_config {
    const char *path;
    const char *text;
};

static const struct param params[] = {
    { "path", PARAM_PATH(struct template_config, path), .required = true, .unique_group = "path",
      .shortdesc = "Path of the marker file" },
    { "text", PARAM_TEXT(struct template_config, text), .reloadable = true, .default_value = "vigil",
      .aliases = NAMES("content"), .shortdesc = "Text of the marker file",
      .longdesc = "What the file holds while the resource runs. A changed text is written without a restart." },
    {}
};

/* 1 when the file holds the text, 0 when there is no file, -EEXIST when it holds another text, -errno when that can't be told. */
static int marker_look(const struct template_config *config)
{
    _cleanup_free_ char *text = NULL;
    int r = file_read(config->path, TEXT_LIMIT, &text, NULL);

    if (r == -ENOENT)
        return 0;
    if (r == -EFBIG)
        return -EEXIST;
    if (r < 0)
        return r;
    return text_equal(text, config->text) ? 1 : -EEXIST;
}

static enum ocf_code fail_look(struct agent_run *run, const struct template_config *config, int error)
{
    if (error == -EEXIST)
        return agent_fail(run, OCF_ERR_GENERIC, "%s holds another text than '%s': find out who wrote it; a restart of the resource puts it right",
                          config->path, config->text);
    return agent_fail(run, OCF_ERR_GENERIC, "%s can't be read: %s; check its folder", config->path, strerror(-error));
}

static enum ocf_code template_monitor(struct agent_run *run, const void *argument)
{
    const struct template_config *config = argument;
    int r = marker_look(config);

    if (r < 0)
        return fail_look(run, config, r);
    return r == 1 ? OCF_SUCCESS : OCF_NOT_RUNNING;
}

/* Writes the file and looks again: what was seen is what counts. */
static enum ocf_code marker_write(struct agent_run *run, const struct template_config *config)
{
    int r = file_write(config->path, 0644, config->text, strlen(config->text));

    if (r < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "%s can't be written: %s; check its folder", config->path, strerror(-r));
    r = marker_look(config);
    return r == 1 ? OCF_SUCCESS : fail_look(run, config, r < 0 ? r : -ENOENT);
}

static enum ocf_code template_start(struct agent_run *run, const void *argument)
{
    const struct template_config *config = argument;
    int r = marker_look(config);

    if (r == 1)
        return OCF_SUCCESS;
    return r < 0 ? fail_look(run, config, r) : marker_write(run, config);
}

static enum ocf_code template_stop(struct agent_run *run, const void *argument)
{
    const struct template_config *config = argument;

    if (unlink(config->path) < 0 && errno != ENOENT)
        return agent_fail(run, OCF_ERR_GENERIC, "%s can't be removed: %s; remove it by hand", config->path, strerror(errno));
    return marker_look(config) == 0
               ? OCF_SUCCESS
               : agent_fail(run, OCF_ERR_GENERIC, "%s came back after it was removed: find out who writes it", config->path);
}

/* Pacemaker calls this instead of stop and start when only reloadable parameters have changed. */
static enum ocf_code template_reload(struct agent_run *run, const void *argument)
{
    return marker_write(run, argument);
}

static const struct agent_action actions[] = {
    { "start", template_start, .timeout_s = 20 },
    { "stop", template_stop, .timeout_s = 20 },
    { "monitor", template_monitor, .timeout_s = 20, .interval_s = 10 },
    { "reload-agent", template_reload, .timeout_s = 20 },
    {}
};

static const struct agent agent = {
    .name = "template",
    .shortdesc = "A marker file",
    .longdesc = "Keeps a file with a given text on one node at a time.\n\n"
                "It is the pattern for new agents and of no other use.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct template_config),
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
