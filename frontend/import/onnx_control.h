/* onnx_control.h: a node whose results are those of subgraphs, or sequences: what its files share. */
#ifndef PCC_FRONTEND_ONNX_CONTROL_H
#define PCC_FRONTEND_ONNX_CONTROL_H

#include "frontend/import/onnx_model.h"

/* Such a node being imported. */
typedef struct Control {
    Import *import;
    const Body *body;
    Scope *scope;
    const NodeProto *node;
    Origin origin;
} Control;

/* ---- onnx_subgraph.c ---- */

/* NULL: absent. Ends the import where the node has it twice. */
const AttributeProto *control_attribute(const Control *control, const char *name);
/* Notes that pcc does not have this form of the node; true. */
bool refuse_control(const Control *control, const char *why);
/* What the node makes of its subgraphs' results depends on these, some of which were refused; true. */
bool pass_poison_on(const Control *control, size_t count, Value *const *values);
/* Imports the graph, as `body` says, with these values for its inputs and stores the wanted ones of its outputs, NULL
 * for the others; false when one of them was refused. */
bool import_body(const Control *control, Body body, const GraphProto *graph, Value *const *inputs, const bool *wanted,
                 Value **outputs);
/* The same of the body of a loop, or of its like; `suffix` tells iterations apart. */
bool import_subgraph(const Control *control, const GraphProto *graph, const char *suffix, Value *const *inputs,
                     const bool *wanted, Value **outputs);
/* The single integer or bool of a constant; false when it is not constant. */
bool constant_scalar(const Control *control, Value *value, int64_t *scalar);
Value *scalar_constant(Import *import, Dtype dtype, int64_t value);
bool spend_iteration(const Control *control); /* one more body, of those that the import may hold; true */
void check_signature(const Control *control, const GraphProto *graph, size_t inputs, size_t outputs);

/* The body of the If's branch ("then_branch", "else_branch"), whose names no other tensor of the import has.
 * (onnx_branch.c) */
Body branch_body(const Control *control, const char *branch, const GraphProto *graph);

/* False when the node is none of theirs. (onnx_flex.c, onnx_sequence.c) */
bool import_flex_attention(const Control *control);
bool import_sequence_node(const Control *control);

#endif
