/* SPDX-License-Identifier: MIT */
/* object_get.c - GetObject and HeadObject: the object or version, its conditions, one range or
 * one part of it. The reply's slices are the record's own memory, held by its reference:
 * nothing is copied, and a delete that races the transfer is harmless. Sources: aws-recorded
 * test_get_object_range, test_get_object_part*, test_s3_get_object_*. */
#include <inttypes.h>

#include "s3/body/encryption.h"
#include "s3/object/conditions.h"
#include "s3/object/object.h"

/* What of the object is asked for. */
struct selection {
    struct byte_range range;
    enum versioning versioning;   /* of the bucket */
    const struct part_info *part; /* ?partNumber of a multipart object, else NULL */
    struct part_info part_info;
};

/* ---- finding it -------------------------------------------------------------------- */

enum s3_err s3_invalid_version_id(struct s3_call *c, struct str version)
{
    const char *message =
        version.len ? "Invalid version id specified" : "Version id cannot be the empty string";
    return s3_invalid_argument(c, message, STR("versionId"), version);
}

static void reply_delete_marker(struct s3_call *c, const struct record *marker, enum s3_err err)
{
    char date[HTTP_DATE_SIZE];
    s3_reply_kept_header(c, "x-amz-delete-marker", "true");
    s3_reply_version_id(c, marker, VERSIONING_ENABLED);
    if (err != S3_METHOD_NOT_ALLOWED)
        return;
    clock_format_http(record_mtime_ns(marker), date);
    s3_reply_header(c, "Last-Modified", str_c(date));
    s3_reply_kept_header(c, "Allow", "DELETE");
}

enum s3_err s3_find_object(struct s3_call *c, struct record **out, enum versioning *versioning)
{
    struct str version = c->param_count ? s3_param(c, STR("versionId")) : STR_NONE;
    AUTO(record) found = NULL;
    if (version.ptr && !version.len)
        return s3_invalid_version_id(c, version);
    enum s3_err err = object_find(&found, versioning, c->branch, &c->at, version);
    if (!err) {
        *out = TAKE(found);
        return S3_OK;
    }
    if (found)
        reply_delete_marker(c, found, err);
    if (err == S3_INVALID_ARGUMENT)
        return s3_invalid_version_id(c, version);
    return s3_fail(c, err, "object_find");
}

/* ---- what of it -------------------------------------------------------------------- */

static enum s3_err no_such_part(struct s3_call *c, struct str number, uint32_t count)
{
    s3_error_field(c, "ActualPartCount", s3_printf(c, "%u", count ? count : 1));
    s3_error_field(c, "PartNumberRequested", number);
    return s3_fail(c, S3_INVALID_PART_NUMBER, "part number");
}

/* A complete object's parts are counted from 1, whatever numbers they were uploaded under: SDKs
 * fetch 1 to x-amz-mp-parts-count. Source: OpenStack Swift's tests, which run against Amazon
 * too (test/s3api, test_create_upload_complete_parts_list_with_gaps). */
static enum s3_err select_part(struct s3_call *c, const struct record *r, struct str text,
                               struct selection *out)
{
    uint64_t number;
    uint32_t count = record_part_count(r);
    if (!str_to_u64(text, &number) || number < 1 || number > PART_NUMBER_MAX)
        return s3_invalid_argument(
            c, "Part number must be an integer between 1 and 10000, inclusive",
            STR("partNumber"), text);
    if (!count) {
        /* A plain object is its own first part. */
        out->range.partial = record_size(r) > 0;
        return number == 1 ? S3_OK : no_such_part(c, text, 0);
    }
    if (!record_part(r, (uint32_t)number - 1, &out->part_info, &out->range.first))
        return no_such_part(c, text, count);
    out->part = &out->part_info;
    out->range.len = out->part_info.size;
    out->range.partial = out->part_info.size > 0;
    return S3_OK;
}

static enum s3_err select_bytes(struct s3_call *c, const struct record *r,
                                struct selection *out)
{
    struct str range = s3_header(c, STR("range"));
    struct str part = c->param_count ? s3_param(c, STR("partNumber")) : STR_NONE;
    out->range = (struct byte_range){.len = record_size(r)};
    out->part = NULL;
    if (range.ptr && part.ptr)
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "Cannot specify both Range header and partNumber query "
                               "parameter");
    if (part.ptr)
        return select_part(c, r, part, out);
    if (!range.ptr || !s3_if_range_holds(c, r))
        return S3_OK;
    return s3_parse_range(c, range, record_size(r), &out->range);
}

/* ---- the reply --------------------------------------------------------------------- */

/* x-amz-checksum-mode is ENABLED, in any case of letters, or not there.
 * Source: backlot/routers/s3.py (measured). */
