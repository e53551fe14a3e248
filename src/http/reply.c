/* SPDX-License-Identifier: MIT */
/* reply.c - from struct reply to libmicrohttpd's response, without copying the body.
 *
 * The memory a body stands in is leased: exchange_end comes first, then libmicrohttpd drops the
 * response, and only then is the lease given back. Both happen before the connection serves
 * another request, so the exchange can hold the lease. */
#include "http/exchange.h"

#include <assert.h>

/* libmicrohttpd copies the list of slices into the connection's pool; a longer list would not
 * fit there and is sent through a buffer instead. */
#define IOVEC_MAX  512
#define COPY_BLOCK KiB(256)

static_assert(sizeof(struct slice) == sizeof(struct MHD_IoVec) &&
                  offsetof(struct slice, len) == offsetof(struct MHD_IoVec, iov_len),
              "a slice is an MHD_IoVec");

static void lease_end(void *arg)
{
    struct lease *lease = arg;

    mem_free(TAKE(lease->text));
    mem_free(TAKE(lease->slices));
    if (lease->release)
        TAKE(lease->release)(lease->release_arg);
}

/* Fetches up to max bytes of a body of very many slices; asked for in order. */
static ssize_t copy_slices(void *arg, uint64_t at, char *out, size_t max)
{
    struct exchange *x = arg;
    struct lease *lease = &x->lease;
    size_t filled = 0;

    (void)at;
    while (filled < max && lease->at_slice < lease->slice_count) {
        const struct slice *s = &lease->slices[lease->at_slice];
        size_t n = s->len - lease->at_byte;

        if (n > max - filled)
            n = max - filled;
        memcpy(out + filled, (const char *)s->ptr + lease->at_byte, n);
        filled += n;
        lease->at_byte += n;
        if (lease->at_byte == s->len) {
            lease->at_slice++;
            lease->at_byte = 0;
        }
    }
    x->copied_len += filled;
    return filled ? (ssize_t)filled : MHD_CONTENT_READER_END_OF_STREAM;
}

static void copy_end(void *arg)
{
    struct exchange *x = arg;

    lease_end(&x->lease);
}

/* Announces a length without a body. The pointer is never followed. */
static struct MHD_Response *bodyless(const struct reply *r)
{
    static char nothing;
    uint64_t len = r->content_length;

    if (len == CONTENT_LENGTH_NONE)
        len = r->slice_count ? r->slices_len : r->text.len;
    return MHD_create_response_from_buffer(len, &nothing, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *from_text(struct exchange *x, struct reply *r)
{
    struct lease *lease = &x->lease;

    x->reply_len = r->text.len;
    lease->text = TAKE(r->text.ptr);
    r->text.len = r->text.cap = 0;
    return MHD_create_response_from_buffer_with_free_callback_cls(x->reply_len, lease->text,
                                                                  lease_end, lease);
}

static struct MHD_Response *from_slices(struct exchange *x, struct reply *r)
{
    struct lease *lease = &x->lease;

    x->reply_len = r->slices_len;
    lease->release = TAKE(r->release);
    lease->release_arg = r->release_arg;
    if (r->slice_count <= IOVEC_MAX)
        return MHD_create_response_from_iovec((const struct MHD_IoVec *)r->slices,
                                              (unsigned)r->slice_count, lease_end, lease);
    lease->slices = TAKE(r->slices);
    lease->slice_count = r->slice_count;
    return MHD_create_response_from_callback(r->slices_len, COPY_BLOCK, copy_slices, x,
                                             copy_end);
}

static struct MHD_Response *make_response(struct exchange *x, struct reply *r)
{
    struct MHD_Response *response;

    if (r->no_body || str_eq(x->req.method, STR("HEAD")))
        return bodyless(r);
    response = r->slice_count ? from_slices(x, r) : from_text(x, r);
    if (!response)
        lease_end(&x->lease);
    return response;
}

/* The Date changes once a second; formatting it for every reply would show. */
static const char *date_now(void)
{
    static _Thread_local int64_t cached_s = INT64_MIN;
    static _Thread_local char cached[HTTP_DATE_SIZE];
    int64_t now_s = clock_now_ns() / NS_PER_S;

    if (now_s != cached_s) {
        clock_format_http(now_s * NS_PER_S, cached);
        cached_s = now_s;
    }
    return cached;
}

static bool add_headers(struct MHD_Response *response, const struct reply *r)
{
    const char *at = NULL, *name, *value;
    bool ok = MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date_now()) == MHD_YES &&
              MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "AmazonS3") == MHD_YES;

    while (ok && (at = reply_header_next(r, at, &name, &value))) {
        /* libmicrohttpd refuses an empty value, which is a value to S3's metadata; clients trim
         * the blank. */
        ok = MHD_add_response_header(response, name, *value ? value : " ") == MHD_YES;
    }
    if (ok && r->close)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    return ok && buf_ok(&r->headers);
}

bool reply_send(struct exchange *x, struct MHD_Connection *mhd, struct reply *reply)
{
    struct MHD_Response *response = make_response(x, reply);
    bool ok = response && add_headers(response, reply) &&
              MHD_queue_response(mhd, reply->status, response) == MHD_YES;

    if (!ok)
        log_error("cannot send a reply of %zu headers: out of memory", reply->header_count);
    if (response)
        MHD_destroy_response(response);
    return ok;
}
