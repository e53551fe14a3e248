/* SPDX-License-Identifier: MIT */
/* multipart.c - CreateMultipartUpload, UploadPart, AbortMultipartUpload.
 * Sources: aws-recorded TestS3Multipart*, TestS3MultipartUploadChecksum; AWS API reference. */
#include "s3/upload/multipart.h"

#include "s3/body/encryption.h"
#include "s3/object/object.h"

enum s3_err multipart_upload(struct s3_call *c, struct upload **out)
{
    enum s3_err err = upload_get(out, c->branch, &c->at, s3_param(c, STR("uploadId")));
    return err ? s3_fail(c, err, "upload") : S3_OK;
}

const char *multipart_alg_name(struct s3_call *c, enum checksum_alg alg)
{
    if (alg == CHECKSUM_NONE)
        return "null";
    struct str name = checksum_name(alg);
    char *lower = s3_alloc(c, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        lower[i] =
            (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
    lower[name.len] = '\0';
    return lower;
}

const char *multipart_type_name(enum checksum_type type)
{
    return type == CHECKSUM_COMPOSITE     ? "COMPOSITE"
           : type == CHECKSUM_FULL_OBJECT ? "FULL_OBJECT"
                                          : "null";
}

enum checksum_type multipart_default_type(enum checksum_alg alg)
{
    return checksum_can_composite(alg) ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
}

enum s3_err multipart_checksum_type(struct s3_call *c, enum checksum_type *type)
{
    struct str text = s3_header(c, STR("x-amz-checksum-type"));
    *type = str_eq_nocase(text, STR("COMPOSITE"))     ? CHECKSUM_COMPOSITE
            : str_eq_nocase(text, STR("FULL_OBJECT")) ? CHECKSUM_FULL_OBJECT
                                                      : CHECKSUM_TYPE_NONE;
    if (!text.ptr || *type != CHECKSUM_TYPE_NONE)
        return S3_OK;
    return s3_fail_message(c, S3_INVALID_REQUEST,
                           "Value for x-amz-checksum-type header is invalid.");
}

/* ---- CreateMultipartUpload --------------------------------------------------------- */

static enum s3_err read_checksum_type(struct s3_call *c, struct upload_spec *spec)
{
    enum checksum_alg alg = spec->checksum_alg;
    enum checksum_type type;
    if (multipart_checksum_type(c, &type))
        return c->err;
    if (type == CHECKSUM_TYPE_NONE && alg != CHECKSUM_NONE)
        type = multipart_default_type(alg);
    spec->checksum_type = type;
    if (type == CHECKSUM_TYPE_NONE)
        return S3_OK;
    if (alg == CHECKSUM_NONE)
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The x-amz-checksum-type header can only be used with the "
                               "x-amz-checksum-algorithm header.");
    if (type == CHECKSUM_FULL_OBJECT ? checksum_can_combine(alg) : checksum_can_composite(alg))
        return S3_OK;
    return s3_fail_message(
        c, S3_INVALID_REQUEST,
        "The %s checksum type cannot be used with the %s checksum algorithm.",
        multipart_type_name(type), multipart_alg_name(c, alg));
}

static enum s3_err read_checksum_choice(struct s3_call *c, struct upload_spec *spec)
{
    struct str name = s3_header(c, STR("x-amz-checksum-algorithm"));
    if (name.ptr) {
        spec->checksum_alg = checksum_by_name(name);
        if (spec->checksum_alg == CHECKSUM_NONE)
            return payload_unsupported_algorithm(c);
    }
    return read_checksum_type(c, spec);
}

enum s3_err op_create_multipart_upload(struct s3_call *c)
{
    struct upload_spec spec = {
        .key = c->at.key, .initiated_ns = clock_now_ns(), .owner = c->owner};
    char id[UPLOAD_ID_SIZE];
    AUTO_BUF(attrs, ATTRS_MAX);
    if (read_checksum_choice(c, &spec) || s3_attrs_from_headers(c, &attrs))
        return c->err;
    spec.attrs = buf_str(&attrs);
    enum s3_err err = upload_create(c->branch, c->at.bucket, &spec, id);
    if (err)
        return s3_fail(c, err, "upload_create");

    if (spec.checksum_alg != CHECKSUM_NONE) {
        s3_reply_kept_header(c, "x-amz-checksum-algorithm",
                             checksum_name(spec.checksum_alg).ptr);
        s3_reply_kept_header(c, "x-amz-checksum-type", multipart_type_name(spec.checksum_type));
    }
    s3_reply_encryption_headers(c, spec.attrs);
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<InitiateMultipartUploadResult xmlns=\"" S3_XMLNS "\">"));
    xml_text(xml, "Bucket", c->at.bucket);
    xml_text(xml, "Key", c->at.key);
    xml_text(xml, "UploadId", str_c(id));
    buf_add(xml, STR("</InitiateMultipartUploadResult>"));
    return s3_xml_done(c);
}

