/* SPDX-License-Identifier: MIT */
/* str.h - borrowed runs of bytes, and the parsing of small things in them.
 * A str owns nothing and may contain NUL; a missing value is {NULL, 0}, an empty one has a
 * pointer. Keys are compared by memcmp order, never as C strings. */
#ifndef S3MEM_BASE_STR_H
#define S3MEM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
/* A branch that calls it is moved out of the usual path's way. */
#define RARE __attribute__((cold))

#define KiB(n)       ((size_t)(n) << 10)
#define MiB(n)       ((size_t)(n) << 20)
#define GiB(n)       ((size_t)(n) << 30)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct str {
    const char *ptr;
    size_t len;
};

/* One stretch of a body in somebody else's memory. */
struct slice {
    const void *ptr;
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})

static inline struct str str_of(const char *ptr, size_t len)
{
    return (struct str){ptr, len};
}

/* NULL gives STR_NONE. */
static inline struct str str_c(const char *c)
{
    return (struct str){c, c ? strlen(c) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Copies the bytes to `at`, where there is room for them, and returns the end of them. Right
 * for a missing value, as memcpy is not. */
static inline char *str_put(void *at, struct str s)
{
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    return (char *)at + s.len;
}

/* Bytes from `from` (clamped to the length) to the end. */
static inline struct str str_from(struct str s, size_t from)
{
    if (from > s.len)
        from = s.len;
    return (struct str){s.ptr ? s.ptr + from : NULL, s.len - from};
}

/* ASCII only: header names, hex, scheme names. */
bool mem_eq_nocase(const char *a, const char *b, size_t len);
static inline bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && mem_eq_nocase(a.ptr, b.ptr, a.len);
}
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_prefix_nocase(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);

/* memcmp order; a proper prefix sorts first. Returns <0, 0, >0. */
int str_cmp(struct str a, struct str b);

/* Offset of the first occurrence, or SIZE_MAX. An empty needle is found at 0. */
size_t str_find(struct str s, struct str needle);
size_t str_find_char(struct str s, char c);

/* Without leading and trailing spaces and tabs. */
struct str str_trim(struct str s);

/* Takes the part of *rest before the first `sep` and moves *rest behind it. False when *rest is
 * exhausted (ptr == NULL). "a,,b" gives "a", "", "b"; "" gives one "". */
bool str_split(struct str *rest, char sep, struct str *part);

/* Decimal digits only: no sign, no blanks, at least one digit, no overflow. */
MUST_CHECK bool str_to_u64(struct str s, uint64_t *out);
/* An optional leading minus. */
MUST_CHECK bool str_to_i64(struct str s, int64_t *out);
/* "4096", "64KiB", "10M", "1GiB": bytes, with K/M/G/T (1024-based), optional "iB" or "B". */
MUST_CHECK bool str_to_size(struct str s, uint64_t *out);

/* Strict UTF-8: no overlong forms, surrogates, or code points above U+10FFFF. */
bool str_is_utf8(struct str s);
/* Bytes of the character that a text (not empty) starts with; 0 where they are ill-formed, or
 * a terminal would do something else than show it: C0, DEL, C1, line and paragraph separators,
 * and what turns the direction of writing. */
size_t str_printable(struct str text);
bool str_is_ascii(struct str s);
/* A name that HTTP allows a header: RFC 9110, 5.6.2. */
bool str_is_token(struct str s);

/* Equal without an early exit: for signatures, digests and secrets. */
bool str_eq_constant_time(struct str a, struct str b);

#endif
