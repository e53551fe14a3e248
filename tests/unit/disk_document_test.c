/* SPDX-License-Identifier: MIT */
/* disk_document_test.c - snapshot documents: written, read, written again: the same bytes; and
 * whatever is not as it was written is refused whole. */
#include "disk/disk.h"
#include "store_util.h"

#define DOCUMENT_MAX MiB(80)

/* ---- a state with some of everything ----------------------------------------------- */

static void put_rich(struct store *store, struct branch *b, struct str key, struct str content,
                     enum checksum_alg alg)
{
    AUTO_BUF(attrs, KiB(64));
    struct record_spec spec = {.key = key, .mtime_ns = INT64_C(1700000000123456789)};
    struct body *body = body_new(store, content.len);
    struct write_result result;

    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("text/plain"));
    attrs_add_meta(&attrs, STR("name"), str_of("v\0\xff", 3));
    attrs_add(&attrs, ATTR_TAGGING, STR("a=1&b=2"));
    spec.attrs = buf_str(&attrs);
    spec.checksum.alg = (uint8_t)alg;
    if (alg) {
        spec.checksum.type = CHECKSUM_FULL_OBJECT;
        digest_once(alg, content, spec.checksum.bytes);
    }
    md5_once(content, spec.md5);
    assert_true(body_append(body, content.ptr, content.len));
    assert_int_equal(object_put(b, BUCKET, record_new(store, &spec, body), NULL, &result),
                     S3_OK);
    record_unref(result.old);
}

static void put_upload(struct store *store, struct branch *b, struct str key, size_t part_size)
{
    struct upload_spec spec = {.key = key,
                               .initiated_ns = 5,
                               .checksum_alg = CHECKSUM_CRC32,
                               .checksum_type = CHECKSUM_COMPOSITE,
                               .owner = STR("me\nMe\n000000000000")};
    struct target at = {BUCKET, key};
    char id[UPLOAD_ID_SIZE];
    char *bytes = xmalloc(part_size);

    memset(bytes, 'p', part_size);
    assert_int_equal(upload_create(b, BUCKET, &spec, id), S3_OK);
    for (uint32_t n = 1; n <= 9; n += 4) {
        struct part part = {.number = n, .size = part_size, .mtime_ns = n};

        part.body = body_new(store, part_size);
        assert_true(body_append(part.body, bytes, part_size));
        md5_once(str_of(bytes, part_size), part.md5);
        part.checksum.alg = CHECKSUM_CRC32;
        assert_int_equal(upload_put_part(b, &at, str_c(id), &part), S3_OK);
    }
    mem_free(bytes);
}

/* Completes the upload of the key as far as the store is concerned. */
static void complete(struct store *store, struct branch *b, struct str key)
{
    AUTO(root) root = branch_root(b);
    AUTO(listing) listing = NULL;
    struct listing_query query = {.kind = LIST_UPLOADS, .bucket = BUCKET, .prefix = key};
    struct listing_entry entry;
    struct part_info rows[3];
    struct body *bodies[3];
    const struct part *part;
    struct record_spec spec = {.key = key, .mtime_ns = 9, .part_count = 3, .parts = rows};
    struct target at = {BUCKET, key};
    struct write_result result;
    uint32_t n = 0;

    assert_int_equal(listing_open(&listing, root, &query), S3_OK);
    assert_true(listing_next(listing, &entry));
    AUTO(upload) u = upload_ref(entry.upload);
    for (uint32_t from = 1; (part = upload_part_from(u, from)); from = part->number + 1) {
        rows[n] = (struct part_info){part->number, part->size, part->checksum};
        bodies[n++] = part->body;
    }
    spec.upload_id = upload_id(u);
    struct record *r = record_new(store, &spec, body_join(store, bodies, 3));
    assert_non_null(r);
    assert_int_equal(upload_complete(b, &at, u, r, NULL, &result), S3_OK);
    record_unref(result.old);
}

