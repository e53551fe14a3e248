/* SPDX-License-Identifier: MIT */
/* form_read.h - a streaming reader of multipart/form-data as S3's browser uploads use it: small
 * fields, then one field named "file" whose bytes are handed on as they come; what follows it
 * is ignored. Source: AWS "POST Object" (form fields), RFC 7578, RFC 2046. */
#ifndef S3MEM_S3_FORM_READ_H
#define S3MEM_S3_FORM_READ_H

#include "app/app.h"

#define FORM_BOUNDARY_MAX 70
#define FORM_PRE_FILE_MAX KiB(20) /* everything before the file's first byte */

struct form_reader;

/* An error returned from any of them ends the reading and is handed through. */
struct form_sink {
    /* A complete field; name lower-cased. Borrowed until the call returns. */
    enum s3_err (*field)(void *arg, struct str name, struct str value);
    /* The file starts. filename: last component of the path sent, STR_NONE when there is none.
     */
    enum s3_err (*file)(void *arg, struct str filename);
    enum s3_err (*data)(void *arg, const char *data, size_t len);
};

/* The boundary of a Content-Type value, unquoted, appended to out. False when it is no
 * multipart/form-data or has no usable boundary; out has failed when there was no memory. */
MUST_CHECK bool form_boundary(struct buf *out, struct str content_type);

struct form_reader *form_reader_new(struct str boundary, const struct form_sink *sink,
                                    void *arg);
/* Accepts NULL. */
void form_reader_free(struct form_reader *r);
/* MALFORMED_POST_REQUEST, MAX_POST_PRE_DATA_LENGTH_EXCEEDED_ERROR, or what the sink answered;
 * sticky. */
MUST_CHECK enum s3_err form_feed(struct form_reader *r, const char *data, size_t len);
/* The client's body ended. MALFORMED_POST_REQUEST when the form did not. */
MUST_CHECK enum s3_err form_finish(struct form_reader *r);
bool form_has_file(const struct form_reader *r);

#endif
