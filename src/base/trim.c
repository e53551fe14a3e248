/* SPDX-License-Identifier: MIT */
/* trim.c - giving memory that was freed back to the kernel.
 *
 * glibc returns by itself what is free at the end of an arena, if it is more than a threshold;
 * it raises that to twice the largest block that it ever mapped and freed, unless it is told
 * not to. Behind one connection that is still open the memory of thousands stays: malloc_trim
 * returns those pages, but not the ends of arenas, so both are needed. It takes the locks of
 * the arenas while it works: it is called when much was freed and little is being freed now. */
#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>

#define WORTH_IT  MiB(4)
#define THRESHOLD MiB(2)

static _Atomic size_t freed; /* since the last trim */
static size_t freed_before;  /* at the last look */

void mem_set_up(void)
{
    mallopt(M_MMAP_THRESHOLD, THRESHOLD);
    mallopt(M_TRIM_THRESHOLD, THRESHOLD);
    /* Small blocks join their neighbours when they are freed, not when malloc_trim comes: it
     * would make one end of an arena of them all, and leave that. Threads keep a few small
     * blocks all the same. */
    mallopt(M_MXFAST, 0);
}

void mem_freed(size_t bytes)
{
    atomic_fetch_add_explicit(&freed, bytes, memory_order_relaxed);
}

void mem_trim_if_quiet(void)
{
    size_t now = atomic_load_explicit(&freed, memory_order_relaxed);
    size_t lately = now - freed_before;

    freed_before = now;
    if (now < WORTH_IT || lately > now / 8)
        return;
    atomic_fetch_sub_explicit(&freed, now, memory_order_relaxed);
    freed_before = 0;
    malloc_trim(0);
}
