/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iSCSI sessions to the portals of a target: passive, since a session alone holds nothing. Up logs in to every portal at once and goes on as soon as one session works
 * and the others had their chance; how many are needed is the multipath layer's word. What a login has done is seen in sysfs, never in what the command said. A check
 * tells of sessions that are lost, and has them logged in again beside it.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "storage/iscsi_session.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

#define SYSFS "/sys"
#define LOOK_AGAIN_MS 100
/* Once one session works, the other portals get so much longer. */
#define STRAGGLER_MS 3000
#define DISCOVERY_LIMIT_MS 10000
#define RECOVERY_LIMIT_MS 60000

static bool applies(const struct volume *volume)
{
    return volume->config->portals && !volume->bind && !volume->network;
}

struct portals {
    struct iscsi_portal portal[ISCSI_PORTALS_MAX];
    int count;
};

/* Names of the host may change from look to look; the texts of a volume's parameters do not. */
static int read_portals(struct volume *volume, struct portals *ret)
{
    ret->count = iscsi_portals_parse(volume->config->portals, ret->portal);
    if (ret->count <= 0)
        return volume_fail(volume, -EINVAL, "portals: addresses such as 192.0.2.1 or 192.0.2.1:3260, separated by blanks, are wanted");
    if (text_empty(volume->config->target) || strchr(volume->config->target, '/'))
        return volume_fail(volume, -EINVAL, "portals without target: give the target's name (iqn....)");
    return 0;
}

static void add_portals(struct portals *portals, const struct iscsi_portal *found, int count)
{
    for (int i = 0; i < count && portals->count < ISCSI_PORTALS_MAX; i++) {
        bool known = false;

        for (int j = 0; j < portals->count; j++)
            known = known || iscsi_portal_equal(&portals->portal[j], &found[i]);
        if (!known)
            portals->portal[portals->count++] = found[i];
    }
}

/* The portals that are given, and those that the start was told of by the array. */
static int read_all_portals(struct volume *volume, struct portals *ret)
{
    struct iscsi_portal noted[ISCSI_PORTALS_MAX];
    int r = read_portals(volume, ret), count;

    if (r < 0 || !volume->state_known)
        return r;
    count = iscsi_portals_parse(volume->state.portals, noted);
    if (count > 0)
        add_portals(ret, noted, count);
    return 0;
}

static void note_portals(struct volume *volume, const struct portals *portals)
{
    _cleanup_text_buffer_ struct text_buffer list = { 0 };
    char portal[160];

    for (int i = 0; i < portals->count; i++)
        text_buffer_printf(&list, "%s%s", i > 0 ? " " : "", iscsi_portal_format(&portals->portal[i], portal, sizeof(portal)));
    if (!list.text || text_copy(volume->state.portals, sizeof(volume->state.portals), list.text) < 0)
        volume->state.portals[0] = '\0';
    volume_write_note(volume);
}

static int read_sessions(struct volume *volume, struct iscsi_session sessions[static ISCSI_SESSIONS_MAX])
{
    int r = iscsi_sessions_read(SYSFS, volume->config->target, sessions);

    return r < 0 ? volume_fail(volume, r, "cannot read the iSCSI sessions in sysfs: %s", strerror(-r)) : r;
}

/* How many of the portals have a session that works. -errno with the reason given. */
static int count_logged_in(struct volume *volume, const struct portals *portals)
{
    struct iscsi_session sessions[ISCSI_SESSIONS_MAX];
    int count = read_sessions(volume, sessions), working = 0;

    for (int i = 0; count >= 0 && i < portals->count; i++) {
        const struct iscsi_session *session = iscsi_session_find(sessions, (size_t)count, &portals->portal[i]);

        working += session && session->logged_in;
    }
    return count < 0 ? count : working;
}

/* ---- iscsiadm ------------------------------------------------------------------------------------------------------------------------- */

