/* SPDX-License-Identifier: MIT */
/* auth_policy_test.c - browser forms: the signature's fields, then the policy. Vectors are
 * AWS's example and botocore's; messages are those of the recorded TestS3PresignedPost and of
 * Ceph's s3-tests (test_post_object_*). */
#include "auth/signing_key.h"
#include "auth/sigv4.h"
#include "auth_support.h"

static int unfreeze(void **state)
{
    (void)state;
    clock_unfreeze();
    return 0;
}

/* A form under evaluation. */
struct form {
    struct form_field fields[32];
    size_t count;
    struct post_policy policy;
    struct auth_failure failure;
    enum s3_err err;
};

static void form_add(struct form *f, const char *name, struct str value)
{
    assert_true(f->count < ARRAY_LEN(f->fields));
    f->fields[f->count++] = (struct form_field){str_c(name), value};
}

static void form_remove(struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (!str_eq(f->fields[i].name, str_c(name)))
            continue;
        memmove(&f->fields[i], &f->fields[i + 1], (f->count - i - 1) * sizeof(f->fields[0]));
        f->count--;
        return;
    }
    fail_msg("no field %s", name);
}

static void form_check(struct form *f, const struct credentials *credentials,
                       const char *region)
{
    struct auth_config config = {.credentials = credentials, .region = str_c(region)};
    auth_failure_init(&f->failure);
    f->err = auth_post_form(&f->policy, &f->failure, &config, f->fields, f->count);
}

static void expect(const struct form *f, enum s3_err err, const char *message)
{
    char text[1024];
    if (f->err != err)
        print_error("%s: %s\n", f->err ? s3_err_code(f->err) : "OK",
                    f->err ? message_of(&f->failure, f->err, text, sizeof(text)) : "");
    assert_int_equal(f->err, err);
    if (message)
        assert_string_equal(message_of(&f->failure, f->err, text, sizeof(text)), message);
}

/* With the example credential in us-east-1. */
static void expect_form(struct form *f, enum s3_err err, const char *message)
{
    struct credentials *set = one_credential(NULL);
    form_check(f, set, "us-east-1");
    expect(f, err, message);
    assert_ptr_equal(f->policy.credential, err ? NULL : credentials_at(set, 0));
    auth_failure_release(&f->failure);
    credentials_unref(set);
}

/* ---- AWS: "Example: Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)" ---- */

#define AWS_POLICY                                                                             \
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAg" \
    "ICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAi" \
    "dXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25f" \
    "cmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxf" \
    "dXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQog" \
    "ICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRl" \
    "LWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAi" \
    "Il0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMt" \
    "ZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEy" \
    "NTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"

static void aws_form(struct form *f)
{
    *f = (struct form){.count = 0};
    form_add(f, "bucket", STR("sigv4examplebucket"));
    form_add(f, "key", STR("user/user1/photo.jpg"));
    form_add(f, "acl", STR("public-read"));
    form_add(f, "success_action_redirect",
             STR("http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"));
    form_add(f, "content-type", STR("image/jpeg"));
    form_add(f, "x-amz-meta-uuid", STR("14365123651274"));
    form_add(f, "x-amz-server-side-encryption", STR("AES256"));
    form_add(f, "x-amz-credential",
             STR("AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"));
    form_add(f, "x-amz-algorithm", STR("AWS4-HMAC-SHA256"));
    form_add(f, "x-amz-date", STR("20151229T000000Z"));
    form_add(f, "x-amz-meta-tag", STR(""));
    form_add(f, "policy", STR(AWS_POLICY));
    form_add(f, "x-amz-signature",
             STR("8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"));
}

static void aws_example(void **state)
{
    (void)state;
    struct form f;
    freeze("20151230T115959Z");
    aws_form(&f);
    expect_form(&f, S3_OK, NULL);
    assert_int_equal(f.policy.min_size, 0);
    assert_true(f.policy.max_size == UINT64_MAX);
    freeze("20151230T120000Z");
    expect_form(&f, S3_ACCESS_DENIED, "Invalid according to Policy: Policy expired.");
}

