/* SPDX-License-Identifier: MIT */
/* seed_config.c - the file of --seed-config: buckets with their settings and small objects.
 *
 *   {"users": as a --credentials file; credentials_file.c reads them,
 *    "buckets": {NAME: {"region": text, "versioning": "Enabled" or "Suspended",
 *     "owner": access key, or {"canonicalId", "displayName", "accountId": texts},
 *     "tags": {key: text},
 *     "objects": [{"key": text, "body" or "bodyBase64": text, and what seed.h says}]}}}
 *
 * Objects are put in their order: one key several times makes versions. */
#include "server/seed.h"

#define BUCKET_TAGS_MAX 50
#define NAMES(...)      ((const char *const[]){__VA_ARGS__, NULL})

struct config {
    struct server *server;
    struct branch *branch;
    struct seed_json json;
    struct str bucket, owner; /* the one that is filled, and whose it is */
    size_t objects;
};

static bool wrong(const struct config *c, const char *name, const char *what)
{
    return seed_json_wrong(&c->json, name, what);
}

/* ---- objects ----------------------------------------------------------------------- */

static bool read_base64(const struct config *c, const char *text, struct buf *out)
{
    struct base64_decoder decoder = {0};
    size_t len = strlen(text);
    char *bytes = xmalloc(len / 4 * 3 + 3);
    bool ok = base64_feed(&decoder, bytes, text, &len) && base64_is_whole(&decoder);

    if (ok)
        buf_add(out, str_of(bytes, len));
    mem_free(bytes);
    return ok || wrong(c, "bodyBase64", "it is no base64");
}

static bool read_body(const struct config *c, const json_t *object, struct buf *out)
{
    const char *plain, *base64;

    if (!seed_json_text(&c->json, object, "body", &plain) ||
        !seed_json_text(&c->json, object, "bodyBase64", &base64))
        return false;
    if (plain && base64)
        return wrong(c, "bodyBase64", "there is a body already");
    if (plain)
        buf_add_c(out, plain);
    return !base64 || read_base64(c, base64, out);
}

static void digest(struct str bytes, enum checksum_alg alg, uint8_t *out)
{
    struct digest d;

    digest_init(&d, alg);
    digest_update(&d, bytes.ptr, bytes.len);
    digest_final(&d, out);
}

static bool put_object(struct config *c, struct record_spec *spec, struct str bytes)
{
    AUTO(body) body = body_new(c->server->store, bytes.len);
    struct record *record = NULL;
    enum s3_err err = S3_SLOW_DOWN;

    digest(bytes, CHECKSUM_MD5, spec->md5);
    digest(bytes, CHECKSUM_CRC64NVME, spec->checksum.bytes);
    if (body && (bytes.len == 0 || body_append(body, bytes.ptr, bytes.len)))
        record = record_new(c->server->store, spec, TAKE(body));
    if (record)
        err = object_put(c->branch, c->bucket, record, NULL, NULL);
    c->objects++;
    return !err || wrong(c, NULL,
                         err == S3_SLOW_DOWN ? "does not fit into memory (see --max-memory)"
                                             : s3_err_message(err));
}

static bool load_object(struct config *c, const json_t *object)
{
    AUTO_BUF(attrs, KiB(64));
    AUTO_BUF(bytes, SEED_CONFIG_MAX);
    struct record_spec spec = {
        .mtime_ns = clock_now_ns(),
        .checksum = {.alg = CHECKSUM_CRC64NVME, .type = CHECKSUM_FULL_OBJECT},
    };
    const char *key;

    if (!seed_json_knows(&c->json, object, NAMES("key", "body", "bodyBase64"), true) ||
        !seed_json_text(&c->json, object, "key", &key))
        return false;
    if (!key || !key[0])
        return wrong(c, "key", "it is missing");
    if (strlen(key) > KEY_MAX)
        return wrong(c, "key", "it is longer than 1024 bytes");
    spec.key = str_c(key);
    if (!read_body(c, object, &bytes) ||
        !seed_attrs(&c->json, object, seed_content_type(spec.key), c->owner, &attrs))
        return false;
    spec.attrs = buf_str(&attrs);
    return put_object(c, &spec, buf_str(&bytes));
}

static bool load_objects(struct config *c, const json_t *objects)
{
    size_t before = seed_json_enter(&c->json, "objects"), i;
    bool ok = !objects || json_is_array(objects) || wrong(c, NULL, "it is not an array");
    const json_t *object;

    json_array_foreach(ok ? objects : NULL, i, object)
    {
        size_t outer = seed_json_enter_at(&c->json, i);

        ok = load_object(c, object);
        c->json.path->len = outer;
        if (!ok || server_interrupted(c->server))
            break;
    }
    c->json.path->len = before;
    return ok;
}

/* ---- buckets ----------------------------------------------------------------------- */

static bool is_line(const char *text)
{
    return !strpbrk(text, "\r\n");
}

/* Adds the owner that a user with this access key is of what it makes. */
static bool add_owner_of(const struct config *c, const char *access_key, struct buf *out)
{
    AUTO(credentials) set = keyring_get(c->server->keyring);
    const struct credential *user = set ? credentials_find(set, str_c(access_key)) : NULL;

    if (user)
        buf_add(out, credential_owner(user));
    return user || wrong(c, "owner", "there is no such access key");
}

