/* SPDX-License-Identifier: MIT */
/* times.h - the clock rules that all signature versions share. */
#ifndef S3MEM_AUTH_TIMES_H
#define S3MEM_AUTH_TIMES_H

#include "s3mem/auth.h"

#define MAX_SKEW_NS (15 * 60 * NS_PER_S)

static inline bool time_is_skewed(int64_t request_ns, int64_t now_ns)
{
    int64_t apart;
    return __builtin_sub_overflow(request_ns, now_ns, &apart) || apart > MAX_SKEW_NS ||
           apart < -MAX_SKEW_NS;
}

/* "2013-05-24T00:00:00Z": as S3 prints times in the errors of authentication. */
#define TIME_TEXT_SIZE ISO_DATE_SIZE
static inline struct str time_text(int64_t unix_ns, char out[TIME_TEXT_SIZE])
{
    static const size_t seconds_len = sizeof("2013-05-24T00:00:00") - 1;
    clock_format_iso(unix_ns, out);
    out[seconds_len] = 'Z';
    return str_of(out, seconds_len + 1);
}

#endif
