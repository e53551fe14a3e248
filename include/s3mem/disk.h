/* SPDX-License-Identifier: MIT */
/* disk.h - the door of room disk: state outside of memory. So far the portable snapshot
 * document: one state of a branch in a stream of bytes, to be kept, sent and loaded elsewhere.
 *
 *   "s3mem snapshot 1\n", then items, each a letter and its fields:
 *   B  name, region, owner, created, versioning, count of documents, (name, text) ...
 *   R  key, flags, number, time; unless it is a delete marker: MD5, checksum, part count, rows
 *      of parts, (number, size, checksum) ..., upload id, attributes, length, bytes
 *   U  key, upload id, time, checksum algorithm and type, owner, attributes, flags
 *   P  number, time, MD5, checksum, length, bytes
 *   E  counts of B, R, U and P, then the SHA-256 of everything before it
 *
 * Numbers are varints (7 bits a byte, low first), times 8 bytes little-endian nanoseconds,
 * texts a length and bytes; algorithms and attributes go by their names. Each bucket's records
 * stand in the order of their keys, newest first, then its uploads. Nothing in it depends on
 * when or how it was written: equal states are equal bytes. gzip around it is optional. */
#ifndef S3MEM_DISK_H
#define S3MEM_DISK_H

#include "s3mem/store.h"

/* ---- writing ----------------------------------------------------------------------- */

/* Takes a reference of its own on root. One thread. */
struct document_writer;
struct document_writer *document_writer_new(struct root *root, bool gzip);
void document_writer_free(struct document_writer *w);
enum document_state { DOCUMENT_MORE, DOCUMENT_END, DOCUMENT_FAILED };
/* The next bytes, at most max of them (at least KiB(1)). FAILED: memory is out. */
MUST_CHECK enum document_state document_write(struct document_writer *w, void *out, size_t max,
                                              size_t *len);

/* ---- reading ----------------------------------------------------------------------- */

/* One thread. The document may come in pieces of any size, plain or gzip. */
struct document_reader;
struct document_reader *document_reader_new(struct store *store);
void document_reader_free(struct document_reader *r);
/* Sticky: INVALID_ARGUMENT (it is no such document, or altered), SLOW_DOWN (memory). */
MUST_CHECK enum s3_err document_feed(struct document_reader *r, const void *data, size_t len);
/* Its end was reached: the state becomes the snapshot of that name (see loader_finish). Errors
 * as above; *result is set on S3_OK. */
MUST_CHECK enum s3_err document_finish(struct document_reader *r, struct str name, bool replace,
                                       enum named *result);
/* One sentence: what is wrong, and where. */
const char *document_error(const struct document_reader *r);

AUTO_DEFINE(document_writer, document_writer_free)
AUTO_DEFINE(document_reader, document_reader_free)

#endif
