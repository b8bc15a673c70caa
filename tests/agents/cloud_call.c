/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls one operation of lib/cloud and prints what it answers, for tests: cloud_call [NAME=VALUE ...] OPERATION [ARGUMENT ...]
 *
 * NAME: cloud region endpoints metadata credentials profile role project ca proxy signature run dmi rate seconds insecure urgent.
 * "-" as an argument means none. Prints NAME=VALUE lines; on failure "error=CLASS ..." on standard error, exit code 1.
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "cloud/cloud.h"

struct call {
    struct cloud *cloud;
    struct deadline deadline;
    char **words; /* behind the operation */
    int count;
};

static const char *word(const struct call *call, int index)
{
    return index < call->count && strcmp(call->words[index], "-") != 0 ? call->words[index] : NULL;
}

static unsigned int number(const struct call *call, int index)
{
    int64_t value = 0;

    if (word(call, index))
        (void)number_parse(word(call, index), 0, 1000000, &value);
    return (unsigned int)value;
}

static int call_self(const struct call *call)
{
    struct cloud_self self;
    int r = cloud_self(call->cloud, call->deadline, &self);

    if (r == 0)
        printf("cloud=%s\ninstance=%s\nzone=%s\nregion=%s\n", cloud_name(call->cloud), self.instance, self.zone, self.region);
    return r;
}

static int call_check(const struct call *call)
{
    return cloud_check(call->cloud, call->deadline);
}

static void print_instance(const struct cloud_instance *instance)
{
    static const char *const powers[] = { "unknown", "starting", "running", "stopping", "stopped", "terminated" };

    printf("id=%s name=%s tag=%s zone=%s address=%s interface=%s power=%s state=%s\n", instance->id, instance->name,
           instance->tag, instance->zone, instance->address, instance->interface, powers[instance->power], instance->state);
}

static int call_instance(const struct call *call)
{
    struct cloud_instance instance;
    int r = cloud_instance_get(call->cloud, word(call, 0), word(call, 1), call->deadline, &instance);

    if (r == 0) {
        print_instance(&instance);
        printf("evidence=%s\n", instance.evidence);
    }
    return r;
}

static int call_list(const struct call *call)
{
    const struct cloud_instance_filter filter = { word(call, 0), word(call, 1), word(call, 2) };
    _cleanup_cloud_instance_list_ struct cloud_instance_list list = { 0 };
    int r = cloud_instance_list(call->cloud, &filter, call->deadline, &list);

    for (size_t i = 0; r == 0 && i < list.count; i++)
        print_instance(&list.items[i]);
    return r;
}

static enum cloud_power_action action_of(const char *text)
{
    if (text_equal(text, "on"))
        return CLOUD_POWER_ON;
    return text_equal(text, "reboot") ? CLOUD_POWER_REBOOT : CLOUD_POWER_OFF;
}

static int call_power(const struct call *call)
{
    return cloud_instance_power(call->cloud, word(call, 0), action_of(word(call, 1)), call->deadline);
}

static int call_power_check(const struct call *call)
{
    return cloud_instance_power_check(call->cloud, word(call, 0), action_of(word(call, 1)), call->deadline);
}

static void print_disk(const struct cloud_disk *disk)
{
    static const char *const states[] = { "unknown", "creating", "available", "in-use", "error", "deleted" };
    static const char *const attachments[] = { "unknown", "attaching", "attached", "detaching" };

    printf("id=%s zone=%s state=%s text=%s size=%" PRIu64 " multi=%d encrypted=%d serial=%s\n", disk->id, disk->zone, states[disk->state],
           disk->state_text, disk->size_gib, disk->multi_attach, disk->encrypted, disk->serial);
    for (size_t i = 0; i < disk->attachment_count; i++)
        printf("attachment=%s state=%s device=%s since=%" PRId64 "\n", disk->attachments[i].instance,
               attachments[disk->attachments[i].state], disk->attachments[i].device, disk->attachments[i].since);
}

static int call_disk(const struct call *call)
{
    struct cloud_disk disk;
    int r = cloud_disk_get(call->cloud, word(call, 0), call->deadline, &disk);

    if (r == 0)
        print_disk(&disk);
    return r;
}

static int call_attach(const struct call *call)
{
    return cloud_disk_attach(call->cloud, word(call, 0), word(call, 1), word(call, 2), call->deadline);
}

static int call_detach(const struct call *call)
{
    return cloud_disk_detach(call->cloud, word(call, 0), word(call, 1), text_equal(word(call, 2), "force"), call->deadline);
}

static int call_await(const struct call *call)
{
    struct cloud_disk disk;
    int r = cloud_disk_await(call->cloud, word(call, 0), word(call, 1), text_equal(word(call, 2), "attached"), call->deadline,
                             &disk);

    if (r == 0)
        print_disk(&disk);
    return r;
}

/* KIND ADDRESS SELF [INTERFACE [TABLES [PRIVATE]]] */
static struct cloud_address_spec spec_of(const struct call *call)
{
    static const char *const kinds[] = { "secondary", "elastic", "havip", "route" };
    struct cloud_address_spec spec = { .address = word(call, 1), .interface = word(call, 3), .tables = word(call, 4),
                                       .private_address = word(call, 5) };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (text_equal(kinds[i], word(call, 0)))
            spec.kind = (enum cloud_address_kind)i;
    return spec;
}

static int call_address(const struct call *call)
{
    const struct cloud_address_spec spec = spec_of(call);
    struct cloud_address address;
    int r = cloud_address_get(call->cloud, &spec, word(call, 2), call->deadline, &address);

    if (r == 0)
        printf("assigned=%d moving=%d instance=%s interface=%s private=%s id=%s shared=%d associated=%d partial=%d\n",
               address.assigned, address.moving, address.instance, address.interface, address.private_address, address.id,
               address.shared, address.associated, address.partial);
    return r;
}

