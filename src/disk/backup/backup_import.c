/* SPDX-License-Identifier: MIT */
/* backup_import.c - a backup into a bucket, through the store: its observers hear of each
 * object, and others have their turn between two of them.
 *
 * An atomic import writes to a branch of its own that was forked from the one it is for; when
 * all went well the bucket is swapped in one step, if nobody else wrote to it meanwhile. */
#include "disk/backup/backup_import.h"

#include <stdarg.h>
#include <stdio.h>

#define KEYS_A_TURN 1000
/* What is parsed of no longer ones is small. */
#define LINE_USUAL KiB(16)

/* ---- what is told ------------------------------------------------------------------ */

static void add_error(struct import *x, const char *resource, const char *file, uint64_t line,
                      struct str text)
{
    json_t *error = json_pack("{s:s*, s:s*}", "resource", resource, "file", file);

    if (line > 0)
        json_object_set_new(error, "line", json_integer((json_int_t)line));
    json_object_set_new(error, "error", json_stringn(text.ptr ? text.ptr : "", text.len));
    told_add(&x->errors, error,
             text.len + (resource ? strlen(resource) : 0) + (file ? strlen(file) : 0));
}

void import_error(struct import *x, const struct import_resource *r, uint64_t line,
                  const char *fmt, ...)
{
    AUTO_BUF(text, KiB(8));
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    add_error(x, r->name, r->file, line, buf_str(&text));
}

void import_sidecar_error(struct import *x, uint64_t line, struct str why)
{
    AUTO_BUF(file, 256);

    buf_add_buf(&file, &x->sidecar);
    buf_add_char(&file, '\0');
    add_error(x, NULL, file.ptr, line, why);
}

void import_warn(struct import *x, const char *fmt, ...)
{
    AUTO_BUF(text, KiB(8));
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    told_add(&x->warnings, json_stringn(text.ptr ? text.ptr : "", text.len), text.len);
}

bool import_stop(struct import *x, enum backup_status status, const char *fmt, ...)
{
    va_list args;

    if (x->status)
        return false;
    x->status = status;
    va_start(args, fmt);
    buf_vaddf(x->why, fmt, args);
    va_end(args);
    return false;
}

bool import_go_on(struct import *x)
{
    if (!x->status && work_cancelled(x->options->work))
        import_stop(x, BACKUP_CANCELLED, "it was cancelled");
    return !x->status;
}

bool import_no_memory(struct import *x)
{
    return import_stop(x, BACKUP_NO_MEMORY, "memory is out (see --max-memory)");
}

static bool take_room(struct import *x, size_t bytes)
{
    return workspace_take(&x->workspace, bytes) ||
           import_stop(
               x, BACKUP_NO_MEMORY,
               "a JSON text takes more memory than there is: at most %zu MiB an import, "
               "and what --max-memory leaves",
               (size_t)(WORKSPACE_MAX / MiB(1)));
}

bool import_may_parse(struct import *x, struct str text)
{
    return take_room(x, js_parse_memory(text));
}

bool import_may_parse_line(struct import *x, struct str line)
{
    size_t bytes = line.len > LINE_USUAL ? js_parse_memory(line) : 0;

    workspace_give(&x->workspace, x->parsed);
    x->parsed = 0;
    if (bytes > 0 && !take_room(x, bytes))
        return false;
    x->parsed = bytes;
    return true;
}

struct import_resource *import_find(struct import *x, struct str name)
{
    size_t place = names_find(x->names, name);

    return place == SIZE_MAX ? NULL : &x->resources[place];
}

/* ---- objects ----------------------------------------------------------------------- */

#define PUTS_A_LOOK 1024

/* Nobody may be told that objects are there which nobody can see. */
static bool check_branch(struct import *x, struct branch *b)
{
    return branch_is_current(b, buf_str(&x->bucket)) ||
           import_stop(x, BACKUP_CONFLICT,
                       "the branch, or the bucket in it, was restored, cleared or deleted "
                       "meanwhile: nothing of what was imported is to be seen in it");
}

bool import_put(struct import *x, const struct record_spec *spec, struct body *body,
                struct buf *why)
{
    struct record *record;
    enum s3_err err;