static void fill(struct store *store)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    struct target gone = {BUCKET, STR("gone")}, versioned = {BUCKET, STR("v")};
    struct lcg random = {7};
    char key[32];

    test_bucket(b, BUCKET);
    test_bucket(b, STR("another"));
    test_bucket(b, STR("zz.empty"));
    for (enum checksum_alg alg = CHECKSUM_NONE; alg < CHECKSUM_COUNT; alg++) {
        snprintf(key, sizeof(key), "sum-%u", alg);
        put_rich(store, b, str_c(key), STR("content"), alg);
    }
    put_rich(store, b, str_of("k\xff\x01\0y", 5), STR(""), CHECKSUM_CRC64NVME);
    test_put(store, b, STR("v"), STR("null one"), NULL);
    assert_int_equal(bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED), S3_OK);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "v%u", lcg_below(&random, 5));
        test_put(store, b, str_c(key), str_of("version body", lcg_below(&random, 12)), NULL);
    }
    test_put(store, b, STR("v"), STR("with an id"), NULL);
    assert_int_equal(object_delete(b, &gone, STR_NONE, NULL, NULL), S3_OK);
    put_upload(store, b, STR("up/1"), 100);
    put_upload(store, b, STR("up/1"), KiB(10));
    put_upload(store, b, STR("up/2"), 0);
    put_upload(store, b, STR("whole"), KiB(300));
    complete(store, b, STR("whole"));
    assert_int_equal(bucket_set_versioning(b, BUCKET, VERSIONING_SUSPENDED), S3_OK);
    assert_int_equal(object_delete(b, &versioned, STR_NONE, NULL, NULL), S3_OK);
    assert_int_equal(
        bucket_set_doc(b, BUCKET, BUCKET_DOC_TAGGING, doc_new(store, STR("<Tagging/>"))),
        S3_OK);
}

/* ---- writing and reading ----------------------------------------------------------- */

static void write_all(struct store *store, struct str snapshot, size_t step, bool gzip,
                      struct buf *out)
{
    AUTO(root) root = snapshot.ptr ? store_snapshot_root(store, snapshot) : NULL;
    AUTO(document_writer) w = NULL;
    enum document_state state;
    char *piece = xmalloc(step);
    size_t len;

    if (!root) {
        AUTO(branch) b = store_branch(store, STR("main"));
        root = branch_root(b);
    }
    w = document_writer_new(root, gzip);
    do {
        state = document_write(w, piece, step, &len);
        assert_true(len <= step);
        buf_add(out, str_of(piece, len));
    } while (state == DOCUMENT_MORE);
    assert_int_equal(state, DOCUMENT_END);
    assert_true(buf_ok(out));
    mem_free(piece);
}

/* S3_OK: it is now snapshot "s". */
static enum s3_err read_all(struct store *store, struct str document, size_t step, char *why)
{
    AUTO(document_reader) r = document_reader_new(store);
    enum named result;
    enum s3_err err = S3_OK;

    for (size_t at = 0; at < document.len && !err; at += step) {
        size_t n = document.len - at < step ? document.len - at : step;

        err = document_feed(r, document.ptr + at, n);
    }
    if (!err)
        err = document_finish(r, STR("s"), true, &result);
    if (!err)
        assert_int_equal(result, NAMED_OK);
    if (why)
        snprintf(why, 200, "%s", document_error(r));
    return err;
}

static void test_round_trip(void **state)
{
    static const size_t steps[] = {1, 7, 100, 1024, 4097, KiB(64), MiB(64)};
    struct store *from = test_store(0);
    AUTO_BUF(first, DOCUMENT_MAX);

    (void)state;
    fill(from);
    write_all(from, STR_NONE, KiB(32), false, &first);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        for (int gzip = 0; gzip < 2; gzip++) {
            struct store *to = test_store(0);
            AUTO_BUF(document, DOCUMENT_MAX);
            AUTO_BUF(again, DOCUMENT_MAX);
            char why[200];

            write_all(from, STR_NONE, steps[i] < KiB(1) ? KiB(1) : steps[i], gzip, &document);
            if (!gzip)
                assert_str_equal(buf_str(&document), buf_str(&first));
            assert_int_equal(read_all(to, buf_str(&document), steps[i], why), S3_OK);
            write_all(to, STR("s"), 5000, false, &again);
            assert_str_equal(buf_str(&again), buf_str(&first));
            store_free(to);
        }
    }
    store_free(from);
}

/* What was loaded behaves as what was saved: versions are found and promoted, uploads are
 * completed, new versions are newer. */
