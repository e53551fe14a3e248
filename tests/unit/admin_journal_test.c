/* SPDX-License-Identifier: MIT */
/* admin_journal_test.c - the journal of requests, its listings, and the events. */
#include "admin/call.h"
#include "admin/traffic/journal.h"
#include "admin/traffic/statistics.h"
#include "admin/traffic/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "admin_ask.h"
#include "admin_traffic.h"

#define CAPACITY 8

static struct store *store;
static struct admin *admin;
static struct traffic traffic;

static void start_within(size_t journal_size, uint64_t max_memory)
{
    store = store_new(&(struct store_options){.max_memory_bytes = max_memory});
    admin = admin_new(&(struct admin_options){.store = store,
                                              .version = "1.2.3",
                                              .journal_size = journal_size,
                                              .max_memory_bytes = max_memory});
    traffic = admin_traffic(admin);
}

static void start_with(size_t journal_size)
{
    start_within(journal_size, 0);
}

static int start(void **state)
{
    (void)state;
    start_with(CAPACITY);
    return 0;
}

static int start_large(void **state)
{
    (void)state;
    start_with(20000);
    return 0;
}

/* Entries of all the memory there is: the bytes are what bounds them. */
static int start_long(void **state)
{
    (void)state;
    start_within(JOURNAL_MAX, MiB(4));
    return 0;
}

static int start_off(void **state)
{
    (void)state;
    start_with(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_free(admin);
    store_free(store);
    return 0;
}

/* ---- asking ------------------------------------------------------------------------ */

static json_t *parse(const struct buf *text)
{
    json_error_t error;
    json_t *value = json_loadb(text->ptr, text->len, JSON_REJECT_DUPLICATES, &error);

    if (!value)
        fail_msg("%s at %d in %.*s", error.text, error.position, (int)text->len, text->ptr);
    return value;
}

static json_t *get_status(const char *target, unsigned wanted)
{
    struct ask a;
    json_t *value;

    ask_begin(&a, admin, "GET", target, NULL, NULL);
    while (a.next == APP_WAIT && ask_woken(&a) > 0)
        ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_int_equal(a.reply->status, wanted);
    value = parse(&a.reply->text);
    ask_end(&a);
    return value;
}

/* For what must come, on however slow a machine. */
#define WAIT_MS 60000

/* Wakes that came until there was one, or in so many ms. */
static int woken_within(struct ask *a, int64_t ms)
{
    int64_t end_ns = clock_monotonic_ns() + ms * NS_PER_MS;
    int wakes;

    while ((wakes = ask_woken(a)) == 0 && clock_monotonic_ns() < end_ns)
        sched_yield();
    return wakes;
}

/* "key key ..." of the requests that are answered, then "matched". */
static const char *keys_of(json_t *answer)
{
    static char text[1024];
    size_t i, len = 0;
    json_t *request;

    text[0] = '\0';
    json_array_foreach(json_object_get(answer, "requests"), i, request)
    {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ",
                                json_string_value(json_object_get(request, "key")));
    }
    snprintf(text + len, sizeof(text) - len, "%d",
             (int)json_integer_value(json_object_get(answer, "matched")));
    json_decref(answer);
    return text;
}

#define KEYS(query) keys_of(get_status("/_s3mem/requests" query, 200))

static void expect_refusal(const char *target, unsigned status, const char *code,
                           const char *field)
{
    json_t *answer = get_status(target, status);
    json_t *error = json_object_get(answer, "error");

    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    if (field)
        assert_string_equal(json_string_value(json_object_get(error, "field")), field);
    json_decref(answer);
}

/* ---- the journal ------------------------------------------------------------------- */

static void test_newest_first_and_no_more_than_it_holds(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

    (void)state;
    assert_string_equal(KEYS(""), "0");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        fake_run(&traffic, "PutObject", 3, keys[i], 200);
    assert_string_equal(KEYS(""), "j i h g f e d c 8");
    assert_string_equal(KEYS("?limit=3"), "j i h 8");
    assert_string_equal(KEYS("?limit=0"), "8");
    assert_string_equal(KEYS("?since=8"), "j i 2");
    assert_string_equal(KEYS("?since=8&limit=1"), "j 2");
    assert_string_equal(KEYS("?since=10"), "0");
}

static void test_order_is_that_of_beginnings(void **state)
{
    struct fake first, second;

    (void)state;
    fake_init(&first, STR("PutObject"), 3, STR("first"));
    fake_init(&second, STR("PutObject"), 3, STR("second"));
    fake_begin(&traffic, &first);
    fake_begin(&traffic, &second);
    fake_end(&traffic, &second, 200);
    fake_end(&traffic, &first, 200);
    assert_string_equal(KEYS(""), "second first 2");
}

