/* SPDX-License-Identifier: MIT */
/* watch.c - the thread that holds what is new against the filters of those who wait. */
#include "admin/traffic/watch.h"
#include "admin/traffic/journal.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

/* Wakes come in batches, so long apart. */
#define TICK_NS (5 * NS_PER_MS)
/* Readers have this share of the CPU time that the server gets, and may save up so much of it.
 * A server with little to do gives them the share of a whole processor. */
#define SHARE              0.10
#define CREDIT_MAX_NS      (20 * NS_PER_MS)
#define CREDIT_MAX_BUSY_NS (2 * NS_PER_MS)
/* It has much to do: a thousand requests a second, three events each. */
#define EVENTS_A_MS_BUSY 3
/* Of a tick, so that a herd of readers stops nobody for long. */
#define WAKES_A_TICK 32
/* What waking a reader costs besides what it reads: two context switches and a system call. */
#define WAKE_NS 15000
/* Of the last of them, shared by readers who are woken together. */
#define ALLOWANCE_A_TICK KiB(512)

/* What is looked at in one go. */
#define BATCH_MAX      1024
#define READ_MAX       64
#define BATCHES_A_TICK 8
/* Kinds of events that are told apart in a batch; of further ones each is looked at alone. */
#define CLASSES_MAX 64
/* Readers of one group may stand at different positions; more than so many in one batch are
 * for the next. */
#define MATCHES_A_BATCH 8

#define CHAINS 256

/* Readers with equal filters. */
struct watch_group {
    struct filter *filter; /* owned */
    uint64_t hash;
    bool to_events;
    size_t holders; /* its readers, and the thread while it looks */
    struct watcher *idle;
    uint64_t scanned; /* nothing that passes stands between an idle reader's position and it */
    struct watch_group *next, **back;
};

struct watch {
    struct journal *journal;
    pthread_mutex_t lock; /* guards what follows */
    struct watch_group *chains[CHAINS];
    struct watcher *ready, **ready_end;
    size_t ready_count, idle_count;
    uint64_t subscribers;
    bool runs;

    _Atomic int64_t credit_ns;
    pthread_t thread;
    pthread_mutex_t sleep_lock; /* guards poked, asleep and stopping */
    pthread_cond_t sleep;
    bool poked, asleep, stopping;
    atomic_bool wants_poke; /* it sleeps, and somebody is idle */
};

/* ---- the thread's sleep ------------------------------------------------------------ */

bool watch_wants_poke(const struct watch *w)
{
    return atomic_load_explicit(&w->wants_poke, memory_order_relaxed);
}

void watch_poke(struct watch *w)
{
    pthread_mutex_lock(&w->sleep_lock);
    atomic_store_explicit(&w->wants_poke, false, memory_order_relaxed);
    w->poked = true;
    if (w->asleep)
        pthread_cond_signal(&w->sleep);
    pthread_mutex_unlock(&w->sleep_lock);
}

static void sleep_until_poked(struct watch *w)
{
    pthread_mutex_lock(&w->sleep_lock);
    w->asleep = true;
    while (!w->poked && !w->stopping)
        pthread_cond_wait(&w->sleep, &w->sleep_lock);
    w->poked = w->asleep = false;
    pthread_mutex_unlock(&w->sleep_lock);
}

/* False: it is time to end. */
static bool sleep_a_tick(struct watch *w)
{
    int64_t until_ns = clock_monotonic_ns() + TICK_NS;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    bool stopping;

    pthread_mutex_lock(&w->sleep_lock);
    while (!w->stopping && pthread_cond_timedwait(&w->sleep, &w->sleep_lock, &until) == 0)
        continue;
    stopping = w->stopping;
    pthread_mutex_unlock(&w->sleep_lock);
    return !stopping;
}

/* ---- lists ------------------------------------------------------------------------- */

