/* SPDX-License-Identifier: MIT */
/* auth_sigv4_test.c - SigV4 in the Authorization header: published vectors, vectors of
 * botocore, every refusal, and mutations of a valid header. */
#include "auth_support.h"

#define GET_HEAD                                                                               \
    "GET /test.txt HTTP/1.1\n"                                                                 \
    "Host: examplebucket.s3.amazonaws.com\n"
#define GET_AUTHORIZATION                                                                      \
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"     \
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"                                \
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define GET_HEADERS                                                                            \
    "Range: bytes=0-9\n"                                                                       \
    "x-amz-content-sha256: " EMPTY_SHA256 "\n"                                                 \
    "x-amz-date: 20130524T000000Z\n"

static int freeze_2013(void **state)
{
    (void)state;
    freeze("20130524T000000Z");
    return 0;
}

static int unfreeze(void **state)
{
    (void)state;
    clock_unfreeze();
    return 0;
}

/* ---- AWS: "Examples: Signature Calculations in AWS Signature Version 4" ------------ */

static void aws_get_object(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET_HEAD "Authorization: " GET_AUTHORIZATION "\n" GET_HEADERS);
    assert_ok(&o);
    assert_int_equal(o.result.kind, AUTH_V4_HEADER);
    assert_int_equal(o.result.payload, PAYLOAD_SIGNED_HASH);
    assert_string_equal(o.result.access_key, EXAMPLE_KEY);
    assert_false(o.result.verify_chunks);
    assert_int_equal(o.result.payload_sha256[0], 0xe3);
    outcome_release(&o);
}

static void aws_put_object(void **state)
{
    (void)state;
    expect_ok("PUT /test$file.text HTTP/1.1\n"
              "Host: examplebucket.s3.amazonaws.com\n"
              "Date: Fri, 24 May 2013 00:00:00 GMT\n"
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
              "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd\n"
              "x-amz-date: 20130524T000000Z\n"
              "x-amz-storage-class: REDUCED_REDUNDANCY\n"
              "x-amz-content-sha256: "
              "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n");
}

static void aws_get_bucket_lifecycle(void **state)
{
    (void)state;
    expect_ok("GET /?lifecycle HTTP/1.1\n"
              "Host: examplebucket.s3.amazonaws.com\n"
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
              "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\n"
              "x-amz-date: 20130524T000000Z\n"
              "x-amz-content-sha256: " EMPTY_SHA256 "\n");
}

static void aws_list_objects(void **state)
{
    (void)state;
    expect_ok("GET /?max-keys=2&prefix=J HTTP/1.1\n"
              "Host: examplebucket.s3.amazonaws.com\n"
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
              "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\n"
              "x-amz-date: 20130524T000000Z\n"
              "x-amz-content-sha256: " EMPTY_SHA256 "\n");
}

/* ---- botocore 1.43.11: S3SigV4Auth(credentials, "s3", region).add_auth(AWSRequest(...)) with
 * the clock at 2024-05-06T07:08:09Z
 * ------------------------------------------------------------------ */

#define BOTO_PUT                                                                               \
    "PUT /my-bucket/dossier/%C3%A9t%C3%A9%20%281%29%2B~a//b.txt"                               \
    "?tagging&x-id=PutObject&versionId=a%2Fb%20c HTTP/1.1\r\n"                                 \
    "Host: localhost:4566\r\n"                                                                 \
    "x-amz-meta-note:   two   words \r\n"                                                      \
    "Content-Type: text/plain\r\n"                                                             \
    "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"                                                \
    "X-Amz-Date: 20240506T070809Z\r\n"                                                         \
    "X-Amz-Security-Token: session/token+=\r\n"                                                \
    "X-Amz-Content-SHA256: "                                                                   \
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\r\n"                     \
    "Authorization: AWS4-HMAC-SHA256 "                                                         \
    "Credential=AKIAIOSFODNN7EXAMPLE/20240506/eu-west-1/s3/aws4_request, "                     \
    "SignedHeaders=content-md5;content-type;host;x-amz-content-sha256;x-amz-date;"             \
    "x-amz-meta-note;x-amz-security-token, "                                                   \
    "Signature=fd74bd56ea5c17a6cb8d7b9b966471edd80f0a307a9c7e9c59ded46834ae531e\r\n\r\n"

