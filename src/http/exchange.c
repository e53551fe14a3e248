/* SPDX-License-Identifier: MIT */
/* exchange.c - one request from its request line to the end of its reply, as libmicrohttpd's
 * callbacks tell it. Nothing is allocated for a usual request: the connection carries one
 * exchange, which every request on it uses in turn. */
#include "http/server.h"

/* ---- the request line -------------------------------------------------------------- */

struct conn *exchange_conn(struct exchange *x)
{
    return (struct conn *)((char *)x - offsetof(struct conn, x));
}

static void keep_target(struct exchange *x, const char *target)
{
    size_t len = strlen(target);

    x->target = len < sizeof(x->target_room) ? x->target_room : xmalloc(len + 1);
    memcpy(x->target, target, len + 1);
    x->req.target = str_of(x->target, len);
}

void *exchange_start(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct http_server *server = arg;
    struct conn *conn =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct exchange *x = &conn->x;

    x->state = EXCHANGE_HEADERS;
    x->mhd = mhd;
    x->app = NULL;
    x->req = (struct request){
        .remote = str_c(conn->remote), .tls = server->tls, .waker = &conn->wait.waker};
    x->headers = x->header_room;
    x->header_count = x->headers_size = 0;
    x->header_cap = INLINE_HEADERS;
    x->received = x->discarded = x->reply_len = x->copied_len = 0;
    x->lease = (struct lease){0};
    x->sent_target = target;
    keep_target(x, target ? target : "");
    target_split(&x->req);
    if (target)
        query_hide(target);
    /* Should it be too late for that, the next callback hears of it. */
    (void)conn_expect(conn, server->header_timeout_ms);
    atomic_fetch_add_explicit(&server->active, 1, memory_order_relaxed);
    return x;
}

/* ---- the headers ------------------------------------------------------------------- */

static void add_header(struct exchange *x, struct header header)
{
    if (x->header_count == x->header_cap) {
        struct header *room = x->headers == x->header_room ? NULL : x->headers;
        size_t cap = x->header_cap * 2;

        room = xrealloc(room, cap * sizeof(*room));
        if (x->headers == x->header_room)
            memcpy(room, x->header_room, sizeof(x->header_room));
        x->headers = room;
        x->header_cap = cap;
    }
    x->headers[x->header_count++] = header;
}

static enum MHD_Result collect_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                      size_t name_len, const char *value, size_t value_len)
{
    struct exchange *x = arg;
    struct str raw = str_of(value ? value : "", value_len);
    struct header header = {str_of(name, name_len), str_trim(raw)};

    (void)kind;
    /* As libmicrohttpd sees these two: the value as a whole, blanks at its end included. */
    if (str_eq_nocase(header.name, STR("transfer-encoding")))
        x->req.chunked = str_eq_nocase(raw, STR("chunked"));
    else if (str_eq_nocase(header.name, STR("expect")))
        x->req.expects_continue |= str_eq_nocase(raw, STR("100-continue"));
    add_header(x, header);
    x->headers_size += name_len + value_len + strlen(": \r\n");
    return MHD_YES;
}

static bool has_body(const struct request *req)
{
    return req->chunked ||
           (req->content_length != CONTENT_LENGTH_NONE && req->content_length > 0);
}

static void collect_request(struct exchange *x, struct MHD_Connection *mhd, const char *method,
                            const char *version)
{
    struct request *req = &x->req;
    struct str length;

    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, collect_header, x);
    req->method = str_c(method);
    req->headers = x->headers;
    req->header_count = x->header_count;
    /* The host in an absolute target is what counts; Host is ignored then (RFC 9112, 3.2.2). */
    if (!req->host.ptr)
        req->host = request_header(req, STR("host"));
    if (!req->host.ptr)
        req->host = STR("");
    length = request_header(req, STR("content-length"));
    if (!str_to_u64(length, &req->content_length))
        req->content_length = CONTENT_LENGTH_NONE;
    /* HTTP/1.0 clients are never sent a 100. */
    if (strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
        req->expects_continue = false;
}

