/* SPDX-License-Identifier: MIT */
/* Records, attributes, parts and ids: what goes in comes out. */
#include "store/id.h"
#include "store_util.h"

static int setup(void **state)
{
    *state = test_store(0);
    return 0;
}

static int teardown(void **state)
{
    store_free(*state);
    return 0;
}

/* ---- attributes -------------------------------------------------------------------- */

static void test_attrs(void **state)
{
    AUTO_BUF(attrs, MiB(1));
    static char longest[70000];
    struct str name, value;
    enum attr which;
    size_t at = 0;

    (void)state;
    memset(longest, 'l', sizeof(longest));
    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("text/plain"));
    attrs_add(&attrs, ATTR_CACHE_CONTROL, STR(""));
    attrs_add_meta(&attrs, STR("color"), STR("red\0green"));
    attrs_add_meta(&attrs, STR("empty"), STR(""));
    attrs_add(&attrs, ATTR_TAGGING, str_of(longest, sizeof(longest)));
    assert_true(buf_ok(&attrs));

    struct str packed = buf_str(&attrs);

    assert_str_equal(attrs_get(packed, ATTR_CONTENT_TYPE), STR("text/plain"));
    assert_non_null(attrs_get(packed, ATTR_CACHE_CONTROL).ptr);
    assert_int_equal(attrs_get(packed, ATTR_CACHE_CONTROL).len, 0);
    assert_null(attrs_get(packed, ATTR_EXPIRES).ptr);
    assert_int_equal(attrs_get(packed, ATTR_TAGGING).len, sizeof(longest));

    assert_true(attrs_next(packed, &at, &which, &name, &value));
    assert_int_equal(which, ATTR_CONTENT_TYPE);
    assert_null(name.ptr);
    assert_true(attrs_next(packed, &at, &which, &name, &value));
    assert_true(attrs_next(packed, &at, &which, &name, &value));
    assert_int_equal(which, ATTR_META);
    assert_str_equal(name, STR("color"));
    assert_str_equal(value, STR("red\0green"));
    assert_true(attrs_next(packed, &at, &which, &name, &value));
    assert_str_equal(name, STR("empty"));
    assert_true(attrs_next(packed, &at, &which, &name, &value));
    assert_false(attrs_next(packed, &at, &which, &name, &value));
}

/* Packed attributes will be read from files: no cut and no byte may lead outside of them. */
static void test_attrs_cut_short(void **state)
{
    AUTO_BUF(attrs, KiB(4));

    (void)state;
    attrs_add(&attrs, ATTR_CONTENT_TYPE, STR("text/plain"));
    attrs_add_meta(&attrs, STR("name"), STR("value"));
    for (size_t len = 0; len < attrs.len; len++) {
        char *copy = xstrndup(str_of(attrs.ptr, len));
        struct lcg random = {len};

        for (int i = 0; i < 200; i++) {
            struct str name, value;
            enum attr which;
            size_t at = 0;

            while (attrs_next(str_of(copy, len), &at, &which, &name, &value))
                assert_true(value.len <= len && at <= len);
            if (len > 0)
                copy[lcg_below(&random, (uint32_t)len)] = (char)lcg_next(&random);
        }
        mem_free(copy);
    }
}

static void test_attr_headers(void **state)
{
    (void)state;
    assert_str_equal(attr_header(ATTR_CONTENT_TYPE), STR("Content-Type"));
    assert_str_equal(attr_header(ATTR_TAGGING), STR(""));
    assert_str_equal(attr_header(ATTR_META), STR(""));
}

/* ---- records ----------------------------------------------------------------------- */

static struct body *body_with(struct store *store, size_t len)
{
    struct body *b = body_new(store, len);
    size_t space = len;

    assert_non_null(b);
    if (len > 0) {
        memset(body_space(b, &space), 'x', len);
        body_commit(b, len);
    }
    return b;
}

static void test_record_keeps_all(void **state)
{
    static const size_t key_lens[] = {1, 7, 100, KEY_MAX};
    static const size_t body_lens[] = {0, 1, INLINE_BODY_MAX, INLINE_BODY_MAX + 1};
    char key[KEY_MAX];

    memset(key, 'k', sizeof(key));
    for (size_t i = 0; i < 16 * CHECKSUM_COUNT; i++) {
        size_t body_len = body_lens[i / 4 % 4];
        struct record_spec spec = {.key = str_of(key, key_lens[i % 4]),
                                   .mtime_ns = -5 + (int64_t)i,
                                   .attrs = STR("\1\3abc")};
        struct checksum checksum;
        char etag[ETAG_SIZE];

        md5_once(spec.key, spec.md5);
        spec.checksum.alg = (uint8_t)(i / 16);
        spec.checksum.type = CHECKSUM_FULL_OBJECT;
        memset(spec.checksum.bytes, (int)i, checksum_size((enum checksum_alg)(i / 16)));

        AUTO(record) r = record_new(*state, &spec, body_with(*state, body_len));

        assert_non_null(r);
        assert_str_equal(record_key(r), spec.key);
        assert_int_equal(record_mtime_ns(r), spec.mtime_ns);
        assert_int_equal(record_size(r), body_len);
        assert_str_equal(record_attrs(r), spec.attrs);
        record_checksum(r, &checksum);
        assert_memory_equal(&checksum, &spec.checksum, sizeof(checksum));
        assert_int_equal(record_etag(r, etag).len, 34);
        assert_int_equal(record_part_count(r), 0);
        assert_null(record_upload_id(r).ptr);
        assert_false(record_is_delete_marker(r));
    }
}

