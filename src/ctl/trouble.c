/* SPDX-License-Identifier: MIT */
/* trouble.c - what went wrong, in words of the command line: nobody there, no s3memd, TLS, a
 * refusal. */
#include "ctl/http.h"
#include "ctl/xml.h"

#define PROBE_SECONDS 3

/* ---- what else is there ------------------------------------------------------------ */

static size_t ignore_answer(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

/* Whether the same host and port speak the other of http and https. *url: the endpoint then. */
static bool other_scheme_answers(const struct ctl *c, struct buf *url)
{
    struct str endpoint = str_c(c->endpoint);
    bool secure = str_has_prefix_nocase(endpoint, STR("https://"));
    size_t scheme = str_find(endpoint, STR("://"));
    CURL *curl;
    CURLcode result;

    if (scheme == SIZE_MAX)
        return false;
    buf_add(url, secure ? STR("http") : STR("https"));
    buf_add(url, str_from(endpoint, scheme));
    buf_add_char(url, '\0');
    if (!buf_ok(url))
        return false;
    curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url->ptr);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)PROBE_SECONDS);
    /* Nothing is sent that anybody might take: it is asked only whether TLS is spoken. */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_answer);
    result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return result == CURLE_OK;
}

/* Says so if https is spoken where the endpoint has http, or the other way round. */
static bool tell_other_scheme(const struct ctl *c)
{
    AUTO_BUF(url, KiB(4));
    bool secure = str_has_prefix_nocase(str_c(c->endpoint), STR("https://"));

    if (!other_scheme_answers(c, &url))
        return false;
    ctl_complain(CTL_UNREACHED, "%s speaks %s: the endpoint is %s", c->endpoint,
                 secure ? "plain HTTP, no TLS" : "TLS, not plain HTTP", url.ptr);
    return true;
}

bool ctl_is_s3memd(struct ctl *c)
{
    AUTO_TARGET(t, "health");
    json_t *answer;
    bool known;

    (void)ctl_probe(c, &t, &answer);
    known = ctl_health_version(answer) != NULL;
    json_decref(answer);
    return known;
}

const char *ctl_health_version(const json_t *health)
{
    return json_string_value(json_object_get(health, "status"))
               ? json_string_value(json_object_get(health, "version"))
               : NULL;
}

enum ctl_exit ctl_no_s3memd(const struct ctl *c)
{
    /* A server of TLS may have a line for those who speak plain HTTP. */
    if (tell_other_scheme(c))
        return CTL_UNREACHED;
    return ctl_complain(CTL_REFUSED, "%s answers, but is no s3memd: use aws s3", c->endpoint);
}

/* ---- nobody there ------------------------------------------------------------------ */

static const char *start_hint(const struct ctl *c)
{
    return c->endpoint_source
               ? "s3memctl start starts one on http://127.0.0.1:4566"
               : "s3memctl start starts one; --endpoint or AWS_ENDPOINT_URL_S3 names another";
}

static enum ctl_exit explain_tls(const struct ctl *c, CURLcode result, const char *detail)
{
    if (result == CURLE_SSL_CACERT_BADFILE)
        return ctl_complain(CTL_USAGE,
                            "--cacert %s: there are no certificates to be read (PEM)",
                            c->ca_file ? c->ca_file : "");
    if (result == CURLE_PEER_FAILED_VERIFICATION)
        return ctl_complain(
            CTL_UNREACHED,
            "the certificate of %s is not trusted (%s): --cacert FILE names its "
            "authority, --insecure trusts any",
            c->endpoint, detail);
    if (tell_other_scheme(c))
        return CTL_UNREACHED;
    return ctl_complain(CTL_UNREACHED, "%s: TLS fails: %s", c->endpoint, detail);
}