static void add_idle_locked(struct watch *w, struct watcher *r)
{
    struct watch_group *g = r->group;

    if (!g->idle || r->position < g->scanned)
        g->scanned = r->position;
    r->state = WATCHER_IDLE;
    r->next = g->idle;
    r->back = &g->idle;
    if (r->next)
        r->next->back = &r->next;
    g->idle = r;
    w->idle_count++;
}

static void add_ready_locked(struct watch *w, struct watcher *r)
{
    r->state = WATCHER_READY;
    r->next = NULL;
    r->back = w->ready_end;
    *w->ready_end = r;
    w->ready_end = &r->next;
    w->ready_count++;
}

/* Out of its list, if it is in one. */
static void unlist_locked(struct watch *w, struct watcher *r)
{
    if (r->state == WATCHER_AWAY)
        return;
    *r->back = r->next;
    if (r->next)
        r->next->back = r->back;
    else if (r->state == WATCHER_READY)
        w->ready_end = r->back;
    if (r->state == WATCHER_READY)
        w->ready_count--;
    else
        w->idle_count--;
    r->state = WATCHER_AWAY;
}

static void drop_group_locked(struct watch_group *g)
{
    if (--g->holders > 0)
        return;
    *g->back = g->next;
    if (g->next)
        g->next->back = g->back;
    mem_free(g->filter);
    mem_free(g);
}

/* ---- looking ----------------------------------------------------------------------- */

/* What is new, with references. */
struct batch {
    struct event events[BATCH_MAX];
    uint8_t classes[BATCH_MAX]; /* of each event: an index below, or CLASSES_MAX: none */
    size_t count;
    uint16_t examples[CLASSES_MAX]; /* of each class: one of its events */
    size_t class_count;
};

/* Does a whole class pass, before its keys are looked at? */
enum class_verdict { CLASS_UNKNOWN, CLASS_FAILS, CLASS_PASSES };

static void sort_into_class(struct batch *b, size_t i)
{
    size_t class = i > 0 ? b->classes[i - 1] : CLASSES_MAX;

    if (class == CLASSES_MAX ||
        !event_same_class(&b->events[b->examples[class]], &b->events[i])) {
        for (class = 0; class < b->class_count; class ++) {
            if (event_same_class(&b->events[b->examples[class]], &b->events[i]))
                break;
        }
    }
    if (class == b->class_count && class < CLASSES_MAX)
        b->examples[b->class_count++] = (uint16_t)i;
    b->classes[i] = (uint8_t) class;
}

static void read_batch(struct watch *w, struct batch *b, uint64_t from, bool to_events)
{
    size_t count;

    b->count = b->class_count = 0;
    do {
        struct event *at = b->events + b->count;

        count = to_events ? journal_read_events(w->journal, &from, at, READ_MAX)
                          : journal_read_completed(w->journal, &from, at, READ_MAX);
        for (size_t i = 0; i < count; i++)
            sort_into_class(b, b->count++);
    } while (count == READ_MAX && b->count + READ_MAX <= BATCH_MAX);
}

/* Index of the first one from number on that passes, or count. */
static size_t find_match(const struct batch *b, const struct watch_group *g, uint64_t number,
                         uint8_t verdicts[CLASSES_MAX])
{
    size_t i = number > b->events[0].number ? (size_t)(number - b->events[0].number) : 0;

    for (; i < b->count; i++) {
        const struct event *event = &b->events[i];
        uint8_t class = b->classes[i], verdict = CLASS_UNKNOWN;

        if (class < CLASSES_MAX)
            verdict = verdicts[class];
        if (verdict == CLASS_UNKNOWN) {
            verdict = filter_passes_class(g->filter, event) ? CLASS_PASSES : CLASS_FAILS;
            if (class < CLASSES_MAX)
                verdicts[class] = verdict;
        }
        if (verdict == CLASS_PASSES && filter_passes_rest(g->filter, event, g->to_events))
            return i;
    }
    return b->count;
}

