/* SPDX-License-Identifier: MIT */
/* object_headers.c - headers in, attributes kept, headers out.
 * What is S3's default (binary/octet-stream, STANDARD, AES256) is implied and costs no memory.
 * Sources: botocore's model (locations and enumerations), aws-recorded
 * test_put_object_storage_class, test_s3_get_object_header_overrides,
 * test_system_metadata_with_unicode, TestS3ObjectLock. */
#include <stdio.h>

#include "base/base.h"
#include "s3/body/encryption.h"
#include "s3/object/object.h"
#include "s3/object/rfc2047.h"
#include "s3/object/user_metadata.h"

#define DEFAULT_CONTENT_TYPE STR("binary/octet-stream")
#define REDIRECT_MAX         2048

_Static_assert(ATTR_COUNT <= 32, "sets of attributes are bits of an unsigned");

/* ---- headers in -------------------------------------------------------------------- */

/* Headers that are kept as they are sent, and the response-* parameter that replaces each. */
static const struct kept_header {
    struct str name, override;
    enum attr attr;
} kept_headers[] = {
    {STR("content-type"), STR("response-content-type"), ATTR_CONTENT_TYPE},
    {STR("content-encoding"), STR("response-content-encoding"), ATTR_CONTENT_ENCODING},
    {STR("content-disposition"), STR("response-content-disposition"), ATTR_CONTENT_DISPOSITION},
    {STR("content-language"), STR("response-content-language"), ATTR_CONTENT_LANGUAGE},
    {STR("cache-control"), STR("response-cache-control"), ATTR_CACHE_CONTROL},
    {STR("expires"), STR("response-expires"), ATTR_EXPIRES},
};

static const struct kept_header *kept_header(struct str name)
{
    char first = name.len ? (char)(name.ptr[0] | 0x20) : 0;
    if (first != 'c' && first != 'e')
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(kept_headers); i++)
        if (str_eq_nocase(name, kept_headers[i].name))
            return &kept_headers[i];
    return NULL;
}

static void add_attr(struct buf *attrs, enum attr attr, const struct buf *value)
{
    attrs_add(attrs, attr, buf_str(value));
    attrs->failed |= value->failed;
}

/* "aws-chunked" is how the body travelled, not how the object is encoded; of a body that did
 * not travel so it is kept. Source: Swift's tests, which run against Amazon too
 * (test_input_errors.py, chunk_encoding_declared_ok, custom_encoding_ok). */
static void add_content_encoding(const struct s3_call *c, struct buf *attrs, struct str value)
{
    bool chunked = c->auth.payload >= PAYLOAD_CHUNKED_SIGNED;
    struct str rest = value, part;
    AUTO_BUF(kept, 2 * value.len + 1);
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (!part.len || (chunked && str_eq_nocase(part, STR("aws-chunked"))))
            continue;
        if (kept.len)
            buf_add(&kept, STR(", "));
        buf_add(&kept, part);
    }
    if (kept.len || kept.failed)
        add_attr(attrs, ATTR_CONTENT_ENCODING, &kept);
}

static void add_kept_header(struct s3_call *c, const struct kept_header *kept,
                            const struct header *h, struct buf *attrs)
{
    struct str value = h->value;
    if (kept->attr == ATTR_CONTENT_ENCODING) {
        add_content_encoding(c, attrs, value);
        return;
    }
    if (!value.len || (kept->attr == ATTR_CONTENT_TYPE && str_eq(value, DEFAULT_CONTENT_TYPE)))
        return;
    if (str_is_ascii(value) || !s3_header_is_utf8(c, h)) {
        attrs_add(attrs, kept->attr, value);
        return;
    }
    AUTO_BUF(latin1, value.len + 1);
    utf8_to_latin1(&latin1, value);
    add_attr(attrs, kept->attr, &latin1);
}

enum s3_err s3_attrs_from_system_headers(struct s3_call *c, struct buf *attrs)
{
    unsigned seen = 0;
    for (size_t i = 0; i < c->header_count; i++) {
        const struct kept_header *kept = kept_header(c->headers[i].name);
        if (!kept || (seen & 1u << kept->attr))
            continue;
        seen |= 1u << kept->attr;
        add_kept_header(c, kept, &c->headers[i], attrs);
    }
    return S3_OK;
}

