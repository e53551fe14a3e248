/* SPDX-License-Identifier: MIT */
/* database_player.h - everything that can be done to a store, at random, so that its file
 * follows. */
#ifndef S3MEM_TESTS_DATABASE_PLAYER_H
#define S3MEM_TESTS_DATABASE_PLAYER_H

#include "database_fixture.h"

#define BIG MiB(1) /* the largest body */

struct player {
    struct fixture *f;
    struct lcg random;
    bool small;   /* bodies: all but the largest */
    bool foreign; /* the state came from elsewhere: a document of it may be refused */
};

typedef void deed(struct player *p, struct branch *b);
#define DEEDS 21
extern deed *const deeds[DEEDS];

uint32_t pick(struct player *p, uint32_t limit);
deed do_put, do_bucket, do_upload, do_upload_more;
/* One of the deeds, on some branch. */
void act(struct player *p);
/* The same of deeds that are one change: there is no state between before and after. */
void act_at_once(struct player *p);

#endif
