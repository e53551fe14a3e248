/* SPDX-License-Identifier: MIT */
/* The guard's decisions as a table: what a browser's headers say, and what they may do; names
 * and origins; the headers of replies. Sources: Fetch standard, W3C Fetch Metadata. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/app.h"

#define HEADERS_MAX 8
#define AGENT       "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0\n"
/* As Chromium sends them to a host that it trusts (loopback), and to another one. */
#define BROWSER AGENT "Accept-Language: en-US,en;q=0.9\n"
#define EVIL    "Origin: https://evil.example\n"
#define OPENS   "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: document\n"
#define FRAMES  "Sec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe\n"
#define IMAGE   "Sec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image\n"
#define CROSS   "Sec-Fetch-Site: cross-site\n"

struct asked {
    struct header headers[HEADERS_MAX];
    struct request req;
};

/* "Name: value\n" lines to a request. */
static void make_request(struct asked *a, const char *method, const char *host,
                         const char *lines)
{
    struct str rest = str_c(lines), line;
    size_t count = 0;

    while (str_split(&rest, '\n', &line)) {
        size_t colon = str_find_char(line, ':');

        if (line.len == 0)
            continue;
        assert_true(count < HEADERS_MAX && colon != SIZE_MAX);
        a->headers[count++] =
            (struct header){str_of(line.ptr, colon), str_trim(str_from(line, colon + 1))};
    }
    a->req = (struct request){.method = str_c(method),
                              .target = STR("/bucket/key"),
                              .path = STR("/bucket/key"),
                              .host = str_c(host),
                              .headers = a->headers,
                              .header_count = count};
}

static struct str hosts[] = {{"s3.example.com", 14}};
static struct str origins[] = {{"https://app.example.com", 23}, {"chrome-extension://abc", 22}};
static const struct guard plain = {.hosts = hosts, .host_count = 1};
static const struct guard allowing = {
    .hosts = hosts, .host_count = 1, .origins = origins, .origin_count = ARRAY_LEN(origins)};
static struct str null_origin[] = {{"null", 4}};
static const struct guard nulls = {.origins = null_origin, .origin_count = 1};
static const struct guard any = {.any_origin = true};

enum { ALL = GUARD_ANYTHING, ONE = GUARD_ONE_OBJECT, NO = GUARD_NOTHING };

struct row {
    const struct guard *guard;
    const char *host, *headers;
    unsigned may;
    enum guard_asker asker;
};

