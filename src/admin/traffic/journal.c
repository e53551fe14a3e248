/* SPDX-License-Identifier: MIT */
/* journal.c - the rings of completed requests and of events, and who waits for them.
 *
 * References on an entry: one while its request runs, one in the ring of completed ones, one
 * for each event in theirs, one for each reader at work. */
#include "admin/traffic/journal.h"
#include "admin/traffic/statistics.h"
#include "admin/traffic/watch.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

/* A request has at most so many: the events reach as far back as the entries. */
#define EVENTS_A_REQUEST 3
/* No entry is smaller: the rings have no more slots than entries can be. */
#define ENTRY_BYTES_MIN (sizeof(struct entry) + 64)

struct event_slot {
    struct entry *entry;
    enum event_type type;
};

struct journal {
    pthread_mutex_t lock;
    size_t capacity;
    size_t bytes, bytes_max; /* of the rings and of all entries, the free ones included */
    uint64_t last_id;
    uint64_t forgotten_id; /* up to here entries are not listed any more */
    uint64_t clearings;
    uint64_t first, next; /* positions of completed entries; slot = position & mask */
    struct entry **completed;
    size_t completed_mask;
    size_t event_capacity;
    uint64_t first_event, next_event; /* numbers; slot = number & mask */
    struct event_slot *events;
    size_t event_mask;
    struct entry *free;
    uint64_t lost;
    /* One free entry a stripe of threads, to be had without the lock. */
    _Atomic(struct entry *) spare[STRIPES];
    _Atomic size_t text_bytes; /* of readers, held for their clients */
    struct watch *watch;       /* who waits for more */
};

static size_t power_of_two(size_t at_least)
{
    size_t n = 1;

    while (n < at_least)
        n *= 2;
    return n;
}

/* Waiting for the lock takes shorter than going to sleep. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

struct journal *journal_new(size_t capacity, size_t bytes_max)
{
    struct journal *j = xcalloc(1, sizeof(*j));
    size_t fitting = bytes_max / ENTRY_BYTES_MIN + 1, slots, event_slots;

    assert(capacity > 0 && capacity <= JOURNAL_MAX);
    init_lock(&j->lock);
    j->capacity = capacity < fitting ? capacity : fitting;
    j->event_capacity = j->capacity * EVENTS_A_REQUEST;
    slots = power_of_two(j->capacity);
    event_slots = power_of_two(j->event_capacity);
    j->bytes = slots * sizeof(*j->completed) + event_slots * sizeof(*j->events);
    j->bytes_max = bytes_max;
    j->completed = xcalloc(slots, sizeof(*j->completed));
    j->completed_mask = slots - 1;
    j->events = xcalloc(event_slots, sizeof(*j->events));
    j->event_mask = event_slots - 1;
    j->first_event = j->next_event = 1;
    j->watch = watch_new(j);
    return j;
}

/* ---- references -------------------------------------------------------------------- */

static void unref_locked(struct journal *j, struct entry *e)
{
    if (--e->refs > 0)
        return;
    e->next = j->free;
    j->free = e;
}

static struct entry *pop_free_locked(struct journal *j)
{
    struct entry *e = j->free;

    if (e)
        j->free = e->next;
    return e;
}

/* What the calling thread's next request will be kept in; NULL: nothing free yet. */
static struct entry *refill_spare_locked(struct journal *j)
{
    _Atomic(struct entry *) *spare = &j->spare[thread_stripe()];
    struct entry *e = atomic_load_explicit(spare, memory_order_relaxed), *other;

    if (e || !j->free)
        return e;
    e = pop_free_locked(j);
    other = atomic_exchange_explicit(spare, e, memory_order_acq_rel);
    if (other) {
        other->next = j->free;
        j->free = other;
    }
    return e;
}

static struct entry *take_free(struct journal *j)
{
    struct entry *e =
        atomic_exchange_explicit(&j->spare[thread_stripe()], NULL, memory_order_acq_rel);

    if (e)
        return e;
    pthread_mutex_lock(&j->lock);
    e = pop_free_locked(j);
    pthread_mutex_unlock(&j->lock);
    return e;
}

/* ---- what happens ------------------------------------------------------------------ */

