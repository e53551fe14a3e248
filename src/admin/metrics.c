/* SPDX-License-Identifier: MIT */
/* metrics.c - GET metrics: the statistics in Prometheus' text format 0.0.4. Source: Prometheus
 * documentation, "Exposition formats". */
#include "admin/traffic/stats.h"

#define STORED_MAX MiB(16)

/* ---- the format -------------------------------------------------------------------- */

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Opens a sample's labels with the first one, or continues them: {branch="main" */
static void add_label(struct buf *out, const char *opening, struct str value)
{
    buf_add_c(out, opening);
    buf_add(out, STR("=\""));
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c == '\\' || c == '"')
            buf_add_char(out, '\\');
        if (c == '\n')
            buf_add(out, STR("\\n"));
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

/* Ends a sample that has labels. */
static void add_value(struct buf *out, uint64_t value)
{
    buf_add(out, STR("} "));
    buf_add_u64(out, value);
    buf_add_char(out, '\n');
}

static void add_single(struct buf *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    add_head(out, name, type, help);
    buf_addf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* ---- requests ---------------------------------------------------------------------- */

/* The samples of one metric stand together, so each is collected on its own. */
struct request_samples {
    struct buf counts, bytes, durations;
};

static void add_durations(struct buf *out, const struct operation_totals *t)
{
    static const struct {
        struct str name;
        double part;
    } quantiles[] = {{{"0.5", 3}, 0.5}, {{"0.9", 3}, 0.9}, {{"0.99", 4}, 0.99}};

    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        add_label(out, "s3mem_request_duration_seconds{operation", t->name);
        add_label(out, ",quantile", quantiles[i].name);
        buf_addf(out, "} %.9f\n",
                 (double)totals_quantile_ns(t, quantiles[i].part) / (double)NS_PER_S);
    }
    add_label(out, "s3mem_request_duration_seconds_sum{operation", t->name);
    buf_addf(out, "} %.9f\n", (double)t->sum_ns / (double)NS_PER_S);
    add_label(out, "s3mem_request_duration_seconds_count{operation", t->name);
    add_value(out, t->count);
}

static void add_operation(struct request_samples *s, const struct operation_totals *t)
{
    for (size_t i = 0; i < STATISTICS_STATUSES && t->statuses[i].count > 0; i++) {
        add_label(&s->counts, "s3mem_requests_total{operation", t->name);
        buf_addf(&s->counts, ",status=\"%u\"", t->statuses[i].status);
        add_value(&s->counts, t->statuses[i].count);
    }
    add_label(&s->bytes, "s3mem_request_bytes_total{operation", t->name);
    buf_add(&s->bytes, STR(",direction=\"in\""));
    add_value(&s->bytes, t->bytes_in);
    add_label(&s->bytes, "s3mem_request_bytes_total{operation", t->name);
    buf_add(&s->bytes, STR(",direction=\"out\""));
    add_value(&s->bytes, t->bytes_out);
    add_durations(&s->durations, t);
}

static void add_requests(struct buf *out, struct admin *admin)
{
    struct request_samples s;
    struct operation_totals t;

    buf_init(&s.counts, STORED_MAX);
    buf_init(&s.bytes, STORED_MAX);
    buf_init(&s.durations, STORED_MAX);
    for (unsigned op = 0; op < TRAFFIC_OPERATIONS_MAX; op++) {
        if (statistics_get(admin->statistics, op, &t))
            add_operation(&s, &t);
    }
    add_head(out, "s3mem_requests_total", "counter", "S3 requests by operation and status.");
    buf_add_buf(out, &s.counts);
    add_head(out, "s3mem_request_bytes_total", "counter", "Bytes of request and reply bodies.");
    buf_add_buf(out, &s.bytes);
    add_head(out, "s3mem_request_duration_seconds", "summary",
             "From the request's headers to the end of its reply; quantiles since the start, "
             "off by 1/32 at most.");
    buf_add_buf(out, &s.durations);
    buf_release(&s.counts);
    buf_release(&s.bytes);
    buf_release(&s.durations);
    add_single(out, "s3mem_requests_active", "gauge", "S3 requests that run now.",
               stats_active(admin));
}

