/* SPDX-License-Identifier: MIT */
/* die.h - the end of a program that cannot go on; only for sources in this folder. */
#ifndef S3MEM_BASE_DIE_H
#define S3MEM_BASE_DIE_H

#include "base/str.h"

/* One line to standard error, without allocating, then abort(). */
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
