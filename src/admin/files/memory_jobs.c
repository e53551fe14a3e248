/* SPDX-License-Identifier: MIT */
/* memory_jobs.c - MemoryClient's JSON file written and read by jobs: in a folder of
 * --state-dir, or read as a client sends it. */
#include "admin/files/jobs.h"
#include "admin/files/memory_files.h"
#include "app/app.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE          KiB(256)
#define PIPE_BYTES     KiB(256)
#define OBJECTS_A_STEP 10000

/* What was asked; all owned. */
struct file_task {
    struct admin *admin;
    char *path, *branch;
    char bucket[64]; /* load: empty, the file says */
    struct root *root;
    bool strict, merge;
    struct pipe *pipe;                 /* a reference; NULL: a path */
    struct memory_json_reader *reader; /* of what a client has sent */
};

static void free_task(void *arg)
{
    struct file_task *t = arg;

    mem_free(t->path);
    mem_free(t->branch);
    root_unref(t->root);
    pipe_unref(t->pipe);
    memory_json_reader_free(t->reader);
    mem_free(t);
}

/* False: answered. */
static bool field_bool(struct admin_call *c, const char *name, bool *out)
{
    json_t *value = json_object_get(c->json, name);

    if (!value || json_is_null(value))
        return true;
    if (json_is_boolean(value)) {
        *out = json_is_true(value);
        return true;
    }
    admin_field_error(c, 400, "InvalidArgument", name, "must be true or false");
    return false;
}

static bool field_path(struct admin_call *c, struct str *path)
{
    if (!admin_has_state_dir(c) || !admin_field_text(c, c->json, "path", path))
        return false;
    if (path->len > 0)
        return true;
    admin_field_error(c, 400, "InvalidArgument", "path", "say which file");
    return false;
}

static void fail_cancelled(struct job *job)
{
    job_fail(job, 409, "Cancelled", "the job was cancelled; nothing has changed");
}

/* ---- save -------------------------------------------------------------------------- */

/* Everything, into the file. False: the job has failed. */
static bool write_all(const struct file_task *t, struct job *job, struct memory_json_writer *w,
                      struct new_file *file)
{
    char *piece = xmalloc(PIECE);
    enum document_state state = DOCUMENT_MORE;
    bool cancelled = false;
    size_t len;
    int err = 0;

    while (!err && state == DOCUMENT_MORE && !cancelled) {
        state = memory_json_write(w, piece, PIECE, &len);
        err = new_file_write(file, piece, len);
        cancelled = work_cancelled(job_work(job));
    }
    mem_free(piece);
    if (cancelled)
        fail_cancelled(job);
    else if (err)
        job_fail_file(job, str_c(t->path), err);
    else if (state == DOCUMENT_FAILED)
        job_fail(job, 503, "SlowDown", "memory is out (see --max-memory)");
    else
        return true;
    return false;
}

static bool write_file(const struct file_task *t, struct job *job, struct memory_json_writer *w)
{
    struct state_path at;
    struct new_file file;
    bool ok;
    int err;

    if (!job_state_path(job, t->admin, str_c(t->path), &at))
        return false;
    err = new_file_begin(&file, at.dir, at.name);
    ok = !err && write_all(t, job, w, &file);
    if (ok)
        err = new_file_commit(&file);
    new_file_drop(&file);
    state_path_release(&at);
    if (err)
        job_fail_file(job, str_c(t->path), err);
    return ok && !err;
}

static void run_save(void *arg, struct job *job)
{
    struct file_task *t = arg;
    AUTO(memory_json_writer)
    w = memory_json_writer_new(t->root, str_c(t->bucket), job_work(job));
    const struct memory_json_lost *lost;

    if (!w) {
        job_fail(job, 404, "NoSuchBucket", "there is no bucket '%s'", t->bucket);
        return;
    }
    while (memory_json_look(w, OBJECTS_A_STEP)) {
        if (work_cancelled(job_work(job))) {
            fail_cancelled(job);
            return;
        }
    }
    lost = memory_json_lost(w);
    if (t->strict && memory_json_loses(lost)) {
        job_fail_more(job, 409, MEMORY_LOST_CODE,
                      json_pack("{s:o}", "notSaved", memory_lost_json(lost)), "%s",
                      MEMORY_LOST_MESSAGE);
        return;
    }
    if (write_file(t, job, w))
        job_succeed(job, json_pack("{s:s, s:s, s:I, s:I, s:o}", "path", t->path, "bucket",
                                   t->bucket, "objects", (json_int_t)memory_json_objects(w),
                                   "bytes", (json_int_t)atomic_load(&job_work(job)->bytes),
                                   "notSaved", memory_lost_json(lost)));
}

