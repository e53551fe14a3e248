/* SPDX-License-Identifier: MIT */
/* network.c - which sockets we serve on, and under which names. */
#include "daemon/daemon.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* Where systemd puts the first socket (sd_listen_fds(3)). */
#define LISTEN_FDS_START 3
#define TLS_FILE_MAX     MiB(1)

/* ---- listening --------------------------------------------------------------------- */

/* How many sockets systemd hands over; 0 when they are meant for another process. The variables
 * are removed: init scripts must not take the sockets for theirs. */
static unsigned inherited_sockets(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t owner = 0, count = 0;

    if (!pid || !fds || !str_to_u64(str_c(pid), &owner) || owner != (uint64_t)getpid() ||
        !str_to_u64(str_c(fds), &count))
        count = 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return (unsigned)(count > HTTP_LISTENERS_MAX ? HTTP_LISTENERS_MAX : count);
}

static enum exit_status listen_everywhere(struct daemon *d, struct buf *why)
{
    unsigned inherited = inherited_sockets();
    bool only_inherited = inherited && d->settings.listen_is_default;
    const struct str_list *addresses = &d->settings.listen;
    enum http_listen_result result = HTTP_LISTEN_OK;

    for (unsigned i = 0; i < inherited && result == HTTP_LISTEN_OK; i++)
        result = http_adopt(&d->listeners, LISTEN_FDS_START + (int)i, why);
    for (size_t i = 0; !only_inherited && i < addresses->count && result == HTTP_LISTEN_OK; i++)
        result = http_listen(&d->listeners, str_c(addresses->items[i]), why);
    switch (result) {
    case HTTP_LISTEN_OK:
        return EXIT_DONE;
    case HTTP_LISTEN_BAD_ADDRESS:
        complain("--listen: %.*s", (int)why->len, why->ptr);
        return EXIT_USAGE;
    case HTTP_LISTEN_FAILED:
        break;
    }
    complain("%.*s", (int)why->len, why->ptr);
    return EXIT_FAILED;
}

