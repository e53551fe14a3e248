/* SPDX-License-Identifier: MIT */
/* documents.c - snapshots as documents: sent bit by bit, each turn of the I/O thread doing no
 * more than one buffer's worth; taken on a thread of its own, since a few bytes of gzip may
 * stand for many. */
#include "admin/files/jobs.h"
#include "app/app.h"

/* ---- sending ----------------------------------------------------------------------- */

/* libmicrohttpd's buffer is larger; others want their turn. */
#define PIECE_MAX KiB(128)

/* A document on its way to a client. */
struct sending {
    struct document_writer *writer; /* owned */
    struct waker *waker;
};

static enum stream_next stream_document(void *arg, void *out, size_t max, size_t *len)
{
    struct sending *s = arg;

    switch (document_write(s->writer, out, max < PIECE_MAX ? max : PIECE_MAX, len)) {
    case DOCUMENT_MORE:
        if (*len > 0)
            return STREAM_MORE;
        /* What compresses well gives no byte for a while: others have their turn. */
        s->waker->wake(s->waker);
        return STREAM_WAIT;
    case DOCUMENT_END:
        return STREAM_END;
    case DOCUMENT_FAILED:
        break;
    }
    log_error("a snapshot document was cut off: memory is out (see --max-memory)");
    return STREAM_FAILED;
}

static void free_sending(void *arg)
{
    struct sending *s = arg;

    document_writer_free(s->writer);
    mem_free(s);
}

enum app_next admin_download_snapshot(struct admin_call *c)
{
    bool gzip;

    if (!admin_name_ok(c, "name", c->argument) || !admin_param_bool(c, "gzip", &gzip))
        return APP_REPLY;

    AUTO(root) root = store_snapshot_root(c->admin->options.store, c->argument);

    if (!root)
        return admin_field_error(c, 404, "NoSuchSnapshot", "name", "there is no snapshot '%s'",
                                 c->argument.ptr);
    struct sending *s = xcalloc(1, sizeof(*s));

    *s = (struct sending){document_writer_new(root, gzip), c->req->waker};
    c->state = s;
    c->state_free = free_sending;
    c->reply.stream = stream_document;
    c->reply.stream_arg = c->state;
    reply_kept_header(&c->reply, "Content-Type",
                      gzip ? "application/gzip" : "application/vnd.s3mem.snapshot");
    reply_headerf(&c->reply, "Content-Disposition", "attachment; filename=\"%s.s3mem%s\"",
                  c->argument.ptr, gzip ? ".gz" : "");
    return APP_REPLY;
}

/* ---- taking ------------------------------------------------------------------------ */

#define PIPE_BYTES  KiB(256)
#define PIECE_BYTES KiB(16) /* of gzip: as much as is done before it looks at cancel */

/* A document on its way from a client. */
struct upload {
    struct store *store;
    struct pipe *pipe; /* a reference */
    char *name;        /* owned */
    bool replace;
};

static void upload_free(void *arg)
{
    struct upload *u = arg;

    pipe_unref(u->pipe);
    mem_free(u->name);
    mem_free(u);
}

#define NAME_IS_TAKEN "there is a snapshot '%s'; ?replace=true takes its place"

static void fail_upload(struct job *job, enum s3_err err, const char *why)
{
    if (err == S3_SLOW_DOWN)
        job_fail(job, s3_err_status(err), s3_err_code(err), "memory is out (see --max-memory)");
    else
        job_fail(job, 400, "InvalidDocument", "%s", why);
}

/* All has come. */
static void finish_upload(const struct upload *u, struct job *job, struct document_reader *r)
{
    enum named result;
    enum s3_err err = document_finish(r, str_c(u->name), u->replace, &result);

    if (err)
        fail_upload(job, err, document_error(r));
    else if (result == NAMED_EXISTS)
        job_fail_more(job, 409, "SnapshotAlreadyExists", json_pack("{s:s}", "field", "name"),
                      NAME_IS_TAKEN, u->name);
    else if (result)
        fail_upload(job, S3_SLOW_DOWN, "");
    else
        job_succeed(job, json_pack("{s:s}", "name", u->name));
}

static bool receive_document(void *arg, struct job *job)
{
    struct upload *u = arg;
    AUTO(document_reader) r = document_reader_new(u->store);
    char *piece = xmalloc(PIECE_BYTES);
    enum s3_err err = S3_OK;
    ssize_t n = 0;

    while (!err && (n = pipe_read(u->pipe, piece, PIECE_BYTES)) > 0) {
        err = document_feed(r, piece, (size_t)n);
        work_count(job_work(job), 0, (uint64_t)n);
    }
    mem_free(piece);
    if (work_cancelled(job_work(job)) || n < 0)
        job_fail(job, 409, "Cancelled", "the job was cancelled; nothing has changed");
    else if (err)
        fail_upload(job, err, document_error(r));
    else
        finish_upload(u, job, r);
    return false;
}

static enum app_next name_is_taken(struct admin_call *c)
{
    return admin_field_error(c, 409, "SnapshotAlreadyExists", "name", NAME_IS_TAKEN,
                             c->argument.ptr);
}

/* Before the document is sent: is the name good, and free? */
bool admin_begin_upload(struct admin_call *c)
{
    struct store *store = c->admin->options.store;
    bool replace;

    if (!admin_name_ok(c, "name", c->argument) || !admin_param_bool(c, "replace", &replace))
        return false;

    AUTO(root) there = store_snapshot_root(store, c->argument);

    if (there && !replace) {
        name_is_taken(c);
        return false;
    }
    struct pipe *pipe = pipe_new(PIPE_BYTES, c->req->waker);
    struct upload *u = xcalloc(1, sizeof(*u));

    *u = (struct upload){store, pipe_ref(pipe), xstrndup(c->argument), replace};
    c->feed = admin_job_feed;
    return admin_job_begin(c, &(struct job_spec){.kind = "upload",
                                                 .transfer = receive_document,
                                                 .arg = u,
                                                 .arg_free = upload_free,
                                                 .pipe = pipe});
}

enum app_next admin_upload_snapshot(struct admin_call *c)
{
    enum app_next next;

    pipe_feed_end(admin_job_pipe(c));
    next = admin_job_wait(c);
    if (next == APP_WAIT || c->reply.status >= 400)
        return next;
    admin_drop_headers(c);
    return admin_snapshot_created(c, c->argument);
}
