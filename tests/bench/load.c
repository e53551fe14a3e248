/* SPDX-License-Identifier: MIT */
/* load.c - a load client that is never the bottleneck: keep-alive connections on epoll,
 * requests rendered (and signed) before the clock starts, replies skipped by Content-Length.
 *
 *   load --port P --method GET --path /bucket/key-%u --keys 1000 --connections 32 --seconds 3
 *
 * It never sleeps: a server that answers faster than its client asks would find it awake, a
 * slower one would have to wake it for each reply, and be charged for that.
 *
 * %u in the path is replaced by 0..keys-1, round robin. Prints one JSON object. Signed requests
 * use SigV4 with the payload's hash, which is what SDKs do over plain HTTP. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "app/app.h"

#define LATENCIES_MAX (1u << 20)
#define READ_SIZE     KiB(256)
#define STUCK_NS      (10 * NS_PER_S) /* so long without a byte: the server hangs */

struct options {
    int port;
    const char *method, *path, *access_key, *secret_key, *header;
    unsigned keys, connections, threads;
    double seconds;
    uint64_t requests; /* stop after that many; 0: after seconds */
    size_t size;       /* body bytes of each request */
};

struct plan { /* read-only while the load runs */
    struct options o;
    struct str *heads; /* rendered request heads, one a key */
    char *body;
};

struct conn {
    int fd;
    size_t sent; /* of head + body */
    const struct str *head;
    char *in; /* reply head being collected */
    size_t in_len;
    uint64_t body_left;
    bool in_body, ok;
    bool closes; /* the server closes the connection after this reply */
    int64_t started_ns;
};

struct worker {
    pthread_t thread;
    const struct plan *plan;
    unsigned connections, first_key;
    uint64_t done, errors, bytes_in;
    uint32_t *latencies_us;
    size_t latency_count;
    int64_t deadline_ns;
    uint64_t budget; /* requests left to start; UINT64_MAX without a limit */
};

/* ---- rendering --------------------------------------------------------------------- */

static void sign(const struct options *o, struct buf *head, struct str path, struct str query,
                 struct str payload_hash)
{
    char date[AMZ_DATE_SIZE];
    uint8_t key[SHA256_SIZE], digest[SHA256_SIZE];
    clock_format_amz(clock_now_ns(), date);
    AUTO_BUF(canonical, KiB(16));
    buf_addf(&canonical,
             "%s\n%.*s\n%.*s\nhost:127.0.0.1:%d\nx-amz-content-sha256:%.*s\n"
             "x-amz-date:%s\n\nhost;x-amz-content-sha256;x-amz-date\n%.*s",
             o->method, (int)path.len, path.ptr, (int)query.len, query.ptr ? query.ptr : "",
             o->port, (int)payload_hash.len, payload_hash.ptr, date, (int)payload_hash.len,
             payload_hash.ptr);
    sha256_once(buf_str(&canonical), digest);
    AUTO_BUF(text, KiB(1));
    buf_addf(&text, "AWS4-HMAC-SHA256\n%s\n%.8s/us-east-1/s3/aws4_request\n", date, date);
    buf_add_hex(&text, str_of((char *)digest, SHA256_SIZE));
    AUTO_BUF(secret, 256);
    buf_addf(&secret, "AWS4%s", o->secret_key);
    hmac_sha256(buf_str(&secret), str_of(date, 8), key);
    hmac_sha256(str_of((char *)key, SHA256_SIZE), STR("us-east-1"), key);
    hmac_sha256(str_of((char *)key, SHA256_SIZE), STR("s3"), key);
    hmac_sha256(str_of((char *)key, SHA256_SIZE), STR("aws4_request"), key);
    hmac_sha256(str_of((char *)key, SHA256_SIZE), buf_str(&text), digest);
    buf_addf(
        head,
        "x-amz-date: %s\r\nx-amz-content-sha256: %.*s\r\nAuthorization: AWS4-HMAC-SHA256 "
        "Credential=%s/%.8s/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;"
        "x-amz-date, Signature=",
        date, (int)payload_hash.len, payload_hash.ptr, o->access_key, date);
    buf_add_hex(head, str_of((char *)digest, SHA256_SIZE));
    buf_add(head, STR("\r\n"));
}

static struct str render(const struct options *o, unsigned index, struct str payload_hash)
{
    AUTO_BUF(target, KiB(4));
    const char *percent = strstr(o->path, "%u");
    if (percent)
        buf_addf(&target, "%.*s%u%s", (int)(percent - o->path), o->path, index, percent + 2);
    else
        buf_add_c(&target, o->path);
    struct str path = buf_str(&target), query = STR_NONE;
    size_t mark = str_find_char(path, '?');
    if (mark != SIZE_MAX) {
        query = str_from(path, mark + 1);
        path.len = mark;
    }
    AUTO_BUF(head, KiB(16));
    buf_addf(&head, "%s %.*s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", o->method, (int)target.len,
             target.ptr, o->port);
    if (o->size || strcmp(o->method, "PUT") == 0)
        buf_addf(&head, "Content-Length: %zu\r\n", o->size);
    if (o->header)
        buf_addf(&head, "%s\r\n", o->header);
    if (o->access_key)
        sign(o, &head, path, query, payload_hash);
    buf_add(&head, STR("\r\n"));
    return str_of(xstrndup(buf_str(&head)), head.len);
}

