/* SPDX-License-Identifier: MIT */
/* mem.c - the only callers of malloc and free. */
#include "base/mem.h"
#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Counts down to the try_* call that fails; 0 = no failure wanted. */
static _Thread_local uint64_t fail_countdown;

void die(const char *fmt, ...)
{
    char message[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    dprintf(STDERR_FILENO, "s3memd: %s\n", message);
    abort();
}

static _Noreturn void out_of_memory(size_t size)
{
    die("out of memory (%zu bytes wanted)", size);
}

/* malloc(0) may answer NULL, which callers would take for a failure. */
static size_t at_least_one(size_t size)
{
    return size ? size : 1;
}

void *xmalloc(size_t size)
{
    void *ptr = malloc(at_least_one(size));

    if (!ptr)
        out_of_memory(size);
    return ptr;
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = calloc(at_least_one(count), at_least_one(size));

    if (!ptr)
        out_of_memory(size);
    return ptr;
}

void *xrealloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, at_least_one(size));

    if (!grown)
        out_of_memory(size);
    return grown;
}

char *xstrdup(const char *s)
{
    return xstrndup(str_c(s));
}

char *xstrndup(struct str s)
{
    char *copy = xmalloc(s.len + 1);

    str_put(copy, s);
    copy[s.len] = '\0';
    return copy;
}

bool mem_fails_now(void)
{
    return fail_countdown > 0 && --fail_countdown == 0;
}

void *try_malloc(size_t size)
{
    return mem_fails_now() ? NULL : malloc(at_least_one(size));
}

void *try_realloc(void *ptr, size_t size)
{
    return mem_fails_now() ? NULL : realloc(ptr, at_least_one(size));
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_wipe(void *ptr, size_t size)
{
    if (size > 0)
        explicit_bzero(ptr, size);
}

void mem_fail_nth(uint64_t nth)
{
    fail_countdown = nth;
}
