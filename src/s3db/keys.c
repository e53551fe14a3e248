/* SPDX-License-Identifier: MIT */
/* keys.c - which object of a bucket is what, by its key. */
#include "s3db/s3db.h"

#define DESCRIPTOR_NAME "s3db.json"

/* Takes the beginning off; false when text does not have it. */
static bool take(struct str *text, struct str beginning)
{
    if (!str_has_prefix(*text, beginning))
        return false;
    *text = str_from(*text, beginning.len);
    return true;
}

/* Takes what stands before the next slash, which must be there; nothing of it may be empty. */
static bool take_segment(struct str *text, struct str *segment)
{
    size_t slash = str_find_char(*text, '/');

    if (slash == SIZE_MAX || slash == 0)
        return false;
    *segment = str_of(text->ptr, slash);
    *text = str_from(*text, slash + 1);
    return true;
}

/* ---- parsing ----------------------------------------------------------------------- */

/* "byX/a=1/b=2/id=ID", behind "partition=". The id begins behind the first segment that starts
 * with "id=" and follows a field: a field of that name would come before it. */
static bool parse_partition(struct s3db_key *out, struct str rest)
{
    size_t at = 0, end;

    if (!take_segment(&rest, &out->partition))
        return false;
    while ((end = str_find(str_from(rest, at), STR("/id="))) != SIZE_MAX) {
        struct str behind = str_from(rest, at + end + strlen("/id="));

        /* Of several the last: a value may have a slash and more in it, an id seldom. */
        out->fields = str_of(rest.ptr, at + end);
        out->id = behind;
        at += end + strlen("/id=");
    }
    return out->id.len > 0 && out->fields.len > 0;
}

static enum s3db_key_kind parse_resource(struct s3db_key *out, struct str rest)
{
    struct str old = rest;

    if (take(&rest, STR("data/id=")))
        return (out->id = rest).len > 0 ? S3DB_KEY_RECORD : S3DB_KEY_RESOURCE_OTHER;
    if (take(&rest, STR("id=")))
        return (out->id = rest).len > 0 ? S3DB_KEY_RAW : S3DB_KEY_RESOURCE_OTHER;
    if (take(&rest, STR("historical/id=")))
        return (out->id = rest).len > 0 ? S3DB_KEY_HISTORICAL : S3DB_KEY_RESOURCE_OTHER;
    if (take(&rest, STR("partition=")) && parse_partition(out, rest))
        return S3DB_KEY_PARTITION;
    rest = old;
    if (take(&rest, STR("plugin="))) {
        size_t slash = str_find_char(rest, '/');

        out->plugin = str_of(rest.ptr, slash < rest.len ? slash : rest.len);
        return S3DB_KEY_RESOURCE_PLUGIN;
    }
    rest = old;
    if (take(&rest, STR("v=")) && take_segment(&rest, &out->version) &&
        take(&rest, STR("id=")) && rest.len > 0) {
        out->id = rest;
        return S3DB_KEY_OLD_RECORD;
    }
    out->version = out->partition = out->fields = out->id = STR_NONE;
    return S3DB_KEY_RESOURCE_OTHER;
}

void s3db_key_parse(struct s3db_key *out, struct str prefix, struct str key)
{
    struct str rest = key;

    *out = (struct s3db_key){.kind = S3DB_KEY_OTHER};
    if (!take(&rest, prefix))
        return;
    out->relative = rest;
    if (str_eq(rest, STR(DESCRIPTOR_NAME))) {
        out->kind = S3DB_KEY_DESCRIPTOR;
    } else if (take(&rest, STR("plugin="))) {
        size_t slash = str_find_char(rest, '/');

        out->kind = S3DB_KEY_PLUGIN;
        out->plugin = str_of(rest.ptr, slash < rest.len ? slash : rest.len);
    } else if (take(&rest, STR("resource=")) && take_segment(&rest, &out->resource)) {
        out->kind = parse_resource(out, rest);
    }
}

struct str s3db_prefix_of_descriptor(struct str key)
{
    size_t len = strlen(DESCRIPTOR_NAME);

    if (!str_has_suffix(key, STR(DESCRIPTOR_NAME)) ||
        (key.len > len && key.ptr[key.len - len - 1] != '/'))
        return STR_NONE;
    return str_of(key.ptr, key.len - len);
}

/* ---- prefixes ---------------------------------------------------------------------- */

/* Drops the last segment of "a/b/". False: there is none. */
static bool go_up(struct buf *out, size_t start)
{
    if (out->len == start)
        return false;
    out->len--;
    while (out->len > start && out->ptr[out->len - 1] != '/')
        out->len--;
    return true;
}

bool s3db_prefix(struct buf *out, struct str text, struct buf *why)
{
    size_t start = out->len;
    struct str part, rest = text;

    if (!str_is_utf8(text)) {
        buf_add(why, STR("the prefix is no UTF-8 text"));
        return false;
    }
    while (str_split(&rest, '/', &part)) {
        if (part.len == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            if (go_up(out, start))
                continue;
            buf_add(why, STR("the prefix leads out of the bucket"));
            return false;
        }
        buf_add(out, part);
        buf_add_char(out, '/');
    }
    if (!buf_ok(out))
        buf_add(why, STR("the prefix is too long"));
    return buf_ok(out);
}

/* ---- building ---------------------------------------------------------------------- */

void s3db_key_descriptor(struct buf *out, struct str prefix)
{
    buf_add(out, prefix);
    buf_add(out, STR(DESCRIPTOR_NAME));
}

void s3db_key_resource(struct buf *out, struct str prefix, struct str resource)
{
    buf_add(out, prefix);
    buf_add(out, STR("resource="));
    buf_add(out, resource);
    buf_add_char(out, '/');
}

void s3db_key_record(struct buf *out, struct str prefix, struct str resource, struct str id)
{
    s3db_key_resource(out, prefix, resource);
    buf_add(out, STR("data/id="));
    buf_add(out, id);
}

void s3db_key_raw(struct buf *out, struct str prefix, struct str resource, struct str id)
{
    s3db_key_resource(out, prefix, resource);
    buf_add(out, STR("id="));
    buf_add(out, id);
}

/* ---- names ------------------------------------------------------------------------- */

#define NAME_MAX_BYTES 512

static bool has_control_character(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F)
            return true;
    }
    return false;
}

static bool name_ok(struct str name, const char *what, struct buf *why)
{
    const char *problem = NULL;

    if (name.len == 0)
        problem = "is empty";
    else if (!str_is_utf8(name))
        problem = "is no UTF-8 text";
    else if (has_control_character(name))
        problem = "has a control character";
    else if (name.len > NAME_MAX_BYTES)
        problem = "is too long";
    if (problem)
        buf_addf(why, "%s %s", what, problem);
    return !problem;
}

bool s3db_resource_name_ok(struct str name, struct buf *why)
{
    if (!name_ok(name, "the resource's name", why))
        return false;
    if (str_find_char(name, '/') == SIZE_MAX)
        return true;
    buf_add(why, STR("the resource's name has a slash"));
    return false;
}

bool s3db_id_ok(struct str id, struct buf *why)
{
    struct str part, rest = id;
    bool folds = false;

    if (!name_ok(id, "the id", why))
        return false;
    if (str_find_char(id, '/') == SIZE_MAX)
        return true;
    while (str_split(&rest, '/', &part))
        folds = folds || part.len == 0 || str_eq(part, STR(".")) || str_eq(part, STR(".."));
    if (folds)
        buf_add(why, STR("the id has a part that s3db.js leaves out of keys"));
    return !folds;
}
