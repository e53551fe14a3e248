/* SPDX-License-Identifier: MIT */
/* entry.h - one S3 request as the journal keeps it: raw, secrets and all; masked when printed.
 *
 * One allocation that grows and is used again: filled at the request's beginning (entry_fill)
 * and immutable from then on, but for what only its end knows (entry_complete), which readers
 * of its beginning do not look at. */
#ifndef S3MEM_ADMIN_ENTRY_H
#define S3MEM_ADMIN_ENTRY_H

#include "s3mem/base.h"

#define ENTRY_CODE_MAX 47

struct entry {
    struct entry *next; /* in the journal's list of free ones */
    unsigned refs;      /* guarded by the journal's lock */
    size_t room;        /* bytes of text */
    uint64_t id;

    int64_t time_ns;
    struct str operation; /* static; "-" when it was not routed */
    struct str request_id, bucket, key, branch, access_key, method, target, remote;
    struct str headers; /* packed; entry_header_next */

    unsigned status;
    bool aborted;
    int64_t duration_ns;
    uint64_t bytes_in, bytes_out;
    struct str final_key, final_branch; /* what a form's body said, or as above */
    char *final_text;                   /* owns them if they are not as above */
    uint8_t code_len;
    char code[ENTRY_CODE_MAX];

    char text[];
};

/* Copies what is known at the beginning into reused (may be NULL), or into a new entry when
 * that is too small; then reused is freed. NULL when memory is out. */
MUST_CHECK struct entry *entry_fill(struct entry *reused, const struct traffic_call *call);
void entry_complete(struct entry *e, const struct traffic_call *call);
void entry_free(struct entry *e);

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
