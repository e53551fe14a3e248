/* SPDX-License-Identifier: MIT */
/* masked.c - finding the secrets of a request. */
#include "base/masked.h"

/* Longer than any secret's name. */
#define NAME_MAX_LEN 64

bool header_is_secret(struct str name)
{
    static const struct str names[] = {
        {"x-amz-security-token", 20}, {"x-amz-s3session-token", 21},
        {"x-amz-signature", 15},      {"signature", 9},
        {"proxy-authorization", 19},  {"cookie", 6},
        {"authorization", 13},        {"x-amz-mfa", 9},
    };
    static const struct str key = {"-customer-key", 13};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq_nocase(name, names[i]))
            return true;
    }
    /* x-amz-server-side-encryption-customer-key, and the copy source's */
    return str_has_prefix_nocase(name, STR("x-amz-")) && name.len > key.len &&
           str_eq_nocase(str_from(name, name.len - key.len), key);
}

/* One character of a text, percent-encoded or not: "%3D" and "%253D" are '=' too. */
struct token {
    char c;
    size_t len;
    unsigned level; /* how often it is encoded */
};

static struct token token_at(struct str text)
{
    struct token t = {text.ptr[0], 1, 0};
    size_t at = 1;
    char byte;

    if (t.c != '%')
        return t;
    for (unsigned level = 1;; level++, at += 2) {
        if (text.len < at + 2 || !hex_decode_exact(str_of(text.ptr + at, 2), &byte, 1))
            return t;
        t = (struct token){byte, at + 2, level};
        if (byte != '%')
            return t;
    }
}

/* Letters, digits and hyphens of a name, as if what else is in it were not there: however a
 * name is spoilt, a reader would recognise it. Of a long one the end. */
static struct str plain_name(struct str raw, char room[NAME_MAX_LEN])
{
    char ring[NAME_MAX_LEN];
    size_t count = 0, len;

    while (raw.len > 0) {
        struct token t = token_at(raw);

        if ((t.c >= 'a' && t.c <= 'z') || (t.c >= 'A' && t.c <= 'Z') ||
            (t.c >= '0' && t.c <= '9') || t.c == '-')
            ring[count++ % NAME_MAX_LEN] = t.c;
        raw = str_from(raw, t.len);
    }
    len = count < NAME_MAX_LEN ? count : NAME_MAX_LEN;
    for (size_t i = 0; i < len; i++)
        room[i] = ring[(count - len + i) % NAME_MAX_LEN];
    return str_of(room, len);
}

/* is_parameter: it stands where a parameter's name does. Elsewhere only names that nothing else
 * has are suspicious. */
static bool name_is_secret(struct str raw, bool is_parameter)
{
    static const struct str amz = {"x-amz-", 6};
    char room[NAME_MAX_LEN];
    struct str name = plain_name(raw, room);

    if (is_parameter && header_is_secret(name))
        return true;
    for (size_t at = 0; at + amz.len < name.len; at++) {
        if (str_has_prefix_nocase(str_from(name, at), amz) &&
            header_is_secret(str_from(name, at)))
            return true;
    }
    return false;
}

/* Where the value that text starts with ends: at the next '&' that is encoded no more often than
 * the '=' before it. */
static size_t value_len(struct str text, unsigned level)
{
    size_t len = 0;

    while (len < text.len) {
        struct token t = token_at(str_from(text, len));

        if (t.c == '&' && t.level <= level)
            break;
        len += t.len;
    }
    return len;
}

/* Copies a text in which parameters may be, with "***" for the values of those that are secret.
 */
static void add_masked_parameters(struct buf *out, struct str text)
{
    size_t copied = 0, name = 0, at = 0;
    bool is_parameter = false;

    while (at < text.len) {
        struct token t = token_at(str_from(text, at));
        bool ends_name = t.c == '=';

        at += t.len;
        if (ends_name &&
            name_is_secret(str_of(text.ptr + name, at - t.len - name), is_parameter)) {
            buf_add(out, str_of(text.ptr + copied, at - copied));
            buf_add(out, MASK);
            at += value_len(str_from(text, at), t.level);
            copied = name = at;
        } else if (ends_name || t.c == '?' || t.c == '&' || t.c == ';' || t.c == '#') {
            name = at;
            is_parameter |= !ends_name;
        }
    }
    buf_add(out, str_from(text, copied));
}

/* Length of the "user:password" in "http://user:password@host/path"; start: where it begins. */
static size_t find_userinfo(struct str text, size_t *start)
{
    size_t colon = str_find_char(text, ':'), len = 0, at = SIZE_MAX;

    if (colon == SIZE_MAX || !str_has_prefix(str_from(text, colon + 1), STR("//")))
        return 0;
    for (size_t i = 0; i < colon; i++) {
        if (text.ptr[i] == '/' || text.ptr[i] == '?')
            return 0;
    }
    *start = colon + 3;
    for (; *start + len < text.len; len++) {
        char c = text.ptr[*start + len];

        if (c == '/' || c == '?' || c == '#')
            break;
        if (c == '@')
            at = len;
    }
    return at == SIZE_MAX ? 0 : at;
}

void buf_add_masked_target(struct buf *out, struct str target)
{
    size_t start = 0, len = find_userinfo(target, &start);

    if (len > 0) {
        buf_add(out, str_of(target.ptr, start));
        buf_add(out, MASK);
        target = str_from(target, start + len);
    }
    add_masked_parameters(out, target);
}

void buf_add_masked_authorization(struct buf *out, struct str value)
{
    size_t blank = str_find_char(value, ' ');
    struct str rest, list, part;

    if (blank == SIZE_MAX || !str_has_prefix(value, STR("AWS4-"))) {
        buf_add(out, MASK);
        return;
    }
    rest = str_from(value, blank + 1);
    buf_add(out, str_of(value.ptr, blank));
    for (bool first = true; str_split(&rest, ',', &list);) {
        while (str_split(&list, ' ', &part)) {
            size_t equals = str_find_char(part, '=');

            if (part.len == 0)
                continue;
            buf_add(out, first ? STR(" ") : STR(", "));
            first = false;
            if (str_has_prefix(part, STR("Credential=")) ||
                str_has_prefix(part, STR("SignedHeaders="))) {
                buf_add(out, part);
                continue;
            }
            if (str_has_prefix(part, STR("Signature=")))
                buf_add(out, str_of(part.ptr, equals + 1));
            buf_add(out, MASK);
        }
    }
}
