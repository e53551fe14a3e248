/* SPDX-License-Identifier: MIT */
/* fuzz_s3db.c - a descriptor, an object and a record of s3db.js. The input's parts, each ended
 * by a NUL: text of the descriptor, metadata as a JSON object of texts, body, record as JSON.
 * Secrets stay closed: opening them takes a hundred thousand hashes each. */
#include <assert.h>

#include "s3db/s3db.h"

#define PAIRS_MAX 64
#define OUT_MAX   MiB(16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct parts {
    struct str descriptor, metadata, body, record;
};

static size_t pairs_of(const json_t *metadata, struct s3db_pair pairs[PAIRS_MAX])
{
    const char *name;
    size_t name_len, count = 0;
    json_t *value;

    json_object_keylen_foreach((json_t *)(uintptr_t)metadata, name, name_len, value)
    {
        if (count < PAIRS_MAX && json_is_string(value))
            pairs[count++] = (struct s3db_pair){str_of(name, name_len), js_str(value)};
    }
    return count;
}

/* What is read from what we print is printed the same. */
static void print_again(const json_t *value, struct buf *why)
{
    AUTO_BUF(first, OUT_MAX);
    AUTO_BUF(second, OUT_MAX);
    AUTO_BUF(indented, OUT_MAX);

    js_write(&first, value);
    js_write_indented(&indented, value);
    if (!buf_ok(&first))
        return;

    AUTO(json_t) again = js_parse(buf_str(&first), why);

    assert(again);
    js_write(&second, again);
    assert(str_eq(buf_str(&first), buf_str(&second)));
}

static void see_key(void *arg, struct str key)
{
    struct s3db_key parsed;

    s3db_key_parse(&parsed, STR("p/"), key);
    assert(str_has_prefix(key, STR("p/resource=")));
    (*(size_t *)arg)++;
}

/* An object is made of a record, and a record of that object. */
static void encode(const struct s3db_schema *schema, const json_t *record, struct buf *why)
{
    struct s3db_encoded encoded;
    struct s3db_notes notes = {0};
    size_t references = 0;

    if (!json_is_object(record))
        return;
    s3db_partition_keys(schema, STR("p/"), STR("x"), record, see_key, &references);
    if (!s3db_record_encode(&encoded, schema, STR("x"), record, STR_NONE, why)) {
        assert(why->len > 0);
        s3db_encoded_release(&encoded);
        return;
    }

    AUTO(json_t) back = s3db_record_decode(schema, STR("x"), &encoded.object, STR_NONE, &notes);

    assert(back && js_str(json_object_get(back, "id")).len == 1);
    s3db_notes_release(&notes);
    s3db_encoded_release(&encoded);
}

static void with_schema(const struct s3db_schema *schema, const struct s3db_object *object,
                        const json_t *record, struct buf *why)
{
    struct s3db_notes notes = {0};
    char hash[S3DB_HASH_SIZE];
    AUTO(json_t) got = s3db_record_decode(schema, STR("x"), object, STR_NONE, &notes);
    AUTO(json_t) entry = s3db_schema_entry(schema, 0);
    AUTO(json_t) collisions = s3db_schema_collisions(schema);

    assert(got && entry && collisions);
    s3db_schema_hash(schema, hash);
    assert(strlen(hash) == S3DB_HASH_SIZE - 1);
    print_again(got, why);
    encode(schema, got, why);
    if (record) {
        AUTO(json_t) mapped = s3db_mapped_decode(schema, record, STR_NONE, &notes);

        if (mapped)
            print_again(mapped, why);
        encode(schema, record, why);
    }
    s3db_notes_release(&notes);
}

static void run(const struct parts *parts, struct buf *why)
{
    struct s3db_pair pairs[PAIRS_MAX];
    struct s3db_notes notes = {0};
    AUTO(json_t) metadata = js_parse(parts->metadata, why);
    AUTO(json_t) record = js_parse(parts->record, why);
    AUTO(json_t) descriptor = s3db_descriptor_parse(parts->descriptor, why);
    struct s3db_object object = {.pairs = pairs,
                                 .pair_count = pairs_of(metadata, pairs),
                                 .body = parts->body,
                                 .content_type = STR("application/json")};
    AUTO(json_t) raw = s3db_raw_decode(STR("x"), &object, &notes);
    const char *name;
    json_t *entry;

    assert(raw);
    s3db_notes_release(&notes);
    json_object_foreach(descriptor ? s3db_descriptor_resources(descriptor) : NULL, name, entry)
    {
        AUTO(s3db_schema) schema = s3db_schema_of_entry(str_c(name), entry, STR("v2"), why);

        if (schema)
            with_schema(schema, &object, record, why);
    }
    if (record) {
        AUTO(s3db_schema) schema = s3db_schema_of_definition(STR("r"), record, why);

        print_again(record, why);
        if (schema)
            with_schema(schema, &object, NULL, why);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of((const char *)data, size);
    struct parts parts = {STR_NONE, STR_NONE, STR_NONE, STR_NONE};
    struct s3db_key key;
    AUTO_BUF(why, MiB(1));

    s3db_key_parse(&key, STR("p/"), rest);
    if (str_split(&rest, '\0', &parts.descriptor) && str_split(&rest, '\0', &parts.metadata) &&
        str_split(&rest, '\0', &parts.body))
        parts.record = rest;
    run(&parts, &why);
    return 0;
}
