/* SPDX-License-Identifier: MIT */
/* record.c - immutable, counted descriptions of objects and delete markers; see record.h for
 * the layout. A record is built by its caller, given its version when it is published (under
 * the branch's lock), and never changes again. */
#include "store/record.h"
#include "store/body.h"
#include "store/id.h"
#include "store/parts.h"

#include <assert.h>
#include <stdio.h>

/* ---- layout ------------------------------------------------------------------------ */

static enum checksum_alg checksum_alg_of(const struct record *r)
{
    return (enum checksum_alg)(r->checksum & 15);
}

static char *checksum_at(const struct record *r)
{
    return (char *)r->key + r->key_len;
}

static char *attrs_at(const struct record *r)
{
    return checksum_at(r) + checksum_size(checksum_alg_of(r));
}

static char *body_at(const struct record *r)
{
    return attrs_at(r) + r->attrs_len;
}

static char *parts_at(const struct record *r)
{
    return body_at(r) + (r->flags & RECORD_HAS_BODY ? sizeof(struct body *) : 0);
}

static char *inline_at(const struct record *r)
{
    return parts_at(r) + (r->flags & RECORD_HAS_PARTS ? sizeof(struct parts *) : 0);
}

static size_t slot_size(const struct record *r)
{
    size_t inline_len = r->flags & RECORD_HAS_BODY ? 0 : (size_t)record_size(r);

    return (size_t)(inline_at(r) - (const char *)r) + inline_len;
}

/* The pointers are not aligned: what stands before them has any length. */
static struct body *body_of(const struct record *r)
{
    struct body *body = NULL;

    if (r->flags & RECORD_HAS_BODY)
        memcpy(&body, body_at(r), sizeof(body));
    return body;
}

static struct parts *parts_of(const struct record *r)
{
    struct parts *parts = NULL;

    if (r->flags & RECORD_HAS_PARTS)
        memcpy(&parts, parts_at(r), sizeof(parts));
    return parts;
}

/* ---- making ------------------------------------------------------------------------ */

/* What a record is laid out from. Borrowed; references are taken when it is made. */
struct plan {
    struct str key, attrs;
    int64_t mtime_ns;
    uint64_t size, sequence;
    const uint8_t *md5;      /* NULL: zeros */
    uint8_t flags, checksum; /* as in the record; the layout's flags are added */
    const void *digest;      /* the checksum's bytes */
    struct body *body;       /* NULL: the bytes go inline, from one of these two: */
    const struct body *small;
    const char *inline_bytes;
    struct parts *parts;
};

static void fill_header(struct record *r, const struct plan *plan)
{
    *r = (struct record){.key_len = (uint16_t)plan->key.len,
                         .flags = plan->flags,
                         .checksum = plan->checksum,
                         .mtime_ns = plan->mtime_ns,
                         .size_low = (uint32_t)plan->size,
                         .size_high = (uint16_t)(plan->size >> 32),
                         .sequence_low = (uint32_t)plan->sequence,
                         .sequence_high = (uint16_t)(plan->sequence >> 32),
                         .attrs_len = (uint32_t)plan->attrs.len};
    r->flags |= plan->body ? RECORD_HAS_BODY : 0;
    r->flags |= plan->parts ? RECORD_HAS_PARTS : 0;
    if (plan->md5)
        memcpy(r->md5, plan->md5, MD5_SIZE);
    atomic_init(&r->refs, 1);
}

static void fill_rest(struct record *r, const struct plan *plan, size_t digest_len)
{
    str_put(r->key, plan->key);
    memcpy(checksum_at(r), plan->digest, digest_len);
    str_put(attrs_at(r), plan->attrs);
    if (plan->body)
        memcpy(body_at(r), &(struct body *){body_ref(plan->body)}, sizeof(plan->body));
    if (plan->parts)
        memcpy(parts_at(r), &(struct parts *){parts_ref(plan->parts)}, sizeof(plan->parts));
    if (plan->small)
        body_copy_out(plan->small, inline_at(r));
    else if (plan->inline_bytes)
        memcpy(inline_at(r), plan->inline_bytes, (size_t)plan->size);
}

