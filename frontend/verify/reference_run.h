/* reference_run.h: training steps by the reference evaluator: what `pcc verify` compares with when it has no file. */
#ifndef PCC_FRONTEND_REFERENCE_RUN_H
#define PCC_FRONTEND_REFERENCE_RUN_H

#include "ir/optimizer.h"
#include "passes/passes.h"

enum { REFERENCE_STEPS = 3 };
extern const OptimizerHyper reference_hyper; /* of every verified run */

/* What rounding could do: parameters, inputs and the result of every operator are multiplied by 1 + roundoff or
 * 1 - roundoff, and results once more with one sign for all equal numbers, as these round alike. The
 * signs are random by `draw`. With roundoff 0 it is the reference. */
typedef struct Perturbation {
    double roundoff;
    uint64_t draw;
} Perturbation;

/* Differentiates the imported graph, less every pass that optimises, trains REFERENCE_STEPS steps in double on random
 * inputs, and writes a reference file: input/NAME, target, and in float64 loss, output/NAME, grad/NAME of the first
 * step, param/NAME and state/NAME after the last. The graph is used up. */
void write_reference(Graph *imported, const Options *options, uint64_t seed, Perturbation perturbation,
                     const char *path);

#endif
