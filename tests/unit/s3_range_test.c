/* SPDX-License-Identifier: MIT */
/* s3_range_test.c - Range and partNumber of GetObject and HeadObject.
 * Source: replies recorded from Amazon (get_object_range, get_object_part*). */
#include <stdio.h>

#include "s3_ask.h"

static const char digits[] = "0123456789";

static int start(void **state)
{
    static struct asked asked;
    ask_start(&asked);
    *state = &asked;
    assert_int_equal(s3_service_create_bucket(asked.service, STR("bucket")), S3_OK);
    assert_int_equal(ask(&asked, "PUT", "/bucket/ten", "", STR("0123456789")), 200);
    assert_int_equal(ask(&asked, "PUT", "/bucket/empty", "", STR("")), 200);
    return 0;
}

static int tear_down(void **state)
{
    ask_stop(*state);
    return 0;
}

static unsigned get_range(struct asked *a, const char *key, const char *range)
{
    char header[128];
    snprintf(header, sizeof(header), "Range: %s\nx-amz-checksum-mode: ENABLED", range);
    return ask(a, "GET", key, header, STR_NONE);
}

static void test_ranges_that_are_served(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *range;
        size_t first, len;
    } cases[] = {
        {"bytes=0-8", 0, 9},
        {"bytes=1-1", 1, 1},
        {"bytes=1-", 1, 9},
        {"bytes=-2", 8, 2},
        {"bytes=-9", 1, 9},
        {"bytes=-15", 0, 10},
        {"bytes=0-100", 0, 10},
        {"bytes=0-0", 0, 1},
        {"Bytes=3-4", 3, 2},
        {"bytes=9-9", 9, 1},
        {"bytes=2-99999999999999999999", 2, 8},
        {"bytes=-10", 0, 10},
        {"bytes=00001-2", 1, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[64];
        assert_int_equal(get_range(a, "/bucket/ten", cases[i].range), 206);
        snprintf(line, sizeof(line), "Content-Range: bytes %zu-%zu/10\n", cases[i].first,
                 cases[i].first + cases[i].len - 1);
        assert_answer_header(a, line);
        assert_true(str_eq(buf_str(&a->text), str_of(digits + cases[i].first, cases[i].len)));
        /* A checksum is that of the whole object: only a reply with all of it has one. */
        bool has = str_find(buf_str(&a->headers), STR("x-amz-checksum-")) != SIZE_MAX;
        assert_int_equal(has, cases[i].len == 10);
    }
}

static void test_ranges_that_mean_the_whole(void **state)
{
    struct asked *a = *state;
    static const char *const cases[] = {
        "bytes=1-0", "bytes=-1-",   "bytes=0--1",   "bytes=0-1,3-4", "0-1",        "bytes=-",
        "bytes=",    "bytes=x-1",   "bytes=1-x",    "bytes",         "items=0-1",  "bytes=+1-2",
        "",          "bytes=1 - 2", "bytes=0-0, 2", "bytes=--1",     "bytes= 1-2",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(get_range(a, "/bucket/ten", cases[i]), 200);
        assert_true(str_eq(buf_str(&a->text), str_c(digits)));
        assert_answer_header(a, "x-amz-checksum-type: FULL_OBJECT\n");
    }
}

static void test_ranges_outside(void **state)
{
    struct asked *a = *state;
    static const char *const cases[] = {"bytes=-0", "bytes=100-200", "bytes=10-", "bytes=10-10",
                                        "bytes=99999999999999999999-"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char field[256];
        assert_int_equal(get_range(a, "/bucket/ten", cases[i]), 416);
        snprintf(field, sizeof(field),
                 "<Code>InvalidRange</Code><Message>The requested range is not "
                 "satisfiable</Message><RangeRequested>%s</RangeRequested>"
                 "<ActualObjectSize>10</ActualObjectSize>",
                 cases[i]);
        assert_answer(a, field);
    }
    assert_int_equal(get_range(a, "/bucket/empty", "bytes=0-"), 416);
    assert_int_equal(get_range(a, "/bucket/empty", "bytes=-1"), 200);
    assert_int_equal(get_range(a, "/bucket/empty", "bytes=1-0"), 200);
}

static void test_head_has_the_same_range(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "HEAD", "/bucket/ten", "Range: bytes=2-4", STR_NONE), 206);
    assert_answer_header(a, "Content-Range: bytes 2-4/10\n");
    assert_int_equal(a->text.len, 0);
    assert_int_equal(ask(a, "HEAD", "/bucket/ten", "Range: bytes=10-", STR_NONE), 416);
    assert_int_equal(a->text.len, 0);
}

