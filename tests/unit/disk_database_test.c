/* SPDX-License-Identifier: MIT */
/* disk_database_test.c - a SQLite file follows a store: whatever is done to the store, and
 * whatever the disk does meanwhile, the file brings back the same states, or says why not. */
#include "disk/database.h"
#include "failing_disk.h"
#include "store_util.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT_MAX MiB(80)

/* ---- a store and its file ---------------------------------------------------------- */

static char folder[] = "/tmp/s3mem-database-XXXXXX";

struct fixture {
    struct store *store;
    struct database *db;
    char path[128];
    enum durability durability;
    bool follow;
    uint64_t fail_nth; /* allocation while it is opened; 0: none */
};

/* False: it was refused; why says why. */
static bool try_open(struct fixture *f, struct buf *why)
{
    f->store = test_store(0);
    mem_fail_nth(f->fail_nth);
    f->db = database_open(&(struct database_options){.store = f->store,
                                                     .path = f->path,
                                                     .durability = f->durability,
                                                     .follow = f->follow,
                                                     .retry_ns = NS_PER_MS},
                          why);
    mem_fail_nth(0);
    if (f->db)
        return true;
    store_free(f->store);
    return false;
}

static void open_fixture(struct fixture *f)
{
    AUTO_BUF(why, KiB(4));

    if (!try_open(f, &why))
        fail_msg("%.*s", (int)why.len, why.ptr);
    database_filled(f->db);
}

static void close_fixture(struct fixture *f)
{
    assert_true(database_close(f->db));
    store_free(f->store);
}

static void remove_file(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[160];

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

/* A new file of that name. */
static void begin_fixture(struct fixture *f, const char *name, enum durability durability)
{
    *f = (struct fixture){.durability = durability, .follow = true};
    snprintf(f->path, sizeof(f->path), "%s/%s.db", folder, name);
    remove_file(f->path);
    open_fixture(f);
}

static void add_document(struct buf *out, struct root *root)
{
    AUTO(document_writer) w = document_writer_new(root, false);
    enum document_state state;
    char *piece = xmalloc(KiB(64));
    size_t len;

    do {
        state = document_write(w, piece, KiB(64), &len);
        buf_add(out, str_of(piece, len));
    } while (state == DOCUMENT_MORE);
    mem_free(piece);
    assert_int_equal(state, DOCUMENT_END);
}

static void add_label(struct buf *out, const char *kind, const struct named_info *info)
{
    buf_addf(out, "\n%s %s from %s at %lld\n", kind, info->name, info->from,
             (long long)info->created_ns);
}

/* All branches and snapshots as bytes: equal states are equal bytes. */
static void describe(struct store *store, struct buf *out)
{
    struct named_info info = {.name = ""};
    char after[NAME_MAX_LEN + 1] = "";

    while (store_branch_next(store, str_c(after), false, &info)) {
        AUTO(branch) b = store_branch(store, str_c(info.name));
        AUTO(root) root = branch_root(b);

        memcpy(after, info.name, sizeof(after));
        add_label(out, "branch", &info);
        add_document(out, root);
    }
    after[0] = '\0';
    while (store_snapshot_next(store, str_c(after), false, &info)) {
        AUTO(root) root = store_snapshot_root(store, str_c(info.name));

        memcpy(after, info.name, sizeof(after));
        add_label(out, "snapshot", &info);
        add_document(out, root);
    }
    assert_true(buf_ok(out));
}

static void assert_described(struct store *store, struct str before)
{
    AUTO_BUF(after, DOCUMENT_MAX);

    describe(store, &after);
    assert_str_equal(buf_str(&after), before);
}

static int64_t ask_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    int64_t value;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

/* Until the writer has nothing left to collect. */
static void wait_tidy(const struct fixture *f)
{
    for (int tries = 0; tries < 5000; tries++) {
        if (ask_sql(f->path,
                    "SELECT (SELECT count(*) FROM garbage) + (SELECT count(*) FROM node n"
                    " WHERE id NOT IN (SELECT node FROM branch)"
                    " AND id NOT IN (SELECT node FROM snapshot)"
                    " AND (SELECT count(*) FROM node WHERE parent = n.id)"
                    " + (SELECT count(*) FROM bucket WHERE base = n.id"
                    "    AND node NOT IN (SELECT id FROM node WHERE parent = n.id)) < 2)") == 0)
            return;
        usleep(2000);
    }
    fail_msg("garbage stays");
}

/* Closed and opened again it is as it was; both ways of opening agree. */
static void reopen(struct fixture *f)
{
    AUTO_BUF(before, DOCUMENT_MAX);

    describe(f->store, &before);
    close_fixture(f);
    f->follow = false;
    open_fixture(f);
    assert_described(f->store, buf_str(&before));
    close_fixture(f);
    f->follow = true;
    open_fixture(f);
    assert_described(f->store, buf_str(&before));
}

/* ---- what is done to it ------------------------------------------------------------ */

#define KEYS   8
#define BODIES 7
#define NAMES  4
#define BIG    MiB(1)

struct player {
    struct fixture *f;
    struct lcg random;
};

static uint32_t pick(struct player *p, uint32_t limit)
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
    size_t len = sizes[pick(p, BODIES)], fill = 0;
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

static void do_put(struct player *p, struct branch *b)
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

static void do_bucket(struct player *p, struct branch *b)
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

static void do_upload(struct player *p, struct branch *b)
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
static void do_upload_more(struct player *p, struct branch *b)
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
    assert_int_equal(document_feed(r, bytes.ptr, bytes.len), S3_OK);
    assert_int_equal(document_finish(r, pick_snapshot(p), true, &result), S3_OK);
    assert_int_equal(result, NAMED_OK);
}