/* The token that a credential demands; expected: the outcome. */
static void try_token(const char *token, enum s3_err expected)
{
    struct credentials *set = one_credential(token);
    struct auth_config config = {.credentials = set, .region = STR("eu-west-1")};
    struct outcome o;
    authenticate_for(&o, &config, STR_NONE, str_c(BOTO_PUT));
    assert_int_equal(o.err, expected);
    if (expected == S3_INVALID_TOKEN)
        assert_str(failure_field_of(&o.failure, "Token-0"), "session/token+=");
    outcome_release(&o);
    credentials_unref(set);
}

static void botocore_put_with_token(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    try_token(NULL, S3_OK); /* none is demanded: any will do */
    try_token("session/token+=", S3_OK);
    try_token("session/token+", S3_INVALID_TOKEN);
    try_token("another", S3_INVALID_TOKEN);
}

static void a_demanded_token_must_be_sent(void **state)
{
    (void)state;
    struct credentials *set = one_credential("session");
    struct auth_config config = {.credentials = set, .region = STR("us-east-1")};
    struct outcome o;
    authenticate_for(&o, &config, STR_NONE,
                     str_c(GET_HEAD "Authorization: " GET_AUTHORIZATION "\n" GET_HEADERS));
    assert_failed(&o, S3_INVALID_TOKEN,
                  "The provided token is malformed or otherwise invalid.");
    outcome_release(&o);
    credentials_unref(set);
}

static void botocore_list(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    expect_ok("GET /my-bucket?list-type=2&prefix=a%2Fb&delimiter=%2F&encoding-type=url"
              "&max-keys=10&empty= HTTP/1.1\n"
              "Host: localhost:4566\n"
              "X-Amz-Date: 20240506T070809Z\n"
              "X-Amz-Content-SHA256: " EMPTY_SHA256 "\n"
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=AKIAIOSFODNN7EXAMPLE/20240506/us-east-1/s3/aws4_request, "
              "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
              "Signature=6b67e0112ef1d97a01a5aadae3362b6aa85fc3ea8db502f9178b268f0a34f825\n");
}

#define BOTO_TRAILER                                                                           \
    "PUT /b/k HTTP/1.1\n"                                                                      \
    "Host: 127.0.0.1:4566\n"                                                                   \
    "Content-Encoding: aws-chunked\n"                                                          \
    "X-Amz-Trailer: x-amz-checksum-crc32\n"                                                    \
    "X-Amz-Decoded-Content-Length: 5\n"                                                        \
    "X-Amz-Date: 20240506T070809Z\n"                                                           \
    "X-Amz-Content-SHA256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\n"                               \
    "Authorization: AWS4-HMAC-SHA256 "                                                         \
    "Credential=AKIAIOSFODNN7EXAMPLE/20240506/us-east-1/s3/aws4_request, "                     \
    "SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;"                     \
    "x-amz-decoded-content-length;x-amz-trailer, "                                             \
    "Signature=9fb6fff032a24ad6c7055110db59a8da3e4ef39239d63651e0d38013fe88f310\n"

static void botocore_unsigned_trailer(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    struct outcome o;
    authenticate(&o, BOTO_TRAILER);
    assert_ok(&o);
    assert_int_equal(o.result.payload, PAYLOAD_CHUNKED_UNSIGNED_TRAILER);
    assert_false(o.result.verify_chunks);
    outcome_release(&o);
}

/* ---- what is canonical ------------------------------------------------------------- */

/* The canonical request that the failure of an unsigned-for request shows. */
static void expect_canonical(const char *text, const char *canonical)
{
    struct outcome o;
    authenticate(&o, text);
    assert_int_equal(o.err, S3_SIGNATURE_DOES_NOT_MATCH);
    assert_str(failure_field_of(&o.failure, "CanonicalRequest"), canonical);
    outcome_release(&o);
}

#define ANY_AUTHORIZATION(signed_headers)                                                      \
    "Authorization: AWS4-HMAC-SHA256 "                                                         \
    "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"                      \
    "SignedHeaders=" signed_headers ",Signature=00\n"                                          \
    "x-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-date: 20130524T000000Z\n"

static void the_path_is_encoded_once_and_never_normalised(void **state)
{
    (void)state;
    expect_canonical("GET /b//../a%2fb/%7e%zz+(x)/./ HTTP/1.1\nHost: h\n" ANY_AUTHORIZATION(
                         "host;x-amz-date"),
                     "GET\n/b//../a/b/~%25zz%2B%28x%29/./\n\n"
                     "host:h\nx-amz-date:20130524T000000Z\n\n"
                     "host;x-amz-date\nUNSIGNED-PAYLOAD");
    expect_canonical(
        "GET http://h/b/k%20? HTTP/1.1\nHost: h\n" ANY_AUTHORIZATION("host;x-amz-date"),
        "GET\n/b/k%20\n\nhost:h\nx-amz-date:20130524T000000Z\n\n"
        "host;x-amz-date\nUNSIGNED-PAYLOAD");
}