/* ---- botocore 1.43.11: S3SigV4PostAuth and HmacV1PostAuth -------------------------- */

#define BOTO_V4                                                                                \
    "eyJleHBpcmF0aW9uIjogIjIwMjQtMDUtMDZUMDg6MDg6MDlaIiwgImNvbmRpdGlvbnMiOiBbeyJhY2wiOiAicHJp" \
    "dmF0ZSJ9LCB7ImJ1Y2tldCI6ICJteS1idWNrZXQifSwgWyJzdGFydHMtd2l0aCIsICIka2V5IiwgInVwLyJdLCBb" \
    "ImNvbnRlbnQtbGVuZ3RoLXJhbmdlIiwgMSwgMTBdLCB7IngtYW16LWFsZ29yaXRobSI6ICJBV1M0LUhNQUMtU0hB" \
    "MjU2In0sIHsieC1hbXotY3JlZGVudGlhbCI6ICJBS0lBSU9TRk9ETk43RVhBTVBMRS8yMDI0MDUwNi91cy1lYXN0" \
    "LTEvczMvYXdzNF9yZXF1ZXN0In0sIHsieC1hbXotZGF0ZSI6ICIyMDI0MDUwNlQwNzA4MDlaIn1dfQ=="
#define BOTO_V2                                                                                \
    "eyJleHBpcmF0aW9uIjogIjIwMjQtMDUtMDZUMDg6MDg6MDlaIiwgImNvbmRpdGlvbnMiOiBbeyJhY2wiOiAicHJp" \
    "dmF0ZSJ9LCB7ImJ1Y2tldCI6ICJteS1idWNrZXQifSwgWyJzdGFydHMtd2l0aCIsICIka2V5IiwgInVwLyJdLCBb" \
    "ImNvbnRlbnQtbGVuZ3RoLXJhbmdlIiwgMSwgMTBdXX0="

static void boto_v4(struct form *f)
{
    *f = (struct form){.count = 0};
    form_add(f, "bucket", STR("my-bucket"));
    form_add(f, "key", STR("up/file"));
    form_add(f, "acl", STR("private"));
    form_add(f, "x-amz-algorithm", STR("AWS4-HMAC-SHA256"));
    form_add(f, "x-amz-credential",
             STR("AKIAIOSFODNN7EXAMPLE/20240506/us-east-1/s3/aws4_request"));
    form_add(f, "x-amz-date", STR("20240506T070809Z"));
    form_add(f, "policy", STR(BOTO_V4));
    form_add(f, "x-amz-signature",
             STR("d9b0df2bf68d3ea3445e320f1829d614c166d51f6835c673282687c09168e11e"));
}

static void boto_v2(struct form *f)
{
    *f = (struct form){.count = 0};
    form_add(f, "bucket", STR("my-bucket"));
    form_add(f, "key", STR("up/file"));
    form_add(f, "acl", STR("private"));
    form_add(f, "awsaccesskeyid", STR(EXAMPLE_KEY));
    form_add(f, "policy", STR(BOTO_V2));
    form_add(f, "signature", STR("3tOeBc+sW7AT7MtMUP29Fhgwcfg="));
}

static void botocore_forms(void **state)
{
    (void)state;
    struct form f;
    freeze("20240506T070809Z");
    boto_v4(&f);
    expect_form(&f, S3_OK, NULL);
    assert_int_equal(f.policy.min_size, 1);
    assert_int_equal(f.policy.max_size, 10);
    boto_v2(&f);
    expect_form(&f, S3_OK, NULL);
    assert_int_equal(f.policy.max_size, 10);
}

