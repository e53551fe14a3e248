/* SPDX-License-Identifier: MIT */
/* admin_endpoints_test.c - the endpoints' answers, and who may not have them. The application
 * is called as the front end would. */
#include "admin/admin.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct store *store;
static struct admin *admin;
static struct init_record *init;
static enum s3_err verdict; /* of authorise */
static int asked;

static enum s3_err authorise(void *arg, const struct request *req, struct buf *message)
{
    (void)arg;
    (void)req;
    (void)message;
    asked++;
    return verdict;
}

static void begin_with(enum s3_err (*callback)(void *, const struct request *, struct buf *))
{
    static const struct str hosts[] = {STR("s3.test"), STR("192.0.2.7")};

    store = store_new(&(struct store_options){0});
    init = init_record_new();
    admin = admin_new(
        &(struct admin_options){.store = store,
                                .init = init,
                                .version = "1.2.3",
                                .region = STR("eu-west-1"),
                                .guard = {.hosts = hosts, .host_count = ARRAY_LEN(hosts)},
                                .authorise = callback});
    asked = 0;
}

static int start(void **state)
{
    (void)state;
    begin_with(NULL);
    return 0;
}

static int start_with_credentials(void **state)
{
    (void)state;
    begin_with(authorise);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_free(admin);
    init_record_free(init);
    store_free(store);
    return 0;
}

/* ---- asking ------------------------------------------------------------------------ */

static char body[4096];
static char allow[64];

/* Headers are "Name: value" pairs given as alternating strings, ended by NULL. */
static unsigned ask(const char *method, const char *path, const char *document,
                    const char *const *names_and_values)
{
    struct app app = admin_app(admin);
    struct header headers[8];
    struct request req = {.method = str_c(method),
                          .target = str_c(path),
                          .path = str_c(path),
                          .host = STR("localhost:4566"),
                          .headers = headers,
                          .content_length = strlen(document)};
    struct reply *reply;
    unsigned status;
    void *call;

    for (; *names_and_values; names_and_values += 2) {
        headers[req.header_count++] =
            (struct header){str_c(names_and_values[0]), str_c(names_and_values[1])};
        if (str_eq_nocase(str_c(names_and_values[0]), STR("host")))
            req.host = str_c(names_and_values[1]);
    }
    if (app.begin(app.arg, &req, &call) == APP_WANT_BODY &&
        (!document[0] || app.body(call, document, strlen(document)) == APP_WANT_BODY))
        app.finish(call);
    reply = app.reply(call);
    status = reply->status;
    snprintf(body, sizeof(body), "%.*s", (int)reply->text.len, reply->text.ptr);
    allow[0] = '\0';
    for (size_t i = 0; i < reply->line_count; i++) {
        if (strcmp(reply->lines[i].name, "Allow") == 0)
            snprintf(allow, sizeof(allow), "%s", reply->lines[i].value);
    }
    app.done(call, reply->text.len, false);
    return status;
}

#define HEADERS(...)   ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define GET(path, ...) ask("GET", path, "", HEADERS(__VA_ARGS__))

static void test_not_ready(void **state)
{
    (void)state;
    assert_int_equal(GET("/_s3mem/health"), 503);
    assert_int_equal(GET("/_localstack/health"), 503);
    assert_string_equal(body, "{\"services\":{\"s3\":\"starting\"},\"edition\":\"community\","
                              "\"version\":\"1.2.3\"}");
    assert_int_equal(GET("/minio/health/ready"), 503);
    assert_int_equal(GET("/minio/health/live"), 200);
    GET("/_localstack/init/ready");
    assert_string_equal(body, "{\"completed\":false,\"scripts\":[]}");
}

static void test_ready(void **state)
{
    (void)state;
    admin_set_ready(admin);
    assert_int_equal(GET("/_s3mem/health"), 200);
    assert_string_equal(body, "{\"status\":\"ready\",\"version\":\"1.2.3\","
                              "\"region\":\"eu-west-1\",\"authentication\":false}");
    assert_int_equal(ask("HEAD", "/_localstack/health", "", HEADERS()), 200);
    assert_string_equal(body, "{\"services\":{\"s3\":\"running\"},\"edition\":\"community\","
                              "\"version\":\"1.2.3\"}");
    assert_int_equal(GET("/minio/health/ready"), 200);
    assert_string_equal(body, "");
    assert_int_equal(GET("/_localstack/info"), 200);
    assert_non_null(strstr(body, "\"edition\":\"community\""));
}

