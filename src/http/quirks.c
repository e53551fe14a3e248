/* SPDX-License-Identifier: MIT */
/* quirks.c - what this server knows of libmicrohttpd's insides, and the check at start that the
 * library at hand has them.
 *
 *   what is relied on                                             where
 *   lines are taken apart in place, with NULs                     header_is_whole, line_is_whole
 *   the request line's callback gets the memory parsed next       query_hide
 *   header values are looked up in the memory that is shown       expectation_hide
 *   no request begins in the middle of another's body             wants_strictness
 *
 * Were one of them to change, requests could be read in two ways without any sign of it. So
 * quirks_check sends such requests through a daemon without threads, by the same callbacks and
 * options that the server has, and the server does not start unless each fares as it must. */
#include "http/server.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- how a request is read --------------------------------------------------------- */

/* 0.9.75 has a rule of its own for strict servers: it refuses what lacks a Host, before any
 * callback. It needs none of what 1.0 has under that name: in 1.0 only a strict server refuses
 * folded lines and a length beside an encoding, and 1.0.1 takes the LF behind a chunk's
 * extension for the next line, so trailers of a client become a request.
 *
 * Asked of the library at hand: it need not be the release of the headers. */
static bool wants_strictness(void)
{
    return MHD_get_version()[0] != '0';
}

/* The target is kept raw: SigV4 signs it so. */
static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

void quirks_options(struct MHD_OptionItem options[QUIRKS_OPTIONS], struct http_server *server)
{
    const struct MHD_OptionItem items[QUIRKS_OPTIONS] = {
        {MHD_OPTION_STRICT_FOR_CLIENT, wants_strictness(), NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_start, server},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_end, server},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)conn_notify, server},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    memcpy(options, items, sizeof(items));
}

/* ---- traces in libmicrohttpd's memory ---------------------------------------------- */

/* Header lines are taken apart in place, so what became of a line can be seen around its name
 * and value:
 *
 *   name NUL blanks value NUL LF           a line as it should be
 *   (the name lies elsewhere)              a folded line (RFC 9112, 5.2) has lost its value
 *   name NUL blanks value NUL value ...    a NUL that the client sent has cut the value short
 *
 * 1.0 refuses the latter two itself. */
bool header_is_whole(const struct header *h, const struct header *next)
{
    const char *value_end = h->value.ptr + strlen(h->value.ptr);
    const char *at = h->name.ptr + h->name.len + 1;

    if (h->value.ptr < at)
        return false;
    while (at < h->value.ptr && (*at == ' ' || *at == '\t'))
        at++;
    if (at != h->value.ptr)
        return false;
    /* Behind the NUL that ends the value: the rest of the line's end, or, after a bare LF, the
     * next line. */
    return strchr(" \t\r\n", value_end[1]) || (next && value_end + 1 == next->name.ptr);
}

/* There is a NUL in place of the blank behind the method, and of the one between the target and
 * the version. Further blanks before the target are passed over. */
bool line_is_whole(const struct request *req, const char *sent_target, const char *version)
{
    return str_is_token(req->method) && sent_target == req->method.ptr + req->method.len + 1 &&
           sent_target + req->target.len + 1 == version;
}

/* Next libmicrohttpd would take the query apart, in place, into one pool entry a parameter: work
 * for nothing, and a query of many '&' would exhaust the pool and hang the connection. The text
 * is its own writable buffer, so the query can be ended here. */
void query_hide(const char *sent_target)
{
    char *query = strchr((char *)(uintptr_t)sent_target, '?');

    if (query)
        query[1] = '\0';
}

/* Who sends no body waits for no 100 (RFC 9110, 10.1.1). 0.9.75 would send one all the same and,
 * with the next request there already, call back for a reply while it takes none. So the
 * expectation is made illegible where it is looked up. */
