/* print.h: inside the CUDA target: the printers that are its own. */
#ifndef PCC_CODEGEN_CUDA_PRINT_H
#define PCC_CODEGEN_CUDA_PRINT_H

#include "codegen/emit.h"
#include "runtime/kernels/gemm/gemm_cuda.h"

/* prologue.c */
void print_cuda_prologue(Emitter *e, Text *text, const Program *program, bool narrow);
const char *cuda_build_line(Emitter *e);
/* loops.c: int where 32 bits count all elements of every operand */
const char *cuda_index_type(const LoopNest *nest);
/* The element at an offset that begins with " + ", or the first */
const char *cuda_element(Arena *arena, const char *name, const char *offset);
/* loops.c: a loop as a kernel, and its launch */
const char *run_cuda_loop(Emitter *e, const Node *node);
/* epilogue.c: the functor NAME_epilogue of a product */
const char *emit_cuda_epilogue(Emitter *e, const Node *node, Dtype compute);
/* call.c */
const char *cuda_callee(const Node *node, const Kernel *kernel, const KernelCall *call);
/* forms.c: of matrix products, convolutions and recurrences */
const char *product_form(const Node *node, const KernelCall *call);
/* The largest power of two that is known to divide a value's address; an operand of a product. */
uintptr_t alignment_of(const Value *value);
PccFormOperand product_operand(const Node *node, const KernelCall *call, int operand, bool batched);
const char *convolution_form(const Node *node, const KernelCall *call);
const char *convolution_grad_input_form(const Node *node, const KernelCall *call);
const char *convolution_grad_weight_form(const Node *node, const KernelCall *call);
const char *recurrence_form(const Node *node, const KernelCall *call);
const char *recurrence_grad_form(const Node *node, const KernelCall *call);
/* library.c: products that a library computes */
void call_product(const Node *node, KernelCall *call); /* of a MatMul: an own kernel, or the library's */
int64_t library_workspace(const KernelCall *call);     /* bytes; 0: the call is not a library's */
void print_cuda_libraries(Emitter *e, Text *text);     /* of the prologue */
/* convolutions.c: convolutions that cuDNN computes */
void call_any_convolution(const Node *node, KernelCall *call); /* an own kernel, or the library's */
void call_any_convolution_grad_input(const Node *node, KernelCall *call);
void call_any_convolution_grad_weight(const Node *node, KernelCall *call);
int64_t convolution_workspace(const Node *node, const KernelCall *call); /* bytes; 0: the call is not a library's */
void print_cuda_plans(Emitter *e, Text *text, const Program *program);   /* of the prologue */
const char *convolutions_note(Emitter *e, const Program *program);       /* NULL: it has none, or none is asked for */
const char *cuda_libraries(const Emitter *e);
const char *cuda_note(Emitter *e, const Program *program);
void print_cuda_literal(Text *text, const Argument *literal);
void print_cuda_operand(Text *text, const KernelCall *call, const Value *value, const char *name, bool is_input);
const char *cuda_absent(const KernelCall *call, bool may_be_float, bool is_input);
void print_cuda_store(Text *text, StorePlace place, const char *name);
void print_cuda_store_value(Emitter *e, Text *text, const Node *node, const char *name);
void print_cuda_loss(Emitter *e, Text *text, const char *address);
void print_cuda_update(Emitter *e, Text *text);
void print_cuda_begin_apply(Emitter *e, Text *text);
void print_cuda_apply(Emitter *e, Text *text);
/* numerics.c */
void print_cuda_watched_tensor(Emitter *e, Text *text, const char *watched, Value *value);
void print_cuda_watched_loop(Emitter *e, Text *text, const char *const *watched, int count);

#endif
