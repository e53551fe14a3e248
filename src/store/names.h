/* SPDX-License-Identifier: MIT */
/* names.h - which branches and snapshots there are.
 *
 * Both maps are persistent trees in a struct names that never changes once it is published: a
 * change makes the next one, which shares all but a path. So looking up a name, which every
 * request does, takes no lock, and whoever forks, takes a snapshot or restores waits for no
 * reader: a reader marks its stripe while it looks, and what was replaced is freed when all
 * stripes have been seen without a mark, by the reaper if need be. */
#ifndef S3MEM_STORE_NAMES_H
#define S3MEM_STORE_NAMES_H

#include "store/core.h"

enum names_map { NAMES_BRANCHES, NAMES_SNAPSHOTS, NAMES_MAPS };

/* Makes the store's names: none. */
void names_init(struct store *store);
/* All references on items go. Nobody uses the store any more. */
void names_release(struct store *store);

/* ---- any thread, without a lock ---------------------------------------------------- */

/* A reference; NULL when there is none. */
void *names_get(struct store *store, enum names_map map, struct str name);
/* The first whose name is > after (or >= when inclusive); NULL at the end. */
void *names_next(struct store *store, enum names_map map, struct str after, bool inclusive);

/* ---- store.lock held --------------------------------------------------------------- */

/* Borrowed; NULL when there is none. */
void *names_find_locked(struct store *store, enum names_map map, struct str name);
uint64_t names_count_locked(struct store *store, enum names_map map);
/* Takes item when true; *old: the one whose place it took, a reference, or NULL. False when
 * memory is out. */
MUST_CHECK bool names_put_locked(struct store *store, enum names_map map, struct str name,
                                 void *item, void **old);
/* *old: what went, a reference, or NULL. False when memory is out. */
MUST_CHECK bool names_remove_locked(struct store *store, enum names_map map, struct str name,
                                    void **old);

#endif
