/* SPDX-License-Identifier: MIT */
/* front.c - the front thread: accepts connections, cuts those that overstay, sees to those
 * whose client has left, and wakes those that wait for a time.
 *
 * A stuck client costs a connection, not a thread; and not for long: whoever does not finish
 * its headers, or stops in the middle of a body, is shut down here. libmicrohttpd's own timeout
 * sees only silence, so a client that sends a byte now and then would live for ever. */
#include "http/server.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Accepted from one socket before the others get a turn. */
#define ACCEPT_BURST 64
#define RETRY_MS     50

void front_wake(struct http_server *server)
{
    const uint64_t one = 1;

    /* Only a full counter could refuse, and then the thread is awake already. */
    if (write(server->wake_fd, &one, sizeof(one)) < 0)
        log_debug("eventfd: %s", strerror(errno));
}

/* What a TLS client says first is a record of type 22; a method begins with a letter. The bytes are
 * there when the kernel hands over the connection (TCP_DEFER_ACCEPT), but for clients that wait. */
static bool speaks_plainly(int fd)
{
    char first;

    return recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first >= 'A' && first <= 'Z';
}

static void refuse_plain(int fd)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                 "Content-Type: text/plain\r\n"
                                 "Content-Length: 59\r\n"
                                 "Connection: close\r\n\r\n"
                                 "This port speaks HTTPS: write https:// in place of http://\n";
    char unread[KiB(4)];

    /* What has come and is not read would make close() cut the answer off. */
    for (int i = 0; i < 16 && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0; i++)
        continue;
    if (send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("plain HTTP: %s", strerror(errno));
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* Takes what waits on one listening socket. False: out of descriptors or memory. */
static bool accept_burst(struct http_server *server, int listen_fd)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        struct sockaddr_storage addr;
        socklen_t addr_len = sizeof(addr);
        int fd;

        if (atomic_load(&server->conn_count) >= server->connection_limit)
            return true;
        addr.ss_family = AF_UNSPEC;
        fd = accept4(listen_fd, (struct sockaddr *)&addr, &addr_len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
        if (server->tls && speaks_plainly(fd)) {
            refuse_plain(fd);
            continue;
        }
        atomic_fetch_add(&server->conn_count, 1);
        /* It closes fd when it fails. */
        if (MHD_add_connection(server->mhd, fd, (struct sockaddr *)&addr, addr_len) != MHD_YES)
            atomic_fetch_sub(&server->conn_count, 1);
    }
    return true;
}

static bool sleeps(const struct conn *c)
{
    return atomic_load_explicit(&c->wait.state, memory_order_relaxed) == WAIT_ASLEEP;
}

/* When a client's last bytes and its end come in one event, libmicrohttpd (edge-triggered
 * epoll) takes the bytes and waits for an event that was merged into the first. Closing our
 * side for reading loses nothing that has arrived, and makes that event. */
static void nudge_leavers(const struct pollfd *silent, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (silent[i].revents & POLLRDHUP)
            shutdown(silent[i].fd, SHUT_RD);
    }
}

/* libmicrohttpd does not look at a connection that sleeps: that its client has gone is for us
 * to see. The lock is held. */
static void wake_leavers(struct http_server *server, size_t count)
{
    size_t i = 0;

    for (struct conn *c = server->conns; c && i < count; c = c->next) {
        /* In the order in which they were collected, each at most once. */
        if (server->silent[i].fd != c->fd)
            continue;
        if ((server->silent[i++].revents & (POLLRDHUP | POLLHUP | POLLERR)) && sleeps(c)) {
            atomic_store(&c->wait.left, true);
            c->wait.waker.wake(&c->wait.waker);
        }
    }
}

/* Looks at every connection that waits for its client. */
static void scan_connections(struct http_server *server)
{
    int64_t now = clock_monotonic_ns();
    size_t count = 0;

    pthread_mutex_lock(&server->lock);
    for (struct conn *c = server->conns; c; c = c->next) {
        int64_t deadline = atomic_load_explicit(&c->deadline_ns, memory_order_relaxed);
        bool silent = deadline == c->scanned_deadline_ns;

        c->scanned_deadline_ns = deadline;
        if ((deadline == 0 || deadline == CONN_OVERDUE) && !sleeps(c))
            continue;
        if (deadline > 0 && deadline <= now)
            conn_expire(c, deadline);
        if (!silent)
            continue;
        if (count == server->silent_cap) {
            server->silent_cap = server->silent_cap ? server->silent_cap * 2 : 64;
            server->silent =
                xrealloc(server->silent, server->silent_cap * sizeof(struct pollfd));
        }
        server->silent[count++] = (struct pollfd){.fd = c->fd, .events = POLLRDHUP};
    }
    if (poll(server->silent, count, 0) > 0) {
        nudge_leavers(server->silent, count);
        wake_leavers(server, count);
    }
    pthread_mutex_unlock(&server->lock);
}

