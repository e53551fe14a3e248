/* SPDX-License-Identifier: MIT */
/* pattern.c - keys against patterns with '*' and '?'.
 *
 * A star gives way to the first place where the text between it and the next star fits: no
 * choice is ever taken back. Text without '?' is found by memmem, which is linear; with '?' by
 * trying LANES places at once. */
#include "admin/call.h"

#define LANES 64

static bool fits(struct str piece, const char *at)
{
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] != '?' && piece.ptr[i] != at[i])
            return false;
    }
    return true;
}

/* The first of LANES places, from `at` on, where the piece fits; LANES: none. Its inner loop is
 * one the compiler makes vectors of. */
static size_t find_in_lanes(struct str piece, const char *at)
{
    unsigned char alive[LANES];
    size_t first = 0;

    memset(alive, 1, sizeof(alive));
    for (size_t i = 0; i < piece.len; i++) {
        char wanted = piece.ptr[i];

        if (wanted == '?')
            continue;
        for (size_t k = 0; k < LANES; k++)
            alive[k] &= at[i + k] == wanted;
        /* Most pieces are nowhere, and that shows soon. */
        if (i % 4 == 3 && !memchr(alive, 1, LANES))
            return LANES;
    }
    while (first < LANES && !alive[first])
        first++;
    return first;
}

/* Where the piece first fits; SIZE_MAX: nowhere. */
static size_t find_piece(struct str text, struct str piece)
{
    size_t from = 0;

    if (str_find_char(piece, '?') == SIZE_MAX)
        return str_find(text, piece);
    for (; from + piece.len + LANES - 1 <= text.len; from += LANES) {
        size_t found = find_in_lanes(piece, text.ptr + from);

        if (found < LANES)
            return from + found;
    }
    for (; from + piece.len <= text.len; from++) {
        if (fits(piece, text.ptr + from))
            return from;
    }
    return SIZE_MAX;
}

bool pattern_matches(struct str pattern, struct str text)
{
    size_t star = str_find_char(pattern, '*'), end = pattern.len, found;
    struct str head, tail, piece;

    if (star == SIZE_MAX)
        return pattern.len == text.len && fits(pattern, text.ptr);
    while (pattern.ptr[end - 1] != '*')
        end--;
    head = str_of(pattern.ptr, star);
    tail = str_from(pattern, end);
    if (head.len + tail.len > text.len || !fits(head, text.ptr) ||
        !fits(tail, text.ptr + text.len - tail.len))
        return false;
    text = str_of(text.ptr + head.len, text.len - head.len - tail.len);
    pattern = str_of(pattern.ptr + star, end - star);
    while (str_split(&pattern, '*', &piece)) {
        found = find_piece(text, piece);
        if (found == SIZE_MAX)
            return false;
        text = str_from(text, found + piece.len);
    }
    return true;
}
