/* SPDX-License-Identifier: MIT */
/* s3_delete_objects_test.c - each key its own fate.
 * Source: replies recorded from Amazon (test_delete_objects, test_delete_objects_versioned). */
#include "s3_ask.h"

#define MD5_OF_NOTHING "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=="

/* Asks with the Content-MD5 that S3 demands. */
static unsigned delete_objects(struct asked *a, struct str document)
{
    uint8_t md5[MD5_SIZE];
    AUTO_BUF(header, 100);
    md5_once(document, md5);
    buf_add_c(&header, "Content-MD5: ");
    buf_add_base64(&header, str_of((const char *)md5, MD5_SIZE));
    buf_add_char(&header, '\0');
    return ask(a, "POST", "/bucket?delete", header.ptr, document);
}

static void put(struct asked *a, const char *target)
{
    assert_int_equal(ask(a, "PUT", target, "", STR("x")), 200);
}

static void test_keys(void **state)
{
    struct asked *a = *state;
    put(a, "/bucket/a");
    put(a, "/bucket/%3C%26%20b");
    assert_int_equal(
        delete_objects(a, STR("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                              "<Object><Key>a</Key></Object>"
                              "<Object><Key>&lt;&amp; b</Key></Object>"
                              "<Object><Key>none</Key></Object></Delete>")),
        200);
    assert_answer(a, "<Deleted><Key>a</Key></Deleted><Deleted><Key>&lt;&amp; b</Key></Deleted>"
                     "<Deleted><Key>none</Key></Deleted></DeleteResult>");
    assert_int_equal(ask(a, "HEAD", "/bucket/a", "", STR_NONE), 404);
    assert_int_equal(ask(a, "HEAD", "/bucket/%3C%26%20b", "", STR_NONE), 404);
}

static void test_conditions(void **state)
{
    struct asked *a = *state;
    put(a, "/bucket/a");
    delete_objects(a,
                   STR("<Delete><Quiet>true</Quiet>"
                       "<Object><Key>a</Key><ETag>\"other\"</ETag></Object>"
                       "<Object><Key>a</Key><Size>2</Size></Object>"
                       "<Object><Key>a</Key><LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT"
                       "</LastModifiedTime></Object>"
                       "<Object><Key>b</Key><ETag>*</ETag></Object>"
                       "<Object><Key>a</Key><VersionId>null</VersionId><Size>1</Size></Object>"
                       "</Delete>"));
    assert_int_equal(a->status, 200);
    assert_answer(a,
                  "<Error><Key>a</Key><Code>PreconditionFailed</Code><Message>At least one of "
                  "the pre-conditions you specified did not hold</Message></Error>"
                  "<Error><Key>a</Key><Code>PreconditionFailed</Code>");
    assert_answer(a, "<Error><Key>b</Key><Code>NoSuchKey</Code>");
    assert_answer(a,
                  "<Error><Key>a</Key><VersionId>null</VersionId><Code>NotImplemented</Code>");
    assert_int_equal(ask(a, "HEAD", "/bucket/a", "", STR_NONE), 200);
    delete_objects(a, STR("<Delete><Quiet>true</Quiet><Object><Key>a</Key><Size>1</Size><ETag>"
                          "\"9dd4e461268c8034f5c8564e155c67a6\"</ETag></Object></Delete>"));
    assert_answer(a, "2006-03-01/\"></DeleteResult>");
    assert_int_equal(ask(a, "HEAD", "/bucket/a", "", STR_NONE), 404);
}

static void test_versions(void **state)
{
    struct asked *a = *state;
    put(a, "/bucket/v");
    delete_objects(a, STR("<Delete><Object><Key>v</Key>"
                          "<VersionId>HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD</VersionId></Object>"
                          "<Object><Key>v</Key><VersionId>x</VersionId></Object>"
                          "<Object><Key>v</Key><VersionId>null</VersionId></Object></Delete>"));
    assert_answer(a,
                  "<Error><Key>v</Key><VersionId>HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD</VersionId>"
                  "<Code>NoSuchVersion</Code><Message>The specified version does not exist."
                  "</Message></Error><Error><Key>v</Key><VersionId>x</VersionId>"
                  "<Code>NoSuchVersion</Code>");
    assert_answer(a, "<Deleted><Key>v</Key><VersionId>null</VersionId></Deleted>");
    ask(a, "PUT", "/bucket?versioning", "",
        STR("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"));
    delete_objects(a, STR("<Delete><Object><Key>v</Key></Object></Delete>"));
    assert_answer(a, "<Deleted><Key>v</Key><DeleteMarker>true</DeleteMarker>"
                     "<DeleteMarkerVersionId>");
}

static void malformed(struct asked *a, struct str document)
{
    if (delete_objects(a, document) != 400)
        fail_msg("taken: '%.*s'", (int)document.len, document.ptr);
    assert_answer(a, "<Code>MalformedXML</Code>");
}

static void test_documents(void **state)
{
    struct asked *a = *state;
    malformed(a, STR("<Delete/>"));
    malformed(a, STR("<Delete><Object/></Delete>"));
    malformed(a, STR("<Delete><Object><Key/></Object></Delete>"));
    malformed(a, STR("<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>"));
    malformed(a, STR("<Delete><Object><Key>a</Key><Size>x</Size></Object></Delete>"));
    malformed(a,
              STR("<Delete><Object><Key>a</Key><LastModifiedTime>x</LastModifiedTime></Object>"
                  "</Delete>"));
    malformed(a, STR("<Delete><Object><Key>a</Key></Object><Quiet>x</Quiet></Delete>"));
    malformed(a, STR("<Delete><Object><Key>a</Key></Object><Other/></Delete>"));
    malformed(a, STR("<Other><Object><Key>a</Key></Object></Other>"));
    AUTO_BUF(many, KiB(64));
    for (size_t count = 1000; count <= 1001; count++) {
        buf_reset(&many);
        buf_add_c(&many, "<Delete>");
        for (size_t i = 0; i < count; i++)
            buf_add_c(&many, "<Object><Key>many</Key></Object>");
        buf_add_c(&many, "</Delete>");
        assert_int_equal(delete_objects(a, buf_str(&many)), count == 1000 ? 200 : 400);
    }
}

static void test_digest_is_needed(void **state)
{
    struct asked *a = *state;
    struct str document = STR("<Delete><Object><Key>a</Key></Object></Delete>");
    assert_int_equal(ask(a, "POST", "/bucket?delete", "", document), 400);
    assert_answer(a, "<Code>InvalidRequest</Code><Message>Missing required header for this "
                     "request: Content-MD5 OR x-amz-checksum-*</Message>");
    assert_int_equal(
        ask(a, "POST", "/bucket?delete", "x-amz-checksum-crc32: AAAAAA==", document), 400);
    assert_answer(a, "<Code>BadDigest</Code>");
    assert_int_equal(ask(a, "POST", "/bucket?delete", MD5_OF_NOTHING, document), 400);
    assert_answer(a, "<Code>BadDigest</Code>");
    assert_int_equal(ask(a, "POST", "/bucket?delete", MD5_OF_NOTHING, STR("")), 400);
    assert_answer(a, "<Code>MissingRequestBodyError</Code>");
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
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_digest_is_needed),
    };
    return cmocka_run_group_tests_name("s3/delete_objects", tests, start, tear_down);
}
