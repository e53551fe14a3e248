/* SPDX-License-Identifier: MIT */
/* auth_sigv2_test.c - SigV2 in header and query: the examples of AWS's "Signing and
 * authenticating REST requests", vectors of botocore, and every refusal. */
#include "auth_support.h"

#define MISMATCH                                                                               \
    "The request signature we calculated does not match the signature you provided. Check "    \
    "your key and signing method."

static int unfreeze(void **state)
{
    (void)state;
    clock_unfreeze();
    return 0;
}

static void expect_at(const char *now, const char *bucket, const char *text,
                      enum s3_err expected)
{
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {.credentials = set, .region = STR("us-east-1")};
    struct outcome o;
    freeze(now);
    authenticate_for(&o, &config, str_c(bucket), str_c(text));
    if (o.err != expected)
        print_error("%.*s\n", (int)failure_field_of(&o.failure, "StringToSign").len,
                    failure_field_of(&o.failure, "StringToSign").ptr);
    assert_int_equal(o.err, expected);
    outcome_release(&o);
    credentials_unref(set);
}

/* ---- AWS's examples ---------------------------------------------------------------- */

static void aws_object_get(void **state)
{
    (void)state;
    expect_at("20070327T193642Z", "johnsmith",
              "GET /photos/puppy.jpg HTTP/1.1\n"
              "Host: johnsmith.s3.amazonaws.com\n"
              "Date: Tue, 27 Mar 2007 19:36:42 +0000\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU=\n",
              S3_OK);
}

static void aws_object_put(void **state)
{
    (void)state;
    expect_at("20070327T211545Z", "johnsmith",
              "PUT /photos/puppy.jpg HTTP/1.1\n"
              "Content-Type: image/jpeg\n"
              "Content-Length: 94328\n"
              "Host: johnsmith.s3.amazonaws.com\n"
              "Date: Tue, 27 Mar 2007 21:15:45 +0000\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:MyyxeRY7whkBe+bq8fHCL/2kKUg=\n",
              S3_OK);
}

static void aws_list(void **state)
{
    (void)state;
    expect_at("20070327T194241Z", "johnsmith",
              "GET /?prefix=photos&max-keys=50&marker=puppy HTTP/1.1\n"
              "User-Agent: Mozilla/5.0\n"
              "Host: johnsmith.s3.amazonaws.com\n"
              "Date: Tue, 27 Mar 2007 19:42:41 +0000\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:htDYFYduRNen8P9ZfE/s9SuKy0U=\n",
              S3_OK);
}

static void aws_fetch_acl(void **state)
{
    (void)state;
    expect_at("20070327T194446Z", "johnsmith",
              "GET /?acl HTTP/1.1\n"
              "Host: johnsmith.s3.amazonaws.com\n"
              "Date: Tue, 27 Mar 2007 19:44:46 +0000\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:c2WLPFtWHVgbEmeEG93a4cG37dM=\n",
              S3_OK);
}

/* Two values of one x-amz-meta header are joined; the bucket is the host. */
static void aws_upload(void **state)
{
    (void)state;
    expect_at("20070327T210608Z", "static.johnsmith.net",
              "PUT /db-backup.dat.gz HTTP/1.1\n"
              "User-Agent: curl/7.15.5\n"
              "Host: static.johnsmith.net:8080\n"
              "Date: Tue, 27 Mar 2007 21:06:08 +0000\n"
              "x-amz-acl: public-read\n"
              "content-type: application/x-download\n"
              "Content-MD5: 4gJE4saaMU4BqNR0kLY+lw==\n"
              "X-Amz-Meta-ReviewedBy: joe@johnsmith.net\n"
              "X-Amz-Meta-ReviewedBy: jane@johnsmith.net\n"
              "X-Amz-Meta-FileChecksum: 0x02661779\n"
              "X-Amz-Meta-ChecksumAlgorithm: crc32\n"
              "Content-Disposition: attachment; filename=database.dat\n"
              "Content-Encoding: gzip\n"
              "Content-Length: 5913339\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:ilyl83RwaSoYIEdixDQcA4OnAnc=\n",
              S3_OK);
}

static void aws_list_buckets(void **state)
{
    (void)state;
    expect_at("20070328T012959Z", NULL,
              "GET / HTTP/1.1\n"
              "Host: s3.amazonaws.com\n"
              "Date: Wed, 28 Mar 2007 01:29:59 +0000\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:qGdzdERIC03wnaRNKh6OqZehG9s=\n",
              S3_OK);
}

/* The path counts as it was sent: the case of its escapes included. */
static void aws_unicode_keys(void **state)
{
    (void)state;
    expect_at("20070328T014949Z", NULL,
              "GET /dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re HTTP/1.1\n"
              "Host: s3.amazonaws.com\n"
              "Date: Wed, 28 Mar 2007 01:49:49 +0000\n"
              "Authorization: AWS AKIAIOSFODNN7EXAMPLE:DNEZGsoieTZ92F3bUfSPQcbGmlM=\n",
              S3_OK);
}

