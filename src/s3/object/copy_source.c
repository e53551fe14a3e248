/* SPDX-License-Identifier: MIT */
/* copy_source.c - x-amz-copy-source: what it names, and whether it may be copied.
 * Sources: aws-recorded test_s3_copy_object_src_not_exists, test_s3_copy_object_wrong_format,
 * TestS3CopySourcePreconditions, test_copy_object_with_sse_c. */
#include <inttypes.h>

#include "s3/body/encryption.h"
#include "s3/object/object.h"

#define COPY_SOURCE_MAX GiB(5)
#define VERSION_QUERY   "?versionId="

/* S3 names the header, not its value, as the offending value (aws-recorded). */
static enum s3_err invalid_source(struct s3_call *c, const char *message)
{
    return s3_invalid_argument(c, message, STR("x-amz-copy-source"), STR("x-amz-copy-source"));
}

/* Percent-decoded into the call's memory; '+' is a space, as some SDKs send it. */
static enum s3_err decode(struct s3_call *c, struct str raw, struct str *out)
{
    AUTO_BUF(text, raw.len + 1);
    bool ok = buf_add_unescaped(&text, raw, true);
    if (!buf_ok(&text))
        return s3_fail(c, S3_SLOW_DOWN, "memory for a copy source");
    if (!ok)
        return invalid_source(c, "Invalid copy source encoding.");
    *out = s3_copy(c, buf_str(&text));
    return S3_OK;
}

/* "http://HOST/BUCKET/KEY" names what "/BUCKET/KEY" names (LocalStack's test_response_structure,
 * which runs against Amazon too). No bucket is called "http:". */
static struct str without_host(struct str text)
{
    static const struct str schemes[] = {STR("http://"), STR("https://")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!str_has_prefix_nocase(text, schemes[i]))
            continue;
        struct str rest = str_from(text, schemes[i].len);
        size_t slash = str_find_char(rest, '/');
        return slash == SIZE_MAX ? STR("") : str_from(rest, slash);
    }
    return text;
}

enum s3_err s3_copy_source(struct s3_call *c, struct copy_source *out)
{
    struct str raw = s3_header(c, STR("x-amz-copy-source")), text;
    size_t query = str_find(raw, STR(VERSION_QUERY));
    *out = (struct copy_source){.version = STR_NONE};
    if (query != SIZE_MAX) {
        if (decode(c, str_from(raw, query + strlen(VERSION_QUERY)), &out->version))
            return c->err;
        if (!out->version.len)
            return s3_invalid_version_id(c, out->version);
        raw.len = query;
    }
    if (decode(c, raw, &text))
        return c->err;
    text = without_host(text);
    if (str_has_prefix(text, STR("/")))
        text = str_from(text, 1);
    size_t slash = str_find_char(text, '/');
    if (!raw.len) /* versitygw issues 1388, 1390 */
        return invalid_source(c, "Invalid copy source bucket name");
    if (slash == SIZE_MAX || slash + 1 == text.len)
        return invalid_source(c, "Invalid copy source object key");
    if (!slash)
        return invalid_source(c, "Invalid copy source bucket name");
    out->at.bucket = str_of(text.ptr, slash);
    out->at.key = str_from(text, slash + 1);
    return S3_OK;
}

/* The source's bucket: with credentials only its owner may read it. */
static enum s3_err check_source_bucket(struct s3_call *c, struct str name)
{
    struct str header = STR("x-amz-source-expected-bucket-owner");
    struct bucket_info bucket;
    if (!c->options->keyring && !s3_header(c, header).ptr)
        return S3_OK;
    enum s3_err err = bucket_get(c->branch, name, &bucket);
    if (err)
        return err;
    if (c->options->keyring && !str_eq(owner_id(c->owner), owner_id(doc_str(bucket.owner))))
        err = s3_fail(c, S3_ACCESS_DENIED, "copy source of another owner");
    else
        err = s3_check_expected_owner(c, header, &bucket);
    bucket_info_release(&bucket);
    return err;
}

static enum s3_err source_not_found(struct s3_call *c, const struct copy_source *source,
                                    enum s3_err err)
{
    switch (err) {
    case S3_NO_SUCH_BUCKET:
        s3_error_field(c, "BucketName", source->at.bucket);
        break;
    case S3_NO_SUCH_KEY:
        s3_error_field(c, "Key", source->at.key);
        break;
    case S3_NO_SUCH_VERSION:
        s3_error_field(c, "Key", source->at.key);
        s3_error_field(c, "VersionId", source->version);
        break;
    case S3_METHOD_NOT_ALLOWED:
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The source of a copy request may not specifically refer to a "
                               "delete marker by version id.");
    case S3_INVALID_ARGUMENT:
        return s3_invalid_version_id(c, source->version);
    default:
        break;
    }
    return s3_fail(c, err, "copy source");
}

enum s3_err s3_copy_source_record(struct s3_call *c, const struct copy_source *source,
                                  struct record **out)
{
    AUTO(record) r = NULL;
    enum s3_err err = check_source_bucket(c, source->at.bucket);
    if (err && err != S3_NO_SUCH_BUCKET)
        return err;
    if (!err)
        err = object_get(&r, c->branch, &source->at, source->version);
    if (err)
        return source_not_found(c, source, err);
    if (s3_check_customer_key(c, "x-amz-copy-source-", r) ||
        s3_read_conditions(c, "x-amz-copy-source-", r))
        return c->err;
    if (s3_is_archived(r))
        return s3_fail_message(c, S3_INVALID_OBJECT_STATE,
                               "Operation is not valid for the source object's storage class");
    *out = TAKE(r);
    return S3_OK;
}

enum s3_err s3_check_copy_size(struct s3_call *c, uint64_t size)
{
    if (size <= COPY_SOURCE_MAX)
        return S3_OK;
    return s3_fail_message(c, S3_INVALID_REQUEST,
                           "The specified copy source is larger than the maximum allowable "
                           "size for a copy source: %" PRIu64,
                           (uint64_t)COPY_SOURCE_MAX);
}
