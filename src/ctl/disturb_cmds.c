/* SPDX-License-Identifier: MIT */
/* disturb_cmds.c - faults and the clock. */
#include "ctl/ctl.h"

#include <stdlib.h>

/* ---- faults ------------------------------------------------------------------------ */

static const struct ctl_column fault_columns[] = {
    {"ID", "id", CTL_NUMBER},       {"MATCHED", "matched", CTL_NUMBER},
    {"FIRED", "fired", CTL_NUMBER}, {"RULE", "rule", CTL_TEXT},
    {NULL, NULL, CTL_TEXT},
};

/* The rest of a rule in one text. */
static void add_rule_text(json_t *rule)
{
    json_t *rest = json_copy(rule);
    char *text;

    json_object_del(rest, "id");
    json_object_del(rest, "matched");
    json_object_del(rest, "fired");
    text = json_dumps(rest, JSON_COMPACT);
    json_object_set_new(rule, "rule", json_string(text ? text : ""));
    ctl_free_json_text(text);
    json_decref(rest);
}

static enum ctl_exit print_faults(struct ctl *c, json_t *answer)
{
    json_t *rule, *rules = json_object_get(answer, "rules");
    size_t i;

    if (c->json)
        return ctl_print_json(c, answer);
    json_array_foreach(rules, i, rule) add_rule_text(rule);
    ctl_print_table(rules, fault_columns);
    json_decref(answer);
    return CTL_DONE;
}

static enum ctl_exit call_and_print(struct ctl *c, const char *method, json_t *body)
{
    AUTO_TARGET(t, "faults");
    json_t *answer;
    enum ctl_exit status = ctl_call(c, method, &t, body, &answer);

    return status ? status : print_faults(c, answer);
}

/* "50ms..200ms" or "200ms" */
static json_t *latency_json(const char *text)
{
    size_t dots = str_find(str_c(text), STR(".."));

    if (dots == SIZE_MAX)
        return json_string(text);
    return json_pack("{s:s%, s:s}", "min", text, dots, "max", text + dots + 2);
}

static void set_text(json_t *rule, const char *field, const char *value)
{
    if (value)
        json_object_set_new(rule, field, json_string(value));
}

/* A number where it is one; else the text, for the server to refuse. */
static void set_number(json_t *rule, const char *field, const char *value)
{
    json_t *number = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;

    if (json_is_number(number)) {
        json_object_set(rule, field, number);
    } else {
        set_text(rule, field, value);
    }
    json_decref(number);
}

static void set_operations(json_t *rule, const char *names)
{
    struct str rest = str_c(names), name;
    json_t *list = json_array();

    while (names && str_split(&rest, ',', &name))
        json_array_append_new(list, json_stringn(name.ptr, name.len));
    if (names)
        json_object_set(rule, "operation", list);
    json_decref(list);
}

static json_t *rule_of_options(const struct ctl *c)
{
    const char *latency = ctl_option(c, "latency"), *corrupt = ctl_option(c, "corrupt");
    json_t *rule = json_object();

    set_operations(rule, ctl_option(c, "operation"));
    set_text(rule, "bucket", ctl_option(c, "bucket"));
    set_text(rule, "key", ctl_option(c, "key"));
    set_text(rule, "branch", c->branch);
    set_text(rule, "accessKey", ctl_option(c, "access-key"));
    set_number(rule, "after", ctl_option(c, "after"));
    set_number(rule, "times", ctl_option(c, "times"));
    set_number(rule, "probability", ctl_option(c, "probability"));
    set_text(rule, "error", ctl_option(c, "error"));
    set_number(rule, "retryAfter", ctl_option(c, "retry-after"));
    if (latency)
        json_object_set_new(rule, "latency", latency_json(latency));
    set_number(rule, "bandwidth", ctl_option(c, "bandwidth"));
    set_text(rule, "cut", ctl_option(c, "cut"));
    set_number(rule, "truncate", ctl_option(c, "truncate"));
    if (corrupt && strcmp(corrupt, "middle") == 0)
        json_object_set_new(rule, "corrupt", json_true());
    else
        set_number(rule, "corrupt", corrupt);
    return rule;
}

