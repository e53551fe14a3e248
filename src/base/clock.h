/* SPDX-License-Identifier: MIT */
/* clock.h - the one clock of the server: Last-Modified, Date, presigned expiry, skew checks and
 * version order read it. Offset and freeze are process-wide and thread-safe (atomics).
 * Durations and timeouts of the I/O loop use clock_monotonic_ns, which nothing moves. */
#ifndef S3MEM_BASE_CLOCK_H
#define S3MEM_BASE_CLOCK_H

#include "base/buf.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Nanoseconds since the epoch, with offset and freeze applied. */
int64_t clock_now_ns(void);
/* The same clock where nobody has moved it. */
int64_t clock_real_ns(void);
int64_t clock_monotonic_ns(void);
/* The same clock as of the last timer tick, at most a few ms ago: for deadlines, at a fifth of
 * the cost. */
int64_t clock_coarse_ns(void);
/* CPU time of the calling thread. */
int64_t clock_thread_cpu_ns(void);
/* CPU time of all threads. */
int64_t clock_process_cpu_ns(void);

void clock_set_offset_ns(int64_t offset_ns);
void clock_freeze_at_ns(int64_t now_ns);
void clock_unfreeze(void);
/* Moves a frozen clock, or the offset of a running one. */
void clock_advance_ns(int64_t delta_ns);
int64_t clock_offset_ns(void);
bool clock_is_frozen(void);

#define HTTP_DATE_SIZE 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and NUL */
#define ISO_DATE_SIZE  25 /* "2009-10-12T17:50:30.000Z" and NUL */
#define AMZ_DATE_SIZE  17 /* "20150830T123600Z" and NUL */
void clock_format_http(int64_t unix_ns, char out[HTTP_DATE_SIZE]);
/* Milliseconds as S3 prints them in XML: S3 rounds objects' times down to the second: ".000Z".
 */
void clock_format_iso(int64_t unix_ns, char out[ISO_DATE_SIZE]);
/* The same with its milliseconds: JavaScript's toISOString. */
void clock_format_iso_ms(int64_t unix_ns, char out[ISO_DATE_SIZE]);
void clock_format_amz(int64_t unix_ns, char out[AMZ_DATE_SIZE]);

/* A date beyond what int64_t nanoseconds hold (1677-09-21 .. 2262-04-11; "9999-12-31" is a
 * usual way to say never) is valid and becomes the nearest one that they hold. */
/* RFC 9110 HTTP-date in all three forms; seconds. The weekday need not fit the date. */
MUST_CHECK bool clock_parse_http(struct str s, int64_t *unix_ns);
/* "2009-10-12T17:50:30Z", with optional fraction and offset "+02:00". */
MUST_CHECK bool clock_parse_iso(struct str s, int64_t *unix_ns);
/* "20150830T123600Z", strict. */
MUST_CHECK bool clock_parse_amz(struct str s, int64_t *unix_ns);

#endif
