/* SPDX-License-Identifier: MIT */
/* codec_ids.c - names with a form of their own, as s3db.js 21.2 and later write them: the
 * number they stand for in base 62, padded where their length tells them from other texts. What
 * such a codec cannot hold ("1.0.0-beta") is stored as it is, if no reader takes it for a
 * number. */
#include "s3db/codec.h"

#include "s3db/js.h"

#define UUID_WORDS  4
#define WORD_DIGITS 6 /* of 32 bits in base 62 */
#define WORD_MAX    4294967295.0
#define MAC_DIGITS  9
#define MAC_MAX     281474976710655.0
#define CIDR_DIGITS 7
#define COLOR_LEN   5
#define COLOR_MAX   16777215.0

static bool needs_text(const json_t *value, const char *needed, struct buf *why)
{
    return json_is_string(value) || codec_needs(why, needed, value);
}

/* Text that is not of the form, stored as it is unless its length is that of an encoded one. */
static bool as_it_is(struct str text, size_t encoded_len, const char *needed, struct buf *out,
                     struct buf *why)
{
    if (text.len == encoded_len || text.len == 0)
        return codec_needs_form(why, needed);
    buf_add(out, text);
    return true;
}

/* Hex digits with `separator` behind every group of that many bytes, into bytes. */
static bool read_hex(struct str text, const uint8_t *groups, size_t count, char separator,
                     uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        size_t digits = 2 * (size_t)groups[i];

        if (i > 0 && !codec_take(&text, separator))
            return false;
        if (text.len < digits || !hex_decode_exact(str_of(text.ptr, digits), bytes, groups[i]))
            return false;
        bytes += groups[i];
        text = str_from(text, digits);
    }
    return text.len == 0;
}

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* ---- uuid -------------------------------------------------------------------------- */

json_t *uuid_decode(struct codec codec, struct str text)
{
    AUTO_BUF(hex, KiB(1));
    AUTO_BUF(out, KiB(1));

    (void)codec;
    if (text.len != (size_t)UUID_WORDS * WORD_DIGITS)
        return NULL;
    for (size_t i = 0; i < UUID_WORDS; i++) {
        double word;

        if (!codec_read_whole(str_of(text.ptr + i * WORD_DIGITS, WORD_DIGITS), WORD_MAX, &word))
            return NULL;
        buf_addf(&hex, "%08x", (unsigned)word);
    }
    if (!buf_ok(&hex))
        return NULL;
    buf_addf(&out, "%.8s-%.4s-%.4s-%.4s-%.12s", hex.ptr, hex.ptr + 8, hex.ptr + 12,
             hex.ptr + 16, hex.ptr + 20);
    return codec_printed(&out);
}

bool uuid_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a UUID such as 550e8400-e29b-41d4-a716-446655440000";
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    uint8_t bytes[4 * UUID_WORDS];

    (void)codec;
    if (!needs_text(value, needed, why))
        return false;
    if (!read_hex(js_str(value), groups, ARRAY_LEN(groups), '-', bytes))
        return as_it_is(js_str(value), (size_t)UUID_WORDS * WORD_DIGITS, needed, out, why);
    for (size_t i = 0; i < UUID_WORDS; i++)
        base62_add_padded(out, big_endian(bytes + 4 * i, 4), WORD_DIGITS);
    return true;
}

/* ---- mac, cidr, color -------------------------------------------------------------- */

json_t *mac_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double value;

    (void)codec;
    if (text.len != MAC_DIGITS || !codec_read_whole(text, MAC_MAX, &value))
        return NULL;
    for (int shift = 40; shift >= 0; shift -= 8)
        buf_addf(&out, "%02x%s", (unsigned)((uint64_t)value >> shift & 0xFF),
                 shift > 0 ? ":" : "");
    return codec_printed(&out);
}

bool mac_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a hardware address such as 00:1b:44:11:3a:b7";
    static const uint8_t groups[] = {1, 1, 1, 1, 1, 1};
    uint8_t bytes[6];

    (void)codec;
    if (!needs_text(value, needed, why))
        return false;
    if (!read_hex(js_str(value), groups, ARRAY_LEN(groups), ':', bytes))
        return as_it_is(js_str(value), MAC_DIGITS, needed, out, why);
    base62_add_padded(out, big_endian(bytes, sizeof(bytes)), MAC_DIGITS);
    return true;
}

json_t *cidr_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double address, length;
    uint32_t ip;

    (void)codec;
    if (text.len != CIDR_DIGITS ||
        !codec_read_whole(str_of(text.ptr, WORD_DIGITS), WORD_MAX, &address) ||
        !codec_read_whole(str_from(text, WORD_DIGITS), 32, &length))
        return NULL;
    ip = (uint32_t)address;
    buf_addf(&out, "%u.%u.%u.%u/%u", ip >> 24, ip >> 16 & 0xFF, ip >> 8 & 0xFF, ip & 0xFF,
             (unsigned)length);
    return codec_printed(&out);
}

static bool parse_cidr(struct str text, uint64_t *ip, uint64_t *length)
{
    *ip = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t byte;

        if (!codec_take_digits(&text, 1, 3, &byte) || byte > 255 ||
            !codec_take(&text, i < 3 ? '.' : '/'))
            return false;
        *ip = *ip << 8 | byte;
    }
    return codec_take_digits(&text, 1, 2, length) && *length <= 32 && text.len == 0;
}

bool cidr_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a network such as 192.168.0.0/16";
    uint64_t ip, length;

    (void)codec;
    if (!needs_text(value, needed, why))
        return false;
    if (!parse_cidr(js_str(value), &ip, &length))
        return as_it_is(js_str(value), CIDR_DIGITS, needed, out, why);
    base62_add_padded(out, ip, WORD_DIGITS);
    base62_add_padded(out, length, 1);
    return true;
}

json_t *color_decode(struct codec codec, struct str text)
{
    AUTO_BUF(out, KiB(1));
    double value;

    (void)codec;
    if (text.len != COLOR_LEN || !codec_read_whole(text, COLOR_MAX, &value))
        return NULL;
    buf_addf(&out, "#%06x", (unsigned)value);
    return codec_printed(&out);
}

bool color_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    static const char needed[] = "a color such as #ff8800";
    struct str text = js_str(value), digits = text;
    uint8_t bytes[3];

    (void)codec;
    if (!needs_text(value, needed, why))
        return false;
    if (!codec_take(&digits, '#') || !hex_decode_exact(digits, bytes, sizeof(bytes)))
        return as_it_is(text, COLOR_LEN, needed, out, why);
    base62_add_padded(out, big_endian(bytes, sizeof(bytes)), COLOR_LEN);
    return true;
}
