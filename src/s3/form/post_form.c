/* SPDX-License-Identifier: MIT */
/* post_form.c - PostObject: a browser's upload form (AWS "POST Object").
 *
 *   begin_post_object   checks the content type, starts the form reader
 *   take_field          ... collects fields
 *   take_file           all fields are known: key, policy, attributes, checksums; or a refusal
 *   take_data           ... file bytes into payload.body and the digests
 *   op_post_object      sizes and digests, the object, and the answer the form asked for */
#include <inttypes.h>

#include "s3/body/encryption.h"
#include "s3/branch.h"
#include "s3/bucket/bucket_rules.h"
#include "s3/form/form_read.h"
#include "s3/object/object.h"
#include "s3/object/tagging.h"
#include "s3/route.h"

#define POST_MAX GiB(5)

struct post {
    struct s3_call *c;
    struct form_reader *reader;
    struct form_field *fields; /* memory of the call, as their strings */
    size_t field_count, field_capacity;
    struct post_policy policy;
    struct buf attrs;
    struct digest md5, sum;
    struct checksum claimed; /* alg NONE: the form names no value */
    bool has_content_md5;
    uint8_t content_md5[MD5_SIZE];
    uint64_t size; /* of the file so far */
};

static void post_free(void *state)
{
    struct post *p = state;
    form_reader_free(p->reader);
    buf_release(&p->attrs);
    digest_release(&p->md5);
    digest_release(&p->sum);
    mem_free(p);
}

/* ---- fields ------------------------------------------------------------------------ */

/* Counts memory of the call that the form's fields take. */
static bool hold(struct s3_call *c, size_t more)
{
    return intake_hold(&c->intake, c->intake.held + more);
}

static enum s3_err take_field(void *arg, struct str name, struct str value)
{
    struct post *p = arg;
    if (p->field_count == p->field_capacity) {
        size_t capacity = p->field_capacity ? p->field_capacity * 2 : 16;
        struct form_field *fields = s3_alloc(p->c, capacity * sizeof(*fields));
        if (p->field_count)
            memcpy(fields, p->fields, p->field_count * sizeof(*fields));
        p->fields = fields;
        p->field_capacity = capacity;
    }
    p->fields[p->field_count++] =
        (struct form_field){s3_copy(p->c, name), s3_copy(p->c, value)};
    return S3_OK;
}

static struct form_field *find_field(const struct post *p, struct str name)
{
    for (size_t i = 0; i < p->field_count; i++)
        if (str_eq(p->fields[i].name, name))
            return &p->fields[i];
    return NULL;
}

/* STR_NONE when the form has no such field. */
static struct str field_value(const struct post *p, struct str name)
{
    const struct form_field *field = find_field(p, name);
    return field ? field->value : STR_NONE;
}

#define EXPANDED_MAX MiB(2) /* as many ${filename} as fields hold, each of the longest name */

/* Every ${filename} replaced; left as it is when the browser sent no name. STR_NONE: no memory.
 */
static struct str expand_filename(struct s3_call *c, struct str text, struct str filename)
{
    AUTO_BUF(out, EXPANDED_MAX);
    size_t at;
    while (filename.ptr && (at = str_find(text, STR("${filename}"))) != SIZE_MAX) {
        buf_add(&out, str_of(text.ptr, at));
        buf_add(&out, filename);
        text = str_from(text, at + sizeof("${filename}") - 1);
    }
    buf_add(&out, text);
    return buf_ok(&out) && hold(c, out.len) ? s3_copy(c, buf_str(&out)) : STR_NONE;
}

/* In every field, before the policy sees them. Sources: AWS "HTML forms", "POST Policy". */
static enum s3_err expand_fields(struct post *p, struct str filename)
{
    for (size_t i = 0; i < p->field_count; i++) {
        struct str *value = &p->fields[i].value;
        if (str_find(*value, STR("${filename}")) == SIZE_MAX)
            continue;
        *value = expand_filename(p->c, *value, filename);
        if (!value->ptr)
            return s3_fail(p->c, S3_SLOW_DOWN, "memory for a field");
    }
    return S3_OK;
}

