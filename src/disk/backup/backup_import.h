/* SPDX-License-Identifier: MIT */
/* backup_import.h - what the steps of an import share.
 *
 *   plan      backup_plan.c     which files, of which resources, and how each is to be read
 *   lines     backup_lines.c    JSONL: records encoded anew
 *   objects   backup_objects.c  the sidecar, as it is
 *   import    backup_import.c   one after the other, into a branch or aside of it */
#ifndef S3MEM_DISK_BACKUP_IMPORT_H
#define S3MEM_DISK_BACKUP_IMPORT_H

#include "disk/backup/archive_read.h"
#include "disk/backup/backup.h"
#include "disk/files/lines.h"

enum import_way {
    IMPORT_REFUSED, /* an error says why */
    IMPORT_OBJECTS, /* its objects are in the sidecar, true to the lines */
    IMPORT_LINES,   /* records become objects */
    IMPORT_RAW,     /* lines become raw objects */
};

struct import_resource {
    char *name;               /* owned */
    char *file;               /* owned: "users.jsonl.gz" */
    const json_t *definition; /* what the manifest calls schema; NULL: it has none. Borrowed */
    const json_t *extension;  /* what the manifest tells import; NULL. Borrowed */
    struct stretch archived;  /* its lines, out of an archive, or none. Borrowed */
    enum import_way way;
    struct s3db_schema *schema; /* LINES: owned */
    json_t *entry;              /* for the descriptor: owned; NULL: as it is */
    uint64_t records;           /* that went in */
};

struct import {
    struct store *store;
    struct source *source;
    const struct backup_import_options *options;
    struct buf bucket, prefix;
    json_t *manifest; /* owned */
    struct archive_parts parts;
    struct import_resource *resources; /* owned, in the order of the manifest */
    size_t resource_count;
    json_t *names; /* owned: of the resources */
    struct buf
        sidecar; /* its name in the source; empty: there is none that is to be believed */

    struct branch *branch; /* where it is written to; owned */
    json_t *before;        /* the bucket's descriptor, owned; NULL: it has none */
    json_t *descriptor;    /* the sidecar's, owned; NULL */
    bool descriptor_whole; /* the sidecar's goes in as it is */

    struct workspace workspace;
    size_t parsed;  /* of it, for the line that is worked on */
    json_t *agreed; /* owned: what import_agrees has said of a name */

    struct told errors, reencoded, warnings;
    uint64_t objects;
    enum backup_status status; /* what ends all of it; OK: nothing yet */
    struct buf *why;
};

/* Counts an error of one resource; line 0: of its file as a whole. */
void import_error(struct import *x, const struct import_resource *r, uint64_t line,
                  const char *fmt, ...) PRINTF_LIKE(4, 5);
/* An error of the sidecar. */
void import_sidecar_error(struct import *x, uint64_t line, struct str why);
void import_warn(struct import *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Ends the import; false, for `return`. */
bool import_stop(struct import *x, enum backup_status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Puts an object. Takes body, also on failure. False: import_stop was called, or (why) this one
 * cannot be. */
MUST_CHECK bool import_put(struct import *x, const struct record_spec *spec, struct body *body,
                           struct buf *why);
MUST_CHECK bool import_go_on(struct import *x);
/* Takes memory for what will be parsed of a line, until the next line; of another text, until
 * the import is over. False: stopped, there is no room. */
MUST_CHECK bool import_may_parse_line(struct import *x, struct str line);
MUST_CHECK bool import_may_parse(struct import *x, struct str text);
/* Stops because there is no room. */
bool import_no_memory(struct import *x);

/* Reads the manifest or the archive, finds the files. False: stopped. */
MUST_CHECK bool import_plan(struct import *x);
/* After x->branch: schemas of those that need one; refuses what would spoil what is there. */
MUST_CHECK bool import_settle(struct import *x);
/* The lines of one resource. */
MUST_CHECK bool import_lines(struct import *x, struct import_resource *r);
/* The sidecar's descriptor, its first line. */
MUST_CHECK bool import_read_descriptor(struct import *x);
MUST_CHECK bool import_objects(struct import *x);
/* Opens a resource's lines; NULL: an error was counted. */
MUST_CHECK struct lines *import_open(struct import *x, const struct import_resource *r);
/* May objects of a resource that has no lines stand beside what the bucket has of it? */
MUST_CHECK bool import_agrees(struct import *x, struct str name);
struct import_resource *import_find(struct import *x, struct str name);

#endif
