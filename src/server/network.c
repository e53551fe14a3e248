/* SPDX-License-Identifier: MIT */
/* network.c - which sockets we serve on, and under which names. */
#include "server/server.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where systemd puts the first socket (sd_listen_fds(3)). */
#define LISTEN_FDS_START 3

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

/* "0660". False: it is no mode. */
static bool read_mode(const char *text, mode_t *mode)
{
    size_t len = strlen(text);

    if (len == 0 || len > 4 || strspn(text, "01234567") != len)
        return false;
    *mode = (mode_t)strtoul(text, NULL, 8);
    return *mode > 0 && *mode <= (S_IRWXU | S_IRWXG | S_IRWXO);
}

static enum exit_status listen_everywhere(struct server *server, struct buf *why)
{
    unsigned inherited = server->adopts_sockets ? inherited_sockets() : 0;
    bool only_inherited = inherited && server->settings.listen_is_default;
    const struct str_list *addresses = &server->settings.listen;
    enum http_listen_result result = HTTP_LISTEN_OK;

    if (!read_mode(server->settings.socket_mode, &server->listeners.unix_mode)) {
        server_complain(server, "--socket-mode: '%s' is not a mode in octal, such as 0660",
                        server->settings.socket_mode);
        return EXIT_USAGE;
    }
    for (unsigned i = 0; i < inherited && result == HTTP_LISTEN_OK; i++)
        result = http_adopt(&server->listeners, LISTEN_FDS_START + (int)i, why);
    for (size_t i = 0; !only_inherited && i < addresses->count && result == HTTP_LISTEN_OK; i++)
        result = http_listen(&server->listeners, str_c(addresses->items[i]), why);
    switch (result) {
    case HTTP_LISTEN_OK:
        return EXIT_DONE;
    case HTTP_LISTEN_BAD_ADDRESS:
        server_complain(server, "--listen: %.*s", (int)why->len, why->ptr);
        return EXIT_USAGE;
    case HTTP_LISTEN_FAILED:
        break;
    }
    server_complain(server, "%.*s", (int)why->len, why->ptr);
    return EXIT_FAILED;
}

/* Without credentials whoever reaches the port owns the data. */
static enum exit_status check_exposure(struct server *server)
{
    if (server->keyring || server->settings.insecure)
        return EXIT_DONE;
    for (size_t i = 0; i < server->listeners.count; i++) {
        if (server->listeners.items[i].loopback)
            continue;
        server_complain(
            server,
            "refusing to listen on %s without credentials: anybody who reaches it could "
            "read and change everything. Give --access-key and --secret-key (or "
            "--credentials), or --insecure if that is what you want",
            server->listeners.items[i].address);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

enum exit_status network_listen(struct server *server)
{
    AUTO_BUF(why, KiB(4));
    enum exit_status status = listen_everywhere(server, &why);

    return status ? status : check_exposure(server);
}

/* ---- names ------------------------------------------------------------------------- */

void network_url(const struct server *server, size_t listener, struct buf *out)
{
    const struct http_listener *l = &server->listeners.items[listener];

    buf_addf(out, "%s%s%s", server_uses_tls(server) ? "https" : "http", l->tcp ? "://" : "+",
             l->address);
}

/* address: "HOST:PORT". A host that means "everywhere" is no address to connect to; of localhost's
 * two addresses 127.0.0.1 is always there. */
static void add_local_url(const struct server *server, struct str address, struct buf *out)
{
    static const struct {
        struct str host;
        const char *local;
    } hosts[] = {
        {STR("0.0.0.0:"), "127.0.0.1:"},
        {STR("[::]:"), "[::1]:"},
        {STR("localhost:"), "127.0.0.1:"},
    };

    buf_addf(out, "%s://", server_uses_tls(server) ? "https" : "http");
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (!str_has_prefix(address, hosts[i].host))
            continue;
        buf_add_c(out, hosts[i].local);
        address = str_from(address, hosts[i].host.len);
        break;
    }
    buf_add(out, address);
}

/* Adds the URL of the first --listen that names a port, as HOST:PORT, :PORT or PORT. */
static void add_planned_url(const struct server *server, struct buf *out)
{
    const struct str_list *addresses = &server->settings.listen;

    for (size_t i = 0; i < addresses->count; i++) {
        const char *address = addresses->items[i], *colon = strrchr(address, ':');
        const char *port = colon ? colon + 1 : address;
        AUTO_BUF(full, KiB(4));

        if (str_has_prefix(str_c(address), STR("unix:")) || strspn(port, "0") == strlen(port))
            continue;
        if (!colon || colon == address)
            buf_addf(&full, "localhost:%s", port);
        else
            buf_add_c(&full, address);
        add_local_url(server, buf_str(&full), out);
        return;
    }
}

void network_local_url(const struct server *server, struct buf *out)
{
    const struct http_listener *chosen = NULL;

    if (server->listeners.count == 0) {
        add_planned_url(server, out);
        return;
    }
    for (size_t i = 0; i < server->listeners.count; i++) {
        const struct http_listener *l = &server->listeners.items[i];

        if (l->tcp && (!chosen || (l->loopback && !chosen->loopback)))
            chosen = l;
    }
    if (chosen)
        add_local_url(server, str_c(chosen->address), out);
}

/* ---- serving ----------------------------------------------------------------------- */

/* May who signed this administer? The parts of a request that steer an endpoint, its query
 * first of all, are not covered by Signature Version 2. */
static enum s3_err check_administrator(const struct credentials *set,
                                       const struct auth_result *result, struct buf *message)
{
    const struct credential *c = result->credential;

    if (!c) {
        buf_add(message, STR("This endpoint needs a request signed by an access key that may "
                             "administer the server."));
        return S3_ACCESS_DENIED;
    }
    if (result->kind != AUTH_V4_HEADER && result->kind != AUTH_V4_QUERY) {
        buf_add(message, STR("This endpoint needs AWS Signature Version 4: older ones do not "
                             "cover the query."));
        return S3_ACCESS_DENIED;
    }
    if (credentials_may_administer(set, c))
        return S3_OK;
    buf_addf(message,
             "The access key %s may not administer the server: its entry in the --credentials "
             "or --seed-config file lacks \"admin\": true.",
             c->access_key);
    return S3_ACCESS_DENIED;
}

static enum s3_err authorise_by(struct server *server, const struct request *req,
                                int64_t now_ns, struct buf *message)
{
    AUTO(credentials) set = keyring_get(server->keyring);
    const struct auth_config config = {
        .now_ns = now_ns,
        .credentials = set,
        .region = str_c(server->settings.region),
        .domains = server->domains,
        .domain_count = server->settings.domain.count,
    };
    struct auth_result result;
    struct auth_failure failure;
    enum s3_err err;

    auth_failure_init(&failure);
    buf_reset(message);
    err = auth_request(&result, &failure, &config, req, STR(""));
    if (err)
        buf_add(message, failure.message);
    else
        err = check_administrator(set, &result, message);
    auth_result_wipe(&result);
    auth_failure_release(&failure);
    return err;
}

/* By the server's clock or the real one: who has moved the first must be able to move it back.
 */
static enum s3_err authorise(void *arg, const struct request *req, struct buf *message)
{
    enum s3_err err = authorise_by(arg, req, clock_now_ns(), message);

