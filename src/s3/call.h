/* SPDX-License-Identifier: MIT */
/* call.h - one S3 request from its headers to its log line, and what handlers may use of it.
 *
 *   begin   route -> authenticate -> guard -> authorize -> op->begin          (headers known)
 *   body    payload: hash -> aws-chunked -> digests -> sink (document, body or form)
 *   finish  payload checks -> op->handler -> reply
 *   done    access log, free
 *
 * A handler returns S3_OK with c->reply filled, or the error that s3_fail* gave back; the error
 * document is written in one place (error_reply.c). */
#ifndef S3MEM_S3_CALL_H
#define S3MEM_S3_CALL_H

#include "s3/body/payload.h"
#include "s3/s3.h"

struct s3_call;

enum op_scope { SCOPE_SERVICE, SCOPE_BUCKET, SCOPE_OBJECT };

enum op_flags {
    READS = 0,
    WRITES = 1 << 0,
    BODY_DOCUMENT = 1 << 1, /* XML, read into c->xml as it arrives (at most 64 KiB) */
    BODY_STREAM = 1 << 2,   /* object bytes, streamed into c->payload.body */
    BODY_FORM = 1 << 3,     /* browser POST: begin installs its own sink */
    NEW_BUCKET = 1 << 4,    /* the bucket need not exist */
    OBJECT_CHECKSUM =
        1 << 5, /* x-amz-checksum-* headers speak of the object, not of this body */
    LARGE_DOCUMENT = 1 << 6, /* with BODY_DOCUMENT: at most 8 MiB */
    NO_BODY = 1 << 7,        /* refuses one; most operations without a body ignore it */
    NO_VERSION = 1 << 8,     /* refuses ?versionId */
};

/* A row of ops.def. */
struct op {
    const char *name;
    const char *method;
    enum op_scope scope;
    const char *query; /* "partNumber&uploadId": all present; "list-type=2": that value */
    const char
        *header; /* "x-amz-copy-source": present; "content-type=multipart/form-data": prefix */
    const char *action;
    enum s3_err (*handler)(struct s3_call *c);
    enum s3_err (*begin)(struct s3_call *c); /* before the body is read; may be NULL */
    unsigned flags;
};

#define ERROR_FIELDS_MAX 12

struct s3_call {
    struct s3_service *service;
    const struct s3_options *options;
    const struct request *req;
    const struct op *op;   /* NULL until routed */
    struct branch *branch; /* reference; main until the request has chosen (branch.c) */

    /* Headers with those that SDKs hoisted into the query of a presigned URL behind them: S3
     * reads both. */
    const struct header *headers;
    size_t header_count;
    uint64_t name_lens;         /* bit n: a header has a name of n bytes (modulo 64) */
    const struct param *params; /* decoded query */
    size_t param_count;
    /* The first of each name that ops.def or a rule of route.c knows: few, whatever came. */
    const struct param *known;
    size_t known_count;
    struct target at;          /* decoded; empty key below SCOPE_OBJECT */
    struct str virtual_bucket; /* bucket when it came from Host, else empty */

    struct guard_view guard; /* what a browser's page may do */

    struct credentials *credentials; /* reference on the set that this call is judged by; NULL
                                      * without authentication */
    struct str owner;                /* who asks: canonical id \n display name \n account id */

    struct payload payload;
    struct xml_reader *xml; /* BODY_DOCUMENT: the body; NULL before its first byte */
    struct intake intake;   /* holds xml, or the fields of a form */
    size_t reply_held;      /* of the reply's text, by the store */
    void *state;            /* of begin for its handler; released by state_free */
    void (*state_free)(void *state);
    enum s3_err (*later)(struct s3_call *c); /* what the handler still has to do */

    struct buf message; /* replaces the default Message */
    struct buf detail;  /* for the log */
    unsigned field_count;
    enum s3_err err;

    int64_t now_ns; /* the server's clock when the request began */
    uint64_t bytes_in;
    struct traffic_call traffic; /* what the outside is told of this call */
    bool announced;              /* traffic->begin was called */
    bool faulty;                 /* something is to go wrong: fault says what */
    struct fault fault;
    int64_t fault_until_ns; /* monotonic: it is carried out then; 0 before it waits */
    bool carried_out;       /* only the disk may still be waited for */
    bool guest;             /* a page that may read one object: nothing is made for it */
    bool has_message;       /* message replaces the default one, though it may be empty */
    bool undurable;         /* refused because of the disk */
    struct durable_wait durable_wait;
    struct arena *arena;

    /* From here on nothing is zeroed for each request: what it means is said by what stands
     * above, or by its own init. */
    struct auth_result auth;
    struct reply reply;
    struct auth_failure failure; /* details of auth errors */
    struct {
        struct str name, value;
    } fields[ERROR_FIELDS_MAX]; /* extra error elements */
    char request_id[17];
};

/* ---- what is asked ----------------------------------------------------------------- */

