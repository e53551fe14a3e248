/* SPDX-License-Identifier: MIT */
/* doc.c - counted immutable bytes: the settings of buckets, shared by all copies of a bucket.
 */
#include "store/core.h"

struct doc {
    _Atomic uint32_t refs;
    size_t len;
    char bytes[];
};

struct doc *doc_new(struct str bytes)
{
    struct doc *d = try_malloc(sizeof(*d) + bytes.len);

    if (!d)
        return NULL;
    atomic_init(&d->refs, 1);
    d->len = bytes.len;
    str_put(d->bytes, bytes);
    return d;
}

struct doc *doc_ref(struct doc *d)
{
    if (d)
        refs_take(&d->refs);
    return d;
}

void doc_unref(struct doc *d)
{
    if (d && refs_drop(&d->refs))
        mem_free(d);
}

struct str doc_str(const struct doc *d)
{
    return d ? str_of(d->bytes, d->len) : STR_NONE;
}
