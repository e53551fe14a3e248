/* SPDX-License-Identifier: MIT */
/* entry.c - copying a request, and printing it without its secrets. */
#include "admin/traffic/entry.h"
#include "admin/call.h"

#include <stdlib.h>
#include <strings.h>

/* Room grows in such steps, so that a free entry fits most requests. */
#define ROOM_STEP 64
/* More is given back when the next request has no use for it. */
#define ROOM_USUAL KiB(8)
/* The front end allows far less. */
#define ROOM_MAX MiB(16)
/* What a request has of text at least; more comes in order, and the processor sees that. */
#define PREFETCH_TEXT 256

/* ---- keeping ----------------------------------------------------------------------- */

/* Before each header in entry.headers: the name's and the value's length. */
struct packed_header {
    uint32_t name_len, value_len;
};

static size_t headers_size(const struct request *req)
{
    size_t size = 0;

    for (size_t i = 0; i < req->header_count; i++)
        size +=
            sizeof(struct packed_header) + req->headers[i].name.len + req->headers[i].value.len;
    return size;
}

static void add(struct entry *e, char **at, enum entry_text which, struct str s)
{
    *at = str_put(*at, s);
    e->ends[which] = (uint32_t)(*at - e->text);
}

static void add_packed(struct entry *e, char *at, const struct request *req)
{
    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *h = &req->headers[i];
        struct packed_header lengths = {(uint32_t)h->name.len, (uint32_t)h->value.len};

        memcpy(at, &lengths, sizeof(lengths));
        at = str_put(at + sizeof(lengths), h->name);
        at = str_put(at, h->value);
    }
    e->ends[ENTRY_HEADERS] = (uint32_t)(at - e->text);
}

/* The same entry if it has the room (and not far too much of it), else a new one. */
static struct entry *with_room(struct entry *e, size_t need)
{
    if (e && e->room >= need && (e->room <= ROOM_USUAL || need > ROOM_USUAL / 2))
        return e;
    entry_free(e);
    need = (need + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
    e = need <= ROOM_MAX ? try_malloc(sizeof(*e) + need) : NULL;
    if (e) {
        e->room = (uint32_t)need;
        e->final_text = NULL;
    }
    return e;
}

struct entry *entry_fill(struct entry *reused, const struct traffic_call *call)
{
    const struct request *req = call->req;
    size_t need = call->request_id.len + call->bucket.len + call->key.len + call->branch.len +
                  call->access_key.len + req->method.len + req->target.len + req->remote.len +
                  headers_size(req);
    struct entry *e = with_room(reused, need);
    char *at;

