/* SPDX-License-Identifier: MIT */
/* s3db_examples_test.c - one attribute `val`, one value, and the metadata value that s3db.js
 * 19.5.10 (or 21.2 for the types that came with it) writes for it; through the door of the room
 * alone. What is read again is what s3db.js's get() returns, where it returns what was put in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3db/s3db.h"

struct example {
    const char *definition; /* JSON: of the attribute */
    const char *value;      /* JSON: put in; NULL: no writer makes it */
    const char *wire;
    const char *back; /* JSON: read again; NULL: the same; "": nothing */
};

static const struct example examples[] = {
    /* text and the header layer */
    {"\"string\"", "\"Alice\"", "Alice", NULL},
    {"\"string\"", "\"\"", "", NULL},
    {"\"string\"", "\"é\"", "b:w6k=", NULL},
    {"\"string\"", "\"café\"", "u:caf%C3%A9", NULL},
    {"\"string\"", "\"héllo é世界\"", "u:h%C3%A9llo%20%C3%A9%E4%B8%96%E7%95%8C", NULL},
    {"\"string\"", "\"世界\"", "b:5LiW55WM", NULL},
    {"\"string\"", "\"日aa\"", "b:5pelYWE=", NULL},
    {"\"string\"", "\"日aaa\"", "u:%E6%97%A5aaa", NULL},
    {"\"string\"", "\"a😀aaaaaa\"", "u:a%F0%9F%98%80aaaaaa", NULL},
    {"\"string\"", "\"line\\nbreak\"", "u:line%0Abreak", NULL},
    {"\"string\"", "\"\x7F\"", "b:fw==", NULL},
    {"\"string\"", "\"u:x\"", "b:dTp4", NULL},
    {"\"string\"", "\"d:j\"", "b:ZDpq", NULL},
    {"\"string\"", "null", "null", NULL},
    {"\"string\"", NULL, "undefined", ""},
    {"\"string\"", "\"null\"", "null", "null"},
    {"\"string\"", "\"application/json\"", "d:j", NULL},
    {"\"string\"", "\"image/png\"", "d:P", NULL},
    {"\"string\"", "\"processing\"", "d:p", NULL},
    {"\"string\"", "\"failed\"", "d:f", NULL},
    {"\"string\"", "\"active\"", "active", NULL},
    /* What s3db.js would read back as "failed". */
    {"\"string\"", "\"font/woff2\"", "font/woff2", NULL},
    {"\"string\"", "\"constructor\"", "constructor", NULL},
    {"\"string\"", "\"https://www.foo.com\"", "d:@Wfoo.com", NULL},
    {"\"string\"", "\"http://localhost:3000/x\"", "d:@L3000/x", NULL},
    {"\"string\"", "\"/users/5\"", "d:@u5", NULL},
    {"\"string\"", "\"/v1/\"", "/v1/", NULL},
    {"\"string\"", "\"{\\\"a\\\":1}\"", "{\"a\":1}", "{\"a\":1}"},
    {"\"string\"", "\"[1,2]\"", "[1,2]", "[1,2]"},
    {"\"string\"", "\"{no\"", "{no", NULL},
    {"\"string\"", NULL, "{}", "{}"},
    /* s3db.js's validator trims it before; a header would lose the blanks. */
    {"\"string\"", "\"  lead and trail  \"", "u:%20%20lead%20and%20trail%20%20", NULL},
    {"\"string\"", NULL, "lead and trail", "\"lead and trail\""},
    {"\"string\"", NULL, "d:", "\"d:\""},
    {"\"string\"", NULL, "d:?", "\"d:?\""},
    {"\"string\"", NULL, "u:%zz", "\"u:%zz\""},
    {"\"string\"", NULL, "d:@v5", "\"/v1/5\""},
    {"\"email\"", "\"a@b.com\"", "a@b.com", NULL},
    {"\"url\"", "\"https://www.example.com/x\"", "d:@Wexample.com/x", NULL},
    /* numbers */
    {"\"number\"", "0", "0", NULL},
    {"\"number\"", "42", "G", NULL},
    {"\"number\"", "-5", "-5", NULL},
    {"\"number\"", "61", "Z", NULL},
    {"\"number\"", "62", "10", NULL},
    {"\"number\"", "123456", "w7e", NULL},
    {"\"number\"", "1.5", "1.5", NULL},
    {"\"number\"", "-0.25", "-0.25", NULL},
    {"\"number\"", "3.14159", "3.14159", NULL},
    {"\"number\"", "9007199254740991", "FfGNdXsE7", NULL},
    {"\"number\"", "1e21", "jdt8BLTpPG02", NULL},
    {"\"number\"", NULL, "", "\"\""},
    {"\"number\"", "null", "null", NULL},
    {"\"number|integer:true\"", "3844", "100", NULL},
    {"\"number|integer:true\"", "-62", "-10", NULL},
    {"\"boolean\"", "true", "1", NULL},
    {"\"boolean\"", "false", "0", NULL},
    {"\"boolean\"", NULL, "yes", "true"},
    {"\"boolean\"", NULL, "true", "true"},
    {"\"boolean\"", NULL, "nonsense", "false"},
    /* arrays and objects */
    {"\"array|items:string\"", "[]", "", NULL},
    {"\"array|items:string\"", "[\"a\"]", "a", NULL},
    {"\"array|items:string\"", "[\"x\",\"y|z\",\"a\\\\b\"]", "x|y\\|z|a\\\\b", NULL},
    {"\"array|items:string\"", "[\"\",\"\"]", "|", NULL},
    {"\"array|items:string\"", "[\"\"]", "", "[]"},
    {"\"array|items:string\"", "[\"é\",\"b\"]", "u:%C3%A9%7Cb", NULL},
    {"\"array|items:number\"", "[1,2.5,-3,0]", "1|2.5|-3|0", NULL},
    {"\"array|items:number\"", "[100,0.001]", "1C|0.001", NULL},
    {"\"array|items:number|integer:true\"", "[1,62,100]", "1|10|1C", NULL},
    {"\"array\"", "[\"a\",1,{\"b\":2}]", "[\"a\",1,{\"b\":2}]", NULL},
    {"\"object\"", "{\"a\":1,\"b\":[1,2]}", "{\"a\":1,\"b\":[1,2]}", NULL},
    {"\"json\"", "{\"a\":1,\"b\":[1,2]}", "{\"a\":1,\"b\":[1,2]}", NULL},
    {"\"json\"", "\"str\"", "str", NULL},
    {"\"json\"", "5", "5", NULL},
    {"\"json\"", "true", "true", NULL},
    {"\"any\"", "5", "5", "\"5\""},
    {"\"any\"", "[1,2]", "[1,2]", NULL},
    /* addresses */
    {"\"ip4\"", "\"192.168.1.10\"", "wKgBCg==", NULL},
    {"\"ip4\"", "\"0.0.0.0\"", "AAAAAA==", NULL},
    {"\"ip4\"", "\"10.0.0.12\"", "CgAADA==", NULL}, /* s3db.js decodes twice */
    {"\"ip4\"", NULL, "not base64", "\"not base64\""},
    {"\"ip6\"", "\"2001:db8::1\"", "IAENuAAAAAAAAAAAAAAAAQ==", NULL},
    {"\"ip6\"", "\"::1\"", "AAAAAAAAAAAAAAAAAAAAAQ==", NULL},
    /* fixed point */
    {"\"money\"", "19.99", "$wf", NULL},
    {"\"money\"", "1000.5", "$q1I", NULL},
    {"\"money\"", "0", "$0", NULL},
    {"\"crypto\"", "0.00012345", "$3d7", NULL},
    {"\"crypto:18\"", "0.5", "$AW0koeNAS4", NULL},
    {"\"decimal\"", "-2.5", "^-42", NULL},
    {"\"decimal:4\"", "3.14159", "^8aI", "3.1416"},
    {"\"geo:lat\"", "-23.550519", "~4uOxP", "-23.550518999999994"},
    {"\"geo:lat\"", "0", "~65D6U", NULL},
    {"\"geo:lat\"", "-90", "~0", NULL},
    {"\"geo:lon\"", "180", "~omwrC", NULL},
    {"\"geo:lat:4\"", "-23.550519", "~2MRF", "-23.5505"},
    {"\"embedding:4\"", "[0.1,-0.2,0.3333333,1]", "^[q0U,-Q1O,1oIl,4c92]",
     "[0.1,-0.2,0.333333,1]"},
    {"\"embedding|length:3\"", "[0.5,1e-7,-1]", "^[264w,0,-4c92]", "[0.5,0,-1]"},
    /* types of 21.2 */
    {"\"datetime|optional\"", "\"2025-10-25T11:24:20.123Z\"", "v0Dx3Vp", NULL},
    {"\"dateonly\"", "\"2025-10-25\"", "5iO", NULL},
};

