/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_SIGNING_H
#define VIGIL_CLOUD_SIGNING_H
/*
 * The four ways in which the clouds want requests signed. Each is a function of the request, the keys and the time alone.
 *
 * Sources: "AWS Signature Version 4 for API requests" (docs.aws.amazon.com, IAM User Guide); "V3 request structure and signature" and "Request
 * signature" of the RPC style (help.aliyun.com, ECS); "Signature v3" (cloud.tencent.com, API 3.0); "API Signing Guide"
 * (support.huaweicloud.com).
 */
#include <stdint.h>

#include "cloud/parameters.h"

/* What is signed. Headers are those that are sent; values are used as they are but for outer blanks and runs of blanks. */
struct signing_request {
    const char *method;
    const char *path;  /* as on the wire, percent-encoded, without the query; begins with '/' */
    const char *query; /* as on the wire, without '?'; "" where there is none */
    const char *body;  /* "" where there is none */
    size_t body_length;
    struct parameters *headers;
};

struct signing_keys {
    const char *access;
    const char *secret;
};

/* Each appends the Authorization header's value to `authorization`. signed_headers: names in lower case, sorted, separated by ';' (all of
 * them must be among the headers), or NULL for all of the headers there are. Return 0, -EINVAL (a header that is missing), -ENOMEM, -ELIBACC, -EIO. */

/* AWS. date: "20150830T123600Z" as in X-Amz-Date; the path is encoded a second time, as everywhere but in S3. */
int sign_aws_v4(const struct signing_request *request, const struct signing_keys *keys, const char *date, const char *region,
                const char *service, const char *signed_headers, struct text_buffer *authorization);

/* Aliyun V3: needs the header x-acs-content-sha256. Without signed_headers: host, content-type and x-acs-*. */
int sign_aliyun_v3(const struct signing_request *request, const struct signing_keys *keys, const char *signed_headers,
                   struct text_buffer *authorization);

/* Aliyun V1 (RPC): the base64 signature of all parameters, to be sent as the parameter Signature. parameters are sorted by this call. */
int sign_aliyun_v1(const char *method, struct parameters *parameters, const struct signing_keys *keys,
                   char signature[64]);

/* Tencent Cloud. timestamp: seconds since 1970, as in X-TC-Timestamp. */
int sign_tencent_v3(const struct signing_request *request, const struct signing_keys *keys, int64_t timestamp,
                    const char *service, const char *signed_headers, struct text_buffer *authorization);

/* Huawei Cloud: needs the header X-Sdk-Date. */
int sign_huawei(const struct signing_request *request, const struct signing_keys *keys, const char *signed_headers,
                struct text_buffer *authorization);

#endif
