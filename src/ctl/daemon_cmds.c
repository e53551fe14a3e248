/* SPDX-License-Identifier: MIT */
/* daemon_cmds.c - a server in the background, for who has no systemd: start, stop, status, logs.
 *
 * A server is known by its name. NAME.pid and NAME.log lie in one folder of the user's. The
 * server inherits NAME.pid open and locked: the lock says whether it lives, whatever process
 * has its number later. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS        20
#define START_SECONDS  60
#define STOP_SECONDS   20
#define READY_LINE     "s3memd ready on "
#define TOLD_LOG_BYTES KiB(4)

struct service {
    const char *name;
    char *pid_path, *log_path; /* owned */
};

static void service_release(struct service *s)
{
    mem_free(s->pid_path);
    mem_free(s->log_path);
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};

    nanosleep(&t, NULL);
}

/* ---- where a server's files are ---------------------------------------------------- */

static void add_folder(struct buf *path)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && *state)
        buf_addf(path, "%s/s3memd", state);
    else if (home && *home)
        buf_addf(path, "%s/.local/state/s3memd", home);
    else
        buf_addf(path, "/tmp/s3memd-%u", (unsigned)getuid());
}

/* The folder and those above it. */
static bool make_folder(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static enum ctl_exit service_of(const struct ctl *c, struct service *s)
{
    const char *name = ctl_option(c, "name");
    AUTO_BUF(path, KiB(4));
    size_t folder_len;

    *s = (struct service){.name = name ? name : "s3memd"};
    if (!*s->name || strchr(s->name, '/') || s->name[0] == '.')
        return ctl_complain(CTL_USAGE, "--name: '%s' is no name of a file", s->name);
    add_folder(&path);
    folder_len = path.len;
    buf_add_char(&path, '\0');
    if (!buf_ok(&path) || !make_folder(path.ptr))
        return ctl_complain(CTL_REFUSED, "cannot make the folder %s: %s", path.ptr,
                            strerror(errno));
    path.len = folder_len;
    buf_addf(&path, "/%s.pid%c", s->name, '\0');
    s->pid_path = xstrdup(path.ptr);
    path.len = folder_len;
    buf_addf(&path, "/%s.log%c", s->name, '\0');
    s->log_path = xstrdup(path.ptr);
    return CTL_DONE;
}

/* ---- is it there ------------------------------------------------------------------- */

/* The number of its process; 0: it does not run. *locked (may be NULL) becomes the file, locked
 * for the caller, in that case; -1 when it cannot be opened. */
static pid_t running(const struct service *s, int *locked)
{
    char text[24] = "";
    int fd = open(s->pid_path, O_RDWR | O_CLOEXEC | (locked ? O_CREAT : 0), 0600);
    pid_t pid = 0;

    if (locked)
        *locked = fd;
    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (pread(fd, text, sizeof(text) - 1, 0) > 0)
            pid = (pid_t)strtol(text, NULL, 10);
        close(fd);
        return pid > 0 ? pid : -1;
    }
    if (!locked)
        close(fd);
    return 0;
}

/* Where the server said that it listens, in what its log got from offset on; false: it has not
 * said so, or (ready) not yet that it is ready. */
static bool address_in_log(const struct service *s, off_t offset, bool ready, struct buf *url)
{
    FILE *log = fopen(s->log_path, "re");
    char line[KiB(4)];
    bool said_ready = false;

    buf_reset(url);
    if (!log)
        return false;
    (void)fseeko(log, offset, SEEK_SET);
    while (fgets(line, sizeof(line), log)) {
        if (strncmp(line, READY_LINE, strlen(READY_LINE)) == 0) {
            buf_reset(url);
            buf_addf(url, "%.*s%c", (int)strcspn(line + strlen(READY_LINE), "\r\n"),
                     line + strlen(READY_LINE), '\0');
            said_ready = false;
        }
        said_ready |= strcmp(line, "Ready.\n") == 0;
    }
    fclose(log);
    return url->len > 0 && (said_ready || !ready);
}

/* ---- start ------------------------------------------------------------------------- */

