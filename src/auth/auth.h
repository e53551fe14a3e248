/* SPDX-License-Identifier: MIT */
/* auth.h - the door of room auth: SigV4 in header, query, chunks, trailers and POST policies,
 * SigV2, credentials, and the aws-chunked decoder. Pure functions but for the signing-key
 * cache. Sources: AWS "Authenticating Requests (AWS Signature Version 4)", "Signature
 * calculations for the Authorization header: transferring payload in multiple chunks", "...
 * with trailers", "Browser-based uploads using POST". */
#ifndef S3MEM_AUTH_H
#define S3MEM_AUTH_H

#include "app/app.h"

/* ---- credentials ------------------------------------------------------------------- */

struct credential {
    char *access_key; /* all owned, NUL-terminated */
    char *secret_key;
    char *canonical_id;  /* 64 hex digits; when not given derived from the account
                          * id if that is given, else from the access key */
    char *display_name;  /* defaults to the access key */
    char *account_id;    /* 12 digits; derived from the access key when not given */
    char *email;         /* NULL when not given */
    char *session_token; /* NULL when not given: then any token is accepted */
    bool admin;          /* marked as one that administers the server */
    char *owner; /* made by credentials_add: canonical id \n display name \n account id */
};
static inline struct str credential_owner(const struct credential *c)
{
    return str_c(c->owner);
}

struct credentials; /* a counted set, immutable once it is shared; looked up by access key */
struct credentials *credentials_new(void);
/* Drops a reference; the last one wipes the secrets. Accepts NULL. */
void credentials_unref(struct credentials *c);
AUTO_DEFINE(credentials, credentials_unref)
/* Copies. False (and *why, a static text) for an empty or duplicate access key, empty secret,
 * bad canonical id ... */
MUST_CHECK bool credentials_add(struct credentials *c, const struct credential *credential,
                                const char **why);
size_t credentials_count(const struct credentials *c);
const struct credential *credentials_find(const struct credentials *c, struct str access_key);
/* By index, for listings. */
const struct credential *credentials_at(const struct credentials *c, size_t index);
/* May this credential of the set administer the server? Those that are marked may; while none
 * is marked, the one that was added first. */
bool credentials_may_administer(const struct credentials *c,
                                const struct credential *credential);
/* The first of those that may; NULL for an empty set. */
const struct credential *credentials_administrator(const struct credentials *c);

/* The set in force. It may be replaced while requests go on with the one before. */
struct keyring;
/* Takes set. */
struct keyring *keyring_new(struct credentials *set);
/* The references that it gave away must be back. Accepts NULL. */
void keyring_free(struct keyring *k);
/* A new reference on the set in force. Any thread; takes no lock. NULL gives NULL. */
struct credentials *keyring_get(struct keyring *k);
/* Takes set. One thread at a time. */
void keyring_replace(struct keyring *k, struct credentials *set);

/* ---- what authentication finds out ------------------------------------------------- */

enum auth_kind {
    AUTH_ANONYMOUS,
    AUTH_V4_HEADER,
    AUTH_V4_QUERY,
    AUTH_V2_HEADER,
    AUTH_V2_QUERY,
    AUTH_POST_FORM, /* decided later, by the form's fields */
};

