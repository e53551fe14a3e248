/* SPDX-License-Identifier: MIT */
/* states.c - snapshots and branches: taking, restoring, forking, dropping. All O(1) in what the
 * store holds; the store itself sees to it that they may be asked for at once. */
#include "admin/call.h"

#include <stdio.h>

/* ---- what a state is --------------------------------------------------------------- */

static void add_u64(struct buf *out, struct str name, uint64_t value)
{
    buf_add(out, name);
    buf_add_u64(out, value);
}

/* Names have no characters that JSON escapes. */
void named_info_add_json(struct buf *out, const struct named_info *info)
{
    char time[ADMIN_TIME_SIZE];

    buf_addf(out, "{\"name\":\"%s\",\"from\":", info->name);
    if (info->from[0])
        buf_addf(out, "\"%s\"", info->from);
    else
        buf_add(out, STR("null"));
    buf_addf(out, ",\"created\":\"%s\"", admin_time_text(info->created_ns, time).ptr);
    add_u64(out, STR(",\"buckets\":"), info->bucket_count);
    add_u64(out, STR(",\"objects\":"), info->object_count);
    add_u64(out, STR(",\"bytes\":"), info->object_bytes);
    add_u64(out, STR(",\"versions\":"), info->version_count);
    add_u64(out, STR(",\"versionBytes\":"), info->version_bytes);
    add_u64(out, STR(",\"uploads\":"), info->upload_count);
    buf_add_char(out, '}');
}

bool named_walk_next(struct named_walk *w, struct named_info *info)
{
    if (!w->next(w->store, str_c(w->after), false, info))
        return false;
    memcpy(w->after, info->name, sizeof(w->after));
    w->count++;
    w->stored_bytes += info->object_bytes + info->version_bytes;
    return true;
}

struct state_list {
    const char *field;
    struct named_walk walk;
};

static bool next_state(void *arg, struct buf *out)
{
    struct state_list *list = arg;
    bool first = list->walk.count == 0;
    struct named_info info;
    bool some = named_walk_next(&list->walk, &info);

    if (first)
        buf_addf(out, "{\"%s\":[", list->field);
    if (!some) {
        buf_add(out, STR("]}"));
        return false;
    }
    if (!first)
        buf_add_char(out, ',');
    named_info_add_json(out, &info);
    return true;
}

static enum app_next list_states(struct admin_call *c, const char *field, next_named *next)
{
    struct state_list *list = xcalloc(1, sizeof(*list));

    *list = (struct state_list){field, {.store = c->admin->options.store, .next = next}};
    c->state = list;
    c->state_free = mem_free;
    return admin_pieces(c, "application/json", next_state, list);
}

/* 201 and what was made. */
static enum app_next answer_created(struct admin_call *c, const char *kind, struct str name,
                                    next_named *next)
{
    struct named_info info;

    if (!next(c->admin->options.store, name, true, &info) || !str_eq(str_c(info.name), name))
        return admin_field_error(c, 409, "Conflict", "name",
                                 "'%s' was removed in the same moment", name.ptr);
    reply_headerf(&c->reply, "Location", "/_s3mem/%s/%s", kind, info.name);
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    c->reply.status = 201;
    buf_reset(&c->reply.text); /* of a job's answer, maybe */
    named_info_add_json(&c->reply.text, &info);
    return APP_REPLY;
}

enum app_next admin_snapshot_created(struct admin_call *c, struct str name)
{
    return answer_created(c, "snapshots", name, store_snapshot_next);
}

static enum app_next no_such_snapshot(struct admin_call *c, const char *field, struct str name)
{
    return admin_field_error(c, 404, "NoSuchSnapshot", field, "there is no snapshot '%s'",
                             name.ptr);
}

/* ---- snapshots --------------------------------------------------------------------- */

#define NUMBERED_TRIES 100

static enum app_next take_with_made_up_name(struct admin_call *c, struct branch *b)
{
    char name[48];
    enum named result;
    int tries = 0;

