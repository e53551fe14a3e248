/* SPDX-License-Identifier: MIT */
/* disk.h - the door of room disk: state outside of memory.
 *
 *   document  one state in a portable stream of bytes, to be kept, sent and loaded elsewhere
 *   memory    one bucket in the JSON file of s3db.js's MemoryClient
 *   database  a SQLite file that follows every change of a store
 *   check     what a file of any of these holds, or what is wrong with it
 *   paths     files that clients name, which must lie below --state-dir
 */
#ifndef S3MEM_DISK_H
#define S3MEM_DISK_H

#include "app/app.h"
#include "store/store.h"

/* ---- the document ------------------------------------------------------------------ */

/*
 *   "s3mem snapshot 1\n", then items, each a letter and its fields:
 *   B  name, region, owner, created, versioning, count of documents, (name, text) ...
 *   R  key, flags, number, time; unless it is a delete marker: MD5, checksum, part count, rows
 *      of parts, (number, size, checksum) ..., upload id, attributes, length, bytes
 *   U  key, upload id, time, checksum algorithm and type, owner, attributes, flags
 *   P  number, time, MD5, checksum, length, bytes
 *   E  counts of B, R, U and P, then the SHA-256 of everything before it
 *
 * Numbers are varints (7 bits a byte, low first), times 8 bytes little-endian nanoseconds,
 * texts a length and bytes; numbers of records and uploads are at most 2^46; algorithms and
 * attributes go by their names. Each bucket's records stand in the order of their keys, newest
 * first, then its uploads. Nothing in it depends on when or how it was written: equal states
 * are equal bytes. gzip around it is optional. */

/* Takes a reference of its own on root. One thread. */
struct document_writer;
struct document_writer *document_writer_new(struct root *root, bool gzip);
void document_writer_free(struct document_writer *w);
enum document_state { DOCUMENT_MORE, DOCUMENT_END, DOCUMENT_FAILED };
/* The next bytes, at most max of them (at least KiB(1)). FAILED: memory is out. */
MUST_CHECK enum document_state document_write(struct document_writer *w, void *out, size_t max,
                                              size_t *len);

/* One thread. The document may come in pieces of any size, plain or gzip. */
struct document_reader;
struct document_reader *document_reader_new(struct store *store);
void document_reader_free(struct document_reader *r);
/* Sticky: INVALID_ARGUMENT (it is no such document, or altered), SLOW_DOWN (memory). */
MUST_CHECK enum s3_err document_feed(struct document_reader *r, const void *data, size_t len);
/* Its end was reached: the state becomes the snapshot of that name (see loader_finish). Errors
 * as above; *result is set on S3_OK. */
MUST_CHECK enum s3_err document_finish(struct document_reader *r, struct str name, bool replace,
                                       enum named *result);
/* One sentence: what is wrong, and where. */
const char *document_error(const struct document_reader *r);

/* ---- a file that follows the store ------------------------------------------------- */

enum persist_state {
    PERSIST_OK,
    PERSIST_BEHIND, /* the disk takes nothing: full, unreachable ... It is tried again */
    PERSIST_BROKEN, /* it is not tried again: the file is damaged */
};
enum durability {
    DURABILITY_RELAXED, /* calls do not wait; a change is written within 100 ms */
    DURABILITY_ALWAYS,  /* a change is synced to disk before its call is answered */
};
struct persist_stats {
    const char *path; /* borrowed */
    bool follows;     /* else it was only loaded, and all below is zero */
    enum durability durability;
    enum persist_state state;
    uint64_t changes;  /* of the store, since the start */
    uint64_t written;  /* of those: are in the file */
    uint64_t commits;  /* in so many transactions */
    int64_t behind_ns; /* since when the oldest of those that are not waits; 0: there is none */
    char error[256];   /* of the last failure, empty while the state is OK */
};

/* ---- MemoryClient's JSON file ------------------------------------------------------ */

/*
 *   {"timestamp", "bucket", "objectCount", "objects": {KEY: {"body" (base64), "metadata",
 *    "contentType", "etag", "lastModified", "size", "contentEncoding"?, "contentLength"}}}
 *
 * as JSON.stringify(..., null, 2) writes it, keys in byte order. It holds the current objects
 * of one bucket, and of those no more than these members. */

