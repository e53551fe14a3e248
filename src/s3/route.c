/* SPDX-License-Identifier: MIT */
/* route.c - addressing styles, query parsing, and the match against ops.def.
 * Keys are percent-decoded once and never normalised: a//b and a/../b are keys. */
#include "s3/route.h"

#include "s3/misplaced.h"
#include "s3/misroute.h"
#include "s3/service.h"

#include <assert.h>
#include <pthread.h>

#define OP(op_name, op_method, op_scope, op_query, op_header, op_action, op_handler, op_begin, \
           op_flags)                                                                           \
    {#op_name,  op_method,  op_scope, op_query, op_header,                                     \
     op_action, op_handler, op_begin, op_flags},
static const struct op operations[] = {
#include "s3/ops.def"
};
#undef OP

bool s3_op_at(size_t index, struct s3_op_info *out)
{
    static const char *const scopes[] = {"service", "bucket", "object"};
    if (index >= ARRAY_LEN(operations))
        return false;
    const struct op *op = &operations[index];
    *out = (struct s3_op_info){op->name,
                               op->method,
                               scopes[op->scope],
                               op->query,
                               op->header,
                               op->action,
                               op->handler != op_not_implemented};
    return true;
}

static_assert(ARRAY_LEN(operations) < TRAFFIC_OPERATIONS_MAX, "room in tables of counters");

unsigned route_operation_number(const struct op *op)
{
    return (unsigned)(op - operations) + 1;
}

const struct op *route_row(size_t index)
{
    return index < ARRAY_LEN(operations) ? &operations[index] : NULL;
}

/* ---- addressing -------------------------------------------------------------------- */

static struct str host_without_port(struct str host)
{
    if (host.len && host.ptr[0] == '[') {
        size_t end = str_find_char(host, ']');
        return end == SIZE_MAX ? host : str_of(host.ptr, end + 1);
    }
    size_t colon = str_find_char(host, ':');
    return colon == SIZE_MAX ? host : str_of(host.ptr, colon);
}

/* "s3" and "s3.eu-west-1" before the domain are the service's own name, not part of a bucket's:
 * LocalStack's tools address buckets as BUCKET.s3.REGION.DOMAIN. */
static struct str without_service_label(struct str label, struct str *region)
{
    struct str last = label, rest = label;
    size_t dot = SIZE_MAX;
    for (size_t i = 0; i < label.len; i++)
        if (label.ptr[i] == '.')
            dot = i;
    if (dot != SIZE_MAX) {
        last = str_from(label, dot + 1);
        rest = str_of(label.ptr, dot);
    }
    if (str_eq_nocase(last, STR("s3")))
        return dot == SIZE_MAX ? str_of(label.ptr, 0) : rest;
    if (dot == SIZE_MAX || str_find_char(last, '-') == SIZE_MAX)
        return label;
    bool names_region =
        str_eq_nocase(rest, STR("s3")) ||
        (rest.len > 3 && str_eq_nocase(str_from(rest, rest.len - 3), STR(".s3")));
    if (!names_region)
        return label;
    *region = last;
    return str_of(rest.ptr, rest.len > 3 ? rest.len - 3 : 0);
}

struct str route_virtual_bucket(struct str host, const struct str *domains, size_t domain_count,
                                struct str *region)
{
    struct str name = host_without_port(host);
    struct str best = STR("");
    size_t best_domain = 0;
    *region = STR_NONE;
    for (size_t i = 0; i < domain_count; i++) {
        struct str domain = domains[i];
        if (str_eq_nocase(name, domain))
            return STR("");
        if (name.len <= domain.len + 1 || domain.len < best_domain)
            continue;
        struct str tail = str_from(name, name.len - domain.len);
        if (tail.ptr[-1] == '.' && str_eq_nocase(tail, domain)) {
            best = str_of(name.ptr, name.len - domain.len - 1);
            best_domain = domain.len;
        }
    }
    return best.len ? without_service_label(best, region) : best;
}

