/* SPDX-License-Identifier: MIT */
/* sigv4.c - reading and verifying SigV4 claims.
 * Sources: AWS "Authenticating Requests (AWS Signature Version 4)", recorded replies for codes
 * and messages. */
#include "auth/sigv4.h"

#include <stdio.h>

#include "auth/canonical.h"
#include "auth/failure.h"
#include "auth/header_index.h"
#include "auth/host.h"
#include "auth/signing_key.h"
#include "auth/times.h"

#define WEEK_S             604800
#define STRING_TO_SIGN_MAX 384 /* algorithm, date, scope and hash, each bounded */

#define MESSAGE_DATE "AWS authentication requires a valid Date or x-amz-date header"

/* printf's %.*s for a str */
#define ARG(s) (int)((s).len > 256 ? 256 : (s).len), (s).ptr ? (s).ptr : ""

/* ---- the credential ---------------------------------------------------------------- */

/* Takes the part behind the last slash off *s. */
static bool take_last(struct str *s, struct str *part)
{
    for (size_t i = s->len; i-- > 0;) {
        if (s->ptr[i] != '/')
            continue;
        *part = str_from(*s, i + 1);
        s->len = i;
        return true;
    }
    return false;
}

bool sigv4_split_credential(struct str text, struct sigv4_credential *out)
{
    struct str rest = text;
    *out = (struct sigv4_credential){.access_key = text};
    if (take_last(&rest, &out->terminal) && take_last(&rest, &out->service) &&
        take_last(&rest, &out->region) && take_last(&rest, &out->date) && rest.len > 0) {
        out->access_key = rest;
        out->scope = str_from(text, rest.len + 1);
        return true;
    }
    size_t slash = str_find_char(text, '/');
    if (slash != SIZE_MAX)
        out->access_key.len = slash;
    return false;
}

static bool is_scope_date(struct str date)
{
    if (date.len != SCOPE_DATE_LEN)
        return false;
    char text[AMZ_DATE_SIZE];
    memcpy(text, date.ptr, SCOPE_DATE_LEN);
    memcpy(text + SCOPE_DATE_LEN, "T000000Z", sizeof("T000000Z"));
    int64_t unix_ns;
    return clock_parse_amz(str_c(text), &unix_ns);
}

const char *sigv4_credential_fault(const struct sigv4_credential *c, char *text, size_t size)
{
    if (!is_scope_date(c->date))
        snprintf(text, size,
                 "incorrect date format \"%.*s\". This date in the credential must be in the "
                 "format \"yyyyMMdd\".",
                 ARG(c->date));
    else if (!str_eq(c->service, STR("s3")))
        snprintf(text, size, "incorrect service \"%.*s\". This endpoint belongs to \"s3\".",
                 ARG(c->service));
    else if (!str_eq(c->terminal, STR("aws4_request")))
        snprintf(text, size,
                 "incorrect terminal \"%.*s\". This endpoint uses \"aws4_request\".",
                 ARG(c->terminal));
    else if (c->region.len > REGION_MAX)
        snprintf(text, size, "the region '%.*s' is wrong", ARG(c->region));
    else
        return NULL;
    return text;
}

enum s3_err credential_check(const struct credential **out, struct auth_failure *failure,
                             const struct credentials *credentials, struct str access_key,
                             struct str token)
{
    const struct credential *credential = credentials_find(credentials, access_key);
    if (!credential)
        return failure_access_key(failure, access_key);
    /* A credential without a token takes any: SDKs send the one of their environment. */
    if (credential->session_token &&
        !str_eq_constant_time(str_c(credential->session_token), token)) {
        failure_start(failure, S3_INVALID_TOKEN, token.len + 1);
        failure_field(failure, STR("Token-0"), token);
        return S3_INVALID_TOKEN;
    }
    *out = credential;
    return S3_OK;
}

/* ---- the Authorization header ------------------------------------------------------ */