static const struct row rows[] = {
    /* Programs, by any name: curl, boto3, node (undici), Deno. */
    {&plain, "evil.example", "", ALL, GUARD_PROGRAM},
    {&plain, "evil.example", "User-Agent: Boto3/1.44.5\nAccept-Encoding: identity\n", ALL,
     GUARD_PROGRAM},
    {&plain, "evil.example",
     "Accept-Language: *\nAccept-Encoding: gzip, deflate\nSec-Fetch-Mode: cors\n"
     "User-Agent: node\n",
     ALL, GUARD_PROGRAM},
    {&plain, "evil.example",
     "Accept-Language: *\nAccept-Encoding: gzip,br\nUser-Agent: Deno/2.1.4\n", ALL,
     GUARD_PROGRAM},
    {&plain, "evil.example", "User-Agent: requests/2\nAccept-Encoding: gzip, deflate\n", ALL,
     GUARD_PROGRAM},
    /* Apps on Apple's libraries send what Safari does: they are asked for the host. */
    {&plain, "192.0.2.7",
     "Accept-Language: en-US\nAccept-Encoding: gzip, deflate\nUser-Agent: App/1 CFNetwork\n",
     ALL, GUARD_HOME},
    {&plain, "localhost",
     "Accept-Language: en-US\nAccept-Encoding: gzip, deflate\nReferer: http://x.example/\n",
     ALL, GUARD_HOME},
    {&plain, "localhost", "Referer: https://evil.example/\nUser-Agent: curl/8\n", ALL,
     GUARD_PROGRAM},

    /* Tools under a browser's name: Cypress, Playwright, PowerShell. */
    {&plain, "localhost:4566", AGENT, ALL, GUARD_HOME},
    {&plain, "s3memd:4566", AGENT, ALL, GUARD_HOME},
    {&plain, "evil.example", AGENT, NO, GUARD_FOREIGN_HOST},

    /* Hosts. */
    {&plain, "localhost:4566", BROWSER "Sec-Fetch-Site: none\n" OPENS, ALL, GUARD_HOME},
    {&plain, "127.0.0.1:4566", BROWSER "Sec-Fetch-Site: none\n" OPENS, ALL, GUARD_HOME},
    {&plain, "[::1]:4566", BROWSER "Sec-Fetch-Site: none\n" OPENS, ALL, GUARD_HOME},
    {&plain, "192.0.2.7", BROWSER, ONE, GUARD_SILENT},
    {&plain, "[2001:db8::7]:80", BROWSER, ONE, GUARD_SILENT},
    {&plain, "s3memd:4566", BROWSER, ONE, GUARD_SILENT},
    {&plain, "bucket.localhost:4566", BROWSER, ONE, GUARD_SILENT},
    {&plain, "LOCALHOST.", BROWSER, ONE, GUARD_SILENT},
    {&plain, "s3.test", BROWSER, ONE, GUARD_SILENT},
    {&plain, "host.docker.internal:4566", BROWSER, ONE, GUARD_SILENT},
    {&plain, "machine.local", BROWSER, ONE, GUARD_SILENT},
    {&plain, "s3.default.svc.cluster.local", BROWSER, ONE, GUARD_SILENT},
    {&plain, "s3.example.com", BROWSER, ONE, GUARD_SILENT},
    {&plain, "bucket.S3.example.com:80", BROWSER, ONE, GUARD_SILENT},
    {&plain, "example.com", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "evils3.example.com", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "evil.example:4566", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "ai.", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, ":4566", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "127.0.0.1.evil.example", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "1.2.3.4.5", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "1.2.3.256", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "[::1].evil.example", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "[evil.example]", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "localhost.evil.example", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&plain, "notlocalhost.example", BROWSER, NO, GUARD_FOREIGN_HOST},
    {&any, "evil.example", BROWSER, NO, GUARD_FOREIGN_HOST},
    /* A rebound page is same-origin to its browser, and says so; it may have put a User-Agent
     * of its own in the browser's place. */
    {&plain, "evil.example", BROWSER "Sec-Fetch-Site: same-origin\n", NO, GUARD_FOREIGN_HOST},
    {&plain, "evil.example", "User-Agent: curl/8\nOrigin: http://evil.example\n", NO,
     GUARD_FOREIGN_HOST},
    {&plain, "evil.example",
     "User-Agent: curl/8\nAccept-Language: \nAccept-Encoding: gzip, deflate\n", NO,
     GUARD_FOREIGN_HOST},
    {&plain, "evil.example",
     "User-Agent: \nAccept-Language: *\nAccept-Encoding: gzip, deflate\n", NO,
     GUARD_FOREIGN_HOST},

    /* Origin: the first to be asked. */
    {&plain, "localhost:4566", BROWSER EVIL, NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", EVIL, NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER EVIL "Sec-Fetch-Site: same-site\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER EVIL "Referer: http://localhost/\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: null\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: null\nSec-Fetch-Site: same-origin\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: \n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: localhost\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: file://\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: app://localhost\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: http://localhost.evil.example\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: http://127.0.0.1.evil.example\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: http://192.0.2.7\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Origin: http://wiki\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER CROSS "Origin: http://localhost:3000\n", ALL,
     GUARD_HOME},
    {&plain, "localhost:4566", BROWSER "Origin: https://localhost\n", ALL, GUARD_HOME},
    {&plain, "127.0.0.1:4566", BROWSER "Origin: http://app.localhost:3000\n", ALL, GUARD_HOME},
    {&plain, "localhost:4566", BROWSER "Origin: http://127.8.9.1:80\n", ALL, GUARD_HOME},
    {&plain, "localhost:4566", BROWSER "Origin: http://[::1]:8080\n", ALL, GUARD_HOME},
    {&plain, "s3memd:4566", BROWSER "Origin: http://s3memd:4566\n", ALL, GUARD_HOME},
    {&plain, "s3memd:4566", BROWSER "Origin: http://s3memd:8080\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "192.0.2.7:4566", BROWSER "Origin: http://192.0.2.7:4566\n", ALL, GUARD_HOME},
    /* Behind a front that speaks TLS. */
    {&plain, "s3.example.com", BROWSER "Origin: https://s3.example.com\n", ALL, GUARD_HOME},
    {&plain, "localhost:4566", BROWSER "Origin: https://app.example.com\n", NO,
     GUARD_FOREIGN_PAGE},
    {&allowing, "localhost:4566", BROWSER "Origin: https://app.example.com\n", ALL, GUARD_HOME},
    {&allowing, "localhost:4566", BROWSER "Origin: http://app.example.com\n", NO,
     GUARD_FOREIGN_PAGE},
    {&allowing, "localhost:4566", BROWSER "Origin: https://app.example.com:8443\n", NO,
     GUARD_FOREIGN_PAGE},
    {&allowing, "localhost:4566", BROWSER "Origin: chrome-extension://abc\n", ALL, GUARD_HOME},
    {&allowing, "localhost:4566", BROWSER "Origin: null\n", NO, GUARD_FOREIGN_PAGE},
    {&allowing, "evil.example", BROWSER "Origin: https://app.example.com\n", NO,
     GUARD_FOREIGN_HOST},
    {&nulls, "localhost:4566", BROWSER "Origin: null\n", ALL, GUARD_HOME},
    {&nulls, "localhost:4566", BROWSER EVIL, NO, GUARD_FOREIGN_PAGE},
    {&any, "localhost:4566", BROWSER EVIL, ALL, GUARD_HOME},
    {&any, "localhost:4566", BROWSER "Origin: null\n", ALL, GUARD_HOME},
    {&any, "localhost:4566", BROWSER CROSS IMAGE, ALL, GUARD_HOME},
    {&any, "s3memd:4566", BROWSER, ALL, GUARD_HOME},

    /* No Origin: images, scripts, links. Sec-Fetch-Site. */
    {&plain, "localhost:4566", BROWSER "Sec-Fetch-Site: same-origin\n", ALL, GUARD_HOME},
    {&plain, "localhost:4566", BROWSER "Sec-Fetch-Site: same-site\n" IMAGE, ALL, GUARD_HOME},
    {&plain, "localhost:4566", BROWSER CROSS IMAGE, NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", AGENT CROSS IMAGE, NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER "Sec-Fetch-Site: of-tomorrow\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER CROSS IMAGE "Referer: https://evil.example/\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "127.0.0.1:4566", BROWSER CROSS IMAGE "Referer: http://localhost:3000/\n", ONE,
     GUARD_SILENT},
    {&allowing, "127.0.0.1:4566", BROWSER CROSS IMAGE "Referer: https://app.example.com/x\n",
     ONE, GUARD_SILENT},
    {&plain, "localhost:4566", BROWSER CROSS OPENS, ONE, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER CROSS FRAMES, NO, GUARD_FOREIGN_PAGE},
    {&plain, "localhost:4566", BROWSER CROSS "Sec-Fetch-Mode: navigate\n", NO,
     GUARD_FOREIGN_PAGE},

    /* Nor that: to a host that the browser does not trust. Referer. */
    {&plain, "s3memd:4566", BROWSER "Referer: http://s3memd:4566/b/k\n", ALL, GUARD_HOME},
    {&plain, "s3memd:4566", BROWSER "Referer: http://localhost:3000/\n", ALL, GUARD_HOME},
    {&plain, "s3memd:4566", BROWSER "Referer: http://evil.example/\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "s3memd:4566", BROWSER "Referer: http://localhost@evil.example/\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "s3memd:4566", BROWSER "Referer: http://evil.example?http://localhost/\n", NO,
     GUARD_FOREIGN_PAGE},
    {&plain, "s3memd:4566", BROWSER "Referer: nonsense\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "s3memd:4566", AGENT "Referer: http://evil.example/\n", NO, GUARD_FOREIGN_PAGE},
    {&plain, "s3memd:4566",
     BROWSER "Referer: http://evil.example/\nUpgrade-Insecure-Requests: 1\n", ONE,
     GUARD_FOREIGN_PAGE},
    {&plain, "s3memd:4566", AGENT "Referer: http://s3memd:4566/\n", ALL, GUARD_HOME},
};

static void test_decisions(void **state)
{
    struct asked a;
    struct guard_view view;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];

        make_request(&a, "GET", r->host, r->headers);
        guard_look(&view, r->guard, &a.req);
        if (view.may != r->may || view.asker != r->asker)
            fail_msg("row %zu, host '%s': may %d, asker %d\n%s", i, r->host, view.may,
                     view.asker, r->headers);
        /* May it read an object; may it change something, list, administer? */
        assert_int_equal(guard_refuses(&view, true), r->may == NO);
        assert_int_equal(guard_refuses(&view, false), r->may != ALL);
    }
}

