/* SPDX-License-Identifier: MIT */
/* attributes.c - the attributes of a definition and what they are called in metadata.
 *
 * Leaves first, depth first, then what holds other attributes: an attribute's number is its
 * place in this list, unless the descriptor has a registry of numbers. */
#include "s3db/schema.h"

#include <ctype.h>
#include <stdio.h>

#define DEPTH_MAX      32
#define PATHS_MAX      MiB(1)
#define PATH_BYTES_MAX 1024

/* ---- paths ------------------------------------------------------------------------- */

/* While the list is made, paths are offsets: the buffer may move. */
struct listing {
    struct s3db_schema *s;
    json_t *seen; /* a set */
    char path[PATH_BYTES_MAX];
    bool leaves;
    size_t room;
    struct buf *why;
};

static bool is_nested(const json_t *definition)
{
    return json_is_object(definition) && json_object_size(definition) > 0;
}

static bool add_attribute(struct listing *l, size_t len, const json_t *definition)
{
    struct s3db_schema *s = l->s;
    struct str path = str_of(l->path, len);

    if (str_find(path, STR("$$")) != SIZE_MAX || js_get(l->seen, path))
        return true;
    if (s->count == S3DB_ATTRIBUTES_MAX) {
        buf_addf(l->why, "resource '%s' has more than %d attributes", s->resource,
                 S3DB_ATTRIBUTES_MAX);
        return false;
    }
    if (s->count == l->room) {
        l->room = l->room > 0 ? l->room * 2 : 32;
        s->list = xrealloc(s->list, l->room * sizeof(*s->list));
    }
    js_must_set(l->seen, path, json_true());
    s->list[s->count++] = (struct attribute){.path = {NULL, len}, .definition = definition};
    buf_add(&s->paths, path);
    return true;
}

/* Leaves of an object of definitions, or (second time) the objects among them. The objects in
 * an object count only where it says that it is one. */
static bool list_attributes(struct listing *l, const json_t *object, size_t len, unsigned depth)
{
    const char *name;
    size_t name_len;
    json_t *value;

    json_object_keylen_foreach(js_unconst(object), name, name_len, value)
    {
        size_t end = len + (len > 0) + name_len;
        bool nested = is_nested(value);

        if (depth == DEPTH_MAX || end > sizeof(l->path)) {
            buf_addf(l->why, "resource '%s': attributes are nested too deep", l->s->resource);
            return false;
        }
        if (len > 0)
            l->path[len] = '.';
        memcpy(l->path + end - name_len, name, name_len);
        bool adds = l->leaves ? !nested : json_is_object(value);
        if (adds && !add_attribute(l, end, value))
            return false;
        bool goes_in = nested && (l->leaves ||
                                  str_eq(js_str(js_get(value, STR("$$type"))), STR("object")));
        if (goes_in && !list_attributes(l, value, end, depth + 1))
            return false;
    }
    return true;
}

static bool list_all(struct s3db_schema *s, struct buf *why)
{
    struct listing l = {.s = s, .seen = json_object(), .leaves = true, .why = why};
    size_t at = 0;
    bool ok;

    buf_init(&s->paths, PATHS_MAX);
    ok = list_attributes(&l, s->attributes, 0, 0);
    l.leaves = false;
    ok = ok && list_attributes(&l, s->attributes, 0, 0);
    json_decref(l.seen);
    if (ok && !buf_ok(&s->paths)) {
        buf_addf(why, "resource '%s': the names of attributes are too long", s->resource);
        return false;
    }
    for (size_t i = 0; ok && i < s->count; i++) {
        s->list[i].path.ptr = s->paths.ptr + at;
        at += s->list[i].path.len;
    }
    return ok;
}

/* ---- names ------------------------------------------------------------------------- */

/* The plugin that an attribute belongs to; empty: none. *name: what the registry calls it. */
static struct str plugin_of(const struct attribute *a, const json_t *plugins, struct str *name)
{
    const char *plugin;
    size_t plugin_len;
    json_t *entry;

    *name = STR_NONE;
    json_object_keylen_foreach(js_unconst(plugins), plugin, plugin_len, entry)
    {
        *name = js_str(js_get(js_get(entry, STR("mapping")), a->path));
        if (name->len > 0)
            return str_of(plugin, plugin_len);
    }
    return js_str(js_get(a->definition, STR("__plugin__")));
}

/* "p" and three digits made of a hash. */
static void hashed_name(struct buf *out, struct str plugin, struct str path)
{
    AUTO_BUF(text, KiB(4));
    AUTO_BUF(digits, 32);
    uint8_t hash[SHA256_SIZE];
    uint32_t word = 0;

    buf_add(&text, plugin);
    buf_add_char(&text, ':');
    buf_add(&text, path);
    sha256_once(buf_str(&text), hash);
    for (size_t i = 0; i < 4; i++)
        word = word << 8 | hash[i];
    base62_add_padded(&digits, word, 3);
    buf_add_char(out, 'p');
    buf_add(out, str_of(digits.ptr, 3));
}

static void lower(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        b->ptr[i] = (char)tolower((unsigned char)b->ptr[i]);
}

