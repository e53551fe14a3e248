/* SPDX-License-Identifier: MIT */
/* The persistent tree against a sorted array under random writes, with snapshots held. */
#include "store/tree.h"
#include "store_util.h"

struct thing {
    _Atomic uint32_t refs;
    uint32_t key;
    uint32_t value;
};

static uint64_t things_alive;

static struct thing *thing_new(uint32_t key, uint32_t value)
{
    struct thing *t = xmalloc(sizeof(*t));

    *t = (struct thing){.refs = 1, .key = key, .value = value};
    things_alive++;
    return t;
}

static void thing_ref(void *item)
{
    ((struct thing *)item)->refs++;
}

static void thing_unref(void *item)
{
    if (item && --((struct thing *)item)->refs == 0) {
        things_alive--;
        mem_free(item);
    }
}

static int thing_compare(const void *key, const void *item)
{
    uint32_t wanted = *(const uint32_t *)key, have = ((const struct thing *)item)->key;

    return (wanted > have) - (wanted < have);
}

static int things_compare(const void *a, const void *b)
{
    return thing_compare(&((const struct thing *)a)->key, b);
}

static const struct tree_type thing_tree = {thing_compare, thing_ref, thing_unref};

#define KEYS      600
#define STEPS     40000
#define SNAPSHOTS 24

/* What a tree should hold: value by key, 0 = absent. */
struct model {
    uint32_t values[KEYS];
};

static void check_contents(const struct tree *t, const struct model *model)
{
    struct cursor cursor;
    const struct thing *at = cursor_first(&cursor, t);
    uint64_t count = 0;

    for (uint32_t key = 0; key < KEYS; key++) {
        if (model->values[key] == 0)
            continue;
        assert_non_null(at);
        assert_int_equal(at->key, key);
        assert_int_equal(at->value, model->values[key]);
        at = cursor_next(&cursor);
        count++;
    }
    assert_null(at);
    assert_null(cursor_next(&cursor));
    assert_int_equal(t->count, count);
}

/* Every way of finding a key agrees with the array. */
static void check_finding(const struct tree *t, const struct model *model, uint32_t key)
{
    const struct thing *found = tree_find(t, thing_compare, &key);
    struct cursor cursor;
    uint32_t next = key, last = key;

    assert_int_equal(found ? found->value : 0, model->values[key]);
    while (next < KEYS && model->values[next] == 0)
        next++;
    found = cursor_seek(&cursor, t, thing_compare, &key);
    assert_int_equal(found ? found->key : KEYS, next);
    if (found) {
        for (next++; next < KEYS && model->values[next] == 0;)
            next++;
        found = cursor_next(&cursor);
        assert_int_equal(found ? found->key : KEYS, next);
    }
    while (last > 0 && model->values[last] == 0)
        last--;
    found = tree_find_last(t, thing_compare, &key);
    assert_int_equal(found ? found->value : 0, model->values[last]);
}

struct world {
    struct account account;
    struct pool *pool;
    struct node_cache cache;
};

static void world_init(struct world *w)
{
    *w = (struct world){.pool = pool_new(w)};
    node_cache_init(&w->cache, w->pool, &w->account);
}

static void world_release(struct world *w)
{
    node_cache_release(&w->cache);
    assert_int_equal(w->account.total, 0);
    assert_int_equal(things_alive, 0);
    pool_free(w->pool);
}

/* One random write to tree and model; after it at most tree_write_bound nodes are gone. */
static void random_write(struct world *w, struct tree *t, struct model *model,
                         struct lcg *random, uint32_t step)
{
    uint32_t key = lcg_below(random, KEYS);
    size_t bound = tree_write_bound(t->count + 1);

    assert_true(node_cache_reserve(&w->cache, bound));
    size_t before = w->cache.count;

    /* Phases of mostly adding and mostly removing, so that the tree is at times nearly empty.
     */
    if (lcg_below(random, 100) < (step / 3000 % 2 ? 25u : 70u)) {
        struct thing *old = tree_put(t, &thing_tree, &w->cache, &key, thing_new(key, step));

        assert_int_equal(old ? old->value : 0, model->values[key]);
        thing_unref(old);
        model->values[key] = step;
    } else {
        struct thing *old = tree_remove(t, &thing_tree, &w->cache, &key);

        assert_int_equal(old ? old->value : 0, model->values[key]);
        thing_unref(old);
        model->values[key] = 0;
    }
    assert_true(before - w->cache.count <= bound);
}

