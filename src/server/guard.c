/* SPDX-License-Identifier: MIT */
/* guard.c - the options that let pages and host names in: --cors-allow-origin, --allow-host,
 * --allow-page-scripts; what a --domain names is ours, too. */
#include "server/server.h"

static enum exit_status add_hosts(struct server *server, struct str *room)
{
    const struct str_list *domains = &server->settings.domain;
    const struct str_list *hosts = &server->settings.allow_host;
    size_t count = 0;

    for (size_t i = 0; i < domains->count; i++)
        room[count++] = str_c(domains->items[i]);
    for (size_t i = 0; i < hosts->count; i++) {
        if (!guard_host_ok(str_c(hosts->items[i]))) {
            server_complain(server,
                            "--allow-host: '%s' is not a host name without a port, such as "
                            "s3.example.com",
                            hosts->items[i]);
            return EXIT_USAGE;
        }
        room[count++] = str_c(hosts->items[i]);
    }
    server->guard.hosts = room;
    server->guard.host_count = count;
    return EXIT_DONE;
}

static enum exit_status add_origins(struct server *server, struct str *room)
{
    const struct str_list *origins = &server->settings.cors_allow_origin;
    size_t count = 0;
    const char *why;

    for (size_t i = 0; i < origins->count; i++) {
        struct str origin = str_c(origins->items[i]);

        if (str_eq(origin, STR("*"))) {
            server->guard.any_origin = true;
            continue;
        }
        if (!guard_origin_ok(origin, &why)) {
            server_complain(server,
                            "--cors-allow-origin: '%s' is not an origin, such as "
                            "https://app.example.com:8443, null or *: %s",
                            origins->items[i], why);
            return EXIT_USAGE;
        }
        room[count++] = origin;
    }
    server->guard.origins = room;
    server->guard.origin_count = count;
    return EXIT_DONE;
}

enum exit_status guard_open(struct server *server)
{
    const struct settings *s = &server->settings;
    size_t hosts = s->domain.count + s->allow_host.count;
    enum exit_status status;

    server->guard.page_scripts = s->allow_page_scripts;
    server->guard_texts =
        xcalloc(hosts + s->cors_allow_origin.count + 1, sizeof(*server->guard_texts));
    status = add_hosts(server, server->guard_texts);
    return status ? status : add_origins(server, server->guard_texts + hosts);
}
