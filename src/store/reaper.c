/* SPDX-License-Identifier: MIT */
/* reaper.c - a stack of things to free and the thread that empties it. What it runs may push
 * more (a root its buckets, a bucket its uploads). The lock guards all; it is never held while
 * something runs or is looked for, and nothing is locked under it. */
#include "store/reaper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct reaper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct reap *head;
    uint64_t pending; /* weights on the stack and of the one that runs */
    bool running;     /* something is being freed, or looked for */
    bool stopping;
    void (*look)(void *arg); /* NULL: never */
    void *look_arg;
    int64_t period_ns, next_look_ns; /* monotonic */
};

/* The lock is given back while it looks. */
static void look_locked(struct reaper *reaper)
{
    void (*look)(void *arg) = reaper->look;

    reaper->running = true;
    pthread_mutex_unlock(&reaper->lock);
    look(reaper->look_arg);
    pthread_mutex_lock(&reaper->lock);
    reaper->running = false;
    reaper->next_look_ns = clock_monotonic_ns() + reaper->period_ns;
    if (!reaper->head)
        pthread_cond_broadcast(&reaper->idle);
}

static void wait_locked(struct reaper *reaper)
{
    struct timespec until = {.tv_sec = reaper->next_look_ns / NS_PER_S,
                             .tv_nsec = reaper->next_look_ns % NS_PER_S};

    if (!reaper->look)
        pthread_cond_wait(&reaper->work, &reaper->lock);
    else if (clock_monotonic_ns() >= reaper->next_look_ns)
        look_locked(reaper);
    else
        (void)pthread_cond_timedwait(&reaper->work, &reaper->lock, &until);
}

static void *reaper_main(void *arg)
{
    struct reaper *reaper = arg;

    pthread_mutex_lock(&reaper->lock);
    for (;;) {
        while (!reaper->head && !reaper->stopping)
            wait_locked(reaper);
        if (!reaper->head)
            break;

        struct reap *item = reaper->head;
        uint64_t weight = item->weight;
        reaper->head = item->next;
        reaper->running = true;
        pthread_mutex_unlock(&reaper->lock);

        item->run(item);

        pthread_mutex_lock(&reaper->lock);
        reaper->running = false;
        reaper->pending -= weight;
        if (!reaper->head)
            pthread_cond_broadcast(&reaper->idle);
    }
    pthread_mutex_unlock(&reaper->lock);
    return NULL;
}

struct reaper *reaper_new(void)
{
    struct reaper *reaper = xcalloc(1, sizeof(*reaper));
    pthread_condattr_t monotonic;
    sigset_t all, before;

    pthread_mutex_init(&reaper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&reaper->idle, NULL);
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&reaper->thread, NULL, reaper_main, reaper) != 0) {
        log_error("cannot start the thread that frees memory");
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reaper;
}

void reaper_free(struct reaper *reaper)
{
    if (!reaper)
        return;
    pthread_mutex_lock(&reaper->lock);
    reaper->stopping = true;
    pthread_cond_signal(&reaper->work);
    pthread_mutex_unlock(&reaper->lock);
    pthread_join(reaper->thread, NULL);
    pthread_cond_destroy(&reaper->work);
    pthread_cond_destroy(&reaper->idle);
    pthread_mutex_destroy(&reaper->lock);
    mem_free(reaper);
}

void reaper_push(struct reaper *reaper, struct reap *item, void (*run)(struct reap *self),
                 uint64_t weight)
{
    item->run = run;
    item->weight = weight;
    pthread_mutex_lock(&reaper->lock);
    item->next = reaper->head;
    reaper->head = item;
    reaper->pending += weight;
    pthread_cond_signal(&reaper->work);
    pthread_mutex_unlock(&reaper->lock);
}

void reaper_look(struct reaper *reaper, void (*look)(void *arg), void *arg, int64_t period_ns)
{
    pthread_mutex_lock(&reaper->lock);
    reaper->look = look;
    reaper->look_arg = arg;
    reaper->period_ns = period_ns;
    reaper->next_look_ns = clock_monotonic_ns() + period_ns;
    pthread_cond_signal(&reaper->work);
    pthread_mutex_unlock(&reaper->lock);
}

void reaper_settle(struct reaper *reaper)
{
    pthread_mutex_lock(&reaper->lock);
    reaper->look = NULL;
    pthread_mutex_unlock(&reaper->lock);
    reaper_wait(reaper);
}

uint64_t reaper_pending(struct reaper *reaper)
{
    pthread_mutex_lock(&reaper->lock);
    uint64_t pending = reaper->pending;
    pthread_mutex_unlock(&reaper->lock);
    return pending;
}

void reaper_wait(struct reaper *reaper)
{
    pthread_mutex_lock(&reaper->lock);
    while (reaper->head || reaper->running)
        pthread_cond_wait(&reaper->idle, &reaper->lock);
    pthread_mutex_unlock(&reaper->lock);
}