static void test_filters(void **state)
{
    struct fake f;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "logs/1", 200);
    fake_run(&traffic, "GetObject", 4, "logs/1", 200);
    fake_run(&traffic, "GetObject", 4, "logs/22", 404);
    fake_run(&traffic, "DeleteObject", 5, "x", 204);
    fake_init(&f, STR("HeadObject"), 6, STR("branched"));
    f.call.branch = STR("other");
    f.call.bucket = STR("elsewhere");
    f.call.time_ns += 2 * NS_PER_S;
    fake_begin(&traffic, &f);
    fake_end(&traffic, &f, 503);

    assert_string_equal(KEYS("?operation=getobject"), "logs/22 logs/1 2");
    assert_string_equal(KEYS("?operation=GetObject,%20DeleteObject"), "x logs/22 logs/1 3");
    assert_string_equal(KEYS("?key=logs/%3F"), "logs/1 logs/1 2");
    assert_string_equal(KEYS("?key=logs/*&status=2xx"), "logs/1 logs/1 2");
    assert_string_equal(KEYS("?status=404,5XX"), "branched logs/22 2");
    assert_string_equal(KEYS("?status=404&code=NoSuchKey"), "logs/22 1");
    assert_string_equal(KEYS("?code=NoSuchBucket"), "0");
    assert_string_equal(KEYS("?branch=other"), "branched 1");
    assert_string_equal(KEYS("?bucket=elsewhere"), "branched 1");
    assert_string_equal(KEYS("?bucket=bucket&limit=1"), "x 4");
    assert_string_equal(KEYS("?since=2026-01-31T08:49:38Z"), "branched 1");
    assert_string_equal(KEYS("?since=2026-01-31T08:49:37.123Z"),
                        "branched x logs/22 logs/1 logs/1 5");
}

static void test_wrong_questions(void **state)
{
    (void)state;
    expect_refusal("/_s3mem/requests?status=4x", 400, "InvalidArgument", "status");
    expect_refusal("/_s3mem/requests?status=", 400, "InvalidArgument", "status");
    expect_refusal("/_s3mem/requests?status=200,604", 400, "InvalidArgument", "status");
    expect_refusal("/_s3mem/requests?since=yesterday", 400, "InvalidArgument", "since");
    expect_refusal("/_s3mem/requests?limit=-1", 400, "InvalidArgument", "limit");
    expect_refusal("/_s3mem/requests?limit=10001", 400, "InvalidArgument", "limit");
    expect_refusal("/_s3mem/requests?wait=5", 400, "InvalidArgument", "wait");
    expect_refusal("/_s3mem/requests?wait=601s", 400, "InvalidArgument", "wait");
    expect_refusal("/_s3mem/requests?count=1", 400, "InvalidArgument", "count");
    expect_refusal("/_s3mem/requests?wait=1s&count=0", 400, "InvalidArgument", "count");
    expect_refusal("/_s3mem/requests?wait=1s&count=9", 400, "InvalidArgument", "count");
    expect_refusal("/_s3mem/requests?type=putObject", 400, "InvalidArgument", "type");
    expect_refusal("/_s3mem/events?lastEventId=x", 400, "InvalidArgument", "lastEventId");
    expect_refusal("/_s3mem/events?status=404", 400, "InvalidArgument", "status");
}

static void test_what_a_request_is(void **state)
{
    json_t *answer, *r;
    struct fake f;

    (void)state;
    fake_init(&f, STR("PutObject"), 3, STR("a\"\xFF\xC3\xA4\n"));
    f.req.method = STR("PUT");
    fake_header(&f, "X-Twice", "1");
    fake_header(&f, "x-twice", "2");
    f.call.bytes_in = 42;
    fake_begin(&traffic, &f);
    fake_end(&traffic, &f, 404);
    answer = get_status("/_s3mem/requests", 200);
    r = json_array_get(json_object_get(answer, "requests"), 0);

#define TEXT(name)   json_string_value(json_object_get(r, name))
#define NUMBER(name) (int)json_number_value(json_object_get(r, name))
    assert_int_equal(NUMBER("id"), 1);
    assert_string_equal(TEXT("requestId"), "00F1E2D3C4B5A697");
    assert_string_equal(TEXT("time"), "2026-01-31T08:49:37.123Z");
    assert_string_equal(TEXT("operation"), "PutObject");
    assert_string_equal(TEXT("bucket"), "bucket");
    assert_string_equal(TEXT("key"), "a\"\xEF\xBF\xBD\xC3\xA4\n");
    assert_string_equal(TEXT("branch"), "main");
    assert_string_equal(TEXT("accessKey"), "AKIAIOSFODNN7EXAMPLE");
    assert_string_equal(TEXT("method"), "PUT");
    assert_string_equal(TEXT("target"), "/bucket/key?x-id=GetObject");
    assert_string_equal(TEXT("remote"), "127.0.0.1:50123");
    assert_string_equal(TEXT("code"), "NoSuchKey");
    assert_int_equal(NUMBER("status"), 404);
    assert_int_equal(NUMBER("bytesIn"), 42);
    assert_int_equal(NUMBER("bytesOut"), 1024);
    assert_true(json_number_value(json_object_get(r, "durationMs")) == 1.5);
    assert_true(json_is_false(json_object_get(r, "aborted")));
    r = json_object_get(r, "headers");
    assert_int_equal(json_object_size(r), 5);
    assert_string_equal(TEXT("host"), "127.0.0.1:4566");
    assert_string_equal(TEXT("x-twice"), "1, 2");
    json_decref(answer);
}

