/* SPDX-License-Identifier: MIT */
/* s3_xml_read_test.c - what the XML reader takes, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "s3/xml/xml_guard.h"
#include "s3/xml/xml_read.h"

/* Reads a whole document, in pieces of so many bytes. */
static enum s3_err read_pieces(struct xml_reader **reader, const struct xml_node **out,
                               struct str text, struct str root, size_t piece)
{
    struct xml_reader *r = *reader = xml_reader_new();
    *out = NULL;
    if (!r)
        return S3_SLOW_DOWN;
    for (size_t at = 0; at < text.len; at += piece)
        xml_reader_feed(r,
                        str_of(text.ptr + at, text.len - at < piece ? text.len - at : piece));
    enum s3_err err = xml_reader_end(r, root, out);
    assert_true((err == S3_OK) == (*out != NULL));
    return err;
}

static enum s3_err read_all(struct xml_reader **reader, const struct xml_node **out,
                            struct str text, struct str root)
{
    return read_pieces(reader, out, text, root, SIZE_MAX / 2);
}

static void assert_text(struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("got '%.*s', want '%.*s'", (int)got.len, got.ptr ? got.ptr : "", (int)want.len,
                 want.ptr);
}

static enum s3_err parse_error(struct str text)
{
    AUTO(xml_reader) whole = NULL;
    AUTO(xml_reader) pieces = NULL;
    const struct xml_node *root;
    enum s3_err err = read_all(&whole, &root, text, STR("A"));
    /* However it comes. */
    if (text.len < 2000 && err != S3_SLOW_DOWN)
        for (size_t piece = 1; piece < 8; piece++) {
            assert_int_equal(read_pieces(&pieces, &root, text, STR("A"), piece), err);
            xml_reader_free(TAKE(pieces));
        }
    return err;
}

static void test_tree(void **state)
{
    (void)state;
    AUTO(xml_reader) doc = NULL;
    const struct xml_node *root;
    assert_int_equal(
        read_all(&doc, &root,
                 STR("<?xml version=\"1.0\"?>\n<!-- c --><Delete xmlns=\"http://s3\">\n"
                     "  <Object><Key> a b </Key></Object>\n"
                     "  <Quiet>true</Quiet>\n"
                     "  <s:Object xmlns:s=\"x\" at=\"1\"><s:Key/><Size>3</Size></s:Object>"
                     "</Delete>"),
                 STR("Delete")),
        S3_OK);
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
    xml_reader_free(NULL);
    assert_int_equal(xml_reader_end(NULL, STR_NONE, &(const struct xml_node *){NULL}),
                     S3_MISSING_REQUEST_BODY_ERROR);
}

static void test_text_joins(void **state)
{
    (void)state;
    AUTO(xml_reader) doc = NULL;
    const struct xml_node *root;
    assert_int_equal(read_all(&doc, &root,
                              STR("<A>a<!-- x -->b&amp;&#x263a;<![CDATA[<c>&amp;]]>\r\nd</A>"),
                              STR_NONE),
                     S3_OK);
    assert_text(xml_node_text(root), STR("ab&\xE2\x98\xBA<c>&amp;\nd"));
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *want; /* NULL: refused */
    } cases[] = {
        {STR("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><A>\xE9\xE9</A>"),
         "\xC3\xA9\xC3\xA9"},
        {STR("<?xml version='1.0' encoding='us-ascii'?><A>e</A>"), "e"},
        {STR("<?xml version='1.0' encoding = 'Utf-8' standalone='yes'?><A>\xC3\xA9</A>"),
         "\xC3\xA9"},
        {STR("\xEF\xBB\xBF<A>\xC3\xA9</A>"), "\xC3\xA9"},
        {STR("\xEF\xBB\xBF<?xml version='1.0' encoding='UTF-16'?><A>x</A>"), "x"},
        {STR("\xFF\xFE<\0A\0>\0\xE9\0=\xD8\0\xDE<\0/\0A\0>\0"), "\xC3\xA9\xF0\x9F\x98\x80"},
        {STR("\xFE\xFF\0<\0A\0>\x26\x3A\0<\0/\0A\0>"), "\xE2\x98\xBA"},
        {STR("<\0A\0/\0>\0"), ""},
        {STR("\0<\0A\0/\0>"), ""},
        {STR("<\0A\0/\0>"), NULL},                          /* half a character */
        {STR("\xFF\xFE<\0A\0>\0=\xD8<\0/\0A\0>\0"), NULL},  /* half a pair */
        {STR("\xFF\xFE<\0A\0>\0\0\xDE<\0/\0A\0>\0"), NULL}, /* its other half */
        {STR("\xFF\xFE<\0A\0>\0=\xD8"), NULL},
        {STR("<?xml version='1.0' encoding='UTF-16'?><A>x</A>"), NULL},
        {STR("<?xml version='1.0' encoding='UTF-7'?><A>x</A>"), NULL},
        {STR("<?xml version='1.0' encoding='EBCDIC-CP-US'?><A>x</A>"), NULL},
        {STR("<?xml version='1.0' encoding='ISO-2022-JP'?><A>x</A>"), NULL},
        {STR("<?xml version='1.0' encoding='UTF-32'?><A>x</A>"), NULL},
        {STR("<?xml version='1.0' encoding='"), NULL},
        {STR("<?xml version='1.0' encoding"), NULL},
        {STR("<\0\0\0A\0\0\0/\0\0\0>\0\0\0"), NULL},
        {STR("L\x6F\xA7\x94"), NULL},
        {STR("<A>\xC3</A>"), NULL},
        {STR("<A>\xED\xA0\x80</A>"), NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece < 70; piece = piece * 2 + 1) {
            AUTO(xml_reader) doc = NULL;
            const struct xml_node *root;
            enum s3_err err = read_pieces(&doc, &root, cases[i].text, STR("A"), piece);
            if (err != (cases[i].want ? S3_OK : S3_MALFORMED_XML))
                fail_msg("case %zu in pieces of %zu: %d", i, piece, err);
            if (!err)
                assert_text(xml_node_text(root), str_c(cases[i].want));
        }
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
    AUTO(xml_reader) doc = NULL;
    const struct xml_node *root;
    buf_add(&text, STR("<A>"));
    for (size_t i = 0; i < count; i++)
        buf_add(&text, STR("<B/>"));
    buf_add(&text, STR("</A>"));
    enum s3_err err = read_all(&doc, &root, buf_str(&text), STR("A"));
    if (!err)
        assert_int_equal(xml_child_count(root, STR("B")), count);
    return err;
}

