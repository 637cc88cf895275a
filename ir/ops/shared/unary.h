/* unary.h: rows of one operand whose gradient is one expression, a line each.
 *
 * A family writes its operators as a list of
 *     ROW(name, attributes, attribute count, since, precision class, formula of x, saved operand, gradient)
 * where the gradient is a formula over x, the saved operand (INPUT or OUTPUT: the cheaper one to keep), and y, the
 * cotangent dY. Each line makes the row NAME and the internal row NAMEGrad(saved, dY). `since` is OWN where ONNX has no
 * such operator. */
#ifndef PCC_OPS_UNARY_H
#define PCC_OPS_UNARY_H

#include "ir/ops/shared/expression.h"

typedef enum Saved { SAVED_INPUT, SAVED_OUTPUT } Saved;

enum { OWN = 0 };

/* dX = GRADIENT_OP(saved, dY), with the node's own attributes. */
static inline void unary_gradient(Differentiator *d, Node *node, const char *gradient_op, Saved saved)
{
    Value *operands[] = {saved == SAVED_INPUT ? node->inputs[0] : node->outputs[0], dy_of(d, node, 0)};
    Node *gradient = build_begin(d->graph, gradient_op, 2, operands, 1);
    copy_attrs(d->graph, gradient, node);
    contribute(d, node, 0, build_finish(d->graph, gradient));
}

#define UNARY_DEFINE(NAME, ATTRIBUTES, COUNT, SINCE, CLASS, FORMULA, SAVED, GRADIENT) \
    static const char NAME##_text[] = #FORMULA;                                       \
    EXPRESSION_SCALAR(NAME##_scalar, double, COUNT, FORMULA)                          \
    static const char NAME##Grad_text[] = #GRADIENT;                                  \
    EXPRESSION_SCALAR(NAME##Grad_scalar, double, COUNT, GRADIENT)                     \
    static void NAME##_gradient(Differentiator *d, Node *node)                        \
    {                                                                                 \
        unary_gradient(d, node, #NAME "Grad", SAVED_##SAVED);                         \
    }

#define UNARY_ROWS(...) UNARY_ROWS_WITH(.stands_for = NULL, __VA_ARGS__)
/* FIELD: one more field of NAME's row, such as .stands_for of one that is pcc's own. */
#define UNARY_ROWS_WITH(FIELD, NAME, ATTRIBUTES, COUNT, SINCE, CLASS, FORMULA, SAVED, GRADIENT) \
    {ELEMENTWISE(NAME),                                                                         \
     .inputs = "X",                                                                             \
     .attributes = ATTRIBUTES,                                                                  \
     .since = (SINCE) == OWN ? 1 : (SINCE),                                                     \
     .internal = (SINCE) == OWN,                                                                \
     .precision = CLASS_##CLASS,                                                                \
     FIELD,                                                                                     \
     .gradient = NAME##_gradient},                                                              \
        {ELEMENTWISE(NAME##Grad),  .inputs = SAVED_##SAVED == SAVED_INPUT ? "X, dY" : "Y, dY",  \
         .attributes = ATTRIBUTES, .since = 1,                                                  \
         .internal = true,         .precision = CLASS_##CLASS},

#endif
