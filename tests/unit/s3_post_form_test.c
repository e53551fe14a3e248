/* SPDX-License-Identifier: MIT */
/* s3_post_form_test.c - browser uploads as whole requests, in pieces and without memory.
 * Sources: AWS "POST Object"; replies recorded from Amazon (TestS3PresignedPost). */
#include "s3_ask.h"

#define FORM_TYPE "Content-Type: multipart/form-data; boundary=xYz"
#define FIELD(name, text)                                                                      \
    "--xYz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"
#define FILE_FIELD(filename, text)                                                             \
    "--xYz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" filename             \
    "\"\r\nContent-Type: text/html\r\n\r\n" text "\r\n"
#define END "--xYz--\r\n"

static unsigned post(struct asked *a, struct str form)
{
    return ask(a, "POST", "/bucket", FORM_TYPE, form);
}

static void assert_object(struct asked *a, const char *target, const char *text)
{
    assert_int_equal(ask(a, "GET", target, "", STR_NONE), 200);
    assert_true(str_eq(buf_str(&a->text), str_c(text)));
}

static void test_pieces(void **state)
{
    struct asked *a = *state;
    struct str form = STR(FIELD("key", "dir/${filename}") FIELD("Content-Type", "text/plain")
                              FIELD("x-amz-meta-Colour", "red")
                                  FIELD("tagging", "<Tagging><TagSet><Tag><Key>a</Key>"
                                                   "<Value>b</Value></Tag></TagSet></Tagging>")
                                      FILE_FIELD("C:\\\\dir\\\\f.txt", "line\r\n--xY\r\nline")
                                          FIELD("key", "ignored") END);
    for (size_t piece = 1; piece <= form.len; piece += piece < 70 ? 1 : 61) {
        assert_int_equal(ask_in_pieces(a, "POST", "/bucket", FORM_TYPE, form, piece), 204);
        assert_answer_header(a, "Location: http://localhost/bucket/dir%2Ff.txt\n");
        assert_object(a, "/bucket/dir/f.txt", "line\r\n--xY\r\nline");
        assert_answer_header(a, "Content-Type: text/plain\n");
        assert_answer_header(a, "x-amz-meta-colour: red\n");
        assert_answer_header(a, "x-amz-tagging-count: 1\n");
        assert_int_equal(ask(a, "DELETE", "/bucket/dir/f.txt", "", STR_NONE), 204);
    }
    assert_int_equal(ask(a, "HEAD", "/bucket/ignored", "", STR_NONE), 404);
}

static void test_answers(void **state)
{
    struct asked *a = *state;
    assert_int_equal(post(a, STR(FIELD("key", "a b") FIELD("success_action_status", "201")
                                     FILE_FIELD("f", "abc") END)),
                     201);
    assert_answer(a,
                  "<PostResponse><Location>http://localhost/bucket/a%20b</Location>"
                  "<Bucket>bucket</Bucket><Key>a b</Key>"
                  "<ETag>&quot;900150983cd24fb0d6963f7d28e17f72&quot;</ETag></PostResponse>");
    assert_int_equal(post(a, STR(FIELD("key", "k") FIELD("success_action_status", "200")
                                     FILE_FIELD("f", "abc") END)),
                     200);
    assert_int_equal(a->text.len, 0);
    assert_int_equal(post(a, STR(FIELD("key", "k") FIELD("success_action_status", "999")
                                     FILE_FIELD("f", "abc") END)),
                     204);
    assert_int_equal(
        post(a, STR(FIELD("key", "k&") FIELD("success_action_redirect", "http://example.test/")
                        FILE_FIELD("f", "abc") END)),
        303);
    assert_answer_header(a, "Location: http://example.test/?bucket=bucket&key=k%26"
                            "&etag=%22900150983cd24fb0d6963f7d28e17f72%22\n");
    assert_int_equal(post(a, STR(FIELD("key", "k") FIELD("redirect", "javascript:x")
                                     FILE_FIELD("f", "abc") END)),
                     204);
    assert_int_equal(post(a, STR(FIELD("key", "as-${filename}") FIELD("file", "text") END)),
                     204);
    assert_object(a, "/bucket/as-$%7Bfilename%7D", "text");
}

static void refused(struct asked *a, struct str form, unsigned status, const char *answer)
{
    assert_int_equal(post(a, form), status);
    assert_answer(a, answer);
}