static int scan_interval_ms(const struct http_server *server)
{
    int64_t shortest = server->header_timeout_ms < server->body_timeout_ms
                           ? server->header_timeout_ms
                           : server->body_timeout_ms;
    int64_t interval = shortest / 4;

    return interval < 10 ? 10 : interval > 1000 ? 1000 : (int)interval;
}

/* Waits for connections (unless there may be no more), a wake-up, or the time. */
static bool front_wait(struct http_server *server, int timeout_ms)
{
    bool full = atomic_load(&server->conn_count) >= server->connection_limit;
    bool stopping = atomic_load(&server->stopping);
    nfds_t count = server->listener_count;

    if (full) {
        /* Say so first, then look again: a connection may have closed in between. */
        atomic_store(&server->full, true);
        if (atomic_load(&server->conn_count) < server->connection_limit)
            full = false;
    }
    /* The wake-up comes first so that the listening sockets can be left out. */
    return poll(server->polls, full || stopping ? 1 : count + 1, timeout_ms) > 0 && !full &&
           !stopping;
}

static void drain_wake(struct http_server *server)
{
    uint64_t count;

    if (read(server->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        log_debug("eventfd: %s", strerror(errno));
}

/* Takes new connections. False: out of descriptors. */
static bool accept_all(struct http_server *server)
{
    bool ok = true;

    for (size_t i = 1; i <= server->listener_count; i++) {
        if ((server->polls[i].revents & POLLIN) && !accept_burst(server, server->polls[i].fd))
            ok = false;
    }
    return ok;
}

/* Until the scan, or until somebody who waits is to be woken. */
static int wait_ms(struct http_server *server, int64_t next_scan_ns)
{
    int64_t until_ns = atomic_load(&server->next_wake_ns), now_ns = clock_monotonic_ns();

    if (until_ns > next_scan_ns)
        until_ns = next_scan_ns;
    return until_ns <= now_ns ? 0 : (int)((until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void wake_due(struct http_server *server, int64_t now_ns)
{
    int64_t earliest = atomic_load(&server->next_wake_ns), next;

    if (now_ns < earliest)
        return;
    /* From here on whoever asks for an earlier time than it finds sees to it itself. */
    atomic_store(&server->next_wake_ns, INT64_MAX);
    pthread_mutex_lock(&server->lock);
    next = wait_wake_due_locked(server, now_ns);
    pthread_mutex_unlock(&server->lock);
    earliest = atomic_load(&server->next_wake_ns);
    while (next < earliest &&
           !atomic_compare_exchange_weak(&server->next_wake_ns, &earliest, next))
        continue;
}

void *front_run(void *arg)
{
    struct http_server *server = arg;
    int interval_ms = scan_interval_ms(server);
    int64_t next_scan_ns = clock_monotonic_ns(), next_tidy_ns = next_scan_ns + NS_PER_S;
    bool short_of_fds = false;

    while (!atomic_load(&server->cutting)) {
        bool ready = front_wait(server, wait_ms(server, next_scan_ns));
        int64_t now_ns = clock_monotonic_ns();

        drain_wake(server);
        wake_due(server, now_ns);
        if (ready && !accept_all(server)) {
            if (!short_of_fds)
                log_warn("out of file descriptors: connections wait (see --connection-limit)");
            short_of_fds = true;
            usleep(RETRY_MS * 1000);
        }
        if (server->tidy && now_ns >= next_tidy_ns) {
            server->tidy(server->tidy_arg);
            next_tidy_ns = now_ns + NS_PER_S;
        }
        if (now_ns >= next_scan_ns) {
            scan_connections(server);
            next_scan_ns = clock_monotonic_ns() + interval_ms * NS_PER_MS;
        }
    }
    return NULL;
}
