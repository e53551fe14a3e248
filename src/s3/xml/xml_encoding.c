/* SPDX-License-Identifier: MIT */
/* xml_encoding.c - which encoding a document has, and the way out of it. */
#include "s3/xml/xml_encoding.h"

enum encoding { UNDECIDED, UTF8, LATIN1, UTF16_LE, UTF16_BE, UNKNOWN };

void xml_decoder_init(struct xml_decoder *d, xml_piece_sink *sink, void *sink_arg)
{
    d->sink = sink;
    d->sink_arg = sink_arg;
    d->encoding = UNDECIDED;
    d->has_odd = false;
    d->surrogate = 0;
    d->head_len = d->piece_len = 0;
}

/* ---- which one --------------------------------------------------------------------- */

static enum encoding by_name(struct str name)
{
    static const struct {
        struct str name;
        enum encoding encoding;
    } names[] = {{{"UTF-8", 5}, UTF8},         {{"UTF8", 4}, UTF8},
                 {{"US-ASCII", 8}, UTF8},      {{"ASCII", 5}, UTF8},
                 {{"ISO-8859-1", 10}, LATIN1}, {{"ISO8859-1", 9}, LATIN1},
                 {{"ISO_8859-1", 10}, LATIN1}, {{"latin1", 6}, LATIN1}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(names[i].name, name))
            return names[i].encoding;
    return UNKNOWN;
}

/* Of a whole declaration. One that is malformed is libxml2's to refuse. */
static enum encoding declared(struct str declaration)
{
    size_t at = str_find(declaration, STR("encoding"));
    if (at == SIZE_MAX)
        return UTF8;
    struct str rest = str_trim(str_from(declaration, at + strlen("encoding")));
    if (!str_has_prefix(rest, STR("=")))
        return UTF8;
    rest = str_trim(str_from(rest, 1));
    if (!rest.len)
        return UTF8;
    size_t end = str_find_char(str_from(rest, 1), rest.ptr[0]);
    return end == SIZE_MAX ? UTF8 : by_name(str_of(rest.ptr + 1, end));
}

/* UNDECIDED: more bytes are needed. *skip: length of the byte order mark. */
static enum encoding decide(struct str head, bool whole, size_t *skip)
{
    const struct str start = STR("<?xml");
    *skip = 0;
    if (head.len < start.len && !whole)
        return UNDECIDED;
    if (str_has_prefix(head, STR("\xEF\xBB\xBF"))) {
        *skip = 3;
        return UTF8;
    }
    if (str_has_prefix(head, STR("\xFF\xFE")) || str_has_prefix(head, STR("\xFE\xFF"))) {
        *skip = 2;
        return head.ptr[0] == '\xFF' ? UTF16_LE : UTF16_BE;
    }
    if (str_has_prefix(head, str_of("<\0", 2)))
        return UTF16_LE;
    if (str_has_prefix(head, str_of("\0<", 2)))
        return UTF16_BE;
    if (!str_has_prefix(head, start))
        return UTF8;
    size_t end = str_find(head, STR("?>"));
    if (end != SIZE_MAX)
        return declared(str_of(head.ptr, end));
    if (whole)
        return UTF8;
    return head.len == XML_DECLARATION ? UNKNOWN : UNDECIDED;
}

/* ---- pieces ------------------------------------------------------------------------ */

static bool flush(struct xml_decoder *d)
{
    size_t len = d->piece_len;
    d->piece_len = 0;
    return len == 0 || d->sink(d->sink_arg, str_of(d->piece, len));
}

static bool add_utf8(struct xml_decoder *d, struct str bytes)
{
    while (bytes.len > 0) {
        size_t room = sizeof(d->piece) - d->piece_len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(d->piece + d->piece_len, bytes.ptr, len);
        d->piece_len += len;
        bytes = str_from(bytes, len);
        if (len == room && !flush(d))
            return false;
    }
    return true;
}

static bool add_code(struct xml_decoder *d, uint32_t code)
{
    if (sizeof(d->piece) - d->piece_len < 4 && !flush(d))
        return false;
    char *out = d->piece + d->piece_len, *at = out;
    if (code < 0x80) {
        *at++ = (char)code;
    } else if (code < 0x800) {
        *at++ = (char)(0xC0 | code >> 6);
        *at++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *at++ = (char)(0xE0 | code >> 12);
        *at++ = (char)(0x80 | (code >> 6 & 0x3F));
        *at++ = (char)(0x80 | (code & 0x3F));
    } else {
        *at++ = (char)(0xF0 | code >> 18);
        *at++ = (char)(0x80 | (code >> 12 & 0x3F));
        *at++ = (char)(0x80 | (code >> 6 & 0x3F));
        *at++ = (char)(0x80 | (code & 0x3F));
    }
    d->piece_len += (size_t)(at - out);
    return true;
}

/* False: a surrogate without its other half, too. */
static bool add_unit(struct xml_decoder *d, uint32_t unit)
{
    bool is_second = unit >= 0xDC00 && unit <= 0xDFFF;
    uint32_t first = d->surrogate;
    if (is_second != (first != 0))
        return false;
    d->surrogate = 0;
    if (is_second)
        return add_code(d, 0x10000 + ((first - 0xD800) << 10) + (unit - 0xDC00));
    if (unit < 0xD800 || unit > 0xDBFF)
        return add_code(d, unit);
    d->surrogate = (uint16_t)unit;
    return true;
}

static bool add_utf16(struct xml_decoder *d, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint32_t byte = (unsigned char)bytes.ptr[i];
        if (!d->has_odd) {
            d->odd = (uint8_t)byte;
            d->has_odd = true;
            continue;
        }
        d->has_odd = false;
        if (!add_unit(d, d->encoding == UTF16_LE ? byte << 8 | d->odd : d->odd << 8 | byte))
            return false;
    }
    return true;
}

static bool add_latin1(struct xml_decoder *d, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (!add_code(d, (unsigned char)bytes.ptr[i]))
            return false;
    return true;
}

static bool decode(struct xml_decoder *d, struct str bytes)
{
    switch ((enum encoding)d->encoding) {
    case UTF8:
        return add_utf8(d, bytes);
    case LATIN1:
        return add_latin1(d, bytes);
    case UTF16_LE:
    case UTF16_BE:
        return add_utf16(d, bytes);
    case UNDECIDED:
    case UNKNOWN:
        break;
    }
    return false;
}

/* True, and still UNDECIDED: it waits for more. */
static bool begin(struct xml_decoder *d, bool whole)
{
    size_t skip;
    d->encoding = (uint8_t)decide(str_of(d->head, d->head_len), whole, &skip);
    return d->encoding == UNDECIDED || decode(d, str_of(d->head + skip, d->head_len - skip));
}

bool xml_decoder_feed(struct xml_decoder *d, struct str bytes)
{
    if (d->encoding == UNDECIDED) {
        size_t room = sizeof(d->head) - d->head_len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(d->head + d->head_len, bytes.ptr, len);
        d->head_len += len;
        bytes = str_from(bytes, len);
        if (!begin(d, false))
            return false;
        if (d->encoding == UNDECIDED)
            return true;
    }
    return decode(d, bytes);
}

bool xml_decoder_end(struct xml_decoder *d)
{
    if (d->encoding == UNDECIDED && !begin(d, true))
        return false;
    return !d->has_odd && !d->surrogate && flush(d);
}
