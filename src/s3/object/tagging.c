/* SPDX-License-Identifier: MIT */
/* tagging.c - tags of buckets and objects: their rules and documents.
 * Sources: AWS "Categorizing your objects using tags"; recorded replies for the messages, which
 * differ by what is tagged. */
#include "s3/object/tagging.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#define TAG_KEY_MAX   128 /* UTF-16 units */
#define TAG_VALUE_MAX 256
#define TAG_TEXT_MAX  KiB(2)

/* ---- characters -------------------------------------------------------------------- */

static locale_t unicode;

static void load_unicode(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* Letters, digits and separators of any script. A system without C.UTF-8 lets everything pass.
 */
static bool is_word_beyond_ascii(uint32_t code)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_unicode);
    return !unicode || iswalnum_l((wint_t)code, unicode) || iswspace_l((wint_t)code, unicode) ||
           code == 0xA0;
}

static bool is_tag_ascii(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(" +-=._:/@", c));
}

/* Takes one code point off well-formed UTF-8. */
static uint32_t next_code(struct str *s)
{
    unsigned char first = (unsigned char)s->ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t code = len == 1 ? first : first & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)s->ptr[i] & 0x3F);
    *s = str_from(*s, len);
    return code;
}

enum text_fault { TEXT_OK, TEXT_TOO_LONG, TEXT_BAD_CHARACTER };

static enum text_fault check_tag_text(struct str s, size_t max)
{
    size_t units = 0;
    if (!str_is_utf8(s))
        return TEXT_BAD_CHARACTER;
    while (s.len) {
        uint32_t code = next_code(&s);
        units += code > 0xFFFF ? 2 : 1;
        if (units > max)
            return TEXT_TOO_LONG;
        if (!(code < 0x80 ? is_tag_ascii((unsigned char)code) : is_word_beyond_ascii(code)))
            return TEXT_BAD_CHARACTER;
    }
    return TEXT_OK;
}

/* ---- a tag set as a query ---------------------------------------------------------- */

enum tag_fault {
    TAG_OK,
    TAG_NO_KEY,
    TAG_LONG_KEY,
    TAG_BAD_KEY,
    TAG_LONG_VALUE,
    TAG_BAD_VALUE,
    TAG_OF_THE_SYSTEM,
    TAG_TWICE
};

#define TAG_CHARACTERS "letters, digits, blanks and + - = . _ : / @ only"

static const char *const tag_rules[] = {
    [TAG_OK] = NULL,
    [TAG_NO_KEY] = "the key of a tag is not empty",
    [TAG_LONG_KEY] = "the key of a tag has at most 128 characters",
    [TAG_BAD_KEY] = "the key of a tag has " TAG_CHARACTERS,
    [TAG_LONG_VALUE] = "the value of a tag has at most 256 characters",
    [TAG_BAD_VALUE] = "the value of a tag has " TAG_CHARACTERS,
    [TAG_OF_THE_SYSTEM] = "the key of a tag does not begin with aws:, which is Amazon's own",
    [TAG_TWICE] = "no two tags have one key",
};

/* Takes the first tag off a query, still escaped. "a=1&&b=2" are two tags; "=" is one without
 * a key, and so refused (versitygw issue 1215). */
static bool next_tag(struct str *query, struct str *key, struct str *value)
{
    struct str part = STR("");
    while (!part.len)
        if (!query->len || !str_split(query, '&', &part))
            return false;
    size_t equals = str_find_char(part, '=');
    *key = equals == SIZE_MAX ? part : str_of(part.ptr, equals);
    *value = equals == SIZE_MAX ? STR("") : str_from(part, equals + 1);
    return true;
}

static bool has_tag(struct str query, struct str escaped_key)
{
    struct str key, value;
    while (next_tag(&query, &key, &value))
        if (str_eq(key, escaped_key))
            return true;
    return false;
}

static enum tag_fault add_tag(struct buf *query, struct str key, struct str value)
{
    AUTO_BUF(escaped, TAG_TEXT_MAX);
    enum text_fault fault = check_tag_text(key, TAG_KEY_MAX);
    if (!key.len)
        return TAG_NO_KEY;
    if (fault)
        return fault == TEXT_TOO_LONG ? TAG_LONG_KEY : TAG_BAD_KEY;
    fault = check_tag_text(value, TAG_VALUE_MAX);
    if (fault)
        return fault == TEXT_TOO_LONG ? TAG_LONG_VALUE : TAG_BAD_VALUE;
    if (str_has_prefix_nocase(key, STR("aws:")))
        return TAG_OF_THE_SYSTEM;
    buf_add_uri(&escaped, key, false);
    if (has_tag(buf_str(query), buf_str(&escaped)))
        return TAG_TWICE;
    if (query->len)
        buf_add_char(query, '&');
    buf_add(query, buf_str(&escaped));
    buf_add_char(query, '=');
    buf_add_uri(query, value, false);
    return TAG_OK;
}

bool s3_tags_add(struct buf *query, struct str key, struct str value, const char **why)
{
    *why = tag_rules[add_tag(query, key, value)];
    return !*why;
}

/* ---- from XML ---------------------------------------------------------------------- */

static enum s3_err invalid_tag(struct s3_call *c, const char *message, struct str key,
                               struct str value)
{
    s3_error_field(c, "TagKey", key);
    if (value.ptr)
        s3_error_field(c, "TagValue", value);
    return s3_fail_message(c, S3_INVALID_TAG, "%s", message);
}

