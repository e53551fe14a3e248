/* SPDX-License-Identifier: MIT */
/* pipe.h - bytes between a call on an I/O thread, which never blocks, and a worker thread,
 * which may. One pipe carries one direction: what a client sends (pipe_feed -> pipe_read), or
 * what it is sent (pipe_write -> pipe_take).
 *
 *   OPEN -> ENDED   its writer has said that this was all; what is in it can still be read
 *        -> BROKEN  the client left, the work was cancelled, the worker has gone: both ends are
 *                   told at their next step, and one that is blocked or waits at once
 *
 * An end that goes for good says so (pipe_leave, pipe_worker_leave), whatever the reason: then
 * the other one never waits for it.
 *
 * Counted, since neither end waits for the other to go. The lock is held while the waker is
 * used (see app/message.h), so that none is used after pipe_leave. */
#ifndef S3MEM_APP_PIPE_H
#define S3MEM_APP_PIPE_H

#include "app/message.h"

#include <sys/types.h>

struct pipe;

/* capacity: bytes it holds before its writer waits. waker: of the call, borrowed until
 * pipe_leave; NULL: nobody is to be woken. */
struct pipe *pipe_new(size_t capacity, struct waker *waker);
struct pipe *pipe_ref(struct pipe *p);
void pipe_unref(struct pipe *p);

/* ---- the call's end: never blocks -------------------------------------------------- */

enum pipe_fed {
    PIPE_WANTS_MORE,
    PIPE_FULL,    /* the bytes are in; feed no more before the waker was used */
    PIPE_NO_MORE, /* it is broken: the bytes went nowhere */
};
/* Takes all of the bytes, be it full or not: the front end cannot take them back. */
MUST_CHECK enum pipe_fed pipe_feed(struct pipe *p, const void *data, size_t len);
/* That was all. */
void pipe_feed_end(struct pipe *p);
/* As reply.stream; STREAM_WAIT: the waker will be used. arg is the pipe. */
enum stream_next pipe_take(void *arg, void *out, size_t max, size_t *len);
/* The call is over: breaks the pipe unless it has ended, forgets the waker. */
void pipe_leave(struct pipe *p);

/* ---- the worker's end: blocks ------------------------------------------------------ */

/* At least one byte and at most max; 0 at the end, -1 when it is broken. */
MUST_CHECK ssize_t pipe_read(struct pipe *p, void *out, size_t max);
/* False when it is broken. */
MUST_CHECK bool pipe_write(struct pipe *p, const void *data, size_t len);
/* That was all. */
void pipe_write_end(struct pipe *p);
/* The work is over, however: breaks the pipe unless it has ended. */
void pipe_worker_leave(struct pipe *p);

/* ---- any thread -------------------------------------------------------------------- */

void pipe_break(struct pipe *p);

AUTO_DEFINE(pipe, pipe_unref)

#endif
