/* SPDX-License-Identifier: MIT */
/* database.h - what the files of the database share.
 *
 * schema.sql   the tables, and how states share rows
 * database.c   opening, locking, closing; statements
 * check.c      is the file what we would have written?
 * migrate.c    a file of an older version of the schema becomes one of ours
 * apply.c      one change -> rows (the writer's thread)
 * heads.c      where the branches stand (likewise)
 * collect.c    rows that nothing refers to any more (likewise)
 * fold.c       nodes that nobody names become one with their only child (likewise)
 * rebase.c     buckets taken from states that nobody names any more (likewise)
 * reload.c     rows -> the store, at the start
 * follow.c     observer -> queue -> writer's thread -> transactions; who waits for them */
#ifndef S3MEM_DISK_DATABASE_H
#define S3MEM_DISK_DATABASE_H

#include "disk/disk.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* "s3me" and the schema's version, where SQLite keeps such numbers for programs. */
#define APPLICATION_ID 0x73336d65
#define SCHEMA_VERSION 2
/* A page of a file that we make. */
#define JOURNAL_PAGE 8192

/* Every statement, by its name; see statements.def. */
enum statement {
#define X(name, sql) SQL_##name,
#include "disk/sqlite/statements.def"
#undef X
    SQL_COUNT
};

/* Each kind of a bucket's documents is a column of table `bucket` (schema.sql) and of each
 * statement that names `tagging`, bound by bind_settings and read by read_bucket. */
_Static_assert(BUCKET_DOC_COUNT == 1, "the database keeps tagging only");

/* What a row of `object` is. */
enum object_kind { KIND_OBJECT, KIND_MARKER, KIND_GONE };

/* A bucket as the head of a branch sees it. */
struct seen_bucket {
    char name[64];    /* first */
    int64_t contents; /* 0: there is none */
    int64_t owner;    /* the node that has all its rows, 0: there is none such */
};

/* A branch: the node that its changes are written to. */
struct head {
    char name[NAME_MAX_LEN + 1]; /* first */
    int64_t node;
    int64_t parent; /* 0: nothing is below */
    bool written;   /* something was, since it became the head */
    void *buckets;  /* tree of seen_bucket by name, see tsearch(3) */
    struct seen_bucket *last_bucket;
};

/* A change that waits to be written. */
struct queued {
    enum change_kind kind;
    bool from_snapshot;
    bool passing, passed; /* changes that came earlier: in this transaction, in one before */
    bool done;            /* it has passed, and who waits may know */
    uint32_t part_number;
    const struct durable_wait *owner; /* only to be compared */
    size_t text;                      /* where its names begin: branch, bucket, name */
    uint16_t branch_len, bucket_len, name_len;
    int64_t time_ns;
    struct record *record; /* references */
    struct upload *upload;
    struct root *root;
    struct bucket_info *info; /* owned */
};

struct batch {
    struct queued *entries;
    size_t count, room;
    char *text;
    size_t text_len, text_room;
    uint64_t bytes;    /* that it will write, about: replaced bodies live as long */
    int64_t oldest_ns; /* monotonic */
};

/* The file, and those that SQLite keeps beside it. */
#define DATABASE_FILES 3

struct file_id {
    dev_t device;
    ino_t inode;
};

struct database {
    struct database_options options;
    char *path; /* owned */
    int lock_fd;
    int version; /* of the schema, as the file was found; 0: it was empty */
    sqlite3 *sql;
    sqlite3_stmt *statements[SQL_COUNT];

    /* The writer's alone. */
    void *heads; /* tree of struct head by name; NULL: to be read. There is always main's. */
    struct head *last_head;
    int err;         /* SQLite's, the first of this transaction; SQLITE_OK */
    unsigned groups; /* begun and not ended */
    uint64_t transaction_bytes;
    size_t committed; /* entries in hand before this one are in the file */
    size_t applying;  /* entry in hand: the one at work */
    bool overtaking;  /* it waits while others pass */
    bool others_wait; /* changes in hand may pass it, and were too many to do so at once */
    uint64_t newest_segment; /* none with a larger number was ever in the file */
    int wal_pages;           /* of the journal, since it was last copied into the file */
    struct file_id files[DATABASE_FILES]; /* as they were opened */
    bool files_gone;                      /* why err is set */
    bool has_garbage;
    bool old_stands;         /* FILE.N, of a migration that nothing was written since */
    int64_t next_warning_ns; /* monotonic; that it is slow */

    pthread_mutex_t lock; /* guards what follows; taken inside of the store's locks */
    pthread_cond_t changed;
    struct batch filling;
    struct batch hand;     /* is being written; the writer reads it without the lock */
    size_t hand_safe;      /* its entries up to here are on disk */
    unsigned open_groups;  /* in filling */
    bool unfilled;         /* one of them ends with database_filled */
    uint64_t queued, safe; /* changes told so far, and those on disk before those in hand */
    uint64_t commits;
    struct durable_wait *waiting;
    enum persist_state state;
    int64_t behind_since_ns; /* monotonic; of the batch that is being written */
    char error[256];
    bool stopping;

    bool follows, is_new;
    pthread_t thread;
    struct durable durable;
};

/* ---- statements (database.c) ------------------------------------------------------- */

