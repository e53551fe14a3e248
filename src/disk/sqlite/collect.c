/* SPDX-License-Identifier: MIT */
/* collect.c - rows that no state has any more: of buckets that were cleared, of nodes that no
 * branch or snapshot stands on; and nodes that are one too many. A little at a time, between
 * the writer's transactions.
 *
 * A node is looked at when something left it, whatever change that was: triggers put it into a
 * table of the connection, which is rolled back with the rest and gone with the process.
 *
 *   name, child or bucket leaves -> left_node -> dead: its rows go, then it goes
 *                                             -> else standing_node -> folded, rebased or kept
 *
 * Children come before their parents in the first, after them in the second: a chain of dead
 * nodes is removed as it stands, and each row of a chain that is folded moves once. */
#include "disk/sqlite/database.h"

bool collect_prepare(struct database *db)
{
    return sql_exec(db, "PRAGMA temp_store = MEMORY;"
                        "CREATE TEMP TABLE left_node (node INTEGER PRIMARY KEY);"
                        "CREATE TEMP TABLE standing_node (node INTEGER PRIMARY KEY)");
}

#define LEAVES(name, when, node)                                                               \
    "CREATE TEMP TRIGGER " name " AFTER " when                                                 \
    " BEGIN INSERT OR IGNORE INTO left_node VALUES (" node "); END;"

/* One a line: the formatter takes what follows a macro's call for its operand. */
/* clang-format off */
static const char TRIGGERS[] =
    LEAVES("branch_left", "DELETE ON main.branch", "old.node")
    LEAVES("branch_moved", "UPDATE OF node ON main.branch", "old.node")
    LEAVES("snapshot_left", "DELETE ON main.snapshot", "old.node")
    LEAVES("snapshot_moved", "UPDATE OF node ON main.snapshot", "old.node")
    LEAVES("child_left", "DELETE ON main.node WHEN old.parent > 0", "old.parent")
    LEAVES("child_moved", "UPDATE OF parent ON main.node WHEN old.parent > 0", "old.parent")
    LEAVES("taker_left", "DELETE ON main.bucket WHEN old.base > 0", "old.base")
    LEAVES("taker_moved", "UPDATE OF node, base ON main.bucket WHEN old.base > 0", "old.base")
    LEAVES("taker_came", "UPDATE OF base ON main.bucket WHEN new.base > 0", "new.base");
/* clang-format on */

/* What an earlier process left. */
static const char LEFT_BEFORE[] =
    "INSERT INTO left_node SELECT id FROM node WHERE id NOT IN (SELECT node FROM branch)"
    " AND id NOT IN (SELECT node FROM snapshot)";

bool collect_begin(struct database *db)
{
    return sql_exec(db, TRIGGERS) && sql_exec(db, LEFT_BEFORE);
}

/* Of segments that may be loose so many are looked at, at once. */
#define LOOSE_MAX 1000

static bool delete_loose(struct database *db, int64_t row)
{
    return sql_run(db, sql_begin_with(db, SQL_DELETE_LOOSE, &row, 1));
}

/* Deletes a segment that nothing refers to, with at most `most` of its chunks. Returns how many
 * more are allowed: none when there may be more of them. */
static int delete_segment(struct database *db, int64_t row, int64_t segment, int most)
{
    const int64_t chunks[] = {segment, most};

    if (!sql_run(db, sql_begin_with(db, SQL_DELETE_SEGMENT, &segment, 1)) ||
        !sql_run(db, sql_begin_with(db, SQL_DELETE_CHUNKS, chunks, ARRAY_LEN(chunks))))
        return 0;
    most -= sqlite3_changes(db->sql);
    if (most > 0)
        delete_loose(db, row);
    return most;
}

bool collect_segments(struct database *db, int most, bool *done)
{
    *done = false;
    for (int looked = 0; looked < LOOSE_MAX && most > 0 && !*done && !db->err; looked++) {
        sqlite3_stmt *s = sql_begin(db, SQL_NEXT_LOOSE);

        *done = !sql_row(db, s);
        if (*done)
            break;

        int64_t row = sqlite3_column_int64(s, 0), segment = sqlite3_column_int64(s, 1);
        bool needed = sqlite3_column_int(s, 2);

        sqlite3_reset(s);
        if (needed)
            delete_loose(db, row);
        else
            most = delete_segment(db, row, segment, most);
    }
    return !db->err;
}

