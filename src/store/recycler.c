/* SPDX-License-Identifier: MIT */
/* recycler.c - keeping the pages of large bodies. */
#include "store/recycler.h"

void recycler_init(struct recycler *r, uint64_t bytes_max)
{
    *r = (struct recycler){.bytes_max = KEPT_BYTES_MAX};
    if (bytes_max > 0 && bytes_max < KEPT_BYTES_MAX)
        r->bytes_max = (size_t)bytes_max;
    pthread_mutex_init(&r->lock, NULL);
}

static struct stretch remove_at(struct recycler *r, size_t i)
{
    struct stretch s = r->kept[i];

    r->count--;
    memmove(&r->kept[i], &r->kept[i + 1], (r->count - i) * sizeof(s));
    r->bytes -= s.size;
    return s;
}

void recycler_release(struct recycler *r)
{
    while (r->count > 0) {
        struct stretch s = remove_at(r, 0);
        mem_pages_free(s.pages, s.size);
    }
    pthread_mutex_destroy(&r->lock);
}

/* Not from much larger ones: the rest is given back, and the next large body would miss it. */
static bool fits(const struct stretch *s, size_t size)
{
    return s->size >= size && s->size / 2 <= size;
}

void *recycler_take(struct recycler *r, size_t size)
{
    struct stretch found = {.pages = NULL};

    pthread_mutex_lock(&r->lock);
    for (size_t i = r->count; i-- > 0 && !found.pages;) {
        if (fits(&r->kept[i], size))
            found = remove_at(r, i);
    }
    pthread_mutex_unlock(&r->lock);
    if (found.pages)
        mem_pages_free((char *)found.pages + size, found.size - size);
    return found.pages;
}

/* Makes room for another stretch by dropping the oldest. */
static void make_room(struct recycler *r, size_t size)
{
    while (r->count == KEPT_MAX || r->bytes + size > r->bytes_max) {
        struct stretch old = remove_at(r, 0);
        mem_pages_free(old.pages, old.size);
    }
}

void recycler_give(struct recycler *r, void *pages, size_t size)
{
    if (size > r->bytes_max) {
        mem_pages_free(pages, size);
        return;
    }
    mem_pages_offer(pages, size);
    pthread_mutex_lock(&r->lock);
    make_room(r, size);
    r->kept[r->count++] = (struct stretch){.pages = pages, .size = size};
    r->bytes += size;
    pthread_mutex_unlock(&r->lock);
}

/* NULL pages: nothing is that old. */
static struct stretch take_unused(struct recycler *r)
{
    struct stretch found = {.pages = NULL};

    pthread_mutex_lock(&r->lock);
    if (r->count > 0 && r->kept[0].unused >= KEPT_TIDIES)
        found = remove_at(r, 0);
    pthread_mutex_unlock(&r->lock);
    return found;
}

void recycler_tidy(struct recycler *r)
{
    struct stretch old;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count; i++)
        r->kept[i].unused++;
    pthread_mutex_unlock(&r->lock);
    while ((old = take_unused(r)).pages)
        mem_pages_free(old.pages, old.size);
}
