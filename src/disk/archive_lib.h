/* SPDX-License-Identifier: MIT */
/* archive_lib.h - libarchive, loaded when the first tar is read or written: linked, it would
 * bring ICU and half a dozen compressors into every start. */
#ifndef S3MEM_DISK_ARCHIVE_LIB_H
#define S3MEM_DISK_ARCHIVE_LIB_H

#include "s3mem/base.h"

#include <archive.h>
#include <archive_entry.h>

/* What we use of it. */
#define ARCHIVE_LIB_FUNCTIONS(X)                                                               \
    X(archive_read_new)                                                                        \
    X(archive_read_append_filter)                                                              \
    X(archive_filter_bytes)                                                                    \
    X(archive_read_support_format_tar)                                                         \
    X(archive_read_open)                                                                       \
    X(archive_read_next_header)                                                                \
    X(archive_read_data)                                                                       \
    X(archive_read_free)                                                                       \
    X(archive_write_new)                                                                       \
    X(archive_write_set_format_gnutar)                                                         \
    X(archive_write_add_filter_gzip)                                                           \
    X(archive_write_set_options)                                                               \
    X(archive_write_open)                                                                      \
    X(archive_write_header)                                                                    \
    X(archive_write_data)                                                                      \
    X(archive_write_close)                                                                     \
    X(archive_write_free)                                                                      \
    X(archive_error_string)                                                                    \
    X(archive_entry_new)                                                                       \
    X(archive_entry_free)                                                                      \
    X(archive_entry_pathname)                                                                  \
    X(archive_entry_pathname_utf8)                                                             \
    X(archive_entry_filetype)                                                                  \
    X(archive_entry_hardlink)                                                                  \
    X(archive_entry_set_pathname)                                                              \
    X(archive_entry_set_size)                                                                  \
    X(archive_entry_set_filetype)                                                              \
    X(archive_entry_set_perm)                                                                  \
    X(archive_entry_set_mtime)

struct archive_lib {
#define X(name) __typeof__(name) *name;
    ARCHIVE_LIB_FUNCTIONS(X)
#undef X
};

/* NULL when it cannot be loaded: why says so. Threads may call it at once. */
MUST_CHECK const struct archive_lib *archive_lib(struct buf *why);

#endif
