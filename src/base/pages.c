/* SPDX-License-Identifier: MIT */
/* pages.c - pages from the kernel, aligned beyond what mmap promises by mapping too much and
 * giving the edges back. */
#include "base/mem.h"

#include <assert.h>
#include <sys/mman.h>

#define PAGE_SIZE      KiB(4)
#define HUGE_PAGE_SIZE MiB(2)

void *try_pages(size_t size, size_t align)
{
    assert(align >= PAGE_SIZE && (align & (align - 1)) == 0);
    if (mem_fails_now() || size > SIZE_MAX / 2)
        return NULL;
    size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

    size_t slack = align - PAGE_SIZE;
    /* NORESERVE: what is announced may be more than the machine has; what comes is accounted.
     */
    char *map = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;

    size_t head = -(uintptr_t)map & (align - 1);
    if (head > 0)
        munmap(map, head);
    if (slack > head)
        munmap(map + head + size, slack - head);
    /* A page fault for 2 MiB instead of 512 of them; a kernel without them refuses, which is
     * fine. */
    if (align >= HUGE_PAGE_SIZE)
        madvise(map + head, size, MADV_HUGEPAGE);
    return map + head;
}

void mem_pages_small(void *ptr, size_t size)
{
    madvise(ptr, size, MADV_NOHUGEPAGE);
}

void mem_pages_free(void *ptr, size_t size)
{
    size = (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (size > 0)
        munmap(ptr, size);
}

void mem_pages_offer(void *ptr, size_t size)
{
    /* A kernel that refuses keeps them, which is fine too. */
    madvise(ptr, size, MADV_FREE);
}
