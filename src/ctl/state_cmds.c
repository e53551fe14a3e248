/* SPDX-License-Identifier: MIT */
/* state_cmds.c - snapshots, branches, clear; files of snapshots. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const struct ctl_column state_columns[] = {
    {"NAME", "name", CTL_TEXT},
    {"FROM", "from", CTL_TEXT},
    {"CREATED", "created", CTL_TIME},
    {"BUCKETS", "buckets", CTL_NUMBER},
    {"OBJECTS", "objects", CTL_NUMBER},
    {"BYTES", "bytes", CTL_BYTES},
    {"VERSIONS", "versions", CTL_NUMBER},
    {"UPLOADS", "uploads", CTL_NUMBER},
    {NULL, NULL, CTL_TEXT},
};

static enum ctl_exit list(struct ctl *c, const char *what)
{
    AUTO_TARGET(t, what);
    json_t *answer;
    enum ctl_exit status = ctl_call(c, "GET", &t, NULL, &answer);

    if (status)
        return status;
    if (c->json)
        return ctl_print_json(c, answer);
    ctl_print_table(json_object_get(answer, what), state_columns);
    json_decref(answer);
    return CTL_DONE;
}

/* "what NAME": what was made. Takes answer. */
static enum ctl_exit tell(struct ctl *c, const char *what, json_t *answer)
{
    if (c->json)
        return ctl_print_json(c, answer);
    if (!c->quiet)
        printf("%s %s\n", what, json_string_value(json_object_get(answer, "name")));
    json_decref(answer);
    return CTL_DONE;
}

static enum ctl_exit remove_named(struct ctl *c, const char *what, const char *name)
{
    AUTO_TARGET(t, what);

    ctl_target_part(&t, name);
    return ctl_call(c, "DELETE", &t, NULL, NULL);
}

/* ---- snapshots --------------------------------------------------------------------- */

enum ctl_exit cmd_snapshot(struct ctl *c)
{
    AUTO_TARGET(t, "snapshots");
    json_t *answer;
    enum ctl_exit status;

    ctl_target_param(&t, "branch", c->branch);
    status = ctl_call(c, "POST", &t, json_pack("{s:s*}", "name", c->args[0]), &answer);
    if (status || c->json || c->quiet)
        return status ? status : tell(c, "snapshot", answer);
    printf("snapshot %s of branch %s\n", json_string_value(json_object_get(answer, "name")),
           ctl_branch_name(c));
    json_decref(answer);
    return CTL_DONE;
}

enum ctl_exit cmd_snapshots(struct ctl *c)
{
    return list(c, "snapshots");
}

enum ctl_exit cmd_restore(struct ctl *c)
{
    AUTO_TARGET(t, "snapshots");
    json_t *answer;
    enum ctl_exit status;

    ctl_target_part(&t, c->args[0]);
    buf_add(&t.text, STR("/restore"));
    ctl_target_param(&t, "branch", c->branch);
    ctl_target_param(&t, "bucket", ctl_option(c, "bucket"));
    status = ctl_call(c, "POST", &t, NULL, &answer);
    if (status)
        return status;
    if (c->json)
        return ctl_print_json(c, answer);
    if (!c->quiet)
        printf("branch %s is %s again\n", json_string_value(json_object_get(answer, "branch")),
               c->args[0]);
    json_decref(answer);
    return CTL_DONE;
}

enum ctl_exit cmd_drop(struct ctl *c)
{
    return remove_named(c, "snapshots", c->args[0]);
}

/* ---- files of snapshots ------------------------------------------------------------ */

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* Moves what was written to its name, and makes sure that it is there after a crash, too. */
static enum ctl_exit settle(FILE *file, const char *temporary, const char *path)
{
    if (fflush(file) != 0 || fsync(fileno(file)) != 0 || rename(temporary, path) != 0)
        return ctl_complain(CTL_REFUSED, "%s: %s", path, strerror(errno));
    return CTL_DONE;
}

/* Never half a file: it gets its name when it is whole. */
enum ctl_exit ctl_download_to(struct ctl *c, struct ctl_target *t, const char *path,
                              json_t **lost)
{
    AUTO_BUF(temporary, KiB(4));
    enum ctl_exit status;
    FILE *file;
    int fd;

    if (!ctl_option(c, "force") && access(path, F_OK) == 0)
        return ctl_complain(CTL_REFUSED, "%s is there already; --force overwrites it", path);
    buf_addf(&temporary, "%s.XXXXXX", path);
    buf_add_char(&temporary, '\0');
    fd = mkstemp(temporary.ptr);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return ctl_complain(CTL_REFUSED, "%s: %s", path, strerror(errno));
    status = ctl_download(c, t, file, lost);
    if (!status)
        status = settle(file, temporary.ptr, path);
    fclose(file);
    if (status)
        unlink(temporary.ptr);
    return status;
}

