/* SPDX-License-Identifier: MIT */
/* base_digest_test.c - published vectors of every digest, streams against one-shots, CRCs
 * accelerated against portable and against zlib, combined against computed whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/digest.h"
#include "base/random.h"

static void assert_hex(const uint8_t *bytes, size_t size, const char *want)
{
    AUTO_BUF(hex, 256);

    buf_add_hex(&hex, str_of((const char *)bytes, size));
    buf_add_char(&hex, '\0');
    assert_string_equal(hex.ptr, want);
}

static void assert_digest(enum checksum_alg alg, struct str data, const char *want)
{
    uint8_t out[DIGEST_MAX];

    digest_once(alg, data, out);
    assert_hex(out, checksum_size(alg), want);
}

/* ---- vectors ----------------------------------------------------------------------- */

/* RFC 1321, A.5. */
static void test_md5(void **state)
{
    (void)state;
    uint8_t out[MD5_SIZE];

    assert_digest(CHECKSUM_MD5, STR(""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_digest(CHECKSUM_MD5, STR("a"), "0cc175b9c0f1b6a831c399e269772661");
    assert_digest(CHECKSUM_MD5, STR("abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_digest(CHECKSUM_MD5,
                  STR("1234567890123456789012345678901234567890123456789012345678901234567890"
                      "1234567890"),
                  "57edf4a22be3c955ac49da2e2107b67a");
    md5_once(STR("message digest"), out);
    assert_hex(out, sizeof(out), "f96b697d7cb7938d525a2f31aaf161d0");
}

/* FIPS 180-2, appendices A to C; SHA-256 of nothing is the e3b0... of SigV4. */
static void test_sha(void **state)
{
    (void)state;
    struct str two_blocks = STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
    uint8_t out[SHA256_SIZE];

    assert_digest(CHECKSUM_SHA1, STR("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest(CHECKSUM_SHA1, two_blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_digest(CHECKSUM_SHA256, STR("abc"),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(CHECKSUM_SHA256, two_blocks,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_digest(CHECKSUM_SHA512, STR("abc"),
                  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    sha256_once(STR(""), out);
    assert_hex(out, sizeof(out),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 (SHA-256) and RFC 2202 (SHA-1). */
static void test_hmac(void **state)
{
    (void)state;
    char ones[131];
    uint8_t out[SHA256_SIZE];

    memset(ones, 0x0B, 20);
    hmac_sha256(str_of(ones, 20), STR("Hi There"), out);
    assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha1(str_of(ones, 20), STR("Hi There"), out);
    assert_hex(out, 20, "b617318655057264e28bc0b6fb378c8ef146be00");
    hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha1(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_hex(out, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");

    memset(ones, 0xAA, sizeof(ones)); /* longer than a block: hashed first */
    hmac_sha256(str_of(ones, sizeof(ones)),
                STR("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac_sha256(STR(""), STR(""), out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* The check value of each CRC's catalogue entry; CRC32C also from RFC 3720, B.4, and CRC64NVME
 * from the NVM Express specification (4096 bytes each). */
static void test_crc_vectors(void **state)
{
    (void)state;
    static char page[4096];

    assert_digest(CHECKSUM_CRC32, STR("123456789"), "cbf43926");
    assert_digest(CHECKSUM_CRC32C, STR("123456789"), "e3069283");
    assert_digest(CHECKSUM_CRC64NVME, STR("123456789"), "ae8b14860a799888");
    assert_digest(CHECKSUM_CRC32, STR(""), "00000000");
    assert_digest(CHECKSUM_CRC64NVME, STR(""), "0000000000000000");

    memset(page, 0, sizeof(page));
    assert_digest(CHECKSUM_CRC32C, str_of(page, 32), "8a9136aa");
    assert_digest(CHECKSUM_CRC64NVME, str_of(page, sizeof(page)), "6482d367eb22b64e");
    memset(page, 0xFF, sizeof(page));
    assert_digest(CHECKSUM_CRC32C, str_of(page, 32), "62a8ab43");
    assert_digest(CHECKSUM_CRC64NVME, str_of(page, sizeof(page)), "c0ddba7302eca3ac");
    for (size_t i = 0; i < sizeof(page); i++)
        page[i] = (char)i;
    assert_digest(CHECKSUM_CRC32C, str_of(page, 32), "46dd794e");
    assert_digest(CHECKSUM_CRC64NVME, str_of(page, sizeof(page)), "3e729f5f6750449c");
}

/* Big-endian ("canonical") form of what xxHash's own test suite and manual give. */
static void test_xxhash_vectors(void **state)
{
    (void)state;
    assert_digest(CHECKSUM_XXHASH64, STR(""), "ef46db3751d8e999");
    assert_digest(CHECKSUM_XXHASH64, STR("abc"), "44bc2cf5ad770999");
    assert_digest(CHECKSUM_XXHASH3, STR(""), "2d06800538d394c2");
    assert_digest(CHECKSUM_XXHASH3, STR("abc"), "78af5f94892f3950");
    assert_digest(CHECKSUM_XXHASH128, STR(""), "99aa06d3014798d86001c324468d497f");
    assert_digest(CHECKSUM_XXHASH128, STR("abc"), "06b05ab6733a618578af5f94892f3950");
}

/* ---- streams ----------------------------------------------------------------------- */

static char data[20000];

/* Hashes data[0..len) in random pieces. */
static void digest_in_pieces(enum checksum_alg alg, size_t len, uint8_t *out)
{
    struct digest d;
    size_t at = 0;

    digest_init(&d, alg);
    while (at < len) {
        size_t piece = random_u64() % (random_u64() % 2 ? 40 : 3000);

        piece = piece < len - at ? piece : len - at;
        digest_update(&d, data + at, piece);
        at += piece;
    }
    digest_final(&d, out);
    assert_null(d.state);
    digest_release(&d); /* nothing left, no harm */
}

static void test_streams(void **state)
{
    (void)state;
    random_bytes(data, sizeof(data));
    for (unsigned i = CHECKSUM_NONE + 1; i < CHECKSUM_COUNT; i++) {
        enum checksum_alg alg = (enum checksum_alg)i;

        for (int round = 0; round < 50; round++) {
            size_t len = random_u64() % sizeof(data);
            uint8_t once[DIGEST_MAX] = {0}, pieces[DIGEST_MAX] = {0};

            digest_once(alg, str_of(data, len), once);
            digest_in_pieces(alg, len, pieces);
            assert_memory_equal(once, pieces, DIGEST_MAX); /* and nothing beyond the size */
        }
    }
}

static void test_xxhash_against_library(void **state)
{
    (void)state;
    random_bytes(data, sizeof(data));
    for (size_t len = 0; len < sizeof(data); len = len * 5 / 4 + 1) {
        uint8_t out[16];
        XXH64_canonical_t short_form;
        XXH128_canonical_t long_form;

        digest_in_pieces(CHECKSUM_XXHASH64, len, out);
        XXH64_canonicalFromHash(&short_form, XXH64(data, len, 0));
        assert_memory_equal(out, short_form.digest, 8);
        digest_in_pieces(CHECKSUM_XXHASH3, len, out);
        XXH64_canonicalFromHash(&short_form, XXH3_64bits(data, len));
        assert_memory_equal(out, short_form.digest, 8);
        digest_in_pieces(CHECKSUM_XXHASH128, len, out);
        XXH128_canonicalFromHash(&long_form, XXH3_128bits(data, len));
        assert_memory_equal(out, long_form.digest, 16);
    }
}

/* More digests at once than a thread keeps idle states for, some of them abandoned. */
static void *many_digests(void *arg)
{
    static char complaint[] = "wrong digest";
    struct digest d[12];
    uint8_t out[12][DIGEST_MAX], want[DIGEST_MAX];

    (void)arg;
    for (unsigned alg = CHECKSUM_SHA1; alg < CHECKSUM_COUNT; alg++) {
        digest_once((enum checksum_alg)alg, STR("abcdef"), want);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < ARRAY_LEN(d); i++) {
                digest_init(&d[i], (enum checksum_alg)alg);
                digest_update(&d[i], "abc", 3);
            }
            for (size_t i = 0; i < ARRAY_LEN(d); i++) {
                if (i % 3 == 0) {
                    digest_release(&d[i]);
                    continue;
                }
                digest_update(&d[i], "def", 3);
                digest_final(&d[i], out[i]);
                if (memcmp(out[i], want, checksum_size((enum checksum_alg)alg)) != 0)
                    return complaint;
            }
        }
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_digests, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *complaint;

        assert_int_equal(pthread_join(threads[i], &complaint), 0);
        assert_null(complaint);
    }
}

static void test_empty_digest(void **state)
{
    (void)state;
    struct digest d = {0};

    digest_release(&d);
    digest_init(&d, CHECKSUM_NONE);
    digest_update(&d, "abc", 3);
    digest_final(&d, NULL);
}

/* ---- CRCs -------------------------------------------------------------------------- */

/* A bit at a time, from the unreflected polynomials as they are published. */
static uint64_t crc_by_definition(enum crc_kind kind, const uint8_t *p, size_t len)
{
    static const uint64_t polys[] = {0x04C11DB7, 0x1EDC6F41, UINT64_C(0xAD93D23594C93659)};
    unsigned width = kind == CRC_64NVME ? 64 : 32;
    uint64_t top = UINT64_C(1) << (width - 1), mask = top | (top - 1), reg = mask, result = 0;

    for (size_t bit = 0; bit < 8 * len; bit++) {
        bool in = p[bit / 8] >> bit % 8 & 1;
        bool out = (reg & top) != 0;

        reg = reg << 1 & mask;
        if (in != out)
            reg ^= polys[kind];
    }
    for (unsigned i = 0; i < width; i++)
        result |= (reg >> i & 1) << (width - 1 - i);
    return result ^ mask;
}

static void test_crc_by_definition(void **state)
{
    (void)state;
    random_bytes(data, sizeof(data));
    for (unsigned kind = 0; kind < CRC_KINDS; kind++) {
        for (size_t len = 0; len < 400; len++) {
            uint64_t want = crc_by_definition(kind, (uint8_t *)data + len % 17, len);

            assert_true(crc_update(kind, 0, data + len % 17, len) == want);
            assert_true(crc_update_portable(kind, 0, data + len % 17, len) == want);
        }
    }
}

static void test_crc_accelerated(void **state)
{
    (void)state;
    random_bytes(data, sizeof(data));
    for (int round = 0; round < 20000; round++) {
        enum crc_kind kind = (enum crc_kind)(round % CRC_KINDS);
        uint64_t start = random_u64() >> (kind == CRC_64NVME ? 0 : 32);
        size_t from = random_u64() % 100;
        size_t len = random_u64() % (round % 10 ? 600 : sizeof(data) - from);
        size_t split = len > 0 ? random_u64() % len : 0;
        uint64_t want = crc_update_portable(kind, start, data + from, len);
        uint64_t part = crc_update(kind, start, data + from, split);

        assert_true(crc_update(kind, start, data + from, len) == want);
        assert_true(crc_update(kind, part, data + from + split, len - split) == want);
        if (kind == CRC_32)
            assert_true(crc32(start, (Bytef *)data + from, (uInt)len) == want);
    }
}

static void test_combine(void **state)
{
    (void)state;
    random_bytes(data, sizeof(data));
    for (int round = 0; round < 3000; round++) {
        enum checksum_alg alg = (enum checksum_alg)(CHECKSUM_CRC32 + round % 3);
        size_t len = random_u64() % (round % 10 ? 300 : sizeof(data));
        size_t split = random_u64() % (len + 1);
        struct checksum a = {.alg = (uint8_t)alg, .type = CHECKSUM_COMPOSITE}, b = a, whole = a;

        digest_once(alg, str_of(data, split), a.bytes);
        digest_once(alg, str_of(data + split, len - split), b.bytes);
        digest_once(alg, str_of(data, len), whole.bytes);
        checksum_combine(&a, &b, len - split);
        assert_memory_equal(a.bytes, whole.bytes, checksum_size(alg));
        assert_int_equal(a.type, CHECKSUM_FULL_OBJECT);
    }
}

/* Lengths that no test can hash: zeroes appended step by step against all at once. */
static void test_combine_huge(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < CRC_KINDS; kind++) {
        uint64_t zeroes = crc_update(kind, 0, "", 1), len = 1, a = 12345;

        for (; len < UINT64_C(1) << 62; len *= 2) {
            uint64_t at_once =
                crc_combine(kind, a, crc_combine(kind, zeroes, zeroes, len), 2 * len);
            uint64_t in_steps =
                crc_combine(kind, crc_combine(kind, a, zeroes, len), zeroes, len);

            assert_true(at_once == in_steps);
            zeroes = crc_combine(kind, zeroes, zeroes, len);
        }
    }
    assert_true(crc_combine(CRC_32, 1, 2, INT64_C(50) << 40) ==
                crc32_combine64(1, 2, INT64_C(50) << 40));
}

/* ---- names ------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    assert_true(str_eq(checksum_name(CHECKSUM_CRC64NVME), STR("CRC64NVME")));
    assert_true(str_eq(checksum_header(CHECKSUM_CRC64NVME), STR("x-amz-checksum-crc64nvme")));
    assert_true(str_eq(checksum_element(CHECKSUM_XXHASH128), STR("ChecksumXXHASH128")));
    assert_int_equal(checksum_by_name(STR("sha256")), CHECKSUM_SHA256);
    assert_int_equal(checksum_by_name(STR("SHA-256")), CHECKSUM_NONE);
    assert_int_equal(checksum_by_name(STR("")), CHECKSUM_NONE);
    assert_int_equal(checksum_by_header(STR("")), CHECKSUM_NONE);
    assert_int_equal(checksum_by_header(STR("X-Amz-Checksum-Crc32c")), CHECKSUM_CRC32C);
    assert_int_equal(checksum_by_header(STR("x-amz-checksum-algorithm")), CHECKSUM_NONE);
    for (unsigned i = CHECKSUM_NONE + 1; i < CHECKSUM_COUNT; i++) {
        enum checksum_alg alg = (enum checksum_alg)i;

        assert_int_equal(checksum_by_name(checksum_name(alg)), alg);
        assert_int_equal(checksum_by_header(checksum_header(alg)), alg);
        assert_true(checksum_size(alg) > 0 && checksum_size(alg) <= DIGEST_MAX);
        assert_int_equal(checksum_can_combine(alg), alg <= CHECKSUM_CRC64NVME);
        assert_int_equal(checksum_can_composite(alg), alg != CHECKSUM_CRC64NVME);
    }
    assert_int_equal(checksum_size(CHECKSUM_NONE), 0);
    assert_false(checksum_can_combine(CHECKSUM_NONE));
    assert_false(checksum_can_composite(CHECKSUM_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_sha),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_crc_vectors),
        cmocka_unit_test(test_xxhash_vectors),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_xxhash_against_library),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_empty_digest),
        cmocka_unit_test(test_crc_by_definition),
        cmocka_unit_test(test_crc_accelerated),
        cmocka_unit_test(test_combine),
        cmocka_unit_test(test_combine_huge),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