static enum s3_err system_tag(struct s3_call *c, enum tag_owner owner, struct str key)
{
    if (owner == TAGS_OF_OBJECT)
        return invalid_tag(c, "Your TagKey cannot be prefixed with aws:", key, STR_NONE);
    if (owner == TAGS_OF_BUCKET)
        return invalid_tag(c, "System tags cannot be added/updated by requester", key,
                           STR_NONE);
    return s3_fail_message(c, S3_INVALID_TAG,
                           "User-defined tag keys can't start with \"aws:\". This prefix is "
                           "reserved for system tags. Remove \"aws:\" from your tag keys and "
                           "try again.");
}

static enum s3_err refuse_tag(struct s3_call *c, enum tag_owner owner, enum tag_fault fault,
                              struct str key, struct str value)
{
    c->traffic.detail = tag_rules[fault];
    switch (fault) {
    case TAG_NO_KEY:
    case TAG_LONG_KEY:
    case TAG_BAD_KEY:
        return invalid_tag(c, "The TagKey you have provided is invalid", key, STR_NONE);
    case TAG_LONG_VALUE:
    case TAG_BAD_VALUE:
        return invalid_tag(c, "The TagValue you have provided is invalid", key, value);
    case TAG_OF_THE_SYSTEM:
        return system_tag(c, owner, key);
    case TAG_TWICE:
        return invalid_tag(c, "Cannot provide multiple Tags with the same key", key, STR_NONE);
    case TAG_OK:
        break;
    }
    return S3_OK;
}

static enum s3_err check_count(struct s3_call *c, enum tag_owner owner, size_t count)
{
    if (owner == TAGS_OF_OBJECT && count > OBJECT_TAGS_MAX)
        return s3_fail_message(c, S3_BAD_REQUEST, "Object tags cannot be greater than %d",
                               OBJECT_TAGS_MAX);
    if (owner != TAGS_OF_OBJECT && count > BUCKET_TAGS_MAX)
        return s3_fail_message(c, S3_BAD_REQUEST, "Bucket tag count cannot be greater than %d",
                               BUCKET_TAGS_MAX);
    return S3_OK;
}

enum s3_err s3_read_tag_set(struct s3_call *c, const struct xml_node *set, enum tag_owner owner,
                            struct buf *query)
{
    size_t count = 0;
    for (const struct xml_node *n = xml_node_first(set); n; n = xml_node_next(n)) {
        struct str key = xml_child_text(n, STR("Key"));
        struct str value = xml_child_text(n, STR("Value"));
        if (!xml_node_is(n, STR("Tag")) || !key.ptr || !value.ptr ||
            !xml_children_are(n, STR("Key Value")))
            return s3_fail(c, S3_MALFORMED_XML, "Tag");
        if (check_count(c, owner, ++count))
            return c->err;
        enum tag_fault fault = add_tag(query, key, value);
        if (fault)
            return refuse_tag(c, owner, fault, key, value);
    }
    return buf_ok(query) ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "tags");
}

enum s3_err s3_read_tagging(struct s3_call *c, const struct xml_node *root,
                            enum tag_owner owner, struct buf *query)
{
    /* No TagSet is an empty one (aws-recorded: test_put_bucket_tagging_none_value). */
    if (!xml_children_are(root, STR("TagSet")))
        return s3_fail(c, S3_MALFORMED_XML, "Tagging");
    return s3_read_tag_set(c, xml_child(root, STR("TagSet")), owner, query);
}

/* ---- from a header ----------------------------------------------------------------- */

static enum s3_err bad_tag_query(struct s3_call *c, struct str query, const char *rule)
{
    c->traffic.detail = rule;
    return s3_invalid_argument(c,
                               "The header 'x-amz-tagging' shall be encoded as UTF-8 then "
                               "URLEncoded URL query parameters without tag name duplicates.",
                               STR("x-amz-tagging"), query);
}

enum s3_err s3_check_tag_query(struct s3_call *c, struct str query, struct buf *normal,
                               size_t *count)
{
    struct str rest = query, key, value;
    *count = 0;
    while (next_tag(&rest, &key, &value)) {
        AUTO_BUF(plain_key, TAG_TEXT_MAX);
        AUTO_BUF(plain_value, TAG_TEXT_MAX);
        if (!buf_add_unescaped(&plain_key, key, true) ||
            !buf_add_unescaped(&plain_value, value, true) || !buf_ok(&plain_key) ||
            !buf_ok(&plain_value))
            return bad_tag_query(c, query,
                                 "tags in a header are escaped as in the query of a URL");
        if (check_count(c, TAGS_OF_OBJECT, ++*count))
            return c->err;
        enum tag_fault fault = add_tag(normal, buf_str(&plain_key), buf_str(&plain_value));
        if (fault == TAG_OF_THE_SYSTEM)
            return refuse_tag(c, TAGS_OF_OBJECT, fault, buf_str(&plain_key), STR_NONE);
        if (fault)
            return bad_tag_query(c, query, tag_rules[fault]);
    }
    return buf_ok(normal) ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "tags");
}

/* ---- to XML ------------------------------------------------------------------------ */

static void xml_escaped(struct buf *xml, const char *name, struct str escaped)
{
    AUTO_BUF(plain, TAG_TEXT_MAX);
    if (buf_add_unescaped(&plain, escaped, false))
        xml_text(xml, name, buf_str(&plain));
}

void xml_tag_set(struct buf *xml, struct str query)
{
    struct str key, value;
    buf_add(xml, STR("<TagSet>"));
    while (next_tag(&query, &key, &value)) {
        buf_add(xml, STR("<Tag>"));
        xml_escaped(xml, "Key", key);
        xml_escaped(xml, "Value", value);
        buf_add(xml, STR("</Tag>"));
    }
    buf_add(xml, STR("</TagSet>"));
}
