/* SPDX-License-Identifier: MIT */
/* fault_ops.c - reading rules, and the endpoints about them. */
#include "admin/call.h"
#include "admin/traffic/faults.h"

#include <stdio.h>

#define BAD "InvalidArgument"
/* More is a mistake, and far enough below the ends of the numbers that are reckoned with. */
#define LATENCY_MAX_NS (365 * 86400 * NS_PER_S)
/* S3 has fewer, and each request is held against each that a rule has. */
#define OPERATIONS_MAX 200
#define BANDWIDTH_MAX  (UINT64_C(1) << 40)
#define RULE_FIELDS                                                                            \
    "operation bucket key branch accessKey after times probability error retryAfter latency "  \
    "bandwidth cut truncate corrupt"

/* ---- the fields of a rule ---------------------------------------------------------- */

/* NULL when absent. */
static json_t *field(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

static bool read_text(struct admin_call *c, const json_t *rule, const char *name, char **out)
{
    struct str text = STR_NONE;

    if (!admin_field_text(c, rule, name, &text))
        return false;
    if (text.ptr)
        *out = xstrdup(text.ptr);
    return true;
}

static bool add_operation(struct admin_call *c, const json_t *name, struct buf *list)
{
    struct str text = str_of(json_string_value(name), json_string_length(name));

    if (!text.ptr || !admin_operation_known(c, text)) {
        admin_field_error(c, 400, BAD, "operation", "must be S3 operations like \"PutObject\"");
        return false;
    }
    if (list->len > 0)
        buf_add_char(list, ',');
    buf_add(list, text);
    return true;
}

/* One name or a list of names. An empty list would match nothing, which nobody means. */
static bool read_operations(struct admin_call *c, const json_t *rule, char **out)
{
    json_t *value = field(rule, "operation"), *name;
    AUTO_BUF(list, ADMIN_DOCUMENT_MAX + 1);
    size_t i;

    if (!value)
        return true;
    if (json_array_size(value) > OPERATIONS_MAX) {
        admin_field_error(c, 400, BAD, "operation", "at most %d operations", OPERATIONS_MAX);
        return false;
    }
    if (json_array_size(value) > 0) {
        json_array_foreach(value, i, name)
        {
            if (!add_operation(c, name, &list))
                return false;
        }
    } else if (!add_operation(c, value, &list)) {
        return false;
    }
    buf_add_char(&list, '\0');
    *out = xstrdup(list.ptr);
    return true;
}

static bool read_probability(struct admin_call *c, const json_t *rule, double *out)
{
    json_t *value = field(rule, "probability");
    double p = json_number_value(value);

    if (!value)
        return true;
    if (json_is_number(value) && p >= 0 && p <= 1) {
        *out = p;
        return true;
    }
    admin_field_error(c, 400, BAD, "probability", "must be a number from 0 to 1");
    return false;
}

static bool read_error(struct admin_call *c, const json_t *rule, struct fault *out)
{
    struct str code = STR_NONE;
    uint64_t retry_after_s = 0;

    if (!admin_field_text(c, rule, "error", &code) ||
        !admin_field_u64(c, rule, "retryAfter", UINT32_MAX, &retry_after_s))
        return false;
    if (code.ptr && !(out->error = s3_err_by_code(code))) {
        admin_field_error(c, 400, BAD, "error", "'%s' is no S3 error code that we know",
                          code.ptr);
        return false;
    }
    if (field(rule, "retryAfter") && !code.ptr) {
        admin_field_error(c, 400, BAD, "retryAfter", "goes with an error");
        return false;
    }
    out->retry_after_s = (uint32_t)retry_after_s;
    return true;
}

static bool latency_fits(struct admin_call *c, const char *name, int64_t ns)
{
    if (ns > LATENCY_MAX_NS)
        admin_field_error(c, 400, BAD, name, "must be at most 365d");
    return ns <= LATENCY_MAX_NS;
}

/* One time, or {"min", "max"}. */
static bool read_latency(struct admin_call *c, const json_t *rule, struct fault_rule *out)
{
    json_t *value = field(rule, "latency");
    size_t prefix = strlen(c->field_prefix);
    bool ok;

    if (!json_is_object(value)) {
        ok = admin_field_duration(c, rule, "latency", false, &out->latency_min_ns) &&
             latency_fits(c, "latency", out->latency_min_ns);
        out->latency_max_ns = out->latency_min_ns;
        return ok;
    }
    snprintf(c->field_prefix + prefix, sizeof(c->field_prefix) - prefix, "latency.");
    ok = admin_fields(c, value, "min max") &&
         admin_field_duration(c, value, "min", false, &out->latency_min_ns) &&
         admin_field_duration(c, value, "max", false, &out->latency_max_ns) &&
         latency_fits(c, "max", out->latency_max_ns);
    if (ok && (!field(value, "max") || out->latency_max_ns < out->latency_min_ns)) {
        admin_field_error(c, 400, BAD, "max", "must be there, and not below min");
        ok = false;
    }
    c->field_prefix[prefix] = '\0';
    return ok;
}

static bool read_bandwidth(struct admin_call *c, const json_t *rule, uint64_t *out)
{
    json_t *value = field(rule, "bandwidth");
    struct str text = str_of(json_string_value(value), json_string_length(value));
    json_int_t number = json_integer_value(value);

    if (!value)
        return true;
    if (json_is_integer(value) && number > 0)
        *out = (uint64_t)number;
    else if (!text.ptr || !str_to_size(text, out))
        *out = 0;
    if (*out > 0 && *out <= BANDWIDTH_MAX)
        return true;
    admin_field_error(c, 400, BAD, "bandwidth",
                      "must be bytes a second: 1024, \"64KiB\", at most 1TiB");
    return false;
}

static bool read_cut(struct admin_call *c, const json_t *rule, struct fault *out)
{
    static const struct {
        const char *word;
        enum reply_cut cut;
    } words[] = {
        {"before", REPLY_UNSENT}, {"during", REPLY_CUT_SHORT}, {"after", REPLY_CUT_AFTER}};
    struct str text = STR_NONE;

    if (!admin_field_text(c, rule, "cut", &text))
        return false;
    out->cut_request = str_eq(text, STR("request"));
    if (!text.ptr || out->cut_request)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(text, str_c(words[i].word))) {
            out->cut = words[i].cut;
            return true;
        }
    }
    admin_field_error(c, 400, BAD, "cut", "must be request, before, during or after");
    return false;
}

