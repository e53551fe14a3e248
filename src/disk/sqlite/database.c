/* SPDX-License-Identifier: MIT */
/* database.c - a SQLite file: opening it, alone and only if it is understood; statements. */
#include "disk/sqlite/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROW_MAX MiB(32)

static const char schema[] = {
#include "disk/sqlite/schema.inc"
    0};

static const char *const sql_texts[SQL_COUNT] = {
#define X(name, sql) [SQL_##name] = sql,
#include "disk/sqlite/statements.def"
#undef X
};

/* ---- statements -------------------------------------------------------------------- */

static bool failed(struct database *db, int err)
{
    if (err == SQLITE_OK || err == SQLITE_ROW || err == SQLITE_DONE)
        return false;
    if (db->err == SQLITE_OK)
        db->err = err;
    return true;
}

sqlite3_stmt *sql_begin(struct database *db, enum statement which)
{
    sqlite3_stmt *s = db->statements[which];

    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return s;
}

sqlite3_stmt *sql_begin_with(struct database *db, enum statement which, const int64_t *values,
                             size_t count)
{
    sqlite3_stmt *s = sql_begin(db, which);
    int room = sqlite3_bind_parameter_count(s);

    for (int i = 0; i < room && i < (int)count; i++)
        sqlite3_bind_int64(s, i + 1, values[i]);
    return s;
}

