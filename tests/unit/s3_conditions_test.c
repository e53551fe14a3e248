/* SPDX-License-Identifier: MIT */
/* s3_conditions_test.c - conditional reads, writes and deletes.
 * Source: replies recorded from Amazon (get_object_preconditions, WritePrecondition,
 * DeletePrecondition); RFC 9110 section 13. */
#include <stdio.h>

#include "s3_ask.h"

#include "s3/object/conditions.h"

#define ETAG_OF_DATA "\"8d777f385d3dfec8815d20f7496026dc\""
#define BEFORE       "Fri, 01 Jan 2027 11:59:59 GMT"
#define AT           "Fri, 01 Jan 2027 12:00:00 GMT"
#define AFTER        "Fri, 01 Jan 2027 12:00:01 GMT"
#define AT_NS        (INT64_C(1798804800) * NS_PER_S)

static int start(void **state)
{
    static struct asked asked;
    ask_start(&asked);
    *state = &asked;
    clock_freeze_at_ns(AT_NS + NS_PER_S / 2);
    assert_int_equal(s3_service_create_bucket(asked.service, STR("bucket")), S3_OK);
    assert_int_equal(ask(&asked, "PUT", "/bucket/k", "", STR("data")), 200);
    clock_freeze_at_ns(AT_NS + 60 * NS_PER_S);
    return 0;
}

static int tear_down(void **state)
{
    clock_unfreeze();
    ask_stop(*state);
    return 0;
}

static void test_etag_lists(void **state)
{
    (void)state;
    struct str etag = STR("\"abc\"");
    static const char *const match[] = {"*",     "\"abc\"", "abc", "\"x\", \"abc\"",
                                        "x,abc", " abc "};
    static const char *const other[] = {"",      "\"abd\"", "ab", "\"abc",
                                        "abc\"", "\"\"",    ",",  "**"};
    for (size_t i = 0; i < ARRAY_LEN(match); i++)
        assert_true(etag_list_matches(str_c(match[i]), etag, false));
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        assert_false(etag_list_matches(str_c(other[i]), etag, true));
    assert_true(etag_list_matches(STR("W/\"abc\""), etag, true));
    assert_false(etag_list_matches(STR("W/\"abc\""), etag, false));
    assert_false(etag_list_matches(STR_NONE, etag, true));
}

struct read_case {
    const char *headers;
    unsigned status;
    const char *condition; /* of a 412 */
};

static const struct read_case read_cases[] = {
    {"If-Match: " ETAG_OF_DATA, 200, NULL},
    {"If-Match: 8d777f385d3dfec8815d20f7496026dc", 200, NULL},
    {"If-Match: *", 200, NULL},
    {"If-Match: \"no\"", 412, "If-Match"},
    {"If-Match: \"no\", " ETAG_OF_DATA, 200, NULL},
    {"If-None-Match: " ETAG_OF_DATA, 304, NULL},
    {"If-None-Match: 8d777f385d3dfec8815d20f7496026dc", 304, NULL},
    {"If-None-Match: *", 304, NULL},
    {"If-None-Match: \"no\"", 200, NULL},
    {"If-Modified-Since: " AT, 304, NULL},
    {"If-Modified-Since: " AFTER, 304, NULL},
    {"If-Modified-Since: " BEFORE, 200, NULL},
    {"If-Modified-Since: Fri, 01 Jan 2038 12:00:00 GMT", 200, NULL}, /* in the future */
    {"If-Modified-Since: yesterday", 200, NULL},
    {"If-Unmodified-Since: " AT, 200, NULL},
    {"If-Unmodified-Since: " BEFORE, 412, "If-Unmodified-Since"},
    {"If-Unmodified-Since: never", 200, NULL},
    /* An ETag condition silences the date beside it. */
    {"If-Match: " ETAG_OF_DATA "\nIf-Unmodified-Since: " BEFORE, 200, NULL},
    {"If-None-Match: \"no\"\nIf-Modified-Since: " AT, 200, NULL},
    /* A failed precondition comes before "not modified". */
    {"If-Match: \"no\"\nIf-None-Match: *", 412, "If-Match"},
    {"If-None-Match: *\nIf-Unmodified-Since: " BEFORE, 412, "If-Unmodified-Since"},
    {"If-Match: *\nIf-Modified-Since: " AT, 304, NULL},
};

static void test_reads(void **state)
{
    struct asked *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
        const struct read_case *want = &read_cases[i];
        unsigned status = ask(a, "GET", "/bucket/k", want->headers, STR_NONE);
        if (status != want->status)
            fail_msg("%u instead of %u for %s", status, want->status, want->headers);
        if (want->condition) {
            char field[64];
            snprintf(field, sizeof(field), "<Condition>%s</Condition>", want->condition);
            assert_answer(a, field);
        }
        if (status == 304) {
            assert_answer_header(a, "ETag: " ETAG_OF_DATA "\n");
            assert_answer_header(a, "Last-Modified: " AT "\n");
            assert_int_equal(a->text.len, 0);
        }
        assert_int_equal(ask(a, "HEAD", "/bucket/k", want->headers, STR_NONE), want->status);
        assert_int_equal(a->text.len, 0);
    }
}

