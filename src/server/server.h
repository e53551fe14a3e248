/* SPDX-License-Identifier: MIT */
/* server.h - a whole server as an object: the rooms put together. s3memd runs one as a process,
 * libs3mem any number inside somebody else's.
 *
 *   settings -> server_open (listen, load, serve) -> server_fill (buckets, seed)
 *            -> admin_set_ready -> http_server_quiesce -> server_close
 *
 * Until what --persist names is loaded, connections wait to be accepted. It serves before it is
 * ready, so that init scripts can talk to it; health endpoints tell the
 * two apart. What goes wrong is said in `why`, one sentence; nothing is printed here. */
#ifndef S3MEM_LIB_SERVER_H
#define S3MEM_LIB_SERVER_H

#include "admin/admin.h"
#include "auth/auth.h"
#include "config/config.h"
#include "disk/disk.h"
#include "http/http.h"
#include "s3/s3.h"
#include "store/store.h"

/* As a process's exit status. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* the environment: port in use, file unreadable */
    EXIT_USAGE = 2,  /* the settings */
    EXIT_BAD = 3,    /* --check: the file is not good */
    /* Never a process's: what was to be loaded was not, because somebody wants the end. */
    EXIT_INTERRUPTED = -1,
};

struct server {
    struct settings settings; /* owned from the beginning */
    bool adopts_sockets;      /* those that systemd hands over */
    /* Asked now and then while much is loaded; NULL: never. */
    bool (*interrupted)(void *arg);
    void *interrupted_arg;
    struct buf why; /* what went wrong */

    struct store *store;
    struct state_dirs *state_dirs; /* NULL: there is no --state-dir */
    struct json_file *json_file;   /* of --persist=FILE.json; NULL: it is not that */
    bool json_file_found;          /* it was there */
    struct database *database;     /* NULL: state stays in memory */
    struct keyring *keyring;       /* NULL: authentication is off */
    struct s3_service *s3;
    struct init_record *init; /* of scripts that --init-dir names */
    struct admin *admin;
    struct traffic traffic;
    struct http_listeners listeners;
    struct turns *turns; /* the long ones of http's threads, for admin to show */
    struct http_server *http;
    struct str *domains;     /* of settings.domain */
    const char **operations; /* names of S3's, ended by NULL */
    struct guard guard;      /* against web pages */
    struct str *guard_texts; /* its hosts and origins */
    struct http_mount mounts[5];
    char *ca_pem; /* --tls-self-signed: the authority's certificate */
};

static inline bool server_uses_tls(const struct server *server)
{
    return server->settings.tls_cert[0] || server->settings.tls_self_signed;
}

/* ---- server.c ---------------------------------------------------------------------- */

/* Of a zeroed server: takes the settings. */
void server_init(struct server *server, const struct settings *settings);
/* Listens, loads the state on disk and serves. server_close is due in any case. */
MUST_CHECK enum exit_status server_open(struct server *server);
/* --bucket and --seed: a bucket that is there already is as good as a new one; a seed is for a
 * state that nothing was written to yet. */
MUST_CHECK enum exit_status server_fill(struct server *server);
/* Reads the files of credentials and certificate again. Requests and connections under way go on
 * with what they began with. Of what is broken the old stays in force, and the log says so. */
void server_reload(struct server *server);
/* Cuts what is still open, writes what is not yet on disk and frees everything. False: some of
 * it could not be written, as the log says. */
bool server_close(struct server *server);

/* Warns when everybody on this machine may read or change a file of secrets. */
void server_check_secrecy(const char *option, const char *path);
/* May a region be called so? */
bool server_region_ok(const char *name);
/* Is the start to be cut short? */
bool server_interrupted(const struct server *server);
/* Adds a sentence to why. */
void server_complain(struct server *server, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- guard.c ----------------------------------------------------------------------- */

/* What options say of pages and hosts. */
MUST_CHECK enum exit_status guard_open(struct server *server);

/* ---- network.c --------------------------------------------------------------------- */

/* Sockets handed over by systemd, or else --listen. */
MUST_CHECK enum exit_status network_listen(struct server *server);
/* Starts serving on them. */
MUST_CHECK enum exit_status network_serve(struct server *server);
/* Reads the certificate again. False: it is broken, and the old one stays. */
MUST_CHECK bool network_reload(struct server *server, struct buf *why);
/* "http://127.0.0.1:4566" or "http+unix:PATH". */
void network_url(const struct server *server, size_t listener, struct buf *out);
/* The one that scripts on this machine use; before it listens, what --listen says. Empty when the
 * port is not known yet, or there is only a Unix socket. */
void network_local_url(const struct server *server, struct buf *out);

/* ---- persist.c --------------------------------------------------------------------- */

/* Loads what --persist names, and follows the store under --auto-persist. */
MUST_CHECK enum exit_status persist_open(struct server *server);
/* What is loaded into a store that the service is there for: FILE.json. */
MUST_CHECK enum exit_status persist_load(struct server *server);
/* Writes what has changed until now. False: it could not. */
bool persist_close(struct server *server);
/* For the rooms that change the store; NULL: nothing follows it. */
const struct durable *persist_durable(const struct server *server);
/* Was nothing ever written to the file? True also when there is none. */
bool persist_is_new(const struct server *server);
/* Buckets and seed are in: the file has all of them from now on, or none. */
void persist_filled(const struct server *server);
/* arg: the server. False: there is no state on disk. */
bool persist_stats(void *arg, struct persist_stats *out);
/* On a thread that may wait: until what has changed is as safe as a reply would say it is.
 * False: it cannot be written. */
MUST_CHECK bool persist_wait(const struct server *server);

/* ---- the rest ---------------------------------------------------------------------- */

/* Reads keys from several places, in their order; one that is given twice is refused with both
 * places. */
struct key_reader {
    struct credentials *set; /* borrowed */
    struct buf *why;         /* a sentence about what is wrong */
    struct buf places;       /* owned, of the keys so far: the caller inits and releases it */
    bool unreadable;         /* a file is not there, or cannot be read */
    bool has_users;          /* the seed has some */
};
/* Adds a key that was given at the place. False with a sentence in r->why, as the next two. */
MUST_CHECK bool key_reader_add(struct key_reader *r, const struct credential *c,
                               struct str place);
/* Adds those of a --credentials file. */
MUST_CHECK bool key_reader_read_file(struct key_reader *r, const char *path);
/* Adds the users of a --seed-config file, if it has any. */
MUST_CHECK bool key_reader_read_seed(struct key_reader *r, const char *path);

/* Bytes of a --seed-config file. */
#define SEED_CONFIG_MAX MiB(64)
/* Loads DIR/BUCKET/KEY files; stops early when interrupted. */
MUST_CHECK enum exit_status seed_load(struct server *server, const char *dir);
/* Makes the buckets that the file describes; key_reader_read_seed has read its users before. */
MUST_CHECK enum exit_status seed_config_load(struct server *server, const char *path);

/* ---- identity.c -------------------------------------------------------------------- */

/* Checks the options of TLS; reads or makes the certificate, if there is to be one. *out is zeroed
 * before, and to be released in any case. */
MUST_CHECK enum exit_status identity_open(struct server *server, struct certificate *out);
/* The same of --tls-cert and --tls-key once more. */
MUST_CHECK bool identity_read(const struct server *server, struct certificate *out,
                              struct buf *why);

#endif
