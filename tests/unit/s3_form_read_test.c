/* SPDX-License-Identifier: MIT */
/* s3_form_read_test.c - the multipart/form-data reader, whole and in every size of pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/form/form_read.h"

/* What the sink was told, as text: "name=value;" and "[filename]bytes". */
struct seen {
    struct buf text;
    enum s3_err fail_field, fail_file, fail_data;
};

static enum s3_err on_field(void *arg, struct str name, struct str value)
{
    struct seen *seen = arg;
    buf_addf(&seen->text, "%.*s=", (int)name.len, name.len ? name.ptr : "");
    buf_add(&seen->text, value);
    buf_add_char(&seen->text, ';');
    return seen->fail_field;
}

static enum s3_err on_file(void *arg, struct str filename)
{
    struct seen *seen = arg;
    buf_add_char(&seen->text, '[');
    buf_add(&seen->text, filename.ptr ? filename : STR("none"));
    buf_add_char(&seen->text, ']');
    return seen->fail_file;
}

static enum s3_err on_data(void *arg, const char *data, size_t len)
{
    struct seen *seen = arg;
    buf_add(&seen->text, str_of(data, len));
    return seen->fail_data;
}

static const struct form_sink sink = {on_field, on_file, on_data};

static enum s3_err read_form(struct seen *seen, struct str boundary, struct str body,
                             size_t piece, bool *has_file)
{
    struct form_reader *r = form_reader_new(boundary, &sink, seen);
    enum s3_err err = S3_OK;
    for (size_t at = 0; at < body.len && !err; at += piece)
        err = form_feed(r, body.ptr + at, piece < body.len - at ? piece : body.len - at);
    enum s3_err end = form_finish(r);
    *has_file = form_has_file(r);
    form_reader_free(r);
    return err ? err : end;
}

/* Reads the body in pieces of every size and compares what the sink saw. */
static void check(struct str body, enum s3_err want, const char *text)
{
    for (size_t piece = 1; piece <= body.len; piece += piece < 80 ? 1 : 97) {
        struct seen seen = {0};
        bool has_file;
        buf_init(&seen.text, MiB(1));
        enum s3_err err = read_form(&seen, STR("xYz"), body, piece, &has_file);
        if (err != want || (text && !str_eq(buf_str(&seen.text), str_c(text))))
            fail_msg("pieces of %zu: error %d, saw '%.*s'", piece, err, (int)seen.text.len,
                     seen.text.ptr ? seen.text.ptr : "");
        buf_release(&seen.text);
    }
}

#define PART(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(filename)                                                                    \
    "Content-Disposition: form-data; name=\"file\"; filename=\"" filename                      \
    "\"\r\nContent-Type: text/plain\r\n\r\n"
#define NEXT "\r\n--xYz\r\n"
#define LAST "\r\n--xYz--\r\n"

static void test_form(void **state)
{
    (void)state;
    check(STR("--xYz\r\n" PART("KEY") "a/b" NEXT PART("empty") "" NEXT FILE_PART(
              "f.txt") "hello" LAST),
          S3_OK, "key=a/b;empty=;[f.txt]hello");
}

static void test_content_like_a_delimiter(void **state)
{
    (void)state;
    check(STR("--xYz\r\n" PART("key") "\r\n--xY\r\n--xYQ\r\r\n-" NEXT FILE_PART(
              "f") "\r\r\r\n\r\n--xY\r\n-" LAST),
          S3_OK, "key=\r\n--xY\r\n--xYQ\r\r\n-;[f]\r\r\r\n\r\n--xY\r\n-");
}

static void test_preamble_and_epilogue(void **state)
{
    (void)state;
    check(STR("hello\r\nthere" NEXT PART("a") "1" NEXT FILE_PART("f") "x" NEXT PART(
              "late") "2" LAST "epilogue --xYz"),
          S3_OK, "a=1;[f]x");
}

static void test_without_file(void **state)
{
    (void)state;
    struct seen seen = {0};
    bool has_file = true;
    buf_init(&seen.text, KiB(1));
    assert_int_equal(
        read_form(&seen, STR("xYz"), STR("--xYz\r\n" PART("a") "1" LAST), 7, &has_file), S3_OK);
    assert_false(has_file);
    buf_release(&seen.text);
}

static void test_filenames(void **state)
{
    (void)state;
    check(STR("--xYz\r\n" FILE_PART("C:\\\\dir\\\\a.txt") "" LAST), S3_OK, "[a.txt]");
    check(STR("--xYz\r\n" FILE_PART("/tmp/b.txt") "" LAST), S3_OK, "[b.txt]");
    check(STR("--xYz\r\n" FILE_PART("say \\\"hi\\\"; x") "" LAST), S3_OK, "[say \"hi\"; x]");
    check(STR("--xYz\r\n" FILE_PART("") "" LAST), S3_OK, "[]");
    check(STR("--xYz\r\n" PART("file") "text" LAST), S3_OK, "[none]text");
    check(STR("--xYz\r\ncontent-disposition:form-data;name=FILE;filename*=utf-8''%e2%82%ac\r\n"
              "\r\n" LAST),
          S3_OK, "[\xE2\x82\xAC]");
}

