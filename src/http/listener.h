/* SPDX-License-Identifier: MIT */
/* listener.h - what the rest of room http needs of addresses. */
#ifndef S3MEM_HTTP_LISTENER_H
#define S3MEM_HTTP_LISTENER_H

#include "http/http.h"

#include <sys/socket.h>
#include <sys/un.h>

/* "127.0.0.1:5123", "[::1]:5123" or "unix". */
void address_format(const struct sockaddr *addr, char *out, size_t size);

#endif
