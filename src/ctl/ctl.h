/* SPDX-License-Identifier: MIT */
/* ctl.h - one run of s3memctl: what was asked, how to ask the server, how to show the answer.
 *
 *   main.c      command table -> options -> command -> exit status
 *   profile.c   keys and region, of the environment and of AWS's files
 *   http.c      requests, by libcurl
 *   trouble.c   what went wrong, in words of the command line
 *   site.c      requests to the two buckets of import --from; pull.c: its copying
 *   xml.c       elements out of S3's answers
 *   show.c      tables, sizes, JSON
 *   *_cmds.c    the commands, by theme */
#ifndef S3MEM_CTL_CTL_H
#define S3MEM_CTL_CTL_H

#include "app/app.h"

#include <jansson.h>
#include <stdio.h>

enum ctl_exit {
    CTL_DONE = 0,
    CTL_REFUSED = 1, /* the server said no, or what was waited for did not happen */
    CTL_USAGE = 2,
    CTL_UNREACHED = 3,
};

#define CTL_ARGS_MAX 4
#define CTL_OPTS_MAX 20
#define CTL_REST_MAX 250

struct ctl;

struct ctl_option {
    const char *name;    /* "bucket", given as --bucket VALUE */
    const char *metavar; /* NULL: a flag */
    const char *help;
};

/* A row of the command table. */
struct ctl_command {
    const char *name;
    const char *arguments; /* "NAME [FROM]"; "[-- OPTION...]": the rest is for s3memd */
    const char *summary;
    int min_args, max_args;
    enum ctl_exit (*run)(struct ctl *c);
    /* Acts on one branch: see ctl_choose_branch. */
    enum { CTL_ON_SERVER, CTL_ON_BRANCH } scope;
    struct ctl_option options[CTL_OPTS_MAX]; /* ended by a NULL name */
};

struct ctl {
    const char *endpoint, *branch, *region;
    const char *endpoint_source; /* the variable or option that named it; NULL: none did */
    const char *region_given;    /* NULL: nobody named one */
    bool region_is_option;       /* --region did */
    const char *access_key, *secret_key, *session_token; /* key NULL: requests are unsigned */
    const char *key_source;                              /* where they are from */
    const char *profile;                                 /* --profile */
    const char *profile_name;                            /* the one that was looked for */
    const char *ca_file;
    const char *passphrase; /* for secrets in backups; NULL: none */
    bool insecure, json, quiet, terminal;
    bool as_is; /* answers are not made printable: a program reads them */
    const struct ctl_command *command;
    const char *args[CTL_ARGS_MAX];
    int arg_count;
    char *const *rest; /* behind "--" of a command that passes it on; ended by NULL */
    const char *values[CTL_OPTS_MAX]; /* of command->options; "" for a flag; NULL: not given */
};

