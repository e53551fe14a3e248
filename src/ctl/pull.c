/* SPDX-License-Identifier: MIT */
/* pull.c - objects from one S3 to another. Each lane copies one at a time:
 *
 *   [LOOK ->]                                                   is it there already?
 *   READ -> [TAGS] -> WRITE                                     an object put at once
 *   READ part 1 -> [TAGS] -> CREATE -> PART -> READ part 2 -> PART ... -> COMPLETE
 *
 * One thread; requests wait for each other in libcurl's multi. */
#include "ctl/pull.h"
#include "ctl/xml.h"

#include <stdlib.h>

#define LANES         16 /* small objects are mostly waited for; large ones fill a line alone */
#define POLL_MS       200   /* an interruption is noticed so soon */
#define ABORT_SECONDS 10L   /* for an upload that is dropped: nobody waits longer at the end */
#define PARTS_MAX     10000 /* S3's limit */

enum step {
    STEP_IDLE,
    STEP_LOOK,
    STEP_READ,
    STEP_TAGS,
    STEP_WRITE,
    STEP_CREATE,
    STEP_PART,
    STEP_COMPLETE
};

struct lane {
    struct pull *p;
    struct call call;
    enum step step;
    bool waiting; /* for its next attempt, until due_ns */
    int64_t due_ns;
    int attempts;
    char *key, *etag; /* owned */
    size_t key_len;
    uint64_t listed; /* bytes, as the listing has it */
    struct buf head; /* name NUL value NUL ...: what the object is put with */
    struct load body, document;
    bool by_parts;
    unsigned part, parts;
    uint64_t total, copied; /* bytes of all parts, and of those that are there */
    char *upload;           /* owned; NULL: there is none */
};

struct pull {
    struct ctl *c;
    const struct site *from, *to;
    CURLM *multi;
    struct lane lanes[LANES];
    struct pull_counts counts;
    void (*on_end)(void *arg, const struct pull_counts *counts);
    bool (*interrupted)(void);
    void *arg;
};

static struct str key_of(const struct lane *l)
{
    return str_of(l->key, l->key_len);
}

/* ---- what an object is put with ---------------------------------------------------- */

/* Everything of an object but its bytes, and tags, which a reply only counts. */
static bool is_carried(struct str name)
{
    static const char *const names[] = {
        "content-type",        "content-encoding",
        "content-disposition", "content-language",
        "cache-control",       "expires",
        "x-amz-storage-class", "x-amz-website-redirect-location",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(name, str_c(names[i])))
            return true;
    }
    return str_has_prefix(name, STR("x-amz-meta-"));
}

static void keep_header(struct lane *l, struct str name, struct str value)
{
    buf_add(&l->head, name);
    buf_add_char(&l->head, '\0');
    /* Amazon sends what is not ASCII as an encoded word, others the bytes as they are. */
    if (str_has_prefix(name, STR("x-amz-meta-")) && !str_is_ascii(value) &&
        str_is_utf8(value)) {
        buf_add(&l->head, STR("=?UTF-8?B?"));
        buf_add_base64(&l->head, value);
        buf_add(&l->head, STR("?="));
    } else {
        buf_add(&l->head, value);
    }
    buf_add_char(&l->head, '\0');
}

/* False: there is more than any server takes. */
static bool keep_headers(struct lane *l)
{
    struct curl_header *h = NULL;
    const char *missing = call_header(&l->call, "x-amz-missing-meta");

    buf_reset(&l->head);
    while ((h = curl_easy_nextheader(l->call.curl, CURLH_HEADER, -1, h))) {
        AUTO_BUF(name, KiB(64));

        for (const char *ch = h->name; *ch; ch++)
            buf_add_char(&name, *ch >= 'A' && *ch <= 'Z' ? (char)(*ch + 'a' - 'A') : *ch);
        /* libcurl 7.88 has a lone CR as the value of a header without one. */
        if (is_carried(buf_str(&name)))
            keep_header(l, buf_str(&name), str_of(h->value, strcspn(h->value, "\r")));
    }
    if (missing && !l->p->c->quiet)
        ctl_complain(CTL_DONE,
                     "%s: %s items of metadata have names or values that HTTP cannot "
                     "carry, and are left out",
                     l->key, missing);
    return buf_ok(&l->head);
}

