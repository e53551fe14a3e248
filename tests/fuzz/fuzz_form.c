/* SPDX-License-Identifier: MIT */
/* fuzz_form.c - first line: a Content-Type; the rest: a form. Read whole and in small pieces it
 * must mean the same. */
#include <assert.h>

#include "s3/form/form_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum s3_err on_field(void *arg, struct str name, struct str value)
{
    struct buf *seen = arg;
    buf_add(seen, name);
    buf_add_char(seen, '=');
    buf_add(seen, value);
    buf_add_char(seen, '\n');
    return S3_OK;
}

static enum s3_err on_file(void *arg, struct str filename)
{
    buf_add_char(arg, '>');
    buf_add(arg, filename);
    buf_add_char(arg, '\n');
    return S3_OK;
}

static enum s3_err on_data(void *arg, const char *data, size_t len)
{
    assert(len > 0);
    buf_add(arg, str_of(data, len));
    return S3_OK;
}

static enum s3_err read_form(struct buf *seen, struct str boundary, struct str body,
                             size_t piece)
{
    static const struct form_sink sink = {on_field, on_file, on_data};
    struct form_reader *r = form_reader_new(boundary, &sink, seen);
    enum s3_err err = S3_OK;
    for (size_t at = 0; at < body.len && !err; at += piece)
        err = form_feed(r, body.ptr + at, piece < body.len - at ? piece : body.len - at);
    if (!err)
        err = form_finish(r);
    form_reader_free(r);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = str_of((const char *)data, size), content_type;
    AUTO_BUF(boundary, FORM_BOUNDARY_MAX);
    AUTO_BUF(whole, MiB(4));
    AUTO_BUF(pieces, MiB(4));
    if (!size || !str_split(&body, '\n', &content_type) || !body.ptr ||
        !form_boundary(&boundary, str_trim(content_type)))
        return 0;
    enum s3_err err = read_form(&whole, buf_str(&boundary), body, body.len + 1);
    enum s3_err again = read_form(&pieces, buf_str(&boundary), body, 1 + size % 7);
    /* In pieces the limit before the file is noticed earlier. */
    if (err != S3_MAX_POST_PRE_DATA_LENGTH_EXCEEDED_ERROR) {
        assert(err == again);
        assert(str_eq(buf_str(&whole), buf_str(&pieces)));
    }
    return 0;
}