void sql_text(sqlite3_stmt *s, int at, struct str text)
{
    sqlite3_bind_text(s, at, text.len > 0 ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

void sql_bytes(sqlite3_stmt *s, int at, const void *bytes, size_t len)
{
    if (len > 0)
        sqlite3_bind_blob64(s, at, bytes, len, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(s, at, 0);
}

void sql_optional(sqlite3_stmt *s, int at, struct str bytes)
{
    if (bytes.len > 0)
        sql_bytes(s, at, bytes.ptr, bytes.len);
}

bool sql_row(struct database *db, sqlite3_stmt *s)
{
    int err = db->err ? db->err : sqlite3_step(s);

    if (err == SQLITE_ROW)
        return true;
    failed(db, err);
    sqlite3_reset(s);
    return false;
}

bool sql_run(struct database *db, sqlite3_stmt *s)
{
    while (sql_row(db, s))
        continue;
    return !db->err;
}

struct str sql_column(sqlite3_stmt *s, int at)
{
    const void *bytes = sqlite3_column_blob(s, at);

    return str_of(bytes, (size_t)sqlite3_column_bytes(s, at));
}

bool sql_exec(struct database *db, const char *sql)
{
    return !failed(db, sqlite3_exec(db->sql, sql, NULL, NULL, NULL));
}

int64_t sql_number(struct database *db, enum statement which)
{
    sqlite3_stmt *s = sql_begin(db, which);
    int64_t number = sql_row(db, s) ? sqlite3_column_int64(s, 0) : 0;

    sqlite3_reset(s);
    return number;
}

static bool prepare_statements(struct database *db)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        if (failed(db, sqlite3_prepare_v3(db->sql, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                          &db->statements[i], NULL)))
            return false;
    }
    return true;
}

/* ---- what the file is -------------------------------------------------------------- */

static int64_t pragma(struct database *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t value = 0;

    if (!failed(db, sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL)) && sql_row(db, s))
        value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static bool write_attributes(struct database *db)
{
    sqlite3_stmt *s = NULL;

    failed(db, sqlite3_prepare_v2(db->sql, "INSERT OR IGNORE INTO attribute VALUES (?, ?)", -1,
                                  &s, NULL));
    for (unsigned i = ATTR_END + 1; i < ATTR_COUNT && !db->err; i++) {
        sqlite3_reset(s);
        sqlite3_bind_int64(s, 1, i);
        sql_text(s, 2, attr_name((enum attr)i));
        sql_run(db, s);
    }
    sqlite3_finalize(s);
    return !db->err;
}

bool write_numbers(struct database *db)
{
    char numbers[96];

    snprintf(numbers, sizeof(numbers), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, SCHEMA_VERSION);
    return sql_exec(db, numbers);
}

static bool create(struct database *db)
{
    char page_size[64];

    snprintf(page_size, sizeof(page_size), "PRAGMA page_size = %d", JOURNAL_PAGE);
    if (!sql_exec(db, page_size) || !sql_exec(db, "PRAGMA journal_mode = WAL") ||
        !sql_exec(db, "BEGIN IMMEDIATE"))
        return false;
    if (sql_exec(db, schema) && write_numbers(db) &&
        sql_exec(db, "INSERT INTO node (parent) VALUES (NULL);"
                     "INSERT INTO branch VALUES ('main', '',"
                     " CAST(strftime('%s', 'now') AS INTEGER) * 1000000000, 1)") &&
        write_attributes(db) && sql_exec(db, "COMMIT"))
        return true;
    sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* Do the numbers in packed attributes mean what they mean to us? Numbers are only ever added.
 */
static bool attributes_fit(struct database *db, struct buf *why)
{
    sqlite3_stmt *s = NULL;

    failed(db, sqlite3_prepare_v2(db->sql, "SELECT number, name FROM attribute", -1, &s, NULL));
    while (why->len == 0 && sql_row(db, s)) {
        int64_t number = sqlite3_column_int64(s, 0);

        if (number <= ATTR_END || number >= ATTR_COUNT ||
            !str_eq(attr_name((enum attr)number), sql_column(s, 1)))
            buf_addf(why,
                     "%s: table attribute, row %" PRId64
                     ": this s3memd knows no such attribute of objects",
                     db->path, number);
    }
    sqlite3_finalize(s);
    return !db->err && why->len == 0;
}

/* Has nobody ever written to it? Contents and nodes are numbered from 1, which main has. */
static bool is_untouched(struct database *db)
{
    return pragma(db, "SELECT coalesce(sum(seq), 0) FROM sqlite_sequence") <= 1;
}

/* Is it ours, and do we know its version? Nothing is changed before that. */
static bool recognise(struct database *db, bool *empty, struct buf *why)
{
    int64_t application = pragma(db, "PRAGMA application_id");
    int64_t version = pragma(db, "PRAGMA user_version");

    *empty = pragma(db, "SELECT count(*) FROM sqlite_schema") == 0;
    if (db->err)
        return false;
    if (*empty)
        return true;
    db->version = (int)version;
    if (application != APPLICATION_ID)
        buf_addf(why, "%s is a database of something else", db->path);
    else if (version < 1)
        buf_addf(why, "%s has no version of its format: it is damaged", db->path);
    else if (version > SCHEMA_VERSION)
        buf_addf(why,
                 "%s was written by a newer s3memd (version %lld of its format; this one "
                 "knows %d)",
                 db->path, (long long)version, SCHEMA_VERSION);
    return why->len == 0 && check_schema(db, version, why) && attributes_fit(db, why);
}

/* ---- the files' names --------------------------------------------------------------- */

static bool file_id(const struct database *db, size_t which, struct file_id *out)
{
    static const char *const suffixes[DATABASE_FILES] = {"", "-wal", "-shm"};
    AUTO_BUF(path, KiB(8));
    struct stat st;

    buf_addf(&path, "%s%s", db->path, suffixes[which]);
    buf_add_char(&path, '\0');
    if (!buf_ok(&path) || stat(path.ptr, &st) != 0)
        return false;
    *out = (struct file_id){.device = st.st_dev, .inode = st.st_ino};
    return true;
}

bool files_note(struct database *db)
{
    for (size_t i = 0; i < DATABASE_FILES; i++) {
        if (!file_id(db, i, &db->files[i]))
            return false;
    }
    return true;
}

bool files_stay(const struct database *db)
{
    struct file_id now;

    for (size_t i = 0; i < DATABASE_FILES; i++) {
        if (!file_id(db, i, &now) || now.device != db->files[i].device ||
            now.inode != db->files[i].inode)
            return false;
    }
    return true;
}

/* ---- opening ----------------------------------------------------------------------- */

/* One server a file. SQLite's own locks are per transaction, and POSIX locks on this file would
 * be lost with any descriptor of it that is closed: this is a lock of another kind, and the
 * descriptor stays open as long as SQLite uses the file. */
static bool take_lock(struct database *db, struct buf *why)
{
    int flags = db->options.follow ? O_RDWR | O_CREAT : O_RDONLY;

    db->lock_fd = open(db->path, flags | O_CLOEXEC, 0600);
    if (db->lock_fd < 0) {
        buf_addf(why, "cannot open %s: %s", db->path, strerror(errno));
        return false;
    }
    if (db->options.follow && flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        buf_addf(why, "%s is in use by another s3memd", db->path);
        return false;
    }
    return true;
}

/* Is there a journal beside it that has to be looked at? */
static bool has_journal(const struct database *db)
{
    AUTO_BUF(path, KiB(8));
    struct stat st;

    buf_addf(&path, "%s-wal", db->path);
    buf_add_char(&path, '\0');
    return buf_ok(&path) && stat(path.ptr, &st) == 0 && st.st_size > 0;
}

/* A file that nobody writes to is read without the files that SQLite would make beside it: its
 * folder may be one that nobody may write to. The index of a journal that a crash left is made in
 * memory then, which SQLite does for who has the file to itself. */
static bool connect_to_file(struct database *db)
{
    bool alone = !db->options.follow && flock(db->lock_fd, LOCK_SH | LOCK_NB) == 0;
    bool journal = has_journal(db);
    int flags = db->options.follow ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    AUTO_BUF(uri, KiB(32));

    buf_add(&uri, STR("file:"));
    buf_add_uri(&uri, str_c(db->path), true);
    if (alone)
        buf_add_c(&uri, journal ? "?vfs=unix-none" : "?immutable=1");
    buf_add_char(&uri, '\0');
    if (!buf_ok(&uri) ||
        failed(db, sqlite3_open_v2(uri.ptr, &db->sql,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL)))
        return false;
    sqlite3_extended_result_codes(db->sql, 1);
    /* What is refused is left as it was, its journal too. */
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, journal, NULL);
    return !alone || !journal || sql_exec(db, "PRAGMA locking_mode = EXCLUSIVE");
}

static int is_interrupted(void *arg)
{
    const struct database_options *options = &((struct database *)arg)->options;

    return options->interrupted && options->interrupted(options->interrupted_arg);
}

/* What stands in the file may be anybody's: it runs nothing, and no row is larger than ours
 * are. */
static bool distrust(struct database *db)
{
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, (int)ROW_MAX);
    sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(db->sql, 100000, is_interrupted, db);
    return sql_exec(db, "PRAGMA cell_size_check = ON");
}