static enum s3_err malformed(struct auth_failure *failure, const char *what)
{
    return failure_set(failure, S3_AUTHORIZATION_HEADER_MALFORMED,
                       "The authorization header is malformed; %s", what);
}

/* Where the value of a component goes; NULL when there is no such component. */
static struct str *component_named(struct str name, struct str *credential,
                                   struct sigv4_claim *out)
{
    return str_eq(name, STR("Credential"))      ? credential
           : str_eq(name, STR("SignedHeaders")) ? &out->signed_headers
           : str_eq(name, STR("Signature"))     ? &out->signature
                                                : NULL;
}

/* "Credential=..., SignedHeaders=..., Signature=...": in any order, blanks around the commas.
 * Reads what can be read. False: `fault` tells the first fault, in S3's words and order.
 * Source: versitygw issue 1425 and that project's ParseAuthorization. */
static bool split_components(struct str text, struct str *credential, struct sigv4_claim *out,
                             char *fault, size_t size)
{
    struct str part, broken = STR_NONE;
    size_t count = 0;
    for (; str_split(&text, ',', &part); count++) {
        part = str_trim(part);
        size_t equals = str_find_char(part, '=');
        struct str name = equals == SIZE_MAX ? part : str_of(part.ptr, equals);
        struct str value = equals == SIZE_MAX ? STR_NONE : str_from(part, equals + 1);
        struct str *to = component_named(name, credential, out);
        if (to && !to->ptr)
            *to = value;
        /* Without credentials an access key may be anything, "a=b" too. */
        if (!broken.ptr && (!value.ptr || str_find_char(value, '=') != SIZE_MAX))
            broken = part;
    }
    const char *missing = !credential->ptr           ? "Credential"
                          : !out->signed_headers.ptr ? "SignedHeaders"
                                                     : "Signature";
    if (count != 3)
        snprintf(fault, size,
                 "the authorization header requires three components: Credential, "
                 "SignedHeaders, and Signature.");
    else if (broken.ptr)
        snprintf(fault, size, "the authorization component \"%.*s\" is malformed.",
                 ARG(broken));
    else if (credential->ptr && out->signed_headers.ptr && out->signature.ptr)
        return true;
    else
        snprintf(fault, size, "missing %s.", missing);
    return false;
}

/* The time of a header-signed request, from x-amz-date or else Date. */
static bool read_time(struct sigv4_claim *out, const struct evidence *e)
{
    struct str amz_date = e->seen[SEEN_AMZ_DATE];
    struct str text = amz_date.ptr ? amz_date : e->seen[SEEN_DATE];
    if (clock_parse_amz(text, &out->time_ns)) {
        out->amz_date = text;
        return true;
    }
    if (!time_parse(text, &out->time_ns))
        return false;
    clock_format_amz(out->time_ns, out->date_text);
    out->amz_date = str_c(out->date_text);
    return true;
}

static bool same_day(const struct sigv4_claim *claim)
{
    return str_eq(claim->credential.date, str_of(claim->amz_date.ptr, SCOPE_DATE_LEN));
}

enum s3_err sigv4_read_header(struct sigv4_claim *out, struct auth_failure *failure,
                              const struct evidence *e)
{
    *out = (struct sigv4_claim){.presigned = false};
    struct str credential = STR_NONE;
    struct str text = str_from(e->seen[SEEN_AUTHORIZATION], sizeof(SIGV4_ALGORITHM));
    char fault[512];
    bool complete = split_components(text, &credential, out, fault, sizeof(fault));
    bool split = sigv4_split_credential(credential, &out->credential);
    if (!complete)
        return malformed(failure, fault);
    if (!split)
        return failure_start(failure, S3_AUTHORIZATION_HEADER_MALFORMED, 0);
    if (sigv4_credential_fault(&out->credential, fault, sizeof(fault)))
        return malformed(failure, fault);
    if (!read_time(out, e))
        return failure_set(failure, S3_ACCESS_DENIED, MESSAGE_DATE);
    if (!same_day(out))
        return malformed(failure,
                         "Invalid credential date. Date is not the same as X-Amz-Date.");
    return S3_OK;
}

