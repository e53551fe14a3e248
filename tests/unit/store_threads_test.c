/* SPDX-License-Identifier: MIT */
/* Readers, writers, listers, snapshots and forks at once; what each sees is checked, the rest
 * is ThreadSanitizer's to find. */
#include "store_util.h"

#include <pthread.h>

#define KEYS    200
#define ROUNDS  3000
#define WRITERS 2

struct world {
    struct store *store;
    struct branch *main;
    _Atomic bool done;
    _Atomic uint64_t seen;
};

static struct str key_text(char out[16], uint32_t key)
{
    return str_of(out, (size_t)snprintf(out, 16, "%u/key %u", key % 7, key));
}

/* A content that tells whether it is whole: one byte, repeated; small and large ones. */
static struct record *uniform_record(struct store *store, struct str key, uint32_t seed)
{
    static const size_t sizes[] = {1, 100, 5000};
    char content[5000];
    size_t size = sizes[seed % 3];

    memset(content, 'a' + (int)(seed % 26), size);
    return test_record(store, key, str_of(content, size));
}

static void check_uniform(struct record *r)
{
    struct slice slice;
    size_t count = record_slices(r, 0, record_size(r), &slice, 1);
    const char *bytes = slice.ptr;

    assert_int_equal(count, 1);
    for (size_t i = 1; i < slice.len; i++)
        assert_int_equal(bytes[i], bytes[0]);
}

static void write_once(struct world *w, struct branch *b, struct lcg *random)
{
    char text[16];
    struct target at = {BUCKET, key_text(text, lcg_below(random, KEYS))};
    struct write_result result;

    if (lcg_below(random, 3)) {
        struct record *r = uniform_record(w->store, at.key, lcg_next(random));

        assert_int_equal(object_put(b, BUCKET, r, NULL, &result), S3_OK);
    } else {
        assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    }
    if (result.old && !record_is_delete_marker(result.old))
        check_uniform(result.old);
    record_unref(result.old);
}

static void *writer(void *arg)
{
    struct world *w = arg;
    struct lcg random = {(uintptr_t)&random};

    for (int i = 0; i < ROUNDS; i++) {
        AUTO(branch) b = store_branch(w->store, STR("main"));
        write_once(w, b, &random);
    }
    return NULL;
}

static void *reader(void *arg)
{
    struct world *w = arg;
    struct lcg random = {(uintptr_t)&random};
    char text[16];

    while (!w->done) {
        struct target at = {BUCKET, key_text(text, lcg_below(&random, KEYS))};
        AUTO(branch) b = store_branch(w->store, STR("main"));
        AUTO(record) r = NULL;

        if (object_get(&r, b, &at, STR_NONE) == S3_OK) {
            assert_str_equal(record_key(r), at.key);
            check_uniform(r);
            w->seen++;
        }
    }
    return NULL;
}

/* A listing agrees with the counts of its root. */
static void check_root(struct root *root)
{
    struct bucket_info info;
    AUTO(listing) listing = NULL;
    struct listing_entry entry;
    uint64_t objects = 0, versions = 0;

    assert_true(root_bucket_next(root, BUCKET, true, &info));
    assert_int_equal(
        listing_open(&listing, root,
                     &(struct listing_query){.kind = LIST_VERSIONS, .bucket = BUCKET}),
        S3_OK);
    while (listing_next(listing, &entry)) {
        if (entry.is_latest && !record_is_delete_marker(entry.record))
            objects++;
        else
            versions++;
    }
    assert_int_equal(objects, info.object_count);
    assert_int_equal(versions, info.version_count);
    bucket_info_release(&info);
}

static void *lister(void *arg)
{
    struct world *w = arg;

    while (!w->done) {
        AUTO(branch) b = store_branch(w->store, STR("main"));
        AUTO(root) root = branch_root(b);

        check_root(root);
        check_root(root); /* the same while others write */
        w->seen++;
    }
    return NULL;
}

static void *snapshooter(void *arg)
{
    struct world *w = arg;
    struct lcg random = {1};

    for (int i = 0; i < ROUNDS / 20; i++) {
        struct branch *b = store_branch(w->store, STR("main"));

        assert_int_equal(NAMED_OK, store_snapshot_take(w->store, b, STR("s")));
        assert_int_equal(NAMED_OK, store_fork(w->store, STR("f"), STR_NONE, STR("s")));

        struct branch *fork = store_branch(w->store, STR("f"));

        for (int n = 0; n < 10; n++)
            write_once(w, fork, &random);
        if (i % 4 == 0)
            assert_int_equal(NAMED_OK, store_snapshot_restore(w->store, &b, STR("s")));
        else if (i % 4 == 1)
            assert_int_equal(NAMED_OK,
                             store_snapshot_restore_bucket(w->store, &b, STR("s"), BUCKET));
        branch_unref(b);
        assert_int_equal(NAMED_OK, store_snapshot_drop(w->store, STR("s")));
        AUTO(root) root = branch_root(fork);
        check_root(root);
        assert_int_equal(NAMED_OK, store_branch_delete(w->store, STR("f")));
        branch_unref(fork);
    }
    return NULL;
}