static void test_loaded_state_lives(void **state)
{
    struct store *from = test_store(0), *to = test_store(0);
    AUTO_BUF(document, DOCUMENT_MAX);
    struct target v = {BUCKET, STR("v")};
    char id[VERSION_ID_SIZE];

    (void)state;
    fill(from);
    write_all(from, STR_NONE, KiB(32), false, &document);
    assert_int_equal(read_all(to, buf_str(&document), KiB(64), NULL), S3_OK);
    AUTO(branch) b = store_branch(to, STR("main"));
    assert_int_equal(store_snapshot_restore(to, &b, STR("s")), NAMED_OK);

    AUTO(record) marker = NULL;
    assert_int_equal(object_get(&marker, b, &v, STR_NONE), S3_NO_SUCH_KEY);
    assert_true(record_is_delete_marker(marker));
    assert_int_equal(object_delete(b, &v, STR("null"), NULL, NULL), S3_OK);
    AUTO(record) below = NULL;
    assert_int_equal(object_get(&below, b, &v, STR_NONE), S3_OK);
    assert_str_equal(test_content(below), STR("with an id"));
    AUTO(record) by_id = NULL;
    assert_int_equal(object_get(&by_id, b, &v, record_version_id(below, id)), S3_OK);
    assert_ptr_equal(by_id, below);

    struct record_place old, new;
    record_place(below, &old);
    test_put(to, b, STR("v"), STR("newer"), NULL);
    AUTO(record) newer = NULL;
    assert_int_equal(object_get(&newer, b, &v, STR_NONE), S3_OK);
    record_place(newer, &new);
    assert_true(new.number > old.number);
    complete(to, b, STR("up/2"));
    branch_unref(TAKE(b));
    record_unref(TAKE(marker));
    record_unref(TAKE(below));
    record_unref(TAKE(by_id));
    record_unref(TAKE(newer));
    store_free(to);
    store_free(from);
}

/* ---- what is refused --------------------------------------------------------------- */

static void small_document(struct buf *out, bool gzip)
{
    struct store *store = test_store(0);
    AUTO(branch) b = store_branch(store, STR("main"));

    test_bucket(b, BUCKET);
    put_rich(store, b, STR("key"), STR("content"), CHECKSUM_SHA256);
    put_upload(store, b, STR("up"), 20);
    branch_unref(TAKE(b));
    write_all(store, STR_NONE, KiB(4), gzip, out);
    store_free(store);
}

static void refuse(struct store *store, struct str document)
{
    uint64_t before = test_memory(store);
    char why[200];

    assert_int_equal(read_all(store, document, 100, why), S3_INVALID_ARGUMENT);
    assert_true(strlen(why) > 10);
    AUTO(root) none = store_snapshot_root(store, STR("s"));
    assert_null(none);
    assert_int_equal(test_memory(store), before);
}

static void test_truncated(void **state)
{
    struct store *store = test_store(0);

    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        AUTO_BUF(document, DOCUMENT_MAX);

        small_document(&document, gzip);
        for (size_t len = 0; len < document.len; len++)
            refuse(store, str_of(document.ptr, len));
        buf_add_char(&document, 'x');
        refuse(store, buf_str(&document));
    }
    store_free(store);
}

static void test_altered(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    struct store *store = test_store(0);
    AUTO_BUF(document, DOCUMENT_MAX);

    (void)state;
    small_document(&document, false);
    for (size_t at = 0; at < document.len; at++) {
        for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
            document.ptr[at] = (char)(document.ptr[at] ^ changes[i]);
            refuse(store, buf_str(&document));
            document.ptr[at] = (char)(document.ptr[at] ^ changes[i]);
        }
    }
    store_free(store);
}

