/* SPDX-License-Identifier: MIT */
/* js_number.c - numbers to text and back as JavaScript does, whatever the locale is. */
#include "s3db/js.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SAFE     9007199254740992.0 /* 2^53 */
#define DIGITS_MAX   17
#define EXPONENT_MAX 100000

/* value = 0.DIGITS * 10^point; no zeros at either end of the digits. */
struct decimal {
    char digits[DIGITS_MAX + 1];
    int count;
    int point;
};

static void set_digits(struct decimal *d, double value, int precision)
{
    char text[64];
    char *at = text;

    snprintf(text, sizeof(text), "%.*e", precision - 1, value);
    d->count = 0;
    /* What stands between the first digit and the others is the locale's. */
    for (; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9')
            d->digits[d->count++] = *at;
    }
    d->point = (int)strtol(at + 1, NULL, 10) + 1;
}

static void drop_zeros(struct decimal *d)
{
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
    d->digits[d->count] = '\0';
}

/* Digits and exponent as a whole number, which no locale writes differently. */
static double value_of(const struct decimal *d)
{
    char text[64];

    snprintf(text, sizeof(text), "%.*se%d", d->count, d->digits, d->point - d->count);
    return strtod(text, NULL);
}

/* One more in the last place. */
static void increment(struct decimal *d)
{
    int at = d->count - 1;

    while (at >= 0 && d->digits[at] == '9')
        d->digits[at--] = '0';
    if (at >= 0) {
        d->digits[at]++;
        return;
    }
    d->digits[0] = '1';
    d->point++;
}

/* The shortest digits that read back as value, a positive finite number. Fifteen digits survive
 * the way through a normal double, so that with fifteen the shortest are found by dropping
 * zeros. Below a power of two doubles lie closer than above it: there the nearest digits may
 * fail where the next ones do not. */
static void shortest(struct decimal *d, double value)
{
    int first = isnormal(value) ? 15 : 1;
    int exponent;
    bool power_of_two = frexp(value, &exponent) == 0.5;

    for (int precision = first; precision <= DIGITS_MAX; precision++) {
        set_digits(d, value, precision);
        if (value_of(d) == value)
            break;
        if (power_of_two) {
            increment(d);
            if (value_of(d) == value)
                break;
        }
    }
    drop_zeros(d);
}

static void add_zeros(struct buf *b, int count)
{
    for (int i = 0; i < count; i++)
        buf_add_char(b, '0');
}

/* Source: ECMA-262, Number::toString */
static void add_decimal(struct buf *b, const struct decimal *d)
{
    struct str digits = str_of(d->digits, (size_t)d->count);

    if (d->count <= d->point && d->point <= 21) {
        buf_add(b, digits);
        add_zeros(b, d->point - d->count);
    } else if (d->point > 0 && d->point <= 21) {
        buf_add(b, str_of(d->digits, (size_t)d->point));
        buf_add_char(b, '.');
        buf_add(b, str_from(digits, (size_t)d->point));
    } else if (d->point > -6 && d->point <= 0) {
        buf_add(b, STR("0."));
        add_zeros(b, -d->point);
        buf_add(b, digits);
    } else {
        buf_add_char(b, d->digits[0]);
        if (d->count > 1) {
            buf_add_char(b, '.');
            buf_add(b, str_from(digits, 1));
        }
        buf_addf(b, "e%+d", d->point - 1);
    }
}

void buf_add_js_number(struct buf *b, double value)
{
    struct decimal d;

    if (isnan(value)) {
        buf_add(b, STR("NaN"));
        return;
    }
    if (value < 0)
        buf_add_char(b, '-');
    value = fabs(value);
    if (isinf(value)) {
        buf_add(b, STR("Infinity"));
    } else if (value == floor(value) && value <= MAX_SAFE) {
        buf_add_u64(b, (uint64_t)value);
    } else {
        shortest(&d, value);
        add_decimal(b, &d);
    }
}

void buf_add_js_fixed(struct buf *b, double value)
{
    struct decimal d;

    if (value == 0) {
        buf_add_char(b, '0');
        return;
    }
    shortest(&d, value);
    if (d.point > -6) {
        add_decimal(b, &d);
        return;
    }
    buf_add(b, STR("0."));
    add_zeros(b, -d.point);
    buf_add(b, str_of(d.digits, (size_t)d.count));
}

json_t *js_number(double value)
{
    if (!isfinite(value))
        return json_null();
    if (value == floor(value) && fabs(value) <= MAX_SAFE)
        return json_integer((json_int_t)value);
    return json_real(value);
}

double js_double(const json_t *number)
{
    return json_is_integer(number) ? (double)json_integer_value(number)
                                   : json_real_value(number);
}

double js_round(double value)
{
    double down = floor(value);

    return value - down >= 0.5 ? down + 1 : down;
}

/* ---- reading ----------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits off the front of *s into digits. Returns how many. */
static size_t take_digits(struct str *s, struct buf *digits)
{
    size_t run = 0;

    while (run < s->len && is_digit(s->ptr[run]))
        run++;
    buf_add(digits, str_of(s->ptr, run));
    *s = str_from(*s, run);
    return run;
}

/* "e-7" and nothing behind it; "" too. Beyond EXPONENT_MAX it no longer matters how far. */
static bool take_exponent(struct str s, long *exponent)
{
    bool negative;

    *exponent = 0;
    if (s.len == 0)
        return true;
    if (s.ptr[0] != 'e' && s.ptr[0] != 'E')
        return false;
    s = str_from(s, 1);
    negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = str_from(s, 1);
    if (s.len == 0)
        return false;
    for (; s.len > 0; s = str_from(s, 1)) {
        if (!is_digit(s.ptr[0]))
            return false;
        if (*exponent < EXPONENT_MAX)
            *exponent = *exponent * 10 + (s.ptr[0] - '0');
    }
    if (negative)
        *exponent = -*exponent;
    return true;
}

bool js_to_number(struct str text, double *out)
{
    struct str s = js_trim(text);
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t whole, fraction = 0;
    long exponent;
    AUTO_BUF(digits, KiB(64));

    *out = 0;
    if (s.len == 0)
        return true;
    if (negative || s.ptr[0] == '+')
        s = str_from(s, 1);
    if (str_eq(s, STR("Infinity"))) {
        *out = negative ? -INFINITY : INFINITY;
        return true;
    }
    whole = take_digits(&s, &digits);
    if (s.len > 0 && s.ptr[0] == '.') {
        s = str_from(s, 1);
        fraction = take_digits(&s, &digits);
    }
    if (whole + fraction == 0 || !take_exponent(s, &exponent))
        return false;
    /* A whole number with an exponent: no locale has a mark of its own in it. */
    buf_addf(&digits, "e%ld", exponent - (long)fraction);
    buf_add_char(&digits, '\0');
    if (!buf_ok(&digits))
        return false;
    *out = strtod(digits.ptr, NULL);
    if (negative)
        *out = -*out;
    return true;
}
