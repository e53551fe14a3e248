/* SPDX-License-Identifier: MIT */
/* disk_mutation_test.c - people open the database with sqlite3: whatever they leave in any
 * column of any row, the start says where it is and leaves the file alone, or what is loaded
 * can be worked with. */
#include "database_player.h"

#include <unistd.h>

/* SQL expressions; `old` is what stood there. */
static const char *const values[] = {
    "NULL",
    "0",
    "1",
    "-1",
    "2",
    "old + 1",
    "old - 1",
    "3",
    "7",
    "10001",
    "300000000",
    "4294967295",
    "4294967296",
    "1 << 46",
    "(1 << 47) + 1",
    "(1 << 60) + 1",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "9e999",
    "''",
    "'x'",
    "x''",
    "x'00'",
    "x'ff'",
    "zeroblob(16)",
    "zeroblob(2000)",
    "zeroblob(600000)",
    "CAST(x'00' AS TEXT)",
    "CAST(x'6100ff' AS TEXT)",
    "CAST(x'c080fe' AS TEXT)",
    "'../../../etc/passwd'",
    "'main'",
    "'bucket'",
    "'CRC32'",
    "'crc32'",
    "CAST(old AS TEXT)",
    "CAST(old AS BLOB)",
    "old || 'x'",
    "old || old",
    "CAST(substr(old, 2) AS BLOB)",
    "printf('%.200c', 'n')",
    "CAST('1 1 0  ' || x'0a' AS BLOB)",
    "CAST('1 18446744073709551615 0  ' || x'0a' AS BLOB)",
    "CAST('1 1 0 MD9 00' || x'0a' AS BLOB)",
    "x'01ff'",
    "x'02ffffffffffffffffff01'",
};

#define ROWS 3 /* of each table: the first, the last, one between */

struct tally {
    int tried, refused, loaded;
};

static sqlite3 *open_raw(const char *path)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* What is written is only this: no trigger, no check. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
    return db;
}

/* Lists as a text: SQL gives it. */
static void ask_text(sqlite3 *db, const char *sql, struct buf *out)
{
    sqlite3_stmt *s;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        buf_add(out, sql_column(s, 0));
        buf_add_char(out, '\n');
    }
    sqlite3_finalize(s);
}

/* The file as it was, with one cell changed. False: SQLite does not take it, or it is the same.
 */
static bool mutate(const struct fixture *f, struct fixture *hurt, struct str table,
                   struct str column, const char *value, unsigned row)
{
    AUTO_BUF(sql, KiB(4));
    AUTO_BUF(key, KiB(1));

    copy_database(f, hurt);

    sqlite3 *db = open_raw(hurt->path);

    buf_addf(
        &sql,
        "SELECT coalesce((SELECT group_concat(name) FROM pragma_table_info('%.*s') WHERE pk),"
        " 'rowid')",
        (int)table.len, table.ptr);
    buf_add_char(&sql, '\0');
    ask_text(db, sql.ptr, &key);
    key.len--;
    buf_reset(&sql);
    buf_addf(
        &sql,
        "WITH chosen AS (SELECT %.*s FROM %.*s ORDER BY %s LIMIT 1 OFFSET %s)"
        " UPDATE OR REPLACE %.*s SET %.*s = (SELECT %s FROM (SELECT %.*s.%.*s AS old))"
        " WHERE (%.*s) IN chosen AND %.*s IS NOT (SELECT %s FROM (SELECT %.*s.%.*s AS old))",
        (int)key.len, key.ptr, (int)table.len, table.ptr, row == 1 ? "1 DESC" : "1",
        row == 2 ? "1" : "0", (int)table.len, table.ptr, (int)column.len, column.ptr, value,
        (int)table.len, table.ptr, (int)column.len, column.ptr, (int)key.len, key.ptr,
        (int)column.len, column.ptr, value, (int)table.len, table.ptr, (int)column.len,
        column.ptr);
    buf_add_char(&sql, '\0');

