/* SPDX-License-Identifier: MIT */
/* wait.c - connections whose application waits: for a time, for another request, for events.
 *
 *   AWAKE -> ASLEEP (suspended in libmicrohttpd) -> WOKEN (resumed) -> AWAKE
 *   AWAKE -> WOKEN: somebody was quicker; the next sleep ends at once
 *
 * Who takes the state from ASLEEP to WOKEN resumes the connection, and nobody else. A sleeping
 * connection stays where it is, so whoever finds it asleep under the server's lock may wake it.
 */
#include "http/server.h"

static struct conn *conn_of(struct waker *waker)
{
    return (struct conn *)((char *)waker - offsetof(struct conn, wait.waker));
}

static void wake(struct waker *waker)
{
    struct conn *conn = conn_of(waker);

    if (atomic_exchange(&conn->wait.state, WAIT_WOKEN) == WAIT_ASLEEP)
        MHD_resume_connection(conn->x.mhd);
}

static void wake_at(struct waker *waker, int64_t monotonic_ns)
{
    struct conn *conn = conn_of(waker);
    struct http_server *server = conn->x.server;
    int64_t earliest;

    atomic_store(&conn->wait.wake_at_ns, monotonic_ns > 0 ? monotonic_ns : 1);
    earliest = atomic_load(&server->next_wake_ns);
    while (monotonic_ns < earliest) {
        if (atomic_compare_exchange_weak(&server->next_wake_ns, &earliest, monotonic_ns)) {
            front_wake(server);
            return;
        }
    }
}

void wait_init(struct wait *w)
{
    w->waker = (struct waker){wake, wake_at};
    atomic_init(&w->state, WAIT_AWAKE);
    atomic_init(&w->wake_at_ns, 0);
    atomic_init(&w->left, false);
}

void wait_sleep(struct exchange *x)
{
    struct conn *conn = exchange_conn(x);
    int expected = WAIT_AWAKE;

    /* Called back in its sleep: libmicrohttpd had more of a chunked body at hand. */
    if (atomic_load(&conn->wait.state) == WAIT_ASLEEP)
        return;
    /* The client does not make us wait now, but we the client. */
    (void)conn_expect(conn, 0);
    MHD_suspend_connection(x->mhd);
    if (!atomic_compare_exchange_strong(&conn->wait.state, &expected, WAIT_ASLEEP)) {
        MHD_resume_connection(x->mhd);
        return;
    }
    /* Said before http_server_free looks who sleeps, or seen here. */
    expected = WAIT_ASLEEP;
    if (atomic_load(&x->server->cutting) &&
        atomic_compare_exchange_strong(&conn->wait.state, &expected, WAIT_WOKEN))
        MHD_resume_connection(x->mhd);
}

void wait_end(struct exchange *x)
{
    struct conn *conn = exchange_conn(x);

    if (atomic_load_explicit(&conn->wait.state, memory_order_relaxed) == WAIT_ASLEEP)
        wake(&conn->wait.waker);
}

bool wait_over(struct exchange *x)
{
    struct conn *conn = exchange_conn(x);

    if (atomic_load_explicit(&conn->wait.state, memory_order_relaxed) == WAIT_WOKEN) {
        /* What woke it is there to be seen from now on. */
        atomic_exchange(&conn->wait.state, WAIT_AWAKE);
        if (x->state == EXCHANGE_BODY && !conn_expect(conn, x->server->body_timeout_ms))
            return false;
    }
    return !atomic_load_explicit(&x->server->cutting, memory_order_relaxed) &&
           !atomic_load_explicit(&conn->wait.left, memory_order_relaxed);
}

int64_t wait_wake_due_locked(struct http_server *server, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;

    for (struct conn *c = server->conns; c; c = c->next) {
        int64_t at_ns = atomic_load(&c->wait.wake_at_ns);

        if (at_ns == 0)
            continue;
        if (at_ns <= now_ns) {
            /* It may have asked for another time meanwhile. */
            if (atomic_compare_exchange_strong(&c->wait.wake_at_ns, &at_ns, 0))
                wake(&c->wait.waker);
            else
                next_ns = now_ns;
        } else if (at_ns < next_ns) {
            next_ns = at_ns;
        }
    }
    return next_ns;
}

void wait_wake_all_locked(struct http_server *server)
{
    for (struct conn *c = server->conns; c; c = c->next)
        wake(&c->wait.waker);
}
