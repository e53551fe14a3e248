/* SPDX-License-Identifier: MIT */
/* Bodies of known and unknown length, joins and ranges against the bytes they should hold. */
#include "store/body.h"
#include "store_util.h"

#define SPACE MiB(6)

static char pattern[SPACE];

static int setup(void **state)
{
    struct lcg random = {1};

    for (size_t i = 0; i < SPACE; i++)
        pattern[i] = (char)lcg_next(&random);
    *state = test_store(0);
    return 0;
}

static int teardown(void **state)
{
    store_free(*state); /* asserts that nothing is left */
    return 0;
}

/* A record of the body, to read it back: it must be pattern[first, first + len). */
static void check_body(struct store *store, struct body *body, size_t first, size_t len)
{
    struct record_spec spec = {.key = STR("k")};
    AUTO(record) r = record_new(store, &spec, body_ref(body));
    static struct slice slices[1000];
    size_t count, at = first;

    assert_non_null(r);
    assert_int_equal(body_len(body), len);
    assert_int_equal(record_size(r), len);
    count = record_slices(r, 0, len, slices, ARRAY_LEN(slices));
    assert_true(count <= ARRAY_LEN(slices));
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(slices[i].ptr, pattern + at, slices[i].len);
        at += slices[i].len;
    }
    assert_int_equal(at, first + len);
}

/* Written in pieces of changing size, by copying and in place in turn. */
static struct body *write_body(struct store *store, size_t first, size_t len, bool length_known,
                               struct lcg *random)
{
    struct body *b = body_new(store, length_known ? len : BODY_LENGTH_UNKNOWN);
    size_t at = 0;

    assert_non_null(b);
    while (at < len) {
        size_t take = 1 + lcg_below(random, 40000);

        if (take > len - at)
            take = len - at;
        if (lcg_below(random, 2)) {
            assert_true(body_append(b, pattern + first + at, take));
        } else {
            void *space = body_space(b, &take);
            assert_non_null(space);
            memcpy(space, pattern + first + at, take);
            body_commit(b, take);
        }
        at += take;
    }
    return b;
}

static const size_t lengths[] = {
    0, 1, 4095, 4096, 4097, 16384, 100 << 10, (1 << 20) - 200, 1 << 20, (5 << 20) + 17};

static void test_written_is_read(void **state)
{
    struct store *store = *state;
    struct lcg random = {2};

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (int known = 0; known < 2; known++) {
            struct body *b = write_body(store, i, lengths[i], known, &random);

            check_body(store, b, i, lengths[i]);
            body_unref(b);
        }
    }
}

static void test_no_more_than_expected(void **state)
{
    struct body *b = body_new(*state, 10);
    size_t len = 100;

    assert_true(body_append(b, pattern, 10));
    assert_false(body_append(b, pattern, 1));
    assert_null(body_space(b, &len));
    assert_true(body_append(b, pattern, 0));
    body_unref(b);
    b = body_new(*state, 10);
    assert_false(body_append(b, pattern, 11));
    body_unref(b);
    assert_null(body_new(*state, UINT64_MAX - 1));
}

/* A known length is allocated once, exactly; what a body of unknown length reserved and did not
 * need goes back when it becomes an object's. */
static void test_no_slack(void **state)
{
    struct store *store = *state;
    struct record_spec spec = {.key = STR("k")};
    struct lcg random = {9};

    for (size_t i = 4; i < ARRAY_LEN(lengths); i++) {
        for (int known = 0; known < 2; known++) {
            uint64_t before = test_memory(store);
            struct body *b = write_body(store, 0, lengths[i], known, &random);
            AUTO(record) r = record_new(store, &spec, b);

            assert_non_null(r);
            uint64_t used = test_memory(store) - before;
            /* An unwritten rest of pages, the records of pieces. */
            size_t allowed = 300 + (known ? 0 : 1200) + (lengths[i] >= 900 << 10 ? 8192 : 0);

            assert_true(used >= lengths[i]);
            assert_true(used - lengths[i] <= allowed);
        }
    }
}

