/* SPDX-License-Identifier: MIT */
/* object_delete.c - DeleteObject. What a delete does (remove, add a delete marker, promote an
 * older version) is the store's business; deleting what is not there succeeds. Sources:
 * aws-recorded TestS3ObjectCRUD::test_delete_object*, TestS3DeletePrecondition. */
#include "s3/conditions.h"
#include "s3/object.h"

static bool is_conditional(const struct write_conditions *conditions)
{
    return conditions->if_match.ptr || conditions->has_mtime || conditions->has_size;
}

/* A version never changes: S3 implements conditions for the current object only. */
static enum s3_err check_version_conditions(struct s3_call *c, struct str version,
                                            const struct write_conditions *conditions)
{
    if (!version.ptr || !is_conditional(conditions))
        return S3_OK;
    s3_error_field(c, "Header",
                   conditions->if_match.ptr ? STR("If-Match")
                   : conditions->has_mtime  ? STR("x-amz-if-match-last-modified-time")
                                            : STR("x-amz-if-match-size"));
    return s3_fail(c, S3_NOT_IMPLEMENTED, "conditional delete of a version");
}

enum s3_err s3_check_bypass(struct s3_call *c)
{
    if (!s3_header(c, STR("x-amz-bypass-governance-retention")).ptr)
        return S3_OK;
    s3_error_field(c, "ArgumentName", STR("x-amz-bypass-governance-retention"));
    return s3_fail_message(c, S3_INVALID_ARGUMENT,
                           "x-amz-bypass-governance-retention is only applicable to Object "
                           "Lock enabled buckets.");
}

enum s3_err op_delete_object(struct s3_call *c)
{
    struct str version = c->param_count ? s3_param(c, STR("versionId")) : STR_NONE;
    struct write_conditions conditions;
    struct write_result result = {0};
    if (version.ptr && !version.len)
        return s3_invalid_version_id(c, version);
    if (s3_check_bypass(c) || s3_delete_conditions(c, &conditions) ||
        check_version_conditions(c, version, &conditions))
        return c->err;
    enum s3_err err = object_delete(c->branch, &c->at, version,
                                    is_conditional(&conditions) ? &conditions : NULL, &result);
    if (err == S3_INVALID_ARGUMENT)
        return s3_invalid_version_id(c, version);
    if (err)
        return s3_write_failed(c, err, &conditions);
    record_unref(result.old);
    s3_reply_write_result(c, &result);
    return s3_reply_empty(c, 204);
}