static void test_etag(void **state)
{
    struct record_spec spec = {.key = STR("k")};
    char etag[ETAG_SIZE];

    md5_once(STR(""), spec.md5);
    AUTO(record) plain = record_new(*state, &spec, NULL);
    assert_string_equal(record_etag(plain, etag).ptr, "\"d41d8cd98f00b204e9800998ecf8427e\"");
    spec.part_count = 10000;
    AUTO(record) multipart = record_new(*state, &spec, NULL);
    assert_string_equal(record_etag(multipart, etag).ptr,
                        "\"d41d8cd98f00b204e9800998ecf8427e-10000\"");
    assert_int_equal(record_part_count(multipart), 10000);
    uint64_t offset;
    struct part_info part;
    assert_false(record_part(multipart, 0, &part, &offset));
}

/* Attributes are exchanged, the rest is shared: parts and a large body too. */
static void test_parts_and_rewrite(void **state)
{
    static struct part_info parts[300];
    struct record_spec spec = {.key = STR("k"),
                               .mtime_ns = 77,
                               .part_count = ARRAY_LEN(parts),
                               .parts = parts,
                               .upload_id = STR("an upload")};
    uint64_t total = 0;

    for (uint32_t i = 0; i < ARRAY_LEN(parts); i++) {
        parts[i] = (struct part_info){.number = 3 * i + 1, .size = i};
        if (i % 3) {
            parts[i].checksum.alg = i % 3 == 1 ? CHECKSUM_SHA512 : CHECKSUM_CRC32;
            parts[i].checksum.type = CHECKSUM_COMPOSITE;
            memset(parts[i].checksum.bytes, (int)i,
                   checksum_size((enum checksum_alg)parts[i].checksum.alg));
        }
        total += i;
    }

    struct record *first = record_new(*state, &spec, body_with(*state, total));
    uint64_t before = test_memory(*state);
    struct record *r = record_with_attrs(*state, first, STR("\1\2xy"));

    assert_true(test_memory(*state) - before < 200);
    record_unref(first);
    assert_str_equal(record_attrs(r), STR("\1\2xy"));
    assert_str_equal(record_key(r), STR("k"));
    assert_str_equal(record_upload_id(r), STR("an upload"));
    assert_int_equal(record_mtime_ns(r), 77);
    assert_int_equal(record_size(r), total);
    for (uint32_t i = 0, sum = 0; i < ARRAY_LEN(parts); sum += i, i++) {
        struct part_info part;
        uint64_t offset;

        assert_true(record_part(r, i, &part, &offset));
        assert_memory_equal(&part, &parts[i], sizeof(part));
        assert_int_equal(offset, sum);
    }
    record_unref(r);
}

/* ---- ids --------------------------------------------------------------------------- */

static void test_version_ids(void **state)
{
    char id[VERSION_ID_SIZE], before[VERSION_ID_SIZE] = "";
    uint64_t sequence;

    (void)state;
    for (uint64_t i = 1; i < (UINT64_C(1) << 48); i += 1 + i / 7) {
        version_id_encode(i, id);
        assert_int_equal(strlen(id), 32);
        assert_true(version_id_decode(str_c(id), &sequence));
        assert_int_equal(sequence, i);
        assert_string_not_equal(id, before);
        memcpy(before, id, sizeof(id));
        for (size_t at = 0; at < 32; at++) { /* no other text near it is an id */
            char kept = id[at];

            id[at] = kept == 'x' ? 'y' : 'x';
            assert_false(version_id_decode(str_c(id), &sequence));
            id[at] = '!';
            assert_false(version_id_decode(str_c(id), &sequence));
            id[at] = kept;
        }
    }
    assert_false(version_id_decode(str_of(id, 31), &sequence));
    assert_false(version_id_decode(STR(""), &sequence));
    assert_false(version_id_decode(STR_NONE, &sequence));
}

static void test_upload_ids(void **state)
{
    char id[UPLOAD_ID_SIZE];
    uint64_t sequence;

    (void)state;
    upload_id_encode(12345, STR("key"), id);
    assert_int_equal(strlen(id), UPLOAD_ID_LEN);
    assert_true(upload_id_decode(str_c(id), STR("key"), &sequence));
    assert_int_equal(sequence, 12345);
    assert_false(upload_id_decode(str_c(id), STR("kez"), &sequence));
    assert_false(upload_id_decode(str_c(id), STR(""), &sequence));
    assert_false(version_id_decode(str_of(id, 32), &sequence));
    id[63] = id[63] == 'a' ? 'b' : 'a';
    assert_false(upload_id_decode(str_c(id), STR("key"), &sequence));
}

static void test_docs(void **state)
{
    struct store *store = test_store(MiB(1));
    uint64_t before = test_memory(store);
    struct doc *d = doc_new(store, STR("text\0more"));
    char *large = xcalloc(1, MiB(1));

    (void)state;
    assert_true(test_memory(store) >= before + sizeof("text\0more"));
    assert_str_equal(doc_str(d), STR("text\0more"));
    doc_unref(doc_ref(d));
    assert_str_equal(doc_str(d), STR("text\0more"));
    assert_null(doc_new(store, str_of(large, MiB(1))));
    doc_unref(d);
    assert_int_equal(test_memory(store), before);
    assert_null(doc_str(NULL).ptr);
    doc_unref(NULL);
    mem_free(large);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attrs),
        cmocka_unit_test(test_attrs_cut_short),
        cmocka_unit_test(test_attr_headers),
        cmocka_unit_test_setup_teardown(test_record_keeps_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_etag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parts_and_rewrite, setup, teardown),
        cmocka_unit_test(test_version_ids),
        cmocka_unit_test(test_upload_ids),
        cmocka_unit_test(test_docs),
    };

    return cmocka_run_group_tests_name("store/record", tests, NULL, NULL);
}
