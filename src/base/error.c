/* SPDX-License-Identifier: MIT */
/* error.c - the rows of errors.def as a table. */
#include "base/error.h"

#include <assert.h>

static const struct error_row {
    const char *code;
    unsigned status;
    const char *message;
} rows[] = {
    [S3_OK] = {"OK", 200, ""},
#define X(name, code_, status_, message_) [S3_##name] = {code_, status_, message_},
#include "base/errors.def"
#undef X
};

static const struct error_row *row_of(enum s3_err err)
{
    assert((unsigned)err < S3_ERR_COUNT);
    return &rows[err];
}

const char *s3_err_code(enum s3_err err)
{
    return row_of(err)->code;
}

unsigned s3_err_status(enum s3_err err)
{
    return row_of(err)->status;
}

const char *s3_err_message(enum s3_err err)
{
    return row_of(err)->message;
}

enum s3_err s3_err_by_code(struct str code)
{
    for (unsigned i = S3_OK + 1; i < S3_ERR_COUNT; i++) {
        if (str_eq(code, str_c(rows[i].code)))
            return (enum s3_err)i;
    }
    return S3_OK;
}
