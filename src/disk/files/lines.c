/* SPDX-License-Identifier: MIT */
/* lines.c - text files, plain or gzip, in and out. */
#include "disk/files/lines.h"

#include <errno.h>

#include <zlib.h>

#define BLOCK_SIZE KiB(64)
/* As source.c: more than that is no text. */
#define EXPANSION_FREE MiB(64)
#define EXPANSION_MAX  500

/* ---- reading ----------------------------------------------------------------------- */

struct lines {
    struct stretch text;
    const struct work *work;
    bool known, gzip; /* whether it is */
    bool in_member;   /* a gzip member has begun and not ended */
    bool end, failed;
    z_stream z;
    Bytef *raw;  /* BLOCK_SIZE, as on disk */
    char *plain; /* BLOCK_SIZE, of which [at, len) are not taken yet */
    size_t at, len;
    uint64_t in, out;
    struct buf line;
    struct workspace *workspace; /* NULL: not counted */
    size_t held;                 /* of it, for line */
    uint64_t number;
    struct digest digest;
    struct buf why;
};

struct lines *lines_new(struct stretch text, const struct work *work)
{
    struct lines *l = xcalloc(1, sizeof(*l));

    l->text = text;
    l->work = work;
    l->raw = xmalloc(BLOCK_SIZE);
    l->plain = xmalloc(BLOCK_SIZE);
    buf_init(&l->line, LINE_MAX_BYTES);
    buf_init(&l->why, 512);
    digest_init(&l->digest, CHECKSUM_SHA256);
    return l;
}

void lines_set_workspace(struct lines *l, struct workspace *workspace)
{
    l->workspace = workspace;
}

static void forget_line(struct lines *l)
{
    buf_release(&l->line);
    if (l->workspace)
        workspace_give(l->workspace, l->held);
    l->held = 0;
}

void lines_free(struct lines *l)
{
    if (!l)
        return;
    stretch_close(&l->text);
    if (l->gzip)
        inflateEnd(&l->z);
    mem_free(l->raw);
    mem_free(l->plain);
    forget_line(l);
    buf_release(&l->why);
    digest_release(&l->digest);
    mem_free(l);
}

static bool fail(struct lines *l, const char *why)
{
    if (!l->failed)
        buf_add_c(&l->why, why);
    l->failed = true;
    return false;
}

/* Appends to the line, and takes its memory. */
static void add_to_line(struct lines *l, struct str piece)
{
    buf_add(&l->line, piece);
    if (!l->workspace || l->line.cap <= l->held)
        return;
    if (workspace_take(l->workspace, l->line.cap - l->held))
        l->held = l->line.cap;
    else
        fail(l, "memory is out (see --max-memory)");
}

/* More raw bytes; false at the end or on failure. */
static bool read_raw(struct lines *l)
{
    ssize_t n = stretch_read(&l->text, l->raw, BLOCK_SIZE);

    if (work_cancelled(l->work))
        return fail(l, "it was cancelled");
    if (n < 0)
        return fail(l, strerror(errno));
    l->z.next_in = l->raw;
    l->z.avail_in = (uInt)n;
    l->in += (uint64_t)n;
    return n > 0;
}

/* Whatever read() gave first: less than two bytes are no gzip. */
static void know(struct lines *l)
{
    l->known = true;
    if (!read_raw(l) || l->z.avail_in < 2 || l->raw[0] != 0x1f || l->raw[1] != 0x8b)
        return;
    l->gzip = inflateInit2(&l->z, 15 + 16) == Z_OK;
    l->in_member = true;
    if (!l->gzip)
        fail(l, "memory is out");
}

static void fill_plain(struct lines *l)
{
    if (l->z.avail_in == 0 && !read_raw(l)) {
        l->end = true;
        return;
    }
    memcpy(l->plain, l->z.next_in, l->z.avail_in);
    l->len = l->z.avail_in;
    l->z.avail_in = 0;
}

/* One call of inflate. Several members one after the other are one text. */
static void inflate_some(struct lines *l)
{
    int result;

    if (l->z.avail_in == 0 && !read_raw(l)) {
        l->end = true;
        if (l->in_member)
            fail(l, "its gzip data is truncated");
        return;
    }
    if (!l->in_member) {
        inflateReset(&l->z);
        l->in_member = true;
    }
    l->z.next_out = (Bytef *)l->plain;
    l->z.avail_out = BLOCK_SIZE;
    result = inflate(&l->z, Z_NO_FLUSH);
    l->len = BLOCK_SIZE - l->z.avail_out;
    l->out += l->len;
    if (result == Z_STREAM_END)
        l->in_member = false;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        fail(l, "its gzip data is damaged");
    if (l->out > EXPANSION_FREE && l->out / EXPANSION_MAX > l->in)
        fail(l, "it expands to more than 500 times its size");
}

