/* SPDX-License-Identifier: MIT */
/* http_limits_test.c - malformed requests, slow clients, many clients, stopping. */
#include "http_fixture.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fixture *f;

static int start(void **state)
{
    (void)state;
    f = fixture_start(NEVER_MS, NEVER_MS, 8);
    return 0;
}

/* For clients that are too slow for this server. */
static int start_impatient(void **state)
{
    (void)state;
    f = fixture_start(400, 400, 8);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_stop(f);
    return 0;
}

static void expect_served(void)
{
    struct answer a;
    int fd = client_connect(f);

    client_send(fd, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_read(fd, &a, false);
    assert_int_equal(a.status, 200);
    client_free(&a);
    close(fd);
}

/* ---- framing ----------------------------------------------------------------------- */

/* libmicrohttpd 1.0 refuses by itself, before any callback and with a page of HTML, what the
 * front end has to refuse in front of 0.9.75. */
static bool refused_by_library(const struct answer *a)
{
    return MHD_get_version()[0] != '0' && a->status >= 400 && strstr(a->body, "<html>");
}

/* Refused by the front end, in S3's words, and the connection ends. */
static void expect_refused(const char *request, unsigned status, const char *code)
{
    struct answer a;
    int fd = client_connect(f);

    client_send(fd, request);
    client_read(fd, &a, false);
    if (!refused_by_library(&a)) {
        assert_int_equal(a.status, status);
        if (code)
            assert_non_null(strstr(a.body, code));
    }
    client_free(&a);
    assert_true(client_sees_end(fd, WAIT_MS));
    close(fd);
    assert_int_equal(counts.begun, 0);
}

static void test_ambiguous_framing(void **state)
{
    (void)state;
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                   "Content-Length: 3\r\n\r\n0\r\n\r\n",
                   400, "<Code>BadRequest</Code>");
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                   "Content-Length: 4\r\n\r\nabcd",
                   400, "<Code>BadRequest</Code>");
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc", 400,
                   "<Code>BadRequest</Code>");
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                   501, "<Code>NotImplemented</Code>");
    expect_refused("PUT /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400,
                   "<Code>BadRequest</Code>");
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400,
                   "<Code>BadRequest</Code>");
    expect_refused("GET /x HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: one\r\n two\r\n\r\n", 400,
                   "<Code>BadRequest</Code>");
    expect_refused("GET /x HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: one\r\n\ttwo\r\nb: c\r\n\r\n",
                   400, "<Code>BadRequest</Code>");
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\n", 400, NULL);
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, NULL);
    expect_refused("PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
                   413, NULL);
    expect_refused("GET /x HTTP/2.0\r\nHost: h\r\n\r\n", 505, NULL);
}

static void test_nul_in_header(void **state)
{
    static const char *const requests[] = {
        "GET /x HTTP/1.1\r\nHost: h\r\na: b0c\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h0i\r\na: b\r\n\r\n",
        "GET /x HTTP/1.1\nHost: h\na: b0c\nd: e\n\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        char request[200];
        struct answer a;
        int fd = client_connect(f);

        snprintf(request, sizeof(request), "%s", requests[i]);
        *strchr(request, '0') = '\0';
        client_send_bytes(fd, request, strlen(requests[i]));
        client_read(fd, &a, false);
        assert_int_equal(a.status, 400);
        client_free(&a);
        close(fd);
    }
    assert_int_equal(counts.begun, 0);
}

/* Blanks around values and empty values are no reason to refuse. */
static void test_loose_header_lines(void **state)
{
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "GET /x HTTP/1.1\r\nHost: h\r\na:b\r\nc:\r\nd:  e \t\r\nf: \r\n\r\n"
                    "GET /y HTTP/1.1\r\nHost:h\r\n\r\n");
    client_read(fd, &a, false);
    assert_string_equal(a.body, "GET /x 0");
    client_free(&a);
    client_read(fd, &a, false);
    assert_string_equal(a.body, "GET /y 0");
    client_free(&a);
    close(fd);
}

/* A server may take a bare line feed for a line's end (RFC 9112, 2.2). 0.9.75 cannot be told
 * not to; 1.0 would also take it for one where it breaks the framing of chunks. */
static void test_bare_line_feeds(void **state)
{
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "GET /x HTTP/1.1\nHost: h\na:b\nc:\nd:  e \t\nf: \r\n\n");
    client_read(fd, &a, false);
    if (!refused_by_library(&a))
        assert_string_equal(a.body, "GET /x 0");
    client_free(&a);
    close(fd);
}

