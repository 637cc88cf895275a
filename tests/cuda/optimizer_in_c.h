/* optimizer_in_c.h: the C target's optimizers, compiled as C (optimizer_in_c.c), for the tests of CUDA's. */
#ifndef OPTIMIZER_IN_C_H
#define OPTIMIZER_IN_C_H

#include <pcc/program.h>

typedef enum Optimizer { SGD, ADAM, ADAMW, ADAMW8BIT, LION, OPTIMIZERS } Optimizer;

#ifdef __cplusplus
extern "C"
#endif
    PccUpdate
    update_in_c(Optimizer optimizer, const PccParam *params, int64_t count, PccStep *s);

#endif