/* Its own words where it failed: the last line. */
static int run_iscsiadm(struct volume *volume, const char *const *argv, struct deadline deadline, const char *what, struct text_buffer *output)
{
    const struct child_spec spec = { .argv = argv };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r = child_run(&spec, deadline, &result);

    if (r == -ENOENT)
        return volume_fail(volume, -ENOPKG, "iscsiadm is not installed on this node: install open-iscsi, or remove portals");
    if (r == -ETIMEDOUT)
        return volume_fail(volume, r, "%s has not ended in time: is the portal reachable?", what);
    if (r < 0)
        return volume_fail(volume, r, "%s cannot be started: %s", what, strerror(-r));
    if (result.exit_code != 0)
        return volume_fail(volume, -ENOTCONN, "%s failed: %s (exit code %d); is iscsid running?", what,
                           result.output.text ? text_make_printable(text_trim(result.output.text)) : "no output", result.exit_code);
    if (output && result.output.text)
        text_buffer_append(output, result.output.text, result.output.length);
    return 0;
}

static void forget_reason(struct volume *volume)
{
    text_buffer_free(&volume->why);
    volume->why = (struct text_buffer){ 0 };
}

/* Asks the portals in turn which portals the target has; the first that answers is enough. Keeps what an administrator has set in records that exist. */
static int discover(struct volume *volume, struct portals *portals)
{
    int asked = portals->count, r = 0;

    for (int i = 0; i < asked; i++) {
        _cleanup_text_buffer_ struct text_buffer output = { 0 };
        struct iscsi_portal found[ISCSI_PORTALS_MAX];
        char portal[160];
        const char *const argv[] = { "iscsiadm", "-m", "discovery", "-t", "sendtargets", "-o", "new", "-p",
                                     iscsi_portal_format(&portals->portal[i], portal, sizeof(portal)), NULL };
        int count;

        /* Of several portals, the last one's reason is told. */
        forget_reason(volume);
        r = run_iscsiadm(volume, argv, deadline_within(deadline_share(volume->deadline, 50), DISCOVERY_LIMIT_MS), "iSCSI discovery", &output);
        if (r == -ENOPKG)
            return r;
        if (r < 0)
            continue;
        count = iscsi_discovery_parse(output.text ? output.text : "", output.length, volume->config->target, found);
        if (count == 0) {
            r = volume_fail(volume, -ENODEV, "the array at %s shows no target %s to this node: check the initiator name in /etc/iscsi/initiatorname.iscsi and the array's access list",
                            portal, volume->config->target);
            continue;
        }
        add_portals(portals, found, count);
        return 0;
    }
    return r;
}

/* Makes the record of a portal, without asking the array. One that exists is kept by iscsiadm. */
static int make_record(struct volume *volume, const char *portal)
{
    const char *const argv[] = { "iscsiadm", "-m", "node", "-o", "new", "-T", volume->config->target, "-p", portal, NULL };

    return run_iscsiadm(volume, argv, volume->deadline, "making an iSCSI record", NULL);
}

/* ---- CHAP ----------------------------------------------------------------------------------------------------------------------------- */

static int read_password(struct volume *volume, const char *path, char **ret)
{
    int r = file_read_secret(path, ret);

    if (r == -EPERM)
        return volume_fail(volume, -EPERM, "CHAP password file %s can be read by others than its owner: chmod 600", path);
    return r < 0 ? volume_fail(volume, r, "CHAP password file %s: %s", path, strerror(-r)) : 0;
}

