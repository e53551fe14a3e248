/* SPDX-License-Identifier: MIT */
/* filter.c - reading filters, and holding requests against them. */
#include "admin/filter.h"

/* "404" or "4xx" */
static bool is_status(struct str word)
{
    if (word.len != 3 || word.ptr[0] < '1' || word.ptr[0] > '5')
        return false;
    if (str_eq_nocase(str_from(word, 1), STR("xx")))
        return true;
    return word.ptr[1] >= '0' && word.ptr[1] <= '9' && word.ptr[2] >= '0' && word.ptr[2] <= '9';
}

static bool read_statuses(struct admin_call *c, struct filter *out)
{
    struct str list, word;

    out->statuses = list = admin_param(c, "status");
    while (str_split(&list, ',', &word)) {
        if (is_status(str_trim(word)))
            continue;
        admin_field_error(c, 400, "InvalidArgument", "status",
                          "must be statuses like 404 or 4xx, separated by commas");
        return false;
    }
    return true;
}

/* A mistyped name would wait for what never comes. */
static bool read_operations(struct admin_call *c, struct filter *out)
{
    struct str list, word;

    out->operations = list = admin_param(c, "operation");
    while (str_split(&list, ',', &word)) {
        if (admin_operation_known(c, str_trim(word)))
            continue;
        admin_field_error(c, 400, "InvalidArgument", "operation",
                          "must be S3 operations like PutObject, separated by commas");
        return false;
    }
    return true;
}

static bool read_types(struct admin_call *c, struct filter *out)
{
    struct str list, word;

    out->types = list = admin_param(c, "type");
    while (str_split(&list, ',', &word)) {
        word = str_trim(word);
        if (list_has(STR("command.request,command.response"), word) ||
            admin_operation_known(c, word))
            continue;
        admin_field_error(c, 400, "InvalidArgument", "type",
                          "must be command.request, command.response or names like putObject, "
                          "separated by commas");
        return false;
    }
    return true;
}

static bool read_since(struct admin_call *c, struct filter *out)
{
    struct str text = admin_param(c, "since");

    out->since_ns = INT64_MIN;
    if (!text.ptr || str_to_u64(text, &out->since_id) || clock_parse_iso(text, &out->since_ns))
        return true;
    admin_field_error(c, 400, "InvalidArgument", "since",
                      "must be the id of a request, or a time like 2026-01-31T12:00:00Z");
    return false;
}

bool filter_read(struct admin_call *c, struct filter *out)
{
    *out = (struct filter){
        .bucket = admin_param(c, "bucket"),
        .branch = admin_param(c, "branch"),
        .code = admin_param(c, "code"),
        .key = admin_param(c, "key"),
    };
    return admin_pattern_ok(c, out->key) && read_operations(c, out) && read_types(c, out) &&
           read_statuses(c, out) && read_since(c, out);
}

static bool status_passes(struct str list, unsigned status)
{
    struct str word;

    while (str_split(&list, ',', &word)) {
        word = str_trim(word);
        if ((unsigned)(word.ptr[0] - '0') != status / 100)
            continue;
        if (word.ptr[1] == 'x' || word.ptr[1] == 'X' ||
            (unsigned)(word.ptr[1] - '0') * 10 + (unsigned)(word.ptr[2] - '0') == status % 100)
            return true;
    }
    return false;
}

static bool passes(const struct filter *f, const struct entry *e, struct str key,
                   struct str branch)
{
    return (!f->operations.ptr || list_has(f->operations, e->operation)) &&
           (!f->bucket.ptr || str_eq(f->bucket, entry_text(e, ENTRY_BUCKET))) &&
           (!f->branch.ptr || str_eq(f->branch, branch)) &&
           (!f->key.ptr || pattern_matches(f->key, key));
}

bool filter_passes(const struct filter *f, const struct entry *e)
{
    return e->id > f->since_id && e->time_ns >= f->since_ns &&
           passes(f, e, entry_final_key(e), entry_final_branch(e)) &&
           (!f->statuses.ptr || status_passes(f->statuses, e->status)) &&
           (!f->code.ptr || str_eq(f->code, e->code));
}

bool filter_passes_event(const struct filter *f, const struct event *event)
{
    const struct entry *e = event->entry;
    bool ended = event->type != EVENT_REQUEST;
    char name[EVENT_NAME_SIZE];

    return (!f->types.ptr || list_has(f->types, event_name(event, name)) ||
            (event->type == EVENT_OPERATION && list_has(f->types, e->operation))) &&
           passes(f, e, ended ? entry_final_key(e) : entry_text(e, ENTRY_KEY),
                  ended ? entry_final_branch(e) : entry_text(e, ENTRY_BRANCH));
}
