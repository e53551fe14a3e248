/* SPDX-License-Identifier: MIT */
/* range.c - the Range header as S3 reads it: one range is served, several or a malformed one
 * mean the whole object, and one that starts behind the end is refused. Sources: aws-recorded
 * test_get_object_range; RFC 9110 section 14; S3Mock issue 2789 (the last bytes of nothing). */
#include <inttypes.h>

#include "s3/call.h"

enum range_kind { RANGE_WHOLE, RANGE_FROM, RANGE_LAST };

/* first-last, first- (last = UINT64_MAX) or -last. */
struct range_spec {
    uint64_t first, last;
    enum range_kind kind;
};

/* Digits; a number too large for us means "to the end", which is what it would select. */
static bool read_offset(struct str digits, uint64_t *out)
{
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    if (!digits.len)
        return false;
    if (!str_to_u64(digits, out))
        *out = UINT64_MAX;
    return true;
}

static struct range_spec read_spec(struct str header)
{
    struct range_spec whole = {.kind = RANGE_WHOLE}, spec = {.kind = RANGE_FROM};
    if (!str_has_prefix_nocase(header, STR("bytes=")))
        return whole;
    struct str text = str_from(header, strlen("bytes="));
    size_t dash = str_find_char(text, '-');
    if (dash == SIZE_MAX)
        return whole;
    struct str first = str_of(text.ptr, dash), last = str_from(text, dash + 1);
    if (!first.len) {
        spec.kind = RANGE_LAST;
        return read_offset(last, &spec.last) ? spec : whole;
    }
    if (!read_offset(first, &spec.first))
        return whole;
    spec.last = UINT64_MAX;
    if (last.len && !read_offset(last, &spec.last))
        return whole;
    return spec.last < spec.first ? whole : spec;
}

static enum s3_err not_satisfiable(struct s3_call *c, struct str header, uint64_t size)
{
    s3_error_field(c, "RangeRequested", header);
    s3_error_field(c, "ActualObjectSize", s3_printf(c, "%" PRIu64, size));
    return s3_fail(c, S3_INVALID_RANGE, "range outside of %" PRIu64 " bytes", size);
}

enum s3_err s3_parse_range(struct s3_call *c, struct str header, uint64_t size,
                           struct byte_range *out)
{
    *out = (struct byte_range){.first = 0, .len = size, .partial = false};
    if (!header.ptr)
        return S3_OK;
    struct range_spec spec = read_spec(header);
    if (spec.kind == RANGE_WHOLE)
        return S3_OK;
    if (spec.kind == RANGE_LAST) {
        if (!spec.last)
            return not_satisfiable(c, header, size);
        if (!size)
            return S3_OK;
        out->len = spec.last < size ? spec.last : size;
        out->first = size - out->len;
    } else {
        if (spec.first >= size)
            return not_satisfiable(c, header, size);
        out->first = spec.first;
        out->len = (spec.last < size ? spec.last : size - 1) - spec.first + 1;
    }
    out->partial = true;
    return S3_OK;
}
