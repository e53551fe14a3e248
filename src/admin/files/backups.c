/* SPDX-License-Identifier: MIT */
/* backups.c - s3db backups written and read: as jobs below --state-dir (POST), or through a
 * pipe between the call and the job's thread (GET export, PUT import). */
#include "admin/files/jobs.h"
#include "disk/backup/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_BYTES    KiB(256)
#define RESOURCES_MAX 1000

enum container { CONTAINER_FOLDER, CONTAINER_TAR, CONTAINER_TAR_GZ };

/* What a job needs; all owned. */
struct backup_job {
    struct admin *admin;
    struct buf path, bucket, branch, prefix, passphrase, names;
    bool has_bucket, has_prefix, has_passphrase, has_resources;
    struct str *resources; /* into names */
    size_t resource_count;
    bool archive, plain, replace, clear, atomic, raw;
    enum container container;
    struct root *root;     /* export */
    struct pipe *pipe;     /* NULL: path */
    struct source *source; /* import of what a client has sent */
};

static void job_arg_free(void *arg)
{
    struct backup_job *b = arg;

    if (b->passphrase.ptr)
        mem_wipe(b->passphrase.ptr, b->passphrase.len);
    buf_release(&b->path);
    buf_release(&b->bucket);
    buf_release(&b->branch);
    buf_release(&b->prefix);
    buf_release(&b->passphrase);
    buf_release(&b->names);
    mem_free(b->resources);
    root_unref(b->root);
    pipe_unref(b->pipe);
    source_free(b->source);
    mem_free(b);
}

static struct backup_job *job_arg_new(struct admin_call *c)
{
    struct backup_job *b = xcalloc(1, sizeof(*b));

    b->admin = c->admin;
    buf_init(&b->path, KiB(8));
    buf_init(&b->bucket, KiB(1));
    buf_init(&b->branch, KiB(1));
    buf_init(&b->prefix, KiB(4));
    buf_init(&b->passphrase, KiB(4));
    buf_init(&b->names, ADMIN_DOCUMENT_MAX);
    return b;
}

static struct backup_choice choice_of(const struct backup_job *b)
{
    return (struct backup_choice){
        .bucket = b->has_bucket ? buf_str(&b->bucket) : STR_NONE,
        .prefix = !b->has_prefix      ? STR_NONE
                  : b->prefix.len > 0 ? buf_str(&b->prefix)
                                      : STR(""),
        .resources = b->has_resources ? b->resources : NULL,
        .resource_count = b->resource_count,
        .passphrase = b->has_passphrase ? buf_str(&b->passphrase) : STR_NONE,
    };
}

/* ---- what is asked ----------------------------------------------------------------- */

/* A field of the body or a parameter of the query; STR_NONE: neither. False: answered. */
static bool ask_text(struct admin_call *c, const char *name, struct str *out)
{
    *out = admin_param(c, name);
    return !c->json || admin_field_text(c, c->json, name, out);
}

static bool ask_into(struct admin_call *c, const char *name, struct buf *out, bool *given)
{
    struct str text = STR_NONE;

    if (!ask_text(c, name, &text))
        return false;
    *given = text.ptr != NULL;
    buf_add(out, text);
    if (buf_ok(out))
        return true;
    admin_field_error(c, 400, "InvalidArgument", name, "it is too long");
    return false;
}

static bool ask_bool(struct admin_call *c, const char *name, bool otherwise, bool *out)
{
    const json_t *value = json_object_get(c->json, name);

    *out = otherwise;
    if (admin_param(c, name).ptr)
        return admin_param_bool(c, name, out);
    if (!value || json_is_null(value))
        return true;
    if (!json_is_boolean(value)) {
        admin_field_error(c, 400, "InvalidArgument", name, "true or false");
        return false;
    }
    *out = json_is_true(value);
    return true;
}

