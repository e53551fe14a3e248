/* SPDX-License-Identifier: MIT */
/* request.c - which mechanism a request uses, and what its body will be.
 *
 *   evidence -> one mechanism? -> read the claim -> payload mode -> verify
 *
 * Without credentials nothing is verified, but presigned URLs must still be well-formed and
 * alive, and the payload mode still tells how to decode the body. */
#include "auth/failure.h"
#include "auth/sigv2.h"
#include "auth/sigv4.h"

/* ---- how the body comes ------------------------------------------------------------ */

#define MODE(text, mode)                                                                       \
    {                                                                                          \
        {text, sizeof(text) - 1}, mode                                                         \
    }

static const struct {
    struct str value;
    enum payload_mode mode;
} payload_modes[] = {
    MODE(UNSIGNED_PAYLOAD, PAYLOAD_UNSIGNED),
    MODE("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PAYLOAD_CHUNKED_SIGNED),
    MODE("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PAYLOAD_CHUNKED_SIGNED_TRAILER),
    MODE("STREAMING-UNSIGNED-PAYLOAD-TRAILER", PAYLOAD_CHUNKED_UNSIGNED_TRAILER),
};

static bool is_aws_chunked(const struct evidence *e)
{
    struct str codings = e->seen[SEEN_CONTENT_ENCODING], coding;
    while (str_split(&codings, ',', &coding))
        if (str_eq_nocase(str_trim(coding), STR("aws-chunked")))
            return true;
    return false;
}

static enum s3_err sigv4a_refused(struct auth_failure *failure, struct str header)
{
    failure_start(failure, S3_NOT_IMPLEMENTED, KiB(1));
    failure_field(failure, STR("Header"), header);
    return S3_NOT_IMPLEMENTED;
}

static enum s3_err invalid_payload_hash(struct auth_failure *failure, struct str value)
{
    return failure_argument(
        failure, STR("x-amz-content-sha256"), value,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 "
        "value.");
}

static enum s3_err find_payload_mode(struct auth_result *out, struct auth_failure *failure,
                                     const struct evidence *e)
{
    struct str value = e->seen[SEEN_CONTENT_SHA256];
    if (out->kind == AUTH_V4_QUERY && e->seen[SEEN_Q_CONTENT_SHA256].ptr)
        value = e->seen[SEEN_Q_CONTENT_SHA256];
    if (!value.ptr) {
        /* Clients that frame the body without saying so in x-amz-content-sha256. */
        out->payload = e->seen[SEEN_DECODED_LENGTH].ptr && is_aws_chunked(e)
                           ? PAYLOAD_CHUNKED_UNSIGNED_TRAILER
                           : PAYLOAD_PLAIN;
        return S3_OK;
    }
    if (hex_decode_exact(value, out->payload_sha256, SHA256_SIZE)) {
        out->payload = PAYLOAD_SIGNED_HASH;
        return S3_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(payload_modes); i++) {
        if (!str_eq(value, payload_modes[i].value))
            continue;
        out->payload = payload_modes[i].mode;
        if (out->payload == PAYLOAD_UNSIGNED && is_aws_chunked(e))
            return failure_argument(failure, STR("Content-Encoding"),
                                    e->seen[SEEN_CONTENT_ENCODING],
                                    "aws-chunked encoding is not supported when "
                                    "x-amz-content-sha256 UNSIGNED-PAYLOAD is supplied.");
        return S3_OK;
    }
    if (str_has_prefix(value, STR("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")))
        return sigv4a_refused(failure, STR("x-amz-content-sha256"));
    /* Only SigV4's header needs it. Elsewhere it is no more than a digest that no body has; of
     * a GET it is not looked at (Swift's tests, which run against Amazon too:
     * test_input_errors.py, NotV4AuthHeadersMixin, test_*_invalid_sha). */
    if (out->kind == AUTH_V4_QUERY || out->kind == AUTH_V2_HEADER ||
        out->kind == AUTH_V2_QUERY) {
        out->payload = PAYLOAD_SIGNED_HASH;
        memset(out->payload_sha256, 0, SHA256_SIZE);
        return S3_OK;
    }
    return invalid_payload_hash(failure, value);
}

/* ---- which mechanism --------------------------------------------------------------- */

static bool is_presigned_v4(const struct evidence *e)
{
    return e->seen[SEEN_Q_ALGORITHM].ptr || e->seen[SEEN_Q_CREDENTIAL].ptr ||
           e->seen[SEEN_Q_EXPIRES].ptr || e->seen[SEEN_Q_SIGNED_HEADERS].ptr ||
           e->seen[SEEN_Q_SIGNATURE].ptr;
}

static bool is_presigned_v2(const struct evidence *e)
{
    return e->seen[SEEN_Q_V2_KEY].ptr || e->seen[SEEN_Q_V2_SIGNATURE].ptr;
}

static enum s3_err check_one_mechanism(struct auth_failure *failure, const struct evidence *e)
{
    size_t mechanisms = e->authorizations + (e->seen[SEEN_Q_ALGORITHM].ptr != NULL) +
                        (e->seen[SEEN_Q_V2_SIGNATURE].ptr != NULL);
    if (mechanisms <= 1)
        return S3_OK;
    return failure_argument(failure, STR("Authorization"), e->seen[SEEN_AUTHORIZATION],
                            "Only one auth mechanism allowed; only the X-Amz-Algorithm query "
                            "parameter, Signature query string parameter or the Authorization "
                            "header should be specified");
}

static bool is_post_form(const struct evidence *e)
{
    return str_eq(e->req->method, STR("POST")) &&
           str_has_prefix_nocase(e->seen[SEEN_CONTENT_TYPE], STR("multipart/form-data"));
}

static enum auth_kind find_kind(const struct evidence *e)
{
    struct str authorization = e->seen[SEEN_AUTHORIZATION];
    if (str_has_prefix(authorization, STR(SIGV4_ALGORITHM " ")))
        return AUTH_V4_HEADER;
    if (str_has_prefix(authorization, STR("AWS ")))
        return AUTH_V2_HEADER;
    if (authorization.ptr)
        return AUTH_ANONYMOUS;
    if (is_presigned_v4(e))
        return AUTH_V4_QUERY;
    if (is_presigned_v2(e))
        return AUTH_V2_QUERY;
    return is_post_form(e) ? AUTH_POST_FORM : AUTH_ANONYMOUS;
}

/* An Authorization header that is no signature of ours. */
static enum s3_err unknown_authorization(struct auth_failure *failure, struct str value)
{
    return failure_argument(failure, STR("Authorization"), value,
                            str_find_char(value, ' ') == SIZE_MAX
                                ? "Authorization header is invalid -- one and only one ' ' "
                                  "(space) required."
                                : "Unsupported Authorization Type");
}

static void keep_access_key(struct auth_result *out, struct str access_key)
{
    size_t len =
        access_key.len < sizeof(out->access_key) ? access_key.len : sizeof(out->access_key) - 1;
    if (len)
        memcpy(out->access_key, access_key.ptr, len);
    out->access_key[len] = '\0';
}

static enum s3_err authenticate_v4(struct auth_result *out, struct auth_failure *failure,
                                   const struct auth_config *config, const struct evidence *e)
{
    struct sigv4_claim claim;
    bool presigned = out->kind == AUTH_V4_QUERY;
    enum s3_err err = presigned ? sigv4_read_query(&claim, failure, e)
                                : sigv4_read_header(&claim, failure, e);
    keep_access_key(out, claim.credential.access_key);
    if (!config->credentials && !presigned)
        err = S3_OK;
    if (!err && config->credentials && !presigned && !e->seen[SEEN_CONTENT_SHA256].ptr)
        err = failure_set(failure, S3_INVALID_REQUEST,
                          "Missing required header for this request: x-amz-content-sha256");
    if (!err)
        err = find_payload_mode(out, failure, e);
    if (!err && config->credentials)
        err = sigv4_verify(out, failure, config, e, &claim);
    return err;
}

static enum s3_err authenticate_v2(struct auth_result *out, struct auth_failure *failure,
                                   const struct auth_config *config, const struct evidence *e)
{
    struct sigv2_claim claim;
    bool presigned = out->kind == AUTH_V2_QUERY;
    enum s3_err err = presigned ? sigv2_read_query(&claim, failure, e)
                                : sigv2_read_header(&claim, failure, e);
    keep_access_key(out, claim.access_key);
    if (!config->credentials && !presigned)
        err = S3_OK;
    if (!err)
        err = find_payload_mode(out, failure, e);
    if (!err && config->credentials)
        err = sigv2_verify(out, failure, config, e, &claim);
    return err;
}

static enum s3_err authenticate(struct auth_result *out, struct auth_failure *failure,
                                const struct auth_config *config, const struct evidence *e)
{
    struct str authorization = e->seen[SEEN_AUTHORIZATION];
    enum s3_err err = check_one_mechanism(failure, e);
    if (err)
        return err;
    if (str_has_prefix(authorization, STR(SIGV4A_ALGORITHM)))
        return sigv4a_refused(failure, STR("Authorization"));
    if (str_eq(e->seen[SEEN_Q_ALGORITHM], STR(SIGV4A_ALGORITHM)))
        return sigv4a_refused(failure, STR("X-Amz-Algorithm"));
    out->kind = find_kind(e);
    switch (out->kind) {
    case AUTH_V4_HEADER:
    case AUTH_V4_QUERY:
        return authenticate_v4(out, failure, config, e);
    case AUTH_V2_HEADER:
    case AUTH_V2_QUERY:
        return authenticate_v2(out, failure, config, e);
    case AUTH_ANONYMOUS:
    case AUTH_POST_FORM:
        break;
    }
    if (authorization.ptr && config->credentials)
        return unknown_authorization(failure, authorization);
    return find_payload_mode(out, failure, e);
}

enum s3_err auth_request(struct auth_result *out, struct auth_failure *failure,
                         const struct auth_config *config, const struct request *req,
                         struct str virtual_bucket)
{
    struct evidence e;
    auth_result_init(out);
    evidence_collect(&e, req, virtual_bucket, config->now_ns ? config->now_ns : clock_now_ns());
    enum s3_err err = authenticate(out, failure, config, &e);
    if (err)
        out->credential = NULL;
    else
        failure_start(failure, S3_OK, 0); /* what open mode forgave is no failure */
    evidence_release(&e);
    return err;
}

void auth_result_init(struct auth_result *r)
{
    /* Field by field: each request passes here, and most of this is said of chunks only. */
    r->kind = AUTH_ANONYMOUS;
    r->credential = NULL;
    r->access_key[0] = '\0';
    r->payload = PAYLOAD_PLAIN;
    r->verify_chunks = false;
    r->canonical = (struct buf){0};
}

void auth_result_wipe(struct auth_result *r)
{
    buf_release(&r->canonical);
    if (r->verify_chunks)
        mem_wipe(r->signing_key, sizeof(r->signing_key));
    auth_result_init(r);
}
