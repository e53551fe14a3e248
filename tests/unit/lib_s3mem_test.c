/* SPDX-License-Identifier: MIT */
/* lib_s3mem_test.c - servers inside this process: many in turn, many at once, and what their
 * functions answer. */
#include "base/clock.h"
#include "s3mem.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static s3mem *start(const char *const *options)
{
    char error[S3MEM_ERROR_SIZE] = "";
    s3mem *s = s3mem_start(options, error, sizeof(error));

    if (!s)
        print_error("%s\n", error);
    assert_non_null(s);
    return s;
}

/* The status of a GET. */
static int get(const s3mem *s, const char *path)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s3mem_port(s))};
    char text[512];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
    close(fd);
    return status;
}

static void test_one_after_the_other(void **state)
{
    int64_t fastest_ns = INT64_MAX;

    (void)state;
    for (int i = 0; i < 50; i++) {
        int64_t begun_ns = clock_monotonic_ns(), took_ns;
        s3mem *s = start(NULL);

        assert_int_equal(get(s, "/_s3mem/health"), 200);
        took_ns = clock_monotonic_ns() - begun_ns;
        if (took_ns < fastest_ns)
            fastest_ns = took_ns;
        s3mem_stop(s);
    }
    print_message("start to first answer: %.2f ms\n", (double)fastest_ns / NS_PER_MS);
    s3mem_stop(NULL);
}

static void *live(void *arg)
{
    const char *options[] = {"--bucket=mine", "--threads=1", NULL};
    s3mem *s = start(options);

    (void)arg;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(get(s, "/mine"), 200);
        assert_int_equal(get(s, "/other"), 404);
    }
    s3mem_stop(s);
    return NULL;
}

static void test_many_at_once(void **state)
{
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live, NULL), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void test_states(void **state)
{
    const char *options[] = {"--bucket=demo", NULL};
    s3mem *s = start(options);
    char *stats;

    (void)state;
    assert_int_equal(s3mem_snapshot(s, NULL, "clean"), S3MEM_OK);
    assert_int_equal(s3mem_snapshot(s, "main", "clean"), S3MEM_EXISTS);
    assert_int_equal(s3mem_snapshot(s, "none", "x"), S3MEM_MISSING);
    assert_int_equal(s3mem_snapshot(s, NULL, "no name"), S3MEM_INVALID);
    assert_int_equal(s3mem_create_bucket(s, NULL, "more"), S3MEM_OK);
    assert_int_equal(s3mem_create_bucket(s, NULL, "more"), S3MEM_EXISTS);
    assert_int_equal(s3mem_create_bucket(s, NULL, "No"), S3MEM_INVALID);
    assert_int_equal(get(s, "/more"), 200);
    assert_int_equal(s3mem_fork(s, "b", NULL), S3MEM_OK);
    assert_int_equal(s3mem_fork(s, "b", NULL), S3MEM_EXISTS);
    assert_int_equal(s3mem_fork(s, "c", "clean"), S3MEM_OK);
    assert_int_equal(s3mem_fork(s, "d", "none"), S3MEM_MISSING);
    assert_int_equal(s3mem_restore(s, NULL, "clean", NULL), S3MEM_OK);
    assert_int_equal(get(s, "/more"), 404);
    assert_int_equal(s3mem_restore(s, NULL, "none", NULL), S3MEM_MISSING);
    assert_int_equal(s3mem_clear(s, NULL, "demo"), S3MEM_OK);
    assert_int_equal(s3mem_clear(s, NULL, "none"), S3MEM_MISSING);
    assert_int_equal(s3mem_clear(s, NULL, NULL), S3MEM_OK);
    assert_int_equal(get(s, "/demo"), 404);
    assert_int_equal(s3mem_restore(s, NULL, "clean", "demo"), S3MEM_OK);
    assert_int_equal(s3mem_restore(s, NULL, "clean", "dmeo"), S3MEM_MISSING);
    assert_int_equal(s3mem_restore(s, NULL, "clean", ""), S3MEM_MISSING);
    assert_int_equal(s3mem_create_bucket(s, NULL, NULL), S3MEM_INVALID);
    assert_int_equal(get(s, "/demo"), 200);
    assert_int_equal(s3mem_branch_delete(s, "b"), S3MEM_OK);
    assert_int_equal(s3mem_branch_delete(s, "main"), S3MEM_MISSING);
    stats = s3mem_stats(s);
    assert_non_null(stats);
    assert_non_null(strstr(stats, "\"demo\""));
    s3mem_free(stats);
    assert_int_equal(s3mem_drop(s, "clean"), S3MEM_OK);
    assert_int_equal(s3mem_drop(s, "clean"), S3MEM_MISSING);
    s3mem_stop(s);
}

static void test_files(void **state)
{
    const char *options[] = {"--bucket=demo", NULL};
    s3mem *from = start(options), *to = start(NULL);
    char path[] = "/tmp/s3mem-test-XXXXXX", packed[64];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    snprintf(packed, sizeof(packed), "%s.gz", path);
    assert_int_equal(s3mem_snapshot(from, NULL, "s"), S3MEM_OK);
    assert_int_equal(s3mem_save(from, "s", path), S3MEM_OK);
    assert_int_equal(s3mem_save(from, "s", packed), S3MEM_OK);
    assert_int_equal(s3mem_save(from, "none", path), S3MEM_MISSING);
    assert_int_equal(s3mem_save(from, "s", "/nonexistent/file"), S3MEM_IO);
    assert_int_equal(s3mem_load(to, "plain", path), S3MEM_OK);
    assert_int_equal(s3mem_load(to, "packed", packed), S3MEM_OK);
    assert_int_equal(s3mem_load(to, "plain", path), S3MEM_EXISTS);
    assert_int_equal(s3mem_load(to, "x", "/nonexistent/file"), S3MEM_IO);
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(s3mem_load(to, "x", path), S3MEM_INVALID);
    assert_int_equal(s3mem_restore(to, NULL, "packed", NULL), S3MEM_OK);
    assert_int_equal(get(to, "/demo"), 200);
    unlink(path);
    unlink(packed);
    s3mem_stop(from);
    s3mem_stop(to);
}

static void refused(const char *option, const char *why)
{
    const char *options[] = {option, NULL};
    char error[S3MEM_ERROR_SIZE];

    assert_null(s3mem_start(options, error, sizeof(error)));
    if (!strstr(error, why))
        fail_msg("%s", error);
    assert_null(s3mem_start(options, NULL, 0));
}

static void test_refusals(void **state)
{
    s3mem *s = start(NULL);
    char taken[64];

    (void)state;
    refused("--nonsense", "unknown option '--nonsense'");
    refused("--max-memory=plenty", "--max-memory");
    refused("--bucket=No", "'No'");
    refused("--access-key=a", "need each other");
    refused("--region=", "--region: ''");
    refused("--region=us east", "'us east' is not the name of a region");
    refused("--region=a/b", "--region");
    refused("--region=a-region-of-thirty-two-bytes-xxxx", "at most 31");
    refused("--domain=a b", "'a b' is not a host name");
    refused("--domain=localhost:4566", "without a port");
    refused("--seed=/nonexistent", "--seed");
    refused("--listen=0.0.0.0:0", "refusing to listen");
    refused("--help", "s3memd's");
    refused("--init-dir=/tmp", "by s3memd only");
    snprintf(taken, sizeof(taken), "--listen=127.0.0.1:%d", s3mem_port(s));
    refused(taken, "in use");
    s3mem_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests_name("lib/s3mem", tests, NULL, NULL);
}
