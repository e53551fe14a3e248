/* SPDX-License-Identifier: MIT */
/* config_settings_test.c - precedence, values, errors and the texts made of settings.def. */
#include "config/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings s;
static char message[16384];

/* Loads with up to eight arguments and environment variables each (NULL-terminated lists). */
static enum settings_result load(const char *const *args, const char *const *env)
{
    const char *argv[10] = {"s3memd"};
    AUTO_BUF(text, sizeof(message) - 1);
    enum settings_result result;
    int argc = 1;

    for (; *args; args++)
        argv[argc++] = *args;
    result = settings_load(&s, argc, argv, env, &text);
    snprintf(message, sizeof(message), "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    return result;
}

#define LIST(...)       ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define LOAD(args, env) assert_int_equal(load(args, env), SETTINGS_OK)

static void expect_wrong(const char *const *args, const char *const *env, const char *expected)
{
    assert_int_equal(load(args, env), SETTINGS_WRONG);
    assert_string_equal(message, expected);
}

/* A file with this content; its name is static. */
static char *write_file(const char *content)
{
    static char path[] = "/tmp/s3memd-config-XXXXXX";
    int fd;

    snprintf(path, sizeof(path), "/tmp/s3memd-config-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return path;
}

static void test_defaults(void **state)
{
    (void)state;
    LOAD(LIST(), LIST());
    assert_int_equal(s.listen.count, 1);
    assert_string_equal(s.listen.items[0], "localhost:4566");
    assert_true(s.listen_is_default);
    assert_int_equal(s.domain.count, 2);
    assert_int_equal(s.bucket.count, 0);
    assert_string_equal(s.region, "us-east-1");
    assert_int_equal(s.max_object_size, UINT64_C(5) << 30);
    assert_int_equal(s.idle_timeout, 120000);
    assert_int_equal(s.log_level, LOG_LEVEL_INFO);
    assert_false(s.insecure);
    assert_string_equal(s.access_key, "");
    settings_release(&s);
}

/* Each default goes through the parser without complaint and within its own bounds. */
static void test_every_default_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_table_count; i++) {
        struct settings one = {0};
        AUTO_BUF(why, KiB(1));

        assert_true(setting_parse_joined(&settings_table[i], &one,
                                         str_c(settings_table[i].default_text), &why));
        setting_clear(&settings_table[i], &one);
    }
}

static void test_flags(void **state)
{
    (void)state;
    LOAD(LIST("--max-memory=64MiB", "--threads", "3", "--insecure", "--log-format=json",
              "--header-timeout=500ms"),
         LIST());
    assert_int_equal(s.max_memory, MiB(64));
    assert_int_equal(s.threads, 3);
    assert_true(s.insecure);
    assert_int_equal(s.log_format, LOG_FORMAT_JSON);
    assert_int_equal(s.header_timeout, 500);
    settings_release(&s);
    LOAD(LIST("--insecure", "--no-insecure", "--auto-bucket=on"), LIST());
    assert_false(s.insecure);
    assert_true(s.auto_bucket);
    settings_release(&s);
}

static void test_precedence(void **state)
{
    char *path = write_file("# comment\n\n  region = from-file \nthreads=2\nbucket = file-1\n"
                            "bucket = file-2\nmax-memory = 16MiB\n");

    (void)state;
    LOAD(LIST("--config", path, "--region=from-flag"),
         LIST("S3MEMD_REGION=from-env", "S3MEMD_THREADS=5", "OTHER=1"));
    assert_string_equal(s.region, "from-flag");
    assert_int_equal(s.threads, 5);
    assert_int_equal(s.max_memory, MiB(16));
    assert_int_equal(s.bucket.count, 2);
    assert_string_equal(s.bucket.items[1], "file-2");
    settings_release(&s);
    unlink(path);
}

