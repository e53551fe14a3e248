/* SPDX-License-Identifier: MIT */
/* guard.c - who asks, and what may they do here? */
#include "app/origin.h"

#include <stdatomic.h>

/* ---- headers ----------------------------------------------------------------------- */

enum seen {
    SEEN_ORIGIN,
    SEEN_SITE,
    SEEN_MODE,
    SEEN_DEST,
    SEEN_REFERER,
    SEEN_AGENT,
    SEEN_LANGUAGE,
    SEEN_ENCODING,
    SEEN_UPGRADE,
    SEEN_COUNT
};

static void take_if(struct str seen[SEEN_COUNT], enum seen which, const struct header *header,
                    struct str name)
{
    if (!seen[which].ptr && str_eq_nocase(header->name, name))
        seen[which] = header->value;
}

/* By the lengths of names: hardly any other header is compared. */
static void collect(struct str seen[SEEN_COUNT], const struct request *req)
{
    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *h = &req->headers[i];

        switch (h->name.len) {
        case 6:
            take_if(seen, SEEN_ORIGIN, h, STR("origin"));
            break;
        case 7:
            take_if(seen, SEEN_REFERER, h, STR("referer"));
            break;
        case 10:
            take_if(seen, SEEN_AGENT, h, STR("user-agent"));
            break;
        case 14:
            take_if(seen, SEEN_SITE, h, STR("sec-fetch-site"));
            take_if(seen, SEEN_MODE, h, STR("sec-fetch-mode"));
            take_if(seen, SEEN_DEST, h, STR("sec-fetch-dest"));
            break;
        case 15:
            take_if(seen, SEEN_LANGUAGE, h, STR("accept-language"));
            take_if(seen, SEEN_ENCODING, h, STR("accept-encoding"));
            break;
        case 25:
            take_if(seen, SEEN_UPGRADE, h, STR("upgrade-insecure-requests"));
            break;
        default:
            break;
        }
    }
}

static bool names_a_browser(const struct str seen[SEEN_COUNT])
{
    return str_has_prefix(seen[SEEN_AGENT], STR("Mozilla/"));
}

/* A page may put another User-Agent in its browser's place (Firefox), but cannot take away
 * Accept-Language nor change Accept-Encoding, which are so at a host that the browser does not
 * trust. Node's fetch adds Sec-Fetch-Mode, Deno's takes "br", too. */
static bool may_be_disguised(const struct str seen[SEEN_COUNT])
{
    return seen[SEEN_LANGUAGE].ptr && !seen[SEEN_MODE].ptr &&
           str_eq(seen[SEEN_ENCODING], STR("gzip, deflate"));
}

/* Node's fetch sends Sec-Fetch-Mode, too, but no Sec-Fetch-Site. */
static bool is_browser(const struct str seen[SEEN_COUNT])
{
    return seen[SEEN_ORIGIN].ptr || seen[SEEN_SITE].ptr || names_a_browser(seen) ||
           may_be_disguised(seen);
}

/* Cypress, Playwright and PowerShell send requests of their own under a browser's User-Agent;
 * what a page asks for has an Accept-Language. A page in disguise can only be one of the host
 * that it asks: from elsewhere it would have an Origin. */
static bool is_tool(const struct str seen[SEEN_COUNT])
{
    if (seen[SEEN_SITE].ptr)
        return false;
    return !names_a_browser(seen) || (!seen[SEEN_LANGUAGE].ptr && !seen[SEEN_REFERER].ptr);
}

/* A browser says so by Fetch Metadata; to hosts that it does not trust (http, no loopback) it
 * sends none, and Upgrade-Insecure-Requests only with navigations. */
static bool is_navigation(const struct str seen[SEEN_COUNT])
{
    if (seen[SEEN_MODE].ptr || seen[SEEN_DEST].ptr)
        return str_eq_nocase(seen[SEEN_MODE], STR("navigate")) &&
               str_eq_nocase(seen[SEEN_DEST], STR("document"));
    return seen[SEEN_UPGRADE].ptr;
}

/* Not so for images, scripts, fetch and the like. */
static bool may_be_page(struct str dest)
{
    static const struct str pages[] = {
        {"document", 8}, {"iframe", 6}, {"frame", 5},
        {"embed", 5},    {"object", 6}, {"fencedframe", 11},
    };

    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (str_eq_nocase(dest, pages[i]))
            return true;
    }
    return !dest.ptr;
}

/* ---- who asks ---------------------------------------------------------------------- */

static bool is_home(const struct guard *guard, struct str host, struct str origin)
{
    struct str name = origin_host(origin);

    if (name.ptr && (str_eq_nocase(name, host) || host_is_loopback(host_without_port(name))))
        return true;
    for (size_t i = 0; i < guard->origin_count; i++) {
        if (str_eq_nocase(origin, guard->origins[i]))
            return true;
    }
    return false;
}

