/* SPDX-License-Identifier: MIT */
/* file.c - reading a file as a whole. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(struct buf *out, const char *path)
{
    char block[KiB(4)];
    struct stat st;
    ssize_t n;
    int err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    /* At once, with a byte for the caller's NUL: growing leaves copies of secrets behind. */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_size < out->max - out->len)
        buf_reserve(out, (size_t)st.st_size + 1);
    while ((n = read(fd, block, sizeof(block))) > 0)
        buf_add(out, str_of(block, (size_t)n));
    err = n < 0 ? errno : buf_ok(out) ? 0 : EFBIG;
    mem_wipe(block, sizeof(block));
    close(fd);
    return err;
}