static void the_query_is_sorted_by_encoded_name_and_value(void **state)
{
    (void)state;
    expect_canonical(
        "GET /b?b=2&a-b=1&a=x+y&&b=1&a=%2f&c&%61=%41 HTTP/1.1\nHost: h\n" ANY_AUTHORIZATION(
            "host;x-amz-date"),
        "GET\n/b\na=%2F&a=A&a=x%20y&a-b=1&b=1&b=2&c=\n"
        "host:h\nx-amz-date:20130524T000000Z\n\n"
        "host;x-amz-date\nUNSIGNED-PAYLOAD");
}

static void many_query_parameters_are_sorted_too(void **state)
{
    (void)state;
    AUTO_BUF(text, KiB(64));
    AUTO_BUF(expected, KiB(64));
    buf_add_c(&text, "GET /b?");
    buf_add_c(&expected, "GET\n/b\n");
    for (int i = 99; i >= 0; i--)
        buf_addf(&text, "p%02d=%d&", i, i);
    for (int i = 0; i < 100; i++)
        buf_addf(&expected, "%sp%02d=%d", i ? "&" : "", i, i);
    buf_add_c(&text, " HTTP/1.1\nHost: h\n" ANY_AUTHORIZATION("host;x-amz-date"));
    buf_add_char(&text, '\0');
    buf_add_c(&expected, "\nhost:h\nx-amz-date:20130524T000000Z\n\n"
                         "host;x-amz-date\nUNSIGNED-PAYLOAD");
    buf_add_char(&expected, '\0');
    expect_canonical(text.ptr, expected.ptr);
}

static void headers_are_trimmed_collapsed_and_joined(void **state)
{
    (void)state;
    expect_canonical(
        "GET /b HTTP/1.1\nHost: h\nX-Amz-Meta-A:  1  \t 2 \nx-amz-meta-a: 3\n"
        "X-AMZ-META-A:\n" ANY_AUTHORIZATION("host;x-absent;x-amz-date;x-amz-meta-a"),
        "GET\n/b\n\nhost:h\nx-absent:\nx-amz-date:20130524T000000Z\n"
        "x-amz-meta-a:1 2,3,\n\n"
        "host;x-absent;x-amz-date;x-amz-meta-a\nUNSIGNED-PAYLOAD");
}

/* ---- refusals ---------------------------------------------------------------------- */

static void a_wrong_signature_is_explained(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET_HEAD
                 "Authorization: AWS4-HMAC-SHA256 "
                 "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                 "SignedHeaders=host;x-amz-date,Signature=beef\n"
                 "x-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-date: 20130524T000000Z\n");
    assert_failed(&o, S3_SIGNATURE_DOES_NOT_MATCH,
                  "The request signature we calculated does not match the signature you "
                  "provided. Check your key and signing method.");
    const struct auth_failure *f = &o.failure;
    static const char *const order[] = {"AWSAccessKeyId",    "StringToSign",
                                        "SignatureProvided", "StringToSignBytes",
                                        "CanonicalRequest",  "CanonicalRequestBytes"};
    assert_int_equal(f->field_count, ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_str(f->fields[i].name, order[i]);
    assert_str(failure_field_of(f, "AWSAccessKeyId"), EXAMPLE_KEY);
    assert_str(failure_field_of(f, "SignatureProvided"), "beef");
    const char *canonical = "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\n"
                            "x-amz-date:20130524T000000Z\n\nhost;x-amz-date\nUNSIGNED-PAYLOAD";
    assert_str(failure_field_of(f, "CanonicalRequest"), canonical);
    uint8_t hash[SHA256_SIZE];
    sha256_once(str_c(canonical), hash);
    AUTO_BUF(expected, KiB(4));
    buf_add_c(&expected,
              "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n");
    buf_add_hex(&expected, str_of((const char *)hash, sizeof(hash)));
    buf_add_char(&expected, '\0');
    assert_str(failure_field_of(f, "StringToSign"), expected.ptr);
    assert_true(str_has_prefix(failure_field_of(f, "StringToSignBytes"),
                               STR("41 57 53 34 2d 48 4d 41 43")));
    assert_true(str_has_prefix(failure_field_of(f, "CanonicalRequestBytes"),
                               STR("47 45 54 0a 2f 74 65 73 74 2e 74 78 74 0a 0a")));
    outcome_release(&o);
}

