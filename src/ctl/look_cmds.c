/* SPDX-License-Identifier: MIT */
/* look_cmds.c - looking: statistics, requests, events, readiness. */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};

    nanosleep(&t, NULL);
}

/* ---- stats ------------------------------------------------------------------------- */

const struct ctl_column ctl_bucket_columns[] = {
    {"BUCKET", "bucket", CTL_TEXT},         {"CREATED", "created", CTL_TIME},
    {"VERSIONING", "versioning", CTL_TEXT}, {"OBJECTS", "objectCount", CTL_NUMBER},
    {"BYTES", "totalSize", CTL_BYTES},      {"VERSIONS", "versionCount", CTL_NUMBER},
    {"UPLOADS", "uploadCount", CTL_NUMBER}, {NULL, NULL, CTL_TEXT},
};

static const struct ctl_column operation_columns[] = {
    {"OPERATION", "name", CTL_TEXT},
    {"COUNT", "count", CTL_NUMBER},
    {"ERRORS", "errors", CTL_NUMBER},
    {"IN", "bytesIn", CTL_BYTES},
    {"OUT", "bytesOut", CTL_BYTES},
    {"P50 MS", "latencyMs.p50", CTL_MS},
    {"P99 MS", "latencyMs.p99", CTL_MS},
    {"MAX MS", "latencyMs.max", CTL_MS},
    {NULL, NULL, CTL_TEXT},
};

static void print_bytes(const char *what, const json_t *memory, const char *field)
{
    char text[32];

    ctl_format_bytes((uint64_t)json_integer_value(json_object_get(memory, field)), text);
    printf("  %-10s %s\n", what, text);
}

static void print_memory(const json_t *memory)
{
    puts("Memory");
    print_bytes("data", memory, "data");
    print_bytes("overhead", memory, "overhead");
    print_bytes("shared", memory, "shared");
    print_bytes("resident", memory, "resident");
    if (json_integer_value(json_object_get(memory, "limit")) > 0)
        print_bytes("limit", memory, "limit");
}

static int64_t number_of(const json_t *object, const char *field)
{
    return (int64_t)json_integer_value(json_object_get(object, field));
}

static void print_persistence(const json_t *p)
{
    const char *error = json_string_value(json_object_get(p, "error"));

    if (!json_is_object(p))
        return;
    printf("\nState on disk: %s", json_string_value(json_object_get(p, "file")));
    if (!json_is_true(json_object_get(p, "autoPersist"))) {
        puts(" (loaded, not written to)");
        return;
    }
    printf(" (%s): %s", json_string_value(json_object_get(p, "durability")),
           json_string_value(json_object_get(p, "state")));
    printf(", %" PRId64 " changes to be written",
           number_of(p, "changes") - number_of(p, "written"));
    if (number_of(p, "behindMs") > 0)
        printf(", the oldest for %" PRId64 " ms", number_of(p, "behindMs"));
    printf("%s%s\n", error ? ": " : "", error ? error : "");
}

/* {"PutObject":{...}} -> [{"name":"PutObject",...}] */
static json_t *rows_of(const json_t *operations)
{
    json_t *rows = json_array(), *value;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)operations, name, value)
    {
        json_t *row = json_copy(value);

        json_object_set_new(row, "name", json_string(name));
        json_array_append_new(rows, row);
    }
    return rows;
}

static void print_stats(const json_t *stats)
{
    const json_t *operations =
        json_object_get(json_object_get(stats, "requests"), "operations");
    json_t *branch, *rows;
    size_t i;

    json_array_foreach(json_object_get(stats, "branches"), i, branch)
    {
        printf("Branch %s\n", json_string_value(json_object_get(branch, "name")));
        ctl_print_table(json_object_get(branch, "buckets"), ctl_bucket_columns);
        putchar('\n');
    }
    print_memory(json_object_get(stats, "memory"));
    print_persistence(json_object_get(stats, "persistence"));
    if (json_object_size(operations) == 0)
        return;
    rows = rows_of(operations);
    putchar('\n');
    ctl_print_table(rows, operation_columns);
    json_decref(rows);
}

enum ctl_exit cmd_stats(struct ctl *c)
{
    AUTO_TARGET(t, "stats");
    json_t *answer;
    enum ctl_exit status;

    ctl_target_param(&t, "branch", c->branch);
    ctl_target_param(&t, "bucket", ctl_option(c, "bucket"));
    status = ctl_call(c, "GET", &t, NULL, &answer);
    if (status)
        return status;
    if (c->json)
        return ctl_print_json(c, answer);
    print_stats(answer);
    json_decref(answer);
    return CTL_DONE;
}

