/* SPDX-License-Identifier: MIT */
/* disk_memory_json_test.c - MemoryClient's JSON file in pieces of any size, and with every
 * allocation failing in turn: nothing changes then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "disk/disk.h"

static const char file[] =
    "{\"timestamp\":\"2026-11-22T22:06:42.465Z\",\"bucket\":\"vec\",\"objectCount\":2,"
    "\"unknown\":[{\"a\":[1,-2.5e3,true,null,\"\\u00e9\"]}],\"objects\":{"
    "\"b\\u00e9\\ud83d\\ude00\":{\"body\":\"aGVsbG8=\",\"metadata\":{\"_V\":\"v1\",\"x\":\"\"},"
    "\"contentType\":\"a/b\",\"etag\":\"5d41402abc4b2a76b9719d911017c592\","
    "\"lastModified\":\"2026-11-22T22:06:39.500Z\",\"size\":5,\"contentEncoding\":\"gzip\","
    "\"contentLength\":5},"
    "\"a\":{\"etag\":\"\\\"00000000000000000000000000000000-2\\\"\",\"body\":\"\"}}}";

static const char written[] = "\"bucket\": \"vec\",\n"
                              "  \"objectCount\": 2,\n"
                              "  \"objects\": {\n"
                              "    \"a\": {\n"
                              "      \"body\": \"\",\n"
                              "      \"metadata\": {},\n"
                              "      \"contentType\": \"application/octet-stream\",\n"
                              "      \"etag\": \"00000000000000000000000000000000-2\",\n"
                              "      \"lastModified\": \"2027-01-15T08:00:00.000Z\",\n"
                              "      \"size\": 0,\n"
                              "      \"contentLength\": 0\n"
                              "    },\n"
                              "    \"b\xc3\xa9\xf0\x9f\x98\x80\": {\n"
                              "      \"body\": \"aGVsbG8=\",\n"
                              "      \"metadata\": {\n"
                              "        \"_v\": \"v1\",\n"
                              "        \"x\": \"\"\n"
                              "      },\n"
                              "      \"contentType\": \"a/b\",\n"
                              "      \"etag\": \"5d41402abc4b2a76b9719d911017c592\",\n"
                              "      \"lastModified\": \"2026-11-22T22:06:39.500Z\",\n"
                              "      \"size\": 5,\n"
                              "      \"contentEncoding\": \"gzip\",\n"
                              "      \"contentLength\": 5\n"
                              "    }\n"
                              "  }\n"
                              "}";

static bool any_name(struct str bucket)
{
    return bucket.len > 2;
}

static struct memory_json_reader *reader(struct store *store)
{
    return memory_json_reader_new(&(struct memory_json_target){.store = store,
                                                               .region = STR("us-east-1"),
                                                               .owner = STR("o\no\n1"),
                                                               .name_ok = any_name});
}

static enum s3_err feed(struct memory_json_reader *r, struct str text, size_t piece)
{
    enum s3_err err = S3_OK;

    for (size_t at = 0; at < text.len && !err; at += piece)
        err = memory_json_feed(r, text.ptr + at, piece < text.len - at ? piece : text.len - at);
    return err ? err : memory_json_finish(r);
}

static void write_bucket(struct store *store, size_t piece, struct buf *out)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    AUTO(root) root = branch_root(b);
    AUTO(memory_json_writer) w = memory_json_writer_new(root, STR("vec"), NULL);
    enum document_state state = DOCUMENT_MORE;
    char bytes[1000];
    size_t len;

    assert_non_null(w);
    while (memory_json_look(w, 1))
        continue;
    while (state == DOCUMENT_MORE) {
        state = memory_json_write(w, bytes, piece, &len);
        buf_add(out, str_of(bytes, len));
    }
    assert_int_equal(state, DOCUMENT_END);
}

static void assert_written(struct store *store, size_t piece)
{
    AUTO_BUF(out, MiB(1));

    write_bucket(store, piece, &out);
    buf_add_char(&out, '\0');
    assert_string_equal(strstr(out.ptr, "\"bucket\""), written);
}

/* Metadata of any size goes out, in pieces that end between two characters. */
static void test_long_metadata(void **state)
{
    enum { LONG = 600001, MANY = 2000 };
    struct store *store = store_new(&(struct store_options){0});
    AUTO(branch) b = store_branch(store, STR("main"));
    struct record_spec spec = {.key = STR("k")};
    AUTO_BUF(attrs, MiB(4));
    AUTO_BUF(value, MiB(2));
    AUTO_BUF(out, MiB(16));
    char name[32];

    (void)state;
    for (int i = 0; i < LONG; i++)
        buf_add_c(&value, i % 5 == 0 ? "\x01" : i % 5 == 1 ? "\xf0\x9f\x98\x80" : "\xc3\xa9");
    attrs_add_meta(&attrs, STR("long"), buf_str(&value));
    attrs_add_meta(&attrs, STR("empty"), STR(""));
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "m%d", i);
        attrs_add_meta(&attrs, str_c(name), STR("x"));
    }
    spec.attrs = buf_str(&attrs);
    assert_int_equal(bucket_create(b, &(struct bucket_spec){.name = STR("vec"),
                                                            .region = STR("us-east-1"),
                                                            .owner = STR("o\no\n1")}),
                     S3_OK);

    struct record *r = record_new(store, &spec, body_new(store, 0));

    assert_non_null(r);
    assert_int_equal(object_put(b, STR("vec"), r, NULL, NULL), S3_OK);
    write_bucket(store, 1000, &out);
    assert_true(buf_ok(&out));

    json_t *document = json_loadb(out.ptr, out.len, 0, NULL);
    json_t *metadata =
        json_object_get(json_object_get(json_object_get(document, "objects"), "k"), "metadata");
    json_t *text = json_object_get(metadata, "long");

    assert_int_equal(json_object_size(metadata), MANY + 2);
    assert_int_equal(json_string_length(text), value.len);
    assert_memory_equal(json_string_value(text), value.ptr, value.len);
    assert_string_equal(json_string_value(json_object_get(metadata, "empty")), "");
    json_decref(document);
    branch_unref(TAKE(b));
    store_free(store);
}

