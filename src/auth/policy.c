/* SPDX-License-Identifier: MIT */
/* policy.c - evaluating POST policies.
 * Sources: AWS "POST Policy" (conditions, escapes, character rules), recorded replies of
 * TestS3PresignedPost for messages, Ceph's s3-tests for what is refused how. */
#include "auth/policy.h"

#include <jansson.h>

#include "auth/failure.h"

#define POLICY_MAX     KiB(64) /* S3 limits all fields before the file to 20 KB */
#define TEXT_MAX_SHOWN 512

/* printf's %.*s for a str */
#define ARG(s)                                                                                 \
    (int)((s).len > TEXT_MAX_SHOWN ? TEXT_MAX_SHOWN : (s).len), (s).ptr ? (s).ptr : ""

struct str post_field(const struct post_fields *form, struct str name)
{
    for (size_t i = 0; i < form->count; i++)
        if (str_eq_nocase(form->fields[i].name, name))
            return form->fields[i].value.ptr ? form->fields[i].value : STR("");
    return STR_NONE;
}

/* One evaluation. */
struct check {
    const struct post_fields *form;
    struct auth_failure *failure;
    struct post_policy *out;
    bool *covered;     /* one for each field */
    size_t dump_flags; /* so that a failed condition is shown as the client wrote it */
};

/* ---- the document ------------------------------------------------------------------ */

static enum s3_err invalid(struct auth_failure *failure, const char *what)
{
    return failure_set(failure, S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: %s", what);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Base64 as HTML forms carry it: line breaks and blanks between the digits. */
static bool decode_base64(struct buf *out, struct str policy)
{
    AUTO_BUF(digits, POLICY_MAX);
    for (size_t i = 0; i < policy.len; i++)
        if (!is_space(policy.ptr[i]))
            buf_add_char(&digits, policy.ptr[i]);
    return buf_ok(&digits) && buf_add_unbase64(out, buf_str(&digits)) && buf_ok(out);
}

/* AWS documents two escapes that JSON does not have: \$ and \v. */
static void make_json(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        if (text.ptr[i] != '\\' || !next) {
            buf_add_char(out, text.ptr[i]);
            continue;
        }
        i++;
        if (next == 'v')
            buf_add(out, STR("\\u000b"));
        else if (next != '$')
            buf_add(out, str_of(text.ptr + i - 1, 2));
        else
            buf_add_char(out, '$');
    }
}

static struct str json_str(const json_t *value)
{
    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value))
                                 : STR_NONE;
}

static enum s3_err check_expiration(const json_t *document, struct auth_failure *failure)
{
    const json_t *value = json_object_get(document, "expiration");
    if (!value)
        return invalid(failure, "Policy missing expiration.");
    struct str text = json_str(value);
    int64_t end_ns;
    if (!text.ptr)
        return invalid(failure, "Invalid JSON.");
    if (!clock_parse_iso(text, &end_ns))
        return failure_set(failure, S3_INVALID_POLICY_DOCUMENT,
                           "Invalid Policy: Invalid 'expiration' value: '%.*s'", ARG(text));
    if (clock_now_ns() >= end_ns)
        return failure_set(failure, S3_ACCESS_DENIED,
                           "Invalid according to Policy: Policy expired.");
    return S3_OK;
}

/* ---- conditions -------------------------------------------------------------------- */

static int add_dump(const char *text, size_t size, void *buffer)
{
    buf_add(buffer, str_of(text, size));
    return 0;
}

static enum s3_err condition_failed(struct check *c, const json_t *condition)
{
    AUTO_BUF(text, POLICY_MAX);
    json_dump_callback(condition, add_dump, &text, c->dump_flags);
    return failure_set(c->failure, S3_ACCESS_DENIED,
                       "Invalid according to Policy: Policy Condition failed: %.*s",
                       ARG(buf_str(&text)));
}

/* The failed object form {"name": "value"} is shown as ["eq", "$name", "value"]. */
static enum s3_err simple_condition_failed(struct check *c, struct str name,
                                           const json_t *value)
{
    json_auto_t *shown =
        json_pack("[s, o, O]", "eq", json_sprintf("$%.*s", (int)name.len, name.ptr), value);
    return condition_failed(c, shown);
}