static struct s3db_schema *schema_of(const char *definition)
{
    AUTO_BUF(why, KiB(1));
    AUTO_BUF(text, KiB(4));
    struct s3db_schema *schema;

    buf_addf(&text, "{\"attributes\":{\"val\":%s}}", definition);

    AUTO(json_t) json = js_parse(buf_str(&text), &why);

    assert_non_null(json);
    schema = s3db_schema_of_definition(STR("r"), json, &why);
    if (!schema)
        fail_msg("%s: %.*s", definition, (int)why.len, why.ptr);
    return schema;
}

static struct str wire_of(const struct s3db_object *object, struct str name)
{
    for (size_t i = 0; i < object->pair_count; i++) {
        if (str_eq(object->pairs[i].name, name))
            return object->pairs[i].value;
    }
    return STR_NONE;
}

static void check_encode(const struct example *e)
{
    AUTO(s3db_schema) schema = schema_of(e->definition);
    AUTO_BUF(why, KiB(1));
    AUTO_BUF(text, KiB(4));
    struct s3db_encoded encoded;
    struct str wire;

    buf_addf(&text, "{\"id\":\"x\",\"val\":%s}", e->value);

    AUTO(json_t) record = js_parse(buf_str(&text), &why);

    assert_non_null(record);
    if (!s3db_record_encode(&encoded, schema, STR("x"), record, STR_NONE, &why))
        fail_msg("%s %s: %.*s", e->definition, e->value, (int)why.len, why.ptr);
    wire = wire_of(&encoded.object, STR("0"));
    if (!wire.ptr || !str_eq(wire, str_c(e->wire)))
        fail_msg("%s %s: got '%.*s', want '%s'", e->definition, e->value, (int)wire.len,
                 wire.ptr ? wire.ptr : "", e->wire);
    assert_true(str_eq(wire_of(&encoded.object, STR("_v")), STR("v1")));
    assert_int_equal(encoded.object.pair_count, 2);
    assert_int_equal(encoded.object.body.len, 0);
    s3db_encoded_release(&encoded);
}

