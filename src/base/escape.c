/* SPDX-License-Identifier: MIT */
/* escape.c - text inside XML, JSON and URLs. */
#include "base/buf.h"
#include "base/utf8.h"

#define REPLACEMENT STR("\xEF\xBF\xBD") /* U+FFFD */

static const char upper_hex[] = "0123456789ABCDEF";
static const char lower_hex[] = "0123456789abcdef";

static bool is_plain_xml(unsigned char c)
{
    return c < 0x80 && (c >= ' ' || c == '\t' || c == '\n') && c != '&' && c != '<' &&
           c != '>' && c != '"';
}

/* Longest escape of one character. */
#define XML_ESCAPE_MAX 8

static char *put_xml_ascii(char *to, unsigned char c)
{
    switch (c) {
    case '&':
        return str_put(to, STR("&amp;"));
    case '<':
        return str_put(to, STR("&lt;"));
    case '>':
        return str_put(to, STR("&gt;"));
    case '"':
        return str_put(to, STR("&quot;"));
    case '\r':
        return str_put(to, STR("&#13;"));
    }
    to = str_put(to, STR("&#x"));
    if (c >= 0x10)
        *to++ = lower_hex[c >> 4];
    *to++ = lower_hex[c & 15];
    *to++ = ';';
    return to;
}

/* One character beyond ASCII; *len: its length. */
static char *put_xml_multibyte(char *to, struct str text, size_t *len)
{
    struct str sequence = str_of(text.ptr, utf8_sequence(text));

    *len = sequence.len > 0 ? sequence.len : 1;
    if (sequence.len == 0)
        return str_put(to, REPLACEMENT);
    if (str_eq(sequence, STR("\xEF\xBF\xBE")))
        return str_put(to, STR("&#xfffe;"));
    if (str_eq(sequence, STR("\xEF\xBF\xBF")))
        return str_put(to, STR("&#xffff;"));
    return str_put(to, sequence);
}

/* By way of a block: a text may be nothing but escapes. */
void buf_add_xml(struct buf *b, struct str text)
{
    char block[1024];
    const char *end = block + sizeof(block) - XML_ESCAPE_MAX;

    while (text.len > 0 && buf_ok(b)) {
        char *to = block;
        size_t at = 0;

        while (at < text.len && to <= end) {
            unsigned char c = (unsigned char)text.ptr[at];
            size_t len = 1;

            if (is_plain_xml(c))
                *to++ = (char)c;
            else if (c < 0x80)
                to = put_xml_ascii(to, c);
            else
                to = put_xml_multibyte(to, str_from(text, at), &len);
            at += len;
        }
        buf_add(b, str_of(block, (size_t)(to - block)));
        text = str_from(text, at);
    }
}

static void add_json_ascii(struct buf *b, unsigned char c)
{
    static const char short_forms[] = "\"\\bfnrt";
    size_t at = str_find_char(STR("\"\\\b\f\n\r\t"), (char)c);

    if (at == SIZE_MAX) {
        buf_add(b, STR("\\u00"));
        buf_add_char(b, lower_hex[c >> 4]);
        buf_add_char(b, lower_hex[c & 15]);
    } else {
        buf_add_char(b, '\\');
        buf_add_char(b, short_forms[at]);
    }
}

/* Bytes that can stay as they are, of the character that text starts with; 0: none. */
static size_t json_plain(struct str text, bool shown)
{
    unsigned char c = (unsigned char)text.ptr[0];

    if (c < ' ' || c == '"' || c == '\\')
        return 0;
    if (c < 0x7F)
        return 1;
    if (shown)
        return str_printable(text);
    return c < 0x80 ? 1 : utf8_sequence(text);
}

/* A character that cannot. Returns its length. */
static size_t add_json_escape(struct buf *b, struct str text)
{
    size_t len = utf8_sequence(text);

    if ((unsigned char)text.ptr[0] < 0x80)
        add_json_ascii(b, (unsigned char)text.ptr[0]);
    else if (len == 0)
        buf_add(b, REPLACEMENT);
    else
        buf_addf(b, "\\u%04x", utf8_code_point(text, len));
    return len > 0 ? len : 1;
}

static void add_json(struct buf *b, struct str text, bool shown)
{
    while (text.len > 0 && buf_ok(b)) {
        size_t run = 0, len;

        while (run < text.len && (len = json_plain(str_from(text, run), shown)) > 0)
            run += len;
        buf_add(b, str_of(text.ptr, run));
        text = str_from(text, run);
        if (text.len > 0)
            text = str_from(text, add_json_escape(b, text));
    }
}

void buf_add_json(struct buf *b, struct str text)
{
    add_json(b, text, false);
}

void buf_add_shown_json(struct buf *b, struct str text)
{
    add_json(b, text, true);
}

/* Outside of strings JSON has no other than printable characters, and line ends. */
void buf_add_json_for_eyes(struct buf *b, struct str json)
{
    while (json.len > 0 && buf_ok(b)) {
        size_t run = 0, len;

        while (run < json.len && (len = json.ptr[run] == '\n' || json.ptr[run] == '\t'
                                            ? 1
                                            : str_printable(str_from(json, run))) > 0)
            run += len;
        buf_add(b, str_of(json.ptr, run));
        json = str_from(json, run);
        if (json.len > 0)
            json = str_from(json, add_json_escape(b, json));
    }
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

/* Keeps what is unreserved and what is in `also`; all else becomes %XX. */
static void add_percent_encoded(struct buf *b, struct str bytes, struct str also)
{
    while (bytes.len > 0 && buf_ok(b)) {
        size_t run = 0;
        unsigned char c;

        while (run < bytes.len && (is_unreserved(bytes.ptr[run]) ||
                                   str_find_char(also, bytes.ptr[run]) != SIZE_MAX))
            run++;
        buf_add(b, str_of(bytes.ptr, run));
        bytes = str_from(bytes, run);
        if (bytes.len == 0)
            return;
        c = (unsigned char)bytes.ptr[0];
        buf_add(b, str_of((char[]){'%', upper_hex[c >> 4], upper_hex[c & 15]}, 3));
        bytes = str_from(bytes, 1);
    }
}

void buf_add_uri(struct buf *b, struct str bytes, bool keep_slash)
{
    add_percent_encoded(b, bytes, keep_slash ? STR("/") : STR(""));
}

void buf_add_listing_url(struct buf *b, struct str bytes)
{
    while (bytes.len > 0) {
        size_t space = str_find_char(bytes, ' ');
        size_t run = space == SIZE_MAX ? bytes.len : space;

        add_percent_encoded(b, str_of(bytes.ptr, run), STR("/*"));
        if (space != SIZE_MAX)
            buf_add_char(b, '+');
        bytes = str_from(bytes, space == SIZE_MAX ? run : run + 1);
    }
}

bool buf_add_unescaped(struct buf *b, struct str escaped, bool plus_is_space)
{
    while (escaped.len > 0) {
        size_t run = 0;
        char byte;

        while (run < escaped.len && escaped.ptr[run] != '%' &&
               !(plus_is_space && escaped.ptr[run] == '+'))
            run++;
        buf_add(b, str_of(escaped.ptr, run));
        escaped = str_from(escaped, run);
        if (escaped.len == 0)
            break;
        if (escaped.ptr[0] == '+') {
            buf_add_char(b, ' ');
            escaped = str_from(escaped, 1);
            continue;
        }
        if (escaped.len < 3 || !hex_decode_exact(str_of(escaped.ptr + 1, 2), &byte, 1))
            return false;
        buf_add_char(b, byte);
        escaped = str_from(escaped, 3);
    }
    return true;
}