/* What a bucket has that the file cannot hold. */
struct memory_json_lost {
    uint64_t versions;                        /* noncurrent ones and delete markers */
    uint64_t uploads;                         /* in progress */
    uint64_t tags, checksums, headers, parts; /* objects that have them; checksums but the
                                               * CRC64NVME that every object can be given */
    uint64_t bucket_settings;                 /* versioning, tags of the bucket */
};
bool memory_json_loses(const struct memory_json_lost *lost);

/* Takes a reference of its own on root. One thread. */
struct memory_json_writer;
/* NULL: there is no such bucket. */
MUST_CHECK struct memory_json_writer *
memory_json_writer_new(struct root *root, struct str bucket, struct work *work);
void memory_json_writer_free(struct memory_json_writer *w);
/* To be called first, again and again: looks at `most` objects to see what would be lost.
 * False: all have been seen. */
MUST_CHECK bool memory_json_look(struct memory_json_writer *w, size_t most);
/* Whole after the look. */
const struct memory_json_lost *memory_json_lost(const struct memory_json_writer *w);
uint64_t memory_json_objects(const struct memory_json_writer *w);
/* As document_write. */
MUST_CHECK enum document_state memory_json_write(struct memory_json_writer *w, void *out,
                                                 size_t max, size_t *len);

struct memory_json_target {
    struct store *store;
    struct str bucket;        /* ptr NULL: the one that the file names */
    struct str region, owner; /* of a bucket that is not there yet */
    bool (*name_ok)(struct str bucket);
    struct work *work;
};
/* One thread. The file may come in pieces of any size; memory is taken for what was decoded of
 * it only. All texts of target are copied. */
struct memory_json_reader;
struct memory_json_reader *memory_json_reader_new(const struct memory_json_target *target);
void memory_json_reader_free(struct memory_json_reader *r);
/* Sticky: INVALID_ARGUMENT (the file is not good), SLOW_DOWN (memory). */
MUST_CHECK enum s3_err memory_json_feed(struct memory_json_reader *r, const void *data,
                                        size_t len);
/* Its end was reached. Errors as above; nobody has seen anything of it yet. */
MUST_CHECK enum s3_err memory_json_finish(struct memory_json_reader *r);
/* Then: the objects become the branch's bucket, in place of all that it held (settings stay);
 * in one step. */
MUST_CHECK enum s3_err memory_json_replace(struct memory_json_reader *r, struct branch **b);
/* Or they are put beside what it holds, at most `most` a call, until *done. Who reads meanwhile
 * sees some of them. */
MUST_CHECK enum s3_err memory_json_merge(struct memory_json_reader *r, struct branch *b,
                                         size_t most, bool *done);
/* One sentence: what is wrong, and where. */
const char *memory_json_error(const struct memory_json_reader *r);
struct memory_json_loaded {
    char bucket[64];
    uint64_t objects, bytes;
    uint64_t etags_kept;     /* that are not the MD5 of their bodies */
    uint64_t etags_replaced; /* that are no S3 ETags at all: by the MD5 */
    bool created;            /* the bucket was not there */
};
void memory_json_loaded(const struct memory_json_reader *r, struct memory_json_loaded *out);

/* ---- the database ------------------------------------------------------------------ */

/* Everything a store holds, in a file that `sqlite3` reads too (sqlite/schema.sql says what is
 * where). A thread of its own writes what the store's observer tells, many changes a
 * transaction; after a crash, a kill or a power cut the file holds a state as it once was. */
struct database_options {
    struct store *store; /* still empty */
    const char *path;
    enum durability durability;
    bool follow;      /* false: what is there is loaded and never written again */
    int64_t retry_ns; /* pause before what could not be written is tried again; 0: 500 ms */
    /* Asked now and then while much is loaded; NULL: never. */
    bool (*interrupted)(void *arg);
    void *interrupted_arg;
};
struct database;
/* Loads the file, or creates one when it follows. Before traffic starts. NULL: why says what
 * was wrong, in a sentence; a file that it does not understand is left as it was. */
