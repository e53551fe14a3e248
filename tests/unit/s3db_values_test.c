/* SPDX-License-Identifier: MIT */
/* s3db_values_test.c - values as s3db.js 19.5.10 and 21.2 wrote them: header, codec, base 62.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3db/js.h"
#include "s3db/values.h"

static void assert_buf(const struct buf *b, const char *want)
{
    assert_true(buf_ok(b));
    if (!str_eq(buf_str(b), str_c(want)))
        fail_msg("'%.*s' instead of '%s'", (int)b->len, b->ptr ? b->ptr : "", want);
}

static json_t *parse(const char *json)
{
    AUTO_BUF(why, KiB(1));
    json_t *value = js_parse(str_c(json), &why);

    assert_non_null(value);
    return value;
}

static struct codec codec_c(const char *definition)
{
    AUTO(json_t) text = json_string(definition);

    return codec_of(text, true);
}

/* json: the value in JSON. */
static void assert_decodes(const char *definition, const char *text, const char *json)
{
    bool closed = false;
    AUTO_BUF(printed, KiB(4));
    AUTO(json_t) value = codec_decode(codec_c(definition), str_c(text), STR_NONE, &closed);

    js_write(&printed, value);
    assert_buf(&printed, json);
    assert_false(closed);
}

static void assert_encodes(const char *definition, const char *json, const char *text)
{
    AUTO_BUF(out, KiB(4));
    AUTO_BUF(why, KiB(1));
    AUTO(json_t) value = parse(json);

    if (!codec_encode(codec_c(definition), value, STR_NONE, &out, &why))
        fail_msg("%s: %.*s", definition, (int)why.len, why.ptr);
    assert_buf(&out, text);
}

static void assert_both(const char *definition, const char *json, const char *text)
{
    assert_encodes(definition, json, text);
    assert_decodes(definition, text, json);
}

static void assert_refused(const char *definition, const char *json, const char *sentence)
{
    AUTO_BUF(out, KiB(4));
    AUTO_BUF(why, KiB(1));
    AUTO(json_t) value = parse(json);

    buf_add(&out, STR("before"));
    assert_false(codec_encode(codec_c(definition), value, STR_NONE, &out, &why));
    assert_buf(&why, sentence);
    assert_buf(&out, "before");
}

/* ---- header ------------------------------------------------------------------------ */

static void assert_header(const char *text, const char *wire)
{
    AUTO_BUF(out, KiB(4));
    AUTO_BUF(back, KiB(4));

    header_encode(&out, str_c(text));
    assert_buf(&out, wire);
    assert_int_equal(header_decode(&back, str_c(wire)), HEADER_TEXT);
    assert_buf(&back, text);
}

static void assert_reads(const char *wire, const char *text)
{
    AUTO_BUF(out, KiB(4));

    assert_int_equal(header_decode(&out, str_c(wire)), HEADER_TEXT);
    assert_buf(&out, text);
}

static void test_header(void **state)
{
    (void)state;
    assert_header("Alice", "Alice");
    assert_header("", "");
    assert_header("é", "b:w6k=");
    assert_header("café", "u:caf%C3%A9");
    assert_header("héllo é世界", "u:h%C3%A9llo%20%C3%A9%E4%B8%96%E7%95%8C");
    assert_header("世界", "b:5LiW55WM");
    assert_header("日aa", "b:5pelYWE=");
    assert_header("日aaa", "u:%E6%97%A5aaa");
    assert_header("a😀aaaaaa", "u:a%F0%9F%98%80aaaaaa");
    assert_header("line\nbreak", "u:line%0Abreak");
    assert_header("\x7F", "b:fw==");
    assert_header("u:x", "b:dTp4");
    assert_header("d:j", "b:ZDpq");
    assert_header("application/json", "d:j");
    assert_header("image/png", "d:P");
    assert_header("processing", "d:p");
    assert_header("failed", "d:f");
    assert_header("active", "active");
    assert_header("font/woff2", "font/woff2");
    assert_header("https://www.foo.com", "d:@Wfoo.com");
    assert_header("http://localhost:3000/x", "d:@L3000/x");
    assert_header("http://localhost/x", "d:@l/x");
    assert_header("https://s3-eu", "d:@Seu");
    assert_header("https://x", "d:@hx");
    assert_header("/users/5", "d:@u5");
    assert_header("/api/v1/x", "d:@1x");
    assert_header("/api/x", "d:@ax");
    assert_header("/v1/", "/v1/");
    /* Behind a prefix s3db.js would leave what no header can have. */
    assert_header("https://é.example", "u:https%3A%2F%2F%C3%A9.example");
    assert_header(" ends ", "u:%20ends%20");
    assert_header("-_.!~*'()é", "u:-_.!~*'()%C3%A9");
}

