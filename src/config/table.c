/* SPDX-License-Identifier: MIT */
/* table.c - rows of settings.def: names, suggestions, values. */
#include "config/table.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>

const struct setting settings_table[] = {
#define GROUP(title) {SETTING_GROUP, title, 0, "", 0, 0, "", ""},
#define SET(name, type, default_text, min, max, metavar, help)                                 \
    {SETTING_##type, #name, offsetof(struct settings, name), default_text, min, max,           \
     metavar,        help},
#include "config/settings.def"
#undef SET
#undef GROUP
};
const size_t settings_table_count = ARRAY_LEN(settings_table);

/* ---- names ------------------------------------------------------------------------- */

void setting_key(const struct setting *s, char out[SETTING_NAME_SIZE])
{
    snprintf(out, SETTING_NAME_SIZE, "%s", s->name);
    for (char *c = out; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
}

void setting_env(const struct setting *s, char out[SETTING_NAME_SIZE])
{
    snprintf(out, SETTING_NAME_SIZE, SETTING_ENV_PREFIX "%s", s->name);
    for (char *c = out; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

const struct setting *setting_find(struct str key)
{
    char name[SETTING_NAME_SIZE];

    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *s = &settings_table[i];

        if (s->type == SETTING_GROUP)
            continue;
        setting_key(s, name);
        if (str_eq(str_c(name), key))
            return s;
    }
    return NULL;
}

/* Levenshtein; SIZE_MAX when either is too long to matter. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[SETTING_NAME_SIZE + 1];

    if (a.len > SETTING_NAME_SIZE || b.len > SETTING_NAME_SIZE)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

static void consider(struct str typed, const char *candidate, size_t *best,
                     char out[SETTING_NAME_SIZE])
{
    size_t distance = edit_distance(typed, str_c(candidate));

    if (distance < *best) {
        *best = distance;
        snprintf(out, SETTING_NAME_SIZE, "%s", candidate);
    }
}

static void setting_styled(const struct setting *s, enum setting_style style,
                           char out[SETTING_NAME_SIZE])
{
    if (style == SETTING_STYLE_ENV) {
        setting_env(s, out);
    } else {
        char *name = style == SETTING_STYLE_FLAG ? out + 2 : out;

        memcpy(out, "--", 2);
        setting_key(s, name);
    }
}

struct str setting_suggest(struct str typed, enum setting_style style,
                           char out[SETTING_NAME_SIZE])
{
    size_t prefix = style == SETTING_STYLE_FLAG  ? strlen("--")
                    : style == SETTING_STYLE_ENV ? strlen(SETTING_ENV_PREFIX)
                                                 : 0;
    size_t letters = typed.len > prefix ? typed.len - prefix : 0;
    /* One slip in three letters, and at least two. */
    size_t best = 1 + (letters / 3 > 2 ? letters / 3 : 2);
    char candidate[SETTING_NAME_SIZE * 2];

    out[0] = '\0';
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *s = &settings_table[i];

        if (s->type == SETTING_GROUP)
            continue;
        setting_styled(s, style, candidate);
        consider(typed, candidate, &best, out);
        if (s->type != SETTING_BOOL || style != SETTING_STYLE_FLAG)
            continue;
        memcpy(candidate, "--no-", 5);
        setting_key(s, candidate + 5);
        consider(typed, candidate, &best, out);
    }
    if (style == SETTING_STYLE_FLAG) {
        consider(typed, "--help", &best, out);
        consider(typed, "--version", &best, out);
        consider(typed, "--check", &best, out);
        consider(typed, "--port", &best, out);
    }
    return str_c(out);
}

/* ---- values ------------------------------------------------------------------------ */

static void *field_of(const struct setting *s, struct settings *out)
{
    return (char *)out + s->offset;
}

static bool parse_bool(bool *out, struct str text, struct buf *why)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(text, str_c(yes[i])) || str_eq_nocase(text, str_c(no[i]))) {
            *out = str_eq_nocase(text, str_c(yes[i]));
            return true;
        }
    }
    buf_addf(why, "'%.*s' is neither yes nor no", (int)text.len, text.ptr);
    return false;
}

