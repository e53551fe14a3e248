/* SPDX-License-Identifier: MIT */
/* s3_tagging_test.c - tag rules by document and by header.
 * Source: replies recorded from Amazon (test_tagging_validation, test_object_tagging_exc,
 * test_create_bucket_with_tags_exc); AWS "Categorizing your objects using tags". */
#include "s3_ask.h"

#define TAG(key, value) "<Tag><Key>" key "</Key><Value>" value "</Value></Tag>"
#define TAGGING(tags)   STR("<Tagging><TagSet>" tags "</TagSet></Tagging>")

/* With a digest of the document, which a bucket's tags need. */
static unsigned put_tags(struct asked *a, const char *target, struct str document)
{
    uint8_t md5[MD5_SIZE];
    AUTO_BUF(header, 100);
    md5_once(document, md5);
    buf_add_c(&header, "Content-MD5: ");
    buf_add_base64(&header, str_of((const char *)md5, sizeof(md5)));
    buf_add_char(&header, '\0');
    return ask(a, "PUT", target, header.ptr, document);
}

static void refused(struct asked *a, const char *target, struct str document, const char *code,
                    const char *message)
{
    assert_int_equal(put_tags(a, target, document), 400);
    assert_answer(a, code);
    assert_answer(a, message);
}

static void test_bucket_tags(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "GET", "/bucket?tagging", "", STR_NONE), 404);
    assert_answer(a, "<Code>NoSuchTagSet</Code>");
    assert_int_equal(put_tags(a, "/bucket?tagging", TAGGING(TAG("b", "x y") TAG("a", ""))),
                     204);
    assert_int_equal(ask(a, "GET", "/bucket?tagging", "", STR_NONE), 200);
    assert_answer(a, "<TagSet>" TAG("b", "x y") TAG("a", "") "</TagSet>");
    assert_int_equal(ask(a, "PUT", "/bucket?tagging", "", STR("<Tagging/>")), 400);
    assert_answer(a,
                  "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    assert_int_equal(put_tags(a, "/bucket?tagging", STR("<Tagging/>")), 204);
    assert_int_equal(ask(a, "GET", "/bucket?tagging", "", STR_NONE), 404);
    put_tags(a, "/bucket?tagging", TAGGING(TAG("a", "b")));
    assert_int_equal(ask(a, "DELETE", "/bucket?tagging", "", STR_NONE), 204);
    assert_int_equal(ask(a, "GET", "/bucket?tagging", "", STR_NONE), 404);
}

static void test_object_tags(void **state)
{
    struct asked *a = *state;
    ask(a, "PUT", "/bucket/key", "x-amz-tagging: b=x+y&a&%C3%A9=1%2B1", STR("x"));
    assert_int_equal(a->status, 200);
    ask(a, "GET", "/bucket/key?tagging", "", STR_NONE);
    assert_answer(a,
                  "<TagSet>" TAG("b", "x y") TAG("a", "") TAG("\xC3\xA9", "1+1") "</TagSet>");
    assert_int_equal(put_tags(a, "/bucket/key?tagging", TAGGING(TAG("c", "@"))), 200);
    ask(a, "GET", "/bucket/key?tagging", "", STR_NONE);
    assert_answer(a, "<TagSet>" TAG("c", "@") "</TagSet>");
    assert_int_equal(ask(a, "DELETE", "/bucket/key?tagging", "", STR_NONE), 204);
    ask(a, "GET", "/bucket/key?tagging", "", STR_NONE);
    assert_answer(a, "<TagSet></TagSet>");
    assert_int_equal(ask(a, "GET", "/bucket/none?tagging", "", STR_NONE), 404);
    assert_answer(a, "<Key>bucket/none</Key>");
    assert_int_equal(ask(a, "DELETE", "/bucket/none?tagging", "", STR_NONE), 404);
    assert_answer(a, "<Key>none</Key>");
}

static void test_rules_of_documents(void **state)
{
    struct asked *a = *state;
    static const char *const targets[] = {"/bucket?tagging", "/bucket/key?tagging"};
    ask(a, "PUT", "/bucket/key", "", STR("x"));
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        const char *t = targets[i];
        refused(a, t, TAGGING(TAG("k", "1") TAG("k", "2")), "InvalidTag",
                "Cannot provide multiple Tags with the same key");
        refused(a, t, TAGGING(TAG("a,b", "1")), "InvalidTag",
                "The TagKey you have provided is invalid</Message><TagKey>a,b</TagKey>");
        refused(a, t, TAGGING(TAG("", "1")), "InvalidTag", "The TagKey");
        refused(a, t, TAGGING(TAG("k", "a,b")), "InvalidTag",
                "The TagValue you have provided is invalid</Message><TagKey>k</TagKey>"
                "<TagValue>a,b</TagValue>");
        refused(a, t, TAGGING("<Tag><Key>k</Key></Tag>"), "MalformedXML", "");
        refused(a, t, TAGGING("<Tag><Value>k</Value></Tag>"), "MalformedXML", "");
        refused(a, t, TAGGING("<Tag><Key>k</Key><Value/><X/></Tag>"), "MalformedXML", "");
        refused(a, t, STR("<Tagging><TagSet/><TagSet/></Tagging>"), "MalformedXML", "");
        refused(a, t, STR("<Other/>"), "MalformedXML", "");
    }
    refused(a, targets[0], TAGGING(TAG("aws:x", "1")), "InvalidTag",
            "System tags cannot be added/updated by requester</Message><TagKey>aws:x");
    refused(a, targets[1], TAGGING(TAG("aws:x", "1")), "InvalidTag",
            "Your TagKey cannot be prefixed with aws:</Message><TagKey>aws:x");
}