/* Owned; borrows the names and values. */
static struct header *headers_of(const struct lane *l, size_t *count)
{
    struct str rest = buf_str(&l->head);
    struct header *headers;
    size_t texts = 0;

    for (size_t i = 0; i < rest.len; i++)
        texts += rest.ptr[i] == '\0';
    headers = xcalloc(texts / 2 + 1, sizeof(*headers));
    for (*count = 0; *count < texts / 2; ++*count) {
        struct header *h = &headers[*count];

        h->name = str_c(rest.ptr);
        rest = str_from(rest, h->name.len + 1);
        h->value = str_c(rest.ptr);
        rest = str_from(rest, h->value.len + 1);
    }
    return headers;
}

/* <TagSet> as the query that x-amz-tagging is. */
/* False: they are none of S3's. */
static bool keep_tags(struct lane *l)
{
    struct str rest = buf_str(&l->call.answer), tag;
    AUTO_BUF(query, KiB(16));

    while (xml_next(&rest, STR("Tag"), &tag)) {
        AUTO_BUF(key, KiB(4));
        AUTO_BUF(value, KiB(4));

        (void)xml_text(tag, STR("Key"), &key);
        (void)xml_text(tag, STR("Value"), &value);
        if (!buf_ok(&key) || !buf_ok(&value))
            return false;
        if (query.len > 0)
            buf_add_char(&query, '&');
        buf_add_uri(&query, buf_str(&key), false);
        buf_add_char(&query, '=');
        buf_add_uri(&query, buf_str(&value), false);
    }
    if (query.len > 0)
        keep_header(l, STR("x-amz-tagging"), buf_str(&query));
    return buf_ok(&query) && buf_ok(&l->head);
}

/* ---- requests ---------------------------------------------------------------------- */

static void send_read(struct lane *l)
{
    struct header match = {STR("if-match"), str_c(l->etag)};
    AUTO_BUF(query, KiB(1));

    if (l->by_parts)
        buf_addf(&query, "partNumber=%u", l->part);
    load_reset(&l->body);
    l->call.into = &l->body;
    call_begin(&l->call, l->p->from, "GET", key_of(l), buf_str(&query), &match, l->part > 1);
}

static void send_part(struct lane *l)
{
    AUTO_BUF(query, KiB(4));

    buf_addf(&query, "partNumber=%u&uploadId=", l->part);
    buf_add_uri(&query, str_c(l->upload), false);
    l->call.from = &l->body;
    call_begin(&l->call, l->p->to, "PUT", key_of(l), buf_str(&query), NULL, 0);
}

static void send_complete(struct lane *l)
{
    AUTO_BUF(query, KiB(4));

    buf_add(&query, STR("uploadId="));
    buf_add_uri(&query, str_c(l->upload), false);
    l->call.from = &l->document;
    call_begin(&l->call, l->p->to, "POST", key_of(l), buf_str(&query), NULL, 0);
}

/* Puts the object, or begins its upload, with all that is kept of it. */
static void send_object(struct lane *l, const char *method, const char *query)
{
    size_t count;
    struct header *headers = headers_of(l, &count);

    call_begin(&l->call, l->p->to, method, key_of(l), str_c(query), headers, count);
    mem_free(headers);
}

/* The request of the lane's step. */
static void lane_send(struct lane *l)
{
    l->waiting = false;
    l->call.into = l->call.from = NULL;
    switch (l->step) {
    case STEP_IDLE:
        return;
    case STEP_LOOK:
        call_begin(&l->call, l->p->from, "HEAD", key_of(l), STR(""), NULL, 0);
        break;
    case STEP_READ:
        send_read(l);
        break;
    case STEP_TAGS:
        call_begin(&l->call, l->p->from, "GET", key_of(l), STR("tagging="), NULL, 0);
        break;
    case STEP_WRITE:
        l->call.from = &l->body;
        send_object(l, "PUT", "");
        break;
    case STEP_CREATE:
        send_object(l, "POST", "uploads=");
        break;
    case STEP_PART:
        send_part(l);
        break;
    case STEP_COMPLETE:
        send_complete(l);
        break;
    }
    curl_easy_setopt(l->call.curl, CURLOPT_PRIVATE, l);
    curl_multi_add_handle(l->p->multi, l->call.curl);
}

