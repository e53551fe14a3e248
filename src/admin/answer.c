/* SPDX-License-Identifier: MIT */
/* answer.c - replies in JSON. */
#include "admin/call.h"

#include <stdarg.h>
#include <stdio.h>

static int add_to_buf(const char *text, size_t len, void *out)
{
    buf_add_json_for_eyes(out, str_of(text, len));
    return 0;
}

void buf_add_dump(struct buf *out, const json_t *value)
{
    if (!value || json_dump_callback(value, add_to_buf, out, JSON_COMPACT) < 0)
        out->failed = true; /* memory is out */
}

enum app_next admin_json(struct admin_call *c, unsigned status, json_t *value)
{
    struct buf *text = &c->reply.text;

    buf_reset(text);
    c->reply.status = status;
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    buf_add_dump(text, value);
    if (!buf_ok(text)) {
        c->reply.status = 500;
        buf_reset(text);
        buf_add(text,
                STR("{\"error\":{\"code\":\"InternalError\",\"message\":\"out of memory\"}}"));
    }
    json_decref(value);
    return APP_REPLY;
}

enum app_next admin_error(struct admin_call *c, unsigned status, const char *code,
                          const char *message)
{
    return admin_json(c, status,
                      json_pack("{s:{s:s, s:o}}", "error", "code", code, "message",
                                admin_string(str_c(message))));
}

enum app_next admin_field_error(struct admin_call *c, unsigned status, const char *code,
                                const char *field, const char *fmt, ...)
{
    char message[512], path[256];
    va_list args;

    snprintf(path, sizeof(path), "%s%s", c->field_prefix, field);

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return admin_json(c, status,
                      json_pack("{s:{s:s, s:o, s:o}}", "error", "code", code, "message",
                                admin_string(str_c(message)), "field",
                                admin_string(str_c(path))));
}

enum app_next admin_empty(struct admin_call *c, unsigned status)
{
    c->reply.status = status;
    c->reply.no_body = status == 204;
    return APP_REPLY;
}

enum app_next admin_no_memory(struct admin_call *c)
{
    return admin_error(c, s3_err_status(S3_SLOW_DOWN), s3_err_code(S3_SLOW_DOWN),
                       "memory is out (see --max-memory)");
}

json_t *admin_string(struct str bytes)
{
    AUTO_BUF(text, bytes.len * 3 + 1);
    json_t *value = json_stringn(bytes.ptr ? bytes.ptr : "", bytes.len);

    if (value)
        return value;
    /* Each byte that is no UTF-8 becomes U+FFFD. */
    for (size_t i = 0; i < bytes.len; i++) {
        struct str rest = str_from(bytes, i);
        size_t len = 1;

        while (len < rest.len && len < 4 && !str_is_utf8(str_of(rest.ptr, len)))
            len++;
        if (str_is_utf8(str_of(rest.ptr, len))) {
            buf_add(&text, str_of(rest.ptr, len));
            i += len - 1;
        } else {
            buf_add(&text, STR("\xEF\xBF\xBD"));
        }
    }
    value = json_stringn(text.ptr ? text.ptr : "", text.len);
    return value ? value : json_string("");
}

struct str admin_time_text(int64_t unix_ns, char out[ADMIN_TIME_SIZE])
{
    clock_format_iso_ms(unix_ns, out);
    return str_c(out);
}

json_t *admin_time(int64_t unix_ns)
{
    char text[ADMIN_TIME_SIZE];

    return json_string(admin_time_text(unix_ns, text).ptr);
}
