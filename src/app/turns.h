/* SPDX-License-Identifier: MIT */
/* turns.h - the longest turn of an I/O thread. A turn is one callback of the front end into us;
 * while it lasts no other connection of that thread gets on.
 *
 * Measuring reads the processor's time-stamp counter twice. The clocks of thread and system are
 * read only when a turn took about a millisecond, and between turns at most about once a
 * millisecond for each thread. */
#ifndef S3MEM_APP_TURNS_H
#define S3MEM_APP_TURNS_H

#include "base/base.h"

/* No turn may take more CPU time. */
#define TURN_BUDGET_NS (5 * NS_PER_MS)

/* Work that can be divided goes on in another turn after so long. */
#define TURN_SLICE_NS (2 * NS_PER_MS)

#define TURN_METHOD_MAX 32
#define TURN_TARGET_MAX 512

struct turn_record {
    int64_t cpu_ns; /* at most; the measurement may be off by a millisecond. 0: none was long */
    int64_t wall_ns;
    int64_t at_unix_ns;           /* real time of its end */
    const char *step;             /* "begin", "body", "finish", "stream", "release" or "done" */
    char method[TURN_METHOD_MAX]; /* both clipped */
    char target[TURN_TARGET_MAX]; /* raw: mask before showing */
    uint64_t over_budget;         /* turns of more than TURN_BUDGET_NS of CPU */
};

struct turns;
struct turns *turns_new(void);
void turns_free(struct turns *t);
/* The longest turn since the start or the last reset. Thread-safe. */
void turns_read(struct turns *t, struct turn_record *out);
void turns_reset(struct turns *t);

/* The counter that turns are measured by: any rate of at least 0.5 GHz. */
static inline int64_t turn_ticks(void)
{
#if defined(__x86_64__)
    return (int64_t)__builtin_ia32_rdtsc();
#else
    return clock_monotonic_ns();
#endif
}
/* So many are a millisecond or less. */
#define TURN_TICKS_SHORT 1000000

/* What the calling thread's clocks showed when its counter stood there. */
struct turn_base {
    int64_t ticks, wall_ns, cpu_ns;
};
extern _Thread_local struct turn_base turn_base;

void turn_base_refresh(int64_t ticks);
void turn_record_long(struct turns *t, int64_t started, const char *step, struct str method,
                      struct str target);

/* Returns what turn_end takes. */
static inline int64_t turn_begin(void)
{
    int64_t now = turn_ticks();

    if (now - turn_base.ticks > TURN_TICKS_SHORT)
        turn_base_refresh(now);
    return now;
}

/* t may be NULL: nobody wants to know. step is static. */
static inline void turn_end(struct turns *t, int64_t started, const char *step,
                            struct str method, struct str target)
{
    if (turn_ticks() - started > TURN_TICKS_SHORT)
        turn_record_long(t, started, step, method, target);
}

#endif
