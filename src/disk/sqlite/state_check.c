/* SPDX-License-Identifier: MIT */
/* state_check.c - is a file a state that a server could begin with, and what is in it? It is read
 * as a server reads it, into a store of its own, and told by its first bytes; by its name when
 * those say nothing. Nothing is written. */
#include "disk/backup/backup.h"
#include "disk/document/document.h"
#include "disk/sqlite/database.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE    KiB(256)
#define HEAD     512
#define USTAR_AT 257

enum format { FORMAT_NONE, FORMAT_DATABASE, FORMAT_DOCUMENT, FORMAT_MEMORY, FORMAT_BACKUP };

struct checking {
    const char *path;
    const struct state_check_options *options;
    struct store *store;
    struct buf *report, *why;
};

/* ---- what it is -------------------------------------------------------------------- */

static enum format format_by_name(struct str path)
{
    static const struct {
        struct str suffix;
        enum format format;
    } names[] = {
        {STR(".db"), FORMAT_DATABASE},       {STR(".s3mem"), FORMAT_DOCUMENT},
        {STR(".s3mem.gz"), FORMAT_DOCUMENT}, {STR(".json"), FORMAT_MEMORY},
        {STR(".backup"), FORMAT_BACKUP},     {STR(".tar"), FORMAT_BACKUP},
        {STR(".tar.gz"), FORMAT_BACKUP},     {STR(".tgz"), FORMAT_BACKUP},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_has_suffix(path, names[i].suffix))
            return names[i].format;
    }
    return FORMAT_NONE;
}

/* BackupPlugin's archives and MemoryClient's files are both JSON: their names tell. */
static enum format format_of(struct str head, struct str path)
{
    if (str_has_prefix(head, STR("SQLite format 3")))
        return FORMAT_DATABASE;
    if (str_has_prefix(head, STR("s3mem snapshot ")))
        return FORMAT_DOCUMENT;
    if (head.len == HEAD && str_has_prefix(str_from(head, USTAR_AT), STR("ustar")))
        return FORMAT_BACKUP;
    if (str_has_prefix(str_trim(head), STR("{")))
        return str_has_suffix(path, STR(".backup")) ? FORMAT_BACKUP : FORMAT_MEMORY;
    return format_by_name(path);
}

/* Its first bytes, out of gzip if need be. Errno or 0. */
static int read_head(const char *path, struct buf *head)
{
    char bytes[HEAD];
    int fd = open(path, O_RDONLY | O_CLOEXEC), n;
    gzFile file = fd < 0 ? NULL : gzdopen(fd, "rb");

    if (fd < 0)
        return errno;
    if (!file) {
        close(fd);
        return ENOMEM;
    }
    n = gzread(file, bytes, sizeof(bytes));
    gzclose_r(file);
    if (n > 0)
        buf_add(head, str_of(bytes, (size_t)n));
    return 0;
}

/* ---- what is in it ----------------------------------------------------------------- */

