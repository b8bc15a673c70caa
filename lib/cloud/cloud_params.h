/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_CLOUD_PARAMS_H
#define VIGIL_CLOUD_CLOUD_PARAMS_H
/*
 * The parameters that every agent of a cloud has: which cloud, where it answers, by which key. One macro puts their rows into an agent's table, so
 * that they are named, explained and checked in one place.
 *
 *     struct disk_config { struct cloud_params cloud; ... };
 *     static const struct param params[] = { { "volume", ... }, CLOUD_PARAMS(struct disk_config, cloud), {} };
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/param.h"
#include "cloud/cloud.h"

struct cloud_params {
    int cloud;               /* index in cloud_names */
    int signature;           /* index in cloud_signatures */
    int rate;
    bool tls_verify;
    const char *region, *endpoints, *metadata, *credentials, *profile, *role, *project, *ca_file, *proxy, *key_id, *key_secret;
    uint64_t connect_ms, request_ms;
};

extern const char *const cloud_signatures[];

/* Fills in the client's config; texts are borrowed from params. urgent: a start, a stop, a fencing, which may use the part of the token
 * bucket that is kept for them. */
void cloud_params_config(const struct cloud_params *params, bool urgent, struct cloud_config *ret);

/* Checks without any look at the host or the network. Returns 0 or -EINVAL with failure->text. */
int cloud_params_check(const struct cloud_params *params, struct cloud_failure *failure);

/* What the agent has to warn of before it believes an answer: certificates that are not verified, an endpoint without TLS. NULL: nothing. */
const char *cloud_params_hazard(const struct cloud_params *params);

/* Opens a handle as cloud_open does. */
int cloud_params_open(const struct cloud_params *params, bool urgent, struct deadline deadline, struct cloud **ret,
                      struct cloud_failure *failure);

/* Syntax of an id of a cloud (vol-0abc, d-bp1, ins-abc, a UUID): letters, digits, '-' and '_', at most 127 of them. For a row's .check; pure. */
int cloud_id_check(const char *text, struct text_buffer *why);

#define CLOUD_PARAMS(structure, member)                                                                                                               \
    { "cloud", PARAM_CHOICE(structure, member.cloud), .choices = cloud_names, .default_value = "auto", .shortdesc = "Which cloud this node runs in",  \
      .longdesc = "auto finds it from the machine's DMI data and the metadata service." },                                                            \
    { "region", PARAM_TEXT(structure, member.region), .shortdesc = "Region",                                                                          \
      .longdesc = "The region's name in the cloud's API, such as eu-central-1. When not set: this instance's own, from the metadata service." },      \
    { "credentials", PARAM_PATH(structure, member.credentials), .aliases = NAMES("credentials_file"), .shortdesc = "File with the API key",           \
      .longdesc = "The API key in the vendor's own file format, belonging to root with mode 0600 on every node. Best left out: the keys then come "   \
                  "from the instance's role by the metadata service, and nothing secret lies on the disk." },                                         \
    { "profile", PARAM_TEXT(structure, member.profile), .shortdesc = "Section of the credentials file" },                                             \
    { "role", PARAM_TEXT(structure, member.role), .shortdesc = "Role of the instance whose keys are used",                                            \
      .longdesc = "When not set: the one that the metadata service names." },                                                                         \
    { "project", PARAM_TEXT(structure, member.project), .shortdesc = "Huawei Cloud: project id",                                                      \
      .longdesc = "When not set: the metadata service's." },                                                                                          \
    { "endpoints", PARAM_TEXT(structure, member.endpoints), .shortdesc = "Addresses of the API, where they are not the vendor's",                     \
      .longdesc = "SERVICE=URL for each, separated by blanks or commas, for private regions and private endpoints: \"ec2=https://ec2.example "        \
                  "elb=https://elb.example\"; all=URL stands for every service that is not named." },                                                 \
    { "metadata_url", PARAM_TEXT(structure, member.metadata), .advanced = true, .shortdesc = "Address of the metadata service",                       \
      .longdesc = "When not set: the vendor's link-local one." },                                                                                     \
    { "ca_file", PARAM_PATH(structure, member.ca_file), .shortdesc = "CA certificates for the API (PEM)",                                             \
      .longdesc = "When not set: the system's." },                                                                                                    \
    { "proxy", PARAM_TEXT(structure, member.proxy), .shortdesc = "HTTP proxy for the API: http://HOST:PORT",                                          \
      .longdesc = "Never used for the metadata service. Proxy settings of the environment are not read." },                                           \
    { "tls_verify", PARAM_BOOLEAN(structure, member.tls_verify), .default_value = "true", .advanced = true,                                           \
      .shortdesc = "Verify the API's certificate",                                                                                                    \
      .longdesc = "With false, anybody on the way can pretend to be the cloud, and \"stopped\" or \"off\" prove nothing." },                          \
    { "signature", PARAM_CHOICE(structure, member.signature), .choices = cloud_signatures, .default_value = "v3", .advanced = true,                   \
      .shortdesc = "Aliyun: version of the signature" },                                                                                              \
    { "rate", PARAM_INTEGER(structure, member.rate), .minimum = 1, .maximum = 100000, .default_value = "120", .advanced = true,                       \
      .shortdesc = "API requests a minute that all agents of this node may send",                                                                     \
      .longdesc = "A part of it is kept for starts, stops and fencing, so that monitors can't use it up." },                                          \
    { "connect_timeout", PARAM_DURATION(structure, member.connect_ms), .minimum = 100, .maximum = 60000, .default_value = "5", .advanced = true,      \
      .shortdesc = "Time for a connection to the API" },                                                                                              \
    { "request_timeout", PARAM_DURATION(structure, member.request_ms), .minimum = 500, .maximum = 300000, .default_value = "20", .advanced = true,    \
      .shortdesc = "Time for one request to the API" },                                                                                               \
    { "access_key", PARAM_TEXT(structure, member.key_id), .secret = true, .advanced = true, .shortdesc = "Not taken from here: use credentials" },    \
    { "secret_key", PARAM_TEXT(structure, member.key_secret), .secret = true, .advanced = true,                                                       \
      .shortdesc = "Not taken from here: use credentials" }

#endif
