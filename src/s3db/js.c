/* SPDX-License-Identifier: MIT */
/* js.c - JSON as JavaScript reads and writes it, over jansson's values. */
#include "s3db/js.h"

#include <assert.h>
#include <stdlib.h>

#define INDEX_MAX 4294967294U /* 2^32 - 2: beyond it a name is no array index */

/* ---- small things ------------------------------------------------------------------ */

/* Iterating asks for a json_t that may change; we only look. */
json_t *js_unconst(const json_t *value)
{
    return (json_t *)(uintptr_t)value;
}

struct str js_str(const json_t *value)
{
    if (!json_is_string(value))
        return STR_NONE;
    return str_of(json_string_value(value), json_string_length(value));
}

json_t *js_string(struct str text)
{
    return json_stringn(text.len > 0 ? text.ptr : "", text.len);
}

json_t *js_get(const json_t *object, struct str name)
{
    return json_object_getn(object, name.len > 0 ? name.ptr : "", name.len);
}

bool js_set(json_t *object, struct str name, json_t *value)
{
    return json_object_setn_new(object, name.len > 0 ? name.ptr : "", name.len, value) == 0;
}

void js_must_set(json_t *object, struct str name, json_t *value)
{
    bool set = js_set(object, name, value);

    assert(set);
}

static bool equal(const json_t *a, const json_t *b, unsigned depth);

static bool objects_equal(const json_t *a, const json_t *b, unsigned depth)
{
    const char *name;
    size_t name_len;
    json_t *value;

    if (json_object_size(a) != json_object_size(b))
        return false;
    json_object_keylen_foreach(js_unconst(a), name, name_len, value)
    {
        if (!equal(value, js_get(b, str_of(name, name_len)), depth + 1))
            return false;
    }
    return true;
}

static bool equal(const json_t *a, const json_t *b, unsigned depth)
{
    if (!a || !b || depth > S3DB_JSON_DEPTH_MAX)
        return a == b;
    if (json_is_number(a) && json_is_number(b))
        return js_double(a) == js_double(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return str_eq(js_str(a), js_str(b));
    if (json_is_object(a))
        return objects_equal(a, b, depth);
    if (!json_is_array(a))
        return true;
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++) {
        if (!equal(json_array_get(a, i), json_array_get(b, i), depth + 1))
            return false;
    }
    return true;
}

bool js_equal(const json_t *a, const json_t *b)
{
    return equal(a, b, 0);
}

/* ---- the order of members ---------------------------------------------------------- */

/* "0", "17", not "017", "-1" or "4294967295". */
static bool is_index(struct str name, uint64_t *index)
{
    return name.len > 0 && name.len <= 10 && (name.ptr[0] != '0' || name.len == 1) &&
           str_to_u64(name, index) && *index <= INDEX_MAX;
}

struct indexed {
    uint64_t index;
    struct str name;
};

