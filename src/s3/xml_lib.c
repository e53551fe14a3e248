/* SPDX-License-Identifier: MIT */
/* xml_lib.c - loading libxml2. It stays loaded to the end. */
#include "s3/xml_lib.h"

#include <dlfcn.h>
#include <pthread.h>

/* The ABI that the headers we were built with speak of. */
#if LIBXML_VERSION >= 21400
#define SONAME "libxml2.so.16"
#else
#define SONAME "libxml2.so.2"
#endif

static struct xml_lib lib;
static bool loaded;

static bool look_up(void *handle)
{
#define X(name)                                                                                \
    lib.name = (__typeof__(lib.name))dlsym(handle, #name);                                     \
    if (!lib.name)                                                                             \
        return false;
    XML_LIB_FUNCTIONS(X)
#undef X
    return true;
}

static void load(void)
{
    void *handle = dlopen(SONAME, RTLD_LAZY | RTLD_LOCAL);

    if (!handle || !look_up(handle)) {
        log_error("XML bodies cannot be read: %s", dlerror());
        return;
    }
    lib.xmlInitParser();
    loaded = true;
}

const struct xml_lib *xml_lib(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return loaded ? &lib : NULL;
}
