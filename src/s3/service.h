/* SPDX-License-Identifier: MIT */
/* service.h - what all calls of one server share; immutable after s3_service_new, but for what
 * locks itself. */
#ifndef S3MEM_S3_SERVICE_H
#define S3MEM_S3_SERVICE_H

#include <stdatomic.h>

#include "app/app.h"
#include "s3/call.h"
#include "s3/object/rename_tokens.h"

#define DEFAULT_OWNER_ID      "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
#define DEFAULT_OWNER_NAME    "webfile"
#define DEFAULT_OWNER_ACCOUNT "000000000000"
#define HOST_ID_SIZE          77

struct s3_service {
    struct s3_options options;
    char host_id[HOST_ID_SIZE]; /* x-amz-id-2: names this server process. S3's differs with each
                                 * reply; x-amz-request-id is what tells replies apart */
    char *default_owner;        /* owned */
    struct rename_tokens *renames;
    atomic_bool told_unbuilt[TRAFFIC_OPERATIONS_MAX]; /* by number: its 501 is in the log */
};

#endif