typedef void deed(struct player *p, struct branch *b);
static deed *const deeds[] = {
    do_put,          do_put,           do_put,
    do_copy,         do_delete,        do_delete_version,
    do_tag,          do_rename,        do_bucket,
    do_bucket,       do_bucket_delete, do_settings,
    do_clear_bucket, do_upload,        do_upload_more,
    do_upload_more,  do_snapshot,      do_drop,
    do_restore,      do_fork,          do_load,
};

static void act(struct player *p)
{
    AUTO(branch) b = pick_branch(p);

    deeds[pick(p, ARRAY_LEN(deeds))](p, b);
}

/* The same of deeds that are one change: there is no state between before and after. */
static void act_at_once(struct player *p)
{
    AUTO(branch) b = pick_branch(p);
    size_t n;

    do
        n = pick(p, ARRAY_LEN(deeds));
    while (deeds[n] == do_upload || deeds[n] == do_bucket_delete);
    deeds[n](p, b);
}

/* ---- tests ------------------------------------------------------------------------- */

static void test_each_deed_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
        struct fixture f;
        struct player p = {.f = &f, .random = {i}};

        begin_fixture(&f, "deed", DURABILITY_RELAXED);
        {
            AUTO(branch) b = store_branch(f.store, STR("main"));

            for (int n = 0; n < 3; n++) {
                do_bucket(&p, b);
                do_put(&p, b);
                do_upload(&p, b);
            }
            deeds[i](&p, b);
        }
        reopen(&f);
        {
            AUTO(branch) b = store_branch(f.store, STR("main"));

            deeds[i](&p, b);
        }
        reopen(&f);
        close_fixture(&f);
    }
}

static void test_random_lives_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < (UNDER_ASAN || UNDER_TSAN ? 4 : 12); seed++) {
        struct fixture f;
        struct player p = {.f = &f, .random = {seed * 977}};

        begin_fixture(&f, "random", seed % 2 ? DURABILITY_ALWAYS : DURABILITY_RELAXED);
        for (int round = 0; round < 6; round++) {
            for (int n = 0; n < 60; n++)
                act(&p);
            if (round % 2)
                wait_tidy(&f);
            reopen(&f);
        }
        close_fixture(&f);
    }
}

/* The newest version is deleted, and the server started anew: its number is not given again. */
static void test_numbers_are_given_once(void **state)
{
    struct fixture f;
    char first[VERSION_ID_SIZE], second[VERSION_ID_SIZE];
    struct target at = {BUCKET, STR("k")};
    struct write_result result;

    (void)state;
    begin_fixture(&f, "numbers", DURABILITY_RELAXED);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    assert_int_equal(bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED), S3_OK);
    test_put(f.store, b, at.key, STR("x"), first);
    assert_int_equal(object_delete(b, &at, str_c(first), NULL, &result), S3_OK);
    record_unref(result.old);
    branch_unref(TAKE(b));
    reopen(&f);
    b = store_branch(f.store, STR("main"));
    test_put(f.store, b, at.key, STR("x"), second);
    assert_string_not_equal(first, second);
    branch_unref(TAKE(b));
    close_fixture(&f);
}

