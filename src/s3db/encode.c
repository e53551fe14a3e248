/* SPDX-License-Identifier: MIT */
/* encode.c - plain records -> objects: values as text by the types of the schema, then split
 * into metadata and body by its behavior. */
#include "s3db/schema.h"

#include <stdlib.h>

/* S3's 2 KiB, as s3db.js counts: names and values before the header layer. */
#define BUDGET          2047
#define BUDGET_FOR_TIME 66 /* both timestamps with their names */
#define DEPTH_MAX       32
#define TEXT_MAX        MiB(64)
#define PATH_MAX_BYTES  KiB(4)

/* One value of the record. */
struct value {
    struct str name; /* in metadata; borrowed from the schema, or from `names` */
    size_t name_at;  /* where in names, while that still moves */
    bool own_name;
    bool is_null, is_plain;
    size_t text, len; /* in texts */
    json_t *as_is;    /* borrowed from the record: a body has numbers and booleans without a
                         codec as they are; NULL: as text */
};

struct splitting {
    const struct s3db_schema *s;
    struct str passphrase;
    struct buf names, texts, path;
    struct value *values; /* owned */
    size_t count, room;
    struct buf *why;
};

static struct str text_of(const struct splitting *p, const struct value *v)
{
    return v->is_null ? STR("null") : str_of(str_from(buf_str(&p->texts), v->text).ptr, v->len);
}

static size_t size_of(const struct splitting *p, const struct value *v)
{
    return text_of(p, v).len;
}

/* ---- values ------------------------------------------------------------------------ */

static struct value *add_value(struct splitting *p, const struct attribute *a)
{
    struct value *v;

    if (p->count == p->room) {
        p->room = p->room > 0 ? p->room * 2 : 32;
        p->values = xrealloc(p->values, p->room * sizeof(*p->values));
    }
    v = &p->values[p->count++];
    *v = (struct value){.text = p->texts.len};
    if (a && a->name[0] != '\0') {
        v->name = str_c(a->name);
        return v;
    }
    v->own_name = true;
    v->name_at = p->names.len;
    buf_add_mangled(&p->names, buf_str(&p->path));
    v->name.len = p->names.len - v->name_at;
    return v;
}

/* The value at p->path. */
static bool take_value(struct splitting *p, const struct attribute *a, const json_t *value)
{
    const struct codec plain = {.kind = CODEC_PLAIN};
    struct value *v = add_value(p, a);
    AUTO_BUF(problem, KiB(1));

    v->is_null = json_is_null(value);
    v->is_plain = !a || a->codec.kind == CODEC_PLAIN;
    if (v->is_plain && !json_is_string(value))
        v->as_is = js_unconst(value);
    if (!v->is_null &&
        !codec_encode(a ? a->codec : plain, value, p->passphrase, &p->texts, &problem)) {
        buf_addf(p->why, "%.*s: %.*s", (int)p->path.len, p->path.ptr, (int)problem.len,
                 problem.len ? problem.ptr : "");
        return false;
    }
    v->len = p->texts.len - v->text;
    return true;
}

static bool is_internal(struct str name)
{
    return name.len == 0 || name.ptr[0] == '$' ||
           (name.ptr[0] == '_' && !str_has_prefix(name, STR("_geohash")));
}

/* What holds attributes is gone into. One that says its type is a value, and so is what the
 * schema does not know: as JSON text it comes back, in pieces it would not. */
static bool holds_attributes(const struct s3db_schema *s, struct str path)
{
    const json_t *definition = record_at(s->attributes, path);

    return json_is_object(definition) && !json_is_string(js_get(definition, STR("type")));
}

