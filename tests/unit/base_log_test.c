/* SPDX-License-Identifier: MIT */
/* base_log_test.c - the lines that reach standard error: form, escapes, masking, levels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

static int saved_stderr;
static FILE *caught;

/* Standard error goes to a file until end_catch, which returns what came (to be freed). */
static void begin_catch(void)
{
    caught = tmpfile();
    assert_non_null(caught);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fileno(caught), STDERR_FILENO);
}

static char *end_catch(void)
{
    off_t len = lseek(STDERR_FILENO, 0, SEEK_END);
    char *text;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    assert_true(len >= 0);
    text = xcalloc((size_t)len + 1, 1);
    assert_int_equal(pread(fileno(caught), text, (size_t)len, 0), len);
    fclose(caught);
    return text;
}

/* Behind the time, whose form is checked here: "2026-01-31T08:49:37.123Z ". */
static const char *behind_time(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

    for (size_t i = 0; form[i]; i++) {
        if (form[i] == 'd')
            assert_in_range(line[i], '0', '9');
        else
            assert_int_equal(line[i], form[i]);
    }
    return line + strlen(form);
}

static const struct log_access_entry entry = {
    .request_id = {"4442587FB7D0A2F9", 16},
    .operation = {"GetObject", 9},
    .method = {"GET", 3},
    .target = {"/b/k?a=1", 8},
    .remote = {"127.0.0.1:5123", 14},
    .code = {"-", 1},
    .status = 200,
    .bytes_in = 0,
    .bytes_out = 1024,
    .duration_ns = 1234567,
};

static void test_text_message(void **state)
{
    (void)state;
    char *text;

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, false);
    begin_catch();
    errno = EBADF;
    log_warn("key %s, %d bytes", "a\nforged line\r\x1B[2J\x7F\xC2\x9B\xFF\\ \xC3\xA4", 5);
    assert_int_equal(errno, EBADF);
    text = end_catch();
    assert_string_equal(behind_time(text),
                        "warn key a\\x0aforged line\\x0d\\x1b[2J\\x7f\\xc2\\x9b\\xff\\x5c "
                        "\xC3\xA4, 5 bytes\n");
    mem_free(text);
}

/* Line separators and what turns the direction of writing forge lines, too. */
static void test_unicode_that_drives_terminals(void **state)
{
    (void)state;
    char *text;

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, false);
    begin_catch();
    log_warn("a\u2028b\u2029c\u202Ed\u2066e\u200Ff\u061Cg\xC2\x85h \u20AC\u00A0\u200B");
    text = end_catch();
    assert_string_equal(behind_time(text),
                        "warn a\\xe2\\x80\\xa8b\\xe2\\x80\\xa9c\\xe2\\x80\\xaed\\xe2\\x81\\xa6e"
                        "\\xe2\\x80\\x8ff\\xd8\\x9cg\\xc2\\x85h \u20AC\u00A0\u200B\n");
    mem_free(text);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, false);
    begin_catch();
    log_warn("a\u2028\u202E\xC2\x85\x7F\u20AC");
    text = end_catch();
    assert_non_null(strstr(text, "\"a\\u2028\\u202e\\u0085\\u007f\u20AC\""));
    mem_free(text);
}

static void test_levels(void **state)
{
    (void)state;
    char *text;

    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT, false);
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_false(log_access_enabled());
    begin_catch();
    log_info("unseen");
    log_debug("unseen");
    log_access(&entry);
    log_error("seen");
    text = end_catch();
    assert_string_equal(behind_time(text), "error seen\n");
    mem_free(text);
}

static void test_text_access(void **state)
{
    (void)state;
    char *text;
    struct log_access_entry failed = entry;

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, true);
    assert_true(log_access_enabled());
    begin_catch();
    log_access(&entry);
    text = end_catch();
    assert_string_equal(behind_time(text),
                        "access id=4442587FB7D0A2F9 op=GetObject status=200 code=- in=0 "
                        "out=1024 ms=1.235 remote=127.0.0.1:5123 method=GET target=/b/k?a=1\n");
    mem_free(text);

    failed.target = STR("/b/a b\n");
    failed.code = STR("NoSuchKey");
    failed.detail = STR("no such thing");
    begin_catch();
    log_access(&failed);
    text = end_catch();
    assert_non_null(strstr(text, " code=NoSuchKey "));
    assert_non_null(strstr(text, " target=/b/a\\x20b\\x0a detail=no\\x20such\\x20thing\n"));
    mem_free(text);
}

static void test_masking(void **state)
{
    (void)state;
    static const char *const targets[][2] = {
        {"/b?X-Amz-Signature=abc", "/b?X-Amz-Signature=***"},
        {"/b?x-amz-signature=abc&y=1", "/b?x-amz-signature=***&y=1"},
        {"/b?AWSAccessKeyId=AK&Signature=a%2Bb=&Expires=1",
         "/b?AWSAccessKeyId=AK&Signature=***&Expires=1"},
        {"/b?X-Amz-Security-Token=t&X-Amz-Credential=AK%2F20150830",
         "/b?X-Amz-Security-Token=***&X-Amz-Credential=AK%2F20150830"},
        {"/b?%58-Amz-%53ignature=abc&S%69gnature=",
         "/b?%58-Amz-%53ignature=***&S%69gnature=***"},
        {"/Signature=kept?Signature", "/Signature=kept?Signature"},
        {"/b?XSignature=kept&Signatures=kept&%zz=kept&=kept&&",
         "/b?XSignature=kept&Signatures=kept&%zz=kept&=kept&&"},
        {"/b?", "/b?"},
        {"", ""},
        {"http://me:secret@host/b", "http://***@host/b"},
        {"http://host/b@c?X-Amz-S3session-Token=t",
         "http://host/b@c?X-Amz-S3session-Token=***"},
        {"/b?x-amz-server-side-encryption-customer-key=k&x-amz-mfa=1",
         "/b?x-amz-server-side-encryption-customer-key=***&x-amz-mfa=***"},
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, true);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct log_access_entry e = entry;
        char *text, *got;

        e.target = str_c(targets[i][0]);
        begin_catch();
        log_access(&e);
        text = end_catch();
        got = strstr(text, "target=");
        assert_non_null(got);
        assert_int_equal(text[strlen(text) - 1], '\n');
        text[strlen(text) - 1] = '\0';
        assert_string_equal(got + strlen("target="), targets[i][1]);
        mem_free(text);
    }
}

