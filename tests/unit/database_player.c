/* SPDX-License-Identifier: MIT */
#include "database_player.h"

/* ---- what is done to it ------------------------------------------------------------ */

#define KEYS   8
#define BODIES 7
#define NAMES  4

uint32_t pick(struct player *p, uint32_t limit)
{
    return lcg_below(&p->random, limit);
}

static struct branch *pick_branch(struct player *p)
{
    static const char *const names[] = {"main", "main", "b0", "b1"};
    struct branch *b = store_branch(p->f->store, str_c(names[pick(p, NAMES)]));

    return b ? b : store_branch(p->f->store, STR("main"));
}

static struct str pick_bucket(struct player *p)
{
    static const struct str names[] = {STR("bucket"), STR("bucket"), STR("other.bucket")};

    return names[pick(p, ARRAY_LEN(names))];
}

static struct str pick_key(struct player *p)
{
    static const struct str keys[KEYS] = {STR("a"),  STR("a/b"), STR("k\xff\x01"), STR("z"),
                                          {"\0", 1}, STR("y"),   STR("'"),         STR("x")};

    return keys[pick(p, KEYS)];
}

static struct body *make_body(struct player *p, uint8_t md5[MD5_SIZE])
{
    static const size_t sizes[BODIES] = {0,       1,  100, INLINE_BODY_MAX, INLINE_BODY_MAX + 1,
                                         KiB(70), BIG};
    size_t len = sizes[pick(p, p->small ? BODIES - 1 : BODIES)], fill = 0;
    struct body *body = body_new(p->f->store, len);
    char *bytes = xmalloc(len + 4);

    for (; fill < len; fill += 4) {
        uint32_t word = lcg_next(&p->random);

        memcpy(bytes + fill, &word, 4);
    }
    assert_non_null(body);
    assert_true(body_append(body, bytes, len));
    md5_once(str_of(bytes, len), md5);
    mem_free(bytes);
    return body;
}

static void allow(enum s3_err err, enum s3_err other, enum s3_err third)
{
    if (err && err != other && err != third)
        fail_msg("%s", s3_err_code(err));
}

void do_put(struct player *p, struct branch *b)
{
    AUTO_BUF(attrs, KiB(4));
    struct record_spec spec = {.key = pick_key(p), .mtime_ns = lcg_next(&p->random)};
    struct write_result result = {.old = NULL};
    struct body *body = make_body(p, spec.md5);

    if (pick(p, 2)) {
        attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("text/plain"));
        attrs_add_meta(&attrs, STR("name"), str_of("v\0\xff", 3));
        spec.checksum = (struct checksum){.alg = CHECKSUM_CRC32, .type = CHECKSUM_FULL_OBJECT};
    }
    spec.attrs = buf_str(&attrs);
    allow(object_put(b, pick_bucket(p), record_new(p->f->store, &spec, body), NULL, &result),
          S3_NO_SUCH_BUCKET, S3_OK);
    record_unref(result.old);
}

/* Shares the body. */
static void do_copy(struct player *p, struct branch *b)
{
    struct target from = {pick_bucket(p), pick_key(p)};
    struct record_spec spec = {.key = pick_key(p), .mtime_ns = 1};
    struct write_result result = {.old = NULL};
    struct record *r = NULL;

    if (!object_get(&r, b, &from, STR_NONE)) {
        record_md5(r, spec.md5);
        allow(object_put(b, pick_bucket(p),
                         record_new(p->f->store, &spec, record_body(p->f->store, r)), NULL,
                         &result),
              S3_NO_SUCH_BUCKET, S3_OK);
    }
    record_unref(result.old);
    record_unref(r);
}

static void do_delete(struct player *p, struct branch *b)
{
    struct target at = {pick_bucket(p), pick_key(p)};
    struct write_result result = {.old = NULL};

    allow(object_delete(b, &at, pick(p, 4) ? STR_NONE : STR("null"), NULL, &result),
          S3_NO_SUCH_BUCKET, S3_OK);
    record_unref(result.old);
}

/* Any version, the oldest too. */
static void do_delete_version(struct player *p, struct branch *b)
{
    AUTO(root) root = branch_root(b);
    AUTO(listing) listing = NULL;
    struct listing_query query = {.kind = LIST_VERSIONS, .bucket = pick_bucket(p)};
    struct listing_entry entry;
    uint32_t skip = pick(p, 6);

    if (listing_open(&listing, root, &query))
        return;
    while (listing_next(listing, &entry)) {
        struct target at = {query.bucket, record_key(entry.record)};
        struct write_result result = {.old = NULL};
        char version[VERSION_ID_SIZE];

        if (skip-- > 0)
            continue;
        allow(object_delete(b, &at, record_version_id(entry.record, version), NULL, &result),
              S3_NO_SUCH_BUCKET, S3_OK);
        record_unref(result.old);
        return;
    }
}

