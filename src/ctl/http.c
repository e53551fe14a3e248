/* SPDX-License-Identifier: MIT */
/* http.c - requests to the server, by libcurl; signed when there are keys. */
#include "ctl/http.h"
#include "auth/auth.h"

#include <unistd.h>

#define TARGET_MAX  KiB(64)
#define ANSWER_MAX  GiB(1)
#define UNIX_PREFIX "http+unix:"
#define HEADERS_MAX 5

/* ---- targets ----------------------------------------------------------------------- */

void ctl_target_init(struct ctl_target *t, const char *path)
{
    *t = (struct ctl_target){.has_query = false};
    buf_init(&t->text, TARGET_MAX);
    buf_addf(&t->text, "/_s3mem/%s", path);
}

void ctl_target_init_s3(struct ctl_target *t, struct str bucket, struct str key)
{
    *t = (struct ctl_target){.is_s3 = true};
    buf_init(&t->text, TARGET_MAX);
    buf_add_char(&t->text, '/');
    buf_add_uri(&t->text, bucket, false);
    if (key.len > 0)
        buf_add_char(&t->text, '/');
    buf_add_uri(&t->text, key, true);
}

void ctl_target_release(struct ctl_target *t)
{
    buf_release(&t->text);
}

void ctl_target_part(struct ctl_target *t, const char *part)
{
    buf_add_char(&t->text, '/');
    buf_add_uri(&t->text, str_c(part), false);
}

void ctl_target_param(struct ctl_target *t, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addf(&t->text, "%c%s=", t->has_query ? '&' : '?', name);
    buf_add_uri(&t->text, str_c(value), false);
    t->has_query = true;
}

/* ---- one request ------------------------------------------------------------------- */

struct exchange {
    struct ctl *c;
    const struct ctl_target *target;
    char detail[CURL_ERROR_SIZE]; /* libcurl's words */
    CURL *curl;
    struct curl_slist *headers;
    struct buf url, answer;
    json_t *lost; /* the header x-s3mem-not-saved */
    long status;
    FILE *to;   /* where a good answer goes; NULL: into answer */
    FILE *from; /* the body; NULL: text */
    bool (*line)(void *arg, struct str line);
    void *line_arg;
    bool ended;          /* line() wants no more */
    int64_t progress_ns; /* when the bar was drawn last; 0: never */
    bool progress_shown;
};

/* Requests one after the other use one connection. */
static CURLSH *connections;

void ctl_http_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    connections = curl_share_init();
    curl_share_setopt(connections, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
}

void ctl_http_end(void)
{
    curl_share_cleanup(connections);
    curl_global_cleanup();
}

static void exchange_end(struct exchange *x)
{
    curl_easy_cleanup(x->curl);
    curl_slist_free_all(x->headers);
    buf_release(&x->url);
    buf_release(&x->answer);
}

/* "127.0.0.1:4566" of the endpoint; "localhost" for a socket. */
static struct str authority(const struct ctl *c)
{
    struct str rest = str_c(c->endpoint);
    size_t at = str_find(rest, STR("://")), end;

    if (str_has_prefix(rest, STR(UNIX_PREFIX)))
        return STR("localhost");
    rest = str_from(rest, at == SIZE_MAX ? 0 : at + 3);
    end = str_find_char(rest, '/');
    return end == SIZE_MAX ? rest : str_of(rest.ptr, end);
}

static void add_header(struct exchange *x, const char *name, struct str value)
{
    AUTO_BUF(line, KiB(16));

    buf_addf(&line, "%s: %.*s", name, (int)value.len, value.ptr);
    buf_add_char(&line, '\0');
    x->headers = curl_slist_append(x->headers, line.ptr);
}

