/* SPDX-License-Identifier: MIT */
/* fuzz_memory_json.c - MemoryClient's JSON file: read whole and in small pieces it must come to
 * the same end, said in the same words; what is accepted is written, read and written again the
 * same. */
#include <assert.h>

#include "disk/disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;

static bool any_name(struct str bucket)
{
    return bucket.len > 0;
}

static struct memory_json_reader *read_file(struct str file, size_t piece, enum s3_err *err)
{
    struct memory_json_reader *r =
        memory_json_reader_new(&(struct memory_json_target){.store = store,
                                                            .bucket = STR("fuzz"),
                                                            .region = STR("us-east-1"),
                                                            .owner = STR("o\no\n1"),
                                                            .name_ok = any_name});

    *err = S3_OK;
    for (size_t at = 0; at < file.len && !*err; at += piece)
        *err =
            memory_json_feed(r, file.ptr + at, piece < file.len - at ? piece : file.len - at);
    if (!*err)
        *err = memory_json_finish(r);
    assert(!*err || memory_json_error(r)[0]);
    return r;
}

/* Into the branch, and from there into out, without its first line but one: the time. */
static bool write_again(struct memory_json_reader *r, size_t piece, struct buf *out)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    enum document_state state = DOCUMENT_MORE;
    char bytes[KiB(4)];
    size_t len;

    if (memory_json_replace(r, &b))
        return false;

    AUTO(root) root = branch_root(b);
    AUTO(memory_json_writer) w = memory_json_writer_new(root, STR("fuzz"), NULL);

    assert(w);
    while (memory_json_look(w, 1))
        continue;
    while (state == DOCUMENT_MORE) {
        state = memory_json_write(w, bytes, piece, &len);
        buf_add(out, str_of(bytes, len));
    }
    return state == DOCUMENT_END && buf_ok(out);
}

static struct str without_time(const struct buf *file)
{
    size_t at = str_find(buf_str(file), STR("\"bucket\""));

    assert(at != SIZE_MAX);
    return str_from(buf_str(file), at);
}

static void check_round_trip(struct memory_json_reader *r)
{
    AUTO_BUF(first, MiB(64));
    AUTO_BUF(second, MiB(64));
    enum s3_err err;

    if (!write_again(r, sizeof(char[KiB(4)]), &first))
        return;

    AUTO(memory_json_reader) again = read_file(buf_str(&first), first.len, &err);

    /* Keys that are no UTF-8 are refused, so that what we write is always good. */
    assert(!err || err == S3_SLOW_DOWN);
    if (!err && write_again(again, 7, &second))
        assert(str_eq(without_time(&first), without_time(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str file = str_of((const char *)data, size);
    enum s3_err err, err_of_pieces;

    if (!store)
        store = store_new(&(struct store_options){.max_memory_bytes = MiB(256)});

    struct memory_json_reader *whole = read_file(file, size + 1, &err);
    struct memory_json_reader *pieces = read_file(file, 1 + size % 7, &err_of_pieces);

    /* Memory is the only thing that may differ. */
    if (err != S3_SLOW_DOWN && err_of_pieces != S3_SLOW_DOWN)
        assert(err == err_of_pieces);
    if (!err)
        check_round_trip(whole);
    memory_json_reader_free(whole);
    memory_json_reader_free(pieces);
    /* Records are packed: a leak checker does not find the pointers in them. And what is on its
     * way to be freed would look like a leak. */
    AUTO(branch) b = store_branch(store, STR("main"));
    (void)!branch_clear(&b);
    store_reap_wait(store);
    return 0;
}
