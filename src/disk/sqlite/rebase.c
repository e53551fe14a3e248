/* SPDX-License-Identifier: MIT */
/* rebase.c - a bucket that was taken from a node which nothing else needs gets that node's
 * rows, and stands on what they stood on: a bucket that is restored from one dropped snapshot
 * after the other is not a chain of those.
 *
 * What the bucket says itself stays; after each step, which may be followed by changes of it,
 * it is what it was. The node, without users, is collected then. */
#include "disk/sqlite/database.h"

struct taken {
    struct database *db;
    int64_t node, contents; /* of the bucket */
    struct buf *name;
    int64_t base, bases; /* the node it was taken from, and its contents there */
};

static sqlite3_stmt *begin(const struct taken *t, enum statement which)
{
    const int64_t values[] = {t->node, t->contents, t->base, t->bases};

    return sql_begin_with(t->db, which, values, ARRAY_LEN(values));
}

static bool run(const struct taken *t, enum statement which)
{
    return sql_run(t->db, begin(t, which));
}

/* Returns how many rows it was. */
static int run_some(const struct taken *t, enum statement which, int most)
{
    sqlite3_stmt *s = begin(t, which);

    sqlite3_bind_int(s, 5, most);
    return sql_run(t->db, s) ? sqlite3_changes(t->db->sql) : 0;
}

static bool find_taken(struct taken *t, int64_t base)
{
    sqlite3_stmt *s = sql_begin_with(t->db, SQL_NEXT_TAKEN, &base, 1);
    bool own;

    if (!sql_row(t->db, s))
        return false;
    t->node = sqlite3_column_int64(s, 0);
    t->contents = sqlite3_column_int64(s, 1);
    t->base = sqlite3_column_int64(s, 2);
    buf_add(t->name, sql_column(s, 3));
    sqlite3_reset(s);
    t->bases = find_contents(t->db, t->base, buf_str(t->name), &own);
    if (t->bases == 0 && !t->db->err)
        t->db->err = SQLITE_CORRUPT;
    return !t->db->err;
}

/* What the bucket stands on in the node that it was taken from: a node, 0: nothing. */
static int64_t below(const struct taken *t)
{
    sqlite3_stmt *s = sql_begin(t->db, SQL_BELOW_TAKEN);

    sqlite3_bind_int64(s, 1, t->base);
    sql_text(s, 2, buf_str(t->name));
    int64_t node = sql_row(t->db, s) ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return node;
}

static void finish(const struct taken *t)
{
    static const enum statement steps[] = {SQL_TAKEN_HIDDEN_PARTS, SQL_TAKEN_UPLOADS,
                                           SQL_TAKEN_PARTS};
    int64_t base = below(t);

    for (size_t i = 0; i < ARRAY_LEN(steps) && !t->db->err; i++)
        run(t, steps[i]);
    if (base == 0) { /* then nothing need say that it is not there */
        run(t, SQL_TAKEN_GONE_OBJECTS);
        run(t, SQL_TAKEN_GONE_UPLOADS);
    }

    sqlite3_stmt *s = sql_begin(t->db, SQL_REBASE);

    sqlite3_bind_int64(s, 1, t->node);
    sql_text(s, 2, buf_str(t->name));
    sqlite3_bind_int64(s, 3, base);
    sql_run(t->db, s);
}

int rebase(struct database *db, int64_t base, int most, bool *found)
{
    AUTO_BUF(name, KiB(1));
    struct taken t = {.db = db, .name = &name};
    int rows;

    *found = find_taken(&t, base);
    if (!*found)
        return most;
    heads_free(db);
    rows = run_some(&t, SQL_TAKEN_HIDDEN_OBJECTS, most);
    rows += run_some(&t, SQL_TAKEN_OBJECTS, most - rows);
    if (rows == 0 && !db->err)
        finish(&t);
    return most - rows - 1;
}
