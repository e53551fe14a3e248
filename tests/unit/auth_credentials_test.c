/* SPDX-License-Identifier: MIT */
/* auth_credentials_test.c - the set of access keys, what is derived for them, and the cache of
 * signing keys. */
#include <stdatomic.h>

#include <pthread.h>

#include "auth/signing_key.h"
#include "auth_support.h"

static bool add(struct credentials *set, const char *access_key, const char *secret_key,
                const char **why)
{
    struct credential c = {.access_key = (char *)(uintptr_t)access_key,
                           .secret_key = (char *)(uintptr_t)secret_key};
    return credentials_add(set, &c, why);
}

static void keys_are_found(void **state)
{
    (void)state;
    struct credentials *set = credentials_new();
    const char *why = "";
    char name[16];
    assert_int_equal(credentials_count(set), 0);
    assert_null(credentials_at(set, 0));
    assert_null(credentials_find(set, STR("key")));
    for (int i = 0; i < 100; i++) { /* in an order that is not theirs */
        snprintf(name, sizeof(name), "key-%d", i * 37 % 100);
        assert_true(add(set, name, "secret", &why));
    }
    assert_int_equal(credentials_count(set), 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "key-%d", i);
        const struct credential *c = credentials_find(set, str_c(name));
        assert_non_null(c);
        assert_string_equal(c->access_key, name);
    }
    assert_null(credentials_find(set, STR("key-100")));
    assert_null(credentials_find(set, STR("key-")));
    assert_null(credentials_find(set, STR("")));
    assert_null(credentials_at(set, 100));
    credentials_unref(set);
    credentials_unref(NULL);
}

static void what_is_not_given_is_derived(void **state)
{
    (void)state;
    struct credentials *set = credentials_new();
    const char *why = "";
    assert_true(add(set, "one", "secret", &why));
    assert_true(add(set, "two", "secret", &why));
    const struct credential *one = credentials_find(set, STR("one"));
    const struct credential *two = credentials_find(set, STR("two"));
    assert_int_equal(strlen(one->canonical_id), 64);
    assert_int_equal(strlen(one->account_id), 12);
    assert_int_equal(strspn(one->canonical_id, "0123456789abcdef"), 64);
    assert_int_equal(strspn(one->account_id, "0123456789"), 12);
    assert_string_not_equal(one->canonical_id, two->canonical_id);
    assert_string_not_equal(one->account_id, two->account_id);
    assert_string_equal(one->display_name, "one");
    assert_null(one->email);
    assert_null(one->session_token);
    /* The same in every process: owners are saved. */
    assert_true(str_has_prefix(str_c(one->canonical_id), STR("94cea492")));
    char owner[128];
    snprintf(owner, sizeof(owner), "%s\none\n%s", one->canonical_id, one->account_id);
    assert_str(credential_owner(one), owner);
    credentials_unref(set);
}

static void everything_given_is_copied(void **state)
{
    (void)state;
    struct credentials *set = credentials_new();
    const char *why = "";
    char key[] = "key", secret[] = "secret", name[] = "Name", account[] = "123456789012";
    char mail[] = "a@b", token[] = "token";
    char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    struct credential c = {key, secret, id, name, account, mail, token, true, NULL};
    assert_true(credentials_add(set, &c, &why));
    memset(key, 'x', 3);
    memset(id, 'x', 64);
    const struct credential *found = credentials_at(set, 0);
    assert_string_equal(found->access_key, "key");
    assert_string_equal(found->secret_key, "secret");
    assert_string_equal(found->display_name, "Name");
    assert_string_equal(found->account_id, "123456789012");
    assert_string_equal(found->email, "a@b");
    assert_string_equal(found->session_token, "token");
    assert_string_equal(found->canonical_id,
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    credentials_unref(set);
}

/* The first of those that are marked; with none the one that was added first, wherever it is
 * sorted. */
static void administrators_are_known(void **state)
{
    struct credentials *set = credentials_new();
    struct credential marked = {.access_key = (char *)(uintptr_t) "marked",
                                .secret_key = (char *)(uintptr_t) "s",
                                .admin = true};
    const char *why;

    (void)state;
    assert_null(credentials_administrator(set));
    assert_true(add(set, "zoe", "s", &why) && add(set, "adam", "s", &why));
    const struct credential *zoe = credentials_find(set, STR("zoe"));
    const struct credential *adam = credentials_find(set, STR("adam"));
    assert_ptr_equal(credentials_administrator(set), zoe);
    assert_true(credentials_may_administer(set, zoe));
    assert_false(credentials_may_administer(set, adam));
    assert_true(credentials_add(set, &marked, &why));
    marked.access_key = (char *)(uintptr_t) "another";
    assert_true(credentials_add(set, &marked, &why));
    assert_string_equal(credentials_administrator(set)->access_key, "marked");
    assert_true(credentials_may_administer(set, credentials_find(set, STR("another"))));
    assert_false(credentials_may_administer(set, zoe));
    credentials_unref(set);
}

static void faults_are_explained(void **state)
{
    (void)state;
    char key[] = "key", secret[] = "secret", empty[] = "", blank[] = "a b", comma[] = "a,b";
    char lines[] = "a\nb", short_id[] = "abc", account[] = "12345678901x";
    char upper_id[] = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";
    char long_key[129];
    memset(long_key, 'k', 128);
    long_key[128] = '\0';
    const struct credential cases[] = {
        {.access_key = NULL, .secret_key = secret},
        {.access_key = empty, .secret_key = secret},
        {.access_key = blank, .secret_key = secret},
        {.access_key = comma, .secret_key = secret},
        {.access_key = long_key, .secret_key = secret},
        {.access_key = key, .secret_key = NULL},
        {.access_key = key, .secret_key = empty},
        {.access_key = key, .secret_key = secret, .canonical_id = short_id},
        {.access_key = key, .secret_key = secret, .canonical_id = upper_id},
        {.access_key = key, .secret_key = secret, .account_id = account},
        {.access_key = key, .secret_key = secret, .display_name = lines},
        {.access_key = key, .secret_key = secret, .session_token = empty},
    };
    struct credentials *set = credentials_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = NULL;
        assert_false(credentials_add(set, &cases[i], &why));
        assert_non_null(why);
    }
    assert_int_equal(credentials_count(set), 0);
    const char *why = NULL;
    long_key[127] = '\0';
    assert_true(add(set, long_key, "secret", &why));
    assert_true(add(set, "key", "secret", &why));
    assert_null(why);
    assert_false(add(set, "key", "other", &why));
    assert_string_equal(why, "the access key is given twice");
    credentials_unref(set);
}

