/* SPDX-License-Identifier: MIT */
/* entry.h - one S3 request as the journal keeps it: raw, secrets and all; masked when printed.
 *
 * One allocation that grows and is used again: filled at the request's beginning (entry_fill)
 * and immutable from then on, but for what only its end knows (entry_complete), which readers
 * of its beginning do not look at. */
#ifndef S3MEM_ADMIN_ENTRY_H
#define S3MEM_ADMIN_ENTRY_H

#include "app/app.h"

/* Texts of an entry, in this order one behind the other. */
enum entry_text {
    ENTRY_BUCKET,
    ENTRY_KEY,
    ENTRY_BRANCH,
    ENTRY_REQUEST_ID,
    ENTRY_ACCESS_KEY,
    ENTRY_METHOD,
    ENTRY_TARGET,
    ENTRY_REMOTE,
    ENTRY_HEADERS, /* packed */
    ENTRY_TEXTS
};

/* Small, and what most requests write stands together: each entry comes out of the cold, a
 * thousand requests after it was used last. */
struct entry {
    struct entry *next; /* in the journal's list of free ones */
    uint32_t refs;      /* guarded by the journal's lock */
    uint32_t room;      /* bytes of text */
    uint64_t id;
    uint64_t place_end; /* the journal's: position behind it among completed entries */
    int64_t time_ns;
    struct str operation; /* static; "-" when it was not routed */
    uint32_t ends[ENTRY_TEXTS];

    uint16_t status;
    bool aborted;
    int64_t duration_ns;
    uint64_t bytes_in, bytes_out;
    struct str code, detail; /* static */
    /* Key and then branch, when a form's body said others; else NULL. */
    char *final_text;
    uint32_t final_key_len, final_branch_len;

    char text[];
};

static inline struct str entry_text(const struct entry *e, enum entry_text which)
{
    uint32_t start = which == 0 ? 0 : e->ends[which - 1];

    return str_of(e->text + start, e->ends[which] - start);
}
/* As known in the end. */
struct str entry_final_key(const struct entry *e);
struct str entry_final_branch(const struct entry *e);

/* Copies what is known at the beginning into reused (may be NULL), or into a new entry when
 * that is too small; then reused is freed. NULL when memory is out. */
MUST_CHECK struct entry *entry_fill(struct entry *reused, const struct traffic_call *call);
void entry_complete(struct entry *e, const struct traffic_call *call);
void entry_free(struct entry *e);
/* Memory that the entry takes. */
size_t entry_bytes(const struct entry *e);
/* It will be filled soon. */
void entry_prefetch(const struct entry *e);

enum event_type {
    EVENT_REQUEST,   /* command.request: it has begun */
    EVENT_RESPONSE,  /* command.response: it has ended */
    EVENT_OPERATION, /* putObject ...: with success */
};
struct event {
    uint64_t number;
    enum event_type type;
    struct entry *entry;
};
#define EVENT_NAME_SIZE 64
/* "command.request", "putObject"; NUL-terminated. */
struct str event_name(const struct event *event, char out[EVENT_NAME_SIZE]);

/* A request of the journal as JSON. */
void entry_add_json(struct buf *out, const struct entry *e);
/* id, event, data and a blank line, as text/event-stream has them. */
void event_add(struct buf *out, const struct event *event);

/* Bytes as a JSON text with its quotes. */
void json_add_text(struct buf *out, struct str text);

#endif
