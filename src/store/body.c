/* SPDX-License-Identifier: MIT */
/* body.c - the bytes of objects and parts.
 *
 * A flat body is one allocation, header and bytes; a rope is an array of pieces of flat bodies,
 * each with a reference on its flat. Joins and ranges are ropes; so is a body of unknown
 * length, whose pieces are flats of growing size. A body is written by one thread (append,
 * space, commit), then sealed when it becomes part of a record or upload, and never changes
 * again.
 *
 * A flat takes its address space once and is accounted as its bytes arrive: a client that only
 * announces a body holds a page. Flats of LARGE bytes and more come straight from the kernel,
 * and freeing them returns the memory at once. Behind their first 2 MiB they are in huge pages
 * where it has them: a fault each 2 MiB, and no more memory than twice what came. Freeing many
 * pages or pieces takes its time, so that is left to the reaper. */
#include "store/body.h"
#include "store/core.h"

#include <assert.h>

#define LARGE       MiB(1)
#define HUGE_PAGE   MiB(2)
#define PAGE        KiB(4)
#define STEP_MIN    KiB(16) /* accounted ahead of what came, at least ... */
#define STEP_MAX    MiB(1)  /* ... and at most, but for a huge page */
#define PIECE_MIN   KiB(16) /* of bodies of unknown length; more than a block */
#define PIECE_MAX   MiB(8)
#define COLD        MiB(8) /* bodies that no cache holds until they are read */
#define REAP_BYTES  MiB(4) /* freeing this much, or ... */
#define REAP_PIECES 64     /* ... this many, is not done in a request */

struct piece {
    struct body *flat; /* counted */
    const char *ptr;
    size_t len;
    uint64_t end; /* offset in the rope behind this piece */
};

struct body {
    _Atomic uint32_t refs;
    bool is_rope;
    bool is_block; /* from mem_block_take ... */
    bool is_pages; /* ... or try_pages, not try_malloc */
    bool is_data;  /* flats: sealed, and counted as such */
    struct store *store;
    uint64_t len;
    _Atomic uint64_t number; /* flats: as a segment; 0: nobody has asked */
    union {
        struct {
            size_t cap;     /* bytes behind the header that may be written */
            size_t counted; /* taken from the account; header included */
        };
        struct {
            struct piece *pieces; /* owned */
            uint32_t count, room;
        };
    };
    struct reap reap;
};

static char *flat_bytes(const struct body *flat)
{
    return (char *)(flat + 1);
}

static size_t whole_pages(size_t size)
{
    return (size + PAGE - 1) & ~(PAGE - 1);
}

/* ---- making and dropping ----------------------------------------------------------- */

/* Bytes of memory that a flat is, header included. */
static size_t flat_size(const struct body *flat)
{
    size_t size = sizeof(*flat) + flat->cap;

    return flat->is_block ? MEM_BLOCK : flat->is_pages ? whole_pages(size) : size;
}

static void *large_new(struct store *store, size_t size)
{
    void *pages = recycler_take(&store->recycler, size);

    if (pages)
        return pages;
    pages = try_pages(size, size > HUGE_PAGE ? HUGE_PAGE : PAGE);
    if (pages)
        mem_pages_small(pages, size > HUGE_PAGE ? HUGE_PAGE : size);
    return pages;
}

static struct body *flat_new(struct store *store, size_t cap)
{
    struct body flat = {.store = store, .cap = cap};
    size_t size = sizeof(flat) + cap;

    /* A small one lives no longer than its request, which copies it into its record; but for
     * small parts of uploads. */
    flat.is_block = size <= MEM_BLOCK;
    flat.is_pages = size >= LARGE;
    size = flat_size(&flat);
    flat.counted = size < PAGE ? size : PAGE;
    if (!account_fits(&store->account, size) ||
        !account_take(&store->account, ACCOUNT_BODY, flat.counted))
        return NULL;

    struct body *b = flat.is_block   ? mem_block_take()
                     : flat.is_pages ? large_new(store, size)
                                     : try_malloc(size);

    if (!b) {
        account_give(&store->account, ACCOUNT_BODY, flat.counted);
        return NULL;
    }
    *b = flat;
    atomic_init(&b->refs, 1);
    return b;
}

/* Takes from the account what the first `used` bytes need, header included, and some more: as
 * bytes arrive, seldom, and a small part of what is there. */
