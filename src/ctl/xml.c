/* SPDX-License-Identifier: MIT */
/* xml.c - see xml.h. */
#include "ctl/xml.h"

#include <stdlib.h>

#define ENTITY_MAX 9 /* "#x0010FFFF" is beyond it, and of no use */

/* Behind the tag that starts at `at`; SIZE_MAX when it has another name or no end. */
static size_t tag_end(struct str xml, size_t at, struct str name)
{
    struct str rest = str_from(xml, at + 1);
    size_t end = name.len;

    if (!str_has_prefix(rest, name) || rest.len == name.len ||
        !strchr("> \t\r\n/", rest.ptr[name.len]))
        return SIZE_MAX;
    /* No further than the next tag: each byte is looked at once. */
    while (end < rest.len && rest.ptr[end] != '>' && rest.ptr[end] != '<')
        end++;
    return end == rest.len || rest.ptr[end] == '<' ? SIZE_MAX : at + 1 + end + 1;
}

bool xml_next(struct str *rest, struct str name, struct str *inner)
{
    size_t at = 0, start = SIZE_MAX, step;

    for (; start == SIZE_MAX; at += step + 1) {
        step = str_find_char(str_from(*rest, at), '<');
        if (step == SIZE_MAX)
            return false;
        start = tag_end(*rest, at + step, name);
    }
    *inner = STR("");
    if (rest->ptr[start - 2] == '/') {
        *rest = str_from(*rest, start);
        return true;
    }
    for (at = start;; at += step + 2) {
        step = str_find(str_from(*rest, at), STR("</"));
        if (step == SIZE_MAX)
            return false;
        if (tag_end(*rest, at + step + 1, name) == SIZE_MAX)
            continue;
        *inner = str_of(rest->ptr + start, at + step - start);
        *rest = str_from(*rest, tag_end(*rest, at + step + 1, name));
        return true;
    }
}

static void add_utf8(struct buf *out, unsigned long code)
{
    if (code < 0x80) {
        buf_add_char(out, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_add_char(out, (char)(0xC0 | code >> 6));
    } else if (code < 0x10000) {
        buf_add_char(out, (char)(0xE0 | code >> 12));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3F)));
    } else {
        buf_add_char(out, (char)(0xF0 | (code >> 18 & 0x07)));
        buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3F)));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3F)));
    }
    buf_add_char(out, (char)(0x80 | (code & 0x3F)));
}

/* Adds the character of an entity, whose name stands between & and ;. False: there is none. */
static bool add_entity(struct buf *out, struct str name)
{
    static const struct {
        struct str name;
        char ch;
    } entities[] = {{STR("lt"), '<'},
                    {STR("gt"), '>'},
                    {STR("quot"), '"'},
                    {STR("apos"), '\''},
                    {STR("amp"), '&'}};

    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (!str_eq(name, entities[i].name))
            continue;
        buf_add_char(out, entities[i].ch);
        return true;
    }
    if (name.len >= 2 && name.len <= ENTITY_MAX && name.ptr[0] == '#') {
        bool hex = name.ptr[1] == 'x';
        unsigned long code = strtoul(name.ptr + (hex ? 2 : 1), NULL, hex ? 16 : 10);

        if (code > 0 && code <= 0x10FFFF)
            add_utf8(out, code);
        return code > 0 && code <= 0x10FFFF;
    }
    return false;
}

/* Adds text from between tags, its entities replaced by what they stand for. */
static void add_text(struct buf *out, struct str inner)
{
    while (inner.len > 0) {
        size_t mark = str_find_char(inner, '&'), end;

        buf_add(out, str_of(inner.ptr, mark == SIZE_MAX ? inner.len : mark));
        if (mark == SIZE_MAX)
            return;
        inner = str_from(inner, mark + 1);
        end = str_find_char(
            str_of(inner.ptr, inner.len > ENTITY_MAX ? ENTITY_MAX + 1 : inner.len), ';');
        if (end != SIZE_MAX && add_entity(out, str_of(inner.ptr, end)))
            inner = str_from(inner, end + 1);
        else
            buf_add_char(out, '&');
    }
}

bool xml_text(struct str xml, struct str name, struct buf *out)
{
    struct str inner;

    if (!xml_next(&xml, name, &inner))
        return false;
    add_text(out, inner);
    return true;
}
