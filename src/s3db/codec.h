/* SPDX-License-Identifier: MIT */
/* codec.h - what the codecs have in common; only for codec.c and its neighbours.
 *
 * NAME_decode gives a new reference, NULL when the text is not of the codec (or memory is out):
 * the caller then takes the text as it is stored. NAME_encode appends; when it says false,
 * `why` has the sentence and what was appended is dropped by the caller. */
#ifndef S3MEM_S3DB_CODEC_H
#define S3MEM_S3DB_CODEC_H

#include "s3db/values.h"

typedef json_t *codec_decoder(struct codec codec, struct str text);
typedef bool codec_encoder(struct codec codec, const json_t *value, struct buf *out,
                           struct buf *why);

/* "WHAT is needed, not text"; always false. */
bool codec_needs(struct buf *why, const char *what, const json_t *value);
/* "WHAT is needed"; always false: the value is of the right kind, its content is not. */
bool codec_needs_form(struct buf *why, const char *what);
/* A text, lossy where the bytes are no UTF-8; never NULL. */
json_t *codec_text(struct str text);
/* What was printed, as a JSON string; NULL when that failed. */
json_t *codec_printed(const struct buf *printed);
/* A whole number of 0..max in base 62; false for anything else, for an empty text too. */
MUST_CHECK bool codec_read_whole(struct str text, double max, double *out);
/* Takes decimal digits off the front, at least `least` and at most `most` of them. */
MUST_CHECK bool codec_take_digits(struct str *text, size_t least, size_t most, uint64_t *out);
/* Takes the character off the front if it is there. */
MUST_CHECK bool codec_take(struct str *text, char c);

/* codec_numbers.c */
codec_decoder number_decode, integer_decode, money_decode, decimal_decode, latitude_decode,
    longitude_decode, point_decode, embedding_decode;
codec_encoder number_encode, integer_encode, money_encode, decimal_encode, latitude_encode,
    longitude_encode, point_encode, embedding_encode;
/* codec_arrays.c */
codec_decoder strings_decode, integers_decode, numbers_decode;
codec_encoder strings_encode, integers_encode, numbers_encode;
/* codec_net.c */
codec_decoder ip4_decode, ip6_decode;
codec_encoder ip4_encode, ip6_encode;
/* codec_dates.c */
codec_decoder datetime_decode, dateonly_decode, timeonly_decode;
codec_encoder datetime_encode, dateonly_encode, timeonly_encode;
/* codec_duration.c */
codec_decoder duration_decode;
codec_encoder duration_encode;
/* codec_ids.c */
codec_decoder uuid_decode, mac_decode, cidr_decode, color_decode;
codec_encoder uuid_encode, mac_encode, cidr_encode, color_encode;
/* codec_digits.c */
codec_decoder semver_decode, phone_decode, ean_decode;
codec_encoder semver_encode, phone_encode, ean_encode;
/* codec_secret.c */
json_t *secret_decode(struct str text, struct str passphrase, bool *closed);
MUST_CHECK bool secret_encode(const json_t *value, struct str passphrase, struct buf *out,
                              struct buf *why);

#endif
