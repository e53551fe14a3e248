/* SPDX-License-Identifier: MIT */
/* http_fixture.c - the application answers by the path:
 *   /refuse       in begin, 403               /refuse-body   in the first body(), 400
 *   /echo         "METHOD TARGET BYTES"       /slices/N/LEN  N slices of LEN bytes
 *   /head/N       a HEAD that announces N     /header        a header with an empty value
 *   /204, /304    those statuses                 /burn          20 ms of CPU time in finish */
#include "http_fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct counts counts;

/* ---- application ------------------------------------------------------------------- */

struct test_call {
    const struct request *req;
    struct reply reply;
    uint64_t bytes;
};

static void release_slices(void *arg)
{
    atomic_fetch_add(&counts.released, 1);
    mem_free(arg);
}

static void answer_slices(struct test_call *c)
{
    unsigned n = 0, len = 0;
    char *memory;

    assert_int_equal(sscanf(c->req->path.ptr, "/slices/%u/%u", &n, &len), 2);
    memory = xmalloc(len);
    memset(memory, 's', len);
    c->reply.slices = xcalloc(n, sizeof(*c->reply.slices));
    for (unsigned i = 0; i < n; i++)
        c->reply.slices[i] = (struct slice){memory, len};
    c->reply.slice_count = n;
    c->reply.slices_len = (uint64_t)n * len;
    c->reply.release = release_slices;
    c->reply.release_arg = memory;
}

static void burn_ms(unsigned ms)
{
    struct timespec t;
    int64_t end = -1, now;

    do {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        now = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
        end = end < 0 ? now + ms * NS_PER_MS : end;
    } while (now < end);
}

static void answer(struct test_call *c)
{
    const struct request *req = c->req;

    if (str_has_prefix(req->path, STR("/slices/"))) {
        answer_slices(c);
    } else if (str_has_prefix(req->path, STR("/head/"))) {
        c->reply.no_body = true;
        assert_true(str_to_u64(str_from(req->path, 6), &c->reply.content_length));
    } else if (str_eq(req->path, STR("/burn"))) {
        burn_ms(20);
    } else if (str_has_prefix(req->path, STR("/header"))) {
        reply_header(&c->reply, "x-amz-meta-empty", STR(""));
        reply_header(&c->reply, "x-amz-meta-full", STR("v"));
    } else if (str_eq(req->path, STR("/204")) || str_eq(req->path, STR("/304"))) {
        c->reply.status = req->path.ptr[1] == '2' ? 204 : 304;
        c->reply.no_body = true;
    } else {
        buf_addf(&c->reply.text, "%.*s %.*s %llu", (int)req->method.len, req->method.ptr,
                 (int)req->target.len, req->target.ptr, (unsigned long long)c->bytes);
    }
}

static enum app_next test_begin(void *arg, const struct request *req, void **call)
{
    struct test_call *c = xcalloc(1, sizeof(*c));

    (void)arg;
    *call = c;
    c->req = req;
    reply_init(&c->reply);
    atomic_fetch_add(&counts.begun, 1);
    if (!str_eq(req->path, STR("/refuse")))
        return APP_WANT_BODY;
    c->reply.status = 403;
    buf_add(&c->reply.text, STR("refused"));
    return APP_REPLY;
}

static enum app_next test_body(void *call, const char *data, size_t len)
{
    struct test_call *c = call;

    (void)data;
    c->bytes += len;
    atomic_fetch_add(&counts.body_bytes, len);
    if (!str_eq(c->req->path, STR("/refuse-body")))
        return APP_WANT_BODY;
    c->reply.status = 400;
    buf_add(&c->reply.text, STR("bad body"));
    return APP_REPLY;
}

static enum app_next test_finish(void *call)
{
    atomic_fetch_add(&counts.finished, 1);
    answer(call);
    return APP_REPLY;
}

static struct reply *test_reply(void *call)
{
    return &((struct test_call *)call)->reply;
}

static void test_done(void *call, uint64_t sent, bool aborted)
{
    struct test_call *c = call;

    reply_release(&c->reply);
    mem_free(c);
    atomic_fetch_add(&counts.sent, sent);
    atomic_fetch_add(&counts.aborted, aborted);
    atomic_fetch_add(&counts.done, 1);
}

/* ---- server ------------------------------------------------------------------------ */

