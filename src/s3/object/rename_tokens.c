/* SPDX-License-Identifier: MIT */
/* rename_tokens.c - a ring of the last tokens; the oldest gives way. One mutex, held for a
 * scan. */
#include "s3/object/rename_tokens.h"

#include <pthread.h>

#define TOKENS_MAX 1024

struct rename_tokens {
    pthread_mutex_t lock;
    size_t count, next;
    struct rename_token ring[TOKENS_MAX];
};

struct rename_tokens *rename_tokens_new(void)
{
    struct rename_tokens *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void rename_tokens_free(struct rename_tokens *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static struct rename_token *find_locked(struct rename_tokens *t, const uint8_t *token)
{
    for (size_t i = 0; i < t->count; i++)
        if (memcmp(t->ring[i].token, token, SHA256_SIZE) == 0)
            return &t->ring[i];
    return NULL;
}

enum token_state rename_tokens_find(struct rename_tokens *t, const struct rename_token *token)
{
    enum token_state state = TOKEN_NEW;
    pthread_mutex_lock(&t->lock);
    const struct rename_token *known = find_locked(t, token->token);
    if (known)
        state = memcmp(known->request, token->request, SHA256_SIZE) == 0
                    ? TOKEN_DONE
                    : TOKEN_OF_OTHER_REQUEST;
    pthread_mutex_unlock(&t->lock);
    return state;
}

void rename_tokens_add(struct rename_tokens *t, const struct rename_token *token)
{
    pthread_mutex_lock(&t->lock);
    if (!find_locked(t, token->token)) {
        t->ring[t->next] = *token;
        t->next = (t->next + 1) % TOKENS_MAX;
        if (t->count < TOKENS_MAX)
            t->count++;
    }
    pthread_mutex_unlock(&t->lock);
}
