/* SPDX-License-Identifier: MIT */
/* conn.c - the list of open connections and their deadlines. */
#include "http/listener.h"
#include "http/server.h"
#include "http/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool conn_expect(struct conn *conn, int64_t ms)
{
    int64_t next = ms ? clock_coarse_ns() + ms * NS_PER_MS : 0;
    int64_t deadline = atomic_load_explicit(&conn->deadline_ns, memory_order_relaxed);

    while (deadline != CONN_OVERDUE) {
        if (atomic_compare_exchange_weak(&conn->deadline_ns, &deadline, next))
            return true;
    }
    return false;
}

void conn_refuse(const struct conn *conn, enum s3_err err)
{
    struct reply refusal;
    AUTO_BUF(text, KiB(2));

    if (conn->x.server->tls)
        return;
    refusal_fill(&refusal, err);
    reply_write(&refusal, &text);
    reply_release(&refusal);
    if (send(conn->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("%s: %s", conn->remote, strerror(errno));
}

void conn_expire(struct conn *conn, int64_t deadline_ns)
{
    if (!atomic_compare_exchange_strong(&conn->deadline_ns, &deadline_ns, CONN_OVERDUE))
        return;
    /* The worker has nothing on its way to the client, and sends nothing once it finds the
     * mark. */
    if (atomic_load_explicit(&conn->owes_body, memory_order_acquire))
        conn_refuse(conn, S3_REQUEST_TIMEOUT);
    /* The worker reads end-of-file, ends the exchange and closes the socket; while the
     * connection is in the list its descriptor cannot have been closed and reused. */
    shutdown(conn->fd, SHUT_RDWR);
    log_debug("%s: cut, the request came too slowly", conn->remote);
}

static struct conn *conn_open(struct http_server *server, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info;
    struct conn *conn = xmalloc(sizeof(*conn));

    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    conn->fd = info->connect_fd;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    snprintf(conn->remote, sizeof(conn->remote), "unix");
    if (info->client_addr)
        address_format(info->client_addr, conn->remote, sizeof(conn->remote));
    conn->scanned_deadline_ns = 0;
    wait_init(&conn->wait);
    conn->x.server = server;
    conn->x.state = EXCHANGE_NONE;
    atomic_init(&conn->deadline_ns, 0);
    atomic_init(&conn->owes_body, false);
    (void)conn_expect(conn, server->header_timeout_ms);

    pthread_mutex_lock(&server->lock);
    conn->identity = server->tls ? tls_identity_use_locked(server->identity, mhd) : NULL;
    conn->prev = NULL;
    conn->next = server->conns;
    if (conn->next)
        conn->next->prev = conn;
    server->conns = conn;
    pthread_mutex_unlock(&server->lock);
    return conn;
}

static void conn_close(struct http_server *server, struct conn *conn)
{
    pthread_mutex_lock(&server->lock);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    tls_identity_unref_locked(conn->identity);
    pthread_mutex_unlock(&server->lock);
    mem_freed(CONNECTION_MEMORY + sizeof(*conn));
    mem_free(conn);
    atomic_fetch_sub(&server->conn_count, 1);
    if (atomic_exchange(&server->full, false))
        front_wake(server);
}

void conn_notify(void *server, struct MHD_Connection *mhd, void **socket_context,
                 enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = conn_open(server, mhd);
    } else {
        struct conn *conn = *socket_context;
        void *context = &conn->x;

        /* When epoll_ctl fails libmicrohttpd drops the connection without a word to
         * exchange_end. */
        if (conn->x.state != EXCHANGE_NONE)
            exchange_end(server, mhd, &context, MHD_REQUEST_TERMINATED_WITH_ERROR);
        conn_close(server, conn);
    }
}
