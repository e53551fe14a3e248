/* SPDX-License-Identifier: MIT */
/* json_walk.h - JSON that is too large to be held: its outer levels are walked as they come,
 * inner values taken as text. One thread. */
#ifndef S3MEM_DISK_JSON_WALK_H
#define S3MEM_DISK_JSON_WALK_H

#include "disk/files/lines.h"

struct json_walk {
    struct lines *from; /* borrowed */
    char *block;        /* owned */
    size_t at, len;
    bool end;
    struct buf why; /* what is wrong with it; empty: nothing yet */
};
void json_walk_init(struct json_walk *s, struct lines *from);
void json_walk_release(struct json_walk *s);

/* All are false once something was wrong. */

/* The next byte that is no blank must be c; it is taken. */
MUST_CHECK bool walk_take(struct json_walk *s, char c);
/* Is it c? Then it is taken. */
MUST_CHECK bool walk_try(struct json_walk *s, char c);
/* A text, decoded: given to add() bit by bit, or into a buf. */
MUST_CHECK bool walk_text(struct json_walk *s, bool (*add)(void *arg, struct str piece),
                          void *arg);
MUST_CHECK bool walk_text_buf(struct json_walk *s, struct buf *out);
/* A whole value as it stands, on one line; out NULL: it is passed over. */
MUST_CHECK bool walk_value(struct json_walk *s, struct buf *out);
/* Within {...}: the next member's name, its colon taken. False: the end (its brace is taken),
 * or something is wrong. first: is this the first one? It is set to false. */
MUST_CHECK bool walk_member(struct json_walk *s, bool *first, struct buf *name);
/* Within [...]: is there another element? As walk_member. */
MUST_CHECK bool walk_element(struct json_walk *s, bool *first);
static inline bool json_walk_ok(const struct json_walk *s)
{
    return s->why.len == 0;
}

#endif
