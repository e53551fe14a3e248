/* SPDX-License-Identifier: MIT */
/* requests.c - GET requests: what the journal has, or will have soon. It is gone through in
 * turns, oldest first, so that a long one stops nobody; who waits goes on with what is new. */
#include "admin/traffic/journal.h"
#include "admin/traffic/watch.h"

#include <stdlib.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000
#define WAIT_MAX_NS   (600 * NS_PER_S)
#define BATCH         64
/* Between two turns other requests of the I/O thread get theirs. */
#define BATCHES_A_TURN 64

struct search {
    struct admin *admin;
    struct filter filter;
    uint64_t clearings;
    uint64_t matched;
    struct entry **kept; /* the last ones that matched: a ring of limit, references */
    size_t limit, kept_count, kept_next;
    size_t shown;     /* of those, in the answer */
    uint64_t last_id; /* what the answer says */
    bool waits;
    uint64_t count; /* that it waits for */
    int64_t deadline_ns;
    struct watch *watch;
    struct watcher reader; /* joins when it waits */
};

static void forget_kept(struct search *s)
{
    journal_release(s->admin->journal, s->kept, s->kept_count);
    s->kept_count = s->kept_next = 0;
}

static void search_free(void *state)
{
    struct search *s = state;

    watch_leave(s->watch, &s->reader);
    forget_kept(s);
    mem_free(s->kept);
    mem_free(s);
}

enum app_next admin_journal_off(struct admin_call *c)
{
    return admin_error(c, 409, "JournalOff",
                       "the server keeps no journal: it was started with --journal 0");
}

/* ---- what is asked ----------------------------------------------------------------- */

static bool read_wait(struct admin_call *c, struct search *s)
{
    int64_t wait_ns = 0;
    struct journal_facts facts;

    s->waits = admin_param(c, "wait").ptr;
    s->count = 1;
    if (!admin_param_duration(c, "wait", &wait_ns) || !admin_param_u64(c, "count", &s->count))
        return false;
    journal_facts(c->admin->journal, &facts);
    s->clearings = facts.clearings;
    s->deadline_ns = clock_monotonic_ns() + wait_ns;
    if (wait_ns > WAIT_MAX_NS)
        admin_field_error(c, 400, "InvalidArgument", "wait", "must be at most 10m");
    else if (admin_param(c, "count").ptr && !s->waits)
        admin_field_error(c, 400, "InvalidArgument", "count", "is for use with wait");
    else if (s->count < 1 || s->count > facts.capacity)
        admin_field_error(c, 400, "InvalidArgument", "count",
                          "must be from 1 to %zu, which is what the journal holds",
                          facts.capacity);
    else
        return true;
    return false;
}

static bool read_limit(struct admin_call *c, struct search *s)
{
    uint64_t limit = LIMIT_DEFAULT;

    if (!admin_param_u64(c, "limit", &limit))
        return false;
    if (limit > LIMIT_MAX) {
        admin_field_error(c, 400, "InvalidArgument", "limit", "must be at most %d", LIMIT_MAX);
        return false;
    }
    s->limit = limit;
    s->kept = xcalloc(limit + 1, sizeof(struct entry *));
    return true;
}

/* False: answered. */
static bool begin_search(struct admin_call *c)
{
    struct search *s = xcalloc(1, sizeof(*s));

    c->state = s;
    c->state_free = search_free;
    s->admin = c->admin;
    s->watch = journal_watch(c->admin->journal);
    s->reader.waker = c->req->waker;
    if (!filter_read(c, &s->filter) || !read_limit(c, s) || !read_wait(c, s))
        return false;
    if (!s->waits || watch_join(s->watch, &s->reader, &s->filter, false))
        return true;
    admin_no_memory(c);
    return false;
}

/* ---- searching --------------------------------------------------------------------- */

/* Takes the reference. What falls out of the ring goes to released. */
static void keep(struct search *s, struct entry *e, struct entry **released, size_t *count)
{
    struct entry **slot = &s->kept[s->kept_next];

    if (s->limit == 0) {
        released[(*count)++] = e;
        return;
    }
    if (s->kept_count == s->limit)
        released[(*count)++] = *slot;
    else
        s->kept_count++;
    *slot = e;
    s->kept_next = (s->kept_next + 1) % s->limit;
}

