/* SPDX-License-Identifier: MIT */
/* source_digest.c - hashing what is in the store, a turn at a time. */
#include "s3/body/source_digest.h"

/* About 3 ms of MD5, or of small slices. */
#define TURN        MiB(2)
#define TURN_SLICES 2000
#define SLICES_MAX  16

void source_digest_begin(struct source_digest *d, struct record *from, uint64_t first,
                         uint64_t len, bool wants_md5, enum checksum_alg alg)
{
    *d = (struct source_digest){.from = from, .at = first, .end = first + len};
    if (wants_md5)
        digest_init(&d->md5, CHECKSUM_MD5);
    if (alg != CHECKSUM_NONE)
        digest_init(&d->sum, alg);
    if (!wants_md5 && alg == CHECKSUM_NONE)
        d->at = d->end;
}

static void update(struct source_digest *d, const struct slice *slice, uint64_t len)
{
    if (d->md5.alg != CHECKSUM_NONE)
        digest_update(&d->md5, slice->ptr, (size_t)len);
    if (d->sum.alg != CHECKSUM_NONE)
        digest_update(&d->sum, slice->ptr, (size_t)len);
    d->at += len;
}

bool source_digest_turn(struct source_digest *d)
{
    uint64_t stop = d->end - d->at > TURN ? d->at + TURN : d->end;

    for (size_t read = 0; d->at < stop && read < TURN_SLICES; read += SLICES_MAX) {
        struct slice slices[SLICES_MAX];
        size_t count = record_slices(d->from, d->at, stop - d->at, slices, SLICES_MAX);

        for (size_t i = 0; i < count && i < SLICES_MAX; i++)
            update(d, &slices[i], slices[i].len);
    }
    return d->at == d->end;
}

void source_digest_release(struct source_digest *d)
{
    digest_release(&d->md5);
    digest_release(&d->sum);
}
