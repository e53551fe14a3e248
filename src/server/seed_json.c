/* SPDX-License-Identifier: MIT */
/* seed_json.c - objects of seeds as JSON describes them; what is wrong is told with its place. */
#include "server/seed.h"

static const struct {
    const char *name;
    enum attr attr;
} headers[] = {
    {"contentType", ATTR_CONTENT_TYPE},
    {"contentEncoding", ATTR_CONTENT_ENCODING},
    {"contentDisposition", ATTR_CONTENT_DISPOSITION},
    {"contentLanguage", ATTR_CONTENT_LANGUAGE},
    {"cacheControl", ATTR_CACHE_CONTROL},
    {"expires", ATTR_EXPIRES},
};

#define OBJECT_TAGS_MAX 10

/* ---- places ------------------------------------------------------------------------ */

bool seed_json_wrong(const struct seed_json *j, const char *name, const char *what)
{
    buf_add_buf(j->why, j->path);
    if (name)
        buf_addf(j->why, ".%s", name);
    buf_addf(j->why, ": %s", what);
    return false;
}

size_t seed_json_enter(struct seed_json *j, const char *name)
{
    size_t before = j->path->len;

    buf_addf(j->path, ".%s", name);
    return before;
}

size_t seed_json_enter_at(struct seed_json *j, size_t at)
{
    size_t before = j->path->len;

    buf_addf(j->path, "[%zu]", at);
    return before;
}

json_t *seed_json_read(struct buf *content, struct buf *why)
{
    json_error_t error;
    json_t *document = json_loadb(content->ptr ? content->ptr : "", content->len,
                                  JSON_REJECT_DUPLICATES, &error);

    if (!document) {
        struct str text = str_c(error.text);
        size_t near = str_find(text, STR(" near "));

        /* jansson quotes what it read last, which may be a secret, or half of one. */
        if (near != SIZE_MAX && !str_has_prefix(text, STR("duplicate ")))
            text.len = near;
        buf_addf(why, "line %d: %.*s (column %d)", error.line, (int)text.len, text.ptr,
                 error.column);
    }
    return document;
}

/* ---- members ----------------------------------------------------------------------- */

static bool is_described(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if (strcmp(headers[i].name, name) == 0)
            return true;
    }
    return strcmp(name, "metadata") == 0 || strcmp(name, "tags") == 0;
}

bool seed_json_knows(const struct seed_json *j, const json_t *members, const char *const *names,
                     bool description)
{
    const char *name;
    json_t *value;

    if (!json_is_object(members))
        return seed_json_wrong(j, NULL, "it is not an object");
    json_object_foreach((json_t *)(uintptr_t)members, name, value)
    {
        bool known = description && is_described(name);

        for (const char *const *n = names; *n && !known; n++)
            known = strcmp(*n, name) == 0;
        if (!known)
            return seed_json_wrong(j, name, "there is no such member");
    }
    return true;
}

bool seed_json_text(const struct seed_json *j, const json_t *members, const char *name,
                    const char **out)
{
    const json_t *value = json_object_get(members, name);

    *out = json_string_value(value);
    return !value || *out || seed_json_wrong(j, name, "it is not a text");
}

/* Calls add for each member of members[name], all of them texts. */
static bool each_text(struct seed_json *j, const json_t *members, const char *name,
                      bool (*add)(struct buf *out, struct str key, struct str value,
                                  const char **why),
                      struct buf *out)
{
    json_t *map = json_object_get(members, name), *value;
    size_t before = seed_json_enter(j, name);
    const char *key, *why;
    bool ok = !map || json_is_object(map) || seed_json_wrong(j, NULL, "it is not an object");

    json_object_foreach(ok ? map : NULL, key, value)
    {
        if (!json_is_string(value))
            ok = seed_json_wrong(j, key, "it is not a text");
        else if (!add(out, str_c(key), str_c(json_string_value(value)), &why))
            ok = seed_json_wrong(j, key, why);
        if (!ok)
            break;
    }
    if (ok && !buf_ok(out))
        ok = seed_json_wrong(j, NULL, "it is too long");
    j->path->len = before;
    return ok;
}

bool seed_json_tags(struct seed_json *j, const json_t *members, size_t max, struct buf *query)
{
    if (json_object_size(json_object_get(members, "tags")) > max)
        return seed_json_wrong(
            j, "tags", max == OBJECT_TAGS_MAX ? "more than 10 tags" : "more than 50 tags");
    return each_text(j, members, "tags", s3_tags_add, query);
}

static bool is_header_value(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7E)
            return false;
    }
    return true;
}

bool seed_attrs(struct seed_json *j, const json_t *description, struct str type,
                struct str owner, struct buf *attrs)
{
    AUTO_BUF(tags, KiB(64));
    const char *text;

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if (!seed_json_text(j, description, headers[i].name, &text))
            return false;
        if (text && !is_header_value(text))
            return seed_json_wrong(j, headers[i].name, "it has characters that no header may");
        if (text)
            attrs_add(attrs, headers[i].attr, str_c(text));
        else if (headers[i].attr == ATTR_CONTENT_TYPE)
            attrs_add(attrs, ATTR_CONTENT_TYPE, type);
    }
    if (!each_text(j, description, "metadata", s3_metadata_add, attrs) ||
        !seed_json_tags(j, description, OBJECT_TAGS_MAX, &tags))
        return false;
    if (tags.len > 0)
        attrs_add(attrs, ATTR_TAGGING, buf_str(&tags));
    attrs_add(attrs, ATTR_OWNER, owner);
    return buf_ok(attrs) || seed_json_wrong(j, NULL, "it is too long");
}
