/* SPDX-License-Identifier: MIT */
/* disk_database_test.c - a SQLite file follows a store: whatever is done to the store, and
 * whatever the disk does meanwhile, the file brings back the same states, or says why not. */
#include "database_player.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- tests ------------------------------------------------------------------------- */

static void test_each_deed_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEEDS; i++) {
        struct fixture f;
        struct player p = {.f = &f, .random = {i}};

        begin_fixture(&f, "deed", DURABILITY_RELAXED);
        {
            AUTO(branch) b = store_branch(f.store, STR("main"));

            for (int n = 0; n < 3; n++) {
                do_bucket(&p, b);
                do_put(&p, b);
                do_upload(&p, b);
            }
            deeds[i](&p, b);
        }
        reopen(&f);
        {
            AUTO(branch) b = store_branch(f.store, STR("main"));

            deeds[i](&p, b);
        }
        reopen(&f);
        close_fixture(&f);
    }
}

static void test_random_lives_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < (UNDER_ASAN || UNDER_TSAN ? 4 : 12); seed++) {
        struct fixture f;
        struct player p = {.f = &f, .random = {seed * 977}};

        begin_fixture(&f, "random", seed % 2 ? DURABILITY_ALWAYS : DURABILITY_RELAXED);
        for (int round = 0; round < 6; round++) {
            for (int n = 0; n < 60; n++)
                act(&p);
            if (round % 2)
                wait_tidy(&f);
            reopen(&f);
        }
        close_fixture(&f);
    }
}

/* The newest version is deleted, and the server started anew: its number is not given again. */
static void test_numbers_are_given_once(void **state)
{
    struct fixture f;
    char first[VERSION_ID_SIZE], second[VERSION_ID_SIZE];
    struct target at = {BUCKET, STR("k")};
    struct write_result result;

    (void)state;
    begin_fixture(&f, "numbers", DURABILITY_RELAXED);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    assert_int_equal(bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED), S3_OK);
    test_put(f.store, b, at.key, STR("x"), first);
    assert_int_equal(object_delete(b, &at, str_c(first), NULL, &result), S3_OK);
    record_unref(result.old);
    branch_unref(TAKE(b));
    reopen(&f);
    b = store_branch(f.store, STR("main"));
    test_put(f.store, b, at.key, STR("x"), second);
    assert_string_not_equal(first, second);
    branch_unref(TAKE(b));
    close_fixture(&f);
}

/* Operations until the disk has failed once, the nth time that it is asked; what was answered
 * is in the file, whatever happens then. False: it was not asked so often. */
static bool survive_failure(enum failing_call call, uint64_t nth, bool lasting)
{
    struct fixture f, copy;
    struct player p = {.f = &f, .random = {nth}};
    AUTO_BUF(before, DOCUMENT_MAX);
    bool failed = false;

    begin_fixture(&f, "failing", DURABILITY_ALWAYS);
    for (int n = 0; n < 10; n++)
        act(&p);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    failing_disk_set(call, nth, lasting);
    for (int n = 0; n < 25 && !failed; n++) {
        buf_reset(&before);
        describe(f.store, &before);
        act_at_once(&p);
        failed = settle(&f) != DURABLE_SAFE;
    }
    bool happened = failing_disk_struck();

    if (failed && lasting) {
        AUTO_BUF(found, DOCUMENT_MAX);
        AUTO_BUF(now, DOCUMENT_MAX);
        const struct durable *d = database_durable(f.db);

        assert_false(d->accepts(d->arg));
        /* Before the disk works again: the writer tries again on its own. */
        copy_database(&f, &copy);
        failing_disk_set(FAIL_NOTHING, 0, false);
        open_fixture(&copy);
        describe(copy.store, &found);
        describe(f.store, &now);
        close_fixture(&copy);
        assert_true(str_eq(buf_str(&found), buf_str(&before)) ||
                    str_eq(buf_str(&found), buf_str(&now)));
    }
    failing_disk_set(FAIL_NOTHING, 0, false);
    /* It is tried again: nothing is lost that memory has. */
    while (settle(&f) != DURABLE_SAFE)
        usleep(500);
    reopen(&f);
    close_fixture(&f);
    return happened;
}

static void test_each_failure_of_the_disk_is_survived(void **state)
{
    const uint64_t step = UNDER_ASAN || UNDER_TSAN ? 7 : 1;

    (void)state;
    for (enum failing_call call = FAIL_NOTHING + 1; call < FAIL_CALLS; call++) {
        for (int lasting = 0; lasting < 2; lasting++) {
            uint64_t nth = 1;

            while (nth < 60 && survive_failure(call, nth, lasting))
                nth += step;
            assert_true(nth > 1 || call == FAIL_TRUNCATE);
        }
    }
}

