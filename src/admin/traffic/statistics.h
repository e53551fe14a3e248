/* SPDX-License-Identifier: MIT */
/* statistics.h - requests counted by operation: how many, how they ended, bytes and durations.
 *
 * Counted as requests end, so that asking costs the same however many there were. Threads count
 * on stripes of their own, each with a lock that hardly anybody else wants; asking adds the
 * stripes up. */
#ifndef S3MEM_ADMIN_STATISTICS_H
#define S3MEM_ADMIN_STATISTICS_H

#include "app/app.h"

/* Durations are counted in buckets: of 64 ns up to 1 us, above that sixteen for each doubling,
 * up to 73 minutes. A quantile read from them is off by at most 1/32. */
#define HISTOGRAM_UNIT_SHIFT 6
#define HISTOGRAM_STEPS_LOG2 4
#define HISTOGRAM_STEPS      (1 << HISTOGRAM_STEPS_LOG2)
#define HISTOGRAM_DOUBLINGS  32
#define HISTOGRAM_BUCKETS    (HISTOGRAM_STEPS * (HISTOGRAM_DOUBLINGS + 1))

/* More than S3 has; what does not fit is counted as status 0. */
#define STATISTICS_STATUSES 24

struct operation_totals {
    struct str name; /* static */
    uint64_t count, errors, bytes_in, bytes_out;
    uint64_t sum_ns, max_ns;
    struct {
        unsigned status; /* 0: none was sent */
        uint64_t count;
    } statuses[STATISTICS_STATUSES]; /* in no order; count 0: none further */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

struct statistics;
struct statistics *statistics_new(void);
void statistics_free(struct statistics *s);

void statistics_begin(struct statistics *s);
/* Its reply is about to be sent; before the end, on the same thread. */
void statistics_answer(struct statistics *s);
void statistics_end(struct statistics *s, const struct traffic_call *call);
/* Starts again from 0. Requests that have begun before are not counted when they end. */
void statistics_reset(struct statistics *s);

/* How many have begun, or ended, since the start; both are never reset. */
uint64_t statistics_begun(struct statistics *s);
uint64_t statistics_ended(struct statistics *s);
/* Whether replies were being sent all the while it looked. */
bool statistics_leaving(struct statistics *s);
/* What operation (a traffic_call's number) did; false when it was never asked for. */
bool statistics_get(struct statistics *s, unsigned operation, struct operation_totals *out);
/* Adds to sum, whose name stays. */
void totals_add(struct operation_totals *sum, const struct operation_totals *more);
/* The duration that this part (0..1) of the requests did not exceed; 0 when there are none. */
int64_t totals_quantile_ns(const struct operation_totals *t, double part);

#endif
