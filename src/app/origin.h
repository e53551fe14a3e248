/* SPDX-License-Identifier: MIT */
/* origin.h - hosts and origins as browsers write them. Pure. */
#ifndef S3MEM_APP_ORIGIN_H
#define S3MEM_APP_ORIGIN_H

#include "app/app.h"

/* "localhost:4566" gives "localhost", "[::1]:4566" gives "[::1]". */
struct str host_without_port(struct str host);
/* localhost, *.localhost, 127.0.0.0/8, [::1]; without a port. */
bool host_is_loopback(struct str host);
/* May a browser call us by this name? With or without a port. */
bool host_is_ours(const struct guard *guard, struct str host);

/* "https://app.example/page?x" gives "https://app.example"; STR_NONE: it is no URL with a host.
 */
struct str origin_of_url(struct str url);
/* "http://app.example:3000" gives "app.example:3000"; STR_NONE: not of http or https. */
struct str origin_host(struct str origin);

#endif