enum s3_err s3_attrs_from_storage_class(struct s3_call *c, struct buf *attrs)
{
    static const char *const classes[] = {"REDUCED_REDUNDANCY",  "STANDARD_IA", "ONEZONE_IA",
                                          "INTELLIGENT_TIERING", "GLACIER",     "DEEP_ARCHIVE",
                                          "GLACIER_IR"};
    struct str value = s3_header(c, STR("x-amz-storage-class"));
    if (!value.ptr || str_eq(value, STR("STANDARD")))
        return S3_OK;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (str_eq(value, str_c(classes[i]))) {
            attrs_add(attrs, ATTR_STORAGE_CLASS, value);
            return S3_OK;
        }
    }
    s3_error_field(c, "StorageClassRequested", value);
    return s3_fail(c, S3_INVALID_STORAGE_CLASS, "storage class");
}

enum s3_err s3_attrs_from_redirect(struct s3_call *c, struct buf *attrs)
{
    struct str value = s3_header(c, STR("x-amz-website-redirect-location"));
    if (!value.ptr)
        return S3_OK;
    if (value.len > REDIRECT_MAX)
        return s3_fail_message(c, S3_INVALID_REDIRECT_LOCATION,
                               "The length of website redirect location cannot exceed 2,048 "
                               "characters.");
    if (!str_has_prefix(value, STR("/")) && !str_has_prefix(value, STR("http://")) &&
        !str_has_prefix(value, STR("https://")))
        return s3_fail(c, S3_INVALID_REDIRECT_LOCATION, "website redirect");
    attrs_add(attrs, ATTR_WEBSITE_REDIRECT, value);
    return S3_OK;
}

enum s3_err s3_attrs_from_tagging(struct s3_call *c, struct buf *attrs)
{
    struct str value = s3_header(c, STR("x-amz-tagging"));
    size_t count;
    if (!value.len)
        return S3_OK;
    AUTO_BUF(normal, ATTRS_MAX);
    if (s3_check_tag_query(c, value, &normal, &count))
        return c->err;
    if (count)
        add_attr(attrs, ATTR_TAGGING, &normal);
    return S3_OK;
}

/* Buckets made since 2023 have ACLs disabled (BucketOwnerEnforced): these two say no more than
 * what already holds, and tools send them by habit; all others are refused, as S3 does. */
static enum s3_err check_acl(struct s3_call *c, struct str acl)
{
    static const char *const others[] = {"public-read",        "public-read-write",
                                         "authenticated-read", "aws-exec-read",
                                         "bucket-owner-read",  "log-delivery-write"};
    if (!acl.len) /* as if it were not there: swift3 pull request 90 */
        return S3_OK;
    if (str_eq(acl, STR("private")) || str_eq(acl, STR("bucket-owner-full-control")))
        return S3_OK;
    bool canned = false;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        canned |= str_eq(acl, str_c(others[i]));
    if (!canned) /* no message: aws-recorded test_s3_object_acl_exceptions */
        return s3_invalid_argument(c, "", STR("x-amz-acl"), acl);
    return s3_fail(c, S3_ACCESS_CONTROL_LIST_NOT_SUPPORTED, "ACL in a header");
}

enum s3_err s3_check_write_headers(struct s3_call *c)
{
    for (size_t i = 0; i < c->header_count; i++) {
        const struct header *h = &c->headers[i];
        if (!str_has_prefix_nocase(h->name, STR("x-amz-")))
            continue;
        struct str name = str_from(h->name, strlen("x-amz-"));
        if (str_eq_nocase(name, STR("acl")) && check_acl(c, h->value))
            return c->err;
        if (str_has_prefix_nocase(name, STR("grant-")))
            return s3_fail(c, S3_ACCESS_CONTROL_LIST_NOT_SUPPORTED, "grant in a header");
        if (str_has_prefix_nocase(name, STR("object-lock-")))
            return s3_fail_message(c, S3_INVALID_REQUEST,
                                   "Bucket is missing Object Lock Configuration");
        if (str_eq_nocase(name, STR("write-offset-bytes")))
            return s3_refuse_header(c, "x-amz-write-offset-bytes");
    }
    return S3_OK;
}

