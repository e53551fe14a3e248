/* SPDX-License-Identifier: MIT */
/* persist_json.h - a JSON file of MemoryClient's that a store begins with, and that follows it.
 */
#ifndef S3MEM_LIB_PERSIST_JSON_H
#define S3MEM_LIB_PERSIST_JSON_H

#include "disk/disk.h"

struct json_file;
/* Loads the file, if there is one (*found), and follows the store. Before traffic starts. NULL
 * with why: it is not good, or not there though nothing is to be written. */
MUST_CHECK struct json_file *json_file_open(const char *path,
                                            const struct memory_json_target *target,
                                            bool follows, bool *found, struct buf *why);
/* Writes what has changed since; nothing may change any more. False: it could not. Accepts
 * NULL. */
bool json_file_close(struct json_file *f);
void json_file_stats(struct json_file *f, struct persist_stats *out);

#endif
