/* SPDX-License-Identifier: MIT */
/* How many branches and snapshots there may be, and that those made for access keys go when
 * nobody misses them, and no others. */
#include "store/branch.h"
#include "store_util.h"

#include <pthread.h>
#include <unistd.h>

#define IDLE_NS  (30 * NS_PER_MS)
#define PATIENCE 400 /* steps of IDLE_NS */

static bool has_branch(struct store *store, struct str name)
{
    struct named_info info;

    /* store_branch would mark it as used. */
    return store_branch_next(store, name, true, &info) && str_eq(str_c(info.name), name);
}

/* Waits for the reaper's next look, and for much longer than that if need be. */
static bool goes(struct store *store, struct str name)
{
    for (int i = 0; i < PATIENCE && has_branch(store, name); i++)
        usleep(IDLE_NS / 1000);
    return !has_branch(store, name);
}

static void put_once(struct store *store, struct str branch)
{
    AUTO(branch) b = store_branch(store, branch);

    assert_non_null(b);
    test_put(store, b, STR("k"), STR("x"), NULL);
}

static void test_idle_branches_go(void **state)
{
    struct store *store = store_new(&(struct store_options){.branch_idle_ns = IDLE_NS});
    struct branch *main_branch = store_branch(store, STR("main")), *held;

    (void)state;
    test_bucket(main_branch, BUCKET);
    assert_int_equal(store_snapshot_take(store, main_branch, STR("fixture")), NAMED_OK);
    uint64_t before = test_memory(store);

    assert_int_equal(store_fork_for_key(store, STR("x"), STR("nothing")), NAMED_MISSING);
    assert_int_equal(store_fork_for_key(store, STR("idle"), STR("fixture")), NAMED_OK);
    assert_int_equal(store_fork_for_key(store, STR("idle"), STR("fixture")), NAMED_EXISTS);
    assert_int_equal(store_fork_for_key(store, STR("idle-main"), STR("main")), NAMED_OK);
    assert_true(goes(store, STR("idle")));
    assert_true(goes(store, STR("idle-main")));
    assert_int_equal(test_memory(store), before);

    /* All of these are missed by somebody. */
    assert_int_equal(store_fork_for_key(store, STR("moved"), STR("main")), NAMED_OK);
    test_put(store, main_branch, STR("k"), STR("main moves on"), NULL);
    assert_int_equal(store_fork_for_key(store, STR("written"), STR("fixture")), NAMED_OK);
    put_once(store, STR("written"));
    assert_int_equal(store_fork_for_key(store, STR("held"), STR("fixture")), NAMED_OK);
    held = store_branch(store, STR("held"));
    assert_int_equal(store_fork(store, STR("asked-for"), STR_NONE, STR("fixture")), NAMED_OK);
    assert_int_equal(store_fork_for_key(store, STR("sentinel"), STR("fixture")), NAMED_OK);
    assert_true(goes(store, STR("sentinel")));
    usleep(3 * IDLE_NS / 1000);
    assert_true(has_branch(store, STR("moved")));
    assert_true(has_branch(store, STR("written")));
    assert_true(has_branch(store, STR("held")));
    assert_true(has_branch(store, STR("asked-for")));

    /* Restored to its source it is what forking it again makes. */
    struct branch *written = store_branch(store, STR("written"));
    assert_int_equal(store_snapshot_restore(store, &written, STR("fixture")), NAMED_OK);
    branch_unref(written);
    branch_unref(held);
    assert_true(goes(store, STR("written")));
    assert_true(goes(store, STR("held")));

    branch_unref(main_branch);
    store_free(store);
}

/* ---- nothing is lost --------------------------------------------------------------- */

#define ROUNDS 400

struct race {
    struct store *store;
    unsigned thread;
    unsigned forked_again; /* out */
};

