/* SPDX-License-Identifier: MIT */
/* sigv2.c - AWS Signature Version 2.
 * Source: AWS "Signing and authenticating REST requests" (Signature Version 2). */
#include "auth/sigv2.h"

#include <stdlib.h>

#include "auth/canonical.h"
#include "auth/failure.h"
#include "auth/sigv4.h"
#include "auth/times.h"

#define HMAC_SHA1_SIZE 20
#define ON_STACK       48

/* ---- reading the claim ------------------------------------------------------------- */

enum s3_err sigv2_read_header(struct sigv2_claim *out, struct auth_failure *failure,
                              const struct evidence *e)
{
    struct str text = e->seen[SEEN_AUTHORIZATION];
    struct str claim = str_from(text, sizeof("AWS ") - 1);
    *out = (struct sigv2_claim){.access_key = STR("")};
    if (str_find_char(claim, ' ') != SIZE_MAX)
        return failure_argument(failure, STR("Authorization"), text,
                                "Authorization header is invalid -- one and only one ' ' "
                                "(space) required.");
    size_t colon = str_find_char(claim, ':');
    if (colon == SIZE_MAX || colon == 0)
        return failure_argument(failure, STR("Authorization"), text,
                                "AWS authorization header is invalid.  Expected "
                                "AwsAccessKeyId:signature");
    out->access_key = str_of(claim.ptr, colon);
    out->signature = str_from(claim, colon + 1);
    /* x-amz-date is among the x-amz- headers and leaves the date line empty. */
    out->date = e->seen[SEEN_AMZ_DATE].ptr ? STR("") : e->seen[SEEN_DATE];
    return S3_OK;
}

enum s3_err sigv2_read_query(struct sigv2_claim *out, struct auth_failure *failure,
                             const struct evidence *e)
{
    struct str expires = e->seen[SEEN_Q_V2_EXPIRES];
    *out = (struct sigv2_claim){.presigned = true,
                                .access_key = e->seen[SEEN_Q_V2_KEY],
                                .signature = e->seen[SEEN_Q_V2_SIGNATURE],
                                .date = expires};
    if (!out->access_key.len || !out->signature.len || !expires.len)
        return failure_set(failure, S3_ACCESS_DENIED,
                           "Query-string authentication requires the Signature, Expires and "
                           "AWSAccessKeyId parameters");
    uint64_t end_s;
    if (!str_to_u64(expires, &end_s))
        return failure_set(failure, S3_ACCESS_DENIED,
                           "Invalid date (should be seconds since epoch): %.*s",
                           (int)(expires.len > 64 ? 64 : expires.len), expires.ptr);
    if (end_s > (uint64_t)(INT64_MAX / NS_PER_S) || e->now_ns <= (int64_t)end_s * NS_PER_S)
        return S3_OK;
    char end[TIME_TEXT_SIZE], now[TIME_TEXT_SIZE];
    failure_set(failure, S3_ACCESS_DENIED, "Request has expired");
    failure_field(failure, STR("Expires"), time_text((int64_t)end_s * NS_PER_S, end));
    failure_field(failure, STR("ServerTime"), time_text(e->now_ns, now));
    return S3_ACCESS_DENIED;
}

/* ---- the string to sign ------------------------------------------------------------ */

