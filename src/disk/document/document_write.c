/* SPDX-License-Identifier: MIT */
/* document_write.c - a snapshot as a stream of bytes, made as it is taken.
 *
 * Each call does as much as fits its buffer: the fields of the next item are composed in
 * `item`, its bytes are copied straight from where they stand. */
#include "disk/document/document.h"

#include <zlib.h>

#define SLICES   16
#define ITEM_MAX MiB(4)

enum stage { STAGE_BUCKET, STAGE_RECORDS, STAGE_UPLOADS, STAGE_PARTS, STAGE_END, STAGE_DONE };

struct document_writer {
    struct root *root;
    enum stage stage;
    char bucket[64]; /* the one that is being written */
    struct listing *listing;
    struct listing_entry entry; /* record or upload NULL: the listing is at its end */
    struct upload *upload;      /* borrowed from the listing */
    uint32_t part_number;       /* of the last part */
    struct buf item;            /* fields, of which item_at are taken */
    size_t item_at;
    /* Then these bytes, of which body_at are taken; both NULL: none. */
    const struct record *record;
    const struct body *body;
    uint64_t body_len, body_at;
    struct document_counts counts;
    struct digest digest;
    bool failed;

    bool gzip, deflated; /* all of it went into the compressor */
    z_stream z;
    char *plain; /* what the compressor is fed */
};

#define PLAIN_SIZE   KiB(32)
#define FILLS_A_CALL 2 /* compressing more takes milliseconds */

struct document_writer *document_writer_new(struct root *root, bool gzip)
{
    struct document_writer *w = xcalloc(1, sizeof(*w));

    w->root = root_ref(root);
    w->gzip = gzip;
    buf_init(&w->item, ITEM_MAX);
    buf_add(&w->item, DOCUMENT_MAGIC);
    digest_init(&w->digest, CHECKSUM_SHA256);
    if (!gzip)
        return w;
    w->plain = xmalloc(PLAIN_SIZE);
    /* 15 + 16: a gzip header, which has neither time nor name. */
    if (deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        w->gzip = false;
        w->failed = true;
    }
    return w;
}

void document_writer_free(struct document_writer *w)
{
    if (!w)
        return;
    listing_close(w->listing);
    root_unref(w->root);
    if (w->gzip)
        deflateEnd(&w->z);
    mem_free(w->plain);
    digest_release(&w->digest);
    buf_release(&w->item);
    mem_free(w);
}

/* ---- fields ------------------------------------------------------------------------ */

static void add_number(struct buf *b, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_add_char(b, (char)(n | 0x80));
    buf_add_char(b, (char)n);
}

static void add_time(struct buf *b, int64_t ns)
{
    for (int i = 0; i < 8; i++)
        buf_add_char(b, (char)((uint64_t)ns >> (8 * i)));
}

static void add_text(struct buf *b, struct str text)
{
    add_number(b, text.len);
    buf_add(b, text);
}

static void add_checksum(struct buf *b, const struct checksum *sum)
{
    size_t size = checksum_size((enum checksum_alg)sum->alg);

    add_text(b, size > 0 ? checksum_name((enum checksum_alg)sum->alg) : STR(""));
    buf_add_char(b, (char)sum->type);
    buf_add(b, str_of((const char *)sum->bytes, size));
}

static void add_attrs(struct buf *b, struct str attrs)
{
    size_t at = 0, count = 0;
    struct str name, value;
    enum attr a;

    while (attrs_next(attrs, &at, &a, &name, &value))
        count++;
    add_number(b, count);
    for (at = 0; attrs_next(attrs, &at, &a, &name, &value);) {
        add_text(b, attr_name(a));
        if (a == ATTR_META)
            add_text(b, name);
        add_text(b, value);
    }
}

/* ---- items ------------------------------------------------------------------------- */

static void write_bucket(struct document_writer *w, const struct bucket_info *info)
{
    struct buf *b = &w->item;
    size_t docs = 0;

    w->counts.buckets++;
    buf_add_char(b, 'B');
    add_text(b, str_c(info->name));
    add_text(b, str_c(info->region));
    add_text(b, doc_str(info->owner));
    add_time(b, info->created_ns);
    buf_add_char(b, (char)info->versioning);
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        docs += info->docs[i] != NULL;
    add_number(b, docs);
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++) {
        if (!info->docs[i])
            continue;
        add_text(b, document_doc_name((enum bucket_doc)i));
        add_text(b, doc_str(info->docs[i]));
    }
}

