/* SPDX-License-Identifier: MIT */
/* s3db_vectors_test.c - what s3db.js 12, 18 and 19 wrote, against what each of them reads from
 * it (tests/data/s3db/: {ver, expected: {"RESOURCE/ID": record}, snapshot}). The snapshot is
 * MemoryClient's; expected are the answers of resource.get(). The passphrase is not among the
 * vectors: their secrets stay closed here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "s3db/s3db.h"

#define PREFIX    STR("pre/fix/")
#define PAIRS_MAX 100

/* One object of a snapshot, in the form that decoding takes. */
struct stored {
    struct s3db_object object;
    struct s3db_pair pairs[PAIRS_MAX];
    struct buf body;
};

static void stored_release(struct stored *s)
{
    buf_release(&s->body);
}

static struct str text_of(const json_t *object, const char *name)
{
    struct str text = js_str(json_object_get(object, name));

    assert_non_null(text.ptr);
    return text;
}

static void stored_init(struct stored *s, json_t *of_snapshot)
{
    json_t *metadata = json_object_get(of_snapshot, "metadata"), *value;
    const char *name;

    *s = (struct stored){.object.pairs = s->pairs};
    buf_init(&s->body, MiB(1));
    assert_true(buf_add_unbase64(&s->body, text_of(of_snapshot, "body")));
    json_object_foreach(metadata, name, value)
    {
        assert_true(s->object.pair_count < PAIRS_MAX);
        s->pairs[s->object.pair_count++] =
            (struct s3db_pair){.name = str_c(name), .value = js_str(value)};
    }
    s->object.body = buf_str(&s->body);
    s->object.content_type = text_of(of_snapshot, "contentType");
}

static json_t *load(const char *file)
{
    AUTO_BUF(path, KiB(4));
    json_error_t error;
    json_t *vector;

    buf_addf(&path, "%s/s3db/%s", TEST_DATA, file);
    buf_add_char(&path, '\0');
    vector = json_load_file(path.ptr, 0, &error);
    if (!vector)
        fail_msg("%s: %s", path.ptr, error.text);
    return vector;
}

static json_t *objects_of(json_t *vector)
{
    json_t *objects = json_object_get(json_object_get(vector, "snapshot"), "objects");

    assert_non_null(objects);
    return objects;
}

static json_t *descriptor_of(json_t *vector)
{
    AUTO_BUF(why, KiB(4));
    AUTO_BUF(key, KiB(4));
    AUTO_BUF(again, MiB(1));
    struct stored s;
    json_t *descriptor;

    s3db_key_descriptor(&key, PREFIX);
    stored_init(&s, json_object_getn(objects_of(vector), key.ptr, key.len));
    descriptor = s3db_descriptor_parse(s.object.body, &why);
    assert_non_null(descriptor);
    /* Untouched it is written as s3db.js wrote it, to the byte. */
    s3db_descriptor_write(&again, descriptor);
    assert_true(str_eq(buf_str(&again), s.object.body));
    stored_release(&s);
    return descriptor;
}

static struct s3db_schema *schema_of(json_t *descriptor, struct str resource)
{
    AUTO_BUF(why, KiB(4));
    json_t *entry = s3db_descriptor_resource(descriptor, resource);
    struct s3db_schema *s = s3db_schema_of_entry(resource, entry, STR("v1"), &why);

    if (!s)
        fail_msg("%.*s", (int)why.len, why.ptr);
    return s;
}

/* ---- what is expected -------------------------------------------------------------- */

/* s3db.js 12 leaves nested attributes of body-only records under their metadata names. */
static void repair_nested(json_t *record)
{
    json_t *prof, *deep;

    if (!json_object_get(record, "k") && !json_object_get(record, "l"))
        return;
    prof = json_object();
    if (json_object_get(record, "k"))
        json_object_set(prof, "bio", json_object_get(record, "k"));
    if (json_object_get(record, "l")) {
        json_object_set_new(prof, "n", json_real(1.5));
        deep = json_object();
        json_object_set_new(deep, "ok", json_false());
        json_object_set_new(deep, "l", json_pack("[s]", "q"));
        json_object_set_new(prof, "deep", deep);
    }
    json_object_set_new(record, "prof", prof);
    json_object_del(record, "k");
    json_object_del(record, "l");
    json_object_del(record, "m");
    json_object_del(record, "n");
}

/* What we read where s3db.js reads something else, and only there:
 *  - members beginning with "_" are its own
 *  - secrets, which it had the passphrase to (and s3db.js 19 also encrypts one that is not
 *    there): what we read is what is stored
 *  - s3db.js 12 and nested attributes of body-only records */
