/* SPDX-License-Identifier: MIT */
/* log.h - messages and the access log, to standard error, text or JSON, one write(2) a line.
 * Log where an error is handled, not where it passes. Never secrets or signatures. */
#ifndef S3MEM_BASE_LOG_H
#define S3MEM_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Defaults: INFO, text, access log off. Call before threads start. */
void log_setup(enum log_level level, enum log_format format, bool access);
bool log_enabled(enum log_level level);
void log_message(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3) RARE;
#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_message(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* One line a request: everything a reader greps for. All borrowed. */
struct log_access_entry {
    struct str request_id;
    struct str operation; /* "PutObject", or "-" */
    struct str method;
    struct str target; /* raw; log_access masks signatures and tokens in it */
    struct str remote;
    struct str code;   /* S3 error code, or "-" */
    struct str detail; /* what s3_fail recorded; debug aid, may be empty */
    unsigned status;
    uint64_t bytes_in, bytes_out;
    int64_t duration_ns;
};
bool log_access_enabled(void);
void log_access(const struct log_access_entry *entry);

#endif