/* A Content-Type that lists several types must have the prefix in each. */
static bool starts_with(struct str name, struct str value, struct str prefix)
{
    if (!str_eq_nocase(name, STR("content-type")))
        return str_has_prefix(value, prefix);
    struct str part;
    while (str_split(&value, ',', &part))
        if (!str_has_prefix(str_trim(part), prefix))
            return false;
    return true;
}

/* S3 says of a key with "$$" that it is not equal to itself: boto3 issue 4514 quotes the refusal
 * of a form as generate_presigned_post makes it. */
static bool has_double_dollar(struct str name, struct str wanted)
{
    return str_eq_nocase(name, STR("key")) && str_find(wanted, STR("$$")) != SIZE_MAX;
}

/* Does a condition hold for the field, which counts as covered then? For each, if the form has
 * several of that name: whichever the server takes later was allowed. A field that is not in
 * the form counts as empty. */
static bool holds(struct check *c, struct str name, struct str wanted, bool prefix)
{
    bool found = false;
    if (!prefix && has_double_dollar(name, wanted))
        return false;
    for (size_t i = 0; i < c->form->count; i++) {
        const struct form_field *field = &c->form->fields[i];
        if (!str_eq_nocase(field->name, name))
            continue;
        struct str value = field->value.ptr ? field->value : STR("");
        if (prefix ? !starts_with(name, value, wanted) : !str_eq(value, wanted))
            return false;
        found = c->covered[i] = true;
    }
    return found || wanted.len == 0;
}

/* {"name": "value"} */
static enum s3_err check_simple(struct check *c, json_t *condition)
{
    if (json_object_size(condition) != 1)
        return invalid(c->failure, "Invalid Simple-Condition: Simple-Conditions must have "
                                   "exactly one property specified.");
    void *member = json_object_iter(condition);
    struct str name = str_c(json_object_iter_key(member));
    const json_t *value = json_object_iter_value(member);
    if (!json_is_string(value))
        return invalid(c->failure, "Invalid Simple-Condition: value must be a string.");
    return holds(c, name, json_str(value), false) ? S3_OK
                                                  : simple_condition_failed(c, name, value);
}

/* A bound of content-length-range: a number, or one in a string. False: neither. */
static bool read_bound(const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    return json_is_string(value) && str_to_i64(json_str(value), out);
}

/* ["content-length-range", min, max] */
static enum s3_err check_range(struct check *c, const json_t *condition)
{
    int64_t min, max;
    if (!read_bound(json_array_get(condition, 1), &min) ||
        !read_bound(json_array_get(condition, 2), &max))
        return condition_failed(c, condition);
    if (min < 0 || max < 0)
        return invalid(c->failure, "Invalid JSON.");
    if ((uint64_t)min > c->out->min_size)
        c->out->min_size = (uint64_t)min;
    if ((uint64_t)max < c->out->max_size)
        c->out->max_size = (uint64_t)max;
    return S3_OK;
}

/* ["eq", "$name", "value"] and ["starts-with", "$name", "prefix"] */
static enum s3_err check_match(struct check *c, const json_t *condition, bool prefix)
{
    struct str name = json_str(json_array_get(condition, 1));
    struct str wanted = json_str(json_array_get(condition, 2));
    if (!name.ptr || !wanted.ptr)
        return invalid(c->failure, "Invalid JSON.");
    if (name.len == 0 || name.ptr[0] != '$')
        return condition_failed(c, condition);
    name = str_from(name, 1);
    return holds(c, name, wanted, prefix) ? S3_OK : condition_failed(c, condition);
}

