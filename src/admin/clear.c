/* SPDX-License-Identifier: MIT */
/* clear.c - emptying a branch, a bucket (both O(1)) or a prefix (in turns). */
#include "admin/traffic/stats.h"

/* Between two looks at the clock; others get their turn when a prefix takes longer. */
#define KEYS_A_LOOK 2

static enum app_next answer(struct admin_call *c, struct branch *b, const struct cleared *count)
{
    struct str bucket = admin_param(c, "bucket"), prefix = admin_param(c, "prefix");

    if (admin_param(c, "stats").ptr)
        stats_reset(c->admin);
    return admin_json(
        c, 200,
        json_pack("{s:o, s:o*, s:o*, s:I, s:I, s:I}", "branch", admin_string(branch_name(b)),
                  "bucket", bucket.ptr ? admin_string(bucket) : NULL, "prefix",
                  prefix.ptr ? admin_string(prefix) : NULL, "objects",
                  (json_int_t)count->objects, "versions", (json_int_t)count->versions,
                  "uploads", (json_int_t)count->uploads));
}

static enum app_next refuse(struct admin_call *c, enum s3_err err)
{
    if (err == S3_NO_SUCH_BUCKET)
        return admin_field_error(c, 404, "NoSuchBucket", "bucket", "there is no bucket '%s'",
                                 admin_param(c, "bucket").ptr);
    return admin_no_memory(c);
}

static enum app_next clear_branch(struct admin_call *c, struct branch **b)
{
    struct named_info info = {.name = ""};
    struct cleared count = {0};

    /* Counted a moment before: who writes meanwhile may see it cleared uncounted. */
    if (store_branch_next(c->admin->options.store, branch_name(*b), true, &info))
        count = (struct cleared){info.object_count, info.version_count, info.upload_count};
    if (branch_clear(b))
        return admin_no_memory(c);
    return answer(c, *b, &count);
}

static enum app_next clear_bucket(struct admin_call *c, struct branch *b, struct str bucket)
{
    struct bucket_info before;
    enum s3_err err = bucket_clear(b, bucket, &before);
    struct cleared count;

    if (err)
        return refuse(c, err);
    count = (struct cleared){before.object_count, before.version_count, before.upload_count};
    bucket_info_release(&before);
    return answer(c, b, &count);
}

/* A prefix being cleared, from turn to turn. */
struct clearing {
    struct branch *branch; /* a reference */
    struct cleared count;
};

static void clearing_free(void *state)
{
    struct clearing *clearing = state;

    branch_unref(clearing->branch);
    mem_free(clearing);
}

static enum app_next clear_prefix(struct admin_call *c, struct str bucket, struct str prefix)
{
    struct clearing *clearing = c->state;
    bool done = false;
    int64_t until_ns = clock_monotonic_ns() + TURN_SLICE_NS;
    enum s3_err err;

    do {
        err = bucket_clear_prefix(clearing->branch, bucket, prefix, KEYS_A_LOOK,
                                  &clearing->count, &done);
    } while (!err && !done && clock_monotonic_ns() < until_ns);
    if (err)
        return refuse(c, err);
    if (!branch_is_current(clearing->branch, bucket))
        return admin_error(c, 409, "Conflict",
                           BRANCH_REPLACED ": what it holds now was not cleared");
    if (done)
        return answer(c, clearing->branch, &clearing->count);
    c->req->waker->wake(c->req->waker);
    return APP_WAIT;
}

/* Takes b. */
static enum app_next begin_prefix(struct admin_call *c, struct branch *b, struct str bucket,
                                  struct str prefix)
{
    struct clearing *clearing = xcalloc(1, sizeof(*clearing));

    clearing->branch = b;
    c->state = clearing;
    c->state_free = clearing_free;
    return clear_prefix(c, bucket, prefix);
}

enum app_next admin_clear(struct admin_call *c)
{
    struct str bucket = admin_param(c, "bucket"), prefix = admin_param(c, "prefix");
    struct str stats = admin_param(c, "stats");

    if (c->state)
        return clear_prefix(c, bucket, prefix);
    if (stats.ptr && !str_eq(stats, STR("reset")))
        return admin_field_error(c, 400, "InvalidArgument", "stats", "can only be reset");
    if (prefix.ptr && !bucket.ptr)
        return admin_field_error(c, 400, "InvalidArgument", "prefix",
                                 "a prefix needs a bucket");

    AUTO(branch) b = admin_branch(c);

    if (!b)
        return APP_REPLY;
    if (prefix.ptr)
        return begin_prefix(c, TAKE(b), bucket, prefix);
    return bucket.ptr ? clear_bucket(c, b, bucket) : clear_branch(c, &b);
}
