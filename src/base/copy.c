/* SPDX-License-Identifier: MIT */
/* copy.c - copying past the caches, where the CPU can. */
#include "base/mem.h"

#if defined(__SSE2__)

#include <emmintrin.h>

#define LINE 64

static void copy_line(char *to, const char *from)
{
    for (size_t i = 0; i < LINE; i += 16)
        _mm_stream_si128((__m128i *)(to + i), _mm_loadu_si128((const __m128i *)(from + i)));
}

void mem_copy_cold(void *to, const void *from, size_t size)
{
    char *out = to;
    const char *in = from;
    size_t edge = -(uintptr_t)out & (LINE - 1); /* whole lines from there on */

    if (edge > size)
        edge = size;
    memcpy(out, in, edge);
    for (out += edge, in += edge, size -= edge; size >= LINE; size -= LINE) {
        copy_line(out, in);
        out += LINE;
        in += LINE;
    }
    memcpy(out, in, size);
    _mm_sfence(); /* other threads shall see it before what announces it */
}

#else

void mem_copy_cold(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
}

#endif
