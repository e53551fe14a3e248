/* SPDX-License-Identifier: MIT */
/* heads.c - what the writer remembers of the branches: where each stands, and the buckets that it
 * was asked for. Found by name in O(log n): there are thousands of either. */
#include "disk/sqlite/database.h"

#include <search.h>
#include <stdlib.h>

/* Both begin with their name. */
static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* ---- buckets ----------------------------------------------------------------------- */

void forget_buckets(struct head *head)
{
    tdestroy(head->buckets, mem_free);
    head->buckets = NULL;
    head->last_bucket = NULL;
}

struct seen_bucket *remember_bucket(struct head *head, struct str name, int64_t contents,
                                    int64_t owner)
{
    struct seen_bucket *seen = xcalloc(1, sizeof(*seen)), **found;

    seen->contents = contents;
    seen->owner = owner;
    if (name.len < sizeof(seen->name))
        str_put(seen->name, name);
    found = tsearch(seen, &head->buckets, compare_names);
    if (!found)
        abort(); /* as all of those where little memory is needed */
    head->last_bucket = seen;
    return seen;
}

struct seen_bucket *recall_bucket(struct head *head, struct str name)
{
    struct seen_bucket wanted = {.name = ""}, **found;

    if (head->last_bucket && str_eq(str_c(head->last_bucket->name), name))
        return head->last_bucket;
    if (name.len >= sizeof(wanted.name))
        return NULL;
    str_put(wanted.name, name);
    found = tfind(&wanted, &head->buckets, compare_names);
    if (!found)
        return NULL;
    head->last_bucket = *found;
    return *found;
}

/* ---- heads ------------------------------------------------------------------------- */

static void free_head(void *head)
{
    forget_buckets(head);
    mem_free(head);
}

void heads_free(struct database *db)
{
    tdestroy(db->heads, free_head);
    db->heads = NULL;
    db->last_head = NULL;
}

struct head *add_head(struct database *db, struct str name, int64_t node, int64_t parent)
{
    struct head *head = xcalloc(1, sizeof(*head)), **found;

    head->node = node;
    head->parent = parent;
    head->written = true;
    str_put(head->name, str_of(name.ptr, name.len < NAME_MAX_LEN ? name.len : NAME_MAX_LEN));
    found = tsearch(head, &db->heads, compare_names);
    if (!found)
        abort(); /* as all of those where little memory is needed */
    return head;
}

struct head *find_head(struct database *db, struct str name)
{
    struct head wanted = {.name = ""}, **found;

    if (db->last_head && str_eq(str_c(db->last_head->name), name))
        return db->last_head;
    if (name.len > NAME_MAX_LEN)
        return NULL;
    str_put(wanted.name, name);
    found = tfind(&wanted, &db->heads, compare_names);
    if (!found)
        return NULL;
    db->last_head = *found;
    return *found;
}

void remove_head(struct database *db, struct head *head)
{
    tdelete(head, &db->heads, compare_names);
    db->last_head = NULL;
    free_head(head);
}

bool heads_read(struct database *db)
{
    heads_free(db);

    sqlite3_stmt *s = sql_begin(db, SQL_HEADS);

    while (sql_row(db, s))
        add_head(db, sql_column(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2));
    return !db->err;
}
