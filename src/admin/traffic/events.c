/* SPDX-License-Identifier: MIT */
/* events.c - GET events: what happens, as it happens (text/event-stream). A follower is a
 * position in the journal's ring of events and the text that its client has not taken yet, of
 * TEXT_ENOUGH bytes and one event at most. The journal bounds all texts together: one that
 * finds no room is not made, and its follower falls behind.
 * Source: WHATWG HTML, "Server-sent events". */
#include "admin/traffic/journal.h"
#include "admin/traffic/watch.h"

#define KEEP_ALIVE_NS (15 * NS_PER_S)
#define BATCH         16
/* Between two turns other requests of the I/O thread get theirs. */
#define BATCHES_A_TURN 128
#define TEXT_ENOUGH    KiB(16)
#define TEXT_MAX       MiB(8)
/* What the kernel takes for them, by and large. */
#define BYTES_SENT_A_NS 1

struct follower {
    struct journal *journal;
    struct watch *watch;
    struct filter filter;
    struct buf text; /* to be sent ... */
    size_t sent;     /* ... of which so much has been */
    size_t held;     /* the journal's room for the text */
    uint64_t lost;   /* told in the text, not yet counted */
    int64_t keep_alive_ns;
    struct watcher reader;
};

static void forget_text(struct follower *f)
{
    buf_release(&f->text);
    journal_give_text(f->journal, f->held);
    f->held = 0;
}

static void follower_free(void *state)
{
    struct follower *f = state;

    watch_leave(f->watch, &f->reader);
    forget_text(f);
    mem_free(f);
}

static void tell_gap(struct follower *f, uint64_t number)
{
    uint64_t lost = number - f->reader.position;

    buf_addf(&f->text, "id: %llu\nevent: lost\ndata: {\"lost\":%llu}\n\n",
             (unsigned long long)(number - 1), (unsigned long long)lost);
    f->lost += lost;
}

/* Prints of the next few events what passes, up to TEXT_ENOUGH. False: the end is reached. */
static bool print_some(struct follower *f)
{
    struct event events[BATCH];
    uint64_t next = f->reader.position;
    size_t count = journal_read_events(f->journal, &next, events, BATCH), i = 0;

    if (next - count > f->reader.position)
        tell_gap(f, next - count);
    for (; i < count && f->text.len < TEXT_ENOUGH; i++) {
        if (filter_passes_event(&f->filter, &events[i]))
            event_add(&f->text, &events[i]);
    }
    f->reader.position = next - count + i;
    journal_release_events(f->journal, events, count);
    return i < count || count == BATCH;
}

/* False: the end is reached. */
static bool print_more(struct follower *f)
{
    for (int i = 0; i < BATCHES_A_TURN && f->text.len < TEXT_ENOUGH; i++) {
        if (!print_some(f))
            return false;
    }
    return true;
}

static bool hold_text(struct follower *f)
{
    size_t more = f->text.cap > f->held ? f->text.cap - f->held : 0;

    if (!journal_hold_text(f->journal, more))
        return false;
    f->held += more;
    return true;
}

/* False: the end is reached. When there is no room for the text, nothing was printed. */
static bool print_held(struct follower *f)
{
    uint64_t from = f->reader.position;
    bool more;

    f->lost = 0;
    more = print_more(f);
    if (f->text.len > 0 && !hold_text(f)) {
        forget_text(f);
        f->reader.position = from;
        return true;
    }
    if (f->lost > 0)
        journal_count_lost(f->journal, f->lost);
    return more;
}

static void send_text(struct follower *f, void *out, size_t max, size_t *len)
{
    size_t allowance = f->reader.allowance;

    *len = buf_drain(&f->text, &f->sent, out, max);
    f->reader.allowance = *len < allowance ? allowance - *len : 0;
    f->keep_alive_ns = clock_monotonic_ns() + KEEP_ALIVE_NS;
    /* One who waits keeps no memory for what may come. */
    if (f->text.len == 0)
        forget_text(f);
}

/* Text to be sent; false: there is none, and the reader waits. */
static bool refill(struct follower *f, int64_t now_ns)
{
    bool at_end = false;

    watch_read(f->watch, &f->reader);
    if (f->reader.allowance > 0)
        at_end = !print_held(f);
    if (f->text.len == 0 && now_ns >= f->keep_alive_ns)
        buf_add(&f->text, STR(": keep-alive\n\n"));
    if (f->text.len > 0 || !buf_ok(&f->text))
        return true;
    watch_wait(f->watch, &f->reader, at_end);
    f->reader.waker->wake_at(f->reader.waker, f->keep_alive_ns);
    return false;
}

static enum stream_next stream_events(void *arg, void *out, size_t max, size_t *len)
{
    struct follower *f = arg;
    int64_t began_ns = clock_monotonic_ns();
    enum stream_next next = STREAM_MORE;

    *len = 0;
    if (f->text.len == 0 && !refill(f, began_ns))
        next = STREAM_WAIT;
    else if (!buf_ok(&f->text))
        next = STREAM_FAILED;
    else
        send_text(f, out, max, len);
    watch_charge(f->watch, clock_monotonic_ns() - began_ns + (int64_t)*len / BYTES_SENT_A_NS);
    return next;
}

/* Where to go on: behind the event that a reader had last, or with what happens from now on.
 * False: answered. */
static bool choose_start(struct admin_call *c, uint64_t *number)
{
    struct str header = request_header(c->req, STR("last-event-id"));
    uint64_t next = journal_next_event(c->admin->journal), last = next - 1;

    if (!header.ptr) {
        if (!admin_param_u64(c, "lastEventId", &last))
            return false;
    } else if (!str_to_u64(header, &last)) {
        admin_field_error(c, 400, "InvalidArgument", "Last-Event-ID", "must be a whole number");
        return false;
    }
    /* A number that we have not come to is from a server that was here before us. */
    *number = last < next ? last + 1 : 1;
    return true;
}

enum app_next admin_follow_events(struct admin_call *c)
{
    struct reply *r = &c->reply;
    struct filter filter;
    struct follower *f;
    uint64_t number;

    if (!c->admin->journal)
        return admin_journal_off(c);
    if (!filter_read(c, &filter) || !choose_start(c, &number))
        return APP_REPLY;
    reply_kept_header(r, "Content-Type", "text/event-stream");
    reply_kept_header(r, "Cache-Control", "no-cache");
    c->state = f = xcalloc(1, sizeof(*f));
    c->state_free = follower_free;
    *f = (struct follower){.journal = c->admin->journal,
                           .watch = journal_watch(c->admin->journal),
                           .filter = filter,
                           .reader = {.waker = c->req->waker, .position = number}};
    buf_init(&f->text, TEXT_MAX);
    buf_add(&f->text, STR("retry: 1000\n\n"));
    if (!watch_join(f->watch, &f->reader, &filter, true)) {
        reply_drop_headers(r);
        return admin_no_memory(c);
    }
    r->stream = stream_events;
    r->stream_arg = f;
    r->endless = true;
    return APP_REPLY;
}
