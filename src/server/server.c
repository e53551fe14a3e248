/* SPDX-License-Identifier: MIT */
/* server.c - building a server out of its settings, and taking it down. */
#include "server/server.h"
#include "disk/disk.h"

#include <stdarg.h>
#include <sys/stat.h>

#define WHY_MAX KiB(8)
/* As --branch-limit's help says. */
#define BRANCH_IDLE_NS (600 * NS_PER_S)

void server_complain(struct server *server, const char *fmt, ...)
{
    va_list args;

    if (server->why.len > 0)
        buf_add(&server->why, STR("; "));
    va_start(args, fmt);
    buf_vaddf(&server->why, fmt, args);
    va_end(args);
}

void server_init(struct server *server, const struct settings *settings)
{
    *server = (struct server){.settings = *settings};
    buf_init(&server->why, WHY_MAX);
    server->init = init_record_new();
}

/* ---- building ---------------------------------------------------------------------- */

/* As long as a bucket's may be; a signature's scope ends it at '/'. */
#define REGION_LEN_MAX 31
#define DOMAIN_LEN_MAX 253

/* Letters, digits and what else is allowed, one at least. */
static bool is_name(const char *text, const char *others, size_t max)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !strchr(others, c))
            return false;
    }
    return len > 0 && len <= max;
}

bool server_region_ok(const char *name)
{
    return is_name(name, "-_", REGION_LEN_MAX);
}

static enum exit_status check_names(struct server *server)
{
    const struct settings *s = &server->settings;

