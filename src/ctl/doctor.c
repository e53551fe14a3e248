/* SPDX-License-Identifier: MIT */
/* doctor.c - s3memctl doctor: what an SDK would trip over between this shell and the server.
 * Each check says one line: ok, warn (some programs will trip), fail (requests will). */
#include "ctl/http.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

/* What Amazon allows between the clocks, and so does a server that checks signatures. */
#define SKEW_MAX_S  (15 * 60)
#define SKEW_WARN_S 60

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct doctor {
    struct ctl *c;
    json_t *findings;
    bool failed;
    bool on_socket; /* http+unix: no SDK goes there */
    char *host;     /* of the endpoint; owned by libcurl, NULL: none */
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static void found(struct doctor *d, enum finding finding, const char *check, const char *fmt,
                  ...) PRINTF_LIKE(4, 5);
static void found(struct doctor *d, enum finding finding, const char *check, const char *fmt,
                  ...)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    AUTO_BUF(text, KiB(16));
    AUTO_BUF(shown, KiB(64));
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    ctl_add_printable(&shown, buf_str(&text));
    d->failed |= finding == FINDING_FAIL;
    if (!d->c->json)
        printf("%-4s  %-11s  %.*s\n", words[finding], check, (int)shown.len, shown.ptr);
    json_array_append_new(d->findings,
                          json_pack("{s:s, s:s, s:s%}", "check", check, "finding",
                                    words[finding], "message", shown.ptr, shown.len));
}

/* ---- endpoint ---------------------------------------------------------------------- */

/* Where the SDKs go, which do not know S3MEMCTL_ENDPOINT. */
static void check_endpoint(struct doctor *d)
{
    const struct ctl *c = d->c;
    const char *s3 = variable("AWS_ENDPOINT_URL_S3"), *all = variable("AWS_ENDPOINT_URL");
    const char *sdk = s3 ? s3 : all;

    found(d, FINDING_OK, "endpoint", "%s (%s)", c->endpoint,
          c->endpoint_source ? c->endpoint_source : "the default");
    if (d->on_socket)
        return;
    if (!sdk)
        found(d, FINDING_WARN, "endpoint",
              "AWS_ENDPOINT_URL_S3 is not set, without which SDKs go to Amazon: export "
              "AWS_ENDPOINT_URL_S3=%s",
              c->endpoint);
    else if (strcmp(sdk, c->endpoint) != 0)
        found(d, FINDING_WARN, "endpoint", "SDKs go elsewhere: %s is %s",
              s3 ? "AWS_ENDPOINT_URL_S3" : "AWS_ENDPOINT_URL", sdk);
    else if (!s3)
        found(d, FINDING_WARN, "endpoint",
              "AWS_ENDPOINT_URL sends every service of AWS here: AWS_ENDPOINT_URL_S3 only S3");
}

/* False: there is no s3memd to ask further. */
static bool check_server(struct doctor *d, struct ctl_probe *health)
{
    AUTO_TARGET(t, "health");
    const char *version;

    ctl_probe_with(d->c, &t, NULL, health);
    version = ctl_health_version(health->answer);
    if (!version) {
        /* The same call says on standard error what is wrong. */
        if (ctl_call(d->c, "GET", &t, NULL, NULL) == CTL_UNREACHED)
            found(d, FINDING_FAIL, "server", "%s does not answer", d->c->endpoint);
        else
            found(d, FINDING_FAIL, "server", "%s is no s3memd", d->c->endpoint);
        return false;
    }
    if (strcmp(version, S3MEM_VERSION) != 0)
        found(d, FINDING_WARN, "server", "s3memd %s, but this is s3memctl %s", version,
              S3MEM_VERSION);
    else
        found(d, FINDING_OK, "server", "s3memd %s", version);
    if (health->status != 200)
        found(d, FINDING_WARN, "server", "it is not ready yet: s3memctl wait");
    return true;
}

/* ---- region, clock ----------------------------------------------------------------- */