/* Those who have not read up to this number are READY; scanned from: what stands between it and
 * the number passes for nobody. */
static void make_ready_locked(struct watch *w, struct watch_group *g, uint64_t from,
                              uint64_t number)
{
    struct watcher *next;
    uint64_t lowest = UINT64_MAX;

    for (struct watcher *r = g->idle; r; r = next) {
        next = r->next;
        if (r->position <= number) {
            unlist_locked(w, r);
            if (r->position >= from)
                r->position = number;
            add_ready_locked(w, r);
        } else if (r->position < lowest) {
            lowest = r->position;
        }
    }
    g->scanned = lowest;
}

/* What stood before first has gone unseen: the readers will find the gap themselves. */
static void make_gap_known_locked(struct watch *w, struct watch_group *g, uint64_t first)
{
    for (struct watcher *r = g->idle; r; r = r->next) {
        if (r->position < g->scanned)
            r->position = g->scanned;
    }
    make_ready_locked(w, g, UINT64_MAX, first - 1);
}

/* Holds a batch against a group's filter. */
static void scan_group(struct watch *w, struct watch_group *g, const struct batch *b)
{
    uint8_t verdicts[CLASSES_MAX] = {CLASS_UNKNOWN};
    uint64_t first = b->events[0].number, end = first + b->count, from;
    bool idle;

    pthread_mutex_lock(&w->lock);
    idle = g->idle;
    from = g->scanned;
    if (idle && from < first) {
        make_gap_known_locked(w, g, first);
        idle = g->idle;
        from = g->scanned;
    }
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; idle && from < end && i < MATCHES_A_BATCH; i++) {
        size_t at = find_match(b, g, from, verdicts);

        pthread_mutex_lock(&w->lock);
        if (at < b->count)
            make_ready_locked(w, g, from, b->events[at].number);
        else if (g->scanned == from)
            g->scanned = end;
        idle = g->idle && at < b->count;
        from = g->scanned;
        pthread_mutex_unlock(&w->lock);
    }
}

/* The next group with idle readers, held; g is given back. */
static struct watch_group *next_group(struct watch *w, struct watch_group *g, size_t *chain,
                                      bool to_events)
{
    struct watch_group *next;

    pthread_mutex_lock(&w->lock);
    next = g ? g->next : w->chains[*chain];
    if (g)
        drop_group_locked(g);
    for (;;) {
        while (next && (!next->idle || next->to_events != to_events))
            next = next->next;
        if (next || ++*chain == CHAINS)
            break;
        next = w->chains[*chain];
    }
    if (next)
        next->holders++;
    pthread_mutex_unlock(&w->lock);
    return next;
}

