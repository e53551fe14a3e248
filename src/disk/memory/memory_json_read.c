/* SPDX-License-Identifier: MIT */
/* memory_json_read.c - MemoryClient's JSON file, as it comes in, made into a bucket that nobody
 * sees before the whole file was good.
 *
 *   bytes -> json_stream -> names and short texts are collected, a body is decoded straight
 * into memory of the store -> at an object's end it becomes a record of the unseen state
 *
 * Members may come in any order. What MemoryClient does not know is skipped, however long. */
#include "disk/disk.h"
#include "disk/files/json_stream.h"
#include "disk/files/names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX     KiB(64)  /* of a name, a metadata value ... */
#define METADATA_MAX KiB(256) /* of an object */
#define SHORT_BODY   KiB(64)  /* longer ones grow as they come */
#define DECODE_PIECE KiB(12)

/* Whose members are read. */
enum level { LEVEL_FILE, LEVEL_OBJECTS, LEVEL_OBJECT, LEVEL_METADATA };

/* Members that mean something. */
enum member {
    MEMBER_UNKNOWN,
    MEMBER_BUCKET,
    MEMBER_OBJECTS,
    MEMBER_BODY,
    MEMBER_METADATA,
    MEMBER_CONTENT_TYPE,
    MEMBER_ETAG,
    MEMBER_LAST_MODIFIED,
    MEMBER_SIZE,
    MEMBER_CONTENT_ENCODING,
};

static const struct {
    enum level level;
    struct str name;
    enum json_token kind; /* of its value */
    bool optional;        /* may be null */
} members[] = {
    [MEMBER_BUCKET] = {LEVEL_FILE, {"bucket", 6}, JSON_TEXT, true},
    [MEMBER_OBJECTS] = {LEVEL_FILE, {"objects", 7}, JSON_OBJECT_BEGIN, false},
    [MEMBER_BODY] = {LEVEL_OBJECT, {"body", 4}, JSON_TEXT, false},
    [MEMBER_METADATA] = {LEVEL_OBJECT, {"metadata", 8}, JSON_OBJECT_BEGIN, true},
    [MEMBER_CONTENT_TYPE] = {LEVEL_OBJECT, {"contentType", 11}, JSON_TEXT, true},
    [MEMBER_ETAG] = {LEVEL_OBJECT, {"etag", 4}, JSON_TEXT, true},
    [MEMBER_LAST_MODIFIED] = {LEVEL_OBJECT, {"lastModified", 12}, JSON_TEXT, true},
    [MEMBER_SIZE] = {LEVEL_OBJECT, {"size", 4}, JSON_SCALAR, true},
    [MEMBER_CONTENT_ENCODING] = {LEVEL_OBJECT, {"contentEncoding", 15}, JSON_TEXT, true},
};

struct memory_json_reader {
    struct memory_json_target target;
    char *region, *owner;
    struct json_stream json;
    struct replay *replay;
    enum s3_err err;
    char why[400];
    bool begun, has_objects, finished, merge_created;
    struct memory_json_loaded loaded;

    enum level level;
    enum member member; /* whose value is read */
    unsigned skipping;  /* depth within a value that is skipped; 0: none is */
    unsigned seen;      /* members of the file, a bit each */
    struct buf text;    /* the name or text so far */
    bool too_long;

    /* The object that is read. */
    unsigned seen_here;
    struct buf key, attrs, name, type, encoding;
    json_t *names; /* of metadata; owned, NULL before the first one */
    int64_t mtime_ns;
    uint64_t size;
    uint8_t etag_md5[MD5_SIZE];
    uint32_t etag_parts;
    bool etag_given, size_given;
    struct base64_decoder base64;
    uint64_t base64_at; /* characters of it that have come */
    struct digest md5, crc;
    struct buf short_body;
    struct body *body; /* owned: of a longer one */
    uint64_t body_len;

    struct listing *merging;
};

/* ---- errors ------------------------------------------------------------------------ */

