/* SPDX-License-Identifier: MIT */
/* init_command.c - what runs an init script: python3 a .py, else the interpreter that its first
 * line names, else sh a .sh; an executable of another name runs itself. */
#include "daemon/init_scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what a file is ---------------------------------------------------------------- */

static bool has_suffix(const char *path, const char *suffix)
{
    return str_has_suffix(str_c(path), str_c(suffix));
}

/* Reads the first bytes of a file, NUL-terminated. False: errno tells. */
static bool read_start(const char *path, char line[INIT_LINE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, line, INIT_LINE_MAX - 1);
    int err = errno;

    if (fd >= 0)
        close(fd);
    line[got < 0 ? 0 : got] = '\0';
    errno = err;
    return got >= 0;
}

static bool is_program(const char *line)
{
    return strncmp(line, "#!", 2) == 0 || strncmp(line, "\177ELF", 4) == 0;
}

const char *init_command_refusal(const char *path)
{
    char line[INIT_LINE_MAX];

    if (has_suffix(path, ".sh") || has_suffix(path, ".py"))
        return NULL;
    if (access(path, X_OK) < 0)
        return "it is neither .sh, .py nor executable";
    if (!read_start(path, line))
        return "it is neither .sh nor .py, and cannot be read";
    return is_program(line) ? NULL : "it is neither .sh, .py, #! nor a program";
}

/* ---- programs ---------------------------------------------------------------------- */

static bool is_executable_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

const char *init_program_path(void)
{
    const char *path = getenv("PATH");

    return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

char *init_program_find(const char *name)
{
    struct str rest = str_c(init_program_path()), part;

    while (str_split(&rest, ':', &part)) {
        AUTO_BUF(file, KiB(4));

        buf_addf(&file, "%.*s/%s", (int)part.len, part.ptr, name);
        buf_add_char(&file, '\0');
        if (part.len > 0 && buf_ok(&file) && is_executable_file(file.ptr))
            return xstrdup(file.ptr);
    }
    return NULL;
}

/* ---- the command ------------------------------------------------------------------- */

/* Splits "#! INTERPRETER [ARGUMENT]" as the kernel does: one argument, blanks and all. */
static bool read_interpreter(struct init_command *out, char *path, struct buf *why)
{
    char *end = out->line + strcspn(out->line, "\n"), *word, *argument;
    bool cr = end[-1] == '\r';
    size_t n = 0;

    if (*end != '\n' && strlen(out->line) == INIT_LINE_MAX - 1) {
        buf_add(why, STR("its first line is too long"));
        return false;
    }
    while (end > out->line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *end = '\0';
    word = out->line + 2 + strspn(out->line + 2, " \t");
    argument = word + strcspn(word, " \t");
    if (*argument)
        *argument++ = '\0';
    argument += strspn(argument, " \t");
    if (cr) {
        buf_add(why, STR("its first line ends in CR LF, which no interpreter's name does"));
        return false;
    }
    if (!is_executable_file(word)) {
        buf_addf(why, "there is no interpreter %s", word);
        return false;
    }
    out->argv[n++] = word;
    if (*argument)
        out->argv[n++] = argument;
    out->argv[n] = path;
    return true;
}

bool init_command_find(struct init_command *out, const char *path, struct buf *why)
{
    static char shell[] = "/bin/sh";
    char *script = (char *)(uintptr_t)path;

    *out = (struct init_command){0};
    if (has_suffix(path, ".py")) {
        out->found = init_program_find("python3");
        out->argv[0] = out->found;
        out->argv[1] = script;
        if (!out->found)
            buf_add(why, STR("there is no python3 on PATH"));
        return out->found != NULL;
    }
    if (!read_start(path, out->line)) {
        buf_add_c(why, strerror(errno));
        return false;
    }
    if (strncmp(out->line, "#!", 2) == 0)
        return read_interpreter(out, script, why);
    out->argv[0] = has_suffix(path, ".sh") ? shell : script;
    out->argv[1] = has_suffix(path, ".sh") ? script : NULL;
    return true;
}

void init_command_release(struct init_command *command)
{
    mem_free(command->found);
}
