/* SPDX-License-Identifier: MIT */
/* post_form.c - who sent a browser form: its signature, then its policy.
 * Sources: AWS "Authenticating Requests: Browser-Based Uploads Using POST", recorded replies.
 */
#include <inttypes.h>
#include <stdio.h>

#include "auth/failure.h"
#include "auth/policy.h"
#include "auth/signing_key.h"
#include "auth/sigv2.h"
#include "auth/sigv4.h"

/* A field of the signature, and how S3 spells it when it is missing. */
struct wanted {
    struct str name;
    const char *shown;
};

static const struct wanted v4_fields[] = {
    {{"x-amz-signature", 15}, "X-Amz-Signature"},
    {{"x-amz-algorithm", 15}, "X-Amz-Algorithm"},
    {{"x-amz-credential", 16}, "X-Amz-Credential"},
    {{"x-amz-date", 10}, "X-Amz-Date"},
};
static const struct wanted v2_fields[] = {
    {{"signature", 9}, "Signature"},
    {{"awsaccesskeyid", 14}, "AWSAccessKeyId"},
};

static bool has_any(const struct post_fields *form, const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (post_field(form, wanted[i].name).ptr)
            return true;
    return false;
}

static enum s3_err missing_field(struct auth_failure *failure, const char *shown)
{
    failure_set(
        failure, S3_INVALID_ARGUMENT,
        "Bucket POST must contain a field named '%s'.  If it is specified, please check "
        "the order of the fields.",
        shown);
    failure_field(failure, STR("ArgumentName"), str_c(shown));
    failure_field(failure, STR("ArgumentValue"), STR(""));
    return S3_INVALID_ARGUMENT;
}

static enum s3_err check_all_present(struct auth_failure *failure,
                                     const struct post_fields *form,
                                     const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!post_field(form, wanted[i].name).len)
            return missing_field(failure, wanted[i].shown);
    return S3_OK;
}

/* ---- Signature Version 4 ----------------------------------------------------------- */

static enum s3_err bad_credential(struct auth_failure *failure, struct str value,
                                  const char *message)
{
    return failure_argument(failure, STR("X-Amz-Credential"), value, message);
}

static enum s3_err read_v4(struct sigv4_credential *out, struct auth_failure *failure,
                           const struct post_fields *form)
{
    struct str algorithm = post_field(form, STR("x-amz-algorithm"));
    struct str date = post_field(form, STR("x-amz-date"));
    struct str credential = post_field(form, STR("x-amz-credential"));
    if (str_eq(algorithm, STR(SIGV4A_ALGORITHM))) {
        failure_start(failure, S3_NOT_IMPLEMENTED, KiB(1));
        failure_field(failure, STR("Header"), STR("X-Amz-Algorithm"));
        return S3_NOT_IMPLEMENTED;
    }
    if (!str_eq(algorithm, STR(SIGV4_ALGORITHM)))
        return failure_argument(failure, STR("X-Amz-Algorithm"), algorithm,
                                "Only AWS4-HMAC-SHA256 is supported");
    int64_t time_ns;
    if (!clock_parse_amz(date, &time_ns))
        return failure_argument(failure, STR("X-Amz-Date"), date,
                                "X-Amz-Date must be formated via ISO8601 Long format");
    if (!sigv4_split_credential(credential, out))
        return bad_credential(failure, credential,
                              "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/"
                              "REGION/SERVICE/aws4_request\".");
    char fault[512];
    if (sigv4_credential_fault(out, fault, sizeof(fault)))
        return bad_credential(failure, credential, fault);
    return S3_OK;
}

static enum s3_err check_region(struct str given, struct str ours, struct auth_failure *failure,
                                struct str credential)
{
    if (ours.len == 0 || str_eq(given, ours))
        return S3_OK;
    char text[512];
    snprintf(text, sizeof(text), "the region '%.*s' is wrong; expecting '%.*s'", (int)given.len,
             given.ptr, (int)ours.len, ours.ptr);
    return bad_credential(failure, credential, text);
}

