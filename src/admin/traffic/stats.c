/* SPDX-License-Identifier: MIT */
/* stats.c - GET stats: what is stored, what memory it takes, what was asked. Written in turns,
 * so that a list of a million keys stops nobody; each branch as it was at one instant. */
#include "admin/traffic/stats.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- facts ------------------------------------------------------------------------- */

/* Resident memory of the process, or 0: the second number of statm, in pages. */
static uint64_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct str rest = str_of(text, len > 0 ? (size_t)len : 0), number = STR("");
    uint64_t pages = 0;

    if (fd >= 0)
        close(fd);
    for (int i = 0; i < 2; i++) {
        if (!str_split(&rest, ' ', &number))
            return 0;
    }
    return str_to_u64(number, &pages) ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void stats_memory(struct admin *admin, uint64_t stored, struct memory_facts *out)
{
    struct store_stats s;

    store_stats(admin->options.store, &s);
    *out = (struct memory_facts){
        .total = s.memory_bytes,
        .trees = s.tree_bytes,
        .records = s.record_bytes,
        .bodies = s.body_bytes,
        .requests = s.request_bytes,
        .data = s.data_bytes,
        /* The counters move while they are read. */
        .overhead = difference(s.memory_bytes, s.data_bytes),
        .shared = difference(stored, s.data_bytes),
        .limit = admin->options.max_memory_bytes,
        .reaping = s.reaping,
        .resident = resident_bytes(),
    };
}

void stats_journal(struct admin *admin, struct journal_facts *out)
{
    *out = (struct journal_facts){0};
    if (admin->journal)
        journal_facts(admin->journal, out);
}

bool stats_persistence(const struct admin *admin, struct persist_stats *out)
{
    const struct admin_options *o = &admin->options;

    return o->persist_stats && o->persist_stats(o->persist_stats_arg, out);
}

void stats_turns(const struct admin *admin, struct turn_record *out)
{
    *out = (struct turn_record){.cpu_ns = 0};
    if (admin->options.turns)
        turns_read(admin->options.turns, out);
}

void stats_reset(struct admin *admin)
{
    statistics_reset(admin->statistics);
    if (admin->options.turns)
        turns_reset(admin->options.turns);
}

uint64_t stats_active(struct admin *admin)
{
    uint64_t ended = statistics_ended(admin->statistics); /* first: never more than begun */

    return statistics_begun(admin->statistics) - ended;
}

bool stats_next_branch(struct admin *admin, struct str after, bool inclusive,
                       struct named_info *info, struct root **root)
{
    struct store *store = admin->options.store;
    char from[NAME_MAX_LEN + 1] = "";

    str_put(from, after);
    while (store_branch_next(store, str_c(from), inclusive, info)) {
        AUTO(branch) b = store_branch(store, str_c(info->name));

        if (b) {
            *root = branch_root(b);
            return true;
        }
        /* It was deleted just now. */
        memcpy(from, info->name, sizeof(from));
        inclusive = false;
    }
    return false;
}

void size_add_formatted(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"};
    unsigned unit = 0;
    unsigned __int128 one;
    uint64_t hundredths;

    while (unit + 1 < ARRAY_LEN(units) && bytes >> (10 * (unit + 1)) > 0)
        unit++;
    one = (unsigned __int128)1 << (10 * unit);
    hundredths = (uint64_t)(((unsigned __int128)bytes * 100 + one / 2) / one);
    buf_add_u64(out, hundredths / 100);
    if (hundredths % 10 > 0)
        buf_addf(out, ".%02u", (unsigned)(hundredths % 100));
    else if (hundredths % 100 > 0)
        buf_addf(out, ".%u", (unsigned)(hundredths % 100 / 10));
    buf_addf(out, " %s", units[unit]);
}

/* ---- pieces of the document -------------------------------------------------------- */

/* name stands before the value as it is: ",\"key\":" */
static void add_u64(struct buf *out, const char *name, uint64_t value)
{
    buf_add_c(out, name);
    buf_add_u64(out, value);
}

static void add_text(struct buf *out, const char *name, const char *text)
{
    buf_add_c(out, name);
    json_add_text(out, str_c(text));
}

