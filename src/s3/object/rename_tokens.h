/* SPDX-License-Identifier: MIT */
/* rename_tokens.h - the client tokens of finished RenameObject requests, so that a retry of one
 * is answered as the first was. Any thread. */
#ifndef S3MEM_S3_RENAME_TOKENS_H
#define S3MEM_S3_RENAME_TOKENS_H

#include "app/app.h"

struct rename_tokens;

struct rename_tokens *rename_tokens_new(void);
void rename_tokens_free(struct rename_tokens *t);

enum token_state { TOKEN_NEW, TOKEN_DONE, TOKEN_OF_OTHER_REQUEST };

/* token and request: digests of the token (with the branch it is for) and of what was asked. */
struct rename_token {
    uint8_t token[SHA256_SIZE], request[SHA256_SIZE];
};
enum token_state rename_tokens_find(struct rename_tokens *t, const struct rename_token *token);
/* Remembers a token whose rename succeeded; the oldest of the last 1024 is forgotten. */
void rename_tokens_add(struct rename_tokens *t, const struct rename_token *token);

#endif