/* aws-recorded: test_post_object_policy_validation_size */
static void the_file_has_a_range_of_sizes(void **state)
{
    (void)state;
    struct auth_failure f;
    struct post_policy policy = {.min_size = 5, .max_size = 10};
    auth_failure_init(&f);
    assert_int_equal(auth_post_size(&f, &policy, 5), S3_OK);
    assert_int_equal(auth_post_size(&f, &policy, 10), S3_OK);
    assert_int_equal(auth_post_size(&f, &policy, 12), S3_ENTITY_TOO_LARGE);
    assert_str(failure_field_of(&f, "ProposedSize"), "12");
    assert_str(failure_field_of(&f, "MaxSizeAllowed"), "10");
    assert_int_equal(auth_post_size(&f, &policy, 1), S3_ENTITY_TOO_SMALL);
    assert_str(failure_field_of(&f, "ProposedSize"), "1");
    assert_str(failure_field_of(&f, "MinSizeAllowed"), "5");
    auth_failure_release(&f);
}

/* ---- the fields of the signature --------------------------------------------------- */

static void missing_fields_are_named(void **state)
{
    (void)state;
    static const char *const v4[][2] = {{"x-amz-signature", "X-Amz-Signature"},
                                        {"x-amz-algorithm", "X-Amz-Algorithm"},
                                        {"x-amz-credential", "X-Amz-Credential"},
                                        {"x-amz-date", "X-Amz-Date"},
                                        {"policy", "policy"}};
    static const char *const v2[][2] = {
        {"signature", "Signature"}, {"awsaccesskeyid", "AWSAccessKeyId"}, {"policy", "policy"}};
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(v4) + ARRAY_LEN(v2); i++) {
        struct form f;
        bool is_v4 = i < ARRAY_LEN(v4);
        const char *const *missing = is_v4 ? v4[i] : v2[i - ARRAY_LEN(v4)];
        (is_v4 ? boto_v4 : boto_v2)(&f);
        form_remove(&f, missing[0]);
        char message[256];
        snprintf(message, sizeof(message),
                 "Bucket POST must contain a field named '%s'.  If it is specified, please "
                 "check the order of the fields.",
                 missing[1]);
        form_check(&f, NULL, "us-east-1"); /* with and without credentials */
        expect(&f, S3_INVALID_ARGUMENT, message);
        assert_str(failure_field_of(&f.failure, "ArgumentName"), missing[1]);
        assert_str(failure_field_of(&f.failure, "ArgumentValue"), "");
        auth_failure_release(&f.failure);
        expect_form(&f, S3_INVALID_ARGUMENT, message);
    }
}

/* aws-recorded: exception-no-sig-related-fields */
static void a_policy_without_a_signature_is_denied(void **state)
{
    (void)state;
    struct form f;
    freeze("20240506T070809Z");
    boto_v2(&f);
    form_remove(&f, "signature");
    form_remove(&f, "awsaccesskeyid");
    expect_form(&f, S3_ACCESS_DENIED, "Access Denied");
    form_check(&f, NULL, "us-east-1"); /* nobody verifies: the policy is still evaluated */
    expect(&f, S3_OK, NULL);
    assert_int_equal(f.policy.max_size, 10);
    auth_failure_release(&f.failure);
}

static void no_policy_is_anonymous(void **state)
{
    (void)state;
    struct credentials *set = one_credential(NULL);
    struct form f = {.count = 0};
    form_add(&f, "key", STR("k"));
    form_check(&f, set, "us-east-1");
    expect(&f, S3_OK, NULL);
    assert_null(f.policy.credential);
    assert_true(f.policy.max_size == UINT64_MAX);
    auth_failure_release(&f.failure);
    credentials_unref(set);
}

/* Replaces the value of a field of botocore's V4 form. */
static void expect_changed(const char *name, struct str value, enum s3_err err,
                           const char *message)
{
    struct form f;
    boto_v4(&f);
    form_remove(&f, name);
    form_add(&f, name, value);
    expect_form(&f, err, message);
}

#define MISMATCH                                                                               \
    "The request signature we calculated does not match the signature you provided. Check "    \
    "your key and signing method."

