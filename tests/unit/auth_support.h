/* SPDX-License-Identifier: MIT */
/* auth_support.h - what the tests of room auth share: AWS's example credentials, a frozen
 * clock, and one call that authenticates the text of a request. */
#ifndef S3MEM_TESTS_AUTH_SUPPORT_H
#define S3MEM_TESTS_AUTH_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include <cmocka.h>

#include "../fuzz/raw_request.h"
#include "auth/auth.h"

#define EXAMPLE_KEY    "AKIAIOSFODNN7EXAMPLE"
#define EXAMPLE_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY_SHA256   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* The outcome of one authentication. */
struct outcome {
    struct raw_request raw;
    struct auth_result result;
    struct auth_failure failure;
    enum s3_err err;
};

static inline void freeze(const char *amz_date)
{
    int64_t ns = 0;
    assert_true(clock_parse_amz(str_c(amz_date), &ns));
    clock_freeze_at_ns(ns);
}

static inline struct credentials *one_credential(const char *token)
{
    struct credentials *set = credentials_new();
    const char *why = NULL;
    char key[] = EXAMPLE_KEY, secret[] = EXAMPLE_SECRET;
    struct credential c = {.access_key = key, .secret_key = secret};
    c.session_token = token ? xstrdup(token) : NULL;
    assert_true(credentials_add(set, &c, &why));
    mem_free(c.session_token);
    return set;
}

static inline void authenticate_for(struct outcome *o, const struct auth_config *config,
                                    struct str bucket, struct str text)
{
    raw_request_parse(&o->raw, text);
    auth_failure_init(&o->failure);
    o->err = auth_request(&o->result, &o->failure, config, &o->raw.req, bucket);
}

/* With the example credential, us-east-1 and path style. text must outlive the outcome. */
static inline void authenticate(struct outcome *o, const char *text)
{
    struct credentials *set = one_credential(NULL);
    struct auth_config config = {.credentials = set, .region = STR("us-east-1")};
    authenticate_for(o, &config, STR_NONE, str_c(text));
    o->result.credential = NULL; /* dies with the set */
    credentials_unref(set);
}

/* Without credentials. */
static inline void authenticate_open(struct outcome *o, const char *text)
{
    struct auth_config config = {.credentials = NULL};
    authenticate_for(o, &config, STR_NONE, str_c(text));
}

static inline void outcome_release(struct outcome *o)
{
    auth_failure_release(&o->failure);
    auth_result_wipe(&o->result);
}

static inline struct str failure_field_of(const struct auth_failure *f, const char *name)
{
    for (size_t i = 0; i < f->field_count; i++)
        if (str_eq(f->fields[i].name, str_c(name)))
            return f->fields[i].value;
    return STR_NONE;
}

static inline void assert_str(struct str got, const char *expected)
{
    AUTO_BUF(text, MiB(4));
    buf_add(&text, got);
    buf_add_char(&text, '\0');
    assert_string_equal(text.ptr, expected);
}

static inline const char *message_of(const struct auth_failure *f, enum s3_err err, char *text,
                                     size_t size)
{
    struct str m = f->message.len ? f->message : str_c(s3_err_message(err));
    size_t len = m.len < size ? m.len : size - 1;
    memcpy(text, m.ptr, len);
    text[len] = '\0';
    return text;
}

static inline void assert_failed(const struct outcome *o, enum s3_err err, const char *message)
{
    char text[1024];
    if (o->err != err)
        print_error("got %s: %s\n", o->err ? s3_err_code(o->err) : "OK",
                    o->err ? message_of(&o->failure, o->err, text, sizeof(text)) : "");
    assert_int_equal(o->err, err);
    assert_string_equal(message_of(&o->failure, o->err, text, sizeof(text)), message);
}

static inline void assert_ok(const struct outcome *o)
{
    if (o->err) {
        char text[1024];
        print_error("%s: %s\n%.*s\n", s3_err_code(o->err),
                    message_of(&o->failure, o->err, text, sizeof(text)),
                    (int)failure_field_of(&o->failure, "CanonicalRequest").len,
                    failure_field_of(&o->failure, "CanonicalRequest").ptr);
    }
    assert_int_equal(o->err, S3_OK);
}

/* Expects an error of a request, and releases. */
static inline void expect_failure(const char *text, enum s3_err err, const char *message)
{
    struct outcome o;
    authenticate(&o, text);
    assert_failed(&o, err, message);
    outcome_release(&o);
}

static inline void expect_ok(const char *text)
{
    struct outcome o;
    authenticate(&o, text);
    assert_ok(&o);
    outcome_release(&o);
}

#endif