static void nothing(struct waker *w)
{
    (void)w;
}

/* What a call is told of the changes made so far, waited for. */
static enum durable_state settle(struct fixture *f)
{
    const struct durable *d = database_durable(f->db);
    struct waker waker = {.wake = nothing};
    struct durable_wait wait = {0};
    enum durable_state state;

    while ((state = d->state(d->arg, &wait, &waker)) == DURABLE_NOT_YET)
        usleep(100);
    d->leave(d->arg, &wait);
    return state;
}

static void copy_file(const char *from, const char *to, const char *suffix)
{
    char source[160], target[160], bytes[4096];
    size_t len;

    snprintf(source, sizeof(source), "%s%s", from, suffix);
    snprintf(target, sizeof(target), "%s%s", to, suffix);
    FILE *in = fopen(source, "r"), *out = in ? fopen(target, "w") : NULL;

    while (out && (len = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

/* What the next start would find if the process ended now. */
static void copy_database(const struct fixture *f, struct fixture *copy)
{
    *copy = (struct fixture){.durability = f->durability, .follow = true};
    snprintf(copy->path, sizeof(copy->path), "%s/copy.db", folder);
    remove_file(copy->path);
    copy_file(f->path, copy->path, "");
    copy_file(f->path, copy->path, "-wal");
}

/* Operations until the disk has failed once, the nth time that it is asked; what was answered
 * is in the file, whatever happens then. False: it was not asked so often. */
static bool survive_failure(enum failing_call call, uint64_t nth, bool lasting)
{
    struct fixture f, copy;
    struct player p = {.f = &f, .random = {nth}};
    AUTO_BUF(before, DOCUMENT_MAX);
    bool failed = false;

    begin_fixture(&f, "failing", DURABILITY_ALWAYS);
    for (int n = 0; n < 10; n++)
        act(&p);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    failing_disk_set(call, nth, lasting);
    for (int n = 0; n < 25 && !failed; n++) {
        buf_reset(&before);
        describe(f.store, &before);
        act_at_once(&p);
        failed = settle(&f) != DURABLE_SAFE;
    }
    bool happened = failing_disk_struck();

    if (failed && lasting) {
        AUTO_BUF(found, DOCUMENT_MAX);
        AUTO_BUF(now, DOCUMENT_MAX);
        const struct durable *d = database_durable(f.db);

        assert_false(d->accepts(d->arg));
        /* Before the disk works again: the writer tries again on its own. */
        copy_database(&f, &copy);
        failing_disk_set(FAIL_NOTHING, 0, false);
        open_fixture(&copy);
        describe(copy.store, &found);
        describe(f.store, &now);
        close_fixture(&copy);
        assert_true(str_eq(buf_str(&found), buf_str(&before)) ||
                    str_eq(buf_str(&found), buf_str(&now)));
    }
    failing_disk_set(FAIL_NOTHING, 0, false);
    /* It is tried again: nothing is lost that memory has. */
    while (settle(&f) != DURABLE_SAFE)
        usleep(500);
    reopen(&f);
    close_fixture(&f);
    return happened;
}

static void test_each_failure_of_the_disk_is_survived(void **state)
{
    const uint64_t step = UNDER_ASAN || UNDER_TSAN ? 7 : 1;

    (void)state;
    for (enum failing_call call = FAIL_NOTHING + 1; call < FAIL_CALLS; call++) {
        for (int lasting = 0; lasting < 2; lasting++) {
            uint64_t nth = 1;

            while (nth < 60 && survive_failure(call, nth, lasting))
                nth += step;
            assert_true(nth > 1 || call == FAIL_TRUNCATE);
        }
    }
}

static void test_memory_may_be_out_while_loading(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {5}};
    AUTO_BUF(before, DOCUMENT_MAX);
    bool opened = false;

    (void)state;
    begin_fixture(&f, "memory", DURABILITY_RELAXED);
    for (int n = 0; n < 80; n++)
        act(&p);
    describe(f.store, &before);
    close_fixture(&f);
    f.follow = false;
    for (uint64_t nth = 1; !opened; nth++) {
        AUTO_BUF(why, KiB(4));

        f.fail_nth = nth;
        opened = try_open(&f, &why);
        if (!opened)
            assert_true(why.len > 0);
    }
    assert_described(f.store, buf_str(&before));
    close_fixture(&f);
}

static void test_a_change_that_cannot_be_remembered_breaks_it(void **state)
{
    struct fixture f;
    struct persist_stats stats;

    (void)state;
    begin_fixture(&f, "forgetful", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    for (uint64_t nth = 1;; nth++) {
        mem_fail_nth(nth);
        enum s3_err err = bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED);
        mem_fail_nth(0);
        database_stats(f.db, &stats);
        if (!err && stats.state != PERSIST_OK)
            break;
        if (nth > 50) /* nothing was to be allocated: the queue had room */
            goto out;
    }
    assert_int_equal(stats.state, PERSIST_BROKEN);
    assert_true(stats.error[0]);
    assert_int_equal(settle(&f), DURABLE_FAILED);
out:
    branch_unref(TAKE(b));
    database_close(f.db);
    store_free(f.store);
}

static void refuse(struct fixture *f, const char *words)
{
    AUTO_BUF(why, KiB(4));

    if (try_open(f, &why)) {
        close_fixture(f);
        fail_msg("opened, without: %s", words);
    }
    buf_add_char(&why, '\0');
    if (!strstr(why.ptr, words))
        fail_msg("'%s' does not say '%s'", why.ptr, words);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_files_that_are_not_understood_are_refused(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "newer", DURABILITY_RELAXED);
    refuse(&(struct fixture){.follow = true, .path = "/nonexistent/x.db"}, "No such file");
    struct fixture second = f;
    refuse(&second, "in use by another s3memd");
    close_fixture(&f);
    run_sql(f.path, "PRAGMA user_version = 99");
    refuse(&f, "newer s3memd");
    run_sql(f.path, "PRAGMA user_version = 1; INSERT INTO attribute VALUES (200, 'FUTURE')");
    refuse(&f, "attributes");
    run_sql(f.path, "PRAGMA application_id = 7");
    refuse(&f, "database of something else");
    remove_file(f.path);
    f.follow = false;
    refuse(&f, "No such file");
    f.follow = true;

    FILE *text = fopen(f.path, "w");
    for (int i = 0; i < 2000; i++)
        fputs("not a database at all\n", text);
    fclose(text);
    refuse(&f, "not a database");
    remove_file(f.path);
}

static void test_a_state_that_is_made_of_itself_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "circle", DURABILITY_RELAXED);
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    close_fixture(&f);
    run_sql(f.path,
            "INSERT INTO node (parent) VALUES (1); INSERT INTO bucket (node, name, contents,"
            " base) VALUES (2, 'bucket', 1, 1); UPDATE bucket SET base = 2 WHERE node = 1");
    refuse(&f, "is made of itself");
}