static void explains(const char *host, const char *headers, const char *wanted)
{
    struct asked a;
    struct guard_view view;
    AUTO_BUF(why, 1024);

    make_request(&a, "GET", host, headers);
    guard_look(&view, &plain, &a.req);
    guard_explain(&view, &why);
    buf_add_char(&why, '\0');
    assert_true(buf_ok(&why));
    if (!strstr(why.ptr, wanted))
        fail_msg("'%s' is not in '%s'", wanted, why.ptr);
}

static void test_reasons_name_the_option(void **state)
{
    (void)state;
    explains("evil.example:80", BROWSER, "--allow-host=evil.example allows");
    explains("localhost", BROWSER EVIL, "--cors-allow-origin=https://evil.example allows");
    explains("localhost", BROWSER "Origin: null\n", "--cors-allow-origin=null allows");
    explains("localhost", BROWSER CROSS "Referer: http://a.example/page?secret\n",
             "--cors-allow-origin=http://a.example allows");
    explains("localhost", BROWSER CROSS, "--cors-allow-origin with the page's origin");
    explains("s3memd", BROWSER, "--cors-allow-origin=* allows");
    /* Nothing that a log or a terminal would take for more than text. */
    explains("localhost", "Origin: \x1b[31m\xc2\x9b\n", "Pages of ?[31m?? may");
}

