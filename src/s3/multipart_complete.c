/* SPDX-License-Identifier: MIT */
/* multipart_complete.c - CompleteMultipartUpload: the list of parts checked against the upload,
 * one record that shares their bodies, published under the branch's lock.
 *
 * The checks run on an immutable view of the upload without a lock; when a part changed
 * meanwhile, upload_complete says so and they run again. Completing twice with the same parts
 * answers the same result while the object it made is still the current one. Sources:
 * aws-recorded TestS3MultipartUploadChecksum, TestS3ObjectWritePrecondition. */
#include <inttypes.h>

#include "s3/bucket_rules.h"
#include "s3/multipart.h"
#include "s3/xml_read.h"

struct completion {
    struct upload *upload; /* reference */
    struct xml_doc *list;  /* the client's list; NULL when its body was empty */
    struct body **bodies;  /* borrowed from the upload's parts */
    struct part_info *infos;
    uint32_t count;
    uint64_t size;
    uint8_t md5[MD5_SIZE];
    struct checksum checksum;
};

static void completion_release(struct completion *w)
{
    upload_unref(w->upload);
    xml_doc_free(w->list);
}

/* ---- one listed part --------------------------------------------------------------- */

static struct str unquoted(struct str etag)
{
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        return str_of(etag.ptr + 1, etag.len - 2);
    return etag;
}

static enum s3_err invalid_part(struct s3_call *c, uint32_t number, struct str etag)
{
    s3_error_field(c, "UploadId", s3_param(c, STR("uploadId")));
    s3_error_field(c, "PartNumber", s3_printf(c, "%" PRIu32, number));
    s3_error_field(c, "ETag", etag);
    return s3_fail(c, S3_INVALID_PART, "part %" PRIu32, number);
}

static bool etag_is(const struct part *part, struct str etag)
{
    uint8_t md5[MD5_SIZE];
    return hex_decode_exact(etag, md5, MD5_SIZE) && memcmp(md5, part->md5, MD5_SIZE) == 0;
}

/* The <ChecksumX> a listed part names, of any algorithm. */
static enum checksum_alg listed_checksum(const struct xml_node *node, struct str *value)
{
    for (enum checksum_alg alg = CHECKSUM_CRC32; alg < CHECKSUM_COUNT; alg++) {
        *value = xml_child_text(node, checksum_element(alg));
        if (value->ptr)
            return alg;
    }
    return CHECKSUM_NONE;
}

static enum s3_err check_part_checksum(struct s3_call *c, const struct upload *upload,
                                       const struct xml_node *node, const struct part *part,
                                       struct str etag)
{
    struct str value;
    uint8_t bytes[DIGEST_MAX];
    enum checksum_alg expected = upload_checksum_alg(upload);
    enum checksum_alg given = listed_checksum(node, &value);
    if (given == CHECKSUM_NONE) {
        if (upload_checksum_type(upload) != CHECKSUM_COMPOSITE)
            return S3_OK;
        return s3_fail_message(
            c, S3_INVALID_REQUEST,
            "The upload was created using a %s checksum. The complete request "
            "must include the checksum for each part. It was missing for part "
            "%" PRIu32 " in the request.",
            multipart_alg_name(c, expected), part->number);
    }
    if (expected == CHECKSUM_NONE)
        return invalid_part(c, part->number, etag);
    if (given != expected)
        return s3_fail_message(c, S3_BAD_DIGEST,
                               "The %s you specified for part %" PRIu32
                               " did not match what we received.",
                               multipart_alg_name(c, given), part->number);
    if (!base64_decode_exact(value, bytes, checksum_size(given)) ||
        memcmp(bytes, part->checksum.bytes, checksum_size(given)) != 0)
        return invalid_part(c, part->number, etag);
    return S3_OK;
}

/* All but the last, once every part was found in order: S3 complains about order first. */
static enum s3_err check_part_sizes(struct s3_call *c, const struct completion *w)
{
    for (uint32_t i = 0; i + 1 < w->count; i++) {
        const struct part_info *info = &w->infos[i];
        if (info->size >= c->options->min_part_size)
            continue;
        AUTO_BUF(etag, ETAG_SIZE);
        buf_add_hex(&etag, str_of((const char *)upload_part_from(w->upload, info->number)->md5,
                                  MD5_SIZE));
        s3_error_field(c, "ProposedSize", s3_printf(c, "%" PRIu64, info->size));
        s3_error_field(c, "MinSizeAllowed",
                       s3_printf(c, "%" PRIu64, c->options->min_part_size));
        s3_error_field(c, "PartNumber", s3_printf(c, "%" PRIu32, info->number));
        s3_error_field(c, "ETag", buf_str(&etag));
        return s3_fail(c, S3_ENTITY_TOO_SMALL, "part %" PRIu32, info->number);
    }
    return S3_OK;
}

