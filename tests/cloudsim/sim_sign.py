# SPDX-License-Identifier: GPL-2.0-or-later
"""The clouds' request signatures as a server checks them; written from the vendors' pages, apart from lib/cloud.

Each check takes a Request (method, target as on the wire, headers in order, body) and a function that finds the secret of a key; it returns
a Signed, or raises BadSignature with what is wrong: missing, unknown-key, mismatch, skew, nonce, token, token-expired, not-signed, body.
"""
import base64
import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import quote, unquote, unquote_plus


class BadSignature(Exception):
    def __init__(self, problem, detail=""):
        super().__init__(problem)
        self.problem, self.detail = problem, detail


class Signed:
    def __init__(self, scheme, key, headers=(), service="", region=""):
        self.scheme, self.key, self.signed, self.service, self.region = scheme, key, tuple(headers), service, region


def sha256_hex(data):
    return hashlib.sha256(data).hexdigest()


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def encode(text):
    """RFC 3986: all but letters, digits, - . _ ~ as UTF-8 bytes."""
    return quote(text, safe="-_.~")


def query_pairs(query, plus_is_space=False):
    decode = unquote_plus if plus_is_space else unquote
    pairs = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        pairs.append((decode(name), decode(value)))
    return pairs


def sorted_query(query):
    return "&".join("%s=%s" % pair for pair in sorted((encode(n), encode(v)) for n, v in query_pairs(query)))


def split_target(target):
    path, _, query = target.partition("?")
    return path, query


def fields_of(text):
    """Credential=..., SignedHeaders=..., Signature=...; with or without blanks behind the commas."""
    return dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)


def check_skew(stamp, form, limit, now):
    try:
        then = calendar.timegm(time.strptime(stamp, form))
    except ValueError:
        raise BadSignature("skew", stamp) from None
    if abs(now - then) > limit:
        raise BadSignature("skew", stamp)
    return then


def compare(expected, given):
    if not hmac.compare_digest(str(expected), str(given)):
        raise BadSignature("mismatch")


def header_lines(request, names, squeeze=False):
    lines = ""
    for name in names:
        values = request.all_headers(name)
        if not values:
            raise BadSignature("not-signed", name + " is named and not there")
        text = ",".join(value.strip() for value in values)
        lines += "%s:%s\n" % (name, re.sub(" +", " ", text) if squeeze else text)
    return lines


def must_sign(signed, request, prefixes, names=("host",)):
    """The headers that a cloud demands to be part of the signature, when they are there."""
    for name, _ in request.headers:
        name = name.lower()
        if (name in names or name.startswith(tuple(prefixes))) and name not in signed:
            raise BadSignature("not-signed", name)


# --- AWS: Signature Version 4 ---