    if (!e)
        return NULL;
    at = e->text;
    e->time_ns = call->time_ns;
    e->operation = call->operation;
    add(e, &at, ENTRY_BUCKET, call->bucket);
    add(e, &at, ENTRY_KEY, call->key);
    add(e, &at, ENTRY_BRANCH, call->branch);
    add(e, &at, ENTRY_REQUEST_ID, call->request_id);
    add(e, &at, ENTRY_ACCESS_KEY, call->access_key);
    add(e, &at, ENTRY_METHOD, req->method);
    add(e, &at, ENTRY_TARGET, req->target);
    add(e, &at, ENTRY_REMOTE, req->remote);
    add_packed(e, at, req);
    return e;
}

/* A form's key, and with its access key the branch, come with the body. */
static void keep_final(struct entry *e, const struct traffic_call *call)
{
    if (e->final_text)
        mem_free(TAKE(e->final_text));
    if (str_eq(entry_text(e, ENTRY_KEY), call->key) &&
        str_eq(entry_text(e, ENTRY_BRANCH), call->branch))
        return;
    e->final_text = try_malloc(call->key.len + call->branch.len + 1);
    if (!e->final_text)
        return;
    e->final_key_len = (uint32_t)call->key.len;
    e->final_branch_len = (uint32_t)call->branch.len;
    str_put(str_put(e->final_text, call->key), call->branch);
}

struct str entry_final_key(const struct entry *e)
{
    return e->final_text ? str_of(e->final_text, e->final_key_len) : entry_text(e, ENTRY_KEY);
}

struct str entry_final_branch(const struct entry *e)
{
    return e->final_text ? str_of(e->final_text + e->final_key_len, e->final_branch_len)
                         : entry_text(e, ENTRY_BRANCH);
}

void entry_complete(struct entry *e, const struct traffic_call *call)
{
    e->status = (uint16_t)call->status;
    e->aborted = call->aborted;
    e->duration_ns = call->duration_ns;
    e->bytes_in = call->bytes_in;
    e->bytes_out = call->bytes_out;
    e->code = call->code;
    e->detail = str_c(call->detail);
    keep_final(e, call);
}

void entry_prefetch(const struct entry *e)
{
    const char *at = (const char *)e;
    size_t size = sizeof(*e) + PREFETCH_TEXT;

    for (size_t i = 0; i < size; i += 64)
        __builtin_prefetch(at + i, 1);
}

size_t entry_bytes(const struct entry *e)
{
    size_t final = e->final_text ? (size_t)e->final_key_len + e->final_branch_len + 1 : 0;

    return sizeof(*e) + e->room + final;
}

void entry_free(struct entry *e)
{
    if (e)
        mem_free(e->final_text);
    mem_free(e);
}

/* ---- secrets ----------------------------------------------------------------------- */

/* Longer than a target or a value of a request's can be. */
#define MASKED_MAX MiB(1)

static void add_masked(struct buf *out, struct str value,
                       void (*mask)(struct buf *out, struct str value))
{
    AUTO_BUF(masked, MASKED_MAX);

    mask(&masked, value);
    buf_add_shown_json(out, buf_str(&masked));
}

static void add_masked_header(struct buf *out, struct str name, struct str value)
{
    if (str_eq_nocase(name, STR("authorization")))
        add_masked(out, value, buf_add_masked_authorization);
    else if (header_is_secret(name))
        buf_add(out, MASK);
    else /* a copy source, a referer: any may hold a URL */
        add_masked(out, value, buf_add_masked_target);
}

/* ---- printing ---------------------------------------------------------------------- */

void json_add_text(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    buf_add_shown_json(out, text);
    buf_add_char(out, '"');
}

/* name is printed with what stands before it: ",\"key\":" */
static void add_text(struct buf *out, struct str name, struct str text)
{
    buf_add(out, name);
    json_add_text(out, text);
}

static void add_text_or_null(struct buf *out, struct str name, struct str text)
{
    if (text.len > 0) {
        add_text(out, name, text);
    } else {
        buf_add(out, name);
        buf_add(out, STR("null"));
    }
}

/* A presigned URL whose '?' was encoded is a key, to S3. */
static void add_key(struct buf *out, struct str name, struct str key)
{
    AUTO_BUF(masked, MASKED_MAX);

    buf_add_masked_target(&masked, key);
    add_text_or_null(out, name, buf_str(&masked));
}

static void add_number(struct buf *out, struct str name, uint64_t number)
{
    buf_add(out, name);
    buf_add_u64(out, number);
}

static void add_time(struct buf *out, int64_t unix_ns)
{
    char text[ADMIN_TIME_SIZE];

    buf_add(out, STR(",\"time\":\""));
    buf_add(out, admin_time_text(unix_ns, text));
    buf_add_char(out, '"');
}

static void add_operation(struct buf *out, struct str name, const struct entry *e)
{
    add_text_or_null(out, name, str_eq(e->operation, STR("-")) ? STR("") : e->operation);
}

static bool header_next(const struct entry *e, size_t *at, struct header *out)
{
    struct str headers = entry_text(e, ENTRY_HEADERS);
    struct packed_header lengths;

    if (*at == headers.len)
        return false;
    memcpy(&lengths, headers.ptr + *at, sizeof(lengths));
    *at += sizeof(lengths);
    out->name = str_of(headers.ptr + *at, lengths.name_len);
    *at += lengths.name_len;
    out->value = str_of(headers.ptr + *at, lengths.value_len);
    *at += lengths.value_len;
    return true;
}

static void add_lower(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        c = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        buf_add_shown_json(out, str_of(&c, 1));
    }
}

/* For putting headers of one name together, in the order in which the names came. */
struct placed {
    struct header header;
    uint32_t place, first; /* its own; of the first one of its name */
};

static int by_name(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    struct str m = x->header.name, n = y->header.name;
    int order = strncasecmp(m.ptr, n.ptr, m.len < n.len ? m.len : n.len);

    if (order == 0)
        order = (m.len > n.len) - (m.len < n.len);

    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->first != y->first)
        return x->first > y->first ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Owned. */
static struct placed *place_headers(const struct entry *e, size_t *count)
{
    struct placed *all = NULL;
    size_t cap = 0;
    struct header h;

    *count = 0;
    for (size_t at = 0; header_next(e, &at, &h); (*count)++) {
        if (*count == cap) {
            cap = cap ? cap * 2 : 32;
            all = xrealloc(all, cap * sizeof(*all));
        }
        all[*count] = (struct placed){h, (uint32_t)*count, (uint32_t)*count};
    }
    if (*count == 0)
        return all;
    qsort(all, *count, sizeof(*all), by_name);
    for (size_t i = 1; i < *count; i++) {
        if (str_eq_nocase(all[i].header.name, all[i - 1].header.name))
            all[i].first = all[i - 1].first;
    }
    qsort(all, *count, sizeof(*all), by_place);
    return all;
}

