/* SPDX-License-Identifier: MIT */
/* turns.c - recording turns that took long. */
#include "app/turns.h"
#include "base/base.h"

#include <pthread.h>

struct turns {
    pthread_mutex_t lock; /* guards record */
    struct turn_record record;
};

_Thread_local struct turn_base turn_base;

struct turns *turns_new(void)
{
    struct turns *t = xcalloc(1, sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void turns_free(struct turns *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

void turns_read(struct turns *t, struct turn_record *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->record;
    pthread_mutex_unlock(&t->lock);
}

void turns_reset(struct turns *t)
{
    pthread_mutex_lock(&t->lock);
    t->record = (struct turn_record){.cpu_ns = 0};
    pthread_mutex_unlock(&t->lock);
}

void turn_base_refresh(int64_t ticks)
{
    turn_base = (struct turn_base){ticks, clock_monotonic_ns(), clock_thread_cpu_ns()};
}

static void copy_clipped(char *out, size_t size, struct str text)
{
    size_t len = text.len < size ? text.len : size - 1;

    str_put(out, str_of(text.ptr, len));
    out[len] = '\0';
}

/* The base was read before the turn began: the rate of the counter since then tells when. */
static int64_t wall_since(int64_t started, int64_t now_ticks, int64_t now_ns)
{
    double ticks = (double)(now_ticks - turn_base.ticks);
    double part = ticks > 0 ? (double)(now_ticks - started) / ticks : 1;

    return (int64_t)(part * (double)(now_ns - turn_base.wall_ns));
}

void turn_record_long(struct turns *t, int64_t started, const char *step, struct str method,
                      struct str target)
{
    int64_t ticks = turn_ticks(), now_ns = clock_monotonic_ns(),
            cpu_now_ns = clock_thread_cpu_ns();
    int64_t wall_ns = wall_since(started, ticks, now_ns);
    int64_t cpu_ns = cpu_now_ns - turn_base.cpu_ns;
    struct turn_record *r;

    turn_base = (struct turn_base){ticks, now_ns, cpu_now_ns};
    if (!t)
        return;
    if (cpu_ns > wall_ns)
        cpu_ns = wall_ns;
    r = &t->record;
    pthread_mutex_lock(&t->lock);
    r->over_budget += cpu_ns > TURN_BUDGET_NS;
    if (cpu_ns > r->cpu_ns) {
        r->cpu_ns = cpu_ns;
        r->wall_ns = wall_ns;
        r->at_unix_ns = clock_real_ns();
        r->step = step;
        copy_clipped(r->method, sizeof(r->method), method);
        copy_clipped(r->target, sizeof(r->target), target);
    }
    pthread_mutex_unlock(&t->lock);
}
