/* SPDX-License-Identifier: MIT */
/* misroute.c - what S3 answers to a sub-resource at the wrong place or with the wrong method.
 * Sources: backlot issues 230, 267 and the tables in that project's backlot/routers/s3.py, measured
 * on Amazon in September 2026 with every sub-resource and method; versitygw issues 1236, 1487 and
 * 1810, which quote S3; mule-uploader issue 17 for ?uploads with a key. */
#include "s3/misroute.h"

#include "s3/route.h"

/* What a GET of a bucket's sub-resource answers when the URL has a key. */
enum with_key {
    KEY_HAS_IT,      /* objects have a sub-resource of this name */
    KEY_ALONE,       /* only they, and reads of a bucket ignore the name */
    KEY_PASSED_OVER, /* the bucket's sub-resource, whatever the key */
    NAME_IGNORED,    /* the object */
    NO_SUCH_THING,   /* "There is no such thing as the ?versions sub-resource for a key" */
    NO_KEY_EXPECTED, /* "Key is not expected for the GET method ?uploads subresource" */
};

static const struct sub_resource {
    struct str name;
    const char *type;     /* ResourceType of a bucket's */
    const char *key_type; /* ... of an object's; NULL: the same */
    enum with_key with_key;
} sub_resources[] = {
    {STR("abac"), "BUCKET_ABAC", NULL, NAME_IGNORED},
    {STR("accelerate"), "ACCELERATE", NULL, KEY_PASSED_OVER},
    {STR("acl"), "ACL", NULL, KEY_HAS_IT},
    {STR("analytics"), "ANALYTICS", NULL, NAME_IGNORED},
    {STR("annotation"), "OBJECT_ANNOTATIONS", NULL, KEY_ALONE},
    {STR("attributes"), "OBJECT_ATTRIBUTES", NULL, KEY_ALONE},
    {STR("cors"), "CORS", NULL, KEY_PASSED_OVER},
    {STR("delete"), "MULTI_OBJECT_DELETE", NULL, NO_KEY_EXPECTED},
    {STR("encryption"), "ENCRYPTION", NULL, NAME_IGNORED},
    {STR("intelligent-tiering"), "INTELLIGENT_TIERING", NULL, NAME_IGNORED},
    {STR("inventory"), "INVENTORY", NULL, KEY_PASSED_OVER},
    {STR("legal-hold"), "OBJECT_LOCK_LEGALHOLD", NULL, KEY_ALONE},
    {STR("lifecycle"), "LIFECYCLE", NULL, KEY_PASSED_OVER},
    {STR("location"), "LOCATION", NULL, KEY_PASSED_OVER},
    {STR("logging"), "LOGGING_STATUS", NULL, NO_SUCH_THING},
    {STR("metadataConfiguration"), "BUCKET_METADATA_CONFIGURATION", NULL, NAME_IGNORED},
    {STR("metadataTable"), "BUCKET_METADATA_TABLE_CONFIGURATION", NULL, NAME_IGNORED},
    {STR("metrics"), "METRICS", NULL, NAME_IGNORED},
    {STR("notification"), "NOTIFICATION", NULL, KEY_PASSED_OVER},
    {STR("object-lock"), "OBJECT_LOCK_CONFIGURATION", NULL, NAME_IGNORED},
    {STR("ownershipControls"), "OWNERSHIP_CONTROLS", NULL, NAME_IGNORED},
    {STR("partNumber"), "PART", NULL, KEY_HAS_IT},
    {STR("policy"), "BUCKETPOLICY", NULL, KEY_PASSED_OVER},
    {STR("policyStatus"), "POLICY_STATUS", NULL, NAME_IGNORED},
    {STR("publicAccessBlock"), "PUBLIC_ACCESS_BLOCK", NULL, NAME_IGNORED},
    {STR("replication"), "REPLICATION", NULL, KEY_PASSED_OVER},
    {STR("requestPayment"), "REQUEST_PAYMENT", NULL, KEY_PASSED_OVER},
    {STR("restore"), "RESTORE", NULL, KEY_HAS_IT},
    {STR("retention"), "OBJECT_LOCK_RETENTION", NULL, KEY_ALONE},
    {STR("select"), "SELECT", NULL, KEY_HAS_IT},
    {STR("tagging"), "TAGGING", "OBJECT_TAGGING", KEY_HAS_IT},
    {STR("torrent"), "TORRENT", NULL, KEY_HAS_IT},
    {STR("uploadId"), "UPLOAD", NULL, KEY_HAS_IT},
    {STR("uploads"), "UPLOADS", NULL, NO_KEY_EXPECTED},
    {STR("versioning"), "VERSIONING", NULL, KEY_PASSED_OVER},
    {STR("versions"), "BUCKETVERSIONS", NULL, NO_SUCH_THING},
    {STR("website"), "WEBSITE", NULL, KEY_PASSED_OVER},
};

