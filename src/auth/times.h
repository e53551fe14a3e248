/* SPDX-License-Identifier: MIT */
/* times.h - the clock rules that all signature versions share. */
#ifndef S3MEM_AUTH_TIMES_H
#define S3MEM_AUTH_TIMES_H

#include "auth/auth.h"

#define MAX_SKEW_NS (15 * 60 * NS_PER_S)

bool time_is_skewed(int64_t request_ns, int64_t now_ns);

/* `more`, not negative, after a time; no later than the last time that can be told. */
static inline int64_t time_after(int64_t unix_ns, int64_t more_ns)
{
    return unix_ns > INT64_MAX - more_ns ? INT64_MAX : unix_ns + more_ns;
}

/* A Date or x-amz-date header: "20130524T000000Z", an HTTP date, or one that ends in "+0000"
 * (s3cmd, and AWS's own examples of SigV2). */
MUST_CHECK bool time_parse(struct str text, int64_t *unix_ns);

/* "2013-05-24T00:00:00Z": as S3 prints times in the errors of authentication. */
#define TIME_TEXT_SIZE ISO_DATE_SIZE
struct str time_text(int64_t unix_ns, char out[TIME_TEXT_SIZE]);

#endif