static enum s3_err add_part(struct s3_call *c, struct completion *w,
                            const struct xml_node *node)
{
    struct str etag = unquoted(str_trim(xml_child_text(node, STR("ETag"))));
    uint64_t number;
    if (!str_to_u64(str_trim(xml_child_text(node, STR("PartNumber"))), &number) || !etag.ptr)
        return s3_fail(c, S3_MALFORMED_XML, "part without PartNumber or ETag");
    if (number < 1 || number > PART_NUMBER_MAX)
        return s3_invalid_argument(
            c, "PartNumber must be an integer between 1 and 10000, inclusive",
            STR("partNumber"), s3_printf(c, "%" PRIu64, number));
    if (w->count && w->infos[w->count - 1].number >= number) {
        s3_error_field(c, "UploadId", s3_param(c, STR("uploadId")));
        return s3_fail(c, S3_INVALID_PART_ORDER, "part %" PRIu64, number);
    }
    const struct part *part = upload_part_from(w->upload, (uint32_t)number);
    if (!part || part->number != number || !etag_is(part, etag))
        return invalid_part(c, (uint32_t)number, etag);
    if (check_part_checksum(c, w->upload, node, part, etag))
        return c->err;
    w->bodies[w->count] = part->body;
    w->infos[w->count++] = (struct part_info){
        .number = part->number, .size = part->size, .checksum = part->checksum};
    w->size += part->size;
    return S3_OK;
}

static const struct xml_node *next_part(const struct xml_node *node)
{
    while (node && !xml_node_is(node, STR("Part")))
        node = xml_node_next(node);
    return node;
}

static enum s3_err collect_parts(struct s3_call *c, struct completion *w)
{
    if (!w->list)
        return s3_fail_message(c, S3_INVALID_REQUEST, "You must specify at least one part");
    const struct xml_node *root = xml_doc_root(w->list);
    size_t listed = xml_child_count(root, STR("Part"));
    if (!listed || listed > PART_NUMBER_MAX)
        return s3_fail(c, S3_MALFORMED_XML, "%zu parts", listed);
    w->bodies = s3_alloc(c, listed * sizeof(struct body *));
    w->infos = s3_alloc(c, listed * sizeof(*w->infos));
    w->count = 0;
    w->size = 0;
    for (const struct xml_node *node = next_part(xml_node_first(root)); node;
         node = next_part(xml_node_next(node)))
        if (add_part(c, w, node))
            return c->err;
    return check_part_sizes(c, w);
}

/* ---- what the parts add up to ------------------------------------------------------ */

static void sum_md5(struct completion *w)
{
    struct digest md5;
    digest_init(&md5, CHECKSUM_MD5);
    for (uint32_t i = 0; i < w->count; i++)
        digest_update(&md5, upload_part_from(w->upload, w->infos[i].number)->md5, MD5_SIZE);
    digest_final(&md5, w->md5);
}

/* Each part was summed as the upload says: always, but for a loaded state that was tampered
 * with. */
static bool parts_are_summed(const struct completion *w)
{
    enum checksum_alg alg = upload_checksum_alg(w->upload);
    enum checksum_type type = upload_checksum_type(w->upload);

    if (alg == CHECKSUM_NONE)
        alg = CHECKSUM_CRC64NVME;
    if (type == CHECKSUM_COMPOSITE ? !checksum_can_composite(alg) : !checksum_can_combine(alg))
        return false;
    for (uint32_t i = 0; i < w->count; i++)
        if (w->infos[i].checksum.alg != alg)
            return false;
    return true;
}

/* COMPOSITE: digest of the parts' digests. FULL_OBJECT: the parts' CRCs combined; no byte of
 * the object is read again. */
static void sum_checksum(struct completion *w)
{
    enum checksum_alg alg = (enum checksum_alg)w->infos[0].checksum.alg;
    if (!parts_are_summed(w)) {
        w->checksum = (struct checksum){.alg = CHECKSUM_NONE};
        return;
    }
    if (upload_checksum_type(w->upload) == CHECKSUM_COMPOSITE) {
        struct digest sum;
        digest_init(&sum, alg);
        for (uint32_t i = 0; i < w->count; i++)
            digest_update(&sum, w->infos[i].checksum.bytes, checksum_size(alg));
        digest_final(&sum, w->checksum.bytes);
        w->checksum.alg = (uint8_t)alg;
        w->checksum.type = CHECKSUM_COMPOSITE;
        return;
    }
    w->checksum = w->infos[0].checksum;
    for (uint32_t i = 1; i < w->count; i++)
        checksum_combine(&w->checksum, &w->infos[i].checksum, w->infos[i].size);
    w->checksum.type = CHECKSUM_FULL_OBJECT;
    for (uint32_t i = 0; i < w->count; i++)
        w->infos[i].checksum.alg = CHECKSUM_NONE; /* only COMPOSITE parts show theirs */
}