static bool takes(const struct http_mount *mount, const struct request *req)
{
    return str_has_prefix(req->path, mount->prefix) &&
           (!mount->takes || mount->takes(mount->takes_arg, req));
}

static const struct app *choose_app(const struct http_server *server, const struct request *req)
{
    size_t i = 0;

    while (i + 1 < server->mount_count && !takes(&server->mounts[i], req))
        i++;
    return &server->mounts[i].app;
}

/* ---- headers, body, reply ---------------------------------------------------------- */

/* Nothing is awaited from the client any more: libmicrohttpd's own timeout watches how the
 * reply gets on. False: that comes too late. */
static bool request_ends(struct exchange *x)
{
    struct conn *conn = exchange_conn(x);

    if (!conn_expect(conn, 0))
        return false;
    atomic_store_explicit(&conn->owes_body, false, memory_order_relaxed);
    return true;
}

/* The reply's head does not fit beside the request's: libmicrohttpd would close the connection
 * without a word. */
static void refuse_head(struct exchange *x)
{
    bool by_request = head_size(x) > CONNECTION_MEMORY / 2;

    if (!by_request)
        log_error("the headers of a reply do not fit: %.*s", (int)x->req.path.len,
                  x->req.path.ptr);
    conn_refuse(exchange_conn(x),
                by_request ? S3_REQUEST_HEADER_SECTION_TOO_LARGE : S3_INTERNAL_ERROR);
}

static enum MHD_Result exchange_reply(struct exchange *x, struct MHD_Connection *mhd)
{
    struct reply *reply = x->app ? x->app->reply(x->call) : &x->refusal;

    if (reply_is_unsent(x, reply) || (x->state != EXCHANGE_FINISH && !request_ends(x)))
        return MHD_NO;
    x->state = EXCHANGE_REPLYING;
    if (atomic_load_explicit(&x->server->stopping, memory_order_relaxed))
        reply->close = true;
    if (!reply_fits(x, reply)) {
        refuse_head(x);
        return MHD_NO;
    }
    return reply_send(x, mhd, reply) ? MHD_YES : MHD_NO;
}

/* The reply is ready and there is a body still to come. Waiting for its end keeps the
 * connection, and no reset eats the reply; but it must not be asked for, nor be endless. */
static bool answers_at_once(const struct request *req)
{
    return has_body(req) &&
           (req->expects_continue || (!req->chunked && req->content_length > DRAIN_MAX));
}

/* Finds the application and asks it. */
static enum app_next ask_app(struct exchange *x)
{
    enum s3_err err = head_check(x);

    if (err) {
        refusal_fill(&x->refusal, err);
        return APP_REPLY;
    }
    x->app = choose_app(x->server, &x->req);
    return x->app->begin(x->app->arg, &x->req, &x->call);
}

/* First call: the headers are complete. libmicrohttpd closes a connection on which a reply is
 * queued here; so that is done only where the body must not, or could not, be read. */
static enum MHD_Result exchange_begin(struct exchange *x, struct MHD_Connection *mhd,
                                      const char *method, const char *version)
{
    struct conn *conn = exchange_conn(x);
    enum s3_err err;

    collect_request(x, mhd, method, version);
    err = framing_check(&x->req, x->sent_target, version);
    if (err) {
        refusal_fill(&x->refusal, err);
        return exchange_reply(x, mhd);
    }
    if (x->req.expects_continue && !has_body(&x->req))
        expectation_hide(x);
    conn->step_received = 0;
    /* Without a body the next callback comes at once. */
    if (has_body(&x->req) && !conn_expect(conn, x->server->body_timeout_ms))
        return MHD_NO;
    x->state = ask_app(x) == APP_WANT_BODY ? EXCHANGE_BODY : EXCHANGE_DISCARD;
    if (x->state == EXCHANGE_DISCARD && answers_at_once(&x->req))
        return exchange_reply(x, mhd);
    atomic_store_explicit(&conn->owes_body, has_body(&x->req), memory_order_release);
    return MHD_YES;
}

static enum MHD_Result exchange_body(struct exchange *x, const char *data, size_t size)
{
    struct conn *conn = exchange_conn(x);

