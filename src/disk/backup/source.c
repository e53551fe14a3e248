/* SPDX-License-Identifier: MIT */
/* source.c - files out of a folder, a tar, a tar.gz. */
#include "disk/backup/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>

#define BLOCK_SIZE KiB(64)
/* deflate gives 1032 bytes for one at most, and only for what says nothing. */
#define EXPANSION_FREE MiB(64)
#define EXPANSION_MAX  200

struct member {
    char *name;             /* owned */
    struct stretch spooled; /* borrowed; none: it lies in the folder */
};

struct source {
    int folder; /* -1: everything is in the spool */
    struct spool spool;
    struct member *members; /* in the order of their names once all are there */
    size_t count;
};

static struct source *source_new(void)
{
    struct source *s = xcalloc(1, sizeof(*s));

    s->folder = -1;
    spool_init(&s->spool);
    return s;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->members[i].name);
    spool_release(&s->spool);
    if (s->folder >= 0)
        close(s->folder);
    mem_free(s->members);
    mem_free(s);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* All are there. False: two have one name. */
static bool sort_members(struct source *s, struct buf *why)
{
    if (s->count > 1)
        qsort(s->members, s->count, sizeof(*s->members), compare_names);
    for (size_t i = 1; i < s->count; i++) {
        if (compare_names(&s->members[i - 1], &s->members[i]) != 0)
            continue;
        buf_addf(why, "two files are called '%s'", s->members[i].name);
        return false;
    }
    return true;
}

