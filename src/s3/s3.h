/* SPDX-License-Identifier: MIT */
/* s3.h - the door of room s3: the S3 protocol as an application for the front end. */
#ifndef S3MEM_S3_H
#define S3MEM_S3_H

#include "app/app.h"
#include "auth/auth.h"
#include "store/store.h"

/* Everything is borrowed and must outlive the service. */
struct s3_options {
    struct store *store;
    struct keyring *keyring;   /* NULL: no authentication */
    struct str region;         /* "us-east-1" */
    const struct str *domains; /* virtual-host base domains: "localhost" ... */
    size_t domain_count;
    bool auto_bucket;         /* create a missing bucket on first use */
    bool enforce_limits;      /* metadata_limit and max_object_size are checked */
    uint64_t metadata_limit;  /* bytes; 2048 as S3 */
    uint64_t max_object_size; /* bytes; 5 GiB for one PUT as S3 */
    uint64_t min_part_size;   /* bytes; 5 MiB as S3 */
    /* Snapshot or branch that a branch is forked of for each access key that has none yet;
     * STR_NONE: such keys are served by main. */
    struct str branch_per_key;
    struct guard guard;            /* against web pages */
    const struct traffic *traffic; /* told of each request; may be NULL */
    const struct durable *durable; /* asked before and after each write; may be NULL */
};

struct s3_service;
struct s3_service *s3_service_new(const struct s3_options *options);
void s3_service_free(struct s3_service *service);
/* What to hand to http: answers every target. */
struct app s3_service_app(struct s3_service *service);

/* Is this not what an S3 client sends, for a bucket, addressed by path, that main does not have?
 * Such a request means something else. */
bool s3_service_has_no_use(struct s3_service *service, const struct request *req);

/* Creates a bucket as CreateBucket would, for --bucket: INVALID_BUCKET_NAME,
 * BUCKET_ALREADY_OWNED_BY_YOU. */
MUST_CHECK enum s3_err s3_service_create_bucket(struct s3_service *service, struct str name);
/* The owner string (canonical id \n display name \n account id) that buckets made without
 * a credential get; seeds use it too. It is the administrator of the start. */
struct str s3_service_default_owner(const struct s3_service *service);
bool s3_bucket_name_ok(struct str name);
/* By S3's rules: another tag of the query that a tag set is kept as; another item of metadata of
 * an object's attributes, value in UTF-8. False: why it cannot be, in words. */
MUST_CHECK bool s3_tags_add(struct buf *query, struct str key, struct str value,
                            const char **why);
MUST_CHECK bool s3_metadata_add(struct buf *attrs, struct str name, struct str value,
                                const char **why);

/* The operation table, for tests: row by row; false at the end.
 */
struct s3_op_info {
    const char *name, *method, *scope, *query, *header, *action;
    bool implemented;
};
bool s3_op_at(size_t index, struct s3_op_info *out);

#endif
