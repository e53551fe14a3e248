/* SPDX-License-Identifier: MIT */
/* listing_ops.c - ListObjects, ListObjectsV2, ListObjectVersions: their own parameters and the
 * elements before the entries. Which elements are there, empty or absent follows replies
 * recorded from Amazon. */
#include "s3/listing.h"
#include "s3/page_token.h"

/* ---- ListObjects ------------------------------------------------------------------- */

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
    struct str marker = s3_param(c, STR("marker")), type = s3_param(c, STR("list-type"));
    if (type.ptr) /* 2 has a row of its own */
        return s3_invalid_argument(c, "Invalid List Type specified in Request",
                                   STR("list-type"), type);
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
    if (list_page_begin(c, &page, LIST_OBJECTS) ||
        read_start(c, page, s3_param(c, STR("continuation-token"))))
        return c->err;
    page->with_owner = str_eq_nocase(s3_param(c, STR("fetch-owner")), STR("true"));
    return list_page_fill(c, STR("</ListBucketResult>"), write_objects_v2);
}

/* ---- ListObjectVersions ------------------------------------------------------------ */

static enum s3_err read_markers(struct s3_call *c, struct list_page *page)
{
    struct str key = s3_param(c, STR("key-marker"));
    struct str version = s3_param(c, STR("version-id-marker"));
    if (version.len && !key.len)
        return s3_invalid_argument(
            c, "A version-id marker cannot be specified without a key marker.",
            STR("version-id-marker"), version);
    page->after = key.ptr ? key : STR("");
    page->after_id = version.len ? version : STR_NONE;
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
