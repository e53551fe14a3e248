/* SPDX-License-Identifier: MIT */
/* Objects and versions: random puts, deletes, deletes of versions, changes of the versioning
 * state and restores, against a list of versions a key. Then the rules of S3 one by one. */
#include "store_util.h"

#define KEYS         5
#define VERSIONS_MAX 200

/* ---- a simple model ---------------------------------------------------------------- */

struct model_version {
    char id[VERSION_ID_SIZE]; /* "null" or as given */
    bool marker;
    uint32_t content;
};

struct model_key {
    struct model_version versions[VERSIONS_MAX]; /* newest first */
    uint32_t count;
};

struct model {
    struct model_key keys[KEYS];
    enum versioning versioning;
};

static struct str key_name(uint32_t key)
{
    static const char *const names[KEYS] = {"a", "a/b", "b", "b\xff", "c"};

    return str_c(names[key]);
}

static void model_remove(struct model_key *key, uint32_t index)
{
    memmove(&key->versions[index], &key->versions[index + 1],
            (key->count - index - 1) * sizeof(key->versions[0]));
    key->count--;
}

static void model_remove_null(struct model_key *key)
{
    for (uint32_t i = 0; i < key->count; i++)
        if (strcmp(key->versions[i].id, "null") == 0)
            model_remove(key, i--);
}

static void model_add(struct model *m, struct model_key *key, const char *id, bool marker,
                      uint32_t content)
{
    if (m->versioning != VERSIONING_ENABLED)
        model_remove_null(key);
    assert_true(key->count < VERSIONS_MAX);
    memmove(&key->versions[1], &key->versions[0], key->count * sizeof(key->versions[0]));
    key->versions[0] = (struct model_version){.marker = marker, .content = content};
    snprintf(key->versions[0].id, VERSION_ID_SIZE, "%s", id);
    key->count++;
}

static const struct model_version *model_current(const struct model_key *key)
{
    return key->count > 0 && !key->versions[0].marker ? &key->versions[0] : NULL;
}

/* ---- comparing --------------------------------------------------------------------- */

static struct str content_of(uint32_t content, char out[32])
{
    return str_of(out, (size_t)snprintf(out, 32, "content %u", content));
}

static void check_content(struct record *r, uint32_t content)
{
    char text[32];

    assert_str_equal(test_content(r), content_of(content, text));
}

static void check_current(struct branch *b, uint32_t number, const struct model_key *key)
{
    struct target at = {BUCKET, key_name(number)};
    const struct model_version *current = model_current(key);
    AUTO(record) found = NULL;
    enum s3_err err = object_get(&found, b, &at, STR_NONE);

    if (current) {
        assert_int_equal(err, S3_OK);
        check_content(found, current->content);
        return;
    }
    assert_int_equal(err, S3_NO_SUCH_KEY);
    assert_int_equal(found != NULL, key->count > 0);
    if (found)
        assert_true(record_is_delete_marker(found));
}

static void check_by_id(struct branch *b, uint32_t number, const struct model_version *version)
{
    struct target at = {BUCKET, key_name(number)};
    char id[VERSION_ID_SIZE];
    AUTO(record) found = NULL;
    enum s3_err err = object_get(&found, b, &at, str_c(version->id));

    assert_int_equal(err, version->marker ? S3_METHOD_NOT_ALLOWED : S3_OK);
    assert_int_equal(record_is_delete_marker(found), version->marker);
    assert_string_equal(record_version_id(found, id).ptr, version->id);
    if (!version->marker)
        check_content(found, version->content);
}

static void check_versions_listed(struct branch *b, const struct model *m)
{
    AUTO(root) root = branch_root(b);
    AUTO(listing) listing = NULL;
    struct listing_query query = {.kind = LIST_VERSIONS, .bucket = BUCKET};
    struct listing_entry entry;
    char id[VERSION_ID_SIZE];

    assert_int_equal(listing_open(&listing, root, &query), S3_OK);
    for (uint32_t k = 0; k < KEYS; k++) {
        for (uint32_t v = 0; v < m->keys[k].count; v++) {
            assert_true(listing_next(listing, &entry));
            assert_str_equal(record_key(entry.record), key_name(k));
            assert_string_equal(record_version_id(entry.record, id).ptr,
                                m->keys[k].versions[v].id);
            assert_int_equal(entry.is_latest, v == 0);
        }
    }
    assert_false(listing_next(listing, &entry));
}

