/* SPDX-License-Identifier: MIT */
/* mem.h - every allocation of the program passes here (lint bans malloc and free elsewhere).
 * Small allocations of fixed size abort when memory is out (x*); what a client sizes may fail
 * (try_*), and the caller answers SlowDown. Tests make the nth try_* fail. */
#ifndef S3MEM_BASE_MEM_H
#define S3MEM_BASE_MEM_H

#include "base/str.h"

/* Abort on failure. Freed with mem_free. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *ptr, size_t size) __attribute__((returns_nonnull));
/* NUL-terminated copies. */
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(struct str s) __attribute__((malloc, returns_nonnull));

/* NULL on failure (or when a test asked for it). Not zeroed. */
MUST_CHECK void *try_malloc(size_t size) __attribute__((malloc));
MUST_CHECK void *try_realloc(void *ptr, size_t size);

/* Accepts NULL. */
void mem_free(void *ptr);

/* Zeroed pages straight from the kernel, aligned to `align` (a power of two of at least a
 * page): for pools and big bodies. Only address space until they are written; huge ones when
 * aligned as such. NULL as try_malloc. Any page-aligned stretch of them can be given back by
 * mem_pages_free, which returns the memory to the kernel at once. */
MUST_CHECK void *try_pages(size_t size, size_t align);
void mem_pages_free(void *ptr, size_t size);
/* No huge pages in this stretch: it may stay almost empty. */
void mem_pages_small(void *ptr, size_t size);
/* Their contents are no longer needed: the kernel may take the pages back while it is short of
 * memory. They can be written all the same; what is not taken costs no page fault then. */
void mem_pages_offer(void *ptr, size_t size);

/* MEM_BLOCK bytes for what lives as long as a request. A thread keeps a few of those it gave
 * back: malloc takes a long way for sizes like this. Aborts on failure; not zeroed. */
#define MEM_BLOCK KiB(4)
void *mem_block_take(void) __attribute__((returns_nonnull));
void mem_block_give(void *block);

/* Bounds what malloc keeps for itself. For programs, before they start threads: a library
 * leaves its caller's malloc alone. */
void mem_set_up(void);
/* So much was freed by malloc's rules that, if it is not used again, the kernel should have it
 * back. Any thread. */
void mem_freed(size_t bytes);
/* Gives it back if much was freed and little of it lately. For one thread, every second. */
void mem_trim_if_quiet(void);

/* For allocators that hand out pieces of what they got: counts as one try_*, and is true when a
 * test asked for this one to fail. */
MUST_CHECK bool mem_fails_now(void);

/* memcpy to where nobody looks soon: past the caches, which keep what is in use. Half as long
 * as memcpy for bytes that would not stay there anyway. */
void mem_copy_cold(void *to, const void *from, size_t size);

/* Zeroes in a way the compiler keeps: signing keys, secrets. */
void mem_wipe(void *ptr, size_t size);

/* Test hook: the nth try_* from now fails (1 = the next); 0 turns it off. Per thread. */
void mem_fail_nth(uint64_t nth);

/* AUTO(body) b = ...; calls body_unref(b) when the scope ends: each room that uses it defines
 * `static inline void auto_body(struct body **p) { body_unref(*p); }` by AUTO_DEFINE. */
#define AUTO_DEFINE(type, release)                                                             \
    static inline void auto_##type(struct type **p)                                            \
    {                                                                                          \
        release(*p);                                                                           \
    }
#define AUTO(type) __attribute__((cleanup(auto_##type))) struct type *

/* Hands ownership over visibly: the variable is NULL afterwards. */
#define TAKE(p)                                                                                \
    ({                                                                                         \
        __typeof__(p) taken_ = (p);                                                            \
        (p) = NULL;                                                                            \
        taken_;                                                                                \
    })

#endif
