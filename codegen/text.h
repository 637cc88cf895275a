/* text.h: writing C text: a growing buffer that indents by the braces it sees, and safe spellings of foreign names. */
#ifndef PCC_CODEGEN_TEXT_H
#define PCC_CODEGEN_TEXT_H

#include "ir/ir.h"

typedef struct Text {
    Arena *arena;
    char *data; /* NUL-terminated */
    size_t length, capacity;
    int depth; /* of braces */
} Text;

Text *text_create(Arena *arena);
/* One line, without its newline, indented by 4 spaces a level. A leading } closes a level before the line, a
 * trailing { opens one after it. */
void line(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void blank(Text *text); /* an empty line */
/* Text as it is. */
void append(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void append_text(Text *text, const char *more); /* of any length, at the cost of a copy */
void append_bytes(Text *text, const char *bytes, size_t length);

/* A C string literal, quotes included: everything but plain printable ASCII is escaped. */
const char *c_string(Arena *arena, const char *name);
/* Fit for a comment: characters that could end it, or that no editor shows, become '_'. */
const char *comment_text(Arena *arena, const char *name);
/* Letters, digits and _, not a keyword by construction of its callers (they append an id); at most `limit` long. */
const char *identifier(Arena *arena, const char *name, size_t limit);
/* A floating constant without loss: a hex float with the suffix of the dtype, or INFINITY, -INFINITY, NAN. */
const char *c_float(Arena *arena, double value, Dtype dtype);
/* An integer constant; C has no literal for the least i64. */
const char *c_integer(Arena *arena, int64_t value, Dtype dtype);
uint64_t hash_text(const char *text);                 /* FNV-1a */
const char *with_commas(Arena *arena, int64_t value); /* 86,567,656 */

#endif