static void test_header_reads(void **state)
{
    AUTO_BUF(out, KiB(1));

    (void)state;
    assert_int_equal(header_decode(&out, STR("null")), HEADER_NULL);
    assert_int_equal(header_decode(&out, STR("undefined")), HEADER_UNDEFINED);
    assert_int_equal(out.len, 0);
    assert_reads("nullx", "nullx");
    assert_reads("d:@vx", "/v1/x");
    assert_reads("d:q", "d:q");
    assert_reads("d:@zx", "d:@zx");
    assert_reads("d:jj", "d:jj");
    assert_reads("d:", "d:");
    assert_reads("d:function String() { [native code] }",
                 "d:function String() { [native code] }");
    assert_reads("u:", "u:");
    assert_reads("u:%zz", "u:%zz");
    assert_reads("u:%FF", "u:%FF");
    assert_reads("u:a+b", "a+b");
    assert_reads("b:", "b:");
    assert_reads("b:w6k", "é");
    assert_reads("b:Pz8-Pz8_=zz", "?"
                                  "?>?"
                                  "??");
    assert_reads("b:Y W\nJ!j", "abc");
}

/* ---- base 62 ----------------------------------------------------------------------- */

static void assert_base62(double value, const char *text)
{
    AUTO_BUF(out, KiB(1));

    base62_add(&out, value);
    assert_buf(&out, text);
}

static void test_base62(void **state)
{
    AUTO_BUF(out, KiB(1));
    AUTO_BUF(bad, KiB(1));

    (void)state;
    assert_base62(0, "0");
    assert_base62(0.5, "0");
    assert_base62(61, "Z");
    assert_base62(62, "10");
    assert_base62(-62, "-10");
    assert_base62(2.9, "2");
    assert_base62(-2.5, "-3");
    assert_base62(9007199254740991.0, "FfGNdXsE7");
    assert_base62(1e21, "jdt8BLTpPG02");
    assert_true(base62_read(STR("")) == 0);
    assert_true(base62_read(STR("-10")) == -62);
    assert_true(base62_read(STR("FfGNdXsE7")) == 9007199254740991.0);
    assert_true(isnan(base62_read(STR("-"))));
    assert_true(isnan(base62_read(STR("--1"))));
    assert_true(isnan(base62_read(STR("1.5"))));
    assert_true(isnan(base62_read(STR("a b"))));
    for (int i = 0; i < 200; i++)
        buf_add_char(&out, 'Z');
    assert_true(isnan(base62_read(buf_str(&out))));
    buf_reset(&out);
    base62_add_padded(&out, 5, 6);
    base62_add_padded(&out, UINT64_MAX, 1);
    base36_add(&out, 0);
    base36_add(&out, 36);
    assert_buf(&out, "000005lYGhA16ahyf010");
    base62_add(&bad, INFINITY);
    assert_false(buf_ok(&bad));
    buf_reset(&out);
    base62_add(&out, 1.7976931348623157e308);
    assert_true(base62_read(buf_str(&out)) > 1.79e308);
    assert_true(base62_read_decimal(STR("-0.25")) == -0.25);
    assert_true(base62_read_decimal(STR("1.5e+21")) == 1.5e21);
    assert_true(isnan(base62_read_decimal(STR("1.2.3"))));
    assert_true(isnan(base62_read_decimal(STR("--1.5"))));
}

/* ---- codecs ------------------------------------------------------------------------ */

