/* print.h: inside the C target: the printers that are its own. */
#ifndef PCC_CODEGEN_C_PRINT_H
#define PCC_CODEGEN_C_PRINT_H

#include "codegen/emit.h"

/* prologue.c: includes and macros; `narrow`: something is stored in 16 or 8 bits */
const char *c_build_line(Emitter *e);
void print_prologue(Emitter *e, Text *text, const Program *program, bool narrow);
/* loops.c: in a loop without checks of its numbers, omp simd */
void print_simd(Emitter *e, Text *text);
/* loops.c: "x0[i * 3]" */
const char *element_at(Arena *arena, const char *pointer, const char *index, int64_t stride);
/* loops.c: the statement that runs a loop, whose function it makes */
const char *run_loop(Emitter *e, const Node *node);
/* store.c: the function NAME_store of a product and its context, struct NAME_epilogue */
const char *emit_store(Emitter *e, const Node *node, Dtype compute);
int64_t store_pitch(const LoopNest *nest);
/* call.c */
const char *c_callee(const Node *node, const Kernel *kernel, const KernelCall *call);
void print_c_literal(Text *text, const Argument *literal);
void print_c_operand(Text *text, const KernelCall *call, const Value *value, const char *name, bool is_input);
const char *c_absent(const KernelCall *call, bool may_be_float, bool is_input);
void print_c_store(Text *text, StorePlace place, const char *name);
void print_c_store_value(Emitter *e, Text *text, const Node *node, const char *name);
void print_c_loss(Emitter *e, Text *text, const char *address);
void print_c_update(Emitter *e, Text *text);
void print_c_apply(Emitter *e, Text *text);
/* numerics.c */
void print_c_watched_tensor(Emitter *e, Text *text, const char *watched, Value *value);
void print_c_watched_loop(Emitter *e, Text *text, const char *const *watched, int count);

#endif