enum s3_err s3_attrs_from_headers(struct s3_call *c, struct buf *attrs)
{
    if (s3_check_write_headers(c) || s3_attrs_from_system_headers(c, attrs) ||
        s3_attrs_from_storage_class(c, attrs) || s3_attrs_from_redirect(c, attrs) ||
        s3_attrs_from_encryption(c, attrs) || s3_attrs_from_tagging(c, attrs) ||
        s3_attrs_from_user_metadata(c, attrs))
        return c->err;
    return buf_ok(attrs) ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for attributes");
}

/* ---- headers out ------------------------------------------------------------------- */

void s3_reply_version_id(struct s3_call *c, const struct record *r, enum versioning versioning)
{
    char version[VERSION_ID_SIZE];
    if (versioning != VERSIONING_NEVER)
        s3_reply_header(c, "x-amz-version-id", record_version_id(r, version));
}

void s3_reply_validators(struct s3_call *c, const struct record *r, enum versioning versioning)
{
    char etag[ETAG_SIZE], date[HTTP_DATE_SIZE];
    clock_format_http(record_mtime_ns(r), date);
    s3_reply_header(c, "Last-Modified", str_c(date));
    s3_reply_header(c, "ETag", record_etag(r, etag));
    s3_reply_version_id(c, r, versioning);
}

/* Tags are kept as "a=1&b=2". */
static void reply_tagging_count(struct s3_call *c, struct str tags)
{
    size_t count = tags.len ? 1 : 0;
    for (size_t i = 0; i < tags.len; i++)
        count += tags.ptr[i] == '&';
    if (count)
        s3_reply_header(c, "x-amz-tagging-count", s3_printf(c, "%zu", count));
}

static void reply_user_metadata(struct s3_call *c, struct str name, struct str value)
{
    char *header = s3_alloc(c, strlen(META_PREFIX) + name.len + 1);
    *str_put(str_put(header, STR(META_PREFIX)), name) = '\0';
    reply_header(&c->reply, header, value);
}

/* Metadata that came by other ways than HTTP, as from a file, may have any name. AWS,
 * GetObject, x-amz-missing-meta: "the number of metadata entries not returned in x-amz-meta
 * headers". */
static bool is_missing_meta(enum attr attr, struct str name)
{
    return attr == ATTR_META && name.len && !str_is_token(name);
}

static void reply_attribute(struct s3_call *c, enum attr attr, struct str name,
                            struct str value)
{
    if (attr == ATTR_META)
        reply_user_metadata(c, name, value);
    else if (attr == ATTR_TAGGING)
        reply_tagging_count(c, value);
    else if (attr_header(attr).len && attr != ATTR_SSE_KMS_CONTEXT)
        reply_header(&c->reply, attr_header(attr).ptr, value);
}

/* Writes the response-* parameters and returns the set of attributes they replace. */
static unsigned reply_overrides(struct s3_call *c)
{
    unsigned replaced = 0;
    for (size_t i = 0; c->param_count && i < ARRAY_LEN(kept_headers); i++) {
        struct str value = s3_param(c, kept_headers[i].override);
        if (!value.len)
            continue;
        AUTO_BUF(latin1, value.len + 1);
        utf8_to_latin1(&latin1, value);
        reply_header(&c->reply, attr_header(kept_headers[i].attr).ptr, buf_str(&latin1));
        c->reply.headers_failed |= latin1.failed;
        replaced |= 1u << kept_headers[i].attr;
    }
    return replaced;
}

void s3_reply_object_headers(struct s3_call *c, const struct record *r,
                             enum versioning versioning)
{
    struct str attrs = record_attrs(r), name, value;
    unsigned seen = reply_overrides(c);
    size_t at = 0, missing = 0;
    enum attr attr;
    s3_reply_validators(c, r, versioning);
    s3_reply_kept_header(c, "Accept-Ranges", "bytes");
    while (attrs_next(attrs, &at, &attr, &name, &value)) {
        if (is_missing_meta(attr, name))
            missing++;
        else if (!(seen & 1u << attr) || attr == ATTR_META)
            reply_attribute(c, attr, name, value);
        seen |= 1u << attr;
    }
    if (missing)
        s3_reply_header(c, "x-amz-missing-meta", s3_printf(c, "%zu", missing));
    if (!(seen & 1u << ATTR_CONTENT_TYPE))
        s3_reply_kept_header(c, "Content-Type", DEFAULT_CONTENT_TYPE.ptr);
    if (!(seen & (1u << ATTR_SSE | 1u << ATTR_SSEC_ALGORITHM)))
        s3_reply_kept_header(c, "x-amz-server-side-encryption", "AES256");
}

