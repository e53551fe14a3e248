/* SPDX-License-Identifier: MIT */
/* Listings against a plain walk over all keys: random prefixes, delimiters and markers, keys of
 * any bytes, paging one entry at a time while the branch changes. */
#include "store_util.h"

#define KEYS_MAX 300

/* ---- random keys ------------------------------------------------------------------- */

struct key {
    char bytes[24];
    uint32_t len;
};

static struct str key_str(const struct key *key)
{
    return str_of(key->bytes, key->len);
}

static int compare_keys(const void *a, const void *b)
{
    return str_cmp(key_str(a), key_str(b));
}

/* Few different bytes, so that keys often are prefixes of each other; the extremes among them.
 */
static char random_byte(struct lcg *random)
{
    static const char bytes[] = {'a', 'b', '/', '/', '-', '\0', '\xff', '\x7f', '\x80'};

    return bytes[lcg_below(random, sizeof(bytes))];
}

static struct key random_key(struct lcg *random, uint32_t max_len)
{
    struct key key = {.len = 1 + lcg_below(random, max_len)};

    for (uint32_t i = 0; i < key.len; i++)
        key.bytes[i] = random_byte(random);
    return key;
}

/* ---- the plain walk ---------------------------------------------------------------- */

struct row {
    struct str text; /* key or common prefix */
    bool is_prefix;
};

static struct str naive_prefix(struct str key, struct str prefix, struct str delimiter)
{
    for (size_t at = prefix.len; delimiter.len > 0 && at + delimiter.len <= key.len; at++)
        if (memcmp(key.ptr + at, delimiter.ptr, delimiter.len) == 0)
            return str_of(key.ptr, at + delimiter.len);
    return STR_NONE;
}

static size_t naive_list(const struct key *keys, size_t count, const struct listing_query *q,
                         struct row *rows)
{
    struct str last = STR_NONE, skipped = STR_NONE;
    size_t listed = 0;

    if (str_has_prefix(q->after, q->prefix))
        skipped = naive_prefix(q->after, q->prefix, q->delimiter);
    for (size_t i = 0; i < count; i++) {
        struct str key = key_str(&keys[i]);
        struct str common = naive_prefix(key, q->prefix, q->delimiter);

        if (!str_has_prefix(key, q->prefix) ||
            (q->after.len > 0 && str_cmp(key, q->after) <= 0))
            continue;
        if (common.ptr &&
            ((last.ptr && str_eq(common, last)) || (skipped.ptr && str_eq(common, skipped))))
            continue;
        last = common;
        rows[listed++] = (struct row){common.ptr ? common : key, common.ptr != NULL};
    }
    return listed;
}

/* ---- comparing --------------------------------------------------------------------- */

static void check_listing(struct root *root, const struct listing_query *q,
                          const struct row *rows, size_t count)
{
    AUTO(listing) listing = NULL;
    struct listing_entry entry;

    assert_int_equal(listing_open(&listing, root, q), S3_OK);
    for (size_t i = 0; i < count; i++) {
        assert_true(listing_next(listing, &entry));
        assert_int_equal(entry.common_prefix.ptr != NULL, rows[i].is_prefix);
        if (rows[i].is_prefix)
            assert_str_equal(entry.common_prefix, rows[i].text);
        else if (q->kind == LIST_UPLOADS)
            assert_str_equal(upload_key(entry.upload), rows[i].text);
        else
            assert_str_equal(record_key(entry.record), rows[i].text);
    }
    assert_false(listing_next(listing, &entry));
    assert_false(listing_next(listing, &entry));
}

/* A page an entry, each behind the one before: the same rows. */
static void check_pages(struct root *root, struct listing_query q, const struct row *rows,
                        size_t count)
{
    for (size_t i = 0; i <= count; i++) {
        AUTO(listing) listing = NULL;
        struct listing_entry entry;

        if (i > 0)
            q.after = rows[i - 1].text;
        assert_int_equal(listing_open(&listing, root, &q), S3_OK);
        assert_int_equal(listing_next(listing, &entry), i < count);
        if (i == count)
            return;
        assert_str_equal(entry.common_prefix.ptr ? entry.common_prefix
                                                 : record_key(entry.record),
                         rows[i].text);
    }
}

static void random_query(struct lcg *random, const struct key *keys, size_t count,
                         struct listing_query *q, struct key space[3])
{
    static const struct str delimiters[] = {{"/", 1},  {"/", 1},    {"", 0},   {"-", 1},
                                            {"a/", 2}, {"\xff", 1}, {"//", 2}, {"\0", 1}};