static bool take_members(struct splitting *p, const json_t *object, unsigned depth)
{
    size_t start = p->path.len, name_len;
    const char *name;
    json_t *value;
    bool ok = true;

    json_object_keylen_foreach(js_unconst(object), name, name_len, value)
    {
        struct str member = str_of(name, name_len);

        if (depth == 0 && (is_internal(member) || str_eq(member, STR("id"))) &&
            !attribute_at(p->s, member))
            continue;
        if (depth == 0 && str_eq(member, STR("id")))
            continue;
        if (depth > 0)
            buf_add_char(&p->path, '.');
        buf_add(&p->path, member);

        const struct attribute *a = attribute_at(p->s, buf_str(&p->path));
        bool inside = json_object_size(value) > 0 && holds_attributes(p->s, buf_str(&p->path));

        if (!buf_ok(&p->path) || depth == DEPTH_MAX) {
            buf_add(p->why, STR("members are nested too deep, or have too long names"));
            return false;
        }
        ok = inside ? take_members(p, value, depth + 1) : take_value(p, a, value);
        p->path.len = start;
        if (!ok)
            return false;
    }
    return true;
}

/* ---- splitting --------------------------------------------------------------------- */

static size_t budget(const struct s3db_schema *s)
{
    return BUDGET - strlen("_v") - strlen(s->version) - (s->timestamps ? BUDGET_FOR_TIME : 0);
}

/* Names and values, the version's included. */
static size_t total(const struct splitting *p)
{
    size_t sum = strlen("_v") + strlen(p->s->version);

    for (size_t i = 0; i < p->count; i++)
        sum += p->values[i].name.len + size_of(p, &p->values[i]);
    return sum;
}

static void into_metadata(const struct splitting *p, const struct value *v, struct encoding *e)
{
    encoding_add_pair(e, v->name, text_of(p, v));
}

static json_t *new_body(const struct splitting *p, bool with_version)
{
    json_t *body = json_object();

    if (with_version)
        js_must_set(body, STR("_v"), json_string(p->s->version));
    return body;
}

/* False: the text is no UTF-8, which JSON cannot hold. */
static bool into_body(const struct splitting *p, const struct value *v, json_t *body)
{
    json_t *value = v->is_null ? json_null()
                    : v->as_is ? json_incref(v->as_is)
                               : js_string(text_of(p, v));

    return value && js_set(body, v->name, value);
}

static bool all_into_body(const struct splitting *p, struct encoding *e)
{
    AUTO(json_t) body = new_body(p, true);

    for (size_t i = 0; i < p->count; i++) {
        if (!into_body(p, &p->values[i], body))
            return false;
    }
    js_write(&e->body, body);
    return true;
}

static int cmp_size(const void *a, const void *b, void *arg)
{
    const struct value *x = a, *y = b;
    size_t of_x = size_of(arg, x), of_y = size_of(arg, y);

    if (of_x != of_y)
        return of_x < of_y ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

/* Smallest first, as many as fit. Returns how many went into metadata; *left: of the budget. */
static size_t fill_metadata(struct splitting *p, struct encoding *e, size_t *left)
{
    size_t n = 0;

    *left = budget(p->s);
    if (p->count > 0)
        qsort_r(p->values, p->count, sizeof(*p->values), cmp_size, p);
    while (n < p->count && size_of(p, &p->values[n]) <= *left) {
        *left -= size_of(p, &p->values[n]);
        into_metadata(p, &p->values[n++], e);
    }
    return n;
}

static bool overflow_into_body(struct splitting *p, struct encoding *e)
{
    size_t left, n = fill_metadata(p, e, &left);

    if (n == p->count)
        return true;

    AUTO(json_t) body = new_body(p, false);

    encoding_add_pair(e, STR("_overflow"), STR("true"));
    for (; n < p->count; n++) {
        if (!into_body(p, &p->values[n], body))
            return false;
    }
    js_write(&e->body, body);
    return true;
}

/* What does not fit is lost: that is what the behavior is for. Only plain text can be cut. */
static bool truncate(struct splitting *p, struct encoding *e)
{
    size_t left, n = fill_metadata(p, e, &left);

    if (n == p->count)
        return true;
    if (p->values[n].is_plain && !p->values[n].is_null) {
        struct str text = text_of(p, &p->values[n]);

        while (left > 0 && ((unsigned char)text.ptr[left] & 0xC0) == 0x80)
            left--;
        encoding_add_pair(e, p->values[n].name, str_of(text.ptr, left));
    }
    encoding_add_pair(e, STR("_truncated"), STR("true"));
    return true;
}

static bool into_metadata_only(const struct splitting *p, struct encoding *e)
{
    for (size_t i = 0; i < p->count; i++)
        into_metadata(p, &p->values[i], e);
    return true;
}

static void add_map(const struct s3db_schema *s, struct encoding *e, bool plugins)
{
    AUTO(json_t) map = json_object();
    AUTO_BUF(text, MiB(2));

    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i].plugin == plugins && s->list[i].name[0] != '\0')
            js_must_set(map, s->list[i].path, json_string(s->list[i].name));
    }
    if (plugins && json_object_size(map) == 0)
        return;
    js_write(&text, map);
    encoding_add_pair(e, plugins ? STR("_pluginmap") : STR("_map"), buf_str(&text));
}