/* Sets where and what; what began is not sent on. */
static bool fail(struct memory_json_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool fail(struct memory_json_reader *r, const char *fmt, ...)
{
    va_list args;
    int len;

    if (r->err)
        return false;
    r->err = S3_INVALID_ARGUMENT;
    len = snprintf(r->why, sizeof(r->why),
                   "line %llu, column %llu: ", (unsigned long long)r->json.line,
                   (unsigned long long)json_stream_column(&r->json));
    if (r->level >= LEVEL_OBJECT)
        len +=
            snprintf(r->why + len, sizeof(r->why) - (size_t)len,
                     "object '%.*s': ", (int)(r->key.len < 150 ? r->key.len : 150), r->key.ptr);
    va_start(args, fmt);
    vsnprintf(r->why + len, sizeof(r->why) - (size_t)len, fmt, args);
    va_end(args);
    return false;
}

static bool no_memory(struct memory_json_reader *r)
{
    if (!r->err)
        snprintf(r->why, sizeof(r->why), "memory is out (see --max-memory)");
    r->err = S3_SLOW_DOWN;
    return false;
}

static bool pass(struct memory_json_reader *r, enum s3_err err)
{
    if (!err)
        return true;
    return err == S3_SLOW_DOWN ? no_memory(r) : fail(r, "%s", s3_err_message(err));
}

/* Appends: it may be too much, or memory may be out. */
static bool keep(struct memory_json_reader *r, struct buf *to, struct str text)
{
    bool fits = text.len <= to->max - to->len;

    buf_add(to, text);
    if (buf_ok(to))
        return true;
    return fits ? no_memory(r) : fail(r, "a text of more than %zu bytes", to->max);
}

const char *memory_json_error(const struct memory_json_reader *r)
{
    return r->why;
}

/* ---- life -------------------------------------------------------------------------- */

static bool listen(void *arg, enum json_token token, struct str piece, bool last);

struct memory_json_reader *memory_json_reader_new(const struct memory_json_target *target)
{
    struct memory_json_reader *r = xcalloc(1, sizeof(*r));

    r->target = *target;
    r->region = xstrndup(target->region);
    r->owner = xstrndup(target->owner);
    if (target->bucket.ptr && target->bucket.len < sizeof(r->loaded.bucket))
        str_put(r->loaded.bucket, target->bucket);
    json_stream_init(&r->json, listen, r);
    buf_init(&r->text, TEXT_MAX);
    buf_init(&r->key, KEY_MAX);
    buf_init(&r->name, TEXT_MAX);
    buf_init(&r->attrs, METADATA_MAX);
    buf_init(&r->type, TEXT_MAX);
    buf_init(&r->encoding, TEXT_MAX);
    buf_init(&r->short_body, SHORT_BODY);
    if (target->bucket.ptr && !target->name_ok(target->bucket))
        fail(r, "'%.*s' cannot be the name of a bucket", (int)target->bucket.len,
             target->bucket.ptr);
    return r;
}

static void forget_object(struct memory_json_reader *r)
{
    digest_release(&r->md5);
    digest_release(&r->crc);
    r->md5 = r->crc = (struct digest){0};
    body_unref(TAKE(r->body));
    json_decref(TAKE(r->names));
    buf_reset(&r->short_body);
    buf_reset(&r->attrs);
    buf_reset(&r->type);
    buf_reset(&r->encoding);
    r->base64 = (struct base64_decoder){0};
    r->body_len = r->base64_at = 0;
    r->seen_here = 0;
    r->etag_given = r->size_given = false;
    r->etag_parts = 0;
}

void memory_json_reader_free(struct memory_json_reader *r)
{
    if (!r)
        return;
    forget_object(r);
    listing_close(r->merging);
    replay_free(r->replay);
    buf_release(&r->text);
    buf_release(&r->key);
    buf_release(&r->name);
    buf_release(&r->attrs);
    buf_release(&r->type);
    buf_release(&r->encoding);
    buf_release(&r->short_body);
    mem_free(r->region);
    mem_free(r->owner);
    mem_free(r);
}

/* ---- the bucket -------------------------------------------------------------------- */

static void fill_info(struct memory_json_reader *r, struct bucket_info *info)
{
    *info = (struct bucket_info){.owner = doc_new(r->target.store, str_c(r->owner)),
                                 .created_ns = clock_now_ns()};
    memcpy(info->name, r->loaded.bucket, sizeof(info->name));
    snprintf(info->region, sizeof(info->region), "%s", r->region);
}

/* Before the first object: its name must be known by now. */
static bool begin_bucket(struct memory_json_reader *r)
{
    struct bucket_info info;
    enum s3_err err;

    if (!r->loaded.bucket[0])
        return fail(r, "the file names no bucket before its objects; say which one it is for");
    r->replay = replay_new(r->target.store, NULL);
    if (!r->replay)
        return no_memory(r);
    fill_info(r, &info);
    err = info.owner ? replay_bucket(r->replay, &info) : S3_SLOW_DOWN;
    bucket_info_release(&info);
    return pass(r, err);
}

static bool end_bucket_name(struct memory_json_reader *r)
{
    struct str name = buf_str(&r->text);

    if (r->target.bucket.ptr)
        return true;
    if (name.len >= sizeof(r->loaded.bucket) || !r->target.name_ok(name))
        return fail(r, "'%.*s' cannot be the name of a bucket; say which one the file is for",
                    (int)(name.len < 100 ? name.len : 100), name.ptr ? name.ptr : "");
    str_put(r->loaded.bucket, name);
    return true;
}

/* ---- bodies ------------------------------------------------------------------------ */

static bool keep_decoded(struct memory_json_reader *r, const char *bytes, size_t len)
{
    digest_update(&r->md5, bytes, len);
    digest_update(&r->crc, bytes, len);
    r->body_len += len;
    if (!r->body && r->short_body.len + len <= SHORT_BODY) {
        return keep(r, &r->short_body, str_of(bytes, len));
    }
    if (!r->body) {
        r->body = body_new(r->target.store, BODY_LENGTH_UNKNOWN);
        if (!r->body || !body_append(r->body, r->short_body.ptr, r->short_body.len))
            return no_memory(r);
    }
    return body_append(r->body, bytes, len) || no_memory(r);
}

static bool take_body_text(struct memory_json_reader *r, struct str text, bool last)
{
    char bytes[DECODE_PIECE / 4 * 3 + 3];

    while (text.len > 0) {
        size_t len = text.len < DECODE_PIECE ? text.len : DECODE_PIECE, given = len;

        if (!base64_feed(&r->base64, bytes, text.ptr, &len))
            return fail(r, "body: not base64 (at byte %" PRIu64 " of it)", r->base64_at + len);
        if (!keep_decoded(r, bytes, len))
            return false;
        r->base64_at += given;
        text = str_from(text, given);
    }
    if (last && !base64_is_whole(&r->base64))
        return fail(r, "body: its base64 ends too early");
    return true;
}

/* The body as a whole; NULL: memory is out. */
static struct body *whole_body(struct memory_json_reader *r)
{
    struct body *body;

    if (r->body)
        return TAKE(r->body);
    body = body_new(r->target.store, r->short_body.len);
    if (body && !body_append(body, r->short_body.ptr, r->short_body.len)) {
        body_unref(body);
        return NULL;
    }
    return body;
}

/* ---- objects ----------------------------------------------------------------------- */

static bool begin_object(struct memory_json_reader *r)
{
    r->mtime_ns = clock_now_ns();
    digest_init(&r->md5, CHECKSUM_MD5);
    digest_init(&r->crc, CHECKSUM_CRC64NVME);
    return true;
}

/* The ETag is kept as it was given, if it is one that S3 could give. */
static void settle_etag(struct memory_json_reader *r, struct record_spec *spec)
{
    uint8_t md5[MD5_SIZE];

    digest_final(&r->md5, md5);
    digest_final(&r->crc, spec->checksum.bytes);
    r->md5 = r->crc = (struct digest){0};
    memcpy(spec->md5, r->etag_given ? r->etag_md5 : md5, MD5_SIZE);
    spec->part_count = r->etag_parts;
    if (r->etag_given)
        r->loaded.etags_kept += memcmp(md5, r->etag_md5, MD5_SIZE) != 0 || r->etag_parts > 0;
    else if (r->seen_here & 1U << MEMBER_ETAG)
        r->loaded.etags_replaced++;
}

/* What was added to attrs is all there. */
static bool attrs_are_kept(struct memory_json_reader *r)
{
    if (buf_ok(&r->attrs))
        return true;
    /* The longest that is added at once is a text. */
    return r->attrs.len + 2 * TEXT_MAX > METADATA_MAX
               ? fail(r, "metadata: more than %zu bytes", METADATA_MAX)
               : no_memory(r);
}

/* What the file says of the object becomes a record. */
static bool make_record(struct memory_json_reader *r)
{
    struct record_spec spec = {
        .key = buf_str(&r->key),
        .mtime_ns = r->mtime_ns,
        .checksum = {.alg = CHECKSUM_CRC64NVME, .type = CHECKSUM_FULL_OBJECT},
    };
    const struct record_place place = {
        .number = r->loaded.objects + 1, .is_null = true, .is_current = true};
    struct body *body;

    attrs_add(&r->attrs, ATTR_CONTENT_TYPE,
              r->type.len ? buf_str(&r->type) : STR("application/octet-stream"));
    if (r->encoding.len > 0)
        attrs_add(&r->attrs, ATTR_CONTENT_ENCODING, buf_str(&r->encoding));
    if (!attrs_are_kept(r))
        return false;
    spec.attrs = buf_str(&r->attrs);
    settle_etag(r, &spec);
    body = whole_body(r);
    if (!body)
        return no_memory(r);
    return pass(r, replay_record(r->replay, str_c(r->loaded.bucket), &spec, body, &place));
}

static bool end_object(struct memory_json_reader *r)
{
    if (!(r->seen_here & 1U << MEMBER_BODY))
        return fail(r, "it has no body");
    if (r->size_given && r->size != r->body_len)
        return fail(r, "size is %llu, but its body has %llu bytes", (unsigned long long)r->size,
                    (unsigned long long)r->body_len);
    if (!make_record(r))
        return false;
    r->loaded.objects++;
    r->loaded.bytes += r->body_len;
    work_count(r->target.work, 1, 0);
    forget_object(r);
    r->level = LEVEL_OBJECTS;
    return true;
}

/* A key's name is whole. */
static bool end_key(struct memory_json_reader *r)
{
    struct target at = {str_c(r->loaded.bucket), buf_str(&r->text)};

    if (at.key.len == 0 || at.key.len > KEY_MAX)
        return fail(r, "a key has 1 to %d bytes, this one %zu", KEY_MAX, at.key.len);
    buf_reset(&r->key);
    if (!keep(r, &r->key, at.key))
        return false;
    if (replay_has(r->replay, &at))
        return fail(r, "the key '%.*s' occurs twice",
                    (int)(at.key.len < 150 ? at.key.len : 150), at.key.ptr);
    return true;
}

/* ---- members of an object ---------------------------------------------------------- */

/* Names are header names, in lower case. */
static bool end_metadata_name(struct memory_json_reader *r)
{
    struct str name;

    buf_reset(&r->name);
    for (size_t i = 0; i < r->text.len; i++) {
        char c = r->text.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 'a' - 'A');
        if (!str_is_token(str_of(&c, 1)))
            return fail(r, "metadata: '%.*s' cannot be part of a header's name",
                        (int)(r->text.len < 100 ? r->text.len : 100), r->text.ptr);
        if (!keep(r, &r->name, str_of(&c, 1)))
            return false;
    }
    name = buf_str(&r->name);
    if (!r->names)
        r->names = json_object();
    if (names_find(r->names, name) != SIZE_MAX)
        return fail(r, "metadata: '%.*s' occurs twice", (int)name.len,
                    name.ptr ? name.ptr : "");
    names_add(r->names, name, 0);
    return true;
}