static void test_malformed(void **state)
{
    (void)state;
    check(STR("no delimiter at all"), S3_MALFORMED_POST_REQUEST, "");
    check(STR("--xYz\r\n" PART("a") "1"), S3_MALFORMED_POST_REQUEST, NULL);
    check(STR("--xYz\r\n" FILE_PART("f") "cut"), S3_MALFORMED_POST_REQUEST, NULL);
    check(STR("--xYz\r\nContent-Type: a/b\r\n\r\n1" LAST), S3_MALFORMED_POST_REQUEST, "");
    check(STR("--xYz\r\nContent-Disposition: attachment; name=a\r\n\r\n1" LAST),
          S3_MALFORMED_POST_REQUEST, "");
    check(STR("--xYz\r\nContent-Disposition: form-data; filename=a\r\n\r\n1" LAST),
          S3_MALFORMED_POST_REQUEST, "");
}

static enum s3_err read_long(size_t value_len, bool in_file)
{
    AUTO_BUF(body, MiB(1));
    struct seen seen = {0};
    bool has_file;
    buf_init(&seen.text, MiB(1));
    buf_add_c(&body, "--xYz\r\n");
    buf_add_c(&body, in_file ? FILE_PART("f") : PART("a"));
    for (size_t i = 0; i < value_len; i++)
        buf_add_char(&body, 'v');
    buf_add_c(&body, LAST);
    enum s3_err err = read_form(&seen, STR("xYz"), buf_str(&body), 4096, &has_file);
    buf_release(&seen.text);
    return err;
}

static void test_limit_before_file(void **state)
{
    (void)state;
    assert_int_equal(read_long(FORM_PRE_FILE_MAX - 100, false), S3_OK);
    assert_int_equal(read_long(FORM_PRE_FILE_MAX, false),
                     S3_MAX_POST_PRE_DATA_LENGTH_EXCEEDED_ERROR);
    assert_int_equal(read_long(KiB(500), true), S3_OK);
}

static void test_sink_fails(void **state)
{
    (void)state;
    struct str body = STR("--xYz\r\n" PART("a") "1" NEXT FILE_PART("f") "x" LAST);
    for (int i = 0; i < 3; i++) {
        struct seen seen = {.fail_field = i == 0 ? S3_ACCESS_DENIED : S3_OK,
                            .fail_file = i == 1 ? S3_ACCESS_DENIED : S3_OK,
                            .fail_data = i == 2 ? S3_ACCESS_DENIED : S3_OK};
        bool has_file;
        buf_init(&seen.text, KiB(1));
        assert_int_equal(read_form(&seen, STR("xYz"), body, 1000, &has_file), S3_ACCESS_DENIED);
        buf_release(&seen.text);
    }
}

static void assert_boundary(const char *content_type, const char *want)
{
    AUTO_BUF(out, 200);
    bool ok = form_boundary(&out, str_c(content_type));
    if (ok != (want != NULL) || (want && !str_eq(buf_str(&out), str_c(want))))
        fail_msg("'%s' gave '%.*s'", content_type, (int)out.len, out.ptr ? out.ptr : "");
}

static void test_boundaries(void **state)
{
    (void)state;
    assert_boundary("multipart/form-data; boundary=abc", "abc");
    assert_boundary("Multipart/Form-Data;charset=utf-8;Boundary=\"a b:c\"", "a b:c");
    assert_boundary("multipart/form-data; boundary=abc ; x=y", "abc");
    assert_boundary("multipart/form-data", NULL);
    assert_boundary("multipart/form-data; boundary=", NULL);
    assert_boundary("multipart/mixed; boundary=abc", NULL);
    assert_boundary("multipart/form-data; boundary="
                    "1234567890123456789012345678901234567890123456789012345678901234567890",
                    "1234567890123456789012345678901234567890123456789012345678901234567890");
    assert_boundary("multipart/form-data; boundary="
                    "12345678901234567890123456789012345678901234567890123456789012345678901",
                    NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_content_like_a_delimiter),
        cmocka_unit_test(test_preamble_and_epilogue),
        cmocka_unit_test(test_without_file),
        cmocka_unit_test(test_filenames),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limit_before_file),
        cmocka_unit_test(test_sink_fails),
        cmocka_unit_test(test_boundaries),
    };
    return cmocka_run_group_tests_name("s3/form_read", tests, NULL, NULL);
}
