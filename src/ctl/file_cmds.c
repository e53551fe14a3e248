/* SPDX-License-Identifier: MIT */
/* file_cmds.c - files of MemoryClient's, here or on the server's disk; jobs. */
#include "ctl/ctl.h"

#include <errno.h>
#include <time.h>

/* ---- jobs -------------------------------------------------------------------------- */

static const struct ctl_column job_columns[] = {
    {"ID", "id", CTL_NUMBER},       {"KIND", "kind", CTL_TEXT},
    {"STATE", "state", CTL_TEXT},   {"CREATED", "created", CTL_TIME},
    {"ITEMS", "items", CTL_NUMBER}, {"OF", "itemsTotal", CTL_NUMBER},
    {"BYTES", "bytes", CTL_BYTES},  {"OF", "bytesTotal", CTL_BYTES},
    {NULL, NULL, CTL_TEXT},
};

enum ctl_exit cmd_jobs(struct ctl *c)
{
    AUTO_TARGET(t, "jobs");
    json_t *answer = NULL;
    enum ctl_exit status;

    if (ctl_option(c, "cancel") && c->arg_count == 0)
        return ctl_complain(CTL_USAGE, "--cancel needs the number of a job");
    if (c->arg_count > 0)
        ctl_target_part(&t, c->args[0]);
    status = ctl_call(c, ctl_option(c, "cancel") ? "DELETE" : "GET", &t, NULL, &answer);
    if (status)
        return status;
    if (c->json || (c->arg_count > 0 && answer))
        return ctl_print_json(c, answer);
    ctl_print_table(json_object_get(answer, "jobs"), job_columns);
    json_decref(answer);
    return CTL_DONE;
}

#define POLL_NS (100 * NS_PER_MS)

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* Its result, or why there is none. Takes job. */
static enum ctl_exit job_result(json_t *job, json_t **result)
{
    json_t *error = json_object_get(job, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *code = json_string_value(json_object_get(error, "code"));
    enum ctl_exit status = CTL_DONE;

    if (error)
        status = ctl_complain(CTL_REFUSED, "%s (%s)", message ? message : "it failed",
                              code ? code : "?");
    else
        *result = json_incref(json_object_get(job, "result"));
    json_decref(job);
    return status;
}

/* Starts the work as a job and watches it to its end. Takes body. */
static enum ctl_exit run_job(struct ctl *c, const char *path, json_t *body, json_t **result)
{
    AUTO_TARGET(t, path);
    json_t *answer;
    char id[24];
    enum ctl_exit status;
    bool ended = false;

    *result = NULL;
    json_object_set_new(body, "async", json_true());
    status = ctl_call(c, "POST", &t, body, &answer);
    if (status)
        return status;
    snprintf(id, sizeof(id), "%lld", (long long)number(answer, "id"));
    while (!ended) {
        AUTO_TARGET(poll, "jobs");
        const char *state;

        json_decref(answer);
        ctl_target_part(&poll, id);
        status = ctl_call(c, "GET", &poll, NULL, &answer);
        if (status)
            return status;
        state = json_string_value(json_object_get(answer, "state"));
        ended = state && strcmp(state, "waiting") != 0 && strcmp(state, "running") != 0;
        if (!ended) {
            ctl_bar(c, number(answer, "bytes"), number(answer, "bytesTotal"));
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
        }
    }
    ctl_bar_end(c);
    return job_result(answer, result);
}

/* ---- save and load ----------------------------------------------------------------- */

/* "3 versions, 1 tags" */
static void warn_not_saved(const json_t *lost)
{
    const char *kind, *comma = "";
    json_t *count;

    if (json_object_size(lost) == 0)
        return;
    fputs("s3memctl: not saved, since the file cannot hold it:", stderr);
    json_object_foreach((json_t *)(uintptr_t)lost, kind, count)
    {
        fprintf(stderr, "%s %lld %s", comma, (long long)json_integer_value(count), kind);
        comma = ",";
    }
    fputc('\n', stderr);
}

/* Takes answer. */
static enum ctl_exit tell(struct ctl *c, const char *what, const char *file, json_t *answer)
{
    char bytes[32];

    if (c->json)
        return ctl_print_json(c, answer);
    ctl_format_bytes((uint64_t)number(answer, "bytes"), bytes);
    if (!c->quiet)
        printf("%s %s: %lld objects, %s, %s %s\n", file, what,
               (long long)number(answer, "objects"), bytes,
               ctl_option(c, "snapshot") ? "snapshot" : "branch",
               ctl_option(c, "snapshot") ? ctl_option(c, "snapshot") : ctl_branch_name(c));
    json_decref(answer);
    return CTL_DONE;
}

static enum ctl_exit save_on_server(struct ctl *c)
{
    json_t *answer;
    enum ctl_exit status =
        run_job(c, "save",
                json_pack("{s:s, s:s*, s:s*, s:s*, s:b}", "path", c->args[0], "bucket",
                          ctl_option(c, "bucket"), "branch", c->branch, "snapshot",
                          ctl_option(c, "snapshot"), "strict", ctl_option(c, "strict") != NULL),
                &answer);

    if (status)
        return status;
    warn_not_saved(json_object_get(answer, "notSaved"));
    return tell(c, "saved", c->args[0], answer);
}

enum ctl_exit cmd_save(struct ctl *c)
{
    AUTO_TARGET(t, "save");
    json_t *lost = NULL;
    enum ctl_exit status;

    if (ctl_option(c, "server"))
        return save_on_server(c);
    ctl_target_param(&t, "bucket", ctl_option(c, "bucket"));
    ctl_target_param(&t, "branch", c->branch);
    ctl_target_param(&t, "snapshot", ctl_option(c, "snapshot"));
    ctl_target_param(&t, "strict", ctl_option(c, "strict") ? "true" : NULL);
    if (strcmp(c->args[0], "-") == 0)
        status = ctl_download(c, &t, stdout, &lost);
    else
        status = ctl_download_to(c, &t, c->args[0], &lost);
    if (!status)
        warn_not_saved(lost);
    json_decref(lost);
    if (!status && !c->quiet && !c->json && strcmp(c->args[0], "-") != 0)
        printf("%s\n", c->args[0]);
    return status;
}

static enum ctl_exit load_on_server(struct ctl *c)
{
    json_t *answer;
    enum ctl_exit status =
        run_job(c, "load",
                json_pack("{s:s, s:s*, s:s*, s:b}", "path", c->args[0], "bucket",
                          ctl_option(c, "bucket"), "branch", c->branch, "clear",
                          ctl_option(c, "merge") == NULL),
                &answer);

    return status ? status : tell(c, "loaded", c->args[0], answer);
}

enum ctl_exit cmd_load(struct ctl *c)
{
    bool standard = strcmp(c->args[0], "-") == 0;
    AUTO_TARGET(t, "load");
    json_t *answer = NULL;
    enum ctl_exit status;
    FILE *file;

    if (ctl_option(c, "server"))
        return load_on_server(c);
    ctl_target_param(&t, "bucket", ctl_option(c, "bucket"));
    ctl_target_param(&t, "branch", c->branch);
    ctl_target_param(&t, "clear", ctl_option(c, "merge") ? "false" : NULL);
    file = standard ? stdin : fopen(c->args[0], "r");
    if (!file)
        return ctl_complain(CTL_REFUSED, "%s: %s", c->args[0], strerror(errno));
    status = ctl_upload(c, &t, file, &answer);
    if (!standard)
        fclose(file);
    return status ? status : tell(c, "loaded", c->args[0], answer);
}
