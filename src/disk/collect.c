/* SPDX-License-Identifier: MIT */
/* collect.c - rows that no state has any more: of buckets that were cleared, of nodes that no
 * branch or snapshot stands on; and nodes that are one too many. A little at a time, between
 * the writer's transactions. */
#include "disk/database.h"

/* Deleting a chunk reads all of it. As many go as come with a transaction: 4 MiB of them while
 * others wait for it, 128 MiB else. */
#define CHUNKS_ALWAYS  8
#define CHUNKS_RELAXED 256

bool collect_segments(struct database *db, bool *done)
{
    *done = sql_number(db, SQL_LOOSE) == 0;
    if (*done || db->err)
        return !db->err;
    if (!sql_run(db, sql_begin(db, SQL_STILL_NEEDED)) ||
        !sql_run(db, sql_begin(db, SQL_DELETE_SEGMENTS)))
        return false;

    sqlite3_stmt *s = sql_begin(db, SQL_DELETE_CHUNKS);

    sqlite3_bind_int(
        s, 1, db->options.durability == DURABILITY_ALWAYS ? CHUNKS_ALWAYS : CHUNKS_RELAXED);
    if (!sql_run(db, s) || !sql_run(db, sql_begin(db, SQL_DELETE_LOOSE)))
        return false;
    *done = sql_number(db, SQL_LOOSE) == 0;
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

static int collect_node(struct database *db, int most, bool *found)
{
    static const enum statement rows[] = {SQL_DEAD_OBJECTS, SQL_DEAD_PARTS, SQL_DEAD_UPLOADS};
    int64_t node = sql_number(db, SQL_NEXT_DEAD_NODE);

    *found = node > 0;
    if (!*found)
        return most;
    most = delete_some(db, rows, ARRAY_LEN(rows), node, NULL, most);
    /* Its parent may be next. */
    if (most > 0 && run_with(db, SQL_DEAD_BUCKETS, node) &&
        run_with(db, SQL_DEAD_GARBAGE, node))
        run_with(db, SQL_DELETE_NODE, node);
    return most;
}

bool collect(struct database *db, int most, bool *done)
{
    bool found = true;

    while (most > 0 && found && !db->err) {
        most = collect_contents(db, most, &found);
        if (!found)
            most = collect_node(db, most, &found);
        if (!found)
            most = fold(db, most, &found);
        if (!found)
            most = rebase(db, most, &found);
    }
    *done = !found && !db->err && sql_run(db, sql_begin(db, SQL_DELETE_CONTENTS));

    bool none_loose = true;

    if (db->err || !collect_segments(db, &none_loose))
        return false;
    *done = *done && none_loose;
    return true;
}
