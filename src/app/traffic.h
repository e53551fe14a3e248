/* SPDX-License-Identifier: MIT */
/* traffic.h - what room s3 tells of each request, and asks about it, without knowing whom:
 * journal, events, statistics and faults live in room admin. */
#ifndef S3MEM_APP_TRAFFIC_H
#define S3MEM_APP_TRAFFIC_H

#include "app/message.h"
#include "base/base.h"

/* Numbers of operations stay below it: room for tables. 0 is no operation: not routed. */
#define TRAFFIC_OPERATIONS_MAX 160

/* One S3 request. Everything is borrowed and valid until end() returns. */
struct traffic_call {
    const struct request *req;
    struct str request_id;
    struct str operation; /* static: "PutObject"; "-" when it was not routed */
    unsigned operation_number;
    struct str bucket, key, branch; /* bucket and key may be empty */
    struct str access_key;          /* empty when anonymous */
    int64_t time_ns;                /* clock_now_ns at its beginning */
    int64_t started_ns;             /* clock_monotonic_ns at its beginning */
    /* From here on filled in for end(): */
    int64_t duration_ns;
    unsigned status;
    struct str code;    /* static: S3 error code, or empty */
    const char *detail; /* static: the rule that was broken, or NULL */
    uint64_t bytes_in, bytes_out;
    bool aborted; /* the client left, or was cut off */
    bool leaving; /* answer() was called */
    void *mark;   /* the observer's own, from begin() to end(); NULL before begin() */
};

#define FAULT_NOWHERE UINT64_MAX
#define FAULT_MIDDLE  (UINT64_MAX - 1) /* of the body */

/* What is to go wrong with one request. Zeroed memory with both positions at FAULT_NOWHERE is
 * nothing at all. */
struct fault {
    enum s3_err error;      /* answered in place of being carried out; S3_OK: none */
    uint32_t retry_after_s; /* Retry-After of that error; 0: no such header */
    int64_t latency_ns;     /* waits so long before it is carried out */
    uint64_t bytes_per_s;   /* of request body and of reply body; 0: no limit */
    bool cut_request;       /* closes the connection instead of carrying it out */
    enum reply_cut cut;
    uint64_t truncate_to; /* the body ends there, and Content-Length says so */
    uint64_t corrupt_at;  /* this byte of the body is changed; beyond its end: none */
};

/* All of them are called on I/O threads, for several requests at once; those of one request on
 * one thread. */
struct traffic {
    void *arg;
    /* Once, when operation and branch are known or it was refused before. */
    void (*begin)(void *arg, struct traffic_call *call);
    /* Between the two: has this request bad luck? *out is filled when true. */
    bool (*fault)(void *arg, const struct traffic_call *call, struct fault *out);
    /* At most once, when the reply is known and fits a socket's buffer: if the client is there,
     * it is through in a moment. */
    void (*answer)(void *arg, struct traffic_call *call);
    /* Once, after the reply. */
    void (*end)(void *arg, struct traffic_call *call);
};

#endif