/* The s3memd beside this program, else the one on the PATH. */
static void add_program(struct buf *path)
{
    const char *given = getenv("S3MEMD");
    char self[KiB(4)];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (given && *given) {
        buf_addf(path, "%s%c", given, '\0');
        return;
    }
    if (n > 0) {
        self[n] = '\0';
        slash = strrchr(self, '/');
        buf_addf(path, "%.*s/s3memd%c", (int)(slash - self), self, '\0');
        if (buf_ok(path) && access(path->ptr, X_OK) == 0)
            return;
    }
    buf_reset(path);
    buf_addf(path, "s3memd%c", '\0');
}

/* In the child. The lock on the pid file goes along. */
static _Noreturn void become_server(const char *program, char *const *options, int log,
                                    int pid_file)
{
    char *argv[CTL_REST_MAX + 2] = {(char *)(uintptr_t)program};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (size_t i = 0; options && options[i] && i < CTL_REST_MAX; i++)
        argv[i + 1] = options[i];
    setsid();
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    (void)fcntl(pid_file, F_SETFD, 0);
    execvp(program, argv);
    dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
    _exit(127);
}

/* What the log got since then, for who started the server in vain. */
static void tell_log(const struct service *s, off_t offset)
{
    FILE *log = fopen(s->log_path, "re");
    char text[TOLD_LOG_BYTES];
    size_t n;

    if (!log)
        return;
    (void)fseeko(log, offset, SEEK_SET);
    n = fread(text, 1, sizeof(text), log);
    fwrite(text, 1, n, stderr);
    fclose(log);
}

static enum ctl_exit wait_until_ready(const struct ctl *c, const struct service *s, pid_t pid,
                                      off_t offset)
{
    int64_t deadline_ns = clock_monotonic_ns() + START_SECONDS * NS_PER_S;
    AUTO_BUF(url, KiB(4));
    int status;

    while (!address_in_log(s, offset, true, &url)) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            (void)unlink(s->pid_path);
            tell_log(s, offset);
            return ctl_complain(CTL_REFUSED, "s3memd did not start");
        }
        if (clock_monotonic_ns() >= deadline_ns)
            return ctl_complain(CTL_REFUSED,
                                "s3memd (process %ld) is not ready after %d seconds; "
                                "s3memctl logs tells more",
                                (long)pid, START_SECONDS);
        pause_ms(POLL_MS);
    }
    if (c->json)
        return ctl_print_json(c, json_pack("{s:s, s:i, s:s}", "url", url.ptr, "pid", (int)pid,
                                           "log", s->log_path));
    if (c->quiet)
        puts(url.ptr);
    else
        printf("s3memd ready on %s (process %ld, log in %s)\n", url.ptr, (long)pid,
               s->log_path);
    return CTL_DONE;
}

static enum ctl_exit start_service(const struct ctl *c, const struct service *s)
{
    int pid_file, log;
    pid_t pid = running(s, &pid_file);
    off_t offset;
    AUTO_BUF(program, KiB(8));

    if (pid)
        return ctl_complain(CTL_REFUSED,
                            "%s runs already (process %ld); s3memctl stop ends it, another "
                            "--name starts another one",
                            s->name, (long)pid);
    log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (pid_file < 0 || log < 0)
        return ctl_complain(CTL_REFUSED, "cannot write to %s: %s",
                            pid_file < 0 ? s->pid_path : s->log_path, strerror(errno));
    add_program(&program);
    offset = lseek(log, 0, SEEK_END);
    pid = fork();
    if (pid == 0)
        become_server(program.ptr, c->rest, log, pid_file);
    if (pid < 0 || ftruncate(pid_file, 0) != 0 || dprintf(pid_file, "%ld\n", (long)pid) < 0)
        return ctl_complain(CTL_REFUSED, "cannot start a process: %s", strerror(errno));
    close(pid_file);
    close(log);
    return wait_until_ready(c, s, pid, offset);
}

enum ctl_exit cmd_start(struct ctl *c)
{
    struct service s;
    enum ctl_exit status = service_of(c, &s);

    if (!status)
        status = start_service(c, &s);
    service_release(&s);
    return status;
}

/* ---- stop -------------------------------------------------------------------------- */

static enum ctl_exit stop_service(const struct ctl *c, const struct service *s)
{
    int64_t deadline_ns = clock_monotonic_ns() + STOP_SECONDS * NS_PER_S;
    pid_t pid = running(s, NULL);