static void add_text_or_null(struct buf *out, const char *name, const char *text)
{
    if (text && text[0]) {
        add_text(out, name, text);
        return;
    }
    buf_add_c(out, name);
    buf_add(out, STR("null"));
}

static void add_time(struct buf *out, const char *name, int64_t unix_ns)
{
    char text[ADMIN_TIME_SIZE];

    admin_time_text(unix_ns, text);
    add_text(out, name, text);
}

struct contents {
    uint64_t objects, bytes, versions, version_bytes, uploads;
};

static void add_contents(struct buf *out, const struct contents *n)
{
    add_u64(out, ",\"objectCount\":", n->objects);
    add_u64(out, ",\"totalSize\":", n->bytes);
    buf_add(out, STR(",\"totalSizeFormatted\":\""));
    size_add_formatted(out, n->bytes);
    add_u64(out, "\",\"versionCount\":", n->versions);
    add_u64(out, ",\"versionSize\":", n->version_bytes);
    add_u64(out, ",\"uploadCount\":", n->uploads);
}

static void add_bucket(struct buf *out, const struct bucket_info *info)
{
    static const char *const versionings[] = {
        [VERSIONING_NEVER] = NULL,
        [VERSIONING_ENABLED] = "Enabled",
        [VERSIONING_SUSPENDED] = "Suspended",
    };

    add_text(out, "{\"bucket\":", info->name);
    add_text(out, ",\"region\":", info->region);
    add_time(out, ",\"created\":", info->created_ns);
    add_text_or_null(out, ",\"versioning\":", versionings[info->versioning]);
    add_contents(out,
                 &(struct contents){info->object_count, info->object_bytes, info->version_count,
                                    info->version_bytes, info->upload_count});
}

static void add_ms(struct buf *out, const char *name, double ns)
{
    buf_addf(out, "%s%.3f", name, ns / (double)NS_PER_MS);
}

static void add_latency(struct buf *out, const struct operation_totals *t)
{
    add_ms(out, ",\"latencyMs\":{\"mean\":",
           t->count > 0 ? (double)t->sum_ns / (double)t->count : 0);
    add_ms(out, ",\"p50\":", (double)totals_quantile_ns(t, 0.5));
    add_ms(out, ",\"p90\":", (double)totals_quantile_ns(t, 0.9));
    add_ms(out, ",\"p99\":", (double)totals_quantile_ns(t, 0.99));
    add_ms(out, ",\"max\":", (double)t->max_ns);
    buf_add_char(out, '}');
}

static void add_operation(struct buf *out, const struct operation_totals *t)
{
    json_add_text(out, t->name);
    add_u64(out, ":{\"count\":", t->count);
    add_u64(out, ",\"errors\":", t->errors);
    add_u64(out, ",\"bytesIn\":", t->bytes_in);
    add_u64(out, ",\"bytesOut\":", t->bytes_out);
    buf_add(out, STR(",\"statuses\":{"));
    for (size_t i = 0; i < STATISTICS_STATUSES && t->statuses[i].count > 0; i++)
        buf_addf(out, "%s\"%u\":%llu", i > 0 ? "," : "", t->statuses[i].status,
                 (unsigned long long)t->statuses[i].count);
    buf_add_char(out, '}');
    add_latency(out, t);
    buf_add_char(out, '}');
}

static void add_requests(struct buf *out, struct admin *admin)
{
    struct operation_totals t, sum = {.count = 0};
    bool first = true;

    buf_add(out, STR(",\"requests\":{\"operations\":{"));
    for (unsigned op = 0; op < TRAFFIC_OPERATIONS_MAX; op++) {
        if (!statistics_get(admin->statistics, op, &t))
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        add_operation(out, &t);
        totals_add(&sum, &t);
    }
    add_u64(out, "},\"total\":", sum.count);
    add_u64(out, ",\"active\":", stats_active(admin));
    add_u64(out, ",\"errors\":", sum.errors);
    add_u64(out, ",\"bytesIn\":", sum.bytes_in);
    add_u64(out, ",\"bytesOut\":", sum.bytes_out);
    add_latency(out, &sum);
    buf_add_char(out, '}');
}