/* ---- requests ---------------------------------------------------------------------- */

static const struct ctl_column request_columns[] = {
    {"ID", "id", CTL_NUMBER},
    {"TIME", "time", CTL_TIME},
    {"OPERATION", "operation", CTL_TEXT},
    {"BRANCH", "branch", CTL_TEXT},
    {"BUCKET", "bucket", CTL_TEXT},
    {"KEY", "key", CTL_TEXT},
    {"STATUS", "status", CTL_NUMBER},
    {"CODE", "code", CTL_TEXT},
    {"IN", "bytesIn", CTL_BYTES},
    {"OUT", "bytesOut", CTL_BYTES},
    {"MS", "durationMs", CTL_MS},
    {NULL, NULL, CTL_TEXT},
};

static void add_filters(const struct ctl *c, struct ctl_target *t, const char *const *names)
{
    for (; *names; names++)
        ctl_target_param(t, *names, ctl_option(c, *names));
    ctl_target_param(t, "branch", c->branch);
}

/* All that the journal knows of the one request. Takes answer. */
static enum ctl_exit show_request(struct ctl *c, const char *id, json_t *answer)
{
    json_t *found = json_incref(json_array_get(json_object_get(answer, "requests"), 0));

    json_decref(answer);
    if (found)
        return ctl_print_json(c, found);
    return ctl_complain(CTL_REFUSED,
                        "no request '%s' is in the journal, which keeps the last ones "
                        "(s3memd --journal N)",
                        id);
}

enum ctl_exit cmd_requests(struct ctl *c)
{
    static const char *const filters[] = {"operation", "bucket", "key",  "status", "code",
                                          "since",     "limit",  "wait", "count",  NULL};
    AUTO_TARGET(t, "requests");
    const char *id = ctl_option(c, "id");
    json_t *answer;
    enum ctl_exit status;
    bool timed_out;

    if (ctl_option(c, "clear"))
        return ctl_call(c, "DELETE", &t, NULL, NULL);
    add_filters(c, &t, filters);
    ctl_target_param(&t, "requestId", id);
    status = ctl_call(c, "GET", &t, NULL, &answer);
    if (status)
        return status;
    if (id)
        return show_request(c, id, answer);
    timed_out = json_is_true(json_object_get(answer, "timedOut"));
    if (c->json) {
        ctl_print_json(c, answer);
    } else {
        ctl_print_table(json_object_get(answer, "requests"), request_columns);
        if (timed_out)
            ctl_complain(CTL_REFUSED, "only %lld matched in time",
                         (long long)json_integer_value(json_object_get(answer, "matched")));
        json_decref(answer);
    }
    return timed_out ? CTL_REFUSED : CTL_DONE;
}

/* ---- events ------------------------------------------------------------------------ */

struct follower {
    struct ctl *c;
    char last_id[32]; /* of the last event; empty before the first */
    char type[64];
    uint64_t seen, wanted; /* wanted 0: without an end */
};

static const char *text_of(const json_t *event, const char *field)
{
    const char *text = json_string_value(json_object_get(event, field));

    return text ? text : "-";
}

static void print_event(const struct follower *f, struct str data)
{
    json_t *event = json_loadb(data.ptr, data.len, JSON_ALLOW_NUL, NULL);

    ctl_make_printable(event);
    if (f->c->json) {
        printf("{\"type\":\"%s\",\"data\":", f->type);
        ctl_write_json(data);
        puts("}");
    } else if (strcmp(f->type, "lost") == 0) {
        printf("(%lld events were lost: this reader is too slow)\n",
               (long long)json_integer_value(json_object_get(event, "lost")));
    } else {
        json_int_t status = json_integer_value(json_object_get(event, "status"));

        printf("%s  %-18s %-20s %s/%s", text_of(event, "time"), f->type,
               text_of(event, "operation"), text_of(event, "bucket"), text_of(event, "key"));
        if (status)
            printf("  %" JSON_INTEGER_FORMAT " %s", status, text_of(event, "code"));
        putchar('\n');
    }
    fflush(stdout);
    json_decref(event);
}

static struct str value_of(struct str line, struct str field)
{
    return str_has_prefix(line, field) ? str_trim(str_from(line, field.len)) : STR_NONE;
}

