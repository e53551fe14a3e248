/* SPDX-License-Identifier: MIT */
/* admin.c - from a request to the row of admin.def that answers it.
 *
 *   begin   refuse foreign pages -> route -> authorise
 *   body    kept, up to ADMIN_DOCUMENT_MAX
 *   finish  the signed digest of the body -> handler */
#include "admin/call.h"

static const struct route routes[] = {
#define ROUTE(method, path, handler, flags) {#method, path, #handler, handler, flags},
#include "admin/admin.def"
#undef ROUTE
};

/* ---- answers ----------------------------------------------------------------------- */

static int add_to_buf(const char *text, size_t len, void *out)
{
    buf_add(out, str_of(text, len));
    return 0;
}

void admin_json(struct admin_call *c, unsigned status, json_t *value)
{
    struct buf *text = &c->reply.text;

    buf_reset(text);
    c->reply.status = status;
    reply_header(&c->reply, STR("Content-Type"), STR("application/json"));
    if (!value || json_dump_callback(value, add_to_buf, text, JSON_COMPACT) < 0 ||
        !buf_ok(text)) {
        c->reply.status = 500;
        buf_reset(text);
        buf_add(text,
                STR("{\"error\":{\"code\":\"InternalError\",\"message\":\"out of memory\"}}"));
    }
    json_decref(value);
}

void admin_error(struct admin_call *c, unsigned status, const char *code, const char *message)
{
    admin_json(c, status,
               json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

void admin_empty(struct admin_call *c, unsigned status)
{
    c->reply.status = status;
}

/* ---- routing ----------------------------------------------------------------------- */

/* A pattern that ends in a star takes one more part, which becomes *argument. */
static bool path_matches(const char *pattern, struct str path, struct str *argument)
{
    struct str p = str_c(pattern);

    *argument = STR_NONE;
    if (!str_has_suffix(p, STR("/*")))
        return str_eq(p, path);
    p.len--;
    *argument = str_from(path, p.len);
    return str_has_prefix(path, p) && argument->len > 0 &&
           str_find_char(*argument, '/') == SIZE_MAX;
}

static void refuse_method(struct admin_call *c)
{
    AUTO_BUF(allow, 256);
    struct str ignored;

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(routes[i].path, c->req->path, &ignored))
            continue;
        buf_addf(&allow, "%s%s%s", allow.len ? ", " : "", routes[i].method,
                 strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
    }
    reply_header(&c->reply, STR("Allow"), buf_str(&allow));
    admin_error(c, 405, "MethodNotAllowed", "this endpoint has no such method");
}

/* Finds c->route, or answers why there is none. */
static void choose_route(struct admin_call *c)
{
    struct str method = c->req->method;
    struct str argument;
    bool path_known = false;

    if (str_eq(method, STR("HEAD")))
        method = STR("GET");
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(routes[i].path, c->req->path, &argument))
            continue;
        path_known = true;
        if (!str_eq(str_c(routes[i].method), method))
            continue;
        c->route = &routes[i];
        c->argument = argument;
        return;
    }
    if (path_known)
        refuse_method(c);
    else
        admin_error(c, 404, "NotFound", "no such endpoint");
}

/* False: answered. */
static bool may_proceed(struct admin_call *c)
{
    const struct admin_options *o = &c->admin->options;
    enum s3_err err;

    if (!(c->route->flags & CHANGES) || !o->authorise)
        return true;
    err = o->authorise(o->authorise_arg, c->req);
    if (err)
        admin_error(c, s3_err_status(err), s3_err_code(err), s3_err_message(err));
    return !err;
}

/* ---- life -------------------------------------------------------------------------- */

static enum app_next call_begin(void *arg, const struct request *req, void **call)
{
    struct admin_call *c = xcalloc(1, sizeof(*c));

    *call = c;
    c->admin = arg;
    c->req = req;
    c->started_ns = clock_monotonic_ns();
    buf_init(&c->document, ADMIN_DOCUMENT_MAX);
    reply_init(&c->reply);
    if (origin_is_foreign(&c->admin->options, req)) {
        admin_error(
            c, 403, "ForeignOrigin",
            "pages of other sites, and host names that are not this server's, are refused");
        return APP_REPLY;
    }
    choose_route(c);
    return c->route && may_proceed(c) ? APP_WANT_BODY : APP_REPLY;
}

static enum app_next call_body(void *call, const char *data, size_t len)
{
    struct admin_call *c = call;

    c->received += len;
    buf_add(&c->document, str_of(data, len));
    if (buf_ok(&c->document))
        return APP_WANT_BODY;
    admin_error(c, 413, "EntityTooLarge", "the document is larger than 64 KiB");
    return APP_REPLY;
}

/* The signature covers x-amz-content-sha256; that the body has this digest is ours to see.
 * Streaming payloads are for objects. */
static bool body_is_as_signed(const struct admin_call *c)
{
    struct str declared = request_header(c->req, STR("x-amz-content-sha256"));
    uint8_t wanted[SHA256_SIZE], actual[SHA256_SIZE];

    if (!declared.ptr || str_eq(declared, STR("UNSIGNED-PAYLOAD")))
        return true;
    if (!hex_decode_exact(declared, wanted, sizeof(wanted)))
        return false;
    sha256_once(buf_str(&c->document), actual);
    return memcmp(wanted, actual, sizeof(actual)) == 0;
}

static enum app_next call_finish(void *call)
{
    struct admin_call *c = call;

    if ((c->route->flags & CHANGES) && !body_is_as_signed(c))
        admin_error(c, 400, s3_err_code(S3_X_AMZ_CONTENT_SHA256_MISMATCH),
                    s3_err_message(S3_X_AMZ_CONTENT_SHA256_MISMATCH));
    else
        c->route->handler(c);
    return APP_REPLY;
}

static struct reply *call_reply(void *call)
{
    struct admin_call *c = call;

    return &c->reply;
}

static void call_done(void *call, uint64_t sent, bool aborted)
{
    struct admin_call *c = call;

    if (log_access_enabled()) {
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
    buf_release(&c->document);
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

struct admin *admin_new(const struct admin_options *options)
{
    struct admin *admin = xcalloc(1, sizeof(*admin));

    admin->options = *options;
    admin->started_ns = clock_monotonic_ns();
    pthread_mutex_init(&admin->lock, NULL);
    /* So that the first requests need not race to seed jansson's hash tables. */
    json_object_seed(0);
    return admin;
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    for (size_t i = 0; i < admin->script_count; i++)
        mem_free(admin->scripts[i].name);
    mem_free(admin->scripts);
    pthread_mutex_destroy(&admin->lock);
    mem_free(admin);
}

void admin_set_ready(struct admin *admin)
{
    atomic_store(&admin->ready, true);
}

bool admin_is_ready(const struct admin *admin)
{
    return atomic_load(&admin->ready);
}

size_t admin_script_start(struct admin *admin, const char *name)
{
    size_t number;

    pthread_mutex_lock(&admin->lock);
    number = admin->script_count++;
    admin->scripts = xrealloc(admin->scripts, admin->script_count * sizeof(*admin->scripts));
    admin->scripts[number] = (struct script){xstrdup(name), ADMIN_SCRIPT_RUNNING};
    pthread_mutex_unlock(&admin->lock);
    return number;
}

void admin_script_end(struct admin *admin, size_t number, enum admin_script_state state)
{
    pthread_mutex_lock(&admin->lock);
    admin->scripts[number].state = state;
    pthread_mutex_unlock(&admin->lock);
}
