/* SPDX-License-Identifier: MIT */
/* backup_plan.c - what a backup holds and how each resource of it is to be read. */
#include "disk/backup/backup_import.h"

#include <errno.h>
#include <unistd.h>

#define MANIFEST_MAX MiB(64)

/* ---- the manifest ------------------------------------------------------------------ */

/* Into *out, whose memory is *held by the workspace. */
static bool read_whole(struct import *x, struct str name, struct buf *out, size_t *held)
{
    AUTO_BUF(why, KiB(1));
    struct stretch text;
    char block[KiB(16)];
    bool room = true;
    ssize_t n;

    if (!source_open(x->source, name, &text, &why))
        return import_stop(x, BACKUP_INVALID, "%.*s", (int)why.len, why.ptr);
    while ((n = stretch_read(&text, block, sizeof(block))) > 0 && buf_ok(out) && room) {
        buf_add(out, str_of(block, (size_t)n));
        if (out->cap > *held) {
            room = workspace_take(&x->workspace, out->cap - *held);
            *held = room ? out->cap : *held;
        }
    }
    stretch_close(&text);
    if (!room)
        return import_no_memory(x);
    if (n < 0)
        return import_stop(x, BACKUP_DISK, "%.*s: %s", (int)name.len, name.ptr,
                           strerror(errno));
    return buf_ok(out) || import_stop(x, BACKUP_INVALID, "%.*s is larger than 64 MiB",
                                      (int)name.len, name.ptr);
}

static bool check_manifest(struct import *x)
{
    const json_t *resources = json_object_get(x->manifest, "resources");
    const char *name;
    json_t *r;

    if (!json_is_object(resources))
        return import_stop(x, BACKUP_INVALID,
                           "s3db.json: 'resources' is missing, or no object: it is not the "
                           "manifest of a backup");
    json_object_foreach((json_t *)(uintptr_t)resources, name, r)
    {
        AUTO_BUF(why, 512);

        if (!json_is_object(r))
            return import_stop(x, BACKUP_INVALID, "s3db.json: resources.%s has to be an object",
                               name);
        if (json_is_object(json_object_get(r, "versions")))
            return import_stop(x, BACKUP_INVALID,
                               "s3db.json is the descriptor of a bucket, not the manifest of a "
                               "backup (resources.%s has versions in place of a schema)",
                               name);
        if (!s3db_resource_name_ok(str_c(name), &why))
            return import_stop(x, BACKUP_INVALID, "s3db.json: resources.%s: %.*s", name,
                               (int)why.len, why.ptr ? why.ptr : "");
    }
    return true;
}

static bool read_manifest(struct import *x)
{
    AUTO_BUF(text, MANIFEST_MAX);
    AUTO_BUF(why, KiB(1));
    size_t held = 0;

    if (!source_has(x->source, BACKUP_MANIFEST))
        return import_stop(x, BACKUP_INVALID, "s3db.json is missing: it is not a backup");
    if (!read_whole(x, BACKUP_MANIFEST, &text, &held) || !import_may_parse(x, buf_str(&text)))
        return false;
    x->manifest = js_parse(buf_str(&text), &why);
    workspace_give(&x->workspace, held);
    if (!json_is_object(x->manifest))
        return import_stop(x, BACKUP_INVALID, "s3db.json: %.*s",
                           why.len ? (int)why.len : (int)strlen("it has to be a JSON object"),
                           why.len ? why.ptr : "it has to be a JSON object");
    return check_manifest(x);
}

/* The bucket and the prefix that were asked for, or else those the manifest names. */
static bool settle_place(struct import *x)
{
    const struct backup_choice *choice = &x->options->choice;
    struct str bucket = choice->bucket, prefix = choice->prefix;
    AUTO_BUF(why, KiB(1));

    if (!bucket.ptr)
        bucket = js_str(json_object_get(x->manifest, "bucket"));
    if (!bucket.ptr)
        return import_stop(x, BACKUP_INVALID,
                           "the backup names no bucket: say which it is to go to");
    if (!prefix.ptr)
        prefix = js_str(json_object_get(x->manifest, "keyPrefix"));
    buf_add(&x->bucket, bucket);
    return !prefix.ptr || s3db_prefix(&x->prefix, prefix, &why) ||
           import_stop(x, BACKUP_INVALID, "prefix: %.*s", (int)why.len, why.ptr ? why.ptr : "");
}

/* ---- resources --------------------------------------------------------------------- */

static struct import_resource *add_resource(struct import *x, struct str name)
{
    size_t count = x->resource_count;
    struct import_resource *r;