static void test_an_unrouted_request(void **state)
{
    json_t *answer, *r;
    struct fake f;

    (void)state;
    fake_init(&f, STR("-"), 0, STR(""));
    f.call.bucket = f.call.access_key = STR("");
    fake_begin(&traffic, &f);
    fake_end(&traffic, &f, 400);
    answer = get_status("/_s3mem/requests", 200);
    r = json_array_get(json_object_get(answer, "requests"), 0);
    assert_true(json_is_null(json_object_get(r, "operation")));
    assert_true(json_is_null(json_object_get(r, "bucket")));
    assert_true(json_is_null(json_object_get(r, "key")));
    assert_true(json_is_null(json_object_get(r, "accessKey")));
    json_decref(answer);
}

/* A form's key, and the branch of its access key, are known when its body has come. */
static void test_what_a_form_says_later(void **state)
{
    struct fake f;

    (void)state;
    for (int i = 0; i < 3 * CAPACITY; i++) {
        fake_init(&f, STR("PostObject"), 9, STR(""));
        fake_begin(&traffic, &f);
        f.call.key = STR("from-the-form");
        f.call.branch = STR("of-its-key");
        fake_end(&traffic, &f, 204);
    }
    assert_string_equal(KEYS("?key=from-*&branch=of-its-key&limit=1"), "from-the-form 8");
    assert_string_equal(KEYS("?branch=main"), "0");
}

static void test_emptied(void **state)
{
    struct fake running;
    unsigned status;

    (void)state;
    fake_init(&running, STR("PutObject"), 3, STR("began-before"));
    fake_begin(&traffic, &running);
    fake_run(&traffic, "PutObject", 3, "old", 200);
    mem_free(ask_text(admin, "DELETE", "/_s3mem/requests", &status));
    assert_int_equal(status, 204);
    fake_end(&traffic, &running, 200);
    assert_string_equal(KEYS(""), "0");
    fake_run(&traffic, "PutObject", 3, "new", 200);
    assert_string_equal(KEYS(""), "new 1");
}

static void test_no_memory_for_an_entry(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, STR("PutObject"), 3, STR("unseen"));
    mem_fail_nth(1);
    fake_begin(&traffic, &f);
    mem_fail_nth(0);
    assert_null(f.call.mark);
    fake_end(&traffic, &f, 200);
    fake_run(&traffic, "PutObject", 3, "seen", 200);
    assert_string_equal(KEYS(""), "seen 1");
}

static void test_journal_is_off(void **state)
{
    unsigned status;
    char *text;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "a", 200);
    expect_refusal("/_s3mem/requests", 409, "JournalOff", NULL);
    expect_refusal("/_s3mem/events", 409, "JournalOff", NULL);
    text = ask_text(admin, "DELETE", "/_s3mem/requests", &status);
    assert_int_equal(status, 409);
    mem_free(text);
}

/* ---- secrets ----------------------------------------------------------------------- */

/* What must not be seen contains "5ecret", in requests or in events. */
static void expect_masked(struct fake *f)
{
    static char piece[KiB(64)];
    unsigned status;
    size_t len;
    struct ask a;
    char *text;

    fake_begin(&traffic, f);
    fake_end(&traffic, f, 200);
    text = ask_text(admin, "GET", "/_s3mem/requests?limit=1", &status);
    assert_non_null(strstr(text, "***"));
    assert_non_null(strstr(text, "visible"));
    if (strstr(text, "5ecret"))
        fail_msg("%s", text);
    mem_free(text);

    ask_begin(&a, admin, "GET", "/_s3mem/events?lastEventId=0", NULL, NULL);
    while (a.reply->stream(a.reply->stream_arg, piece, sizeof(piece) - 1, &len) ==
           STREAM_MORE) {
        piece[len] = '\0';
        assert_null(strstr(piece, "5ecret"));
    }
    ask_end(&a);
}

static void test_secret_headers(void **state)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        {"Authorization", "AWS4-HMAC-SHA256 Credential=visible/20260131/us-east-1/s3/"
                          "aws4_request, SignedHeaders=host, Signature=5ecret"},
        {"authorization", "AWS4-HMAC-SHA256 Credential=visible Signature=5ecret"},
        {"AUTHORIZATION", "AWS4-HMAC-SHA256 Credential=visible,signature = 5ecret"},
        {"Authorization", "AWS4-ECDSA-P256-SHA256 SignedHeaders=visible,Signature=a,5ecret"},
        {"Authorization", "AWS visible:5ecret"},
        {"Authorization", "AWS4-HMAC-SHA256-5ecret"},
        {"Authorization", "Basic 5ecret"},
        {"X-Amz-Security-Token", "5ecret"},
        {"x-amz-s3session-token", "5ecret"},
        {"x-amz-server-side-encryption-customer-key", "5ecret"},
        {"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", "5ecret"},
        {"Cookie", "session=5ecret"},
        {"Referer", "http://localhost/visible?X-Amz-Signature=5ecret"},
        {"x-amz-copy-source", "/b/visible?versionId=1&X-Amz-Signature=5ecret&a=b"},
        {"x-amz-copy-source", "b/visible%3FX-Amz-Signature%3D5ecret%26x"},
        {"X-Original-URL", "/b/k?Signature=5ecret"},
        {"Origin", "http://user:5ecret@visible"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct fake f;

        fake_init(&f, STR("GetObject"), 4, STR("visible"));
        fake_header(&f, headers[i].name, headers[i].value);
        fake_header(&f, headers[i].name, headers[i].value);
        expect_masked(&f);
    }
}