/* ---- presigned URLs ---------------------------------------------------------------- */

static enum s3_err query_error(struct auth_failure *failure, const char *message)
{
    return failure_set(failure, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR, "%s", message);
}

static enum s3_err read_expires(struct str text, int64_t *seconds, struct auth_failure *failure)
{
    if (!str_to_i64(text, seconds))
        return query_error(failure, "X-Amz-Expires should be a number");
    if (*seconds < 0)
        return query_error(failure, "X-Amz-Expires must be non-negative");
    if (*seconds > WEEK_S)
        return query_error(failure, "X-Amz-Expires must be less than a week (in seconds); that "
                                    "is, the given X-Amz-Expires must be less than 604800 "
                                    "seconds");
    return S3_OK;
}

static enum s3_err check_expiry(const struct sigv4_claim *claim, const struct evidence *e,
                                struct auth_failure *failure)
{
    int64_t seconds;
    enum s3_err err = read_expires(e->seen[SEEN_Q_EXPIRES], &seconds, failure);
    if (err)
        return err;
    int64_t end_ns = time_after(claim->time_ns, seconds * NS_PER_S);
    if (seconds > 0 && e->now_ns <= end_ns)
        return S3_OK;
    char expires[TIME_TEXT_SIZE], now[TIME_TEXT_SIZE];
    failure_set(failure, S3_ACCESS_DENIED, "Request has expired");
    failure_field(failure, STR("X-Amz-Expires"), e->seen[SEEN_Q_EXPIRES]);
    failure_field(failure, STR("Expires"), time_text(end_ns, expires));
    failure_field(failure, STR("ServerTime"), time_text(e->now_ns, now));
    return S3_ACCESS_DENIED;
}

static bool has_all_parameters(const struct evidence *e)
{
    for (enum evidence_id id = SEEN_Q_ALGORITHM; id <= SEEN_Q_SIGNATURE; id++)
        if (e->seen[id].len == 0)
            return false;
    return true;
}

/* The credential of a presigned URL against its form and its date. */
static enum s3_err check_query_credential(const struct sigv4_claim *claim,
                                          struct auth_failure *failure)
{
    const struct sigv4_credential *c = &claim->credential;
    char fault[512];
    if (sigv4_credential_fault(c, fault, sizeof(fault)))
        return failure_set(failure, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR,
                           "Error parsing the X-Amz-Credential parameter; %s", fault);
    if (!same_day(claim))
        return failure_set(failure, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR,
                           "Invalid credential date \"%.*s\". This date is not the same as "
                           "X-Amz-Date: \"%.8s\".",
                           ARG(c->date), claim->amz_date.ptr);
    return S3_OK;
}

enum s3_err sigv4_read_query(struct sigv4_claim *out, struct auth_failure *failure,
                             const struct evidence *e)
{
    *out = (struct sigv4_claim){.presigned = true};
    if (!has_all_parameters(e))
        return failure_start(failure, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR, 0);
    if (!str_eq(e->seen[SEEN_Q_ALGORITHM], STR(SIGV4_ALGORITHM)))
        return query_error(failure, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and "
                                    "AWS4-ECDSA-P256-SHA256\"");
    if (!sigv4_split_credential(e->seen[SEEN_Q_CREDENTIAL], &out->credential))
        return query_error(failure, "Error parsing the X-Amz-Credential parameter; the "
                                    "Credential is mal-formed; expecting \"<YOUR-AKID>/"
                                    "YYYYMMDD/REGION/SERVICE/aws4_request\".");
    out->signed_headers = e->seen[SEEN_Q_SIGNED_HEADERS];
    out->signature = e->seen[SEEN_Q_SIGNATURE];
    out->amz_date = e->seen[SEEN_Q_DATE];
    if (!clock_parse_amz(out->amz_date, &out->time_ns))
        return query_error(failure, "X-Amz-Date must be in the ISO8601 Long Format "
                                    "\"yyyyMMdd'T'HHmmss'Z'\"");
    enum s3_err err = check_query_credential(out, failure);
    return err ? err : check_expiry(out, e, failure);
}

