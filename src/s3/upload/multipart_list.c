/* SPDX-License-Identifier: MIT */
/* multipart_list.c - ListParts and ListMultipartUploads.
 * Sources: aws-recorded listing.json (list parts, list multiparts), AWS API reference. */
#include "s3/list/listing.h"
#include "s3/upload/multipart.h"

#define PARTS_MAX   1000
#define UPLOADS_MAX 1000

static void xml_person(struct buf *xml, const char *element, struct str owner,
                       bool display_name)
{
    buf_add_char(xml, '<');
    buf_add_c(xml, element);
    buf_add_char(xml, '>');
    xml_text(xml, "ID", owner_id(owner));
    if (display_name)
        xml_text(xml, "DisplayName", owner_display_name(owner));
    buf_add(xml, STR("</"));
    buf_add_c(xml, element);
    buf_add_char(xml, '>');
}

/* Owner has an ID only: S3 stopped sending its DisplayName in 2025, and never Initiator's. */
static void xml_upload_people(struct buf *xml, const struct upload *u)
{
    struct str storage = attrs_get(upload_attrs(u), ATTR_STORAGE_CLASS);
    xml_person(xml, "Initiator", upload_owner(u), true);
    xml_person(xml, "Owner", upload_owner(u), false);
    xml_text(xml, "StorageClass", storage.ptr ? storage : STR("STANDARD"));
}

static void xml_upload_checksum(struct buf *xml, const struct upload *u)
{
    if (upload_checksum_alg(u) == CHECKSUM_NONE)
        return;
    xml_text(xml, "ChecksumAlgorithm", checksum_name(upload_checksum_alg(u)));
    xml_text(xml, "ChecksumType", str_c(multipart_type_name(upload_checksum_type(u))));
}

/* ---- ListParts --------------------------------------------------------------------- */

static void xml_part(struct buf *xml, const struct part *part, bool with_checksum)
{
    buf_add(xml, STR("<Part>"));
    xml_u64(xml, "PartNumber", part->number);
    xml_time(xml, "LastModified", part->mtime_ns);
    buf_add(xml, STR("<ETag>&quot;"));
    buf_add_hex(xml, str_of((const char *)part->md5, MD5_SIZE));
    buf_add(xml, STR("&quot;</ETag>"));
    xml_u64(xml, "Size", part->size);
    if (with_checksum)
        xml_checksum(xml, &part->checksum, 0, false);
    buf_add(xml, STR("</Part>"));
}

enum s3_err op_list_parts(struct s3_call *c)
{
    AUTO(upload) u = NULL;
    uint32_t max = PARTS_MAX, marker = 0, last = 0, listed = 0;
    if (multipart_upload(c, &u) || s3_param_count(c, STR("max-parts"), PARTS_MAX, &max) ||
        s3_param_count(c, STR("part-number-marker"), INT32_MAX, &marker))
        return c->err;
    AUTO_BUF(parts, MiB(8));
    const struct part *part = upload_part_from(u, marker + 1);
    bool with_checksum = upload_checksum_alg(u) != CHECKSUM_NONE;
    for (; part && listed < max; part = upload_part_from(u, part->number + 1)) {
        xml_part(&parts, part, with_checksum);
        last = part->number;
        listed++;
    }
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<ListPartsResult xmlns=\"" S3_XMLNS "\">"));
    xml_text(xml, "Bucket", c->at.bucket);
    xml_text(xml, "Key", c->at.key);
    xml_text(xml, "UploadId", upload_id(u));
    xml_u64(xml, "PartNumberMarker", marker);
    xml_u64(xml, "NextPartNumberMarker", last);
    xml_u64(xml, "MaxParts", max);
    xml_bool(xml, "IsTruncated", part != NULL && max > 0);
    buf_add(xml, buf_str(&parts));
    xml_upload_people(xml, u);
    xml_upload_checksum(xml, u);
    buf_add(xml, STR("</ListPartsResult>"));
    return s3_xml_done(c);
}

/* ---- ListMultipartUploads ---------------------------------------------------------- */

struct uploads_page {
    struct list_rest rest;
    struct listing_query query;
    struct listing *listing;
    uint32_t max, count;
    struct str encoding; /* encoding-type as sent, or STR_NONE */
    bool encode;         /* it was */
    struct buf body;     /* Upload elements ... */
    struct buf prefixes; /* ... and CommonPrefixes */
    struct str next_key, next_id;
    bool truncated;
};

