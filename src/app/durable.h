/* SPDX-License-Identifier: MIT */
/* durable.h - between who changes the store for a client (s3, admin) and who writes the changes
 * to disk: is what a call has changed safe? Only there when clients are to wait for the disk.
 */
#ifndef S3MEM_APP_DURABLE_H
#define S3MEM_APP_DURABLE_H

#include "app/message.h"

enum durable_state {
    DURABLE_SAFE,
    DURABLE_NOT_YET, /* the waker will be used */
    DURABLE_FAILED,  /* it cannot be written; it may be safe later, or never */
};

/* One call's place in the queue; zeroed at first. */
struct durable_wait {
    uint64_t
        ticket;     /* the change behind the last one that it waits for; 0: has not asked yet */
    uint64_t first; /* change that was made for it, see durable_now; 0: none */
    struct waker *waker;
    struct durable_wait *next, **link; /* link NULL: does not wait */
};

/* For whom this thread changes the store at present; NULL: for nobody in particular. Who has
 * changes of its own waits for those; else for all that were made before. */
extern _Thread_local struct durable_wait *durable_now;

struct durable {
    void *arg;
    /* False: the disk takes nothing at present, so nothing should be changed. */
    bool (*accepts)(void *arg);
    /* Is on disk what w waits for, as it was when first asked? */
    enum durable_state (*state)(void *arg, struct durable_wait *w, struct waker *waker);
    /* Forget w; it may have been asked about or not. */
    void (*leave)(void *arg, struct durable_wait *w);
};

#endif