    x->received += size;
    if (x->received - conn->step_received >= HTTP_BODY_STEP &&
        x->received < x->req.content_length) {
        conn->step_received = x->received;
        if (!conn_expect(conn, x->server->body_timeout_ms))
            return MHD_NO;
    }
    if (x->state == EXCHANGE_BODY) {
        enum app_next next = x->app->body(x->call, data, size);

        if (next == APP_REPLY)
            x->state = EXCHANGE_DISCARD;
        if (next == APP_WAIT)
            wait_sleep(x);
        else
            wait_end(x);
        return MHD_YES;
    }
    x->discarded += size;
    return x->discarded <= DRAIN_MAX ? MHD_YES : MHD_NO;
}

/* The headers are known, and with that the request has begun. */
static enum MHD_Result exchange_go_on(struct exchange *x, struct MHD_Connection *mhd,
                                      const char *data, size_t *size)
{
    if (!wait_over(x))
        return MHD_NO;
    if (*size > 0) {
        size_t given = *size;

        *size = 0;
        return exchange_body(x, data, given);
    }
    if (x->state == EXCHANGE_BODY || x->state == EXCHANGE_FINISH) {
        if (x->state == EXCHANGE_BODY && !request_ends(x))
            return MHD_NO;
        x->state = EXCHANGE_FINISH;
        if (x->app->finish(x->call) == APP_WAIT) {
            wait_sleep(x);
            return MHD_YES;
        }
    }
    return exchange_reply(x, mhd);
}

enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context)
{
    struct http_server *server = arg;
    struct exchange *x = *context;
    int64_t started = turn_begin();
    const char *step = *size > 0 ? "body" : "finish";
    enum MHD_Result result;

    (void)url;
    if (x->state == EXCHANGE_HEADERS) {
        step = "begin";
        result = exchange_begin(x, mhd, method, version);
    } else {
        result = exchange_go_on(x, mhd, data, size);
    }
    turn_end(server->turns, started, step, x->req.method, x->req.target);
    return result;
}

/* ---- the end ----------------------------------------------------------------------- */

static void log_refusal(struct exchange *x, uint64_t sent)
{
    if (!log_access_enabled() || x->server->is_trial)
        return;
    log_access(&(struct log_access_entry){
        .request_id = STR("-"),
        .operation = STR("-"),
        .method = x->req.method,
        .target = x->req.target,
        .remote = x->req.remote,
        .code = STR("-"),
        .detail = STR("refused by the front end"),
        .status = x->refusal.status,
        .bytes_in = x->received,
        .bytes_out = sent,
    });
}

void exchange_end(void *arg, struct MHD_Connection *mhd, void **context,
                  enum MHD_RequestTerminationCode code)
{
    struct http_server *server = arg;
    struct exchange *x = *context;
    int64_t started = turn_begin();
    bool aborted;
    uint64_t sent;

    (void)mhd;
    if (!x || x->state == EXCHANGE_NONE)
        return;
    aborted = x->state != EXCHANGE_REPLYING || code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    /* libmicrohttpd does not tell how much of an interrupted reply went out. */
    sent = aborted || x->lease.stream ? x->copied_len : x->reply_len;
    atomic_store_explicit(&exchange_conn(x)->wait.wake_at_ns, 0, memory_order_relaxed);
    if (x->app) {
        x->app->done(x->call, sent, aborted);
    } else if (x->state != EXCHANGE_HEADERS) {
        log_refusal(x, sent);
        reply_release(&x->refusal);
    }
    turn_end(server->turns, started, "done", x->req.method, x->req.target);
    if (x->target != x->target_room) {
        mem_free(x->target);
        x->req.target = STR("-");
    }
    if (x->headers != x->header_room)
        mem_free(x->headers);
    x->state = EXCHANGE_NONE;
    if (x->lease.cut_after)
        shutdown(exchange_conn(x)->fd, SHUT_RDWR);
    /* Silence is libmicrohttpd's to end. A next request that begins just before that must be
     * through with its headers in time. */
    (void)conn_expect(exchange_conn(x), server->idle_timeout_ms + server->header_timeout_ms);
    atomic_fetch_sub_explicit(&server->active, 1, memory_order_release);
}
