/* SPDX-License-Identifier: MIT */
/* backup_archive.c - the archive that s3db.js's BackupPlugin restores: JSON whose files hold
 * JSON as text. (What the plugin itself writes it cannot restore.) */
#include "disk/backup/backup_export.h"

#include <stdio.h>

struct archive_file {
    struct text_file *file;
    struct buf escaped;
    uint64_t size; /* bytes of the content */
    bool first;    /* no record yet */
};

/* Part of the content, a JSON text within a JSON text. */
static bool add_content(struct archive_file *a, struct str text)
{
    buf_reset(&a->escaped);
    buf_add_json(&a->escaped, text);
    a->size += text.len;
    return buf_ok(&a->escaped) && text_file_add(a->file, buf_str(&a->escaped));
}

static bool add_record(void *arg, struct str line)
{
    struct archive_file *a = arg;
    bool first = a->first;

    a->first = false;
    return (first || add_content(a, STR(","))) && add_content(a, line);
}

/* {"resourceName", "definition", "records": [ */
static bool add_head(struct archive_file *a, const struct export_resource *r)
{
    AUTO_BUF(text, LINE_MAX_BYTES);
    AUTO(json_t) definition = s3db_schema_definition(r->schemas[0].schema);

    json_object_set_new(definition, "name", json_string(r->name));
    buf_add(&text, STR("{\"resourceName\":\""));
    buf_add_json(&text, str_c(r->name));
    buf_add(&text, STR("\",\"definition\":"));
    js_write(&text, definition);
    buf_add(&text, STR(",\"records\":["));
    return buf_ok(&text) && add_content(a, buf_str(&text));
}

static bool add_resource(struct export *x, struct archive_file *a, struct export_resource *r,
                         bool first)
{
    AUTO_BUF(text, KiB(4));

    buf_add(&text, first ? STR("{\"name\":\"") : STR(",{\"name\":\""));
    buf_add_json(&text, str_c(r->name));
    buf_add(&text, STR(".json\",\"content\":\""));
    a->size = 0;
    a->first = true;
    if (!text_file_add(a->file, buf_str(&text)) || !add_head(a, r) ||
        !export_records(x, r, add_record, a) || !add_content(a, STR("]}")))
        return false;
    buf_reset(&text);
    buf_addf(&text, "\",\"size\":%llu}", (unsigned long long)a->size);
    return text_file_add(a->file, buf_str(&text));
}

/* What an archive is called, and when it was made. */
struct archive_name {
    int64_t now_ns;
    char iso[64]; /* 2025-10-25T11:24:20.123Z */
    char id[96];  /* full-2025-10-25T11-24-20-123Z-k3x9q2 */
};

static void name_archive(struct archive_name *n)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint8_t random[6];
    char time[ISO_DATE_SIZE];
    int len;

    n->now_ns = clock_now_ns();
    clock_format_iso(n->now_ns, time);
    snprintf(n->iso, sizeof(n->iso), "%.19s.%03dZ", time, (int)(n->now_ns / NS_PER_MS % 1000));
    len = snprintf(n->id, sizeof(n->id), "full-%s-", n->iso);
    for (int i = 0; i < len; i++)
        if (n->id[i] == ':' || n->id[i] == '.')
            n->id[i] = '-';
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        n->id[len++] = digits[random[i] % 36];
    n->id[len] = '\0';
}

/* What BackupPlugin.restore looks for in the resource plg_backup_metadata, but for driverInfo:
 * where the archive will lie only who puts it there knows. */
static json_t *plugin_record(const struct export *x, const struct archive_name *n,
                             json_t *names, uint64_t bytes)
{
    return json_pack("{s:s, s:s, s:I, s:O, s:I, s:b, s:b, s:s, s:s, s:i, s:s}", "id", n->id,
                     "type", "full", "timestamp", (json_int_t)(n->now_ns / NS_PER_MS),
                     "resources", names, "size", (json_int_t)bytes, "compressed",
                     !x->options->plain, "encrypted", 0, "status", "completed", "error", "",
                     "duration", 0, "createdAt", n->iso);
}

static bool write_manifest(struct export *x, const struct archive_name *n, json_t *names,
                           uint64_t bytes)
{
    AUTO_BUF(name, 256);
    AUTO_BUF(text, LINE_MAX_BYTES);
    AUTO(json_t)
    manifest =
        json_pack("{s:s, s:I, s:O, s:s, s:b, s:s, s:{s:o}}", "type", "full", "timestamp",
                  (json_int_t)(n->now_ns / NS_PER_MS), "resources", names, "compression",
                  x->options->plain ? "none" : "gzip", "encrypted", 0, "s3db_version",
                  "19.5.10", BACKUP_EXTENSION, "record", plugin_record(x, n, names, bytes));

    buf_addf(&name, "%s.manifest.json", n->id);
    js_write_indented(&text, manifest);
    return buf_ok(&text) && sink_begin(x->sink, buf_str(&name)) &&
           sink_write(x->sink, text.ptr, text.len) && sink_end(x->sink);
}

static bool write_files(struct export *x, struct text_file *file, json_t *names,
                        json_t *undecoded, uint64_t *records)
{
    struct archive_file a = {.file = file};
    bool good = true;

    buf_init(&a.escaped, LINE_MAX_BYTES * 6);
    for (size_t i = 0; good && i < x->resource_count; i++) {
        struct export_resource *r = &x->resources[i];

        if (!x->options->choice.resources && strncmp(r->name, "plg_", 4) == 0)
            continue;
        if (r->unknown.len > 0 || r->raw) {
            json_object_set_new(undecoded, r->name,
                                r->raw ? json_string("raw objects have no definition")
                                       : json_stringn(r->unknown.ptr, r->unknown.len));
            continue;
        }
        good = add_resource(x, &a, r, json_array_size(names) == 0);
        json_array_append_new(names, json_string(r->name));
        *records += r->records;
    }
    buf_release(&a.escaped);
    return good;
}

json_t *export_archive(struct export *x)
{
    struct archive_name archive;
    struct text_file_facts facts;
    AUTO_BUF(name, 256);
    AUTO_BUF(text, KiB(1));
    AUTO(json_t) names = json_array();
    AUTO(json_t) undecoded = json_object();
    uint64_t records = 0;

    name_archive(&archive);
    buf_addf(&name, "%s.backup", archive.id);
    buf_addf(&text, "{\"version\":\"1.0\",\"created\":\"%s\",\"files\":[", archive.iso);
    AUTO(text_file) file = text_file_new(x->sink, buf_str(&name), !x->options->plain);
    if (!text_file_add(file, buf_str(&text)) ||
        !write_files(x, file, names, undecoded, &records) || !text_file_add(file, STR("]}")) ||
        !text_file_end(file, &facts) || !write_manifest(x, &archive, names, facts.bytes))
        return NULL;
    return json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:O, s:O*}", "bucket",
                     json_stringn(x->options->choice.bucket.ptr, x->options->choice.bucket.len),
                     "prefix", json_stringn(x->prefix.ptr ? x->prefix.ptr : "", x->prefix.len),
                     "id", archive.id, "archive", json_stringn(name.ptr, name.len),
                     "resourceCount", (json_int_t)json_array_size(names), "totalRecords",
                     (json_int_t)records, "totalSize", (json_int_t)facts.bytes, "resources",
                     names, "undecoded", json_object_size(undecoded) > 0 ? undecoded : NULL);
}
