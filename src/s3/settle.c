/* SPDX-License-Identifier: MIT */
/* settle.c - asking the disk before and after a write. The database writes to the log, once,
 * what is wrong with it. */
#include "s3/settle.h"

/* The durable that a write is to ask; NULL: none. */
static const struct durable *durable_of(const struct s3_call *c)
{
    return c->op && (c->op->flags & WRITES) ? c->options->durable : NULL;
}

static enum s3_err refuse(struct s3_call *c, const char *message)
{
    c->undurable = true;
    s3_fail(c, S3_SLOW_DOWN, "state on disk");
    return s3_fail_message(c, S3_SLOW_DOWN, "%s", message);
}

enum s3_err settle_may_write(struct s3_call *c)
{
    const struct durable *d = durable_of(c);

    if (!d || d->accepts(d->arg))
        return S3_OK;
    return refuse(c, "State on disk cannot be written at present: nothing was changed.");
}

enum s3_err settle_written(struct s3_call *c, bool *wait)
{
    const struct durable *d = durable_of(c);

    *wait = false;
    if (!d)
        return S3_OK;
    switch (d->state(d->arg, &c->durable_wait, c->req->waker)) {
    case DURABLE_SAFE:
        break;
    case DURABLE_NOT_YET:
        *wait = true;
        break;
    case DURABLE_FAILED:
        return refuse(c, "The change could not be written to disk; it may be lost.");
    }
    return S3_OK;
}

void settle_leave(struct s3_call *c)
{
    if (c->durable_wait.ticket > 0)
        c->options->durable->leave(c->options->durable->arg, &c->durable_wait);
}