static void test_refusals(void **state)
{
    struct asked *a = *state;
    refused(a, STR(FILE_FIELD("f", "x") END), 400,
            "Bucket POST must contain a field named 'key'.  If it is specified, please check "
            "the order of the fields.</Message><ArgumentName>key</ArgumentName>");
    refused(a, STR(FILE_FIELD("f", "x") FIELD("key", "late") END), 400, "'key'");
    refused(a, STR(FIELD("key", "") FILE_FIELD("f", "x") END), 400,
            "User key must have a length greater than 0.");
    refused(a, STR(FIELD("key", "a\xFF") FILE_FIELD("f", "x") END), 400, "InvalidURI");
    refused(a, STR(FIELD("key", "nofile") END), 400, "exactly one file upload per request");
    refused(a,
            STR(FIELD("key", "cut") "--xYz\r\nContent-Disposition: form-data; name=\"file\""
                                    "\r\n\r\nabc"),
            400, "MalformedPOSTRequest");
    refused(a, STR("nothing"), 400, "MalformedPOSTRequest");
    refused(a, STR(FIELD("key", "t") FIELD("tagging", "not-xml") FILE_FIELD("f", "x") END), 400,
            "MalformedXML");
    refused(
        a, STR(FIELD("key", "t") FIELD("x-amz-storage-class", "Fake") FILE_FIELD("f", "x") END),
        400, "<StorageClassRequested>Fake</StorageClassRequested>");
    refused(
        a,
        STR(FIELD("key", "t") FIELD("x-amz-checksum-algorithm", "X") FILE_FIELD("f", "x") END),
        400, "InvalidRequest");
    refused(a,
            STR(FIELD("key", "t") FIELD("x-amz-checksum-crc32", "AAAAAA==") FILE_FIELD("f", "x")
                    END),
            400, "The CRC32 you specified did not match the calculated checksum.");
    refused(a,
            STR(FIELD("key", "t") FIELD("x-amz-checksum-crc32", "AAAAAA==")
                    FIELD("x-amz-checksum-sha1", "") FILE_FIELD("f", "x") END),
            400, "Expecting a single x-amz-checksum- header.");
    refused(a, STR(FIELD("key", "t") FIELD("Content-MD5", "x") FILE_FIELD("f", "x") END), 400,
            "InvalidDigest");
    refused(a,
            STR(FIELD("key", "t") FIELD("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
                    FILE_FIELD("f", "x") END),
            400, "BadDigest");
    assert_int_equal(ask(a, "HEAD", "/bucket/t", "", STR_NONE), 404);
    assert_int_equal(ask(a, "HEAD", "/bucket/cut", "", STR_NONE), 404);
}

static void test_other_posts(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "POST", "/bucket",
                         "Content-Type: application/x-www-form-urlencoded", STR("key=x")),
                     412);
    assert_answer(a, "<Condition>Bucket POST must be of the enclosure-type "
                     "multipart/form-data</Condition>");
    assert_int_equal(ask(a, "POST", "/bucket", "Content-Type: multipart/form-data", STR("x")),
                     400);
    assert_answer(a, "MalformedPOSTRequest");
    assert_int_equal(ask(a, "POST", "/no-such", FORM_TYPE, STR(FIELD("key", "k") END)), 404);
}

static void test_too_many_fields(void **state)
{
    struct asked *a = *state;
    AUTO_BUF(form, KiB(64));
    for (size_t i = 0; i < 500; i++)
        buf_add_c(&form, FIELD("x", ""));
    buf_add_c(&form, FIELD("key", "k") FILE_FIELD("f", "x") END);
    refused(a, buf_str(&form), 400, "MaxPostPreDataLengthExceededError");
    buf_reset(&form);
    for (size_t i = 0; i < 300; i++)
        buf_add_c(&form, FIELD("x", ""));
    buf_add_c(&form, FIELD("key", "k") FILE_FIELD("f", "x") END);
    assert_int_equal(post(a, buf_str(&form)), 204);
}

/* Whatever allocation fails: SlowDown, and nothing is stored; or the answer is lost (500). */
static void test_no_memory(void **state)
{
    struct asked *a = *state;
    struct str form =
        STR(FIELD("key", "memory") FIELD("tagging", "<Tagging/>") FILE_FIELD("f", "abc") END);
    uint64_t nth = 1;
    for (;; nth++) {
        mem_fail_nth(nth);
        unsigned status = post(a, form);
        mem_fail_nth(0);
        if (status == 204)
            break;
        if (status != 503 && status != 500)
            fail_msg("allocation %u: %u '%.*s'", (unsigned)nth, status, (int)a->text.len,
                     a->text.ptr);
        if (status == 503)
            assert_int_equal(ask(a, "HEAD", "/bucket/memory", "", STR_NONE), 404);
        assert_true(nth < 500);
    }
    assert_object(a, "/bucket/memory", "abc");
}

static int start(void **state)
{
    static struct asked asked;
    ask_start(&asked);
    *state = &asked;
    return ask(&asked, "PUT", "/bucket", "", STR("")) != 200;
}

static int tear_down(void **state)
{
    ask_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),          cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_other_posts),
        cmocka_unit_test(test_too_many_fields), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("s3/post_form", tests, start, tear_down);
}