static const struct member *find_member(const struct source *s, struct str name)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(name, str_c(s->members[middle].name));

        if (order == 0)
            return &s->members[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
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

static bool add_member(struct source *s, struct str name, struct stretch spooled,
                       struct buf *why)
{
    if (s->count == CONTAINER_FILES_MAX) {
        buf_addf(why, "more than %d files", CONTAINER_FILES_MAX);
        return false;
    }
    if ((s->count & (s->count - 1)) == 0)
        s->members = xrealloc(s->members, (s->count ? s->count * 2 : 1) * sizeof(*s->members));
    s->members[s->count++] = (struct member){xstrndup(name), spooled};
    return true;
}

static bool is_plain_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool source_open(struct source *s, struct str name, struct stretch *out, struct buf *why)
{
    const struct member *m = find_member(s, name);

    if (!m) {
        buf_addf(why, "%.*s is missing", (int)name.len, name.ptr);
        return false;
    }
    if (m->spooled.fd >= 0)
        *out = stretch_dup(&m->spooled);
    else
        *out = (struct stretch){
            openat(s->folder, m->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), 0,
            UINT64_MAX};
    if (out->fd < 0) {
        buf_addf(why, "%s: %s", m->name, strerror(errno));
        return false;
    }
    if (!is_plain_file(out->fd)) {
        buf_addf(why, "%s is not a plain file", m->name);
        stretch_close(out);
        return false;
    }
    return true;
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
            good = add_member(s, str_c(entry->d_name), STRETCH_NONE, why);
    if (dir)
        closedir(dir);
    else if (listed >= 0)
        close(listed);
    if (!good || !sort_members(s, why)) {
        source_free(s);
        return NULL;
    }
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
    bool excessive;   /* what is passed over expands beyond reason */
};

static bool is_too_much(uint64_t out, uint64_t in)
{
    return out > EXPANSION_FREE && out / EXPANSION_MAX > in;
}

static bool expands_beyond_reason(const struct stream *stream)
{
    return is_too_much(stream->out, stream->in);
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

static bool is_gzip(const struct stream *stream)
{
    return str_has_prefix(str_of(stream->head, stream->head_len), STR("\x1f\x8b"));
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

    if (is_gzip(stream)) {
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

/* The text that was begun becomes a member. */
static bool end_member(struct source *s, struct str name, struct buf *why)
{
    struct stretch spooled;

    if (spool_end(&s->spool, &spooled))
        return add_member(s, name, spooled, why);
    buf_addf(why, "temporary file: %s", strerror(s->spool.error));
    return false;
}

static bool spool_whole(struct source *s, struct stream *stream, struct buf *why)
{
    ssize_t n = 0;

    spool_begin(&s->spool);
    while (!s->spool.error && (n = take(stream, stream->block, BLOCK_SIZE)) > 0)
        (void)!spool_add(&s->spool, str_of(stream->block, (size_t)n));
    return n >= 0 && end_member(s, SOURCE_ARCHIVE, why);
}

/* ---- a tar ------------------------------------------------------------------------- */

static la_ssize_t on_read(struct archive *archive, void *arg, const void **data)
{
    struct stream *stream = arg;

    /* Also of what is only passed over. */
    if (is_too_much((uint64_t)archive_filter_bytes(archive, 0), stream->in)) {
        stream->excessive = true;
        return -1;
    }
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

static bool tar_error(struct archive *archive, struct str name, struct buf *why)
{
    const char *text = archive_error_string(archive);

    buf_addf(why, "%.*s%s%s", (int)name.len, name.len ? name.ptr : "", name.len ? ": " : "",
             text ? text : "the tar cannot be read");
    return false;
}

static bool spool_entry(struct source *s, struct archive *archive, struct stream *stream,
                        struct str name, struct buf *why)
{
    char *block = xmalloc(BLOCK_SIZE);
    la_ssize_t n = 0;

    spool_begin(&s->spool);
    while (!s->spool.error && !expands_beyond_reason(stream) &&
           (n = archive_read_data(archive, block, BLOCK_SIZE)) > 0) {
        stream->out += (uint64_t)n;
        (void)!spool_add(&s->spool, str_of(block, (size_t)n));
    }
    mem_free(block);
    if (n < 0)
        return tar_error(archive, name, why);
    if (!expands_beyond_reason(stream))
        return end_member(s, name, why);
    buf_addf(why, "%.*s expands to more than %d times its size", (int)name.len, name.ptr,
             EXPANSION_MAX);
    return false;
}

static bool take_entry(struct source *s, struct archive *archive, struct archive_entry *entry,
                       struct stream *stream, struct buf *why)
{
    const char *path = archive_entry_pathname(entry);
    struct str name;

    /* pax keeps names as UTF-8, which the C locale cannot show. */
    if (!path)
        path = archive_entry_pathname_utf8(entry);
    if (!path) {
        buf_add(why, STR("a file in the tar has no name"));
        return false;
    }
    name = last_part(str_c(path));
    if (archive_entry_filetype(entry) == AE_IFDIR && !archive_entry_hardlink(entry) &&
        (name.ptr || strspn(path, "./") == strlen(path)) && !strstr(path, ".."))
        return true;
    if (!name.ptr || !container_name_ok(name)) {
        buf_addf(why, "'%s' leads out of the tar: it is refused", path);
        return false;
    }
    if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFREG) {
        buf_addf(why, "'%s' is a link or a device: only plain files are read", path);
        return false;
    }
    return !backup_file_name(name) || spool_entry(s, archive, stream, name, why);
}

static bool read_entries(struct source *s, struct archive *archive, struct stream *stream,
                         struct buf *why)
{
    struct archive_entry *entry;
    size_t entries = 0;
    int result;

    while ((result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK ||
           result == ARCHIVE_WARN) {
        if (++entries > CONTAINER_FILES_MAX) {
            buf_addf(why, "more than %d files", CONTAINER_FILES_MAX);
            return false;
        }
        if (!take_entry(s, archive, entry, stream, why))
            return false;
    }
    return result == ARCHIVE_EOF || tar_error(archive, STR(""), why);
}

static bool read_tar(struct source *s, struct stream *stream, struct buf *why)
{
    struct archive *archive = archive_read_new();
    bool good;

    if (!archive) {
        buf_add(why, STR("out of memory"));
        return false;
    }
    /* Named, not guessed: libarchive would take off one gzip after the other. */
    good = (!is_gzip(stream) ||
            archive_read_append_filter(archive, ARCHIVE_FILTER_GZIP) == ARCHIVE_OK) &&
           archive_read_support_format_tar(archive) == ARCHIVE_OK &&
           archive_read_open(archive, stream, NULL, on_read, NULL) == ARCHIVE_OK;
    good = good ? read_entries(s, archive, stream, why) : tar_error(archive, STR(""), why);
    archive_read_free(archive);
    if (!good && stream->excessive) {
        buf_reset(why);
        buf_addf(why, "it expands to more than %d times its size", EXPANSION_MAX);
    }
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
    if (!good || !sort_members(s, why)) {
        source_free(s);
        return NULL;
    }
    return s;
}

/* ---- a path ------------------------------------------------------------------------ */

struct file {
    struct stretch text;
    const struct work *work;
};

static ssize_t read_file(void *arg, void *out, size_t max)
{
    struct file *file = arg;

    return work_cancelled(file->work) ? -1 : stretch_read(&file->text, out, max);
}

struct source *source_path_new(int dir, const char *path, const struct work *work,
                               struct buf *why)
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
    struct file file = {{fd, 0, UINT64_MAX}, work};
    if (S_ISREG(st.st_mode))
        s = source_stream_new(read_file, &file, &detail);
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
