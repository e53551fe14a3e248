/* SPDX-License-Identifier: MIT */
/* backup_cmds.c - s3db backups: on this machine, through a tar that the server sends or takes;
 * or with --server on the server's own disk. */
#include "ctl/ctl.h"
#include "disk/backup/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_SIZE KiB(64)

/* ---- options ----------------------------------------------------------------------- */

/* Out of the environment or a file: a command line is for all to see. */
static enum ctl_exit read_passphrase(struct ctl *c, struct buf *text)
{
    const char *file = ctl_option(c, "passphrase-file"), *env = getenv("S3MEMCTL_PASSPHRASE");
    int err = file ? file_read(text, file) : 0;

    if (err)
        return ctl_complain(CTL_USAGE, "%s: %s", file, strerror(err));
    if (!file && env)
        buf_add_c(text, env);
    while (text->len > 0 && strchr("\r\n", text->ptr[text->len - 1]))
        text->len--;
    for (size_t i = 0; i < text->len; i++)
        if ((unsigned char)text->ptr[i] < 0x20)
            return ctl_complain(CTL_USAGE, "the passphrase has control characters");
    if (file && text->len == 0)
        return ctl_complain(CTL_USAGE, "%s: the passphrase is empty", file);
    buf_add_char(text, '\0');
    if (text->len > 1)
        c->passphrase = text->ptr;
    return CTL_DONE;
}

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

