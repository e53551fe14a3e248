/* SPDX-License-Identifier: MIT */
/* objects.c - GET objects: what a bucket holds, as it was at one instant. Written in turns, so
 * that a list of a million keys stops nobody. */
#include "admin/call.h"
#include "admin/traffic/entry.h"

/* Of one request; released with it. */
struct object_list {
    struct listing *listing;   /* owned */
    struct str branch, bucket; /* of the request */
    bool versions, begun, some;
};

static void object_list_free(void *state)
{
    struct object_list *list = state;

    listing_close(list->listing);
    mem_free(list);
}

static void add_object(struct buf *out, const struct object_list *list,
                       const struct listing_entry *entry)
{
    const struct record *r = entry->record;
    char time[ADMIN_TIME_SIZE], id[VERSION_ID_SIZE], etag[ETAG_SIZE];
    bool marker = record_is_delete_marker(r);

    buf_add(out, STR("{\"key\":"));
    json_add_text(out, record_key(r));
    if (marker)
        buf_add(out, STR(",\"deleteMarker\":true"));
    else
        buf_addf(out, ",\"size\":%llu", (unsigned long long)record_size(r));
    buf_addf(out, ",\"modified\":\"%s\"", admin_time_text(record_mtime_ns(r), time).ptr);
    if (!marker) {
        buf_add(out, STR(",\"etag\":"));
        json_add_text(out, record_etag(r, etag));
    }
    buf_add(out, STR(",\"versionId\":"));
    json_add_text(out, record_version_id(r, id));
    if (list->versions)
        buf_addf(out, ",\"latest\":%s", entry->is_latest ? "true" : "false");
    buf_add_char(out, '}');
}

static bool next_object(void *arg, struct buf *out)
{
    struct object_list *list = arg;
    struct listing_entry entry;

    if (!list->begun) {
        buf_add(out, STR("{\"branch\":"));
        json_add_text(out, list->branch);
        buf_add(out, STR(",\"bucket\":"));
        json_add_text(out, list->bucket);
        buf_add(out, STR(",\"entries\":["));
        list->begun = true;
    }
    if (!listing_next(list->listing, &entry)) {
        buf_add(out, STR("]}"));
        return false;
    }
    if (list->some)
        buf_add_char(out, ',');
    list->some = true;
    if (!entry.common_prefix.ptr) {
        add_object(out, list, &entry);
        return true;
    }
    buf_add(out, STR("{\"prefix\":"));
    json_add_text(out, entry.common_prefix);
    buf_add_char(out, '}');
    return true;
}

static struct str text_or_empty(struct str text)
{
    return text.ptr ? text : STR("");
}

/* False: answered. */
static bool open_listing(struct admin_call *c, struct object_list *list, struct branch *b)
{
    struct listing_query query = {.kind = list->versions ? LIST_VERSIONS : LIST_OBJECTS,
                                  .bucket = list->bucket,
                                  .prefix = text_or_empty(admin_param(c, "prefix")),
                                  .delimiter = text_or_empty(admin_param(c, "delimiter"))};
    AUTO(root) root = branch_root(b);
    enum s3_err err = listing_open(&list->listing, root, &query);

    if (err == S3_NO_SUCH_BUCKET)
        admin_field_error(c, 404, "NoSuchBucket", "bucket", "there is no bucket '%s'",
                          list->bucket.ptr);
    else if (err)
        admin_no_memory(c);
    return !err;
}

enum app_next admin_list_objects(struct admin_call *c)
{
    struct object_list *list = xcalloc(1, sizeof(*list));

    c->state = list;
    c->state_free = object_list_free;
    list->bucket = admin_param(c, "bucket");
    if (!list->bucket.ptr || list->bucket.len == 0)
        return admin_field_error(c, 400, "InvalidArgument", "bucket", "a bucket is needed");
    if (!admin_param_bool(c, "versions", &list->versions))
        return APP_REPLY;

    AUTO(branch) b = admin_branch(c);

    if (!b)
        return APP_REPLY;
    list->branch = admin_param(c, "branch").ptr ? admin_param(c, "branch") : STR("main");
    if (!open_listing(c, list, b))
        return APP_REPLY;
    return admin_pieces(c, "application/json", next_object, list);
}
