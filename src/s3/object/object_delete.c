/* SPDX-License-Identifier: MIT */
/* object_delete.c - DeleteObject. What a delete does (remove, add a delete marker, promote an
 * older version) is the store's business; deleting what is not there succeeds. Sources:
 * aws-recorded TestS3ObjectCRUD::test_delete_object*, TestS3DeletePrecondition. */
#include "s3/object/conditions.h"
#include "s3/object/object.h"

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
    if (s3_check_bypass(c) || s3_delete_conditions(c, &conditions))
        return c->err;
    /* A version never changes: S3 has conditions for the current object only. */
    if (version.ptr && conditions.if_match.ptr)
        return s3_refuse_header(c, "If-Match");
    enum s3_err err = object_delete(c->branch, &c->at, version,
                                    conditions.if_match.ptr ? &conditions : NULL, &result);
    if (err == S3_INVALID_ARGUMENT)
        return s3_invalid_version_id(c, version);
    if (err)
        return s3_write_failed(c, err, &conditions);
    record_unref(result.old);
    s3_reply_write_result(c, &result);
    return s3_reply_empty(c, 204);
}
