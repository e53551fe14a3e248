/* SPDX-License-Identifier: MIT */
/* object_rename.c - RenameObject: one step in the store, bytes and attributes untouched. Amazon
 * has it for directory buckets; here every bucket does. Conditions on dates are judged on a
 * look at both objects; what was seen is then pinned by its ETag, so that the store's own check
 * under the lock covers them too. Source: botocore's model (RenameObject); AWS "Renaming
 * objects in directory buckets". */
#include "s3/object/conditions.h"
#include "s3/object/object.h"
#include "s3/object/rename_tokens.h"
#include "s3/service.h"

#define TOKEN_MAX 64

struct rename {
    struct str from; /* key; NUL-terminated copy */
    struct write_conditions destination, source;
    char from_etag[ETAG_SIZE], to_etag[ETAG_SIZE];
};

/* "/bucket/key", "bucket/key", "/key" and "key" are all in use; the bucket can only be ours. */
static enum s3_err read_source(struct s3_call *c, struct str *key)
{
    struct str header = STR("x-amz-rename-source");
    struct str raw = s3_header(c, header);
    AUTO_BUF(text, raw.len + 1);
    bool ok = buf_add_unescaped(&text, raw, false);
    if (!buf_ok(&text))
        return s3_fail(c, S3_SLOW_DOWN, "memory for a rename source");
    if (!raw.len || !ok)
        return s3_invalid_argument(c, "Invalid rename source object key", header, raw);
    struct str path = s3_copy(c, buf_str(&text));
    if (str_has_prefix(path, STR("/")))
        path = str_from(path, 1);
    if (str_has_prefix(path, c->at.bucket) && path.len > c->at.bucket.len &&
        path.ptr[c->at.bucket.len] == '/')
        path = str_from(path, c->at.bucket.len + 1);
    if (!path.len)
        return s3_invalid_argument(c, "Invalid rename source object key", header, raw);
    *key = path;
    return S3_OK;
}

/* ---- idempotency ------------------------------------------------------------------- */

static enum s3_err check_token(struct s3_call *c, struct str token)
{
    bool ok = token.len >= 1 && token.len <= TOKEN_MAX;
    for (size_t i = 0; i < token.len; i++)
        ok &= token.ptr[i] >= 33 && token.ptr[i] <= 126;
    return ok ? S3_OK
              : s3_invalid_argument(c, "The client token is not valid",
                                    STR("x-amz-client-token"), token);
}

static void add_field(struct buf *b, struct str field)
{
    buf_add_u64(b, field.len);
    buf_add_char(b, field.ptr ? '=' : '-');
    buf_add(b, field);
}

/* Digests of the token and of everything else the request says. SLOW_DOWN */
static enum s3_err fingerprint(struct s3_call *c, const struct rename *rename, struct str token,
                               struct rename_token *out)
{
    static const char *const headers[] = {"if-match",
                                          "if-none-match",
                                          "if-modified-since",
                                          "if-unmodified-since",
                                          "x-amz-rename-source-if-match",
                                          "x-amz-rename-source-if-none-match",
                                          "x-amz-rename-source-if-modified-since",
                                          "x-amz-rename-source-if-unmodified-since"};
    AUTO_BUF(text, MiB(1));
    add_field(&text, branch_name(c->branch));
    add_field(&text, token);
    if (!buf_ok(&text))
        return s3_fail(c, S3_SLOW_DOWN, "memory for a client token");
    sha256_once(buf_str(&text), out->token);
    buf_reset(&text);
    add_field(&text, c->at.bucket);
    add_field(&text, rename->from);
    add_field(&text, c->at.key);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        add_field(&text, s3_header(c, str_c(headers[i])));
    sha256_once(buf_str(&text), out->request);
    return buf_ok(&text) ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for a client token");
}

/* ---- conditions -------------------------------------------------------------------- */

/* If-Modified-Since and If-Unmodified-Since speak of the destination. */
static enum s3_err check_destination(struct s3_call *c, struct rename *rename)
{
    struct str modified = s3_header(c, STR("if-modified-since"));
    struct str unmodified = s3_header(c, STR("if-unmodified-since"));
    AUTO(record) r = NULL;
    rename->destination =
        (struct write_conditions){.if_match = s3_header(c, STR("if-match")),
                                  .if_none_match = s3_header(c, STR("if-none-match"))};
    if (!modified.ptr && !unmodified.ptr)
        return S3_OK;
    enum s3_err err = object_get(&r, c->branch, &c->at, STR_NONE);
    if (err && err != S3_NO_SUCH_KEY)
        return s3_fail(c, err, "destination");
    if (err) {
        if (modified.ptr)
            return s3_precondition_failed(c, "If-Modified-Since");
        rename->destination.if_none_match = STR("*");
        return S3_OK;
    }
    if (modified.ptr && !s3_modified_since(r, modified))
        return s3_precondition_failed(c, "If-Modified-Since");
    if (unmodified.ptr && s3_modified_since(r, unmodified))
        return s3_precondition_failed(c, "If-Unmodified-Since");
    if (!rename->destination.if_match.ptr)
        rename->destination.if_match = record_etag(r, rename->to_etag);
    return S3_OK;
}

static enum s3_err check_source(struct s3_call *c, struct rename *rename)
{
    struct target at = {c->at.bucket, rename->from};
    AUTO(record) r = NULL;
    enum s3_err err = object_get(&r, c->branch, &at, STR_NONE);
    if (err == S3_NO_SUCH_KEY)
        s3_error_field(c, "Key", rename->from);
    if (err)
        return s3_fail(c, err, "rename source");
    if (s3_read_conditions(c, "x-amz-rename-source-", r))
        return c->err;
    rename->source = (struct write_conditions){.if_match = record_etag(r, rename->from_etag)};
    return S3_OK;
}

/* ---- the operation ----------------------------------------------------------------- */

static enum s3_err rename_object(struct s3_call *c, struct rename *rename)
{
    if (check_source(c, rename) || check_destination(c, rename))
        return c->err;
    enum s3_err err = object_rename(c->branch, c->at.bucket, rename->from, c->at.key,
                                    &rename->destination, &rename->source);
    if (err == S3_INVALID_REQUEST)
        return s3_fail_message(c, err, "An object cannot be renamed to its own name");
    if (err)
        return s3_write_failed(c, err,
                               rename->destination.if_match.ptr ||
                                       rename->destination.if_none_match.ptr
                                   ? &rename->destination
                                   : &rename->source);
    return s3_reply_empty(c, 200);
}

enum s3_err op_rename_object(struct s3_call *c)
{
    struct rename rename = {0};
    struct rename_token token;
    struct str text = s3_header(c, STR("x-amz-client-token"));
    if (read_source(c, &rename.from))
        return c->err;
    if (!text.ptr)
        return rename_object(c, &rename);
    if (check_token(c, text) || fingerprint(c, &rename, text, &token))
        return c->err;
    switch (rename_tokens_find(c->service->renames, &token)) {
    case TOKEN_DONE:
        return s3_reply_empty(c, 200);
    case TOKEN_OF_OTHER_REQUEST:
        return s3_fail(c, S3_IDEMPOTENCY_PARAMETER_MISMATCH, "client token");
    default:
        break;
    }
    enum s3_err err = rename_object(c, &rename);
    if (!err)
        rename_tokens_add(c->service->renames, &token);
    return err;
}
