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

/* Whoever wants to trust the server cannot do so before: without a signature, over TLS that is not
 * verified. What is shown is public. */
enum app_next admin_show_ca(struct admin_call *c)
{
    struct str pem = c->admin->options.ca_pem;

    if (pem.len == 0)
        return admin_error(c, 404, "NotFound",
                           "the server was not started with --tls-self-signed");
    reply_kept_header(&c->reply, "Content-Type", "application/x-pem-file");
    buf_add(&c->reply.text, pem);
    return APP_REPLY;
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
