/* forward_pass.h: the nodes that make the loss, and what they leave for the backward pass. */
#ifndef PCC_PASSES_FORWARD_PASS_H
#define PCC_PASSES_FORWARD_PASS_H

#include "passes/passes.h"

/* The forward pass, as far as the loss: nodes at positions 0 ... end. Arrays are by the ids of nodes and values. */
typedef struct Forward {
    Graph *graph;
    int node_count, value_count; /* lengths of the arrays: clones have higher ids */
    int end;
    int *position;
    Node **nodes;    /* by position */
    int *last_read;  /* of a value, through views: the last position in the forward pass; -1: none */
    bool *is_saved;  /* the backward pass reads it */
    bool *is_result; /* it outlives the step */
} Forward;

Forward forward_pass(Graph *graph); /* of the training graph, differentiated */

/* Is it a result of the forward pass, in the arena? */
bool is_activation(const Forward *forward, const Value *value);

#endif
