/* SPDX-License-Identifier: MIT */
/* disk_chain_test.c - thousands of snapshots one upon the other, and thousands of branches: what
 * a start and a change cost does not grow with their number. */
#include "database_fixture.h"

#include <math.h>
#include <time.h>

#define SIZES 3
/* Each step looks rows up, O(log n): from the least of the sizes to the largest that alone makes
 * 1.12. Quadratic is 2. */
#define EXPONENT_MAX 1.3
#define TRIES        5

static const unsigned sizes[SIZES] = {2500, 5000, 10000};

/* Of all threads: the writer's is what most of it is. */
static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

static struct str name_of(char out[32], unsigned n)
{
    snprintf(out, 32, "n%u", n);
    return str_c(out);
}

static void put(struct fixture *f, struct branch *b, struct str key)
{
    struct record_spec spec = {.key = key, .mtime_ns = 1};
    struct write_result result = {.old = NULL};

    assert_int_equal(object_put(b, STR("bucket"),
                                record_new(f->store, &spec, body_new(f->store, 0)), NULL,
                                &result),
                     S3_OK);
    record_unref(result.old);
}

static void delete (struct branch *b, struct str key)
{
    struct target at = {STR("bucket"), key};
    struct write_result result = {.old = NULL};

    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
}

static void settled(struct fixture *f, const char *what, double began_s, double *took_s)
{
    assert_int_equal(settle(f), DURABLE_SAFE);
    *took_s = cpu_s() - began_s;
    print_message("%s: %.3f s\n", what, *took_s);
}

static struct branch *begin(struct fixture *f)
{
    struct bucket_spec spec = {.name = STR("bucket"), .owner = STR("me\nMe\n000000000000")};

    begin_fixture(f, "chain", DURABILITY_ALWAYS);

    struct branch *b = store_branch(f->store, STR("main"));

    assert_int_equal(bucket_create(b, &spec), S3_OK);
    return b;
}

/* CPU seconds at each size: the least of all tries, since other programs only add. */
struct costs {
    const char *what;
    double s[SIZES];
};

static void costs_init(struct costs *c, const char *what)
{
    c->what = what;
    for (size_t i = 0; i < SIZES; i++)
        c->s[i] = INFINITY;
}

static void costs_add(struct costs *c, size_t i, double took_s)
{
    c->s[i] = fmin(c->s[i], took_s);
}

static bool is_linear(const struct costs *c)
{
    double exponent = log(c->s[SIZES - 1] / c->s[0]) / log((double)sizes[SIZES - 1] / sizes[0]);

    print_message("%s: exponent %.2f\n", c->what, exponent);
    /* Under a sanitizer each step is as many times slower, but memory is slower the more of it. */
    return exponent <= EXPONENT_MAX || UNDER_ASAN || UNDER_TSAN;
}

/* An object, a snapshot, an object ... then each object is deleted, with a snapshot before; then
 * the snapshots go. */
static void work_on_a_chain(size_t i, struct costs *building, struct costs *deleting,
                            struct costs *starting, struct costs *dropping)
{
    struct fixture f;
    AUTO(branch) b = begin(&f);
    double began_s = cpu_s(), took_s;
    char name[32];

    for (unsigned n = 0; n < sizes[i]; n++) {
        put(&f, b, name_of(name, n));
        assert_int_equal(store_snapshot_take(f.store, b, str_c(name)), NAMED_OK);
    }
    settled(&f, "built", began_s, &took_s);
    costs_add(building, i, took_s);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object"), sizes[i]);
    began_s = cpu_s();
    for (unsigned n = 0; n < sizes[i]; n++)
        delete (b, name_of(name, n));
    settled(&f, "deleted", began_s, &took_s);
    costs_add(deleting, i, took_s);
    branch_unref(TAKE(b));
    assert_true(database_close(f.db));
    store_free(f.store);
    began_s = cpu_s();
    open_fixture(&f);
    costs_add(starting, i, cpu_s() - began_s);
    began_s = cpu_s();
    for (unsigned n = 0; n < sizes[i]; n++)
        assert_int_equal(store_snapshot_drop(f.store, name_of(name, n)), NAMED_OK);
    settled(&f, "dropped", began_s, &took_s);
    wait_tidy(&f);
    costs_add(dropping, i, cpu_s() - began_s);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM node"), 1);
    assert_true(database_close(f.db));
    store_free(f.store);
}