    if ((count & (count - 1)) == 0)
        x->resources = xrealloc(x->resources, (count ? count * 2 : 1) * sizeof(*x->resources));
    r = &x->resources[count];
    *r = (struct import_resource){.name = xstrndup(name), .archived = STRETCH_NONE};
    /* An archive may name one twice: the first one is found. */
    if (names_find(x->names, name) == SIZE_MAX)
        names_add(x->names, name, count);
    x->resource_count++;
    return r;
}

/* {attributes, ...}; what BackupPlugin says of attributes ({}) says nothing. */
static const json_t *definition_of(const json_t *listed)
{
    const json_t *schema = json_object_get(listed, "schema");

    if (!json_is_object(schema))
        schema = listed;
    return json_object_size(json_object_get(schema, "attributes")) > 0 ? schema : NULL;
}

static const json_t *extension(const struct import *x)
{
    return json_object_get(x->manifest, BACKUP_EXTENSION);
}

/* Finds the file of a resource; complains when there is none, or two. */
static void find_file(struct import *x, struct import_resource *r)
{
    AUTO_BUF(plain, KiB(2));
    AUTO_BUF(gzip, KiB(2));
    bool has_plain, has_gzip;

    buf_addf(&plain, "%s.jsonl", r->name);
    buf_addf(&gzip, "%s.jsonl.gz", r->name);
    has_plain = source_has(x->source, buf_str(&plain));
    has_gzip = source_has(x->source, buf_str(&gzip));
    r->file = xstrndup(buf_str(has_gzip && !has_plain ? &gzip : &plain));
    if (has_plain && has_gzip)
        import_error(x, r, 0, "there are %s and %s.gz: which one counts?", r->file, r->file);
    else if (!has_plain && !has_gzip)
        import_error(x, r, 0, "%s and %s.gz are missing", r->file, r->file);
    else
        r->way = IMPORT_LINES;
}

/* NAME of NAME.jsonl[.gz]; STR_NONE: it is another file. */
static struct str resource_of_file(struct str file)
{
    if (str_has_suffix(file, STR(".gz")))
        file.len -= 3;
    return str_has_suffix(file, STR(".jsonl")) && file.len > 6 ? str_of(file.ptr, file.len - 6)
                                                               : STR_NONE;
}

/* What the manifest lists, and files that it does not. */
static void list_resources(struct import *x)
{
    const json_t *extensions = json_object_get(extension(x), "resources");
    const char *name;
    json_t *listed;

    json_object_foreach(json_object_get(x->manifest, "resources"), name, listed)
    {
        struct import_resource *r;

        if (!backup_chosen(&x->options->choice, str_c(name)))
            continue;
        r = add_resource(x, str_c(name));
        r->definition = definition_of(listed);
        r->extension = json_object_get(extensions, name);
        find_file(x, r);
    }
    for (size_t i = 0; i < source_count(x->source); i++) {
        struct str found = resource_of_file(source_name(x->source, i));
        AUTO_BUF(why, 512);

        if (!found.ptr || !backup_chosen(&x->options->choice, found) || import_find(x, found) ||
            !s3db_resource_name_ok(found, &why))
            continue;
        find_file(x, add_resource(x, found));
    }
}

static bool check_choice(struct import *x)
{
    const struct backup_choice *choice = &x->options->choice;

    for (size_t i = 0; choice->resources && i < choice->resource_count; i++)
        if (!import_find(x, choice->resources[i]))
            return import_stop(x, BACKUP_NO_DATABASE, "the backup has no resource '%.*s'",
                               (int)choice->resources[i].len, choice->resources[i].ptr);
    return true;
}

/* ---- is it as it was? -------------------------------------------------------------- */

struct lines *import_open(struct import *x, const struct import_resource *r)
{
    AUTO_BUF(why, KiB(1));
    struct stretch text = STRETCH_NONE;

    if (r->archived.fd >= 0) {
        text = stretch_dup(&r->archived);
        if (text.fd < 0)
            buf_addf(&why, "temporary file: %s", strerror(errno));
    } else if (!source_open(x->source, str_c(r->file), &text, &why)) {
        text = STRETCH_NONE;
    }
    if (text.fd >= 0) {
        struct lines *l = lines_new(text, x->options->work);

        lines_set_workspace(l, &x->workspace);
        return l;
    }
    import_error(x, r, 0, "%.*s", (int)why.len, why.ptr ? why.ptr : "");
    return NULL;
}

/* Does a text have the SHA-256 that the manifest names? */
static bool is_as_told(struct import *x, struct lines *l, const json_t *told)
{
    uint8_t wanted[SHA256_SIZE], got[SHA256_SIZE];
    char *block = xmalloc(KiB(64));
    ssize_t n;

    while ((n = lines_read(l, block, KiB(64))) > 0 && import_go_on(x))
        continue;
    mem_free(block);
    lines_digest(l, got);
    return n == 0 && hex_decode_exact(js_str(told), wanted, sizeof(wanted)) &&
           memcmp(wanted, got, sizeof(got)) == 0;
}

