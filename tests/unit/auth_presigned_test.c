/* SPDX-License-Identifier: MIT */
/* auth_presigned_test.c - SigV4 in the query: vectors, every refusal, expiry, rewritten hosts.
 */
#include "auth/signing_key.h"
#include "auth/sigv4.h"
#include "auth_support.h"

/* AWS: "Authenticating Requests: Using Query Parameters", example. */
#define EXAMPLE_SIGNATURE "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
#define CREDENTIAL        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
#define PRESIGNED(credential, date, expires, signed_headers, signature)                        \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" credential "&X-Amz-Date=" date        \
    "&X-Amz-Expires=" expires "&X-Amz-SignedHeaders=" signed_headers                           \
    "&X-Amz-Signature=" signature
#define EXAMPLE_QUERY                                                                          \
    PRESIGNED(CREDENTIAL, "20130524T000000Z", "86400", "host", EXAMPLE_SIGNATURE)
#define GET(query) "GET /test.txt?" query " HTTP/1.1\n"
#define HOST       "Host: examplebucket.s3.amazonaws.com\n"

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

static void aws_example(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET(EXAMPLE_QUERY) HOST);
    assert_ok(&o);
    assert_int_equal(o.result.kind, AUTH_V4_QUERY);
    assert_int_equal(o.result.payload, PAYLOAD_PLAIN);
    assert_string_equal(o.result.access_key, EXAMPLE_KEY);
    outcome_release(&o);
}

/* ---- botocore 1.43.11: S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires) ---- */

#define BOTO_GET                                                                               \
    "GET /my-bucket/dossier/%C3%A9t%C3%A9%20%281%29%2B~a//b.txt"                               \
    "?response-content-type=text%2Fplain%3B%20charset%3Dutf-8"                                 \
    "&X-Amz-Algorithm=AWS4-HMAC-SHA256"                                                        \
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20240506%2Fus-east-1%2Fs3%2Faws4_request"        \
    "&X-Amz-Date=20240506T070809Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host"                 \
    "&X-Amz-Security-Token=session%2Ftoken%2B%3D"                                              \
    "&X-Amz-Signature=89a6730bcd8ba03b6a0b1f0fecc9d88cb38fe0fd3e4f34b0d7d35eea37b4962a"        \
    " HTTP/1.1\n"

static void try_token(const char *token, enum s3_err expected)
{
    struct credentials *set = one_credential(token);
    struct auth_config config = {.credentials = set, .region = STR("us-east-1")};
    struct outcome o;
    authenticate_for(&o, &config, STR_NONE, str_c(BOTO_GET "Host: localhost:4566\n"));
    assert_int_equal(o.err, expected);
    outcome_release(&o);
    credentials_unref(set);
}

static void botocore_get_with_token(void **state)
{
    (void)state;
    freeze("20240506T080809Z"); /* the last moment */
    try_token(NULL, S3_OK);
    try_token("session/token+=", S3_OK);
    try_token("other", S3_INVALID_TOKEN);
}

#define BOTO_PUT                                                                               \
    "PUT /a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256"                                              \
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20240506%2Fus-east-1%2Fs3%2Faws4_request"        \
    "&X-Amz-Date=20240506T070809Z&X-Amz-Expires=604800"                                        \
    "&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-meta-a"                                  \
    "&X-Amz-Signature=ac1c42967c5ae417e2c6279450fc17ce24f7c70d1f2426aa851942762389c791"        \
    " HTTP/1.1\nHost: my-bucket.localhost:4566\n"

static void botocore_put_with_signed_headers(void **state)
{
    (void)state;
    freeze("20240513T070809Z");
    expect_ok(BOTO_PUT "Content-Type: text/plain\nx-amz-meta-a: 1\n");
    const char *mismatch = "The request signature we calculated does not match the signature "
                           "you provided. Check your key and signing method.";
    /* aws-recorded: test_put_url_metadata_with_sig_s3v4, and content-type-exception */
    expect_failure(BOTO_PUT "Content-Type: text/plain\n", S3_SIGNATURE_DOES_NOT_MATCH,
                   mismatch);
    expect_failure(BOTO_PUT "Content-Type: text/html\nx-amz-meta-a: 1\n",
                   S3_SIGNATURE_DOES_NOT_MATCH, mismatch);
    struct outcome o;
    authenticate(&o, BOTO_PUT "Content-Type: text/plain\nx-amz-meta-a: 1\n"
                              "x-amz-meta-wrong: 2\n");
    assert_failed(&o, S3_ACCESS_DENIED,
                  "There were headers present in the request which were not signed");
    assert_str(failure_field_of(&o.failure, "HeadersNotSigned"), "x-amz-meta-wrong");
    outcome_release(&o);
}

