/* SPDX-License-Identifier: MIT */
/* raw_request.h - struct request from the text of a request head, for tests and fuzz targets:
 *   GET /b/k?versionId=1 HTTP/1.1
 *   Host: localhost
 * Lines end in \n or \r\n; everything is borrowed from the text. */
#ifndef S3MEM_TESTS_RAW_REQUEST_H
#define S3MEM_TESTS_RAW_REQUEST_H

#include "app/app.h"

#define RAW_HEADERS_MAX 64

struct raw_request {
    struct request req;
    struct header headers[RAW_HEADERS_MAX];
};

static inline struct str raw_line(struct str *rest)
{
    struct str line = STR_NONE;
    if (!str_split(rest, '\n', &line))
        return STR("");
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static inline void raw_request_line(struct request *req, struct str line)
{
    if (!str_split(&line, ' ', &req->method) || !str_split(&line, ' ', &req->target))
        req->target = STR("/");
    size_t mark = str_find_char(req->target, '?');
    req->path = mark == SIZE_MAX ? req->target : str_of(req->target.ptr, mark);
    req->query = mark == SIZE_MAX ? STR_NONE : str_from(req->target, mark + 1);
}

static inline void raw_request_parse(struct raw_request *raw, struct str text)
{
    size_t n = 0;
    memset(raw, 0, sizeof(*raw));
    raw->req.content_length = CONTENT_LENGTH_NONE;
    raw_request_line(&raw->req, raw_line(&text));
    while (n < RAW_HEADERS_MAX) {
        struct str value = raw_line(&text), name;
        if (value.len == 0 || !str_split(&value, ':', &name) || !value.ptr)
            break;
        raw->headers[n++] = (struct header){name, str_trim(value)};
        if (str_eq_nocase(name, STR("host")) && !raw->req.host.ptr)
            raw->req.host = str_trim(value);
        if (str_eq_nocase(name, STR("content-length")) &&
            !str_to_u64(str_trim(value), &raw->req.content_length))
            raw->req.content_length = CONTENT_LENGTH_NONE;
    }
    raw->req.headers = raw->headers;
    raw->req.header_count = n;
}

#endif