static enum s3_err read_key(struct post *p)
{
    struct s3_call *c = p->c;
    struct form_field *field = find_field(p, STR("key"));
    if (!field)
        return s3_invalid_argument(c,
                                   "Bucket POST must contain a field named 'key'.  If it is "
                                   "specified, please check the order of the fields.",
                                   STR("key"), STR(""));
    struct str key = field->value;
    if (!key.len)
        return s3_invalid_argument(c, "User key must have a length greater than 0.", STR("key"),
                                   STR(""));
    if (s3_check_key(c, key))
        return c->err;
    c->at.key = key;
    return S3_OK;
}

/* ---- who may ----------------------------------------------------------------------- */

/* The access key that signed the fields, SigV4's or SigV2's; empty when none did. */
static struct str signing_access_key(const struct post *p)
{
    struct str scope = field_value(p, STR("x-amz-credential")), key;
    if (p->policy.credential)
        return str_c(p->policy.credential->access_key);
    if (scope.ptr && str_split(&scope, '/', &key))
        return key;
    return field_value(p, STR("awsaccesskeyid"));
}

/* A policy says nothing of headers: ours would turn the form to other data. */
static enum s3_err check_own_headers(struct s3_call *c)
{
    for (size_t i = 0; i < c->req->header_count; i++) {
        struct str name = c->req->headers[i].name;
        if (auth_is_own_header(name))
            return s3_fail_message(c, S3_ACCESS_DENIED,
                                   "The policy of a form does not cover the header %.*s",
                                   (int)(name.len > 64 ? 64 : name.len), name.ptr);
    }
    return S3_OK;
}

static enum s3_err check_bucket(struct post *p)
{
    if (s3_choose_branch_of_key(p->c, signing_access_key(p)))
        return p->c->err;
    return s3_authorize_form(p->c);
}

/* A form is signed by its fields; one without a policy may still be signed by its headers. */
static enum s3_err authorize_form(struct post *p)
{
    struct s3_call *c = p->c;
    struct auth_config config = {.credentials = c->credentials,
                                 .region = route_endpoint_region(c),
                                 .domains = c->options->domains,
                                 .domain_count = c->options->domain_count};
    take_field(p, STR("bucket"), c->at.bucket);
    enum s3_err err =
        auth_post_form(&p->policy, &c->failure, &config, p->fields, p->field_count);
    if (err)
        return s3_fail(c, err, "form policy");
    if (p->policy.credential) {
        c->auth.credential = p->policy.credential;
        if (check_own_headers(c))
            return c->err;
        c->guest = false;
    }
    return check_bucket(p);
}

/* ---- attributes and checksums ------------------------------------------------------ */

/* The tagging field holds a document. One that is XML but no Tagging is ignored (aws-recorded:
 * test_post_object_with_tags[invalid]). */
static enum s3_err read_tagging_field(struct post *p, struct str *query)
{
    struct s3_call *c = p->c;
    struct str text = field_value(p, STR("tagging"));
    const struct xml_node *root;
    AUTO(xml_reader) xml = NULL;
    AUTO_BUF(tags, TAGS_QUERY_MAX);
    *query = STR_NONE;
    if (!text.ptr)
        return S3_OK;
    xml = xml_reader_new();
    if (!xml)
        return s3_fail(c, S3_SLOW_DOWN, "tagging field");
    xml_reader_feed(xml, text);
    enum s3_err err = xml_reader_end(xml, STR_NONE, &root);
    if (err)
        return s3_fail(c, err == S3_SLOW_DOWN ? err : S3_MALFORMED_XML, "tagging field");
    if (!xml_node_is(root, STR("Tagging")))
        return S3_OK;
    if (s3_read_tagging(c, root, TAGS_OF_OBJECT, &tags))
        return c->err;
    *query = s3_copy(c, buf_str(&tags));
    return S3_OK;
}

