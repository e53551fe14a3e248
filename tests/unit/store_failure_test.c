/* SPDX-License-Identifier: MIT */
/* Every change with its first, second, ... allocation failing: it says SlowDown, nothing has
 * changed and nothing is lost. Then max_memory. */
#include "store_util.h"

/* ---- everything a branch holds, as one text ---------------------------------------- */

static void dump_record(struct buf *out, struct record *r)
{
    char id[VERSION_ID_SIZE];

    buf_add(out, record_key(r));
    buf_addf(out, " %s %d %llu ", record_version_id(r, id).ptr, record_is_delete_marker(r),
             (unsigned long long)record_size(r));
    buf_add_hex(out, record_attrs(r));
    buf_add_char(out, '\n');
}

static void dump_upload(struct buf *out, struct upload *u)
{
    const struct part *part = NULL;

    buf_add(out, upload_id(u));
    while ((part = upload_part_from(u, part ? part->number + 1 : 1)))
        buf_addf(out, " %u:%llu", part->number, (unsigned long long)part->size);
    buf_add_char(out, '\n');
}

static void dump_bucket(struct buf *out, struct root *root, const struct bucket_info *info)
{
    buf_addf(out, "%s %d %llu %llu %llu %llu %llu\n", info->name, (int)info->versioning,
             (unsigned long long)info->object_count, (unsigned long long)info->object_bytes,
             (unsigned long long)info->version_count, (unsigned long long)info->version_bytes,
             (unsigned long long)info->upload_count);
    buf_add(out, doc_str(info->docs[BUCKET_DOC_TAGGING]));
    for (int kind = LIST_OBJECTS; kind <= LIST_UPLOADS; kind++) {
        struct listing_query q = {.kind = (enum listing_kind)kind, .bucket = str_c(info->name)};
        AUTO(listing) listing = NULL;
        struct listing_entry entry;

        assert_int_equal(listing_open(&listing, root, &q), S3_OK);
        while (listing_next(listing, &entry)) {
            if (entry.upload)
                dump_upload(out, entry.upload);
            else
                dump_record(out, entry.record);
        }
    }
}

static void dump(struct buf *out, struct branch *b)
{
    AUTO(root) root = branch_root(b);
    struct bucket_info info;
    char name[64] = "";

    while (root_bucket_next(root, str_c(name), false, &info)) {
        dump_bucket(out, root, &info);
        memcpy(name, info.name, sizeof(name));
        bucket_info_release(&info);
    }
    assert_true(buf_ok(out));
}

/* ---- changes ----------------------------------------------------------------------- */

struct trial {
    struct store *store;
    struct branch *b;
    const char *upload; /* one with a part 1, of "big" */
};

static const struct target small = {{"bucket", 6}, {"small", 5}};
static const struct target big = {{"bucket", 6}, {"big", 3}};

static enum s3_err put(struct trial *t, struct str key, size_t len)
{
    static char content[10000];
    struct record *r = test_record(t->store, key, str_of(content, len));

    return r ? object_put(t->b, BUCKET, r, NULL, NULL) : S3_SLOW_DOWN;
}

static enum s3_err do_put_new(struct trial *t)
{
    return put(t, STR("new"), 100);
}

static enum s3_err do_put_big(struct trial *t)
{
    return put(t, STR("new"), 9000);
}

static enum s3_err do_overwrite(struct trial *t)
{
    return put(t, STR("small"), 9000);
}

static enum s3_err do_delete(struct trial *t)
{
    return object_delete(t->b, &small, STR_NONE, NULL, NULL);
}

static enum s3_err do_delete_null_version(struct trial *t)
{
    return object_delete(t->b, &small, STR("null"), NULL, NULL);
}

static enum s3_err do_retag(struct trial *t)
{
    struct record *changed;
    AUTO(record) r = NULL;

    assert_int_equal(object_get(&r, t->b, &small, STR("null")), S3_OK);
    changed = record_with_attrs(t->store, r, STR("\1\1z"));
    return changed ? object_replace(t->b, &small, r, changed) : S3_SLOW_DOWN;
}

static enum s3_err do_rename(struct trial *t)
{
    return object_rename(t->b, BUCKET, STR("big"), STR("small"), NULL, NULL);
}

static enum s3_err do_copy(struct trial *t)
{
    struct record_spec spec = {.key = STR("copy")};
    AUTO(record) r = NULL;

    assert_int_equal(object_get(&r, t->b, &big, STR_NONE), S3_OK);
    struct body *body = record_body(t->store, r);
    if (!body)
        return S3_SLOW_DOWN;
    r = (record_unref(r), record_new(t->store, &spec, body));
    return r ? object_put(t->b, BUCKET, TAKE(r), NULL, NULL) : S3_SLOW_DOWN;
}

static enum s3_err do_create_bucket(struct trial *t)
{
    struct bucket_spec spec = {.name = STR("second"), .owner = STR("o"), .tagging = STR("a=b")};

    return bucket_create(t->b, &spec);
}

