/* SPDX-License-Identifier: MIT */
/* settings.c - defaults, then the file, then the environment, then flags: each replaces what
 * the one before it gave, lists as a whole. */
#include "config/table.h"

#define CONFIG_FILE_MAX MiB(1)

enum source { SOURCE_NONE, SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_FLAG };

/* What has been read so far. */
struct loading {
    struct settings settings;
    enum source *sources; /* one a row of the table: who gave it */
    struct buf *text;     /* for the user: what was wrong, or help */
};

/* A list starts anew when a stronger source names it. */
static void take_over(struct loading *l, const struct setting *s, enum source source)
{
    enum source *given = &l->sources[s - settings_table];

    if (s->type == SETTING_LIST && *given < source)
        setting_clear(s, &l->settings);
    *given = source;
}

static void load_defaults(struct loading *l)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *s = &settings_table[i];

        /* A test sees to it that every default parses. */
        if (!setting_parse_joined(s, &l->settings, str_c(s->default_text), l->text))
            return;
        l->sources[i] = SOURCE_DEFAULT;
    }
}

/* ---- file -------------------------------------------------------------------------- */

/* "key = value". False with a sentence in text. */
static bool load_line(struct loading *l, struct str line)
{
    const struct setting *s;
    struct str key, suggestion;
    char name[SETTING_NAME_SIZE];
    size_t equals;

    line = str_trim(line);
    if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
        return true;
    equals = str_find_char(line, '=');
    if (equals == SIZE_MAX) {
        buf_addf(l->text, "'%.*s' is not KEY = VALUE", (int)line.len, line.ptr);
        return false;
    }
    key = str_trim(str_of(line.ptr, equals));
    s = setting_find(key);
    if (!s || str_eq(key, STR("config"))) {
        suggestion = setting_suggest(key, SETTING_STYLE_KEY, name);
        buf_addf(l->text, "unknown key '%.*s'", (int)key.len, key.ptr);
        if (str_eq(key, STR("port")))
            buf_add(l->text, STR("; write listen = :PORT"));
        else if (!s && suggestion.len)
            buf_addf(l->text, "; did you mean '%s'?", name);
        return false;
    }
    take_over(l, s, SOURCE_FILE);
    l->settings.file_has_secret |=
        str_eq(key, STR("secret-key")) || str_eq(key, STR("metrics-token"));
    buf_addf(l->text, "%.*s: ", (int)key.len, key.ptr);
    if (!setting_parse(s, &l->settings, str_trim(str_from(line, equals + 1)), l->text))
        return false;
    return true;
}

static bool load_file(struct loading *l, const char *path)
{
    AUTO_BUF(content, CONFIG_FILE_MAX);
    struct str rest, line;
    size_t before = l->text->len;
    bool ok = true;
    int err;

    err = file_read(&content, path);
    if (err) {
        buf_addf(l->text, "s3memd: %s: %s\n", path, strerror(err));
        return false;
    }
    rest = buf_str(&content);
    for (unsigned number = 1; ok && str_split(&rest, '\n', &line); number++) {
        buf_addf(l->text, "s3memd: %s:%u: ", path, number);
        ok = load_line(l, line);
        if (ok)
            l->text->len = before;
        else
            buf_add_char(l->text, '\n');
    }
    /* It may hold the secret key. */
    if (content.ptr)
        mem_wipe(content.ptr, content.len);
    return ok;
}

/* ---- environment ------------------------------------------------------------------- */

/* Value of NAME; STR_NONE when it is not set or empty. */
static struct str env_get(const char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; *env; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=' && (*env)[len + 1])
            return str_c(*env + len + 1);
    }
    return STR_NONE;
}

static bool load_env(struct loading *l, const char *const *env)
{
    char name[SETTING_NAME_SIZE];
    size_t before = l->text->len;

    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *s = &settings_table[i];
        struct str value;

        if (s->type == SETTING_GROUP)
            continue;
        setting_env(s, name);
        value = env_get(env, name);
        if (!value.ptr)
            continue;
        take_over(l, s, SOURCE_ENV);
        buf_addf(l->text, "s3memd: %s: ", name);
        if (!setting_parse_joined(s, &l->settings, value, l->text)) {
            buf_add_char(l->text, '\n');
            return false;
        }
        l->text->len = before;
    }
    return true;
}

/* Kubernetes gives every container S3MEMD_PORT=tcp://10.0.0.1:4566, S3MEMD_SERVICE_HOST and more,
 * when a service is called s3memd. */