/* Writes count tags, the last of them with a key and value of the lengths given. */
static struct str many_tags(struct buf *out, size_t count, size_t key_len, size_t value_len)
{
    buf_reset(out);
    buf_add_c(out, "<Tagging><TagSet>");
    for (size_t i = 1; i < count; i++)
        buf_addf(out, TAG("k%zu", "v"), i);
    buf_add_c(out, "<Tag><Key>");
    for (size_t i = 0; i < key_len; i++)
        buf_add_c(out, "\xC3\xA9"); /* one UTF-16 unit */
    buf_add_c(out, "</Key><Value>");
    for (size_t i = 0; i < value_len; i++)
        buf_add_c(out, "\xF0\xA0\x80\x8B"); /* a letter of two UTF-16 units */
    buf_add_c(out, "</Value></Tag></TagSet></Tagging>");
    return buf_str(out);
}

static void test_limits(void **state)
{
    struct asked *a = *state;
    AUTO_BUF(document, KiB(64));
    const char *bucket = "/bucket?tagging", *object = "/bucket/key?tagging";
    ask(a, "PUT", "/bucket/key", "", STR("x"));
    assert_int_equal(put_tags(a, object, many_tags(&document, 10, 128, 128)), 200);
    refused(a, object, many_tags(&document, 11, 1, 1), "BadRequest",
            "Object tags cannot be greater than 10");
    refused(a, object, many_tags(&document, 1, 129, 1), "InvalidTag", "The TagKey");
    refused(a, object, many_tags(&document, 1, 1, 129), "InvalidTag", "The TagValue");
    assert_int_equal(put_tags(a, bucket, many_tags(&document, 50, 128, 128)), 204);
    refused(a, bucket, many_tags(&document, 51, 1, 1), "BadRequest",
            "Bucket tag count cannot be greater than 50");
}

static void test_rules_of_headers(void **state)
{
    struct asked *a = *state;
    static const char *const malformed[] = {"x-amz-tagging: key1=val1&key1=val2",
                                            "x-amz-tagging: key1=val1,key2=val2",
                                            "x-amz-tagging: a=%zz",
                                            "x-amz-tagging: a=%FF",
                                            "x-amz-tagging: a=b=c%2C",
                                            "x-amz-tagging: =b"};
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        assert_int_equal(ask(a, "PUT", "/bucket/new", malformed[i], STR("x")), 400);
        assert_answer(a, "<Code>InvalidArgument</Code><Message>The header 'x-amz-tagging' "
                         "shall be encoded as UTF-8 then URLEncoded URL query parameters "
                         "without tag name duplicates.</Message>"
                         "<ArgumentName>x-amz-tagging</ArgumentName>");
    }
    ask(a, "PUT", "/bucket/new", "x-amz-tagging: a&b&c&d&e&f&g&h&i&j&k", STR("x"));
    assert_answer(a, "<Code>BadRequest</Code>");
    ask(a, "PUT", "/bucket/new", "x-amz-tagging: AWS%3Ax=1", STR("x"));
    assert_answer(a, "<Code>InvalidTag</Code>");
    assert_int_equal(ask(a, "HEAD", "/bucket/new", "", STR_NONE), 404);
}

static void test_tags_of_a_new_bucket(void **state)
{
    struct asked *a = *state;
#define NEW_BUCKET_TAGS(tags)                                                                  \
    STR("<CreateBucketConfiguration><Tags>" tags "</Tags></CreateBucketConfiguration>")
    refused(a, "/tagged", NEW_BUCKET_TAGS(TAG("aws:x", "1")), "InvalidTag",
            "User-defined tag keys can't start with &quot;aws:&quot;.");
    assert_no_answer(a, "TagKey");
    refused(a, "/tagged", NEW_BUCKET_TAGS("<Tag><Key>a</Key></Tag>"), "MalformedXML", "");
    assert_int_equal(ask(a, "PUT", "/tagged", "", NEW_BUCKET_TAGS(TAG("a", "b"))), 200);
    /* Again: only without tags (test_create_bucket_with_tags_us_east_1_idempotency). */
    assert_int_equal(ask(a, "PUT", "/tagged", "", NEW_BUCKET_TAGS(TAG("a", "b"))), 409);
    assert_int_equal(ask(a, "PUT", "/tagged", "", NEW_BUCKET_TAGS("")), 200);
    ask(a, "GET", "/tagged?tagging", "", STR_NONE);
    assert_answer(a, TAG("a", "b"));
}

static void test_versions(void **state)
{
    struct asked *a = *state;
    ask(a, "PUT", "/bucket/v", "", STR("x"));
    ask(a, "GET", "/bucket/v?tagging", "", STR_NONE);
    assert_int_equal(str_find(buf_str(&a->headers), STR("x-amz-version-id")), SIZE_MAX);
    ask(a, "PUT", "/bucket?versioning", "",
        STR("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"));
    assert_int_equal(put_tags(a, "/bucket/v?tagging&versionId=null", TAGGING(TAG("a", "b"))),
                     200);
    assert_answer_header(a, "x-amz-version-id: null\n");
    assert_int_equal(ask(a, "GET", "/bucket/v?tagging&versionId=x", "", STR_NONE), 400);
    assert_answer(a, "Invalid version id specified");
    ask(a, "DELETE", "/bucket/v", "", STR_NONE);
    assert_int_equal(ask(a, "GET", "/bucket/v?tagging", "", STR_NONE), 405);
    assert_answer(a, "<Method>GET</Method><ResourceType>DeleteMarker</ResourceType>");
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
        cmocka_unit_test(test_bucket_tags),        cmocka_unit_test(test_object_tags),
        cmocka_unit_test(test_rules_of_documents), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rules_of_headers),   cmocka_unit_test(test_tags_of_a_new_bucket),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests_name("s3/tagging", tests, start, tear_down);
}