static void test_text_and_json(void **state)
{
    (void)state;
    assert_both("string", "\"Alice\"", "Alice");
    assert_both("string", "\"\"", "");
    assert_decodes("string", "{\"a\":1}", "{\"a\":1}");
    assert_decodes("string", "[1,2]", "[1,2]");
    assert_decodes("string", "{broken", "\"{broken\"");
    assert_encodes("string", "\"[object Object]\"", "{}");
    assert_decodes("string", "{}", "{}");
    assert_decodes("any", "5", "\"5\"");
    assert_encodes("any", "5", "5");
    assert_both("any", "[1,2]", "[1,2]");
    assert_both("array", "[\"a\",1,{\"b\":2}]", "[\"a\",1,{\"b\":2}]");
    assert_refused("array", "{}", "an array is needed, not an object");
    assert_both("object", "{\"a\":1,\"b\":[1,2]}", "{\"a\":1,\"b\":[1,2]}");
    assert_both("json", "\"str\"", "str");
    assert_both("json", "5", "5");
    assert_both("json", "true", "true");
    assert_both("boolean", "true", "1");
    assert_both("boolean", "false", "0");
    assert_decodes("bool", "yes", "true");
    assert_decodes("boolean", "y", "true");
    assert_decodes("boolean", "true", "true");
    assert_decodes("boolean", "null", "false");
    assert_refused("boolean", "\"x\"", "true or false is needed, not text");
    assert_both("password", "\"$2b$10$x\"", "$2b$10$x");
    assert_both("buffer", "\"AAE=\"", "AAE=");
    assert_refused("buffer", "1", "text is needed, not a number");
}

static void test_numbers(void **state)
{
    (void)state;
    assert_both("number", "0", "0");
    assert_both("number", "42", "G");
    assert_both("number", "-5", "-5");
    assert_both("number", "61", "Z");
    assert_both("number", "62", "10");
    assert_both("number", "123456", "w7e");
    assert_both("number", "1.5", "1.5");
    assert_both("number", "-0.25", "-0.25");
    assert_both("number", "3.14159", "3.14159");
    assert_both("number", "9007199254740991", "FfGNdXsE7");
    assert_both("number", "1e+21", "jdt8BLTpPG02");
    assert_both("number", "1.5e+21", "1.5e+21");
    assert_both("number", "1e-7", "0.0000001");
    assert_decodes("number", "", "\"\"");
    assert_decodes("number", "no number", "\"no number\"");
    assert_both("number|integer:true", "3844", "100");
    assert_both("number|integer:true", "-62", "-10");
    assert_refused("number", "\"5\"", "a number is needed, not text");
    assert_refused("number|integer", "2.5", "a whole number is needed");
    assert_both("money", "19.99", "$wf");
    assert_both("money", "1000.5", "$q1I");
    assert_both("money", "0", "$0");
    assert_both("crypto", "0.00012345", "$3d7");
    assert_both("crypto:18", "0.5", "$AW0koeNAS4");
    assert_refused("money", "1e308", "a smaller number is needed");
    assert_decodes("money", "wf", "\"wf\"");
    assert_decodes("money", "$", "\"$\"");
    assert_both("decimal", "-2.5", "^-42");
    assert_encodes("decimal:4", "3.14159", "^8aI");
    assert_decodes("decimal:4", "^8aI", "3.1416");
}

static void test_places(void **state)
{
    (void)state;
    assert_encodes("geo:lat", "-23.550519", "~4uOxP");
    assert_decodes("geo:lat", "~4uOxP", "-23.550518999999994");
    assert_both("geo:lat", "0", "~65D6U");
    assert_both("geo:lat", "-90", "~0");
    assert_encodes("geo:lon", "-46.633309", "~91ALF");
    assert_both("geo:lon", "180", "~omwrC");
    assert_encodes("geo:lat:4", "-23.550519", "~2MRF");
    assert_encodes("geo:point", "{\"lat\":-23.550519,\"lon\":-46.633309}", "~4uOxP~91ALF");
    assert_encodes("geo:point", "[1,2]", "~69PfW~cjEvS");
    assert_both("geo:point", "{\"latitude\":1,\"longitude\":2}", "~69PfW~cjEvS");
    assert_decodes("geo:point", "~69PfW", "\"~69PfW\"");
    assert_decodes("geo:point", "~1~2~3", "\"~1~2~3\"");
    assert_refused("geo:point", "[1]",
                   "an object with the numbers latitude and longitude is "
                   "needed");
}