static void lane_go(struct lane *l, enum step step)
{
    l->step = step;
    l->attempts = 0;
    lane_send(l);
}

/* ---- ends -------------------------------------------------------------------------- */

/* Aborts an upload that is of no use any more. */
static void drop_upload(struct lane *l)
{
    AUTO_BUF(query, KiB(4));

    if (!l->upload)
        return;
    buf_add(&query, STR("uploadId="));
    buf_add_uri(&query, str_c(l->upload), false);
    l->call.into = l->call.from = NULL;
    call_begin(&l->call, l->p->to, "DELETE", key_of(l), buf_str(&query), NULL, 0);
    curl_easy_setopt(l->call.curl, CURLOPT_TIMEOUT, ABORT_SECONDS);
    call_end(&l->call, curl_easy_perform(l->call.curl));
    mem_free(TAKE(l->upload));
}

static void lane_end(struct lane *l)
{
    drop_upload(l);
    load_reset(&l->body);
    load_reset(&l->document);
    mem_free(TAKE(l->key));
    mem_free(TAKE(l->etag));
    l->step = STEP_IDLE;
    l->waiting = false;
    l->p->on_end(l->p->arg, &l->p->counts);
}

static void lane_done(struct lane *l)
{
    mem_free(TAKE(l->upload));
    l->p->counts.copied++;
    lane_end(l);
}

/* Will the next object fail for the same reason? */
static bool is_hopeless(const struct call *c)
{
    static const char *const codes[] = {
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",   "InvalidToken",
        "NoSuchBucket",       "RequestTimeTooSkewed",  "AccountProblem",
    };
    AUTO_BUF(code, KiB(4));

    if (c->result != CURLE_OK)
        return !call_is_transient(c) && c->result != CURLE_WRITE_ERROR;
    call_add_code(c, &code);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_eq(buf_str(&code), str_c(codes[i])))
            return true;
    }
    /* The server's memory is full. */
    return c->site->is_target && c->status == 503;
}

static void lane_fail(struct lane *l)
{
    static const char *const doing[] = {
        [STEP_IDLE] = "",       [STEP_LOOK] = "read",
        [STEP_READ] = "read",   [STEP_TAGS] = "read its tags",
        [STEP_WRITE] = "write", [STEP_CREATE] = "write",
        [STEP_PART] = "write",  [STEP_COMPLETE] = "write",
    };
    AUTO_BUF(why, KiB(64));

    ctl_bar_end(l->p->c);
    call_explain(&l->call, &why);
    ctl_complain(CTL_REFUSED, "%s: cannot %s: %.*s", l->key, doing[l->step], (int)why.len,
                 why.ptr ? why.ptr : "");
    l->p->counts.failed++;
    if (is_hopeless(&l->call) && !l->p->counts.stopped) {
        l->p->counts.stopped = true;
        ctl_complain(CTL_REFUSED, "given up: the others would fail alike");
    }
    lane_end(l);
}

/* ---- one step after the other ------------------------------------------------------ */

/* Begins again with the whole object: its parts cannot be copied as they are. */
static void read_whole(struct lane *l)
{
    drop_upload(l);
    l->by_parts = false;
    l->part = 1;
    lane_go(l, STEP_READ);
}

/* Takes from the reply to the first how many parts there are, and of how many bytes. False: it
 * does not say, or has sent all of it, as a server that knows no partNumber. */
static bool take_parts(struct lane *l)
{
    const char *count = call_header(&l->call, "x-amz-mp-parts-count");
    const char *range = call_header(&l->call, "content-range");
    const char *slash = range ? strrchr(range, '/') : NULL;
    uint64_t parts = 0;

    if (!count || !str_to_u64(str_c(count), &parts) || parts == 0 || parts > PARTS_MAX)
        return false;
    l->parts = (unsigned)parts;
    l->copied = 0;
    l->total = l->body.size;
    if (l->call.status != 206)
        return parts == 1;
    return slash && str_to_u64(str_c(slash + 1), &l->total);
}

/* Are these all bytes of the object? A body that ends with its connection may have been cut. */
static bool is_whole(const struct lane *l)
{
    return l->call.status == 200 &&
           (l->body.size == l->listed || call_header(&l->call, "content-length") ||
            call_header(&l->call, "transfer-encoding"));
}

