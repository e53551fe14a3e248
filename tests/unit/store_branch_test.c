/* SPDX-License-Identifier: MIT */
/* Branches, snapshots, buckets, conditions, renames and observers, rule by rule. */
#include "store_util.h"

struct fixture {
    struct store *store;
    struct branch *main;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->store = test_store(0);
    f->main = store_branch(f->store, STR("main"));
    test_bucket(f->main, BUCKET);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    branch_unref(f->main);
    store_free(f->store);
    mem_free(f);
    return 0;
}

static bool has(struct branch *b, struct str key)
{
    struct target at = {BUCKET, key};
    AUTO(record) r = NULL;

    return object_get(&r, b, &at, STR_NONE) == S3_OK;
}

static struct record *get(struct branch *b, struct str key)
{
    struct target at = {BUCKET, key};
    struct record *r = NULL;

    assert_int_equal(object_get(&r, b, &at, STR_NONE), S3_OK);
    return r;
}

/* ---- branches and snapshots -------------------------------------------------------- */

static void test_branches_are_apart(void **state)
{
    struct fixture *f = *state;

    test_put(f->store, f->main, STR("shared"), STR("x"), NULL);
    assert_int_equal(NAMED_OK, store_fork(f->store, STR("worker"), STR("main"), STR_NONE));
    assert_int_not_equal(NAMED_OK, store_fork(f->store, STR("worker"), STR("main"), STR_NONE));
    assert_int_not_equal(NAMED_OK, store_fork(f->store, STR("other"), STR("none"), STR_NONE));
    assert_null(store_branch(f->store, STR("none")));

    AUTO(branch) worker = store_branch(f->store, STR("worker"));
    assert_str_equal(branch_name(worker), STR("worker"));
    test_put(f->store, worker, STR("theirs"), STR("x"), NULL);
    test_put(f->store, f->main, STR("ours"), STR("x"), NULL);
    assert_true(has(worker, STR("shared")) && has(f->main, STR("shared")));
    assert_true(has(worker, STR("theirs")) && !has(f->main, STR("theirs")));
    assert_true(!has(worker, STR("ours")) && has(f->main, STR("ours")));

    assert_int_equal(NAMED_OK, store_branch_delete(f->store, STR("worker")));
    assert_int_not_equal(NAMED_OK, store_branch_delete(f->store, STR("worker")));
    assert_int_not_equal(NAMED_OK, store_branch_delete(f->store, STR("main")));
    assert_true(has(worker, STR("theirs"))); /* whoever holds it may go on */
}

static void test_snapshots(void **state)
{
    struct fixture *f = *state;

    test_put(f->store, f->main, STR("a"), STR("old"), NULL);
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    assert_int_not_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    test_put(f->store, f->main, STR("a"), STR("new"), NULL);
    test_put(f->store, f->main, STR("b"), STR("new"), NULL);
    assert_int_equal(NAMED_OK, store_fork(f->store, STR("fork"), STR_NONE, STR("s")));
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("s")));
    assert_int_not_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("none")));
    assert_false(has(f->main, STR("b")));

    AUTO(record) r = get(f->main, STR("a"));
    assert_str_equal(test_content(r), STR("old"));
    assert_int_equal(NAMED_OK, store_snapshot_drop(f->store, STR("s")));
    assert_int_not_equal(NAMED_OK, store_snapshot_drop(f->store, STR("s")));
    AUTO(branch) fork = store_branch(f->store, STR("fork"));
    assert_true(has(fork, STR("a")));
}

