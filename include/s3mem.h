/* SPDX-License-Identifier: MIT */
/* s3mem.h - libs3mem: s3memd inside your own process, for test harnesses.
 *
 *   char error[S3MEM_ERROR_SIZE];
 *   const char *options[] = {"--bucket=demo", NULL};
 *   s3mem *s = s3mem_start(options, error, sizeof(error));
 *   ... point an SDK at s3mem_url(s) ...
 *   s3mem_snapshot(s, NULL, "clean");
 *   ... a test ...
 *   s3mem_restore(s, NULL, "clean", NULL);
 *   s3mem_stop(s);
 *
 * Any number of servers may run at once. Every function may be called from any thread, but
 * s3mem_stop once, when nobody uses the server any more. The library installs no signal
 * handlers, prints nothing unless asked to log, and never ends the process but when small
 * allocations fail. Two things belong to the process, not to a server: the clock that PUT
 * /_s3mem/clock moves, and where the log goes.
 *
 * Texts are NUL-terminated UTF-8. A name of a branch that is NULL means "main". */
#ifndef S3MEM_H
#define S3MEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define S3MEM_ERROR_SIZE 1024

typedef struct s3mem s3mem;

typedef enum s3mem_result {
    S3MEM_OK = 0,
    S3MEM_EXISTS,    /* the name is taken */
    S3MEM_MISSING,   /* there is no snapshot, branch or bucket of that name */
    S3MEM_INVALID,   /* not a name: see s3memd-admin(7); or a document that is not whole */
    S3MEM_NO_MEMORY, /* or beyond --max-memory */
    S3MEM_IO,        /* a file cannot be read or written: errno tells */
    S3MEM_TOO_MANY   /* branches: see --branch-limit */
} s3mem_result;

/* A sentence. Static. */
const char *s3mem_strerror(s3mem_result result);
/* "0.1.0". Static. */
const char *s3mem_version(void);

/* Starts a server and returns when it answers, its buckets and seed in place.
 * options  s3memd's long options ("--bucket=demo"), ended by NULL; may be NULL. It listens on a
 *          free port of 127.0.0.1 unless --listen says otherwise. Neither the environment nor a
 *          configuration file is read, unless --config names one. --init-dir is s3memd's.
 * error    one sentence when NULL is returned; may be NULL when size is 0
 * Free it with s3mem_stop. */
s3mem *s3mem_start(const char *const *options, char *error, size_t size);
/* Finishes nothing: open requests are cut. Accepts NULL. */
void s3mem_stop(s3mem *s);

/* "http://127.0.0.1:40123": what an SDK takes as its endpoint. Lives as long as the server. */
const char *s3mem_url(const s3mem *s);
/* Its port; 0 when it listens on a Unix socket only. */
int s3mem_port(const s3mem *s);

/* ---- state: all O(1), whatever the server holds ---------------------------------------- */

s3mem_result s3mem_create_bucket(s3mem *s, const char *branch, const char *bucket);
s3mem_result s3mem_snapshot(s3mem *s, const char *branch, const char *name);
/* bucket NULL: all of the branch. */
s3mem_result s3mem_restore(s3mem *s, const char *branch, const char *name, const char *bucket);
s3mem_result s3mem_drop(s3mem *s, const char *name);
/* source: a snapshot or else a branch; NULL: main. Requests are served by the new branch when
 * they are signed with an access key of its name, or name it in x-s3mem-branch. */
s3mem_result s3mem_fork(s3mem *s, const char *name, const char *source);
s3mem_result s3mem_branch_delete(s3mem *s, const char *name);
/* bucket NULL: the branch has no buckets afterwards; else the bucket is empty. */
s3mem_result s3mem_clear(s3mem *s, const char *branch, const char *bucket);

/* ---- documents and numbers ------------------------------------------------------------- */

/* A snapshot as a portable document (s3memd-admin(7)); a path that ends in .gz is compressed.
 * The file gets its name when it is whole. */
s3mem_result s3mem_save(s3mem *s, const char *snapshot, const char *path);
/* Makes a snapshot out of such a file. */
s3mem_result s3mem_load(s3mem *s, const char *snapshot, const char *path);

/* What GET /_s3mem/stats answers: JSON. Free it with s3mem_free; NULL when memory is out. */
char *s3mem_stats(s3mem *s);
void s3mem_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