static bool parse_duration(uint64_t *out_ms, struct str text, struct buf *why)
{
    static const struct {
        struct str suffix;
        uint64_t ms;
    } units[] = {{STR("ms"), 1}, {STR("s"), 1000}, {STR("m"), 60000}, {STR("h"), 3600000}};
    struct str digits = text;
    uint64_t unit_ms = 1000, count;

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_has_suffix(text, units[i].suffix)) {
            digits.len = text.len - units[i].suffix.len;
            unit_ms = units[i].ms;
            break;
        }
    }
    if (!str_to_u64(digits, &count) || count > UINT64_MAX / unit_ms) {
        buf_addf(why, "'%.*s' is not a time (such as 30, 500ms or 2m)", (int)text.len,
                 text.ptr);
        return false;
    }
    *out_ms = count * unit_ms;
    return true;
}

static bool parse_enum(const struct setting *s, unsigned *out, struct str text, struct buf *why)
{
    struct str words = str_c(s->metavar), word;

    for (unsigned i = 0; str_split(&words, '|', &word); i++) {
        if (str_eq(word, text)) {
            *out = i;
            return true;
        }
    }
    buf_addf(why, "'%.*s' is none of %s", (int)text.len, text.ptr, s->metavar);
    return false;
}

/* The number behind a SIZE, INT or DURATION. */
static bool parse_number(const struct setting *s, uint64_t *out, struct str text,
                         struct buf *why)
{
    switch (s->type) {
    case SETTING_DURATION:
        return parse_duration(out, text, why);
    case SETTING_SIZE:
        if (str_to_size(text, out))
            return true;
        buf_addf(why, "'%.*s' is not a size (such as 4096, 64MiB or 1GiB)", (int)text.len,
                 text.ptr);
        return false;
    default:
        if (str_to_u64(text, out))
            return true;
        buf_addf(why, "'%.*s' is not a whole number", (int)text.len, text.ptr);
        return false;
    }
}

static bool parse_bounded(const struct setting *s, uint64_t *out, struct str text,
                          struct buf *why)
{
    const char *unit = s->type == SETTING_SIZE       ? " bytes"
                       : s->type == SETTING_DURATION ? " ms"
                                                     : "";
    uint64_t value, usual;

    if (!parse_number(s, &value, text, why))
        return false;
    if ((value < s->min || value > s->max) &&
        !(parse_number(s, &usual, str_c(s->default_text), why) && value == usual)) {
        buf_addf(why, "%.*s is out of range (%s, or %llu to %llu%s)", (int)text.len, text.ptr,
                 s->default_text, (unsigned long long)s->min, (unsigned long long)s->max, unit);
        return false;
    }
    *out = value;
    return true;
}

static void list_add(struct str_list *list, struct str item)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = xstrndup(item);
}

bool setting_parse(const struct setting *s, struct settings *out, struct str text,
                   struct buf *why)
{
    void *field = field_of(s, out);

    switch (s->type) {
    case SETTING_GROUP:
        return true;
    case SETTING_STRING:
        mem_free(*(char **)field);
        *(char **)field = xstrndup(text);
        return true;
    case SETTING_LIST:
        if (text.len == 0) {
            buf_add(why, STR("the value is empty"));
            return false;
        }
        list_add(field, text);
        return true;
    case SETTING_BOOL:
        return parse_bool(field, text, why);
    case SETTING_SIZE:
    case SETTING_INT:
    case SETTING_DURATION:
        return parse_bounded(s, field, text, why);
    case SETTING_ENUM:
        return parse_enum(s, field, text, why);
    }
    return false;
}

bool setting_parse_joined(const struct setting *s, struct settings *out, struct str text,
                          struct buf *why)
{
    struct str item;

    if (s->type != SETTING_LIST)
        return setting_parse(s, out, text, why);
    while (str_split(&text, ',', &item)) {
        item = str_trim(item);
        if (item.len)
            list_add(field_of(s, out), item);
    }
    return true;
}

void setting_clear(const struct setting *s, struct settings *out)
{
    void *field = field_of(s, out);

    if (s->type == SETTING_STRING) {
        mem_free(TAKE(*(char **)field));
    } else if (s->type == SETTING_LIST) {
        struct str_list *list = field;

        for (size_t i = 0; i < list->count; i++)
            mem_free(list->items[i]);
        mem_free(list->items);
        *list = (struct str_list){0};
    }
}