enum app_next admin_save_memory(struct admin_call *c)
{
    struct str path = STR_NONE, bucket = STR_NONE, branch = STR_NONE, snapshot = STR_NONE;
    bool async = false, strict = false;
    struct file_task *t;
    char name[64];

    if (c->job)
        return admin_job_wait(c);
    if (!admin_fields(c, c->json, "path bucket branch snapshot strict async") ||
        !field_path(c, &path) || !admin_field_text(c, c->json, "bucket", &bucket) ||
        !admin_field_text(c, c->json, "branch", &branch) ||
        !admin_field_text(c, c->json, "snapshot", &snapshot) ||
        !field_bool(c, "strict", &strict) || !field_bool(c, "async", &async))
        return APP_REPLY;

    AUTO(root) root = memory_source(c, branch, snapshot);

    if (!root || !memory_bucket(c, root, bucket, name))
        return APP_REPLY;
    t = xcalloc(1, sizeof(*t));
    *t = (struct file_task){
        .admin = c->admin, .path = xstrndup(path), .root = TAKE(root), .strict = strict};
    memcpy(t->bucket, name, sizeof(name));
    return admin_job_start(
        c, &(struct job_spec){.kind = "save", .run = run_save, .arg = t, .arg_free = free_task},
        async);
}

/* ---- load -------------------------------------------------------------------------- */

/* putting: the file was good, and what it holds was on its way into the branch. */
static void fail_load(struct job *job, const struct memory_json_reader *r, enum s3_err err,
                      bool putting)
{
    if (work_cancelled(job_work(job)) && putting)
        job_fail(job, 409, "Cancelled", "the job was cancelled; some objects have been put");
    else if (work_cancelled(job_work(job)))
        fail_cancelled(job);
    else if (err == S3_SLOW_DOWN)
        job_fail(job, 503, "SlowDown", "%s", memory_json_error(r));
    else
        job_fail(job, 400, "InvalidFile", "%s", memory_json_error(r));
}

/* False: the job has failed. */
static bool read_all(const struct file_task *t, struct job *job, struct memory_json_reader *r,
                     int fd)
{
    char *piece = xmalloc(PIECE);
    enum s3_err err = S3_OK;
    ssize_t n = 1;

    while (!err && n > 0) {
        n = read(fd, piece, PIECE);
        if (n <= 0)
            break;
        err = memory_json_feed(r, piece, (size_t)n);
        work_count(job_work(job), 0, (uint64_t)n);
    }
    mem_free(piece);
    if (n < 0) {
        job_fail_file(job, str_c(t->path), errno);
        return false;
    }
    if (!err)
        err = memory_json_finish(r);
    if (err)
        fail_load(job, r, err, false);
    return !err;
}

static bool read_file(const struct file_task *t, struct job *job, struct memory_json_reader *r)
{
    struct state_path at;
    struct stat st;
    bool ok = false;
    int fd;

    if (!job_state_path(job, t->admin, str_c(t->path), &at))
        return false;
    fd = state_path_open(&at);
    state_path_release(&at);
    if (fd < 0) {
        job_fail_file(job, str_c(t->path), -fd);
        return false;
    }
    if (fstat(fd, &st) == 0)
        work_expect(job_work(job), 0, (uint64_t)st.st_size);
    ok = read_all(t, job, r, fd);
    close(fd);
    return ok;
}

static enum s3_err put(const struct file_task *t, struct job *job, struct memory_json_reader *r,
                       struct branch **b)
{
    enum s3_err err = S3_OK;
    bool done = false;

    if (!t->merge)
        return memory_json_replace(r, b);
    while (!err && !done && !work_cancelled(job_work(job)))
        err = memory_json_merge(r, *b, OBJECTS_A_STEP, &done);
    return done || err ? err : S3_INVALID_ARGUMENT;
}

/* The whole file was good: into the branch. */
static void put_loaded(const struct file_task *t, struct job *job, struct memory_json_reader *r)
{
    AUTO(branch) b = store_branch(t->admin->options.store, str_c(t->branch));
    enum s3_err err;

    if (!b) {
        job_fail(job, 404, "NoSuchBranch", "the branch '%s' was deleted meanwhile", t->branch);
        return;
    }
    err = put(t, job, r, &b);
    if (err)
        fail_load(job, r, err, true);
    else if (!memory_is_seen(r, b))
        job_fail(job, 409, "Conflict", BRANCH_REPLACED ": what was loaded is not to be seen");
    else
        job_succeed(job, memory_loaded_json(r, str_c(t->branch)));
}