/* 0.9.75 takes "chunked " for another encoding; 1.0 reads a value without the blanks around it.
 * Either way the body ends where its chunks do. */
static void test_blank_behind_encoding(void **state)
{
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked \r\n\r\n"
                    "1\r\na\r\n0\r\n\r\n");
    client_read(fd, &a, false);
    if (MHD_get_version()[0] == '0') {
        assert_int_equal(a.status, 501);
        assert_non_null(strstr(a.body, "<Code>NotImplemented</Code>"));
        assert_true(client_sees_end(fd, WAIT_MS));
        assert_int_equal(counts.begun, 0);
    } else {
        assert_string_equal(a.body, "PUT /x 1");
    }
    client_free(&a);
    close(fd);
}

static void test_equal_lengths_are_one(void **state)
{
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                    "content-length:  3 \r\n\r\nabc");
    client_read(fd, &a, false);
    /* 1.0.10 takes no length twice. */
    if (!refused_by_library(&a))
        assert_string_equal(a.body, "PUT /x 3");
    client_free(&a);
    close(fd);
}

/* S3 allows 8 KiB; the connection goes on. */
static void test_large_headers(void **state)
{
    char value[8100];
    AUTO_BUF(request, KiB(32));
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    memset(value, 'v', sizeof(value));
    for (int extra = 0; extra <= 1; extra++) {
        buf_reset(&request);
        buf_addf(&request,
                 "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nx-amz-meta-a: %.*s%.*s",
                 (int)sizeof(value), value, extra ? 100 : 0, value);
        buf_add(&request, STR("\r\n\r\nabc"));
        client_send_bytes(fd, request.ptr, request.len);
        client_read(fd, &a, false);
        assert_int_equal(a.status, extra ? 400 : 200);
        assert_true(!extra == !strstr(a.body, "<Code>RequestHeaderSectionTooLarge</Code>"));
        client_free(&a);
    }
    client_send(fd, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    client_read(fd, &a, false);
    assert_string_equal(a.body, "GET /next 0");
    client_free(&a);
    close(fd);
}

static void test_oversized_headers(void **state)
{
    const size_t size = 200000;
    char *request = xmalloc(size + 1);
    int fd = client_connect(f);
    char reply[16] = "";

    (void)state;
    memset(request, 'a', size);
    /* Not the Host, for which 1.0 says 414 URI Too Long. */
    memcpy(request, "GET /x HTTP/1.1\r\nHost: h\r\nx: ", 29);
    request[size] = '\0';
    /* It may be cut while we still send. */
    if (send(fd, request, size, MSG_NOSIGNAL) == (ssize_t)size &&
        recv(fd, reply, 12, MSG_WAITALL) == 12)
        assert_string_equal(reply, "HTTP/1.1 431");
    close(fd);
    mem_free(request);
    assert_int_equal(counts.begun, 0);
    expect_served();
}

static void test_bad_chunk(void **state)
{
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    client_read(fd, &a, false);
    assert_int_equal(a.status, 400);
    client_free(&a);
    close(fd);
    wait_for(&counts.done, 1);
    assert_int_equal(counts.aborted, 1);
}

/* Whatever comes, the next client is served. */
static void test_garbage(void **state)
{
    static const char *const starts[] = {
        "GET ",
        "GET /x HTTP/1.1\r\n",
        "PUT /x HTTP/1.1\r\nContent-Length: 9\r\n",
        "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "",
        "GET /x HTTP/1.1\r\nA: b\r\n continued\r\n\tagain\r\n",
    };

    (void)state;
    srand(7);
    for (int i = 0; i < 300; i++) {
        int fd = client_connect(f);
        unsigned char noise[300];
        const char *begin = starts[i % (int)ARRAY_LEN(starts)];

        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (unsigned char)(rand() % 4 ? "\r\n :0a;"[rand() % 7] : rand());
        client_send(fd, begin);
        /* The server may have hung up already. */
        (void)!send(fd, noise, (size_t)(rand() % (int)sizeof(noise)), MSG_NOSIGNAL);
        close(fd);
    }
    expect_served();
}

/* ---- slow clients ------------------------------------------------------------------ */

/* Sends a byte every 50 ms; true when the server hangs up. */
static bool dribble(int fd, char byte)
{
    for (int i = 0; i < WAIT_MS / 50; i++) {
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || client_sees_end(fd, 50))
            return true;
    }
    return false;
}

