/* SPDX-License-Identifier: MIT */
/* admin_pattern_test.c - patterns for keys against the plain recursive definition, and what the
 * worst of them cost. */
#include "admin/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void test_examples(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"**", "abc", true},
        {"?", "", false},
        {"?", "a", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"a*c", "ac", true},
        {"ab*bc", "abc", false},
        {"*b*", "abc", true},
        {"*x*", "abc", false},
        {"*a*/?.txt", "data/1.txt", true},
        {"*a*/?.txt", "data/12.txt", false},
        {"a?c", "abc", true},
        {"a?c", "abbc", false},
        {"*?b?*", "abc", true},
        {"*?b?*", "ab", false},
        {"a*b*c", "a-b-b-c-c", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (pattern_matches(str_c(cases[i].pattern), str_c(cases[i].text)) != cases[i].matches)
            fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].text);
}

/* What a pattern means, by its definition. */
static bool defined(struct str p, struct str t)
{
    if (p.len == 0)
        return t.len == 0;
    if (p.ptr[0] == '*')
        return defined(str_from(p, 1), t) || (t.len > 0 && defined(p, str_from(t, 1)));
    return t.len > 0 && (p.ptr[0] == '?' || p.ptr[0] == t.ptr[0]) &&
           defined(str_from(p, 1), str_from(t, 1));
}

static void fill(char *out, size_t len, const char *alphabet, uint32_t *random)
{
    size_t letters = strlen(alphabet);

    for (size_t i = 0; i < len; i++) {
        *random = *random * 1664525u + 1013904223u;
        out[i] = alphabet[(*random >> 16) % letters];
    }
}

static void test_as_defined(void **state)
{
    (void)state;
    char pattern[10], text[160];
    uint32_t random = 1;
    size_t matched = 0;

    for (size_t i = 0; i < 40000; i++) {
        size_t pattern_len = random % sizeof(pattern);
        size_t text_len = i % 8 == 0 ? random % sizeof(text) : random % 9;

        fill(pattern, pattern_len, "ab*?", &random);
        fill(text, text_len, "aaab", &random);
        struct str p = str_of(pattern, pattern_len), t = str_of(text, text_len);
        bool got = pattern_matches(p, t);
        if (got != defined(p, t))
            fail_msg("'%.*s' against '%.*s': %d", (int)p.len, p.ptr, (int)t.len, t.ptr, got);
        matched += got;
    }
    assert_in_range(matched, 1000, 39000);
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A key of `len` times 'a' against patterns that want a 'b' at its end. */
static double worst_seconds(size_t len)
{
    static char text[16384], pattern[2 * sizeof(text)];
    double least = 1e9;

    memset(text, 'a', len);
    for (int form = 0; form < 4; form++) {
        size_t n = 0;
        while (n < len / 2) {
            static const char *const units[] = {"a", "*a", "a?", "*a?"};
            n += (size_t)(stpcpy(pattern + n, units[form]) - (pattern + n));
        }
        pattern[0] = '*';
        memcpy(pattern + n, "?b*", 3);
        double started = cpu_seconds();
        for (int i = 0; i < 20; i++)
            assert_false(pattern_matches(str_of(pattern, n + 3), str_of(text, len)));
        double took = (cpu_seconds() - started) / 20;
        least = form == 0 || took > least ? took : least;
    }
    return least;
}

/* A key has 1,024 bytes at most, and ten thousand of them may be looked at. Backtracking took
 * 250 us for one. */
static void test_worst_case(void **state)
{
    (void)state;
    double best = 1;

    for (int i = 0; i < 5; i++) {
        double took = worst_seconds(KEY_MAX);
        best = took < best ? took : best;
    }
    print_message("worst pattern for a key of %d bytes: %.1f us\n", KEY_MAX, best * 1e6);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(best < 100e-6);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_as_defined),
        cmocka_unit_test(test_worst_case),
    };
    return cmocka_run_group_tests_name("admin/pattern", tests, NULL, NULL);
}
