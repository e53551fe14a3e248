/* SPDX-License-Identifier: MIT */
/* names.h - a place for each of many names, found in constant time. Names may have any bytes. An
 * object of jansson's: json_object() makes one, json_decref frees it. */
#ifndef S3MEM_DISK_NAMES_H
#define S3MEM_DISK_NAMES_H

#include "base/base.h"

#include <assert.h>
#include <jansson.h>

static inline void names_add(json_t *names, struct str name, size_t place)
{
    int failed = json_object_setn_new_nocheck(names, name.len ? name.ptr : "", name.len,
                                              json_integer((json_int_t)place));

    assert(!failed); /* memory alone could be missing, and little of it */
}

/* SIZE_MAX: it is none of them. */
static inline size_t names_find(const json_t *names, struct str name)
{
    const json_t *place = json_object_getn(names, name.len ? name.ptr : "", name.len);

    return place ? (size_t)json_integer_value(place) : SIZE_MAX;
}

#endif
