/* SPDX-License-Identifier: MIT */
/* document_read.c - a snapshot document, as it comes in, given to the store's loader.
 *
 *   bytes -> (inflate) -> FIELDS of an item, collected until they are whole -> its BYTES,
 *   straight into a body -> the next item ... -> the SHA-256 -> nothing more
 *
 * Lengths are claims: no memory is taken for what has not come, beyond one item's fields and
 * EXACT_MAX bytes of a body. */
#include "disk/document/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>

#define FIELDS_MAX     MiB(4)
#define VERSION_DIGITS 9
#define EXACT_MAX      MiB(64) /* longer bodies grow as they come */
#define INFLATE_OUT    KiB(64)
#define TEXT_MAX       MiB(1)

enum reading { READ_MAGIC, READ_FIELDS, READ_BYTES, READ_SUM, READ_OVER };

struct document_reader {
    struct store *store;
    struct loader *loader;
    enum reading reading;
    uint32_t version; /* as far as its digits have come; 0: none has */
    enum s3_err err;
    char why[200];
    uint64_t at; /* offset in the plain document, of the next byte */

    struct buf fields; /* of the item so far */
    /* The item that waits for its bytes: its texts point into fields. */
    bool is_part;
    struct record_spec spec;
    struct record_place place;
    struct part part;
    struct part_info *rows; /* owned */
    struct buf attrs;
    struct body *body; /* owned */
    uint64_t missing;  /* bytes of it */

    struct document_counts counts, claimed;
    struct digest digest;
    uint8_t sum[SHA256_SIZE];
    size_t sum_at; /* bytes of it that have come */

    bool gzip, inflated;
    z_stream z;
    char *out;
    size_t first_at; /* bytes of the first two that have come */
    uint8_t first[2];
};

struct document_reader *document_reader_new(struct store *store)
{
    struct document_reader *r = xcalloc(1, sizeof(*r));

    r->store = store;
    r->loader = loader_new(store);
    buf_init(&r->fields, FIELDS_MAX);
    buf_init(&r->attrs, FIELDS_MAX);
    digest_init(&r->digest, CHECKSUM_SHA256);
    return r;
}

void document_reader_free(struct document_reader *r)
{
    if (!r)
        return;
    if (r->gzip)
        inflateEnd(&r->z);
    mem_free(r->out);
    mem_free(r->rows);
    body_unref(r->body);
    loader_free(r->loader);
    digest_release(&r->digest);
    buf_release(&r->fields);
    buf_release(&r->attrs);
    mem_free(r);
}

const char *document_error(const struct document_reader *r)
{
    return r->why;
}

