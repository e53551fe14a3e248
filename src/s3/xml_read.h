/* SPDX-License-Identifier: MIT */
/* xml_read.h - request bodies as a small immutable tree of elements.
 *
 * libxml2 stays behind this header. Namespaces and attributes are ignored (S3 accepts documents
 * with and without its namespace); DTDs, entities other than the predefined five, network
 * access and deep nesting are refused. Strings are borrowed from the document, decoded and in
 * UTF-8.
 *
 *   AUTO(xml_doc) doc = NULL;
 *   enum s3_err err = xml_doc_parse(&doc, buf_str(&c->document), STR("Delete"));
 *   if (err)
 *       return err;
 *   for (const struct xml_node *n = xml_node_first(xml_doc_root(doc)); n; n = xml_node_next(n))
 *       if (xml_node_is(n, STR("Object")))
 *           key = xml_child_text(n, STR("Key")); */
#ifndef S3MEM_S3_XML_READ_H
#define S3MEM_S3_XML_READ_H

#include "s3mem/base.h"

#define XML_DEPTH_MAX 16

struct xml_doc;
struct xml_node;

/* Parses a whole document whose root element must have the given local name (STR_NONE: any).
 * out     new document on S3_OK, NULL otherwise
 * Errors  MISSING_REQUEST_BODY_ERROR (nothing but blanks), MALFORMED_XML (not well-formed,
 * another root, a DTD, too deep, or text beside elements) */
MUST_CHECK enum s3_err xml_doc_parse(struct xml_doc **out, struct str text, struct str root);
/* Accepts NULL. */
void xml_doc_free(struct xml_doc *doc);
AUTO_DEFINE(xml_doc, xml_doc_free)

const struct xml_node *xml_doc_root(const struct xml_doc *doc);

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
