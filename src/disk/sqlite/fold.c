/* SPDX-License-Identifier: MIT */
/* fold.c - a node that is named by nothing and needed by its only child alone becomes one with
 * that: a state that was snapshotted a thousand times is not a chain of a thousand nodes.
 *
 * The child's rows go into the node, because they are few where the node has all that was there
 * at first; then who named the child names the node. After each step, which may be followed by
 * changes of the child, the child's state is what it was: what it does not say itself the node
 * says. */
#include "disk/sqlite/database.h"

struct folding {
    struct database *db;
    int64_t node, parent; /* parent 0: nothing is below */
    int64_t child;
    /* The bucket at hand: */
    int64_t contents;
    bool own; /* nothing below the node has anything of it */
};

static sqlite3_stmt *begin(const struct folding *f, enum statement which)
{
    const int64_t values[] = {f->node, f->child, f->contents};

    return sql_begin_with(f->db, which, values, ARRAY_LEN(values));
}

static bool run(const struct folding *f, enum statement which)
{
    return sql_run(f->db, begin(f, which));
}

/* Returns how many rows it was. */
static int run_some(const struct folding *f, enum statement which, int most)
{
    sqlite3_stmt *s = begin(f, which);

    sqlite3_bind_int(s, 4, most);
    return sql_run(f->db, s) ? sqlite3_changes(f->db->sql) : 0;
}

static bool find_child(struct folding *f)
{
    sqlite3_stmt *s = begin(f, SQL_NEXT_FOLD);
    bool found = sql_row(f->db, s);

    if (found) {
        f->child = sqlite3_column_int64(s, 0);
        f->parent = sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    return found;
}

/* ---- buckets ----------------------------------------------------------------------- */

/* The child deleted the bucket, or has one that began anew: that of the node is garbage. */
static bool fold_bucket(struct folding *f, struct str name, bool deleted)
{
    sqlite3_stmt *s;
    bool own;

    if (!discard(f->db, f->node, find_contents(f->db, f->node, name, &own)))
        return false;
    s = begin(f, SQL_FOLD_BUCKET);
    sql_text(s, 3, name);
    if (!sql_run(f->db, s))
        return false;
    if (!deleted || find_contents(f->db, f->parent, name, &own) > 0)
        return !f->db->err;
    s = sql_begin(f->db, SQL_DELETE_BUCKET);
    sqlite3_bind_int64(s, 1, f->node);
    sql_text(s, 2, name);
    return sql_run(f->db, s);
}

/* A bucket that was taken from the node is the node's and what the child has changed since: it
 * has the node's contents then. Rows of those that the child had before are gone. */
static bool fold_taken(struct folding *f)
{
    static const enum statement rows[] = {SQL_RENUMBER_OBJECTS, SQL_RENUMBER_UPLOADS,
                                          SQL_RENUMBER_PARTS, SQL_RENUMBER_BUCKETS};
    AUTO_BUF(name, KiB(1));
    sqlite3_stmt *s = begin(f, SQL_NEXT_FOLD_TAKEN);
    int64_t childs, contents;
    bool own;

    if (!sql_row(f->db, s))
        return false;
    childs = sqlite3_column_int64(s, 0);
    buf_add(&name, sql_column(s, 1));
    sqlite3_reset(s);
    contents = find_contents(f->db, f->node, buf_str(&name), &own);
    if (contents == 0 && !f->db->err)
        f->db->err = SQLITE_CORRUPT;
    for (size_t i = 0; i < ARRAY_LEN(rows) && !f->db->err; i++) {
        s = sql_begin(f->db, rows[i]);
        sqlite3_bind_int64(s, 1, contents);
        sqlite3_bind_int64(s, 2, childs);
        sql_run(f->db, s);
    }
    return !f->db->err && run(f, SQL_FOLD_TAKEN);
}

static bool fold_next_bucket(struct folding *f)
{
    AUTO_BUF(name, KiB(1));
    sqlite3_stmt *s = begin(f, SQL_NEXT_FOLD_BUCKET);
    bool deleted;

    if (!sql_row(f->db, s))
        return false;
    buf_add(&name, sql_column(s, 0));
    deleted = sqlite3_column_type(s, 1) == SQLITE_NULL;
    sqlite3_reset(s);
    return fold_bucket(f, buf_str(&name), deleted);
}

/* ---- rows -------------------------------------------------------------------------- */

/* Contents of which the child has rows, as a statement finds them. */
static bool find_rows(struct folding *f, enum statement which)
{
    AUTO_BUF(name, KiB(1));
    sqlite3_stmt *s = begin(f, which);

    if (!sql_row(f->db, s))
        return false;
    f->contents = sqlite3_column_int64(s, 0);
    buf_add(&name, sql_column(s, 1));
    sqlite3_reset(s);
    if (find_contents(f->db, f->node, buf_str(&name), &f->own) != f->contents && !f->db->err)
        f->db->err = SQLITE_CORRUPT;
    return !f->db->err;
}

/* Returns how many were folded. */
static int fold_objects(struct folding *f, int most)
{
    int gone = 0;

    if (f->own) { /* then nothing need say that they are not there */
        run_some(f, SQL_FOLD_HIDDEN_OBJECTS, most);
        gone = run_some(f, SQL_FOLD_GONE_OBJECTS, most);
    }
    return gone + run_some(f, SQL_FOLD_OBJECTS, most - gone);
}

static bool fold_uploads(struct folding *f)
{
    return run(f, SQL_FOLD_HIDDEN_PARTS) && run(f, SQL_FOLD_UPLOADS) &&
           (!f->own || run(f, SQL_FOLD_GONE_UPLOADS)) && run(f, SQL_FOLD_PARTS);
}

/* ---- the rest ---------------------------------------------------------------------- */

/* The child has nothing of its own but settings of buckets. */
static void fold_rest(const struct folding *f)
{
    static const enum statement steps[] = {
        SQL_FOLD_SETTINGS, SQL_FOLD_BRANCHES,      SQL_FOLD_SNAPSHOTS, SQL_FOLD_CHILDREN,
        SQL_FOLD_TAKERS,   SQL_FOLD_CHILD_BUCKETS, SQL_FOLD_CHILD};

    for (size_t i = 0; i < ARRAY_LEN(steps) && !f->db->err; i++)
        run(f, steps[i]);
}

int fold(struct database *db, int64_t node, int most, bool *found)
{
    struct folding f = {.db = db, .node = node};

    *found = find_child(&f);
    if (!*found)
        return most;
    heads_free(db);
    if (fold_taken(&f) || fold_next_bucket(&f))
        return most - 1;
    if (find_rows(&f, SQL_NEXT_FOLD_OBJECTS))
        return most - fold_objects(&f, most);
    if (find_rows(&f, SQL_NEXT_FOLD_UPLOADS)) {
        fold_uploads(&f);
        return most - 1;
    }
    if (!db->err)
        fold_rest(&f);
    return most - 1;
}