static void test_arrays(void **state)
{
    (void)state;
    assert_both("array|items:string", "[]", "");
    assert_both("array|items:string", "[\"a\"]", "a");
    assert_both("array|items:string", "[\"x\",\"y|z\",\"a\\\\b\"]", "x|y\\|z|a\\\\b");
    assert_both("array|items:string", "[\"\",\"\"]", "|");
    assert_encodes("array|items:string", "[\"\"]", "");
    assert_both("array|items:string", "[\"é\",\"b\"]", "é|b");
    assert_decodes("array|items:string", "a\\", "[\"a\\\\\"]");
    assert_refused("array|items:string", "[1]", "an array of texts is needed, not a number");
    assert_refused("array|items:string", "\"a\"", "an array of texts is needed, not text");
    assert_both("array|items:number", "[1,2.5,-3,0]", "1|2.5|-3|0");
    assert_both("array|items:number", "[100,0.001]", "1C|0.001");
    assert_both("array|items:number", "[1,null]", "1|");
    assert_decodes("array|items:number", "1|&", "\"1|&\"");
    assert_both("array|items:number|integer:true", "[1,62,100]", "1|10|1C");
    assert_refused("array|items:number", "[\"1\"]", "an array of numbers is needed, not text");
    assert_encodes("embedding:4", "[0.1,-0.2,0.3333333,1]", "^[q0U,-Q1O,1oIl,4c92]");
    assert_decodes("embedding:4", "^[q0U,-Q1O,1oIl,4c92]", "[0.1,-0.2,0.333333,1]");
    assert_encodes("embedding|length:3", "[0.5,1e-7,-1]", "^[264w,0,-4c92]");
    assert_both("array|items:number|length:256", "[0.5,0,-1]", "^[264w,0,-4c92]");
    assert_both("embedding", "[]", "^[]");
    assert_both("embedding", "[1,null]", "^[4c92,]");
    assert_decodes("embedding", "^[", "\"^[\"");
    assert_decodes("embedding", "^[1,&]", "\"^[1,&]\"");
}

