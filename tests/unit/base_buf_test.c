/* SPDX-License-Identifier: MIT */
/* base_buf_test.c - growth, limits and failures of buffers, and every encoder and decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/random.h"

static void assert_bytes(const struct buf *b, struct str want)
{
    if (!str_eq(buf_str(b), want))
        fail_msg("got '%.*s', want '%.*s'", (int)b->len, b->ptr, (int)want.len, want.ptr);
    assert_true(buf_ok(b));
}

static void test_growth(void **state)
{
    (void)state;
    AUTO_BUF(b, MiB(1));
    size_t moves = 0, cap = 0;

    assert_null(b.ptr);
    for (size_t i = 0; i < MiB(1); i++) {
        buf_add_char(&b, (char)i);
        if (b.cap != cap)
            moves++;
        cap = b.cap;
        assert_true(b.cap <= b.max);
    }
    assert_true(buf_ok(&b));
    assert_true(moves < 20); /* geometric */
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.ptr[i], (char)i);
    buf_add_char(&b, 'x');
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, MiB(1));
}

static void test_limit_sticks(void **state)
{
    (void)state;
    AUTO_BUF(b, 10);

    buf_add(&b, STR("12345678"));
    buf_add(&b, STR("abc"));
    assert_false(buf_ok(&b));
    buf_add(&b, STR("9")); /* would fit, but the gap before it would not be seen */
    assert_int_equal(b.len, 8);
    assert_false(buf_reserve(&b, 1));
    buf_reset(&b);
    assert_true(buf_ok(&b));
    buf_add(&b, STR("0123456789"));
    assert_bytes(&b, STR("0123456789"));
    assert_false(buf_reserve(&b, SIZE_MAX));
    buf_reset(&b);
    assert_false(buf_reserve(&b, SIZE_MAX - 1));
    buf_release(&b);
    assert_true(buf_ok(&b));
    assert_null(b.ptr);
    assert_int_equal(b.max, 10);
}

static void test_limit_without_end(void **state)
{
    (void)state;
    AUTO_BUF(b, SIZE_MAX);

    buf_add(&b, STR("x"));
    assert_false(buf_reserve(&b, SIZE_MAX)); /* 1 + SIZE_MAX overflows */
    assert_int_equal(b.len, 1);
}

static void test_numbers(void **state)
{
    (void)state;
    AUTO_BUF(b, 256);

    buf_add_u64(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, -1);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MAX);
    assert_bytes(&b, STR("0 18446744073709551615 -9223372036854775808 -1 9223372036854775807"));
}

static void test_format(void **state)
{
    (void)state;
    AUTO_BUF(b, 100);

    buf_addf(&b, "%s-%d", "etag", 12);
    buf_addf(&b, "%s", "");
    assert_bytes(&b, STR("etag-12"));
    buf_addf(&b, "%0*d", 92, 7); /* 7 + 92 and the NUL: just fits */
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 99);
    buf_addf(&b, "%d", 1);
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 99);
}

static void test_xml(void **state)
{
    (void)state;
    AUTO_BUF(b, KiB(1));

    buf_add_xml(&b, STR("a&b<c>d\"e'f\r\n\t"));
    assert_bytes(&b, STR("a&amp;b&lt;c&gt;d&quot;e'f&#13;\n\t"));
    buf_reset(&b);
    buf_add_xml(&b, STR("\0\x01\x1F\x7F\xC3\xA4\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD"));
    assert_bytes(&b, STR("&#x0;&#x1;&#x1f;\x7F\xC3\xA4&#xfffe;&#xffff;\xEF\xBF\xBD"));
    buf_reset(&b);
    buf_add_xml(&b, STR("\xFF"
                        "a\xC3"));
    assert_bytes(&b, STR("\xEF\xBF\xBD"
                         "a\xEF\xBF\xBD"));
    buf_reset(&b);
    buf_add_xml(&b, STR_NONE);
    assert_bytes(&b, STR(""));
}

static void test_json(void **state)
{
    (void)state;
    AUTO_BUF(b, KiB(1));

    buf_add_json(&b, STR("\"\\/\b\f\n\r\t\x01\x1F\x7F\xE2\x82\xAC"));
    assert_bytes(&b, STR("\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\xE2\x82\xAC"));
    buf_reset(&b);
    buf_add_json(&b, STR("\0x\xED\xA0\x80y"));
    assert_bytes(&b, STR("\\u0000x\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDy"));
}