    if (!pid) {
        if (!c->quiet)
            fprintf(stderr, "s3memctl: %s does not run\n", s->name);
        return CTL_DONE;
    }
    if (pid < 0 || kill(pid, SIGTERM) != 0)
        return ctl_complain(CTL_REFUSED, "cannot stop %s: %s", s->name,
                            pid < 0 ? "it is just starting" : strerror(errno));
    while (running(s, NULL)) {
        if (clock_monotonic_ns() >= deadline_ns)
            return ctl_complain(CTL_REFUSED, "process %ld has not ended after %d seconds",
                                (long)pid, STOP_SECONDS);
        pause_ms(POLL_MS);
    }
    (void)unlink(s->pid_path);
    if (!c->quiet)
        printf("%s stopped\n", s->name);
    return CTL_DONE;
}

enum ctl_exit cmd_stop(struct ctl *c)
{
    struct service s;
    enum ctl_exit status = service_of(c, &s);

    if (!status)
        status = stop_service(c, &s);
    service_release(&s);
    return status;
}

/* ---- status ------------------------------------------------------------------------ */

static const char *version_at(struct ctl *c, const char *url, json_t **answer)
{
    AUTO_TARGET(t, "health");

    c->endpoint = url;
    (void)ctl_probe(c, &t, answer);
    return json_string_value(json_object_get(*answer, "version"));
}

static enum ctl_exit show_status(struct ctl *c, const struct service *s)
{
    pid_t pid = running(s, NULL);
    AUTO_BUF(url, KiB(4));
    bool known = address_in_log(s, 0, false, &url);
    json_t *answer = NULL;
    const char *version = pid && known ? version_at(c, url.ptr, &answer) : NULL;

    if (c->json) {
        ctl_print_json(c, json_pack("{s:s, s:b, s:i, s:s?, s:s?, s:s}", "name", s->name,
                                    "running", pid != 0, "pid", (int)(pid > 0 ? pid : 0), "url",
                                    pid && known ? url.ptr : NULL, "version", version, "log",
                                    s->log_path));
    } else if (!pid) {
        printf("%s does not run\n", s->name);
    } else {
        printf("%s runs: process %ld, %s, %s%s, log in %s\n", s->name, (long)pid,
               known ? url.ptr : "no address yet", version ? "version " : "does not answer",
               version ? version : "", s->log_path);
    }
    json_decref(answer);
    return pid ? CTL_DONE : CTL_UNREACHED;
}

enum ctl_exit cmd_status(struct ctl *c)
{
    struct service s;
    enum ctl_exit status = service_of(c, &s);

    if (!status)
        status = show_status(c, &s);
    service_release(&s);
    return status;
}

/* ---- logs -------------------------------------------------------------------------- */

/* To the start of the last so many lines. */
static void skip_to_last(FILE *log, uint64_t lines)
{
    uint64_t count = 0;
    int ch;

    while ((ch = getc(log)) != EOF)
        count += ch == '\n';
    rewind(log);
    while (count > lines && (ch = getc(log)) != EOF)
        count -= ch == '\n';
}

static void copy_rest(FILE *log)
{
    char text[KiB(8)];
    size_t n;

    while ((n = fread(text, 1, sizeof(text), log)) > 0)
        fwrite(text, 1, n, stdout);
    clearerr(log);
    fflush(stdout);
}

static enum ctl_exit show_log(const struct ctl *c, const struct service *s)
{
    const char *lines = ctl_option(c, "lines");
    uint64_t last = UINT64_MAX;
    FILE *log;

    if (lines && !str_to_u64(str_c(lines), &last))
        return ctl_complain(CTL_USAGE, "--lines takes a number");
    log = fopen(s->log_path, "re");
    if (!log)
        return ctl_complain(CTL_REFUSED, "%s: %s; s3memctl start makes it", s->log_path,
                            strerror(errno));
    if (lines)
        skip_to_last(log, last);
    copy_rest(log);
    while (ctl_option(c, "follow") && running(s, NULL)) {
        pause_ms(10 * POLL_MS);
        copy_rest(log);
    }
    fclose(log);
    return CTL_DONE;
}

enum ctl_exit cmd_logs(struct ctl *c)
{
    struct service s;
    enum ctl_exit status = service_of(c, &s);

    if (!status)
        status = show_log(c, &s);
    service_release(&s);
    return status;
}
