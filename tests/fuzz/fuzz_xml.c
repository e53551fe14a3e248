/* SPDX-License-Identifier: MIT */
/* fuzz_xml.c - any bytes as an XML body. What the reader accepts must be a proper tree. */
#include <assert.h>

#include "s3/xml_read.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(xml_doc) doc = NULL;
    enum s3_err err = xml_doc_parse(&doc, str_of((const char *)data, size), STR_NONE);
    assert((err == S3_OK) == (doc != NULL));
    assert(err == S3_OK || err == S3_MALFORMED_XML || err == S3_MISSING_REQUEST_BODY_ERROR ||
           err == S3_SLOW_DOWN);
    if (doc)
        assert(walk(xml_doc_root(doc), 0) <= size);
    return 0;
}
