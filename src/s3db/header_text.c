/* SPDX-License-Identifier: MIT */
/* header_text.c - text as s3db.js fits it into metadata headers: "u:" percent-encoded, "b:"
 * base64, "d:" words of a dictionary, all else as it is. */
#include "s3db/values.h"

#include "s3db/js.h"

/* ---- dictionary -------------------------------------------------------------------- */

struct word {
    char letter;
    struct str text;
};

#define WORD(letter, text)                                                                     \
    {                                                                                          \
        letter,                                                                                \
        {                                                                                      \
            text, sizeof(text) - 1                                                             \
        }                                                                                      \
    }

/* Not "font/woff2", which s3db.js writes as "d:f" too and reads back as "failed". */
static const struct word words[] = {
    WORD('j', "application/json"),
    WORD('X', "application/xml"),
    WORD('J', "application/ld+json"),
    WORD('H', "text/html"),
    WORD('T', "text/plain"),
    WORD('C', "text/css"),
    WORD('V', "text/javascript"),
    WORD('v', "text/csv"),
    WORD('P', "image/png"),
    WORD('I', "image/jpeg"),
    WORD('G', "image/gif"),
    WORD('S', "image/svg+xml"),
    WORD('W', "image/webp"),
    WORD('Q', "application/pdf"),
    WORD('z', "application/zip"),
    WORD('o', "application/octet-stream"),
    WORD('u', "application/x-www-form-urlencoded"),
    WORD('F', "multipart/form-data"),
    WORD('w', "font/woff"),
    WORD('p', "processing"),
    WORD('c', "completed"),
    WORD('s', "succeeded"),
    WORD('x', "cancelled"),
    WORD('t', "timeout"),
    WORD('r', "retrying"),
    WORD('a', "authorized"),
    WORD('K', "captured"),
    WORD('R', "refunded"),
    WORD('d', "declined"),
    WORD('h', "shipped"),
    WORD('D', "delivered"),
    WORD('e', "returned"),
    WORD('i', "in_transit"),
    WORD('n', "initialized"),
    WORD('m', "terminated"),
    WORD('f', "failed"),
};

/* Written as "@" and the letter. Longer ones stand above those they begin with. */
static const struct word prefixes[] = {
    WORD('1', "/api/v1/"),
    WORD('2', "/api/v2/"),
    WORD('3', "/api/v3/"),
    WORD('a', "/api/"),
    WORD('A', "https://api.example.com/"),
    WORD('H', "https://api."),
    WORD('W', "https://www."),
    WORD('s', "https://s3.amazonaws.com/"),
    WORD('S', "https://s3-"),
    WORD('h', "https://"),
    WORD('L', "http://localhost:"),
    WORD('l', "http://localhost"),
    WORD('t', "http://"),
    WORD('v', "/v1/"),
    WORD('u', "/users/"),
    WORD('p', "/products/"),
};

#define PREFIX_MARK_LEN 4 /* "d:@h" */

static const struct word *by_letter(const struct word *from, size_t count, char letter)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].letter == letter)
            return &from[i];
    }
    return NULL;
}

static bool add_word(struct buf *out, struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq(words[i].text, text))
            continue;
        buf_add(out, STR("d:"));
        buf_add_char(out, words[i].letter);
        return true;
    }
    return false;
}

static bool add_prefixed(struct buf *out, struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        struct str prefix = prefixes[i].text;

        if (!str_has_prefix(text, prefix))
            continue;
        if (prefix.len <= PREFIX_MARK_LEN)
            return false;
        buf_add(out, STR("d:@"));
        buf_add_char(out, prefixes[i].letter);
        buf_add(out, str_from(text, prefix.len));
        return true;
    }
    return false;
}

/* payload: what stands behind "d:". */
static bool read_dictionary(struct buf *out, struct str payload)
{
    const struct word *word;

    if (payload.len == 1) {
        word = by_letter(words, ARRAY_LEN(words), payload.ptr[0]);
        if (word)
            buf_add(out, word->text);
        return word != NULL;
    }
    if (payload.len < 2 || payload.ptr[0] != '@')
        return false;
    word = by_letter(prefixes, ARRAY_LEN(prefixes), payload.ptr[1]);
    if (!word)
        return false;
    buf_add(out, word->text);
    buf_add(out, str_from(payload, 2));
    return true;
}