static void after_read(struct lane *l)
{
    const char *tags = call_header(&l->call, "x-amz-tagging-count");
    const char *etag = call_header(&l->call, "etag");

    if (l->part > 1) {
        lane_go(l, STEP_PART);
        return;
    }
    if (l->by_parts && !take_parts(l)) {
        if (l->call.status == 206) {
            read_whole(l);
            return;
        }
        l->by_parts = false;
    }
    mem_free(l->etag);
    l->etag = xstrdup(etag ? etag : "*");
    if ((!l->by_parts && !is_whole(l)) || !keep_headers(l))
        lane_fail(l);
    else if (tags && strcmp(tags, "0") != 0)
        lane_go(l, STEP_TAGS);
    else
        lane_go(l, l->by_parts ? STEP_CREATE : STEP_WRITE);
}

static bool take_upload(struct lane *l)
{
    AUTO_BUF(id, KiB(4));

    if (!xml_text(buf_str(&l->call.answer), STR("UploadId"), &id) || id.len == 0)
        return false;
    l->upload = xstrndup(buf_str(&id));
    load_reset(&l->document);
    return load_add(&l->document, STR("<CompleteMultipartUpload>"));
}

static void after_part(struct lane *l)
{
    const char *etag = call_header(&l->call, "etag");
    AUTO_BUF(xml, KiB(4));

    buf_addf(&xml, "<Part><PartNumber>%u</PartNumber><ETag>", l->part);
    buf_add_xml(&xml, str_c(etag));
    buf_add(&xml, STR("</ETag></Part>"));
    if (l->part == l->parts)
        buf_add(&xml, STR("</CompleteMultipartUpload>"));
    l->p->counts.bytes += l->body.size;
    l->copied += l->body.size;
    if (!etag || !load_add(&l->document, buf_str(&xml)))
        lane_fail(l);
    else if (l->part == l->parts && l->copied != l->total)
        read_whole(l);
    else
        lane_go(l, l->part++ == l->parts ? STEP_COMPLETE : STEP_READ);
}

/* The reply may begin with 200 and be an error all the same. */
static void after_complete(struct lane *l)
{
    struct str rest = buf_str(&l->call.answer), inner;

    if (xml_next(&rest, STR("CompleteMultipartUploadResult"), &inner))
        lane_done(l);
    else
        lane_fail(l);
}

/* Under aws:kms an ETag is no MD5, and each copy has another. */
static void after_look(struct lane *l)
{
    const char *how = call_header(&l->call, "x-amz-server-side-encryption");

    if (how && str_has_prefix(str_c(how), STR("aws:kms"))) {
        l->p->counts.unchanged++;
        lane_end(l);
    } else {
        lane_go(l, STEP_READ);
    }
}

static void lane_advance(struct lane *l)
{
    switch (l->step) {
    case STEP_IDLE:
        return;
    case STEP_LOOK:
        after_look(l);
        return;
    case STEP_READ:
        after_read(l);
        return;
    case STEP_TAGS:
        if (keep_tags(l))
            lane_go(l, l->by_parts ? STEP_CREATE : STEP_WRITE);
        else
            lane_fail(l);
        return;
    case STEP_WRITE:
        l->p->counts.bytes += l->body.size;
        lane_done(l);
        return;
    case STEP_CREATE:
        if (take_upload(l))
            lane_go(l, STEP_PART);
        else
            lane_fail(l);
        return;
    case STEP_PART:
        after_part(l);
        return;
    case STEP_COMPLETE:
        after_complete(l);
        return;
    }
}

/* Parts that are too small for this server, or that the source will not give. */
static bool fails_for_parts(const struct lane *l)
{
    AUTO_BUF(code, KiB(4));

    if (!l->by_parts || l->call.result != CURLE_OK)
        return false;
    call_add_code(&l->call, &code);
    return l->step == STEP_COMPLETE
               ? str_eq(buf_str(&code), STR("EntityTooSmall"))
               : l->step == STEP_READ &&
                     (l->call.status == 400 || l->call.status == 416 || l->call.status == 501);
}

