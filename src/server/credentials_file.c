/* SPDX-License-Identifier: MIT */
/* credentials_file.c - the --credentials file, and the "users" of --seed-config: an object, or
 * an array of objects, of
 *   accessKey, secretKey, and optionally canonicalId, displayName, email, accountId,
 *   sessionToken: texts
 *   admin: true for one that may administer the server */
#include "server/seed.h"

#define CREDENTIALS_MAX MiB(16)

static const struct {
    const char *name;
    size_t offset;
    bool required;
} fields[] = {
    {"accessKey", offsetof(struct credential, access_key), true},
    {"secretKey", offsetof(struct credential, secret_key), true},
    {"canonicalId", offsetof(struct credential, canonical_id), false},
    {"displayName", offsetof(struct credential, display_name), false},
    {"email", offsetof(struct credential, email), false},
    {"accountId", offsetof(struct credential, account_id), false},
    {"sessionToken", offsetof(struct credential, session_token), false},
};

static const char *const *field_of(const struct credential *c, size_t offset)
{
    return (const char *const *)((const char *)c + offset);
}

/* One member of an entry. */
static bool read_field(struct credential *c, const char *name, json_t *value, struct buf *why)
{
    size_t i = 0;

    if (strcmp(name, "admin") == 0) {
        if (!json_is_boolean(value)) {
            buf_add(why, STR("\"admin\" is not true or false"));
            return false;
        }
        c->admin = json_is_true(value);
        return true;
    }
    while (i < ARRAY_LEN(fields) && strcmp(fields[i].name, name) != 0)
        i++;
    if (i == ARRAY_LEN(fields)) {
        buf_addf(why, "unknown field \"%s\"", name);
        return false;
    }
    if (json_is_null(value) && !fields[i].required)
        return true;
    if (!json_is_string(value)) {
        buf_addf(why, "\"%s\" is not a string", name);
        return false;
    }
    *(const char **)(uintptr_t)field_of(c, fields[i].offset) = json_string_value(value);
    return true;
}

/* Fills c with pointers into entry. */
static bool read_entry(struct credential *c, json_t *entry, struct buf *why)
{
    const char *name;
    json_t *value;

    if (!json_is_object(entry)) {
        buf_add(why, STR("not an object"));
        return false;
    }
    json_object_foreach(entry, name, value)
    {
        if (!read_field(c, name, value, why))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (fields[i].required && !*field_of(c, fields[i].offset)) {
            buf_addf(why, "\"%s\" is missing", fields[i].name);
            return false;
        }
    }
    return true;
}

/* Adds one entry. place: where it stands. */
static bool add_entry(struct key_reader *r, json_t *entry, struct str place)
{
    struct credential c = {0};
    size_t before = r->why->len;

    buf_add(r->why, place);
    buf_add(r->why, STR(": "));
    if (!read_entry(&c, entry, r->why))
        return false;
    r->why->len = before;
    return key_reader_add(r, &c, place);
}

/* as_path: "$.users[0]", as the other members of a seed are told; else "entry 1". */
static bool add_entries(struct key_reader *r, json_t *entries, struct str file, bool as_path)
{
    size_t count = json_is_array(entries) ? json_array_size(entries) : 1;

    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_is_array(entries) ? json_array_get(entries, i) : entries;
        AUTO_BUF(place, KiB(8));

        buf_add(&place, file);
        if (!as_path)
            buf_addf(&place, "entry %zu", i + 1);
        else if (json_is_array(entries))
            buf_addf(&place, "$.users[%zu]", i);
        else
            buf_addf(&place, "$.users");
        if (!add_entry(r, entry, buf_str(&place)))
            return false;
    }
    if (count == 0)
        buf_addf(r->why, "%.*s%sno credentials in it", (int)file.len, file.ptr,
                 as_path ? "$.users: " : "");
    return count > 0;
}

/* ---- where keys were given --------------------------------------------------------- */

/* The places are pairs of texts: access key NUL place NUL. */
static const char *find_place(const struct key_reader *r, const char *access_key)
{
    for (struct str rest = buf_str(&r->places); rest.len > 0;) {
        const char *key = rest.ptr, *place = key + strlen(key) + 1;

        if (strcmp(key, access_key) == 0)
            return place;
        rest = str_from(rest, (size_t)(place - key) + strlen(place) + 1);
    }
    return NULL;
}

bool key_reader_add(struct key_reader *r, const struct credential *c, struct str place)
{
    const char *why_not;

    if (c->access_key && credentials_find(r->set, str_c(c->access_key))) {
        buf_addf(r->why, "%.*s: the access key %s is given twice; before: %s", (int)place.len,
                 place.ptr, c->access_key, find_place(r, c->access_key));
        return false;
    }
    if (!credentials_add(r->set, c, &why_not)) {
        buf_addf(r->why, "%.*s: %s", (int)place.len, place.ptr, why_not);
        return false;
    }
    buf_add_c(&r->places, c->access_key);
    buf_add_char(&r->places, '\0');
    buf_add(&r->places, place);
    buf_add_char(&r->places, '\0');
    return true;
}

/* ---- files ------------------------------------------------------------------------- */

/* NULL with a sentence in why. file: "--option PATH: " */
static json_t *read_document(struct key_reader *r, const char *path, size_t max,
                             struct str file)
{
    AUTO_BUF(content, max);
    size_t before = r->why->len;
    json_t *document;
    int err = file_read(&content, path);

    if (err) {
        buf_addf(r->why, "%.*s%s", (int)file.len, file.ptr, strerror(err));
        r->unreadable = true;
        return NULL;
    }
    buf_add(r->why, file);
    document = seed_json_read(&content, r->why);
    /* It holds secrets; jansson's own copies are beyond our reach. */
    if (content.ptr)
        mem_wipe(content.ptr, content.len);
    if (document)
        r->why->len = before;
    return document;
}

bool key_reader_read_file(struct key_reader *r, const char *path)
{
    AUTO_BUF(file, KiB(8));
    json_t *document;
    bool ok;

    buf_addf(&file, "--credentials %s: ", path);
    document = read_document(r, path, CREDENTIALS_MAX, buf_str(&file));
    ok = document && add_entries(r, document, buf_str(&file), false);
    json_decref(document);
    return ok;
}

bool key_reader_read_seed(struct key_reader *r, const char *path)
{
    AUTO_BUF(file, KiB(8));
    json_t *document, *users;
    bool ok;

    buf_addf(&file, "--seed-config %s: ", path);
    document = read_document(r, path, SEED_CONFIG_MAX, buf_str(&file));
    users = json_object_get(document, "users");
    r->has_users = users != NULL;
    ok = document && (!users || add_entries(r, users, buf_str(&file), true));
    json_decref(document);
    return ok;
}
