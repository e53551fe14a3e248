/* SPDX-License-Identifier: MIT */
/* fuzz_authorization.c - the head of a request, authenticated with and without credentials. The
 * clock stands at the time of AWS's published examples, so that the seeds are valid. */
#include <assert.h>

#include "auth/auth.h"
#include "raw_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXAMPLES_AT INT64_C(1369353600) /* 2013-05-24T00:00:00Z */

static struct credentials *example_credentials(void)
{
    static struct credentials *set;
    if (set)
        return set;
    char key[] = "AKIAIOSFODNN7EXAMPLE", secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    struct credential c = {.access_key = key, .secret_key = secret};
    const char *why;
    set = credentials_new();
    bool added = credentials_add(set, &c, &why);
    assert(added);
    return set;
}

static bool is_signed(enum auth_kind kind)
{
    return kind != AUTH_ANONYMOUS && kind != AUTH_POST_FORM;
}

static void check_failure(const struct auth_failure *f, enum s3_err err)
{
    size_t seen = f->message.len;
    for (size_t i = 0; i < f->field_count; i++) {
        assert(f->fields[i].name.len);
        for (size_t n = 0; n < f->fields[i].value.len; n++)
            seen += (unsigned char)f->fields[i].value.ptr[n]; /* readable */
    }
    assert(err != S3_SIGNATURE_DOES_NOT_MATCH || (f->field_count >= 4 && seen));
}

static void authenticate(const struct request *req, const struct credentials *credentials)
{
    static const struct str domain = {"amazonaws.com", 13};
    struct auth_config config = {.credentials = credentials,
                                 .region = STR("us-east-1"),
                                 .domains = &domain,
                                 .domain_count = 1};
    struct auth_result result;
    struct auth_failure failure;
    auth_failure_init(&failure);
    enum s3_err err = auth_request(
        &result, &failure, &config, req,
        str_has_prefix(req->host, STR("examplebucket.")) ? STR("examplebucket") : STR_NONE);
    assert(memchr(result.access_key, '\0', sizeof(result.access_key)));
    assert(!result.credential || (credentials && !err));
    assert(err || !credentials || !is_signed(result.kind) || result.credential);
    assert(!result.verify_chunks || result.credential || err);
    if (err)
        check_failure(&failure, err);
    auth_failure_release(&failure);
    auth_result_wipe(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raw_request raw;
    clock_freeze_at_ns(EXAMPLES_AT * NS_PER_S);
    raw_request_parse(&raw, str_of((const char *)data, size));
    authenticate(&raw.req, example_credentials());
    authenticate(&raw.req, NULL);
    return 0;
}