static int call_assign(const struct call *call)
{
    const struct cloud_address_spec spec = spec_of(call);

    return cloud_address_assign(call->cloud, &spec, word(call, 2), call->deadline);
}

static int call_release(const struct call *call)
{
    const struct cloud_address_spec spec = spec_of(call);

    return cloud_address_release(call->cloud, &spec, word(call, 2), call->deadline);
}

static int call_in_metadata(const struct call *call)
{
    const struct cloud_address_spec spec = spec_of(call);
    int r = cloud_address_in_metadata(call->cloud, &spec, call->deadline);

    if (r >= 0)
        printf("here=%d\n", r);
    return r;
}

/* GROUP INSTANCE ADDRESS PORT WEIGHT */
static struct cloud_target target_of(const struct call *call)
{
    return (struct cloud_target){ .group = word(call, 0), .instance = word(call, 1), .address = word(call, 2), .port = number(call, 3),
                                  .weight = number(call, 4) };
}

static int call_target(const struct call *call)
{
    static const char *const names[] = { "unknown", "absent", "initial", "healthy", "unhealthy", "draining", "unchecked" };
    const struct cloud_target target = target_of(call);
    struct cloud_target_state state;
    int r = cloud_target_get(call->cloud, &target, call->deadline, &state);

    if (r == 0)
        printf("health=%s weight=%u drain_ms=%" PRIu64 " text=%s\n", names[state.health], state.weight, state.drain_ms, state.text);
    return r;
}

static int call_register(const struct call *call)
{
    const struct cloud_target target = target_of(call);

    return cloud_target_register(call->cloud, &target, call->deadline);
}

static int call_drain(const struct call *call)
{
    const struct cloud_target target = target_of(call);

    return cloud_target_drain(call->cloud, &target, call->deadline);
}

static int call_deregister(const struct call *call)
{
    const struct cloud_target target = target_of(call);

    return cloud_target_deregister(call->cloud, &target, call->deadline);
}

static const struct {
    const char *name;
    int (*call)(const struct call *call);
} operations[] = {
    { "self", call_self },         { "check", call_check },
    { "instance", call_instance }, { "list", call_list },
    { "power", call_power },       { "power-check", call_power_check },
    { "disk", call_disk },         { "attach", call_attach },
    { "detach", call_detach },     { "await", call_await },
    { "address", call_address },   { "assign", call_assign },
    { "release", call_release },   { "in-metadata", call_in_metadata },
    { "target", call_target },     { "register", call_register },
    { "drain", call_drain },       { "deregister", call_deregister },
};

static int run_operation(const struct call *call, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return operations[i].call(call);
    fprintf(stderr, "no operation %s\n", name);
    return -EINVAL;
}

static void print_failure(const struct cloud_failure *failure)
{
    fprintf(stderr, "error=%s maybe_done=%d status=%u skew=%" PRId64 " code=%s request=%s text=%s\n", cloud_error_name(failure->error),
            failure->maybe_done, failure->status, failure->skew_s, failure->code, failure->request_id, failure->text);
}

static bool take_option(struct cloud_config *config, uint64_t *milliseconds, const char *text)
{
    const struct {
        const char *name;
        const char **member;
    } texts[] = {
        { "cloud=", &config->cloud },         { "region=", &config->region },   { "endpoints=", &config->endpoints },
        { "metadata=", &config->metadata },   { "credentials=", &config->credentials }, { "profile=", &config->profile },
        { "role=", &config->role },           { "project=", &config->project }, { "ca=", &config->ca_file },
        { "proxy=", &config->proxy },         { "signature=", &config->signature }, { "run=", &config->run_folder },
        { "dmi=", &config->dmi_folder },
    };
    int64_t value;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (text_after(text, texts[i].name)) {
            *texts[i].member = text_after(text, texts[i].name);
            return true;
        }
    if (text_after(text, "rate=") && number_parse(text_after(text, "rate="), 0, 100000, &value) == 0)
        config->rate = (unsigned int)value;
    else if (text_after(text, "seconds="))
        (void)number_parse_duration(text_after(text, "seconds="), 1000, milliseconds);
    else if (strcmp(text, "insecure=1") == 0)
        config->tls_insecure = true;
    else if (strcmp(text, "urgent=1") == 0)
        config->urgent = true;
    else
        return false;
    return true;
}

int main(int argc, char *argv[])
{
    struct cloud_config config = { 0 };
    struct cloud_failure failure = { 0 };
    struct call call = { 0 };
    uint64_t milliseconds = 20000;
    int place = 1, r;

    while (place < argc && strchr(argv[place], '=') && take_option(&config, &milliseconds, argv[place]))
        place++;
    if (place >= argc)
        return 2;
    call.deadline = deadline_in(milliseconds);
    r = cloud_open(&config, call.deadline, &call.cloud, &failure);
    if (r < 0) {
        print_failure(&failure);
        return 1;
    }
    call.words = argv + place + 1;
    call.count = argc - place - 1;
    r = run_operation(&call, argv[place]);
    if (r < 0)
        print_failure(cloud_failure(call.cloud));
    fprintf(stderr, "requests=%u metadata=%u retries=%u throttled=%u waited=%" PRIu64 "\n", cloud_usage(call.cloud).requests,
            cloud_usage(call.cloud).metadata_requests, cloud_usage(call.cloud).retries, cloud_usage(call.cloud).throttled,
            cloud_usage(call.cloud).bucket_wait_ms);
    cloud_close(call.cloud);
    return r < 0 ? 1 : 0;
}