    char *message = NULL;
    bool done =
        sqlite3_exec(db, sql.ptr, NULL, NULL, &message) == SQLITE_OK && sqlite3_changes(db) > 0;

    if (message && strncmp(message, "NOT NULL", 8) != 0 && strncmp(message, "datatype", 8) != 0)
        fail_msg("%s: %s", message, sql.ptr);
    sqlite3_free(message);
    sqlite3_close(db);
    return done;
}

static void read_file(const char *path, const char *suffix, struct buf *out)
{
    char name[160], piece[KiB(8)];
    size_t len;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    FILE *in = fopen(name, "r");
    while (in && (len = fread(piece, 1, sizeof(piece), in)) > 0)
        buf_add(out, str_of(piece, len));
    if (in)
        fclose(in);
}

/* All that can be done with a store can be done with what was loaded. */
static void work_with(struct fixture *f, uint64_t seed)
{
    struct player p = {.f = f, .random = {seed}, .small = true, .foreign = true};

    for (int n = 0; n < 20; n++)
        act(&p);
    enum durable_state state = settle(f);
    if (state != DURABLE_SAFE)
        fail_msg("broken: %s", f->db->error);
    AUTO_BUF(before, DOCUMENT_MAX);
    describe(f->store, &before);
    bool closed = database_close(f->db);
    store_free(f->store);
    assert_true(closed);
    AUTO_BUF(why, KiB(4));
    if (!try_open(f, &why))
        fail_msg("%.*s", (int)why.len, why.ptr);
    assert_described(f->store, buf_str(&before));
    database_close(f->db);
    store_free(f->store);
}

static void try_value(const struct fixture *f, struct str table, struct str column,
                      const char *value, unsigned row, struct tally *tally)
{
    struct fixture hurt;
    AUTO_BUF(why, KiB(4));
    AUTO_BUF(names, KiB(1));
    AUTO_BUF(before, MiB(64));
    AUTO_BUF(after, MiB(64));

    if (!mutate(f, &hurt, table, column, value, row))
        return;
    tally->tried++;
    read_file(hurt.path, "", &before);
    buf_addf(&names, "table %.*s, row ", (int)table.len, table.ptr);
    if (try_open(&hurt, &why)) {
        tally->loaded++;
        if (getenv("S3MEM_MUTATIONS"))
            print_message("loaded: %.*s.%.*s = %s (row %u)\n", (int)table.len, table.ptr,
                          (int)column.len, column.ptr, value, row);
        work_with(&hurt, (uint64_t)tally->tried);
        return;
    }
    tally->refused++;
    read_file(hurt.path, "", &after);
    if (!buf_ok(&before) || !str_eq(buf_str(&before), buf_str(&after)))
        fail_msg("%.*s.%.*s = %s: %zu bytes before, %zu after: %.*s", (int)table.len, table.ptr,
                 (int)column.len, column.ptr, value, before.len, after.len, (int)why.len,
                 why.ptr);
    read_file(hurt.path, "-wal", &after);
    assert_int_equal(after.len, before.len); /* no journal was left */
    buf_add_char(&why, '\0');
    if (getenv("S3MEM_MUTATIONS") && buf_ok(&why))
        print_message("%.*s.%.*s = %s (row %u): %s\n", (int)table.len, table.ptr,
                      (int)column.len, column.ptr, value, row, why.ptr);
    assert_true(buf_ok(&why)); /* the message is whole, whatever the row is called */
    assert_true(strstr(why.ptr, "table ") && strstr(why.ptr, ", row "));
}

static void make_valid(struct fixture *f)
{
    struct player p = {.f = f, .random = {5}, .small = true};

    begin_fixture(f, "valid", DURABILITY_ALWAYS);
    f->follow = true;
    for (int n = 0; n < 60; n++)
        act(&p);
    AUTO(branch) b = store_branch(f->store, STR("main"));
    do_bucket(&p, b);
    for (int n = 0; n < 4; n++) {
        do_put(&p, b);
        do_upload(&p, b);
    }
    p.small = false;
    for (int n = 0; n < 4; n++)
        do_put(&p, b);
    assert_int_equal(settle(f), DURABLE_SAFE);
    wait_tidy(f);
    branch_unref(TAKE(b));
    close_fixture(f);
    /* Rows of tables that are empty as a rule. */
    run_sql(f->path, "INSERT INTO loose VALUES (1); INSERT INTO loose VALUES (2);"
                     "INSERT INTO garbage SELECT min(node), 1 << 40 FROM bucket");
}

