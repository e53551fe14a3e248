/* SPDX-License-Identifier: MIT */
/* admin.h - the door of room admin: health, LocalStack's and MinIO's endpoints, as an
 * application for the front end. src/admin/admin.def has a row for each endpoint. */
#ifndef S3MEM_ADMIN_H
#define S3MEM_ADMIN_H

#include "app/app.h"

struct init_record;
struct persist_stats;
struct state_dirs;
struct store;

/* Everything is borrowed and must outlive the admin. */
struct admin_options {
    struct store *store;
    const char *version;
    /* Names of S3's operations, ended by NULL: fault rules may name no others. NULL: any. */
    const char *const *operations;
    struct guard guard; /* against web pages */
    /* Is the request signed by a key that may administer? Asked for every endpoint that is not
     * OPEN; NULL: authentication is off. On an error `message` may say more than its code. */
    enum s3_err (*authorise)(void *arg, const struct request *req, struct buf *message);
    void *authorise_arg;
    struct str metrics_token; /* whoever shows it may read the metrics; empty: nobody */
    size_t journal_size;      /* requests that are remembered, at most 1000000; 0: none are, and
                          * there are no events */
    struct str ca_pem;  /* of the certificate that was made at the start; empty: none was */
    struct str address; /* where it listens first: "127.0.0.1:4566" */
    /* Of buckets that a loaded file brings: */
    struct str region, owner;
    bool (*bucket_name_ok)(struct str name);
    const struct state_dirs *state_dirs; /* where clients may name files; NULL: nowhere */
    uint64_t max_memory_bytes;           /* the store's limit, for the statistics; 0: none */
    const struct durable *durable;       /* asked before and after each change; may be NULL */
    /* For the statistics; false, or NULL: there is no state on disk. */
    bool (*persist_stats)(void *arg, struct persist_stats *out);
    void *persist_stats_arg;
    struct init_record *init; /* borrowed; NULL: nobody runs init scripts */
    struct turns *turns;      /* what the front end records long turns in; NULL: nobody does */
};

struct admin;
struct admin *admin_new(const struct admin_options *options);
/* No call is open any more: cancels long work and waits for its end. Accepts NULL. */
void admin_end_jobs(struct admin *admin);
void admin_free(struct admin *admin);
/* For the mounts below: */
struct app admin_app(struct admin *admin);
#define ADMIN_PREFIXES                                                                         \
    {                                                                                          \
        STR("/_s3mem/"), STR("/_localstack/"), STR("/minio/health/")                           \
    }

/* GET or HEAD of /health or /healthz, which might be a bucket's name. */
#define ADMIN_PROBE_PREFIX "/health"
bool admin_is_probe(const struct request *req);

/* What room s3 is to tell its requests to: journal, events, statistics, faults. Good until
 * admin_free. */
struct traffic admin_traffic(struct admin *admin);
/* Appends what GET stats answers, a JSON object; keys: with the keys of every bucket. */
void admin_stats(struct admin *admin, bool keys, struct buf *out);

/* From now on health answers 200: buckets and seeds are there, init scripts are done. */
void admin_set_ready(struct admin *admin);

/* ---- init scripts ------------------------------------------------------------------ */

/* LocalStack's stages and states, in its order. */
enum init_stage { INIT_BOOT, INIT_START, INIT_READY, INIT_SHUTDOWN, INIT_STAGES };
enum init_state { INIT_UNKNOWN, INIT_RUNNING, INIT_SUCCESSFUL, INIT_ERROR };

/* The scripts of --init-dir, as /_localstack/init shows them. The caller of admin_new owns the
 * record, which is there before the admin, as the first scripts run before. Thread-safe. */
struct init_record *init_record_new(void);
/* Accepts NULL. */
void init_record_free(struct init_record *record);
/* Adds a script that is to be run; the name is copied. Returns its number. */
size_t init_record_add(struct init_record *record, enum init_stage stage, const char *name);
void init_record_set(struct init_record *record, size_t number, enum init_state state);
/* All scripts of the stage were run, if there were any. */
void init_record_complete(struct init_record *record, enum init_stage stage);

#endif