/* Is there something in plain? */
static bool fill(struct lines *l)
{
    if (!l->known)
        know(l);
    while (l->at == l->len && !l->end && !l->failed) {
        l->at = l->len = 0;
        if (l->gzip)
            inflate_some(l);
        else
            fill_plain(l);
        if (l->len > 0 && !l->failed)
            digest_update(&l->digest, l->plain, l->len);
    }
    return l->at < l->len && !l->failed;
}

ssize_t lines_read(struct lines *l, void *out, size_t max)
{
    size_t n;

    if (!fill(l))
        return l->failed ? -1 : 0;
    n = l->len - l->at < max ? l->len - l->at : max;
    memcpy(out, l->plain + l->at, n);
    l->at += n;
    return (ssize_t)n;
}

enum lines_next lines_next(struct lines *l, struct str *line)
{
    bool any = false, ended = false;

    buf_reset(&l->line);
    while (!ended && fill(l)) {
        struct str rest = str_of(l->plain + l->at, l->len - l->at);
        size_t lf = str_find_char(rest, '\n');

        ended = lf != SIZE_MAX;
        any = true;
        add_to_line(l, str_of(rest.ptr, ended ? lf : rest.len));
        l->at += ended ? lf + 1 : rest.len;
    }
    if (l->failed)
        return LINES_FAILED;
    if (!any)
        return LINES_END;
    l->number++;
    if (!buf_ok(&l->line)) {
        forget_line(l);
        buf_reset(&l->line);
        return LINES_LONG;
    }
    *line = buf_str(&l->line);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    return LINES_ONE;
}

uint64_t lines_number(const struct lines *l)
{
    return l->number;
}

struct str lines_why(const struct lines *l)
{
    return buf_str(&l->why);
}

void lines_digest(struct lines *l, uint8_t out[SHA256_SIZE])
{
    digest_final(&l->digest, out);
    l->digest = (struct digest){0};
}

/* ---- writing ----------------------------------------------------------------------- */

struct text_file {
    struct sink *sink;
    bool gzip, failed;
    z_stream z;
    Bytef *block; /* BLOCK_SIZE, of which len are filled */
    size_t len;
    struct digest digest;
    uint64_t bytes;
};

struct text_file *text_file_new(struct sink *sink, struct str name, bool gzip)
{
    struct text_file *f = xcalloc(1, sizeof(*f));

    f->sink = sink;
    f->block = xmalloc(BLOCK_SIZE);
    digest_init(&f->digest, CHECKSUM_SHA256);
    /* 15 + 16: a gzip header, with neither time nor name. */
    if (gzip)
        f->gzip = deflateInit2(&f->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    f->failed = f->gzip != gzip || !sink_begin(sink, name);
    return f;
}

void text_file_free(struct text_file *f)
{
    if (!f)
        return;
    if (f->gzip)
        deflateEnd(&f->z);
    digest_release(&f->digest);
    mem_free(f->block);
    mem_free(f);
}

static bool flush(struct text_file *f)
{
    if (!f->failed && f->len > 0)
        f->failed = !sink_write(f->sink, f->block, f->len);
    f->bytes += f->len;
    f->len = 0;
    return !f->failed;
}

static bool deflate_some(struct text_file *f, struct str text, int how)
{
    int result = Z_OK;

    f->z.next_in = (Bytef *)(uintptr_t)text.ptr;
    f->z.avail_in = (uInt)text.len;
    do {
        if (f->len == BLOCK_SIZE && !flush(f))
            return false;
        f->z.next_out = f->block + f->len;
        f->z.avail_out = (uInt)(BLOCK_SIZE - f->len);
        result = deflate(&f->z, how);
        f->len = BLOCK_SIZE - f->z.avail_out;
    } while (f->z.avail_in > 0 || f->z.avail_out == 0 ||
             (how == Z_FINISH && result != Z_STREAM_END));
    return true;
}

bool text_file_add(struct text_file *f, struct str text)
{
    if (f->failed)
        return false;
    digest_update(&f->digest, text.ptr, text.len);
    if (f->gzip) {
        /* zlib counts in 32 bits. */
        for (size_t at = 0; at < text.len; at += GiB(1)) {
            struct str rest = str_from(text, at);

            rest.len = rest.len < GiB(1) ? rest.len : GiB(1);
            if (!deflate_some(f, rest, Z_NO_FLUSH))
                return false;
        }
        return true;
    }
    while (text.len > 0) {
        size_t n = BLOCK_SIZE - f->len < text.len ? BLOCK_SIZE - f->len : text.len;

        memcpy(f->block + f->len, text.ptr, n);
        f->len += n;
        text = str_from(text, n);
        if (f->len == BLOCK_SIZE && !flush(f))
            return false;
    }
    return true;
}

bool text_file_end(struct text_file *f, struct text_file_facts *facts)
{
    if (f->failed || (f->gzip && !deflate_some(f, STR(""), Z_FINISH)) || !flush(f))
        return false;
    digest_final(&f->digest, facts->sha256);
    f->digest = (struct digest){0};
    facts->bytes = f->bytes;
    return sink_end(f->sink);
}