/* true (in the middle), or an offset. */
static bool read_corrupt(struct admin_call *c, const json_t *rule, uint64_t *out)
{
    json_t *value = field(rule, "corrupt");

    if (json_is_true(value))
        *out = FAULT_MIDDLE;
    if (!value || json_is_boolean(value))
        return true;
    return admin_field_u64(c, rule, "corrupt", INT64_MAX, out);
}

static bool does_something(const struct fault_rule *rule)
{
    const struct fault *f = &rule->fault;

    return f->error || rule->latency_max_ns > 0 || f->bytes_per_s > 0 || f->cut_request ||
           f->cut || f->truncate_to != FAULT_NOWHERE || f->corrupt_at != FAULT_NOWHERE;
}

static bool read_fields(struct admin_call *c, const json_t *value, struct fault_rule *rule)
{
    struct fault *fault = &rule->fault;

    if (!value || !admin_fields(c, value, RULE_FIELDS) ||
        !read_operations(c, value, &rule->operations) ||
        !read_text(c, value, "bucket", &rule->bucket) ||
        !read_text(c, value, "key", &rule->key) ||
        (rule->key && !admin_pattern_ok(c, str_c(rule->key))) ||
        !read_text(c, value, "branch", &rule->branch) ||
        !read_text(c, value, "accessKey", &rule->access_key) ||
        !admin_field_u64(c, value, "after", INT64_MAX, &rule->after) ||
        !admin_field_u64(c, value, "times", INT64_MAX, &rule->times) ||
        !read_probability(c, value, &rule->probability) || !read_error(c, value, fault) ||
        !read_latency(c, value, rule) || !read_bandwidth(c, value, &fault->bytes_per_s) ||
        !read_cut(c, value, fault) ||
        !admin_field_u64(c, value, "truncate", INT64_MAX, &fault->truncate_to) ||
        !read_corrupt(c, value, &fault->corrupt_at))
        return false;
    if (does_something(rule))
        return true;
    admin_field_error(c, 400, BAD, "error",
                      "a rule needs one of error, latency, bandwidth, cut, truncate, corrupt");
    return false;
}

