/* SPDX-License-Identifier: MIT */
/* descriptor.c - the document s3db.json, kept as it is: what we do not know stays in it. */
#include "s3db/js.h"

#include <assert.h>

static bool is_entry(struct str name, const json_t *entry, struct buf *why)
{
    if (json_is_object(js_get(entry, STR("versions"))))
        return true;
    buf_addf(why, "resource '%.*s' of s3db.json has no versions", (int)name.len, name.ptr);
    return false;
}

static bool check(const json_t *descriptor, struct buf *why)
{
    const json_t *resources = js_get(descriptor, STR("resources"));
    const char *name;
    size_t name_len;
    json_t *entry;

    if (!json_is_object(resources)) {
        buf_add(why, STR("it is no s3db.json: there is no object 'resources'"));
        return false;
    }
    json_object_keylen_foreach(js_unconst(resources), name, name_len, entry)
    {
        if (!is_entry(str_of(name, name_len), entry, why))
            return false;
    }
    return true;
}

json_t *s3db_descriptor_parse(struct str text, struct buf *why)
{
    json_t *descriptor = js_parse(text, why);

    if (descriptor && !check(descriptor, why)) {
        json_decref(descriptor);
        return NULL;
    }
    return descriptor;
}

static void set_time(json_t *object, struct str name, int64_t unix_ns)
{
    char text[ISO_DATE_SIZE];

    clock_format_iso_ms(unix_ns, text);
    js_must_set(object, name, js_string(str_c(text)));
}

json_t *s3db_descriptor_new(int64_t now_ns)
{
    json_t *descriptor = json_pack("{s:s, s:s}", "version", "1", "s3dbVersion", "latest");

    assert(descriptor);
    set_time(descriptor, STR("lastUpdated"), now_ns);
    js_must_set(descriptor, STR("resources"), json_object());
    return descriptor;
}

json_t *s3db_descriptor_resources(const json_t *descriptor)
{
    return js_get(descriptor, STR("resources"));
}

json_t *s3db_descriptor_resource(const json_t *descriptor, struct str name)
{
    return js_get(s3db_descriptor_resources(descriptor), name);
}

void s3db_descriptor_put(json_t *descriptor, struct str name, const json_t *entry,
                         int64_t now_ns)
{
    js_must_set(s3db_descriptor_resources(descriptor), name, json_deep_copy(entry));
    set_time(descriptor, STR("lastUpdated"), now_ns);
}

void s3db_descriptor_write(struct buf *out, const json_t *descriptor)
{
    js_write_indented(out, descriptor);
}
