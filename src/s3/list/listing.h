/* SPDX-License-Identifier: MIT */
/* listing.h - one page of ListObjects, ListObjectsV2 or ListObjectVersions.
 *
 *   AUTO_LIST_PAGE(page);
 *   list_page_begin(c, &page, LIST_OBJECTS)   parameters all three share, the bucket
 *   page.after = ...                          where this page starts
 *   list_page_fill(c, &page)                  entries and prefixes as XML, position of the end
 *   ... the operation's own elements ...
 *   list_page_write(xml, &page)              entries and prefixes into the reply */
#ifndef S3MEM_S3_LISTING_H
#define S3MEM_S3_LISTING_H

#include "s3/call.h"

/* Others get their turn when a page grew by so much. */
#define LIST_TURN_BYTES KiB(512)

/* What a reply still lacks. The first member of c->state. */
struct list_rest {
    struct str entries, prefixes, end;
};

/* Adds it, in turns. */
MUST_CHECK enum s3_err list_copy_rest(struct s3_call *c);

struct list_page {
    struct list_rest rest;
    enum listing_kind kind;
    struct str prefix, delimiter; /* as asked, decoded; empty = none */
    struct str after, after_id;   /* of the store's listing_query */
    uint32_t asked; /* max-keys as sent, which S3 repeats (backlot/routers/s3.py, measured) */
    uint32_t max_keys;   /* ... and as it is obeyed */
    struct str encoding; /* encoding-type as sent, or STR_NONE */
    bool url;            /* it was */
    bool with_owner;     /* Owner in entries that are no versions' */
    bool with_restore;   /* RestoreStatus of archived objects */
    struct bucket_info bucket;
    bool has_bucket;

    uint32_t count; /* entries and prefixes */
    bool truncated;
    struct str last;    /* truncated: key or prefix at the end of the page */
    struct str last_id; /* truncated: version id there; STR_NONE behind a prefix */
    struct buf entries, prefixes;

    struct listing *listing;
    void (*write_head)(struct s3_call *c, struct buf *xml, struct list_page *page);
};

/* An element that holds a key or a part of one: URL-encoded (encoding-type=url) when url says
 * so. */
void list_text(struct buf *xml, bool url, const char *name, struct str text);

/* encoding-type, which is "url" in any case of letters, or STR_NONE. INVALID_ARGUMENT
 * Source: backlot/routers/s3.py (measured). */
MUST_CHECK enum s3_err list_encoding(struct s3_call *c, struct str *out);

/* out: the page, which is c->state from now on. */
MUST_CHECK enum s3_err list_page_begin(struct s3_call *c, struct list_page **out,
                                       enum listing_kind kind);
/* Walks, in turns where the entries are long. The reply is what write_head adds, the elements that
 * all pages have (MaxKeys, Delimiter, EncodingType, IsTruncated), the entries, the common prefixes,
 * and `end`. */
MUST_CHECK enum s3_err list_page_fill(struct s3_call *c, struct str end,
                                      void (*write_head)(struct s3_call *c, struct buf *xml,
                                                         struct list_page *page));

#endif