/* ---- replies ----------------------------------------------------------------------- */

static const char *line_of(const struct reply *r, const char *name)
{
    for (size_t i = 0; i < r->line_count; i++) {
        if (strcmp(r->lines[i].name, name) == 0)
            return r->lines[i].value;
    }
    return NULL;
}

/* Which of "nosniff", "sandbox" the reply of this type gets. */
static void keeps(const struct guard *guard, const char *headers, const char *type,
                  bool nosniff, bool sandbox)
{
    struct asked a;
    struct guard_view view;
    struct reply reply;

    make_request(&a, "GET", "localhost", headers);
    guard_look(&view, guard, &a.req);
    reply_init(&reply);
    if (type)
        reply_kept_header(&reply, "Content-Type", type);
    guard_reply(guard, &view, &reply);
    if (!line_of(&reply, "X-Content-Type-Options") == nosniff ||
        !line_of(&reply, "Content-Security-Policy") == sandbox)
        fail_msg("%s to %s", type ? type : "no type", headers);
    reply_release(&reply);
}

static void test_objects_run_no_scripts(void **state)
{
    static const char *const pages[] = {NULL,
                                        "text/html",
                                        "TEXT/HTML; charset=utf-8",
                                        "application/xhtml+xml",
                                        "text/xml",
                                        "application/xml",
                                        "image/svg+xml",
                                        "image/svg+xml; charset=utf-8",
                                        "image/x+xml",
                                        "application/pdf+xml",
                                        "image/png, text/html",
                                        "application/pdfx",
                                        "text/plain",
                                        "binary/octet-stream",
                                        "multipart/x-mixed-replace",
                                        "",
                                        "x",
                                        "text/xsl"};
    static const char *const media[] = {"image/png",       "IMAGE/JPEG",
                                        "video/mp4",       "audio/mpeg; codecs=mp3",
                                        "application/pdf", "application/pdf ;x=y"};
    static const struct guard scripts = {.page_scripts = true};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        keeps(&plain, BROWSER, pages[i], true, true);
        keeps(&plain, BROWSER CROSS OPENS, pages[i], true, true);
        keeps(&plain, BROWSER CROSS FRAMES, pages[i], true, true);
        keeps(&plain, BROWSER "Sec-Fetch-Site: same-site\n" IMAGE, pages[i], false, false);
        keeps(&plain, "User-Agent: aws-cli/2\n", pages[i], false, false);
        keeps(&scripts, BROWSER, pages[i], false, false);
    }
    for (size_t i = 0; i < ARRAY_LEN(media); i++)
        keeps(&plain, BROWSER, media[i], true, false);
}

