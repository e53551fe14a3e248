/* SPDX-License-Identifier: MIT */
/* partitions.c - the keys by which s3db.js finds records by their values. */
#include "s3db/schema.h"

#include <ctype.h>
#include <stdlib.h>

#define KEY_BYTES_MAX 1024 /* S3's */
#define FIELDS_MAX    32   /* of a partition */

/* ---- the order of fields ----------------------------------------------------------- */

/* As localeCompare orders ASCII names: punctuation, digits, letters; letters without regard to
 * their case at first, then the lower case before the upper. Other characters come last, by
 * code point. */
static int weight(unsigned char c)
{
    if (isalpha(c))
        return 1000 + tolower(c);
    if (isdigit(c))
        return 500 + c;
    return c < 0x80 ? c : 2000 + c;
}

static int compare_fields(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    size_t shorter = x->len < y->len ? x->len : y->len;

    for (size_t i = 0; i < shorter; i++) {
        int d = weight((unsigned char)x->ptr[i]) - weight((unsigned char)y->ptr[i]);

        if (d != 0)
            return d;
    }
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    for (size_t i = 0; i < shorter; i++) {
        if (x->ptr[i] != y->ptr[i])
            return islower((unsigned char)x->ptr[i]) ? -1 : 1;
    }
    return 0;
}

/* ---- values ------------------------------------------------------------------------ */

/* "maxlength:10" in a rule; SIZE_MAX: there is none. */
static size_t max_length(struct str rule)
{
    size_t at = str_find(rule, STR("maxlength:"));
    size_t length = 0, digits = 0;

    if (at == SIZE_MAX)
        return SIZE_MAX;
    rule = str_from(rule, at + strlen("maxlength:"));
    while (digits < rule.len && digits < 9 && isdigit((unsigned char)rule.ptr[digits]))
        length = length * 10 + (size_t)(rule.ptr[digits++] - '0');
    return digits > 0 ? length : SIZE_MAX;
}

/* Of a date and time its day, in UTC. Other texts stay. */
static void add_day(struct buf *out, struct str text)
{
    char iso[ISO_DATE_SIZE];
    int64_t unix_ns;

    if (text.len > 10 && clock_parse_iso(text, &unix_ns)) {
        clock_format_iso(unix_ns, iso);
        text = str_of(iso, strlen("2025-10-25"));
        buf_add(out, text);
        return;
    }
    buf_add(out, text);
}

static void add_value(struct buf *out, struct str rule, const json_t *value)
{
    AUTO_BUF(text, MiB(1));
    AUTO_BUF(day, MiB(1));

    buf_add_js_string(&text, value);
    if (str_find(rule, STR("date")) != SIZE_MAX)
        add_day(&day, buf_str(&text));
    else
        buf_add_buf(&day, &text);
    if (day.len > 0)
        buf_add(out, js_prefix(buf_str(&day), max_length(rule)));
    else if (!buf_ok(&day))
        out->failed = true;
}

/* ---- keys -------------------------------------------------------------------------- */

struct referring {
    struct str resource, prefix, id;
    const json_t *record;
    void (*each)(void *arg, struct str key);
    void *arg;
};

/* The key ends where a field has no value: false then. */
static bool add_fields(struct buf *key, const struct referring *r, const json_t *fields)
{
    struct str names[FIELDS_MAX];
    size_t n = 0, name_len;
    const char *name;
    json_t *rule;

    json_object_keylen_foreach(js_unconst(fields), name, name_len, rule)
    {
        if (n == FIELDS_MAX)
            return false;
        names[n++] = str_of(name, name_len);
    }
    qsort(names, n, sizeof(*names), compare_fields);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = record_at(r->record, names[i]);

        if (!value || json_is_null(value))
            return false;
        buf_add(key, names[i]);
        buf_add_char(key, '=');
        add_value(key, js_str(js_get(fields, names[i])), value);
        buf_add_char(key, '/');
    }
    return n > 0;
}

static void refer(const struct referring *r, struct str partition, const json_t *fields)
{
    AUTO_BUF(key, KEY_BYTES_MAX);

    s3db_key_resource(&key, r->prefix, r->resource);
    buf_add(&key, STR("partition="));
    buf_add(&key, partition);
    buf_add_char(&key, '/');
    if (!add_fields(&key, r, fields))
        return;
    buf_add(&key, STR("id="));
    buf_add(&key, r->id);
    if (buf_ok(&key))
        r->each(r->arg, buf_str(&key));
}

void s3db_partition_keys(const struct s3db_schema *s, struct str prefix, struct str id,
                         const json_t *record, void (*each)(void *arg, struct str key),
                         void *arg)
{
    const struct referring r = {str_c(s->resource), prefix, id, record, each, arg};
    const char *name;
    size_t name_len;
    json_t *partition;

    json_object_keylen_foreach(s->partitions, name, name_len, partition)
        refer(&r, str_of(name, name_len), js_get(partition, STR("fields")));
}