static const struct sub_resource *find_sub_resource(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(sub_resources); i++)
        if (str_eq(sub_resources[i].name, name))
            return &sub_resources[i];
    return NULL;
}

/* The row's first condition on the query; STR_NONE when it has none. */
static struct str row_name(const struct op *op)
{
    struct str query = str_c(op->query), first = STR_NONE, name = STR_NONE;
    if (str_split(&query, '&', &first))
        str_split(&first, '=', &name);
    return name;
}

static bool is_read(struct str method)
{
    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"));
}

/* ---- 405 --------------------------------------------------------------------------- */

/* Is the row one of the sub-resource, wherever it has it, or of the scope's own? */
static bool row_is_of(const struct op *op, enum op_scope scope, struct str name)
{
    if (!name.ptr)
        return !op->query && op->scope == scope;
    /* UploadPart is the one that needs two names. */
    return str_eq(str_eq(name, STR("partNumber")) ? row_name(op) : str_c(op->query), name);
}

/* Allow, in S3's order. */
static void say_allowed(struct s3_call *c, enum op_scope scope, struct str name)
{
    static const char *const methods[] = {"HEAD", "DELETE", "POST", "GET", "PUT"};
    AUTO_BUF(list, 128);
    for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
        bool found = false;
        const struct op *op;
        for (size_t i = 0; !found && (op = route_row(i)); i++)
            found = strcmp(op->method, methods[m]) == 0 && row_is_of(op, scope, name);
        if (found)
            buf_addf(&list, "%s%s", list.len ? ", " : "", methods[m]);
    }
    if (list.len)
        s3_reply_header(c, "Allow", s3_copy(c, buf_str(&list)));
}

static enum s3_err method_not_allowed(struct s3_call *c, enum op_scope scope, struct str name)
{
    static const char *const types[] = {"SERVICE", "BUCKET", "OBJECT"};
    const struct sub_resource *sub = find_sub_resource(name);
    struct str type = name.ptr ? name : str_c(types[scope]);
    if (sub)
        type = str_c(scope == SCOPE_OBJECT && sub->key_type ? sub->key_type : sub->type);
    s3_error_field(c, "Method", c->req->method);
    s3_error_field(c, "ResourceType", type);
    say_allowed(c, scope, name);
    return s3_fail(c, S3_METHOD_NOT_ALLOWED, "no such operation");
}

/* ---- at the wrong place ------------------------------------------------------------- */

/* The row of this method for the sub-resource in the other scope. */
static const struct op *row_elsewhere(const struct s3_call *c, enum op_scope scope,
                                      struct str name)
{
    const struct op *op;
    for (size_t i = 0; (op = route_row(i)); i++)
        if (op->scope != scope && str_eq(c->req->method, str_c(op->method)) &&
            str_eq(row_name(op), name))
            return op;
    return NULL;
}

/* A bucket's sub-resource and a key. Only reads pass the key over: a write that names a key is
 * not to change the bucket. */
static enum s3_err with_key(struct s3_call *c, const struct op *row, struct str name)
{
    const struct sub_resource *sub = find_sub_resource(name);
    enum with_key kind = sub ? sub->with_key : NO_KEY_EXPECTED;
    if (is_read(c->req->method) && kind == KEY_PASSED_OVER) {
        c->op = row;
        c->at.key = STR("");
        return S3_OK;
    }
    if (is_read(c->req->method) && kind == NO_SUCH_THING)
        return s3_fail_message(
            c, str_eq(name, STR("logging")) ? S3_NO_LOGGING_STATUS_FOR_KEY : S3_INVALID_REQUEST,
            "There is no such thing as the ?%.*s sub-resource for a key", (int)name.len,
            name.ptr);
    return s3_fail_message(
        c, S3_INVALID_REQUEST, "Key is not expected for the %.*s method ?%.*s subresource",
        (int)c->req->method.len, c->req->method.ptr, (int)name.len, name.ptr);
}

bool sub_resource_counts(const struct s3_call *c, enum op_scope scope, struct str name)
{
    const struct sub_resource *sub = find_sub_resource(name);
    if (!sub || !is_read(c->req->method) || scope == SCOPE_SERVICE)
        return true;
    return sub->with_key != (scope == SCOPE_OBJECT ? NAME_IGNORED : KEY_ALONE);
}

enum s3_err misrouted(struct s3_call *c, enum op_scope scope, struct str name)
{
    const struct op *row = NULL;
    if (scope == SCOPE_SERVICE)
        name = STR_NONE;
    if (name.ptr)
        row = row_elsewhere(c, scope, name);
    if (!row || (scope == SCOPE_BUCKET && str_eq(name, STR("torrent"))))
        return method_not_allowed(c, scope, name);
    if (scope == SCOPE_BUCKET)
        return s3_fail_message(c, S3_INVALID_REQUEST, "A key must be specified");
    return with_key(c, row, name);
}