static bool is_service_link(struct str name, struct str value)
{
    return str_has_prefix(name, STR(SETTING_ENV_PREFIX "SERVICE_")) ||
           str_has_prefix(name, STR(SETTING_ENV_PREFIX "PORT_")) ||
           (str_eq(name, STR(SETTING_ENV_PREFIX "PORT")) &&
            str_has_prefix(value, STR("tcp://")));
}

static bool names_setting(struct str name)
{
    char known[SETTING_NAME_SIZE];

    for (size_t i = 0; i < settings_table_count; i++) {
        setting_env(&settings_table[i], known);
        if (settings_table[i].type != SETTING_GROUP && str_eq(name, str_c(known)))
            return true;
    }
    return false;
}

bool settings_env_is_strange(struct str variable, struct buf *text)
{
    size_t equals = str_find_char(variable, '=');
    struct str name = equals == SIZE_MAX ? variable : str_of(variable.ptr, equals);
    struct str value = equals == SIZE_MAX ? STR("") : str_from(variable, equals + 1);
    char close[SETTING_NAME_SIZE];

    if (!str_has_prefix(name, STR(SETTING_ENV_PREFIX)) || names_setting(name) ||
        is_service_link(name, value))
        return false;
    buf_addf(text, "unknown environment variable %.*s", (int)name.len, name.ptr);
    if (str_eq(name, STR(SETTING_ENV_PREFIX "PORT")))
        buf_add(text, STR("; write S3MEMD_LISTEN=:PORT"));
    else if (setting_suggest(name, SETTING_STYLE_ENV, close).len)
        buf_addf(text, "; did you mean %s?", close);
    return true;
}

/* ---- flags ------------------------------------------------------------------------- */

/* One argument, taken apart. */
struct flag {
    const struct setting *setting;
    struct str value;
};

static bool unknown_flag(struct str typed, struct buf *text)
{
    char name[SETTING_NAME_SIZE];

    buf_addf(text, "s3memd: unknown option '%.*s'", (int)typed.len, typed.ptr);
    if (setting_suggest(typed, SETTING_STYLE_FLAG, name).len)
        buf_addf(text, "; did you mean '%s'?\n", name);
    else
        buf_add(text, STR("; see s3memd --help\n"));
    return false;
}

/* "s3memd 4566", "s3memd :4566" and "s3memd localhost:4566" mean an address. */
static bool stray_argument(struct str arg, struct buf *text)
{
    size_t colon = str_find_char(arg, ':');
    struct str port = colon == SIZE_MAX ? arg : str_from(arg, colon + 1);
    uint64_t ignored;

    buf_addf(text, "s3memd: unexpected argument '%.*s'", (int)arg.len, arg.ptr);
    if (str_to_u64(port, &ignored))
        buf_addf(text, "; write --listen %.*s\n", (int)arg.len, arg.ptr);
    else
        buf_add(text, STR("; see s3memd --help\n"));
    return false;
}

/* Reads argv[*at] (and the next one, when it is the value) and moves *at behind it. */
static bool next_flag(struct flag *out, int argc, const char *const *argv, int *at,
                      struct buf *text)
{
    struct str arg = str_c(argv[(*at)++]);
    size_t equals = str_find_char(arg, '=');
    struct str typed = equals == SIZE_MAX ? arg : str_of(arg.ptr, equals);

    if (!str_has_prefix(arg, STR("-")))
        return stray_argument(arg, text);
    if (!str_has_prefix(arg, STR("--")))
        return unknown_flag(typed, text);
    /* What most servers call it; ADDR:PORT may be a port alone. */
    out->setting =
        setting_find(str_eq(typed, STR("--port")) ? STR("listen") : str_from(typed, 2));
    out->value = equals == SIZE_MAX ? STR_NONE : str_from(arg, equals + 1);
    if (!out->setting && str_has_prefix(typed, STR("--no-")) && equals == SIZE_MAX) {
        out->setting = setting_find(str_from(typed, strlen("--no-")));
        out->value = STR("no");
        if (out->setting && out->setting->type != SETTING_BOOL)
            out->setting = NULL;
    }
    if (!out->setting)
        return unknown_flag(typed, text);
    if (out->value.ptr)
        return true;
    if (out->setting->type == SETTING_BOOL) {
        out->value = STR("yes");
    } else if (setting_value_is_optional(out->setting)) {
        out->value = STR("main");
    } else if (*at < argc) {
        out->value = str_c(argv[(*at)++]);
    } else {
        buf_addf(text, "s3memd: %.*s needs a value (%s)\n", (int)typed.len, typed.ptr,
                 out->setting->metavar);
        return false;
    }
    return true;
}

