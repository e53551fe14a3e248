/* SPDX-License-Identifier: MIT */
/* decode.c - objects -> plain records.
 *
 * Once (s3db.js itself unmaps twice): values out of the header layer, names -> attributes, text
 * -> values. The body comes first where the behavior keeps data there, metadata goes over it.
 */
#include "s3db/schema.h"

/* Longest value that is read out of a header or a body's member. */
#define TEXT_MAX MiB(64)

struct decoding {
    const struct s3db_schema *s;
    struct str passphrase;
    struct s3db_notes *notes;
    json_t *map, *plugin_map; /* of the record itself: path -> name; NULL: none */
    json_t *record;
};

/* ---- notes ------------------------------------------------------------------------- */

void s3db_notes_release(struct s3db_notes *notes)
{
    json_decref(notes->secrets);
    json_decref(notes->collisions);
    *notes = (struct s3db_notes){.opaque_body = false};
}

/* Once each. */
static void note_text(json_t **list, struct str text)
{
    if (!*list)
        *list = json_array();
    for (size_t i = 0; i < json_array_size(*list); i++) {
        if (str_eq(js_str(json_array_get(*list, i)), text))
            return;
    }
    json_array_append_new(*list, js_string(text));
}

/* ---- names ------------------------------------------------------------------------- */

/* The path that a map of the record has for a name; STR_NONE: none. */
static struct str mapped_path(const json_t *map, struct str name)
{
    const char *path;
    size_t path_len;
    json_t *value;

    json_object_keylen_foreach(js_unconst(map), path, path_len, value)
    {
        if (str_eq_nocase(js_str(value), name))
            return str_of(path, path_len);
    }
    return STR_NONE;
}

/* The path that a name in metadata stands for; STR_NONE: it stands for itself. *a: its
 * attribute, NULL when the schema has none there. */
static struct str path_of(const struct decoding *d, struct str name, const struct attribute **a)
{
    struct str path = mapped_path(d->map, name);

    if (!path.ptr)
        path = mapped_path(d->plugin_map, name);
    *a = path.ptr ? attribute_at(d->s, path) : attribute_named(d->s, name);
    return *a ? (*a)->path : path;
}

/* Internal to s3db.js, or nothing that JSON can name. */
static bool is_internal(const struct decoding *d, struct str name)
{
    const struct attribute *a;

    if (name.len == 0 || name.ptr[0] == '$' || !str_is_utf8(name))
        return true;
    if (name.ptr[0] != '_' || str_eq(name, STR("_geohash")) ||
        str_has_prefix(name, STR("_geohash_zoom")))
        return false;
    return !path_of(d, name, &a).ptr;
}

/* ---- values ------------------------------------------------------------------------ */

/* Sets the value at a dotted path, making objects on the way. Where something else is in the
 * way the path itself is the name. */
static void set_at(json_t *record, struct str path, json_t *value)
{
    struct str part, rest = path;
    json_t *at = record;

    while (str_split(&rest, '.', &part) && rest.ptr) {
        json_t *next = js_get(at, part);

        if (!next) {
            next = json_object();
            js_must_set(at, part, next);
        }
        if (!json_is_object(next)) {
            js_must_set(record, path, value);
            return;
        }
        at = next;
    }
    js_must_set(at, part, value);
}

/* What s3db.js makes of text that has no codec: null and undefined are words. NULL: nothing. */
static json_t *read_text(struct decoding *d, const struct attribute *a, struct str text)
{
    const struct codec plain = {.kind = CODEC_PLAIN};
    bool closed = false;
    json_t *value;

    if (str_eq(text, STR("undefined")))
        return NULL;
    if (str_eq(text, STR("null")))
        return json_null();
    value = codec_decode(a ? a->codec : plain, text, d->passphrase, &closed);
    if (closed && a)
        note_text(&d->notes->secrets, a->path);
    if (a && a->codec.kind == CODEC_SECRET && json_is_null(value)) {
        json_decref(value); /* sealed nothing */
        return NULL;
    }
    return value;
}

static void take_text(struct decoding *d, struct str name, struct str text)
{
    const struct attribute *a;
    struct str path = path_of(d, name, &a);
    json_t *value;

    if (a && a->collides && !d->map) {
        /* Either of two attributes may have sent it. */
        note_text(&d->notes->collisions, name);
        path = STR_NONE;
        a = NULL;
    }
    value = read_text(d, a, text);
    if (value)
        set_at(d->record, path.ptr ? path : name, value);
}

static void take_pair(struct decoding *d, const struct s3db_pair *pair)
{
    AUTO_BUF(text, TEXT_MAX);

    if (is_internal(d, pair->name)) {
        if (str_eq(pair->name, STR("_truncated")))
            d->notes->truncated = true;
        return;
    }
    switch (header_decode(&text, pair->value)) {
    case HEADER_TEXT:
        take_text(d, pair->name, text.ptr ? buf_str(&text) : STR(""));
        break;
    case HEADER_NULL:
        take_text(d, pair->name, STR("null"));
        break;
    case HEADER_UNDEFINED:
        break;
    }
}

/* A member of a JSON body: under its name in metadata, or under its own. */
static void take_member(struct decoding *d, struct str name, json_t *value)
{
    const struct attribute *a;
    struct str path;

    if (is_internal(d, name))
        return;
    path = path_of(d, name, &a);
    if (path.ptr && json_is_string(value))
        take_text(d, name, js_str(value));
    else
        set_at(d->record, path.ptr ? path : name, json_incref(value));
}