static void add_event_locked(struct journal *j, enum event_type type, struct entry *e)
{
    if (j->next_event - j->first_event == j->event_capacity)
        unref_locked(j, j->events[j->first_event++ & j->event_mask].entry);
    e->refs++;
    j->events[j->next_event++ & j->event_mask] = (struct event_slot){e, type};
}

static void drop_oldest_locked(struct journal *j)
{
    unref_locked(j, j->completed[j->first++ & j->completed_mask]);
}

/* Takes the reference that the running request had. */
static void add_completed_locked(struct journal *j, struct entry *e)
{
    e->place_end = j->next;
    if (e->id <= j->forgotten_id) {
        unref_locked(j, e);
        return;
    }
    if (j->next - j->first == j->capacity)
        drop_oldest_locked(j);
    j->completed[j->next++ & j->completed_mask] = e;
    e->place_end = j->next;
}

/* Drops the oldest event, and with a response the completed entries up to it. False: there is
 * nothing left. */
static bool drop_oldest_event_locked(struct journal *j)
{
    if (j->first_event == j->next_event) {
        if (j->first == j->next)
            return false;
        drop_oldest_locked(j);
        return true;
    }

    struct event_slot slot = j->events[j->first_event++ & j->event_mask];

    while (slot.type == EVENT_RESPONSE && j->first < slot.entry->place_end)
        drop_oldest_locked(j);
    unref_locked(j, slot.entry);
    return true;
}

/* Makes all entries fit into bytes_max again: the oldest go. Returns a list of entries to be
 * freed without the lock. What running requests and readers hold stays. */
static struct entry *evict_locked(struct journal *j)
{
    struct entry *excess = NULL, *e;

    while (j->bytes > j->bytes_max) {
        if ((e = pop_free_locked(j))) {
            j->bytes -= entry_bytes(e);
            e->next = excess;
            excess = e;
        } else if (!drop_oldest_event_locked(j)) {
            break;
        }
    }
    return excess;
}

static void free_entries(struct entry *list)
{
    struct entry *next;

    for (; list; list = next) {
        next = list->next;
        entry_free(list);
    }
}

/* After the lock was held: whoever has just said that it sleeps is seen. */
static inline void tell_watch(struct journal *j)
{
    if (watch_wants_poke(j->watch))
        watch_poke(j->watch);
}

struct entry *journal_begin(struct journal *j, const struct traffic_call *call)
{
    struct entry *e = take_free(j), *excess = NULL;
    size_t before = e ? entry_bytes(e) : 0, after;

    e = entry_fill(e, call);
    after = e ? entry_bytes(e) : 0;
    pthread_mutex_lock(&j->lock);
    j->bytes = j->bytes - before + after;
    if (e) {
        e->refs = 1;
        e->id = ++j->last_id;
        add_event_locked(j, EVENT_REQUEST, e);
    }
    if (j->bytes > j->bytes_max)
        excess = evict_locked(j);
    pthread_mutex_unlock(&j->lock);
    free_entries(excess);
    tell_watch(j);
    return e;
}

void journal_end(struct journal *j, struct entry *e, const struct traffic_call *call)
{
    const struct entry *spare, *oldest;
    struct entry *excess = NULL;
    size_t before = entry_bytes(e), after;

    entry_complete(e, call);
    after = entry_bytes(e);
    pthread_mutex_lock(&j->lock);
    j->bytes = j->bytes - before + after;
    add_event_locked(j, EVENT_RESPONSE, e);
    if (e->status >= 200 && e->status < 400 && call->operation_number > 0)
        add_event_locked(j, EVENT_OPERATION, e);
    add_completed_locked(j, e);
    if (j->bytes > j->bytes_max)
        excess = evict_locked(j);
    spare = refill_spare_locked(j);
    oldest = j->completed[j->first & j->completed_mask];
    pthread_mutex_unlock(&j->lock);
    free_entries(excess);
    tell_watch(j);
    /* They are touched next, and nobody has for long. Only hints: they may be gone by now. */
    __builtin_prefetch(oldest, 1);
    if (spare)
        entry_prefetch(spare);
}

void journal_clear(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->forgotten_id = j->last_id;
    j->clearings++;
    while (j->first < j->next)
        drop_oldest_locked(j);
    pthread_mutex_unlock(&j->lock);
}

