/* SPDX-License-Identifier: MIT */
/* s3_copy_source_test.c - CopyObject and RenameObject: what they name, what follows, what
 * fails. Source: replies recorded from Amazon (copy_object_*, copy source preconditions). */
#include <stdio.h>

#include "s3_ask.h"

#define AT_NS (INT64_C(1798804800) * NS_PER_S) /* Fri, 01 Jan 2027 12:00:00 GMT */
#define AT    "Fri, 01 Jan 2027 12:00:00 GMT"
#define ETAG  "\"8d777f385d3dfec8815d20f7496026dc\""

static int start(void **state)
{
    static struct asked asked;
    ask_start(&asked);
    *state = &asked;
    clock_freeze_at_ns(AT_NS);
    assert_int_equal(s3_service_create_bucket(asked.service, STR("bucket")), S3_OK);
    assert_int_equal(s3_service_create_bucket(asked.service, STR("other")), S3_OK);
    assert_int_equal(ask(&asked, "PUT", "/bucket/src",
                         "Content-Type: a/b\nx-amz-meta-m: 1\nx-amz-tagging: t=1\n"
                         "x-amz-storage-class: STANDARD_IA\n"
                         "x-amz-website-redirect-location: /x\nx-amz-checksum-crc32: rfPzYw==",
                         STR("data")),
                     200);
    assert_int_equal(ask(&asked, "PUT", "/bucket/a%20b%2Bc/%C3%A9%3F", "", STR("odd")), 200);
    clock_freeze_at_ns(AT_NS + 60 * NS_PER_S);
    return 0;
}

static int tear_down(void **state)
{
    clock_unfreeze();
    ask_stop(*state);
    return 0;
}

static unsigned copy(struct asked *a, const char *to, const char *source, const char *headers)
{
    char all[1024];
    snprintf(all, sizeof(all), "x-amz-copy-source: %s\n%s", source, headers);
    return ask(a, "PUT", to, all, STR_NONE);
}

static void assert_no_header(const struct asked *a, const char *text)
{
    if (str_find(buf_str(&a->headers), str_c(text)) != SIZE_MAX)
        fail_msg("'%s' in '%.*s'", text, (int)a->headers.len, a->headers.ptr);
}

static void assert_body(struct asked *a, const char *target, const char *body)
{
    assert_int_equal(ask(a, "GET", target, "", STR_NONE), 200);
    assert_true(str_eq(buf_str(&a->text), str_c(body)));
}

static void test_names(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *source, *body;
    } cases[] = {
        {"bucket/src", "data"},
        {"/bucket/src", "data"},
        {"%2Fbucket%2Fsrc", "data"},
        {"bucket/src?versionId=null", "data"},
        {"bucket/a+b%2Bc/%C3%A9%3F", "odd"},
        {"bucket/a%20b%2Bc/\xC3\xA9%3F", "odd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(copy(a, "/other/copy", cases[i].source, ""), 200);
        assert_body(a, "/other/copy", cases[i].body);
    }
}

static void test_names_refused(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *source;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"bucket", 400, "Invalid copy source object key"},
        {"", 400, "Invalid copy source bucket name"},
        {"/bucket/", 400, "Invalid copy source object key"},
        {"//src", 400, "Invalid copy source bucket name"},
        {"bucket/%zz", 400, "Invalid copy source encoding."},
        {"bucket/src?versionId=", 400, "Version id cannot be the empty string"},
        {"bucket/src?versionId=x", 400, "Invalid version id specified"},
        {"bucket/none", 404,
         "<Code>NoSuchKey</Code><Message>The specified key does not "
         "exist.</Message><Key>none</Key>"},
        {"nowhere/src", 404, "<BucketName>nowhere</BucketName>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = copy(a, "/other/refused", cases[i].source, "");
        if (status != cases[i].status)
            fail_msg("%u instead of %u for %s", status, cases[i].status, cases[i].source);
        assert_answer(a, cases[i].answer);
    }
    assert_int_equal(ask(a, "HEAD", "/other/refused", "", STR_NONE), 404);
}

