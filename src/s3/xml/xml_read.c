/* SPDX-License-Identifier: MIT */
/* xml_read.c - XML bodies by libxml2's push parser into an array of elements in document order.
 * An element's first child is the next one of the array; a sibling is a known number of
 * elements further on. Names and texts lie in one buffer, in which each element knows its
 * places.
 *
 * bytes -> UTF-8, in pieces (xml_encoding.c) -> guard (xml_guard.c) -> libxml2 */
#include "s3/xml/xml_read.h"

#include "s3/xml/xml_encoding.h"
#include "s3/xml/xml_guard.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

/* 10,000 parts with ten checksums each. */
#define NODES_MAX (UINT32_C(1) << 17)
#define TEXT_MAX  MiB(16)
#define PARSER    KiB(32) /* libxml2's context, dictionary and stacks */

struct xml_node {
    const struct buf *text; /* in which name and text lie */
    uint32_t name_at, name_len;
    uint32_t text_at, text_len;
    uint32_t next; /* elements from here to the next sibling; 0 = none */
    bool has_children;
    bool has_words; /* its text is not only blanks */
};

struct xml_reader {
    struct xml_node *nodes; /* owned */
    uint32_t count, capacity;
    struct buf text;
    xmlParserCtxtPtr parser;            /* NULL before the first piece and after the end */
    uint32_t open[XML_DEPTH_MAX];       /* the elements we are in */
    uint32_t last_child[XML_DEPTH_MAX]; /* of each of them; 0 = none yet */
    size_t depth;
    bool not_blank; /* anything but blanks came */
    enum s3_err err;
    struct xml_decoder decoder;
    struct xml_guard guard;
};

/* ---- building ---------------------------------------------------------------------- */

static void stop(struct xml_reader *r, enum s3_err err)
{
    if (!r->err)
        r->err = err;
    xmlStopParser(r->parser);
}

static bool is_blank(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != ' ' && s.ptr[i] != '\t' && s.ptr[i] != '\n' && s.ptr[i] != '\r')
            return false;
    return true;
}

/* Returns its place. */
static uint32_t keep(struct xml_reader *r, struct str s)
{
    size_t at = r->text.len;
    buf_add(&r->text, s);
    if (!buf_ok(&r->text))
        stop(r, r->text.len + s.len > TEXT_MAX ? S3_MALFORMED_XML : S3_SLOW_DOWN);
    return (uint32_t)at;
}

/* NULL when there is no memory, or too many elements already: then the reader has stopped. */
static struct xml_node *add_node(struct xml_reader *r)
{
    if (r->count == NODES_MAX) {
        stop(r, S3_MALFORMED_XML);
        return NULL;
    }
    if (r->count == r->capacity) {
        uint32_t capacity = r->capacity ? r->capacity * 2 : 32;
        struct xml_node *nodes = try_realloc(r->nodes, capacity * sizeof(*nodes));
        if (!nodes) {
            stop(r, S3_SLOW_DOWN);
            return NULL;
        }
        r->nodes = nodes;
        r->capacity = capacity;
    }
    struct xml_node *node = &r->nodes[r->count++];
    *node = (struct xml_node){.text = &r->text};
    return node;
}

static struct str node_text(const struct xml_node *node)
{
    return node->text_len ? str_of(node->text->ptr + node->text_at, node->text_len) : STR("");
}

/* Hooks node number `at` into the element that is open now. */
static void link_node(struct xml_reader *r, uint32_t at)
{
    struct xml_node *parent = &r->nodes[r->open[r->depth - 1]];
    uint32_t *last = &r->last_child[r->depth - 1];
    if (parent->has_words)
        stop(r, S3_MALFORMED_XML);
    parent->text_len = 0;
    parent->has_children = true;
    if (*last)
        r->nodes[*last].next = at - *last;
    *last = at;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted_count, const xmlChar **attributes)
{
    (void)prefix, (void)uri, (void)namespace_count, (void)namespaces;
    (void)attribute_count, (void)defaulted_count, (void)attributes;
    struct xml_reader *r = arg;
    if (r->err)
        return;
    if (r->depth == XML_DEPTH_MAX) {
        stop(r, S3_MALFORMED_XML);
        return;
    }
    struct xml_node *node = add_node(r);
    if (!node)
        return;
    uint32_t at = (uint32_t)(node - r->nodes);
    node->name_len = (uint32_t)strlen((const char *)name);
    node->name_at = keep(r, str_of((const char *)name, node->name_len));
    if (r->depth)
        link_node(r, at);
    r->open[r->depth] = at;
    r->last_child[r->depth++] = 0;
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)name, (void)prefix, (void)uri;
    struct xml_reader *r = arg;
    if (!r->err)
        r->depth--;
}

/* Only the innermost element grows a text, and its bytes are the last in the buffer: runs that
 * comments or references separate join by themselves. */
static void on_text(void *arg, const xmlChar *text, int len)
{
    struct xml_reader *r = arg;
    struct str run = str_of((const char *)text, (size_t)len);
    if (r->err || !r->depth)
        return;
    struct xml_node *node = &r->nodes[r->open[r->depth - 1]];
    if (node->has_children) {
        if (!is_blank(run))
            stop(r, S3_MALFORMED_XML);
        return;
    }
    uint32_t at = keep(r, run);
    if (!node->text_len)
        node->text_at = at;
    node->text_len += (uint32_t)run.len;
    if (!node->has_words)
        node->has_words = !is_blank(run);
}

