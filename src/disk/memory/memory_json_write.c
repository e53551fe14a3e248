/* SPDX-License-Identifier: MIT */
/* memory_json_write.c - a bucket as MemoryClient's saveToDisk writes it, made as it is taken.
 *
 *   look: all records are gone through once, to count what the file cannot hold
 *   write: HEAD -> for each object its text, its body bit by bit, its metadata, its text -> TAIL
 *
 * What is composed waits in `text` until it is taken; a body and the values of metadata are
 * encoded PIECE bytes at a time. */
#include "disk/disk.h"

#define TEXT_MAX                                                                               \
    MiB(32) /* what a document allows of an attribute, each byte six when escaped */
#define PIECE  (KiB(16) * 3)
#define SLICES 16

enum stage { STAGE_HEAD, STAGE_OBJECTS, STAGE_BODY, STAGE_METADATA, STAGE_DONE };

struct memory_json_writer {
    struct root *root;
    struct work *work;
    struct bucket_info info;
    struct listing *looking, *listing;
    struct memory_json_lost lost;
    enum stage stage;
    struct buf text; /* of which text_at are taken */
    size_t text_at;
    const struct record *record; /* whose body is being written, from body_at on */
    uint64_t body_at, written;
    size_t attrs_at, metadata_count; /* where its metadata goes on, and how many there were */
    struct str value;                /* what is left of the value that is being written */
    bool failed;
};

static bool find_bucket(struct memory_json_writer *w, struct str bucket)
{
    if (!root_bucket_next(w->root, bucket, true, &w->info))
        return false;
    return str_eq(str_c(w->info.name), bucket);
}

static bool open_listing(struct memory_json_writer *w, struct listing **out)
{
    return !listing_open(
        out, w->root,
        &(struct listing_query){.kind = LIST_OBJECTS, .bucket = str_c(w->info.name)});
}

struct memory_json_writer *memory_json_writer_new(struct root *root, struct str bucket,
                                                  struct work *work)
{
    struct memory_json_writer *w = xcalloc(1, sizeof(*w));

    w->root = root_ref(root);
    w->work = work;
    buf_init(&w->text, TEXT_MAX);
    if (!find_bucket(w, bucket)) {
        memory_json_writer_free(w);
        return NULL;
    }
    work_expect(work, w->info.object_count, w->info.object_bytes);
    w->lost.versions = w->info.version_count;
    w->lost.uploads = w->info.upload_count;
    w->lost.bucket_settings = w->info.versioning != VERSIONING_NEVER;
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        w->lost.bucket_settings += w->info.docs[i] != NULL;
    w->failed = !open_listing(w, &w->looking) || !open_listing(w, &w->listing);
    return w;
}

void memory_json_writer_free(struct memory_json_writer *w)
{
    if (!w)
        return;
    listing_close(w->looking);
    listing_close(w->listing);
    if (w->info.owner)
        bucket_info_release(&w->info);
    root_unref(w->root);
    buf_release(&w->text);
    mem_free(w);
}

uint64_t memory_json_objects(const struct memory_json_writer *w)
{
    return w->info.object_count;
}

/* ---- what is lost ------------------------------------------------------------------ */

bool memory_json_loses(const struct memory_json_lost *lost)
{
    return lost->versions || lost->uploads || lost->tags || lost->checksums || lost->headers ||
           lost->parts || lost->bucket_settings;
}

static void look_at(struct memory_json_lost *lost, const struct record *r)
{
    struct str attrs = record_attrs(r), name, value;
    bool tags = false, headers = false;
    struct checksum sum;
    size_t at = 0;
    enum attr a;

    while (attrs_next(attrs, &at, &a, &name, &value)) {
        if (a == ATTR_TAGGING)
            tags = true;
        else if (a != ATTR_META && a != ATTR_CONTENT_TYPE && a != ATTR_CONTENT_ENCODING &&
                 attr_header(a).len > 0)
            headers = true;
    }
    record_checksum(r, &sum);
    lost->tags += tags;
    lost->headers += headers;
    lost->checksums += sum.alg != CHECKSUM_NONE &&
                       (sum.alg != CHECKSUM_CRC64NVME || sum.type != CHECKSUM_FULL_OBJECT);
    lost->parts += record_part_count(r) > 0;
}

