/* SPDX-License-Identifier: MIT */
/* sidecar.c - objects as lines of JSON, and back: byte for byte. */
#include "disk/backup/backup.h"

#include "disk/files/lines.h"

#include <stdio.h>

/* ---- writing ----------------------------------------------------------------------- */

/* "name":"text", or "nameBase64":"..." */
static void add_text(struct buf *b, struct str name, struct str text)
{
    bool utf8 = str_is_utf8(text);

    buf_add_char(b, '"');
    buf_add_json(b, name);
    buf_add(b, utf8 ? STR("\":\"") : STR("Base64\":\""));
    if (utf8)
        buf_add_json(b, text);
    else
        buf_add_base64(b, text);
    buf_add_char(b, '"');
}

/* What MemoryClient calls them; the others go by their own names. */
static struct str member_of(enum attr a)
{
    if (a == ATTR_CONTENT_TYPE)
        return STR("contentType");
    if (a == ATTR_CONTENT_ENCODING)
        return STR("contentEncoding");
    return STR_NONE;
}

static void add_attrs(struct buf *b, struct str attrs)
{
    struct str name, value;
    size_t at = 0, n = 0;
    enum attr a;

    buf_add(b, STR(",\"metadata\":{"));
    while (attrs_next(attrs, &at, &a, &name, &value)) {
        if (a != ATTR_META)
            continue;
        if (n++ > 0)
            buf_add_char(b, ',');
        add_text(b, name, value);
    }
    buf_add_char(b, '}');
    for (at = 0; attrs_next(attrs, &at, &a, &name, &value);) {
        if (!member_of(a).ptr)
            continue;
        buf_add_char(b, ',');
        add_text(b, member_of(a), value);
    }
    for (at = 0, n = 0; attrs_next(attrs, &at, &a, &name, &value);) {
        if (a == ATTR_META || member_of(a).ptr)
            continue;
        buf_add(b, n++ > 0 ? STR(",") : STR(",\"attributes\":{"));
        add_text(b, attr_name(a), value);
    }
    if (n > 0)
        buf_add_char(b, '}');
}

/* ["CRC32",2,"base64"] */
static void add_checksum(struct buf *b, const struct checksum *sum)
{
    struct str name = checksum_name((enum checksum_alg)sum->alg);

    buf_addf(b, "[\"%.*s\",%u,\"", (int)name.len, name.ptr, sum->type);
    buf_add_base64(
        b, str_of((const char *)sum->bytes, checksum_size((enum checksum_alg)sum->alg)));
    buf_add(b, STR("\"]"));
}

static void add_sums(struct buf *b, const struct record *r)
{
    struct checksum sum;
    struct part_info part;
    uint64_t offset;

    record_checksum(r, &sum);
    if (sum.alg) {
        buf_add(b, STR(",\"checksum\":"));
        add_checksum(b, &sum);
    }
    for (uint32_t i = 0; record_part(r, i, &part, &offset); i++) {
        buf_addf(b, "%s[%u,%llu,", i ? "," : ",\"parts\":[", part.number,
                 (unsigned long long)part.size);
        if (part.checksum.alg)
            add_checksum(b, &part.checksum);
        else
            buf_add(b, STR("null"));
        buf_add_char(b, ']');
        if (i + 1 == record_part_count(r))
            buf_add_char(b, ']');
    }
}

/* Bytes [first, first + len) of the body. */
static void add_body(struct buf *b, const struct record *r, uint64_t first, uint64_t len,
                     struct buf *piece)
{
    buf_reset(piece);
    while (piece->len < len && buf_ok(piece)) {
        struct slice slices[8];
        size_t count =
            record_slices(r, first + piece->len, len - piece->len, slices, ARRAY_LEN(slices));

        for (size_t i = 0; i < count && i < ARRAY_LEN(slices); i++)
            buf_add(piece, str_of(slices[i].ptr, slices[i].len));
    }
    buf_add_base64(b, buf_str(piece));
}

