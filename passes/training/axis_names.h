/* axis_names.h: what the model's file calls the axes of its inputs and outputs, and which of them is the batch. */
#ifndef PCC_AXIS_NAMES_H
#define PCC_AXIS_NAMES_H

#include "ir/ir.h"

/* What the model's file calls the axes of that input or output; NULL when it says nothing. */
const DeclaredAxes *declared_axes(const Graph *graph, const char *name);
/* The axis of an input that has the samples, -1 when none has. */
int input_batch_axis(const Graph *graph, const Value *input, int64_t batch);
/* The axis of an output that is called as the batch is, -1 when none is, or several. */
int output_batch_axis(const Graph *graph, const Value *output, const char *name);

/* ---- names ---- */

const char *first_symbol(const Graph *graph, const char *name); /* of axis 0, or NULL */
bool is_batch_name(const char *symbol);                         /* "batch" and its like */
/* Are they two names that are not the same? What has none may be either. */
bool names_disagree(const char *a, const char *b);
bool names_axis(const DeclaredAxes *declared, const char *symbol); /* Does one of the axes have that name? */

/* The extent of the first axis, 0 of a scalar. */
static inline int64_t rows_of(const Value *value)
{
    return value->type.rank > 0 ? value->type.dims[0] : 0;
}

#endif
