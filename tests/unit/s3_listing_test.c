/* SPDX-License-Identifier: MIT */
/* s3_listing_test.c - the XML of listings to the letter: elements, their order, what is empty,
 * absent or encoded. Sources: replies recorded from Amazon (test_s3_list_operations.py), AWS
 * API reference for the order. */
#include <stdio.h>

#include "s3_ask.h"

#define HEAD  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=" XMLNS ">"
#define XMLNS "\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define OWNER                                                                                  \
    "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
#define TIME "<LastModified>2026-01-02T03:04:05.000Z</LastModified>"
#define CONTENT                                                                                \
    "<ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag>"                                \
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"                                         \
    "<ChecksumType>FULL_OBJECT</ChecksumType><Size>1</Size>"

static void lists(struct asked *a, const char *target, const char *want)
{
    assert_int_equal(ask(a, "GET", target, "", STR_NONE), 200);
    if (!str_eq(buf_str(&a->text), str_c(want)))
        fail_msg("%s gave '%.*s'", target, (int)a->text.len, a->text.ptr);
}

/* The text between <name> and </name> of the last answer. */
static struct str element(const struct asked *a, const char *open, const char *close)
{
    struct str text = buf_str(&a->text);
    size_t at = str_find(text, str_c(open));
    assert_int_not_equal(at, SIZE_MAX);
    text = str_from(text, at + strlen(open));
    at = str_find(text, str_c(close));
    assert_int_not_equal(at, SIZE_MAX);
    return str_of(text.ptr, at);
}

static void test_v1(void **state)
{
    struct asked *a = *state;
    lists(a, "/bucket?prefix=a/",
          HEAD "<Name>bucket</Name><Prefix>a/</Prefix><Marker></Marker><MaxKeys>1000</MaxKeys>"
               "<IsTruncated>false</IsTruncated>"
               "<Contents><Key>a/1</Key>" TIME CONTENT OWNER
               "<StorageClass>STANDARD</StorageClass></Contents>"
               "<Contents><Key>a/b/2</Key>" TIME CONTENT OWNER
               "<StorageClass>STANDARD_IA</StorageClass></Contents></ListBucketResult>");
    lists(a, "/bucket?delimiter=/&max-keys=1&encoding-type=url",
          HEAD "<Name>bucket</Name><Prefix></Prefix><Marker></Marker>"
               "<NextMarker>a/</NextMarker><MaxKeys>1</MaxKeys><Delimiter>/</Delimiter>"
               "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
               "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>");
    ask(a, "GET", "/bucket?max-keys=1&marker=a/1", "", STR_NONE);
    assert_answer(a, "<Marker>a/1</Marker><MaxKeys>1</MaxKeys><IsTruncated>true</IsTruncated>"
                     "<Contents><Key>a/b/2</Key>");
    assert_answer_header(a, "x-amz-bucket-region: us-east-1\n");
}

static void test_v2(void **state)
{
    struct asked *a = *state;
    lists(a, "/bucket?list-type=2&prefix=a/&delimiter=/",
          HEAD "<Name>bucket</Name><Prefix>a/</Prefix><KeyCount>2</KeyCount>"
               "<MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>false</IsTruncated>"
               "<Contents><Key>a/1</Key>" TIME CONTENT "<StorageClass>STANDARD</StorageClass>"
               "</Contents><CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes>"
               "</ListBucketResult>");
    ask(a, "GET", "/bucket?list-type=2&fetch-owner=true&start-after=a/1&prefix=a", "",
        STR_NONE);
    assert_answer(a, "<Prefix>a</Prefix><StartAfter>a/1</StartAfter><KeyCount>1</KeyCount>");
    assert_answer(a, "<Size>1</Size>" OWNER);
    lists(a, "/bucket?list-type=2&max-keys=0",
          HEAD "<Name>bucket</Name><Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>0</MaxKeys>"
               "<IsTruncated>false</IsTruncated></ListBucketResult>");
    ask(a, "GET", "/bucket?list-type=2&max-keys=2000", "", STR_NONE);
    assert_answer(a, "<MaxKeys>2000</MaxKeys>");
}