/* The secrets go from their files into open-iscsi's record (mode 0600), which is where iscsid reads them; never through an argument vector. */
static int set_authentication(struct volume *volume, const struct portals *portals)
{
    const struct volume_config *config = volume->config;
    char *password = NULL, *password_in = NULL;
    struct iscsi_setting settings[5] = { { "node.session.auth.authmethod", "CHAP" } };
    size_t count = 1;
    int r = 0, written = 0;

    if (!config->chap_username)
        return 0;
    r = read_password(volume, config->chap_password_file, &password);
    if (r == 0 && config->chap_username_in)
        r = read_password(volume, config->chap_password_in_file, &password_in);
    if (r == 0) {
        settings[count++] = (struct iscsi_setting){ "node.session.auth.username", config->chap_username };
        settings[count++] = (struct iscsi_setting){ "node.session.auth.password", password };
    }
    if (r == 0 && password_in) {
        settings[count++] = (struct iscsi_setting){ "node.session.auth.username_in", config->chap_username_in };
        settings[count++] = (struct iscsi_setting){ "node.session.auth.password_in", password_in };
    }
    for (int i = 0; r == 0 && i < portals->count; i++) {
        r = iscsi_record_update(NULL, config->target, &portals->portal[i], settings, count);
        written += r > 0 ? r : 0;
        r = r < 0 ? volume_fail(volume, r, "cannot write CHAP's secrets into open-iscsi's record: %s", strerror(-r)) : 0;
    }
    file_wipe_secret(password);
    file_wipe_secret(password_in);
    if (r == 0 && written == 0)
        return volume_fail(volume, -ENOENT, "open-iscsi has no record of %s, neither in /etc/iscsi/nodes nor in /var/lib/iscsi/nodes", config->target);
    return r;
}

/* ---- login ---------------------------------------------------------------------------------------------------------------------------- */

/* One iscsiadm for each portal, all at once, since a dead portal takes minutes. */
struct logins {
    int pidfds[ISCSI_PORTALS_MAX];
    pid_t pids[ISCSI_PORTALS_MAX];
    int count;
    int output; /* a file in memory that all of them write to */
};

static void logins_end(struct logins *logins)
{
    for (int i = 0; i < logins->count; i++) {
        if (logins->pidfds[i] < 0)
            continue;
        (void)pidfd_send_signal(logins->pidfds[i], SIGKILL, NULL, 0);
        (void)waitpid(logins->pids[i], NULL, WNOHANG);
        (void)close(logins->pidfds[i]);
    }
    if (logins->output >= 0)
        (void)close(logins->output);
}
#define _cleanup_logins_ _cleanup_(logins_end)

/* Reaps those that have ended. Returns how many still run. */
static int logins_running(struct logins *logins)
{
    int running = 0;

    for (int i = 0; i < logins->count; i++) {
        if (logins->pidfds[i] < 0)
            continue;
        if (waitpid(logins->pids[i], NULL, WNOHANG) == 0) {
            running++;
            continue;
        }
        (void)close(logins->pidfds[i]);
        logins->pidfds[i] = -1;
    }
    return running;
}

static int start_login(struct volume *volume, struct logins *logins, const struct iscsi_portal *portal)
{
    char text[160];
    const char *const argv[] = { "iscsiadm", "-m", "node", "-T", volume->config->target, "-p", iscsi_portal_format(portal, text, sizeof(text)),
                                 "--login", NULL };
    const struct child_spec spec = { .argv = argv };
    int r = child_start(&spec, logins->output, volume->deadline, &logins->pidfds[logins->count], &logins->pids[logins->count]);

    if (r == -ENOENT)
        return volume_fail(volume, -ENOPKG, "iscsiadm is not installed on this node: install open-iscsi, or remove portals");
    if (r < 0)
        return volume_fail(volume, r, "iscsiadm cannot be started: %s", strerror(-r));
    logins->count++;
    return 0;
}

static int start_logins(struct volume *volume, const struct portals *portals, struct logins *logins)
{
    struct iscsi_session sessions[ISCSI_SESSIONS_MAX];
    int count = read_sessions(volume, sessions), r = 0;

    if (count < 0)
        return count;
    logins->output = memfd_create("iscsiadm", MFD_CLOEXEC);
    for (int i = 0; r == 0 && i < portals->count; i++) {
        /* A session that failed is iscsid's to recover; a second one beside it would be one too many. */
        if (!iscsi_session_find(sessions, (size_t)count, &portals->portal[i]))
            r = start_login(volume, logins, &portals->portal[i]);
    }
    return r;
}