bool sidecar_write(const struct record *r, struct str key,
                   bool (*line)(void *arg, struct str line), void *arg)
{
    uint64_t size = record_size(r), at = size < SIDECAR_PIECE ? size : SIDECAR_PIECE;
    char etag[ETAG_SIZE], time[ISO_DATE_SIZE];
    struct str tag = record_etag(r, etag);
    int64_t mtime_ns = record_mtime_ns(r);
    AUTO_BUF(text, MiB(4));
    AUTO_BUF(piece, SIDECAR_PIECE);

    clock_format_iso(mtime_ns, time);
    buf_add_char(&text, '{');
    add_text(&text, STR("key"), key);
    buf_addf(&text, ",\"size\":%llu,\"etag\":\"%.*s\",\"lastModified\":\"%.19s.%03dZ\"",
             (unsigned long long)size, (int)tag.len - 2, tag.ptr + 1, time,
             (int)(mtime_ns / NS_PER_MS % 1000));
    /* Its nanoseconds, which a text of milliseconds has not. */
    buf_addf(&text, ",\"time\":\"%lld\"", (long long)mtime_ns);
    add_attrs(&text, record_attrs(r));
    add_sums(&text, r);
    buf_add(&text, STR(",\"body\":\""));
    add_body(&text, r, 0, at, &piece);
    buf_add(&text, STR("\"}"));
    if (!buf_ok(&text) || !line(arg, buf_str(&text)))
        return false;
    while (at < size) {
        uint64_t n = size - at < SIDECAR_PIECE ? size - at : SIDECAR_PIECE;

        buf_reset(&text);
        buf_add(&text, STR("{\"more\":\""));
        add_body(&text, r, at, n, &piece);
        buf_add(&text, STR("\"}"));
        if (!buf_ok(&text) || !line(arg, buf_str(&text)))
            return false;
        at += n;
    }
    return true;
}

/* ---- reading ----------------------------------------------------------------------- */

void sidecar_object_init(struct sidecar_object *o)
{
    *o = (struct sidecar_object){.size = 0};
    buf_init(&o->key, KEY_MAX);
    buf_init(&o->attrs, MiB(4));
}

static void forget(struct sidecar_object *o)
{
    body_unref(TAKE(o->body));
    mem_free(TAKE(o->parts));
    buf_reset(&o->key);
    buf_reset(&o->attrs);
    o->spec = (struct record_spec){.part_count = 0};
}

void sidecar_object_release(struct sidecar_object *o)
{
    forget(o);
    buf_release(&o->key);
    buf_release(&o->attrs);
}

static enum s3_err refuse(struct buf *why, const char *text)
{
    buf_add_c(why, text);
    return S3_INVALID_ARGUMENT;
}

/* The member, or what its base64 form says; false: it is neither. Missing: *found is false. */
static bool member_bytes(const json_t *line, const char *name, struct buf *out, bool *found)
{
    const json_t *text = json_object_get(line, name);
    char other[64];

    *found = true;
    if (json_is_string(text)) {
        buf_add(out, js_str(text));
        return buf_ok(out);
    }
    snprintf(other, sizeof(other), "%sBase64", name);
    text = json_object_get(line, other);
    *found = text != NULL;
    return !text ||
           (json_is_string(text) && buf_add_unbase64(out, js_str(text)) && buf_ok(out));
}

/* An object of texts. `add` is called with name and value. */
static bool each_text(const json_t *object, bool (*add)(void *arg, struct str, struct str),
                      void *arg)
{
    const char *name;
    json_t *value;
    AUTO_BUF(bytes, MiB(1));

    if (object && !json_is_object(object))
        return false;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        struct str n = str_c(name), v = js_str(value);

        if (!v.ptr)
            return false;
        if (str_has_suffix(n, STR("Base64"))) {
            n.len -= strlen("Base64");
            buf_reset(&bytes);
            if (!buf_add_unbase64(&bytes, v))
                return false;
            v = str_of(bytes.ptr ? bytes.ptr : "", bytes.len);
        }
        if (!add(arg, n, v))
            return false;
    }
    return true;
}

static bool add_meta(void *attrs, struct str name, struct str value)
{
    attrs_add_meta(attrs, name, value);
    return buf_ok(attrs);
}

