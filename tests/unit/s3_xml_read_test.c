/* SPDX-License-Identifier: MIT */
/* s3_xml_read_test.c - what the XML reader takes, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/xml_read.h"

static void assert_text(struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("got '%.*s', want '%.*s'", (int)got.len, got.ptr ? got.ptr : "", (int)want.len,
                 want.ptr);
}

static enum s3_err parse_error(struct str text)
{
    AUTO(xml_doc) doc = NULL;
    enum s3_err err = xml_doc_parse(&doc, text, STR("A"));
    assert_true((err == S3_OK) == (doc != NULL));
    return err;
}

static void test_tree(void **state)
{
    (void)state;
    AUTO(xml_doc) doc = NULL;
    assert_int_equal(
        xml_doc_parse(&doc,
                      STR("<?xml version=\"1.0\"?>\n<!-- c --><Delete xmlns=\"http://s3\">\n"
                          "  <Object><Key> a b </Key></Object>\n"
                          "  <Quiet>true</Quiet>\n"
                          "  <s:Object xmlns:s=\"x\" at=\"1\"><s:Key/><Size>3</Size></s:Object>"
                          "</Delete>"),
                      STR("Delete")),
        S3_OK);
    const struct xml_node *root = xml_doc_root(doc);
    const struct xml_node *first = xml_node_first(root);
    assert_text(xml_node_name(root), STR("Delete"));
    assert_text(xml_node_text(root), STR(""));
    assert_int_equal(xml_child_count(root, STR("Object")), 2);
    assert_text(xml_child_text(first, STR("Key")), STR(" a b "));
    assert_null(xml_child_text(first, STR("Size")).ptr);
    const struct xml_node *quiet = xml_node_next(first);
    assert_true(xml_node_is(quiet, STR("Quiet")));
    assert_text(xml_node_text(quiet), STR("true"));
    const struct xml_node *last = xml_node_next(quiet);
    assert_text(xml_child_text(last, STR("Key")), STR(""));
    assert_text(xml_child_text(last, STR("Size")), STR("3"));
    assert_null(xml_node_next(last));
    assert_null(xml_node_next(root));
    assert_null(xml_node_first(quiet));
}

static void test_nothing_of_nothing(void **state)
{
    (void)state;
    assert_null(xml_node_first(NULL));
    assert_null(xml_node_next(NULL));
    assert_null(xml_child(NULL, STR("A")));
    assert_null(xml_node_text(NULL).ptr);
    assert_false(xml_node_is(NULL, STR("A")));
    assert_int_equal(xml_child_count(NULL, STR("A")), 0);
    assert_true(xml_children_are(NULL, STR("A")));
    xml_doc_free(NULL);
}

static void test_text_joins(void **state)
{
    (void)state;
    AUTO(xml_doc) doc = NULL;
    assert_int_equal(
        xml_doc_parse(&doc, STR("<A>a<!-- x -->b&amp;&#x263a;<![CDATA[<c>&amp;]]>\r\nd</A>"),
                      STR_NONE),
        S3_OK);
    assert_text(xml_node_text(xml_doc_root(doc)), STR("ab&\xE2\x98\xBA<c>&amp;\nd"));
}

static void test_other_encodings(void **state)
{
    (void)state;
    AUTO(xml_doc) doc = NULL;
    struct str latin1 =
        STR("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><A>\xE9\xE9\xE9</A>");
    assert_int_equal(xml_doc_parse(&doc, latin1, STR("A")), S3_OK);
    assert_text(xml_node_text(xml_doc_root(doc)), STR("\xC3\xA9\xC3\xA9\xC3\xA9"));
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        enum s3_err err;
    } cases[] = {
        {{"<A/>", 4}, S3_OK},
        {{"", 0}, S3_MISSING_REQUEST_BODY_ERROR},
        {{" \r\n\t", 4}, S3_MISSING_REQUEST_BODY_ERROR},
        {{"A", 1}, S3_MALFORMED_XML},
        {{"<A>", 3}, S3_MALFORMED_XML},
        {{"<B/>", 4}, S3_MALFORMED_XML},
        {{"<A></B>", 7}, S3_MALFORMED_XML},
        {{"<A/><A/>", 8}, S3_MALFORMED_XML},
        {{"<A>x<B/></A>", 12}, S3_MALFORMED_XML},
        {{"<A><B/>x</A>", 12}, S3_MALFORMED_XML},
        {{"<A>&x;</A>", 10}, S3_MALFORMED_XML},
        {{"<A>\xFF</A>", 8}, S3_MALFORMED_XML},
        {{"<A>\0</A>", 8}, S3_MALFORMED_XML},
        {{"<A>&#0;</A>", 11}, S3_MALFORMED_XML},
        {{"<!DOCTYPE A><A/>", 16}, S3_MALFORMED_XML},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (parse_error(cases[i].text) != cases[i].err)
            fail_msg("case %zu: '%s'", i, cases[i].text.ptr);
}

static void test_entities_are_not_read(void **state)
{
    (void)state;
    assert_int_equal(parse_error(STR("<!DOCTYPE A [<!ENTITY x \"y\">]><A>&x;</A>")),
                     S3_MALFORMED_XML);
    assert_int_equal(
        parse_error(STR("<!DOCTYPE A [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><A>&x;</A>")),
        S3_MALFORMED_XML);
    assert_int_equal(parse_error(STR("<!DOCTYPE A SYSTEM \"http://127.0.0.1:1/a.dtd\"><A/>")),
                     S3_MALFORMED_XML);
}

static enum s3_err nested(size_t depth)
{
    AUTO_BUF(text, MiB(1));
    for (size_t i = 0; i < depth; i++)
        buf_add(&text, STR("<A>"));
    for (size_t i = 0; i < depth; i++)
        buf_add(&text, STR("</A>"));
    return parse_error(buf_str(&text));
}

static void test_depth(void **state)
{
    (void)state;
    assert_int_equal(nested(XML_DEPTH_MAX), S3_OK);
    assert_int_equal(nested(XML_DEPTH_MAX + 1), S3_MALFORMED_XML);
    assert_int_equal(nested(100000), S3_MALFORMED_XML);
}

static enum s3_err many_elements(size_t count)
{
    AUTO_BUF(text, MiB(2));
    AUTO(xml_doc) doc = NULL;
    buf_add(&text, STR("<A>"));
    for (size_t i = 0; i < count; i++)
        buf_add(&text, STR("<B/>"));
    buf_add(&text, STR("</A>"));
    enum s3_err err = xml_doc_parse(&doc, buf_str(&text), STR("A"));
    if (!err)
        assert_int_equal(xml_child_count(xml_doc_root(doc), STR("B")), count);
    return err;
}

static void test_many_elements(void **state)
{
    (void)state;
    assert_int_equal(many_elements(200000), S3_OK);
    assert_int_equal(many_elements(300000), S3_MALFORMED_XML);
}

static void test_children_are(void **state)
{
    (void)state;
    AUTO(xml_doc) doc = NULL;
    assert_int_equal(xml_doc_parse(&doc, STR("<A><B/><C/></A>"), STR("A")), S3_OK);
    assert_true(xml_children_are(xml_doc_root(doc), STR("C D B")));
    assert_false(xml_children_are(xml_doc_root(doc), STR("B")));
    xml_doc_free(TAKE(doc));
    assert_int_equal(xml_doc_parse(&doc, STR("<A><B/><B/></A>"), STR("A")), S3_OK);
    assert_false(xml_children_are(xml_doc_root(doc), STR("B")));
}

/* Whatever allocation fails: an error, no crash, no leak. */
static void test_no_memory(void **state)
{
    (void)state;
    struct str text = STR("<A><B>1</B><B>2</B></A>");
    uint64_t nth = 1;
    for (;; nth++) {
        mem_fail_nth(nth);
        enum s3_err err = parse_error(text);
        mem_fail_nth(0);
        if (err == S3_OK)
            break;
        assert_int_equal(err, S3_SLOW_DOWN);
        assert_true(nth < 100);
    }
    assert_true(nth > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),         cmocka_unit_test(test_nothing_of_nothing),
        cmocka_unit_test(test_text_joins),   cmocka_unit_test(test_other_encodings),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_entities_are_not_read),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_children_are), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("s3/xml_read", tests, NULL, NULL);
}
