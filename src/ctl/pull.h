/* SPDX-License-Identifier: MIT */
/* pull.h - objects copied from one site to another, several at once.
 *
 *   pull_new -> pull_add ... -> pull_finish -> pull_free
 *
 * An object that was uploaded in parts is copied by the same parts, so that its ETag stays. */
#ifndef S3MEM_CTL_PULL_H
#define S3MEM_CTL_PULL_H

#include "ctl/site.h"

/* As a listing has it; borrowed. */
struct pull_item {
    struct str key, etag;
    uint64_t size;
    bool other_etag; /* the target has one like it, but for the ETag: is that an MD5? */
};

struct pull_counts {
    size_t copied, failed;
    size_t unchanged; /* of those that had another ETag */
    uint64_t bytes;
    bool stopped; /* nothing more can go well, as was said */
};

struct pull;
/* Borrows all.
 * on_end       called with the counts when an object was copied, or was not
 * interrupted  asked between steps; true ends the copying */
struct pull *pull_new(struct ctl *c, const struct site *from, const struct site *to,
                      void (*on_end)(void *arg, const struct pull_counts *counts),
                      bool (*interrupted)(void), void *arg);
/* Begins to copy an object, once there is room among those that are being copied. False: it was
 * interrupted, or stopped. */
MUST_CHECK bool pull_add(struct pull *p, const struct pull_item *item);
/* Waits for all that were begun. */
void pull_finish(struct pull *p);
const struct pull_counts *pull_counts(const struct pull *p);
/* What is under way ends, and leaves no upload behind. */
void pull_free(struct pull *p);

#endif
