/* print.h: inside the C target: the printers that are its own. */
#ifndef PCC_CODEGEN_C_PRINT_H
#define PCC_CODEGEN_C_PRINT_H

#include "codegen/emit.h"

/* literal.c */
void append_literal(Text *text, const Argument *literal);
/* prologue.c: includes and macros; `mixed`: something is stored in 16 or 8 bits */
void print_prologue(Emitter *e, Text *text, bool mixed);
/* loops.c: in a loop without checks of its numbers, omp simd */
void print_simd(Emitter *e, Text *text);
/* loops.c, call.c: the statement that runs a node, whose function it makes */
const char *run_loop(Emitter *e, const Node *node);
const char *run_kernel(Emitter *e, const Node *node);
/* store.c: makes the function NAME_store of a product and its context, struct NAME_epilogue, which products of equal
 * epilogues share; returns NAME. `compute` is the dtype of finished results. */
const char *emit_store(Emitter *e, const Node *node, Dtype compute);

#endif