void journal_facts(struct journal *j, struct journal_facts *out)
{
    uint64_t subscribers = watch_subscribers(j->watch);

    pthread_mutex_lock(&j->lock);
    *out = (struct journal_facts){.capacity = j->capacity,
                                  .size = j->next - j->first,
                                  .bytes = j->bytes,
                                  .bytes_max = j->bytes_max,
                                  .text_bytes = atomic_load(&j->text_bytes),
                                  .last_id = j->last_id,
                                  .clearings = j->clearings,
                                  .subscribers = subscribers,
                                  .lost = j->lost};
    pthread_mutex_unlock(&j->lock);
}

void journal_free(struct journal *j)
{
    if (!j)
        return;
    watch_free(j->watch);
    journal_clear(j);
    while (j->first_event < j->next_event)
        unref_locked(j, j->events[j->first_event++ & j->event_mask].entry);
    free_entries(j->free);
    for (size_t i = 0; i < STRIPES; i++)
        entry_free(atomic_load_explicit(&j->spare[i], memory_order_acquire));
    mem_free(j->completed);
    mem_free(j->events);
    pthread_mutex_destroy(&j->lock);
    mem_free(j);
}

/* ---- reading ----------------------------------------------------------------------- */

size_t journal_read(struct journal *j, uint64_t *position, struct entry **out, size_t max)
{
    size_t count = 0;

    pthread_mutex_lock(&j->lock);
    if (*position < j->first)
        *position = j->first;
    for (; count < max && *position < j->next; count++) {
        out[count] = j->completed[(*position)++ & j->completed_mask];
        out[count]->refs++;
    }
    pthread_mutex_unlock(&j->lock);
    return count;
}

void journal_release(struct journal *j, struct entry *const *entries, size_t count)
{
    if (count == 0)
        return;
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < count; i++)
        unref_locked(j, entries[i]);
    pthread_mutex_unlock(&j->lock);
}

size_t journal_read_completed(struct journal *j, uint64_t *position, struct event *out,
                              size_t max)
{
    size_t count = 0;

    pthread_mutex_lock(&j->lock);
    if (*position < j->first)
        *position = j->first;
    for (; count < max && *position < j->next; count++) {
        struct entry *e = j->completed[*position & j->completed_mask];

        out[count] = (struct event){(*position)++, EVENT_RESPONSE, e};
        e->refs++;
    }
    pthread_mutex_unlock(&j->lock);
    return count;
}

size_t journal_read_events(struct journal *j, uint64_t *number, struct event *out, size_t max)
{
    size_t count = 0;

    pthread_mutex_lock(&j->lock);
    if (*number < j->first_event)
        *number = j->first_event;
    for (; count < max && *number < j->next_event; count++) {
        const struct event_slot *slot = &j->events[*number & j->event_mask];

        out[count] = (struct event){(*number)++, slot->type, slot->entry};
        slot->entry->refs++;
    }
    pthread_mutex_unlock(&j->lock);
    return count;
}

void journal_release_events(struct journal *j, const struct event *events, size_t count)
{
    if (count == 0)
        return;
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < count; i++)
        unref_locked(j, events[i].entry);
    pthread_mutex_unlock(&j->lock);
}

bool journal_hold_text(struct journal *j, size_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&j->text_bytes, bytes, memory_order_relaxed);

    if (before + bytes <= j->bytes_max)
        return true;
    journal_give_text(j, bytes);
    return false;
}

void journal_give_text(struct journal *j, size_t bytes)
{
    if (bytes > 0)
        atomic_fetch_sub_explicit(&j->text_bytes, bytes, memory_order_relaxed);
}

void journal_count_lost(struct journal *j, uint64_t lost)
{
    pthread_mutex_lock(&j->lock);
    j->lost += lost;
    pthread_mutex_unlock(&j->lock);
}

struct watch *journal_watch(struct journal *j)
{
    return j->watch;
}

uint64_t journal_next_event(struct journal *j)
{
    uint64_t number;

    pthread_mutex_lock(&j->lock);
    number = j->next_event;
    pthread_mutex_unlock(&j->lock);
    return number;
}
