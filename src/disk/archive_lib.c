/* SPDX-License-Identifier: MIT */
/* archive_lib.c - loading libarchive. It stays loaded to the end. */
#include "disk/archive_lib.h"

#include <dlfcn.h>
#include <pthread.h>

/* The ABI of all its versions since 3.0. */
#define SONAME "libarchive.so.13"

static struct archive_lib lib;
static bool loaded;

static bool look_up(void *handle)
{
#define X(name)                                                                                \
    lib.name = (__typeof__(lib.name))dlsym(handle, #name);                                     \
    if (!lib.name)                                                                             \
        return false;
    ARCHIVE_LIB_FUNCTIONS(X)
#undef X
    return true;
}

static void load(void)
{
    void *handle = dlopen(SONAME, RTLD_LAZY | RTLD_LOCAL);

    loaded = handle && look_up(handle);
}

const struct archive_lib *archive_lib(struct buf *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    if (!loaded)
        buf_add(why, STR("tar files need " SONAME ", which cannot be loaded"));
    return loaded ? &lib : NULL;
}
