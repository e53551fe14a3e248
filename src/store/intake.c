/* SPDX-License-Identifier: MIT */
/* intake.c - the documents that requests bring, counted together; texts of replies; the memory
 * of jobs. */
#include "store/core.h"

#define INTAKE_MAX MiB(64)

uint64_t store_intake_max(const struct store *store)
{
    uint64_t quarter = store->account.limit / 4;

    return quarter > 0 && quarter < INTAKE_MAX ? quarter : INTAKE_MAX;
}

void intake_init(struct intake *in, struct store *store)
{
    *in = (struct intake){.store = store};
}

bool intake_hold(struct intake *in, uint64_t bytes)
{
    struct account *account = &in->store->account;
    uint64_t more = bytes - in->held, all;

    if (bytes <= in->held)
        return true;
    /* Forced: a store at its limit must be able to read what is to be deleted. */
    account_force(account, ACCOUNT_REQUEST, more);
    all = atomic_load_explicit(&account->bytes[ACCOUNT_REQUEST], memory_order_relaxed);
    if (all > store_intake_max(in->store)) {
        account_give(account, ACCOUNT_REQUEST, more);
        return false;
    }
    in->held = bytes;
    return true;
}

enum s3_err intake_add(struct intake *in, struct buf *document, struct str bytes)
{
    buf_add(document, bytes);
    if (buf_ok(document) && intake_hold(in, document->cap))
        return S3_OK;

    bool too_long = !buf_ok(document) && bytes.len > document->max - document->len;

    buf_release(document);
    intake_release(in);
    return too_long ? S3_MAX_MESSAGE_LENGTH_EXCEEDED : S3_SLOW_DOWN;
}

void intake_release(struct intake *in)
{
    if (in->held == 0)
        return;
    account_give(&in->store->account, ACCOUNT_REQUEST, in->held);
    mem_freed(in->held);
    in->held = 0;
}

/* ---- replies ----------------------------------------------------------------------- */

#define REPLIES_MAX MiB(256)

bool store_hold_reply(struct store *store, uint64_t bytes, bool force)
{
    struct account *account = &store->account;
    uint64_t quarter = account->limit / 4, all;
    uint64_t max = quarter > 0 && quarter < REPLIES_MAX ? quarter : REPLIES_MAX;

    account_force(account, ACCOUNT_REPLY, bytes);
    all = atomic_load_explicit(&account->bytes[ACCOUNT_REPLY], memory_order_relaxed);
    /* One alone always goes: else there are listings that nobody could have. */
    if (force || all <= max || all == bytes)
        return true;
    account_give(account, ACCOUNT_REPLY, bytes);
    return false;
}

void store_give_reply(struct store *store, uint64_t bytes)
{
    account_give(&store->account, ACCOUNT_REPLY, bytes);
    mem_freed(bytes);
}

/* ---- jobs -------------------------------------------------------------------------- */

void workspace_init(struct workspace *w, struct store *store)
{
    *w = (struct workspace){.store = store};
}

bool workspace_take(struct workspace *w, uint64_t bytes)
{
    if (bytes > WORKSPACE_MAX - w->held ||
        !account_take(&w->store->account, ACCOUNT_WORK, bytes)) {
        w->refused = true;
        return false;
    }
    w->held += bytes;
    return true;
}

void workspace_give(struct workspace *w, uint64_t bytes)
{
    if (bytes == 0)
        return;
    account_give(&w->store->account, ACCOUNT_WORK, bytes);
    mem_freed(bytes);
    w->held -= bytes;
}

void workspace_release(struct workspace *w)
{
    workspace_give(w, w->held);
}
