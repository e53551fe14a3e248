/* SPDX-License-Identifier: MIT */
/* server.h - the server behind the door.
 *
 *   front thread    accepts, hands connections to libmicrohttpd's workers, cuts overdue ones,
 *                   wakes those that wait for a time
 *   worker threads  libmicrohttpd's epoll loops: they run every callback of exchange.h
 *
 * Accepting is ours, not libmicrohttpd's: its MHD_quiesce_daemon races with its own workers
 * over the listening socket (it panics when both remove it from the epoll set), its workers
 * share connections out unevenly, and each listening socket would need a thread pool of its
 * own.
 *
 * Lock: `lock` guards the list of connections and, through it, that their sockets are open, and
 * the identity shown over TLS. */
#ifndef S3MEM_HTTP_SERVER_H
#define S3MEM_HTTP_SERVER_H

#include "http/exchange.h"

#include <poll.h>
#include <pthread.h>

/* What libmicrohttpd keeps for each connection: request head, received body bytes on their way
 * to the application, reply head. It zeroes all of it at each request, which costs time and the
 * processor's cache: a seventh of a small request, were it 64 KiB. It must hold the largest
 * heads that real clients send (8 KiB of headers, and a presigned URL of 4) and a reply's. */
#define CONNECTION_MEMORY KiB(24)

struct http_server {
    struct MHD_Daemon *mhd;
    const struct http_mount *mounts;
    size_t mount_count;
    unsigned connection_limit;
    int64_t idle_timeout_ms, header_timeout_ms, body_timeout_ms;
    bool tls;
    bool is_trial;                 /* quirks_check asks: nothing is logged */
    struct tls_identity *identity; /* under the lock: of the next connection */
    struct turns *turns;           /* may be NULL */
    void (*tidy)(void *arg);       /* may be NULL */
    void *tidy_arg;

    pthread_t front;
    int wake_fd; /* eventfd: stop, or a connection closed at the limit */
    struct pollfd polls[HTTP_LISTENERS_MAX + 1];
    size_t listener_count;
    struct pollfd *silent; /* owned: room for the scan */
    size_t silent_cap;

    pthread_mutex_t lock;
    struct conn *conns;
    atomic_uint conn_count;       /* accepted and not yet closed */
    atomic_size_t active;         /* requests begun and not yet answered */
    atomic_bool full;             /* the front thread waits for a connection to close */
    _Atomic int64_t next_wake_ns; /* the earliest wake_at_ns of all, or earlier; INT64_MAX */
    atomic_bool stopping;         /* no new connections; streams end */
    atomic_bool cutting;          /* nobody may wait any more */
    bool front_runs;
};

/* The front thread: accepts until `stopping`, wakes until `cutting`. */
void *front_run(void *server);
void front_wake(struct http_server *server);

#endif