static void test_in_pieces(void **state)
{
    (void)state;

    clock_freeze_at_ns(INT64_C(1800000000) * NS_PER_S);
    for (size_t piece = 1; piece < sizeof(file); piece += piece < 40 ? 1 : 97) {
        struct store *store = store_new(&(struct store_options){0});
        struct memory_json_reader *r = reader(store);
        struct branch *b = store_branch(store, STR("main"));
        struct memory_json_loaded loaded;

        assert_int_equal(feed(r, str_c(file), piece), S3_OK);
        assert_int_equal(memory_json_replace(r, &b), S3_OK);
        memory_json_loaded(r, &loaded);
        assert_string_equal(loaded.bucket, "vec");
        assert_true(loaded.created);
        assert_int_equal(loaded.objects, 2);
        assert_int_equal(loaded.bytes, 5);
        assert_int_equal(loaded.etags_kept, 1);
        memory_json_reader_free(r);
        assert_written(store, piece);
        branch_unref(b);
        store_free(store);
    }
    clock_unfreeze();
}

/* However early it ends, it is not whole, and says so. */
static void test_truncated(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){0});

    for (size_t len = 0; len < sizeof(file) - 1; len++) {
        struct memory_json_reader *r = reader(store);

        assert_int_equal(feed(r, str_of(file, len), len + 1), S3_INVALID_ARGUMENT);
        assert_true(strlen(memory_json_error(r)) > 0);
        memory_json_reader_free(r);
    }
    store_free(store);
}

/* Either nothing changes and it says why, or (some failures are made good) all of it is there.
 */
static void test_every_allocation_fails(void **state)
{
    (void)state;
    unsigned failures = 0;

    clock_freeze_at_ns(INT64_C(1800000000) * NS_PER_S);
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct store *store = store_new(&(struct store_options){0});
        struct memory_json_reader *r = reader(store);
        struct branch *b = store_branch(store, STR("main"));
        struct bucket_info info;
        enum s3_err err;

        mem_fail_nth(nth);
        err = feed(r, str_c(file), 64);
        if (!err)
            err = memory_json_replace(r, &b);
        mem_fail_nth(0);
        if (err) {
            assert_int_equal(err, S3_SLOW_DOWN);
            assert_true(strlen(memory_json_error(r)) > 0);
            assert_int_equal(bucket_get(b, STR("vec"), &info), S3_NO_SUCH_BUCKET);
            failures++;
        } else {
            assert_written(store, 1000);
        }
        memory_json_reader_free(r);
        branch_unref(b);
        store_free(store);
    }
    assert_true(failures > 3);
    clock_unfreeze();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_pieces),
        cmocka_unit_test(test_long_metadata),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_every_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