bool memory_json_look(struct memory_json_writer *w, size_t most)
{
    struct listing_entry entry;

    for (size_t i = 0; i < most; i++) {
        if (w->failed || !listing_next(w->looking, &entry))
            return false;
        look_at(&w->lost, entry.record);
    }
    return true;
}

const struct memory_json_lost *memory_json_lost(const struct memory_json_writer *w)
{
    return &w->lost;
}

/* ---- text -------------------------------------------------------------------------- */

static void add_string(struct buf *b, struct str text)
{
    buf_add_char(b, '"');
    buf_add_json(b, text);
    buf_add_char(b, '"');
}

/* With milliseconds, as JavaScript's toISOString. */
static void add_time(struct buf *b, int64_t unix_ns)
{
    char text[ISO_DATE_SIZE];
    int64_t ms = unix_ns / NS_PER_MS % 1000;

    clock_format_iso(unix_ns, text);
    buf_addf(b, "\"%.*s.%03dZ\"", (int)strlen("2026-01-31T08:49:37"), text,
             (int)(ms < 0 ? ms + 1000 : ms));
}

static void add_head(struct memory_json_writer *w)
{
    struct buf *b = &w->text;

    buf_add(b, STR("{\n  \"timestamp\": "));
    add_time(b, clock_now_ns());
    buf_addf(b, ",\n  \"bucket\": \"%s\",\n  \"objectCount\": %llu,\n  \"objects\": {",
             w->info.name, (unsigned long long)w->info.object_count);
}

static void add_before_body(struct memory_json_writer *w)
{
    struct buf *b = &w->text;

    buf_add_c(b, w->written > 0 ? ",\n    " : "\n    ");
    add_string(b, record_key(w->record));
    buf_add(b, STR(": {\n      \"body\": \""));
}

static void begin_metadata(struct memory_json_writer *w)
{
    w->attrs_at = w->metadata_count = 0;
    w->value = STR_NONE;
    buf_add(&w->text, STR("\",\n      \"metadata\": {"));
}

/* Adds the next piece of the value, which ends between two characters. */
static void add_value_piece(struct memory_json_writer *w)
{
    size_t len = w->value.len;

    if (len > PIECE) {
        len = PIECE;
        while (len > PIECE - 3 && ((uint8_t)w->value.ptr[len] & 0xc0) == 0x80)
            len--;
    }
    buf_add_json(&w->text, str_of(w->value.ptr, len));
    w->value = str_of(w->value.ptr + len, w->value.len - len);
    if (w->value.len == 0) {
        buf_add_char(&w->text, '"');
        w->value = STR_NONE;
    }
}

/* Adds some of the metadata; false: there is no more. */
static bool add_metadata(struct memory_json_writer *w)
{
    struct str name, value;
    enum attr a;

    if (w->value.ptr) {
        add_value_piece(w);
        return true;
    }
    while (attrs_next(record_attrs(w->record), &w->attrs_at, &a, &name, &value)) {
        if (a != ATTR_META)
            continue;
        buf_add_c(&w->text, w->metadata_count++ > 0 ? ",\n        " : "\n        ");
        add_string(&w->text, name);
        buf_add(&w->text, STR(": \""));
        w->value = str_of(value.ptr ? value.ptr : "", value.len);
        return true;
    }
    buf_add_c(&w->text, w->metadata_count > 0 ? "\n      }" : "}");
    return false;
}