/* Without credentials whoever reaches the port owns the data. */
static enum exit_status check_exposure(const struct daemon *d)
{
    if (d->credentials || d->settings.insecure)
        return EXIT_DONE;
    for (size_t i = 0; i < d->listeners.count; i++) {
        if (d->listeners.items[i].loopback)
            continue;
        complain("refusing to listen on %s without credentials: anybody who reaches it could "
                 "read and change everything. Give --access-key and --secret-key (or "
                 "--credentials), or --insecure if that is what you want",
                 d->listeners.items[i].address);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

enum exit_status network_listen(struct daemon *d)
{
    AUTO_BUF(why, KiB(4));
    enum exit_status status = listen_everywhere(d, &why);

    return status ? status : check_exposure(d);
}

/* ---- names ------------------------------------------------------------------------- */

void network_url(const struct daemon *d, size_t listener, struct buf *out)
{
    const struct http_listener *l = &d->listeners.items[listener];

    if (l->tcp)
        buf_addf(out, "%s://%s", d->settings.tls_cert[0] ? "https" : "http", l->address);
    else
        buf_addf(out, "%s+%s", d->settings.tls_cert[0] ? "https" : "http", l->address);
}

void network_local_url(const struct daemon *d, struct buf *out)
{
    const char *scheme = d->settings.tls_cert[0] ? "https" : "http";
    const struct http_listener *chosen = NULL;
    const char *port;

    for (size_t i = 0; i < d->listeners.count; i++) {
        const struct http_listener *l = &d->listeners.items[i];

        if (l->tcp && (!chosen || (l->loopback && !chosen->loopback)))
            chosen = l;
    }
    if (!chosen)
        return;
    port = strrchr(chosen->address, ':');
    /* Listening everywhere is not an address to connect to. */
    if (str_has_prefix(str_c(chosen->address), STR("0.0.0.0:")))
        buf_addf(out, "%s://127.0.0.1%s", scheme, port);
    else if (str_has_prefix(str_c(chosen->address), STR("[::]:")))
        buf_addf(out, "%s://[::1]%s", scheme, port);
    else
        buf_addf(out, "%s://%s", scheme, chosen->address);
}

/* Base domains and listening addresses, without ports. */
static void collect_hosts(struct daemon *d)
{
    d->hosts = xcalloc(d->settings.domain.count + d->listeners.count, sizeof(*d->hosts));
    for (size_t i = 0; i < d->settings.domain.count; i++)
        d->hosts[d->host_count++] = d->domains[i];
    for (size_t i = 0; i < d->listeners.count; i++) {
        const struct http_listener *l = &d->listeners.items[i];

        if (l->tcp)
            d->hosts[d->host_count++] =
                str_of(l->address, (size_t)(strrchr(l->address, ':') - l->address));
    }
}

/* ---- serving ----------------------------------------------------------------------- */

/* A PEM file as a C string. */
static bool read_pem(const char *path, struct buf *out)
{
    int err = file_read(out, path);

    buf_add_char(out, '\0');
    if (err)
        complain("%s: %s", path, strerror(err));
    return !err;
}

/* admin's question whether a request is signed by a known key. */
static enum s3_err authorise(void *arg, const struct request *req)
{
    struct daemon *d = arg;
    const struct auth_config config = {
        .credentials = d->credentials,
        .region = str_c(d->settings.region),
        .domains = d->domains,
        .domain_count = d->settings.domain.count,
    };
    struct auth_result result;
    struct auth_failure failure;
    enum s3_err err;

    auth_failure_init(&failure);
    err = auth_request(&result, &failure, &config, req, STR(""));
    if (!err && !result.credential)
        err = S3_ACCESS_DENIED;
    auth_result_wipe(&result);
    auth_failure_release(&failure);
    return err;
}

/* For fault rules: a mistyped name would never strike. */
static const char **operation_names(void)
{
    const char **names = NULL;
    struct s3_op_info op;
    size_t count = 0;

    for (; s3_op_at(count, &op); count++) {
        names = xrealloc(names, (count + 2) * sizeof(*names));
        names[count] = op.name;
        names[count + 1] = NULL;
    }
    return names;
}

static void mount_apps(struct daemon *d)
{
    static const struct str admin_prefixes[] = ADMIN_PREFIXES;

    static_assert(ARRAY_LEN(d->mounts) == ARRAY_LEN(admin_prefixes) + 1, "and S3, last");
    collect_hosts(d);
    d->operations = operation_names();
    d->admin = admin_new(&(struct admin_options){
        .store = d->store,
        .operations = d->operations,
        .version = S3MEM_VERSION,
        .hosts = d->hosts,
        .host_count = d->host_count,
        .authorise = d->credentials ? authorise : NULL,
        .authorise_arg = d,
        .journal_size = d->settings.journal,
        .max_memory_bytes = d->settings.max_memory,
    });
    d->traffic = admin_traffic(d->admin);
    for (size_t i = 0; i < ARRAY_LEN(admin_prefixes); i++)
        d->mounts[i] = (struct http_mount){admin_prefixes[i], admin_app(d->admin)};
    d->mounts[ARRAY_LEN(admin_prefixes)] = (struct http_mount){STR(""), s3_service_app(d->s3)};
}

enum exit_status network_serve(struct daemon *d)
{
    const struct settings *s = &d->settings;
    AUTO_BUF(why, KiB(4));
    AUTO_BUF(cert, TLS_FILE_MAX);
    AUTO_BUF(key, TLS_FILE_MAX);

    if (!s->tls_cert[0] != !s->tls_key[0]) {
        complain("--tls-cert and --tls-key need each other");
        return EXIT_USAGE;
    }
    if (s->tls_cert[0] && (!read_pem(s->tls_cert, &cert) || !read_pem(s->tls_key, &key)))
        return EXIT_FAILED;
    mount_apps(d);
    d->server = http_server_start(
        &(struct http_options){
            .listeners = &d->listeners,
            .mounts = d->mounts,
            .mount_count = ARRAY_LEN(d->mounts),
            .threads = (unsigned)s->threads,
            .connection_limit = (unsigned)s->connection_limit,
            .idle_timeout_ms = (int64_t)s->idle_timeout,
            .header_timeout_ms = (int64_t)s->header_timeout,
            .body_timeout_ms = (int64_t)s->body_timeout,
            .tls_cert = cert.ptr,
            .tls_key = key.ptr,
        },
        &why);
    if (key.ptr)
        mem_wipe(key.ptr, key.len);
    if (d->server)
        return EXIT_DONE;
    complain("%.*s", (int)why.len, why.ptr);
    return EXIT_FAILED;
}
