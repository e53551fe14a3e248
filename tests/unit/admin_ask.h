/* SPDX-License-Identifier: MIT */
/* admin_ask.h - calling the admin application as the front end does, waiting included. */
#ifndef S3MEM_TESTS_ADMIN_ASK_H
#define S3MEM_TESTS_ADMIN_ASK_H

#include "admin/admin.h"

#include <pthread.h>
#include <stdlib.h>

/* Set by a test that takes pieces itself. */
static bool ask_keeps_streams;

struct ask {
    struct waker waker; /* first: woken() finds the rest */
    struct app app;
    struct header header;
    struct request req;
    void *call;
    enum app_next next;
    struct reply *reply;
    pthread_mutex_t lock; /* guards what wakers write */
    int wakes;
    int64_t wake_at_ns; /* 0: nobody asked */
    bool over;
};

static inline void ask_wake(struct waker *w)
{
    struct ask *a = (struct ask *)w;

    pthread_mutex_lock(&a->lock);
    if (a->over)
        abort(); /* a wake after done() */
    a->wakes++;
    pthread_mutex_unlock(&a->lock);
}

static inline void ask_wake_at(struct waker *w, int64_t monotonic_ns)
{
    ((struct ask *)w)->wake_at_ns = monotonic_ns;
}

/* Wakes since the last time this was asked. */
static inline int ask_woken(struct ask *a)
{
    int wakes;

    pthread_mutex_lock(&a->lock);
    wakes = a->wakes;
    a->wakes = 0;
    pthread_mutex_unlock(&a->lock);
    return wakes;
}

/* An answer that comes in pieces, as its text. */
static inline void ask_drain(struct reply *r)
{
    char piece[777];
    enum stream_next next;
    size_t len;

    r->text.max = MiB(64);
    do {
        next = r->stream(r->stream_arg, piece, sizeof(piece), &len);
        if (next == STREAM_WAIT || next == STREAM_FAILED)
            abort();
        buf_add(&r->text, str_of(piece, len));
    } while (next != STREAM_END);
}

/* The reply, its text made fit for strstr. */
static inline void ask_reply(struct ask *a)
{
    a->reply = a->app.reply(a->call);
    if (a->next == APP_REPLY && a->reply->stream && !ask_keeps_streams &&
        strcmp(a->reply->lines[0].value, "text/event-stream") != 0)
        ask_drain(a->reply);
    if (a->next == APP_REPLY && buf_reserve(&a->reply->text, 1))
        a->reply->text.ptr[a->reply->text.len] = '\0';
}

static inline void ask_finish(struct ask *a)
{
    a->next = a->app.finish(a->call);
    ask_reply(a);
}

/* header may be NULL. */
static inline void ask_begin(struct ask *a, struct admin *admin, const char *method,
                             const char *target, const char *header, const char *value)
{
    size_t mark = str_find_char(str_c(target), '?');

    *a = (struct ask){.waker = {ask_wake, ask_wake_at}, .app = admin_app(admin)};
    pthread_mutex_init(&a->lock, NULL);
    a->header = (struct header){str_c(header), str_c(value)};
    a->req = (struct request){.method = str_c(method),
                              .target = str_c(target),
                              .path = str_c(target),
                              .host = STR("localhost:4566"),
                              .headers = &a->header,
                              .header_count = header != NULL,
                              .waker = &a->waker};
    if (mark != SIZE_MAX) {
        a->req.path.len = mark;
        a->req.query = str_from(str_c(target), mark + 1);
    }
    a->next = a->app.begin(a->app.arg, &a->req, &a->call);
    if (a->next == APP_WANT_BODY)
        ask_finish(a);
    else
        ask_reply(a);
}

static inline void ask_end(struct ask *a)
{
    a->app.done(a->call, 0, false);
    pthread_mutex_lock(&a->lock);
    a->over = true;
    pthread_mutex_unlock(&a->lock);
    pthread_mutex_destroy(&a->lock);
}

/* Asks, calls again as often as it wakes itself, and gives the body as a NUL-terminated text to
 * be freed. */
static inline char *ask_text(struct admin *admin, const char *method, const char *target,
                             unsigned *status)
{
    struct ask a;
    char *text;

    ask_begin(&a, admin, method, target, NULL, NULL);
    while (a.next == APP_WAIT && ask_woken(&a) > 0)
        ask_finish(&a);
    *status = a.next == APP_WAIT ? 0 : a.reply->status;
    text = xstrndup(buf_str(&a.reply->text));
    ask_end(&a);
    return text;
}

#endif
