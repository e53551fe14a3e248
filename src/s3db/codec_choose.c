/* SPDX-License-Identifier: MIT */
/* codec_choose.c - which codec the definition of an attribute means. s3db.js searches the whole
 * text of a definition for words, in a certain order, so that a default or a list of choices
 * may bring a codec in; so do we, for its values are written that way. */
#include "s3db/values.h"

#include "s3db/js.h"

#define PLACES_MAX       308 /* 10^308 is the last power of ten that a double holds */
#define EMBEDDING_LENGTH 256 /* from here on an array of numbers is an embedding */
#define FINE_PLACES      6   /* of coordinates and embeddings */

static bool has(struct str text, struct str word)
{
    return str_find(text, word) != SIZE_MAX;
}

/* The number behind the first `name` that has one ("decimal:4"); fallback when there is none.
 */
static unsigned number_behind(struct str text, struct str name, unsigned fallback)
{
    size_t at;

    while ((at = str_find(text, name)) != SIZE_MAX) {
        unsigned value = 0;
        size_t digits = 0;

        text = str_from(text, at + name.len);
        for (; digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9';
             digits++) {
            if (value <= UINT16_MAX)
                value = value * 10 + (unsigned)(text.ptr[digits] - '0');
        }
        if (digits > 0)
            return value;
    }
    return fallback;
}

static struct codec with_places(enum codec_kind kind, unsigned places)
{
    return (struct codec){kind, places < PLACES_MAX ? places : PLACES_MAX};
}

static struct codec without_places(enum codec_kind kind)
{
    return (struct codec){.kind = kind};
}

/* ---- arrays ------------------------------------------------------------------------ */

static struct codec of_numbers(bool integers, double length)
{
    if (integers)
        return without_places(CODEC_INTEGERS);
    if (length >= EMBEDDING_LENGTH)
        return with_places(CODEC_EMBEDDING, FINE_PLACES);
    return without_places(CODEC_NUMBERS);
}

static bool says_integer(struct str text)
{
    return has(text, STR("integer:true")) || has(text, STR("|integer"));
}

static struct codec array_of_text(struct str text)
{
    if (has(text, STR("items:string")))
        return without_places(CODEC_STRINGS);
    if (has(text, STR("items:number")))
        return of_numbers(says_integer(text), number_behind(text, STR("length:"), 0));
    return without_places(CODEC_ARRAY);
}

/* {type: "array", items: "number|integer:true", length: 3}. */
static struct codec array_of_object(const json_t *definition)
{
    struct str items = js_str(js_get(definition, STR("items")));
    const json_t *length = js_get(definition, STR("length"));

    if (has(items, STR("string")))
        return without_places(CODEC_STRINGS);
    if (has(items, STR("number")))
        return of_numbers(has(items, STR("integer")),
                          json_is_number(length) ? js_double(length) : 0);
    return without_places(CODEC_ARRAY);
}

/* ---- texts ------------------------------------------------------------------------- */

/* Types of s3db.js 21.2 and later: the first word of a definition, not any. */
static const struct {
    struct str name;
    enum codec_kind kind;
} late_types[] = {
    {{"datetime", 8}, CODEC_DATETIME}, {{"dateonly", 8}, CODEC_DATEONLY},
    {{"timeonly", 8}, CODEC_TIMEONLY}, {{"uuid", 4}, CODEC_UUID},
    {{"mac", 3}, CODEC_MAC},           {{"cidr", 4}, CODEC_CIDR},
    {{"semver", 6}, CODEC_SEMVER},     {{"phone", 5}, CODEC_PHONE},
    {{"color", 5}, CODEC_COLOR},       {{"duration", 8}, CODEC_DURATION},
    {{"ean", 3}, CODEC_EAN},
};

static bool late_type(struct str text, struct codec *out)
{
    struct str name = str_of(text.ptr, text.len);

    if (!str_split(&text, '|', &name))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(late_types); i++) {
        if (str_eq(late_types[i].name, name)) {
            *out = without_places(late_types[i].kind);
            return true;
        }
    }
    return false;
}

static struct codec money_of_text(struct str text)
{
    unsigned usual = has(text, STR("crypto")) ? 8 : 2;

    return with_places(CODEC_MONEY, number_behind(text, STR("money:"),
                                                  number_behind(text, STR("crypto:"), usual)));
}

/* Words that decide alone, in the order of their search; money, places and integers are seen to
 * by of_text. "bool" was no type before s3db.js 18: no definition that it accepted then has
 * it. */
static const struct {
    struct str word;
    enum codec_kind kind;
} searched[] = {
    {{"secret", 6}, CODEC_SECRET},     {{"password", 8}, CODEC_PASSWORD},
    {{"ip4", 3}, CODEC_IP4},           {{"ip6", 3}, CODEC_IP6},
    {{"buffer", 6}, CODEC_BUFFER},     {{"bits", 4}, CODEC_BUFFER},
    {{"money", 5}, CODEC_MONEY},       {{"crypto", 6}, CODEC_MONEY},
    {{"decimal", 7}, CODEC_DECIMAL},   {{"geo:lat", 7}, CODEC_LATITUDE},
    {{"geo:lon", 7}, CODEC_LONGITUDE}, {{"geo:point", 9}, CODEC_POINT},
    {{"number", 6}, CODEC_NUMBER},     {{"bool", 4}, CODEC_BOOLEAN},
    {{"json", 4}, CODEC_JSON},         {{"object", 6}, CODEC_JSON},
};

static struct codec refined(enum codec_kind kind, struct str text)
{
    switch (kind) {
    case CODEC_MONEY:
        return money_of_text(text);
    case CODEC_DECIMAL:
        return with_places(kind, number_behind(text, STR("decimal:"), 2));
    case CODEC_LATITUDE:
        return with_places(kind, number_behind(text, STR("geo:lat:"), FINE_PLACES));
    case CODEC_LONGITUDE:
        return with_places(kind, number_behind(text, STR("geo:lon:"), FINE_PLACES));
    case CODEC_POINT:
        return with_places(kind, number_behind(text, STR("geo:point:"), FINE_PLACES));
    case CODEC_NUMBER:
        return without_places(says_integer(text) ? CODEC_INTEGER : CODEC_NUMBER);
    default:
        return without_places(kind);
    }
}

static struct codec of_text(struct str text, bool datetimes)
{
    struct codec codec;

    if (datetimes && late_type(text, &codec))
        return codec;
    if (has(text, STR("embedding")))
        return with_places(CODEC_EMBEDDING, FINE_PLACES);
    if (has(text, STR("array")))
        return array_of_text(text);
    for (size_t i = 0; i < ARRAY_LEN(searched); i++) {
        if (has(text, searched[i].word))
            return refined(searched[i].kind, text);
    }
    return without_places(CODEC_PLAIN);
}

struct codec codec_of(const json_t *definition, bool datetimes)
{
    if (json_is_string(definition))
        return of_text(js_str(definition), datetimes);
    if (str_eq(js_str(js_get(definition, STR("type"))), STR("array")) &&
        json_is_string(js_get(definition, STR("items"))))
        return array_of_object(definition);
    return without_places(CODEC_PLAIN);
}
