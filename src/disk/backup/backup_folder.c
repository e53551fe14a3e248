/* SPDX-License-Identifier: MIT */
/* backup_folder.c - JSONL, sidecar and manifest. The manifest comes last: a stream that was cut
 * off has none. */
#include "disk/backup/backup_export.h"

#include <stdio.h>

/* ---- files ------------------------------------------------------------------------- */

static bool add_line(void *file, struct str line)
{
    return text_file_add(file, line) && text_file_add(file, STR("\n"));
}

static void file_name(struct buf *out, const struct export *x, const char *stem)
{
    buf_addf(out, "%s%s", stem, x->options->plain ? "" : ".gz");
}

static json_t *text_of(const struct buf *b)
{
    return json_stringn(b->ptr ? b->ptr : "", b->len);
}

static json_t *hex(const uint8_t sha256[SHA256_SIZE])
{
    AUTO_BUF(text, 2 * SHA256_SIZE);

    buf_add_hex(&text, str_of((const char *)sha256, SHA256_SIZE));
    return text_of(&text);
}

/* ---- one resource ------------------------------------------------------------------ */

static json_t *extension_of(const struct export_resource *r, const struct buf *name,
                            const struct text_file_facts *facts)
{
    json_t *e = json_pack("{s:o, s:s, s:o}", "file", text_of(name), "layout",
                          r->raw ? "raw" : "data", "sha256", hex(facts->sha256));
    AUTO(json_t) collisions = NULL;

    if (r->notes.secrets)
        json_object_set(e, "secrets", r->notes.secrets);
    if (r->schema_count > 0 && r->schemas[0].schema)
        collisions = s3db_schema_collisions(r->schemas[0].schema);
    if (json_array_size(collisions) > 0)
        json_object_set(e, "collisions", collisions);
    if (r->opaque > 0)
        json_object_set_new(e, "opaqueBodies", json_integer((json_int_t)r->opaque));
    if (r->truncated > 0)
        json_object_set_new(e, "truncated", json_integer((json_int_t)r->truncated));
    if (r->left_out > 0)
        json_object_set_new(e, "leftOut", json_integer((json_int_t)r->left_out));
    return e;
}

struct tally {
    json_t *resources; /* of the manifest */
    json_t *extension, *undecoded, *files;
    uint64_t records, bytes;
};

static bool export_resource(struct export *x, struct export_resource *r, struct tally *t)
{
    struct text_file_facts facts;
    AUTO_BUF(stem, 512);
    AUTO_BUF(name, 512);
    json_t *entry;

    /* Its objects are in the sidecar all the same. */
    if (r->unknown.len > 0) {
        json_object_set_new(t->undecoded, r->name, text_of(&r->unknown));
        return true;
    }
    buf_addf(&stem, "%s.jsonl", r->name);
    buf_add_char(&stem, '\0');
    file_name(&name, x, stem.ptr ? stem.ptr : "");
    AUTO(text_file) f = text_file_new(x->sink, buf_str(&name), !x->options->plain);
    if (!export_records(x, r, add_line, f) || !text_file_end(f, &facts))
        return false;
    entry = json_pack("{s:{s:I, s:I}}", "stats", "recordCount", (json_int_t)r->records,
                      "fileSize", (json_int_t)facts.bytes);
    if (!r->raw) {
        /* The seed has the schema first. */
        json_t *with =
            json_pack("{s:o}", "schema", s3db_schema_definition(r->schemas[0].schema));

        json_object_update(with, entry);
        json_decref(entry);
        entry = with;
    }
    json_object_set_new(t->resources, r->name, entry);
    json_object_set_new(t->extension, r->name, extension_of(r, &name, &facts));
    json_object_set_new(t->files, r->name, text_of(&name));
    t->records += r->records;
    t->bytes += facts.bytes;
    return true;
}

/* BackupPlugin's own bookkeeping, and that of other plugins, is of no use as lines, unless
 * somebody asks for it by name. */
static bool has_file(const struct export *x, const struct export_resource *r)
{
    return x->options->choice.resources || strncmp(r->name, "plg_", 4) != 0;
}

/* ---- the sidecar ------------------------------------------------------------------- */

/* With a choice of resources the descriptor has no others. */
static bool add_descriptor(struct export *x, struct text_file *f, uint64_t *objects)
{
    AUTO_BUF(key, KEY_MAX * 2);

    s3db_key_descriptor(&key, buf_str(&x->prefix));
    AUTO(record) r = root_record(x->root, x->options->choice.bucket, buf_str(&key));
    if (!r)
        return true;
    ++*objects;
    if (!x->options->choice.resources)
        return sidecar_write(r, STR("s3db.json"), add_line, f);

    AUTO(json_t) partial = json_copy(x->descriptor);
    json_t *entries = json_object();
    AUTO_BUF(text, LINE_MAX_BYTES);
    AUTO_BUF(line, LINE_MAX_BYTES);
    uint8_t md5[MD5_SIZE];

    for (size_t i = 0; i < x->resource_count; i++)
        if (x->resources[i].entry)
            json_object_set(entries, x->resources[i].name, x->resources[i].entry);
    json_object_set_new(partial, "resources", entries);
    s3db_descriptor_write(&text, partial);
    md5_once(buf_str(&text), md5);
    buf_addf(&line, "{\"key\":\"s3db.json\",\"size\":%zu,\"etag\":\"", text.len);
    buf_add_hex(&line, str_of((const char *)md5, sizeof(md5)));
    buf_add(&line, STR("\",\"metadata\":{},\"contentType\":\"application/json\",\"body\":\""));
    buf_add_base64(&line, buf_str(&text));
    buf_add(&line, STR("\"}"));
    return buf_ok(&line) && add_line(f, buf_str(&line));
}