static void set_name(struct attribute *a, struct buf *name)
{
    lower(name);
    if (name->len < sizeof(a->name))
        str_put(a->name, buf_str(name));
}

/* As long as another attribute has the name, a number is put behind it. */
static void name_of_plugin(struct s3db_schema *s, struct attribute *a, struct str plugin,
                           struct str registered)
{
    AUTO_BUF(name, 64);
    size_t len;

    a->plugin = true;
    if (registered.len > 0)
        buf_add(&name, registered);
    else
        hashed_name(&name, plugin, a->path);
    lower(&name);
    len = name.len;
    for (unsigned i = 1; registered.len == 0 && js_get(s->by_name, buf_str(&name)); i++) {
        name.len = len;
        buf_add_u64(&name, i);
    }
    set_name(a, &name);
}

/* The number that a registry has for an attribute, also for one that is gone. */
static bool registered_number(const json_t *registry, struct str path, uint32_t *number)
{
    const json_t *found = js_get(js_get(registry, STR("mapping")), path);
    const json_t *burned = js_get(registry, STR("burned"));

    for (size_t i = 0; !found && i < json_array_size(burned); i++) {
        const json_t *one = json_array_get(burned, i);

        if (str_eq(js_str(js_get(one, STR("attribute"))), path))
            found = js_get(one, STR("index"));
    }
    if (!json_is_integer(found) || json_integer_value(found) < 0 ||
        json_integer_value(found) > UINT32_MAX)
        return false;
    *number = (uint32_t)json_integer_value(found);
    return true;
}

static void name_of_number(struct attribute *a, uint32_t number, unsigned base)
{
    AUTO_BUF(name, 32);

    if (base == 36)
        base36_add(&name, number);
    else
        base62_add(&name, number);
    set_name(a, &name);
}

/* ---- collisions -------------------------------------------------------------------- */

static void note_collision(struct s3db_schema *s, struct attribute *first,
                           struct attribute *second)
{
    json_t *all, *entry = NULL;

    for (size_t i = 0; i < json_array_size(s->collisions) && !entry; i++) {
        json_t *one = json_array_get(s->collisions, i);

        if (str_eq(js_str(js_get(one, STR("name"))), str_c(first->name)))
            entry = one;
    }
    if (!entry) {
        entry = json_pack("{s:s, s:[o]}", "name", first->name, "attributes",
                          js_string(first->path));
        json_array_append_new(s->collisions, entry);
    }
    all = js_get(entry, STR("attributes"));
    json_array_append_new(all, js_string(second->path));
    first->collides = second->collides = true;
}

static void enter_name(struct s3db_schema *s, size_t at)
{
    struct attribute *a = &s->list[at];
    const json_t *there = js_get(s->by_name, str_c(a->name));

    if (a->name[0] == '\0')
        return;
    if (there)
        note_collision(s, &s->list[json_integer_value(there)], a);
    else
        js_must_set(s->by_name, str_c(a->name), json_integer((json_int_t)at));
}

/* ---- the door ---------------------------------------------------------------------- */

/* Types that came with s3db.js 21.2: whoever uses one also knows the others. */
static bool knows_datetimes(const struct s3db_schema *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct str text = js_str(s->list[i].definition);

        if (str_has_prefix(text, STR("datetime")) || str_has_prefix(text, STR("dateonly")) ||
            str_has_prefix(text, STR("timeonly")))
            return true;
    }
    return false;
}

bool attributes_number(struct s3db_schema *s, const json_t *registry, const json_t *plugins,
                       unsigned base, struct buf *why)
{
    uint32_t next = 0, number;

    if (!list_all(s, why))
        return false;
    s->by_name = json_object();
    s->by_path = json_object();
    s->collisions = json_array();
    s->datetimes = knows_datetimes(s);
    for (size_t i = 0; i < s->count; i++) {
        struct attribute *a = &s->list[i];
        struct str registered, plugin = plugin_of(a, plugins, &registered);

        if (plugin.len > 0) {
            name_of_plugin(s, a, plugin, registered);
        } else {
            number = next++;
            if (!registry || registered_number(registry, a->path, &number))
                name_of_number(a, number, base);
        }
        a->codec = codec_of(a->definition, s->datetimes);
        enter_name(s, i);
        js_must_set(s->by_path, a->path, json_integer((json_int_t)i));
    }
    return true;
}

static const struct attribute *found(const struct s3db_schema *s, const json_t *position)
{
    return position ? &s->list[json_integer_value(position)] : NULL;
}

const struct attribute *attribute_named(const struct s3db_schema *s, struct str name)
{
    return found(s, js_get(s->by_name, name));
}

const struct attribute *attribute_at(const struct s3db_schema *s, struct str path)
{
    return found(s, js_get(s->by_path, path));
}

json_t *record_at(const json_t *record, struct str path)
{
    const json_t *value = record;
    struct str part, rest = path;

    while (value && str_split(&rest, '.', &part))
        value = js_get(value, part);
    return js_unconst(value);
}

void buf_add_mangled(struct buf *b, struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];

        buf_add_char(b, isalnum(c) && c < 0x80 ? (char)tolower(c) : c == '-' ? '-' : '_');
    }
}