static void add_upload(struct uploads_page *page, const struct upload *u)
{
    struct buf *xml = &page->body;
    buf_add(xml, STR("<Upload>"));
    list_text(xml, page->encode, "Key", upload_key(u));
    xml_text(xml, "UploadId", upload_id(u));
    xml_upload_people(xml, u);
    xml_time(xml, "Initiated", upload_initiated_ns(u));
    xml_upload_checksum(xml, u);
    buf_add(xml, STR("</Upload>"));
}

static enum s3_err read_uploads_query(struct s3_call *c, struct uploads_page *page)
{
    struct listing_query *q = &page->query;
    page->max = UPLOADS_MAX;
    if (list_encoding(c, &page->encoding))
        return c->err;
    page->encode = page->encoding.ptr;
    if (s3_param_count(c, STR("max-uploads"), UPLOADS_MAX, &page->max))
        return c->err;
    *q = (struct listing_query){.kind = LIST_UPLOADS,
                                .bucket = c->at.bucket,
                                .prefix = s3_param(c, STR("prefix")),
                                .delimiter = s3_param(c, STR("delimiter")),
                                .after = s3_param(c, STR("key-marker"))};
    struct str id = s3_param(c, STR("upload-id-marker"));
    if (q->after.len && id.len) { /* without a key-marker S3 ignores it */
        struct target at = {c->at.bucket, q->after};
        AUTO(upload) u = NULL;
        if (upload_get(&u, c->branch, &at, id))
            return s3_invalid_argument(c, "Invalid uploadId marker", STR("upload-id-marker"),
                                       id);
        q->after_id = id;
    }
    return S3_OK;
}

static enum s3_err reply_uploads(struct s3_call *c, struct uploads_page *page)
{
    struct listing_query *q = &page->query;
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<ListMultipartUploadsResult xmlns=\"" S3_XMLNS "\">"));
    xml_text(xml, "Bucket", c->at.bucket);
    list_text(xml, page->encode, "KeyMarker", q->after);
    xml_text(xml, "UploadIdMarker", q->after_id);
    list_text(xml, page->encode, "NextKeyMarker", page->next_key);
    xml_text(xml, "NextUploadIdMarker", page->next_id);
    if (q->delimiter.len)
        list_text(xml, page->encode, "Delimiter", q->delimiter);
    if (q->prefix.len)
        list_text(xml, page->encode, "Prefix", q->prefix);
    if (page->encode)
        xml_text(xml, "EncodingType", page->encoding);
    xml_u64(xml, "MaxUploads", page->max);
    xml_bool(xml, "IsTruncated", page->truncated);
    if (!buf_ok(&page->body) || !buf_ok(&page->prefixes))
        return s3_fail(c, S3_INTERNAL_ERROR, "listing too large");
    page->rest = (struct list_rest){buf_str(&page->body), buf_str(&page->prefixes),
                                    STR("</ListMultipartUploadsResult>")};
    buf_reserve(xml, page->body.len + page->prefixes.len + page->rest.end.len);
    return list_copy_rest(c);
}

static enum s3_err collect_uploads(struct s3_call *c)
{
    struct uploads_page *page = c->state;
    struct listing_entry entry;
    size_t stop = page->body.len + page->prefixes.len + LIST_TURN_BYTES;
    for (; listing_next(page->listing, &entry); page->count++) {
        if (page->count == page->max) {
            page->truncated = page->max > 0;
            break;
        }
        if (entry.common_prefix.ptr) {
            buf_add(&page->prefixes, STR("<CommonPrefixes>"));
            list_text(&page->prefixes, page->encode, "Prefix", entry.common_prefix);
            buf_add(&page->prefixes, STR("</CommonPrefixes>"));
        } else {
            add_upload(page, entry.upload);
            page->next_key = upload_key(entry.upload);
            page->next_id = upload_id(entry.upload);
        }
        if (page->body.len + page->prefixes.len >= stop) {
            page->count++;
            return s3_later(c, collect_uploads);
        }
    }
    return reply_uploads(c, page);
}

static void release_uploads(void *state)
{
    struct uploads_page *page = state;
    listing_close(page->listing);
    buf_release(&page->body);
    buf_release(&page->prefixes);
}

enum s3_err op_list_multipart_uploads(struct s3_call *c)
{
    struct uploads_page *page = s3_alloc(c, sizeof(*page));
    *page = (struct uploads_page){.next_key = STR(""), .next_id = STR("")};
    buf_init(&page->body, MiB(16));
    buf_init(&page->prefixes, MiB(16));
    c->state = page;
    c->state_free = release_uploads;
    if (read_uploads_query(c, page))
        return c->err;
    AUTO(root) root = branch_root(c->branch);
    enum s3_err err = listing_open(&page->listing, root, &page->query);
    return err ? s3_fail(c, err, "listing_open") : collect_uploads(c);
}
