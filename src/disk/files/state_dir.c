/* SPDX-License-Identifier: MIT */
/* state_dir.c - paths that clients give stay below the folders that --state-dir names.
 *
 * The folders are opened once, at the start; every step of a path is taken from there by the
 * kernel, which neither follows a symbolic link nor goes up, whoever moves things about
 * meanwhile. What is checked in the text of a path only makes the answer clearer. */
#include "disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct state_dir {
    int fd;
    char *given; /* as it was given, without '/' at the end */
    char *real;  /* without symbolic links */
};

struct state_dirs {
    struct state_dir *items;
    size_t count;
};

/* ---- the folders ------------------------------------------------------------------- */

static struct str without_last_slashes(struct str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static bool open_dir(struct state_dir *dir, const char *path, struct buf *why)
{
    char *real = realpath(path, NULL);

    dir->fd = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir->fd < 0)
        buf_addf(why, "%s: %s", path, strerror(errno));
    dir->given = xstrndup(without_last_slashes(str_c(path)));
    dir->real = xstrdup(real ? real : "");
    mem_free(real);
    return dir->fd >= 0;
}

struct state_dirs *state_dirs_open(const char *const *paths, size_t count, struct buf *why)
{
    struct state_dirs *dirs = xcalloc(1, sizeof(*dirs));

    dirs->items = xcalloc(count + 1, sizeof(*dirs->items));
    for (size_t i = 0; i < count; i++) {
        dirs->count++;
        if (!open_dir(&dirs->items[i], paths[i], why)) {
            state_dirs_close(dirs);
            return NULL;
        }
    }
    return dirs;
}

void state_dirs_close(struct state_dirs *dirs)
{
    if (!dirs)
        return;
    for (size_t i = 0; i < dirs->count; i++) {
        if (dirs->items[i].fd >= 0)
            close(dirs->items[i].fd);
        mem_free(dirs->items[i].given);
        mem_free(dirs->items[i].real);
    }
    mem_free(dirs->items);
    mem_free(dirs);
}

/* ---- paths ------------------------------------------------------------------------- */

/* What of an absolute path lies below a folder of that name; STR_NONE: it does not. */
static struct str below(struct str path, const char *folder)
{
    struct str prefix = str_c(folder);

    if (prefix.len == 0 || !str_has_prefix(path, prefix))
        return STR_NONE;
    path = str_from(path, prefix.len);
    /* "/" ends in a slash itself. */
    return path.len == 0 || path.ptr[0] == '/' || prefix.len == 1 ? path : STR_NONE;
}

/* The folder that holds a path, which becomes relative to it; NULL: none does. */
static const struct state_dir *choose_dir(const struct state_dirs *dirs, struct str *path)
{
    if (path->ptr[0] != '/')
        return &dirs->items[0];
    for (size_t i = 0; i < dirs->count; i++) {
        const struct state_dir *dir = &dirs->items[i];
        struct str rest = below(*path, dir->given);

        if (!rest.ptr)
            rest = below(*path, dir->real);
        if (rest.ptr) {
            *path = rest;
            return dir;
        }
    }
    return NULL;
}

/* One step down. A link to a folder is said to be one. */
static int step_down(int fd, const char *name)
{
    int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (next < 0 && errno == ENOTDIR)
        errno = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)
                    ? ELOOP
                    : ENOTDIR;
    return next;
}

/* Where there is no openat2. */
static int walk_by_steps(int fd, char *path)
{
    int at = fcntl(fd, F_DUPFD_CLOEXEC, 0), next;
    char *rest = path, *name;

    while (at >= 0 && (name = strsep(&rest, "/"))) {
        next = step_down(at, name);
        int err = errno;
        close(at);
        errno = err;
        at = next;
    }
    return at;
}

/* Down a path of plain names; fd stays the caller's. A new descriptor, or -1. */
static int walk(int fd, char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int found;

    if (!path[0])
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    found = (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
    /* Linux before 5.6, or a sandbox that does not know it. */
    return found < 0 && (errno == ENOSYS || errno == EPERM) ? walk_by_steps(fd, path) : found;
}

/* Splits a relative path into plain names: folders, joined by one '/' each, and the last one.
 */
static enum state_found take_apart(struct str path, struct buf *folders, struct state_path *out,
                                   struct buf *why)
{
    struct str name, last = STR_NONE;

    while (str_split(&path, '/', &name)) {
        if (name.len == 0 || str_eq(name, STR(".")))
            continue;
        if (str_eq(name, STR(".."))) {
            buf_addf(why, "'..' leads out of what --state-dir allows");
            return STATE_OUTSIDE;
        }
        if (name.len > NAME_MAX) {
            buf_addf(why, "a name in it is longer than %d bytes", NAME_MAX);
            return STATE_INVALID;
        }
        if (last.ptr)
            buf_addf(folders, "%s%.*s", folders->len ? "/" : "", (int)last.len, last.ptr);
        last = name;
    }
    if (!last.ptr) {
        buf_addf(why, "it names nothing below the folder of --state-dir");
        return STATE_INVALID;
    }
    str_put(out->name, last);
    out->name[last.len] = '\0';
    buf_add_char(folders, '\0');
    if (buf_ok(folders))
        return STATE_FOUND;
    buf_addf(why, "it is longer than %d bytes", PATH_MAX);
    return STATE_INVALID;
}

enum state_found state_dirs_find(const struct state_dirs *dirs, struct str path,
                                 struct state_path *out, struct buf *why)
{
    AUTO_BUF(folders, PATH_MAX);
    const struct state_dir *dir;
    enum state_found found;

    *out = (struct state_path){.dir = -1};
    if (!dirs || dirs->count == 0) {
        buf_addf(why, "start s3memd with --state-dir=DIR to allow files below DIR");
        return STATE_OFF;
    }
    if (path.len == 0 || memchr(path.ptr, '\0', path.len)) {
        buf_addf(why, "a path must not be empty or contain NUL");
        return STATE_INVALID;
    }
    dir = choose_dir(dirs, &path);
    if (!dir) {
        buf_addf(why, "it is not below a folder of --state-dir");
        return STATE_OUTSIDE;
    }
    found = take_apart(path, &folders, out, why);
    if (found)
        return found;
    out->dir = walk(dir->fd, folders.ptr);
    if (out->dir >= 0)
        return STATE_FOUND;
    if (errno == ELOOP || errno == EXDEV) {
        buf_addf(why, "a symbolic link is on its way; those are not followed");
        return STATE_OUTSIDE;
    }
    buf_addf(why, "%s: %s", folders.ptr, strerror(errno));
    return errno == ENOENT || errno == ENOTDIR ? STATE_MISSING : STATE_FAILED;
}

void state_path_release(struct state_path *path)
{
    if (path->dir >= 0)
        close(path->dir);
    path->dir = -1;
}

int state_path_open(const struct state_path *path)
{
    /* O_NONBLOCK: nobody may be at the other end of a named pipe. */
    int fd = openat(path->dir, path->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
}