enum payload_mode {
    PAYLOAD_PLAIN,                    /* no x-amz-content-sha256: nothing to check */
    PAYLOAD_SIGNED_HASH,              /* x-amz-content-sha256 is the body's SHA-256 */
    PAYLOAD_UNSIGNED,                 /* UNSIGNED-PAYLOAD */
    PAYLOAD_CHUNKED_SIGNED,           /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    PAYLOAD_CHUNKED_SIGNED_TRAILER,   /* ...-PAYLOAD-TRAILER */
    PAYLOAD_CHUNKED_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

/* Detail of a failure, for the error document. Texts point into `text` or static memory. */
struct auth_failure {
    struct buf text;    /* owned; auth_failure_release */
    struct str message; /* replaces the default Message when not empty */
    struct {
        struct str name, value;
    } fields[12]; /* extra elements, in order: StringToSign ... */
    size_t field_count;
};
void auth_failure_init(struct auth_failure *f);
void auth_failure_release(struct auth_failure *f);

struct auth_result {
    enum auth_kind kind;
    const struct credential *credential; /* NULL: anonymous, or verification is off */
    char access_key[128];                /* as sent, NUL-terminated; "" when anonymous */
    enum payload_mode payload;
    uint8_t payload_sha256[SHA256_SIZE]; /* PAYLOAD_SIGNED_HASH */
    /* For chunk and trailer signatures: */
    bool verify_chunks; /* credentials known */
    uint8_t signing_key[SHA256_SIZE];
    char amz_date[AMZ_DATE_SIZE];
    char scope[128]; /* "20150830/us-east-1/s3/aws4_request" */
    char seed_signature[65];
    struct buf canonical; /* owned: the request's, which is told when a chunk does not match */
};

struct auth_config {
    const struct credentials
        *credentials;          /* NULL: accept anything, but decode and check expiry */
    struct str region;         /* ours; requests signed for another are malformed,
                                * when credentials are on. "" accepts any */
    const struct str *domains; /* virtual-host base domains, as the router's: tell whether */
    size_t domain_count;       /* X-Forwarded-Host names the same bucket as Host */
    int64_t now_ns;            /* judges skew and expiry; 0: what the server's clock says */
};

/* Authenticates the headers and the query of a request (first callback: no body yet).
 * out      filled; auth_result_wipe when done (it may hold a signing key)
 * failure  filled when the answer is not S3_OK
 * Errors   ACCESS_DENIED (expired, unsigned headers, no date ...), SIGNATURE_DOES_NOT_MATCH,
 *          INVALID_ACCESS_KEY_ID, REQUEST_TIME_TOO_SKEWED, AUTHORIZATION_HEADER_MALFORMED,
 *          AUTHORIZATION_QUERY_PARAMETERS_ERROR, INVALID_ARGUMENT (two mechanisms, unknown
 * ones, x-amz-content-sha256), INVALID_REQUEST (x-amz-content-sha256 missing), INVALID_TOKEN,
 *          NOT_IMPLEMENTED (SigV4A), SLOW_DOWN (memory)
 * virtual_bucket  name when it came from the Host (SigV2 signs it), else empty */
MUST_CHECK enum s3_err auth_request(struct auth_result *out, struct auth_failure *failure,
                                    const struct auth_config *config, const struct request *req,
                                    struct str virtual_bucket);
/* Is it one of our own headers, x-s3mem-*? A signature must cover those that are sent: they say
 * what a request works on. */
static inline bool auth_is_own_header(struct str name)
{
    return str_has_prefix_nocase(name, STR("x-s3mem-"));
}
/* Is this query parameter among those that SigV2 signs? */
bool auth_v2_signs_parameter(struct str name);
/* An anonymous one, before anything is known. */
void auth_result_init(struct auth_result *r);
void auth_result_wipe(struct auth_result *r);

/* Appends the value of an Authorization header that signs the method, target and all headers of
 * req: in the order of their names, in lower case, with host, x-amz-content-sha256 and
 * x-amz-date among them. */
void auth_sign(struct buf *out, const struct request *req, const struct credential *credential,
               struct str region);

/* ---- POST policy ------------------------------------------------------------------- */

/* A decoded form field, name lower-cased by the form reader; in order of appearance. */
struct form_field {
    struct str name, value;
};
/* Checks the signature (V4 or V2 fields), the expiry and every condition of a POST form.
 * Conditions must hold for each field of a name; of the signature's own fields the first
 * counts. Without credentials the signature is not verified, but a policy that is there is
 * still evaluated. A form with no policy is anonymous.
 * out      sizes from content-length-range (0 and UINT64_MAX when absent), for a check while
 *          the file streams in and for auth_post_size afterwards; credential: NULL when
 *          anonymous
 * fields   everything before the file, with key already expanded (${filename}) and "bucket",
 *          the one posted to, added by the caller; a policy must cover it, as S3's must
 * Errors   ACCESS_DENIED, INVALID_POLICY_DOCUMENT, INVALID_ARGUMENT, SIGNATURE_DOES_NOT_MATCH,
 *          INVALID_ACCESS_KEY_ID, INVALID_TOKEN, NOT_IMPLEMENTED (SigV4A) */
struct post_policy {
    uint64_t min_size, max_size;
    const struct credential *credential;
};
MUST_CHECK enum s3_err auth_post_form(struct post_policy *out, struct auth_failure *failure,
                                      const struct auth_config *config,
                                      const struct form_field *fields, size_t field_count);
/* ENTITY_TOO_LARGE, ENTITY_TOO_SMALL */
MUST_CHECK enum s3_err auth_post_size(struct auth_failure *failure,
                                      const struct post_policy *policy, uint64_t file_size);

/* ---- aws-chunked ------------------------------------------------------------------- */

/* Streaming decoder of Content-Encoding: aws-chunked bodies:
 *   hex-size[;chunk-signature=HEX]\r\n bytes \r\n ... 0[;chunk-signature=HEX]\r\n
 *   [trailer-name:value\r\n ... [x-amz-trailer-signature:HEX\r\n]] \r\n
 * Lines of the trailer may end in a bare \n; the last blank line may be missing. Signatures are
 * verified when auth says so: each chunk's before the upload can be published (bytes are handed
 * out as they come; the caller publishes only after chunked_finish). */
struct chunked;
/* auth: copied from; its canonical request is borrowed. decoded_length:
 * x-amz-decoded-content-length (CONTENT_LENGTH_NONE: absent). */
struct chunked *chunked_new(const struct auth_result *auth, uint64_t decoded_length);
void chunked_free(struct chunked *c);
/* Consumes all of data[0..len) and hands payload bytes to sink, as pointers into data. Sticky.
 * Errors   INCOMPLETE_BODY (framing, more bytes than decoded_length), SIGNATURE_DOES_NOT_MATCH,
 *          INVALID_CHUNK_SIZE_ERROR (a signed chunk below 8 KiB is not the last),
 *          INVALID_ARGUMENT (a chunk over 5 GiB), MALFORMED_TRAILER_ERROR (over 16 trailers or
 *          4 KiB, no colon), with failure filled; the sink's own */
typedef enum s3_err chunked_sink(void *arg, const char *data, size_t len);
MUST_CHECK enum s3_err chunked_feed(struct chunked *c, const char *data, size_t len,
                                    chunked_sink *sink, void *arg,
                                    struct auth_failure *failure);
/* The client's body ended. INCOMPLETE_BODY when the last chunk, or bytes that decoded_length
 * promised, are missing; MALFORMED_TRAILER_ERROR when the trailer's signature is. */
MUST_CHECK enum s3_err chunked_finish(struct chunked *c, struct auth_failure *failure);
/* Trailers read, names lower-cased. */
size_t chunked_trailer_count(const struct chunked *c);
struct header chunked_trailer(const struct chunked *c, size_t index);

#endif
