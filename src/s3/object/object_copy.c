/* SPDX-License-Identifier: MIT */
/* object_copy.c - CopyObject. The copy is a new record that shares the source's bytes; only an
 * MD5 or a checksum that the source does not have makes us read them.
 * Sources: aws-recorded test_s3_copy_*, test_multipart_copy_object_etag, test_copy_object_kms.
 */
#include "s3/body/encryption.h"
#include "s3/body/source_digest.h"
#include "s3/object/object.h"
#include "s3/object/user_metadata.h"

struct copy {
    struct copy_source source;
    struct record *from;
    struct buf attrs;
    struct write_conditions conditions;
    bool replace_metadata, replace_tags;
    struct record_spec spec;
    struct source_digest digest;
};

static enum s3_err read_directive(struct s3_call *c, struct str header, const char *error,
                                  bool *replace)
{
    struct str value = s3_header(c, header);
    *replace = str_eq(value, STR("REPLACE"));
    if (!value.ptr || *replace || str_eq(value, STR("COPY")))
        return S3_OK;
    return s3_invalid_argument(c, error, header, value);
}

/* An object may be copied onto itself only to change something: without headers its encryption
 * becomes AES256 (aws-recorded: test_s3_copy_object_in_place_with_encryption). An older version
 * may always be copied over the current one. */
static enum s3_err check_self_copy(struct s3_call *c, const struct copy *copy)
{
    static const char *const changes[] = {
        "x-amz-storage-class", "x-amz-website-redirect-location",
        "x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm"};
    if (!str_eq(copy->source.at.bucket, c->at.bucket) ||
        !str_eq(copy->source.at.key, c->at.key) || copy->source.version.ptr ||
        copy->replace_metadata || !attrs_etag_is_md5(record_attrs(copy->from)))
        return S3_OK;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        if (s3_header(c, str_c(changes[i])).ptr)
            return S3_OK;
    return s3_fail_message(c, S3_INVALID_REQUEST,
                           "This copy request is illegal because it is trying to copy an "
                           "object to itself without changing the object's metadata, storage "
                           "class, website redirect location or encryption attributes.");
}

/* ---- attributes: some follow the source, some the request, by the directives ------- */

static void copy_metadata(const struct record *from, struct buf *attrs)
{
    size_t at = 0;
    enum attr attr;
    struct str name, value;
    while (attrs_next(record_attrs(from), &at, &attr, &name, &value)) {
        if (attr == ATTR_META)
            attrs_add_meta(attrs, name, value);
        else if (attr >= ATTR_CONTENT_TYPE && attr <= ATTR_EXPIRES)
            attrs_add(attrs, attr, value);
    }
}

static enum s3_err add_metadata(struct s3_call *c, struct copy *copy)
{
    if (!copy->replace_metadata) {
        /* What is not taken is judged all the same. */
        AUTO_BUF(unused, ATTRS_MAX);
        if (s3_attrs_from_user_metadata(c, &unused))
            return c->err;
        copy_metadata(copy->from, &copy->attrs);
        return S3_OK;
    }
    if (s3_attrs_from_system_headers(c, &copy->attrs) ||
        s3_attrs_from_user_metadata(c, &copy->attrs))
        return c->err;
    return S3_OK;
}

static enum s3_err add_tags(struct s3_call *c, struct copy *copy)
{
    struct str tags = attrs_get(record_attrs(copy->from), ATTR_TAGGING);
    if (copy->replace_tags)
        return s3_attrs_from_tagging(c, &copy->attrs);
    if (tags.ptr)
        attrs_add(&copy->attrs, ATTR_TAGGING, tags);
    return S3_OK;
}

/* Storage class, redirect and encryption are never copied: S3 takes them from the request. */
static enum s3_err build_attrs(struct s3_call *c, struct copy *copy)
{
    if (add_metadata(c, copy) || s3_attrs_from_storage_class(c, &copy->attrs) ||
        s3_attrs_from_redirect(c, &copy->attrs) || s3_attrs_from_encryption(c, &copy->attrs) ||
        add_tags(c, copy))
        return c->err;
    return buf_ok(&copy->attrs) ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for attributes");
}

/* ---- digests ----------------------------------------------------------------------- */

static enum s3_err choose_checksum(struct s3_call *c, const struct record *from,
                                   struct checksum *sum)
{
    struct str name = s3_header(c, STR("x-amz-checksum-algorithm"));
    enum checksum_alg alg = checksum_by_name(name);
    record_checksum(from, sum);
    if (name.ptr && alg == CHECKSUM_NONE)
        return payload_unsupported_algorithm(c);
    if (!name.ptr)
        alg = sum->alg == CHECKSUM_NONE ? CHECKSUM_CRC64NVME : (enum checksum_alg)sum->alg;
    /* A copy is one object, whatever its source was made of: no COMPOSITE value fits it. */
    if (sum->alg != alg || sum->type != CHECKSUM_FULL_OBJECT)
        *sum = (struct checksum){.alg = (uint8_t)alg};
    return S3_OK;
}