/* Where to begin; UINT64_MAX: nobody is idle. */
static uint64_t lowest_scanned(struct watch *w, bool to_events)
{
    uint64_t lowest = UINT64_MAX;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; w->idle_count > 0 && i < CHAINS; i++) {
        for (struct watch_group *g = w->chains[i]; g; g = g->next) {
            if (g->idle && g->to_events == to_events && g->scanned < lowest)
                lowest = g->scanned;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return lowest;
}

/* Looks at the next that is new; returns how much that was. */
static size_t scan(struct watch *w, struct batch *b, bool to_events)
{
    uint64_t from = lowest_scanned(w, to_events);
    struct watch_group *g = NULL;
    size_t chain = 0;

    if (from == UINT64_MAX)
        return 0;
    read_batch(w, b, from, to_events);
    while (b->count > 0 && (g = next_group(w, g, &chain, to_events)))
        scan_group(w, g, b);
    journal_release_events(w->journal, b->events, b->count);
    return b->count;
}

/* All that is new, unless that is very much. False: nothing is. */
static bool scan_all(struct watch *w, struct batch *b)
{
    size_t events = 0, entries = 0;

    for (int i = 0; i < BATCHES_A_TICK; i++) {
        events = scan(w, b, true);
        entries = scan(w, b, false);
        if (i == 0 && events + entries == 0)
            return false;
        if (events < BATCH_MAX && entries < BATCH_MAX)
            break;
    }
    return true;
}

/* ---- waking ------------------------------------------------------------------------ */

/* False: nobody is left who wants to be woken. */
static bool wake_some(struct watch *w)
{
    size_t allowance;
    bool some;

    pthread_mutex_lock(&w->lock);
    allowance = ALLOWANCE_A_TICK / (w->ready_count + 1);
    allowance = allowance < WATCH_ALLOWANCE_MIN   ? WATCH_ALLOWANCE_MIN
                : allowance > WATCH_ALLOWANCE_MAX ? WATCH_ALLOWANCE_MAX
                                                  : allowance;
    some = w->ready;
    for (int i = 0; i < WAKES_A_TICK && w->ready && atomic_load(&w->credit_ns) > 0; i++) {
        struct watcher *r = w->ready;

        unlist_locked(w, r);
        r->allowance = allowance;
        /* Under the lock, so that it is not woken after it has left. */
        r->waker->wake(r->waker);
        watch_charge(w, WAKE_NS);
        pthread_mutex_unlock(&w->lock);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return some;
}

/* What the server had done when credit was last given. */
struct earned {
    int64_t at_ns, cpu_ns;
    uint64_t events;
};

static void earn_credit(struct watch *w, struct earned *last)
{
    struct earned now = {clock_monotonic_ns(), clock_process_cpu_ns(),
                         journal_next_event(w->journal)};
    int64_t passed_ns = now.at_ns - last->at_ns, spent_ns = now.cpu_ns - last->cpu_ns;
    bool busy = (double)(now.events - last->events) * (double)NS_PER_MS >
                (double)passed_ns * EVENTS_A_MS_BUSY;
    int64_t max = busy ? CREDIT_MAX_BUSY_NS : CREDIT_MAX_NS;
    int64_t base = busy || spent_ns > passed_ns ? spent_ns : passed_ns;
    int64_t credit = atomic_load(&w->credit_ns), more;

    do {
        more = credit + (int64_t)((double)base * SHARE);
        if (more > max)
            more = max;
    } while (!atomic_compare_exchange_weak(&w->credit_ns, &credit, more));
    *last = now;
}

/* False: there was nothing to be done. */
static bool do_a_tick(struct watch *w, struct batch *b)
{
    int64_t began_ns = clock_thread_cpu_ns();
    bool some;

    if (atomic_load(&w->credit_ns) <= 0)
        return true;
    some = scan_all(w, b);
    watch_charge(w, clock_thread_cpu_ns() - began_ns);
    return wake_some(w) || some;
}

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    struct batch *b = xcalloc(1, sizeof(*b));
    struct earned earned = {clock_monotonic_ns(), clock_process_cpu_ns(), 1};
    bool goes_on = true;

    while (goes_on) {
        earn_credit(w, &earned);
        if (!do_a_tick(w, b)) {
            bool idle;

            pthread_mutex_lock(&w->lock);
            idle = w->idle_count > 0;
            pthread_mutex_unlock(&w->lock);
            /* Said before the journal is looked at again: what is published after that look
             * sees it. */
            atomic_store_explicit(&w->wants_poke, idle, memory_order_relaxed);
            if (!scan_all(w, b))
                sleep_until_poked(w);
            atomic_store_explicit(&w->wants_poke, false, memory_order_relaxed);
            pthread_mutex_lock(&w->sleep_lock);
            goes_on = !w->stopping;
            pthread_mutex_unlock(&w->sleep_lock);
            continue;
        }
        goes_on = sleep_a_tick(w);
    }
    mem_free(b);
    return NULL;
}

void watch_charge(struct watch *w, int64_t ns)
{
    atomic_fetch_sub_explicit(&w->credit_ns, ns, memory_order_relaxed);
}

/* ---- life -------------------------------------------------------------------------- */

struct watch *watch_new(struct journal *j)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    pthread_condattr_t attr;

    w->journal = j;
    w->ready_end = &w->ready;
    atomic_init(&w->credit_ns, CREDIT_MAX_NS);
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->sleep_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->sleep, &attr);
    pthread_condattr_destroy(&attr);
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    if (w->runs) {
        pthread_mutex_lock(&w->sleep_lock);
        w->stopping = true;
        pthread_cond_signal(&w->sleep);
        pthread_mutex_unlock(&w->sleep_lock);
        pthread_join(w->thread, NULL);
    }
    for (size_t i = 0; i < CHAINS; i++)
        assert(!w->chains[i]);
    pthread_cond_destroy(&w->sleep);
    pthread_mutex_destroy(&w->sleep_lock);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

