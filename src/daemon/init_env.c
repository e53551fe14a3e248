/* SPDX-License-Identifier: MIT */
/* init_env.c - what init scripts find in their environment: the server, by the names that the
 * AWS tools, LocalStack's awslocal and LocalStack's scripts read. */
#include "daemon/init_scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWSLOCAL "awslocal"
#define CA_FILE  "ca.pem"

/* Variables that are not inherited: those that are set here, those that would lead the AWS tools
 * elsewhere, and those of systemd, which are meant for one process only. */
static const char *const replaced[] = {
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "DEFAULT_REGION",
    "LOCALSTACK_HOST",
    "LOCALSTACK_HOSTNAME",
    "EDGE_PORT",
    "USE_SSL",
    "NO_PROXY",
    "no_proxy",
    "NOTIFY_SOCKET",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
};

/* How many may be set beyond those: PATH and AWS_CA_BUNDLE, each when there is cause. */
#define OTHERS_MAX 2

/* ---- the private folder ------------------------------------------------------------ */

/* As LocalStack's, a certificate that is not of our making is not checked. */
static const char awslocal_script[] =
    "#!/bin/sh\n"
    "# Made by s3memd for its init scripts: aws, for the server that runs them.\n"
    "case ${AWS_ENDPOINT_URL:?} in\n"
    "https:*)\n"
    "    if [ ! -e \"${0%/*}/" CA_FILE "\" ]; then\n"
    "        export PYTHONWARNINGS=\"${PYTHONWARNINGS-ignore:Unverified HTTPS request}\"\n"
    "        set -- --no-verify-ssl \"$@\"\n"
    "    fi ;;\n"
    "esac\n"
    "exec aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"\n";

