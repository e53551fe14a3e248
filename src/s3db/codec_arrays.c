/* SPDX-License-Identifier: MIT */
/* codec_arrays.c - arrays of text and of numbers: items with "|" between them. */
#include "s3db/codec.h"

#include "s3db/js.h"

#define SEPARATOR '|'
#define ESCAPE    '\\' /* makes the next character, whatever it is, one of the text */

/* Appends the first item, unescaped, and takes it with its separator off *rest; rest->ptr is
 * NULL behind the last one. */
static void take_item(struct str *rest, struct buf *item)
{
    size_t at = 0;

    for (; at < rest->len && rest->ptr[at] != SEPARATOR; at++) {
        if (rest->ptr[at] == ESCAPE && at + 1 < rest->len)
            at++;
        buf_add_char(item, rest->ptr[at]);
    }
    *rest = at < rest->len ? str_from(*rest, at + 1) : STR_NONE;
}

/* An item in the text of an array; NULL: it is none. */
typedef json_t *item_reader(struct str item);

static json_t *read_items(struct str text, item_reader *read)
{
    AUTO(json_t) array = json_array();
    AUTO_BUF(item, text.len + 1);

    if (text.len == 0)
        return TAKE(array);
    for (struct str rest = text; rest.ptr;) {
        buf_reset(&item);
        take_item(&rest, &item);
        if (!buf_ok(&item) || json_array_append_new(array, read(buf_str(&item))) != 0)
            return NULL;
    }
    return TAKE(array);
}

/* What s3db.js writes for an item that is no number is nothing: it reads it back as NaN. */
static json_t *read_integer(struct str item)
{
    return item.len > 0 ? integer_decode((struct codec){.kind = CODEC_INTEGER}, item)
                        : json_null();
}

static json_t *read_number(struct str item)
{
    return item.len > 0 ? number_decode((struct codec){.kind = CODEC_NUMBER}, item)
                        : json_null();
}

json_t *strings_decode(struct codec codec, struct str text)
{
    (void)codec;
    return read_items(text, codec_text);
}

json_t *integers_decode(struct codec codec, struct str text)
{
    (void)codec;
    return read_items(text, read_integer);
}

json_t *numbers_decode(struct codec codec, struct str text)
{
    (void)codec;
    return read_items(text, read_number);
}

/* ---- writing ----------------------------------------------------------------------- */

bool strings_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    (void)codec;
    if (!json_is_array(value))
        return codec_needs(why, "an array of texts", value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct str item = js_str(json_array_get(value, i));

        if (!item.ptr)
            return codec_needs(why, "an array of texts", json_array_get(value, i));
        if (i > 0)
            buf_add_char(out, SEPARATOR);
        for (size_t at = 0; at < item.len && buf_ok(out); at++) {
            if (item.ptr[at] == SEPARATOR || item.ptr[at] == ESCAPE)
                buf_add_char(out, ESCAPE);
            buf_add_char(out, item.ptr[at]);
        }
    }
    return true;
}

static bool add_items(const json_t *value, codec_encoder *encode, const char *needed,
                      struct buf *out, struct buf *why)
{
    if (!json_is_array(value))
        return codec_needs(why, needed, value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);

        if (i > 0)
            buf_add_char(out, SEPARATOR);
        if (json_is_null(item) && json_array_size(value) > 1)
            continue;
        if (!json_is_number(item))
            return codec_needs(why, needed, item);
        if (!encode((struct codec){.kind = CODEC_NUMBER}, item, out, why))
            return false;
    }
    return true;
}

bool integers_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    (void)codec;
    return add_items(value, integer_encode, "an array of whole numbers", out, why);
}

bool numbers_encode(struct codec codec, const json_t *value, struct buf *out, struct buf *why)
{
    (void)codec;
    return add_items(value, number_encode, "an array of numbers", out, why);
}
