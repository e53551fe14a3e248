/* SPDX-License-Identifier: MIT */
/* buf.c - growth, plain text and numbers. Escapes are in escape.c, hex and base64 in codec.c.
 */
#include "base/buf.h"

#include <stdio.h>

#define FIRST_CAPACITY  64
#define WORTH_RETURNING KiB(64)

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    if (b->cap >= WORTH_RETURNING)
        mem_freed(b->cap);
    mem_free(b->ptr);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

size_t buf_drain(struct buf *b, size_t *at, char *out, size_t max)
{
    struct str rest = str_from(buf_str(b), *at);

    if (rest.len > max)
        rest.len = max;
    str_put(out, rest);
    *at += rest.len;
    if (*at == b->len) {
        buf_reset(b);
        *at = 0;
    }
    return rest.len;
}

/* Doubles, so that appending n bytes copies O(n) of them; never above max. */
static size_t grown_capacity(const struct buf *b, size_t needed)
{
    size_t cap = b->cap > 0 ? b->cap : FIRST_CAPACITY;

    while (cap < needed && cap <= b->max / 2)
        cap *= 2;
    return cap < needed || cap > b->max ? b->max : cap;
}

static bool grow(struct buf *b, size_t n)
{
    size_t cap;
    char *ptr;

    if (n > b->max - b->len)
        goto fail;
    cap = grown_capacity(b, b->len + n);
    ptr = try_realloc(b->ptr, cap);
    if (!ptr)
        goto fail;
    b->ptr = ptr;
    b->cap = cap;
    return true;
fail:
    b->failed = true;
    return false;
}

bool buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return false;
    return n <= b->cap - b->len || grow(b, n);
}

void buf_add(struct buf *b, struct str s)
{
    if (s.len == 0 || !buf_reserve(b, s.len))
        return;
    str_put(b->ptr + b->len, s);
    b->len += s.len;
}

void buf_add_c(struct buf *b, const char *c_string)
{
    buf_add(b, str_c(c_string));
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    char digits[20]; /* 18446744073709551615 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_add(b, str_of(digits + at, sizeof(digits) - at));
}

void buf_add_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_add_char(b, '-');
    buf_add_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    int len;

    if (b->failed)
        return;
    va_copy(again, args);
    len = vsnprintf(b->ptr ? b->ptr + b->len : NULL, b->cap - b->len, fmt, args);
    if (len < 0) {
        b->failed = true;
    } else if ((size_t)len < b->cap - b->len) {
        b->len += (size_t)len;
    } else if (buf_reserve(b, (size_t)len + 1)) { /* and printf's NUL */
        vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vaddf(b, fmt, args);
    va_end(args);
}
