/* recompute.h: what the backward pass finds in memory, and what it computes again (--recompute). */
#ifndef PCC_PASSES_RECOMPUTE_H
#define PCC_PASSES_RECOMPUTE_H

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

/* Is it a result of the forward pass, in the arena? */
bool is_activation(const Forward *forward, const Value *value);

/* By value id: the activations that stay in memory until the backward pass has read them. What it reads of the others,
 * and what these are computed from, it computes again. */
bool *choose_kept(const Forward *forward, RecomputeKind kind);

#endif
