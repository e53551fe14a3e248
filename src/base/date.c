/* SPDX-License-Identifier: MIT */
/* date.c - the dates of HTTP, S3's XML and SigV4, without locale, time zone or locks. */
#include "base/clock.h"

#include <stdio.h>

#define SECONDS_PER_DAY 86400

/* UTC, proleptic Gregorian calendar. */
struct civil {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0 = Sunday */
};

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char long_day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* ---- calendar ---------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01. Years are counted from March, so that a leap day ends its year.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year =
        (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_seconds(int64_t unix_s)
{
    int64_t days = floor_div(unix_s, SECONDS_PER_DAY);
    unsigned second_of_day = (unsigned)(unix_s - days * SECONDS_PER_DAY);
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 = March */

    return (struct civil){
        .year = year_of_era + era * 400 + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
        .hour = second_of_day / 3600,
        .minute = second_of_day / 60 % 60,
        .second = second_of_day % 60,
        .weekday = (unsigned)(((days + 4) % 7 + 7) % 7),
    };
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* False when there is no such date. A date that nanoseconds in 64 bits cannot hold (before
 * 1678, after 2261: "9999-12-31" is a usual way to say never) becomes the nearest one they can.
 */
static bool civil_to_ns(const struct civil *c, int64_t fraction_ns, int64_t offset_s,
                        int64_t *unix_ns)
{
    int64_t seconds, ns;

    if (c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_in_month(c->year, c->month))
        return false;
    seconds = days_from_civil(c->year, c->month, c->day) * SECONDS_PER_DAY +
              (int64_t)c->hour * 3600 + c->minute * 60 + c->second - offset_s;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, fraction_ns, &ns))
        ns = seconds < 0 ? INT64_MIN : INT64_MAX;
    *unix_ns = ns;
    return true;
}

/* ---- printing ---------------------------------------------------------------------- */

static char *put_2(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10 % 10);
    at[1] = (char)('0' + value % 10);
    return at + 2;
}

static char *put_4(char *at, int64_t value)
{
    return put_2(put_2(at, (unsigned)value / 100), (unsigned)value % 100);
}

static char *put_char(char *at, char c)
{
    *at = c;
    return at + 1;
}

static char *put_name(char *at, const char name[4])
{
    memcpy(at, name, 3);
    return at + 3;
}

/* "08:49:37" */
static char *put_time(char *at, const struct civil *c)
{
    at = put_char(put_2(at, c->hour), ':');
    at = put_char(put_2(at, c->minute), ':');
    return put_2(at, c->second);
}

static void print_http(const struct civil *c, char *out)
{
    out = put_name(out, day_names[c->weekday]);
    out = put_char(put_char(out, ','), ' ');
    out = put_char(put_2(out, c->day), ' ');
    out = put_char(put_name(out, month_names[c->month - 1]), ' ');
    out = put_char(put_4(out, c->year), ' ');
    memcpy(put_time(out, c), " GMT", sizeof(" GMT"));
}

static void print_iso(const struct civil *c, char *out)
{
    out = put_char(put_4(out, c->year), '-');
    out = put_char(put_2(out, c->month), '-');
    out = put_char(put_2(out, c->day), 'T');
    memcpy(put_time(out, c), ".000Z", sizeof(".000Z"));
}

static void print_amz(const struct civil *c, char *out)
{
    out = put_2(put_2(put_4(out, c->year), c->month), c->day);
    out = put_2(put_2(put_2(put_char(out, 'T'), c->hour), c->minute), c->second);
    put_char(put_char(out, 'Z'), '\0');
}

/* The date last printed. Requests that follow each other share their second, and so do most
 * neighbours in a listing. Each thread has its own. */
struct printed {
    int64_t unix_s;
    char text[HTTP_DATE_SIZE]; /* the longest of the forms; "" = nothing printed yet */
};