/* Bytes of a table's pages are overwritten: it says so, and does not crash. */
static void test_damage_is_noticed(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {9}};

    (void)state;
    begin_fixture(&f, "damage", DURABILITY_RELAXED);
    for (int n = 0; n < 200; n++)
        act(&p);
    close_fixture(&f);
    for (uint32_t i = 0; i < 40; i++) {
        AUTO_BUF(why, KiB(4));
        struct fixture hurt = f;
        struct stat st;

        snprintf(hurt.path, sizeof(hurt.path), "%s/hurt.db", folder);
        remove_file(hurt.path);
        copy_file(f.path, hurt.path, "");
        assert_int_equal(stat(hurt.path, &st), 0);
        int fd = open(hurt.path, O_WRONLY);
        char junk[64];

        memset(junk, (int)(i * 37), sizeof(junk));
        assert_int_equal(pwrite(fd, junk, sizeof(junk),
                                100 + lcg_below(&p.random, (uint32_t)st.st_size - 200)),
                         sizeof(junk));
        close(fd);
        hurt.follow = false;
        if (try_open(&hurt, &why))
            close_fixture(&hurt);
        else
            assert_true(why.len > 0);
    }
}

static void test_what_is_not_filled_is_not_there(void **state)
{
    struct fixture f = {.follow = true};
    AUTO_BUF(why, KiB(4));

    (void)state;
    snprintf(f.path, sizeof(f.path), "%s/unfilled.db", folder);
    for (int i = 0; i < 2; i++) {
        assert_true(try_open(&f, &why));
        assert_true(database_is_new(f.db));
        AUTO(branch) b = store_branch(f.store, STR("main"));
        test_bucket(b, BUCKET);
        branch_unref(TAKE(b));
        if (i == 1)
            database_filled(f.db);
        close_fixture(&f);
    }
    assert_true(try_open(&f, &why));
    assert_false(database_is_new(f.db));
    close_fixture(&f);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM bucket"), 1);
}