MUST_CHECK struct database *database_open(const struct database_options *options,
                                          struct buf *why);
/* Writes what has changed until now, unless it is new and was not filled. False: it could not
 * (the log says why). Accepts NULL. Nothing may change in the store any more. */
bool database_close(struct database *db);
/* Reads the file that a server has left, and nothing else: are its tables ours, is each column
 * good, and are the rows together a state (src/disk/sqlite/columns.sql, invariants.sql)? False: why
 * names a table and a row. It takes time and memory for all rows, not for bodies. */
MUST_CHECK bool database_check(const char *path, struct buf *why);
/* What calls are to ask before and after a change; NULL when it does not follow. Good until
 * database_close. */
const struct durable *database_durable(struct database *db);
/* Was nothing ever written to it? Then what is changed until database_filled, as one, is there
 * or not: a start that was cut short is begun anew. */
bool database_is_new(const struct database *db);
void database_filled(struct database *db);

void database_stats(struct database *db, struct persist_stats *out);

/* ---- a look at what there is -------------------------------------------------------- */

enum state_check {
    STATE_GOOD,
    STATE_BAD,        /* why names what is wrong, and where; several lines for several things */
    STATE_UNREADABLE, /* why: the system's reason */
};
struct state_check_options {
    bool (*bucket_name_ok)(struct str bucket);
};
/* A database, snapshot document, JSON file of MemoryClient's or backup: is it good, and what does
 * it hold (lines in report)? It is read whole, into memory, and nothing is written. */
MUST_CHECK enum state_check state_check(const char *path,
                                        const struct state_check_options *options,
                                        struct buf *report, struct buf *why);

/* ---- paths that clients give ------------------------------------------------------- */

/* All of it may block: not for I/O threads. */
struct state_dirs;
/* Opens the folders. NULL: why says which cannot be. Without any every path is refused. */
MUST_CHECK struct state_dirs *state_dirs_open(const char *const *paths, size_t count,
                                              struct buf *why);
void state_dirs_close(struct state_dirs *dirs);

/* A file or folder that may be there or not: a name in a folder that is. */
struct state_path {
    int dir; /* owned; -1: none */
    char name[256];
};
enum state_found {
    STATE_FOUND,
    STATE_OFF,     /* there is no --state-dir */
    STATE_INVALID, /* no path at all */
    STATE_OUTSIDE,
    STATE_MISSING, /* the folder it should be in is not there */
    STATE_FAILED,  /* that folder cannot be opened */
};
/* A relative path is one below the first folder; an absolute one must lie below one of them.
 * Neither ".." nor symbolic links are followed; whoever opens path->name must not follow it
 * either (state_path_open, new_file_begin and mkdirat do not). why: a sentence, unless FOUND.
 * dirs may be NULL: OFF. */
MUST_CHECK enum state_found state_dirs_find(const struct state_dirs *dirs, struct str path,
                                            struct state_path *out, struct buf *why);
void state_path_release(struct state_path *path);
/* For reading: a descriptor, or a negative errno; EINVAL: it is not a regular file. */
MUST_CHECK int state_path_open(const struct state_path *path);

/* A file that takes its place only when it is complete. Each returns 0 or errno. */
struct new_file {
    int dir, fd;
    char name[256], temporary[256];
};
/* dir is borrowed until the end. */
MUST_CHECK int new_file_begin(struct new_file *f, int dir, const char *name);
MUST_CHECK int new_file_write(struct new_file *f, const void *data, size_t len);
/* Ends it in any case: on failure what was there before still is. */
MUST_CHECK int new_file_commit(struct new_file *f);
/* Leaves nothing behind. Does nothing after commit or a begin that failed. */
void new_file_drop(struct new_file *f);

AUTO_DEFINE(document_writer, document_writer_free)
AUTO_DEFINE(document_reader, document_reader_free)
AUTO_DEFINE(memory_json_writer, memory_json_writer_free)
AUTO_DEFINE(memory_json_reader, memory_json_reader_free)

#endif
