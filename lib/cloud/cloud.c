/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/cloud.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/number.h"
#include "cloud/cloud_provider.h"
#include "cloud/http_client.h"

#define CLOUD_POINTER(name) &cloud_##name,
#define CLOUD_WORD(name)    #name,
#define CLOUD_LISTED(name)  #name ", "

static const struct cloud_provider *const cloud_providers[] = { CLOUDS(CLOUD_POINTER) };

const char *const cloud_names[] = { "auto", CLOUDS(CLOUD_WORD) NULL };

#define LIST_MAXIMUM 10000
#define DETECT_MS 1500 /* for one metadata service that may not be there at all */

bool cloud_id_valid(const char *id)
{
    size_t length = id ? strlen(id) : 0;

    if (length == 0 || length >= CLOUD_ID_SIZE)
        return false;
    for (const char *c = id; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.:", *c))
            return false;
    return !strstr(id, ".."); /* ids are put into paths */
}

/* ---- configuration ---------------------------------------------------------------------------------------------- */

static int refuse(struct cloud_failure *failure, const char *format, ...) _printf_(2, 3);
static int refuse(struct cloud_failure *failure, const char *format, ...)
{
    va_list arguments;

    *failure = (struct cloud_failure){ .error = CLOUD_INVALID };
    va_start(arguments, format);
    (void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
    va_end(arguments);
    (void)text_make_printable(failure->text);
    return -EINVAL;
}

static const struct cloud_provider *find_provider(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(cloud_providers); i++)
        if (text_equal(cloud_providers[i]->name, name))
            return cloud_providers[i];
    return NULL;
}

static bool is_region(const char *region)
{
    return strlen(region) < 40 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(region) && *region != '-';
}

static bool is_url(const char *url)
{
    struct api_message message = { 0 };
    bool good = api_parse_endpoint(url, &message) == 0;

    text_buffer_free(&message.path);
    return good;
}

/* Each of the URLs, and each service one that this cloud (or, with auto, any cloud) has. */
static int check_endpoints(const struct cloud_config *config, struct cloud_failure *failure)
{
    const char *cursor = config->endpoints ? config->endpoints : "", *word;
    size_t length;

    while (text_next_word(&cursor, " ,\t\n", &word, &length)) {
        _cleanup_free_ char *entry = strndup(word, length);
        char *equals = entry ? strchr(entry, '=') : NULL;

        if (!equals || equals == entry || length > 500)
            return refuse(failure, "endpoints: '%.60s' is not SERVICE=URL", entry ? entry : "");
        if (!is_url(equals + 1))
            return refuse(failure, "endpoints: '%.60s' is no http:// or https:// URL", equals + 1);
    }
    return 0;
}

int cloud_config_check(const struct cloud_config *config, struct cloud_failure *failure)
{
    bool automatic = text_empty(config->cloud) || text_equal(config->cloud, "auto");

    if (!automatic && !find_provider(config->cloud))
        return refuse(failure, "cloud '%.40s' is none of " CLOUDS(CLOUD_LISTED) "auto", config->cloud);
    if (!text_empty(config->region) && !is_region(config->region))
        return refuse(failure, "region '%.60s' is no region: small letters, digits and -", config->region);
    if (!text_empty(config->metadata) && !is_url(config->metadata))
        return refuse(failure, "metadata '%.60s' is no http:// URL", config->metadata);
    if (!text_empty(config->proxy) && !is_url(config->proxy))
        return refuse(failure, "proxy '%.60s' is no http:// or https:// URL", config->proxy);
    if (!text_empty(config->project) && !cloud_id_valid(config->project))
        return refuse(failure, "project '%.60s' is no project id", config->project);
    if (!text_empty(config->role) && (!cloud_id_valid(config->role) || strstr(config->role, "..")))
        return refuse(failure, "role '%.60s' is no role's name", config->role);
    if (!text_empty(config->signature) && !text_equal(config->signature, "v1") && !text_equal(config->signature, "v3"))
        return refuse(failure, "signature '%.20s' is neither v3 nor v1", config->signature);
    return check_endpoints(config, failure);
}

/* ---- handle ----------------------------------------------------------------------------------------------------- */

/* The handle keeps copies of its own. "" counts as not given. */
static int copy_config(struct cloud *cloud, const struct cloud_config *config)
{
    const char **const members[] = { &cloud->config.cloud,       &cloud->config.region,    &cloud->config.endpoints,
                                     &cloud->config.metadata,    &cloud->config.credentials, &cloud->config.profile,
                                     &cloud->config.role,        &cloud->config.project,   &cloud->config.ca_file,
                                     &cloud->config.proxy,       &cloud->config.signature, &cloud->config.run_folder };
    _Static_assert(ARRAY_SIZE(members) == ARRAY_SIZE(((struct cloud *)NULL)->texts), "a text without a place");

    cloud->config = *config;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (text_empty(*members[i])) {
            *members[i] = NULL;
            continue;
        }
        cloud->texts[i] = strdup(*members[i]);
        if (!cloud->texts[i])
            return -ENOMEM;
        *members[i] = cloud->texts[i];
    }
    return 0;
}