static void test_what_follows(void **state)
{
    struct asked *a = *state;
    assert_int_equal(copy(a, "/other/c", "bucket/src", ""), 200);
    assert_answer(a, "<LastModified>2027-01-01T12:01:00.000Z</LastModified><ETag>&quot;"
                     "8d777f385d3dfec8815d20f7496026dc&quot;</ETag>"
                     "<ChecksumCRC32>rfPzYw==</ChecksumCRC32><ChecksumType>FULL_OBJECT<");
    assert_no_header(a, "x-amz-copy-source-version-id");
    assert_int_equal(ask(a, "HEAD", "/other/c", "", STR_NONE), 200);
    assert_answer_header(a, "Content-Type: a/b\n");
    assert_answer_header(a, "x-amz-meta-m: 1\n");
    assert_answer_header(a, "x-amz-tagging-count: 1\n");
    assert_no_header(a, "x-amz-storage-class");
    assert_no_header(a, "x-amz-website-redirect-location");
    assert_int_equal(
        copy(a, "/other/c", "bucket/src",
             "x-amz-metadata-directive: REPLACE\nx-amz-tagging-directive: REPLACE\n"
             "x-amz-meta-n: 2\nx-amz-tagging: a=1&b=2\n"
             "x-amz-checksum-algorithm: SHA256"),
        200);
    assert_answer(a, "<ChecksumSHA256>Om6weQ85rIfJTzhWst0sXREOaBFgImGpqSPTuyOtyLc=<");
    assert_int_equal(ask(a, "HEAD", "/other/c", "", STR_NONE), 200);
    assert_answer_header(a, "Content-Type: binary/octet-stream\n");
    assert_answer_header(a, "x-amz-meta-n: 2\n");
    assert_no_header(a, "x-amz-meta-m");
    assert_answer_header(a, "x-amz-tagging-count: 2\n");
    assert_int_equal(copy(a, "/other/c", "bucket/src", "x-amz-tagging: ignored=1"), 200);
    assert_int_equal(ask(a, "HEAD", "/other/c", "", STR_NONE), 200);
    assert_answer_header(a, "x-amz-tagging-count: 1\n");
}

static void test_onto_itself(void **state)
{
    struct asked *a = *state;
    static const char *const changes[] = {
        "x-amz-metadata-directive: REPLACE", "x-amz-storage-class: STANDARD",
        "x-amz-website-redirect-location: /y", "x-amz-server-side-encryption: AES256"};
    assert_int_equal(ask(a, "PUT", "/bucket/self", "", STR("data")), 200);
    assert_int_equal(copy(a, "/bucket/self", "bucket/self", "x-amz-acl: private"), 400);
    assert_answer(a, "This copy request is illegal because it is trying to copy an object to "
                     "itself without changing");
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        assert_int_equal(copy(a, "/bucket/self", "bucket/self", changes[i]), 200);
    assert_int_equal(copy(a, "/bucket/self", "bucket/self?versionId=null", ""), 200);
    assert_body(a, "/bucket/self", "data");
}

static void test_refusals(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *headers;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"x-amz-metadata-directive: MOVE", 400, "Unknown metadata directive."},
        {"x-amz-tagging-directive: MOVE", 400, "Unknown tagging directive."},
        {"x-amz-checksum-algorithm: CRC9", 400, "Checksum algorithm provided is unsupported."},
        {"x-amz-acl: public-read", 400, "<Code>AccessControlListNotSupported<"},
        {"x-amz-source-expected-bucket-owner: 999999999999", 403, "<Code>AccessDenied<"},
        {"If-Match: *", 501, "<Header>If-Match<"},
        {"If-None-Match: " ETAG, 501, "<Header>If-None-Match<"},
        {"If-Match: " ETAG, 404, "<Key>new</Key>"},
        {"x-amz-copy-source-if-match: \"x\"", 412, "<Condition>x-amz-copy-source-If-Match<"},
        {"x-amz-copy-source-if-none-match: " ETAG, 412,
         "<Condition>x-amz-copy-source-If-None-Match<"},
        {"x-amz-copy-source-if-modified-since: " AT, 412,
         "<Condition>x-amz-copy-source-If-Modified-Since<"},
        {"x-amz-copy-source-if-unmodified-since: Fri, 01 Jan 2027 11:59:59 GMT", 412,
         "<Condition>x-amz-copy-source-If-Unmodified-Since<"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = copy(a, "/other/new", "bucket/src", cases[i].headers);
        if (status != cases[i].status)
            fail_msg("%u instead of %u for %s", status, cases[i].status, cases[i].headers);
        assert_answer(a, cases[i].answer);
    }
    assert_int_equal(copy(a, "/other/new", "bucket/src",
                          "x-amz-copy-source-if-match: " ETAG
                          "\nx-amz-copy-source-if-unmodified-since: Fri, 01 Jan 2027 11:59:59 "
                          "GMT\nIf-None-Match: *"),
                     200);
}