enum ctl_exit ctl_explain_unreached(const struct ctl *c, CURLcode result, const char *detail)
{
    if (!*detail)
        detail = curl_easy_strerror(result);
    switch ((int)result) {
    case CURLE_COULDNT_CONNECT:
        return ctl_complain(CTL_UNREACHED, "no server listens at %s: %s", c->endpoint,
                            start_hint(c));
    case CURLE_COULDNT_RESOLVE_HOST:
        return ctl_complain(CTL_UNREACHED, "%s: no such host%s%s", c->endpoint,
                            c->endpoint_source ? "; the endpoint is from " : "",
                            c->endpoint_source ? c->endpoint_source : "");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        /* libcurl's word for an answer that is no HTTP, too. */
        if (str_has_prefix_nocase(str_c(c->endpoint), STR("http://")) && tell_other_scheme(c))
            return CTL_UNREACHED;
        return ctl_complain(CTL_USAGE,
                            "--endpoint %s: must be http://HOST:PORT, https://HOST:PORT or "
                            "http+unix:PATH, and HTTP must be spoken there",
                            c->endpoint);
    case CURLE_OPERATION_TIMEDOUT:
        return ctl_complain(CTL_UNREACHED, "%s does not answer in time", c->endpoint);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return explain_tls(c, result, detail);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
        if (tell_other_scheme(c))
            return CTL_UNREACHED;
        return ctl_complain(CTL_UNREACHED, "%s closed the connection without an answer",
                            c->endpoint);
    case CURLE_PARTIAL_FILE:
        return ctl_complain(
            CTL_UNREACHED, "%s closed the connection in the middle of its answer", c->endpoint);
    default:
        return ctl_complain(CTL_UNREACHED, "%s: %s", c->endpoint, detail);
    }
}

/* ---- a refusal --------------------------------------------------------------------- */

/* {"error":{"code","message"}} of an S3 reply: NULL, there is none in it. */
static json_t *error_of_xml(struct str xml)
{
    AUTO_BUF(code, KiB(4));
    AUTO_BUF(message, KiB(64));

    (void)xml_text(xml, STR("Code"), &code);
    (void)xml_text(xml, STR("Message"), &message);
    if (!buf_ok(&code) || !buf_ok(&message) || code.len == 0 || message.len == 0)
        return NULL;
    return json_pack("{s:{s:s%, s:s%}}", "error", "code", code.ptr, code.len, "message",
                     message.ptr, message.len);
}

/* The parameter that is to blame, as the command line has it. */
static void add_blame(struct buf *out, const struct ctl *c, const char *field)
{
    bool is_option = strcmp(field, "branch") == 0;

    for (size_t i = 0; i < CTL_OPTS_MAX && c->command->options[i].name; i++)
        is_option |= strcmp(c->command->options[i].name, field) == 0;
    buf_addf(out, ": %s%s", is_option ? "--" : "", field);
}

static void tell_unsigned(const struct ctl *c, const char *code)
{
    if (c->quiet || c->access_key || strcmp(code, "AccessDenied") != 0)
        return;
    ctl_complain(CTL_REFUSED,
                 "the request was not signed: there are no --access-key and --secret-key, no "
                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and no keys in the profile '%s' "
                 "of ~/.aws/credentials or config",
                 c->profile_name);
}

enum ctl_exit ctl_explain_refusal(struct ctl *c, const struct ctl_target *t, long status,
                                  struct str body, json_t *answer)
{
    AUTO_BUF(more, KiB(4));
    json_t *from_xml = t->is_s3 ? error_of_xml(body) : NULL;
    json_t *error = json_object_get(from_xml ? from_xml : answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *field = json_string_value(json_object_get(error, "field"));
    enum ctl_exit result = CTL_REFUSED;

    if (!message && tell_other_scheme(c)) {
        result = CTL_UNREACHED;
    } else if (!message && !ctl_is_s3memd(c)) {
        ctl_no_s3memd(c);
    } else if (!message) {
        ctl_complain(CTL_REFUSED, "%s refuses without saying why (%ld)", c->endpoint, status);
    } else if (!t->is_s3 && code && status == (strcmp(code, "NotFound") == 0 ? 404 : 405)) {
        ctl_complain(CTL_REFUSED,
                     "the server is another version of s3memd, which knows no '%s'",
                     c->command->name);
    } else {
        if (field)
            add_blame(&more, c, field);
        ctl_complain(CTL_REFUSED, "%s (%s%.*s)", message, code ? code : "?", (int)more.len,
                     more.ptr ? more.ptr : "");
        tell_unsigned(c, code ? code : "");
    }
    ctl_print_backup_errors(json_object_get(error, "result"));
    json_decref(from_xml);
    return result;
}