static void test_if_range(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "GET", "/bucket/ten",
                         "Range: bytes=0-0\nIf-Range: \"781e5e245d69b566979b86e28d23f2c7\"",
                         STR_NONE),
                     206);
    assert_int_equal(
        ask(a, "GET", "/bucket/ten", "Range: bytes=0-0\nIf-Range: \"other\"", STR_NONE), 200);
    assert_int_equal(ask(a, "GET", "/bucket/ten",
                         "Range: bytes=0-0\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT", STR_NONE),
                     200);
}

/* "aaa" + "bb", uploaded as parts 1 and 4, each with a checksum. */
static void put_two_parts(struct asked *a)
{
    struct part_info parts[] = {{.number = 1, .size = 3}, {.number = 4, .size = 2}};
    struct record_spec spec = {
        .key = STR("parts"), .mtime_ns = clock_now_ns(), .part_count = 2, .parts = parts};
    AUTO(branch) branch = store_branch(a->store, STR("main"));
    struct body *body = body_new(a->store, 5);
    assert_true(body_append(body, "aaabb", 5));
    parts[0].checksum.alg = parts[1].checksum.alg = spec.checksum.alg = CHECKSUM_CRC32;
    spec.checksum.type = CHECKSUM_COMPOSITE;
    struct record *r = record_new(a->store, &spec, body);
    assert_int_equal(object_put(branch, STR("bucket"), r, NULL, NULL), S3_OK);
}

static void test_parts(void **state)
{
    struct asked *a = *state;
    const char *mode = "x-amz-checksum-mode: ENABLED";
    put_two_parts(a);
    assert_int_equal(ask(a, "GET", "/bucket/parts?partNumber=2", mode, STR_NONE), 206);
    assert_true(str_eq(buf_str(&a->text), STR("bb")));
    assert_answer_header(a, "Content-Range: bytes 3-4/5\n");
    assert_answer_header(a, "x-amz-mp-parts-count: 2\n");
    assert_answer_header(a, "x-amz-checksum-crc32: AAAAAA==\nx-amz-checksum-type: COMPOSITE\n");
    assert_int_equal(ask(a, "HEAD", "/bucket/parts?partNumber=1", "", STR_NONE), 206);
    assert_answer_header(a, "Content-Range: bytes 0-2/5\n");
    assert_int_equal(ask(a, "GET", "/bucket/parts", mode, STR_NONE), 200);
    assert_answer_header(a, "x-amz-checksum-crc32: AAAAAA==-2\n");
    assert_int_equal(ask(a, "GET", "/bucket/parts?partNumber=4", "", STR_NONE), 416);
    assert_answer(a, "<Code>InvalidPartNumber</Code>");
    assert_answer(a, "<ActualPartCount>2</ActualPartCount><PartNumberRequested>4<");
    assert_int_equal(ask(a, "GET", "/bucket/ten?partNumber=1", "", STR_NONE), 206);
    assert_answer_header(a, "Content-Range: bytes 0-9/10\n");
    assert_int_equal(ask(a, "GET", "/bucket/empty?partNumber=1", "", STR_NONE), 200);
    assert_int_equal(ask(a, "GET", "/bucket/ten?partNumber=2", "", STR_NONE), 416);
    assert_answer(a, "<ActualPartCount>1</ActualPartCount>");
}

static void test_part_numbers_refused(void **state)
{
    struct asked *a = *state;
    static const char *const cases[] = {"0", "10001", "x", "-1", "", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char target[64];
        snprintf(target, sizeof(target), "/bucket/ten?partNumber=%s", cases[i]);
        assert_int_equal(ask(a, "GET", target, "", STR_NONE), 400);
        assert_answer(a, "Part number must be an integer between 1 and 10000, inclusive");
    }
    assert_int_equal(ask(a, "GET", "/bucket/ten?partNumber=1", "Range: bytes=0-1", STR_NONE),
                     400);
    assert_answer(a, "Cannot specify both Range header and partNumber query parameter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_that_are_served),
        cmocka_unit_test(test_ranges_that_mean_the_whole),
        cmocka_unit_test(test_ranges_outside),
        cmocka_unit_test(test_head_has_the_same_range),
        cmocka_unit_test(test_if_range),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_part_numbers_refused),
    };
    return cmocka_run_group_tests_name("s3/range", tests, start, tear_down);
}
