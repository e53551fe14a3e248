/* SPDX-License-Identifier: MIT */
/* backup.c - which databases a bucket has, and its objects as s3db's room wants them. */
#include "disk/backup/backup.h"

#include "disk/files/lines.h"

#include <stdlib.h>

#define DESCRIPTOR_MAX MiB(64)
#define NAMED_MAX      20

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

bool backup_chosen(const struct backup_choice *choice, struct str resource)
{
    return !choice->resources || bsearch(&resource, choice->resources, choice->resource_count,
                                         sizeof(resource), compare_strs);
}

#define TOLD_MAX   100
#define TOLD_BYTES KiB(48) /* an answer of several such lists, escaped, stays below 1 MiB */

void told_add(struct told *t, json_t *item, size_t bytes)
{
    t->count++;
    if (json_array_size(t->list) < TOLD_MAX && bytes <= TOLD_BYTES - t->bytes) {
        t->bytes += bytes;
        json_array_append(t->list, item);
    }
    json_decref(item);
}

bool backup_passing(const struct s3db_key *key)
{
    return key->kind == S3DB_KEY_PLUGIN &&
           str_has_prefix(key->relative, STR("plugin=s3db-core/locks/"));
}

/* ---- objects ----------------------------------------------------------------------- */

void object_view_init(struct object_view *v)
{
    *v = (struct object_view){.pairs = NULL};
    buf_init(&v->scratch, LINE_MAX_BYTES);
}

void object_view_release(struct object_view *v)
{
    mem_free(v->pairs);
    buf_release(&v->scratch);
}

static void set_pairs(struct object_view *v, struct str attrs)
{
    struct str name, value;
    size_t at = 0, n = 0;
    enum attr a;

    while (attrs_next(attrs, &at, &a, &name, &value)) {
        if (a != ATTR_META)
            continue;
        if (n == v->pairs_cap) {
            v->pairs_cap = v->pairs_cap ? v->pairs_cap * 2 : 32;
            v->pairs = xrealloc(v->pairs, v->pairs_cap * sizeof(*v->pairs));
        }
        v->pairs[n++] = (struct s3db_pair){name, value};
    }
    v->object.pairs = v->pairs;
    v->object.pair_count = n;
    v->object.content_type = attrs_get(attrs, ATTR_CONTENT_TYPE);
}

bool object_view_set(struct object_view *v, const struct record *r)
{
    uint64_t size = record_size(r);
    struct slice slices[16];
    size_t count = record_slices(r, 0, size, slices, ARRAY_LEN(slices));

    set_pairs(v, record_attrs(r));
    v->object.body = STR("");
    if (count == 0)
        return true;
    if (count == 1) {
        v->object.body = str_of(slices[0].ptr, slices[0].len);
        return size <= LINE_MAX_BYTES;
    }
    buf_reset(&v->scratch);
    if (size > LINE_MAX_BYTES || !buf_reserve(&v->scratch, (size_t)size))
        return false;
    while (v->scratch.len < size) {
        count =
            record_slices(r, v->scratch.len, size - v->scratch.len, slices, ARRAY_LEN(slices));
        for (size_t i = 0; i < count && i < ARRAY_LEN(slices); i++)
            buf_add(&v->scratch, str_of(slices[i].ptr, slices[i].len));
    }
    v->object.body = buf_str(&v->scratch);
    return true;
}

struct record *root_record(struct root *root, struct str bucket, struct str key)
{
    AUTO(listing) l = NULL;
    struct listing_entry entry;

    if (listing_open(
            &l, root,
            &(struct listing_query){.kind = LIST_OBJECTS, .bucket = bucket, .prefix = key}))
        return NULL;
    return listing_next(l, &entry) && str_eq(record_key(entry.record), key)
               ? record_ref(entry.record)
               : NULL;
}

/* ---- databases --------------------------------------------------------------------- */

struct prefixes {
    struct str list[NAMED_MAX]; /* borrowed from the root */
    size_t count;               /* may be more */
};

static void note_prefix(struct prefixes *p, struct str prefix)
{
    /* In key order equal ones are not always neighbours. */
    for (size_t i = 0; i < p->count && i < NAMED_MAX; i++)
        if (str_eq(p->list[i], prefix))
            return;
    if (p->count < NAMED_MAX)
        p->list[p->count] = prefix;
    p->count++;
}

/* What stands before the first part of a key that begins with `word`; STR_NONE: no part does.
 */
static struct str before_part(struct str key, struct str word)
{
    for (size_t at = 0; at < key.len;) {
        struct str rest = str_from(key, at);
        size_t slash = str_find_char(rest, '/');

        if (str_has_prefix(rest, word))
            return str_of(key.ptr, at);
        if (slash == SIZE_MAX)
            break;
        at += slash + 1;
    }
    return STR_NONE;
}

static bool is_descriptor(const struct record *r)
{
    struct object_view v;
    AUTO_BUF(why, 512);
    json_t *parsed = NULL;

    object_view_init(&v);
    if (record_size(r) <= DESCRIPTOR_MAX && object_view_set(&v, r))
        parsed = s3db_descriptor_parse(v.object.body, &why);
    object_view_release(&v);
    json_decref(parsed);
    return parsed != NULL;
}

static void note_object(const struct record *r, struct prefixes *databases,
                        struct prefixes *raw)
{
    struct str key = record_key(r), prefix = before_part(key, STR("resource="));

    if (prefix.ptr) {
        note_prefix(raw, prefix);
        return;
    }
    prefix = s3db_prefix_of_descriptor(key);
    if (prefix.ptr && !before_part(key, STR("plugin=")).ptr && is_descriptor(r))
        note_prefix(databases, prefix);
}

static enum backup_status choose(struct buf *prefix, const struct prefixes *p,
                                 struct str bucket, struct buf *why)
{
    if (p->count == 1) {
        buf_add(prefix, p->list[0]);
        return BACKUP_OK;
    }
    if (p->count == 0) {
        buf_addf(why, "bucket '%.*s' holds nothing of s3db.js", (int)bucket.len, bucket.ptr);
        return BACKUP_NO_DATABASE;
    }
    buf_addf(why, "bucket '%.*s' holds %zu databases; give the prefix of one:", (int)bucket.len,
             bucket.ptr, p->count);
    for (size_t i = 0; i < p->count && i < NAMED_MAX; i++)
        buf_addf(why, "%s '%.*s'", i ? "," : "", (int)p->list[i].len, p->list[i].ptr);
    if (p->count > NAMED_MAX)
        buf_add(why, STR(" ..."));
    return BACKUP_SEVERAL;
}

enum backup_status backup_find_database(struct buf *prefix, struct root *root,
                                        const struct backup_choice *choice, struct buf *why)
{
    struct prefixes databases = {.count = 0}, raw = {.count = 0};
    AUTO(listing) l = NULL;
    struct listing_entry entry;

    if (listing_open(&l, root,
                     &(struct listing_query){.kind = LIST_OBJECTS, .bucket = choice->bucket})) {
        buf_addf(why, "there is no bucket '%.*s'", (int)choice->bucket.len, choice->bucket.ptr);
        return BACKUP_NO_BUCKET;
    }
    if (choice->prefix.ptr)
        return s3db_prefix(prefix, choice->prefix, why) ? BACKUP_OK : BACKUP_INVALID;
    while (listing_next(l, &entry))
        note_object(entry.record, &databases, &raw);
    return choose(prefix, databases.count > 0 ? &databases : &raw, choice->bucket, why);
}
