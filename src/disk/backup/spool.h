/* SPDX-License-Identifier: MIT */
/* spool.h - texts that wait on disk: any number of them, one behind the other in one unlinked
 * temporary file, so that they cost one descriptor and no memory. One thread. */
#ifndef S3MEM_DISK_SPOOL_H
#define S3MEM_DISK_SPOOL_H

#include "base/base.h"

#include <sys/types.h>

/* A part of a file that is read from its front. fd belongs to whoever the stretch does; -1:
 * there is none. */
struct stretch {
    int fd;
    uint64_t at, end; /* UINT64_MAX: wherever the file ends */
};
#define STRETCH_NONE ((struct stretch){.fd = -1})

/* The next bytes; 0 at the end, -1 and errno. */
MUST_CHECK ssize_t stretch_read(struct stretch *s, void *out, size_t max);
/* The same part with a descriptor of its own; fd -1 and errno on failure. */
MUST_CHECK struct stretch stretch_dup(const struct stretch *s);
void stretch_close(struct stretch *s);

/*   begin -> add ... -> end, or drop; for each text. Errors stick. */
struct spool {
    int fd;         /* -1: nothing has been written */
    int error;      /* errno of what failed first */
    uint64_t begun; /* where the present text begins */
    uint64_t size;  /* where the next byte goes, but for those in block */
    struct buf block;
};

void spool_init(struct spool *s);
void spool_release(struct spool *s);
void spool_begin(struct spool *s);
MUST_CHECK bool spool_add(struct spool *s, struct str piece);
/* Where the text is; borrows the descriptor. False: s->error. */
MUST_CHECK bool spool_end(struct spool *s, struct stretch *out);
/* The text was for nothing: the next one takes its place. */
void spool_drop(struct spool *s);

#endif
