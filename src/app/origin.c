/* SPDX-License-Identifier: MIT */
/* origin.c - taking hosts and origins apart, and judging names. */
#include "app/origin.h"

#define HOST_MAX 253

/* ---- taking apart ------------------------------------------------------------------ */

/* Up to the first of these characters. */
static struct str before_any(struct str s, const char *ends)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\0' || strchr(ends, s.ptr[i]))
            return str_of(s.ptr, i);
    }
    return s;
}

/* What stands behind "://", up to the path; STR_NONE: there is no "://". */
static struct str url_authority(struct str url)
{
    size_t scheme = str_find(url, STR("://"));

    if (scheme == SIZE_MAX)
        return STR_NONE;
    return before_any(str_from(url, scheme + strlen("://")), "/?#");
}

struct str host_without_port(struct str host)
{
    size_t end = host.len;

    while (end > 0 && host.ptr[end - 1] >= '0' && host.ptr[end - 1] <= '9')
        end--;
    return end > 0 && host.ptr[end - 1] == ':' ? str_of(host.ptr, end - 1) : host;
}

struct str origin_of_url(struct str url)
{
    struct str authority = url_authority(url);

    if (authority.len == 0)
        return STR_NONE;
    return str_of(url.ptr, (size_t)(authority.ptr + authority.len - url.ptr));
}

struct str origin_host(struct str origin)
{
    if (str_has_prefix_nocase(origin, STR("http://")))
        return str_from(origin, strlen("http://"));
    if (str_has_prefix_nocase(origin, STR("https://")))
        return str_from(origin, strlen("https://"));
    return STR_NONE;
}

/* ---- judging names ----------------------------------------------------------------- */

/* Four numbers below 256. Browsers write every IPv4 address so, however a page spells it. */
static bool is_ipv4(struct str host)
{
    struct str part;
    uint64_t number;
    int parts = 0;

    while (str_split(&host, '.', &part)) {
        if (part.len > 3 || !str_to_u64(part, &number) || number > 255)
            return false;
        parts++;
    }
    return parts == 4;
}

static bool is_ipv6(struct str host)
{
    if (host.len < 4 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < host.len; i++) {
        char c = host.ptr[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') &&
            c != ':' && c != '.')
            return false;
    }
    return true;
}

static bool is_or_under(struct str host, struct str domain)
{
    if (str_eq_nocase(host, domain))
        return true;
    return host.len > domain.len && host.ptr[host.len - domain.len - 1] == '.' &&
           str_eq_nocase(str_from(host, host.len - domain.len), domain);
}

bool host_is_loopback(struct str host)
{
    return is_or_under(host, STR("localhost")) || str_eq(host, STR("[::1]")) ||
           (str_has_prefix(host, STR("127.")) && is_ipv4(host));
}

/* Nobody can register them: RFC 6761 (test, localhost), RFC 6762 (local), ICANN's resolution of
 * 2024-07-29 (internal, below which Docker has host.docker.internal). */
static bool is_reserved(struct str host)
{
    static const struct str domains[] = {
        {"localhost", 9}, {"test", 4}, {"internal", 8}, {"local", 5}};

    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        if (is_or_under(host, domains[i]))
            return true;
    }
    return false;
}

bool host_is_ours(const struct guard *guard, struct str host)
{
    host = host_without_port(host);
    /* A container's or a machine's own name: not of the public DNS. */
    if (host.len > 0 && str_find_char(host, '.') == SIZE_MAX && host.ptr[0] != '[')
        return true;
    if (is_ipv4(host) || is_ipv6(host))
        return true;
    /* "localhost." is the same host. */
    if (str_has_suffix(host, STR(".")))
        host.len--;
    if (is_reserved(host))
        return true;
    for (size_t i = 0; i < guard->host_count; i++) {
        if (is_or_under(host, guard->hosts[i]))
            return true;
    }
    return false;
}

/* ---- options ----------------------------------------------------------------------- */

bool guard_host_ok(struct str text)
{
    struct str rest = text, label;

    if (text.len == 0 || text.len > HOST_MAX)
        return false;
    while (str_split(&rest, '.', &label)) {
        if (label.len == 0)
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];

            if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
                c != '-' && c != '_')
                return false;
        }
    }
    return true;
}

/* Of http and https: a browser leaves out a port that is the scheme's own. */
static bool web_origin_ok(struct str host, const char *own_port, const char **why)
{
    struct str name = host_without_port(host);
    struct str port = name.len < host.len ? str_from(host, name.len + 1) : STR_NONE;
    uint64_t number = 0;

    if (!guard_host_ok(name) && !is_ipv6(name)) {
        *why = "there is no host name behind the scheme (names beyond ASCII: as Punycode)";
        return false;
    }
    if (port.ptr && (!str_to_u64(port, &number) || number < 1 || number > 65535)) {
        *why = "the port is no port";
        return false;
    }
    if (port.ptr && str_eq(port, str_c(own_port))) {
        *why = "leave out the port, as browsers do when it is the scheme's own";
        return false;
    }
    return true;
}

static bool scheme_ok(struct str scheme)
{
    for (size_t i = 0; i < scheme.len; i++) {
        char c = scheme.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || strchr("+-.", c))))
            return false;
    }
    return scheme.len > 0;
}

bool guard_origin_ok(struct str text, const char **why)
{
    size_t scheme = str_find(text, STR("://"));
    struct str host;

    *why = "";
    if (str_eq(text, STR("null")))
        return true;
    if (scheme == SIZE_MAX || !scheme_ok(str_of(text.ptr, scheme))) {
        *why = "an origin starts with its scheme";
        return false;
    }
    host = str_from(text, scheme + strlen("://"));
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] == '/' || host.ptr[i] == '?' || host.ptr[i] == '#') {
            *why = "an origin ends before the path: no '/' behind the host";
            return false;
        }
        if (host.ptr[i] <= ' ' || host.ptr[i] > '~' || host.ptr[i] == '*') {
            *why = "an origin has no blanks, patterns or characters beyond ASCII";
            return false;
        }
    }
    if (str_has_prefix_nocase(text, STR("http://")))
        return web_origin_ok(host, "80", why);
    if (str_has_prefix_nocase(text, STR("https://")))
        return web_origin_ok(host, "443", why);
    return true; /* chrome-extension://ID, file:// (of Electron) ... */
}