    if (spec->key.len > KEY_MAX) {
        body_unref(body);
        buf_addf(why, "its key would be longer than %d bytes", KEY_MAX);
        return false;
    }
    record = record_new(x->store, spec, body);
    if (!record)
        return import_no_memory(x);
    err = object_put(x->branch, buf_str(&x->bucket), record, NULL, NULL);
    if (err == S3_NO_SUCH_BUCKET)
        return import_stop(x, BACKUP_NO_BUCKET, "the bucket was deleted meanwhile");
    if (err)
        return import_no_memory(x);
    work_count(x->options->work, 1, 0);
    return ++x->objects % PUTS_A_LOOK > 0 || check_branch(x, x->branch);
}

/* ---- the bucket -------------------------------------------------------------------- */

static bool make_bucket(struct import *x)
{
    enum s3_err err =
        bucket_create(x->branch, &(struct bucket_spec){.name = buf_str(&x->bucket),
                                                       .region = x->options->region,
                                                       .owner = x->options->owner});

    if (err && err != S3_BUCKET_ALREADY_EXISTS)
        return import_no_memory(x);
    return true;
}

/* The branch itself, or one aside that is called name. */
static bool open_branch(struct import *x, const char *aside)
{
    struct str branch = x->options->branch;

    if (aside) {
        enum named named = store_fork(x->store, str_c(aside), branch, STR_NONE);

        if (named == NAMED_NO_MEMORY)
            return import_no_memory(x);
        if (named == NAMED_TOO_MANY)
            return import_stop(x, BACKUP_NO_MEMORY,
                               "there are as many branches as --branch-limit allows");
        if (named)
            return import_stop(x, BACKUP_NO_BUCKET, "there is no branch '%.*s'",
                               (int)branch.len, branch.ptr);
        branch = str_c(aside);
    }
    x->branch = store_branch(x->store, branch);
    if (!x->branch)
        return import_stop(x, BACKUP_NO_BUCKET, "there is no branch '%.*s'", (int)branch.len,
                           branch.ptr);
    return make_bucket(x);
}

static bool clear_prefix(struct import *x, struct str prefix)
{
    struct cleared count = {0};
    bool done = false;

    while (!done && import_go_on(x))
        if (bucket_clear_prefix(x->branch, buf_str(&x->bucket), prefix, KEYS_A_TURN, &count,
                                &done))
            return import_no_memory(x);
    return done;
}

static bool clear_parts(struct import *x)
{
    static const char *const parts[] = {"resource=", "plugin=", "s3db.json"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO_BUF(prefix, KEY_MAX + 16);

        buf_add_buf(&prefix, &x->prefix);
        buf_add_c(&prefix, parts[i]);
        if (!clear_prefix(x, buf_str(&prefix)))
            return false;
    }
    return true;
}

static bool clear_chosen(struct import *x)
{
    const struct backup_choice *choice = &x->options->choice;

    if (!x->options->clear)
        return true;
    if (!choice->resources)
        return clear_parts(x);
    for (size_t i = 0; i < choice->resource_count; i++) {
        AUTO_BUF(prefix, KEY_MAX * 3);

        s3db_key_resource(&prefix, buf_str(&x->prefix), choice->resources[i]);
        if (!clear_prefix(x, buf_str(&prefix)))
            return false;
    }
    return true;
}

/* ---- the descriptor ---------------------------------------------------------------- */

static bool read_descriptor(struct import *x)
{
    AUTO_BUF(key, KEY_MAX * 2);
    AUTO_BUF(why, KiB(1));
    struct object_view v;
    enum s3_err err;
    AUTO(record) r = NULL;

    s3db_key_descriptor(&key, buf_str(&x->prefix));
    err = object_get(&r, x->branch, &(struct target){buf_str(&x->bucket), buf_str(&key)},
                     STR_NONE);
    if (err)
        return true;
    object_view_init(&v);
    if (object_view_set(&v, r) && import_may_parse(x, v.object.body))
        x->before = s3db_descriptor_parse(v.object.body, &why);
    object_view_release(&v);
    if (!x->before && import_go_on(x))
        return import_stop(x, BACKUP_INVALID,
                           "%.*s in the bucket is no descriptor of s3db.js (%.*s); clear "
                           "replaces it",
                           (int)key.len, key.ptr, (int)why.len, why.ptr ? why.ptr : "");
    return true;
}

