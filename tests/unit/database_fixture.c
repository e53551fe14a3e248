/* SPDX-License-Identifier: MIT */
#include "database_fixture.h"

#include <unistd.h>

/* ---- a store and its file ---------------------------------------------------------- */

char folder[] = "/tmp/s3mem-database-XXXXXX";

bool try_open(struct fixture *f, struct buf *why)
{
    f->store = test_store(0);
    mem_fail_nth(f->fail_nth);
    f->db = database_open(&(struct database_options){.store = f->store,
                                                     .path = f->path,
                                                     .durability = f->durability,
                                                     .follow = f->follow,
                                                     .retry_ns = NS_PER_MS},
                          why);
    mem_fail_nth(0);
    if (f->db)
        return true;
    store_free(f->store);
    return false;
}

void open_fixture(struct fixture *f)
{
    AUTO_BUF(why, KiB(4));

    if (!try_open(f, &why))
        fail_msg("%.*s", (int)why.len, why.ptr);
    database_filled(f->db);
}

void close_fixture(struct fixture *f)
{
    AUTO_BUF(why, KiB(4));

    assert_true(database_close(f->db));
    store_free(f->store);
    if (!database_check(f->path, &why))
        fail_msg("%.*s", (int)why.len, why.ptr);
}

void remove_file(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[160];

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

void begin_fixture(struct fixture *f, const char *name, enum durability durability)
{
    *f = (struct fixture){.durability = durability, .follow = true};
    snprintf(f->path, sizeof(f->path), "%s/%s.db", folder, name);
    remove_file(f->path);
    open_fixture(f);
}

void add_document(struct buf *out, struct root *root)
{
    AUTO(document_writer) w = document_writer_new(root, false);
    enum document_state state;
    char *piece = xmalloc(KiB(64));
    size_t len;

    do {
        state = document_write(w, piece, KiB(64), &len);
        buf_add(out, str_of(piece, len));
    } while (state == DOCUMENT_MORE);
    mem_free(piece);
    assert_int_equal(state, DOCUMENT_END);
}

static void add_label(struct buf *out, const char *kind, const struct named_info *info)
{
    buf_addf(out, "\n%s %s from %s at %lld\n", kind, info->name, info->from,
             (long long)info->created_ns);
}

void describe(struct store *store, struct buf *out)
{
    struct named_info info = {.name = ""};
    char after[NAME_MAX_LEN + 1] = "";

    while (store_branch_next(store, str_c(after), false, &info)) {
        AUTO(branch) b = store_branch(store, str_c(info.name));
        AUTO(root) root = branch_root(b);

        memcpy(after, info.name, sizeof(after));
        add_label(out, "branch", &info);
        add_document(out, root);
    }
    after[0] = '\0';
    while (store_snapshot_next(store, str_c(after), false, &info)) {
        AUTO(root) root = store_snapshot_root(store, str_c(info.name));

        memcpy(after, info.name, sizeof(after));
        add_label(out, "snapshot", &info);
        add_document(out, root);
    }
    assert_true(buf_ok(out));
}

void assert_described(struct store *store, struct str before)
{
    AUTO_BUF(after, DOCUMENT_MAX);

    describe(store, &after);
    assert_str_equal(buf_str(&after), before);
}

int64_t ask_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    int64_t value;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

void wait_sql(const struct fixture *f, const char *sql, int64_t value)
{
    for (int tries = 0; tries < 5000; tries++) {
        if (ask_sql(f->path, sql) == value)
            return;
        usleep(2000);
    }
    fail_msg("%s stays %lld", sql, (long long)ask_sql(f->path, sql));
}

void wait_tidy(const struct fixture *f)
{
    wait_sql(f,
             "SELECT (SELECT count(*) FROM garbage) + (SELECT count(*) FROM node n"
             " WHERE id NOT IN (SELECT node FROM branch)"
             " AND id NOT IN (SELECT node FROM snapshot)"
             " AND (SELECT count(*) FROM node WHERE parent = n.id)"
             " + (SELECT count(*) FROM bucket WHERE base = n.id"
             "    AND node NOT IN (SELECT id FROM node WHERE parent = n.id)) < 2)",
             0);
}

void reopen(struct fixture *f)
{
    AUTO_BUF(before, DOCUMENT_MAX);

    describe(f->store, &before);
    close_fixture(f);
    f->follow = false;
    open_fixture(f);
    assert_described(f->store, buf_str(&before));
    close_fixture(f);
    f->follow = true;
    open_fixture(f);
    assert_described(f->store, buf_str(&before));
}

/* ---- the file, seen from outside ---------------------------------------------------- */

static void nothing(struct waker *w)
{
    (void)w;
}

enum durable_state settle(struct fixture *f)
{
    const struct durable *d = database_durable(f->db);
    struct waker waker = {.wake = nothing};
    struct durable_wait wait = {0};
    enum durable_state state;

    while ((state = d->state(d->arg, &wait, &waker)) == DURABLE_NOT_YET)
        usleep(100);
    d->leave(d->arg, &wait);
    return state;
}

void copy_file(const char *from, const char *to, const char *suffix)
{
    char source[160], target[160], bytes[4096];
    size_t len;

    snprintf(source, sizeof(source), "%s%s", from, suffix);
    snprintf(target, sizeof(target), "%s%s", to, suffix);
    FILE *in = fopen(source, "r"), *out = in ? fopen(target, "w") : NULL;

    while (out && (len = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

void copy_database(const struct fixture *f, struct fixture *copy)
{
    *copy = (struct fixture){.durability = f->durability, .follow = true};
    snprintf(copy->path, sizeof(copy->path), "%s/copy.db", folder);
    remove_file(copy->path);
    copy_file(f->path, copy->path, "");
    copy_file(f->path, copy->path, "-wal");
}

void refuse(struct fixture *f, const char *words)
{
    AUTO_BUF(why, KiB(4));

    if (try_open(f, &why)) {
        close_fixture(f);
        fail_msg("opened, without: %s", words);
    }
    buf_add_char(&why, '\0');
    if (!strstr(why.ptr, words))
        fail_msg("'%s' does not say '%s'", why.ptr, words);
}

void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && failing_disk_install() ? 0 : -1;
}

int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}