static void *uploader(void *arg)
{
    struct world *w = arg;
    struct target at = {BUCKET, STR("0/key 0")};
    char id[UPLOAD_ID_SIZE];

    for (int i = 0; i < ROUNDS / 20; i++) {
        AUTO(branch) b = store_branch(w->store, STR("main"));

        if (upload_create(b, BUCKET, &(struct upload_spec){.key = at.key}, id) != S3_OK)
            continue;
        for (uint32_t number = 1; number < 6; number++) {
            struct part part = {.number = number, .size = 100, .body = body_new(w->store, 100)};
            char content[100];

            memset(content, 'x', sizeof(content));
            assert_true(body_append(part.body, content, sizeof(content)));
            enum s3_err err = upload_put_part(b, &at, str_c(id), &part);
            assert_int_equal(err, S3_OK); /* whatever is restored meanwhile */
        }
        enum s3_err err = upload_abort(b, &at, str_c(id));
        assert_int_equal(err, S3_OK);
    }
    return NULL;
}

static void run(enum versioning versioning)
{
    void *(*const busy[])(void *) = {writer, writer, snapshooter, uploader};
    void *(*const watching[])(void *) = {reader, reader, lister};
    pthread_t threads[ARRAY_LEN(busy) + ARRAY_LEN(watching)];
    struct world w = {.store = test_store(0)};
    size_t count = 0;

    w.main = store_branch(w.store, STR("main"));
    test_bucket(w.main, BUCKET);
    assert_int_equal(bucket_set_versioning(w.main, BUCKET, versioning), S3_OK);
    for (size_t i = 0; i < ARRAY_LEN(busy); i++)
        assert_int_equal(pthread_create(&threads[count++], NULL, busy[i], &w), 0);
    for (size_t i = 0; i < ARRAY_LEN(watching); i++)
        assert_int_equal(pthread_create(&threads[count++], NULL, watching[i], &w), 0);
    for (size_t i = 0; i < count; i++) {
        if (i == ARRAY_LEN(busy))
            w.done = true;
        pthread_join(threads[i], NULL);
    }
    assert_true(w.seen > 0);
    branch_unref(w.main);
    w.main = store_branch(w.store, STR("main"));
    assert_int_equal(branch_clear(&w.main), NAMED_OK);
    assert_true(test_memory(w.store) < KiB(256)); /* nodes set aside, no records */
    branch_unref(w.main);
    store_free(w.store);
}

static void test_all_at_once(void **state)
{
    (void)state;
    run(VERSIONING_NEVER);
    run(VERSIONING_ENABLED);
    run(VERSIONING_SUSPENDED);
}

/* Of many If-None-Match: * exactly one wins; of many increments under If-Match none is lost. */
struct race {
    struct world w;
    _Atomic uint32_t created, replaced;
};

static void *racer(void *arg)
{
    struct race *race = arg;
    struct target at = {BUCKET, STR("k")};
    struct write_conditions absent = {.if_none_match = STR("*")};
    char text[32], etag[ETAG_SIZE];

    if (object_put(race->w.main, BUCKET, test_record(race->w.store, at.key, STR("0")), &absent,
                   NULL) == S3_OK)
        race->created++;
    for (int wins = 0; wins < 300;) {
        AUTO(record) r = NULL;

        assert_int_equal(object_get(&r, race->w.main, &at, STR_NONE), S3_OK);
        uint64_t value;
        assert_true(str_to_u64(test_content(r), &value));
        struct str next = str_of(text, (size_t)snprintf(text, 32, "%d", (int)value + 1));
        struct write_conditions same = {.if_match = record_etag(r, etag)};
        struct record *changed = test_record(race->w.store, at.key, next);

        if (object_put(race->w.main, BUCKET, changed, &same, NULL) == S3_OK)
            wins++, race->replaced++;
    }
    return NULL;
}

static void test_conditions_are_atomic(void **state)
{
    struct race race = {.w = {.store = test_store(0)}};
    struct target at = {BUCKET, STR("k")};
    pthread_t threads[4];
    struct record *r;

    (void)state;
    race.w.main = store_branch(race.w.store, STR("main"));
    test_bucket(race.w.main, BUCKET);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, racer, &race), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(race.created, 1);
    assert_int_equal(race.replaced, 1200);
    assert_int_equal(object_get(&r, race.w.main, &at, STR_NONE), S3_OK);
    assert_str_equal(test_content(r), STR("1200"));
    record_unref(r);
    branch_unref(race.w.main);
    store_free(race.w.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_conditions_are_atomic),
    };

    return cmocka_run_group_tests_name("store/threads", tests, NULL, NULL);
}