/* Base URLs are put before a path: without a slash at their end. */
static void trim_slash(char *url)
{
    size_t length = url ? strlen(url) : 0;

    while (length > 0 && url[length - 1] == '/')
        url[--length] = '\0';
}

/* From here on the process holds keys: no core file, no ptrace by others (prctl(2), PR_SET_DUMPABLE). */
static void guard_secrets(void)
{
    const struct rlimit none = { 0, 0 };

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static void read_dmi(const char *folder, char *buffer, size_t size)
{
    static const char *const files[] = { "sys_vendor", "product_name", "chassis_asset_tag", "bios_version", "board_vendor" };
    size_t length = 0;

    buffer[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char path[256], line[96];

        if (text_format(path, sizeof(path), "%s/%s", folder, files[i]) < 0 ||
            file_read_line(path, line, sizeof(line)) <= 0)
            continue;
        (void)text_format(buffer + length, size - length, "%s|", line);
        length = strlen(buffer);
    }
    for (char *c = buffer; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

static const struct cloud_provider *detect_by_dmi(const char *folder)
{
    char dmi[640];

    read_dmi(folder, dmi, sizeof(dmi));
    for (size_t i = 0; i < ARRAY_SIZE(cloud_providers); i++)
        for (const char *const *word = cloud_providers[i]->dmi_words; *word; word++)
            if (strstr(dmi, *word))
                return cloud_providers[i];
    return NULL;
}

/* A metadata service that knows this instance by the paths of its cloud, in the form of its cloud. */
static int detect_by_metadata(struct cloud *cloud, struct deadline deadline)
{
    for (size_t i = 0; i < ARRAY_SIZE(cloud_providers); i++) {
        cloud->provider = cloud_providers[i];
        cloud->metadata_token[0] = '\0';
        if (cloud->provider->self(cloud, deadline_within(deadline, DETECT_MS), &cloud->self) == 0) {
            cloud->self_known = true;
            return 0;
        }
    }
    return cloud_fail(cloud, CLOUD_INVALID, "no cloud found by DMI or by a metadata service: set cloud");
}

static int choose_provider(struct cloud *cloud, struct deadline deadline)
{
    const char *folder = cloud->config.dmi_folder ? cloud->config.dmi_folder : "/sys/class/dmi/id";

    cloud->provider = find_provider(cloud->config.cloud);
    if (!cloud->provider)
        cloud->provider = detect_by_dmi(folder);
    return cloud->provider ? 0 : detect_by_metadata(cloud, deadline);
}

static int open_handle(struct cloud *cloud, const struct cloud_config *config, struct deadline deadline)
{
    int r = copy_config(cloud, config);

    if (r < 0)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    cloud->config.dmi_folder = config->dmi_folder;
    trim_slash(cloud->texts[3]);
    r = http_client_open(&cloud->client);
    if (r < 0)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "libcurl can't be loaded: install package libcurl4");
    (void)text_copy(cloud->region, sizeof(cloud->region), cloud->config.region ? cloud->config.region : "");
    (void)text_copy(cloud->project, sizeof(cloud->project), cloud->config.project ? cloud->config.project : "");
    r = choose_provider(cloud, deadline);
    cloud->config.dmi_folder = NULL;
    return r < 0 ? r : cloud_need_region(cloud, deadline);
}

int cloud_open(const struct cloud_config *config, struct deadline deadline, struct cloud **ret,
               struct cloud_failure *failure)
{
    struct cloud *cloud;
    int r = cloud_config_check(config, failure);

    if (r < 0)
        return r;
    guard_secrets();
    cloud = calloc(1, sizeof(*cloud));
    if (!cloud) {
        *failure = (struct cloud_failure){ .error = CLOUD_NO_MEMORY, .text = "no memory" };
        return -ENOMEM;
    }
    r = open_handle(cloud, config, deadline);
    if (r < 0) {
        *failure = cloud->failure;
        cloud_close(cloud);
        return r;
    }
    *ret = cloud;
    return 0;
}

void cloud_close(struct cloud *cloud)
{
    if (!cloud)
        return;
    http_client_close(cloud->client);
    for (size_t i = 0; i < ARRAY_SIZE(cloud->texts); i++)
        free(cloud->texts[i]);
    explicit_bzero(cloud, sizeof(*cloud));
    free(cloud);
}

const char *cloud_name(const struct cloud *cloud)
{
    return cloud->provider->name;
}

enum cloud_address_kind cloud_private_kind(const struct cloud *cloud)
{
    return cloud->provider->private_kind;
}

struct cloud_usage cloud_usage(const struct cloud *cloud)
{
    return cloud->usage;
}

int cloud_self(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret)
{
    if (!cloud->self_known) {
        struct cloud_self self = { 0 };
        int r = cloud->provider->self(cloud, deadline, &self);

        if (r < 0)
            return r;
        cloud->self = self;
        cloud->self_known = true;
    }
    *ret = cloud->self;
    return 0;
}

int cloud_need_region(struct cloud *cloud, struct deadline deadline)
{
    struct cloud_self self;
    int r;

    if (cloud->region[0])
        return 0;
    r = cloud_self(cloud, deadline, &self);
    if (r < 0)
        return r;
    if (!is_region(self.region) || !self.region[0])
        return cloud_malformed(cloud, "the region");
    (void)text_copy(cloud->region, sizeof(cloud->region), self.region);
    return 0;
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

static int unsupported(struct cloud *cloud, const char *what)
{
    return cloud_fail(cloud, CLOUD_UNSUPPORTED, "%s has no %s", cloud->provider->name, what);
}

static int invalid_id(struct cloud *cloud, const char *what, const char *id)
{
    return cloud_fail(cloud, CLOUD_INVALID, "%s id '%.60s' is malformed: letters, digits and -_.: only", what, id ? id : "");
}

int cloud_check(struct cloud *cloud, struct deadline deadline)
{
    return cloud->provider->check ? cloud->provider->check(cloud, deadline) : unsupported(cloud, "check");
}

int cloud_instance_get(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                       struct cloud_instance *ret)
{
    struct cloud_instance instance = { 0 };
    int r;

    if (!cloud_id_valid(id))
        return invalid_id(cloud, "instance", id);
    r = cloud->provider->instance_get(cloud, id, tag, deadline, &instance);
    if (r < 0)
        return r;
    /* Never another one's state: a wrong answer from a proxy's cache has been off for a running instance before. */
    if (strcmp(instance.id, id) != 0)
        return cloud_malformed(cloud, "the instance that was asked for");
    *ret = instance;
    return 0;
}

bool cloud_lacks_thing(struct cloud *cloud, struct deadline deadline)
{
    const struct cloud_failure failure = cloud->failure;
    struct cloud_instance own;
    struct cloud_self self;
    bool known;

    if (failure.error != CLOUD_NOT_FOUND)
        return false;
    known = cloud_self(cloud, deadline, &self) == 0 && cloud_instance_get(cloud, self.instance, NULL, deadline, &own) == 0;
    cloud->failure = failure;
    return known;
}

void cloud_instance_list_free(struct cloud_instance_list *list)
{
    free(list->items);
    *list = (struct cloud_instance_list){ 0 };
}

int cloud_list_add(struct cloud *cloud, struct cloud_instance_list *list, const struct cloud_instance *item)
{
    if (list->count >= LIST_MAXIMUM)
        return cloud_fail(cloud, CLOUD_MALFORMED, "more than %d instances are listed: use a filter by tag", LIST_MAXIMUM);
    if ((list->count & (list->count - 1)) == 0) {
        struct cloud_instance *larger = realloc(list->items, (list->count > 0 ? 2 * list->count : 1) * sizeof(*larger));

        if (!larger)
            return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
        list->items = larger;
    }
    list->items[list->count++] = *item;
    return 0;
}

int cloud_instance_list(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                        struct cloud_instance_list *ret)
{
    static const struct cloud_instance_filter all = { 0 };
    _cleanup_cloud_instance_list_ struct cloud_instance_list list = { 0 };
    int r = cloud->provider->instance_list(cloud, filter ? filter : &all, deadline, &list);

    if (r < 0)
        return r;
    *ret = list;
    list = (struct cloud_instance_list){ 0 };
    return 0;
}

int cloud_instance_power(struct cloud *cloud, const char *id, enum cloud_power_action action, struct deadline deadline)
{
    if (!cloud_id_valid(id))
        return invalid_id(cloud, "instance", id);
    return cloud->provider->instance_power(cloud, id, action, false, deadline);
}

int cloud_instance_power_check(struct cloud *cloud, const char *id, enum cloud_power_action action,
                               struct deadline deadline)
{
    if (!cloud_id_valid(id))
        return invalid_id(cloud, "instance", id);
    return cloud->provider->instance_power(cloud, id, action, true, deadline);
}

int cloud_disk_get(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret)
{
    struct cloud_disk disk = { 0 };
    int r;

    if (!cloud_id_valid(id))
        return invalid_id(cloud, "disk", id);
    r = cloud->provider->disk_get(cloud, id, deadline, &disk);
    if (r < 0)
        return r;
    if (strcmp(disk.id, id) != 0)
        return cloud_malformed(cloud, "the disk that was asked for");
    *ret = disk;
    return 0;
}

const struct cloud_attachment *cloud_disk_attachment(const struct cloud_disk *disk, const char *instance)
{
    for (size_t i = 0; i < disk->attachment_count; i++)
        if (text_equal(disk->attachments[i].instance, instance))
            return &disk->attachments[i];
    return NULL;
}

/* What a look shows after a change of a disk has answered an error. */
enum aftermath {
    AFTERMATH_FAILED,    /* the failure stands */
    AFTERMATH_FULFILLED, /* it is as wished, or on its way: an attach has answered an error and yet succeeded */
    AFTERMATH_AGAIN,     /* nothing was done, and nothing stands in the way any more */
};

/* Errors behind which the change may be done, or which the disk's state explains. */
static bool wants_look(enum cloud_error error)
{
    switch (error) {
    case CLOUD_TRANSIENT:
    case CLOUD_TIMED_OUT:
    case CLOUD_UNREACHABLE:
    case CLOUD_MALFORMED:
    case CLOUD_REFUSED:
    case CLOUD_ALREADY:
    case CLOUD_IN_USE:
    case CLOUD_WRONG_STATE:
    case CLOUD_THROTTLED:
    case CLOUD_CONFLICT:
        return true;
    default:
        return false;
    }
}

static bool is_refusal_of_state(const struct cloud_failure *failure)
{
    return !failure->maybe_done && (failure->error == CLOUD_WRONG_STATE || failure->error == CLOUD_CONFLICT);
}

/* Seen not to be attached to that instance: free, or with others only. A disk that is in use by nobody is on its way to somebody whom the cloud does not
 * tell yet (Huawei while it attaches). */
static bool is_detached(const struct cloud_disk *disk, const char *instance)
{
    if (cloud_disk_attachment(disk, instance))
        return false;
    return disk->state == CLOUD_DISK_AVAILABLE || disk->state == CLOUD_DISK_DELETED ||
           (disk->state == CLOUD_DISK_IN_USE && disk->attachment_count > 0);
}

/* On its way from whom has it: free in a moment. */
static bool is_leaving(const struct cloud_disk *disk)
{
    return disk->attachment_count == 1 && !disk->multi_attach && disk->attachments[0].state == CLOUD_DETACHING;
}

static enum aftermath look_after_attach(struct cloud *cloud, const char *id, const char *instance, struct deadline deadline)
{
    const struct cloud_failure failure = cloud->failure;
    const struct cloud_attachment *attachment;
    struct cloud_disk disk;
    int r = wants_look(failure.error) ? cloud_disk_get(cloud, id, deadline, &disk) : -1;

    cloud->failure = failure;
    if (r < 0)
        return AFTERMATH_FAILED;
    attachment = cloud_disk_attachment(&disk, instance);
    if (attachment && (attachment->state == CLOUD_ATTACHING || attachment->state == CLOUD_ATTACHED))
        return AFTERMATH_FULFILLED;
    if (is_leaving(&disk) && !failure.maybe_done)
        return AFTERMATH_AGAIN;
    if (disk.state == CLOUD_DISK_ERROR)
        (void)cloud_fail(cloud, CLOUD_WRONG_STATE, "the disk is in state '%s'", disk.state_text);
    else if (!attachment && disk.attachment_count > 0 && !disk.multi_attach)
        (void)cloud_fail(cloud, CLOUD_IN_USE, "the disk is attached to %s", disk.attachments[0].instance);
    else if (is_refusal_of_state(&failure) && disk.state == CLOUD_DISK_AVAILABLE)
        return AFTERMATH_AGAIN;
    cloud->failure.maybe_done = failure.maybe_done;
    return AFTERMATH_FAILED;
}

static enum aftermath look_after_detach(struct cloud *cloud, const char *id, const char *instance, struct deadline deadline)
{
    const struct cloud_failure failure = cloud->failure;
    const struct cloud_attachment *attachment;
    struct cloud_disk disk;
    int r = wants_look(failure.error) ? cloud_disk_get(cloud, id, deadline, &disk) : -1;

    cloud->failure = failure;
    if (r < 0)
        return AFTERMATH_FAILED;
    attachment = cloud_disk_attachment(&disk, instance);
    return is_detached(&disk, instance) || (attachment && attachment->state == CLOUD_DETACHING) ? AFTERMATH_FULFILLED
                                                                                               : AFTERMATH_FAILED;
}

int cloud_disk_attach(struct cloud *cloud, const char *id, const char *instance, const char *device,
                      struct deadline deadline)
{
    struct deadline patience = deadline_within(deadline, 20000);
    uint64_t pause = 0;

    if (!cloud_id_valid(id))
        return invalid_id(cloud, "disk", id);
    if (!cloud_id_valid(instance))
        return invalid_id(cloud, "instance", instance);
    for (;;) {
        int r = cloud->provider->disk_attach(cloud, id, instance, device, deadline);
        enum aftermath aftermath = r < 0 ? look_after_attach(cloud, id, instance, deadline) : AFTERMATH_FULFILLED;
        struct cloud_failure failure = cloud->failure;

        if (aftermath == AFTERMATH_FULFILLED)
            return 0;
        if (aftermath == AFTERMATH_FAILED || cloud_pause(cloud, patience, &pause, "the disk") < 0) {
            cloud->failure = failure;
            return cloud_error_errno(failure.error);
        }
    }
}

int cloud_disk_detach(struct cloud *cloud, const char *id, const char *instance, bool force, struct deadline deadline)
{
    int r;

    if (!cloud_id_valid(id))
        return invalid_id(cloud, "disk", id);
    if (!cloud_id_valid(instance))
        return invalid_id(cloud, "instance", instance);
    r = cloud->provider->disk_detach(cloud, id, instance, force, deadline);
    return r < 0 && look_after_detach(cloud, id, instance, deadline) == AFTERMATH_FULFILLED ? 0 : r;
}

/* One look of cloud_disk_await: 1 as wanted, 0 not yet, -errno never. */
static int judge_disk(struct cloud *cloud, const struct cloud_disk *disk, const char *instance, bool attached)
{
    const struct cloud_attachment *attachment = cloud_disk_attachment(disk, instance);

    if (disk->state == CLOUD_DISK_ERROR || disk->state == CLOUD_DISK_DELETED)
        return cloud_fail(cloud, CLOUD_WRONG_STATE, "the disk is in state '%s'", disk->state_text);
    if (!attached)
        return is_detached(disk, instance);
    if (attachment)
        return attachment->state == CLOUD_ATTACHED;
    if (disk->attachment_count > 0 && !disk->multi_attach)
        return cloud_fail(cloud, CLOUD_IN_USE, "the disk is attached to %s", disk->attachments[0].instance);
    return 0;
}

int cloud_disk_await(struct cloud *cloud, const char *id, const char *instance, bool attached, struct deadline deadline,
                     struct cloud_disk *ret)
{
    unsigned int seen = 0, wanted = attached ? 1 : 2;
    uint64_t pause = 500;

    for (;;) {
        struct cloud_disk disk;
        int r = cloud_disk_get(cloud, id, deadline, &disk);

        if (r == 0) {
            if (ret)
                *ret = disk;
            r = judge_disk(cloud, &disk, instance, attached);
        } else if (cloud->failure.error == CLOUD_NOT_FOUND) {
            /* Right after a change that proves nothing: describes are eventually consistent. */
            disk = (struct cloud_disk){ .state_text = "not found" };
            r = 0;
        }
        if (r < 0)
            return r;
        seen = r > 0 ? seen + 1 : 0;
        if (seen >= wanted)
            return 0;
        if (deadline_left_ms(deadline) <= pause)
            return cloud_fail(cloud, CLOUD_TIMED_OUT, "timed out while the disk is '%s' and not yet %s", disk.state_text,
                              attached ? "attached" : "detached");
        (void)deadline_sleep(deadline, pause);
        pause = pause < 4000 ? pause * 3 / 2 : 5000;
    }
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static bool is_address_text(const char *text)
{
    return !text_empty(text) && strlen(text) < CLOUD_ID_SIZE &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/-_") == strlen(text);
}

/* The one way in which the clouds write an address or a route's destination: "2001:DB8:0::1" is "2001:db8::1", and the route 192.0.2.7 is 192.0.2.7/32. Compared as
 * the user wrote it, an address that is here would be called absent. What is no address (an id) stays as it is. */
static int canonize_address(const char *text, bool destination, char *buffer, size_t size)
{
    unsigned char binary[sizeof(struct in6_addr)];
    const char *slash = strchr(text, '/');
    char plain[CLOUD_ID_SIZE], canonical[INET6_ADDRSTRLEN];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET, bits = family == AF_INET6 ? 128 : 32;
    int64_t prefix = bits;

    (void)text_format(plain, sizeof(plain), "%.*s", (int)(slash ? slash - text : (ptrdiff_t)strlen(text)), text);
    if (inet_pton(family, plain, binary) != 1)
        return text_copy(buffer, size, text);
    if (slash && (!destination || number_parse(slash + 1, 0, bits, &prefix) < 0))
        return -EINVAL;
    for (int bit = (int)prefix; destination && bit < bits; bit++)
        binary[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
    (void)inet_ntop(family, binary, canonical, sizeof(canonical));
    return destination ? text_format(buffer, size, "%s/%d", canonical, (int)prefix) : text_copy(buffer, size, canonical);
}

/* A spec whose addresses are written as the clouds write them. */
struct canonical_spec {
    struct cloud_address_spec spec;
    char address[CLOUD_ID_SIZE], private_address[CLOUD_ID_SIZE];
};

static int check_tables(struct cloud *cloud, const struct cloud_address_spec *spec)
{
    const char *cursor = spec->tables ? spec->tables : "", *word;
    size_t length;

    if (spec->kind == CLOUD_ADDRESS_ROUTE && text_count_words(cursor, " ,\t") == 0)
        return cloud_fail(cloud, CLOUD_INVALID, "a route needs its route tables");
    while (text_next_word(&cursor, " ,\t", &word, &length)) {
        _cleanup_free_ char *table = strndup(word, length);

        if (!cloud_id_valid(table))
            return invalid_id(cloud, "route table", table);
    }
    return 0;
}

static int check_spec(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self, struct canonical_spec *ret)
{
    ret->spec = *spec;
    if (!is_address_text(spec->address) ||
        canonize_address(spec->address, spec->kind == CLOUD_ADDRESS_ROUTE, ret->address, sizeof(ret->address)) < 0)
        return cloud_fail(cloud, CLOUD_INVALID, "address '%.60s' is malformed", spec->address ? spec->address : "");
    ret->spec.address = ret->address;
    if (spec->interface && !cloud_id_valid(spec->interface))
        return invalid_id(cloud, "interface", spec->interface);
    if (spec->private_address) {
        if (!is_address_text(spec->private_address) ||
            canonize_address(spec->private_address, false, ret->private_address, sizeof(ret->private_address)) < 0)
            return cloud_fail(cloud, CLOUD_INVALID, "private address '%.60s' is malformed", spec->private_address);
        ret->spec.private_address = ret->private_address;
    }
    if (self && !cloud_id_valid(self))
        return invalid_id(cloud, "instance", self);
    return check_tables(cloud, spec);
}

int cloud_address_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                      struct deadline deadline, struct cloud_address *ret)
{
    struct cloud_address address = { 0 };
    struct canonical_spec canonical;
    int r = check_spec(cloud, spec, self, &canonical);

    if (r == 0)
        r = cloud->provider->address_get(cloud, &canonical.spec, self, deadline, &address);
    if (r == 0)
        *ret = address;
    return r;
}

int cloud_address_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                         struct deadline deadline)
{
    struct canonical_spec canonical;
    int r = check_spec(cloud, spec, self, &canonical);

    return r < 0 ? r : cloud->provider->address_assign(cloud, &canonical.spec, self, deadline);
}

int cloud_address_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                          struct deadline deadline)
{
    struct canonical_spec canonical;
    int r = check_spec(cloud, spec, self, &canonical);

    return r < 0 ? r : cloud->provider->address_release(cloud, &canonical.spec, self, deadline);
}

int cloud_address_in_metadata(struct cloud *cloud, const struct cloud_address_spec *spec, struct deadline deadline)
{
    struct canonical_spec canonical;
    int r = check_spec(cloud, spec, NULL, &canonical);

    if (r < 0)
        return r;
    if (!cloud->provider->address_in_metadata)
        return unsupported(cloud, "such addresses in its metadata service");
    return cloud->provider->address_in_metadata(cloud, &canonical.spec, deadline);
}

/* ---- balancers -------------------------------------------------------------------------------------------------- */

static int check_target(struct cloud *cloud, const struct cloud_target *target)
{
    if (text_empty(target->group) || strlen(target->group) > 400 ||
        strspn(target->group, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/") != strlen(target->group))
        return cloud_fail(cloud, CLOUD_INVALID, "group '%.60s' is malformed", target->group ? target->group : "");
    if (!target->instance && !target->address)
        return cloud_fail(cloud, CLOUD_INVALID, "a target needs an instance or an address");
    if (target->instance && !cloud_id_valid(target->instance))
        return invalid_id(cloud, "instance", target->instance);
    if (target->address && !is_address_text(target->address))
        return cloud_fail(cloud, CLOUD_INVALID, "address '%.60s' is malformed", target->address);
    return target->port > 65535 ? cloud_fail(cloud, CLOUD_INVALID, "port %u is none", target->port) : 0;
}

int cloud_target_get(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                     struct cloud_target_state *ret)
{
    struct cloud_target_state state = { 0 };
    int r = check_target(cloud, target);

    if (r == 0)
        r = cloud->provider->target_get(cloud, target, deadline, &state);
    if (r == 0)
        *ret = state;
    return r;
}

int cloud_target_register(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    int r = check_target(cloud, target);

    return r < 0 ? r : cloud->provider->target_register(cloud, target, deadline);
}

int cloud_target_drain(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    int r = check_target(cloud, target);

    return r < 0 ? r : cloud->provider->target_drain(cloud, target, deadline);
}

int cloud_target_deregister(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline)
{
    int r = check_target(cloud, target);

    return r < 0 ? r : cloud->provider->target_deregister(cloud, target, deadline);
}