static bool ends_in(const char *path, const char *end)
{
    return str_has_suffix(str_c(path), str_c(end));
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_place(struct ctl *c, struct ctl_target *t)
{
    ctl_target_param(t, "branch", c->branch);
    ctl_target_param(t, "bucket", ctl_option(c, "bucket"));
    ctl_target_param(t, "prefix", ctl_option(c, "prefix"));
    ctl_target_param(t, "resources", ctl_option(c, "resources"));
}

/* The same as members of a body. */
static json_t *body_of(struct ctl *c, const char *path)
{
    const char *names = ctl_option(c, "resources");
    json_t *body =
        json_pack("{s:s, s:s*, s:s*, s:s*}", "path", path, "branch", c->branch, "bucket",
                  ctl_option(c, "bucket"), "prefix", ctl_option(c, "prefix"));
    struct str rest = str_c(names), name;

    if (names)
        json_object_set_new(body, "resources", json_array());
    while (names && str_split(&rest, ',', &name))
        json_array_append_new(json_object_get(body, "resources"),
                              json_stringn(name.ptr, name.len));
    return body;
}

static void set_flag(json_t *body, const char *name, bool value)
{
    if (value)
        json_object_set_new(body, name, json_true());
}

/* ---- copies ------------------------------------------------------------------------ */

static bool copy_file(struct sink *to, struct source *from, struct str name, struct buf *why)
{
    char *block = xmalloc(COPY_SIZE);
    struct stretch text = STRETCH_NONE;
    bool good = source_open(from, name, &text, why) && sink_begin(to, name);
    ssize_t n = 0;

    while (good && (n = stretch_read(&text, block, COPY_SIZE)) > 0)
        good = sink_write(to, block, (size_t)n);
    if (n < 0) {
        buf_addf(why, "%.*s: %s", (int)name.len, name.ptr, strerror(errno));
        good = false;
    }
    stretch_close(&text);
    mem_free(block);
    return good && sink_end(to);
}

/* All files, and finishes. */
static bool copy_all(struct sink *to, struct source *from, struct buf *why)
{
    bool good = true;

    for (size_t i = 0; good && i < source_count(from); i++)
        good = copy_file(to, from, source_name(from, i), why);
    good = good && sink_finish(to);
    if (!good && why->len == 0)
        buf_add(why, sink_why(to));
    return good;
}

static ssize_t read_file(void *file, void *out, size_t max)
{
    size_t n = fread(out, 1, max, file);

    return n > 0 || !ferror((FILE *)file) ? (ssize_t)n : -1;
}

static bool write_file(void *file, const void *data, size_t len)
{
    return fwrite(data, 1, len, file) == len;
}

static enum ctl_exit complain_of(const char *path, const struct buf *why)
{
    return ctl_complain(CTL_REFUSED, "%s: %.*s", path, (int)why->len, why->ptr ? why->ptr : "");
}

/* Where a stream waits on its way; NULL: a word was said. */
static FILE *open_temporary(void)
{
    int fd = temporary_file();
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;

    if (!file) {
        ctl_complain(CTL_REFUSED, "temporary file: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

/* ---- export ------------------------------------------------------------------------ */

/* Takes what: a manifest, or the answer of POST export. */
static enum ctl_exit tell_export(struct ctl *c, const char *path, json_t *what)
{
    json_t *records = json_object_get(what, "totalRecords");

    if (c->json)
        return ctl_print_json(c, what);
    if (!c->quiet && records)
        printf("%s: %lld records of %zu resources\n", path,
               (long long)json_integer_value(records),
               json_object_get(what, "resourceCount")
                   ? (size_t)json_integer_value(json_object_get(what, "resourceCount"))
                   : json_object_size(json_object_get(what, "resources")));
    else if (!c->quiet)
        printf("%s\n", path);
    json_decref(what);
    return CTL_DONE;
}

static size_t load_some(void *out, size_t max, void *text)
{
    ssize_t n = stretch_read(text, out, max);

    return n < 0 ? (size_t)-1 : (size_t)n; /* as jansson has it */
}

/* s3db.json, or ID.manifest.json of an archive. */
static json_t *read_manifest(struct source *s)
{
    AUTO_BUF(why, KiB(4));
    json_t *manifest = NULL;

    for (size_t i = 0; i < source_count(s) && !manifest; i++) {
        struct str name = source_name(s, i);
        struct stretch text;

        if (!str_eq(name, STR("s3db.json")) && !str_has_suffix(name, STR(".manifest.json")))
            continue;
        if (!source_open(s, name, &text, &why))
            return NULL;
        manifest = json_load_callback(load_some, &text, 0, NULL);
        stretch_close(&text);
    }
    return manifest;
}

static enum ctl_exit export_folder(struct ctl *c, struct ctl_target *t, const char *path)
{
    AUTO_BUF(why, KiB(8));
    AUTO(sink) sink = sink_folder_new(AT_FDCWD, path, ctl_option(c, "force") != NULL, &why);
    enum ctl_exit status;
    FILE *file;

    if (!sink)
        return ctl_complain(CTL_REFUSED, "%.*s%s", (int)why.len, why.ptr,
                            ctl_option(c, "force") ? "" : " (--force replaces a backup)");
    file = open_temporary();
    if (!file)
        return CTL_REFUSED;
    status = ctl_download(c, t, file, NULL);
    if (!status) {
        rewind(file);

        AUTO(source) source = source_stream_new(read_file, file, &why);

        if (!source || !copy_all(sink, source, &why))
            status = complain_of(path, &why);
        else
            status = tell_export(c, path, read_manifest(source));
    }
    fclose(file);
    return status;
}

static enum ctl_exit export_on_server(struct ctl *c, const char *path)
{
    AUTO_TARGET(t, "export");
    json_t *body = body_of(c, path), *answer;
    enum ctl_exit status;

    set_flag(body, "replace", ctl_option(c, "force") != NULL);
    if (ctl_option(c, "no-compress"))
        json_object_set_new(body, "compress", json_false());
    if (ctl_option(c, "archive"))
        json_object_set_new(body, "format", json_string("archive"));
    status = ctl_call(c, "POST", &t, body, &answer);
    return status ? status : tell_export(c, path, answer);
}

enum ctl_exit cmd_export(struct ctl *c)
{
    const char *path = c->args[0];
    bool gzip = ends_in(path, ".tar.gz") || ends_in(path, ".tgz");
    bool tar = gzip || ends_in(path, ".tar") || is_standard(path);
    AUTO_BUF(passphrase, KiB(4));
    AUTO_TARGET(t, "export");
    enum ctl_exit status = read_passphrase(c, &passphrase);

    if (status)
        return status;
    if (!ctl_option(c, "bucket"))
        return ctl_complain(CTL_USAGE, "--bucket says which bucket is to be exported");
    if (ctl_option(c, "server"))
        return export_on_server(c, path);
    if (gzip && ctl_option(c, "archive"))
        return ctl_complain(CTL_USAGE,
                            "an archive is compressed already: use a folder or .tar");
    add_place(c, &t);
    ctl_target_param(&t, "format",
                     ctl_option(c, "archive") ? "archive"
                     : gzip                   ? "tar.gz"
                                              : "tar");
    ctl_target_param(&t, "compress", ctl_option(c, "no-compress") ? "false" : NULL);
    if (is_standard(path))
        return ctl_download(c, &t, stdout, NULL);
    if (!tar)
        return export_folder(c, &t, path);
    status = ctl_download_to(c, &t, path, NULL);
    return status ? status : tell_export(c, path, json_pack("{s:s}", "path", path));
}

/* ---- import ------------------------------------------------------------------------ */

void ctl_print_backup_errors(const json_t *result)
{
    const json_t *errors = json_object_get(result, "errors"), *e;
    long long count = (long long)json_integer_value(json_object_get(result, "errorCount"));
    size_t i;

    json_array_foreach(errors, i, e)
    {
        const char *file = json_string_value(json_object_get(e, "file"));
        const json_t *line = json_object_get(e, "line");

        fprintf(stderr, "%s", file ? file : "backup");
        if (line)
            fprintf(stderr, ":%lld", (long long)json_integer_value(line));
        fprintf(stderr, ": %s\n", json_string_value(json_object_get(e, "error")));
    }
    if (count > (long long)json_array_size(errors))
        fprintf(stderr, "... and %lld more\n", count - (long long)json_array_size(errors));
}

/* Takes answer. */
static enum ctl_exit tell_import(struct ctl *c, json_t *answer)
{
    bool failed = json_integer_value(json_object_get(answer, "errorCount")) > 0;
    const json_t *list, *item;
    size_t i;

    if (c->json) {
        ctl_print_json(c, answer);
        return failed ? CTL_REFUSED : CTL_DONE;
    }
    ctl_print_backup_errors(answer);
    list = json_object_get(answer, "warnings");
    json_array_foreach(list, i, item) fprintf(stderr, "warning: %s\n", json_string_value(item));
    if (!c->quiet) {
        list = json_object_get(answer, "reencoded");
        json_array_foreach(list, i, item) printf(
            "%s was encoded anew: %s\n", json_string_value(json_object_get(item, "resource")),
            json_string_value(json_object_get(item, "reason")));
        printf("%lld records of %lld resources, in bucket %s of branch %s\n",
               (long long)json_integer_value(json_object_get(answer, "recordsImported")),
               (long long)json_integer_value(json_object_get(answer, "resourcesImported")),
               json_string_value(json_object_get(answer, "bucket")), ctl_branch_name(c));
    }
    json_decref(answer);
    return failed ? CTL_REFUSED : CTL_DONE;
}

static enum ctl_exit import_on_server(struct ctl *c, const char *path)
{
    AUTO_TARGET(t, "import");
    json_t *body = body_of(c, path), *answer;
    enum ctl_exit status;

    set_flag(body, "clear", ctl_option(c, "clear") != NULL);
    set_flag(body, "atomic", ctl_option(c, "atomic") != NULL);
    set_flag(body, "raw", ctl_option(c, "raw") != NULL);
    status = ctl_call(c, "POST", &t, body, &answer);
    return status ? status : tell_import(c, answer);
}

/* A folder's files as a tar in a temporary file; NULL: a word was said. */
static FILE *pack(const char *path)
{
    AUTO_BUF(why, KiB(8));
    AUTO(source) source = source_path_new(AT_FDCWD, path, NULL, &why);
    FILE *file = source ? open_temporary() : NULL;

    if (source && !file)
        return NULL;
    AUTO(sink) sink = file ? sink_tar_new(write_file, file, false) : NULL;
    if (sink && copy_all(sink, source, &why) && fflush(file) == 0)
        return file;
    complain_of(path, &why);
    if (file)
        fclose(file);
    return NULL;
}

static enum ctl_exit check_import(const struct ctl *c)
{
    static const char *const of_buckets[] = {"from-profile", "from-region", "no-sign-request",
                                             "dry-run"};

    if (c->arg_count == 0)
        return ctl_complain(CTL_USAGE, "usage: s3memctl import DIR | FILE | --from URL");
    for (size_t i = 0; i < ARRAY_LEN(of_buckets); i++) {
        if (ctl_option(c, of_buckets[i]))
            return ctl_complain(CTL_USAGE, "--%s goes with --from", of_buckets[i]);
    }
    return CTL_DONE;
}

static enum ctl_exit import_backup(struct ctl *c)
{
    const char *path = c->args[0];
    AUTO_BUF(passphrase, KiB(4));
    AUTO_TARGET(t, "import");
    enum ctl_exit status = check_import(c);
    json_t *answer = NULL;
    FILE *file;

    if (!status)
        status = read_passphrase(c, &passphrase);
    if (status)
        return status;
    if (ctl_option(c, "server"))
        return import_on_server(c, path);
    add_place(c, &t);
    ctl_target_param(&t, "clear", ctl_option(c, "clear") ? "true" : NULL);
    ctl_target_param(&t, "atomic", ctl_option(c, "atomic") ? "true" : NULL);
    ctl_target_param(&t, "raw", ctl_option(c, "raw") ? "true" : NULL);
    if (is_standard(path)) {
        file = stdin;
    } else if (is_folder(path)) {
        file = pack(path);
        if (!file)
            return CTL_REFUSED;
    } else {
        file = fopen(path, "r");
        if (!file)
            return ctl_complain(CTL_REFUSED, "%s: %s", path, strerror(errno));
    }
    status = ctl_upload(c, &t, file, &answer);
    if (file != stdin)
        fclose(file);
    return status ? status : tell_import(c, answer);
}

enum ctl_exit cmd_import(struct ctl *c)
{
    return ctl_option(c, "from") ? ctl_import_bucket(c) : import_backup(c);
}
