/* SPDX-License-Identifier: MIT */
/* sink.c - files into a folder or a tar. */
#include "disk/backup/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#define COPY_SIZE KiB(64)

struct sink {
    struct buf why;
    bool failed;
    int file; /* the one that is being written; -1: none */
    struct buf name;

    /* folder */
    int dir;                /* what both are relative to; AT_FDCWD, or owned */
    char *path, *temporary; /* owned; temporary NULL: it is a tar, or finished */
    int folder;             /* descriptor of the temporary one */
    bool replace;

    /* tar */
    struct archive *archive; /* owned; NULL: it is a folder */
    container_write *write;
    void *write_arg;
};

/* ---- both -------------------------------------------------------------------------- */

bool container_name_ok(struct str name)
{
    return name.len > 0 && name.len <= 255 && str_find_char(name, '/') == SIZE_MAX &&
           str_find_char(name, '\0') == SIZE_MAX && !str_eq(name, STR(".")) &&
           !str_eq(name, STR(".."));
}

bool backup_file_name(struct str name)
{
    static const struct str suffixes[] = {
        {".jsonl", 6}, {".jsonl.gz", 9}, {".backup", 7}, {".manifest.json", 14}};

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_has_suffix(name, suffixes[i]))
            return true;
    return str_eq(name, STR("s3db.json")) || str_eq(name, STR("objects.ndjson")) ||
           str_eq(name, STR("objects.ndjson.gz"));
}