static int cmp_indexed(const void *a, const void *b)
{
    const struct indexed *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

static bool in_order(const json_t *object)
{
    uint64_t last = 0, index;
    bool any = false, named = false;
    const char *name;
    size_t name_len;
    json_t *value;

    json_object_keylen_foreach(js_unconst(object), name, name_len, value)
    {
        if (!is_index(str_of(name, name_len), &index)) {
            named = true;
            continue;
        }
        if (named || (any && index < last))
            return false;
        any = true;
        last = index;
    }
    return true;
}

/* Index members in their order first, then the others: into `to`, with their values. */
static bool put_in_order(json_t *to, const json_t *from, struct indexed *list)
{
    const char *name;
    size_t name_len, count = 0;
    json_t *value;
    bool ok = true;

    json_object_keylen_foreach(js_unconst(from), name, name_len, value)
    {
        list[count].name = str_of(name, name_len);
        count += is_index(list[count].name, &list[count].index);
    }
    qsort(list, count, sizeof(*list), cmp_indexed);
    for (size_t i = 0; i < count && ok; i++)
        ok = js_set(to, list[i].name, json_incref(js_get(from, list[i].name)));
    json_object_keylen_foreach(js_unconst(from), name, name_len, value)
    {
        uint64_t index;

        if (ok && !is_index(str_of(name, name_len), &index))
            ok = js_set(to, str_of(name, name_len), json_incref(value));
    }
    return ok;
}

json_t *js_ordered(const json_t *object)
{
    AUTO(json_t) sorted = NULL;
    struct indexed *list;
    bool ok;

    if (in_order(object))
        return json_incref(js_unconst(object));
    list = try_malloc((json_object_size(object) + 1) * sizeof(*list));
    sorted = json_object();
    ok = list && sorted && put_in_order(sorted, object, list);
    mem_free(list);
    return ok ? TAKE(sorted) : NULL;
}

/* ---- reading ----------------------------------------------------------------------- */

static json_t *as_javascript(json_t *value, unsigned depth, struct buf *why);

static json_t *object_as_javascript(json_t *object, unsigned depth, struct buf *why)
{
    const char *name;
    size_t name_len;
    json_t *value;
    void *next;
    AUTO(json_t) sorted = NULL;

    json_object_keylen_foreach_safe(object, next, name, name_len, value)
    {
        json_t *new_value = as_javascript(value, depth, why);

        if (!new_value)
            return NULL;
        if (!js_set(object, str_of(name, name_len), new_value)) {
            buf_add(why, STR("memory is out"));
            return NULL;
        }
    }
    sorted = js_ordered(object);
    if (!sorted)
        buf_add(why, STR("memory is out"));
    return TAKE(sorted);
}

static json_t *array_as_javascript(json_t *array, unsigned depth, struct buf *why)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *value = as_javascript(json_array_get(array, i), depth, why);

        if (!value || json_array_set_new(array, i, value) != 0)
            return NULL;
    }
    return json_incref(array);
}

/* What jansson read, numbers as doubles, with JavaScript's numbers and order: a new reference,
 * often of the same value. */
static json_t *as_javascript(json_t *value, unsigned depth, struct buf *why)
{
    if (json_is_real(value))
        return js_number(json_real_value(value));
    if (!json_is_object(value) && !json_is_array(value))
        return json_incref(value);
    if (depth >= S3DB_JSON_DEPTH_MAX) {
        buf_addf(why, "JSON nested deeper than %d", S3DB_JSON_DEPTH_MAX);
        return NULL;
    }
    return json_is_object(value) ? object_as_javascript(value, depth + 1, why)
                                 : array_as_javascript(value, depth + 1, why);
}

/* 0xD800..0xDFFF when text starts with such an escape, else 0. */
static unsigned surrogate_escape(struct str text)
{
    uint8_t unit[2];
    unsigned value;

    if (text.len < 6 || text.ptr[0] != '\\' || text.ptr[1] != 'u' ||
        !hex_decode_exact(str_of(text.ptr + 2, 4), unit, 2))
        return 0;
    value = (unsigned)unit[0] << 8 | unit[1];
    return value >= 0xD800 && value <= 0xDFFF ? value : 0;
}

/* JSON text whose lone surrogates, which JavaScript's strings may hold and UTF-8 cannot, are
 * U+FFFD. False: there were none. */
static bool replace_lone_surrogates(struct buf *out, struct str text)
{
    bool any = false;

    while (text.len > 0) {
        unsigned unit = surrogate_escape(text);
        unsigned next = unit ? surrogate_escape(str_from(text, 6)) : 0;
        size_t run = text.ptr[0] != '\\' ? 1 : 2;

        if (unit && unit < 0xDC00 && next >= 0xDC00) {
            run = 12;
        } else if (unit) {
            buf_add(out, STR("\\ufffd"));
            text = str_from(text, 6);
            any = true;
            continue;
        }
        buf_add(out, str_of(text.ptr, run < text.len ? run : text.len));
        text = str_from(text, run);
    }
    return any;
}

static json_t *load(struct str text, json_error_t *error)
{
    return json_loadb(text.len > 0 ? text.ptr : "", text.len,
                      JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, error);
}

static void explain(struct buf *why, const json_error_t *error)
{
    buf_add(why, STR("no JSON: "));
    for (const char *at = error->text; *at; at++)
        buf_add_char(why, (unsigned char)*at < ' ' ? ' ' : *at);
    if (error->line > 0)
        buf_addf(why, " (line %d, column %d)", error->line, error->column);
}

