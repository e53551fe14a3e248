/* SPDX-License-Identifier: MIT */
/* raw.c - objects at resource=NAME/id=ID, which no schema describes: what MemoryClient's
 * importBackup writes and its own tests read. */
#include "s3db/js.h"
#include "s3db/schema.h"

#define TEXT_MAX MiB(64)

/* ---- decoding ---------------------------------------------------------------------- */

static void take_pair(json_t *record, const struct s3db_pair *pair)
{
    AUTO_BUF(text, TEXT_MAX);
    json_t *value = NULL;

    switch (header_decode(&text, pair->value)) {
    case HEADER_TEXT:
        value = js_string(text.ptr ? buf_str(&text) : STR(""));
        break;
    case HEADER_NULL:
        value = json_null();
        break;
    case HEADER_UNDEFINED:
        return;
    }
    /* What is no UTF-8 comes out as it is on the wire, which is ASCII mostly. */
    if (!value)
        value = js_string(pair->value);
    if (value && str_is_utf8(pair->name))
        js_must_set(record, pair->name, value);
    else
        json_decref(value);
}

static void take_body(json_t *record, struct str body, struct s3db_notes *notes)
{
    AUTO_BUF(why, KiB(1));
    AUTO(json_t) value = body.len > 0 ? js_parse(body, &why) : NULL;

    if (json_is_object(value))
        json_object_update(record, value);
    else if (body.len > 0 &&
             (!str_is_utf8(body) || !js_set(record, STR("_body"), js_string(body))))
        notes->opaque_body = true;
}

json_t *s3db_raw_decode(struct str id, const struct s3db_object *object,
                        struct s3db_notes *notes)
{
    json_t *record = json_object();

    if (!js_set(record, STR("id"), js_string(id))) {
        json_decref(record);
        return NULL;
    }
    for (size_t i = 0; i < object->pair_count; i++) {
        if (!str_eq(object->pairs[i].name, STR("id")))
            take_pair(record, &object->pairs[i]);
    }
    take_body(record, object->body, notes);
    js_must_set(record, STR("id"), js_string(id));
    return record;
}

/* ---- encoding ---------------------------------------------------------------------- */

bool s3db_record_id(struct buf *out, const json_t *record, struct buf *why)
{
    const json_t *id = js_get(record, STR("id"));

    if (!id || json_is_null(id))
        id = js_get(record, STR("_id"));
    if (json_is_string(id) || json_is_number(id)) {
        buf_add_js_string(out, id);
        return buf_ok(out) && s3db_id_ok(buf_str(out), why);
    }
    buf_add(why, id ? STR("id: a text is needed") : STR("the record has no id"));
    return false;
}

static bool is_left_out(struct str name)
{
    return str_eq(name, STR("id")) || str_eq(name, STR("_id")) || str_eq(name, STR("_body"));
}

bool s3db_raw_encode(struct s3db_encoded *out, const json_t *record, struct buf *why)
{
    struct encoding e;
    const char *name;
    size_t name_len;
    json_t *value;

    encoding_begin(&e, json_object_size(record));
    json_object_keylen_foreach(js_unconst(record), name, name_len, value)
    {
        AUTO_BUF(text, TEXT_MAX);

        if (is_left_out(str_of(name, name_len)))
            continue;
        buf_add_js_string(&text, value);
        encoding_add_pair(&e, str_of(name, name_len), buf_str(&text));
    }
    if (js_get(record, STR("_body")))
        buf_add(&e.body, js_str(js_get(record, STR("_body"))));
    return encoding_end(&e, STR("application/octet-stream"), out, why);
}