static json_t *expected_of(json_t *from, json_t *stored_secret)
{
    json_t *record = json_object(), *value;
    const char *name;

    json_object_foreach(from, name, value)
    {
        if (name[0] != '_')
            json_object_set(record, name, value);
    }
    json_object_del(record, "pw");
    if (stored_secret)
        json_object_set(record, "pw", stored_secret);
    repair_nested(record);
    return record;
}

/* Compared as text, members sorted: jansson thinks 5 and 5.0 different. */
static void assert_same(json_t *got, json_t *want, const char *what)
{
    AUTO_BUF(a, MiB(1));
    AUTO_BUF(b, MiB(1));
    AUTO_BUF(why, KiB(1));
    char *sorted_got = json_dumps(got, JSON_SORT_KEYS);
    char *sorted_want = json_dumps(want, JSON_SORT_KEYS);
    AUTO(json_t) g = js_parse(str_c(sorted_got), &why);
    AUTO(json_t) w = js_parse(str_c(sorted_want), &why);

    js_write(&a, g);
    js_write(&b, w);
    if (!str_eq(buf_str(&a), buf_str(&b)))
        fail_msg("%s\n got %.*s\nwant %.*s", what, (int)a.len, a.ptr, (int)b.len, b.ptr);
    mem_free(sorted_got);
    mem_free(sorted_want);
}

/* ---- records ----------------------------------------------------------------------- */

static void assert_order(const struct s3db_schema *schema, json_t *record)
{
    AUTO(json_t) definition = s3db_schema_definition(schema);
    json_t *attributes = json_object_get(definition, "attributes");
    const char *name, *last_stray = "";
    json_t *value, *at;
    size_t position = 0, rank;
    bool first = true, stray = false;

    json_object_foreach(record, name, value)
    {
        const char *attribute;

        if (first)
            assert_string_equal(name, "id");
        first = false;
        rank = 0;
        if (!json_object_get(attributes, name)) {
            assert_true(strcmp(last_stray, name) < 0);
            last_stray = name;
            stray = true;
            continue;
        }
        assert_false(stray);
        json_object_foreach(attributes, attribute, at)
        {
            rank++;
            if (strcmp(attribute, name) == 0)
                break;
        }
        assert_true(rank > position);
        position = rank;
    }
}

/* Names that are not of the schema, which s3db.js's update leaves behind: on the wire they are
 * lower case, and what is nested becomes a name ("metadata_updatedat"). */
static void drop_leftovers(json_t *record)
{
    json_object_del(record, "metadata");
    json_object_del(record, "metadata_updatedAt");
    json_object_del(record, "metadata_updatedat");
}

/* A record goes back into an object and out of it again. */
static void assert_survives(const struct s3db_schema *schema, struct str id, json_t *record,
                            const char *what)
{
    AUTO_BUF(why, KiB(4));
    struct s3db_encoded encoded;
    struct s3db_notes notes = {0};
    json_t *again;

    if (!s3db_record_encode(&encoded, schema, id, record, STR_NONE, &why))
        fail_msg("%s: %.*s", what, (int)why.len, why.ptr);
    again = s3db_record_decode(schema, id, &encoded.object, STR_NONE, &notes);
    drop_leftovers(again);
    drop_leftovers(record);
    assert_same(again, record, what);
    json_decref(again);
    s3db_notes_release(&notes);
    s3db_encoded_release(&encoded);
}

/* Secrets of a record that has been decoded: ciphertext, and told of. All versions gave r1 one;
 * s3db.js 19 all. */
static void assert_closed(json_t *record, const struct s3db_notes *notes, bool has_one)
{
    struct str secret = js_str(json_object_get(record, "pw"));

    assert_int_equal(secret.ptr != NULL, has_one);
    if (!has_one) {
        assert_null(notes->secrets);
        return;
    }
    assert_true(secret.len >= 60);
    assert_int_equal(json_array_size(notes->secrets), 1);
    assert_true(str_eq(js_str(json_array_get(notes->secrets, 0)), STR("pw")));
}

static void check_record(json_t *vector, json_t *descriptor, const char *name, json_t *from)
{
    bool all_have_secrets = str_eq(text_of(vector, "ver"), STR("19"));
    struct str rest = str_c(name), resource;
    AUTO_BUF(key, KiB(4));
    struct s3db_notes notes = {0};
    struct stored s;

    assert_true(str_split(&rest, '/', &resource));
    s3db_key_record(&key, PREFIX, resource, rest);
    stored_init(&s, json_object_getn(objects_of(vector), key.ptr, key.len));

    AUTO(s3db_schema) schema = schema_of(descriptor, resource);
    AUTO(json_t) got = s3db_record_decode(schema, rest, &s.object, STR_NONE, &notes);
    AUTO(json_t) want = expected_of(from, json_object_get(got, "pw"));

    assert_same(got, want, name);
    assert_closed(got, &notes, all_have_secrets || str_eq(rest, STR("r1")));
    assert_false(notes.opaque_body || notes.truncated);
    assert_order(schema, got);
    assert_survives(schema, rest, got, name);
    s3db_notes_release(&notes);
    stored_release(&s);
}

