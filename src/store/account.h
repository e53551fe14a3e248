/* SPDX-License-Identifier: MIT */
/* account.h - how many bytes a store holds, by kind, and the limit of their sum. Lock-free. */
#ifndef S3MEM_STORE_ACCOUNT_H
#define S3MEM_STORE_ACCOUNT_H

#include "base/base.h"

#include <stdatomic.h>

enum account_kind {
    ACCOUNT_TREE,
    ACCOUNT_RECORD,
    ACCOUNT_BODY,
    ACCOUNT_REQUEST,
    ACCOUNT_WORK,  /* of jobs */
    ACCOUNT_REPLY, /* texts on their way */
    ACCOUNT_KINDS
};

struct account {
    _Atomic uint64_t total;
    _Atomic uint64_t bytes[ACCOUNT_KINDS];
    _Atomic uint64_t data; /* of these, objects' and parts' bytes */
    uint64_t limit;        /* 0 = none; set once, before threads start */
};

/* For what must not be refused: tree nodes, so that a store at its limit can still delete. */
static inline void account_force(struct account *a, enum account_kind kind, uint64_t bytes)
{
    atomic_fetch_add_explicit(&a->total, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&a->bytes[kind], bytes, memory_order_relaxed);
}

static inline void account_give(struct account *a, enum account_kind kind, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&a->total, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&a->bytes[kind], bytes, memory_order_relaxed);
}

static inline void account_data_add(struct account *a, uint64_t bytes)
{
    atomic_fetch_add_explicit(&a->data, bytes, memory_order_relaxed);
}

static inline void account_data_sub(struct account *a, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&a->data, bytes, memory_order_relaxed);
}

/* Is there room for so much, now? For what is counted by account_force once it is made. */
MUST_CHECK static inline bool account_has_room(const struct account *a, uint64_t bytes)
{
    uint64_t total = atomic_load_explicit(&a->total, memory_order_relaxed);

    return a->limit == 0 || (total <= a->limit && bytes <= a->limit - total);
}

/* False, and nothing taken, when the limit would be passed. */
MUST_CHECK static inline bool account_take(struct account *a, enum account_kind kind,
                                           uint64_t bytes)
{
    uint64_t before = atomic_fetch_add_explicit(&a->total, bytes, memory_order_relaxed);

    if (a->limit > 0 && (before > a->limit || bytes > a->limit - before)) {
        atomic_fetch_sub_explicit(&a->total, bytes, memory_order_relaxed);
        return false;
    }
    atomic_fetch_add_explicit(&a->bytes[kind], bytes, memory_order_relaxed);
    return true;
}

/* Would it fit now? Only a forecast: nothing is taken. */
MUST_CHECK static inline bool account_fits(const struct account *a, uint64_t bytes)
{
    uint64_t total = atomic_load_explicit(&a->total, memory_order_relaxed);

    return a->limit == 0 || (total <= a->limit && bytes <= a->limit - total);
}

#endif
