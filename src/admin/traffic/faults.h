/* SPDX-License-Identifier: MIT */
/* faults.h - the rules for what is to go wrong with which S3 request. */
#ifndef S3MEM_ADMIN_FAULTS_H
#define S3MEM_ADMIN_FAULTS_H

#include "app/app.h"

#include <jansson.h>

#define FAULT_RULES_MAX 1000

/* A rule as it was read; all texts owned, NULL when it does not ask for them. */
struct fault_rule {
    uint64_t id;
    json_t *text;     /* as it was given, to be shown again */
    char *operations; /* separated by commas */
    char *bucket, *key, *branch, *access_key;
    uint64_t after, times; /* times 0: no limit */
    double probability;
    int64_t latency_min_ns, latency_max_ns;
    struct fault fault; /* latency_ns is drawn for each request */
    uint64_t matched, fired;
};
void fault_rule_free(struct fault_rule *rule);

/* One list of rules; everything here is thread-safe. */
struct faults;
struct faults *faults_new(void);
void faults_free(struct faults *f);
/* The first rule that matches and fires decides. Costs nothing while there are no rules. */
bool faults_strike(struct faults *f, const struct traffic_call *call, struct fault *out);

/* In place of all there were, which start to count at 0 and draw from this seed. Takes the
 * rules and their array. */
void faults_replace(struct faults *f, uint64_t seed, struct fault_rule **rules, size_t count);
/* At the end. Takes rule; how it is shown, or NULL: there are FAULT_RULES_MAX already. */
MUST_CHECK json_t *faults_add(struct faults *f, struct fault_rule *rule);
/* False: there is no rule of that number. */
MUST_CHECK bool faults_remove(struct faults *f, uint64_t id);
void faults_clear(struct faults *f);

/* All rules as they are at one moment, to be shown in as many turns as that takes. */
struct faults_view {
    struct faults *faults;
    uint64_t seed;
    size_t count;
    struct fault_shown {
        uint64_t id, matched, fired;
        json_t *text; /* a reference */
    } rules[];
};
struct faults_view *faults_view(struct faults *f);
void faults_view_free(struct faults_view *view);
/* A new reference. */
json_t *fault_shown_json(const struct fault_shown *rule);

#define FAULTS_SEED 1

#endif
