/* SPDX-License-Identifier: MIT */
/* source.c - files out of a folder, a tar, a tar.gz. */
#include "disk/archive_lib.h"
#include "disk/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define BLOCK_SIZE KiB(64)
/* deflate gives 1032 bytes for one at most, and only for what says nothing. */
#define EXPANSION_FREE MiB(64)
#define EXPANSION_MAX  200

struct member {
    char *name; /* owned */
    int spool;  /* -1: it lies in the folder */
};

struct source {
    int folder; /* -1: everything is in spools */
    struct member *members;
    size_t count;
};

static struct source *source_new(void)
{
    struct source *s = xcalloc(1, sizeof(*s));

    s->folder = -1;
    return s;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++) {
        mem_free(s->members[i].name);
        if (s->members[i].spool >= 0)
            close(s->members[i].spool);
    }
    if (s->folder >= 0)
        close(s->folder);
    mem_free(s->members);
    mem_free(s);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static void sort_members(struct source *s)
{
    if (s->count > 1)
        qsort(s->members, s->count, sizeof(*s->members), compare_names);
}

static const struct member *find_member(const struct source *s, struct str name)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(str_c(s->members[i].name), name))
            return &s->members[i];
    return NULL;
}

size_t source_count(const struct source *s)
{
    return s->count;
}

struct str source_name(const struct source *s, size_t i)
{
    return str_c(s->members[i].name);
}

bool source_has(const struct source *s, struct str name)
{
    return find_member(s, name) != NULL;
}

/* Takes spool, even on failure. */
static bool add_member(struct source *s, struct str name, int spool, struct buf *why)
{
    bool good = false;

    if (s->count == CONTAINER_FILES_MAX)
        buf_addf(why, "more than %d files", CONTAINER_FILES_MAX);
    else if (find_member(s, name))
        buf_addf(why, "two files are called '%.*s'", (int)name.len, name.ptr);
    else
        good = true;
    if (!good) {
        if (spool >= 0)
            close(spool);
        return false;
    }
    if ((s->count & (s->count - 1)) == 0)
        s->members = xrealloc(s->members, (s->count ? s->count * 2 : 1) * sizeof(*s->members));
    s->members[s->count++] = (struct member){xstrndup(name), spool};
    return true;
}

int source_open(struct source *s, struct str name, struct buf *why)
{
    const struct member *m = find_member(s, name);
    struct stat st;
    int fd;

    if (!m) {
        buf_addf(why, "%.*s is missing", (int)name.len, name.ptr);
        return -1;
    }
    if (m->spool >= 0)
        fd = lseek(m->spool, 0, SEEK_SET) == 0 ? fcntl(m->spool, F_DUPFD_CLOEXEC, 0) : -1;
    else
        fd = openat(s->folder, m->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        buf_addf(why, "%s: %s", m->name, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        buf_addf(why, "%s is not a plain file", m->name);
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- a folder ---------------------------------------------------------------------- */

static struct source *folder_new(const char *path, int fd, struct buf *why)
{
    struct source *s = source_new();
    int listed = dup(fd);
    DIR *dir = listed < 0 ? NULL : fdopendir(listed);
    struct dirent *entry;
    bool good = dir != NULL;

    s->folder = fd;
    if (!dir)
        buf_addf(why, "%s: %s", path, strerror(errno));
    while (good && (entry = readdir(dir)))
        if (backup_file_name(str_c(entry->d_name)))
            good = add_member(s, str_c(entry->d_name), -1, why);
    if (dir)
        closedir(dir);
    else if (listed >= 0)
        close(listed);
    if (!good) {
        source_free(s);
        return NULL;
    }
    sort_members(s);
    return s;
}

/* ---- a stream ---------------------------------------------------------------------- */

/* What was read to see what it is comes first again. */
struct stream {
    container_read *read;
    void *arg;
    char *block; /* BLOCK_SIZE */
    char *head;  /* BLOCK_SIZE, of which head_len are not taken yet */
    size_t head_at, head_len;
    uint64_t in, out; /* bytes */
    bool broken;      /* read() said so */
};

static bool expands_beyond_reason(const struct stream *stream)
{
    return stream->out > EXPANSION_FREE && stream->out / EXPANSION_MAX > stream->in;
}

static ssize_t take(struct stream *stream, void *out, size_t max)
{
    size_t n = stream->head_len - stream->head_at;
    ssize_t got;

    if (n > 0) {
        n = n < max ? n : max;
        memcpy(out, stream->head + stream->head_at, n);
        stream->head_at += n;
        return (ssize_t)n;
    }
    got = stream->read(stream->arg, out, max);
    if (got < 0)
        stream->broken = true;
    else
        stream->in += (uint64_t)got;
    return got;
}

/* Fills head as far as there is something. */
static bool peek(struct stream *stream)
{
    ssize_t n = 1;

    while (stream->head_len < BLOCK_SIZE && n > 0) {
        n = stream->read(stream->arg, stream->head + stream->head_len,
                         BLOCK_SIZE - stream->head_len);
        if (n > 0) {
            stream->head_len += (size_t)n;
            stream->in += (uint64_t)n;
        }
    }
    stream->broken = n < 0;
    return n >= 0;
}

/* What stands behind a tar's end is padding, which its sender wants to get rid of all the same.
 */
static void drain(struct stream *stream)
{
    while (!stream->broken && take(stream, stream->block, BLOCK_SIZE) > 0)
        continue;
}

/* Does it, after gzip has been taken off, begin with "{"? Then it is no tar but JSON. */
static bool begins_as_json(const struct stream *stream)
{
    char plain[512];
    struct str text = str_of(stream->head, stream->head_len);
    z_stream z = {.next_in = (Bytef *)stream->head,
                  .avail_in = (uInt)stream->head_len,
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof(plain)};

    if (str_has_prefix(text, STR("\x1f\x8b"))) {
        if (inflateInit2(&z, 15 + 16) != Z_OK)
            return false;
        inflate(&z, Z_SYNC_FLUSH);
        inflateEnd(&z);
        text = str_of(plain, sizeof(plain) - z.avail_out);
    }
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0]))
        text = str_from(text, 1);
    return text.len > 0 && text.ptr[0] == '{';
}

