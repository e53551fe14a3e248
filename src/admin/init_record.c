/* SPDX-License-Identifier: MIT */
/* init_record.c - init scripts as they are run, and how LocalStack shows them. Source: its
 * documentation, "Initialization hooks". */
#include "admin/call.h"

struct script {
    enum init_stage stage;
    enum init_state state;
    char *name; /* owned */
};

struct init_record {
    pthread_mutex_t lock; /* guards the rest */
    bool completed[INIT_STAGES];
    struct script *scripts;
    size_t count;
};

static const char *const stages[INIT_STAGES] = {"BOOT", "START", "READY", "SHUTDOWN"};

/* ---- kept -------------------------------------------------------------------------- */

struct init_record *init_record_new(void)
{
    struct init_record *record = xcalloc(1, sizeof(*record));

    pthread_mutex_init(&record->lock, NULL);
    return record;
}

void init_record_free(struct init_record *record)
{
    if (!record)
        return;
    for (size_t i = 0; i < record->count; i++)
        mem_free(record->scripts[i].name);
    mem_free(record->scripts);
    pthread_mutex_destroy(&record->lock);
    mem_free(record);
}

size_t init_record_add(struct init_record *record, enum init_stage stage, const char *name)
{
    size_t number;

    pthread_mutex_lock(&record->lock);
    number = record->count++;
    record->scripts = xrealloc(record->scripts, record->count * sizeof(*record->scripts));
    record->scripts[number] = (struct script){stage, INIT_UNKNOWN, xstrdup(name)};
    pthread_mutex_unlock(&record->lock);
    return number;
}

void init_record_set(struct init_record *record, size_t number, enum init_state state)
{
    pthread_mutex_lock(&record->lock);
    record->scripts[number].state = state;
    pthread_mutex_unlock(&record->lock);
}

void init_record_complete(struct init_record *record, enum init_stage stage)
{
    pthread_mutex_lock(&record->lock);
    record->completed[stage] = true;
    pthread_mutex_unlock(&record->lock);
}

/* ---- shown ------------------------------------------------------------------------- */

static bool is_completed(struct init_record *record, size_t stage)
{
    bool completed = false;

    if (record) {
        pthread_mutex_lock(&record->lock);
        completed = record->completed[stage];
        pthread_mutex_unlock(&record->lock);
    }
    return completed;
}

/* The scripts of the stages from first to last. */
static json_t *scripts_json(struct init_record *record, size_t first, size_t last)
{
    static const char *const states[] = {
        [INIT_UNKNOWN] = "UNKNOWN",
        [INIT_RUNNING] = "RUNNING",
        [INIT_SUCCESSFUL] = "SUCCESSFUL",
        [INIT_ERROR] = "ERROR",
    };
    json_t *list = json_array();

    if (!record)
        return list;
    pthread_mutex_lock(&record->lock);
    for (size_t i = 0; i < record->count; i++) {
        const struct script *s = &record->scripts[i];

        if (s->stage < first || s->stage > last)
            continue;
        json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "stage", stages[s->stage],
                                              "name", admin_string(str_c(s->name)), "state",
                                              states[s->state]));
    }
    pthread_mutex_unlock(&record->lock);
    return list;
}

enum app_next admin_localstack_init(struct admin_call *c)
{
    struct init_record *record = c->admin->options.init;
    json_t *completed = json_object();

    for (size_t i = 0; i < INIT_STAGES; i++)
        json_object_set_new(completed, stages[i], json_boolean(is_completed(record, i)));
    return admin_json(c, 200,
                      json_pack("{s:o, s:o}", "completed", completed, "scripts",
                                scripts_json(record, INIT_BOOT, INIT_SHUTDOWN)));
}

enum app_next admin_localstack_stage(struct admin_call *c)
{
    struct init_record *record = c->admin->options.init;

    for (size_t i = 0; i < INIT_STAGES; i++) {
        if (!str_eq_nocase(c->argument, str_c(stages[i])))
            continue;
        return admin_json(c, 200,
                          json_pack("{s:b, s:o}", "completed", is_completed(record, i),
                                    "scripts", scripts_json(record, i, i)));
    }
    return admin_error(c, 404, "NotFound", "the stages are boot, start, ready and shutdown");
}