static bool load_flags(struct loading *l, int argc, const char *const *argv)
{
    size_t before = l->text->len;
    struct flag flag;
    char name[SETTING_NAME_SIZE];

    for (int at = 1; at < argc;) {
        if (!next_flag(&flag, argc, argv, &at, l->text))
            return false;
        take_over(l, flag.setting, SOURCE_FLAG);
        setting_key(flag.setting, name);
        buf_addf(l->text, "s3memd: --%s: ", name);
        if (!setting_parse(flag.setting, &l->settings, flag.value, l->text)) {
            buf_add_char(l->text, '\n');
            return false;
        }
        l->text->len = before;
    }
    return true;
}

/* --check FILE, which goes with no other option. OK: it is not asked for. */
static enum settings_result find_check(int argc, const char *const *argv, struct buf *text)
{
    for (int i = 1; i < argc; i++) {
        struct str arg = str_c(argv[i]), path = STR("");
        bool joined = str_has_prefix(arg, STR("--check="));

        if (joined)
            path = str_from(arg, strlen("--check="));
        else if (!str_eq(arg, STR("--check")))
            continue;
        else if (i + 1 < argc)
            path = str_c(argv[i + 1]);
        if (path.len == 0 || argc != (joined ? 2 : 3)) {
            buf_add(text, STR("s3memd: --check needs a FILE, and goes with no other option\n"));
            return SETTINGS_WRONG;
        }
        buf_add(text, path);
        buf_add_char(text, '\0');
        return SETTINGS_CHECK;
    }
    return SETTINGS_OK;
}

/* --help, --version, and the manual's source. */
static bool show(int argc, const char *const *argv, struct buf *text)
{
    for (int i = 1; i < argc; i++) {
        struct str arg = str_c(argv[i]);

        if (str_eq(arg, STR("--help")) || str_eq(arg, STR("-h")))
            settings_help(text);
        else if (str_eq(arg, STR("--version")) || str_eq(arg, STR("-V")))
            buf_add(text, STR("s3memd " S3MEM_VERSION "\n"));
        else if (str_eq(arg, STR("--help-man")))
            settings_man(text, false);
        else if (str_eq(arg, STR("--help-man-conf")))
            settings_man(text, true);
        else
            continue;
        return true;
    }
    return false;
}

/* The file that flags, or else the environment, name; STR_NONE without. Flags that do not parse
 * are reported when they are loaded. */
static struct str config_path(int argc, const char *const *argv, const char *const *env)
{
    AUTO_BUF(ignored, KiB(4));
    struct str path = env_get(env, "S3MEMD_CONFIG");
    struct flag flag;

    for (int at = 1; at < argc && next_flag(&flag, argc, argv, &at, &ignored);) {
        if (strcmp(flag.setting->name, "config") == 0)
            path = flag.value;
    }
    return path;
}

static bool load_all(struct loading *l, int argc, const char *const *argv,
                     const char *const *env)
{
    struct str path = config_path(argc, argv, env);
    AUTO_BUF(path_c, KiB(4));

    load_defaults(l);
    if (path.len) {
        buf_add(&path_c, path);
        buf_add_char(&path_c, '\0');
        if (!buf_ok(&path_c)) {
            buf_add(l->text, STR("s3memd: --config: the path is too long\n"));
            return false;
        }
        if (!load_file(l, path_c.ptr))
            return false;
    }
    return load_env(l, env) && load_flags(l, argc, argv);
}

enum settings_result settings_load(struct settings *out, int argc, const char *const *argv,
                                   const char *const *env, struct buf *text)
{
    struct loading l = {.text = text};
    enum settings_result check;
    bool ok;

    if (show(argc, argv, text))
        return SETTINGS_SHOWN;
    check = find_check(argc, argv, text);
    if (check != SETTINGS_OK)
        return check;
    l.sources = xcalloc(settings_table_count, sizeof(*l.sources));
    ok = load_all(&l, argc, argv, env);
    l.settings.listen_is_default =
        l.sources[setting_find(STR("listen")) - settings_table] == SOURCE_DEFAULT;
    mem_free(l.sources);
    if (!ok) {
        settings_release(&l.settings);
        return SETTINGS_WRONG;
    }
    *out = l.settings;
    return SETTINGS_OK;
}

void settings_release(struct settings *s)
{
    if (s->secret_key)
        mem_wipe(s->secret_key, strlen(s->secret_key));
    if (s->metrics_token)
        mem_wipe(s->metrics_token, strlen(s->metrics_token));
    for (size_t i = 0; i < settings_table_count; i++)
        setting_clear(&settings_table[i], s);
}
