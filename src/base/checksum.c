/* SPDX-License-Identifier: MIT */
/* checksum.c - what S3 calls its checksums, and the checksum of joined parts. */
#include "base/checksum.h"

#include <assert.h>

static const struct checksum_row {
    struct str name, header, element;
    size_t size;
} rows[CHECKSUM_COUNT] = {
#define ROW(NAME, lower, bytes)                                                                \
    {                                                                                          \
        {NAME, sizeof(NAME) - 1},                                                              \
            {"x-amz-checksum-" lower, sizeof("x-amz-checksum-" lower) - 1},                    \
            {"Checksum" NAME, sizeof("Checksum" NAME) - 1}, bytes                              \
    }
    [CHECKSUM_NONE] = {{"", 0}, {"", 0}, {"", 0}, 0},
    [CHECKSUM_CRC32] = ROW("CRC32", "crc32", 4),
    [CHECKSUM_CRC32C] = ROW("CRC32C", "crc32c", 4),
    [CHECKSUM_CRC64NVME] = ROW("CRC64NVME", "crc64nvme", 8),
    [CHECKSUM_SHA1] = ROW("SHA1", "sha1", 20),
    [CHECKSUM_SHA256] = ROW("SHA256", "sha256", SHA256_SIZE),
    [CHECKSUM_SHA512] = ROW("SHA512", "sha512", 64),
    [CHECKSUM_MD5] = ROW("MD5", "md5", MD5_SIZE),
    [CHECKSUM_XXHASH64] = ROW("XXHASH64", "xxhash64", 8),
    [CHECKSUM_XXHASH3] = ROW("XXHASH3", "xxhash3", 8),
    [CHECKSUM_XXHASH128] = ROW("XXHASH128", "xxhash128", 16),
#undef ROW
};

static const struct checksum_row *row_of(enum checksum_alg alg)
{
    assert((unsigned)alg < CHECKSUM_COUNT);
    return &rows[alg];
}

struct str checksum_name(enum checksum_alg alg)
{
    return row_of(alg)->name;
}

struct str checksum_header(enum checksum_alg alg)
{
    return row_of(alg)->header;
}

struct str checksum_element(enum checksum_alg alg)
{
    return row_of(alg)->element;
}

size_t checksum_size(enum checksum_alg alg)
{
    return row_of(alg)->size;
}

enum checksum_alg checksum_by_name(struct str name)
{
    for (unsigned i = CHECKSUM_NONE + 1; i < CHECKSUM_COUNT; i++) {
        if (str_eq_nocase(name, rows[i].name))
            return (enum checksum_alg)i;
    }
    return CHECKSUM_NONE;
}

enum checksum_alg checksum_by_header(struct str header_name)
{
    for (unsigned i = CHECKSUM_NONE + 1; i < CHECKSUM_COUNT; i++) {
        if (str_eq_nocase(header_name, rows[i].header))
            return (enum checksum_alg)i;
    }
    return CHECKSUM_NONE;
}

bool checksum_can_combine(enum checksum_alg alg)
{
    return alg == CHECKSUM_CRC32 || alg == CHECKSUM_CRC32C || alg == CHECKSUM_CRC64NVME;
}

bool checksum_can_composite(enum checksum_alg alg)
{
    return alg != CHECKSUM_NONE && alg != CHECKSUM_CRC64NVME;
}

enum crc_kind crc_kind_of(enum checksum_alg alg)
{
    switch (alg) {
    case CHECKSUM_CRC32:
        return CRC_32;
    case CHECKSUM_CRC32C:
        return CRC_32C;
    default:
        assert(alg == CHECKSUM_CRC64NVME);
        return CRC_64NVME;
    }
}

static uint64_t get_big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

void put_big_endian(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
}

void checksum_combine(struct checksum *a, const struct checksum *b, uint64_t b_len)
{
    enum checksum_alg alg = (enum checksum_alg)a->alg;
    size_t size = checksum_size(alg);

    assert(a->alg == b->alg);
    put_big_endian(a->bytes,
                   crc_combine(crc_kind_of(alg), get_big_endian(a->bytes, size),
                               get_big_endian(b->bytes, size), b_len),
                   size);
    a->type = CHECKSUM_FULL_OBJECT;
}
