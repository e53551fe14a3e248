/* SPDX-License-Identifier: MIT */
/* s3_ask.h - requests to an S3 service without a network: what the front end does, in one
 * function. For tests of whole operations. */
#ifndef S3MEM_TESTS_S3_ASK_H
#define S3MEM_TESTS_S3_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/s3.h"

#define ASK_HEADERS_MAX 32

struct asked {
    struct store *store;
    struct s3_service *service;
    unsigned status;
    struct buf headers; /* "Name: value\n" of the last reply */
    struct buf text;    /* its body */
};

static inline void ask_start(struct asked *a)
{
    static const struct str domains[] = {{"localhost", 9}};
    struct store_options store_options = {0};
    a->store = store_new(&store_options);
    struct s3_options options = {.store = a->store,
                                 .region = STR("us-east-1"),
                                 .domains = domains,
                                 .domain_count = 1,
                                 .metadata_limit = 2048,
                                 .max_object_size = GiB(5),
                                 .min_part_size = MiB(5)};
    a->service = s3_service_new(&options);
    buf_init(&a->headers, KiB(64));
    buf_init(&a->text, MiB(64));
}

static inline void ask_stop(struct asked *a)
{
    buf_release(&a->headers);
    buf_release(&a->text);
    s3_service_free(a->service);
    store_free(a->store);
}

/* "Name: value\nName: value" → headers. */
static inline size_t ask_headers(struct str text, struct header *out)
{
    struct str line;
    size_t count = 0;
    while (text.len && count < ASK_HEADERS_MAX && str_split(&text, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (colon != SIZE_MAX)
            out[count++] =
                (struct header){str_of(line.ptr, colon), str_trim(str_from(line, colon + 1))};
    }
    return count;
}

static inline void ask_keep(struct asked *a, const struct reply *reply)
{
    /* The front end answers so when the headers could not be built. */
    a->status = !reply->headers_failed ? reply->status : 500;
    buf_reset(&a->headers);
    buf_reset(&a->text);
    for (size_t i = 0; i < reply->line_count; i++)
        buf_addf(&a->headers, "%s: %s\n", reply->lines[i].name, reply->lines[i].value);
    buf_add(&a->text, buf_str(&reply->text));
    for (size_t i = 0; i < reply->slice_count; i++)
        buf_add(&a->text, str_of(reply->slices[i].ptr, reply->slices[i].len));
}

/* A call that waits for a turn of its own gets it at once. */
static inline void ask_wake(struct waker *w)
{
    (void)w;
}

/* Asks and returns the status. The body goes in pieces of `piece` bytes (0: whole). */
static inline unsigned ask_in_pieces(struct asked *a, const char *method, const char *target,
                                     const char *headers, struct str body, size_t piece)
{
    struct header list[ASK_HEADERS_MAX];
    struct waker waker = {.wake = ask_wake};
    struct str raw = str_c(target);
    size_t mark = str_find_char(raw, '?');
    struct request request = {
        .method = str_c(method),
        .target = raw,
        .path = mark == SIZE_MAX ? raw : str_of(raw.ptr, mark),
        .query = mark == SIZE_MAX ? STR_NONE : str_from(raw, mark + 1),
        .host = STR("localhost"),
        .remote = STR("127.0.0.1:1"),
        .headers = list,
        .header_count = ask_headers(str_c(headers), list),
        .content_length = body.ptr ? body.len : CONTENT_LENGTH_NONE,
        .waker = &waker,
    };
    struct app app = s3_service_app(a->service);
    void *call = NULL;
    enum app_next next = app.begin(app.arg, &request, &call);
    for (size_t at = 0; next == APP_WANT_BODY && at < body.len;) {
        size_t n = piece && piece < body.len - at ? piece : body.len - at;
        next = app.body(call, body.ptr + at, n);
        at += n;
    }
    if (next == APP_WANT_BODY)
        while (app.finish(call) == APP_WAIT)
            ;
    ask_keep(a, app.reply(call));
    app.done(call, a->text.len, false);
    return a->status;
}

static inline unsigned ask(struct asked *a, const char *method, const char *target,
                           const char *headers, struct str body)
{
    return ask_in_pieces(a, method, target, headers, body, 0);
}

/* The last reply's body contains the text. */
static inline void assert_answer(const struct asked *a, const char *text)
{
    if (str_find(buf_str(&a->text), str_c(text)) == SIZE_MAX)
        fail_msg("no '%s' in %u '%.*s'", text, a->status, (int)a->text.len,
                 a->text.ptr ? a->text.ptr : "");
}

static inline void assert_no_answer(const struct asked *a, const char *text)
{
    if (str_find(buf_str(&a->text), str_c(text)) != SIZE_MAX)
        fail_msg("'%s' in %u '%.*s'", text, a->status, (int)a->text.len, a->text.ptr);
}

static inline void assert_answer_header(const struct asked *a, const char *line)
{
    if (str_find(buf_str(&a->headers), str_c(line)) == SIZE_MAX)
        fail_msg("no '%s' in '%.*s'", line, (int)a->headers.len, a->headers.ptr);
}

#endif