/* ---- reading ----------------------------------------------------------------------- */

/* As decodeURIComponent: what is percent-encoded must be UTF-8. */
static bool read_url(struct buf *out, struct str payload)
{
    AUTO_BUF(text, payload.len + 1);

    if (!buf_add_unescaped(&text, payload, false) || !str_is_utf8(buf_str(&text)))
        return false;
    buf_add_buf(out, &text);
    return true;
}

/* As Node reads base64, also the one for URLs: it passes over what is none and ends at the
 * first
 * "=". */
static void read_base64(struct buf *out, struct str payload)
{
    AUTO_BUF(bytes, payload.len + 1);
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < payload.len && payload.ptr[i] != '='; i++) {
        char c = payload.ptr[i];
        int digit = base64_digit(c == '-' ? '+' : c == '_' ? '/' : c, '+', '/');

        if (digit < 0)
            continue;
        bits = (bits << 6 | (uint32_t)digit) & 0xFFFF;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_add_char(&bytes, (char)(unsigned char)(bits >> have & 0xFF));
        }
    }
    out->failed |= !buf_ok(&bytes);
    buf_add_lossy_utf8(out, buf_str(&bytes));
}

enum header_text header_decode(struct buf *out, struct str wire)
{
    struct str payload = str_from(wire, 2);

    if (str_eq(wire, STR("null")))
        return HEADER_NULL;
    if (str_eq(wire, STR("undefined")))
        return HEADER_UNDEFINED;
    if (str_has_prefix(wire, STR("d:")) && read_dictionary(out, payload))
        return HEADER_TEXT;
    if (str_has_prefix(wire, STR("u:")) && payload.len > 0 && read_url(out, payload))
        return HEADER_TEXT;
    if (str_has_prefix(wire, STR("b:")) && payload.len > 0)
        read_base64(out, payload);
    else
        buf_add(out, wire);
    return HEADER_TEXT;
}

/* ---- writing ----------------------------------------------------------------------- */

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    }
    return true;
}

static void add_base64(struct buf *out, struct str text)
{
    buf_add(out, STR("b:"));
    buf_add_base64(out, text);
}

/* As encodeURIComponent. */
static void add_url(struct buf *out, struct str text)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "-_.!~*'()";

    buf_add(out, STR("u:"));
    for (size_t i = 0; i < text.len && buf_ok(out); i++) {
        if (str_find_char(str_c(kept), text.ptr[i]) != SIZE_MAX)
            buf_add_char(out, text.ptr[i]);
        else
            buf_addf(out, "%%%02X", (unsigned char)text.ptr[i]);
    }
}

/* Is so much of the text beyond ASCII that base64 is the shorter form? As s3db.js counts it:
 * UTF-16 units, control characters among those above U+00FF. */
static bool base64_fits_better(struct str text)
{
    size_t units = 0, latin = 0, others = 0;

    while (text.len > 0) {
        uint32_t c = js_next_char(&text);
        size_t size = c > 0xFFFF ? 2 : 1;

        units += size;
        if (c >= 0x80 && c <= 0xFF)
            latin++;
        else if (c < ' ' || c > '~')
            others += size;
    }
    if (others > 0)
        return (double)others / (double)units > 0.3;
    return (double)latin / (double)units > 0.5;
}

void header_encode(struct buf *out, struct str text)
{
    bool printable = is_printable(text);

    if (str_has_prefix(text, STR("d:")) || str_has_prefix(text, STR("u:")) ||
        str_has_prefix(text, STR("b:")))
        add_base64(out, text);
    else if (printable && text.len > 0 && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' '))
        add_url(out, text); /* HTTP takes blanks off the ends of a header */
    else if (printable && (add_word(out, text) || add_prefixed(out, text)))
        return;
    else if (printable)
        buf_add(out, text);
    else if (base64_fits_better(text))
        add_base64(out, text);
    else
        add_url(out, text);
}