/* What drives a terminal is escaped; what a parser reads stays the same. */
static void test_json_for_eyes(void **state)
{
    (void)state;
    AUTO_BUF(b, KiB(1));

    buf_add_shown_json(&b, STR("\"\x7F\xC2\x9B\u2028\u202E\u2069\u20AC\xC2\xA0\xFF"));
    assert_bytes(&b, STR("\\\"\\u007f\\u009b\\u2028\\u202e\\u2069\u20AC\xC2\xA0\xEF\xBF\xBD"));
    buf_reset(&b);
    buf_add_json_for_eyes(&b, STR("{\n\t\"a\u2029\": \"\\\"\x7F\u20AC\"}"));
    assert_bytes(&b, STR("{\n\t\"a\\u2029\": \"\\\"\\u007f\u20AC\"}"));
}

static void test_uri(void **state)
{
    (void)state;
    AUTO_BUF(b, KiB(1));

    buf_add_uri(&b, STR("AZaz09-._~ /+*%\xC3\xA4\0"), false);
    assert_bytes(&b, STR("AZaz09-._~%20%2F%2B%2A%25%C3%A4%00"));
    buf_reset(&b);
    buf_add_uri(&b, STR("a/b c"), true);
    assert_bytes(&b, STR("a/b%20c"));
    buf_reset(&b);
    buf_add_listing_url(&b, STR(" a/b c*d+e&\xE2\x82\xAC "));
    assert_bytes(&b, STR("+a/b+c*d%2Be%26%E2%82%AC+"));
}

static void test_unescape(void **state)
{
    (void)state;
    static const char *const bad[] = {"%", "%4", "%zz", "%4g", "a%", "%%41", "%-1", "% 1"};
    AUTO_BUF(b, KiB(1));

    assert_true(buf_add_unescaped(&b, STR("a%2Fb%2fc+d%00"), false));
    assert_bytes(&b, STR("a/b/c+d\0"));
    buf_reset(&b);
    assert_true(buf_add_unescaped(&b, STR("a+b%2B+"), true));
    assert_bytes(&b, STR("a b+ "));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(buf_add_unescaped(&b, str_c(bad[i]), false));
        assert_true(buf_ok(&b));
    }
}

/* RFC 4648, section 10. */
static void test_base64_vectors(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xEF\xFF", "++//"},
    };
    AUTO_BUF(b, KiB(1));

    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        char out[8];
        size_t size = strlen(vectors[i][0]);

        buf_reset(&b);
        buf_add_base64(&b, str_c(vectors[i][0]));
        assert_bytes(&b, str_c(vectors[i][1]));
        buf_reset(&b);
        assert_true(buf_add_unbase64(&b, str_c(vectors[i][1])));
        assert_bytes(&b, str_c(vectors[i][0]));
        assert_true(base64_decode_exact(str_c(vectors[i][1]), out, size));
        assert_memory_equal(out, vectors[i][0], size);
        assert_false(base64_decode_exact(str_c(vectors[i][1]), out, size + 1));
    }
}

static void test_base64_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",  "Zm9v=", "=",      "====", "Z===",     "Zg==Zg==",
        "Zh==", "Zm9=", "Zg= ", " Zg==", "Zm8=\n", "Zm-_", "Zm9vZg=x", "Z=g=",
    };
    AUTO_BUF(b, KiB(1));

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (buf_add_unbase64(&b, str_c(bad[i])))
            fail_msg("'%s' was taken", bad[i]);
    }
    assert_int_equal(b.len, 0);
    assert_true(buf_ok(&b));
}

static void test_hex(void **state)
{
    (void)state;
    static const char *const bad[] = {"0", "0g", "g0", " 0", "0x", "00 "};
    AUTO_BUF(b, KiB(1));
    unsigned char out[2];

    buf_add_hex(&b, STR("\x00\x9a\xFF"));
    assert_bytes(&b, STR("009aff"));
    buf_reset(&b);
    assert_true(buf_add_unhex(&b, STR("009AfF")));
    assert_bytes(&b, STR("\x00\x9a\xFF"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(buf_add_unhex(&b, str_c(bad[i])));
    assert_true(hex_decode_exact(STR("be0F"), out, 2));
    assert_memory_equal(out, "\xBE\x0F", 2);
    assert_false(hex_decode_exact(STR("be"), out, 2));
    assert_false(hex_decode_exact(STR("be0f00"), out, 2));
}

/* Each byte at each place, so that it is taken alone and among others. */
static void test_hex_exhaustively(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 40; at++) {
            bool is_digit = byte != 0 && strchr("0123456789abcdefABCDEF", byte) != NULL;
            char bytes[40], digits[81], back[40];

            memset(bytes, '\x5A', sizeof(bytes));
            bytes[at] = (char)byte;
            for (size_t i = 0; i < sizeof(bytes); i++)
                snprintf(digits + 2 * i, 3, "%02x", (unsigned char)bytes[i]);
            AUTO_BUF(b, KiB(1));
            buf_add_hex(&b, str_of(bytes, sizeof(bytes)));
            assert_bytes(&b, str_of(digits, 80));
            assert_true(hex_decode_exact(str_of(digits, 80), back, sizeof(back)));
            assert_memory_equal(back, bytes, sizeof(back));

            digits[at * 2 + at % 2] = (char)byte;
            assert_int_equal(hex_decode_exact(str_of(digits, 80), back, sizeof(back)),
                             is_digit);
            if (is_digit) {
                char pair[] = {digits[at * 2], digits[at * 2 + 1], '\0'};
                assert_int_equal((unsigned char)back[at], strtoul(pair, NULL, 16));
            }
        }
    }
}

