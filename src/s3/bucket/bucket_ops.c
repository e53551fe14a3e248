/* SPDX-License-Identifier: MIT */
/* bucket_ops.c - CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation, the CORS preflight
 * and versioning. Messages and fields follow replies recorded from Amazon. */
#include "s3/bucket/bucket_rules.h"
#include "s3/object/tagging.h"

static enum s3_err header_not_implemented(struct s3_call *c, struct str name)
{
    s3_error_field(c, "Header", name);
    return s3_fail(c, S3_NOT_IMPLEMENTED, "%.*s", (int)name.len, name.ptr);
}

/* ---- CreateBucket ------------------------------------------------------------------ */

static enum s3_err check_acl_headers(struct s3_call *c)
{
    static const char *const canned[] = {"public-read", "public-read-write",
                                         "authenticated-read", "log-delivery-write",
                                         "aws-exec-read"};
    struct str acl = s3_header(c, STR("x-amz-acl"));
    for (size_t i = 0; i < c->header_count; i++)
        if (str_has_prefix_nocase(c->headers[i].name, STR("x-amz-grant-")))
            return header_not_implemented(c, c->headers[i].name);
    for (size_t i = 0; i < ARRAY_LEN(canned); i++)
        if (str_eq(acl, str_c(canned[i])))
            return header_not_implemented(c, STR("x-amz-acl"));
    if (acl.len && !str_eq(acl, STR("private")))
        return s3_invalid_argument(c, "", STR("x-amz-acl"), acl);
    return S3_OK;
}

static enum s3_err check_object_ownership(struct s3_call *c)
{
    struct str name = STR("x-amz-object-ownership"), value = s3_header(c, name);
    if (!value.ptr || str_eq(value, STR("BucketOwnerEnforced")))
        return S3_OK;
    if (str_eq(value, STR("BucketOwnerPreferred")) || str_eq(value, STR("ObjectWriter")))
        return header_not_implemented(c, name); /* both bring ACLs into force */
    return s3_invalid_argument(
        c, s3_printf(c, "Invalid %s header: %.*s", name.ptr, (int)value.len, value.ptr).ptr,
        name, value);
}

static enum s3_err check_create_headers(struct s3_call *c)
{
    struct str lock = s3_header(c, STR("x-amz-bucket-object-lock-enabled"));
    struct str namespace = s3_header(c, STR("x-amz-bucket-namespace"));
    if (lock.ptr && !str_eq_nocase(lock, STR("false")))
        return header_not_implemented(c, STR("x-amz-bucket-object-lock-enabled"));
    if (namespace.ptr && !str_eq(namespace, STR("global")))
        return header_not_implemented(c, STR("x-amz-bucket-namespace"));
    if (check_acl_headers(c))
        return c->err;
    return check_object_ownership(c);
}

/* What the body asks for. Strings live as long as the call. */
struct create_request {
    struct str location; /* LocationConstraint, empty when unspecified */
    struct buf tags;
};

static enum s3_err invalid_location(struct s3_call *c, struct str location)
{
    s3_error_field(c, "LocationConstraint", location);
    return s3_fail(c, S3_INVALID_LOCATION_CONSTRAINT, "%.*s", (int)location.len, location.ptr);
}

static enum s3_err read_create_body(struct s3_call *c, struct create_request *request)
{
    const struct xml_node *root;
    enum s3_err err = s3_document(c, STR("CreateBucketConfiguration"), &root);
    if (err == S3_MISSING_REQUEST_BODY_ERROR)
        return S3_OK;
    if (err)
        return s3_fail(c, err, "CreateBucketConfiguration");
    if (!xml_children_are(root, STR("LocationConstraint Location Bucket Tags")))
        return s3_fail(c, S3_MALFORMED_XML, "unknown element");
    if (xml_child(root, STR("Location")) || xml_child(root, STR("Bucket")))
        return s3_fail_message(c, S3_NOT_IMPLEMENTED, "Directory buckets are not implemented");
    struct str location = xml_child_text(root, STR("LocationConstraint"));
    /* versitygw issue 1644 */
    if (location.ptr && !location.len)
        return invalid_location(c, location);
    if (location.len)
        request->location = s3_copy(c, location);
    return s3_read_tag_set(c, xml_child(root, STR("Tags")), TAGS_OF_NEW_BUCKET, &request->tags);
}

