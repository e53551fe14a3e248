/* SPDX-License-Identifier: MIT */
/* xml_lib.h - libxml2, loaded when the first document comes.
 *
 * Linked, it would load at every start, and ICU and the C++ runtime with it: 2 of the 8 MiB
 * that an idle server may have resident and a third of the time it takes to start. Many a test
 * run never sends a document. */
#ifndef S3MEM_S3_XML_LIB_H
#define S3MEM_S3_XML_LIB_H

#include "s3mem/base.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

/* What we use of it. */
#define XML_LIB_FUNCTIONS(X)                                                                   \
    X(xmlInitParser)                                                                           \
    X(xmlCreatePushParserCtxt)                                                                 \
    X(xmlCtxtUseOptions)                                                                       \
    X(xmlParseChunk)                                                                           \
    X(xmlStopParser)                                                                           \
    X(xmlFreeDoc)                                                                              \
    X(xmlFreeParserCtxt)

struct xml_lib {
#define X(name) __typeof__(name) *name;
    XML_LIB_FUNCTIONS(X)
#undef X
};

/* The library, initialised; NULL (and the log says why) when it cannot be loaded. Threads may
 * call it at once. */
MUST_CHECK const struct xml_lib *xml_lib(void);

#endif
