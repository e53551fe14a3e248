/* SPDX-License-Identifier: MIT */
/* attrs.c - packed attributes: one byte of enum attr, then for ATTR_META the name, then the
 * value, each a length (7 bits a byte, low first, the top bit says more follow) and its bytes.
 */
#include "store/store.h"

static const struct str headers[ATTR_COUNT] = {
#define X(name, header) [ATTR_##name] = {header, sizeof(header) - 1},
#include "store/attrs.def"
#undef X
    [ATTR_END] = {"", 0},
    [ATTR_META] = {"", 0},
};

static const struct str names[ATTR_COUNT] = {
#define X(name, header) [ATTR_##name] = {#name, sizeof(#name) - 1},
#include "store/attrs.def"
#undef X
    [ATTR_END] = {"", 0},
    [ATTR_META] = {"META", 4},
};

struct str attr_header(enum attr a)
{
    return headers[a];
}

struct str attr_name(enum attr a)
{
    return names[a];
}

enum attr attr_by_name(struct str name)
{
    for (unsigned a = ATTR_END + 1; a < ATTR_COUNT; a++) {
        if (str_eq(names[a], name))
            return (enum attr)a;
    }
    return ATTR_END;
}

static void add_text(struct buf *attrs, struct str text)
{
    size_t len = text.len;

    for (; len >= 0x80; len >>= 7)
        buf_add_char(attrs, (char)(len | 0x80));
    buf_add_char(attrs, (char)len);
    buf_add(attrs, text);
}

void attrs_add(struct buf *attrs, enum attr a, struct str value)
{
    buf_add_char(attrs, (char)a);
    add_text(attrs, value);
}

void attrs_add_meta(struct buf *attrs, struct str name, struct str value)
{
    buf_add_char(attrs, (char)ATTR_META);
    add_text(attrs, name);
    add_text(attrs, value);
}

static bool read_text(struct str attrs, size_t *at, struct str *text)
{
    size_t len = 0;

    for (unsigned shift = 0; *at < attrs.len && shift < 63; shift += 7) {
        uint8_t byte = (uint8_t)attrs.ptr[(*at)++];

        len |= (size_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (len > attrs.len - *at)
            return false;
        *text = str_of(attrs.ptr + *at, len);
        *at += len;
        return true;
    }
    return false;
}

bool attrs_next(struct str attrs, size_t *at, enum attr *a, struct str *name, struct str *value)
{
    if (*at >= attrs.len)
        return false;

    uint8_t which = (uint8_t)attrs.ptr[(*at)++];

    *a = (enum attr)which;
    *name = STR_NONE;
    if (which == ATTR_END || which >= ATTR_COUNT)
        return false;
    if (which == ATTR_META && !read_text(attrs, at, name))
        return false;
    return read_text(attrs, at, value);
}

struct str attrs_get(struct str attrs, enum attr a)
{
    size_t at = 0;
    enum attr found;
    struct str name, value;

    while (attrs_next(attrs, &at, &found, &name, &value))
        if (found == a)
            return value;
    return STR_NONE;
}

bool attrs_etag_is_md5(struct str attrs)
{
    size_t at = 0;
    enum attr a;
    struct str name, value;

    while (attrs_next(attrs, &at, &a, &name, &value))
        if (a == ATTR_SSEC_ALGORITHM ||
            (a == ATTR_SSE && str_has_prefix(value, STR("aws:kms"))))
            return false;
    return true;
}
