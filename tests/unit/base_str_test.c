/* SPDX-License-Identifier: MIT */
/* base_str_test.c - comparing, splitting, small parsers, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>

#include "base/str.h"

static void assert_str(struct str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq_nocase(STR("Content-MD5"), STR("content-md5")));
    assert_false(str_eq_nocase(STR("@"), STR("`"))); /* differ in the case bit alone */
    assert_false(str_eq_nocase(STR("\xC4"), STR("\xE4")));

    assert_true(str_cmp(STR("a"), STR("a/")) < 0);
    assert_true(str_cmp(STR("a/"), STR("a")) > 0);
    assert_true(str_cmp(STR("a\xFF"), STR("b")) < 0);
    assert_true(str_cmp(STR("\x80"), STR("\x7F")) > 0); /* bytes, not signed chars */
    /* Longer ones, which differ early and late. */
    assert_true(str_cmp(STR("prefix/\x80 and on"), STR("prefix/\x7F and on")) > 0);
    assert_true(str_cmp(STR("\x01prefix/"), STR("\x02prefi/")) < 0);
    assert_true(str_cmp(STR("prefix/a"), STR("prefix/ab")) < 0);
    assert_true(str_cmp(STR("prefix/a/2"), STR("prefix/a/10")) > 0);
    assert_int_equal(str_cmp(STR("prefix/a/2"), STR("prefix/a/2")), 0);
    assert_int_equal(str_cmp(STR("same"), STR("same")), 0);
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
}

/* Each pair of bytes, at each place of texts of each length. */
static void test_case_exhaustively(void **state)
{
    (void)state;
    for (int x = 0; x < 256; x++) {
        for (int y = 0; y < 256; y++) {
            bool letters = isalpha(x) && isalpha(y) && tolower(x) == tolower(y);
            size_t len = (size_t)(x * 7 + y) % 19 + 1, at = (size_t)(x + y * 5) % len;
            char a[20], b[20];

            for (size_t i = 0; i < len; i++) {
                a[i] = "x-Amz-@[`{5"[i % 11];
                b[i] = "X-amZ-@[`{5"[i % 11];
            }
            a[at] = (char)x;
            b[at] = (char)y;
            assert_int_equal(str_eq_nocase(str_of(a, len), str_of(b, len)), x == y || letters);
        }
    }
}

/* Texts of all lengths up to ten that differ at each place, with the least and the greatest
 * byte among them, in one order with memcmp. */
static void test_order_is_memcmps(void **state)
{
    (void)state;
    static const char bytes[] = {'\0', 'a', '\xFF'};
    char a[20], b[20];

    for (unsigned seed = 0; seed < 200000; seed++) {
        size_t a_len = seed % 11, b_len = seed / 11 % 11, differ = seed / 121 % 11;
        size_t common = a_len < b_len ? a_len : b_len;
        int order, got;

        for (size_t i = 0; i < sizeof(a); i++)
            a[i] = b[i] = bytes[(seed * 2654435761u >> (i + 3)) % 3];
        b[differ] = bytes[seed / 1331 % 3];
        b[(differ + seed) % sizeof(b)] = bytes[seed / 3993 % 3];
        order = memcmp(a, b, common);
        if (order == 0)
            order = (a_len > b_len) - (a_len < b_len);
        got = str_cmp(str_of(a, a_len), str_of(b, b_len));
        assert_int_equal((got > 0) - (got < 0), (order > 0) - (order < 0));
    }
}

static void test_prefix_and_suffix(void **state)
{
    (void)state;
    assert_true(str_has_prefix(STR("x-amz-meta-a"), STR("x-amz-meta-")));
    assert_false(str_has_prefix(STR("x-amz"), STR("x-amz-meta-")));
    assert_true(str_has_prefix(STR(""), STR("")));
    assert_true(str_has_prefix_nocase(STR("X-AMZ-Meta-a"), STR("x-amz-meta-")));
    assert_false(str_has_prefix_nocase(STR("X-AM"), STR("x-amz-meta-")));
    assert_true(str_has_suffix(STR("photo.jpg"), STR(".jpg")));
    assert_false(str_has_suffix(STR("jpg"), STR(".jpg")));
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("a/b/c"), STR("/")), 1);
    assert_int_equal(str_find(STR("a\0b"), STR("\0b")), 1);
    assert_int_equal(str_find(STR("abc"), STR("")), 0);
    assert_int_equal(str_find(STR("abc"), STR("abcd")), SIZE_MAX);
    assert_int_equal(str_find(STR_NONE, STR("a")), SIZE_MAX);
    assert_int_equal(str_find_char(STR("a=b"), '='), 1);
    assert_int_equal(str_find_char(STR("ab"), '='), SIZE_MAX);
    assert_int_equal(str_find_char(STR_NONE, '='), SIZE_MAX);
}

static void test_trim_and_from(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t a b\t ")), "a b");
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim(STR("\r")).len, 1); /* blanks only */
    assert_str(str_from(STR("abc"), 1), "bc");
    assert_int_equal(str_from(STR("abc"), 9).len, 0);
    assert_null(str_from(STR_NONE, 3).ptr);
}