/* The region of the new bucket. The endpoint of us-east-1 makes buckets anywhere; that of
 * another region makes them there and wants it said. A region that is none of Amazon's
 * ("local") is some tool's filler, and then nothing need be said. */
static enum s3_err choose_region(struct s3_call *c, struct str location, struct str *region)
{
    bool is_signed;
    struct str here = s3_request_region(c, &is_signed);
    *region = location.len ? location : c->options->region;
    if (location.len >= sizeof(((struct bucket_info *)0)->region))
        return invalid_location(c, location);
    if (str_eq(here, REGION_US_EAST_1)) {
        if (location.len && (str_eq(location, here) ||
                             (!region_is_known(c, location) && !str_eq(location, STR("EU")))))
            return invalid_location(c, location);
        return S3_OK;
    }
    if (!location.len && is_signed && region_is_known(c, here))
        return s3_fail(c, S3_ILLEGAL_LOCATION_CONSTRAINT_EXCEPTION, "no LocationConstraint");
    if (!location.len || str_eq(location, here) ||
        (str_eq(location, STR("EU")) && str_eq(here, STR("eu-west-1"))))
        return S3_OK;
    return s3_fail_message(c, S3_ILLEGAL_LOCATION_CONSTRAINT_EXCEPTION,
                           "The %.*s location constraint is incompatible for the region "
                           "specific endpoint this request was sent to.",
                           (int)location.len, location.ptr);
}

/* Somebody has the name. In us-east-1 creating one's own bucket again succeeds and changes
 * nothing, unless the request brings tags (aws-recorded:
 * test_create_bucket_with_tags_us_east_1_idempotency). */
static enum s3_err bucket_is_there(struct s3_call *c, struct str region, bool has_tags)
{
    struct bucket_info bucket;
    enum s3_err err = bucket_get(c->branch, c->at.bucket, &bucket);
    if (err)
        return s3_fail(c, S3_OPERATION_ABORTED, "bucket deleted while it was created");
    if (!str_eq(owner_id(doc_str(bucket.owner)), owner_id(c->owner)))
        err = s3_fail(c, S3_BUCKET_ALREADY_EXISTS, "bucket of another owner");
    else if (has_tags || !str_eq(region, REGION_US_EAST_1) ||
             !str_eq(str_c(bucket.region), REGION_US_EAST_1))
        err = s3_fail(c, S3_BUCKET_ALREADY_OWNED_BY_YOU, "exists");
    bucket_info_release(&bucket);
    return err;
}

static void reply_arn(struct s3_call *c)
{
    s3_reply_header(c, "x-amz-bucket-arn",
                    s3_printf(c, "arn:aws:s3:::%.*s", (int)c->at.bucket.len, c->at.bucket.ptr));
}

static enum s3_err create_bucket(struct s3_call *c, struct create_request *request)
{
    struct bucket_spec spec = {.name = c->at.bucket, .owner = c->owner};
    if (check_create_headers(c) || read_create_body(c, request) ||
        choose_region(c, request->location, &spec.region))
        return c->err;
    if (request->tags.len)
        spec.tagging = buf_str(&request->tags);
    enum s3_err err = bucket_create(c->branch, &spec);
    if (err == S3_BUCKET_ALREADY_EXISTS)
        err = bucket_is_there(c, spec.region, request->tags.len > 0);
    if (err)
        return err;
    struct str url = s3_bucket_url(c);
    s3_reply_header(c, "Location",
                    str_eq(spec.region, REGION_US_EAST_1)
                        ? s3_printf(c, "/%.*s", (int)spec.name.len, spec.name.ptr)
                        : s3_printf(c, "%.*s/", (int)url.len, url.ptr));
    reply_arn(c);
    return s3_reply_empty(c, 200);
}

