/* SPDX-License-Identifier: MIT */
/* site.c - requests to one bucket of an S3, signed by SigV4. */
#include "ctl/site.h"
#include "auth/auth.h"
#include "ctl/xml.h"
#include "disk/backup/container.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define URL_MAX         KiB(192) /* of a key and a query that are 64 KiB each at most */
#define ANSWER_MAX      MiB(64)  /* a page of a listing has 1000 keys, of 1 KiB each */
#define HEADERS_OF_SITE 5        /* that sign() adds at most */
#define CONNECT_SECONDS 30L
#define SILENCE_SECONDS 60L

/* ---- where it is ------------------------------------------------------------------- */

static char *amazon_base(const char *region)
{
    AUTO_BUF(base, KiB(1));

    buf_addf(&base, "https://s3.%s.amazonaws.com%s", region,
             strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    return xstrndup(buf_str(&base));
}

/* "BUCKET[/PREFIX]" */
static bool take_path(struct site *s, struct str path, const char **why)
{
    struct str bucket = STR("");

    str_split(&path, '/', &bucket);
    s->bucket = xstrndup(bucket);
    s->prefix = xstrndup(path.ptr ? path : STR(""));
    if (bucket.len == 0)
        *why = "it names no bucket: s3://BUCKET[/PREFIX] or https://HOST/BUCKET[/PREFIX]";
    return bucket.len > 0;
}

/* https://BUCKET.s3.REGION.amazonaws.com/KEY: the first part of its path is no bucket. */
static bool names_bucket_by_host(struct str host)
{
    return str_find(host, STR(".amazonaws.com")) != SIZE_MAX &&
           !str_has_prefix_nocase(host, STR("s3.")) && !str_has_prefix_nocase(host, STR("s3-"));
}

bool site_parse(struct site *s, const char *url, const char *endpoint, const char **why)
{
    AUTO_BUF(path, URL_MAX);
    struct str text = str_c(url), host;
    size_t scheme = str_find(text, STR("://")), slash;

    if (str_has_prefix(text, STR("s3://"))) {
        s->is_amazon = !endpoint;
        s->base = endpoint ? xstrndup(ctl_base_url(endpoint, &s->socket_path))
                           : amazon_base(s->region);
        return take_path(s, str_from(text, STR("s3://").len), why);
    }
    if (!str_has_prefix_nocase(text, STR("http://")) &&
        !str_has_prefix_nocase(text, STR("https://"))) {
        *why = "it must be s3://BUCKET[/PREFIX] or https://HOST[:PORT]/BUCKET[/PREFIX]";
        return false;
    }
    host = str_from(text, scheme + 3);
    slash = str_find_char(host, '/');
    if (slash != SIZE_MAX)
        host = str_of(host.ptr, slash);
    if (names_bucket_by_host(host)) {
        *why = "at Amazon write s3://BUCKET[/PREFIX]";
        return false;
    }
    if (!buf_add_unescaped(
            &path, slash == SIZE_MAX ? STR("") : str_from(text, scheme + 4 + slash), false)) {
        *why = "there is a % without two hex digits in it";
        return false;
    }
    if (str_find_char(buf_str(&path), '\0') != SIZE_MAX) {
        *why = "there is a NUL in it";
        return false;
    }
    s->base = xstrndup(str_of(text.ptr, scheme + 3 + host.len));
    return take_path(s, buf_str(&path), why);
}

void site_release(struct site *s)
{
    mem_free(s->base);
    mem_free(s->bucket);
    mem_free(s->prefix);
    mem_free(s->region);
}

/* ---- bytes on their way ------------------------------------------------------------ */

void load_init(struct load *l)
{
    *l = (struct load){.fd = -1};
    buf_init(&l->bytes, LOAD_IN_MEMORY);
}

void load_reset(struct load *l)
{
    buf_reset(&l->bytes);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    l->error = 0;
    l->size = l->sent = 0;
}

void load_release(struct load *l)
{
    load_reset(l);
    buf_release(&l->bytes);
}

bool load_add(struct load *l, struct str piece)
{
    if (l->fd < 0 && l->bytes.len + piece.len > LOAD_IN_MEMORY) {
        l->fd = temporary_file();
        l->error = l->fd < 0 ? errno : write_all(l->fd, l->bytes.ptr, l->bytes.len);
        buf_release(&l->bytes);
    }
    if (!l->error && l->fd >= 0)
        l->error = write_all(l->fd, piece.ptr, piece.len);
    else if (!l->error)
        buf_add(&l->bytes, piece);
    l->size += piece.len;
    return !l->error && buf_ok(&l->bytes);
}

static size_t on_send(char *data, size_t size, size_t count, void *arg)
{
    struct load *l = arg;
    size_t left = l->size - l->sent, n = size * count < left ? size * count : left;
    ssize_t got = (ssize_t)n;

    if (l->fd >= 0)
        got = pread(l->fd, data, n, (off_t)l->sent);
    else
        str_put(data, str_of(l->bytes.ptr + l->sent, n));
    if (got < 0 || (got == 0 && n > 0)) {
        l->error = got < 0 ? errno : EIO;
        return CURL_READFUNC_ABORT;
    }
    l->sent += (uint64_t)got;
    return (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct load *l = arg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > l->size)
        return CURL_SEEKFUNC_CANTSEEK;
    l->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- one request ------------------------------------------------------------------- */

void call_init(struct call *c)
{
    *c = (struct call){.curl = NULL};
    buf_init(&c->url, URL_MAX);
    buf_init(&c->answer, ANSWER_MAX);
}

void call_release(struct call *c)
{
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->lines);
    buf_release(&c->url);
    buf_release(&c->answer);
}

static size_t on_reply(char *data, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    struct str piece = str_of(data, size * count);

    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    if (c->into && c->status < 300)
        return load_add(c->into, piece) ? piece.len : 0;
    buf_add(&c->answer, piece);
    return buf_ok(&c->answer) ? piece.len : 0;
}

static int compare_headers(const void *a, const void *b)
{
    return str_cmp(((const struct header *)a)->name, ((const struct header *)b)->name);
}

static void add_line(struct call *c, struct str name, struct str value)
{
    AUTO_BUF(line, MiB(1));

    buf_add(&line, name);
    /* libcurl's way to write a header without a value. */
    buf_add(&line, value.len > 0 ? STR(": ") : STR(";"));
    buf_add(&line, value);
    buf_add_char(&line, '\0');
    c->lines = curl_slist_append(c->lines, line.ptr);
}

static struct str host_of(const struct site *s)
{
    struct str base = str_c(s->base);

    return str_from(base, str_find(base, STR("://")) + 3);
}

/* Adds the header lines and the signature to the request. set has room for HEADERS_OF_SITE more
 * than count, and is sorted and filled up on the way. */
static void sign(struct call *c, struct request *req, struct header *set, size_t count,
                 struct str hash)
{
    const struct site *s = c->site;
    struct credential credential = {.access_key = (char *)(uintptr_t)s->access_key,
                                    .secret_key = (char *)(uintptr_t)s->secret_key};
    AUTO_BUF(authorization, KiB(16));
    char date[AMZ_DATE_SIZE];

    clock_format_amz(clock_now_ns(), date);
    if (s->access_key) {
        set[count++] = (struct header){STR("x-amz-content-sha256"), hash};
        set[count++] = (struct header){STR("x-amz-date"), str_c(date)};
        if (s->session_token && *s->session_token)
            set[count++] =
                (struct header){STR("x-amz-security-token"), str_c(s->session_token)};
    }
    if (s->branch)
        set[count++] = (struct header){STR("x-s3mem-branch"), str_c(s->branch)};
    for (size_t i = 0; i < count; i++) {
        add_line(c, set[i].name, set[i].value);
        if (str_has_prefix(set[i].name, STR("x-")))
            set[req->header_count++] = set[i];
    }
    if (!s->access_key)
        return;
    set[req->header_count++] = (struct header){STR("host"), req->host};
    qsort(set, req->header_count, sizeof(*set), compare_headers);
    req->headers = set;
    auth_sign(&authorization, req, &credential, str_c(s->region));
    add_line(c, STR("Authorization"), buf_str(&authorization));
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct call *c = arg;

    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return c->interrupted();
}

static void set_options(struct call *c)
{
    const struct site *s = c->site;

    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->detail);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "s3memctl/" S3MEM_VERSION);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    if (c->interrupted) {
        curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
    }
    if (s->is_target)
        curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    if (s->socket_path)
        curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, s->socket_path);
    if (s->ca_file)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, s->ca_file);
    if (s->insecure) {
        curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_body(struct call *c, const char *method)
{
    curl_easy_setopt(c->curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    if (c->from) {
        c->from->sent = 0;
        curl_easy_setopt(c->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(c->curl, CURLOPT_READDATA, c->from);
        curl_easy_setopt(c->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c->curl, CURLOPT_SEEKDATA, c->from);
        curl_easy_setopt(c->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->from->size);
    } else if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, "");
    }
}

/* Writes the request's URL, and what is signed of it. */
static void write_url(struct call *c, struct request *req, struct str key, struct str query)
{
    size_t base = strlen(c->site->base), path_len;

    buf_reset(&c->url);
    buf_add_c(&c->url, c->site->base);
    buf_add_char(&c->url, '/');
    buf_add_uri(&c->url, str_c(c->site->bucket), false);
    if (key.len > 0)
        buf_add_char(&c->url, '/');
    buf_add_uri(&c->url, key, true);
    path_len = c->url.len - base;
    if (query.len > 0)
        buf_add_char(&c->url, '?');
    buf_add(&c->url, query);
    buf_add_char(&c->url, '\0');
    req->path = str_of(c->url.ptr + base, path_len);
    req->target = str_c(req->path.ptr);
    req->query = query.len > 0 ? query : STR_NONE;
}

void call_begin(struct call *c, const struct site *site, const char *method, struct str key,
                struct str query, const struct header *headers, size_t header_count)
{
    struct header *set = xcalloc(header_count + HEADERS_OF_SITE, sizeof(*set));
    uint8_t digest[SHA256_SIZE];
    struct request req = {.method = str_c(method), .host = host_of(site)};
    AUTO_BUF(nothing, 128);
    bool has_type = false;

    if (c->curl)
        curl_easy_reset(c->curl);
    else
        c->curl = curl_easy_init();
    curl_slist_free_all(TAKE(c->lines));
    buf_reset(&c->answer);
    c->site = site;
    c->status = 0;
    c->detail[0] = '\0';
    write_url(c, &req, key, query);
    set_options(c);
    for (size_t i = 0; i < header_count; i++) {
        set[i] = headers[i];
        has_type |= str_eq(headers[i].name, STR("content-type"));
    }
    sha256_once(STR(""), digest);
    buf_add_hex(&nothing, str_of((const char *)digest, sizeof(digest)));
    sign(c, &req, set, header_count, c->from ? STR("UNSIGNED-PAYLOAD") : buf_str(&nothing));
    mem_free(set);
    /* libcurl is to ask for no "100 Continue", and to add no type. */
    c->lines = curl_slist_append(c->lines, "Expect:");
    if (!has_type)
        c->lines = curl_slist_append(c->lines, "Content-Type:");
    curl_easy_setopt(c->curl, CURLOPT_URL, c->url.ptr);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->lines);
    set_body(c, method);
}