/* A turn; true when all that there is has been looked at. */
static bool search_on(struct search *s)
{
    struct entry *found[BATCH], *released[BATCH];
    size_t count, released_count;
    int64_t until_ns = clock_monotonic_ns() + TURN_SLICE_NS;

    for (int i = 0; i < BATCHES_A_TURN && clock_monotonic_ns() < until_ns; i++) {
        count = journal_read(s->admin->journal, &s->reader.position, found, BATCH);
        released_count = 0;
        for (size_t k = 0; k < count; k++) {
            if (filter_passes(&s->filter, found[k])) {
                s->matched++;
                keep(s, found[k], released, &released_count);
            } else {
                released[released_count++] = found[k];
            }
        }
        journal_release(s->admin->journal, released, released_count);
        if (count < BATCH)
            return true;
    }
    return false;
}

/* DELETE requests came in between: then there is only what came after it. */
static bool was_cleared(struct search *s, struct journal_facts *facts)
{
    journal_facts(s->admin->journal, facts);
    if (s->clearings == facts->clearings)
        return false;
    s->clearings = facts->clearings;
    forget_kept(s);
    s->matched = 0;
    s->reader.position = 0;
    return true;
}

/* ---- answering --------------------------------------------------------------------- */

static int newer_first(const void *a, const void *b)
{
    uint64_t x = (*(struct entry *const *)a)->id, y = (*(struct entry *const *)b)->id;

    return x > y ? -1 : x < y;
}

/* They stand in the order of their ends. */
static bool next_request(void *arg, struct buf *out)
{
    struct search *s = arg;

    buf_add(out, s->shown == 0 ? STR("{\"requests\":[") : STR(""));
    if (s->shown < s->kept_count) {
        if (s->shown > 0)
            buf_add_char(out, ',');
        entry_add_json(out, s->kept[s->shown++]);
        return true;
    }
    buf_add(out, STR("],\"matched\":"));
    buf_add_u64(out, s->matched);
    buf_add(out, s->waits && s->matched < s->count ? STR(",\"timedOut\":true")
                                                   : STR(",\"timedOut\":false"));
    buf_add(out, STR(",\"last\":"));
    buf_add_u64(out, s->last_id);
    buf_add_char(out, '}');
    return false;
}

static enum app_next answer(struct admin_call *c, uint64_t last_id)
{
    struct search *s = c->state;

    s->last_id = last_id;
    qsort(s->kept, s->kept_count, sizeof(struct entry *), newer_first);
    return admin_pieces(c, "application/json", next_request, s);
}

/* Nothing more to look at: is it time to answer? */
static bool is_over(struct admin_call *c)
{
    struct search *s = c->state;

    if (!s->waits || s->matched >= s->count || clock_monotonic_ns() >= s->deadline_ns)
        return true;
    c->req->waker->wake_at(c->req->waker, s->deadline_ns);
    return false;
}

enum app_next admin_list_requests(struct admin_call *c)
{
    struct search *s;
    struct journal_facts facts;

    if (!c->admin->journal)
        return admin_journal_off(c);
    if (!c->state && !begin_search(c))
        return APP_REPLY;
    s = c->state;
    if (!s->waits && !admin_settled(c))
        return APP_WAIT;
    if (s->waits)
        watch_read(s->watch, &s->reader);
    if (!search_on(s) || was_cleared(s, &facts)) {
        c->req->waker->wake(c->req->waker);
        return APP_WAIT;
    }
    if (is_over(c))
        return answer(c, facts.last_id);
    watch_wait(s->watch, &s->reader, true);
    return APP_WAIT;
}

enum app_next admin_forget_requests(struct admin_call *c)
{
    if (!c->admin->journal)
        return admin_journal_off(c);
    journal_clear(c->admin->journal);
    return admin_empty(c, 204);
}
