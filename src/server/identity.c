/* SPDX-License-Identifier: MIT */
/* identity.c - the certificate that is shown over TLS: out of files, or made at the start. */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TLS_FILE_MAX MiB(1)

/* A PEM file as a C string. */
static bool read_pem(const char *path, struct buf *out, struct buf *why)
{
    int err = file_read(out, path);

    buf_add_char(out, '\0');
    if (err)
        buf_addf(why, "%s: %s", path, strerror(err));
    return !err;
}

bool identity_read(const struct server *server, struct certificate *out, struct buf *why)
{
    const struct settings *s = &server->settings;

    buf_init(&out->ca, 1);
    buf_init(&out->cert, TLS_FILE_MAX);
    buf_init(&out->key, TLS_FILE_MAX);
    return read_pem(s->tls_cert, &out->cert, why) && read_pem(s->tls_key, &out->key, why);
}

/* Everybody may read it: it is what clients trust, and no secret. */
static bool write_ca(const char *path, struct str text, struct buf *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;

    if (!ok)
        buf_addf(why, "--tls-ca-file: %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool make(struct server *server, struct certificate *out, struct buf *why)
{
    const char *path = server->settings.tls_ca_file;

    if (!certificate_make(out, server->domains, server->settings.domain.count)) {
        buf_add(why, STR("--tls-self-signed: OpenSSL cannot make the certificate"));
        return false;
    }
    server->ca_pem = xstrndup(str_c(out->ca.ptr));
    return !path[0] || write_ca(path, str_c(server->ca_pem), why);
}

enum exit_status identity_open(struct server *server, struct certificate *out)
{
    const struct settings *s = &server->settings;
    AUTO_BUF(why, KiB(4));

    if (!s->tls_cert[0] != !s->tls_key[0])
        server_complain(server, "--tls-cert and --tls-key need each other");
    else if (s->tls_cert[0] && s->tls_self_signed)
        server_complain(server, "--tls-self-signed takes the place of --tls-cert: give one");
    else if (s->tls_ca_file[0] && !s->tls_self_signed)
        server_complain(server, "--tls-ca-file needs --tls-self-signed");
    if (server->why.len)
        return EXIT_USAGE;
    if (s->tls_key[0])
        server_check_secrecy("--tls-key", s->tls_key);
    if (!server_uses_tls(server) ||
        (s->tls_self_signed ? make(server, out, &why) : identity_read(server, out, &why)))
        return EXIT_DONE;
    server_complain(server, "%.*s", (int)why.len, why.ptr);
    return EXIT_FAILED;
}
