/* SPDX-License-Identifier: MIT */
/* filter.h - which requests and events somebody wants to see. */
#ifndef S3MEM_ADMIN_FILTER_H
#define S3MEM_ADMIN_FILTER_H

#include "admin/call.h"
#include "admin/entry.h"

/* ptr NULL: any. All borrowed from the call. */
struct filter {
    struct str operations, statuses, types; /* lists with commas */
    struct str bucket, branch, code;
    struct str key; /* a pattern */
    uint64_t since_id;
    int64_t since_ns; /* server's clock */
};

/* From the query parameters operation, status, type, bucket, branch, code, key and since, as
 * far as the route knows them. False: answered. */
MUST_CHECK bool filter_read(struct admin_call *c, struct filter *out);
/* A completed request. */
bool filter_passes(const struct filter *f, const struct entry *e);
bool filter_passes_event(const struct filter *f, const struct event *event);

#endif
