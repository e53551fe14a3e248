/* SPDX-License-Identifier: MIT */
/* base_mem_test.c - failure injection, aborts, and the table of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

static bool malloc_works(void)
{
    void *p = try_malloc(8);

    mem_free(p);
    return p != NULL;
}

static void *malloc_works_in_thread(void *out)
{
    *(bool *)out = malloc_works();
    return NULL;
}

static void test_fail_nth(void **state)
{
    (void)state;
    void *p;

    mem_fail_nth(2);
    assert_true(malloc_works());
    assert_false(malloc_works());
    assert_true(malloc_works()); /* one failure, no more */

    p = try_malloc(4);
    assert_non_null(p);
    memcpy(p, "abcd", 4);
    mem_fail_nth(1);
    assert_null(try_realloc(p, 400));
    assert_memory_equal(p, "abcd", 4); /* still there */
    mem_free(p);

    mem_fail_nth(1);
    p = xmalloc(8); /* x* do not count */
    mem_free(p);
    mem_fail_nth(0);
    assert_true(malloc_works());
}

static void test_fail_nth_is_per_thread(void **state)
{
    (void)state;
    pthread_t thread;
    bool other = false;

    mem_fail_nth(1);
    assert_int_equal(pthread_create(&thread, NULL, malloc_works_in_thread, &other), 0);
    pthread_join(thread, NULL);
    assert_true(other);
    assert_false(malloc_works());
}

static void test_copies(void **state)
{
    (void)state;
    char *copy = xstrndup(STR("a\0b"));
    unsigned char *zeroes = xcalloc(3, 4);
    char secret[8] = "secret";

    assert_memory_equal(copy, "a\0b", 4);
    mem_free(copy);
    copy = xstrndup(STR_NONE);
    assert_string_equal(copy, "");
    mem_free(copy);
    copy = xrealloc(xstrdup("abc"), 100);
    assert_string_equal(copy, "abc");
    mem_free(copy);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(zeroes[i], 0);
    mem_free(zeroes);
    mem_free(xmalloc(0));
    mem_free(NULL);
    mem_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, "\0\0\0\0\0\0\0\0", 8);
    mem_wipe(NULL, 0);
}

/* Every alignment of both sides, sizes around a cache line; the bytes around stay. */
static void test_cold_copies(void **state)
{
    (void)state;
    static char from[512], to[512], want[512];

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (char)(i * 7 + 1);
    for (size_t size = 0; size < 300; size++) {
        size_t in = size % 16, out = size * 5 % 64;

        memset(to, 'x', sizeof(to));
        memset(want, 'x', sizeof(want));
        memcpy(want + out, from + in, size);
        mem_copy_cold(to + out, from + in, size);
        assert_memory_equal(to, want, sizeof(to));
    }
}

/* More blocks at once than a thread keeps, all of them usable, over and over. */
static void test_blocks(void **state)
{
    (void)state;
    char *blocks[20];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
            blocks[i] = mem_block_take();
            memset(blocks[i], (int)i, MEM_BLOCK);
        }
        for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
            assert_int_equal(blocks[i][0], i);
            assert_int_equal(blocks[i][MEM_BLOCK - 1], i);
            mem_block_give(blocks[i]);
        }
    }
}

static void *use_a_block(void *arg)
{
    (void)arg;
    mem_block_give(mem_block_take());
    return NULL;
}

/* What a thread kept is freed with it: LeakSanitizer would tell. */
static void test_blocks_end_with_their_thread(void **state)
{
    (void)state;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, use_a_block, NULL), 0);
    pthread_join(thread, NULL);
}

/* Sanitizers end the program themselves when they are asked for too much. */
#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#if !SANITIZED
/* Runs in a child whose standard error is a pipe. */
static void test_abort_says_why(void **state)
{
    (void)state;
    char text[200];
    int fds[2], status;
    ssize_t len;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        volatile size_t absurd = SIZE_MAX / 2 - 1000;

        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        mem_free(xmalloc(absurd));
        _exit(0);
    }
    close(fds[1]);
    len = read(fds[0], text, sizeof(text) - 1);
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(len > 0);
    text[len] = '\0';
    assert_string_equal(text, "s3memd: out of memory (9223372036854774807 bytes wanted)\n");
}
#endif

static void test_errors(void **state)
{
    (void)state;
    assert_string_equal(s3_err_code(S3_NO_SUCH_KEY), "NoSuchKey");
    assert_int_equal(s3_err_status(S3_NO_SUCH_KEY), 404);
    assert_string_equal(s3_err_message(S3_NO_SUCH_KEY), "The specified key does not exist.");
    assert_string_equal(s3_err_code(S3_OK), "OK");
    assert_int_equal(s3_err_status(S3_OK), 200);
    assert_string_equal(s3_err_message(S3_OK), "");
    assert_int_equal(s3_err_by_code(STR("NoSuch")), S3_OK);
    assert_int_equal(s3_err_by_code(STR("")), S3_OK);
    for (unsigned i = 1; i < S3_ERR_COUNT; i++) {
        enum s3_err err = (enum s3_err)i;

        assert_int_equal(s3_err_by_code(str_c(s3_err_code(err))),
                         err); /* so codes are unique */
        assert_true(s3_err_status(err) >= 300 && s3_err_status(err) <= 599);
        assert_true(strlen(s3_err_message(err)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_nth),
        cmocka_unit_test(test_fail_nth_is_per_thread),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_cold_copies),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_blocks_end_with_their_thread),
#if !SANITIZED
        cmocka_unit_test(test_abort_says_why),
#endif
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