static void add_memory(struct buf *out, struct admin *admin, uint64_t stored)
{
    struct memory_facts m;

    stats_memory(admin, stored, &m);
    add_u64(out, ",\"memory\":{\"total\":", m.total);
    add_u64(out, ",\"trees\":", m.trees);
    add_u64(out, ",\"records\":", m.records);
    add_u64(out, ",\"bodies\":", m.bodies);
    add_u64(out, ",\"requests\":", m.requests);
    add_u64(out, ",\"data\":", m.data);
    add_u64(out, ",\"overhead\":", m.overhead);
    add_u64(out, ",\"shared\":", m.shared);
    add_u64(out, ",\"limit\":", m.limit);
    add_u64(out, ",\"reaping\":", m.reaping);
    add_u64(out, ",\"resident\":", m.resident);
    buf_add_char(out, '}');
}

static void add_persistence(struct buf *out, const struct admin *admin)
{
    static const char *const states[] = {
        [PERSIST_OK] = "ok", [PERSIST_BEHIND] = "behind", [PERSIST_BROKEN] = "broken"};
    struct persist_stats p;

    if (!stats_persistence(admin, &p)) {
        buf_add(out, STR(",\"persistence\":null"));
        return;
    }
    add_text(out, ",\"persistence\":{\"file\":", p.path);
    buf_addf(out, ",\"autoPersist\":%s", p.follows ? "true" : "false");
    add_text_or_null(out, ",\"durability\":",
                     !p.follows                          ? NULL
                     : p.durability == DURABILITY_ALWAYS ? "always"
                                                         : "relaxed");
    add_text(out, ",\"state\":", states[p.state]);
    add_text_or_null(out, ",\"error\":", p.error);
    add_u64(out, ",\"changes\":", p.changes);
    add_u64(out, ",\"written\":", p.written);
    add_u64(out, ",\"commits\":", p.commits);
    add_u64(out, ",\"behindMs\":", (uint64_t)(p.behind_ns / NS_PER_MS));
    buf_add_char(out, '}');
}

/* The longest turn of an I/O thread, and of which request. */
static void add_turns(struct buf *out, const struct admin *admin)
{
    AUTO_BUF(target, KiB(4));
    struct turn_record t;

    stats_turns(admin, &t);
    add_ms(out, ",\"turns\":{\"longestCpuMs\":", (double)t.cpu_ns);
    add_u64(out, ",\"overBudget\":", t.over_budget);
    buf_add(out, STR(",\"longest\":"));
    if (t.cpu_ns == 0) {
        buf_add(out, STR("null}"));
        return;
    }
    buf_add_masked_target(&target, str_c(t.target));
    add_text(out, "{\"step\":", t.step);
    add_text(out, ",\"method\":", t.method);
    buf_add(out, STR(",\"target\":"));
    json_add_text(out, buf_str(&target));
    add_ms(out, ",\"wallMs\":", (double)t.wall_ns);
    add_time(out, ",\"time\":", t.at_unix_ns);
    buf_add(out, STR("}}"));
}

/* ---- the document, piece by piece -------------------------------------------------- */

struct walk {
    struct admin *admin;
    struct buf *out;
    struct str only_branch, only_bucket; /* ptr NULL: all */
    bool keys;
    enum { WALK_BEGINS, WALK_BRANCHES, WALK_SNAPSHOTS, WALK_SUMS, WALK_ENDS } part;
    size_t branches, buckets; /* printed so far: of all, and in this branch */
    size_t looked;            /* at branches */
    bool found;               /* one that is to be printed: root is its */
    struct named_info branch; /* at work, or before the next */
    struct root *root;        /* of it; NULL between branches */
    char bucket[64];          /* the last one looked at */
    uint64_t bucket_count;
    struct contents contents;
    struct listing *listing; /* of its keys */
    bool first_key;
    struct named_walk all_branches, snapshots; /* for what they would need without sharing */
};

static void walk_release(struct walk *w)
{
    listing_close(TAKE(w->listing));
    root_unref(TAKE(w->root));
}

static bool root_has_bucket(struct root *root, struct str bucket)
{
    struct bucket_info info;
    bool found;

    if (!root_bucket_next(root, bucket, true, &info))
        return false;
    found = str_eq(str_c(info.name), bucket);
    bucket_info_release(&info);
    return found;
}