#define WITH(authorization)                                                                    \
    "GET /b HTTP/1.1\nHost: h\nAuthorization: " authorization "\n"                             \
    "x-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-date: 20130524T000000Z\n"
#define V4(credential)                                                                         \
    "AWS4-HMAC-SHA256 Credential=" credential ",SignedHeaders=host;x-amz-date,Signature=00"
#define MALFORMED "The authorization header is malformed; "
#define THREE_COMPONENTS                                                                       \
    MALFORMED "the authorization header requires three components: Credential, "               \
              "SignedHeaders, and Signature."

static void malformed_headers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum s3_err err;
        const char *message;
    } cases[] = {
        {WITH("AWS4-HMAC-SHA256"), S3_INVALID_ARGUMENT,
         "Authorization header is invalid -- one and only one ' ' (space) required."},
        {WITH(""), S3_INVALID_ARGUMENT,
         "Authorization header is invalid -- one and only one ' ' (space) required."},
        {WITH("Bearer abc"), S3_INVALID_ARGUMENT, "Unsupported Authorization Type"},
        {WITH("AWS4-HMAC-SHA512 x"), S3_INVALID_ARGUMENT, "Unsupported Authorization Type"},
        {WITH("AWS4-HMAC-SHA256 x"), S3_AUTHORIZATION_HEADER_MALFORMED, THREE_COMPONENTS},
        {WITH("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b"),
         S3_AUTHORIZATION_HEADER_MALFORMED, THREE_COMPONENTS},
        {WITH("AWS4-HMAC-SHA256 Credential=a,Credential=a,Signature=b,SignedHeaders=c"),
         S3_AUTHORIZATION_HEADER_MALFORMED, THREE_COMPONENTS},
        {WITH("AWS4-HMAC-SHA256 Credential=a,Credential=a,Signature=b"),
         S3_AUTHORIZATION_HEADER_MALFORMED, MALFORMED "missing SignedHeaders."},
        {WITH("AWS4-HMAC-SHA256 credential=a,SignedHeaders=b,Signature=c"),
         S3_AUTHORIZATION_HEADER_MALFORMED, MALFORMED "missing Credential."},
        {WITH("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Sig=c"),
         S3_AUTHORIZATION_HEADER_MALFORMED, MALFORMED "missing Signature."},
        {WITH("AWS4-HMAC-SHA256 Credential=a, SignedHeaders, Signature=c"),
         S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "the authorization component \"SignedHeaders\" is malformed."},
        {WITH("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c=d"),
         S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "the authorization component \"Signature=c=d\" is malformed."},
        {WITH("AWS4-HMAC-SHA256 Credential=a,,Signature=c"), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "the authorization component \"\" is malformed."},
        {WITH("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c,Other=d"),
         S3_AUTHORIZATION_HEADER_MALFORMED, THREE_COMPONENTS},
        {WITH(V4("AKID/20130524/us-east-1/s3")), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "the Credential is mal-formed; expecting "
                   "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."},
        {WITH(V4("/20130524/us-east-1/s3/aws4_request")), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "the Credential is mal-formed; expecting "
                   "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."},
        {WITH(V4("AKID/2013052/us-east-1/s3/aws4_request")), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "incorrect date format \"2013052\". This date in the credential must be in "
                   "the format \"yyyyMMdd\"."},
        {WITH(V4("AKID/20131324/us-east-1/s3/aws4_request")), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "incorrect date format \"20131324\". This date in the credential must be in "
                   "the format \"yyyyMMdd\"."},
        {WITH(V4("AKID/20130524/us-east-1/ec2/aws4_request")),
         S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "incorrect service \"ec2\". This endpoint belongs to \"s3\"."},
        {WITH(V4("AKID/20130524/us-east-1/s3/aws5_request")), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "incorrect terminal \"aws5_request\". This endpoint uses \"aws4_request\"."},
        {WITH(V4("AKID/20130525/us-east-1/s3/aws4_request")), S3_AUTHORIZATION_HEADER_MALFORMED,
         MALFORMED "Invalid credential date. Date is not the same as X-Amz-Date."},
        {WITH(V4("AKID/20130524/us-east-1/s3/aws4_request")), S3_INVALID_ACCESS_KEY_ID,
         "The AWS Access Key Id you provided does not exist in our records."},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_failure(cases[i].text, cases[i].err, cases[i].message);
}