static bool spool_whole(struct source *s, struct stream *stream, struct buf *why)
{
    int fd = temporary_file();
    int error = fd < 0 ? errno : 0;
    ssize_t n = 0;

    while (!error && (n = take(stream, stream->block, BLOCK_SIZE)) > 0)
        error = write_all(fd, stream->block, (size_t)n);
    if (error)
        buf_addf(why, "temporary file: %s", strerror(error));
    if (!error && n == 0)
        return add_member(s, SOURCE_ARCHIVE, fd, why);
    if (fd >= 0)
        close(fd);
    return false;
}

/* ---- a tar ------------------------------------------------------------------------- */

static la_ssize_t on_read(struct archive *archive, void *arg, const void **data)
{
    struct stream *stream = arg;

    (void)archive;
    *data = stream->block;
    return take(stream, stream->block, BLOCK_SIZE);
}

/* The last part of a name that leads nowhere but down; STR_NONE: it does not. */
static struct str last_part(struct str name)
{
    struct str rest = name, part, last = STR_NONE;

    if (name.len == 0 || name.ptr[0] == '/')
        return STR_NONE;
    while (str_split(&rest, '/', &part)) {
        if (str_eq(part, STR("..")))
            return STR_NONE;
        if (part.len > 0 && !str_eq(part, STR(".")))
            last = part;
    }
    return last;
}

static bool tar_error(const struct archive_lib *lib, struct archive *archive, struct str name,
                      struct buf *why)
{
    const char *text = lib->archive_error_string(archive);

    buf_addf(why, "%.*s%s%s", (int)name.len, name.len ? name.ptr : "", name.len ? ": " : "",
             text ? text : "the tar cannot be read");
    return false;
}

static bool spool_entry(struct source *s, const struct archive_lib *lib,
                        struct archive *archive, struct stream *stream, struct str name,
                        struct buf *why)
{
    char *block = xmalloc(BLOCK_SIZE);
    int fd = temporary_file();
    int error = fd < 0 ? errno : 0;
    la_ssize_t n = 0;
    bool good;

    while (!error && !expands_beyond_reason(stream) &&
           (n = lib->archive_read_data(archive, block, BLOCK_SIZE)) > 0) {
        stream->out += (uint64_t)n;
        error = write_all(fd, block, (size_t)n);
    }
    mem_free(block);
    good = !error && n == 0 && !expands_beyond_reason(stream);
    if (error)
        buf_addf(why, "temporary file: %s", strerror(error));
    else if (n < 0)
        tar_error(lib, archive, name, why);
    else if (!good)
        buf_addf(why, "%.*s expands to more than %d times its size", (int)name.len, name.ptr,
                 EXPANSION_MAX);
    if (good)
        return add_member(s, name, fd, why);
    if (fd >= 0)
        close(fd);
    return false;
}

static bool take_entry(struct source *s, const struct archive_lib *lib, struct archive *archive,
                       struct archive_entry *entry, struct stream *stream, struct buf *why)
{
    const char *path = lib->archive_entry_pathname(entry);
    struct str name;