/* ---- what is stored ---------------------------------------------------------------- */

enum stored { OBJECTS, OBJECT_BYTES, VERSIONS, UPLOADS, STORED_COUNT };

static const struct {
    const char *name, *opening, *help;
} stored[] = {
    [OBJECTS] = {"s3mem_objects", "s3mem_objects{branch", "Current objects."},
    [OBJECT_BYTES] = {"s3mem_object_bytes", "s3mem_object_bytes{branch",
                      "Bytes of current objects."},
    [VERSIONS] = {"s3mem_versions", "s3mem_versions{branch",
                  "Noncurrent versions and delete markers."},
    [UPLOADS] = {"s3mem_uploads", "s3mem_uploads{branch", "Multipart uploads in progress."},
};

static void add_bucket(struct buf *out, enum stored which, struct str branch,
                       const struct bucket_info *info)
{
    const uint64_t values[STORED_COUNT] = {
        [OBJECTS] = info->object_count,
        [OBJECT_BYTES] = info->object_bytes,
        [VERSIONS] = info->version_count,
        [UPLOADS] = info->upload_count,
    };

    add_label(out, stored[which].opening, branch);
    add_label(out, ",bucket", str_c(info->name));
    add_value(out, values[which]);
}

/* ---- the server -------------------------------------------------------------------- */

static void add_memory(struct buf *out, struct admin *admin, uint64_t shared_by)
{
    struct memory_facts m;

    stats_memory(admin, shared_by, &m);
    const struct {
        struct str kind;
        uint64_t bytes;
    } kinds[] = {{STR("total"), m.total},       {STR("trees"), m.trees},
                 {STR("records"), m.records},   {STR("bodies"), m.bodies},
                 {STR("requests"), m.requests}, {STR("data"), m.data},
                 {STR("overhead"), m.overhead}, {STR("shared"), m.shared},
                 {STR("limit"), m.limit}};

    add_head(out, "s3mem_memory_bytes", "gauge",
             "Memory of the store. total = trees + records + bodies + requests = data + "
             "overhead; shared: "
             "what sharing between states saves; limit: --max-memory, 0 for none.");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        add_label(out, "s3mem_memory_bytes{kind", kinds[i].kind);
        add_value(out, kinds[i].bytes);
    }
    add_single(out, "s3mem_reaping_items", "gauge", "Items dropped and not yet freed.",
               m.reaping);
    add_single(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
               m.resident);
}

static void add_persistence(struct buf *out, const struct admin *admin)
{
    struct persist_stats p;

    if (!stats_persistence(admin, &p) || !p.follows)
        return;
    add_single(out, "s3mem_persist_up", "gauge",
               "1: changes are written to disk; 0: they cannot be at present, or ever.",
               p.state == PERSIST_OK);
    add_single(out, "s3mem_persist_changes_total", "counter", "Changes of the store.",
               p.changes);
    add_single(out, "s3mem_persist_written_total", "counter", "Of those, written to disk.",
               p.written);
    add_single(out, "s3mem_persist_commits_total", "counter",
               "Transactions that they were written in.", p.commits);
    add_head(out, "s3mem_persist_behind_seconds", "gauge",
             "For how long the oldest change that is not yet written has been waiting.");
    buf_addf(out, "s3mem_persist_behind_seconds %.3f\n",
             (double)p.behind_ns / (double)NS_PER_S);
}

