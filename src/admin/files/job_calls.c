/* SPDX-License-Identifier: MIT */
/* job_calls.c - calls that start jobs, exchange bytes with them and wait for them; what GET
 * jobs and DELETE jobs/ID say. */
#include "admin/files/job.h"

/* A reference, or NULL. */
static struct job *find(struct jobs *jobs, uint64_t id)
{
    struct job *job;

    pthread_mutex_lock(&jobs->lock);
    TAILQ_FOREACH(job, &jobs->all, link)
    {
        if (job->id == id) {
            atomic_fetch_add(&job->refs, 1);
            break;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return job;
}

/* ---- calls that have one ----------------------------------------------------------- */

static struct job *start(struct admin_call *c, const struct job_spec *spec, struct waker *waker)
{
    struct job *job = job_new(c->admin->jobs, spec, waker);

    if (job)
        return job;
    reply_kept_header(&c->reply, "Retry-After", "1");
    if (spec->transfer)
        admin_error(c, 503, "TooManyTransfers",
                    "too many clients send or are sent a file already; try again later");
    else
        admin_error(c, 503, "TooManyJobs", "too many jobs wait already; try again later");
    return NULL;
}

bool admin_job_begin(struct admin_call *c, const struct job_spec *spec)
{
    c->job = start(c, spec, c->req->waker);
    return c->job != NULL;
}

enum app_next admin_job_start(struct admin_call *c, const struct job_spec *spec, bool async)
{
    if (!async)
        return admin_job_begin(c, spec) ? admin_job_wait(c) : APP_REPLY;

    AUTO(job) job = start(c, spec, NULL);

    if (!job)
        return APP_REPLY;
    reply_headerf(&c->reply, "Location", "/_s3mem/jobs/%llu", (unsigned long long)job->id);
    return admin_json(c, 202, json_pack("{s:I}", "id", (json_int_t)job->id));
}

static bool job_is_over(struct job *job)
{
    bool over;

    pthread_mutex_lock(&job->jobs->lock);
    over = job_has_ended(job);
    pthread_mutex_unlock(&job->jobs->lock);
    return over;
}

enum app_next admin_job_wait(struct admin_call *c)
{
    if (!job_is_over(c->job))
        return APP_WAIT;
    c->reply.status = c->job->status;
    reply_kept_header(&c->reply, "Content-Type", "application/json");
    buf_reset(&c->reply.text);
    buf_add_buf(&c->reply.text, &c->job->answer);
    return APP_REPLY;
}

struct pipe *admin_job_pipe(const struct admin_call *c)
{
    return c->job->spec.pipe;
}

enum app_next admin_job_feed(struct admin_call *c, const char *data, size_t len)
{
    switch (pipe_feed(admin_job_pipe(c), data, len)) {
    case PIPE_WANTS_MORE:
        return APP_WANT_BODY;
    case PIPE_FULL:
        return APP_WAIT;
    case PIPE_NO_MORE:
        break;
    }
    return admin_job_wait(c);
}

void admin_job_leave(struct admin_call *c)
{
    struct job *job = TAKE(c->job);
    bool never_ran;

    if (!job)
        return;
    pthread_mutex_lock(&job->jobs->lock);
    job->waker = NULL;
    never_ran = job_cancel_locked(job);
    pthread_mutex_unlock(&job->jobs->lock);
    if (job->spec.pipe)
        pipe_leave(job->spec.pipe);
    if (never_ran)
        job_drop_arg(job);
    job_unref(job);
}

/* ---- endpoints --------------------------------------------------------------------- */

static const char *const state_names[] = {"waiting", "running", "done", "failed", "cancelled"};

static json_t *job_json_locked(const struct job *job)
{
    const struct work *w = &job->work;
    int64_t until_ns = job->ended_ns ? job->ended_ns : clock_monotonic_ns();
    json_t *shown = json_pack(
        "{s:I, s:s, s:s, s:o, s:f, s:I, s:I, s:I, s:I}", "id", (json_int_t)job->id, "kind",
        job->spec.kind, "state", state_names[job->state], "created",
        admin_time(job->created_ns), "seconds",
        job->started_ns ? (double)(until_ns - job->started_ns) / (double)NS_PER_S : 0.0,
        "items", (json_int_t)atomic_load(&w->items), "itemsTotal",
        (json_int_t)atomic_load(&w->items_total), "bytes", (json_int_t)atomic_load(&w->bytes),
        "bytesTotal", (json_int_t)atomic_load(&w->bytes_total));

    return shown;
}

/* The job that the path names, a reference. NULL: answered. */
static struct job *job_of_path(struct admin_call *c)
{
    struct job *job = NULL;
    uint64_t id;

    if (!str_to_u64(c->argument, &id)) {
        admin_field_error(c, 400, "InvalidArgument", "id", "must be the number of a job");
        return NULL;
    }
    job = find(c->admin->jobs, id);
    if (!job)
        admin_field_error(c, 404, "NoSuchJob", "id", "there is no job %s", c->argument.ptr);
    return job;
}

enum app_next admin_list_jobs(struct admin_call *c)
{
    struct jobs *jobs = c->admin->jobs;
    json_t *list = json_array();
    struct job *job;

    pthread_mutex_lock(&jobs->lock);
    TAILQ_FOREACH(job, &jobs->all, link)
    json_array_append_new(list, job_json_locked(job));
    pthread_mutex_unlock(&jobs->lock);
    return admin_json(c, 200, json_pack("{s:o}", "jobs", list));
}

/* With what became of it: "result", or "error" as the one who waited was told. The answer may be
 * long, so it is not parsed but put in as the text that it is. */
static enum app_next answer_job(struct admin_call *c, unsigned status, struct job *job)
{
    struct buf *text = &c->reply.text;
    struct str answer = STR_NONE;
    json_t *shown;

    pthread_mutex_lock(&job->jobs->lock);
    shown = job_json_locked(job);
    if (job_has_ended(job))
        answer = buf_str(&job->answer); /* which is fixed now */
    pthread_mutex_unlock(&job->jobs->lock);
    admin_json(c, status, shown);
    if (answer.len > 0 && text->len > 0 && text->ptr[text->len - 1] == '}') {
        text->len--;
        buf_add(text, job->status < 400 ? STR(",\"result\":") : STR(","));
        buf_add(text, job->status < 400 ? answer : str_from(answer, 1));
        if (job->status < 400)
            buf_add_char(text, '}');
    }
    return APP_REPLY;
}

enum app_next admin_show_job(struct admin_call *c)
{
    AUTO(job) job = job_of_path(c);

    return job ? answer_job(c, 200, job) : APP_REPLY;
}

/* One that has ended is forgotten; another is cancelled, and ends when it has noticed. */
enum app_next admin_end_job(struct admin_call *c)
{
    AUTO(job) job = job_of_path(c);
    struct jobs *jobs = c->admin->jobs;
    bool ended, never_ran;

    if (!job)
        return APP_REPLY;
    pthread_mutex_lock(&jobs->lock);
    ended = job_has_ended(job);
    never_ran = job_cancel_locked(job);
    if (ended && job->listed) {
        job_unlist_locked(job);
        atomic_fetch_sub(&job->refs, 1); /* ours is another */
    }
    pthread_mutex_unlock(&jobs->lock);
    if (never_ran)
        job_drop_arg(job);
    return ended ? admin_empty(c, 204) : answer_job(c, 202, job);
}
