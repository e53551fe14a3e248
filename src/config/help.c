/* SPDX-License-Identifier: MIT */
/* help.c - the table as --help text and as roff for the manual pages. */
#include "config/table.h"

#include <stdio.h>

#define HELP_WIDTH  79
#define HELP_INDENT 26

/* ---- --help ------------------------------------------------------------------------ */

/* Appends text at column `at`, wrapped at blanks, with later lines indented. */
static void add_wrapped(struct buf *out, struct str text, size_t at, int indent)
{
    size_t margin = (size_t)indent;
    struct str word;

    while (str_split(&text, ' ', &word)) {
        if (at > margin && at + 1 + word.len > HELP_WIDTH) {
            buf_addf(out, "\n%*s", indent, "");
            at = margin;
        } else if (at > margin) {
            buf_add_char(out, ' ');
            at++;
        }
        buf_add(out, word);
        at += word.len;
    }
    buf_add_char(out, '\n');
}

static void add_default(struct buf *out, const struct setting *s)
{
    if (s->default_text[0])
        buf_addf(out, " [%s]", s->default_text);
}

static void help_setting(struct buf *out, const struct setting *s)
{
    char key[SETTING_NAME_SIZE], flag[SETTING_NAME_SIZE * 2];
    AUTO_BUF(text, KiB(4));
    int width;

    setting_key(s, key);
    width = s->type == SETTING_BOOL
                ? snprintf(flag, sizeof(flag), "  --[no-]%s", key)
                : snprintf(flag, sizeof(flag), "  --%s%s%s", key,
                           setting_value_is_optional(s) ? "" : "=", s->metavar);
    buf_add_c(out, flag);
    if (width > HELP_INDENT - 2)
        buf_addf(out, "\n%*s", HELP_INDENT, "");
    else
        buf_addf(out, "%*s", HELP_INDENT - width, "");
    buf_add_c(&text, s->help);
    add_default(&text, s);
    add_wrapped(out, buf_str(&text), HELP_INDENT, HELP_INDENT);
}

void settings_help(struct buf *out)
{
    buf_add(out, STR("Usage: s3memd [OPTION]...\n"
                     "S3-compatible server whose buckets live in memory.\n"));
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *s = &settings_table[i];

        if (s->type == SETTING_GROUP)
            buf_addf(out, "\n%s:\n", s->name);
        else
            help_setting(out, s);
    }
    buf_addf(out, "  --%-*s%s\n", HELP_INDENT - 4, "port=N", "the same as --listen=:N");
    buf_addf(out, "  --%-*s", HELP_INDENT - 4, "check=FILE");
    add_wrapped(
        out,
        STR("instead of serving, say what this database, snapshot document, MemoryClient's "
            "JSON "
            "file or backup holds, or what is wrong with it; it goes with no other option"),
        HELP_INDENT, HELP_INDENT);
    buf_addf(out, "  -%-*s%s\n  -%-*s%s\n", HELP_INDENT - 3, "h, --help", "show this text",
             HELP_INDENT - 3, "V, --version", "show the version");
    buf_add_char(out, '\n');
    add_wrapped(
        out,
        STR("Every option has an environment variable (--max-memory: S3MEMD_MAX_MEMORY) "
            "and a key in the --config file (max-memory = 1GiB). Options come first, then "
            "the environment, then the file."),
        0, 0);
    buf_add_char(out, '\n');
    add_wrapped(
        out,
        STR("Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start, 2 for wrong "
            "settings, 3 when --check finds a file that is not good."),
        0, 0);
}

/* ---- roff -------------------------------------------------------------------------- */

static void add_roff(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '-')
            buf_add(out, STR("\\-"));
        else if (text.ptr[i] == '\\')
            buf_add(out, STR("\\e"));
        else
            buf_add_char(out, text.ptr[i]);
    }
}

static void man_setting(struct buf *out, const struct setting *s, bool config_file)
{
    char name[SETTING_NAME_SIZE];

    buf_add(out, STR(".TP\n\\fB"));
    setting_key(s, name);
    if (!config_file)
        buf_add_c(out, s->type == SETTING_BOOL ? "\\-\\-\\fR[\\fBno\\-\\fR]\\fB" : "\\-\\-");
    add_roff(out, str_c(name));
    buf_add_c(out, config_file                                               ? "\\fR = \\fI"
                   : s->type == SETTING_BOOL || setting_value_is_optional(s) ? "\\fI"
                                                                             : "\\fR=\\fI");
    if (config_file && s->type == SETTING_BOOL)
        buf_add(out, STR("yes|no"));
    if (config_file && setting_value_is_optional(s)) /* "[=SNAPSHOT]" */
        add_roff(out, str_of(s->metavar + 2, strlen(s->metavar) - 3));
    else
        add_roff(out, str_c(s->metavar));
    buf_add(out, STR("\\fR\n"));
    add_roff(out, str_c(s->help));
    buf_add(out, STR(".\n"));
    if (s->default_text[0]) {
        buf_add(out, STR("Default: "));
        add_roff(out, str_c(s->default_text));
        buf_add(out, STR(".\n"));
    }
    if (!config_file) {
        setting_env(s, name);
        buf_addf(out, "Environment: %s.\n", name);
    }
}

void settings_man(struct buf *out, bool config_file)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *s = &settings_table[i];

        if (config_file && strcmp(s->name, "config") == 0)
            continue;
        if (s->type != SETTING_GROUP)
            man_setting(out, s, config_file);
        else if (!config_file || i + 2 < settings_table_count)
            buf_addf(out, ".SS %s\n", s->name);
    }
}