static const char *json_text(json_t *line, const char *name)
{
    const char *value = json_string_value(json_object_get(line, name));

    assert_non_null(value);
    return value;
}

static void test_json(void **state)
{
    (void)state;
    struct log_access_entry e = entry;
    char *text, *second;
    json_t *line;

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, true);
    e.target = STR("/b/\"\\\n\x01\xFF?Signature=abc");
    e.detail = STR("why");
    begin_catch();
    log_info("say \"%s\"", "a\nb");
    log_access(&e);
    text = end_catch();
    second = strchr(text, '\n') + 1;

    line = json_loadb(text, (size_t)(second - text), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_text(line, "level"), "info");
    assert_string_equal(json_text(line, "message"), "say \"a\nb\"");
    assert_int_equal(strlen(json_text(line, "time")), strlen("2026-01-31T08:49:37.123Z"));
    json_decref(line);

    assert_ptr_equal(strchr(second, '\n'), second + strlen(second) - 1);
    line = json_loads(second, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_text(line, "level"), "access");
    assert_string_equal(json_text(line, "op"), "GetObject");
    assert_string_equal(json_text(line, "target"), "/b/\"\\\n\x01\xEF\xBF\xBD?Signature=***");
    assert_string_equal(json_text(line, "detail"), "why");
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
    assert_int_equal(json_integer_value(json_object_get(line, "out")), 1024);
    assert_true(json_real_value(json_object_get(line, "ms")) > 1.2);
    json_decref(line);
    mem_free(text);
}

/* Fields as long as a client can make them and longer, all of them escaped: still one line. */
static void test_long_fields(void **state)
{
    (void)state;
    const size_t len = MiB(1);
    char *long_text = xmalloc(len), *text;
    struct str hostile = str_of(long_text, len);
    struct log_access_entry e = {
        .request_id = hostile,
        .operation = hostile,
        .method = hostile,
        .target = hostile,
        .remote = hostile,
        .code = hostile,
        .detail = hostile,
        .bytes_in = INT64_MAX,
        .bytes_out = INT64_MAX,
        .duration_ns = INT64_MAX,
    };
    json_t *line;

    memset(long_text, '\x01', len - 1);
    long_text[len - 1] = '\0';
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON, true);
    begin_catch();
    log_access(&e);
    text = end_catch();
    line = json_loads(text, 0, NULL);
    assert_non_null(line);
    json_decref(line);
    mem_free(text);

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, true);
    begin_catch();
    log_access(&e);
    log_info("%s", long_text);
    text = end_catch();
    assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + strlen(text) - 1);
    mem_free(text);
    mem_free(long_text);
}

/* Out of memory: lines are whole or missing, never with a secret. */
static void test_allocation_failures(void **state)
{
    (void)state;
    struct log_access_entry e = entry;
    bool out_of_failures = false;
    unsigned missing = 0;

    e.target = STR("/b?Signature=topsecret");
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, true);
    for (uint64_t nth = 1; !out_of_failures; nth++) {
        char *text;

        begin_catch();
        mem_fail_nth(nth);
        log_access(&e);
        log_info("%s", "message");
        mem_fail_nth(0);
        text = end_catch();
        assert_null(strstr(text, "topsecret"));
        out_of_failures =
            strstr(text, "target=/b?Signature=***\n") && strstr(text, "message\n");
        missing += !out_of_failures;
        mem_free(text);
    }
    assert_true(missing >= 2);
}

#define LINES_PER_THREAD 200

static void *log_often(void *arg)
{
    for (int i = 0; i < LINES_PER_THREAD; i++)
        log_info("%s", (const char *)arg);
    return NULL;
}

static void test_threads_do_not_mix(void **state)
{
    (void)state;
    static char words[3][2001];
    pthread_t threads[ARRAY_LEN(words)];
    size_t lines = 0;
    char *text;

    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, false);
    begin_catch();
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        memset(words[i], (int)('a' + i), sizeof(words[i]) - 1);
        assert_int_equal(pthread_create(&threads[i], NULL, log_often, words[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        pthread_join(threads[i], NULL);
    text = end_catch();
    for (char *at = text; *at; at = strchr(at, '\n') + 1, lines++) {
        const char *word = behind_time(at) + strlen("info ");

        assert_int_equal(strspn(word, (char[]){word[0], '\0'}), 2000);
        assert_int_equal(word[2000], '\n');
    }
    assert_int_equal(lines, ARRAY_LEN(words) * LINES_PER_THREAD);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_message),
        cmocka_unit_test(test_unicode_that_drives_terminals),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_text_access),
        cmocka_unit_test(test_masking),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
