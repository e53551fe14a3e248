/* SPDX-License-Identifier: MIT */
/* call.h - one admin request, and what handlers may use of it.
 *
 *   begin   guard against web pages -> route -> authorise -> query -> route->begin
 *   body    kept in document, or given to feed
 *   finish  the signed digest of the body -> JSON -> handler, again and again while it waits
 *
 * A handler answers and returns APP_REPLY (as all admin_* that answer do, so that
 * `return admin_error(...)` is the usual end), or returns APP_WAIT and is called again when the
 * request's waker was used. Functions that return false or NULL have answered already. */
#ifndef S3MEM_ADMIN_CALL_H
#define S3MEM_ADMIN_CALL_H

#include "admin/admin.h"
#include "store/store.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#define ADMIN_DOCUMENT_MAX KiB(64)
#define ADMIN_PARAMS_MAX   16

struct faults;
struct job;
struct jobs;
struct journal;
struct statistics;

struct admin {
    struct admin_options options;
    atomic_bool ready;
    int64_t started_ns;                    /* monotonic */
    int64_t started_unix_ns;               /* the server's clock */
    atomic_uint_least64_t snapshots_named; /* names made up so far */
    struct statistics *statistics;
    struct journal *journal; /* NULL: it is off */
    struct faults *faults;
    struct jobs *jobs;
    struct str *operations; /* of the options, sorted without regard to case */
    size_t operation_count;
};

struct admin_call;

enum route_flags {
    OPEN = 1 << 0,       /* needs no signature, even when authentication is on */
    TAKES_JSON = 1 << 1, /* c->json is the body, NULL when there is none */
    CHANGES = 1 << 2,    /* changes the store */
    BEARER = 1 << 3      /* may be asked for with the metrics token in place of a signature */
};

/* A row of admin.def. */
struct route {
    const char *method, *path, *name;
    enum app_next (*handler)(struct admin_call *c);
    bool (*begin)(struct admin_call *c); /* may set c->feed; NULL: nothing to do */
    const char *query;                   /* parameters it knows; "*": whatever there is */
    unsigned flags;
};

/* See admin_settled; zeroed at first. */
struct settling {
    uint64_t begun;    /* requests when it was first asked */
    int64_t since_ns;  /* monotonic; 0: was not asked */
    bool none_leaving; /* since then no reply was on its way, at one moment at least */
};

/* Appends the next piece of an answer, a few microseconds of work. False: it was the last. */
typedef bool piece_next(void *arg, struct buf *out);

struct pieces {
    piece_next *next;
    void *arg;
    struct buf text; /* made, and not yet sent ... */
    size_t sent;     /* ... but so much of it */
    bool over;
};

struct admin_call {
    struct admin *admin;
    const struct request *req;
    struct guard_view guard;
    const struct route *route;             /* NULL: refused */
    struct str argument;                   /* what "*" took, decoded; NUL-terminated */
    struct param params[ADMIN_PARAMS_MAX]; /* decoded; values NUL-terminated */
    size_t param_count;
    struct buf text;      /* owns argument and params */
    struct buf document;  /* the request's body, unless feed is set */
    struct intake intake; /* holds document */
    json_t *json;         /* owned; TAKES_JSON */
    /* Takes the body bit by bit in place of document: APP_REPLY when it has answered. */
    enum app_next (*feed)(struct admin_call *c, const char *data, size_t len);
    struct digest body_digest; /* of what feed got, if the client signed it */
    struct settling settling;
    char field_prefix[48]; /* "rules[2].": stands before the fields that errors name */
    struct job *job;       /* the one that it waits for; see jobs.h */
    void *state;           /* the handler's own; released by state_free */
    void (*state_free)(void *state);
    struct pieces pieces; /* of admin_pieces */
    struct reply reply;
    bool carried_out; /* only the disk may still be waited for */
    struct durable_wait durable_wait;
    int64_t started_ns;
    uint64_t received;
};

/* Endpoints of admin.def. */
#define ROUTE(method, path, handler, begin, query, flags)                                      \
    enum app_next handler(struct admin_call *c);
#include "admin/admin.def"
#undef ROUTE

/* Begin functions named there. */
bool admin_begin_upload(struct admin_call *c);
bool admin_begin_memory_upload(struct admin_call *c);
bool admin_begin_backup_upload(struct admin_call *c);

/* ---- answers (answer.c) ------------------------------------------------------------ */

/* Answers with JSON. Takes value; NULL (out of memory) becomes an InternalError. */
enum app_next admin_json(struct admin_call *c, unsigned status, json_t *value);
/* {"error":{"code","message"}} */
enum app_next admin_error(struct admin_call *c, unsigned status, const char *code,
                          const char *message);
/* The same with "field": the part of the request that is to blame. */
enum app_next admin_field_error(struct admin_call *c, unsigned status, const char *code,
                                const char *field, const char *fmt, ...) PRINTF_LIKE(5, 6);
enum app_next admin_empty(struct admin_call *c, unsigned status);
/* Forgets the reply's headers but those that a browser needs. */
void admin_drop_headers(struct admin_call *c);
/* The end of a message: what was done to a branch shows in it no more (branch_is_current). */
#define BRANCH_REPLACED                                                                        \
    "the branch, or the bucket in it, was restored, cleared or deleted meanwhile"
