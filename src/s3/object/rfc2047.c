/* SPDX-License-Identifier: MIT */
/* rfc2047.c - encoded words in user metadata, chosen and cut the way S3 does it.
 * Sources: aws-recorded test_user_metadata_rfc2047_*, test_put_unicode_metadata_with_sig_s3;
 * the choice between B and Q, the characters that Q keeps and the length of a word are those of
 * JavaMail's MimeUtility.encodeText, which the recorded replies agree with. */
#include "s3/object/rfc2047.h"

#define WORD_PREFIX_UTF8 "=?UTF-8?"
#define WORD_TEXT_MAX    63 /* 68 less the name of the charset */
#define REPLACEMENT      STR("\xEF\xBF\xBD")

/* ---- characters -------------------------------------------------------------------- */

/* Bytes of the UTF-8 character that text starts with; 0 when it is none. */
static size_t utf8_character(struct str text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (str_is_utf8(str_of(text.ptr, len)))
            return len;
    return 0;
}

static void add_valid_utf8(struct buf *out, struct str bytes)
{
    while (bytes.len) {
        size_t len = utf8_character(bytes);
        buf_add(out, len ? str_of(bytes.ptr, len) : REPLACEMENT);
        bytes = str_from(bytes, len ? len : 1);
    }
}

void latin1_to_utf8(struct buf *out, struct str latin1)
{
    for (size_t i = 0; i < latin1.len; i++) {
        unsigned char c = (unsigned char)latin1.ptr[i];
        if (c >= 0x80)
            buf_add_char(out, (char)(0xC0 | (c >> 6)));
        buf_add_char(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c));
    }
}

bool utf8_to_latin1(struct buf *out, struct str utf8)
{
    bool exact = true;
    while (utf8.len) {
        size_t len = utf8_character(utf8);
        unsigned char lead = (unsigned char)utf8.ptr[0];
        if (len == 1) {
            buf_add_char(out, utf8.ptr[0]);
        } else if (len == 2 && lead <= 0xC3) {
            buf_add_char(out, (char)((lead & 0x03) << 6 | (utf8.ptr[1] & 0x3F)));
        } else {
            buf_add_char(out, ' ');
            exact = false;
        }
        utf8 = str_from(utf8, len ? len : 1);
    }
    return exact;
}

/* ---- decoding ---------------------------------------------------------------------- */

static bool add_q_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '=') {
            if (text.len - i < 3 || !buf_add_unhex(out, str_of(text.ptr + i + 1, 2)))
                return false;
            i += 2;
        } else {
            buf_add_char(out, c == '_' ? ' ' : c);
        }
    }
    return true;
}

/* Takes the part of *rest before the next '?'. */
static bool next_field(struct str *rest, struct str *field)
{
    size_t end = str_find_char(*rest, '?');
    if (end == SIZE_MAX)
        return false;
    *field = str_of(rest->ptr, end);
    *rest = str_from(*rest, end + 1);
    return true;
}

/* "=?charset?B?text?=" and whatever follows it. False when it is no encoded word. */
static bool decode_word(struct buf *out, struct str word)
{
    struct str rest = str_from(word, 2), charset, encoding;
    if (!str_has_prefix(word, STR("=?")) || !next_field(&rest, &charset) ||
        !next_field(&rest, &encoding))
        return false;
    size_t end = str_find(rest, STR("?="));
    if (end == SIZE_MAX)
        return false;
    struct str text = str_of(rest.ptr, end);
    bool latin1 = str_eq_nocase(charset, STR("ISO-8859-1"));
    if (!latin1 && !str_eq_nocase(charset, STR("UTF-8")) &&
        !str_eq_nocase(charset, STR("US-ASCII")))
        return false;
    AUTO_BUF(bytes, out->max);
    bool ok = str_eq_nocase(encoding, STR("B"))   ? buf_add_unbase64(&bytes, text)
              : str_eq_nocase(encoding, STR("Q")) ? add_q_text(&bytes, text)
                                                  : false;
    if (!buf_ok(&bytes))
        out->failed = true;
    else if (!ok)
        return false;
    if (latin1)
        latin1_to_utf8(out, buf_str(&bytes));
    else
        add_valid_utf8(out, buf_str(&bytes));
    add_valid_utf8(out, str_from(rest, end + 2));
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes a run of blanks, or of other characters, off *rest. */
static struct str next_run(struct str *rest, bool blank)
{
    size_t len = 0;
    while (len < rest->len && is_blank(rest->ptr[len]) == blank)
        len++;
    struct str run = str_of(rest->ptr, len);
    *rest = str_from(*rest, len);
    return run;
}

void rfc2047_decode(struct buf *out, struct str text)
{
    bool after_word = false;
    if (str_find(text, STR("=?")) == SIZE_MAX) {
        add_valid_utf8(out, text);
        return;
    }
    while (text.len) {
        struct str blanks = next_run(&text, true), run = next_run(&text, false);
        AUTO_BUF(decoded, out->max);
        bool is_word = decode_word(&decoded, run);
        /* Blanks between two encoded words belong to neither: RFC 2047 section 6.2. */
        if (!is_word || !after_word)
            buf_add(out, blanks);
        if (is_word)
            buf_add_buf(out, &decoded);
        else
            add_valid_utf8(out, run);
        after_word = is_word;
    }
}

/* ---- encoding ---------------------------------------------------------------------- */

static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 0x20 && u < 0x7F) || c == '\r' || c == '\n' || c == '\t';
}