static void test_restore_one_bucket(void **state)
{
    struct fixture *f = *state;
    struct bucket_info info;

    test_put(f->store, f->main, STR("a"), STR("x"), NULL);
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    test_bucket(f->main, STR("later"));
    test_put(f->store, f->main, STR("b"), STR("x"), NULL);

    assert_int_equal(NAMED_OK,
                     store_snapshot_restore_bucket(f->store, &f->main, STR("s"), BUCKET));
    assert_true(has(f->main, STR("a")) && !has(f->main, STR("b")));
    assert_int_equal(bucket_get(f->main, STR("later"), &info), S3_OK);
    bucket_info_release(&info);
    assert_int_equal(NAMED_OK,
                     store_snapshot_restore_bucket(f->store, &f->main, STR("s"), STR("later")));
    assert_int_equal(bucket_get(f->main, STR("later"), &info), S3_NO_SUCH_BUCKET);
    assert_int_equal(branch_clear(&f->main), NAMED_OK);
    assert_int_equal(NAMED_OK,
                     store_snapshot_restore_bucket(f->store, &f->main, STR("s"), BUCKET));
    assert_true(has(f->main, STR("a")));
    assert_int_not_equal(
        NAMED_OK, store_snapshot_restore_bucket(f->store, &f->main, STR("none"), BUCKET));
    test_put(f->store, f->main, STR("c"), STR("x"), NULL);
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("s")));
    assert_false(has(f->main, STR("c")));
}

/* Whether a holder of the branch is seen: by whatever took the branch's place. */
static void test_current(void **state)
{
    struct fixture *f = *state;
    struct branch *held;

    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    held = store_branch(f->store, STR("main"));
    assert_true(branch_is_current(held, BUCKET));
    assert_int_equal(NAMED_OK,
                     store_snapshot_restore_bucket(f->store, &f->main, STR("s"), BUCKET));
    assert_false(branch_is_current(held, BUCKET));
    assert_true(branch_is_current(held, STR("other")));
    assert_true(branch_is_current(f->main, BUCKET));
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("s")));
    assert_false(branch_is_current(held, STR("other")));
    assert_true(branch_is_current(f->main, BUCKET));
    branch_unref(held);
    assert_int_equal(NAMED_OK, store_fork(f->store, STR("w"), STR("main"), STR_NONE));
    held = store_branch(f->store, STR("w"));
    assert_true(branch_is_current(held, BUCKET));
    assert_int_equal(NAMED_OK, store_branch_delete(f->store, STR("w")));
    assert_false(branch_is_current(held, BUCKET));
    branch_unref(held);
}

/* Who held the branch when it was restored goes on with the state it had, and writes it. */
static void test_a_restore_leaves_calls_their_state(void **state)
{
    struct fixture *f = *state;
    AUTO(branch) call = store_branch(f->store, STR("main"));

    test_put(f->store, f->main, STR("fixture"), STR("x"), NULL);
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    test_put(f->store, f->main, STR("left"), STR("x"), NULL);
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("s")));
    assert_ptr_not_equal(call, f->main);
    assert_true(has(call, STR("left")));
    test_put(f->store, call, STR("late"), STR("x"), NULL);
    assert_true(has(call, STR("late")) && !has(f->main, STR("late")));
    test_put(f->store, f->main, STR("next"), STR("x"), NULL);
    assert_true(has(f->main, STR("next")) && !has(call, STR("next")));
    /* A branch that was restored since it was asked for is restored all the same. */
    AUTO(branch) stale = store_branch(f->store, STR("main"));
    assert_int_equal(NAMED_OK, branch_clear(&f->main));
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &stale, STR("s")));
    AUTO(branch) now = store_branch(f->store, STR("main"));
    assert_ptr_equal(stale, now);
    assert_true(has(now, STR("fixture")));
}

/* One bucket: the others are as ever for who held the branch, however often. */
static void test_restoring_a_bucket_leaves_the_others(void **state)
{
    struct fixture *f = *state;
    struct target other = {STR("other"), STR("k")};
    AUTO(branch) call = store_branch(f->store, STR("main"));
    AUTO(record) r = NULL;

    test_bucket(f->main, other.bucket);
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    for (int i = 0; i < 100000; i++) /* and its successors are not freed by recursion */
        assert_int_equal(NAMED_OK,
                         store_snapshot_restore_bucket(f->store, &f->main, STR("s"), BUCKET));
    test_put(f->store, call, STR("late"), STR("x"), NULL);
    assert_true(has(call, STR("late")) && !has(f->main, STR("late")));
    assert_int_equal(
        object_put(call, other.bucket, test_record(f->store, other.key, STR("x")), NULL, NULL),
        S3_OK);
    assert_int_equal(object_get(&r, f->main, &other, STR_NONE), S3_OK);
    /* What is gone for good does not come back to who held it before. */
    assert_int_equal(NAMED_OK, branch_clear(&f->main));
    test_bucket(call, STR("new"));
    assert_int_equal(bucket_delete(f->main, STR("new")), S3_NO_SUCH_BUCKET);
    assert_int_equal(bucket_delete(call, STR("new")), S3_OK);
}