/* "d41d..." or "d41d...-3", quoted or not; false: it is no ETag of S3's. */
static bool parse_etag(struct memory_json_reader *r, struct str text)
{
    uint64_t parts = 0;

    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = str_of(text.ptr + 1, text.len - 2);
    if (text.len < 2 * MD5_SIZE ||
        !hex_decode_exact(str_of(text.ptr, 2 * MD5_SIZE), r->etag_md5, MD5_SIZE))
        return false;
    text = str_from(text, 2 * MD5_SIZE);
    if (text.len > 0 && (text.ptr[0] != '-' || !str_to_u64(str_from(text, 1), &parts) ||
                         parts < 1 || parts > PART_NUMBER_MAX))
        return false;
    r->etag_parts = (uint32_t)parts;
    return true;
}

static bool end_text(struct memory_json_reader *r)
{
    struct str text = buf_str(&r->text);

    switch (r->member) {
    case MEMBER_BUCKET:
        return end_bucket_name(r);
    case MEMBER_CONTENT_TYPE:
        return keep(r, &r->type, text);
    case MEMBER_CONTENT_ENCODING:
        return keep(r, &r->encoding, text);
    case MEMBER_ETAG:
        r->etag_given = parse_etag(r, text);
        return true;
    case MEMBER_LAST_MODIFIED:
        return clock_parse_iso(text, &r->mtime_ns) ||
               fail(r, "lastModified: '%.*s' is no time", (int)(text.len < 60 ? text.len : 60),
                    text.ptr ? text.ptr : "");
    default:
        return true;
    }
}

