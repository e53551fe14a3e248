/* SPDX-License-Identifier: MIT */
/* parts.c - a table of parts in one allocation; rows are as wide as the longest checksum. */
#include "store/parts.h"
#include "store/core.h"

struct part_row {
    uint64_t end; /* offset in the object behind this part */
    uint32_t number;
    uint8_t alg, type;
    uint8_t bytes[2]; /* and more: the checksum */
};

struct parts {
    _Atomic uint32_t refs;
    uint32_t count;     /* of the ETag */
    uint32_t row_count; /* count, or 0 when the parts are not known */
    uint32_t row_size;
    struct store *store;
    size_t allocated;
    size_t upload_id_len;
    char rows[]; /* then the upload id */
};

static struct part_row *row_at(const struct parts *p, uint32_t index)
{
    return (struct part_row *)(p->rows + (size_t)index * p->row_size);
}

static uint32_t row_size_for(const struct record_spec *spec)
{
    size_t longest = sizeof(((struct part_row *)NULL)->bytes);

    for (uint32_t i = 0; spec->parts && i < spec->part_count; i++) {
        size_t size = checksum_size((enum checksum_alg)spec->parts[i].checksum.alg);
        if (size > longest)
            longest = size;
    }
    return (uint32_t)((offsetof(struct part_row, bytes) + longest + 7) & ~(size_t)7);
}

static void fill_rows(struct parts *p, const struct part_info *infos)
{
    uint64_t end = 0;

    for (uint32_t i = 0; i < p->row_count; i++) {
        struct part_row *row = row_at(p, i);

        end += infos[i].size;
        row->end = end;
        row->number = infos[i].number;
        row->alg = infos[i].checksum.alg;
        row->type = infos[i].checksum.type;
        memcpy(row->bytes, infos[i].checksum.bytes, checksum_size((enum checksum_alg)row->alg));
    }
}

bool parts_are_good(const struct record_spec *spec, uint64_t size)
{
    uint64_t sum = 0;

    if (spec->part_count > PART_NUMBER_MAX)
        return false;
    for (uint32_t i = 0; spec->parts && i < spec->part_count; i++) {
        const struct part_info *part = &spec->parts[i];

        if (part->size > size - sum || part->number < 1 || part->number > PART_NUMBER_MAX ||
            !checksum_is_good(&part->checksum) ||
            (i > 0 && part->number <= spec->parts[i - 1].number))
            return false;
        sum += part->size;
    }
    return !spec->parts || sum == size;
}

struct parts *parts_new(struct store *store, const struct record_spec *spec)
{
    uint32_t row_size = row_size_for(spec);
    uint32_t row_count = spec->parts ? spec->part_count : 0;
    size_t size = sizeof(struct parts) + (size_t)row_count * row_size + spec->upload_id.len;

    if (!account_take(&store->account, ACCOUNT_RECORD, size))
        return NULL;

    struct parts *p = try_malloc(size);
    if (!p) {
        account_give(&store->account, ACCOUNT_RECORD, size);
        return NULL;
    }
    *p = (struct parts){.count = spec->part_count,
                        .row_count = row_count,
                        .row_size = row_size,
                        .store = store,
                        .allocated = size,
                        .upload_id_len = spec->upload_id.len};
    atomic_init(&p->refs, 1);
    fill_rows(p, spec->parts);
    str_put(row_at(p, row_count), spec->upload_id);
    return p;
}

struct parts *parts_ref(struct parts *p)
{
    refs_take(&p->refs);
    return p;
}

void parts_unref(struct parts *p)
{
    if (!p || !refs_drop(&p->refs))
        return;
    account_give(&p->store->account, ACCOUNT_RECORD, p->allocated);
    mem_free(p);
}

uint32_t parts_count(const struct parts *p)
{
    return p->count;
}

bool parts_get(const struct parts *p, uint32_t index, struct part_info *out, uint64_t *offset)
{
    if (index >= p->row_count)
        return false;

    const struct part_row *row = row_at(p, index);
    uint64_t start = index > 0 ? row_at(p, index - 1)->end : 0;

    *out = (struct part_info){.number = row->number, .size = row->end - start};
    out->checksum.alg = row->alg;
    out->checksum.type = row->type;
    memcpy(out->checksum.bytes, row->bytes, checksum_size((enum checksum_alg)row->alg));
    *offset = start;
    return true;
}

struct str parts_upload_id(const struct parts *p)
{
    if (p->upload_id_len == 0)
        return STR_NONE;
    return str_of((const char *)row_at(p, p->row_count), p->upload_id_len);
}
