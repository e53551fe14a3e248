/* SPDX-License-Identifier: MIT */
/* origin.c - a test server listens where any web page that its developer visits can reach it.
 *
 * Refused: what another site makes the browser send (Sec-Fetch-Site, Origin), and what a
 * browser sends to a host name that is not ours (DNS rebinding: the page's own name, pointed at
 * 127.0.0.1). Programs send none of a browser's headers and may call us by any name, as
 * containers do. */
#include "admin/call.h"

/* "localhost:4566" -> "localhost", "[::1]:4566" -> "[::1]" */
static struct str without_port(struct str host)
{
    size_t end = host.len;

    while (end > 0 && host.ptr[end - 1] >= '0' && host.ptr[end - 1] <= '9')
        end--;
    return end > 0 && host.ptr[end - 1] == ':' ? str_of(host.ptr, end - 1) : host;
}

static bool is_or_under(struct str host, struct str domain)
{
    if (str_eq_nocase(host, domain))
        return true;
    return host.len > domain.len && host.ptr[host.len - domain.len - 1] == '.' &&
           str_eq_nocase(str_from(host, host.len - domain.len), domain);
}

static bool is_ipv4_loopback(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        if ((host.ptr[i] < '0' || host.ptr[i] > '9') && host.ptr[i] != '.')
            return false;
    }
    return str_has_prefix(host, STR("127."));
}

static bool is_our_name(const struct admin_options *options, struct str host)
{
    host = without_port(host);
    if (is_or_under(host, STR("localhost")) || str_eq(host, STR("[::1]")) ||
        is_ipv4_loopback(host))
        return true;
    for (size_t i = 0; i < options->host_count; i++) {
        if (is_or_under(host, options->hosts[i]))
            return true;
    }
    return false;
}

/* Node's fetch sends Sec-Fetch-Mode and "Accept-Language: *", but none of these. */
static bool is_browser(const struct request *req)
{
    struct str agent = request_header(req, STR("user-agent"));
    struct str language = request_header(req, STR("accept-language"));

    return request_header(req, STR("sec-fetch-site")).ptr ||
           request_header(req, STR("origin")).ptr || str_has_prefix(agent, STR("Mozilla/")) ||
           (language.ptr && !str_eq(language, STR("*")));
}

/* "http://localhost:4566" is the origin of a page that we served ourselves. */
static bool is_our_origin(const struct request *req, struct str origin)
{
    struct str scheme = req->tls ? STR("https://") : STR("http://");

    return str_has_prefix_nocase(origin, scheme) &&
           str_eq_nocase(str_from(origin, scheme.len), req->host);
}

bool origin_is_foreign(const struct admin_options *options, const struct request *req)
{
    struct str site = request_header(req, STR("sec-fetch-site"));
    struct str origin = request_header(req, STR("origin"));

    if (str_eq_nocase(site, STR("cross-site")))
        return true;
    if (origin.ptr && !is_our_origin(req, origin))
        return true;
    return is_browser(req) && !is_our_name(options, req->host);
}