static void a_wrong_region_names_ours(void **state)
{
    (void)state;
    struct outcome o;
    /* aws-recorded: test_create_bucket_aws_global */
    authenticate(&o, WITH(V4(EXAMPLE_KEY "/20130524/aws-global/s3/aws4_request")));
    assert_failed(&o, S3_AUTHORIZATION_HEADER_MALFORMED,
                  MALFORMED "the region 'aws-global' is wrong; expecting 'us-east-1'");
    assert_str(failure_field_of(&o.failure, "Region"), "us-east-1");
    outcome_release(&o);
}

static void any_region_will_do_when_none_is_configured(void **state)
{
    (void)state;
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {.credentials = set, .region = STR("")};
    struct outcome o;
    authenticate_for(&o, &config, STR_NONE,
                     str_c(GET_HEAD "Authorization: " GET_AUTHORIZATION "\n" GET_HEADERS));
    assert_ok(&o);
    assert_ptr_equal(o.result.credential, credentials_at(set, 0));
    outcome_release(&o);
    credentials_unref(set);
}

static void an_over_long_region_is_malformed(void **state)
{
    (void)state;
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {.credentials = set, .region = STR("")};
    AUTO_BUF(text, KiB(8));
    buf_add_c(
        &text,
        "GET /b HTTP/1.1\nHost: h\nAuthorization: AWS4-HMAC-SHA256 Credential=" EXAMPLE_KEY
        "/20130524/");
    for (int i = 0; i < 400; i++)
        buf_add_char(&text, 'r');
    buf_add_c(&text, "/s3/aws4_request,SignedHeaders=host;x-amz-date,Signature=00\n"
                     "x-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-date: 20130524T000000Z\n");
    struct outcome o;
    authenticate_for(&o, &config, STR_NONE, buf_str(&text));
    assert_int_equal(o.err, S3_AUTHORIZATION_HEADER_MALFORMED);
    outcome_release(&o);
    credentials_unref(set);
}

static void an_unknown_key_is_named(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, WITH(V4("who/ever/20130524/us-east-1/s3/aws4_request")));
    assert_int_equal(o.err, S3_INVALID_ACCESS_KEY_ID);
    assert_str(failure_field_of(&o.failure, "AWSAccessKeyId"), "who/ever");
    assert_string_equal(o.result.access_key, "who/ever");
    assert_null(o.result.credential);
    outcome_release(&o);
}

#define UNDATED(headers)                                                                       \
    "GET /b HTTP/1.1\nHost: h\nAuthorization: " V4(                                            \
        EXAMPLE_KEY "/20130524/us-east-1/s3/aws4_request") "\n"                                \
                                                           "x-amz-content-sha256: "            \
                                                           "UNSIGNED-PAYLOAD\n" headers

static void a_date_is_needed(void **state)
{
    (void)state;
    const char *message = "AWS authentication requires a valid Date or x-amz-date header";
    expect_failure(UNDATED(""), S3_ACCESS_DENIED, message);
    expect_failure(UNDATED("Date: yesterday\n"), S3_ACCESS_DENIED, message);
    expect_failure(UNDATED("x-amz-date: 2013-05-24\n"), S3_ACCESS_DENIED, message);
    expect_failure(UNDATED("x-amz-date:\nDate: Fri, 24 May 2013 00:00:00 GMT\n"),
                   S3_ACCESS_DENIED, message);
}

/* The string to sign has the time of a Date header in the ISO form. */
static void a_date_header_alone_will_do(void **state)
{
    (void)state;
    static const char *const dates[] = {"Fri, 24 May 2013 00:00:00 GMT",
                                        "Fri, 24 May 2013 00:00:00 +0000", "20130524T000000Z"};
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        AUTO_BUF(text, KiB(4));
        buf_addf(&text, "%sDate: %s\n", UNDATED(""), dates[i]);
        struct outcome o;
        struct credentials *set = one_credential(NULL);
        struct auth_config config = {.credentials = set, .region = STR("us-east-1")};
        authenticate_for(&o, &config, STR_NONE, buf_str(&text));
        assert_int_equal(o.err, S3_SIGNATURE_DOES_NOT_MATCH);
        assert_true(str_has_prefix(failure_field_of(&o.failure, "StringToSign"),
                                   STR("AWS4-HMAC-SHA256\n20130524T000000Z\n")));
        outcome_release(&o);
        credentials_unref(set);
    }
}

