/* SPDX-License-Identifier: MIT */
/* archive_read.c - BackupPlugin's archives: the text of each file is written to an unlinked
 * file first, then its records, one a line, to another. So no part of it has to fit into
 * memory. */
#include "disk/archive_read.h"

#include "disk/json_walk.h"

#include <errno.h>
#include <unistd.h>

#define NAME_BYTES_MAX KiB(4)

void archive_parts_release(struct archive_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        mem_free(parts->list[i].name);
        mem_free(parts->list[i].file);
        json_decref(parts->list[i].definition);
        if (parts->list[i].lines >= 0)
            close(parts->list[i].lines);
    }
    mem_free(parts->list);
}

struct reading {
    struct archive_parts *out;
    json_t *skipped;
    struct work *work;
    struct buf *why;
};

struct spool {
    int fd;
    int error;
    struct buf block; /* not written yet */
};

static bool flush(struct spool *s)
{
    if (!s->error && s->block.len > 0)
        s->error = write_all(s->fd, s->block.ptr, s->block.len);
    buf_reset(&s->block);
    return !s->error;
}

static bool add_to_spool(void *arg, struct str piece)
{
    struct spool *s = arg;

    if (s->block.len + piece.len > KiB(64) && !flush(s))
        return false;
    if (piece.len <= KiB(64))
        buf_add(&s->block, piece);
    else if (!s->error)
        s->error = write_all(s->fd, piece.ptr, piece.len);
    return !s->error;
}

static bool spool_open(struct spool *s)
{
    *s = (struct spool){.fd = temporary_file()};
    buf_init(&s->block, KiB(64));
    s->error = s->fd < 0 ? errno : 0;
    return !s->error;
}

/* The descriptor, at its start; -1 on failure. Ends the spool. */
static int spool_end(struct spool *s, struct buf *why)
{
    if (flush(s) && lseek(s->fd, 0, SEEK_SET) != 0)
        s->error = errno;
    buf_release(&s->block);
    if (s->error) {
        buf_addf(why, "temporary file: %s", strerror(s->error));
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
    }
    return s->fd;
}

/* ---- the text of one file ---------------------------------------------------------- */

struct part_facts {
    struct buf resource, definition;
    bool has_records;
    struct spool *lines;
};

static bool read_records(struct json_walk *in, struct reading *r, struct part_facts *f)
{
    bool first = true;
    AUTO_BUF(record, LINE_MAX_BYTES);

    f->has_records = true;
    if (!walk_take(in, '['))
        return false;
    while (walk_element(in, &first)) {
        buf_reset(&record);
        if (work_cancelled(r->work) || !walk_value(in, &record))
            return false;
        /* Too long a line, which import then complains about at its place. */
        if (!buf_ok(&record))
            buf_reset(&record);
        buf_add_char(&record, '\n');
        if (!add_to_spool(f->lines, buf_str(&record)))
            return false;
    }
    return json_walk_ok(in);
}

static bool read_content(struct json_walk *in, struct reading *r, struct part_facts *f)
{
    bool first = true;
    AUTO_BUF(name, NAME_BYTES_MAX);

    if (!walk_take(in, '{'))
        return false;
    while (walk_member(in, &first, &name)) {
        bool good;

        if (str_eq(buf_str(&name), STR("resourceName")))
            good = walk_text_buf(in, &f->resource);
        else if (str_eq(buf_str(&name), STR("definition")))
            good = walk_value(in, &f->definition);
        else if (str_eq(buf_str(&name), STR("records")))
            good = read_records(in, r, f);
        else
            good = walk_value(in, NULL);
        if (!good)
            return false;
    }
    return json_walk_ok(in);
}

static void add_part(struct reading *r, struct str file, struct part_facts *f, int lines)
{
    struct archive_parts *out = r->out;
    AUTO_BUF(why, 512);

    out->list = xrealloc(out->list, (out->count + 1) * sizeof(*out->list));
    out->list[out->count++] = (struct archive_part){
        .name = xstrndup(buf_str(&f->resource)),
        .file = xstrndup(file),
        .definition = f->definition.len ? js_parse(buf_str(&f->definition), &why) : NULL,
        .lines = lines};
}

