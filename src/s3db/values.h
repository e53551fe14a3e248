/* SPDX-License-Identifier: MIT */
/* values.h - how s3db.js writes one value as text.
 *
 * Two layers. A codec turns a value of a type into text (codec.c and its neighbours); the
 * header layer makes text fit for an HTTP header (header_text.c). Values in a body have only
 * the first.
 */
#ifndef S3MEM_S3DB_VALUES_H
#define S3MEM_S3DB_VALUES_H

#include "s3db/s3db.h"

/* ---- the header layer (header_text.c) ---------------------------------------------- */

enum header_text {
    HEADER_TEXT,      /* out has it */
    HEADER_NULL,      /* the value null */
    HEADER_UNDEFINED, /* no value */
};
/* What a metadata value says. */
enum header_text header_decode(struct buf *out, struct str wire);
/* The metadata value for a text; for null and undefined it is those words. */
void header_encode(struct buf *out, struct str text);
/* How text counts in a budget: UTF-8 bytes, before header_encode. */

/* ---- codecs (codec.c) -------------------------------------------------------------- */

enum codec_kind {
    CODEC_PLAIN, /* text, and JSON where it looks like it: no codec of its own */
    CODEC_EMBEDDING,
    CODEC_STRINGS,  /* array of strings */
    CODEC_INTEGERS, /* array of integers */
    CODEC_NUMBERS,  /* array of numbers */
    CODEC_ARRAY,    /* array of anything: JSON text */
    CODEC_SECRET,
    CODEC_PASSWORD, /* a hash: passes through */
    CODEC_IP4,
    CODEC_IP6,
    CODEC_BUFFER, /* base64 as it stands */
    CODEC_MONEY,
    CODEC_DECIMAL,
    CODEC_LATITUDE,
    CODEC_LONGITUDE,
    CODEC_POINT,
    CODEC_NUMBER,
    CODEC_INTEGER,
    CODEC_BOOLEAN,
    CODEC_JSON,
    CODEC_DATETIME,
    CODEC_DATEONLY,
    CODEC_TIMEONLY,
    CODEC_UUID,
    CODEC_MAC,
    CODEC_CIDR,
    CODEC_SEMVER,
    CODEC_PHONE,
    CODEC_COLOR,
    CODEC_DURATION,
    CODEC_EAN,
};
struct codec {
    enum codec_kind kind;
    unsigned places; /* digits behind the point, of those that have them */
};
/* Of an attribute's definition: its text, or an object with `type` and `items`. datetimes: were
 * the types that came with s3db.js 21.2 known to whoever wrote the values? */
struct codec codec_of(const json_t *definition, bool datetimes);

/* The value that text stands for; never NULL. Text that is not of the codec comes back as a
 * string, as it is stored. passphrase: opens secrets, STR_NONE: they stay as they are.
 * *closed is set when the value is still ciphertext, and left alone otherwise. A secret is null
 * when what was encrypted is the text `undefined` or `null`, which s3db.js writes where there
 * was no value: the attribute is absent. (null as a secret's text never comes here.) */
json_t *codec_decode(struct codec codec, struct str text, struct str passphrase, bool *closed);
/* Appends the text of a value (not null). False: it is none of this type; why says what is
 * needed ("a number is needed, not text"). */
MUST_CHECK bool codec_encode(struct codec codec, const json_t *value, struct str passphrase,
                             struct buf *out, struct buf *why);

/* ---- base 62 (base62.c) ------------------------------------------------------------ */

/* "0" to "9", "a" to "z", "A" to "Z" are the digits. Of a number, rounded down; of one that is
 * not finite the buf fails. */
void base62_add(struct buf *out, double value);
/* Left-padded with "0". */
void base62_add_padded(struct buf *out, uint64_t value, unsigned digits);
/* NaN for anything else than an optional "-" and digits; 0 for an empty text. */
double base62_read(struct str text);
/* 36 digits, for names of attributes. */
void base36_add(struct buf *out, uint32_t value);
/* Sign, base 62 of the whole part, "." and the decimal digits behind the point. */
void base62_add_decimal(struct buf *out, double value);
double base62_read_decimal(struct str text);

#endif
