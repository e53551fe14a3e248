/* SPDX-License-Identifier: MIT */
/* events.c - GET events: what happens, as it happens (text/event-stream). A follower is a
 * position in the journal's ring of events and the text that its client has not taken yet: one
 * that is slow costs nobody anything. Source: WHATWG HTML, "Server-sent events". */
#include "admin/filter.h"
#include "admin/journal.h"

#define KEEP_ALIVE_NS (15 * NS_PER_S)
#define BATCH         16
/* Between two turns other requests of the I/O thread get theirs. */
#define BATCHES_A_TURN 256
#define TEXT_MAX       MiB(8)

struct follower {
    struct journal *journal;
    struct filter filter;
    uint64_t number; /* of the event that comes next */
    struct buf text; /* to be sent ... */
    size_t sent;     /* ... of which so much has been */
    int64_t keep_alive_ns;
    struct listener listener;
};

static void follower_free(void *state)
{
    struct follower *f = state;

    journal_leave(f->journal, &f->listener);
    buf_release(&f->text);
    mem_free(f);
}

/* Prints the next few events that pass; false when there were none at all. */
static bool print_more(struct follower *f)
{
    struct event events[BATCH];
    uint64_t lost;
    size_t count = journal_read_events(f->journal, &f->number, events, BATCH, &lost);

    if (lost > 0)
        buf_addf(&f->text, "id: %llu\nevent: lost\ndata: {\"lost\":%llu}\n\n",
                 (unsigned long long)(f->number - count - 1), (unsigned long long)lost);
    for (size_t i = 0; i < count; i++) {
        if (filter_passes_event(&f->filter, &events[i]))
            event_add(&f->text, &events[i]);
    }
    journal_release_events(f->journal, events, count);
    return count > 0 || lost > 0;
}

static size_t send_text(struct follower *f, void *out, size_t max)
{
    size_t len = buf_drain(&f->text, &f->sent, out, max);

    f->keep_alive_ns = clock_monotonic_ns() + KEEP_ALIVE_NS;
    return len;
}

/* Nothing to send: until there is, or until it is time for a sign of life. */
static enum stream_next wait_for_more(struct follower *f)
{
    struct waker *waker = f->listener.waker;

    if (journal_listen(f->journal, &f->listener, f->number))
        waker->wake_at(waker, f->keep_alive_ns);
    else
        waker->wake(waker);
    return STREAM_WAIT;
}

static enum stream_next stream_events(void *arg, void *out, size_t max, size_t *len)
{
    struct follower *f = arg;

    *len = 0;
    for (int i = 0; i < BATCHES_A_TURN && f->text.len == 0; i++) {
        if (!print_more(f))
            break;
    }
    if (f->text.len == 0 && clock_monotonic_ns() >= f->keep_alive_ns)
        buf_add(&f->text, STR(": keep-alive\n\n"));
    if (!buf_ok(&f->text))
        return STREAM_FAILED;
    if (f->text.len == 0)
        return wait_for_more(f);
    *len = send_text(f, out, max);
    return STREAM_MORE;
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
    if (str_eq(c->req->method, STR("HEAD"))) {
        r->no_body = true;
        return APP_REPLY;
    }
    c->state = f = xcalloc(1, sizeof(*f));
    c->state_free = follower_free;
    *f = (struct follower){.journal = c->admin->journal,
                           .filter = filter,
                           .number = number,
                           .listener = {.waker = c->req->waker, .to_events = true}};
    buf_init(&f->text, TEXT_MAX);
    buf_add(&f->text, STR("retry: 1000\n\n"));
    /* It is a subscriber from now on; there may be something for it already. */
    (void)!journal_listen(f->journal, &f->listener, f->number);
    r->stream = stream_events;
    r->stream_arg = f;
    return APP_REPLY;
}