static void test_any_value_in_any_column(void **state)
{
    struct fixture f;
    struct tally tally = {0};
    AUTO_BUF(tables, KiB(4));
    struct str table, column, rest;
    int sampled = 0, every = UNDER_ASAN || UNDER_TSAN ? 43 : 13;

    (void)state;
    make_valid(&f);
    if (getenv("S3MEM_MUTATIONS"))
        every = 1;

    sqlite3 *db = open_raw(f.path);

    ask_text(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", &tables);
    rest = buf_str(&tables);
    while (str_split(&rest, '\n', &table) && table.len > 0) {
        AUTO_BUF(sql, KiB(1));
        AUTO_BUF(columns, KiB(4));
        struct str more;

        buf_addf(&sql, "SELECT name FROM pragma_table_info('%.*s')", (int)table.len, table.ptr);
        buf_add_char(&sql, '\0');
        ask_text(db, sql.ptr, &columns);
        more = buf_str(&columns);
        while (str_split(&more, '\n', &column) && column.len > 0) {
            for (size_t v = 0; v < ARRAY_LEN(values); v++) {
                for (unsigned row = 0; row < ROWS; row++) {
                    if (sampled++ % every == 0)
                        try_value(&f, table, column, values[v], row, &tally);
                }
            }
        }
    }
    sqlite3_close(db);
    print_message("%d cells changed: %d refused, %d loaded\n", tally.tried, tally.refused,
                  tally.loaded);
    assert_true(tally.refused > tally.loaded && tally.loaded > 0);
}

/* Programs in the file would run with what the server writes. */
static void test_no_other_table_view_or_trigger(void **state)
{
    static const char *const others[][2] = {
        {"CREATE TRIGGER evil AFTER INSERT ON object BEGIN DELETE FROM snapshot; END",
         "has a trigger evil"},
        {"CREATE VIEW evil AS SELECT 1", "has a view evil"},
        {"CREATE TABLE evil (x)", "has a table evil"},
        {"CREATE INDEX evil ON object (size)", "has a index evil"},
        {"DROP TABLE loose; CREATE VIEW loose AS SELECT 1 AS segment", "table loose"},
        {"DROP TRIGGER part_gone", "lacks the trigger part_gone"},
        {"DROP TRIGGER part_gone; CREATE TRIGGER part_gone AFTER DELETE ON part BEGIN"
         " DELETE FROM snapshot; END",
         "trigger part_gone"},
        {"ALTER TABLE object ADD COLUMN more", "table object"},
        {"DROP VIEW own_objects; CREATE VIEW own_objects AS SELECT load_extension('x')",
         "view own_objects"},
        {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
         " replace(sql, 'BLOB', 'TEXT') WHERE name = 'chunk'",
         "table chunk"},
    };
    struct fixture f, hurt;

    (void)state;
    make_valid(&f);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        AUTO_BUF(before, MiB(64));
        AUTO_BUF(after, MiB(64));

        copy_database(&f, &hurt);
        run_sql(hurt.path, others[i][0]);
        read_file(hurt.path, "", &before);
        refuse(&hurt, others[i][1]);
        read_file(hurt.path, "", &after);
        assert_true(str_eq(buf_str(&before), buf_str(&after)));
    }
    /* What sqlite3 makes for itself is no matter. */
    copy_database(&f, &hurt);
    run_sql(hurt.path, "ANALYZE");
    open_fixture(&hurt);
    work_with(&hurt, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_value_in_any_column),
        cmocka_unit_test(test_no_other_table_view_or_trigger),
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, false);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