static struct fixture *start(const struct http_mount *mounts, size_t mount_count,
                             struct http_options options)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    AUTO_BUF(why, KiB(4));

    counts = (struct counts){0};
    assert_int_equal(http_listen(&f->listeners, STR("127.0.0.1:0"), &why), HTTP_LISTEN_OK);
    options.listeners = &f->listeners;
    options.mounts = mounts;
    options.mount_count = mount_count;
    options.threads = 2;
    options.idle_timeout_ms = NEVER_MS;
    options.turns = f->turns = turns_new();
    f->server = http_server_start(&options, &why);
    assert_non_null(f->server);
    return f;
}

struct fixture *fixture_start(int64_t header_timeout_ms, int64_t body_timeout_ms,
                              unsigned connection_limit)
{
    static const struct http_mount mounts[] = {
        {.prefix = STR("/nowhere/")},
        {.prefix = STR(""),
         .app = {NULL, test_begin, test_body, test_finish, test_reply, test_done}},
    };

    return start(mounts, ARRAY_LEN(mounts),
                 (struct http_options){.connection_limit = connection_limit,
                                       .header_timeout_ms = header_timeout_ms,
                                       .body_timeout_ms = body_timeout_ms});
}

struct fixture *fixture_start_app(const struct http_mount *mounts, size_t mount_count)
{
    return start(mounts, mount_count,
                 (struct http_options){.connection_limit = 512,
                                       .header_timeout_ms = NEVER_MS,
                                       .body_timeout_ms = NEVER_MS});
}

void fixture_stop(struct fixture *f)
{
    http_server_free(f->server);
    http_listeners_close(&f->listeners);
    turns_free(f->turns);
    mem_free(f);
    assert_int_equal(counts.begun, counts.done);
}

/* ---- client ------------------------------------------------------------------------ */

int client_connect(const struct fixture *f)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int fd;

    assert_return_code(getsockname(f->listeners.items[0].fd, (struct sockaddr *)&addr, &len),
                       errno);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(connect(fd, (struct sockaddr *)&addr, len), errno);
    return fd;
}

void client_send_bytes(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        assert_true(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

void client_send(int fd, const char *text)
{
    client_send_bytes(fd, text, strlen(text));
}

static size_t receive(int fd, void *out, size_t len)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    n = recv(fd, out, len, 0);
    assert_true(n > 0);
    return (size_t)n;
}

const char *client_header(const struct answer *a, const char *name)
{
    static char value[4096];
    struct str rest = str_c(a->head), line;

    while (str_split(&rest, '\n', &line)) {
        size_t colon = str_find_char(line, ':');

        if (colon == SIZE_MAX || !str_eq_nocase(str_of(line.ptr, colon), str_c(name)))
            continue;
        line = str_from(line, colon + 1);
        while (line.len && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
            line.len--;
        line = str_trim(line);
        snprintf(value, sizeof(value), "%.*s", (int)line.len, line.ptr);
        return value;
    }
    return NULL;
}

void client_read(int fd, struct answer *a, bool bodyless)
{
    const char *length;
    uint64_t body_len = 0;
    size_t len = 0;

    memset(a, 0, sizeof(*a));
    while (len < 4 || memcmp(a->head + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len < sizeof(a->head) - 1);
        len += receive(fd, a->head + len, 1);
    }
    assert_int_equal(sscanf(a->head, "HTTP/1.1 %u", &a->status), 1);
    length = client_header(a, "Content-Length");
    if (length)
        assert_true(str_to_u64(str_c(length), &body_len));
    if (bodyless)
        body_len = 0;
    a->body = xcalloc(1, body_len + 1);
    while (a->body_len < body_len)
        a->body_len += receive(fd, a->body + a->body_len, body_len - a->body_len);
}

void client_free(struct answer *a)
{
    mem_free(a->body);
    a->body = NULL;
}

bool client_sees_end(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char some[1024];

    while (poll(&p, 1, timeout_ms) == 1) {
        if (recv(fd, some, sizeof(some), 0) <= 0)
            return true;
    }
    return false;
}

void wait_for(atomic_int *counter, int n)
{
    for (int i = 0; i < WAIT_MS / 10 && atomic_load(counter) < n; i++)
        usleep(10000);
    assert_true(atomic_load(counter) >= n);
}