/* ---- refusals ---------------------------------------------------------------------- */

#define ALL_SIX                                                                                \
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "   \
    "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
#define PARSING "Error parsing the X-Amz-Credential parameter; "
#define SCOPED(scope)                                                                          \
    GET(PRESIGNED("AKIAIOSFODNN7EXAMPLE%2F" scope, "20130524T000000Z", "60", "host", "00")) HOST
#define EXPIRING(expires)                                                                      \
    GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", expires, "host", "00")) HOST

static const struct {
    const char *text;
    const char *message;
} malformed[] = {
    {GET("X-Amz-Algorithm=AWS4-HMAC-SHA256") HOST, ALL_SIX},
    {GET("X-Amz-Expires=60") HOST, ALL_SIX},
    {GET("X-Amz-Signature=00") HOST, ALL_SIX},
    {GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", "60", "host", "")) HOST, ALL_SIX},
    {GET(PRESIGNED("", "20130524T000000Z", "60", "host", "00")) HOST, ALL_SIX},
    {GET(PRESIGNED(CREDENTIAL, "", "60", "host", "00")) HOST, ALL_SIX},
    {GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", "", "host", "00")) HOST, ALL_SIX},
    {GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", "60", "", "00")) HOST, ALL_SIX},
    {GET(PRESIGNED("%zz", "20130524T000000Z", "60", "host", "00")) HOST, ALL_SIX},
    {GET("X-Amz-Algorithm=HMAC&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=c"
         "&X-Amz-SignedHeaders=d&X-Amz-Signature=e") HOST,
     "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""},
    /* aws-recorded: test_presigned_double_encoded_credentials */
    {GET(PRESIGNED("AKIAIOSFODNN7EXAMPLE%252F20130524%252Fus-east-1%252Fs3%252Faws4_request",
                   "20130524T000000Z", "60", "host", "00")) HOST,
     PARSING "the Credential is mal-formed; expecting "
             "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."},
    {SCOPED("2013-05-24%2Fus-east-1%2Fs3%2Faws4_request"),
     PARSING "incorrect date format \"2013-05-24\". This date in the credential must be in the "
             "format \"yyyyMMdd\"."},
    {SCOPED("20130524%2Fus-east-1%2Fsqs%2Faws4_request"),
     PARSING "incorrect service \"sqs\". This endpoint belongs to \"s3\"."},
    {SCOPED("20130524%2Fus-east-1%2Fs3%2Faws4"),
     PARSING "incorrect terminal \"aws4\". This endpoint uses \"aws4_request\"."},
    {SCOPED("20130523%2Fus-east-1%2Fs3%2Faws4_request"),
     "Invalid credential date \"20130523\". This date is not the same as X-Amz-Date: "
     "\"20130524\"."},
    {GET(PRESIGNED(CREDENTIAL, "Fri,%2024%20May%202013", "60", "host", "00")) HOST,
     "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""},
    {EXPIRING("soon"), "X-Amz-Expires should be a number"},
    {EXPIRING("99999999999999999999"), "X-Amz-Expires should be a number"},
    {EXPIRING("1.5"), "X-Amz-Expires should be a number"},
    {EXPIRING("-1"), "X-Amz-Expires must be non-negative"},
    {EXPIRING("604801"),
     "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
     "must be less than 604800 seconds"},
};

static void malformed_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        struct outcome o;
        authenticate(&o, malformed[i].text);
        assert_failed(&o, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR, malformed[i].message);
        outcome_release(&o);
        /* Without credentials too: a URL that S3 would not understand is no URL to test with.
         */
        authenticate_open(&o, malformed[i].text);
        assert_failed(&o, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR, malformed[i].message);
        outcome_release(&o);
    }
}

static void a_wrong_region_names_ours(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, SCOPED("20130524%2Feu-west-1%2Fs3%2Faws4_request"));
    assert_failed(&o, S3_AUTHORIZATION_QUERY_PARAMETERS_ERROR,
                  PARSING "the region 'eu-west-1' is wrong; expecting 'us-east-1'");
    assert_str(failure_field_of(&o.failure, "Region"), "us-east-1");
    outcome_release(&o);
    authenticate_open(&o, SCOPED("20130524%2Feu-west-1%2Fs3%2Faws4_request"));
    assert_ok(&o);
    outcome_release(&o);
}

static void unknown_keys_are_named(void **state)
{
    (void)state;
    expect_failure(GET(PRESIGNED("WHO%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
                                 "20130524T000000Z", "60", "host", "00")) HOST,
                   S3_INVALID_ACCESS_KEY_ID,
                   "The AWS Access Key Id you provided does not exist in our records.");
}

static void the_host_must_be_signed(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", "60", "range", "00")) HOST);
    assert_int_equal(o.err, S3_ACCESS_DENIED);
    assert_str(failure_field_of(&o.failure, "HeadersNotSigned"), "host");
    outcome_release(&o);
}

/* aws-recorded: test_put_object_with_md5_and_chunk_signature_bad_headers[s3v4-True]. */
static void headers_of_a_chunked_upload_must_be_signed(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET(EXAMPLE_QUERY) HOST
                 "X-Amz-Date: 20130524T000000Z\nContent-MD5: x\n"
                 "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n"
                 "X-Amz-Decoded-Content-Length: 5\n");
    assert_int_equal(o.err, S3_ACCESS_DENIED);
    assert_str(failure_field_of(&o.failure, "HeadersNotSigned"),
               "x-amz-date, x-amz-decoded-content-length");
    outcome_release(&o);
}

/* ---- expiry ------------------------------------------------------------------------ */

static void expect_expired(struct outcome *o)
{
    assert_failed(o, S3_ACCESS_DENIED, "Request has expired");
    assert_int_equal(o->failure.field_count, 3);
    assert_str(o->failure.fields[0].name, "X-Amz-Expires");
    assert_str(o->failure.fields[0].value, "86400");
    assert_str(o->failure.fields[1].name, "Expires");
    assert_str(o->failure.fields[1].value, "2013-05-25T00:00:00Z");
    assert_str(o->failure.fields[2].name, "ServerTime");
    assert_str(o->failure.fields[2].value, "2013-05-25T00:00:01Z");
    outcome_release(o);
}

static void urls_expire(void **state)
{
    (void)state;
    freeze("20130525T000000Z");
    expect_ok(GET(EXAMPLE_QUERY) HOST);
    freeze("20130525T000001Z");
    struct outcome o;
    authenticate(&o, GET(EXAMPLE_QUERY) HOST);
    expect_expired(&o);
    authenticate_open(&o, GET(EXAMPLE_QUERY) HOST);
    expect_expired(&o);
}

static void no_seconds_are_no_time(void **state)
{
    (void)state;
    expect_failure(EXPIRING("0"), S3_ACCESS_DENIED, "Request has expired");
}

static void urls_from_the_future_are_refused(void **state)
{
    (void)state;
    freeze("20130523T234459Z");
    expect_failure(GET(EXAMPLE_QUERY) HOST, S3_ACCESS_DENIED, "Request is not valid yet");
    freeze("20130523T234500Z");
    expect_ok(GET(EXAMPLE_QUERY) HOST);
    struct outcome o;
    freeze("20130101T000000Z");
    authenticate_open(&o, GET(EXAMPLE_QUERY) HOST);
    assert_ok(&o);
    outcome_release(&o);
}

/* ---- the payload ------------------------------------------------------------------- */

/* The AWS example was signed with UNSIGNED-PAYLOAD: a hash that the client sends of its own
 * accord does not break it, and is checked against the body. */
static void an_extra_payload_hash_is_accepted(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET(EXAMPLE_QUERY) HOST "x-amz-content-sha256: " EMPTY_SHA256 "\n");
    assert_ok(&o);
    assert_int_equal(o.result.payload, PAYLOAD_SIGNED_HASH);
    outcome_release(&o);
}

