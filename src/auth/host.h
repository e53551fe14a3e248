/* SPDX-License-Identifier: MIT */
/* host.h - the host names that a client may have signed when the Host header that arrived is
 * not the one it sent: a proxy rewrote it, or a published port differs from ours. Presigned
 * URLs made behind such a front fail on servers that know one name only. */
#ifndef S3MEM_AUTH_HOST_H
#define S3MEM_AUTH_HOST_H

#include "auth/evidence.h"

struct host_candidates {
    struct str host, forwarded, port; /* borrowed; forwarded is empty when it may not be used */
    bool tls;
    unsigned next;
    struct buf text; /* owned: the current candidate when it had to be made */
};

void host_candidates_init(struct host_candidates *h, const struct auth_config *config,
                          const struct evidence *e);
/* The next candidate, valid until the next call; at most six. */
bool host_candidates_next(struct host_candidates *h, struct str *host);
void host_candidates_release(struct host_candidates *h);

#endif