static struct record *record_make(struct store *store, const struct plan *plan)
{
    size_t digest_len = checksum_size((enum checksum_alg)(plan->checksum & 15));
    size_t size = sizeof(struct record) + plan->key.len + digest_len + plan->attrs.len +
                  (plan->body ? sizeof(plan->body) : (size_t)plan->size) +
                  (plan->parts ? sizeof(plan->parts) : 0);

    /* Callers refuse longer keys themselves; one that forgets must not bring the server down.
     */
    if (plan->key.len > KEY_MAX || plan->attrs.len > UINT32_MAX || plan->size > RECORD_SIZE_MAX)
        return NULL;
    if (!account_take(&store->account, ACCOUNT_RECORD, pool_slot_size(size)))
        return NULL;

    struct record *r = pool_take(store->pool, size);
    if (!r) {
        account_give(&store->account, ACCOUNT_RECORD, pool_slot_size(size));
        return NULL;
    }
    fill_header(r, plan);
    fill_rest(r, plan, digest_len);
    assert(slot_size(r) == size);
    if (!plan->body)
        account_data_add(&store->account, plan->size);
    return r;
}

/* A plan to make the same again; the caller changes what differs. */
static struct plan plan_of(struct record *r)
{
    struct body *body = body_of(r);

    return (struct plan){.key = record_key_of(r),
                         .attrs = record_attrs(r),
                         .mtime_ns = r->mtime_ns,
                         .size = record_size(r),
                         .sequence = record_sequence(r),
                         .md5 = r->md5,
                         .flags = r->flags & (RECORD_DELETE_MARKER | RECORD_NULL_VERSION),
                         .checksum = r->checksum,
                         .digest = checksum_at(r),
                         .body = body,
                         .inline_bytes = body ? NULL : inline_at(r),
                         .parts = parts_of(r)};
}

struct record *record_new(struct store *store, const struct record_spec *spec,
                          struct body *body)
{
    struct plan plan = {.key = spec->key,
                        .attrs = spec->attrs,
                        .mtime_ns = spec->mtime_ns,
                        .size = body ? body_len(body) : 0,
                        .md5 = spec->md5,
                        .checksum = (uint8_t)(spec->checksum.alg | spec->checksum.type << 4),
                        .digest = spec->checksum.bytes};
    struct record *r = NULL;

    if (plan.size > INLINE_BODY_MAX) {
        body_seal(body);
        plan.body = body;
    } else {
        plan.small = body;
    }

    bool multipart = spec->part_count > 0 || spec->upload_id.len > 0;

    if (multipart)
        plan.parts = parts_new(store, spec);
    if (plan.parts || !multipart)
        r = record_make(store, &plan);
    parts_unref(plan.parts);
    body_unref(body);
    return r;
}

struct record *record_with_attrs(struct store *store, struct record *r, struct str attrs)
{
    struct plan plan = plan_of(r);

    plan.attrs = attrs;
    return record_make(store, &plan);
}

struct record *record_with_key(struct store *store, struct record *r, struct str key)
{
    struct plan plan = plan_of(r);

    plan.key = key;
    return record_make(store, &plan);
}

struct record *record_new_marker(struct store *store, struct str key, int64_t mtime_ns)
{
    struct plan plan = {
        .key = key, .mtime_ns = mtime_ns, .flags = RECORD_DELETE_MARKER, .digest = ""};

    return record_make(store, &plan);
}

void record_md5(const struct record *r, uint8_t out[MD5_SIZE])
{
    memcpy(out, r->md5, MD5_SIZE);
}

void record_place(const struct record *r, struct record_place *out)
{
    *out = (struct record_place){.number = record_sequence(r),
                                 .is_null = record_is_null_version(r),
                                 .delete_marker = record_is_delete_marker(r)};
}

