/* SPDX-License-Identifier: MIT */
/* http.h - between http.c and trouble.c: what libcurl and servers say when it goes wrong. */
#ifndef S3MEM_CTL_HTTP_H
#define S3MEM_CTL_HTTP_H

#include "ctl/ctl.h"

#include <curl/curl.h>

/* detail: libcurl's words, may be empty. Returns the status to exit with. */
enum ctl_exit ctl_explain_unreached(const struct ctl *c, CURLcode result, const char *detail);
/* answer: the body when it is JSON; borrowed, may be NULL. */
enum ctl_exit ctl_explain_refusal(struct ctl *c, const struct ctl_target *t, long status,
                                  struct str body, json_t *answer);
/* Says so if https is spoken where the endpoint has http, or the other way round. */
bool ctl_tell_other_scheme(const struct ctl *c);

#endif