static void test_a_chain_of_snapshots(void **state)
{
    struct costs building, deleting, starting, dropping;
    bool linear = false;

    (void)state;
    costs_init(&building, "building");
    costs_init(&deleting, "deleting");
    costs_init(&starting, "starting");
    costs_init(&dropping, "dropping");
    for (int tries = 0; !linear && tries < TRIES; tries++) {
        for (size_t i = 0; i < SIZES; i++)
            work_on_a_chain(i, &building, &deleting, &starting, &dropping);
        linear = is_linear(&building) && is_linear(&deleting) && is_linear(&starting) &&
                 is_linear(&dropping);
    }
    assert_true(linear);
}

/* Deeper than the writer looks for what is below. */
static void test_what_a_long_chain_holds_comes_back(void **state)
{
    struct fixture f;
    char name[32];
    AUTO(branch) b = begin(&f);

    (void)state;
    for (unsigned n = 0; n < 150; n++) {
        put(&f, b, name_of(name, n));
        if (n % 3 == 0)
            delete (b, name_of(name, n / 2));
        assert_int_equal(store_snapshot_take(f.store, b, name_of(name, n)), NAMED_OK);
        if (n == 50)
            assert_int_equal(bucket_set_versioning(b, STR("bucket"), VERSIONING_ENABLED),
                             S3_OK);
    }
    put(&f, b, STR("passes"));
    delete (b, STR("passes"));
    for (unsigned n = 0; n < 150; n += 2)
        delete (b, name_of(name, n));
    branch_unref(TAKE(b));
    reopen(&f);
    /* Without those between, it is one node; what was not there leaves no trace. */
    for (unsigned n = 0; n < 150; n++)
        assert_int_equal(store_snapshot_drop(f.store, name_of(name, n)), NAMED_OK);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    wait_tidy(&f);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object WHERE kind = 2"), 0);
    reopen(&f);
    close_fixture(&f);
}

static void work_on_branches(size_t i, struct costs *changing)
{
    struct fixture f;
    AUTO(branch) b = begin(&f);
    double took_s;
    char name[32];

    put(&f, b, STR("a"));
    for (unsigned n = 0; n < sizes[i]; n++)
        assert_int_equal(store_fork(f.store, name_of(name, n), STR("main"), STR_NONE),
                         NAMED_OK);
    assert_int_equal(settle(&f), DURABLE_SAFE);

    double began_s = cpu_s();

    for (unsigned n = 0; n < 2 * sizes[i]; n++) {
        AUTO(branch) other = store_branch(f.store, name_of(name, n % sizes[i]));

        if (n < sizes[i])
            delete (other, STR("a"));
        else
            put(&f, other, STR("b"));
    }
    settled(&f, "changed", began_s, &took_s);
    costs_add(changing, i, took_s);
    branch_unref(TAKE(b));
    assert_true(database_close(f.db));
    store_free(f.store);
}

static void test_many_branches(void **state)
{
    struct costs changing;
    bool linear = false;

    (void)state;
    costs_init(&changing, "changing branches");
    for (int tries = 0; !linear && tries < TRIES; tries++) {
        for (size_t i = 0; i < SIZES; i++)
            work_on_branches(i, &changing);
        linear = is_linear(&changing);
    }
    assert_true(linear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chain_of_snapshots),
        cmocka_unit_test(test_what_a_long_chain_holds_comes_back),
        cmocka_unit_test(test_many_branches),
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, false);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
