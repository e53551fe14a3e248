/* SPDX-License-Identifier: MIT */
/* admin_statistics_test.c - counting requests, and the documents that say what was counted. */
#include "admin/traffic/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin_ask.h"
#include "admin_traffic.h"

/* ---- counting ---------------------------------------------------------------------- */

static struct statistics *s;

static int start(void **state)
{
    (void)state;
    s = statistics_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    statistics_free(s);
    return 0;
}

static void count(unsigned operation, unsigned status, int64_t duration_ns)
{
    struct traffic_call call = {.operation = STR("PutObject"),
                                .operation_number = operation,
                                .status = status,
                                .bytes_in = 10,
                                .bytes_out = 3,
                                .started_ns = clock_monotonic_ns(),
                                .duration_ns = duration_ns};

    statistics_begin(s);
    statistics_end(s, &call);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Durations from 1 us to about an hour, as many of each order of magnitude, against a sorted
 * array.
 */
static void test_quantiles(void **state)
{
    enum { N = 20000 };
    static const double parts[] = {0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999};
    static int64_t durations[N];
    struct operation_totals t;
    uint64_t random = 12345;
    double duration = 1000;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        duration *= 1.00107;
        random = random * 6364136223846793005u + 1442695040888963407u;
        durations[i] = (int64_t)(duration * (1 + (double)(random >> 40) / (1 << 24)));
        count(5, 200, durations[i]);
    }
    qsort(durations, N, sizeof(*durations), by_value);
    assert_true(durations[N - 1] > 3000 * NS_PER_S);
    assert_true(statistics_get(s, 5, &t));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        double exact = (double)durations[(size_t)(parts[i] * N) - 1];
        double found = (double)totals_quantile_ns(&t, parts[i]);

        if (found < exact * (1 - 1.0 / 32 - 1e-9) || found > exact * (1 + 1.0 / 32 + 1e-9))
            fail_msg("%g: %g is not near %g", parts[i], found, exact);
    }
    assert_int_equal(totals_quantile_ns(&t, 1), durations[N - 1]);
    assert_int_equal(t.max_ns, durations[N - 1]);
}

static void test_extreme_durations(void **state)
{
    struct operation_totals t = {.count = 0};

    (void)state;
    assert_int_equal(totals_quantile_ns(&t, 0.5), 0);
    count(5, 200, 0);
    count(5, 200, -5); /* a clock that cannot be trusted */
    count(5, 200, INT64_MAX);
    assert_true(statistics_get(s, 5, &t));
    assert_int_equal(t.count, 3);
    assert_in_range(totals_quantile_ns(&t, 0.5), 0, 32);
    assert_int_equal(totals_quantile_ns(&t, 0.99), INT64_MAX);
    assert_int_equal(t.sum_ns, INT64_MAX);
}

static void test_counts_by_operation_and_status(void **state)
{
    struct operation_totals t;

    (void)state;
    count(5, 200, 1000);
    count(5, 404, 1000);
    count(5, 200, 1000);
    count(6, 500, 1000);
    assert_true(statistics_get(s, 5, &t));
    assert_int_equal(t.count, 3);
    assert_int_equal(t.errors, 1);
    assert_int_equal(t.bytes_in, 30);
    assert_int_equal(t.bytes_out, 9);
    assert_int_equal(t.statuses[0].status, 200);
    assert_int_equal(t.statuses[0].count, 2);
    assert_int_equal(t.statuses[1].status, 404);
    assert_int_equal(t.statuses[1].count, 1);
    assert_int_equal(t.statuses[2].count, 0);
    assert_true(statistics_get(s, 6, &t));
    assert_int_equal(t.errors, 1);
    assert_false(statistics_get(s, 7, &t));
}

static void test_more_statuses_than_there_is_room(void **state)
{
    struct operation_totals t;
    uint64_t sum = 0;

    (void)state;
    for (unsigned status = 400; status < 450; status++)
        count(5, status, 1000);
    assert_true(statistics_get(s, 5, &t));
    for (size_t i = 0; i < STATISTICS_STATUSES; i++)
        sum += t.statuses[i].count;
    assert_int_equal(sum, 50);
    assert_int_equal(t.statuses[STATISTICS_STATUSES - 1].status, 0);
    assert_int_equal(t.statuses[STATISTICS_STATUSES - 1].count, 50 - 23);
}