/* From here on the form's fields are the call's headers: those of the HTTP request speak of the
 * form, not of the object. */
static enum s3_err fields_to_headers(struct post *p)
{
    struct s3_call *c = p->c;
    struct str tags;
    if (read_tagging_field(p, &tags))
        return c->err;
    struct header *headers = s3_alloc(c, (p->field_count + 1) * sizeof(*headers));
    size_t count = 0;
    for (size_t i = 0; i < p->field_count; i++) {
        struct str name = p->fields[i].name;
        if (str_eq(name, STR("x-amz-tagging")))
            continue;
        if (str_eq(name, STR("acl")))
            name = STR("x-amz-acl");
        headers[count++] = (struct header){name, p->fields[i].value};
    }
    if (tags.len)
        headers[count++] = (struct header){STR("x-amz-tagging"), tags};
    s3_set_headers(c, headers, count);
    return S3_OK;
}

static enum s3_err read_content_md5(struct post *p)
{
    struct str text = field_value(p, STR("content-md5"));
    if (!text.ptr)
        return S3_OK;
    if (!base64_decode_exact(text, p->content_md5, MD5_SIZE)) {
        s3_error_field(p->c, "Content-MD5", text);
        return s3_fail(p->c, S3_INVALID_DIGEST, "Content-MD5 field");
    }
    p->has_content_md5 = true;
    return S3_OK;
}

/* The checksum a value is given for, else the one named, else S3's own choice. */
static enum s3_err start_digests(struct post *p)
{
    struct str named = field_value(p, STR("x-amz-checksum-algorithm"));
    enum checksum_alg alg = CHECKSUM_CRC64NVME;
    if (!named.ptr)
        named = field_value(p, STR("x-amz-sdk-checksum-algorithm"));
    if (named.ptr && (alg = checksum_by_name(named)) == CHECKSUM_NONE)
        return payload_unsupported_algorithm(p->c);
    if (payload_claimed_checksum(p->c, &p->claimed))
        return p->c->err;
    if (p->claimed.alg != CHECKSUM_NONE)
        alg = (enum checksum_alg)p->claimed.alg;
    if (read_content_md5(p))
        return p->c->err;
    digest_init(&p->md5, CHECKSUM_MD5);
    digest_init(&p->sum, alg);
    return S3_OK;
}

/* ---- the file ---------------------------------------------------------------------- */

static enum s3_err take_file(void *arg, struct str filename)
{
    struct post *p = arg;
    struct s3_call *c = p->c;
    if (expand_fields(p, filename) || read_key(p) || authorize_form(p) ||
        fields_to_headers(p) || start_digests(p))
        return c->err;
    enum s3_err err = s3_attrs_from_headers(c, &p->attrs);
    if (err)
        return err;
    c->payload.body = body_new(c->options->store, BODY_LENGTH_UNKNOWN);
    return c->payload.body ? S3_OK : s3_fail(c, S3_SLOW_DOWN, "memory for a form's file");
}

static uint64_t size_limit(const struct post *p)
{
    uint64_t limit = POST_MAX;
    const struct s3_options *options = p->c->options;
    if (options->enforce_limits && options->max_object_size < limit)
        limit = options->max_object_size;
    return p->policy.max_size < limit ? p->policy.max_size : limit;
}

/* A file beyond its limit is no longer kept, but counted to its end: the refusal names its
 * size. */
static enum s3_err take_data(void *arg, const char *data, size_t len)
{
    struct post *p = arg;
    p->size += len;
    if (p->size > size_limit(p)) {
        body_unref(TAKE(p->c->payload.body));
        return S3_OK;
    }
    digest_update(&p->md5, data, len);
    digest_update(&p->sum, data, len);
    if (body_append(p->c->payload.body, data, len))
        return S3_OK;
    body_unref(TAKE(p->c->payload.body));
    return s3_fail(p->c, S3_SLOW_DOWN, "memory for a form's file");
}

