/* SPDX-License-Identifier: MIT */
/* s3db_js_test.c - JSON and numbers as JavaScript reads and prints them. What is expected was
 * printed by Node (String(x), JSON.stringify). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3db/js.h"

static void assert_buf(const struct buf *b, const char *want)
{
    assert_true(buf_ok(b));
    assert_int_equal(b->len, strlen(want));
    if (b->len > 0)
        assert_memory_equal(b->ptr, want, b->len);
}

static void assert_prints(double value, const char *want)
{
    AUTO_BUF(out, KiB(4));

    buf_add_js_number(&out, value);
    assert_buf(&out, want);
}

static void test_numbers_print(void **state)
{
    (void)state;
    assert_prints(0, "0");
    assert_prints(-0.0, "0");
    assert_prints(42, "42");
    assert_prints(-5, "-5");
    assert_prints(0.1, "0.1");
    assert_prints(0.1 + 0.2, "0.30000000000000004");
    assert_prints(1.0 / 3, "0.3333333333333333");
    assert_prints(-23.550518999999994, "-23.550518999999994");
    assert_prints(100, "100");
    assert_prints(1e21, "1e+21");
    assert_prints(1e20, "100000000000000000000");
    assert_prints(123456789012345680000.0, "123456789012345680000");
    assert_prints(1.5e300, "1.5e+300");
    assert_prints(1e-6, "0.000001");
    assert_prints(1e-7, "1e-7");
    assert_prints(1.25e-7, "1.25e-7");
    assert_prints(9007199254740991.0, "9007199254740991");
    assert_prints(9007199254740994.0, "9007199254740994");
    assert_prints(1.7976931348623157e308, "1.7976931348623157e+308");
    assert_prints(2.2250738585072014e-308, "2.2250738585072014e-308");
    assert_prints(5e-324, "5e-324");
    assert_prints(1e-320, "1e-320");
    /* 2^-44: the nearest sixteen digits read back as its lower neighbour. */
    assert_prints(ldexp(1, -44), "5.684341886080802e-14");
    assert_prints(9.5367431640625e-7, "9.5367431640625e-7");
    assert_prints(5e-324 * 3, "1.5e-323");
    assert_prints(NAN, "NaN");
    assert_prints(-INFINITY, "-Infinity");
}

/* Whatever bits a double has, what is printed reads back as the same. */
static void test_numbers_survive(void **state)
{
    uint64_t bits = 0x9E3779B97F4A7C15;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        AUTO_BUF(text, KiB(4));
        double value, back;

        bits = bits * 6364136223846793005U + 1442695040888963407U;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        if (i % 4 == 0)
            value = ldexp(1, i % 2000 - 1000); /* powers of two: uneven neighbours */
        buf_add_js_number(&text, value);
        assert_true(js_to_number(buf_str(&text), &back));
        assert_true(back == value);
        if (value > 0) {
            buf_reset(&text);
            buf_add_js_fixed(&text, value);
            assert_true(js_to_number(buf_str(&text), &back));
            assert_true(back == value);
        }
    }
}

static void test_numbers_read(void **state)
{
    static const char *const nan[] = {"x", "1x",  "1e", "1e+", ".",
                                      "-", "1 2", "e5", "--1", "0x"};
    double value;

    (void)state;
    assert_true(js_to_number(STR(" 12.5\n"), &value) && value == 12.5);
    assert_true(js_to_number(STR(""), &value) && value == 0);
    assert_true(js_to_number(STR("+.5e1"), &value) && value == 5);
    assert_true(js_to_number(STR("5."), &value) && value == 5);
    assert_true(js_to_number(STR("1e999999999999"), &value) && isinf(value));
    assert_true(js_to_number(STR("-Infinity"), &value) && isinf(value) && value < 0);
    assert_true(js_to_number(STR("-2.5E-3"), &value) && value == -0.0025);
    for (size_t i = 0; i < ARRAY_LEN(nan); i++)
        assert_false(js_to_number(str_c(nan[i]), &value));
    assert_true(js_round(2.5) == 3 && js_round(-2.5) == -2 &&
                js_round(0.49999999999999994) == 0);
}

static void assert_round_trip(const char *text, const char *want, const char *want_indented)
{
    AUTO_BUF(why, KiB(4));
    AUTO_BUF(out, KiB(64));
    AUTO(json_t) value = js_parse(str_c(text), &why);

    assert_non_null(value);
    js_write(&out, value);
    assert_buf(&out, want);
    if (!want_indented)
        return;
    buf_reset(&out);
    js_write_indented(&out, value);
    assert_buf(&out, want_indented);
}

