/* SPDX-License-Identifier: MIT */
/* xml_guard.c - a document's tokens, byte by byte.
 *
 *   TEXT -'<'-> OPENED -name-> ELEMENT -blank-> INSIDE -name-> ATTRIBUTE -'='-> VALUE -quote->
 * QUOTED
 *                 |-'/'-> END_TAG                 |-'/'-> EMPTY -'>'-> TEXT
 *                 |-'?'-> INSTRUCTION
 *                 `-'!'-> MARKUP -'-'-> COMMENT_OPENS -'-'-> COMMENT,  -'['-> SECTION_OPENS ->
 * SECTION
 *
 * No token can be read in another way by libxml2: where the two might part, the document is
 * refused. */
#include "s3/xml/xml_guard.h"

enum state {
    TEXT,
    OPENED,
    ELEMENT,
    INSIDE,
    ATTRIBUTE,
    VALUE,
    QUOTED,
    EMPTY,
    END_TAG,
    INSTRUCTION,
    IN_INSTRUCTION,
    MARKUP,
    COMMENT_OPENS,
    COMMENT,
    SECTION_OPENS,
    SECTION,
    REFUSED,
};

void xml_guard_init(struct xml_guard *g)
{
    g->state = TEXT;
    g->depth = g->attributes = g->matched = 0;
    g->tag_len = g->name_len = 0;
    g->names.count = 0;
    memset(g->names.slots, 0, sizeof(g->names.slots));
}

/* ---- names ------------------------------------------------------------------------- */

static struct str name_at(const struct xml_names *names, size_t index)
{
    size_t start = index > 0 ? names->ends[index - 1] : 0;

    return str_of(names->bytes + start, names->ends[index] - start);
}

/* Is it known, or is there room for it? However a client chooses its names, each is compared
 * with XML_NAMES_MAX others at most. */
static bool add_name(struct xml_names *names, struct str name)
{
    uint32_t hash = 0;
    size_t start = names->count > 0 ? names->ends[names->count - 1] : 0;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * UINT32_C(0x01000193);
    for (size_t slot = hash >> 8;; slot++) {
        uint8_t *index = &names->slots[slot % sizeof(names->slots)];

        if (*index > 0 && str_eq(name_at(names, *index - 1U), name))
            return true;
        if (*index > 0)
            continue;
        if (names->count == XML_NAMES_MAX || start + name.len > sizeof(names->bytes))
            return false;
        str_put(names->bytes + start, name);
        names->ends[names->count++] = (uint16_t)(start + name.len);
        *index = (uint8_t)names->count;
        return true;
    }
}

static bool is_blank_char(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes beyond ASCII are left to libxml2. */
static bool starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (unsigned char)c >= 0x80;
}