/* A multipart source has no MD5 of its bytes: the copy gets one, and a checksum of the whole.
 */
static void test_multipart_source(void **state)
{
    struct asked *a = *state;
    struct part_info parts[] = {{.number = 1, .size = 4}};
    struct record_spec spec = {
        .key = STR("parts"), .mtime_ns = clock_now_ns(), .part_count = 1, .parts = parts};
    AUTO(branch) branch = store_branch(a->store, STR("main"));
    struct body *body = body_new(a->store, 4);
    assert_true(body_append(body, "data", 4));
    spec.checksum.alg = CHECKSUM_CRC32;
    spec.checksum.type = CHECKSUM_COMPOSITE;
    struct record *r = record_new(a->store, &spec, body);
    assert_int_equal(object_put(branch, STR("bucket"), r, NULL, NULL), S3_OK);
    assert_int_equal(copy(a, "/bucket/whole", "bucket/parts", ""), 200);
    assert_answer(a, "&quot;8d777f385d3dfec8815d20f7496026dc&quot;");
    assert_answer(a, "<ChecksumCRC32>rfPzYw==</ChecksumCRC32><ChecksumType>FULL_OBJECT<");
}

/* ---- RenameObject ------------------------------------------------------------------ */

static unsigned rename_to(struct asked *a, const char *to, const char *headers)
{
    char target[64];
    snprintf(target, sizeof(target), "/bucket/%s?renameObject", to);
    return ask(a, "PUT", target, headers, STR_NONE);
}

#define FROM(source) "x-amz-rename-source: " source "\n"

static void test_rename(void **state)
{
    struct asked *a = *state;
    static const char *const sources[] = {FROM("r%20s"), FROM("/r%20s"), FROM("bucket/r%20s"),
                                          FROM("/bucket/r%20s")};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        assert_int_equal(ask(a, "PUT", "/bucket/r%20s", "x-amz-meta-m: 1", STR("bytes")), 200);
        assert_int_equal(rename_to(a, "renamed", sources[i]), 200);
        assert_int_equal(ask(a, "HEAD", "/bucket/r%20s", "", STR_NONE), 404);
        assert_body(a, "/bucket/renamed", "bytes");
        assert_answer_header(a, "x-amz-meta-m: 1\n");
    }
}

static void test_rename_refused(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *to, *headers;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"x", "", 400, "Invalid rename source object key"},
        {"x", FROM("%zz"), 400, "Invalid rename source object key"},
        {"x", FROM("/"), 400, "Invalid rename source object key"},
        {"x", FROM("none"), 404, "<Key>none</Key>"},
        {"src", FROM("src"), 400, "An object cannot be renamed to its own name"},
        {"x", FROM("src") "x-amz-rename-source-if-match: \"x\"", 412,
         "<Condition>x-amz-rename-source-If-Match<"},
        {"x", FROM("src") "x-amz-rename-source-if-none-match: *", 412,
         "<Condition>x-amz-rename-source-If-None-Match<"},
        {"x", FROM("src") "x-amz-rename-source-if-modified-since: " AT, 412,
         "<Condition>x-amz-rename-source-If-Modified-Since<"},
        {"whole", FROM("src") "If-None-Match: *", 412, "<Condition>If-None-Match<"},
        {"whole", FROM("src") "If-Match: \"x\"", 412, "<Condition>If-Match<"},
        {"whole", FROM("src") "If-Unmodified-Since: " AT, 412,
         "<Condition>If-Unmodified-Since<"},
        {"x", FROM("src") "If-Modified-Since: " AT, 412, "<Condition>If-Modified-Since<"},
        {"x", FROM("src") "x-amz-client-token: a b", 400, "<ArgumentValue>a b<"},
        {"x", FROM("src") "x-amz-client-token: ", 400, "The client token is not valid"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = rename_to(a, cases[i].to, cases[i].headers);
        if (status != cases[i].status)
            fail_msg("%u instead of %u for %s %s", status, cases[i].status, cases[i].to,
                     cases[i].headers);
        assert_answer(a, cases[i].answer);
    }
    assert_body(a, "/bucket/src", "data");
}

