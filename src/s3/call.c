/* SPDX-License-Identifier: MIT */
/* call.c - the pipeline: route, authenticate, authorize, body, handler, reply, log.
 * Life of a call: begin → (body)* → finish → done. The call owns everything it hands out but
 * the request, which the front end keeps until done. */
#include "s3/call.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "s3/branch.h"
#include "s3/error_reply.h"
#include "s3/fault.h"
#include "s3/misplaced.h"
#include "s3/route.h"
#include "s3/service.h"
#include "s3/settle.h"
#include "s3/xml/xml_read.h"

#define DOCUMENT_MAX KiB(64)
/* 10,000 parts with checksums, or 1,000 keys of 1,024 bytes escaped, take more than one MiB. */
#define LARGE_DOCUMENT_MAX MiB(8)
#define REPLY_TEXT_MAX     MiB(64)
/* What a socket takes without asking its reader. */
#define REPLY_SMALL KiB(16)
/* Longer texts are counted. */
#define REPLY_UNCOUNTED KiB(64)

/* ---- memory that lives as long as the call ----------------------------------------- */

#define ARENA_BLOCK 2048

struct arena {
    struct arena *next;
    size_t used, size;
    char bytes[];
};

static struct arena *arena_new(size_t size, struct arena *next)
{
    struct arena *a = xmalloc(sizeof(*a) + size);
    *a = (struct arena){.next = next, .size = size};
    return a;
}

void *s3_alloc(struct s3_call *c, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (c->arena->size - c->arena->used < size)
        c->arena = arena_new(size > ARENA_BLOCK ? size : ARENA_BLOCK, c->arena);
    void *p = c->arena->bytes + c->arena->used;
    c->arena->used += size;
    return p;
}

/* All but the last one: that is the call's own. */
static void arena_free(struct arena *a)
{
    while (a->next) {
        struct arena *next = a->next;
        mem_free(a);
        a = next;
    }
}

struct str s3_copy(struct s3_call *c, struct str s)
{
    char *p = s3_alloc(c, s.len + 1);
    str_put(p, s);
    p[s.len] = '\0';
    return str_of(p, s.len);
}

struct str s3_printf(struct s3_call *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t len = n > 0 ? (size_t)n : 0;
    char *p = s3_alloc(c, len + 1);
    va_start(args, fmt);
    vsnprintf(p, len + 1, fmt, args);
    va_end(args);
    return str_of(p, len);
}

/* ---- what is asked ----------------------------------------------------------------- */

static uint64_t name_len_bit(struct str name)
{
    return UINT64_C(1) << (name.len & 63);
}

void s3_set_headers(struct s3_call *c, const struct header *headers, size_t count)
{
    c->headers = headers;
    c->header_count = count;
    c->name_lens = 0;
    for (size_t i = 0; i < count; i++)
        c->name_lens |= name_len_bit(headers[i].name);
}

struct str s3_header(const struct s3_call *c, struct str name)
{
    /* Operations ask for twenty headers and more; hardly any is there. */
    if (!(c->name_lens & name_len_bit(name)))
        return STR_NONE;
    for (size_t i = 0; i < c->header_count; i++)
        if (str_eq_nocase(c->headers[i].name, name))
            return c->headers[i].value;
    return STR_NONE;
}

struct str s3_param(const struct s3_call *c, struct str name)
{
    for (size_t i = 0; i < c->param_count; i++)
        if (str_eq(c->params[i].name, name))
            return c->params[i].value;
    return STR_NONE;
}

/* Listings of objects call the parameter by another name; buckets and versions have words of
 * their own. Source: backlot issue 192 and backlot/routers/s3.py (measured), versitygw issues
 * 1383, 1809. */
static enum s3_err negative_count(struct s3_call *c, struct str name, struct str text)
{
    if (c->op->handler == op_list_buckets)
        return s3_invalid_argument(c, S3_BUCKETS_RANGE, name, text);
    if (str_eq(name, STR("max-keys"))) {
        if (c->op->handler == op_list_object_versions)
            return s3_invalid_argument(c, "max-keys cannot be negative", name, text);
        name = STR("maxKeys");
    }
    return s3_invalid_argument(
        c,
        s3_printf(c, "Argument %s must be an integer between 0 and 2147483647", name.ptr).ptr,
        name, text);
}

