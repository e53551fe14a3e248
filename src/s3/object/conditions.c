/* SPDX-License-Identifier: MIT */
/* conditions.c - If-Match and its relatives, on reads, writes, deletes and copy sources.
 * A write's conditions are only read here: the store checks them under the lock that the write
 * takes. Sources: aws-recorded test_s3_get_object_preconditions, TestS3ObjectWritePrecondition,
 * TestS3DeletePrecondition, TestS3CopySourcePreconditions; RFC 9110 section 13.2.2. */
#include "s3/object/conditions.h"

/* ---- ETag lists and dates ---------------------------------------------------------- */

static struct str unquote(struct str etag)
{
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        return str_of(etag.ptr + 1, etag.len - 2);
    return etag;
}

bool etag_list_matches(struct str list, struct str etag, bool weak)
{
    struct str part, wanted = unquote(etag);
    while (list.ptr && str_split(&list, ',', &part)) {
        part = str_trim(part);
        if (str_eq(part, STR("*")))
            return true;
        if (weak && str_has_prefix(part, STR("W/")))
            part = str_from(part, 2);
        if (str_eq(unquote(part), wanted))
            return true;
    }
    return false;
}

static int64_t whole_seconds(int64_t unix_ns)
{
    return unix_ns / NS_PER_S;
}

static bool parse_date(struct str text, int64_t *seconds)
{
    int64_t unix_ns;
    if (!clock_parse_http(text, &unix_ns) && !clock_parse_iso(text, &unix_ns))
        return false;
    *seconds = whole_seconds(unix_ns);
    return true;
}

/* ---- reads ------------------------------------------------------------------------- */

/* The four headers of a read, and the names that S3 gives them in <Condition>. */
struct read_names {
    struct str if_match, if_none_match, if_modified, if_unmodified;
    const char *match, *none_match, *modified, *unmodified;
};

#define READ_NAMES(header_prefix, condition_prefix)                                            \
    {                                                                                          \
        STR(header_prefix "if-match"), STR(header_prefix "if-none-match"),                     \
            STR(header_prefix "if-modified-since"), STR(header_prefix "if-unmodified-since"),  \
            condition_prefix "If-Match", condition_prefix "If-None-Match",                     \
            condition_prefix "If-Modified-Since", condition_prefix "If-Unmodified-Since"       \
    }

static const struct read_names names_of_read = READ_NAMES("", "");
static const struct read_names names_of_copy =
    READ_NAMES("x-amz-copy-source-", "x-amz-copy-source-");
static const struct read_names names_of_rename =
    READ_NAMES("x-amz-rename-source-", "x-amz-rename-source-");

static const struct read_names *names_for(const char *prefix)
{
    if (!prefix[0])
        return &names_of_read;
    return strcmp(prefix, "x-amz-rename-source-") == 0 ? &names_of_rename : &names_of_copy;
}

/* If-None-Match and If-Modified-Since ask a read for "nothing new"; a copy fails instead. */
static enum s3_err unchanged(struct s3_call *c, const struct read_names *names,
                             const char *condition)
{
    if (names == &names_of_read)
        return s3_fail(c, S3_NOT_MODIFIED, "%s", condition);
    return s3_precondition_failed(c, condition);
}

static bool modified_since(const struct record *r, int64_t seconds)
{
    return whole_seconds(record_mtime_ns(r)) > seconds;
}

enum s3_err s3_read_conditions(struct s3_call *c, const char *prefix, const struct record *r)
{
    const struct read_names *names = names_for(prefix);
    char etag[ETAG_SIZE];
    struct str value;
    int64_t seconds;
    if ((value = s3_header(c, names->if_match)).ptr) {
        if (!etag_list_matches(value, record_etag(r, etag), false))
            return s3_precondition_failed(c, names->match);
    } else if ((value = s3_header(c, names->if_unmodified)).ptr) {
        if (parse_date(value, &seconds) && modified_since(r, seconds))
            return s3_precondition_failed(c, names->unmodified);
    }
    if ((value = s3_header(c, names->if_none_match)).ptr) {
        if (etag_list_matches(value, record_etag(r, etag), true))
            return unchanged(c, names, names->none_match);
    } else if ((value = s3_header(c, names->if_modified)).ptr) {
        /* A date in the future is no date: RFC 9110, and obj-ignore-future-modified-since. */
        if (parse_date(value, &seconds) && seconds <= whole_seconds(clock_now_ns()) &&
            !modified_since(r, seconds))
            return unchanged(c, names, names->modified);
    }
    return S3_OK;
}

bool s3_modified_since(const struct record *r, struct str date)
{
    int64_t seconds;
    return parse_date(date, &seconds) && modified_since(r, seconds);
}

bool s3_if_range_holds(const struct s3_call *c, const struct record *r)
{
    struct str value = s3_header(c, STR("if-range"));
    char quoted[ETAG_SIZE];
    int64_t seconds;
    if (!value.ptr)
        return true;
    if (parse_date(value, &seconds))
        return whole_seconds(record_mtime_ns(r)) == seconds;
    return str_eq(unquote(value), unquote(record_etag(r, quoted)));
}

/* ---- writes ------------------------------------------------------------------------ */

static enum s3_err refuse_condition(struct s3_call *c, const char *header, const char *why)
{
    s3_refuse_header(c, header);
    s3_error_field(c, "additionalMessage", str_c(why));
    return c->err;
}

enum s3_err s3_write_conditions(struct s3_call *c, struct write_conditions *out)
{
    *out = (struct write_conditions){.if_match = s3_header(c, STR("if-match")),
                                     .if_none_match = s3_header(c, STR("if-none-match"))};
    if (out->if_match.ptr && out->if_none_match.ptr)
        return refuse_condition(c, "If-Match,If-None-Match",
                                "Multiple conditional request headers present in the request");
    if (out->if_none_match.ptr && !str_eq(out->if_none_match, STR("*")))
        return refuse_condition(
            c, "If-None-Match",
            "We don't accept the provided value of If-None-Match header for this API");
    if (out->if_match.ptr && str_eq(out->if_match, STR("*")))
        return refuse_condition(
            c, "If-Match",
            "We don't accept the provided value of If-Match header for this API");
    return S3_OK;
}

static const char *condition_name(const struct write_conditions *conditions)
{
    return conditions->if_match.ptr ? "If-Match" : "If-None-Match";
}

enum s3_err s3_write_failed(struct s3_call *c, enum s3_err err,
                            const struct write_conditions *conditions)
{
    if (err == S3_PRECONDITION_FAILED && conditions)
        return s3_precondition_failed(c, condition_name(conditions));
    if (err == S3_CONDITIONAL_REQUEST_CONFLICT && conditions) {
        s3_error_field(c, "Condition", str_c(condition_name(conditions)));
        s3_error_field(c, "Key", c->at.key);
    }
    return s3_fail(c, err, "write");
}

/* Time and size are for directory buckets: elsewhere S3 refuses them, the time first
 * (aws-recorded: TestS3DeletePrecondition). */
enum s3_err s3_delete_conditions(struct s3_call *c, struct write_conditions *out)
{
    static const char *const refused[] = {"x-amz-if-match-last-modified-time",
                                          "x-amz-if-match-size", "If-None-Match"};
    *out = (struct write_conditions){.if_match = s3_header(c, STR("if-match"))};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (s3_header(c, str_c(refused[i])).ptr)
            return s3_refuse_header(c, refused[i]);
    return S3_OK;
}
