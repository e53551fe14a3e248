/* SPDX-License-Identifier: MIT */
/* s3_bucket_rules_test.c - names, owner strings, and where a new bucket goes.
 * Sources: AWS "General purpose bucket naming rules"; replies recorded from Amazon for the
 * LocationConstraint of requests signed for one region or another. */
#include "s3/call.h"
#include "s3_ask.h"

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {
        "abc",
        "a-b",
        "a.b.c",
        "0ab",
        "my-bucket-01",
        "1.2.3",
        "1.2.3.4.5",
        "256x.1.1.1",
        "123456789012345678901234567890123456789012345678901234567890123"};
    static const char *const bad[] = {
        "",
        "ab",
        "Abc",
        "abC",
        "a_b",
        "-ab",
        "ab-",
        ".ab",
        "ab.",
        "a..b",
        "a b",
        "a/b",
        "192.168.5.4",
        "xn--abc",
        "sthree-abc",
        "amzn-s3-demo-x",
        "abc-s3alias",
        "abc--ol-s3",
        "abc.mrap",
        "abc--x-s3",
        "abc--table-s3",
        "caf\xC3\xA9",
        "1234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!s3_bucket_name_ok(str_c(good[i])))
            fail_msg("'%s' refused", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (s3_bucket_name_ok(str_c(bad[i])))
            fail_msg("'%s' taken", bad[i]);
    assert_false(s3_bucket_name_ok(str_of("ab\0c", 4)));
}

static void test_owner_parts(void **state)
{
    (void)state;
    struct str owner = STR("id\nname of it\n123456789012");
    assert_true(str_eq(owner_id(owner), STR("id")));
    assert_true(str_eq(owner_display_name(owner), STR("name of it")));
    assert_true(str_eq(owner_account(owner), STR("123456789012")));
    assert_int_equal(owner_account(STR("id")).len, 0);
    assert_int_equal(owner_id(STR("")).len, 0);
}

#define SIGNED_FOR(region)                                                                     \
    "Authorization: AWS4-HMAC-SHA256 Credential=key/20260101/" region                          \
    "/s3/aws4_request, SignedHeaders=host, Signature=00\nx-amz-date: 20260101T000000Z"
#define LOCATION(region)                                                                       \
    STR("<CreateBucketConfiguration><LocationConstraint>" region                               \
        "</LocationConstraint></CreateBucketConfiguration>")

static void test_location_of_us_east_1(void **state)
{
    struct asked *a = *state;
    assert_int_equal(ask(a, "PUT", "/bucket-1", "", STR("")), 200);
    assert_answer_header(a, "Location: /bucket-1\n");
    assert_int_equal(ask(a, "PUT", "/bucket-1", SIGNED_FOR("us-east-1"), STR("")), 200);
    assert_int_equal(ask(a, "PUT", "/bucket-2", "", LOCATION("us-east-1")), 400);
    assert_answer(a, "<Code>InvalidLocationConstraint</Code>");
    assert_answer(a, "<LocationConstraint>us-east-1</LocationConstraint>");
    assert_int_equal(ask(a, "PUT", "/bucket-2", "", LOCATION("foo")), 400);
    assert_int_equal(ask(a, "PUT", "/bucket-2", "", LOCATION("EU")), 200);
    ask(a, "GET", "/bucket-2?location", "", STR_NONE);
    assert_answer(a, ">EU</LocationConstraint>");
    assert_int_equal(ask(a, "HEAD", "/bucket-2", "", STR_NONE), 200);
    assert_answer_header(a, "x-amz-bucket-region: eu-west-1\n");
    assert_int_equal(ask(a, "PUT", "/bucket-2", "", LOCATION("EU")), 409);
    assert_answer(a, "<Code>BucketAlreadyOwnedByYou</Code>");
}

static void test_location_elsewhere(void **state)
{
    struct asked *a = *state;
    const char *here = SIGNED_FOR("eu-west-1");
    assert_int_equal(ask(a, "PUT", "/bucket-3", here, STR("")), 400);
    assert_answer(a, "<Code>IllegalLocationConstraintException</Code>");
    assert_answer(a, "The unspecified location constraint");
    assert_int_equal(ask(a, "PUT", "/bucket-3", here, LOCATION("bar")), 400);
    assert_answer(a, "The bar location constraint is incompatible for the region specific "
                     "endpoint this request was sent to.");
    assert_int_equal(ask(a, "PUT", "/bucket-3", here, LOCATION("eu-west-1")), 200);
    assert_int_equal(ask(a, "PUT", "/bucket-4", SIGNED_FOR("local"), STR("")), 200);
    assert_int_equal(ask(a, "PUT", "/bucket-5", SIGNED_FOR("aws-global"), STR("")), 200);
}

static void test_create_refusals(void **state)
{
    struct asked *a = *state;
    static const struct {
        const char *header;
        unsigned status;
    } cases[] = {
        {"x-amz-acl: private", 200},
        {"x-amz-acl: public-read", 501},
        {"x-amz-acl: mine", 400},
        {"x-amz-grant-read: id=1", 501},
        {"x-amz-bucket-object-lock-enabled: true", 501},
        {"x-amz-bucket-object-lock-enabled: false", 200},
        {"x-amz-object-ownership: BucketOwnerEnforced", 200},
        {"x-amz-object-ownership: ObjectWriter", 501},
        {"x-amz-object-ownership: RandomValue", 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = ask(a, "PUT", "/bucket-6", cases[i].header, STR(""));
        if (status != cases[i].status)
            fail_msg("%s: %u", cases[i].header, status);
    }
    assert_int_equal(ask(a, "PUT", "/Bucket", "", STR("")), 400);
    assert_answer(a, "<Code>InvalidBucketName</Code>");
    assert_int_equal(ask(a, "PUT", "/bucket-7", "",
                         STR("<CreateBucketConfiguration><X/>"
                             "</CreateBucketConfiguration>")),
                     400);
    assert_answer(a, "<Code>MalformedXML</Code>");
    assert_int_equal(ask(a, "HEAD", "/bucket-7", "", STR_NONE), 404);
}

static void test_expected_owner(void **state)
{
    struct asked *a = *state;
    ask(a, "PUT", "/bucket-8", "", STR(""));
    assert_int_equal(ask(a, "GET", "/bucket-8?location",
                         "x-amz-expected-bucket-owner: 000000000000", STR_NONE),
                     200);
    assert_int_equal(ask(a, "GET", "/bucket-8?location",
                         "x-amz-expected-bucket-owner: 000000000001", STR_NONE),
                     403);
    assert_int_equal(ask(a, "GET", "/bucket-8?location",
                         "x-amz-expected-bucket-owner: aa000000000$", STR_NONE),
                     400);
    assert_answer(a, "must be an AWS Account ID... [aa000000000$]");
}

static void test_delete(void **state)
{
    struct asked *a = *state;
    ask(a, "PUT", "/bucket-9", "", STR(""));
    ask(a, "PUT", "/bucket-9/key", "", STR("x"));
    assert_int_equal(ask(a, "DELETE", "/bucket-9", "", STR_NONE), 409);
    assert_answer(a, "<Message>The bucket you tried to delete is not empty</Message>");
    assert_int_equal(ask(a, "PUT", "/bucket-9?versioning", "",
                         STR("<VersioningConfiguration><Status>Enabled</Status>"
                             "</VersioningConfiguration>")),
                     200);
    ask(a, "DELETE", "/bucket-9/key", "", STR_NONE);
    assert_int_equal(ask(a, "DELETE", "/bucket-9", "", STR_NONE), 409);
    assert_answer(a, "You must delete all versions in the bucket.");
}

static void test_list_buckets(void **state)
{
    struct asked *a = *state;
    ask(a, "PUT", "/list-1", "", STR(""));
    ask(a, "PUT", "/list-2", "", LOCATION("eu-west-3"));
    ask(a, "PUT", "/list-3", "", STR(""));
    ask(a, "GET", "/?prefix=list-&max-buckets=2", "", STR_NONE);
    assert_answer(a, "<Name>list-1</Name>");
    assert_answer(a, "<BucketRegion>eu-west-3</BucketRegion>");
    assert_answer(a, "<Prefix>list-</Prefix><ContinuationToken>");
    assert_no_answer(a, "list-3");
    ask(a, "GET", "/?prefix=list-&bucket-region=eu-west-3", "", STR_NONE);
    assert_answer(a, "list-2");
    assert_no_answer(a, "list-1");
    assert_no_answer(a, "ContinuationToken");
    ask(a, "GET", "/", "", STR_NONE);
    assert_no_answer(a, "BucketRegion");
    assert_int_equal(ask(a, "GET", "/?max-buckets=0", "", STR_NONE), 400);
    assert_int_equal(ask(a, "GET", "/?max-buckets=x", "", STR_NONE), 400);
    assert_int_equal(ask(a, "GET", "/?bucket-region=eu-east-1", "", STR_NONE), 400);
    assert_answer(a, "Argument value eu-east-1 is not a valid AWS Region");
    assert_int_equal(ask(a, "GET", "/?continuation-token=x", "", STR_NONE), 400);
    assert_int_equal(ask(a, "GET", "/?continuation-token=&max-buckets=1", "", STR_NONE), 200);
}

static int start(void **state)
{
    static struct asked asked;
    ask_start(&asked);
    *state = &asked;
    return 0;
}

static int tear_down(void **state)
{
    ask_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_owner_parts),
        cmocka_unit_test(test_location_of_us_east_1),
        cmocka_unit_test(test_location_elsewhere),
        cmocka_unit_test(test_create_refusals),
        cmocka_unit_test(test_expected_owner),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_list_buckets),
    };
    return cmocka_run_group_tests_name("s3/bucket_rules", tests, start, tear_down);
}
