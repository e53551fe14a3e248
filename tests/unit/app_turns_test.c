/* SPDX-License-Identifier: MIT */
/* base_turns_test.c - what is recorded of turns that took long: CPU time, not sleep. */
#include "app/app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};

    nanosleep(&t, NULL);
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void burn_ms(int64_t ms)
{
    int64_t end = cpu_ns() + ms * NS_PER_MS;

    while (cpu_ns() < end) {
    }
}

static int setup(void **state)
{
    *state = turns_new();
    return 0;
}

static int teardown(void **state)
{
    turns_free(*state);
    return 0;
}

/* Returns the CPU time it took, measured from outside. */
static int64_t run_turn(struct turns *t, int64_t burnt_ms, int64_t slept_ms, const char *target)
{
    int64_t before = cpu_ns(), started = turn_begin();

    burn_ms(burnt_ms);
    sleep_ms(slept_ms);
    turn_end(t, started, "finish", STR("GET"), str_c(target));
    return cpu_ns() - before;
}

static void test_nothing_was_long(void **state)
{
    struct turn_record r;

    turns_read(*state, &r);
    assert_int_equal(r.cpu_ns, 0);
    assert_int_equal(r.over_budget, 0);
}

static void test_the_longest_is_kept(void **state)
{
    struct turn_record r;
    int64_t at_most;

    run_turn(*state, 3, 0, "/short");
    at_most = run_turn(*state, 12, 0, "/long?a=b");
    run_turn(*state, 4, 0, "/later");
    turns_read(*state, &r);
    assert_string_equal(r.target, "/long?a=b");
    assert_string_equal(r.method, "GET");
    assert_string_equal(r.step, "finish");
    assert_in_range(r.cpu_ns, 12 * NS_PER_MS, at_most + 2 * NS_PER_MS);
    assert_true(r.wall_ns >= r.cpu_ns);
    assert_int_equal(r.over_budget, 1);
    turns_reset(*state);
    turns_read(*state, &r);
    assert_int_equal(r.cpu_ns, 0);
    assert_int_equal(r.over_budget, 0);
}

/* A thread that the kernel puts aside, or that sleeps, is not busy. */
static void test_sleep_does_not_count(void **state)
{
    struct turn_record r;

    run_turn(*state, 2, 40, "/sleeps");
    turns_read(*state, &r);
    assert_in_range(r.cpu_ns, 2 * NS_PER_MS, 10 * NS_PER_MS);
    assert_true(r.wall_ns >= 40 * NS_PER_MS);
}

/* What the thread did before the turn is not the turn's. */
static void test_work_before_does_not_count(void **state)
{
    struct turn_record r;

    (void)turn_begin();
    burn_ms(30);
    run_turn(*state, 3, 0, "/turn");
    turns_read(*state, &r);
    assert_in_range(r.cpu_ns, 3 * NS_PER_MS, 20 * NS_PER_MS);
}

static void test_long_texts_are_clipped(void **state)
{
    char target[2 * TURN_TARGET_MAX + 1];
    struct turn_record r;

    memset(target, 'x', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    run_turn(*state, 3, 0, target);
    turns_read(*state, &r);
    assert_int_equal(strlen(r.target), TURN_TARGET_MAX - 1);
}

static void test_nobody_wants_to_know(void **state)
{
    (void)state;
    run_turn(NULL, 3, 0, "/");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_nothing_was_long),       CASE(test_the_longest_is_kept),
        CASE(test_sleep_does_not_count),   CASE(test_work_before_does_not_count),
        CASE(test_long_texts_are_clipped), CASE(test_nobody_wants_to_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
