/* SPDX-License-Identifier: MIT */
/* http_fixture.h - a server with an application that keeps count, and a client of raw sockets.
 */
#ifndef S3MEM_TESTS_HTTP_FIXTURE_H
#define S3MEM_TESTS_HTTP_FIXTURE_H

#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

/* What the application has seen. */
struct counts {
    atomic_int begun, finished, done, aborted, released;
    atomic_ullong body_bytes, sent;
};
extern struct counts counts;

struct fixture {
    struct http_listeners listeners;
    struct http_server *server;
    struct turns *turns;
};

/* For what must come, on however slow a machine; a timeout of the server that must not. */
#define WAIT_MS  60000
#define NEVER_MS 3600000

struct fixture *fixture_start(int64_t header_timeout_ms, int64_t body_timeout_ms,
                              unsigned connection_limit);
/* The same with an application of the test's own, which counts itself. */
struct fixture *fixture_start_app(const struct http_mount *mounts, size_t mount_count);
void fixture_stop(struct fixture *f);

/* ---- client ------------------------------------------------------------------------ */

int client_connect(const struct fixture *f);
void client_send(int fd, const char *text);
void client_send_bytes(int fd, const void *data, size_t len);

struct answer {
    unsigned status;
    char head[8192]; /* status line and headers, NUL-terminated */
    char *body;      /* NUL-terminated; client_free */
    size_t body_len;
};
/* Reads exactly one reply; bodyless: it answers a HEAD. Fails the test when none comes. */
void client_read(int fd, struct answer *a, bool bodyless);
void client_free(struct answer *a);
/* Value of a header, or NULL. Valid until the next call. */
const char *client_header(const struct answer *a, const char *name);
/* True when the server closes within the time; what it still sends is dropped. For an end that
 * must come: WAIT_MS. */
bool client_sees_end(int fd, int timeout_ms);
/* Waits until *counter is at least n. */
void wait_for(atomic_int *counter, int n);

#endif
