/* SPDX-License-Identifier: MIT */
/* backup_export.c - what a bucket holds of s3db.js, as files: which resources there are, then
 * those files (backup_folder.c, or backup_archive.c), all of one root. */
#include "disk/backup/backup_export.h"

/* ---- resources --------------------------------------------------------------------- */

static void resource_release(struct export_resource *r)
{
    for (size_t i = 0; i < r->schema_count; i++) {
        mem_free(r->schemas[i].version);
        s3db_schema_free(r->schemas[i].schema);
    }
    mem_free(r->schemas);
    mem_free(r->name);
    s3db_notes_release(&r->notes);
    buf_release(&r->unknown);
}

static struct export_resource *find_resource(struct export *x, struct str name)
{
    size_t place = names_find(x->names, name);

    return place == SIZE_MAX ? NULL : &x->resources[place];
}

static void add_resource(struct export *x, struct str name, json_t *entry)
{
    size_t count = x->resource_count;
    struct export_resource *r;

    if (name.len == 0 || !backup_chosen(&x->options->choice, name) || find_resource(x, name))
        return;
    if ((count & (count - 1)) == 0)
        x->resources = xrealloc(x->resources, (count ? count * 2 : 1) * sizeof(*x->resources));
    names_add(x->names, name, count);
    r = &x->resources[x->resource_count++];
    *r = (struct export_resource){.name = xstrndup(name), .entry = entry};
    buf_init(&r->unknown, KiB(1));
}

/* Is there a key that begins with this? */
static bool any_below(struct export *x, struct str prefix)
{
    AUTO(listing) l = NULL;
    struct listing_entry entry;

    return !listing_open(&l, x->root,
                         &(struct listing_query){.kind = LIST_OBJECTS,
                                                 .bucket = x->options->choice.bucket,
                                                 .prefix = prefix}) &&
           listing_next(l, &entry);
}

/* Those of the descriptor, then those that only objects tell of. */
static enum backup_status find_resources(struct export *x)
{
    AUTO(listing) l = NULL;
    struct listing_entry found;
    AUTO_BUF(prefix, KEY_MAX + 16);
    const char *name;
    json_t *entry;

    json_object_foreach(s3db_descriptor_resources(x->descriptor), name, entry)
        add_resource(x, str_c(name), entry);
    buf_add(&prefix, buf_str(&x->prefix));
    buf_add(&prefix, STR("resource="));
    if (listing_open(&l, x->root,
                     &(struct listing_query){.kind = LIST_OBJECTS,
                                             .bucket = x->options->choice.bucket,
                                             .prefix = buf_str(&prefix),
                                             .delimiter = STR("/")}))
        return BACKUP_NO_BUCKET;
    while (!work_cancelled(x->options->work) && listing_next(l, &found)) {
        struct str part = found.common_prefix;

        if (part.ptr)
            add_resource(x, str_of(part.ptr + prefix.len, part.len - prefix.len - 1), NULL);
    }
    return BACKUP_OK;
}

/* Records at RESOURCE/data/, or raw objects where there are none. */
static void settle_layout(struct export *x, struct export_resource *r)
{
    AUTO_BUF(data, KEY_MAX * 3);
    AUTO_BUF(raw, KEY_MAX * 3);

    s3db_key_resource(&data, buf_str(&x->prefix), str_c(r->name));
    buf_add_buf(&raw, &data);
    buf_add(&data, STR("data/id="));
    buf_add(&raw, STR("id="));
    r->raw = !any_below(x, buf_str(&data)) && any_below(x, buf_str(&raw));
    if (!r->entry && !r->raw)
        buf_add(&r->unknown, STR("the descriptor does not know it"));
    else if (!r->raw)
        export_schema(r, STR("")); /* says in r->unknown why there is none */
}

const struct s3db_schema *export_schema(struct export_resource *r, struct str version)
{
    struct s3db_schema *schema;

    for (size_t i = 0; i < r->schema_count; i++)
        if (str_eq(str_c(r->schemas[i].version), version))
            return r->schemas[i].schema;
    AUTO_BUF(why, KiB(1));
    schema = s3db_schema_of_entry(str_c(r->name), r->entry, version, &why);
    if (!schema && r->unknown.len == 0)
        buf_add_buf(&r->unknown, &why);
    /* Records name what version they like: not all of them are remembered. */
    if (r->schema_count == EXPORT_VERSIONS_MAX) {
        s3db_schema_free(r->schemas[--r->schema_count].schema);
        mem_free(r->schemas[r->schema_count].version);
    }
    r->schemas = xrealloc(r->schemas, (r->schema_count + 1) * sizeof(*r->schemas));
    r->schemas[r->schema_count++] =
        (struct export_schema){.version = xstrndup(version), .schema = schema};
    return schema;
}

/* ---- records ----------------------------------------------------------------------- */

static struct str version_of(const struct object_view *v)
{
    for (size_t i = 0; i < v->object.pair_count; i++)
        if (str_eq(v->object.pairs[i].name, STR("_v")))
            return v->object.pairs[i].value;
    return STR("");
}

static json_t *decode(struct export *x, struct export_resource *r, struct str id)
{
    const struct s3db_schema *schema;

    if (r->raw)
        return s3db_raw_decode(id, &x->view.object, &r->notes);
    schema = export_schema(r, version_of(&x->view));
    return schema ? s3db_record_decode(schema, id, &x->view.object,
                                       x->options->choice.passphrase, &r->notes)
                  : NULL;
}

