/* SPDX-License-Identifier: MIT */
/* file.h - small files read as a whole: settings, keys, credentials. Not for request threads.
 */
#ifndef S3MEM_BASE_FILE_H
#define S3MEM_BASE_FILE_H

#include "base/buf.h"

/* Appends the file's bytes, of which no copies stay behind: they may be secrets. 0, or errno;
 * EFBIG when it does not fit the buf's limit. */
MUST_CHECK int file_read(struct buf *out, const char *path);

#endif