/* The record's own map, JSON text in metadata. */
static json_t *read_map(const struct s3db_object *object, struct str name)
{
    AUTO_BUF(text, TEXT_MAX);
    AUTO_BUF(why, KiB(1));

    for (size_t i = 0; i < object->pair_count; i++) {
        if (str_eq_nocase(object->pairs[i].name, name) &&
            header_decode(&text, object->pairs[i].value) == HEADER_TEXT)
            return js_parse(buf_str(&text), &why);
    }
    return NULL;
}

/* ---- the body ---------------------------------------------------------------------- */

static bool keeps_data_in_body(enum s3db_behavior behavior)
{
    return behavior == S3DB_BODY_OVERFLOW || behavior == S3DB_BODY_ONLY ||
           behavior == S3DB_USER_MANAGED;
}

/* NULL: it is no JSON object. */
static json_t *body_object(struct str body)
{
    AUTO_BUF(why, KiB(1));
    json_t *value = body.len > 0 ? js_parse(body, &why) : NULL;

    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static void take_body(struct decoding *d, struct str body, bool is_data)
{
    AUTO(json_t) object = body_object(body);
    const char *name;
    size_t name_len;
    json_t *value;

    if (!object && body.len > 0) {
        if (str_is_utf8(body) && body.len <= TEXT_MAX)
            js_must_set(d->record, STR("_body"), js_string(body));
        else
            d->notes->opaque_body = true;
    }
    if (!object || !is_data)
        return;
    json_object_keylen_foreach(object, name, name_len, value)
        take_member(d, str_of(name, name_len), value);
}

/* ---- order ------------------------------------------------------------------------- */

static int cmp_str(const void *a, const void *b)
{
    return js_cmp_names(*(const struct str *)a, *(const struct str *)b);
}

/* Moves what is left of `from`, sorted. */
static void move_rest(json_t *from, json_t *to)
{
    size_t n = 0, name_len;
    struct str *names = xcalloc(json_object_size(from) + 1, sizeof(*names));
    const char *name;
    json_t *value;

    json_object_keylen_foreach(from, name, name_len, value) names[n++] = str_of(name, name_len);
    qsort(names, n, sizeof(*names), cmp_str);
    for (size_t i = 0; i < n; i++) {
        if (!js_get(to, names[i]))
            js_must_set(to, names[i], json_incref(js_get(from, names[i])));
    }
    mem_free(names);
}

/* A copy with members as the definition has them, others behind. Bounded: a definition's depth
 * is. */
static json_t *in_order(const json_t *record, const json_t *definition, json_t *to)
{
    AUTO(json_t) rest = json_copy(js_unconst(record));
    const char *name;
    size_t name_len;
    json_t *one;

    json_object_keylen_foreach(js_unconst(definition), name, name_len, one)
    {
        struct str member = str_of(name, name_len);
        json_t *value = js_get(rest, member);

        if (!value)
            continue;
        if (!js_get(to, member))
            js_must_set(to, member,
                        json_is_object(value) && json_is_object(one)
                            ? in_order(value, one, json_object())
                            : json_incref(value));
        json_object_deln(rest, name, name_len);
    }
    move_rest(rest, to);
    return to;
}

/* The record with its id in front. NULL: the id is no UTF-8. */
static json_t *finish(struct decoding *d, struct str id)
{
    json_t *out = json_object();
    bool named = js_set(out, STR("id"), js_string(id));

    if (named)
        in_order(d->record, d->s ? d->s->attributes : NULL, out);
    json_decref(d->record);
    json_decref(d->map);
    json_decref(d->plugin_map);
    if (named)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- the door ---------------------------------------------------------------------- */

json_t *s3db_record_decode(const struct s3db_schema *s, struct str id,
                           const struct s3db_object *object, struct str passphrase,
                           struct s3db_notes *notes)
{
    struct decoding d = {
        .s = s, .passphrase = passphrase, .notes = notes, .record = json_object()};

    if (s->behavior == S3DB_BODY_ONLY)
        d.map = read_map(object, STR("_map"));
    d.plugin_map = read_map(object, STR("_pluginmap"));
    take_body(&d, object->body, keeps_data_in_body(s->behavior));
    for (size_t i = 0; i < object->pair_count; i++)
        take_pair(&d, &object->pairs[i]);
    return finish(&d, id);
}

json_t *s3db_mapped_decode(const struct s3db_schema *s, const json_t *line,
                           struct str passphrase, struct s3db_notes *notes)
{
    struct decoding d = {
        .s = s, .passphrase = passphrase, .notes = notes, .record = json_object()};
    AUTO_BUF(id, KiB(4));
    AUTO_BUF(why, KiB(1));
    const char *name;
    size_t name_len;
    json_t *value;

    json_object_keylen_foreach(js_unconst(line), name, name_len, value)
    {
        struct str member = str_of(name, name_len);

        if (str_eq(member, STR("_body")))
            js_must_set(d.record, member, json_incref(value));
        else if (!str_eq(member, STR("id")) && !str_eq(member, STR("_id")))
            take_member(&d, member, value);
    }
    if (json_object_size(d.record) == 0 || !s3db_record_id(&id, line, &why)) {
        json_decref(d.record);
        return NULL;
    }
    return finish(&d, buf_str(&id));
}
