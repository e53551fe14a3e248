/* SPDX-License-Identifier: MIT */
/* base64.h - RFC 4648 in pieces, for bodies too large to be held twice. */
#ifndef S3MEM_BASE_BASE64_H
#define S3MEM_BASE_BASE64_H

#include "base/str.h"

/* Characters that len bytes become, padding included. */
static inline size_t base64_length(size_t len)
{
    return (len + 2) / 3 * 4;
}
/* Pieces of a longer text but its last must be multiples of three. out: base64_length(len). */
void base64_encode(char *out, const void *bytes, size_t len);

/* The value of a digit, 0 to 63, in the alphabet whose last two are these; -1: it is none. */
static inline int base64_digit(char c, char digit_62, char digit_63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == digit_62 ? 62 : c == digit_63 ? 63 : -1;
}

/* Strict: padded, no other characters, no bits left over. Zeroed at first. */
struct base64_decoder {
    uint32_t bits;
    unsigned count; /* characters of the group that is not complete */
    bool padded, ended;
};
/* out has room for len / 4 * 3 + 3 bytes. False: it is no base64, from the character *len on;
 * else *len is the number of bytes. */
MUST_CHECK bool base64_feed(struct base64_decoder *d, void *out, const char *text, size_t *len);
/* May it end here? */
static inline bool base64_is_whole(const struct base64_decoder *d)
{
    return d->count == 0;
}

#endif