static void print_cached(struct printed *last, int64_t unix_ns,
                         void (*print)(const struct civil *c, char *out), char *out,
                         size_t size)
{
    int64_t unix_s = floor_div(unix_ns, NS_PER_S);

    if (last->unix_s != unix_s || !last->text[0]) {
        struct civil c = civil_from_seconds(unix_s);

        print(&c, last->text);
        last->unix_s = unix_s;
    }
    memcpy(out, last->text, size);
}

void clock_format_http(int64_t unix_ns, char out[HTTP_DATE_SIZE])
{
    static _Thread_local struct printed last;

    print_cached(&last, unix_ns, print_http, out, HTTP_DATE_SIZE);
}

void clock_format_iso(int64_t unix_ns, char out[ISO_DATE_SIZE])
{
    static _Thread_local struct printed last;

    print_cached(&last, unix_ns, print_iso, out, ISO_DATE_SIZE);
}

void clock_format_iso_ms(int64_t unix_ns, char out[ISO_DATE_SIZE])
{
    size_t seconds_len = strlen("2026-01-31T08:49:37");
    int64_t ms = unix_ns / NS_PER_MS % 1000;

    clock_format_iso(unix_ns, out);
    snprintf(out + seconds_len, 6, ".%03dZ", (int)(ms < 0 ? ms + 1000 : ms));
}

void clock_format_amz(int64_t unix_ns, char out[AMZ_DATE_SIZE])
{
    static _Thread_local struct printed last;

    print_cached(&last, unix_ns, print_amz, out, AMZ_DATE_SIZE);
}

/* ---- parsing ----------------------------------------------------------------------- */
/* Each take_* consumes its piece from the front of *s; false when the piece is not there. */

static bool take(struct str *s, struct str literal)
{
    if (!str_has_prefix(*s, literal))
        return false;
    *s = str_from(*s, literal.len);
    return true;
}

static bool take_number(struct str *s, size_t digits, unsigned *out)
{
    uint64_t value;

    if (s->len < digits || !str_to_u64(str_of(s->ptr, digits), &value))
        return false;
    *out = (unsigned)value;
    *s = str_from(*s, digits);
    return true;
}

static bool take_year(struct str *s, int64_t *year)
{
    unsigned value;

    if (!take_number(s, 4, &value))
        return false;
    *year = value;
    return true;
}

