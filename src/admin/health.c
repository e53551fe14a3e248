/* SPDX-License-Identifier: MIT */
/* health.c - is it there, and may one use it? MinIO's two endpoints have no body. */
#include "admin/call.h"

enum app_next admin_s3mem_health(struct admin_call *c)
{
    const struct admin_options *o = &c->admin->options;
    bool ready = admin_is_ready(c->admin);

    return admin_json(c, ready ? 200 : 503,
                      json_pack("{s:s, s:s, s:o, s:b}", "status", ready ? "ready" : "starting",
                                "version", o->version, "region", admin_string(o->region),
                                "authentication", o->authorise != NULL));
}

bool admin_is_probe(const struct request *req)
{
    return (str_eq(req->method, STR("GET")) || str_eq(req->method, STR("HEAD"))) &&
           req->query.len == 0 &&
           (str_eq(req->path, STR("/health")) || str_eq(req->path, STR("/healthz")));
}

enum app_next admin_minio_live(struct admin_call *c)
{
    return admin_empty(c, 200);
}

enum app_next admin_minio_ready(struct admin_call *c)
{
    return admin_empty(c, admin_is_ready(c->admin) ? 200 : 503);
}
