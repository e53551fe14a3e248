/* SPDX-License-Identifier: MIT */
/* admin.c - the life of a request, and the door. */
#include "admin/call.h"
#include "admin/files/jobs.h"
#include "admin/traffic/faults.h"
#include "admin/traffic/journal.h"
#include "admin/traffic/statistics.h"

#include <stdlib.h>

/* Such a document takes about a millisecond to read. */
#define LONG_DOCUMENT KiB(16)

/* ---- life -------------------------------------------------------------------------- */

/* What the client shows as "Authorization: Bearer ..." (RFC 6750), where that is looked at. */
static struct str bearer_token(const struct admin_call *c)
{
    struct str shown = request_header(c->req, STR("authorization"));

    if (!(c->route->flags & BEARER) || c->admin->options.metrics_token.len == 0 ||
        !str_has_prefix_nocase(shown, STR("Bearer ")))
        return STR_NONE;
    return str_trim(str_from(shown, strlen("Bearer ")));
}

/* False: answered. */
static bool may_proceed(struct admin_call *c)
{
    const struct admin_options *o = &c->admin->options;
    struct str token;
    AUTO_BUF(message, KiB(4));
    enum s3_err err;

    if ((c->route->flags & OPEN) || !o->authorise)
        return true;
    token = bearer_token(c);
    if (token.ptr && str_eq_constant_time(token, o->metrics_token))
        return true;
    if (token.ptr) {
        reply_header(&c->reply, "WWW-Authenticate", STR("Bearer error=\"invalid_token\""));
        admin_error(c, 401, "InvalidToken", "this is not the server's --metrics-token");
        return false;
    }
    err = o->authorise(o->authorise_arg, c->req, &message);
    if (!err)
        return true;
    buf_add_char(&message, '\0');
    admin_error(c, s3_err_status(err), s3_err_code(err),
                buf_ok(&message) && message.len > 1 ? message.ptr : s3_err_message(err));
    return false;
}

/* False: answered, because the disk that follows the store takes nothing at present. */
static bool may_change(struct admin_call *c)
{
    const struct durable *d = c->admin->options.durable;

    if (!d || !(c->route->flags & CHANGES) || d->accepts(d->arg))
        return true;
    admin_error(c, s3_err_status(S3_SLOW_DOWN), s3_err_code(S3_SLOW_DOWN),
                "state on disk cannot be written at present: nothing was changed");
    return false;
}

/* What to compare the body's digest with; STR_NONE: nothing. */
static struct str signed_digest(const struct admin_call *c)
{
    struct str declared = request_header(c->req, STR("x-amz-content-sha256"));

    if ((c->route->flags & OPEN) || str_eq(declared, STR("UNSIGNED-PAYLOAD")))
        return STR_NONE;
    return declared;
}

void admin_drop_headers(struct admin_call *c)
{
    reply_drop_headers(&c->reply);
    if (guard_is_browser(&c->guard))
        guard_reply(&c->admin->options.guard, &c->guard, &c->reply);
}

/* A page from elsewhere may do nothing here; what a verified signature asks for is no page's.
 * False: answered. */
static bool admit_page(struct admin_call *c)
{
    const struct admin_options *o = &c->admin->options;
    AUTO_BUF(why, KiB(4));

    guard_look(&c->guard, &o->guard, c->req);
    if (!guard_is_browser(&c->guard))
        return true;
    admin_drop_headers(c);
    if (guard_is_preflight(&c->guard, c->req)) {
        guard_preflight_reply(c->req, &c->reply);
        return false;
    }
    if (!guard_refuses(&c->guard, false) ||
        (o->authorise && !o->authorise(o->authorise_arg, c->req, &why)))
        return true;
    buf_reset(&why);
    guard_explain(&c->guard, &why);
    buf_add_char(&why, '\0');
    admin_error(c, 403, "ForeignOrigin", buf_ok(&why) ? why.ptr : "");
    return false;
}