static void fields_of_the_signature_are_checked(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    expect_changed("x-amz-algorithm", STR("AWS4-HMAC-SHA1"), S3_INVALID_ARGUMENT,
                   "Only AWS4-HMAC-SHA256 is supported");
    expect_changed("x-amz-algorithm", STR("AWS4-ECDSA-P256-SHA256"), S3_NOT_IMPLEMENTED, NULL);
    expect_changed("x-amz-date", STR("Mon, 06 May 2024 07:08:09 GMT"), S3_INVALID_ARGUMENT,
                   "X-Amz-Date must be formated via ISO8601 Long format");
    expect_changed("x-amz-credential", STR("AKID"), S3_INVALID_ARGUMENT,
                   "the Credential is mal-formed; expecting "
                   "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    expect_changed("x-amz-credential", STR("A/20240506/us-east-1/iam/aws4_request"),
                   S3_INVALID_ARGUMENT,
                   "incorrect service \"iam\". This endpoint belongs to \"s3\".");
    expect_changed("x-amz-credential", STR("A/20240506/mars/s3/aws4_request"),
                   S3_INVALID_ARGUMENT, "the region 'mars' is wrong; expecting 'us-east-1'");
    expect_changed("x-amz-credential", STR("A/20240506/us-east-1/s3/aws4_request"),
                   S3_INVALID_ACCESS_KEY_ID, NULL);
    expect_changed("x-amz-signature", STR("00"), S3_SIGNATURE_DOES_NOT_MATCH, MISMATCH);
    /* aws-recorded: test_post_request_malformed_policy: a tampered policy has no signature */
    expect_changed("policy", STR("invalid"), S3_SIGNATURE_DOES_NOT_MATCH, MISMATCH);
}

static void a_wrong_signature_is_explained(void **state)
{
    (void)state;
    struct credentials *set = one_credential(NULL);
    struct form f;
    freeze("20240506T070809Z");
    for (int version = 2; version <= 4; version += 2) {
        (version == 4 ? boto_v4 : boto_v2)(&f);
        form_remove(&f, version == 4 ? "x-amz-signature" : "signature");
        form_add(&f, version == 4 ? "x-amz-signature" : "signature", STR("wrong"));
        form_check(&f, set, "us-east-1");
        expect(&f, S3_SIGNATURE_DOES_NOT_MATCH, MISMATCH);
        assert_int_equal(f.failure.field_count, 4);
        assert_str(failure_field_of(&f.failure, "AWSAccessKeyId"), EXAMPLE_KEY);
        assert_str(failure_field_of(&f.failure, "StringToSign"),
                   version == 4 ? BOTO_V4 : BOTO_V2);
        assert_str(failure_field_of(&f.failure, "SignatureProvided"), "wrong");
        assert_true(str_has_prefix(failure_field_of(&f.failure, "StringToSignBytes"),
                                   STR("65 79 4a 6c")));
        auth_failure_release(&f.failure);
    }
    credentials_unref(set);
}

static void a_demanded_token_must_be_sent(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    for (int version = 2; version <= 4; version += 2) {
        struct credentials *set = one_credential("session");
        struct form f;
        (version == 4 ? boto_v4 : boto_v2)(&f);
        form_check(&f, set, "us-east-1");
        expect(&f, S3_INVALID_TOKEN, NULL);
        auth_failure_release(&f.failure);
        form_add(&f, "x-amz-security-token", STR("session"));
        form_check(&f, set,
                   "us-east-1"); /* now the policy speaks: it does not cover the token */
        expect(&f, S3_ACCESS_DENIED,
               "Invalid according to Policy: Extra input fields: x-amz-security-token");
        auth_failure_release(&f.failure);
        credentials_unref(set);
    }
}

/* ---- policies, without credentials ------------------------------------------------- */

