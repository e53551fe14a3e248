/* SPDX-License-Identifier: MIT */
/* lines.h - text files, plain or gzip, in and out, with the SHA-256 of the text. Memory is
 * bounded whatever they hold. One thread. */
#ifndef S3MEM_DISK_LINES_H
#define S3MEM_DISK_LINES_H

#include "disk/backup/container.h"
#include "store/store.h"

/* ---- reading ----------------------------------------------------------------------- */

#define LINE_MAX_BYTES MiB(64)

struct lines;
/* Takes text. gzip is known by its first bytes. work: when it is cancelled, reading fails; may
 * be NULL. */
struct lines *lines_new(struct stretch text, const struct work *work);
void lines_free(struct lines *l);
/* Takes the memory of lines from there; when there is no room, reading fails. Borrowed. */
void lines_set_workspace(struct lines *l, struct workspace *workspace);
enum lines_next {
    LINES_ONE,
    LINES_LONG, /* the line was longer than LINE_MAX_BYTES: it has been passed over */
    LINES_END,
    LINES_FAILED, /* lines_why tells: truncated or damaged gzip, a reading error, ... */
};
/* Without its LF (and a CR before it); good until the next call. */
MUST_CHECK enum lines_next lines_next(struct lines *l, struct str *line);
/* As they come, whatever lines there are; 0 at the end, -1: lines_why. */
MUST_CHECK ssize_t lines_read(struct lines *l, void *out, size_t max);
uint64_t lines_number(const struct lines *l); /* of the last line, from 1 */
struct str lines_why(const struct lines *l);
/* Of all that was read until now; ends the digest. */
void lines_digest(struct lines *l, uint8_t out[SHA256_SIZE]);

/* ---- writing ----------------------------------------------------------------------- */

struct text_file;
/* Begins a file of sink (borrowed). Errors stick, sink_why tells them. */
struct text_file *text_file_new(struct sink *sink, struct str name, bool gzip);
void text_file_free(struct text_file *f);
MUST_CHECK bool text_file_add(struct text_file *f, struct str text);
struct text_file_facts {
    uint64_t bytes;              /* on disk */
    uint8_t sha256[SHA256_SIZE]; /* of the text */
};
MUST_CHECK bool text_file_end(struct text_file *f, struct text_file_facts *facts);

AUTO_DEFINE(lines, lines_free)
AUTO_DEFINE(text_file, text_file_free)

#endif
