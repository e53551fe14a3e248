/* SPDX-License-Identifier: MIT */
/* listener.c - from "127.0.0.1:4566" or "unix:PATH" to listening sockets. */
#include "http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

static struct http_listener *listener_next(struct http_listeners *l)
{
    struct http_listener *next = &l->items[l->count];

    *next = (struct http_listener){.fd = -1};
    return next;
}

/* ---- addresses --------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_UNIX)
        return true;
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127);
    }
    return false;
}

void address_format(const struct sockaddr *addr, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    } else if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, size, "unix");
    }
}

static bool is_digits(struct str text)
{
    uint64_t ignored;

    return str_to_u64(text, &ignored);
}

/* Splits "HOST:PORT", "[V6]:PORT", ":PORT" and "PORT"; without a host it is localhost. False with
 * a sentence in why. */
static bool split_address(struct str address, struct str *host, struct str *port,
                          struct buf *why)
{
    size_t colon = SIZE_MAX;

    for (size_t i = 0; i < address.len; i++) {
        if (address.ptr[i] == ':')
            colon = i;
    }
    *port = colon == SIZE_MAX ? address : str_from(address, colon + 1);
    *host = colon == SIZE_MAX || colon == 0 ? STR("localhost") : str_of(address.ptr, colon);
    if (port->len == 0 || (colon == SIZE_MAX && !is_digits(*port))) {
        buf_addf(why,
                 "'%.*s' is not ADDR:PORT (such as 127.0.0.1:4566, [::1]:4566), a port or "
                 "unix:PATH",
                 (int)address.len, address.ptr);
        return false;
    }
    if (host->ptr[0] == '[' && host->ptr[host->len - 1] == ']') {
        *host = str_of(host->ptr + 1, host->len - 2);
    } else if (str_find_char(*host, ':') != SIZE_MAX) {
        buf_addf(why, "'%.*s': write an IPv6 address in brackets, as [::1]:4566",
                 (int)address.len, address.ptr);
        return false;
    }
    return true;
}

/* False with a sentence in why. */
static bool read_port(struct str address, struct str text, in_port_t *port, struct buf *why)
{
    uint64_t number;

    if (!str_to_u64(text, &number) || number > UINT16_MAX) {
        buf_addf(why, "'%.*s': the port must be a number from 0 to 65535", (int)address.len,
                 address.ptr);
        return false;
    }
    *port = htons((in_port_t)number);
    return true;
}

/* NULL with a sentence in why. */
static struct addrinfo *resolve(struct str address, struct str host_part, in_port_t port,
                                struct buf *why)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[256], port_text[8];
    int err;

    snprintf(host, sizeof(host), "%.*s", (int)host_part.len, host_part.ptr);
    snprintf(port_text, sizeof(port_text), "%u", (unsigned)ntohs(port));
    err = getaddrinfo(host, port_text, &hints, &found);
    if (err) {
        buf_addf(why, "'%.*s': %s", (int)address.len, address.ptr, gai_strerror(err));
        return NULL;
    }
    return found;
}

/* ---- TCP --------------------------------------------------------------------------- */

/* Records the bound socket as the next listener. */
static void add_listener(struct http_listeners *l, int fd, const struct sockaddr *addr)
{
    struct http_listener *next = listener_next(l);

    next->fd = fd;
    next->loopback = is_loopback(addr);
    next->tcp = addr->sa_family != AF_UNIX;
    address_format(addr, next->address, sizeof(next->address));
    l->count++;
}

/* Binds one address; 0 or errno. */
static int listen_tcp(struct http_listeners *l, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof(bound);
    const int on = 1;
    int err;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    /* A restarted server must not wait for the old one's connections in TIME_WAIT. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* So that 0.0.0.0:4566 and [::]:4566 can both be given. */
    if (addr->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, addr, len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_len) < 0) {
        err = errno;
        close(fd);
        return err;
    }
    add_listener(l, fd, (struct sockaddr *)&bound);
    return 0;
}

static void set_port(struct sockaddr *addr, in_port_t port)
{
    if (addr->sa_family == AF_INET)
        ((struct sockaddr_in *)addr)->sin_port = port;
    else
        ((struct sockaddr_in6 *)addr)->sin6_port = port;
}

static in_port_t bound_port(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return 0;
    return addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port
                                     : ((struct sockaddr_in6 *)&addr)->sin6_port;
}