/* A form with a few fields and the policy given as its text. */
static void expect_document(const char *document, enum s3_err err, const char *message)
{
    struct form f = {.count = 0};
    AUTO_BUF(policy, KiB(64));
    buf_add_base64(&policy, str_c(document));
    form_add(&f, "bucket", STR("my-bucket"));
    form_add(&f, "key", STR("user/eric/a.png"));
    form_add(&f, "content-type", STR("image/png"));
    form_add(&f, "success_action_redirect", STR("http://localhost.test/other"));
    form_add(&f, "policy", policy.len ? buf_str(&policy) : STR(""));
    form_check(&f, NULL, "");
    if (f.err != err)
        print_error("%s\n", document);
    expect(&f, err, message);
    auth_failure_release(&f.failure);
}

/* The four fields are covered by these. */
#define COVER                                                                                  \
    "[\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"$Content-Type\", \"\"], "          \
    "[\"starts-with\", \"$success_action_redirect\", \"\"], {\"bucket\": \"my-bucket\"}"
#define DOCUMENT(conditions)                                                                   \
    "{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": [" conditions "]}"
#define FAILED "Invalid according to Policy: Policy Condition failed: "

static void conditions_that_hold(void **state)
{
    (void)state;
    static const char *const documents[] = {
        DOCUMENT(COVER),
        DOCUMENT(COVER ", [\"eq\", \"$key\", \"user/eric/a.png\"]"),
        DOCUMENT(COVER ", {\"key\": \"user/eric/a.png\"}"),
        DOCUMENT(COVER ", [\"starts-with\", \"$key\", \"user/\"]"),
        DOCUMENT(COVER ", [\"starts-with\", \"$absent\", \"\"]"),
        DOCUMENT(COVER ", [\"content-length-range\", 0, 10]"),
        DOCUMENT(COVER ", [\"content-length-range\", \"0\", \"10\"]"),
        /* Names and operations in any case: s3-tests, case_insensitive_condition_fields */
        DOCUMENT("{\"bUcKeT\": \"my-bucket\"}, [\"StArTs-WiTh\", \"$KeY\", \"user\"], "
                 "[\"EQ\", \"$CoNtEnT-TyPe\", \"image/png\"], "
                 "[\"starts-with\", \"$SUCCESS_action_redirect\", \"http://\"]"),
        /* The escapes that AWS adds to JSON. */
        DOCUMENT(COVER ", [\"eq\", \"\\$key\", \"user\\/eric\\u002fa.png\"]"),
        "{\"expiration\": \"2030-01-01T00:00:00.000Z\", \"conditions\": [" COVER "]}",
        "\r\n{ \"conditions\" : [" COVER "] , \"expiration\" : \"2030-01-01T00:00:00Z\" }\n",
    };
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        expect_document(documents[i], S3_OK, NULL);
}

