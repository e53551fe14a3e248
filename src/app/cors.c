/* SPDX-License-Identifier: MIT */
/* cors.c - headers of replies to browsers: what a page at home may read of them (CORS), and
 * what keeps an object from running as a page of our own origin. */
#include "app/app.h"

/* "*" is for requests without credentials (cookies), as those of SDKs; the rest for others. */
#define EXPOSED                                                                                \
    "*, ETag, Date, Location, Content-Range, Content-Encoding, Content-Disposition, "          \
    "Accept-Ranges, x-amz-request-id, x-amz-id-2, x-amz-version-id, x-amz-delete-marker, "     \
    "x-amz-bucket-region, x-amz-mp-parts-count, x-amz-copy-source-version-id"
/* As S3 says it (aws-recorded: test_cors_match_origins). */
#define VARY "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

static void add_cors(struct reply *reply, struct str origin)
{
    reply_header(reply, "Access-Control-Allow-Origin", origin);
    reply_kept_header(reply, "Access-Control-Allow-Credentials", "true");
    reply_kept_header(reply, "Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE");
    reply_kept_header(reply, "Access-Control-Expose-Headers", EXPOSED);
    reply_kept_header(reply, "Vary", VARY);
}

/* Types that no browser runs as a page while nosniff forbids it to look for another. A sandbox
 * would keep browsers from showing PDF at all. A value with a comma is two types, of which
 * browsers take the last; any type may end in "+xml", which can be a page. */
static bool is_harmless_type(struct str value)
{
    struct str rest = value, type;

    if (str_find_char(value, ',') != SIZE_MAX || !str_split(&rest, ';', &type) ||
        str_find_char(type, '+') != SIZE_MAX)
        return false;
    return str_eq_nocase(str_trim(type), STR("application/pdf")) ||
           str_has_prefix_nocase(type, STR("image/")) ||
           str_has_prefix_nocase(type, STR("audio/")) ||
           str_has_prefix_nocase(type, STR("video/"));
}

static bool is_harmless(const struct reply *reply)
{
    bool harmless = false;

    for (size_t i = 0; i < reply->line_count; i++) {
        if (!str_eq_nocase(str_c(reply->lines[i].name), STR("content-type")))
            continue;
        if (!is_harmless_type(str_c(reply->lines[i].value)))
            return false;
        harmless = true;
    }
    return harmless;
}

void guard_reply(const struct guard *guard, const struct guard_view *view, struct reply *reply)
{
    if (view->asker == GUARD_HOME && view->name.ptr)
        add_cors(reply, view->name);
    if (guard->page_scripts || !view->may_be_page)
        return;
    reply_kept_header(reply, "X-Content-Type-Options", "nosniff");
    if (!is_harmless(reply))
        reply_kept_header(reply, "Content-Security-Policy", "sandbox");
}

bool guard_is_preflight(const struct guard_view *view, const struct request *req)
{
    return view->asker == GUARD_HOME && view->name.ptr && str_eq(req->method, STR("OPTIONS")) &&
           request_header(req, STR("access-control-request-method")).ptr;
}

void guard_preflight_reply(const struct request *req, struct reply *reply)
{
    struct str headers = request_header(req, STR("access-control-request-headers"));

    reply->status = 200;
    if (headers.ptr)
        reply_header(reply, "Access-Control-Allow-Headers", headers);
    reply_kept_header(reply, "Access-Control-Max-Age", "600");
    /* Chromium asks so before a page of the internet may speak to a private address. */
    if (request_header(req, STR("access-control-request-private-network")).ptr)
        reply_kept_header(reply, "Access-Control-Allow-Private-Network", "true");
}
