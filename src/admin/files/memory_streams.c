/* SPDX-License-Identifier: MIT */
/* memory_streams.c - MemoryClient's JSON file sent bit by bit; what is said about it. */
#include "admin/files/memory_files.h"

/* What a turn of the I/O thread does at most; others want theirs. */
#define PIECE_MAX      KiB(128)
#define OBJECTS_A_TURN 1000

/* ---- shared ------------------------------------------------------------------------ */

struct root *memory_source(struct admin_call *c, struct str branch, struct str snapshot)
{
    struct store *store = c->admin->options.store;
    struct root *root;

    if (snapshot.ptr) {
        if (!admin_name_ok(c, "snapshot", snapshot))
            return NULL;
        root = store_snapshot_root(store, snapshot);
        if (!root)
            admin_field_error(c, 404, "NoSuchSnapshot", "snapshot", "there is no snapshot '%s'",
                              snapshot.ptr);
        return root;
    }

    AUTO(branch) b = admin_branch_named(c, branch);

    return b ? branch_root(b) : NULL;
}

/* The first two buckets tell whether there is exactly one. */
static bool only_bucket(struct admin_call *c, struct root *root, char out[64])
{
    struct bucket_info info;
    size_t count = 0;

    out[0] = '\0';
    while (count < 2 && root_bucket_next(root, str_c(out), false, &info)) {
        memcpy(out, info.name, sizeof(info.name));
        bucket_info_release(&info);
        count++;
    }
    if (count == 1)
        return true;
    if (count == 0)
        admin_field_error(c, 404, "NoSuchBucket", "bucket", "there is no bucket");
    else
        admin_field_error(c, 400, "InvalidArgument", "bucket",
                          "the file holds one bucket and there are several: say which one");
    return false;
}

bool memory_bucket(struct admin_call *c, struct root *root, struct str bucket, char out[64])
{
    struct bucket_info info;
    bool found = false;

    if (!bucket.ptr)
        return only_bucket(c, root, out);
    if (root_bucket_next(root, bucket, true, &info)) {
        found = str_eq(str_c(info.name), bucket);
        memcpy(out, info.name, sizeof(info.name));
        bucket_info_release(&info);
    }
    if (!found)
        admin_field_error(c, 404, "NoSuchBucket", "bucket", "there is no bucket '%s'",
                          bucket.ptr);
    return found;
}

json_t *memory_lost_json(const struct memory_json_lost *lost)
{
    const struct {
        const char *name;
        uint64_t count;
    } kinds[] = {
        {"versions", lost->versions},
        {"uploads", lost->uploads},
        {"tags", lost->tags},
        {"checksums", lost->checksums},
        {"headers", lost->headers},
        {"parts", lost->parts},
        {"bucketSettings", lost->bucket_settings},
    };
    json_t *shown = json_object();

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].count > 0)
            json_object_set_new(shown, kinds[i].name, json_integer((json_int_t)kinds[i].count));
    }
    return shown;
}

struct memory_json_target memory_target(const struct admin *admin, struct str bucket)
{
    const struct admin_options *o = &admin->options;

    return (struct memory_json_target){.store = o->store,
                                       .bucket = bucket,
                                       .region = o->region,
                                       .owner = o->owner,
                                       .name_ok = o->bucket_name_ok};
}

json_t *memory_loaded_json(const struct memory_json_reader *r, struct str branch)
{
    struct memory_json_loaded l;

    memory_json_loaded(r, &l);
    return json_pack("{s:o, s:s, s:b, s:I, s:I, s:I, s:I}", "branch", admin_string(branch),
                     "bucket", l.bucket, "created", l.created, "objects", (json_int_t)l.objects,
                     "bytes", (json_int_t)l.bytes, "etagsKept", (json_int_t)l.etags_kept,
                     "etagsReplaced", (json_int_t)l.etags_replaced);
}

bool memory_is_seen(const struct memory_json_reader *r, struct branch *b)
{
    struct memory_json_loaded l;

    memory_json_loaded(r, &l);
    return branch_is_current(b, str_c(l.bucket));
}

/* ---- sending ----------------------------------------------------------------------- */

static enum stream_next stream_file(void *arg, void *out, size_t max, size_t *len)
{
    switch (memory_json_write(arg, out, max < PIECE_MAX ? max : PIECE_MAX, len)) {
    case DOCUMENT_MORE:
        return STREAM_MORE;
    case DOCUMENT_END:
        return STREAM_END;
    case DOCUMENT_FAILED:
        break;
    }
    log_error("a JSON file was cut off: memory is out (see --max-memory)");
    return STREAM_FAILED;
}

static void free_writer(void *writer)
{
    memory_json_writer_free(writer);
}

static bool begin_download(struct admin_call *c)
{
    AUTO(root)
    root = memory_source(c, admin_param(c, "branch"), admin_param(c, "snapshot"));
    char bucket[64];

    if (!root || !memory_bucket(c, root, admin_param(c, "bucket"), bucket))
        return false;
    c->state = memory_json_writer_new(root, str_c(bucket), NULL);
    c->state_free = free_writer;
    return true;
}

static void add_lost_header(struct admin_call *c, json_t *lost)
{
    char text[512];
    size_t len = json_dumpb(lost, text, sizeof(text), JSON_COMPACT);

    reply_header(&c->reply, "x-s3mem-not-saved", str_of(text, len));
}

enum app_next admin_download_memory(struct admin_call *c)
{
    const struct memory_json_lost *lost;
    bool strict;

    if (!admin_param_bool(c, "strict", &strict) || (!c->state && !begin_download(c)))
        return APP_REPLY;
    if (memory_json_look(c->state, OBJECTS_A_TURN)) {
        c->req->waker->wake(c->req->waker);
        return APP_WAIT;
    }
    lost = memory_json_lost(c->state);

    json_t *shown = memory_lost_json(lost);

    if (strict && memory_json_loses(lost))
        return admin_json(c, 409,
                          json_pack("{s:{s:s, s:s, s:o}}", "error", "code", MEMORY_LOST_CODE,
                                    "message", MEMORY_LOST_MESSAGE, "notSaved", shown));
    add_lost_header(c, shown);
    json_decref(shown);
    c->reply.stream = stream_file;
    c->reply.stream_arg = c->state;
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    return APP_REPLY;
}
