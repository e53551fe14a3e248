/* SPDX-License-Identifier: MIT */
/* The pool: slots of all sizes that never overlap, and memory that goes back. */
#include "store/pool.h"
#include "store_util.h"

#include <pthread.h>

struct taken {
    unsigned char *slot;
    size_t size;
    unsigned char mark;
};

static void fill(const struct taken *t)
{
    memset(t->slot, t->mark, t->size);
}

static void check(const struct taken *t)
{
    /* All bytes are equal to the first: each to the one before. */
    assert_int_equal(t->slot[0], t->mark);
    assert_int_equal(memcmp(t->slot, t->slot + 1, t->size - 1), 0);
}

static size_t random_size(struct lcg *random)
{
    switch (lcg_below(random, 4)) {
    case 0:
        return 32;
    case 1:
        return 1 + lcg_below(random, 600);
    case 2:
        return 1 + lcg_below(random, 9000); /* beyond the largest class too */
    default:
        return 48 + lcg_below(random, 200);
    }
}

static void test_slots_do_not_overlap(void **state)
{
    static struct taken taken[5000];
    int owner;
    struct pool *pool = pool_new(&owner);
    struct lcg random = {11};

    (void)state;
    for (uint32_t step = 0; step < 60000; step++) {
        struct taken *t = &taken[lcg_below(&random, ARRAY_LEN(taken))];

        if (t->slot) {
            check(t);
            assert_ptr_equal(pool_owner(t->slot, t->size), &owner);
            pool_give(t->slot, t->size);
        }
        *t = (struct taken){.size = random_size(&random), .mark = (unsigned char)step};
        t->slot = pool_take(pool, t->size);
        assert_non_null(t->slot);
        assert_int_equal((uintptr_t)t->slot % 8, 0);
        fill(t);
    }
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        if (!taken[i].slot)
            continue;
        check(&taken[i]);
        pool_give(taken[i].slot, taken[i].size);
    }
    pool_free(pool);
}

static void test_slot_size_covers(void **state)
{
    (void)state;
    for (size_t size = 1; size < 20000; size++) {
        size_t slot = pool_slot_size(size);

        assert_true(slot >= size);
        assert_true(slot - size < (size <= 5120 ? 8 : 64));
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

/* What a test server used at its peak, it must not keep for ever. */
static void test_memory_goes_back(void **state)
{
    static void *slots[400000];
    struct pool *pool;

    (void)state;
#if UNDER_ASAN
    skip(); /* the sanitizer keeps what is freed in quarantine */
#endif
    pool = pool_new(NULL);
    memset(slots, 1, sizeof(slots));
    size_t before = resident_bytes();
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        slots[i] = pool_take(pool, 128);
        assert_non_null(slots[i]);
        memset(slots[i], 1, 128);
    }
    size_t peak = resident_bytes();
    assert_true(peak - before > ARRAY_LEN(slots) * 128);
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        pool_give(slots[i], 128);
    size_t after = resident_bytes();
    assert_true(after < before + MiB(8));
    pool_free(pool);
}

/* A slot of a full chunk is the next to be used again. */
static void test_full_chunks_take_part_again(void **state)
{
    static void *slots[20000];
    struct pool *pool = pool_new(NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        slots[i] = pool_take(pool, 100);
#if !UNDER_ASAN
    for (size_t i = 0; i < ARRAY_LEN(slots); i += 977) {
        void *slot = slots[i];

        pool_give(slot, 100);
        slots[i] = pool_take(pool, 100);
        assert_ptr_equal(slots[i], slot);
    }
#endif
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        pool_give(slots[i], 100);
    pool_free(pool);
}

static void test_failure_is_reported(void **state)
{
    struct pool *pool = pool_new(NULL);
    void *many[10];

    (void)state;
    mem_fail_nth(1);
    assert_null(pool_take(pool, 64));
    mem_fail_nth(1);
    assert_int_equal(pool_take_many(pool, 64, many, ARRAY_LEN(many)), 0);
    mem_fail_nth(0);
    void *slot = pool_take(pool, 64);
    assert_non_null(slot);
    pool_give(slot, 64);
    pool_free(pool);
}

struct hand_over {
    struct pool *pool;
    void *slots[2000];
    pthread_barrier_t *barrier;
};

static void *take_all(void *arg)
{
    struct hand_over *h = arg;

    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < ARRAY_LEN(h->slots); i++) {
            h->slots[i] = pool_take(h->pool, 40);
            memset(h->slots[i], 3, 40);
        }
        pthread_barrier_wait(h->barrier); /* the other thread gives them back */
        pthread_barrier_wait(h->barrier);
    }
    return NULL;
}

static void *give_all(void *arg)
{
    struct hand_over *h = arg;

    for (size_t round = 0; round < 20; round++) {
        pthread_barrier_wait(h->barrier);
        for (size_t i = 0; i < ARRAY_LEN(h->slots); i++)
            pool_give(h->slots[i], 40);
        pthread_barrier_wait(h->barrier);
    }
    return NULL;
}

static void test_slots_change_threads(void **state)
{
    static struct hand_over hands[2];
    pthread_barrier_t barriers[2];
    pthread_t threads[4];
    struct pool *pool = pool_new(NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pthread_barrier_init(&barriers[i], NULL, 2);
        hands[i] = (struct hand_over){.pool = pool, .barrier = &barriers[i]};
        assert_int_equal(pthread_create(&threads[2 * i], NULL, take_all, &hands[i]), 0);
        assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, give_all, &hands[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 2; i++)
        pthread_barrier_destroy(&barriers[i]);
    pool_free(pool); /* asserts that all came back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_do_not_overlap),
        cmocka_unit_test(test_slot_size_covers),
        cmocka_unit_test(test_memory_goes_back),
        cmocka_unit_test(test_full_chunks_take_part_again),
        cmocka_unit_test(test_failure_is_reported),
        cmocka_unit_test(test_slots_change_threads),
    };

    return cmocka_run_group_tests_name("store/pool", tests, NULL, NULL);
}
