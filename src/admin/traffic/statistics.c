/* SPDX-License-Identifier: MIT */
/* statistics.c - counting, and reading off what was counted. */
#include "admin/traffic/statistics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

struct stripe {
    _Atomic uint64_t begun;
    _Atomic uint64_t ended;
    _Atomic int64_t leaving;
    pthread_mutex_t lock; /* guards what follows */
    int64_t since_ns;     /* monotonic: requests that have begun before are not counted */
    struct operation_totals *operations[TRAFFIC_OPERATIONS_MAX]; /* made at first use */
};

struct statistics {
    struct stripe stripes[STRIPES];
};

struct statistics *statistics_new(void)
{
    struct statistics *s = xcalloc(1, sizeof(*s));

    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&s->stripes[i].lock, NULL);
    return s;
}

void statistics_free(struct statistics *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < STRIPES; i++) {
        for (size_t op = 0; op < TRAFFIC_OPERATIONS_MAX; op++)
            mem_free(s->stripes[i].operations[op]);
        pthread_mutex_destroy(&s->stripes[i].lock);
    }
    mem_free(s);
}

/* ---- counting ---------------------------------------------------------------------- */

static size_t bucket_of(uint64_t ns)
{
    uint64_t v = ns >> HISTOGRAM_UNIT_SHIFT;
    unsigned shift;
    size_t bucket;

    if (v < HISTOGRAM_STEPS)
        return v;
    shift = 63 - HISTOGRAM_STEPS_LOG2 - (unsigned)__builtin_clzll(v);
    bucket = ((size_t)shift << HISTOGRAM_STEPS_LOG2) + (v >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static void count_status(struct operation_totals *t, unsigned status, uint64_t count)
{
    size_t i = 0;

    while (t->statuses[i].count > 0 && t->statuses[i].status != status) {
        if (++i < STATISTICS_STATUSES)
            continue;
        t->statuses[--i].status = 0;
        break;
    }
    if (t->statuses[i].count == 0)
        t->statuses[i].status = status;
    t->statuses[i].count += count;
}

static void count(struct operation_totals *t, const struct traffic_call *call)
{
    uint64_t ns = call->duration_ns > 0 ? (uint64_t)call->duration_ns : 0;

    t->count++;
    t->errors += call->status >= 400;
    t->bytes_in += call->bytes_in;
    t->bytes_out += call->bytes_out;
    t->sum_ns += ns;
    if (ns > t->max_ns)
        t->max_ns = ns;
    count_status(t, call->status, 1);
    t->buckets[bucket_of(ns)]++;
}

void statistics_begin(struct statistics *s)
{
    atomic_fetch_add_explicit(&s->stripes[thread_stripe()].begun, 1, memory_order_relaxed);
}

void statistics_answer(struct statistics *s)
{
    atomic_fetch_add_explicit(&s->stripes[thread_stripe()].leaving, 1, memory_order_relaxed);
}

void statistics_end(struct statistics *s, const struct traffic_call *call)
{
    struct stripe *stripe = &s->stripes[thread_stripe()];
    struct operation_totals **t;

    pthread_mutex_lock(&stripe->lock);
    t = &stripe->operations[call->operation_number % TRAFFIC_OPERATIONS_MAX];
    if (call->started_ns >= stripe->since_ns) {
        if (!*t) {
            *t = xcalloc(1, sizeof(**t));
            (*t)->name = call->operation;
        }
        count(*t, call);
    }
    pthread_mutex_unlock(&stripe->lock);
    /* Whoever sees it ended sees it begun and counted. */
    atomic_fetch_add_explicit(&stripe->ended, 1, memory_order_release);
    if (call->leaving)
        atomic_fetch_sub_explicit(&stripe->leaving, 1, memory_order_release);
}

void statistics_reset(struct statistics *s)
{
    int64_t now_ns = clock_monotonic_ns();

    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &s->stripes[i];

        pthread_mutex_lock(&stripe->lock);
        stripe->since_ns = now_ns;
        for (size_t op = 0; op < TRAFFIC_OPERATIONS_MAX; op++)
            mem_free(TAKE(stripe->operations[op]));
        pthread_mutex_unlock(&stripe->lock);
    }
}

/* ---- asking ------------------------------------------------------------------------ */

uint64_t statistics_begun(struct statistics *s)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < STRIPES; i++)
        sum += atomic_load_explicit(&s->stripes[i].begun, memory_order_acquire);
    return sum;
}

uint64_t statistics_ended(struct statistics *s)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < STRIPES; i++)
        sum += atomic_load_explicit(&s->stripes[i].ended, memory_order_acquire);
    return sum;
}

bool statistics_leaving(struct statistics *s)
{
    for (size_t i = 0; i < STRIPES; i++)
        if (atomic_load_explicit(&s->stripes[i].leaving, memory_order_acquire))
            return true;
    return false;
}

void totals_add(struct operation_totals *sum, const struct operation_totals *more)
{
    sum->count += more->count;
    sum->errors += more->errors;
    sum->bytes_in += more->bytes_in;
    sum->bytes_out += more->bytes_out;
    sum->sum_ns += more->sum_ns;
    if (more->max_ns > sum->max_ns)
        sum->max_ns = more->max_ns;
    for (size_t i = 0; i < STATISTICS_STATUSES && more->statuses[i].count > 0; i++)
        count_status(sum, more->statuses[i].status, more->statuses[i].count);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += more->buckets[i];
}

bool statistics_get(struct statistics *s, unsigned operation, struct operation_totals *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &s->stripes[i];

        pthread_mutex_lock(&stripe->lock);
        if (stripe->operations[operation]) {
            out->name = stripe->operations[operation]->name;
            totals_add(out, stripe->operations[operation]);
        }
        pthread_mutex_unlock(&stripe->lock);
    }
    return out->count > 0;
}

/* The middle of a bucket. */
static uint64_t bucket_ns(size_t bucket)
{
    unsigned shift = 0;
    uint64_t first = bucket;

    if (bucket >= HISTOGRAM_STEPS) {
        shift = (unsigned)(bucket >> HISTOGRAM_STEPS_LOG2) - 1;
        first = (HISTOGRAM_STEPS | (bucket & (HISTOGRAM_STEPS - 1))) << shift;
    }
    return (first << HISTOGRAM_UNIT_SHIFT) +
           (UINT64_C(1) << (shift + HISTOGRAM_UNIT_SHIFT)) / 2;
}

int64_t totals_quantile_ns(const struct operation_totals *t, double part)
{
    uint64_t rank = (uint64_t)ceil(part * (double)t->count), seen = 0, ns;
    size_t bucket = 0;

    if (t->count == 0)
        return 0;
    rank = rank < 1 ? 1 : rank > t->count ? t->count : rank;
    while ((seen += t->buckets[bucket]) < rank)
        bucket++;
    ns = bucket_ns(bucket);
    /* The last bucket has no end; and nothing took longer than the longest. */
    if (ns > t->max_ns || bucket == HISTOGRAM_BUCKETS - 1)
        ns = t->max_ns;
    return (int64_t)ns;
}
