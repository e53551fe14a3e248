/* SPDX-License-Identifier: MIT */
/* xml.h - elements out of S3's answers, which are flat: no parser is needed for them. */
#ifndef S3MEM_CTL_XML_H
#define S3MEM_CTL_XML_H

#include "app/app.h"

/* The first element of that name in *rest: *inner is what stands between its tags, *rest moves
 * behind it. Of elements that hold others of their own name the first end counts. False: there
 * is none. */
bool xml_next(struct str *rest, struct str name, struct str *inner);
/* The first one's text, without XML's entities; false, and nothing is added: there is none. */
bool xml_text(struct str xml, struct str name, struct buf *out);

#endif
