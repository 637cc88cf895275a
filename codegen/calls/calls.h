/* calls.h: what the kernel of each operator is called with: the literals, read from an inferred node.
 *
 * Targets share the calls: a kernel has the same arguments everywhere (docs/kernels.md). What they ask of scratch, and
 * which operands they take as they lie, is theirs (ir/target/target.h). */
#ifndef PCC_CODEGEN_CALLS_H
#define PCC_CODEGEN_CALLS_H

#include "ir/target/target.h"

typedef void CallOf(const Node *node, KernelCall *call);

/* attention.c */
CallOf call_attention, call_attention_grad;
/* convolution.c */
CallOf call_convolution, call_convolution_grad_input, call_convolution_grad_weight;
/* index.c */
CallOf call_gather, call_gather_grad, call_one_hot;
CallOf call_gather_elements, call_gather_elements_grad, call_scatter_elements;
CallOf call_gather_nd, call_gather_nd_grad, call_scatter_nd;
/* loss.c */
CallOf call_cross_entropy, call_cross_entropy_grad, call_regression, call_regression_grad, call_loss_scale;
/* matmul.c */
CallOf call_matmul;
/* movement.c */
CallOf call_copy, call_accumulate, call_pad, call_pad_grad;
/* norm.c */
CallOf call_batch_norm, call_batch_norm_statistics, call_row_norm, call_row_norm_grad;
/* pool.c */
CallOf call_pool, call_pool_grad, call_regions, call_resize_axis;
/* random.c */
CallOf call_dropout, call_dropout_grad, call_random;
/* recurrent.c */
CallOf call_recurrence;
/* reduce.c */
CallOf call_reduction, call_scan, call_arg, call_topk, call_softmax;

/* A kernel that only moves bits has one i16 form for every dtype of 16 bits, of which `moved` is one or not. */
void call_by_width(KernelCall *call, const Value *moved);
/* The extents around an axis: outer, the axis itself, inner. */
void call_around(KernelCall *call, const Type *type, int axis);

#endif
