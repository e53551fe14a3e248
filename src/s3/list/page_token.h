/* SPDX-License-Identifier: MIT */
/* page_token.h - continuation tokens: opaque to clients, safe in a URL without escaping, and
 * guarded so that a text we did not make is told apart. */
#ifndef S3MEM_S3_PAGE_TOKEN_H
#define S3MEM_S3_PAGE_TOKEN_H

#include "app/app.h"

/* Appends the token of a position: the last key, common prefix or bucket of a page. */
void page_token_add(struct buf *b, struct str position);
/* Appends the position of a token. False when it is not one of ours. */
MUST_CHECK bool page_token_read(struct buf *b, struct str token);

#endif