/* Rows that nothing refers to go, bytes too; shared bytes are stored once. */
static void test_garbage_is_collected(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {3}};

    (void)state;
    begin_fixture(&f, "garbage", DURABILITY_RELAXED);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    AUTO_BUF(big, BIG);
    while (big.len < BIG)
        buf_add(&big, STR("0123456789abcdef"));
    test_put(f.store, b, STR("big"), buf_str(&big), NULL);
    for (int i = 0; i < 3; i++) {
        struct target at = {BUCKET, STR("big")};
        struct record_spec spec = {.key = i ? STR("copy2") : STR("copy1"), .mtime_ns = 1};
        AUTO(record) r = NULL;
        struct write_result result;

        assert_int_equal(object_get(&r, b, &at, STR_NONE), S3_OK);
        assert_int_equal(object_put(b, BUCKET,
                                    record_new(f.store, &spec, record_body(f.store, r)), NULL,
                                    &result),
                         S3_OK);
        record_unref(result.old);
    }
    assert_int_equal(store_snapshot_take(f.store, b, STR("s")), NAMED_OK);
    branch_unref(TAKE(b));
    reopen(&f);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object"), 3);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM segment"), 1);
    assert_int_equal(ask_sql(f.path, "SELECT sum(length(bytes)) FROM chunk"), BIG);
    b = store_branch(f.store, STR("main"));
    do_put(&p, b);
    assert_int_equal(branch_clear(&b), NAMED_OK);
    assert_int_equal(store_snapshot_drop(f.store, STR("s")), NAMED_OK);
    while (ask_sql(f.path,
                   "SELECT (SELECT count(*) FROM object) + (SELECT count(*) FROM segment)"
                   " + (SELECT count(*) FROM chunk) + (SELECT count(*) FROM extent)"
                   " + (SELECT count(*) FROM garbage)") > 0)
        usleep(2000);
    while (ask_sql(f.path, "SELECT count(*) FROM node") > 1)
        usleep(2000);
    branch_unref(TAKE(b));
    reopen(&f);
    close_fixture(&f);
}

/* Its row stays, the bytes that it had elsewhere go. */
static void test_a_small_object_replaces_a_large_one(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "smaller", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));
    AUTO_BUF(big, BIG);

    while (big.len < BIG)
        buf_add(&big, STR("0123456789abcdef"));
    test_bucket(b, BUCKET);
    for (int i = 0; i < 2; i++) {
        test_put(f.store, b, STR("k"), buf_str(&big), NULL);
        assert_int_equal(settle(&f), DURABLE_SAFE);
        assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM extent"), 1);
        test_put(f.store, b, STR("k"), STR("x"), NULL);
        assert_int_equal(settle(&f), DURABLE_SAFE);
        assert_int_equal(ask_sql(f.path, "SELECT (SELECT count(*) FROM extent)"
                                         " + (SELECT count(*) FROM segment)"
                                         " + (SELECT count(*) FROM chunk)"),
                         0);
        assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object"), 1);
    }
    branch_unref(TAKE(b));
    reopen(&f);
    close_fixture(&f);
}