static enum s3_err do_delete_bucket(struct trial *t)
{
    return bucket_delete(t->b, STR("empty"));
}

static enum s3_err do_set_doc(struct trial *t)
{
    struct doc *doc = doc_new(t->store, STR("x=y"));

    return doc ? bucket_set_doc(t->b, BUCKET, BUCKET_DOC_TAGGING, doc) : S3_SLOW_DOWN;
}

static enum s3_err do_set_versioning(struct trial *t)
{
    return bucket_set_versioning(t->b, STR("empty"), VERSIONING_ENABLED);
}

static enum s3_err do_create_upload(struct trial *t)
{
    struct upload_spec spec = {.key = STR("upload"), .owner = STR("me"), .attrs = STR("\1\1x")};
    char id[UPLOAD_ID_SIZE];

    return upload_create(t->b, BUCKET, &spec, id);
}

static enum s3_err do_put_part(struct trial *t)
{
    struct part part = {
        .number = 2, .size = 3, .body = body_new(t->store, BODY_LENGTH_UNKNOWN)};

    if (!part.body || !body_append(part.body, "abc", 3)) {
        body_unref(part.body);
        return S3_SLOW_DOWN;
    }
    return upload_put_part(t->b, &big, str_c(t->upload), &part);
}

static enum s3_err do_complete(struct trial *t)
{
    struct part_info info = {.number = 1, .size = 5000};
    struct record_spec spec = {
        .key = STR("big"), .part_count = 1, .parts = &info, .upload_id = str_c(t->upload)};
    AUTO(upload) seen = NULL;

    assert_int_equal(upload_get(&seen, t->b, &big, str_c(t->upload)), S3_OK);
    struct body *part = upload_part_from(seen, 1)->body;
    struct body *body = body_join(t->store, &part, 1);
    struct record *r = body ? record_new(t->store, &spec, body) : NULL;
    return r ? upload_complete(t->b, &big, seen, r, NULL, NULL) : S3_SLOW_DOWN;
}

static enum s3_err do_abort(struct trial *t)
{
    return upload_abort(t->b, &big, str_c(t->upload));
}

static enum s3_err do_copy_part(struct trial *t)
{
    struct part part = {.number = 3, .size = 10};
    AUTO(record) r = NULL;

    assert_int_equal(object_get(&r, t->b, &big, STR_NONE), S3_OK);
    AUTO(body) whole = record_body(t->store, r);
    part.body = whole ? body_range(whole, 5, 10) : NULL;
    return part.body ? upload_put_part(t->b, &big, str_c(t->upload), &part) : S3_SLOW_DOWN;
}

static enum s3_err do_restore_bucket(struct trial *t)
{
    return store_snapshot_restore_bucket(t->store, &t->b, STR("empty"), BUCKET) ? S3_SLOW_DOWN
                                                                                : S3_OK;
}

static enum s3_err do_take_snapshot(struct trial *t)
{
    if (store_snapshot_take(t->store, t->b, STR("taken")))
        return S3_SLOW_DOWN;
    assert_int_equal(NAMED_OK, store_snapshot_drop(t->store, STR("taken")));
    return S3_OK;
}

static enum s3_err do_fork(struct trial *t)
{
    if (store_fork(t->store, STR("forked"), branch_name(t->b), STR_NONE))
        return S3_SLOW_DOWN;
    assert_int_equal(NAMED_OK, store_branch_delete(t->store, STR("forked")));
    return S3_OK;
}

static enum s3_err do_list(struct trial *t)
{
    AUTO(root) root = branch_root(t->b);
    AUTO(listing) listing = NULL;

    return listing_open(&listing, root, &(struct listing_query){.bucket = BUCKET});
}

struct change_case {
    const char *name;
    enum s3_err (*run)(struct trial *t);
    bool changes; /* the dump differs afterwards */
};

#define CHANGE(name, changes)                                                                  \
    {                                                                                          \
#name, do_##name, changes                                                              \
    }
static const struct change_case cases[] = {
    CHANGE(put_new, true),        CHANGE(put_big, true),   CHANGE(overwrite, true),
    CHANGE(delete, true),         CHANGE(retag, true),     CHANGE(delete_null_version, true),
    CHANGE(rename, true),         CHANGE(copy, true),      CHANGE(create_bucket, true),
    CHANGE(delete_bucket, true),  CHANGE(set_doc, true),   CHANGE(set_versioning, true),
    CHANGE(create_upload, true),  CHANGE(put_part, true),  CHANGE(complete, true),
    CHANGE(abort, true),          CHANGE(copy_part, true), CHANGE(restore_bucket, true),
    CHANGE(take_snapshot, false), CHANGE(fork, false),     CHANGE(list, false),
};

/* ---- trying ------------------------------------------------------------------------ */

static struct store_stats stats_of(struct store *store)
{
    struct store_stats stats;

    store_reap_wait(store);
    store_stats(store, &stats);
    return stats;
}