/* Nothing of a file that is there is changed. */
static bool open_file(struct database *db, struct buf *why)
{
    bool empty;

    if (!connect_to_file(db) || !distrust(db))
        return false;
    sqlite3_busy_timeout(db->sql, 2000);
    sql_exec(db, "PRAGMA recursive_triggers = ON");
    sql_exec(db, "PRAGMA cache_size = -16384");
    if (!recognise(db, &empty, why))
        return false;
    if (empty && !db->options.follow) {
        buf_addf(why, "%s is empty", db->path);
        return false;
    }
    return (!empty || create(db)) && collect_prepare(db) && prepare_statements(db);
}

/* What a crash left behind of bodies: nothing refers to it. It is removed in the writer's idle
 * hours, as other garbage. */
static bool tidy_up(struct database *db)
{
    db->newest_segment = (uint64_t)sql_number(db, SQL_NEWEST_SEGMENT);
    return !db->err && sql_exec(db, "BEGIN IMMEDIATE") &&
           sql_exec(db, "INSERT INTO loose SELECT id FROM segment WHERE id NOT IN"
                        " (SELECT segment FROM extent)") &&
           sql_exec(db,
                    "INSERT INTO loose SELECT DISTINCT segment FROM chunk WHERE segment NOT IN"
                    " (SELECT id FROM segment)") &&
           sql_exec(db, "COMMIT");
}

/* See copy_journal. */
static int note_journal(void *arg, sqlite3 *sql, const char *name, int pages)
{
    struct database *db = arg;

    (void)sql;
    (void)name;
    db->wal_pages = pages;
    return SQLITE_OK;
}

/* The file was good: from now on it is written to. */
static bool begin_writing(struct database *db, struct buf *why)
{
    sqlite3_progress_handler(db->sql, 0, NULL, NULL);
    if (!db->options.follow)
        return true;
    db->is_new = is_untouched(db);
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sql_exec(db, "PRAGMA journal_mode = WAL");
    if (db->err || (db->version && !migrate(db, db->version, why)) ||
        !write_attributes(db)) /* those that are newer than the file */
        return false;
    old_find(db);
    sql_exec(db, db->options.durability == DURABILITY_ALWAYS ? "PRAGMA synchronous = FULL"
                                                             : "PRAGMA synchronous = NORMAL");
    /* Some builds of SQLite overwrite what is deleted: removing a body would write all of it. */
    sql_exec(db, "PRAGMA secure_delete = OFF");
    sqlite3_wal_hook(db->sql, note_journal, db);
    /* About as much: what a larger transaction needed is given back. */
    sql_exec(db, "PRAGMA journal_size_limit = 33554432");
    return tidy_up(db) && collect_begin(db);
}

static void explain(struct database *db, struct buf *why)
{
    if (why->len > 0)
        return;
    buf_addf(why, "%s: %s", db->path,
             db->sql && sqlite3_errcode(db->sql) != SQLITE_OK ? sqlite3_errmsg(db->sql)
                                                              : sqlite3_errstr(db->err));
}

static void close_file(struct database *db)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sql);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    heads_free(db);
    pthread_mutex_destroy(&db->lock);
    pthread_cond_destroy(&db->changed);
    mem_free(db->path);
    mem_free(db);
}

static struct database *database_new(const struct database_options *options)
{
    struct database *db = xcalloc(1, sizeof(*db));
    pthread_condattr_t attr;

    db->options = *options;
    db->path = xstrdup(options->path);
    db->lock_fd = -1;
    pthread_mutex_init(&db->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&db->changed, &attr);
    pthread_condattr_destroy(&attr);
    return db;
}

struct database *database_open(const struct database_options *options, struct buf *why)
{
    struct database *db = database_new(options);

    if (!take_lock(db, why) || !open_file(db, why) || !reload(db, why) ||
        !begin_writing(db, why) || !heads_read(db)) {
        explain(db, why);
        close_file(db);
        return NULL;
    }
    if (options->follow && (!files_note(db) || !follow_start(db))) {
        buf_addf(why, "%s cannot be followed: %s", db->path, strerror(errno));
        close_file(db);
        return NULL;
    }
    return db;
}

bool database_check(const char *path, struct buf *why)
{
    struct database *db = database_new(&(struct database_options){.path = path});
    bool ok = take_lock(db, why) && open_file(db, why) && sql_exec(db, "BEGIN") &&
              check_columns(db, why) && check_invariants(db, why);

    if (!ok)
        explain(db, why);
    close_file(db);
    return ok;
}

bool database_close(struct database *db)
{
    bool ok;

    if (!db)
        return true;
    ok = follow_stop(db);
    close_file(db);
    return ok;
}
