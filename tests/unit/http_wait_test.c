/* SPDX-License-Identifier: MIT */
/* http_wait_test.c - calls that wait, replies made bit by bit, held back or cut. The
 * application does what the path says:
 *   /wait          until it was woken by wake_waiters    /early       woken before it waits
 *   /sleep/MS      for this time                         /body/MS     after each piece of a
 * body /stream/N      N pieces, each after a wait, length unknown; /known/N: length announced
 *   /follow        a stream without an end               /failed      a stream that breaks off
 *   /slow/RATE/LEN LEN bytes, RATE a second              /cut/HOW/LEN unsent, short or after
 */
#include "http_fixture.h"

#include <pthread.h>
#include <unistd.h>

#define PIECE 1000

struct wait_call {
    struct wait_call *next; /* of those that want to be woken */
    const struct request *req;
    struct reply reply;
    uint64_t number; /* of the path */
    unsigned woken, pieces, turns;
    int64_t due_ns;
    bool follows;
};

static struct fixture *f;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wait_call *waiters;
static atomic_int waiting;

/* ---- application ------------------------------------------------------------------- */

static void wait_to_be_woken(struct wait_call *c)
{
    pthread_mutex_lock(&lock);
    c->next = waiters;
    waiters = c;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&waiting, 1);
}

