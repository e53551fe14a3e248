/* SPDX-License-Identifier: MIT */
/* document.h - what writing and reading a snapshot document share. */
#ifndef S3MEM_DISK_DOCUMENT_H
#define S3MEM_DISK_DOCUMENT_H

#include "disk/disk.h"

#define DOCUMENT_VERSION     1
#define DOCUMENT_MAGIC       STR("s3mem snapshot 1\n")
#define DOCUMENT_VERSION_LEN 2 /* of "1\n" */

/* Of an R. */
enum document_flags { DOCUMENT_CURRENT = 1, DOCUMENT_NULL = 2, DOCUMENT_MARKER = 4 };

struct document_counts {
    uint64_t buckets, records, uploads, parts;
};

/* What a bucket's document is called; it stays so. */
static inline struct str document_doc_name(enum bucket_doc which)
{
    switch (which) { /* without a default: the compiler misses a new one */
    case BUCKET_DOC_TAGGING:
        return STR("tagging");
    case BUCKET_DOC_COUNT:
        break;
    }
    return STR("");
}

#endif