static void test_random_round_trips(void **state)
{
    (void)state;
    char bytes[64];

    for (int round = 0; round < 2000; round++) {
        struct str data = str_of(bytes, random_u64() % sizeof(bytes));
        AUTO_BUF(text, KiB(1));
        AUTO_BUF(back, KiB(1));

        random_bytes(bytes, sizeof(bytes));
        buf_add_base64(&text, data);
        assert_true(buf_add_unbase64(&back, buf_str(&text)));
        assert_bytes(&back, data);
        buf_reset(&text), buf_reset(&back);
        buf_add_hex(&text, data);
        assert_true(buf_add_unhex(&back, buf_str(&text)));
        assert_bytes(&back, data);
        buf_reset(&text), buf_reset(&back);
        buf_add_uri(&text, data, round % 2);
        assert_true(buf_add_unescaped(&back, buf_str(&text), round % 3 == 0));
        assert_bytes(&back, data);
        buf_reset(&text), buf_reset(&back);
        buf_add_listing_url(&text, data);
        assert_true(buf_add_unescaped(&back, buf_str(&text), true));
        assert_bytes(&back, data);
        buf_reset(&text);
        buf_add_xml(&text, data);
        assert_true(str_is_utf8(buf_str(&text)));
        buf_reset(&text);
        buf_add_json(&text, data);
        assert_true(str_is_utf8(buf_str(&text)));
    }
}

/* Every appending function once, several allocations in all. False when a decoder refused. */
static bool append_everything(struct buf *b)
{
    struct str text = STR("0123456789012345678901234567890123456789\xFF&\"\r \x01");
    bool valid = true;

    buf_add(b, text);
    buf_add_c(b, "c string");
    buf_add_u64(b, UINT64_MAX);
    buf_add_i64(b, INT64_MIN);
    buf_addf(b, "%0*d", 300, 1);
    buf_add_hex(b, text);
    buf_add_base64(b, text);
    buf_add_xml(b, text);
    buf_add_json(b, text);
    buf_add_uri(b, text, true);
    buf_add_listing_url(b, text);
    valid &= buf_add_unescaped(b, STR("%41+"), true);
    valid &= buf_add_unbase64(b, STR("Zm9v"));
    valid &= buf_add_unhex(b, STR("00"));
    buf_add_char(b, '.');
    return valid;
}

/* Whichever allocation fails, the buf says so, keeps a prefix and never takes more. */
static void test_allocation_failures(void **state)
{
    (void)state;
    AUTO_BUF(whole, KiB(4));
    unsigned failures = 0;
    bool done = false;

    assert_true(append_everything(&whole));
    assert_true(buf_ok(&whole));
    for (uint64_t nth = 1; !done; nth++) {
        AUTO_BUF(b, KiB(4));

        mem_fail_nth(nth);
        assert_true(append_everything(&b)); /* no memory is no fault of the text */
        mem_fail_nth(0);
        done = buf_ok(&b);
        failures += !done;
        assert_true(str_has_prefix(buf_str(&whole), buf_str(&b)));
    }
    assert_true(failures >= 4);
}

/* The same for every limit. */
static void test_every_limit(void **state)
{
    (void)state;
    AUTO_BUF(whole, KiB(4));

    assert_true(append_everything(&whole));
    for (size_t max = 0; max <= whole.len + 1; max++) {
        AUTO_BUF(b, max);

        assert_true(append_everything(&b));
        assert_true(b.cap <= max && b.len <= max);
        assert_int_equal(buf_ok(&b), max >= whole.len);
        assert_true(str_has_prefix(buf_str(&whole), buf_str(&b)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_limit_sticks),
        cmocka_unit_test(test_limit_without_end),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_xml),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_for_eyes),
        cmocka_unit_test(test_uri),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_strict),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_exhaustively),
        cmocka_unit_test(test_random_round_trips),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_every_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