/* Value of an option of the command; NULL when it was not given. */
const char *ctl_option(const struct ctl *c, const char *name);
/* "s3memctl: ..." on standard error. Returns status, to be returned. */
enum ctl_exit ctl_complain(enum ctl_exit status, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- profile.c --------------------------------------------------------------------- */

/* A profile of ~/.aws/credentials and ~/.aws/config; all owned, NULL where it says nothing. */
struct ctl_profile {
    char *access_key, *secret_key, *session_token, *region;
    char *endpoint; /* endpoint_url */
    bool found;
};
/* Of the environment; NULL: it is not there, or empty. */
const char *ctl_variable(const char *name);
void ctl_profile_read(struct ctl_profile *p, const char *name);
void ctl_profile_release(struct ctl_profile *p);
/* Keys and region of options, else the environment, else the profile, which lends its texts. */
MUST_CHECK enum ctl_exit ctl_choose_keys(struct ctl *c, struct ctl_profile *p);

/* ---- http.c ------------------------------------------------------------------------ */

/* The path and query of an admin call, built piece by piece. */
struct ctl_target {
    struct buf text; /* NUL-terminated by ctl_call */
    bool has_query;
    bool is_s3;               /* an S3 request: goes to the branch, and errors are XML */
    const char *content_type; /* of an upload; NULL: none is said */
};
#define AUTO_TARGET(name, path)                                                                \
    __attribute__((cleanup(ctl_target_release))) struct ctl_target name;                       \
    ctl_target_init(&name, path)
void ctl_target_init(struct ctl_target *t, const char *path);
/* An S3 request for a key of a bucket; key empty: for the bucket. */
void ctl_target_init_s3(struct ctl_target *t, struct str bucket, struct str key);
void ctl_target_release(struct ctl_target *t);
/* "/NAME", percent-encoded */
void ctl_target_part(struct ctl_target *t, const char *part);
/* "?name=value" or "&name=value"; nothing when value is NULL. */
void ctl_target_param(struct ctl_target *t, const char *name, const char *value);

/* Asks and parses the answer. *out: owned, NULL when there is no body; may be NULL. body: JSON
 * to be sent, taken; NULL: none. What goes wrong is complained about. */
MUST_CHECK enum ctl_exit ctl_call(struct ctl *c, const char *method, struct ctl_target *t,
                                  json_t *body, json_t **out);
/* An S3 POST of an XML document; *answer: an XML document, added to. */
MUST_CHECK enum ctl_exit ctl_post_xml(struct ctl *c, struct ctl_target *t, struct str xml,
                                      struct buf *answer);
/* As ctl_call with GET, without a word: is anybody there, and what does it say? 0: nobody. */
long ctl_probe(struct ctl *c, struct ctl_target *t, json_t **out);
/* The same with one more header (NULL: none), and what else the reply says. answer is owned. */
struct ctl_probe {
    long status; /* 0: nobody */
    json_t *answer;
    int64_t date_s; /* of its Date, Unix time; -1: none */
};
void ctl_probe_with(struct ctl *c, struct ctl_target *t, const char *header,
                    struct ctl_probe *out);
/* Into a file, with a progress bar; out of one. */
/* lost (may be NULL): what the server says it has not saved, owned; NULL: nothing was said. */
MUST_CHECK enum ctl_exit ctl_download(struct ctl *c, struct ctl_target *t, FILE *to,
                                      json_t **lost);
/* out may be NULL: the answer is none, or does not matter. */
MUST_CHECK enum ctl_exit ctl_upload(struct ctl *c, struct ctl_target *t, FILE *from,
                                    json_t **out);
/* Each line of an endless answer, until line() says false or the connection ends. */
MUST_CHECK enum ctl_exit ctl_follow(struct ctl *c, struct ctl_target *t,
                                    bool (*line)(void *arg, struct str line), void *arg);
/* Without --branch: the branch that serves S3 requests signed with the same key, which is the
 * one named like the access key if there is one, else main. */
void ctl_choose_branch(struct ctl *c);
/* For messages. */
const char *ctl_branch_name(const struct ctl *c);
/* The version that a s3memd's health tells; NULL: it is not the health of one. */
const char *ctl_health_version(const json_t *health);
bool ctl_is_s3memd(struct ctl *c);
/* "... answers, but is no s3memd" */
enum ctl_exit ctl_no_s3memd(const struct ctl *c);
/* Standard error is a terminal, and --quiet was not given. */
bool ctl_shows_progress(const struct ctl *c);
/* Draws how far something is, where progress is shown; and takes it away again. */
void ctl_bar(struct ctl *c, int64_t done, int64_t total);
void ctl_bar_end(struct ctl *c);
void ctl_http_start(void);
void ctl_http_end(void);

/* ---- show.c ------------------------------------------------------------------------ */

/* The answer as it came: for --json. Takes value. Returns CTL_DONE. */
enum ctl_exit ctl_print_json(const struct ctl *c, json_t *value);

/* "users.jsonl:3: what is wrong", of what an import says; on standard error. */
void ctl_print_backup_errors(const json_t *result);
/* What json_dumps returned. */
void ctl_free_json_text(char *text);

struct ctl_column {
    const char *title;
    const char *field; /* of the row's object; "a.b" reaches into it */
    enum { CTL_TEXT, CTL_NUMBER, CTL_BYTES, CTL_TIME, CTL_MS } kind;
};
/* JSON as it came, on standard output; what drives a terminal is escaped in it. */
void ctl_write_json(struct str json);
/* Text for people: what would move the cursor, forge a line or turn the direction of writing is
 * shown as a question mark. */
void ctl_add_printable(struct buf *out, struct str text);
/* The same for all texts of an answer. */
void ctl_make_printable(json_t *value);
/* One line a row, columns aligned. columns end with a NULL title. */
void ctl_print_table(const json_t *rows, const struct ctl_column *columns);
/* "1.5 MB" */
void ctl_format_bytes(uint64_t bytes, char out[32]);

/* ---- look_cmds.c ------------------------------------------------------------------- */

/* Of the buckets in the answer of stats. */
extern const struct ctl_column ctl_bucket_columns[];

/* ---- state_cmds.c ------------------------------------------------------------------ */

/* Into a new file, or with --force an old one's place; never half of it. */
MUST_CHECK enum ctl_exit ctl_download_to(struct ctl *c, struct ctl_target *t, const char *path,
                                         json_t **lost);

/* ---- import_cmds.c ----------------------------------------------------------------- */

/* import --from: a bucket of another S3. */
enum ctl_exit ctl_import_bucket(struct ctl *c);

/* ---- commands ---------------------------------------------------------------------- */

extern const struct ctl_command ctl_commands[];
#define COMMAND(name) enum ctl_exit cmd_##name(struct ctl *c)
COMMAND(stats);
COMMAND(ls);
COMMAND(cat);
COMMAND(put);
COMMAND(rm);
COMMAND(snapshot);
COMMAND(snapshots);
COMMAND(restore);
COMMAND(drop);
COMMAND(download);
COMMAND(upload);
COMMAND(save);
COMMAND(load);
COMMAND(jobs);
COMMAND(branch);
COMMAND(export);
COMMAND(import);
COMMAND(branches);
COMMAND(clear);
COMMAND(events);
COMMAND(requests);
COMMAND(fault);
COMMAND(clock);
COMMAND(wait);
COMMAND(start);
COMMAND(stop);
COMMAND(status);
COMMAND(logs);
COMMAND(doctor);
COMMAND(version);
#undef COMMAND

#endif
