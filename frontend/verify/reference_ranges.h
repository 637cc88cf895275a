/* reference_ranges.h: which numbers an input may hold, by what reads it. */
#ifndef PCC_FRONTEND_REFERENCE_RANGES_H
#define PCC_FRONTEND_REFERENCE_RANGES_H

#include "ir/ir.h"

typedef struct Range {
    double least, most; /* both may be held; infinite where nothing bounds them */
} Range;

typedef struct InputRange {
    Range range;
    bool is_index; /* it reaches an operand that holds indices or classes: other numbers are errors */
} InputRange;

/* Integer inputs get a finite range: what indices and classes allow, else what arithmetic and comparisons hint at, else
 * bytes. Float inputs have one where they become indices. */
InputRange input_range(Graph *graph, const Value *input);

#endif