static void add_server(struct buf *out, struct admin *admin)
{
    struct journal_facts journal;
    struct turn_record turns;
    int64_t uptime_ns = clock_monotonic_ns() - admin->started_ns;

    stats_journal(admin, &journal);
    stats_turns(admin, &turns);
    add_head(out, "s3mem_info", "gauge", "The server; always 1.");
    add_label(out, "s3mem_info{version", str_c(admin->options.version));
    add_value(out, 1);
    add_head(out, "s3mem_uptime_seconds", "gauge", "Time since the start.");
    buf_addf(out, "s3mem_uptime_seconds %.3f\n", (double)uptime_ns / (double)NS_PER_S);
    add_head(
        out, "s3mem_longest_turn_seconds", "gauge",
        "CPU time of the longest turn of an I/O thread since the start or the last reset.");
    buf_addf(out, "s3mem_longest_turn_seconds %.6f\n", (double)turns.cpu_ns / (double)NS_PER_S);
    add_single(out, "s3mem_long_turns_total", "counter",
               "Turns of I/O threads that took more than 5 ms of CPU time.", turns.over_budget);
    add_single(out, "s3mem_journal_bytes", "gauge", "Memory of the journal of requests.",
               journal.bytes);
    add_single(out, "s3mem_event_bytes", "gauge", "Text that readers of events have not taken.",
               journal.text_bytes);
    add_single(out, "s3mem_event_subscribers", "gauge", "Readers of events.",
               journal.subscribers);
    add_single(out, "s3mem_events_lost_total", "counter",
               "Events that were gone before a reader came to them.", journal.lost);
}

/* ---- piece by piece ---------------------------------------------------------------- */

/* The samples of a metric stand together: the buckets are gone through once for each. */
struct metrics {
    struct admin *admin;
    enum {
        METRICS_SERVER,
        METRICS_BUCKETS,
        METRICS_BRANCHES,
        METRICS_SNAPSHOTS,
        METRICS_MEMORY
    } part;
    enum stored which;
    struct named_info branch;
    struct root *root; /* of it; NULL between branches */
    char bucket[64];
    struct named_walk branches, snapshots;
};

static void metrics_free(void *state)
{
    struct metrics *m = state;

    root_unref(m->root);
    mem_free(m);
}

/* The next bucket, or branch, or metric. */
static void next_sample(struct metrics *m, struct buf *out)
{
    struct bucket_info info;

    if (m->root) {
        if (root_bucket_next(m->root, str_c(m->bucket), false, &info)) {
            memcpy(m->bucket, info.name, sizeof(m->bucket));
            add_bucket(out, m->which, str_c(m->branch.name), &info);
            bucket_info_release(&info);
        } else {
            root_unref(TAKE(m->root));
        }
        return;
    }
    if (m->branch.name[0] == '\0')
        add_head(out, stored[m->which].name, "gauge", stored[m->which].help);
    m->bucket[0] = '\0';
    if (stats_next_branch(m->admin, str_c(m->branch.name), false, &m->branch, &m->root))
        return;
    m->branch.name[0] = '\0';
    if (++m->which == STORED_COUNT)
        m->part = METRICS_BRANCHES;
}

static bool next_metric(void *arg, struct buf *out)
{
    struct metrics *m = arg;
    struct named_info info;

    switch (m->part) {
    case METRICS_SERVER:
        add_server(out, m->admin);
        add_requests(out, m->admin);
        m->part = METRICS_BUCKETS;
        break;
    case METRICS_BUCKETS:
        next_sample(m, out);
        break;
    case METRICS_BRANCHES:
        if (named_walk_next(&m->branches, &info))
            break;
        add_single(out, "s3mem_branches", "gauge", "Branches.", m->branches.count);
        m->part = METRICS_SNAPSHOTS;
        break;
    case METRICS_SNAPSHOTS:
        if (named_walk_next(&m->snapshots, &info))
            break;
        add_single(out, "s3mem_snapshots", "gauge", "Snapshots.", m->snapshots.count);
        m->part = METRICS_MEMORY;
        break;
    case METRICS_MEMORY:
        add_memory(out, m->admin, m->branches.stored_bytes + m->snapshots.stored_bytes);
        add_persistence(out, m->admin);
        return false;
    }
    return true;
}

enum app_next admin_show_metrics(struct admin_call *c)
{
    struct store *store = c->admin->options.store;
    struct metrics *m;

    if (!admin_settled(c))
        return APP_WAIT;
    c->state = m = xcalloc(1, sizeof(*m));
    c->state_free = metrics_free;
    *m = (struct metrics){.admin = c->admin,
                          .branches = {.store = store, .next = store_branch_next},
                          .snapshots = {.store = store, .next = store_snapshot_next}};
    return admin_pieces(c, "text/plain; version=0.0.4; charset=utf-8", next_metric, m);
}