static enum s3_err feed_form(void *arg, const char *data, size_t len)
{
    struct post *p = arg;
    /* The reader keeps a field while it comes, the call when it is complete. */
    if (!form_has_file(p->reader) && !hold(p->c, 2 * len))
        return s3_fail(p->c, S3_SLOW_DOWN, "memory for a form's fields");
    enum s3_err err = form_feed(p->reader, data, len);
    return err && !p->c->err ? s3_fail(p->c, err, "form") : err;
}

enum s3_err begin_post_object(struct s3_call *c)
{
    static const struct form_sink sink = {take_field, take_file, take_data};
    struct str type = s3_header(c, STR("content-type"));
    AUTO_BUF(boundary, FORM_BOUNDARY_MAX);
    if (!str_has_prefix_nocase(type, STR("multipart/form-data")))
        return s3_precondition_failed(
            c, "Bucket POST must be of the enclosure-type multipart/form-data");
    if (!form_boundary(&boundary, type))
        return s3_fail(c, buf_ok(&boundary) ? S3_MALFORMED_POST_REQUEST : S3_SLOW_DOWN,
                       "no boundary");
    if (payload_begin(c, CHECKSUM_NONE, false))
        return c->err;
    struct post *p = xcalloc(1, sizeof(*p));
    p->c = c;
    p->policy.max_size = UINT64_MAX;
    buf_init(&p->attrs, ATTRS_MAX);
    p->reader = form_reader_new(buf_str(&boundary), &sink, p);
    c->state = p;
    c->state_free = post_free;
    payload_set_sink(&c->payload, feed_form, p);
    return S3_OK;
}

/* ---- the object -------------------------------------------------------------------- */

static enum s3_err check_size(struct post *p)
{
    struct s3_call *c = p->c;
    enum s3_err err = auth_post_size(&c->failure, &p->policy, p->size);
    if (err)
        return s3_fail(c, err, "content-length-range");
    if (p->size <= size_limit(p))
        return S3_OK;
    s3_error_field(c, "ProposedSize", s3_printf(c, "%" PRIu64, p->size));
    s3_error_field(c, "MaxSizeAllowed", s3_printf(c, "%" PRIu64, size_limit(p)));
    if (c->options->enforce_limits)
        return s3_fail_message(c, S3_ENTITY_TOO_LARGE,
                               "Object size (%" PRIu64 " bytes) exceeds limit of %" PRIu64
                               " bytes",
                               p->size, size_limit(p));
    return s3_fail(c, S3_ENTITY_TOO_LARGE, "form's file");
}

/* Finishes both digests and compares them with what the form claims. */
static enum s3_err check_digests(struct post *p, struct record_spec *spec)
{
    struct s3_call *c = p->c;
    spec->checksum.alg = (uint8_t)p->sum.alg;
    spec->checksum.type = CHECKSUM_FULL_OBJECT;
    digest_final(&p->md5, spec->md5);
    digest_final(&p->sum, spec->checksum.bytes);
    if (p->has_content_md5 && memcmp(spec->md5, p->content_md5, MD5_SIZE) != 0)
        return s3_fail(c, S3_BAD_DIGEST, "Content-MD5 field");
    if (p->claimed.alg != CHECKSUM_NONE &&
        memcmp(spec->checksum.bytes, p->claimed.bytes,
               checksum_size((enum checksum_alg)p->claimed.alg)) != 0)
        return s3_fail_message(c, S3_BAD_DIGEST,
                               "The %s you specified did not match the calculated checksum.",
                               checksum_name((enum checksum_alg)p->claimed.alg).ptr);
    return S3_OK;
}

/* RFC 3986 has neither blanks nor control characters in a URL; bytes beyond ASCII are for the
 * browser to make sense of. */
static bool is_url(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7F)
            return false;
    return str_has_prefix_nocase(text, STR("http://")) ||
           str_has_prefix_nocase(text, STR("https://"));
}

