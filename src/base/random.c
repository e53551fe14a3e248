/* SPDX-License-Identifier: MIT */
/* random.c - xoshiro256** (Blackman and Vigna, public domain), one state per thread. */
#include "base/random.h"
#include "base/die.h"

#include <errno.h>
#include <sys/random.h>

static _Thread_local struct {
    uint64_t s[4];
    bool seeded;
} generator;

static void seed(void)
{
    char *at = (char *)generator.s;
    size_t left = sizeof(generator.s);

    while (left > 0) {
        ssize_t got = getrandom(at, left, 0);

        if (got > 0) {
            at += got;
            left -= (size_t)got;
        } else if (errno != EINTR) {
            die("getrandom: %s", strerror(errno));
        }
    }
    generator.s[0] |= 1; /* all zero would stay zero */
    generator.seeded = true;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t random_u64(void)
{
    uint64_t *s = generator.s;
    uint64_t result, t;

    if (!generator.seeded)
        seed();
    result = rotate(s[1] * 5, 7) * 9;
    t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

void random_bytes(void *out, size_t size)
{
    char *at = out;

    while (size > 0) {
        uint64_t word = random_u64();
        size_t len = size < sizeof(word) ? size : sizeof(word);

        memcpy(at, &word, len);
        at += len;
        size -= len;
    }
}

/* Thirty-two bits, as a fraction of one, choose four characters: what is left of it behind the
 * point chooses the next. Each of the alphabet is equally likely to one in a thousand. */
static size_t choose_four(char *out, size_t n, uint32_t fraction, struct str alphabet)
{
    size_t at = 0;

    for (; at < 4 && at < n; at++) {
        uint64_t product = (uint64_t)fraction * alphabet.len;

        out[at] = alphabet.ptr[product >> 32];
        fraction = (uint32_t)product;
    }
    return at;
}

static void random_text(char *out, size_t n, struct str alphabet)
{
    size_t at = 0;

    while (at < n) {
        uint64_t bits = random_u64();

        at += choose_four(out + at, n - at, (uint32_t)bits, alphabet);
        at += choose_four(out + at, n - at, (uint32_t)(bits >> 32), alphabet);
    }
}

void random_id(char *out, size_t n)
{
    random_text(out, n, STR("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"));
}

void random_token(char *out, size_t n)
{
    random_text(out, n,
                STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"));
}