/* Runs statements that take a node (and contents) and delete at most `most` rows, until one has
 * nothing left to do. Returns how many rows are still allowed. */
static int delete_some(struct database *db, const enum statement *which, size_t count,
                       int64_t node, const int64_t *contents, int most)
{
    for (size_t i = 0; i < count && most > 0 && !db->err; i++) {
        sqlite3_stmt *s = sql_begin(db, which[i]);
        int at = 0;

        sqlite3_bind_int64(s, ++at, node);
        if (contents)
            sqlite3_bind_int64(s, ++at, *contents);
        sqlite3_bind_int(s, ++at, most);
        if (sql_run(db, s))
            most -= sqlite3_changes(db->sql);
    }
    return most;
}

static bool run_with(struct database *db, enum statement which, int64_t node)
{
    sqlite3_stmt *s = sql_begin(db, which);

    sqlite3_bind_int64(s, 1, node);
    return sql_run(db, s);
}

/* What a bucket contained; *found is false when there is no such garbage. */
static int collect_contents(struct database *db, int most, bool *found)
{
    static const enum statement rows[] = {SQL_GARBAGE_OBJECTS, SQL_GARBAGE_PARTS,
                                          SQL_GARBAGE_UPLOADS};
    sqlite3_stmt *s = sql_begin(db, SQL_NEXT_GARBAGE);
    int64_t node, contents;

    *found = sql_row(db, s);
    if (!*found)
        return most;
    node = sqlite3_column_int64(s, 0);
    contents = sqlite3_column_int64(s, 1);
    sqlite3_reset(s);
    most = delete_some(db, rows, ARRAY_LEN(rows), node, &contents, most);
    if (most > 0) {
        s = sql_begin(db, SQL_GARBAGE_DONE);
        sqlite3_bind_int64(s, 1, node);
        sqlite3_bind_int64(s, 2, contents);
        sql_run(db, s);
    }
    return most;
}

/* A node that something left. *found is false when there is none. */
static int collect_node(struct database *db, int most, bool *found)
{
    static const enum statement rows[] = {SQL_DEAD_OBJECTS, SQL_DEAD_PARTS, SQL_DEAD_UPLOADS};
    sqlite3_stmt *s = sql_begin(db, SQL_NEXT_LEFT);
    int64_t node;
    bool dead;

    *found = sql_row(db, s);
    if (!*found)
        return most;
    node = sqlite3_column_int64(s, 0);
    dead = sqlite3_column_int(s, 1);
    sqlite3_reset(s);
    if (!dead) {
        run_with(db, SQL_LEFT_STANDS, node);
        run_with(db, SQL_LEFT_DONE, node);
        return most - 1;
    }
    most = delete_some(db, rows, ARRAY_LEN(rows), node, NULL, most);
    /* Its parent may be next. */
    if (most > 0 && run_with(db, SQL_DEAD_BUCKETS, node) &&
        run_with(db, SQL_DEAD_GARBAGE, node) && run_with(db, SQL_DELETE_NODE, node))
        run_with(db, SQL_LEFT_DONE, node);
    return most - 1;
}

/* A node that others need: can it be one with its child, or with a bucket? */
static int collect_standing(struct database *db, int most, bool *found)
{
    int64_t node = sql_number(db, SQL_NEXT_STANDING);
    bool more = false;

    *found = node > 0;
    if (!*found)
        return most;
    most = fold(db, node, most, &more);
    if (!more)
        most = rebase(db, node, most, &more);
    if (!more)
        run_with(db, SQL_STANDING_DONE, node);
    return most - 1;
}

bool collect(struct database *db, int most, int chunks, bool *done)
{
    bool found = true;

    while (most > 0 && found && !db->err) {
        most = collect_contents(db, most, &found);
        if (!found)
            most = collect_node(db, most, &found);
        if (!found)
            most = collect_standing(db, most, &found);
    }
    *done = !found && !db->err && sql_run(db, sql_begin(db, SQL_DELETE_CONTENTS));

    bool none_loose = true;

    if (db->err || !collect_segments(db, chunks, &none_loose))
        return false;
    *done = *done && none_loose;
    return true;
}