static void forget(struct wait_call *c)
{
    pthread_mutex_lock(&lock);
    for (struct wait_call **at = &waiters; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* All that wait now, each `times` times. */
static void wake_waiters(int times)
{
    pthread_mutex_lock(&lock);
    for (struct wait_call *c = waiters; c; c = c->next) {
        c->woken++;
        for (int i = 0; i < times; i++)
            c->req->waker->wake(c->req->waker);
    }
    pthread_mutex_unlock(&lock);
}

static bool is_woken(struct wait_call *c)
{
    bool woken;

    pthread_mutex_lock(&lock);
    woken = c->woken > 0;
    pthread_mutex_unlock(&lock);
    return woken;
}

static enum stream_next stream_pieces(void *arg, void *out, size_t max, size_t *len)
{
    struct wait_call *c = arg;
    int64_t now = clock_monotonic_ns();

    if (c->pieces == c->number)
        return STREAM_END;
    if (now < c->due_ns)
        return STREAM_WAIT;
    assert_true(max >= PIECE);
    memset(out, 'a' + (int)(c->pieces % 26), PIECE);
    *len = PIECE;
    c->pieces++;
    c->due_ns = now + 2 * NS_PER_MS;
    c->req->waker->wake_at(c->req->waker, c->due_ns);
    /* Both ways to say that there is something now and more later. */
    return c->pieces % 2 ? STREAM_MORE : STREAM_WAIT;
}

static enum stream_next stream_for_ever(void *arg, void *out, size_t max, size_t *len)
{
    struct wait_call *c = arg;

    if (!c->follows) {
        c->follows = true;
        wait_to_be_woken(c);
        memcpy(out, "hello\n", 6);
        *len = 6;
        return STREAM_MORE;
    }
    pthread_mutex_lock(&lock);
    for (; c->woken > 0 && *len + 5 <= max; c->woken--, *len += 5)
        memcpy((char *)out + *len, "tick\n", 5);
    pthread_mutex_unlock(&lock);
    return *len > 0 ? STREAM_MORE : STREAM_WAIT;
}

static enum stream_next stream_broken(void *arg, void *out, size_t max, size_t *len)
{
    struct wait_call *c = arg;

    if (c->pieces++)
        return STREAM_FAILED;
    *len = max < PIECE ? max : PIECE;
    memset(out, 'x', *len);
    return STREAM_MORE;
}

static void answer_cut(struct wait_call *c)
{
    char how[16];
    unsigned len = 0;

    assert_int_equal(sscanf(c->req->path.ptr, "/cut/%15[a-z]/%u", how, &len), 2);
    c->reply.cut = strcmp(how, "unsent") == 0  ? REPLY_UNSENT
                   : strcmp(how, "short") == 0 ? REPLY_CUT_SHORT
                                               : REPLY_CUT_AFTER;
    for (unsigned i = 0; i < len; i++)
        buf_add_char(&c->reply.text, 'c');
}

static void answer_slow(struct wait_call *c)
{
    unsigned rate = 0, len = 0;
    static char bytes[200000];

    assert_int_equal(sscanf(c->req->path.ptr, "/slow/%u/%u", &rate, &len), 2);
    c->reply.bytes_per_s = rate;
    c->reply.slices = xcalloc(2, sizeof(*c->reply.slices));
    c->reply.slices[0] = (struct slice){bytes, len / 3};
    c->reply.slices[1] = (struct slice){bytes, len - len / 3};
    c->reply.slice_count = 2;
    c->reply.slices_len = len;
}

static bool path_number(struct wait_call *c, const char *prefix)
{
    return str_has_prefix(c->req->path, str_c(prefix)) &&
           str_to_u64(str_from(c->req->path, strlen(prefix)), &c->number);
}

static enum app_next wait_begin(void *arg, const struct request *req, void **call)
{
    struct wait_call *c = xcalloc(1, sizeof(*c));

    (void)arg;
    *call = c;
    c->req = req;
    reply_init(&c->reply);
    atomic_fetch_add(&counts.begun, 1);
    return APP_WANT_BODY;
}

static enum app_next wait_body(void *call, const char *data, size_t len)
{
    struct wait_call *c = call;

    (void)data;
    atomic_fetch_add(&counts.body_bytes, len);
    if (!path_number(c, "/body/"))
        return APP_WANT_BODY;
    c->turns++;
    c->req->waker->wake_at(c->req->waker,
                           clock_monotonic_ns() + (int64_t)c->number * NS_PER_MS);
    return APP_WAIT;
}

static enum app_next wait_for_it(struct wait_call *c)
{
    struct waker *waker = c->req->waker;

    if (str_eq(c->req->path, STR("/wait"))) {
        if (c->turns++ == 0)
            wait_to_be_woken(c);
        return is_woken(c) ? APP_REPLY : APP_WAIT;
    }
    if (str_eq(c->req->path, STR("/early"))) {
        if (c->turns++ > 2)
            return APP_REPLY;
        waker->wake(waker);
        return APP_WAIT;
    }
    if (path_number(c, "/sleep/")) {
        if (!c->due_ns)
            c->due_ns = clock_monotonic_ns() + (int64_t)c->number * NS_PER_MS;
        if (clock_monotonic_ns() >= c->due_ns)
            return APP_REPLY;
        waker->wake_at(waker, c->due_ns);
        return APP_WAIT;
    }
    return APP_REPLY;
}

static enum app_next wait_finish(void *call)
{
    struct wait_call *c = call;

    if (wait_for_it(c) == APP_WAIT)
        return APP_WAIT;
    atomic_fetch_add(&counts.finished, 1);
    c->reply.stream_arg = c;
    if (path_number(c, "/known/"))
        c->reply.content_length = c->number * PIECE;
    if (path_number(c, "/stream/") || path_number(c, "/known/"))
        c->reply.stream = stream_pieces;
    else if (str_eq(c->req->path, STR("/follow")))
        c->reply.endless = true, c->reply.stream = stream_for_ever;
    else if (str_eq(c->req->path, STR("/failed")))
        c->reply.stream = stream_broken;
    else if (str_has_prefix(c->req->path, STR("/slow/")))
        answer_slow(c);
    else if (str_has_prefix(c->req->path, STR("/cut/")))
        answer_cut(c);
    else
        buf_addf(&c->reply.text, "done after %u", c->turns);
    return APP_REPLY;
}

static struct reply *wait_reply(void *call)
{
    return &((struct wait_call *)call)->reply;
}

static void wait_done(void *call, uint64_t sent, bool aborted)
{
    struct wait_call *c = call;

    forget(c);
    reply_release(&c->reply);
    mem_free(c);
    atomic_fetch_add(&counts.sent, sent);
    atomic_fetch_add(&counts.aborted, aborted);
    atomic_fetch_add(&counts.done, 1);
}

static int start(void **state)
{
    static const struct http_mount mounts[] = {
        {.prefix = STR(""),
         .app = {NULL, wait_begin, wait_body, wait_finish, wait_reply, wait_done}}};

    (void)state;
    waiters = NULL;
    atomic_store(&waiting, 0);
    f = fixture_start_app(mounts, ARRAY_LEN(mounts));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_stop(f);
    return 0;
}

/* ---- client ------------------------------------------------------------------------ */

static void get(int fd, const char *path)
{
    char request[256];

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    client_send(fd, request);
}

static double ms_since(int64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / NS_PER_MS;
}

/* Everything up to the end of the connection. */
static size_t read_to_end(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    return len;
}

static void expect_body(int fd, const char *body)
{
    struct answer a;

    client_read(fd, &a, false);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, body);
    client_free(&a);
}

/* ---- waiting ----------------------------------------------------------------------- */

static void test_woken_by_another_thread(void **state)
{
    int fds[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = client_connect(f);
        get(fds[i], "/wait");
    }
    wait_for(&waiting, ARRAY_LEN(fds));
    assert_int_equal(counts.finished, 0);
    assert_int_equal(http_server_active(f->server), ARRAY_LEN(fds));
    wake_waiters(3);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct answer a;

        client_read(fds[i], &a, false);
        assert_int_equal(a.status, 200);
        client_free(&a);
        close(fds[i]);
    }
}