/* A presigned URL whose '?' was encoded is a key, to S3. */
static void test_secrets_in_keys(void **state)
{
    struct fake f;

    (void)state;
    fake_init(&f, STR("PutObject"), 3, STR("visible?X-Amz-Signature=5ecret&a"));
    expect_masked(&f);
}

/* What only resembles a secret is shown. */
static void test_what_is_no_secret(void **state)
{
    static const char *const targets[] = {
        "/b/signature=1/cookie=2",
        "/b/k?signatures=1&X-Amz-Credential=2&X-Amz-SignedHeaders=host",
        "/b/http://k?a@b:c",
        "/b/k?x-amz-server-side-encryption-customer-key-md5=3",
        "/b/%3D%26%3f=%zz%",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        AUTO_BUF(out, KiB(4));

        buf_add_masked_target(&out, str_c(targets[i]));
        assert_int_equal(out.len, strlen(targets[i]));
        assert_memory_equal(out.ptr, targets[i], out.len);
    }
}

static void test_secret_parameters(void **state)
{
    static const char *const targets[] = {
        "/b/visible?X-Amz-Signature=5ecret",
        "/b/visible?a=b&X-Amz-Credential=visible&x-amz-signature=5ecret&c",
        "/b/visible?AWSAccessKeyId=visible&Signature=5ecret&Expires=1",
        "/b/visible?%53ignatur%65=5ecret",
        "/b/visible?X-Amz-Security-Token=5ecret",
        "/b/visible?x-amz-server-side-encryption-customer-key=5ecret",
        "http://host/b/visible?X-Amz-Signature=5ecret",
        "http://user:5ecret@host/b/visible",
        "http://user:5ecret@host?visible",
        "http://user:5ecret@5ecret@host/visible",
        /* Ill-formed: separators that are missing, doubled, or encoded; names that are spoilt. */
        "/b/visible&X-Amz-Signature=5ecret",
        "/b/visible?a?X-Amz-Signature=5ecret",
        "/b/visible?a=b;Signature=5ecret;5ecret",
        "/b/visible#Signature=5ecret",
        "/b/visible%3FX-Amz-Signature%3D5ecret",
        "/b/visible%3fa=b%26Signature=5ecret",
        "/b/visible%253Fa%253Db%2526X-Amz-Security-Token%253D5ecret%252F5ecret",
        "/b/visible?%2553ignature=5ecret",
        "/b/visible?X-Amz-Signatur%e=5ecret",
        "/b/visible?X-Amz%-Signature=5ecret%zz5ecret%",
        "/b/visible?%00X-Amz-Signature+=5ecret",
        "/b/visible?X-Amz-Signature==5ecret",
        "/b/visible?x=X-Amz-Signature=5ecret",
        "/b/visible?x-aMZ-sIGNATURE=5ecret?5ecret#5ecret",
        "/X-Amz-Signature=5ecret&visible",
        "/b/visible?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaX-Amz-Signature=5ecret",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct fake f;

        fake_init(&f, STR("GetObject"), 4, STR("visible"));
        f.req.target = str_c(targets[i]);
        expect_masked(&f);
    }
}

/* ---- waiting ----------------------------------------------------------------------- */

static void test_waiting_for_requests(void **state)
{
    int64_t start_ns = clock_monotonic_ns();
    struct ask a;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "first", 200);
    ask_begin(&a, admin, "GET", "/_s3mem/requests?wait=5s&count=2&operation=PutObject", NULL,
              NULL);
    assert_int_equal(a.next, APP_WAIT);
    assert_int_equal(ask_woken(&a), 0);
    assert_true(a.wake_at_ns >= start_ns + 5 * NS_PER_S);
    assert_true(a.wake_at_ns <= clock_monotonic_ns() + 5 * NS_PER_S);

    fake_run(&traffic, "GetObject", 4, "other", 200);
    fake_run(&traffic, "GetObject", 4, "other", 200);
    assert_int_equal(woken_within(&a, 50), 0); /* what does not match wakes nobody */

    fake_run(&traffic, "PutObject", 3, "second", 200);
    assert_int_equal(woken_within(&a, WAIT_MS), 1);
    ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_non_null(strstr(a.reply->text.ptr, "\"matched\":2,\"timedOut\":false,\"last\":4}"));
    ask_end(&a);
    fake_run(&traffic, "PutObject", 3, "third", 200); /* wakes nobody */
}

static void test_waiting_in_vain(void **state)
{
    struct ask a;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "first", 200);
    ask_begin(&a, admin, "GET", "/_s3mem/requests?wait=1ms&count=2", NULL, NULL);
    while (a.next == APP_WAIT && clock_monotonic_ns() < a.wake_at_ns + 60 * NS_PER_S)
        ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_int_equal(a.reply->status, 200);
    assert_non_null(strstr(a.reply->text.ptr, "\"matched\":1,\"timedOut\":true,\"last\":1}"));
    ask_end(&a);
}

static void test_who_waits_leaves(void **state)
{
    struct ask a;

    (void)state;
    ask_begin(&a, admin, "GET", "/_s3mem/requests?wait=5s", NULL, NULL);
    assert_int_equal(a.next, APP_WAIT);
    ask_end(&a);
    fake_run(&traffic, "PutObject", 3, "first", 200); /* ask_wake would abort */
}