static void lane_reply(struct lane *l, CURLcode result)
{
    call_end(&l->call, result);
    if (call_is_good(&l->call)) {
        lane_advance(l);
    } else if (l->step == STEP_LOOK) {
        lane_go(l, STEP_READ); /* whose reply says why */
    } else if (fails_for_parts(l)) {
        read_whole(l);
    } else if (call_is_transient(&l->call) && ++l->attempts < CALL_ATTEMPTS_MAX) {
        l->waiting = true;
        l->due_ns = clock_monotonic_ns() + l->attempts * CALL_PAUSE_MS * NS_PER_MS;
    } else {
        lane_fail(l);
    }
}

/* ---- all lanes --------------------------------------------------------------------- */

static bool goes_on(const struct pull *p)
{
    return !p->counts.stopped && !p->interrupted();
}

/* Waits until something has come, and deals with it. */
static void pull_turn(struct pull *p)
{
    CURLMsg *message;
    bool idle = true;
    int running, left;

    for (size_t i = 0; i < LANES; i++) {
        if (p->lanes[i].waiting && clock_monotonic_ns() >= p->lanes[i].due_ns)
            lane_send(&p->lanes[i]);
    }
    curl_multi_perform(p->multi, &running);
    while ((message = curl_multi_info_read(p->multi, &left))) {
        CURL *curl = message->easy_handle;
        CURLcode result = message->data.result;
        struct lane *l = NULL;

        curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&l);
        curl_multi_remove_handle(p->multi, curl);
        lane_reply(l, result);
        if (p->counts.stopped)
            return;
        idle = false;
    }
    if (idle)
        curl_multi_poll(p->multi, NULL, 0, POLL_MS, NULL);
}

static struct lane *idle_lane(struct pull *p)
{
    for (size_t i = 0; i < LANES; i++) {
        if (p->lanes[i].step == STEP_IDLE)
            return &p->lanes[i];
    }
    return NULL;
}

/* "9b2cf535f27731c974343645a3985328-3": of an upload in three parts */
static bool is_of_parts(struct str etag)
{
    return str_find_char(etag, '-') != SIZE_MAX;
}

bool pull_add(struct pull *p, const struct pull_item *item)
{
    struct lane *l = NULL;

    while (goes_on(p) && !(l = idle_lane(p)))
        pull_turn(p);
    if (!l)
        return false;
    l->key = xstrndup(item->key);
    l->key_len = item->key.len;
    l->listed = item->size;
    l->by_parts = is_of_parts(item->etag);
    l->part = 1;
    lane_go(l, item->other_etag ? STEP_LOOK : STEP_READ);
    return true;
}

static bool is_busy(const struct pull *p)
{
    for (size_t i = 0; i < LANES; i++) {
        if (p->lanes[i].step != STEP_IDLE)
            return true;
    }
    return false;
}

void pull_finish(struct pull *p)
{
    while (goes_on(p) && is_busy(p))
        pull_turn(p);
}

struct pull *pull_new(struct ctl *c, const struct site *from, const struct site *to,
                      void (*on_end)(void *arg, const struct pull_counts *counts),
                      bool (*interrupted)(void), void *arg)
{
    struct pull *p = xcalloc(1, sizeof(*p));

    *p = (struct pull){.c = c,
                       .from = from,
                       .to = to,
                       .multi = curl_multi_init(),
                       .on_end = on_end,
                       .interrupted = interrupted,
                       .arg = arg};
    for (size_t i = 0; i < LANES; i++) {
        struct lane *l = &p->lanes[i];

        l->p = p;
        call_init(&l->call);
        buf_init(&l->head, MiB(1)); /* libcurl takes a third of it */
        load_init(&l->body);
        load_init(&l->document);
    }
    return p;
}

const struct pull_counts *pull_counts(const struct pull *p)
{
    return &p->counts;
}

void pull_free(struct pull *p)
{
    for (size_t i = 0; i < LANES; i++) {
        struct lane *l = &p->lanes[i];

        if (l->step != STEP_IDLE) {
            if (!l->waiting)
                curl_multi_remove_handle(p->multi, l->call.curl);
            lane_end(l);
        }
        call_release(&l->call);
        buf_release(&l->head);
        load_release(&l->body);
        load_release(&l->document);
    }
    curl_multi_cleanup(p->multi);
    mem_free(p);
}