/* ---- names of parameters ------------------------------------------------------------ */

/* Parameters that qualify an operation rather than choose one. Reads ignore all others, as S3
 * does: a page adds what it likes against caches. A write that asks for a sub-resource S3 adds
 * tomorrow is refused: it must not overwrite the object. */
static const char *const qualifiers[] = {
    "prefix",
    "delimiter",
    "marker",
    "max-keys",
    "encoding-type",
    "start-after",
    "fetch-owner",
    "key-marker",
    "max-uploads",
    "continuation-token",
    "list-type",
    "versionId",
    "upload-id-marker",
    "max-parts",
    "version-id-marker",
    "max-buckets",
    "bucket-region",
    "part-number-marker",
    "x-id",
    "id",
    "optional-object-attributes",
    "max-directory-buckets",
    "select-type",
    "AWSAccessKeyId",
    "Signature",
    "Expires",
    "partNumber",
};

/* Takes one condition off a row's query column: "a&b=c" → name a, then name b with value c. */
static bool next_condition(struct str *column, struct str *name, struct str *value)
{
    struct str part;
    if (!str_split(column, '&', &part))
        return false;
    size_t equals = str_find_char(part, '=');
    *name = equals == SIZE_MAX ? part : str_of(part.ptr, equals);
    *value = equals == SIZE_MAX ? STR_NONE : str_from(part, equals + 1);
    return true;
}

/* All names that qualifiers or rows of ops.def have, in memcmp order: a query may have thousands
 * of parameters, and each is looked up once. */
#define KNOWN_MAX 128

struct known_name {
    struct str name;
    bool qualifies; /* else it chooses an operation */
};

static struct known_name known_names[KNOWN_MAX];
static size_t known_name_count;