static void test_cors_headers(void **state)
{
    struct asked a;
    struct guard_view view;
    struct reply reply;

    (void)state;
    make_request(&a, "OPTIONS", "localhost:4566",
                 BROWSER "Origin: http://localhost:3000\nAccess-Control-Request-Method: PUT\n"
                         "Access-Control-Request-Headers: authorization, x-amz-date\n"
                         "Access-Control-Request-Private-Network: true\n");
    guard_look(&view, &plain, &a.req);
    assert_true(guard_is_preflight(&view, &a.req));
    reply_init(&reply);
    guard_preflight_reply(&a.req, &reply);
    guard_reply(&plain, &view, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(line_of(&reply, "Access-Control-Allow-Origin"),
                        "http://localhost:3000");
    assert_string_equal(line_of(&reply, "Access-Control-Allow-Headers"),
                        "authorization, x-amz-date");
    assert_non_null(strstr(line_of(&reply, "Access-Control-Allow-Methods"), "DELETE"));
    assert_non_null(strstr(line_of(&reply, "Access-Control-Expose-Headers"), "ETag"));
    assert_non_null(strstr(line_of(&reply, "Vary"), "Origin"));
    assert_string_equal(line_of(&reply, "Access-Control-Allow-Private-Network"), "true");
    reply_release(&reply);

    make_request(&a, "OPTIONS", "localhost:4566",
                 BROWSER EVIL "Access-Control-Request-Method: PUT\n");
    guard_look(&view, &plain, &a.req);
    assert_false(guard_is_preflight(&view, &a.req));
    reply_init(&reply);
    guard_reply(&plain, &view, &reply);
    assert_null(line_of(&reply, "Access-Control-Allow-Origin"));
    reply_release(&reply);
}

/* ---- options ----------------------------------------------------------------------- */

static void test_options(void **state)
{
    static const char *const origins_ok[] = {"http://localhost:3000",
                                             "https://app.example.com",
                                             "https://app.example.com:8443",
                                             "http://[::1]:8080",
                                             "null",
                                             "file://",
                                             "chrome-extension://abcdef",
                                             "HTTPS://App.example.com",
                                             "http://192.0.2.7"};
    static const char *const origins_bad[] = {"",
                                              "app.example.com",
                                              "https://",
                                              "https://app.example.com/",
                                              "https://a.example/x",
                                              "https://a.example?x",
                                              "https://*.example.com",
                                              "https://a b",
                                              "http://a.example:80",
                                              "https://a.example:443",
                                              "https://a.example:0",
                                              "https://a.example:65536",
                                              "https://a.example:",
                                              "https://a..example",
                                              "://a",
                                              "1http://a",
                                              "https://\xc3\xa4.example",
                                              "https://a.example,https://b.example",
                                              "http://[x]",
                                              "https://user@a.example"};
    static const char *const hosts_ok[] = {"s3", "s3.example.com", "S3_a.example-b.com"};
    static const char *const hosts_bad[] = {"",         ".",   "a..b", ".a",  "a.",      "a:80",
                                            "http://a", "a/b", "*",    "*.a", "\xc3\xa4"};
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(origins_ok); i++)
        assert_true(guard_origin_ok(str_c(origins_ok[i]), &why));
    for (size_t i = 0; i < ARRAY_LEN(origins_bad); i++) {
        if (guard_origin_ok(str_c(origins_bad[i]), &why))
            fail_msg("'%s' was taken", origins_bad[i]);
        assert_true(strlen(why) > 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(hosts_ok); i++)
        assert_true(guard_host_ok(str_c(hosts_ok[i])));
    for (size_t i = 0; i < ARRAY_LEN(hosts_bad); i++) {
        if (guard_host_ok(str_c(hosts_bad[i])))
            fail_msg("'%s' was taken", hosts_bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_reasons_name_the_option),
        cmocka_unit_test(test_objects_run_no_scripts),
        cmocka_unit_test(test_cors_headers),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
