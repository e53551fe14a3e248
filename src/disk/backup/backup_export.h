/* SPDX-License-Identifier: MIT */
/* backup_export.h - what the files of the export share. */
#ifndef S3MEM_DISK_BACKUP_EXPORT_H
#define S3MEM_DISK_BACKUP_EXPORT_H

#include "disk/backup/backup.h"
#include "disk/files/lines.h"

#define EXPORT_VERSIONS_MAX 64

struct export_schema {
    char *version;              /* owned; "": the current one */
    struct s3db_schema *schema; /* NULL: it cannot be understood */
};

struct export_resource {
    char *name;    /* owned */
    json_t *entry; /* of the descriptor, borrowed; NULL: it has none */
    bool raw;
    struct export_schema *schemas; /* those that were asked for */
    size_t schema_count;
    struct buf unknown; /* why its records cannot be read; empty: they can */
    struct s3db_notes notes;
    uint64_t records, left_out, opaque, truncated;
};

struct export
{
    struct root *root;
    struct sink *sink;
    const struct backup_export_options *options;
    struct buf prefix;
    json_t *descriptor; /* owned; NULL: there is none */
    struct export_resource *resources;
    size_t resource_count;
    json_t *names; /* owned: of the resources */
    struct object_view view;
    struct buf line;
};

/* By which records that name this version are read; NULL: r->unknown. */
const struct s3db_schema *export_schema(struct export_resource *r, struct str version);
/* Each record of a resource as a line without LF, until it says false. False also when the work
 * was cancelled. Counts in r. */
typedef bool export_line(void *arg, struct str line);
MUST_CHECK bool export_records(struct export *x, struct export_resource *r, export_line *line,
                               void *arg);
/* All files. The result; NULL: sink_why, memory is out, or the work was cancelled. */
MUST_CHECK json_t *export_folder(struct export *x);
MUST_CHECK json_t *export_archive(struct export *x);

#endif
