/* SPDX-License-Identifier: MIT */
/* conditions.c - If-Match, If-None-Match and the conditions of deletes. */
#include "store/conditions.h"

static bool is_any(struct str list)
{
    return str_eq(str_trim(list), STR("*"));
}

/* Is the ETag in the list? Quotes are optional, as S3 has them. weak: W/"x" counts as "x". */
static bool etag_listed(struct str list, const struct record *r, bool weak)
{
    char text[ETAG_SIZE];
    struct str etag = record_etag(r, text), part;
    struct str bare = str_of(etag.ptr + 1, etag.len - 2);

    while (str_split(&list, ',', &part)) {
        part = str_trim(part);
        if (weak && str_has_prefix(part, STR("W/")))
            part = str_from(part, 2);
        if (str_eq(part, etag) || str_eq(part, bare))
            return true;
    }
    return false;
}

enum s3_err conditions_check(const struct write_conditions *c, const struct record *current)
{
    if (!c)
        return S3_OK;
    if (c->if_match.ptr) {
        if (!current)
            return S3_NO_SUCH_KEY;
        if (!is_any(c->if_match) && !etag_listed(c->if_match, current, false))
            return S3_PRECONDITION_FAILED;
    }
    if (c->if_none_match.ptr && current &&
        (is_any(c->if_none_match) || etag_listed(c->if_none_match, current, true)))
        return S3_PRECONDITION_FAILED;
    return S3_OK;
}

static int64_t floor_seconds(int64_t ns)
{
    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

enum s3_err conditions_check_delete(const struct write_conditions *c,
                                    const struct record *current)
{
    if (!c || (!c->if_match.ptr && !c->if_none_match.ptr && !c->has_mtime && !c->has_size))
        return S3_OK;
    if (!current && (c->if_match.ptr || c->has_mtime || c->has_size))
        return S3_NO_SUCH_KEY;
    if (c->has_mtime && floor_seconds(record_mtime_ns(current)) != c->mtime_s)
        return S3_PRECONDITION_FAILED;
    if (c->has_size && record_size(current) != c->size)
        return S3_PRECONDITION_FAILED;
    return conditions_check(c, current);
}