static bool put_json(struct import *x, struct str key, struct str text)
{
    struct record_spec spec = {.key = key, .mtime_ns = clock_now_ns()};
    struct body *body = body_new(x->store, text.len);
    AUTO_BUF(attrs, KiB(1));
    AUTO_BUF(why, KiB(1));

    if (!body || !body_append(body, text.ptr, text.len)) {
        body_unref(body);
        return import_no_memory(x);
    }
    md5_once(text, spec.md5);
    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("application/json"));
    spec.attrs = buf_str(&attrs);
    return import_put(x, &spec, body, &why) ||
           import_stop(x, BACKUP_INVALID, "%.*s", (int)why.len, why.ptr ? why.ptr : "");
}

/* Resources of the sidecar that have no lines: plugins' own, or unreadable ones. */
static bool merge_unlisted(struct import *x, json_t *merged, int64_t now_ns)
{
    bool changed = false;
    const char *name;
    json_t *entry;

    if (!x->descriptor || x->options->choice.resources)
        return false;
    json_object_foreach(s3db_descriptor_resources(x->descriptor), name, entry)
    {
        if (import_find(x, str_c(name)) || !import_agrees(x, str_c(name)))
            continue;
        s3db_descriptor_put(merged, str_c(name), entry, now_ns);
        changed = true;
    }
    return changed;
}

/* Entries of resources that went in, over those that were there. */
static bool merge_descriptor(struct import *x)
{
    int64_t now_ns = clock_now_ns();
    AUTO(json_t) merged = x->before ? json_deep_copy(x->before) : s3db_descriptor_new(now_ns);
    AUTO_BUF(key, KEY_MAX * 2);
    AUTO_BUF(text, LINE_MAX_BYTES);
    bool changed = false;

    if (x->descriptor_whole)
        return true;
    for (size_t i = 0; i < x->resource_count; i++) {
        struct import_resource *r = &x->resources[i];

        if (r->way == IMPORT_REFUSED || !r->entry)
            continue;
        s3db_descriptor_put(merged, str_c(r->name), r->entry, now_ns);
        changed = true;
    }
    changed |= merge_unlisted(x, merged, now_ns);
    if (!changed)
        return true;
    s3db_key_descriptor(&key, buf_str(&x->prefix));
    s3db_descriptor_write(&text, merged);
    if (!buf_ok(&text))
        return import_stop(x, BACKUP_INVALID, "the descriptor would be too large");
    return put_json(x, buf_str(&key), buf_str(&text));
}

/* ---- all of it --------------------------------------------------------------------- */

static bool run(struct import *x)
{
    if (!clear_chosen(x) || !read_descriptor(x) || !import_read_descriptor(x) ||
        !import_settle(x))
        return false;
    for (size_t i = 0; i < x->resource_count; i++) {
        struct import_resource *r = &x->resources[i];

        if ((r->way == IMPORT_LINES || r->way == IMPORT_RAW) && !import_lines(x, r))
            return false;
    }
    return import_objects(x) && merge_descriptor(x);
}

static void make_aside_name(char out[NAME_MAX_LEN])
{
    snprintf(out, NAME_MAX_LEN, "import-%016llx", (unsigned long long)random_u64());
}

/* The bucket of the branch aside becomes that of the branch. */
static bool swap(struct import *x, struct str aside, struct root *before)
{
    AUTO(branch) target = store_branch(x->store, x->options->branch);
    enum named named;

    if (!target)
        return import_stop(x, BACKUP_CONFLICT, "the branch was deleted meanwhile");
    named = store_snapshot_take(x->store, x->branch, aside);
    if (named)
        return import_no_memory(x);
    named = store_snapshot_swap_bucket(x->store, &target, aside, buf_str(&x->bucket), before);
    if (store_snapshot_drop(x->store, aside))
        log_warn("the snapshot of an import was dropped by somebody else");
    if (named == NAMED_EXISTS)
        return import_stop(x, BACKUP_CONFLICT,
                           "somebody else wrote to the bucket meanwhile: nothing was imported");
    if (named)
        return import_no_memory(x);
    return check_branch(x, target);
}

