/* SPDX-License-Identifier: MIT */
/* config.h - the door of room config: settings from flags, environment, file and defaults, in
 * this order of precedence. src/config/settings.def has a row for each. */
#ifndef S3MEM_CONFIG_H
#define S3MEM_CONFIG_H

#include "base/base.h"

struct str_list {
    char **items; /* owned, NUL-terminated */
    size_t count;
};

#define SETTING_FIELD_STRING   char * /* owned, never NULL; "" = not set */
#define SETTING_FIELD_LIST     struct str_list
#define SETTING_FIELD_BOOL     bool
#define SETTING_FIELD_SIZE     uint64_t /* bytes */
#define SETTING_FIELD_DURATION uint64_t /* milliseconds */
#define SETTING_FIELD_INT      uint64_t
#define SETTING_FIELD_ENUM     unsigned /* index of the word */

/* A field each: settings->max_memory ... */
struct settings {
#define GROUP(title)
#define SET(name, type, default_text, min, max, metavar, help) SETTING_FIELD_##type name;
#include "config/settings.def"
#undef SET
#undef GROUP
    bool listen_is_default; /* nobody named an address */
    bool file_has_secret;   /* the --config file gives a secret key or token */
};

enum settings_result {
    SETTINGS_OK,
    SETTINGS_SHOWN, /* --help or --version: print text on standard output, exit 0 */
    SETTINGS_CHECK, /* --check: text is the file's path, ended by NUL */
    SETTINGS_WRONG, /* text says what was wrong: print it on standard error, exit 2 */
};

/* Reads everything. argv[0] is skipped; env is a NULL-terminated "NAME=VALUE" array. An
 * environment variable that is set but empty counts as not set.
 * out  filled only on SETTINGS_OK; settings_release */
MUST_CHECK enum settings_result settings_load(struct settings *out, int argc,
                                              const char *const *argv, const char *const *env,
                                              struct buf *text);
/* Is "NAME=VALUE" meant for us and no setting? Then a sentence, without the value, is appended. */
bool settings_env_is_strange(struct str variable, struct buf *text);
void settings_release(struct settings *s);

/* What --help prints. */
void settings_help(struct buf *out);
/* The same in roff: options of s3memd(8), or keys of s3memd.conf(5). */
void settings_man(struct buf *out, bool config_file);

#endif
