/* SPDX-License-Identifier: MIT */
/* failure.h - filling struct auth_failure: S3's message and the extra elements of its error
 * document. */
#ifndef S3MEM_AUTH_FAILURE_H
#define S3MEM_AUTH_FAILURE_H

#include "auth/auth.h"

/* Forgets what was there, makes room for `bytes` of text and returns err. The message stays
 * S3's default. Everything that is added later is cut to the room: the fields point into the
 * text, which must not move. */
enum s3_err failure_start(struct auth_failure *f, enum s3_err err, size_t bytes);
/* failure_start with room for ordinary fields, and a message in place of the default one. */
enum s3_err failure_set(struct auth_failure *f, enum s3_err err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Adds an element; name is static memory, value is copied. */
void failure_field(struct auth_failure *f, struct str name, struct str value);
/* The same with the value as hex pairs, "47 45 54": S3's StringToSignBytes. */
void failure_field_bytes(struct auth_failure *f, struct str name, struct str value);

/* INVALID_ARGUMENT with ArgumentName and ArgumentValue. name is static memory. */
enum s3_err failure_argument(struct auth_failure *f, struct str name, struct str value,
                             const char *message);
/* SIGNATURE_DOES_NOT_MATCH with what the client needs to find its error. canonical is empty for
 * signatures that have no canonical request (SigV2, POST policies, chunks). */
enum s3_err failure_signature(struct auth_failure *f, struct str access_key,
                              struct str string_to_sign, struct str provided,
                              struct str canonical);
enum s3_err failure_access_key(struct auth_failure *f, struct str access_key);
/* REQUEST_TIME_TOO_SKEWED; request_time as the client wrote it. */
enum s3_err failure_skewed(struct auth_failure *f, struct str request_time, int64_t now_ns);

#endif