/* Some bits of gzip mean nothing: then it is the same document. */
static void test_altered_gzip(void **state)
{
    struct store *store = test_store(0);
    AUTO_BUF(document, DOCUMENT_MAX);
    AUTO_BUF(whole, DOCUMENT_MAX);
    AUTO_BUF(again, DOCUMENT_MAX);
    size_t same = 0;

    (void)state;
    small_document(&document, true);
    assert_int_equal(read_all(store, buf_str(&document), 100, NULL), S3_OK);
    write_all(store, STR("s"), KiB(4), false, &whole);
    for (size_t bit = 0; bit < document.len * 8; bit++) {
        enum s3_err err;

        document.ptr[bit / 8] = (char)(document.ptr[bit / 8] ^ 1 << bit % 8);
        err = read_all(store, buf_str(&document), 100, NULL);
        document.ptr[bit / 8] = (char)(document.ptr[bit / 8] ^ 1 << bit % 8);
        if (err)
            continue;
        same++;
        buf_reset(&again);
        write_all(store, STR("s"), KiB(4), false, &again);
        assert_str_equal(buf_str(&again), buf_str(&whole));
    }
    assert_true(same < 100); /* time, flags and system of the header; padding */
    store_free(store);
}

static void test_foreign(void **state)
{
    static const struct {
        struct str document;
        const char *why;
    } cases[] = {
        {{"", 0}, "truncated"},
        {{"s", 1}, "truncated"},
        {{"PK\3\4 a zip archive", 18}, "no snapshot document"},
        {{"{\"buckets\":[]}", 14}, "no snapshot document"},
        {{"s3mem snapshot 2\nB", 18},
         "of version 2, written by a newer s3memd: this s3memd reads version 1"},
        {{"s3mem snapshot 4711\nB", 21}, "of version 4711, written by a newer"},
        {{"s3mem snapshot 1234567890\n", 26}, "no snapshot document"},
        {{"s3mem snapshot 01\nB", 19}, "no snapshot document"},
        {{"s3mem snapshot 0\nB", 18}, "no snapshot document"},
        {{"s3mem snapshot \nB", 17}, "no snapshot document"},
        {{"\x1f\x8bgarbage and more", 18}, "gzip data is broken"},
    };
    struct store *store = test_store(0);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char why[200];

        assert_int_equal(read_all(store, cases[i].document, 3, why), S3_INVALID_ARGUMENT);
        assert_non_null(strstr(why, cases[i].why));
    }
    store_free(store);
}

/* A length is a claim: what has not come takes no memory. */
static void test_large_claims(void **state)
{
    struct store *store = test_store(MiB(200));
    AUTO_BUF(document, KiB(4));
    uint64_t before = test_memory(store);

    (void)state;
    small_document(&document, false);
    /* The length of "content" is said in the byte before it. */
    size_t at = str_find(buf_str(&document), STR("content")) - 1;
    AUTO_BUF(claim, KiB(4));
    buf_add(&claim, str_of(document.ptr, at));
    buf_add(&claim, STR("\xff\xff\xff\xff\xff\xff\x3f")); /* 512 TiB */
    buf_add(&claim, STR("content"));
    refuse(store, buf_str(&claim));
    assert_true(test_memory(store) <= before);
    store_free(store);
}

static void test_no_memory(void **state)
{
    struct store *from = test_store(0);
    AUTO_BUF(document, DOCUMENT_MAX);
    struct store *to = test_store(KiB(300));

    (void)state;
    fill(from);
    write_all(from, STR_NONE, KiB(32), false, &document);
    assert_int_equal(read_all(to, buf_str(&document), KiB(64), NULL), S3_SLOW_DOWN);
    assert_true(test_memory(to) < KiB(300));
    store_free(to);
    store_free(from);
}

static void test_replacing(void **state)
{
    struct store *store = test_store(0);
    AUTO(branch) b = store_branch(store, STR("main"));
    AUTO_BUF(document, DOCUMENT_MAX);
    AUTO(document_reader) r = document_reader_new(store);
    enum named result;

    (void)state;
    small_document(&document, false);
    assert_int_equal(store_snapshot_take(store, b, STR("s")), NAMED_OK);
    assert_int_equal(document_feed(r, document.ptr, document.len), S3_OK);
    assert_int_equal(document_finish(r, STR("s"), false, &result), S3_OK);
    assert_int_equal(result, NAMED_EXISTS);
    assert_int_equal(read_all(store, buf_str(&document), 1000, NULL), S3_OK);
    document_reader_free(TAKE(r));
    branch_unref(TAKE(b));
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_loaded_state_lives),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_altered),
        cmocka_unit_test(test_altered_gzip), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_large_claims), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_replacing),
    };

    return cmocka_run_group_tests_name("disk/document", tests, NULL, NULL);
}
