/* SPDX-License-Identifier: MIT */
/* credentials.c - sets of known access keys, and the one in force.
 * A set is built, then only read. Its entries are sorted by access key and never move, so that
 * results of requests may point at them for as long as the request holds its reference.
 *
 * A keyring keeps the frame of each set it ever had, some 50 bytes, to its own end. So whoever
 * comes upon a set that was just replaced can see by its count that it is gone; the entries, and
 * with them the secrets, go with the last reference. */
#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "auth/signing_key.h"

#define ACCESS_KEY_MAX   (sizeof(((struct auth_result *)0)->access_key) - 1)
#define CANONICAL_ID_LEN (2 * SHA256_SIZE)
#define ACCOUNT_ID_LEN   12
#define ACCOUNT_ID_END   UINT64_C(1000000000000)

struct entry {
    struct credential public; /* first: credential_key_cache finds its way back */
    struct key_cache *cache;  /* owned; see signing_key.h for its lock */
};

struct credentials {
    struct entry **entries; /* owned array of owned entries, sorted by access key */
    size_t count;
    const struct credential *administrator; /* the first marked one, else the first */
    atomic_uint refs;                       /* 0: the entries are gone */
    struct keyring *ring;                   /* that owns the frame; NULL: nobody does */
    struct credentials *before;             /* in the ring's list of frames */
};

struct keyring {
    struct credentials *_Atomic current; /* a reference */
};

struct key_cache *credential_key_cache(const struct credential *credential)
{
    return ((const struct entry *)credential)->cache;
}

struct credentials *credentials_new(void)
{
    struct credentials *c = xcalloc(1, sizeof(*c));
    atomic_init(&c->refs, 1);
    return c;
}

static void entry_free(struct entry *e)
{
    struct credential *c = &e->public;
    mem_wipe(c->secret_key, strlen(c->secret_key));
    if (c->session_token)
        mem_wipe(c->session_token, strlen(c->session_token));
    mem_free(c->access_key);
    mem_free(c->secret_key);
    mem_free(c->canonical_id);
    mem_free(c->display_name);
    mem_free(c->account_id);
    mem_free(c->email);
    mem_free(c->session_token);
    mem_free(c->owner);
    key_cache_free(e->cache);
    mem_free(e);
}

void credentials_unref(struct credentials *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < c->count; i++)
        entry_free(c->entries[i]);
    mem_free(TAKE(c->entries));
    if (!c->ring)
        mem_free(c);
}

/* ---- the set in force -------------------------------------------------------------- */

struct keyring *keyring_new(struct credentials *set)
{
    struct keyring *k = xcalloc(1, sizeof(*k));
    set->ring = k;
    atomic_init(&k->current, set);
    return k;
}

struct credentials *keyring_get(struct keyring *k)
{
    while (k) {
        struct credentials *c = atomic_load_explicit(&k->current, memory_order_acquire);
        unsigned refs = atomic_load_explicit(&c->refs, memory_order_relaxed);
        while (refs > 0)
            if (atomic_compare_exchange_weak_explicit(
                    &c->refs, &refs, refs + 1, memory_order_acquire, memory_order_relaxed))
                return c;
        /* It was replaced between the two loads, and the last request on it has ended. */
    }
    return NULL;
}

void keyring_replace(struct keyring *k, struct credentials *set)
{
    set->ring = k;
    set->before = atomic_load_explicit(&k->current, memory_order_relaxed);
    credentials_unref(atomic_exchange_explicit(&k->current, set, memory_order_acq_rel));
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    struct credentials *c = atomic_load_explicit(&k->current, memory_order_relaxed);
    credentials_unref(c);
    while (c) {
        struct credentials *before = c->before;
        assert(atomic_load_explicit(&c->refs, memory_order_relaxed) == 0);
        mem_free(c);
        c = before;
    }
    mem_free(k);
}

/* ---- what a credential may look like ----------------------------------------------- */

/* Printable ASCII without the separators of Authorization headers. */
static bool access_key_is_valid(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] <= ' ' || key.ptr[i] > '~' || strchr(",=:", key.ptr[i]))
            return false;
    return key.len > 0 && key.len <= ACCESS_KEY_MAX;
}

static bool all_in(struct str s, const char *set)
{
    for (size_t i = 0; i < s.len; i++)
        if (!s.ptr[i] || !strchr(set, s.ptr[i]))
            return false;
    return true;
}

