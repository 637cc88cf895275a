/* literals.h: a kernel call's literals again as the kernels' own types, for the targets' formulas of scratch. */
#ifndef PCC_CODEGEN_LITERALS_H
#define PCC_CODEGEN_LITERALS_H

#include "ir/target/target.h"
#include "runtime/kernels/attention/attention_shape.h"
#include "runtime/kernels/conv/conv_scratch.h"
#include "runtime/kernels/recurrent/recurrent_shape.h"

/* Literal i, an integer. */
int64_t literal(const KernelCall *call, int i);
/* Bytes of what the kernel computes in. */
size_t element_bytes(const KernelCall *call);
/* The first literal of convolutions, of attention and of recurrences; of the latter two what scratch depends on. */
PccConv convolution_literal(const KernelCall *call);
PccAttention attention_literal(const KernelCall *call);
PccRecurrent recurrent_literal(const KernelCall *call);

#endif