static bool take_month_name(struct str *s, unsigned *month)
{
    for (unsigned i = 0; i < 12; i++) {
        if (take(s, str_of(month_names[i], 3))) {
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* The day of the week carries nothing that the date does not say; it need not agree with it. */
static bool take_day_name(struct str *s)
{
    for (unsigned i = 0; i < 7; i++) {
        if (take(s, str_of(day_names[i], 3)))
            return true;
    }
    return false;
}

static bool take_long_day_name(struct str *s)
{
    for (unsigned i = 0; i < 7; i++) {
        if (take(s, str_c(long_day_names[i])))
            return true;
    }
    return false;
}

/* max_second: 60 where the grammar has leap seconds, else 59. */
static bool take_time(struct str *s, struct str separator, unsigned max_second, struct civil *c)
{
    return take_number(s, 2, &c->hour) && c->hour <= 23 && take(s, separator) &&
           take_number(s, 2, &c->minute) && c->minute <= 59 && take(s, separator) &&
           take_number(s, 2, &c->second) && c->second <= max_second;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool take_imf_fixdate(struct str s, struct civil *c)
{
    return take_day_name(&s) && take(&s, STR(", ")) && take_number(&s, 2, &c->day) &&
           take(&s, STR(" ")) && take_month_name(&s, &c->month) && take(&s, STR(" ")) &&
           take_year(&s, &c->year) && take(&s, STR(" ")) && take_time(&s, STR(":"), 60, c) &&
           str_eq(s, STR(" GMT"));
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool take_rfc850_date(struct str s, struct civil *c)
{
    unsigned short_year;
    int64_t this_year;

    if (!(take_long_day_name(&s) && take(&s, STR(", ")) && take_number(&s, 2, &c->day) &&
          take(&s, STR("-")) && take_month_name(&s, &c->month) && take(&s, STR("-")) &&
          take_number(&s, 2, &short_year) && take(&s, STR(" ")) &&
          take_time(&s, STR(":"), 60, c) && str_eq(s, STR(" GMT"))))
        return false;
    /* RFC 9110, 5.6.7: what seems more than 50 years ahead is the last such year in the past.
     */
    this_year = civil_from_seconds(floor_div(clock_now_ns(), NS_PER_S)).year;
    c->year = this_year - this_year % 100 + short_year;
    if (c->year > this_year + 50)
        c->year -= 100;
    return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool take_asctime_date(struct str s, struct civil *c)
{
    if (!(take_day_name(&s) && take(&s, STR(" ")) && take_month_name(&s, &c->month) &&
          take(&s, STR(" "))))
        return false;
    if (!take_number(&s, take(&s, STR(" ")) ? 1 : 2, &c->day))
        return false;
    return take(&s, STR(" ")) && take_time(&s, STR(":"), 60, c) && take(&s, STR(" ")) &&
           take_year(&s, &c->year) && s.len == 0;
}

bool clock_parse_http(struct str s, int64_t *unix_ns)
{
    struct civil c;

    return (take_imf_fixdate(s, &c) || take_rfc850_date(s, &c) || take_asctime_date(s, &c)) &&
           civil_to_ns(&c, 0, 0, unix_ns);
}

/* ".123": any number of digits; what is finer than a nanosecond is cut off. */
static bool take_fraction(struct str *s, int64_t *ns)
{
    int64_t unit = NS_PER_S / 10;
    unsigned digit;

    *ns = 0;
    if (!take(s, STR(".")))
        return true;
    if (!take_number(s, 1, &digit))
        return false;
    do {
        *ns += digit * unit;
        unit /= 10;
    } while (take_number(s, 1, &digit));
    return true;
}

/* "Z", "+02:00", "-08:00" */
static bool take_zone(struct str *s, int64_t *offset_s)
{
    unsigned hours, minutes;
    bool west = str_has_prefix(*s, STR("-"));

    *offset_s = 0;
    if (take(s, STR("Z")))
        return true;
    if (!take(s, west ? STR("-") : STR("+")) || !take_number(s, 2, &hours) ||
        !take(s, STR(":")) || !take_number(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool clock_parse_iso(struct str s, int64_t *unix_ns)
{
    struct civil c;
    int64_t fraction_ns, offset_s;

    return take_year(&s, &c.year) && take(&s, STR("-")) && take_number(&s, 2, &c.month) &&
           take(&s, STR("-")) && take_number(&s, 2, &c.day) && take(&s, STR("T")) &&
           take_time(&s, STR(":"), 59, &c) && take_fraction(&s, &fraction_ns) &&
           take_zone(&s, &offset_s) && s.len == 0 &&
           civil_to_ns(&c, fraction_ns, offset_s, unix_ns);
}

/* Two digits' value; 100 when they are none. */
static unsigned two_digits(const char *at)
{
    unsigned tens = (unsigned char)at[0] - '0', ones = (unsigned char)at[1] - '0';

    return tens < 10 && ones < 10 ? 10 * tens + ones : 100;
}

/* Each signed request has one or two: read in place, not piece by piece. */
bool clock_parse_amz(struct str s, int64_t *unix_ns)
{
    struct civil c;
    unsigned century, year;

    if (s.len != strlen("20150830T123600Z") || s.ptr[8] != 'T' || s.ptr[15] != 'Z')
        return false;
    century = two_digits(s.ptr);
    year = two_digits(s.ptr + 2);
    c.year = 100 * (int64_t)century + year;
    c.month = two_digits(s.ptr + 4);
    c.day = two_digits(s.ptr + 6);
    c.hour = two_digits(s.ptr + 9);
    c.minute = two_digits(s.ptr + 11);
    c.second = two_digits(s.ptr + 13);
    return century < 100 && year < 100 && c.hour <= 23 && c.minute <= 59 && c.second <= 59 &&
           civil_to_ns(&c, 0, 0, unix_ns);
}