static void test_joins_and_ranges(void **state)
{
    struct store *store = *state;
    struct lcg random = {4};

    for (int round = 0; round < 60; round++) {
        struct body *parts[8];
        size_t count = 1 + lcg_below(&random, 8), len = 0;

        for (size_t i = 0; i < count; i++) {
            size_t part =
                lcg_below(&random, 3) ? lcg_below(&random, 50000) : lcg_below(&random, 3);

            parts[i] = write_body(store, len, part, lcg_below(&random, 2), &random);
            len += part;
        }

        uint64_t before = test_memory(store);
        struct body *joined = body_join(store, parts, count);
        assert_non_null(joined);
        /* Shared, not copied. */
        assert_true(test_memory(store) - before < 200 + 32 * 8 * count);
        for (size_t i = 0; i < count; i++)
            body_unref(parts[i]);
        check_body(store, joined, 0, len);

        size_t first = len ? lcg_below(&random, (uint32_t)len) : 0;
        size_t some = lcg_below(&random, (uint32_t)(len - first + 1));
        struct body *range = body_range(joined, first, some);
        struct body *range_of_range = body_range(range, some / 3, some / 2);

        body_unref(joined);
        check_body(store, range, first, some);
        body_unref(range);
        check_body(store, range_of_range, first + some / 3, some / 2);

        struct body *twice[] = {range_of_range, range_of_range};
        joined = body_join(store, twice, 2);
        assert_int_equal(body_len(joined), 2 * (some / 2));
        body_unref(range_of_range);
        body_unref(joined);
    }
}

/* No empty slice where a range begins or ends with a piece. */
static void test_ranges_at_piece_borders(void **state)
{
    struct store *store = *state;
    struct lcg random = {5};
    struct body *parts[6];
    struct slice slices[10];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        parts[i] = write_body(store, i * 5000, 5000, true, &random);
    struct body *joined = body_join(store, parts, ARRAY_LEN(parts));
    struct record_spec spec = {.key = STR("k")};
    AUTO(record) r = record_new(store, &spec, body_ref(joined));

    for (size_t first = 0; first < ARRAY_LEN(parts); first++) {
        for (size_t count = 1; first + count <= ARRAY_LEN(parts); count++) {
            struct body *range = body_range(joined, first * 5000, count * 5000);

            check_body(store, range, first * 5000, count * 5000);
            body_unref(range);
            assert_int_equal(record_slices(r, first * 5000, count * 5000, slices, 10), count);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        body_unref(parts[i]);
    body_unref(joined);
}

static void test_range_beyond_the_end(void **state)
{
    struct store *store = *state;
    struct lcg random = {8};
    struct body *b = write_body(store, 0, 1000, true, &random);
    struct body *range = body_range(b, 900, 500);

    assert_int_equal(body_len(range), 100);
    body_unref(range);
    range = body_range(b, 2000, UINT64_MAX);
    assert_int_equal(body_len(range), 0);
    body_unref(range);
    body_unref(b);
}

/* Slices of a record: every range gives its bytes, inline or not. */
static void test_slices(void **state)
{
    struct store *store = *state;
    struct record_spec spec = {.key = STR("k")};
    const size_t sizes[] = {0, 10, 4096, 70000};
    struct lcg random = {6};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO(record)
        r = record_new(store, &spec, write_body(store, 0, sizes[i], false, &random));

        for (int n = 0; n < 50; n++) {
            uint64_t first = lcg_below(&random, (uint32_t)sizes[i] + 10);
            uint64_t len = lcg_below(&random, (uint32_t)sizes[i] + 10);
            uint64_t end = first + len < sizes[i] ? first + len : sizes[i], at = first;
            struct slice slices[20];
            size_t count = record_slices(r, first, len, slices, ARRAY_LEN(slices));

            assert_int_equal(record_slices(r, first, len, NULL, 0), count);
            for (size_t s = 0; s < count; s++) {
                assert_memory_equal(slices[s].ptr, pattern + at, slices[s].len);
                assert_true(slices[s].len > 0);
                at += slices[s].len;
            }
            assert_int_equal(at, first < end ? end : first);
        }
    }
}

/* Copies share a large body and copy a small one. */
static void test_record_body(void **state)
{
    struct store *store = *state;
    struct record_spec spec = {.key = STR("k")};
    struct lcg random = {6};

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct record *r =
            record_new(store, &spec, write_body(store, 0, lengths[i], true, &random));
        struct body *b = record_body(store, r);

        record_unref(r);
        check_body(store, b, 0, lengths[i]);
        body_unref(b);
    }
}