def check_sigv4(request, secret_of, now):
    scheme, _, rest = (request.header("authorization") or "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        raise BadSignature("missing")
    fields = fields_of(rest)
    try:
        key, date, region, service, end = fields["Credential"].split("/")
        names, given = fields["SignedHeaders"].split(";"), fields["Signature"]
    except (KeyError, ValueError):
        raise BadSignature("missing", "incomplete Authorization") from None
    stamp = request.header("x-amz-date") or ""
    check_skew(stamp, "%Y%m%dT%H%M%SZ", 300, now)
    if end != "aws4_request" or stamp[:8] != date:
        raise BadSignature("mismatch", "scope")
    secret = secret_of("aws", key, request.header("x-amz-security-token"))
    must_sign(names, request, ["x-amz-"])
    if names != sorted(names) or "host" not in names:
        raise BadSignature("not-signed", "host, or not in order")
    path, query = split_target(request.target)
    # Outside of S3 the path is encoded once more than on the wire.
    canonical = "\n".join([request.method, quote(path or "/", safe="/-_.~"), sorted_query(query), header_lines(request, names, True),
                           ";".join(names), request.header("x-amz-content-sha256") or sha256_hex(request.body)])
    if request.header("x-amz-content-sha256") not in (None, sha256_hex(request.body)):
        raise BadSignature("body")
    scope = "/".join([date, region, service, end])
    text = "\n".join([scheme, stamp, scope, sha256_hex(canonical.encode())])
    step = ("AWS4" + secret).encode()
    for word in (date, region, service, end):
        step = hmac256(step, word)
    compare(hmac256(step, text).hex(), given)
    return Signed("sigv4", key, names, service, region)


# --- Aliyun: ACS3-HMAC-SHA256, and version 1 (HMAC-SHA1 over the parameters) ---

def check_acs3(request, secret_of, now):
    scheme, _, rest = (request.header("authorization") or "").partition(" ")
    if scheme != "ACS3-HMAC-SHA256":
        raise BadSignature("missing")
    fields = fields_of(rest)
    try:
        key, names, given = fields["Credential"], fields["SignedHeaders"].split(";"), fields["Signature"]
    except KeyError:
        raise BadSignature("missing", "incomplete Authorization") from None
    check_skew(request.header("x-acs-date") or "", "%Y-%m-%dT%H:%M:%SZ", 900, now)
    secret = secret_of("aliyun", key, request.header("x-acs-security-token"))
    must_sign(names, request, ["x-acs-"], ("host", "content-type"))
    digest = sha256_hex(request.body)
    if request.header("x-acs-content-sha256") != digest:
        raise BadSignature("body")
    path, query = split_target(request.target)
    canonical = "\n".join([request.method, path or "/", sorted_query(query), header_lines(request, names), ";".join(names), digest])
    compare(hmac256(secret.encode(), scheme + "\n" + sha256_hex(canonical.encode())).hex(), given)
    return Signed("acs3", key, names)


def check_aliyun_v1(request, secret_of, now):
    pairs = query_pairs(split_target(request.target)[1], True)
    if request.body:
        pairs += query_pairs(request.body.decode("utf-8", "replace"), True)
    fields = dict(pairs)
    if "Signature" not in fields or fields.get("SignatureMethod") != "HMAC-SHA1" or len(fields) != len(pairs):
        raise BadSignature("missing")
    check_skew(fields.get("Timestamp", ""), "%Y-%m-%dT%H:%M:%SZ", 900, now)
    secret = secret_of("aliyun", fields.get("AccessKeyId", ""), fields.get("SecurityToken"))
    canonical = "&".join("%s=%s" % pair for pair in sorted((encode(n), encode(v)) for n, v in pairs if n != "Signature"))
    text = "%s&%%2F&%s" % (request.method, encode(canonical))
    digest = hmac.new((secret + "&").encode(), text.encode(), hashlib.sha1).digest()
    compare(base64.b64encode(digest).decode(), fields["Signature"])
    return Signed("aliyun-v1", fields["AccessKeyId"])


# --- Tencent Cloud: TC3-HMAC-SHA256 ---

def check_tc3(request, secret_of, now):
    scheme, _, rest = (request.header("authorization") or "").partition(" ")
    if scheme != "TC3-HMAC-SHA256":
        raise BadSignature("missing")
    fields = fields_of(rest)
    try:
        key, date, service, end = fields["Credential"].split("/")
        names, given = fields["SignedHeaders"].split(";"), fields["Signature"]
        stamp = int(request.header("x-tc-timestamp") or "")
    except (KeyError, ValueError):
        raise BadSignature("missing", "incomplete Authorization") from None
    if abs(now - stamp) > 300:
        raise BadSignature("skew", str(stamp))
    if end != "tc3_request" or time.strftime("%Y-%m-%d", time.gmtime(stamp)) != date:
        raise BadSignature("mismatch", "scope")
    secret = secret_of("tencent", key, request.header("x-tc-token"))
    if "content-type" not in names or "host" not in names:
        raise BadSignature("not-signed", "content-type and host")
    # Host and X-TC-Action are signed in lower case; other values, too.
    lines = "".join("%s:%s\n" % (name, (request.header(name) or "").strip().lower()) for name in names)
    path, query = split_target(request.target)
    canonical = "\n".join([request.method, path or "/", query, lines, ";".join(names), sha256_hex(request.body)])
    scope = "/".join([date, service, end])
    text = "\n".join([scheme, str(stamp), scope, sha256_hex(canonical.encode())])
    step = ("TC3" + secret).encode()
    for word in (date, service, end):
        step = hmac256(step, word)
    compare(hmac256(step, text).hex(), given)
    return Signed("tc3", key, names, service, request.header("x-tc-region") or "")


# --- Huawei Cloud: SDK-HMAC-SHA256 ---

def check_huawei(request, secret_of, now):
    scheme, _, rest = (request.header("authorization") or "").partition(" ")
    if scheme != "SDK-HMAC-SHA256":
        raise BadSignature("missing")
    fields = fields_of(rest)
    try:
        key, names, given = fields["Access"], fields["SignedHeaders"].split(";"), fields["Signature"]
    except KeyError:
        raise BadSignature("missing", "incomplete Authorization") from None
    stamp = request.header("x-sdk-date") or ""
    check_skew(stamp, "%Y%m%dT%H%M%SZ", 900, now)
    if "x-sdk-date" not in names:
        raise BadSignature("not-signed", "x-sdk-date")
    secret = secret_of("huawei", key, request.header("x-security-token"))
    path, query = split_target(request.target)
    path = "/".join(encode(unquote(part)) for part in path.split("/"))
    path = path if path.endswith("/") else path + "/"
    digest = request.header("x-sdk-content-sha256") or sha256_hex(request.body)
    if digest not in (sha256_hex(request.body), "UNSIGNED-PAYLOAD"):
        raise BadSignature("body")
    canonical = "\n".join([request.method, path, sorted_query(query), header_lines(request, names), ";".join(names), digest])
    text = "\n".join([scheme, stamp, sha256_hex(canonical.encode())])
    compare(hmac256(secret.encode(), text).hex(), given)
    return Signed("sdk-hmac", key, names)


SCHEMES = {
    "AWS4-HMAC-SHA256": ("aws", check_sigv4), "ACS3-HMAC-SHA256": ("aliyun", check_acs3),
    "TC3-HMAC-SHA256": ("tencent", check_tc3), "SDK-HMAC-SHA256": ("huawei", check_huawei),
}


def scheme_of(request):
    """The cloud that a request is meant for, and the check of its signature; None for one that bears no signature."""
    word = (request.header("authorization") or "").partition(" ")[0]
    if word in SCHEMES:
        return SCHEMES[word]
    if "SignatureMethod=HMAC-SHA1" in request.target or b"SignatureMethod=HMAC-SHA1" in request.body:
        return "aliyun", check_aliyun_v1
    return None
