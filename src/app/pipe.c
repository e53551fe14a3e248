/* SPDX-License-Identifier: MIT */
/* pipe.c - a ring of bytes under a lock. */
#include "app/pipe.h"

#include <pthread.h>
#include <stdatomic.h>

struct pipe {
    _Atomic uint32_t refs;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t moved; /* what a blocked worker waits for */
    char *ring;
    size_t size; /* of ring: capacity, or more once it was overfed */
    size_t capacity;
    size_t first, len; /* what is in it begins at first, and may go around the end */
    bool ended, broken;
    struct waker *waker;
    bool call_waits;
};

struct pipe *pipe_new(size_t capacity, struct waker *waker)
{
    struct pipe *p = xcalloc(1, sizeof(*p));

    atomic_init(&p->refs, 1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->moved, NULL);
    p->ring = xmalloc(capacity);
    p->size = p->capacity = capacity;
    p->waker = waker;
    return p;
}

struct pipe *pipe_ref(struct pipe *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void pipe_unref(struct pipe *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->moved);
    mem_free(p->ring);
    mem_free(p);
}

static void wake_call_locked(struct pipe *p)
{
    if (p->call_waits && p->waker)
        p->waker->wake(p->waker);
    p->call_waits = false;
}

/* Both ends look again. */
static void wake_all_locked(struct pipe *p)
{
    pthread_cond_broadcast(&p->moved);
    wake_call_locked(p);
}

/* ---- the ring ---------------------------------------------------------------------- */

/* There is room. */
static void put_locked(struct pipe *p, const char *data, size_t len)
{
    size_t at = (p->first + p->len) % p->size;
    size_t until_end = p->size - at;
    size_t n = len < until_end ? len : until_end;

    if (len == 0)
        return;
    memcpy(p->ring + at, data, n);
    memcpy(p->ring, data + n, len - n);
    p->len += len;
}

static size_t get_locked(struct pipe *p, char *out, size_t max)
{
    size_t len = p->len < max ? p->len : max;
    size_t until_end = p->size - p->first;
    size_t n = len < until_end ? len : until_end;

    if (len == 0)
        return 0;
    memcpy(out, p->ring + p->first, n);
    memcpy(out + n, p->ring, len - n);
    p->first = (p->first + len) % p->size;
    p->len -= len;
    return len;
}

static void grow_locked(struct pipe *p, size_t size)
{
    char *ring = xmalloc(size);
    size_t len = get_locked(p, ring, p->len);

    mem_free(p->ring);
    p->ring = ring;
    p->size = size;
    p->first = 0;
    p->len = len;
}

/* ---- the call's end ---------------------------------------------------------------- */

enum pipe_fed pipe_feed(struct pipe *p, const void *data, size_t len)
{
    enum pipe_fed fed = PIPE_NO_MORE;

    pthread_mutex_lock(&p->lock);
    if (!p->broken) {
        if (p->len + len > p->size)
            grow_locked(p, p->len + len);
        put_locked(p, data, len);
        p->call_waits = p->len >= p->capacity;
        fed = p->call_waits ? PIPE_FULL : PIPE_WANTS_MORE;
        pthread_cond_signal(&p->moved);
    }
    pthread_mutex_unlock(&p->lock);
    return fed;
}

static void end(struct pipe *p)
{
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    wake_all_locked(p);
    pthread_mutex_unlock(&p->lock);
}

void pipe_feed_end(struct pipe *p)
{
    end(p);
}

enum stream_next pipe_take(void *arg, void *out, size_t max, size_t *len)
{
    struct pipe *p = arg;
    enum stream_next next;

    pthread_mutex_lock(&p->lock);
    *len = p->broken ? 0 : get_locked(p, out, max);
    p->call_waits = false;
    if (p->broken) {
        next = STREAM_FAILED;
    } else if (p->ended && p->len == 0) {
        next = STREAM_END;
    } else if (*len > 0) {
        next = STREAM_MORE;
        pthread_cond_signal(&p->moved);
    } else {
        next = STREAM_WAIT;
        p->call_waits = true;
    }
    pthread_mutex_unlock(&p->lock);
    return next;
}

void pipe_leave(struct pipe *p)
{
    pthread_mutex_lock(&p->lock);
    p->waker = NULL;
    if (!p->ended)
        p->broken = true;
    wake_all_locked(p);
    pthread_mutex_unlock(&p->lock);
}

/* ---- the worker's end -------------------------------------------------------------- */

ssize_t pipe_read(struct pipe *p, void *out, size_t max)
{
    ssize_t n = -1;

    pthread_mutex_lock(&p->lock);
    while (!p->broken && !p->ended && p->len == 0)
        pthread_cond_wait(&p->moved, &p->lock);
    if (!p->broken)
        n = (ssize_t)get_locked(p, out, max);
    /* Not for every piece: each wake-up of an I/O thread is a system call. */
    if (p->len <= p->capacity / 2)
        wake_call_locked(p);
    pthread_mutex_unlock(&p->lock);
    return n;
}

bool pipe_write(struct pipe *p, const void *data, size_t len)
{
    const char *at = data;
    bool ok;

    pthread_mutex_lock(&p->lock);
    while (len > 0 && !p->broken) {
        size_t room = p->capacity - p->len;
        size_t n = len < room ? len : room;

        if (n == 0) {
            pthread_cond_wait(&p->moved, &p->lock);
            continue;
        }
        put_locked(p, at, n);
        at += n;
        len -= n;
        wake_call_locked(p);
    }
    ok = !p->broken;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void pipe_write_end(struct pipe *p)
{
    end(p);
}

void pipe_worker_leave(struct pipe *p)
{
    pthread_mutex_lock(&p->lock);
    if (!p->ended)
        p->broken = true;
    wake_all_locked(p);
    pthread_mutex_unlock(&p->lock);
}

/* ---- any thread -------------------------------------------------------------------- */

void pipe_break(struct pipe *p)
{
    pthread_mutex_lock(&p->lock);
    p->broken = true;
    wake_all_locked(p);
    pthread_mutex_unlock(&p->lock);
}
