/* SPDX-License-Identifier: MIT */
/* failure.c - the details of a refused authentication.
 * Sources: recorded replies (names and order of the elements), AWS "Error responses". */
#include "auth/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "auth/times.h"

#define FAILURE_TEXT_MAX MiB(2) /* a header section and its hex pairs, several times over */
#define FAILURE_ROOM     KiB(8)
#define MESSAGE_MAX      1024

void auth_failure_init(struct auth_failure *f)
{
    f->message = STR_NONE;
    f->field_count = 0;
    buf_init(&f->text, FAILURE_TEXT_MAX);
}

void auth_failure_release(struct auth_failure *f)
{
    buf_release(&f->text);
    f->message = STR_NONE;
    f->field_count = 0;
}

static size_t room(const struct auth_failure *f)
{
    return f->text.cap - f->text.len;
}

enum s3_err failure_start(struct auth_failure *f, enum s3_err err, size_t bytes)
{
    f->message = STR_NONE;
    f->field_count = 0;
    buf_reset(&f->text);
    if (!buf_reserve(&f->text, bytes))
        buf_reset(&f->text);
    return err;
}

enum s3_err failure_set(struct auth_failure *f, enum s3_err err, const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    failure_start(f, err, FAILURE_ROOM);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= sizeof(text))
        len = sizeof(text) - 1;
    if (len > room(f))
        len = room(f);
    buf_add(&f->text, str_of(text, len));
    f->message = str_of(f->text.ptr, len);
    return err;
}

/* The next element, its value being what was added to the text since `from`. */
static void take_field(struct auth_failure *f, struct str name, size_t from)
{
    if (f->field_count == ARRAY_LEN(f->fields))
        return;
    struct str value = str_from(buf_str(&f->text), from);
    f->fields[f->field_count].name = name;
    f->fields[f->field_count++].value = value;
}

void failure_field(struct auth_failure *f, struct str name, struct str value)
{
    size_t from = f->text.len;
    if (value.len > room(f))
        value.len = room(f);
    if (value.len)
        buf_add(&f->text, value);
    take_field(f, name, from);
}

void failure_field_bytes(struct auth_failure *f, struct str name, struct str value)
{
    static const char hex[] = "0123456789abcdef";
    size_t from = f->text.len;
    for (size_t i = 0; i < value.len && room(f) >= 3; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        char pair[3] = {' ', hex[byte >> 4], hex[byte & 15]};
        buf_add(&f->text, i ? str_of(pair, 3) : str_of(pair + 1, 2));
    }
    take_field(f, name, from);
}

enum s3_err failure_argument(struct auth_failure *f, struct str name, struct str value,
                             const char *message)
{
    failure_set(f, S3_INVALID_ARGUMENT, "%s", message);
    failure_field(f, STR("ArgumentName"), name);
    failure_field(f, STR("ArgumentValue"), value);
    return S3_INVALID_ARGUMENT;
}

enum s3_err failure_signature(struct auth_failure *f, struct str access_key,
                              struct str string_to_sign, struct str provided,
                              struct str canonical)
{
    size_t bytes = access_key.len + provided.len + 4 * (string_to_sign.len + canonical.len);
    failure_start(f, S3_SIGNATURE_DOES_NOT_MATCH, bytes + 1);
    failure_field(f, STR("AWSAccessKeyId"), access_key);
    failure_field(f, STR("StringToSign"), string_to_sign);
    failure_field(f, STR("SignatureProvided"), provided);
    failure_field_bytes(f, STR("StringToSignBytes"), string_to_sign);
    if (canonical.len) {
        failure_field(f, STR("CanonicalRequest"), canonical);
        failure_field_bytes(f, STR("CanonicalRequestBytes"), canonical);
    }
    return S3_SIGNATURE_DOES_NOT_MATCH;
}

enum s3_err failure_access_key(struct auth_failure *f, struct str access_key)
{
    failure_start(f, S3_INVALID_ACCESS_KEY_ID, FAILURE_ROOM);
    failure_field(f, STR("AWSAccessKeyId"), access_key);
    return S3_INVALID_ACCESS_KEY_ID;
}

enum s3_err failure_skewed(struct auth_failure *f, struct str request_time, int64_t now_ns)
{
    char now[TIME_TEXT_SIZE];
    failure_start(f, S3_REQUEST_TIME_TOO_SKEWED, FAILURE_ROOM);
    failure_field(f, STR("RequestTime"), request_time);
    failure_field(f, STR("ServerTime"), time_text(now_ns, now));
    failure_field(f, STR("MaxAllowedSkewMilliseconds"), STR("900000"));
    return S3_REQUEST_TIME_TOO_SKEWED;
}
