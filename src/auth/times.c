/* SPDX-License-Identifier: MIT */
/* times.c - reading and comparing the times of requests. */
#include "auth/times.h"

bool time_is_skewed(int64_t request_ns, int64_t now_ns)
{
    int64_t apart;
    return __builtin_sub_overflow(request_ns, now_ns, &apart) || apart > MAX_SKEW_NS ||
           apart < -MAX_SKEW_NS;
}

bool time_parse(struct str text, int64_t *unix_ns)
{
    static const struct str zone = {"+0000", 5};
    if (clock_parse_amz(text, unix_ns) || clock_parse_http(text, unix_ns))
        return true;
    char named[HTTP_DATE_SIZE];
    if (!str_has_suffix(text, zone) || text.len - zone.len + 3 >= sizeof(named))
        return false;
    size_t len = text.len - zone.len;
    memcpy(named, text.ptr, len);
    memcpy(named + len, "GMT", 3);
    return clock_parse_http(str_of(named, len + 3), unix_ns);
}

struct str time_text(int64_t unix_ns, char out[TIME_TEXT_SIZE])
{
    static const size_t seconds_len = sizeof("2013-05-24T00:00:00") - 1;
    clock_format_iso(unix_ns, out);
    out[seconds_len] = 'Z';
    return str_of(out, seconds_len + 1);
}
