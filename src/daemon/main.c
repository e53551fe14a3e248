/* SPDX-License-Identifier: MIT */
/* main.c - s3memd from its settings to its exit status: a thin process around a server.
 *
 *   settings -> scripts of boot and start -> open, state on disk -> buckets, seed
 *            -> scripts of ready -> ready -> until a signal (SIGHUP: reads files again)
 *            -> scripts of shutdown -> drain -> close */
#include "daemon/daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_S 10

/* "s3memd: ..." on standard error; what drives a terminal, as a file may have it, as in the log. */
static void PRINTF_LIKE(1, 2) complain(const char *fmt, ...)
{
    AUTO_BUF(text, MiB(1));
    struct str rest;
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    fputs("s3memd: ", stderr);
    for (rest = buf_str(&text); rest.len > 0;) {
        size_t len = str_printable(rest);

        if (len > 0)
            fwrite(rest.ptr, 1, len, stderr);
        else
            fprintf(stderr, "\\x%02x", (unsigned char)rest.ptr[0]);
        rest = str_from(rest, len > 0 ? len : 1);
    }
    fputc('\n', stderr);
}

static void setup_log(const struct settings *s)
{
    enum log_level level = s->verbose ? LOG_LEVEL_DEBUG : (enum log_level)s->log_level;

    log_setup(level, (enum log_format)s->log_format, s->access_log || s->verbose);
}

/* Kubernetes makes some, for a service of our name; tests and scripts have their own. So they are
 * no error. */
static void tell_strange_variables(void)
{
    for (const char *const *e = (const char *const *)environ; *e; e++) {
        AUTO_BUF(text, KiB(4));

        if (settings_env_is_strange(str_c(*e), &text))
            log_warn("%.*s", (int)text.len, text.ptr);
    }
}

/* ---- starting ---------------------------------------------------------------------- */

/* While state or a seed is loaded. */
static bool caught_signal(void *arg)
{
    struct daemon *d = arg;

    signals_wait(d, 0);
    return d->caught;
}

/* Scripts read these lines: localhost is one server, and has one. */
static void announce(const struct server *server)
{
    for (size_t i = 0; i < server->listeners.count; i++) {
        AUTO_BUF(url, KiB(1));

        if (server->listeners.items[i].second)
            continue;
        network_url(server, i, &url);
        printf("s3memd ready on %.*s\n", (int)url.len, url.ptr);
    }
    puts("Ready.");
    fflush(stdout);
    notify_systemd("READY=1");
}

static enum exit_status start(struct daemon *d, struct init_scripts *scripts)
{
    struct server *server = &d->server;
    enum exit_status status;

    init_scripts_run(scripts, INIT_BOOT);
    init_scripts_run(scripts, INIT_START);
    if (d->caught)
        return EXIT_DONE;
    status = server_open(server);
    if (!status)
        status = server_fill(server);
    if (status == EXIT_INTERRUPTED)
        return EXIT_DONE;
    if (status) {
        complain("%.*s", (int)server->why.len, server->why.ptr);
        return status;
    }
    init_scripts_run(scripts, INIT_READY);
    if (!d->caught) {
        admin_set_ready(server->admin);
        announce(server);
    }
    return EXIT_DONE;
}

/* ---- serving ----------------------------------------------------------------------- */

/* Until the next signal. SIGHUP also comes when a terminal is closed: what is in memory must
 * outlive that. */
static void serve(struct daemon *d)
{
    if (d->reload) {
        d->reload = false;
        server_reload(&d->server);
    }
    /* As process 1 of a container it inherits what scripts left behind. */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    signals_wait(d, -1);
}

/* ---- ending ------------------------------------------------------------------------ */

/* Lets requests in flight finish; a second signal does not wait for them. */
static void drain(struct daemon *d)
{
    int64_t deadline = clock_monotonic_ns() + DRAIN_S * NS_PER_S;
    size_t left;

    http_server_quiesce(d->server.http);
    http_listeners_refuse(&d->server.listeners);
    while ((left = http_server_active(d->server.http)) && clock_monotonic_ns() < deadline)
        signals_wait(d, 5);
    if (left)
        log_warn("%zu request%s cut off: not finished after %d s", left, left == 1 ? "" : "s",
                 DRAIN_S);
}

/* From the first init script to the last, and the server in between. */
static enum exit_status run(struct daemon *d)
{
    AUTO_BUF(why, KiB(8));
    struct init_scripts *scripts = init_scripts_open(d, &why);
    enum exit_status status;

    if (!scripts) {
        complain("%.*s", (int)why.len, why.ptr);
        return EXIT_FAILED;
    }
    status = start(d, scripts);
    while (status == EXIT_DONE && !d->caught)
        serve(d);
    if (d->server.http) {
        notify_systemd("STOPPING=1");
        if (status == EXIT_DONE)
            init_scripts_run(scripts, INIT_SHUTDOWN);
        drain(d);
    }
    init_scripts_close(scripts);
    return status;
}

/* ---- --check ----------------------------------------------------------------------- */

static enum exit_status check_file(const char *path)
{
    AUTO_BUF(report, MiB(64));
    AUTO_BUF(why, MiB(1));
    struct str rest, line;
    enum state_check result;

    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT, false);
    result =
        state_check(path, &(struct state_check_options){.bucket_name_ok = s3_bucket_name_ok},
                    &report, &why);
    if (result == STATE_GOOD)
        return fwrite(report.ptr, 1, report.len, stdout) == report.len && fflush(stdout) == 0
                   ? EXIT_DONE
                   : EXIT_FAILED;
    rest = buf_str(&why);
    while (str_split(&rest, '\n', &line))
        complain("%.*s", (int)line.len, line.ptr);
    return result == STATE_BAD ? EXIT_BAD : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct daemon d = {0};
    struct settings settings;
    AUTO_BUF(text, KiB(64));
    enum exit_status status;

    mem_set_up();
    switch (settings_load(&settings, argc, (const char *const *)argv,
                          (const char *const *)environ, &text)) {
    case SETTINGS_SHOWN:
        return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0
                   ? EXIT_DONE
                   : EXIT_FAILED;
    case SETTINGS_CHECK:
        return check_file(text.ptr);
    case SETTINGS_WRONG:
        fwrite(text.ptr, 1, text.len, stderr);
        return EXIT_USAGE;
    case SETTINGS_OK:
        break;
    }
    server_init(&d.server, &settings);
    d.server.adopts_sockets = true;
    d.server.interrupted = caught_signal;
    d.server.interrupted_arg = &d;
    setup_log(&d.server.settings);
    tell_strange_variables();
    signals_setup(&d);
    status = run(&d);
    if (!server_close(&d.server) && status == EXIT_DONE)
        status = EXIT_FAILED;
    return status;
}