static void test_reset(void **state)
{
    struct traffic_call running = {.operation = STR("PutObject"),
                                   .operation_number = 5,
                                   .started_ns = clock_monotonic_ns()};
    struct operation_totals t;

    (void)state;
    count(5, 200, 1000);
    statistics_begin(s);
    statistics_reset(s);
    assert_false(statistics_get(s, 5, &t));
    assert_int_equal(statistics_begun(s) - statistics_ended(s), 1);
    statistics_end(s, &running); /* began before */
    assert_false(statistics_get(s, 5, &t));
    assert_int_equal(statistics_begun(s) - statistics_ended(s), 0);
    count(5, 200, 1000);
    assert_true(statistics_get(s, 5, &t));
    assert_int_equal(t.count, 1);
}

static void *count_many(void *arg)
{
    for (int i = 0; i < 5000; i++)
        count(5, 200, 1000);
    return arg;
}

static void test_threads(void **state)
{
    pthread_t threads[STRIPES + 4];
    struct operation_totals t;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_create(&threads[i], NULL, count_many, NULL);
    for (int i = 0; i < 100; i++) {
        uint64_t ended = statistics_ended(s);

        assert_true(statistics_begun(s) >= ended);
        statistics_get(s, 5, &t);
        assert_true(t.count >= ended);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(statistics_get(s, 5, &t));
    assert_int_equal(t.count, ARRAY_LEN(threads) * 5000);
    assert_int_equal(t.bytes_in, ARRAY_LEN(threads) * 50000);
}

/* Source: shared/S3DB.md, getStats of MemoryClient. */
static void test_formatted_sizes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0 Bytes"},
        {1, "1 Bytes"},
        {1023, "1023 Bytes"},
        {1024, "1 KB"},
        {1025, "1 KB"},
        {1152, "1.13 KB"},
        {1536, "1.5 KB"},
        {2961, "2.89 KB"},
        {1024000, "1000 KB"},
        {1048575, "1024 KB"},
        {1048576, "1 MB"},
        {UINT64_C(5) << 30, "5 GB"},
        {UINT64_C(1) << 40, "1 TB"},
        {(UINT64_C(1) << 50) + (UINT64_C(1) << 46), "1.06 PB"},
        {UINT64_MAX, "16 EB"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_BUF(text, 64);

        size_add_formatted(&text, sizes[i].bytes);
        buf_add_char(&text, '\0');
        assert_string_equal(text.ptr, sizes[i].text);
    }
}

/* ---- the documents ----------------------------------------------------------------- */

static struct store *store;
static struct admin *admin;
static struct traffic traffic;

static int start_admin(void **state)
{
    (void)state;
    store = store_new(&(struct store_options){0});
    admin = admin_new(&(struct admin_options){
        .store = store, .version = "1.2.3", .journal_size = 10, .max_memory_bytes = MiB(64)});
    traffic = admin_traffic(admin);
    return 0;
}

static int stop_admin(void **state)
{
    (void)state;
    admin_free(admin);
    store_free(store);
    return 0;
}

static void create(struct str bucket)
{
    AUTO(branch) b = store_branch(store, STR("main"));

    assert_int_equal(bucket_create(b, &(struct bucket_spec){.name = bucket,
                                                            .region = STR("eu-north-1"),
                                                            .owner = STR("o")}),
                     S3_OK);
}

static void put(struct str bucket, struct str key, struct str bytes)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    struct body *body = body_new(store, bytes.len);

    assert_true(body_append(body, bytes.ptr, bytes.len));
    assert_int_equal(object_put(b, bucket,
                                record_new(store, &(struct record_spec){.key = key}, body),
                                NULL, NULL),
                     S3_OK);
}

static json_t *get(const char *target, unsigned wanted)
{
    unsigned status;
    char *text = ask_text(admin, "GET", target, &status);
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    if (status != wanted || !value)
        fail_msg("%s: %u %s", target, status, text);
    mem_free(text);
    return value;
}

/* Compares a value with the JSON that it must be. */
static void expect(json_t *value, const char *wanted)
{
    json_t *w = json_loads(wanted, JSON_DECODE_ANY, NULL);

    if (!json_equal(value, w))
        fail_msg("%s is not %s", json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT), wanted);
    json_decref(w);
}

static json_t *at(json_t *list, size_t index)
{
    return json_array_get(list, index);
}