static void check_counts(struct branch *b, const struct model *m)
{
    struct bucket_info info;
    uint64_t objects = 0, object_bytes = 0, versions = 0, version_bytes = 0;
    char text[32];

    for (uint32_t k = 0; k < KEYS; k++) {
        for (uint32_t v = 0; v < m->keys[k].count; v++) {
            const struct model_version *version = &m->keys[k].versions[v];
            size_t size = version->marker ? 0 : content_of(version->content, text).len;

            if (version == model_current(&m->keys[k])) {
                objects++;
                object_bytes += size;
            } else {
                versions++;
                version_bytes += size;
            }
        }
    }
    assert_int_equal(bucket_get(b, BUCKET, &info), S3_OK);
    assert_int_equal(info.object_count, objects);
    assert_int_equal(info.object_bytes, object_bytes);
    assert_int_equal(info.version_count, versions);
    assert_int_equal(info.version_bytes, version_bytes);
    assert_int_equal(info.versioning, m->versioning);
    bucket_info_release(&info);
}

static void check_model(struct branch *b, const struct model *m)
{
    for (uint32_t k = 0; k < KEYS; k++) {
        check_current(b, k, &m->keys[k]);
        for (uint32_t v = 0; v < m->keys[k].count; v++)
            check_by_id(b, k, &m->keys[k].versions[v]);
    }
    check_versions_listed(b, m);
    check_counts(b, m);
}

/* ---- random changes ---------------------------------------------------------------- */

struct world {
    struct store *store;
    struct branch *main;
    struct model model, snapshot;
    struct lcg random;
    uint32_t step;
};

static void random_put(struct world *w, uint32_t k)
{
    char id[VERSION_ID_SIZE], text[32];

    test_put(w->store, w->main, key_name(k), content_of(w->step, text), id);
    assert_int_equal(id[0] == '\0', w->model.versioning == VERSIONING_NEVER);
    model_add(&w->model, &w->model.keys[k], id[0] ? id : "null", false, w->step);
}

static void random_delete(struct world *w, uint32_t k)
{
    struct target at = {BUCKET, key_name(k)};
    struct model_key *key = &w->model.keys[k];
    struct write_result result;
    bool existed = model_current(key) != NULL;

    assert_int_equal(object_delete(w->main, &at, STR_NONE, NULL, &result), S3_OK);
    assert_int_equal(result.existed, existed);
    assert_int_equal(result.delete_marker, w->model.versioning != VERSIONING_NEVER);
    if (w->model.versioning == VERSIONING_NEVER)
        model_remove_null(key);
    else
        model_add(&w->model, key, result.version_id, true, 0);
    record_unref(result.old);
}

static void random_delete_version(struct world *w, uint32_t k)
{
    struct target at = {BUCKET, key_name(k)};
    struct model_key *key = &w->model.keys[k];
    struct write_result result;

    if (key->count == 0)
        return;

    uint32_t v = lcg_below(&w->random, key->count);
    struct model_version version = key->versions[v];

    assert_int_equal(object_delete(w->main, &at, str_c(version.id), NULL, &result), S3_OK);
    assert_true(result.existed);
    assert_int_equal(result.delete_marker, version.marker);
    if (w->model.versioning != VERSIONING_NEVER)
        assert_string_equal(result.version_id, version.id);
    assert_non_null(result.old);
    record_unref(result.old);
    model_remove(key, v);

    /* Again: nothing there, and still a success. */
    assert_int_equal(object_delete(w->main, &at, str_c(version.id), NULL, &result), S3_OK);
    assert_false(result.existed);
    assert_null(result.old);
}

static void random_versioning(struct world *w)
{
    /* Once it was enabled a bucket never goes back, but a restore takes it back. */
    w->model.versioning = lcg_below(&w->random, 2) ? VERSIONING_ENABLED : VERSIONING_SUSPENDED;
    assert_int_equal(bucket_set_versioning(w->main, BUCKET, w->model.versioning), S3_OK);
}

static void random_snapshot(struct world *w)
{
    if (lcg_below(&w->random, 2)) {
        (void)!store_snapshot_drop(w->store, STR("snap"));
        assert_int_equal(NAMED_OK, store_snapshot_take(w->store, w->main, STR("snap")));
        w->snapshot = w->model;
    } else {
        assert_int_equal(NAMED_OK, store_snapshot_restore(w->store, &w->main, STR("snap")));
        w->model = w->snapshot;
    }
}