static bool take_scalar(struct memory_json_reader *r, struct str text)
{
    if (str_eq(text, STR("null")))
        return true;
    r->size_given = str_to_u64(text, &r->size);
    return r->size_given ||
           fail(r, "size: '%.*s' is no number of bytes", (int)text.len, text.ptr);
}

/* ---- what comes in ----------------------------------------------------------------- */

/* Collects; *whole when that was all of it. */
static bool collect(struct memory_json_reader *r, struct str piece, bool last, bool *whole)
{
    *whole = last;
    if (!keep(r, &r->text, piece))
        return false;
    if (last && !str_is_utf8(buf_str(&r->text)))
        return fail(r, "a text is not UTF-8");
    return true;
}

static enum member find_member(enum level level, struct str name)
{
    for (size_t i = 1; i < ARRAY_LEN(members); i++) {
        if (members[i].level == level && str_eq(members[i].name, name))
            return (enum member)i;
    }
    return MEMBER_UNKNOWN;
}

static bool end_member_name(struct memory_json_reader *r)
{
    unsigned *seen = r->level == LEVEL_FILE ? &r->seen : &r->seen_here;

    r->member = find_member(r->level, buf_str(&r->text));
    if (r->member && *seen & 1U << r->member)
        return fail(r, "'%.*s' occurs twice", (int)r->text.len, r->text.ptr);
    if (r->member)
        *seen |= 1U << r->member;
    return true;
}

