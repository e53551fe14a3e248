/* SPDX-License-Identifier: MIT */
/* fuzz_range.c - any header lines on a GET of ten bytes: Range, If-Range, the conditions and
 * their ETag lists. Whatever the answer, it must fit the object. */
#include <assert.h>

#include "../unit/s3_ask.h"

#include "s3/object/conditions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char object[] = "0123456789";

static struct asked *service(void)
{
    static struct asked asked;
    if (!asked.service) {
        ask_start(&asked);
        clock_freeze_at_ns(INT64_C(1798804800) * NS_PER_S);
        assert(s3_service_create_bucket(asked.service, STR("bucket")) == S3_OK);
        assert(ask(&asked, "PUT", "/bucket/ten", "", str_c(object)) == 200);
    }
    return &asked;
}

/* "Content-Range: bytes 2-4/10" of the reply, and the bytes it promises. */
static void check_partial(const struct asked *a)
{
    struct str headers = buf_str(&a->headers), line, number;
    uint64_t first, last;
    size_t at = str_find(headers, STR("Content-Range: bytes "));
    assert(at != SIZE_MAX);
    line = str_from(headers, at + strlen("Content-Range: bytes "));
    assert(str_split(&line, '-', &number) && str_to_u64(number, &first));
    assert(str_split(&line, '/', &number) && str_to_u64(number, &last));
    assert(first <= last && last < strlen(object));
    assert(str_eq(buf_str(&a->text), str_of(object + first, last - first + 1)));
}

static void check_reply(const struct asked *a)
{
    assert(a->status < 500 || a->status == 501);
    if (a->status == 200)
        assert(str_eq(buf_str(&a->text), str_c(object)));
    if (a->status == 206)
        check_partial(a);
    if (a->status == 304)
        assert(a->text.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asked *a = service();
    struct str input = str_of((const char *)data, size), etag = STR("\"abc\"");
    AUTO_BUF(lines, KiB(64));
    buf_add(&lines, input);
    buf_add_char(&lines, '\0');
    if (!buf_ok(&lines))
        return 0;
    ask(a, "GET", "/bucket/ten", lines.ptr, STR_NONE);
    check_reply(a);
    unsigned status = a->status;
    ask(a, "HEAD", "/bucket/ten", lines.ptr, STR_NONE);
    assert(a->status == status && a->text.len == 0);
    assert(!etag_list_matches(input, etag, false) || etag_list_matches(input, etag, true));
    return 0;
}
