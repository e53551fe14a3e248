/* SPDX-License-Identifier: MIT */
/* s3_rfc2047_test.c - encoded words in metadata.
 * Sources: replies recorded from Amazon (user_metadata_rfc2047_*, unicode metadata in forms and
 * presigned URLs); RFC 2047 section 6.2 for blanks between words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/object/rfc2047.h"

struct pair {
    const char *in, *out;
};

static void check(void (*convert)(struct buf *, struct str), const struct pair *pairs,
                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF(out, KiB(4));
        convert(&out, str_c(pairs[i].in));
        if (!str_eq(buf_str(&out), str_c(pairs[i].out)))
            fail_msg("'%s' gives '%.*s', not '%s'", pairs[i].in, (int)out.len,
                     out.ptr ? out.ptr : "", pairs[i].out);
    }
}

static void test_decode(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"", ""},
        {"plain", "plain"},
        {"=?UTF-8?B?YWJj?=", "abc"},
        {"=?utf-8?b?YWJj?=", "abc"},
        {"=?UTF-8?Q?actually-ascii?=", "actually-ascii"},
        {"=?UTF-8*en?Q?a?=", "=?UTF-8*en?Q?a?="},
        {"=?UTF-8?Q?=C3=84_S3?=", "\xC3\x84 S3"},
        {"=?ISO-8859-1?Q?=E9?=", "\xC3\xA9"},
        {"=?UTF-8?B?4WHh?=", "\xEF\xBF\xBD"
                             "a\xEF\xBF\xBD"},
        {"a =?UTF-8?Q?b?=  c", "a b  c"},
        {"=?UTF-8?Q?a?=  =?UTF-8?Q?b?=", "ab"},
        {"=?UTF-8?Q?a?= x =?UTF-8?Q?b?=", "a x b"},
        /* No words: kept as they are. */
        {"=?UTF-8?Q?=C3=8?=", "=?UTF-8?Q?=C3=8?="},
        {"=?UTF-8?Q?=?=", "=?UTF-8?Q?=?="},
        {"=?UTF-8?B?YWJ?=", "=?UTF-8?B?YWJ?="},
        {"=?UTF-8?X?abc?=", "=?UTF-8?X?abc?="},
        {"=?KOI8-R?Q?abc?=", "=?KOI8-R?Q?abc?="},
        {"=?UTF-8?Q?abc", "=?UTF-8?Q?abc"},
        {"=?UTF-8", "=?UTF-8"},
        {"=?", "=?"},
        {"\xC3", "\xEF\xBF\xBD"},
    };
    check(rfc2047_decode, pairs, ARRAY_LEN(pairs));
}

static void test_encode(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"", ""},
        {"plain ~\t", "plain ~\t"},
        {"=?UTF-8?B?YWJj?=", "=?UTF-8?B?YWJj?="},
        {"\xC3\x84M\xC3\x84Z\xC3\x95\xC3\x91 S3", "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="},
        {"test_\xE2\x80\x94_file%E2%80%94_\xC3\xA9_2?.pdf",
         "=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?="},
        {"test_\xE2\x80\x94_file%E2%80%94_\xC3\xA9_2\xF0\x9F\x91\x91.pdf",
         "=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=F0=9F=91=91.pdf?="},
        {"\x01\x02\x03", "=?UTF-8?B?AQID?="},
        {"\xEF\xBF\xBD"
         "a\xEF\xBF\xBD",
         "=?UTF-8?B?77+9Ye+/vQ==?="},
        {"\xFF", "=?UTF-8?B?77+9?="},
        /* Words of more than 63 characters are halved. */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xA9",
         "=?UTF-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?= "
         "=?UTF-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=C3=A9?="},
    };
    check(rfc2047_encode, pairs, ARRAY_LEN(pairs));
}

static void test_latin1(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"abc", "abc"}, {"\xE9\x80\xFF", "\xC3\xA9\xC2\x80\xC3\xBF"}, {"", ""}};
    check(latin1_to_utf8, pairs, ARRAY_LEN(pairs));
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        AUTO_BUF(out, KiB(1));
        assert_true(utf8_to_latin1(&out, str_c(pairs[i].out)));
        assert_true(str_eq(buf_str(&out), str_c(pairs[i].in)));
    }
    AUTO_BUF(out, KiB(1));
    assert_false(utf8_to_latin1(&out, STR("a\xE2\x80\x94"
                                          "b\xC4\x80")));
    assert_true(str_eq(buf_str(&out), STR("a b ")));
    buf_reset(&out);
    assert_false(utf8_to_latin1(&out, STR("\xC3")));
}

/* Text that is not all printable ASCII comes back from its encoded form. */
static void test_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        AUTO_BUF(text, KiB(1));
        AUTO_BUF(encoded, KiB(16));
        AUTO_BUF(decoded, KiB(4));
        static const char *const pieces[] = {
            "a",    "_",  "=?", " ", "\xC3\xA9", "\xE2\x80\x94", "\xF0\x9F\x91\x91",
            "\x01", "?=", "B"};
        for (int i = 0; i < round % 150; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            buf_add_c(&text, pieces[(seed >> 33) % ARRAY_LEN(pieces)]);
        }
        buf_add_char(&text, '\x02');
        rfc2047_encode(&encoded, buf_str(&text));
        assert_true(str_is_ascii(buf_str(&encoded)));
        rfc2047_decode(&decoded, buf_str(&encoded));
        assert_true(str_eq(buf_str(&decoded), buf_str(&text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_latin1),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests_name("s3/rfc2047", tests, NULL, NULL);
}