static bool take_line(void *arg, struct str line)
{
    struct follower *f = arg;
    struct str id = value_of(line, STR("id:")), type = value_of(line, STR("event:"));
    struct str data = value_of(line, STR("data:"));

    if (id.ptr)
        snprintf(f->last_id, sizeof(f->last_id), "%.*s", (int)id.len, id.ptr);
    if (type.ptr)
        snprintf(f->type, sizeof(f->type), "%.*s", (int)type.len, type.ptr);
    if (!data.ptr)
        return true;
    print_event(f, data);
    return ++f->seen != f->wanted;
}

/* Everything seen has been printed: an interrupt is how following ends. */
static void end_quietly(int signal_number)
{
    (void)signal_number;
    _exit(CTL_DONE);
}

#define RECONNECT_MS 1000
#define RECONNECTS   30

enum ctl_exit cmd_events(struct ctl *c)
{
    static const char *const filters[] = {"operation", "bucket", "key", "type", NULL};
    struct follower f = {.c = c};
    const char *count = ctl_option(c, "count");
    enum ctl_exit status = CTL_DONE;

    if (count && (!str_to_u64(str_c(count), &f.wanted) || f.wanted == 0))
        return ctl_complain(CTL_USAGE, "--count takes a number");
    signal(SIGINT, end_quietly);
    for (int tries = 0; tries < RECONNECTS; tries++) {
        AUTO_TARGET(t, "events");
        uint64_t before = f.seen;

        add_filters(c, &t, filters);
        if (f.last_id[0])
            ctl_target_param(&t, "lastEventId", f.last_id);
        status = ctl_follow(c, &t, take_line, &f);
        /* A server that was never there is a mistake; one that went may come back. */
        if (status != CTL_UNREACHED || (tries == 0 && f.seen == 0 && !f.last_id[0]))
            return status;
        if (f.seen > before)
            tries = 0;
        sleep_ms(RECONNECT_MS);
    }
    return status;
}

/* ---- wait, version ----------------------------------------------------------------- */

#define POLL_MS 50

/* What is missing yet; NULL: nothing. */
static const char *not_there(struct ctl *c, const char *bucket)
{
    AUTO_TARGET(health, "health");
    AUTO_TARGET(stats, "stats");
    json_t *answer;
    long status = ctl_probe(c, &health, &answer);
    const char *missing = status == 0                   ? "is not there"
                          : !ctl_health_version(answer) ? "answers, but is no s3memd,"
                          : status != 200               ? "is not ready"
                                                        : NULL;

    json_decref(answer);
    if (missing || !bucket)
        return missing;
    ctl_target_param(&stats, "branch", ctl_branch_name(c));
    ctl_target_param(&stats, "bucket", bucket);
    status = ctl_probe(c, &stats, &answer);
    json_decref(answer);
    return status == 200 ? NULL
           : status == 401 || status == 403
               ? "does not say which buckets there are to these keys,"
               : "has no such bucket";
}

enum ctl_exit cmd_wait(struct ctl *c)
{
    const char *timeout = ctl_option(c, "timeout"), *bucket = ctl_option(c, "bucket"), *missing;
    uint64_t seconds = 30;
    int64_t deadline_ns;

    if (timeout && !str_to_u64(str_c(timeout), &seconds))
        return ctl_complain(CTL_USAGE, "--timeout takes seconds");
    deadline_ns = clock_monotonic_ns() + (int64_t)seconds * NS_PER_S;
    while ((missing = not_there(c, bucket))) {
        if (clock_monotonic_ns() >= deadline_ns)
            return ctl_complain(CTL_REFUSED, "%s %s after %llu s", c->endpoint, missing,
                                (unsigned long long)seconds);
        sleep_ms(POLL_MS);
    }
    return CTL_DONE;
}

enum ctl_exit cmd_version(struct ctl *c)
{
    AUTO_TARGET(t, "health");
    json_t *answer;
    const char *server;
    enum ctl_exit status = CTL_DONE;
    bool there = ctl_probe(c, &t, &answer);

    server = ctl_health_version(answer);
    if (c->json) {
        ctl_print_json(c, json_pack("{s:s, s:s?}", "client", S3MEM_VERSION, "server", server));
    } else {
        puts("s3memctl " S3MEM_VERSION);
        if (server)
            printf("s3memd %s at %s\n", server, c->endpoint);
    }
    /* What is in the way another call says. */
    if (!there)
        status = ctl_call(c, "GET", &t, NULL, NULL);
    else if (!server)
        status = ctl_no_s3memd(c);
    json_decref(answer);
    return status;
}
