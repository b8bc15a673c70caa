/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fence_vigil_reservation: keeps a node off the shared disks, by the disks themselves.
 *
 * A node is "off" when its key was read to be absent on every device, and a reservation was read to be held there: it may run, but it cannot write. "on" (unfencing)
 * registers the key of the node that it runs on, on every path of every device. What a device does not tell is unknown, never off.
 */
#include <string.h>
#include <strings.h>

#include "agent/fence.h"
#include "base/child.h"
#include "cluster/cib_resources.h"
#include "cluster/membership.h"
#include "storage/device_name.h"
#include "storage/iscsi_url.h"
#include "storage/key_note.h"
#include "storage/reservation_fence.h"

#define OWNER "fence_vigil_reservation"
/* Finding out who is who and which devices there are; within login_timeout. */
#define CLUSTER_MS 3000
#define DEVICES_MAXIMUM 128
#define DEVICE_SEPARATORS " \t\r\n,;"

enum quorum_rule {
    QUORUM_ALL,
    QUORUM_MAJORITY,
};
enum abort_rule {
    ABORT_REQUIRE,
    ABORT_AUTO,
};
enum foreign_rule {
    FOREIGN_REFUSE,
    FOREIGN_PREEMPT,
};

struct agent_config {
    const char *devices;
    const char *volume_group;
    const char *keys;
    const char *cluster_name;
    const char *key;
    int type;
    int quorum;
    int foreign;
    int aptpl;
    int abort;
    const char *ignored[6];
};

/* ---- parameters --------------------------------------------------------------------------------------------------- */

static int check_devices(const char *text, struct text_buffer *why)
{
    const char *cursor = text, *word;
    size_t length, count = 0;

    for (; text_next_word(&cursor, DEVICE_SEPARATORS, &word, &length); count++) {
        _cleanup_free_ char *device = strndup(word, length);
        struct iscsi_lun_url url;
        struct device_name name;

        if (!device)
            return -ENOMEM;
        if (text_after(device, "iscsi://") ? iscsi_url_parse(device, &url, why) < 0 : device_name_parse(device, &name) < 0) {
            if (why->length == 0)
                text_buffer_printf(why, "'%s' is no device: write /dev/..., WWN=... or iscsi://HOST/TARGET/LUN", device);
            return -EINVAL;
        }
    }
    if (count == 0 || count > DEVICES_MAXIMUM)
        text_buffer_printf(why, "between 1 and %d devices, separated by blanks or commas", DEVICES_MAXIMUM);
    return count == 0 || count > DEVICES_MAXIMUM ? -EINVAL : 0;
}

static int check_keys(const char *text, struct text_buffer *why)
{
    return reservation_key_map_walk(text, NULL, NULL, why) < 0 ? -EINVAL : 0;
}

static int check_key(const char *text, struct text_buffer *why)
{
    uint64_t key;

    if (reservation_key_parse(text, strlen(text), &key) == 0)
        return 0;
    text_buffer_printf(why, "1 to 16 hexadecimal digits, not all zero");
    return -EINVAL;
}

