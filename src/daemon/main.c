/* SPDX-License-Identifier: MIT */
/* main.c - s3memd from its settings to its exit status.
 *
 *   settings -> credentials -> store -> S3 service -> admin -> listen -> serve
 *            -> buckets -> seed -> init scripts -> ready -> until a signal -> drain -> stop
 *
 * It serves before it is ready, so that init scripts can talk to it; health endpoints tell the
 * two apart. */
#include "daemon/daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define DRAIN_S 10

void complain(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("s3memd: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static void setup_log(const struct settings *s)
{
    enum log_level level = s->verbose ? LOG_LEVEL_DEBUG : (enum log_level)s->log_level;

    log_setup(level, (enum log_format)s->log_format, s->access_log || s->verbose);
}

/* ---- building ---------------------------------------------------------------------- */

static enum exit_status load_credentials(struct daemon *d)
{
    const struct settings *s = &d->settings;
    const char *why_not;
    AUTO_BUF(why, KiB(4));

    if (!s->access_key[0] != !s->secret_key[0]) {
        complain("--access-key and --secret-key need each other");
        return EXIT_USAGE;
    }
    if (!s->access_key[0] && !s->credentials[0])
        return EXIT_DONE;
    d->credentials = credentials_new();
    if (s->access_key[0]) {
        const struct credential c = {.access_key = s->access_key, .secret_key = s->secret_key};

        if (!credentials_add(d->credentials, &c, &why_not)) {
            complain("--access-key: %s", why_not);
            return EXIT_USAGE;
        }
    }
    if (s->credentials[0] && !credentials_file_read(d->credentials, s->credentials, &why)) {
        complain("%.*s", (int)why.len, why.ptr);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static void create_service(struct daemon *d)
{
    const struct settings *s = &d->settings;

    d->domains = xcalloc(s->domain.count + 1, sizeof(*d->domains));
    for (size_t i = 0; i < s->domain.count; i++)
        d->domains[i] = str_c(s->domain.items[i]);
    d->store = store_new(&(struct store_options){.max_memory_bytes = s->max_memory});
    d->s3 = s3_service_new(&(struct s3_options){
        .store = d->store,
        .credentials = d->credentials,
        .region = str_c(s->region),
        .domains = d->domains,
        .domain_count = s->domain.count,
        .auto_bucket = s->auto_bucket,
        .enforce_limits = s->enforce_limits,
        .metadata_limit = s->metadata_limit,
        .max_object_size = s->max_object_size,
        .min_part_size = s->min_part_size,
        .branch_per_key = s->branch_per_key[0] ? str_c(s->branch_per_key) : STR_NONE,
        .traffic = &d->traffic,
    });
}

/* ---- filling ----------------------------------------------------------------------- */

static enum exit_status create_buckets(struct daemon *d)
{
    for (size_t i = 0; i < d->settings.bucket.count; i++) {
        const char *name = d->settings.bucket.items[i];
        enum s3_err err = s3_service_create_bucket(d->s3, str_c(name));

        if (err && err != S3_BUCKET_ALREADY_OWNED_BY_YOU) {
            complain("--bucket: '%s': %s", name, s3_err_message(err));
            return EXIT_USAGE;
        }
    }
    return EXIT_DONE;
}

static void announce(const struct daemon *d)
{
    for (size_t i = 0; i < d->listeners.count; i++) {
        AUTO_BUF(url, KiB(1));

        network_url(d, i, &url);
        printf("s3memd ready on %.*s\n", (int)url.len, url.ptr);
    }
    puts("Ready.");
    fflush(stdout);
    notify_systemd("READY=1");
}

static enum exit_status start(struct daemon *d)
{
    const struct settings *s = &d->settings;
    enum exit_status status;

    if ((status = load_credentials(d)))
        return status;
    create_service(d);
    if ((status = network_listen(d)) || (status = network_serve(d)) ||
        (status = create_buckets(d)))
        return status;
    if (s->seed[0] && (status = seed_load(d, s->seed)))
        return status;
    if (s->init_dir[0] && (status = init_scripts_run(d, s->init_dir)))
        return status;
    if (!d->caught) {
        admin_set_ready(d->admin);
        announce(d);
    }
    return EXIT_DONE;
}

/* ---- ending ------------------------------------------------------------------------ */

/* Lets requests in flight finish; a second signal does not wait for them. */
static void drain(struct daemon *d)
{
    int64_t deadline = clock_monotonic_ns() + DRAIN_S * NS_PER_S;

    notify_systemd("STOPPING=1");
    http_server_quiesce(d->server);
    while (http_server_active(d->server) && clock_monotonic_ns() < deadline)
        signals_wait(d, 5);
}

static void destroy(struct daemon *d)
{
    http_server_free(d->server);
    http_listeners_close(&d->listeners);
    admin_free(d->admin);
    s3_service_free(d->s3);
    if (d->store)
        store_free(d->store);
    credentials_free(d->credentials);
    mem_free(d->hosts);
    mem_free(d->operations);
    mem_free(d->domains);
    settings_release(&d->settings);
}

int main(int argc, char **argv)
{
    struct daemon d = {0};
    AUTO_BUF(text, KiB(64));
    enum exit_status status;

    switch (settings_load(&d.settings, argc, (const char *const *)argv,
                          (const char *const *)environ, &text)) {
    case SETTINGS_SHOWN:
        return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0
                   ? EXIT_DONE
                   : EXIT_FAILED;
    case SETTINGS_WRONG:
        fwrite(text.ptr, 1, text.len, stderr);
        return EXIT_USAGE;
    case SETTINGS_OK:
        break;
    }
    setup_log(&d.settings);
    signals_setup(&d);
    status = start(&d);
    while (status == EXIT_DONE && !d.caught)
        signals_wait(&d, -1);
    if (d.server)
        drain(&d);
    destroy(&d);
    return status;
}