static void test_memory_may_be_out_while_loading(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {5}};
    AUTO_BUF(before, DOCUMENT_MAX);
    bool opened = false;

    (void)state;
    begin_fixture(&f, "memory", DURABILITY_RELAXED);
    for (int n = 0; n < 80; n++)
        act(&p);
    describe(f.store, &before);
    close_fixture(&f);
    f.follow = false;
    for (uint64_t nth = 1; !opened; nth++) {
        AUTO_BUF(why, KiB(4));

        f.fail_nth = nth;
        opened = try_open(&f, &why);
        if (!opened)
            assert_true(why.len > 0);
    }
    assert_described(f.store, buf_str(&before));
    close_fixture(&f);
}

static void test_a_change_that_cannot_be_remembered_breaks_it(void **state)
{
    struct fixture f;
    struct persist_stats stats;

    (void)state;
    begin_fixture(&f, "forgetful", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    for (uint64_t nth = 1;; nth++) {
        mem_fail_nth(nth);
        enum s3_err err = bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED);
        mem_fail_nth(0);
        database_stats(f.db, &stats);
        if (!err && stats.state != PERSIST_OK)
            break;
        if (nth > 50) /* nothing was to be allocated: the queue had room */
            goto out;
    }
    assert_int_equal(stats.state, PERSIST_BROKEN);
    assert_true(stats.error[0]);
    assert_int_equal(settle(&f), DURABLE_FAILED);
out:
    branch_unref(TAKE(b));
    database_close(f.db);
    store_free(f.store);
}

static void test_files_that_are_not_understood_are_refused(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "newer", DURABILITY_RELAXED);
    struct fixture nowhere = {.follow = true};
    snprintf(nowhere.path, sizeof(nowhere.path), "%.*s/none/x.db",
             (int)(strrchr(f.path, '/') - f.path), f.path);
    refuse(&nowhere, "No such file");
    struct fixture second = f;
    refuse(&second, "in use by another s3memd");
    close_fixture(&f);
    run_sql(f.path, "PRAGMA user_version = 99");
    refuse(&f, "newer s3memd");
    run_sql(f.path, "PRAGMA user_version = 2; INSERT INTO attribute VALUES (200, 'FUTURE')");
    refuse(&f, "no such attribute");
    run_sql(f.path, "PRAGMA application_id = 7");
    refuse(&f, "database of something else");
    remove_file(f.path);
    f.follow = false;
    refuse(&f, "No such file");
    f.follow = true;

    FILE *text = fopen(f.path, "w");
    for (int i = 0; i < 2000; i++)
        fputs("not a database at all\n", text);
    fclose(text);
    refuse(&f, "not a database");
    remove_file(f.path);
}

static void test_a_state_that_is_made_of_itself_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "circle", DURABILITY_RELAXED);
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    close_fixture(&f);
    run_sql(f.path,
            "INSERT INTO node (parent) VALUES (NULL), (NULL);"
            "INSERT INTO snapshot VALUES ('s', '', 0, 2);"
            "INSERT INTO bucket SELECT 2, name, contents, 3, region, owner, created_ns, 0, NULL"
            " FROM bucket;"
            "INSERT INTO bucket SELECT 3, name, contents, 2, region, owner, created_ns, 0, NULL"
            " FROM bucket WHERE node = 2");
    refuse(&f, "is made of itself");
}

/* Bytes of a table's pages are overwritten: it says so, and does not crash. */
static void test_damage_is_noticed(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {9}};

    (void)state;
    begin_fixture(&f, "damage", DURABILITY_RELAXED);
    for (int n = 0; n < 200; n++)
        act(&p);
    close_fixture(&f);
    for (uint32_t i = 0; i < 40; i++) {
        AUTO_BUF(why, KiB(4));
        struct fixture hurt = f;
        struct stat st;

        snprintf(hurt.path, sizeof(hurt.path), "%s/hurt.db", folder);
        remove_file(hurt.path);
        copy_file(f.path, hurt.path, "");
        assert_int_equal(stat(hurt.path, &st), 0);
        int fd = open(hurt.path, O_WRONLY);
        char junk[64];

        memset(junk, (int)(i * 37), sizeof(junk));
        assert_int_equal(pwrite(fd, junk, sizeof(junk),
                                100 + lcg_below(&p.random, (uint32_t)st.st_size - 200)),
                         sizeof(junk));
        close(fd);
        hurt.follow = false;
        if (try_open(&hurt, &why))
            close_fixture(&hurt);
        else
            assert_true(why.len > 0);
    }
}

