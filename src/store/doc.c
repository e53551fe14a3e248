/* SPDX-License-Identifier: MIT */
/* doc.c - counted immutable bytes: the settings of buckets, shared by all copies of a bucket.
 */
#include "store/core.h"

struct doc {
    struct store *store; /* counts it */
    _Atomic uint32_t refs;
    size_t len;
    char bytes[];
};

struct doc *doc_new(struct store *store, struct str bytes)
{
    size_t size = sizeof(struct doc) + bytes.len;
    struct doc *d;

    if (!account_take(&store->account, ACCOUNT_RECORD, size))
        return NULL;
    d = try_malloc(size);
    if (!d) {
        account_give(&store->account, ACCOUNT_RECORD, size);
        return NULL;
    }
    d->store = store;
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
    if (!d || !refs_drop(&d->refs))
        return;
    account_give(&d->store->account, ACCOUNT_RECORD, sizeof(*d) + d->len);
    mem_free(d);
}

struct str doc_str(const struct doc *d)
{
    return d ? str_of(d->bytes, d->len) : STR_NONE;
}