static enum s3_err check_type(struct s3_call *c, const struct upload *upload)
{
    struct str type = s3_header(c, STR("x-amz-checksum-type"));
    const char *own = multipart_type_name(upload_checksum_type(upload));
    if (!type.ptr || str_eq(type, str_c(own)))
        return S3_OK;
    return s3_fail_message(c, S3_INVALID_REQUEST,
                           "The upload was created using the %s checksum mode. The complete "
                           "request must use the same checksum mode.",
                           own);
}

/* x-amz-checksum-* of the whole object; a COMPOSITE one may carry its "-N". Of an upload that
 * has no algorithm, others than S3's own are not looked at (Swift's tests against Amazon,
 * test_good_md5_good_sha_bad_crc_header_mpu). */
static enum s3_err check_claimed(struct s3_call *c, const struct completion *w)
{
    for (size_t i = 0; i < c->header_count; i++) {
        enum checksum_alg alg = checksum_by_header(c->headers[i].name);
        if (alg == CHECKSUM_NONE ||
            (alg != w->checksum.alg && upload_checksum_alg(w->upload) == CHECKSUM_NONE))
            continue;
        uint8_t bytes[DIGEST_MAX];
        struct str value = c->headers[i].value;
        size_t dash = str_find_char(value, '-');
        if (dash != SIZE_MAX)
            value.len = dash;
        if (alg != w->checksum.alg || !base64_decode_exact(value, bytes, checksum_size(alg)) ||
            memcmp(bytes, w->checksum.bytes, checksum_size(alg)) != 0)
            return s3_fail_message(
                c, S3_BAD_DIGEST, "The %s you specified did not match the calculated checksum.",
                multipart_alg_name(c, (enum checksum_alg)w->checksum.alg));
    }
    return S3_OK;
}

static enum s3_err check_size(struct s3_call *c, const struct completion *w)
{
    struct str text = s3_header(c, STR("x-amz-mp-object-size"));
    uint64_t claimed;
    if (text.ptr && (!str_to_u64(text, &claimed) || claimed != w->size))
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The provided 'x-amz-mp-object-size' header value %.*s does not "
                               "match what was computed: %" PRIu64,
                               (int)text.len, text.ptr, w->size);
    if (c->options->enforce_limits && w->size > c->options->max_object_size)
        return s3_fail_message(c, S3_ENTITY_TOO_LARGE,
                               "Object size (%" PRIu64 " bytes) exceeds limit of %" PRIu64
                               " bytes",
                               w->size, c->options->max_object_size);
    return S3_OK;
}

/* ---- publishing -------------------------------------------------------------------- */

/* A checksum that nobody asked for is not kept with a customer's key (aws-recorded:
 * test_multipart_upload_sse_c). */
static struct checksum kept_checksum(const struct completion *w)
{
    bool unasked = upload_checksum_alg(w->upload) == CHECKSUM_NONE;
    if (unasked && attrs_get(upload_attrs(w->upload), ATTR_SSEC_ALGORITHM).ptr)
        return (struct checksum){0};
    return w->checksum;
}

static enum s3_err build_record(struct s3_call *c, const struct completion *w,
                                struct record **out)
{
    struct record_spec spec = {.key = c->at.key,
                               .mtime_ns = clock_now_ns(),
                               .part_count = w->count,
                               .checksum = kept_checksum(w),
                               .attrs = upload_attrs(w->upload),
                               .parts = w->infos,
                               .upload_id = upload_id(w->upload)};
    memcpy(spec.md5, w->md5, MD5_SIZE);
    struct body *body = body_join(c->options->store, w->bodies, w->count);
    *out = body ? record_new(c->options->store, &spec, body) : NULL;
    return *out ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for a completed object");
}