static void random_replace(struct world *w, uint32_t k)
{
    struct target at = {BUCKET, key_name(k)};
    struct model_key *key = &w->model.keys[k];

    if (key->count == 0)
        return;

    uint32_t v = lcg_below(&w->random, key->count);
    AUTO(record) found = NULL;
    AUTO_BUF(attrs, KiB(1));

    if (key->versions[v].marker)
        return;
    assert_int_equal(object_get(&found, w->main, &at, str_c(key->versions[v].id)), S3_OK);
    attrs_add(&attrs, ATTR_TAGGING, STR("a=b"));
    struct record *changed = record_with_attrs(w->store, found, buf_str(&attrs));
    char id[VERSION_ID_SIZE];
    assert_string_equal(record_version_id(changed, id).ptr, key->versions[v].id);
    assert_int_equal(object_replace(w->main, &at, found, record_ref(changed)), S3_OK);

    AUTO(record) again = NULL;
    assert_int_equal(object_get(&again, w->main, &at, str_c(key->versions[v].id)), S3_OK);
    assert_ptr_equal(again, changed);
    record_unref(changed);
    /* What was expected is no longer there. */
    changed = record_with_attrs(w->store, found, STR(""));
    assert_int_equal(object_replace(w->main, &at, found, changed),
                     S3_CONDITIONAL_REQUEST_CONFLICT);
}

static void random_step(struct world *w)
{
    uint32_t k = lcg_below(&w->random, KEYS), dice = lcg_below(&w->random, 100);

    if (dice < 35)
        random_put(w, k);
    else if (dice < 60)
        random_delete(w, k);
    else if (dice < 88)
        random_delete_version(w, k);
    else if (dice < 94)
        random_replace(w, k);
    else if (dice < 97)
        random_snapshot(w);
    else if (w->step > 400)
        random_versioning(w);
}

static void test_random_history(void **state)
{
    static struct world w;
    uint64_t start;

    (void)state;
    w.store = test_store(0);
    w.main = store_branch(w.store, STR("main"));
    w.random.state = 5;
    start = test_memory(w.store);
    test_bucket(w.main, BUCKET);
    assert_int_equal(NAMED_OK, store_snapshot_take(w.store, w.main, STR("snap")));
    for (w.step = 1; w.step <= 4000; w.step++) {
        random_step(&w);
        check_model(w.main, &w.model);
    }
    /* The snapshot still is what it was. */
    assert_int_equal(NAMED_OK, store_snapshot_restore(w.store, &w.main, STR("snap")));
    check_model(w.main, &w.snapshot);
    assert_int_equal(NAMED_OK, store_snapshot_drop(w.store, STR("snap")));
    assert_int_equal(branch_clear(&w.main), NAMED_OK);
    /* Only tree nodes set aside for the next write may have come. */
    assert_true(test_memory(w.store) < start + KiB(64));
    branch_unref(w.main);
    store_free(w.store);
}

/* ---- S3's rules, one by one -------------------------------------------------------- */

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

static const struct target at_key = {{"bucket", 6}, {"key", 3}};

static enum s3_err get(struct fixture *f, struct str version)
{
    AUTO(record) r = NULL;

    return object_get(&r, f->main, &at_key, version);
}

static void set_versioning(struct fixture *f, enum versioning versioning)
{
    assert_int_equal(bucket_set_versioning(f->main, BUCKET, versioning), S3_OK);
}