static enum s3_err verify_v4(struct post_policy *out, struct auth_failure *failure,
                             const struct auth_config *config, const struct post_fields *form)
{
    struct sigv4_credential claim;
    struct str policy = post_field(form, STR("policy"));
    struct str provided = post_field(form, STR("x-amz-signature"));
    enum s3_err err = read_v4(&claim, failure, form);
    if (!err)
        err = check_region(claim.region, config->region, failure,
                           post_field(form, STR("x-amz-credential")));
    if (!err)
        err = credential_check(&out->credential, failure, config->credentials, claim.access_key,
                               post_field(form, STR("x-amz-security-token")));
    if (err)
        return err;
    uint8_t key[SHA256_SIZE];
    char signature[SIGNATURE_HEX_LEN];
    signing_key_get(out->credential, claim.date, claim.region, key);
    sigv4_sign(key, policy, signature);
    mem_wipe(key, sizeof(key));
    if (str_eq_constant_time(str_of(signature, sizeof(signature)), provided))
        return S3_OK;
    return failure_signature(failure, claim.access_key, policy, provided, STR_NONE);
}

/* ---- Signature Version 2 ----------------------------------------------------------- */

static enum s3_err verify_v2(struct post_policy *out, struct auth_failure *failure,
                             const struct auth_config *config, const struct post_fields *form)
{
    struct str policy = post_field(form, STR("policy"));
    struct str access_key = post_field(form, STR("awsaccesskeyid"));
    struct str provided = post_field(form, STR("signature"));
    enum s3_err err =
        credential_check(&out->credential, failure, config->credentials, access_key,
                         post_field(form, STR("x-amz-security-token")));
    if (err)
        return err;
    char signature[SIGV2_SIGNATURE_LEN];
    sigv2_sign(str_c(out->credential->secret_key), policy, signature);
    if (str_eq_constant_time(str_of(signature, sizeof(signature)), provided))
        return S3_OK;
    return failure_signature(failure, access_key, policy, provided, STR_NONE);
}

/* ---- the form ---------------------------------------------------------------------- */

static enum s3_err verify(struct post_policy *out, struct auth_failure *failure,
                          const struct auth_config *config, const struct post_fields *form)
{
    bool v4 = has_any(form, v4_fields, ARRAY_LEN(v4_fields));
    bool v2 = has_any(form, v2_fields, ARRAY_LEN(v2_fields));
    enum s3_err err = S3_OK;
    if (v4)
        err = check_all_present(failure, form, v4_fields, ARRAY_LEN(v4_fields));
    else if (v2)
        err = check_all_present(failure, form, v2_fields, ARRAY_LEN(v2_fields));
    if (err)
        return err;
    if ((v4 || v2) && !post_field(form, STR("policy")).ptr)
        return missing_field(failure, "policy");
    if (!config->credentials)
        return S3_OK;
    if (v4)
        return verify_v4(out, failure, config, form);
    if (v2)
        return verify_v2(out, failure, config, form);
    /* Source: aws-recorded test_post_request_missing_fields, no signature at all. */
    return post_field(form, STR("policy")).ptr ? failure_start(failure, S3_ACCESS_DENIED, 0)
                                               : S3_OK;
}

enum s3_err auth_post_form(struct post_policy *out, struct auth_failure *failure,
                           const struct auth_config *config, const struct form_field *fields,
                           size_t field_count)
{
    struct post_fields form = {fields, field_count};
    *out = (struct post_policy){.max_size = UINT64_MAX};
    enum s3_err err = verify(out, failure, config, &form);
    struct str policy = post_field(&form, STR("policy"));
    if (!err && policy.ptr)
        err = policy_check(out, failure, policy, &form);
    if (err)
        out->credential = NULL;
    return err;
}

static enum s3_err wrong_size(struct auth_failure *failure, enum s3_err err, uint64_t size,
                              struct str limit_name, uint64_t limit)
{
    char text[24];
    failure_start(failure, err, KiB(1));
    int n = snprintf(text, sizeof(text), "%" PRIu64, size);
    failure_field(failure, STR("ProposedSize"), str_of(text, (size_t)n));
    n = snprintf(text, sizeof(text), "%" PRIu64, limit);
    failure_field(failure, limit_name, str_of(text, (size_t)n));
    return err;
}

enum s3_err auth_post_size(struct auth_failure *failure, const struct post_policy *policy,
                           uint64_t file_size)
{
    if (file_size > policy->max_size)
        return wrong_size(failure, S3_ENTITY_TOO_LARGE, file_size, STR("MaxSizeAllowed"),
                          policy->max_size);
    if (file_size < policy->min_size)
        return wrong_size(failure, S3_ENTITY_TOO_SMALL, file_size, STR("MinSizeAllowed"),
                          policy->min_size);
    return S3_OK;
}
