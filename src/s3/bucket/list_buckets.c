/* SPDX-License-Identifier: MIT */
/* list_buckets.c - ListBuckets, by prefix, region and page. */
#include "s3/bucket/bucket_rules.h"
#include "s3/list/page_token.h"

#define PAGE_MAX 10000

struct bucket_query {
    struct str prefix, region; /* STR_NONE: all */
    struct str after;          /* names beyond it */
    uint32_t max;
    bool paginated; /* any parameter given: only then S3 tells each bucket's region */
};

static enum s3_err read_max(struct s3_call *c, struct bucket_query *q)
{
    struct str name = STR("max-buckets"), text = s3_param(c, name);
    if (s3_param_count(c, name, INT32_MAX, &q->max))
        return c->err;
    if (text.len && (q->max < 1 || q->max > PAGE_MAX))
        return s3_invalid_argument(c, S3_BUCKETS_RANGE, name, text);
    return S3_OK;
}

static enum s3_err read_region(struct s3_call *c, struct bucket_query *q)
{
    if (q->region.ptr && !region_is_known(c, q->region)) {
        s3_error_field(c, "ArgumentName", STR("bucket-region"));
        return s3_fail_message(c, S3_INVALID_ARGUMENT,
                               "Argument value %.*s is not a valid AWS Region",
                               (int)q->region.len, q->region.ptr);
    }
    return S3_OK;
}

static enum s3_err read_token(struct s3_call *c, struct bucket_query *q)
{
    struct str token = s3_param(c, STR("continuation-token"));
    AUTO_BUF(position, KEY_MAX);
    if (token.len && !page_token_read(&position, token)) {
        s3_error_field(c, "ArgumentName", STR("continuation-token"));
        return s3_fail_message(c, S3_INVALID_ARGUMENT,
                               "The continuation token provided is incorrect");
    }
    q->after = s3_copy(c, buf_str(&position));
    return S3_OK;
}

static bool is_asked_for(const struct s3_call *c, const struct bucket_query *q,
                         const struct bucket_info *bucket)
{
    if (c->options->keyring && !str_eq(owner_id(doc_str(bucket->owner)), owner_id(c->owner)))
        return false;
    return !q->region.len || str_eq(q->region, s3_bucket_region(bucket));
}

static void write_bucket(struct buf *xml, const struct bucket_query *q,
                         const struct bucket_info *bucket)
{
    buf_add(xml, STR("<Bucket>"));
    xml_text(xml, "Name", str_c(bucket->name));
    xml_time(xml, "CreationDate", bucket->created_ns);
    if (q->paginated)
        xml_text(xml, "BucketRegion", s3_bucket_region(bucket));
    buf_add(xml, STR("<BucketArn>arn:aws:s3:::"));
    buf_add_xml(xml, str_c(bucket->name));
    buf_add(xml, STR("</BucketArn></Bucket>"));
}

/* Writes a page of buckets. *last: name of its last one when more follow, else empty. */
static void write_buckets(struct s3_call *c, const struct bucket_query *q, struct buf *xml,
                          struct str *last)
{
    AUTO(root) root = branch_root(c->branch);
    bool from_prefix = str_cmp(q->prefix, q->after) > 0;
    struct str at = from_prefix ? q->prefix : q->after;
    struct bucket_info bucket;
    char name[sizeof(bucket.name)], written[sizeof(bucket.name)] = "";
    uint32_t count = 0;
    *last = STR("");
    while (root_bucket_next(root, at, from_prefix, &bucket)) {
        memcpy(name, bucket.name, sizeof(name));
        at = str_c(name);
        from_prefix = false;
        bool in_prefix = str_has_prefix(at, q->prefix);
        bool asked = in_prefix && is_asked_for(c, q, &bucket);
        if (asked && count++ < q->max) {
            write_bucket(xml, q, &bucket);
            memcpy(written, name, sizeof(name));
        }
        bucket_info_release(&bucket);
        if (count > q->max)
            *last = s3_copy(c, str_c(written));
        if (!in_prefix || count > q->max)
            break;
    }
}

static enum s3_err read_query(struct s3_call *c, struct bucket_query *q)
{
    struct str prefix = s3_param(c, STR("prefix"));
    struct str region = s3_param(c, STR("bucket-region"));
    *q = (struct bucket_query){.prefix = prefix, .region = region, .max = UINT32_MAX - 1};
    q->paginated = prefix.ptr || region.ptr || s3_param(c, STR("max-buckets")).ptr ||
                   s3_param(c, STR("continuation-token")).ptr;
    if (read_max(c, q) || read_region(c, q))
        return c->err;
    return read_token(c, q);
}

enum s3_err op_list_buckets(struct s3_call *c)
{
    struct bucket_query q;
    struct str last;
    if (read_query(c, &q))
        return c->err;
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<ListAllMyBucketsResult xmlns=\"" S3_XMLNS "\">"));
    xml_owner(xml, c->owner);
    buf_add(xml, STR("<Buckets>"));
    write_buckets(c, &q, xml, &last);
    buf_add(xml, STR("</Buckets>"));
    if (q.prefix.ptr)
        xml_text(xml, "Prefix", q.prefix);
    if (last.len) {
        buf_add(xml, STR("<ContinuationToken>"));
        page_token_add(xml, last);
        buf_add(xml, STR("</ContinuationToken>"));
    }
    buf_add(xml, STR("</ListAllMyBucketsResult>"));
    return s3_xml_done(c);
}
