/* SPDX-License-Identifier: MIT */
/* localstack.c - the endpoints of LocalStack that tools wait on and test suites call, in its
 * JSON shapes. Source: LocalStack's documentation, "Internal endpoints". */
#include "admin/call.h"
#include "store/store.h"

#include <stdio.h>
#include <sys/utsname.h>

enum app_next admin_localstack_health(struct admin_call *c)
{
    bool ready = admin_is_ready(c->admin);

    return admin_json(c, ready ? 200 : 503,
                      json_pack("{s:{s:s}, s:s, s:s}", "services", "s3",
                                ready ? "running" : "starting", "edition", "community",
                                "version", c->admin->options.version));
}

static bool empty_the_store(struct admin *admin)
{
    AUTO(branch) b = store_branch(admin->options.store, STR("main"));

    return branch_clear(&b) == NAMED_OK;
}

/* {"action":"restart"}: LocalStack comes back empty. */
enum app_next admin_localstack_command(struct admin_call *c)
{
    json_t *command =
        json_loadb(c->document.ptr ? c->document.ptr : "", c->document.len, 0, NULL);
    const char *action = json_string_value(json_object_get(command, "action"));
    bool restart = action && strcmp(action, "restart") == 0;

    json_decref(command);
    if (!restart) {
        return admin_error(c, 400, "InvalidAction",
                           "the only action is {\"action\":\"restart\"}");
    }
    if (!empty_the_store(c->admin))
        return admin_no_memory(c);
    return admin_json(c, 200, json_pack("{s:s}", "status", "ok"));
}

enum app_next admin_localstack_reset(struct admin_call *c)
{
    return empty_the_store(c->admin) ? admin_empty(c, 200) : admin_no_memory(c);
}

enum app_next admin_localstack_reset_service(struct admin_call *c)
{
    if (str_eq(c->argument, STR("s3")))
        return admin_localstack_reset(c);
    return admin_error(c, 404, "NotFound", "the only service here is s3");
}

static json_t *info_json(const struct admin_call *c)
{
    char now[ISO_DATE_SIZE];
    int64_t uptime_s = (clock_monotonic_ns() - c->admin->started_ns) / NS_PER_S;

    clock_format_iso(clock_now_ns(), now);
    return json_pack("{s:s, s:s, s:b, s:s, s:s, s:I}", "version", c->admin->options.version,
                     "edition", "community", "is_license_activated", 0, "system", "linux",
                     "server_time_utc", now, "uptime", (json_int_t)uptime_s);
}

enum app_next admin_localstack_info(struct admin_call *c)
{
    return admin_json(c, 200, info_json(c));
}

/* ---- what it is made of ------------------------------------------------------------ */

/* "127.0.0.1:4566" as LocalStack's HostAndPort; a Unix socket has no port. */
static json_t *address_json(struct str address)
{
    size_t colon = SIZE_MAX;
    uint64_t port = 0;

    for (size_t i = 0; i < address.len; i++) {
        if (address.ptr[i] == ':')
            colon = i;
    }
    if (colon == SIZE_MAX || !str_to_u64(str_from(address, colon + 1), &port))
        return json_pack("{s:o, s:n}", "host", admin_string(address), "port");
    return json_pack("{s:o, s:I}", "host", admin_string(str_of(address.ptr, colon)), "port",
                     (json_int_t)port);
}

/* Those of LocalStack's variables that mean something here. */
static json_t *config_json(const struct admin_call *c)
{
    const struct admin_options *o = &c->admin->options;

    return json_pack("{s:[o], s:o, s:o, s:b, s:b, s:[s]}", "GATEWAY_LISTEN",
                     address_json(o->address), "LOCALSTACK_HOST", address_json(c->req->host),
                     "DEFAULT_REGION", admin_string(o->region), "PERSISTENCE",
                     o->durable != NULL, "DEBUG", log_access_enabled(), "SERVICES", "s3");
}

enum app_next admin_localstack_config(struct admin_call *c)
{
    return admin_json(c, 200, config_json(c));
}

/* What names Docker and the network around it stays empty: neither is asked. */
enum app_next admin_localstack_diagnose(struct admin_call *c)
{
    const char *state = admin_is_ready(c->admin) ? "running" : "starting";
    char kernel[sizeof(struct utsname)] = "unknown";
    struct utsname host;

    if (uname(&host) == 0)
        snprintf(kernel, sizeof(kernel), "%s version %s %s", host.sysname, host.release,
                 host.version);
    return admin_json(
        c, 200,
        json_pack("{s:{s:{}, s:{s:n, s:n, s:s}, s:{s:s}}, s:o, s:{s:s}, s:o, s:s, s:{}, s:{}, "
                  "s:{}, s:{s:s}, s:{}}",
                  "version", "image-version", "localstack-version", "build-date",
                  "build-git-hash", "build-version", c->admin->options.version, "host",
                  "kernel", kernel, "info", info_json(c), "services", "s3", state, "config",
                  config_json(c), "docker-inspect", "inspect failed: Docker is not asked",
                  "docker-dependent-image-hashes", "file-tree", "important-endpoints", "logs",
                  "docker", "the log is on standard error", "usage"));
}

static json_t *plugin_json(const char *name)
{
    return json_pack("{s:s, s:b, s:b}", "name", name, "is_initialized", 1, "is_loaded", 1);
}

enum app_next admin_localstack_plugins(struct admin_call *c)
{
    return admin_json(
        c, 200,
        json_pack("{s:[o], s:[o, o], s:[], s:[], s:[]}", "localstack.aws.provider",
                  plugin_json("s3:default"), "localstack.init.runner", plugin_json("py"),
                  plugin_json("sh"), "localstack.hooks.on_infra_start",
                  "localstack.hooks.on_infra_ready", "localstack.hooks.on_infra_shutdown"));
}