/* Follows the tokens one key at a time; prefixes count as keys. */
static void test_v2_pages(void **state)
{
    struct asked *a = *state;
    static const char *const pages[] = {"<Key>a/1</Key>", "<Prefix>a/b/</Prefix>", NULL};
    char target[200] = "/bucket?list-type=2&max-keys=1&prefix=a/&delimiter=/&start-after=";
    for (size_t i = 0; pages[i]; i++) {
        assert_int_equal(ask(a, "GET", target, "", STR_NONE), 200);
        assert_answer(a, pages[i]);
        assert_answer(a, "<KeyCount>1</KeyCount>");
        if (!pages[i + 1]) {
            assert_no_answer(a, "NextContinuationToken");
            break;
        }
        struct str token = element(a, "<NextContinuationToken>", "</NextContinuationToken>");
        snprintf(target, sizeof(target),
                 "/bucket?list-type=2&max-keys=1&prefix=a/&delimiter=/&start-after=z"
                 "&continuation-token=%.*s",
                 (int)token.len, token.ptr);
    }
    assert_no_answer(a, "StartAfter");
}

static void test_refusals(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *query, *answer;
    } cases[] = {
        {"list-type=2&continuation-token=",
         "<Message>The continuation token provided is incorrect</Message>"
         "<ArgumentName>continuation-token</ArgumentName><RequestId>"},
        {"list-type=2&continuation-token=test_7", "continuation token provided is incorrect"},
        {"encoding-type=value",
         "<Message>Invalid Encoding Method specified in Request</Message>"
         "<ArgumentName>encoding-type</ArgumentName>"
         "<ArgumentValue>value</ArgumentValue>"},
        {"encoding-type=", "<ArgumentValue></ArgumentValue>"},
        {"max-keys=x", "<ArgumentName>max-keys</ArgumentName>"},
        {"max-keys=-1", "InvalidArgument"},
        {"list-type=3&start-after=a",
         "<Message>startAfter only supported in REST.GET.BUCKET with list-type=2</Message>"
         "<ArgumentName>start-after</ArgumentName><RequestId>"},
        {"versions&key-marker=a&version-id-marker=",
         "<Message>A version-id marker cannot be empty.</Message>"},
        {"versions&version-id-marker=x",
         "A version-id marker cannot be specified without a key marker."},
        {"versions&key-marker=a&version-id-marker=x", "Invalid version id specified"},
        {"versions&encoding-type=x", "Invalid Encoding Method specified in Request"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char target[200];
        snprintf(target, sizeof(target), "/bucket?%s", cases[i].query);
        assert_int_equal(ask(a, "GET", target, "", STR_NONE), 400);
        assert_answer(a, "<Code>InvalidArgument</Code>");
        assert_answer(a, cases[i].answer);
    }
    assert_int_equal(ask(a, "GET", "/missing?list-type=2", "", STR_NONE), 404);
    assert_int_equal(ask(a, "GET", "/bucket?list-type=3", "", STR_NONE), 200);
    assert_answer(a, "<Marker></Marker>");
}

static void test_encoding(void **state)
{
    struct asked *a = *state;
    ask(a, "PUT", "/odd-keys/%01a%20b+c%26%3C%0D", "", STR("x"));
    assert_int_equal(a->status, 200);
    ask(a, "GET", "/odd-keys", "", STR_NONE);
    assert_answer(a, "<Key>&#x1;a b+c&amp;&lt;&#13;</Key>");
    ask(a, "GET", "/odd-keys?encoding-type=URL&prefix=zz", "", STR_NONE);
    assert_answer(a, "<EncodingType>URL</EncodingType>");
    ask(a, "GET", "/odd-keys?encoding-type=url&prefix=%01&marker=%01%20&delimiter=%26", "",
        STR_NONE);
    assert_answer(a, "<Prefix>%01</Prefix><Marker>%01+</Marker>");
    assert_answer(a, "<EncodingType>url</EncodingType>");
    assert_answer(a, "<Delimiter>%26</Delimiter>");
    assert_answer(a, "<CommonPrefixes><Prefix>%01a+b%2Bc%26</Prefix></CommonPrefixes>");
}