static void test_split(void **state)
{
    (void)state;
    struct str rest = STR("a,,b,"), part;

    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "a");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "b");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_false(str_split(&rest, ',', &part));

    rest = STR("");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_false(str_split(&rest, ',', &part));
    rest = STR_NONE;
    assert_false(str_split(&rest, ',', &part));
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "0x1", "1.", "-1", "a", "18446744073709551616"};
    uint64_t u = 7;
    int64_t i = 7;

    for (size_t n = 0; n < ARRAY_LEN(bad); n++)
        assert_false(str_to_u64(str_c(bad[n]), &u));
    assert_int_equal(u, 7); /* untouched */
    assert_true(str_to_u64(STR("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), &u));
    assert_int_equal(u, 7);

    assert_true(str_to_i64(STR("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_true(str_to_i64(STR("9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_false(str_to_i64(STR("9223372036854775808"), &i));
    assert_false(str_to_i64(STR("-9223372036854775809"), &i));
    assert_false(str_to_i64(STR("-"), &i));
    assert_false(str_to_i64(STR("--1"), &i));
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"4096", 4096},
        {"64KiB", 64 << 10},
        {"64KB", 64 << 10},
        {"10M", 10 << 20},
        {"10m", 10 << 20},
        {"1GiB", 1 << 30},
        {"2T", UINT64_C(2) << 40},
        {"16777215T", UINT64_C(16777215) << 40},
        {"12B", 12},
    };
    static const char *const bad[] = {"",    "K",    "1X",  "1KiBs", "1 K",       "-1",
                                      "1.5", "1Kii", "1KK", "1iB",   "16777216T", "1P"};
    uint64_t bytes;

    for (size_t n = 0; n < ARRAY_LEN(good); n++) {
        assert_true(str_to_size(str_c(good[n].text), &bytes));
        assert_true(bytes == good[n].bytes);
    }
    for (size_t n = 0; n < ARRAY_LEN(bad); n++)
        assert_false(str_to_size(str_c(bad[n]), &bytes));
}

/* Written from the definition and not from a table of lead bytes, as str.c is. */
static bool reference_is_utf8(const unsigned char *p, size_t len)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};

    for (size_t at = 0; at < len;) {
        size_t n = p[at] < 0x80       ? 1
                   : p[at] >> 5 == 6  ? 2
                   : p[at] >> 4 == 14 ? 3
                   : p[at] >> 3 == 30 ? 4
                                      : 0;
        uint32_t code;

        if (n == 0 || at + n > len)
            return false;
        code = n == 1 ? p[at] : p[at] & (0x7Fu >> n);
        for (size_t i = 1; i < n; i++) {
            if ((p[at + i] & 0xC0) != 0x80)
                return false;
            code = code << 6 | (p[at + i] & 0x3F);
        }
        if (code < smallest[n] || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF)
            return false;
        at += n;
    }
    return true;
}

/* All sequences of up to three bytes, and all of four that start with F0..F5. */
static void test_utf8_exhaustively(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 1u << 24; bits += bits < 1u << 16 ? 1 : 7) {
        unsigned char p[3] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                              (unsigned char)(bits >> 16)};
        size_t len = bits < 1u << 8 ? 1 : bits < 1u << 16 ? 2 : 3;

        if (str_is_utf8(str_of((char *)p, len)) != reference_is_utf8(p, len))
            fail_msg("%02x %02x %02x (%zu bytes)", p[0], p[1], p[2], len);
    }
    for (unsigned lead = 0xE0; lead <= 0xF5; lead++) {
        for (unsigned second = 0; second < 256; second++) {
            static const unsigned char tails[] = {0x7F, 0x80, 0xBF, 0xC0};

            for (size_t t = 0; t < 16; t++) {
                unsigned char p[4] = {(unsigned char)lead, (unsigned char)second, tails[t % 4],
                                      tails[t / 4]};

                if (str_is_utf8(str_of((char *)p, 4)) != reference_is_utf8(p, 4))
                    fail_msg("%02x %02x %02x %02x", p[0], p[1], p[2], p[3]);
            }
        }
    }
}

static void test_utf8_by_hand(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* surrogate */
        "\xED\xBF\xBF",     /* surrogate */
        "\xF4\x90\x80\x80", /* U+110000 */
        "\xFE",
        "abcdefgh\xE2\x82", /* cut short, behind the fast path */
    };

    for (size_t n = 0; n < ARRAY_LEN(bad); n++)
        assert_false(str_is_utf8(str_c(bad[n])));
    assert_true(str_is_utf8(STR("abcdefgh\xE2\x82\xAC \xF0\x9F\x98\x80 \xEF\xBF\xBF")));
    assert_true(str_is_utf8(STR("\0")));
    assert_true(str_is_utf8(STR_NONE));
    assert_true(str_is_token(STR("x-AMZ_9!#$%&'*+-.^_`|~")));
    for (const char *c = " \t\r\n:;,/()<>@[]{}=?\"\\\x7F\x80"; *c; c++)
        assert_false(str_is_token(str_of(c, 1)));
    assert_false(str_is_token(STR("a\0b")));
    assert_false(str_is_token(STR("")));
    assert_true(str_is_ascii(STR("0123456789abcdef\x7F")));
    assert_false(str_is_ascii(STR("0123456789\x80")));
    assert_false(str_is_ascii(STR("01234567\xFF\x31\x32\x33\x34\x35\x36\x37\x38")));
}

static void test_constant_time(void **state)
{
    (void)state;
    assert_true(str_eq_constant_time(STR("abc"), STR("abc")));
    assert_false(str_eq_constant_time(STR("abc"), STR("abd")));
    assert_false(str_eq_constant_time(STR("abc"), STR("abcd")));
    assert_true(str_eq_constant_time(STR_NONE, STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_case_exhaustively),
        cmocka_unit_test(test_order_is_memcmps),
        cmocka_unit_test(test_prefix_and_suffix),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_trim_and_from),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_utf8_exhaustively),
        cmocka_unit_test(test_utf8_by_hand),
        cmocka_unit_test(test_constant_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