static bool take_name(struct memory_json_reader *r, struct str piece, bool last)
{
    bool whole, ok;

    if (!collect(r, piece, last, &whole))
        return false;
    if (!whole)
        return true;
    if (r->level == LEVEL_OBJECTS)
        ok = end_key(r);
    else if (r->level == LEVEL_METADATA)
        ok = end_metadata_name(r);
    else
        ok = end_member_name(r);
    buf_reset(&r->text);
    return ok;
}

/* Is a value of this kind due? False: it is not, which has been said; or *skip: nobody cares.
 */
static bool is_due(struct memory_json_reader *r, enum json_token token, struct str piece,
                   bool *skip)
{
    static const char *const wanted[] = {
        [JSON_OBJECT_BEGIN] = "an object", [JSON_TEXT] = "a text", [JSON_SCALAR] = "a number"};

    *skip = false;
    if (!r->begun)
        return token == JSON_OBJECT_BEGIN || fail(r, "the file must be an object");
    if (r->level == LEVEL_OBJECTS)
        return token == JSON_OBJECT_BEGIN ||
               fail(r, "'%.*s' must be an object", (int)(r->key.len < 150 ? r->key.len : 150),
                    r->key.ptr);
    if (r->level == LEVEL_METADATA)
        return token == JSON_TEXT || fail(r, "metadata: '%.*s' must be a text",
                                          (int)(r->name.len < 100 ? r->name.len : 100),
                                          r->name.ptr ? r->name.ptr : "");
    *skip = r->member == MEMBER_UNKNOWN ||
            (token == JSON_SCALAR && members[r->member].optional && str_eq(piece, STR("null")));
    return *skip || members[r->member].kind == token ||
           fail(r, "%s must be %s", members[r->member].name.ptr,
                wanted[members[r->member].kind]);
}

static bool begin_nested(struct memory_json_reader *r)
{
    if (!r->begun) {
        r->begun = true;
        return true;
    }
    if (r->level == LEVEL_FILE) {
        r->level = LEVEL_OBJECTS;
        r->has_objects = true;
        return begin_bucket(r);
    }
    if (r->level == LEVEL_OBJECTS) {
        r->level = LEVEL_OBJECT;
        return begin_object(r);
    }
    r->level = LEVEL_METADATA;
    return true;
}

static bool end_nested(struct memory_json_reader *r)
{
    if (r->level == LEVEL_OBJECT)
        return end_object(r);
    if (r->level > LEVEL_FILE)
        r->level--;
    return true;
}

static bool take_text(struct memory_json_reader *r, struct str piece, bool last)
{
    bool whole, ok = true;

    if (r->level == LEVEL_OBJECT && r->member == MEMBER_BODY)
        return take_body_text(r, piece, last);
    if (!collect(r, piece, last, &whole))
        return false;
    if (!whole)
        return true;
    if (r->level == LEVEL_METADATA)
        attrs_add_meta(&r->attrs, buf_str(&r->name), buf_str(&r->text));
    else
        ok = end_text(r);
    buf_reset(&r->text);
    return ok;
}