static bool split(struct splitting *p, struct encoding *e)
{
    const struct s3db_schema *s = p->s;
    bool fits = total(p) <= budget(s);

    encoding_add_pair(e, STR("_v"), str_c(s->version));
    switch (s->behavior) {
    case S3DB_BODY_ONLY:
        add_map(s, e, false);
        add_map(s, e, true);
        return all_into_body(p, e);
    case S3DB_BODY_OVERFLOW:
        add_map(s, e, true);
        return overflow_into_body(p, e);
    case S3DB_TRUNCATE_DATA:
        return truncate(p, e);
    case S3DB_ENFORCE_LIMITS:
        if (fits)
            return into_metadata_only(p, e);
        buf_addf(p->why, "Metadata size exceeds 2KB limit: %zu bytes, and %zu are allowed",
                 total(p), budget(s));
        return false;
    case S3DB_USER_MANAGED:
        break;
    }
    if (fits)
        return into_metadata_only(p, e);
    add_map(s, e, true);
    return all_into_body(p, e);
}

/* Text of a body of the user's own. */
static bool add_own_body(struct splitting *p, const json_t *record, struct encoding *e,
                         struct str *type)
{
    const json_t *body = js_get(record, STR("_body"));

    *type = e->body.len > 0 ? STR("application/json") : STR("application/octet-stream");
    if (!body || json_is_null(body))
        return true;
    if (e->body.len > 0 || !json_is_string(body)) {
        buf_add(p->why, e->body.len > 0
                            ? STR("_body: the body is needed for the record's own values")
                            : STR("_body: a text is needed"));
        return false;
    }
    buf_add(&e->body, js_str(body));
    return true;
}

/* ---- the door ---------------------------------------------------------------------- */

static bool encode(struct splitting *p, const json_t *record, struct s3db_encoded *out)
{
    struct encoding e;
    struct str type;

    if (!json_is_object(record)) {
        buf_add(p->why, STR("the record is no object"));
        return false;
    }
    if (!take_members(p, record, 0))
        return false;
    if (!buf_ok(&p->texts) || !buf_ok(&p->names)) {
        buf_add(p->why, STR("the record is too large"));
        return false;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (p->values[i].own_name)
            p->values[i].name.ptr = p->names.ptr + p->values[i].name_at;
    }
    encoding_begin(&e, p->count);
    if (split(p, &e) && add_own_body(p, record, &e, &type))
        return encoding_end(&e, type, out, p->why);
    if (p->why->len == 0)
        buf_add(p->why, STR("a value is no UTF-8 text"));
    encoding_drop(&e);
    return false;
}

bool s3db_record_encode(struct s3db_encoded *out, const struct s3db_schema *s, struct str id,
                        const json_t *record, struct str passphrase, struct buf *why)
{
    struct splitting p = {.s = s, .passphrase = passphrase, .why = why};
    bool ok;

    *out = (struct s3db_encoded){.object.pair_count = 0};
    buf_init(&p.names, MiB(1));
    buf_init(&p.texts, TEXT_MAX);
    buf_init(&p.path, PATH_MAX_BYTES);
    ok = s3db_id_ok(id, why) && encode(&p, record, out);
    buf_release(&p.names);
    buf_release(&p.texts);
    buf_release(&p.path);
    mem_free(p.values);
    return ok;
}
