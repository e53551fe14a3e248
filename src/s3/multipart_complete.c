/* SPDX-License-Identifier: MIT */
/* multipart_complete.c - CompleteMultipartUpload: the list of parts checked against the upload,
 * one record that shares their bodies, published under the branch's lock.
 *
 *   start -> collect, PARTS_A_TURN parts a turn -> publish
 *
 * The checks run on an immutable view of the upload without a lock; when a part changed
 * meanwhile, upload_complete says so and they start again, in another turn. Completing twice
 * with the same parts answers the same result while the object it made is still the current
 * one. Sources: aws-recorded TestS3MultipartUploadChecksum, TestS3ObjectWritePrecondition. */
#include <inttypes.h>

#include "s3/bucket_rules.h"
#include "s3/multipart.h"
#include "s3/xml_read.h"

/* Others get their turn in between. */
#define PARTS_A_TURN 1000

/* c->state, in the call's memory. */
struct completion {
    struct write_conditions conditions;
    struct upload *upload;       /* reference */
    const struct xml_node *list; /* the client's list; NULL when its body was empty */
    const struct xml_node *next; /* its first part that was not looked at yet */
    struct body **bodies;        /* borrowed from the upload's parts */
    struct part_info *infos;
    uint32_t count;
    uint64_t size;
    struct digest md5_sum, checksum_sum; /* of the parts' own */
    uint8_t md5[MD5_SIZE];
    struct checksum checksum;
};

