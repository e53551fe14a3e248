/* SPDX-License-Identifier: MIT */
/* work_with.h - what came from outside is worked with as clients would: whatever was loaded
 * must bear all of it. For targets that load a store. */
#ifndef S3MEM_TESTS_FUZZ_WORK_WITH_H
#define S3MEM_TESTS_FUZZ_WORK_WITH_H

#include <assert.h>

#include "store/store.h"

#define WORK_ENTRIES 24 /* of each listing so many are written to and deleted */
#define WORK_PARTS   16

static struct record *new_record(struct store *store, struct str key)
{
    struct record_spec spec = {.key = key, .mtime_ns = 1};
    struct body *body = body_new(store, 1);

    if (body && !body_append(body, "x", 1)) {
        body_unref(body);
        return NULL;
    }
    return body ? record_new(store, &spec, body) : NULL;
}

static void put(struct store *store, struct branch *b, struct str bucket, struct str key)
{
    struct write_result result = {.old = NULL};
    struct record *r = new_record(store, key);

    if (r)
        (void)!object_put(b, bucket, r, NULL, &result);
    record_unref(result.old);
}

static void delete (struct branch *b, struct str bucket, struct str key, struct str version)
{
    struct target at = {bucket, key};
    struct write_result result = {.old = NULL};

    (void)!object_delete(b, &at, version, NULL, &result);
    record_unref(result.old);
}

/* Over it, its version away, a marker or nothing in its place. */
static void change_object(struct store *store, struct branch *b, struct str bucket,
                          struct record *r, unsigned n)
{
    char version[VERSION_ID_SIZE];

    if (n % 3 == 0)
        put(store, b, bucket, record_key(r));
    if (n % 3 < 2)
        delete (b, bucket, record_key(r), record_version_id(r, version));
    else
        delete (b, bucket, record_key(r), STR_NONE);
}

static void complete_upload(struct store *store, struct branch *b, const struct target *at,
                            struct upload *u)
{
    struct part_info rows[WORK_PARTS];
    struct body *bodies[WORK_PARTS];
    struct record_spec spec = {
        .key = upload_key(u), .mtime_ns = 9, .parts = rows, .upload_id = upload_id(u)};
    struct write_result result = {.old = NULL};
    const struct part *part;

    for (uint32_t from = 1; spec.part_count < WORK_PARTS && (part = upload_part_from(u, from));
         from = part->number + 1) {
        rows[spec.part_count] = (struct part_info){part->number, part->size, part->checksum};
        bodies[spec.part_count++] = part->body;
    }
    struct body *whole = spec.part_count ? body_join(store, bodies, spec.part_count) : NULL;
    struct record *r = whole ? record_new(store, &spec, whole) : NULL;

    if (r)
        (void)!upload_complete(b, at, u, r, NULL, &result);
    record_unref(result.old);
}

static void put_part(struct store *store, struct branch *b, const struct target *at,
                     struct str id)
{
    struct part part = {.number = 1, .mtime_ns = 3, .body = body_new(store, 0)};

    if (part.body)
        (void)!upload_put_part(b, at, id, &part);
}

static void change_upload(struct store *store, struct branch *b, struct str bucket,
                          struct upload *u, unsigned n)
{
    struct target at = {bucket, upload_key(u)};

    if (n % 3 > 0)
        put_part(store, b, &at, upload_id(u));
    if (n % 3 == 0)
        complete_upload(store, b, &at, u);
    else if (n % 3 == 1)
        (void)!upload_abort(b, &at, upload_id(u));
}

/* Lists it as it is, and changes what is listed. */
static void work_with_listing(struct store *store, struct branch *b, struct str bucket,
                              enum listing_kind kind)
{
    AUTO(root) root = branch_root(b);
    AUTO(listing) listing = NULL;
    struct listing_query query = {.kind = kind, .bucket = bucket};
    struct listing_entry at;

    if (listing_open(&listing, root, &query))
        return;
    for (unsigned n = 0; listing_next(listing, &at); n++) {
        if (n >= WORK_ENTRIES)
            continue;
        if (kind == LIST_UPLOADS)
            change_upload(store, b, bucket, at.upload, n);
        else
            change_object(store, b, bucket, at.record, n);
    }
}

static void work_with_bucket(struct store *store, struct branch *b, struct str bucket,
                             unsigned n)
{
    put(store, b, bucket, STR("new"));
    work_with_listing(store, b, bucket, LIST_UPLOADS);
    if (n % 2 == 0)
        (void)!bucket_set_versioning(b, bucket, VERSIONING_ENABLED);
    work_with_listing(store, b, bucket, LIST_VERSIONS);
    work_with_listing(store, b, bucket, LIST_OBJECTS);
    if (n % 4 < 3)
        (void)!bucket_clear(b, bucket, NULL);
    work_with_listing(store, b, bucket, LIST_VERSIONS);
    if (n % 4 < 2)
        (void)!bucket_delete(b, bucket);
}

static void work_with(struct store *store, struct branch *b)
{
    struct bucket_info info;
    char after[sizeof(info.name)] = "";
    AUTO(root) root = branch_root(b);

    for (unsigned n = 0; n < WORK_ENTRIES && root_bucket_next(root, str_c(after), false, &info);
         n++) {
        memcpy(after, info.name, sizeof(after));
        bucket_info_release(&info);
        work_with_bucket(store, b, str_c(after), n);
    }
}

#endif