/* With a reference on value. NULL: answered. */
static struct fault_rule *read_rule(struct admin_call *c, json_t *value)
{
    struct fault_rule *rule = xcalloc(1, sizeof(*rule));

    rule->probability = 1;
    rule->fault.truncate_to = rule->fault.corrupt_at = FAULT_NOWHERE;
    if (read_fields(c, value, rule)) {
        rule->text = json_incref(value);
        return rule;
    }
    fault_rule_free(rule);
    return NULL;
}

/* ---- endpoints --------------------------------------------------------------------- */

/* Gives up the document before other threads may see the rules, so that the rules alone hold what
 * they keep of it: jansson counts references without ordering memory. */
static void drop_document(struct admin_call *c)
{
    json_decref(c->json);
    c->json = NULL;
}

struct rule_list {
    struct faults_view *view;
    size_t next; /* to be written */
};

static bool next_rule(void *arg, struct buf *out)
{
    struct rule_list *list = arg;
    json_t *rule;

    if (list->next == 0) {
        buf_add(out, STR("{\"seed\":"));
        buf_add_u64(out, list->view->seed);
        buf_add(out, STR(",\"rules\":["));
    }
    if (list->next == list->view->count) {
        buf_add(out, STR("]}"));
        return false;
    }
    if (list->next > 0)
        buf_add_char(out, ',');
    rule = fault_shown_json(&list->view->rules[list->next++]);
    buf_add_dump(out, rule);
    json_decref(rule);
    return true;
}

static void free_rule_list(void *arg)
{
    struct rule_list *list = arg;

    faults_view_free(list->view);
    mem_free(list);
}

enum app_next admin_list_faults(struct admin_call *c)
{
    struct rule_list *list = xcalloc(1, sizeof(*list));

    list->view = faults_view(c->admin->faults);
    c->state = list;
    c->state_free = free_rule_list;
    return admin_pieces(c, "application/json", next_rule, list);
}

static void free_rules(struct fault_rule **rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fault_rule_free(rules[i]);
    mem_free(rules);
}

enum app_next admin_set_faults(struct admin_call *c)
{
    json_t *list = json_is_array(c->json) ? c->json : json_object_get(c->json, "rules");
    size_t count = json_array_size(list);
    struct fault_rule **rules;
    uint64_t seed = FAULTS_SEED;

    if (!json_is_array(c->json) && (!admin_fields(c, c->json, "seed rules") ||
                                    !admin_field_u64(c, c->json, "seed", INT64_MAX, &seed)))
        return APP_REPLY;
    if (!json_is_array(list))
        return admin_field_error(c, 400, BAD, "rules", "must be a list of rules");
    if (count > FAULT_RULES_MAX)
        return admin_field_error(c, 400, BAD, "rules", "at most %d rules", FAULT_RULES_MAX);
    rules = xcalloc(count + 1, sizeof(struct fault_rule *));
    for (size_t i = 0; i < count; i++) {
        snprintf(c->field_prefix, sizeof(c->field_prefix), "rules[%zu].", i);
        rules[i] = read_rule(c, json_array_get(list, i));
        if (!rules[i]) {
            free_rules(rules, i);
            return APP_REPLY;
        }
    }
    drop_document(c);
    faults_replace(c->admin->faults, seed, rules, count);
    return admin_list_faults(c);
}

enum app_next admin_add_fault(struct admin_call *c)
{
    struct fault_rule *rule;
    json_t *shown;

    if (!c->json)
        c->json = json_object();
    rule = read_rule(c, c->json);
    if (!rule)
        return APP_REPLY;
    drop_document(c);
    shown = faults_add(c->admin->faults, rule);
    if (!shown)
        return admin_error(c, 409, "TooManyRules", "there are 1000 rules; delete some first");
    return admin_json(c, 201, shown);
}

enum app_next admin_clear_faults(struct admin_call *c)
{
    faults_clear(c->admin->faults);
    return admin_empty(c, 204);
}

enum app_next admin_remove_fault(struct admin_call *c)
{
    uint64_t id;

    if (!str_to_u64(c->argument, &id))
        return admin_field_error(c, 400, BAD, "id", "must be the number of a rule");
    if (!faults_remove(c->admin->faults, id))
        return admin_field_error(c, 404, "NoSuchRule", "id", "there is no rule %s",
                                 c->argument.ptr);
    return admin_empty(c, 204);
}
