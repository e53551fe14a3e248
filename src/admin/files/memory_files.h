/* SPDX-License-Identifier: MIT */
/* memory_files.h - what the ways share on which MemoryClient's JSON file comes and goes: as a
 * stream to and from a client (memory_streams.c), or in a file of the server's (memory_jobs.c).
 */
#ifndef S3MEM_ADMIN_MEMORY_FILES_H
#define S3MEM_ADMIN_MEMORY_FILES_H

#include "admin/call.h"
#include "disk/disk.h"

/* The state that is to be saved: that of a snapshot or else of a branch (ptr NULL: main). A
 * reference; NULL: answered. */
MUST_CHECK struct root *memory_source(struct admin_call *c, struct str branch,
                                      struct str snapshot);
/* The bucket, or if none is named the only one there is, is in out (64 bytes). False: answered.
 */
MUST_CHECK bool memory_bucket(struct admin_call *c, struct root *root, struct str bucket,
                              char out[64]);
/* {"versions": 3 ...}: what the file cannot hold, of which there is any. */
json_t *memory_lost_json(const struct memory_json_lost *lost);
/* What is read into: where a new bucket would be, and of whom. */
struct memory_json_target memory_target(const struct admin *admin, struct str bucket);
/* What was loaded into that branch. */
json_t *memory_loaded_json(const struct memory_json_reader *r, struct str branch);
/* Is what was loaded into b seen in it? */
bool memory_is_seen(const struct memory_json_reader *r, struct branch *b);

#define MEMORY_LOST_CODE "NotRepresentable"
#define MEMORY_LOST_MESSAGE                                                                    \
    "the file cannot hold all of the bucket (see notSaved); without strict the rest is saved"

#endif
