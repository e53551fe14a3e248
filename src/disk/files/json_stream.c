/* SPDX-License-Identifier: MIT */
/* json_stream.c - the states between two bytes of a JSON text. */
#include "disk/files/json_stream.h"

enum state {
    BEFORE_VALUE,
    BEFORE_VALUE_OR_END, /* behind '[' */
    BEFORE_NAME,         /* behind ',' of an object */
    BEFORE_NAME_OR_END,  /* behind '{' */
    BEFORE_COLON,
    AFTER_VALUE,
    IN_STRING,
    IN_ESCAPE, /* behind a backslash */
    IN_CODE,   /* behind \u */
    IN_SCALAR,
    OVER, /* only blanks may follow */
};

void json_stream_init(struct json_stream *s,
                      bool (*listen)(void *arg, enum json_token token, struct str piece,
                                     bool last),
                      void *arg)
{
    *s = (struct json_stream){.listen = listen, .arg = arg, .line = 1, .state = BEFORE_VALUE};
}

static bool wrong(struct json_stream *s, const char *error)
{
    s->error = error;
    return false;
}

static void after_value(struct json_stream *s)
{
    s->state = s->depth > 0 ? AFTER_VALUE : OVER;
}

/* ---- objects and arrays ------------------------------------------------------------ */

static bool begin_nested(struct json_stream *s, bool object)
{
    if (s->depth == JSON_STREAM_DEPTH)
        return wrong(s, "nested too deeply");
    s->in_object[s->depth++] = object;
    s->state = object ? BEFORE_NAME_OR_END : BEFORE_VALUE_OR_END;
    return s->listen(s->arg, object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN, STR_NONE, true);
}

static bool end_nested(struct json_stream *s)
{
    s->depth--;
    after_value(s);
    return s->listen(s->arg, JSON_END, STR_NONE, true);
}

/* ---- numbers and words ------------------------------------------------------------- */

static size_t digits_at(struct str text, size_t at)
{
    size_t count = 0;

    while (at + count < text.len && text.ptr[at + count] >= '0' && text.ptr[at + count] <= '9')
        count++;
    return count;
}

static bool is_number(struct str text)
{
    size_t at = str_has_prefix(text, STR("-")) ? 1 : 0, digits = digits_at(text, at);

    if (digits == 0 || (digits > 1 && text.ptr[at] == '0'))
        return false;
    at += digits;
    if (at < text.len && text.ptr[at] == '.') {
        digits = digits_at(text, ++at);
        if (digits == 0)
            return false;
        at += digits;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        digits = digits_at(text, at);
        if (digits == 0)
            return false;
        at += digits;
    }
    return at == text.len;
}

static bool is_scalar_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '+' ||
           c == '.' || c == 'E';
}

static bool end_scalar(struct json_stream *s)
{
    struct str text = str_of(s->token, s->token_len);

    if (!str_eq(text, STR("true")) && !str_eq(text, STR("false")) &&
        !str_eq(text, STR("null")) && !is_number(text))
        return wrong(s, "not a value");
    after_value(s);
    return s->listen(s->arg, JSON_SCALAR, text, true);
}

/* ---- strings ----------------------------------------------------------------------- */

static bool tell(struct json_stream *s, struct str piece, bool last)
{
    return s->listen(s->arg, s->is_name ? JSON_NAME : JSON_TEXT, piece, last);
}

static void begin_string(struct json_stream *s, bool name)
{
    s->is_name = name;
    s->state = IN_STRING;
}

/* Takes what stands there as it is, up to a quote or backslash. Returns how many bytes; 0: not
 * one, for end, escape or error. */
static size_t plain_run(const char *data, size_t len)
{
    size_t run = 0;

    while (run < len && data[run] != '"' && data[run] != '\\' &&
           (unsigned char)data[run] >= ' ')
        run++;
    return run;
}

static bool in_string(struct json_stream *s, char c)
{
    if (s->high && c != '\\')
        return wrong(s, "half of a surrogate pair");
    if (c == '\\') {
        s->state = IN_ESCAPE;
        return true;
    }
    if (c != '"')
        return wrong(s, "a control character in a string");
    if (s->is_name)
        s->state = BEFORE_COLON;
    else
        after_value(s);
    return tell(s, STR(""), true);
}

static bool in_escape(struct json_stream *s, char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = c ? strchr(from, c) : NULL;

    if (c == 'u') {
        s->state = IN_CODE;
        s->code = 0;
        s->digits = 0;
        return true;
    }
    if (s->high)
        return wrong(s, "half of a surrogate pair");
    if (!found)
        return wrong(s, "an escape that is none");
    s->state = IN_STRING;
    return tell(s, str_of(&to[found - from], 1), false);
}