/* ---- verification ------------------------------------------------------------------ */

static enum s3_err check_region(const struct auth_config *config,
                                const struct sigv4_claim *claim, struct auth_failure *failure)
{
    struct str given = claim->credential.region, ours = config->region;
    if (ours.len == 0 || str_eq(given, ours))
        return S3_OK;
    enum s3_err err = claim->presigned ? S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR
                                       : S3_AUTHORIZATION_HEADER_MALFORMED;
    failure_set(failure, err, "%s; the region '%.*s' is wrong; expecting '%.*s'",
                claim->presigned ? "Error parsing the X-Amz-Credential parameter"
                                 : "The authorization header is malformed",
                ARG(given), ARG(ours));
    failure_field(failure, STR("Region"), ours);
    return err;
}

/* A presigned URL may be old; but neither kind may come from the future. */
static enum s3_err check_time(const struct evidence *e, const struct sigv4_claim *claim,
                              struct auth_failure *failure)
{
    if (!claim->presigned && time_is_skewed(claim->time_ns, e->now_ns))
        return failure_skewed(failure, claim->amz_date, e->now_ns);
    if (claim->presigned && claim->time_ns > time_after(e->now_ns, MAX_SKEW_NS))
        return failure_set(failure, S3_ACCESS_DENIED, "Request is not valid yet");
    return S3_OK;
}

static bool is_signed(struct str signed_headers, struct str name)
{
    struct str part;
    while (signed_headers.ptr && str_split(&signed_headers, ';', &part))
        if (part.len == name.len && str_eq_nocase(part, name))
            return true;
    return false;
}

/* Notes which of the request's headers are named. A name that is repeated costs nothing more. */
static void mark_signed(bool *is_marked, const struct header_index *headers, struct str names)
{
    const struct header *first = headers->req->headers, *h;
    struct str name;
    while (names.ptr && str_split(&names, ';', &name)) {
        size_t at = 0;
        while ((h = header_index_next(headers, name, &at)) && !is_marked[h - first])
            is_marked[h - first] = true;
    }
}

static bool must_be_signed(struct str name)
{
    return (str_has_prefix_nocase(name, STR("x-amz-")) || auth_is_own_header(name)) &&
           !str_eq_nocase(name, STR("x-amz-content-sha256"));
}

static void list_missing(struct buf *missing, const struct request *req, const bool *is_marked)
{
    for (size_t i = 0; i < req->header_count; i++) {
        struct str name = req->headers[i].name;
        if (is_marked[i] || !must_be_signed(name))
            continue;
        if (missing->len)
            buf_add(missing, STR(", "));
        for (size_t c = 0; c < name.len; c++)
            buf_add_char(missing, name.ptr[c] >= 'A' && name.ptr[c] <= 'Z'
                                      ? (char)(name.ptr[c] | 0x20)
                                      : name.ptr[c]);
    }
}

/* Host, and every x-amz-* header that was sent, must be signed, and every x-s3mem-* header of
 * our own: x-s3mem-branch would turn a presigned URL to other data. x-amz-content-sha256 need
 * not be: the canonical request ends with its value. Source: aws-recorded bad_headers (s3v4).
 */
