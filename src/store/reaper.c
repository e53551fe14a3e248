/* SPDX-License-Identifier: MIT */
/* reaper.c - a stack of things to free and the thread that empties it. What it runs may push
 * more (a root its buckets, a bucket its uploads). The lock guards all; it is never held while
 * something runs, and nothing is locked under it. */
#include "store/reaper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct reaper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct reap *head;
    uint64_t pending; /* weights on the stack and of the one that runs */
    bool running;     /* something is being freed */
    bool stopping;
};

static void *reaper_main(void *arg)
{
    struct reaper *reaper = arg;

    pthread_mutex_lock(&reaper->lock);
    for (;;) {
        while (!reaper->head && !reaper->stopping)
            pthread_cond_wait(&reaper->work, &reaper->lock);
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
    sigset_t all, before;

    pthread_mutex_init(&reaper->lock, NULL);
    pthread_cond_init(&reaper->work, NULL);
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
