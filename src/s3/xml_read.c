/* SPDX-License-Identifier: MIT */
/* xml_read.c - XML bodies by libxml2's SAX interface into an array of elements in document
 * order. An element's first child is the next one of the array; a sibling is a known number of
 * elements further on. Names and texts lie in one buffer whose size is fixed before parsing
 * starts (no encoding grows more than threefold on its way to UTF-8), so that pointers into it
 * stay good. */
#include "s3/xml_read.h"

#include <limits.h>

#include "s3/xml_lib.h"

#define UTF8_GROWTH 3
#define NODES_MAX   (UINT32_C(1) << 18)

struct xml_node {
    struct str name, text;
    uint32_t next; /* elements from here to the next sibling; 0 = none */
    bool has_children;
};

struct xml_doc {
    struct xml_node *nodes; /* owned */
    uint32_t count, capacity;
    struct buf text;
};

struct reader {
    struct xml_doc *doc;
    const struct xml_lib *lib;
    xmlParserCtxtPtr parser;
    uint32_t open[XML_DEPTH_MAX];       /* the elements we are in */
    uint32_t last_child[XML_DEPTH_MAX]; /* of each of them; 0 = none yet */
    size_t depth;
    enum s3_err err;
};

/* ---- building ---------------------------------------------------------------------- */

static void stop(struct reader *r, enum s3_err err)
{
    if (!r->err)
        r->err = err;
    r->lib->xmlStopParser(r->parser);
}

static bool is_blank(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != ' ' && s.ptr[i] != '\t' && s.ptr[i] != '\n' && s.ptr[i] != '\r')
            return false;
    return true;
}

static struct str keep(struct reader *r, struct str s)
{
    struct buf *text = &r->doc->text;
    size_t at = text->len;
    buf_add(text, s);
    if (!buf_ok(text)) {
        stop(r, S3_MALFORMED_XML);
        return STR("");
    }
    return str_of(text->ptr + at, s.len);
}

/* NULL when there is no memory, or too many elements already: then the reader has stopped. */
static struct xml_node *add_node(struct reader *r)
{
    struct xml_doc *doc = r->doc;
    if (doc->count == NODES_MAX) {
        stop(r, S3_MALFORMED_XML);
        return NULL;
    }
    if (doc->count == doc->capacity) {
        uint32_t capacity = doc->capacity ? doc->capacity * 2 : 32;
        struct xml_node *nodes = try_realloc(doc->nodes, capacity * sizeof(*nodes));
        if (!nodes) {
            stop(r, S3_SLOW_DOWN);
            return NULL;
        }
        doc->nodes = nodes;
        doc->capacity = capacity;
    }
    struct xml_node *node = &doc->nodes[doc->count++];
    *node = (struct xml_node){.name = STR(""), .text = STR("")};
    return node;
}

/* Hooks node number `at` into the element that is open now. */
static void link_node(struct reader *r, uint32_t at)
{
    struct xml_node *parent = &r->doc->nodes[r->open[r->depth - 1]];
    uint32_t *last = &r->last_child[r->depth - 1];
    if (!is_blank(parent->text))
        stop(r, S3_MALFORMED_XML);
    parent->text = STR("");
    parent->has_children = true;
    if (*last)
        r->doc->nodes[*last].next = at - *last;
    *last = at;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted_count, const xmlChar **attributes)
{
    (void)prefix, (void)uri, (void)namespace_count, (void)namespaces;
    (void)attribute_count, (void)defaulted_count, (void)attributes;
    struct reader *r = arg;
    if (r->err)
        return;
    if (r->depth == XML_DEPTH_MAX) {
        stop(r, S3_MALFORMED_XML);
        return;
    }
    struct xml_node *node = add_node(r);
    if (!node)
        return;
    uint32_t at = (uint32_t)(node - r->doc->nodes);
    node->name = keep(r, str_c((const char *)name));
    if (r->depth)
        link_node(r, at);
    r->open[r->depth] = at;
    r->last_child[r->depth++] = 0;
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)name, (void)prefix, (void)uri;
    struct reader *r = arg;
    if (!r->err)
        r->depth--;
}

/* Only the innermost element grows a text, and its bytes are the last in the buffer: runs that
 * comments or references separate join by themselves. */
static void on_text(void *arg, const xmlChar *text, int len)
{
    struct reader *r = arg;
    struct str run = str_of((const char *)text, (size_t)len);
    if (r->err || !r->depth)
        return;
    struct xml_node *node = &r->doc->nodes[r->open[r->depth - 1]];
    if (node->has_children) {
        if (!is_blank(run))
            stop(r, S3_MALFORMED_XML);
        return;
    }
    struct str kept = keep(r, run);
    node->text = node->text.len ? str_of(node->text.ptr, node->text.len + kept.len) : kept;
}