static enum s3_err check_signed_headers(const struct request *req, struct str signed_headers,
                                        struct auth_failure *failure)
{
    AUTO_BUF(missing, KiB(4));
    struct header_index headers;
    bool few[HEADER_INDEX_MIN], *marks = few;
    if (req->header_count > ARRAY_LEN(few))
        marks = try_malloc(req->header_count * sizeof(*marks));
    bool ok = header_index_init(&headers, req) && marks;
    if (ok) {
        memset(marks, 0, req->header_count * sizeof(*marks));
        mark_signed(marks, &headers, signed_headers);
        if (!is_signed(signed_headers, STR("host")))
            buf_add(&missing, STR("host"));
        list_missing(&missing, req, marks);
    }
    header_index_release(&headers);
    if (marks != few)
        mem_free(marks);
    if (!ok)
        return failure_start(failure, S3_SLOW_DOWN, 0);
    if (missing.len == 0)
        return S3_OK;
    failure_set(failure, S3_ACCESS_DENIED,
                "There were headers present in the request which were not signed");
    failure_field(failure, STR("HeadersNotSigned"), buf_str(&missing));
    return S3_ACCESS_DENIED;
}

void sigv4_sign(const uint8_t key[SHA256_SIZE], struct str text, char out[SIGNATURE_HEX_LEN])
{
    uint8_t mac[SHA256_SIZE];
    hmac_sha256(str_of((const char *)key, SHA256_SIZE), text, mac);
    hex_encode(out, mac, sizeof(mac));
}

/* A request's head has 24 KiB at most, of which percent-encoding makes 72 KiB. */
#define CANONICAL_MAX KiB(128)

/* One attempt: a claim under one reading of what the client signed. */
struct attempt {
    const struct request *req;
    const struct sigv4_claim *claim;
    const uint8_t *key;
    struct canonical_form form;
    struct buf canonical; /* owned */
    char string_to_sign[STRING_TO_SIGN_MAX];
    size_t string_to_sign_len;
};

static bool attempt_matches(struct attempt *a)
{
    const struct sigv4_claim *claim = a->claim;
    uint8_t hash[SHA256_SIZE];
    char hash_hex[SIGNATURE_HEX_LEN], signature[SIGNATURE_HEX_LEN];
    buf_reset(&a->canonical);
    buf_reserve(&a->canonical, KiB(1));
    canonical_request(&a->canonical, a->req, &a->form);
    if (!buf_ok(&a->canonical))
        return false;
    sha256_once(buf_str(&a->canonical), hash);
    hex_encode(hash_hex, hash, sizeof(hash));
    char *end = str_put(a->string_to_sign, STR(SIGV4_ALGORITHM "\n"));
    end = str_put(str_put(end, claim->amz_date), STR("\n"));
    end = str_put(str_put(end, claim->credential.scope), STR("\n"));
    end = str_put(end, str_of(hash_hex, sizeof(hash_hex)));
    a->string_to_sign_len = (size_t)(end - a->string_to_sign);
    sigv4_sign(a->key, str_of(a->string_to_sign, a->string_to_sign_len), signature);
    return str_eq_constant_time(str_of(signature, sizeof(signature)), claim->signature);
}

/* What the last line of the canonical request is. */
static struct str payload_hash_of(const struct evidence *e, const struct sigv4_claim *claim)
{
    if (claim->presigned && e->seen[SEEN_Q_CONTENT_SHA256].ptr)
        return e->seen[SEEN_Q_CONTENT_SHA256];
    if (e->seen[SEEN_CONTENT_SHA256].ptr)
        return e->seen[SEEN_CONTENT_SHA256];
    return STR(UNSIGNED_PAYLOAD);
}

/* The other readings, tried only when the first does not match: a proxy or a published port
 * changed the Host; a client sent x-amz-content-sha256 with a URL that was signed without it.
 */
