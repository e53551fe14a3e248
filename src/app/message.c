/* SPDX-License-Identifier: MIT */
/* message.c - looking headers up in requests, building them in replies. */
#include "app/message.h"

#define REPLY_HEADERS_MAX KiB(64)
#define REPLY_TEXT_MAX    MiB(64)

struct reply_text {
    struct reply_text *next;
    char text[];
};

struct str request_header(const struct request *req, struct str name)
{
    for (size_t i = 0; i < req->header_count; i++) {
        if (str_eq_nocase(req->headers[i].name, name))
            return req->headers[i].value;
    }
    return STR_NONE;
}

size_t request_header_count(const struct request *req, struct str name)
{
    size_t count = 0;

    for (size_t i = 0; i < req->header_count; i++)
        count += str_eq_nocase(req->headers[i].name, name);
    return count;
}

void reply_init(struct reply *r)
{
    /* The rooms behind are written before they are read. */
    memset(r, 0, offsetof(struct reply, line_room));
    r->status = 200;
    r->content_length = CONTENT_LENGTH_NONE;
    r->lines = r->line_room;
    r->line_cap = REPLY_LINES_USUAL;
    buf_init(&r->text, REPLY_TEXT_MAX);
}

void reply_drop_headers(struct reply *r)
{
    struct reply_text *next;

    if (r->lines != r->line_room)
        mem_free(r->lines);
    r->lines = r->line_room;
    r->line_cap = REPLY_LINES_USUAL;
    r->line_count = r->text_len = 0;
    r->headers_failed = false;
    for (struct reply_text *t = TAKE(r->texts); t; t = next) {
        next = t->next;
        mem_free(t);
    }
}

void reply_release(struct reply *r)
{
    void (*release)(void *) = TAKE(r->release);

    reply_drop_headers(r);
    buf_release(&r->text);
    mem_free(TAKE(r->slices));
    r->slice_count = 0;
    r->slices_len = 0;
    if (release)
        release(TAKE(r->release_arg));
}

/* Is any of eight bytes below ' '? */
static bool eight_have_control(const char *text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t eight;

    memcpy(&eight, text, sizeof(eight));
    /* A byte's top bit is set here if it was clear and subtracting ' ' borrowed. */
    return (eight - ones * ' ') & ~eight & ones * 0x80;
}

/* Is any byte below ' '? Eight bytes at a time, the last eight once more if need be: every
 * header of every reply passes here, and hardly any has such a byte. */
static bool has_control(const char *text, size_t len)
{
    for (size_t at = 0; len >= 8 && at < len; at += 8) {
        if (eight_have_control(text + (at + 8 <= len ? at : len - 8)))
            return true;
    }
    for (size_t at = 0; len < 8 && at < len; at++) {
        if ((unsigned char)text[at] < ' ')
            return true;
    }
    return false;
}

/* What would end the header, or the text it is kept in. */
static void make_harmless(char *text, size_t len)
{
    if (!has_control(text, len))
        return;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r' || text[i] == '\n' || text[i] == '\0')
            text[i] = ' ';
    }
}

/* Room for a value of that length and its NUL; NULL: none left. */
static char *text_room(struct reply *r, size_t len)
{
    struct reply_text *t;
    size_t at = r->text_len;

    if (len >= REPLY_HEADERS_MAX || at + len >= REPLY_HEADERS_MAX)
        return NULL;
    r->text_len += len + 1;
    if (r->text_len <= REPLY_TEXT_USUAL)
        return r->text_room + at;
    t = try_malloc(sizeof(*t) + len + 1);
    if (!t)
        return NULL;
    t->next = r->texts;
    r->texts = t;
    return t->text;
}

bool reply_more_lines(struct reply *r)
{
    size_t cap = r->line_cap * 2;
    struct reply_line *lines = try_malloc(cap * sizeof(*lines));

    if (!lines) {
        r->headers_failed = true;
        return false;
    }
    memcpy(lines, r->lines, r->line_count * sizeof(*lines));
    if (r->lines != r->line_room)
        mem_free(r->lines);
    r->lines = lines;
    r->line_cap = cap;
    return true;
}

void reply_header(struct reply *r, const char *name, struct str value)
{
    char *room = text_room(r, value.len);

    if (!room) {
        r->headers_failed = true;
        return;
    }
    str_put(room, value);
    make_harmless(room, value.len);
    room[value.len] = '\0';
    reply_kept_header(r, name, room);
}

void reply_headerf(struct reply *r, const char *name, const char *fmt, ...)
{
    AUTO_BUF(value, REPLY_HEADERS_MAX);
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&value, fmt, args);
    va_end(args);
    if (buf_ok(&value))
        reply_header(r, name, buf_str(&value));
    else
        r->headers_failed = true;
}
