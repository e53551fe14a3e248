/* SPDX-License-Identifier: MIT */
/* http_listener_test.c - addresses, sockets that are taken, socket files. */
#include "http/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct http_listeners set;
static char why_text[1024];
static char folder[] = "/tmp/s3memd-listen-XXXXXX";

static enum http_listen_result try_listen(const char *address)
{
    AUTO_BUF(why, sizeof(why_text) - 1);
    enum http_listen_result result = http_listen(&set, str_c(address), &why);

    snprintf(why_text, sizeof(why_text), "%.*s", (int)why.len, why.ptr ? why.ptr : "");
    return result;
}

static void expect_bad(const char *address)
{
    assert_int_equal(try_listen(address), HTTP_LISTEN_BAD_ADDRESS);
    assert_non_null(strstr(why_text, address));
    assert_int_equal(set.count, 0);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    expect_bad("127.0.0.1");
    expect_bad(":");
    expect_bad("");
    expect_bad(":http");
    expect_bad("65536");
    expect_bad("127.0.0.1:");
    expect_bad("127.0.0.1:http");
    expect_bad("127.0.0.1:65536");
    expect_bad("::1:4566");
    expect_bad("300.1.1.1:1");
    expect_bad("unix:");
    expect_bad(
        "unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void test_free_port(void **state)
{
    (void)state;
    assert_int_equal(try_listen("127.0.0.1:0"), HTTP_LISTEN_OK);
    assert_true(set.items[0].loopback);
    assert_true(set.items[0].tcp);
    assert_null(strstr(set.items[0].address, ":0"));
    assert_non_null(strstr(set.items[0].address, "127.0.0.1:"));
    http_listeners_close(&set);
    assert_int_equal(set.count, 0);
}

/* Does this machine have the address ::1? */
static bool has_ipv6(void)
{
    bool has = try_listen("[::1]:0") == HTTP_LISTEN_OK;

    http_listeners_close(&set);
    return has;
}

static void expect_localhost(const char *address)
{
    char v4[HTTP_ADDRESS_SIZE], v6[HTTP_ADDRESS_SIZE];
    bool both = has_ipv6();

    assert_int_equal(try_listen(address), HTTP_LISTEN_OK);
    assert_int_equal(set.count, both ? 2 : 1);
    snprintf(v4, sizeof(v4), "127.0.0.1%s", strrchr(set.items[0].address, ':'));
    snprintf(v6, sizeof(v6), "[::1]%s", strrchr(set.items[0].address, ':'));
    assert_string_equal(set.items[0].address, v4);
    assert_false(set.items[0].second);
    if (both) {
        assert_string_equal(set.items[1].address, v6);
        assert_true(set.items[1].second);
        assert_true(set.items[1].loopback);
    }
    http_listeners_close(&set);
}

static void test_localhost_is_both(void **state)
{
    (void)state;
    expect_localhost("localhost:0");
    expect_localhost("LocalHost:0");
    expect_localhost(":0");
    expect_localhost("0");
}

/* A port that is free on 127.0.0.1 and taken on ::1 is another's. */
static void test_localhost_is_both_or_none(void **state)
{
    char address[HTTP_ADDRESS_SIZE];

    (void)state;
    if (!has_ipv6())
        skip();
    assert_int_equal(try_listen("[::1]:0"), HTTP_LISTEN_OK);
    snprintf(address, sizeof(address), "localhost%s", strrchr(set.items[0].address, ':'));
    assert_int_equal(try_listen(address), HTTP_LISTEN_FAILED);
    assert_non_null(strstr(why_text, "cannot listen on [::1]:"));
    assert_int_equal(set.count, 1);
    http_listeners_close(&set);
}

static void test_everywhere_is_not_loopback(void **state)
{
    (void)state;
    assert_int_equal(try_listen("0.0.0.0:0"), HTTP_LISTEN_OK);
    assert_false(set.items[0].loopback);
    http_listeners_close(&set);
}

static void test_busy_port(void **state)
{
    char address[HTTP_ADDRESS_SIZE], expected[200];

    (void)state;
    assert_int_equal(try_listen("127.0.0.1:0"), HTTP_LISTEN_OK);
    memcpy(address, set.items[0].address, sizeof(address));
    assert_int_equal(try_listen(address), HTTP_LISTEN_FAILED);
    snprintf(expected, sizeof(expected), "cannot listen on %s: address already in use",
             address);
    assert_int_equal(strncmp(why_text, expected, strlen(expected)), 0);
    assert_int_equal(set.count, 1);
    http_listeners_close(&set);
}

static void test_unix_socket_file(void **state)
{
    char address[128];
    const char *path = address + strlen("unix:");
    struct stat st;

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/sock", folder);
    assert_int_equal(try_listen(address), HTTP_LISTEN_OK);
    assert_true(set.items[0].loopback);
    assert_string_equal(set.items[0].address, address);
    /* Somebody answers: not ours to take. */
    assert_int_equal(try_listen(address), HTTP_LISTEN_FAILED);
    /* Left behind by a dead server: replaced. */
    close(set.items[0].fd);
    mem_free(set.items[0].unix_path);
    set.count = 0;
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(try_listen(address), HTTP_LISTEN_OK);
    http_listeners_close(&set);
    assert_int_not_equal(lstat(path, &st), 0);
}

static void test_unix_path_that_is_no_socket(void **state)
{
    char address[128];
    FILE *file;
    struct stat st;

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/file", folder);
    file = fopen(address + 5, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(try_listen(address), HTTP_LISTEN_FAILED);
    assert_int_equal(lstat(address + 5, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    unlink(address + 5);
}

static bool answers(const struct http_listener *l)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int fd;
    bool ok;

    assert_return_code(getsockname(l->fd, (struct sockaddr *)&addr, &len), errno);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ok = connect(fd, (struct sockaddr *)&addr, len) == 0;
    close(fd);
    return ok;
}

/* Only what we listen on ourselves; an address is free for the next server at once. */
static void test_refuse(void **state)
{
    AUTO_BUF(why, KiB(1));
    char address[128];
    struct http_listeners parent = {0};

    (void)state;
    snprintf(address, sizeof(address), "unix:%s/refuse", folder);
    assert_int_equal(http_listen(&parent, STR("127.0.0.1:0"), &why), HTTP_LISTEN_OK);
    assert_int_equal(try_listen("127.0.0.1:0"), HTTP_LISTEN_OK);
    assert_int_equal(try_listen(address), HTTP_LISTEN_OK);
    assert_int_equal(http_adopt(&set, dup(parent.items[0].fd), &why), HTTP_LISTEN_OK);
    for (size_t i = 0; i < set.count; i++)
        assert_true(answers(&set.items[i]));
    http_listeners_refuse(&set);
    assert_false(answers(&set.items[0]));
    assert_false(answers(&set.items[1]));
    assert_true(answers(&set.items[2]));
    assert_int_equal(http_listen(&parent, str_c(address), &why), HTTP_LISTEN_OK);
    http_listeners_close(&set);
    assert_true(answers(&parent.items[1]));
    http_listeners_close(&parent);
}

static void test_adopt(void **state)
{
    AUTO_BUF(why, KiB(1));
    int fd;

    (void)state;
    assert_int_equal(try_listen("127.0.0.1:0"), HTTP_LISTEN_OK);
    fd = dup(set.items[0].fd);
    assert_int_equal(http_adopt(&set, fd, &why), HTTP_LISTEN_OK);
    assert_string_equal(set.items[1].address, set.items[0].address);
    assert_int_equal(http_adopt(&set, STDIN_FILENO, &why), HTTP_LISTEN_FAILED);
    http_listeners_close(&set);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_free_port),
        cmocka_unit_test(test_localhost_is_both),
        cmocka_unit_test(test_localhost_is_both_or_none),
        cmocka_unit_test(test_everywhere_is_not_loopback),
        cmocka_unit_test(test_busy_port),
        cmocka_unit_test(test_unix_socket_file),
        cmocka_unit_test(test_unix_path_that_is_no_socket),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_adopt),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
