/* SPDX-License-Identifier: MIT */
/* traffic.c - what room s3 tells of its requests goes to the journal and to the statistics. */
#include "admin/call.h"
#include "admin/traffic/faults.h"
#include "admin/traffic/journal.h"
#include "admin/traffic/statistics.h"

static void traffic_begin(void *arg, struct traffic_call *call)
{
    struct admin *admin = arg;

    statistics_begin(admin->statistics);
    if (admin->journal)
        call->mark = journal_begin(admin->journal, call);
}

static void traffic_answer(void *arg, struct traffic_call *call)
{
    struct admin *admin = arg;

    call->leaving = true;
    statistics_answer(admin->statistics);
}

static void traffic_end(void *arg, struct traffic_call *call)
{
    struct admin *admin = arg;

    if (call->mark)
        journal_end(admin->journal, call->mark, call);
    statistics_end(admin->statistics, call);
}

static bool traffic_fault(void *arg, const struct traffic_call *call, struct fault *out)
{
    struct admin *admin = arg;

    return faults_strike(admin->faults, call, out);
}

struct traffic admin_traffic(struct admin *admin)
{
    return (struct traffic){.arg = admin,
                            .begin = traffic_begin,
                            .fault = traffic_fault,
                            .answer = traffic_answer,
                            .end = traffic_end};
}

/* A moment is so long at most, for whatever goes on and for small replies that are known; while
 * it lasts we look this often. The second is for a thread that the kernel has put aside after
 * it sent the reply and before it said so: only a client that does not read makes it last. */
#define SETTLE_NS         (50 * NS_PER_MS)
#define SETTLE_LEAVING_NS (5 * NS_PER_S)
#define SETTLE_STEP_NS    NS_PER_MS

bool admin_settled(struct admin_call *c)
{
    struct statistics *statistics = c->admin->statistics;
    int64_t now_ns = clock_monotonic_ns();
    struct settling *s = &c->settling;

    if (s->since_ns == 0)
        *s = (struct settling){.begun = statistics_begun(statistics), .since_ns = now_ns};
    s->none_leaving |= !statistics_leaving(statistics);
    if ((s->none_leaving || now_ns >= s->since_ns + SETTLE_LEAVING_NS) &&
        (statistics_ended(statistics) >= s->begun || now_ns >= s->since_ns + SETTLE_NS))
        return true;
    c->req->waker->wake_at(c->req->waker, now_ns + SETTLE_STEP_NS);
    return false;
}
