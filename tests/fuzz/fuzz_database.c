/* SPDX-License-Identifier: MIT */
/* fuzz_database.c - a database that somebody else has written to. The input changes a good one:
 *
 *   'B' offset (3 bytes) byte          a byte of the file
 *   'C' table column row type value    a cell, by its numbers; see read_value
 *
 * It is refused with a reason, or loaded and worked with; then it is closed and, if all of it
 * could be written, opened again. */
#include "work_with.h"

#include "disk/disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CELLS_MAX 4
#define BYTES_MAX 8
#define FILE_MAX  MiB(4)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/dev/shm/s3mem-fuzz-XXXXXX";
static char path[64];
static struct buf good; /* the file that is changed */

/* ---- a good file ------------------------------------------------------------------- */

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[80];

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void remove_folder(void)
{
    remove_files();
    rmdir(folder);
    buf_release(&good);
}

static struct database *open_database(struct store *store, struct buf *why)
{
    return database_open(&(struct database_options){.store = store,
                                                    .path = path,
                                                    .durability = DURABILITY_ALWAYS,
                                                    .follow = true,
                                                    .retry_ns = NS_PER_MS},
                         why);
}

static struct store *new_store(void)
{
    return store_new(&(struct store_options){.max_memory_bytes = MiB(64)});
}

static struct body *bytes(struct store *store, size_t len)
{
    struct body *body = body_new(store, len);

    for (size_t i = 0; i < len; i++)
        assert(body_append(body, "b", 1));
    return body;
}

static void put_bytes(struct store *store, struct branch *b, struct str key, size_t len)
{
    AUTO_BUF(attrs, KiB(1));
    struct record_spec spec = {.key = key, .mtime_ns = 2};
    struct write_result result = {.old = NULL};

    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("text/plain"));
    attrs_add_meta(&attrs, STR("name"), STR("value"));
    spec.attrs = buf_str(&attrs);
    spec.checksum = (struct checksum){.alg = CHECKSUM_CRC32, .type = CHECKSUM_FULL_OBJECT};
    assert(!object_put(b, STR("bucket"), record_new(store, &spec, bytes(store, len)), NULL,
                       &result));
    record_unref(result.old);
}

static void add_upload(struct store *store, struct branch *b, struct str key, bool complete)
{
    struct upload_spec spec = {.key = key, .initiated_ns = 5, .owner = STR("o\no\n1")};
    struct target at = {STR("bucket"), key};
    char id[UPLOAD_ID_SIZE];

    assert(!upload_create(b, at.bucket, &spec, id));
    for (uint32_t n = 1; n < 3; n++) {
        struct part part = {.number = n, .mtime_ns = n, .size = 5000};

        part.body = bytes(store, part.size);
        assert(!upload_put_part(b, &at, str_c(id), &part));
    }
    if (complete)
        work_with_listing(store, b, at.bucket, LIST_UPLOADS);
}

/* Something of everything: small and large bodies, versions, markers, uploads and what they
 * became, states that share rows, a bucket taken from another, and what says that below it is
 * nothing. */
static void fill(struct store *store)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    struct bucket_spec spec = {.name = STR("bucket"),
                               .region = STR("eu-west-1"),
                               .owner = STR("o\no\n1"),
                               .tagging = STR("t=1")};

    assert(!bucket_create(b, &spec));
    put_bytes(store, b, STR("small"), 3);
    put_bytes(store, b, STR("large"), 5000);
    add_upload(store, b, STR("whole"), true);
    add_upload(store, b, STR("upload"), false);
    assert(store_snapshot_take(store, b, STR("first")) == NAMED_OK);
    delete (b, spec.name, STR("large"), STR_NONE);
    assert(!bucket_set_versioning(b, spec.name, VERSIONING_ENABLED));
    put_bytes(store, b, STR("small"), 4);
    delete (b, spec.name, STR("small"), STR_NONE);
    assert(store_snapshot_take(store, b, STR("second")) == NAMED_OK);
    assert(store_fork(store, STR("fork"), STR_NONE, STR("first")) == NAMED_OK);
    assert(store_snapshot_restore_bucket(store, &b, STR("first"), spec.name) == NAMED_OK);
    put_bytes(store, b, STR("later"), 10);
}

static void make_good_file(void)
{
    AUTO_BUF(why, KiB(4));
    char piece[KiB(8)];
    size_t len;

    assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fuzz.db", folder);
    atexit(remove_folder);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, false);

    struct store *store = new_store();
    struct database *db = open_database(store, &why);

    assert(db);
    database_filled(db);
    fill(store);
    assert(database_close(db));
    store_free(store);
    buf_init(&good, FILE_MAX);
    FILE *in = fopen(path, "rb");
    while (in && (len = fread(piece, 1, sizeof(piece), in)) > 0)
        buf_add(&good, str_of(piece, len));
    assert(in && buf_ok(&good) && good.len > 0);
    fclose(in);
}

/* ---- what changes it --------------------------------------------------------------- */

static uint8_t next_byte(struct str *rest)
{
    uint8_t byte = rest->len > 0 ? (uint8_t)rest->ptr[0] : 0;

    *rest = str_from(*rest, rest->len > 0);
    return byte;
}

static int64_t next_number(struct str *rest)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | next_byte(rest);
    return (int64_t)n;
}

