/* SPDX-License-Identifier: MIT */
/* tls.h - what the rest of room http needs of certificates. */
#ifndef S3MEM_HTTP_TLS_H
#define S3MEM_HTTP_TLS_H

#include "http/http.h"

struct MHD_Connection;

/* For GnuTLS: the versions and ciphers that are spoken. */
extern const char tls_priorities[];

/* Certificate chain and key, counted under the server's lock. */
struct tls_identity;
/* Of PEM texts. NULL, with a sentence in why: they are none, or do not belong together. */
MUST_CHECK struct tls_identity *tls_identity_new(const char *cert, const char *key,
                                                 struct buf *why);
/* Accepts NULL. */
void tls_identity_unref_locked(struct tls_identity *identity);
/* Before the handshake of a connection: shows it this identity. The reference that the
 * connection has then; NULL: it keeps the one that libmicrohttpd was started with. */
struct tls_identity *tls_identity_use_locked(struct tls_identity *identity,
                                             struct MHD_Connection *mhd);

#endif
