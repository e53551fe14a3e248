/* SPDX-License-Identifier: MIT */
/* daemon.h - the rooms put together, and the pieces that main calls in turn. */
#ifndef S3MEM_DAEMON_DAEMON_H
#define S3MEM_DAEMON_DAEMON_H

#include "s3mem/admin.h"
#include "s3mem/auth.h"
#include "s3mem/config.h"
#include "s3mem/http.h"
#include "s3mem/s3.h"
#include "s3mem/store.h"

#include <signal.h>

/* The process's exit status. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* the environment: port in use, file unreadable */
    EXIT_USAGE = 2,  /* the settings */
};

struct daemon {
    struct settings settings;
    sigset_t signals; /* blocked in every thread; main waits for them */
    int caught;       /* the SIGTERM or SIGINT that ends us; 0 before */
    struct store *store;
    struct credentials *credentials; /* NULL: authentication is off */
    struct s3_service *s3;
    struct admin *admin;
    struct traffic traffic; /* what s3 tells admin */
    struct http_listeners listeners;
    struct http_server *server;
    struct str *domains;     /* of settings.domain */
    const char **operations; /* names of S3's, ended by NULL */
    struct str *hosts;       /* names a browser may call us by */
    size_t host_count;
    struct http_mount mounts[4];
};

/* "s3memd: ..." on standard error. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* ---- signals.c --------------------------------------------------------------------- */

/* Blocks SIGTERM, SIGINT and SIGCHLD for sigtimedwait, and ignores SIGPIPE. */
void signals_setup(struct daemon *d);
/* Waits at most timeout_ms (-1: for ever) for one of them; 0 when none came. Notes SIGTERM and
 * SIGINT in d->caught; a second one ends the process at once, with status 128+n. */
int signals_wait(struct daemon *d, int timeout_ms);

/* ---- notify.c ---------------------------------------------------------------------- */

/* Tells systemd ("READY=1"): one datagram to $NOTIFY_SOCKET, if there is one. */
void notify_systemd(const char *state);

/* ---- network.c --------------------------------------------------------------------- */

/* Sockets handed over by systemd, or else --listen. Prints what is wrong. */
MUST_CHECK enum exit_status network_listen(struct daemon *d);
/* Starts serving on them. */
MUST_CHECK enum exit_status network_serve(struct daemon *d);
/* "http://127.0.0.1:4566" or "http+unix:PATH". */
void network_url(const struct daemon *d, size_t listener, struct buf *out);
/* The one that scripts on this machine use. Empty when there is only a Unix socket. */
void network_local_url(const struct daemon *d, struct buf *out);

/* ---- the rest ---------------------------------------------------------------------- */

/* Reads a --credentials file into set. False with a sentence in why. */
MUST_CHECK bool credentials_file_read(struct credentials *set, const char *path,
                                      struct buf *why);

/* Loads DIR/BUCKET/KEY files; stops early when a signal came. Prints what is wrong. */
MUST_CHECK enum exit_status seed_load(struct daemon *d, const char *dir);

/* Runs DIR/ready.d, one after the other; a failing script is logged, and no reason to stop. */
MUST_CHECK enum exit_status init_scripts_run(struct daemon *d, const char *dir);

#endif
