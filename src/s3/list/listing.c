/* SPDX-License-Identifier: MIT */
/* listing.c - what the three listings of objects have in common: their parameters, the walk
 * over the store and the elements of an entry. Entries and common prefixes grow in buffers of
 * their own, because S3 says before them where the next page starts. */
#include "s3/list/listing.h"

#include "s3/bucket/bucket_rules.h"
#include "s3/object/object.h"

#define MAX_KEYS_DEFAULT 1000
#define PAGE_BYTES_MAX   MiB(16) /* 1000 keys of 1024 bytes, each six characters when escaped */

void list_text(struct buf *xml, bool url, const char *name, struct str text)
{
    if (!url) {
        xml_text(xml, name, text);
        return;
    }
    buf_add_char(xml, '<');
    buf_add_c(xml, name);
    buf_add_char(xml, '>');
    buf_add_listing_url(xml, text);
    buf_add(xml, STR("</"));
    buf_add_c(xml, name);
    buf_add_char(xml, '>');
}

/* ---- parameters -------------------------------------------------------------------- */

static struct str text_param(const struct s3_call *c, struct str name)
{
    struct str value = s3_param(c, name);
    return value.ptr ? value : STR("");
}

/* x-amz-optional-object-attributes: a list that may name RestoreStatus, the only one there is.
 */
static enum s3_err read_optional_attributes(struct s3_call *c, struct list_page *page)
{
    struct str name = STR("x-amz-optional-object-attributes");
    struct str list = s3_header(c, name), rest = list, one;
    while (rest.ptr && str_split(&rest, ',', &one)) {
        if (!str_eq(str_trim(one), STR("RestoreStatus")))
            return s3_invalid_argument(c, "Invalid attribute name specified", name, list);
        page->with_restore = true;
    }
    return S3_OK;
}

static void release_page(void *state)
{
    struct list_page *page = state;
    listing_close(page->listing);
    if (page->has_bucket)
        bucket_info_release(&page->bucket);
    buf_release(&page->entries);
    buf_release(&page->prefixes);
}

enum s3_err list_encoding(struct s3_call *c, struct str *out)
{
    struct str name = STR("encoding-type");
    *out = s3_param(c, name);
    if (out->ptr && !str_eq_nocase(*out, STR("url")))
        return s3_invalid_argument(c, "Invalid Encoding Method specified in Request", name,
                                   *out);
    return S3_OK;
}

enum s3_err list_page_begin(struct s3_call *c, struct list_page **out, enum listing_kind kind)
{
    struct list_page *page = *out = s3_alloc(c, sizeof(*page));
    *page = (struct list_page){.kind = kind};
    c->state = page;
    c->state_free = release_page;
    page->prefix = text_param(c, STR("prefix"));
    page->delimiter = text_param(c, STR("delimiter"));
    page->after = STR("");
    page->asked = MAX_KEYS_DEFAULT;
    buf_init(&page->entries, PAGE_BYTES_MAX);
    buf_init(&page->prefixes, PAGE_BYTES_MAX);
    if (list_encoding(c, &page->encoding))
        return c->err;
    page->url = page->encoding.ptr;
    if (s3_param_count(c, STR("max-keys"), INT32_MAX, &page->asked) ||
        read_optional_attributes(c, page))
        return c->err;
    page->max_keys = page->asked < MAX_KEYS_DEFAULT ? page->asked : MAX_KEYS_DEFAULT;
    enum s3_err err = bucket_get(c->branch, c->at.bucket, &page->bucket);
    if (err)
        return s3_fail(c, err, "listing");
    page->has_bucket = true;
    s3_reply_header(c, "x-amz-bucket-region", s3_bucket_region(&page->bucket));
    return S3_OK;
}

/* ---- entries ----------------------------------------------------------------------- */

static void write_version(struct buf *xml, const struct listing_entry *entry)
{
    char id[VERSION_ID_SIZE];
    struct str version = record_version_id(entry->record, id);
    xml_text(xml, "VersionId", version.ptr ? version : STR("null"));
    xml_bool(xml, "IsLatest", entry->is_latest);
}

/* ETag to StorageClass: what a delete marker does not have. */
static void write_content(struct buf *xml, const struct list_page *page,
                          const struct record *record, bool with_owner)
{
    char etag[ETAG_SIZE];
    struct checksum sum;
    xml_text(xml, "ETag", record_etag(record, etag));
    record_checksum(record, &sum);
    if (sum.alg != CHECKSUM_NONE) {
        xml_text(xml, "ChecksumAlgorithm", checksum_name((enum checksum_alg)sum.alg));
        xml_text(xml, "ChecksumType",
                 sum.type == CHECKSUM_COMPOSITE ? STR("COMPOSITE") : STR("FULL_OBJECT"));
    }
    xml_u64(xml, "Size", record_size(record));
    if (with_owner)
        xml_owner(xml, doc_str(page->bucket.owner));
    xml_text(xml, "StorageClass", s3_storage_class(record));
    /* Nothing can be restored yet, so no archived object is being restored. */
    if (page->with_restore && s3_is_archived(record))
        buf_add(xml, STR("<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
                         "</RestoreStatus>"));
}

