/* SPDX-License-Identifier: MIT */
/* bucket_rules.c - names, owners and regions of buckets.
 * Sources: AWS "General purpose bucket naming rules"; LocationConstraint in botocore's model.
 */
#include "s3/bucket/bucket_rules.h"

/* ---- names ------------------------------------------------------------------------- */

#define NAME_MIN 3
#define NAME_MAX 63

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0;
}

/* "192.168.5.4": four groups of digits. */
static bool looks_like_ip(struct str name)
{
    struct str group;
    size_t groups = 0;
    while (str_split(&name, '.', &group)) {
        if (!is_digits(group) || group.len > 3)
            return false;
        groups++;
    }
    return groups == 4;
}

static bool is_reserved(struct str name)
{
    static const char *const prefixes[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const suffixes[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3",
                                           "--table-s3"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_has_prefix(name, str_c(prefixes[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_has_suffix(name, str_c(suffixes[i])))
            return true;
    return false;
}

const char *s3_bucket_name_fault(struct str name)
{
    if (name.len < NAME_MIN || name.len > NAME_MAX)
        return "the name of a bucket has 3 to 63 characters";
    if (!is_lower_or_digit(name.ptr[0]) || !is_lower_or_digit(name.ptr[name.len - 1]))
        return "the name of a bucket begins and ends with a lower-case letter or a digit";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_lower_or_digit(c) && c != '-' && c != '.')
            return "the name of a bucket has lower-case letters, digits, hyphens and dots only";
        if (c == '.' && name.ptr[i + 1] == '.')
            return "the name of a bucket has no two dots in a row";
    }
    if (looks_like_ip(name))
        return "the name of a bucket is no IP address";
    return is_reserved(name) ? "the name of a bucket has no prefix or suffix that is reserved: "
                               "xn--, sthree-, amzn-s3-demo-; -s3alias, --ol-s3, .mrap, "
                               "--x-s3, --table-s3"
                             : NULL;
}

bool s3_bucket_name_ok(struct str name)
{
    return !s3_bucket_name_fault(name);
}

/* ---- owners ------------------------------------------------------------------------ */

/* The nth line of "canonical id \n display name \n account id". */
static struct str owner_part(struct str owner, size_t n)
{
    struct str part = STR("");
    for (size_t i = 0; i <= n; i++)
        if (!str_split(&owner, '\n', &part))
            return STR("");
    return part;
}

struct str owner_id(struct str owner)
{
    return owner_part(owner, 0);
}

struct str owner_display_name(struct str owner)
{
    return owner_part(owner, 1);
}

struct str owner_account(struct str owner)
{
    return owner_part(owner, 2);
}

void xml_owner(struct buf *b, struct str owner)
{
    buf_add(b, STR("<Owner>"));
    xml_text(b, "ID", owner_id(owner));
    buf_add(b, STR("</Owner>"));
}

#define ACCOUNT_DIGITS 12

enum s3_err s3_check_expected_owner(struct s3_call *c, struct str header,
                                    const struct bucket_info *bucket)
{
    struct str expected = s3_header(c, header);
    if (!expected.ptr)
        return S3_OK;
    if (expected.len != ACCOUNT_DIGITS || !is_digits(expected))
        return s3_fail_message(c, S3_INVALID_BUCKET_OWNER_AWS_ACCOUNT_ID,
                               "The value of the expected bucket owner parameter must be an "
                               "AWS Account ID... [%.*s]",
                               (int)expected.len, expected.ptr);
    if (!str_eq(expected, owner_account(doc_str(bucket->owner))))
        return s3_fail(c, S3_ACCESS_DENIED, "bucket of another account than expected");
    return S3_OK;
}

/* ---- regions ----------------------------------------------------------------------- */

bool region_is_known(const struct s3_call *c, struct str region)
{
    static const char *const regions[] = {
        "af-south-1",     "ap-east-1",      "ap-east-2",      "ap-northeast-1",
        "ap-northeast-2", "ap-northeast-3", "ap-south-1",     "ap-south-2",
        "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
        "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1",
        "ca-west-1",      "cn-north-1",     "cn-northwest-1", "eu-central-1",
        "eu-central-2",   "eu-north-1",     "eu-south-1",     "eu-south-2",
        "eu-west-1",      "eu-west-2",      "eu-west-3",      "il-central-1",
        "me-central-1",   "me-south-1",     "mx-central-1",   "sa-east-1",
        "us-east-1",      "us-east-2",      "us-gov-east-1",  "us-gov-west-1",
        "us-west-1",      "us-west-2"};
    for (size_t i = 0; i < ARRAY_LEN(regions); i++)
        if (str_eq(region, str_c(regions[i])))
            return true;
    return region.len && str_eq(region, c->options->region);
}

/* Takes the last part off a credential. */
static struct str take_last(struct str *s)
{
    for (size_t i = s->len; i > 0; i--) {
        if (s->ptr[i - 1] == '/') {
            struct str last = str_from(*s, i);
            s->len = i - 1;
            return last;
        }
    }
    return STR_NONE;
}

/* The region in "AKID/20150830/us-east-1/s3/aws4_request" of a SigV4 request, verified or not;
 * STR_NONE for any other request. */
static struct str signed_region(const struct s3_call *c)
{
    struct str credential = s3_param(c, STR("X-Amz-Credential"));
    struct str header = s3_header(c, STR("authorization"));
    size_t at = str_find(header, STR("Credential="));
    if (at != SIZE_MAX && str_has_prefix(header, STR("AWS4-"))) {
        credential = str_from(header, at + sizeof("Credential=") - 1);
        size_t end = str_find_char(credential, ',');
        if (end != SIZE_MAX)
            credential.len = end;
    }
    if (!str_eq(str_trim(take_last(&credential)), STR("aws4_request")))
        return STR_NONE;
    take_last(&credential);
    return take_last(&credential);
}

struct str s3_request_region(struct s3_call *c, bool *is_signed)
{
    struct str region = signed_region(c);
    *is_signed = region.len > 0;
    if (!region.len)
        return c->options->region;
    /* The name SDKs have for "no region": its endpoint is that of us-east-1. */
    return str_eq(region, STR("aws-global")) ? REGION_US_EAST_1 : region;
}

struct str s3_bucket_region(const struct bucket_info *bucket)
{
    struct str region = str_c(bucket->region);
    return str_eq(region, STR("EU")) ? STR("eu-west-1") : region;
}

struct str s3_bucket_url(struct s3_call *c)
{
    const char *scheme = c->req->tls ? "https" : "http";
    struct str host = c->req->host, bucket = c->at.bucket;
    if (c->virtual_bucket.len)
        return s3_printf(c, "%s://%.*s", scheme, (int)host.len, host.ptr);
    return s3_printf(c, "%s://%.*s/%.*s", scheme, (int)host.len, host.ptr, (int)bucket.len,
                     bucket.ptr);
}

struct str s3_object_url(struct s3_call *c)
{
    struct str base = s3_bucket_url(c);
    AUTO_BUF(url, base.len + 1 + 3 * c->at.key.len);
    buf_add(&url, base);
    buf_add_char(&url, '/');
    buf_add_uri(&url, c->at.key, false);
    return s3_copy(c, buf_str(&url));
}
