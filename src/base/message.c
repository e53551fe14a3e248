/* SPDX-License-Identifier: MIT */
/* message.c - looking headers up in requests, building them in replies. */
#include "base/message.h"

#define REPLY_HEADERS_MAX   KiB(64)
#define REPLY_HEADERS_USUAL KiB(1) /* what most replies need: one allocation, not five */
#define REPLY_TEXT_MAX      MiB(64)

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
    *r = (struct reply){.status = 200, .content_length = CONTENT_LENGTH_NONE};
    buf_init(&r->headers, REPLY_HEADERS_MAX);
    buf_init(&r->text, REPLY_TEXT_MAX);
}

void reply_release(struct reply *r)
{
    void (*release)(void *) = TAKE(r->release);

    buf_release(&r->headers);
    r->header_count = 0;
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

/* There is room for it. */
static void add_terminated(struct buf *b, struct str text)
{
    char *at = b->ptr + b->len;

    str_put(at, text);
    make_harmless(at, text.len);
    at[text.len] = '\0';
    b->len += text.len + 1;
}

/* What stands before a header's name and value in reply.headers, not aligned. */
struct header_lens {
    uint32_t name, value;
};

void reply_header(struct reply *r, struct str name, struct str value)
{
    if (!r->headers.ptr && !buf_reserve(&r->headers, REPLY_HEADERS_USUAL))
        return;
    /* All or nothing: half a header would break the run. */
    if (name.len > REPLY_HEADERS_MAX || value.len > REPLY_HEADERS_MAX ||
        !buf_reserve(&r->headers, sizeof(struct header_lens) + name.len + value.len + 2)) {
        r->headers.failed = true;
        return;
    }
    const struct header_lens lens = {(uint32_t)name.len, (uint32_t)value.len};
    memcpy(r->headers.ptr + r->headers.len, &lens, sizeof(lens));
    r->headers.len += sizeof(lens);
    add_terminated(&r->headers, name);
    add_terminated(&r->headers, value);
    r->header_count++;
}

void reply_headerf(struct reply *r, const char *name, const char *fmt, ...)
{
    AUTO_BUF(value, REPLY_HEADERS_MAX);
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&value, fmt, args);
    va_end(args);
    if (buf_ok(&value))
        reply_header(r, str_c(name), buf_str(&value));
    else
        r->headers.failed = true;
}

const char *reply_header_next(const struct reply *r, const char *previous, const char **name,
                              const char **value)
{
    struct header_lens lens;
    const char *at = r->headers.ptr;

    if (previous) {
        memcpy(&lens, previous, sizeof(lens));
        at = previous + sizeof(lens) + lens.name + 1 + lens.value + 1;
    }
    if (!at || at == r->headers.ptr + r->headers.len)
        return NULL;
    memcpy(&lens, at, sizeof(lens));
    *name = at + sizeof(lens);
    *value = *name + lens.name + 1;
    return at;
}
