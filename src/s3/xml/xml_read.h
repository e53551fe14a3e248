/* SPDX-License-Identifier: MIT */
/* xml_read.h - request bodies as a small immutable tree of elements.
 *
 * libxml2 stays behind this header. A document is read as its bytes arrive, so that none of
 * them takes an I/O thread for long, and in linear time, whatever it holds (xml_guard.h).
 * Namespaces and attributes are ignored (S3 accepts documents with and without its namespace);
 * DTDs, entities other than the predefined five, network access and deep nesting are refused.
 * Strings are borrowed from the reader, decoded and in UTF-8.
 *
 *   const struct xml_node *root;
 *   enum s3_err err = xml_reader_end(c->xml, STR("Delete"), &root);
 *   if (err)
 *       return err;
 *   for (const struct xml_node *n = xml_node_first(root); n; n = xml_node_next(n))
 *       if (xml_node_is(n, STR("Object")))
 *           key = xml_child_text(n, STR("Key")); */
#ifndef S3MEM_S3_XML_READ_H
#define S3MEM_S3_XML_READ_H

#include "app/app.h"

struct xml_reader;
struct xml_node;

/* Before the first reader, and before there are threads. Any number of times. */
void xml_read_init(void);

/* NULL: no memory. */
struct xml_reader *xml_reader_new(void);
/* Accepts NULL. */
void xml_reader_free(struct xml_reader *r);
AUTO_DEFINE(xml_reader, xml_reader_free)
/* The next bytes, any number of them. What is wrong with them xml_reader_end tells. */
void xml_reader_feed(struct xml_reader *r, struct str bytes);
/* Bytes of memory that the reader takes now; those of libxml2 estimated. */
size_t xml_reader_memory(const struct xml_reader *r);
/* The document is complete; its root element must have the given local name (STR_NONE: any).
 * Once a reader.
 * r       NULL: a document of no bytes
 * out     borrowed from the reader on S3_OK, NULL otherwise
 * Errors  MISSING_REQUEST_BODY_ERROR (nothing but blanks), SLOW_DOWN (no memory), MALFORMED_XML
 * (not well-formed, another root, a DTD, text beside elements, beyond a limit of xml_guard.h)
 */
MUST_CHECK enum s3_err xml_reader_end(struct xml_reader *r, struct str root,
                                      const struct xml_node **out);

/* Local name, without a prefix. */
struct str xml_node_name(const struct xml_node *node);
/* False for NULL. */
bool xml_node_is(const struct xml_node *node, struct str name);
/* Text of an element without child elements, blanks kept; empty (never STR_NONE) when it has
 * none or has children; STR_NONE for NULL. */
struct str xml_node_text(const struct xml_node *node);
/* First child element, next sibling element; NULL at the end and for NULL. */
const struct xml_node *xml_node_first(const struct xml_node *node);
const struct xml_node *xml_node_next(const struct xml_node *node);

/* First child of that name; NULL when there is none and for NULL. */
const struct xml_node *xml_child(const struct xml_node *node, struct str name);
/* Text of that child; STR_NONE when there is none. */
struct str xml_child_text(const struct xml_node *node, struct str name);
/* How many children have that name. */
size_t xml_child_count(const struct xml_node *node, struct str name);

/* Is every child one of these names ("Status MfaDelete"), each at most once? For elements whose
 * schema is closed. */
bool xml_children_are(const struct xml_node *node, struct str names);

#endif
