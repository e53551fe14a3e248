/* SPDX-License-Identifier: MIT */
/* fuzz_backup.c - what is imported: a stream (tar, tar.gz, BackupPlugin's archive), or, behind
 * a slash, files for a tar of our own making: name, NUL, content, NUL ... A tar that is changed
 * at random is mostly one with a wrong checksum; this way its files are seen, too. What went in
 * without errors is exported, and goes in again. */
#include <assert.h>

#include "disk/backup/backup.h"

#define MEMORY MiB(256)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stream {
    struct str left;
};

static ssize_t read_stream(void *arg, void *out, size_t max)
{
    struct stream *s = arg;
    size_t len = s->left.len < max ? s->left.len : max;

    memcpy(out, s->left.ptr, len);
    s->left = str_from(s->left, len);
    return (ssize_t)len;
}

static bool add_to_tar(void *arg, const void *data, size_t len)
{
    buf_add(arg, str_of(data, len));
    return true;
}

static struct str next_part(struct str *rest)
{
    size_t end = str_find(*rest, str_of("", 1));
    struct str part = end == SIZE_MAX ? *rest : str_of(rest->ptr, end);

    *rest = end == SIZE_MAX ? STR("") : str_from(*rest, end + 1);
    return part;
}

static void pack(struct buf *tar, struct str parts)
{
    AUTO(sink) sink = sink_tar_new(add_to_tar, tar, false);
    bool ok = sink != NULL;

    while (ok && parts.len > 0) {
        struct str name = next_part(&parts), content = next_part(&parts);

        if (container_name_ok(name))
            ok = sink_begin(sink, name) && sink_write(sink, content.ptr, content.len) &&
                 sink_end(sink);
    }
    assert(ok && sink_finish(sink));
}

static bool any_name(struct str bucket)
{
    return bucket.len > 0;
}

static json_t *import(struct store *store, struct str stream, struct str bucket, size_t way)
{
    AUTO_BUF(why, KiB(16));
    struct stream s = {stream};
    AUTO(source) source = source_stream_new(read_stream, &s, &why);
    json_t *result = NULL;
    struct backup_import_options options = {
        .choice = {.bucket = bucket},
        .branch = STR("main"),
        .atomic = way & 1,
        .raw = way & 2,
        .clear = way & 4,
        .owner = STR("o\no\n1"),
        .region = STR("us-east-1"),
        .bucket_name_ok = any_name,
    };

    if (!source) {
        assert(why.len > 0);
        return NULL;
    }
    switch (backup_import(store, source, &options, &result, &why)) {
    case BACKUP_OK:
        assert(result);
        return result;
    case BACKUP_REJECTED:
        assert(options.atomic && json_integer_value(json_object_get(result, "errorCount")) > 0);
        json_decref(result);
        return NULL;
    default:
        assert(!result && why.len > 0);
        return NULL;
    }
}

static json_int_t member(const json_t *result, const char *name)
{
    return json_integer_value(json_object_get(result, name));
}

/* Of what came in, each object: the same number of records, and no complaint. */
static void export_and_import(struct store *store)
{
    AUTO_BUF(tar, MEMORY);
    AUTO_BUF(why, KiB(16));
    AUTO(branch) b = store_branch(store, STR("main"));
    AUTO(root) root = branch_root(b);
    AUTO(sink) sink = sink_tar_new(add_to_tar, &tar, false);
    struct backup_export_options options = {.choice = {.bucket = STR("fuzz")}, .plain = true};
    json_t *exported = NULL;

    assert(sink);
    if (backup_export(root, sink, &options, &exported, &why) != BACKUP_OK)
        return; /* several databases, or none */

    AUTO(json_t) back = import(store, buf_str(&tar), STR("again"), 1);

    assert(back && member(back, "errorCount") == 0);
    assert(member(back, "recordsImported") == member(exported, "totalRecords"));
    json_decref(exported);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF(tar, MEMORY);
    struct str input = str_of((const char *)data, size);
    struct store *store = store_new(&(struct store_options){.max_memory_bytes = MEMORY});

    if (size > 0 && data[0] == '/') {
        pack(&tar, str_from(input, 1));
        input = buf_str(&tar);
    }
    {
        AUTO(json_t) result = import(store, input, STR("fuzz"), size % 8);

        if (result && member(result, "errorCount") == 0)
            export_and_import(store);
    }
    store_free(store);
    return 0;
}
