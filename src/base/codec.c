/* SPDX-License-Identifier: MIT */
/* codec.c - hex and base64 (RFC 4648), strict. */
#include "base/base64.h"
#include "base/buf.h"

/* Sixteen bytes at a time, in what the processor has for that: the compilers' vectors. An x86
 * compares signed ones. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef int8_t signed16 __attribute__((vector_size(16)));
typedef uint16_t pairs8 __attribute__((vector_size(16)));
typedef uint8_t bytes8 __attribute__((vector_size(8)));

/* All bits set in each byte whose value is in [0, max]; max < 128. */
static bytes16 is_up_to(bytes16 v, int8_t max)
{
    return (bytes16)(((signed16)v >= 0) & ((signed16)v <= max));
}

/* Nibbles to digits. */
static bytes16 digits_of(bytes16 nibbles)
{
    return nibbles + '0' + (~is_up_to(nibbles, 9) & ('a' - '0' - 10));
}

static void encode_16(char *out, const char *in)
{
    bytes16 bytes, high, low, first, second;

    memcpy(&bytes, in, sizeof(bytes));
    high = bytes >> 4;
    low = bytes & 15;
    first = digits_of(__builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                              21, 6, 22, 7, 23));
    second = digits_of(__builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                               13, 29, 14, 30, 15, 31));
    memcpy(out, &first, sizeof(first));
    memcpy(out + sizeof(first), &second, sizeof(second));
}

char *hex_encode(char *out, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = bytes;

    for (; size >= 16; size -= 16, at += 16, out += 32)
        encode_16(out, at);
    for (; size > 0; size--, at++) {
        *out++ = digits[(unsigned char)*at >> 4];
        *out++ = digits[*at & 15];
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

static bool all_ones(bytes16 v)
{
    uint64_t halves[2];

    memcpy(halves, &v, sizeof(halves));
    return (halves[0] & halves[1]) == UINT64_MAX;
}

/* Sixteen digits to eight bytes; false: some are none. */
static bool decode_16(char *out, const char *in)
{
    enum { FIRST = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 8, SECOND = 8 - FIRST };
    bytes16 text, digit, letter, is_digit, is_letter;
    pairs8 pairs;
    bytes8 bytes;

    memcpy(&text, in, sizeof(text));
    digit = text - '0';
    letter = (text | 0x20) - 'a';
    is_digit = is_up_to(digit, 9);
    is_letter = is_up_to(letter, 5);
    pairs = (pairs8)((digit & is_digit) | ((letter + 10) & is_letter));
    bytes =
        __builtin_convertvector((pairs >> FIRST & 15) << 4 | (pairs >> SECOND & 15), bytes8);
    memcpy(out, &bytes, sizeof(bytes));
    return all_ones(is_digit | is_letter);
}

static bool hex_decode(struct str text, char *out)
{
    size_t at = 0;
    unsigned all = 0;

    for (; text.len - at >= 16; at += 16, out += 8) {
        if (!decode_16(out, text.ptr + at))
            return false;
    }
    for (; at < text.len; at += 2) {
        unsigned high = hex_value(text.ptr[at]), low = hex_value(text.ptr[at + 1]);

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