static void test_root_is_one_instant(void **state)
{
    struct fixture *f = *state;
    struct bucket_info info;

    test_put(f->store, f->main, STR("a"), STR("x"), NULL);
    AUTO(root) root = branch_root(f->main);
    test_bucket(f->main, STR("a-new-one"));
    test_put(f->store, f->main, STR("b"), STR("x"), NULL);
    assert_true(root_bucket_next(root, STR(""), true, &info));
    assert_string_equal(info.name, "bucket");
    assert_int_equal(info.object_count, 1);
    bucket_info_release(&info);
    assert_false(root_bucket_next(root, BUCKET, false, &info));
    assert_true(root_bucket_next(root, BUCKET, true, &info));
    bucket_info_release(&info);

    struct target at = {BUCKET, STR("a")};
    assert_int_equal(object_delete(f->main, &at, STR_NONE, NULL, NULL), S3_OK);
    AUTO(listing) listing = NULL;
    struct listing_entry entry;
    assert_int_equal(listing_open(&listing, root, &(struct listing_query){.bucket = BUCKET}),
                     S3_OK);
    assert_true(listing_next(listing, &entry));
    assert_str_equal(record_key(entry.record), STR("a"));
    assert_false(listing_next(listing, &entry));
}

/* ---- buckets ----------------------------------------------------------------------- */

static void test_bucket_rules(void **state)
{
    struct fixture *f = *state;
    struct bucket_spec spec = {.name = BUCKET, .owner = STR("you"), .tagging = STR("a=b")};
    static char long_name[64];
    struct bucket_info info;

    assert_int_equal(bucket_create(f->main, &spec), S3_BUCKET_ALREADY_EXISTS);
    memset(long_name, 'x', sizeof(long_name));
    spec.name = str_of(long_name, 64);
    assert_int_equal(bucket_create(f->main, &spec), S3_INVALID_BUCKET_NAME);
    spec.name = STR("");
    assert_int_equal(bucket_create(f->main, &spec), S3_INVALID_BUCKET_NAME);
    spec.name = str_of(long_name, 63);
    spec.region = str_of(long_name, 32);
    assert_int_equal(bucket_create(f->main, &spec), S3_INVALID_LOCATION_CONSTRAINT);
    spec.region = STR("eu-west-3");
    assert_int_equal(bucket_create(f->main, &spec), S3_OK);

    assert_int_equal(bucket_get(f->main, spec.name, &info), S3_OK);
    assert_string_equal(info.region, "eu-west-3");
    assert_str_equal(doc_str(info.owner), STR("you"));
    assert_str_equal(doc_str(info.docs[BUCKET_DOC_TAGGING]), STR("a=b"));
    assert_int_equal(info.versioning, VERSIONING_NEVER);
    bucket_info_release(&info);

    assert_int_equal(bucket_set_doc(f->main, spec.name, BUCKET_DOC_TAGGING, NULL), S3_OK);
    assert_int_equal(bucket_get(f->main, spec.name, &info), S3_OK);
    assert_null(info.docs[BUCKET_DOC_TAGGING]);
    bucket_info_release(&info);
    assert_int_equal(
        bucket_set_doc(f->main, STR("none"), BUCKET_DOC_TAGGING, doc_new(f->store, STR("x"))),
        S3_NO_SUCH_BUCKET);
    assert_int_equal(bucket_set_versioning(f->main, STR("none"), VERSIONING_ENABLED),
                     S3_NO_SUCH_BUCKET);
    assert_int_equal(bucket_delete(f->main, spec.name), S3_OK);
    assert_int_equal(bucket_delete(f->main, spec.name), S3_NO_SUCH_BUCKET);
    assert_int_equal(bucket_get(f->main, spec.name, &info), S3_NO_SUCH_BUCKET);
    test_put(f->store, f->main, STR("k"), STR("x"), NULL);
    assert_int_equal(bucket_delete(f->main, BUCKET), S3_BUCKET_NOT_EMPTY);
}

