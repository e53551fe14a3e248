/* SPDX-License-Identifier: MIT */
/* archive_read.c - BackupPlugin's archives: the text of each file is written to a temporary
 * file first, then its records, one a line, to another. So no part of it has to fit into
 * memory, and two descriptors are enough for any number of files. */
#include "disk/backup/archive_read.h"

#include "disk/files/json_walk.h"

#define NAME_BYTES_MAX KiB(4)
#define DEFINITION_MAX MiB(4)

void archive_parts_init(struct archive_parts *parts, struct workspace *workspace)
{
    *parts = (struct archive_parts){.workspace = workspace};
    spool_init(&parts->spool);
}

void archive_parts_release(struct archive_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        mem_free(parts->list[i].name);
        mem_free(parts->list[i].file);
        json_decref(parts->list[i].definition);
    }
    mem_free(parts->list);
    spool_release(&parts->spool);
}

struct reading {
    struct archive_parts *out;
    struct spool content; /* the text of one file after the other */
    struct told *skipped;
    struct work *work;
    struct buf *why;
};

static bool add_to_spool(void *spool, struct str piece)
{
    return spool_add(spool, piece);
}

static bool end_spool(struct spool *s, struct stretch *out, struct buf *why)
{
    if (spool_end(s, out))
        return true;
    buf_addf(why, "temporary file: %s", strerror(s->error));
    return false;
}

/* ---- the text of one file ---------------------------------------------------------- */

struct part_facts {
    struct buf resource, definition;
    bool has_records;
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
        if (!spool_add(&r->out->spool, buf_str(&record)))
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

static void add_part(struct reading *r, struct str file, struct part_facts *f,
                     struct stretch lines)
{
    struct archive_parts *out = r->out;
    struct str definition = buf_str(&f->definition);
    AUTO_BUF(why, 512);

    if (!workspace_take(out->workspace, js_parse_memory(definition)))
        definition.len = 0;
    if ((out->count & (out->count - 1)) == 0)
        out->list = xrealloc(out->list, (out->count ? out->count * 2 : 1) * sizeof(*out->list));
    out->list[out->count++] =
        (struct archive_part){.name = xstrndup(buf_str(&f->resource)),
                              .file = xstrndup(file),
                              .definition = definition.len ? js_parse(definition, &why) : NULL,
                              .lines = lines};
}

static void skip_part(struct reading *r, struct str file, struct str why)
{
    AUTO_BUF(text, KiB(8));

    if (!why.len)
        why = STR("it holds no records");
    buf_addf(&text, "%.*s: %.*s", (int)file.len, file.ptr, (int)why.len, why.ptr);
    told_add(r->skipped, json_stringn(text.ptr, text.len), text.len);
}

/* The content of one file. */
static bool read_part(struct reading *r, struct str file, const struct stretch *content)
{
    struct part_facts f = {.has_records = false};
    AUTO(lines) text = lines_new(stretch_dup(content), r->work);
    struct spool *spool = &r->out->spool;
    struct stretch lines;
    struct json_walk in;
    bool good;

    json_walk_init(&in, text);
    buf_init(&f.resource, NAME_BYTES_MAX);
    buf_init(&f.definition, DEFINITION_MAX);
    spool_begin(spool);
    good = read_content(&in, r, &f) && f.has_records && f.resource.len > 0;
    if (spool->error) {
        good = end_spool(spool, &lines, r->why);
    } else if (work_cancelled(r->work)) {
        good = false;
    } else if (good) {
        good = end_spool(spool, &lines, r->why);
        if (good)
            add_part(r, file, &f, lines);
    } else {
        spool_drop(spool);
        skip_part(r, file, buf_str(&in.why));
        good = true;
    }
    json_walk_release(&in);
    buf_release(&f.resource);
    buf_release(&f.definition);
    return good;
}

/* What BackupPlugin itself writes: gzip that was read as UTF-8. */
static bool is_destroyed(struct stretch content)
{
    char head[4];

    return stretch_read(&content, head, sizeof(head)) == sizeof(head) &&
           memcmp(head, "\x1f\xef\xbf\xbd", 4) == 0;
}

/* ---- the archive ------------------------------------------------------------------- */

static bool read_file(struct json_walk *in, struct reading *r)
{
    bool first = true, good = true, has_content = false;
    AUTO_BUF(member, NAME_BYTES_MAX);
    AUTO_BUF(name, NAME_BYTES_MAX);
    struct stretch content;

    if (!walk_take(in, '{'))
        return false;
    while (good && walk_member(in, &first, &member)) {
        if (str_eq(buf_str(&member), STR("name")) && name.len == 0) {
            good = walk_text_buf(in, &name);
        } else if (str_eq(buf_str(&member), STR("content")) && !has_content) {
            has_content = true;
            spool_begin(&r->content);
            good = walk_text(in, add_to_spool, &r->content);
        } else {
            good = walk_value(in, NULL);
        }
    }
    if (r->content.error || !good || !json_walk_ok(in))
        return r->content.error ? end_spool(&r->content, &content, r->why) : false;
    if (!has_content)
        return true;
    if (!end_spool(&r->content, &content, r->why))
        return false;
    if (is_destroyed(content)) {
        buf_addf(r->why,
                 "%.*s holds compressed bytes that BackupPlugin read as text: its records are "
                 "destroyed, as in every backup that plugin writes",
                 (int)name.len, name.ptr ? name.ptr : "");
        return false;
    }
    good = read_part(r, buf_str(&name), &content);
    spool_drop(&r->content);
    return good;
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
                  struct told *skipped, struct work *work, struct buf *why)
{
    AUTO_BUF(detail, KiB(8));
    struct reading r = {.out = out, .skipped = skipped, .work = work, .why = &detail};
    struct stretch from;
    struct json_walk in;
    bool good;

    if (!source_open(source, name, &from, why))
        return false;
    AUTO(lines) text = lines_new(from, work);
    spool_init(&r.content);
    json_walk_init(&in, text);
    good = read_archive(&in, &r) && !out->workspace->refused;
    if (!good) {
        buf_addf(why, "%.*s: ", (int)name.len, name.ptr);
        buf_add(why, detail.len   ? buf_str(&detail)
                     : in.why.len ? buf_str(&in.why)
                                  : STR("it was not read to its end"));
    }
    json_walk_release(&in);
    spool_release(&r.content);
    return good;
}
