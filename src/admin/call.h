/* SPDX-License-Identifier: MIT */
/* call.h - one admin request, and what handlers may use of it. */
#ifndef S3MEM_ADMIN_CALL_H
#define S3MEM_ADMIN_CALL_H

#include "s3mem/admin.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#define ADMIN_DOCUMENT_MAX KiB(64)

struct script {
    char *name; /* owned */
    enum admin_script_state state;
};

struct admin {
    struct admin_options options;
    atomic_bool ready;
    int64_t started_ns;   /* monotonic */
    pthread_mutex_t lock; /* guards scripts */
    struct script *scripts;
    size_t script_count;
};

struct admin_call;

enum route_flags { CHANGES = 1 << 0 };

/* A row of admin.def. */
struct route {
    const char *method, *path, *name;
    void (*handler)(struct admin_call *c);
    unsigned flags;
};

struct admin_call {
    struct admin *admin;
    const struct request *req;
    const struct route *route; /* NULL: refused */
    struct str argument;       /* what "*" took */
    struct buf document;       /* the request's body */
    struct reply reply;
    int64_t started_ns;
    uint64_t received;
};

/* Endpoints of admin.def. */
#define ROUTE(method, path, handler, flags) void handler(struct admin_call *c);
#include "admin/admin.def"
#undef ROUTE

/* Answers with JSON. Takes value; NULL (out of memory) becomes an InternalError. */
void admin_json(struct admin_call *c, unsigned status, json_t *value);
/* {"error":{"code","message"}} */
void admin_error(struct admin_call *c, unsigned status, const char *code, const char *message);
void admin_empty(struct admin_call *c, unsigned status);
bool admin_is_ready(const struct admin *admin);

/* Is this request what a web page on another site could have made a browser send? (origin.c) */
MUST_CHECK bool origin_is_foreign(const struct admin_options *options,
                                  const struct request *req);

#endif