static bool flat_count_to(struct body *flat, size_t used)
{
    struct account *account = &flat->store->account;
    size_t size = flat_size(flat), step = whole_pages(flat->counted / 4);

    if (used <= flat->counted)
        return true;
    step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;

    /* The kernel gives a huge page whole. */
    size_t need = flat->is_pages && used > HUGE_PAGE
                      ? (used + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1)
                      : whole_pages(used);
    size_t more = need < flat->counted + step ? flat->counted + step : need;

    need = need < size ? need : size;
    more = more < size ? more : size;
    if (!account_take(account, ACCOUNT_BODY, more - flat->counted)) {
        if (!account_take(account, ACCOUNT_BODY, need - flat->counted))
            return false;
        more = need;
    }
    flat->counted = more;
    return true;
}

static void flat_free(struct body *flat)
{
    if (flat->is_data)
        account_data_sub(&flat->store->account, flat->len);
    account_give(&flat->store->account, ACCOUNT_BODY, flat->counted);
    if (flat->is_block)
        mem_block_give(flat);
    else if (flat->is_pages)
        recycler_give(&flat->store->recycler, flat, flat_size(flat));
    else {
        mem_freed(flat_size(flat));
        mem_free(flat);
    }
}

static size_t rope_size(uint32_t room)
{
    return sizeof(struct body) + room * sizeof(struct piece);
}

static struct body *rope_new(struct store *store, uint32_t room)
{
    if (!account_take(&store->account, ACCOUNT_BODY, rope_size(room)))
        return NULL;

    struct body *b = try_malloc(sizeof(*b));
    struct piece *pieces = try_malloc(room * sizeof(*pieces));

    if (!b || !pieces) {
        account_give(&store->account, ACCOUNT_BODY, rope_size(room));
        mem_free(pieces);
        mem_free(b);
        return NULL;
    }
    *b = (struct body){.store = store, .is_rope = true, .pieces = pieces, .room = room};
    atomic_init(&b->refs, 1);
    return b;
}

static void rope_free(struct body *rope)
{
    for (uint32_t i = 0; i < rope->count; i++)
        body_unref(rope->pieces[i].flat);
    account_give(&rope->store->account, ACCOUNT_BODY, rope_size(rope->room));
    mem_free(rope->pieces);
    mem_free(rope);
}

static void body_free(struct body *b)
{
    if (b->is_rope)
        rope_free(b);
    else
        flat_free(b);
}

static void body_reap(struct reap *reap)
{
    body_free((struct body *)((char *)reap - offsetof(struct body, reap)));
}

struct body *body_new(struct store *store, uint64_t expected)
{
    if (expected == BODY_LENGTH_UNKNOWN)
        return rope_new(store, 8);
    if (expected > SIZE_MAX / 2)
        return NULL;
    return flat_new(store, (size_t)expected);
}

struct body *body_ref(struct body *b)
{
    if (b)
        refs_take(&b->refs);
    return b;
}

void body_unref(struct body *b)
{
    if (!b || !refs_drop(&b->refs))
        return;
    if (b->is_rope ? b->count > REAP_PIECES || b->len > REAP_BYTES : b->cap > REAP_BYTES)
        reaper_push(b->store->reaper, &b->reap, body_reap, b->is_rope ? b->count : 1);
    else
        body_free(b);
}

/* ---- writing ----------------------------------------------------------------------- */

static bool rope_grow(struct body *rope)
{
    uint32_t room = rope->room * 2;
    uint64_t more = rope_size(room) - rope_size(rope->room);

    if (rope->count < rope->room)
        return true;
    if (!account_take(&rope->store->account, ACCOUNT_BODY, more))
        return false;

    struct piece *pieces = try_realloc(rope->pieces, room * sizeof(*pieces));

    if (!pieces) {
        account_give(&rope->store->account, ACCOUNT_BODY, more);
        return false;
    }
    rope->pieces = pieces;
    rope->room = room;
    return true;
}

/* The piece that takes the next bytes of a body of unknown length; NULL when memory is out. */
static struct piece *rope_open_piece(struct body *rope)
{
    struct piece *last = rope->count > 0 ? &rope->pieces[rope->count - 1] : NULL;

    if (last && last->len < last->flat->cap)
        return last;
    if (!rope_grow(rope))
        return NULL;