void record_publish(struct record *r, uint64_t sequence, bool null_version)
{
    assert(!(r->flags & RECORD_PUBLISHED) && sequence <= SEQUENCE_MAX);
    r->sequence_low = (uint32_t)sequence;
    r->sequence_high = (uint16_t)(sequence >> 32);
    r->flags &= (uint8_t)~RECORD_NULL_VERSION;
    r->flags |= RECORD_PUBLISHED | (null_version ? RECORD_NULL_VERSION : 0);
}

struct body *record_body(struct store *store, struct record *r)
{
    struct body *body = body_of(r);
    size_t len = (size_t)record_size(r);

    if (body)
        return body_ref(body);
    body = body_new(store, len);
    if (body && !body_append(body, inline_at(r), len))
        return body_unref(body), NULL;
    return body;
}

struct record *record_ref(struct record *r)
{
    if (r)
        refs_take(&r->refs);
    return r;
}

void record_unref(struct record *r)
{
    if (!r || !refs_drop(&r->refs))
        return;

    size_t size = slot_size(r);
    struct store *store = store_of_slot(r, size);

    struct body *body = body_of(r);

    if (!body)
        account_data_sub(&store->account, record_size(r));
    body_unref(body);
    parts_unref(parts_of(r));
    account_give(&store->account, ACCOUNT_RECORD, pool_slot_size(size));
    pool_give(r, size);
}

/* ---- reading ----------------------------------------------------------------------- */

struct str record_key(const struct record *r)
{
    return record_key_of(r);
}

uint64_t record_size(const struct record *r)
{
    return (uint64_t)r->size_high << 32 | r->size_low;
}

int64_t record_mtime_ns(const struct record *r)
{
    return r->mtime_ns;
}

struct str record_attrs(const struct record *r)
{
    return str_of(attrs_at(r), r->attrs_len);
}

bool record_is_delete_marker(const struct record *r)
{
    return r->flags & RECORD_DELETE_MARKER;
}

void record_checksum(const struct record *r, struct checksum *out)
{
    *out = (struct checksum){.alg = r->checksum & 15, .type = r->checksum >> 4};
    memcpy(out->bytes, checksum_at(r), checksum_size(checksum_alg_of(r)));
}

struct str record_etag(const struct record *r, char out[ETAG_SIZE])
{
    uint32_t parts = record_part_count(r);
    char *end = out;

    *end++ = '"';
    end = hex_encode(end, r->md5, MD5_SIZE);
    if (parts > 0)
        end += snprintf(end, 12, "-%u", parts);
    *end++ = '"';
    *end = '\0';
    return str_of(out, (size_t)(end - out));
}

uint32_t record_part_count(const struct record *r)
{
    const struct parts *parts = parts_of(r);

    return parts ? parts_count(parts) : 0;
}

bool record_part(const struct record *r, uint32_t index, struct part_info *out,
                 uint64_t *offset)
{
    const struct parts *parts = parts_of(r);

    return parts && parts_get(parts, index, out, offset);
}

struct str record_upload_id(const struct record *r)
{
    const struct parts *parts = parts_of(r);

    return parts ? parts_upload_id(parts) : STR_NONE;
}

struct str record_version_id(const struct record *r, char out[VERSION_ID_SIZE])
{
    if (record_is_null_version(r)) {
        memcpy(out, "null", sizeof("null"));
        return str_of(out, sizeof("null") - 1);
    }
    version_id_encode(record_sequence(r), out);
    return str_of(out, VERSION_ID_SIZE - 1);
}

size_t record_slices(const struct record *r, uint64_t first, uint64_t len, struct slice *out,
                     size_t max)
{
    const struct body *body = body_of(r);
    uint64_t size = record_size(r);

    if (body)
        return body_slices(body, first, len, out, max);
    if (first >= size || len == 0)
        return 0;
    if (len > size - first)
        len = size - first;
    if (max > 0)
        out[0] = (struct slice){inline_at(r) + first, (size_t)len};
    return 1;
}

size_t record_extents(const struct record *r, struct extent *out, size_t max)
{
    const struct body *body = body_of(r);

    return body ? body_extents(body, out, max) : 0;
}

uint64_t record_new_bytes(const struct record *r)
{
    const struct body *body = body_of(r);

    return body ? body_new_bytes(body) : record_size(r);
}
