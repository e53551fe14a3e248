/* SPDX-License-Identifier: MIT */
/* xml_guard.h - what libxml2 may be shown of a client's document.
 *
 * libxml2 compares each attribute with all others of its tag, each prefix with all namespaces
 * in scope, and each name with those that share its place in a table of fixed size: time that
 * grows with the square of what a client sends. The guard reads the bytes first, in one pass,
 * and refuses what Amazon's documents never have. Nor does a DOCTYPE pass, with which entities
 * and external files would come. What it lets pass need not be well-formed: that is libxml2's
 * to say.
 */
#ifndef S3MEM_S3_XML_GUARD_H
#define S3MEM_S3_XML_GUARD_H

#include "app/app.h"

#define XML_DEPTH_MAX      16
#define XML_ATTRIBUTES_MAX 8 /* of one tag, namespaces included */
#define XML_TAG_MAX                                                                            \
    KiB(4) /* bytes of a tag, comment, processing instruction or CDATA section */
#define XML_NAME_MAX   256    /* bytes of a name or of a namespace's URI */
#define XML_NAMES_MAX  128    /* different ones in a document */
#define XML_NAMES_SIZE KiB(8) /* their bytes */

/* The different names of a document, in a hash table without deletion. */
struct xml_names {
    uint8_t slots[2 * XML_NAMES_MAX]; /* index of a name + 1; 0: free */
    uint16_t ends[XML_NAMES_MAX];     /* in bytes */
    uint16_t count;
    char bytes[XML_NAMES_SIZE];
};

struct xml_guard {
    uint8_t state; /* enum in xml_guard.c */
    uint8_t depth; /* elements that are open */
    uint8_t attributes;
    uint8_t matched; /* bytes of "--" or "]]" seen, of what ends a comment or a section */
    char quote;      /* that ends the attribute's value */
    bool is_namespace;
    uint16_t tag_len; /* bytes of the tag, comment, instruction or section so far */
    uint16_t name_len;
    char name[XML_NAME_MAX];
    struct xml_names names;
};

void xml_guard_init(struct xml_guard *g);
/* The next bytes of the document, in UTF-8. False: refused, now and for good. */
MUST_CHECK bool xml_guard_pass(struct xml_guard *g, struct str bytes);

#endif