static void test_random_writes_with_snapshots(void **state)
{
    static struct model model, held_model[SNAPSHOTS];
    struct tree tree = {NULL, 0}, held[SNAPSHOTS] = {{NULL, 0}};
    struct lcg random = {7};
    struct world w;

    (void)state;
    world_init(&w);
    for (uint32_t step = 1; step <= STEPS; step++) {
        random_write(&w, &tree, &model, &random, step);
        assert_true(tree_is_sound(&tree, things_compare));
        check_finding(&tree, &model, lcg_below(&random, KEYS));

        if (lcg_below(&random, 50) == 0) { /* take or exchange a snapshot */
            uint32_t i = lcg_below(&random, SNAPSHOTS);

            check_contents(&held[i], &held_model[i]);
            tree_release(&held[i], &thing_tree, &w.account);
            held[i] = tree_share(&tree);
            held_model[i] = model;
        }
        if (lcg_below(&random, 2000) == 0) { /* restore one */
            uint32_t i = lcg_below(&random, SNAPSHOTS);

            tree_release(&tree, &thing_tree, &w.account);
            tree = tree_share(&held[i]);
            model = held_model[i];
        }
    }
    check_contents(&tree, &model);
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        assert_true(tree_is_sound(&held[i], things_compare));
        check_contents(&held[i], &held_model[i]);
        tree_release(&held[i], &thing_tree, &w.account);
    }
    tree_release(&tree, &thing_tree, &w.account);
    world_release(&w);
}

/* A tree that nobody shares is changed in place: only new keys take nodes. */
static void test_unshared_writes_copy_nothing(void **state)
{
    struct tree tree = {NULL, 0};
    struct world w;

    (void)state;
    world_init(&w);
    for (uint32_t key = 0; key < 5000; key++) {
        assert_true(node_cache_reserve(&w.cache, tree_write_bound(tree.count + 1)));
        size_t before = w.cache.count;
        assert_null(tree_put(&tree, &thing_tree, &w.cache, &key, thing_new(key, 1)));
        assert_int_equal(before - w.cache.count, 1);
    }
    for (uint32_t key = 0; key < 5000; key++) {
        size_t before = w.cache.count;

        thing_unref(tree_put(&tree, &thing_tree, &w.cache, &key, thing_new(key, 2)));
        if (key % 3 == 0)
            thing_unref(tree_remove(&tree, &thing_tree, &w.cache, &key));
        assert_int_equal(before, w.cache.count);
    }
    assert_true(tree_is_sound(&tree, things_compare));
    tree_release(&tree, &thing_tree, &w.account);
    world_release(&w);
}

static void test_missing_remove_copies_nothing(void **state)
{
    struct tree tree = {NULL, 0};
    struct world w;

    (void)state;
    world_init(&w);
    for (uint32_t key = 0; key < 100; key += 2) {
        assert_true(node_cache_reserve(&w.cache, tree_write_bound(100)));
        assert_null(tree_put(&tree, &thing_tree, &w.cache, &key, thing_new(key, 1)));
    }
    struct tree held = tree_share(&tree);
    size_t before = w.cache.count;

    for (uint32_t key = 1; key < 100; key += 2)
        assert_null(tree_remove(&tree, &thing_tree, &w.cache, &key));
    assert_int_equal(before, w.cache.count);
    assert_ptr_equal(held.root, tree.root);
    tree_release(&held, &thing_tree, &w.account);
    tree_release(&tree, &thing_tree, &w.account);
    world_release(&w);
}

/* tree_own gives a place that only this handle leads to. */
static void test_own_separates_from_snapshot(void **state)
{
    struct tree tree = {NULL, 0};
    uint32_t key = 57;
    struct world w;

    (void)state;
    world_init(&w);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(node_cache_reserve(&w.cache, tree_write_bound(100)));
        assert_null(tree_put(&tree, &thing_tree, &w.cache, &i, thing_new(i, 1)));
    }
    struct tree held = tree_share(&tree);
    void **place = tree_own(&tree, &thing_tree, &w.cache, &key);

    thing_unref(*place);
    *place = thing_new(key, 2);
    assert_int_equal(((struct thing *)tree_find(&tree, thing_compare, &key))->value, 2);
    assert_int_equal(((struct thing *)tree_find(&held, thing_compare, &key))->value, 1);
    tree_release(&tree, &thing_tree, &w.account);
    assert_int_equal(((struct thing *)tree_find(&held, thing_compare, &key))->value, 1);
    tree_release(&held, &thing_tree, &w.account);
    world_release(&w);
}

static void test_empty_tree(void **state)
{
    struct tree tree = {NULL, 0};
    struct cursor cursor;
    uint32_t key = 1;
    struct world w;

    (void)state;
    world_init(&w);
    assert_true(tree_is_sound(&tree, things_compare));
    assert_null(tree_find(&tree, thing_compare, &key));
    assert_null(tree_find_last(&tree, thing_compare, &key));
    assert_null(cursor_first(&cursor, &tree));
    assert_null(cursor_next(&cursor));
    assert_null(cursor_seek(&cursor, &tree, thing_compare, &key));
    assert_null(tree_remove(&tree, &thing_tree, &w.cache, &key));
    tree_release(&tree, &thing_tree, &w.account);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_writes_with_snapshots),
        cmocka_unit_test(test_unshared_writes_copy_nothing),
        cmocka_unit_test(test_missing_remove_copies_nothing),
        cmocka_unit_test(test_own_separates_from_snapshot),
        cmocka_unit_test(test_empty_tree),
    };

    return cmocka_run_group_tests_name("store/tree", tests, NULL, NULL);
}
