/* SPDX-License-Identifier: MIT */
/* init_find.c - which files below DIR are init scripts. Source: LocalStack's InitScriptManager:
 * what its runners of .sh and .py take, regular files or links to them; folders are entered, but
 * not through links. Executables of other names are ours. */
#include "daemon/init_scripts.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Beyond these a folder is not one of scripts, but somebody's whole disk. The messages and
 * s3memd(8) name them. */
#define SCRIPTS_MAX 1024
#define DEPTH_MAX   32

const char *const init_folders[INIT_STAGES] = {"boot.d", "start.d", "ready.d", "shutdown.d"};

/* ---- one folder -------------------------------------------------------------------- */

struct names {
    char **items;
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i]);
    mem_free(names->items);
}

/* Reads the names in a folder, sorted. Hidden ones are left out, and named in the log. 0 or
 * errno. */
static int names_read(struct names *out, const char *folder)
{
    const struct dirent *entry;
    DIR *dir = opendir(folder);

    if (!dir)
        return errno;
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_name[0] == '.') {
            log_info("init scripts: %s/%s is hidden, and passed over", folder, entry->d_name);
            continue;
        }
        out->items = xrealloc(out->items, (out->count + 1) * sizeof(*out->items));
        out->items[out->count++] = xstrdup(entry->d_name);
    }
    closedir(dir);
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), by_name);
    return 0;
}

/* ---- all of them ------------------------------------------------------------------- */

enum kind { KIND_FILE, KIND_FOLDER, KIND_OTHER };

/* *why says what is wrong with KIND_OTHER. */
static enum kind kind_of(const char *path, const char **why)
{
    struct stat st;
    bool is_link;

    if (lstat(path, &st) < 0) {
        *why = strerror(errno);
        return KIND_OTHER;
    }
    is_link = S_ISLNK(st.st_mode);
    if (is_link && stat(path, &st) < 0) {
        *why = errno == ENOENT ? "it is a link to nothing" : strerror(errno);
        return KIND_OTHER;
    }
    if (S_ISDIR(st.st_mode) && !is_link)
        return KIND_FOLDER;
    if (S_ISREG(st.st_mode))
        return KIND_FILE;
    *why = S_ISDIR(st.st_mode) ? "links to folders are not followed" : "it is no file";
    return KIND_OTHER;
}

static void warn_not_run(const char *name, const char *why)
{
    log_warn("init script %s is not run: %s", name, why);
}

static void list_add(struct init_list *list, const char *path, size_t name_at)
{
    const char *why = init_command_refusal(path);

    if (!why && list->count == SCRIPTS_MAX)
        why = "a stage has 1024 at most";
    if (why) {
        warn_not_run(path + name_at, why);
        return;
    }
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count] = (struct init_script){.path = xstrdup(path)};
    list->items[list->count].name = list->items[list->count].path + name_at;
    list->count++;
}

/* "FOLDER/NAME"; the caller frees it. The kernel refuses what is too long. */
static char *path_join(const char *folder, const char *name)
{
    AUTO_BUF(path, MiB(1));

    buf_addf(&path, "%s/%s", folder, name);
    return xstrndup(buf_str(&path));
}

/* Files come first, then folders, each by name. name_at: where in a path the name for the log
 * begins. */
static void find_below(struct init_list *list, const char *folder, size_t name_at,
                       unsigned depth)
{
    struct names names = {0};
    int err = depth > DEPTH_MAX ? 0 : names_read(&names, folder);

    if (err || depth > DEPTH_MAX)
        log_error("init scripts in %s are not run: %s", folder + name_at,
                  err ? strerror(err) : "more than 32 folders lie around it");
    for (int wanted = KIND_FILE; wanted <= KIND_OTHER; wanted++) {
        for (size_t i = 0; i < names.count; i++) {
            char *path = path_join(folder, names.items[i]);
            const char *why = NULL;
            enum kind kind = kind_of(path, &why);

            if ((int)kind == wanted && kind == KIND_FILE)
                list_add(list, path, name_at);
            else if ((int)kind == wanted && kind == KIND_FOLDER)
                find_below(list, path, name_at, depth + 1);
            else if ((int)kind == wanted)
                warn_not_run(path + name_at, why);
            mem_free(path);
        }
    }
    names_release(&names);
}

void init_list_find(struct init_list *list, const char *dir, const char *folder)
{
    char *path = path_join(dir, folder);
    struct stat st;

    if (stat(path, &st) == 0 || errno != ENOENT)
        find_below(list, path, strlen(dir) + 1, 0);
    mem_free(path);
}

void init_list_release(struct init_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i].path);
    mem_free(list->items);
    *list = (struct init_list){0};
}

/* ---- beside the stages ------------------------------------------------------------- */

static bool is_stage(const char *name)
{
    for (size_t i = 0; i < INIT_STAGES; i++) {
        if (strcmp(name, init_folders[i]) == 0)
            return true;
    }
    return false;
}

void init_list_strays(const char *dir)
{
    struct names names = {0};
    int err = names_read(&names, dir);
    size_t stages = 0;

    for (size_t i = 0; i < names.count; i++) {
        if (is_stage(names.items[i]))
            stages++;
        else
            warn_not_run(names.items[i],
                         "it is in none of boot.d, start.d, ready.d and shutdown.d");
    }
    if (!err && stages == 0)
        log_warn("--init-dir %s has none of boot.d, start.d, ready.d and shutdown.d", dir);
    names_release(&names);
}