static void test_addresses(void **state)
{
    (void)state;
    assert_both("ip4", "\"192.168.1.10\"", "wKgBCg==");
    assert_both("ip4", "\"0.0.0.0\"", "AAAAAA==");
    assert_both("ip4", "\"10.0.0.12\"", "CgAADA==");
    assert_decodes("ip4", "10.0.0.12", "\"10.0.0.12\"");
    assert_refused("ip4", "\"10.0.0.256\"", "an IPv4 address such as 192.168.1.10 is needed");
    assert_both("ip6", "\"2001:db8::1\"", "IAENuAAAAAAAAAAAAAAAAQ==");
    assert_both("ip6", "\"::1\"", "AAAAAAAAAAAAAAAAAAAAAQ==");
    assert_both("ip6", "\"::\"", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_both("ip6", "\"1::\"", "AAEAAAAAAAAAAAAAAAAAAA==");
    /* One zero is no gap; of two gaps the longer, of equal ones the first. */
    assert_both("ip6", "\"1:0:2:3:4:5:6:7\"", "AAEAAAACAAMABAAFAAYABw==");
    assert_both("ip6", "\"1::2:0:0:3\"", "AAEAAAAAAAAAAgAAAAAAAw==");
    assert_both("ip6", "\"1::2:3:0:0:4\"", "AAEAAAAAAAIAAwAAAAAABA==");
    assert_decodes("ip6", "wKgBCg==", "\"wKgBCg==\"");
    assert_refused("ip6", "5", "an IPv6 address such as 2001:db8::1 is needed, not a number");
}

static void test_dates(void **state)
{
    (void)state;
    assert_both("datetime", "\"2025-10-25T11:24:20.123Z\"", "v0Dx3Vp");
    assert_encodes("datetime", "\"2025-10-25T13:24:20.1239+02:00\"", "v0Dx3Vp");
    assert_both("datetime|optional", "\"1970-01-01T00:00:00.000Z\"", "0");
    assert_both("datetime", "\"1969-12-31T23:59:59.999Z\"", "-1");
    assert_encodes("datetime", "\"1970-01-02\"", "5QwAo");
    assert_decodes("datetime", "2025-10-25T11:24:20.123Z", "\"2025-10-25T11:24:20.123Z\"");
    assert_decodes("datetime", "ZZZZZZZZZZ", "\"ZZZZZZZZZZ\"");
    assert_refused("datetime", "\"soon\"",
                   "a date and time such as 2025-10-25T11:24:20.123Z is needed");
    assert_refused("datetime", "\"2025-02-29T00:00:00Z\"",
                   "a date and time such as 2025-10-25T11:24:20.123Z is needed");
    assert_both("dateonly", "\"2025-10-25\"", "5iO");
    assert_both("dateonly", "\"2024-02-29\"", "594");
    assert_both("dateonly", "\"+010000-01-01\"", "ciYN");
    assert_refused("dateonly", "1", "a date such as 2025-10-25 is needed, not a number");
    assert_encodes("timeonly", "\"00:01\"", "fBK");
    assert_decodes("timeonly", "1", "\"00:00:00.001\"");
    assert_refused("timeonly", "\"24:00\"", "a time of day such as 11:24:20.123 is needed");
    assert_both("duration", "\"PT0S\"", "0");
    assert_both("duration", "\"PT0.001S\"", "1");
    assert_decodes("duration", "Z", "\"PT0.061S\"");
    assert_decodes("duration", "5QwAo", "\"P1D\"");
    assert_encodes("duration", "\"P1D\"", "5QwAo");
    assert_encodes("duration", "86400000", "5QwAo");
    assert_both("duration", "\"PT3M16.145S\"", "0P1D");
    assert_refused("duration", "\"P\"",
                   "a duration such as P1DT2H3M4.5S, of no more than 2^53 ms, is needed");
}

static void test_ids(void **state)
{
    (void)state;
    assert_both("uuid", "\"550e8400-e29b-41d4-a716-446655440000\"", "1yzBHq49i4y833Iawe1yOjy8");
    assert_both("uuid", "\"00000000-0000-0000-0000-000000000000\"", "000000000000000000000000");
    assert_both("uuid", "\"none\"", "none");
    assert_decodes("uuid", "ZZZZZZ000000000000000000", "\"ZZZZZZ000000000000000000\"");
    assert_refused("uuid", "\"550e8400-e29b-41d4-a7160\"",
                   "a UUID such as 550e8400-e29b-41d4-a716-446655440000 is needed");
    assert_both("mac", "\"00:00:00:00:00:3e\"", "000000010");
    assert_both("mac", "\"ff:ff:ff:ff:ff:ff\"", "1hVwxnaA7");
    assert_decodes("mac", "ZZZZZZZZZ", "\"ZZZZZZZZZ\"");
    assert_both("cidr", "\"0.0.0.62/24\"", "000010o");
    assert_both("cidr", "\"192.168.0.0/16\"", "3wK86Yg");
    assert_both("cidr", "\"2001:db8::/32\"", "2001:db8::/32");
    assert_decodes("cidr", "000010Z", "\"000010Z\"");
    assert_both("semver", "\"1.2.3\"", "4cFl");
    assert_both("semver", "\"1.0.0-beta\"", "1.0.0-beta");
    assert_both("semver", "\"1.1000.0\"", "1.1000.0");
    assert_refused("semver", "\"5\"", "a version such as 1.20.3 is needed");
    assert_both("phone", "\"+5511999998888\"", "1z2ASgAw");
    assert_refused("phone", "\"5551234\"", "a telephone number such as +15551234567 is needed");
    assert_both("color", "\"#00003e\"", "00010");
    assert_both("color", "\"#fff\"", "#fff");
    assert_decodes("color", "ZZZZZ", "\"ZZZZZ\"");
    assert_both("ean", "\"4006381333931\"", "118x8XMN5");
    assert_both("ean", "\"00000062\"", "010");
    assert_both("ean", "\"000000000062\"", "210");
    assert_both("ean", "\"00000000000062\"", "310");
    assert_decodes("ean", "4006381333931", "\"4006381333931\"");
    assert_decodes("ean", "0ZZZZZZ", "\"0ZZZZZZ\"");
    /* Base 62 that is all digits s3db.js would take for the number itself. */
    assert_both("ean", "\"3521614606208\"", "3521614606208");
    assert_refused("ean", "\"123\"", "an article number of 8, 12, 13 or 14 digits is needed");
}

/* ---- choice ------------------------------------------------------------------------ */

static void assert_kind(const char *definition, bool datetimes, enum codec_kind kind,
                        unsigned places)
{
    AUTO(json_t) value = parse(definition);
    struct codec codec = codec_of(value, datetimes);

    assert_int_equal(codec.kind, kind);
    assert_int_equal(codec.places, places);
}

static void test_choice(void **state)
{
    (void)state;
    assert_kind("\"string|default:secret\"", true, CODEC_SECRET, 0);
    assert_kind("\"secret|default:number\"", true, CODEC_SECRET, 0);
    assert_kind("\"money:4\"", true, CODEC_MONEY, 4);
    assert_kind("\"crypto\"", true, CODEC_MONEY, 8);
    assert_kind("\"decimal:99999999999\"", true, CODEC_DECIMAL, 308);
    assert_kind("\"bits:8\"", true, CODEC_BUFFER, 0);
    assert_kind("\"array\"", true, CODEC_ARRAY, 0);
    assert_kind("\"array|items:number|length:255\"", true, CODEC_NUMBERS, 0);
    assert_kind("\"array|items:number|length:768\"", true, CODEC_EMBEDDING, 6);
    assert_kind("\"datetime|optional\"", true, CODEC_DATETIME, 0);
    assert_kind("\"datetime|optional\"", false, CODEC_PLAIN, 0);
    assert_kind("\"string|uuid\"", true, CODEC_PLAIN, 0);
    assert_kind("\"email\"", true, CODEC_PLAIN, 0);
    assert_kind("\"\"", true, CODEC_PLAIN, 0);
    assert_kind("[]", true, CODEC_PLAIN, 0);
    assert_kind("{\"type\":\"number\"}", true, CODEC_PLAIN, 0);
    assert_kind("{\"type\":\"array\"}", true, CODEC_PLAIN, 0);
    assert_kind("{\"type\":\"array\",\"items\":\"string\"}", true, CODEC_STRINGS, 0);
    assert_kind("{\"type\":\"array\",\"items\":\"number|integer\"}", true, CODEC_INTEGERS, 0);
    assert_kind("{\"type\":\"array\",\"items\":\"number\",\"length\":256}", true,
                CODEC_EMBEDDING, 6);
    assert_kind("{\"type\":\"array\",\"items\":\"number\"}", true, CODEC_NUMBERS, 0);
}

/* ---- secrets ----------------------------------------------------------------------- */

static void seal(const char *text, const char *passphrase, struct buf *out)
{
    AUTO_BUF(why, KiB(1));
    AUTO(json_t) value = json_string(text);

    assert_true(codec_encode(codec_c("secret"), value, str_c(passphrase), out, &why));
}

static void assert_opens(struct str text, const char *passphrase, const char *json,
                         bool want_closed)
{
    bool closed = false;
    AUTO_BUF(printed, KiB(4));
    AUTO(json_t) value = codec_decode(codec_c("secret"), text, str_c(passphrase), &closed);

    js_write(&printed, value);
    if (json)
        assert_buf(&printed, json);
    else
        assert_true(str_eq(js_str(value), text));
    assert_int_equal(closed, want_closed);
}

/* Written by the functions of s3db.js 21.6.2, under the passphrase `secret`. */
#define SEALED_ONCE "fIGmXkqphnGqMd6cK0uuVzA8k93V50C6uMdaEtKLhp3uvRpYcsvL14mnODCGI00zPI0="
#define SEALED_TWICE                                                                           \
    "0PbIn1RmVkmkea9100sRxxQ65eaoweoRq861ySPa4HwWgfQ4LyNj6IoVh3z1w6Rc5ia4VZKrPYJfiCGyQ9A2MBuG" \
    "g9yopsw91tLg9Qppu1tecC7eMqhx6rljW7VaYLFHbwioiOdKsEzbHW50S6Bzfg=="
#define SEALED_UNDEFINED                                                                       \
    "9H6fYfo9GbLaTzO6+LVi3yBnlhERDevZ9f3U3x7dR2N3cH+Nb1eeqr6kQ6y0BQku0CQnmtE="

static void test_secrets_of_s3db_js(void **state)
{
    (void)state;
    assert_opens(STR(SEALED_ONCE), "secret", "\"s3cr3t\"", false);
    assert_opens(STR(SEALED_TWICE), "secret", "\"s3cr3t\"", false);
    assert_opens(STR(SEALED_UNDEFINED), "secret", "null", false);
    assert_opens(STR(SEALED_TWICE), "wrong", NULL, true);
    assert_opens(STR(SEALED_ONCE), NULL, NULL, true);
}

static void test_secrets(void **state)
{
    AUTO_BUF(sealed, KiB(4));
    AUTO_BUF(again, KiB(4));
    AUTO_BUF(other, KiB(4));

    (void)state;
    seal("s3cr3t", "secret", &sealed);
    assert_opens(buf_str(&sealed), "secret", "\"s3cr3t\"", false);
    assert_opens(buf_str(&sealed), "other", NULL, true);
    assert_opens(STR("in clear"), "secret", "\"in clear\"", false);
    assert_opens(STR(""), "secret", "\"\"", false);
    /* What is ciphertext already stays, with a passphrase or without. */
    seal(SEALED_ONCE, "secret", &again);
    assert_buf(&again, SEALED_ONCE);
    buf_reset(&again);
    seal(SEALED_ONCE, NULL, &again);
    assert_buf(&again, SEALED_ONCE);
    /* Salt and IV are new each time. */
    seal("s3cr3t", "secret", &other);
    assert_int_equal(other.len, sealed.len);
    assert_memory_not_equal(other.ptr, sealed.ptr, sealed.len);
    assert_refused("secret", "\"clear\"", "a passphrase, to encrypt it with, is needed");
    assert_refused("secret", "5", "text is needed, not a number");
    /* A changed byte. */
    sealed.ptr[44] = sealed.ptr[44] == 'A' ? 'B' : 'A';
    assert_opens(buf_str(&sealed), "secret", NULL, true);
}

/* ---- hostile ----------------------------------------------------------------------- */

/* Whatever is stored, every codec says something of it. */
static void test_any_text(void **state)
{
    uint64_t bits = 42;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        static const char alphabet[] = "0aZ$^~[],|\\:-+.PT=/{}\"\xC3\xA9\xFF#";
        char text[32];
        bool closed = false;
        size_t len = (bits >> 40) % sizeof(text);
        struct codec codec = {.kind = (enum codec_kind)(round % (CODEC_EAN + 1)), .places = 6};

        for (size_t i = 0; i < len; i++) {
            bits = bits * 6364136223846793005U + 1442695040888963407U;
            text[i] = alphabet[(bits >> 33) % (sizeof(alphabet) - 1)];
        }
        bits = bits * 6364136223846793005U + 1442695040888963407U;
        {
            AUTO(json_t) value = codec_decode(codec, str_of(text, len), STR_NONE, &closed);
            AUTO_BUF(printed, KiB(64));

            assert_non_null(value);
            js_write(&printed, value);
            assert_true(buf_ok(&printed));
        }
    }
}

/* Bytes that are no UTF-8 become a text all the same. */
static void test_no_utf8(void **state)
{
    (void)state;
    assert_decodes("string", "a\xFFz", "\"a\xEF\xBF\xBDz\"");
    assert_decodes("array|items:string", "a|\xFF", "[\"a\",\"\xEF\xBF\xBD\"]");
    assert_decodes("secret", "\xFF", "\"\xEF\xBF\xBD\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),  cmocka_unit_test(test_header_reads),
        cmocka_unit_test(test_base62),  cmocka_unit_test(test_text_and_json),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_places),
        cmocka_unit_test(test_arrays),  cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_dates),   cmocka_unit_test(test_ids),
        cmocka_unit_test(test_choice),  cmocka_unit_test(test_secrets_of_s3db_js),
        cmocka_unit_test(test_secrets), cmocka_unit_test(test_any_text),
        cmocka_unit_test(test_no_utf8),
    };

    return cmocka_run_group_tests_name("s3db_values", tests, NULL, NULL);
}
