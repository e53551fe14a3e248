/* SPDX-License-Identifier: MIT */
/* js_text.c - UTF-8 text seen as JavaScript's strings of UTF-16 units. */
#include "s3db/js.h"

#define REPLACEMENT 0xFFFD

/* Bytes of the sequence that a first byte announces; 0: it starts none. */
static size_t announced(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

/* May this be the second byte? Overlong forms, surrogates and what is above U+10FFFF end here.
 * Source: Unicode table 3-7 */
static bool second_ok(unsigned char first, unsigned char second)
{
    unsigned char low = 0x80, high = 0xBF;

    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    return second >= low && second <= high;
}

uint32_t js_next_char(struct str *text)
{
    const unsigned char *s = (const unsigned char *)text->ptr;
    size_t want = announced(s[0]), have = 1;
    uint32_t c;

    if (want <= 1) {
        *text = str_from(*text, 1);
        return want == 1 ? s[0] : REPLACEMENT;
    }
    c = s[0] & (0xFFU >> (want + 1));
    while (have < want && have < text->len &&
           (have == 1 ? second_ok(s[0], s[1]) : (s[have] & 0xC0) == 0x80))
        c = c << 6 | (s[have++] & 0x3FU);
    /* One U+FFFD for as much of a sequence as is right. Source: WHATWG Encoding, UTF-8 decoder
     */
    *text = str_from(*text, have);
    return have == want ? c : REPLACEMENT;
}

size_t js_length(struct str text)
{
    size_t units = 0;

    while (text.len > 0)
        units += js_next_char(&text) > 0xFFFF ? 2 : 1;
    return units;
}

struct str js_prefix(struct str text, size_t units)
{
    struct str rest = text;

    while (rest.len > 0) {
        struct str next = rest;
        size_t need = js_next_char(&next) > 0xFFFF ? 2 : 1;

        if (need > units)
            break;
        units -= need;
        rest = next;
    }
    return str_of(text.ptr, text.len - rest.len);
}

void buf_add_lossy_utf8(struct buf *b, struct str bytes)
{
    while (bytes.len > 0 && buf_ok(b)) {
        struct str before = bytes;
        size_t taken;

        if (js_next_char(&bytes) == REPLACEMENT) {
            buf_add(b, STR("\xEF\xBF\xBD"));
            continue;
        }
        taken = before.len - bytes.len;
        buf_add(b, str_of(before.ptr, taken));
    }
}

/* Source: ECMA-262, WhiteSpace and LineTerminator */
static bool is_blank(uint32_t c)
{
    return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

struct str js_trim(struct str text)
{
    struct str rest = text;
    const char *first = NULL, *end = text.ptr;

    while (rest.len > 0) {
        const char *at = rest.ptr;

        if (is_blank(js_next_char(&rest)))
            continue;
        if (!first)
            first = at;
        end = rest.ptr;
    }
    return first ? str_of(first, (size_t)(end - first)) : str_of(text.ptr, 0);
}

/* Surrogates (0xD800..) stand below the characters U+E000..U+FFFF. */
static uint32_t sort_weight(uint32_t c)
{
    return c > 0xFFFF ? 0xD800 : c;
}

int js_cmp_names(struct str a, struct str b)
{
    while (a.len > 0 && b.len > 0) {
        uint32_t x = js_next_char(&a), y = js_next_char(&b);

        if (x == y)
            continue;
        if (sort_weight(x) != sort_weight(y))
            return sort_weight(x) < sort_weight(y) ? -1 : 1;
        return x < y ? -1 : 1;
    }
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}