static bool is_override(struct str name)
{
    if (!str_has_prefix(name, STR("response-")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kept_headers); i++)
        if (str_eq(name, kept_headers[i].override))
            return true;
    return false;
}

/* The first bad one in the URL is named. */
enum s3_err s3_check_response_overrides(struct s3_call *c)
{
    for (size_t i = 0; i < c->param_count; i++) {
        struct str name = c->params[i].name, value = c->params[i].value;
        if (!is_override(name))
            continue;
        if (c->options->keyring && c->auth.kind == AUTH_ANONYMOUS)
            return s3_fail_message(c, S3_INVALID_REQUEST,
                                   "Request specific response headers cannot be used for "
                                   "anonymous GET requests.");
        AUTO_BUF(latin1, value.len + 1);
        if (!utf8_to_latin1(&latin1, value))
            return s3_invalid_argument(
                c, "Header value cannot be represented using ISO-8859-1.", name, value);
    }
    return S3_OK;
}

void s3_reply_write_result(struct s3_call *c, const struct write_result *w)
{
    /* A put into a suspended bucket makes the null version and does not say so; deletes and
     * copies do (aws-recorded: test_put_object_on_suspended_bucket,
     * ..._in_place_suspended_only). */
    bool is_put = c->op->handler == op_put_object || c->op->handler == op_post_object ||
                  c->op->handler == op_complete_multipart_upload;
    struct str id = str_c(w->version_id);
    if (w->delete_marker)
        s3_reply_kept_header(c, "x-amz-delete-marker", "true");
    if (id.len && !(is_put && str_eq(id, STR("null"))))
        s3_reply_header(c, "x-amz-version-id", id);
}

/* ---- storage classes --------------------------------------------------------------- */

struct str s3_storage_class(const struct record *r)
{
    struct str value = attrs_get(record_attrs(r), ATTR_STORAGE_CLASS);
    return value.ptr ? value : STR("STANDARD");
}

bool s3_is_archived(const struct record *r)
{
    struct str class = attrs_get(record_attrs(r), ATTR_STORAGE_CLASS);
    return str_eq(class, STR("GLACIER")) || str_eq(class, STR("DEEP_ARCHIVE"));
}

/* ---- checksums --------------------------------------------------------------------- */

/* The longest digest in base64, and "-4294967295". */
#define CHECKSUM_TEXT_SIZE (88 + 11 + 1)

static struct str checksum_text(const struct checksum *sum, uint32_t parts,
                                char out[CHECKSUM_TEXT_SIZE])
{
    size_t size = checksum_size((enum checksum_alg)sum->alg), len = base64_length(size);
    base64_encode(out, sum->bytes, size);
    if (parts && sum->type == CHECKSUM_COMPOSITE)
        len += (size_t)snprintf(out + len, CHECKSUM_TEXT_SIZE - len, "-%u", parts);
    return str_of(out, len);
}

static struct str type_name(const struct checksum *sum)
{
    if (sum->type == CHECKSUM_TYPE_NONE)
        return STR_NONE;
    return sum->type == CHECKSUM_COMPOSITE ? STR("COMPOSITE") : STR("FULL_OBJECT");
}

void s3_reply_checksum_headers(struct s3_call *c, const struct checksum *sum, uint32_t parts)
{
    if (sum->alg == CHECKSUM_NONE)
        return;
    char text[CHECKSUM_TEXT_SIZE];
    s3_reply_header(c, checksum_header((enum checksum_alg)sum->alg).ptr,
                    checksum_text(sum, parts, text));
    if (type_name(sum).ptr)
        s3_reply_kept_header(c, "x-amz-checksum-type", type_name(sum).ptr);
}

void xml_checksum(struct buf *b, const struct checksum *sum, uint32_t parts, bool with_type)
{
    if (sum->alg == CHECKSUM_NONE)
        return;
    struct str element = checksum_element((enum checksum_alg)sum->alg);
    char text[CHECKSUM_TEXT_SIZE];
    buf_add_char(b, '<');
    buf_add(b, element);
    buf_add_char(b, '>');
    buf_add(b, checksum_text(sum, parts, text));
    buf_add(b, STR("</"));
    buf_add(b, element);
    buf_add_char(b, '>');
    if (with_type && type_name(sum).ptr)
        xml_text(b, "ChecksumType", type_name(sum));
}