static int fail_login(struct volume *volume, const struct portals *portals, const struct logins *logins)
{
    char said[512] = "", portal[160];
    ssize_t length = logins->output >= 0 ? pread(logins->output, said, sizeof(said) - 1, 0) : 0;

    said[length > 0 ? length : 0] = '\0';
    return volume_fail(volume, -ENOTCONN, "no iSCSI session to %s (%s%s) came up: %s", volume->config->target,
                       iscsi_portal_format(&portals->portal[0], portal, sizeof(portal)), portals->count > 1 ? ", ..." : "",
                       said[0] ? text_make_printable(text_trim(said)) : "the session has failed and iscsid has not recovered it; is iscsid running?");
}

/* Until all are in; or, once one is, until the others had their chance. */
static int await_logins(struct volume *volume, const struct portals *portals, struct logins *logins)
{
    struct deadline deadline = deadline_within(volume->deadline, volume->config->login_timeout_ms);
    bool one = false;

    for (;;) {
        int running = logins_running(logins), working = count_logged_in(volume, portals);

        if (working < 0)
            return working;
        if (working == portals->count)
            return 0;
        if (working > 0 && !one) {
            deadline = deadline_within(deadline, STRAGGLER_MS);
            one = true;
        }
        /* Every command failed, and there is no failed session that could come back. */
        if (running == 0 && working == 0 && logins->count == portals->count)
            return fail_login(volume, portals, logins);
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) == 0)
            continue;
        if (working == 0)
            return fail_login(volume, portals, logins);
        volume_note(volume, "iSCSI: %d of %d portals of %s are logged in", working, portals->count, volume->config->target);
        return 0;
    }
}

static int log_in(struct volume *volume, const struct portals *portals)
{
    _cleanup_logins_ struct logins logins = { .output = -1 };
    int r = start_logins(volume, portals, &logins);

    return r < 0 ? r : await_logins(volume, portals, &logins);
}

static int prepare_records(struct volume *volume, struct portals *portals)
{
    char portal[160];
    int r = 0;

    if (volume->config->discovery == DISCOVERY_SENDTARGETS)
        r = discover(volume, portals);
    for (int i = 0; r == 0 && volume->config->discovery == DISCOVERY_STATIC && i < portals->count; i++)
        r = make_record(volume, iscsi_portal_format(&portals->portal[i], portal, sizeof(portal)));
    return r < 0 ? r : set_authentication(volume, portals);
}

/* An array that does not answer the question, while a session to it works, is no reason to stay down. */
static int find_portals(struct volume *volume, struct portals *portals)
{
    int working = count_logged_in(volume, portals), r;

    if (working < 0)
        return working;
    r = prepare_records(volume, portals);
    if (r == 0 || working == 0)
        return r;
    volume_note(volume, "iSCSI: %s", volume->why.text ? volume->why.text : strerror(-r));
    forget_reason(volume);
    return 0;
}

static int layer_up(struct volume *volume)
{
    struct portals portals;
    int r = read_portals(volume, &portals);

    if (r == 0)
        r = find_portals(volume, &portals);
    if (r == 0)
        r = log_in(volume, &portals);
    if (r < 0)
        return r;
    note_portals(volume, &portals);
    return 0;
}

/* ---- check ----------------------------------------------------------------------------------------------------------------------------- */

struct recovery {
    char target[256];
    struct portals missing;
};

static int recover_one(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    const struct recovery *recovery = argument;

    for (int i = 0; i < recovery->missing.count; i++) {
        char portal[160];
        const char *const argv[] = { "iscsiadm", "-m", "node", "-T", recovery->target, "-p",
                                     iscsi_portal_format(&recovery->missing.portal[i], portal, sizeof(portal)), "--login", NULL };
        const struct child_spec spec = { .argv = argv };
        _cleanup_child_result_ struct child_result result = { 0 };

        (void)child_run(&spec, deadline_in(RECOVERY_LIMIT_MS), &result);
    }
    return 0;
}

