/* SPDX-License-Identifier: MIT */
/* credentials_file.c - the --credentials file: an object, or an array of objects, of
 *   accessKey, secretKey, and optionally canonicalId, displayName, email, accountId,
 *   sessionToken: texts
 *   admin: true for one that may administer the server */
#include "lib/server.h"

#include <jansson.h>

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

static bool add_entries(struct credentials *set, json_t *document, struct buf *why)
{
    size_t count = json_is_array(document) ? json_array_size(document) : 1;

    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_is_array(document) ? json_array_get(document, i) : document;
        struct credential c = {0};
        size_t before = why->len;
        const char *why_not;

        buf_addf(why, "entry %zu: ", i + 1);
        if (!read_entry(&c, entry, why))
            return false;
        if (!credentials_add(set, &c, &why_not)) {
            buf_add_c(why, why_not);
            return false;
        }
        why->len = before;
    }
    if (count == 0)
        buf_add(why, STR("no credentials in it"));
    return count > 0;
}

bool credentials_file_read(struct credentials *set, const char *path, struct buf *why)
{
    AUTO_BUF(content, CREDENTIALS_MAX);
    json_error_t error;
    json_t *document;
    bool ok = false;
    int err = file_read(&content, path);

    buf_addf(why, "--credentials %s: ", path);
    if (err) {
        buf_add_c(why, strerror(err));
        return false;
    }
    document =
        json_loadb(content.ptr ? content.ptr : "", content.len, JSON_REJECT_DUPLICATES, &error);
    /* It holds secrets; jansson's own copies are beyond our reach. */
    if (content.ptr)
        mem_wipe(content.ptr, content.len);
    if (document)
        ok = add_entries(set, document, why);
    else
        buf_addf(why, "line %d: %s", error.line, error.text);
    json_decref(document);
    return ok;
}
