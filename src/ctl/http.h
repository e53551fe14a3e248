/* SPDX-License-Identifier: MIT */
/* http.h - what files share that speak to libcurl: URLs, and words for what goes wrong. */
#ifndef S3MEM_CTL_HTTP_H
#define S3MEM_CTL_HTTP_H

#include "ctl/ctl.h"

#include <curl/curl.h>

/* detail: libcurl's words, may be empty. Returns the status to exit with. */
enum ctl_exit ctl_explain_unreached(const struct ctl *c, CURLcode result, const char *detail);
/* answer: the body when it is JSON; borrowed, may be NULL. */
enum ctl_exit ctl_explain_refusal(struct ctl *c, const struct ctl_target *t, long status,
                                  struct str body, json_t *answer);
/* An endpoint without slashes at its end, to which paths are added. *socket_path: the PATH of
 * http+unix:PATH, else NULL. Both are borrowed from the endpoint. */
struct str ctl_base_url(const char *endpoint, const char **socket_path);

#endif
