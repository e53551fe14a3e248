/* SPDX-License-Identifier: MIT */
/* fault.c - carries out what a fault rule wants of a call. Shared memory is never touched: a
 * corrupted reply is the object's own slices with one byte of the call's memory among them.
 * ETag, checksums and, when nothing is truncated, the length stay as they were, so that the
 * client can notice. */
#include "s3/fault.h"

enum s3_err fault_begin(struct s3_call *c)
{
    const struct traffic *traffic = c->options->traffic;

    if (!traffic || !traffic->fault || !traffic->fault(traffic->arg, &c->traffic, &c->fault))
        return S3_OK;
    c->faulty = true;
    return c->fault.latency_ns > 0 ? S3_OK : fault_refuses(c);
}

bool fault_holds_body(struct s3_call *c)
{
    int64_t due_ns;

    if (c->fault.bytes_per_s == 0)
        return false;
    due_ns = c->traffic.started_ns +
             (int64_t)((double)c->bytes_in / (double)c->fault.bytes_per_s * NS_PER_S);
    c->req->waker->wake_at(c->req->waker, due_ns);
    return clock_monotonic_ns() < due_ns;
}

bool fault_delays(struct s3_call *c)
{
    int64_t now_ns = clock_monotonic_ns();

    if (c->fault.latency_ns == 0)
        return false;
    if (c->fault_until_ns == 0)
        c->fault_until_ns = now_ns + c->fault.latency_ns;
    if (now_ns >= c->fault_until_ns)
        return false;
    c->req->waker->wake_at(c->req->waker, c->fault_until_ns);
    return true;
}

enum s3_err fault_refuses(struct s3_call *c)
{
    if (c->fault.cut_request) {
        c->reply.cut = REPLY_UNSENT;
        return s3_fail(c, S3_INTERNAL_ERROR, "fault: connection cut");
    }
    if (!c->fault.error)
        return S3_OK;
    if (c->fault.retry_after_s > 0)
        reply_headerf(&c->reply, "Retry-After", "%u", c->fault.retry_after_s);
    return s3_fail(c, c->fault.error, "fault");
}

/* ---- the reply's body -------------------------------------------------------------- */

static void truncate_body(struct reply *r, uint64_t len)
{
    if (r->text.len > len)
        r->text.len = (size_t)len;
    if (r->slices_len <= len)
        return;
    r->slices_len = len;
    for (size_t i = 0; i < r->slice_count; i++) {
        if (len == 0) {
            r->slice_count = i;
            return;
        }
        if (r->slices[i].len > len)
            r->slices[i].len = (size_t)len;
        len -= r->slices[i].len;
    }
}

/* The slice that has the byte becomes what is before it, the changed byte, and what follows. */
static void corrupt_slices(struct s3_call *c, uint64_t at)
{
    struct reply *r = &c->reply;
    struct slice *slices = xcalloc(r->slice_count + 2, sizeof(*slices));
    char *changed = s3_alloc(c, 1);
    size_t n = 0;

    for (size_t i = 0; i < r->slice_count; i++) {
        struct slice s = r->slices[i];
        const char *bytes = s.ptr;

        if (at >= s.len) {
            slices[n++] = s;
            at -= s.len;
            continue;
        }
        *changed = (char)(bytes[at] ^ 0x01);
        if (at > 0)
            slices[n++] = (struct slice){bytes, (size_t)at};
        slices[n++] = (struct slice){changed, 1};
        if (at + 1 < s.len)
            slices[n++] = (struct slice){bytes + at + 1, s.len - (size_t)at - 1};
        at = UINT64_MAX; /* the others follow as they are */
    }
    mem_free(r->slices);
    r->slices = slices;
    r->slice_count = n;
}

static void corrupt_body(struct s3_call *c, uint64_t at)
{
    struct reply *r = &c->reply;
    uint64_t len = r->slice_count > 0 ? r->slices_len : r->text.len;

    if (at == FAULT_MIDDLE)
        at = len / 2;
    if (at >= len)
        return;
    if (r->slice_count > 0)
        corrupt_slices(c, at);
    else
        r->text.ptr[at] ^= 0x01;
}

void fault_spoil(struct s3_call *c)
{
    const struct fault *fault = &c->fault;
    struct reply *r = &c->reply;

    r->bytes_per_s = fault->bytes_per_s;
    if (fault->cut)
        r->cut = fault->cut;
    /* A reply without a body announces the length that a GET would have. */
    if (r->no_body)
        return;
    if (fault->truncate_to != FAULT_NOWHERE)
        truncate_body(r, fault->truncate_to);
    if (fault->corrupt_at != FAULT_NOWHERE)
        corrupt_body(c, fault->corrupt_at);
}