/* All names into b->names, each with a comma behind it: names are cut out of it at the end. */
static bool ask_names(struct admin_call *c, struct backup_job *b, struct buf *joined)
{
    const json_t *list = json_object_get(c->json, "resources"), *name;
    struct str text = admin_param(c, "resources"), part;
    size_t i;

    b->has_resources = text.ptr != NULL;
    while (text.ptr && str_split(&text, ',', &part)) {
        buf_add(joined, part);
        buf_add_char(joined, '\0');
    }
    if (!list || json_is_null(list))
        return true;
    b->has_resources = true;
    if (!json_is_array(list)) {
        admin_field_error(c, 400, "InvalidArgument", "resources", "a list of names");
        return false;
    }
    json_array_foreach(list, i, name)
    {
        if (!json_is_string(name)) {
            admin_field_error(c, 400, "InvalidArgument", "resources", "a list of names");
            return false;
        }
        buf_add(joined, str_of(json_string_value(name), json_string_length(name)));
        buf_add_char(joined, '\0');
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool ask_resources(struct admin_call *c, struct backup_job *b)
{
    struct str rest, name;

    if (!ask_names(c, b, &b->names))
        return false;
    b->resources = xcalloc(RESOURCES_MAX, sizeof(*b->resources));
    rest = buf_str(&b->names);
    while (rest.len > 0 && str_split(&rest, '\0', &name)) {
        if (name.len == 0 || b->resource_count == RESOURCES_MAX) {
            admin_field_error(c, 400, "InvalidArgument", "resources",
                              name.len ? "more than 1000 names" : "a name is empty");
            return false;
        }
        b->resources[b->resource_count++] = name;
    }
    qsort(b->resources, b->resource_count, sizeof(*b->resources), compare_names);
    if (!b->has_resources || b->resource_count > 0)
        return true;
    admin_field_error(c, 400, "InvalidArgument", "resources",
                      "it names none; leave it out for all of them");
    return false;
}

/* In a header, since targets are logged; or in the body. */
static bool ask_passphrase(struct admin_call *c, struct backup_job *b)
{
    struct str header = request_header(c->req, STR("x-s3mem-passphrase"));
    struct str text = STR_NONE;

    if (c->json && !admin_field_text(c, c->json, "passphrase", &text))
        return false;
    if (header.ptr)
        text = header;
    b->has_passphrase = text.ptr != NULL;
    buf_add(&b->passphrase, text);
    if (buf_ok(&b->passphrase) && (!b->has_passphrase || text.len > 0))
        return true;
    admin_field_error(c, 400, "InvalidArgument", "passphrase", "it is empty, or too long");
    return false;
}

static bool ask_common(struct admin_call *c, struct backup_job *b)
{
    bool given;

    if (!ask_into(c, "bucket", &b->bucket, &b->has_bucket) ||
        !ask_into(c, "branch", &b->branch, &given) ||
        !ask_into(c, "prefix", &b->prefix, &b->has_prefix) || !ask_resources(c, b) ||
        !ask_passphrase(c, b))
        return false;
    if (!given)
        buf_add(&b->branch, STR("main"));
    return admin_name_ok(c, "branch", buf_str(&b->branch));
}

static bool ask_path(struct admin_call *c, struct backup_job *b)
{
    bool given;

    if (!admin_has_state_dir(c) || !ask_into(c, "path", &b->path, &given))
        return false;
    if (given)
        return true;
    admin_field_error(c, 400, "InvalidArgument", "path", "a path below --state-dir is needed");
    return false;
}

static bool read_format(struct admin_call *c, struct backup_job *b, struct str format)
{
    bool streamed = b->path.len == 0;

    if (str_eq(format, STR("tar.gz"))) {
        b->container = CONTAINER_TAR_GZ;
    } else if (str_eq(format, STR("tar"))) {
        b->container = CONTAINER_TAR;
    } else if (str_eq(format, STR("archive"))) {
        b->archive = true;
        b->container = streamed ? CONTAINER_TAR : CONTAINER_FOLDER;
    } else if (streamed || !str_eq(format, STR("folder"))) {
        admin_field_error(c, 400, "InvalidArgument", "format", "%star, tar.gz or archive",
                          streamed ? "" : "folder, ");
        return false;
    }
    return true;
}

static bool ask_format(struct admin_call *c, struct backup_job *b)
{
    struct str path = buf_str(&b->path), format = STR_NONE;

    if (!ask_text(c, "format", &format))
        return false;
    if (!format.ptr && path.len == 0)
        format = STR("tar");
    else if (!format.ptr && str_has_suffix(path, STR(".tar")))
        format = STR("tar");
    else if (!format.ptr &&
             (str_has_suffix(path, STR(".tar.gz")) || str_has_suffix(path, STR(".tgz"))))
        format = STR("tar.gz");
    else if (!format.ptr)
        format = STR("folder");
    return read_format(c, b, format);
}

/* The bucket has to be named, and the branch to be there. */
static bool ask_export(struct admin_call *c, struct backup_job *b)
{
    bool compress;

    if (!ask_common(c, b) || !ask_format(c, b) || !ask_bool(c, "compress", true, &compress) ||
        !ask_bool(c, "replace", false, &b->replace))
        return false;
    b->plain = !compress;
    if (!b->has_bucket) {
        admin_field_error(c, 400, "InvalidArgument", "bucket", "it has to be said which");
        return false;
    }

    AUTO(branch) branch = store_branch(c->admin->options.store, buf_str(&b->branch));

    if (branch) {
        b->root = branch_root(branch);
        return true;
    }
    admin_field_error(c, 404, "NoSuchBranch", "branch", "there is no branch '%.*s'",
                      (int)b->branch.len, b->branch.ptr);
    return false;
}

static bool ask_import(struct admin_call *c, struct backup_job *b)
{
    return ask_common(c, b) && ask_bool(c, "clear", false, &b->clear) &&
           ask_bool(c, "atomic", false, &b->atomic) && ask_bool(c, "raw", false, &b->raw);
}

/* ---- what is answered -------------------------------------------------------------- */

static void fail_backup(struct job *job, enum backup_status status, const struct buf *why,
                        json_t *result)
{
    static const struct {
        unsigned status;
        const char *code;
    } answers[] = {
        [BACKUP_OK] = {500, "InternalError"},
        [BACKUP_NO_BUCKET] = {404, "NoSuchBucket"},
        [BACKUP_NO_DATABASE] = {404, "NoSuchDatabase"},
        [BACKUP_SEVERAL] = {409, "SeveralDatabases"},
        [BACKUP_INVALID] = {400, "InvalidBackup"},
        [BACKUP_REJECTED] = {400, "BackupRejected"},
        [BACKUP_CONFLICT] = {409, "Conflict"},
        [BACKUP_DISK] = {500, "DiskError"},
        [BACKUP_NO_MEMORY] = {503, "SlowDown"},
        [BACKUP_CANCELLED] = {409, "Cancelled"},
    };
    json_t *more = NULL;

    if (result)
        more = json_pack("{s:o}", "result", result);
    else if (status == BACKUP_SEVERAL)
        more = json_pack("{s:s}", "field", "prefix");
    job_fail_more(job, answers[status].status, answers[status].code, more, "%.*s",
                  (int)why->len, why->ptr ? why->ptr : "");
}

/* ---- export ------------------------------------------------------------------------ */

static bool write_to_pipe(void *pipe, const void *data, size_t len)
{
    return pipe_write(pipe, data, len);
}

struct tar_file {
    struct new_file file;
    const struct work *work;
};

static bool write_to_file(void *arg, const void *data, size_t len)
{
    struct tar_file *tar = arg;

    return !work_cancelled(tar->work) && new_file_write(&tar->file, data, len) == 0;
}

/* Takes sink. */
static enum backup_status export_to(struct backup_job *b, struct job *job, struct sink *sink,
                                    json_t **result, struct buf *why)
{
    struct backup_export_options options = {.choice = choice_of(b),
                                            .archive = b->archive,
                                            .plain = b->plain,
                                            .work = job_work(job)};
    enum backup_status status = BACKUP_INVALID;

    if (sink)
        status = backup_export(b->root, sink, &options, result, why);
    sink_free(sink);
    return status;
}

static bool send_backup(void *arg, struct job *job)
{
    struct backup_job *b = arg;
    AUTO_BUF(why, KiB(8));
    json_t *result = NULL;
    enum backup_status status = export_to(
        b, job, sink_tar_new(write_to_pipe, b->pipe, b->container == CONTAINER_TAR_GZ), &result,
        &why);

    if (status) {
        fail_backup(job, status, &why, NULL);
        return false;
    }
    pipe_write_end(b->pipe);
    job_succeed(job, result);
    return false;
}

static enum backup_status export_to_tar(struct backup_job *b, struct job *job,
                                        const struct state_path *at, json_t **result,
                                        struct buf *why)
{
    struct tar_file tar = {.work = job_work(job)};
    int err = new_file_begin(&tar.file, at->dir, at->name);
    enum backup_status status;

    if (err) {
        buf_addf(why, "%s: %s", at->name, strerror(err));
        return BACKUP_DISK;
    }
    status =
        export_to(b, job, sink_tar_new(write_to_file, &tar, b->container == CONTAINER_TAR_GZ),
                  result, why);
    if (status) {
        new_file_drop(&tar.file);
        return status;
    }
    err = new_file_commit(&tar.file);
    if (err)
        buf_addf(why, "%s: %s", at->name, strerror(err));
    return err ? BACKUP_DISK : BACKUP_OK;
}

/* Is there something that would be replaced without having been told so? */
static bool is_taken(const struct backup_job *b, const struct state_path *at, struct buf *why)
{
    if (b->replace || faccessat(at->dir, at->name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    buf_addf(why, "%s is there already; replace takes its place", at->name);
    return true;
}

static void run_path_export(void *arg, struct job *job)
{
    struct backup_job *b = arg;
    struct state_path at;
    AUTO_BUF(why, KiB(8));
    json_t *result = NULL;
    enum backup_status status;

    if (!job_state_path(job, b->admin, buf_str(&b->path), &at))
        return;
    if (b->container == CONTAINER_FOLDER)
        status = export_to(b, job, sink_folder_new(at.dir, at.name, b->replace, &why), &result,
                           &why);
    else if (is_taken(b, &at, &why))
        status = BACKUP_CONFLICT;
    else
        status = export_to_tar(b, job, &at, &result, &why);
    state_path_release(&at);
    if (status) {
        json_decref(result);
        fail_backup(job, status, &why, NULL);
        return;
    }
    json_object_set_new(result, "path", admin_string(buf_str(&b->path)));
    job_succeed(job, result);
}

enum app_next admin_export_backup(struct admin_call *c)
{
    struct backup_job *b;
    bool async;

    if (c->job)
        return admin_job_wait(c);
    if (!admin_fields(c, c->json,
                      "path bucket branch prefix resources compress format passphrase replace "
                      "async") ||
        !ask_bool(c, "async", false, &async))
        return APP_REPLY;
    b = job_arg_new(c);
    if (!ask_path(c, b) || !ask_export(c, b)) {
        job_arg_free(b);
        return APP_REPLY;
    }
    return admin_job_start(
        c,
        &(struct job_spec){
            .kind = "export", .run = run_path_export, .arg = b, .arg_free = job_arg_free},
        async);
}

/* ---- GET export -------------------------------------------------------------------- */

/* The first bytes are waited for before the reply begins: until then it can be a refusal. */
struct download {
    struct pipe *pipe; /* of the job */
    char head[KiB(4)];
    size_t at, len;
    bool ended, gzip;
};

static enum stream_next stream_backup(void *arg, void *out, size_t max, size_t *len)
{
    struct download *d = arg;

    if (d->at == d->len)
        return d->ended ? STREAM_END : pipe_take(d->pipe, out, max, len);
    *len = d->len - d->at < max ? d->len - d->at : max;
    memcpy(out, d->head + d->at, *len);
    d->at += *len;
    return d->ended && d->at == d->len ? STREAM_END : STREAM_MORE;
}

static bool begin_download(struct admin_call *c)
{
    struct backup_job *b = job_arg_new(c);
    struct download *d;

    if (!ask_export(c, b)) {
        job_arg_free(b);
        return false;
    }
    b->pipe = pipe_new(PIPE_BYTES, c->req->waker);
    reply_headerf(&c->reply, "Content-Disposition", "attachment; filename=\"%.*s.%s\"",
                  (int)b->bucket.len, b->bucket.ptr,
                  b->container == CONTAINER_TAR_GZ ? "tar.gz" : "tar");
    d = xcalloc(1, sizeof(*d));
    d->gzip = b->container == CONTAINER_TAR_GZ;
    c->state = d;
    c->state_free = mem_free;
    return admin_job_begin(c, &(struct job_spec){.kind = "export",
                                                 .transfer = send_backup,
                                                 .arg = b,
                                                 .arg_free = job_arg_free,
                                                 .pipe = pipe_ref(b->pipe)});
}

enum app_next admin_download_backup(struct admin_call *c)
{
    struct download *d;

    if (!c->job && !begin_download(c))
        return APP_REPLY;
    d = c->state;
    d->pipe = admin_job_pipe(c);
    switch (pipe_take(d->pipe, d->head, sizeof(d->head), &d->len)) {
    case STREAM_WAIT:
        return APP_WAIT;
    case STREAM_FAILED:
        admin_drop_headers(c);
        return admin_job_wait(c);
    case STREAM_END:
        d->ended = true;
        break;
    case STREAM_MORE:
        break;
    }
    reply_kept_header(&c->reply, "Content-Type",
                      d->gzip ? "application/gzip" : "application/x-tar");
    c->reply.stream = stream_backup;
    c->reply.stream_arg = d;
    return APP_REPLY;
}

/* ---- import ------------------------------------------------------------------------ */

/* Takes source. */
static void import_from(struct backup_job *b, struct job *job, struct source *source,
                        struct buf *why)
{
    struct backup_import_options options = {.choice = choice_of(b),
                                            .branch = buf_str(&b->branch),
                                            .clear = b->clear,
                                            .atomic = b->atomic,
                                            .raw = b->raw,
                                            .owner = b->admin->options.owner,
                                            .region = b->admin->options.region,
                                            .bucket_name_ok = b->admin->options.bucket_name_ok,
                                            .work = job_work(job)};
    json_t *result = NULL;
    enum backup_status status = BACKUP_INVALID;

    if (!source && work_cancelled(job_work(job)))
        status = BACKUP_CANCELLED;
    else if (source)
        status = backup_import(b->admin->options.store, source, &options, &result, why);
    source_free(source);
    if (status)
        fail_backup(job, status, why, result);
    else
        job_succeed(job, result);
}

static void run_path_import(void *arg, struct job *job)
{
    struct backup_job *b = arg;
    struct state_path at;
    struct source *source;
    AUTO_BUF(why, KiB(8));

    if (!job_state_path(job, b->admin, buf_str(&b->path), &at))
        return;
    if (faccessat(at.dir, at.name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        job_fail_file(job, buf_str(&b->path), ENOENT);
        state_path_release(&at);
        return;
    }
    source = source_path_new(at.dir, at.name, job_work(job), &why);
    state_path_release(&at);
    import_from(b, job, source, &why);
}

enum app_next admin_import_backup(struct admin_call *c)
{
    struct backup_job *b;
    bool async;

    if (c->job)
        return admin_job_wait(c);
    if (!admin_fields(
            c, c->json,
            "path bucket branch prefix resources clear atomic raw passphrase async") ||
        !ask_bool(c, "async", false, &async))
        return APP_REPLY;
    b = job_arg_new(c);
    if (!ask_path(c, b) || !ask_import(c, b)) {
        job_arg_free(b);
        return APP_REPLY;
    }
    return admin_job_start(
        c,
        &(struct job_spec){
            .kind = "import", .run = run_path_import, .arg = b, .arg_free = job_arg_free},
        async);
}

/* ---- PUT import -------------------------------------------------------------------- */

static ssize_t read_from_pipe(void *pipe, void *out, size_t max)
{
    return pipe_read(pipe, out, max);
}

/* Into temporary files: from here on it is not the client who says how fast it goes. */
static bool receive_backup(void *arg, struct job *job)
{
    struct backup_job *b = arg;
    AUTO_BUF(why, KiB(8));

    b->source = source_stream_new(read_from_pipe, b->pipe, &why);
    if (!b->source)
        fail_backup(job, work_cancelled(job_work(job)) ? BACKUP_CANCELLED : BACKUP_INVALID,
                    &why, NULL);
    return b->source != NULL;
}

static void run_received_import(void *arg, struct job *job)
{
    struct backup_job *b = arg;
    AUTO_BUF(why, KiB(8));

    import_from(b, job, TAKE(b->source), &why);
}

bool admin_begin_backup_upload(struct admin_call *c)
{
    struct backup_job *b = job_arg_new(c);

    if (!ask_import(c, b)) {
        job_arg_free(b);
        return false;
    }
    b->pipe = pipe_new(PIPE_BYTES, c->req->waker);
    c->feed = admin_job_feed;
    return admin_job_begin(c, &(struct job_spec){.kind = "import",
                                                 .transfer = receive_backup,
                                                 .run = run_received_import,
                                                 .arg = b,
                                                 .arg_free = job_arg_free,
                                                 .pipe = pipe_ref(b->pipe)});
}

enum app_next admin_upload_backup(struct admin_call *c)
{
    pipe_feed_end(admin_job_pipe(c));
    return admin_job_wait(c);
}
