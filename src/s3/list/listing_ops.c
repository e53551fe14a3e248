/* SPDX-License-Identifier: MIT */
/* listing_ops.c - ListObjects, ListObjectsV2, ListObjectVersions: their own parameters and the
 * elements before the entries. Which elements are there, empty or absent follows replies
 * recorded from Amazon. */
#include "s3/list/listing.h"
#include "s3/list/page_token.h"

/* S3 refuses a parameter of the listing's other form, whatever its value.
 * Source: backlot/routers/s3.py (measured). */
static enum s3_err refuse_other_form(struct s3_call *c, struct str name, const char *message)
{
    if (!s3_param(c, name).ptr)
        return S3_OK;
    s3_error_field(c, "ArgumentName", name);
    return s3_fail_message(c, S3_INVALID_ARGUMENT, "%s", message);
}

/* ---- ListObjects: without list-type, or with another than 2 ------------------------ */

static void write_objects(struct s3_call *c, struct buf *xml, struct list_page *page)
{
    buf_add(xml, STR("<ListBucketResult xmlns=\"" S3_XMLNS "\">"));
    xml_text(xml, "Name", c->at.bucket);
    list_text(xml, page->url, "Prefix", page->prefix);
    list_text(xml, page->url, "Marker", s3_param(c, STR("marker")));
    /* Without a delimiter the client takes the last key it got. */
    if (page->truncated && page->delimiter.len)
        list_text(xml, page->url, "NextMarker", page->last);
}

enum s3_err op_list_objects(struct s3_call *c)
{
    struct list_page *page;
    struct str marker = s3_param(c, STR("marker"));
    if (refuse_other_form(c, STR("continuation-token"),
                          "continuation-token only supported in REST.GET.BUCKET with "
                          "list-type=2") ||
        refuse_other_form(c, STR("start-after"),
                          "startAfter only supported in REST.GET.BUCKET with list-type=2"))
        return c->err;
    if (list_page_begin(c, &page, LIST_OBJECTS))
        return c->err;
    page->with_owner = true;
    page->after = marker.ptr ? marker : STR("");
    return list_page_fill(c, STR("</ListBucketResult>"), write_objects);
}

/* ---- ListObjectsV2 ----------------------------------------------------------------- */

/* The token wins over start-after. An empty one is refused as well. */
static enum s3_err read_start(struct s3_call *c, struct list_page *page, struct str token)
{
    struct str start_after = s3_param(c, STR("start-after"));
    if (!token.ptr) {
        page->after = start_after.ptr ? start_after : STR("");
        return S3_OK;
    }
    AUTO_BUF(position, KEY_MAX + KEY_MAX);
    if (!page_token_read(&position, token)) {
        s3_error_field(c, "ArgumentName", STR("continuation-token"));
        return s3_fail_message(c, S3_INVALID_ARGUMENT,
                               "The continuation token provided is incorrect");
    }
    page->after = s3_copy(c, buf_str(&position));
    return S3_OK;
}

static void write_v2_head(struct s3_call *c, struct buf *xml, const struct list_page *page)
{
    struct str token = s3_param(c, STR("continuation-token"));
    xml_text(xml, "Name", c->at.bucket);
    list_text(xml, page->url, "Prefix", page->prefix);
    if (token.ptr)
        xml_text(xml, "ContinuationToken", token);
    else if (s3_param(c, STR("start-after")).ptr)
        list_text(xml, page->url, "StartAfter", s3_param(c, STR("start-after")));
    if (page->truncated) {
        buf_add(xml, STR("<NextContinuationToken>"));
        page_token_add(xml, page->last);
        buf_add(xml, STR("</NextContinuationToken>"));
    }
    xml_u64(xml, "KeyCount", page->count);
}

static void write_objects_v2(struct s3_call *c, struct buf *xml, struct list_page *page)
{
    buf_add(xml, STR("<ListBucketResult xmlns=\"" S3_XMLNS "\">"));
    write_v2_head(c, xml, page);
}

enum s3_err op_list_objects_v2(struct s3_call *c)
{
    struct list_page *page;
    if (refuse_other_form(c, STR("marker"),
                          "Marker unsupported with REST.GET.BUCKET in list-type=2") ||
        list_page_begin(c, &page, LIST_OBJECTS) ||
        read_start(c, page, s3_param(c, STR("continuation-token"))))
        return c->err;
    page->with_owner = str_eq_nocase(s3_param(c, STR("fetch-owner")), STR("true"));
    return list_page_fill(c, STR("</ListBucketResult>"), write_objects_v2);
}

/* ---- ListObjectVersions ------------------------------------------------------------ */

/* Source: backlot/routers/s3.py (measured). */
static enum s3_err read_markers(struct s3_call *c, struct list_page *page)
{
    struct str name = STR("version-id-marker"), version = s3_param(c, name);
    struct str key = s3_param(c, STR("key-marker"));
    if (version.ptr && !key.ptr)
        return s3_invalid_argument(
            c, "A version-id marker cannot be specified without a key marker.", name, version);
    if (version.ptr && !version.len)
        return s3_invalid_argument(c, "A version-id marker cannot be empty.", name, version);
    page->after = key.ptr ? key : STR("");
    page->after_id = version;
    return S3_OK;
}

static void write_versions(struct s3_call *c, struct buf *xml, struct list_page *page)
{
    buf_add(xml, STR("<ListVersionsResult xmlns=\"" S3_XMLNS "\">"));
    xml_text(xml, "Name", c->at.bucket);
    list_text(xml, page->url, "Prefix", page->prefix);
    list_text(xml, page->url, "KeyMarker", s3_param(c, STR("key-marker")));
    xml_text(xml, "VersionIdMarker", s3_param(c, STR("version-id-marker")));
    if (page->truncated) {
        list_text(xml, page->url, "NextKeyMarker", page->last);
        if (page->last_id.ptr)
            xml_text(xml, "NextVersionIdMarker", page->last_id);
    }
}

enum s3_err op_list_object_versions(struct s3_call *c)
{
    struct list_page *page;
    if (list_page_begin(c, &page, LIST_VERSIONS) || read_markers(c, page))
        return c->err;
    return list_page_fill(c, STR("</ListVersionsResult>"), write_versions);
}
