/* SPDX-License-Identifier: MIT */
/* fuzz_document.c - a snapshot document: read whole and in small pieces it must come to the
 * same end; what is accepted is written again as it was. */
#include <assert.h>

#include "s3mem/disk.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str document = str_of((const char *)data, size);

    if (!store)
        store = store_new(&(struct store_options){.max_memory_bytes = MiB(256)});
    enum s3_err whole = read_document(document, size + 1);
    enum s3_err pieces = read_document(document, 1 + size % 7);
    /* Memory is the only thing that may differ. */
    assert(whole == pieces || whole == S3_SLOW_DOWN || pieces == S3_SLOW_DOWN);
    if (!whole && size > 2 && data[0] == 's')
        write_again(document);
    /* Or what is on its way to be freed would look like a leak. */
    store_reap_wait(store);
    return 0;
}
