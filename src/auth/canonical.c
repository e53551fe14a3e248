/* SPDX-License-Identifier: MIT */
/* canonical.c - the canonical request.
 * Source: AWS "Signature Calculations for the Authorization Header", task 1. */
#include "auth/canonical.h"

#include <stdlib.h>

#include "auth/evidence.h"
#include "auth/header_index.h"

#define PARTS_ON_STACK 48

/* ---- percent-encoding -------------------------------------------------------------- */

/* 1 for the bytes that RFC 3986 calls unreserved. */
static const uint8_t unreserved[256] = {
    ['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1,
    ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1,
    ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
    ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1,
    ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1,
    ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1,
    ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
    ['y'] = 1, ['z'] = 1,
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at s[*at], decoded; moves *at behind it. */
static unsigned char next_byte(struct str s, size_t *at, bool plus_is_space)
{
    char c = s.ptr[(*at)++];
    if (c == '+' && plus_is_space)
        return ' ';
    if (c != '%' || s.len - *at < 2)
        return (unsigned char)c;
    int high = hex_value(s.ptr[*at]), low = hex_value(s.ptr[*at + 1]);
    if (high < 0 || low < 0)
        return (unsigned char)c;
    *at += 2;
    return (unsigned char)(high << 4 | low);
}

void canonical_encode(struct buf *out, struct str escaped, bool keep_slash, bool plus_is_space)
{
    static const char hex[] = "0123456789ABCDEF";
    if (escaped.len == 0 || !buf_reserve(out, 3 * escaped.len))
        return;
    char *to = out->ptr + out->len;
    for (size_t at = 0; at < escaped.len;) {
        unsigned char byte = next_byte(escaped, &at, plus_is_space);
        if (unreserved[byte] || (byte == '/' && keep_slash)) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '%';
        *to++ = hex[byte >> 4];
        *to++ = hex[byte & 15];
    }
    out->len = (size_t)(to - out->ptr);
}

/* ---- path and query ---------------------------------------------------------------- */

struct str canonical_path(const struct request *req)
{
    struct str path = req->path;
    if (path.len && path.ptr[0] == '/')
        return path;
    size_t scheme = str_find(path, STR("://"));
    if (scheme != SIZE_MAX) {
        struct str rest = str_from(path, scheme + 3);
        size_t slash = str_find_char(rest, '/');
        if (slash != SIZE_MAX)
            return str_from(rest, slash);
    }
    return STR("/");
}

struct pair {
    struct str name, value;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order ? order : str_cmp(x->value, y->value);
}

static size_t count_parts(struct str query)
{
    size_t n = 1;
    for (size_t i = 0; i < query.len; i++)
        n += query.ptr[i] == '&';
    return n;
}

/* Encodes the parts into scratch, which has room for all of them and does not move. */
static size_t encode_parts(struct buf *scratch, struct str query, struct pair *pairs)
{
    size_t n = 0;
    struct query_part part;
    while (query_next(&query, &part)) {
        if (str_eq(part.name, STR("X-Amz-Signature")))
            continue;
        size_t name = scratch->len;
        canonical_encode(scratch, part.name, false, true);
        size_t value = scratch->len;
        canonical_encode(scratch, part.value, false, true);
        pairs[n].name = str_of(scratch->ptr + name, value - name);
        pairs[n++].value = str_of(scratch->ptr + value, scratch->len - value);
    }
    return n;
}

static void add_pairs(struct buf *out, struct str query, struct pair *pairs)
{
    /* Encoding makes three bytes of one at most: what was reserved here never moves. */
    AUTO_BUF(scratch, 3 * query.len);
    if (!buf_reserve(&scratch, 3 * query.len)) {
        out->failed = true;
        return;
    }
    size_t n = encode_parts(&scratch, query, pairs);
    qsort(pairs, n, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(out, '&');
        buf_add(out, pairs[i].name);
        buf_add_char(out, '=');
        buf_add(out, pairs[i].value);
    }
}

static void add_query(struct buf *out, struct str query)
{
    if (query.len == 0)
        return;
    size_t parts = count_parts(query);
    if (parts <= PARTS_ON_STACK) {
        struct pair pairs[PARTS_ON_STACK];
        add_pairs(out, query, pairs);
        return;
    }
    struct pair *pairs = try_malloc(parts * sizeof(*pairs));
    if (pairs)
        add_pairs(out, query, pairs);
    else
        out->failed = true;
    mem_free(pairs);
}

/* ---- headers ----------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Anything between words that is not one space? Hardly any value has it. */
static bool has_wide_blank(struct str value)
{
    return str_find_char(value, '\t') != SIZE_MAX || str_find(value, STR("  ")) != SIZE_MAX;
}

void canonical_value(struct buf *out, struct str value)
{
    value = str_trim(value);
    if (value.len == 0 || !buf_reserve(out, value.len))
        return;
    char *to = out->ptr + out->len;
    if (!has_wide_blank(value)) {
        str_put(to, value);
        out->len += value.len;
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!is_blank(value.ptr[i]))
            *to++ = value.ptr[i];
        else if (!is_blank(value.ptr[i - 1])) /* trimmed: there is a byte before */
            *to++ = ' ';
    }
    out->len = (size_t)(to - out->ptr);
}

static void add_header(struct buf *out, const struct header_index *headers, struct str name,
                       struct str host)
{
    buf_add(out, name);
    buf_add_char(out, ':');
    if (str_eq_nocase(name, STR("host"))) {
        canonical_value(out, host);
    } else {
        const struct header *h;
        size_t at = 0;
        for (bool first = true; (h = header_index_next(headers, name, &at)); first = false) {
            if (!first)
                buf_add_char(out, ',');
            canonical_value(out, h->value);
        }
    }
    buf_add_char(out, '\n');
}

/* A name that is repeated brings its values again: the buffer's limit ends that. */
static void add_headers(struct buf *out, const struct request *req,
                        const struct canonical_form *form)
{
    struct header_index headers;
    struct str names = form->signed_headers, name;
    if (!header_index_init(&headers, req))
        out->failed = true;
    while (buf_ok(out) && names.ptr && str_split(&names, ';', &name))
        add_header(out, &headers, name, form->host);
    header_index_release(&headers);
}

void canonical_request(struct buf *out, const struct request *req,
                       const struct canonical_form *form)
{
    buf_add(out, req->method);
    buf_add_char(out, '\n');
    canonical_encode(out, canonical_path(req), true, false);
    buf_add_char(out, '\n');
    add_query(out, req->query);
    buf_add_char(out, '\n');
    add_headers(out, req, form);
    buf_add_char(out, '\n');
    buf_add(out, form->signed_headers);
    buf_add_char(out, '\n');
    buf_add(out, form->payload_hash);
}