#define AWS_QUERY                                                                              \
    "GET /photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE"                                \
    "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620 HTTP/1.1\n"                \
    "Host: johnsmith.s3.amazonaws.com\n"

static void aws_query_string(void **state)
{
    (void)state;
    expect_at("20070328T000000Z", "johnsmith", AWS_QUERY, S3_OK);
    expect_at("20070329T034020Z", "johnsmith", AWS_QUERY, S3_OK); /* 1175139620 */
    expect_at("20070328T000000Z", "johnsmit", AWS_QUERY, S3_SIGNATURE_DOES_NOT_MATCH);
}

/* ---- botocore 1.43.11: HmacV1Auth and HmacV1QueryAuth ------------------------------ */

#define BOTO_PUT                                                                               \
    "PUT /my-bucket/a%20b?acl&partNumber=1&uploadId=x%2Fy&x-id=Foo HTTP/1.1\n"                 \
    "Host: localhost:4566\n"                                                                   \
    "x-amz-meta-B: 2\nX-Amz-Meta-a: 1\n"                                                       \
    "Content-Type: text/plain\nContent-MD5: nd12\n"                                            \
    "x-amz-security-token: session/token+=\n"                                                  \
    "Date: Mon, 06 May 2024 07:08:09 GMT\n"                                                    \
    "Authorization: AWS AKIAIOSFODNN7EXAMPLE:vYsh5R0B4PB0dAkEcTgwCH5h8aw=\n"

static void botocore_header(void **state)
{
    (void)state;
    expect_at("20240506T070809Z", NULL, BOTO_PUT, S3_OK);
    expect_at("20240506T070809Z", NULL, BOTO_PUT "x-amz-meta-c: 3\n",
              S3_SIGNATURE_DOES_NOT_MATCH);
}

#define BOTO_QUERY                                                                             \
    "PUT /my-bucket/a%20b?response-content-type=text%2Fplain"                                  \
    "&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=h7NdGh3HwJv30qDRe2BqEFa%2Bxq4%3D"          \
    "&x-amz-meta-b=2%203&content-type=text%2Fplain"                                            \
    "&x-amz-security-token=session%2Ftoken%2B%3D&Expires=1714979889 HTTP/1.1\n"                \
    "Host: localhost:4566\n"

static void botocore_query(void **state)
{
    (void)state;
    expect_at("20240506T070809Z", NULL, BOTO_QUERY, S3_OK);
    expect_at("20240506T070809Z", NULL, BOTO_QUERY "x-amz-meta-b: 2 3\n", S3_OK);
    expect_at("20240506T070809Z", NULL, BOTO_QUERY "x-amz-meta-b: 4\n",
              S3_SIGNATURE_DOES_NOT_MATCH);
    expect_at("20240506T070809Z", NULL, BOTO_QUERY "Content-Type: text/html\n",
              S3_SIGNATURE_DOES_NOT_MATCH);
}

static void a_demanded_token_must_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *text, *token;
        enum s3_err expected;
    } cases[] = {
        {BOTO_QUERY, "session/token+=", S3_OK},    {BOTO_PUT, "session/token+=", S3_OK},
        {BOTO_QUERY, "session", S3_INVALID_TOKEN}, {BOTO_PUT, "session", S3_INVALID_TOKEN},
        {AWS_QUERY, "session", S3_ACCESS_DENIED}, /* expired: said before anything else */
    };
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct credentials *set = one_credential(cases[i].token);
        struct auth_config config = {.credentials = set};
        struct outcome o;
        authenticate_for(&o, &config, STR_NONE, str_c(cases[i].text));
        assert_int_equal(o.err, cases[i].expected);
        outcome_release(&o);
        credentials_unref(set);
    }
}

/* ---- what clients do differently --------------------------------------------------- */

/* Signs a string as a client does and puts the result behind the text of a request. */
static void expect_signed(const char *bucket, const char *head, const char *string_to_sign)
{
    uint8_t mac[20];
    hmac_sha1(STR(EXAMPLE_SECRET), str_c(string_to_sign), mac);
    AUTO_BUF(text, KiB(64));
    buf_addf(&text, "%sAuthorization: AWS %s:", head, EXAMPLE_KEY);
    buf_add_base64(&text, str_of((const char *)mac, sizeof(mac)));
    buf_add_c(&text, "\n");
    buf_add_char(&text, '\0');
    expect_at("20240506T070809Z", bucket, text.ptr, S3_OK);
}