static enum ctl_exit fault_add(struct ctl *c)
{
    AUTO_TARGET(t, "faults");
    json_t *answer;
    enum ctl_exit status = ctl_call(c, "POST", &t, rule_of_options(c), &answer);

    if (status)
        return status;
    if (c->json)
        return ctl_print_json(c, answer);
    if (!c->quiet)
        printf("rule %lld\n", (long long)json_integer_value(json_object_get(answer, "id")));
    json_decref(answer);
    return CTL_DONE;
}

static enum ctl_exit fault_set(struct ctl *c)
{
    json_error_t error;
    json_t *rules = strcmp(c->args[1], "-") == 0 ? json_loadf(stdin, 0, &error)
                                                 : json_load_file(c->args[1], 0, &error);

    if (!rules && error.line < 0) /* it could not be opened */
        return ctl_complain(CTL_REFUSED, "%s", error.text);
    if (!rules)
        return ctl_complain(CTL_REFUSED, "%s:%d: %s", c->args[1], error.line, error.text);
    return call_and_print(c, "PUT", rules);
}

enum ctl_exit cmd_fault(struct ctl *c)
{
    const char *what = c->arg_count ? c->args[0] : "list";
    AUTO_TARGET(t, "faults");

    if (c->arg_count < 2 && strcmp(what, "list") == 0)
        return call_and_print(c, "GET", NULL);
    if (c->arg_count == 1 && strcmp(what, "add") == 0)
        return fault_add(c);
    if (c->arg_count == 2 && strcmp(what, "set") == 0)
        return fault_set(c);
    if (c->arg_count == 2 && strcmp(what, "remove") == 0)
        ctl_target_part(&t, c->args[1]);
    else if (c->arg_count != 1 || strcmp(what, "clear") != 0)
        return ctl_complain(CTL_USAGE, "usage: s3memctl fault %s", c->command->arguments);
    return ctl_call(c, "DELETE", &t, NULL, NULL);
}

/* ---- the clock --------------------------------------------------------------------- */

static enum ctl_exit clock_call(struct ctl *c, const char *method, json_t *change)
{
    AUTO_TARGET(t, "clock");
    json_t *answer;
    enum ctl_exit status = ctl_call(c, method, &t, change, &answer);

    if (status)
        return status;
    if (c->json)
        return ctl_print_json(c, answer);
    printf("%s%s\n", json_string_value(json_object_get(answer, "now")),
           json_is_true(json_object_get(answer, "frozen")) ? " (frozen)" : "");
    json_decref(answer);
    return CTL_DONE;
}

enum ctl_exit cmd_clock(struct ctl *c)
{
    const char *what = c->arg_count ? c->args[0] : "show";
    const char *value = c->arg_count == 2 ? c->args[1] : NULL;

    if (!value && strcmp(what, "show") == 0)
        return clock_call(c, "GET", NULL);
    if (!value && strcmp(what, "reset") == 0)
        return clock_call(c, "DELETE", NULL);
    if (!value && strcmp(what, "unfreeze") == 0)
        return clock_call(c, "PUT", json_pack("{s:b}", "freeze", 0));
    if (strcmp(what, "freeze") == 0)
        return clock_call(c, "PUT",
                          value ? json_pack("{s:s}", "freeze", value)
                                : json_pack("{s:b}", "freeze", 1));
    if (value && (strcmp(what, "offset") == 0 || strcmp(what, "advance") == 0))
        return clock_call(c, "PUT", json_pack("{s:s}", what, value));
    return ctl_complain(CTL_USAGE, "usage: s3memctl clock %s", c->command->arguments);
}