static void test_emptied_while_waiting(void **state)
{
    unsigned status;
    struct ask a;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "old", 200);
    ask_begin(&a, admin, "GET", "/_s3mem/requests?wait=5s&count=2", NULL, NULL);
    mem_free(ask_text(admin, "DELETE", "/_s3mem/requests", &status));
    fake_run(&traffic, "PutObject", 3, "new", 200);
    ask_finish(&a);
    assert_int_equal(a.next, APP_WAIT);
    fake_run(&traffic, "PutObject", 3, "newer", 200);
    ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_null(strstr(a.reply->text.ptr, "\"old\""));
    assert_non_null(strstr(a.reply->text.ptr, "\"matched\":2"));
    ask_end(&a);
}

/* A client has its reply a moment before the request has ended. */
static void test_what_is_about_to_end_is_waited_for(void **state)
{
    struct fake f;
    struct ask a;

    (void)state;
    fake_init(&f, STR("PutObject"), 3, STR("sent"));
    fake_begin(&traffic, &f);
    ask_begin(&a, admin, "GET", "/_s3mem/requests", NULL, NULL);
    assert_int_equal(a.next, APP_WAIT);
    assert_true(a.wake_at_ns <= clock_monotonic_ns() + NS_PER_MS);
    fake_end(&traffic, &f, 200);
    ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_non_null(strstr(a.reply->text.ptr, "\"sent\""));
    ask_end(&a);
}

/* However long the thread that sent it was put aside. */
static void test_a_reply_on_its_way_is_waited_for(void **state)
{
    int64_t start_ns = clock_monotonic_ns();
    struct fake f;
    struct ask a;

    (void)state;
    fake_init(&f, STR("PutObject"), 3, STR("sent"));
    fake_begin(&traffic, &f);
    fake_answer(&traffic, &f);
    ask_begin(&a, admin, "GET", "/_s3mem/requests", NULL, NULL);
    while (clock_monotonic_ns() < start_ns + NS_PER_S / 5) {
        /* Others begin and end meanwhile. */
        fake_run(&traffic, "GetObject", 4, "other", 200);
        assert_int_equal(a.next, APP_WAIT);
        ask_finish(&a);
    }
    fake_end(&traffic, &f, 200);
    ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_non_null(strstr(a.reply->text.ptr, "\"sent\""));
    ask_end(&a);
}

static void test_what_takes_long_is_not_waited_for(void **state)
{
    struct fake f;
    struct ask a;
    int64_t start_ns = clock_monotonic_ns();

    (void)state;
    fake_init(&f, STR("PutObject"), 3, STR("long"));
    fake_begin(&traffic, &f);
    ask_begin(&a, admin, "GET", "/_s3mem/requests", NULL, NULL);
    while (a.next == APP_WAIT && clock_monotonic_ns() < start_ns + 60 * NS_PER_S)
        ask_finish(&a);
    assert_int_equal(a.next, APP_REPLY);
    assert_non_null(strstr(a.reply->text.ptr, "\"matched\":0"));
    ask_end(&a);
    fake_end(&traffic, &f, 200);
}

/* Goes through a long journal in turns. */
static void test_a_long_journal_in_turns(void **state)
{
    struct ask a;
    int turns = 1;

    (void)state;
    for (int i = 0; i < 20000; i++)
        fake_run(&traffic, "PutObject", 3, i % 1000 == 0 ? "rare" : "often", 200);
    ask_begin(&a, admin, "GET", "/_s3mem/requests?key=rare&limit=5", NULL, NULL);
    for (; a.next == APP_WAIT; turns++) {
        assert_int_equal(ask_woken(&a), 1);
        ask_finish(&a);
    }
    /* Four by number; a slow machine's end by time. */
    assert_true(turns >= 4 && turns <= 400);
    assert_string_equal(keys_of(parse(&a.reply->text)), "rare rare rare rare rare 20");
    ask_end(&a);
}

/* ---- events ------------------------------------------------------------------------ */

/* Begins to follow; what the server says at first has been read. */
static void follow(struct ask *a, const char *query, const char *last_event_id)
{
    char target[256], text[64];
    size_t len;

    snprintf(target, sizeof(target), "/_s3mem/events%s", query);
    ask_begin(a, admin, "GET", target, last_event_id ? "Last-Event-ID" : NULL, last_event_id);
    assert_int_equal(a->next, APP_REPLY);
    assert_int_equal(a->reply->status, 200);
    assert_string_equal(a->reply->lines[0].name, "Content-Type");
    assert_string_equal(a->reply->lines[0].value, "text/event-stream");
    assert_int_equal(a->reply->stream(a->reply->stream_arg, text, sizeof(text), &len),
                     STREAM_MORE);
    assert_int_equal(len, strlen("retry: 1000\n\n"));
    assert_memory_equal(text, "retry: 1000\n\n", len);
}

/* All that there is, a few bytes at a time; then it must say that it waits. */
static const char *read_events(struct ask *a)
{
    static char text[KiB(64)];
    enum stream_next next;
    size_t len, sum = 0;

    while ((next = a->reply->stream(a->reply->stream_arg, text + sum, 7, &len)) == STREAM_MORE)
        sum += len;
    assert_int_equal(next, STREAM_WAIT);
    assert_int_equal(len, 0);
    text[sum] = '\0';
    return text;
}

