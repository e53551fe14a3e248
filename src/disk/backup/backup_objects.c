/* SPDX-License-Identifier: MIT */
/* backup_objects.c - the sidecar's objects, put as they were. */
#include "disk/backup/backup_import.h"

static struct lines *open_sidecar(struct import *x)
{
    AUTO_BUF(why, KiB(1));
    struct stretch text;

    if (source_open(x->source, buf_str(&x->sidecar), &text, &why)) {
        struct lines *l = lines_new(text, x->options->work);

        lines_set_workspace(l, &x->workspace);
        return l;
    }
    import_sidecar_error(x, 0, buf_str(&why));
    return NULL;
}

/* The next object that is complete. False: the end, or stopped. */
static bool next_object(struct import *x, struct lines *l, struct sidecar_object *o)
{
    struct str text;

    while (import_go_on(x)) {
        AUTO_BUF(why, KiB(4));
        enum lines_next next = lines_next(l, &text);
        bool whole = false;
        enum s3_err err;

        if (next == LINES_END)
            return false;
        if (next == LINES_FAILED) {
            if (x->workspace.refused)
                return import_no_memory(x);
            import_sidecar_error(x, lines_number(l) + 1, lines_why(l));
            return false;
        }
        if (next == LINES_LONG) {
            import_sidecar_error(x, lines_number(l), STR("the line is too long"));
            continue;
        }
        if (!import_may_parse_line(x, text))
            return false;
        err = sidecar_read(o, x->store, text, &whole, &why);
        if (err == S3_SLOW_DOWN)
            return import_stop(x, BACKUP_NO_MEMORY, "memory is out (see --max-memory)");
        if (err)
            import_sidecar_error(x, lines_number(l), buf_str(&why));
        else if (whole)
            return true;
    }
    return false;
}

static void body_text(const struct body *body, struct buf *out)
{
    struct slice slices[16];

    while (buf_ok(out) && out->len < body_len(body)) {
        size_t count =
            body_slices(body, out->len, body_len(body) - out->len, slices, ARRAY_LEN(slices));

        for (size_t i = 0; i < count && i < ARRAY_LEN(slices); i++)
            buf_add(out, str_of(slices[i].ptr, slices[i].len));
    }
}

bool import_read_descriptor(struct import *x)
{
    struct sidecar_object o;

    if (x->sidecar.len == 0 || x->options->raw)
        return true;
    AUTO(lines) l = open_sidecar(x);
    if (!l)
        return import_go_on(x);
    sidecar_object_init(&o);
    if (next_object(x, l, &o) && str_eq(buf_str(&o.key), STR("s3db.json"))) {
        AUTO_BUF(text, LINE_MAX_BYTES);
        AUTO_BUF(why, KiB(1));

        body_text(o.body, &text);
        if (import_may_parse(x, buf_str(&text)))
            x->descriptor = s3db_descriptor_parse(buf_str(&text), &why);
        if (!x->descriptor && import_go_on(x))
            import_sidecar_error(x, 1, buf_str(&why));
    }
    sidecar_object_release(&o);
    return import_go_on(x);
}

/* ---- one object -------------------------------------------------------------------- */

static void put(struct import *x, struct sidecar_object *o, struct str key, uint64_t line)
{
    AUTO_BUF(why, KiB(1));

    o->spec.key = key;
    o->spec.attrs = buf_str(&o->attrs);
    if (!import_put(x, &o->spec, TAKE(o->body), &why) && import_go_on(x))
        import_sidecar_error(x, line, buf_str(&why));
}

/* Bytes that no line can hold go to the record that its line has made. */
static void give_bytes(struct import *x, struct sidecar_object *o, struct str key,
                       uint64_t line)
{
    AUTO(record) r = NULL;
    AUTO_BUF(text, LINE_MAX_BYTES);
    struct str name, value;
    size_t at = 0;
    enum attr a;

    body_text(o->body, &text);
    if (o->size == 0 || (buf_ok(&text) && str_is_utf8(buf_str(&text))) ||
        object_get(&r, x->branch, &(struct target){buf_str(&x->bucket), key}, STR_NONE) ||
        record_size(r) > 0)
        return;

    struct str type = attrs_get(buf_str(&o->attrs), ATTR_CONTENT_TYPE);
    AUTO_BUF(attrs, MiB(4));

    while (attrs_next(record_attrs(r), &at, &a, &name, &value))
        if (a == ATTR_META)
            attrs_add_meta(&attrs, name, value);
    if (type.ptr)
        attrs_add(&attrs, ATTR_CONTENT_TYPE, type);
    buf_reset(&o->attrs);
    buf_add_buf(&o->attrs, &attrs);
    put(x, o, key, line);
}

static void take_of_resource(struct import *x, struct sidecar_object *o,
                             const struct s3db_key *key, struct str full, uint64_t line)
{
    struct import_resource *r = import_find(x, key->resource);
    bool is_record = key->kind == S3DB_KEY_RECORD || key->kind == S3DB_KEY_RAW;
    enum import_way way = r ? r->way : IMPORT_OBJECTS;

    if (!backup_chosen(&x->options->choice, key->resource) || way == IMPORT_REFUSED ||
        (!r && !import_agrees(x, key->resource)))
        return;
    if (way == IMPORT_OBJECTS || key->kind == S3DB_KEY_RESOURCE_PLUGIN ||
        key->kind == S3DB_KEY_RESOURCE_OTHER) {
        put(x, o, full, line);
        if (r && is_record)
            r->records++;
    } else if (way == IMPORT_LINES && key->kind == S3DB_KEY_RECORD) {
        give_bytes(x, o, full, line);
    }
}

static void take(struct import *x, struct sidecar_object *o, uint64_t line)
{
    AUTO_BUF(full, KEY_MAX * 2);
    struct s3db_key key;

    buf_add_buf(&full, &x->prefix);
    buf_add_buf(&full, &o->key);
    s3db_key_parse(&key, buf_str(&x->prefix), buf_str(&full));
    switch (key.kind) {
    case S3DB_KEY_OTHER:
        import_sidecar_error(x, line, STR("its key is none of s3db.js"));
        return;
    case S3DB_KEY_DESCRIPTOR:
        if (x->descriptor_whole)
            put(x, o, buf_str(&full), line);
        return;
    case S3DB_KEY_PLUGIN:
        if (!x->options->choice.resources && !backup_passing(&key))
            put(x, o, buf_str(&full), line);
        return;
    default:
        take_of_resource(x, o, &key, buf_str(&full), line);
    }
}

bool import_objects(struct import *x)
{
    struct sidecar_object o;

    if (x->sidecar.len == 0 || x->options->raw)
        return import_go_on(x);
    AUTO(lines) l = open_sidecar(x);
    if (!l)
        return import_go_on(x);
    sidecar_object_init(&o);
    while (next_object(x, l, &o))
        take(x, &o, lines_number(l));
    if (o.body && body_len(o.body) < o.size && import_go_on(x))
        import_sidecar_error(x, lines_number(l), STR("the last object is not complete"));
    sidecar_object_release(&o);
    return import_go_on(x);
}
