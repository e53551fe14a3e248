/* SPDX-License-Identifier: MIT */
/* ask.c - reading what a request says: query parameters, fields of its JSON body. */
#include "admin/call.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define BAD "InvalidArgument"

/* ---- query parameters -------------------------------------------------------------- */

struct str admin_param(const struct admin_call *c, const char *name)
{
    for (size_t i = 0; i < c->param_count; i++) {
        if (str_eq(c->params[i].name, str_c(name)))
            return c->params[i].value;
    }
    return STR_NONE;
}

bool admin_param_bool(struct admin_call *c, const char *name, bool *out)
{
    struct str text = admin_param(c, name);

    *out = str_eq(text, STR("true"));
    if (*out || !text.ptr || str_eq(text, STR("false")))
        return true;
    admin_field_error(c, 400, BAD, name, "must be true or false");
    return false;
}

bool admin_param_u64(struct admin_call *c, const char *name, uint64_t *out)
{
    struct str text = admin_param(c, name);

    if (!text.ptr || str_to_u64(text, out))
        return true;
    admin_field_error(c, 400, BAD, name, "must be a whole number");
    return false;
}

bool admin_param_duration(struct admin_call *c, const char *name, int64_t *ns)
{
    struct str text = admin_param(c, name);

    if (!text.ptr || (duration_parse(text, ns) && *ns >= 0))
        return true;
    admin_field_error(c, 400, BAD, name, "must be a time with its unit: 250ms, 5s, 2m");
    return false;
}

struct branch *admin_branch(struct admin_call *c)
{
    return admin_branch_named(c, admin_param(c, "branch"));
}

struct branch *admin_branch_named(struct admin_call *c, struct str name)
{
    struct branch *b;

    if (!name.ptr)
        name = STR("main");
    if (!admin_name_ok(c, "branch", name))
        return NULL;
    b = store_branch(c->admin->options.store, name);
    if (!b)
        admin_field_error(c, 404, "NoSuchBranch", "branch", "there is no branch '%s'",
                          name.ptr);
    return b;
}

/* ---- fields of a JSON object ------------------------------------------------------- */

bool admin_fields(struct admin_call *c, const json_t *value, const char *fields)
{
    const char *name;
    json_t *ignored;

    if (value && !json_is_object(value)) {
        /* "rules[2]." blames rules[2] itself. */
        c->field_prefix[strcspn(c->field_prefix, ".")] = '\0';
        if (c->field_prefix[0])
            admin_field_error(c, 400, BAD, "", "must be a JSON object");
        else
            admin_error(c, 400, BAD, "must be a JSON object");
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, ignored)
    {
        struct str known = str_c(fields), field;
        bool found = false;

        while (str_split(&known, ' ', &field) && !found)
            found = str_eq(field, str_c(name));
        if (!found) {
            admin_field_error(c, 400, BAD, name, "unknown field; there are: %s", fields);
            return false;
        }
    }
    return true;
}

/* NULL when absent. */
static json_t *field(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

bool admin_field_text(struct admin_call *c, const json_t *object, const char *name,
                      struct str *out)
{
    json_t *value = field(object, name);

    if (!value)
        return true;
    *out = str_of(json_string_value(value), json_string_length(value));
    if (out->ptr)
        return true;
    admin_field_error(c, 400, BAD, name, "must be a text");
    return false;
}

bool admin_field_u64(struct admin_call *c, const json_t *object, const char *name, uint64_t max,
                     uint64_t *out)
{
    json_t *value = field(object, name);
    json_int_t number = json_integer_value(value);

    if (!value)
        return true;
    if (json_is_integer(value) && number >= 0 && (uint64_t)number <= max) {
        *out = (uint64_t)number;
        return true;
    }
    admin_field_error(c, 400, BAD, name, "must be a whole number from 0 to %llu",
                      (unsigned long long)max);
    return false;
}

bool admin_field_duration(struct admin_call *c, const json_t *object, const char *name,
                          bool may_be_negative, int64_t *ns)
{
    json_t *value = field(object, name);
    double ms = json_number_value(value);
    bool ok = true;
    int64_t found = 0;

    if (!value)
        return true;
    if (json_is_string(value))
        ok =
            duration_parse(str_of(json_string_value(value), json_string_length(value)), &found);
    else if (json_is_number(value) && fabs(ms) < (double)INT64_MAX / NS_PER_MS)
        found = (int64_t)(ms * NS_PER_MS);
    else
        ok = false;
    if (ok && (found >= 0 || may_be_negative)) {
        *ns = found;
        return true;
    }
    admin_field_error(
        c, 400, BAD, name,
        "must be a time: \"250ms\", \"5s\", \"2m\", or milliseconds as a number%s",
        may_be_negative ? "" : ", not negative");
    return false;
}

/* ---- small languages --------------------------------------------------------------- */

/* Nanoseconds of a unit; 0: no such unit. */
static int64_t unit_ns(struct str unit)
{
    static const struct {
        struct str name;
        int64_t ns;
    } units[] = {
        {{"ns", 2}, 1},
        {{"us", 2}, 1000},
        {{"ms", 2}, NS_PER_MS},
        {{"s", 1}, NS_PER_S},
        {{"m", 1}, 60 * NS_PER_S},
        {{"h", 1}, 3600 * NS_PER_S},
        {{"d", 1}, 86400 * NS_PER_S},
    };

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_eq(unit, units[i].name))
            return units[i].ns;
    }
    return 0;
}

bool duration_parse(struct str text, int64_t *ns)
{
    bool negative = str_has_prefix(text, STR("-"));
    double number = 0, place = 1;
    size_t digits = 0, at = negative || str_has_prefix(text, STR("+")) ? 1 : 0;
    bool fraction = false;
    int64_t unit;

    for (; at < text.len; at++) {
        char c = text.ptr[at];

        if (c == '.' && !fraction) {
            fraction = true;
        } else if (c >= '0' && c <= '9' && digits < 18) {
            number = number * 10 + (c - '0');
            place = fraction ? place * 10 : 1;
            digits++;
        } else {
            break;
        }
    }
    unit = unit_ns(str_from(text, at));
    number = number / place * (double)unit;
    if (digits == 0 || unit == 0 || number >= (double)INT64_MAX)
        return false;
    *ns = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

bool admin_name_ok(struct admin_call *c, const char *field_name, struct str name)
{
    bool ok = store_name_ok(name);

    if (!ok)
        admin_field_error(c, 400, "InvalidName", field_name,
                          "a name has 1 to %d characters of A-Z a-z 0-9 - . _ ~ + = @",
                          NAME_MAX_LEN);
    return ok;
}

bool admin_pattern_ok(struct admin_call *c, struct str pattern)
{
    if (pattern.len <= PATTERN_MAX)
        return true;
    admin_field_error(c, 400, BAD, "key", "a pattern has at most %d bytes", PATTERN_MAX);
    return false;
}

int admin_compare_operations(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    for (size_t i = 0; i < x->len && i < y->len; i++) {
        int order = tolower((unsigned char)x->ptr[i]) - tolower((unsigned char)y->ptr[i]);

        if (order != 0)
            return order;
    }
    return x->len < y->len ? -1 : x->len > y->len;
}

bool admin_operation_known(const struct admin_call *c, struct str name)
{
    const struct admin *admin = c->admin;

    return !admin->options.operations ||
           bsearch(&name, admin->operations, admin->operation_count, sizeof(name),
                   admin_compare_operations);
}

bool list_has(struct str words, struct str text)
{
    struct str word;

    while (str_split(&words, ',', &word)) {
        if (str_eq_nocase(str_trim(word), text))
            return true;
    }
    return false;
}
