/* SPDX-License-Identifier: MIT */
/* openapi.c - the description of all these endpoints: openapi.json, built in. */
#include "admin/call.h"

static const char description[] = {
#include "admin/openapi.inc"
};

enum app_next admin_openapi(struct admin_call *c)
{
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    buf_add(&c->reply.text, str_of(description, sizeof(description)));
    return APP_REPLY;
}