enum ctl_exit cmd_download(struct ctl *c)
{
    AUTO_TARGET(t, "snapshots");
    AUTO_BUF(path, KiB(4));
    enum ctl_exit status;

    if (c->arg_count == 2)
        buf_add_c(&path, c->args[1]);
    else
        buf_addf(&path, "%s.s3mem.gz", c->args[0]);
    ctl_target_part(&t, c->args[0]);
    if (ctl_option(c, "gzip") || str_has_suffix(buf_str(&path), STR(".gz")))
        ctl_target_param(&t, "gzip", "true");
    buf_add_char(&path, '\0');
    if (is_standard(path.ptr))
        return ctl_download(c, &t, stdout, NULL);
    status = ctl_download_to(c, &t, path.ptr, NULL);
    if (!status && !c->quiet && !c->json)
        printf("%s\n", path.ptr);
    return status;
}

/* "fixtures/clean.s3mem.gz" -> "clean" */
static struct str name_of_file(const char *path)
{
    struct str name = str_c(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);

    if (str_has_suffix(name, STR(".gz")))
        name.len -= 3;
    if (str_has_suffix(name, STR(".s3mem")))
        name.len -= 6;
    return name;
}

enum ctl_exit cmd_upload(struct ctl *c)
{
    AUTO_TARGET(t, "snapshots");
    AUTO_BUF(name, KiB(4));
    struct str from_file = name_of_file(c->args[0]);
    json_t *answer = NULL;
    enum ctl_exit status;
    FILE *file;

    if (c->arg_count < 2 && is_standard(c->args[0]))
        return ctl_complain(CTL_USAGE, "a snapshot from standard input needs a name");
    buf_add(&name, c->arg_count == 2 ? str_c(c->args[1]) : from_file);
    buf_add_char(&name, '\0');
    ctl_target_part(&t, name.ptr);
    ctl_target_param(&t, "replace", ctl_option(c, "replace") ? "true" : NULL);
    file = is_standard(c->args[0]) ? stdin : fopen(c->args[0], "r");
    if (!file)
        return ctl_complain(CTL_REFUSED, "%s: %s", c->args[0], strerror(errno));
    status = ctl_upload(c, &t, file, &answer);
    if (file != stdin)
        fclose(file);
    return status ? status : tell(c, "snapshot", answer);
}

/* ---- branches ---------------------------------------------------------------------- */

enum ctl_exit cmd_branch(struct ctl *c)
{
    AUTO_TARGET(t, "branches");
    json_t *answer;
    enum ctl_exit status;

    if (ctl_option(c, "delete"))
        return c->arg_count == 1 ? remove_named(c, "branches", c->args[0])
                                 : ctl_complain(CTL_USAGE, "--delete takes one name");
    status = ctl_call(c, "POST", &t,
                      json_pack("{s:s, s:s*}", "name", c->args[0], "from",
                                c->arg_count == 2 ? c->args[1] : NULL),
                      &answer);
    return status ? status : tell(c, "branch", answer);
}

enum ctl_exit cmd_branches(struct ctl *c)
{
    return list(c, "branches");
}

/* Before a whole branch is emptied somebody at a terminal is asked; a script is not. */
static bool may_clear_all(const struct ctl *c)
{
    char reply[16] = "";

    if (ctl_option(c, "yes") || ctl_option(c, "bucket") || !isatty(STDIN_FILENO) ||
        !isatty(STDERR_FILENO))
        return true;
    fprintf(stderr, "Empty the whole branch %s of %s, all its buckets? [y/N] ",
            ctl_branch_name(c), c->endpoint);
    return fgets(reply, sizeof(reply), stdin) && (reply[0] == 'y' || reply[0] == 'Y');
}

enum ctl_exit cmd_clear(struct ctl *c)
{
    AUTO_TARGET(t, "clear");
    json_t *answer;
    enum ctl_exit status;

    if (!may_clear_all(c))
        return ctl_complain(CTL_REFUSED, "nothing was cleared");
    ctl_target_param(&t, "branch", c->branch);
    ctl_target_param(&t, "bucket", ctl_option(c, "bucket"));
    ctl_target_param(&t, "prefix", ctl_option(c, "prefix"));
    ctl_target_param(&t, "stats", ctl_option(c, "stats") ? "reset" : NULL);
    status = ctl_call(c, "POST", &t, NULL, &answer);
    if (status)
        return status;
    if (c->json)
        return ctl_print_json(c, answer);
    if (!c->quiet)
        printf("branch %s: %lld objects, %lld versions, %lld uploads are gone\n",
               json_string_value(json_object_get(answer, "branch")),
               (long long)json_integer_value(json_object_get(answer, "objects")),
               (long long)json_integer_value(json_object_get(answer, "versions")),
               (long long)json_integer_value(json_object_get(answer, "uploads")));
    json_decref(answer);
    return CTL_DONE;
}
