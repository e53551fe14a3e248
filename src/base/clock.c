/* SPDX-License-Identifier: MIT */
/* clock.c - the movable clock. RUNNING -> FROZEN -> RUNNING; an offset moves the running clock
 * and outlives a freeze. Dates are in date.c. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#define NOT_FROZEN INT64_MIN

static _Atomic int64_t frozen_at_ns = NOT_FROZEN;
static _Atomic int64_t offset_ns;

/* An absurd offset makes a clock that stands at the end of time, not an overflow. */
static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return b < 0 ? INT64_MIN + 1 : INT64_MAX;
    return sum == NOT_FROZEN ? INT64_MIN + 1 : sum;
}

static int64_t read_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
    int64_t frozen = atomic_load_explicit(&frozen_at_ns, memory_order_acquire);

    if (frozen != NOT_FROZEN)
        return frozen;
    return add_saturated(read_ns(CLOCK_REALTIME),
                         atomic_load_explicit(&offset_ns, memory_order_relaxed));
}

int64_t clock_real_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_coarse_ns(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_process_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_set_offset_ns(int64_t offset)
{
    atomic_store(&offset_ns, offset);
}

void clock_freeze_at_ns(int64_t now_ns)
{
    atomic_store(&frozen_at_ns, add_saturated(now_ns, 0));
}

void clock_unfreeze(void)
{
    atomic_store(&frozen_at_ns, NOT_FROZEN);
}

void clock_advance_ns(int64_t delta_ns)
{
    int64_t frozen = atomic_load(&frozen_at_ns);
    int64_t offset = atomic_load(&offset_ns);

    while (frozen != NOT_FROZEN) {
        if (atomic_compare_exchange_weak(&frozen_at_ns, &frozen,
                                         add_saturated(frozen, delta_ns)))
            return;
    }
    while (!atomic_compare_exchange_weak(&offset_ns, &offset, add_saturated(offset, delta_ns)))
        continue;
}

int64_t clock_offset_ns(void)
{
    return atomic_load(&offset_ns);
}

bool clock_is_frozen(void)
{
    return atomic_load(&frozen_at_ns) != NOT_FROZEN;
}
