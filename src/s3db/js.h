/* SPDX-License-Identifier: MIT */
/* js.h - what JavaScript does to values, for the sources of this room; s3db/s3db.h has the
 * rest. */
#ifndef S3MEM_S3DB_JS_H
#define S3MEM_S3DB_JS_H

#include "s3db/s3db.h"

/* NULL: memory is out, or the bytes are no UTF-8. */
json_t *js_string(struct str text);
/* For the loops of jansson, which ask for a json_t that may change. */
json_t *js_unconst(const json_t *value);
/* A new reference of the object, or a copy of it with the members in JavaScript's order when
 * they are not. NULL: memory is out. */
json_t *js_ordered(const json_t *object);
/* Borrowed; NULL when object is no object or has no such member. */
json_t *js_get(const json_t *object, struct str name);
/* Takes the value; false when it is NULL or memory is out (the value is dropped then). */
MUST_CHECK bool js_set(json_t *object, struct str name, json_t *value);
/* The same of small things: memory that is out ends the program, as with xmalloc. */
void js_must_set(json_t *object, struct str name, json_t *value);
/* Either value may be NULL. Numbers are equal by value. */
bool js_equal(const json_t *a, const json_t *b);

/* A number of either kind as a double. */
double js_double(const json_t *number);
/* A positive number as toString prints it, but never with a negative exponent. */
void buf_add_js_fixed(struct buf *b, double value);
/* As Number(text) for decimal texts: surrounding blanks, sign, digits, fraction, exponent,
 * Infinity; "" is 0. False: NaN. */
MUST_CHECK bool js_to_number(struct str text, double *out);
/* Math.round: halves go up, towards positive infinity. */
double js_round(double value);
/* String.prototype.trim. text is UTF-8. */
struct str js_trim(struct str text);

/* The next code point of valid UTF-8, taken off the front; text must not be empty. A byte that
 * starts none is returned as U+FFFD. */
uint32_t js_next_char(struct str *text);
/* String.prototype.length of UTF-8 text. */
size_t js_length(struct str text);
/* At most that many UTF-16 units from the front, no half character. */
struct str js_prefix(struct str text, size_t units);
/* Bytes as a UTF-8 decoder that replaces reads them: what is no UTF-8 becomes U+FFFD. */
void buf_add_lossy_utf8(struct buf *b, struct str bytes);

/* Members by name as `sort()` orders them: UTF-16 units, which for UTF-8 is code points but for
 * those above U+FFFF. */
int js_cmp_names(struct str a, struct str b);

#endif
