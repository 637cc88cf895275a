/* reference_inputs.h: random inputs and targets that a model can take. */
#ifndef PCC_FRONTEND_REFERENCE_INPUTS_H
#define PCC_FRONTEND_REFERENCE_INPUTS_H

#include "passes/passes.h"

/* Values for graph->inputs[index]. Floats are normal, rounded to f32 so that every precision reads the same. Integers
 * are of the range that their readers tell (reference_ranges.h), labels below the number of classes, masks mostly ones.
 */
Tensor random_input(Graph *graph, const Options *options, int index, uint64_t seed);

/* Values for graph->target: classes below the extent of the logits' class axis, or floats. */
Tensor random_target(Graph *graph, const Options *options, uint64_t seed);

#endif
