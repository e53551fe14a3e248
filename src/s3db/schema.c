/* SPDX-License-Identifier: MIT */
/* schema.c - a resource as one version of a descriptor, or a definition, says it is. */
#include "s3db/schema.h"

#include <assert.h>
#include <stdio.h>

/* Names are base 36 since 19.5.4, which keeps numbers in a registry; before that base 62, of
 * which HTTP's lower case leaves 36 digits. */
#define BASE_WITH_REGISTRY 36
#define BASE_BY_POSITION   62
#define SAFE_ATTRIBUTES    36

static const char *const behaviors[] = {
    [S3DB_USER_MANAGED] = "user-managed",     [S3DB_BODY_OVERFLOW] = "body-overflow",
    [S3DB_BODY_ONLY] = "body-only",           [S3DB_TRUNCATE_DATA] = "truncate-data",
    [S3DB_ENFORCE_LIMITS] = "enforce-limits",
};

/* ---- making ------------------------------------------------------------------------ */

static bool read_behavior(struct s3db_schema *s, const json_t *value, struct buf *why)
{
    struct str name = js_str(value);

    if (!value || json_is_null(value))
        return true;
    for (unsigned i = 0; i < ARRAY_LEN(behaviors); i++) {
        if (str_eq(name, str_c(behaviors[i]))) {
            s->behavior = (enum s3db_behavior)i;
            return true;
        }
    }
    buf_addf(why, "resource '%s' has a behavior that is not known: '%.*s'", s->resource,
             (int)name.len, name.ptr ? name.ptr : "");
    return false;
}

/* A copy in JavaScript's order; an empty object for what is missing. */
static bool read_object(struct s3db_schema *s, const json_t *value, const char *what,
                        json_t **out, struct buf *why)
{
    *out = !value || json_is_null(value) ? json_object()
           : json_is_object(value)       ? json_deep_copy(value)
                                         : NULL;
    if (!*out)
        buf_addf(why, "resource '%s': %s is no object", s->resource, what);
    return *out != NULL;
}

/* What `timestamps: true` brings along, where it is missing. */
static void add_timestamps(struct s3db_schema *s)
{
    static const struct {
        const char *attribute, *partition;
    } times[] = {{"createdAt", "byCreatedDate"}, {"updatedAt", "byUpdatedDate"}};

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct str name = str_c(times[i].attribute), partition = str_c(times[i].partition);

        if (!js_get(s->attributes, name))
            js_must_set(s->attributes, name, json_string("string|optional"));
        if (!js_get(s->partitions, partition))
            js_must_set(
                s->partitions, partition,
                json_pack("{s:{s:s}}", "fields", times[i].attribute, "date|maxlength:10"));
    }
}

/* All but numbers. */
static struct s3db_schema *new_schema(struct str resource, const json_t *definition,
                                      struct str version, struct buf *why)
{
    struct s3db_schema *s = xcalloc(1, sizeof(*s));
    const json_t *attributes = js_get(definition, STR("attributes"));

    s->resource = xmalloc(resource.len + 1);
    str_put(s->resource, resource);
    s->resource[resource.len] = '\0';
    memcpy(s->version, version.ptr, version.len < VERSION_MAX ? version.len : VERSION_MAX - 1);
    s->timestamps = json_is_true(js_get(definition, STR("timestamps")));
    if (!json_is_object(attributes)) {
        buf_addf(why, "resource '%s' has no attributes", s->resource);
    } else if (read_object(s, attributes, "attributes", &s->attributes, why) &&
               read_object(s, js_get(definition, STR("partitions")), "partitions",
                           &s->partitions, why) &&
               read_behavior(s, js_get(definition, STR("behavior")), why)) {
        if (s->timestamps)
            add_timestamps(s);
        return s;
    }
    s3db_schema_free(s);
    return NULL;
}

void s3db_schema_free(struct s3db_schema *s)
{
    if (!s)
        return;
    json_decref(s->attributes);
    json_decref(s->partitions);
    json_decref(s->by_name);
    json_decref(s->by_path);
    json_decref(s->collisions);
    buf_release(&s->paths);
    mem_free(s->list);
    mem_free(s->resource);
    mem_free(s);
}

static struct s3db_schema *number(struct s3db_schema *s, const json_t *registry,
                                  const json_t *plugins, unsigned base, struct buf *why)
{
    if (s && !attributes_number(s, registry, plugins, base, why)) {
        s3db_schema_free(s);
        return NULL;
    }
    return s;
}

struct s3db_schema *s3db_schema_of_entry(struct str resource, const json_t *entry,
                                         struct str version, struct buf *why)
{
    const json_t *versions = js_get(entry, STR("versions"));
    const json_t *registry = js_get(entry, STR("schemaRegistry"));
    const json_t *definition = js_get(versions, version);
    struct s3db_schema *s;

