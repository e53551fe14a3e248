/* SPDX-License-Identifier: MIT */
/* persist.c - the file of --persist: which format it has, and what the rooms that answer
 * clients are told about it. */
#include "s3/s3.h"
#include "server/persist_json.h"
#include "server/server.h"

#include <pthread.h>

/* ---- opening ----------------------------------------------------------------------- */

static bool is_database(const char *path)
{
    return str_has_suffix(str_c(path), STR(".db"));
}

static bool is_json(const char *path)
{
    return str_has_suffix(str_c(path), STR(".json"));
}

static enum exit_status check_settings(struct server *server)
{
    const struct settings *s = &server->settings;

    if (!s->persist[0] && s->auto_persist)
        server_complain(server, "--auto-persist needs --persist=FILE");
    else if (!s->auto_persist && s->durability == DURABILITY_ALWAYS)
        server_complain(server, "--durability=always needs --auto-persist");
    else if (s->persist[0] && !is_database(s->persist) && !is_json(s->persist))
        server_complain(server,
                        "--persist: '%s' is neither FILE.db, a SQLite database, nor FILE.json",
                        s->persist);
    else if (is_json(s->persist) && s->durability == DURABILITY_ALWAYS)
        server_complain(server, "--durability=always needs --persist=FILE.db");
    else if (is_json(s->persist) && s->bucket.count > 1)
        server_complain(server, "--persist: a JSON file holds one bucket, and --bucket names "
                                "several; use --persist=FILE.db");
    else
        return EXIT_DONE;
    return EXIT_USAGE;
}

enum exit_status persist_open(struct server *server)
{
    const struct settings *s = &server->settings;
    enum exit_status status = check_settings(server);
    AUTO_BUF(why, KiB(4));

    if (status || !s->persist[0] || is_json(s->persist))
        return status;
    server->database = database_open(
        &(struct database_options){
            .store = server->store,
            .path = s->persist,
            .durability = (enum durability)s->durability,
            .follow = s->auto_persist,
            .interrupted = server->interrupted,
            .interrupted_arg = server->interrupted_arg,
        },
        &why);
    if (server->database)
        return EXIT_DONE;
    if (server_interrupted(server))
        return EXIT_INTERRUPTED;
    server_complain(server, "--persist: %.*s", (int)why.len, why.ptr);
    return EXIT_FAILED;
}

enum exit_status persist_load(struct server *server)
{
    const struct settings *s = &server->settings;
    const struct memory_json_target target = {
        .store = server->store,
        .bucket = s->bucket.count == 1 ? str_c(s->bucket.items[0]) : STR_NONE,
        .region = str_c(s->region),
        .owner = s3_service_default_owner(server->s3),
        .name_ok = s3_bucket_name_ok,
    };
    AUTO_BUF(why, KiB(4));

    if (!is_json(s->persist))
        return EXIT_DONE;
    server->json_file =
        json_file_open(s->persist, &target, s->auto_persist, &server->json_file_found, &why);
    if (server->json_file)
        return EXIT_DONE;
    server_complain(server, "--persist: %s: %.*s", s->persist, (int)why.len, why.ptr);
    return EXIT_FAILED;
}

bool persist_close(struct server *server)
{
    bool database = database_close(TAKE(server->database));
    bool file = json_file_close(TAKE(server->json_file));

    return database && file;
}

/* ---- what others ask --------------------------------------------------------------- */

const struct durable *persist_durable(const struct server *server)
{
    return server->database ? database_durable(server->database) : NULL;
}

bool persist_is_new(const struct server *server)
{
    if (server->json_file)
        return !server->json_file_found;
    return !server->database || !server->settings.auto_persist ||
           database_is_new(server->database);
}

void persist_filled(const struct server *server)
{
    if (server->database)
        database_filled(server->database);
}

bool persist_stats(void *arg, struct persist_stats *out)
{
    const struct server *server = arg;

    if (server->json_file) {
        json_file_stats(server->json_file, out);
        return true;
    }
    if (!server->database)
        return false;
    database_stats(server->database, out);
    return true;
}

/* ---- waiting on a thread of one's own ---------------------------------------------- */

struct sleeper {
    struct waker waker; /* first */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool awake;
};

static void wake(struct waker *waker)
{
    struct sleeper *s = (struct sleeper *)waker;

    pthread_mutex_lock(&s->lock);
    s->awake = true;
    pthread_cond_signal(&s->woken);
    pthread_mutex_unlock(&s->lock);
}

static void sleep_until_woken(struct sleeper *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->awake)
        pthread_cond_wait(&s->woken, &s->lock);
    s->awake = false;
    pthread_mutex_unlock(&s->lock);
}

bool persist_wait(const struct server *server)
{
    const struct durable *durable = persist_durable(server);
    struct sleeper sleeper = {.waker = {.wake = wake}};
    struct durable_wait wait = {0};
    enum durable_state state;

    if (!durable)
        return true;
    pthread_mutex_init(&sleeper.lock, NULL);
    pthread_cond_init(&sleeper.woken, NULL);
    while ((state = durable->state(durable->arg, &wait, &sleeper.waker)) == DURABLE_NOT_YET)
        sleep_until_woken(&sleeper);
    durable->leave(durable->arg, &wait);
    pthread_cond_destroy(&sleeper.woken);
    pthread_mutex_destroy(&sleeper.lock);
    return state == DURABLE_SAFE;
}