static void test_limit(void **state)
{
    struct store *store = test_store(MiB(1));
    struct body *bodies[20];
    size_t count = 0;

    (void)state;
    while (count < ARRAY_LEN(bodies) && (bodies[count] = body_new(store, KiB(100)))) {
        bool written = body_append(bodies[count++], pattern, KiB(100));
        if (!written)
            break;
    }
    assert_in_range(count, 9, 11);
    /* Unknown length: refused when it gets too long, and what it had is freed. */
    struct body *b = body_new(store, BODY_LENGTH_UNKNOWN);
    assert_non_null(b);
    size_t written = 0;
    while (written < MiB(2) && body_append(b, pattern, 1000))
        written += 1000;
    assert_true(written < KiB(200));
    body_unref(b);
    for (size_t i = 0; i < count; i++)
        body_unref(bodies[i]);
    b = body_new(store, KiB(900));
    assert_non_null(b);
    body_unref(b);
    store_free(store);
}

static uint64_t memory_of(struct store *store)
{
    struct store_stats stats;

    store_stats(store, &stats);
    return stats.memory_bytes;
}

/* What is announced is accounted as it comes, and not much of it before. */
static void test_account_follows_the_bytes(void **state)
{
    static const size_t announced[] = {KiB(5), KiB(100), KiB(900), MiB(1) + 1, MiB(9) + 77};
    struct store *store = test_store(MiB(10));
    uint64_t before = memory_of(store);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(announced); i++) {
        struct body *b = body_new(store, announced[i]);

        assert_non_null(b);
        assert_in_range(memory_of(store) - before, 1, KiB(4));
        for (size_t len = 0; len < announced[i];) {
            size_t take = announced[i] - len < 1000 ? announced[i] - len : 1000;

            assert_true(body_append(b, pattern, take));
            len += take;

            uint64_t counted = memory_of(store) - before;
            assert_in_range(counted, len, len < MiB(2) ? len + len / 4 + KiB(24) : 2 * len);
        }
        body_seal(b);
        assert_in_range(memory_of(store) - before, announced[i], announced[i] + KiB(8));
        body_unref(b);
        store_reap_wait(store);
        assert_int_equal(memory_of(store), before);
    }
    store_free(store);
}

/* Several may be announced that do not fit together; each that could never is refused. The one
 * for whose bytes there is no room fails, and has taken nothing for good. */
static void test_more_announced_than_there_is(void **state)
{
    struct store *store = test_store(MiB(10));
    struct body *bodies[8];
    size_t full = 0;

    (void)state;
    assert_null(body_new(store, MiB(10)));
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        bodies[i] = body_new(store, MiB(4));
        assert_non_null(bodies[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        size_t len = 0;

        while (len < MiB(4) && body_append(bodies[i], pattern, KiB(16)))
            len += KiB(16);
        full += len == MiB(4);
    }
    assert_int_equal(full, 2);
    assert_true(memory_of(store) <= MiB(10));
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        body_unref(bodies[i]);
    store_reap_wait(store);
    bodies[0] = body_new(store, MiB(9));
    assert_non_null(bodies[0]);
    body_unref(bodies[0]);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account_follows_the_bytes),
        cmocka_unit_test(test_more_announced_than_there_is),
        cmocka_unit_test_setup_teardown(test_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_than_expected, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_slack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_joins_and_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges_at_piece_borders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range_beyond_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_body, setup, teardown),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests_name("store/body", tests, NULL, NULL);
}
