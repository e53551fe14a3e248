/* SPDX-License-Identifier: MIT */
/* localstack.c - the endpoints of LocalStack that tools wait on and test suites call, in its
 * JSON shapes. Source: LocalStack's documentation, "Internal endpoints" and "Initialization
 * hooks". */
#include "admin/call.h"
#include "s3mem/store.h"

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

enum app_next admin_localstack_info(struct admin_call *c)
{
    char now[ISO_DATE_SIZE];
    int64_t uptime_s = (clock_monotonic_ns() - c->admin->started_ns) / NS_PER_S;

    clock_format_iso(clock_now_ns(), now);
    return admin_json(c, 200,
                      json_pack("{s:s, s:s, s:b, s:s, s:s, s:I}", "version",
                                c->admin->options.version, "edition", "community",
                                "is_license_activated", 0, "system", "linux", "server_time_utc",
                                now, "uptime", (json_int_t)uptime_s));
}

/* ---- init scripts ------------------------------------------------------------------ */

static const char *const stages[] = {"BOOT", "START", "READY", "SHUTDOWN"};

enum { STAGE_READY = 2 };

/* Boot and start are behind us when anybody can ask. */
static bool stage_completed(const struct admin *admin, size_t stage)
{
    return stage < STAGE_READY || (stage == STAGE_READY && admin_is_ready(admin));
}

/* All scripts belong to the stage "ready". */
static json_t *scripts_json(struct admin *admin)
{
    static const char *const states[] = {
        [ADMIN_SCRIPT_RUNNING] = "RUNNING",
        [ADMIN_SCRIPT_SUCCESSFUL] = "SUCCESSFUL",
        [ADMIN_SCRIPT_ERROR] = "ERROR",
    };
    json_t *list = json_array();

    pthread_mutex_lock(&admin->lock);
    for (size_t i = 0; i < admin->script_count; i++) {
        const struct script *s = &admin->scripts[i];

        /* A file's name need not be UTF-8. */
        json_t *name = json_string(s->name);

        json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "stage", stages[STAGE_READY],
                                              "name", name ? name : json_string("?"), "state",
                                              states[s->state]));
    }
    pthread_mutex_unlock(&admin->lock);
    return list;
}

enum app_next admin_localstack_init(struct admin_call *c)
{
    json_t *completed = json_object();

    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        json_object_set_new(completed, stages[i], json_boolean(stage_completed(c->admin, i)));
    return admin_json(
        c, 200,
        json_pack("{s:o, s:o}", "completed", completed, "scripts", scripts_json(c->admin)));
}

enum app_next admin_localstack_stage(struct admin_call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        if (!str_eq_nocase(c->argument, str_c(stages[i])))
            continue;
        return admin_json(c, 200,
                          json_pack("{s:b, s:o}", "completed", stage_completed(c->admin, i),
                                    "scripts",
                                    i == STAGE_READY ? scripts_json(c->admin) : json_array()));
    }
    return admin_error(c, 404, "NotFound", "the stages are boot, start, ready and shutdown");
}