/* "id:event id:event ..." of a text of events. */
static const char *names_of(const char *text)
{
    static char names[1024];
    struct str rest = str_c(text), line;
    size_t len = 0;

    names[0] = '\0';
    while (str_split(&rest, '\n', &line)) {
        if (str_has_prefix(line, STR("id: ")))
            len += (size_t)snprintf(names + len, sizeof(names) - len,
                                    "%.*s:", (int)line.len - 4, line.ptr + 4);
        if (str_has_prefix(line, STR("event: ")))
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%.*s ",
                                    (int)line.len - 7, line.ptr + 7);
    }
    return names;
}

static void test_events(void **state)
{
    int64_t start_ns = clock_monotonic_ns();
    struct ask a;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "before", 200);
    follow(&a, "", NULL);
    assert_string_equal(read_events(&a), "");
    assert_true(a.wake_at_ns > start_ns + 14 * NS_PER_S);
    ask_woken(&a);
    fake_run(&traffic, "GetObject", 4, "k", 404);
    assert_int_equal(woken_within(&a, WAIT_MS), 1);
    assert_string_equal(
        read_events(&a),
        "id: 4\nevent: command.request\ndata: {\"id\":2,\"requestId\":\"00F1E2D3C4B5A697\","
        "\"time\":\"2026-01-31T08:49:37.123Z\",\"operation\":\"GetObject\",\"bucket\":"
        "\"bucket\",\"key\":\"k\",\"branch\":\"main\",\"method\":\"GET\",\"target\":"
        "\"/bucket/key?x-id=GetObject\",\"remote\":\"127.0.0.1:50123\"}\n\n"
        "id: 5\nevent: command.response\ndata: {\"id\":2,\"requestId\":\"00F1E2D3C4B5A697\","
        "\"time\":\"2026-01-31T08:49:37.123Z\",\"operation\":\"GetObject\",\"bucket\":"
        "\"bucket\",\"key\":\"k\",\"branch\":\"main\",\"method\":\"GET\",\"target\":"
        "\"/bucket/key?x-id=GetObject\",\"remote\":\"127.0.0.1:50123\",\"status\":404,"
        "\"code\":\"NoSuchKey\",\"detail\":null,\"bytesIn\":0,\"bytesOut\":1024,\"durationMs\":"
        "1.500,"
        "\"aborted\":false}\n\n");
    fake_run(&traffic, "PutObject", 3, "k", 200);
    assert_string_equal(names_of(read_events(&a)),
                        "6:command.request 7:command.response 8:putObject ");
    ask_end(&a);
    fake_run(&traffic, "PutObject", 3, "after", 200); /* wakes nobody */
}

static void test_filtered_events(void **state)
{
    struct ask typed, keyed;

    (void)state;
    follow(&typed, "?type=putObject,deleteObject&bucket=bucket&branch=main", NULL);
    follow(&keyed, "?key=a*&operation=getobject", NULL);
    fake_run(&traffic, "PutObject", 3, "a1", 200);
    fake_run(&traffic, "GetObject", 4, "a1", 200);
    fake_run(&traffic, "GetObject", 4, "b1", 200);
    fake_run(&traffic, "DeleteObject", 5, "a1", 204);
    assert_string_equal(names_of(read_events(&typed)), "3:putObject 12:deleteObject ");
    assert_string_equal(names_of(read_events(&keyed)),
                        "4:command.request 5:command.response 6:getObject ");
    ask_end(&typed);
    ask_end(&keyed);
}

static void test_resuming(void **state)
{
    struct ask a;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "a", 200);
    follow(&a, "", "1");
    assert_string_equal(names_of(read_events(&a)), "2:command.response 3:putObject ");
    ask_end(&a);
    follow(&a, "?lastEventId=2", NULL);
    assert_string_equal(names_of(read_events(&a)), "3:putObject ");
    ask_end(&a);
    follow(&a, "?lastEventId=0", "3"); /* what EventSource sends when it comes back */
    assert_string_equal(read_events(&a), "");
    ask_end(&a);
    follow(&a, "", "99"); /* of the server that was here before */
    assert_string_equal(names_of(read_events(&a)),
                        "1:command.request 2:command.response 3:putObject ");
    ask_end(&a);
}

/* The ring holds 24 events. */
static void test_a_slow_reader_is_told_what_it_lost(void **state)
{
    const char *text;
    struct ask a;
    unsigned status;
    char *stats;

    (void)state;
    follow(&a, "", NULL);
    for (int i = 0; i < 10; i++)
        fake_run(&traffic, "PutObject", 3, "k", 200);
    text = read_events(&a);
    assert_true(str_has_prefix(str_c(text), STR("id: 6\nevent: lost\ndata: {\"lost\":6}\n\n"
                                                "id: 7\nevent: command.request\n")));
    assert_non_null(strstr(text, "id: 30\n"));
    fake_run(&traffic, "PutObject", 3, "k", 200);
    assert_string_equal(names_of(read_events(&a)),
                        "31:command.request 32:command.response 33:putObject ");
    stats = ask_text(admin, "GET", "/_s3mem/stats", &status);
    assert_non_null(strstr(stats, "\"journal\":{\"capacity\":8,\"size\":8,"));
    assert_non_null(strstr(stats, "\"events\":{\"subscribers\":1,\"lost\":6,\"bytes\":0}}"));
    mem_free(stats);
    ask_end(&a);
    follow(&a, "?lastEventId=2&type=putObject", NULL);
    assert_true(str_has_prefix(str_c(read_events(&a)), STR("id: 9\nevent: lost\ndata: "
                                                           "{\"lost\":7}\n\nid: 12\n")));
    ask_end(&a);
}