static bool q_keeps(char c)
{
    unsigned char u = (unsigned char)c;
    return u > 0x20 && u < 0x7F && c != '=' && c != '_' && c != '?';
}

/* Length in UTF-16 units, which is how S3 counts and cuts. */
static size_t units_of(size_t character_len)
{
    return character_len == 4 ? 2 : 1;
}

static size_t encoded_len(struct str text, bool base64)
{
    size_t len = 0;
    if (base64)
        return (text.len + 2) / 3 * 4;
    for (size_t i = 0; i < text.len; i++)
        len += q_keeps(text.ptr[i]) || text.ptr[i] == ' ' ? 1 : 3;
    return len;
}

static void add_word(struct buf *out, struct str text, bool base64)
{
    static const char digits[] = "0123456789ABCDEF";
    buf_add(out, base64 ? STR(WORD_PREFIX_UTF8 "B?") : STR(WORD_PREFIX_UTF8 "Q?"));
    if (base64)
        buf_add_base64(out, text);
    for (size_t i = 0; !base64 && i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (q_keeps(text.ptr[i]) || c == ' ') {
            buf_add_char(out, c == ' ' ? '_' : (char)c);
        } else {
            buf_add_char(out, '=');
            buf_add_char(out, digits[c >> 4]);
            buf_add_char(out, digits[c & 15]);
        }
    }
    buf_add(out, STR("?="));
}

/* Offset of the character that starts at or before half of the text's units. */
static size_t half_of(struct str text)
{
    size_t units = 0, half, at = 0;
    for (size_t i = 0; i < text.len; i += utf8_character(str_from(text, i)))
        units += units_of(utf8_character(str_from(text, i)));
    half = units / 2;
    units = 0;
    while (at < text.len) {
        size_t len = utf8_character(str_from(text, at));
        if (units + units_of(len) > half)
            break;
        units += units_of(len);
        at += len;
    }
    return at;
}

/* Depth is logarithmic: each step halves the text. */
static void add_words(struct buf *out, struct str text, bool base64)
{
    size_t half = encoded_len(text, base64) > WORD_TEXT_MAX ? half_of(text) : 0;
    if (!half) {
        add_word(out, text, base64);
        return;
    }
    add_words(out, str_of(text.ptr, half), base64);
    buf_add_char(out, ' ');
    add_words(out, str_from(text, half), base64);
}

static bool all_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_plain(text.ptr[i]))
            return false;
    return true;
}

void rfc2047_encode(struct buf *out, struct str utf8)
{
    size_t ascii = 0, other = 0;
    if (all_plain(utf8)) {
        buf_add(out, utf8);
        return;
    }
    AUTO_BUF(valid, utf8.len * 3 + 1);
    add_valid_utf8(&valid, utf8);
    utf8 = buf_str(&valid);
    out->failed |= valid.failed;
    for (size_t i = 0, len; i < utf8.len; i += len) {
        len = utf8_character(str_from(utf8, i));
        if (len == 1 && is_plain(utf8.ptr[i]))
            ascii++;
        else
            other += units_of(len);
    }
    add_words(out, utf8, ascii <= other);
}
