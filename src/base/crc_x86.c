/* SPDX-License-Identifier: MIT */
/* crc_x86.c - CRC folding with PCLMULQDQ. One kernel serves every reflected CRC of at most 64
 * bits: only the constants differ.
 * Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel.
 */
#include "base/crc.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define PCLMUL __attribute__((target("pclmul,sse4.1")))
#define WIDE   __attribute__((target("pclmul,vpclmulqdq,avx2")))

bool crc_has_pclmul(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

static inline PCLMUL __m128i load(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)data);
}

static inline PCLMUL __m128i constants(struct crc_fold fold)
{
    return _mm_set_epi64x((int64_t)fold.high, (int64_t)fold.low);
}

/* Block `a` moved over the distance that k stands for, plus the block it lands on. */
static inline PCLMUL __m128i fold(__m128i a, __m128i k, __m128i onto)
{
    __m128i low = _mm_clmulepi64_si128(a, k, 0x00);
    __m128i high = _mm_clmulepi64_si128(a, k, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

PCLMUL void crc_fold_pclmul(const struct crc_folds *folds, uint64_t reg, const uint8_t *data,
                            size_t len, uint8_t block[16])
{
    /* Four independent lanes hide the latency of the multiplier. */
    __m128i a = _mm_xor_si128(load(data), _mm_cvtsi64_si128((int64_t)reg));
    __m128i b = load(data + 16), c = load(data + 32), d = load(data + 48);
    __m128i by_4 = constants(folds->by_4), by_1 = constants(folds->by_1);

    for (data += 64, len -= 64; len >= 64; data += 64, len -= 64) {
        a = fold(a, by_4, load(data));
        b = fold(b, by_4, load(data + 16));
        c = fold(c, by_4, load(data + 32));
        d = fold(d, by_4, load(data + 48));
    }
    d = fold(c, by_1, d);
    d = fold(b, constants(folds->by_2), d);
    d = fold(a, constants(folds->by_3), d);
    for (; len > 0; data += 16, len -= 16)
        d = fold(d, by_1, load(data));
    _mm_storeu_si128((__m128i *)block, d);
}

/* ---- two blocks at a time ---------------------------------------------------------- */

bool crc_has_wide_pclmul(void)
{
    return crc_has_pclmul() && __builtin_cpu_supports("vpclmulqdq") &&
           __builtin_cpu_supports("avx2");
}

static inline WIDE __m256i load_wide(const uint8_t *data)
{
    return _mm256_loadu_si256((const __m256i *)data);
}

static inline WIDE __m256i fold_wide(__m256i a, __m256i k, const uint8_t *onto)
{
    __m256i low = _mm256_clmulepi64_epi128(a, k, 0x00);
    __m256i high = _mm256_clmulepi64_epi128(a, k, 0x11);

    return _mm256_xor_si256(_mm256_xor_si256(low, high), load_wide(onto));
}

/* Ends with what is left of the data behind what the rest was folded into: 128 bytes and less
 * than 128 more, for the narrow kernel. */
WIDE void crc_fold_wide(const struct crc_folds *folds, uint64_t reg, const uint8_t *data,
                        size_t len, uint8_t block[16])
{
    uint8_t rest[256];
    __m256i by_8 = _mm256_broadcastsi128_si256(
        _mm_set_epi64x((int64_t)folds->by_8.high, (int64_t)folds->by_8.low));
    __m256i a = _mm256_xor_si256(load_wide(data), _mm256_set_epi64x(0, 0, 0, (int64_t)reg));
    __m256i b = load_wide(data + 32), c = load_wide(data + 64), d = load_wide(data + 96);

    for (data += 128, len -= 128; len >= 128; data += 128, len -= 128) {
        a = fold_wide(a, by_8, data);
        b = fold_wide(b, by_8, data + 32);
        c = fold_wide(c, by_8, data + 64);
        d = fold_wide(d, by_8, data + 96);
    }
    _mm256_storeu_si256((__m256i *)rest, a);
    _mm256_storeu_si256((__m256i *)(rest + 32), b);
    _mm256_storeu_si256((__m256i *)(rest + 64), c);
    _mm256_storeu_si256((__m256i *)(rest + 96), d);
    memcpy(rest + 128, data, len);
    crc_fold_pclmul(folds, 0, rest, 128 + len, block);
}

#else

#include <stdlib.h>

bool crc_has_pclmul(void)
{
    return false;
}

bool crc_has_wide_pclmul(void)
{
    return false;
}

void crc_fold_pclmul(const struct crc_folds *folds, uint64_t reg, const uint8_t *data,
                     size_t len, uint8_t block[16])
{
    (void)folds, (void)reg, (void)data, (void)len, (void)block;
    abort(); /* crc_has_pclmul said no */
}

void crc_fold_wide(const struct crc_folds *folds, uint64_t reg, const uint8_t *data, size_t len,
                   uint8_t block[16])
{
    crc_fold_pclmul(folds, reg, data, len, block);
}

#endif