static void check_region(struct doctor *d, const json_t *health)
{
    const char *server = json_string_value(json_object_get(health, "region"));
    const char *ours = d->c->region_given;

    if (!server)
        server = "us-east-1";
    if (!ours)
        found(d, FINDING_WARN, "region",
              "there is none, and the SDKs for JavaScript and Java need one: export "
              "AWS_REGION=%s",
              server);
    else if (strcmp(ours, server) != 0)
        found(d, FINDING_WARN, "region", "requests are signed for %s, the server is in %s",
              ours, server);
    else
        found(d, FINDING_OK, "region", "%s", ours);
    if (variable("AWS_DEFAULT_REGION") && !variable("AWS_REGION"))
        found(d, FINDING_WARN, "region",
              "AWS_DEFAULT_REGION is for the AWS CLI and boto3: other SDKs read AWS_REGION");
}

static void check_clock(struct doctor *d, int64_t date_s)
{
    AUTO_TARGET(t, "clock");
    int64_t skew_s = date_s - clock_now_ns() / NS_PER_S;
    json_t *clock;
    bool frozen, moved;

    (void)ctl_probe(d->c, &t, &clock);
    frozen = json_is_true(json_object_get(clock, "frozen"));
    moved = frozen || json_number_value(json_object_get(clock, "offsetMs")) != 0;
    json_decref(clock);
    if (moved)
        found(d, FINDING_WARN, "clock", "the server's clock is %s: s3memctl clock reset",
              frozen ? "frozen" : "moved");
    if (date_s < 0)
        found(d, FINDING_WARN, "clock", "the server does not say what time it is");
    else if (llabs(skew_s) > SKEW_MAX_S && !moved)
        found(d, FINDING_FAIL, "clock",
              "the clocks are %lld s apart: signatures are refused beyond %d s", llabs(skew_s),
              SKEW_MAX_S);
    else if (llabs(skew_s) > SKEW_WARN_S)
        found(d, FINDING_WARN, "clock", "the clocks are %lld s apart", llabs(skew_s));
    else if (!moved)
        found(d, FINDING_OK, "clock", "as here");
}

/* ---- credentials, branch ----------------------------------------------------------- */

static void check_refused_key(struct doctor *d, const json_t *answer)
{
    const struct ctl *c = d->c;
    const json_t *error = json_object_get(answer, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));

    if (!c->access_key)
        found(d, FINDING_FAIL, "credentials",
              "the server has credentials, and there are none here: export AWS_ACCESS_KEY_ID "
              "and AWS_SECRET_ACCESS_KEY");
    else if (code && strcmp(code, "AccessDenied") == 0)
        found(d, FINDING_WARN, "credentials",
              "the server knows the key %s (%s), which may not administer it", c->access_key,
              c->key_source);
    else
        found(d, FINDING_FAIL, "credentials", "the key %s (%s) is refused: %s (%s)",
              c->access_key, c->key_source, message ? message : "?", code ? code : "?");
}

static void check_credentials(struct doctor *d, const json_t *health)
{
    AUTO_TARGET(t, "branches/main");
    const struct ctl *c = d->c;
    struct ctl_probe probe;
    bool needed = json_is_true(json_object_get(health, "authentication"));

    ctl_probe_with(d->c, &t, NULL, &probe);
    if (probe.status >= 400 && probe.status != 404)
        check_refused_key(d, probe.answer);
    else if (!c->access_key)
        found(d, FINDING_WARN, "credentials",
              "the server takes any, but SDKs sign with none: export AWS_ACCESS_KEY_ID=test "
              "AWS_SECRET_ACCESS_KEY=test");
    else
        found(d, FINDING_OK, "credentials", "signed with the key %s (%s), %s", c->access_key,
              c->key_source,
              needed ? "which the server knows" : "of which the server takes any");
    json_decref(probe.answer);
}

static void check_branch(struct doctor *d)
{
    const struct ctl *c = d->c;
    bool given = c->branch;
    AUTO_TARGET(t, "branches");
    json_t *answer;

    if (!given) {
        ctl_choose_branch(d->c);
        found(d, FINDING_OK, "branch", "%s serves requests signed so", ctl_branch_name(c));
        return;
    }
    ctl_target_part(&t, c->branch);
    if (ctl_probe(d->c, &t, &answer) == 404)
        found(d, FINDING_FAIL, "branch", "there is no branch %s", c->branch);
    else
        found(d, FINDING_OK, "branch", "%s", c->branch);
    json_decref(answer);
}