    if (!definition) {
        version = js_str(js_get(entry, STR("currentVersion")));
        definition = js_get(versions, version);
    }
    if (!definition) {
        buf_addf(why, "resource '%.*s' has no current version", (int)resource.len,
                 resource.ptr);
        return NULL;
    }
    if (!json_is_object(js_get(registry, STR("mapping"))))
        registry = NULL;
    s = new_schema(resource, definition, version, why);
    return number(s, registry, js_get(entry, STR("pluginSchemaRegistry")),
                  registry ? BASE_WITH_REGISTRY : BASE_BY_POSITION, why);
}

struct s3db_schema *s3db_schema_of_definition(struct str resource, const json_t *definition,
                                              struct buf *why)
{
    struct s3db_schema *s = number(new_schema(resource, definition, STR("v1"), why), NULL, NULL,
                                   BASE_WITH_REGISTRY, why);

    if (s && s->count > SAFE_ATTRIBUTES) {
        buf_addf(
            why,
            "resource '%s' has %zu attributes: beyond %d, versions of s3db.js do not agree "
            "on their names; import into a bucket whose s3db.json has the resource",
            s->resource, s->count, SAFE_ATTRIBUTES);
        s3db_schema_free(s);
        return NULL;
    }
    return s;
}

/* ---- what it says ------------------------------------------------------------------ */

struct str s3db_schema_resource(const struct s3db_schema *s)
{
    return str_c(s->resource);
}

struct str s3db_schema_version(const struct s3db_schema *s)
{
    return str_c(s->version);
}

enum s3db_behavior s3db_schema_behavior(const struct s3db_schema *s)
{
    return s->behavior;
}

static json_t *copy(const json_t *value)
{
    json_t *c = json_deep_copy(value);

    assert(c);
    return c;
}

json_t *s3db_schema_definition(const struct s3db_schema *s)
{
    return json_pack("{s:o, s:o, s:s, s:b}", "attributes", copy(s->attributes), "partitions",
                     copy(s->partitions), "behavior", behaviors[s->behavior], "timestamps",
                     s->timestamps);
}

json_t *s3db_schema_collisions(const struct s3db_schema *s)
{
    return copy(s->collisions);
}

json_t *s3db_schema_entry(const struct s3db_schema *s, int64_t created_ns)
{
    char hash[S3DB_HASH_SIZE], created[ISO_DATE_SIZE];

    s3db_schema_hash(s, hash);
    clock_format_iso_ms(created_ns, created);
    return json_pack("{s:s, s:o, s:s, s:{s:{s:s, s:o, s:s, s:b, s:o, s:s}}}", "currentVersion",
                     s->version, "partitions", copy(s->partitions), "createdBy", "user",
                     "versions", s->version, "hash", hash, "attributes", copy(s->attributes),
                     "behavior", behaviors[s->behavior], "timestamps", s->timestamps,
                     "partitions", copy(s->partitions), "createdAt", created);
}

/* ---- the hash ---------------------------------------------------------------------- */

static int cmp_str(const void *a, const void *b)
{
    return js_cmp_names(*(const struct str *)a, *(const struct str *)b);
}

static json_t *sorted(const json_t *value, unsigned depth);

static json_t *sorted_object(const json_t *object, unsigned depth)
{
    size_t count = json_object_size(object), n = 0, name_len;
    struct str *names = xcalloc(count + 1, sizeof(*names));
    json_t *out = json_object(), *value;
    const char *name;

    json_object_keylen_foreach(js_unconst(object), name, name_len, value) names[n++] =
        str_of(name, name_len);
    qsort(names, n, sizeof(*names), cmp_str);
    for (size_t i = 0; i < n; i++)
        js_must_set(out, names[i], sorted(js_get(object, names[i]), depth + 1));
    mem_free(names);
    return out;
}

static json_t *sorted(const json_t *value, unsigned depth)
{
    if (json_is_object(value) && depth < S3DB_JSON_DEPTH_MAX)
        return sorted_object(value, depth);
    if (!json_is_array(value) || depth >= S3DB_JSON_DEPTH_MAX)
        return json_incref(js_unconst(value));

    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(value); i++)
        json_array_append_new(out, sorted(json_array_get(value, i), depth + 1));
    return out;
}

void s3db_schema_hash(const struct s3db_schema *s, char out[S3DB_HASH_SIZE])
{
    json_t *attributes = json_copy(s->attributes);
    AUTO_BUF(text, MiB(64));
    AUTO_BUF(hex, S3DB_HASH_SIZE);
    uint8_t hash[SHA256_SIZE];

    if (s->timestamps) {
        json_object_del(attributes, "createdAt");
        json_object_del(attributes, "updatedAt");
    }

    AUTO(json_t)
    all = json_pack("{s:o, s:s, s:O}", "attributes", attributes, "behavior",
                    behaviors[s->behavior], "partitions", s->partitions);
    AUTO(json_t) in_order = sorted(all, 0);

    js_write(&text, in_order);
    sha256_once(buf_str(&text), hash);
    buf_add_hex(&hex, str_of((const char *)hash, sizeof(hash)));
    snprintf(out, S3DB_HASH_SIZE, "sha256:%.*s", (int)hex.len, hex.ptr);
}