static void x_amz_date_leaves_the_date_line_empty(void **state)
{
    (void)state;
    expect_signed(NULL,
                  "GET /b/k HTTP/1.1\nHost: h\nDate: garbage\n"
                  "x-amz-date: Mon, 06 May 2024 07:08:09 +0000\n",
                  "GET\n\n\n\nx-amz-date:Mon, 06 May 2024 07:08:09 +0000\n/b/k");
}

static void an_empty_sub_resource_may_be_signed_bare(void **state)
{
    (void)state;
    const char *head = "GET /b?acl=&prefix=x HTTP/1.1\nHost: h\n"
                       "x-amz-date: Mon, 06 May 2024 07:08:09 GMT\n";
    const char *start = "GET\n\n\n\nx-amz-date:Mon, 06 May 2024 07:08:09 GMT\n/b?acl";
    expect_signed(NULL, head, start);
    AUTO_BUF(with_equals, KiB(4));
    buf_add_c(&with_equals, start);
    buf_add(&with_equals, STR("=\0"));
    expect_signed(NULL, head, with_equals.ptr);
}

/* botocore sends "/b" and signs "/b/"; other clients sign what they send. */
static void a_bucket_may_be_signed_with_a_slash(void **state)
{
    (void)state;
    const char *head = "GET /b?prefix=x HTTP/1.1\nHost: h\n"
                       "Date: Mon, 06 May 2024 07:08:09 GMT\n";
    expect_signed(NULL, head, "GET\n\n\nMon, 06 May 2024 07:08:09 GMT\n/b/");
    expect_signed(NULL, head, "GET\n\n\nMon, 06 May 2024 07:08:09 GMT\n/b");
    expect_signed(NULL, "GET /b?acl= HTTP/1.1\nHost: h\nDate: Mon, 06 May 2024 07:08:09 GMT\n",
                  "GET\n\n\nMon, 06 May 2024 07:08:09 GMT\n/b/?acl");
}

static void many_headers_are_sorted(void **state)
{
    (void)state;
    AUTO_BUF(head, KiB(64));
    AUTO_BUF(expected, KiB(64));
    buf_add_c(&head, "GET /b/k HTTP/1.1\nHost: h\nDate: Mon, 06 May 2024 07:08:09 GMT\n");
    buf_add_c(&expected, "GET\n\n\nMon, 06 May 2024 07:08:09 GMT\n");
    for (int i = 59; i >= 0; i--)
        buf_addf(&head, "X-Amz-Meta-%02d: %d\n", i, i);
    for (int i = 0; i < 60; i++)
        buf_addf(&expected, "x-amz-meta-%02d:%d\n", i, i);
    buf_add_c(&expected, "/b/k");
    buf_add_char(&head, '\0');
    buf_add_char(&expected, '\0');
    expect_signed(NULL, head.ptr, expected.ptr);
}

/* ---- refusals ---------------------------------------------------------------------- */

#define WITH(authorization)                                                                    \
    "GET /b HTTP/1.1\nHost: h\nDate: Mon, 06 May 2024 07:08:09 "                               \
    "GMT\nAuthorization: " authorization "\n"

static void malformed_headers(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    const char *expected =
        "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature";
    expect_failure(WITH("AWS nonsense"), S3_INVALID_ARGUMENT, expected);
    expect_failure(WITH("AWS :sig"), S3_INVALID_ARGUMENT, expected);
    expect_failure(WITH("AWS a b:c"), S3_INVALID_ARGUMENT,
                   "Authorization header is invalid -- one and only one ' ' (space) required.");
    expect_failure(WITH("AWS WHO:sig"), S3_INVALID_ACCESS_KEY_ID,
                   "The AWS Access Key Id you provided does not exist in our records.");
}

static void a_wrong_signature_is_explained(void **state)
{
    (void)state;
    struct outcome o;
    freeze("20240506T070809Z");
    authenticate(&o, WITH("AWS " EXAMPLE_KEY ":sig"));
    assert_failed(&o, S3_SIGNATURE_DOES_NOT_MATCH, MISMATCH);
    assert_int_equal(o.failure.field_count, 4); /* no canonical request */
    assert_str(failure_field_of(&o.failure, "AWSAccessKeyId"), EXAMPLE_KEY);
    assert_str(failure_field_of(&o.failure, "SignatureProvided"), "sig");
    assert_str(failure_field_of(&o.failure, "StringToSign"),
               "GET\n\n\nMon, 06 May 2024 07:08:09 GMT\n/b/");
    assert_true(str_has_prefix(failure_field_of(&o.failure, "StringToSignBytes"),
                               STR("47 45 54 0a 0a 0a 4d")));
    outcome_release(&o);
}

