/* SPDX-License-Identifier: MIT */
/* message.h - what the front end (http) and the applications (s3, admin) say to each other.
 *
 * Life of a call, all on one I/O thread at a time, none of it may block:
 *   begin(request)         headers are known. Decides and may already answer (a refusal).
 *   body(bytes) ...        zero or more times, only when begin said APP_WANT_BODY.
 *   finish()               the request is complete: fill in the reply.
 *   stream(room) ...       only for replies that are made bit by bit.
 *   done()                 always, once, last: sent, refused, or client gone. Frees the call.
 *
 * When begin answers APP_REPLY the front end discards the client's body and sends the reply.
 *
 * A call that has to wait for something (time, another request) does not block but says so
 * (APP_WAIT, STREAM_WAIT) and is called again once its waker was used. The front end may call
 * again earlier: look whether there is something to do. */
#ifndef S3MEM_APP_MESSAGE_H
#define S3MEM_APP_MESSAGE_H

#include "base/base.h"

struct header {
    struct str name;
    struct str value; /* without surrounding blanks */
};

#define CONTENT_LENGTH_NONE UINT64_MAX

/* How a waiting call is called again; the front end's. Valid until done(). A wake-up is never
 * lost: one that comes before the call has said that it waits ends that wait at once. */
struct waker {
    /* Any thread, any lock held but the front end's own; does not call back. */
    void (*wake)(struct waker *w);
    /* At that time (clock_monotonic_ns) at the latest; only the last one counts. From the
     * call's own callbacks. */
    void (*wake_at)(struct waker *w, int64_t monotonic_ns);
};

/* Everything is borrowed from the front end and valid until done(). */
struct request {
    struct str method; /* "GET" */
    struct str target; /* as on the request line, still percent-encoded: what SigV4 signs */
    struct str path;   /* target up to '?', raw */
    struct str query;  /* behind '?', raw; {NULL,0} without '?' */
    struct str host;   /* Host header, or empty */
    struct str remote; /* "127.0.0.1:5123" */
    const struct header *headers;
    size_t header_count;
    uint64_t content_length; /* CONTENT_LENGTH_NONE when there is no such header */
    bool chunked;            /* Transfer-Encoding: chunked */
    bool expects_continue;
    bool tls;
    struct waker *waker;
};

/* First header of that name (ASCII case ignored); STR_NONE when absent. */
struct str request_header(const struct request *req, struct str name);
/* How often it occurs. */
size_t request_header_count(const struct request *req, struct str name);

/* One decoded query parameter. */
struct param {
    struct str name;
    struct str value;
    bool has_value; /* there was a '=' */
};

enum stream_next {
    STREAM_MORE,   /* *len bytes were filled in, at least one */
    STREAM_WAIT,   /* none yet; *len bytes were filled in, maybe none */
    STREAM_END,    /* the last *len bytes, maybe none */
    STREAM_FAILED, /* the connection is cut: the client must not take this for the whole */
};

/* Where a reply is cut off, to see what the client does then. */
enum reply_cut {
    REPLY_WHOLE,
    REPLY_UNSENT,    /* the connection is closed in place of the reply */
    REPLY_CUT_SHORT, /* headers and half of the body, then the connection is closed; without a
                      * body as UNSENT */
    REPLY_CUT_AFTER, /* the whole reply; then the connection is closed without a warning */
};

/* A header of a reply; both end with NUL. */
struct reply_line {
    const char *name, *value;
};

/* Most replies have no more, and no more text in their values. */
#define REPLY_LINES_USUAL 16
#define REPLY_TEXT_USUAL  256

/* What to send. The front end adds Date, Server, Content-Length (from the body's length) and
 * Connection; everything else is in lines. Initialise with reply_init, release with
 * reply_release (the front end does both; it takes body and release over when it sends). Stays
 * where it is: the usual lines stand in itself. */
struct reply {
    unsigned status;
    bool headers_failed;      /* a header is missing: no memory, or beyond 64 KiB */
    struct reply_line *lines; /* built by reply_header and reply_kept_header */
    size_t line_count, line_cap;
    struct reply_text *texts; /* values that found no room in text_room */
    size_t text_len;          /* of all values that were copied */
    struct buf text;          /* a body made for this reply (XML, JSON) ... */
    struct slice *slices;     /* ... or slices of immutable memory (owned array) ... */
    size_t slice_count;
    uint64_t slices_len;     /* their sum */
    void (*release)(void *); /* called once when the slices are no longer read */
    void *release_arg;
    /* ... or a body made as the client takes it: fills at most max bytes of out. The length is
     * announced when content_length says it. Never called after done(). */
    enum stream_next (*stream)(void *arg, void *out, size_t max, size_t *len);
    void *stream_arg;
    bool endless; /* the stream has no end of its own: it ends when the server is to stop */
    uint64_t content_length; /* HEAD: the length to announce; else CONTENT_LENGTH_NONE */
    bool no_body;            /* HEAD, 204, 304: announce, send nothing */
    bool close;              /* close the connection afterwards */
    enum reply_cut cut;
    uint64_t bytes_per_s; /* the body goes out no faster; 0 = as fast as it can */

    struct reply_line line_room[REPLY_LINES_USUAL];
    char text_room[REPLY_TEXT_USUAL];
};

void reply_init(struct reply *r);
/* Releases buffers, calls release when it is still there. */
void reply_release(struct reply *r);
/* Makes room; false: no memory, and headers_failed is set. */
bool reply_more_lines(struct reply *r);
/* Appends a header. The name is kept, not copied: it outlives the reply. CR, LF and NUL in the
 * value are replaced by a space: no header injection. */
void reply_header(struct reply *r, const char *name, struct str value);
void reply_headerf(struct reply *r, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with a value that outlives the reply, too, and is known to be harmless. */
static inline void reply_kept_header(struct reply *r, const char *name, const char *value)
{
    if (r->line_count < r->line_cap || reply_more_lines(r))
        r->lines[r->line_count++] = (struct reply_line){name, value};
}
/* Forgets them all. */
void reply_drop_headers(struct reply *r);

enum app_next {
    APP_WANT_BODY, /* feed body(), then finish() */
    APP_REPLY,     /* the reply is ready now; the rest of the request is to be discarded */
    APP_WAIT,      /* body: took these bytes, wants no more before it is woken
                    * finish: not ready; call finish again when woken */
};

/* An application: what daemon gives to http. */
struct app {
    void *arg;
    /* *call: new call, never NULL afterwards, released by done. */
    enum app_next (*begin)(void *arg, const struct request *req, void **call);
    /* APP_REPLY: the body is already known to be bad; discard the rest, then finish is not
     * called. */
    enum app_next (*body)(void *call, const char *data, size_t len);
    /* APP_REPLY or APP_WAIT */
    enum app_next (*finish)(void *call);
    /* The call's reply; valid once begin or body said APP_REPLY, or finish returned. */
    struct reply *(*reply)(void *call);
    /* sent: body bytes handed to the client; aborted: the client left or timed out. */
    void (*done)(void *call, uint64_t sent, bool aborted);
};

#endif