/* A plain object's ETag is the MD5 of its bytes; that of a multipart upload or of one under a
 * key is not, and S3 gives the copy one that is. */
static bool has_md5(const struct record *from, uint8_t md5[MD5_SIZE])
{
    char text[ETAG_SIZE];
    struct str etag = record_etag(from, text);
    return !record_part_count(from) && attrs_etag_is_md5(record_attrs(from)) &&
           hex_decode_exact(str_of(etag.ptr + 1, etag.len - 2), md5, MD5_SIZE);
}

static enum s3_err begin_digests(struct s3_call *c, struct copy *copy)
{
    struct record_spec *spec = &copy->spec;
    if (choose_checksum(c, copy->from, &spec->checksum))
        return c->err;
    bool wants_sum = spec->checksum.type == CHECKSUM_TYPE_NONE;
    source_digest_begin(&copy->digest, copy->from, 0, record_size(copy->from),
                        !has_md5(copy->from, spec->md5),
                        wants_sum ? (enum checksum_alg)spec->checksum.alg : CHECKSUM_NONE);
    return S3_OK;
}

static void end_digests(struct copy *copy)
{
    if (copy->digest.md5.alg != CHECKSUM_NONE)
        digest_final(&copy->digest.md5, copy->spec.md5);
    if (copy->digest.sum.alg != CHECKSUM_NONE) {
        copy->spec.checksum.type = CHECKSUM_FULL_OBJECT;
        digest_final(&copy->digest.sum, copy->spec.checksum.bytes);
    }
}

static enum s3_err build_record(struct s3_call *c, struct copy *copy, struct record **out)
{
    copy->spec.key = c->at.key;
    copy->spec.mtime_ns = clock_now_ns();
    copy->spec.attrs = buf_str(&copy->attrs);
    s3_hide_md5(copy->spec.attrs, copy->spec.md5);
    struct body *body = record_body(c->options->store, copy->from);
    *out = body ? record_new(c->options->store, &copy->spec, body) : NULL;
    return *out ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for a copy");
}

/* ---- the operation ----------------------------------------------------------------- */

static enum s3_err reply_copied(struct s3_call *c, const struct copy *copy,
                                const struct record *r)
{
    char etag[ETAG_SIZE], version[VERSION_ID_SIZE];
    struct checksum sum;
    struct str id = record_version_id(copy->from, version);
    /* The null version is named only to who named it (aws-recorded
     * ..._in_place_suspended_only). */
    if (id.ptr && (copy->source.version.ptr || !str_eq(id, STR("null"))))
        s3_reply_header(c, "x-amz-copy-source-version-id", id);
    s3_reply_encryption_headers(c, buf_str(&copy->attrs));
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<CopyObjectResult xmlns=\"" S3_XMLNS "\">"));
    xml_time(xml, "LastModified", record_mtime_ns(r));
    xml_text(xml, "ETag", record_etag(r, etag));
    record_checksum(r, &sum);
    xml_checksum(xml, &sum, 0, true);
    buf_add(xml, STR("</CopyObjectResult>"));
    return s3_xml_done(c);
}

static enum s3_err prepare(struct s3_call *c, struct copy *copy)
{
    if (s3_check_write_headers(c) || s3_copy_source(c, &copy->source) ||
        read_directive(c, STR("x-amz-metadata-directive"), "Unknown metadata directive.",
                       &copy->replace_metadata) ||
        read_directive(c, STR("x-amz-tagging-directive"), "Unknown tagging directive.",
                       &copy->replace_tags) ||
        s3_write_conditions(c, &copy->conditions) ||
        s3_copy_source_record(c, &copy->source, &copy->from) ||
        s3_check_copy_size(c, record_size(copy->from)))
        return c->err;
    return check_self_copy(c, copy);
}

static enum s3_err publish(struct s3_call *c, struct copy *copy)
{
    struct write_result result = {0};
    AUTO(record) r = NULL;
    if (build_record(c, copy, &r))
        return c->err;
    enum s3_err err =
        object_put(c->branch, c->at.bucket, record_ref(r), &copy->conditions, &result);
    if (err)
        return s3_write_failed(c, err, &copy->conditions);
    record_unref(result.old);
    s3_reply_write_result(c, &result);
    return reply_copied(c, copy, r);
}

static enum s3_err read_source(struct s3_call *c)
{
    struct copy *copy = c->state;
    if (!source_digest_turn(&copy->digest))
        return s3_later(c, read_source);
    end_digests(copy);
    return publish(c, copy);
}

static void free_copy(void *state)
{
    struct copy *copy = state;
    source_digest_release(&copy->digest);
    record_unref(copy->from);
    buf_release(&copy->attrs);
}

enum s3_err op_copy_object(struct s3_call *c)
{
    struct copy *copy = s3_alloc(c, sizeof(*copy));
    *copy = (struct copy){0};
    buf_init(&copy->attrs, ATTRS_MAX);
    c->state = copy;
    c->state_free = free_copy;
    return prepare(c, copy) || begin_digests(c, copy) || build_attrs(c, copy) ? c->err
                                                                              : read_source(c);
}
