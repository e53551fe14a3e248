/* SPDX-License-Identifier: MIT */
/* delete_objects.c - DeleteObjects: up to 1000 keys, each deleted, refused and reported on its
 * own. The document is checked whole before the first key goes. */
#include "s3/object/object.h"
#include "s3/xml/xml_read.h"

#define OBJECTS_MAX 1000

/* One Object element, borrowed from the document. */
struct victim {
    struct str key, version; /* version STR_NONE: the current object */
    struct write_conditions conditions;
};

/* ---- the document ------------------------------------------------------------------ */

static bool read_time(struct str text, struct write_conditions *conditions)
{
    int64_t unix_ns;
    if (!clock_parse_http(text, &unix_ns) && !clock_parse_iso(text, &unix_ns))
        return false;
    conditions->has_mtime = true;
    conditions->mtime_s = unix_ns / NS_PER_S;
    return true;
}

static bool read_victim(const struct xml_node *object, struct victim *out)
{
    struct str etag = xml_child_text(object, STR("ETag"));
    struct str time = xml_child_text(object, STR("LastModifiedTime"));
    struct str size = xml_child_text(object, STR("Size"));
    struct str version = xml_child_text(object, STR("VersionId"));
    *out = (struct victim){.key = xml_child_text(object, STR("Key")),
                           .version = version.len ? version : STR_NONE};
    out->conditions.if_match = etag;
    out->conditions.has_size = size.ptr;
    return out->key.len && (!time.ptr || read_time(time, &out->conditions)) &&
           (!size.ptr || str_to_u64(size, &out->conditions.size)) &&
           xml_children_are(object, STR("Key VersionId ETag LastModifiedTime Size"));
}

static bool read_quiet(const struct xml_node *root, bool *quiet)
{
    struct str text = xml_child_text(root, STR("Quiet"));
    *quiet = str_eq(text, STR("true")) || str_eq(text, STR("1"));
    return !text.ptr || *quiet || str_eq(text, STR("false")) || str_eq(text, STR("0"));
}

static bool check_document(const struct xml_node *root, bool *quiet)
{
    struct victim victim;
    size_t objects = 0, others = 0;
    for (const struct xml_node *n = xml_node_first(root); n; n = xml_node_next(n)) {
        if (!xml_node_is(n, STR("Object")))
            others++;
        else if (++objects > OBJECTS_MAX || !read_victim(n, &victim))
            return false;
    }
    return objects > 0 && others == xml_child_count(root, STR("Quiet")) && others <= 1 &&
           read_quiet(root, quiet);
}

/* ---- one key ----------------------------------------------------------------------- */

static void write_deleted(struct buf *xml, const struct victim *victim,
                          const struct write_result *result)
{
    buf_add(xml, STR("<Deleted>"));
    xml_text(xml, "Key", victim->key);
    if (victim->version.ptr)
        xml_text(xml, "VersionId", victim->version);
    if (result->delete_marker) {
        xml_bool(xml, "DeleteMarker", true);
        xml_text(xml, "DeleteMarkerVersionId", str_c(result->version_id));
    }
    buf_add(xml, STR("</Deleted>"));
}

static void write_error(struct buf *xml, const struct victim *victim, enum s3_err err)
{
    buf_add(xml, STR("<Error>"));
    xml_text(xml, "Key", victim->key);
    if (victim->version.ptr)
        xml_text(xml, "VersionId", victim->version);
    xml_text(xml, "Code", str_c(s3_err_code(err)));
    xml_text(xml, "Message", str_c(s3_err_message(err)));
    buf_add(xml, STR("</Error>"));
}

static bool has_conditions(const struct write_conditions *conditions)
{
    return conditions->if_match.ptr || conditions->has_mtime || conditions->has_size;
}

/* Unlike DeleteObject this tells of versions that are not there (aws-recorded:
 * test_delete_objects_versioned), well-formed or not. */
static enum s3_err delete_one(struct s3_call *c, const struct victim *victim,
                              struct write_result *result)
{
    struct target at = {c->at.bucket, victim->key};
    bool conditional = has_conditions(&victim->conditions);
    *result = (struct write_result){.version_id = ""};
    if (victim->key.len > KEY_MAX)
        return S3_KEY_TOO_LONG_ERROR;
    if (conditional && victim->version.ptr)
        return S3_NOT_IMPLEMENTED;
    enum s3_err err = object_delete(c->branch, &at, victim->version,
                                    conditional ? &victim->conditions : NULL, result);
    record_unref(TAKE(result->old));
    if (victim->version.ptr && (err == S3_INVALID_ARGUMENT || (!err && !result->existed)))
        return S3_NO_SUCH_VERSION;
    return err;
}

/* What is left to do. */
struct deletion {
    const struct xml_node *next;
    bool quiet;
};

/* A turn's work: a few keys, fewer when objects are large. */
static enum s3_err delete_some(struct s3_call *c)
{
    struct deletion *d = c->state;
    struct victim victim;
    struct write_result result;
    struct buf *xml = &c->reply.text;
    int64_t until_ns = clock_monotonic_ns() + TURN_SLICE_NS;
    for (; d->next; d->next = xml_node_next(d->next)) {
        if (!xml_node_is(d->next, STR("Object")) || !read_victim(d->next, &victim))
            continue;
        if (clock_monotonic_ns() >= until_ns)
            return s3_later(c, delete_some);
        enum s3_err err = delete_one(c, &victim, &result);
        if (err == S3_NO_SUCH_BUCKET)
            return s3_fail(c, err, "bucket gone");
        if (err)
            write_error(xml, &victim, err);
        else if (!d->quiet)
            write_deleted(xml, &victim, &result);
    }
    buf_add(xml, STR("</DeleteResult>"));
    return s3_xml_done(c);
}

enum s3_err begin_delete_objects(struct s3_call *c)
{
    if (s3_check_bypass(c) || payload_require_digest(c))
        return c->err;
    /* Before digests are compared: backlot/routers/s3.py (measured). */
    return c->payload.expected ? S3_OK
                               : s3_fail(c, S3_MISSING_REQUEST_BODY_ERROR, "DeleteObjects");
}

enum s3_err op_delete_objects(struct s3_call *c)
{
    const struct xml_node *root;
    struct deletion *d = s3_alloc(c, sizeof(*d));
    enum s3_err err = s3_document(c, STR("Delete"), &root);
    if (err)
        return s3_fail(c, err, "Delete");
    if (!check_document(root, &d->quiet))
        return s3_fail(c, S3_MALFORMED_XML, "Delete");
    d->next = xml_node_first(root);
    c->state = d;
    buf_add(s3_reply_xml(c), STR("<DeleteResult xmlns=\"" S3_XMLNS "\">"));
    return delete_some(c);
}