static void on_dtd(void *arg, const xmlChar *name, const xmlChar *external,
                   const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop(arg, S3_MALFORMED_XML);
}

static void ignore_error(void *arg, xmlErrorPtr error)
{
    (void)arg, (void)error;
}

static enum s3_err parse(struct xml_doc *doc, struct str text)
{
    const struct xml_lib *lib = xml_lib();
    if (!lib)
        return S3_INTERNAL_ERROR;
    struct reader r = {.doc = doc, .lib = lib};
    r.parser = lib->xmlCreateMemoryParserCtxt(text.ptr, (int)text.len);
    if (!r.parser)
        return S3_SLOW_DOWN;
    *r.parser->sax = (xmlSAXHandler){.initialized = XML_SAX2_MAGIC,
                                     .startElementNs = on_start,
                                     .endElementNs = on_end,
                                     .characters = on_text,
                                     .ignorableWhitespace = on_text,
                                     .cdataBlock = on_text,
                                     .internalSubset = on_dtd,
                                     .serror = ignore_error};
    r.parser->userData = &r;
    lib->xmlCtxtUseOptions(r.parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    lib->xmlParseDocument(r.parser);
    bool well_formed = r.parser->wellFormed && doc->count;
    lib->xmlFreeDoc(r.parser->myDoc);
    lib->xmlFreeParserCtxt(r.parser);
    if (r.err)
        return r.err;
    return well_formed ? S3_OK : S3_MALFORMED_XML;
}

enum s3_err xml_doc_parse(struct xml_doc **out, struct str text, struct str root)
{
    *out = NULL;
    if (is_blank(text))
        return S3_MISSING_REQUEST_BODY_ERROR;
    if (text.len > INT_MAX / UTF8_GROWTH)
        return S3_MALFORMED_XML;
    AUTO(xml_doc) doc = xcalloc(1, sizeof(*doc));
    buf_init(&doc->text, text.len * UTF8_GROWTH);
    if (!buf_reserve(&doc->text, text.len * UTF8_GROWTH))
        return S3_SLOW_DOWN;
    enum s3_err err = parse(doc, text);
    if (err)
        return err;
    if (root.ptr && !xml_node_is(xml_doc_root(doc), root))
        return S3_MALFORMED_XML;
    *out = TAKE(doc);
    return S3_OK;
}

void xml_doc_free(struct xml_doc *doc)
{
    if (!doc)
        return;
    mem_free(doc->nodes);
    buf_release(&doc->text);
    mem_free(doc);
}

/* ---- reading ----------------------------------------------------------------------- */

const struct xml_node *xml_doc_root(const struct xml_doc *doc)
{
    return doc->nodes;
}

struct str xml_node_name(const struct xml_node *node)
{
    return node->name;
}

bool xml_node_is(const struct xml_node *node, struct str name)
{
    return node && str_eq(node->name, name);
}

struct str xml_node_text(const struct xml_node *node)
{
    return node ? node->text : STR_NONE;
}

const struct xml_node *xml_node_first(const struct xml_node *node)
{
    return node && node->has_children ? node + 1 : NULL;
}

const struct xml_node *xml_node_next(const struct xml_node *node)
{
    return node && node->next ? node + node->next : NULL;
}

const struct xml_node *xml_child(const struct xml_node *node, struct str name)
{
    for (const struct xml_node *n = xml_node_first(node); n; n = xml_node_next(n))
        if (str_eq(n->name, name))
            return n;
    return NULL;
}

struct str xml_child_text(const struct xml_node *node, struct str name)
{
    return xml_node_text(xml_child(node, name));
}

size_t xml_child_count(const struct xml_node *node, struct str name)
{
    size_t count = 0;
    for (const struct xml_node *n = xml_node_first(node); n; n = xml_node_next(n))
        count += str_eq(n->name, name);
    return count;
}

static bool in_names(struct str name, struct str names)
{
    struct str one;
    while (str_split(&names, ' ', &one))
        if (str_eq(one, name))
            return true;
    return false;
}

bool xml_children_are(const struct xml_node *node, struct str names)
{
    for (const struct xml_node *n = xml_node_first(node); n; n = xml_node_next(n))
        if (!in_names(n->name, names) || xml_child_count(node, n->name) > 1)
            return false;
    return true;
}