enum s3_err op_create_bucket(struct s3_call *c)
{
    if (!s3_bucket_name_ok(c->at.bucket))
        return s3_fail(c, S3_INVALID_BUCKET_NAME, "name");
    struct create_request request = {.location = STR("")};
    buf_init(&request.tags, TAGS_QUERY_MAX);
    enum s3_err err = create_bucket(c, &request);
    buf_release(&request.tags);
    return err;
}

/* ---- HeadBucket, GetBucketLocation, DeleteBucket ----------------------------------- */

enum s3_err op_head_bucket(struct s3_call *c)
{
    struct bucket_info bucket;
    enum s3_err err = bucket_get(c->branch, c->at.bucket, &bucket);
    if (err)
        return s3_fail(c, err, "HeadBucket");
    s3_reply_header(c, "x-amz-bucket-region", s3_bucket_region(&bucket));
    s3_reply_kept_header(c, "x-amz-access-point-alias", "false");
    reply_arn(c);
    s3_reply_kept_header(c, "Content-Type", "application/xml");
    bucket_info_release(&bucket);
    return s3_reply_empty(c, 200);
}

enum s3_err op_get_bucket_location(struct s3_call *c)
{
    struct bucket_info bucket;
    enum s3_err err = bucket_get(c->branch, c->at.bucket, &bucket);
    if (err)
        return s3_fail(c, err, "GetBucketLocation");
    struct str region = str_c(bucket.region);
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<LocationConstraint xmlns=\"" S3_XMLNS "\""));
    if (str_eq(region, REGION_US_EAST_1)) { /* which is written as nothing */
        buf_add(xml, STR("/>"));
    } else {
        buf_add_char(xml, '>');
        buf_add_xml(xml, region);
        buf_add(xml, STR("</LocationConstraint>"));
    }
    bucket_info_release(&bucket);
    return s3_xml_done(c);
}

static enum s3_err bucket_not_empty(struct s3_call *c)
{
    struct bucket_info bucket;
    bool versioned = false;
    if (bucket_get(c->branch, c->at.bucket, &bucket) == S3_OK) {
        versioned = bucket.versioning != VERSIONING_NEVER;
        bucket_info_release(&bucket);
    }
    if (!versioned)
        return s3_fail(c, S3_BUCKET_NOT_EMPTY, "objects");
    return s3_fail_message(c, S3_BUCKET_NOT_EMPTY,
                           "The bucket you tried to delete is not empty. You must delete all "
                           "versions in the bucket.");
}

enum s3_err op_delete_bucket(struct s3_call *c)
{
    enum s3_err err = bucket_delete(c->branch, c->at.bucket);
    if (err == S3_BUCKET_NOT_EMPTY)
        return bucket_not_empty(c);
    if (err)
        return s3_fail(c, err, "DeleteBucket");
    return s3_reply_empty(c, 204);
}

/* ---- CORS preflight ---------------------------------------------------------------- */

/* Methods that S3 knows in Access-Control-Request-Method, in capitals only. Source:
 * backlot/routers/s3.py (measured). */
