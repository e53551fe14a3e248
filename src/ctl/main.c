/* SPDX-License-Identifier: MIT */
/* main.c - s3memctl from its arguments to its exit status. */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_ENDPOINT "http://127.0.0.1:4566"

enum ctl_exit ctl_complain(enum ctl_exit status, const char *fmt, ...)
{
    AUTO_BUF(text, KiB(64));
    AUTO_BUF(shown, KiB(64));
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    ctl_add_printable(&shown, buf_ok(&text) ? buf_str(&text) : str_c(fmt));
    fprintf(stderr, "s3memctl: %.*s\n", (int)shown.len, shown.ptr ? shown.ptr : "");
    return status;
}

const char *ctl_option(const struct ctl *c, const char *name)
{
    for (size_t i = 0; i < CTL_OPTS_MAX && c->command->options[i].name; i++) {
        if (strcmp(c->command->options[i].name, name) == 0)
            return c->values[i];
    }
    return NULL;
}

/* ---- options of every command ------------------------------------------------------ */

struct global {
    const char *name, *metavar, *help;
    size_t offset; /* of a const char * or bool of struct ctl */
};

#define VALUE(name, metavar, field, help)                                                      \
    {                                                                                          \
        name, metavar, help, offsetof(struct ctl, field)                                       \
    }
#define FLAG(name, field, help)                                                                \
    {                                                                                          \
        name, NULL, help, offsetof(struct ctl, field)                                          \
    }
static const struct global globals[] = {
    VALUE("endpoint", "URL", endpoint,
          "the server (S3MEMCTL_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL; "
          "default " DEFAULT_ENDPOINT "); http+unix:PATH for a socket"),
    VALUE("branch", "BRANCH", branch,
          "the branch (the one named like the access key, if it exists, else main)"),
    FLAG("json", json, "print the server's JSON"),
    FLAG("quiet", quiet, "no progress bars and no remarks"),
    VALUE("access-key", "KEY", access_key, "sign requests (AWS_ACCESS_KEY_ID)"),
    VALUE("secret-key", "SECRET", secret_key, "its secret (AWS_SECRET_ACCESS_KEY)"),
    VALUE("profile", "PROFILE", profile,
          "sign with the keys of this profile of ~/.aws (AWS_PROFILE; default)"),
    VALUE("region", "REGION", region, "region to sign for (AWS_REGION; us-east-1)"),
    VALUE("cacert", "FILE", ca_file, "trust this certificate authority (PEM)"),
    FLAG("insecure", insecure, "trust any certificate"),
};

/* ---- help -------------------------------------------------------------------------- */

static void print_option(const char *name, const char *metavar, const char *help)
{
    char flag[64];

    snprintf(flag, sizeof(flag), "--%s%s%s", name, metavar ? " " : "", metavar ? metavar : "");
    printf("  %-26s %s\n", flag, help);
}

static void print_globals(void)
{
    for (size_t i = 0; i < ARRAY_LEN(globals); i++)
        print_option(globals[i].name, globals[i].metavar, globals[i].help);
}

static enum ctl_exit print_help(void)
{
    puts("Usage: s3memctl [OPTION]... COMMAND [ARGUMENT]...\n"
         "Looks after the state of an s3memd server.\n\nCommands:");
    for (const struct ctl_command *k = ctl_commands; k->name; k++)
        printf("  %-12s %s\n", k->name, k->summary);
    puts("\nOptions of every command:");
    print_globals();
    puts("\ns3memctl COMMAND --help tells more. See s3memctl(1).");
    return CTL_DONE;
}

static enum ctl_exit print_command_help(const struct ctl_command *k)
{
    printf("Usage: s3memctl %s%s%s [OPTION]...\n%s.\n", k->name, *k->arguments ? " " : "",
           k->arguments, k->summary);
    if (k->options[0].name)
        puts("\nOptions:");
    for (size_t i = 0; i < CTL_OPTS_MAX && k->options[i].name; i++)
        print_option(k->options[i].name, k->options[i].metavar, k->options[i].help);
    puts("\nOptions of every command:");
    print_globals();
    return CTL_DONE;
}