static void do_tag(struct player *p, struct branch *b)
{
    AUTO_BUF(attrs, KiB(1));
    struct target at = {pick_bucket(p), pick_key(p)};
    AUTO(record) r = NULL;

    if (object_get(&r, b, &at, STR_NONE))
        return;
    attrs_add(&attrs, ATTR_TAGGING, STR("a=1&b=2"));
    allow(object_replace(b, &at, r, record_with_attrs(p->f->store, r, buf_str(&attrs))), S3_OK,
          S3_OK);
}

static void do_rename(struct player *p, struct branch *b)
{
    struct str from = pick_key(p), to = pick_key(p);

    if (str_eq(from, to))
        return;
    allow(object_rename(b, STR("bucket"), from, to, NULL, NULL), S3_NO_SUCH_KEY,
          S3_NO_SUCH_BUCKET);
}

void do_bucket(struct player *p, struct branch *b)
{
    struct bucket_spec spec = {.name = pick_bucket(p),
                               .region = STR("eu-west-1"),
                               .owner = STR("me\nMe\n000000000000"),
                               .tagging = pick(p, 2) ? STR("t=1") : STR_NONE};

    allow(bucket_create(b, &spec), S3_BUCKET_ALREADY_EXISTS, S3_OK);
}

static void do_bucket_delete(struct player *p, struct branch *b)
{
    struct str bucket = pick_bucket(p);

    if (pick(p, 2))
        allow(bucket_clear(b, bucket, NULL), S3_NO_SUCH_BUCKET, S3_OK);
    allow(bucket_delete(b, bucket), S3_NO_SUCH_BUCKET, S3_BUCKET_NOT_EMPTY);
}

static void do_settings(struct player *p, struct branch *b)
{
    struct str bucket = pick_bucket(p);

    if (pick(p, 2))
        allow(bucket_set_versioning(b, bucket,
                                    pick(p, 3) ? VERSIONING_ENABLED : VERSIONING_SUSPENDED),
              S3_NO_SUCH_BUCKET, S3_OK);
    else
        allow(bucket_set_doc(b, bucket, BUCKET_DOC_TAGGING,
                             pick(p, 2) ? doc_new(p->f->store, STR("x=y")) : NULL),
              S3_NO_SUCH_BUCKET, S3_OK);
}

static void do_clear_bucket(struct player *p, struct branch *b)
{
    struct cleared count = {0};
    bool done;

    if (pick(p, 2))
        allow(bucket_clear_prefix(b, pick_bucket(p), STR("a"), 1000, &count, &done),
              S3_NO_SUCH_BUCKET, S3_OK);
    else
        allow(bucket_clear(b, pick_bucket(p), NULL), S3_NO_SUCH_BUCKET, S3_OK);
}

void do_upload(struct player *p, struct branch *b)
{
    struct upload_spec spec = {.key = pick_key(p),
                               .initiated_ns = 5,
                               .checksum_alg = CHECKSUM_SHA256,
                               .checksum_type = CHECKSUM_COMPOSITE,
                               .owner = STR("me\nMe\n000000000000")};
    struct target at = {pick_bucket(p), spec.key};
    char id[UPLOAD_ID_SIZE];

    if (upload_create(b, at.bucket, &spec, id))
        return;
    for (uint32_t n = 1 + pick(p, 3); n < 8; n += 1 + pick(p, 3)) {
        struct part part = {.number = n, .mtime_ns = n};

        part.body = make_body(p, part.md5);
        part.size = body_len(part.body);
        part.checksum.alg = CHECKSUM_SHA256;
        assert_int_equal(upload_put_part(b, &at, str_c(id), &part), S3_OK);
    }
}

static void complete(struct player *p, struct branch *b, struct str bucket, struct upload *u)
{
    struct part_info rows[8];
    struct body *bodies[8];
    struct record_spec spec = {
        .key = upload_key(u), .mtime_ns = 9, .parts = rows, .upload_id = upload_id(u)};
    struct target at = {bucket, spec.key};
    struct write_result result = {.old = NULL};
    const struct part *part;

    for (uint32_t from = 1; (part = upload_part_from(u, from)); from = part->number + 1) {
        rows[spec.part_count] = (struct part_info){part->number, part->size, part->checksum};
        bodies[spec.part_count++] = part->body;
    }
    if (spec.part_count == 0)
        return;
    allow(upload_complete(
              b, &at, u,
              record_new(p->f->store, &spec, body_join(p->f->store, bodies, spec.part_count)),
              NULL, &result),
          S3_OPERATION_ABORTED, S3_OK);
    record_unref(result.old);
}