static void test_many_elements(void **state)
{
    (void)state;
    assert_int_equal(many_elements(131071), S3_OK);
    assert_int_equal(many_elements(131072), S3_MALFORMED_XML);
}

static void test_children_are(void **state)
{
    (void)state;
    AUTO(xml_reader) doc = NULL;
    const struct xml_node *root;
    assert_int_equal(read_all(&doc, &root, STR("<A><B/><C/></A>"), STR("A")), S3_OK);
    assert_true(xml_children_are(root, STR("C D B")));
    assert_false(xml_children_are(root, STR("B")));
    xml_reader_free(TAKE(doc));
    assert_int_equal(read_all(&doc, &root, STR("<A><B/><B/></A>"), STR("A")), S3_OK);
    assert_false(xml_children_are(root, STR("B")));
}

/* One tag of many attributes, a few too many names, and so on: refused by the guard, or taken.
 */
static void test_guard(void **state)
{
    (void)state;
    static const struct {
        const char *start, *unit, *end;
        size_t taken, refused; /* units; 0: none is */
    } cases[] = {
        {"<A", " a%zu=\"1\"", "/>", XML_ATTRIBUTES_MAX, XML_ATTRIBUTES_MAX + 1},
        {"<A", " xmlns:a%zu='u'", "/>", XML_ATTRIBUTES_MAX, XML_ATTRIBUTES_MAX + 1},
        {"<A>", "<B%zu/>", "</A>", XML_NAMES_MAX - 1, XML_NAMES_MAX},
        {"<A>", "<B xmlns='u%zu'/>", "</A>", XML_NAMES_MAX - 3, XML_NAMES_MAX},
        {"<A>", "<?p%zu?>", "</A>", XML_NAMES_MAX - 1, XML_NAMES_MAX},
        {"<A ", " ", "/>", 4000, 4096},
        {"<A b='", "x", "'/>", 4000, 4096},
        {"<A b='", ">", "'/>", 4000, 4096},
        {"<A><!--", "x", "--></A>", 4000, 4096},
        {"<A><?p ", "x", "?></A>", 4000, 4096},
        {"<A", "", "><a1:b xmlns:a1='u' a1:c='1' a1:d=\"<\"/></A>", 0, 1},
        {"<A></A", " ", ">", 4000, 4096},
        {"<A><b", "c", "/></A>", XML_NAME_MAX - 1, XML_NAME_MAX},
        {"<A><b xmlns='", "c", "'/></A>", XML_NAME_MAX, XML_NAME_MAX + 1},
        {"<A><![CDATA[", "]", "]]></A>", 4000, 4096},
        {"<A>", "x", "</A>", 1000000, 0},
        {"<A>", "<B/>", "</A>", 100000, 0},
        {"<A>", "&#x41;", "</A>", 100000, 0},
        {"<A>", "<!---->", "</A>", 100000, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int refused = 0; refused < 2; refused++) {
            size_t count = refused ? cases[i].refused : cases[i].taken;
            AUTO_BUF(text, MiB(8));
            if (!count)
                continue;
            buf_add_c(&text, cases[i].start);
            for (size_t k = 0; k < count; k++) {
                size_t mark = strcspn(cases[i].unit, "%");
                buf_add(&text, str_of(cases[i].unit, mark));
                if (cases[i].unit[mark]) {
                    buf_add_u64(&text, k);
                    buf_add_c(&text, cases[i].unit + mark + strlen("%zu"));
                }
            }
            buf_add_c(&text, cases[i].end);
            if (parse_error(buf_str(&text)) != (refused ? S3_MALFORMED_XML : S3_OK))
                fail_msg("case %zu with %zu of '%s'", i, count, cases[i].unit);
        }
}

/* What once took a minute. */
static void test_attributes_cost_nothing(void **state)
{
    (void)state;
    AUTO_BUF(text, MiB(8));
    struct timespec from, to;
    buf_add_c(&text, "<A ");
    for (size_t i = 0; text.len < MiB(8) - 100; i++)
        buf_addf(&text, "a%zu=\"\" ", i);
    buf_add_c(&text, "/>");
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    assert_int_equal(parse_error(buf_str(&text)), S3_MALFORMED_XML);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    assert_true(to.tv_sec - from.tv_sec <= 1);
}

/* Whatever allocation fails: an error, no crash, no leak. */
static void test_no_memory(void **state)
{
    (void)state;
    struct str text = STR("<A><B>1</B><B>2</B></A>");
    uint64_t nth = 1;
    for (;; nth++) {
        AUTO(xml_reader) doc = NULL;
        const struct xml_node *root;
        mem_fail_nth(nth);
        enum s3_err err = read_all(&doc, &root, text, STR("A"));
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
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_nothing_of_nothing),
        cmocka_unit_test(test_text_joins),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_entities_are_not_read),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_children_are),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_attributes_cost_nothing),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("s3/xml_read", tests, NULL, NULL);
}