static const char *find_fault(const struct credential *c)
{
    if (!c->access_key || !*c->access_key)
        return "the access key is empty";
    if (!access_key_is_valid(str_c(c->access_key)))
        return "an access key has at most 127 printable characters, no blank, comma, colon or "
               "=";
    if (!c->secret_key || !*c->secret_key)
        return "the secret key is empty";
    if (c->display_name && strchr(c->display_name, '\n'))
        return "a display name is one line";
    struct str id = str_c(c->canonical_id);
    if (id.ptr && (id.len != CANONICAL_ID_LEN || !all_in(id, "0123456789abcdef")))
        return "a canonical user id has 64 lower-case hex digits";
    struct str account = str_c(c->account_id);
    if (account.ptr && (account.len != ACCOUNT_ID_LEN || !all_in(account, "0123456789")))
        return "an account id has 12 digits";
    if (c->session_token && !*c->session_token)
        return "the session token is empty";
    return NULL;
}

/* ---- what is made up when it is not given ------------------------------------------ */

/* Stable across restarts, so that owners in saved state stay the same. */
static void fingerprint(struct str access_key, const char *purpose, uint8_t out[SHA256_SIZE])
{
    AUTO_BUF(text, KiB(1));
    buf_addf(&text, "s3mem %s ", purpose);
    buf_add(&text, access_key);
    sha256_once(buf_str(&text), out);
}

/* Keys of one account are one owner, as Amazon has it; a key without an account is its own. */
static char *derived_canonical_id(struct str access_key, struct str account)
{
    uint8_t hash[SHA256_SIZE];
    if (account.ptr)
        fingerprint(account, "canonical id of account", hash);
    else
        fingerprint(access_key, "canonical id", hash);
    AUTO_BUF(hex, KiB(1));
    buf_add_hex(&hex, str_of((const char *)hash, sizeof(hash)));
    return xstrndup(buf_str(&hex));
}

static char *derived_account_id(struct str access_key)
{
    uint8_t hash[SHA256_SIZE];
    fingerprint(access_key, "account id", hash);
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof(n); i++)
        n = n << 8 | hash[i];
    char text[ACCOUNT_ID_LEN + 1];
    snprintf(text, sizeof(text), "%0*" PRIu64, ACCOUNT_ID_LEN, n % ACCOUNT_ID_END);
    return xstrdup(text);
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

/* One text, as buckets and objects keep it. */
static char *owner_of(const struct credential *c)
{
    AUTO_BUF(text, SIZE_MAX / 2);
    buf_add_c(&text, c->canonical_id);
    buf_add_char(&text, '\n');
    buf_add_c(&text, c->display_name);
    buf_add_char(&text, '\n');
    buf_add_c(&text, c->account_id);
    return xstrndup(buf_str(&text));
}

static struct entry *entry_new(const struct credential *c)
{
    struct entry *e = xcalloc(1, sizeof(*e));
    struct str key = str_c(c->access_key);
    e->public = (struct credential){
        .access_key = xstrdup(c->access_key),
        .secret_key = xstrdup(c->secret_key),
        .canonical_id = c->canonical_id ? xstrdup(c->canonical_id)
                                        : derived_canonical_id(key, str_c(c->account_id)),
        .display_name = xstrdup(c->display_name ? c->display_name : c->access_key),
        .account_id = c->account_id ? xstrdup(c->account_id) : derived_account_id(key),
        .email = copy(c->email),
        .session_token = copy(c->session_token),
        .admin = c->admin,
    };
    e->public.owner = owner_of(&e->public);
    e->cache = key_cache_new();
    return e;
}

/* ---- the set ----------------------------------------------------------------------- */

/* Index of the key, or of the place where it belongs. */
static size_t position(const struct credentials *c, struct str access_key, bool *found)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(str_c(c->entries[middle]->public.access_key), access_key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

bool credentials_add(struct credentials *c, const struct credential *credential,
                     const char **why)
{
    *why = find_fault(credential);
    if (*why)
        return false;
    bool found;
    size_t at = position(c, str_c(credential->access_key), &found);
    if (found) {
        *why = "the access key is given twice";
        return false;
    }
    c->entries = xrealloc(c->entries, (c->count + 1) * sizeof(*c->entries));
    memmove(c->entries + at + 1, c->entries + at, (c->count - at) * sizeof(*c->entries));
    c->entries[at] = entry_new(credential);
    c->count++;
    if (!c->administrator || (credential->admin && !c->administrator->admin))
        c->administrator = &c->entries[at]->public;
    return true;
}

bool credentials_may_administer(const struct credentials *c,
                                const struct credential *credential)
{
    return credential->admin || credential == c->administrator;
}

const struct credential *credentials_administrator(const struct credentials *c)
{
    return c->administrator;
}

size_t credentials_count(const struct credentials *c)
{
    return c->count;
}

const struct credential *credentials_find(const struct credentials *c, struct str access_key)
{
    bool found;
    size_t at = position(c, access_key, &found);
    return found ? &c->entries[at]->public : NULL;
}

const struct credential *credentials_at(const struct credentials *c, size_t index)
{
    return index < c->count ? &c->entries[index]->public : NULL;
}