/* A fork each, and no nodes set aside from the try before. True once it succeeded. */
static bool try_change(struct store *store, const char *upload, const struct change_case *c,
                       uint64_t nth, struct str before)
{
    struct store_stats start = stats_of(store), end;
    struct trial t = {.store = store, .upload = upload};
    AUTO_BUF(after, MiB(1));

    assert_int_equal(NAMED_OK, store_fork(store, STR("trial"), STR("main"), STR_NONE));
    t.b = store_branch(store, STR("trial"));
    store_drop_nodes(store);
    mem_fail_nth(nth);
    enum s3_err err = c->run(&t);
    mem_fail_nth(0);
    dump(&after, t.b);
    if (err) {
        assert_int_equal(err, S3_SLOW_DOWN);
        assert_str_equal(buf_str(&after), before);
    } else {
        assert_int_equal(str_eq(buf_str(&after), before), !c->changes);
    }
    assert_int_equal(NAMED_OK, store_branch_delete(store, STR("trial")));
    branch_unref(t.b);
    end = stats_of(store);
    assert_int_equal(end.record_bytes, start.record_bytes);
    assert_int_equal(end.body_bytes, start.body_bytes);
    return err == S3_OK;
}

static void prepare(struct store *store, struct branch *b, enum versioning versioning,
                    char upload[UPLOAD_ID_SIZE])
{
    struct trial t = {.store = store, .b = b};
    struct part part = {.number = 1, .size = 5000};
    char text[16];

    test_bucket(b, BUCKET);
    test_bucket(b, STR("empty"));
    assert_int_equal(NAMED_OK, store_snapshot_take(store, b, STR("empty")));
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), "key %d", i);
        assert_int_equal(put(&t, str_c(text), 10), S3_OK);
    }
    assert_int_equal(put(&t, STR("small"), 10), S3_OK);
    if (versioning != VERSIONING_NEVER) {
        assert_int_equal(bucket_set_versioning(b, BUCKET, VERSIONING_ENABLED), S3_OK);
        assert_int_equal(put(&t, STR("small"), 11), S3_OK);
        assert_int_equal(put(&t, STR("big"), 11), S3_OK);
        assert_int_equal(bucket_set_versioning(b, BUCKET, versioning), S3_OK);
    }
    assert_int_equal(put(&t, STR("big"), 9000), S3_OK);
    assert_int_equal(upload_create(b, BUCKET, &(struct upload_spec){.key = STR("big")}, upload),
                     S3_OK);
    static char content[5000];
    part.body = body_new(store, sizeof(content));
    assert_true(body_append(part.body, content, sizeof(content)));
    assert_int_equal(upload_put_part(b, &big, str_c(upload), &part), S3_OK);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    for (int versioning = VERSIONING_NEVER; versioning <= VERSIONING_SUSPENDED; versioning++) {
        struct store *store = test_store(0);
        struct branch *b = store_branch(store, STR("main"));
        char upload[UPLOAD_ID_SIZE];
        AUTO_BUF(before, MiB(1));

        prepare(store, b, (enum versioning)versioning, upload);
        dump(&before, b);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            uint64_t nth = 1;

            while (!try_change(store, upload, &cases[i], nth, buf_str(&before)))
                assert_true(++nth < 3000);
            assert_true(nth > 1); /* or no allocation of it ever failed */
        }
        branch_unref(b);
        store_free(store);
    }
}

/* ---- max_memory -------------------------------------------------------------------- */

static void test_limit_refuses_and_recovers(void **state)
{
    struct store *store = test_store(MiB(2));
    struct branch *b = store_branch(store, STR("main"));
    struct trial t = {.store = store, .b = b};
    char key[32];
    int count = 0;
    struct store_stats stats;

    (void)state;
    test_bucket(b, BUCKET);
    for (;; count++) {
        snprintf(key, sizeof(key), "key %06d", count);
        enum s3_err err = put(&t, str_c(key), 1000);
        if (err) {
            assert_int_equal(err, S3_SLOW_DOWN);
            break;
        }
    }
    stats = stats_of(store);
    assert_in_range(stats.memory_bytes, MiB(2) - KiB(8), MiB(2) + KiB(64));
    assert_in_range(count, 1500, 2000);

    /* Everything stored before is still there; deleting works and makes room, with a snapshot
     * held (which costs nodes) as well. */
    assert_int_equal(NAMED_OK, store_snapshot_take(store, b, STR("s")));
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key %06d", i);
        struct target at = {BUCKET, str_c(key)};
        struct write_result result;

        assert_int_equal(object_delete(b, &at, STR_NONE, NULL, &result), S3_OK);
        assert_true(result.existed);
        record_unref(result.old);
    }
    assert_true(stats_of(store).memory_bytes > MiB(2) - KiB(64)); /* the snapshot's */
    assert_int_equal(NAMED_OK, store_snapshot_drop(store, STR("s")));
    assert_true(stats_of(store).memory_bytes < KiB(64));
    assert_int_equal(put(&t, STR("new"), 1000), S3_OK);
    branch_unref(b);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_limit_refuses_and_recovers),
    };

    return cmocka_run_group_tests_name("store/failure", tests, NULL, NULL);
}