/* ---- UploadPart -------------------------------------------------------------------- */

enum s3_err multipart_part_number(struct s3_call *c, uint32_t *number)
{
    struct str text = s3_param(c, STR("partNumber"));
    uint64_t value;
    if (!str_to_u64(text, &value) || value < 1 || value > PART_NUMBER_MAX)
        return s3_invalid_argument(
            c, "Part number must be an integer between 1 and 10000, inclusive",
            STR("partNumber"), text);
    *number = (uint32_t)value;
    return S3_OK;
}

/* A part of a COMPOSITE upload must bring its checksum, that of a FULL_OBJECT one is computed
 * (versitygw issue 1342). */
static enum s3_err check_part_algorithm(struct s3_call *c, const struct upload *upload)
{
    const struct payload *p = &c->payload;
    bool given = p->claimed.alg != CHECKSUM_NONE || p->claimed_in_trailer;
    enum checksum_alg expected = upload_checksum_alg(upload);
    enum checksum_alg actual = given ? p->sum.alg : CHECKSUM_NONE;
    if (expected == CHECKSUM_NONE || expected == actual ||
        (!given && upload_checksum_type(upload) == CHECKSUM_FULL_OBJECT))
        return S3_OK;
    return s3_fail_message(
        c, S3_INVALID_REQUEST,
        "Checksum Type mismatch occurred, expected checksum Type: %s, actual "
        "checksum Type: %s",
        multipart_alg_name(c, expected), multipart_alg_name(c, actual));
}

static void unref_upload(void *upload)
{
    upload_unref(upload);
}

enum s3_err begin_upload_part(struct s3_call *c)
{
    struct upload *upload;
    uint32_t number;
    if (multipart_part_number(c, &number) || multipart_upload(c, &upload))
        return c->err;
    c->state = upload;
    c->state_free = unref_upload;
    enum checksum_alg alg = upload_checksum_alg(upload);
    if (s3_check_part_encryption(c, upload_attrs(upload)) ||
        payload_begin(c, alg == CHECKSUM_NONE ? CHECKSUM_CRC64NVME : alg, true) ||
        check_part_algorithm(c, upload))
        return c->err;
    if (alg == CHECKSUM_NONE)
        payload_add_crc64(&c->payload);
    return payload_into_body(c);
}

enum s3_err op_upload_part(struct s3_call *c)
{
    struct payload *p = &c->payload;
    struct part part = {.size = p->received,
                        .mtime_ns = clock_now_ns(),
                        .checksum = p->has_crc64 ? p->crc64_value : p->checksum,
                        .body = TAKE(p->body)};
    if (multipart_part_number(c, &part.number)) {
        body_unref(part.body);
        return c->err;
    }
    memcpy(part.md5, p->md5_value, MD5_SIZE);
    s3_hide_md5(upload_attrs(c->state), part.md5);
    enum s3_err err = upload_put_part(c->branch, &c->at, s3_param(c, STR("uploadId")), &part);
    if (err)
        return s3_fail(c, err, "upload_put_part");
    AUTO_BUF(etag, ETAG_SIZE);
    buf_add_char(&etag, '"');
    buf_add_hex(&etag, str_of((const char *)part.md5, MD5_SIZE));
    buf_add_char(&etag, '"');
    s3_reply_header(c, "ETag", buf_str(&etag));
    struct checksum sum = p->checksum;
    sum.type = CHECKSUM_TYPE_NONE; /* UploadPart names no x-amz-checksum-type */
    s3_reply_checksum_headers(c, &sum, 0);
    s3_reply_encryption_headers(c, upload_attrs(c->state));
    return s3_reply_empty(c, 200);
}

/* ---- AbortMultipartUpload ---------------------------------------------------------- */

/* The condition is for directory buckets only (AWS API AbortMultipartUpload). */
enum s3_err op_abort_multipart_upload(struct s3_call *c)
{
    if (s3_header(c, STR("x-amz-if-match-initiated-time")).ptr)
        return s3_refuse_header(c, "x-amz-if-match-initiated-time");
    enum s3_err err = upload_abort(c->branch, &c->at, s3_param(c, STR("uploadId")));
    return err ? s3_fail(c, err, "upload_abort") : s3_reply_empty(c, 204);
}