static enum s3_err check_operation(struct check *c, const json_t *condition)
{
    struct str op = json_str(json_array_get(condition, 0));
    if (!op.ptr)
        return invalid(c->failure, "Invalid Condition: missing operation identifier.");
    bool range = str_eq_nocase(op, STR("content-length-range"));
    bool prefix = str_eq_nocase(op, STR("starts-with"));
    if (!range && !prefix && !str_eq_nocase(op, STR("eq")))
        return failure_set(c->failure, S3_INVALID_POLICY_DOCUMENT,
                           "Invalid Policy: Invalid Condition: unknown operation '%.*s'.",
                           ARG(op));
    if (json_array_size(condition) != 3)
        return failure_set(c->failure, S3_INVALID_POLICY_DOCUMENT,
                           "Invalid Policy: Invalid %.*s: wrong number of arguments.", ARG(op));
    return range ? check_range(c, condition) : check_match(c, condition, prefix);
}

static enum s3_err check_conditions(struct check *c, const json_t *document)
{
    const json_t *conditions = json_object_get(document, "conditions");
    if (!conditions)
        return invalid(c->failure, "Policy missing conditions.");
    if (!json_is_array(conditions))
        return invalid(c->failure, "Invalid 'conditions' value: must be a List.");
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition)
    {
        enum s3_err err;
        if (json_is_object(condition))
            err = check_simple(c, condition);
        else if (json_is_array(condition))
            err = check_operation(c, condition);
        else
            err = invalid(c->failure, "Invalid condition test: must be a List or Object.");
        if (err)
            return err;
    }
    return S3_OK;
}

/* Fields that need no condition: those that carry the signature, and what clients mark as to be
 * ignored. "bucket" does need one. */
static bool needs_no_condition(struct str name)
{
    static const char *const free_names[] = {"x-amz-signature", "awsaccesskeyid", "signature",
                                             "policy", "file"};
    for (size_t i = 0; i < ARRAY_LEN(free_names); i++)
        if (str_eq_nocase(name, str_c(free_names[i])))
            return true;
    return str_has_prefix_nocase(name, STR("x-ignore-"));
}

/* Is the name in "a, b, c"? */
static bool is_listed(struct str list, struct str name)
{
    struct str item;
    while (str_split(&list, ',', &item))
        if (str_eq_nocase(str_trim(item), name))
            return true;
    return false;
}

/* Each name once: "bucket" is a field of every form, whether the page has one or not. */
static enum s3_err check_coverage(const struct check *c)
{
    AUTO_BUF(extra, TEXT_MAX_SHOWN);
    for (size_t i = 0; i < c->form->count && buf_ok(&extra); i++) {
        struct str name = c->form->fields[i].name;
        if (c->covered[i] || needs_no_condition(name) || is_listed(buf_str(&extra), name))
            continue;
        if (extra.len)
            buf_add(&extra, STR(", "));
        buf_add(&extra, name);
    }
    if (extra.len == 0 && buf_ok(&extra))
        return S3_OK;
    return failure_set(c->failure, S3_ACCESS_DENIED,
                       "Invalid according to Policy: Extra input fields: %.*s",
                       ARG(buf_str(&extra)));
}

static enum s3_err check_document(struct check *c, struct str text)
{
    AUTO_BUF(json, 6 * POLICY_MAX);
    make_json(&json, text);
    if (json.len == 0)
        return invalid(c->failure, "Expecting '{' but found End-of-Input");
    json_error_t where;
    json_auto_t *document = json_loadb(json.ptr, json.len, JSON_ALLOW_NUL, &where);
    if (!json_is_object(document))
        return invalid(c->failure, "Invalid JSON.");
    c->dump_flags = str_find(buf_str(&json), STR("\", ")) == SIZE_MAX ? JSON_COMPACT : 0;
    enum s3_err err = check_expiration(document, c->failure);
    if (!err)
        err = check_conditions(c, document);
    return err ? err : check_coverage(c);
}

enum s3_err policy_check(struct post_policy *out, struct auth_failure *failure,
                         struct str policy, const struct post_fields *form)
{
    AUTO_BUF(text, POLICY_MAX);
    if (!decode_base64(&text, policy))
        return invalid(failure, "invalid Base64 encoding.");
    struct check c = {.form = form,
                      .failure = failure,
                      .out = out,
                      .covered = xcalloc(form->count + 1, sizeof(bool))};
    out->min_size = 0;
    out->max_size = UINT64_MAX;
    enum s3_err err = check_document(&c, buf_str(&text));
    mem_free(c.covered);
    return err;
}
