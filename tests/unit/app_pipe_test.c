/* SPDX-License-Identifier: MIT */
/* base_pipe_test.c - bytes from and to a worker, either end slow, leaving or failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/pipe.h"

#include <pthread.h>
#include <stdlib.h>

/* A call's waker that counts, and lets a test wait for it. */
struct call {
    struct waker waker;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    int wakes;
    bool over;
};

static void wake(struct waker *w)
{
    struct call *call = (struct call *)w;

    pthread_mutex_lock(&call->lock);
    if (call->over)
        abort(); /* a wake after the call has left */
    call->wakes++;
    pthread_cond_signal(&call->woken);
    pthread_mutex_unlock(&call->lock);
}

static void call_init(struct call *call)
{
    *call = (struct call){.waker = {wake, NULL}};
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->woken, NULL);
}

static void wait_for_wake(struct call *call)
{
    pthread_mutex_lock(&call->lock);
    while (call->wakes == 0)
        pthread_cond_wait(&call->woken, &call->lock);
    call->wakes = 0;
    pthread_mutex_unlock(&call->lock);
}

static void leave(struct call *call, struct pipe *p)
{
    pipe_leave(p);
    pthread_mutex_lock(&call->lock);
    call->over = true;
    pthread_mutex_unlock(&call->lock);
}

static void call_release(struct call *call)
{
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->woken);
}

/* What flows: byte n is this. */
static char byte_at(uint64_t n)
{
    return (char)(n * 31 + (n >> 8));
}

static void fill(char *out, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = byte_at(at + i);
}

static void assert_bytes(const char *got, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        assert_int_equal(got[i], byte_at(at + i));
}

#define TOTAL    100000
#define CAPACITY 1000

/* ---- from the client --------------------------------------------------------------- */

struct reading {
    struct pipe *pipe;
    uint64_t got;
    ssize_t last;
    bool stop_early;
};

static void *read_all(void *arg)
{
    struct reading *r = arg;
    char piece[700];

    while ((r->last = pipe_read(r->pipe, piece, 1 + r->got % sizeof(piece))) > 0) {
        assert_bytes(piece, r->got, (size_t)r->last);
        r->got += (uint64_t)r->last;
        if (r->stop_early && r->got > TOTAL / 2) {
            pipe_break(r->pipe);
            break;
        }
    }
    pipe_unref(r->pipe);
    return NULL;
}

/* Feeds TOTAL bytes in pieces of many sizes; returns how many it could. */
static uint64_t feed_all(struct call *call, struct pipe *p)
{
    char piece[2500];
    uint64_t fed = 0;

    while (fed < TOTAL) {
        size_t len = 1 + (size_t)(fed * 7) % sizeof(piece);

        if (len > TOTAL - fed)
            len = (size_t)(TOTAL - fed);
        fill(piece, fed, len);
        switch (pipe_feed(p, piece, len)) {
        case PIPE_NO_MORE:
            return fed;
        case PIPE_FULL:
            wait_for_wake(call);
            break;
        case PIPE_WANTS_MORE:
            break;
        }
        fed += len;
    }
    return fed;
}

