/* SPDX-License-Identifier: MIT */
/* str.c - comparing, searching and splitting bytes, and small parsers. */
#include "base/str.h"
#include "base/utf8.h"

#include <endian.h>

#include <openssl/crypto.h>

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Eight bytes as a number, in memcmp order. */
static uint64_t eight_bytes(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof(eight));
    return be64toh(eight);
}

static uint32_t four_bytes(const char *at)
{
    uint32_t four;

    memcpy(&four, at, sizeof(four));
    return be32toh(four);
}

/* Four to seven bytes as one number, in memcmp order: the first four, and the last four, which
 * overlap. */
static uint64_t all_bytes(const char *at, size_t len)
{
    return (uint64_t)four_bytes(at) << 32 | four_bytes(at + len - 4);
}

/* Do eight bytes differ in nothing but the case of letters? */
static bool eight_eq_nocase(uint64_t a, uint64_t b)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), top = ones * 0x80;
    uint64_t differ = a ^ b, lower = a | ones * 0x20, low7 = lower & ~top, letters;

    if (differ == 0)
        return true;
    /* The top bit of each byte that is a letter. */
    letters = (low7 + ones * (0x80 - 'a')) & ~(low7 + ones * (0x7F - 'z')) & ~lower & top;
    return (differ & ~(letters >> 2)) == 0;
}

bool mem_eq_nocase(const char *a, const char *b, size_t len)
{
    size_t at = 0;

    for (; len - at >= 8; at += 8) {
        if (!eight_eq_nocase(eight_bytes(a + at), eight_bytes(b + at)))
            return false;
    }
    /* The last ones once more, or all of a few. */
    if (len >= 8)
        return at == len || eight_eq_nocase(eight_bytes(a + len - 8), eight_bytes(b + len - 8));
    if (len >= 4)
        return eight_eq_nocase(all_bytes(a, len), all_bytes(b, len));
    for (; at < len; at++) {
        if (ascii_lower(a[at]) != ascii_lower(b[at]))
            return false;
    }
    return true;
}

bool str_has_prefix(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_of(s.ptr, prefix.len), prefix);
}

bool str_has_prefix_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && mem_eq_nocase(s.ptr, prefix.ptr, prefix.len);
}

bool str_has_suffix(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

/* By eight bytes or, of four to seven, all. On the way down a tree hardly any key has more in
 * common with the one that is sought. */
static int compare_starts(const char *a, const char *b, size_t common)
{
    uint64_t x = common >= 8 ? eight_bytes(a) : all_bytes(a, common);
    uint64_t y = common >= 8 ? eight_bytes(b) : all_bytes(b, common);

    return x < y ? -1 : x > y;
}

int str_cmp(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common >= 4 ? compare_starts(a.ptr, b.ptr, common) : 0;

    if (order == 0 && (common > 8 || (common > 0 && common < 4)))
        order = memcmp(a.ptr, b.ptr, common);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

size_t str_find(struct str s, struct str needle)
{
    const char *at;

    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return SIZE_MAX;
    at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at ? (size_t)(at - s.ptr) : SIZE_MAX;
}

size_t str_find_char(struct str s, char c)
{
    const char *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

    return at ? (size_t)(at - s.ptr) : SIZE_MAX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = str_from(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_split(struct str *rest, char sep, struct str *part)
{
    size_t at;

    if (!rest->ptr)
        return false;
    at = str_find_char(*rest, sep);
    if (at == SIZE_MAX) {
        *part = *rest;
        *rest = STR_NONE;
    } else {
        *part = str_of(rest->ptr, at);
        *rest = str_from(*rest, at + 1);
    }
    return true;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

        if (digit > 9 || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = str_has_prefix(s, STR("-"));
    uint64_t magnitude;

    if (!str_to_u64(str_from(s, negative), &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    /* Unsigned negation wraps, so that INT64_MIN needs no case of its own. */
    *out = (int64_t)(negative ? -magnitude : magnitude);
    return true;
}

/* "", "B", "K", "KB" or "KiB" (K, M, G, T in either case) as a power of two. */
static bool parse_unit(struct str unit, unsigned *shift)
{
    static const char letters[] = "kmgt";
    size_t at;

    *shift = 0;
    if (unit.len == 0 || str_eq_nocase(unit, STR("B")))
        return true;
    at = str_find_char(str_c(letters), ascii_lower(unit.ptr[0]));
    if (at == SIZE_MAX)
        return false;
    *shift = 10 * (unsigned)(at + 1);
    unit = str_from(unit, 1);
    return unit.len == 0 || str_eq_nocase(unit, STR("B")) || str_eq_nocase(unit, STR("iB"));
}

bool str_to_size(struct str s, uint64_t *out)
{
    size_t digits = 0;
    unsigned shift;
    uint64_t value;

    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    if (!str_to_u64(str_of(s.ptr, digits), &value) ||
        !parse_unit(str_from(s, digits), &shift) || value > UINT64_MAX >> shift)
        return false;
    *out = value << shift;
    return true;
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t utf8_sequence(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    /* What the second byte may be: narrower behind E0, ED, F0 and F4, which is what keeps
     * overlong forms, surrogates and code points above U+10FFFF out. */
    unsigned char low = 0x80, high = 0xBF;
    size_t len;

    if (s.len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (s.len < len)
        return 0;
    switch (p[0]) {
    case 0xE0:
        low = 0xA0;
        break;
    case 0xED:
        high = 0x9F;
        break;
    case 0xF0:
        low = 0x90;
        break;
    case 0xF4:
        high = 0x8F;
        break;
    }
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if (!is_continuation(p[i]))
            return 0;
    }
    return len;
}

/* Length of the run of ASCII that s starts with, eight bytes at a time. */
static size_t ascii_run(struct str s)
{
    size_t at = 0;
    uint64_t eight;

    for (; s.len - at >= sizeof(eight); at += sizeof(eight)) {
        memcpy(&eight, s.ptr + at, sizeof(eight));
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < s.len && (unsigned char)s.ptr[at] < 0x80)
        at++;
    return at;
}

/* Source: Unicode, categories Cc, Zl, Zp and Bidi_Control. */
static bool drives_terminal(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

size_t str_printable(struct str text)
{
    size_t len = utf8_sequence(text);

    return len > 0 && !drives_terminal(utf8_code_point(text, len)) ? len : 0;
}

bool str_is_utf8(struct str s)
{
    for (;;) {
        size_t len;

        s = str_from(s, ascii_run(s));
        if (s.len == 0)
            return true;
        len = utf8_sequence(s);
        if (len == 0)
            return false;
        s = str_from(s, len);
    }
}

bool str_is_ascii(struct str s)
{
    return ascii_run(s) == s.len;
}

bool str_is_token(struct str s)
{
    static const bool token_chars[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
        ['#'] = true,         ['$'] = true,         ['%'] = true,         ['&'] = true,
        ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true,
        ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true,
        ['|'] = true,         ['~'] = true};

    for (size_t i = 0; i < s.len; i++) {
        if (!token_chars[(unsigned char)s.ptr[i]])
            return false;
    }
    return s.len > 0;
}

bool str_eq_constant_time(struct str a, struct str b)
{
    /* The lengths of signatures and digests are no secret. */
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}
