/* SPDX-License-Identifier: MIT */
/* error_reply.h - turns a failed call into its error document. */
#ifndef S3MEM_S3_ERROR_REPLY_H
#define S3MEM_S3_ERROR_REPLY_H

#include "s3/call.h"

/* Replaces whatever the reply held, keeps headers already set (x-amz-delete-marker ...). HEAD
 * and 304 get no body. */
void error_reply(struct s3_call *c, enum s3_err err) RARE;

#endif