static void add_after_body(struct memory_json_writer *w)
{
    const struct record *r = w->record;
    struct str attrs = record_attrs(r), type = attrs_get(attrs, ATTR_CONTENT_TYPE),
               encoding = attrs_get(attrs, ATTR_CONTENT_ENCODING), etag;
    unsigned long long size = record_size(r);
    char quoted[ETAG_SIZE];
    struct buf *b = &w->text;

    buf_add(b, STR(",\n      \"contentType\": "));
    /* What GET answers for one that was given none. */
    add_string(b, type.ptr ? type : STR("binary/octet-stream"));
    etag = record_etag(r, quoted);
    buf_addf(b, ",\n      \"etag\": \"%.*s\",\n      \"lastModified\": ", (int)etag.len - 2,
             etag.ptr + 1);
    add_time(b, record_mtime_ns(r));
    buf_addf(b, ",\n      \"size\": %llu", size);
    if (encoding.ptr) {
        buf_add(b, STR(",\n      \"contentEncoding\": "));
        add_string(b, encoding);
    }
    buf_addf(b, ",\n      \"contentLength\": %llu\n    }", size);
}

static void add_tail(struct memory_json_writer *w)
{
    buf_add_c(&w->text, w->written > 0 ? "\n  }\n}" : "}\n}");
}

/* ---- bodies ------------------------------------------------------------------------ */

/* Copies what stands at body_at, at most max bytes. */
static size_t take_body(struct memory_json_writer *w, char *out, size_t max)
{
    struct slice slices[SLICES];
    size_t count, filled = 0;

    count = record_slices(w->record, w->body_at, max, slices, SLICES);
    for (size_t i = 0; i < count && i < SLICES; i++) {
        memcpy(out + filled, slices[i].ptr, slices[i].len);
        filled += slices[i].len;
    }
    w->body_at += filled;
    return filled;
}

/* The next piece as base64: whole groups of three bytes, but for the last. */
static void add_piece(struct memory_json_writer *w)
{
    uint64_t left = record_size(w->record) - w->body_at;
    size_t wanted = left < PIECE ? (size_t)left : PIECE, filled = 0;
    char *piece = xmalloc(PIECE);

    while (filled < wanted)
        filled += take_body(w, piece + filled, wanted - filled);
    if (buf_reserve(&w->text, base64_length(filled))) {
        base64_encode(w->text.ptr + w->text.len, piece, filled);
        w->text.len += base64_length(filled);
    }
    mem_free(piece);
    work_count(w->work, 0, filled);
}

/* ---- one after the other ----------------------------------------------------------- */

static void step(struct memory_json_writer *w)
{
    struct listing_entry entry;

    switch (w->stage) {
    case STAGE_HEAD:
        add_head(w);
        w->stage = STAGE_OBJECTS;
        return;
    case STAGE_OBJECTS:
        if (!listing_next(w->listing, &entry)) {
            add_tail(w);
            w->stage = STAGE_DONE;
            return;
        }
        w->record = entry.record;
        w->body_at = 0;
        add_before_body(w);
        w->stage = STAGE_BODY;
        return;
    case STAGE_BODY:
        if (w->body_at < record_size(w->record)) {
            add_piece(w);
            return;
        }
        begin_metadata(w);
        w->stage = STAGE_METADATA;
        return;
    case STAGE_METADATA:
        if (add_metadata(w))
            return;
        add_after_body(w);
        w->written++;
        work_count(w->work, 1, 0);
        w->stage = STAGE_OBJECTS;
        return;
    case STAGE_DONE:
        return;
    }
}

enum document_state memory_json_write(struct memory_json_writer *w, void *out, size_t max,
                                      size_t *len)
{
    char *at = out;

    *len = 0;
    while (*len < max && !w->failed) {
        if (w->text.len > 0)
            *len += buf_drain(&w->text, &w->text_at, at + *len, max - *len);
        else if (w->stage == STAGE_DONE)
            return DOCUMENT_END;
        else
            step(w);
        w->failed = w->failed || !buf_ok(&w->text);
    }
    return w->failed ? DOCUMENT_FAILED : DOCUMENT_MORE;
}