/* For the shells' completion: the words that may follow. */
static enum ctl_exit print_words(const struct ctl_command *k)
{
    if (!k) {
        for (k = ctl_commands; k->name; k++)
            puts(k->name);
        return CTL_DONE;
    }
    for (size_t i = 0; i < CTL_OPTS_MAX && k->options[i].name; i++)
        printf("--%s\n", k->options[i].name);
    for (size_t i = 0; i < ARRAY_LEN(globals); i++)
        printf("--%s\n", globals[i].name);
    return CTL_DONE;
}

/* ---- reading the arguments --------------------------------------------------------- */

static const struct ctl_command *find_command(const char *name)
{
    for (const struct ctl_command *k = ctl_commands; k->name; k++) {
        if (strcmp(k->name, name) == 0)
            return k;
    }
    return NULL;
}

/* Where the server is, unless an option says so. */
static void choose_endpoint(struct ctl *c)
{
    static const char *const variables[] = {"S3MEMCTL_ENDPOINT", "AWS_ENDPOINT_URL_S3",
                                            "AWS_ENDPOINT_URL"};

    if (c->endpoint) {
        c->endpoint_source = "--endpoint";
        return;
    }
    c->endpoint = DEFAULT_ENDPOINT;
    for (size_t i = ARRAY_LEN(variables); i-- > 0;) {
        const char *value = getenv(variables[i]);

        if (!value || !*value)
            continue;
        c->endpoint = value;
        c->endpoint_source = variables[i];
    }
}

struct arguments {
    char **at; /* the next one */
    bool help;
};

/* The option's value: behind '=' or the next argument. NULL: there is none, and a word is said
 * about it. */
static const char *option_value(struct arguments *args, struct str name,
                                const char *inline_value)
{
    if (inline_value)
        return inline_value;
    if (*args->at)
        return *args->at++;
    ctl_complain(CTL_USAGE, "--%.*s needs a value", (int)name.len, name.ptr);
    return NULL;
}

static enum ctl_exit no_value(struct str name)
{
    return ctl_complain(CTL_USAGE, "--%.*s takes no value", (int)name.len, name.ptr);
}

/* --name[=value], of the command or of all. */
static enum ctl_exit read_option(struct ctl *c, struct arguments *args, const char *text)
{
    size_t equals = strcspn(text, "=");
    struct str name = str_of(text, equals);
    const char *value = text[equals] ? text + equals + 1 : NULL;

    for (size_t i = 0; c->command && i < CTL_OPTS_MAX && c->command->options[i].name; i++) {
        const struct ctl_option *o = &c->command->options[i];

        if (!str_eq(str_c(o->name), name))
            continue;
        if (!o->metavar && value)
            return no_value(name);
        c->values[i] = o->metavar ? option_value(args, name, value) : "";
        return c->values[i] ? CTL_DONE : CTL_USAGE;
    }
    for (size_t i = 0; i < ARRAY_LEN(globals); i++) {
        char *field = (char *)c + globals[i].offset;

        if (!str_eq(str_c(globals[i].name), name))
            continue;
        if (!globals[i].metavar) {
            *(bool *)field = true;
            return value ? no_value(name) : CTL_DONE;
        }
        value = option_value(args, name, value);
        *(const char **)field = value;
        return value ? CTL_DONE : CTL_USAGE;
    }
    return ctl_complain(CTL_USAGE, "unknown option --%.*s; see s3memctl %s%s--help",
                        (int)name.len, name.ptr, c->command ? c->command->name : "",
                        c->command ? " " : "");
}

static enum ctl_exit read_argument(struct ctl *c, const char *text)
{
    if (!c->command) {
        c->command = find_command(text);
        if (!c->command)
            return ctl_complain(CTL_USAGE, "unknown command '%s'; see s3memctl --help", text);
        return CTL_DONE;
    }
    if (c->arg_count == c->command->max_args)
        return ctl_complain(CTL_USAGE, "unexpected argument '%s'; usage: s3memctl %s %s", text,
                            c->command->name, c->command->arguments);
    c->args[c->arg_count++] = text;
    return CTL_DONE;
}

