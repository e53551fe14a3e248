/* SPDX-License-Identifier: MIT */
/* traffic.c - what room s3 tells of its requests goes to the journal and to the statistics. */
#include "admin/call.h"
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

struct traffic admin_traffic(struct admin *admin)
{
    return (struct traffic){.arg = admin, .begin = traffic_begin, .end = traffic_end};
}