/* A server that nobody watches has no such thread. */
static bool start_thread_locked(struct watch *w)
{
    sigset_t all, before;

    if (w->runs)
        return true;
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->runs = pthread_create(&w->thread, NULL, watch_main, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->runs;
}

/* A new reference. NULL: no memory. */
static struct watch_group *hold_group_locked(struct watch *w, const struct filter *filter,
                                             bool to_events)
{
    uint64_t hash = filter_hash(filter);
    struct watch_group **chain = &w->chains[hash % CHAINS], *g;

    for (g = *chain; g; g = g->next) {
        if (g->hash == hash && g->to_events == to_events && filter_same(g->filter, filter)) {
            g->holders++;
            return g;
        }
    }
    g = try_malloc(sizeof(*g));
    if (!g)
        return NULL;
    *g = (struct watch_group){.filter = filter_copy(filter),
                              .hash = hash,
                              .to_events = to_events,
                              .holders = 1,
                              .next = *chain,
                              .back = chain};
    if (!g->filter) {
        mem_free(g);
        return NULL;
    }
    if (g->next)
        g->next->back = &g->next;
    *chain = g;
    return g;
}

bool watch_join(struct watch *w, struct watcher *r, const struct filter *filter, bool to_events)
{
    pthread_mutex_lock(&w->lock);
    r->group = start_thread_locked(w) ? hold_group_locked(w, filter, to_events) : NULL;
    r->state = WATCHER_AWAY;
    r->allowance = WATCH_ALLOWANCE_MAX;
    w->subscribers += r->group && to_events;
    pthread_mutex_unlock(&w->lock);
    return r->group;
}

void watch_leave(struct watch *w, struct watcher *r)
{
    if (!r->group)
        return;
    pthread_mutex_lock(&w->lock);
    unlist_locked(w, r);
    w->subscribers -= r->group->to_events;
    drop_group_locked(TAKE(r->group));
    pthread_mutex_unlock(&w->lock);
}

uint64_t watch_subscribers(struct watch *w)
{
    uint64_t count;

    pthread_mutex_lock(&w->lock);
    count = w->subscribers;
    pthread_mutex_unlock(&w->lock);
    return count;
}

void watch_read(struct watch *w, struct watcher *r)
{
    pthread_mutex_lock(&w->lock);
    if (r->state != WATCHER_AWAY) {
        if (r->state == WATCHER_IDLE && r->group->scanned > r->position)
            r->position = r->group->scanned;
        unlist_locked(w, r);
        if (r->allowance < WATCH_ALLOWANCE_MIN)
            r->allowance = WATCH_ALLOWANCE_MIN;
    }
    pthread_mutex_unlock(&w->lock);
}

void watch_wait(struct watch *w, struct watcher *r, bool at_end)
{
    pthread_mutex_lock(&w->lock);
    unlist_locked(w, r);
    if (at_end)
        add_idle_locked(w, r);
    else
        add_ready_locked(w, r);
    pthread_mutex_unlock(&w->lock);
    watch_poke(w);
}
