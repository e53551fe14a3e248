/* SPDX-License-Identifier: MIT */
/* profile.c - whose keys sign: options, environment, or a profile of AWS's files, which are
 * read as the AWS CLI reads them (RawConfigParser: names of keys without regard to case, a value
 * is what follows '=' or ':', comments have lines of their own). */
#include "ctl/ctl.h"

#include <stdlib.h>

#define LINE_MAX_BYTES KiB(16)

const char *ctl_variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* ~/.aws/NAME, or what the variable names. False: there is no home. */
static bool add_path(struct buf *path, const char *name_variable, const char *name)
{
    const char *given = ctl_variable(name_variable), *home = ctl_variable("HOME");

    if (given && strncmp(given, "~/", 2) == 0 && home)
        buf_addf(path, "%s/%s%c", home, given + 2, '\0');
    else if (given)
        buf_addf(path, "%s%c", given, '\0');
    else if (home)
        buf_addf(path, "%s/.aws/%s%c", home, name, '\0');
    return buf_ok(path) && path->len > 0;
}

/* "[dev]"; in the config file "[profile dev]", and "[default]" as it is. */
static bool is_section_of(struct str line, struct str profile, bool in_config)
{
    size_t end = str_find_char(line, ']');
    struct str name = end == SIZE_MAX ? STR("") : str_trim(str_of(line.ptr + 1, end - 1));

    if (!in_config || str_eq(name, STR("default")))
        return str_eq(name, profile);
    if (!str_has_prefix(name, STR("profile")))
        return false;
    return str_eq(str_trim(str_from(name, STR("profile").len)), profile);
}

/* The first file that names a value has it. */
static void take_setting(struct ctl_profile *p, struct str name, struct str value)
{
    struct {
        struct str name;
        char **field;
    } fields[] = {{STR("aws_access_key_id"), &p->access_key},
                  {STR("aws_secret_access_key"), &p->secret_key},
                  {STR("aws_session_token"), &p->session_token},
                  {STR("region"), &p->region},
                  {STR("endpoint_url"), &p->endpoint}};

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (str_eq_nocase(name, fields[i].name) && !*fields[i].field && value.len > 0)
            *fields[i].field = xstrndup(value);
    }
}

static void read_file(struct ctl_profile *p, const char *path, struct str profile,
                      bool in_config)
{
    FILE *file = fopen(path, "re");
    char text[LINE_MAX_BYTES];
    bool inside = false;

    while (file && fgets(text, sizeof(text), file)) {
        struct str line = str_of(text, strcspn(text, "\r\n"));
        size_t equals;

        /* An indented line continues a value, such as "s3 =": none of ours. */
        if (line.len == 0 || strchr("#; \t", line.ptr[0]))
            continue;
        if (line.ptr[0] == '[') {
            inside = is_section_of(line, profile, in_config);
            p->found |= inside;
            continue;
        }
        for (equals = 0; equals < line.len && !strchr("=:", line.ptr[equals]);)
            equals++;
        if (inside && equals < line.len)
            take_setting(p, str_trim(str_of(line.ptr, equals)),
                         str_trim(str_from(line, equals + 1)));
    }
    if (file)
        fclose(file);
}

void ctl_profile_read(struct ctl_profile *p, const char *name)
{
    AUTO_BUF(credentials, KiB(4));
    AUTO_BUF(config, KiB(4));

    if (add_path(&credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials"))
        read_file(p, credentials.ptr, str_c(name), false);
    if (add_path(&config, "AWS_CONFIG_FILE", "config"))
        read_file(p, config.ptr, str_c(name), true);
}

void ctl_profile_release(struct ctl_profile *p)
{
    mem_free(p->access_key);
    mem_free(p->secret_key);
    mem_free(p->session_token);
    mem_free(p->region);
    mem_free(p->endpoint);
}

/* ---- which keys -------------------------------------------------------------------- */

static bool use_keys(struct ctl *c, const char *access_key, const char *secret_key,
                     const char *session_token, const char *source)
{
    if (!access_key || !secret_key)
        return false;
    c->access_key = access_key;
    c->secret_key = secret_key;
    c->session_token = session_token;
    c->key_source = source;
    return true;
}

static void use_environment(struct ctl *c)
{
    (void)use_keys(c, ctl_variable("AWS_ACCESS_KEY_ID"), ctl_variable("AWS_SECRET_ACCESS_KEY"),
                   ctl_variable("AWS_SESSION_TOKEN"), "AWS_ACCESS_KEY_ID");
}

/* One key on the command line goes with the other of the environment. */
static void complete_options(struct ctl *c)
{
    c->key_source = "--access-key";
    if (!c->access_key)
        c->access_key = ctl_variable("AWS_ACCESS_KEY_ID");
    if (!c->secret_key)
        c->secret_key = ctl_variable("AWS_SECRET_ACCESS_KEY");
}

enum ctl_exit ctl_choose_keys(struct ctl *c, struct ctl_profile *p)
{
    const char *named = c->profile ? c->profile : ctl_variable("AWS_PROFILE");

    c->profile_name = named ? named : "default";
    ctl_profile_read(p, c->profile_name);
    if (c->profile && !p->found)
        return ctl_complain(CTL_USAGE,
                            "there is no profile '%s' in ~/.aws/credentials or config", named);
    if (c->access_key || c->secret_key)
        complete_options(c);
    else if (!c->profile)
        use_environment(c);
    if (!c->access_key && !c->secret_key)
        (void)use_keys(c, p->access_key, p->secret_key, p->session_token, "the profile");
    if (!c->region) {
        const char *region = ctl_variable("AWS_REGION");

        region = region ? region : ctl_variable("AWS_DEFAULT_REGION");
        region = region ? region : p->region;
        c->region_given = region;
        c->region = region ? region : "us-east-1";
    } else {
        c->region_given = c->region;
        c->region_is_option = true;
    }
    return CTL_DONE;
}
