/* reference_run.h: training steps by the reference evaluator: what `pcc verify` compares with when it has no file. */
#ifndef PCC_FRONTEND_REFERENCE_RUN_H
#define PCC_FRONTEND_REFERENCE_RUN_H

#include "frontend/reference_step.h"
#include "passes/passes.h"

enum { REFERENCE_STEPS = 3 };
extern const ReferenceHyper reference_hyper; /* of every verified run */

/* What inputs and parameters of floats are multiplied by before the first step: 1 + roundoff or 1 - roundoff, at random
 * by `draw`. With roundoff 0 it is the reference. */
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