static void check_records(const char *file)
{
    AUTO(json_t) vector = load(file);
    AUTO(json_t) descriptor = descriptor_of(vector);
    const char *name;
    json_t *record;
    size_t count = 0;

    json_object_foreach(json_object_get(vector, "expected"), name, record)
    {
        check_record(vector, descriptor, name, record);
        count++;
    }
    assert_int_equal(count, 15);
}

static void test_records_of_12(void **state)
{
    (void)state;
    check_records("vec12.json");
}

static void test_records_of_18(void **state)
{
    (void)state;
    check_records("vec18.json");
}

static void test_records_of_19(void **state)
{
    (void)state;
    check_records("vec19.json");
}

/* ---- descriptors ------------------------------------------------------------------- */

static void check_hashes(const char *file)
{
    AUTO(json_t) vector = load(file);
    AUTO(json_t) descriptor = descriptor_of(vector);
    const char *name;
    json_t *entry;

    json_object_foreach(s3db_descriptor_resources(descriptor), name, entry)
    {
        AUTO(s3db_schema) schema = schema_of(descriptor, str_c(name));
        json_t *version = json_object_get(json_object_get(entry, "versions"), "v1");
        AUTO_BUF(why, KiB(1));
        AUTO(json_t) definition = s3db_schema_definition(schema);
        AUTO(s3db_schema)
        by_definition = s3db_schema_of_definition(str_c(name), definition, &why);
        AUTO(json_t) collisions = s3db_schema_collisions(schema);
        char hash[S3DB_HASH_SIZE];

        s3db_schema_hash(schema, hash);
        assert_string_equal(hash, json_string_value(json_object_get(version, "hash")));
        assert_non_null(by_definition);
        s3db_schema_hash(by_definition, hash);
        assert_string_equal(hash, json_string_value(json_object_get(version, "hash")));
        assert_int_equal(json_array_size(collisions), 0);
    }
}

static void test_hashes(void **state)
{
    (void)state;
    check_hashes("vec12.json");
    check_hashes("vec18.json");
    check_hashes("vec19.json");
}

/* ---- keys and partitions ----------------------------------------------------------- */

struct seen {
    json_t *objects;
    json_t *keys;
};

static void see(void *arg, struct str key)
{
    struct seen *seen = arg;

    if (!json_object_getn(seen->objects, key.ptr, key.len))
        fail_msg("s3db.js made no reference %.*s", (int)key.len, key.ptr);
    json_object_setn_new(seen->keys, key.ptr, key.len, json_true());
}

/* The references to all records are those that s3db.js made, none more and none less. */
static void check_keys(const char *file)
{
    AUTO(json_t) vector = load(file);
    AUTO(json_t) descriptor = descriptor_of(vector);
    AUTO(json_t) keys = json_object();
    struct seen seen = {.objects = objects_of(vector), .keys = keys};
    const char *name;
    json_t *object;
    size_t references = 0, records = 0, descriptors = 0;

    json_object_foreach(seen.objects, name, object)
    {
        struct s3db_key key;
        struct s3db_notes notes = {0};
        struct stored s;

        s3db_key_parse(&key, PREFIX, str_c(name));
        references += key.kind == S3DB_KEY_PARTITION;
        descriptors += key.kind == S3DB_KEY_DESCRIPTOR;
        if (key.kind != S3DB_KEY_RECORD)
            continue;
        records++;
        stored_init(&s, object);
        AUTO(s3db_schema) schema = schema_of(descriptor, key.resource);
        AUTO(json_t) record = s3db_record_decode(schema, key.id, &s.object, STR_NONE, &notes);
        s3db_partition_keys(schema, PREFIX, key.id, record, see, &seen);
        s3db_notes_release(&notes);
        stored_release(&s);
    }
    assert_int_equal(records, 15);
    assert_int_equal(descriptors, 1);
    assert_int_equal(references, 36);
    assert_int_equal(json_object_size(keys), references);
}

static void test_keys(void **state)
{
    (void)state;
    check_keys("vec12.json");
    check_keys("vec18.json");
    check_keys("vec19.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_of_12), cmocka_unit_test(test_records_of_18),
        cmocka_unit_test(test_records_of_19), cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests_name("s3db_vectors", tests, NULL, NULL);
}
