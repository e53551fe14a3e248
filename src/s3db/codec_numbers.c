/* SPDX-License-Identifier: MIT */
/* codec_numbers.c - numbers, and what is numbers with a fixed count of decimal places: a mark
 * ("$", "^", "~") and the number, times a power of ten, in base 62. */
#include "s3db/codec.h"

#include <math.h>

#include "s3db/js.h"

/* ---- plain numbers ----------------------------------------------------------------- */

static json_t *number_or_null(double value)
{
    return isfinite(value) ? js_number(value) : NULL;
}

json_t *number_decode(struct codec codec, struct str text)
{
    (void)codec;
    return text.len > 0 ? number_or_null(base62_read_decimal(text)) : NULL;
}

json_t *integer_decode(struct codec codec, struct str text)
{
    (void)codec;
    return text.len > 0 ? number_or_null(base62_read(text)) : NULL;
}

bool number_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    (void)codec;
    if (!json_is_number(value))
        return codec_needs(why, "a number", value);
    base62_add_decimal(out, js_double(value));
    return true;
}

bool integer_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    double number;

    (void)codec;
    if (!json_is_number(value))
        return codec_needs(why, "a whole number", value);
    number = js_double(value);
    if (number != floor(number))
        return codec_needs_form(why, "a whole number");
    base62_add(out, number);
    return true;
}

/* ---- fixed places ------------------------------------------------------------------ */

/* digits: without the mark. offset was added to the value. */
static bool read_fixed(struct str digits, unsigned places, double offset, double *out)
{
    if (digits.len == 0)
        return false;
    *out = base62_read(digits) / pow(10, places) - offset;
    return isfinite(*out);
}

static bool add_fixed(struct buf *out, double value, unsigned places, double offset,
                      struct buf *why)
{
    double scaled = js_round((value + offset) * pow(10, places));

    if (!isfinite(scaled))
        return codec_needs_form(why, "a smaller number");
    base62_add(out, scaled);
    return true;
}

static json_t *marked_decode(struct str text, char mark, unsigned places, double offset)
{
    double value;

    if (!codec_take(&text, mark) || !read_fixed(text, places, offset, &value))
        return NULL;
    return js_number(value);
}

static bool marked_encode(const json_t *value, char mark, unsigned places, double offset,
                          struct buf *out, struct buf *why)
{
    if (!json_is_number(value))
        return codec_needs(why, "a number", value);
    buf_add_char(out, mark);
    return add_fixed(out, js_double(value), places, offset, why);
}

json_t *money_decode(struct codec codec, struct str text)
{
    return marked_decode(text, '$', codec.places, 0);
}

bool money_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    return marked_encode(value, '$', codec.places, 0, out, why);
}

json_t *decimal_decode(struct codec codec, struct str text)
{
    return marked_decode(text, '^', codec.places, 0);
}

bool decimal_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    return marked_encode(value, '^', codec.places, 0, out, why);
}

/* ---- places on earth --------------------------------------------------------------- */

#define SOUTH 90.0
#define WEST  180.0

json_t *latitude_decode(struct codec codec, struct str text)
{
    return marked_decode(text, '~', codec.places, SOUTH);
}

bool latitude_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    return marked_encode(value, '~', codec.places, SOUTH, out, why);
}

json_t *longitude_decode(struct codec codec, struct str text)
{
    return marked_decode(text, '~', codec.places, WEST);
}

bool longitude_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    return marked_encode(value, '~', codec.places, WEST, out, why);
}

json_t *point_decode(struct codec codec, struct str text)
{
    struct str rest = text, north;
    double latitude, longitude;
    AUTO(json_t) point = NULL;

    if (!codec_take(&rest, '~') || !str_split(&rest, '~', &north) || !rest.ptr ||
        !read_fixed(north, codec.places, SOUTH, &latitude) ||
        !read_fixed(rest, codec.places, WEST, &longitude))
        return NULL;
    point = json_object();
    if (!js_set(point, STR("latitude"), js_number(latitude)) ||
        !js_set(point, STR("longitude"), js_number(longitude)))
        return NULL;
    return TAKE(point);
}

/* {latitude, longitude}, {lat, lon} or [latitude, longitude]; NULL where there is none. */
static const json_t *coordinate(const json_t *value, size_t index, struct str name,
                                struct str short_name)
{
    const json_t *found =
        json_is_array(value) ? json_array_get(value, index) : js_get(value, name);

    if (!found)
        found = js_get(value, short_name);
    return json_is_number(found) ? found : NULL;
}

bool point_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    const json_t *latitude = coordinate(value, 0, STR("latitude"), STR("lat"));
    const json_t *longitude = coordinate(value, 1, STR("longitude"), STR("lon"));

    if (!latitude || !longitude || (json_is_array(value) && json_array_size(value) != 2))
        return codec_needs_form(why, "an object with the numbers latitude and longitude");
    return marked_encode(latitude, '~', codec.places, SOUTH, out, why) &&
           marked_encode(longitude, '~', codec.places, WEST, out, why);
}

/* ---- embeddings -------------------------------------------------------------------- */

/* An empty item is NaN, in JSON null. */
static json_t *embedding_item(struct str text, unsigned places)
{
    double value;

    if (text.len == 0)
        return json_null();
    return read_fixed(text, places, 0, &value) ? js_number(value) : NULL;
}

json_t *embedding_decode(struct codec codec, struct str text)
{
    AUTO(json_t) array = NULL;
    struct str rest, item;

    if (!str_has_prefix(text, STR("^[")) || !str_has_suffix(text, STR("]")))
        return NULL;
    array = json_array();
    rest = str_of(text.ptr + 2, text.len - 3);
    while (rest.len > 0 || json_array_size(array) > 0) {
        if (!str_split(&rest, ',', &item))
            break;
        if (json_array_append_new(array, embedding_item(item, codec.places)) != 0)
            return NULL;
    }
    return TAKE(array);
}

bool embedding_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    if (!json_is_array(value))
        return codec_needs(why, "an array of numbers", value);
    buf_add(out, STR("^["));
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);

        if (i > 0)
            buf_add_char(out, ',');
        if (json_is_null(item))
            continue;
        if (!json_is_number(item))
            return codec_needs(why, "an array of numbers", item);
        if (!add_fixed(out, js_double(item), codec.places, 0, why))
            return false;
    }
    buf_add_char(out, ']');
    return true;
}
