/* SPDX-License-Identifier: MIT */
/* daemon.h - a server as a process: signals, readiness, init scripts, exit status. */
#ifndef S3MEM_DAEMON_DAEMON_H
#define S3MEM_DAEMON_DAEMON_H

#include "server/server.h"

#include <signal.h>

struct daemon {
    struct server server;
    sigset_t signals; /* blocked in every thread; main waits for them */
    int caught;       /* the SIGTERM or SIGINT that ends us; 0 before */
    bool reload;      /* SIGHUP came, and nothing was read again since */
    /* Called before a second signal ends the process at once; may be NULL. */
    void (*at_once)(void *arg);
    void *at_once_arg;
};

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

struct init_scripts;

/* The scripts of --init-dir, if there is one; d is borrowed. NULL with a sentence in why: the
 * folder cannot be read. */
MUST_CHECK struct init_scripts *init_scripts_open(struct daemon *d, struct buf *why);
/* Runs the scripts of a stage, one after the other; a failing one is logged, and no reason to
 * stop. Before the end a signal ends the one that runs and spares the rest; at the end all have
 * the time of --shutdown-timeout. Boot comes first: it may make the scripts of the other stages. */
void init_scripts_run(struct init_scripts *scripts, enum init_stage stage);
/* Removes what was made for them. Accepts NULL. */
void init_scripts_close(struct init_scripts *scripts);

#endif