static void completion_release(void *state)
{
    struct completion *w = state;
    upload_unref(w->upload);
    digest_release(&w->md5_sum);
    digest_release(&w->checksum_sum);
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

/* ---- what the parts add up to ------------------------------------------------------ */

/* What each part must have been summed with. It was, but for a loaded state that was tampered
 * with. CHECKSUM_NONE: no such sum adds up. */
static enum checksum_alg sum_alg(const struct upload *upload)
{
    enum checksum_alg alg = upload_checksum_alg(upload);
    bool composite = upload_checksum_type(upload) == CHECKSUM_COMPOSITE;
    if (alg == CHECKSUM_NONE)
        alg = CHECKSUM_CRC64NVME;
    return (composite ? checksum_can_composite(alg) : checksum_can_combine(alg))
               ? alg
               : CHECKSUM_NONE;
}

static void begin_sums(struct completion *w)
{
    enum checksum_alg alg = sum_alg(w->upload);
    digest_release(&w->md5_sum);
    digest_init(&w->md5_sum, CHECKSUM_MD5);
    digest_release(&w->checksum_sum);
    if (alg != CHECKSUM_NONE && upload_checksum_type(w->upload) == CHECKSUM_COMPOSITE)
        digest_init(&w->checksum_sum, alg);
    w->checksum = (struct checksum){.alg = (uint8_t)alg};
}

/* COMPOSITE: digest of the parts' digests. FULL_OBJECT: the parts' CRCs combined; no byte of
 * the object is read again. */
static void sum_part(struct completion *w, const struct part *part)
{
    digest_update(&w->md5_sum, part->md5, MD5_SIZE);
    if (part->checksum.alg != w->checksum.alg)
        w->checksum.alg = CHECKSUM_NONE;
    if (w->checksum.alg == CHECKSUM_NONE)
        return;
    if (upload_checksum_type(w->upload) == CHECKSUM_COMPOSITE)
        digest_update(&w->checksum_sum, part->checksum.bytes,
                      checksum_size((enum checksum_alg)part->checksum.alg));
    else if (w->count == 0)
        w->checksum = part->checksum;
    else
        checksum_combine(&w->checksum, &part->checksum, part->size);
}

static void end_sums(struct completion *w)
{
    bool composite = upload_checksum_type(w->upload) == CHECKSUM_COMPOSITE;
    digest_final(&w->md5_sum, w->md5);
    if (w->checksum.alg == CHECKSUM_NONE) {
        w->checksum = (struct checksum){.alg = CHECKSUM_NONE};
        return;
    }
    if (composite)
        digest_final(&w->checksum_sum, w->checksum.bytes);
    w->checksum.type = composite ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
    for (uint32_t i = 0; !composite && i < w->count; i++)
        w->infos[i].checksum.alg = CHECKSUM_NONE; /* only COMPOSITE parts show theirs */
}

/* ---- the list ---------------------------------------------------------------------- */

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
    sum_part(w, part);
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

/* ---- what the request says of the whole -------------------------------------------- */

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
static bool lists_parts_of(const struct xml_node *list, const struct record *r)
{
    struct digest sum;
    uint8_t md5[MD5_SIZE], whole[MD5_SIZE];
    uint32_t count = 0;
    digest_init(&sum, CHECKSUM_MD5);
    for (const struct xml_node *node = next_part(xml_node_first(list)); node;
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
static enum s3_err complete_again(struct s3_call *c, const struct xml_node *list)
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

static enum s3_err start(struct s3_call *c);

static enum s3_err publish(struct s3_call *c, struct completion *w)
{
    struct record *record;
    struct write_result result = {0};
    end_sums(w);
    if (check_claimed(c, w) || check_size(c, w) || build_record(c, w, &record))
        return c->err;
    AUTO(record) kept = record_ref(record); /* for the reply: the store takes the other one */
    enum s3_err err =
        upload_complete(c->branch, &c->at, w->upload, TAKE(record), &w->conditions, &result);
    if (err == S3_CONDITIONAL_REQUEST_CONFLICT)
        return s3_later(c, start); /* a part changed */
    if (err == S3_NO_SUCH_UPLOAD)
        return complete_again(c, w->list);
    if (err)
        return refuse_complete(c, err, &w->conditions);
    s3_reply_write_result(c, &result);
    record_unref(result.old);
    return reply_completed(c, kept);
}

static enum s3_err collect(struct s3_call *c)
{
    struct completion *w = c->state;
    for (uint32_t i = 0; w->next; w->next = next_part(xml_node_next(w->next)), i++) {
        if (i == PARTS_A_TURN)
            return s3_later(c, collect);
        if (add_part(c, w, w->next))
            return c->err;
    }
    return check_part_sizes(c, w) ? c->err : publish(c, w);
}

static enum s3_err make_room(struct s3_call *c, struct completion *w)
{
    size_t listed = w->list ? xml_child_count(w->list, STR("Part")) : 0;
    if (!w->list)
        return s3_fail_message(c, S3_INVALID_REQUEST, "You must specify at least one part");
    if (!listed || listed > PART_NUMBER_MAX)
        return s3_fail(c, S3_MALFORMED_XML, "%zu parts", listed);
    w->bodies = s3_alloc(c, listed * sizeof(struct body *));
    w->infos = s3_alloc(c, listed * sizeof(*w->infos));
    return S3_OK;
}

/* The first time, and after each change of a part. */
static enum s3_err start(struct s3_call *c)
{
    struct completion *w = c->state;
    upload_unref(TAKE(w->upload));
    enum s3_err err = upload_get(&w->upload, c->branch, &c->at, s3_param(c, STR("uploadId")));
    if (err == S3_NO_SUCH_UPLOAD)
        return complete_again(c, w->list);
    if (err)
        return s3_fail(c, err, "upload");
    if (check_type(c, w->upload) || (!w->infos && make_room(c, w)))
        return c->err;
    w->count = 0;
    w->size = 0;
    w->next = next_part(xml_node_first(w->list));
    begin_sums(w);
    return collect(c);
}

/* Before the list is read: is there such an upload, or an object that was made of it? */
enum s3_err begin_complete_multipart_upload(struct s3_call *c)
{
    struct upload *upload;
    struct str id = s3_param(c, STR("uploadId"));
    enum s3_err err = upload_get(&upload, c->branch, &c->at, id);
    if (err == S3_NO_SUCH_UPLOAD) {
        AUTO(record) current = NULL;
        if (!object_get(&current, c->branch, &c->at, STR_NONE) &&
            str_eq(record_upload_id(current), id))
            return S3_OK;
    }
    upload_unref(upload);
    return err ? s3_fail(c, err, "upload") : S3_OK;
}

enum s3_err op_complete_multipart_upload(struct s3_call *c)
{
    struct completion *w = s3_alloc(c, sizeof(*w));
    *w = (struct completion){.count = 0};
    c->state = w;
    c->state_free = completion_release;
    if (s3_write_conditions(c, &w->conditions))
        return c->err;
    enum s3_err err = s3_document(c, STR("CompleteMultipartUpload"), &w->list);
    if (err && err != S3_MISSING_REQUEST_BODY_ERROR)
        return s3_fail(c, err, "list of parts");
    return start(c);
}
