/* SPDX-License-Identifier: MIT */
/* journal.h - the last S3 requests, and events of what happens to them, for whoever asks.
 *
 * An entry is made when a request begins and is listed once it has ended: the `capacity` that
 * ended last stay, or fewer, so that entries and rings take no more than `bytes_max`. Events
 * are numbered from 1 as they happen, in one ring for all readers, who each keep no more than
 * the number they want next: one that is slow finds some of them gone.
 *
 * One lock guards the rings and counts references; it is held for a few moves of pointers,
 * never while entries are copied, compared or printed. An entry nobody refers to is used again,
 * or freed when there are too many bytes. */
#ifndef S3MEM_ADMIN_JOURNAL_H
#define S3MEM_ADMIN_JOURNAL_H

#include "admin/traffic/entry.h"

#define JOURNAL_MAX       1000000
#define JOURNAL_BYTES_MAX MiB(64)

struct journal;
/* capacity: 1..JOURNAL_MAX entries. bytes_max: of entries and rings, those of running requests
 * included. */
struct journal *journal_new(size_t capacity, size_t bytes_max);
/* When no request runs and nobody listens any more. */
void journal_free(struct journal *j);

/* A request begins. NULL: no memory; then it is not in the journal. */
MUST_CHECK struct entry *journal_begin(struct journal *j, const struct traffic_call *call);
/* It has ended: the entry is the journal's. */
void journal_end(struct journal *j, struct entry *entry, const struct traffic_call *call);
/* Forgets the requests that have begun up to now, those that still run too. Events stay. */
void journal_clear(struct journal *j);

struct journal_facts {
    size_t capacity, size; /* entries that can be, and that are in it */
    size_t bytes, bytes_max;
    size_t text_bytes;    /* of what readers of events have not taken; bytes_max again */
    uint64_t last_id;     /* of the request that has begun last; 0: none has */
    uint64_t clearings;   /* how often it was emptied */
    uint64_t subscribers; /* listeners to events */
    uint64_t lost;        /* events that listeners were too slow for */
};
void journal_facts(struct journal *j, struct journal_facts *out);

/* ---- reading ----------------------------------------------------------------------- */

/* Completed entries from *position (0: the oldest) on, at most max: a reference on each, to be
 * given back by journal_release. *position moves behind them. Positions count completed entries
 * since the start. */
size_t journal_read(struct journal *j, uint64_t *position, struct entry **out, size_t max);
void journal_release(struct journal *j, struct entry *const *entries, size_t count);

/* The same, each as its EVENT_RESPONSE with its position as number. */
size_t journal_read_completed(struct journal *j, uint64_t *position, struct event *out,
                              size_t max);

/* Events from *number on, or from the oldest that is still there, at most max, with a reference
 * on the entry of each; *number moves behind them. */
size_t journal_read_events(struct journal *j, uint64_t *number, struct event *out, size_t max);
/* A reader has found so many of them gone. */
void journal_count_lost(struct journal *j, uint64_t lost);
/* Room for text that a reader's client has not taken yet; all readers' together have bytes_max.
 * False: there is not so much. */
MUST_CHECK bool journal_hold_text(struct journal *j, size_t bytes);
void journal_give_text(struct journal *j, size_t bytes);
void journal_release_events(struct journal *j, const struct event *events, size_t count);
/* The number that the next event will have. */
uint64_t journal_next_event(struct journal *j);

/* Who waits for more. */
struct watch *journal_watch(struct journal *j);

#endif