static void conditions_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *document, *message;
    } cases[] = {
        /* aws-recorded: TestS3PresignedPost, policy_conditions_validation_* */
        {DOCUMENT("[\"eq\", \"$success_action_redirect\", \"http://localhost.test/random\"]"),
         FAILED "[\"eq\", \"$success_action_redirect\", \"http://localhost.test/random\"]"},
        {DOCUMENT("[\"eq\", \"success_action_redirect\", \"http://localhost.test/random\"]"),
         FAILED "[\"eq\", \"success_action_redirect\", \"http://localhost.test/random\"]"},
        {DOCUMENT("[\"eq\", \"$success_action_redirect\", \"HTTP://localhost.test/other\"]"),
         FAILED "[\"eq\", \"$success_action_redirect\", \"HTTP://localhost.test/other\"]"},
        {DOCUMENT("[\"starts-with\", \"$success_action_redirect\", \"https://localhost\"]"),
         FAILED "[\"starts-with\", \"$success_action_redirect\", \"https://localhost\"]"},
        {DOCUMENT("[\"content-length-range\", \"test\", \"10\"]"),
         FAILED "[\"content-length-range\", \"test\", \"10\"]"},
        {DOCUMENT("[\"content-length-range\", 1, true]"),
         FAILED "[\"content-length-range\", 1, true]"},
        /* As the client wrote it. */
        {"{\"expiration\":\"2030-01-01T00:00:00Z\",\"conditions\":[[\"eq\",\"$key\",\"x\"]]}",
         FAILED "[\"eq\",\"$key\",\"x\"]"},
        {DOCUMENT("{\"acl\": \"private\"}, {\"key\": \"k\"}"),
         FAILED "[\"eq\", \"$acl\", \"private\"]"},
        {DOCUMENT("{\"key\": \"k\\u00e9\"}, 1"), FAILED "[\"eq\", \"$key\", \"k\xc3\xa9\"]"},
        {DOCUMENT("[\"starts-with\", \"$absent\", \"x\"]"),
         FAILED "[\"starts-with\", \"$absent\", \"x\"]"},
        {DOCUMENT("{\"bucket\": \"other\"}, 1"), FAILED "[\"eq\", \"$bucket\", \"other\"]"},
        {DOCUMENT("[\"eq\", \"\", \"x\"]"), FAILED "[\"eq\", \"\", \"x\"]"},
        {"{\"expiration\": \"2024-05-06T07:08:09Z\", \"conditions\": [" COVER "]}",
         "Invalid according to Policy: Policy expired."},
        {DOCUMENT(""), "Invalid according to Policy: Extra input fields: bucket, key, "
                       "content-type, success_action_redirect"},
        {DOCUMENT(
             "[\"starts-with\", \"$key\", \"\"], [\"starts-with\", \"$content-type\", \"\"],"
             "[\"starts-with\", \"$success_action_redirect\", \"\"]"),
         "Invalid according to Policy: Extra input fields: bucket"},
    };
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_document(cases[i].document, S3_ACCESS_DENIED, cases[i].message);
}

static void invalid_documents(void **state)
{
    (void)state;
    static const struct {
        const char *document, *what;
    } cases[] = {
        {"", "Expecting '{' but found End-of-Input"},
        {"not json", "Invalid JSON."},
        {"[]", "Invalid JSON."},
        {"{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": [}", "Invalid JSON."},
        {"{\"conditions\": []}", "Policy missing expiration."},
        {"{\"EXPIRATION\": \"2030-01-01T00:00:00Z\", \"conditions\": []}",
         "Policy missing expiration."},
        {"{\"expiration\": true, \"conditions\": []}", "Invalid JSON."},
        {"{\"expiration\": \"tomorrow\", \"conditions\": []}",
         "Invalid 'expiration' value: 'tomorrow'"},
        {"{\"expiration\": \"2030-01-01T00:00:00Z\"}", "Policy missing conditions."},
        {"{\"expiration\": \"2030-01-01T00:00:00Z\", \"CONDITIONS\": []}",
         "Policy missing conditions."},
        {"{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": {}}",
         "Invalid 'conditions' value: must be a List."},
        {DOCUMENT("true"), "Invalid condition test: must be a List or Object."},
        {DOCUMENT("{}"), "Invalid Simple-Condition: Simple-Conditions must have exactly one "
                         "property specified."},
        {DOCUMENT("{\"a\": \"1\", \"b\": \"2\"}"),
         "Invalid Simple-Condition: Simple-Conditions must have exactly one property "
         "specified."},
        {DOCUMENT("{\"a\": 1}"), "Invalid Simple-Condition: value must be a string."},
        {DOCUMENT("[]"), "Invalid Condition: missing operation identifier."},
        {DOCUMENT("[1, \"$a\", \"b\"]"), "Invalid Condition: missing operation identifier."},
        {DOCUMENT("[\"ends-with\", \"$a\", \"b\"]"),
         "Invalid Condition: unknown operation 'ends-with'."},
        {DOCUMENT("[\"eq\", \"$a\"]"), "Invalid eq: wrong number of arguments."},
        {DOCUMENT("[\"eq\", \"$a\", \"b\", \"c\"]"), "Invalid eq: wrong number of arguments."},
        {DOCUMENT("[\"content-length-range\", 0]"),
         "Invalid content-length-range: wrong number of arguments."},
        {DOCUMENT("[\"content-length-range\", -1, 0]"), "Invalid JSON."},
        {DOCUMENT("[\"eq\", false, \"b\"]"), "Invalid JSON."},
        {DOCUMENT("[\"eq\", \"$a\", 1]"), "Invalid JSON."},
        {DOCUMENT("[\"eq\", \"$a\", \"b\\\"]"), "Invalid JSON."},
    };
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char message[256];
        snprintf(message, sizeof(message), "Invalid Policy: %s", cases[i].what);
        expect_document(cases[i].document, S3_INVALID_POLICY_DOCUMENT, message);
    }
}

