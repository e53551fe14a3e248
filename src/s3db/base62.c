/* SPDX-License-Identifier: MIT */
/* base62.c - numbers as s3db.js shortens them. Its arithmetic is that of doubles, above 2^53
 * too: what is written there must be what it would write. */
#include "s3db/values.h"

#include <assert.h>
#include <math.h>

#include "s3db/js.h"

#define BASE       62
#define DIGITS_MAX 180 /* 62^173 is beyond every double */

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

void base62_add(struct buf *out, double value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);

    if (!isfinite(value)) {
        out->failed = true;
        return;
    }
    value = floor(value);
    if (value < 0)
        buf_add_char(out, '-');
    value = fabs(value);
    do {
        assert(at > 0);
        digits[--at] = alphabet[(unsigned)fmod(value, BASE)];
        value = floor(value / BASE);
    } while (value > 0);
    buf_add(out, str_of(digits + at, sizeof(digits) - at));
}

static void add_digits(struct buf *out, uint64_t value, unsigned base, unsigned at_least)
{
    char digits[64];
    size_t at = sizeof(digits);

    assert(at_least <= sizeof(digits));
    while (value > 0 || sizeof(digits) - at < at_least) {
        digits[--at] = alphabet[value % base];
        value /= base;
    }
    buf_add(out, str_of(digits + at, sizeof(digits) - at));
}

void base62_add_padded(struct buf *out, uint64_t value, unsigned digits)
{
    add_digits(out, value, BASE, digits);
}

void base36_add(struct buf *out, uint32_t value)
{
    add_digits(out, value, 36, 1);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 36;
    return -1;
}

/* Takes a "-" off the front. */
static bool take_sign(struct str *text)
{
    bool negative = text->len > 0 && text->ptr[0] == '-';

    if (negative)
        *text = str_from(*text, 1);
    return negative;
}

double base62_read(struct str text)
{
    double value = 0;
    bool negative;

    if (text.len == 0)
        return 0;
    negative = take_sign(&text);
    if (text.len == 0)
        return NAN;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_value(text.ptr[i]);

        if (digit < 0)
            return NAN;
        value = value * BASE + digit;
    }
    /* More than a double holds is no number that was written. */
    if (isinf(value))
        return NAN;
    return negative && value != 0 ? -value : value;
}

/* toString gives "1.5e+21" from 1e21 on: what stands before the point is then not the whole
 * part. s3db.js takes it for it, and reads it back right, because the exponent stands behind.
 */
void base62_add_decimal(struct buf *out, double value)
{
    AUTO_BUF(text, KiB(1));
    size_t point;
    double whole;

    if (!isfinite(value)) {
        out->failed = true;
        return;
    }
    if (value < 0)
        buf_add_char(out, '-');
    /* Never with a negative exponent: s3db.js writes 1e-7 as nothing at all. */
    buf_add_js_fixed(&text, fabs(value));
    point = str_find_char(buf_str(&text), '.');
    if (point == SIZE_MAX) {
        base62_add(out, fabs(value));
        return;
    }
    if (!buf_ok(&text) || !js_to_number(str_of(text.ptr, point), &whole)) {
        out->failed = true;
        return;
    }
    base62_add(out, whole);
    buf_add(out, str_from(buf_str(&text), point));
}

double base62_read_decimal(struct str text)
{
    AUTO_BUF(number, KiB(2));
    bool negative = take_sign(&text);
    size_t point = str_find_char(text, '.');
    double value;

    if (text.len == 0)
        return negative ? NAN : 0;
    if (text.ptr[0] == '-' || point == 0)
        return NAN;
    if (point == SIZE_MAX) {
        value = base62_read(text);
    } else {
        value = base62_read(str_of(text.ptr, point));
        if (isnan(value))
            return NAN;
        buf_add_js_number(&number, value);
        buf_add(&number, str_from(text, point));
        if (!buf_ok(&number) || !js_to_number(buf_str(&number), &value) || !isfinite(value))
            return NAN;
    }
    return negative && value != 0 ? -value : value;
}