void expectation_hide(struct exchange *x)
{
    for (size_t i = 0; i < x->header_count; i++) {
        struct str *value = &x->headers[i].value;

        if (!str_eq_nocase(x->headers[i].name, STR("expect")) ||
            !str_eq_nocase(*value, STR("100-continue")))
            continue;
        memcpy(x->expectation, value->ptr, sizeof(x->expectation));
        *(char *)(uintptr_t)value->ptr = '-';
        value->ptr = x->expectation;
        x->req.expects_continue = false;
        return;
    }
}

/* ---- the check at start ------------------------------------------------------------ */

/* A daemon, its only connection, and what the application behind it was told. */
struct trial {
    struct http_server server;
    struct http_mount mount;
    struct buf seen; /* "METHOD TARGET NAME=VALUE ... :BODY" of every request that began */
    struct reply reply;
};

#define SEEN_MAX KiB(4)
/* Turns of the daemon's loop that a request may take: it takes about three. */
#define TRIAL_TURNS 64

static const struct trial_case {
    const char *what;
    struct str sent;    /* its end is the connection's */
    struct str seen;    /* STR(""): it must not begin */
    bool may_end_early; /* the library refuses what comes later */
} trial_cases[] = {
#define GOOD "Host: h\r\nConnection: close\r\n\r\n"
#define REFUSED(what, sent)                                                                    \
    {                                                                                          \
        what, STR(sent), {"", 0}, false                                                        \
    }
    {"targets, queries, headers and bodies",
     STR("PUT /a%2F+?x=1&y=%20&z HTTP/1.1\r\nA:  b \t\r\nC:\r\nContent-Length: 2\r\n" GOOD
         "hi"),
     STR("PUT /a%2F+?x=1&y=%20&z A=b C= Content-Length=2 Host=h Connection=close :hi"), false},
    {"Expect without a body",
     STR("GET /1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\nGET /2 HTTP/1.1\r\n" GOOD),
     STR("GET /1 Host=h Expect=100-continue GET /2 Host=h Connection=close "), false},
    {"trailers behind a chunk's extension",
     STR("PUT /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0;e=1\r\n"
         "X /: HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n" GOOD),
     STR("PUT /1 Host=h Transfer-Encoding=chunked :xGET /2 Host=h Connection=close "), true},
    REFUSED("a NUL in a header", "GET / HTTP/1.1\r\nA: b\0c\r\n" GOOD),
    REFUSED("a NUL in the last header", "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n"),
    REFUSED("a NUL in a header's name", "GET / HTTP/1.1\r\nA\0b: c\r\n" GOOD),
    REFUSED("a NUL in the request line", "GET /a\0b HTTP/1.1\r\n" GOOD),
    REFUSED("folded headers", "GET / HTTP/1.1\r\nA: b\r\n c\r\n" GOOD),
    REFUSED("folded headers", "GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n" GOOD),
    REFUSED("a CR in a header", "GET / HTTP/1.1\r\nA: b\rc\r\n" GOOD),
    REFUSED("a blank before the colon", "GET / HTTP/1.1\r\nContent-Length : 3\r\n" GOOD "abc"),
    REFUSED("blanks in the request line", "GET  / HTTP/1.1\r\n" GOOD),
    REFUSED("blanks in the request line", "GET /a b HTTP/1.1\r\n" GOOD),
    REFUSED("lengths that differ",
            "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" GOOD "ab"),
    REFUSED("a length beside an encoding",
            "PUT / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" GOOD
            "0\r\n\r\n"),
    REFUSED("unknown encodings",
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked, x\r\n" GOOD "0\r\n\r\n"),
    REFUSED("a length beyond all numbers",
            "PUT / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n" GOOD),
#undef GOOD
#undef REFUSED
};

static enum app_next trial_begin(void *arg, const struct request *req, void **call)
{
    const struct exchange *x =
        (const struct exchange *)((const char *)req - offsetof(struct exchange, req));
    struct trial *t = *call = arg;

    reply_init(&t->reply);
    buf_addf(&t->seen, "%.*s %.*s ", (int)req->method.len, req->method.ptr,
             (int)req->target.len, req->target.ptr);
    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *h = &req->headers[i];

        buf_addf(&t->seen, "%.*s=%.*s ", (int)h->name.len, h->name.ptr, (int)h->value.len,
                 h->value.ptr);
    }
    if (MHD_get_connection_values(x->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0)
        buf_add(&t->seen, STR("and the query taken apart"));
    return APP_WANT_BODY;
}

static enum app_next trial_body(void *call, const char *data, size_t len)
{
    struct trial *t = call;

    buf_add(&t->seen, STR(":"));
    buf_add(&t->seen, str_of(data, len));
    return APP_WANT_BODY;
}

static enum app_next trial_finish(void *call)
{
    (void)call;
    return APP_REPLY;
}

static struct reply *trial_reply(void *call)
{
    return &((struct trial *)call)->reply;
}

static void trial_done(void *call, uint64_t sent, bool aborted)
{
    (void)sent;
    (void)aborted;
    reply_release(&((struct trial *)call)->reply);
}

/* Reads what has come. False: the connection has ended, or asked for a body. */
static bool trial_receive(int fd, bool *asked)
{
    char text[1024];
    ssize_t len = recv(fd, text, sizeof(text), MSG_DONTWAIT);

    if (len < 0)
        return errno == EAGAIN;
    *asked = str_has_prefix(str_of(text, (size_t)len), STR("HTTP/1.1 100"));
    return len > 0 && !*asked;
}

/* False: the library took the request for something else. */
static bool trial_passes(struct trial *t, const struct trial_case *c)
{
    const struct sockaddr addr = {.sa_family = AF_UNIX};
    bool asked = false;
    int fds[2];
    int turns = 0;

    buf_reset(&t->seen);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return false;
    if (send(fds[0], c->sent.ptr, c->sent.len, MSG_NOSIGNAL) < 0) {
        close(fds[1]);
    } else {
        atomic_fetch_add(&t->server.conn_count, 1);
        /* It closes the descriptor when it fails. */
        if (MHD_add_connection(t->server.mhd, fds[1], &addr, sizeof(addr.sa_family)) == MHD_YES)
            while (turns++ < TRIAL_TURNS && MHD_run(t->server.mhd) == MHD_YES &&
                   trial_receive(fds[0], &asked))
                continue;
    }
    close(fds[0]);
    while (t->server.conns && turns++ < 2 * TRIAL_TURNS && MHD_run(t->server.mhd) == MHD_YES)
        continue;
    return turns > 0 && turns <= TRIAL_TURNS && !asked &&
           str_has_prefix(c->seen, buf_str(&t->seen)) &&
           (t->seen.len == c->seen.len || c->may_end_early);
}

static void trial_run(struct trial *t, struct buf *why)
{
    struct MHD_OptionItem options[QUIRKS_OPTIONS];

    quirks_options(options, &t->server);
    t->server.mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL,
        NULL, exchange_handle, &t->server, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!t->server.mhd) {
        buf_addf(why, "cannot start libmicrohttpd %s: %s", MHD_get_version(), strerror(errno));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(trial_cases) && !why->len; i++) {
        if (!trial_passes(t, &trial_cases[i]))
            buf_addf(why,
                     "libmicrohttpd %s does not read requests as 0.9.75 and 1.0 do (%s): it "
                     "would not be safe",
                     MHD_get_version(), trial_cases[i].what);
    }
    MHD_stop_daemon(t->server.mhd);
}

bool quirks_check(struct buf *why)
{
    struct trial *t = xcalloc(1, sizeof(*t));

    buf_init(&t->seen, SEEN_MAX);
    t->mount = (struct http_mount){
        .prefix = STR(""),
        .app = {t, trial_begin, trial_body, trial_finish, trial_reply, trial_done}};
    t->server.mounts = &t->mount;
    t->server.mount_count = 1;
    t->server.header_timeout_ms = t->server.body_timeout_ms = NS_PER_S / NS_PER_MS;
    t->server.is_trial = true;
    pthread_mutex_init(&t->server.lock, NULL);
    trial_run(t, why);
    pthread_mutex_destroy(&t->server.lock);
    buf_release(&t->seen);
    mem_free(t);
    return !why->len;
}