int temporary_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int fd = open(folder && *folder ? folder : P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    /* Not every file system has O_TMPFILE. */
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    snprintf(path, sizeof(path), "%s/s3memd-XXXXXX", folder && *folder ? folder : P_tmpdir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int write_all(int fd, const void *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            data = (const char *)data + n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static struct sink *sink_new(void)
{
    struct sink *s = xcalloc(1, sizeof(*s));

    buf_init(&s->why, KiB(8));
    buf_init(&s->name, 256);
    s->file = s->folder = -1;
    s->dir = AT_FDCWD;
    return s;
}

static bool fail(struct sink *s, const char *what, int error)
{
    if (!s->failed)
        buf_addf(&s->why, "%s: %s", what, strerror(error));
    s->failed = true;
    return false;
}

struct str sink_why(const struct sink *s)
{
    return buf_str(&s->why);
}

/* ---- the folder -------------------------------------------------------------------- */

/* May what is there be replaced? `other` gets a name that speaks against it. */
static bool is_backup_folder(int folder, struct buf *other)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    bool good = dir != NULL;

    if (!dir && fd >= 0)
        close(fd);
    while (good && (entry = readdir(dir))) {
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        good = fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(st.st_mode) && backup_file_name(str_c(entry->d_name));
        if (!good)
            buf_add_c(other, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return good;
}

static bool is_empty_folder(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), entries = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (entries < 3 && readdir(dir))
        entries++;
    closedir(dir);
    return entries <= 2;
}

/* False: what stands at path has to stay. */
static bool may_take_place(int dir, const char *path, bool replace, struct buf *why)
{
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool may;

    if (fd < 0) {
        if (errno != ENOENT)
            buf_addf(why, "%s: %s", path, strerror(errno));
        return errno == ENOENT;
    }
    may = is_empty_folder(fd);
    if (!may && !replace) {
        buf_addf(why, "%s is there already and is not empty", path);
    } else if (!may) {
        AUTO_BUF(other, 512);

        may = is_backup_folder(fd, &other);
        if (!may)
            buf_addf(why, "%s holds more than a backup (%.*s): it is not replaced", path,
                     (int)other.len, other.ptr ? other.ptr : "");
    }
    close(fd);
    return may;
}

/* Beside path, under a name that nobody has. 0 or errno. */
static int make_temporary(struct sink *s)
{
    int error = EEXIST;

    for (int i = 0; i < 100 && error == EEXIST; i++) {
        AUTO_BUF(name, KiB(8));

        buf_addf(&name, "%s.%08llx", s->path, (unsigned long long)random_u64() & 0xFFFFFFFFU);
        buf_add_char(&name, '\0');
        if (!buf_ok(&name))
            return ENAMETOOLONG;
        error = mkdirat(s->dir, name.ptr, 0755) == 0 ? 0 : errno;
        if (!error)
            s->temporary = xstrdup(name.ptr);
    }
    return error;
}

struct sink *sink_folder_new(int dir, const char *path, bool replace, struct buf *why)
{
    struct sink *s;
    size_t len = strlen(path);
    int error;

    while (len > 1 && path[len - 1] == '/')
        len--;
    s = sink_new();
    s->path = xstrndup(str_of(path, len));
    s->replace = replace;
    if (dir != AT_FDCWD)
        s->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    if (!may_take_place(s->dir, s->path, replace, why)) {
        sink_free(s);
        return NULL;
    }
    error = make_temporary(s);
    if (error) {
        buf_addf(why, "%s: %s", path, strerror(error));
        sink_free(s);
        return NULL;
    }
    s->folder = openat(s->dir, s->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0)
        fail(s, s->path, errno);
    return s;
}

/* Removes a folder with the plain files in it. */
static void remove_folder(int parent, const char *path)
{
    int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_type != DT_DIR)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    unlinkat(parent, path, AT_REMOVEDIR);
}

static bool sync_parent(int dir, const char *path)
{
    AUTO_BUF(parent, KiB(8));
    const char *slash = strrchr(path, '/');
    int fd;
    bool good;

    buf_add(&parent,
            !slash ? STR(".") : str_of(path, slash == path ? 1 : (size_t)(slash - path)));
    buf_add_char(&parent, '\0');
    fd = openat(dir, parent.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool finish_folder(struct sink *s)
{
    if (fsync(s->folder) != 0)
        return fail(s, s->path, errno);
    if (renameat(s->dir, s->temporary, s->dir, s->path) == 0) {
        mem_free(TAKE(s->temporary));
    } else if (s->replace && (errno == ENOTEMPTY || errno == EEXIST) &&
               may_take_place(s->dir, s->path, true, &s->why) &&
               renameat2(s->dir, s->temporary, s->dir, s->path, RENAME_EXCHANGE) == 0) {
        remove_folder(s->dir, s->temporary);
        mem_free(TAKE(s->temporary));
    } else if (s->why.len > 0) {
        s->failed = true;
        return false;
    } else {
        return fail(s, s->path, errno);
    }
    return sync_parent(s->dir, s->path) || fail(s, s->path, errno);
}

/* ---- the tar ----------------------------------------------------------------------- */

/* Never an error: libarchive forgets its buffers once it has seen one. Bytes that nobody takes
 * go nowhere instead, and the sink has failed. */
static la_ssize_t on_tar_bytes(struct archive *archive, void *arg, const void *data, size_t len)
{
    struct sink *s = arg;

    (void)archive;
    if (!s->failed && !s->write(s->write_arg, data, len)) {
        buf_add(&s->why, STR("nobody takes the tar any more"));
        s->failed = true;
    }
    return (la_ssize_t)len;
}

static bool fail_tar(struct sink *s)
{
    const char *text = s->archive ? archive_error_string(s->archive) : "out of memory";

    if (!s->failed)
        buf_addf(&s->why, "tar: %s", text ? text : "cannot be written");
    s->failed = true;
    return false;
}

struct sink *sink_tar_new(container_write *write, void *arg, bool gzip)
{
    struct sink *s = sink_new();

    s->write = write;
    s->write_arg = arg;
    s->archive = archive_write_new();
    /* GNU's form takes names as they are; pax would convert them by the locale. */
    if (!s->archive || archive_write_set_format_gnutar(s->archive) != ARCHIVE_OK ||
        (gzip && (archive_write_add_filter_gzip(s->archive) != ARCHIVE_OK ||
                  archive_write_set_options(s->archive, "gzip:!timestamp") != ARCHIVE_OK)) ||
        archive_write_open(s->archive, s, NULL, on_tar_bytes, NULL) != ARCHIVE_OK)
        fail_tar(s);
    return s;
}

static bool copy_to_tar(struct sink *s)
{
    char *block = xmalloc(COPY_SIZE);
    ssize_t n = 0;

    while (!s->failed && (n = read(s->file, block, COPY_SIZE)) > 0)
        if (archive_write_data(s->archive, block, (size_t)n) != n)
            fail_tar(s);
    if (n < 0)
        fail(s, "temporary file", errno);
    mem_free(block);
    return !s->failed;
}

static bool end_in_tar(struct sink *s)
{
    struct archive_entry *entry = archive_entry_new();
    off_t size = lseek(s->file, 0, SEEK_END);
    bool good;

    if (!entry || size < 0 || lseek(s->file, 0, SEEK_SET) != 0) {
        archive_entry_free(entry);
        return fail(s, "temporary file", errno);
    }
    archive_entry_set_pathname(entry, s->name.ptr);
    archive_entry_set_size(entry, size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, clock_now_ns() / NS_PER_S, 0);
    good = archive_write_header(s->archive, entry) == ARCHIVE_OK || fail_tar(s);
    archive_entry_free(entry);
    return good && copy_to_tar(s);
}

/* ---- files ------------------------------------------------------------------------- */

bool sink_begin(struct sink *s, struct str name)
{
    if (s->failed)
        return false;
    buf_reset(&s->name);
    buf_add(&s->name, name);
    buf_add_char(&s->name, '\0');
    if (!container_name_ok(name)) {
        buf_addf(&s->why, "'%.*s' cannot be the name of a file", (int)name.len, name.ptr);
        s->failed = true;
        return false;
    }
    s->file = s->archive ? temporary_file()
                         : openat(s->folder, s->name.ptr,
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return s->file >= 0 || fail(s, s->name.ptr, errno);
}

bool sink_write(struct sink *s, const void *data, size_t len)
{
    int error;

    if (s->failed)
        return false;
    error = write_all(s->file, data, len);
    return !error || fail(s, s->name.ptr, error);
}

bool sink_end(struct sink *s)
{
    if (s->failed)
        return false;
    if (s->archive)
        end_in_tar(s);
    else if (fsync(s->file) != 0)
        fail(s, s->name.ptr, errno);
    close(s->file);
    s->file = -1;
    return !s->failed;
}

bool sink_finish(struct sink *s)
{
    if (s->failed)
        return false;
    if (!s->archive)
        return finish_folder(s);
    return (archive_write_close(s->archive) == ARCHIVE_OK || fail_tar(s)) && !s->failed;
}

void sink_free(struct sink *s)
{
    if (!s)
        return;
    if (s->file >= 0)
        close(s->file);
    if (s->folder >= 0)
        close(s->folder);
    if (s->temporary)
        remove_folder(s->dir, s->temporary);
    if (s->archive) {
        /* Unless it was finished, it must not write an end that looks whole. */
        s->failed = true;
        archive_write_free(s->archive);
    }
    if (s->dir >= 0)
        close(s->dir);
    mem_free(s->path);
    mem_free(s->temporary);
    buf_release(&s->why);
    buf_release(&s->name);
    mem_free(s);
}