static bool tell_code(struct json_stream *s, uint32_t code)
{
    char utf8[4];
    size_t len = 0;

    if (code < 0x80) {
        utf8[len++] = (char)code;
    } else if (code < 0x800) {
        utf8[len++] = (char)(0xC0 | code >> 6);
        utf8[len++] = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        utf8[len++] = (char)(0xE0 | code >> 12);
        utf8[len++] = (char)(0x80 | (code >> 6 & 63));
        utf8[len++] = (char)(0x80 | (code & 63));
    } else {
        utf8[len++] = (char)(0xF0 | code >> 18);
        utf8[len++] = (char)(0x80 | (code >> 12 & 63));
        utf8[len++] = (char)(0x80 | (code >> 6 & 63));
        utf8[len++] = (char)(0x80 | (code & 63));
    }
    return tell(s, str_of(utf8, len), false);
}

static bool in_code(struct json_stream *s, char c)
{
    uint32_t value = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
    uint32_t high = s->high;

    if (value == 16)
        return wrong(s, "not four hexadecimal digits behind \\u");
    s->code = s->code << 4 | value;
    if (++s->digits < 4)
        return true;
    s->state = IN_STRING;
    if (s->code >= 0xD800 && s->code < 0xDC00 && !high) {
        s->high = s->code;
        return true;
    }
    if ((high != 0) != (s->code >= 0xDC00 && s->code < 0xE000))
        return wrong(s, "half of a surrogate pair");
    s->high = 0;
    return tell_code(s,
                     high ? 0x10000 + ((high - 0xD800) << 10) + (s->code - 0xDC00) : s->code);
}

/* ---- one byte ---------------------------------------------------------------------- */

static bool begin_value(struct json_stream *s, char c)
{
    switch (c) {
    case '{':
    case '[':
        return begin_nested(s, c == '{');
    case '"':
        begin_string(s, false);
        return true;
    default:
        if (!is_scalar_char(c))
            return wrong(s, "a value is missing");
        s->token[0] = c;
        s->token_len = 1;
        s->state = IN_SCALAR;
        return true;
    }
}

static bool after(struct json_stream *s, char c)
{
    bool object = s->in_object[s->depth - 1];

    if (c == (object ? '}' : ']'))
        return end_nested(s);
    if (c != ',')
        return wrong(s, object ? "neither ',' nor '}'" : "neither ',' nor ']'");
    s->state = object ? BEFORE_NAME : BEFORE_VALUE;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Outside of strings and scalars. */
static bool between(struct json_stream *s, char c)
{
    switch ((enum state)s->state) {
    case BEFORE_VALUE_OR_END:
        return c == ']' ? end_nested(s) : begin_value(s, c);
    case BEFORE_VALUE:
        return begin_value(s, c);
    case BEFORE_NAME_OR_END:
        if (c == '}')
            return end_nested(s);
        /* fall through */
    case BEFORE_NAME:
        if (c != '"')
            return wrong(s, "a name is missing");
        begin_string(s, true);
        return true;
    case BEFORE_COLON:
        if (c != ':')
            return wrong(s, "':' is missing");
        s->state = BEFORE_VALUE;
        return true;
    case AFTER_VALUE:
        return after(s, c);
    default:
        return wrong(s, "something behind the end");
    }
}

static bool take(struct json_stream *s, char c)
{
    if (s->state == IN_STRING)
        return in_string(s, c);
    if (s->state == IN_ESCAPE)
        return in_escape(s, c);
    if (s->state == IN_CODE)
        return in_code(s, c);
    if (s->state == IN_SCALAR) {
        if (is_scalar_char(c)) {
            if (s->token_len == sizeof(s->token))
                return wrong(s, "a number too long");
            s->token[s->token_len++] = c;
            return true;
        }
        if (!end_scalar(s))
            return false;
    }
    if (is_blank(c)) {
        if (c == '\n') {
            s->line++;
            s->line_at = s->at + 1;
        }
        return true;
    }
    return between(s, c);
}

bool json_stream_feed(struct json_stream *s, const char *data, size_t len)
{
    const char *end = data + len;

    while (data < end) {
        size_t run =
            s->state == IN_STRING && !s->high ? plain_run(data, (size_t)(end - data)) : 0;

        if (run > 0) {
            if (!tell(s, str_of(data, run), false))
                return false;
        } else {
            if (!take(s, *data))
                return false;
            run = 1;
        }
        s->at += run;
        data += run;
    }
    return true;
}

bool json_stream_end(struct json_stream *s)
{
    if (s->state == IN_SCALAR && s->depth == 0 && !end_scalar(s))
        return false;
    if (s->state == OVER)
        return true;
    return wrong(s, s->at == 0 ? "it is empty" : "it ends too early");
}