static void test_what_is_not_filled_is_not_there(void **state)
{
    struct fixture f = {.follow = true};
    AUTO_BUF(why, KiB(4));

    (void)state;
    snprintf(f.path, sizeof(f.path), "%s/unfilled.db", folder);
    for (int i = 0; i < 2; i++) {
        assert_true(try_open(&f, &why));
        assert_true(database_is_new(f.db));
        AUTO(branch) b = store_branch(f.store, STR("main"));
        test_bucket(b, BUCKET);
        branch_unref(TAKE(b));
        if (i == 1)
            database_filled(f.db);
        close_fixture(&f);
    }
    assert_true(try_open(&f, &why));
    assert_false(database_is_new(f.db));
    close_fixture(&f);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM bucket"), 1);
}

/* Rows that nothing refers to go, bytes too; shared bytes are stored once. */
static void test_garbage_is_collected(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {3}};

    (void)state;
    begin_fixture(&f, "garbage", DURABILITY_RELAXED);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    AUTO_BUF(big, BIG);
    while (big.len < BIG)
        buf_add(&big, STR("0123456789abcdef"));
    test_put(f.store, b, STR("big"), buf_str(&big), NULL);
    for (int i = 0; i < 3; i++) {
        struct target at = {BUCKET, STR("big")};
        struct record_spec spec = {.key = i ? STR("copy2") : STR("copy1"), .mtime_ns = 1};
        AUTO(record) r = NULL;
        struct write_result result;

        assert_int_equal(object_get(&r, b, &at, STR_NONE), S3_OK);
        assert_int_equal(object_put(b, BUCKET,
                                    record_new(f.store, &spec, record_body(f.store, r)), NULL,
                                    &result),
                         S3_OK);
        record_unref(result.old);
    }
    assert_int_equal(store_snapshot_take(f.store, b, STR("s")), NAMED_OK);
    branch_unref(TAKE(b));
    reopen(&f);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object"), 3);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM segment"), 1);
    assert_int_equal(ask_sql(f.path, "SELECT sum(length(bytes)) FROM chunk"), BIG);
    b = store_branch(f.store, STR("main"));
    do_put(&p, b);
    assert_int_equal(branch_clear(&b), NAMED_OK);
    assert_int_equal(store_snapshot_drop(f.store, STR("s")), NAMED_OK);
    wait_sql(&f,
             "SELECT (SELECT count(*) FROM object) + (SELECT count(*) FROM segment)"
             " + (SELECT count(*) FROM chunk) + (SELECT count(*) FROM extent)"
             " + (SELECT count(*) FROM garbage)",
             0);
    wait_sql(&f, "SELECT count(*) FROM node", 1);
    branch_unref(TAKE(b));
    reopen(&f);
    close_fixture(&f);
}

/* Its row stays, the bytes that it had elsewhere go. */
static void test_a_small_object_replaces_a_large_one(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "smaller", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));
    AUTO_BUF(big, BIG);

    while (big.len < BIG)
        buf_add(&big, STR("0123456789abcdef"));
    test_bucket(b, BUCKET);
    for (int i = 0; i < 2; i++) {
        test_put(f.store, b, STR("k"), buf_str(&big), NULL);
        assert_int_equal(settle(&f), DURABLE_SAFE);
        assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM extent"), 1);
        test_put(f.store, b, STR("k"), STR("x"), NULL);
        assert_int_equal(settle(&f), DURABLE_SAFE);
        assert_int_equal(ask_sql(f.path, "SELECT (SELECT count(*) FROM extent)"
                                         " + (SELECT count(*) FROM segment)"),
                         0);
        /* One with the change, the others when nobody waits. */
        wait_sql(&f, "SELECT count(*) FROM chunk", 0);
        assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object"), 1);
    }
    branch_unref(TAKE(b));
    reopen(&f);
    close_fixture(&f);
}

