/* SPDX-License-Identifier: MIT */
/* fuzz_xml.c - any bytes as an XML body, at once and in pieces, whose size the first byte
 * tells. What the reader accepts must be a proper tree, and the same one. */
#include <assert.h>

#include "s3/xml/xml_guard.h"

#include "s3/xml/xml_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Visits every element; counts them against the size of the input, of which each takes some. */
static size_t walk(const struct xml_node *node, size_t depth)
{
    size_t count = 1;
    assert(depth < XML_DEPTH_MAX);
    assert(xml_node_name(node).len > 0);
    assert(str_is_utf8(xml_node_name(node)) && str_is_utf8(xml_node_text(node)));
    assert(!xml_node_first(node) || xml_node_text(node).len == 0);
    for (const struct xml_node *n = xml_node_first(node); n; n = xml_node_next(n)) {
        assert(xml_child(node, xml_node_name(n)));
        count += walk(n, depth + 1);
        if (count > 10000)
            break; /* xml_child from the start makes this quadratic */
    }
    return count;
}

static enum s3_err read_pieces(struct xml_reader *r, struct str text, size_t piece,
                               const struct xml_node **root)
{
    for (size_t at = 0; at < text.len; at += piece)
        xml_reader_feed(r,
                        str_of(text.ptr + at, text.len - at < piece ? text.len - at : piece));
    return xml_reader_end(r, STR_NONE, root);
}

static void compare(const struct xml_node *a, const struct xml_node *b)
{
    for (;; a = xml_node_next(a), b = xml_node_next(b)) {
        assert(!a == !b);
        if (!a)
            return;
        assert(str_eq(xml_node_name(a), xml_node_name(b)));
        assert(str_eq(xml_node_text(a), xml_node_text(b)));
        compare(xml_node_first(a), xml_node_first(b));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(xml_reader) whole = xml_reader_new();
    AUTO(xml_reader) pieces = xml_reader_new();
    const struct xml_node *root, *same;
    struct str text = str_of((const char *)data, size);
    if (!whole || !pieces)
        return 0;
    enum s3_err err = read_pieces(whole, text, size + 1, &root);
    assert((err == S3_OK) == (root != NULL));
    assert(err == S3_OK || err == S3_MALFORMED_XML || err == S3_MISSING_REQUEST_BODY_ERROR);
    if (root)
        assert(walk(root, 0) <= size);
    assert(read_pieces(pieces, text, size ? 1 + data[0] % 61 : 1, &same) == err);
    compare(root, same);
    return 0;
}