/* Takes fd: the content of one file. */
static bool read_part(struct reading *r, struct str file, int fd)
{
    struct part_facts f = {.has_records = false};
    AUTO(lines) text = lines_new(fd);
    struct json_walk in;
    struct spool lines;
    bool good = spool_open(&lines);
    int result;

    json_walk_init(&in, text);
    buf_init(&f.resource, NAME_BYTES_MAX);
    buf_init(&f.definition, LINE_MAX_BYTES);
    f.lines = &lines;
    good = good && read_content(&in, r, &f);
    result = spool_end(&lines, r->why);
    if (result < 0 || work_cancelled(r->work)) {
        good = false;
        if (result >= 0)
            close(result);
    } else if (!good || !f.has_records || f.resource.len == 0) {
        AUTO_BUF(skip, KiB(8));

        buf_addf(&skip, "%.*s: %.*s", (int)file.len, file.ptr,
                 in.why.len ? (int)in.why.len : (int)strlen("it holds no records"),
                 in.why.len ? in.why.ptr : "it holds no records");
        json_array_append_new(r->skipped, json_stringn(skip.ptr, skip.len));
        close(result);
        good = true;
    } else {
        add_part(r, file, &f, result);
    }
    json_walk_release(&in);
    buf_release(&f.resource);
    buf_release(&f.definition);
    return good;
}

/* What BackupPlugin itself writes: gzip that was read as UTF-8. */
static bool is_destroyed(int fd)
{
    char head[4];

    return pread(fd, head, sizeof(head), 0) == sizeof(head) &&
           memcmp(head, "\x1f\xef\xbf\xbd", 4) == 0;
}

/* ---- the archive ------------------------------------------------------------------- */

static bool read_file(struct json_walk *in, struct reading *r)
{
    bool first = true, good = true;
    AUTO_BUF(member, NAME_BYTES_MAX);
    AUTO_BUF(name, NAME_BYTES_MAX);
    struct spool content = {.fd = -1};
    int fd = -1;

    if (!walk_take(in, '{'))
        return false;
    while (good && walk_member(in, &first, &member)) {
        if (str_eq(buf_str(&member), STR("name")) && name.len == 0)
            good = walk_text_buf(in, &name);
        else if (str_eq(buf_str(&member), STR("content")) && fd < 0 && content.fd < 0)
            good = spool_open(&content) && walk_text(in, add_to_spool, &content);
        else
            good = walk_value(in, NULL);
    }
    if (content.fd >= 0)
        fd = spool_end(&content, r->why);
    good = good && json_walk_ok(in) && (content.error == 0);
    if (!good || fd < 0) {
        if (fd >= 0)
            close(fd);
        return good;
    }
    if (is_destroyed(fd)) {
        close(fd);
        buf_addf(r->why,
                 "%.*s holds compressed bytes that BackupPlugin read as text: its records are "
                 "destroyed, as in every backup that plugin writes",
                 (int)name.len, name.ptr ? name.ptr : "");
        return false;
    }
    return read_part(r, buf_str(&name), fd);
}

static bool read_archive(struct json_walk *in, struct reading *r)
{
    bool first = true, files = false;
    AUTO_BUF(name, NAME_BYTES_MAX);

    if (!walk_take(in, '{'))
        return false;
    while (walk_member(in, &first, &name)) {
        bool first_file = true;

        if (!str_eq(buf_str(&name), STR("files"))) {
            if (!walk_value(in, NULL))
                return false;
            continue;
        }
        files = true;
        if (!walk_take(in, '['))
            return false;
        while (walk_element(in, &first_file)) {
            if (r->out->count == CONTAINER_FILES_MAX || !read_file(in, r))
                return false;
        }
    }
    if (json_walk_ok(in) && !files)
        buf_add(r->why, STR("it has no files: it is no archive of BackupPlugin"));
    return json_walk_ok(in) && files;
}

bool archive_read(struct archive_parts *out, struct source *source, struct str name,
                  json_t *skipped, struct work *work, struct buf *why)
{
    AUTO_BUF(detail, KiB(8));
    struct reading r = {.out = out, .skipped = skipped, .work = work, .why = &detail};
    int fd = source_open(source, name, why);
    struct json_walk in;
    bool good;

    *out = (struct archive_parts){.count = 0};
    if (fd < 0)
        return false;
    AUTO(lines) text = lines_new(fd);
    json_walk_init(&in, text);
    good = read_archive(&in, &r);
    if (!good) {
        buf_addf(why, "%.*s: ", (int)name.len, name.ptr);
        buf_add(why, detail.len   ? buf_str(&detail)
                     : in.why.len ? buf_str(&in.why)
                                  : STR("it was not read to its end"));
    }
    json_walk_release(&in);
    return good;
}