static bool prepare(struct admin_call *c)
{
    if (!admit_page(c))
        return false;
    route_choose(c);
    if (!c->route || !may_proceed(c) || !route_read_query(c) || !may_change(c))
        return false;
    if (signed_digest(c).ptr)
        digest_init(&c->body_digest, CHECKSUM_SHA256);
    return !c->route->begin || c->route->begin(c);
}

static enum app_next call_begin(void *arg, const struct request *req, void **call)
{
    struct admin_call *c = xcalloc(1, sizeof(*c));

    *call = c;
    c->admin = arg;
    c->req = req;
    c->started_ns = clock_monotonic_ns();
    buf_init(&c->text, KiB(128));
    buf_init(&c->document, ADMIN_DOCUMENT_MAX);
    intake_init(&c->intake, c->admin->options.store);
    reply_init(&c->reply);
    return prepare(c) ? APP_WANT_BODY : APP_REPLY;
}

static enum app_next call_body(void *call, const char *data, size_t len)
{
    struct admin_call *c = call;

    c->received += len;
    if (c->body_digest.alg)
        digest_update(&c->body_digest, data, len);
    if (c->feed)
        return c->feed(c, data, len);
    enum s3_err err = intake_add(&c->intake, &c->document, str_of(data, len));
    if (!err)
        return APP_WANT_BODY;
    if (err == S3_SLOW_DOWN)
        return admin_no_memory(c);
    return admin_error(c, 413, "EntityTooLarge", "the document is larger than 64 KiB");
}

/* The signature covers x-amz-content-sha256; that the body has this digest is ours to see.
 * Streaming payloads are for objects. */
static bool body_is_as_signed(struct admin_call *c)
{
    struct str declared = signed_digest(c);
    uint8_t wanted[SHA256_SIZE], actual[SHA256_SIZE];

    if (!c->body_digest.alg)
        return true;
    digest_final(&c->body_digest, actual);
    c->body_digest = (struct digest){0};
    if (hex_decode_exact(declared, wanted, sizeof(wanted)) &&
        memcmp(wanted, actual, sizeof(actual)) == 0)
        return true;
    admin_error(c, 400, s3_err_code(S3_X_AMZ_CONTENT_SHA256_MISMATCH),
                s3_err_message(S3_X_AMZ_CONTENT_SHA256_MISMATCH));
    return false;
}

/* Reads the JSON document of the body, if there is one. APP_WANT_BODY: go on; APP_REPLY: refused;
 * APP_WAIT: it was long, so the call goes on in a turn of its own. */
static enum app_next parse_document(struct admin_call *c)
{
    struct str text = str_trim(buf_str(&c->document));
    json_error_t error;

    if (!(c->route->flags & TAKES_JSON) || text.len == 0 || c->json)
        return APP_WANT_BODY;
    c->json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!c->json)
        return admin_json(c, 400,
                          json_pack("{s:{s:s, s:o, s:i, s:i}}", "error", "code",
                                    "MalformedJSON", "message", admin_string(str_c(error.text)),
                                    "line", error.line, "column", error.column));
    if (text.len < LONG_DOCUMENT)
        return APP_WANT_BODY;
    c->req->waker->wake(c->req->waker);
    return APP_WAIT;
}

/* It was carried out; is it safe? */
static enum app_next settle(struct admin_call *c)
{
    const struct durable *d = c->admin->options.durable;

    if (!d || !(c->route->flags & CHANGES) || c->reply.status >= 400)
        return APP_REPLY;
    c->carried_out = true;
    switch (d->state(d->arg, &c->durable_wait, c->req->waker)) {
    case DURABLE_SAFE:
        break;
    case DURABLE_NOT_YET:
        return APP_WAIT;
    case DURABLE_FAILED:
        reply_release(&c->reply);
        reply_init(&c->reply);
        admin_drop_headers(c);
        return admin_error(c, s3_err_status(S3_SLOW_DOWN), s3_err_code(S3_SLOW_DOWN),
                           "the change could not be written to disk; it may be lost");
    }
    return APP_REPLY;
}

static enum app_next call_finish(void *call)
{
    struct admin_call *c = call;
    enum app_next next;