    do {
        uint64_t number = atomic_fetch_add(&c->admin->snapshots_named, 1) + 1;

        /* Somebody has taken many such names: no search for a gap among them. */
        if (++tries > NUMBERED_TRIES)
            random_bytes(&number, sizeof(number));
        snprintf(name, sizeof(name), "snapshot-%llu", (unsigned long long)number);
        result = store_snapshot_take(c->admin->options.store, b, str_c(name));
    } while (result == NAMED_EXISTS);
    if (result)
        return admin_no_memory(c);
    return admin_snapshot_created(c, str_c(name));
}

enum app_next admin_take_snapshot(struct admin_call *c)
{
    struct str name = STR_NONE;

    if (!admin_fields(c, c->json, "name") || !admin_field_text(c, c->json, "name", &name) ||
        (name.ptr && !admin_name_ok(c, "name", name)))
        return APP_REPLY;

    AUTO(branch) b = admin_branch(c);

    if (!b)
        return APP_REPLY;
    if (!name.ptr)
        return take_with_made_up_name(c, b);
    switch (store_snapshot_take(c->admin->options.store, b, name)) {
    case NAMED_OK:
        return admin_snapshot_created(c, name);
    case NAMED_EXISTS:
        return admin_field_error(c, 409, "SnapshotAlreadyExists", "name",
                                 "there is a snapshot '%s'; delete it first, or choose another "
                                 "name",
                                 name.ptr);
    default:
        return admin_no_memory(c);
    }
}

enum app_next admin_list_snapshots(struct admin_call *c)
{
    return list_states(c, "snapshots", store_snapshot_next);
}

enum app_next admin_drop_snapshot(struct admin_call *c)
{
    if (!admin_name_ok(c, "name", c->argument))
        return APP_REPLY;
    if (store_snapshot_drop(c->admin->options.store, c->argument))
        return no_such_snapshot(c, "name", c->argument);
    return admin_empty(c, 204);
}

/* Neither there nor here: a mistyped name rather than a bucket to be removed. */
static bool bucket_is_known(struct admin_call *c, struct branch *b, struct str bucket)
{
    AUTO(root) then = store_snapshot_root(c->admin->options.store, c->argument);
    AUTO(root) now = branch_root(b);
    struct root *roots[] = {then, now};

    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct bucket_info info;
        bool found = false;

        if (roots[i] && root_bucket_next(roots[i], bucket, true, &info)) {
            found = str_eq(str_c(info.name), bucket);
            bucket_info_release(&info);
        }
        if (found)
            return true;
    }
    admin_field_error(c, 404, "NoSuchBucket", "bucket",
                      "neither the snapshot nor the branch has a bucket '%s'", bucket.ptr);
    return false;
}

enum app_next admin_restore_snapshot(struct admin_call *c)
{
    struct store *store = c->admin->options.store;
    struct str bucket = admin_param(c, "bucket");
    enum named result;

    if (!admin_name_ok(c, "name", c->argument))
        return APP_REPLY;

    AUTO(branch) b = admin_branch(c);

    if (!b)
        return APP_REPLY;
    if (bucket.ptr) {
        AUTO(root) there = store_snapshot_root(store, c->argument);

        if (!there)
            return no_such_snapshot(c, "name", c->argument);
        if (!bucket_is_known(c, b, bucket))
            return APP_REPLY;
        result = store_snapshot_restore_bucket(store, &b, c->argument, bucket);
    } else {
        result = store_snapshot_restore(store, &b, c->argument);
    }
    if (result == NAMED_MISSING)
        return no_such_snapshot(c, "name", c->argument);
    if (result)
        return admin_no_memory(c);
    return admin_json(c, 200,
                      json_pack("{s:s, s:o, s:o*}", "snapshot", c->argument.ptr, "branch",
                                admin_string(branch_name(b)), "bucket",
                                bucket.ptr ? admin_string(bucket) : NULL));
}

/* ---- branches ---------------------------------------------------------------------- */

