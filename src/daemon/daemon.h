/* SPDX-License-Identifier: MIT */
/* daemon.h - a server as a process: signals, readiness, init scripts, exit status. */
#ifndef S3MEM_DAEMON_DAEMON_H
#define S3MEM_DAEMON_DAEMON_H

#include "lib/server.h"

#include <signal.h>

struct daemon {
    struct server server;
    sigset_t signals; /* blocked in every thread; main waits for them */
    int caught;       /* the SIGTERM or SIGINT that ends us; 0 before */
    bool reload;      /* SIGHUP came, and nothing was read again since */
};

/* "s3memd: ..." on standard error. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* ---- signals.c --------------------------------------------------------------------- */

/* Blocks SIGTERM, SIGINT, SIGHUP and SIGCHLD for sigtimedwait, and ignores SIGPIPE. */
void signals_setup(struct daemon *d);
/* Waits at most timeout_ms (-1: for ever) for one of them; 0 when none came. Notes SIGHUP
 * in d->reload, SIGTERM and SIGINT in d->caught; a second one ends the process at once, with
 * status 128+n. */
int signals_wait(struct daemon *d, int timeout_ms);

/* ---- notify.c ---------------------------------------------------------------------- */

/* Tells systemd ("READY=1"): one datagram to $NOTIFY_SOCKET, if there is one. */
void notify_systemd(const char *state);

/* ---- init_scripts.c ---------------------------------------------------------------- */

/* Runs DIR/ready.d, one after the other; a failing script is logged, and no reason to stop. */
MUST_CHECK enum exit_status init_scripts_run(struct daemon *d, const char *dir);

#endif