static bool add_attribute(void *attrs, struct str name, struct str value)
{
    enum attr a = attr_by_name(name);

    if (a == ATTR_END || a == ATTR_META || member_of(a).ptr)
        return false;
    attrs_add(attrs, a, value);
    return buf_ok(attrs);
}

static bool read_attrs(struct sidecar_object *o, const json_t *line)
{
    static const enum attr own[] = {ATTR_CONTENT_TYPE, ATTR_CONTENT_ENCODING};
    bool good = each_text(json_object_get(line, "metadata"), add_meta, &o->attrs);

    for (size_t i = 0; good && i < ARRAY_LEN(own); i++) {
        AUTO_BUF(value, KiB(64));
        bool found;

        good = member_bytes(line, member_of(own[i]).ptr, &value, &found);
        if (good && found)
            attrs_add(&o->attrs, own[i], str_of(value.ptr ? value.ptr : "", value.len));
    }
    return good && each_text(json_object_get(line, "attributes"), add_attribute, &o->attrs) &&
           buf_ok(&o->attrs);
}

static bool read_checksum(struct checksum *out, const json_t *value)
{
    enum checksum_alg alg = checksum_by_name(js_str(json_array_get(value, 0)));
    json_int_t type = json_integer_value(json_array_get(value, 1));

    if (alg == CHECKSUM_NONE || (type != CHECKSUM_COMPOSITE && type != CHECKSUM_FULL_OBJECT))
        return false;
    out->alg = (uint8_t)alg;
    out->type = (uint8_t)type;
    return base64_decode_exact(js_str(json_array_get(value, 2)), out->bytes,
                               checksum_size(alg));
}

/* "32 hex digits" or with "-N" */
static bool read_etag(struct record_spec *spec, struct str etag)
{
    uint64_t parts = 0;
    size_t dash = str_find_char(etag, '-');

    if (dash != SIZE_MAX) {
        if (!str_to_u64(str_from(etag, dash + 1), &parts) || parts < 1 ||
            parts > PART_NUMBER_MAX)
            return false;
        etag.len = dash;
    }
    spec->part_count = (uint32_t)parts;
    return hex_decode_exact(etag, spec->md5, sizeof(spec->md5));
}

static bool read_parts(struct sidecar_object *o, const json_t *parts)
{
    if (!parts)
        return true;
    if (!json_is_array(parts) || json_array_size(parts) != o->spec.part_count)
        return false;
    o->parts = xcalloc(o->spec.part_count ? o->spec.part_count : 1, sizeof(*o->parts));
    for (uint32_t i = 0; i < o->spec.part_count; i++) {
        const json_t *row = json_array_get(parts, i), *sum = json_array_get(row, 2);
        json_int_t number = json_integer_value(json_array_get(row, 0));
        json_int_t size = json_integer_value(json_array_get(row, 1));

        if (number < 1 || number > PART_NUMBER_MAX || size < 0 ||
            (json_is_array(sum) && !read_checksum(&o->parts[i].checksum, sum)))
            return false;
        o->parts[i].number = (uint32_t)number;
        o->parts[i].size = (uint64_t)size;
    }
    o->spec.parts = o->parts;
    return true;
}

/* time, else lastModified, else now */
static bool read_time(struct record_spec *spec, const json_t *line)
{
    struct str exact = js_str(json_object_get(line, "time"));
    struct str text = js_str(json_object_get(line, "lastModified"));

    if (exact.ptr)
        return str_to_i64(exact, &spec->mtime_ns);
    spec->mtime_ns = clock_now_ns();
    return !text.ptr || clock_parse_iso(text, &spec->mtime_ns);
}

static enum s3_err begin(struct sidecar_object *o, struct store *store, const json_t *line,
                         struct buf *why)
{
    const json_t *sum = json_object_get(line, "checksum");
    json_int_t size = json_integer_value(json_object_get(line, "size"));
    bool found;