static void test_stats_of_buckets(void **state)
{
    json_t *stats, *branches, *bucket;

    (void)state;
    create(STR("one"));
    create(STR("two"));
    put(STR("one"), STR("b"), STR("12345"));
    put(STR("one"), STR("a\xFF"), STR("1"));
    put(STR("two"), STR("c"), STR("1234"));
    assert_int_equal(store_fork(store, STR("other"), STR("main"), STR_NONE), NAMED_OK);

    stats = get("/_s3mem/stats?keys=true", 200);
    branches = json_object_get(stats, "branches");
    assert_int_equal(json_array_size(branches), 2);
    expect(json_object_get(at(branches, 0), "name"), "\"main\"");
    expect(json_object_get(at(branches, 0), "from"), "null");
    expect(json_object_get(at(branches, 1), "name"), "\"other\"");
    expect(json_object_get(at(branches, 1), "from"), "\"main\"");
    expect(json_object_get(at(branches, 1), "bucketCount"), "2");
    expect(json_object_get(at(branches, 1), "objectCount"), "3");
    expect(json_object_get(at(branches, 1), "totalSize"), "10");
    expect(json_object_get(at(branches, 1), "totalSizeFormatted"), "\"10 Bytes\"");
    bucket = at(json_object_get(at(branches, 0), "buckets"), 0);
    json_object_del(bucket, "created");
    expect(
        bucket,
        "{\"bucket\":\"one\",\"region\":\"eu-north-1\",\"versioning\":null,\"objectCount\":2,"
        "\"totalSize\":6,\"totalSizeFormatted\":\"6 Bytes\",\"versionCount\":0,"
        "\"versionSize\":0,\"uploadCount\":0,\"keys\":[\"a\xEF\xBF\xBD\",\"b\"]}");
    expect(json_object_get(json_object_get(stats, "memory"), "data"), "10");
    expect(json_object_get(json_object_get(stats, "memory"), "shared"), "10");
    expect(json_object_get(json_object_get(stats, "memory"), "limit"), "67108864");
    expect(json_object_get(stats, "version"), "\"1.2.3\"");
    expect(json_object_get(stats, "evictions"), "0");
    expect(json_object_get(stats, "snapshots"), "[]");
    json_decref(stats);
}

static void test_narrowed_stats(void **state)
{
    json_t *stats, *branches;

    (void)state;
    create(STR("one"));
    assert_int_equal(store_fork(store, STR("a"), STR("main"), STR_NONE), NAMED_OK);
    create(STR("two"));

    stats = get("/_s3mem/stats?branch=main", 200);
    branches = json_object_get(stats, "branches");
    assert_int_equal(json_array_size(branches), 1);
    assert_int_equal(json_array_size(json_object_get(at(branches, 0), "buckets")), 2);
    json_decref(stats);

    stats = get("/_s3mem/stats?bucket=two", 200);
    branches = json_object_get(stats, "branches");
    assert_int_equal(json_array_size(branches), 1);
    expect(json_object_get(at(branches, 0), "name"), "\"main\"");
    expect(json_object_get(at(branches, 0), "bucketCount"), "2");
    assert_int_equal(json_array_size(json_object_get(at(branches, 0), "buckets")), 1);
    json_decref(stats);

    json_decref(get("/_s3mem/stats?bucket=one&branch=a", 200));
    json_decref(get("/_s3mem/stats?bucket=two&branch=a", 404));
    json_decref(get("/_s3mem/stats?bucket=three", 404));
    json_decref(get("/_s3mem/stats?branch=b", 404));
    json_decref(get("/_s3mem/stats?branch=no/name", 400));
    json_decref(get("/_s3mem/stats?keys=1", 400));
}

static void test_many_keys_in_pieces(void **state)
{
    enum { KEYS = 20000 };
    struct ask a;
    json_t *stats, *keys;
    char key[16];

    (void)state;
    create(STR("full"));
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key-%05d", i);
        put(STR("full"), str_c(key), STR(""));
    }
    ask_begin(&a, admin, "GET", "/_s3mem/stats?keys=true", NULL, NULL);
    stats = json_loadb(a.reply->text.ptr, a.reply->text.len, 0, NULL);
    keys = json_object_get(at(json_object_get(stats, "branches"), 0), "buckets");
    keys = json_object_get(at(keys, 0), "keys");
    assert_int_equal(json_array_size(keys), KEYS);
    assert_string_equal(json_string_value(at(keys, KEYS - 1)), "key-19999");
    json_decref(stats);
    ask_end(&a);
    /* Piece by piece; and leaving in the middle. */
    ask_keeps_streams = true;
    ask_begin(&a, admin, "GET", "/_s3mem/stats?keys=true", NULL, NULL);
    for (int i = 0; i < 3; i++) {
        static char piece[MiB(1)];
        size_t len;

        assert_int_equal(a.reply->stream(a.reply->stream_arg, piece, sizeof(piece), &len),
                         STREAM_MORE);
        assert_in_range(len, 1, KiB(32));
    }
    ask_end(&a);
    ask_keeps_streams = false;
}