static bool belongs(const struct export *x, const struct s3db_key *key)
{
    if (key->kind == S3DB_KEY_OTHER || key->kind == S3DB_KEY_DESCRIPTOR || backup_passing(key))
        return false;
    if (key->kind == S3DB_KEY_PLUGIN)
        return !x->options->choice.resources;
    return backup_chosen(&x->options->choice, key->resource);
}

static bool add_objects(struct export *x, struct text_file *f, uint64_t *objects)
{
    AUTO(listing) l = NULL;
    struct listing_entry entry;
    struct s3db_key key;

    if (listing_open(&l, x->root,
                     &(struct listing_query){.kind = LIST_OBJECTS,
                                             .bucket = x->options->choice.bucket,
                                             .prefix = buf_str(&x->prefix)}))
        return false;
    while (listing_next(l, &entry)) {
        if (work_cancelled(x->options->work))
            return false;
        s3db_key_parse(&key, buf_str(&x->prefix), record_key(entry.record));
        if (!belongs(x, &key))
            continue;
        ++*objects;
        work_count(x->options->work, 1, record_size(entry.record));
        if (!sidecar_write(entry.record, key.relative, add_line, f))
            return false;
    }
    return true;
}

static json_t *export_sidecar(struct export *x, uint64_t *objects)
{
    struct text_file_facts facts;
    AUTO_BUF(name, 64);

    file_name(&name, x, BACKUP_SIDECAR.ptr);
    AUTO(text_file) f = text_file_new(x->sink, buf_str(&name), !x->options->plain);
    if (!add_descriptor(x, f, objects) || !add_objects(x, f, objects) ||
        !text_file_end(f, &facts))
        return NULL;
    return json_pack("{s:o, s:o, s:I}", "file", text_of(&name), "sha256", hex(facts.sha256),
                     "objects", (json_int_t)*objects);
}

/* ---- the manifest ------------------------------------------------------------------ */

static json_t *manifest_of(const struct export *x, const struct tally *t, json_t *sidecar)
{
    char time[ISO_DATE_SIZE];
    int64_t now_ns = clock_now_ns();
    AUTO_BUF(iso, 64);
    AUTO_BUF(descriptor, KEY_MAX * 2);
    json_t *extension;

    clock_format_iso(now_ns, time);
    buf_addf(&iso, "%.19s.%03dZ", time, (int)(now_ns / NS_PER_MS % 1000));
    s3db_key_descriptor(&descriptor, buf_str(&x->prefix));
    extension = json_pack(
        "{s:i, s:o, s:s, s:o, s:O}", "format", 1, "descriptor", text_of(&descriptor), "secrets",
        x->options->choice.passphrase.ptr ? "clear where the passphrase opens them"
                                          : "as stored",
        "sidecar", sidecar, "resources", t->extension);
    if (json_object_size(t->undecoded) > 0)
        json_object_set(extension, "undecoded", t->undecoded);
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:O, s:I, s:I, s:o}", "version", "1.0",
                     "timestamp", text_of(&iso), "bucket",
                     json_stringn(x->options->choice.bucket.ptr, x->options->choice.bucket.len),
                     "keyPrefix", text_of(&x->prefix), "compressed", !x->options->plain,
                     "resources", t->resources, "totalRecords", (json_int_t)t->records,
                     "totalSize", (json_int_t)t->bytes, BACKUP_EXTENSION, extension);
}

static bool export_manifest(struct export *x, const json_t *manifest)
{
    AUTO_BUF(text, LINE_MAX_BYTES);

    js_write_indented(&text, manifest);
    return buf_ok(&text) && sink_begin(x->sink, BACKUP_MANIFEST) &&
           sink_write(x->sink, text.ptr, text.len) && sink_end(x->sink);
}

static json_t *result_of(const struct export *x, const struct tally *t, json_t *manifest,
                         uint64_t objects)
{
    return json_pack(
        "{s:o, s:o, s:s, s:O, s:I, s:I, s:I, s:I, s:O*, s:O}", "bucket",
        json_stringn(x->options->choice.bucket.ptr, x->options->choice.bucket.len), "prefix",
        text_of(&x->prefix), "manifest", "s3db.json", "files", t->files, "resourceCount",
        (json_int_t)json_object_size(t->files), "totalRecords", (json_int_t)t->records,
        "totalSize", (json_int_t)t->bytes, "objects", (json_int_t)objects, "undecoded",
        json_object_size(t->undecoded) > 0 ? t->undecoded : NULL, "stats", manifest);
}

json_t *export_folder(struct export *x)
{
    struct tally t = {json_object(), json_object(), json_object(), json_object(), 0, 0};
    json_t *sidecar = NULL, *result = NULL;
    AUTO(json_t) manifest = NULL;
    uint64_t objects = 0;
    bool good = true;

    for (size_t i = 0; good && i < x->resource_count; i++)
        good = !has_file(x, &x->resources[i]) || export_resource(x, &x->resources[i], &t);
    if (good)
        sidecar = export_sidecar(x, &objects);
    if (sidecar) {
        manifest = manifest_of(x, &t, sidecar);
        if (manifest && export_manifest(x, manifest))
            result = result_of(x, &t, manifest, objects);
    }
    json_decref(t.resources);
    json_decref(t.extension);
    json_decref(t.undecoded);
    json_decref(t.files);
    return result;
}