static enum s3_err reply_completed(struct s3_call *c, const struct record *r)
{
    char etag[ETAG_SIZE];
    struct checksum sum;
    s3_reply_encryption_headers(c, record_attrs(r));
    struct buf *xml = s3_reply_xml(c);
    buf_add(xml, STR("<CompleteMultipartUploadResult xmlns=\"" S3_XMLNS "\">"));
    xml_text(xml, "Location", s3_object_url(c));
    xml_text(xml, "Bucket", c->at.bucket);
    xml_text(xml, "Key", c->at.key);
    xml_text(xml, "ETag", record_etag(r, etag));
    record_checksum(r, &sum);
    xml_checksum(xml, &sum, record_part_count(r), true);
    buf_add(xml, STR("</CompleteMultipartUploadResult>"));
    return s3_xml_done(c);
}

/* Do the listed ETags add up to the object's? */
static bool lists_parts_of(const struct xml_doc *list, const struct record *r)
{
    struct digest sum;
    uint8_t md5[MD5_SIZE], whole[MD5_SIZE];
    uint32_t count = 0;
    digest_init(&sum, CHECKSUM_MD5);
    for (const struct xml_node *node = next_part(xml_node_first(xml_doc_root(list))); node;
         node = next_part(xml_node_next(node)), count++) {
        if (!hex_decode_exact(unquoted(str_trim(xml_child_text(node, STR("ETag")))), md5,
                              MD5_SIZE))
            memset(md5, 0, MD5_SIZE);
        digest_update(&sum, md5, MD5_SIZE);
    }
    digest_final(&sum, md5);
    record_md5(r, whole);
    return count == record_part_count(r) && memcmp(md5, whole, MD5_SIZE) == 0;
}

/* The upload is gone: answer as the first time when its object is still there. */
static enum s3_err complete_again(struct s3_call *c, const struct xml_doc *list)
{
    AUTO(record) current = NULL;
    char version[VERSION_ID_SIZE];
    enum s3_err err = object_get(&current, c->branch, &c->at, STR_NONE);
    if (err || !str_eq(record_upload_id(current), s3_param(c, STR("uploadId"))) || !list ||
        !lists_parts_of(list, current))
        return s3_fail(c, S3_NO_SUCH_UPLOAD, "no upload, no object of it");
    struct str id = record_version_id(current, version);
    if (id.ptr && !str_eq(id, STR("null")))
        s3_reply_header(c, "x-amz-version-id", id);
    c->err = S3_OK; /* what a race with the first Complete may have left */
    return reply_completed(c, current);
}

/* Names what upload_complete refused. Its OPERATION_ABORTED is a conditional Complete whose key
 * was written or deleted since the upload began. */
static enum s3_err refuse_complete(struct s3_call *c, enum s3_err err,
                                   const struct write_conditions *conditions)
{
    return s3_write_failed(
        c, err == S3_OPERATION_ABORTED ? S3_CONDITIONAL_REQUEST_CONFLICT : err, conditions);
}

static enum s3_err try_complete(struct s3_call *c, struct completion *w,
                                const struct write_conditions *conditions)
{
    struct record *record;
    struct write_result result = {0};
    if (check_type(c, w->upload) || collect_parts(c, w))
        return c->err;
    sum_md5(w);
    sum_checksum(w);
    if (check_claimed(c, w) || check_size(c, w) || build_record(c, w, &record))
        return c->err;
    AUTO(record) kept = record_ref(record); /* for the reply: the store takes the other one */
    enum s3_err err =
        upload_complete(c->branch, &c->at, w->upload, TAKE(record), conditions, &result);
    if (err == S3_CONDITIONAL_REQUEST_CONFLICT)
        return err; /* a part changed: the caller tries again */
    if (err)
        return refuse_complete(c, err, conditions);
    s3_reply_write_result(c, &result);
    record_unref(result.old);
    return reply_completed(c, kept);
}

enum s3_err op_complete_multipart_upload(struct s3_call *c)
{
    struct write_conditions conditions = {0};
    struct completion w = {0};
    enum s3_err err;
    if (s3_write_conditions(c, &conditions))
        return c->err;
    if (str_trim(buf_str(&c->document)).len) {
        err = xml_doc_parse(&w.list, buf_str(&c->document), STR("CompleteMultipartUpload"));
        if (err)
            return s3_fail(c, err, "list of parts");
    }
    do {
        upload_unref(TAKE(w.upload));
        c->err = S3_OK;
        err = upload_get(&w.upload, c->branch, &c->at, s3_param(c, STR("uploadId")));
        if (err)
            break;
        err = try_complete(c, &w, &conditions);
        /* c->err is set when the conflict is the client's answer. */
    } while (err == S3_CONDITIONAL_REQUEST_CONFLICT && c->err == S3_OK);
    if (err == S3_NO_SUCH_UPLOAD)
        err = complete_again(c, w.list);
    completion_release(&w);
    return err == S3_NO_SUCH_BUCKET ? s3_fail(c, err, "upload") : err;
}