static void test_stats_of_requests(void **state)
{
    json_t *stats, *requests, *journal;
    unsigned status;

    (void)state;
    fake_run(&traffic, "PutObject", 3, "a", 200);
    fake_run(&traffic, "PutObject", 3, "a", 503);
    fake_run(&traffic, "GetObject", 4, "a", 200);
    stats = get("/_s3mem/stats", 200);
    requests = json_object_get(stats, "requests");
    expect(json_object_get(requests, "total"), "3");
    expect(json_object_get(requests, "errors"), "1");
    expect(json_object_get(requests, "active"), "0");
    expect(json_object_get(requests, "bytesOut"), "3072");
    expect(json_object_get(json_object_get(requests, "operations"), "PutObject"),
           "{\"count\":2,\"errors\":1,\"bytesIn\":0,\"bytesOut\":2048,\"statuses\":{\"200\":1,"
           "\"503\":1},\"latencyMs\":{\"mean\":1.500,\"p50\":1.475,\"p90\":1.475,\"p99\":1.475,"
           "\"max\":1.500}}");
    journal = json_object_get(stats, "journal");
    assert_true(json_integer_value(json_object_get(journal, "bytes")) > 0);
    json_object_del(journal, "bytes");
    expect(journal, "{\"capacity\":10,\"size\":3,\"limit\":8388608}");
    json_decref(stats);

    mem_free(ask_text(admin, "POST", "/_s3mem/clear?stats=reset", &status));
    assert_int_equal(status, 200);
    stats = get("/_s3mem/stats", 200);
    expect(json_object_get(json_object_get(stats, "requests"), "total"), "0");
    expect(json_object_get(json_object_get(stats, "requests"), "operations"), "{}");
    json_decref(stats);
}

static void test_door(void **state)
{
    AUTO_BUF(text, MiB(1));
    AUTO_BUF(small, 100);
    json_t *stats;

    (void)state;
    create(STR("one"));
    put(STR("one"), STR("k"), STR("v"));
    admin_stats(admin, true, &text);
    stats = json_loadb(text.ptr, text.len, 0, NULL);
    assert_non_null(stats);
    json_decref(stats);
    assert_true(str_find(buf_str(&text), STR("\"keys\":[\"k\"]")) != SIZE_MAX);
    admin_stats(admin, true, &small);
    assert_false(buf_ok(&small));
}

static void test_metrics(void **state)
{
    unsigned status;
    char *text;

    (void)state;
    create(STR("one"));
    put(STR("one"), STR("k"), STR("12345"));
    assert_int_equal(store_fork(store, STR("u=1@x"), STR("main"), STR_NONE), NAMED_OK);
    fake_run(&traffic, "PutObject", 3, "k", 200);
    text = ask_text(admin, "GET", "/_s3mem/metrics", &status);
    assert_int_equal(status, 200);
    assert_non_null(strstr(text, "\ns3mem_info{version=\"1.2.3\"} 1\n"));
    assert_non_null(
        strstr(text, "\ns3mem_requests_total{operation=\"PutObject\",status=\"200\"} 1\n"));
    assert_non_null(strstr(text, "\ns3mem_object_bytes{branch=\"u=1@x\",bucket=\"one\"} 5\n"));
    assert_non_null(strstr(text, "\ns3mem_branches 2\n"));
    assert_non_null(strstr(text, "\ns3mem_memory_bytes{kind=\"shared\"} 5\n"));
    assert_int_equal(text[strlen(text) - 1], '\n');
    mem_free(text);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, start, tear_down)
#define TEST_ADMIN(name) cmocka_unit_test_setup_teardown(name, start_admin, stop_admin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_quantiles),
        TEST(test_extreme_durations),
        TEST(test_counts_by_operation_and_status),
        TEST(test_more_statuses_than_there_is_room),
        TEST(test_reset),
        TEST(test_threads),
        cmocka_unit_test(test_formatted_sizes),
        TEST_ADMIN(test_stats_of_buckets),
        TEST_ADMIN(test_narrowed_stats),
        TEST_ADMIN(test_many_keys_in_pieces),
        TEST_ADMIN(test_stats_of_requests),
        TEST_ADMIN(test_door),
        TEST_ADMIN(test_metrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
