/* SPDX-License-Identifier: MIT */
/* codec_duration.c - lengths of time: whole milliseconds in base 62, read as ISO 8601 texts
 * without years and months ("P1DT2H3M4.5S"). */
#include "s3db/codec.h"

#include <math.h>

#include "s3db/js.h"

#define MS_PER_S   INT64_C(1000)
#define MS_PER_MIN (60 * MS_PER_S)
#define MS_PER_H   (60 * MS_PER_MIN)
#define MS_PER_DAY (24 * MS_PER_H)
#define MAX_SAFE   9007199254740991.0

static void add_unit(struct buf *out, int64_t count, char unit)
{
    if (count == 0)
        return;
    buf_add_i64(out, count);
    buf_add_char(out, unit);
}

json_t *duration_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double value;
    int64_t ms;

    (void)codec;
    if (!codec_read_whole(text, MAX_SAFE, &value))
        return NULL;
    ms = (int64_t)value;
    buf_add_char(&out, 'P');
    add_unit(&out, ms / MS_PER_DAY, 'D');
    if (ms % MS_PER_DAY > 0 || ms == 0)
        buf_add_char(&out, 'T');
    add_unit(&out, ms % MS_PER_DAY / MS_PER_H, 'H');
    add_unit(&out, ms % MS_PER_H / MS_PER_MIN, 'M');
    if (ms % MS_PER_S > 0)
        buf_addf(&out, "%d.%03dS", (int)(ms % MS_PER_MIN / MS_PER_S), (int)(ms % MS_PER_S));
    else if (ms == 0)
        buf_add(&out, STR("0S"));
    else
        add_unit(&out, ms % MS_PER_MIN / MS_PER_S, 'S');
    return codec_printed(&out);
}

/* Adds "12H" to *ms if that is what stands in front. False: it is not, nothing was taken. */
static bool take_unit(struct str *s, char unit, int64_t unit_ms, double *ms)
{
    struct str rest = *s;
    uint64_t count;

    if (!codec_take_digits(&rest, 1, 15, &count) || !codec_take(&rest, unit))
        return false;
    *ms += (double)count * (double)unit_ms;
    *s = rest;
    return true;
}

/* "4S", "4.5S", at the end. */
static bool take_seconds(struct str *s, double *ms)
{
    double seconds;

    if (!str_has_suffix(*s, STR("S")) || s->ptr[0] < '0' || s->ptr[0] > '9')
        return false;
    for (size_t i = 0; i + 1 < s->len; i++) {
        if (s->ptr[i] != '.' && (s->ptr[i] < '0' || s->ptr[i] > '9'))
            return false;
    }
    if (!js_to_number(str_of(s->ptr, s->len - 1), &seconds))
        return false;
    *ms += seconds * (double)MS_PER_S;
    *s = str_from(*s, s->len);
    return true;
}

static bool parse_duration(struct str s, double *ms)
{
    bool some;

    *ms = 0;
    if (!codec_take(&s, 'P'))
        return false;
    some = take_unit(&s, 'D', MS_PER_DAY, ms);
    if (codec_take(&s, 'T')) {
        some = take_unit(&s, 'H', MS_PER_H, ms);
        some |= take_unit(&s, 'M', MS_PER_MIN, ms);
        some |= take_seconds(&s, ms);
    }
    return some && s.len == 0;
}

/* A number is milliseconds. */
bool duration_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a duration such as P1DT2H3M4.5S, of no more than 2^53 ms,";
    size_t start = out->len;
    double ms = 0;

    (void)codec;
    if (!json_is_string(value) && !json_is_number(value))
        return codec_needs(why, needed, value);
    if (json_is_number(value))
        ms = js_double(value);
    else if (!parse_duration(js_str(value), &ms))
        return codec_needs_form(why, needed);
    ms = js_round(ms);
    if (ms < 0 || ms > MAX_SAFE)
        return codec_needs_form(why, needed);
    base62_add(out, ms);
    /* s3db.js takes what begins with a "P" for a text that was never encoded. */
    if (buf_ok(out) && out->ptr[start] == 'P') {
        out->len = start;
        buf_add_char(out, '0');
        base62_add(out, ms);
    }
    return true;
}
