/* lex.h: the tokens of the text form. The first error is reported and ends the text: from then on nothing matches, so
 * that callers go on without asking and end soon. */
#ifndef PCC_IR_LEX_H
#define PCC_IR_LEX_H

#include "ir/ir.h"

typedef struct Lexer {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *file;
    const char *position, *end; /* the text need not be terminated */
    int line;
    bool failed;
} Lexer;

/* "FILE:LINE", as messages about the text begin. */
const char *lex_place(const Lexer *lexer);
void lex_error(Lexer *lexer, ExitStatus status, const char *format, ...) __attribute__((format(printf, 3, 4)));

void lex_stop(Lexer *lexer); /* after an error that was reported otherwise */

bool lex_at_end(Lexer *lexer);
char lex_peek(Lexer *lexer);                     /* the next character that is no space or comment; 0 at the end */
bool lex_accept(Lexer *lexer, char punctuation); /* consumes it if it is next */
void lex_expect(Lexer *lexer, char punctuation);
bool lex_accept_word(Lexer *lexer, const char *word);
const char *lex_word(Lexer *lexer, const char *what); /* [A-Za-z_][A-Za-z0-9_.]*; "" after an error */
const char *lex_string(Lexer *lexer);
/* A number's spelling: letters, digits, signs and points; "" after an error. */
const char *lex_number(Lexer *lexer);
int64_t lex_int(Lexer *lexer);
int64_t lex_u64(Lexer *lexer); /* the same bits */
double lex_float(Lexer *lexer);
int lex_id(Lexer *lexer); /* %N; 0 after an error */

#endif
