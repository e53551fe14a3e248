/* SPDX-License-Identifier: MIT */
/* new_file.c - a file that is there as a whole or not at all: written under another name,
 * synced, renamed, and the folder synced. What stood there before stays until then. */
#include "disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_KEPT 200 /* bytes of the name that the temporary one repeats */
#define TRIES     16

int new_file_begin(struct new_file *f, int dir, const char *name)
{
    *f = (struct new_file){.dir = dir, .fd = -1};
    if (strlen(name) >= sizeof(f->name))
        return ENAMETOOLONG;
    memcpy(f->name, name, strlen(name) + 1);
    for (int i = 0; i < TRIES && f->fd < 0; i++) {
        snprintf(f->temporary, sizeof(f->temporary), ".%.*s.%016llx.tmp", NAME_KEPT, name,
                 (unsigned long long)random_u64());
        f->fd = openat(dir, f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       0666);
        if (f->fd < 0 && errno != EEXIST)
            return errno;
    }
    return f->fd < 0 ? EEXIST : 0;
}

int new_file_write(struct new_file *f, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(f->fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int close_it(struct new_file *f)
{
    int fd = f->fd;

    f->fd = -1;
    return close(fd);
}

int new_file_commit(struct new_file *f)
{
    int err = 0;

    if (fsync(f->fd) != 0)
        err = errno;
    if (close_it(f) != 0 && !err)
        err = errno;
    if (!err && renameat(f->dir, f->temporary, f->dir, f->name) != 0)
        err = errno;
    if (err) {
        unlinkat(f->dir, f->temporary, 0);
        return err;
    }
    /* Some file systems cannot sync folders: the file is there all the same. */
    return fsync(f->dir) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

void new_file_drop(struct new_file *f)
{
    if (f->fd < 0)
        return;
    close_it(f);
    unlinkat(f->dir, f->temporary, 0);
}
