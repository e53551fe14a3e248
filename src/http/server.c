/* SPDX-License-Identifier: MIT */
/* server.c - starting and stopping libmicrohttpd and the front thread. */
#include "http/server.h"
#include "http/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* libmicrohttpd starts by reading into half of a connection's memory, and grows that part up to
 * this while a body comes in: fewer calls for a large one. */
#define READ_BUFFER KiB(16)
/* Listening sockets, epoll and event descriptors, log, seeds. */
#define SPARE_FDS 64

/* ---- libmicrohttpd's side doors ---------------------------------------------------- */

static _Thread_local struct buf *start_log; /* while the daemon starts: why it could not */

static void log_from_mhd(void *arg, const char *fmt, va_list args)
{
    char text[512];

    (void)arg;
    if (!start_log && !log_enabled(LOG_LEVEL_DEBUG))
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    if (start_log)
        buf_addf(start_log, "%s%s", start_log->len ? "; " : "", text);
    else
        log_debug("%s", text);
}

static void panic_from_mhd(void *arg, const char *file, unsigned line, const char *reason)
{
    (void)arg;
    log_error("libmicrohttpd %s:%u: %s", file, line, reason ? reason : "broken invariant");
    abort();
}

/* ---- resources --------------------------------------------------------------------- */

static unsigned default_threads(void)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
        return 2;
    return (unsigned)CPU_COUNT(&cpus);
}

/* Raises the soft limit of open files; a hard limit below it lowers the connection limit. */
static unsigned fit_to_fd_limit(unsigned connection_limit)
{
    struct rlimit limit;
    rlim_t wanted = connection_limit + SPARE_FDS;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return connection_limit;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted)
        return connection_limit;
    connection_limit =
        limit.rlim_cur > 2 * SPARE_FDS ? (unsigned)limit.rlim_cur - SPARE_FDS : SPARE_FDS;
    log_warn("at most %u connections: the limit of open files is %llu", connection_limit,
             (unsigned long long)limit.rlim_cur);
    return connection_limit;
}

/* ---- life -------------------------------------------------------------------------- */

static struct MHD_Daemon *start_mhd(struct http_server *server, const struct http_options *o)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG |
                     MHD_ALLOW_SUSPEND_RESUME;
    unsigned threads = o->threads ? o->threads : default_threads();
    int64_t idle_s = (o->idle_timeout_ms + 999) / 1000;
    /* Out of reach, even if one worker had them all: at its limit 0.9.75 forgets to unlock a
     * mutex and hangs. The front thread keeps the real limit. */
    unsigned mhd_limit = server->connection_limit * (threads + 1);
    struct MHD_OptionItem reading[QUIRKS_OPTIONS];
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem pool[] = {
        /* A pool of one is no pool. */
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    quirks_options(reading, server);
    if (server->tls)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    return MHD_start_daemon(flags, 0, NULL, NULL, exchange_handle, server,
                            /* First, so that complaints about the others are heard. */
                            MHD_OPTION_EXTERNAL_LOGGER, log_from_mhd, NULL, MHD_OPTION_ARRAY,
                            reading, MHD_OPTION_CONNECTION_LIMIT, mhd_limit,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)idle_s,
                            MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)READ_BUFFER,
                            MHD_OPTION_ARRAY, pool, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static void server_destroy(struct http_server *server)
{
    if (server->mhd)
        MHD_stop_daemon(server->mhd);
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    tls_identity_unref_locked(server->identity);
    pthread_mutex_destroy(&server->lock);
    mem_free(server->silent);
    mem_free(server);
}

static struct http_server *server_prepare(const struct http_options *o)
{
    struct http_server *server = xcalloc(1, sizeof(*server));

    pthread_mutex_init(&server->lock, NULL);
    server->mounts = o->mounts;
    server->mount_count = o->mount_count;
    server->connection_limit = fit_to_fd_limit(o->connection_limit);
    server->idle_timeout_ms = o->idle_timeout_ms;
    server->header_timeout_ms = o->header_timeout_ms;
    server->body_timeout_ms = o->body_timeout_ms;
    server->tls = o->tls_cert != NULL;
    server->turns = o->turns;
    server->tidy = o->tidy;
    server->tidy_arg = o->tidy_arg;
    atomic_init(&server->next_wake_ns, INT64_MAX);
    server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->polls[0] = (struct pollfd){.fd = server->wake_fd, .events = POLLIN};
    server->listener_count = o->listeners->count;
    for (size_t i = 0; i < o->listeners->count; i++) {
        int fd = o->listeners->items[i].fd;

        server->polls[i + 1] = (struct pollfd){.fd = fd, .events = POLLIN};
        /* So that the first bytes can be looked at; Unix sockets do not know it. */
        if (server->tls && o->listeners->items[i].tcp)
            setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){1}, sizeof(int));
    }
    return server;
}

struct http_server *http_server_start(const struct http_options *options, struct buf *why)
{
    struct http_server *server = server_prepare(options);
    int err;

    if (server->tls &&
        !http_server_set_identity(server, options->tls_cert, options->tls_key, why)) {
        server_destroy(server);
        return NULL;
    }
    MHD_set_panic_func(panic_from_mhd, NULL);
    if (!quirks_check(why)) {
        server_destroy(server);
        return NULL;
    }
    start_log = why;
    server->mhd = start_mhd(server, options);
    start_log = NULL;
    if (!server->mhd || server->wake_fd < 0) {
        if (!why->len)
            buf_addf(why, "cannot start the server's threads: %s", strerror(errno));
        server_destroy(server);
        return NULL;
    }
    buf_reset(why);
    err = pthread_create(&server->front, NULL, front_run, server);
    if (err) {
        buf_addf(why, "cannot start a thread: %s", strerror(err));
        server_destroy(server);
        return NULL;
    }
    server->front_runs = true;
    return server;
}

static void wake_all(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    wait_wake_all_locked(server);
    pthread_mutex_unlock(&server->lock);
    front_wake(server);
}

/* Streams end when they are woken; what waits for something else goes on waiting. */
void http_server_quiesce(struct http_server *server)
{
    if (!atomic_exchange(&server->stopping, true))
        wake_all(server);
}

size_t http_server_active(const struct http_server *server)
{
    return atomic_load_explicit(&server->active, memory_order_acquire);
}

#define CUT_NS      NS_PER_S
#define CUT_STEP_US 500

/* Ends every connection before libmicrohttpd is stopped: 0.9.75 follows a null pointer when it
 * answers a malformed request itself while it is being stopped, and panics if any connection
 * is left suspended. */
static void cut_all(struct http_server *server)
{
    int64_t deadline_ns = clock_monotonic_ns() + CUT_NS;

    while (atomic_load(&server->conn_count) > 0 && clock_monotonic_ns() < deadline_ns) {
        pthread_mutex_lock(&server->lock);
        wait_wake_all_locked(server);
        for (struct conn *c = server->conns; c; c = c->next)
            shutdown(c->fd, SHUT_RDWR);
        pthread_mutex_unlock(&server->lock);
        usleep(CUT_STEP_US);
    }
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    http_server_quiesce(server);
    atomic_store(&server->cutting, true);
    front_wake(server);
    if (server->front_runs)
        pthread_join(server->front, NULL);
    cut_all(server);
    server_destroy(server);
}
