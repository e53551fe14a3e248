/* SPDX-License-Identifier: MIT */
/* codec_digits.c - texts that are made of decimal digits, as s3db.js 21.2 and later write them:
 * versions, telephone numbers, article numbers. */
#include "s3db/codec.h"

#include "s3db/js.h"

#define MINOR_UNIT 1000
#define MAJOR_UNIT (MINOR_UNIT * MINOR_UNIT)
#define MAX_SAFE   9007199254740991.0
#define PHONE_MAX  15 /* digits; ITU-T E.164, and all of them fit a double */

static bool is_digits(struct str text, size_t least, size_t most)
{
    uint64_t value;

    return codec_take_digits(&text, least, most, &value) && text.len == 0;
}

/* ---- semver ------------------------------------------------------------------------ */

json_t *semver_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    uint64_t packed;
    double value;

    (void)codec;
    if (!codec_read_whole(text, MAX_SAFE, &value))
        return NULL;
    packed = (uint64_t)value;
    buf_add_u64(&out, packed / MAJOR_UNIT);
    buf_addf(&out, ".%u.%u", (unsigned)(packed / MINOR_UNIT % MINOR_UNIT),
             (unsigned)(packed % MINOR_UNIT));
    return codec_printed(&out);
}

/* A number without the zeros in front that would not come back. */
static bool take_part(struct str *s, size_t most, uint64_t *out)
{
    bool zero = s->len > 0 && s->ptr[0] == '0';
    size_t before = s->len;

    return codec_take_digits(s, 1, most, out) && (!zero || before - s->len == 1);
}

static bool parse_semver(struct str s, uint64_t *packed)
{
    uint64_t major, minor, patch;

    if (!take_part(&s, 9, &major) || !codec_take(&s, '.') || !take_part(&s, 3, &minor) ||
        !codec_take(&s, '.') || !take_part(&s, 3, &patch) || s.len > 0)
        return false;
    *packed = major * MAJOR_UNIT + minor * MINOR_UNIT + patch;
    return true;
}

/* There is no place for "1.0.0-beta" or "1.2000.0": these stay texts, which their points tell
 * from numbers. */
bool semver_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a version such as 1.20.3";
    struct str text = js_str(value);
    uint64_t packed;

    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (parse_semver(text, &packed))
        base62_add(out, (double)packed);
    else if (str_find_char(text, '.') != SIZE_MAX)
        buf_add(out, text);
    else
        return codec_needs_form(why, needed);
    return true;
}

/* ---- phone ------------------------------------------------------------------------- */

json_t *phone_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double value;

    (void)codec;
    if (!codec_read_whole(text, MAX_SAFE, &value))
        return NULL;
    buf_add_char(&out, '+');
    buf_add_u64(&out, (uint64_t)value);
    return codec_printed(&out);
}

bool phone_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a telephone number such as +15551234567";
    struct str text = js_str(value);
    uint64_t number;

    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (!codec_take(&text, '+') || !take_part(&text, PHONE_MAX, &number) || text.len > 0)
        return codec_needs_form(why, needed);
    base62_add(out, (double)number);
    return true;
}

/* ---- ean --------------------------------------------------------------------------- */

/* The first character says how many digits there are. */
static const struct {
    char letter;
    uint8_t digits;
} ean_lengths[] = {{'0', 8}, {'1', 13}, {'2', 12}, {'3', 14}};

/* s3db.js leaves what looks like an article number alone. */
static bool is_ean(struct str text)
{
    return is_digits(text, 8, 14);
}

json_t *ean_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double value;

    (void)codec;
    if (is_ean(text))
        return NULL;
    for (size_t i = 0; text.len > 0 && i < ARRAY_LEN(ean_lengths); i++) {
        if (ean_lengths[i].letter != text.ptr[0])
            continue;
        if (!codec_read_whole(str_from(text, 1), MAX_SAFE, &value))
            return NULL;
        buf_addf(&out, "%0*llu", ean_lengths[i].digits, (unsigned long long)value);
        return out.len == ean_lengths[i].digits ? codec_printed(&out) : NULL;
    }
    return NULL;
}

bool ean_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "an article number of 8, 12, 13 or 14 digits";
    struct str text = js_str(value), rest = text;
    size_t start = out->len;
    uint64_t number;

    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, needed, value);
    if (!is_ean(text) || !codec_take_digits(&rest, 8, 14, &number))
        return codec_needs_form(why, needed);
    for (size_t i = 0; i < ARRAY_LEN(ean_lengths); i++) {
        if (ean_lengths[i].digits != text.len)
            continue;
        buf_add_char(out, ean_lengths[i].letter);
        base62_add(out, (double)number);
        if (!is_ean(str_from(buf_str(out), start)))
            return true;
        break;
    }
    /* Plain digits are read as they are, and so would be base 62 that happens to be all digits.
     */
    out->len = start;
    buf_add(out, text);
    return true;
}
