/* SPDX-License-Identifier: MIT */
/* filter.c - reading filters, and holding requests against them. */
#include "admin/traffic/filter.h"

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
        .request_id = admin_param(c, "requestId"),
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

/* ---- holding requests against it --------------------------------------------------- */

/* A form's key and branch come with its body: of a beginning only what was known then. */
static struct str event_key(const struct event *event)
{
    return event->type == EVENT_REQUEST ? entry_text(event->entry, ENTRY_KEY)
                                        : entry_final_key(event->entry);
}

static struct str event_branch(const struct event *event)
{
    return event->type == EVENT_REQUEST ? entry_text(event->entry, ENTRY_BRANCH)
                                        : entry_final_branch(event->entry);
}

bool event_same_class(const struct event *a, const struct event *b)
{
    return a->type == b->type && str_eq(a->entry->operation, b->entry->operation) &&
           str_eq(entry_text(a->entry, ENTRY_BUCKET), entry_text(b->entry, ENTRY_BUCKET)) &&
           str_eq(event_branch(a), event_branch(b));
}

static bool type_passes(struct str types, const struct event *event)
{
    char name[EVENT_NAME_SIZE];

    return list_has(types, event_name(event, name)) ||
           (event->type == EVENT_OPERATION && list_has(types, event->entry->operation));
}

bool filter_passes_class(const struct filter *f, const struct event *event)
{
    const struct entry *e = event->entry;

    return (!f->bucket.ptr || str_eq(f->bucket, entry_text(e, ENTRY_BUCKET))) &&
           (!f->branch.ptr || str_eq(f->branch, event_branch(event))) &&
           (!f->operations.ptr || list_has(f->operations, e->operation)) &&
           (!f->types.ptr || type_passes(f->types, event));
}

bool filter_passes_rest(const struct filter *f, const struct event *event, bool is_event)
{
    const struct entry *e = event->entry;

    if (f->key.ptr && !pattern_matches(f->key, event_key(event)))
        return false;
    return is_event ||
           (e->id > f->since_id && e->time_ns >= f->since_ns &&
            (!f->statuses.ptr || status_passes(f->statuses, e->status)) &&
            (!f->code.ptr || str_eq(f->code, e->code)) &&
            (!f->request_id.ptr || str_eq(f->request_id, entry_text(e, ENTRY_REQUEST_ID))));
}

bool filter_passes(const struct filter *f, const struct entry *e)
{
    struct event event = {.type = EVENT_RESPONSE, .entry = (struct entry *)(uintptr_t)e};

    return filter_passes_class(f, &event) && filter_passes_rest(f, &event, false);
}

bool filter_passes_event(const struct filter *f, const struct event *event)
{
    return filter_passes_class(f, event) && filter_passes_rest(f, event, true);
}

/* ---- filters among themselves ------------------------------------------------------ */

static const size_t texts[] = {
    offsetof(struct filter, operations), offsetof(struct filter, statuses),
    offsetof(struct filter, types),      offsetof(struct filter, bucket),
    offsetof(struct filter, branch),     offsetof(struct filter, code),
    offsetof(struct filter, key),        offsetof(struct filter, request_id),
};

static struct str *text_at(const struct filter *f, size_t i)
{
    return (struct str *)((char *)(uintptr_t)f + texts[i]);
}

struct filter *filter_copy(const struct filter *f)
{
    size_t size = sizeof(*f);
    struct filter *copy;
    char *at;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += text_at(f, i)->len;
    copy = try_malloc(size);
    if (!copy)
        return NULL;
    *copy = *f;
    at = (char *)(copy + 1);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str *text = text_at(copy, i);

        if (!text->ptr)
            continue;
        str_put(at, *text);
        text->ptr = at;
        at += text->len;
    }
    return copy;
}

bool filter_same(const struct filter *a, const struct filter *b)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct str *x = text_at(a, i), *y = text_at(b, i);

        if (!x->ptr != !y->ptr || !str_eq(*x, *y))
            return false;
    }
    return a->since_id == b->since_id && a->since_ns == b->since_ns;
}

/* FNV-1a. */
uint64_t filter_hash(const struct filter *f)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ f->since_id ^ (uint64_t)f->since_ns;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str text = *text_at(f, i);

        for (size_t k = 0; k < text.len; k++)
            hash = (hash ^ (unsigned char)text.ptr[k]) * UINT64_C(0x100000001b3);
        hash = (hash ^ (text.ptr ? 0x100 + i : i)) * UINT64_C(0x100000001b3);
    }
    return hash;
}