static void test_dribbled_headers_are_cut(void **state)
{
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "GET /x HTTP/1.1\r\nHost: h\r\nx-slow: ");
    assert_true(dribble(fd, 'a'));
    close(fd);
    fd = client_connect(f);
    assert_true(dribble(fd, 'G'));
    close(fd);
    assert_int_equal(counts.begun, 0);
}

static void test_dribbled_body_is_cut(void **state)
{
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    assert_true(dribble(fd, 'b'));
    close(fd);
    wait_for(&counts.done, 1);
    assert_int_equal(counts.aborted, 1);
}

/* The end of the client comes with its last bytes: it is noticed long before any timeout. All
 * leave side by side, as the server takes a second or two to look at each. */
static void test_leavers_are_noticed(void **state)
{
    static const char *const unfinished[] = {
        "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello",
        "GET /x HTTP/1.1\r\nHo",
        "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    int fds[30];

    (void)state;
    fixture_stop(f);
    f = fixture_start(NEVER_MS, NEVER_MS, 100);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = client_connect(f);
        client_send(fds[i], unfinished[i % 3]);
        shutdown(fds[i], SHUT_WR);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(client_sees_end(fds[i], WAIT_MS));
        close(fds[i]);
    }
}

/* A slow body that keeps moving is nobody's business: all of it takes longer than the timeout,
 * each step much less. */
static void test_steady_body_is_not_cut(void **state)
{
    char block[2000];
    struct answer a;
    int fd;

    (void)state;
    fixture_stop(f);
    f = fixture_start(NEVER_MS, 4000, 8);
    fd = client_connect(f);
    memset(block, 'x', sizeof(block));
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        usleep(450000);
        client_send_bytes(fd, block, sizeof(block));
    }
    client_read(fd, &a, false);
    assert_string_equal(a.body, "PUT /x 20000");
    client_free(&a);
    close(fd);
}

/* The limit is 8: the ninth waits in the kernel until the guard has cut the stuck ones. */
static void test_stuck_clients_give_way(void **state)
{
    int stuck[20];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stuck); i++) {
        stuck[i] = client_connect(f);
        client_send(stuck[i], i % 2
                                  ? "GET /x HTTP/1.1\r\n"
                                  : "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1");
    }
    expect_served();
    for (size_t i = 0; i < ARRAY_LEN(stuck); i++)
        close(stuck[i]);
}

/* ---- stopping ---------------------------------------------------------------------- */

static void test_quiesce_lets_requests_finish(void **state)
{
    struct answer a;
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    wait_for(&counts.begun, 1);
    assert_int_equal(http_server_active(f->server), 1);
    http_server_quiesce(f->server);
    assert_int_equal(http_server_active(f->server), 1);
    client_send(fd, "abc");
    client_read(fd, &a, false);
    assert_string_equal(a.body, "PUT /x 3");
    assert_string_equal(client_header(&a, "Connection"), "close");
    client_free(&a);
    assert_true(client_sees_end(fd, WAIT_MS));
    close(fd);
    wait_for(&counts.done, 1);
    for (int i = 0; i < WAIT_MS / 10 && http_server_active(f->server); i++)
        usleep(10000);
    assert_int_equal(http_server_active(f->server), 0);
}

static void test_stop_cuts_the_rest(void **state)
{
    int fd = client_connect(f);

    (void)state;
    client_send(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
    wait_for(&counts.begun, 1);
    fixture_stop(f);
    assert_int_equal(counts.aborted, 1);
    assert_true(client_sees_end(fd, WAIT_MS));
    close(fd);
    f = fixture_start(NEVER_MS, NEVER_MS, 8);
}

int main(void)
{
#define CASE(name)      cmocka_unit_test_setup_teardown(name, start, tear_down)
#define IMPATIENT(name) cmocka_unit_test_setup_teardown(name, start_impatient, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_ambiguous_framing),
        CASE(test_nul_in_header),
        CASE(test_loose_header_lines),
        CASE(test_bare_line_feeds),
        CASE(test_blank_behind_encoding),
        CASE(test_equal_lengths_are_one),
        CASE(test_large_headers),
        CASE(test_oversized_headers),
        CASE(test_bad_chunk),
        CASE(test_garbage),
        IMPATIENT(test_dribbled_headers_are_cut),
        IMPATIENT(test_dribbled_body_is_cut),
        CASE(test_leavers_are_noticed),
        CASE(test_steady_body_is_not_cut),
        IMPATIENT(test_stuck_clients_give_way),
        CASE(test_quiesce_lets_requests_finish),
        CASE(test_stop_cuts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
