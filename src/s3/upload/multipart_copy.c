/* SPDX-License-Identifier: MIT */
/* multipart_copy.c - UploadPartCopy. A copied part shares its source's bytes, but has an ETag
 * and a checksum of its own: they are read once, where they are, in turns. Sources:
 * aws-recorded TestS3Multipart*, test_multipart_copy_*; AWS API reference. */
#include <inttypes.h>

#include "s3/body/encryption.h"
#include "s3/body/source_digest.h"
#include "s3/object/object.h"
#include "s3/upload/multipart.h"

struct part_copy {
    struct copy_source source;
    struct upload *upload;
    struct record *from;
    uint64_t first;
    struct part part;
    struct source_digest digest;
};

static void free_part_copy(void *state)
{
    struct part_copy *copy = state;
    source_digest_release(&copy->digest);
    record_unref(copy->from);
    upload_unref(copy->upload);
}

/* x-amz-copy-source-range: exactly bytes=first-last, both inside the source. */
static enum s3_err read_copy_range(struct s3_call *c, uint64_t size, uint64_t *first,
                                   uint64_t *len)
{
    struct str header = STR("x-amz-copy-source-range");
    struct str text = s3_header(c, header), range = str_from(text, 6), part;
    uint64_t last;
    *first = 0;
    *len = size;
    if (!text.len) /* LocalStack pull request 9635 */
        return S3_OK;
    if (!str_has_prefix(text, STR("bytes=")) || !str_split(&range, '-', &part) ||
        !str_to_u64(part, first) || !range.ptr || !str_to_u64(range, &last) || last < *first)
        return s3_invalid_argument(
            c,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where "
            "first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            header, text);
    if (*first >= size)
        return s3_fail_message(
            c, S3_INVALID_REQUEST,
            "The specified copy range is invalid for the source object size");
    if (last >= size)
        return s3_invalid_argument(
            c,
            s3_printf(c, "Range specified is not valid for source object of size: %" PRIu64,
                      size)
                .ptr,
            header, text);
    *len = last - *first + 1;
    return S3_OK;
}

static enum s3_err reply_copied_part(struct s3_call *c, const struct part *part,
                                     struct str attrs, bool with_checksum)
{
    s3_reply_encryption_headers(c, attrs);
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<CopyPartResult xmlns=\"" S3_XMLNS "\">"));
    xml_time(xml, "LastModified", part->mtime_ns);
    buf_add(xml, STR("<ETag>&quot;"));
    buf_add_hex(xml, str_of((const char *)part->md5, MD5_SIZE));
    buf_add(xml, STR("&quot;</ETag>"));
    if (with_checksum)
        xml_checksum(xml, &part->checksum, 0, false);
    buf_add(xml, STR("</CopyPartResult>"));
    return s3_xml_done(c);
}

static enum s3_err share_bytes(struct s3_call *c, struct part_copy *copy)
{
    AUTO(body) whole = record_body(c->options->store, copy->from);
    copy->part.body = whole ? body_range(whole, copy->first, copy->part.size) : NULL;
    return copy->part.body ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for a copied part");
}

static enum s3_err publish(struct s3_call *c, struct part_copy *copy)
{
    struct part *part = &copy->part;
    digest_final(&copy->digest.md5, part->md5);
    s3_hide_md5(upload_attrs(copy->upload), part->md5);
    part->checksum.alg = (uint8_t)copy->digest.sum.alg;
    part->checksum.type = CHECKSUM_FULL_OBJECT;
    digest_final(&copy->digest.sum, part->checksum.bytes);
    if (share_bytes(c, copy))
        return c->err;
    part->mtime_ns = clock_now_ns();
    enum s3_err err = upload_put_part(c->branch, &c->at, s3_param(c, STR("uploadId")), part);
    if (err)
        return s3_fail(c, err, "upload_put_part");
    char version[VERSION_ID_SIZE];
    struct str id = record_version_id(copy->from, version);
    if (copy->source.version.ptr || (id.ptr && !str_eq(id, STR("null"))))
        s3_reply_header(c, "x-amz-copy-source-version-id", id);
    return reply_copied_part(c, part, upload_attrs(copy->upload),
                             upload_checksum_alg(copy->upload) != CHECKSUM_NONE);
}

static enum s3_err read_source(struct s3_call *c)
{
    struct part_copy *copy = c->state;
    return source_digest_turn(&copy->digest) ? publish(c, copy) : s3_later(c, read_source);
}

enum s3_err op_upload_part_copy(struct s3_call *c)
{
    struct part_copy *copy = s3_alloc(c, sizeof(*copy));
    *copy = (struct part_copy){0};
    c->state = copy;
    c->state_free = free_part_copy;
    if (multipart_part_number(c, &copy->part.number) || multipart_upload(c, &copy->upload) ||
        s3_copy_source(c, &copy->source) ||
        s3_copy_source_record(c, &copy->source, &copy->from) ||
        read_copy_range(c, record_size(copy->from), &copy->first, &copy->part.size) ||
        s3_check_copy_size(c, copy->part.size))
        return c->err;
    enum checksum_alg alg = upload_checksum_alg(copy->upload);
    source_digest_begin(&copy->digest, copy->from, copy->first, copy->part.size, true,
                        alg == CHECKSUM_NONE ? CHECKSUM_CRC64NVME : alg);
    return read_source(c);
}