static void test_json(void **state)
{
    (void)state;
    assert_round_trip("{\"b\":1,\"a\":[],\"10\":{},\"9\":null,\"01\":true,\"4294967295\":2.50}",
                      "{\"9\":null,\"10\":{},\"b\":1,\"a\":[],\"01\":true,\"4294967295\":2.5}",
                      "{\n  \"9\": null,\n  \"10\": {},\n  \"b\": 1,\n  \"a\": [],\n"
                      "  \"01\": true,\n  \"4294967295\": 2.5\n}");
    assert_round_trip(
        "{\"a\":1,\"b\":2,\"a\":[3,{\"c\":4}]}", "{\"a\":[3,{\"c\":4}],\"b\":2}",
        "{\n  \"a\": [\n    3,\n    {\n      \"c\": 4\n    }\n  ],\n  \"b\": 2\n}");
    assert_round_trip(
        "[9007199254740993,9007199254740992,1e21,1e-7,-0,1.0,123456789012345678901]",
        "[9007199254740992,9007199254740992,1e+21,1e-7,0,1,123456789012345680000]", NULL);
    assert_round_trip("\"a\\u0000\\b\\f\\n\\r\\t\\u001F\\\"\\\\\\/\x7F\\u00e9\\ud83d\\ude00\"",
                      "\"a\\u0000\\b\\f\\n\\r\\t\\u001f\\\"\\\\/\x7Fé😀\"", NULL);
    /* Halves of surrogate pairs, and escaped backslashes that only look like them. */
    assert_round_trip("[\"\\ud800\",\"a\\udc00\\ud83d\\ude00\",\"\\\\ud800\"]",
                      "[\"\xEF\xBF\xBD\",\"a\xEF\xBF\xBD😀\",\"\\\\ud800\"]", NULL);
}

static void assert_refused(struct str text, const char *part)
{
    AUTO_BUF(why, KiB(4));
    AUTO(json_t) value = js_parse(text, &why);

    assert_null(value);
    if (str_find(buf_str(&why), str_c(part)) == SIZE_MAX)
        fail_msg("'%.*s' says nothing of '%s'", (int)why.len, why.ptr, part);
    assert_true(str_find_char(buf_str(&why), '\n') == SIZE_MAX);
}

static void test_no_json(void **state)
{
    AUTO_BUF(deep, KiB(64));

    (void)state;
    assert_refused(STR(""), "no JSON");
    assert_refused(STR("{\"a\":1,}"), "column");
    assert_refused(STR("{\"a\":\n1 \"b\n\"}"), "line 2");
    assert_refused(STR("[1] x"), "no JSON");
    assert_refused(STR("\"\xFF\""), "no JSON");
    assert_refused(STR("1e999"), "no JSON");
    assert_refused(STR("{\"\\u0000\":1}"), "no JSON");
    assert_refused(STR("[\"\\ud800\""), "no JSON");
    for (int i = 0; i <= S3DB_JSON_DEPTH_MAX; i++)
        buf_add_char(&deep, '[');
    for (int i = 0; i <= S3DB_JSON_DEPTH_MAX; i++)
        buf_add_char(&deep, ']');
    assert_refused(buf_str(&deep), "nested deeper");
}

static void test_string_of_values(void **state)
{
    AUTO_BUF(why, KiB(4));
    AUTO_BUF(out, KiB(4));
    AUTO(json_t) value = js_parse(STR("[1.5,null,[\"a\",[]],{\"x\":1},true]"), &why);

    (void)state;
    buf_add_js_string(&out, value);
    assert_buf(&out, "1.5,,a,,[object Object],true");
}

static void test_text(void **state)
{
    AUTO_BUF(out, KiB(1));

    (void)state;
    assert_int_equal(js_length(STR("a\xC3\xA9\xE4\xB8\x96\xF0\x9F\x98\x80")), 5);
    assert_int_equal(js_prefix(STR("a\xF0\x9F\x98\x80z"), 2).len, 1);
    assert_int_equal(js_prefix(STR("a\xF0\x9F\x98\x80z"), 3).len, 5);
    assert_true(str_eq(js_trim(STR(" \xC2\xA0\n\xE3\x80\x80"
                                   "a b\t\xEF\xBB\xBF")),
                       STR("a b")));
    assert_int_equal(js_trim(STR(" \t ")).len, 0);
    assert_int_equal(js_trim(STR_NONE).len, 0);
    buf_add_lossy_utf8(&out, STR("a\xFFz\xE4\xB8y\xED\xA0\x80\xF0\x9F\x98\x80"));
    assert_buf(&out, "a\xEF\xBF\xBDz\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD😀");
    assert_true(js_cmp_names(STR("a"), STR("b")) < 0 && js_cmp_names(STR("ab"), STR("a")) > 0);
    /* U+10000 is D800 DC00 in units: before U+FF5E. */
    assert_true(js_cmp_names(STR("\xF0\x90\x80\x80"), STR("\xEF\xBD\x9E")) < 0);
    assert_true(js_cmp_names(STR("\xF0\x90\x80\x80"), STR("\xE4\xB8\x96")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_print), cmocka_unit_test(test_numbers_survive),
        cmocka_unit_test(test_numbers_read),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_no_json),       cmocka_unit_test(test_string_of_values),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests_name("s3db_js", tests, NULL, NULL);
}