static void test_rename_once(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "PUT", "/bucket/from", "", STR("bytes")), 200);
    assert_int_equal(rename_to(a, "to", FROM("from") "x-amz-client-token: t1"), 200);
    assert_int_equal(rename_to(a, "to", FROM("from")), 404);
    assert_int_equal(rename_to(a, "to", FROM("from") "x-amz-client-token: t1"), 200);
    assert_int_equal(rename_to(a, "elsewhere", FROM("from") "x-amz-client-token: t1"), 400);
    assert_answer(a, "<Code>IdempotencyParameterMismatch</Code>");
    assert_int_equal(
        rename_to(a, "to", FROM("from") "x-amz-client-token: t1\nIf-None-Match: *"), 400);
    assert_int_equal(rename_to(a, "to", FROM("from") "x-amz-client-token: t2"), 404);
    assert_body(a, "/bucket/to", "bytes");
}

#define ALLOCATIONS 60 /* more than any request here makes */

/* One allocation of a request fails: the answer says so, or is complete. */
static bool ask_short_of_memory(struct asked *a, uint64_t nth, const char *method,
                                const char *target, const char *headers, struct str body)
{
    mem_fail_nth(nth);
    unsigned status = ask(a, method, target, headers, body);
    mem_fail_nth(0);
    if (status >= 300 && status != 500 && status != 503)
        fail_msg("%u for %s %s: %.*s", status, method, target, (int)a->text.len, a->text.ptr);
    return status < 300;
}

static void assert_complete(struct asked *a, const char *target)
{
    assert_body(a, target, "data");
    assert_answer_header(a, "Content-Type: a/b\n");
    assert_answer_header(a, "Content-Encoding: gzip\n");
    assert_answer_header(a, "x-amz-meta-a: =?UTF-8?B?w6k=?=\n");
    assert_answer_header(a, "x-amz-meta-b: c\n");
}

static void test_short_of_memory(void **state)
{
    struct asked *a = *state;
    const char *headers = "Content-Type: a/b\nContent-Encoding: gzip\n"
                          "x-amz-meta-a: \xE9\nx-amz-meta-b: =?UTF-8?Q?c?=";
    unsigned stored = 0, copied = 0;
    assert_int_equal(ask(a, "PUT", "/bucket/m", headers, STR("data")), 200);
    for (uint64_t nth = 1; nth <= ALLOCATIONS; nth++) {
        stored += ask_short_of_memory(a, nth, "PUT", "/bucket/m", headers, STR("data"));
        assert_complete(a, "/bucket/m");
        if (ask_short_of_memory(a, nth, "PUT", "/other/m", "x-amz-copy-source: bucket/m",
                                STR_NONE)) {
            copied++;
            assert_complete(a, "/other/m");
        }
    }
    assert_true(stored > 0 && stored < ALLOCATIONS);
    assert_true(copied > 0 && copied < ALLOCATIONS);
}

/* A rename is done or not, and its token may be used again: also when it was done but the reply
 * could not be built (500), which is what tokens are for. */
static void test_rename_short_of_memory(void **state)
{
    struct asked *a = *state;
    uint64_t nth = 1;
    assert_int_equal(ask(a, "PUT", "/bucket/from", "", STR("data")), 200);
    while (!ask_short_of_memory(a, nth, "PUT", "/bucket/to?renameObject",
                                FROM("from") "x-amz-client-token: t3", STR_NONE)) {
        bool moved = ask(a, "HEAD", "/bucket/from", "", STR_NONE) == 404;
        assert_body(a, moved ? "/bucket/to" : "/bucket/from", "data");
        assert_true(++nth < ALLOCATIONS);
    }
    assert_true(nth > 2);
    assert_body(a, "/bucket/to", "data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_onto_itself),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_multipart_source),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_rename_refused),
        cmocka_unit_test(test_rename_once),
        cmocka_unit_test(test_short_of_memory),
        cmocka_unit_test(test_rename_short_of_memory),
    };
    return cmocka_run_group_tests_name("s3/copy_source", tests, start, tear_down);
}
