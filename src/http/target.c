/* SPDX-License-Identifier: MIT */
/* target.c - what a request is sent to: its target, taken apart, and its host.
 * Sources: RFC 9112, 3.2 (forms of the target), RFC 9110, 4.2 and 7.2 (http URIs, Host). */
#include "http/server.h"

/* ---- the target -------------------------------------------------------------------- */

/* "//host/b/k?q" of "http://host/b/k?q"; STR_NONE: it is not in absolute form. */
static struct str behind_scheme(struct str target)
{
    if (str_has_prefix_nocase(target, STR("http://")))
        return str_from(target, strlen("http://"));
    if (str_has_prefix_nocase(target, STR("https://")))
        return str_from(target, strlen("https://"));
    return STR_NONE;
}

void target_split(struct request *req)
{
    struct str rest = behind_scheme(req->target);
    size_t end = 0;

    req->path = req->target;
    req->query = req->host = STR_NONE;
    if (rest.ptr) {
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
            end++;
        req->host = str_of(rest.ptr, end);
        req->path = str_from(rest, end);
    }
    end = str_find_char(req->path, '?');
    if (end != SIZE_MAX) {
        req->query = str_from(req->path, end + 1);
        req->path.len = end;
    }
    /* "http://host?q" */
    if (rest.ptr && req->path.len == 0)
        req->path = STR("/");
}

/* Blanks and control characters end a line, or a part of it, for one reader or another. Bytes
 * of UTF-8 that somebody forgot to encode do no harm. */
static bool has_only_visible_bytes(struct str target)
{
    unsigned char odd = 0;

    for (size_t i = 0; i < target.len; i++) {
        unsigned char byte = (unsigned char)target.ptr[i];

        odd |= byte <= ' ' || byte == 0x7f;
    }
    return !odd;
}

/* ---- the host ---------------------------------------------------------------------- */

/* What a name or an IPv4 address is made of. A part of user information, which ends in '@', is
 * none of a host's (RFC 9110, 4.2.4). */
static const bool name_bytes[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true,
    ['.'] = true,         ['_'] = true,         ['~'] = true,         ['%'] = true,
    ['!'] = true,         ['$'] = true,         ['&'] = true,         ['\''] = true,
    ['('] = true,         [')'] = true,         ['*'] = true,         ['+'] = true,
    [','] = true,         [';'] = true,         ['='] = true};

static bool is_port(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return true;
}

/* uri-host [ ":" port ]; may be empty. */
static bool is_host(struct str host)
{
    size_t at = 0;

    if (host.len > 0 && host.ptr[0] == '[') {
        at = str_find_char(host, ']');
        if (at == SIZE_MAX)
            return false;
        for (size_t i = 1; i < at; i++) {
            if (host.ptr[i] != ':' && !name_bytes[(unsigned char)host.ptr[i]])
                return false;
        }
        at++;
    } else {
        while (at < host.len && name_bytes[(unsigned char)host.ptr[at]])
            at++;
    }
    return at == host.len || (host.ptr[at] == ':' && is_port(str_from(host, at + 1)));
}

/* ---- the check --------------------------------------------------------------------- */

enum s3_err target_check(const struct request *req)
{
    bool absolute = behind_scheme(req->target).ptr;

    if (!has_only_visible_bytes(req->target))
        return S3_BAD_REQUEST;
    if (!is_host(req->host))
        return absolute ? S3_INVALID_URI : S3_BAD_REQUEST;
    if (absolute)
        return req->host.len > 0 ? S3_OK : S3_INVALID_URI;
    /* "host:port" is for proxies, and "*" asks nothing that S3 answers. */
    return req->target.len > 0 && req->target.ptr[0] == '/' ? S3_OK : S3_INVALID_URI;
}