/* hash: of the body, in hex, or UNSIGNED-PAYLOAD. */
static void sign(struct exchange *x, const char *method, struct str hash)
{
    const struct ctl *c = x->c;
    struct str target = buf_str(&x->target->text);
    struct credential credential = {.access_key = (char *)(uintptr_t)c->access_key,
                                    .secret_key = (char *)(uintptr_t)c->secret_key};
    struct header headers[HEADERS_MAX];
    struct request req = {
        .method = str_c(method), .target = target, .host = authority(c), .headers = headers};
    size_t mark = str_find_char(target, '?');
    char date[AMZ_DATE_SIZE];
    AUTO_BUF(authorization, KiB(8));

    req.path = mark == SIZE_MAX ? target : str_of(target.ptr, mark);
    if (mark != SIZE_MAX)
        req.query = str_from(target, mark + 1);
    clock_format_amz(clock_now_ns(), date);
    headers[req.header_count++] = (struct header){STR("host"), req.host};
    headers[req.header_count++] = (struct header){STR("x-amz-content-sha256"), hash};
    headers[req.header_count++] = (struct header){STR("x-amz-date"), str_c(date)};
    if (c->session_token && *c->session_token)
        headers[req.header_count++] =
            (struct header){STR("x-amz-security-token"), str_c(c->session_token)};
    if (c->passphrase)
        headers[req.header_count++] =
            (struct header){STR("x-s3mem-passphrase"), str_c(c->passphrase)};
    if (x->target->is_s3 && c->branch)
        headers[req.header_count++] = (struct header){STR("x-s3mem-branch"), str_c(c->branch)};
    for (size_t i = 1; i < req.header_count; i++)
        add_header(x, headers[i].name.ptr, headers[i].value);
    auth_sign(&authorization, &req, &credential, str_c(c->region));
    add_header(x, "Authorization", buf_str(&authorization));
}

/* ---- what libcurl calls ------------------------------------------------------------ */

/* Whole lines of the answer go to line(). */
static size_t take_lines(struct exchange *x)
{
    size_t end;

    while ((end = str_find_char(buf_str(&x->answer), '\n')) != SIZE_MAX) {
        struct str line = str_of(x->answer.ptr, end);

        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!x->line(x->line_arg, line)) {
            x->ended = true;
            return 0;
        }
        memmove(x->answer.ptr, x->answer.ptr + end + 1, x->answer.len - end - 1);
        x->answer.len -= end + 1;
    }
    return 1;
}

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * count;

    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &x->status);
    if (x->to && x->status < 300)
        return fwrite(data, 1, len, x->to);
    buf_add(&x->answer, str_of(data, len));
    if (!buf_ok(&x->answer))
        return 0;
    if (x->line && x->status < 300 && !take_lines(x))
        return 0;
    return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t n = fread(data, 1, size * count, x->from);

    return ferror(x->from) ? CURL_READFUNC_ABORT : n;
}

#define BAR_WIDTH   30
#define BAR_STEP_NS (100 * NS_PER_MS)

#define LOST_HEADER STR("x-s3mem-not-saved:")

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    struct str line = str_of(data, size * count), value;

    if (str_has_prefix_nocase(line, LOST_HEADER)) {
        value = str_trim(str_from(line, LOST_HEADER.len));
        json_decref(x->lost);
        x->lost =
            json_loadb(value.ptr, value.len, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
        ctl_make_printable(x->lost);
    }
    return line.len;
}

static void draw_bar(curl_off_t done, curl_off_t total)
{
    char amount[32], bar[BAR_WIDTH + 1];
    int filled = total > 0 ? (int)(done * BAR_WIDTH / total) : 0;

    ctl_format_bytes((uint64_t)done, amount);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    if (total > 0)
        fprintf(stderr, "\r[%s] %3d%% %s  ", bar, (int)(done * 100 / total), amount);
    else
        fprintf(stderr, "\r%s  ", amount);
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct exchange *x = arg;
    int64_t now_ns = clock_monotonic_ns();

    if (now_ns - x->progress_ns < BAR_STEP_NS)
        return 0;
    x->progress_ns = now_ns;
    x->progress_shown = true;
    if (x->from)
        draw_bar(up, up_total);
    else
        draw_bar(down, down_total);
    return 0;
}

bool ctl_shows_progress(const struct ctl *c)
{
    return !c->quiet && isatty(STDERR_FILENO);
}

void ctl_bar(struct ctl *c, int64_t done, int64_t total)
{
    if (ctl_shows_progress(c))
        draw_bar(done, total);
}

void ctl_bar_end(struct ctl *c)
{
    if (ctl_shows_progress(c))
        fputs("\r\033[K", stderr);
}

/* ---- asking ------------------------------------------------------------------------ */

struct str ctl_base_url(const char *endpoint, const char **socket_path)
{
    struct str base = str_c(endpoint);

    *socket_path = NULL;
    if (str_has_prefix(base, STR(UNIX_PREFIX))) {
        *socket_path = endpoint + strlen(UNIX_PREFIX);
        return STR("http://localhost");
    }
    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    return base;
}