static void test_restore_status(void **state)
{
    struct asked *a = *state;
    const char *header = "x-amz-optional-object-attributes: RestoreStatus";
    ask(a, "PUT", "/odd-keys/cold", "x-amz-storage-class: GLACIER", STR("x"));
    ask(a, "GET", "/odd-keys?list-type=2&prefix=cold", header, STR_NONE);
    assert_answer(a, "<StorageClass>GLACIER</StorageClass><RestoreStatus>"
                     "<IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus>");
    ask(a, "GET", "/bucket?list-type=2", header, STR_NONE);
    assert_no_answer(a, "RestoreStatus");
    assert_int_equal(ask(a, "GET", "/bucket", "x-amz-optional-object-attributes: X", STR_NONE),
                     400);
}

static void test_versions(void **state)
{
    struct asked *a = *state;
    lists(a, "/bucket?versions&prefix=a/1",
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListVersionsResult xmlns=" XMLNS ">"
          "<Name>bucket</Name><Prefix>a/1</Prefix><KeyMarker></KeyMarker>"
          "<VersionIdMarker></VersionIdMarker><MaxKeys>1000</MaxKeys>"
          "<IsTruncated>false</IsTruncated><Version><Key>a/1</Key><VersionId>null</VersionId>"
          "<IsLatest>true</IsLatest>" TIME CONTENT OWNER
          "<StorageClass>STANDARD</StorageClass></Version></ListVersionsResult>");
    ask(a, "PUT", "/versioned?versioning", "",
        STR("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"));
    ask(a, "PUT", "/versioned/k", "", STR("x"));
    ask(a, "DELETE", "/versioned/k", "", STR_NONE);
    ask(a, "PUT", "/versioned/z/1", "", STR("x"));
    ask(a, "GET", "/versioned?versions&max-keys=1", "", STR_NONE);
    assert_answer(a, "<NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>");
    assert_answer(a, "<IsTruncated>true</IsTruncated><DeleteMarker><Key>k</Key><VersionId>");
    assert_answer(a, "<IsLatest>true</IsLatest>" TIME OWNER "</DeleteMarker>");
    struct str id = element(a, "<NextVersionIdMarker>", "</NextVersionIdMarker>");
    char target[200];
    snprintf(target, sizeof(target),
             "/versioned?versions&key-marker=k&version-id-marker=%.*s&delimiter=/&max-keys=2",
             (int)id.len, id.ptr);
    ask(a, "GET", target, "", STR_NONE);
    assert_answer(a, "<IsLatest>false</IsLatest>" TIME CONTENT OWNER);
    assert_answer(a, "<CommonPrefixes><Prefix>z/</Prefix></CommonPrefixes>");
    assert_no_answer(a, "NextKeyMarker");
}

static int start(void **state)
{
    static struct asked asked;
    int64_t when_ns;
    if (!clock_parse_iso(STR("2026-01-02T03:04:05.678Z"), &when_ns))
        return 1;
    clock_freeze_at_ns(when_ns);
    ask_start(&asked);
    *state = &asked;
    ask(&asked, "PUT", "/bucket", "", STR(""));
    ask(&asked, "PUT", "/odd-keys", "", STR(""));
    ask(&asked, "PUT", "/versioned", "", STR(""));
    ask(&asked, "PUT", "/bucket/a/1", "", STR("x"));
    ask(&asked, "PUT", "/bucket/a/b/2", "x-amz-storage-class: STANDARD_IA", STR("x"));
    ask(&asked, "PUT", "/bucket/c", "", STR("x"));
    return asked.status != 200;
}

static int tear_down(void **state)
{
    ask_stop(*state);
    clock_unfreeze();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v1),       cmocka_unit_test(test_v2),
        cmocka_unit_test(test_v2_pages), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_encoding), cmocka_unit_test(test_restore_status),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests_name("s3/listing", tests, start, tear_down);
}
