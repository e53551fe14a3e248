/* SPDX-License-Identifier: MIT */
/* framing.c - requests that libmicrohttpd accepts and nobody should. Where two parties could
 * disagree about the end of a body, one can smuggle a request past the other (RFC 9112, 6.3).
 */
#include "http/exchange.h"

/* RFC 9110, 5.6.2. */
static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return name.len > 0;
}

enum s3_err framing_check(const struct request *req)
{
    bool encoded = request_header_count(req, STR("transfer-encoding")) > 0;

    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *h = &req->headers[i];

        if (!is_token(h->name))
            return S3_BAD_REQUEST;
        if (!str_eq_nocase(h->name, STR("content-length")))
            continue;
        if (encoded)
            return S3_BAD_REQUEST;
        /* libmicrohttpd goes by the first one. */
        if (!str_eq(h->value, request_header(req, STR("content-length"))))
            return S3_BAD_REQUEST;
    }
    if (encoded && !req->chunked)
        return S3_NOT_IMPLEMENTED;
    return S3_OK;
}

void refusal_fill(struct exchange *x, enum s3_err err)
{
    struct reply *r = &x->refusal;
    char id[16];

    random_id(id, sizeof(id));
    reply_init(r);
    r->status = s3_err_status(err);
    r->close = true;
    reply_header(r, STR("x-amz-request-id"), str_of(id, sizeof(id)));
    reply_header(r, STR("Content-Type"), STR("application/xml"));
    buf_add(&r->text, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"));
    buf_add_c(&r->text, s3_err_code(err));
    buf_add(&r->text, STR("</Code><Message>"));
    buf_add_xml(&r->text, str_c(s3_err_message(err)));
    buf_add(&r->text, STR("</Message><RequestId>"));
    buf_add(&r->text, str_of(id, sizeof(id)));
    buf_add(&r->text, STR("</RequestId></Error>"));
}