/* The AWS example with the clock elsewhere. */
static void try_skew(const char *now, enum s3_err expected)
{
    freeze(now);
    struct outcome o;
    authenticate(&o, GET_HEAD "Authorization: " GET_AUTHORIZATION "\n" GET_HEADERS);
    assert_int_equal(o.err, expected);
    outcome_release(&o);
}

static void the_clock_may_be_15_minutes_off(void **state)
{
    (void)state;
    try_skew("20130524T001500Z", S3_OK);
    try_skew("20130523T234500Z", S3_OK);
    try_skew("20130523T234459Z", S3_REQUEST_TIME_TOO_SKEWED);
    try_skew("20130524T001501Z", S3_REQUEST_TIME_TOO_SKEWED);
    struct outcome o;
    authenticate(&o, GET_HEAD "Authorization: " GET_AUTHORIZATION "\n" GET_HEADERS);
    assert_failed(&o, S3_REQUEST_TIME_TOO_SKEWED,
                  "The difference between the request time and the current time is too large.");
    assert_int_equal(o.failure.field_count, 3);
    assert_str(failure_field_of(&o.failure, "RequestTime"), "20130524T000000Z");
    assert_str(failure_field_of(&o.failure, "ServerTime"), "2013-05-24T00:15:01Z");
    assert_str(failure_field_of(&o.failure, "MaxAllowedSkewMilliseconds"), "900000");
    outcome_release(&o);
}

static void host_and_amz_headers_must_be_signed(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o,
                 GET_HEAD "Authorization: AWS4-HMAC-SHA256 "
                          "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                          "SignedHeaders=range,Signature=00\n" GET_HEADERS "X-Amz-Meta-A: 1\n");
    assert_failed(&o, S3_ACCESS_DENIED,
                  "There were headers present in the request which were not signed");
    assert_str(failure_field_of(&o.failure, "HeadersNotSigned"),
               "host, x-amz-date, x-amz-meta-a");
    outcome_release(&o);
    /* A valid signature does not cover a header that was added afterwards. */
    expect_failure(GET_HEAD "Authorization: " GET_AUTHORIZATION "\n" GET_HEADERS
                            "x-amz-copy-source: b/k\n",
                   S3_ACCESS_DENIED,
                   "There were headers present in the request which were not signed");
}

static void the_payload_hash_is_needed(void **state)
{
    (void)state;
    expect_failure("GET /b HTTP/1.1\nHost: h\nx-amz-date: 20130524T000000Z\nAuthorization: " V4(
                       EXAMPLE_KEY "/20130524/us-east-1/s3/aws4_request") "\n",
                   S3_INVALID_REQUEST,
                   "Missing required header for this request: x-amz-content-sha256");
}

#define HASHED(value) "PUT /b/k HTTP/1.1\nHost: h\nx-amz-content-sha256: " value "\n"