    if (!err || (clock_offset_ns() == 0 && !clock_is_frozen()))
        return err;
    return authorise_by(arg, req, clock_real_ns(), message);
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

static void tidy_memory(void *store)
{
    store_tidy(store);
    mem_trim_if_quiet();
}

/* What asks for /health and means a server, not a bucket. */
static bool is_probe(void *s3, const struct request *req)
{
    return admin_is_probe(req) && s3_service_has_no_use(s3, req);
}

static void mount_apps(struct server *server)
{
    static const struct str admin_prefixes[] = ADMIN_PREFIXES;
    struct http_mount *mount = server->mounts;
    struct app admin;

    static_assert(ARRAY_LEN(server->mounts) == ARRAY_LEN(admin_prefixes) + 2,
                  "and probes, and S3, last");
    server->operations = operation_names();
    server->turns = turns_new();
    server->admin = admin_new(&(struct admin_options){
        .store = server->store,
        .operations = server->operations,
        .version = S3MEM_VERSION,
        .guard = server->guard,
        .authorise = server->keyring ? authorise : NULL,
        .authorise_arg = server,
        .metrics_token = str_c(server->settings.metrics_token),
        .ca_pem = str_c(server->ca_pem ? server->ca_pem : ""),
        .journal_size = server->settings.journal,
        .region = str_c(server->settings.region),
        .address = str_c(server->listeners.count ? server->listeners.items[0].address : ""),
        .owner = s3_service_default_owner(server->s3),
        .bucket_name_ok = s3_bucket_name_ok,
        .state_dirs = server->state_dirs,
        .max_memory_bytes = server->settings.max_memory,
        .durable = persist_durable(server),
        .persist_stats = persist_stats,
        .persist_stats_arg = server,
        .init = server->init,
        .turns = server->turns,
    });
    server->traffic = admin_traffic(server->admin);
    admin = admin_app(server->admin);
    for (size_t i = 0; i < ARRAY_LEN(admin_prefixes); i++, mount++)
        *mount = (struct http_mount){.prefix = admin_prefixes[i], .app = admin};
    *mount++ = (struct http_mount){.prefix = STR(ADMIN_PROBE_PREFIX),
                                   .app = admin,
                                   .takes = is_probe,
                                   .takes_arg = server->s3};
    *mount = (struct http_mount){.prefix = STR(""), .app = s3_service_app(server->s3)};
}

enum exit_status network_serve(struct server *server)
{
    const struct settings *s = &server->settings;
    struct certificate identity = {0};
    AUTO_BUF(why, KiB(4));
    enum exit_status status = identity_open(server, &identity);

    if (status) {
        certificate_release(&identity);
        return status;
    }
    mount_apps(server);
    server->http = http_server_start(
        &(struct http_options){
            .listeners = &server->listeners,
            .mounts = server->mounts,
            .mount_count = ARRAY_LEN(server->mounts),
            .threads = (unsigned)s->threads,
            .connection_limit = (unsigned)s->connection_limit,
            .idle_timeout_ms = (int64_t)s->idle_timeout,
            .header_timeout_ms = (int64_t)s->header_timeout,
            .body_timeout_ms = (int64_t)s->body_timeout,
            .tls_cert = identity.cert.ptr,
            .tls_key = identity.key.ptr,
            .tidy = tidy_memory,
            .tidy_arg = server->store,
            .turns = server->turns,
        },
        &why);
    certificate_release(&identity);
    if (server->http)
        return EXIT_DONE;
    server_complain(server, "%.*s", (int)why.len, why.ptr);
    return EXIT_FAILED;
}

bool network_reload(struct server *server, struct buf *why)
{
    struct certificate identity = {0};
    bool ok;

    if (!server->settings.tls_cert[0])
        return true;
    ok = identity_read(server, &identity, why) &&
         http_server_set_identity(server->http, identity.cert.ptr, identity.key.ptr, why);
    certificate_release(&identity);
    return ok;
}
