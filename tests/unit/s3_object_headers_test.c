/* SPDX-License-Identifier: MIT */
/* s3_object_headers_test.c - what an object remembers of its PUT, and what GET says of it.
 * Sources: AWS "Working with object metadata"; replies recorded from Amazon (storage classes,
 * header overrides, SSE-C and SSE-KMS, object lock headers, metadata that is no ASCII). */
#include <stdio.h>

#include "s3_ask.h"

static int start(void **state)
{
    static struct asked asked;
    ask_start(&asked);
    *state = &asked;
    assert_int_equal(s3_service_create_bucket(asked.service, STR("bucket")), S3_OK);
    return 0;
}

static int tear_down(void **state)
{
    ask_stop(*state);
    return 0;
}

static void put(struct asked *a, const char *headers)
{
    assert_int_equal(ask(a, "PUT", "/bucket/k", headers, STR("x")), 200);
}

static void head(struct asked *a)
{
    assert_int_equal(ask(a, "HEAD", "/bucket/k", "", STR_NONE), 200);
}

static void assert_no_header(const struct asked *a, const char *text)
{
    if (str_find(buf_str(&a->headers), str_c(text)) != SIZE_MAX)
        fail_msg("'%s' in '%.*s'", text, (int)a->headers.len, a->headers.ptr);
}

static void test_defaults(void **state)
{
    struct asked *a = *state;
    put(a, "");
    assert_answer_header(a, "ETag: \"9dd4e461268c8034f5c8564e155c67a6\"\n");
    assert_answer_header(a, "x-amz-checksum-crc64nvme: ");
    assert_answer_header(a, "x-amz-checksum-type: FULL_OBJECT\n");
    assert_answer_header(a, "x-amz-server-side-encryption: AES256\n");
    head(a);
    assert_answer_header(a, "Accept-Ranges: bytes\n");
    assert_answer_header(a, "Content-Type: binary/octet-stream\n");
    assert_answer_header(a, "x-amz-server-side-encryption: AES256\n");
    assert_no_header(a, "x-amz-storage-class");
    assert_no_header(a, "x-amz-checksum");
    assert_no_header(a, "x-amz-version-id");
    assert_no_header(a, "x-amz-tagging-count");
}

#define KEPT                                                                                   \
    "Content-Type: image/jpeg\nContent-Disposition: attachment; filename=\"a\"\n"              \
    "Content-Language: de\nCache-Control: max-age=1\nExpires: whenever\n"                      \
    "x-amz-website-redirect-location: /there\nx-amz-storage-class: STANDARD_IA\n"

static void test_headers_kept(void **state)
{
    struct asked *a = *state;
    struct str lines = STR(KEPT), line;
    put(a, KEPT "x-amz-tagging: a=1&b=2\nContent-Encoding: br,gzip");
    head(a);
    while (str_split(&lines, '\n', &line) && line.len) {
        char text[128];
        snprintf(text, sizeof(text), "%.*s\n", (int)line.len, line.ptr);
        assert_answer_header(a, text);
    }
    assert_answer_header(a, "Content-Encoding: br, gzip\n");
    assert_answer_header(a, "x-amz-tagging-count: 2\n");
    put(a, "Content-Encoding: ,\nx-amz-storage-class: STANDARD");
    head(a);
    assert_no_header(a, "Content-Encoding");
    assert_no_header(a, "x-amz-storage-class");
}

static void test_overrides(void **state)
{
    struct asked *a = *state;
    put(a, "Content-Type: image/jpeg\nCache-Control: no-store");
    assert_int_equal(ask(a, "GET",
                         "/bucket/k?response-content-type=text%2Fx&response-expires=then"
                         "&response-content-language=de&response-content-encoding=identity"
                         "&response-content-disposition=%C3%A9",
                         "", STR_NONE),
                     200);
    assert_answer_header(a, "Content-Type: text/x\n");
    assert_answer_header(a, "Expires: then\n");
    assert_answer_header(a, "Content-Language: de\n");
    assert_answer_header(a, "Content-Encoding: identity\n");
    assert_answer_header(a, "Content-Disposition: \xE9\n");
    assert_answer_header(a, "Cache-Control: no-store\n");
    assert_no_header(a, "image/jpeg");
    assert_int_equal(ask(a, "GET", "/bucket/k?response-cache-control=%E2%80%94", "", STR_NONE),
                     400);
    assert_answer(a, "Header value cannot be represented using ISO-8859-1.");
    assert_int_equal(ask(a, "GET", "/bucket/k?response-cache-control=a%0D%0Ab:c", "", STR_NONE),
                     200);
    assert_answer_header(a, "Cache-Control: a  b:c\n"); /* no header of the client's making */
}

