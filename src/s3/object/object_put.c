/* SPDX-License-Identifier: MIT */
/* object_put.c - PutObject: headers are judged before the body is read, the record is published
 * once its digests have been verified. */
#include "s3/body/encryption.h"
#include "s3/object/object.h"

/* From begin to handler; in the call's arena. */
struct put_state {
    struct write_conditions conditions;
    struct buf attrs;
};

static void release_state(void *state)
{
    buf_release(&((struct put_state *)state)->attrs);
}

enum s3_err begin_put_object(struct s3_call *c)
{
    struct put_state *put = s3_alloc(c, sizeof(*put));
    buf_init(&put->attrs, ATTRS_MAX);
    c->state = put;
    c->state_free = release_state;
    if (s3_write_conditions(c, &put->conditions) || s3_attrs_from_headers(c, &put->attrs) ||
        payload_begin(c, CHECKSUM_CRC64NVME, true))
        return c->err;
    return payload_into_body(c);
}

static struct record *record_of_payload(struct s3_call *c, struct str attrs)
{
    struct payload *p = &c->payload;
    struct record_spec spec = {
        .key = c->at.key, .mtime_ns = clock_now_ns(), .checksum = p->checksum, .attrs = attrs};
    memcpy(spec.md5, p->md5_value, MD5_SIZE);
    s3_hide_md5(attrs, spec.md5);
    return record_new(c->options->store, &spec, TAKE(p->body));
}

enum s3_err op_put_object(struct s3_call *c)
{
    struct put_state *put = c->state;
    struct write_result result = {0};
    char etag[ETAG_SIZE];
    AUTO(record) record = record_of_payload(c, buf_str(&put->attrs));
    if (!record)
        return s3_fail(c, S3_SLOW_DOWN, "memory for a record");
    enum s3_err err =
        object_put(c->branch, c->at.bucket, record_ref(record), &put->conditions, &result);
    if (err)
        return s3_write_failed(c, err, &put->conditions);
    record_unref(result.old);
    s3_reply_header(c, "ETag", record_etag(record, etag));
    s3_reply_checksum_headers(c, &c->payload.checksum, 0);
    s3_reply_encryption_headers(c, buf_str(&put->attrs));
    s3_reply_write_result(c, &result);
    return s3_reply_empty(c, 200);
}