static enum s3_err fail(struct document_reader *r, enum s3_err err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static enum s3_err fail(struct document_reader *r, enum s3_err err, const char *fmt, ...)
{
    va_list args;

    if (r->err)
        return r->err;
    va_start(args, fmt);
    vsnprintf(r->why, sizeof(r->why), fmt, args);
    va_end(args);
    return r->err = err;
}

static enum s3_err no_memory(struct document_reader *r)
{
    return fail(r, S3_SLOW_DOWN, "memory is out (see --max-memory)");
}

/* ---- fields ------------------------------------------------------------------------ */

/* Takes fields off the front. SHORT: more bytes are needed; BAD: no bytes can mend it. */
enum taken { TAKEN, SHORT, BAD };

struct take {
    struct str rest;
    enum taken state; /* sticky */
};

static bool take_bytes(struct take *t, size_t len, const char **out)
{
    if (t->state != TAKEN)
        return false;
    if (t->rest.len < len) {
        t->state = SHORT;
        return false;
    }
    *out = t->rest.ptr;
    t->rest = str_from(t->rest, len);
    return true;
}

static uint8_t take_byte(struct take *t)
{
    const char *byte;

    return take_bytes(t, 1, &byte) ? (uint8_t)*byte : 0;
}

static uint64_t take_number(struct take *t)
{
    uint64_t n = 0;

    for (unsigned shift = 0; t->state == TAKEN; shift += 7) {
        uint8_t byte = take_byte(t);

        if (shift > 63 || (shift == 63 && byte > 1)) {
            t->state = BAD;
            break;
        }
        n |= (uint64_t)(byte & 0x7f) << shift;
        /* One way to say each number: two equal states are equal bytes. */
        if (!(byte & 0x80)) {
            if (byte == 0 && shift > 0 && t->state == TAKEN)
                t->state = BAD;
            return n;
        }
    }
    return 0;
}

static int64_t take_time(struct take *t)
{
    const char *bytes;
    uint64_t ns = 0;

    if (!take_bytes(t, 8, &bytes))
        return 0;
    for (int i = 0; i < 8; i++)
        ns |= (uint64_t)(uint8_t)bytes[i] << (8 * i);
    return (int64_t)ns;
}

static struct str take_text(struct take *t)
{
    uint64_t len = take_number(t);
    const char *text = NULL;

    if (t->state == TAKEN && len > TEXT_MAX)
        t->state = BAD;
    return take_bytes(t, (size_t)len, &text) ? str_of(text, (size_t)len) : STR("");
}

static enum checksum_alg take_algorithm(struct take *t)
{
    struct str name = take_text(t);
    enum checksum_alg alg = checksum_by_name(name);

    if (t->state == TAKEN && name.len > 0 &&
        (alg == CHECKSUM_NONE || !str_eq(checksum_name(alg), name)))
        t->state = BAD;
    return alg;
}

static void take_checksum(struct take *t, struct checksum *out)
{
    const char *bytes;

    *out = (struct checksum){.alg = (uint8_t)take_algorithm(t)};
    out->type = take_byte(t);
    if (take_bytes(t, checksum_size((enum checksum_alg)out->alg), &bytes))
        memcpy(out->bytes, bytes, checksum_size((enum checksum_alg)out->alg));
}

static void take_md5(struct take *t, uint8_t out[MD5_SIZE])
{
    const char *bytes;

    if (take_bytes(t, MD5_SIZE, &bytes))
        memcpy(out, bytes, MD5_SIZE);
}

static void take_attrs(struct take *t, struct buf *attrs)
{
    uint64_t count = take_number(t);

    buf_reset(attrs);
    for (uint64_t i = 0; i < count && t->state == TAKEN; i++) {
        enum attr a = attr_by_name(take_text(t));
        struct str name = a == ATTR_META ? take_text(t) : STR("");
        struct str value = take_text(t);

        if (t->state == TAKEN && a == ATTR_END)
            t->state = BAD;
        if (a == ATTR_META)
            attrs_add_meta(attrs, name, value);
        else if (a != ATTR_END)
            attrs_add(attrs, a, value);
    }
}

/* ---- items ------------------------------------------------------------------------- */

/* Each reads its fields; nothing is done before they are whole. */

static enum s3_err load_bucket(struct document_reader *r, struct take *t)
{
    struct bucket_info info = {.name = ""};
    struct str name = take_text(t), region = take_text(t), owner = take_text(t);
    enum s3_err err = S3_OK;

    info.created_ns = take_time(t);
    info.versioning = (enum versioning)take_byte(t);
    if (t->state == TAKEN &&
        (name.len >= sizeof(info.name) || memchr(name.ptr, '\0', name.len) ||
         region.len >= sizeof(info.region) || memchr(region.ptr, '\0', region.len)))
        t->state = BAD;
    for (uint64_t docs = take_number(t); docs > 0 && t->state == TAKEN; docs--) {
        struct str doc = take_text(t), text = take_text(t);
        size_t which = 0;

        while (which < BUCKET_DOC_COUNT &&
               !str_eq(document_doc_name((enum bucket_doc)which), doc))
            which++;
        if (t->state == TAKEN && (which == BUCKET_DOC_COUNT || info.docs[which]))
            t->state = BAD;
        else if (t->state == TAKEN && !(info.docs[which] = doc_new(r->store, text)))
            err = S3_SLOW_DOWN;
    }
    if (t->state != TAKEN) {
        bucket_info_release(&info);
        return S3_OK;
    }
    str_put(info.name, name);
    str_put(info.region, region);
    info.owner = doc_new(r->store, owner);
    r->counts.buckets++;
    if (!err)
        err = info.owner ? loader_bucket(r->loader, &info) : S3_SLOW_DOWN;
    bucket_info_release(&info);
    return err;
}

static void take_rows(struct document_reader *r, struct take *t)
{
    uint64_t count;

    r->spec.part_count = (uint32_t)take_number(t);
    count = take_number(t);
    if (t->state != TAKEN || count == 0)
        return;
    if (r->spec.part_count > PART_NUMBER_MAX || count != r->spec.part_count) {
        t->state = BAD;
        return;
    }
    mem_free(r->rows);
    r->spec.parts = r->rows = xcalloc((size_t)count, sizeof(*r->rows));
    for (uint64_t i = 0; i < count && t->state == TAKEN; i++) {
        uint64_t number = take_number(t);

        r->rows[i].number = number > PART_NUMBER_MAX ? 0 : (uint32_t)number;
        r->rows[i].size = take_number(t);
        take_checksum(t, &r->rows[i].checksum);
    }
}

/* The item's fields are whole, and these bytes follow. */
static enum s3_err await_bytes(struct document_reader *r, uint64_t len)
{
    r->body = body_new(r->store, len <= EXACT_MAX ? len : BODY_LENGTH_UNKNOWN);
    r->missing = len;
    r->reading = READ_BYTES;
    return r->body ? S3_OK : S3_SLOW_DOWN;
}

static enum s3_err load_record(struct document_reader *r, struct take *t)
{
    struct str key = take_text(t);
    uint8_t flags = take_byte(t);
    uint64_t len;

    r->spec = (struct record_spec){.key = key};
    r->place = (struct record_place){.number = take_number(t),
                                     .is_null = flags & DOCUMENT_NULL,
                                     .is_current = flags & DOCUMENT_CURRENT,
                                     .delete_marker = flags & DOCUMENT_MARKER};
    r->spec.mtime_ns = take_time(t);
    if (t->state == TAKEN && flags >= 2 * DOCUMENT_MARKER)
        t->state = BAD;
    r->is_part = false;
    if (r->place.delete_marker) {
        if (t->state != TAKEN)
            return S3_OK;
        r->counts.records++;
        return loader_record(r->loader, &r->spec, NULL, &r->place);
    }
    take_md5(t, r->spec.md5);
    take_checksum(t, &r->spec.checksum);
    take_rows(r, t);
    r->spec.upload_id = take_text(t);
    take_attrs(t, &r->attrs);
    r->spec.attrs = buf_str(&r->attrs);
    len = take_number(t);
    if (t->state != TAKEN)
        return S3_OK;
    r->counts.records++;
    return await_bytes(r, len);
}

static enum s3_err load_upload(struct document_reader *r, struct take *t)
{
    struct upload_spec spec = {.key = take_text(t)};
    struct str id = take_text(t);
    uint8_t overtaken;

    spec.initiated_ns = take_time(t);
    spec.checksum_alg = take_algorithm(t);
    spec.checksum_type = (enum checksum_type)take_byte(t);
    spec.owner = take_text(t);
    take_attrs(t, &r->attrs);
    spec.attrs = buf_str(&r->attrs);
    overtaken = take_byte(t);
    if (t->state == TAKEN && overtaken > 1)
        t->state = BAD;
    if (t->state != TAKEN)
        return S3_OK;
    r->counts.uploads++;
    return loader_upload(r->loader, &spec, id, overtaken);
}

static enum s3_err load_part(struct document_reader *r, struct take *t)
{
    uint64_t number = take_number(t), len;

    r->is_part = true;
    r->part = (struct part){.number = number > PART_NUMBER_MAX ? 0 : (uint32_t)number};
    r->part.mtime_ns = take_time(t);
    take_md5(t, r->part.md5);
    take_checksum(t, &r->part.checksum);
    r->part.size = len = take_number(t);
    if (t->state != TAKEN)
        return S3_OK;
    r->counts.parts++;
    return await_bytes(r, len);
}

static void load_end(struct document_reader *r, struct take *t)
{
    r->claimed.buckets = take_number(t);
    r->claimed.records = take_number(t);
    r->claimed.uploads = take_number(t);
    r->claimed.parts = take_number(t);
    if (t->state != TAKEN)
        return;
    if (memcmp(&r->claimed, &r->counts, sizeof(r->counts)) != 0)
        t->state = BAD;
    else
        r->reading = READ_SUM;
}

/* The bytes of the item are there. */
static enum s3_err item_over(struct document_reader *r)
{
    r->reading = READ_FIELDS;
    if (r->is_part) {
        r->part.body = TAKE(r->body);
        return loader_part(r->loader, &r->part);
    }
    return loader_record(r->loader, &r->spec, TAKE(r->body), &r->place);
}

static enum s3_err check(struct document_reader *r, enum s3_err err)
{
    if (err == S3_SLOW_DOWN)
        return no_memory(r);
    if (err)
        return fail(r, S3_INVALID_ARGUMENT, "altered: what ends at byte %llu cannot be",
                    (unsigned long long)r->at);
    return S3_OK;
}

/* ---- bytes ------------------------------------------------------------------------- */

static enum s3_err load_item(struct document_reader *r, struct take *t)
{
    switch (take_byte(t)) {
    case 'B':
        return load_bucket(r, t);
    case 'R':
        return load_record(r, t);
    case 'U':
        return load_upload(r, t);
    case 'P':
        return load_part(r, t);
    case 'E':
        load_end(r, t);
        return S3_OK;
    default:
        t->state = BAD;
        return S3_OK;
    }
}

/* How much of an item is collected before the next try to read its fields. */
static size_t next_try(size_t len)
{
    size_t next = len < KiB(1) / 2 ? KiB(1) / 2 : 2 * len;

    return next < FIELDS_MAX ? next : FIELDS_MAX;
}

/* Takes an item's fields off the data once they are whole: little more than they are is copied,
 * and each byte is looked at a few times at most. */
static enum s3_err feed_fields(struct document_reader *r, struct str *data)
{
    size_t had = r->fields.len, added = 0;

    for (;;) {
        size_t n = next_try(r->fields.len) - r->fields.len;
        struct take t;
        enum s3_err err;

        if (n > data->len - added)
            n = data->len - added;
        if (n == 0)
            break;
        buf_add(&r->fields, str_of(data->ptr + added, n));
        added += n;
        if (!buf_ok(&r->fields))
            return no_memory(r);
        t = (struct take){.rest = buf_str(&r->fields)};
        err = load_item(r, &t);
        if (t.state == BAD)
            return fail(r, S3_INVALID_ARGUMENT, "altered: the item at byte %llu makes no sense",
                        (unsigned long long)(r->at - had));
        if (t.state == SHORT)
            continue;
        size_t used = r->fields.len - t.rest.len;
        digest_update(&r->digest, r->fields.ptr, used);
        r->at += used - had;
        *data = str_from(*data, used - had);
        if (r->reading != READ_BYTES)
            buf_reset(&r->fields);
        return check(r, err);
    }
    if (r->fields.len == FIELDS_MAX)
        return fail(r, S3_INVALID_ARGUMENT, "altered: the item at byte %llu has no end",
                    (unsigned long long)(r->at - had));
    r->at += added;
    *data = str_from(*data, added);
    return S3_OK;
}

static enum s3_err feed_bytes(struct document_reader *r, struct str *data)
{
    size_t n = data->len < r->missing ? data->len : (size_t)r->missing;

    digest_update(&r->digest, data->ptr, n);
    if (!body_append(r->body, data->ptr, n))
        return no_memory(r);
    *data = str_from(*data, n);
    r->at += n;
    r->missing -= n;
    return S3_OK;
}

static enum s3_err other_version(struct document_reader *r)
{
    return fail(r, S3_INVALID_ARGUMENT,
                "a snapshot document of version %u%s: this s3memd reads version %u",
                (unsigned)r->version,
                r->version > DOCUMENT_VERSION ? ", written by a newer s3memd" : "",
                (unsigned)DOCUMENT_VERSION);
}

/* "s3mem snapshot ", a number, LF. */
static enum s3_err feed_magic(struct document_reader *r, struct str *data)
{
    struct str magic = DOCUMENT_MAGIC;
    size_t number_at = magic.len - DOCUMENT_VERSION_LEN;

    for (; data->len > 0 && r->reading == READ_MAGIC; r->at++, *data = str_from(*data, 1)) {
        char c = data->ptr[0];

        if (r->at < number_at && c == magic.ptr[r->at])
            continue;
        if (r->at < number_at)
            return fail(r, S3_INVALID_ARGUMENT, "no snapshot document");
        if (c >= (r->version ? '0' : '1') && c <= '9' && r->at < number_at + VERSION_DIGITS)
            r->version = 10 * r->version + (uint32_t)(c - '0');
        else if (c != '\n' || r->version == 0)
            return fail(r, S3_INVALID_ARGUMENT, "no snapshot document");
        else if (r->version != DOCUMENT_VERSION)
            return other_version(r);
        else
            r->reading = READ_FIELDS;
    }
    if (r->reading == READ_FIELDS)
        digest_update(&r->digest, magic.ptr, magic.len);
    return S3_OK;
}

static enum s3_err feed_sum(struct document_reader *r, struct str *data)
{
    uint8_t actual[SHA256_SIZE];

    for (; data->len > 0 && r->sum_at < SHA256_SIZE; r->at++, *data = str_from(*data, 1))
        r->sum[r->sum_at++] = (uint8_t)data->ptr[0];
    if (r->sum_at < SHA256_SIZE)
        return S3_OK;
    digest_final(&r->digest, actual);
    r->digest = (struct digest){0};
    if (memcmp(actual, r->sum, sizeof(actual)) != 0)
        return fail(r, S3_INVALID_ARGUMENT, "altered: its SHA-256 is not the one it names");
    r->reading = READ_OVER;
    return S3_OK;
}

static enum s3_err feed_plain(struct document_reader *r, struct str data)
{
    while (!r->err && (data.len > 0 || (r->reading == READ_BYTES && r->missing == 0))) {
        switch (r->reading) {
        case READ_MAGIC:
            (void)!feed_magic(r, &data);
            break;
        case READ_FIELDS:
            (void)!feed_fields(r, &data);
            break;
        case READ_BYTES:
            if (r->missing > 0 && feed_bytes(r, &data))
                break;
            if (r->missing == 0) {
                (void)!check(r, item_over(r));
                buf_reset(&r->fields);
            }
            break;
        case READ_SUM:
            (void)!feed_sum(r, &data);
            break;
        case READ_OVER:
            (void)!fail(r, S3_INVALID_ARGUMENT, "something follows the end at byte %llu",
                        (unsigned long long)r->at);
            break;
        }
    }
    return r->err;
}

static enum s3_err feed_gzip(struct document_reader *r, struct str data)
{
    r->z.next_in = (Bytef *)(uintptr_t)data.ptr;
    r->z.avail_in = (uInt)data.len;
    while (!r->err && (r->z.avail_in > 0 || r->z.avail_out == 0)) {
        int result;

        if (r->inflated)
            return fail(r, S3_INVALID_ARGUMENT, "something follows the end of the gzip data");
        r->z.next_out = (Bytef *)r->out;
        r->z.avail_out = INFLATE_OUT;
        result = inflate(&r->z, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR)
            return no_memory(r);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return fail(r, S3_INVALID_ARGUMENT, "altered: the gzip data is broken");
        r->inflated = result == Z_STREAM_END;
        if (feed_plain(r, str_of(r->out, INFLATE_OUT - r->z.avail_out)))
            return r->err;
        if (result == Z_BUF_ERROR || (r->inflated && r->z.avail_in == 0))
            break;
    }
    return r->err;
}

static enum s3_err start(struct document_reader *r)
{
    r->gzip = r->first[0] == 0x1f && r->first[1] == 0x8b;
    if (!r->gzip)
        return S3_OK;
    r->out = xmalloc(INFLATE_OUT);
    r->z.avail_out = INFLATE_OUT;
    if (inflateInit2(&r->z, 15 + 16) == Z_OK)
        return S3_OK;
    r->gzip = false;
    return no_memory(r);
}

enum s3_err document_feed(struct document_reader *r, const void *data, size_t len)
{
    struct str rest = str_of(data, len);

    /* The first two bytes tell gzip from plain. */
    while (rest.len > 0 && r->first_at < 2 && r->reading == READ_MAGIC && !r->err) {
        r->first[r->first_at++] = (uint8_t)rest.ptr[0];
        rest = str_from(rest, 1);
        if (r->first_at < 2)
            continue;
        if (start(r))
            return r->err;
        struct str first = str_of((const char *)r->first, 2);
        enum s3_err err = r->gzip ? feed_gzip(r, first) : feed_plain(r, first);
        if (err)
            return err;
    }
    if (r->err || rest.len == 0)
        return r->err;
    return r->gzip ? feed_gzip(r, rest) : feed_plain(r, rest);
}

enum s3_err document_finish(struct document_reader *r, struct str name, bool replace,
                            enum named *result)
{
    if (r->err)
        return r->err;
    if (r->reading != READ_OVER || (r->gzip && !r->inflated))
        return fail(r, S3_INVALID_ARGUMENT, "truncated: it ends at byte %llu",
                    (unsigned long long)r->at);
    *result = loader_finish(r->loader, name, STR(""), clock_now_ns(), replace);
    return S3_OK;
}