/* Recorded from Amazon: test_get_object_with_version_unversioned_bucket, test_delete_object. */
static void test_ids_that_are_none(void **state)
{
    struct fixture *f = *state;
    const struct str foreign = STR("HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD");
    char id[VERSION_ID_SIZE];

    test_put(f->store, f->main, at_key.key, STR("x"), id);
    assert_string_equal(id, "");
    assert_int_equal(get(f, STR("null")), S3_OK);
    assert_int_equal(get(f, foreign), S3_INVALID_ARGUMENT);
    assert_int_equal(get(f, STR("")), S3_INVALID_ARGUMENT);
    assert_int_equal(get(f, STR("nul")), S3_INVALID_ARGUMENT);
    assert_int_equal(object_delete(f->main, &at_key, foreign, NULL, NULL), S3_INVALID_ARGUMENT);

    set_versioning(f, VERSIONING_ENABLED);
    test_put(f->store, f->main, at_key.key, STR("y"), id);
    assert_int_equal(strlen(id), 32);
    assert_int_equal(
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"), 32);
    assert_int_equal(get(f, str_c(id)), S3_OK);
    assert_int_equal(object_delete(f->main, &at_key, str_c(id), NULL, NULL), S3_OK);
    assert_int_equal(get(f, str_c(id)), S3_NO_SUCH_VERSION);
    assert_int_equal(get(f, STR("null")), S3_OK);

    struct target other = {BUCKET, STR("other")};
    AUTO(record) r = NULL;
    assert_int_equal(object_get(&r, f->main, &other, str_c(id)), S3_NO_SUCH_VERSION);
    assert_int_equal(object_get(&r, f->main, &other, STR("null")), S3_NO_SUCH_VERSION);
    other.bucket = STR("no-such-bucket");
    assert_int_equal(object_get(&r, f->main, &other, foreign), S3_NO_SUCH_BUCKET);
    assert_null(r);
}

/* x-amz-version-id: the state of the bucket tells whether "null" is sent. */
static void test_versioning_state_comes_along(void **state)
{
    struct fixture *f = *state;
    enum versioning versioning;
    struct record *r;
    char id[VERSION_ID_SIZE];

    test_put(f->store, f->main, at_key.key, STR("x"), NULL);
    assert_int_equal(object_find(&r, &versioning, f->main, &at_key, STR_NONE), S3_OK);
    assert_int_equal(versioning, VERSIONING_NEVER);
    assert_string_equal(record_version_id(r, id).ptr, "null");
    record_unref(r);

    set_versioning(f, VERSIONING_SUSPENDED);
    assert_int_equal(object_find(&r, &versioning, f->main, &at_key, STR_NONE), S3_OK);
    assert_int_equal(versioning, VERSIONING_SUSPENDED);
    record_unref(r);
    test_put(f->store, f->main, at_key.key, STR("y"), id);
    assert_string_equal(id, "null");
}

/* A key nobody ever wrote gets a marker too (recorded: test_delete_object_versioned). */
static void test_marker_for_missing_key(void **state)
{
    struct fixture *f = *state;
    struct write_result marker, result;

    set_versioning(f, VERSIONING_ENABLED);
    assert_int_equal(object_delete(f->main, &at_key, STR_NONE, NULL, &marker), S3_OK);
    assert_true(marker.delete_marker);
    assert_false(marker.existed);
    assert_int_equal(strlen(marker.version_id), 32);
    assert_int_equal(get(f, str_c(marker.version_id)), S3_METHOD_NOT_ALLOWED);
    assert_int_equal(bucket_delete(f->main, BUCKET), S3_BUCKET_NOT_EMPTY);
    assert_int_equal(object_delete(f->main, &at_key, str_c(marker.version_id), NULL, &result),
                     S3_OK);
    assert_true(result.delete_marker);
    record_unref(result.old);
    assert_int_equal(bucket_delete(f->main, BUCKET), S3_OK);
}

static void test_deleting_the_marker_undeletes(void **state)
{
    struct fixture *f = *state;
    struct write_result marker;

    set_versioning(f, VERSIONING_ENABLED);
    test_put(f->store, f->main, at_key.key, STR("one"), NULL);
    assert_int_equal(object_delete(f->main, &at_key, STR_NONE, NULL, &marker), S3_OK);
    assert_int_equal(get(f, STR_NONE), S3_NO_SUCH_KEY);
    assert_int_equal(object_delete(f->main, &at_key, str_c(marker.version_id), NULL, NULL),
                     S3_OK);

    AUTO(record) r = NULL;
    assert_int_equal(object_get(&r, f->main, &at_key, STR_NONE), S3_OK);
    assert_str_equal(test_content(r), STR("one"));
}

/* A frozen or moved clock does not disturb the order: it is the order of writing. */
static void test_order_is_not_the_clock(void **state)
{
    struct fixture *f = *state;
    char first[VERSION_ID_SIZE], second[VERSION_ID_SIZE];

    set_versioning(f, VERSIONING_ENABLED);
    clock_freeze_at_ns(2000 * NS_PER_S);
    test_put(f->store, f->main, at_key.key, STR("first"), first);
    clock_freeze_at_ns(1000 * NS_PER_S);
    test_put(f->store, f->main, at_key.key, STR("second"), second);
    clock_unfreeze();
    assert_string_not_equal(first, second);
    assert_int_equal(object_delete(f->main, &at_key, str_c(second), NULL, NULL), S3_OK);

    AUTO(record) r = NULL;
    assert_int_equal(object_get(&r, f->main, &at_key, STR_NONE), S3_OK);
    assert_str_equal(test_content(r), STR("first"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_history),
        cmocka_unit_test_setup_teardown(test_ids_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versioning_state_comes_along, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marker_for_missing_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleting_the_marker_undeletes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_is_not_the_clock, setup, teardown),
    };

    return cmocka_run_group_tests_name("store/versions", tests, NULL, NULL);
}
