/* SPDX-License-Identifier: MIT */
/* archive_read.h - BackupPlugin's archives, turned into what a backup folder would have. */
#ifndef S3MEM_DISK_ARCHIVE_READ_H
#define S3MEM_DISK_ARCHIVE_READ_H

#include "disk/backup/backup.h"

/* One resource of an archive. */
struct archive_part {
    char *name;           /* owned: the resource's */
    char *file;           /* owned: what errors call it */
    json_t *definition;   /* owned; NULL: it has none */
    struct stretch lines; /* in spool, one record a line; borrowed */
};
struct archive_parts {
    struct archive_part *list; /* owned */
    size_t count;
    struct spool spool;
    struct workspace *workspace; /* for the definitions; borrowed */
};
void archive_parts_init(struct archive_parts *parts, struct workspace *workspace);
/* Once, into parts that were initialised. False: why, or the workspace has refused. Files that
 * hold no records of a resource, as restore's own eyes see it, are passed over and named in
 * skipped. */
MUST_CHECK bool archive_read(struct archive_parts *out, struct source *source, struct str name,
                             struct told *skipped, struct work *work, struct buf *why);
void archive_parts_release(struct archive_parts *parts);

#endif