/* ---- conditions -------------------------------------------------------------------- */

static enum s3_err put_if(struct fixture *f, const char *if_match, const char *if_none_match)
{
    struct write_conditions conditions = {.if_match = str_c(if_match),
                                          .if_none_match = str_c(if_none_match)};

    return object_put(f->main, BUCKET, test_record(f->store, STR("k"), STR("")), &conditions,
                      NULL);
}

static void test_put_conditions(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put_if(f, "*", NULL), S3_NO_SUCH_KEY);
    assert_int_equal(put_if(f, NULL, "*"), S3_OK);
    assert_int_equal(put_if(f, NULL, "*"), S3_PRECONDITION_FAILED);
    assert_int_equal(put_if(f, "*", NULL), S3_OK);
    assert_int_equal(put_if(f, "\"d41d8cd98f00b204e9800998ecf8427e\"", NULL), S3_OK);
    assert_int_equal(put_if(f, "d41d8cd98f00b204e9800998ecf8427e", NULL), S3_OK);
    assert_int_equal(put_if(f, "\"x\" , \"d41d8cd98f00b204e9800998ecf8427e\"", NULL), S3_OK);
    assert_int_equal(put_if(f, "W/\"d41d8cd98f00b204e9800998ecf8427e\"", NULL),
                     S3_PRECONDITION_FAILED);
    assert_int_equal(put_if(f, "\"d41d8cd98f00b204e9800998ecf8427\"", NULL),
                     S3_PRECONDITION_FAILED);
    assert_int_equal(put_if(f, "", NULL), S3_PRECONDITION_FAILED);
    assert_int_equal(put_if(f, NULL, "\"x\""), S3_OK);
    assert_int_equal(put_if(f, NULL, "W/\"d41d8cd98f00b204e9800998ecf8427e\""),
                     S3_PRECONDITION_FAILED);
    struct write_conditions conditions = {.if_match = STR("*")};
    assert_int_equal(object_put(f->main, STR("none"), test_record(f->store, STR("k"), STR("")),
                                &conditions, NULL),
                     S3_NO_SUCH_BUCKET);
}

static void test_delete_conditions(void **state)
{
    struct fixture *f = *state;
    struct target at = {BUCKET, STR("k")};
    struct write_conditions match = {.if_match = STR("*")};
    struct write_conditions exact = {.has_mtime = true, .has_size = true, .size = 3};

    assert_int_equal(object_delete(f->main, &at, STR_NONE, &match, NULL), S3_NO_SUCH_KEY);
    clock_freeze_at_ns(1000 * NS_PER_S + 999);
    test_put(f->store, f->main, at.key, STR("abc"), NULL);
    clock_unfreeze();
    match.if_match = STR("\"no\"");
    assert_int_equal(object_delete(f->main, &at, STR_NONE, &match, NULL),
                     S3_PRECONDITION_FAILED);
    exact.mtime_s = 1001;
    assert_int_equal(object_delete(f->main, &at, STR_NONE, &exact, NULL),
                     S3_PRECONDITION_FAILED);
    exact.mtime_s = 1000;
    exact.size = 4;
    assert_int_equal(object_delete(f->main, &at, STR_NONE, &exact, NULL),
                     S3_PRECONDITION_FAILED);
    exact.size = 3;
    assert_true(has(f->main, at.key));
    assert_int_equal(object_delete(f->main, &at, STR_NONE, &exact, NULL), S3_OK);
    assert_false(has(f->main, at.key));
    assert_int_equal(object_delete(f->main, &at, STR_NONE, &exact, NULL), S3_NO_SUCH_KEY);
    assert_int_equal(object_delete(f->main, &at, STR_NONE, NULL, NULL), S3_OK);

    /* Nothing is looked for below a delete marker. */
    assert_int_equal(bucket_set_versioning(f->main, BUCKET, VERSIONING_ENABLED), S3_OK);
    assert_int_equal(object_delete(f->main, &at, STR_NONE, NULL, NULL), S3_OK);
    match.if_match = STR("*");
    assert_int_equal(object_delete(f->main, &at, STR_NONE, &match, NULL), S3_NO_SUCH_KEY);
}

