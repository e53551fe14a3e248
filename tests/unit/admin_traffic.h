/* SPDX-License-Identifier: MIT */
/* admin_traffic.h - S3 requests that never were, for tests of journal and statistics. */
#ifndef S3MEM_TESTS_ADMIN_TRAFFIC_H
#define S3MEM_TESTS_ADMIN_TRAFFIC_H

#include "app/app.h"

#include <stdio.h>

struct fake {
    struct traffic_call call;
    struct request req;
    struct header headers[8];
};

/* As a GET of an SDK: target and headers of usual length. */
static inline void fake_init(struct fake *f, struct str operation, unsigned number,
                             struct str key)
{
    static const struct header usual[] = {
        {{"Host", 4}, {"127.0.0.1:4566", 14}},
        {{"User-Agent", 10}, {"Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux", 47}},
        {{"X-Amz-Date", 10}, {"20260131T084937Z", 16}},
        {{"Accept-Encoding", 15}, {"identity", 8}},
    };

    *f = (struct fake){
        .req = {.method = STR("GET"),
                .target = STR("/bucket/key?x-id=GetObject"),
                .remote = STR("127.0.0.1:50123"),
                .header_count = ARRAY_LEN(usual)},
        .call = {.request_id = STR("00F1E2D3C4B5A697"),
                 .operation = operation,
                 .operation_number = number,
                 .bucket = STR("bucket"),
                 .key = key,
                 .branch = STR("main"),
                 .access_key = STR("AKIAIOSFODNN7EXAMPLE"),
                 .time_ns = INT64_C(1769849377123000000)},
    };
    memcpy(f->headers, usual, sizeof(usual));
    f->req.headers = f->headers;
    f->call.req = &f->req;
    f->call.started_ns = clock_monotonic_ns();
}

static inline void fake_header(struct fake *f, const char *name, const char *value)
{
    f->headers[f->req.header_count++] = (struct header){str_c(name), str_c(value)};
}

static inline void fake_begin(const struct traffic *traffic, struct fake *f)
{
    traffic->begin(traffic->arg, &f->call);
}

static inline void fake_answer(const struct traffic *traffic, struct fake *f)
{
    traffic->answer(traffic->arg, &f->call);
}

static inline void fake_end(const struct traffic *traffic, struct fake *f, unsigned status)
{
    f->call.status = status;
    f->call.code = status < 400 ? STR("") : STR("NoSuchKey");
    f->call.duration_ns = 1500 * 1000;
    f->call.bytes_out = 1024;
    traffic->end(traffic->arg, &f->call);
}

/* One request from beginning to end. */
static inline void fake_run(const struct traffic *traffic, const char *operation,
                            unsigned number, const char *key, unsigned status)
{
    struct fake f;

    fake_init(&f, str_c(operation), number, str_c(key));
    fake_begin(traffic, &f);
    fake_end(traffic, &f, status);
}

#endif