/* A stronger source replaces a list; repeating within one source adds. */
static void test_lists_are_replaced_as_a_whole(void **state)
{
    char *path = write_file("bucket = file-1\nlisten = 127.0.0.1:1\n");
    char config[64];

    (void)state;
    snprintf(config, sizeof(config), "S3MEMD_CONFIG=%s", path);
    LOAD(LIST("--bucket=a", "--bucket", "b"), LIST(config, "S3MEMD_BUCKET=c,d"));
    assert_int_equal(s.bucket.count, 2);
    assert_string_equal(s.bucket.items[0], "a");
    assert_string_equal(s.bucket.items[1], "b");
    assert_int_equal(s.listen.count, 1);
    assert_string_equal(s.listen.items[0], "127.0.0.1:1");
    assert_false(s.listen_is_default);
    settings_release(&s);
    LOAD(LIST(), LIST(config, "S3MEMD_BUCKET= c , d,"));
    assert_int_equal(s.bucket.count, 2);
    assert_string_equal(s.bucket.items[0], "c");
    assert_string_equal(s.bucket.items[1], "d");
    settings_release(&s);
    unlink(path);
}

static void test_empty_environment_is_unset(void **state)
{
    (void)state;
    LOAD(LIST(), LIST("S3MEMD_REGION=", "S3MEMD_THREADS=", "S3MEMD_LISTEN="));
    assert_string_equal(s.region, "us-east-1");
    assert_true(s.listen_is_default);
    settings_release(&s);
}

static void test_unknown_options(void **state)
{
    (void)state;
    expect_wrong(LIST("--lissten=x"), LIST(),
                 "s3memd: unknown option '--lissten'; did you mean '--listen'?\n");
    expect_wrong(LIST("--no-insecur"), LIST(),
                 "s3memd: unknown option '--no-insecur'; did you mean '--no-insecure'?\n");
    expect_wrong(LIST("--hlep"), LIST(),
                 "s3memd: unknown option '--hlep'; did you mean '--help'?\n");
    expect_wrong(LIST("--no-listen"), LIST(),
                 "s3memd: unknown option '--no-listen'; did you mean '--listen'?\n");
    expect_wrong(LIST("--completely-different"), LIST(),
                 "s3memd: unknown option '--completely-different'; see s3memd --help\n");
    expect_wrong(LIST("-p"), LIST(), "s3memd: unknown option '-p'; see s3memd --help\n");
    expect_wrong(LIST("4566"), LIST(),
                 "s3memd: unexpected argument '4566'; write --listen 4566\n");
    expect_wrong(LIST("localhost:80"), LIST(),
                 "s3memd: unexpected argument 'localhost:80'; write --listen localhost:80\n");
    expect_wrong(LIST("serve"), LIST(),
                 "s3memd: unexpected argument 'serve'; see s3memd --help\n");
    expect_wrong(LIST("--prot=1"), LIST(),
                 "s3memd: unknown option '--prot'; did you mean '--port'?\n");
    expect_wrong(LIST("--threads"), LIST(), "s3memd: --threads needs a value (N)\n");
}

static void test_port_is_listen(void **state)
{
    (void)state;
    LOAD(LIST("--port", "4567", "--port=0"), LIST());
    assert_int_equal(s.listen.count, 2);
    assert_string_equal(s.listen.items[0], "4567");
    assert_string_equal(s.listen.items[1], "0");
    assert_false(s.listen_is_default);
    settings_release(&s);
    assert_int_equal(load(LIST("-h"), LIST()), SETTINGS_SHOWN);
    assert_non_null(strstr(message, "Usage: s3memd"));
    assert_int_equal(load(LIST("-V"), LIST()), SETTINGS_SHOWN);
    assert_string_equal(message, "s3memd " S3MEM_VERSION "\n");
}

static void expect_strange(const char *variable, const char *expected)
{
    AUTO_BUF(text, KiB(1));

    assert_int_equal(settings_env_is_strange(str_c(variable), &text), expected != NULL);
    assert_true(str_eq(buf_str(&text), str_c(expected ? expected : "")));
}

static void test_strange_variables(void **state)
{
    (void)state;
    expect_strange("S3MEMD_MAX_MEMROY=1GiB",
                   "unknown environment variable S3MEMD_MAX_MEMROY; did you mean "
                   "S3MEMD_MAX_MEMORY?");
    expect_strange("S3MEMD_SECRET_KYE=hush",
                   "unknown environment variable S3MEMD_SECRET_KYE; did you mean "
                   "S3MEMD_SECRET_KEY?");
    expect_strange("S3MEMD_=", "unknown environment variable S3MEMD_");
    expect_strange("S3MEMD_PORT=80",
                   "unknown environment variable S3MEMD_PORT; write S3MEMD_LISTEN=:PORT");
    expect_strange("S3MEMD_QUITE_ANOTHER_THING",
                   "unknown environment variable S3MEMD_QUITE_ANOTHER_THING");
    expect_strange("S3MEMD_MAX_MEMORY=1", NULL);
    expect_strange("S3MEMD=1", NULL);
    expect_strange("PATH=S3MEMD_X", NULL);
    /* What Kubernetes makes of a service called s3memd. */
    expect_strange("S3MEMD_PORT=tcp://10.0.0.1:4566", NULL);
    expect_strange("S3MEMD_PORT_4566_TCP_PROTO=tcp", NULL);
    expect_strange("S3MEMD_SERVICE_HOST=10.0.0.1", NULL);
}