#define REFUSED(header, why)                                                                   \
    "<Code>NotImplemented</Code><Message>A header you provided implies functionality that is " \
    "not implemented</Message><Header>" header "</Header><additionalMessage>" why              \
    "</additionalMessage>"
#define NOT_THAT_VALUE(header)                                                                 \
    REFUSED(header, "We don't accept the provided value of " header " header for this API")

static void test_writes(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "PUT", "/bucket/k", "If-None-Match: *", STR("x")), 412);
    assert_answer(a, "<Condition>If-None-Match</Condition>");
    assert_int_equal(ask(a, "PUT", "/bucket/k", "If-None-Match: \"x\"", STR("x")), 501);
    assert_answer(a, NOT_THAT_VALUE("If-None-Match"));
    assert_int_equal(ask(a, "PUT", "/bucket/k", "If-Match: *", STR("x")), 501);
    assert_answer(a, NOT_THAT_VALUE("If-Match"));
    assert_int_equal(ask(a, "PUT", "/bucket/k", "If-Match: a\nIf-None-Match: *", STR("x")),
                     501);
    assert_answer(a, REFUSED("If-Match,If-None-Match",
                             "Multiple conditional request headers present in the request"));
    assert_int_equal(ask(a, "PUT", "/bucket/k", "If-Match: \"x\"", STR("x")), 412);
    assert_answer(a, "<Condition>If-Match</Condition>");
    assert_int_equal(ask(a, "PUT", "/bucket/none", "If-Match: \"x\"", STR("x")), 404);
    assert_answer(a, "<Code>NoSuchKey</Code>");
    assert_answer(a, "<Key>none</Key>");
    assert_int_equal(ask(a, "PUT", "/bucket/new", "If-None-Match: *", STR("data")), 200);
    assert_int_equal(ask(a, "PUT", "/bucket/new", "If-Match: " ETAG_OF_DATA, STR("x")), 200);
    ask(a, "GET", "/bucket/k", "", STR_NONE);
    assert_true(str_eq(buf_str(&a->text), STR("data"))); /* no refused write left a trace */
}

#define MTIME "x-amz-if-match-last-modified-time: "
#define SIZE  "x-amz-if-match-size: "

static void test_deletes_refused(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *target, *headers;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"/bucket/k", "If-Match: \"x\"", 412, "<Condition>If-Match<"},
        {"/bucket/k", MTIME BEFORE, 501, "<Header>x-amz-if-match-last-modified-time<"},
        {"/bucket/k", SIZE "5", 501, "<Header>x-amz-if-match-size<"},
        {"/bucket/k", "If-Match: *\n" SIZE "x\n" MTIME "now", 501,
         "<Header>x-amz-if-match-last-modified-time<"},
        {"/bucket/none", "If-Match: *", 404, "<Code>NoSuchKey<"},
        {"/bucket/none", SIZE "0", 501, "<Header>x-amz-if-match-size<"},
        {"/bucket/k", "If-None-Match: *", 501, "<Header>If-None-Match<"},
        {"/bucket/k?versionId=null", "If-Match: *", 501, "<Header>If-Match<"},
        {"/bucket/k?versionId=", "", 400, "Version id cannot be the empty string"},
        {"/bucket/k?versionId=zzz", "", 400, "Invalid version id specified"},
        {"/bucket/k", "x-amz-bypass-governance-retention: false", 400,
         "only applicable to Object Lock enabled buckets"},
        {"/nowhere/k", "", 404, "<Code>NoSuchBucket<"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = ask(a, "DELETE", cases[i].target, cases[i].headers, STR_NONE);
        if (status != cases[i].status)
            fail_msg("%u instead of %u for %s %s", status, cases[i].status, cases[i].target,
                     cases[i].headers);
        assert_answer(a, cases[i].answer);
    }
    assert_int_equal(ask(a, "HEAD", "/bucket/k", "", STR_NONE), 200);
}

static void test_deletes(void **state)
{
    struct asked *a = *state;
    static const char *const conditions[] = {"", "If-Match: *", ("If-Match: " ETAG_OF_DATA)};
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        clock_freeze_at_ns(AT_NS + NS_PER_S - 1);
        assert_int_equal(ask(a, "PUT", "/bucket/d", "", STR("data")), 200);
        assert_int_equal(ask(a, "DELETE", "/bucket/d", conditions[i], STR_NONE), 204);
        assert_int_equal(ask(a, "HEAD", "/bucket/d", "", STR_NONE), 404);
    }
    assert_int_equal(ask(a, "DELETE", "/bucket/d", "", STR_NONE), 204);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_etag_lists), cmocka_unit_test(test_reads),
        cmocka_unit_test(test_writes),     cmocka_unit_test(test_deletes_refused),
        cmocka_unit_test(test_deletes),
    };
    return cmocka_run_group_tests_name("s3/conditions", tests, start, tear_down);
}