/* Version 1 did without one trigger. Who only reads it leaves it as it was. */
static void test_an_older_file_is_brought_up(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "older", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    test_put(f.store, b, STR("k"), STR("x"), NULL);
    branch_unref(TAKE(b));
    close_fixture(&f);
    run_sql(f.path, "DROP TRIGGER object_replaced; PRAGMA user_version = 1");
    f.follow = false;
    open_fixture(&f);
    close_fixture(&f);
    assert_int_equal(ask_sql(f.path, "PRAGMA user_version"), 1);
    f.follow = true;
    open_fixture(&f);
    assert_int_equal(ask_sql(f.path, "PRAGMA user_version"), 2);
    assert_int_equal(
        ask_sql(f.path, "SELECT count(*) FROM sqlite_schema WHERE name = 'object_replaced'"),
        1);
    close_fixture(&f);
    run_sql(f.path, "PRAGMA user_version = 0");
    refuse(&f, "damaged");
    remove_file(f.path);
}

static void put_some(struct fixture *f, struct branch *b, const char *name)
{
    char key[32];

    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof(key), "%s/%d", name, i);
        test_put(f->store, b, str_c(key), STR("x"), NULL);
    }
}

/* What a test suite does again and again; what it leaves is one object. */
static void play_round(struct fixture *f, int round)
{
    AUTO(branch) b = store_branch(f->store, STR("main"));
    AUTO(branch) fork = NULL;
    struct player p = {.f = f, .random = {(uint64_t)round}};
    struct target at = {BUCKET, STR("main/0")};
    struct write_result result;
    char name[32];

    snprintf(name, sizeof(name), "round-%d", round);
    put_some(f, b, "main");
    assert_int_equal(store_snapshot_take(f->store, b, STR("first")), NAMED_OK);
    put_some(f, b, name);
    if (round % 8 == 0)
        do_upload(&p, b);
    assert_int_equal(store_fork(f->store, STR("fork"), STR_NONE, STR("first")), NAMED_OK);
    fork = store_branch(f->store, STR("fork"));
    put_some(f, fork, name);
    assert_int_equal(store_snapshot_take(f->store, fork, STR("second")), NAMED_OK);
    if (round % 2)
        assert_int_equal(store_snapshot_restore(f->store, &b, STR("first")), NAMED_OK);
    if (round % 3)
        assert_int_equal(store_snapshot_restore_bucket(
                             f->store, &b, round % 4 ? STR("first") : STR("second"), BUCKET),
                         NAMED_OK);
    put_some(f, b, "main");
    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
    assert_int_equal(store_snapshot_drop(f->store, STR("first")), NAMED_OK);
    assert_int_equal(store_snapshot_drop(f->store, STR("second")), NAMED_OK);
    assert_int_equal(store_branch_delete(f->store, STR("fork")), NAMED_OK);
}

/* The state of main alone in a new file. */
static void save_afresh(struct fixture *f, struct store *store)
{
    AUTO_BUF(bytes, DOCUMENT_MAX);
    AUTO(branch) from = store_branch(store, STR("main"));
    AUTO(root) root = branch_root(from);
    enum named result;

    begin_fixture(f, "afresh", DURABILITY_ALWAYS);
    add_document(&bytes, root);
    AUTO(document_reader) r = document_reader_new(f->store);
    assert_int_equal(document_feed(r, bytes.ptr, bytes.len), S3_OK);
    assert_int_equal(document_finish(r, STR("s"), true, &result), S3_OK);
    AUTO(branch) b = store_branch(f->store, STR("main"));
    assert_int_equal(store_snapshot_restore(f->store, &b, STR("s")), NAMED_OK);
    assert_int_equal(store_snapshot_drop(f->store, STR("s")), NAMED_OK);
    assert_int_equal(settle(f), DURABLE_SAFE);
    wait_tidy(f);
}

/* States that are forgotten leave no rows, however many there were. */
static void test_it_is_as_large_as_one_saved_afresh(void **state)
{
    static const char *const tables[] = {"node",   "branch", "snapshot", "contents", "bucket",
                                         "object", "upload", "part",     "segment",  "chunk",
                                         "extent", "loose",  "garbage"};
    struct fixture f, afresh;
    char sql[64];

    (void)state;
    begin_fixture(&f, "rounds", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    for (int i = 0; i < (UNDER_ASAN || UNDER_TSAN ? 50 : 200); i++)
        play_round(&f, i);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    wait_tidy(&f);
    save_afresh(&afresh, f.store);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        if (ask_sql(f.path, sql) != ask_sql(afresh.path, sql))
            fail_msg("rows of %s: %d, afresh %d", tables[i], (int)ask_sql(f.path, sql),
                     (int)ask_sql(afresh.path, sql));
    }
    reopen(&f);
    close_fixture(&f);
    close_fixture(&afresh);
}

