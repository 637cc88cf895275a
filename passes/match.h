/* match.h: small questions that passes ask of a graph when they look for a pattern, and the recognisers. */
#ifndef PCC_MATCH_H
#define PCC_MATCH_H

#include "passes/passes.h"

/* A product as its constant factor and what is multiplied: nested Mul, Div by a constant and Neg are flattened. */
enum { MAX_FACTORS = 8 };
typedef struct Product {
    double constant;
    Value *factors[MAX_FACTORS];
    int count;
} Product;

typedef struct Matcher {
    Graph *graph;
    int *uses; /* by value id; values made since have more ids and are not matched */
    int value_count;
} Matcher;

bool is_op(const Node *node, const char *name);
/* A Cast from f32 (or f64) to 16 bits; a Cast from 16 bits to f32. */
bool narrows(const Node *node);
bool widens(const Node *node);
/* The node that computes `value` when it is an `op`, else NULL. */
Node *producer_if(const Value *value, const char *op);
/* Like producer_if, and nothing else reads the value: it may disappear. */
Node *sole_producer_if(const Matcher *m, const Value *value, const char *op);
/* A one-element float constant. */
bool constant_value(Graph *graph, const Value *value, double *constant);
bool is_constant(Graph *graph, const Value *value, double expected); /* to float32 precision */
/* For a two-operand node, the other operand when one is the constant `expected`. */
Value *other_than_constant(Graph *graph, const Node *node, double expected);
Product flatten_product(Graph *graph, Value *value);
/* Replaces `old` by `with` and inherits its name. */
void substitute(Graph *graph, Value *old, Value *with);

/* The recognisers: each looks at one node as the last of its pattern. */
bool recognise_layer_norm(Matcher *m, Node *node);
bool recognise_rms_norm(Matcher *m, Node *node);
bool recognise_gelu(Matcher *m, Node *node);
bool recognise_swish(Matcher *m, Node *node);
bool recognise_attention(Matcher *m, Node *node);
bool recognise_batch_norm(Matcher *m, Node *node);
bool recognise_dropout(Matcher *m, Node *node);

#endif
