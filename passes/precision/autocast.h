/* autocast.h: what pass autocast decided, for --explain-precision. */
#ifndef PCC_PASSES_AUTOCAST_H
#define PCC_PASSES_AUTOCAST_H

#include "passes/passes.h"

enum { MAX_REPORTED_INPUTS = 8 };

/* Why a node computes in what it does. dtypes of float operands only; integers are left out. */
typedef struct PrecisionDecision {
    const char *node, *op; /* the ONNX node's name, or NULL; the operator as op: rules call it */
    int input_count;
    Dtype inputs[MAX_REPORTED_INPUTS]; /* as they arrive, before any Cast */
    Dtype compute, output;             /* of the operands of a product, of registers otherwise; as stored */
    const char *rule;                  /* in words */
} PrecisionDecision;

/* One conversion of a value. */
typedef struct PrecisionCast {
    const char *value; /* what it converts, or its producer, by ONNX names */
    Dtype from, to;
    int64_t bytes;     /* read and written by it in a step; 0 where it is fused */
    const char *where; /* "weights": in the optimizer's write; "fused": in a load, a store or a loop; "pass" */
} PrecisionCast;

typedef struct PrecisionReport {
    PrecisionDecision *decisions;
    int decision_count;
    PrecisionCast *casts;
    int cast_count;
} PrecisionReport;

/* Every float value of the graph has a dtype: of the mode, or as the policy decides; Casts stand between. */
Pass autocast;
/* After differentiation: the Casts that remain in the training graph, before fusion makes them parts of loops. */
Pass hoist_casts;      /* of parameters: into the optimizer's write, as VALUE_COPY */
Pass fuse_casts;       /* into the loads and stores of kernels that take 16-bit operands */
Pass legalise;         /* Casts around kernels that do not */
Pass widen_at_readers; /* each loop widens what it reads */
Pass report_casts;     /* graph->precision->casts */

#endif
