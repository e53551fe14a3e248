/* SPDX-License-Identifier: MIT */
/* block.c - blocks of one size, kept by the thread that gave them back until it ends.
 *
 * Under AddressSanitizer each is an allocation of its own, so that it sees each use after a
 * request's end. */
#include "base/die.h"
#include "base/mem.h"

#include <pthread.h>

#define IDLE_MAX 8

#if defined(__SANITIZE_ADDRESS__)
#define EACH_ITS_OWN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_ITS_OWN 1
#endif
#endif
#ifndef EACH_ITS_OWN
#define EACH_ITS_OWN 0
#endif

struct idle_blocks {
    size_t count;
    void *blocks[IDLE_MAX];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t idle_key;
static _Thread_local struct idle_blocks *idle;

static void free_idle(void *arg)
{
    struct idle_blocks *all = arg;

    while (all->count > 0)
        mem_free(all->blocks[--all->count]);
    mem_free(all);
    idle = NULL;
}

static void set_up(void)
{
    if (pthread_key_create(&idle_key, free_idle) != 0)
        die("no thread key left");
}

void *mem_block_take(void)
{
    return idle && idle->count > 0 ? idle->blocks[--idle->count] : xmalloc(MEM_BLOCK);
}

void mem_block_give(void *block)
{
    if (!idle) {
        pthread_once(&once, set_up);
        idle = xcalloc(1, sizeof(*idle));
        pthread_setspecific(idle_key, idle);
    }
    if (idle->count < IDLE_MAX && !EACH_ITS_OWN)
        idle->blocks[idle->count++] = block;
    else
        mem_free(block);
}