static bool can_be_asked_for(struct str method)
{
    static const char *const methods[] = {"GET",    "HEAD",  "POST",   "PUT",
                                          "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_eq(method, str_c(methods[i])))
            return true;
    return false;
}

/* A page at home may send anything, to a bucket that is not there yet, too: a developer's page
 * on localhost needs no CORS configuration, as with LocalStack. To others S3 answers so while a
 * bucket has no CORS configuration, and none can be set yet. */
enum s3_err op_preflight(struct s3_call *c)
{
    struct str method = s3_header(c, STR("access-control-request-method"));
    if (guard_is_preflight(&c->guard, c->req)) {
        guard_preflight_reply(c->req, &c->reply);
        return S3_OK;
    }
    if (!s3_header(c, STR("origin")).len)
        return s3_fail_message(c, S3_BAD_REQUEST,
                               "Insufficient information. Origin request header needed.");
    if (method.len && !can_be_asked_for(method))
        return s3_fail_message(c, S3_BAD_REQUEST, "Invalid Access-Control-Request-Method: %.*s",
                               (int)method.len, method.ptr);
    s3_error_field(c, "Method", method.len ? method : c->req->method);
    s3_error_field(c, "ResourceType", STR("BUCKET"));
    struct bucket_info bucket;
    if (bucket_get(c->branch, c->at.bucket, &bucket))
        return s3_fail_message(c, S3_ACCESS_FORBIDDEN, "CORSResponse: Bucket not found");
    bucket_info_release(&bucket);
    return s3_fail(c, S3_ACCESS_FORBIDDEN, "no CORS configuration");
}

/* ---- versioning -------------------------------------------------------------------- */

enum s3_err op_get_bucket_versioning(struct s3_call *c)
{
    struct bucket_info bucket;
    enum s3_err err = bucket_get(c->branch, c->at.bucket, &bucket);
    if (err)
        return s3_fail(c, err, "GetBucketVersioning");
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<VersioningConfiguration xmlns=\"" S3_XMLNS "\""));
    if (bucket.versioning == VERSIONING_NEVER) {
        buf_add(xml, STR("/>"));
    } else {
        buf_add_char(xml, '>');
        xml_text(xml, "Status",
                 bucket.versioning == VERSIONING_ENABLED ? STR("Enabled") : STR("Suspended"));
        buf_add(xml, STR("</VersioningConfiguration>"));
    }
    bucket_info_release(&bucket);
    return s3_xml_done(c);
}

static enum s3_err read_versioning(struct s3_call *c, enum versioning *versioning)
{
    const struct xml_node *root;
    enum s3_err err = s3_document(c, STR("VersioningConfiguration"), &root);
    if (err)
        return s3_fail(c, err, "VersioningConfiguration");
    struct str status = xml_child_text(root, STR("Status"));
    struct str mfa = xml_child_text(root, STR("MfaDelete"));
    if (!xml_children_are(root, STR("Status MfaDelete")) ||
        (mfa.ptr && !str_eq(mfa, STR("Disabled")) && !str_eq(mfa, STR("Enabled"))))
        return s3_fail(c, S3_MALFORMED_XML, "VersioningConfiguration");
    if (str_eq(mfa, STR("Enabled")))
        return s3_fail_message(c, S3_NOT_IMPLEMENTED, "MFA delete is not implemented");
    if (!status.ptr)
        return s3_fail(c, S3_ILLEGAL_VERSIONING_CONFIGURATION_EXCEPTION, "no Status");
    if (!str_eq(status, STR("Enabled")) && !str_eq(status, STR("Suspended")))
        return s3_fail(c, S3_MALFORMED_XML, "Status");
    *versioning = str_eq(status, STR("Enabled")) ? VERSIONING_ENABLED : VERSIONING_SUSPENDED;
    return S3_OK;
}

enum s3_err op_put_bucket_versioning(struct s3_call *c)
{
    enum versioning versioning = VERSIONING_NEVER;
    if (s3_header(c, STR("x-amz-mfa")).ptr)
        return header_not_implemented(c, STR("x-amz-mfa"));
    if (read_versioning(c, &versioning))
        return c->err;
    enum s3_err err = bucket_set_versioning(c->branch, c->at.bucket, versioning);
    if (err)
        return s3_fail(c, err, "PutBucketVersioning");
    return s3_reply_empty(c, 200);
}
