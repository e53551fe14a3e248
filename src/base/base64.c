/* SPDX-License-Identifier: MIT */
/* base64.c - RFC 4648, piece by piece. */
#include "base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *out, const void *bytes, size_t len)
{
    const unsigned char *in = bytes;

    for (; len >= 3; len -= 3, in += 3, out += 4) {
        uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 63];
        out[2] = alphabet[bits >> 6 & 63];
        out[3] = alphabet[bits & 63];
    }
    if (len > 0) {
        uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0);

        out[0] = alphabet[bits >> 18];
        out[1] = alphabet[bits >> 12 & 63];
        out[2] = len > 1 ? alphabet[bits >> 6 & 63] : '=';
        out[3] = '=';
    }
}

/* One character more. False: not here. */
static bool take(struct base64_decoder *d, char c, unsigned char **to)
{
    int value = base64_digit(c, '+', '/');

    if (d->ended)
        return false;
    if (value >= 0 && !d->padded) {
        d->bits = d->bits << 6 | (uint32_t)value;
        if (++d->count < 4)
            return true;
        *(*to)++ = (unsigned char)(d->bits >> 16);
        *(*to)++ = (unsigned char)(d->bits >> 8);
        *(*to)++ = (unsigned char)d->bits;
        d->count = 0;
        d->bits = 0;
        return true;
    }
    if (c != '=' || d->count < 2)
        return false;
    if (d->count == 2 && !d->padded) {
        /* One byte of twelve bits; another '=' is due. */
        if (d->bits & 15)
            return false;
        *(*to)++ = (unsigned char)(d->bits >> 4);
        d->padded = true;
        d->count = 3;
        return true;
    }
    if (!d->padded) {
        if (d->bits & 3)
            return false;
        *(*to)++ = (unsigned char)(d->bits >> 10);
        *(*to)++ = (unsigned char)(d->bits >> 2);
    }
    d->padded = d->ended = true;
    d->count = 0;
    return true;
}

/* 255: no such character. */
static void make_table(unsigned char table[256])
{
    for (int i = 0; i < 256; i++)
        table[i] = (unsigned char)base64_digit((char)i, '+', '/');
}

bool base64_feed(struct base64_decoder *d, void *out, const char *text, size_t *len)
{
    unsigned char *to = out, table[256];
    size_t at = 0;

    if (*len >= 1024)
        make_table(table);
    while (at < *len) {
        /* Whole groups of long texts, without looking at each character twice. */
        while (*len >= 1024 && d->count == 0 && !d->padded && *len - at >= 4) {
            const unsigned char *in = (const unsigned char *)text + at;
            unsigned char a = table[in[0]], b = table[in[1]], c = table[in[2]],
                          e = table[in[3]];

            if ((a | b | c | e) & 0xC0)
                break;
            *to++ = (unsigned char)(a << 2 | b >> 4);
            *to++ = (unsigned char)(b << 4 | c >> 2);
            *to++ = (unsigned char)(c << 6 | e);
            at += 4;
        }
        if (at == *len)
            break;
        if (!take(d, text[at], &to)) {
            *len = at;
            return false;
        }
        at++;
    }
    *len = (size_t)(to - (unsigned char *)out);
    return true;
}