static void write_object(struct list_page *page, const struct listing_entry *entry)
{
    struct buf *xml = &page->entries;
    buf_add(xml, STR("<Contents>"));
    list_text(xml, page->url, "Key", record_key(entry->record));
    xml_time(xml, "LastModified", record_mtime_ns(entry->record));
    write_content(xml, page, entry->record, page->with_owner);
    buf_add(xml, STR("</Contents>"));
}

static void write_delete_marker(struct list_page *page, const struct listing_entry *entry)
{
    struct buf *xml = &page->entries;
    buf_add(xml, STR("<DeleteMarker>"));
    list_text(xml, page->url, "Key", record_key(entry->record));
    write_version(xml, entry);
    xml_time(xml, "LastModified", record_mtime_ns(entry->record));
    xml_owner(xml, doc_str(page->bucket.owner));
    buf_add(xml, STR("</DeleteMarker>"));
}

static void write_object_version(struct list_page *page, const struct listing_entry *entry)
{
    struct buf *xml = &page->entries;
    buf_add(xml, STR("<Version>"));
    list_text(xml, page->url, "Key", record_key(entry->record));
    write_version(xml, entry);
    xml_time(xml, "LastModified", record_mtime_ns(entry->record));
    write_content(xml, page, entry->record, true);
    buf_add(xml, STR("</Version>"));
}

static void write_entry(struct list_page *page, const struct listing_entry *entry)
{
    if (entry->common_prefix.ptr) {
        buf_add(&page->prefixes, STR("<CommonPrefixes>"));
        list_text(&page->prefixes, page->url, "Prefix", entry->common_prefix);
        buf_add(&page->prefixes, STR("</CommonPrefixes>"));
    } else if (page->kind == LIST_OBJECTS) {
        write_object(page, entry);
    } else if (record_is_delete_marker(entry->record)) {
        write_delete_marker(page, entry);
    } else {
        write_object_version(page, entry);
    }
}

/* ---- the walk ---------------------------------------------------------------------- */

static void remember_end(struct s3_call *c, struct list_page *page,
                         const struct listing_entry *entry)
{
    char id[VERSION_ID_SIZE];
    if (entry->common_prefix.ptr) {
        page->last = s3_copy(c, entry->common_prefix);
        return;
    }
    struct str version = record_version_id(entry->record, id);
    page->last = s3_copy(c, record_key(entry->record));
    page->last_id = s3_copy(c, version.ptr ? version : STR("null"));
}

/* Adds up to `most` bytes of the text, and takes them off it and off `most`. */
static void move_bytes(struct buf *xml, struct str *text, size_t *most)
{
    size_t len = text->len < *most ? text->len : *most;
    buf_add(xml, str_of(text->ptr, len));
    *text = str_from(*text, len);
    *most -= len;
}

enum s3_err list_copy_rest(struct s3_call *c)
{
    struct list_rest *rest = c->state;
    struct buf *xml = &c->reply.text;
    size_t most = LIST_TURN_BYTES;
    move_bytes(xml, &rest->entries, &most);
    move_bytes(xml, &rest->prefixes, &most);
    if (rest->entries.len || rest->prefixes.len)
        return s3_later(c, list_copy_rest);
    buf_add(xml, rest->end);
    return s3_xml_done(c);
}

static enum s3_err write_page(struct s3_call *c, struct list_page *page)
{
    struct buf *xml = s3_reply_xml(c);
    page->write_head(c, xml, page);
    xml_u64(xml, "MaxKeys", page->asked);
    if (page->delimiter.len)
        list_text(xml, page->url, "Delimiter", page->delimiter);
    if (page->url)
        xml_text(xml, "EncodingType", page->encoding);
    xml_bool(xml, "IsTruncated", page->truncated);
    if (!buf_ok(&page->entries) || !buf_ok(&page->prefixes))
        xml->failed = true;
    buf_reserve(xml, page->entries.len + page->prefixes.len + page->rest.end.len);
    page->rest.entries = buf_str(&page->entries);
    page->rest.prefixes = buf_str(&page->prefixes);
    return list_copy_rest(c);
}

static enum s3_err walk(struct s3_call *c)
{
    struct list_page *page = c->state;
    struct listing_entry entry;
    size_t stop = page->entries.len + page->prefixes.len + LIST_TURN_BYTES;
    while (page->count < page->max_keys && listing_next(page->listing, &entry)) {
        write_entry(page, &entry);
        if (++page->count == page->max_keys) {
            remember_end(c, page, &entry);
            page->truncated = listing_next(page->listing, &entry);
        } else if (page->entries.len + page->prefixes.len >= stop) {
            return s3_later(c, walk);
        }
    }
    return write_page(c, page);
}

enum s3_err list_page_fill(struct s3_call *c, struct str end,
                           void (*write_head)(struct s3_call *c, struct buf *xml,
                                              struct list_page *page))
{
    struct list_page *page = c->state;
    struct listing_query query = {.kind = page->kind,
                                  .bucket = c->at.bucket,
                                  .prefix = page->prefix,
                                  .delimiter = page->delimiter,
                                  .after = page->after,
                                  .after_id = page->after_id};
    AUTO(root) root = branch_root(c->branch);
    enum s3_err err = listing_open(&page->listing, root, &query);
    if (err == S3_INVALID_ARGUMENT)
        return s3_invalid_argument(c, "Invalid version id specified", STR("version-id-marker"),
                                   page->after_id);
    if (err)
        return s3_fail(c, err, "listing");
    page->rest.end = end;
    page->write_head = write_head;
    return walk(c);
}