static void test_user_metadata(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *sent, *returned;
    } cases[] = {
        {"x-amz-meta-KEY: Value", "x-amz-meta-key: Value\n"},
        {"X-Amz-Meta-a: 1\nx-amz-meta-A: 2", "x-amz-meta-a: 1,2\n"},
        {"x-amz-meta-__a_1: !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~",
         "x-amz-meta-__a_1: !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~\n"},
        {"x-amz-meta-e:", "x-amz-meta-e: \n"},
        {"x-amz-meta-a: =?UTF-8?B?YWJj?=", "x-amz-meta-a: abc\n"},
        {"x-amz-meta-a: =?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=",
         "x-amz-meta-a: =?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=\n"},
        /* Bytes of a header are ISO-8859-1, whatever the client meant (AWS's own example). */
        {"x-amz-meta-a: \xC3\x84M\xC3\x84Z\xC3\x95\xC3\x91 S3",
         "x-amz-meta-a: =?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(a, cases[i].sent);
        head(a);
        assert_answer_header(a, cases[i].returned);
    }
}

static unsigned put_metadata(struct asked *a, size_t size)
{
    char headers[4096];
    assert_true(size < sizeof(headers) - 32);
    int n = snprintf(headers, sizeof(headers), "x-amz-meta-ab: ");
    memset(headers + n, 'v', size - 2);
    headers[(size_t)n + size - 2] = '\0';
    return ask(a, "PUT", "/bucket/k", headers, STR("x"));
}

/* What came by a file can have names that no header has. Source: AWS API GetObject,
 * x-amz-missing-meta. */
static void test_missing_metadata(void **state)
{
    struct asked *a = *state;
    AUTO(branch) branch = store_branch(a->store, STR("main"));
    AUTO_BUF(attrs, KiB(1));
    attrs_add_meta(&attrs, STR("a b"), STR("1"));
    attrs_add_meta(&attrs, STR("good"), STR("2"));
    attrs_add_meta(&attrs, STR("x\r\nEvil"), STR("3"));
    struct record_spec spec = {.key = STR("odd"), .attrs = buf_str(&attrs)};
    struct record *record = record_new(a->store, &spec, body_new(a->store, 0));
    assert_int_equal(object_put(branch, STR("bucket"), record, NULL, NULL), S3_OK);
    assert_int_equal(ask(a, "GET", "/bucket/odd", "", STR_NONE), 200);
    assert_answer_header(a, "x-amz-meta-good: 2\n");
    assert_answer_header(a, "x-amz-missing-meta: 2\n");
    assert_int_equal(str_find(buf_str(&a->headers), STR("Evil")), SIZE_MAX);
}

static void test_metadata_limit(void **state)
{
    struct asked *a = *state;
    assert_int_equal(put_metadata(a, 2048), 200);
    assert_int_equal(put_metadata(a, 2049), 400);
    assert_answer(a, "<Code>MetadataTooLarge</Code><Message>Your metadata headers exceed the "
                     "maximum allowed metadata size</Message><Size>2049</Size>"
                     "<MaxSizeAllowed>2048</MaxSizeAllowed>");
}

static void test_refusals(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *header;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"x-amz-storage-class: OUTPOSTS", 400,
         "<Code>InvalidStorageClass</Code><Message>The storage class you specified is not "
         "valid</Message><StorageClassRequested>OUTPOSTS<"},
        {"x-amz-storage-class: ", 400, "<Code>InvalidStorageClass<"},
        {"x-amz-website-redirect-location: there", 400, "<Code>InvalidRedirectLocation<"},
        {"x-amz-acl: private", 200, ""},
        {"x-amz-acl: bucket-owner-full-control", 200, ""},
        {"x-amz-acl: public-read", 400, "<Code>AccessControlListNotSupported<"},
        {"x-amz-grant-read: id=1", 400, "<Code>AccessControlListNotSupported<"},
        {"x-amz-object-lock-mode: GOVERNANCE", 400,
         "<Message>Bucket is missing Object Lock Configuration<"},
        {"x-amz-write-offset-bytes: 1", 501, "<Header>x-amz-write-offset-bytes<"},
        {"x-amz-tagging: a=1&a=2", 400, "<Code>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = ask(a, "PUT", "/bucket/k", cases[i].header, STR("x"));
        if (status != cases[i].status)
            fail_msg("%u instead of %u for %s", status, cases[i].status, cases[i].header);
        assert_answer(a, cases[i].answer);
    }
}