/* As records keep it: three lines. */
static bool read_owner(struct config *c, const json_t *bucket, struct buf *out)
{
    static const char *const parts[] = {"canonicalId", "displayName", "accountId", NULL};
    const json_t *owner = json_object_get(bucket, "owner");
    const char *text;
    size_t before;
    bool ok;

    if (json_is_string(owner))
        return add_owner_of(c, json_string_value(owner), out);
    before = seed_json_enter(&c->json, "owner");
    ok = !owner || seed_json_knows(&c->json, owner, parts, false);
    for (size_t i = 0; ok && owner && parts[i]; i++) {
        ok = seed_json_text(&c->json, owner, parts[i], &text);
        if (ok && i == 0 && (!text || !text[0]))
            ok = wrong(c, parts[i], "it is missing");
        else if (ok && text && (!is_line(text) || strlen(text) > 256))
            ok = wrong(c, parts[i], "it is not one short line");
        if (i > 0)
            buf_add_char(out, '\n');
        if (ok && text)
            buf_add_c(out, text);
    }
    c->json.path->len = before;
    return ok;
}

static bool read_versioning(const struct config *c, const json_t *bucket,
                            enum versioning *versioning)
{
    const char *text;

    *versioning = VERSIONING_NEVER;
    if (!seed_json_text(&c->json, bucket, "versioning", &text))
        return false;
    if (!text)
        return true;
    *versioning = strcmp(text, "Enabled") == 0 ? VERSIONING_ENABLED : VERSIONING_SUSPENDED;
    return *versioning == VERSIONING_ENABLED || strcmp(text, "Suspended") == 0 ||
           wrong(c, "versioning", "it is neither \"Enabled\" nor \"Suspended\"");
}

static bool make_bucket(struct config *c, const json_t *bucket)
{
    AUTO_BUF(tags, KiB(256));
    struct bucket_spec spec = {
        .name = c->bucket, .region = str_c(c->server->settings.region), .owner = c->owner};
    enum versioning versioning;
    const char *region;
    enum s3_err err;

    if (!seed_json_text(&c->json, bucket, "region", &region) ||
        !read_versioning(c, bucket, &versioning) ||
        !seed_json_tags(&c->json, bucket, BUCKET_TAGS_MAX, &tags))
        return false;
    if (region && !server_region_ok(region))
        return wrong(c, "region", "it is not the name of a region, such as us-east-1");
    if (region)
        spec.region = str_c(region);
    spec.tagging = tags.len > 0 ? buf_str(&tags) : STR_NONE;
    err =
        s3_bucket_name_ok(c->bucket) ? bucket_create(c->branch, &spec) : S3_INVALID_BUCKET_NAME;
    if (!err && versioning != VERSIONING_NEVER)
        err = bucket_set_versioning(c->branch, c->bucket, versioning);
    if (err == S3_BUCKET_ALREADY_EXISTS)
        return wrong(c, NULL, "the bucket is there already");
    return !err || wrong(c, NULL, s3_err_message(err));
}

static bool load_bucket(struct config *c, const char *name, const json_t *bucket)
{
    AUTO_BUF(owner, KiB(4));
    size_t before = seed_json_enter(&c->json, name);
    bool ok = seed_json_knows(&c->json, bucket,
                              NAMES("region", "versioning", "owner", "tags", "objects"), false);

    c->bucket = str_c(name);
    ok = ok && read_owner(c, bucket, &owner);
    c->owner = owner.len > 0 ? buf_str(&owner) : s3_service_default_owner(c->server->s3);
    ok = ok && make_bucket(c, bucket) && load_objects(c, json_object_get(bucket, "objects"));
    c->json.path->len = before;
    return ok;
}

static bool load_document(struct config *c, const json_t *document)
{
    json_t *buckets, *bucket;
    const char *name;
    bool ok;

    if (!seed_json_knows(&c->json, document, NAMES("users", "buckets"), false))
        return false;
    buckets = json_object_get(document, "buckets");
    if (buckets && !json_is_object(buckets))
        return wrong(c, "buckets", "it is not an object");
    seed_json_enter(&c->json, "buckets");
    json_object_foreach(buckets, name, bucket)
    {
        ok = load_bucket(c, name, bucket);
        if (!ok || server_interrupted(c->server))
            return ok;
    }
    return true;
}

enum exit_status seed_config_load(struct server *server, const char *path)
{
    AUTO_BUF(content, SEED_CONFIG_MAX);
    AUTO_BUF(place, KiB(64));
    AUTO_BUF(why, KiB(8));
    AUTO(branch) branch = store_branch(server->store, STR("main"));
    struct config c = {
        .server = server, .branch = branch, .json = {.path = &place, .why = &why}};
    int err = file_read(&content, path);
    json_t *document = err ? NULL : seed_json_read(&content, &why);
    bool ok;

    buf_add_char(&place, '$');
    if (err)
        buf_add_c(&why, strerror(err));
    ok = document && load_document(&c, document);
    json_decref(document);
    if (!ok) {
        server_complain(server, "--seed-config %s: %.*s", path, (int)why.len, why.ptr);
        return err ? EXIT_FAILED : EXIT_USAGE;
    }
    log_info("seed: %s: %zu objects", path, c.objects);
    return EXIT_DONE;
}
