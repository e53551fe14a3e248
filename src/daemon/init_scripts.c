/* SPDX-License-Identifier: MIT */
/* init_scripts.c - LocalStack's convention: executables in DIR/ready.d run once the server
 * listens, in name order, one at a time. The environment points the AWS tools in them at us. */
#include "daemon/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPTS_MAX 1024
#define PATH_SIZE   4096
/* A script that a signal interrupts is asked to end, and killed after this long. */
#define KILL_AFTER_MS 2000

/* ---- environment ------------------------------------------------------------------- */

/* Ours, and those of the caller's that would lead the AWS tools elsewhere. */
static const char *const replaced[] = {
    "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION",
    "AWS_REGION",       "AWS_SESSION_TOKEN", "AWS_PROFILE",           "NOTIFY_SOCKET",
};

static bool is_replaced(const char *variable)
{
    for (size_t i = 0; i < ARRAY_LEN(replaced); i++) {
        size_t len = strlen(replaced[i]);

        if (strncmp(variable, replaced[i], len) == 0 && variable[len] == '=')
            return true;
    }
    return false;
}

/* A NULL-terminated array; the first `owned` items are ours to free, the rest is environ's. */
struct script_env {
    char **items;
    size_t owned, count;
};

static void env_add(struct script_env *env, const char *name, const char *value)
{
    AUTO_BUF(text, KiB(64));

    buf_addf(&text, "%s=%s", name, value);
    env->items[env->count++] = xstrndup(buf_str(&text));
    env->owned = env->count;
}

static void env_build(struct script_env *env, const struct server *server)
{
    AUTO(credentials) set = keyring_get(server->keyring);
    const struct credential *c = set ? credentials_administrator(set) : NULL;
    AUTO_BUF(url, KiB(1));
    size_t inherited = 0;

    while (environ[inherited])
        inherited++;
    env->items = xcalloc(inherited + ARRAY_LEN(replaced) + 1, sizeof(*env->items));
    network_local_url(server, &url);
    buf_add_char(&url, '\0');
    if (url.ptr[0])
        env_add(env, "AWS_ENDPOINT_URL", url.ptr);
    env_add(env, "AWS_ACCESS_KEY_ID", c ? c->access_key : "test");
    env_add(env, "AWS_SECRET_ACCESS_KEY", c ? c->secret_key : "test");
    env_add(env, "AWS_DEFAULT_REGION", server->settings.region);
    env_add(env, "AWS_REGION", server->settings.region);
    if (c && c->session_token)
        env_add(env, "AWS_SESSION_TOKEN", c->session_token);
    for (size_t i = 0; i < inherited; i++) {
        if (!is_replaced(environ[i]))
            env->items[env->count++] = environ[i];
    }
}

static void env_release(struct script_env *env)
{
    for (size_t i = 0; i < env->owned; i++) {
        mem_wipe(env->items[i], strlen(env->items[i]));
        mem_free(env->items[i]);
    }
    mem_free(env->items);
}

/* ---- one script -------------------------------------------------------------------- */

/* Starts it in a process group of its own, with the signals a program expects. Its output goes
 * to standard error: standard output carries our ready lines. 0 or errno. */
static int spawn(pid_t *pid, const char *path, const struct script_env *env)
{
    char *const argv[] = {(char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    int err;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    err = posix_spawn(pid, path, &files, &attr, argv, env->items);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return err;
}

/* Waits for the script; a signal to us ends it. Returns its wait status. */
static int await(struct daemon *d, pid_t pid)
{
    int64_t kill_at_ns = INT64_MAX;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        signals_wait(d, d->caught ? 50 : -1);
        if (!d->caught)
            continue;
        if (kill_at_ns == INT64_MAX) {
            kill(-pid, SIGTERM);
            kill_at_ns = clock_monotonic_ns() + KILL_AFTER_MS * NS_PER_MS;
        } else if (clock_monotonic_ns() >= kill_at_ns) {
            kill(-pid, SIGKILL);
        }
    }
    return status;
}

static void run_script(struct daemon *d, const char *dir, const char *name,
                       const struct script_env *env)
{
    size_t number = admin_script_start(d->server.admin, name);
    AUTO_BUF(path, PATH_SIZE);
    pid_t pid;
    int status;
    int err;

    log_info("init script %s", name);
    buf_addf(&path, "%s/%s", dir, name);
    buf_add_char(&path, '\0');
    err = buf_ok(&path) ? spawn(&pid, path.ptr, env) : ENAMETOOLONG;
    status = err ? 0 : await(d, pid);
    if (err)
        log_error("init script %s: cannot run: %s", name, strerror(err));
    else if (WIFSIGNALED(status))
        log_error("init script %s: ended by signal %d", name, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        log_error("init script %s: exit status %d", name, WEXITSTATUS(status));
    admin_script_end(d->server.admin, number,
                     err || status ? ADMIN_SCRIPT_ERROR : ADMIN_SCRIPT_SUCCESSFUL);
}

/* ---- the folder -------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Only regular files (or links to them) that may be executed. */
static bool is_script(int dir_fd, const char *name)
{
    struct stat st;

    if (name[0] == '.' || fstatat(dir_fd, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (faccessat(dir_fd, name, X_OK, AT_EACCESS) == 0)
        return true;
    log_warn("init script %s is not executable: skipped", name);
    return false;
}

static size_t list_scripts(DIR *dir, char **names)
{
    const struct dirent *entry;
    size_t count = 0;

    while (count < SCRIPTS_MAX && (entry = readdir(dir))) {
        if (is_script(dirfd(dir), entry->d_name))
            names[count++] = xstrdup(entry->d_name);
    }
    qsort(names, count, sizeof(*names), by_name);
    return count;
}

enum exit_status init_scripts_run(struct daemon *d, const char *dir_path)
{
    char **names = xcalloc(SCRIPTS_MAX, sizeof(*names));
    struct script_env env = {0};
    AUTO_BUF(path, PATH_SIZE);
    size_t count;
    DIR *dir;

    buf_addf(&path, "%s/ready.d", dir_path);
    buf_add_char(&path, '\0');
    dir = buf_ok(&path) ? opendir(path.ptr) : NULL;
    if (!dir) {
        complain("--init-dir: %s/ready.d: %s", dir_path, strerror(errno));
        mem_free(names);
        return EXIT_FAILED;
    }
    count = list_scripts(dir, names);
    closedir(dir);
    env_build(&env, &d->server);
    for (size_t i = 0; i < count; i++) {
        if (!d->caught)
            run_script(d, path.ptr, names[i], &env);
        mem_free(names[i]);
    }
    env_release(&env);
    mem_free(names);
    return EXIT_DONE;
}
