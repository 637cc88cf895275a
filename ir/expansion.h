/* expansion.h: a node's expansion built apart from its graph, to infer or to evaluate it. */
#ifndef PCC_IR_EXPANSION_H
#define PCC_IR_EXPANSION_H

#include "ir/ir.h"

typedef struct Expansion {
    Graph *graph;    /* the expansion's nodes */
    Value **inputs;  /* what stands for the node's inputs; NULL where absent */
    Value **results; /* what replaces the node's outputs; NULL where unused */
} Expansion;

/* tensors: contents of the inputs, for static operands that are not constants of the graph; NULL: there are none.
 * Memory comes from graph->arena. */
Expansion expand_apart(const Graph *graph, const Node *node, const Tensor *tensors);

#endif