/* X-Amz-Content-Sha256 in the query (JavaScript SDK) is the canonical request's last line. */
static void a_payload_hash_in_the_query_counts(void **state)
{
    (void)state;
    struct outcome o;
    authenticate(&o, GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", "60", "host",
                                   "00") "&X-Amz-Content-Sha256=" EMPTY_SHA256) HOST
                 "x-amz-content-sha256: UNSIGNED-PAYLOAD\n");
    assert_int_equal(o.err, S3_SIGNATURE_DOES_NOT_MATCH);
    assert_int_equal(o.result.payload, PAYLOAD_SIGNED_HASH);
    assert_true(str_has_suffix(failure_field_of(&o.failure, "CanonicalRequest"),
                               STR("host\n" EMPTY_SHA256)));
    outcome_release(&o);
}

/* ---- rewritten hosts --------------------------------------------------------------- */

static enum s3_err try_host(const char *headers, struct str bucket, const struct str *domains,
                            size_t domain_count)
{
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {.credentials = set,
                                 .region = STR("us-east-1"),
                                 .domains = domains,
                                 .domain_count = domain_count};
    char text[2048];
    snprintf(text, sizeof(text), "%s%s", BOTO_GET, headers);
    struct outcome o;
    freeze("20240506T070809Z");
    authenticate_for(&o, &config, bucket, str_c(text));
    enum s3_err err = o.err;
    outcome_release(&o);
    credentials_unref(set);
    return err;
}

