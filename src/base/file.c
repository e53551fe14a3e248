/* SPDX-License-Identifier: MIT */
/* file.c - reading a file as a whole. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int file_read(struct buf *out, const char *path)
{
    char block[KiB(4)];
    ssize_t n;
    int err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    while ((n = read(fd, block, sizeof(block))) > 0)
        buf_add(out, str_of(block, (size_t)n));
    err = n < 0 ? errno : buf_ok(out) ? 0 : EFBIG;
    close(fd);
    return err;
}
