/* SPDX-License-Identifier: MIT */
/* parts.h - what a completed multipart object remembers of its parts and its upload: counted
 * and shared by the record and its rewritten versions. */
#ifndef S3MEM_STORE_PARTS_H
#define S3MEM_STORE_PARTS_H

#include "store/store.h"

struct parts;

/* NULL when memory is out. */
MUST_CHECK struct parts *parts_new(struct store *store, const struct record_spec *spec);
struct parts *parts_ref(struct parts *p);
void parts_unref(struct parts *p);
uint32_t parts_count(const struct parts *p);
/* False beyond the last, or when only their number is known. */
bool parts_get(const struct parts *p, uint32_t index, struct part_info *out, uint64_t *offset);
/* Of an object of that size, as told from outside: could it have such parts? */
bool parts_are_good(const struct record_spec *spec, uint64_t size);
struct str parts_upload_id(const struct parts *p);

#endif
