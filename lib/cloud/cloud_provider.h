/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_CLOUD_PROVIDER_H
#define VIGIL_CLOUD_CLOUD_PROVIDER_H
/*
 * Internal to lib/cloud: what one cloud supplies, and what the common part gives it. A cloud is one file with one `const struct cloud_provider` and
 * one line of CLOUDS.
 */
#include "cloud/api_call.h"
#include "cloud/cloud.h"
#include "cloud/credentials.h"
#include "cloud/document.h"

/* What the DMI tables say, in lower case ("" where a file is absent): sys_vendor, product_name, chassis_asset_tag, bios_version, joined by '|'. */
struct cloud_provider {
    const char *name;
    const char *metadata;          /* base URL of its metadata service */
    const char *const *dmi_words;  /* any of them in the DMI texts names this cloud; ended by NULL */
    const struct cloud_service *services; /* ended by an empty row */
    bool xml;                      /* its API answers in XML, else in JSON */
    enum cloud_address_kind private_kind; /* what moves a private address where nothing else is said */
    const struct credential_format *formats; /* of its credentials files; ended by an empty row */

    /* The host of a service: "ec2.eu-west-1.amazonaws.com". */
    int (*host)(const struct cloud *cloud, const struct cloud_service *service, char *buffer, size_t size);
    /* Signs the call with these keys: appends the headers (Host is there already), and may change the query. */
    int (*sign)(struct cloud *cloud, const struct api_call *call, const struct credentials *keys, struct api_message *message);
    /* Reads an error reply: code, words and request id of *error. True where the document is one. */
    bool (*read_error)(const struct document_node *root, struct api_error *error);
    /* Which class an error has. Pure. */
    enum cloud_error (*classify)(const struct api_error *error);

    /* By the metadata service. */
    int (*self)(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret);
    int (*role_keys)(struct cloud *cloud, struct deadline deadline, struct credentials *ret);
    int (*address_in_metadata)(struct cloud *cloud, const struct cloud_address_spec *spec, struct deadline deadline);

    /* By the API: see cloud.h. A function that is NULL is not supported. */
    int (*check)(struct cloud *cloud, struct deadline deadline);
    int (*instance_get)(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                        struct cloud_instance *ret);
    int (*instance_list)(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                         struct cloud_instance_list *ret);
    int (*instance_power)(struct cloud *cloud, const char *id, enum cloud_power_action action, bool dry_run,
                          struct deadline deadline);
    int (*disk_get)(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret);
    int (*disk_attach)(struct cloud *cloud, const char *id, const char *instance, const char *device,
                       struct deadline deadline);
    int (*disk_detach)(struct cloud *cloud, const char *id, const char *instance, bool force, struct deadline deadline);
    int (*address_get)(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                       struct deadline deadline, struct cloud_address *ret);
    int (*address_assign)(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                          struct deadline deadline);
    int (*address_release)(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                           struct deadline deadline);
    int (*target_get)(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                      struct cloud_target_state *ret);
    int (*target_register)(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline);
    int (*target_drain)(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline);
    int (*target_deregister)(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline);
};

/* Every cloud, in the order in which cloud=auto tries them: aws is cloud_aws of aws.c. A fifth one is a file and its line here (and the file's name among the sources of
 * Makemodule.am, as for any). The words that the parameter cloud takes, its error and its texts follow from it. */
#define CLOUDS(CLOUD) \
    CLOUD(aws)        \
    CLOUD(aliyun)     \
    CLOUD(tencent)    \
    CLOUD(huawei)

#define CLOUD_DECLARE(name) extern const struct cloud_provider cloud_##name;
CLOUDS(CLOUD_DECLARE)
#undef CLOUD_DECLARE

struct cloud {
    const struct cloud_provider *provider;
    struct cloud_config config; /* texts are the handle's own */
    char *texts[12];            /* what config points to */
    char region[64];
    char project[64];           /* Huawei */
    bool self_known;
    struct cloud_self self;
    struct http_client *client;
    struct cloud_failure failure;
    struct cloud_usage usage;
    struct credentials keys;
    char bucket_path[512];
    char metadata_token[512];   /* of the metadata service's token mode; "" where none was got */
    struct deadline metadata_token_ends;
};

/* Fills in cloud->failure and returns the class's -errno. The words become the text as they are. */
int cloud_fail(struct cloud *cloud, enum cloud_error error, const char *format, ...) _printf_(3, 4);

/* Cuts a text where a secret of this handle begins in it: a server that repeats what was signed may repeat the token. cloud_fail does it. */
void cloud_hide_secrets(const struct cloud *cloud, char *text);

/* An answer that lacks what it must have. */
int cloud_malformed(struct cloud *cloud, const char *what);

/* For what is looked up behind the thing itself, its health or its interface: that this is not found says nothing of the thing, so CLOUD_NOT_FOUND becomes CLOUD_TRANSIENT.
 * Returns r, or that class's -errno. */
int cloud_not_the_thing(struct cloud *cloud, int r);

/* The region is known, or the metadata service says it. */
int cloud_need_region(struct cloud *cloud, struct deadline deadline);

/* True for an id as the clouds make them: letters, digits and -_.: without "..", not empty, at most 127 long. */
bool cloud_id_valid(const char *id);

/* Sleeps before the next look at something that changes: *pause_ms (0 at first) grows from 300 ms to 3 s. -ETIMEDOUT with the failure `what` when the
 * deadline comes first. */
int cloud_pause(struct cloud *cloud, struct deadline deadline, uint64_t *pause_ms, const char *what);

/* One table's answer for a route, laid over those of the tables before it: the holder is the first that is not self. */
void cloud_merge_route(const struct cloud_address *one, const char *self, bool first, struct cloud_address *ret);

/* ---- for lists -------------------------------------------------------------------------------------------------- */

/* Appends an item, at most 10,000. 0, or -errno with the failure. */
int cloud_list_add(struct cloud *cloud, struct cloud_instance_list *list, const struct cloud_instance *item);

/* The item among these siblings whose member `path` is the value: a filter that a server ignores, or that fits things of several networks, must not make another's
 * thing ours. *ret is NULL where there is none. 0, or CLOUD_INVALID where several have it. */
int cloud_pick(struct cloud *cloud, const struct document_node *items, const char *path, const char *value,
               const struct document_node **ret);

/* ---- metadata --------------------------------------------------------------------------------------------------- */

/* Reads path ("/latest/...") of the metadata service into fresh memory that the caller frees with file_wipe_secret. token_header (may be NULL) is sent
 * with cloud->metadata_token where there is one. CLOUD_NOT_FOUND for 404. */
int metadata_get(struct cloud *cloud, const char *path, const char *token_header, struct deadline deadline, char **ret);

/* Gets a token by PUT. path, and the header that asks for its life in seconds. optional: a service that has no token mode (404, 405) is success without one. */
int metadata_token(struct cloud *cloud, const char *path, const char *ttl_header, bool optional,
                   struct deadline deadline);

/* Reads a path that is one short identifier into buffer. */
int metadata_get_word(struct cloud *cloud, const char *path, const char *token_header, struct deadline deadline,
                      char *buffer, size_t size);

/* Reads a path that is a JSON object. */
int metadata_get_json(struct cloud *cloud, const char *path, const char *token_header, struct deadline deadline,
                      struct document *ret);

#endif