static bool make_folder(struct init_env *env)
{
    const char *parent = getenv("TMPDIR");
    AUTO_BUF(path, KiB(4));

    if (env->folder)
        return true;
    buf_addf(&path, "%s/s3memd-init-XXXXXX", parent && *parent ? parent : P_tmpdir);
    env->folder = xstrndup(buf_str(&path));
    if (!mkdtemp(env->folder)) {
        mem_free(TAKE(env->folder));
        return false;
    }
    env->folder_fd = open(env->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* systemd-tmpfiles(8), which clears /tmp now and then, leaves locked folders alone. */
    if (env->folder_fd >= 0)
        flock(env->folder_fd, LOCK_SH);
    return env->folder_fd >= 0;
}

/* False: errno tells. */
static bool write_file(struct init_env *env, const char *name, struct str text, mode_t mode)
{
    int fd = make_folder(env)
                 ? openat(env->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
                 : -1;
    bool ok =
        fd >= 0 && fchmod(fd, mode) == 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool program_exists(const char *name)
{
    char *path = init_program_find(name);

    mem_free(path);
    return path != NULL;
}

static void fill_folder(struct init_env *env, const struct server *server)
{
    if (!env->has_awslocal && program_exists("aws") && !program_exists(AWSLOCAL)) {
        env->has_awslocal = write_file(env, AWSLOCAL, str_c(awslocal_script), 0700) &&
                            faccessat(env->folder_fd, AWSLOCAL, X_OK, AT_EACCESS) == 0;
        if (!env->has_awslocal)
            log_warn("init scripts: there is no awslocal for them, and none can be made: %s",
                     strerror(errno));
    }
    if (!env->has_ca && server->ca_pem) {
        env->has_ca = write_file(env, CA_FILE, str_c(server->ca_pem), 0600);
        if (!env->has_ca)
            log_warn("init scripts: AWS_CA_BUNDLE is not set, it cannot be written: %s",
                     strerror(errno));
    }
}

void init_env_remove_folder(struct init_env *env)
{
    if (env->folder_fd >= 0) {
        unlinkat(env->folder_fd, AWSLOCAL, 0);
        unlinkat(env->folder_fd, CA_FILE, 0);
    }
    if (env->folder)
        rmdir(env->folder);
}

/* ---- the variables ----------------------------------------------------------------- */

static bool is_variable(const char *variable, const char *name)
{
    size_t len = strlen(name);

    return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

static bool is_replaced(const struct init_env *env, const char *variable)
{
    for (size_t i = 0; i < ARRAY_LEN(replaced); i++) {
        if (is_variable(variable, replaced[i]))
            return true;
    }
    return (env->has_awslocal && is_variable(variable, "PATH")) ||
           (env->has_ca && is_variable(variable, "AWS_CA_BUNDLE"));
}

static void add_variable(struct init_env *env, const char *name, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void add_variable(struct init_env *env, const char *name, const char *fmt, ...)
{
    AUTO_BUF(text, MiB(1));
    va_list args;

    buf_addf(&text, "%s=", name);
    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    env->items[env->count++] = xstrndup(buf_str(&text));
    env->owned = env->count;
    mem_wipe(text.ptr, text.len);
}

/* A proxy cannot reach what is on this machine. */
static void add_no_proxy(struct init_env *env, const char *host, int len)
{
    static const char *const variables[] = {"NO_PROXY", "no_proxy"};

    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *before = getenv(variables[i]);

        add_variable(env, variables[i], "%s%s%.*s", before ? before : "",
                     before && *before ? "," : "", len, host);
    }
}

static void add_address(struct init_env *env, const struct server *server)
{
    AUTO_BUF(url, KiB(1));
    const char *host, *port;
    int len;

    network_local_url(server, &url);
    /* A host that does not exist: without an endpoint the tools would ask Amazon. */
    if (url.len == 0)
        buf_add(&url, STR("http://s3memd-has-no-port.invalid"));
    buf_add_char(&url, '\0');
    add_variable(env, "AWS_ENDPOINT_URL", "%s", url.ptr);
    add_variable(env, "AWS_ENDPOINT_URL_S3", "%s", url.ptr);
    add_variable(env, "USE_SSL", "%s", server_uses_tls(server) ? "true" : "false");
    host = strstr(url.ptr, "//") + 2;
    port = strrchr(host, ':');
    add_variable(env, "LOCALSTACK_HOST", "%s", host);
    len = (int)(port ? (size_t)(port - host) : strlen(host));
    add_variable(env, "LOCALSTACK_HOSTNAME", "%.*s", len, host);
    add_no_proxy(env, host, len);
    if (port)
        add_variable(env, "EDGE_PORT", "%s", port + 1);
}

/* Adds the administrator's keys. Until the server has read its files only --access-key is known. */
static void add_keys(struct init_env *env, const struct server *server)
{
    const struct settings *s = &server->settings;
    AUTO(credentials) set = server->keyring ? keyring_get(server->keyring) : NULL;
    const struct credential *c = set ? credentials_administrator(set) : NULL;
    const char *key = s->access_key[0] ? s->access_key : "test";
    const char *secret = s->access_key[0] ? s->secret_key : "test";

    add_variable(env, "AWS_ACCESS_KEY_ID", "%s", c ? c->access_key : key);
    add_variable(env, "AWS_SECRET_ACCESS_KEY", "%s", c ? c->secret_key : secret);
    if (c && c->session_token)
        add_variable(env, "AWS_SESSION_TOKEN", "%s", c->session_token);
}

static void forget_items(struct init_env *env)
{
    for (size_t i = 0; i < env->owned; i++) {
        mem_wipe(env->items[i], strlen(env->items[i]));
        mem_free(env->items[i]);
    }
    mem_free(env->items);
    env->items = NULL;
    env->owned = env->count = 0;
}

void init_env_init(struct init_env *env)
{
    *env = (struct init_env){.folder_fd = -1};
}

void init_env_build(struct init_env *env, const struct server *server)
{
    size_t inherited = 0;

    forget_items(env);
    fill_folder(env, server);
    while (environ[inherited])
        inherited++;
    env->items = xcalloc(inherited + ARRAY_LEN(replaced) + OTHERS_MAX + 1, sizeof(*env->items));
    add_address(env, server);
    add_keys(env, server);
    add_variable(env, "AWS_DEFAULT_REGION", "%s", server->settings.region);
    add_variable(env, "AWS_REGION", "%s", server->settings.region);
    add_variable(env, "DEFAULT_REGION", "%s", server->settings.region);
    if (env->has_ca)
        add_variable(env, "AWS_CA_BUNDLE", "%s/" CA_FILE, env->folder);
    if (env->has_awslocal)
        add_variable(env, "PATH", "%s:%s", env->folder, init_program_path());
    for (size_t i = 0; i < inherited; i++) {
        if (!is_replaced(env, environ[i]))
            env->items[env->count++] = environ[i];
    }
}

void init_env_release(struct init_env *env)
{
    forget_items(env);
    init_env_remove_folder(env);
    if (env->folder_fd >= 0)
        close(env->folder_fd);
    mem_free(env->folder);
}
