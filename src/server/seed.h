/* SPDX-License-Identifier: MIT */
/* seed.h - what --seed and --seed-config share: objects are described in JSON alike.
 *
 *   {"contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl",
 *    "expires": texts, "metadata": {name: text}, "tags": {key: text}}, each of them optional */
#ifndef S3MEM_LIB_SEED_H
#define S3MEM_LIB_SEED_H

#include "server/server.h"

#include <jansson.h>

/* A place in a JSON document, "$.buckets.demo", and what is wrong there. Borrowed buffers. */
struct seed_json {
    struct buf *path, *why;
};
/* Says what is wrong with a member of the value at the path, or (name NULL) with that value;
 * false, for `return`. */
bool seed_json_wrong(const struct seed_json *j, const char *name, const char *what);
/* Goes to a member, or to element `at` of an array; the length to go back to. */
size_t seed_json_enter(struct seed_json *j, const char *name);
size_t seed_json_enter_at(struct seed_json *j, size_t at);
/* The file as JSON; NULL: why says what is wrong, and in which line. Owned. */
MUST_CHECK json_t *seed_json_read(struct buf *content, struct buf *why);

/* Has it only members of these (NULL at the end), or of an object's description as well? */
MUST_CHECK bool seed_json_knows(const struct seed_json *j, const json_t *members,
                                const char *const *names, bool description);
/* A text, or NULL when there is none. False: it is none. */
MUST_CHECK bool seed_json_text(const struct seed_json *j, const json_t *members,
                               const char *name, const char **out);
/* {key: text} as a tag set's query; *query stays empty without. */
MUST_CHECK bool seed_json_tags(struct seed_json *j, const json_t *members, size_t max,
                               struct buf *query);
/* What such a description says, as attributes. description NULL: nothing. type: unless it gives
 * another. */
MUST_CHECK bool seed_attrs(struct seed_json *j, const json_t *description, struct str type,
                           struct str owner, struct buf *attrs);

/* By the key's ending, as the AWS tools guess. */
struct str seed_content_type(struct str key);

#endif
