/* SPDX-License-Identifier: MIT */
/* pieces.c - answers that are made piece by piece as the client takes them: however long a list
 * is, each turn of the I/O thread is short, and no more than a piece is in memory. */
#include "admin/call.h"

/* A turn makes so much at most, and works for about half a millisecond. */
#define PIECE_LEN   KiB(16)
#define PIECE_TICKS TURN_TICKS_SHORT
#define PIECE_MAX   MiB(16)

static void make_piece(struct pieces *p)
{
    int64_t until = turn_ticks() + PIECE_TICKS;

    do
        p->over = !p->next(p->arg, &p->text);
    while (!p->over && buf_ok(&p->text) && p->text.len < PIECE_LEN && turn_ticks() < until);
    /* Nothing yet: a line end between two pieces means nothing, in JSON as in metrics. */
    if (!p->over && p->text.len == 0)
        buf_add_char(&p->text, '\n');
}

static enum stream_next stream_pieces(void *arg, void *out, size_t max, size_t *len)
{
    struct pieces *p = arg;

    if (p->text.len == 0 && !p->over)
        make_piece(p);
    if (!buf_ok(&p->text))
        return STREAM_FAILED;
    *len = buf_drain(&p->text, &p->sent, out, max);
    return p->over && p->text.len == 0 ? STREAM_END : STREAM_MORE;
}

enum app_next admin_pieces(struct admin_call *c, const char *type, piece_next *next, void *arg)
{
    struct pieces *p = &c->pieces;

    *p = (struct pieces){.next = next, .arg = arg};
    buf_init(&p->text, PIECE_MAX);
    make_piece(p);
    if (!buf_ok(&p->text))
        return admin_no_memory(c);
    reply_kept_header(&c->reply, "Content-Type", type);
    if (p->over) {
        /* All there is: with a Content-Length. */
        buf_add(&c->reply.text, buf_str(&p->text));
        buf_release(&p->text);
        return APP_REPLY;
    }
    c->reply.stream = stream_pieces;
    c->reply.stream_arg = p;
    return APP_REPLY;
}
