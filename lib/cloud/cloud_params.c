/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/cloud_params.h"

#include <string.h>

#include "base/text.h"

const char *const cloud_signatures[] = { "v3", "v1", NULL };

void cloud_params_config(const struct cloud_params *params, bool urgent, struct cloud_config *ret)
{
    *ret = (struct cloud_config){
        .cloud = cloud_names[params->cloud],
        .region = params->region,
        .endpoints = params->endpoints,
        .metadata = params->metadata,
        .credentials = params->credentials,
        .profile = params->profile,
        .role = params->role,
        .project = params->project,
        .ca_file = params->ca_file,
        .proxy = params->proxy,
        .signature = cloud_signatures[params->signature],
        .tls_insecure = !params->tls_verify,
        .urgent = urgent,
        .rate = (unsigned int)params->rate,
        .connect_ms = params->connect_ms,
        .request_ms = params->request_ms,
    };
}

int cloud_params_check(const struct cloud_params *params, struct cloud_failure *failure)
{
    struct cloud_config config;

    /* A key in a parameter would stand in the CIB, in every log of it and in the environment of each action. */
    if (params->key_id || params->key_secret) {
        *failure = (struct cloud_failure){ .error = CLOUD_INVALID };
        (void)text_copy(failure->text, sizeof(failure->text), "access_key and secret_key are not taken from the configuration: put the key into a file of mode "
                                                              "0600 and name it by credentials, or give the instance a role");
        return -EINVAL;
    }
    cloud_params_config(params, false, &config);
    return cloud_config_check(&config, failure);
}

const char *cloud_params_hazard(const struct cloud_params *params)
{
    if (!params->tls_verify)
        return "tls_verify=false: the cloud's answers, an \"off\" among them, could be forged by anybody on the way";
    if (params->endpoints && strstr(params->endpoints, "=http://"))
        return "endpoints has an http:// URL: the cloud's answers, an \"off\" among them, could be forged by anybody on the way";
    return NULL;
}

int cloud_params_open(const struct cloud_params *params, bool urgent, struct deadline deadline, struct cloud **ret,
                      struct cloud_failure *failure)
{
    struct cloud_config config;

    cloud_params_config(params, urgent, &config);
    return cloud_open(&config, deadline, ret, failure);
}

int cloud_id_check(const char *text, struct text_buffer *why)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (text[0] != '\0' && text[0] != '-' && text[strspn(text, allowed)] == '\0' && strlen(text) < CLOUD_ID_SIZE)
        return 0;
    text_buffer_printf(why, "an id as the cloud writes it is wanted: letters, digits, '-' and '_', at most %d", CLOUD_ID_SIZE - 1);
    return -EINVAL;
}
