/* SPDX-License-Identifier: MIT */
/* crc.c - CRC32, CRC32C and CRC64NVME, written once for all three.
 *
 * Polynomials over GF(2) stand bit-reflected in the low `width` bits of a word: the highest of
 * these bits is x^0, the lowest x^(width-1). A register holds the remainder so far in the same
 * way. All tables derive from the polynomial when the first CRC is asked for. */
#include "base/crc.h"

#include <endian.h>
#include <pthread.h>

#define SLICES 8

static struct crc_engine {
    uint64_t poly;
    unsigned width;
    uint64_t mask;               /* the low `width` bits */
    uint64_t table[SLICES][256]; /* [k][n]: register after byte n and k zero bytes */
    uint64_t power[64 + 3];      /* [k]: x^(2^k) modulo P; a length in bits has 67 bits */
    struct crc_folds folds;
} engines[CRC_KINDS];

static bool use_pclmul, use_wide_pclmul;

/* a·x modulo P. */
static uint64_t times_x(const struct crc_engine *e, uint64_t a)
{
    return a & 1 ? a >> 1 ^ e->poly : a >> 1;
}

static uint64_t x_to_the_0(const struct crc_engine *e)
{
    return UINT64_C(1) << (e->width - 1);
}

/* a·b modulo P: Horner's scheme from b's highest power down, which is its lowest bit. */
static uint64_t multiply(const struct crc_engine *e, uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (unsigned i = 0; i < e->width; i++, b >>= 1) {
        product = times_x(e, product);
        if (b & 1)
            product ^= a;
    }
    return product;
}

/* a·x^(n·2^k) modulo P. */
static uint64_t times_power(const struct crc_engine *e, uint64_t a, uint64_t n, unsigned k)
{
    for (; n > 0; n >>= 1, k++) {
        if (n & 1)
            a = multiply(e, a, e->power[k]);
    }
    return a;
}

static void fill_tables(struct crc_engine *e)
{
    for (unsigned n = 0; n < 256; n++) {
        uint64_t reg = n;

        for (unsigned bit = 0; bit < 8; bit++)
            reg = times_x(e, reg);
        e->table[0][n] = reg;
    }
    for (unsigned k = 1; k < SLICES; k++) {
        for (unsigned n = 0; n < 256; n++) {
            uint64_t reg = e->table[k - 1][n];

            e->table[k][n] = reg >> 8 ^ e->table[0][reg & 0xFF];
        }
    }
    e->power[0] = times_x(e, x_to_the_0(e));
    for (unsigned k = 1; k < ARRAY_LEN(e->power); k++)
        e->power[k] = multiply(e, e->power[k - 1], e->power[k - 1]);
}

/* A carry-less product of two reflected words comes out one bit low, that is, times x too much:
 * hence the -1. */
static struct crc_fold fold_over(const struct crc_engine *e, unsigned blocks)
{
    unsigned align = 64 - e->width;

    return (struct crc_fold){
        .low = times_power(e, x_to_the_0(e), 128 * blocks + 64 - 1, 0) << align,
        .high = times_power(e, x_to_the_0(e), 128 * blocks - 1, 0) << align,
    };
}

static void engine_init(struct crc_engine *e, unsigned width, uint64_t poly)
{
    e->poly = poly;
    e->width = width;
    e->mask = UINT64_MAX >> (64 - width);
    fill_tables(e);
    e->folds = (struct crc_folds){
        .by_1 = fold_over(e, 1),
        .by_2 = fold_over(e, 2),
        .by_3 = fold_over(e, 3),
        .by_4 = fold_over(e, 4),
        .by_8 = fold_over(e, 8),
    };
}

static void set_up(void)
{
    engine_init(&engines[CRC_32], 32, 0xEDB88320);
    engine_init(&engines[CRC_32C], 32, 0x82F63B78);
    engine_init(&engines[CRC_64NVME], 64, UINT64_C(0x9A6C9329AC4BC9B5));
    use_pclmul = crc_has_pclmul();
    use_wide_pclmul = crc_has_wide_pclmul();
}

static const struct crc_engine *engine_of(enum crc_kind kind)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
    return &engines[kind];
}

/* Slicing-by-8: eight bytes a step, each looked up where it stands. */
static uint64_t run_tables(const struct crc_engine *e, uint64_t reg, const uint8_t *data,
                           size_t len)
{
    uint64_t word;

    for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        reg ^= le64toh(word);
        reg = e->table[7][reg & 0xFF] ^ e->table[6][reg >> 8 & 0xFF] ^
              e->table[5][reg >> 16 & 0xFF] ^ e->table[4][reg >> 24 & 0xFF] ^
              e->table[3][reg >> 32 & 0xFF] ^ e->table[2][reg >> 40 & 0xFF] ^
              e->table[1][reg >> 48 & 0xFF] ^ e->table[0][reg >> 56];
    }
    for (; len > 0; data++, len--)
        reg = reg >> 8 ^ e->table[0][(reg ^ *data) & 0xFF];
    return reg;
}

uint64_t crc_update_portable(enum crc_kind kind, uint64_t crc, const void *data, size_t len)
{
    const struct crc_engine *e = engine_of(kind);

    return run_tables(e, crc ^ e->mask, data, len) ^ e->mask;
}

uint64_t crc_update(enum crc_kind kind, uint64_t crc, const void *data, size_t len)
{
    const struct crc_engine *e = engine_of(kind);
    uint64_t reg = crc ^ e->mask;
    const uint8_t *bytes = data;

    if (use_pclmul && len >= CRC_FOLD_MIN) {
        size_t folded = len & ~(size_t)15;
        uint8_t block[16];

        if (use_wide_pclmul && folded >= CRC_FOLD_WIDE_MIN)
            crc_fold_wide(&e->folds, reg, bytes, folded, block);
        else
            crc_fold_pclmul(&e->folds, reg, bytes, folded, block);
        reg = run_tables(e, 0, block, sizeof(block));
        bytes += folded;
        len -= folded;
    }
    return run_tables(e, reg, bytes, len) ^ e->mask;
}

uint64_t crc_combine(enum crc_kind kind, uint64_t a, uint64_t b, uint64_t b_len)
{
    /* Init and xorout cancel out: crc(a‖b) = crc(a)·x^(8·b_len) + crc(b). */
    return times_power(engine_of(kind), a, b_len, 3) ^ b;
}