#define CUSTOMER "x-amz-server-side-encryption-customer-"
#define KEY_K    "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=" /* 32 times k */
#define MD5_K    "mT2HRsMGJ5IX5C+0rreZ8Q=="
#define ALG      CUSTOMER "algorithm: AES256\n"
#define KEY      CUSTOMER "key: " KEY_K "\n"
#define KEY_Z                                                                                  \
    CUSTOMER "key: enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6eno=\n" CUSTOMER                    \
             "key-MD5: KM9rffbR+lHP0DgpTlZ21Q==\n" /* 32 times z */
#define BAD_KEY "The secret key was invalid for the specified algorithm."

static const struct {
    const char *headers;
    unsigned status;
    const char *answer;
} sse_refusals[] = {
    {ALG KEY CUSTOMER "key-MD5: MD5\nx-amz-server-side-encryption: AES256", 400,
     "incompatible with the encryption method specified</Message><ArgumentName>"
     "x-amz-server-side-encryption</ArgumentName><ArgumentValue>AES256<"},
    {CUSTOMER "algorithm: KMS\n" KEY, 400, "<Code>InvalidEncryptionAlgorithmError<"},
    {KEY, 400, "must provide a valid encryption algorithm."},
    {ALG, 400, "must provide an appropriate secret key."},
    {ALG KEY, 400, BAD_KEY},
    {ALG CUSTOMER "key: c2hvcnQ=\n", 400, BAD_KEY},
    {ALG CUSTOMER "key: ?\n", 400, BAD_KEY},
    {ALG KEY CUSTOMER "key-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", 400, "The calculated MD5 hash"},
    {ALG KEY CUSTOMER "key-MD5: x", 400, "The calculated MD5 hash"},
    {"x-amz-server-side-encryption: rot13", 400,
     "The encryption method specified is not supported"},
    {"x-amz-server-side-encryption-aws-kms-key-id: x", 400, "requires HTTP header"},
    {"x-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-context: ?", 400,
     "<ArgumentName>x-amz-server-side-encryption-context<"},
};

static void test_encryption_refusals(void **state)
{
    struct asked *a = *state;
    for (size_t i = 0; i < ARRAY_LEN(sse_refusals); i++) {
        unsigned status = ask(a, "PUT", "/bucket/k", sse_refusals[i].headers, STR("x"));
        if (status != sse_refusals[i].status)
            fail_msg("%u instead of %u for %s", status, sse_refusals[i].status,
                     sse_refusals[i].headers);
        assert_answer(a, sse_refusals[i].answer);
    }
}

static void test_customer_keys(void **state)
{
    struct asked *a = *state;
    put(a, ALG KEY CUSTOMER "key-md5: " MD5_K);
    assert_no_header(a, "x-amz-server-side-encryption: ");
    assert_answer_header(a, CUSTOMER "key-MD5: " MD5_K "\n");
    assert_no_header(a, KEY_K);
    assert_int_equal(ask(a, "GET", "/bucket/k", "", STR_NONE), 400);
    assert_answer(a, "The correct parameters must be provided to retrieve the object.");
    assert_int_equal(ask(a, "HEAD", "/bucket/k", "", STR_NONE), 400);
    assert_int_equal(ask(a, "GET", "/bucket/k", ALG KEY, STR_NONE), 403);
    assert_answer(a, "must provide the correct secret key.");
    assert_int_equal(ask(a, "GET", "/bucket/k", ALG KEY_Z, STR_NONE), 403);
    assert_int_equal(ask(a, "GET", "/bucket/k", ALG KEY CUSTOMER "key-md5: " MD5_K, STR_NONE),
                     200);
    assert_answer_header(a, CUSTOMER "algorithm: AES256\n");
    put(a, "");
    assert_int_equal(ask(a, "GET", "/bucket/k", ALG KEY CUSTOMER "key-md5: " MD5_K, STR_NONE),
                     400);
    assert_answer(a, "The encryption parameters are not applicable to this object.");
}