/* Looks a branch up about when it expires, writes to it, and looks for what it wrote. */
static void *come_back(void *arg)
{
    struct race *race = arg;
    char text[32];

    for (int i = 0; i < ROUNDS; i++) {
        struct str key =
            str_of(text, (size_t)snprintf(text, sizeof(text), "key-%u-%d", race->thread, i));
        struct target at = {BUCKET, STR("k")};
        AUTO(record) r = NULL;

        assert_int_equal(store_fork_for_key(race->store, key, STR("main")), NAMED_OK);
        usleep(2000 + (unsigned)i % 16 * 500);
        struct branch *b;
        while (!(b = store_branch(race->store, key))) {
            race->forked_again++;
            assert_int_equal(store_fork_for_key(race->store, key, STR("main")), NAMED_OK);
        }
        test_put(race->store, b, at.key, STR("x"), NULL);
        branch_unref(b);
        AUTO(branch) again = store_branch(race->store, key);
        assert_non_null(again);
        assert_int_equal(object_get(&r, again, &at, STR_NONE), S3_OK);
        assert_int_equal(store_branch_delete(race->store, key), NAMED_OK);
    }
    return NULL;
}

static void test_no_write_is_lost(void **state)
{
    struct store *store = store_new(&(struct store_options){.branch_idle_ns = 4 * NS_PER_MS});
    struct race races[4];
    pthread_t threads[ARRAY_LEN(races)];
    unsigned forked_again = 0;

    (void)state;
    AUTO(branch) b = store_branch(store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    for (unsigned i = 0; i < ARRAY_LEN(races); i++) {
        races[i] = (struct race){.store = store, .thread = i};
        assert_int_equal(pthread_create(&threads[i], NULL, come_back, &races[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_LEN(races); i++)
        pthread_join(threads[i], NULL), forked_again += races[i].forked_again;
    /* Some had gone, or it was no race. */
    assert_true(forked_again > 0);
    store_free(store);
}

/* ---- limits ------------------------------------------------------------------------ */

static void test_branch_limit(void **state)
{
    struct store *store = store_new(&(struct store_options){.branch_limit = 2});
    struct root *root;

    (void)state;
    assert_int_equal(store_fork(store, STR("a"), STR("main"), STR_NONE), NAMED_OK);
    assert_int_equal(store_fork_for_key(store, STR("b"), STR("main")), NAMED_OK);
    assert_int_equal(store_fork(store, STR("c"), STR("main"), STR_NONE), NAMED_TOO_MANY);
    assert_int_equal(store_fork_for_key(store, STR("c"), STR("main")), NAMED_TOO_MANY);
    assert_int_equal(store_fork(store, STR("a"), STR("main"), STR_NONE), NAMED_EXISTS);
    assert_int_equal(store_branch_delete(store, STR("a")), NAMED_OK);
    assert_int_equal(store_fork(store, STR("c"), STR("main"), STR_NONE), NAMED_OK);
    /* What a database has is not left out. */
    AUTO(branch) b = store_branch(store, STR("main"));
    root = branch_root(b);
    assert_int_equal(store_add_branch(store, STR("d"), STR("main"), 0, root), NAMED_OK);
    branch_unref(TAKE(b));
    store_free(store);
}

/* Names count, so that nobody fills the memory with them. */
static void test_memory_limit(void **state)
{
    struct store *store = test_store(KiB(512));
    AUTO(branch) b = store_branch(store, STR("main"));
    enum named result = NAMED_OK;
    char name[32];
    unsigned forks = 0, snapshots = 0;

    (void)state;
    while (!result && forks < 100000) {
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "fork-%u", forks));

        result = store_fork(store, text, STR("main"), STR_NONE);
        forks++;
    }
    assert_int_equal(result, NAMED_NO_MEMORY);
    assert_in_range(forks, 1000, 5000);
    assert_true(test_memory(store) <= KiB(512));
    for (unsigned i = 0; i < forks - 1; i++) {
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "fork-%u", i));

        assert_int_equal(store_branch_delete(store, text), NAMED_OK);
    }
    for (result = NAMED_OK; !result && snapshots < 100000; snapshots++) {
        struct str text = str_of(name, (size_t)snprintf(name, sizeof(name), "s-%u", snapshots));

        result = store_snapshot_take(store, b, text);
    }
    assert_int_equal(result, NAMED_NO_MEMORY);
    assert_in_range(snapshots, 1000, 10000);
    assert_true(test_memory(store) <= KiB(512));
    branch_unref(TAKE(b));
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_branches_go),
        cmocka_unit_test(test_no_write_is_lost),
        cmocka_unit_test(test_branch_limit),
        cmocka_unit_test(test_memory_limit),
    };

    return cmocka_run_group_tests_name("store/expiry", tests, NULL, NULL);
}