    if (!server_region_ok(s->region)) {
        server_complain(
            server,
            "--region: '%s' is not the name of a region, such as us-east-1: letters, "
            "digits, - and _, at most %d",
            s->region, REGION_LEN_MAX);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < s->domain.count; i++) {
        if (is_name(s->domain.items[i], "-_.", DOMAIN_LEN_MAX))
            continue;
        server_complain(server,
                        "--domain: '%s' is not a host name without a port, such as s3.test",
                        s->domain.items[i]);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

void server_check_secrecy(const char *option, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
        log_warn("%s %s holds secrets, and every user of this machine may %s it (mode %04o)",
                 option, path, st.st_mode & S_IWOTH ? "change" : "read",
                 (unsigned)(st.st_mode & ALLPERMS));
}

/* Which key administers is worth a line when nobody chose it. */
static void tell_administrator(const struct credentials *credentials)
{
    const struct credential *c = credentials_administrator(credentials);

    if (!c->admin)
        log_info("no credential is marked \"admin\": true, so the first one administers: %s",
                 c->access_key);
}

static bool read_keys(struct key_reader *r, const struct settings *s)
{
    const struct credential c = {.access_key = s->access_key, .secret_key = s->secret_key};
    if (!s->access_key[0] != !s->secret_key[0]) {
        buf_add(r->why, STR("--access-key and --secret-key need each other"));
        return false;
    }
    if (s->access_key[0] && !key_reader_add(r, &c, STR("--access-key")))
        return false;
    if (s->credentials[0] && !key_reader_read_file(r, s->credentials))
        return false;
    if (s->seed_config[0] && !key_reader_read_seed(r, s->seed_config))
        return false;
    if (s->credentials[0])
        server_check_secrecy("--credentials", s->credentials);
    if (r->has_users)
        server_check_secrecy("--seed-config", s->seed_config);
    return true;
}

/* What the settings name; NULL with a sentence in why, or without one when they name nobody.
 * *unreadable: because a file cannot be read. */
static struct credentials *read_credentials(const struct settings *s, struct buf *why,
                                            bool *unreadable)
{
    AUTO(credentials) set = credentials_new();
    struct key_reader r = {.set = set, .why = why};
    bool ok;

    /* Bounded by the files, which are. */
    buf_init(&r.places, SIZE_MAX / 2);
    ok = read_keys(&r, s);
    buf_release(&r.places);
    *unreadable = r.unreadable;
    if (!ok || credentials_count(set) == 0)
        return NULL;
    tell_administrator(set);
    return TAKE(set);
}

/* Appends what is wrong with it. It stands in a header, behind a blank. */
static void check_token(const char *token, bool has_credentials, struct buf *why)
{
    if (!has_credentials)
        buf_add(why, STR("--metrics-token needs credentials: without them everybody may read "
                         "the metrics"));
    for (const char *c = token; *c; c++) {
        if (*c <= ' ' || *c > '~') {
            buf_add(why, STR("--metrics-token: only visible ASCII characters may stand in it"));
            return;
        }
    }
}

static enum exit_status load_credentials(struct server *server)
{
    AUTO_BUF(why, KiB(4));
    bool unreadable;
    struct credentials *set = read_credentials(&server->settings, &why, &unreadable);

    if (set) {
        server->keyring = keyring_new(set);
        buf_reset(&why);
    }
    if (!why.len && server->settings.metrics_token[0])
        check_token(server->settings.metrics_token, set != NULL, &why);
    if (why.len)
        server_complain(server, "%.*s", (int)why.len, why.ptr);
    if (!why.len)
        return EXIT_DONE;
    return unreadable ? EXIT_FAILED : EXIT_USAGE;
}

static enum exit_status open_state_dirs(struct server *server)
{
    const struct str_list *dirs = &server->settings.state_dir;
    AUTO_BUF(why, KiB(8));

    if (dirs->count == 0)
        return EXIT_DONE;
    server->state_dirs = state_dirs_open((const char *const *)dirs->items, dirs->count, &why);
    if (server->state_dirs)
        return EXIT_DONE;
    server_complain(server, "--state-dir: %.*s", (int)why.len, why.ptr);
    return EXIT_USAGE;
}

static void create_service(struct server *server)
{
    const struct settings *s = &server->settings;

    server->domains = xcalloc(s->domain.count + 1, sizeof(*server->domains));
    for (size_t i = 0; i < s->domain.count; i++)
        server->domains[i] = str_c(s->domain.items[i]);
    server->s3 = s3_service_new(&(struct s3_options){
        .store = server->store,
        .keyring = server->keyring,
        .region = str_c(s->region),
        .domains = server->domains,
        .domain_count = s->domain.count,
        .auto_bucket = s->auto_bucket,
        .enforce_limits = s->enforce_limits,
        .metadata_limit = s->metadata_limit,
        .max_object_size = s->max_object_size,
        .min_part_size = s->min_part_size,
        .guard = server->guard,
        .branch_per_key = s->branch_per_key[0] ? str_c(s->branch_per_key) : STR_NONE,
        .traffic = &server->traffic,
        .durable = persist_durable(server),
    });
}

enum exit_status server_open(struct server *server)
{
    enum exit_status status = check_names(server);

    if (server->settings.file_has_secret)
        server_check_secrecy("--config", server->settings.config);
    if (!status)
        status = guard_open(server);
    if (!status)
        status = load_credentials(server);
    if (!status)
        status = open_state_dirs(server);
    if (status)
        return status;
    server->store = store_new(&(struct store_options){
        .max_memory_bytes = server->settings.max_memory,
        .branch_limit = (uint32_t)server->settings.branch_limit,
        .branch_idle_ns = server->settings.branch_per_key[0] ? BRANCH_IDLE_NS : 0});
    status = network_listen(server);
    if (!status)
        status = persist_open(server);
    if (status)
        return status;
    create_service(server);
    status = persist_load(server);
    return status ? status : network_serve(server);
}

bool server_interrupted(const struct server *server)
{
    return server->interrupted && server->interrupted(server->interrupted_arg);
}

/* ---- filling ----------------------------------------------------------------------- */

static enum exit_status create_buckets(struct server *server)
{
    for (size_t i = 0; i < server->settings.bucket.count; i++) {
        const char *name = server->settings.bucket.items[i];
        enum s3_err err = s3_service_create_bucket(server->s3, str_c(name));

        if (err && err != S3_BUCKET_ALREADY_OWNED_BY_YOU) {
            server_complain(server, "--bucket: '%s': %s", name, s3_err_message(err));
            return EXIT_USAGE;
        }
    }
    return EXIT_DONE;
}

/* What was changed or deleted since the first start would come back. */
static enum exit_status load_seeds(struct server *server)
{
    const struct settings *s = &server->settings;
    enum exit_status status = EXIT_DONE;

    if (!s->seed[0] && !s->seed_config[0])
        return EXIT_DONE;
    if (!persist_is_new(server)) {
        log_info("seed: passed over, %s has a state already", s->persist);
        return EXIT_DONE;
    }
    if (s->seed_config[0])
        status = seed_config_load(server, s->seed_config);
    if (!status && s->seed[0])
        status = seed_load(server, s->seed);
    return status;
}

enum exit_status server_fill(struct server *server)
{
    enum exit_status status = load_seeds(server);

    if (!status)
        status = create_buckets(server);
    if (!status && !server_interrupted(server))
        persist_filled(server);
    return status;
}

/* ---- rereading --------------------------------------------------------------------- */

void server_reload(struct server *server)
{
    AUTO_BUF(why, KiB(4));
    bool unreadable;
    struct credentials *set =
        server->keyring ? read_credentials(&server->settings, &why, &unreadable) : NULL;

    if (set) {
        log_info("reloaded: %zu access keys", credentials_count(set));
        keyring_replace(server->keyring, set);
    } else if (server->keyring) {
        if (why.len == 0)
            buf_add(&why, STR("there are none any longer"));
        log_error("the credentials stay as they were: %.*s", (int)why.len, why.ptr);
    }
    buf_reset(&why);
    if (!network_reload(server, &why))
        log_error("the TLS certificate stays as it was: %.*s", (int)why.len, why.ptr);
    else if (server->settings.tls_cert[0])
        log_info("reloaded: %s", server->settings.tls_cert);
}

/* ---- ending ------------------------------------------------------------------------ */

bool server_close(struct server *server)
{
    bool written;

    http_server_free(server->http);
    http_listeners_close(&server->listeners);
    admin_end_jobs(server->admin);
    written = persist_close(server);
    admin_free(server->admin);
    init_record_free(server->init);
    s3_service_free(server->s3);
    if (server->store)
        store_free(server->store);
    state_dirs_close(server->state_dirs);
    keyring_free(server->keyring);
    turns_free(server->turns);
    mem_free(server->guard_texts);
    mem_free(server->operations);
    mem_free(server->domains);
    mem_free(server->ca_pem);
    settings_release(&server->settings);
    buf_release(&server->why);
    return written;
}