/* Of a null version only its place among the key's versions can be seen, not its number, which
 * tells what else was written before: two equal states give equal bytes. older: the next one of
 * the listing, or NULL. */
static uint64_t number_of(const struct record *r, const struct record_place *place,
                          const struct record *older)
{
    struct record_place below;

    if (!place->is_null)
        return place->number;
    if (!older || !str_eq(record_key(older), record_key(r)))
        return 1;
    record_place(older, &below);
    return below.number + 1;
}

static void write_record(struct document_writer *w, const struct listing_entry *entry,
                         const struct record *older)
{
    const struct record *r = entry->record;
    struct record_place place;
    struct checksum checksum;
    struct part_info part;
    uint8_t md5[MD5_SIZE];
    struct buf *b = &w->item;
    uint64_t offset;
    uint32_t rows = 0;

    record_place(r, &place);
    w->counts.records++;
    buf_add_char(b, 'R');
    add_text(b, record_key(r));
    buf_add_char(b, (char)((place.delete_marker ? DOCUMENT_MARKER
                            : entry->is_latest  ? DOCUMENT_CURRENT
                                                : 0) |
                           (place.is_null ? DOCUMENT_NULL : 0)));
    add_number(b, number_of(r, &place, older));
    add_time(b, record_mtime_ns(r));
    if (place.delete_marker)
        return;
    record_md5(r, md5);
    buf_add(b, str_of((const char *)md5, sizeof(md5)));
    record_checksum(r, &checksum);
    add_checksum(b, &checksum);
    add_number(b, record_part_count(r));
    while (record_part(r, rows, &part, &offset))
        rows++;
    add_number(b, rows);
    for (uint32_t i = 0; record_part(r, i, &part, &offset); i++) {
        add_number(b, part.number);
        add_number(b, part.size);
        add_checksum(b, &part.checksum);
    }
    add_text(b, record_upload_id(r));
    add_attrs(b, record_attrs(r));
    add_number(b, record_size(r));
    w->record = r;
    w->body = NULL;
    w->body_len = record_size(r);
}

static void write_upload(struct document_writer *w, struct upload *u)
{
    struct checksum kind = {.alg = (uint8_t)upload_checksum_alg(u)};
    struct buf *b = &w->item;

    w->counts.uploads++;
    w->upload = u;
    w->part_number = 0;
    buf_add_char(b, 'U');
    add_text(b, upload_key(u));
    add_text(b, upload_id(u));
    add_time(b, upload_initiated_ns(u));
    add_text(b, kind.alg ? checksum_name(upload_checksum_alg(u)) : STR(""));
    buf_add_char(b, (char)upload_checksum_type(u));
    add_text(b, upload_owner(u));
    add_attrs(b, upload_attrs(u));
    buf_add_char(b, root_upload_overtaken(w->root, str_c(w->bucket), u) ? 1 : 0);
}

static void write_part(struct document_writer *w, const struct part *part)
{
    struct buf *b = &w->item;

    w->counts.parts++;
    w->part_number = part->number;
    buf_add_char(b, 'P');
    add_number(b, part->number);
    add_time(b, part->mtime_ns);
    buf_add(b, str_of((const char *)part->md5, sizeof(part->md5)));
    add_checksum(b, &part->checksum);
    add_number(b, part->size);
    w->body = part->body;
    w->record = NULL; /* an empty one was not taken */
    w->body_len = part->size;
}

static void write_end(struct document_writer *w)
{
    uint8_t sum[SHA256_SIZE];
    struct buf *b = &w->item;

    buf_add_char(b, 'E');
    add_number(b, w->counts.buckets);
    add_number(b, w->counts.records);
    add_number(b, w->counts.uploads);
    add_number(b, w->counts.parts);
    digest_update(&w->digest, b->ptr, b->len);
    digest_final(&w->digest, sum);
    w->digest = (struct digest){0};
    buf_add(b, str_of((const char *)sum, sizeof(sum)));
}

/* ---- one after the other ----------------------------------------------------------- */

static void next_entry(struct document_writer *w)
{
    if (w->failed || !listing_next(w->listing, &w->entry))
        w->entry = (struct listing_entry){.record = NULL};
}

static void open_listing(struct document_writer *w, enum listing_kind kind)
{
    listing_close(TAKE(w->listing));
    if (listing_open(&w->listing, w->root,
                     &(struct listing_query){.kind = kind, .bucket = str_c(w->bucket)}))
        w->failed = true;
    next_entry(w);
}

