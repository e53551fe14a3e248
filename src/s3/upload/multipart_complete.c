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

#include "s3/bucket/bucket_rules.h"
#include "s3/upload/multipart.h"
#include "s3/xml/xml_read.h"

/* Others get their turn in between. */
#define PARTS_A_TURN 1000

/* What the request says of the whole object. */
struct claim {
    enum checksum_alg alg;   /* CHECKSUM_NONE: nothing; else bytes */
    enum checksum_type type; /* as named, or CHECKSUM_TYPE_NONE */
    uint8_t bytes[DIGEST_MAX];
    bool has_count, has_size;
    uint64_t count; /* of parts: "-N" behind a checksum */
    uint64_t size;
};

/* c->state, in the call's memory. */
struct completion {
    struct write_conditions conditions;
    struct claim claim;
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

/* The <ChecksumX> a listed part names, of any algorithm; one at most. Source: Swift's tests,
 * which run against Amazon too (test_mpu_complete_invalid_part_checksum), versitygw's
 * CompleteMultipartUpload_multiple_checksum_part. */
static enum s3_err read_part_checksum(struct s3_call *c, const struct xml_node *node,
                                      struct checksum *out)
{
    AUTO_BUF(named, KiB(4));
    size_t count = 0;
    bool valid = true;
    *out = (struct checksum){.alg = CHECKSUM_NONE};
    for (enum checksum_alg alg = CHECKSUM_CRC32; alg < CHECKSUM_COUNT; alg++) {
        struct str value = xml_child_text(node, checksum_element(alg));
        if (!value.ptr)
            continue;
        count += xml_child_count(node, checksum_element(alg));
        out->alg = (uint8_t)alg;
        valid &= base64_decode_exact(value, out->bytes, checksum_size(alg));
        buf_addf(&named, "%s:%.*s;", checksum_name(alg).ptr, (int)value.len, value.ptr);
    }
    if (count <= 1 && valid)
        return S3_OK;
    return s3_invalid_argument(c, "Invalid Base64 or multiple checksums present in request",
                               STR("Checksum"), buf_str(&named));
}

/* An upload without an algorithm knows the CRC64NVME of its parts, and nothing else is taken
 * back (aws-recorded: test_complete_multipart_parts_checksum_default). */
static enum s3_err check_part_checksum(struct s3_call *c, const struct upload *upload,
                                       const struct checksum *given, const struct part *part,
                                       struct str etag)
{
    enum checksum_alg expected = upload_checksum_alg(upload);
    enum checksum_alg alg = (enum checksum_alg)given->alg;
    if (alg == CHECKSUM_NONE) {
        if (upload_checksum_type(upload) != CHECKSUM_COMPOSITE)
            return S3_OK;
        return s3_fail_message(
            c, S3_INVALID_REQUEST,
            "The upload was created using a %s checksum. The complete request "
            "must include the checksum for each part. It was missing for part "
            "%" PRIu32 " in the request.",
            multipart_alg_name(c, expected), part->number);
    }
    if (expected != CHECKSUM_NONE && alg != expected)
        return s3_fail_message(c, S3_BAD_DIGEST,
                               "The %s you specified for part %" PRIu32
                               " did not match what we received.",
                               multipart_alg_name(c, alg), part->number);
    if (alg != part->checksum.alg ||
        memcmp(given->bytes, part->checksum.bytes, checksum_size(alg)) != 0)
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
    struct checksum given;
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
    if (read_part_checksum(c, node, &given))
        return c->err;
    const struct part *part = upload_part_from(w->upload, (uint32_t)number);
    if (!part || part->number != number || !etag_is(part, etag))
        return invalid_part(c, (uint32_t)number, etag);
    if (check_part_checksum(c, w->upload, &given, part, etag))
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

/* A COMPOSITE checksum may carry its "-N". */
static enum s3_err read_claimed_checksum(struct s3_call *c, struct claim *claim)
{
    struct str value;
    if (payload_checksum_header(c, &claim->alg, &value))
        return c->err;
    if (claim->alg == CHECKSUM_NONE)
        return S3_OK;
    size_t dash = str_find_char(value, '-');
    if (dash != SIZE_MAX) {
        claim->has_count = true;
        if (!str_to_u64(str_from(value, dash + 1), &claim->count))
            return payload_invalid_checksum(c, claim->alg);
        value.len = dash;
    }
    return base64_decode_exact(value, claim->bytes, checksum_size(claim->alg))
               ? S3_OK
               : payload_invalid_checksum(c, claim->alg);
}

/* Source: versitygw issue 1398 and its CompleteMultipartUpload_mpu_object_size. */
static enum s3_err read_claimed_size(struct s3_call *c, struct claim *claim)
{
    struct str text = s3_header(c, STR("x-amz-mp-object-size"));
    bool negative = str_has_prefix(text, STR("-"));
    if (!text.ptr)
        return S3_OK;
    claim->has_size = true;
    if (!str_to_u64(negative ? str_from(text, 1) : text, &claim->size))
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "Value for x-amz-mp-object-size header is invalid: '%.*s'",
                               (int)text.len, text.ptr);
    if (negative && claim->size > 0)
        return s3_fail_message(
            c, S3_INVALID_REQUEST,
            "Value for x-amz-mp-object-size header is less than zero: '%.*s'", (int)text.len,
            text.ptr);
    return S3_OK;
}

static enum s3_err read_claim(struct s3_call *c, struct claim *claim)
{
    return multipart_checksum_type(c, &claim->type) || read_claimed_checksum(c, claim) ||
                   read_claimed_size(c, claim)
               ? c->err
               : S3_OK;
}

static enum s3_err check_type(struct s3_call *c, const struct completion *w)
{
    enum checksum_type own = upload_checksum_type(w->upload);
    if (w->claim.type == CHECKSUM_TYPE_NONE || w->claim.type == own)
        return S3_OK;
    return s3_fail_message(c, S3_INVALID_REQUEST,
                           "The upload was created using the %s checksum mode. The complete "
                           "request must use the same checksum mode.",
                           multipart_type_name(own));
}

/* Without x-amz-checksum-type it is a checksum of the algorithm's usual type, which a CRC32C of
 * the whole is not (aws-recorded: test_multipart_parts_checksum_exceptions_full_object). */
static bool claim_holds(const struct completion *w)
{
    const struct claim *claim = &w->claim;
    const struct checksum *own = &w->checksum;
    enum checksum_type type =
        claim->type != CHECKSUM_TYPE_NONE ? claim->type : multipart_default_type(claim->alg);
    return claim->alg == own->alg && type == own->type &&
           (!claim->has_count || (type == CHECKSUM_COMPOSITE && claim->count == w->count)) &&
           memcmp(claim->bytes, own->bytes, checksum_size(claim->alg)) == 0;
}

/* Of an upload that has no algorithm, others than S3's own are not looked at (Swift's tests
 * against Amazon, test_good_md5_good_sha_bad_crc_header_mpu). */
static enum s3_err check_claimed(struct s3_call *c, const struct completion *w)
{
    enum checksum_alg alg = w->claim.alg;
    if (alg == CHECKSUM_NONE || claim_holds(w) ||
        (alg != w->checksum.alg && upload_checksum_alg(w->upload) == CHECKSUM_NONE))
        return S3_OK;
    return s3_fail_message(c, S3_BAD_DIGEST,
                           "The %s you specified did not match the calculated checksum.",
                           multipart_alg_name(c, (enum checksum_alg)w->checksum.alg));
}

static enum s3_err check_size(struct s3_call *c, const struct completion *w)
{
    if (w->claim.has_size && w->claim.size != w->size)
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The provided 'x-amz-mp-object-size' header value %" PRIu64
                               " does not match what was computed: %" PRIu64,
                               w->claim.size, w->size);
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

static bool under_kms_key(const struct record *r)
{
    return attrs_get(record_attrs(r), ATTR_SSE).ptr;
}

/* The CRC64NVME that nobody asked for is kept under a key of KMS, but not told here
 * (aws-recorded: test_s3_multipart_upload_sse). */
static enum s3_err reply_completed(struct s3_call *c, const struct record *r, bool asked)
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
    if (asked || !under_kms_key(r))
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
    struct checksum sum;
    enum s3_err err = object_get(&current, c->branch, &c->at, STR_NONE);
    if (err || !str_eq(record_upload_id(current), s3_param(c, STR("uploadId"))) || !list ||
        !lists_parts_of(list, current))
        return s3_fail(c, S3_NO_SUCH_UPLOAD, "no upload, no object of it");
    struct str id = record_version_id(current, version);
    if (id.ptr && !str_eq(id, STR("null")))
        s3_reply_header(c, "x-amz-version-id", id);
    c->err = S3_OK; /* what a race with the first Complete may have left */
    record_checksum(current, &sum);
    return reply_completed(c, current, sum.alg != CHECKSUM_CRC64NVME);
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
    return reply_completed(c, kept, upload_checksum_alg(w->upload) != CHECKSUM_NONE);
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
    if (check_type(c, w) || (!w->infos && make_room(c, w)))
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
    if (s3_write_conditions(c, &w->conditions) || read_claim(c, &w->claim))
        return c->err;
    enum s3_err err = s3_document(c, STR("CompleteMultipartUpload"), &w->list);
    if (err && err != S3_MISSING_REQUEST_BODY_ERROR)
        return s3_fail(c, err, "list of parts");
    return start(c);
}
