/* SPDX-License-Identifier: MIT */
/* utf8.h - one well-formed UTF-8 sequence at a time; only for sources in this folder. */
#ifndef S3MEM_BASE_UTF8_H
#define S3MEM_BASE_UTF8_H

#include "base/str.h"

/* Bytes of the well-formed sequence that s starts with (1..4), or 0. Source: Unicode table 3-7.
 */
size_t utf8_sequence(struct str s);

#endif