/* The sidecar counts when every byte of it is what export wrote. */
static void check_sidecar(struct import *x)
{
    const json_t *told = json_object_get(extension(x), "sidecar");
    AUTO_BUF(gzip, 64);
    AUTO_BUF(why, KiB(1));
    struct str name = BACKUP_SIDECAR;
    struct stretch text;

    if (!told)
        return;
    buf_addf(&gzip, "%s.gz", BACKUP_SIDECAR.ptr);
    if (!source_has(x->source, name))
        name = buf_str(&gzip);
    if (!source_has(x->source, name)) {
        import_warn(x, "%s is missing", BACKUP_SIDECAR.ptr);
        return;
    }
    if (!source_open(x->source, name, &text, &why)) {
        import_warn(x, "%.*s", (int)why.len, why.ptr ? why.ptr : "");
        return;
    }
    AUTO(lines) l = lines_new(text, x->options->work);
    if (is_as_told(x, l, json_object_get(told, "sha256")))
        buf_add(&x->sidecar, name);
    else
        import_warn(x, "%.*s is not what was exported: it is not used", (int)name.len,
                    name.ptr);
}

static void tell_reencoded(struct import *x, const struct import_resource *r,
                           const char *reason)
{
    told_add(&x->reencoded, json_pack("{s:s, s:s}", "resource", r->name, "reason", reason),
             strlen(r->name) + strlen(reason));
}

static void choose_way(struct import *x, struct import_resource *r)
{
    struct str layout = js_str(json_object_get(r->extension, "layout"));
    struct lines *l;
    bool true_to_it;

    if (x->options->raw || str_eq(layout, STR("raw")))
        r->way = IMPORT_RAW;
    if (x->options->raw)
        return;
    if (x->sidecar.len == 0) {
        tell_reencoded(x, r, "there are no objects beside it that could be taken");
        return;
    }
    if (!r->extension) {
        tell_reencoded(x, r, "export did not write this file");
        return;
    }
    l = import_open(x, r);
    if (!l)
        return;
    true_to_it = is_as_told(x, l, json_object_get(r->extension, "sha256"));
    lines_free(l);
    if (true_to_it)
        r->way = IMPORT_OBJECTS;
    else
        tell_reencoded(x, r, "its lines are not those that were exported");
}

/* ---- an archive -------------------------------------------------------------------- */

static struct str find_archive(const struct import *x)
{
    for (size_t i = 0; i < source_count(x->source); i++)
        if (str_has_suffix(source_name(x->source, i), STR(".backup")))
            return source_name(x->source, i);
    return STR_NONE;
}

static bool plan_archive(struct import *x, struct str name)
{
    AUTO_BUF(why, KiB(8));

    x->manifest = json_object();
    if (!archive_read(&x->parts, x->source, name, &x->warnings, x->options->work, &why))
        return import_go_on(x) && (!x->workspace.refused || import_no_memory(x)) &&
               import_stop(x, BACKUP_INVALID, "%.*s", (int)why.len, why.ptr ? why.ptr : "");
    for (size_t i = 0; i < x->parts.count; i++) {
        struct archive_part *part = &x->parts.list[i];
        struct import_resource *r;

        if (!backup_chosen(&x->options->choice, str_c(part->name)))
            continue;
        r = add_resource(x, str_c(part->name));
        r->file = xstrdup(part->file);
        r->archived = part->lines;
        r->definition = json_is_object(part->definition) ? part->definition : NULL;
        r->way = IMPORT_LINES;
        if (!s3db_resource_name_ok(str_c(part->name), &why)) {
            import_error(x, r, 0, "%.*s", (int)why.len, why.ptr ? why.ptr : "");
            r->way = IMPORT_REFUSED;
        }
        buf_reset(&why);
    }
    return true;
}

bool import_plan(struct import *x)
{
    struct str archive = find_archive(x);
    bool is_archive = archive.ptr && !source_has(x->source, BACKUP_MANIFEST);

    if (!(is_archive ? plan_archive(x, archive) : read_manifest(x)) || !settle_place(x))
        return false;
    if (!is_archive) {
        list_resources(x);
        check_sidecar(x);
    }
    for (size_t i = 0; i < x->resource_count && import_go_on(x); i++)
        if (x->resources[i].way == IMPORT_LINES)
            choose_way(x, &x->resources[i]);
    return import_go_on(x) && check_choice(x);
}
