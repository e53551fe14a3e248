/* SPDX-License-Identifier: MIT */
/* crc.h - the three reflected CRCs of S3 by one set of routines; only for sources in this
 * folder and their tests. A value is the finished CRC (init and xorout all ones), so that 0 is
 * the CRC of nothing and any value can be carried on. */
#ifndef S3MEM_BASE_CRC_H
#define S3MEM_BASE_CRC_H

#include "base/str.h"

enum crc_kind { CRC_32, CRC_32C, CRC_64NVME, CRC_KINDS };

/* crc(a‖data) from crc(a), by the fastest way this CPU has. */
uint64_t crc_update(enum crc_kind kind, uint64_t crc, const void *data, size_t len);
/* The same in portable C, whatever the CPU. */
uint64_t crc_update_portable(enum crc_kind kind, uint64_t crc, const void *data, size_t len);
/* crc(a‖b) from crc(a) and crc(b), b being b_len bytes long, in O(log b_len). */
uint64_t crc_combine(enum crc_kind kind, uint64_t a, uint64_t b, uint64_t b_len);

/* ---- between crc.c and crc_x86.c --------------------------------------------------- */

/* For folding 16-byte blocks over a distance: x^(distance + 63) and x^(distance - 1) modulo P,
 * as reflected 64-bit words. */
struct crc_fold {
    uint64_t low, high;
};

struct crc_folds {
    struct crc_fold by_1, by_2, by_3, by_4, by_8; /* distance in blocks */
};

#define CRC_FOLD_MIN      64  /* bytes that crc_fold_pclmul needs at least */
#define CRC_FOLD_WIDE_MIN 256 /* ... and that crc_fold_wide is worth while for */

bool crc_has_pclmul(void);
bool crc_has_wide_pclmul(void);
/* Folds the register and all whole blocks of data into one block that leaves the same
 * remainder: the register of a CRC that starts at 0 and reads these 16 bytes. len  at least
 * CRC_FOLD_MIN, a multiple of 16 */
void crc_fold_pclmul(const struct crc_folds *folds, uint64_t reg, const uint8_t *data,
                     size_t len, uint8_t block[16]);
/* The same, two blocks at a time. len  at least CRC_FOLD_WIDE_MIN, a multiple of 16 */
void crc_fold_wide(const struct crc_folds *folds, uint64_t reg, const uint8_t *data, size_t len,
                   uint8_t block[16]);

#endif
