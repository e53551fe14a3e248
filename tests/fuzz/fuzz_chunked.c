/* SPDX-License-Identifier: MIT */
/* fuzz_chunked.c - first line: a mode and the decoded length ("signed 5"); the rest: an
 * aws-chunked body. Read whole and in small pieces it must mean the same. */
#include <assert.h>

#include "auth/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct buf bytes;
    struct buf trailers;
    enum s3_err err;
};

static enum s3_err collect(void *arg, const char *data, size_t len)
{
    assert(len > 0);
    buf_add(arg, str_of(data, len));
    return S3_OK;
}

static void decode(struct outcome *o, const struct auth_result *auth, uint64_t length,
                   struct str body, size_t piece)
{
    struct auth_failure failure;
    struct chunked *c = chunked_new(auth, length);
    auth_failure_init(&failure);
    buf_init(&o->bytes, MiB(4));
    buf_init(&o->trailers, MiB(1));
    o->err = S3_OK;
    for (size_t at = 0; at < body.len && !o->err; at += piece) {
        size_t len = piece < body.len - at ? piece : body.len - at;
        o->err = chunked_feed(c, body.ptr + at, len, collect, &o->bytes, &failure);
    }
    enum s3_err err = chunked_finish(c, &failure);
    assert(!o->err || err == o->err);
    o->err = err;
    for (size_t i = 0; !err && i < chunked_trailer_count(c); i++) {
        struct header t = chunked_trailer(c, i);
        buf_add(&o->trailers, t.name);
        buf_add_char(&o->trailers, ':');
        buf_add(&o->trailers, t.value);
        buf_add_char(&o->trailers, '\n');
    }
    assert(err || length == CONTENT_LENGTH_NONE || o->bytes.len == length);
    auth_failure_release(&failure);
    chunked_free(c);
}

static struct auth_result auth_for(struct str mode)
{
    struct auth_result auth = {.payload = PAYLOAD_CHUNKED_UNSIGNED_TRAILER,
                               .access_key = "key",
                               .amz_date = "20240506T070809Z",
                               .scope = "20240506/us-east-1/s3/aws4_request"};
    memset(auth.seed_signature, '0', sizeof(auth.seed_signature) - 1);
    if (str_has_prefix(mode, STR("signed")) || str_has_prefix(mode, STR("unverified")))
        auth.payload = str_has_suffix(mode, STR("-trailer")) ? PAYLOAD_CHUNKED_SIGNED_TRAILER
                                                             : PAYLOAD_CHUNKED_SIGNED;
    auth.verify_chunks = str_has_prefix(mode, STR("signed"));
    return auth;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = str_of((const char *)data, size), line, mode;
    uint64_t length = CONTENT_LENGTH_NONE;
    if (!size || !str_split(&body, '\n', &line) || !body.ptr || !str_split(&line, ' ', &mode))
        return 0;
    if (line.ptr && (!str_to_u64(line, &length) || length > MiB(64)))
        length = CONTENT_LENGTH_NONE;
    struct auth_result auth = auth_for(mode);
    struct outcome whole, pieces;
    decode(&whole, &auth, length, body, body.len + 1);
    decode(&pieces, &auth, length, body, 1 + size % 7);
    assert(whole.err == pieces.err);
    assert(str_eq(buf_str(&whole.bytes), buf_str(&pieces.bytes)));
    assert(str_eq(buf_str(&whole.trailers), buf_str(&pieces.trailers)));
    buf_release(&whole.bytes);
    buf_release(&whole.trailers);
    buf_release(&pieces.bytes);
    buf_release(&pieces.trailers);
    return 0;
}