static void on_dtd(void *arg, const xmlChar *name, const xmlChar *external,
                   const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop(arg, S3_MALFORMED_XML);
}

/* libxml2 2.12 made the error const. */
#if LIBXML_VERSION >= 21200
static void ignore_error(void *arg, const xmlError *error)
#else
static void ignore_error(void *arg, xmlError *error)
#endif
{
    (void)arg, (void)error;
}

/* ---- pieces ------------------------------------------------------------------------ */

static void free_parser(struct xml_reader *r)
{
    if (!r->parser)
        return;
    xmlFreeDoc(r->parser->myDoc);
    xmlFreeParserCtxt(r->parser);
    r->parser = NULL;
}

static enum s3_err new_parser(struct xml_reader *r)
{
    r->parser = xmlCreatePushParserCtxt(NULL, r, NULL, 0, NULL);
    if (!r->parser)
        return S3_SLOW_DOWN;
    *r->parser->sax = (xmlSAXHandler){.initialized = XML_SAX2_MAGIC,
                                      .startElementNs = on_start,
                                      .endElementNs = on_end,
                                      .characters = on_text,
                                      .ignorableWhitespace = on_text,
                                      .cdataBlock = on_text,
                                      .internalSubset = on_dtd,
                                      .serror = ignore_error};
    r->parser->userData = r;
    /* Pieces are UTF-8, whatever the document says of itself. */
    xmlCtxtUseOptions(r->parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                     XML_PARSE_IGNORE_ENC);
    return S3_OK;
}

static enum s3_err parse(struct xml_reader *r, struct str piece, bool last)
{
    enum s3_err err = r->parser ? S3_OK : new_parser(r);
    if (err)
        return err;
    int failed = xmlParseChunk(r->parser, piece.ptr, (int)piece.len, last);
    if (r->err)
        return r->err;
    return failed || !r->parser->wellFormed ? S3_MALFORMED_XML : S3_OK;
}

/* The decoder's sink. */
static bool take_piece(void *arg, struct str piece)
{
    struct xml_reader *r = arg;
    r->err = xml_guard_pass(&r->guard, piece) ? parse(r, piece, false) : S3_MALFORMED_XML;
    return !r->err;
}

void xml_read_init(void)
{
    xmlInitParser();
}

struct xml_reader *xml_reader_new(void)
{
    struct xml_reader *r = try_malloc(sizeof(*r));
    if (!r)
        return NULL;
    memset(r, 0, offsetof(struct xml_reader, decoder));
    buf_init(&r->text, TEXT_MAX);
    xml_decoder_init(&r->decoder, take_piece, r);
    xml_guard_init(&r->guard);
    return r;
}

void xml_reader_free(struct xml_reader *r)
{
    if (!r)
        return;
    free_parser(r);
    mem_free(r->nodes);
    buf_release(&r->text);
    mem_free(r);
}

size_t xml_reader_memory(const struct xml_reader *r)
{
    size_t size = sizeof(*r) + r->capacity * sizeof(*r->nodes) + r->text.cap;

    /* A token that has not ended waits in the parser's input. */
    if (r->parser)
        size += PARSER;
    if (r->parser && r->parser->input)
        size += 2 * (size_t)(r->parser->input->end - r->parser->input->base);
    return size;
}

/* What failed is not read on: its memory goes at once. */
static void fail(struct xml_reader *r, enum s3_err err)
{
    if (!r->err)
        r->err = err;
    free_parser(r);
    mem_free(TAKE(r->nodes));
    r->capacity = 0;
    buf_release(&r->text);
}

void xml_reader_feed(struct xml_reader *r, struct str bytes)
{
    if (!r->not_blank)
        r->not_blank = !is_blank(bytes);
    if (!r->err && !xml_decoder_feed(&r->decoder, bytes))
        fail(r, S3_MALFORMED_XML);
}

enum s3_err xml_reader_end(struct xml_reader *r, struct str root, const struct xml_node **out)
{
    *out = NULL;
    if (!r || !r->not_blank)
        return S3_MISSING_REQUEST_BODY_ERROR;
    if (!r->err && !xml_decoder_end(&r->decoder))
        fail(r, S3_MALFORMED_XML);
    if (!r->err)
        r->err = parse(r, STR(""), true);
    free_parser(r);
    if (!r->err && (!r->count || (root.ptr && !xml_node_is(r->nodes, root))))
        r->err = S3_MALFORMED_XML;
    if (!r->err)
        *out = r->nodes;
    return r->err;
}

/* ---- reading ----------------------------------------------------------------------- */

struct str xml_node_name(const struct xml_node *node)
{
    return str_of(node->text->ptr + node->name_at, node->name_len);
}

bool xml_node_is(const struct xml_node *node, struct str name)
{
    return node && str_eq(xml_node_name(node), name);
}

struct str xml_node_text(const struct xml_node *node)
{
    return node ? node_text(node) : STR_NONE;
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
        if (str_eq(xml_node_name(n), name))
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
        count += str_eq(xml_node_name(n), name);
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
        if (!in_names(xml_node_name(n), names) || xml_child_count(node, xml_node_name(n)) > 1)
            return false;
    return true;
}
