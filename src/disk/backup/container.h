/* SPDX-License-Identifier: MIT */
/* container.h - named files that belong together: in a folder, or in a tar. They lie flat: no
 * name has a slash, and nothing but plain files is read or written.
 *
 * `why`, wherever it stands, gets a sentence about what went wrong. One thread. */
#ifndef S3MEM_DISK_CONTAINER_H
#define S3MEM_DISK_CONTAINER_H

#include "app/app.h"
#include "disk/backup/spool.h"

#include <sys/types.h>

#define CONTAINER_FILES_MAX 10000

/* Is it one a file in a container may have? Not empty, ".", "..", longer than a file system
 * takes, or with a slash or NUL. */
bool container_name_ok(struct str name);

/* ---- writing ----------------------------------------------------------------------- */

/*   begin -> write ... -> end, for each file; then finish. Errors stick, and sink_why tells. */
struct sink;

/* A folder that is there as a whole or not at all: made beside its place under a temporary
 * name, synced, renamed. An empty folder of that name is replaced; with replace also one that
 * holds nothing but files of a backup (backup_file_name). dir: the folder that path is relative
 * to, or AT_FDCWD. NULL: it cannot be made. */
MUST_CHECK struct sink *sink_folder_new(int dir, const char *path, bool replace,
                                        struct buf *why);
/* A tar, given to write() as it comes into being; false ends it. Each file waits in an unlinked
 * temporary file for its end, since a tar says sizes first. */
typedef bool container_write(void *arg, const void *data, size_t len);
MUST_CHECK struct sink *sink_tar_new(container_write *write, void *arg, bool gzip);
MUST_CHECK bool sink_begin(struct sink *s, struct str name);
MUST_CHECK bool sink_write(struct sink *s, const void *data, size_t len);
MUST_CHECK bool sink_end(struct sink *s);
/* All is there and safe. */
MUST_CHECK bool sink_finish(struct sink *s);
/* What is not finished is gone. Accepts NULL. */
void sink_free(struct sink *s);
struct str sink_why(const struct sink *s);

/* What export writes or import reads: s3db.json, NAME.jsonl[.gz], objects.ndjson[.gz],
 * ID.backup, ID.manifest.json. */
bool backup_file_name(struct str name);

/* ---- reading ----------------------------------------------------------------------- */

struct source;

/* 0 at the end, -1 when it cannot be read. */
typedef ssize_t container_read(void *arg, void *out, size_t max);

/* The folder, or the file: a tar, a tar.gz, or whatever else as the one file of its name. dir
 * is what path is relative to: then it may not be a link; or AT_FDCWD. work: looked at for whether
 * to go on; may be NULL. NULL: it cannot be read. */
MUST_CHECK struct source *source_path_new(int dir, const char *path, const struct work *work,
                                          struct buf *why);
/* A tar or tar.gz, or else one file: BackupPlugin's archive, called SOURCE_ARCHIVE. What is
 * read waits in one unlinked temporary file. Folders in the tar count for nothing: DIR/s3db.json
 * is s3db.json. Refused: names that lead elsewhere ("..", "/..."), links and devices, two files
 * of one name, a stream that expands beyond reason, one that is cut off. */
#define SOURCE_ARCHIVE STR("archive.backup")
MUST_CHECK struct source *source_stream_new(container_read *read, void *arg, struct buf *why);
void source_free(struct source *s);
/* In the order of their names. */
size_t source_count(const struct source *s);
struct str source_name(const struct source *s, size_t i);
/* The whole file; the caller's to close. False: there is none of that name, or it cannot be
 * read. */
MUST_CHECK bool source_open(struct source *s, struct str name, struct stretch *out,
                            struct buf *why);
bool source_has(const struct source *s, struct str name);

/* ---- both -------------------------------------------------------------------------- */

/* An unlinked temporary file; -1 and errno. */
MUST_CHECK int temporary_file(void);
/* 0 or errno. */
MUST_CHECK int write_all(int fd, const void *data, size_t len);

AUTO_DEFINE(sink, sink_free)
AUTO_DEFINE(source, source_free)

#endif