/* Looks at the next branch: found when it is to be printed. False: there is none. */
static bool look_at_branch(struct walk *w)
{
    bool one = w->only_branch.ptr;
    struct str from = one ? w->only_branch : str_c(w->branch.name);
    bool wanted;

    if ((one && w->looked > 0) || !stats_next_branch(w->admin, from, one, &w->branch, &w->root))
        return false;
    w->looked++;
    wanted = !one || str_eq(str_c(w->branch.name), w->only_branch);
    w->found = wanted && (!w->only_bucket.ptr || root_has_bucket(w->root, w->only_bucket));
    if (!w->found)
        root_unref(TAKE(w->root));
    return true;
}

static void begin_branch(struct walk *w)
{
    w->found = false;
    if (w->branches++ > 0)
        buf_add_char(w->out, ',');
    add_text(w->out, "{\"name\":", w->branch.name);
    add_text_or_null(w->out, ",\"from\":", w->branch.from);
    add_time(w->out, ",\"created\":", w->branch.created_ns);
    buf_add(w->out, STR(",\"buckets\":["));
    w->bucket[0] = '\0';
    w->buckets = w->bucket_count = 0;
    w->contents = (struct contents){0};
}

static void end_branch(struct walk *w)
{
    buf_add_char(w->out, ']');
    add_u64(w->out, ",\"bucketCount\":", w->bucket_count);
    add_contents(w->out, &w->contents);
    buf_add_char(w->out, '}');
    root_unref(TAKE(w->root));
}

static void begin_keys(struct walk *w)
{
    struct listing_query query = {.kind = LIST_OBJECTS, .bucket = str_c(w->bucket)};

    buf_add(w->out, STR(",\"keys\":["));
    w->first_key = true;
    if (listing_open(&w->listing, w->root, &query))
        w->out->failed = true; /* memory is out */
}

/* False: there is no further bucket. */
static bool next_bucket(struct walk *w)
{
    struct bucket_info info;

    if (!root_bucket_next(w->root, str_c(w->bucket), false, &info))
        return false;
    memcpy(w->bucket, info.name, sizeof(w->bucket));
    w->bucket_count++;
    w->contents.objects += info.object_count;
    w->contents.bytes += info.object_bytes;
    w->contents.versions += info.version_count;
    w->contents.version_bytes += info.version_bytes;
    w->contents.uploads += info.upload_count;
    if (!w->only_bucket.ptr || str_eq(w->only_bucket, str_c(info.name))) {
        if (w->buckets++ > 0)
            buf_add_char(w->out, ',');
        add_bucket(w->out, &info);
        if (w->keys)
            begin_keys(w);
        else
            buf_add_char(w->out, '}');
    }
    bucket_info_release(&info);
    return true;
}

static void next_key(struct walk *w)
{
    struct listing_entry entry;

    if (!listing_next(w->listing, &entry)) {
        listing_close(TAKE(w->listing));
        buf_add(w->out, STR("]}"));
        return;
    }
    if (!w->first_key)
        buf_add_char(w->out, ',');
    w->first_key = false;
    json_add_text(w->out, record_key(entry.record));
}

static void begin_document(struct walk *w)
{
    struct admin *admin = w->admin;

    add_text(w->out, "{\"version\":", admin->options.version);
    add_time(w->out, ",\"started\":", admin->started_unix_ns);
    add_u64(w->out,
            ",\"uptimeMs\":", (uint64_t)(clock_monotonic_ns() - admin->started_ns) / NS_PER_MS);
    buf_add(w->out, STR(",\"branches\":["));
}

static void end_document(struct walk *w)
{
    struct journal_facts j;

    stats_journal(w->admin, &j);
    add_memory(w->out, w->admin, w->all_branches.stored_bytes + w->snapshots.stored_bytes);
    buf_add(w->out, STR(",\"evictions\":0"));
    add_persistence(w->out, w->admin);
    add_requests(w->out, w->admin);
    add_turns(w->out, w->admin);
    add_u64(w->out, ",\"journal\":{\"capacity\":", j.capacity);
    add_u64(w->out, ",\"size\":", j.size);
    add_u64(w->out, ",\"bytes\":", j.bytes);
    add_u64(w->out, ",\"limit\":", j.bytes_max);
    add_u64(w->out, "},\"events\":{\"subscribers\":", j.subscribers);
    add_u64(w->out, ",\"lost\":", j.lost);
    add_u64(w->out, ",\"bytes\":", j.text_bytes);
    buf_add(w->out, STR("}}"));
}

