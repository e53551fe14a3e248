/* SPDX-License-Identifier: MIT */
/* init_scripts.h - what the files around init scripts share. */
#ifndef S3MEM_DAEMON_INIT_SCRIPTS_H
#define S3MEM_DAEMON_INIT_SCRIPTS_H

#include "daemon/daemon.h"

/* ---- init_find.c ------------------------------------------------------------------- */

struct init_script {
    char *path;       /* owned; absolute */
    const char *name; /* for the log: the end of path, "ready.d/sub/01.sh" */
    size_t number;    /* in the record */
};

struct init_list {
    struct init_script *items;
    size_t count;
};

extern const char *const init_folders[INIT_STAGES]; /* "boot.d" ... */

/* Appends the scripts of DIR/folder, in LocalStack's order: those of a folder, then those of its
 * folders, each by name. What is not run is named in the log. */
void init_list_find(struct init_list *list, const char *dir, const char *folder);
void init_list_release(struct init_list *list);
/* Names in the log what lies in DIR itself beside the stages' folders, and is not run. */
void init_list_strays(const char *dir);

/* ---- init_command.c ---------------------------------------------------------------- */

/* Longest first line that names an interpreter, as the kernel's. */
#define INIT_LINE_MAX 256

/* What runs a script: its interpreter, or a program itself. */
struct init_command {
    char *argv[4]; /* ended by NULL; borrowed: of line, found and the script's path */
    char line[INIT_LINE_MAX];
    char *found; /* owned: an interpreter that PATH has; may be NULL */
};

/* Why the file is no script at all, as a static text; NULL: it is one. */
const char *init_command_refusal(const char *path);
/* False with a few words in why. To be released in any case. */
MUST_CHECK bool init_command_find(struct init_command *out, const char *path, struct buf *why);
void init_command_release(struct init_command *command);
/* PATH, or where programs are without it. */
const char *init_program_path(void);
/* Where PATH has the program; NULL, or the caller frees it. */
MUST_CHECK char *init_program_find(const char *name);

/* ---- init_env.c -------------------------------------------------------------------- */

/* The environment of scripts, and the private folder that it refers to: with awslocal, when
 * there is an aws and no awslocal, and with the certificate that clients are to trust. */
struct init_env {
    char **items; /* ended by NULL; the first `owned` are ours to free, the rest is environ's */
    size_t owned, count;
    char *folder; /* owned; NULL: there is none */
    int folder_fd;
    bool has_awslocal, has_ca;
};

void init_env_init(struct init_env *env);
/* Makes the variables anew for a stage: as much of the server as is known by then. */
void init_env_build(struct init_env *env, const struct server *server);
void init_env_release(struct init_env *env);
/* The part of a release that a process needs which ends at once. */
void init_env_remove_folder(struct init_env *env);

#endif
