/* SPDX-License-Identifier: MIT */
/* watch.h - readers of the journal that wait for more, and the thread that wakes them.
 *
 * Whoever publishes does no work for readers. A thread looks at what is new every few
 * milliseconds, holds it against the filters (once for all readers that have the same), and
 * wakes only readers that have something to read. What readers cost together is limited: one
 * that wants more than its share falls behind, and finds a gap when the rings have moved on.
 *
 *   AWAY   reads; costs nothing here
 *   IDLE   has read all there is; its filter is held against what comes
 *   READY  has something to read and is woken when its turn comes -> AWAY
 *
 * One lock, held for moves of pointers, never while filters are evaluated. The journal's lock
 * is not taken under it; the front end's comes behind it. Readers are bounded by the number of
 * connections, and each keeps no more than the text that its client has not taken. */
#ifndef S3MEM_ADMIN_WATCH_H
#define S3MEM_ADMIN_WATCH_H

#include "admin/traffic/filter.h"

#include <stdatomic.h>

struct journal;

/* Bytes that a reader may send each time it is woken: at least, and at most. */
#define WATCH_ALLOWANCE_MIN KiB(16)
#define WATCH_ALLOWANCE_MAX KiB(256)

enum watcher_state { WATCHER_AWAY, WATCHER_IDLE, WATCHER_READY };

struct watcher {
    struct waker *waker;
    uint64_t position; /* what it reads next: an event's number, or a position of entries */
    size_t allowance;  /* bytes that it may send before it waits again; its own to count down */
    /* The watch's: */
    struct watch_group *group; /* NULL: has not joined */
    enum watcher_state state;
    struct watcher *next, **back;
};

struct watch;
struct watch *watch_new(struct journal *j);
/* Nobody has joined any more. */
void watch_free(struct watch *w);

/* Joins, AWAY. to_events: reads events, else completed entries. The filter is copied. False:
 * no memory, or no thread to be had. */
MUST_CHECK bool watch_join(struct watch *w, struct watcher *r, const struct filter *filter,
                           bool to_events);
/* Never woken afterwards. Accepts one that has not joined. */
void watch_leave(struct watch *w, struct watcher *r);
/* How many have joined to read events. */
uint64_t watch_subscribers(struct watch *w);

/* The reader looks at the journal from r->position on, which may have moved. It need not have
 * been woken. */
void watch_read(struct watch *w, struct watcher *r);
/* It will be woken: when more is there that passes (at_end: it has just seen the end of what
 * there was), or when its turn to read on comes. */
void watch_wait(struct watch *w, struct watcher *r, bool at_end);
/* So much of an I/O thread's time was spent for a reader. */
void watch_charge(struct watch *w, int64_t ns);

/* The journal has more. Costs next to nothing but when the thread sleeps. */
void watch_poke(struct watch *w);
bool watch_wants_poke(const struct watch *w);

#endif