static enum guard_may found(struct guard_view *view, enum guard_may may, enum guard_asker asker,
                            struct str name)
{
    view->may = (unsigned char)may;
    view->asker = (unsigned char)asker;
    view->name = name;
    return may;
}

/* By Origin, else Sec-Fetch-Site, else Referer; navigations are looked at later. */
static enum guard_may judge_page(struct guard_view *view, const struct guard *guard,
                                 struct str host, const struct str seen[SEEN_COUNT])
{
    struct str origin = seen[SEEN_ORIGIN], site = seen[SEEN_SITE];
    struct str referer = origin_of_url(seen[SEEN_REFERER]);
    bool referer_is_home = referer.ptr && is_home(guard, host, referer);

    if (guard->any_origin || (origin.ptr && is_home(guard, host, origin)))
        return found(view, GUARD_ANYTHING, GUARD_HOME, origin);
    if (origin.ptr)
        return found(view, GUARD_NOTHING, GUARD_FOREIGN_PAGE, origin);
    if (str_eq_nocase(site, STR("same-origin")) || str_eq_nocase(site, STR("same-site")) ||
        str_eq_nocase(site, STR("none")) || (!site.ptr && referer_is_home) || is_tool(seen))
        return found(view, GUARD_ANYTHING, GUARD_HOME, STR_NONE);
    /* An image at 127.0.0.1 on a page of http://localhost:3000; or one on an object of ours
     * that was opened as a page, whose sandbox makes it a stranger. */
    if (referer_is_home)
        return found(view, GUARD_ONE_OBJECT, GUARD_SILENT, STR_NONE);
    if (site.ptr || seen[SEEN_REFERER].ptr)
        return found(view, GUARD_NOTHING, GUARD_FOREIGN_PAGE, referer);
    return found(view, GUARD_ONE_OBJECT, GUARD_SILENT, STR_NONE);
}

void guard_look(struct guard_view *view, const struct guard *guard, const struct request *req)
{
    struct str seen[SEEN_COUNT] = {{0}};

    *view = (struct guard_view){0};
    collect(seen, req);
    if (!is_browser(seen))
        return;
    view->may_be_page = may_be_page(seen[SEEN_DEST]);
    if (!host_is_ours(guard, req->host))
        found(view, GUARD_NOTHING, GUARD_FOREIGN_HOST, host_without_port(req->host));
    else if (judge_page(view, guard, req->host, seen) == GUARD_NOTHING && is_navigation(seen))
        view->may = GUARD_ONE_OBJECT;
}

/* ---- why not ----------------------------------------------------------------------- */

#define ASKER_SHOWN 200

/* What a client sent, made fit for logs and terminals. */
static void add_printable(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len && i < ASKER_SHOWN; i++) {
        char c = text.ptr[i];

        buf_add_char(out, c > ' ' && c <= '~' ? c : '?');
    }
}

static void add_page_reason(struct str origin, struct buf *out)
{
    if (!origin.ptr) {
        buf_add(out, STR("Pages of other sites may not do this. The option "
                         "--cors-allow-origin with the page's origin allows it, if the page "
                         "does not hide its referrer."));
        return;
    }
    if (str_eq(origin, STR("null"))) {
        buf_add(out, STR("Pages without an origin (sandboxed, or out of a file) may not do "
                         "this. The option --cors-allow-origin=null allows it."));
        return;
    }
    buf_add(out, STR("Pages of "));
    add_printable(out, origin);
    buf_add(out, STR(" may not do this. The option --cors-allow-origin="));
    add_printable(out, origin);
    buf_add(out, STR(" allows it."));
}

static void add_reason(const struct guard_view *view, struct buf *out)
{
    switch ((enum guard_asker)view->asker) {
    case GUARD_PROGRAM:
    case GUARD_HOME:
        break;
    case GUARD_FOREIGN_HOST:
        buf_add(out, STR("Browsers may not call this server by the name '"));
        add_printable(out, view->name);
        buf_add(out, STR("'. The option --allow-host="));
        add_printable(out, view->name);
        buf_add(out, STR(" allows it."));
        break;
    case GUARD_FOREIGN_PAGE:
        add_page_reason(view->name, out);
        break;
    case GUARD_SILENT:
        buf_add(out, STR("A browser that does not say which page asks may read one object and "
                         "do no more. The option --cors-allow-origin=* allows it everything."));
        break;
    }
}

void guard_explain(const struct guard_view *view, struct buf *out)
{
    static _Atomic int64_t last_told_ns;
    int64_t now_ns = clock_monotonic_ns(), last_ns = atomic_load(&last_told_ns);
    size_t start = out->len;

    add_reason(view, out);
    if (out->len == start || (last_ns != 0 && now_ns - last_ns < NS_PER_S))
        return;
    if (buf_ok(out) && atomic_compare_exchange_strong(&last_told_ns, &last_ns, now_ns))
        log_warn("refused: %.*s", (int)(out->len - start), out->ptr + start);
}
