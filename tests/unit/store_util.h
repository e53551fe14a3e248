/* SPDX-License-Identifier: MIT */
/* store_util.h - what the store's tests share: repeatable random numbers, records in one line.
 */
#ifndef S3MEM_TESTS_STORE_UTIL_H
#define S3MEM_TESTS_STORE_UTIL_H

#include "store/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Which sanitizer runs: both compilers, whose words differ. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

#define BUCKET STR("bucket")

/* The same sequence in every run: a failure is found again. */
struct lcg {
    uint64_t state;
};

static inline uint32_t lcg_next(struct lcg *g)
{
    g->state = g->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(g->state >> 33);
}

static inline uint32_t lcg_below(struct lcg *g, uint32_t limit)
{
    return lcg_next(g) % limit;
}

static inline struct store *test_store(uint64_t max_memory_bytes)
{
    return store_new(&(struct store_options){.max_memory_bytes = max_memory_bytes});
}

static inline void test_bucket(struct branch *b, struct str name)
{
    struct bucket_spec spec = {.name = name, .region = STR("us-east-1"), .owner = STR("me")};

    assert_int_equal(bucket_create(b, &spec), S3_OK);
}

/* Without what is kept for writes to come. */
static inline uint64_t test_memory(struct store *store)
{
    struct store_stats stats;

    store_reap_wait(store);
    store_drop_nodes(store);
    store_stats(store, &stats);
    return stats.memory_bytes;
}

/* NULL when memory is out, as record_new. */
static inline struct record *test_record(struct store *store, struct str key,
                                         struct str content)
{
    struct record_spec spec = {.key = key, .mtime_ns = clock_now_ns()};
    struct body *body = body_new(store, content.len);

    if (!body || !body_append(body, content.ptr, content.len)) {
        body_unref(body);
        return NULL;
    }
    md5_once(content, spec.md5);
    return record_new(store, &spec, body);
}

/* PutObject without conditions; what it replaced is dropped. */
static inline void test_put(struct store *store, struct branch *b, struct str key,
                            struct str content, char version_id[VERSION_ID_SIZE])
{
    struct record *r = test_record(store, key, content);
    struct write_result result;

    assert_non_null(r);
    assert_int_equal(object_put(b, BUCKET, r, NULL, &result), S3_OK);
    record_unref(result.old);
    if (version_id)
        memcpy(version_id, result.version_id, VERSION_ID_SIZE);
}

/* All bytes of a record, in a buffer that the next call reuses. */
static inline struct str test_content(const struct record *r)
{
    static _Thread_local char bytes[1 << 16];
    struct slice slices[64];
    size_t count = record_slices(r, 0, record_size(r), slices, ARRAY_LEN(slices));
    size_t len = 0;

    assert_true(count <= ARRAY_LEN(slices) && record_size(r) <= sizeof(bytes));
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + len, slices[i].ptr, slices[i].len);
        len += slices[i].len;
    }
    return str_of(bytes, len);
}

static inline void assert_str_equal(struct str a, struct str b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.ptr, b.ptr, a.len);
}

#endif