    if (c->carried_out)
        return settle(c);
    if (!body_is_as_signed(c))
        return APP_REPLY;
    next = parse_document(c);
    if (next != APP_WANT_BODY)
        return next;
    return c->route->handler(c) == APP_WAIT ? APP_WAIT : settle(c);
}

static struct reply *call_reply(void *call)
{
    struct admin_call *c = call;

    return &c->reply;
}

static void write_access_log(const struct admin_call *c, uint64_t sent, bool aborted)
{
    log_access(&(struct log_access_entry){
        .request_id = STR("-"),
        .operation = c->route ? str_c(c->route->name) : STR("-"),
        .method = c->req->method,
        .target = c->req->target,
        .remote = c->req->remote,
        .code = STR("-"),
        .detail = aborted ? STR("the client left") : STR(""),
        .status = c->reply.status,
        .bytes_in = c->received,
        .bytes_out = sent,
        .duration_ns = clock_monotonic_ns() - c->started_ns,
    });
}

static void call_done(void *call, uint64_t sent, bool aborted)
{
    struct admin_call *c = call;

    if (c->durable_wait.ticket > 0)
        c->admin->options.durable->leave(c->admin->options.durable->arg, &c->durable_wait);
    if (log_access_enabled())
        write_access_log(c, sent, aborted);
    admin_job_leave(c);
    if (c->state_free)
        c->state_free(c->state);
    json_decref(c->json);
    digest_release(&c->body_digest);
    buf_release(&c->text);
    buf_release(&c->document);
    intake_release(&c->intake);
    if (c->pieces.next)
        buf_release(&c->pieces.text);
    reply_release(&c->reply);
    mem_free(c);
}

struct app admin_app(struct admin *admin)
{
    return (struct app){.arg = admin,
                        .begin = call_begin,
                        .body = call_body,
                        .finish = call_finish,
                        .reply = call_reply,
                        .done = call_done};
}

/* ---- the door ---------------------------------------------------------------------- */

/* Lists of thousands of names may be asked for. */
static void sort_operations(struct admin *admin)
{
    const char *const *names = admin->options.operations;
    size_t count = 0;

    while (names && names[count])
        count++;
    admin->operations = xcalloc(count + 1, sizeof(*admin->operations));
    admin->operation_count = count;
    for (size_t i = 0; i < count; i++)
        admin->operations[i] = str_c(names[i]);
    qsort(admin->operations, count, sizeof(*admin->operations), admin_compare_operations);
}

/* Of what a server may take for its objects, a small part. */
static size_t journal_bytes_max(uint64_t max_memory)
{
    uint64_t eighth = max_memory / 8;

    return eighth > 0 && eighth < JOURNAL_BYTES_MAX ? (size_t)eighth : JOURNAL_BYTES_MAX;
}

struct admin *admin_new(const struct admin_options *options)
{
    struct admin *admin = xcalloc(1, sizeof(*admin));

    admin->options = *options;
    admin->started_ns = clock_monotonic_ns();
    admin->started_unix_ns = clock_now_ns();
    admin->statistics = statistics_new();
    admin->faults = faults_new();
    admin->jobs = jobs_new();
    if (options->journal_size > 0)
        admin->journal =
            journal_new(options->journal_size, journal_bytes_max(options->max_memory_bytes));
    sort_operations(admin);
    /* So that the first requests need not race to seed jansson's hash tables. */
    json_object_seed(0);
    return admin;
}

void admin_end_jobs(struct admin *admin)
{
    if (admin)
        jobs_free(TAKE(admin->jobs));
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    admin_end_jobs(admin);
    mem_free(admin->operations);
    journal_free(admin->journal);
    statistics_free(admin->statistics);
    faults_free(admin->faults);
    mem_free(admin);
}

void admin_set_ready(struct admin *admin)
{
    for (int stage = INIT_BOOT; admin->options.init && stage <= INIT_READY; stage++)
        init_record_complete(admin->options.init, (enum init_stage)stage);
    atomic_store(&admin->ready, true);
}

bool admin_is_ready(const struct admin *admin)
{
    return atomic_load(&admin->ready);
}