/* A named value that goes into the string to sign, in `order` among its equals. */
struct item {
    struct str name, value;
    bool has_value;
    size_t order;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int compare_ignoring_case(struct str a, struct str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int order = (unsigned char)lower(a.ptr[i]) - (unsigned char)lower(b.ptr[i]);
        if (order)
            return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_headers(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = compare_ignoring_case(x->name, y->name);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int compare_resources(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Query parameters that name another resource. Source: AWS, CanonicalizedResource; botocore's
 * list for the later ones. */
bool auth_v2_signs_parameter(struct str name)
{
    static const char *const names[] = {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    };
    size_t low = 0, high = ARRAY_LEN(names); /* sorted */
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_cmp(str_c(names[middle]), name);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* The decoded form of a query value, kept in scratch, which was reserved for the whole query.
 */
static struct str decoded(struct buf *scratch, struct str escaped)
{
    size_t from = scratch->len;
    if (!buf_add_unescaped(scratch, escaped, true) || scratch->len == from)
        return STR("");
    return str_from(buf_str(scratch), from);
}

/* By name and, among its equals, value: first headers, then parameters. */
static int compare_values(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = compare_ignoring_case(x->name, y->name);
    order = order ? order : str_cmp(x->value, y->value);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Some clients send what was hoisted into the URL as a header too: that counts once. The first
 * `headers` of the n items came as headers. Returns how many are left. */
static size_t drop_sent_as_header(struct item *items, size_t headers, size_t n)
{
    const struct item *header = NULL;
    size_t left = 0;
    qsort(items, n, sizeof(*items), compare_values);
    for (size_t i = 0; i < n; i++) {
        if (items[i].order < headers)
            header = &items[i];
        else if (header && compare_ignoring_case(header->name, items[i].name) == 0 &&
                 str_eq(header->value, items[i].value))
            continue;
        struct item kept = items[i];
        if (header == &items[i])
            header = &items[left];
        items[left++] = kept;
    }
    return left;
}

/* x-amz-* of the headers and, for presigned URLs, of the query: SDKs hoist them there. */
static size_t collect_headers(const struct evidence *e, bool presigned, struct item *items,
                              struct buf *scratch)
{
    size_t n = 0;
    for (size_t i = 0; i < e->req->header_count; i++) {
        const struct header *h = &e->req->headers[i];
        if (str_has_prefix_nocase(h->name, STR("x-amz-"))) {
            items[n] = (struct item){h->name, str_trim(h->value), true, n};
            n++;
        }
    }
    size_t headers = n;
    struct str query = presigned ? e->req->query : STR_NONE;
    struct query_part part;
    while (query_next(&query, &part)) {
        if (!str_has_prefix_nocase(part.name, STR("x-amz-")))
            continue;
        items[n] = (struct item){part.name, decoded(scratch, part.value), true, n};
        n++;
    }
    if (n > headers && headers > 0)
        n = drop_sent_as_header(items, headers, n);
    qsort(items, n, sizeof(*items), compare_headers);
    return n;
}

static void add_headers(struct buf *out, const struct item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i && compare_ignoring_case(items[i - 1].name, items[i].name) == 0) {
            out->len--; /* the newline of the value before */
            buf_add_char(out, ',');
        } else {
            for (size_t c = 0; c < items[i].name.len; c++)
                buf_add_char(out, lower(items[i].name.ptr[c]));
            buf_add_char(out, ':');
        }
        buf_add(out, items[i].value);
        buf_add_char(out, '\n');
        if (!buf_ok(out))
            return;
    }
}

static size_t collect_resources(const struct evidence *e, struct item *items,
                                struct buf *scratch)
{
    size_t n = 0;
    struct str query = e->req->query;
    struct query_part part;
    while (query_next(&query, &part)) {
        if (!auth_v2_signs_parameter(part.name))
            continue;
        items[n] = (struct item){part.name, decoded(scratch, part.value), part.has_value, n};
        n++;
    }
    qsort(items, n, sizeof(*items), compare_resources);
    return n;
}

/* In which clients differ: what they sign for "?acl=" and for a path that is only a bucket. */
enum reading {
    EMPTY_IS_BARE = 1, /* "?acl=" counts as "?acl" */
    PATH_AS_SENT = 2,  /* "/bucket" stays; else it counts as "/bucket/", as botocore signs it */
    ALL_READINGS = 4
};

static void add_path(struct buf *out, const struct evidence *e, unsigned reading)
{
    struct str path = canonical_path(e->req);
    if (e->virtual_bucket.len) {
        buf_add_char(out, '/');
        buf_add(out, e->virtual_bucket);
    }
    buf_add(out, path);
    if (!e->virtual_bucket.len && !(reading & PATH_AS_SENT) && path.len > 1 &&
        str_find_char(str_from(path, 1), '/') == SIZE_MAX)
        buf_add_char(out, '/');
}

static void add_resource(struct buf *out, const struct evidence *e, const struct item *items,
                         size_t n, unsigned reading)
{
    add_path(out, e, reading);
    for (size_t i = 0; i < n; i++) {
        buf_add_char(out, i ? '&' : '?');
        buf_add(out, items[i].name);
        if (items[i].value.len || (items[i].has_value && !(reading & EMPTY_IS_BARE))) {
            buf_add_char(out, '=');
            buf_add(out, items[i].value);
        }
    }
}

static void add_line(struct buf *out, struct str text)
{
    buf_add(out, text);
    buf_add_char(out, '\n');
}

/* A presigned URL may carry Content-Type and Content-MD5 in its query instead (botocore does).
 */
static struct str plain_header(const struct evidence *e, enum evidence_id id, struct str name,
                               bool presigned, struct buf *scratch)
{
    if (e->seen[id].ptr || !presigned)
        return e->seen[id];
    struct str query = e->req->query;
    struct query_part part;
    while (query_next(&query, &part))
        if (str_eq_nocase(part.name, name))
            return decoded(scratch, part.value);
    return STR("");
}

static void string_to_sign(struct buf *out, const struct evidence *e,
                           const struct sigv2_claim *claim, struct item *items,
                           unsigned reading)
{
    /* Each value is decoded once at most, and never grows: the reserved bytes do not move. */
    AUTO_BUF(scratch, e->req->query.len + 1);
    if (!buf_reserve(&scratch, e->req->query.len + 1)) {
        out->failed = true;
        return;
    }
    add_line(out, e->req->method);
    add_line(out,
             plain_header(e, SEEN_CONTENT_MD5, STR("content-md5"), claim->presigned, &scratch));
    add_line(out, plain_header(e, SEEN_CONTENT_TYPE, STR("content-type"), claim->presigned,
                               &scratch));
    add_line(out, claim->date);
    size_t n = collect_headers(e, claim->presigned, items, &scratch);
    add_headers(out, items, n);
    n = collect_resources(e, items, &scratch);
    add_resource(out, e, items, n, reading);
}

/* ---- verification ------------------------------------------------------------------ */

void sigv2_sign(struct str secret, struct str text, char out[SIGV2_SIGNATURE_LEN])
{
    uint8_t mac[HMAC_SHA1_SIZE];
    hmac_sha1(secret, text, mac);
    AUTO_BUF(base64, KiB(1));
    buf_add_base64(&base64, str_of((const char *)mac, sizeof(mac)));
    memset(out, 0, SIGV2_SIGNATURE_LEN);
    if (base64.len == SIGV2_SIGNATURE_LEN)
        memcpy(out, base64.ptr, SIGV2_SIGNATURE_LEN);
}

static bool matches(struct str secret, struct str text, struct str provided)
{
    char signature[SIGV2_SIGNATURE_LEN];
    sigv2_sign(secret, text, signature);
    return str_eq_constant_time(str_of(signature, sizeof(signature)), provided);
}

static enum s3_err check_time(const struct evidence *e, const struct sigv2_claim *claim,
                              struct auth_failure *failure)
{
    if (claim->presigned)
        return S3_OK;
    struct str text = e->seen[SEEN_AMZ_DATE].ptr ? e->seen[SEEN_AMZ_DATE] : e->seen[SEEN_DATE];
    int64_t time_ns;
    if (!time_parse(text, &time_ns))
        return failure_set(failure, S3_ACCESS_DENIED,
                           "AWS authentication requires a valid Date or x-amz-date header");
    if (time_is_skewed(time_ns, e->now_ns))
        return failure_skewed(failure, text, e->now_ns);
    return S3_OK;
}

static enum s3_err check_signature(const struct credential *credential,
                                   const struct evidence *e, const struct sigv2_claim *claim,
                                   struct item *items, struct auth_failure *failure)
{
    struct str secret = str_c(credential->secret_key);
    AUTO_BUF(text, MiB(1));
    AUTO_BUF(other, MiB(1));
    string_to_sign(&text, e, claim, items, 0);
    if (!buf_ok(&text))
        return failure_start(failure, S3_SLOW_DOWN, 0);
    if (matches(secret, buf_str(&text), claim->signature))
        return S3_OK;
    for (unsigned reading = 1; reading < ALL_READINGS; reading++) {
        buf_reset(&other);
        string_to_sign(&other, e, claim, items, reading);
        if (buf_ok(&other) && matches(secret, buf_str(&other), claim->signature))
            return S3_OK;
    }
    return failure_signature(failure, claim->access_key, buf_str(&text), claim->signature,
                             STR_NONE);
}

/* The most items that headers or query can give. */
static size_t item_limit(const struct request *req)
{
    size_t n = req->header_count + 1;
    for (size_t i = 0; i < req->query.len; i++)
        n += req->query.ptr[i] == '&';
    return n;
}

/* SigV2 signs x-amz-* headers only. */
static enum s3_err check_own_headers(const struct request *req, struct auth_failure *failure)
{
    for (size_t i = 0; i < req->header_count; i++) {
        struct str name = req->headers[i].name;
        if (auth_is_own_header(name))
            return failure_set(failure, S3_ACCESS_DENIED,
                               "AWS Signature Version 2 does not cover the header %.*s; sign "
                               "the request with version 4",
                               (int)(name.len > 64 ? 64 : name.len), name.ptr);
    }
    return S3_OK;
}

enum s3_err sigv2_verify(struct auth_result *out, struct auth_failure *failure,
                         const struct auth_config *config, const struct evidence *e,
                         const struct sigv2_claim *claim)
{
    struct str token = e->seen[SEEN_TOKEN];
    AUTO_BUF(scratch, MiB(1));
    struct str query = claim->presigned && !token.ptr ? e->req->query : STR_NONE;
    struct query_part part;
    while (query_next(&query, &part))
        if (str_eq_nocase(part.name, STR("x-amz-security-token")))
            token = decoded(&scratch, part.value);
    enum s3_err err = credential_check(&out->credential, failure, config->credentials,
                                       claim->access_key, token);
    if (!err)
        err = check_time(e, claim, failure);
    if (!err)
        err = check_own_headers(e->req, failure);
    if (err)
        return err;
    size_t limit = item_limit(e->req);
    if (limit <= ON_STACK) {
        struct item items[ON_STACK];
        return check_signature(out->credential, e, claim, items, failure);
    }
    struct item *items = try_malloc(limit * sizeof(*items));
    err = items ? check_signature(out->credential, e, claim, items, failure)
                : failure_start(failure, S3_SLOW_DOWN, 0);
    mem_free(items);
    return err;
}