/* Where the name is, or belongs. */
static size_t known_place(struct str name)
{
    size_t low = 0, high = known_name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (str_cmp(known_names[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct known_name *find_known(struct str name)
{
    size_t at = known_place(name);
    return at < known_name_count && str_eq(known_names[at].name, name) ? &known_names[at]
                                                                       : NULL;
}

static void add_known(struct str name, bool qualifies)
{
    size_t at = known_place(name);
    if (find_known(name))
        return;
    assert(known_name_count < KNOWN_MAX);
    memmove(&known_names[at + 1], &known_names[at],
            (known_name_count++ - at) * sizeof(known_names[0]));
    known_names[at] = (struct known_name){name, qualifies};
}

static void fill_known_names(void)
{
    struct str column, name, value;
    for (size_t i = 0; i < ARRAY_LEN(qualifiers); i++)
        add_known(str_c(qualifiers[i]), true);
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        for (column = str_c(operations[i].query); next_condition(&column, &name, &value);)
            add_known(name, false);
}

static void find_known_params(struct s3_call *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool seen[KNOWN_MAX] = {false};
    pthread_once(&once, fill_known_names);
    struct param *known =
        s3_alloc(c, (c->param_count < KNOWN_MAX ? c->param_count : KNOWN_MAX) * sizeof(*known));
    size_t n = 0;
    for (size_t i = 0; i < c->param_count; i++) {
        const struct known_name *name = find_known(c->params[i].name);
        if (!name || seen[name - known_names])
            continue;
        seen[name - known_names] = true;
        known[n++] = c->params[i];
    }
    c->known = known;
    c->known_count = n;
}

/* "x-": for the access log, and else ignored (User Guide, "Custom access log information"). */
static bool qualifies(const struct known_name *known, struct str name)
{
    return (known && known->qualifies) || str_has_prefix_nocase(name, STR("x-")) ||
           str_has_prefix_nocase(name, STR("response-"));
}

/* Decodes into the call's memory; the decoded form is never longer. */
static enum s3_err unescape(struct s3_call *c, struct str raw, bool plus_is_space,
                            struct str *out)
{
    if (!memchr(raw.ptr ? raw.ptr : "", '%', raw.len) &&
        !(plus_is_space && memchr(raw.ptr ? raw.ptr : "", '+', raw.len))) {
        *out = raw;
        return S3_OK;
    }
    AUTO_BUF(decoded, raw.len + 1);
    if (!buf_add_unescaped(&decoded, raw, plus_is_space) || !buf_ok(&decoded))
        return s3_fail_rule(c, S3_INVALID_URI, "two hexadecimal digits follow a % in a URL");
    *out = s3_copy(c, buf_str(&decoded));
    return S3_OK;
}

static enum s3_err parse_query(struct s3_call *c)
{
    if (!c->req->query.len)
        return S3_OK;
    size_t count = 1;
    for (size_t i = 0; i < c->req->query.len; i++)
        count += c->req->query.ptr[i] == '&';
    struct param *params = s3_alloc(c, count * sizeof(*params));
    struct str rest = c->req->query, part;
    size_t n = 0;
    while (str_split(&rest, '&', &part)) {
        if (!part.len)
            continue;
        size_t equals = str_find_char(part, '=');
        struct param *p = &params[n];
        p->has_value = equals != SIZE_MAX;
        struct str name = p->has_value ? str_of(part.ptr, equals) : part;
        struct str value = p->has_value ? str_from(part, equals + 1) : STR("");
        if (unescape(c, name, true, &p->name) || unescape(c, value, true, &p->value))
            return c->err;
        n++;
    }
    c->params = params;
    c->param_count = n;
    find_known_params(c);
    return S3_OK;
}

/* The path of origin-form targets; absolute-form ("GET http://host/b/k") loses its authority.
 */
static struct str target_path(struct str path)
{
    if (path.len && path.ptr[0] == '/')
        return path;
    size_t scheme = str_find(path, STR("://"));
    if (scheme == SIZE_MAX)
        return STR_NONE;
    struct str rest = str_from(path, scheme + 3);
    size_t slash = str_find_char(rest, '/');
    return slash == SIZE_MAX ? STR("/") : str_from(rest, slash);
}

/* Host names have no case, bucket names do: they are lower. */
static struct str lower_case(struct s3_call *c, struct str name)
{
    bool has_upper = false;
    for (size_t i = 0; i < name.len; i++)
        has_upper |= name.ptr[i] >= 'A' && name.ptr[i] <= 'Z';
    if (!has_upper)
        return name;
    char *lower = s3_alloc(c, name.len);
    for (size_t i = 0; i < name.len; i++)
        lower[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] + ('a' - 'A'))
                                                            : name.ptr[i];
    return str_of(lower, name.len);
}

enum s3_err s3_check_key(struct s3_call *c, struct str key)
{
    if (!str_is_utf8(key))
        return s3_fail_rule(c, S3_INVALID_URI, "a key is UTF-8");
    if (key.len <= KEY_MAX)
        return S3_OK;
    s3_error_field(c, "Size", s3_printf(c, "%zu", key.len));
    s3_error_field(c, "MaxSizeAllowed", s3_printf(c, "%d", KEY_MAX));
    return s3_fail_rule(c, S3_KEY_TOO_LONG_ERROR, "a key has at most 1024 bytes");
}

struct str route_endpoint_region(struct s3_call *c)
{
    struct str region, own = c->options->region;
    route_virtual_bucket(c->req->host, c->options->domains, c->options->domain_count, &region);
    return region.ptr && own.len ? lower_case(c, region) : own;
}

enum s3_err route_target(struct s3_call *c)
{
    struct str path = target_path(c->req->path);
    if (!path.ptr)
        return s3_fail_rule(c, S3_INVALID_URI, "the path of a URL begins with /");
    path = str_from(path, 1);
    struct str key = path, region;
    c->virtual_bucket = lower_case(c, route_virtual_bucket(c->req->host, c->options->domains,
                                                           c->options->domain_count, &region));
    if (c->virtual_bucket.len) {
        c->at.bucket = c->virtual_bucket;
    } else {
        size_t slash = str_find_char(path, '/');
        key = slash == SIZE_MAX ? STR("") : str_from(path, slash + 1);
        struct str bucket = slash == SIZE_MAX ? path : str_of(path.ptr, slash);
        if (unescape(c, bucket, false, &c->at.bucket))
            return c->err;
    }
    if (unescape(c, key, false, &c->at.key) || parse_query(c))
        return c->err;
    return s3_check_key(c, c->at.key);
}

/* ---- the match --------------------------------------------------------------------- */

static bool column_names(const char *query, struct str name)
{
    struct str column = str_c(query), condition, value;
    while (next_condition(&column, &condition, &value))
        if (str_eq(condition, name))
            return true;
    return false;
}

static struct str known_param(const struct s3_call *c, struct str name)
{
    for (size_t i = 0; i < c->known_count; i++)
        if (str_eq(c->known[i].name, name))
            return c->known[i].value;
    return STR_NONE;
}

static bool query_matches(const struct s3_call *c, const char *query)
{
    struct str column = str_c(query), name, value;
    while (next_condition(&column, &name, &value)) {
        struct str given = known_param(c, name);
        if (!given.ptr || (value.ptr && !str_eq(given, value)))
            return false;
    }
    return true;
}

static bool header_matches(const struct s3_call *c, const char *header)
{
    struct str column = str_c(header), name, value;
    if (!next_condition(&column, &name, &value))
        return true;
    struct str given = s3_header(c, name);
    return given.ptr && (!value.ptr || str_has_prefix_nocase(given, value));
}

static enum op_scope scope_of(const struct s3_call *c)
{
    if (c->at.key.len)
        return SCOPE_OBJECT;
    return c->at.bucket.len ? SCOPE_BUCKET : SCOPE_SERVICE;
}

/* Refuses two sub-resources at once. Source: backlot issue 230 and that project's
 * backlot/routers/s3.py (measured). */
static enum s3_err conflicting_params(struct s3_call *c, struct str a, struct str b)
{
    struct str first = str_cmp(a, b) < 0 ? a : b, second = first.ptr == a.ptr ? b : a;
    struct str message = s3_printf(c, "Conflicting query string parameters: %.*s, %.*s",
                                   (int)first.len, first.ptr, (int)second.len, second.ptr);
    return s3_invalid_argument(c, message.ptr, STR("ResourceType"), first);
}

/* *out: the one sub-resource that the query names; STR_NONE when there is none. */
static enum s3_err read_sub_resource(struct s3_call *c, enum op_scope scope, struct str *out)
{
    *out = STR_NONE;
    for (size_t i = 0; i < c->known_count; i++) {
        struct str name = c->known[i].name;
        if (find_known(name)->qualifies || !sub_resource_counts(c, scope, name) ||
            str_eq(name, STR("annotationName")))
            continue;
        if (out->ptr && scope != SCOPE_SERVICE)
            return conflicting_params(c, *out, name);
        *out = name;
    }
    return S3_OK;
}

/* Refuses a write with a parameter that looks like a sub-resource, but is none of S3's. */
static enum s3_err check_leftovers(struct s3_call *c)
{
    for (size_t i = 0; i < c->param_count; i++) {
        struct str name = c->params[i].name;
        const struct known_name *known = find_known(name);
        if (known || qualifies(known, name))
            continue;
        if (!c->params[i].value.len && (c->op->flags & WRITES)) {
            s3_error_field(c, "Resource", name);
            return s3_fail_message(c, S3_NOT_IMPLEMENTED,
                                   "The sub-resource you requested is not implemented");
        }
    }
    return S3_OK;
}

/* partNumber alone qualifies reads of one part; on a write it is half of UploadPart or of
 * UploadPartCopy. Source: versitygw issues 1226, 1237. */
static bool half_upload_part(const struct s3_call *c)
{
    return known_param(c, STR("partNumber")).ptr && !known_param(c, STR("uploadId")).ptr &&
           (c->op->handler == op_put_object || c->op->handler == op_copy_object);
}

/* Source: versitygw issue 1612. Of the PUTs, those that copy nothing ignore it. */
static bool stray_copy_source(const struct s3_call *c)
{
    return !str_eq(c->req->method, STR("PUT")) && s3_header(c, STR("x-amz-copy-source")).ptr;
}

/* The row is chosen; what else the request brings must fit it. */
static enum s3_err check_request(struct s3_call *c)
{
    struct str source = STR("x-amz-copy-source");
    if (half_upload_part(c))
        return s3_invalid_argument(c,
                                   "This operation does not accept partNumber without uploadId",
                                   STR("partNumber"), s3_param(c, STR("partNumber")));
    if (stray_copy_source(c))
        return s3_invalid_argument(c,
                                   "You can only specify a copy source header for copy "
                                   "requests.",
                                   source, s3_header(c, source));
    return c->param_count ? check_leftovers(c) : S3_OK;
}

/* Refuses parameters of objects where the path names a bucket. Source: backlot/routers/s3.py,
 * measured. */
static enum s3_err check_bucket_query(struct s3_call *c, struct str sub)
{
    struct str part = STR("partNumber");
    if (known_param(c, part).ptr) {
        if (sub.ptr && !str_eq(sub, STR("uploadId")))
            return conflicting_params(c, part, sub);
        return sub.ptr ? misrouted(c, SCOPE_BUCKET, part)
                       : s3_fail_message(c, S3_INVALID_REQUEST,
                                         "Object must have a valid key name.");
    }
    return s3_refuse_version(c);
}

/* Refuses a part's number beside a sub-resource of an object. Source: backlot/routers/s3.py,
 * measured; of writes only those of an upload are refused. */
static enum s3_err check_key_query(struct s3_call *c, struct str sub)
{
    struct str part = STR("partNumber");
    if (!sub.ptr || !known_param(c, part).ptr || (c->op && column_names(c->op->query, part)))
        return S3_OK;
    if (str_eq(sub, STR("uploadId")))
        return misrouted(c, SCOPE_OBJECT, part);
    return c->op && !(c->op->flags & WRITES) ? conflicting_params(c, part, sub) : S3_OK;
}

static const struct op *matching_row(struct s3_call *c, enum op_scope scope)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        const struct op *op = &operations[i];
        if (op->scope != scope || (op->query && !c->known_count))
            continue;
        if (str_eq(c->req->method, str_c(op->method)) &&
            (!op->query || query_matches(c, op->query)) &&
            (!op->header || header_matches(c, op->header)))
            return op;
    }
    return NULL;
}

enum s3_err route_operation(struct s3_call *c)
{
    enum op_scope scope = scope_of(c);
    struct str sub = STR_NONE;
    c->op = matching_row(c, scope);
    if (c->op && c->op->handler == op_preflight)
        return S3_OK;
    if (c->known_count && read_sub_resource(c, scope, &sub))
        return c->err;
    if (c->known_count && scope == SCOPE_BUCKET && check_bucket_query(c, sub))
        return c->err;
    if (c->known_count && scope == SCOPE_OBJECT && check_key_query(c, sub))
        return c->err;
    if ((!c->op || (sub.ptr && !column_names(c->op->query, sub))) && misrouted(c, scope, sub))
        return c->err;
    return check_request(c);
}

enum s3_err op_not_implemented(struct s3_call *c)
{
    s3_error_field(c, "Operation", str_c(c->op->name));
    return s3_fail_message(c, S3_NOT_IMPLEMENTED, "%s is not implemented", c->op->name);
}