size_t js_parse_memory(struct str text)
{
    /* Values of jansson with their tables, and members that are put into another order. */
    enum { OBJECT = 480, ARRAY = 240, MEMBER = 200, VALUE = 96 };
    size_t bytes = 2 * text.len + VALUE;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string)
            bytes += c == '{'   ? OBJECT
                     : c == '[' ? ARRAY
                     : c == ':' ? MEMBER
                     : c == ',' ? VALUE
                                : 0;
    }
    return bytes;
}

json_t *js_parse(struct str text, struct buf *why)
{
    json_error_t error;
    AUTO(json_t) value = load(text, &error);

    if (!value && json_error_code(&error) == json_error_invalid_syntax) {
        AUTO_BUF(repaired, text.len + 1);
        json_error_t second;

        if (replace_lone_surrogates(&repaired, text) && buf_ok(&repaired))
            value = load(buf_str(&repaired), &second);
    }
    if (!value) {
        explain(why, &error);
        return NULL;
    }
    return as_javascript(value, 0, why);
}

/* ---- writing ----------------------------------------------------------------------- */

struct writer {
    struct buf *out;
    bool indented;
    unsigned depth;
};

static void write_value(struct writer *w, const json_t *value);

static void new_line(struct writer *w)
{
    if (!w->indented)
        return;
    buf_add_char(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        buf_add(w->out, STR("  "));
}

static void write_string(struct writer *w, struct str text)
{
    buf_add_char(w->out, '"');
    buf_add_json(w->out, text);
    buf_add_char(w->out, '"');
}

static void write_members(struct writer *w, const json_t *object)
{
    AUTO(json_t) ordered = js_ordered(object);
    const char *name;
    size_t name_len;
    json_t *value;
    bool first = true;

    w->out->failed |= !ordered;
    json_object_keylen_foreach(ordered, name, name_len, value)
    {
        if (!first)
            buf_add_char(w->out, ',');
        first = false;
        new_line(w);
        write_string(w, str_of(name, name_len));
        buf_add(w->out, w->indented ? STR(": ") : STR(":"));
        write_value(w, value);
    }
}

static void write_items(struct writer *w, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array) && buf_ok(w->out); i++) {
        if (i > 0)
            buf_add_char(w->out, ',');
        new_line(w);
        write_value(w, json_array_get(array, i));
    }
}

static void write_nested(struct writer *w, const json_t *value)
{
    bool object = json_is_object(value);

    if (w->depth > S3DB_JSON_DEPTH_MAX) {
        w->out->failed = true;
        return;
    }
    buf_add_char(w->out, object ? '{' : '[');
    if (json_object_size(value) + json_array_size(value) > 0) {
        w->depth++;
        if (object)
            write_members(w, value);
        else
            write_items(w, value);
        w->depth--;
        new_line(w);
    }
    buf_add_char(w->out, object ? '}' : ']');
}

static void write_value(struct writer *w, const json_t *value)
{
    if (json_is_object(value) || json_is_array(value))
        write_nested(w, value);
    else if (json_is_string(value))
        write_string(w, js_str(value));
    else if (json_is_number(value))
        buf_add_js_number(w->out, js_double(value));
    else
        buf_add_js_string(w->out, value);
}

void js_write(struct buf *out, const json_t *value)
{
    write_value(&(struct writer){.out = out}, value);
}

void js_write_indented(struct buf *out, const json_t *value)
{
    write_value(&(struct writer){.out = out, .indented = true}, value);
}

static void add_string(struct buf *b, const json_t *value, unsigned depth)
{
    if (depth > S3DB_JSON_DEPTH_MAX) {
        b->failed = true;
    } else if (json_is_string(value)) {
        buf_add(b, js_str(value));
    } else if (json_is_number(value)) {
        buf_add_js_number(b, js_double(value));
    } else if (json_is_object(value)) {
        buf_add(b, STR("[object Object]"));
    } else if (json_is_boolean(value)) {
        buf_add(b, json_is_true(value) ? STR("true") : STR("false"));
    } else if (!json_is_array(value)) {
        buf_add(b, STR("null"));
    } else {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *item = json_array_get(value, i);

            if (i > 0)
                buf_add_char(b, ',');
            if (!json_is_null(item))
                add_string(b, item, depth + 1);
        }
    }
}

void buf_add_js_string(struct buf *b, const json_t *value)
{
    add_string(b, value, 0);
}