/* The next branch, bucket or key. */
static void walk_branches(struct walk *w)
{
    if (w->listing) {
        next_key(w);
    } else if (w->root && !w->found) {
        if (!next_bucket(w))
            end_branch(w);
    } else if (w->found || look_at_branch(w)) {
        if (w->found)
            begin_branch(w);
    } else {
        buf_add(w->out, STR("],\"snapshots\":["));
        w->part = WALK_SNAPSHOTS;
    }
}

static void next_snapshot(struct walk *w)
{
    bool first = w->snapshots.count == 0;
    struct named_info info;

    if (!named_walk_next(&w->snapshots, &info)) {
        buf_add_char(w->out, ']');
        w->part = WALK_SUMS;
        return;
    }
    if (!first)
        buf_add_char(w->out, ',');
    named_info_add_json(w->out, &info);
}

static bool walk_next(void *arg, struct buf *out)
{
    struct walk *w = arg;
    struct named_info info;

    w->out = out;
    switch (w->part) {
    case WALK_BEGINS:
        begin_document(w);
        w->part = WALK_BRANCHES;
        break;
    case WALK_BRANCHES:
        walk_branches(w);
        break;
    case WALK_SNAPSHOTS:
        next_snapshot(w);
        break;
    case WALK_SUMS:
        if (!named_walk_next(&w->all_branches, &info))
            w->part = WALK_ENDS;
        break;
    case WALK_ENDS:
        end_document(w);
        return false;
    }
    return true;
}

static void walk_init(struct walk *w, struct admin *admin)
{
    struct store *store = admin->options.store;

    *w = (struct walk){.admin = admin,
                       .all_branches = {.store = store, .next = store_branch_next},
                       .snapshots = {.store = store, .next = store_snapshot_next}};
}

/* ---- asking ------------------------------------------------------------------------ */

void admin_stats(struct admin *admin, bool keys, struct buf *out)
{
    struct walk w;

    walk_init(&w, admin);
    w.keys = keys;
    while (walk_next(&w, out) && buf_ok(out))
        continue;
    walk_release(&w);
}

static void walk_free(void *state)
{
    walk_release(state);
    mem_free(state);
}

/* False: answered. */
static bool begin_walk(struct admin_call *c)
{
    struct walk *w = xcalloc(1, sizeof(*w));

    c->state = w;
    c->state_free = walk_free;
    walk_init(w, c->admin);
    w->only_branch = admin_param(c, "branch");
    w->only_bucket = admin_param(c, "bucket");
    if (!admin_param_bool(c, "keys", &w->keys))
        return false;
    if (!w->only_branch.ptr)
        return true;

    AUTO(branch) b = admin_branch(c);

    return b; /* or answered that there is none */
}

/* Branches between two turns, while a bucket is looked for. */
#define LOOKS_A_TURN 1000

/* The first branch is found before anything is said: there may be none with that bucket. */
static enum app_next find_first(struct admin_call *c)
{
    struct walk *w = c->state;

    for (int i = 0; i < LOOKS_A_TURN && !w->found; i++) {
        if (look_at_branch(w))
            continue;
        if (!w->only_bucket.ptr)
            break;
        return admin_field_error(c, 404, "NoSuchBucket", "bucket", "there is no bucket '%s'",
                                 w->only_bucket.ptr);
    }
    if (w->found || !w->only_bucket.ptr)
        return admin_pieces(c, "application/json", walk_next, w);
    c->req->waker->wake(c->req->waker);
    return APP_WAIT;
}

enum app_next admin_show_stats(struct admin_call *c)
{
    if (!c->state && !begin_walk(c))
        return APP_REPLY;
    return admin_settled(c) ? find_first(c) : APP_WAIT;
}