static void check_decode(const struct example *e)
{
    AUTO(s3db_schema) schema = schema_of(e->definition);
    struct s3db_pair pairs[] = {{STR("_v"), STR("v1")}, {STR("0"), str_c(e->wire)}};
    struct s3db_object object = {.pairs = pairs, .pair_count = 2};
    struct s3db_notes notes = {0};
    const char *want = e->back ? e->back : e->value;
    AUTO_BUF(why, KiB(1));
    AUTO_BUF(got, KiB(4));
    AUTO_BUF(wanted, KiB(4));
    AUTO(json_t) record = s3db_record_decode(schema, STR("x"), &object, STR_NONE, &notes);

    js_write(&got, record);
    if (want[0])
        buf_addf(&wanted, "{\"id\":\"x\",\"val\":%s}", want);
    else
        buf_add_c(&wanted, "{\"id\":\"x\"}");

    AUTO(json_t) parsed = js_parse(buf_str(&wanted), &why);

    buf_reset(&wanted);
    js_write(&wanted, parsed);
    if (!str_eq(buf_str(&got), buf_str(&wanted)))
        fail_msg("%s '%s': got %.*s, want %.*s", e->definition, e->wire, (int)got.len, got.ptr,
                 (int)wanted.len, wanted.ptr);
    s3db_notes_release(&notes);
}

static void test_encode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        if (examples[i].value)
            check_encode(&examples[i]);
    }
}

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        check_decode(&examples[i]);
}

/* user-managed without timestamps: 2038 characters of one field stay metadata, one more moves
 * all fields to the body. */
static void test_boundary(void **state)
{
    AUTO(s3db_schema) schema = schema_of("\"string\"");

    (void)state;
    for (size_t len = 2038; len <= 2039; len++) {
        AUTO_BUF(why, KiB(1));
        AUTO_BUF(text, KiB(4));
        AUTO(json_t) record = json_object();
        struct s3db_encoded encoded;

        for (size_t i = 0; i < len; i++)
            buf_add_char(&text, 'x');
        json_object_set_new(record, "val", json_stringn(text.ptr, text.len));
        assert_true(s3db_record_encode(&encoded, schema, STR("x"), record, STR_NONE, &why));
        assert_int_equal(encoded.object.pair_count, len == 2038 ? 2 : 1);
        assert_int_equal(encoded.object.body.len > 0, len == 2039);
        assert_true(str_eq(encoded.object.content_type, len == 2039
                                                            ? STR("application/json")
                                                            : STR("application/octet-stream")));
        s3db_encoded_release(&encoded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_boundary),
    };

    return cmocka_run_group_tests_name("s3db_examples", tests, NULL, NULL);
}
