/* SPDX-License-Identifier: MIT */
/* misplaced.c - parameters and headers of other operations, by the flags of ops.def. */
#include "s3/misplaced.h"

/* Sources: backlot/routers/s3.py (ListParts, measured), Scality's cloudserver pull request 698
 * (writes). A write with a version's id would else overwrite the object. */
static enum s3_err refuse_version(struct s3_call *c)
{
    struct str name = STR("versionId"), version = s3_param(c, name);
    if (!version.ptr)
        return S3_OK;
    return s3_invalid_argument(c, "This operation does not accept a version-id.", name,
                               version);
}

/* Sources: fog-aws pull request 589, aws-sdk-java issue 1876; for GET and HEAD the API reference.
 * Amazon refuses it with CompleteMultipartUpload, too (ClickHouse issue 64570), where minio-go
 * sends it to every host but Amazon's. */
static enum s3_err refuse_encryption(struct s3_call *c)
{
    struct str name = STR("x-amz-server-side-encryption"), method = s3_header(c, name);
    if (!method.ptr)
        return S3_OK;
    return s3_invalid_argument(
        c, "x-amz-server-side-encryption header is not supported for this operation.", name,
        method);
}

enum s3_err s3_refuse_misplaced(struct s3_call *c)
{
    if ((c->op->flags & NO_VERSION) && c->param_count && refuse_version(c))
        return c->err;
    return c->op->flags & NO_ENCRYPTION ? refuse_encryption(c) : S3_OK;
}
