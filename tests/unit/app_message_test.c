/* SPDX-License-Identifier: MIT */
/* base_message_test.c - headers of requests looked up, headers of replies built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "app/message.h"

/* The reply's headers as "Name: value|Name: value|". */
static void assert_headers(const struct reply *r, const char *want)
{
    AUTO_BUF(text, KiB(8));

    for (size_t i = 0; i < r->line_count; i++)
        buf_addf(&text, "%s: %s|", r->lines[i].name, r->lines[i].value);
    buf_add_char(&text, '\0');
    assert_string_equal(text.ptr, want);
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
    reply_header(&r, "ETag", STR("\"abc\""));
    reply_header(&r, "x-amz-meta-empty", STR(""));
    reply_headerf(&r, "Content-Range", "bytes %d-%d/%d", 0, 4, 10);
    reply_header(&r, "x-none", STR_NONE);
    reply_kept_header(&r, "Server", "AmazonS3");
    assert_headers(&r, "ETag: \"abc\"|x-amz-meta-empty: |Content-Range: bytes 0-4/10|x-none: |"
                       "Server: AmazonS3|");
    reply_drop_headers(&r);
    assert_headers(&r, "");
    reply_header(&r, "x-again", STR("1"));
    assert_headers(&r, "x-again: 1|");
    reply_release(&r);
    assert_headers(&r, "");
}

static void test_no_header_injection(void **state)
{
    (void)state;
    struct reply r;

    reply_init(&r);
    reply_header(&r, "x-a", STR("1\r\nSet-Cookie: 2\0end"));
    reply_header(&r, "x-b", STR("\n"));
    reply_headerf(&r, "x-c", "%c%s", '\0', "\r3");
    assert_headers(&r, "x-a: 1  Set-Cookie: 2 end|x-b:  |x-c:   3|");
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
                const char *got;
                struct reply r;
                char value[30];

                memset(value, at % 2 ? '!' : '\x80', len);
                value[at] = (char)byte;
                reply_init(&r);
                reply_header(&r, "x", str_of(value, len));
                got = r.lines[0].value;
                value[at] = harmful ? ' ' : value[at];
                assert_int_equal(strlen(got), len);
                assert_memory_equal(got, value, len);
                reply_release(&r);
            }
        }
    }
}

/* More headers and longer values than the reply's own rooms hold. */
static void test_many_headers(void **state)
{
    (void)state;
    struct reply r;
    char value[64];

    reply_init(&r);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(value, sizeof(value), "%0*u", (int)(i % 40 + 1), i);
        reply_header(&r, i % 2 ? "x-odd" : "x-even", str_c(value));
    }
    assert_false(r.headers_failed);
    assert_int_equal(r.line_count, 100);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(value, sizeof(value), "%0*u", (int)(i % 40 + 1), i);
        assert_string_equal(r.lines[i].name, i % 2 ? "x-odd" : "x-even");
        assert_string_equal(r.lines[i].value, value);
    }
    reply_release(&r);
}

static void test_headers_are_limited(void **state)
{
    (void)state;
    struct reply r;
    char *big = xmalloc(KiB(63));

    memset(big, 'v', KiB(63));
    reply_init(&r);
    reply_header(&r, "x-big", str_of(big, KiB(63)));
    assert_false(r.headers_failed);
    reply_header(&r, "x-too-much", str_of(big, KiB(63)));
    assert_true(r.headers_failed);
    assert_int_equal(r.line_count, 1); /* whole headers only */
    assert_string_equal(r.lines[0].name, "x-big");
    assert_int_equal(strlen(r.lines[0].value), KiB(63));
    reply_release(&r);

    reply_header(&r, "x-never-read", str_of(big, SIZE_MAX)); /* the length alone is refused */
    assert_true(r.headers_failed);
    reply_release(&r);
    mem_free(big);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    unsigned failures = 0;
    bool done = false;

    for (uint64_t nth = 1; !done; nth++) {
        struct reply r;

        reply_init(&r);
        mem_fail_nth(nth);
        reply_headerf(&r, "x-long", "%01200d", 1);
        reply_header(&r, "ETag", STR("abc"));
        for (size_t i = 0; i < REPLY_LINES_USUAL; i++)
            reply_kept_header(&r, "x-one-too-many", "a");
        mem_fail_nth(0);
        done = !r.headers_failed;
        failures += !done;
        for (size_t i = 0; i < r.line_count; i++)
            assert_true(strlen(r.lines[i].value) > 0);
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
        cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_headers_are_limited),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_release_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