static void base64_may_have_line_breaks(void **state)
{
    (void)state;
    struct form f = {.count = 0};
    AUTO_BUF(base64, KiB(4));
    AUTO_BUF(policy, KiB(4));
    freeze("20240506T070809Z");
    buf_add_base64(&base64, STR("{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": "
                                "[]}"));
    for (size_t i = 0; i < base64.len; i++) {
        buf_add_char(&policy, base64.ptr[i]);
        if (i % 20 == 19)
            buf_add_c(&policy, "\r\n ");
    }
    form_add(&f, "policy", buf_str(&policy));
    form_check(&f, NULL, "");
    expect(&f, S3_OK, NULL);
    auth_failure_release(&f.failure);
    f.fields[0].value = STR("!!!!");
    form_check(&f, NULL, "");
    expect(&f, S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: invalid Base64 encoding.");
    auth_failure_release(&f.failure);
}

/* Every type of a list must have the prefix. Source: AWS "POST Policy", $Content-Type. */
static void lists_of_content_types(void **state)
{
    (void)state;
    static const struct {
        const char *types;
        bool holds;
    } cases[] = {
        {"image/png", true},
        {"image/png,image/gif", true},
        {"image/png, image/gif", true},
        {"image/png,text/html", false},
        {"text/html,image/png", false},
        {"image/png,", false},
        {"", false},
    };
    AUTO_BUF(policy, KiB(4));
    buf_add_base64(&policy, STR(DOCUMENT("[\"starts-with\",\"$Content-Type\",\"image/\"]")));
    freeze("20240506T070809Z");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct form f = {.count = 0};
        form_add(&f, "content-type", str_c(cases[i].types));
        form_add(&f, "policy", buf_str(&policy));
        form_check(&f, NULL, "");
        expect(&f, cases[i].holds ? S3_OK : S3_ACCESS_DENIED, NULL);
        auth_failure_release(&f.failure);
    }
}

static void some_fields_need_no_condition(void **state)
{
    (void)state;
    AUTO_BUF(policy, KiB(4));
    struct form f = {.count = 0};
    freeze("20240506T070809Z");
    buf_add_base64(&policy, STR(DOCUMENT("")));
    form_add(&f, "policy", buf_str(&policy));
    form_add(&f, "signature", STR("x"));
    form_add(&f, "awsaccesskeyid", STR("x"));
    form_add(&f, "file", STR("x"));
    form_add(&f, "x-ignore-me", STR("x"));
    form_check(&f, NULL, "");
    expect(&f, S3_OK, NULL);
    auth_failure_release(&f.failure);
    form_add(&f, "x-ignor", STR("x"));
    form_check(&f, NULL, "");
    expect(&f, S3_ACCESS_DENIED, "Invalid according to Policy: Extra input fields: x-ignor");
    auth_failure_release(&f.failure);
}

/* A form posted to one bucket must not pass for another by a "bucket" field of its own; nor may
 * a second key slip through. */