static void plan_init(struct plan *p, const struct options *o)
{
    uint8_t digest[SHA256_SIZE];
    p->o = *o;
    p->body = xmalloc(o->size + 1);
    for (size_t i = 0; i < o->size; i++)
        p->body[i] = (char)('a' + i % 26);
    sha256_once(str_of(p->body, o->size), digest);
    AUTO_BUF(hash, 128);
    buf_add_hex(&hash, str_of((char *)digest, SHA256_SIZE));
    p->heads = xcalloc(o->keys, sizeof(*p->heads));
    for (unsigned i = 0; i < o->keys; i++)
        p->heads[i] = render(o, i, buf_str(&hash));
}

/* ---- one connection ---------------------------------------------------------------- */

static void conn_open(struct conn *c, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("load: connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static bool conn_start(struct worker *w, struct conn *c)
{
    if (!w->budget || clock_monotonic_ns() >= w->deadline_ns)
        return false;
    if (w->budget != UINT64_MAX)
        w->budget--;
    c->head = &w->plan->heads[w->first_key++ % w->plan->o.keys];
    c->sent = c->in_len = 0;
    c->in_body = c->closes = false;
    c->started_ns = clock_monotonic_ns();
    return true;
}

/* False when the connection broke. */
static bool conn_send(const struct plan *p, struct conn *c)
{
    size_t total = c->head->len + p->o.size;
    while (c->sent < total) {
        struct iovec iov[2];
        int n = 0;
        if (c->sent < c->head->len)
            iov[n++] = (struct iovec){(char *)c->head->ptr + c->sent, c->head->len - c->sent};
        size_t body = c->sent > c->head->len ? c->sent - c->head->len : 0;
        if (body < p->o.size)
            iov[n++] = (struct iovec){p->body + body, p->o.size - body};
        ssize_t wrote = writev(c->fd, iov, n);
        if (wrote < 0)
            return errno == EAGAIN;
        c->sent += (size_t)wrote;
    }
    return true;
}

/* Value of a reply's header; STR_NONE when it has none. */
static struct str reply_field(struct str head, struct str name)
{
    struct str line;
    while (str_split(&head, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (colon == name.len && str_has_prefix_nocase(line, name))
            return str_trim(str_of(line.ptr + colon + 1, line.len - colon - 2)); /* no CR */
    }
    return STR_NONE;
}

static uint64_t reply_length(struct str head)
{
    uint64_t length;
    return str_to_u64(reply_field(head, STR("content-length")), &length) ? length : 0;
}

static void reply_done(struct worker *w, struct conn *c)
{
    w->done++;
    w->errors += !c->ok;
    if (w->latency_count < LATENCIES_MAX)
        w->latencies_us[w->latency_count++] =
            (uint32_t)((clock_monotonic_ns() - c->started_ns) / 1000);
}

/* Consumes reply bytes; true when the reply is complete. */
static bool reply_feed(struct worker *w, struct conn *c, const char *data, size_t len)
{
    w->bytes_in += len;
    if (!c->in_body) {
        size_t room = KiB(16) - c->in_len, take = len < room ? len : room;
        memcpy(c->in + c->in_len, data, take);
        c->in_len += take;
        size_t end = str_find(str_of(c->in, c->in_len), STR("\r\n\r\n"));
        if (end == SIZE_MAX)
            return false;
        c->ok = c->in_len > 9 && c->in[9] == '2';
        c->in_body = true;
        struct str head = str_of(c->in, end + 2);
        c->closes = str_eq_nocase(reply_field(head, STR("connection")), STR("close"));
        c->body_left = strcmp(w->plan->o.method, "HEAD") == 0 ? 0 : reply_length(head);
        size_t in_this = c->in_len - (end + 4) + (len - take);
        c->body_left -= in_this < c->body_left ? in_this : c->body_left;
        return c->body_left == 0;
    }
    c->body_left -= len < c->body_left ? len : c->body_left;
    return c->body_left == 0;
}

/* ---- the loop ---------------------------------------------------------------------- */

static void conn_reopen(int epoll, struct conn *c, int port)
{
    close(c->fd);
    conn_open(c, port);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

/* Returns false when this connection has nothing left to do. */
static bool conn_turn(struct worker *w, int epoll, struct conn *c, char *scratch)
{
    for (;;) {
        if (!conn_send(w->plan, c))
            conn_reopen(epoll, c, w->plan->o.port);
        ssize_t got = recv(c->fd, scratch, READ_SIZE, 0);
        if (got < 0 && errno == EAGAIN)
            return true;
        bool lost = got <= 0;
        if (!lost && !reply_feed(w, c, scratch, (size_t)got))
            continue;
        if (lost)
            w->errors++;
        else
            reply_done(w, c);
        if (lost || c->closes)
            conn_reopen(epoll, c, w->plan->o.port);
        if (!conn_start(w, c))
            return false;
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct conn *conns = xcalloc(w->connections, sizeof(*conns));
    char *scratch = xmalloc(READ_SIZE);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    unsigned active = 0;
    for (unsigned i = 0; i < w->connections; i++) {
        conns[i].in = xmalloc(KiB(16));
        conn_open(&conns[i], w->plan->o.port);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};
        if (conn_start(w, &conns[i])) {
            epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &ev);
            active++;
        }
    }
    int64_t last_event_ns = clock_monotonic_ns();
    while (active) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, 0);
        if (n == 0) {
            if (clock_monotonic_ns() - last_event_ns > STUCK_NS)
                break;
            continue;
        }
        last_event_ns = clock_monotonic_ns();
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (c->fd >= 0 && !conn_turn(w, epoll, c, scratch)) {
                close(c->fd);
                c->fd = -1;
                active--;
            }
        }
    }
    w->errors += active;
    return NULL;
}