/* success_action_redirect (or its old name) with what was stored, before its fragment; STR_NONE
 * when there is none or it is no URL: then S3 answers as if it were not there. */
static struct str redirect_url(const struct post *p, struct str etag)
{
    struct str target = field_value(p, STR("success_action_redirect"));
    AUTO_BUF(url, KiB(64));
    if (!target.ptr)
        target = field_value(p, STR("redirect"));
    if (!is_url(target))
        return STR_NONE;
    size_t hash = str_find_char(target, '#');
    struct str fragment = str_from(target, hash);
    target = str_of(target.ptr, hash < target.len ? hash : target.len);
    buf_add(&url, target);
    buf_add(&url, str_find_char(target, '?') == SIZE_MAX ? STR("?bucket=") : STR("&bucket="));
    buf_add_uri(&url, p->c->at.bucket, false);
    buf_add(&url, STR("&key="));
    buf_add_uri(&url, p->c->at.key, false);
    buf_add(&url, STR("&etag="));
    buf_add_uri(&url, etag, false);
    buf_add(&url, fragment);
    return buf_ok(&url) ? s3_copy(p->c, buf_str(&url)) : STR_NONE;
}

static enum s3_err reply_created(struct s3_call *c, struct str location, struct str etag)
{
    struct buf *xml = s3_reply_xml(c);
    c->reply.status = 201;
    buf_add(xml, STR("<PostResponse>"));
    xml_text(xml, "Location", location);
    xml_text(xml, "Bucket", c->at.bucket);
    xml_text(xml, "Key", c->at.key);
    xml_text(xml, "ETag", etag);
    buf_add(xml, STR("</PostResponse>"));
    return s3_xml_done(c);
}

static enum s3_err reply_post(struct post *p, struct str etag)
{
    struct s3_call *c = p->c;
    struct str redirect = redirect_url(p, etag), location = s3_object_url(c);
    struct str status = field_value(p, STR("success_action_status"));
    s3_reply_header(c, "ETag", etag);
    s3_reply_header(c, "Location", redirect.ptr ? redirect : location);
    if (redirect.ptr)
        return s3_reply_empty(c, 303);
    if (str_eq(status, STR("201")))
        return reply_created(c, location, etag);
    return s3_reply_empty(c, str_eq(status, STR("200")) ? 200 : 204);
}

static enum s3_err put_file(struct post *p, struct record_spec *spec)
{
    struct s3_call *c = p->c;
    struct write_result result = {.version_id = ""};
    char etag_text[ETAG_SIZE];
    AUTO(record) record = record_new(c->options->store, spec, TAKE(c->payload.body));
    if (!record)
        return s3_fail(c, S3_SLOW_DOWN, "record");
    enum s3_err err = object_put(c->branch, c->at.bucket, record_ref(record), NULL, &result);
    record_unref(TAKE(result.old));
    if (err)
        return s3_fail(c, err, "PostObject");
    s3_reply_write_result(c, &result);
    s3_reply_checksum_headers(c, &spec->checksum, 0);
    s3_reply_encryption_headers(c, spec->attrs);
    return reply_post(p, record_etag(record, etag_text));
}

enum s3_err op_post_object(struct s3_call *c)
{
    struct post *p = c->state;
    struct record_spec spec = {.key = c->at.key, .mtime_ns = clock_now_ns()};
    if (form_finish(p->reader))
        return s3_fail(c, S3_MALFORMED_POST_REQUEST, "form without an end");
    if (!form_has_file(p->reader) && check_bucket(p))
        return c->err;
    if (!form_has_file(p->reader))
        return s3_invalid_argument(c, "POST requires exactly one file upload per request.",
                                   STR("file"), STR("0"));
    if (check_size(p) || check_digests(p, &spec))
        return c->err;
    spec.attrs = buf_str(&p->attrs);
    s3_hide_md5(spec.attrs, spec.md5);
    return put_file(p, &spec);
}