/* A value, or what follows its beginning, that nobody cares for. */
static bool skip_on(struct memory_json_reader *r, enum json_token token)
{
    if (token == JSON_OBJECT_BEGIN || token == JSON_ARRAY_BEGIN)
        r->skipping++;
    else if (token == JSON_END)
        r->skipping--;
    return true;
}

static bool listen(void *arg, enum json_token token, struct str piece, bool last)
{
    struct memory_json_reader *r = arg;
    bool skip;

    if (work_cancelled(r->target.work))
        return fail(r, "cancelled");
    if (r->skipping > 0)
        return skip_on(r, token);
    if (token == JSON_NAME)
        return take_name(r, piece, last);
    if (token == JSON_END)
        return end_nested(r);
    if (!is_due(r, token, piece, &skip))
        return false;
    if (skip)
        return skip_on(r, token);
    if (token == JSON_TEXT)
        return take_text(r, piece, last);
    return token == JSON_SCALAR ? take_scalar(r, piece) : begin_nested(r);
}

enum s3_err memory_json_feed(struct memory_json_reader *r, const void *data, size_t len)
{
    if (!r->err && !json_stream_feed(&r->json, data, len) && !r->err)
        fail(r, "not JSON: %s", r->json.error);
    return r->err;
}

enum s3_err memory_json_finish(struct memory_json_reader *r)
{
    if (r->err)
        return r->err;
    if (!json_stream_end(&r->json) && !r->err)
        fail(r, "not JSON: %s", r->json.error);
    if (!r->err && !r->has_objects)
        fail(r, "it has no 'objects': it is no file of MemoryClient's");
    r->finished = !r->err;
    return r->err;
}

/* ---- into the branch --------------------------------------------------------------- */

enum s3_err memory_json_replace(struct memory_json_reader *r, struct branch **b)
{
    struct str bucket = str_c(r->loaded.bucket);
    struct bucket_info info;
    enum s3_err err = bucket_get(*b, bucket, &info);

    /* What it is set to stays. */
    if (!err) {
        err = replay_bucket(r->replay, &info);
        bucket_info_release(&info);
    } else if (err == S3_NO_SUCH_BUCKET) {
        r->loaded.created = true;
        err = S3_OK;
    }
    if (!err) {
        AUTO(root) root = replay_root(r->replay);

        /* So that who writes next need not copy what nobody else has. */
        replay_free(TAKE(r->replay));
        if (store_adopt_bucket(r->target.store, b, root, bucket))
            err = S3_SLOW_DOWN;
    }
    if (err)
        no_memory(r);
    return err;
}

/* The bucket, if it is not there, and a listing of what is to be put. */
static enum s3_err begin_merge(struct memory_json_reader *r, struct branch *b)
{
    struct str bucket = str_c(r->loaded.bucket);
    const struct bucket_spec spec = {
        .name = bucket, .region = str_c(r->region), .owner = str_c(r->owner)};
    enum s3_err err = bucket_create(b, &spec);

    AUTO(root) root = replay_root(r->replay);

    r->loaded.created = !err;
    if (err == S3_BUCKET_ALREADY_EXISTS)
        err = S3_OK;
    if (!err)
        err = listing_open(&r->merging, root, &(struct listing_query){.bucket = bucket});
    return err;
}

/* A record can be put once: another of the same bytes. */
static enum s3_err put_copy(struct memory_json_reader *r, struct branch *b, struct record *from)
{
    struct record_spec spec = {.key = record_key(from),
                               .mtime_ns = record_mtime_ns(from),
                               .part_count = record_part_count(from),
                               .attrs = record_attrs(from)};
    struct body *body = record_body(r->target.store, from);
    struct record *copy;

    record_md5(from, spec.md5);
    record_checksum(from, &spec.checksum);
    copy = body ? record_new(r->target.store, &spec, body) : NULL;
    return copy ? object_put(b, str_c(r->loaded.bucket), copy, NULL, NULL) : S3_SLOW_DOWN;
}

enum s3_err memory_json_merge(struct memory_json_reader *r, struct branch *b, size_t most,
                              bool *done)
{
    enum s3_err err = r->merging ? S3_OK : begin_merge(r, b);
    struct listing_entry entry;

    *done = false;
    for (size_t i = 0; i < most && !err && !*done; i++) {
        *done = !listing_next(r->merging, &entry);
        if (!*done)
            err = put_copy(r, b, entry.record);
    }
    pass(r, err);
    return err;
}

void memory_json_loaded(const struct memory_json_reader *r, struct memory_json_loaded *out)
{
    *out = r->loaded;
}