void call_end(struct call *c, CURLcode result)
{
    c->result = result;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
}

bool call_is_good(const struct call *c)
{
    return c->result == CURLE_OK && c->status >= 200 && c->status < 300;
}

bool call_is_transient(const struct call *c)
{
    switch ((int)c->result) {
    case CURLE_OK:
        return c->status >= 500 || c->status == 429 || c->status == 408;
    case CURLE_WRITE_ERROR: /* no room for it here */
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return false;
    default:
        return true;
    }
}

void call_alone(struct call *c, const struct site *site, const char *method, struct str key,
                struct str query, const struct header *headers, size_t header_count)
{
    for (int i = 1;; i++) {
        call_begin(c, site, method, key, query, headers, header_count);
        call_end(c, curl_easy_perform(c->curl));
        if (i == CALL_ATTEMPTS_MAX || call_is_good(c) || !call_is_transient(c))
            return;
        usleep((useconds_t)i * CALL_PAUSE_MS * 1000);
    }
}

const char *call_header(const struct call *c, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(c->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

void call_add_code(const struct call *c, struct buf *out)
{
    (void)xml_text(buf_str(&c->answer), STR("Code"), out);
}

bool call_learn_region(const struct call *c, struct site *site)
{
    const char *header;
    AUTO_BUF(region, KiB(1));

    if (c->result != CURLE_OK || c->status < 300)
        return false;
    header = call_header(c, "x-amz-bucket-region");
    if (header)
        buf_add_c(&region, header);
    else
        (void)xml_text(buf_str(&c->answer), STR("Region"), &region);
    if (region.len == 0 || !buf_ok(&region) || str_eq(buf_str(&region), str_c(site->region)))
        return false;
    for (size_t i = 0; i < region.len; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", region.ptr[i]))
            return false;
    }
    mem_free(site->region);
    site->region = xstrndup(buf_str(&region));
    if (site->is_amazon) {
        mem_free(site->base);
        site->base = amazon_base(site->region);
    }
    return true;
}

/* ---- what went wrong --------------------------------------------------------------- */

static void explain_result(const struct call *c, struct buf *out)
{
    const char *base = c->site->base;
    int error = c->into && c->into->error ? c->into->error : c->from ? c->from->error : 0;

    if (error)
        buf_addf(out, "temporary file: %s", strerror(error));
    else if (c->result == CURLE_COULDNT_CONNECT)
        buf_addf(out, "no server listens at %s", base);
    else if (c->result == CURLE_COULDNT_RESOLVE_HOST)
        buf_addf(out, "%s: no such host", base);
    else if (c->result == CURLE_PEER_FAILED_VERIFICATION)
        buf_addf(out, "the certificate of %s is not trusted (%s): %s names its authority", base,
                 c->detail, c->site->is_target ? "--cacert" : "AWS_CA_BUNDLE");
    else
        buf_addf(out, "%s: %s", base, c->detail[0] ? c->detail : curl_easy_strerror(c->result));
}

/* What to do about a refusal of the source's. */
static void add_advice(const struct call *c, struct str code, struct buf *out)
{
    const struct site *s = c->site;

    if (s->is_target)
        return;
    if (!s->access_key && (c->status == 403 || c->status == 401))
        buf_add(out, STR("; the request was not signed: --from-profile names keys"));
    else if (str_eq(code, STR("InvalidAccessKeyId")) ||
             str_eq(code, STR("SignatureDoesNotMatch")) || str_eq(code, STR("ExpiredToken")) ||
             str_eq(code, STR("InvalidToken")) || str_eq(code, STR("AccessDenied")))
        buf_addf(out,
                 "; signed with %s of %s: --from-profile names other keys, "
                 "--no-sign-request none",
                 s->access_key, s->key_source);
}

void call_explain(const struct call *c, struct buf *out)
{
    AUTO_BUF(code, KiB(4));
    AUTO_BUF(message, KiB(64));

    if (c->result != CURLE_OK) {
        explain_result(c, out);
        return;
    }
    call_add_code(c, &code);
    (void)xml_text(buf_str(&c->answer), STR("Message"), &message);
    if (str_eq(buf_str(&code), STR("NoSuchBucket")))
        buf_addf(out, "there is no bucket '%s' at %s", c->site->bucket, c->site->base);
    else if (str_eq(buf_str(&code), STR("InvalidObjectState")))
        buf_add(out, STR("it is archived, and must be restored before it can be read"));
    else if (message.len > 0)
        buf_add_buf(out, &message);
    else if (c->status == 404)
        buf_addf(out, "%s does not know it", c->site->base);
    else if (c->status >= 300 && c->status < 400)
        buf_addf(out, "%s sends on to %s, which no bucket region explains", c->site->base,
                 call_header(c, "Location") ? call_header(c, "Location") : "nowhere");
    else if (c->status < 300)
        buf_addf(out, "%s answers, but not as S3 does", c->site->base);
    else
        buf_addf(out, "%s answers with status %ld and no S3 error", c->site->base, c->status);
    if (code.len > 0)
        buf_addf(out, " (%.*s)", (int)code.len, code.ptr);
    add_advice(c, buf_str(&code), out);
}
