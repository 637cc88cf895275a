/* probe.h: --probe: dumps what a program computes on a given batch. */
#ifndef PCC_PROBE_H
#define PCC_PROBE_H

#include "../pcc.h"

/* Trains `steps` updates at a constant learning rate, Dropout off, on the batch in the safetensors file `probe`, and
 * writes to `dump`: loss [steps] (before each update), output/NAME and grad/NAME of the first step (gradients divided
 * by the loss scale, before clipping), param/NAME and state/NAME after the last. Floats are written as F64 by 64-true
 * programs, else as F32. */
int pcc_probe(PccSession *session, const char *probe, const char *dump, int64_t steps, PccError *error);

#endif