static bool continues_name(char c)
{
    return starts_name(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool keep_char(struct xml_guard *g, char c)
{
    if (g->name_len == sizeof(g->name))
        return false;
    g->name[g->name_len++] = c;
    return true;
}

static bool end_name(struct xml_guard *g)
{
    return add_name(&g->names, str_of(g->name, g->name_len));
}

/* ---- tags -------------------------------------------------------------------------- */

static enum state start_name(struct xml_guard *g, char c, enum state state)
{
    g->name_len = 1;
    g->name[0] = c;
    return state;
}

/* Behind '<'. */
static enum state opened(struct xml_guard *g, char c)
{
    g->tag_len = g->attributes = g->matched = 0;
    g->name_len = 0;
    if (c == '/')
        return g->depth > 0 ? END_TAG : REFUSED;
    if (c == '?')
        return INSTRUCTION;
    if (c == '!')
        return MARKUP;
    if (!starts_name(c) || g->depth == XML_DEPTH_MAX)
        return REFUSED;
    g->depth++;
    return start_name(g, c, ELEMENT);
}

/* Between a tag's attributes, or right behind its name. */
static enum state inside(struct xml_guard *g, char c)
{
    if (is_blank_char(c))
        return INSIDE;
    if (c == '>')
        return TEXT;
    if (c == '/')
        return EMPTY;
    if (!starts_name(c) || g->attributes == XML_ATTRIBUTES_MAX)
        return REFUSED;
    g->attributes++;
    return start_name(g, c, ATTRIBUTE);
}

static enum state element(struct xml_guard *g, char c)
{
    if (continues_name(c))
        return keep_char(g, c) ? ELEMENT : REFUSED;
    /* "<a=" must not become an attribute. */
    if (!end_name(g) || (!is_blank_char(c) && c != '>' && c != '/'))
        return REFUSED;
    return inside(g, c);
}

static enum state attribute(struct xml_guard *g, char c)
{
    if (continues_name(c))
        return keep_char(g, c) ? ATTRIBUTE : REFUSED;
    if (!end_name(g) || (!is_blank_char(c) && c != '='))
        return REFUSED;
    g->is_namespace = str_has_prefix(str_of(g->name, g->name_len), STR("xmlns"));
    return VALUE;
}

/* Behind an attribute's name: blanks, '=', a quote. libxml2 sees that '=' is there once. */
static enum state value(struct xml_guard *g, char c)
{
    if (is_blank_char(c) || c == '=')
        return VALUE;
    g->quote = c;
    g->name_len = 0;
    return c == '"' || c == '\'' ? QUOTED : REFUSED;
}

static enum state quoted(struct xml_guard *g, char c)
{
    if (c == g->quote)
        return g->is_namespace && !end_name(g) ? REFUSED : INSIDE;
    if (c == '<' || (g->is_namespace && !keep_char(g, c)))
        return REFUSED;
    return QUOTED;
}

static enum state end_tag(struct xml_guard *g, char c)
{
    if (c == '>') {
        g->depth--;
        return TEXT;
    }
    return c == '<' ? REFUSED : END_TAG;
}

static enum state empty(struct xml_guard *g, char c)
{
    if (c != '>')
        return REFUSED;
    g->depth--;
    return TEXT;
}

/* ---- the rest ---------------------------------------------------------------------- */

static enum state instruction(struct xml_guard *g, char c)
{
    if (continues_name(c))
        return keep_char(g, c) ? INSTRUCTION : REFUSED;
    if (g->name_len == 0 || !end_name(g) || (!is_blank_char(c) && c != '?'))
        return REFUSED;
    g->matched = c == '?';
    return IN_INSTRUCTION;
}

static enum state in_instruction(struct xml_guard *g, char c)
{
    if (c == '>' && g->matched)
        return TEXT;
    g->matched = c == '?';
    return IN_INSTRUCTION;
}

/* Behind "<!": "--" or "[CDATA[", and nothing else. */
static enum state markup(char c)
{
    return c == '-' ? COMMENT_OPENS : c == '[' ? SECTION_OPENS : REFUSED;
}

static enum state section_opens(struct xml_guard *g, char c)
{
    if (g->depth == 0 || c != "CDATA["[g->matched])
        return REFUSED;
    if (++g->matched < strlen("CDATA["))
        return SECTION_OPENS;
    g->matched = 0;
    return SECTION;
}

/* Ended by two of `twice` and a '>'. */
static enum state until(struct xml_guard *g, char c, char twice, enum state state)
{
    if (c == '>' && g->matched == 2)
        return TEXT;
    if (c != twice)
        g->matched = 0;
    else if (g->matched < 2)
        g->matched++;
    return state;
}

static enum state next(struct xml_guard *g, char c)
{
    switch ((enum state)g->state) {
    case OPENED:
        return opened(g, c);
    case ELEMENT:
        return element(g, c);
    case INSIDE:
        return inside(g, c);
    case ATTRIBUTE:
        return attribute(g, c);
    case VALUE:
        return value(g, c);
    case QUOTED:
        return quoted(g, c);
    case EMPTY:
        return empty(g, c);
    case END_TAG:
        return end_tag(g, c);
    case INSTRUCTION:
        return instruction(g, c);
    case IN_INSTRUCTION:
        return in_instruction(g, c);
    case MARKUP:
        return markup(c);
    case COMMENT_OPENS:
        return c == '-' ? COMMENT : REFUSED;
    case COMMENT:
        return until(g, c, '-', COMMENT);
    case SECTION_OPENS:
        return section_opens(g, c);
    case SECTION:
        return until(g, c, ']', SECTION);
    case TEXT:
    case REFUSED:
        break;
    }
    return REFUSED;
}

bool xml_guard_pass(struct xml_guard *g, struct str bytes)
{
    const char *at = bytes.ptr, *end = at + bytes.len;

    while (at < end && g->state != REFUSED) {
        if (g->state == TEXT) {
            at = memchr(at, '<', (size_t)(end - at));
            if (!at)
                return true;
            g->state = OPENED;
            g->tag_len = 0;
            at++;
            continue;
        }
        if (++g->tag_len > XML_TAG_MAX)
            g->state = REFUSED;
        else
            g->state = (uint8_t)next(g, *at++);
    }
    return g->state != REFUSED;
}
