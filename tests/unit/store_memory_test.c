/* SPDX-License-Identifier: MIT */
/* What an object costs, that what is dropped comes back, and that snapshots cost nothing. */
#include "store/branch.h"
#include "store_util.h"

/* Fewer than the million of `make bench`: what is paid once a store weighs more here. */
#if UNDER_TSAN
#define OBJECTS 4000
#else
#define OBJECTS 40000
#endif

struct fixture {
    struct store *store;
    struct branch *main;
    uint64_t start;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->store = test_store(0);
    f->main = store_branch(f->store, STR("main"));
    f->start = test_memory(f->store);
    test_bucket(f->main, BUCKET);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    branch_unref(f->main);
    store_free(f->store);
    mem_free(f);
    return 0;
}

/* Key of 20 bytes, a content type and a CRC64NVME, as an SDK's PutObject leaves behind. */
static struct record *typical_record(struct store *store, uint32_t number, size_t body_len,
                                     struct str attrs)
{
    static const char content[2000];
    char key[21];
    struct record_spec spec = {.mtime_ns = NS_PER_S, .attrs = attrs};
    struct body *body = body_new(store, body_len);

    snprintf(key, sizeof(key), "%020u", number * 2654435761u);
    spec.key = str_of(key, 20);
    spec.checksum.alg = CHECKSUM_CRC64NVME;
    spec.checksum.type = CHECKSUM_FULL_OBJECT;
    assert_true(body_append(body, content, body_len));
    return record_new(store, &spec, body);
}

static void fill(struct fixture *f, size_t body_len, struct str attrs)
{
    for (uint32_t i = 0; i < OBJECTS; i++) {
        struct record *r = typical_record(f->store, i, body_len, attrs);

        assert_int_equal(object_put(f->main, BUCKET, r, NULL, NULL), S3_OK);
    }
}

static void test_bytes_an_object(void **state)
{
    struct fixture *f = *state;
    /* The pool rounds sizes up: try lengths that fill a slot and lengths that just do not. */
    const size_t body_lens[] = {0, 100, 101, 107, 108, 109, 1000, 1001, 1008, 1013};
    AUTO_BUF(attrs, KiB(1));

#if UNDER_TSAN
    skip(); /* slow, and then too few objects to share what a store costs */
#endif
    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("binary/octet-stream"));
    for (size_t i = 0; i < ARRAY_LEN(body_lens); i++) {
        fill(f, body_lens[i], buf_str(&attrs));
        uint64_t used = test_memory(f->store) - f->start;
        uint64_t payload = (20 + attrs.len + body_lens[i]) * OBJECTS;

        assert_true(used > payload);
        assert_true((used - payload) / OBJECTS < 100);
        assert_int_equal(branch_clear(&f->main), NAMED_OK);
        assert_true(test_memory(f->store) < f->start + KiB(64));
        test_bucket(f->main, BUCKET);
    }
}

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t total = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &total, &resident), 2);
    fclose(file);
    return resident * 4096;
}

/* The store's own count is honest: the process grows by that, and no more. */
static void test_resident_memory_agrees(void **state)
{
    struct fixture *f = *state;

#if UNDER_ASAN || UNDER_TSAN
    skip(); /* the sanitizers' own memory is resident too */
#endif
    size_t before = resident_bytes();
    fill(f, 300, STR(""));
    size_t grown = resident_bytes() - before;
    uint64_t counted = test_memory(f->store) - f->start;

    assert_true(grown < counted + counted / 20 + MiB(4));
    assert_true(grown > counted - counted / 20 - MiB(4));
}

/* After restoring, clearing and deleting, the reaper gives everything back. */
static void test_all_comes_back(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;

    fill(f, 10, STR(""));
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    for (uint32_t i = 0; i < OBJECTS; i += 2) {
        struct record *r = typical_record(f->store, i, 20, STR(""));
        assert_int_equal(object_put(f->main, BUCKET, r, NULL, NULL), S3_OK);
    }
    assert_int_equal(NAMED_OK, store_fork(f->store, STR("f"), STR("main"), STR_NONE));
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("s")));
    assert_int_equal(NAMED_OK, store_snapshot_drop(f->store, STR("s")));
    assert_int_equal(NAMED_OK, store_branch_delete(f->store, STR("f")));
    assert_int_equal(branch_clear(&f->main), NAMED_OK);
    store_reap_wait(f->store);
    store_stats(f->store, &stats);
    assert_int_equal(stats.reaping, 0);
    assert_int_equal(stats.record_bytes, 0);
    assert_int_equal(stats.body_bytes, 0);
    assert_true(stats.tree_bytes < f->start + KiB(64));
    assert_int_equal(stats.memory_bytes, stats.tree_bytes);
}

/* O(1): a snapshot, a restore and a fork take memory for a name and a root, whatever there is.
 */
static void test_snapshots_are_free(void **state)
{
    struct fixture *f = *state;

    fill(f, 10, STR(""));
    uint64_t before = test_memory(f->store);

    for (int i = 0; i < 100; i++) {
        char name[16];
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "s%d", i));

        assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, text));
        assert_int_equal(NAMED_OK, store_fork(f->store, text, STR_NONE, text));
        assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, text));
    }
    assert_true(test_memory(f->store) < before + KiB(32));

    /* One write under a snapshot copies a path, not the tree; and nodes are set aside. */
    before = test_memory(f->store);
    struct record *r = typical_record(f->store, 1, 10, STR(""));
    assert_int_equal(object_put(f->main, BUCKET, r, NULL, NULL), S3_OK);
    assert_true(test_memory(f->store) < before + KiB(64));
}

#define FORKS 200

/* Bytes of each of many branches that were forked and written to once. */
static uint64_t bytes_a_branch(struct fixture *f)
{
    uint64_t before = test_memory(f->store);

    for (uint32_t i = 0; i < FORKS; i++) {
        char name[16];
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "fork-%u", i));

        assert_int_equal(NAMED_OK, store_fork(f->store, text, STR("main"), STR_NONE));

        AUTO(branch) b = store_branch(f->store, text);
        struct record *r = typical_record(f->store, OBJECTS + i, 1, STR(""));

        assert_int_equal(object_put(b, BUCKET, r, NULL, NULL), S3_OK);
    }

    uint64_t used = test_memory(f->store) - before;

    for (uint32_t i = 0; i < FORKS; i++) {
        char name[16];
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "fork-%u", i));

        assert_int_equal(NAMED_OK, store_branch_delete(f->store, text));
    }
    assert_int_equal(test_memory(f->store), before);
    return used / FORKS;
}

/* A branch and its first write: names and a root, a bucket, the record, and of each tree that
 * was touched the path. Nothing is kept for writes to come. */
static void test_bytes_a_branch(void **state)
{
    struct fixture *f = *state;
    unsigned levels = 0;

    assert_in_range(bytes_a_branch(f), sizeof(struct branch), KiB(1));
    fill(f, 1, STR(""));
    for (uint64_t n = OBJECTS; n > 0; n /= 2)
        levels++;
    /* Record and key: 120 bytes. A path is a little longer than in a full tree, and insertion
     * owns some of its neighbours. */
    assert_in_range(bytes_a_branch(f), sizeof(struct branch), 512 + 120 + 32 * (levels + 6));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_bytes_an_object),    T(test_resident_memory_agrees), T(test_all_comes_back),
        T(test_snapshots_are_free), T(test_bytes_a_branch),
    };

    return cmocka_run_group_tests_name("store/memory", tests, NULL, NULL);
}