static void other_readings_of_the_host(void **state)
{
    (void)state;
    static const struct {
        const char *headers; /* signed was: localhost:4566 */
        bool accepted;
    } cases[] = {
        {"Host: localhost:4566\n", true},
        {"Host: s3memd:9000\n", false},
        {"Host: localhost\n", false},
        {"Host: s3memd:9000\nX-Forwarded-Host: localhost:4566\n", true},
        {"Host: s3memd:9000\nX-Forwarded-Host: localhost:4566, proxy\n", true},
        {"Host: s3memd:9000\nX-Forwarded-Host: localhost\nX-Forwarded-Port: 4566\n", true},
        {"Host: localhost:9000\nX-Forwarded-Port: 4566\n", true},
        {"Host: localhost\nX-Forwarded-Port: 4566\n", true},
        {"Host: s3memd\nX-Forwarded-Host: elsewhere\n", false},
        {"X-Forwarded-Host: localhost:4566\n", true},
        {"Host: s3memd\nX-Forwarded-Host:\n", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(try_host(cases[i].headers, STR_NONE, NULL, 0),
                         cases[i].accepted ? S3_OK : S3_SIGNATURE_DOES_NOT_MATCH);
}

/* The example is signed for a host without a port. */
static void a_port_may_have_been_added(void **state)
{
    (void)state;
    expect_ok(GET(EXAMPLE_QUERY) "Host: examplebucket.s3.amazonaws.com:4566\n");
    expect_ok(GET(EXAMPLE_QUERY) "Host: 127.0.0.1:4566\n"
                                 "X-Forwarded-Host: examplebucket.s3.amazonaws.com:443\n");
    expect_failure(GET(EXAMPLE_QUERY) "Host: [::1]:4566\n", S3_SIGNATURE_DOES_NOT_MATCH,
                   "The request signature we calculated does not match the signature you "
                   "provided. Check your key and signing method.");
}

/* A URL signed for one bucket must not open another by way of X-Forwarded-Host. */
static void a_forwarded_host_must_name_the_same_bucket(void **state)
{
    (void)state;
    static const struct str domains[] = {{"example.test", 12}, {"amazonaws.com", 13}};
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {.credentials = set,
                                 .region = STR("us-east-1"),
                                 .domains = domains,
                                 .domain_count = ARRAY_LEN(domains)};
    static const struct {
        const char *host;
        struct str bucket;
        enum s3_err expected;
    } cases[] = {
        {"Host: examplebucket.proxy:80\n", {"examplebucket", 13}, S3_OK},
        {"Host: other.proxy:80\n", {"other", 5}, S3_SIGNATURE_DOES_NOT_MATCH},
        {"Host: example.proxy:80\n", {"example", 7}, S3_SIGNATURE_DOES_NOT_MATCH},
        {"Host: 127.0.0.1\n", {NULL, 0}, S3_SIGNATURE_DOES_NOT_MATCH},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "%s%s%s", GET(EXAMPLE_QUERY), cases[i].host,
                 "X-Forwarded-Host: examplebucket.s3.amazonaws.com\n");
        struct outcome o;
        authenticate_for(&o, &config, cases[i].bucket, str_c(text));
        assert_int_equal(o.err, cases[i].expected);
        outcome_release(&o);
    }
    credentials_unref(set);
}

/* A URL for any host, signed as a client would. */
static void sign_for(const char *host, char *text, size_t size)
{
    static const char *const url =
        GET(PRESIGNED(CREDENTIAL, "20130524T000000Z", "60", "host", ""));
    char canonical[1024];
    snprintf(canonical, sizeof(canonical), "%.*s00 HTTP/1.1\nHost: %s\n",
             (int)(strlen(url) - strlen(" HTTP/1.1\n")), url, host);
    struct outcome o;
    authenticate(&o, canonical);
    assert_int_equal(o.err, S3_SIGNATURE_DOES_NOT_MATCH);
    uint8_t key[SHA256_SIZE];
    char signature[SIGNATURE_HEX_LEN];
    signing_key_derive(STR(EXAMPLE_SECRET), STR("20130524"), STR("us-east-1"), key);
    sigv4_sign(key, failure_field_of(&o.failure, "StringToSign"), signature);
    outcome_release(&o);
    snprintf(text, size, "%.*s%.*s HTTP/1.1\n", (int)(strlen(url) - strlen(" HTTP/1.1\n")), url,
             SIGNATURE_HEX_LEN, signature);
}

/* "s3" and "s3.REGION" below a domain are the service's own names, no buckets. */
static void a_forwarded_host_may_be_the_service(void **state)
{
    (void)state;
    static const struct str domain = {"example.test", 12};
    static const struct {
        const char *signed_host;
        enum s3_err expected;
    } cases[] = {
        {"example.test", S3_OK},
        {"example.test:8080", S3_OK},
        {"s3.example.test", S3_OK},
        {"S3.eu-west-1.example.test:8080", S3_OK},
        {"bucket.example.test", S3_SIGNATURE_DOES_NOT_MATCH},
        {"a.s3.example.test:8080", S3_SIGNATURE_DOES_NOT_MATCH},
        {"notexample.test", S3_OK},
    };
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {
        .credentials = set, .region = STR("us-east-1"), .domains = &domain, .domain_count = 1};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024], url[768];
        sign_for(cases[i].signed_host, url, sizeof(url));
        snprintf(text, sizeof(text), "%sHost: 10.0.0.1\nX-Forwarded-Host: %s\n", url,
                 cases[i].signed_host);
        struct outcome o;
        authenticate_for(&o, &config, STR_NONE, str_c(text));
        assert_int_equal(o.err, cases[i].expected);
        outcome_release(&o);
    }
    credentials_unref(set);
}