    q->delimiter = delimiters[lcg_below(random, ARRAY_LEN(delimiters))];
    q->prefix = q->after = STR("");
    if (lcg_below(random, 3) > 0) {
        space[0] = lcg_below(random, 2) && count ? keys[lcg_below(random, (uint32_t)count)]
                                                 : random_key(random, 4);
        q->prefix = str_of(space[0].bytes, 1 + lcg_below(random, space[0].len));
    }
    if (lcg_below(random, 3) > 0) {
        space[1] = lcg_below(random, 2) && count ? keys[lcg_below(random, (uint32_t)count)]
                                                 : random_key(random, 6);
        q->after = key_str(&space[1]);
    }
}

static size_t make_keys(struct lcg *random, struct key *keys)
{
    size_t count = lcg_below(random, KEYS_MAX), kept = 0;

    for (size_t i = 0; i < count; i++)
        keys[i] = random_key(random, 8);
    qsort(keys, count, sizeof(keys[0]), compare_keys);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || compare_keys(&keys[kept - 1], &keys[i]) != 0)
            keys[kept++] = keys[i];
    return kept;
}

static void create_upload(struct branch *b, struct str key)
{
    char id[UPLOAD_ID_SIZE];

    assert_int_equal(upload_create(b, BUCKET, &(struct upload_spec){.key = key}, id), S3_OK);
}

static void check_round(struct store *store, struct branch **main_branch, struct lcg *random)
{
    static struct key keys[KEYS_MAX];
    static struct row rows[KEYS_MAX];
    size_t count = make_keys(random, keys);
    struct key space[3];

    assert_int_equal(branch_clear(main_branch), NAMED_OK);

    struct branch *b = *main_branch;

    test_bucket(b, BUCKET);
    for (size_t i = 0; i < count; i++) {
        size_t shuffled = i * 7919 % count; /* 7919 is prime and no multiple of count */

        test_put(store, b, key_str(&keys[shuffled]), STR("x"), NULL);
        create_upload(b, key_str(&keys[shuffled]));
    }

    AUTO(root) root = branch_root(b);
    /* The listing's root does not see these. */
    test_put(store, b, STR("a"), STR("y"), NULL);
    test_put(store, b, STR("/zzz"), STR("y"), NULL);
    for (int i = 0; i < 60; i++) {
        struct listing_query q = {.bucket = BUCKET};

        random_query(random, keys, count, &q, space);
        size_t listed = naive_list(keys, count, &q, rows);

        for (q.kind = LIST_OBJECTS; q.kind <= LIST_UPLOADS; q.kind++)
            check_listing(root, &q, rows, listed);
        q.kind = LIST_OBJECTS;
        check_pages(root, q, rows, listed);
    }
}

static void test_random_listings(void **state)
{
    struct store *store = test_store(0);
    AUTO(branch) b = store_branch(store, STR("main"));
    struct lcg random = {3};

    (void)state;
    for (int round = 0; round < 40; round++)
        check_round(store, &b, &random);
    branch_unref(TAKE(b));
    store_free(store);
}

/* ---- markers of versions and uploads ----------------------------------------------- */

struct version_row {
    char key[8];
    char id[VERSION_ID_SIZE];
    bool latest;
};

static size_t all_versions(struct root *root, struct version_row *rows)
{
    struct listing_query q = {.kind = LIST_VERSIONS, .bucket = BUCKET};
    AUTO(listing) listing = NULL;
    struct listing_entry entry;
    size_t count = 0;

    assert_int_equal(listing_open(&listing, root, &q), S3_OK);
    for (; listing_next(listing, &entry); count++) {
        struct str key = record_key(entry.record);

        rows[count] = (struct version_row){.latest = entry.is_latest};
        memcpy(rows[count].key, key.ptr, key.len);
        record_version_id(entry.record, rows[count].id);
    }
    return count;
}

static void make_versions(struct store *store, struct branch *b)
{
    static const char *const keys[] = {"a", "a/", "a/b", "b"};

    test_bucket(b, BUCKET);
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            struct target at = {BUCKET, str_c(keys[i])};

            test_put(store, b, str_c(keys[i]), STR("x"), NULL);
            if ((i + round) % 3 == 0)
                assert_int_equal(object_delete(b, &at, STR_NONE, NULL, NULL), S3_OK);
        }
        /* null versions below, between and on top of others */
        assert_int_equal(bucket_set_versioning(
                             b, BUCKET, round % 2 ? VERSIONING_SUSPENDED : VERSIONING_ENABLED),
                         S3_OK);
    }
}