/* Whose length nobody knows: it is the front end that sends none of it. */
static void test_head_of_events(void **state)
{
    struct ask a;

    (void)state;
    ask_begin(&a, admin, "HEAD", "/_s3mem/events", NULL, NULL);
    assert_int_equal(a.reply->status, 200);
    assert_true(a.reply->stream && a.reply->endless);
    assert_true(a.reply->content_length == CONTENT_LENGTH_NONE);
    ask_end(&a);
}

/* ---- threads ----------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS  3000

static atomic_bool running;

static void *make_traffic(void *arg)
{
    char key[32];

    snprintf(key, sizeof(key), "of-thread-%d", (int)(intptr_t)arg);
    for (int i = 0; i < ROUNDS; i++)
        fake_run(&traffic, i % 3 ? "PutObject" : "GetObject", i % 3 ? 3 : 4, key,
                 i % 7 ? 200 : 404);
    return NULL;
}

static void *list(void *arg)
{
    unsigned status;

    (void)arg;
    while (atomic_load(&running)) {
        mem_free(ask_text(admin, "GET", "/_s3mem/requests?key=*-1&limit=4&wait=1ms&count=8",
                          &status));
        mem_free(ask_text(admin, "GET", "/_s3mem/stats", &status));
        mem_free(ask_text(admin, "GET", "/_s3mem/metrics", &status));
    }
    return NULL;
}

static void *empty(void *arg)
{
    unsigned status;

    (void)arg;
    while (atomic_load(&running)) {
        mem_free(ask_text(admin, "DELETE", "/_s3mem/requests", &status));
        mem_free(ask_text(admin, "POST", "/_s3mem/clear?stats=reset", &status));
        sched_yield();
    }
    return NULL;
}

/* Every event is seen or told as lost; waits in between as GET events does. */
static void *follow_all(void *arg)
{
    struct journal *journal = admin->journal;
    struct watch *watch = journal_watch(journal);
    struct event events[16];
    struct ask a;
    struct watcher reader = {.waker = &a.waker, .position = 1};
    uint64_t *sum = arg, next;
    size_t count;

    ask_begin(&a, admin, "GET", "/_s3mem/health", NULL, NULL); /* for its waker */
    assert_true(watch_join(watch, &reader, &(struct filter){0}, true));
    for (bool last = false; !last;) {
        last = !atomic_load(&running);
        watch_read(watch, &reader);
        do {
            next = reader.position;
            count = journal_read_events(journal, &next, events, ARRAY_LEN(events));
            *sum += next - reader.position;
            for (size_t i = 0; i < count; i++)
                *sum += events[i].number == next - count + i ? 0 : 1;
            reader.position = next;
            journal_release_events(journal, events, count);
        } while (count > 0);
        watch_wait(watch, &reader, true);
        while (atomic_load(&running) && ask_woken(&a) == 0)
            sched_yield();
    }
    watch_leave(watch, &reader);
    ask_end(&a);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t makers[THREADS], others[4];
    uint64_t followed[2] = {0, 0};
    struct operation_totals puts, gets;
    struct ask a;

    (void)state;
    atomic_store(&running, true);
    pthread_create(&others[0], NULL, list, NULL);
    pthread_create(&others[1], NULL, follow_all, &followed[0]);
    pthread_create(&others[2], NULL, follow_all, &followed[1]);
    pthread_create(&others[3], NULL, empty, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&makers[i], NULL, make_traffic, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(makers[i], NULL);
    atomic_store(&running, false);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        pthread_join(others[i], NULL);

    assert_int_equal(followed[0], journal_next_event(admin->journal) - 1);
    assert_int_equal(followed[1], journal_next_event(admin->journal) - 1);
    assert_int_equal(statistics_begun(admin->statistics), THREADS * ROUNDS);
    assert_int_equal(statistics_ended(admin->statistics), THREADS * ROUNDS);
    statistics_reset(admin->statistics);
    assert_false(statistics_get(admin->statistics, 3, &puts));
    fake_run(&traffic, "GetObject", 4, "last", 200);
    assert_true(statistics_get(admin->statistics, 4, &gets));
    assert_int_equal(gets.count, 1);
    ask_begin(&a, admin, "GET", "/_s3mem/requests?limit=1", NULL, NULL);
    assert_non_null(strstr(a.reply->text.ptr, "\"last\":12001}"));
    ask_end(&a);
}

/* ---- bytes ------------------------------------------------------------------------- */

static char long_key[KiB(16)];

static void run_numbered(int number, size_t key_len)
{
    snprintf(long_key, sizeof(long_key), "%05d", number);
    memset(long_key + 5, 'k', key_len - 5);
    long_key[key_len] = '\0';
    fake_run(&traffic, "PutObject", 3, long_key, number % 3 ? 200 : 404);
}

static void test_bytes_are_bounded(void **state)
{
    struct journal_facts facts;
    struct event event;
    uint64_t number = 0;
    struct entry *e;
    struct ask a;

    (void)state;
    for (int i = 1; i <= 10000; i++)
        run_numbered(i, i % 10 ? 10 : sizeof(long_key) - 1);
    journal_facts(admin->journal, &facts);
    assert_int_equal(facts.bytes_max, MiB(4) / 8);
    assert_in_range(facts.bytes, facts.bytes_max / 2, facts.bytes_max);
    assert_in_range(facts.size, 20, 1000);
    assert_int_equal(facts.last_id, 10000);
    /* The oldest of both rings is the same request, and the newest is there. */
    assert_int_equal(journal_read_events(admin->journal, &number, &event, 1), 1);
    number = 0;
    assert_int_equal(journal_read(admin->journal, &number, &e, 1), 1);
    assert_in_range(e->id, 10000 - facts.size + 1, 10000 - facts.size + 1);
    assert_in_range(event.entry->id, e->id - 1, e->id);
    journal_release(admin->journal, &e, 1);
    journal_release_events(admin->journal, &event, 1);
    ask_begin(&a, admin, "GET", "/_s3mem/requests?limit=1", NULL, NULL);
    assert_non_null(strstr(a.reply->text.ptr, "\"last\":10000}"));
    ask_end(&a);
}

/* What readers hold stays, is counted, and comes back. */
static void test_bytes_held_by_readers(void **state)
{
    struct entry *held[64];
    struct journal_facts facts;
    uint64_t position = 0;
    size_t count;

    (void)state;
    for (int i = 1; i <= 64; i++)
        run_numbered(i, sizeof(long_key) - 1);
    count = journal_read(admin->journal, &position, held, ARRAY_LEN(held));
    assert_in_range(count, 10, 40);
    for (int i = 0; i < 64; i++)
        run_numbered(i, sizeof(long_key) - 1);
    assert_int_equal(entry_text(held[0], ENTRY_KEY).len, sizeof(long_key) - 1);
    journal_release(admin->journal, held, count);
    for (int i = 0; i < 64; i++)
        run_numbered(i, 10);
    journal_facts(admin->journal, &facts);
    assert_in_range(facts.bytes, 1, facts.bytes_max);
    assert_in_range(facts.size, 64, 100);
}

/* Readers whose clients take nothing: together no more text than there is room for; one that
 * found none falls behind, and goes on when there is room again. */
static void test_text_of_readers_is_bounded(void **state)
{
    enum { READERS = 64 };
    static struct ask readers[READERS];
    struct journal_facts facts;
    char text[8];
    size_t len, waiting = 0;

    (void)state;
    for (size_t i = 0; i < READERS; i++)
        follow(&readers[i], "", NULL);
    for (int i = 1; i <= 64; i++)
        run_numbered(i, 1000);
    for (size_t i = 0; i < READERS; i++) {
        enum stream_next next =
            readers[i].reply->stream(readers[i].reply->stream_arg, text, sizeof(text), &len);

        waiting += next == STREAM_WAIT;
        journal_facts(admin->journal, &facts);
        assert_in_range(facts.text_bytes, 1, facts.bytes_max);
    }
    assert_in_range(waiting, READERS / 2, READERS - 8);
    for (size_t i = 0; i + 1 < READERS; i++)
        ask_end(&readers[i]);
    assert_int_equal(woken_within(&readers[READERS - 1], WAIT_MS), 1);
    assert_int_equal(readers[READERS - 1].reply->stream(readers[READERS - 1].reply->stream_arg,
                                                        text, sizeof(text), &len),
                     STREAM_MORE);
    ask_end(&readers[READERS - 1]);
    journal_facts(admin->journal, &facts);
    assert_int_equal(facts.text_bytes, 0);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, start, tear_down)
#define TEST_LARGE(name) cmocka_unit_test_setup_teardown(name, start_large, tear_down)
#define TEST_LONG(name)  cmocka_unit_test_setup_teardown(name, start_long, tear_down)
#define TEST_OFF(name)   cmocka_unit_test_setup_teardown(name, start_off, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_newest_first_and_no_more_than_it_holds),
        TEST(test_order_is_that_of_beginnings),
        TEST(test_filters),
        TEST(test_wrong_questions),
        TEST(test_what_a_request_is),
        TEST(test_an_unrouted_request),
        TEST(test_what_a_form_says_later),
        TEST(test_emptied),
        TEST(test_no_memory_for_an_entry),
        TEST_OFF(test_journal_is_off),
        TEST(test_secret_headers),
        TEST(test_secret_parameters),
        TEST(test_secrets_in_keys),
        TEST(test_what_is_no_secret),
        TEST(test_waiting_for_requests),
        TEST(test_waiting_in_vain),
        TEST(test_who_waits_leaves),
        TEST(test_emptied_while_waiting),
        TEST(test_what_is_about_to_end_is_waited_for),
        TEST(test_a_reply_on_its_way_is_waited_for),
        TEST(test_what_takes_long_is_not_waited_for),
        TEST_LARGE(test_a_long_journal_in_turns),
        TEST(test_events),
        TEST(test_filtered_events),
        TEST(test_resuming),
        TEST(test_a_slow_reader_is_told_what_it_lost),
        TEST(test_head_of_events),
        TEST(test_threads),
        TEST_LONG(test_bytes_are_bounded),
        TEST_LONG(test_bytes_held_by_readers),
        TEST_LONG(test_text_of_readers_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
