/* SPDX-License-Identifier: MIT */
/* object_attributes.c - GetObjectAttributes.
 * Sources: botocore's model (PartsCount is what it calls TotalPartsCount), aws-recorded
 * test_get_object_attributes*, TestS3MultipartUploadChecksum (only COMPOSITE uploads list
 * parts). */
#include "s3/body/encryption.h"
#include "s3/object/object.h"

#define PARTS_MAX 1000

enum attribute {
    WANT_ETAG = 1 << 0,
    WANT_CHECKSUM = 1 << 1,
    WANT_PARTS = 1 << 2,
    WANT_STORAGE_CLASS = 1 << 3,
    WANT_SIZE = 1 << 4,
};

static const struct {
    struct str name;
    unsigned bit;
} attribute_names[] = {
    {STR("ETag"), WANT_ETAG},         {STR("Checksum"), WANT_CHECKSUM},
    {STR("ObjectParts"), WANT_PARTS}, {STR("StorageClass"), WANT_STORAGE_CLASS},
    {STR("ObjectSize"), WANT_SIZE},
};

struct parts_page {
    uint32_t max_parts, marker;
};

static unsigned attribute_bit(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(attribute_names); i++)
        if (str_eq(name, attribute_names[i].name))
            return attribute_names[i].bit;
    return 0;
}

/* A list, in one header or several. */
static enum s3_err read_attributes(struct s3_call *c, unsigned *wanted)
{
    struct str header = STR("x-amz-object-attributes"), part;
    *wanted = 0;
    for (size_t i = 0; i < c->header_count; i++) {
        struct str list = c->headers[i].value;
        if (!str_eq_nocase(c->headers[i].name, header))
            continue;
        while (str_split(&list, ',', &part)) {
            unsigned bit = attribute_bit(str_trim(part));
            if (!bit)
                return s3_invalid_argument(c, "Invalid attribute name specified.", header,
                                           str_trim(part));
            *wanted |= bit;
        }
    }
    if (!*wanted)
        return s3_invalid_argument(c, "Invalid attribute name specified.", header, STR(""));
    return S3_OK;
}

static enum s3_err read_number(struct s3_call *c, struct str header, uint32_t max,
                               uint32_t *out)
{
    struct str text = s3_header(c, header);
    uint64_t value;
    if (!text.ptr)
        return S3_OK;
    if (!str_to_u64(text, &value) || value > INT32_MAX)
        return s3_invalid_argument(
            c,
            s3_printf(c, "Provided %s not an integer or within integer range", header.ptr).ptr,
            header, text);
    *out = value < max ? (uint32_t)value : max;
    return S3_OK;
}

static enum s3_err read_page(struct s3_call *c, struct parts_page *page)
{
    *page = (struct parts_page){.max_parts = PARTS_MAX};
    if (read_number(c, STR("x-amz-max-parts"), PARTS_MAX, &page->max_parts) ||
        read_number(c, STR("x-amz-part-number-marker"), PART_NUMBER_MAX, &page->marker))
        return c->err;
    return S3_OK;
}

/* ---- the document ------------------------------------------------------------------ */

static void add_part(struct buf *xml, const struct part_info *part)
{
    buf_add(xml, STR("<Part>"));
    xml_u64(xml, "PartNumber", part->number);
    xml_u64(xml, "Size", part->size);
    xml_checksum(xml, &part->checksum, 0, false);
    buf_add(xml, STR("</Part>"));
}

/* First position whose part number is behind the marker. */
static uint32_t position_after(const struct record *r, uint32_t marker)
{
    struct part_info part;
    uint64_t offset;
    uint32_t low = 0, high = record_part_count(r);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (record_part(r, middle, &part, &offset) && part.number <= marker)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_part_list(struct buf *xml, const struct record *r,
                          const struct parts_page *page)
{
    uint32_t first = position_after(r, page->marker), count = record_part_count(r) - first;
    uint32_t listed = count < page->max_parts ? count : page->max_parts;
    uint32_t last_number = 0; /* of an empty page: aws-recorded */
    AUTO_BUF(parts, MiB(1));
    for (uint32_t i = 0; i < listed; i++) {
        struct part_info part;
        uint64_t offset;
        if (!record_part(r, first + i, &part, &offset))
            break;
        add_part(&parts, &part);
        last_number = part.number;
    }
    xml_u64(xml, "PartNumberMarker", page->marker);
    xml_u64(xml, "NextPartNumberMarker", last_number);
    xml_u64(xml, "MaxParts", page->max_parts);
    xml_bool(xml, "IsTruncated", listed < count);
    buf_add_buf(xml, &parts);
}

static void add_parts(struct buf *xml, const struct record *r, const struct checksum *sum,
                      const struct parts_page *page)
{
    if (!record_part_count(r))
        return;
    buf_add(xml, STR("<ObjectParts>"));
    xml_u64(xml, "PartsCount", record_part_count(r));
    if (sum->type == CHECKSUM_COMPOSITE)
        add_part_list(xml, r, page);
    buf_add(xml, STR("</ObjectParts>"));
}

static void add_etag(struct buf *xml, const struct record *r)
{
    char text[ETAG_SIZE];
    struct str etag = record_etag(r, text);
    xml_text(xml, "ETag", str_of(etag.ptr + 1, etag.len - 2)); /* without quotes, only here */
}

static enum s3_err reply_attributes(struct s3_call *c, const struct record *r, unsigned wanted,
                                    const struct parts_page *page)
{
    struct buf *xml = s3_reply_xml(c);
    struct checksum sum;
    record_checksum(r, &sum);
    buf_add(xml, STR("<GetObjectAttributesResponse xmlns=\"" S3_XMLNS "\">"));
    if (wanted & WANT_ETAG)
        add_etag(xml, r);
    if ((wanted & WANT_CHECKSUM) && sum.alg != CHECKSUM_NONE) {
        buf_add(xml, STR("<Checksum>"));
        xml_checksum(xml, &sum, 0, true);
        buf_add(xml, STR("</Checksum>"));
    }
    if (wanted & WANT_PARTS)
        add_parts(xml, r, &sum, page);
    if (wanted & WANT_STORAGE_CLASS)
        xml_text(xml, "StorageClass", s3_storage_class(r));
    if (wanted & WANT_SIZE)
        xml_u64(xml, "ObjectSize", record_size(r));
    buf_add(xml, STR("</GetObjectAttributesResponse>"));
    return s3_xml_done(c);
}

enum s3_err op_get_object_attributes(struct s3_call *c)
{
    struct parts_page page;
    unsigned wanted;
    AUTO(record) r = NULL;
    enum versioning versioning;
    char date[HTTP_DATE_SIZE];
    if (read_attributes(c, &wanted) || read_page(c, &page) ||
        s3_find_object(c, &r, &versioning) || s3_check_customer_key(c, "x-amz-", r))
        return c->err;
    clock_format_http(record_mtime_ns(r), date);
    s3_reply_header(c, "Last-Modified", str_c(date));
    s3_reply_version_id(c, r, versioning);
    return reply_attributes(c, r, wanted, &page);
}