static struct memory_json_reader *reader_of(const struct file_task *t, struct job *job)
{
    struct memory_json_target target =
        memory_target(t->admin, t->bucket[0] ? str_c(t->bucket) : STR_NONE);

    target.work = job_work(job);
    return memory_json_reader_new(&target);
}

static void run_load(void *arg, struct job *job)
{
    struct file_task *t = arg;
    AUTO(memory_json_reader) r = reader_of(t, job);

    if (read_file(t, job, r))
        put_loaded(t, job, r);
}

/* NULL: answered, since the file can go nowhere. */
static struct file_task *load_task_new(struct admin_call *c, struct str branch,
                                       struct str bucket, bool merge)
{
    struct file_task *t;

    if (bucket.ptr && !c->admin->options.bucket_name_ok(bucket)) {
        admin_field_error(c, 400, "InvalidArgument", "bucket",
                          "'%s' cannot be the name of a bucket", bucket.ptr);
        return NULL;
    }

    AUTO(branch) b = admin_branch_named(c, branch);

    if (!b)
        return NULL;
    t = xcalloc(1, sizeof(*t));
    *t = (struct file_task){
        .admin = c->admin, .branch = xstrndup(branch_name(b)), .merge = merge};
    if (bucket.ptr)
        str_put(t->bucket, bucket);
    return t;
}

enum app_next admin_load_memory(struct admin_call *c)
{
    struct str path = STR_NONE, bucket = STR_NONE, branch = STR_NONE;
    bool async = false, clear = true;
    struct file_task *t;

    if (c->job)
        return admin_job_wait(c);
    if (!admin_fields(c, c->json, "path bucket branch clear async") || !field_path(c, &path) ||
        !admin_field_text(c, c->json, "bucket", &bucket) ||
        !admin_field_text(c, c->json, "branch", &branch) || !field_bool(c, "clear", &clear) ||
        !field_bool(c, "async", &async))
        return APP_REPLY;
    t = load_task_new(c, branch, bucket, !clear);
    if (!t)
        return APP_REPLY;
    t->path = xstrndup(path);
    return admin_job_start(
        c, &(struct job_spec){.kind = "load", .run = run_load, .arg = t, .arg_free = free_task},
        async);
}

/* ---- load, out of a request -------------------------------------------------------- */

static bool receive_file(void *arg, struct job *job)
{
    struct file_task *t = arg;
    char *piece = xmalloc(PIPE_BYTES);
    enum s3_err err = S3_OK;
    ssize_t n = 0;

    t->reader = reader_of(t, job);
    while (!err && (n = pipe_read(t->pipe, piece, PIPE_BYTES)) > 0) {
        err = memory_json_feed(t->reader, piece, (size_t)n);
        work_count(job_work(job), 0, (uint64_t)n);
    }
    mem_free(piece);
    if (!err && n == 0)
        err = memory_json_finish(t->reader);
    if (n < 0)
        fail_cancelled(job);
    else if (err)
        fail_load(job, t->reader, err, false);
    return !err && n == 0;
}

static void run_received_load(void *arg, struct job *job)
{
    struct file_task *t = arg;

    put_loaded(t, job, t->reader);
}

/* Before the file is sent: can it go there? */
bool admin_begin_memory_upload(struct admin_call *c)
{
    bool clear = true;
    struct file_task *t;

    if (admin_param(c, "clear").ptr && !admin_param_bool(c, "clear", &clear))
        return false;
    t = load_task_new(c, admin_param(c, "branch"), admin_param(c, "bucket"), !clear);
    if (!t)
        return false;
    t->pipe = pipe_new(PIPE_BYTES, c->req->waker);
    c->feed = admin_job_feed;
    return admin_job_begin(c, &(struct job_spec){.kind = "load",
                                                 .transfer = receive_file,
                                                 .run = run_received_load,
                                                 .arg = t,
                                                 .arg_free = free_task,
                                                 .pipe = pipe_ref(t->pipe)});
}

enum app_next admin_upload_memory(struct admin_call *c)
{
    pipe_feed_end(admin_job_pipe(c));
    return admin_job_wait(c);
}
