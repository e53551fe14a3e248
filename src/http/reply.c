/* SPDX-License-Identifier: MIT */
/* reply.c - from struct reply to libmicrohttpd's response, without copying the body.
 *
 * The memory a body stands in is leased: exchange_end comes first, then libmicrohttpd drops the
 * response, and only then is the lease given back. Both happen before the connection serves
 * another request, so the exchange can hold the lease. */
#include "http/server.h"

#include <assert.h>

/* libmicrohttpd copies the list of slices into the connection's pool; a longer list would not
 * fit there and is sent through a buffer instead. */
#define IOVEC_MAX  512
#define COPY_BLOCK KiB(256)
/* Status line, Date, Server, Content-Length, Connection. */
#define FRONT_END_HEADERS 256
/* A body that is held back goes out in so many steps a second. */
#define STEPS_A_SECOND 40

static_assert(sizeof(struct slice) == sizeof(struct MHD_IoVec) &&
                  offsetof(struct slice, len) == offsetof(struct MHD_IoVec, iov_len),
              "a slice is an MHD_IoVec");

static void lease_end(void *arg)
{
    struct lease *lease = arg;
    const struct exchange *x =
        (const struct exchange *)((const char *)lease - offsetof(struct exchange, lease));
    int64_t started = turn_begin();

    mem_free(TAKE(lease->text));
    mem_free(TAKE(lease->slices));
    if (lease->release)
        TAKE(lease->release)(lease->release_arg);
    turn_end(x->server->turns, started, "release", STR("-"), x->req.target);
}

/* Fetches up to max bytes of a body in slices; asked for in order. */
static size_t copy_slices(struct lease *lease, char *out, size_t max)
{
    size_t filled = 0;

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
    return filled;
}

