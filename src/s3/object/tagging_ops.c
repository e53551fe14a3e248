/* SPDX-License-Identifier: MIT */
/* tagging_ops.c - Put, Get and Delete of bucket and object tags. */
#include "s3/object/object.h"
#include "s3/object/tagging.h"

static enum s3_err reply_tagging(struct s3_call *c, struct str query)
{
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<Tagging xmlns=\"" S3_XMLNS "\">"));
    xml_tag_set(xml, query);
    buf_add(xml, STR("</Tagging>"));
    return s3_xml_done(c);
}

static enum s3_err read_document(struct s3_call *c, enum tag_owner owner, struct buf *query)
{
    const struct xml_node *root;
    enum s3_err err = s3_document(c, STR("Tagging"), &root);
    return err ? s3_fail(c, err, "Tagging") : s3_read_tagging(c, root, owner, query);
}

/* ---- buckets ----------------------------------------------------------------------- */

static enum s3_err set_bucket_tags(struct s3_call *c, struct str query)
{
    struct doc *doc = query.len ? doc_new(c->options->store, query) : NULL;
    if (query.len && !doc)
        return s3_fail(c, S3_SLOW_DOWN, "memory for bucket tags");
    enum s3_err err = bucket_set_doc(c->branch, c->at.bucket, BUCKET_DOC_TAGGING, TAKE(doc));
    if (err)
        return s3_fail(c, err, "bucket tags");
    return s3_reply_empty(c, 204);
}

enum s3_err begin_put_bucket_tagging(struct s3_call *c)
{
    return payload_require_digest(c);
}

enum s3_err op_put_bucket_tagging(struct s3_call *c)
{
    AUTO_BUF(query, TAGS_QUERY_MAX);
    if (read_document(c, TAGS_OF_BUCKET, &query))
        return c->err;
    return set_bucket_tags(c, buf_str(&query));
}

enum s3_err op_delete_bucket_tagging(struct s3_call *c)
{
    return set_bucket_tags(c, STR(""));
}

enum s3_err op_get_bucket_tagging(struct s3_call *c)
{
    struct bucket_info bucket;
    enum s3_err err = bucket_get(c->branch, c->at.bucket, &bucket);
    if (err)
        return s3_fail(c, err, "GetBucketTagging");
    if (bucket.docs[BUCKET_DOC_TAGGING])
        err = reply_tagging(c, doc_str(bucket.docs[BUCKET_DOC_TAGGING]));
    else
        err = s3_fail(c, S3_NO_SUCH_TAG_SET, "GetBucketTagging");
    bucket_info_release(&bucket);
    return err;
}

/* ---- objects ----------------------------------------------------------------------- */

/* The object, or the version, that the request names. A delete marker cannot be tagged, named
 * or current (aws-recorded: test_object_tagging_versioned). */
static enum s3_err find_object(struct s3_call *c, struct record **out)
{
    AUTO(record) record = NULL;
    struct str version = s3_param(c, STR("versionId"));
    enum s3_err err = object_get(&record, c->branch, &c->at, version);
    if (err == S3_NO_SUCH_KEY && record)
        err = S3_METHOD_NOT_ALLOWED;
    if (err == S3_METHOD_NOT_ALLOWED)
        s3_reply_kept_header(c, "Allow", "DELETE");
    if (err == S3_INVALID_ARGUMENT)
        return s3_invalid_version_id(c, version);
    if (err)
        return s3_fail(c, err, "tagging");
    *out = TAKE(record);
    return S3_OK;
}

static bool is_versioned(struct s3_call *c)
{
    struct bucket_info bucket;
    if (bucket_get(c->branch, c->at.bucket, &bucket))
        return false;
    bool versioned = bucket.versioning != VERSIONING_NEVER;
    bucket_info_release(&bucket);
    return versioned;
}

/* The null version is named only in a bucket that knows others. */
static void reply_version(struct s3_call *c, const struct record *record)
{
    char id[VERSION_ID_SIZE];
    struct str version = record_version_id(record, id);
    if (version.ptr && (!str_eq(version, STR("null")) || is_versioned(c)))
        s3_reply_header(c, "x-amz-version-id", version);
}

/* The record's attributes with other tags. */
static void change_tags(struct buf *attrs, const struct record *record, struct str query)
{
    enum attr a;
    struct str name, value, old = record_attrs(record);
    for (size_t at = 0; attrs_next(old, &at, &a, &name, &value);) {
        if (a == ATTR_META)
            attrs_add_meta(attrs, name, value);
        else if (a != ATTR_TAGGING)
            attrs_add(attrs, a, value);
    }
    if (query.len)
        attrs_add(attrs, ATTR_TAGGING, query);
}

/* One try. CONDITIONAL_REQUEST_CONFLICT: the object changed meanwhile. */
static enum s3_err replace_tags(struct s3_call *c, struct record *record, struct str query)
{
    AUTO_BUF(attrs, 2 * ATTRS_MAX); /* the old ones, and new tags */
    change_tags(&attrs, record, query);
    struct record *changed =
        buf_ok(&attrs) ? record_with_attrs(c->options->store, record, buf_str(&attrs)) : NULL;
    if (!changed)
        return S3_SLOW_DOWN;
    return object_replace(c->branch, &c->at, record, TAKE(changed));
}

/* c->state: the tags, in the call's memory. Each try is a turn of its own: somebody who writes
 * the object all the time makes nobody wait but the call. */
static enum s3_err set_object_tags(struct s3_call *c)
{
    const struct str *query = c->state;
    AUTO(record) record = NULL;
    if (find_object(c, &record))
        return c->err;
    enum s3_err err = replace_tags(c, record, *query);
    if (err == S3_CONDITIONAL_REQUEST_CONFLICT)
        return s3_later(c, set_object_tags);
    if (err)
        return s3_fail(c, err, "object tags");
    reply_version(c, record);
    return s3_reply_empty(c, c->op->handler == op_delete_object_tagging ? 204 : 200);
}

static enum s3_err begin_object_tags(struct s3_call *c, struct str query)
{
    struct str *kept = s3_alloc(c, sizeof(*kept));
    *kept = s3_copy(c, query);
    c->state = kept;
    return set_object_tags(c);
}

/* Before the document is read: is there something to tag? */
enum s3_err begin_put_object_tagging(struct s3_call *c)
{
    AUTO(record) record = NULL;
    return find_object(c, &record);
}

enum s3_err op_put_object_tagging(struct s3_call *c)
{
    AUTO_BUF(query, TAGS_QUERY_MAX);
    if (read_document(c, TAGS_OF_OBJECT, &query))
        return c->err;
    return begin_object_tags(c, buf_str(&query));
}

enum s3_err op_delete_object_tagging(struct s3_call *c)
{
    return begin_object_tags(c, STR(""));
}

enum s3_err op_get_object_tagging(struct s3_call *c)
{
    AUTO(record) record = NULL;
    if (find_object(c, &record)) {
        /* Only here S3 puts the bucket before the key (aws-recorded: get-no-key-tags). */
        if (c->err == S3_NO_SUCH_KEY)
            s3_error_field(c, "Key",
                           s3_printf(c, "%.*s/%.*s", (int)c->at.bucket.len, c->at.bucket.ptr,
                                     (int)c->at.key.len, c->at.key.ptr));
        return c->err;
    }
    struct str query = attrs_get(record_attrs(record), ATTR_TAGGING);
    reply_version(c, record);
    return reply_tagging(c, query.ptr ? query : STR(""));
}