/* A statement to bind parameters to; its former ones are gone. */
sqlite3_stmt *sql_begin(struct database *db, enum statement which);
/* With its first parameters bound to these numbers, as many of them as it has. */
sqlite3_stmt *sql_begin_with(struct database *db, enum statement which, const int64_t *values,
                             size_t count);
void sql_text(sqlite3_stmt *s, int at, struct str text); /* borrowed until it has run */
void sql_bytes(sqlite3_stmt *s, int at, const void *bytes, size_t len); /* likewise */
/* NULL when there is nothing. */
void sql_optional(sqlite3_stmt *s, int at, struct str bytes);
/* Runs it to its end. False: db->err is set. */
bool sql_run(struct database *db, sqlite3_stmt *s);
/* The next row: true. False: its end, or db->err is set. */
bool sql_row(struct database *db, sqlite3_stmt *s);
struct str sql_column(sqlite3_stmt *s, int at); /* bytes, until the next row */
/* "begin", "commit" ...; false: db->err is set. */
bool sql_exec(struct database *db, const char *sql);
/* One number that a statement without parameters gives; 0 when there is no row. */
int64_t sql_number(struct database *db, enum statement which);

/* ---- the rest ---------------------------------------------------------------------- */

/* Has it our tables, indexes and triggers, as this version of the schema had them, and nothing
 * else? False: db->err is set, or why tells. */
bool check_schema(struct database *db, int64_t version, struct buf *why);
/* Does something stand in each column that may? As above; why names table, row and column. */
bool check_columns(struct database *db, struct buf *why);
/* Are all rows together a state? For tests: it may take longer than loading. As above. */
bool check_invariants(struct database *db, struct buf *why);

/* Writes the numbers by which the file is known, as of our version. */
bool write_numbers(struct database *db);
/* Brings a file of that version to ours and keeps it as FILE.N. False: it is as it was; why
 * tells, or db->err is set. */
bool migrate(struct database *db, int64_t version, struct buf *why);
/* Are there files FILE.N? */
void old_find(struct database *db);
/* Something was written: they go. */
void old_remove(struct database *db);

/* Remembers which files these are; false: one cannot be seen. */
bool files_note(struct database *db);
/* Do the names still belong to the files that are written to? What is written to a removed file
 * is lost with the process. */
bool files_stay(const struct database *db);

/* Reads the heads anew, after a rollback and at the start. */
bool heads_read(struct database *db);
void heads_free(struct database *db);
struct head *add_head(struct database *db, struct str name, int64_t node, int64_t parent);
/* NULL: no such branch. */
struct head *find_head(struct database *db, struct str name);
void remove_head(struct database *db, struct head *head);
/* The head's buckets that were asked for; NULL: this was not. */
struct seen_bucket *recall_bucket(struct head *head, struct str name);
struct seen_bucket *remember_bucket(struct head *head, struct str name, int64_t contents,
                                    int64_t owner);
void forget_buckets(struct head *head);
/* Are all the bucket's rows the head's? Then what goes leaves no trace. */
static inline bool is_own(const struct head *head, const struct seen_bucket *seen)
{
    return seen->owner == head->node;
}

/* Ends a long transaction and begins another, when what was written so far may stand alone: the
 * entries in hand before `entries`. Others may pass the one at work meanwhile. False: db->err is
 * set. */
bool commit_if_long(struct database *db, size_t entries);
/* The bytes of an entry that are not in the file yet; db->err may be set. */
uint64_t unwritten_bytes(struct database *db, const struct queued *entry);
/* Writes one change; false: db->err is set. */
bool apply(struct database *db, const struct batch *batch, const struct queued *entry);

/* The number of the contents that a bucket has in a node's state; 0: there is none, or db->err
 * is set. *own: all its rows are the node's. */
int64_t find_contents(struct database *db, int64_t node, struct str bucket, bool *own);
/* What the node has of these contents (0: of none) is nobody's any more. */
bool discard(struct database *db, int64_t node, int64_t contents);

/* The tables that statements name, in memory. False: db->err is set. */
bool collect_prepare(struct database *db);
/* From now on it is noted what may be garbage; what already is, is found. As above. */
bool collect_begin(struct database *db);
/* Removes at most `most` rows and `chunks` chunks that are garbage; *done when there is none
 * left. */
bool collect(struct database *db, int most, int chunks, bool *done);
/* Removes at most `most` chunks of segments that nothing refers to any more, once the rows that
 * did are gone; *done when there are none left. In a transaction. */
bool collect_segments(struct database *db, int most, bool *done);

/* Goes on with folding the node, if that can be, at most `most` rows of it or a little more.
 * Returns how many rows are still allowed; *found is false when it cannot. Heads are read anew
 * after that. */
int fold(struct database *db, int64_t node, int most, bool *found);

/* The same for a bucket that stands on the node `base`, which nothing else needs. */
int rebase(struct database *db, int64_t base, int most, bool *found);

/* Into the empty store. False: db->err is set, or why says what was wrong. */
bool reload(struct database *db, struct buf *why);

/* Observer and thread. False: no thread can be had. */
bool follow_start(struct database *db);
/* False: something could not be written. */
bool follow_stop(struct database *db);

#endif