/* ---- main -------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct worker *workers, unsigned count, double seconds)
{
    uint64_t done = 0, errors = 0, bytes = 0;
    uint32_t *all = xmalloc(sizeof(*all) * (size_t)LATENCIES_MAX * count);
    size_t n = 0;
    for (unsigned i = 0; i < count; i++) {
        done += workers[i].done;
        errors += workers[i].errors;
        bytes += workers[i].bytes_in;
        memcpy(all + n, workers[i].latencies_us, workers[i].latency_count * sizeof(*all));
        n += workers[i].latency_count;
    }
    qsort(all, n, sizeof(*all), by_value);
    printf("{\"requests\":%llu,\"errors\":%llu,\"seconds\":%.4f,\"rps\":%.1f,\"bytes_in\":%llu,"
           "\"p50_us\":%u,\"p99_us\":%u}\n",
           (unsigned long long)done, (unsigned long long)errors, seconds,
           (double)done / seconds, (unsigned long long)bytes, n ? all[n / 2] : 0,
           n ? all[n * 99 / 100] : 0);
}

static void usage(void)
{
    fputs("usage: load --port P [--method M] [--path PATH] [--keys N] [--connections N]\n"
          "            [--threads N] [--seconds S | --requests N] [--size BYTES]\n"
          "            [--header 'Name: value'] [--access-key K --secret-key S]\n",
          stderr);
    exit(2);
}

static unsigned number(const char *text)
{
    uint64_t v;
    if (!str_to_u64(str_c(text), &v) || v > INT32_MAX)
        usage();
    return (unsigned)v;
}

static void read_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {{"port", 1, NULL, 'p'},
                                          {"method", 1, NULL, 'm'},
                                          {"path", 1, NULL, 'u'},
                                          {"keys", 1, NULL, 'k'},
                                          {"connections", 1, NULL, 'c'},
                                          {"threads", 1, NULL, 't'},
                                          {"seconds", 1, NULL, 's'},
                                          {"requests", 1, NULL, 'n'},
                                          {"size", 1, NULL, 'b'},
                                          {"access-key", 1, NULL, 'a'},
                                          {"secret-key", 1, NULL, 'x'},
                                          {"header", 1, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int opt;
    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (opt) {
        case 'p':
            o->port = (int)number(optarg);
            break;
        case 'm':
            o->method = optarg;
            break;
        case 'u':
            o->path = optarg;
            break;
        case 'k':
            o->keys = number(optarg);
            break;
        case 'c':
            o->connections = number(optarg);
            break;
        case 't':
            o->threads = number(optarg);
            break;
        case 's':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            o->requests = number(optarg);
            break;
        case 'b':
            o->size = number(optarg);
            break;
        case 'a':
            o->access_key = optarg;
            break;
        case 'x':
            o->secret_key = optarg;
            break;
        case 'h':
            o->header = optarg;
            break;
        default:
            usage();
        }
    }
    if (!o->port || !o->keys || !o->connections || !o->threads ||
        (o->access_key && !o->secret_key))
        usage();
}

int main(int argc, char **argv)
{
    struct plan plan;
    struct options o = {
        .method = "GET", .path = "/", .keys = 1, .connections = 1, .threads = 1, .seconds = 2};
    read_options(&o, argc, argv);
    plan_init(&plan, &o);
    struct worker *workers = xcalloc(o.threads, sizeof(*workers));
    int64_t start = clock_monotonic_ns();
    for (unsigned i = 0; i < o.threads; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){
            .plan = &plan,
            .connections = o.connections / o.threads + (i < o.connections % o.threads),
            .first_key = i * (o.keys / o.threads),
            .latencies_us = xmalloc(LATENCIES_MAX * sizeof(uint32_t)),
            .deadline_ns = o.requests ? INT64_MAX : start + (int64_t)(o.seconds * 1e9),
            .budget = o.requests ? o.requests / o.threads : UINT64_MAX};
        pthread_create(&w->thread, NULL, work, w);
    }
    for (unsigned i = 0; i < o.threads; i++)
        pthread_join(workers[i].thread, NULL);
    report(workers, o.threads, (double)(clock_monotonic_ns() - start) / 1e9);
    return 0;
}