static enum s3_err check_checksum_mode(struct s3_call *c)
{
    struct str mode = s3_header(c, STR("x-amz-checksum-mode"));
    if (mode.ptr && !str_eq_nocase(mode, STR("ENABLED")))
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "Value for x-amz-checksum-mode header is invalid.");
    return S3_OK;
}

/* The whole object's checksum, or that of the part asked for; other ranges have none. */
static void reply_checksum(struct s3_call *c, const struct record *r,
                           const struct selection *asked)
{
    struct checksum sum;
    if (!s3_header(c, STR("x-amz-checksum-mode")).ptr)
        return;
    record_checksum(r, &sum);
    /* A FULL_OBJECT upload's only part has the object's own checksum, several have none
     * (aws-recorded: test_get_object_part_checksum, ..._checksum_full_object). */
    bool whole = asked->range.len == record_size(r);
    if (asked->part && !(whole && sum.type == CHECKSUM_FULL_OBJECT)) {
        uint8_t type = sum.type;
        sum = asked->part->checksum;
        sum.type = type;
        s3_reply_checksum_headers(c, &sum, 0);
    } else if (whole) {
        s3_reply_checksum_headers(c, &sum, record_part_count(r));
    }
}

static void reply_range(struct s3_call *c, const struct record *r,
                        const struct selection *asked)
{
    const struct byte_range *range = &asked->range;
    if (range->partial)
        s3_reply_header(c, "Content-Range",
                        s3_printf(c, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
                                  range->first + range->len - 1, record_size(r)));
    if (asked->part)
        s3_reply_header(c, "x-amz-mp-parts-count", s3_printf(c, "%u", record_part_count(r)));
    c->reply.status = range->partial ? 206 : 200;
}

static void release_record(void *record)
{
    record_unref(record);
}

/* Hands the record's memory to the front end, with the reference that keeps it. Takes r. */
static void reply_bytes(struct s3_call *c, struct record *r, const struct byte_range *range)
{
    struct reply *reply = &c->reply;
    reply->slice_count = record_slices(r, range->first, range->len, NULL, 0);
    reply->slices = xcalloc(reply->slice_count ? reply->slice_count : 1, sizeof(struct slice));
    record_slices(r, range->first, range->len, reply->slices, reply->slice_count);
    reply->slices_len = range->len;
    reply->release = release_record;
    reply->release_arg = r;
}

static enum s3_err not_modified(struct s3_call *c, const struct record *r,
                                enum versioning versioning)
{
    struct str cache = attrs_get(record_attrs(r), ATTR_CACHE_CONTROL);
    struct str expires = attrs_get(record_attrs(r), ATTR_EXPIRES);
    s3_reply_validators(c, r, versioning);
    if (cache.ptr)
        s3_reply_header(c, "Cache-Control", cache);
    if (expires.ptr)
        s3_reply_header(c, "Expires", expires);
    return c->err;
}

static enum s3_err check_restored(struct s3_call *c, const struct record *r)
{
    if (!s3_is_archived(r))
        return S3_OK;
    s3_reply_header(c, "x-amz-storage-class", s3_storage_class(r));
    s3_error_field(c, "StorageClass", s3_storage_class(r));
    return s3_fail(c, S3_INVALID_OBJECT_STATE, "archived");
}

/* What GET and HEAD have in common: everything but the bytes. */
static enum s3_err read_object(struct s3_call *c, struct record **out, struct selection *asked)
{
    AUTO(record) r = NULL;
    bool is_head = c->op->handler == op_head_object;
    if (s3_check_response_overrides(c) || s3_find_object(c, &r, &asked->versioning) ||
        s3_check_customer_key(c, "x-amz-", r))
        return c->err;
    enum s3_err err = s3_read_conditions(c, "", r);
    if (err == S3_NOT_MODIFIED)
        return not_modified(c, r, asked->versioning);
    if (err || (!is_head && check_restored(c, r)) || select_bytes(c, r, asked) ||
        check_checksum_mode(c))
        return c->err;
    s3_reply_object_headers(c, r, asked->versioning);
    reply_range(c, r, asked);
    reply_checksum(c, r, asked);
    *out = TAKE(r);
    return S3_OK;
}

enum s3_err op_get_object(struct s3_call *c)
{
    struct selection asked;
    struct record *r;
    if (read_object(c, &r, &asked))
        return c->err;
    reply_bytes(c, r, &asked.range);
    return S3_OK;
}

enum s3_err op_head_object(struct s3_call *c)
{
    struct selection asked;
    AUTO(record) r = NULL;
    if (read_object(c, &r, &asked))
        return c->err;
    c->reply.no_body = true;
    c->reply.content_length = asked.range.len;
    return S3_OK;
}
