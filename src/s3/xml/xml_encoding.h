/* SPDX-License-Identifier: MIT */
/* xml_encoding.h - a document's bytes as UTF-8.
 *
 * UTF-8, US-ASCII, ISO-8859-1 and UTF-16 are read; a document that declares another encoding is
 * refused. libxml2 would bring iconv for it: tables loaded on an I/O thread, and encodings in
 * which markup hides from the guard. */
#ifndef S3MEM_S3_XML_ENCODING_H
#define S3MEM_S3_XML_ENCODING_H

#include "app/app.h"

#define XML_PIECE       KiB(4)
#define XML_DECLARATION 256 /* bytes of a whole one at most */

/* Takes a piece of UTF-8 (which nobody has checked); false: wants no more. */
typedef bool xml_piece_sink(void *arg, struct str piece);

struct xml_decoder {
    xml_piece_sink *sink;
    void *sink_arg;
    uint8_t encoding; /* enum in xml_encoding.c */
    uint8_t odd;      /* first byte of half a UTF-16 unit */
    bool has_odd;
    uint16_t surrogate; /* first half of a pair; 0: none */
    size_t head_len, piece_len;
    char head[XML_DECLARATION]; /* until the encoding is known */
    char piece[XML_PIECE];
};

void xml_decoder_init(struct xml_decoder *d, xml_piece_sink *sink, void *sink_arg);
/* False: the sink said so, or the encoding is unknown or broken. */
MUST_CHECK bool xml_decoder_feed(struct xml_decoder *d, struct str bytes);
/* Gives the last piece to the sink. */
MUST_CHECK bool xml_decoder_end(struct xml_decoder *d);

#endif