/* "from" names a snapshot, or else a branch. */
static enum named fork_from(struct store *store, struct str name, struct str from)
{
    enum named result = store_fork(store, name, STR_NONE, from);

    return result == NAMED_MISSING ? store_fork(store, name, from, STR_NONE) : result;
}

static enum app_next fork_branch(struct admin_call *c, struct str name, struct str from,
                                 struct str branch, struct str snapshot)
{
    struct store *store = c->admin->options.store;
    enum named result;

    if (snapshot.ptr)
        result = store_fork(store, name, STR_NONE, snapshot);
    else if (branch.ptr || !from.ptr)
        result = store_fork(store, name, branch.ptr ? branch : STR("main"), STR_NONE);
    else
        result = fork_from(store, name, from);
    switch (result) {
    case NAMED_OK:
        return answer_created(c, "branches", name, store_branch_next);
    case NAMED_EXISTS:
        return admin_field_error(c, 409, "BranchAlreadyExists", "name",
                                 "there is a branch '%s'", name.ptr);
    case NAMED_MISSING:
        if (snapshot.ptr)
            return no_such_snapshot(c, "snapshot", snapshot);
        return admin_field_error(
            c, 404, "NoSuchBranch", branch.ptr ? "branch" : "from", "there is no %s '%s'",
            branch.ptr ? "branch" : "snapshot or branch", branch.ptr ? branch.ptr : from.ptr);
    case NAMED_TOO_MANY:
        return admin_error(c, 503, "TooManyBranches",
                           "there are as many branches as --branch-limit allows; delete one");
    case NAMED_NO_MEMORY:
        break;
    }
    return admin_no_memory(c);
}

enum app_next admin_fork_branch(struct admin_call *c)
{
    struct str name = STR_NONE, from = STR_NONE, branch = STR_NONE, snapshot = STR_NONE;

    if (!admin_fields(c, c->json, "name from branch snapshot") ||
        !admin_field_text(c, c->json, "name", &name) ||
        !admin_field_text(c, c->json, "from", &from) ||
        !admin_field_text(c, c->json, "branch", &branch) ||
        !admin_field_text(c, c->json, "snapshot", &snapshot))
        return APP_REPLY;
    if (!name.ptr)
        return admin_field_error(c, 400, "InvalidArgument", "name", "a branch needs a name");
    if (!admin_name_ok(c, "name", name) || (from.ptr && !admin_name_ok(c, "from", from)) ||
        (branch.ptr && !admin_name_ok(c, "branch", branch)) ||
        (snapshot.ptr && !admin_name_ok(c, "snapshot", snapshot)))
        return APP_REPLY;
    if (!!from.ptr + !!branch.ptr + !!snapshot.ptr > 1)
        return admin_field_error(c, 400, "InvalidArgument", "from",
                                 "give one of from, branch and snapshot");
    return fork_branch(c, name, from, branch, snapshot);
}

enum app_next admin_list_branches(struct admin_call *c)
{
    return list_states(c, "branches", store_branch_next);
}

enum app_next admin_show_branch(struct admin_call *c)
{
    struct named_info info;

    if (!store_branch_next(c->admin->options.store, c->argument, true, &info) ||
        !str_eq(str_c(info.name), c->argument))
        return admin_field_error(c, 404, "NoSuchBranch", "name", "there is no branch '%s'",
                                 c->argument.ptr);
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    named_info_add_json(&c->reply.text, &info);
    return APP_REPLY;
}

enum app_next admin_delete_branch(struct admin_call *c)
{
    if (!admin_name_ok(c, "name", c->argument))
        return APP_REPLY;
    if (str_eq(c->argument, STR("main")))
        return admin_field_error(c, 409, "BranchInUse", "name",
                                 "main cannot be deleted; POST clear empties it");
    if (store_branch_delete(c->admin->options.store, c->argument))
        return admin_field_error(c, 404, "NoSuchBranch", "name", "there is no branch '%s'",
                                 c->argument.ptr);
    return admin_empty(c, 204);
}
