/* SPDX-License-Identifier: MIT */
/* user_metadata.c - user metadata: names in lower case, repeated ones joined, text that is no
 * ASCII as encoded words, and the limit of 2 KiB on names and values together.
 * Sources: AWS "Working with object metadata"; aws-recorded test_user_metadata_rfc2047_*,
 * test_post_object_with_unicode_metadata, test_put_unicode_metadata_with_sig_s3. */
#include "s3/object/user_metadata.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "s3/object/rfc2047.h"

#define S3_METADATA_LIMIT 2048

static bool is_metadata(const struct header *h)
{
    return h->name.len >= strlen(META_PREFIX) &&
           str_has_prefix_nocase(h->name, STR(META_PREFIX));
}

bool s3_header_is_utf8(const struct s3_call *c, const struct header *h)
{
    return (c->op->flags & BODY_FORM) ||
           (c->headers != c->req->headers && h >= c->headers + c->req->header_count);
}

/* Printable ASCII without an encoded word: what almost every value is. */
static bool is_verbatim(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7E)
            return false;
    return str_find(value, STR("=?")) == SIZE_MAX;
}

/* The value's text in UTF-8. Only headers carry encoded words: a form field that looks like one
 * is kept as it is. */
static void add_text(struct s3_call *c, const struct header *h, struct buf *text)
{
    if (is_verbatim(h->value) || s3_header_is_utf8(c, h)) {
        buf_add(text, h->value);
    } else {
        AUTO_BUF(utf8, h->value.len * 2 + 1);
        latin1_to_utf8(&utf8, h->value);
        rfc2047_decode(text, buf_str(&utf8));
        text->failed |= utf8.failed;
    }
}

/* Headers of user metadata, as they came. */
struct items {
    const struct header **headers;
    size_t count;
    uint32_t *next; /* index of the next one of the same name; count: there is none */
    bool *repeats;  /* there is one before */
};

/* The order of qsort: by name, then as they came. */
static int compare_names(const void *a, const void *b)
{
    const struct header *x = **(const struct header **const *)a;
    const struct header *y = **(const struct header **const *)b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    for (size_t i = 0; i < len; i++) {
        int order =
            tolower((unsigned char)x->name.ptr[i]) - tolower((unsigned char)y->name.ptr[i]);
        if (order)
            return order;
    }
    if (x->name.len != y->name.len)
        return x->name.len < y->name.len ? -1 : 1;
    return (x > y) - (x < y);
}

/* Finds names that came more than once: by sorting, since thousands may have come. */
static void find_repeats(struct s3_call *c, struct items *items)
{
    const struct header ***sorted = s3_alloc(c, items->count * sizeof(*sorted));
    items->next = s3_alloc(c, items->count * sizeof(*items->next));
    items->repeats = s3_alloc(c, items->count * sizeof(*items->repeats));
    for (size_t i = 0; i < items->count; i++) {
        sorted[i] = &items->headers[i];
        items->next[i] = (uint32_t)items->count;
        items->repeats[i] = false;
    }
    qsort(sorted, items->count, sizeof(*sorted), compare_names);
    for (size_t i = 1; i < items->count; i++) {
        size_t before = (size_t)(sorted[i - 1] - items->headers);
        size_t at = (size_t)(sorted[i] - items->headers);
        if (!str_eq_nocase((*sorted[i])->name, (*sorted[i - 1])->name))
            continue;
        items->next[before] = (uint32_t)at;
        items->repeats[at] = true;
    }
}

static void find_items(struct s3_call *c, struct items *items)
{
    items->count = 0;
    for (size_t i = 0; i < c->header_count; i++)
        items->count += is_metadata(&c->headers[i]);
    if (!items->count)
        return;
    items->headers = s3_alloc(c, items->count * sizeof(struct header *));
    items->count = 0;
    for (size_t i = 0; i < c->header_count; i++)
        if (is_metadata(&c->headers[i]))
            items->headers[items->count++] = &c->headers[i];
    find_repeats(c, items);
}

/* Values of an item and all others of its name, joined by commas. */
static void join_values(struct s3_call *c, const struct items *items, size_t first,
                        struct buf *text)
{
    for (size_t i = first; i < items->count; i = items->next[i]) {
        if (i != first)
            buf_add_char(text, ',');
        add_text(c, items->headers[i], text);
    }
}

static void add_item(struct buf *attrs, struct str header_name, const struct buf *text)
{
    AUTO_BUF(name, header_name.len + 1);
    for (size_t i = strlen(META_PREFIX); i < header_name.len; i++) {
        char ch = header_name.ptr[i];
        buf_add_char(&name, ch >= 'A' && ch <= 'Z' ? (char)(ch + 'a' - 'A') : ch);
    }
    AUTO_BUF(encoded, text->len * 16 + 128);
    rfc2047_encode(&encoded, buf_str(text));
    attrs_add_meta(attrs, buf_str(&name), buf_str(&encoded));
    attrs->failed |= name.failed | encoded.failed | text->failed;
}

bool s3_metadata_add(struct buf *attrs, struct str name, struct str value, const char **why)
{
    *why = NULL;
    if (!str_is_token(name))
        *why = "no header can be called so";
    for (size_t i = 0; i < name.len && !*why; i++)
        *why = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? "names of metadata are in lower case"
                                                        : NULL;
    for (size_t i = 0; i < value.len && !*why; i++)
        *why = (unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7F
                   ? "it has control characters"
                   : NULL;
    if (*why)
        return false;
    AUTO_BUF(encoded, value.len * 16 + 128);
    rfc2047_encode(&encoded, value);
    attrs_add_meta(attrs, name, buf_str(&encoded));
    attrs->failed |= encoded.failed;
    return true;
}

static enum s3_err too_large(struct s3_call *c, uint64_t size, uint64_t limit)
{
    s3_error_field(c, "Size", s3_printf(c, "%" PRIu64, size));
    s3_error_field(c, "MaxSizeAllowed", s3_printf(c, "%" PRIu64, limit));
    if (c->options->enforce_limits)
        return s3_fail_message(c, S3_METADATA_TOO_LARGE,
                               "Metadata size (%" PRIu64 " bytes) exceeds limit of %" PRIu64
                               " bytes",
                               size, limit);
    return s3_fail_rule(c, S3_METADATA_TOO_LARGE,
                        "names and values of user metadata have at most 2048 bytes together");
}

/* Form fields and parameters of presigned URLs can have names that no reply could carry. */
static enum s3_err no_header_name(struct s3_call *c, struct str name)
{
    return s3_invalid_argument(c, "The name of user metadata must be valid in an HTTP header.",
                               name, STR(""));
}

enum s3_err s3_attrs_from_user_metadata(struct s3_call *c, struct buf *attrs)
{
    uint64_t limit =
        c->options->enforce_limits ? c->options->metadata_limit : S3_METADATA_LIMIT;
    uint64_t size = 0;
    struct items items;
    find_items(c, &items);
    for (size_t i = 0; i < items.count; i++) {
        const struct header *h = items.headers[i];
        if (items.repeats[i])
            continue;
        if (!str_is_token(h->name))
            return no_header_name(c, h->name);
        AUTO_BUF(text, KiB(256));
        join_values(c, &items, i, &text);
        size += h->name.len - strlen(META_PREFIX) + text.len;
        add_item(attrs, h->name, &text);
    }
    return size > limit ? too_large(c, size, limit) : S3_OK;
}
