/* SPDX-License-Identifier: MIT */
/* misplaced.c - parameters and headers of other operations. */
#include "s3/misplaced.h"
#include "s3/object/user_metadata.h"

/* Sources: backlot/routers/s3.py (ListParts, measured), Scality's cloudserver pull request 698
 * (writes). A write with a version's id would else overwrite the object. */
enum s3_err s3_refuse_version(struct s3_call *c)
{
    struct str name = STR("versionId"), version = s3_param(c, name);
    if (!version.ptr)
        return S3_OK;
    return s3_invalid_argument(c, "This operation does not accept a version-id.", name,
                               version);
}

#define ENCRYPTION  "x-amz-server-side-encryption"
#define UNSUPPORTED ENCRYPTION " header is not supported for this operation."
#define NOT_HERE    "The specified header is not valid in this context"

/* Headers that S3 refuses rather than ignores. Sources: the API reference (GetObject, HeadObject),
 * aws-sdk-java issue 1876 (UploadPart), fog-aws pull request 589 (UploadPartCopy); boto3 issue 2675
 * (tags), a program that writes with obstore (ACL), AWS.jl issue 695 (digest), libs3 issue 80
 * (directive). Amazon refuses the encryption of CompleteMultipartUpload, too (ClickHouse issue
 * 64570), where minio-go sends it to every host but Amazon's. */
static const struct {
    enum s3_err (*handler)(struct s3_call *c);
    struct str header;
    const char *message;
} refused_headers[] = {
    {op_get_object, STR(ENCRYPTION), UNSUPPORTED},
    {op_head_object, STR(ENCRYPTION), UNSUPPORTED},
    {op_upload_part, STR(ENCRYPTION), UNSUPPORTED},
    {op_upload_part_copy, STR(ENCRYPTION), UNSUPPORTED},
    {op_upload_part, STR("x-amz-acl"), NOT_HERE},
    {op_upload_part, STR("x-amz-tagging"), NOT_HERE},
    {op_upload_part_copy, STR("Content-MD5"), NOT_HERE},
    {op_upload_part_copy, STR("x-amz-metadata-directive"), NOT_HERE},
};

static enum s3_err refuse_headers(struct s3_call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_headers); i++) {
        if (refused_headers[i].handler != c->op->handler)
            continue;
        struct str value = s3_header(c, refused_headers[i].header);
        if (value.ptr)
            return s3_invalid_argument(c, refused_headers[i].message, refused_headers[i].header,
                                       value);
    }
    return S3_OK;
}

/* Metadata belong to the start of the upload. Source: minio-py issue 675 quotes the reply. */
static enum s3_err refuse_metadata(struct s3_call *c)
{
    for (size_t i = 0; i < c->header_count; i++) {
        struct header h = c->headers[i];
        if (str_has_prefix_nocase(h.name, STR(META_PREFIX)))
            return s3_invalid_argument(c, "Metadata cannot be specified in this context.",
                                       h.name, h.value);
    }
    return S3_OK;
}

enum s3_err s3_refuse_misplaced(struct s3_call *c)
{
    if ((c->op->flags & NO_VERSION) && c->param_count && s3_refuse_version(c))
        return c->err;
    if (c->op->handler == op_upload_part && refuse_metadata(c))
        return c->err;
    return refuse_headers(c);
}