static bool other_reading_matches(const struct attempt *first, const struct auth_config *config,
                                  const struct evidence *e)
{
    bool found = false;
    struct attempt a = *first;
    buf_init(&a.canonical, first->canonical.max);
    if (a.claim->presigned && !str_eq(a.form.payload_hash, STR(UNSIGNED_PAYLOAD)) &&
        !e->seen[SEEN_Q_CONTENT_SHA256].ptr &&
        !is_signed(a.form.signed_headers, STR("x-amz-content-sha256"))) {
        a.form.payload_hash = STR(UNSIGNED_PAYLOAD);
        found = attempt_matches(&a);
    }
    struct host_candidates hosts;
    host_candidates_init(&hosts, config, e);
    while (!found && host_candidates_next(&hosts, &a.form.host)) {
        a.form.payload_hash = first->form.payload_hash;
        found = attempt_matches(&a);
    }
    host_candidates_release(&hosts);
    buf_release(&a.canonical);
    return found;
}

/* canonical: the canonical request; the caller's to release. */
static enum s3_err check_signature(const struct auth_config *config, const struct evidence *e,
                                   const struct sigv4_claim *claim,
                                   const uint8_t key[SHA256_SIZE], struct buf *canonical,
                                   struct auth_failure *failure)
{
    struct attempt a = {.req = e->req,
                        .claim = claim,
                        .key = key,
                        .form = {.signed_headers = claim->signed_headers,
                                 .payload_hash = payload_hash_of(e, claim),
                                 .host = e->req->host}};
    enum s3_err err = S3_OK;
    buf_init(&a.canonical, CANONICAL_MAX);
    if (!attempt_matches(&a)) {
        if (!buf_ok(&a.canonical))
            err = failure_start(failure, S3_SLOW_DOWN, 0);
        else if (!other_reading_matches(&a, config, e))
            err = failure_signature(failure, claim->credential.access_key,
                                    str_of(a.string_to_sign, a.string_to_sign_len),
                                    claim->signature, buf_str(&a.canonical));
    }
    *canonical = a.canonical;
    return err;
}

/* Copies a text that is known to fit, NUL-terminated. */
static void keep(char *to, size_t size, struct str from)
{
    size_t len = from.len < size ? from.len : size - 1;
    memcpy(to, from.ptr, len);
    to[len] = '\0';
}

/* Takes the canonical request when there are chunks to verify. */
static void keep_chunk_seed(struct auth_result *out, const struct sigv4_claim *claim,
                            const uint8_t key[SHA256_SIZE], struct buf *canonical)
{
    if (out->payload != PAYLOAD_CHUNKED_SIGNED &&
        out->payload != PAYLOAD_CHUNKED_SIGNED_TRAILER)
        return;
    out->verify_chunks = true;
    memcpy(out->signing_key, key, SHA256_SIZE);
    keep(out->amz_date, sizeof(out->amz_date), claim->amz_date);
    keep(out->scope, sizeof(out->scope), claim->credential.scope);
    keep(out->seed_signature, sizeof(out->seed_signature), claim->signature);
    out->canonical = *canonical;
    *canonical = (struct buf){0};
}

enum s3_err sigv4_verify(struct auth_result *out, struct auth_failure *failure,
                         const struct auth_config *config, const struct evidence *e,
                         const struct sigv4_claim *claim)
{
    const struct sigv4_credential *c = &claim->credential;
    struct str token = e->seen[claim->presigned ? SEEN_Q_TOKEN : SEEN_TOKEN];
    enum s3_err err = check_region(config, claim, failure);
    if (!err)
        err = credential_check(&out->credential, failure, config->credentials, c->access_key,
                               token.ptr ? token : e->seen[SEEN_TOKEN]);
    if (!err)
        err = check_time(e, claim, failure);
    if (!err)
        err = check_signed_headers(e->req, claim->signed_headers, failure);
    if (err)
        return err;
    uint8_t key[SHA256_SIZE];
    struct buf canonical;
    signing_key_get(out->credential, c->date, c->region, key);
    err = check_signature(config, e, claim, key, &canonical, failure);
    if (!err)
        keep_chunk_seed(out, claim, key, &canonical);
    buf_release(&canonical);
    mem_wipe(key, sizeof(key));
    return err;
}