static const char *listen_hint(int err)
{
    switch (err) {
    case EADDRINUSE:
        return "address already in use; stop the other server, or choose another with "
               "--listen (port 0 picks a free one)";
    case EACCES:
        return "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "this machine has no such address";
    default:
        return strerror(err);
    }
}

/* A machine without IPv6 has no ::1. */
static bool lacks_address(int err)
{
    return err == EADDRNOTAVAIL || err == EAFNOSUPPORT;
}

static enum http_listen_result too_many(struct buf *why)
{
    buf_addf(why, "more than %d listening addresses", HTTP_LISTENERS_MAX);
    return HTTP_LISTEN_BAD_ADDRESS;
}

static enum http_listen_result listen_addresses(struct http_listeners *l, struct str address,
                                                struct addrinfo *found, struct buf *why)
{
    in_port_t port = 0;
    int err = 0;

    for (struct addrinfo *ai = found; ai; ai = ai->ai_next) {
        if (l->count == HTTP_LISTENERS_MAX)
            return too_many(why);
        if (port)
            set_port(ai->ai_addr, port);
        err = listen_tcp(l, ai->ai_addr, ai->ai_addrlen);
        if (!err)
            port = bound_port(l->items[l->count - 1].fd);
        else if (!lacks_address(err))
            break;
        else if (port)
            err = 0;
    }
    if (!err)
        return HTTP_LISTEN_OK;
    buf_addf(why, "cannot listen on %.*s: %s", (int)address.len, address.ptr, listen_hint(err));
    return HTTP_LISTEN_FAILED;
}

/* How often a free port is looked for that is free on both loopback addresses. */
#define PAIR_ATTEMPTS 16

/* Binds 127.0.0.1 and ::1 on one port; a machine may lack one of them. 0 or errno, with the
 * address that failed in *failed; then none is bound. */
static int listen_loopbacks(struct http_listeners *l, in_port_t port, const char **failed)
{
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int v4_err = listen_tcp(l, (const struct sockaddr *)&v4, sizeof(v4)), v6_err;

    *failed = "127.0.0.1";
    if (v4_err && !lacks_address(v4_err))
        return v4_err;
    if (!v4_err)
        v6.sin6_port = bound_port(l->items[l->count - 1].fd);
    v6_err = listen_tcp(l, (const struct sockaddr *)&v6, sizeof(v6));
    if (lacks_address(v6_err))
        return v4_err;
    *failed = "[::1]";
    if (v6_err && !v4_err)
        close(l->items[--l->count].fd);
    if (!v6_err && !v4_err)
        l->items[l->count - 1].second = true;
    return v6_err;
}

/* Whatever the hosts file says: clients find either address behind the name. */
static enum http_listen_result listen_localhost(struct http_listeners *l, in_port_t port,
                                                struct buf *why)
{
    const char *failed;
    int err = EADDRINUSE;

    if (l->count + 2 > HTTP_LISTENERS_MAX)
        return too_many(why);
    for (int i = 0; err == EADDRINUSE && i < (port ? 1 : PAIR_ATTEMPTS); i++)
        err = listen_loopbacks(l, port, &failed);
    if (!err)
        return HTTP_LISTEN_OK;
    buf_addf(why, "cannot listen on %s:%u: %s", failed, (unsigned)ntohs(port),
             listen_hint(err));
    return HTTP_LISTEN_FAILED;
}

/* ---- Unix sockets ------------------------------------------------------------------ */

/* Is a server behind the socket file? */
static bool unix_answers(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    if (fd < 0)
        return true;
    answers =
        connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno != ECONNREFUSED;
    close(fd);
    return answers;
}

/* Binds; a socket file that a dead server left behind is replaced, anything else is kept. */
static int bind_unix(int fd, const struct sockaddr_un *addr)
{
    struct stat st;

    if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return errno;
    if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode) || unix_answers(addr))
        return EADDRINUSE;
    if (unlink(addr->sun_path) < 0 ||
        bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
        return errno;
    return 0;
}

/* Who may write to the socket file may connect. The mode of the socket becomes the file's as it
 * is made, less the umask's bits; these are added before anybody can connect. */
static int bind_with_mode(int fd, const struct sockaddr_un *addr, mode_t mode)
{
    struct stat st;
    int err;

    if (fchmod(fd, mode) < 0)
        return errno;
    err = bind_unix(fd, addr);
    if (err)
        return err;
    if (lstat(addr->sun_path, &st) < 0 ||
        ((st.st_mode & ALLPERMS) != mode && chmod(addr->sun_path, mode) < 0)) {
        err = errno;
        unlink(addr->sun_path);
    }
    return err;
}