/* ---- signing keys ------------------------------------------------------------------ */

/* The key behind AWS's examples of 2013-05-24; value computed with Python's hmac. */
static void keys_are_derived(void **state)
{
    (void)state;
    uint8_t key[SHA256_SIZE];
    AUTO_BUF(hex, KiB(1));
    signing_key_derive(STR(EXAMPLE_SECRET), STR("20130524"), STR("us-east-1"), key);
    buf_add_hex(&hex, str_of((const char *)key, sizeof(key)));
    assert_str(buf_str(&hex),
               "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378");
}

static void cached_keys_are_the_derived_ones(void **state)
{
    (void)state;
    struct credentials *set = one_credential(NULL);
    const struct credential *c = credentials_at(set, 0);
    static const struct str regions[] = {{"us-east-1", 9}, {"eu-west-1", 9}, {"", 0}};
    for (int round = 0; round < 3; round++) { /* more dates than the cache holds */
        for (int day = 10; day < 30; day++) {
            for (size_t r = 0; r < ARRAY_LEN(regions); r++) {
                uint8_t cached[SHA256_SIZE], derived[SHA256_SIZE];
                char date[24];
                snprintf(date, sizeof(date), "202405%02d", day);
                signing_key_get(c, str_c(date), regions[r], cached);
                signing_key_derive(str_c(c->secret_key), str_c(date), regions[r], derived);
                assert_memory_equal(cached, derived, sizeof(cached));
            }
        }
    }
    credentials_unref(set);
}

static void *use_cache(void *arg)
{
    const struct credential *c = arg;
    for (int i = 0; i < 2000; i++) {
        uint8_t cached[SHA256_SIZE], derived[SHA256_SIZE];
        char date[24];
        snprintf(date, sizeof(date), "202405%02d", 10 + i % 12);
        signing_key_get(c, str_c(date), STR("us-east-1"), cached);
        if (i % 100)
            continue;
        signing_key_derive(str_c(c->secret_key), str_c(date), STR("us-east-1"), derived);
        if (memcmp(cached, derived, sizeof(cached)) != 0)
            return arg;
    }
    return NULL;
}

static void threads_share_the_cache(void **state)
{
    (void)state;
    struct credentials *set = one_credential(NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache,
                                        (void *)(uintptr_t)credentials_at(set, 0)),
                         0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    credentials_unref(set);
}

/* ---- the set in force -------------------------------------------------------------- */

#define SETS 2000

static struct credentials *set_of(const char *key)
{
    struct credentials *set = credentials_new();
    const char *why;
    assert_true(add(set, key, "secret", &why));
    return set;
}

static void a_set_lives_as_long_as_it_is_used(void **state)
{
    (void)state;
    struct keyring *ring = keyring_new(set_of("one"));
    struct credentials *one = keyring_get(ring), *again = keyring_get(ring);
    assert_ptr_equal(one, again);
    keyring_replace(ring, set_of("two"));
    assert_string_equal(credentials_at(one, 0)->access_key, "one");
    credentials_unref(again);
    assert_string_equal(credentials_at(one, 0)->secret_key, "secret");
    struct credentials *two = keyring_get(ring);
    assert_string_equal(credentials_at(two, 0)->access_key, "two");
    credentials_unref(one);
    credentials_unref(two);
    keyring_free(ring);
    keyring_free(NULL);
    assert_null(keyring_get(NULL));
}

struct use {
    struct keyring *ring;
    atomic_bool stop;
};

/* As requests do: they find the key that every set has, and read it. */
static void *use_ring(void *arg)
{
    struct use *use = arg;
    while (!atomic_load(&use->stop)) {
        AUTO(credentials) set = keyring_get(use->ring);
        const struct credential *c = credentials_find(set, STR("key"));
        if (!c || strcmp(c->secret_key, "secret") != 0)
            return arg;
    }
    return NULL;
}

static void sets_are_replaced_under_load(void **state)
{
    (void)state;
    struct use use = {.ring = keyring_new(set_of("key"))};
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_ring, &use), 0);
    for (size_t i = 0; i < SETS; i++)
        keyring_replace(use.ring, set_of("key"));
    atomic_store(&use.stop, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    keyring_free(use.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found),
        cmocka_unit_test(what_is_not_given_is_derived),
        cmocka_unit_test(everything_given_is_copied),
        cmocka_unit_test(administrators_are_known),
        cmocka_unit_test(faults_are_explained),
        cmocka_unit_test(keys_are_derived),
        cmocka_unit_test(cached_keys_are_the_derived_ones),
        cmocka_unit_test(threads_share_the_cache),
        cmocka_unit_test(a_set_lives_as_long_as_it_is_used),
        cmocka_unit_test(sets_are_replaced_under_load),
    };
    return cmocka_run_group_tests_name("auth_credentials", tests, NULL, NULL);
}
