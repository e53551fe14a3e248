/* SPDX-License-Identifier: MIT */
/* disk_power_test.c - under --durability=always the power goes out at any write or sync of the disk,
 * which then has some of what was not synced: what was acknowledged is there, and nothing is torn. */
#include "database_player.h"

#include <stdatomic.h>
#include <unistd.h>

#define STEPS    24
#define CUTS_MAX 24
#define LARGE    MiB(9)

struct cut {
    char path[128];
    unsigned acknowledged; /* steps, when the power went */
};

struct outage {
    struct fixture f;
    atomic_uint acknowledged;
    char states[STEPS + 1][SHA256_SIZE]; /* after each step */
    struct cut cuts[CUTS_MAX];
    unsigned count, uses, every;
    uint64_t random;
};

static void state_of(struct store *store, char out[SHA256_SIZE])
{
    AUTO_BUF(text, DOCUMENT_MAX);
    struct digest digest;

    describe(store, &text);
    digest_init(&digest, CHECKSUM_SHA256);
    digest_update(&digest, text.ptr, text.len);
    digest_final(&digest, (uint8_t *)out);
    digest_release(&digest);
}

static void maybe_cut(void *arg)
{
    struct outage *o = arg;

    if (o->uses++ % o->every > 0 || o->count == CUTS_MAX)
        return;
    struct cut *cut = &o->cuts[o->count];

    cut->acknowledged = atomic_load(&o->acknowledged);
    snprintf(cut->path, sizeof(cut->path), "%s/cut-%u.db", folder, o->count++);
    power_cut(cut->path, &o->random);
}

static void check_cut(const struct outage *o, const struct cut *cut)
{
    struct fixture f = {.follow = true, .durability = DURABILITY_ALWAYS};
    AUTO_BUF(why, KiB(4));
    char state[SHA256_SIZE];

    memcpy(f.path, cut->path, sizeof(f.path));
    if (!try_open(&f, &why))
        fail_msg("%.*s", (int)why.len, why.ptr);
    state_of(f.store, state);
    close_fixture(&f);
    remove_file(f.path);
    for (unsigned n = cut->acknowledged; n <= cut->acknowledged + 1 && n <= STEPS; n++) {
        if (memcmp(state, o->states[n], SHA256_SIZE) == 0)
            return;
    }
    fail_msg("%s: %u steps were acknowledged, and neither they nor one more are there",
             cut->path, cut->acknowledged);
}

/* Its bytes are written in several commits, before the one that shows it. */
static void put_large(struct fixture *f, unsigned n)
{
    AUTO(branch) b = store_branch(f->store, STR("main"));
    struct record_spec spec = {.key = STR("large"), .mtime_ns = n};
    struct write_result result = {.old = NULL};
    struct body *body = body_new(f->store, LARGE);
    char piece[KiB(64)];

    memset(piece, (int)n, sizeof(piece));
    while (body_len(body) < LARGE)
        assert_true(body_append(body, piece, sizeof(piece)));
    enum s3_err err = object_put(b, BUCKET, record_new(f->store, &spec, body), NULL, &result);
    assert_true(!err || err == S3_NO_SUCH_BUCKET);
    record_unref(result.old);
}

static void play(struct outage *o, uint64_t seed)
{
    struct player p = {.f = &o->f, .random = {seed}};
    struct fixture *f = &o->f;

    *o = (struct outage){.every = UNDER_ASAN || UNDER_TSAN ? 211 : 101, .random = seed};
    *f = (struct fixture){.durability = DURABILITY_ALWAYS, .follow = true};
    snprintf(f->path, sizeof(f->path), "%s/power.db", folder);
    remove_file(f->path);
    open_fixture(f);
    assert_int_equal(settle(f), DURABLE_SAFE);
    close_fixture(f);
    power_watch(f->path, maybe_cut, o);
    open_fixture(f);
    state_of(f->store, o->states[0]);
    for (unsigned n = 1; n <= STEPS; n++) {
        if (n % 7 == 0)
            put_large(f, n);
        else
            act_at_once(&p);
        state_of(f->store, o->states[n]);
        assert_int_equal(settle(f), DURABLE_SAFE);
        atomic_store(&o->acknowledged, n);
    }
    assert_true(database_close(f->db));
    store_free(f->store);
    power_watch(NULL, NULL, NULL);
}

static void test_the_power_goes_out(void **state)
{
    static struct outage o;
    unsigned cuts = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        play(&o, seed);
        for (unsigned i = 0; i < o.count; i++)
            check_cut(&o, &o.cuts[i]);
        cuts += o.count;
    }
    print_message("%u power cuts\n", cuts);
    assert_true(cuts > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_power_goes_out),
    };

    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, false);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