static void run_aside(struct import *x)
{
    char aside[NAME_MAX_LEN];
    AUTO(branch) target = store_branch(x->store, x->options->branch);
    AUTO(root) before = target ? branch_root(target) : NULL;

    make_aside_name(aside);
    if (!before) {
        import_stop(x, BACKUP_NO_BUCKET, "there is no branch '%.*s'",
                    (int)x->options->branch.len, x->options->branch.ptr);
        return;
    }
    if (open_branch(x, aside) && run(x)) {
        if (x->errors.count > 0)
            import_stop(x, BACKUP_REJECTED, "there were errors: nothing was imported");
        else
            (void)swap(x, str_c(aside), before);
    }
    branch_unref(TAKE(x->branch));
    if (store_branch_delete(x->store, str_c(aside)))
        log_warn("the branch of an import was deleted by somebody else");
}

static json_t *result_of(const struct import *x)
{
    bool done = x->status == BACKUP_OK;
    uint64_t resources = 0, records = 0;

    for (size_t i = 0; done && i < x->resource_count; i++) {
        resources += x->resources[i].way != IMPORT_REFUSED;
        records += x->resources[i].records;
    }
    return json_pack(
        "{s:o, s:o, s:I, s:I, s:I, s:I, s:O, s:I, s:O, s:I, s:O}", "bucket",
        json_stringn(x->bucket.ptr, x->bucket.len), "prefix",
        json_stringn(x->prefix.ptr ? x->prefix.ptr : "", x->prefix.len), "resourcesImported",
        (json_int_t)resources, "recordsImported", (json_int_t)records, "objectsImported",
        (json_int_t)(done ? x->objects : 0), "errorCount", (json_int_t)x->errors.count,
        "errors", x->errors.list, "reencodedCount", (json_int_t)x->reencoded.count, "reencoded",
        x->reencoded.list, "warningCount", (json_int_t)x->warnings.count, "warnings",
        x->warnings.list);
}

static void release(struct import *x)
{
    for (size_t i = 0; i < x->resource_count; i++) {
        mem_free(x->resources[i].name);
        mem_free(x->resources[i].file);
        s3db_schema_free(x->resources[i].schema);
        json_decref(x->resources[i].entry);
    }
    mem_free(x->resources);
    archive_parts_release(&x->parts);
    branch_unref(x->branch);
    json_decref(x->manifest);
    json_decref(x->before);
    json_decref(x->descriptor);
    json_decref(x->names);
    json_decref(x->agreed);
    json_decref(x->errors.list);
    json_decref(x->reencoded.list);
    json_decref(x->warnings.list);
    buf_release(&x->bucket);
    buf_release(&x->prefix);
    buf_release(&x->sidecar);
    workspace_release(&x->workspace);
}

enum backup_status backup_import(struct store *store, struct source *source,
                                 const struct backup_import_options *options, json_t **result,
                                 struct buf *why)
{
    struct import x = {.store = store, .source = source, .options = options, .why = why};

    *result = NULL;
    buf_init(&x.bucket, 256);
    buf_init(&x.prefix, KEY_MAX);
    buf_init(&x.sidecar, 64);
    x.names = json_object();
    x.agreed = json_object();
    x.errors.list = json_array();
    x.reencoded.list = json_array();
    x.warnings.list = json_array();
    workspace_init(&x.workspace, store);
    archive_parts_init(&x.parts, &x.workspace);
    if (import_plan(&x)) {
        if (!options->bucket_name_ok(buf_str(&x.bucket)))
            import_stop(&x, BACKUP_INVALID, "'%.*s' cannot be the name of a bucket",
                        (int)x.bucket.len, x.bucket.ptr ? x.bucket.ptr : "");
        else if (options->atomic)
            run_aside(&x);
        else if (open_branch(&x, NULL) && run(&x))
            (void)check_branch(&x, x.branch);
    }
    if (x.status == BACKUP_OK || x.status == BACKUP_REJECTED)
        *result = result_of(&x);
    release(&x);
    return x.status;
}
