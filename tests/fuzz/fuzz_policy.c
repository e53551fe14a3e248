/* SPDX-License-Identifier: MIT */
/* fuzz_policy.c - lines "name=value", a blank line, and the text of a POST policy, which is
 * given to the form as base64. Evaluated with and without credentials. */
#include <assert.h>

#include "auth/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 24
#define NOW_S      INT64_C(1714979289) /* 2024-05-06T07:08:09Z */

struct form {
    struct form_field fields[FIELDS_MAX];
    size_t count;
};

static void add_field(struct form *f, struct str name, struct str value)
{
    if (f->count < FIELDS_MAX)
        f->fields[f->count++] = (struct form_field){name, value};
}

static void evaluate(const struct form *f, const struct credentials *credentials)
{
    struct auth_config config = {.credentials = credentials, .region = STR("us-east-1")};
    struct post_policy policy;
    struct auth_failure failure;
    auth_failure_init(&failure);
    enum s3_err err = auth_post_form(&policy, &failure, &config, f->fields, f->count);
    assert(!policy.credential || (credentials && !err));
    assert(err || auth_post_size(&failure, &policy, policy.max_size) == S3_OK ||
           policy.min_size > policy.max_size);
    auth_failure_release(&failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct credentials *set;
    struct form form = {.count = 0};
    struct str rest = str_of((const char *)data, size), line, name;
    clock_freeze_at_ns(NOW_S * NS_PER_S);
    if (!set) {
        char key[] = "key", secret[] = "secret";
        struct credential c = {.access_key = key, .secret_key = secret};
        const char *why;
        set = credentials_new();
        bool added = credentials_add(set, &c, &why);
        assert(added);
    }
    while (size && str_split(&rest, '\n', &line) && line.len)
        if (str_split(&line, '=', &name))
            add_field(&form, name, line.ptr ? line : STR(""));
    AUTO_BUF(policy, MiB(2));
    buf_add_base64(&policy, rest.ptr ? rest : STR(""));
    add_field(&form, STR("policy"), policy.len ? buf_str(&policy) : STR(""));
    evaluate(&form, NULL);
    evaluate(&form, set);
    return 0;
}
