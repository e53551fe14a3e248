/* SPDX-License-Identifier: MIT */
/* table.h - settings.def as an array, and what is done with one row. */
#ifndef S3MEM_CONFIG_TABLE_H
#define S3MEM_CONFIG_TABLE_H

#include "config/config.h"

enum setting_type {
    SETTING_GROUP, /* a heading of --help, no setting */
    SETTING_STRING,
    SETTING_LIST,
    SETTING_BOOL,
    SETTING_SIZE,
    SETTING_INT,
    SETTING_DURATION,
    SETTING_ENUM,
};

struct setting {
    enum setting_type type;
    const char *name; /* "max_memory"; the title of a group */
    size_t offset;    /* in struct settings */
    const char *default_text;
    uint64_t min, max;
    const char *metavar, *help;
};

/* "--branch-per-key" and "--branch-per-key=SNAPSHOT" */
static inline bool setting_value_is_optional(const struct setting *s)
{
    return s->metavar[0] == '[';
}

extern const struct setting settings_table[];
extern const size_t settings_table_count;

#define SETTING_NAME_SIZE  64
#define SETTING_ENV_PREFIX "S3MEMD_"
/* "max-memory": the flag without its dashes, and the key in the file. */
void setting_key(const struct setting *s, char out[SETTING_NAME_SIZE]);
/* "S3MEMD_MAX_MEMORY" */
void setting_env(const struct setting *s, char out[SETTING_NAME_SIZE]);
/* NULL when there is none. */
const struct setting *setting_find(struct str key);
/* How a name is written: max-memory, --max-memory, S3MEMD_MAX_MEMORY. */
enum setting_style { SETTING_STYLE_KEY, SETTING_STYLE_FLAG, SETTING_STYLE_ENV };
/* The known name closest to what was typed ("--lissten" -> "--listen"), in the same style; empty
 * when none is close. */
struct str setting_suggest(struct str typed, enum setting_style style,
                           char out[SETTING_NAME_SIZE]);

/* Parses text into the setting's field; a LIST gets one more item. False with why appended. */
MUST_CHECK bool setting_parse(const struct setting *s, struct settings *out, struct str text,
                              struct buf *why);
/* Parses the default, or for LIST the items between commas. */
MUST_CHECK bool setting_parse_joined(const struct setting *s, struct settings *out,
                                     struct str text, struct buf *why);
/* Empties the field. */
void setting_clear(const struct setting *s, struct settings *out);

#endif
