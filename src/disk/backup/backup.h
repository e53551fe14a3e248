/* SPDX-License-Identifier: MIT */
/* backup.h - the records of s3db.js in a bucket, as files that people and programs read, and
 * back. On threads that may block.
 *
 *   s3db.json              the manifest: schemas, counts, sizes, and under BACKUP_EXTENSION what
 *                          import needs to know
 *   NAME.jsonl[.gz]        one resource, one plain record a line
 *   objects.ndjson[.gz]    the sidecar: the objects as they are, a line each
 *
 * or, for s3db.js's BackupPlugin:
 *
 *   ID.backup              {"version", "created", "files": [{"name", "content", "size"}]}, each
 *                          content the JSON text {"resourceName", "definition", "records"}
 *   ID.manifest.json
 *
 * A line of the sidecar: key (behind the prefix), size, etag, lastModified, metadata as stored,
 * contentType and other attributes by their names, checksum, parts, body (base64). Bodies of
 * more than SIDECAR_PIECE bytes go on in lines of their own, {"more": base64}. Texts that are
 * no UTF-8 stand as base64 in a member with Base64 behind its name. */
#ifndef S3MEM_DISK_BACKUP_H
#define S3MEM_DISK_BACKUP_H

#include "app/app.h"
#include "disk/backup/container.h"
#include "disk/files/names.h"
#include "s3db/s3db.h"
#include "store/store.h"

#define BACKUP_EXTENSION "x-s3memd"
#define BACKUP_MANIFEST  STR("s3db.json")
#define BACKUP_SIDECAR   STR("objects.ndjson")

enum backup_status {
    BACKUP_OK,
    BACKUP_NO_BUCKET,
    BACKUP_NO_DATABASE, /* there is none of s3db.js, or none of these resources */
    BACKUP_SEVERAL,     /* databases in the bucket: it takes a prefix */
    BACKUP_INVALID,     /* an option, or what is to be imported */
    BACKUP_REJECTED, /* atomic: there were errors, so nothing has changed; *result has them */
    BACKUP_CONFLICT, /* somebody else wrote to the bucket meanwhile (atomic), or replaced it */
    BACKUP_DISK,
    BACKUP_NO_MEMORY,
    BACKUP_CANCELLED,
};

/* Which of them, and whose. */
struct backup_choice {
    struct str bucket;
    struct str prefix;           /* STR_NONE: that of the bucket's only database */
    const struct str *resources; /* in the order of their bytes; NULL: all */
    size_t resource_count;
    struct str passphrase; /* STR_NONE: secrets stay as they are stored */
};

/* ---- export ------------------------------------------------------------------------ */

struct backup_export_options {
    struct backup_choice choice;
    bool archive; /* for BackupPlugin.restore */
    bool plain;   /* no gzip */
    struct work *work;
};
/* Writes all files and finishes sink. *result: what was written, on OK. why: on anything else.
 */
MUST_CHECK enum backup_status backup_export(struct root *root, struct sink *sink,
                                            const struct backup_export_options *options,
                                            json_t **result, struct buf *why);

/* ---- import ------------------------------------------------------------------------ */

struct backup_import_options {
    struct backup_choice choice;
    struct str branch;
    bool clear;  /* what is there of the chosen resources goes first */
    bool atomic; /* all or nothing, in one step */
    bool raw;    /* lines become objects as importBackup of MemoryClient stores them */
    /* Of the bucket, if it has to be made: */
    struct str owner, region;
    bool (*bucket_name_ok)(struct str name);
    struct work *work;
};
/* *result: {resourcesImported, recordsImported, objectsImported, errorCount, errors:
 * [{resource, file, line, error}], reencodedCount, reencoded: [{resource, reason}],
 * warningCount, warnings: []}, on OK and REJECTED. Lists have the first ones (struct told). */
MUST_CHECK enum backup_status backup_import(struct store *store, struct source *source,
                                            const struct backup_import_options *options,
                                            json_t **result, struct buf *why);

/* ---- what both use (backup.c) ------------------------------------------------------ */

bool backup_chosen(const struct backup_choice *choice, struct str resource);
/* *prefix: as keys have it. BACKUP_SEVERAL, _NO_DATABASE: why names what there is. */
MUST_CHECK enum backup_status backup_find_database(struct buf *prefix, struct root *root,
                                                   const struct backup_choice *choice,
                                                   struct buf *why);
/* What an answer tells of, one by one: the first ones. All are counted. */
struct told {
    json_t *list; /* owned */
    uint64_t count;
    size_t bytes; /* of texts in the list */
};
/* Takes item, which has so many bytes of text. */
void told_add(struct told *t, json_t *item, size_t bytes);

/* Locks of s3db.js: whoever held them does not any more. */
bool backup_passing(const struct s3db_key *key);

/* The parts of a record's object, borrowed from it and from `scratch`. False: memory is out, or
 * the body is larger than scratch may be: then body is empty. */
struct object_view {
    struct s3db_object object;
    struct s3db_pair *pairs; /* owned */
    size_t pairs_cap;
    struct buf scratch; /* holds bodies that lie in pieces */
};
void object_view_init(struct object_view *v);
void object_view_release(struct object_view *v);
MUST_CHECK bool object_view_set(struct object_view *v, const struct record *r);

/* The current record of a key; NULL: there is none. A reference. */
struct record *root_record(struct root *root, struct str bucket, struct str key);

/* ---- sidecar lines (sidecar.c) ----------------------------------------------------- */

#define SIDECAR_PIECE KiB(512)

/* Calls `line` with each line of an object, without LF, until it says false. */
MUST_CHECK bool sidecar_write(const struct record *r, struct str key,
                              bool (*line)(void *arg, struct str line), void *arg);
/* An object that is read back, line by line. */
struct sidecar_object {
    struct buf key; /* behind the prefix */
    struct buf attrs;
    struct record_spec spec; /* but key, attrs */
    struct part_info *parts; /* owned; what spec.parts is */
    uint64_t size;
    struct body *body; /* owned */
};
void sidecar_object_init(struct sidecar_object *o);
void sidecar_object_release(struct sidecar_object *o);
/* INVALID_ARGUMENT: why says what is wrong with the line. SLOW_DOWN. *whole: the body is
 * complete and has the ETag it should have. */
MUST_CHECK enum s3_err sidecar_read(struct sidecar_object *o, struct store *store,
                                    struct str line, bool *whole, struct buf *why);

#endif