/* Version 1 did without one trigger. Who only reads it leaves it as it was. */
static void test_an_older_file_is_brought_up(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "older", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    test_put(f.store, b, STR("k"), STR("x"), NULL);
    branch_unref(TAKE(b));
    close_fixture(&f);
    run_sql(f.path, "DROP TRIGGER object_replaced; PRAGMA user_version = 1");
    f.follow = false;
    open_fixture(&f);
    close_fixture(&f);
    assert_int_equal(ask_sql(f.path, "PRAGMA user_version"), 1);
    f.follow = true;
    open_fixture(&f);
    assert_int_equal(ask_sql(f.path, "PRAGMA user_version"), 2);
    assert_int_equal(
        ask_sql(f.path, "SELECT count(*) FROM sqlite_schema WHERE name = 'object_replaced'"),
        1);
    close_fixture(&f);
    run_sql(f.path, "PRAGMA user_version = 0");
    refuse(&f, "damaged");
    remove_file(f.path);
}

static void put_some(struct fixture *f, struct branch *b, const char *name)
{
    char key[32];

    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof(key), "%s/%d", name, i);
        test_put(f->store, b, str_c(key), STR("x"), NULL);
    }
}

/* What a test suite does again and again; what it leaves is one object. */
static void play_round(struct fixture *f, int round)
{
    AUTO(branch) b = store_branch(f->store, STR("main"));
    AUTO(branch) fork = NULL;
    struct player p = {.f = f, .random = {(uint64_t)round}};
    struct target at = {BUCKET, STR("main/0")};
    struct write_result result;
    char name[32];

    snprintf(name, sizeof(name), "round-%d", round);
    put_some(f, b, "main");
    assert_int_equal(store_snapshot_take(f->store, b, STR("first")), NAMED_OK);
    put_some(f, b, name);
    if (round % 8 == 0)
        do_upload(&p, b);
    assert_int_equal(store_fork(f->store, STR("fork"), STR_NONE, STR("first")), NAMED_OK);
    fork = store_branch(f->store, STR("fork"));
    put_some(f, fork, name);
    assert_int_equal(store_snapshot_take(f->store, fork, STR("second")), NAMED_OK);
    if (round % 2)
        assert_int_equal(store_snapshot_restore(f->store, &b, STR("first")), NAMED_OK);
    if (round % 3)
        assert_int_equal(store_snapshot_restore_bucket(
                             f->store, &b, round % 4 ? STR("first") : STR("second"), BUCKET),
                         NAMED_OK);
    put_some(f, b, "main");
    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
    assert_int_equal(store_snapshot_drop(f->store, STR("first")), NAMED_OK);
    assert_int_equal(store_snapshot_drop(f->store, STR("second")), NAMED_OK);
    assert_int_equal(store_branch_delete(f->store, STR("fork")), NAMED_OK);
}

/* The state of main alone in a new file. */
static void save_afresh(struct fixture *f, struct store *store)
{
    AUTO_BUF(bytes, DOCUMENT_MAX);
    AUTO(branch) from = store_branch(store, STR("main"));
    AUTO(root) root = branch_root(from);
    enum named result;

    begin_fixture(f, "afresh", DURABILITY_ALWAYS);
    add_document(&bytes, root);
    AUTO(document_reader) r = document_reader_new(f->store);
    assert_int_equal(document_feed(r, bytes.ptr, bytes.len), S3_OK);
    assert_int_equal(document_finish(r, STR("s"), true, &result), S3_OK);
    AUTO(branch) b = store_branch(f->store, STR("main"));
    assert_int_equal(store_snapshot_restore(f->store, &b, STR("s")), NAMED_OK);
    assert_int_equal(store_snapshot_drop(f->store, STR("s")), NAMED_OK);
    assert_int_equal(settle(f), DURABLE_SAFE);
    wait_tidy(f);
}

/* States that are forgotten leave no rows, however many there were. */
static void test_it_is_as_large_as_one_saved_afresh(void **state)
{
    static const char *const tables[] = {"node",   "branch", "snapshot", "contents", "bucket",
                                         "object", "upload", "part",     "segment",  "chunk",
                                         "extent", "loose",  "garbage"};
    struct fixture f, afresh;
    char sql[64];

    (void)state;
    begin_fixture(&f, "rounds", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    for (int i = 0; i < (UNDER_ASAN || UNDER_TSAN ? 50 : 200); i++)
        play_round(&f, i);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    wait_tidy(&f);
    save_afresh(&afresh, f.store);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        if (ask_sql(f.path, sql) != ask_sql(afresh.path, sql))
            fail_msg("rows of %s: %d, afresh %d", tables[i], (int)ask_sql(f.path, sql),
                     (int)ask_sql(afresh.path, sql));
    }
    reopen(&f);
    close_fixture(&f);
    close_fixture(&afresh);
}