static enum http_listen_result listen_unix(struct http_listeners *l, struct str path,
                                           struct buf *why)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int err;
    int fd;

    if (path.len == 0 || path.len >= sizeof(addr.sun_path)) {
        buf_addf(why, "'unix:%.*s': the path must have 1 to %zu bytes", (int)path.len, path.ptr,
                 sizeof(addr.sun_path) - 1);
        return HTTP_LISTEN_BAD_ADDRESS;
    }
    str_put(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    err = fd < 0 ? errno
                 : bind_with_mode(fd, &addr, l->unix_mode ? l->unix_mode : S_IRUSR | S_IWUSR);
    if (!err && listen(fd, BACKLOG) < 0) {
        err = errno;
        unlink(addr.sun_path);
    }
    if (err) {
        if (fd >= 0)
            close(fd);
        buf_addf(why, "cannot listen on unix:%s: %s", addr.sun_path,
                 err == EADDRINUSE ? "another server answers there, or it is not a socket"
                                   : strerror(err));
        return HTTP_LISTEN_FAILED;
    }
    add_listener(l, fd, (struct sockaddr *)&addr);
    snprintf(l->items[l->count - 1].address, HTTP_ADDRESS_SIZE, "unix:%s", addr.sun_path);
    l->items[l->count - 1].unix_path = xstrdup(addr.sun_path);
    return HTTP_LISTEN_OK;
}

/* ---- the door ---------------------------------------------------------------------- */

enum http_listen_result http_listen(struct http_listeners *listeners, struct str address,
                                    struct buf *why)
{
    enum http_listen_result result;
    struct str host, port_text;
    struct addrinfo *found;
    in_port_t port;

    if (listeners->count == HTTP_LISTENERS_MAX)
        return too_many(why);
    if (str_has_prefix(address, STR("unix:")))
        return listen_unix(listeners, str_from(address, strlen("unix:")), why);
    if (!split_address(address, &host, &port_text, why) ||
        !read_port(address, port_text, &port, why))
        return HTTP_LISTEN_BAD_ADDRESS;
    if (str_eq_nocase(host, STR("localhost")))
        return listen_localhost(listeners, port, why);
    found = resolve(address, host, port, why);
    if (!found)
        return HTTP_LISTEN_BAD_ADDRESS;
    result = listen_addresses(listeners, address, found, why);
    freeaddrinfo(found);
    return result;
}

enum http_listen_result http_adopt(struct http_listeners *listeners, int fd, struct buf *why)
{
    struct sockaddr_storage addr;
    socklen_t addr_len = sizeof(addr);
    int listening = 0;
    socklen_t opt_len = sizeof(listening);

    memset(&addr, 0, sizeof(addr));
    if (listeners->count == HTTP_LISTENERS_MAX)
        return too_many(why);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &opt_len) < 0 || !listening ||
        getsockname(fd, (struct sockaddr *)&addr, &addr_len) < 0) {
        buf_addf(why, "inherited file descriptor %d is not a listening socket", fd);
        return HTTP_LISTEN_FAILED;
    }
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        buf_addf(why, "inherited file descriptor %d: %s", fd, strerror(errno));
        return HTTP_LISTEN_FAILED;
    }
    add_listener(listeners, fd, (struct sockaddr *)&addr);
    listeners->items[listeners->count - 1].inherited = true;
    if (addr.ss_family == AF_UNIX)
        snprintf(listeners->items[listeners->count - 1].address, HTTP_ADDRESS_SIZE, "unix:%.*s",
                 (int)sizeof(((struct sockaddr_un *)0)->sun_path),
                 ((struct sockaddr_un *)&addr)->sun_path);
    return HTTP_LISTEN_OK;
}

static void remove_socket_file(struct http_listener *l)
{
    if (l->unix_path)
        unlink(l->unix_path);
    mem_free(TAKE(l->unix_path));
}

void http_listeners_refuse(struct http_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct http_listener *l = &listeners->items[i];

        if (l->inherited)
            continue;
        /* Before another server may put its own there. */
        remove_socket_file(l);
        shutdown(l->fd, SHUT_RDWR);
    }
}

void http_listeners_close(struct http_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        close(listeners->items[i].fd);
        remove_socket_file(&listeners->items[i]);
    }
    listeners->count = 0;
}
