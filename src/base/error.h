/* SPDX-License-Identifier: MIT */
/* error.h - one enum, one table (errors.def): S3's Code, HTTP status and default Message. */
#ifndef S3MEM_BASE_ERROR_H
#define S3MEM_BASE_ERROR_H

#include "base/str.h"

enum s3_err {
    S3_OK = 0,
#define X(name, code, status, message) S3_##name,
#include "base/errors.def"
#undef X
    S3_ERR_COUNT
};

/* All valid for every enumerator except S3_OK ("OK", 200, ""). Static strings. */
const char *s3_err_code(enum s3_err err);
unsigned s3_err_status(enum s3_err err);
const char *s3_err_message(enum s3_err err);
/* By Code ("NoSuchKey"); S3_OK when unknown. For fault injection and tests. */
enum s3_err s3_err_by_code(struct str code);

#endif