/* One connection, thousands of waits: each is woken at a moment of its own. */
static void *wake_all_the_time(void *arg)
{
    atomic_bool *ended = arg;

    while (!atomic_load(ended))
        wake_waiters(1);
    return NULL;
}

static void test_no_wake_is_lost(void **state)
{
    atomic_bool ended = false;
    pthread_t thread;
    int fd = client_connect(f);

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wake_all_the_time, &ended), 0);
    for (int i = 0; i < 2000; i++) {
        struct answer a;

        get(fd, "/wait");
        client_read(fd, &a, false);
        assert_int_equal(a.status, 200);
        client_free(&a);
    }
    atomic_store(&ended, true);
    pthread_join(thread, NULL);
    close(fd);
}

static void test_woken_before_it_waits(void **state)
{
    int fd = client_connect(f);

    (void)state;
    get(fd, "/early");
    expect_body(fd, "done after 4");
    get(fd, "/early");
    expect_body(fd, "done after 4");
    close(fd);
}

static void test_times(void **state)
{
    static const char *const paths[] = {"/sleep/90", "/sleep/30", "/sleep/60"};
    static const size_t order[] = {1, 2, 0};
    int64_t start_ns = clock_monotonic_ns();
    int fds[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_connect(f);
        get(fds[i], paths[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        double due = 30.0 * (double)(i + 1);
        struct answer a;

        client_read(fds[order[i]], &a, false);
        assert_true(ms_since(start_ns) >= due);
        client_free(&a);
        close(fds[order[i]]);
    }
}

static void test_short_times(void **state)
{
    int fd = client_connect(f);
    double shortest_ms = WAIT_MS;

    (void)state;
    for (int i = 0; i < 50; i++) {
        int64_t start_ns = clock_monotonic_ns();
        struct answer a;

        get(fd, "/sleep/2");
        client_read(fd, &a, false);
        client_free(&a);
        assert_true(ms_since(start_ns) >= 2);
        if (ms_since(start_ns) < shortest_ms)
            shortest_ms = ms_since(start_ns);
    }
    /* Other programs run, too, but not always. */
    assert_true(shortest_ms < 100);
    close(fd);
}

/* The next request on the connection is served after the one that waits. */
static void test_pipelined(void **state)
{
    int fd = client_connect(f);

    (void)state;
    client_send(fd,
                "GET /sleep/50 HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_body(fd, "done after 0");
    expect_body(fd, "done after 0");
    close(fd);
}

static void test_body_waits(void **state)
{
    static char piece[60000];
    int64_t start_ns;
    int fd = client_connect(f);
    struct answer a;
    unsigned turns;

    (void)state;
    memset(piece, 'b', sizeof(piece));
    start_ns = clock_monotonic_ns();
    client_send(fd, "PUT /body/20 HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
    for (int i = 0; i < 5; i++)
        client_send_bytes(fd, piece, sizeof(piece));
    client_read(fd, &a, false);
    assert_int_equal(sscanf(a.body, "done after %u", &turns), 1);
    assert_true(turns >= 5);
    assert_true(ms_since(start_ns) >= 20.0 * (turns - 1));
    assert_int_equal(counts.body_bytes, 300000);
    client_free(&a);

    /* Chunked, several chunks in one piece of the network. */
    client_send(fd, "PUT /body/10 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n3\r\ndef\r\n3\r\nghi\r\n0\r\n\r\n");
    client_read(fd, &a, false);
    assert_int_equal(a.status, 200);
    assert_int_equal(counts.body_bytes, 300009);
    client_free(&a);
    close(fd);
}

static void test_leavers_are_noticed(void **state)
{
    static const char *const paths[] = {"/wait", "/sleep/60000", "/follow"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        int fd = client_connect(f);

        get(fd, paths[i]);
        wait_for(&counts.begun, (int)i + 1);
        usleep(20000);
        close(fd);
        wait_for(&counts.done, (int)i + 1);
        assert_int_equal(counts.aborted, (int)i + 1);
    }
}

/* ---- streams ----------------------------------------------------------------------- */

static void test_streams(void **state)
{
    static char all[32768];
    int fd = client_connect(f);
    struct answer a;
    size_t len;

    (void)state;
    get(fd, "/known/5");
    client_read(fd, &a, false);
    assert_int_equal(a.body_len, 5 * PIECE);
    assert_int_equal(a.body[0], 'a');
    assert_int_equal(a.body[5 * PIECE - 1], 'e');
    client_free(&a);
    client_send(fd, "HEAD /known/5 HTTP/1.1\r\nHost: h\r\n\r\n");
    client_read(fd, &a, true);
    assert_string_equal(client_header(&a, "Content-Length"), "5000");
    client_free(&a);
    get(fd, "/known/0");
    expect_body(fd, "");
    client_send(fd, "GET /stream/5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    len = read_to_end(fd, all, sizeof(all));
    assert_non_null(strstr(all, "Transfer-Encoding: chunked"));
    assert_true(len > 5 * PIECE);
    assert_memory_equal(all + len - 5, "0\r\n\r\n", 5);
    close(fd);
    wait_for(&counts.done, 4);
    assert_int_equal(counts.sent, 10 * PIECE);

    /* HTTP/1.0: the end of the connection is the end of the body. */
    fd = client_connect(f);
    client_send(fd, "GET /stream/3 HTTP/1.0\r\n\r\n");
    len = read_to_end(fd, all, sizeof(all));
    assert_null(strstr(all, "chunked"));
    assert_int_equal(len - (size_t)(strstr(all, "\r\n\r\n") + 4 - all), 3 * PIECE);
    close(fd);
}

static void read_text(int fd, const char *text)
{
    char got[256];
    size_t len = 0;

    while (len < strlen(text)) {
        ssize_t n = read(fd, got + len, strlen(text) - len);

        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_memory_equal(got, text, strlen(text));
}

static void test_a_stream_that_follows(void **state)
{
    int fd = client_connect(f);
    char head[512];
    size_t len = 0;

    (void)state;
    get(fd, "/follow");
    while (len == 0 || !strstr(head, "\r\n\r\n")) {
        assert_int_equal(read(fd, head + len, 1), 1);
        head[++len] = '\0';
    }
    read_text(fd, "6\r\nhello\n\r\n");
    for (int i = 0; i < 20; i++) {
        wake_waiters(1);
        read_text(fd, "5\r\ntick\n\r\n");
    }
    /* Stopping ends it, as a whole. */
    http_server_quiesce(f->server);
    read_text(fd, "0\r\n\r\n");
    wait_for(&counts.done, 1);
    assert_int_equal(counts.aborted, 0);
    close(fd);
}

static void test_a_stream_that_fails(void **state)
{
    char all[8192];
    int fd = client_connect(f);
    size_t len;

    (void)state;
    get(fd, "/failed");
    len = read_to_end(fd, all, sizeof(all));
    assert_true(len > PIECE);
    assert_memory_not_equal(all + len - 5, "0\r\n\r\n", 5);
    close(fd);
    wait_for(&counts.aborted, 1);
}

/* ---- held back and cut ------------------------------------------------------------- */

static void test_slow_replies(void **state)
{
    int64_t start_ns = clock_monotonic_ns();
    int fd = client_connect(f);
    struct answer a;

    (void)state;
    get(fd, "/slow/100000/30000");
    client_read(fd, &a, false);
    assert_int_equal(a.body_len, 30000);
    assert_true(ms_since(start_ns) >= 200);
    client_free(&a);
    get(fd, "/slow/1000000000/200000");
    client_read(fd, &a, false);
    assert_int_equal(a.body_len, 200000);
    client_free(&a);
    close(fd);
}

static void test_cuts(void **state)
{
    static char all[32768];
    char *body;
    int fd = client_connect(f);

    (void)state;
    get(fd, "/cut/unsent/100");
    assert_int_equal(read_to_end(fd, all, sizeof(all)), 0);
    close(fd);
    wait_for(&counts.aborted, 1);

    fd = client_connect(f);
    get(fd, "/cut/short/10000");
    read_to_end(fd, all, sizeof(all));
    assert_non_null(strstr(all, "Content-Length: 10000\r\n"));
    body = strstr(all, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), 5000);
    close(fd);
    wait_for(&counts.aborted, 2);

    /* Nothing to cut in its middle. */
    fd = client_connect(f);
    get(fd, "/cut/short/0");
    assert_int_equal(read_to_end(fd, all, sizeof(all)), 0);
    close(fd);
    wait_for(&counts.aborted, 3);

    fd = client_connect(f);
    get(fd, "/cut/after/10");
    read_to_end(fd, all, sizeof(all));
    assert_null(strstr(all, "close"));
    assert_non_null(strstr(all, "\r\n\r\ncccccccccc"));
    close(fd);
    wait_for(&counts.done, 4);
    assert_int_equal(counts.aborted, 3);
}

/* ---- stopping ---------------------------------------------------------------------- */

static void test_waits_go_on_while_it_drains(void **state)
{
    int fd = client_connect(f);

    (void)state;
    get(fd, "/sleep/100");
    wait_for(&counts.begun, 1);
    http_server_quiesce(f->server);
    expect_body(fd, "done after 0");
    close(fd);
}

static void test_stop_cuts_those_that_wait(void **state)
{
    static const char *const paths[] = {"/wait", "/sleep/60000", "/follow", "/slow/100/10000"};
    int fds[40];

    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
            fds[i] = client_connect(f);
            get(fds[i], paths[i % ARRAY_LEN(paths)]);
        }
        /* At any moment of their beginning. */
        usleep((useconds_t)round * 2000);
        fixture_stop(f);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
            close(fds[i]);
        start(state);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_woken_by_another_thread),
        CASE(test_no_wake_is_lost),
        CASE(test_woken_before_it_waits),
        CASE(test_times),
        CASE(test_short_times),
        CASE(test_pipelined),
        CASE(test_body_waits),
        CASE(test_leavers_are_noticed),
        CASE(test_streams),
        CASE(test_a_stream_that_follows),
        CASE(test_a_stream_that_fails),
        CASE(test_slow_replies),
        CASE(test_cuts),
        CASE(test_waits_go_on_while_it_drains),
        CASE(test_stop_cuts_those_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
