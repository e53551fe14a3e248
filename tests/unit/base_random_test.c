/* SPDX-License-Identifier: MIT */
/* base_random_test.c - alphabets, spread, and threads that do not repeat each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/random.h"

#define DRAWS 360000

/* Each character of the alphabet must come about equally often, and no other at all. With these
 * many draws one per cent of the mean is a deviation of one standard error; six are allowed. */
static void assert_even(void (*fill)(char *, size_t), const char *alphabet)
{
    static char text[DRAWS];
    size_t seen[256] = {0}, letters = strlen(alphabet), total = 0;
    double mean = (double)DRAWS / (double)letters;

    fill(text, sizeof(text));
    for (size_t i = 0; i < sizeof(text); i++)
        seen[(unsigned char)text[i]]++;
    for (size_t i = 0; i < letters; i++) {
        double count = (double)seen[(unsigned char)alphabet[i]];

        if (count < mean * 0.92 || count > mean * 1.08)
            fail_msg("'%c' came %.0f times, mean %.0f", alphabet[i], count, mean);
        total += seen[(unsigned char)alphabet[i]];
    }
    assert_int_equal(total, DRAWS);
}

static void test_alphabets(void **state)
{
    (void)state;
    assert_even(random_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    assert_even(random_token,
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._");
}

static void test_exact_length(void **state)
{
    (void)state;
    char text[40];

    for (size_t n = 0; n < sizeof(text); n++) {
        memset(text, '#', sizeof(text));
        random_id(text, n);
        assert_int_equal(str_find_char(str_of(text, sizeof(text)), '#'), n);
        memset(text, '#', sizeof(text));
        random_token(text, n);
        assert_int_equal(str_find_char(str_of(text, sizeof(text)), '#'), n);
    }
}

/* Every bit of every byte takes both values, and the byte behind is left alone. */
static void test_bytes(void **state)
{
    (void)state;
    for (size_t n = 0; n < 20; n++) {
        unsigned char any[21] = {0}, all[21];

        memset(all, 0xFF, sizeof(all));
        for (int round = 0; round < 100; round++) {
            unsigned char bytes[21] = {0};

            bytes[n] = 0x5A;
            random_bytes(bytes, n);
            assert_int_equal(bytes[n], 0x5A);
            for (size_t i = 0; i < n; i++) {
                any[i] |= bytes[i];
                all[i] &= bytes[i];
            }
        }
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(any[i], 0xFF);
            assert_int_equal(all[i], 0);
        }
    }
}

static void *draw(void *out)
{
    *(uint64_t *)out = random_u64();
    return NULL;
}

static void test_threads_differ(void **state)
{
    (void)state;
    uint64_t drawn[8];

    for (size_t i = 0; i < 8; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, draw, &drawn[i]), 0);
        pthread_join(thread, NULL);
        for (size_t j = 0; j < i; j++)
            assert_true(drawn[i] != drawn[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alphabets),
        cmocka_unit_test(test_exact_length),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_threads_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