/* One object as a line; what cannot be one is counted. */
static bool export_record(struct export *x, struct export_resource *r,
                          const struct record *record, struct str id, export_line *line,
                          void *arg)
{
    bool whole = object_view_set(&x->view, record);
    json_t *value;

    r->notes.opaque_body = r->notes.truncated = false;
    value = decode(x, r, id);
    buf_reset(&x->line);
    if (value)
        js_write(&x->line, value);
    json_decref(value);
    if (!value || !buf_ok(&x->line)) {
        r->left_out++;
        buf_reset(&x->line);
        return true;
    }
    r->opaque += r->notes.opaque_body || !whole;
    r->truncated += r->notes.truncated;
    r->records++;
    return line(arg, buf_str(&x->line));
}

bool export_records(struct export *x, struct export_resource *r, export_line *line, void *arg)
{
    AUTO(listing) l = NULL;
    struct listing_entry entry;
    AUTO_BUF(prefix, KEY_MAX * 3);

    s3db_key_resource(&prefix, buf_str(&x->prefix), str_c(r->name));
    buf_add(&prefix, r->raw ? STR("id=") : STR("data/id="));
    if (listing_open(&l, x->root,
                     &(struct listing_query){.kind = LIST_OBJECTS,
                                             .bucket = x->options->choice.bucket,
                                             .prefix = buf_str(&prefix)}))
        return false;
    while (listing_next(l, &entry)) {
        struct str id = str_from(record_key(entry.record), prefix.len);

        if (work_cancelled(x->options->work))
            return false;
        work_count(x->options->work, 1, record_size(entry.record));
        if (!export_record(x, r, entry.record, id, line, arg))
            return false;
    }
    return true;
}

/* ---- the door ---------------------------------------------------------------------- */

static enum backup_status read_descriptor(struct export *x, struct buf *why)
{
    AUTO_BUF(key, KEY_MAX * 2);

    s3db_key_descriptor(&key, buf_str(&x->prefix));
    AUTO(record) r = root_record(x->root, x->options->choice.bucket, buf_str(&key));
    if (!r)
        return BACKUP_OK; /* raw objects need none */
    if (!object_view_set(&x->view, r)) {
        buf_addf(why, "%.*s is too large", (int)key.len, key.ptr);
        return BACKUP_INVALID;
    }
    buf_addf(why, "%.*s: ", (int)key.len, key.ptr);
    x->descriptor = s3db_descriptor_parse(x->view.object.body, why);
    if (!x->descriptor)
        return BACKUP_INVALID;
    buf_reset(why);
    return BACKUP_OK;
}

static enum backup_status check_choice(struct export *x, struct buf *why)
{
    const struct backup_choice *choice = &x->options->choice;

    for (size_t i = 0; choice->resources && i < choice->resource_count; i++) {
        struct str name = choice->resources[i];

        if (!find_resource(x, name)) {
            buf_addf(why, "there is no resource '%.*s'", (int)name.len, name.ptr);
            return BACKUP_NO_DATABASE;
        }
    }
    if (x->resource_count == 0 && !x->descriptor) {
        buf_addf(why, "there is nothing of s3db.js under '%.*s' in bucket '%.*s'",
                 (int)x->prefix.len, x->prefix.ptr ? x->prefix.ptr : "",
                 (int)choice->bucket.len, choice->bucket.ptr);
        return BACKUP_NO_DATABASE;
    }
    return BACKUP_OK;
}

static enum backup_status prepare(struct export *x, struct buf *why)
{
    enum backup_status status =
        backup_find_database(&x->prefix, x->root, &x->options->choice, why);

    if (!status)
        status = read_descriptor(x, why);
    if (!status)
        status = find_resources(x);
    if (!status)
        status = check_choice(x, why);
    for (size_t i = 0; !status && i < x->resource_count && !work_cancelled(x->options->work);
         i++)
        settle_layout(x, &x->resources[i]);
    return status;
}

static enum backup_status failure(struct export *x, struct buf *why)
{
    struct str text = sink_why(x->sink);

    if (work_cancelled(x->options->work)) {
        buf_add(why, STR("it was cancelled"));
        return BACKUP_CANCELLED;
    }
    buf_add(why, text.len ? text : STR("memory is out"));
    return text.len ? BACKUP_DISK : BACKUP_NO_MEMORY;
}

enum backup_status backup_export(struct root *root, struct sink *sink,
                                 const struct backup_export_options *options, json_t **result,
                                 struct buf *why)
{
    struct export x = {.root = root, .sink = sink, .options = options};
    enum backup_status status;

    buf_init(&x.prefix, KEY_MAX);
    buf_init(&x.line, LINE_MAX_BYTES);
    object_view_init(&x.view);
    x.names = json_object();
    status = prepare(&x, why);
    *result = NULL;
    if (!status) {
        if (!work_cancelled(options->work))
            *result = options->archive ? export_archive(&x) : export_folder(&x);
        if (!*result || work_cancelled(options->work) || !sink_finish(sink)) {
            json_decref(TAKE(*result));
            status = failure(&x, why);
        }
    }
    for (size_t i = 0; i < x.resource_count; i++)
        resource_release(&x.resources[i]);
    mem_free(x.resources);
    json_decref(x.names);
    json_decref(x.descriptor);
    object_view_release(&x.view);
    buf_release(&x.prefix);
    buf_release(&x.line);
    return status;
}
