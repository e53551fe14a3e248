/* SPDX-License-Identifier: MIT */
/* framing.c - requests that libmicrohttpd accepts and nobody should. Where two parties could
 * disagree about the end of a body, one can smuggle a request past the other (RFC 9112, 6.3).
 */
#include "http/server.h"

/* S3's own limit, the request line apart (AWS: "REST API ... request header"). It also sees to
 * it that whatever a request had stored fits a reply's head. */
#define HEADERS_MAX KiB(8)
/* libmicrohttpd's own description of a header, in the connection's memory. */
#define LISTED_HEADER 64
/* Of everything but a read: those have the headers of an object. */
#define USUAL_REPLY_HEAD KiB(1)

/* The headers that tell where a body ends, and whose it is. */
struct framing {
    size_t hosts, encodings, lengths;
    struct str length; /* the first: libmicrohttpd goes by it */
    bool lengths_agree;
};

static void note_framing(struct framing *f, const struct header *h)
{
    /* Names of other lengths are none of them. */
    switch (h->name.len) {
    case sizeof("host") - 1:
        f->hosts += str_eq_nocase(h->name, STR("host"));
        break;
    case sizeof("content-length") - 1:
        if (!str_eq_nocase(h->name, STR("content-length")))
            break;
        if (f->lengths++ == 0)
            f->length = h->value;
        f->lengths_agree &= str_eq(h->value, f->length);
        break;
    case sizeof("transfer-encoding") - 1:
        f->encodings += str_eq_nocase(h->name, STR("transfer-encoding"));
        break;
    }
}

/* False: a header is broken. */
static bool read_framing(const struct request *req, struct framing *f)
{
    *f = (struct framing){.lengths_agree = true};
    for (size_t i = 0; i < req->header_count; i++) {
        const struct header *h = &req->headers[i];

        /* A bare CR ends a line for some readers (RFC 9112, 2.2). */
        if (!str_is_token(h->name) || memchr(h->value.ptr, '\r', h->value.len) ||
            !header_is_whole(h, i + 1 < req->header_count ? &req->headers[i + 1] : NULL))
            return false;
        note_framing(f, h);
    }
    return true;
}

/* libmicrohttpd takes any minor version. None has a meaning but these two. */
static bool is_spoken(const char *version)
{
    return strcmp(version, MHD_HTTP_VERSION_1_1) == 0 ||
           strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
}

enum s3_err framing_check(const struct request *req, const char *sent_target,
                          const char *version)
{
    struct framing f;

    if (!is_spoken(version))
        return S3_HTTP_VERSION_NOT_SUPPORTED;
    if (!line_is_whole(req, sent_target, version) || !read_framing(req, &f))
        return S3_BAD_REQUEST;
    /* libmicrohttpd also takes 2^64-1 for "unknown" and would wait for ever. */
    if (f.lengths > 0 && (!f.lengths_agree || req->content_length == CONTENT_LENGTH_NONE))
        return S3_BAD_REQUEST;
    if (f.encodings > 0 && f.lengths > 0)
        return S3_BAD_REQUEST;
    /* Several headers are one list; libmicrohttpd goes by the first one. */
    if (f.encodings > 1 || (f.encodings == 1 && !req->chunked))
        return S3_NOT_IMPLEMENTED;
    /* RFC 9112, 3.2. */
    if (f.hosts > 1 || (f.hosts == 0 && strcmp(version, "HTTP/1.0") != 0))
        return S3_BAD_REQUEST;
    return target_check(req);
}

size_t head_size(const struct exchange *x)
{
    return x->req.method.len + x->req.target.len + strlen("  HTTP/1.1\r\n") + x->headers_size +
           x->header_count * LISTED_HEADER;
}

enum s3_err head_check(const struct exchange *x)
{
    /* What could not be answered must not be carried out. */
    return x->headers_size > HEADERS_MAX || head_size(x) + USUAL_REPLY_HEAD > CONNECTION_MEMORY
               ? S3_REQUEST_HEADER_SECTION_TOO_LARGE
               : S3_OK;
}

void refusal_fill(struct reply *r, enum s3_err err)
{
    char id[16];

    random_id(id, sizeof(id));
    reply_init(r);
    r->status = s3_err_status(err);
    reply_header(r, "x-amz-request-id", str_of(id, sizeof(id)));
    reply_kept_header(r, "Content-Type", "application/xml");
    buf_add(&r->text, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"));
    buf_add_c(&r->text, s3_err_code(err));
    buf_add(&r->text, STR("</Code><Message>"));
    buf_add_xml(&r->text, str_c(s3_err_message(err)));
    buf_add(&r->text, STR("</Message>"));
    if (err == S3_REQUEST_HEADER_SECTION_TOO_LARGE)
        buf_addf(&r->text, "<MaxSizeAllowed>%zu</MaxSizeAllowed>", HEADERS_MAX);
    buf_add(&r->text, STR("<RequestId>"));
    buf_add(&r->text, str_of(id, sizeof(id)));
    buf_add(&r->text, STR("</RequestId></Error>"));
}