/* Of what came and went again nothing is told, though the bucket is a snapshot's. */
static void test_what_only_passed_leaves_no_rows(void **state)
{
    struct fixture f;
    struct player p = {.f = &f, .random = {1}};
    struct target at = {BUCKET, STR("new")};
    struct write_result result;

    (void)state;
    begin_fixture(&f, "passing", DURABILITY_ALWAYS);
    AUTO(branch) b = store_branch(f.store, STR("main"));

    test_bucket(b, BUCKET);
    test_put(f.store, b, STR("old"), STR("x"), NULL);
    assert_int_equal(store_snapshot_take(f.store, b, STR("s")), NAMED_OK);
    test_put(f.store, b, at.key, STR("x"), NULL);
    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
    do_upload(&p, b);
    for (int tries = 0; tries < 20; tries++)
        do_upload_more(&p, b);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM upload"), 0);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object WHERE kind = 2"), 0);
    at.key = STR("old");
    assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
    record_unref(result.old);
    assert_int_equal(settle(&f), DURABLE_SAFE);
    assert_int_equal(ask_sql(f.path, "SELECT count(*) FROM object WHERE kind = 2"), 1);
    branch_unref(TAKE(b));
    reopen(&f);
    close_fixture(&f);
}

/* What waits for the disk is what will be written: copies bring nothing but their rows. */
static void test_shared_bytes_wait_once(void **state)
{
    struct fixture f = {.follow = true};
    AUTO_BUF(big, BIG);
    AUTO_BUF(why, KiB(4));

    (void)state;
    snprintf(f.path, sizeof(f.path), "%s/waiting.db", folder);
    while (big.len < BIG)
        buf_add(&big, STR("0123456789abcdef"));
    assert_true(try_open(&f, &why)); /* and not filled: nothing is written */
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    test_put(f.store, b, STR("k"), buf_str(&big), NULL);
    uint64_t before = f.db->filling.bytes;
    assert_in_range(before, BIG, BIG + KiB(4));
    for (int i = 0; i < 20; i++) {
        struct target at = {BUCKET, STR("k")};
        struct record_spec spec = {.key = STR("copy"), .mtime_ns = 1};
        struct write_result result = {.old = NULL};
        AUTO(record) r = NULL;

        assert_int_equal(object_get(&r, b, &at, STR_NONE), S3_OK);
        assert_int_equal(object_put(b, BUCKET,
                                    record_new(f.store, &spec, record_body(f.store, r)), NULL,
                                    &result),
                         S3_OK);
        record_unref(result.old);
    }
    assert_in_range(f.db->filling.bytes - before, 1, KiB(8));
    branch_unref(TAKE(b));
    database_filled(f.db);
    reopen(&f);
    close_fixture(&f);
}

/* The store outlives its file. */
static void test_a_closed_file_is_told_nothing(void **state)
{
    struct fixture f;

    (void)state;
    begin_fixture(&f, "closed", DURABILITY_ALWAYS);
    assert_true(database_close(f.db));
    AUTO(branch) b = store_branch(f.store, STR("main"));
    test_bucket(b, BUCKET);
    branch_unref(TAKE(b));
    store_free(f.store);
    f.follow = false;
    open_fixture(&f);
    b = store_branch(f.store, STR("main"));
    struct bucket_info info;
    assert_int_equal(bucket_get(b, BUCKET, &info), S3_NO_SUCH_BUCKET);
    branch_unref(TAKE(b));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_deed_comes_back),
        cmocka_unit_test(test_random_lives_come_back),
        cmocka_unit_test(test_numbers_are_given_once),
        cmocka_unit_test(test_each_failure_of_the_disk_is_survived),
        cmocka_unit_test(test_memory_may_be_out_while_loading),
        cmocka_unit_test(test_a_change_that_cannot_be_remembered_breaks_it),
        cmocka_unit_test(test_files_that_are_not_understood_are_refused),
        cmocka_unit_test(test_a_state_that_is_made_of_itself_is_refused),
        cmocka_unit_test(test_damage_is_noticed),
        cmocka_unit_test(test_what_is_not_filled_is_not_there),
        cmocka_unit_test(test_garbage_is_collected),
        cmocka_unit_test(test_a_small_object_replaces_a_large_one),
        cmocka_unit_test(test_an_older_file_is_brought_up),
        cmocka_unit_test(test_what_only_passed_leaves_no_rows),
        cmocka_unit_test(test_it_is_as_large_as_one_saved_afresh),
        cmocka_unit_test(test_shared_bytes_wait_once),
        cmocka_unit_test(test_a_closed_file_is_told_nothing),
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, false);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