static void test_version_markers(void **state)
{
    static struct version_row rows[100];
    struct store *store = test_store(0);
    struct branch *b = store_branch(store, STR("main"));

    (void)state;
    make_versions(store, b);

    struct root *root = branch_root(b);
    size_t count = all_versions(root, rows);

    assert_true(count > 12);
    for (size_t i = 0; i < count; i++) {
        struct listing_query q = {.kind = LIST_VERSIONS,
                                  .bucket = BUCKET,
                                  .after = str_c(rows[i].key),
                                  .after_id = str_c(rows[i].id)};
        AUTO(listing) listing = NULL;
        struct listing_entry entry;
        char id[VERSION_ID_SIZE];

        assert_int_equal(listing_open(&listing, root, &q), S3_OK);
        for (size_t next = i + 1; next < count; next++) {
            assert_true(listing_next(listing, &entry));
            assert_str_equal(record_key(entry.record), str_c(rows[next].key));
            assert_string_equal(record_version_id(entry.record, id).ptr, rows[next].id);
            assert_int_equal(entry.is_latest, rows[next].latest);
        }
        assert_false(listing_next(listing, &entry));
    }
    root_unref(root);
    branch_unref(b);
    store_free(store);
}

/* The version a page ended with may be gone when the next page is asked for. */
static void test_version_marker_that_is_gone(void **state)
{
    struct store *store = test_store(0);
    struct branch *b = store_branch(store, STR("main"));
    struct target at = {BUCKET, STR("k")};
    char ids[3][VERSION_ID_SIZE];
    struct listing_entry entry;

    (void)state;
    test_bucket(b, BUCKET);
    assert_int_equal(bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED), S3_OK);
    for (size_t i = 0; i < 3; i++)
        test_put(store, b, at.key, STR("x"), ids[i]);
    assert_int_equal(object_delete(b, &at, str_c(ids[2]), NULL, NULL), S3_OK);

    struct listing_query q = {
        .kind = LIST_VERSIONS, .bucket = BUCKET, .after = at.key, .after_id = str_c(ids[2])};
    struct root *root = branch_root(b);
    struct listing *listing;
    char id[VERSION_ID_SIZE];

    assert_int_equal(listing_open(&listing, root, &q), S3_OK);
    assert_true(listing_next(listing, &entry));
    assert_string_equal(record_version_id(entry.record, id).ptr, ids[1]);
    assert_true(entry.is_latest);
    assert_true(listing_next(listing, &entry));
    assert_false(entry.is_latest);
    assert_false(listing_next(listing, &entry));
    listing_close(listing);

    q.after_id = STR("not an id");
    assert_int_equal(listing_open(&listing, root, &q), S3_INVALID_ARGUMENT);
    assert_null(listing);
    q.bucket = STR("other");
    assert_int_equal(listing_open(&listing, root, &q), S3_NO_SUCH_BUCKET);
    root_unref(root);
    branch_unref(b);
    store_free(store);
}

/* Oldest first within a key; an id marks a place only together with its key (recorded:
 * test_list_multiparts_next_marker), and keeps it when the upload is gone. */
static void test_upload_markers(void **state)
{
    struct store *store = test_store(0);
    struct branch *b = store_branch(store, STR("main"));
    struct listing_query q = {.kind = LIST_UPLOADS, .bucket = BUCKET, .after = STR("a")};
    struct target at = {BUCKET, STR("a")};
    char ids[4][UPLOAD_ID_SIZE];
    struct listing_entry entry;
    struct listing *listing;

    (void)state;
    test_bucket(b, BUCKET);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            upload_create(b, BUCKET, &(struct upload_spec){.key = STR("a")}, ids[i]), S3_OK);
    assert_int_equal(upload_create(b, BUCKET, &(struct upload_spec){.key = STR("b")}, ids[3]),
                     S3_OK);
    assert_int_equal(upload_abort(b, &at, str_c(ids[0])), S3_OK);

    struct root *root = branch_root(b);

    for (size_t i = 0; i < 3; i++) {
        q.after_id = str_c(ids[i]);
        assert_int_equal(listing_open(&listing, root, &q), S3_OK);
        for (size_t next = i + 1; next < 4; next++) {
            assert_true(listing_next(listing, &entry));
            assert_string_equal(upload_id(entry.upload).ptr, ids[next]);
        }
        assert_false(listing_next(listing, &entry));
        listing_close(listing);
    }
    q.after_id = str_c(ids[3]);
    assert_int_equal(listing_open(&listing, root, &q), S3_INVALID_ARGUMENT);
    root_unref(root);
    branch_unref(b);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_listings),
        cmocka_unit_test(test_version_markers),
        cmocka_unit_test(test_version_marker_that_is_gone),
        cmocka_unit_test(test_upload_markers),
    };

    return cmocka_run_group_tests_name("store/listing", tests, NULL, NULL);
}
