/* SPDX-License-Identifier: MIT */
/* id.c - 64-bit words of 192-bit (version) and 384-bit (upload) ids: the first is the number
 * put through a bijection, the others are derived from it and only checked. */
#include "store/id.h"
#include "store/core.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

#define VERSION_WORDS 3
#define UPLOAD_WORDS  6
#define VERSION_SALT  UINT64_C(0x8f1bbcdc6ed9eba1)
#define UPLOAD_SALT   UINT64_C(0xca62c1d65a827999)

/* MurmurHash3's finalizer (public domain) and its inverse. */
static uint64_t scramble(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    x ^= x >> 33;
    return x;
}

static uint64_t unscramble(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0x9cb4b2f8129337db);
    x ^= x >> 33;
    x *= UINT64_C(0x4f74430c22a54005);
    x ^= x >> 33;
    return x;
}

static void spell(const uint64_t *words, size_t count, char *out)
{
    for (size_t i = 0; i < count; i += 3) {
        uint8_t bytes[24];

        memcpy(bytes, words + i, sizeof(bytes));
        for (size_t j = 0; j < sizeof(bytes); j += 3) {
            uint32_t three =
                (uint32_t)bytes[j] << 16 | (uint32_t)bytes[j + 1] << 8 | bytes[j + 2];

            for (int shift = 18; shift >= 0; shift -= 6)
                *out++ = alphabet[three >> shift & 63];
        }
    }
    *out = '\0';
}

/* The first word of an id, which tells the rest. */
static bool read_word(struct str id, uint64_t *word)
{
    uint8_t bytes[9];

    for (size_t i = 0; i < sizeof(bytes); i += 3) {
        uint32_t three = 0;

        for (size_t j = 0; j < 4; j++) {
            int value = base64_digit(id.ptr[i / 3 * 4 + j], '.', '_');
            if (value < 0)
                return false;
            three = three << 6 | (uint32_t)value;
        }
        bytes[i] = (uint8_t)(three >> 16);
        bytes[i + 1] = (uint8_t)(three >> 8);
        bytes[i + 2] = (uint8_t)three;
    }
    memcpy(word, bytes, sizeof(*word));
    return true;
}

static void encode(uint64_t sequence, uint64_t salt, uint64_t bound_to, size_t count, char *out)
{
    uint64_t words[UPLOAD_WORDS];

    words[0] = scramble(sequence ^ salt);
    for (size_t i = 1; i < count; i++)
        words[i] = scramble(words[i - 1] + salt + (bound_to ^ i));
    spell(words, count, out);
}

/* Spells the number found in the id's first word: the same text, or no id of ours. */
static bool decode(struct str id, uint64_t salt, uint64_t bound_to, size_t count,
                   uint64_t *sequence)
{
    char again[UPLOAD_ID_SIZE];
    uint64_t word;

    if (id.len != count * 32 / 3 || !read_word(id, &word))
        return false;

    uint64_t number = unscramble(word) ^ salt;
    encode(number, salt, bound_to, count, again);
    if (number == 0 || number > SEQUENCE_MAX || memcmp(again, id.ptr, id.len) != 0)
        return false;
    *sequence = number;
    return true;
}

static uint64_t key_hash(struct str key)
{
    uint64_t hash = key.len;

    for (size_t i = 0; i < key.len; i++)
        hash = scramble(hash ^ (uint8_t)key.ptr[i]);
    return hash;
}

void version_id_encode(uint64_t sequence, char out[VERSION_ID_SIZE])
{
    encode(sequence, VERSION_SALT, 0, VERSION_WORDS, out);
}

bool version_id_decode(struct str id, uint64_t *sequence)
{
    return decode(id, VERSION_SALT, 0, VERSION_WORDS, sequence);
}

void upload_id_encode(uint64_t sequence, struct str key, char out[UPLOAD_ID_SIZE])
{
    encode(sequence, UPLOAD_SALT, key_hash(key), UPLOAD_WORDS, out);
}

bool upload_id_decode(struct str id, struct str key, uint64_t *sequence)
{
    return decode(id, UPLOAD_SALT, key_hash(key), UPLOAD_WORDS, sequence);
}