/* In a process of its own, since a login to a dead portal takes longer than a monitor may. The lock keeps it the only one. */
static int recover_beside(void *argument)
{
    const struct recovery *recovery = argument;
    char hash[STORAGE_NAME_SIZE], name[STORAGE_NAME_SIZE + 8];

    (void)text_format(name, sizeof(name), "login-%s", storage_name_path(recovery->target, hash));
    return child_call(recover_one, argument, NULL, 0, name, deadline_in((uint64_t)RECOVERY_LIMIT_MS * ISCSI_PORTALS_MAX));
}

static void recover(struct volume *volume, const struct portals *missing)
{
    struct recovery recovery = { .missing = *missing };

    if (!volume->config->recover_sessions || text_copy(recovery.target, sizeof(recovery.target), volume->config->target) < 0)
        return;
    if (child_detach(recover_beside, &recovery, NULL) == 0)
        volume_note(volume, "iSCSI: logging in again to %d portals of %s", missing->count, volume->config->target);
}

/* Which portals have no session at all, and which sessions do not work. Returns how many do work. */
static int judge_sessions(struct volume *volume, const struct portals *portals, struct portals *missing)
{
    struct iscsi_session sessions[ISCSI_SESSIONS_MAX];
    int count = read_sessions(volume, sessions), working = 0;
    char portal[160];

    for (int i = 0; count >= 0 && i < portals->count; i++) {
        const struct iscsi_session *session = iscsi_session_find(sessions, (size_t)count, &portals->portal[i]);

        if (session && session->logged_in) {
            working++;
            continue;
        }
        volume_degrade(volume, "iSCSI session to %s %s", iscsi_portal_format(&portals->portal[i], portal, sizeof(portal)),
                       session ? "has failed and is being recovered" : "is missing");
        if (!session)
            missing->portal[missing->count++] = portals->portal[i];
    }
    return count < 0 ? count : working;
}

static int layer_check(struct volume *volume, unsigned int depth _unused_)
{
    struct portals portals, missing = { .count = 0 };
    struct deadline deadline;
    char waited[40];
    int r;

    if (!volume->mount.mounted)
        return VOLUME_PASSIVE;
    r = read_all_portals(volume, &portals);
    if (r == 0)
        r = judge_sessions(volume, &portals, &missing);
    if (r < 0)
        return r;
    if (missing.count > 0)
        recover(volume, &missing);
    deadline = deadline_within(deadline_share(volume->deadline, 80), volume->config->io_timeout_ms);
    while (r == 0 && deadline_sleep(deadline, LOOK_AGAIN_MS) == 0)
        r = count_logged_in(volume, &portals);
    if (r == 0)
        return volume_fail(volume, -ENOTCONN, "no iSCSI session to %s works, for %s: check network and array", volume->config->target,
                           number_format_duration(volume->config->io_timeout_ms, waited, sizeof(waited)));
    return r < 0 ? r : VOLUME_PASSIVE;
}

/* ---- down ------------------------------------------------------------------------------------------------------------------------------ */

static int log_out(struct volume *volume, const struct iscsi_session *session)
{
    char portal[160];
    const char *const argv[] = { "iscsiadm", "-m", "node", "-T", volume->config->target, "-p",
                                 iscsi_portal_format(&session->configured, portal, sizeof(portal)), "--logout", NULL };

    return run_iscsiadm(volume, argv, volume->deadline, "iSCSI logout", NULL);
}

static int layer_down(struct volume *volume)
{
    struct iscsi_session sessions[ISCSI_SESSIONS_MAX];
    int count, r = 0;

    /* Sessions are the node's: other volumes, and the fence agent's unfencing, need them. */
    if (!volume->config->logout || text_empty(volume->config->target))
        return 0;
    count = read_sessions(volume, sessions);
    for (int i = 0; r == 0 && i < count; i++)
        r = log_out(volume, &sessions[i]);
    if (count < 0 || r < 0)
        return count < 0 ? count : r;
    count = read_sessions(volume, sessions);
    return count > 0 ? volume_fail(volume, -EBUSY, "%d iSCSI sessions to %s are still there after the logout", count, volume->config->target) : count;
}

const struct volume_layer volume_layer_iscsi = {
    .name = "iSCSI",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
