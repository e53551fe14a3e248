/* SPDX-License-Identifier: MIT */
/* json_walk.c - walking JSON as it comes. */
#include "disk/files/json_walk.h"

#define BLOCK_SIZE KiB(64)
#define DEPTH_MAX  200

void json_walk_init(struct json_walk *s, struct lines *from)
{
    *s = (struct json_walk){.from = from, .block = xmalloc(BLOCK_SIZE)};
    buf_init(&s->why, 512);
}

void json_walk_release(struct json_walk *s)
{
    mem_free(s->block);
    buf_release(&s->why);
}

static bool fail(struct json_walk *s, const char *why)
{
    if (s->why.len == 0)
        buf_add_c(&s->why, why);
    return false;
}

/* -1 at the end, or when something is wrong. */
static int peek(struct json_walk *s)
{
    ssize_t n;

    if (!json_walk_ok(s) || s->end)
        return -1;
    if (s->at < s->len)
        return (unsigned char)s->block[s->at];
    n = lines_read(s->from, s->block, BLOCK_SIZE);
    if (n < 0)
        buf_add(&s->why, lines_why(s->from));
    s->end = n <= 0;
    s->at = 0;
    s->len = n > 0 ? (size_t)n : 0;
    return n > 0 ? (unsigned char)s->block[0] : -1;
}

static int next(struct json_walk *s)
{
    int c = peek(s);

    if (c < 0)
        fail(s, "the JSON ends early");
    else
        s->at++;
    return c;
}

static int skip_blanks(struct json_walk *s)
{
    int c;

    while ((c = peek(s)) == ' ' || c == '\t' || c == '\r' || c == '\n')
        s->at++;
    return c;
}

bool walk_try(struct json_walk *s, char c)
{
    if (skip_blanks(s) != c)
        return false;
    s->at++;
    return true;
}

bool walk_take(struct json_walk *s, char c)
{
    char text[] = "the JSON has no ' ' where one has to be";

    text[strlen("the JSON has no '")] = c;
    return walk_try(s, c) || fail(s, text);
}

/* ---- texts ------------------------------------------------------------------------- */

static bool read_hex4(struct json_walk *s, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        int c = next(s);

        if (c >= '0' && c <= '9')
            *unit = *unit << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            *unit = *unit << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            return fail(s, "the JSON has a bad escape");
    }
    return true;
}

static size_t to_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Behind "\u". A surrogate without its other half becomes U+FFFD; *left is the unit that was
 * read in vain for it, 0: none. */
static bool read_unit(struct json_walk *s, uint32_t *c, uint32_t *left)
{
    uint32_t low;

    *left = 0;
    if (!read_hex4(s, c))
        return false;
    if (*c < 0xD800 || *c > 0xDFFF)
        return true;
    if (*c > 0xDBFF || peek(s) != '\\') {
        *c = 0xFFFD;
        return true;
    }
    s->at++;
    if (peek(s) != 'u') {
        /* Another escape follows: it is told apart by the caller. */
        *c = 0xFFFD;
        *left = '\\';
        return true;
    }
    s->at++;
    if (!read_hex4(s, &low))
        return false;
    if (low >= 0xDC00 && low <= 0xDFFF) {
        *c = 0x10000 + ((*c - 0xD800) << 10) + (low - 0xDC00);
        return true;
    }
    *c = 0xFFFD;
    *left = low >= 0xD800 && low <= 0xDFFF ? 0xFFFD : low;
    return true;
}

typedef bool add_piece(void *arg, struct str piece);

static bool add_char(struct json_walk *s, uint32_t c, add_piece *add, void *arg)
{
    char utf8[4];

    return add(arg, str_of(utf8, to_utf8(c, utf8))) || fail(s, "a text is too long");
}

/* Behind a backslash. */
static bool read_escape(struct json_walk *s, add_piece *add, void *arg)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = next(s);
    const char *found = c > 0 ? strchr(from, c) : NULL;
    uint32_t unit, left;

    if (found)
        return add_char(s, (uint32_t)to[found - from], add, arg);
    if (c != 'u')
        return fail(s, "the JSON has a bad escape");
    if (!read_unit(s, &unit, &left) || !add_char(s, unit, add, arg))
        return false;
    if (left == '\\')
        return read_escape(s, add, arg);
    return left == 0 || add_char(s, left, add, arg);
}

bool walk_text(struct json_walk *s, add_piece *add, void *arg)
{
    if (!walk_take(s, '"'))
        return false;
    for (;;) {
        size_t from = s->at;
        int c = peek(s);

        if (c < 0)
            return fail(s, "the JSON ends early");
        from = s->at;
        while (s->at < s->len && s->block[s->at] != '"' && s->block[s->at] != '\\')
            s->at++;
        if (s->at > from && !add(arg, str_of(s->block + from, s->at - from)))
            return fail(s, "a text is too long");
        if (s->at == s->len)
            continue;
        if (s->block[s->at++] == '"')
            return true;
        if (!read_escape(s, add, arg))
            return false;
    }
}

static bool add_to_buf(void *buf, struct str piece)
{
    buf_add(buf, piece);
    return buf_ok(buf);
}

bool walk_text_buf(struct json_walk *s, struct buf *out)
{
    return walk_text(s, add_to_buf, out);
}

/* ---- values ------------------------------------------------------------------------ */

/* A text as it stands, its quote already taken. */
static bool copy_text(struct json_walk *s, struct buf *out)
{
    for (;;) {
        int c = next(s);

        if (c < 0)
            return false;
        buf_add_char(out, (char)c);
        if (c == '"')
            return true;
        if (c == '\\') {
            c = next(s);
            if (c < 0)
                return false;
            buf_add_char(out, (char)c);
        }
    }
}

static bool is_end(int c)
{
    return c < 0 || (c < 128 && strchr(",]} \t\r\n", c));
}

bool walk_value(struct json_walk *s, struct buf *out)
{
    int depth = 0;
    struct buf nowhere;

    /* Its limit makes it keep nothing. */
    buf_init(&nowhere, 0);
    if (!out)
        out = &nowhere;
    do {
        int c = skip_blanks(s);

        if (next(s) < 0)
            return false;
        buf_add_char(out, (char)c);
        if (c == '"') {
            if (!copy_text(s, out))
                return false;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return fail(s, "the JSON is nested too deep");
        } else if (c == '}' || c == ']') {
            if (--depth < 0)
                return fail(s, "the JSON has no value where one has to be");
        } else if (c != ',' && c != ':') {
            while (!is_end(c = peek(s)) && c != ':') {
                buf_add_char(out, (char)c);
                s->at++;
            }
        } else if (depth == 0) {
            return fail(s, "the JSON has no value where one has to be");
        }
    } while (depth > 0);
    return json_walk_ok(s);
}

bool walk_member(struct json_walk *s, bool *first, struct buf *name)
{
    bool was_first = *first;

    *first = false;
    if (walk_try(s, '}') || (!was_first && !walk_take(s, ',')))
        return false;
    buf_reset(name);
    return walk_text_buf(s, name) && walk_take(s, ':');
}

bool walk_element(struct json_walk *s, bool *first)
{
    bool was_first = *first;

    *first = false;
    return !walk_try(s, ']') && (was_first || walk_take(s, ',')) && json_walk_ok(s);
}