    /* pax keeps names as UTF-8, which the C locale cannot show. */
    if (!path)
        path = lib->archive_entry_pathname_utf8(entry);
    if (!path) {
        buf_add(why, STR("a file in the tar has no name"));
        return false;
    }
    name = last_part(str_c(path));
    if (lib->archive_entry_filetype(entry) == AE_IFDIR && !lib->archive_entry_hardlink(entry) &&
        (name.ptr || strspn(path, "./") == strlen(path)) && !strstr(path, ".."))
        return true;
    if (!name.ptr || !container_name_ok(name)) {
        buf_addf(why, "'%s' leads out of the tar: it is refused", path);
        return false;
    }
    if (lib->archive_entry_hardlink(entry) || lib->archive_entry_filetype(entry) != AE_IFREG) {
        buf_addf(why, "'%s' is a link or a device: only plain files are read", path);
        return false;
    }
    return !backup_file_name(name) || spool_entry(s, lib, archive, stream, name, why);
}

static bool read_entries(struct source *s, const struct archive_lib *lib,
                         struct archive *archive, struct stream *stream, struct buf *why)
{
    struct archive_entry *entry;
    size_t entries = 0;
    int result;

    while ((result = lib->archive_read_next_header(archive, &entry)) == ARCHIVE_OK ||
           result == ARCHIVE_WARN) {
        if (++entries > CONTAINER_FILES_MAX) {
            buf_addf(why, "more than %d files", CONTAINER_FILES_MAX);
            return false;
        }
        if (!take_entry(s, lib, archive, entry, stream, why))
            return false;
    }
    return result == ARCHIVE_EOF || tar_error(lib, archive, STR(""), why);
}

static bool read_tar(struct source *s, struct stream *stream, struct buf *why)
{
    const struct archive_lib *lib = archive_lib(why);
    struct archive *archive = lib ? lib->archive_read_new() : NULL;
    bool good;

    if (!archive)
        return false;
    good = lib->archive_read_support_filter_gzip(archive) == ARCHIVE_OK &&
           lib->archive_read_support_format_tar(archive) == ARCHIVE_OK &&
           lib->archive_read_open(archive, stream, NULL, on_read, NULL) == ARCHIVE_OK;
    good = good ? read_entries(s, lib, archive, stream, why)
                : tar_error(lib, archive, STR(""), why);
    lib->archive_read_free(archive);
    return good;
}

struct source *source_stream_new(container_read *read, void *arg, struct buf *why)
{
    struct stream stream = {.read = read, .arg = arg};
    struct source *s = source_new();
    bool good;

    stream.block = xmalloc(BLOCK_SIZE);
    stream.head = xmalloc(BLOCK_SIZE);
    good = peek(&stream);
    if (good && stream.head_len == 0) {
        buf_add(why, STR("it is empty"));
        good = false;
    }
    if (good)
        good =
            begins_as_json(&stream) ? spool_whole(s, &stream, why) : read_tar(s, &stream, why);
    if (good)
        drain(&stream);
    if (stream.broken) {
        good = false;
        buf_reset(why);
        buf_add(why, STR("it could not be read to its end"));
    }
    mem_free(stream.block);
    mem_free(stream.head);
    if (!good) {
        source_free(s);
        return NULL;
    }
    sort_members(s);
    return s;
}

/* ---- a path ------------------------------------------------------------------------ */

static ssize_t read_fd(void *arg, void *out, size_t max)
{
    const int *fd = arg;
    ssize_t n;

    do
        n = read(*fd, out, max);
    while (n < 0 && errno == EINTR);
    return n;
}

struct source *source_path_new(int dir, const char *path, struct buf *why)
{
    int fd = openat(dir, path,
                    O_RDONLY | O_NONBLOCK | O_CLOEXEC | (dir == AT_FDCWD ? 0 : O_NOFOLLOW));
    struct source *s = NULL;
    struct stat st;
    AUTO_BUF(detail, KiB(4));

    if (fd < 0 || fstat(fd, &st) != 0) {
        buf_addf(why, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (S_ISDIR(st.st_mode))
        return folder_new(path, fd, why);
    if (S_ISREG(st.st_mode))
        s = source_stream_new(read_fd, &fd, &detail);
    else
        buf_add(&detail, STR("it is neither a folder nor a file"));
    if (!s) {
        const char *slash = strrchr(path, '/');

        buf_addf(why, "%s: ", slash ? slash + 1 : path);
        buf_add_buf(why, &detail);
    }
    close(fd);
    return s;
}
