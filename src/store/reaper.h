/* SPDX-License-Identifier: MIT */
/* reaper.h - a thread that frees what is too big to free in a request. Nothing is allocated to
 * hand something over: it brings its own link. When it is idle it looks, now and then, for what
 * has to go without being asked. */
#ifndef S3MEM_STORE_REAPER_H
#define S3MEM_STORE_REAPER_H

#include "base/base.h"

struct reaper;

/* Embedded in what can be reaped; used only once its last reference is gone. */
struct reap {
    struct reap *next;
    void (*run)(struct reap *self); /* frees it, this link included */
    uint64_t weight;                /* what reaper_pending counts; set by reaper_push */
};

struct reaper *reaper_new(void);
/* Calls look(arg) about every period_ns, when there is nothing to run. Once, before anything is
 * pushed. */
void reaper_look(struct reaper *reaper, void (*look)(void *arg), void *arg, int64_t period_ns);
/* No look begins or runs after this, and all that was pushed has been run. */
void reaper_settle(struct reaper *reaper);
/* Runs what is left, then ends the thread. Accepts NULL. */
void reaper_free(struct reaper *reaper);
void reaper_push(struct reaper *reaper, struct reap *item, void (*run)(struct reap *self),
                 uint64_t weight);
/* Sum of the weights not yet run. */
uint64_t reaper_pending(struct reaper *reaper);
/* Returns when everything pushed so far, and by that, has been run. */
void reaper_wait(struct reaper *reaper);

#endif
