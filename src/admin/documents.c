/* SPDX-License-Identifier: MIT */
/* documents.c - snapshots as documents, sent and taken bit by bit: each turn of the I/O thread
 * does no more than one buffer's worth. */
#include "admin/call.h"
#include "s3mem/disk.h"

/* ---- sending ----------------------------------------------------------------------- */

/* libmicrohttpd's buffer is larger; others want their turn. */
#define PIECE_MAX KiB(128)

static enum stream_next stream_document(void *arg, void *out, size_t max, size_t *len)
{
    switch (document_write(arg, out, max < PIECE_MAX ? max : PIECE_MAX, len)) {
    case DOCUMENT_MORE:
        return STREAM_MORE;
    case DOCUMENT_END:
        return STREAM_END;
    case DOCUMENT_FAILED:
        break;
    }
    log_error("a snapshot document was cut off: memory is out (see --max-memory)");
    return STREAM_FAILED;
}

static void free_writer(void *writer)
{
    document_writer_free(writer);
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
    c->state = document_writer_new(root, gzip);
    c->state_free = free_writer;
    c->reply.stream = stream_document;
    c->reply.stream_arg = c->state;
    reply_kept_header(&c->reply, "Content-Type",
                      gzip ? "application/gzip" : "application/vnd.s3mem.snapshot");
    reply_headerf(&c->reply, "Content-Disposition", "attachment; filename=\"%s.s3mem%s\"",
                  c->argument.ptr, gzip ? ".gz" : "");
    return APP_REPLY;
}

/* ---- taking ------------------------------------------------------------------------ */

static void free_reader(void *reader)
{
    document_reader_free(reader);
}

static enum app_next refuse(struct admin_call *c, enum s3_err err)
{
    if (err == S3_SLOW_DOWN)
        return admin_no_memory(c);
    return admin_error(c, 400, "InvalidDocument", document_error(c->state));
}

static enum app_next feed(struct admin_call *c, const char *data, size_t len)
{
    enum s3_err err = document_feed(c->state, data, len);

    return err ? refuse(c, err) : APP_WANT_BODY;
}

static enum app_next name_is_taken(struct admin_call *c)
{
    return admin_field_error(c, 409, "SnapshotAlreadyExists", "name",
                             "there is a snapshot '%s'; ?replace=true takes its place",
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
    c->state = document_reader_new(store);
    c->state_free = free_reader;
    c->feed = feed;
    return true;
}

enum app_next admin_upload_snapshot(struct admin_call *c)
{
    enum named result;
    enum s3_err err;
    bool replace;

    if (!admin_param_bool(c, "replace", &replace))
        return APP_REPLY;
    err = document_finish(c->state, c->argument, replace, &result);
    if (err)
        return refuse(c, err);
    if (result == NAMED_EXISTS)
        return name_is_taken(c);
    if (result)
        return admin_no_memory(c);
    return admin_snapshot_created(c, c->argument);
}