static enum ctl_exit take_rest(struct ctl *c, struct arguments *args)
{
    size_t count = 0;

    c->rest = args->at;
    while (c->rest[count])
        count++;
    if (count > CTL_REST_MAX)
        return ctl_complain(CTL_USAGE,
                            "more than %d options of s3memd; a file given by --config "
                            "holds any number",
                            CTL_REST_MAX);
    return CTL_DONE;
}

static enum ctl_exit read_arguments(struct ctl *c, struct arguments *args)
{
    bool options = true;

    while (*args->at) {
        const char *text = *args->at++;
        enum ctl_exit status;

        if (options && strcmp(text, "--") == 0) {
            if (c->command && str_has_prefix(str_c(c->command->arguments), STR("[-- ")))
                return take_rest(c, args);
            options = false;
            continue;
        }
        if (options && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
            args->help = true;
            continue;
        }
        if (options && strcmp(text, "-d") == 0)
            text = "--delete";
        /* A lone dash is a file, a negative time an argument. */
        if (options && strncmp(text, "--", 2) == 0)
            status = read_option(c, args, text + 2);
        else
            status = read_argument(c, text);
        if (status)
            return status;
    }
    return CTL_DONE;
}

static bool names_file(const char *what)
{
    return what && strstr(what, "FILE");
}

/* What goes to the server in JSON. There it would be missing if it were not UTF-8: a rule of
 * faults for one key would become one for all. Names of files on this side may be any bytes. */
static enum ctl_exit check_texts(const struct ctl *c)
{
    const struct ctl_option *options = c->command->options;
    bool good = !c->branch || str_is_utf8(str_c(c->branch));

    for (int i = 0; i < c->arg_count && !names_file(c->command->arguments); i++)
        good &= str_is_utf8(str_c(c->args[i]));
    for (size_t i = 0; i < CTL_OPTS_MAX && options[i].name; i++) {
        if (c->values[i] && !names_file(options[i].metavar))
            good &= str_is_utf8(str_c(c->values[i]));
    }
    return good ? CTL_DONE : ctl_complain(CTL_USAGE, "arguments must be UTF-8");
}

static enum ctl_exit check(const struct ctl *c)
{
    if (c->arg_count < c->command->min_args)
        return ctl_complain(CTL_USAGE, "usage: s3memctl %s %s", c->command->name,
                            c->command->arguments);
    if (!c->access_key != !c->secret_key)
        return ctl_complain(CTL_USAGE, "an access key and a secret key need each other");
    return check_texts(c);
}

static enum ctl_exit run_command(struct ctl *c)
{
    struct ctl_profile profile = {0};
    enum ctl_exit status;

    choose_endpoint(c);
    status = ctl_choose_keys(c, &profile);
    if (!status)
        status = check(c);
    ctl_http_start();
    if (!status && c->command->scope == CTL_ON_BRANCH)
        ctl_choose_branch(c);
    if (!status)
        status = c->command->run(c);
    ctl_http_end();
    ctl_profile_release(&profile);
    return status;
}

int main(int argc, char **argv)
{
    struct ctl c = {0};
    struct arguments args = {.at = argv + 1};
    enum ctl_exit status;

    if (argc >= 2 && strcmp(argv[1], "--words") == 0)
        return print_words(argc >= 3 ? find_command(argv[2]) : NULL);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("s3memctl " S3MEM_VERSION) < 0;
    c.terminal = isatty(STDOUT_FILENO);
    status = read_arguments(&c, &args);
    if (status)
        return status;
    if (args.help)
        return c.command ? print_command_help(c.command) : print_help();
    if (!c.command) {
        print_help();
        return CTL_USAGE;
    }
    status = run_command(&c);
    if (fflush(stdout) != 0 && status == CTL_DONE)
        return ctl_complain(CTL_REFUSED, "cannot write to standard output");
    return status;
}