/* 503 SlowDown: memory is out. */
enum app_next admin_no_memory(struct admin_call *c);
/* Appends a value as JSON, escaped for eyes, too. NULL (out of memory): out fails. */
void buf_add_dump(struct buf *out, const json_t *value);
/* 200 and a body of any length, made piece by piece (pieces.c); arg is the handler's state. */
enum app_next admin_pieces(struct admin_call *c, const char *type, piece_next *next, void *arg);
/* For json_pack: bytes as a string, those that are no UTF-8 replaced; never NULL. */
json_t *admin_string(struct str bytes);
/* "2026-11-24T11:20:00.000Z" with its milliseconds */
json_t *admin_time(int64_t unix_ns);
#define ADMIN_TIME_SIZE ISO_DATE_SIZE
struct str admin_time_text(int64_t unix_ns, char out[ADMIN_TIME_SIZE]);

/* ---- what is asked (ask.c) --------------------------------------------------------- */

/* Decoded query parameter; STR_NONE when absent. */
struct str admin_param(const struct admin_call *c, const char *name);
/* "true" or "false"; absent: false. False: answered. */
MUST_CHECK bool admin_param_bool(struct admin_call *c, const char *name, bool *out);
MUST_CHECK bool admin_param_u64(struct admin_call *c, const char *name, uint64_t *out);
/* With a unit: "250ms", "5s" ... */
MUST_CHECK bool admin_param_duration(struct admin_call *c, const char *name, int64_t *ns);
/* The branch that ?branch= names, default main; a reference. NULL: answered. */
MUST_CHECK struct branch *admin_branch(struct admin_call *c);
/* The same of a name that was asked for elsewhere; ptr NULL: main. Blames "branch". */
MUST_CHECK struct branch *admin_branch_named(struct admin_call *c, struct str name);

/* Is value (NULL counts as empty) an object with no other fields than these ("name from")? */
MUST_CHECK bool admin_fields(struct admin_call *c, const json_t *value, const char *fields);
/* Fields of such an object; *out keeps its value when absent or null. A text is borrowed. */
MUST_CHECK bool admin_field_text(struct admin_call *c, const json_t *object, const char *name,
                                 struct str *out);
MUST_CHECK bool admin_field_u64(struct admin_call *c, const json_t *object, const char *name,
                                uint64_t max, uint64_t *out);
/* A text with a unit, or a number of milliseconds. Negative only if it may be. */
MUST_CHECK bool admin_field_duration(struct admin_call *c, const json_t *object,
                                     const char *name, bool may_be_negative, int64_t *ns);
/* "1.5s", "-2h": units ns us ms s m h d; false for anything else. */
MUST_CHECK bool duration_parse(struct str text, int64_t *ns);
/* The name of a branch or snapshot: is it one? Blames `field`. */
MUST_CHECK bool admin_name_ok(struct admin_call *c, const char *field, struct str name);
/* Is this one of S3's operations? ASCII case ignored. */
bool admin_operation_known(const struct admin_call *c, struct str name);
/* For qsort, of struct str: the order in which that is found out. */
int admin_compare_operations(const void *a, const void *b);
/* Room for a key of the longest and a star around each of its bytes. Blames "key". */
#define PATTERN_MAX (2 * KEY_MAX + 1)
MUST_CHECK bool admin_pattern_ok(struct admin_call *c, struct str pattern);
/* '*' any run of bytes, '?' one byte. Linear in text, whatever the pattern (pattern.c). */
bool pattern_matches(struct str pattern, struct str text);
/* Is text one of the comma-separated words? ASCII case ignored. */
bool list_has(struct str words, struct str text);

/* ---- states (states.c) ------------------------------------------------------------- */

void named_info_add_json(struct buf *out, const struct named_info *info);
typedef bool next_named(struct store *store, struct str after, bool inclusive,
                        struct named_info *out);
/* All branches, or all snapshots, one after the other; zeroed but for store and next. */
struct named_walk {
    struct store *store;
    next_named *next;
    char after[NAME_MAX_LEN + 1];
    uint64_t count, stored_bytes; /* of those seen */
};
MUST_CHECK bool named_walk_next(struct named_walk *w, struct named_info *info);
/* 201 and what it is: the snapshot of that name was made just now. */
enum app_next admin_snapshot_created(struct admin_call *c, struct str name);

/* ---- traffic (traffic.c, requests.c) ----------------------------------------------- */

/* Have the S3 requests ended that had begun when this call first asked? A client has its reply
 * a moment before the server is done with the request; who looks at the journal or the counts
 * then must find it there. True also when they take longer than that moment. False: it will be
 * called again, return APP_WAIT. */
MUST_CHECK bool admin_settled(struct admin_call *c);
/* 409 JournalOff */
enum app_next admin_journal_off(struct admin_call *c);

/* ---- the rest ---------------------------------------------------------------------- */

bool admin_is_ready(const struct admin *admin);

/* Finds c->route, or answers why there is none. (route.c) */
void route_choose(struct admin_call *c);
/* Decodes the query and checks that the route knows its parameters. */
MUST_CHECK bool route_read_query(struct admin_call *c);

#endif