static void add_count(struct buf *out, uint64_t count, const char *what)
{
    buf_addf(out, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

static void report_named(struct checking *c, const char *what, const struct named_info *info)
{
    buf_addf(c->report, "  %s %s: ", what, info->name);
    add_count(c->report, info->bucket_count, "bucket");
    buf_add(c->report, STR(", "));
    add_count(c->report, info->object_count, "object");
    buf_addf(c->report, " of %" PRIu64 " bytes, ", info->object_bytes);
    add_count(c->report, info->version_count, "other version");
    buf_addf(c->report, " of %" PRIu64 " bytes, ", info->version_bytes);
    add_count(c->report, info->upload_count, "upload");
    buf_add_char(c->report, '\n');
}

static void report_branches(struct checking *c)
{
    struct named_info info;

    for (char after[NAME_MAX_LEN + 1] = "";
         store_branch_next(c->store, str_c(after), false, &info);
         memcpy(after, info.name, sizeof(after)))
        report_named(c, "branch", &info);
}

static void report_snapshots(struct checking *c)
{
    struct named_info info;

    for (char after[NAME_MAX_LEN + 1] = "";
         store_snapshot_next(c->store, str_c(after), false, &info);
         memcpy(after, info.name, sizeof(after)))
        report_named(c, "snapshot", &info);
}

/* ---- each format ------------------------------------------------------------------- */

static enum state_check check_database(struct checking *c)
{
    const struct database_options options = {.store = c->store, .path = c->path};
    struct database *db;

    if (!database_check(c->path, c->why) || !(db = database_open(&options, c->why)))
        return STATE_BAD;
    buf_addf(c->report, "%s: a database, version %d of its format\n", c->path, db->version);
    database_close(db);
    report_branches(c);
    report_snapshots(c);
    return STATE_GOOD;
}

/* The bytes of the file, one piece after the other. */
static enum state_check feed(struct checking *c,
                             enum s3_err (*take)(void *, const void *, size_t), void *arg)
{
    int fd = open(c->path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? errno : 0;
    char *piece = xmalloc(PIECE);
    enum state_check result = STATE_GOOD;
    ssize_t n = 0;

    while (!err && !result && (n = read(fd, piece, PIECE)) > 0) {
        if (take(arg, piece, (size_t)n))
            result = STATE_BAD;
    }
    if (n < 0)
        err = errno;
    if (fd >= 0)
        close(fd);
    mem_free(piece);
    if (err)
        buf_addf(c->why, "%s: %s", c->path, strerror(err));
    return err ? STATE_UNREADABLE : result;
}

static enum s3_err take_document(void *arg, const void *data, size_t len)
{
    return document_feed(arg, data, len);
}

static enum state_check check_document(struct checking *c)
{
    AUTO(document_reader) r = document_reader_new(c->store);
    enum state_check result = feed(c, take_document, r);
    struct named_info info;
    enum named named;

    if (result == STATE_GOOD && document_finish(r, STR("document"), false, &named))
        result = STATE_BAD;
    if (result == STATE_BAD)
        buf_addf(c->why, "%s: %s", c->path, document_error(r));
    if (result)
        return result;
    buf_addf(c->report, "%s: a snapshot document, version %d of its format\n", c->path,
             DOCUMENT_VERSION);
    if (store_snapshot_next(c->store, STR("document"), true, &info))
        report_named(c, "snapshot", &info);
    return STATE_GOOD;
}

static enum s3_err take_memory(void *arg, const void *data, size_t len)
{
    return memory_json_feed(arg, data, len);
}

static enum state_check check_memory(struct checking *c)
{
    const struct memory_json_target target = {.store = c->store,
                                              .bucket = STR_NONE,
                                              .region = STR("us-east-1"),
                                              .owner = STR(""),
                                              .name_ok = c->options->bucket_name_ok};
    AUTO(memory_json_reader) r = memory_json_reader_new(&target);
    AUTO(branch) b = store_branch(c->store, STR("main"));
    enum state_check result = feed(c, take_memory, r);
    struct memory_json_loaded loaded;

    if (result == STATE_GOOD && (memory_json_finish(r) || memory_json_replace(r, &b)))
        result = STATE_BAD;
    if (result == STATE_BAD)
        buf_addf(c->why, "%s: %s", c->path, memory_json_error(r));
    if (result)
        return result;
    memory_json_loaded(r, &loaded);
    buf_addf(c->report, "%s: a JSON file of MemoryClient's\n  bucket %s: ", c->path,
             loaded.bucket);
    add_count(c->report, loaded.objects, "object");
    buf_addf(c->report, " of %" PRIu64 " bytes\n", loaded.bytes);
    return STATE_GOOD;
}

static void tell_error(struct checking *c, const json_t *error)
{
    static const char *const places[] = {"file", "resource"};
    const json_t *line = json_object_get(error, "line");

    buf_addf(c->why, "%s%s: ", c->why->len > 0 ? "\n" : "", c->path);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *place = json_string_value(json_object_get(error, places[i]));

        if (place) {
            buf_add_c(c->why, place);
            if (line)
                buf_addf(c->why, ", line %" JSON_INTEGER_FORMAT, json_integer_value(line));
            buf_add(c->why, STR(": "));
            break;
        }
    }
    buf_add_c(c->why, json_string_value(json_object_get(error, "error")));
}

static enum state_check report_backup(struct checking *c, const json_t *result)
{
    const json_t *error, *warning;
    size_t i;

    json_array_foreach(json_object_get(result, "errors"), i, error) tell_error(c, error);
    if (c->why->len > 0)
        return STATE_BAD;
    buf_addf(c->report, "%s: a backup\n  ", c->path);
    add_count(c->report,
              (uint64_t)json_integer_value(json_object_get(result, "resourcesImported")),
              "resource");
    buf_add(c->report, STR(", "));
    add_count(c->report,
              (uint64_t)json_integer_value(json_object_get(result, "recordsImported")),
              "record");
    buf_add(c->report, STR("\n"));
    json_array_foreach(json_object_get(result, "warnings"), i, warning)
        buf_addf(c->report, "  warning: %s\n", json_string_value(warning));
    report_branches(c);
    return STATE_GOOD;
}

/* As an import into an empty bucket finds it. */
static enum state_check check_backup(struct checking *c)
{
    const struct backup_import_options options = {
        .choice = {.bucket = STR("checked"), .prefix = STR_NONE, .passphrase = STR_NONE},
        .branch = STR("main"),
        .owner = STR(""),
        .region = STR("us-east-1"),
        .bucket_name_ok = c->options->bucket_name_ok,
    };
    AUTO_BUF(why, KiB(8));
    AUTO(source) source = source_path_new(AT_FDCWD, c->path, NULL, &why);
    json_t *result = NULL;
    enum state_check told = STATE_BAD;

    if (source && backup_import(c->store, source, &options, &result, &why) == BACKUP_OK)
        told = report_backup(c, result);
    else
        buf_addf(c->why, "%s: %.*s", c->path, (int)why.len, why.ptr ? why.ptr : "");
    json_decref(result);
    return told;
}

/* ---- the door ---------------------------------------------------------------------- */

enum state_check state_check(const char *path, const struct state_check_options *options,
                             struct buf *report, struct buf *why)
{
    struct checking c = {.path = path, .options = options, .report = report, .why = why};
    AUTO_BUF(head, HEAD);
    enum state_check result = STATE_BAD;
    enum format format = FORMAT_BACKUP; /* a folder can be nothing else */
    struct stat st;
    int err = stat(path, &st) != 0 ? errno : 0;

    if (!err && !S_ISDIR(st.st_mode)) {
        err = S_ISREG(st.st_mode) ? read_head(path, &head) : EINVAL;
        format = format_of(buf_str(&head), str_c(path));
    }
    if (err) {
        buf_addf(why, "%s: %s", path,
                 err == EINVAL ? "neither a file nor a folder" : strerror(err));
        return STATE_UNREADABLE;
    }
    c.store = store_new(&(struct store_options){0});
    switch (format) {
    case FORMAT_DATABASE:
        result = check_database(&c);
        break;
    case FORMAT_DOCUMENT:
        result = check_document(&c);
        break;
    case FORMAT_MEMORY:
        result = check_memory(&c);
        break;
    case FORMAT_BACKUP:
        result = check_backup(&c);
        break;
    case FORMAT_NONE:
        buf_addf(why,
                 "%s is no database, snapshot document, JSON file of MemoryClient's or backup",
                 path);
        break;
    }
    store_free(c.store);
    return result;
}