/* Each name once, its values joined. */
static void add_headers(struct buf *out, const struct entry *e)
{
    size_t count;
    struct placed *all = place_headers(e, &count);

    buf_add(out, STR(",\"headers\":{"));
    for (size_t i = 0; i < count; i++) {
        const struct header *h = &all[i].header;

        if (i > 0 && all[i].first == all[i - 1].first) {
            buf_add(out, STR(", "));
        } else {
            buf_add(out, i > 0 ? STR("\",\"") : STR("\""));
            add_lower(out, h->name);
            buf_add(out, STR("\":\""));
        }
        add_masked_header(out, h->name, h->value);
    }
    buf_add(out, count > 0 ? STR("\"}") : STR("}"));
    mem_free(all);
}

/* What is known at the beginning. key and branch: then, or in the end. */
static void add_beginning(struct buf *out, const struct entry *e, struct str key,
                          struct str branch)
{
    add_number(out, STR("{\"id\":"), e->id);
    add_text(out, STR(",\"requestId\":"), entry_text(e, ENTRY_REQUEST_ID));
    add_time(out, e->time_ns);
    add_operation(out, STR(",\"operation\":"), e);
    add_text_or_null(out, STR(",\"bucket\":"), entry_text(e, ENTRY_BUCKET));
    add_key(out, STR(",\"key\":"), key);
    add_text(out, STR(",\"branch\":"), branch);
    add_text(out, STR(",\"method\":"), entry_text(e, ENTRY_METHOD));
    buf_add(out, STR(",\"target\":\""));
    add_masked(out, entry_text(e, ENTRY_TARGET), buf_add_masked_target);
    buf_add_char(out, '"');
    add_text(out, STR(",\"remote\":"), entry_text(e, ENTRY_REMOTE));
}

static void add_numbers(struct buf *out, const struct entry *e)
{
    add_number(out, STR(",\"bytesIn\":"), e->bytes_in);
    add_number(out, STR(",\"bytesOut\":"), e->bytes_out);
    buf_addf(out, ",\"durationMs\":%.3f", (double)e->duration_ns / NS_PER_MS);
}

static void add_end(struct buf *out, const struct entry *e)
{
    add_number(out, STR(",\"status\":"), e->status);
    add_text_or_null(out, STR(",\"code\":"), e->code);
    add_text_or_null(out, STR(",\"detail\":"), e->detail);
    add_numbers(out, e);
    buf_add(out, e->aborted ? STR(",\"aborted\":true}") : STR(",\"aborted\":false}"));
}

void entry_add_json(struct buf *out, const struct entry *e)
{
    add_beginning(out, e, entry_final_key(e), entry_final_branch(e));
    add_text_or_null(out, STR(",\"accessKey\":"), entry_text(e, ENTRY_ACCESS_KEY));
    add_headers(out, e);
    add_end(out, e);
}

/* ---- events ------------------------------------------------------------------------ */

struct str event_name(const struct event *event, char out[EVENT_NAME_SIZE])
{
    static const struct str names[] = {
        [EVENT_REQUEST] = {"command.request", 15},
        [EVENT_RESPONSE] = {"command.response", 16},
    };
    struct str name =
        event->type == EVENT_OPERATION ? event->entry->operation : names[event->type];

    /* MemoryClient has one name for both. */
    if (str_eq(name, STR("ListObjectsV2")))
        name = STR("ListObjects");
    if (name.len >= EVENT_NAME_SIZE)
        name.len = EVENT_NAME_SIZE - 1;
    str_put(out, name);
    out[name.len] = '\0';
    if (out[0] >= 'A' && out[0] <= 'Z')
        out[0] = (char)(out[0] + ('a' - 'A'));
    return str_of(out, name.len);
}

/* MemoryClient's events. */
static void add_operation_event(struct buf *out, const struct entry *e)
{
    add_operation(out, STR("{\"operation\":"), e);
    add_text_or_null(out, STR(",\"bucket\":"), entry_text(e, ENTRY_BUCKET));
    add_key(out, STR(",\"key\":"), entry_final_key(e));
    add_text(out, STR(",\"branch\":"), entry_final_branch(e));
    add_text(out, STR(",\"requestId\":"), entry_text(e, ENTRY_REQUEST_ID));
    add_time(out, e->time_ns);
    add_numbers(out, e);
    buf_add_char(out, '}');
}

void event_add(struct buf *out, const struct event *event)
{
    const struct entry *e = event->entry;
    char name[EVENT_NAME_SIZE];

    add_number(out, STR("id: "), event->number);
    buf_add(out, STR("\nevent: "));
    buf_add(out, event_name(event, name));
    buf_add(out, STR("\ndata: "));
    switch (event->type) {
    case EVENT_REQUEST:
        add_beginning(out, e, entry_text(e, ENTRY_KEY), entry_text(e, ENTRY_BRANCH));
        buf_add_char(out, '}');
        break;
    case EVENT_RESPONSE:
        add_beginning(out, e, entry_final_key(e), entry_final_branch(e));
        add_end(out, e);
        break;
    case EVENT_OPERATION:
        add_operation_event(out, e);
        break;
    }
    buf_add(out, STR("\n\n"));
}
