/* expression.h: prints the expression of an elementwise row for one dtype. */
#ifndef PCC_CODEGEN_EXPRESSION_H
#define PCC_CODEGEN_EXPRESSION_H

#include "codegen/text.h"

/* The C expression of `node`, an elementwise node, over operands whose text is operands[i]; floats are computed in
 * `compute` (f32 or f64), literals printed without loss. */
const char *print_expression(Graph *graph, const Node *node, const char *const *operands, Dtype compute);
/* The dtype in which a node computes: that of its first float operand, else of its first operand. */
Dtype compute_dtype(const Node *node);

#endif
