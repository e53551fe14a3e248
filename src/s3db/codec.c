/* SPDX-License-Identifier: MIT */
/* codec.c - one row a codec, and the codecs that hardly do anything: text, JSON, booleans. */
#include "s3db/codec.h"

#include <math.h>

#include "s3db/js.h"

#define MAX_SAFE 9007199254740991.0 /* Number.MAX_SAFE_INTEGER */

/* ---- for all codecs ---------------------------------------------------------------- */

static const char *kind_of(const json_t *value)
{
    if (json_is_string(value))
        return "text";
    if (json_is_number(value))
        return "a number";
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_array(value))
        return "an array";
    return json_is_object(value) ? "an object" : "null";
}

bool codec_needs(struct buf *why, const char *what, const json_t *value)
{
    buf_addf(why, "%s is needed, not %s", what, kind_of(value));
    return false;
}

bool codec_needs_form(struct buf *why, const char *what)
{
    buf_addf(why, "%s is needed", what);
    return false;
}

json_t *codec_text(struct str text)
{
    json_t *value = js_string(text);

    if (!value) {
        AUTO_BUF(clean, 3 * text.len + 1);

        buf_add_lossy_utf8(&clean, text);
        if (buf_ok(&clean))
            value = js_string(buf_str(&clean));
    }
    return value ? value : json_null();
}

json_t *codec_printed(const struct buf *printed)
{
    return buf_ok(printed) ? js_string(buf_str(printed)) : NULL;
}

bool codec_read_whole(struct str text, double max, double *out)
{
    if (text.len == 0 || text.ptr[0] == '-')
        return false;
    *out = base62_read(text);
    return *out <= fmin(max, MAX_SAFE);
}

bool codec_take_digits(struct str *text, size_t least, size_t most, uint64_t *out)
{
    size_t count = 0;

    while (count < most && count < text->len && text->ptr[count] >= '0' &&
           text->ptr[count] <= '9')
        count++;
    if (count < least || !str_to_u64(str_of(text->ptr, count), out))
        return false;
    *text = str_from(*text, count);
    return true;
}

bool codec_take(struct str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = str_from(*text, 1);
    return true;
}

/* ---- text, JSON, booleans ---------------------------------------------------------- */

static json_t *json_decode(struct codec codec, struct str text)
{
    AUTO_BUF(why, KiB(1));

    (void)codec;
    return js_parse(text, &why);
}

static json_t *plain_decode(struct codec codec, struct str text)
{
    /* What String(an object) is: s3db.js has always taken it for one that got lost. */
    if (str_eq(text, STR("[object Object]")))
        return json_object();
    if (!str_has_prefix(text, STR("{")) && !str_has_prefix(text, STR("[")))
        return NULL;
    return json_decode(codec, text);
}

static bool json_encode(struct codec codec, const json_t *value, struct buf *out,
                        struct buf *why)
{
    (void)codec;
    (void)why;
    if (json_is_string(value))
        buf_add(out, js_str(value));
    else
        js_write(out, value);
    return true;
}

static bool plain_encode(struct codec codec, const json_t *value, struct buf *out,
                         struct buf *why)
{
    if (!str_eq(js_str(value), STR("[object Object]")))
        return json_encode(codec, value, out, why);
    buf_add(out, STR("{}"));
    return true;
}

static bool array_encode(struct codec codec, const json_t *value, struct buf *out,
                         struct buf *why)
{
    if (!json_is_array(value))
        return codec_needs(why, "an array", value);
    return json_encode(codec, value, out, why);
}

static json_t *boolean_decode(struct codec codec, struct str text)
{
    (void)codec;
    return json_boolean(str_eq(text, STR("1")) || str_eq(text, STR("true")) ||
                        str_eq(text, STR("yes")) || str_eq(text, STR("y")));
}

static bool boolean_encode(struct codec codec, const json_t *value, struct buf *out,
                           struct buf *why)
{
    (void)codec;
    if (!json_is_boolean(value))
        return codec_needs(why, "true or false", value);
    buf_add_char(out, json_is_true(value) ? '1' : '0');
    return true;
}

/* Of those that are stored as they are. */
static json_t *verbatim_decode(struct codec codec, struct str text)
{
    (void)codec;
    return codec_text(text);
}

static bool verbatim_encode(struct codec codec, const json_t *value, struct buf *out,
                            struct buf *why)
{
    (void)codec;
    if (!json_is_string(value))
        return codec_needs(why, "text", value);
    buf_add(out, js_str(value));
    return true;
}

/* ---- the table --------------------------------------------------------------------- */

static const struct {
    codec_decoder *decode;
    codec_encoder *encode;
} codecs[] = {
    [CODEC_PLAIN] = {plain_decode, plain_encode},
    [CODEC_EMBEDDING] = {embedding_decode, embedding_encode},
    [CODEC_STRINGS] = {strings_decode, strings_encode},
    [CODEC_INTEGERS] = {integers_decode, integers_encode},
    [CODEC_NUMBERS] = {numbers_decode, numbers_encode},
    [CODEC_ARRAY] = {plain_decode, array_encode},
    [CODEC_SECRET] = {verbatim_decode, verbatim_encode}, /* see secret_decode */
    [CODEC_PASSWORD] = {verbatim_decode, verbatim_encode},
    [CODEC_IP4] = {ip4_decode, ip4_encode},
    [CODEC_IP6] = {ip6_decode, ip6_encode},
    [CODEC_BUFFER] = {verbatim_decode, verbatim_encode},
    [CODEC_MONEY] = {money_decode, money_encode},
    [CODEC_DECIMAL] = {decimal_decode, decimal_encode},
    [CODEC_LATITUDE] = {latitude_decode, latitude_encode},
    [CODEC_LONGITUDE] = {longitude_decode, longitude_encode},
    [CODEC_POINT] = {point_decode, point_encode},
    [CODEC_NUMBER] = {number_decode, number_encode},
    [CODEC_INTEGER] = {integer_decode, integer_encode},
    [CODEC_BOOLEAN] = {boolean_decode, boolean_encode},
    [CODEC_JSON] = {json_decode, json_encode},
    [CODEC_DATETIME] = {datetime_decode, datetime_encode},
    [CODEC_DATEONLY] = {dateonly_decode, dateonly_encode},
    [CODEC_TIMEONLY] = {timeonly_decode, timeonly_encode},
    [CODEC_UUID] = {uuid_decode, uuid_encode},
    [CODEC_MAC] = {mac_decode, mac_encode},
    [CODEC_CIDR] = {cidr_decode, cidr_encode},
    [CODEC_SEMVER] = {semver_decode, semver_encode},
    [CODEC_PHONE] = {phone_decode, phone_encode},
    [CODEC_COLOR] = {color_decode, color_encode},
    [CODEC_DURATION] = {duration_decode, duration_encode},
    [CODEC_EAN] = {ean_decode, ean_encode},
};

json_t *codec_decode(struct codec codec, struct str text, struct str passphrase, bool *closed)
{
    json_t *value;

    if (codec.kind == CODEC_SECRET)
        return secret_decode(text, passphrase, closed);
    value = codecs[codec.kind].decode(codec, text);
    return value ? value : codec_text(text);
}

bool codec_encode(struct codec codec, const json_t *value, struct str passphrase,
                  struct buf *out, struct buf *why)
{
    size_t before = out->len;
    bool ok = codec.kind == CODEC_SECRET ? secret_encode(value, passphrase, out, why)
                                         : codecs[codec.kind].encode(codec, value, out, why);

    if (!ok)
        out->len = before;
    return ok;
}
