/* SPDX-License-Identifier: MIT */
/* utf8.h - one well-formed UTF-8 sequence at a time; only for sources in this folder. */
#ifndef S3MEM_BASE_UTF8_H
#define S3MEM_BASE_UTF8_H

#include "base/str.h"

/* Bytes of the well-formed sequence that s starts with (1..4), or 0. Source: Unicode table 3-7.
 */
size_t utf8_sequence(struct str s);
/* What such a sequence of len bytes stands for. */
static inline uint32_t utf8_code_point(struct str s, size_t len)
{
    uint32_t c = (unsigned char)s.ptr[0] & (len == 1 ? 0x7F : 0xFF >> (len + 1));

    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s.ptr[i] & 0x3F);
    return c;
}

#endif
