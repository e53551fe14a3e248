/* SPDX-License-Identifier: MIT */
/* traffic.c - what room s3 tells of its requests goes to the journal and to the statistics. */
#include "admin/call.h"
#include "admin/faults.h"
#include "admin/journal.h"
#include "admin/statistics.h"

static void traffic_begin(void *arg, struct traffic_call *call)
{
    struct admin *admin = arg;

    statistics_begin(admin->statistics);
    if (admin->journal)
        call->mark = journal_begin(admin->journal, call);
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
    return (struct traffic){
        .arg = admin, .begin = traffic_begin, .fault = traffic_fault, .end = traffic_end};
}

/* A moment is so long at most; while it lasts we look this often. */
#define SETTLE_NS      (50 * NS_PER_MS)
#define SETTLE_STEP_NS NS_PER_MS

bool admin_settled(struct admin_call *c)
{
    struct statistics *statistics = c->admin->statistics;
    int64_t now_ns = clock_monotonic_ns();

    if (c->settling.until_ns == 0)
        c->settling = (struct settling){statistics_begun(statistics), now_ns + SETTLE_NS};
    if (statistics_ended(statistics) >= c->settling.begun || now_ns >= c->settling.until_ns)
        return true;
    c->req->waker->wake_at(c->req->waker, now_ns + SETTLE_STEP_NS);
    return false;
}