static void set_url(struct exchange *x, struct str target)
{
    const char *socket_path;
    struct str base = ctl_base_url(x->c->endpoint, &socket_path);

    buf_init(&x->url, TARGET_MAX + KiB(4));
    if (socket_path)
        curl_easy_setopt(x->curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    buf_add(&x->url, base);
    buf_add(&x->url, target);
    buf_add_char(&x->url, '\0');
    curl_easy_setopt(x->curl, CURLOPT_URL, x->url.ptr);
}

static void exchange_start(struct exchange *x, struct ctl *c, const char *method,
                           const struct ctl_target *t, struct str hash)
{
    *x = (struct exchange){.c = c, .target = t, .curl = curl_easy_init()};
    buf_init(&x->answer, ANSWER_MAX);
    set_url(x, buf_str(&t->text));
    curl_easy_setopt(x->curl, CURLOPT_SHARE, connections);
    curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->detail);
    curl_easy_setopt(x->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(x->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x->curl, CURLOPT_USERAGENT, "s3memctl/" S3MEM_VERSION);
    curl_easy_setopt(x->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
    if (c->ca_file)
        curl_easy_setopt(x->curl, CURLOPT_CAINFO, c->ca_file);
    if (c->insecure) {
        curl_easy_setopt(x->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(x->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    add_header(x, "Host", authority(c));
    /* No question whether the body is wanted: it is small, or checked at its end anyway. */
    add_header(x, "Expect", STR(""));
    if (t->content_type)
        add_header(x, "Content-Type", str_c(t->content_type));
    if (c->access_key) {
        sign(x, method, hash);
        return;
    }
    if (c->passphrase)
        add_header(x, "x-s3mem-passphrase", str_c(c->passphrase));
    if (t->is_s3 && c->branch)
        add_header(x, "x-s3mem-branch", str_c(c->branch));
}

static void show_progress(struct exchange *x)
{
    if (!ctl_shows_progress(x->c))
        return;
    curl_easy_setopt(x->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(x->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(x->curl, CURLOPT_XFERINFODATA, x);
}

static json_t *parse(const struct exchange *x)
{
    /* A key may have a NUL in it. */
    json_t *answer =
        json_loadb(x->answer.ptr ? x->answer.ptr : "", x->answer.len, JSON_ALLOW_NUL, NULL);

    if (!x->c->json && !x->c->as_is)
        ctl_make_printable(answer);
    return answer;
}

static enum ctl_exit complain_refusal(const struct exchange *x)
{
    json_t *answer = parse(x);
    enum ctl_exit status =
        ctl_explain_refusal(x->c, x->target, x->status, buf_str(&x->answer), answer);

    json_decref(answer);
    return status;
}

static enum ctl_exit perform(struct exchange *x)
{
    CURLcode result;

    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
    result = curl_easy_perform(x->curl);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &x->status);
    if (x->progress_shown)
        fputs("\r\033[K", stderr);
    if (x->ended)
        return CTL_DONE;
    if (result != CURLE_OK && x->status < 300) {
        if (x->line && x->status != 0)
            return CTL_UNREACHED; /* the caller asks again */
        if (x->to && ferror(x->to))
            return ctl_complain(CTL_REFUSED, "cannot write the file");
        return ctl_explain_unreached(x->c, result, x->detail);
    }
    return x->status < 300 ? CTL_DONE : complain_refusal(x);
}

enum ctl_exit ctl_call(struct ctl *c, const char *method, struct ctl_target *t, json_t *body,
                       json_t **out)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct str data = str_of(text ? text : "", text ? strlen(text) : 0);
    uint8_t digest[SHA256_SIZE];
    AUTO_BUF(hash, 128);
    struct exchange x;
    enum ctl_exit status;

    json_decref(body);
    sha256_once(data, digest);
    buf_add_hex(&hash, str_of((const char *)digest, sizeof(digest)));
    exchange_start(&x, c, method, t, buf_str(&hash));
    if (!t->is_s3 && (text || strcmp(method, "GET") != 0)) {
        add_header(&x, "Content-Type", STR("application/json"));
        curl_easy_setopt(x.curl, CURLOPT_POSTFIELDSIZE, (long)data.len);
        curl_easy_setopt(x.curl, CURLOPT_POSTFIELDS, data.ptr);
    }
    status = perform(&x);
    if (out) {
        *out = status == CTL_DONE ? parse(&x) : NULL;
        if (status == CTL_DONE && !*out && x.status != 204)
            status = ctl_no_s3memd(c);
    }
    exchange_end(&x);
    ctl_free_json_text(text);
    return status;
}

enum ctl_exit ctl_post_xml(struct ctl *c, struct ctl_target *t, struct str xml,
                           struct buf *answer)
{
    uint8_t digest[SHA256_SIZE];
    AUTO_BUF(hash, 128);
    AUTO_BUF(md5, 64);
    struct exchange x;
    enum ctl_exit status;

    sha256_once(xml, digest);
    buf_add_hex(&hash, str_of((const char *)digest, sizeof(digest)));
    exchange_start(&x, c, "POST", t, buf_str(&hash));
    md5_once(xml, digest);
    buf_add_base64(&md5, str_of((const char *)digest, MD5_SIZE));
    add_header(&x, "Content-MD5", buf_str(&md5));
    add_header(&x, "Content-Type", STR("application/xml"));
    curl_easy_setopt(x.curl, CURLOPT_POSTFIELDSIZE, (long)xml.len);
    curl_easy_setopt(x.curl, CURLOPT_POSTFIELDS, xml.ptr);
    status = perform(&x);
    if (!status)
        buf_add_buf(answer, &x.answer);
    exchange_end(&x);
    return status;
}

/* ---- the branch -------------------------------------------------------------------- */

void ctl_choose_branch(struct ctl *c)
{
    AUTO_TARGET(t, "branches");
    json_t *answer;

    if (c->branch || !c->access_key || ctl_option(c, "snapshot"))
        return;
    ctl_target_part(&t, c->access_key);
    /* What else may be wrong the command itself will meet. */
    if (ctl_probe(c, &t, &answer) == 200 && json_object_get(answer, "name"))
        c->branch = c->access_key;
    json_decref(answer);
}

const char *ctl_branch_name(const struct ctl *c)
{
    return c->branch ? c->branch : "main";
}

void ctl_probe_with(struct ctl *c, struct ctl_target *t, const char *header,
                    struct ctl_probe *out)
{
    struct curl_header *date;
    struct exchange x;

    exchange_start(&x, c, "GET", t, STR("UNSIGNED-PAYLOAD"));
    if (header)
        x.headers = curl_slist_append(x.headers, header);
    curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, x.headers);
    curl_easy_setopt(x.curl, CURLOPT_TIMEOUT, 5L);
    *out = (struct ctl_probe){.date_s = -1};
    if (curl_easy_perform(x.curl) == CURLE_OK) {
        curl_easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &out->status);
        out->answer = parse(&x);
        if (curl_easy_header(x.curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
            out->date_s = curl_getdate(date->value, NULL);
    }
    exchange_end(&x);
}

long ctl_probe(struct ctl *c, struct ctl_target *t, json_t **out)
{
    struct ctl_probe probe;

    ctl_probe_with(c, t, NULL, &probe);
    *out = probe.answer;
    return probe.status;
}

enum ctl_exit ctl_download(struct ctl *c, struct ctl_target *t, FILE *to, json_t **lost)
{
    struct exchange x;
    enum ctl_exit status;

    exchange_start(&x, c, "GET", t, STR("UNSIGNED-PAYLOAD"));
    x.to = to;
    curl_easy_setopt(x.curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(x.curl, CURLOPT_HEADERDATA, &x);
    show_progress(&x);
    status = perform(&x);
    if (lost)
        *lost = TAKE(x.lost);
    json_decref(x.lost);
    exchange_end(&x);
    return status;
}

enum ctl_exit ctl_upload(struct ctl *c, struct ctl_target *t, FILE *from, json_t **out)
{
    struct exchange x;
    enum ctl_exit status;
    off_t size;

    exchange_start(&x, c, "PUT", t, STR("UNSIGNED-PAYLOAD"));
    x.from = from;
    curl_easy_setopt(x.curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(x.curl, CURLOPT_READFUNCTION, on_body);
    curl_easy_setopt(x.curl, CURLOPT_READDATA, &x);
    if (fseeko(from, 0, SEEK_END) == 0 && (size = ftello(from)) >= 0) {
        rewind(from);
        curl_easy_setopt(x.curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
    }
    show_progress(&x);
    status = perform(&x);
    if (out)
        *out = status == CTL_DONE ? parse(&x) : NULL;
    if (out && status == CTL_DONE && !*out)
        status = ctl_no_s3memd(c);
    exchange_end(&x);
    return status;
}

enum ctl_exit ctl_follow(struct ctl *c, struct ctl_target *t,
                         bool (*line)(void *arg, struct str line), void *arg)
{
    struct exchange x;
    enum ctl_exit status;

    exchange_start(&x, c, "GET", t, STR("UNSIGNED-PAYLOAD"));
    x.line = line;
    x.line_arg = arg;
    status = perform(&x);
    if (status == CTL_DONE && !x.ended)
        status = CTL_UNREACHED; /* it has no end of its own */
    exchange_end(&x);
    return status;
}