/* In LocalStack's shapes, and in the order in which they were found. */
static void test_init_scripts(void **state)
{
    size_t boot = init_record_add(init, INIT_BOOT, "00.sh");
    size_t first = init_record_add(init, INIT_READY, "01.sh");
    size_t second = init_record_add(init, INIT_READY, "b\xffz\n.sh");

    (void)state;
    init_record_set(init, boot, INIT_SUCCESSFUL);
    init_record_complete(init, INIT_BOOT);
    init_record_complete(init, INIT_START);
    init_record_set(init, first, INIT_RUNNING);
    GET("/_localstack/init");
    assert_string_equal(
        body,
        "{\"completed\":{\"BOOT\":true,\"START\":true,\"READY\":false,"
        "\"SHUTDOWN\":false},\"scripts\":["
        "{\"stage\":\"BOOT\",\"name\":\"00.sh\",\"state\":\"SUCCESSFUL\"},"
        "{\"stage\":\"READY\",\"name\":\"01.sh\",\"state\":\"RUNNING\"},"
        "{\"stage\":\"READY\",\"name\":\"b\xef\xbf\xbdz\\n.sh\",\"state\":\"UNKNOWN\"}]}");
    init_record_set(init, first, INIT_ERROR);
    init_record_set(init, second, INIT_SUCCESSFUL);
    admin_set_ready(admin);
    GET("/_localstack/init/READY");
    assert_string_equal(
        body,
        "{\"completed\":true,\"scripts\":["
        "{\"stage\":\"READY\",\"name\":\"01.sh\",\"state\":\"ERROR\"},"
        "{\"stage\":\"READY\",\"name\":\"b\xef\xbf\xbdz\\n.sh\",\"state\":\"SUCCESSFUL\"}]}");
    GET("/_localstack/init/start");
    assert_string_equal(body, "{\"completed\":true,\"scripts\":[]}");
    GET("/_localstack/init/shutdown");
    assert_string_equal(body, "{\"completed\":false,\"scripts\":[]}");
    init_record_complete(init, INIT_SHUTDOWN);
    GET("/_localstack/init/shutdown");
    assert_string_equal(body, "{\"completed\":true,\"scripts\":[]}");
    assert_int_equal(GET("/_localstack/init/never"), 404);
}

static void fill(void)
{
    AUTO(branch) b = store_branch(store, STR("main"));

    assert_int_equal(bucket_create(b, &(struct bucket_spec){.name = STR("full"),
                                                            .region = STR("us-east-1"),
                                                            .owner = STR("o")}),
                     S3_OK);
}

static bool is_empty(void)
{
    AUTO(branch) b = store_branch(store, STR("main"));
    struct bucket_info info;

    if (bucket_get(b, STR("full"), &info) == S3_NO_SUCH_BUCKET)
        return true;
    bucket_info_release(&info);
    return false;
}

static void test_reset(void **state)
{
    (void)state;
    fill();
    assert_false(is_empty());
    assert_int_equal(ask("POST", "/_localstack/state/reset", "", HEADERS()), 200);
    assert_true(is_empty());
    fill();
    assert_int_equal(ask("POST", "/_localstack/health", "{\"action\":\"restart\"}", HEADERS()),
                     200);
    assert_true(is_empty());
}

static void test_bad_commands(void **state)
{
    static const char *const commands[] = {"", "{", "[]", "{\"action\":5}",
                                           "{\"action\":\"explode\"}"};

    (void)state;
    fill();
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        assert_int_equal(ask("POST", "/_localstack/health", commands[i], HEADERS()), 400);
        assert_non_null(strstr(body, "{\"error\":{\"code\":\"InvalidAction\",\"message\":"));
    }
    assert_false(is_empty());
}

static void test_document_too_large(void **state)
{
    char *large = xcalloc(1, KiB(64) + 2);

    (void)state;
    memset(large, ' ', KiB(64) + 1);
    assert_int_equal(ask("POST", "/_localstack/health", large, HEADERS()), 413);
    mem_free(large);
}