static void test_bad_values(void **state)
{
    (void)state;
    expect_wrong(LIST("--max-memory=lots"), LIST(),
                 "s3memd: --max-memory: 'lots' is not a size (such as 4096, 64MiB or 1GiB)\n");
    expect_wrong(LIST("--threads=1000"), LIST(),
                 "s3memd: --threads: 1000 is out of range (0, or 1 to 256)\n");
    expect_wrong(LIST("--threads=-1"), LIST(),
                 "s3memd: --threads: '-1' is not a whole number\n");
    expect_wrong(LIST(), LIST("S3MEMD_INSECURE=maybe"),
                 "s3memd: S3MEMD_INSECURE: 'maybe' is neither yes nor no\n");
    expect_wrong(LIST("--log-level", "loud"), LIST(),
                 "s3memd: --log-level: 'loud' is none of error|warn|info|debug\n");
    expect_wrong(LIST("--body-timeout=soon"), LIST(),
                 "s3memd: --body-timeout: 'soon' is not a time (such as 30, 500ms or 2m)\n");
    expect_wrong(LIST("--body-timeout=99999999999999999999h"), LIST(),
                 "s3memd: --body-timeout: '99999999999999999999h' is not a time (such as 30, "
                 "500ms or 2m)\n");
    expect_wrong(LIST("--bucket="), LIST(), "s3memd: --bucket: the value is empty\n");
}

static void expect_wrong_file(const char *content, const char *expected)
{
    char *path = write_file(content);
    char whole[200];

    snprintf(whole, sizeof(whole), "s3memd: %s:%s", path, expected);
    expect_wrong(LIST("--config", path), LIST(), whole);
    unlink(path);
}

static void test_bad_files(void **state)
{
    (void)state;
    expect_wrong_file("region = x\nregoin = y\n",
                      "2: unknown key 'regoin'; did you mean 'region'?\n");
    expect_wrong_file("port = 80\n", "1: unknown key 'port'; write listen = :PORT\n");
    expect_wrong_file("\nregion\n", "2: 'region' is not KEY = VALUE\n");
    expect_wrong_file("threads = many", "1: threads: 'many' is not a whole number\n");
    expect_wrong_file("config = other", "1: unknown key 'config'\n");
    expect_wrong(LIST("--config=/does/not/exist"), LIST(),
                 "s3memd: /does/not/exist: No such file or directory\n");
}

static void test_help_names_every_setting(void **state)
{
    char name[SETTING_NAME_SIZE];

    (void)state;
    assert_int_equal(load(LIST("--help"), LIST()), SETTINGS_SHOWN);
    for (size_t i = 0; i < settings_table_count; i++) {
        if (settings_table[i].type == SETTING_GROUP)
            continue;
        setting_key(&settings_table[i], name);
        assert_non_null(strstr(message, name));
    }
    for (const char *line = message; line; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        assert_true(strcspn(line, "\n") < 80);
    }
    assert_int_equal(load(LIST("--version"), LIST()), SETTINGS_SHOWN);
    assert_string_equal(message, "s3memd " S3MEM_VERSION "\n");
    assert_int_equal(load(LIST("--check=x.db"), LIST()), SETTINGS_CHECK);
    assert_int_equal(load(LIST("--check", "x.db"), LIST()), SETTINGS_CHECK);
    assert_int_equal(load(LIST("--check"), LIST()), SETTINGS_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_default_parses),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_lists_are_replaced_as_a_whole),
        cmocka_unit_test(test_empty_environment_is_unset),
        cmocka_unit_test(test_unknown_options),
        cmocka_unit_test(test_port_is_listen),
        cmocka_unit_test(test_strange_variables),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_help_names_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