    forget(o);
    if (!member_bytes(line, "key", &o->key, &found) || !found || o->key.len == 0)
        return refuse(why, "it has no key");
    if (!json_is_integer(json_object_get(line, "size")) || size < 0)
        return refuse(why, "size: a number of bytes is needed");
    if (!read_etag(&o->spec, js_str(json_object_get(line, "etag"))))
        return refuse(why, "etag: it is none");
    if (!read_time(&o->spec, line))
        return refuse(why, "lastModified: it is no time");
    if (!read_attrs(o, line))
        return refuse(why, "metadata and attributes have to be texts that an object can have");
    if (sum && !read_checksum(&o->spec.checksum, sum))
        return refuse(why, "checksum: it is none");
    if (!read_parts(o, json_object_get(line, "parts")))
        return refuse(why, "parts: they do not fit the etag");
    o->size = (uint64_t)size;
    /* By what comes, not by what the line promises. */
    o->body = body_new(store, o->size <= LINE_MAX_BYTES ? o->size : BODY_LENGTH_UNKNOWN);
    return o->body ? S3_OK : S3_SLOW_DOWN;
}

/* What a line tells of the bytes: the ETag, when it is their MD5, else the checksum of the
 * whole, if there is one. */
static struct checksum told_of_body(const struct sidecar_object *o)
{
    struct checksum told = {.alg = CHECKSUM_MD5};

    if (o->spec.part_count > 0 || !attrs_etag_is_md5(buf_str(&o->attrs)))
        return o->spec.checksum.type == CHECKSUM_FULL_OBJECT ? o->spec.checksum
                                                             : (struct checksum){0};
    memcpy(told.bytes, o->spec.md5, MD5_SIZE);
    return told;
}

static bool body_is_as_told(const struct sidecar_object *o)
{
    struct checksum told = told_of_body(o);
    enum checksum_alg alg = (enum checksum_alg)told.alg;
    struct digest digest;
    uint8_t own[DIGEST_MAX];

    if (alg == CHECKSUM_NONE)
        return true;
    digest_init(&digest, alg);
    for (uint64_t at = 0; at < o->size;) {
        struct slice slices[8];
        size_t count = body_slices(o->body, at, o->size - at, slices, ARRAY_LEN(slices));

        for (size_t i = 0; i < count && i < ARRAY_LEN(slices); i++) {
            digest_update(&digest, slices[i].ptr, slices[i].len);
            at += slices[i].len;
        }
    }
    digest_final(&digest, own);
    return memcmp(own, told.bytes, checksum_size(alg)) == 0;
}

static enum s3_err read_line(struct sidecar_object *o, struct store *store, struct str text,
                             bool *whole, struct buf *why)
{
    AUTO(json_t) line = js_parse(text, why);
    AUTO_BUF(bytes, LINE_MAX_BYTES);
    const json_t *piece;
    enum s3_err err = S3_OK;

    *whole = false;
    if (!line)
        return S3_INVALID_ARGUMENT;
    piece = json_object_get(line, "more");
    if (!piece) {
        if (o->body && body_len(o->body) < o->size)
            return refuse(why, "the object before it is not complete");
        err = begin(o, store, line, why);
        piece = json_object_get(line, "body");
    } else if (!o->body || body_len(o->body) == o->size) {
        return refuse(why, "there is no object that it goes on with");
    }
    if (err)
        return err;
    if (!json_is_string(piece) || !buf_add_unbase64(&bytes, js_str(piece)) ||
        body_len(o->body) + bytes.len > o->size)
        return refuse(why, "its bytes are no base64, or more than its size says");
    if (bytes.len > 0 && !body_append(o->body, bytes.ptr, bytes.len))
        return S3_SLOW_DOWN;
    *whole = body_len(o->body) == o->size;
    if (*whole && !body_is_as_told(o))
        return refuse(why, "its bytes do not have the ETag or the checksum that it names");
    if (!*whole && bytes.len == 0)
        return refuse(why, "its bytes are fewer than its size says");
    return S3_OK;
}

enum s3_err sidecar_read(struct sidecar_object *o, struct store *store, struct str text,
                         bool *whole, struct buf *why)
{
    enum s3_err err = read_line(o, store, text, whole, why);

    if (err)
        forget(o);
    return err;
}