static void conditions_hold_for_every_field_of_the_name(void **state)
{
    (void)state;
    AUTO_BUF(policy, KiB(4));
    freeze("20240506T070809Z");
    buf_add_base64(&policy, STR(DOCUMENT("{\"bucket\": \"mine\"}, [\"starts-with\", \"$key\", "
                                         "\"up/\"]")));
    static const char *const cases[][4] = {
        {"mine", "mine", "up/a", NULL}, /* the order of fields does not matter */
        {"mine", "other", "up/a", FAILED "[\"eq\", \"$bucket\", \"mine\"]"},
        {"other", "mine", "up/a", FAILED "[\"eq\", \"$bucket\", \"mine\"]"},
        {"mine", "mine", "down/a", FAILED "[\"starts-with\", \"$key\", \"up/\"]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct form f = {.count = 0};
        form_add(&f, "bucket", str_c(cases[i][0]));
        form_add(&f, "key", STR("up/file"));
        form_add(&f, "key", str_c(cases[i][2]));
        form_add(&f, "policy", buf_str(&policy));
        form_add(&f, "bucket", str_c(cases[i][1]));
        form_check(&f, NULL, "");
        expect(&f, cases[i][3] ? S3_ACCESS_DENIED : S3_OK, cases[i][3]);
        auth_failure_release(&f.failure);
    }
}

/* The strictest of several ranges counts. */
static void ranges_are_intersected(void **state)
{
    (void)state;
    AUTO_BUF(policy, KiB(4));
    struct form f = {.count = 0};
    freeze("20240506T070809Z");
    buf_add_base64(&policy, STR(DOCUMENT("[\"content-length-range\", 5, 100], "
                                         "[\"content-length-range\", 1, 50]")));
    form_add(&f, "policy", buf_str(&policy));
    form_check(&f, NULL, "");
    expect(&f, S3_OK, NULL);
    assert_int_equal(f.policy.min_size, 5);
    assert_int_equal(f.policy.max_size, 50);
    auth_failure_release(&f.failure);
}

static void documents_have_limits(void **state)
{
    (void)state;
    AUTO_BUF(deep, MiB(1));
    freeze("20240506T070809Z");
    for (int i = 0; i < 40000; i++)
        buf_add_char(&deep, '[');
    buf_add_char(&deep, '\0');
    expect_document(deep.ptr, S3_INVALID_POLICY_DOCUMENT, NULL);
    struct form f = {.count = 0};
    buf_reset(&deep);
    for (int i = 0; i < 100000; i++)
        buf_add_char(&deep, 'e');
    form_add(&f, "policy", buf_str(&deep));
    form_check(&f, NULL, "");
    expect(&f, S3_INVALID_POLICY_DOCUMENT, NULL);
    auth_failure_release(&f.failure);
}

/* Flipping any byte of the signed policy or of the signature is noticed. */
static void no_mutated_form_is_accepted(void **state)
{
    (void)state;
    freeze("20240506T070809Z");
    for (size_t which = 6; which <= 7; which++) {
        struct form f;
        boto_v4(&f);
        struct str value = f.fields[which].value;
        for (size_t i = 0; i < value.len; i++) {
            AUTO_BUF(changed, KiB(4));
            buf_add(&changed, value);
            changed.ptr[i] ^= 1;
            f.fields[which].value = buf_str(&changed);
            expect_form(&f, S3_SIGNATURE_DOES_NOT_MATCH, MISMATCH);
        }
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, unfreeze)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(aws_example),
        TEST(botocore_forms),
        TEST(the_file_has_a_range_of_sizes),
        TEST(missing_fields_are_named),
        TEST(a_policy_without_a_signature_is_denied),
        TEST(no_policy_is_anonymous),
        TEST(fields_of_the_signature_are_checked),
        TEST(a_wrong_signature_is_explained),
        TEST(a_demanded_token_must_be_sent),
        TEST(conditions_that_hold),
        TEST(conditions_that_fail),
        TEST(invalid_documents),
        TEST(base64_may_have_line_breaks),
        TEST(lists_of_content_types),
        TEST(some_fields_need_no_condition),
        TEST(conditions_hold_for_every_field_of_the_name),
        TEST(ranges_are_intersected),
        TEST(documents_have_limits),
        TEST(no_mutated_form_is_accepted),
    };
    return cmocka_run_group_tests_name("auth_policy", tests, NULL, NULL);
}