enum s3_err s3_param_count(struct s3_call *c, struct str name, uint32_t max, uint32_t *out)
{
    struct str text = s3_param(c, name);
    uint64_t value;
    if (!text.len)
        return S3_OK;
    if (str_has_prefix(text, STR("-")) && str_to_u64(str_from(text, 1), &value))
        return negative_count(c, name, text);
    if (!str_to_u64(text, &value) || value > INT32_MAX)
        return s3_invalid_argument(
            c, s3_printf(c, "Provided %s not an integer or within integer range", name.ptr).ptr,
            name, text);
    *out = value < max ? (uint32_t)value : max;
    return S3_OK;
}

static bool hoisted(struct str name)
{
    static const char *const signing[] = {"x-amz-algorithm",     "x-amz-credential",
                                          "x-amz-date",          "x-amz-expires",
                                          "x-amz-signedheaders", "x-amz-signature"};
    if (str_eq_nocase(name, STR("if-match")) || str_eq_nocase(name, STR("if-none-match")))
        return true;
    if (!str_has_prefix_nocase(name, STR("x-amz-")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(signing); i++)
        if (str_eq_nocase(name, str_c(signing[i])))
            return false;
    /* The JavaScript and Go SDKs sign the checksum of the empty body they have at that time
     * into a presigned PUT; Amazon ignores it there (aws-sdk-go-v2 issue 2610). */
    return checksum_by_header(name) == CHECKSUM_NONE &&
           !str_eq_nocase(name, STR("x-amz-sdk-checksum-algorithm"));
}

/* SDKs hoist x-amz-* headers into presigned URLs; S3 reads them as headers (aws-recorded:
 * test_presigned_url_v4_x_amz_in_qs), and If-Match and If-None-Match too (LocalStack pull request
 * 12624). Content-MD5 is not read there (aws-sdk-js issue 151). A header of the same name comes
 * first and wins. */
static void merge_hoisted_headers(struct s3_call *c)
{
    if (!c->param_count || s3_header(c, STR("authorization")).ptr ||
        (!s3_param(c, STR("X-Amz-Signature")).ptr && !s3_param(c, STR("Signature")).ptr))
        return;
    struct header *all = s3_alloc(c, (c->header_count + c->param_count) * sizeof(*all));
    memcpy(all, c->headers, c->header_count * sizeof(*all));
    size_t n = c->header_count;
    for (size_t i = 0; i < c->param_count; i++)
        if (hoisted(c->params[i].name))
            all[n++] = (struct header){c->params[i].name, c->params[i].value};
    s3_set_headers(c, all, n);
}

/* ---- answering --------------------------------------------------------------------- */

struct buf *s3_reply_xml(struct s3_call *c)
{
    c->reply.status = 200;
    s3_reply_kept_header(c, "Content-Type", "application/xml");
    buf_add(&c->reply.text, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    return &c->reply.text;
}

enum s3_err s3_xml_done(struct s3_call *c)
{
    return buf_ok(&c->reply.text) ? S3_OK : s3_fail(c, S3_INTERNAL_ERROR, "reply too large");
}

enum s3_err s3_reply_empty(struct s3_call *c, unsigned status)
{
    c->reply.status = status;
    c->reply.no_body = status == 204 || status == 304;
    return S3_OK;
}

void xml_text(struct buf *b, const char *name, struct str text)
{
    buf_add_char(b, '<');
    buf_add_c(b, name);
    buf_add_char(b, '>');
    buf_add_xml(b, text);
    buf_add(b, STR("</"));
    buf_add_c(b, name);
    buf_add_char(b, '>');
}

void xml_u64(struct buf *b, const char *name, uint64_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRIu64, v);
    xml_text(b, name, str_of(digits, (size_t)n));
}

void xml_bool(struct buf *b, const char *name, bool v)
{
    xml_text(b, name, v ? STR("true") : STR("false"));
}

void xml_time(struct buf *b, const char *name, int64_t unix_ns)
{
    char text[ISO_DATE_SIZE];
    clock_format_iso(unix_ns, text);
    xml_text(b, name, str_c(text));
}

/* ---- the pipeline ------------------------------------------------------------------ */

static void add_ids(struct s3_call *c)
{
    s3_reply_kept_header(c, "x-amz-request-id", c->request_id);
    s3_reply_kept_header(c, "x-amz-id-2", c->service->host_id);
}

/* A call and, behind it, its first arena: most calls need no other memory. */
struct call_block {
    struct s3_call call;
    struct arena arena;
};

static_assert(sizeof(struct call_block) + 1000 <= MEM_BLOCK, "room for an arena worth having");

static struct s3_call *call_new(struct s3_service *service, const struct request *req)
{
    struct call_block *block = mem_block_take();
    struct s3_call *c = &block->call;
    memset(c, 0, offsetof(struct s3_call, auth));
    block->arena = (struct arena){.size = MEM_BLOCK - sizeof(*block)};
    c->arena = &block->arena;
    c->service = service;
    c->options = &service->options;
    c->req = req;
    c->branch = store_branch(service->options.store, STR("main"));
    s3_set_headers(c, req->headers, req->header_count);
    c->at.key = c->at.bucket = c->virtual_bucket = STR("");
    if (service->options.traffic || log_access_enabled())
        c->traffic.started_ns = clock_monotonic_ns();
    intake_init(&c->intake, c->options->store);
    c->reply_held = 0;
    buf_init(&c->message, 1024);
    buf_init(&c->detail, 1024);
    auth_result_init(&c->auth);
    auth_failure_init(&c->failure);
    reply_init(&c->reply);
    c->reply.text.max = REPLY_TEXT_MAX;
    c->now_ns = clock_now_ns();
    random_id(c->request_id, sizeof(c->request_id) - 1);
    c->request_id[sizeof(c->request_id) - 1] = '\0';
    add_ids(c);
    return c;
}

/* A URL that SigV2 presigned covers the sub-resources of its time. Who holds it must not get to
 * another operation by one that came later. */
static enum s3_err check_v2_covers(struct s3_call *c)
{
    struct str names = c->op->query ? str_c(c->op->query) : STR_NONE, name;
    while (names.ptr && str_split(&names, '&', &name)) {
        /* "list-type=2": another form of the listing that is signed. */
        if (auth_v2_signs_parameter(name) || str_find_char(name, '=') != SIZE_MAX)
            continue;
        return s3_fail_message(c, S3_ACCESS_DENIED,
                               "AWS Signature Version 2 does not cover the query parameter "
                               "%.*s; sign the URL with version 4",
                               (int)name.len, name.ptr);
    }
    return S3_OK;
}

static enum s3_err authenticate(struct s3_call *c)
{
    /* Browsers sign no preflight, and a presigned URL is signed for another method. */
    if (c->op->handler == op_preflight)
        return S3_OK;
    c->credentials = keyring_get(c->options->keyring);
    struct auth_config config = {.now_ns = c->now_ns,
                                 .credentials = c->credentials,
                                 .region = c->credentials ? route_endpoint_region(c) : STR_NONE,
                                 .domains = c->options->domains,
                                 .domain_count = c->options->domain_count};
    enum s3_err err = auth_request(&c->auth, &c->failure, &config, c->req, c->virtual_bucket);
    if (err)
        return s3_fail(c, err, "authentication");
    c->owner = c->auth.credential ? credential_owner(c->auth.credential)
                                  : s3_service_default_owner(c->service);
    return c->auth.credential && c->auth.kind == AUTH_V2_QUERY ? check_v2_covers(c) : S3_OK;
}

/* A page may not do this. */
static enum s3_err refuse_page(struct s3_call *c)
{
    buf_reset(&c->message);
    guard_explain(&c->guard, &c->message);
    return s3_fail(c, S3_ACCESS_DENIED, "guard");
}

static bool reads_object(const struct s3_call *c)
{
    return c->op->handler == op_get_object || c->op->handler == op_head_object;
}

/* May the page that asks, if any, do this? What a verified signature asks for, it may; that of
 * a form is verified with its fields. A preflight of a foreign page is refused by its handler,
 * in S3's words. */
static enum s3_err check_page(struct s3_call *c)
{
    if (c->guard.may == GUARD_ANYTHING || c->auth.credential)
        return S3_OK;
    c->guest = true;
    if ((c->op->flags & BODY_FORM) && c->options->keyring)
        return S3_OK;
    if (c->op->handler == op_preflight && c->guard.asker != GUARD_FOREIGN_HOST)
        return S3_OK;
    return guard_refuses(&c->guard, reads_object(c)) ? refuse_page(c) : S3_OK;
}

/* With credentials and without a signature: a preflight is never signed. The rest is refused,
 * after S3's first question: is there such a bucket? */
static enum s3_err authorize_anonymous(struct s3_call *c)
{
    struct bucket_info bucket;
    if (c->op->handler == op_preflight)
        return S3_OK;
    if (c->op->scope != SCOPE_SERVICE && !(c->op->flags & NEW_BUCKET)) {
        enum s3_err err = bucket_get(c->branch, c->at.bucket, &bucket);
        if (!err)
            bucket_info_release(&bucket);
        else if (!c->options->auto_bucket)
            return s3_fail(c, err, "bucket check");
    }
    return s3_fail(c, S3_ACCESS_DENIED, "anonymous");
}

static bool owns(const struct s3_call *c, const struct bucket_info *bucket)
{
    return !c->options->keyring || str_eq(owner_id(c->owner), owner_id(doc_str(bucket->owner)));
}

/* --auto-bucket: the bucket is its first user's, as if they had created it. */
static enum s3_err create_on_first_use(struct s3_call *c)
{
    if (!s3_bucket_name_ok(c->at.bucket))
        return S3_INVALID_BUCKET_NAME;
    struct bucket_spec spec = {
        .name = c->at.bucket, .region = c->options->region, .owner = c->owner};
    enum s3_err err = bucket_create(c->branch, &spec);
    return err == S3_BUCKET_ALREADY_EXISTS ? S3_OK : err;
}

static enum s3_err find_bucket(struct s3_call *c, struct bucket_info *bucket)
{
    enum s3_err err = bucket_get(c->branch, c->at.bucket, bucket);
    if (err == S3_NO_SUCH_BUCKET && c->options->auto_bucket && !c->guest &&
        c->op->handler != op_delete_bucket) {
        err = create_on_first_use(c);
        if (!err)
            err = bucket_get(c->branch, c->at.bucket, bucket);
    }
    return err;
}

enum s3_err s3_authorize_bucket(struct s3_call *c)
{
    struct bucket_info bucket;
    enum s3_err err = find_bucket(c, &bucket);
    if (err)
        return s3_fail(c, err, "bucket check");
    if (!owns(c, &bucket))
        err = s3_fail(c, S3_ACCESS_DENIED, "bucket of another owner");
    else
        err = s3_check_expected_owner(c, STR("x-amz-expected-bucket-owner"), &bucket);
    bucket_info_release(&bucket);
    return err;
}

/* Whether the answer depends on the bucket before its handler looks at it: a body is refused
 * before it is sent, and with credentials only the owner may go on. */
static bool needs_bucket_check(const struct s3_call *c)
{
    return c->options->keyring || c->options->auto_bucket ||
           (c->op->flags & (BODY_DOCUMENT | BODY_STREAM)) ||
           s3_header(c, STR("x-amz-expected-bucket-owner")).ptr;
}

enum s3_err s3_authorize_form(struct s3_call *c)
{
    if (!c->auth.credential && guard_refuses(&c->guard, false))
        return refuse_page(c);
    if (c->options->keyring && !c->auth.credential)
        return authorize_anonymous(c);
    if (c->auth.credential)
        c->owner = credential_owner(c->auth.credential);
    return s3_authorize_bucket(c);
}

/* A form tells in its fields who sent it, and so for which branch's bucket. */
static enum s3_err authorize(struct s3_call *c)
{
    if (c->op->flags & BODY_FORM)
        return S3_OK;
    if (c->options->keyring && !c->auth.credential)
        return authorize_anonymous(c);
    if (c->op->scope == SCOPE_SERVICE || (c->op->flags & NEW_BUCKET) ||
        c->op->handler == op_not_implemented || !needs_bucket_check(c))
        return S3_OK;
    return s3_authorize_bucket(c);
}

static enum s3_err document_sink(void *arg, const char *data, size_t len)
{
    struct s3_call *c = arg;
    if (!c->xml)
        c->xml = xml_reader_new();
    if (!c->xml)
        return s3_fail(c, S3_SLOW_DOWN, "memory for a document");
    xml_reader_feed(c->xml, str_of(data, len));
    if (intake_hold(&c->intake, xml_reader_memory(c->xml)))
        return S3_OK;
    xml_reader_free(TAKE(c->xml));
    intake_release(&c->intake);
    return s3_fail(c, S3_SLOW_DOWN, "memory for the documents of requests");
}

enum s3_err s3_document(struct s3_call *c, struct str root, const struct xml_node **out)
{
    return xml_reader_end(c->xml, root, out);
}

/* No more comes than was announced: payload.c sees to that. */
static enum s3_err begin_document(struct s3_call *c)
{
    size_t max = c->op->flags & LARGE_DOCUMENT ? LARGE_DOCUMENT_MAX : DOCUMENT_MAX;
    if (payload_begin(c, CHECKSUM_NONE, false))
        return c->err;
    if (c->payload.expected > max) {
        s3_error_field(c, "MaxMessageLengthBytes", s3_printf(c, "%zu", max));
        return s3_fail(c, S3_MAX_MESSAGE_LENGTH_EXCEEDED, "%" PRIu64 " bytes",
                       c->payload.expected);
    }
    if (c->payload.expected > store_intake_max(c->options->store))
        return s3_fail(c, S3_SLOW_DOWN, "a document of %" PRIu64 " bytes", c->payload.expected);
    payload_set_sink(&c->payload, document_sink, c);
    return S3_OK;
}

static void announce(struct s3_call *c)
{
    const struct traffic *traffic = c->options->traffic;
    struct traffic_call *t = &c->traffic;
    if (!traffic)
        return;
    t->req = c->req;
    t->request_id = str_c(c->request_id);
    t->operation = c->op ? str_c(c->op->name) : STR("-");
    t->operation_number = c->op ? route_operation_number(c->op) : 0;
    t->bucket = c->at.bucket;
    t->key = c->at.key;
    t->branch = branch_name(c->branch);
    t->access_key = str_c(c->auth.access_key);
    t->time_ns = c->now_ns;
    c->announced = true;
    traffic->begin(traffic->arg, t);
}

/* Who asks for what. */
static enum s3_err identify(struct s3_call *c)
{
    guard_look(&c->guard, &c->options->guard, c->req);
    if (route_target(c))
        return c->err;
    merge_hoisted_headers(c);
    if (route_operation(c) || s3_refuse_misplaced(c) || authenticate(c) || check_page(c))
        return c->err;
    return s3_choose_branch(c);
}

/* Source: versitygw issue 1242. */
static enum s3_err unwanted_body(struct s3_call *c)
{
    return s3_fail_message(c, S3_INVALID_REQUEST,
                           "The request included a body. Requests of this type must not "
                           "include a non-empty body.");
}

/* True: the payload hash announces a trailer, where nothing is uploaded. Source:
 * backlot/routers/s3.py (_TRAILERS), measured with reads, lists, deletes and XML bodies. */
static bool announces_stray_trailer(const struct s3_call *c)
{
    return (c->auth.payload == PAYLOAD_CHUNKED_SIGNED_TRAILER ||
            c->auth.payload == PAYLOAD_CHUNKED_UNSIGNED_TRAILER) &&
           !(c->op->flags & (BODY_STREAM | BODY_FORM)) &&
           s3_header(c, STR("x-amz-content-sha256")).ptr;
}

static enum s3_err begin(struct s3_call *c)
{
    enum s3_err err = identify(c);
    announce(c);
    if (err || fault_begin(c) || settle_may_write(c) || authorize(c))
        return c->err;
    if (c->op->handler == op_not_implemented)
        return op_not_implemented(c); /* before a body is asked for */
    if (announces_stray_trailer(c))
        return s3_fail_message(c, S3_INVALID_REQUEST,
                               "The value of x-amz-content-sha256 header is invalid.");
    if ((c->op->flags & NO_BODY) && c->req->content_length != CONTENT_LENGTH_NONE &&
        c->req->content_length > 0)
        return unwanted_body(c);
    if ((c->op->flags & BODY_DOCUMENT) && begin_document(c))
        return c->err;
    return c->op->begin ? c->op->begin(c) : S3_OK;
}

/* The reply is what the handler made of it, or the document of this error. */
static void answer(struct s3_call *c, enum s3_err err)
{
    if (err)
        error_reply(c, err);
    if (guard_is_browser(&c->guard))
        guard_reply(&c->options->guard, &c->guard, &c->reply);
    if (c->faulty)
        fault_spoil(c);
    else if (c->announced && c->reply.text.len + c->reply.slices_len <= REPLY_SMALL)
        c->options->traffic->answer(c->options->traffic->arg, &c->traffic);
}

static enum app_next call_begin(void *arg, const struct request *req, void **call)
{
    struct s3_call *c = call_new(arg, req);
    *call = c;
    enum s3_err err = begin(c);
    if (!err)
        return APP_WANT_BODY;
    answer(c, err);
    return APP_REPLY;
}

static enum app_next call_body(void *call, const char *data, size_t len)
{
    struct s3_call *c = call;
    c->bytes_in += len;
    enum s3_err err = S3_OK;
    /* Most operations without a body ignore one. */
    if (c->op->flags & (BODY_DOCUMENT | BODY_STREAM | BODY_FORM))
        err = payload_feed(c, data, len);
    else if (c->op->flags & NO_BODY)
        err = unwanted_body(c);
    if (!err)
        return c->faulty && fault_holds_body(c) ? APP_WAIT : APP_WANT_BODY;
    answer(c, err);
    return APP_REPLY;
}

enum s3_err s3_later(struct s3_call *c, enum s3_err (*step)(struct s3_call *c))
{
    c->later = step;
    return S3_OK;
}

/* What the handler made of the reply is not to be said. */
static void forget_reply(struct s3_call *c)
{
    reply_release(&c->reply);
    reply_init(&c->reply);
    c->reply.text.max = REPLY_TEXT_MAX;
    add_ids(c);
}

/* It was carried out; is it safe? */
static enum app_next settle(struct s3_call *c)
{
    bool wait;
    enum s3_err err = settle_written(c, &wait);
    c->carried_out = true;
    if (wait)
        return APP_WAIT;
    if (err)
        forget_reply(c);
    answer(c, err);
    return APP_REPLY;
}

/* A client that takes its reply slowly, or not at all, keeps the text for so long. */
static enum s3_err hold_reply(struct s3_call *c)
{
    size_t bytes = c->reply.text.cap;
    if (bytes <= REPLY_UNCOUNTED)
        return S3_OK;
    if (!store_hold_reply(c->options->store, bytes, c->op->flags & WRITES)) {
        forget_reply(c);
        return s3_fail(c, S3_SLOW_DOWN, "memory for replies");
    }
    c->reply_held = bytes;
    return S3_OK;
}

/* One turn of the operation. */
static enum app_next work(struct s3_call *c, enum s3_err (*step)(struct s3_call *c))
{
    c->later = NULL;
    durable_now = &c->durable_wait;
    enum s3_err err = step(c);
    durable_now = NULL;
    if (!err && c->later) {
        c->req->waker->wake(c->req->waker);
        return APP_WAIT;
    }
    if (!err)
        err = hold_reply(c);
    if (!err)
        return settle(c);
    answer(c, err);
    return APP_REPLY;
}

static enum app_next call_finish(void *call)
{
    struct s3_call *c = call;
    enum s3_err err = S3_OK;
    if (c->carried_out)
        return settle(c);
    if (c->later)
        return work(c, c->later);
    if (c->faulty && fault_delays(c))
        return APP_WAIT;
    if (c->op->flags & (BODY_DOCUMENT | BODY_STREAM | BODY_FORM))
        err = payload_finish(c);
    if (!err && c->faulty)
        err = fault_refuses(c);
    if (!err)
        err = settle_may_write(c);
    if (!err)
        return work(c, c->op->handler);
    answer(c, err);
    return APP_REPLY;
}

static struct reply *call_reply(void *call)
{
    return &((struct s3_call *)call)->reply;
}

static void write_access_log(struct s3_call *c)
{
    struct log_access_entry entry = {
        .request_id = str_c(c->request_id),
        .operation = c->op ? str_c(c->op->name) : STR("-"),
        .method = c->req->method,
        .target = c->req->target,
        .remote = c->req->remote,
        .code = c->err ? str_c(s3_err_code(c->err)) : STR("-"),
        .detail = c->traffic.detail ? str_c(c->traffic.detail) : buf_str(&c->detail),
        .status = c->reply.status,
        .bytes_in = c->bytes_in,
        .bytes_out = c->traffic.bytes_out,
        .duration_ns = c->traffic.duration_ns,
    };
    log_access(&entry);
}

/* What came of it, for the log and for whoever else wants to know. */
static void report(struct s3_call *c, uint64_t sent, bool aborted)
{
    const struct traffic *traffic = c->options->traffic;
    struct traffic_call *t = &c->traffic;
    if (!traffic && !log_access_enabled())
        return;
    t->duration_ns = clock_monotonic_ns() - t->started_ns;
    t->status = c->reply.status;
    t->code = c->err ? str_c(s3_err_code(c->err)) : STR("");
    t->bytes_in = c->bytes_in;
    t->bytes_out = sent;
    t->aborted = aborted;
    /* A form's key comes with its body. */
    t->key = c->at.key;
    t->branch = branch_name(c->branch);
    if (log_access_enabled())
        write_access_log(c);
    if (c->announced)
        traffic->end(traffic->arg, t);
}

/* Warns of refusals that the server's user can do something about: memory is full, or a program
 * needs what is not built. The latter once an operation: some programs ask for a bucket's policy
 * each time. */
static void warn_of_refusal(struct s3_call *c)
{
    const char *name = c->op ? c->op->name : "-";
    unsigned number = c->op ? route_operation_number(c->op) : 0;
    const struct buf *why = c->detail.len ? &c->detail : &c->message;
    if (c->err == S3_SLOW_DOWN && !c->undurable)
        log_warn("%s refused with SlowDown: %.*s (see --max-memory)", name, (int)c->detail.len,
                 c->detail.len ? c->detail.ptr : "");
    else if (c->err == S3_NOT_IMPLEMENTED &&
             !atomic_exchange_explicit(&c->service->told_unbuilt[number], true,
                                       memory_order_relaxed))
        log_warn("%s answered with 501: %.*s (told once an operation)", name, (int)why->len,
                 why->len ? why->ptr : "");
}

static void call_done(void *call, uint64_t sent, bool aborted)
{
    struct s3_call *c = call;
    settle_leave(c);
    if (aborted && !c->err && !c->faulty)
        s3_fail(c, S3_REQUEST_TIMEOUT, "the client left");
    report(c, sent, aborted);
    if (c->err && !c->faulty)
        warn_of_refusal(c);
    if (c->state_free)
        c->state_free(c->state);
    payload_release(&c->payload);
    reply_release(&c->reply);
    branch_unref(c->branch);
    auth_result_wipe(&c->auth);
    credentials_unref(c->credentials);
    auth_failure_release(&c->failure);
    xml_reader_free(c->xml);
    intake_release(&c->intake);
    if (c->reply_held > 0)
        store_give_reply(c->options->store, c->reply_held);
    buf_release(&c->message);
    buf_release(&c->detail);
    arena_free(c->arena);
    mem_block_give(c);
}

struct app s3_service_app(struct s3_service *service)
{
    return (struct app){.arg = service,
                        .begin = call_begin,
                        .body = call_body,
                        .finish = call_finish,
                        .reply = call_reply,
                        .done = call_done};
}
