/* SPDX-License-Identifier: MIT */
/* encoding.c - putting an object together: its pieces lie in one buffer, which moves as it
 * grows, so they are found by offsets until it is done. */
#include "s3db/schema.h"

#include <assert.h>

#define OBJECT_MAX MiB(256)

void encoding_begin(struct encoding *e, size_t pairs)
{
    *e = (struct encoding){.room = pairs + 4};
    e->pairs = xcalloc(e->room, sizeof(*e->pairs));
    buf_init(&e->text, OBJECT_MAX);
    buf_init(&e->body, OBJECT_MAX);
}

void encoding_drop(struct encoding *e)
{
    mem_free(e->pairs);
    buf_release(&e->text);
    buf_release(&e->body);
}

/* Names that s3db.js gives are letters and digits already. */
void encoding_add_pair(struct encoding *e, struct str name, struct str value)
{
    struct encoded_pair *pair;

    if (e->count == e->room) {
        e->room *= 2;
        e->pairs = xrealloc(e->pairs, e->room * sizeof(*e->pairs));
    }
    pair = &e->pairs[e->count++];
    pair->name = e->text.len;
    buf_add_mangled(&e->text, name);
    pair->name_len = e->text.len - pair->name;
    pair->value = e->text.len;
    header_encode(&e->text, value);
    pair->value_len = e->text.len - pair->value;
}

bool encoding_end(struct encoding *e, struct str content_type, struct s3db_encoded *out,
                  struct buf *why)
{
    size_t body = e->text.len, body_len = e->body.len;
    struct s3db_pair *pairs;

    *out = (struct s3db_encoded){.object.pair_count = e->count};
    buf_add_buf(&e->text, &e->body);
    if (!buf_ok(&e->text)) {
        buf_add(why, STR("the record is too large"));
        encoding_drop(e);
        return false;
    }
    pairs = xcalloc(e->count + 1, sizeof(*pairs));
    for (size_t i = 0; i < e->count; i++) {
        const struct encoded_pair *p = &e->pairs[i];

        pairs[i].name = str_of(e->text.ptr + p->name, p->name_len);
        pairs[i].value = str_of(e->text.ptr + p->value, p->value_len);
    }
    out->object.pairs = pairs;
    out->object.body = body_len > 0 ? str_of(e->text.ptr + body, body_len) : STR("");
    out->object.content_type = content_type;
    out->text = e->text;
    buf_init(&e->text, 1);
    encoding_drop(e);
    return true;
}

void s3db_encoded_release(struct s3db_encoded *e)
{
    mem_free((struct s3db_pair *)(uintptr_t)e->object.pairs);
    buf_release(&e->text);
    *e = (struct s3db_encoded){.object.pair_count = 0};
}