/* A name that becomes an argument of vgs: lvm(8), VALID NAMES. */
static int check_volume_group(const char *text, struct text_buffer *why)
{
    if (*text && *text != '-' && strlen(text) < 128 &&
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-") == strlen(text))
        return 0;
    text_buffer_printf(why, "letters, digits and + _ . -, not beginning with a hyphen");
    return -EINVAL;
}

#define IGNORED(place) PARAM_TEXT(struct agent_config, ignored[place]), .advanced = true
#define IGNORED_TEXT "Accepted for compatibility with fence_scsi, without effect"

static const struct param params[] = {
    { "devices", PARAM_TEXT(struct agent_config, devices), .short_option = 'd', .check = check_devices,
      .shortdesc = "Shared disks, separated by blanks or commas",
      .longdesc = "Shared disks that a fenced node is to be kept off, separated by blanks or commas: a multipath map (/dev/mapper/mpatha), a disk (/dev/sdb, "
                  "/dev/disk/by-id/..., WWN=...), an NVMe namespace, or iscsi://HOST[:PORT]/TARGET/LUN, which is reached without the kernel. Of a map every path "
                  "is registered. Without devices and volume_group, the disks of the cluster's san-volume resources that use reservations are taken." },
    { "volume_group", PARAM_TEXT(struct agent_config, volume_group), .aliases = NAMES("vgname"), .check = check_volume_group,
      .shortdesc = "LVM volume group whose disks are all taken" },
    { "keys", PARAM_TEXT(struct agent_config, keys), .check = check_keys, .shortdesc = "Key map: NODE=KEY of each node, where they are not to be derived",
      .longdesc = "Keys of the nodes in hexadecimal, \"n1=0x1 n2=0x2\". Where a node is not in it its key is made of the cluster's name and the node's id in Corosync, "
                  "which is right for nearly everybody. A node whose key is registered nowhere is off only where every key that is registered is known to be another node's: "
                  "name other hosts that register themselves here, too." },
    { "cluster_name", PARAM_TEXT(struct agent_config, cluster_name), .advanced = true, .shortdesc = "Name of the cluster in keys, instead of Corosync's" },
    { "reservation_type", PARAM_CHOICE(struct agent_config, type), .default_value = "WERO", .choices = reservation_choice_names,
      .shortdesc = "Type of the reservation",
      .longdesc = "Type of the reservation that is taken where none is held. WERO: only registered nodes may write, all may read. EARO: only registered nodes may read or "
                  "write. WEAR and EAAR are the same with all registered nodes as holders." },
    { "quorum", PARAM_CHOICE(struct agent_config, quorum), .default_value = "all", .choices = NAMES("all", "majority"),
      .shortdesc = "On how many devices a node must be seen to be kept off",
      .longdesc = "With all, a device that does not answer makes fencing fail: nobody knows whether the node still writes there. With majority, more than half of the "
                  "devices must answer and keep the node off, and none that answers may have it registered; a LUN that is named twice counts once; for data that is mirrored over the devices, whose members are not used "
                  "alone. Devices that do not answer are told in the log and in the record." },
    { "foreign_holder", PARAM_CHOICE(struct agent_config, foreign), .default_value = "refuse", .choices = NAMES("refuse", "preempt"),
      .shortdesc = "What to do where an unknown key holds the reservation",
      .longdesc = "A key that is neither in keys nor of this cluster belongs to another cluster, or to a host that was here before. refuse: on fails and says whose key it "
                  "is. preempt: it is removed. Unknown keys that only are registered are left alone; but where the victim's own key is "
                  "registered nowhere, one may be the victim's, and off fails until keys says whose it is." },
    { "aptpl", PARAM_CHOICE(struct agent_config, aptpl), .default_value = "auto", .choices = NAMES("auto", "require", "no"),
      .shortdesc = "Whether the array is to keep registrations over a power loss",
      .longdesc = "Whether the array is asked to keep registrations over a loss of its power (APTPL). auto: where it can. An array without it forgets who was fenced when it "
                  "restarts." },
    { "abort", PARAM_CHOICE(struct agent_config, abort), .default_value = "require", .choices = NAMES("require", "auto"), .advanced = true,
      .shortdesc = "Whether what the victim has on its way must be aborted",
      .longdesc = "Whether the commands that the victim has on their way must be aborted with its registration (PREEMPT AND ABORT). auto: where the device cannot do that, the "
                  "registration is removed alone, and a write that it had accepted before may still reach the disk." },
    { "key", PARAM_TEXT(struct agent_config, key), .short_option = 'k', .check = check_key, .advanced = true,
      .shortdesc = "Key of the node that the call is about, instead of keys" },
    { "logfile", IGNORED(0), .short_option = 'f', .shortdesc = IGNORED_TEXT },
    { "suppress_errors", IGNORED(1), .shortdesc = IGNORED_TEXT },
    { "readonly", IGNORED(2), .shortdesc = IGNORED_TEXT },
    { "sg_persist_path", IGNORED(3), .shortdesc = IGNORED_TEXT },
    { "sg_turs_path", IGNORED(4), .shortdesc = IGNORED_TEXT },
    { "vgs_path", IGNORED(5), .shortdesc = IGNORED_TEXT },
    {}
};

static int agent_check_config(struct fence_run *run, const void *data)
{
    const struct agent_config *config = data;

    if (config->devices && config->volume_group)
        return fence_fail(run, -EINVAL, "devices and volume_group are both set: keep one of them");
    return 0;
}

/* ---- who is who, and which devices -------------------------------------------------------------------------------- */

struct session {
    struct cluster_view view;
    bool view_read, view_known;
    char own_name[CLUSTER_NAME_MAX];
    uint64_t own;
    uint64_t keys[CLUSTER_NODES_MAX];
    struct reservation_cluster cluster;
    char **devices; /* NULL-terminated */
    size_t device_count;
    struct reservation_answer *answers;
    struct reservation_fence_report *reports;
    bool *seen;     /* by device: the plug's key was registered there when this call came */
    bool wants_on;  /* action on: on only counts where it is complete, and made so by this call: what a restart left registered is guarded by nobody */
    bool admitted;
    char first_failure[512];
};

static void session_free(struct session *session)
{
    if (!session)
        return;
    text_free_vector(session->devices);
    free(session->answers);
    free(session->reports);
    free(session->seen);
    free(session);
}

static void cleanup_session(struct session **session)
{
    session_free(*session);
}

static void collect_key(void *context, const char *node _unused_, uint64_t key)
{
    struct session *session = context;

    if (session->cluster.key_count < ARRAY_SIZE(session->keys))
        session->keys[session->cluster.key_count++] = key;
}

/* Asks Corosync who is who, once, when it first matters. Without Corosync this node goes by its host's name. */
static void read_cluster(struct fence_run *run, struct session *session)
{
    const struct cluster_node *node;
    int r;

    if (session->view_read)
        return;
    session->view_read = true;
    r = cluster_view_read(&session->view, deadline_within(run->deadline, CLUSTER_MS));
    session->view_known = r == 0;
    if (r < 0)
        log_info("nodes and their ids are not known: %s", cluster_error_text(r));
    node = session->view_known ? cluster_view_node_of_id(&session->view, session->view.own_id) : NULL;
    if (node && node->name[0])
        (void)text_copy(session->own_name, sizeof(session->own_name), node->name);
    else
        (void)gethostname(session->own_name, sizeof(session->own_name) - 1);
    if (!session->cluster.name[0])
        session->cluster.name = session->view.name;
}

/* The key of a node: 0, or says why not. */
static int find_key(struct fence_run *run, struct session *session, const struct agent_config *config, const char *node, uint64_t *ret)
{
    const struct cluster_node *known;

    if (config->keys && reservation_key_map_find(config->keys, node, ret) == 0)
        return 0;
    read_cluster(run, session);
    known = session->view_known ? cluster_view_node_named(&session->view, node) : NULL;
    if (known && reservation_key_make(session->cluster.name, known->id, ret) == 0)
        return 0;
    if (known)
        return fence_fail(run, -ENOENT, "the cluster has no name to make keys of: set cluster_name in corosync.conf (totem), or keys");
    return fence_fail(run, -ENOENT, "no key of node '%s': %s; start Corosync with that node in its nodelist, or add it to keys", node,
                      session->view_known ? "Corosync does not know it" : "Corosync does not run here");
}

static int add_device(struct session *session, const char *name, size_t length)
{
    _cleanup_free_ char *device = NULL;
    char **grown;

    for (size_t i = 0; i < session->device_count; i++) {
        if (strlen(session->devices[i]) == length && memcmp(session->devices[i], name, length) == 0)
            return 0;
    }
    if (session->device_count >= DEVICES_MAXIMUM)
        return -E2BIG;
    device = strndup(name, length);
    grown = device ? realloc(session->devices, (session->device_count + 2) * sizeof(*grown)) : NULL;
    if (!grown)
        return -ENOMEM;
    session->devices = grown;
    grown[session->device_count + 1] = NULL;
    grown[session->device_count++] = TAKE_PTR(device);
    return 0;
}

static int add_devices(struct session *session, const char *list)
{
    const char *cursor = list, *word;
    size_t length;
    int r = 0;

    while (r == 0 && text_next_word(&cursor, DEVICE_SEPARATORS, &word, &length))
        r = add_device(session, word, length);
    return r;
}

#define VOLUME_MARK "LVM2_PV_NAME="

/* Only what bears the mark is a physical volume: LVM's warnings, which come between, name other disks. One that is missing has a name that is no path ("[unknown]",
 * "unknown device"), and what is not looked at is no proof. */
static int add_physical_volumes(struct fence_run *run, struct session *session, const char *group, const char *output)
{
    const char *cursor = output, *line;
    size_t length, mark = strlen(VOLUME_MARK), found = 0;
    int r = 0;

    while (r == 0 && text_next_word(&cursor, "\r\n", &line, &length)) {
        for (; length > 0 && (*line == ' ' || *line == '\t'); line++)
            length--;
        while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
            length--;
        if (length < mark || memcmp(line, VOLUME_MARK, mark) != 0)
            continue;
        if (length == mark || line[mark] != '/')
            return fence_fail(run, -ENODEV, "a disk of volume group %s is missing on this node: name all disks by devices", group);
        r = add_device(session, line + mark, length - mark);
        found++;
    }
    if (r == 0 && found == 0)
        r = fence_fail(run, -ENODEV, "volume group %s has no disks on this node: name them by devices", group);
    return r;
}

/* The physical volumes of a group, each taken for the disk or map that it stands on. */
static int add_volume_group(struct fence_run *run, struct session *session, const char *group)
{
    const char *const argv[] = { "vgs", "--foreign", "--noheadings", "--readonly", "--nameprefixes", "--unquoted", "-o", "pv_name", group, NULL };
    const char *const environment[] = { "LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1", NULL };
    const struct child_spec spec = { .argv = argv, .environment = environment };
    _cleanup_child_result_ struct child_result result = { .exit_code = -1 };
    int r = child_run(&spec, run->deadline, &result);

    if (r < 0 || result.exit_code != 0)
        return fence_fail(run, r < 0 ? r : -EIO, "the disks of volume group %s cannot be found: %s; name them by devices", group,
                          r < 0 ? strerror(-r) : result.output.text ? text_trim(result.output.text) : "vgs failed");
    return add_physical_volumes(run, session, group, result.output.text ? result.output.text : "");
}

/* A san-volume of the CIB, as far as its disks go. */
struct cib_volume {
    char resource[256];
    char device[1024], disks[4096], group[128];
    bool reserves, reserves_told;
    bool own_keys; /* its nodes register keys that are not made of the cluster's name */
};

struct cib_search {
    struct fence_run *run;
    struct session *session;
    bool keys_told;
    struct cib_volume volume;
    int error;
};

static void finish_volume(struct cib_search *search)
{
    const struct cib_volume *volume = &search->volume;

    if (search->error < 0 || !volume->resource[0] || !volume->reserves)
        return;
    /* The key that would be looked for was never registered: its absence tells nothing. */
    if (volume->own_keys && !search->keys_told)
        search->error = fence_fail(search->run, -EINVAL, "resource %s sets reservation_key: give the nodes' keys here, too, by keys", volume->resource);
    else if (volume->disks[0])
        search->error = add_devices(search->session, volume->disks);
    else if (volume->group[0])
        search->error = add_volume_group(search->run, search->session, volume->group);
    else if (volume->device[0])
        search->error = add_device(search->session, volume->device, strlen(volume->device));
}

/* The first value of a parameter holds. One that does not fit would hide a disk, and a disk that nobody looks at is no proof. */
static void keep_first(struct cib_search *search, char *place, size_t size, const char *value)
{
    if (!*place && text_copy(place, size, value) < 0)
        search->error = -E2BIG;
}

static void visit_parameter(void *context, const char *resource, const char *name, const char *value)
{
    struct cib_search *search = context;
    struct cib_volume *volume = &search->volume;

    if (!text_equal(volume->resource, resource)) {
        finish_volume(search);
        *volume = (struct cib_volume){ .reserves = false };
        keep_first(search, volume->resource, sizeof(volume->resource), resource);
    }
    if (text_equal(name, "device"))
        keep_first(search, volume->device, sizeof(volume->device), value);
    else if (text_equal(name, "disks") || text_equal(name, "devs"))
        keep_first(search, volume->disks, sizeof(volume->disks), value);
    else if (text_equal(name, "volume_group") || text_equal(name, "vgname") || text_equal(name, "volgrpname"))
        keep_first(search, volume->group, sizeof(volume->group), value);
    else if (text_equal(name, "reservation_key"))
        volume->own_keys = true;
    else if ((text_equal(name, "reservation") || text_equal(name, "reservation_type")) && !volume->reserves_told) {
        volume->reserves = !text_equal(value, "none");
        volume->reserves_told = true;
    }
}

static int add_cib(struct fence_run *run, struct session *session, const struct agent_config *config)
{
    struct cib_search search = { .run = run, .session = session, .keys_told = config->keys || config->key };
    int r = cib_resources_visit("vigil", "san-volume", run->deadline, visit_parameter, &search);

    if (r < 0)
        return fence_fail(run, r, "the disks of the cluster's san-volume resources cannot be found: %s; name them by devices", cib_resources_error_text(r));
    finish_volume(&search);
    if (search.error == -EINVAL)
        return search.error; /* the reason is given */
    if (search.error < 0)
        return fence_fail(run, search.error, "the disks of the cluster's san-volume resources cannot be used: %s", strerror(-search.error));
    if (session->device_count == 0)
        return fence_fail(run, -ENODEV, "the cluster has no san-volume resource with reservation set: set it there, or name the disks by devices");
    return 0;
}

static int find_devices(struct fence_run *run, struct session *session, const struct agent_config *config)
{
    int r;

    if (config->devices)
        r = add_devices(session, config->devices);
    else if (config->volume_group)
        r = add_volume_group(run, session, config->volume_group);
    else
        r = add_cib(run, session, config);
    if (r < 0)
        return r;
    session->answers = calloc(session->device_count, sizeof(*session->answers));
    session->reports = calloc(session->device_count, sizeof(*session->reports));
    session->seen = calloc(session->device_count, sizeof(*session->seen));
    return session->answers && session->reports && session->seen ? 0 : -ENOMEM;
}

static bool needs_devices(const struct fence_run *run)
{
    return !text_equal(run->action, "list");
}

static int agent_open(struct fence_run *run, const void *data)
{
    _cleanup_(cleanup_session) struct session *session = calloc(1, sizeof(*session));
    const struct agent_config *config = data;
    int r = 0;

    if (!session)
        return -ENOMEM;
    session->cluster.name = config->cluster_name ? config->cluster_name : "";
    session->cluster.keys = session->keys;
    if (config->keys)
        (void)reservation_key_map_walk(config->keys, collect_key, session, NULL);
    session->wants_on = text_equal(run->action, "on");
    if (needs_devices(run))
        r = find_devices(run, session, config);
    if (r == 0)
        run->session = TAKE_PTR(session);
    return r;
}

static void agent_close(struct fence_run *run, const void *data _unused_)
{
    session_free(run->session);
    run->session = NULL;
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

/* The plug's key, and this node's own where that is needed. */
static int find_victim(struct fence_run *run, const struct agent_config *config, uint64_t *ret)
{
    if (config->key)
        return reservation_key_parse(config->key, strlen(config->key), ret);
    return find_key(run, run->session, config, run->plug, ret);
}

static int find_own(struct fence_run *run, const struct agent_config *config, uint64_t *ret)
{
    struct session *session = run->session;

    read_cluster(run, session);
    return find_key(run, session, config, session->own_name, ret);
}

static struct reservation_fence_order make_order(const struct session *session, const struct agent_config *config, uint64_t own, uint64_t victim)
{
    static const enum reservation_aptpl choices[] = { RESERVATION_APTPL_TRY, RESERVATION_APTPL_DEMAND, RESERVATION_APTPL_OFF };

    return (struct reservation_fence_order){
        .cluster = &session->cluster,
        .own = own,
        .victim = victim,
        .type = reservation_type_at(config->type),
        .aptpl = choices[config->aptpl],
        .abort_required = config->abort == ABORT_REQUIRE,
        .preempt_foreign = config->foreign == FOREIGN_PREEMPT,
    };
}

static const char *failure_text(const struct reservation_answer *answer)
{
    return answer->why[0] ? answer->why : reservation_error_text(answer->error);
}

/* Does something with all devices at once. What fails on one is noted: whether it matters the caller knows. */
static size_t visit_devices(struct fence_run *run, struct reservation_fence_order *order, reservation_function function)
{
    struct session *session = run->session;
    size_t failed;

    memset(session->reports, 0, session->device_count * sizeof(*session->reports));
    session->first_failure[0] = '\0';
    failed = reservation_call_all((const char *const *)session->devices, session->device_count, function, order, session->reports,
                                  sizeof(*session->reports), run->deadline, session->answers);
    for (size_t i = 0; failed > 0 && i < session->device_count; i++) {
        const struct reservation_answer *answer = &session->answers[i];

        if (answer->error == 0)
            continue;
        log_warning("%s: %s: %s", session->devices[i], session->reports[i].step ? session->reports[i].step : "opening", failure_text(answer));
        if (!session->first_failure[0])
            (void)text_format(session->first_failure, sizeof(session->first_failure), "%s: %s: %s", session->devices[i],
                              session->reports[i].step ? session->reports[i].step : "opening", failure_text(answer));
    }
    return failed;
}

struct tally {
    size_t total;
    size_t registered, excluded, open, dead;
    size_t repeated; /* answer, and are a LUN that is in the list under another name, too */
    size_t complete; /* on: registered on every path, and a reservation is held */
};

/* How many devices that answer are a LUN that an earlier one is, as its other portal or path. */
static size_t count_repeated(const struct session *session)
{
    size_t repeated = 0;

    for (size_t i = 0; i < session->device_count; i++) {
        const char *name = session->answers[i].identity.wwid;
        bool found = false;

        for (size_t k = 0; session->answers[i].error == 0 && name[0] && !found && k < i; k++)
            found = session->answers[k].error == 0 && device_wwn_equal(session->answers[k].identity.wwid, name);
        repeated += found;
    }
    return repeated;
}

static struct tally count_devices(const struct session *session)
{
    struct tally tally = { .total = session->device_count, .repeated = count_repeated(session) };

    for (size_t i = 0; i < session->device_count; i++) {
        const struct reservation_fence_report *report = &session->reports[i];
        const struct reservation_answer *answer = &session->answers[i];

        tally.dead += answer->error < 0;
        if (answer->error < 0)
            continue;
        tally.registered += report->access == ACCESS_REGISTERED;
        tally.excluded += report->access == ACCESS_EXCLUDED;
        tally.open += report->access == ACCESS_OPEN;
        tally.complete += report->access == ACCESS_REGISTERED && report->victim_count >= answer->identity.paths_alive &&
                          reservation_type_admits_registrants(report->type) && !report->foreign_holder;
    }
    return tally;
}

/* Whether what was seen on `seen` devices may speak for all. In a majority each LUN has one voice, by however many names it is in the list. */
static bool is_quorate(const struct agent_config *config, size_t seen, const struct tally *tally)
{
    if (config->quorum == QUORUM_MAJORITY)
        return seen + tally->dead == tally->total && seen > tally->dead + tally->repeated;
    return seen == tally->total;
}

/* Whether the devices that failed may be left out. */
static bool is_minority(const struct session *session, const struct agent_config *config, size_t failed)
{
    return config->quorum == QUORUM_MAJORITY && session->device_count - failed > failed + count_repeated(session);
}

/* Whether the devices that answer suffice. Where they do not, nothing is begun: a node that is kept off a part of its disks is off for nobody. */
static bool can_be_quorate(const struct agent_config *config, const struct tally *tally)
{
    return is_quorate(config, tally->total - tally->dead, tally);
}

/* A node is off where no device that answers lets it write. It is on where one does; for unfencing, where all do. */
static enum power_state judge(const struct session *session, const struct agent_config *config, const struct tally *tally)
{
    if (is_quorate(config, tally->excluded, tally))
        return POWER_OFF;
    if (session->wants_on)
        return session->admitted && is_quorate(config, tally->complete, tally) ? POWER_ON : POWER_UNKNOWN;
    return tally->registered + tally->open > 0 ? POWER_ON : POWER_UNKNOWN;
}

/* ---- whose the other keys are -------------------------------------------------------------------------------------- */

/*
 * That a key is absent says that its node is off only where it is that node's key. A wrong one (key, keys, another name of the cluster) was never registered, and the
 * node writes by its own. So a node whose key was not seen here is off only where everybody who is registered is known to be somebody else.
 */
enum key_bearer {
    BEARER_OTHER,   /* another node's */
    BEARER_PLUG,    /* the node's own, though not the one that is looked for */
    BEARER_UNKNOWN,
};

static bool is_in_map(const struct session *session, uint64_t key)
{
    for (size_t i = 0; i < session->cluster.key_count; i++) {
        if (session->cluster.keys[i] == key)
            return true;
    }
    return false;
}

static enum key_bearer find_bearer(struct fence_run *run, const struct agent_config *config, const char *plug, uint64_t key)
{
    struct session *session = run->session;
    const struct cluster_node *node;
    uint64_t mapped;
    uint32_t id;

    if (is_in_map(session, key))
        return reservation_key_map_find(config->keys, plug, &mapped) == 0 && mapped == key ? BEARER_PLUG : BEARER_OTHER;
    read_cluster(run, session);
    if (!session->view_known || reservation_key_node(session->cluster.name, key, &id) < 0)
        return BEARER_UNKNOWN;
    node = cluster_view_node_of_id(&session->view, id);
    if (node)
        return strcasecmp(node->name, plug) == 0 ? BEARER_PLUG : BEARER_OTHER;
    /* Of a node that the cluster had once; a plug that Corosync does not know may be it. */
    return cluster_view_node_named(&session->view, plug) ? BEARER_OTHER : BEARER_UNKNOWN;
}

/* A registered key (0: one of too many) that is the plug's own or may be. What nobody knows is not where the plug's own key was seen. */
static enum key_bearer find_suspect(struct fence_run *run, const struct agent_config *config, const char *plug, size_t *ret_device, uint64_t *ret_key)
{
    const struct session *session = run->session;
    enum key_bearer worst = BEARER_OTHER;

    for (size_t i = 0; i < session->device_count; i++) {
        const struct reservation_fence_report *report = &session->reports[i];

        for (unsigned int k = 0; session->answers[i].error == 0 && k < report->other_count; k++) {
            uint64_t key = k < RESERVATION_OTHERS_MAXIMUM ? report->others[k] : 0;
            enum key_bearer bearer = key ? find_bearer(run, config, plug, key) : BEARER_UNKNOWN;

            if (bearer == BEARER_OTHER || (bearer == BEARER_UNKNOWN && (session->seen[i] || worst == BEARER_UNKNOWN)))
                continue;
            worst = bearer;
            *ret_device = i;
            *ret_key = key;
            if (bearer == BEARER_PLUG)
                return bearer;
        }
    }
    return worst;
}

/* The plug's key is absent everywhere: whether that proves something. */
static int prove_absence(struct fence_run *run, const struct agent_config *config, uint64_t victim, enum power_state *ret)
{
    const struct session *session = run->session;
    char victim_text[RESERVATION_KEY_TEXT_SIZE], key_text[RESERVATION_KEY_TEXT_SIZE];
    uint64_t key = 0;
    size_t device = 0;
    enum key_bearer bearer = find_suspect(run, config, run->plug, &device, &key);

    if (bearer == BEARER_OTHER)
        return 0;
    (void)reservation_key_format(victim, victim_text);
    (void)reservation_key_format(key, key_text);
    /* It holds the reservation, and is to be removed by the user's word. */
    if (bearer == BEARER_UNKNOWN && config->foreign == FOREIGN_PREEMPT && text_equal(run->action, "off") && session->reports[device].foreign_holder &&
        session->reports[device].holder == key) {
        *ret = POWER_ON;
        return 0;
    }
    *ret = POWER_UNKNOWN;
    if (bearer == BEARER_PLUG)
        return fence_fail(run, -EKEYREJECTED, "%s: %s has key %s registered, not %s: correct key or keys", session->devices[device], run->plug, key_text,
                          victim_text);
    return fence_fail(run, -EKEYREJECTED, "%s: key %s of %s is not registered, but unknown key %s is, which may be its: add it to keys, or remove it",
                      session->devices[device], victim_text, run->plug, key ? key_text : "(one of many)");
}

/* A key that is given for one node, and is another's: its absence would be that of the other. */
static int check_given_key(struct fence_run *run, const struct agent_config *config, uint64_t victim)
{
    char text[RESERVATION_KEY_TEXT_SIZE];

    if (!config->key || find_bearer(run, config, run->plug, victim) != BEARER_OTHER)
        return 0;
    return fence_fail(run, -EINVAL, "key %s is another node's, not %s's: correct key, or leave it out", reservation_key_format(victim, text), run->plug);
}

static void note_evidence(struct fence_run *run, uint64_t victim, const struct tally *tally)
{
    char key[RESERVATION_KEY_TEXT_SIZE];

    (void)text_format(run->evidence, sizeof(run->evidence), "key %s: absent on %zu of %zu devices with a reservation held, registered on %zu, "
                                                            "unprotected %zu, no answer %zu",
                      reservation_key_format(victim, key), tally->excluded, tally->total, tally->registered, tally->open, tally->dead);
}

/* A node never fences itself, be it off already. */
static int refuse_own(struct fence_run *run, const struct agent_config *config, uint64_t victim)
{
    uint64_t own;
    int r = text_equal(run->action, "off") ? find_own(run, config, &own) : -ENOENT;

    if (!text_equal(run->action, "off"))
        return 0;
    if (r == 0 && own == victim)
        return fence_fail(run, -EINVAL, "%s is this node itself: it does not fence itself; another node must", run->plug);
    return r;
}

static const char *given_cluster(const struct agent_config *config)
{
    return config->cluster_name ? config->cluster_name : "";
}

/* A question of its own, about a key that is derived: nothing is done or left undone on its answer. */
static bool is_plain_status(const struct fence_run *run, const struct agent_config *config)
{
    return text_equal(run->action, "status") && !config->key && !config->keys && config->quorum == QUORUM_ALL;
}

static int find_checked_victim(struct fence_run *run, const struct agent_config *config, uint64_t *ret)
{
    int r = find_victim(run, config, ret);

    if (r == 0)
        r = refuse_own(run, config, *ret);
    return r < 0 ? r : check_given_key(run, config, *ret);
}

static struct tally look_for(struct fence_run *run, const struct agent_config *config, uint64_t victim)
{
    struct session *session = run->session;
    struct reservation_fence_order order = make_order(session, config, victim, victim);

    (void)visit_devices(run, &order, reservation_fence_look);
    for (size_t i = 0; i < session->device_count; i++)
        session->seen[i] |= session->answers[i].error == 0 && session->reports[i].access == ACCESS_REGISTERED;
    return count_devices(session);
}

/* By the key that the cluster gives. A status that finds it everywhere notes it for the next one. */
static int look_for_known(struct fence_run *run, const struct agent_config *config, uint64_t *ret_victim, struct tally *ret)
{
    int r = find_checked_victim(run, config, ret_victim);

    if (r < 0)
        return r;
    *ret = look_for(run, config, *ret_victim);
    if (is_plain_status(run, config) && ret->registered == ret->total && key_note_write(given_cluster(config), run->plug, *ret_victim) < 0)
        log_debug("the key of %s could not be noted", run->plug);
    return 0;
}

/* Looks for the plug's key. A status tries the noted one first: where that is registered everywhere the plug is on, and where a device is silent no other key would tell more.
 * Everything else is believed of the key alone that the cluster gives now. */
static int look_for_plug(struct fence_run *run, const struct agent_config *config, uint64_t *ret_victim, struct tally *ret)
{
    const struct session *session = run->session;

    if (!is_plain_status(run, config) || key_note_read(given_cluster(config), run->plug, ret_victim) < 0)
        return look_for_known(run, config, ret_victim, ret);
    *ret = look_for(run, config, *ret_victim);
    if (ret->dead > 0 || ret->registered == ret->total)
        return 0;
    memset(session->seen, 0, session->device_count * sizeof(*session->seen));
    return look_for_known(run, config, ret_victim, ret);
}

static int agent_power_get(struct fence_run *run, const void *data, enum power_state *ret)
{
    const struct agent_config *config = data;
    struct session *session = run->session;
    struct tally tally;
    uint64_t victim;
    int r = look_for_plug(run, config, &victim, &tally);

    if (r < 0)
        return r;
    note_evidence(run, victim, &tally);
    *ret = judge(session, config, &tally);
    if (tally.dead > 0 && (*ret == POWER_UNKNOWN || (text_equal(run->action, "off") && !can_be_quorate(config, &tally))))
        return fence_fail(run, -EIO, "%zu of %zu devices do not tell who may write%s: %s", tally.dead, tally.total,
                          config->quorum == QUORUM_MAJORITY && tally.repeated > 0 ? ", and of the others some are one LUN" : "", session->first_failure);
    return *ret == POWER_OFF && !session->wants_on ? prove_absence(run, config, victim, ret) : 0;
}

/* ---- acting ------------------------------------------------------------------------------------------------------- */

/* One record of who did what to whom, with the registrations of every device before and after. */
static void record_registrations(struct fence_run *run, const char *what, uint64_t own, uint64_t victim)
{
    const struct session *session = run->session;
    _cleanup_text_buffer_ struct text_buffer text = { 0 };
    char own_text[RESERVATION_KEY_TEXT_SIZE], victim_text[RESERVATION_KEY_TEXT_SIZE];

    text_buffer_printf(&text, "by %s (%s), key of %s %s", session->own_name, reservation_key_format(own, own_text), run->plug,
                       reservation_key_format(victim, victim_text));
    for (size_t i = 0; i < session->device_count; i++) {
        const struct reservation_fence_report *report = &session->reports[i];
        const struct reservation_answer *answer = &session->answers[i];

        text_buffer_printf(&text, " | %s %s%s%s: before %s; after %s", session->devices[i], answer->identity.wwid, answer->error < 0 ? ": " : "",
                           answer->error < 0 ? failure_text(answer) : "", report->before[0] ? report->before : "not read",
                           report->after[0] ? report->after : "not read again");
    }
    if (text.failed || agent_record(run->agent->name, run->plug, what, "%s", text.text) < 0)
        log_warning("the registrations before and after %s could not be recorded", what);
}

static int fail_exclude(struct fence_run *run, const struct agent_config *config, size_t failed)
{
    const struct session *session = run->session;

    for (size_t i = 0; i < session->device_count; i++) {
        if (session->reports[i].self_fenced && session->answers[i].error < 0)
            return fence_fail(run, -EPERM, "%s: this node's own registration is gone: it was fenced itself and must not fence; restart it",
                              session->devices[i]);
    }
    if (is_minority(session, config, failed))
        return 0;
    return fence_fail(run, -EIO, "%zu of %zu devices could not be made to keep %s off: %s", failed, session->device_count, run->plug,
                      session->first_failure);
}

static void tell_not_aborted(struct fence_run *run)
{
    const struct session *session = run->session;

    for (size_t i = 0; i < session->device_count; i++) {
        if (session->reports[i].not_aborted)
            log_warning("%s: what %s had on its way could not be aborted (abort=auto)", session->devices[i], run->plug);
    }
}

static int turn_off(struct fence_run *run, const struct agent_config *config, uint64_t own, uint64_t victim)
{
    struct reservation_fence_order order = make_order(run->session, config, own, victim);
    size_t failed;

    failed = visit_devices(run, &order, reservation_fence_exclude);
    tell_not_aborted(run);
    record_registrations(run, "preempt", own, victim);
    return failed > 0 ? fail_exclude(run, config, failed) : 0;
}

/* This node's kernel writes over its own disk, not over a session of ours: the disk of the same name is what is registered. */
static int localize_device(struct fence_run *run, size_t place)
{
    static const char *const links[] = { "/dev/disk/by-id/dm-uuid-mpath-3", "/dev/disk/by-id/wwn-0x" };
    struct session *session = run->session;
    const char *digits = text_after(session->answers[place].identity.wwid, "naa.");

    for (size_t i = 0; digits && i < ARRAY_SIZE(links); i++) {
        _cleanup_free_ char *path = text_printf("%s%s", links[i], digits);

        if (path && access(path, F_OK) == 0) {
            free(session->devices[place]);
            session->devices[place] = TAKE_PTR(path);
            return 0;
        }
    }
    return fence_fail(run, -ENODEV, "%s: this node's kernel has no disk %s: log in to the target first", session->devices[place],
                      session->answers[place].identity.wwid);
}

static int localize_devices(struct fence_run *run)
{
    const struct session *session = run->session;
    int r = 0;

    for (size_t i = 0; r == 0 && i < session->device_count; i++) {
        if (text_after(session->devices[i], "iscsi://"))
            r = localize_device(run, i);
    }
    return r;
}

static int guard_devices(struct fence_run *run, uint64_t own)
{
    const struct session *session = run->session;

    for (size_t i = 0; i < session->device_count; i++) {
        const struct reservation_answer *answer = &session->answers[i];
        int r = answer->error == 0 ? reservation_guard(OWNER, session->devices[i], own, answer->identity.wwid) : 0;

        if (r < 0)
            return fence_fail(run, r, "%s cannot be written to the list of guarded devices (" VIGIL_RUNDIR "/guard): %s", session->devices[i],
                              strerror(-r));
        if (session->reports[i].paths.dead > 0)
            log_warning("%s: %u of %u paths are not registered, since they are dead: they are when they come back", session->devices[i],
                        session->reports[i].paths.dead, session->reports[i].paths.total);
    }
    return 0;
}

static int fail_admit(struct fence_run *run, const struct agent_config *config, size_t failed)
{
    const struct session *session = run->session;
    char key[RESERVATION_KEY_TEXT_SIZE];

    for (size_t i = 0; i < session->device_count; i++) {
        if (session->reports[i].self_fenced && session->answers[i].error < 0)
            return fence_fail(run, -EPERM, "%s: this node was fenced since it was started, and its caches hold data of before: restart it", session->devices[i]);
        if (session->reports[i].foreign_holder && session->answers[i].error < 0)
            return fence_fail(run, -EACCES, "%s is reserved by unknown key %s: see whose it is, or set foreign_holder=preempt", session->devices[i],
                              reservation_key_format(session->reports[i].holder, key));
    }
    if (is_minority(session, config, failed))
        return 0;
    return fence_fail(run, -EIO, "%zu of %zu devices do not let this node in: %s", failed, session->device_count, session->first_failure);
}

static int turn_on(struct fence_run *run, const struct agent_config *config, uint64_t own, uint64_t victim)
{
    struct reservation_fence_order order = make_order(run->session, config, own, own);
    struct session *session = run->session;
    size_t failed;
    int r;

    if (own != victim)
        return fence_fail(run, -EINVAL, "%s is another node: a node registers itself (unfencing runs on the target)", run->plug);
    r = localize_devices(run);
    if (r < 0)
        return r;
    failed = visit_devices(run, &order, reservation_fence_admit);
    record_registrations(run, "register", own, own);
    r = failed > 0 ? fail_admit(run, config, failed) : 0;
    if (r == 0)
        r = guard_devices(run, own);
    session->admitted = r == 0;
    return r;
}

static int agent_power_set(struct fence_run *run, const void *data, enum power_state state)
{
    const struct agent_config *config = data;
    uint64_t own, victim;
    int r = find_victim(run, config, &victim);

    if (r == 0)
        r = find_own(run, config, &own);
    if (r < 0)
        return r;
    return state == POWER_ON ? turn_on(run, config, own, victim) : turn_off(run, config, own, victim);
}

/* ---- listing ------------------------------------------------------------------------------------------------------ */

struct listing {
    struct fence_run *run;
    const struct agent_config *config;
    fence_emit emit;
    bool look;
};

static void list_node(void *context, const char *node, uint64_t key)
{
    struct listing *listing = context;
    struct session *session = listing->run->session;
    enum power_state state = POWER_UNKNOWN;

    if (listing->look) {
        struct reservation_fence_order order = make_order(session, listing->config, key, key);
        struct tally tally;
        uint64_t suspect;
        size_t device;

        (void)visit_devices(listing->run, &order, reservation_fence_look);
        tally = count_devices(session);
        state = judge(session, listing->config, &tally);
        if (state == POWER_OFF && find_suspect(listing->run, listing->config, node, &device, &suspect) != BEARER_OTHER)
            state = POWER_UNKNOWN;
    }
    listing->emit(listing->run, node, NULL, state);
}

static int list_nodes(struct listing *listing)
{
    const struct session *session = listing->run->session;
    const char *keys = listing->config->keys;
    uint64_t key;

    if (keys)
        (void)reservation_key_map_walk(keys, list_node, listing, NULL);
    for (uint32_t i = 0; session->view_known && i < session->view.count; i++) {
        const struct cluster_node *node = &session->view.nodes[i];

        if (!node->name[0] || (keys && reservation_key_map_find(keys, node->name, &key) == 0))
            continue;
        if (reservation_key_make(session->cluster.name, node->id, &key) == 0)
            list_node(listing, node->name, key);
    }
    return 0;
}

/* The devices answer, in the number that a fencing would need. */
static int monitor_devices(struct fence_run *run, const struct agent_config *config)
{
    struct session *session = run->session;
    struct reservation_fence_order order = make_order(session, config, 1, 1);
    size_t failed = visit_devices(run, &order, reservation_fence_look);

    if (failed == 0 || is_minority(session, config, failed))
        return 0;
    return fence_fail(run, -EIO, "%zu of %zu devices cannot be used for fencing: %s", failed, session->device_count, session->first_failure);
}

static int agent_list(struct fence_run *run, const void *data, fence_emit emit)
{
    struct listing listing = { run, data, emit, text_equal(run->action, "list-status") };

    return text_equal(run->action, "monitor") ? monitor_devices(run, data) : list_nodes(&listing);
}

static const struct fence_operations operations = {
    .open = agent_open,
    .close = agent_close,
    .power_get = agent_power_get,
    .power_set = agent_power_set,
    .list = agent_list,
    .check_config = agent_check_config,
};

static const struct fence_agent agent = {
    .name = "fence_vigil_reservation",
    .shortdesc = "Fences nodes off shared disks by persistent reservations (SCSI, NVMe, multipath, iSCSI)",
    .longdesc = "fence_vigil_reservation keeps a node from writing to shared disks: its registration is removed from every device, its commands on their way are "
                "aborted, and a reservation keeps it out, whatever it believes. A node counts as off only when its key was read to be absent on every device and a reservation "
                "to be held there. All devices are worked on at once. A node registers itself when it joins the cluster (unfencing: set meta provides=unfencing).\n\n"
                "The fenced node keeps running without its disks: let vigil-storage-guard restart it, and have a second fencing level (management controller, sbd) for what "
                "is not on these disks. See doc/fencing-levels.md.",
    .vendor_url = "https://www.t10.org",
    .params = params,
    .config_size = sizeof(struct agent_config),
    .plug_required = true,
    .on_automatic = true,
    .operations = &operations,
};

int main(int argc, char *argv[])
{
    return fence_main(&agent, argc, argv);
}
