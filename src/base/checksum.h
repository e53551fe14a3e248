/* SPDX-License-Identifier: MIT */
/* checksum.h - what checksum.c and digest.c share. */
#ifndef S3MEM_BASE_CHECKSUM_H
#define S3MEM_BASE_CHECKSUM_H

#include "base/crc.h"
#include "base/digest.h"

/* alg is one of the CRCs. */
enum crc_kind crc_kind_of(enum checksum_alg alg);

/* The low `size` bytes (at most 8) of the value, as checksums are sent. */
void put_big_endian(uint8_t *out, uint64_t value, size_t size);

#endif
