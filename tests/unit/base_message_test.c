/* SPDX-License-Identifier: MIT */
/* base_message_test.c - headers of requests looked up, headers of replies built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/message.h"

/* The reply's headers as "Name: value|Name: value|". */
static void assert_headers(const struct reply *r, const char *want)
{
    const char *name, *value;
    size_t count = 0;
    AUTO_BUF(text, KiB(8));

    for (const char *at = NULL; (at = reply_header_next(r, at, &name, &value)); count++)
        buf_addf(&text, "%s: %s|", name, value);
    buf_add_char(&text, '\0');
    assert_string_equal(text.ptr, want);
    assert_int_equal(r->header_count, count);
}

static void test_request_headers(void **state)
{
    (void)state;
    const struct header headers[] = {
        {STR("Host"), STR("localhost")},
        {STR("X-Amz-Meta-A"), STR("1")},
        {STR("x-amz-meta-a"), STR("2")},
        {STR("Empty"), STR("")},
    };
    struct request req = {.headers = headers, .header_count = ARRAY_LEN(headers)};

    assert_true(str_eq(request_header(&req, STR("host")), STR("localhost")));
    assert_true(str_eq(request_header(&req, STR("X-AMZ-META-A")), STR("1")));
    assert_int_equal(request_header_count(&req, STR("x-amz-meta-a")), 2);
    assert_non_null(request_header(&req, STR("empty")).ptr);
    assert_null(request_header(&req, STR("Hos")).ptr);
    assert_int_equal(request_header_count(&req, STR("Hos")), 0);
}

static void test_reply_headers(void **state)
{
    (void)state;
    struct reply r;

    reply_init(&r);
    assert_int_equal(r.status, 200);
    assert_true(r.content_length == CONTENT_LENGTH_NONE);
    assert_headers(&r, "");
    reply_header(&r, STR("ETag"), STR("\"abc\""));
    reply_header(&r, STR("x-amz-meta-empty"), STR(""));
    reply_headerf(&r, "Content-Range", "bytes %d-%d/%d", 0, 4, 10);
    reply_header(&r, STR("x-none"), STR_NONE);
    assert_headers(&r,
                   "ETag: \"abc\"|x-amz-meta-empty: |Content-Range: bytes 0-4/10|x-none: |");
    reply_release(&r);
    assert_headers(&r, "");
}

static void test_no_header_injection(void **state)
{
    (void)state;
    struct reply r;

    reply_init(&r);
    reply_header(&r, STR("x-a"), STR("1\r\nSet-Cookie: 2\0end"));
    reply_header(&r, STR("x-b\r\n\0"), STR("\n"));
    reply_headerf(&r, "x-c", "%c%s", '\0', "\r3");
    assert_headers(&r, "x-a: 1  Set-Cookie: 2 end|x-b   :  |x-c:   3|");
    reply_release(&r);
}

/* Each dangerous byte at each place of values of each length, among bytes that are not. */
static void test_no_injection_anywhere(void **state)
{
    (void)state;
    for (size_t len = 1; len < 30; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                bool harmful = byte == '\r' || byte == '\n' || byte == '\0';
                const char *name, *got;
                struct reply r;
                char value[30];

                memset(value, at % 2 ? '!' : '\x80', len);
                value[at] = (char)byte;
                reply_init(&r);
                reply_header(&r, STR("x"), str_of(value, len));
                assert_non_null(reply_header_next(&r, NULL, &name, &got));
                value[at] = harmful ? ' ' : value[at];
                assert_int_equal(strlen(got), len);
                assert_memory_equal(got, value, len);
                reply_release(&r);
            }
        }
    }
}

static void test_headers_are_limited(void **state)
{
    (void)state;
    struct reply r;
    size_t kept;
    const char *name, *value, *at = NULL;
    char *big = xmalloc(KiB(63));

    memset(big, 'v', KiB(63));
    reply_init(&r);
    reply_header(&r, STR("x-big"), str_of(big, KiB(63)));
    assert_true(buf_ok(&r.headers));
    reply_header(&r, STR("x-too-much"), str_of(big, KiB(63)));
    assert_false(buf_ok(&r.headers));
    kept = r.header_count;
    assert_int_equal(kept, 1);
    at = reply_header_next(&r, at, &name, &value);
    assert_string_equal(name, "x-big"); /* whole headers only */
    assert_int_equal(strlen(value), KiB(63));
    assert_null(reply_header_next(&r, at, &name, &value));
    reply_release(&r);

    reply_header(&r, str_of(big, SIZE_MAX), STR("never read: the length alone is refused"));
    assert_false(buf_ok(&r.headers));
    reply_release(&r);
    mem_free(big);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    unsigned failures = 0;
    bool done = false;

    for (uint64_t nth = 1; !done; nth++) {
        const char *name, *value, *at = NULL;
        struct reply r;

        reply_init(&r);
        mem_fail_nth(nth);
        reply_headerf(&r, "x-long", "%01200d", 1);
        reply_header(&r, STR("ETag"), STR("abc"));
        mem_fail_nth(0);
        done = buf_ok(&r.headers);
        failures += !done;
        for (size_t i = 0; i < r.header_count; i++)
            assert_non_null(at = reply_header_next(&r, at, &name, &value));
        assert_null(reply_header_next(&r, at, &name, &value));
        reply_release(&r);
    }
    assert_true(failures >= 3);
}

static void count_release(void *arg)
{
    ++*(unsigned *)arg;
}

static void test_release_once(void **state)
{
    (void)state;
    unsigned released = 0;
    struct reply r;

    reply_init(&r);
    r.slices = xcalloc(2, sizeof(*r.slices));
    r.slice_count = 2;
    r.slices_len = 10;
    r.release = count_release;
    r.release_arg = &released;
    buf_add(&r.text, STR("body"));
    reply_release(&r);
    reply_release(&r);
    assert_int_equal(released, 1);
    assert_null(r.slices);
    assert_int_equal(r.slice_count, 0);
    assert_true(r.slices_len == 0);
    assert_int_equal(r.text.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_headers),
        cmocka_unit_test(test_reply_headers),
        cmocka_unit_test(test_no_header_injection),
        cmocka_unit_test(test_no_injection_anywhere),
        cmocka_unit_test(test_headers_are_limited),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_release_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
