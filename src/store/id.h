/* SPDX-License-Identifier: MIT */
/* id.h - version ids and upload ids: a sequence number, scrambled and spelled in A-Za-z0-9._ so
 * that it looks like Amazon's, can be taken back to the number, and carries enough check bits
 * that no other text passes for one. The same number gives the same id in every process. */
#ifndef S3MEM_STORE_ID_H
#define S3MEM_STORE_ID_H

#include "store/store.h"

void version_id_encode(uint64_t sequence, char out[VERSION_ID_SIZE]);
/* False when this never was a version id. */
MUST_CHECK bool version_id_decode(struct str id, uint64_t *sequence);

#define UPLOAD_ID_LEN 64
_Static_assert(UPLOAD_ID_LEN < UPLOAD_ID_SIZE, "with its NUL");
/* An upload's id belongs to its key: with another it does not decode. */
void upload_id_encode(uint64_t sequence, struct str key, char out[UPLOAD_ID_SIZE]);
MUST_CHECK bool upload_id_decode(struct str id, struct str key, uint64_t *sequence);

#endif
