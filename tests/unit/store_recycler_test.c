/* SPDX-License-Identifier: MIT */
/* Pages of large bodies: who gets them again, and how many are kept. */
#include "store/recycler.h"
#include "store_util.h"

static void give_new(struct recycler *r, size_t size)
{
    void *pages = try_pages(size, KiB(4));

    assert_non_null(pages);
    memset(pages, 'x', 1);
    recycler_give(r, pages, size);
}

static int set_up(void **state)
{
    struct recycler *r = xcalloc(1, sizeof(*r));

    recycler_init(r, 0);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    recycler_release(*state);
    mem_free(*state);
    return 0;
}

static void test_the_same_size_comes_back(void **state)
{
    struct recycler *r = *state;
    char *pages = try_pages(MiB(4), MiB(2));

    assert_non_null(pages);
    assert_null(recycler_take(r, MiB(4)));
    recycler_give(r, pages, MiB(4));
    assert_int_equal(r->bytes, MiB(4));
    assert_ptr_equal(recycler_take(r, MiB(4)), pages);
    assert_int_equal(r->bytes, 0);
    assert_null(recycler_take(r, MiB(4)));
    memset(pages, 'y', MiB(4));
    mem_pages_free(pages, MiB(4));
}

static void test_only_what_fits(void **state)
{
    struct recycler *r = *state;
    void *pages;

    give_new(r, MiB(4));
    assert_null(recycler_take(r, MiB(4) + KiB(4)));
    assert_null(recycler_take(r, MiB(2) - KiB(4)));
    /* What is beyond three MiB went back: freeing three leaves nothing. */
    pages = recycler_take(r, MiB(3));
    assert_non_null(pages);
    assert_int_equal(r->count, 0);
    assert_int_equal(r->bytes, 0);
    mem_pages_free(pages, MiB(3));
}

static void test_unused_ones_go(void **state)
{
    struct recycler *r = *state;

    give_new(r, MiB(1));
    for (int i = 1; i < KEPT_TIDIES; i++)
        recycler_tidy(r);
    give_new(r, MiB(2));
    assert_int_equal(r->count, 2);
    recycler_tidy(r);
    assert_int_equal(r->count, 1);
    assert_int_equal(r->bytes, MiB(2));
    for (int i = 1; i < KEPT_TIDIES; i++)
        recycler_tidy(r);
    assert_int_equal(r->count, 0);
    assert_int_equal(r->bytes, 0);
}

static void test_less_may_be_kept(void **state)
{
    struct recycler r;

    (void)state;
    recycler_init(&r, MiB(3));
    give_new(&r, MiB(4));
    assert_int_equal(r.count, 0);
    give_new(&r, MiB(2));
    give_new(&r, MiB(2));
    assert_int_equal(r.bytes, MiB(2));
    recycler_release(&r);
}

static void test_the_newest_is_taken_first(void **state)
{
    struct recycler *r = *state;
    char *old = try_pages(MiB(1), KiB(4)), *new = try_pages(MiB(1), KiB(4));

    recycler_give(r, old, MiB(1));
    recycler_give(r, new, MiB(1));
    assert_ptr_equal(recycler_take(r, MiB(1)), new);
    assert_ptr_equal(recycler_take(r, MiB(1)), old);
    mem_pages_free(old, MiB(1));
    mem_pages_free(new, MiB(1));
}

static void test_the_oldest_makes_room(void **state)
{
    struct recycler *r = *state;

    give_new(r, MiB(2));
    for (int i = 0; i < KEPT_MAX; i++)
        give_new(r, MiB(1));
    assert_int_equal(r->count, KEPT_MAX);
    assert_int_equal(r->bytes, KEPT_MAX * MiB(1));

    give_new(r, KEPT_BYTES_MAX - MiB(2));
    assert_int_equal(r->count, 3);
    assert_int_equal(r->bytes, KEPT_BYTES_MAX);
    give_new(r, KEPT_BYTES_MAX);
    assert_int_equal(r->count, 1);
    give_new(r, KEPT_BYTES_MAX + KiB(4)); /* not kept at all */
    assert_int_equal(r->count, 1);
    assert_int_equal(r->bytes, KEPT_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_size_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_newest_is_taken_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unused_ones_go, set_up, tear_down),
        cmocka_unit_test(test_less_may_be_kept),
        cmocka_unit_test_setup_teardown(test_the_oldest_makes_room, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("store/recycler", tests, NULL, NULL);
}