static void the_clock_may_be_15_minutes_off(void **state)
{
    (void)state;
    expect_at("20240506T072309Z", NULL, BOTO_PUT, S3_OK);
    expect_at("20240506T072310Z", NULL, BOTO_PUT, S3_REQUEST_TIME_TOO_SKEWED);
    expect_at("20240506T065308Z", NULL, BOTO_PUT, S3_REQUEST_TIME_TOO_SKEWED);
    const char *message = "AWS authentication requires a valid Date or x-amz-date header";
    freeze("20240506T070809Z");
    expect_failure("GET / HTTP/1.1\nHost: h\nAuthorization: AWS " EXAMPLE_KEY ":s\n",
                   S3_ACCESS_DENIED, message);
    expect_failure("GET / HTTP/1.1\nHost: h\nDate: x\nAuthorization: AWS " EXAMPLE_KEY ":s\n",
                   S3_ACCESS_DENIED, message);
}

#define QUERY(query) "GET /b/k?" query " HTTP/1.1\nHost: h\n"
#define INCOMPLETE                                                                             \
    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId "          \
    "parameters"

static void malformed_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        /* aws-recorded: test_s3_put_presigned_url_missing_sig_param[s3] */
        {QUERY("AWSAccessKeyId=a&Expires=99"), INCOMPLETE},
        {QUERY("AWSAccessKeyId=a&Signature=b"), INCOMPLETE},
        {QUERY("Signature=a&Expires=99"), INCOMPLETE},
        {QUERY("AWSAccessKeyId=a&Expires=99&Signature="), INCOMPLETE},
        {QUERY("AWSAccessKeyId=a&Expires=soon&Signature=b"),
         "Invalid date (should be seconds since epoch): soon"},
        {QUERY("AWSAccessKeyId=a&Expires=-5&Signature=b"),
         "Invalid date (should be seconds since epoch): -5"},
        {QUERY("AWSAccessKeyId=a&Expires=99&Signature=b"), "Request has expired"},
    };
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome o;
        authenticate(&o, cases[i].text);
        assert_failed(&o, S3_ACCESS_DENIED, cases[i].message);
        outcome_release(&o);
        authenticate_open(&o, cases[i].text);
        assert_failed(&o, S3_ACCESS_DENIED, cases[i].message);
        outcome_release(&o);
    }
}

static void urls_expire(void **state)
{
    (void)state;
    struct outcome o;
    freeze("20240506T071810Z");
    authenticate(&o, BOTO_QUERY);
    assert_failed(&o, S3_ACCESS_DENIED, "Request has expired");
    assert_int_equal(o.failure.field_count, 2);
    assert_str(failure_field_of(&o.failure, "Expires"), "2024-05-06T07:18:09Z");
    assert_str(failure_field_of(&o.failure, "ServerTime"), "2024-05-06T07:18:10Z");
    outcome_release(&o);
    /* Any time to come will do, however far. */
    freeze("20240506T070809Z");
    authenticate_open(&o, QUERY("AWSAccessKeyId=a&Expires=99999999999999&Signature=b"));
    assert_ok(&o);
    assert_int_equal(o.result.kind, AUTH_V2_QUERY);
    outcome_release(&o);
}

static void no_mutated_header_is_accepted(void **state)
{
    (void)state;
    const char *value = "AWS AKIAIOSFODNN7EXAMPLE:vYsh5R0B4PB0dAkEcTgwCH5h8aw=";
    size_t first = (size_t)(strstr(BOTO_PUT, value) - BOTO_PUT), len = strlen(value);
    freeze("20240506T070809Z");
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char text[1024];
            snprintf(text, sizeof(text), "%s", BOTO_PUT);
            text[first + i] = (char)(text[first + i] ^ (1 << bit));
            if (!text[first + i])
                continue;
            struct outcome o;
            authenticate(&o, text);
            assert_int_not_equal(o.err, S3_OK);
            outcome_release(&o);
        }
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, unfreeze)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(aws_object_get),
        TEST(aws_object_put),
        TEST(aws_list),
        TEST(aws_fetch_acl),
        TEST(aws_upload),
        TEST(aws_list_buckets),
        TEST(aws_unicode_keys),
        TEST(aws_query_string),
        TEST(botocore_header),
        TEST(botocore_query),
        TEST(a_demanded_token_must_be_sent),
        TEST(x_amz_date_leaves_the_date_line_empty),
        TEST(an_empty_sub_resource_may_be_signed_bare),
        TEST(a_bucket_may_be_signed_with_a_slash),
        TEST(many_headers_are_sorted),
        TEST(malformed_headers),
        TEST(a_wrong_signature_is_explained),
        TEST(the_clock_may_be_15_minutes_off),
        TEST(malformed_urls),
        TEST(urls_expire),
        TEST(no_mutated_header_is_accepted),
    };
    return cmocka_run_group_tests_name("auth_sigv2", tests, NULL, NULL);
}