/* The headers that the functions below know, borrowed. */
void s3_set_headers(struct s3_call *c, const struct header *headers, size_t count);
/* Header (or hoisted query parameter) value; STR_NONE when absent. Names in lower case. */
struct str s3_header(const struct s3_call *c, struct str name);
/* Decoded query parameter; STR_NONE when absent; {"",0} when present without a value. */
struct str s3_param(const struct s3_call *c, struct str name);
/* A parameter that must be a whole number in [0, INT32_MAX]; *out keeps its default when it is
 * absent. INVALID_ARGUMENT "Provided max-keys not an integer or within integer range" with
 * ArgumentName and ArgumentValue (source: aws-recorded, S3 API). Values above max are clamped
 * to it. */
MUST_CHECK enum s3_err s3_param_count(struct s3_call *c, struct str name, uint32_t max,
                                      uint32_t *out);
/* What is said of max-buckets that is not in its range. */
#define S3_BUCKETS_RANGE "Argument max-buckets must be an integer between 1 and 10000"
/* Memory that lives as long as the call. Never NULL for small sizes (aborts). */
void *s3_alloc(struct s3_call *c, size_t size);
struct str s3_copy(struct s3_call *c, struct str s); /* NUL-terminated copy */
struct str s3_printf(struct s3_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Parts of an owner string. */
struct str owner_id(struct str owner);
struct str owner_display_name(struct str owner);
struct str owner_account(struct str owner);

/* ---- failing ----------------------------------------------------------------------- */

/* Records detail for the log (not for the client) and returns err. */
enum s3_err s3_fail(struct s3_call *c, enum s3_err err, const char *fmt, ...)
    PRINTF_LIKE(3, 4) RARE;
/* Replaces the Message that the client sees, and returns err. */
enum s3_err s3_fail_message(struct s3_call *c, enum s3_err err, const char *fmt, ...)
    PRINTF_LIKE(3, 4) RARE;
/* Names the rule that was broken, where S3's Message does not: in <Detail>, before the ids of the
 * error document, in the log and in the journal. rule is static. Returns err. */
enum s3_err s3_fail_rule(struct s3_call *c, enum s3_err err, const char *rule) RARE;
/* Adds an element to the error document, in order. value is copied. Elements that follow from
 * the code (BucketName, Key, UploadId, VersionId, Method, ResourceType) are added by the
 * writer. */
void s3_error_field(struct s3_call *c, const char *name, struct str value) RARE;
/* INVALID_ARGUMENT with ArgumentName and ArgumentValue. */
enum s3_err s3_invalid_argument(struct s3_call *c, const char *message, struct str name,
                                struct str value) RARE;
/* NOT_IMPLEMENTED with Header: S3's answer to a header that it has for other requests only. */
enum s3_err s3_refuse_header(struct s3_call *c, const char *header) RARE;
/* PRECONDITION_FAILED with Condition ("If-Match", "x-amz-copy-source-If-Match" ...). */
enum s3_err s3_precondition_failed(struct s3_call *c, const char *condition) RARE;

/* ---- answering --------------------------------------------------------------------- */

static inline void s3_reply_header(struct s3_call *c, const char *name, struct str value)
{
    reply_header(&c->reply, name, value);
}
static inline void s3_reply_kept_header(struct s3_call *c, const char *name, const char *value)
{
    reply_kept_header(&c->reply, name, value);
}
/* 200 with application/xml; returns the buffer with the XML declaration already in it. Close
 * root elements yourself, then return s3_xml_done(c), which fails when the buffer overflowed.
 */
struct buf *s3_reply_xml(struct s3_call *c);
MUST_CHECK enum s3_err s3_xml_done(struct s3_call *c);
/* A status without a body (200, 204). */
enum s3_err s3_reply_empty(struct s3_call *c, unsigned status);
#define S3_XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"
/* <name>text</name>, escaped. */
void xml_text(struct buf *b, const char *name, struct str text);
void xml_u64(struct buf *b, const char *name, uint64_t v);
void xml_bool(struct buf *b, const char *name, bool v);
void xml_time(struct buf *b, const char *name, int64_t unix_ns);

/* call.c: may the caller (c->owner) use the bucket? It is made if it is missing and
 * --auto-bucket says so. NO_SUCH_BUCKET, INVALID_BUCKET_NAME, ACCESS_DENIED, SLOW_DOWN,
 * INVALID_BUCKET_OWNER_AWS_ACCOUNT_ID */
MUST_CHECK enum s3_err s3_authorize_bucket(struct s3_call *c);
/* The same once a form has told who sent it (c->auth.credential). */
MUST_CHECK enum s3_err s3_authorize_form(struct s3_call *c);

/* The document of a BODY_DOCUMENT, as xml_reader_end gives it. */
struct xml_node;
MUST_CHECK enum s3_err s3_document(struct s3_call *c, struct str root,
                                   const struct xml_node **out);

/* For a handler with more to do than others should wait for: step is called in a turn of its
 * own, and answers or asks for another. Returns S3_OK. */
enum s3_err s3_later(struct s3_call *c, enum s3_err (*step)(struct s3_call *c));

/* ---- shared rules, each defined in the file named ---------------------------------- */

/* route.c: UTF-8, and not too long. INVALID_URI, KEY_TOO_LONG_ERROR */
MUST_CHECK enum s3_err s3_check_key(struct s3_call *c, struct str key);

/* bucket_rules.c: the rule for names of buckets that this one breaks, or NULL. */
const char *s3_bucket_name_fault(struct str name);
/* bucket_rules.c: x-amz-expected-bucket-owner against the bucket's owner (also the source's,
 * under the name given). */
MUST_CHECK enum s3_err s3_check_expected_owner(struct s3_call *c, struct str header,
                                               const struct bucket_info *bucket);

/* object_headers.c: attributes for a new object from the request's headers: system headers,
 * user metadata (limits, lower-cased names, RFC 2047), storage class, SSE headers,
 * x-amz-tagging (checked). For a POST form the fields were made headers first. */
MUST_CHECK enum s3_err s3_attrs_from_headers(struct s3_call *c, struct buf *attrs);
/* Reply headers of an object: ETag, Last-Modified, version id, attributes with the response-*
 * parameters applied. Checksums are the reader's: ranges have none. */
void s3_reply_object_headers(struct s3_call *c, const struct record *r,
                             enum versioning versioning);
/* x-amz-server-side-encryption* of packed attributes; AES256 is implied, as S3 does by default.
 */
void s3_reply_encryption_headers(struct s3_call *c, struct str attrs);
/* SSE-C headers of an UploadPart against those its upload began with. INVALID_REQUEST
 * (aws-recorded: test_multipart_upload_sse_c_validation) */
MUST_CHECK enum s3_err s3_check_part_encryption(struct s3_call *c, struct str upload_attrs);
/* x-amz-version-id / x-amz-delete-marker of a write. */
void s3_reply_write_result(struct s3_call *c, const struct write_result *w);
/* "<Checksum..>" elements and x-amz-checksum-* headers; nothing for CHECKSUM_NONE. parts: "-n"
 * is appended to a COMPOSITE value. */
void s3_reply_checksum_headers(struct s3_call *c, const struct checksum *sum, uint32_t parts);
void xml_checksum(struct buf *b, const struct checksum *sum, uint32_t parts, bool with_type);

/* conditions.c: If-Match, If-None-Match of a write. Refuses what S3 refuses (both headers,
 * ETags in If-None-Match ...). */
MUST_CHECK enum s3_err s3_write_conditions(struct s3_call *c, struct write_conditions *out);
/* Names the condition that object_put/object_delete refused. */
enum s3_err s3_write_failed(struct s3_call *c, enum s3_err err,
                            const struct write_conditions *conditions);
/* If-Match, If-None-Match, If-(Un)Modified-Since of a read, RFC 9110 precedence:
 * S3_OK, NOT_MODIFIED or PRECONDITION_FAILED. prefix: "" or "x-amz-copy-source-". */
MUST_CHECK enum s3_err s3_read_conditions(struct s3_call *c, const char *prefix,
                                          const struct record *r);

/* copy_source.c: x-amz-copy-source → bucket, key, version (decoded into the call's arena). */
struct copy_source {
    struct target at;
    struct str version; /* STR_NONE: current */
};
MUST_CHECK enum s3_err s3_copy_source(struct s3_call *c, struct copy_source *out);
/* Looks the source up (NoSuchBucket, NoSuchKey, NoSuchVersion, delete markers, owner,
 * conditions of x-amz-copy-source-if-*). *out: new reference on S3_OK. */
MUST_CHECK enum s3_err
s3_copy_source_record(struct s3_call *c, const struct copy_source *source, struct record **out);

/* The bytes that are to be copied are at most 5 GiB. INVALID_REQUEST */
MUST_CHECK enum s3_err s3_check_copy_size(struct s3_call *c, uint64_t size);

/* range.c: what a Range header asks of size bytes. */
struct byte_range {
    uint64_t first, len;
    bool partial; /* 206; false: whole (no header, several ranges, or a malformed one) */
};
MUST_CHECK enum s3_err s3_parse_range(struct s3_call *c, struct str header, uint64_t size,
                                      struct byte_range *out);

/* tagging.c: tags as a URL query string ("a=1&b=2", form-encoded) checked by S3's rules; at
 * most max_tags (10 for objects, 50 for buckets). */
MUST_CHECK enum s3_err s3_check_tag_query(struct s3_call *c, struct str query,
                                          struct buf *normal, size_t *count);

/* One declaration a handler in ops.def. */
#define OP(name, method, scope, query, header, action, handler, begin, flags)                  \
    enum s3_err handler(struct s3_call *c);
#include "s3/ops.def"
#undef OP
/* Begin functions named in ops.def. */
enum s3_err begin_put_object(struct s3_call *c);
enum s3_err begin_upload_part(struct s3_call *c);
enum s3_err begin_post_object(struct s3_call *c);
enum s3_err begin_complete_multipart_upload(struct s3_call *c);
enum s3_err begin_delete_objects(struct s3_call *c);
enum s3_err begin_put_bucket_tagging(struct s3_call *c);
enum s3_err begin_put_object_tagging(struct s3_call *c);

#endif