static void test_feed(void **state)
{
    (void)state;
    struct call call;
    pthread_t worker;

    call_init(&call);
    struct pipe *p = pipe_new(CAPACITY, &call.waker);
    struct reading r = {.pipe = pipe_ref(p)};
    pthread_create(&worker, NULL, read_all, &r);
    assert_int_equal(feed_all(&call, p), TOTAL);
    pipe_feed_end(p);
    pthread_join(worker, NULL);
    assert_int_equal(r.got, TOTAL);
    assert_int_equal(r.last, 0);
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

/* The reader has seen enough: who feeds is told, also while it waits. */
static void test_feed_no_more(void **state)
{
    (void)state;
    struct call call;
    pthread_t worker;

    call_init(&call);
    struct pipe *p = pipe_new(CAPACITY, &call.waker);
    struct reading r = {.pipe = pipe_ref(p), .stop_early = true};
    pthread_create(&worker, NULL, read_all, &r);
    assert_true(feed_all(&call, p) < TOTAL);
    pthread_join(worker, NULL);
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

/* The worker is blocked when the client leaves. */
static void test_feeder_leaves(void **state)
{
    (void)state;
    struct call call;
    pthread_t worker;

    call_init(&call);
    struct pipe *p = pipe_new(CAPACITY, &call.waker);
    struct reading r = {.pipe = pipe_ref(p)};
    pthread_create(&worker, NULL, read_all, &r);
    char piece[10];
    fill(piece, 0, sizeof(piece));
    assert_int_equal(pipe_feed(p, piece, sizeof(piece)), PIPE_WANTS_MORE);
    leave(&call, p);
    pipe_unref(p);
    pthread_join(worker, NULL);
    assert_int_equal(r.last, -1);
    call_release(&call);
}

/* A full pipe takes what the front end has in hand all the same, and says that it is full. */
static void test_overfed(void **state)
{
    (void)state;
    struct call call;
    char piece[300], got[900];

    call_init(&call);
    struct pipe *p = pipe_new(100, &call.waker);
    fill(piece, 0, 50);
    assert_int_equal(pipe_feed(p, piece, 50), PIPE_WANTS_MORE);
    assert_int_equal(pipe_read(p, got, 20), 20);
    assert_bytes(got, 0, 20);
    fill(piece, 50, 300);
    assert_int_equal(pipe_feed(p, piece, 300), PIPE_FULL);
    fill(piece, 350, 300);
    assert_int_equal(pipe_feed(p, piece, 300), PIPE_FULL);
    assert_int_equal(pipe_read(p, got, sizeof(got)), 630);
    assert_bytes(got, 20, 630);
    assert_int_equal(call.wakes, 1);
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

/* ---- to the client ----------------------------------------------------------------- */

struct writing {
    struct pipe *pipe;
    uint64_t put;
    bool fails_in_the_middle, ok;
};

static void *write_all(void *arg)
{
    struct writing *w = arg;
    char piece[2500];

    w->ok = true;
    while (w->put < TOTAL && w->ok) {
        size_t len = 1 + (size_t)(w->put * 7) % sizeof(piece);

        if (len > TOTAL - w->put)
            len = (size_t)(TOTAL - w->put);
        fill(piece, w->put, len);
        w->ok = pipe_write(w->pipe, piece, len);
        w->put += len;
        if (w->fails_in_the_middle && w->put > TOTAL / 2)
            break;
    }
    if (w->fails_in_the_middle)
        pipe_break(w->pipe);
    else
        pipe_write_end(w->pipe);
    pipe_unref(w->pipe);
    return NULL;
}

static enum stream_next take_all(struct call *call, struct pipe *p, uint64_t *taken,
                                 uint64_t until)
{
    enum stream_next next = STREAM_MORE;
    char piece[3000];
    size_t len;

    for (*taken = 0; next == STREAM_MORE && *taken < until;) {
        next = pipe_take(p, piece, 1 + *taken % sizeof(piece), &len);
        assert_bytes(piece, *taken, len);
        *taken += len;
        if (next == STREAM_WAIT) {
            wait_for_wake(call);
            next = STREAM_MORE;
        }
    }
    return next;
}

static void run_taking(bool fails, uint64_t until, enum stream_next wanted, bool *writer_ok,
                       uint64_t *taken)
{
    struct call call;
    pthread_t worker;

    call_init(&call);
    struct pipe *p = pipe_new(CAPACITY, &call.waker);
    struct writing w = {.pipe = pipe_ref(p), .fails_in_the_middle = fails};
    pthread_create(&worker, NULL, write_all, &w);
    assert_int_equal(take_all(&call, p, taken, until), wanted);
    leave(&call, p);
    pipe_unref(p);
    pthread_join(worker, NULL);
    *writer_ok = w.ok;
    call_release(&call);
}

static void test_take(void **state)
{
    (void)state;
    uint64_t taken;
    bool ok;

    run_taking(false, UINT64_MAX, STREAM_END, &ok, &taken);
    assert_true(ok);
    assert_int_equal(taken, TOTAL);
}

/* Half of a file must not look like the whole. */
static void test_take_from_one_who_fails(void **state)
{
    (void)state;
    uint64_t taken;
    bool ok;

    run_taking(true, UINT64_MAX, STREAM_FAILED, &ok, &taken);
    assert_true(taken < TOTAL);
}

static void test_taker_leaves(void **state)
{
    (void)state;
    uint64_t taken;
    bool ok;

    run_taking(false, TOTAL / 2, STREAM_MORE, &ok, &taken);
    assert_false(ok);
}

/* What was written before the end is there after it, and when the writer has gone. */
static void test_the_rest_after_the_end(void **state)
{
    (void)state;
    struct call call;
    char piece[100];
    size_t len;

    call_init(&call);
    struct pipe *p = pipe_new(CAPACITY, &call.waker);
    assert_int_equal(pipe_take(p, piece, sizeof(piece), &len), STREAM_WAIT);
    assert_int_equal(len, 0);
    assert_true(pipe_write(p, "abc", 3));
    assert_int_equal(call.wakes, 1);
    pipe_write_end(p);
    assert_int_equal(pipe_take(p, piece, 2, &len), STREAM_MORE);
    assert_int_equal(len, 2);
    assert_int_equal(pipe_take(p, piece, 2, &len), STREAM_END);
    assert_int_equal(len, 1);
    assert_int_equal(piece[0], 'c');
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

/* ---- a worker that is gone --------------------------------------------------------- */

/* The call waits for room that nobody will make. */
static void test_worker_leaves_a_feeder(void **state)
{
    (void)state;
    struct call call;
    char piece[100] = "";

    call_init(&call);
    struct pipe *p = pipe_new(100, &call.waker);
    assert_int_equal(pipe_feed(p, piece, sizeof(piece)), PIPE_FULL);
    pipe_worker_leave(p);
    assert_int_equal(call.wakes, 1);
    assert_int_equal(pipe_feed(p, piece, sizeof(piece)), PIPE_NO_MORE);
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

/* The call waits for bytes that nobody will write. */
static void test_worker_leaves_a_taker(void **state)
{
    (void)state;
    struct call call;
    char piece[100];
    size_t len;

    call_init(&call);
    struct pipe *p = pipe_new(100, &call.waker);
    assert_int_equal(pipe_take(p, piece, sizeof(piece), &len), STREAM_WAIT);
    pipe_worker_leave(p);
    assert_int_equal(call.wakes, 1);
    assert_int_equal(pipe_take(p, piece, sizeof(piece), &len), STREAM_FAILED);
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

/* One that has said all it had to say is not missed. */
static void test_worker_leaves_after_the_end(void **state)
{
    (void)state;
    struct call call;
    char piece[100];
    size_t len;

    call_init(&call);
    struct pipe *p = pipe_new(100, &call.waker);
    assert_true(pipe_write(p, "abc", 3));
    pipe_write_end(p);
    pipe_worker_leave(p);
    assert_int_equal(pipe_take(p, piece, sizeof(piece), &len), STREAM_END);
    assert_int_equal(len, 3);
    leave(&call, p);
    pipe_unref(p);
    call_release(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_feed_no_more),
        cmocka_unit_test(test_feeder_leaves),
        cmocka_unit_test(test_overfed),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_from_one_who_fails),
        cmocka_unit_test(test_taker_leaves),
        cmocka_unit_test(test_the_rest_after_the_end),
        cmocka_unit_test(test_worker_leaves_a_feeder),
        cmocka_unit_test(test_worker_leaves_a_taker),
        cmocka_unit_test(test_worker_leaves_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
