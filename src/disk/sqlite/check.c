/* SPDX-License-Identifier: MIT */
/* check.c - is a file what s3memd would have written? People open it with other programs, and
 * whatever those leave in it must not be read as if it were ours.
 *
 *   schema          the very tables, indexes and triggers of ours: a trigger is a program
 *   columns.sql     what may stand in each column, before anything of it is used
 *   invariants.sql  what the rows say together; that takes longer, and is for tests */
#include "disk/sqlite/database.h"

static const char schema[] = {
#include "disk/sqlite/schema.inc"
    0};

static const char columns[] = {
#include "disk/sqlite/columns.inc"
    0};

static const char invariants[] = {
#include "disk/sqlite/invariants.inc"
    0};

/* ---- the schema -------------------------------------------------------------------- */

/* SQL without its comments, and one blank for many: earlier versions explained it differently.
 */
static void add_plain_sql(struct buf *out, struct str sql)
{
    bool blank = false;

    for (size_t i = 0; i < sql.len; i++) {
        char c = sql.ptr[i];

        if (c == '-' && i + 1 < sql.len && sql.ptr[i + 1] == '-') {
            while (i < sql.len && sql.ptr[i] != '\n')
                i++;
            blank = true;
        } else if (c == ' ' || c == '\n') {
            blank = true;
        } else {
            if (blank && out->len > 0)
                buf_add_char(out, ' ');
            blank = false;
            buf_add_char(out, c);
        }
    }
}

/* What a database consists of, but for the tables that SQLite makes for itself. */
static bool describe_schema(struct database *db, sqlite3 *sql, struct buf *out)
{
    sqlite3_stmt *s = NULL;
    int err =
        sqlite3_prepare_v2(sql,
                           "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
                           " WHERE NOT (type = 'table'"
                           " AND name IN ('sqlite_stat1', 'sqlite_stat4'))"
                           " ORDER BY type, name, tbl_name",
                           -1, &s, NULL);

    while (!err && (err = sqlite3_step(s)) == SQLITE_ROW) {
        for (int at = 0; at < 3; at++) {
            buf_add(out, sql_column(s, at));
            buf_add_char(out, ' ');
        }
        add_plain_sql(out, sql_column(s, 3));
        buf_add_char(out, '\n');
        err = SQLITE_OK;
    }
    sqlite3_finalize(s);
    if (err != SQLITE_DONE && !db->err)
        db->err = err;
    return !db->err;
}

/* The first line that only one of both has. */
static void name_difference(struct str ours, struct str theirs, struct buf *why)
{
    struct str a = {"", 0}, b = {"", 0};
    bool more, others;

    do {
        more = str_split(&ours, '\n', &a);
        others = str_split(&theirs, '\n', &b);
    } while (more && others && str_eq(a, b));
    /* Both are sorted. */
    bool extra = others && (!more || a.len == 0 || (b.len > 0 && str_cmp(b, a) < 0));
    struct str words = extra ? b : a, type, name;

    if (!str_split(&words, ' ', &type) || !str_split(&words, ' ', &name))
        type = name = STR("");
    buf_add_c(why, extra ? "has a " : "lacks the ");
    buf_add(why, type);
    buf_add_char(why, ' ');
    buf_add(why, name);
    buf_add_c(why, extra ? " that is not s3memd's, or was altered" : ", or it was altered");
}

/* What a file of that version consists of. */
static bool describe_ours(struct database *db, const char *without, struct buf *out)
{
    sqlite3 *fresh = NULL;
    int err =
        sqlite3_open_v2(":memory:", &fresh, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (!err)
        err = sqlite3_exec(fresh, schema, NULL, NULL, NULL);
    if (!err)
        err = sqlite3_exec(fresh, without, NULL, NULL, NULL);
    if (err && !db->err)
        db->err = err;
    if (!db->err)
        describe_schema(db, fresh, out);
    sqlite3_close(fresh);
    return !db->err;
}

bool check_schema(struct database *db, int64_t version, struct buf *why)
{
    AUTO_BUF(ours, MiB(1));
    AUTO_BUF(early, MiB(1));
    AUTO_BUF(theirs, MiB(1));

    if (!describe_ours(db, "", &ours) || !describe_schema(db, db->sql, &theirs))
        return false;
    if (buf_ok(&theirs) && str_eq(buf_str(&ours), buf_str(&theirs)))
        return true;
    /* The trigger is what version 2 brought; it was there shortly before the number was. */
    if (version == 1) {
        if (!describe_ours(db, "DROP TRIGGER object_replaced", &early))
            return false;
        if (buf_ok(&theirs) && str_eq(buf_str(&early), buf_str(&theirs)))
            return true;
    }
    buf_addf(why, "%s ", db->path);
    name_difference(buf_str(version == 1 ? &early : &ours), buf_str(&theirs), why);
    return false;
}

/* ---- rows -------------------------------------------------------------------------- */

/* Names are at most 128 bytes, numbers less: of what is longer the beginning is told, so that there
 * is room for the rest. */
#define ROW_NAME_MAX 300

static void name_row(struct database *db, sqlite3_stmt *s, bool column, struct buf *why)
{
    struct str row = sql_column(s, 1);

    buf_addf(why, "%s: table ", db->path);
    buf_add(why, sql_column(s, 0));
    buf_add_c(why, ", row ");
    buf_add(why, str_of(row.ptr, row.len < ROW_NAME_MAX ? row.len : ROW_NAME_MAX));
    buf_add_c(why, row.len > ROW_NAME_MAX ? "..." : "");
    buf_add_c(why, column ? ": what stands in column " : " ");
    buf_add(why, sql_column(s, 2));
    if (column)
        buf_add_c(why, " makes no sense");
}

/* Runs statements that give rows that are not good. */
static bool check_all(struct database *db, const char *sql, bool column, struct buf *why)
{
    while (!db->err && why->len == 0) {
        sqlite3_stmt *s = NULL;
        int err = sqlite3_prepare_v2(db->sql, sql, -1, &s, &sql);

        if (err && !db->err)
            db->err = err;
        if (!s)
            break;
        if (sql_row(db, s))
            name_row(db, s, column, why);
        sqlite3_finalize(s);
    }
    return !db->err && why->len == 0;
}

bool check_columns(struct database *db, struct buf *why)
{
    return check_all(db, columns, true, why);
}

bool check_invariants(struct database *db, struct buf *why)
{
    return check_all(db, invariants, false, why);
}