static void test_routing(void **state)
{
    (void)state;
    assert_int_equal(GET("/_localstack/"), 404);
    assert_string_equal(body, "{\"error\":{\"code\":\"NotFound\",\"message\":"
                              "\"no such endpoint\"}}");
    assert_int_equal(GET("/_localstack/init/"), 404);
    assert_int_equal(GET("/_localstack/init/ready/x"), 404);
    assert_int_equal(ask("DELETE", "/_localstack/health", "", HEADERS()), 405);
    assert_string_equal(allow, "GET, HEAD, POST");
    assert_int_equal(GET("/_localstack/state/reset"), 405);
    assert_string_equal(allow, "POST");
}

/* ---- who may not ------------------------------------------------------------------- */

static void test_foreign_pages(void **state)
{
    (void)state;
    admin_set_ready(admin);
    assert_int_equal(GET("/_s3mem/health", "Sec-Fetch-Site", "cross-site"), 403);
    assert_int_equal(GET("/_s3mem/health", "Origin", "http://evil.example"), 403);
    assert_int_equal(GET("/_s3mem/health", "Origin", "null"), 403);
    assert_int_equal(GET("/_s3mem/health", "Origin", "http://localhost:3000"), 200);
    assert_int_equal(GET("/_s3mem/health", "Origin", "http://localhost:4566"), 200);
    assert_int_equal(GET("/_s3mem/health", "Sec-Fetch-Site", "none"), 200);
    fill();
    assert_int_equal(
        ask("POST", "/_localstack/state/reset", "", HEADERS("Origin", "http://evil.example")),
        403);
    assert_false(is_empty());
}

/* DNS rebinding: the page's own name, pointed at us. */
static void test_foreign_host_names(void **state)
{
    (void)state;
    admin_set_ready(admin);
    assert_int_equal(
        GET("/_s3mem/health", "Host", "evil.example:4566", "User-Agent", "Mozilla/5.0"), 403);
    assert_int_equal(GET("/_s3mem/health", "Host", "evil.example:4566", "Origin",
                         "http://evil.example:4566"),
                     403);
    assert_int_equal(
        GET("/_s3mem/health", "Host", "127.0.0.1.evil.example", "User-Agent", "Mozilla/5.0"),
        403);
    assert_int_equal(GET("/_s3mem/health", "Host", "s3.test:4566", "User-Agent", "Mozilla/5.0"),
                     200);
    assert_int_equal(GET("/_s3mem/health", "Host", "192.0.2.7:80", "User-Agent", "Mozilla/5.0"),
                     200);
    assert_int_equal(GET("/_s3mem/health", "Host", "[::1]:4566", "User-Agent", "Mozilla/5.0"),
                     200);
    assert_int_equal(GET("/_s3mem/health", "Host", "127.8.9.1", "User-Agent", "Mozilla/5.0"),
                     200);
    /* Programs may use any name: containers do. Node's fetch sends these two. */
    assert_int_equal(GET("/_s3mem/health", "Host", "s3memd:4566"), 200);
    assert_int_equal(GET("/_s3mem/health", "Host", "s3memd:4566", "Sec-Fetch-Mode", "cors",
                         "Accept-Language", "*"),
                     200);
}

static void test_changes_need_a_signature(void **state)
{
    (void)state;
    admin_set_ready(admin);
    fill();
    verdict = S3_ACCESS_DENIED;
    assert_int_equal(GET("/_localstack/health"), 200);
    assert_int_equal(asked, 0);
    assert_int_equal(ask("POST", "/_localstack/state/reset", "", HEADERS()), 403);
    assert_non_null(strstr(body, "\"code\":\"AccessDenied\""));
    assert_false(is_empty());
    verdict = S3_OK;
    /* Signed, but for another body. */
    assert_int_equal(
        ask("POST", "/_localstack/health", "{\"action\":\"restart\"}",
            HEADERS("x-amz-content-sha256",
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        400);
    assert_false(is_empty());
    assert_int_equal(
        ask("POST", "/_localstack/state/reset", "",
            HEADERS("x-amz-content-sha256",
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        200);
    assert_true(is_empty());
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_not_ready),
        CASE(test_ready),
        CASE(test_init_scripts),
        CASE(test_reset),
        CASE(test_bad_commands),
        CASE(test_document_too_large),
        CASE(test_routing),
        CASE(test_foreign_pages),
        CASE(test_foreign_host_names),
        cmocka_unit_test_setup_teardown(test_changes_need_a_signature, start_with_credentials,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
