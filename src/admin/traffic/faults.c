/* SPDX-License-Identifier: MIT */
/* faults.c - the list of rules and which of them strikes. One mutex, held to match a request;
 * not taken at all while there are no rules. The same seed and the same requests in the same
 * order give the same faults. */
#include "admin/traffic/faults.h"
#include "admin/call.h"

struct faults {
    atomic_size_t count;
    pthread_mutex_t lock; /* guards the rest, and count's changes */
    struct fault_rule **rules;
    uint64_t next_id, seed, random;
};

void fault_rule_free(struct fault_rule *rule)
{
    if (!rule)
        return;
    json_decref(rule->text);
    mem_free(rule->operations);
    mem_free(rule->bucket);
    mem_free(rule->key);
    mem_free(rule->branch);
    mem_free(rule->access_key);
    mem_free(rule);
}

struct faults *faults_new(void)
{
    struct faults *f = xcalloc(1, sizeof(*f));

    pthread_mutex_init(&f->lock, NULL);
    f->next_id = 1;
    f->seed = f->random = FAULTS_SEED;
    return f;
}

static void free_rules_locked(struct faults *f)
{
    for (size_t i = 0; i < atomic_load(&f->count); i++)
        fault_rule_free(f->rules[i]);
    mem_free(TAKE(f->rules));
    atomic_store(&f->count, 0);
}

void faults_free(struct faults *f)
{
    if (!f)
        return;
    free_rules_locked(f);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

/* ---- striking ---------------------------------------------------------------------- */

/* SplitMix64 (public domain). */
static uint64_t draw_locked(struct faults *f)
{
    uint64_t x = f->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* In [0, 1). */
static double draw_fraction_locked(struct faults *f)
{
    return (double)(draw_locked(f) >> 11) * 0x1p-53;
}

static bool is_or_any(const char *wanted, struct str text)
{
    return !wanted || str_eq(str_c(wanted), text);
}

static bool rule_matches(const struct fault_rule *rule, const struct traffic_call *call)
{
    return (!rule->operations || list_has(str_c(rule->operations), call->operation)) &&
           is_or_any(rule->bucket, call->bucket) &&
           (!rule->key || pattern_matches(str_c(rule->key), call->key)) &&
           is_or_any(rule->branch, call->branch) &&
           is_or_any(rule->access_key, call->access_key);
}

/* It matches: has its time come? */
static bool rule_fires_locked(struct faults *f, struct fault_rule *rule)
{
    rule->matched++;
    if (rule->matched <= rule->after || (rule->times > 0 && rule->fired >= rule->times) ||
        (rule->probability < 1 && draw_fraction_locked(f) >= rule->probability))
        return false;
    rule->fired++;
    return true;
}

bool faults_strike(struct faults *f, const struct traffic_call *call, struct fault *out)
{
    bool struck = false;

    if (atomic_load_explicit(&f->count, memory_order_acquire) == 0)
        return false;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < atomic_load(&f->count) && !struck; i++) {
        struct fault_rule *rule = f->rules[i];

        if (!rule_matches(rule, call) || !rule_fires_locked(f, rule))
            continue;
        struck = true;
        *out = rule->fault;
        out->latency_ns = rule->latency_min_ns;
        if (rule->latency_max_ns > rule->latency_min_ns)
            out->latency_ns += (int64_t)(draw_fraction_locked(f) *
                                         (double)(rule->latency_max_ns - rule->latency_min_ns));
    }
    pthread_mutex_unlock(&f->lock);
    return struck;
}

/* ---- the list ---------------------------------------------------------------------- */

void faults_replace(struct faults *f, uint64_t seed, struct fault_rule **rules, size_t count)
{
    pthread_mutex_lock(&f->lock);
    free_rules_locked(f);
    f->seed = f->random = seed;
    f->rules = rules;
    for (size_t i = 0; i < count; i++)
        rules[i]->id = f->next_id++;
    atomic_store_explicit(&f->count, count, memory_order_release);
    pthread_mutex_unlock(&f->lock);
}

bool faults_remove(struct faults *f, uint64_t id)
{
    struct fault_rule *gone = NULL;

    pthread_mutex_lock(&f->lock);
    size_t count = atomic_load(&f->count);
    for (size_t i = 0; i < count && !gone; i++) {
        if (f->rules[i]->id != id)
            continue;
        gone = f->rules[i];
        memmove(&f->rules[i], &f->rules[i + 1], (count - i - 1) * sizeof(struct fault_rule *));
        atomic_store(&f->count, count - 1);
    }
    bool found = gone != NULL;
    fault_rule_free(gone);
    pthread_mutex_unlock(&f->lock);
    return found;
}

void faults_clear(struct faults *f)
{
    pthread_mutex_lock(&f->lock);
    free_rules_locked(f);
    pthread_mutex_unlock(&f->lock);
}

/* A copy to the last leaf: jansson's counts do not order what threads that share values do. */
json_t *fault_shown_json(const struct fault_shown *rule)
{
    json_t *shown = json_pack("{s:I}", "id", (json_int_t)rule->id);
    json_t *text = json_deep_copy(rule->text);

    json_object_update(shown, text);
    json_decref(text);
    json_object_set_new(shown, "matched", json_integer((json_int_t)rule->matched));
    json_object_set_new(shown, "fired", json_integer((json_int_t)rule->fired));
    return shown;
}

/* With a reference on its text. */
static struct fault_shown show_rule(const struct fault_rule *rule)
{
    return (struct fault_shown){rule->id, rule->matched, rule->fired, json_incref(rule->text)};
}

static json_t *rule_json(const struct fault_rule *rule)
{
    struct fault_shown shown = show_rule(rule);
    json_t *json = fault_shown_json(&shown);

    json_decref(shown.text);
    return json;
}

json_t *faults_add(struct faults *f, struct fault_rule *rule)
{
    json_t *shown = NULL;

    pthread_mutex_lock(&f->lock);
    size_t count = atomic_load(&f->count);
    if (count < FAULT_RULES_MAX) {
        f->rules = xrealloc(f->rules, (count + 1) * sizeof(struct fault_rule *));
        f->rules[count] = rule;
        rule->id = f->next_id++;
        /* Here, not later: somebody else may remove it as soon as it is in the list. */
        shown = rule_json(rule);
        if (shown)
            atomic_store_explicit(&f->count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&f->lock);
    if (!shown)
        fault_rule_free(rule);
    return shown;
}

struct faults_view *faults_view(struct faults *f)
{
    struct faults_view *view;

    pthread_mutex_lock(&f->lock);
    size_t count = atomic_load(&f->count);
    view = xmalloc(sizeof(*view) + count * sizeof(view->rules[0]));
    view->faults = f;
    view->seed = f->seed;
    view->count = count;
    for (size_t i = 0; i < count; i++)
        view->rules[i] = show_rule(f->rules[i]);
    pthread_mutex_unlock(&f->lock);
    return view;
}

void faults_view_free(struct faults_view *view)
{
    /* jansson counts references without ordering what was done with them: the lock does. */
    pthread_mutex_lock(&view->faults->lock);
    for (size_t i = 0; i < view->count; i++)
        json_decref(view->rules[i].text);
    pthread_mutex_unlock(&view->faults->lock);
    mem_free(view);
}
