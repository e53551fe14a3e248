/* SPDX-License-Identifier: MIT */
/* http.h - the door of room http: listening sockets and the server that turns connections into
 * calls of applications (struct app). The only room that knows libmicrohttpd. */
#ifndef S3MEM_HTTP_H
#define S3MEM_HTTP_H

#include "app/app.h"

#include <sys/types.h>

/* ---- where to listen --------------------------------------------------------------- */

#define HTTP_LISTENERS_MAX 32
#define HTTP_ADDRESS_SIZE  128

/* A bound, listening, non-blocking socket. */
struct http_listener {
    int fd;
    bool loopback; /* only this machine can reach it (loopback or Unix) */
    bool tcp;
    bool second;                     /* the [::1] of localhost: the one before it is named */
    bool inherited;                  /* the parent listens on it, too, and goes on */
    char address[HTTP_ADDRESS_SIZE]; /* as bound: "127.0.0.1:4566", "[::1]:4566", "unix:PATH" */
    char *unix_path;                 /* owned: removed when the listener closes; else NULL */
};

struct http_listeners { /* zeroed memory is an empty set */
    struct http_listener items[HTTP_LISTENERS_MAX];
    size_t count;
    mode_t unix_mode; /* of the socket files to come; 0: their owner's only */
};

enum http_listen_result {
    HTTP_LISTEN_OK,
    HTTP_LISTEN_BAD_ADDRESS, /* not an address at all: a mistake in the settings */
    HTTP_LISTEN_FAILED,      /* in use, not ours, not permitted */
};

/* Binds and listens on "127.0.0.1:4566", "[::1]:0", "localhost:4566" (127.0.0.1 and, where there
 * is one, [::1], whatever the hosts file says; ":4566" and "4566" are the same), "name:4566"
 * (every address of the name) or "unix:PATH" (a socket file that nobody answers on is replaced).
 * With port 0 the addresses of a name share one. why: filled with one sentence unless the result
 * is OK. */
MUST_CHECK enum http_listen_result http_listen(struct http_listeners *listeners,
                                               struct str address, struct buf *why);
/* Takes a listening socket that a parent made (systemd socket activation). The socket file of a
 * Unix socket stays where it is: it is the parent's. */
MUST_CHECK enum http_listen_result http_adopt(struct http_listeners *listeners, int fd,
                                              struct buf *why);
/* From now on connections are refused, and those not yet accepted are reset; socket files are
 * removed, so that the next server can have the address. Inherited sockets stay as they are. */
void http_listeners_refuse(struct http_listeners *listeners);
/* Closes all of them, removes socket files; the set is empty afterwards. */
void http_listeners_close(struct http_listeners *listeners);

/* ---- serving ----------------------------------------------------------------------- */

/* Targets that start with prefix go to app, if it takes them; the first match wins, the last
 * prefix must be "". */
struct http_mount {
    struct str prefix;
    struct app app;
    bool (*takes)(void *arg, const struct request *req); /* NULL: all */
    void *takes_arg;
};

struct http_options {
    const struct http_listeners *listeners; /* borrowed: outlives the server */
    const struct http_mount *mounts;        /* borrowed */
    size_t mount_count;
    unsigned threads;          /* I/O threads; 0 = one a CPU */
    unsigned connection_limit; /* open connections; further ones wait in the kernel's queue */
    int64_t idle_timeout_ms;   /* no byte either way */
    int64_t
        header_timeout_ms;   /* from the first byte (or the accept) to the end of the headers */
    int64_t body_timeout_ms; /* a body must move on by HTTP_BODY_STEP bytes in this time */
    const char *tls_cert;    /* PEM texts; both or neither */
    const char *tls_key;
    /* Called every second, by the thread that accepts connections; may be NULL. */
    void (*tidy)(void *arg);
    void *tidy_arg;
    struct turns *turns; /* where long turns are recorded; borrowed; may be NULL */
};

#define HTTP_BODY_STEP KiB(1)

struct http_server;
/* Starts to serve; NULL when that failed, with one sentence in why. */
MUST_CHECK struct http_server *http_server_start(const struct http_options *options,
                                                 struct buf *why);
/* From now on new connections are shown this certificate; those that are open keep theirs. Any
 * thread. False, with a sentence in why: there is something wrong with it, and nothing has
 * changed. Of servers that were started with a certificate. */
MUST_CHECK bool http_server_set_identity(struct http_server *server, const char *cert,
                                         const char *key, struct buf *why);
/* Accepts no more connections, and closes those there are after their next reply. */
void http_server_quiesce(struct http_server *server);
/* Requests that have begun and are not yet answered. */
size_t http_server_active(const struct http_server *server);
/* Cuts what is still open, calls every outstanding done(), frees. Accepts NULL. */
void http_server_free(struct http_server *server);

#endif
