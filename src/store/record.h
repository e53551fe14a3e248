/* SPDX-License-Identifier: MIT */
/* record.h - the layout of a record: one pool slot that holds everything but a large body.
 *
 *   header | key | checksum | attributes | [pointer to body] | [pointer to parts]
 *          | [inline body]
 *
 * 48 bytes of header, because a record may cost no more than 100 with its tree node. */
#ifndef S3MEM_STORE_RECORD_H
#define S3MEM_STORE_RECORD_H

#include "store/core.h"

enum record_flags {
    RECORD_DELETE_MARKER = 1 << 0,
    RECORD_NULL_VERSION = 1 << 1, /* its version id is "null" */
    RECORD_HAS_BODY = 1 << 2,     /* the bytes are in a struct body, not inline */
    RECORD_HAS_PARTS = 1 << 3,    /* it came from a multipart upload */
    RECORD_PUBLISHED = 1 << 4,    /* it is or was in a bucket: immutable */
};

struct record {
    _Atomic uint32_t refs;
    uint16_t key_len;
    uint8_t flags;
    uint8_t checksum; /* algorithm, and type << 4 */
    int64_t mtime_ns;
    uint8_t md5[MD5_SIZE];
    uint32_t size_low, sequence_low; /* both numbers have 48 bits */
    uint16_t size_high, sequence_high;
    uint32_t attrs_len;
    char key[];
};

_Static_assert(offsetof(struct record, key) == 48, "part of the 100 bytes an object may cost");

#define RECORD_SIZE_MAX ((UINT64_C(1) << 48) - 1)

static inline struct str record_key_of(const struct record *r)
{
    return str_of(r->key, r->key_len);
}

static inline uint64_t record_sequence(const struct record *r)
{
    return (uint64_t)r->sequence_high << 32 | r->sequence_low;
}

static inline bool record_is_null_version(const struct record *r)
{
    return r->flags & RECORD_NULL_VERSION;
}

/* Whoever found it will read it: starts to fetch it, a small object's bytes included, from
 * wherever in memory it is, while the reply's headers are written. */
static inline void record_prefetch(const struct record *r)
{
    for (size_t at = 0; at < KiB(1) + 128; at += 64)
        __builtin_prefetch((const char *)r + at);
}

/* Gives a record that is about to be published its place among the versions of its key. */
void record_publish(struct record *r, uint64_t sequence, bool null_version);
/* NULL when memory is out. */
MUST_CHECK struct record *record_new_marker(struct store *store, struct str key,
                                            int64_t mtime_ns);
/* The same object under another key, not yet published. NULL when memory is out. */
MUST_CHECK struct record *record_with_key(struct store *store, struct record *r,
                                          struct str key);

#endif