/* The application's next bytes. */
static ssize_t take_stream(struct exchange *x, char *out, size_t max)
{
    struct lease *lease = &x->lease;
    size_t len = 0;

    if (lease->stream_ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    switch (lease->stream(lease->stream_arg, out, max, &len)) {
    case STREAM_MORE:
        assert(len > 0 && len <= max);
        return (ssize_t)len;
    case STREAM_WAIT:
        if (len > 0)
            return (ssize_t)len;
        if (lease->endless && atomic_load(&x->server->stopping))
            return MHD_CONTENT_READER_END_OF_STREAM;
        wait_sleep(x);
        return 0;
    case STREAM_END:
        lease->stream_ended = true;
        return len > 0 ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
    case STREAM_FAILED:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* How much a body that is held back may go on by now; 0: it sleeps until it may. */
static size_t pace(struct exchange *x, size_t max)
{
    struct lease *lease = &x->lease;
    struct waker *waker = &exchange_conn(x)->wait.waker;
    double rate = (double)lease->bytes_per_s;
    int64_t since_ns = clock_monotonic_ns() - lease->paced_since_ns;
    uint64_t step = lease->bytes_per_s / STEPS_A_SECOND + 1;
    uint64_t due = (uint64_t)((double)since_ns / NS_PER_S * rate) + step;

    if (due >= x->copied_len + step)
        return due - x->copied_len < max ? (size_t)(due - x->copied_len) : max;
    waker->wake_at(waker, lease->paced_since_ns +
                              (int64_t)((double)x->copied_len / rate * NS_PER_S) + NS_PER_MS);
    wait_sleep(x);
    return 0;
}

static ssize_t fill_body(struct exchange *x, char *out, size_t max)
{
    struct lease *lease = &x->lease;
    ssize_t n;

    if (!wait_over(x) || x->copied_len >= lease->cut_at)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (max > lease->cut_at - x->copied_len)
        max = (size_t)(lease->cut_at - x->copied_len);
    if (lease->bytes_per_s > 0)
        max = pace(x, max);
    if (max == 0)
        return 0;
    if (lease->stream)
        n = take_stream(x, out, max);
    else
        n = (ssize_t)copy_slices(lease, out, max);
    if (n > 0)
        x->copied_len += (uint64_t)n;
    return n > 0 || lease->stream ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

/* libmicrohttpd asks for the next bytes of a body that is not sent from where it stands. */
static ssize_t read_body(void *arg, uint64_t at, char *out, size_t max)
{
    struct exchange *x = arg;
    int64_t started = turn_begin();
    ssize_t n = fill_body(x, out, max);

    (void)at;
    turn_end(x->server->turns, started, "stream", x->req.method, x->req.target);
    return n;
}

static void read_end(void *arg)
{
    struct exchange *x = arg;

    lease_end(&x->lease);
}

static struct MHD_Response *from_reader(struct exchange *x, uint64_t len)
{
    return MHD_create_response_from_callback(len == CONTENT_LENGTH_NONE ? MHD_SIZE_UNKNOWN
                                                                        : len,
                                             COPY_BLOCK, read_body, x, read_end);
}

/* The reader of a reply to HEAD, which is never asked. */
static ssize_t read_nothing(void *arg, uint64_t at, char *out, size_t max)
{
    (void)arg, (void)at, (void)out, (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* libmicrohttpd 0.9.75 ends even a reply to HEAD as a chunked body ends, unless the reply is said
 * to be one of HTTP/1.0, which has no chunks. */
static struct MHD_Response *bodyless_stream(void)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, read_nothing, NULL, NULL);

    if (response)
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

/* Announces a length, where one is known, without a body. The pointer is never followed. */
static struct MHD_Response *bodyless(const struct reply *r)
{
    static char nothing;
    uint64_t len = r->content_length;

    if (r->stream && len == CONTENT_LENGTH_NONE)
        return bodyless_stream();
    if (len == CONTENT_LENGTH_NONE)
        len = r->slice_count ? r->slices_len : r->text.len;
    return MHD_create_response_from_buffer(len, &nothing, MHD_RESPMEM_PERSISTENT);
}

/* Somebody wants to see a slow or broken reply: the body goes through read_body. */
static bool is_held_back(const struct reply *r)
{
    return r->bytes_per_s > 0 || r->cut == REPLY_CUT_SHORT;
}

static uint64_t body_len(const struct reply *r)
{
    if (r->stream)
        return r->content_length;
    return r->slice_count ? r->slices_len : r->text.len;
}

static void hold_back(struct exchange *x, const struct reply *r)
{
    struct lease *lease = &x->lease;
    uint64_t len = body_len(r);

    lease->cut_at = NOWHERE;
    lease->cut_after = r->cut == REPLY_CUT_AFTER;
    lease->bytes_per_s = r->bytes_per_s;
    if (r->bytes_per_s > 0)
        lease->paced_since_ns = clock_monotonic_ns();
    if (r->cut == REPLY_CUT_SHORT)
        lease->cut_at = len == CONTENT_LENGTH_NONE ? 1 : len / 2;
}

static struct MHD_Response *from_text(struct exchange *x, struct reply *r)
{
    struct lease *lease = &x->lease;

    x->reply_len = r->text.len;
    lease->text = TAKE(r->text.ptr);
    r->text.len = r->text.cap = 0;
    if (is_held_back(r)) {
        lease->slices = xcalloc(1, sizeof(*lease->slices));
        lease->slices[0] = (struct slice){lease->text, (size_t)x->reply_len};
        lease->slice_count = x->reply_len > 0;
        return from_reader(x, x->reply_len);
    }
    return MHD_create_response_from_buffer_with_free_callback_cls(x->reply_len, lease->text,
                                                                  lease_end, lease);
}

static struct MHD_Response *from_slices(struct exchange *x, struct reply *r)
{
    struct lease *lease = &x->lease;

    x->reply_len = r->slices_len;
    lease->release = TAKE(r->release);
    lease->release_arg = r->release_arg;
    if (r->slice_count <= IOVEC_MAX && !is_held_back(r))
        return MHD_create_response_from_iovec((const struct MHD_IoVec *)r->slices,
                                              (unsigned)r->slice_count, lease_end, lease);
    lease->slices = TAKE(r->slices);
    lease->slice_count = r->slice_count;
    return from_reader(x, r->slices_len);
}

static struct MHD_Response *from_stream(struct exchange *x, const struct reply *r)
{
    x->lease.stream = r->stream;
    x->lease.stream_arg = r->stream_arg;
    x->lease.endless = r->endless;
    return from_reader(x, r->content_length);
}

static struct MHD_Response *make_response(struct exchange *x, struct reply *r)
{
    struct MHD_Response *response;

    hold_back(x, r);
    if (r->no_body || str_eq(x->req.method, STR("HEAD")))
        return bodyless(r);
    if (r->stream)
        response = from_stream(x, r);
    else
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
    bool ok = MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date_now()) == MHD_YES &&
              MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "AmazonS3") == MHD_YES;

    for (size_t i = 0; ok && i < r->line_count; i++) {
        const struct reply_line *line = &r->lines[i];

        /* libmicrohttpd refuses an empty value, which is a value to S3's metadata; clients trim
         * the blank. */
        ok = MHD_add_response_header(response, line->name, *line->value ? line->value : " ") ==
             MHD_YES;
    }
    if (ok && r->close)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    return ok && !r->headers_failed;
}

void reply_write(const struct reply *r, struct buf *out)
{
    buf_addf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\nServer: AmazonS3\r\nConnection: close\r\n",
             r->status, MHD_get_reason_phrase_for(r->status), date_now());
    for (size_t i = 0; i < r->line_count; i++)
        buf_addf(out, "%s: %s\r\n", r->lines[i].name, r->lines[i].value);
    buf_addf(out, "Content-Length: %zu\r\n\r\n", r->text.len);
    buf_add(out, buf_str(&r->text));
}

bool reply_fits(const struct exchange *x, const struct reply *r)
{
    size_t size = FRONT_END_HEADERS + head_size(x);

    /* Most are far from it; names and constant values do not fill the other half. */
    if (size + r->text_len <= CONNECTION_MEMORY / 2)
        return true;
    for (size_t i = 0; i < r->line_count; i++)
        size += strlen(r->lines[i].name) + strlen(r->lines[i].value) + strlen(": \r\n");
    return size <= CONNECTION_MEMORY;
}

bool reply_is_unsent(const struct exchange *x, const struct reply *r)
{
    bool bodiless = r->no_body || body_len(r) == 0 || str_eq(x->req.method, STR("HEAD"));

    return r->cut == REPLY_UNSENT || (r->cut == REPLY_CUT_SHORT && bodiless);
}

bool reply_send(struct exchange *x, struct MHD_Connection *mhd, struct reply *reply)
{
    struct MHD_Response *response = make_response(x, reply);
    bool ok = response && add_headers(response, reply) &&
              MHD_queue_response(mhd, reply->status, response) == MHD_YES;

    if (!ok)
        log_error("cannot send a reply of %zu headers", reply->line_count);
    if (response)
        MHD_destroy_response(response);
    return ok;
}
