/* SPDX-License-Identifier: MIT */
/* codec_dates.c - points in time and lengths of it, as s3db.js 21.2 and later write them: whole
 * milliseconds or days in base 62. */
#include "s3db/codec.h"

#include <math.h>

#include "s3db/js.h"

#define MS_PER_S   INT64_C(1000)
#define MS_PER_MIN (60 * MS_PER_S)
#define MS_PER_H   (60 * MS_PER_MIN)
#define MS_PER_DAY (24 * MS_PER_H)
#define DAYS_MAX   INT64_C(100000000) /* ECMA-262: no Date is further from 1970 */

/* ---- the calendar ------------------------------------------------------------------ */

struct day {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01, in the proleptic Gregorian calendar. Years begin in March here, so
 * that the leap day is the last one. */
static int64_t days_of(struct day d)
{
    int64_t year = d.month > 2 ? d.year : d.year - 1;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)((d.month + 9) % 12) + 2) / 5 + d.day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct day day_of(int64_t days)
{
    int64_t era = floor_div(days + 719468, 146097), of_era = days + 719468 - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    return (struct day){
        .year = year + era * 400 + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
    };
}

/* Years beyond four digits have a sign and six. */
static void add_day(struct buf *out, int64_t days)
{
    struct day d = day_of(days);

    if (d.year >= 0 && d.year <= 9999)
        buf_addf(out, "%04d", (int)d.year);
    else
        buf_addf(out, "%+07d", (int)d.year);
    buf_addf(out, "-%02u-%02u", d.month, d.day);
}

static bool take_day(struct str *s, int64_t *days)
{
    bool before = codec_take(s, '-'), wide = before || codec_take(s, '+');
    uint64_t year, month, day;
    struct day d, back;

    if (!codec_take_digits(s, wide ? 6 : 4, wide ? 6 : 4, &year) || !codec_take(s, '-') ||
        !codec_take_digits(s, 2, 2, &month) || !codec_take(s, '-') ||
        !codec_take_digits(s, 2, 2, &day) || month < 1 || month > 12)
        return false;
    d = (struct day){before ? -(int64_t)year : (int64_t)year, (unsigned)month, (unsigned)day};
    *days = days_of(d);
    back = day_of(*days); /* differs for a 31st of April */
    return back.month == d.month && back.day == d.day;
}

/* ---- the clock --------------------------------------------------------------------- */

static void add_clock(struct buf *out, int64_t ms)
{
    buf_addf(out, "%02d:%02d:%02d.%03d", (int)(ms / MS_PER_H), (int)(ms / MS_PER_MIN % 60),
             (int)(ms / MS_PER_S % 60), (int)(ms % MS_PER_S));
}

/* Digits behind a point as milliseconds; more than three are dropped. */
static bool take_milliseconds(struct str *s, int64_t *ms)
{
    static const int64_t weights[] = {0, 100, 10, 1};
    uint64_t digits, dropped;
    size_t before = s->len;

    if (!codec_take_digits(s, 1, 3, &digits))
        return false;
    *ms = (int64_t)digits * weights[before - s->len];
    while (codec_take_digits(s, 1, 9, &dropped))
        ;
    return true;
}

/* "20:11", "20:11:24", "20:11:24.123" */
static bool take_clock(struct str *s, int64_t *ms)
{
    uint64_t hours, minutes, seconds = 0;
    int64_t fraction = 0;

    if (!codec_take_digits(s, 2, 2, &hours) || !codec_take(s, ':') ||
        !codec_take_digits(s, 2, 2, &minutes))
        return false;
    if (codec_take(s, ':')) {
        if (!codec_take_digits(s, 2, 2, &seconds))
            return false;
        if (codec_take(s, '.') && !take_milliseconds(s, &fraction))
            return false;
    }
    *ms = (int64_t)(hours * 3600 + minutes * 60 + seconds) * MS_PER_S + fraction;
    return hours < 24 && minutes < 60 && seconds < 60;
}

/* "Z", "+02:00", "-0330" */
static bool take_zone(struct str *s, int64_t *ms)
{
    uint64_t hours, minutes;
    int64_t sign;

    *ms = 0;
    if (codec_take(s, 'Z'))
        return true;
    sign = codec_take(s, '-') ? -1 : codec_take(s, '+') ? 1 : 0;
    if (sign == 0 || !codec_take_digits(s, 2, 2, &hours))
        return false;
    if (s->len == 3 && !codec_take(s, ':'))
        return false;
    if (!codec_take_digits(s, 2, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ms = sign * (int64_t)(hours * 60 + minutes) * MS_PER_MIN;
    return true;
}

/* A day alone is its midnight in UTC. */
static bool parse_datetime(struct str s, int64_t *ms)
{
    int64_t days, clock = 0, zone = 0;

    if (!take_day(&s, &days))
        return false;
    if (s.len > 0 && (!codec_take(&s, 'T') || !take_clock(&s, &clock) || !take_zone(&s, &zone)))
        return false;
    *ms = days * MS_PER_DAY + clock - zone;
    return s.len == 0 && *ms >= -DAYS_MAX * MS_PER_DAY && *ms <= DAYS_MAX * MS_PER_DAY;
}

/* ---- codecs ------------------------------------------------------------------------ */

/* A whole number within +-max, in base 62. */
static bool read_signed(struct str text, int64_t max, int64_t *out)
{
    double value = text.len > 0 ? base62_read(text) : NAN;

    if (!(fabs(value) <= (double)max))
        return false;
    *out = (int64_t)value;
    return true;
}

json_t *datetime_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    int64_t ms, days;

    (void)codec;
    if (!read_signed(text, DAYS_MAX * MS_PER_DAY, &ms))
        return NULL;
    days = floor_div(ms, MS_PER_DAY);
    add_day(&out, days);
    buf_add_char(&out, 'T');
    add_clock(&out, ms - days * MS_PER_DAY);
    buf_add_char(&out, 'Z');
    return codec_printed(&out);
}

bool datetime_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a date and time such as 2025-10-25T11:24:20.123Z";
    int64_t ms;

    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (!parse_datetime(js_str(value), &ms))
        return codec_needs_form(why, needed);
    base62_add(out, (double)ms);
    return true;
}

json_t *dateonly_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    int64_t days;

    (void)codec;
    if (!read_signed(text, DAYS_MAX, &days))
        return NULL;
    add_day(&out, days);
    return codec_printed(&out);
}

bool dateonly_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a date such as 2025-10-25";
    int64_t ms;

    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (!parse_datetime(js_str(value), &ms))
        return codec_needs_form(why, needed);
    base62_add(out, (double)floor_div(ms, MS_PER_DAY));
    return true;
}

json_t *timeonly_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double ms;

    (void)codec;
    if (!codec_read_whole(text, (double)(MS_PER_DAY - 1), &ms))
        return NULL;
    add_clock(&out, (int64_t)ms);
    return codec_printed(&out);
}

bool timeonly_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a time of day such as 11:24:20.123";
    struct str text = js_str(value);
    int64_t ms;

    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (!take_clock(&text, &ms) || text.len > 0)
        return codec_needs_form(why, needed);
    base62_add(out, (double)ms);
    return true;
}
