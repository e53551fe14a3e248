/* SPDX-License-Identifier: MIT */
/* codec.c - hex and base64 (RFC 4648), strict. */
#include "base/base64.h"
#include "base/buf.h"

#include <endian.h>

/* The eight digits of four bytes: each nibble in a byte of its own, then all made characters at
 * once. The first byte is the lowest. */
static uint64_t eight_digits(uint32_t four)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t v = four, beyond_9;

    v = (v | v << 16) & UINT64_C(0x0000FFFF0000FFFF);
    v = (v | v << 8) & UINT64_C(0x00FF00FF00FF00FF);
    v = (v >> 4 & UINT64_C(0x000F000F000F000F)) | (v & UINT64_C(0x000F000F000F000F)) << 8;
    beyond_9 = (v + 6 * ones) >> 4 & ones;
    return v + '0' * ones + ('a' - '0' - 10) * beyond_9;
}

char *hex_encode(char *out, const void *bytes, size_t size)
{
    const char *at = bytes;
    uint32_t four;
    uint64_t digits;

    for (; size >= sizeof(four); size -= sizeof(four), at += sizeof(four)) {
        memcpy(&four, at, sizeof(four));
        digits = htole64(eight_digits(le32toh(four)));
        memcpy(out, &digits, sizeof(digits));
        out += sizeof(digits);
    }
    for (; size > 0; size--, at++) {
        digits = htole64(eight_digits((unsigned char)*at));
        memcpy(out, &digits, 2);
        out += 2;
    }
    return out;
}

void buf_add_hex(struct buf *b, struct str bytes)
{
    if (bytes.len > SIZE_MAX / 2 || !buf_reserve(b, 2 * bytes.len)) {
        b->failed = true;
        return;
    }
    hex_encode(b->ptr + b->len, bytes.ptr, bytes.len);
    b->len += 2 * bytes.len;
}

void buf_add_base64(struct buf *b, struct str bytes)
{
    if (bytes.len > SIZE_MAX / 2 || !buf_reserve(b, base64_length(bytes.len))) {
        b->failed = true;
        return;
    }
    if (bytes.len == 0)
        return; /* there may be no memory yet */
    base64_encode(b->ptr + b->len, bytes.ptr, bytes.len);
    b->len += base64_length(bytes.len);
}

/* Beyond 15: no digit. */
static unsigned hex_value(char c)
{
    unsigned digit = (unsigned char)c - '0', letter = ((unsigned char)c | 0x20u) - 'a';

    return digit < 10 ? digit : letter < 6 ? letter + 10 : 16;
}

static bool hex_decode(struct str text, char *out)
{
    unsigned all = 0;

    for (size_t i = 0; i < text.len; i += 2) {
        unsigned high = hex_value(text.ptr[i]), low = hex_value(text.ptr[i + 1]);

        all |= high | low;
        *out++ = (char)(high << 4 | low);
    }
    return all < 16;
}

bool hex_decode_exact(struct str text, void *out, size_t size)
{
    return text.len % 2 == 0 && text.len / 2 == size && hex_decode(text, out);
}

bool buf_add_unhex(struct buf *b, struct str text)
{
    if (text.len % 2 != 0)
        return false;
    if (text.len == 0 || !buf_reserve(b, text.len / 2))
        return true; /* out of room sticks to the buf; the text is not to blame */
    if (!hex_decode(text, b->ptr + b->len))
        return false;
    b->len += text.len / 2;
    return true;
}

/* Length of what the text decodes to, if its characters are right; SIZE_MAX when they cannot
 * be. */
static size_t base64_decoded_len(struct str text)
{
    size_t padding = 0;

    if (text.len % 4 != 0)
        return SIZE_MAX;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    return text.len / 4 * 3 - padding;
}

/* Writes decoded_len bytes. The bits that padding leaves over must be zero: one value, one
 * text. */
static bool base64_decode(struct str text, size_t decoded_len, unsigned char *out)
{
    for (size_t at = 0, done = 0; at < text.len; at += 4, done += 3) {
        size_t len = decoded_len - done < 3 ? decoded_len - done : 3;
        uint32_t bits = 0;

        for (size_t i = 0; i < 4; i++) {
            int value = i <= len ? base64_digit(text.ptr[at + i], '+', '/') : 0;

            if (value < 0)
                return false;
            bits = bits << 6 | (uint32_t)value;
        }
        if (bits & (UINT32_C(0xFFFFFF) >> 8 * len))
            return false;
        for (size_t i = 0; i < len; i++)
            out[done + i] = (unsigned char)(bits >> (16 - 8 * i));
    }
    return true;
}

bool base64_decode_exact(struct str text, void *out, size_t size)
{
    return base64_decoded_len(text) == size && base64_decode(text, size, out);
}

bool buf_add_unbase64(struct buf *b, struct str text)
{
    size_t len = base64_decoded_len(text);

    if (len == SIZE_MAX)
        return false;
    if (len == 0 || !buf_reserve(b, len))
        return true; /* as in buf_add_unhex */
    if (!base64_decode(text, len, (unsigned char *)b->ptr + b->len))
        return false;
    b->len += len;
    return true;
}