/* ---- rename
 * ---------------------------------------------------------------------------------------------
 */

static void test_rename(void **state)
{
    struct fixture *f = *state;
    struct write_conditions absent = {.if_none_match = STR("*")};

    test_put(f->store, f->main, STR("from"), STR("content"), NULL);
    assert_int_equal(object_rename(f->main, BUCKET, STR("none"), STR("to"), NULL, NULL),
                     S3_NO_SUCH_KEY);
    assert_int_equal(object_rename(f->main, BUCKET, STR("from"), STR("from"), NULL, NULL),
                     S3_INVALID_REQUEST);
    assert_int_equal(object_rename(f->main, BUCKET, STR("from"), STR("to"), &absent, NULL),
                     S3_OK);
    assert_false(has(f->main, STR("from")));
    struct record *r = get(f->main, STR("to"));
    assert_str_equal(test_content(r), STR("content"));
    record_unref(r);

    test_put(f->store, f->main, STR("from"), STR("other"), NULL);
    assert_int_equal(object_rename(f->main, BUCKET, STR("from"), STR("to"), &absent, NULL),
                     S3_PRECONDITION_FAILED);
    assert_true(has(f->main, STR("from")));
    assert_int_equal(object_rename(f->main, BUCKET, STR("from"), STR("to"), NULL, NULL), S3_OK);
    r = get(f->main, STR("to"));
    assert_str_equal(test_content(r), STR("other"));
    record_unref(r);
    static char key[KEY_MAX + 1];
    assert_int_equal(
        object_rename(f->main, BUCKET, STR("to"), str_of(key, sizeof(key)), NULL, NULL),
        S3_KEY_TOO_LONG_ERROR);
}

/* ---- observers
 * -------------------------------------------------------------------------------------------
 */

static void note(void *arg, const struct change *change)
{
    struct buf *out = arg;

    static const char *const kinds[] = {
        [CHANGE_BUCKET_CREATED] = "created",
        [CHANGE_BUCKET_DELETED] = "deleted",
        [CHANGE_BUCKET_SETTING] = "setting",
        [CHANGE_BUCKET_RESET] = "emptied",
        [CHANGE_OBJECT_PUT] = "put",
        [CHANGE_OBJECT_DELETED] = "gone",
        [CHANGE_DELETE_MARKER] = "marker",
        [CHANGE_UPLOAD_CREATED] = "upload",
        [CHANGE_UPLOAD_MARKED] = "marked",
        [CHANGE_UPLOAD_PART] = "part",
        [CHANGE_UPLOAD_ENDED] = "ended",
        [CHANGE_BRANCH_RESET] = "reset",
        [CHANGE_BRANCH_FORKED] = "forked",
        [CHANGE_BRANCH_DELETED] = "branch-deleted",
        [CHANGE_SNAPSHOT_TAKEN] = "taken",
        [CHANGE_SNAPSHOT_LOADED] = "loaded",
        [CHANGE_SNAPSHOT_DROPPED] = "dropped",
        [CHANGE_GROUP_BEGIN] = "(",
        [CHANGE_GROUP_END] = ")",
    };

    buf_addf(out, "%s ", kinds[change->kind]);
    buf_add(out, change->branch);
    buf_add_char(out, ' ');
    buf_add(out, change->bucket);
    buf_add_char(out, ' ');
    buf_add(out, change->key);
    buf_addf(out, "%s%s", change->record ? " r" : "", change->upload ? " u" : "");
    if (change->info)
        buf_addf(out, " %s", change->info->name);
    if (change->part_number > 0)
        buf_addf(out, " %u", change->part_number);
    if (change->name.len > 0)
        buf_addf(out, " %.*s", (int)change->name.len, change->name.ptr);
    buf_addf(out, "%s%s\n", change->root ? " root" : "", change->from_snapshot ? " s" : "");
}

static void expect(struct buf *notes, const char *text)
{
    assert_str_equal(buf_str(notes), str_c(text));
    buf_reset(notes);
}

