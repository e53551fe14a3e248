/* SPDX-License-Identifier: MIT */
/* init_scripts.c - LocalStack's initialization hooks: the scripts in DIR/boot.d, start.d, ready.d
 * and shutdown.d are run when their stage comes, one at a time. Source: its documentation, and
 * InitScriptManager of its source.
 *
 * Boot and start come before the server opens anything, as there: a script that waited for a
 * port that is bound and not yet served would wait for ever. */
#include "daemon/init_scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A script whose time is up is asked to end, and killed after this long. */
#define KILL_AFTER_MS 2000

struct init_scripts {
    struct daemon *d;
    char *dir; /* owned; absolute; NULL: there is none */
    struct init_list lists[INIT_STAGES];
    struct init_env env;
    enum init_stage stage; /* that is run */
    int64_t deadline_ns;   /* of INIT_SHUTDOWN */
    pid_t running;         /* also its process group; 0: none is */
};

/* ---- one script -------------------------------------------------------------------- */

/* Starts it in a process group of its own, with the signals a program expects and none of our
 * files. Its output goes to standard error: standard output carries our ready lines. 0 or errno.
 */
static int spawn_script(pid_t *pid, char *const argv[], const struct init_env *env)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    int err;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    err = posix_spawn(pid, argv[0], &files, &attr, argv, env->items);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return err;
}

static bool is_time_up(const struct init_scripts *s)
{
    if (s->stage == INIT_SHUTDOWN)
        return clock_monotonic_ns() >= s->deadline_ns;
    return s->d->caught != 0;
}

/* Waits for the script, and ends it when its time is up. Returns its wait status. */
static int await_script(struct init_scripts *s, pid_t pid)
{
    int64_t kill_at_ns = INT64_MAX;
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        bool up = is_time_up(s);

        if (up && kill_at_ns == INT64_MAX) {
            kill(-pid, SIGTERM);
            kill_at_ns = clock_monotonic_ns() + KILL_AFTER_MS * NS_PER_MS;
        } else if (up && clock_monotonic_ns() >= kill_at_ns) {
            kill(-pid, SIGKILL);
        }
        signals_wait(s->d, up || s->stage == INIT_SHUTDOWN ? 50 : -1);
    }
    /* Processes that the script started may still be there. */
    if (kill_at_ns != INT64_MAX)
        kill(-pid, SIGKILL);
    return status;
}

/* True: the script ended well. Else the log says what was wrong. */
static bool run_command(struct init_scripts *s, const struct init_script *script)
{
    struct init_command command;
    AUTO_BUF(why, KiB(4));
    bool found = init_command_find(&command, script->path, &why);
    int err = found ? spawn_script(&s->running, command.argv, &s->env) : 0;
    int status = 0;

    init_command_release(&command);
    if (err)
        buf_add_c(&why, strerror(err));
    if (!found || err) {
        s->running = 0;
        log_error("init script %s is not run: %.*s", script->name, (int)why.len, why.ptr);
        return false;
    }
    status = await_script(s, s->running);
    s->running = 0;
    if (WIFSIGNALED(status))
        log_error("init script %s: ended by signal %d", script->name, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        log_error("init script %s: exit status %d", script->name, WEXITSTATUS(status));
    return status == 0;
}

static void run_script(struct init_scripts *s, const struct init_script *script)
{
    struct init_record *record = s->d->server.init;

    if (is_time_up(s)) {
        log_warn("init script %s is not run: %s", script->name,
                 s->stage == INIT_SHUTDOWN ? "the time is up" : "the server is to stop");
        return;
    }
    log_info("init script %s", script->name);
    init_record_set(record, script->number, INIT_RUNNING);
    init_record_set(record, script->number,
                    run_command(s, script) ? INIT_SUCCESSFUL : INIT_ERROR);
}

/* ---- a stage ----------------------------------------------------------------------- */

static void find_stage(struct init_scripts *s, enum init_stage stage)
{
    struct init_list *list = &s->lists[stage];

    init_list_find(list, s->dir, init_folders[stage]);
    for (size_t i = 0; i < list->count; i++)
        list->items[i].number =
            init_record_add(s->d->server.init, stage, strrchr(list->items[i].path, '/') + 1);
}

static void run_list(struct init_scripts *s, const struct init_list *list)
{
    if (list->count > 0)
        init_env_build(&s->env, &s->d->server);
    for (size_t i = 0; i < list->count; i++)
        run_script(s, &list->items[i]);
}

void init_scripts_run(struct init_scripts *s, enum init_stage stage)
{
    s->stage = stage;
    s->deadline_ns = clock_monotonic_ns() +
                     (int64_t)s->d->server.settings.shutdown_timeout * (int64_t)NS_PER_MS;
    if (s->dir && stage == INIT_BOOT)
        find_stage(s, INIT_BOOT);
    run_list(s, &s->lists[stage]);
    /* Scripts of boot may have made those of the other stages. */
    if (s->dir && stage == INIT_BOOT) {
        for (int later = INIT_START; later < INIT_STAGES; later++)
            find_stage(s, (enum init_stage)later);
    }
    init_record_complete(s->d->server.init, stage);
}

/* ---- life -------------------------------------------------------------------------- */

static void end_at_once(void *arg)
{
    struct init_scripts *s = arg;

    if (s->running > 0)
        kill(-s->running, SIGKILL);
    init_env_remove_folder(&s->env);
}

/* False: errno tells. */
static bool is_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

struct init_scripts *init_scripts_open(struct daemon *d, struct buf *why)
{
    const char *dir = d->server.settings.init_dir;
    struct init_scripts *s = xcalloc(1, sizeof(*s));

    s->d = d;
    init_env_init(&s->env);
    if (dir[0]) {
        s->dir = is_folder(dir) ? realpath(dir, NULL) : NULL;
        if (!s->dir) {
            buf_addf(why, "--init-dir: %s: %s", dir, strerror(errno));
            mem_free(s);
            return NULL;
        }
        init_list_strays(s->dir);
    }
    d->at_once = end_at_once;
    d->at_once_arg = s;
    return s;
}

void init_scripts_close(struct init_scripts *s)
{
    if (!s)
        return;
    s->d->at_once = NULL;
    init_env_release(&s->env);
    for (size_t i = 0; i < INIT_STAGES; i++)
        init_list_release(&s->lists[i]);
    mem_free(s->dir);
    mem_free(s);
}