    /* As much again as there is, the header included: whole pages. */
    uint64_t size = rope->len < PIECE_MIN ? PIECE_MIN : rope->len;
    if (size > PIECE_MAX)
        size = PIECE_MAX;

    struct body *flat = flat_new(rope->store, whole_pages((size_t)size) - sizeof(struct body));

    if (!flat)
        return NULL;
    last = &rope->pieces[rope->count++];
    *last = (struct piece){.flat = flat, .ptr = flat_bytes(flat), .end = rope->len};
    return last;
}

void *body_space(struct body *b, size_t *len)
{
    struct piece *piece = b->is_rope ? rope_open_piece(b) : NULL;
    struct body *flat = b->is_rope ? piece ? piece->flat : NULL : b;

    if (!flat || flat->cap == flat->len || *len == 0)
        return NULL;
    if (*len > flat->cap - flat->len)
        *len = flat->cap - flat->len;
    if (!flat_count_to(flat, sizeof(*flat) + flat->len + *len))
        return NULL;
    return flat_bytes(flat) + flat->len;
}

void body_commit(struct body *b, size_t len)
{
    if (len == 0)
        return;
    if (b->is_rope) {
        struct piece *piece = &b->pieces[b->count - 1];

        assert(len <= piece->flat->cap - piece->len);
        piece->len += len;
        piece->end += len;
        piece->flat->len += len;
    } else {
        assert(len <= b->cap - b->len);
    }
    b->len += len;
}

bool body_append(struct body *b, const void *data, size_t len)
{
    const char *from = data;

    while (len > 0) {
        size_t take = len;
        void *space = body_space(b, &take);

        if (!space)
            return false;
        if (!b->is_rope && b->cap >= COLD)
            mem_copy_cold(space, from, take);
        else
            memcpy(space, from, take);
        body_commit(b, take);
        from += take;
        len -= take;
    }
    return true;
}

/* A flat without its unwritten tail; possibly elsewhere, so only for its one holder. */
static struct body *flat_shrink(struct body *flat)
{
    size_t size = sizeof(*flat) + flat->len, before = flat_size(flat);

    if (flat->is_pages) {
        size = whole_pages(size);
        mem_pages_free((char *)flat + size, before - size);
    } else {
        struct body *smaller = try_realloc(flat, size);
        if (!smaller)
            return flat;
        flat = smaller;
    }
    account_give(&flat->store->account, ACCOUNT_BODY, flat->counted - size);
    flat->counted = size;
    flat->cap = flat->len;
    return flat;
}

/* A flat that others share has been sealed before they could. */
static void flat_count(struct body *flat)
{
    if (flat->is_data)
        return;
    flat->is_data = true;
    account_data_add(&flat->store->account, flat->len);
}

static void shrink_last(struct body *rope)
{
    struct piece *last = &rope->pieces[rope->count - 1];

    if (last->len < last->flat->cap && refs_alone(&last->flat->refs)) {
        last->flat = flat_shrink(last->flat);
        last->ptr = flat_bytes(last->flat);
    }
}

void body_seal(struct body *b)
{
    if (!b->is_rope) {
        flat_count(b);
        return;
    }
    if (b->count > 0 && refs_alone(&b->refs))
        shrink_last(b);
    for (uint32_t i = 0; i < b->count; i++)
        flat_count(b->pieces[i].flat);
}

/* ---- sharing ----------------------------------------------------------------------- */

