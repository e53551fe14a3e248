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

static bool parameter_is_secret(struct str raw)
{
    char name[NAME_MAX_LEN];
    size_t len = 0;

    for (; raw.len > 0 && len < sizeof(name); len++) {
        size_t used = 1;

        name[len] = raw.ptr[0];
        if (raw.len >= 3 && raw.ptr[0] == '%' &&
            hex_decode_exact(str_of(raw.ptr + 1, 2), &name[len], 1))
            used = 3;
        raw = str_from(raw, used);
    }
    return raw.len == 0 && header_is_secret(str_of(name, len));
}

/* "http://user:password@host/path" */
static void add_masked_path(struct buf *out, struct str path)
{
    size_t colon = path.len > 0 && path.ptr[0] != '/' ? str_find_char(path, ':') : SIZE_MAX;
    struct str rest, authority;
    size_t at;

    if (colon == SIZE_MAX || !str_has_prefix(str_from(path, colon + 1), STR("//"))) {
        buf_add(out, path);
        return;
    }
    rest = str_from(path, colon + 3);
    authority = rest;
    at = str_find_char(rest, '/');
    authority.len = at == SIZE_MAX ? rest.len : at;
    at = str_find_char(authority, '@');
    buf_add(out, str_of(path.ptr, colon + 3));
    if (at != SIZE_MAX) {
        buf_add(out, MASK);
        rest = str_from(rest, at);
    }
    buf_add(out, rest);
}

void buf_add_masked_target(struct buf *out, struct str target)
{
    size_t mark = str_find_char(target, '?');
    struct str query, part;

    if (mark == SIZE_MAX) {
        add_masked_path(out, target);
        return;
    }
    query = str_from(target, mark + 1);
    add_masked_path(out, str_of(target.ptr, mark));
    for (char separator = '?'; str_split(&query, '&', &part); separator = '&') {
        size_t equals = str_find_char(part, '=');

        buf_add_char(out, separator);
        if (equals != SIZE_MAX && parameter_is_secret(str_of(part.ptr, equals))) {
            buf_add(out, str_of(part.ptr, equals + 1));
            buf_add(out, MASK);
        } else {
            buf_add(out, part);
        }
    }
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
