/* SPDX-License-Identifier: MIT */
/* rfc2047.h - text that is no ASCII in HTTP headers: encoded words, ISO-8859-1 and UTF-8. */
#ifndef S3MEM_S3_RFC2047_H
#define S3MEM_S3_RFC2047_H

#include "app/app.h"

/* Header bytes as text: ISO-8859-1 to UTF-8. */
void latin1_to_utf8(struct buf *out, struct str latin1);
/* UTF-8 as header bytes. False when a character is not in ISO-8859-1 (a space stands for it).
 */
bool utf8_to_latin1(struct buf *out, struct str utf8);

/* UTF-8 text with every well-formed encoded word replaced by what it says; charsets UTF-8,
 * ISO-8859-1 and US-ASCII, encodings B and Q. What is no UTF-8 inside becomes U+FFFD. */
void rfc2047_decode(struct buf *out, struct str text);
/* The header form of UTF-8 text: itself when all its characters are printable ASCII, else
 * encoded words (B when most characters are not ASCII, Q otherwise; long ones split). */
void rfc2047_encode(struct buf *out, struct str utf8);

#endif