static void test_observers(void **state)
{
    struct fixture *f = *state;
    AUTO_BUF(notes, KiB(64));
    struct target at = {BUCKET, STR("k")};
    char id[UPLOAD_ID_SIZE];

    store_observe(f->store, note, &notes);
    test_bucket(f->main, STR("new"));
    expect(&notes, "created main new  new\n");
    assert_int_equal(bucket_delete(f->main, STR("new")), S3_OK);
    expect(&notes, "deleted main new \n");
    test_put(f->store, f->main, at.key, STR("x"), NULL);
    expect(&notes, "put main bucket k r\n");
    assert_int_equal(object_rename(f->main, BUCKET, at.key, STR("l"), NULL, NULL), S3_OK);
    expect(&notes, "( main  \n"
                   "put main bucket l r\n"
                   "gone main bucket k r\n"
                   ") main  \n");
    assert_int_equal(object_delete(f->main, &at, STR_NONE, NULL, NULL), S3_OK);
    expect(&notes, ""); /* there was nothing */
    assert_int_equal(bucket_set_versioning(f->main, BUCKET, VERSIONING_ENABLED), S3_OK);
    expect(&notes, "setting main bucket  bucket\n");
    assert_int_equal(object_delete(f->main, &at, STR_NONE, NULL, NULL), S3_OK);
    expect(&notes, "marker main bucket k r\n");
    assert_int_equal(upload_create(f->main, BUCKET, &(struct upload_spec){.key = at.key}, id),
                     S3_OK);
    assert_int_equal(upload_abort(f->main, &at, str_c(id)), S3_OK);
    expect(&notes, "upload main bucket k u\nended main bucket k u\n");
    assert_int_equal(bucket_clear(f->main, BUCKET, NULL), S3_OK);
    expect(&notes, "emptied main bucket \n");
    assert_int_equal(branch_clear(&f->main), NAMED_OK);
    expect(&notes, "reset main  \n");
}

/* Snapshots and branches, and what a branch that was deleted is still written. */
static void test_observers_of_states(void **state)
{
    struct fixture *f = *state;
    AUTO_BUF(notes, KiB(64));

    store_observe(f->store, note, &notes);
    assert_int_equal(store_snapshot_take(f->store, f->main, STR("s")), NAMED_OK);
    assert_int_equal(store_snapshot_take(f->store, f->main, STR("s")), NAMED_EXISTS);
    expect(&notes, "taken main   s root\n");
    assert_int_equal(store_fork(f->store, STR("b"), STR_NONE, STR("s")), NAMED_OK);
    assert_int_equal(store_fork(f->store, STR("c"), STR("b"), STR_NONE), NAMED_OK);
    assert_int_equal(store_fork(f->store, STR("c"), STR("b"), STR_NONE), NAMED_EXISTS);
    expect(&notes, "forked b   s s\nforked c   b\n");
    struct branch *b = store_branch(f->store, STR("b"));
    AUTO(branch) stale = store_branch(f->store, STR("b"));
    assert_int_equal(store_snapshot_restore(f->store, &b, STR("s")), NAMED_OK);
    test_put(f->store, stale, STR("k"), STR("x"), NULL);
    assert_int_equal(store_snapshot_restore_bucket(f->store, &b, STR("s"), BUCKET), NAMED_OK);
    expect(&notes, "reset b   s\nreset b bucket  s\n");
    assert_int_equal(store_branch_delete(f->store, STR("b")), NAMED_OK);
    test_put(f->store, b, STR("k"), STR("x"), NULL);
    assert_int_equal(store_snapshot_take(f->store, b, STR("late")), NAMED_OK);
    expect(&notes, "branch-deleted b  \nloaded b   late root\n");
    assert_int_equal(store_snapshot_drop(f->store, STR("s")), NAMED_OK);
    expect(&notes, "dropped main   s root\n");
    branch_unref(b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_branches_are_apart),
        T(test_snapshots),
        T(test_restore_one_bucket),
        T(test_current),
        T(test_a_restore_leaves_calls_their_state),
        T(test_restoring_a_bucket_leaves_the_others),
        T(test_root_is_one_instant),
        T(test_bucket_rules),
        T(test_put_conditions),
        T(test_delete_conditions),
        T(test_rename),
        T(test_observers),
        T(test_observers_of_states),
    };

    return cmocka_run_group_tests_name("store/branch", tests, NULL, NULL);
}
