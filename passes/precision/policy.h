/* policy.h: precision modes, and what a policy makes of each operator. Tables and rules; autocast.c acts on them. */
#ifndef PCC_PASSES_POLICY_H
#define PCC_PASSES_POLICY_H

#include "passes/passes.h"

#define LOSS_SCALE_DYNAMIC (-1.0)

typedef struct PrecisionMode {
    const char *name;   /* canonical */
    Dtype wide;         /* of K operators, losses, statistics */
    Dtype low;          /* of L operators; equal to wide in 64-true and 32-true */
    bool low_weights;   /* the "true" modes: parameters, gradients and F operators are low too */
    double loss_scale;  /* LOSS_SCALE_DYNAMIC or 1 */
    const char *update; /* how a 16-bit weight takes its update by default; NULL where no weight has 16 bits */
    Dtype moment;       /* of the optimizer's moments */
    Dtype unscaled;     /* of them where the loss is not scaled */
} PrecisionMode;

const PrecisionMode *find_precision_mode(const char *name); /* NULL when unknown */

/* What the option says, else the built-in policy that --policy names, else the mode: LOSS_SCALE_DYNAMIC, a fixed scale,
 * or 1 for none; how 16-bit weights take their updates, NULL in modes whose weights are wide; the dtype of their
 * moments, that of the weights where those are wide. */
double policy_loss_scale(const Options *options);
const char *policy_update(const Options *options);
Dtype policy_moments(const Options *options);
/* moments.c: does the optimizer keep this parameter's moments in blocks of 8 bits with a scale? */
bool keeps_blocks8(const Graph *train, const Value *param, const Options *options);

/* What decided about a node or a tensor, for --explain-precision. */
typedef struct Ruling {
    PrecisionClass precision;
    const char
        *rule; /* "policy pcc: LayerNormalization computes in f32", "--keep-fp32 op:Softmax", "FILE:3: lower node:*" */
    bool by_rule; /* a keep or lower rule, not the policy's table */
} Ruling;

typedef struct Policy Policy;

/* Reads options->policy (a table's name or a file) and the command line's rules. Errors of usage, such as an unknown
 * policy or a malformed rule, name what is allowed and leave through the diagnostics. */
Policy *policy_create(Graph *graph, const Options *options);
/* The policy's class of the node's operator, then every op: and node: rule in order; the last match wins. */
Ruling policy_rule_node(Policy *policy, const Node *node);
/* The last tensor: rule that names the value; false when none does. */
bool policy_rule_tensor(Policy *policy, const Value *value, Ruling *ruling);
/* Does its table compute LayerNormalization in f32, and so the operators that exporters decompose norms into? */
bool policy_keeps_norms(const Policy *policy);
/* The files that it was read from, includes too. */
int policy_files(const Policy *policy, const char *const **paths);
/* Warns of each rule that has matched nothing, with the nearest names. */
void policy_finish(Policy *policy, const Graph *graph);

#endif
