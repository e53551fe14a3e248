/* SPDX-License-Identifier: MIT */
/* spool.c - texts that wait on disk. */
#include "disk/backup/spool.h"

#include "disk/backup/container.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BLOCK_SIZE KiB(64)

/* ---- reading ----------------------------------------------------------------------- */

ssize_t stretch_read(struct stretch *s, void *out, size_t max)
{
    ssize_t n;

    if (max > s->end - s->at)
        max = (size_t)(s->end - s->at);
    do
        n = pread(s->fd, out, max, (off_t)s->at);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        s->at += (uint64_t)n;
    return n;
}

struct stretch stretch_dup(const struct stretch *s)
{
    return (struct stretch){fcntl(s->fd, F_DUPFD_CLOEXEC, 0), s->at, s->end};
}

void stretch_close(struct stretch *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* ---- writing ----------------------------------------------------------------------- */

void spool_init(struct spool *s)
{
    *s = (struct spool){.fd = -1};
    buf_init(&s->block, BLOCK_SIZE);
}

void spool_release(struct spool *s)
{
    if (s->fd >= 0)
        close(s->fd);
    buf_release(&s->block);
}

void spool_begin(struct spool *s)
{
    s->begun = s->size;
}

static void write_out(struct spool *s, struct str text)
{
    while (text.len > 0 && !s->error) {
        ssize_t n = pwrite(s->fd, text.ptr, text.len, (off_t)s->size);

        if (n < 0 && errno != EINTR)
            s->error = errno;
        if (n > 0) {
            s->size += (uint64_t)n;
            text = str_from(text, (size_t)n);
        }
    }
}

static void flush(struct spool *s)
{
    write_out(s, buf_str(&s->block));
    buf_reset(&s->block);
}

static bool is_open(struct spool *s)
{
    if (s->fd < 0 && !s->error) {
        s->fd = temporary_file();
        s->error = s->fd < 0 ? errno : 0;
    }
    return !s->error;
}

bool spool_add(struct spool *s, struct str piece)
{
    if (!is_open(s))
        return false;
    if (s->block.len + piece.len > BLOCK_SIZE)
        flush(s);
    if (piece.len > BLOCK_SIZE)
        write_out(s, piece);
    else
        buf_add(&s->block, piece);
    if (!buf_ok(&s->block) && !s->error)
        s->error = ENOMEM;
    return !s->error;
}

bool spool_end(struct spool *s, struct stretch *out)
{
    if (is_open(s))
        flush(s);
    *out = (struct stretch){s->fd, s->begun, s->size};
    return !s->error;
}

void spool_drop(struct spool *s)
{
    buf_reset(&s->block);
    s->size = s->begun;
}
