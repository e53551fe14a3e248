/* SPDX-License-Identifier: MIT */
/* fuzz_guard.c - any request head before the guard. Whatever else a page of another site, or one
 * behind a name that is not ours, makes its browser send: it may do nothing but open one object.
 * What the log is told is printable; names out of options are judged without harm. */
#include <assert.h>

#include "app/app.h"
#include "raw_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str hosts[] = {{"s3.example.com", 14}};
static const struct guard guard = {.hosts = hosts, .host_count = 1};

static void look(struct guard_view *view, const struct request *req)
{
    AUTO_BUF(why, KiB(2));

    guard_look(view, &guard, req);
    guard_explain(view, &why);
    assert(buf_ok(&why));
    for (size_t i = 0; i < why.len; i++)
        assert(why.ptr[i] >= ' ' && why.ptr[i] <= '~');
    assert((view->may == GUARD_ANYTHING) == (why.len == 0));
}

/* With this header before all others. */
static void add_first(struct raw_request *raw, const char *name, const char *value)
{
    size_t kept =
        raw->req.header_count < RAW_HEADERS_MAX ? raw->req.header_count : RAW_HEADERS_MAX - 1;

    memmove(raw->headers + 1, raw->headers, kept * sizeof(raw->headers[0]));
    raw->headers[0] = (struct header){str_c(name), str_c(value)};
    raw->req.header_count = kept + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of((const char *)data, size);
    struct raw_request raw;
    struct guard_view view;
    const char *why;
    AUTO_BUF(host, KiB(64));

    if (!guard_origin_ok(text, &why))
        assert(strlen(why) > 0);
    assert(!guard_host_ok(text) || !memchr(text.ptr, ':', text.len));
    raw_request_parse(&raw, text);
    look(&view, &raw.req);
    add_first(&raw, "Origin", "https://evil.example");
    look(&view, &raw.req);
    assert(guard_refuses(&view, false));
    raw_request_parse(&raw, text);
    buf_add(&host, raw.req.host);
    buf_add(&host, STR(".evil.example"));
    raw.req.host = buf_ok(&host) ? buf_str(&host) : STR("evil.example");
    add_first(&raw, "User-Agent", "Mozilla/5.0");
    look(&view, &raw.req);
    assert(view.may == GUARD_NOTHING && view.asker == GUARD_FOREIGN_HOST);
    return 0;
}
