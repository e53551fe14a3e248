/* SPDX-License-Identifier: MIT */
/* header_index.c - sorting headers, and finding them again. */
#include "auth/header_index.h"

#include <stdlib.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Any order will do: the short ones first. */
static int compare_names(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    for (size_t i = 0; i < a.len; i++) {
        int order = (unsigned char)lower(a.ptr[i]) - (unsigned char)lower(b.ptr[i]);
        if (order)
            return order;
    }
    return 0;
}

static int compare_headers(const void *a, const void *b)
{
    const struct header *x = *(const struct header *const *)a;
    const struct header *y = *(const struct header *const *)b;
    int order = compare_names(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

bool header_index_init(struct header_index *x, const struct request *req)
{
    *x = (struct header_index){.req = req};
    if (req->header_count < HEADER_INDEX_MIN)
        return true;
    x->sorted = try_malloc(req->header_count * sizeof(*x->sorted));
    if (!x->sorted)
        return false;
    for (size_t i = 0; i < req->header_count; i++)
        x->sorted[i] = &req->headers[i];
    qsort(x->sorted, req->header_count, sizeof(*x->sorted), compare_headers);
    return true;
}

void header_index_release(struct header_index *x)
{
    mem_free(TAKE(x->sorted));
}

static size_t first_of(const struct header_index *x, struct str name)
{
    size_t low = 0, high = x->req->header_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_names(x->sorted[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct header *header_index_next(const struct header_index *x, struct str name,
                                       size_t *at)
{
    size_t count = x->req->header_count;
    if (!x->sorted) {
        while (*at < count) {
            const struct header *h = &x->req->headers[(*at)++];
            if (h->name.len == name.len && str_eq_nocase(h->name, name))
                return h;
        }
        return NULL;
    }
    size_t place = *at > 0 ? *at : first_of(x, name);
    *at = place + 1;
    return place < count && compare_names(x->sorted[place]->name, name) == 0 ? x->sorted[place]
                                                                             : NULL;
}