/* Of what came and went again nothing is told, though the bucket is a snapshot's. */
static void test_what_only_passed_leaves_no_rows(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {1}};
    struct target at = {BUCKET, STR("new")};
    struct write_result result;

    (void)state;
    begin_fixture(&f, "passing", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    test_put(f.store, b, STR("old"), STR("x"), NULL);
    assert_int_equal(store_snapshot_take(f.store, b, STR("s")), NAMED_OK);
    test_put(f.store, b, at.key, STR("x"), NULL);
    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
    do_upload(&p, b);
    for (int tries = 0; tries < 20; tries++)
        do_upload_more(&p, b);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM upload"), 0);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object WHERE kind = 2"), 0);
    at.key = STR("old");
    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object WHERE kind = 2"), 1);
    branch_unref(TAKE(b));
    reopen(&f);
    close_fixture(&f);
}

/* What waits for the disk is what will be written: copies bring nothing but their rows. */
static void test_shared_bytes_wait_once(void **state)
{
    struct fixture f = {.follow = true};
    AUTO_BUF(big, BIG);
    AUTO_BUF(why, KiB(4));

    (void)state;
    snprintf(f.path, sizeof(f.path), "%s/waiting.db", folder);
    while (big.len < BIG)
        buf_add(&big, STR("0123456789abcdef"));
    assert_true(try_open(&f, &why)); /* and not filled: nothing is written */
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    test_put(f.store, b, STR("k"), buf_str(&big), NULL);
    uint64_t before = f.db->filling.bytes;
    assert_in_range(before, BIG, BIG + KiB(4));
    for (int i = 0; i < 20; i++) {
        struct target at = {BUCKET, STR("k")};
        struct record_spec spec = {.key = STR("copy"), .mtime_ns = 1};
        struct write_result result = {.old = NULL};
        AUTO(record) r = NULL;

        assert_int_equal(object_get(&r, b, &at, STR_NONE), S3_OK);
        assert_int_equal(object_put(b, BUCKET,
                                    record_new(f.store, &spec, record_body(f.store, r)), NULL,
                                    &result),
                         S3_OK);
        record_unref(result.old);
    }
    assert_in_range(f.db->filling.bytes - before, 1, KiB(8));
    branch_unref(TAKE(b));
    database_filled(f.db);
    reopen(&f);
    close_fixture(&f);
}

/* The store outlives its file. */
static void test_a_closed_file_is_told_nothing(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "closed", DURABILITY_ALWAYS);
    assert_true(database_close(f.db));
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    store_free(f.store);
    f.follow = false;
    open_fixture(&f);
    b = store_branch(f.store, STR("main"));
    struct bucket_info info;
    assert_int_equal(bucket_get(b, BUCKET, &info), S3_NO_SUCH_BUCKET);
    branch_unref(TAKE(b));
    close_fixture(&f);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && failing_disk_install() ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_deed_comes_back),
        cmocka_unit_test(test_random_lives_come_back),
        cmocka_unit_test(test_numbers_are_given_once),
        cmocka_unit_test(test_each_failure_of_the_disk_is_survived),
        cmocka_unit_test(test_memory_may_be_out_while_loading),
        cmocka_unit_test(test_a_change_that_cannot_be_remembered_breaks_it),
        cmocka_unit_test(test_files_that_are_not_understood_are_refused),
        cmocka_unit_test(test_a_state_that_is_made_of_itself_is_refused),
        cmocka_unit_test(test_damage_is_noticed),
        cmocka_unit_test(test_what_is_not_filled_is_not_there),
        cmocka_unit_test(test_garbage_is_collected),
        cmocka_unit_test(test_a_small_object_replaces_a_large_one),
        cmocka_unit_test(test_an_older_file_is_brought_up),
        cmocka_unit_test(test_what_only_passed_leaves_no_rows),
        cmocka_unit_test(test_it_is_as_large_as_one_saved_afresh),
        cmocka_unit_test(test_shared_bytes_wait_once),
        cmocka_unit_test(test_a_closed_file_is_told_nothing),
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, false);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