/* As the first parameter: NULL, a number of one byte or eight, half of one, text, bytes. */
static void bind_value(sqlite3_stmt *s, struct str *rest)
{
    uint8_t type = next_byte(rest) % 6;
    size_t len = type >= 4 ? next_byte(rest) : 0;

    if (len > rest->len)
        len = rest->len;
    if (type == 1)
        sqlite3_bind_int(s, 1, (int8_t)next_byte(rest));
    else if (type == 2)
        sqlite3_bind_int64(s, 1, next_number(rest));
    else if (type == 3)
        sqlite3_bind_double(s, 1, (double)next_number(rest) / 2);
    else if (type == 4)
        sqlite3_bind_text(s, 1, rest->ptr, (int)len, SQLITE_TRANSIENT);
    else if (type == 5)
        sqlite3_bind_blob(s, 1, rest->ptr, (int)len, SQLITE_TRANSIENT);
    *rest = str_from(*rest, len);
}

/* The n-th text that a statement gives; its parameter is a text. */
static void nth_text(sqlite3 *sql, const char *statement, const char *parameter, uint8_t n,
                     struct buf *out)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(sql, statement, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_text(s, 1, parameter, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 2, n);
        if (sqlite3_step(s) == SQLITE_ROW)
            buf_add_c(out, (const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
    buf_add_char(out, '\0');
}

static void change_cell(sqlite3 *sql, struct str *rest)
{
    AUTO_BUF(table, KiB(1));
    AUTO_BUF(column, KiB(1));
    AUTO_BUF(key, KiB(1));
    AUTO_BUF(update, KiB(4));
    sqlite3_stmt *s = NULL;

    nth_text(sql,
             "SELECT name FROM (SELECT name, row_number() OVER () - 1 AS n,"
             " count(*) OVER () AS all_of FROM sqlite_schema WHERE type = 'table' AND ?1 = '')"
             " WHERE n = ?2 % all_of",
             "", next_byte(rest), &table);
    nth_text(sql,
             "SELECT name FROM pragma_table_info(?1)"
             " WHERE cid = ?2 % (SELECT count(*) FROM pragma_table_info(?1))",
             table.ptr, next_byte(rest), &column);
    nth_text(sql,
             "SELECT coalesce(group_concat(name), 'rowid') FROM pragma_table_info(?1)"
             " WHERE pk AND ?2 = 0",
             table.ptr, 0, &key);
    buf_addf(&update,
             "UPDATE OR REPLACE %s SET %s = ?1 WHERE (%s) IN"
             " (SELECT %s FROM %s LIMIT 1 OFFSET ?2 %% (SELECT max(count(*), 1) FROM %s))",
             table.ptr, column.ptr, key.ptr, key.ptr, table.ptr, table.ptr);
    buf_add_char(&update, '\0');
    uint8_t row = next_byte(rest);
    if (sqlite3_prepare_v2(sql, update.ptr, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_int(s, 2, row);
        bind_value(s, rest);
        sqlite3_step(s);
    }
    sqlite3_finalize(s);
}

static void change_cells(struct str *rest)
{
    sqlite3 *sql = NULL;

    assert(sqlite3_open(path, &sql) == SQLITE_OK);
    /* What is written is only this. */
    sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(sql, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
    for (int n = next_byte(rest) % (CELLS_MAX + 1); n > 0; n--)
        change_cell(sql, rest);
    sqlite3_close(sql);
}

static void change_bytes(struct str *rest)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert(fd >= 0);
    for (int n = 0; n < BYTES_MAX && rest->len > 3; n++) {
        size_t at = next_byte(rest);

        at = at << 8 | next_byte(rest);
        at = at << 8 | next_byte(rest);
        uint8_t byte = next_byte(rest);
        assert(pwrite(fd, &byte, 1, (off_t)(at % good.len)) == 1);
    }
    close(fd);
}

static void write_file(void)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert(fd >= 0 && write(fd, good.ptr, good.len) == (ssize_t)good.len);
    close(fd);
}

/* ---- the target -------------------------------------------------------------------- */

static void work_with_all(struct store *store)
{
    struct named_info info = {.name = ""};
    char after[NAME_MAX_LEN + 1] = "";

    for (unsigned n = 0; n < 4 && store_branch_next(store, str_c(after), false, &info); n++) {
        AUTO(branch) b = store_branch(store, str_c(info.name));

        memcpy(after, info.name, sizeof(after));
        if (b)
            work_with(store, b);
    }
    if (store_fork(store, STR("work"), STR_NONE, STR("second")) == NAMED_OK) {
        AUTO(branch) b = store_branch(store, STR("work"));

        work_with(store, b);
        (void)!store_branch_delete(store, STR("work"));
    }
    (void)!store_snapshot_drop(store, STR("first"));
}

/* True: it was loaded, and all that was done since is in the file. */
static bool try_file(void)
{
    AUTO_BUF(why, KiB(4));
    struct store *store = new_store();
    struct database *db = open_database(store, &why);
    bool whole = false;

    assert(db || why.len > 0);
    if (db) {
        database_filled(db);
        work_with_all(store);
        whole = database_close(db);
    }
    store_free(store);
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of((const char *)data, size);

    if (!good.ptr)
        make_good_file();
    remove_files();
    write_file();
    change_cells(&rest);
    bool as_written = rest.len < 4; /* SQLite's pages are whole */
    change_bytes(&rest);
    if (try_file() && as_written)
        assert(try_file());
    return 0;
}
