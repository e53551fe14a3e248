/* SPDX-License-Identifier: MIT */
/* tls.c - certificate and key of a server.
 *
 *   identity_new -> in force -> replaced by the next one -> the last connection that began with
 *   it closes -> freed
 *
 * libmicrohttpd has one identity for its whole life, so each connection is given ours before its
 * handshake, and keeps it. The count is guarded by the server's lock. */
#include "http/tls.h"
#include "http/server.h"

#include <gnutls/gnutls.h>

/* What is older than TLS 1.2 is not to be used any more (RFC 8996). */
const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct tls_identity {
    gnutls_certificate_credentials_t credentials; /* owned */
    unsigned refs;
};

struct tls_identity *tls_identity_new(const char *cert, const char *key, struct buf *why)
{
    gnutls_certificate_credentials_t credentials;
    const gnutls_datum_t chain = {(unsigned char *)(uintptr_t)cert, (unsigned)strlen(cert)};
    const gnutls_datum_t secret = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
    struct tls_identity *identity;
    int err = gnutls_certificate_allocate_credentials(&credentials);

    if (err < 0) {
        buf_addf(why, "TLS: %s", gnutls_strerror(err));
        return NULL;
    }
    /* It sees to it that the key is the certificate's. */
    err =
        gnutls_certificate_set_x509_key_mem(credentials, &chain, &secret, GNUTLS_X509_FMT_PEM);
    if (err < 0) {
        buf_addf(why, "the TLS certificate and its key: %s", gnutls_strerror(err));
        gnutls_certificate_free_credentials(credentials);
        return NULL;
    }
    identity = xcalloc(1, sizeof(*identity));
    identity->credentials = credentials;
    identity->refs = 1;
    return identity;
}

void tls_identity_unref_locked(struct tls_identity *identity)
{
    if (!identity || --identity->refs > 0)
        return;
    gnutls_certificate_free_credentials(identity->credentials);
    mem_free(identity);
}

struct tls_identity *tls_identity_use_locked(struct tls_identity *identity,
                                             struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (!info || gnutls_credentials_set(info->tls_session, GNUTLS_CRD_CERTIFICATE,
                                        identity->credentials) < 0)
        return NULL;
    identity->refs++;
    return identity;
}

bool http_server_set_identity(struct http_server *server, const char *cert, const char *key,
                              struct buf *why)
{
    struct tls_identity *identity = tls_identity_new(cert, key, why), *before;

    if (!identity)
        return false;
    pthread_mutex_lock(&server->lock);
    before = server->identity;
    server->identity = identity;
    tls_identity_unref_locked(before);
    pthread_mutex_unlock(&server->lock);
    return true;
}