/* A client that writes the default port; a front that drops it. */
static void the_default_port_may_be_written(void **state)
{
    (void)state;
    char text[1024], url[768];
    sign_for("h:80", url, sizeof(url));
    snprintf(text, sizeof(text), "%sHost: h\n", url);
    expect_ok(text);
    sign_for("h:443", url, sizeof(url));
    snprintf(text, sizeof(text), "%sHost: h\n", url);
    expect_failure(text, S3_SIGNATURE_DOES_NOT_MATCH,
                   "The request signature we calculated does not match the signature you "
                   "provided. Check your key and signing method.");
    sign_for("[::1]", url, sizeof(url));
    snprintf(text, sizeof(text), "%sHost: [::1]:4566\n", url);
    expect_ok(text);
}

/* ---- mutations
 * --------------------------------------------------------------------------------------------
 */

static void no_mutated_url_is_accepted(void **state)
{
    (void)state;
    const char *query = EXAMPLE_QUERY;
    size_t len = strlen(query), first = strlen("GET /test.txt?");
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char text[1024];
            snprintf(text, sizeof(text), "GET /test.txt?%s HTTP/1.1\n%s", query, HOST);
            char old = text[first + i];
            text[first + i] = (char)(old ^ (1 << bit));
            /* Hex digits of an escape may change case: "%2f" is the same byte. */
            bool same = bit == 5 && old == 'F' && text[first + i - 2] == '%';
            if (!text[first + i] || text[first + i] == ' ' || text[first + i] == '\n' || same)
                continue;
            struct outcome o;
            authenticate(&o, text);
            /* A mutation may also destroy the parameter that makes this a signed request. */
            assert_true(o.err != S3_OK || o.result.kind == AUTH_ANONYMOUS);
            assert_null(o.result.credential);
            outcome_release(&o);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, freeze_2013, unfreeze)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(aws_example),
        TEST(botocore_get_with_token),
        TEST(botocore_put_with_signed_headers),
        TEST(malformed_urls),
        TEST(a_wrong_region_names_ours),
        TEST(unknown_keys_are_named),
        TEST(the_host_must_be_signed),
        TEST(headers_of_a_chunked_upload_must_be_signed),
        TEST(urls_expire),
        TEST(no_seconds_are_no_time),
        TEST(urls_from_the_future_are_refused),
        TEST(an_extra_payload_hash_is_accepted),
        TEST(a_payload_hash_in_the_query_counts),
        TEST(other_readings_of_the_host),
        TEST(a_port_may_have_been_added),
        TEST(a_forwarded_host_must_name_the_same_bucket),
        TEST(a_forwarded_host_may_be_the_service),
        TEST(the_default_port_may_be_written),
        TEST(no_mutated_url_is_accepted),
    };
    return cmocka_run_group_tests_name("auth_presigned", tests, NULL, NULL);
}
