/* SPDX-License-Identifier: MIT */
/* error_reply.c - failing, and the one place that writes error documents. */
#include "s3/error_reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "s3/service.h"

static void set_text(struct buf *b, const char *fmt, va_list args)
{
    char text[512];
    int n = vsnprintf(text, sizeof(text), fmt, args);
    buf_reset(b);
    if (n > 0)
        buf_add(b, str_of(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1));
}

enum s3_err s3_fail(struct s3_call *c, enum s3_err err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set_text(&c->detail, fmt, args);
    va_end(args);
    return c->err = err;
}

enum s3_err s3_fail_message(struct s3_call *c, enum s3_err err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set_text(&c->message, fmt, args);
    va_end(args);
    c->has_message = true;
    return c->err = err;
}

enum s3_err s3_fail_rule(struct s3_call *c, enum s3_err err, const char *rule)
{
    c->traffic.detail = rule;
    return c->err = err;
}

void s3_error_field(struct s3_call *c, const char *name, struct str value)
{
    if (c->field_count == ERROR_FIELDS_MAX)
        return;
    c->fields[c->field_count].name = str_c(name);
    c->fields[c->field_count++].value = s3_copy(c, value);
}

enum s3_err s3_invalid_argument(struct s3_call *c, const char *message, struct str name,
                                struct str value)
{
    s3_error_field(c, "ArgumentName", name);
    s3_error_field(c, "ArgumentValue", value);
    return s3_fail_message(c, S3_INVALID_ARGUMENT, "%s", message);
}

enum s3_err s3_refuse_header(struct s3_call *c, const char *header)
{
    s3_error_field(c, "Header", str_c(header));
    return s3_fail(c, S3_NOT_IMPLEMENTED, "%s", header);
}

enum s3_err s3_precondition_failed(struct s3_call *c, const char *condition)
{
    s3_error_field(c, "Condition", str_c(condition));
    return s3_fail(c, S3_PRECONDITION_FAILED, "%s", condition);
}

static bool has_field(const struct s3_call *c, const char *name)
{
    for (size_t i = 0; i < c->field_count; i++)
        if (str_eq(c->fields[i].name, str_c(name)))
            return true;
    return false;
}

static void default_field(struct s3_call *c, const char *name, struct str value)
{
    if (value.ptr && !has_field(c, name))
        s3_error_field(c, name, value);
}

/* Elements that follow from the code. Source: aws-recorded replies. */
static void add_default_fields(struct s3_call *c)
{
    switch (c->err) {
    case S3_NO_SUCH_BUCKET:
    case S3_BUCKET_NOT_EMPTY:
    case S3_BUCKET_ALREADY_EXISTS:
    case S3_BUCKET_ALREADY_OWNED_BY_YOU:
    case S3_INVALID_BUCKET_NAME:
    case S3_NO_SUCH_TAG_SET:
        default_field(c, "BucketName", c->at.bucket);
        break;
    case S3_NO_SUCH_KEY:
        default_field(c, "Key", c->at.key);
        break;
    case S3_NO_SUCH_VERSION:
        default_field(c, "Key", c->at.key);
        default_field(c, "VersionId", s3_param(c, STR("versionId")));
        break;
    case S3_NO_SUCH_UPLOAD:
        default_field(c, "UploadId", s3_param(c, STR("uploadId")));
        break;
    case S3_METHOD_NOT_ALLOWED:
        default_field(c, "Method", c->req->method);
        default_field(c, "ResourceType", STR("DeleteMarker"));
        break;
    default:
        break;
    }
}

static void write_document(struct s3_call *c, struct buf *xml, struct str message)
{
    buf_add(xml, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>"));
    xml_text(xml, "Code", str_c(s3_err_code(c->err)));
    xml_text(xml, "Message", message);
    for (size_t i = 0; i < c->failure.field_count; i++)
        xml_text(xml, c->failure.fields[i].name.ptr, c->failure.fields[i].value);
    for (size_t i = 0; i < c->field_count; i++)
        xml_text(xml, c->fields[i].name.ptr, c->fields[i].value);
    if (c->traffic.detail)
        xml_text(xml, "Detail", str_c(c->traffic.detail));
    xml_text(xml, "RequestId", str_c(c->request_id));
    xml_text(xml, "HostId", str_c(c->service->host_id));
    buf_add(xml, STR("</Error>"));
}

void error_reply(struct s3_call *c, enum s3_err err)
{
    c->err = err;
    if (err == S3_NO_SUCH_BUCKET && !has_field(c, "BucketName") &&
        !s3_bucket_name_ok(c->at.bucket))
        c->err = S3_INVALID_BUCKET_NAME;
    if (c->err == S3_INVALID_BUCKET_NAME && !has_field(c, "BucketName"))
        c->traffic.detail = s3_bucket_name_fault(c->at.bucket);
    add_default_fields(c);
    c->reply.status = s3_err_status(c->err);
    buf_reset(&c->reply.text);
    if (c->err == S3_NOT_MODIFIED || str_eq(c->req->method, STR("HEAD"))) {
        c->reply.no_body = true;
        if (c->err != S3_NOT_MODIFIED)
            s3_reply_kept_header(c, "Content-Type", "application/xml");
        return;
    }
    struct str message = str_c(s3_err_message(c->err));
    if (c->has_message || c->message.len)
        message = buf_str(&c->message);
    else if (c->failure.message.len)
        message = c->failure.message;
    s3_reply_kept_header(c, "Content-Type", "application/xml");
    write_document(c, &c->reply.text, message);
}
