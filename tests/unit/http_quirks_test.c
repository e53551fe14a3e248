/* SPDX-License-Identifier: MIT */
/* http_quirks_test.c - the check of libmicrohttpd at start. A library that reads something else
 * than what a client sent is played by this one, and by a client that sends something else. */
#include "http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct change {
    const char *what; /* the complaint */
    struct str sent, read;
} changed;
static bool takes_queries_apart;

/* In place of libc's, for the check and the library. */
ssize_t send(int fd, const void *data, size_t len, int flags)
{
    char text[1024];
    size_t at = str_find(str_of(data, len), changed.sent);

    if (changed.sent.len == 0 || at == SIZE_MAX)
        return sendto(fd, data, len, flags, NULL, 0);
    assert_true(len + changed.read.len < sizeof(text));
    memcpy(text, data, at);
    memcpy(text + at, changed.read.ptr, changed.read.len);
    memcpy(text + at + changed.read.len, (const char *)data + at + changed.sent.len,
           len - at - changed.sent.len);
    return sendto(fd, text, len - changed.sent.len + changed.read.len, flags, NULL, 0);
}

/* In place of libmicrohttpd's: asked for nothing but the query's parameters. */
int MHD_get_connection_values(struct MHD_Connection *mhd, enum MHD_ValueKind kind,
                              MHD_KeyValueIterator iterator, void *arg)
{
    (void)mhd;
    (void)iterator;
    (void)arg;
    assert_int_equal(kind, MHD_GET_ARGUMENT_KIND);
    return takes_queries_apart;
}

static void test_library_at_hand(void **state)
{
    AUTO_BUF(why, KiB(4));

    (void)state;
    if (!quirks_check(&why))
        fail_msg("%.*s", (int)why.len, why.ptr);
    assert_int_equal(why.len, 0);
}

static void expect_complaint(const char *what)
{
    AUTO_BUF(why, KiB(4));

    if (quirks_check(&why))
        fail_msg("no word about %s", what);
    buf_add(&why, STR("\0"));
    if (!strstr(why.ptr, what))
        fail_msg("'%s' is not about %s", why.ptr, what);
}

static void test_changed_libraries(void **state)
{
    static const struct change changes[] = {
        {"a NUL in a header", STR("A: b\0c\r\nHost"), STR("A: b c\r\nHost")},
        {"a NUL in the last header", STR("A: b\0c\r\n\r\n"), STR("A: b\r\n\r\n")},
        {"a NUL in a header's name", STR("A\0b:"), STR("A:")},
        {"a NUL in the request line", STR("/a\0b"), STR("/a")},
        {"folded headers", STR("b\r\n c"), STR("b   c")},
        {"folded headers", STR("b\r\n\tc: d\r\n"), STR("b\r\n")},
        {"a CR in a header", STR("b\rc"), STR("b c")},
        {"a blank before the colon", STR("Length : 3"), STR("Length: 3")},
        {"blanks in the request line", STR("GET  /"), STR("GET /")},
        {"blanks in the request line", STR("/a b"), STR("/a%20b")},
        {"lengths that differ", STR("Content-Length: 1\r\nContent-Length: 2"),
         STR("Content-Length: 2")},
        {"a length beside an encoding", STR("3\r\nTransfer-Encoding: chunked"), STR("3")},
        {"unknown encodings", STR("chunked, x"), STR("chunked")},
        {"a length beyond all numbers", STR("18446744073709551615"), STR("0")},
        {"trailers behind a chunk's extension", STR("0;e=1\r\n"), STR("0\r\n\r\n")},
        {"targets, queries", STR("%2F+"), STR("/ ")},
        {"targets, queries", STR("A:  b \t\r\n"), STR("A: b\r\nA: b\r\n")},
        {"Expect without a body", STR("100-continue\r\n"),
         STR("100-continue\r\nContent-Length: 1\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        changed = changes[i];
        expect_complaint(changed.what);
    }
    changed = (struct change){0};
    takes_queries_apart = true;
    expect_complaint("targets, queries");
    takes_queries_apart = false;
}

/* A server in front of such a library does not start. */
static void test_no_start(void **state)
{
    static const struct http_mount mount = {.prefix = STR("")};
    struct http_listeners listeners = {0};
    const struct http_options options = {.listeners = &listeners,
                                         .mounts = &mount,
                                         .mount_count = 1,
                                         .threads = 1,
                                         .connection_limit = 8,
                                         .idle_timeout_ms = 1000,
                                         .header_timeout_ms = 1000,
                                         .body_timeout_ms = 1000};
    AUTO_BUF(why, KiB(4));
    struct http_server *server;

    (void)state;
    changed = (struct change){.sent = STR("b\r\n c"), .read = STR("b   c")};
    assert_null(http_server_start(&options, &why));
    assert_int_not_equal(str_find(buf_str(&why), STR("folded headers")), SIZE_MAX);
    changed = (struct change){0};
    buf_reset(&why);
    server = http_server_start(&options, &why);
    assert_non_null(server);
    http_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library_at_hand),
        cmocka_unit_test(test_changed_libraries),
        cmocka_unit_test(test_no_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