static void test_kms(void **state)
{
    struct asked *a = *state;
    put(a, "x-amz-server-side-encryption: aws:kms\n"
           "x-amz-server-side-encryption-aws-kms-key-id: 1-2-3\n"
           "x-amz-server-side-encryption-context: e30=\n"
           "x-amz-server-side-encryption-bucket-key-enabled: true");
    assert_answer_header(a, "x-amz-server-side-encryption-context: e30=\n");
    head(a);
    assert_answer_header(a, "x-amz-server-side-encryption: aws:kms\n");
    assert_answer_header(a, "aws-kms-key-id: arn:aws:kms:us-east-1:000000000000:key/1-2-3\n");
    assert_answer_header(a, "x-amz-server-side-encryption-bucket-key-enabled: true\n");
    assert_no_header(a, "x-amz-server-side-encryption-context");
    put(a, "x-amz-server-side-encryption: aws:kms");
    assert_answer_header(a, "aws-kms-key-id: arn:aws:kms:us-east-1:000000000000:key/");
    put(a, "x-amz-server-side-encryption: aws:kms:dsse\n"
           "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-west-1:1:key/2");
    assert_answer_header(a, "aws-kms-key-id: arn:aws:kms:eu-west-1:1:key/2\n");
}

static void test_archived(void **state)
{
    struct asked *a = *state;
    put(a, "x-amz-storage-class: GLACIER");
    assert_int_equal(ask(a, "GET", "/bucket/k", "", STR_NONE), 403);
    assert_answer(a, "<Code>InvalidObjectState</Code><Message>The operation is not valid for "
                     "the object's storage class</Message><StorageClass>GLACIER<");
    assert_answer_header(a, "x-amz-storage-class: GLACIER\n");
    head(a);
    put(a, "x-amz-storage-class: GLACIER_IR");
    assert_int_equal(ask(a, "GET", "/bucket/k", "", STR_NONE), 200);
}

static void test_attributes(void **state)
{
    struct asked *a = *state;
    const char *target = "/bucket/k?attributes";
    put(a, "x-amz-checksum-crc32: jNwWgw==\nx-amz-storage-class: STANDARD_IA");
    assert_int_equal(ask(a, "GET", target,
                         "x-amz-object-attributes: StorageClass , ETag\n"
                         "x-amz-object-attributes: ObjectSize,Checksum,ObjectParts",
                         STR_NONE),
                     200);
    assert_answer(a, "<GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/"
                     "2006-03-01/\"><ETag>9dd4e461268c8034f5c8564e155c67a6</ETag>"
                     "<Checksum><ChecksumCRC32>jNwWgw==</ChecksumCRC32><ChecksumType>"
                     "FULL_OBJECT</ChecksumType></Checksum><StorageClass>STANDARD_IA"
                     "</StorageClass><ObjectSize>1</ObjectSize></GetObjectAttributesResponse>");
    assert_answer_header(a, "Last-Modified: ");
    assert_int_equal(ask(a, "GET", target, "", STR_NONE), 400);
    assert_int_equal(ask(a, "GET", target, "x-amz-object-attributes: ETag,Foo", STR_NONE), 400);
    assert_answer(a, "<ArgumentValue>Foo</ArgumentValue>");
    assert_int_equal(
        ask(a, "GET", target, "x-amz-object-attributes: ETag\nx-amz-max-parts: x", STR_NONE),
        400);
    assert_answer(a, "<ArgumentName>x-amz-max-parts</ArgumentName>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_headers_kept),
        cmocka_unit_test(test_overrides),        cmocka_unit_test(test_user_metadata),
        cmocka_unit_test(test_missing_metadata), cmocka_unit_test(test_metadata_limit),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_encryption_refusals),
        cmocka_unit_test(test_customer_keys),    cmocka_unit_test(test_kms),
        cmocka_unit_test(test_archived),         cmocka_unit_test(test_attributes),
    };
    return cmocka_run_group_tests_name("s3/object_headers", tests, start, tear_down);
}