static void next_bucket(struct document_writer *w)
{
    struct bucket_info info;

    if (!root_bucket_next(w->root, str_c(w->bucket), false, &info)) {
        w->stage = STAGE_END;
        return;
    }
    memcpy(w->bucket, info.name, sizeof(w->bucket));
    write_bucket(w, &info);
    bucket_info_release(&info);
    open_listing(w, LIST_VERSIONS);
    w->stage = STAGE_RECORDS;
}

/* Composes the next item, or changes the stage. */
static void step(struct document_writer *w)
{
    struct listing_entry entry = w->entry;
    const struct part *part;

    switch (w->stage) {
    case STAGE_BUCKET:
        next_bucket(w);
        return;
    case STAGE_RECORDS:
        if (entry.record) {
            next_entry(w);
            write_record(w, &entry, w->entry.record);
            return;
        }
        open_listing(w, LIST_UPLOADS);
        w->stage = STAGE_UPLOADS;
        return;
    case STAGE_UPLOADS:
        if (entry.upload) {
            next_entry(w);
            write_upload(w, entry.upload);
            w->stage = STAGE_PARTS;
        } else {
            w->stage = STAGE_BUCKET;
        }
        return;
    case STAGE_PARTS:
        part = upload_part_from(w->upload, w->part_number + 1);
        if (part)
            write_part(w, part);
        else
            w->stage = STAGE_UPLOADS;
        return;
    case STAGE_END:
        write_end(w);
        w->stage = STAGE_DONE;
        return;
    case STAGE_DONE:
        return;
    }
}

/* ---- bytes ------------------------------------------------------------------------- */

static size_t take_body(struct document_writer *w, char *out, size_t max)
{
    struct slice slices[SLICES];
    size_t count, filled = 0;

    count = w->record ? record_slices(w->record, w->body_at, max, slices, SLICES)
                      : body_slices(w->body, w->body_at, max, slices, SLICES);
    for (size_t i = 0; i < count && i < SLICES; i++) {
        memcpy(out + filled, slices[i].ptr, slices[i].len);
        filled += slices[i].len;
    }
    w->body_at += filled;
    if (w->body_at == w->body_len) {
        w->record = NULL;
        w->body = NULL;
        w->body_at = w->body_len = 0;
    }
    return filled;
}

/* Fills as much of out as there is; less than max only at the end. */
static size_t fill_plain(struct document_writer *w, char *out, size_t max)
{
    size_t filled = 0;

    while (filled < max && !w->failed) {
        size_t n = 0;

        if (w->item.len > 0)
            n = buf_drain(&w->item, &w->item_at, out + filled, max - filled);
        else if (w->body_len > 0)
            n = take_body(w, out + filled, max - filled);
        else if (w->stage == STAGE_DONE)
            break;
        else
            step(w);
        /* The end digests itself. */
        if (n > 0 && w->digest.alg)
            digest_update(&w->digest, out + filled, n);
        filled += n;
        if (!buf_ok(&w->item))
            w->failed = true;
    }
    return filled;
}

static enum document_state write_gzip(struct document_writer *w, void *out, size_t max,
                                      size_t *len)
{
    int result = Z_OK, fills = 0;

    w->z.next_out = out;
    w->z.avail_out = (uInt)(max < UINT32_MAX ? max : UINT32_MAX);
    while (w->z.avail_out > 0 && result == Z_OK && !w->failed) {
        if (w->z.avail_in == 0 && !w->deflated) {
            if (fills++ == FILLS_A_CALL)
                break;
            w->z.next_in = (Bytef *)w->plain;
            w->z.avail_in = (uInt)fill_plain(w, w->plain, PLAIN_SIZE);
            w->deflated = w->z.avail_in < PLAIN_SIZE;
        }
        result = deflate(&w->z, w->deflated ? Z_FINISH : Z_NO_FLUSH);
    }
    *len = (size_t)((char *)w->z.next_out - (char *)out);
    if (w->failed)
        return DOCUMENT_FAILED;
    return result == Z_STREAM_END ? DOCUMENT_END : DOCUMENT_MORE;
}

enum document_state document_write(struct document_writer *w, void *out, size_t max,
                                   size_t *len)
{
    *len = 0;
    if (w->failed)
        return DOCUMENT_FAILED;
    if (w->gzip)
        return write_gzip(w, out, max, len);
    *len = fill_plain(w, out, max);
    if (w->failed)
        return DOCUMENT_FAILED;
    return *len < max ? DOCUMENT_END : DOCUMENT_MORE;
}
