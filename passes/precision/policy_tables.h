/* policy_tables.h: the policies that pcc has built in: operator name -> class. */
#ifndef PCC_PASSES_POLICY_TABLES_H
#define PCC_PASSES_POLICY_TABLES_H

#include "passes/precision/policy.h"

/* What becomes of an operator that no list of a policy names. One without float arithmetic has none anywhere. */
typedef enum PolicyRest {
    REST_ROW,    /* its row's own class */
    REST_FOLLOW, /* FOLLOW, and PROMOTE where operands meet that may differ */
    REST_KEEP,
    REST_LOWER,
} PolicyRest;

typedef struct PolicyTable {
    const char *name;
    const char *lower, *keep, *promote; /* ONNX names and pcc's own, separated by spaces; NULL: none */
    PolicyRest rest;
    double loss_scale;  /* 0: the mode's */
    const char *update; /* of 16-bit weights; NULL: the mode's */
} PolicyTable;

extern const PolicyTable policy_tables[]; /* ended by one without a name */

const PolicyTable *find_policy_table(const char *name); /* NULL when there is none of this name */
/* The ONNX operator that pcc's own stands for: "Gelu" for GeluErf; the operator's own name for all others. */
const char *onnx_name(const Op *op);
PrecisionClass table_class(const PolicyTable *table, const Op *op);

#endif
