/* SPDX-License-Identifier: MIT */
/* filter.h - which requests and events somebody wants to see. */
#ifndef S3MEM_ADMIN_FILTER_H
#define S3MEM_ADMIN_FILTER_H

#include "admin/call.h"
#include "admin/traffic/entry.h"

/* ptr NULL: any. All borrowed from the call. */
struct filter {
    struct str operations, statuses, types; /* lists with commas */
    struct str bucket, branch, code, request_id;
    struct str key; /* a pattern */
    uint64_t since_id;
    int64_t since_ns; /* server's clock */
};

/* From the query parameters operation, status, type, bucket, branch, code, requestId, key and
 * since, as * far as the route knows them. False: answered. */
MUST_CHECK bool filter_read(struct admin_call *c, struct filter *out);
/* A completed request. */
bool filter_passes(const struct filter *f, const struct entry *e);
bool filter_passes_event(const struct filter *f, const struct event *event);

/* The same in two steps, of which the first has one answer for all events of a class: type,
 * operation, bucket and branch. A completed request is looked at as its EVENT_RESPONSE. */
bool filter_passes_class(const struct filter *f, const struct event *event);
bool filter_passes_rest(const struct filter *f, const struct event *event, bool is_event);
bool event_same_class(const struct event *a, const struct event *b);

/* One allocation, to be freed by mem_free. NULL: no memory. */
MUST_CHECK struct filter *filter_copy(const struct filter *f);
bool filter_same(const struct filter *a, const struct filter *b);
uint64_t filter_hash(const struct filter *f);

#endif
