/* SPDX-License-Identifier: MIT */
/* route.c - from method, path and query to a row of admin.def. */
#include "admin/call.h"

static const struct route routes[] = {
#define ROUTE(method, path, handler, begin, query, flags)                                      \
    {#method, path, #handler, handler, begin, query, flags},
#include "admin/admin.def"
#undef ROUTE
};

/* A "*" takes one part of the path, as it was sent. */
static bool path_matches(const char *pattern, struct str path, struct str *argument)
{
    struct str p = str_c(pattern), part, wanted;

    *argument = STR_NONE;
    while (str_split(&p, '/', &wanted)) {
        if (!str_split(&path, '/', &part))
            return false;
        if (str_eq(wanted, STR("*")) && part.len > 0)
            *argument = part;
        else if (!str_eq(wanted, part))
            return false;
    }
    return !path.ptr;
}

static void refuse_method(struct admin_call *c)
{
    AUTO_BUF(allow, 256);
    struct str ignored;

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(routes[i].path, c->req->path, &ignored))
            continue;
        buf_addf(&allow, "%s%s%s", allow.len ? ", " : "", routes[i].method,
                 strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
    }
    reply_header(&c->reply, "Allow", buf_str(&allow));
    admin_error(c, 405, "MethodNotAllowed", "this endpoint has no such method");
}

/* Decodes into c->text, which has room. False: bad escapes. */
static bool decode(struct admin_call *c, struct str raw, bool plus_is_space, struct str *out)
{
    size_t start = c->text.len;

    if (!buf_add_unescaped(&c->text, raw, plus_is_space))
        return false;
    *out = str_of(c->text.ptr + start, c->text.len - start);
    buf_add_char(&c->text, '\0');
    return buf_ok(&c->text) && !memchr(out->ptr, '\0', out->len);
}

void route_choose(struct admin_call *c)
{
    struct str method = c->req->method, argument;
    bool path_known = false;

    if (str_eq(method, STR("HEAD")))
        method = STR("GET");
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(routes[i].path, c->req->path, &argument))
            continue;
        path_known = true;
        if (!str_eq(str_c(routes[i].method), method))
            continue;
        /* So that what points into it stays: decoding never makes longer. */
        buf_reserve(&c->text, c->req->target.len + 2 * ADMIN_PARAMS_MAX + 2);
        if (argument.ptr && !decode(c, argument, false, &c->argument)) {
            admin_error(c, 400, "InvalidName", "bad percent-encoding in the path");
            return;
        }
        c->route = &routes[i];
        return;
    }
    if (path_known)
        refuse_method(c);
    else
        admin_error(c, 404, "NotFound", "no such endpoint");
}

/* ---- the index --------------------------------------------------------------------- */

/* Parts of a path that are names are shown as such. */
static json_t *shown_path(const char *path)
{
    AUTO_BUF(text, 256);

    for (; *path; path++) {
        if (*path == '*')
            buf_add(&text, STR("{name}"));
        else
            buf_add_char(&text, *path);
    }
    return admin_string(buf_str(&text));
}

static json_t *shown_query(struct str names)
{
    json_t *list = json_array();
    struct str name;

    while (!str_eq(names, STR("*")) && str_split(&names, ' ', &name)) {
        if (name.len)
            json_array_append_new(list, admin_string(name));
    }
    return list;
}

enum app_next admin_index(struct admin_call *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *r = &routes[i];

        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:b}", "method", r->method,
                                              "path", shown_path(r->path), "query",
                                              shown_query(str_c(r->query)), "open",
                                              (r->flags & OPEN) != 0));
    }
    return admin_json(c, 200,
                      json_pack("{s:s, s:s, s:s, s:o}", "server", "s3memd", "version",
                                c->admin->options.version, "description",
                                "/_s3mem/openapi.json", "endpoints", list));
}

/* ---- the query --------------------------------------------------------------------- */

static bool knows_param(const struct route *route, struct str name)
{
    struct str names = str_c(route->query), known;

    while (str_split(&names, ' ', &known)) {
        if (str_eq(known, name))
            return true;
    }
    return false;
}

bool route_read_query(struct admin_call *c)
{
    struct str rest = c->req->query, part;

    if (strcmp(c->route->query, "*") == 0)
        return true;
    while (str_split(&rest, '&', &part)) {
        struct param *p = &c->params[c->param_count];
        size_t equals = str_find_char(part, '=');

        if (part.len == 0)
            continue;
        p->has_value = equals != SIZE_MAX;
        if (c->param_count == ADMIN_PARAMS_MAX ||
            !decode(c, p->has_value ? str_of(part.ptr, equals) : part, true, &p->name) ||
            !decode(c, p->has_value ? str_from(part, equals + 1) : STR(""), true, &p->value)) {
            admin_error(c, 400, "InvalidArgument", "the query is malformed");
            return false;
        }
        /* A presigned URL's own. */
        if (str_has_prefix_nocase(p->name, STR("x-amz-")))
            continue;
        if (!knows_param(c->route, p->name)) {
            admin_field_error(c, 400, "InvalidArgument", p->name.ptr,
                              "this endpoint has no such query parameter");
            return false;
        }
        if (admin_param(c, p->name.ptr).ptr) {
            admin_field_error(c, 400, "InvalidArgument", p->name.ptr, "given more than once");
            return false;
        }
        c->param_count++;
    }
    return true;
}
