/* SPDX-License-Identifier: MIT */
/* fuzz_document.c - a snapshot document: read whole and in small pieces it must come to the
 * same end; what is accepted is written again as it was, and worked with. A document that was
 * changed at random is mostly one with a wrong checksum: it is read as it is, and with the one
 * that it should have. */
#include "work_with.h"

#include "disk/disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;

static enum s3_err read_document(struct str document, size_t piece)
{
    AUTO(document_reader) r = document_reader_new(store);
    enum named result = NAMED_OK;
    enum s3_err err = S3_OK;

    for (size_t at = 0; at < document.len && !err; at += piece)
        err = document_feed(r, document.ptr + at,
                            piece < document.len - at ? piece : document.len - at);
    if (!err)
        err = document_finish(r, STR("fuzz"), true, &result);
    assert(err || result == NAMED_OK);
    assert(!err || document_error(r)[0]);
    return err;
}

static void write_again(struct str document)
{
    AUTO(root) root = store_snapshot_root(store, STR("fuzz"));
    AUTO(document_writer) w = document_writer_new(root, false);
    AUTO_BUF(again, MiB(64));
    char piece[KiB(4)];
    enum document_state state;
    size_t len;

    do {
        state = document_write(w, piece, sizeof(piece), &len);
        buf_add(&again, str_of(piece, len));
    } while (state == DOCUMENT_MORE);
    assert(state == DOCUMENT_END && str_eq(buf_str(&again), document));
}

/* What was loaded becomes a branch. */
static void work_with_it(void)
{
    if (store_fork(store, STR("work"), STR_NONE, STR("fuzz")) != NAMED_OK)
        return;
    AUTO(branch) b = store_branch(store, STR("work"));
    work_with(store, b);
    assert(store_branch_delete(store, STR("work")) == NAMED_OK);
}

static void try_document(struct str document)
{
    size_t size = document.len;
    enum s3_err whole = read_document(document, size + 1);
    enum s3_err pieces = read_document(document, 1 + size % 7);
    /* Memory is the only thing that may differ. */
    assert(whole == pieces || whole == S3_SLOW_DOWN || pieces == S3_SLOW_DOWN);
    if (!whole && size > 2 && document.ptr[0] == 's')
        write_again(document);
    if (!whole)
        work_with_it();
}

/* Its last bytes are the SHA-256 of those before. */
static void try_with_checksum(struct str document)
{
    AUTO_BUF(right, MiB(64));
    uint8_t sum[SHA256_SIZE];

    if (document.len < SHA256_SIZE)
        return;
    document.len -= SHA256_SIZE;
    sha256_once(document, sum);
    buf_add(&right, document);
    buf_add(&right, str_of((const char *)sum, sizeof(sum)));
    try_document(buf_str(&right));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str document = str_of((const char *)data, size);

    if (!store)
        store = store_new(&(struct store_options){.max_memory_bytes = MiB(256)});
    try_document(document);
    try_with_checksum(document);
    /* Records are packed: a leak checker does not find the pointers in them. And what is on its
     * way to be freed would look like a leak. */
    (void)!store_snapshot_drop(store, STR("fuzz"));
    store_reap_wait(store);
    return 0;
}