/* First piece that reaches beyond offset. */
static uint32_t rope_find(const struct body *rope, uint64_t offset)
{
    uint32_t low = 0, high = rope->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (rope->pieces[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Walks the pieces of bytes [first, first + len) of a body. */
struct span {
    const struct body *body;
    uint64_t at, end;
    uint32_t index;
};

static struct span span_of(const struct body *b, uint64_t first, uint64_t len)
{
    uint64_t end = first > b->len || len > b->len - first ? b->len : first + len;

    return (struct span){
        .body = b, .at = first, .end = end, .index = b->is_rope ? rope_find(b, first) : 0};
}

static bool span_next(struct span *span, struct piece *out)
{
    const struct body *b = span->body;

    if (span->at >= span->end)
        return false;
    if (b->is_rope) {
        *out = b->pieces[span->index++];
        size_t skip = (size_t)(span->at - (out->end - out->len));
        out->ptr += skip;
        out->len -= skip;
    } else {
        *out = (struct piece){.flat = (struct body *)b, .ptr = flat_bytes(b) + span->at};
        out->len = (size_t)(b->len - span->at);
    }
    if (out->len > span->end - span->at)
        out->len = (size_t)(span->end - span->at);
    span->at += out->len;
    return true;
}

static void rope_add(struct body *rope, const struct piece *piece)
{
    assert(rope->count < rope->room);
    body_ref(piece->flat);
    rope->len += piece->len;
    rope->pieces[rope->count] = *piece;
    rope->pieces[rope->count++].end = rope->len;
}

static uint32_t piece_count(const struct body *b)
{
    return b->is_rope ? b->count : 1;
}

struct body *body_join(struct store *store, struct body *const *parts, size_t count)
{
    uint64_t pieces = 1;

    for (size_t i = 0; i < count; i++)
        pieces += piece_count(parts[i]);
    if (pieces > UINT32_MAX / sizeof(struct piece))
        return NULL;

    struct body *rope = rope_new(store, (uint32_t)pieces);
    for (size_t i = 0; rope && i < count; i++) {
        struct span span = span_of(parts[i], 0, parts[i]->len);
        struct piece piece;

        while (span_next(&span, &piece))
            rope_add(rope, &piece);
    }
    return rope;
}

struct body *body_range(struct body *b, uint64_t first, uint64_t len)
{
    struct span span = span_of(b, first, len);
    struct piece piece;
    uint32_t pieces = 1;

    while (span_next(&span, &piece))
        pieces++;

    struct body *rope = rope_new(b->store, pieces);
    if (!rope)
        return NULL;
    span = span_of(b, first, len);
    while (span_next(&span, &piece))
        rope_add(rope, &piece);
    return rope;
}

/* ---- reading ----------------------------------------------------------------------- */

uint64_t body_len(const struct body *b)
{
    return b->len;
}

size_t body_slices(const struct body *b, uint64_t first, uint64_t len, struct slice *out,
                   size_t max)
{
    struct span span = span_of(b, first, len);
    struct piece piece;
    size_t count = 0;

    for (; span_next(&span, &piece); count++)
        if (count < max)
            out[count] = (struct slice){piece.ptr, piece.len};
    return count;
}

/* ---- segments ---------------------------------------------------------------------- */

static uint64_t segment_number(struct body *flat)
{
    uint64_t none = 0, number = atomic_load_explicit(&flat->number, memory_order_relaxed);

    if (number > 0)
        return number;
    number = atomic_fetch_add_explicit(&flat->store->segment, 1, memory_order_relaxed) + 1;
    /* Somebody else may have asked meanwhile. */
    return atomic_compare_exchange_strong(&flat->number, &none, number) ? number : none;
}

void body_is_segment(struct body *b, uint64_t number)
{
    uint64_t last = atomic_load_explicit(&b->store->segment, memory_order_relaxed);

    assert(!b->is_rope);
    atomic_store_explicit(&b->number, number, memory_order_relaxed);
    while (last < number && !atomic_compare_exchange_weak(&b->store->segment, &last, number))
        continue;
}

size_t body_extents(const struct body *b, struct extent *out, size_t max)
{
    struct span span = span_of(b, 0, b->len);
    struct piece piece;
    size_t count = 0;

    for (; span_next(&span, &piece); count++) {
        const char *bytes = flat_bytes(piece.flat);

        if (count < max)
            out[count] = (struct extent){.segment = segment_number(piece.flat),
                                         .bytes = bytes,
                                         .segment_len = piece.flat->len,
                                         .first = (uint64_t)(piece.ptr - bytes),
                                         .len = piece.len};
    }
    return count;
}

uint64_t body_new_bytes(const struct body *b)
{
    struct span span = span_of(b, 0, b->len);
    struct piece piece;
    uint64_t bytes = 0;

    while (span_next(&span, &piece)) {
        if (atomic_load_explicit(&piece.flat->number, memory_order_relaxed) > 0)
            continue;
        segment_number(piece.flat);
        bytes += piece.flat->len;
    }
    return bytes;
}

void body_copy_out(const struct body *b, char *out)
{
    struct span span = span_of(b, 0, b->len);
    struct piece piece;

    while (span_next(&span, &piece)) {
        memcpy(out, piece.ptr, piece.len);
        out += piece.len;
    }
}