/* ---- host, proxies ----------------------------------------------------------------- */

static bool is_address(const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;

    if (host[0] == '[')
        return true;
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

static void check_names(struct doctor *d)
{
    AUTO_BUF(name, KiB(2));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

    if (is_address(d->host)) {
        found(d, FINDING_OK, "names", "buckets stand in paths, as %s is an address", d->host);
        return;
    }
    buf_addf(&name, "bucket.%s%c", d->host, '\0');
    if (buf_ok(&name) && getaddrinfo(name.ptr, NULL, &hints, &list) == 0) {
        freeaddrinfo(list);
        found(d, FINDING_OK, "names", "BUCKET.%s has an address", d->host);
        return;
    }
    found(d, FINDING_WARN, "names",
          "BUCKET.%s has no address: clients must be told to use path style, or the endpoint "
          "be an address",
          d->host);
}

static void check_host(struct doctor *d)
{
    AUTO_TARGET(t, "health");
    struct ctl_probe probe;

    /* What the browser says of a page of the server's own. */
    ctl_probe_with(d->c, &t, "Sec-Fetch-Site: same-origin", &probe);
    if (probe.status == 403)
        found(d, FINDING_WARN, "host",
              "browsers are refused under the name %s: s3memd --allow-host %s", d->host,
              d->host);
    else
        found(d, FINDING_OK, "host", "browsers may use it under the name %s", d->host);
    json_decref(probe.answer);
}

/* Is the host, or a domain above it, in the list? Source: libcurl's manual, NO_PROXY. */
static bool without_proxy(const char *host)
{
    const char *list = variable("no_proxy") ? variable("no_proxy") : variable("NO_PROXY");
    struct str rest = str_c(list ? list : ""), name, ours = str_c(host);

    while (list && str_split(&rest, ',', &name)) {
        name = str_trim(name);
        if (name.len > 0 && name.ptr[0] == '.')
            name = str_from(name, 1);
        if (str_eq(name, STR("*")) || str_eq_nocase(name, ours))
            return true;
        if (name.len > 0 && ours.len > name.len && ours.ptr[ours.len - name.len - 1] == '.' &&
            str_eq_nocase(str_from(ours, ours.len - name.len), name))
            return true;
    }
    return false;
}

static void check_proxies(struct doctor *d)
{
    static const char *const plain[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *const secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                         "ALL_PROXY"};
    bool tls = str_has_prefix_nocase(str_c(d->c->endpoint), STR("https://"));

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        const char *name = tls ? secure[i] : plain[i];

        if (!variable(name))
            continue;
        if (without_proxy(d->host))
            found(d, FINDING_OK, "proxy", "%s is set, and NO_PROXY spares %s", name, d->host);
        else
            found(d, FINDING_WARN, "proxy",
                  "%s sends requests of SDKs to %s (s3memctl uses no proxy): export "
                  "NO_PROXY=%s",
                  name, variable(name), d->host);
        return;
    }
    found(d, FINDING_OK, "proxy", "none");
}

/* ---- all of them ------------------------------------------------------------------- */

static char *host_of(const char *endpoint)
{
    CURLU *url = curl_url();
    char *host = NULL;

    if (curl_url_set(url, CURLUPART_URL, endpoint, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        host = NULL;
    curl_url_cleanup(url);
    return host;
}

enum ctl_exit cmd_doctor(struct ctl *c)
{
    struct doctor d = {.c = c,
                       .findings = json_array(),
                       .on_socket = str_has_prefix(str_c(c->endpoint), STR("http+unix:"))};
    struct ctl_probe health = {.status = 0};

    d.host = d.on_socket ? NULL : host_of(c->endpoint);
    check_endpoint(&d);
    if (d.host)
        check_proxies(&d);
    if (check_server(&d, &health)) {
        check_region(&d, health.answer);
        check_clock(&d, health.date_s);
        check_credentials(&d, health.answer);
        check_branch(&d);
        if (d.host) {
            check_host(&d);
            check_names(&d);
        }
    }
    json_decref(health.answer);
    curl_free(d.host);
    if (c->json)
        ctl_print_json(c, json_incref(d.findings));
    json_decref(d.findings);
    return d.failed ? CTL_REFUSED : CTL_DONE;
}
