/* SPDX-License-Identifier: MIT */
/* migrate.c - a file of an older format becomes one of ours. What it was stays beside it as
 * FILE.N, N being the older number, until something was written to the new one:
 *
 *   FILE (N) -> copied to FILE.N.tmp, synced, renamed to FILE.N -> FILE is migrated, in one
 *   transaction -> its first commit -> FILE.N is removed
 *
 * Whatever ends the process between two steps, the next start goes on from there. The writer's
 * thread, or the one that opens the file. */
#include "disk/sqlite/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#define COPY_PAGES 1024 /* at once; then it is asked whether to go on */

/* What takes a file from version 1 of the schema to 2, and so on. schema.sql has all of it. */
static const char *const migrations[] = {
    /* The last files of version 1 had it already. Also: a base may be younger than the node
     * that has it. */
    "CREATE TRIGGER IF NOT EXISTS object_replaced AFTER UPDATE OF body ON object"
    " WHEN old.kind = 0 AND old.body IS NULL"
    " BEGIN"
    "  INSERT INTO loose SELECT segment FROM extent WHERE owner = 2 * old.id;"
    "  DELETE FROM extent WHERE owner = 2 * old.id;"
    " END",
};
_Static_assert(SCHEMA_VERSION == 1 + ARRAY_LEN(migrations), "a step from each older version");

/* ---- FILE.N ------------------------------------------------------------------------ */

static void name_old(const struct database *db, int64_t version, const char *suffix,
                     struct buf *out)
{
    buf_addf(out, "%s.%" PRId64 "%s", db->path, version, suffix);
    buf_add_char(out, '\0');
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Is that a database of ours, of this version? Its header tells, as FILE.N has no journal. */
static bool is_old(const char *path, int64_t version)
{
    uint8_t header[100];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool whole = fd >= 0 && pread(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header);

    if (fd >= 0)
        close(fd);
    return whole && memcmp(header, "SQLite format 3", 16) == 0 &&
           big_endian(header + 60) == version && big_endian(header + 68) == APPLICATION_ID;
}

void old_find(struct database *db)
{
    db->old_stands = false;
    for (int64_t v = 1; v < SCHEMA_VERSION; v++) {
        AUTO_BUF(path, KiB(8));

        name_old(db, v, "", &path);
        db->old_stands |= buf_ok(&path) && is_old(path.ptr, v);
    }
}

void old_remove(struct database *db)
{
    if (!db->old_stands)
        return;
    db->old_stands = false;
    for (int64_t v = 1; v < SCHEMA_VERSION; v++) {
        AUTO_BUF(path, KiB(8));

        name_old(db, v, "", &path);
        if (!buf_ok(&path) || !is_old(path.ptr, v))
            continue;
        if (unlink(path.ptr) == 0)
            log_info("%s: it was written to, %s is not needed any more", db->path, path.ptr);
        else
            log_warn("%s: %s", path.ptr, strerror(errno));
    }
}

/* ---- copying ----------------------------------------------------------------------- */

/* Page by page, with what is still in the journal. SQLite's error, or OK. */
static int copy_pages(struct database *db, sqlite3 *to)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", db->sql, "main");
    int err, end;

    if (!b)
        return sqlite3_errcode(to);
    while ((err = sqlite3_backup_step(b, COPY_PAGES)) == SQLITE_OK) {
        if (db->options.interrupted && db->options.interrupted(db->options.interrupted_arg)) {
            err = SQLITE_INTERRUPT;
            break;
        }
    }
    end = sqlite3_backup_finish(b);
    return err != SQLITE_DONE ? err : end;
}

static int copy_into(struct database *db, const char *path)
{
    sqlite3 *to = NULL;
    int err = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    /* It is nothing before it is whole, and it is synced then. */
    if (!err)
        err = sqlite3_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
                           NULL, NULL);
    if (!err)
        err = copy_pages(db, to);
    sqlite3_close(to);
    return err;
}

/* Empty, and whoever may read FILE may read it. A descriptor, or -1 with errno. */
static int create_copy(const struct database *db, const char *path)
{
    struct stat st;
    int fd;

    if (fstat(db->lock_fd, &st) != 0 || (unlink(path) != 0 && errno != ENOENT))
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && fchmod(fd, st.st_mode & 0777) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* 0 or errno. Some file systems cannot sync folders. */
static int sync_folder_of(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) ? errno : 0;

    if (fd >= 0)
        close(fd);
    mem_free(copy);
    return err;
}

/* False with why. */
static bool keep_as(struct database *db, const char *path, const char *temporary,
                    struct buf *why)
{
    int fd = create_copy(db, temporary), err = fd < 0 ? errno : 0;
    int sql_err = err ? SQLITE_OK : copy_into(db, temporary);

    if (!err && !sql_err && (fsync(fd) != 0 || rename(temporary, path) != 0))
        err = errno;
    if (fd >= 0)
        close(fd);
    if (!err && !sql_err)
        err = sync_folder_of(path);
    if (!err && !sql_err)
        return true;
    unlink(temporary);
    buf_addf(why,
             "%s is of an older format, and cannot be kept as %s before it becomes a newer "
             "one: %s",
             db->path, path, err ? strerror(err) : sqlite3_errstr(sql_err));
    return false;
}

/* FILE as it is becomes FILE.N. One that is there already is from a start that was cut short. */
static bool keep_old(struct database *db, int64_t version, struct buf *why)
{
    AUTO_BUF(path, KiB(8));
    AUTO_BUF(temporary, KiB(8));
    struct stat st;

    name_old(db, version, "", &path);
    name_old(db, version, ".tmp", &temporary);
    if (!buf_ok(&path) || !buf_ok(&temporary)) {
        buf_add(why, STR("the path is too long"));
        return false;
    }
    if (lstat(path.ptr, &st) == 0 && !is_old(path.ptr, version)) {
        buf_addf(why,
                 "%s is of version %" PRId64 " of its format and is to be kept as %s before it "
                 "becomes one of version %d, but another file stands there",
                 db->path, version, path.ptr, SCHEMA_VERSION);
        return false;
    }
    return keep_as(db, path.ptr, temporary.ptr, why);
}

/* ---- the steps --------------------------------------------------------------------- */

bool migrate(struct database *db, int64_t version, struct buf *why)
{
    if (version == SCHEMA_VERSION)
        return true;
    if (!keep_old(db, version, why) || !sql_exec(db, "BEGIN IMMEDIATE"))
        return false;
    for (int64_t v = version; v < SCHEMA_VERSION && !db->err; v++)
        sql_exec(db, migrations[v - 1]);
    if (!db->err && write_numbers(db) && sql_exec(db, "COMMIT")) {
        log_info("%s: its format is now version %d; as it was, version %" PRId64
                 ", it stays as %s.%" PRId64 " until it is written to",
                 db->path, SCHEMA_VERSION, version, db->path, version);
        return true;
    }
    sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