static void payload_modes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum payload_mode mode;
    } cases[] = {
        {"PUT /b/k HTTP/1.1\nHost: h\n", PAYLOAD_PLAIN},
        {HASHED(EMPTY_SHA256), PAYLOAD_SIGNED_HASH},
        {HASHED("UNSIGNED-PAYLOAD"), PAYLOAD_UNSIGNED},
        {HASHED("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), PAYLOAD_CHUNKED_SIGNED},
        {HASHED("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), PAYLOAD_CHUNKED_SIGNED_TRAILER},
        {HASHED("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), PAYLOAD_CHUNKED_UNSIGNED_TRAILER},
        {"PUT /b/k HTTP/1.1\nHost: h\nContent-Encoding: gzip, AWS-Chunked\n"
         "x-amz-decoded-content-length: 5\n",
         PAYLOAD_CHUNKED_UNSIGNED_TRAILER},
        {"PUT /b/k HTTP/1.1\nHost: h\nContent-Encoding: aws-chunked\n", PAYLOAD_PLAIN},
        {"PUT /b/k HTTP/1.1\nHost: h\nx-amz-decoded-content-length: 5\n", PAYLOAD_PLAIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome o;
        authenticate(&o, cases[i].text); /* anonymous: the mode is found all the same */
        assert_ok(&o);
        assert_int_equal(o.result.kind, AUTH_ANONYMOUS);
        assert_int_equal(o.result.payload, cases[i].mode);
        assert_false(o.result.verify_chunks);
        outcome_release(&o);
    }
}

static void invalid_payload_hashes(void **state)
{
    (void)state;
    static const char *const texts[] = {HASHED("sha256"), HASHED(""), HASHED("e3b0"),
                                        HASHED("STREAMING-AWS4-HMAC-SHA256-EVENTS")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct outcome o;
        authenticate(&o, texts[i]);
        assert_failed(&o, S3_INVALID_ARGUMENT,
                      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                      "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
                      "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, "
                      "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 "
                      "value.");
        assert_str(failure_field_of(&o.failure, "ArgumentName"), "x-amz-content-sha256");
        outcome_release(&o);
    }
    expect_failure(HASHED("UNSIGNED-PAYLOAD") "Content-Encoding: aws-chunked\n",
                   S3_INVALID_ARGUMENT,
                   "aws-chunked encoding is not supported when x-amz-content-sha256 "
                   "UNSIGNED-PAYLOAD is supplied.");
}

static void sigv4a_is_not_implemented(void **state)
{
    (void)state;
    const char *message = "A header you provided implies functionality that is not implemented";
    expect_failure(WITH("AWS4-ECDSA-P256-SHA256 Credential=a/20130524/s3/aws4_request, "
                        "SignedHeaders=host, Signature=00"),
                   S3_NOT_IMPLEMENTED, message);
    expect_failure(HASHED("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"),
                   S3_NOT_IMPLEMENTED, message);
    expect_failure("GET /b?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256 HTTP/1.1\nHost: h\n",
                   S3_NOT_IMPLEMENTED, message);
}

static void only_one_mechanism(void **state)
{
    (void)state;
    const char *message =
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
        "query string parameter or the Authorization header should be specified";
    expect_failure("GET /b?X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\nHost: h\n"
                   "Authorization: " GET_AUTHORIZATION "\n",
                   S3_INVALID_ARGUMENT, message);
    expect_failure("GET /b?Signature=x HTTP/1.1\nHost: h\nAuthorization: AWS a:b\n",
                   S3_INVALID_ARGUMENT, message);
    expect_failure("GET /b?Signature=x&X-Amz-Algorithm=y HTTP/1.1\nHost: h\n",
                   S3_INVALID_ARGUMENT, message);
    expect_failure("GET /b HTTP/1.1\nHost: h\nAuthorization: " GET_AUTHORIZATION
                   "\nAuthorization: " GET_AUTHORIZATION "\n",
                   S3_INVALID_ARGUMENT, message);
}

/* ---- without credentials ----------------------------------------------------------- */

static void anything_goes_without_credentials(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum auth_kind kind;
        const char *access_key;
    } cases[] = {
        {WITH(V4("any/one/20130524/mars/s3/aws4_request")), AUTH_V4_HEADER, "any/one"},
        {WITH(V4("worker-3")), AUTH_V4_HEADER, "worker-3"},
        {WITH(V4("worker-3/x")), AUTH_V4_HEADER, "worker-3"},
        {WITH("AWS4-HMAC-SHA256 nonsense"), AUTH_V4_HEADER, ""},
        {WITH("AWS key:signature"), AUTH_V2_HEADER, "key"},
        {WITH("AWS nonsense"), AUTH_V2_HEADER, ""},
        {WITH("Bearer abc"), AUTH_ANONYMOUS, ""},
        {"GET /b HTTP/1.1\nHost: h\n", AUTH_ANONYMOUS, ""},
        {"POST /b HTTP/1.1\nHost: h\nContent-Type: multipart/form-data; boundary=x\n",
         AUTH_POST_FORM, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome o;
        authenticate_open(&o, cases[i].text);
        assert_ok(&o);
        assert_int_equal(o.result.kind, cases[i].kind);
        assert_string_equal(o.result.access_key, cases[i].access_key);
        assert_null(o.result.credential);
        outcome_release(&o);
    }
}

static void a_long_access_key_is_cut(void **state)
{
    (void)state;
    AUTO_BUF(text, KiB(4));
    buf_add_c(&text, "GET /b HTTP/1.1\nHost: h\nAuthorization: AWS ");
    for (int i = 0; i < 300; i++)
        buf_add_char(&text, 'k');
    buf_add_c(&text, ":s\n");
    buf_add_char(&text, '\0');
    struct outcome o;
    authenticate_open(&o, text.ptr);
    assert_ok(&o);
    assert_int_equal(strlen(o.result.access_key), sizeof(o.result.access_key) - 1);
    outcome_release(&o);
}

/* ---- mutations --------------------------------------------------------------------- */

/* Changes every byte of the AWS example's Authorization header, one at a time: none but blanks
 * that separate, may be accepted. */
static void no_mutated_header_is_accepted(void **state)
{
    (void)state;
    const char *head = GET_HEAD "Authorization: ";
    size_t first = strlen(head), len = strlen(GET_AUTHORIZATION);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char text[1024];
            snprintf(text, sizeof(text), "%s%s\n%s", head, GET_AUTHORIZATION, GET_HEADERS);
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

/* Removing any byte is no better; blanks around the commas are free. */
static void no_shortened_header_is_accepted(void **state)
{
    (void)state;
    const char *head = GET_HEAD "Authorization: ";
    size_t len = strlen(GET_AUTHORIZATION);
    for (size_t i = 0; i < len; i++) {
        char text[1024];
        snprintf(text, sizeof(text), "%s%.*s%s\n%s", head, (int)i, GET_AUTHORIZATION,
                 &GET_AUTHORIZATION[i + 1], GET_HEADERS);
        struct outcome o;
        authenticate(&o, text);
        assert_int_not_equal(o.err, S3_OK);
        outcome_release(&o);
    }
    expect_ok(
        GET_HEAD
        "Authorization: AWS4-HMAC-SHA256  Signature="
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41 ,  "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date , "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request\n" GET_HEADERS);
}

/* A change of anything that is signed. */
static void no_mutated_request_is_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "PUT /test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n",
        "GET /test.txT HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n",
        "GET //test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n",
        "GET /./test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n",
        "GET /test.txt?acl HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n",
        "GET /test.txt HTTP/1.1\nHost: otherbucket.s3.amazonaws.com\n",
        "GET /test.txt HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\nRange: bytes=0-\n",
        "GET /test.txt HTTP/1.1\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "%sAuthorization: %s\n%s", texts[i], GET_AUTHORIZATION,
                 GET_HEADERS);
        struct outcome o;
        authenticate(&o, text);
        assert_int_equal(o.err, S3_SIGNATURE_DOES_NOT_MATCH);
        outcome_release(&o);
    }
}

static void failing_memory_is_no_acceptance(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 8; nth++) {
        struct credentials *set = one_credential(NULL);
        struct auth_config config = {.credentials = set, .region = STR("us-east-1")};
        struct outcome o;
        raw_request_parse(&o.raw, str_c(BOTO_TRAILER));
        auth_failure_init(&o.failure);
        freeze("20240506T070809Z");
        mem_fail_nth(nth);
        o.err = auth_request(&o.result, &o.failure, &config, &o.raw.req, STR_NONE);
        mem_fail_nth(0);
        assert_true(o.err == S3_OK || o.err == S3_SLOW_DOWN ||
                    o.err == S3_SIGNATURE_DOES_NOT_MATCH);
        outcome_release(&o);
        credentials_unref(set);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, freeze_2013, unfreeze)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(aws_get_object),
        TEST(aws_put_object),
        TEST(aws_get_bucket_lifecycle),
        TEST(aws_list_objects),
        TEST(botocore_put_with_token),
        TEST(a_demanded_token_must_be_sent),
        TEST(botocore_list),
        TEST(botocore_unsigned_trailer),
        TEST(the_path_is_encoded_once_and_never_normalised),
        TEST(the_query_is_sorted_by_encoded_name_and_value),
        TEST(many_query_parameters_are_sorted_too),
        TEST(headers_are_trimmed_collapsed_and_joined),
        TEST(a_wrong_signature_is_explained),
        TEST(malformed_headers),
        TEST(a_wrong_region_names_ours),
        TEST(any_region_will_do_when_none_is_configured),
        TEST(an_over_long_region_is_malformed),
        TEST(an_unknown_key_is_named),
        TEST(a_date_is_needed),
        TEST(a_date_header_alone_will_do),
        TEST(the_clock_may_be_15_minutes_off),
        TEST(host_and_amz_headers_must_be_signed),
        TEST(the_payload_hash_is_needed),
        TEST(payload_modes),
        TEST(invalid_payload_hashes),
        TEST(sigv4a_is_not_implemented),
        TEST(only_one_mechanism),
        TEST(anything_goes_without_credentials),
        TEST(a_long_access_key_is_cut),
        TEST(no_mutated_header_is_accepted),
        TEST(no_shortened_header_is_accepted),
        TEST(no_mutated_request_is_accepted),
        TEST(failing_memory_is_no_acceptance),
    };
    return cmocka_run_group_tests_name("auth_sigv4", tests, NULL, NULL);
}