/* Goes on with the first upload that there is: another part, its end. */
void do_upload_more(struct player *p, struct branch *b)
{
    AUTO(root) root = branch_root(b);
    AUTO(listing) listing = NULL;
    struct listing_query query = {.kind = LIST_UPLOADS, .bucket = pick_bucket(p)};
    struct listing_entry entry;

    if (listing_open(&listing, root, &query) || !listing_next(listing, &entry))
        return;
    AUTO(upload) u = upload_ref(entry.upload);
    struct target at = {query.bucket, upload_key(u)};

    switch (pick(p, 3)) {
    case 0: {
        struct part part = {.number = 1 + pick(p, 8), .mtime_ns = 3};

        part.body = make_body(p, part.md5);
        part.size = body_len(part.body);
        part.checksum.alg = CHECKSUM_SHA256;
        assert_int_equal(upload_put_part(b, &at, upload_id(u), &part), S3_OK);
        break;
    }
    case 1:
        complete(p, b, query.bucket, u);
        break;
    default:
        assert_int_equal(upload_abort(b, &at, upload_id(u)), S3_OK);
    }
}

static struct str pick_snapshot(struct player *p)
{
    static const struct str names[] = {STR("s0"), STR("s1"), STR("s2")};

    return names[pick(p, ARRAY_LEN(names))];
}

static void do_snapshot(struct player *p, struct branch *b)
{
    enum named result = store_snapshot_take(p->f->store, b, pick_snapshot(p));

    assert_true(result == NAMED_OK || result == NAMED_EXISTS);
}

static void do_drop(struct player *p, struct branch *b)
{
    (void)b;
    assert_true(store_snapshot_drop(p->f->store, pick_snapshot(p)) <= NAMED_MISSING);
}

static void do_restore(struct player *p, struct branch *b)
{
    enum named result;

    branch_unref(store_branch(p->f->store, branch_name(b)));
    struct branch *now = store_branch(p->f->store, branch_name(b));

    switch (pick(p, 4)) {
    case 0:
        result = branch_clear(&now);
        break;
    case 1:
        result = store_snapshot_restore(p->f->store, &now, pick_snapshot(p));
        break;
    default:
        result =
            store_snapshot_restore_bucket(p->f->store, &now, pick_snapshot(p), pick_bucket(p));
    }
    assert_true(result == NAMED_OK || result == NAMED_MISSING);
    branch_unref(now);
}

static void do_fork(struct player *p, struct branch *b)
{
    struct str name = pick(p, 2) ? STR("b0") : STR("b1");
    enum named result;

    if (pick(p, 3) == 0)
        result = store_branch_delete(p->f->store, name);
    else if (pick(p, 2))
        result = store_fork(p->f->store, name, STR_NONE, pick_snapshot(p));
    else
        result = store_fork(p->f->store, name, branch_name(b), STR_NONE);
    assert_true(result == NAMED_OK || result == NAMED_EXISTS || result == NAMED_MISSING);
}

/* A snapshot's document comes back under another name, in place of what it names. */
static void do_load(struct player *p, struct branch *b)
{
    AUTO_BUF(bytes, DOCUMENT_MAX);
    AUTO(root) root = branch_root(b);
    AUTO(document_reader) r = document_reader_new(p->f->store);
    enum named result;

    add_document(&bytes, root);
    if (document_feed(r, bytes.ptr, bytes.len)) {
        assert_true(p->foreign);
        return;
    }
    assert_int_equal(document_finish(r, pick_snapshot(p), true, &result), S3_OK);
    assert_int_equal(result, NAMED_OK);
}

deed *const deeds[DEEDS] = {
    do_put,          do_put,           do_put,
    do_copy,         do_delete,        do_delete_version,
    do_tag,          do_rename,        do_bucket,
    do_bucket,       do_bucket_delete, do_settings,
    do_clear_bucket, do_upload,        do_upload_more,
    do_upload_more,  do_snapshot,      do_drop,
    do_restore,      do_fork,          do_load,
};

void act(struct player *p)
{
    AUTO(branch) b = pick_branch(p);

    deeds[pick(p, DEEDS)](p, b);
}

void act_at_once(struct player *p)
{
    AUTO(branch) b = pick_branch(p);
    size_t n;

    do
        n = pick(p, DEEDS);
    while (deeds[n] == do_upload || deeds[n] == do_bucket_delete);
    deeds[n](p, b);
}
